"""garner-mock under load: capacity, collapse, limits of rate and of
connections, tokens, ten thousand requests at once."""

import base64
import json
import re
import resource
import select
import socket
import threading
import time
import urllib.parse
import urllib.request

from harness import Mock, main, timed, wait_for
from link import Link, control, get

WORLD = ["--tags", "12"]


def burst(mock, n, path="system"):
    """n requests at once, each on a connection of its own: the seconds until
    each was answered, sorted. Fails on anything but 200."""
    at = urllib.parse.urlsplit(mock.url)
    socks, poll, times = {}, select.epoll(), []
    text = ("GET /piwebapi/%s HTTP/1.1\r\nConnection: close\r\n\r\n"
            % path).encode()
    for i in range(n):
        # many addresses, as ports of one are few
        s = socket.create_connection((at.hostname, at.port), 10,
                                     ("127.0.0.%d" % (2 + i % 16), 0))
        socks[s.fileno()] = [s, b""]
    began = time.monotonic()
    for fd, (s, _) in socks.items():
        s.sendall(text)
        poll.register(fd, select.EPOLLIN)
    while socks:
        events = poll.poll(30)
        assert events, "%d are not answered" % len(socks)
        for fd, _ in events:
            got = socks[fd][0].recv(1 << 16)
            socks[fd][1] += got
            if not got:
                assert socks[fd][1].startswith(b"HTTP/1.1 200 OK\r\n")
                times.append(time.monotonic() - began)
                poll.unregister(fd)
                socks.pop(fd)[0].close()
    poll.close()
    return sorted(times)


def memory(mock):
    with open("/proc/%d/status" % mock.proc.pid, encoding="ascii") as f:
        return int(re.search(r"VmRSS:\s+(\d+)", f.read())[1]) * 1024


# --- capacity ---------------------------------------------------------------

@timed
def test_capacity():
    with Mock(*WORLD, "--capacity", 4, "--latency", "100ms") as m:
        times = burst(m, 18)
        # rounds of four: each takes the latency
        for i, t in enumerate(times):
            rounds = i // 4 + 1
            assert 0.1 * rounds - 0.01 < t < 0.1 * rounds + 0.09, times
        assert burst(m, 4)[-1] < 0.19


@timed
def test_a_waiting_request_whose_client_left():
    with Mock(*WORLD, "--capacity", 1, "--latency", "100ms") as m:
        links = [Link(m).ask("system") for _ in range(6)]
        links[5].s.close()
        links[2].s.close()
        links[0].s.close()
        began = time.monotonic()
        for i in (1, 3, 4):
            assert links[i].answer()[0] == 200
        # the place of the one that was served is free at once
        assert time.monotonic() - began < 0.45
        assert burst(m, 1)[0] < 0.19


@timed
def test_collapse():
    with Mock(*WORLD, "--collapse", 4, "--latency", "40ms") as m:
        assert burst(m, 4)[-1] < 0.1
        # the sixteenth found sixteen in flight: 40 ms times 16
        last = burst(m, 16)[-1]
        assert 0.6 < last < 0.8, last
    with Mock(*WORLD, "--collapse", 4, "--capacity", 4, "--latency",
              "20ms") as m:
        slow = burst(m, 20)[-1] / 20
        fast = burst(m, 4)[-1] / 4
        assert slow > 2 * fast, (slow, fast)


@timed
def test_refusals_do_not_wait():
    with Mock(*WORLD, "--latency", "1s", "--token", "t") as m:
        began = time.monotonic()
        assert get(m, "system")[0] == 401
        assert control(m, "now")[0] == 400
        assert time.monotonic() - began < 0.9
        assert get(m, "system", "Authorization: Bearer t")[0] == 200
        assert time.monotonic() - began >= 1


@timed
def test_costs():
    """Of each stream of a set, of each request of a batch."""
    with Mock(*WORLD, "--set-cost", "30ms", "--batch-cost", "50ms") as m:
        server = json.loads(get(m, "dataservers")[2])["Items"][0]["WebId"]
        points = json.loads(get(m, "dataservers/%s/points?maxCount=4"
                                % server)[2])["Items"]
        began = time.monotonic()
        assert get(m, "streamsets/recorded?maxCount=1&" + "&".join(
            "webId=" + p["WebId"] for p in points))[0] == 200
        assert time.monotonic() - began >= 0.12
        body = {p["Name"]: {"Method": "GET", "Resource": m.url + "/streams/"
                            + p["WebId"] + "/recorded?maxCount=1"}
                for p in points}
        began = time.monotonic()
        with urllib.request.urlopen(urllib.request.Request(
                m.url + "/batch", json.dumps(body).encode(),
                {"X-Requested-With": "test"}), timeout=10) as r:
            assert {x["Status"] for x in json.load(r).values()} == {200}
        assert time.monotonic() - began >= 0.2


