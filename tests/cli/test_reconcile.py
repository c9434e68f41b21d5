"""verify --source: what is covered, held against the server by reading it
once more. The oracle is the difference of the mock's truth and our rows."""

import json

from harness import KEYS, OURS, Mock, Site, main, one_line

A, B = "2026-03-01T11:00:00Z", "2026-03-01T12:00:00Z"
WORLD = ["--tags", 40, "--density", "fast=5s,medium=30s,slow=2m"]


def source(site, *args, status=0):
    r = site.garner("verify", "--source", "--json", *args, status=status)
    lines = [json.loads(x) for x in r.stdout.splitlines()]
    assert lines[-1]["kind"] == "summary", lines
    return lines[:-1], lines[-1]


def test_equal():
    with Mock(*WORLD, log=True) as m, Site(m.url, size=15) as s:
        s.garner("harvest")
        n = len(m.requests())
        found, end = source(s)
        assert found == [] and end["windows"] >= 40, (found, end)
        # up to the re-read tail, all events of the truth, ties included
        truth = m.truth("pi_timeseries", A, "2026-03-01T11:55:00Z")
        assert end["events"] == len(truth), (end, len(truth))
        asked = [r for r in m.requests()[n:] if "recorded" in r["target"]]
        # streams of one time in one request
        assert 0 < len(asked) < end["windows"] / 4, (len(asked), end)
        assert all("/streamsets/" in r["target"] for r in asked), asked[:3]
        assert not any("endTime=2026-03-01T12" in r["target"] for r in asked)
        # parts: together they are all of it; a share is a share
        parts = [source(s, "--sample", "%d/3" % i)[1]["windows"]
                 for i in (1, 2, 3)]
        assert sum(parts) == end["windows"], (parts, end)
        assert source(s, "--sample", "20%")[1]["windows"] < end["windows"]
        assert "equal" in s.garner("verify", "--source").stdout
        # read again, and in smaller pages: the same
        s.garner("harvest", "--from", A)
        assert source(s)[1]["events"] == len(truth)


def test_small_answers():
    """Cut answers, and a cap that is learnt: each event counts once."""
    with Mock(*WORLD, "--max-count", 37) as m, Site(m.url, size=15) as s:
        s.garner("harvest")
        found, end = source(s)
        truth = m.truth("pi_timeseries", A, "2026-03-01T11:55:00Z")
        assert found == [] and end["events"] == len(truth), (found, end)
        assert end["windows"] > 60, end


def test_sets_that_fail():
    """What sets do not bring, or may have cut, is asked one by one; so is all
    when the server has no sets. No window is told wrong."""
    with Mock(*WORLD, log=True) as m, Site(m.url, size=15) as s:
        s.garner("harvest")
        truth = len(m.truth("pi_timeseries", A, "2026-03-01T11:55:00Z"))
        first = s.cat("pi_points", "--bronze")[3]["webid"]
        for fault, single in (("streamsets/recorded:missing", 1),
                              ("streamsets/recorded:errors", 1),
                              ("streamsets/recorded:webexception", 1),
                              ("streamsets/recorded:cut", 40),
                              ("streamsets/recorded:html", 40),
                              ("streamsets/recorded:414", 40),
                              ("streamsets/recorded:404:if=" + first, 1),
                              ("streamsets/recorded:500", 40)):
            m.faults(fault)
            n = len(m.requests())
            found, end = source(s)
            assert found == [] and end["events"] == truth, (fault, found)
            alone = [r for r in m.requests()[n:]
                     if "/streams/" in r["target"]]
            assert single <= len(alone) <= 40, (fault, len(alone))


def test_small_sets():
    """A count that is meant for the whole set, a cap, a short URL."""
    for options in (["--set-count", "total", "--max-count", 3000],
                    ["--max-count", 2000], ["--url-max", 700]):
        with Mock(*WORLD, *options) as m, Site(m.url, size=15) as s:
            s.garner("harvest", "--table", "pi_points,pi_timeseries")
            found, end = source(s, "--table", "pi_timeseries")
            truth = m.truth("pi_timeseries", A, "2026-03-01T11:55:00Z")
            assert found == [] and end["events"] == len(truth), (
                options, found, end)


