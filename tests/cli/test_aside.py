"""Streams that the server refuses: named with the reason by each run, asked
again only when there is cause to, and none of the others goes without."""

import json
import os

from harness import (GETS, Mock, Site, check_silver, compare, last_of_ties,
                     main, stamp)

A, B = "2026-03-01T11:00:00Z", "2026-03-01T12:00:00Z"
QUICK = ("fetch: {tries: 2, retry_base: 1ms, retry_cap: 10ms, timeout: 300ms, "
         "breaker_open: 10ms, breaker_open_max: 50ms, give_up: 300ms}\n")


def points(m, *numbers):
    rows = m.truth("pi_points", A, B)
    return [rows[i] for i in numbers]


def warned(r):
    """Streams named in warnings, with what is said of each."""
    lines = [x for x in r.stderr.splitlines() if "garner: warn: harvest" in x]
    return {x.split(": ")[4]: x for x in lines if "pi_timeseries" in x}


def asked(m, since, webid):
    return [r for r in m.requests()[since:]
            if "recorded" in r["target"] and webid in r["target"]]


def check_others(m, s, without):
    names = {p["name"] for p in without}
    want = [r for r in last_of_ties(m.truth("pi_timeseries", A, B))
            if r["tag_name"] not in names]
    got = [stamp(r) for r in s.cat("pi_timeseries")]
    assert want
    compare("pi_timeseries", got, want, "the others")


def test_refused_for_good():
    """404, 409, 410, 501, 403: named by each run, asked once."""
    with Mock("--tags", 40, log=True) as m, \
            Site(m.url, source=GETS, fetch=QUICK) as s:
        kinds = ("404", "409", "410", "501", "403")
        bad = points(m, 3, 11, 17, 22, 38)
        m.faults(*["recorded:%s:if=%s" % (k, p["webid"])
                   for k, p in zip(kinds, bad)])
        for run in range(3):
            since = len(m.requests())
            found = warned(s.garner("harvest", status=1))
            assert set(found) == {p["name"] for p in bad}, found
            for k, p in zip(kinds, bad):
                assert k in found[p["name"]], (k, found)
                again = asked(m, since, p["webid"])
                assert bool(again) == (run == 0), (run, k, again)
        s.garner("compact")
        check_others(m, s, bad)
        # a ledger says so too
        r = json.loads(s.garner("status", "--json").stdout)
        assert all(p["name"] in json.dumps(r) for p in bad), r

        # discovery finds the objects: they are asked again, in vain
        since = len(m.requests())
        found = warned(s.garner("harvest", "--discover", status=1))
        assert set(found) == {p["name"] for p in bad}, found
        assert all(asked(m, since, p["webid"]) for p in bad)

        m.faults()
        found = warned(s.garner("harvest", status=1))
        assert set(found) == {p["name"] for p in bad}, found
        assert not warned(s.garner("harvest", "--retry-failed"))
        s.garner("harvest")
        s.garner("compact")
        check_silver(m, s, A, B)


def test_passing_trouble():
    """Time-outs, 5xx, answers that make no sense, and refusals that are not
    PI Web API's own: the next run asks again."""
    for spec in ("500", "504", "stall", "html", "half", "304"):
        with Mock("--tags", 12) as m, Site(m.url, fetch=QUICK) as s:
            (bad,) = points(m, 5)
            s.garner("discover")
            m.faults("recorded:%s:if=%s" % (spec, bad["webid"]))
            r = s.garner("harvest", status=None)
            assert r.returncode in (1, 69), (spec, r.stderr)
            m.faults()
            s.garner("harvest")
            s.garner("compact")
            check_silver(m, s, A, B, what=spec)


def test_500_for_good():
    """Streams that are answered by 500 are named, also when they are all that
    is left to ask; a server that answers all so is down."""
    with Mock("--tags", 30, log=True) as m, \
            Site(m.url, fetch=QUICK.replace("give_up: 300ms", "give_up: 30s"),
                 size=10, reread="0s") as s:
        bad = points(m, *range(10, 23))
        names = {p["name"] for p in bad}
        faults = ["recorded:500:if=%s" % p["webid"] for p in bad]
        s.garner("discover")
        m.faults(*faults)
        assert set(warned(s.garner("harvest", status=1))) == names
        s.garner("compact")
        check_others(m, s, bad)
        # nothing else is wanted now
        since = len(m.requests())
        assert set(warned(s.garner("harvest", status=1))) == names
        sent = [r for r in m.requests()[since:] if "recorded" in r["target"]]
        assert len(sent) < 150, len(sent)
        good = [r for r in sent if r["status"] == 200]
        assert 1 <= len(good) < 5, good

        m.faults("recorded:500")
        s.write(fetch=QUICK, size=10, reread="0s")
        m.set_now("2026-03-01T12:10:00Z")
        s.garner("harvest", status=69)
        m.faults()
        s.garner("harvest")
        s.garner("compact")
        check_silver(m, s, A, "2026-03-01T12:10:00Z", ["pi_timeseries"])


def test_many():
    """A site that closed its doors: a few names and a number."""
    with Mock("--tags", 60) as m, Site(m.url, fetch=QUICK) as s:
        s.garner("discover")
        m.faults("recorded:410")
        for _ in range(2):
            r = s.garner("harvest", status=1)
            lines = [x for x in r.stderr.splitlines() if " warn: " in x]
            assert len(lines) == 21, r.stderr
            assert "and 40 more" in lines[-1], lines[-1]
            assert "60 streams are set aside" in r.stdout, r.stdout
        m.faults()
        s.garner("harvest", "--retry-failed")
        s.garner("compact")
        check_silver(m, s, A, B)


main(globals())