@timed
def test_ten_thousand():
    """All of them in flight at once, with one second of latency."""
    n = 10000
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    n = min(n, hard - 200)
    with Mock(*WORLD, "--latency", "1s") as m:
        before = memory(m)
        peak = []
        stop = threading.Event()

        def watch():
            while not stop.wait(0.05):
                peak.append(memory(m))

        t = threading.Thread(target=watch)
        t.start()
        try:
            times = burst(m, n)
        finally:
            stop.set()
            t.join()
        assert len(times) == n and times[0] >= 1, times[:2]
        assert times[-1] < 10, times[-1]
        each = (max(peak) - before) / n
        print("%d in flight: %.1f to %.1f s, %.1f KiB a connection"
              % (n, times[0], times[-1], each / 1024))
        assert each < 16384


# --- limits -----------------------------------------------------------------

def test_connections():
    with Mock(*WORLD, "--connections", 3) as m:
        links = [Link(m).ask("system") for _ in range(3)]
        assert all(x.answer()[0] == 200 for x in links)
        with Link(m) as more:
            assert more.rest()[0] == b""
        assert links[0].ask("system").answer()[0] == 200
        links[1].s.close()

        def try_again():
            try:
                with Link(m) as x:
                    return x.ask("system", "Connection: close").rest()[0] \
                        .startswith(b"HTTP/1.1 200")
            except OSError:
                return False

        wait_for(try_again, 5)


@timed
def test_rate_limit():
    with Mock(*WORLD, "--rate-limit", "5/400ms") as m, Link(m) as link:
        began = time.monotonic()
        for left in (4, 3, 2, 1, 0):
            status, headers, _ = link.ask("system").answer()
            assert (status, headers["x-ratelimit-remaining"],
                    headers["x-ratelimit-limit"]) == (200, str(left), "5")
        status, headers, _ = link.ask("system").answer()
        assert time.monotonic() - began < 0.4, "too slow a machine"
        assert (status, headers["retry-after"],
                headers["x-ratelimit-remaining"]) == (429, "1", "0")
        reset = int(headers["x-ratelimit-reset"])
        assert 0 <= reset - time.time() < 2.1, reset
        # another client has a limit of its own
        with Link(m, source="127.0.0.9") as other:
            assert other.ask("system").answer()[0] == 200
        assert control(m, "faults")[0] == 200, "the control is exempt"
        wait_for(lambda: time.monotonic() - began > 0.41)
        assert [link.ask("system").answer()[0] for _ in range(6)] == \
            [200] * 5 + [429]
    with Mock(*WORLD, "--rate-limit", "2/1h") as m, Link(m) as link:
        got = [link.ask("system").answer() for _ in range(3)]
        assert 3500 < int(got[2][1]["retry-after"]) <= 3600