def test_late_values_beyond_the_tail():
    """Events that came after their windows were left alone are named: the
    stream, the window, and how many."""
    with Mock(*WORLD, "--late", "0.02") as m, \
            Site(m.url, size=15, reread="1m") as s:
        s.garner("harvest")
        m.set_now("2026-03-01T15:00:00Z")
        s.garner("harvest")
        ours = {(r["tag_webid"], r["timestamp"], r["ordinal"])
                for r in s.cat("pi_timeseries", "--bronze")}
        theirs = {(r["tag_webid"], r["timestamp"], r["ordinal"])
                  for r in m.truth("pi_timeseries", A,
                                   "2026-03-01T14:59:00Z")}
        missing = theirs - ours
        assert len(missing) > 3, "nothing was late"
        found, end = source(s, status=1)
        assert {f["webid"] for f in found} >= {k[0] for k in missing}
        for f in found:
            inside = [k for k in missing if k[0] == f["webid"]
                      and f["from"] <= k[1] < f["to"]]
            surplus = [k for k in ours - theirs if k[0] == f["webid"]
                       and f["from"] <= k[1] < f["to"]]
            assert inside or surplus, f
            assert f["theirs"] - f["ours"] == len(inside) - len(surplus), f
        assert end["differing"] == len(found) > 0
        text = s.garner("verify", "--source", status=1).stdout
        assert "DIFFERENT" in text and found[0]["stream"] in text
        # what the report names is read again, and then it is equal
        s.write(size=15, reread="5h")
        s.garner("harvest")
        s.write(size=15, reread="1m")
        left, end = source(s, status=None)
        assert all(f["kind"] != "source.missing" for f in left), left[:3]


def test_objects():
    """What walks saw against the walks of today: each object that is gone, or
    is not as it was, is named, and no other; one that is new is news."""
    walks = ["pi_dataservers", "pi_points", "pi_assetservers",
             "pi_assetdatabases", "pi_af_hierarchy"]

    def truth(m):
        return {(t, r[KEYS[t][0]]): {k: v for k, v in r.items()
                                     if k not in OURS}
                for t in walks for r in m.truth(t, A, B)}

    with Mock(*WORLD, "--page-limit", 1000) as m, Site(m.url, size=15) as s:
        assert source(s)[1]["objects"] == 0    # nothing was walked yet
        s.garner("discover")
        was = truth(m)
        found, end = source(s)
        assert found == [] and end["objects"] == len(was), (found, end)
        assert source(s, "--sample", "1/2")[1]["objects"] == 0
        for tags in (43, 37):
            with Mock("--tags", tags, *WORLD[2:]) as other:
                now = truth(other)
                s.url = other.url
                s.write(size=15)
                changed = [k for k in was if was[k] != now.get(k)]
                found, end = source(s, status=1 if changed else 0)
                text = s.garner("verify", "--source", status=None).stdout
                brief = s.garner("-q", "verify", "--source",
                                 status=None).stdout
            got = {(f["table"], f["webid"]): f["kind"] for f in found}
            want = {k: "source.new" for k in now if k not in was}
            new = len(want)
            want.update((k, "source.surplus") for k in was if k not in now)
            want.update((k, "source.content") for k in was
                        if k in now and was[k] != now[k])
            assert got == want and len(found) == len(got), (
                set(got.items()) ^ set(want.items()))
            assert {"source.new" if tags > 40 else "source.surplus"} <= \
                set(got.values()), got
            assert {f["severity"] for f in found
                    if f["kind"] == "source.new"} <= {"note"}, found
            assert end["differing"] == len(changed) and end["new"] == new
            assert ("%d are newer than the last walk" % new in text) == \
                (new > 0), text
            assert text.count("note  source.new") == new, text
            assert "source.new" not in brief, brief
        s.url = m.url
        s.write(size=15)
        # a list that cannot be had: told, and nothing judged by it
        m.faults("points:403")
        found, end = source(s, status=1)
        assert [(f["kind"], f["table"]) for f in found] == [
            ("source.failed", "pi_points")], found
        text = s.garner("verify", "--source", status=1).stdout
        assert "error source.failed pi_points" in text, text
        m.faults()
        s.garner("discover")
        assert source(s)[0] == []


