"""garner-mock's faults, each looked at as bytes: what the kinds do, and when
they are due."""

import contextlib
import gzip
import json
import os
import re
import socket
import struct
import subprocess
import tempfile
import time
from email.utils import parsedate_to_datetime

from harness import MOCK, SRC, Mock, main
from link import Link, control, get

NOW = "2024-03-01T12:00:00Z"
WORLD = ["--tags", "12", "--start", "2024-03-01T00:00:00Z"]
RANGE = "startTime=2024-03-01T10:00:00Z&endTime=2024-03-01T11:00:00Z"


def split(data):
    head, _, body = data.partition(b"\r\n\r\n")
    return head, body


def length(head):
    return int(re.search(rb"Content-Length: (\d+)", head)[1])


def webids(mock):
    s = json.loads(get(mock, "dataservers")[2])["Items"][0]["WebId"]
    points = json.loads(get(mock, "dataservers/%s/points" % s)[2])["Items"]
    return [p["WebId"] for p in points]


def recorded(ids, n=1):
    return "streamsets/recorded?%s&%s" % (
        "&".join("webId=" + i for i in ids[:n]), RANGE)


@contextlib.contextmanager
def faulty(*faults, options=()):
    args = [x for f in faults for x in ("--fault", f)]
    with Mock(*WORLD, *options, *args, frozen=NOW) as m:
        yield m


# --- what they do -----------------------------------------------------------

def test_statuses():
    for status in (204, 304, 400, 401, 403, 404, 409, 410, 429, 500, 501,
                   502, 503, 504, 599):
        with faulty("system:%d:count=1" % status) as m, Link(m) as link:
            got, headers, body = link.ask("system").answer()
            assert got == status, (got, status)
            assert (body == b"") == (status == 204), body
            assert ("www-authenticate" in headers) == (status == 401)
            assert ("content-length" in headers) == (status != 204)
            assert link.ask("system").answer()[0] == 200


def test_retry_after():
    for value in ("7", "0", "-5", "99999999999999999999", "soon", "1.5"):
        with faulty("system:503:retry=" + value) as m:
            _, headers, _ = get(m, "system")
            assert headers["retry-after"] == value, headers
    for value, seconds in (("date", 0), ("date+60", 60), ("date-60", -60)):
        with faulty("system:429:retry=" + value) as m:
            text = get(m, "system")[1]["retry-after"]
            off = parsedate_to_datetime(text).timestamp() - time.time()
            assert text.endswith(" GMT") and abs(off - seconds) < 5, text


def test_bodies_in_place_of_the_answer():
    with faulty("system:html:count=1", "system:null:count=1",
                "system:empty:count=1", "system:type:count=1") as m, \
            Link(m) as link:
        status, headers, body = link.ask("system").answer()
        assert (status, body[:9]) == (200, b"<!DOCTYPE")
        assert headers["content-type"].startswith("text/html")
        assert link.ask("system").answer()[2] == b"null"
        assert link.ask("system").answer()[::2] == (200, b"")
        _, headers, body = link.ask("system").answer()
        assert headers["content-type"].startswith("text/plain"), headers
        plain = link.ask("system").answer()
        assert plain[2] == body
        assert plain[1]["content-type"].startswith("application/json")


def test_redirects():
    with faulty("system:ring:count=1", "system:redirect:count=1",
                "system:redirect:count=1:to=http://127.0.0.2:80/x") as m, \
            Link(m) as link:
        for to in ("/piwebapi/system", "http://elsewhere.invalid/piwebapi/"
                   "system", "http://127.0.0.2:80/x"):
            status, headers, _ = link.ask("system").answer()
            assert (status, headers["location"]) == (302, to), headers


