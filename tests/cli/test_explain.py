"""garner explain: the life of one stream, from the ledger's and the Delta
log's own figures, held against what the mock did."""

import json

from harness import (Mock, Site, compare, last_of_ties, main, one_line,
                     stamp)

A = "2026-03-01T11:00:00"
WORLD = ["--tags", 30, "--density", "fast=20s,medium=1m,slow=5m"]
HASTY = ("fetch: {tries: 2, retry_base: 10ms, retry_cap: 50ms, "
         "breaker_failures: 0, retry_share: 10}\n")


def explain(site, stream):
    return json.loads(site.garner("explain", "--json", stream).stdout)


def ranges(x):
    return [(r["from"][:19], r["to"][:19]) for r in x]


def test_a_good_life():
    with Mock(*WORLD) as m, Site(m.url, size=10) as s:
        one_line(s.garner("explain", "x", status=66), "ledger")
        s.garner("discover")
        points = s.cat("pi_points", "--bronze")
        p = points[13]
        e = explain(s, p["webid"])
        assert (e["state"], e["values"], e["covered"], e["asked"]) == \
            ("never_read", 0, [], None), e
        assert e["missing"][0]["reason"] == "never_read"
        s.garner("harvest")
        e = explain(s, p["name"])
        truth = [r for r in m.truth("pi_timeseries", A + "Z",
                                    "2026-03-01T12:00:00Z")
                 if r["tag_webid"] == p["webid"]]
        assert e["state"] == "complete" and e["values"] == len(truth), e
        assert e["last_event"] == max(r["timestamp"] for r in truth), e
        assert ranges(e["covered"]) == [(A, "2026-03-01T12:00:00")], e
        assert ranges(e["next"])[0][0] == "2026-03-01T11:55:00", e
        assert (e["id"], e["group"], e["gone"]) == (14, 2, False), e
        assert e["journal"].endswith("/bronze/pi/pi_timeseries/group-2")
        assert e["silver"] == [] and e["compacted"] is False, e
        s.garner("compact")
        e = explain(s, p["name"].lower())
        assert [d["date"] for d in e["silver"]] == ["2026-03-01"], e
        assert e["compacted"] is True
        text = s.garner("explain", p["name"]).stdout
        for word in (p["webid"], "group 2", "date=2026-03-01", "next run"):
            assert word in text, (word, text)


def test_why_late():
    with Mock(*WORLD) as m, Site(m.url, size=10, fetch=HASTY) as s:
        s.garner("harvest", "--from", "2026-03-01T11:30:00Z")
        points = s.cat("pi_points", "--bronze")
        names = [p["name"] for p in points]
        e = explain(s, names[0])
        assert e["state"] == "backfill", e
        s.garner("harvest")
        m.set_now("2026-03-01T12:30:00Z")
        m.faults("recorded:410:if=%s" % points[4]["webid"],
                 "recorded:500:if=%s" % points[12]["webid"])
        s.garner("harvest", status=1)
        e = explain(s, names[4])
        assert (e["state"], e["error"], e["next"]) == \
            ("set_aside", "gone", []), e
        assert e["why"] in e["text"] and "410" in e["why"], e
        for fails in (1, 2):
            e = explain(s, names[12])
            assert (e["state"], e["error"], e["fails"]) == \
                ("failed", "server error", fails), e
            assert "500" in e["why"] and e["failed_at"] > "2026"
            # with the tail of what was read before
            assert ranges(e["next"])[0][0] == "2026-03-01T11:55:00", e
            s.garner("harvest", status=1)
        m.faults()
        s.garner("harvest", "--retry-failed")
        e = explain(s, names[12])
        assert (e["state"], e["fails"]) == ("complete", 0), e
        assert "error" not in e
        m.set_now("2026-03-01T13:00:00Z")
        s.garner("harvest", "--group", "1", "--table", "pi_timeseries")
        assert explain(s, names[12])["state"] == "behind"
        # the same, but for the last ten points, which are not there
        with Mock("--tags", 20, *WORLD[2:]) as less:
            s.url = less.url
            s.write(size=10)
            s.garner("discover")
            e = explain(s, names[25])
            assert (e["state"], e["gone"], e["next"]) == \
                ("gone", True, []), e


