"""Which windows are asked for, in which order: from the server's log."""

from urllib.parse import parse_qs, urlsplit

from harness import GETS, Mock, Site, check_silver, main

A, B = "2026-03-01T11:00:00Z", "2026-03-01T12:00:00Z"
ONE = "fetch: {in_flight: 1}\n"


def windows(m, since=0):
    """(startTime, endTime, WebIDs) of each request for values, in order."""
    out = []
    for r in m.requests()[since:]:
        u = urlsplit(r["target"])
        if u.path.endswith("/recorded"):
            q = parse_qs(u.query)
            out.append((q["startTime"][0], q["endTime"][0],
                        q.get("webId", [u.path.split("/")[-2]])))
    return out


def test_newest_first_in_all_groups():
    """Three groups wait with all they have, one of them with backfill only:
    no window is asked for before a newer one of another group."""
    with Mock("--tags", 30, "--density", "fast=5s,medium=20s,slow=1m",
              "--mix", "plain", log=True) as m, \
            Site(m.url, size=10, source=GETS, fetch=ONE,
                 harvest="  target_items: 200\n") as s:
        # the densities become known, and group 1 has what is live
        s.garner("harvest", "--from", "2026-03-01T11:50:00Z", "--group", "1")
        s.garner("harvest", "--from", "2026-03-01T11:30:00Z",
                 "--to", "2026-03-01T11:40:00Z")
        since = len(m.requests())
        s.garner("harvest", "--from", A)
        asked = windows(m, since)
        ends = [b for _, b, _ in asked]
        assert len(ends) > 10, ends
        assert ends == sorted(ends, reverse=True), ends
        assert len(set(ends)) > 5, ends
        s.garner("compact")
        check_silver(m, s, A, B)


def test_frames_beside_series():
    """Event frames do not wait for the series of a long run, nor the series
    for them."""
    with Mock("--tags", 20, "--frame-every", "1m", log=True) as m, \
            Site(m.url, fetch=ONE, harvest="  target_items: 50\n"
                 "  page_items: 50\n  window_max: 2m\n") as s:
        s.garner("discover")
        since = len(m.requests())
        s.garner("harvest")
        kinds = ["f" if "/eventframes" in r["target"] else "s"
                 for r in m.requests()[since:]
                 if "/eventframes" in r["target"] or "/recorded" in r["target"]]
        frames = [i for i, k in enumerate(kinds) if k == "f"]
        assert len(frames) > 20 and len(kinds) > 5 * len(frames) / 2, (
            len(frames), len(kinds))
        assert frames[0] < 4, frames
        # about one in four until there are no more of them
        assert 3 * len(frames) < frames[-1] < 5 * len(frames), frames
        s.garner("compact")
        check_silver(m, s, A, B)


def firsts(m, since=0):
    return [r for r in m.requests()[since:]
            if "/streamsets/recordedattime" in r["target"]]


def refused_for_all(m, s):
    """A server that has no such request is asked a few times, by one run, and
    again after a discovery."""
    found = []
    for group in ("1", "2", "3"):
        since = len(m.requests())
        s.garner("harvest", "--table", "pi_timeseries", "--group", group)
        found.append(len(firsts(m, since)))
        if group == "2":
            s.garner("discover")
    assert 1 < found[0] < 40 and found[1] == 0 and found[2] > 1, found


def test_empty_decades():
    """Eight years wanted, two weeks there: the years cost no requests; what
    has no beginning that is told is read all the same."""
    start, end = "2026-02-15T00:00:00Z", "2026-03-01T12:00:00Z"
    world = ["--tags", 60, "--start", start, "--density",
             "fast=10m,medium=40m,slow=2h"]
    for fault in ((), ("recordedattime:404:count=1",),
                  ("recordedattime:501",)):
        with Mock(*world, log=True) as m, \
                Site(m.url, size=20, source=GETS,
                     **{"from": "2018-01-01T00:00:00Z"},
                     fetch="fetch: {tries: 2, retry_base: 1ms}\n") as s:
            s.garner("discover")
            m.faults(*fault)
            if fault == ("recordedattime:501",):
                refused_for_all(m, s)
            s.garner("harvest", "--table", "pi_timeseries")
            m.faults()
            asked = windows(m)
            print("%d requests, faults: %s" % (len(asked), fault))
            assert firsts(m), "the beginnings were not asked for"
            if not fault or fault[0].endswith("404:count=1"):
                # what was in flight when the answers came
                assert len(asked) < 60, len(asked)
                assert sum(a < "2025" for a, _, _ in asked) < 10, asked
            s.garner("compact")
            check_silver(m, s, start, end, ["pi_timeseries"], str(fault))
            # all of it is covered, and asked for once
            s.garner("gaps", "--table", "pi_timeseries")
            since = len(m.requests())
            s.garner("harvest", "--table", "pi_timeseries")
            assert not firsts(m, since)
            assert min(a for a, _, _ in windows(m, since)) > "2026-03-01T11"


def test_beginnings_of_short_ranges_are_not_asked():
    with Mock("--tags", 20, log=True) as m, \
            Site(m.url, source=GETS) as s:
        s.garner("harvest")
        assert not firsts(m)


def test_cap_is_remembered():
    """The server gives fewer items a call than we ask for: told once, not
    once a run; a discovery tries again what it may be asked for."""
    with Mock("--tags", 20, "--max-count", 700, log=True) as m, \
            Site(m.url, source=GETS) as s:
        def refused(*args):
            since = len(m.requests())
            s.garner("harvest", *args)
            asked = m.requests()[since:]
            assert any("recorded" in r["target"] for r in asked)
            return sum(r["status"] == 400 for r in asked)

        assert refused() > 0
        assert refused() == 0
        m.set_now("2026-03-01T13:00:00Z")
        assert refused() == 0
        assert refused("--discover") > 0
        assert refused() == 0
        s.garner("compact")
        check_silver(m, s, A, "2026-03-01T13:00:00Z")


main(globals())