def test_what_a_body_says():
    with faulty() as m:
        ids = webids(m)
        path = recorded(ids, 4)
        whole = get(m, path)[2]
        want = json.loads(whole)
        count = sum(len(i["Items"]) for i in want["Items"])

        def fault(kind):
            assert control(m, "faults", b"recorded:" + kind.encode())[0] == \
                200
            status, headers, body = get(m, path)
            assert status == 200
            return body

        body = fault("bom")
        assert body == b"\xef\xbb\xbf" + whole
        body = fault("half")
        assert body == whole[:len(whole) // 2]
        body = fault("nan")
        assert body.count(b'"Value":NaN') == 1
        assert len(json.loads(body)["Items"]) == 4
        got = json.loads(fault("errors"))
        wrong = [i for s in got["Items"] for i in s["Items"] if "Errors" in i]
        assert [e["FieldName"] for e in wrong[0].pop("Errors")] == ["Value"]
        assert len(wrong) == 1 and got == want
        got = json.loads(fault("missing"))
        assert got["Items"] == want["Items"][:3]
        got = json.loads(fault("webexception"))
        assert got["WebException"]["StatusCode"] == 500
        assert sum(len(i["Items"]) for i in got["Items"]) == count // 2
        body = fault("deep")
        assert b"[" * 10000 + b"]" * 10000 in body
        assert body.replace(b'"Remark":' + b"[" * 10000 + b"]" * 10000 + b",",
                            b"") == whole
        got = json.loads(fault("long"))
        text = [i["Value"] for s in got["Items"] for i in s["Items"]
                if i.get("Value") == "x" * (10 << 20)]
        assert len(text) == 1


def test_bodies_without_items():
    with faulty("system:deep:count=1", "system:errors:count=1",
                "system:nan:count=1", "system:missing:count=1") as m, \
            Link(m) as link:
        assert link.ask("system").answer()[2] == b"[" * 10000 + b"]" * 10000
        bodies = {link.ask("system").answer()[2] for _ in range(4)}
        assert len(bodies) == 2, bodies    # errors, then three the same


def test_cut_and_reset():
    with faulty() as m:
        plain, _ = Link(m).ask("system", "Connection: close").rest()
        head, body = split(plain)
        n = len(head) + 4
        for kind, end in (("cut", "eof"), ("reset", "reset")):
            for at, size in (("start", 0), ("head", n // 2),
                             ("body", n + len(body) // 2)):
                control(m, "faults", ("system:%s:at=%s" % (kind, at))
                        .encode())
                with Link(m) as link:
                    got = link.ask("system", "Connection: close").rest()
                    assert got == (plain[:size], end), (kind, at, got)
        for kind, size, end in (("cut", n + len(body) // 2, "eof"),
                                ("reset", 0, "reset")):
            control(m, "faults", b"system:" + kind.encode())
            got = Link(m).ask("system", "Connection: close").rest()
            assert got == (plain[:size], end), (kind, got)


def test_reset_on_a_reused_connection():
    with faulty("system:reset:reused") as m:
        for _ in range(3):
            with Link(m) as link:
                assert link.ask("system").answer()[0] == 200
                assert link.ask("system").rest() == (b"", "reset")


def test_stall():
    with faulty() as m:
        plain = get(m, "system")[2]
        for at in ("start", "head", "body"):
            control(m, "faults", ("system:stall:at=" + at).encode())
            with Link(m) as link:
                got = link.ask("system").some(0.2)
                head, body = split(got)
                assert {"start": got == b"",
                        "head": got and b"\r\n\r\n" not in got,
                        "body": body == plain[:len(plain) // 2]}[at], got
            control(m, "faults", ("system:stall:ms=300:at=" + at).encode())
            with Link(m) as link:
                began = time.monotonic()
                assert link.ask("system").answer()[2] == plain
                assert time.monotonic() - began >= 0.3
                link.ask("system").answer()    # goes on with it


def test_drip():
    with faulty("system:drip:ms=5") as m, Link(m) as link:
        began = time.monotonic()
        head, _ = split(link.ask("system").some(0.05))
        n = length(head)
        while len(split(link.got)[1]) < n:
            before = len(link.got)
            link.got += link.s.recv(1 << 16)
            # a slow reader may find two
            assert len(link.got) - before < 30
        assert time.monotonic() - began >= n * 0.005 * 0.9
        json.loads(split(link.got)[1])
    with faulty("system:drip:ms=20:at=start") as m, Link(m) as link:
        assert 0 < len(link.ask("system").some(0.3)) <= 16


def test_lengths():
    with faulty("system:longer:count=1", "system:shorter:count=1") as m:
        with Link(m) as link:
            got, end = link.ask("system").rest()
            head, body = split(got)
            assert length(head) == len(body) + 1000 and end == "eof"
        with Link(m) as link:
            link.ask("system")
            link.ask("system", "Connection: close")
            got, end = link.rest()
            head, more = split(got)
            n = length(head)
            assert n == len(body) // 2
            assert more[:len(body)] == body
            assert more[len(body):].startswith(b"HTTP/1.1 200 OK\r\n")


def test_chunks():
    with faulty("system:chunk") as m:
        got = Link(m).ask("system").some(0.3)
        head, chunks = split(got)
        assert b"Transfer-Encoding: chunked" in head
        size, _, rest = chunks.partition(b"\r\n")
        n = int(size, 16)
        assert rest[n:n + 7] == b"\r\nxyz\r\n", rest
        assert rest[:n].startswith(b'{"ProductTitle"')


def test_compressed():
    with faulty("system:cutgzip:count=1", "system:bomb:count=1") as m:
        with Link(m) as link:
            _, headers, body = link.ask("system", "Accept-Encoding: gzip") \
                .answer()
            assert headers["content-encoding"] == "gzip"
            try:
                gzip.decompress(body)
                raise AssertionError("it is whole")
            except EOFError:
                pass
            _, headers, body = link.ask("system", "Accept-Encoding: gzip") \
                .answer()
        assert headers["content-encoding"] == "gzip"
        whole = gzip.decompress(body)
        assert len(whole) > 1000 * len(body), (len(whole), len(body))
        assert re.fullmatch(rb'\{"Items":\[ +\]\}', whole)


def test_http10_and_rubbish():
    with faulty("system:http10:count=1", "system:rubbish:count=1",
                "system:headers:count=1") as m:
        got, end = Link(m).ask("system").rest()
        head, body = split(got)
        assert head.startswith(b"HTTP/1.0 200 OK\r\n"), head
        assert b"Content-Length" not in head and b"chunked" not in head
        assert end == "eof" and "ProductTitle" in json.loads(body)
        assert Link(m).ask("system").rest() == (
            b"220 mail.example ESMTP ready\r\n\r\n", "eof")
        got, _ = Link(m).ask("system", "Connection: close").rest()
        head, body = split(got)
        assert len(head) > 500000 and b"\r\nX-Filler: xx" in head
        assert length(head) == len(body) and json.loads(body)


# --- when they are due ------------------------------------------------------

def statuses(mock, n, path="system"):
    with Link(mock) as link:
        return [link.ask(path).answer()[0] for _ in range(n)]


def test_counting():
    for keys, want in (("count=2", [500, 500, 200, 200, 200]),
                       ("after=2:count=1", [200, 200, 500, 200, 200]),
                       ("every=2", [200, 500, 200, 500, 200]),
                       ("every=2:count=1", [200, 500, 200, 200, 200]),
                       ("p=0", [200] * 5), ("p=1", [500] * 5),
                       ("if=tem", [500] * 5), ("if=other", [200] * 5)):
        with faulty("system:500:" + keys) as m:
            assert statuses(m, 5) == want, keys
    with faulty("system:500:p=0.5") as m:
        got = statuses(m, 200)
        assert 60 < got.count(500) < 140
        with faulty("system:500:p=0.5") as m2:
            again = statuses(m2, 200)
        assert got == again, "the seed decides"


def test_routes_and_order():
    with faulty("system/status:500", "status:501", "*:502:count=1") as m:
        assert statuses(m, 2, "system/status") == [500, 500]
        assert statuses(m, 2, "system") == [502, 200]


def test_periods():
    with faulty("system:503:period=600ms:for=300ms") as m, Link(m) as link:
        seen, end = [], time.monotonic() + 2.4
        while time.monotonic() < end:
            status = link.ask("system").answer()[0]
            if not seen or seen[-1][0] != status:
                seen.append((status, time.monotonic()))
        assert [s for s, _ in seen[:6]] == [503, 200] * 3, seen
        for (_, a), (_, b) in zip(seen[1:-1], seen[2:]):
            assert 0.2 < b - a < 0.4, seen


def took(mock, n=1):
    out = []
    with Link(mock) as link:
        for _ in range(n):
            began = time.monotonic()
            assert link.ask("system").answer()[0] == 200
            out.append(time.monotonic() - began)
    return out


def test_slow():
    for spec, least, most in (("slow:ms=100", 0.1, 0.3),
                              ("slow:100", 0.1, 0.3),
                              ("slow:ms=20:jitter=50", 0.02, 0.2)):
        with faulty("system:" + spec) as m:
            for t in took(m, 10):
                # a timer is set from the time its turn of the loop began
                assert 0.9 * least <= t < most, (spec, t)
    with faulty("system:slow:ms=20:jitter=100") as m:
        times = took(m, 20)
        assert max(times) - min(times) > 0.03, times
    with faulty("system:slow:ms=2:tail=0.7") as m:
        times = sorted(took(m, 40))
        assert times[20] < 0.02 and times[-1] > 4 * times[20], times
        assert times[-1] < 0.5
    # it adds up, and the next fault acts as well
    with faulty("system:slow:50", "system:slow:50", "system:500") as m:
        began = time.monotonic()
        assert statuses(m, 1) == [500]
        assert time.monotonic() - began >= 0.09


def test_within_a_batch():
    with faulty("system/status:500", "system:cut:count=1") as m:
        body = json.dumps({k: {"Method": "GET", "Resource":
                               "http://x/piwebapi/" + k}
                           for k in ("system/status", "dataservers")})
        with Link(m) as link:
            status, _, got = link.ask("batch", method="POST",
                                      body=body.encode()).answer()
            got = json.loads(got)
            assert status == 207
            assert got["system/status"]["Status"] == 500
            assert got["dataservers"]["Status"] == 200
        with Link(m) as link:
            got, end = link.ask("batch", method="POST", body=json.dumps(
                {"a": {"Method": "GET", "Resource": "http://x/piwebapi/"
                       "system"}}).encode()).rest()
            head, body = split(got)
            assert end == "eof" and len(body) == length(head) // 2


# --- where they come from ---------------------------------------------------

def test_a_file():
    with tempfile.TemporaryDirectory() as d:
        name = os.path.join(d, "faults")
        with open(name, "w", encoding="utf-8") as f:
            f.write("# a script\n\n  system:500:count=1 \n"
                    "system:redirect:to=http://a:1/#b:c\r\n")
        with faulty("system:501:count=1", options=["--faults", name]) as m, \
                Link(m) as link:
            assert link.ask("system").answer()[0] == 501
            assert link.ask("system").answer()[0] == 500
            status, headers, _ = link.ask("system").answer()
            assert headers["location"] == "http://a:1/#b:c", headers
        with open(name, "a", encoding="utf-8") as f:
            f.write("system:ht\n")
        r = subprocess.run([MOCK, "--faults", name], capture_output=True,
                           text=True)
        assert r.returncode == 64
        assert "%s: line 5: unknown kind 'ht'" % name in r.stderr, r.stderr
        r = subprocess.run([MOCK, "--faults", name + "x"],
                           capture_output=True, text=True)
        assert r.returncode == 66 and name + "x" in r.stderr, r.stderr


def test_another_script_meanwhile():
    with faulty("system:500") as m, Link(m) as link:
        assert link.ask("system").answer()[0] == 500
        assert control(m, "faults", b"system:501:count=1")[0] == 200
        assert link.ask("system").answer()[0] == 501
        status, _, body = control(m, "faults", b"system:501\nsystem:1")
        assert status == 400 and b"line 2" in body, body
        assert link.ask("system").answer()[0] == 200
        assert control(m, "faults")[0] == 200
        # also while an answer of the former one is under way
        control(m, "faults", b"system:drip:ms=2")
        link.ask("system").some(0.05)
        control(m, "faults")
        n = length(split(link.got)[0])
        while len(split(link.got)[1]) < n:
            link.got += link.s.recv(1 << 16)
        json.loads(split(link.got)[1])


def test_wrong_specifications():
    for spec, word in (("system", "ROUTE:KIND"), ("system:", "kind ''"),
                       (":500", "route"), ("system:rest", "reset"),
                       ("system:199", "199"), ("system:600", "600"),
                       ("system:500:coun=1", "coun=1"),
                       ("system:500:count=x", "count=x"),
                       ("system:500:p=2", "p=2"), ("system:cut:at=x", "at=x"),
                       ("system:500:period=1s", "for="),
                       ("system:500:retry=" + "9" * 64, "retry="),
                       ("system:500:retry=a\r\nb", "retry="),
                       ("s" * 600 + ":500", "too long")):
        r = subprocess.run([MOCK, "--fault", spec], capture_output=True,
                           text=True)
        assert r.returncode == 64, (spec, r)
        assert word in r.stderr and len(r.stderr.splitlines()) == 1, r.stderr


def test_the_manual_names_them():
    text = subprocess.run([MOCK, "--help"], check=True, text=True,
                          capture_output=True).stdout
    kinds = re.findall(r"^  ([a-z0-9]+) +\S",
                       text.split("Kinds of faults:")[1], re.M)
    assert len(kinds) > 25, kinds
    with open(os.path.join(SRC, "man", "garner-mock.1")) as f:
        page = f.read()
    named = re.findall(r"^\.It Cm ([a-z0-9]+)$", page.split(".Sh FAULTS")[1]
                       .split(".Ss Keys")[0], re.M)
    assert named == kinds, (named, kinds)


def test_every_kind_ends_in_time_when_the_peer_leaves():
    """No fault holds a connection whose peer is gone, or harms the next."""
    text = subprocess.run([MOCK, "--help"], check=True, text=True,
                          capture_output=True).stdout
    kinds = re.findall(r"^  ([a-z0-9]+) +\S",
                       text.split("Kinds of faults:")[1], re.M)
    with faulty() as m:
        path = recorded(webids(m), 3)
        for kind in kinds:
            control(m, "faults", b"recorded:" + kind.encode())
            with Link(m) as link:
                link.ask(path).some(0.02)
                link.s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                                  struct.pack("ii", 1, 0))
            assert statuses(m, 1) == [200], kind


main(globals())
