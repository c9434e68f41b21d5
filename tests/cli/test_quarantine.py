"""Answers that could not be used: kept as they came, bounded, without
secrets; shown, asked again, dropped."""

import json
import os
import re
import threading
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from harness import Mock, Site, check_silver, main, one_line

A, B = "2026-03-01T11:00:00Z", "2026-03-01T12:00:00Z"
WORLD = ["--tags", 30, "--density", "fast=20s,medium=1m,slow=5m"]
HASTY = ("fetch: {tries: 2, retry_base: 10ms, retry_cap: 50ms, "
         "breaker_failures: 0, retry_share: 10}\n")
CANARY = "cAnary/s3cret+%41=x"


def kept(site):
    r = site.garner("quarantine", "--json")
    return [json.loads(x) for x in r.stdout.splitlines()]


def files(site):
    d = os.path.join(site.data, "quarantine")
    return sorted(os.listdir(d)) if os.path.isdir(d) else []


def test_kept_and_retried():
    with Mock(*WORLD, log=True) as m, Site(m.url, size=10, fetch=HASTY) as s:
        s.garner("discover")
        points = s.cat("pi_points", "--bronze")
        half, sick, err, gone = (points[i] for i in (4, 12, 18, 25))
        m.faults("recorded:half:if=%s" % half["webid"],
                 "recorded:500:if=%s" % sick["webid"],
                 "recorded:errors:if=%s" % err["webid"],
                 "recorded:410:if=%s" % gone["webid"])
        s.garner("harvest", status=1)
        found = {k["stream"]: k for k in kept(s)}
        assert set(found) == {half["name"], sick["name"], err["name"]}, found
        assert [k["id"] for k in kept(s)] != [] and \
            sorted(k["id"] for k in kept(s)) == files(s)
        k = found[half["name"]]
        assert (k["status"], k["error"], k["webid"], k["table"]) == \
            (200, "bad answer", half["webid"], "pi_timeseries"), k
        assert half["webid"] in k["target"] and k["to"][:19] + "Z" == B, k
        assert not k["read_since"]
        assert found[sick["name"]]["status"] == 500
        # as it came: the server's own bytes, from the same question
        body = s.garner("quarantine", "show", "--body", k["id"]).stdout
        assert len(body) == k["bytes"] == k["kept"] and k["bytes"] > 50
        asked = [r["target"] for r in m.requests()
                 if half["webid"] in r["target"]]
        assert k["target"] == asked[-1], (k["target"], asked[-1])
        with urllib.request.urlopen(
                m.url.split("/piwebapi")[0] + asked[-1], timeout=10) as r:
            sent = r.read().decode()
        assert body == sent, (body[-80:], sent[-80:])
        text = s.garner("quarantine", "show", k["id"]).stdout
        assert k["target"][:60] in text and "200" in text
        assert half["name"] in s.garner("quarantine").stdout
        one_line(s.garner("quarantine", "show", "0" * 16, status=66), "0000")
        one_line(s.garner("quarantine", "show", "../x", status=66), "../x")
        one_line(s.garner("quarantine", "eat", status=64), "eat")
        # one is well again, and only it is asked for
        m.faults("recorded:500:if=%s" % sick["webid"])
        before = len(m.requests())
        s.garner("quarantine", "retry", k["id"])
        asked = [r for r in m.requests()[before:]
                 if "recorded" in r["target"]]
        assert asked and all(half["webid"] in r["target"] for r in asked)
        assert {x["stream"] for x in kept(s)} == {sick["name"], err["name"]}
        # of the others one still is not
        r = s.garner("quarantine", "retry", "--json", status=1)
        assert json.loads(r.stdout) == {"read": 1, "failed": 1}, r.stdout
        assert [x["stream"] for x in kept(s)] == [sick["name"]]
        m.faults()
        s.garner("harvest", "--retry-failed")
        assert [x["read_since"] for x in kept(s)] == [True]
        s.garner("quarantine", "retry")
        assert kept(s) == []
        s.garner("compact")
        check_silver(m, s, A, B)


