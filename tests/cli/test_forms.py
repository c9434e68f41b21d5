"""In which form streams are asked for: each by itself, in sets, in batches;
the cheapest by what it has cost, whatever the server does."""

import json
import re
import time

from harness import Mock, Site, compare, main, stamp, want_rows

A, B = "2026-03-01T11:00:00Z", "2026-03-01T12:00:00Z"
TABLE = "pi_timeseries"
SPARSE = ["--density", "fast=2m,medium=5m,slow=10m", "--mix", "plain"]
WORLD = ["--tags", 60] + SPARSE
TABLES = "  tables: [pi_points, pi_timeseries]\n"


def forms(m, since=0):
    """How many requests of each form."""
    n = {"one": 0, "set": 0, "batch": 0}
    for r in m.requests()[since:]:
        path = r["target"].split("?")[0]
        if path.endswith("/batch"):
            n["batch"] += 1
        elif path.endswith("/streamsets/recorded"):
            n["set"] += 1
        elif path.endswith("/recorded"):
            n["one"] += 1
    return n


def harvest(s, status=0):
    return s.garner("harvest", "--table", TABLE, status=status)


def form(s):
    tables = json.loads(s.garner("status", "--json").stdout)["tables"]
    return [t for t in tables if t["table"] == TABLE][0]["form"]


def check(m, s, without=()):
    s.garner("compact", "--table", TABLE)
    want = [r for r in want_rows(m, TABLE, A, B)
            if r["tag_name"] not in without]
    assert len(want) > 300, len(want)
    compare(TABLE, [stamp(r) for r in s.cat(TABLE)], want)


def names(m):
    return sorted((r["name"], r["webid"]) for r in m.truth("pi_points", A, B))


def test_the_cheapest():
    """Each is the cheapest once: garner ends up with it, says so once, and
    the next run begins with it."""
    servers = {
        # a round trip costs, and what is in a batch
        "set": ["--latency", "15ms", "--batch-cost", "15ms"],
        # a round trip costs, and URLs are short: sets of two
        "batch": ["--latency", "40ms", "--url-max", 560],
        # what is asked together costs more than by itself
        "one": ["--set-cost", "60ms", "--batch-cost", "60ms"],
    }
    for best, options in servers.items():
        began = time.monotonic()
        with Mock(*WORLD, *options, log=True) as m, \
                Site(m.url, size=30, source=TABLES,
                     fetch="fetch: {in_flight: 4}\n",
                     harvest="  target_items: 150\n") as s:
            said = ""
            for runs in range(12):
                said += harvest(s).stderr
                known = form(s)
                if known["use"] == best and \
                        all(known[f]["n"] == 4 for f in servers):
                    break
            print("%s after %d runs, %.1f s: %s" % (
                known["use"], runs + 1, time.monotonic() - began, forms(m)))
            assert known["use"] == best, known
            costs = {f: known[f]["us"] for f in servers}
            assert min(costs, key=costs.get) == best, costs
            last = re.findall(r"the cheapest form of asking for \w+ is "
                              r"(\w+) now", said)
            assert (last or ["set"])[-1] == best, said
            since = len(m.requests())
            said = harvest(s).stderr
            assert "form of asking" not in said, said
            n = forms(m, since)
            assert n[best] > 0, n
            assert best == "one" or n[best] >= n["set"] + n["batch"], n
            assert best == "one" or n["one"] <= 4, n
            check(m, s)
            r = s.garner("explain", names(m)[0][0])
            assert "asked for in the form %s\n" % best in r.stdout, r.stdout


def test_no_batches():
    """A server that has none is asked once, and again after a discovery."""
    for what in ("403", "501", "html"):
        with Mock(*WORLD, "--fault", "batch:" + what, log=True) as m, \
                Site(m.url, size=20, source=TABLES,
                     fetch="fetch: {tries: 1}\n") as s:
            asked = 0
            for _ in range(2):
                asked += harvest(s).stderr.count("takes no batches")
            n = forms(m)["batch"]
            print("%s: %d batches" % (what, n))
            # a page that is no answer may be a server in trouble
            assert n == 1 and asked == 1 or what == "html" and 1 <= n <= 3
            assert form(s)["batch"]["closed"] > 1700000000
            s.garner("discover")
            harvest(s)
            assert forms(m)["batch"] > n
            check(m, s)


def test_parts_that_fail():
    """One does not exist, one is broken, some are refused for a while: each
    as it would be if it had been asked by itself."""
    with Mock(*WORLD, log=True) as m:
        gone, broken = names(m)[3], names(m)[7]
        with Site(m.url, size=20, source=TABLES + "  forms: [batch]\n",
                  fetch="fetch: {tries: 2, retry_base: 1ms, "
                  "breaker_open: 50ms}\n") as s:
            s.garner("discover")
            m.faults("streams/recorded:404:if=" + gone[1],
                     "streams/recorded:500:if=" + broken[1],
                     "streams/recorded:429:retry=0:after=9:count=7",
                     "streams/recorded:webexception:after=12:count=2",
                     "streams/recorded:errors:after=30:count=2",
                     "streams/recorded:bom:after=33:count=1",
                     "streams/recorded:html:after=36:count=1",
                     "streams/recorded:null:after=39:count=1",
                     "streams/recorded:503:after=20:every=11:count=5")
            r = harvest(s, status=1)
            assert gone[0] in r.stderr and broken[0] in r.stderr, r.stderr
            failed = json.loads(s.garner("status", "--json").stdout)
            failed = {x["stream"] for t in failed["tables"]
                      for x in t.get("set_aside", [])}
            assert failed == {gone[0], broken[0]}, failed
            n = forms(m)
            assert n["batch"] > 1 and n["set"] == 0 and n["one"] >= 3, n
            check(m, s, {gone[0], broken[0]})
            # refused for good is not asked again, what failed is
            m.faults()
            r = harvest(s, status=1)
            assert gone[0] in r.stderr and broken[0] not in r.stderr
            check(m, s, {gone[0]})


def test_too_much():
    """Batches that are more than an answer may be: smaller ones, or none."""
    options = {"size": 60, "source": TABLES + "  forms: [batch, one]\n",
               "harvest": "  target_items: 3000\n"}
    with Mock(*WORLD, log=True) as m, Site(m.url, **options) as s:
        s.garner("discover")
        s.write(fetch="fetch: {tries: 1, body_max: 8KiB}\n", **options)
        harvest(s)
        n = forms(m)
        print(n)
        assert n["batch"] > 0 and n["set"] == 0, n
        assert form(s)["most"] < 50, form(s)
        check(m, s)


def test_only_what_may_be():
    for only in ("one", "set", "batch"):
        with Mock(*WORLD, log=True) as m, \
                Site(m.url, source=TABLES + "  forms: [%s]\n" % only) as s:
            harvest(s)
            harvest(s)
            n = forms(m)
            print("%s: %s" % (only, n))
            assert n[only] > 0
            assert only == "set" or n["set"] == 0, n
            assert only == "batch" or n["batch"] == 0, n
            assert only == "one" or n["one"] < 60, n
            check(m, s)
    with Site("http://127.0.0.1:1", source="  forms: [set, sets]\n") as s:
        r = s.garner("harvest", status=78)
        assert "source.forms: `sets`" in r.stderr, r.stderr


main(globals())