def test_renamed_or_made_again():
    """A renamed point keeps its stream; one that was deleted and made again
    under its name is another, and both are found."""
    at, b = "2026-03-01T12:10:00Z", "2026-03-01T12:30:00Z"
    with Mock(*WORLD, "--renames", "0.3", "--renames-at", at, "--recreates",
              "0.3", "--recreates-at", at) as m, \
            Site(m.url, size=10) as s:
        s.garner("harvest")
        s.garner("compact")
        old = s.cat("pi_points")
        kept = s.cat("pi_timeseries")
        m.set_now(b)
        s.garner("discover")
        s.garner("harvest", "--table", "pi_timeseries")
        s.garner("compact")
        new = {p["webid"]: p for p in s.cat("pi_points")}
        truth = last_of_ties(m.truth("pi_timeseries", A + "Z", b))
        rows = [stamp(r) for r in s.cat("pi_timeseries")]
        renamed = again = 0
        for p in old:
            held = [r for r in rows if r["tag_webid"] == p["webid"]]
            if p["webid"] not in new:
                again += 1
                # What was read of it is still there; it is not asked.
                assert len(held) == len(
                    [r for r in kept if r["tag_webid"] == p["webid"]]) > 0
                e = explain(s, p["webid"])
                assert (e["state"], e["gone"], e["next"]) == \
                    ("gone", True, []), e
                if p["name"] not in {q["name"] for q in new.values()}:
                    assert e["same_name"] == [], e    # renamed as well
                    continue
                other, = e["same_name"]
                assert not other["gone"] and other["webid"] in e["text"], e
                e = explain(s, p["name"])
                assert (e["webid"], e["state"]) == \
                    (other["webid"], "complete"), e
                assert e["values"] == len(
                    [r for r in m.truth("pi_timeseries", A + "Z", b)
                     if r["tag_webid"] == other["webid"]]) > 0, e
                assert [(o["webid"], o["gone"]) for o in e["same_name"]] == \
                    [(p["webid"], True)], e
                assert p["webid"] in s.garner("explain", p["name"]).stdout
                continue
            q = new[p["webid"]]
            if q["name"] == p["name"]:
                continue
            renamed += 1
            one_line(s.garner("explain", p["name"], status=66))
            e = explain(s, q["name"])
            assert (e["webid"], e["state"]) == (p["webid"], "complete"), e
            assert ranges(e["covered"]) == [(A, b[:-1])], e
            want = [r for r in truth if r["tag_webid"] == p["webid"]]
            for r in held + want:
                r["tag_name"] = ""
            compare("pi_timeseries", held, want)
        assert renamed > 3 and again > 3, (renamed, again)


def test_which():
    with Mock(*WORLD) as m, Site(m.url) as s:
        s.garner("harvest")
        names = [p["name"] for p in s.cat("pi_points", "--bronze")]
        one_line(s.garner("explain", "no-such", status=66), "no-such")
        line = one_line(s.garner("explain", "*", status=64), names[0])
        assert "32 streams" in line, line
        only = [n for n in names if n.endswith("000003")]
        assert len(only) == 1
        assert explain(s, "*000003")["stream"] == only[0]
        is_open = 0
        for base in s.cat("pi_assetdatabases", "--bronze"):
            e = explain(s, base["name"])
            assert (e["table"], e["group"]) == ("pi_event_frames", 0), e
            assert (e["open"] > 0) == (e["open_since"] is not None), e
            is_open += e["open"]
        rows = s.cat("pi_event_frames", "--bronze")
        assert 0 < is_open == sum(not r["end_time"] for r in rows), is_open


main(globals())
