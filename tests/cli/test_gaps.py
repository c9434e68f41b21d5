"""garner gaps: what is wanted and not covered, with the reason."""

import json
import os
import subprocess

from harness import GARNER, Mock, Site, check_silver, main, one_line

A, B = "2026-03-01T11:00:00Z", "2026-03-01T12:00:00Z"
B7 = "2026-03-01T12:00:00.0000000Z"
WORLD = ["--tags", 30, "--density", "fast=20s,medium=1m,slow=5m"]
HASTY = ("fetch: {tries: 2, retry_base: 10ms, retry_cap: 50ms, "
         "breaker_failures: 0, retry_share: 10}\n")
STREAMS = int(os.environ.get("GARNER_TEST_GAPS", "50000"))


def gaps(site, *args, status=None):
    r = site.garner("gaps", "--json", *args, status=status)
    lines = [json.loads(x) for x in r.stdout.splitlines()]
    assert r.returncode == (1 if lines else 0), (r.returncode, lines[:3])
    return lines


def test_none_after_a_whole_run():
    with Mock(*WORLD) as m, Site(m.url, size=10) as s:
        r = s.garner("gaps", status=66)
        one_line(r, "ledger")
        s.garner("discover")
        never = gaps(s)
        assert {g["reason"] for g in never} == {"never_read"}, never
        assert len([g for g in never if g["table"] == "pi_timeseries"]) == 30
        s.garner("harvest")
        assert gaps(s) == []
        assert "nothing is missing" in s.garner("gaps").stdout
        # the present: the mock's clock stands, that of the machine does not
        new = gaps(s, "--to", "*", "--table", "pi_timeseries")
        assert len(new) == 30, new
        assert {(g["from"], g["reason"]) for g in new} == {(B7, "behind")}
        # the next run moves "now", and gets it
        m.set_now("2026-03-01T12:30:00Z")
        s.garner("harvest", "--group", "2", "--table", "pi_timeseries")
        new = gaps(s, "--table", "pi_timeseries")
        assert {(g["group"], g["from"], g["seconds"]) for g in new} == \
            {(1, B7, 1800), (3, B7, 1800)}, new
        s.garner("harvest")
        assert gaps(s) == []


def test_ranges_and_choices():
    """History to come, holes, groups, patterns, from and to."""
    with Mock(*WORLD) as m, Site(m.url, size=10) as s:
        half, q = "2026-03-01T11:30:00Z", "2026-03-01T11:15:00Z"
        s.garner("harvest", "--from", half, "--table", "pi_timeseries")
        old = gaps(s, "--table", "pi_timeseries")
        assert len(old) == 30
        assert {(g["from"][:19], g["to"][:19], g["reason"]) for g in old} == \
            {(A[:19], half[:19], "not_yet_read")}, old
        s.garner("harvest", "--from", A, "--to", q, "--group", "1",
                 "--table", "pi_timeseries")
        one = gaps(s, "--table", "pi_timeseries", "--group", "1")
        assert len(one) == 10
        assert {(g["from"][:19], g["to"][:19]) for g in one} == \
            {(q[:19], half[:19])}, one
        name = one[3]["stream"]
        assert [g["webid"] for g in gaps(s, "--stream", name.upper())] == \
            [one[3]["webid"]]
        assert [g["stream"] for g in gaps(s, "--stream", one[3]["webid"])] \
            == [name]
        assert len(gaps(s, "--stream", "*", "--group", "1")) == 10
        one_line(s.garner("gaps", "--stream", "no-such", status=66),
                 "no-such")
        assert gaps(s, "--from", half, "--table", "pi_timeseries") == []
        cut = gaps(s, "--from", A, "--to", q, "--group", "2")
        assert {(g["from"][:19], g["to"][:19]) for g in cut} == \
            {(A[:19], q[:19])}
        sums = gaps(s, "--summary", "--table", "pi_timeseries")
        assert [(g["group"], g["streams"], g["lacking"], g["seconds"],
                 g["reasons"]) for g in sums] == \
            [(1, 10, 10, 9000, {"not_yet_read": 10}),
             (2, 10, 10, 18000, {"not_yet_read": 10}),
             (3, 10, 10, 18000, {"not_yet_read": 10})], sums
        text = s.garner("gaps", "--group", "1", status=1).stdout
        assert len(text.splitlines()) == 11 and name in text, text
        assert "15m0s" in text and "not yet read" in text, text
        # frames were not read at all
        frames = gaps(s, "--table", "pi_event_frames")
        assert {(g["group"], g["reason"]) for g in frames} == \
            {(0, "never_read")}
        one_line(s.garner("gaps", "--from", "nonsense", status=64), "--from")
        one_line(s.garner("gaps", "--from", B, "--to", A, status=64), "empty")