def test_frames():
    """Frames that began in what is covered, before the re-read tail: one that
    is missing and one with other content are named, but for those that were
    open; one that is gone is a note."""
    a, to, table = "2026-02-20T00:00:00Z", "2026-03-01T11:30", \
        "pi_event_frames"
    key = KEYS[table]
    options = {"from": a, "harvest": "  reread_frames: 30m\n"}

    def truth(m):
        return {tuple(r[k] for k in key): {
            k: v for k, v in r.items() if k not in OURS}
                for r in m.truth(table, a, B) if a <= r[key[1]] < to}

    def held(s, *args, status=0):
        return source(s, "--table", table, *args, status=status)

    with Mock("--tags", 4) as m, Site(m.url, **options) as s:
        assert held(s)[1]["frames"] == 0
        s.garner("harvest", "--table", table)
        was = truth(m)
        found, end = held(s)
        assert found == [] and end["frames"] == len(was) > 100, (found, end)
        parts = [held(s, "--sample", "%d/3" % i)[1]["frames"]
                 for i in (1, 2, 3)]
        assert sum(parts) == len(was) and max(parts) < len(was), parts
        for option, kinds in (
                (["--frame-every", "70m"], {"source.missing", "source.gone"}),
                (["--frame-longest", "9d"], {"source.content"})):
            with Mock("--tags", 4, *option) as other:
                now = truth(other)
                s.url = other.url
                s.write(**options)
                found, end = held(s, status=1)
                text = s.garner("verify", "--source", "--table", table,
                                status=1).stdout
            want = {k: "source.missing" for k in now if k not in was}
            want.update((k, "source.gone") for k in was if k not in now)
            want.update((k, "source.content") for k in was
                        if k in now and was[k] != now[k]
                        and was[k]["end_time"])
            got = {(f["webid"], f["from"]): f["kind"] for f in found}
            assert got == want and len(found) == len(got), (
                set(got.items()) ^ set(want.items()))
            assert kinds <= set(got.values()), (kinds, set(got.values()))
            gone = sum(k == "source.gone" for k in want.values())
            assert (end["gone"], end["differing"]) == (
                gone, len(want) - gone), end
            assert {f["severity"] for f in found
                    if f["kind"] == "source.gone"} <= {"note"}, found
            assert "DIFFERENT" in text and "%d %s gone from the server" % (
                gone, "is" if gone == 1 else "are") in text, text[-300:]
        s.url = m.url
        s.write(**options)
        # those that were open are closed by and by
        still = [k for k in was if was[k]["end_time"] is None]
        m.set_now("2026-03-05T12:00:00Z")
        assert still and held(s)[0] == [], still
        # once that is read, it is the newest that counts
        s.garner("harvest", "--table", table)
        assert held(s)[0] == []
        m.set_now(B)
        found = held(s, status=1)[0]
        assert {(f["webid"], f["from"]): f["kind"] for f in found} == {
            k: "source.content" for k in still}, (found, still)
        # a list that cannot be had: told, and nothing judged by it
        m.faults("eventframes:403")
        found, end = held(s, status=1)
        assert {(f["kind"], f["table"]) for f in found} == {
            ("source.failed", table)} and end["gone"] == 0, found


def test_other_content():
    with Mock(*WORLD) as m, Site(m.url, size=15) as s:
        s.garner("harvest")
        with Mock(*WORLD, "--seed", 2) as other:
            s.url = other.url
            s.write(size=15)
            found, end = source(s, status=1)
            assert len(found) >= 40 and end["differing"] + end["failed"] \
                + end["new"] == len(found), (len(found), end)


def test_what_cannot_be_read():
    with Mock(*WORLD) as m, Site(m.url, size=15) as s:
        s.garner("harvest")
        one = s.cat("pi_points", "--bronze")[7]
        m.faults("recorded:410:if=%s" % one["webid"])
        found, end = source(s, status=1)
        assert found and {(f["kind"], f["stream"]) for f in found} == \
            {("source.failed", one["name"])}, found
        m.faults("*:401")
        one_line(s.garner("verify", "--source", status=77), "401")


main(globals())