@timed
def test_many_clients():
    """More than the table holds: none of those that ask is limited wrongly."""
    with Mock(*WORLD, "--rate-limit", "1/1h") as m:
        for i in range(600):
            with Link(m, source="127.0.%d.%d" % (1 + i // 200, 1 + i % 200)) \
                    as link:
                assert link.ask("system").answer()[0] == 200
                assert link.ask("system").answer()[0] == 429


# --- counters ---------------------------------------------------------------

@timed
def test_stats():
    with Mock(*WORLD, "--fault", "system:503:count=2", "--fault",
              "status:reset:count=1", "--fault", "system:slow:100",
              "--connections", 20) as m:
        empty = m.stats()
        assert empty["requests"] == {"total": 0, "now": 0, "most": 0}
        assert empty["status"] == {} and sum(empty["bins"]) == 0
        with Link(m) as link:
            got = [link.ask("system").answer()[0] for _ in range(3)]
        assert got == [503, 503, 200]
        Link(m).ask("system/status").rest()
        assert get(m, "nothing")[0] == 404
        with Link(m) as link:
            link.s.sendall(b"rubbish\r\n\r\n")
            assert link.rest()[0].startswith(b"HTTP/1.1 400")
        links = [Link(m).ask("system") for _ in range(5)]
        wait_for(lambda: m.stats()["requests"]["now"] == 5)
        links.pop().s.close()
        for x in links:
            assert x.answer()[0] == 200
            x.s.close()
        wait_for(lambda: m.stats()["connections"]["now"] == 1)
        end = m.stats()
        assert end["requests"] == {"total": 11, "now": 0, "most": 5}, end
        assert end["status"] == {"0": 2, "200": 5, "400": 1, "404": 1,
                                 "503": 2}, end
        assert end["connections"]["most"] >= 5
        assert sum(end["bins"]) == 11
        assert end["bin_ms"] == 100
        assert len(end["bins"]) <= end["elapsed_ms"] // 100 + 1
        links = [Link(m).ask("system") for _ in range(20)]
        for x in links[:19]:
            x.answer()
        with Link(m) as more:
            assert more.rest()[0] == b""
        assert json.loads(links[0].ask("/mock/stats").answer()[2])[
            "connections_closed"] == 1


@timed
def test_bins():
    """When requests came, to the tenth of a second."""
    with Mock(*WORLD) as m, Link(m) as link:
        before = m.stats()["elapsed_ms"]
        for n in (3, 5):
            for _ in range(n):
                link.ask("system").answer()
            after = m.stats()["elapsed_ms"]
            wait_for(lambda: m.stats()["elapsed_ms"] > after + 350)
        bins = m.stats()["bins"]
        first = next(i for i, n in enumerate(bins) if n)
        second = next(i for i in range(first + 3, len(bins)) if bins[i])
        assert before // 100 <= first
        assert sum(bins[first:first + 2]) == 3, bins
        assert sum(bins[second:second + 2]) == 5, bins
        assert 3 <= second - first <= 8, bins


# --- tokens -----------------------------------------------------------------

FORM = "Content-Type: application/x-www-form-urlencoded"
ASK = "grant_type=client_credentials&client_id=plant%2F1&client_secret=s%20t"


def token(mock, body=ASK, *headers, kind=FORM):
    with Link(mock) as link:
        status, h, body = link.ask("/oauth/token", kind, *headers,
                                   method="POST", body=body.encode()).answer()
        return status, h, json.loads(body)


@timed
def test_tokens():
    with Mock(*WORLD, "--oauth", "plant/1:s t", "--token-ttl", "1500ms",
              log=True) as m:
        assert get(m, "system")[0] == 401
        status, headers, body = token(m)
        assert (status, headers["cache-control"]) == (200, "no-store")
        assert body["token_type"] == "Bearer" and body["expires_in"] == 1
        good = "Authorization: Bearer " + body["access_token"]
        assert get(m, "system", good)[0] == 200
        for bad in (good + "x", good[:-1], good.replace("mock-", "mock-1"),
                    "Authorization: Bearer mock-", "Authorization: Bearer "):
            assert get(m, "system", bad)[0] == 401, bad
        wait_for(lambda: get(m, "system", good)[0] == 401, 5)
        # both parts encoded first: RFC 6749, section 2.3.1
        basic = base64.b64encode(b"plant%2F1:s%20t").decode()
        status, _, body = token(m, "grant_type=client_credentials",
                                "Authorization: Basic " + basic)
        assert status == 200, body
        good = "Authorization: Bearer " + body["access_token"]
        assert get(m, "system", good)[0] == 200
        assert control(m, "revoke")[0] == 200
        assert get(m, "system", good)[0] == 401
        asked = [r for r in m.requests() if r["route"] == "oauth/token"]
        assert [(r["status"], r["method"]) for r in asked] == \
            [(200, "POST")] * 2, asked


def test_no_token():
    with Mock(*WORLD, "--oauth", "plant/1:s t", "--token", "other",
              "--fault", "oauth/token:503:after=7") as m:
        for body, error in (
                (ASK.replace("%20", "x"), (401, "invalid_client")),
                (ASK.replace("plant", "plan"), (401, "invalid_client")),
                (ASK.replace("client_credentials", "password"),
                 (400, "unsupported_grant_type")),
                ("client_id=plant%2F1", (400, "invalid_request")),
                ("%zz", (400, "invalid_request")),
                ("grant_type=client_credentials", (401, "invalid_client"))):
            status, _, got = token(m, body)
            assert (status, got["error"]) == error, (body, got)
        assert token(m, kind="Content-Type: application/json")[0] == 400
        with Link(m) as link:    # the eighth: faults act here as well
            assert link.ask("/oauth/token", method="POST", body=b"x") \
                .answer()[0] == 503
        assert get(m, "system", "Authorization: Bearer other")[0] == 200
        assert get(m, "/oauth/token", "Authorization: Bearer other")[0] \
            == 405
    with Mock(*WORLD) as m:
        with Link(m) as link:
            assert link.ask("/oauth/token", method="POST", body=b"x") \
                .answer()[0] == 404, "without --oauth there is none"


main(globals())
