"""Which windows are asked for, in which order: from the server's log."""

from urllib.parse import parse_qs, urlsplit

from harness import Mock, Site, check_silver, main

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
            Site(m.url, size=10, fetch=ONE,
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


def test_cap_is_remembered():
    """The server gives fewer items a call than we ask for: told once, not
    once a run; a discovery tries again what it may be asked for."""
    with Mock("--tags", 20, "--max-count", 700, log=True) as m, \
            Site(m.url) as s:
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