def test_broken_for_good():
    """Three streams are: exactly these, each with its reason."""
    with Mock(*WORLD) as m, Site(m.url, size=10, fetch=HASTY) as s:
        s.garner("discover")
        points = s.cat("pi_points", "--bronze")
        gone, sick, late = points[4], points[12], points[25]
        m.faults("recorded:410:if=%s" % gone["webid"],
                 "recorded:500:if=%s" % sick["webid"],
                 "recorded:half:if=%s" % late["webid"])
        s.garner("harvest", status=1)
        found = gaps(s)
        assert {(g["stream"], g["reason"], g["error"]) for g in found} == {
            (gone["name"], "set_aside", "gone"),
            (sick["name"], "failed", "server error"),
            (late["name"], "failed", "bad answer")}, found
        assert all(g["failed_at"] > "2026" for g in found)
        text = s.garner("gaps", status=1).stdout
        assert "set aside: gone" in text, text
        m.faults()
        s.garner("harvest", "--retry-failed")
        assert gaps(s) == []
        s.garner("compact")
        check_silver(m, s, A, B)


def test_not_fully_readable():
    """Pages of one item: no time is known to be read in full, and each is
    told, as the run did, until a server with larger pages is asked again."""
    with Mock("--tags", 3, "--max-count", 1, "--ties", 1, "--density",
              "fast=2m,medium=5m,slow=10m") as m, Site(m.url) as s:
        r = s.garner("harvest", "--table", "pi_timeseries", status=1)
        found = gaps(s, "--table", "pi_timeseries")
        rows = s.cat("pi_timeseries", "--bronze")
        assert {(g["webid"], g["from"]) for g in found} == \
            {(x["tag_webid"], x["timestamp"]) for x in rows}, found[:3]
        assert {g["reason"] for g in found} == {"not_fully_readable"}
        assert len(found) > 20 and r.stderr.count("cannot be read") >= 20
        n = len(found)
        s.garner("harvest", "--table", "pi_timeseries", status=None)
        assert len(gaps(s, "--table", "pi_timeseries")) == n
        assert len(gaps(s, "--table", "pi_timeseries", "--to",
                        "2026-03-01T11:30:00Z")) < n


def test_beside_a_harvest():
    """While one runs the ledger is read, and the gaps dwindle."""
    with Mock("--tags", 30, "--rate", 0.3, "--latency", "5ms") as m, Site(
            m.url, size=10, harvest="  page_items: 20\n"
            "  commit_every: 20ms\n",
            fetch="fetch: {in_flight: 2}\n") as s:
        s.garner("discover")

        def lacking():
            return sum(g["seconds"] for g in gaps(s, "--to", B))

        seen = [lacking()]
        with s.start("harvest") as p:
            while p.poll() is None:
                seen.append(lacking())
            assert p.wait() == 0
        seen.append(lacking())
        assert seen == sorted(seen, reverse=True), seen
        assert len(set(seen)) > 3 and seen[-1] == 0, seen


def test_memory_is_flat():
    """So many streams within 16 MiB of private memory."""
    if "libasan" in subprocess.run(["ldd", GARNER], capture_output=True,
                                   text=True, check=True).stdout:
        print("skipped: sanitizers need more memory for themselves")
        return
    with Mock("--tags", STREAMS) as m, Site(m.url, size=2000) as s:
        s.garner("discover")
        r = s.garner("gaps", "--json", "--table", "pi_timeseries", status=1,
                     prefix=["prlimit", "--data=16777216"])
        assert r.stdout.count("\n") == STREAMS
        r = s.garner("gaps", "--summary", "--table", "pi_timeseries",
                     status=1, prefix=["prlimit", "--data=16777216"])
        assert r.stdout.count("\n") == -(-STREAMS // 2000)


main(globals())