def test_bounds_and_drop():
    """The newest of a stream; the oldest go; none when told so."""
    with Mock(*WORLD) as m, Site(m.url, size=10, fetch=HASTY, harvest="  "
                                 "quarantine: 2KiB\n") as s:
        s.garner("discover")
        ids = [p["webid"] for p in s.cat("pi_points", "--bronze")]
        for i in (3, 4, 5, 6, 7):
            m.faults(*["recorded:500:if=%s" % x for x in ids[3:i + 1]])
            s.garner("harvest", status=1)
        left = kept(s)
        assert 0 < len(left) < 5, left
        assert sum(k["stored"] for k in left) <= 2048, left
        assert left[-1]["webid"] in ids[3:8]
        twice = [k["id"] for k in left]
        s.garner("harvest", status=1)
        assert len({k["webid"] for k in kept(s)}) == len(kept(s))
        s.garner("quarantine", "drop", "--older", "1h")
        assert len(kept(s)) >= len(twice) - 1
        one = kept(s)[0]["id"]
        s.garner("quarantine", "drop", one)
        assert one not in files(s)
        one_line(s.garner("quarantine", "drop", status=64), "which")
        s.garner("quarantine", "drop", "--older", "0s")
        assert kept(s) == [] == files(s)
        s.write(size=10, fetch=HASTY, harvest="  quarantine: 0\n")
        s.garner("harvest", status=1)
        assert files(s) == []


def test_large_body_and_page_of_a_walk():
    with Mock(*WORLD) as m, Site(m.url, size=10, fetch=HASTY) as s:
        m.faults("points:half")
        s.garner("harvest", status=69)
        k, = kept(s)
        assert k["table"] == "pi_points" and "points" in k["target"], k
        assert k["kept"] == k["bytes"] > 1000
        m.faults()
        s.garner("quarantine", "retry")
        assert kept(s) == []
        s.garner("harvest")
        webid = s.cat("pi_points", "--bronze")[0]["webid"]
        m.set_now("2026-03-01T12:10:00Z")
        m.faults("recorded:long:if=%s" % webid)
        s.garner("harvest", status=1)
        k, = kept(s)
        assert k["bytes"] > 10 << 20 and k["kept"] == 1 << 20, k
        assert k["stored"] < 100000, k


class Quoting(BaseHTTPRequestHandler):
    """The mock behind it, but for values: they quote what was sent."""

    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_GET(self):
        with urllib.request.urlopen(urllib.request.Request(
                self.server.behind + self.path, headers={
                    "Authorization": self.headers.get("Authorization")}),
                timeout=10) as r:
            body = r.read()
        if "/recorded" in self.path:
            pad = "x" * ((1 << 20) - 40) if self.server.pad else ""
            body = ('{"Items":[], "%s":"%s\n%s\n%s' % (
                pad, self.headers.get("Authorization", ""), CANARY,
                self.path)).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def test_no_secrets():
    """A server that quotes credentials in what it calls a good answer."""
    for pad in (False, True):
        with Mock("--tags", 2, "--token", CANARY, "--plants", 1) as m:
            server = ThreadingHTTPServer(("127.0.0.1", 0), Quoting)
            server.behind = m.url.split("/piwebapi")[0]
            server.pad = pad
            threading.Thread(target=server.serve_forever,
                             daemon=True).start()
            env = dict(os.environ, PI_TOKEN=CANARY)
            with Site("http://127.0.0.1:%d/piwebapi" % server.server_port,
                      fetch=HASTY, source="  auth: {type: bearer, token: "
                      "{env: PI_TOKEN}}\n") as s:
                s.garner("harvest", env=env, status=None)
                entries = kept(s)
                assert entries, "nothing was kept"
                for k in entries:
                    body = s.garner("quarantine", "show", "--body",
                                    k["id"]).stdout
                    assert len(body) == k["kept"] > 0
                    assert pad or re.search(r"Bearer \*+\n\*+\n", body), body
                    for part in (CANARY, CANARY[:12]):
                        assert part not in body, body[-200:]
                        assert part not in json.dumps(k)
            server.shutdown()
            server.server_close()


main(globals())
