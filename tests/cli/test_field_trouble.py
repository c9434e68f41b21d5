"""What goes wrong in the field when people read PI: each entry of the list of
field trouble, and the test that shows that it does not go wrong here.

  1  silent loss at maxCount      test_main_job: test_page_sizes,
                                  test_server_caps, test_tiny_server_pages,
                                  test_both_readings_of_max_count
  2  loss or repeats at seams     tests/harvest/test_harvest_sim (random ties,
                                  pages, cuts), tests/sched/test_sched
  3  ties at one time             test_main_job: test_ties_all;
                                  test_more_ties_than_a_page here
  4  filtering before counting    test_main_job: test_page_sizes (system
                                  states in all pages); nothing is filtered
  5  values that change type      test_main_job: test_silver_equals_truth;
                                  tests/source: test_values
  6  flags lost or invented       the same, and test_flags here
  7  errors inside a 200          test_faults; tests/harvest
  8  batch misuse                 test_only_reads here: none is sent
  9  CSRF header                  test_proxy, test_access (the mock refuses
                                  POSTs without); test_only_reads
 10  URL too long                 test_long_urls, test_long_segment here
 11  match by position            tests/source: test_set, test_entries;
                                  tests/harvest (other order, Full WebIDs,
                                  left out, twice, nobody's)
 12  one bad tag fails the lot    test_aside; test_disturbed; tests/harvest
 13  endless retry on time-out    test_slow_stream here
 14  server overloaded by us      test_pace, test_budget; tests/fetch sim;
                                  test_only_reads (no cache is refreshed)
 15  dead connections             tests/fetch/test_fetch_curl; test_faults
                                  (reset:reused, stall); test_load
 16  Kerberos, who am I           test_access: test_negotiate_...;
                                  test_errors: test_401 (asked once)
 17  time zones and formats       test_zones here; tests/base/test_ticks
 18  late, edited, deleted        test_main_job: test_late_events_in_the_tail;
                                  test_reread; tests/harvest (late, edits,
                                  deletes, all read again); test_verify
 19  the last value vanishes      tests/harvest (deletes, read again in the
                                  tail); `append` keeps what was once read
 20  empty decades                test_empty_decades here; test_windows
 21  hidden defaults of metadata  test_only_reads; test_main_job:
                                  test_silver_equals_truth (hidden levels,
                                  long frames)
 22  interpolated as history      test_only_reads
 23  channels, stream updates     not there yet
 24  crash on nothing             test_nothing here; tests/harvest (no Items)
 25  wrong URL, wrong version     test_wrong_base here; test_errors:
                                  test_wrong_url, test_html_instead_of_json
"""

import os
import re
from urllib.parse import parse_qs, urlsplit

from harness import (GETS, Mock, Site, TABLES, check_silver, compare, last_of_ties,
                     main, one_line, stamp)

A, B = "2026-03-01T11:00:00Z", "2026-03-01T12:00:00Z"
WORLD = ["--tags", 12, "--density", "fast=20s,medium=1m,slow=5m"]
FEW = ("fetch: {tries: 2, retry_base: 1ms, retry_cap: 10ms, timeout: 300ms, "
       "low_speed: 1s, breaker_open: 10ms, breaker_open_max: 50ms, "
       "give_up: 300ms}\n")


def test_more_ties_than_a_page():
    """3: more events at one time than the server gives at once are reported
    with stream and time, the rest is there, and it ends."""
    with Mock("--tags", 6, "--ties", 12, "--max-count", 2, *WORLD[2:],
              log=True) as m, Site(m.url, size=3) as s:
        r = s.garner("harvest", status=1)
        told = set(re.findall(r"pi_timeseries: (\S+): more events at (\S+) ",
                              r.stderr))
        times = {}
        for row in m.truth("pi_timeseries", A, B):
            k = (row["tag_name"], row["timestamp"])
            times[k] = times.get(k, 0) + 1
        many = {k for k, n in times.items() if n >= 2}
        assert many and told == many, (told ^ many)
        assert len(m.requests()) < 6 * len(times), len(times)
        s.garner("compact")
        got = {(r["tag_name"], stamp(r)["timestamp"])
               for r in s.cat("pi_timeseries")}
        assert got == set(times)


def test_flags():
    """6: all four are asked for, and are those of the server, each."""
    with Mock(*WORLD, log=True) as m, Site(m.url) as s:
        s.garner("harvest")
        s.garner("compact")
        flags = ("good", "questionable", "substituted", "annotated")
        for r in m.requests():
            if "recorded" in r["target"]:
                fields = parse_qs(urlsplit(r["target"]).query)[
                    "selectedFields"][0].lower()
                assert all(f in fields for f in flags), r
        want = last_of_ties(m.truth("pi_timeseries", A, B))
        got = [stamp(r) for r in s.cat("pi_timeseries")]
        compare("pi_timeseries", got, want)
        # the world has more than one value of each but the last
        for f in flags[:3]:
            assert len({r[f] for r in want}) > 1, f


# What must stand in the query of each list: its default would hide rows.
STATED = {
    "points": {"maxCount", "startIndex"},
    "elements": {"searchFullHierarchy", "maxCount", "startIndex"},
    "eventframes": {"searchMode", "searchFullHierarchy", "startTime",
                    "endTime", "maxCount", "startIndex"},
    "recorded": {"boundaryType", "startTime", "endTime", "maxCount"},
}


def test_only_reads():
    """8, 9, 14, 21, 22: GETs of recorded values and lists; nothing is made
    up by the server, no default is relied upon, no cache is refreshed."""
    with Mock(*WORLD, log=True) as m, Site(m.url, source=GETS) as s:
        s.garner("harvest")
        asked = m.requests()
        assert len(asked) > 8
        for r in asked:
            assert r["method"] == "GET" and r["status"] == 200, r
            assert not re.search("interpolated|plot|summary|batch|no-cache",
                                 r["target"]), r
            last = urlsplit(r["target"]).path.split("/")[-1]
            query = parse_qs(urlsplit(r["target"]).query)
            assert STATED.get(last, set()) <= set(query), r
            assert query.get("boundaryType", ["Inside"]) == ["Inside"], r
            if last == "points":
                assert int(query["maxCount"][0]) <= 1000, r
        seen = {urlsplit(r["target"]).path.split("/")[-1] for r in asked}
        assert set(STATED) <= seen, seen


def test_long_urls():
    """10: longer than the server takes: shortened until it does."""
    with Mock("--tags", 900, "--density", "fast=5m,medium=5m,slow=5m",
              log=True) as m:
        with Site(m.url, size=900, harvest="  url_max: 60000\n",
                  source=GETS, fetch=FEW) as s:
            s.garner("harvest")
            s.garner("compact")
            check_silver(m, s, A, B, tables=["pi_timeseries"])
            asked = m.requests()
            refused = [r for r in asked if r["status"] != 200]
            # learnt, not tried again and again
            assert 0 < len(refused) < 12, len(refused)
            assert all(r["status"] == 400 for r in refused), refused
            assert max(len(r["target"]) for r in asked) > 4000


def test_long_segment():
    """10: WebIDs in the path are short, whatever the server calls them."""
    with Mock(*WORLD, log=True) as m, Site(m.url) as s:
        s.garner("harvest")
        for r in m.requests():
            for part in urlsplit(r["target"]).path.split("/"):
                assert len(part) <= 80, r


def test_slow_stream():
    """13: one stream that is never answered in time is asked less and less
    of, then set aside; the others are complete."""
    with Mock(*WORLD) as m:
        slow = sorted(r["webid"] for r in m.truth("pi_points", A, B))[5]
    with Mock(*WORLD, "--fault", "recorded:stall:if=" + slow,
              log=True) as m, Site(m.url, fetch=FEW) as s:
        r = s.garner("harvest", status=1, timeout=60)
        names = {p["webid"]: p["name"] for p in m.truth("pi_points", A, B)}
        warned = re.findall(r"pi_timeseries: (\S+): ", r.stderr)
        assert warned == [names[slow]], r.stderr
        asked = [x for x in m.requests() if slow in x["target"]]
        assert len(asked) < 100, len(asked)
        s.garner("compact")
        compare("pi_timeseries", [stamp(x) for x in s.cat("pi_timeseries")],
                [x for x in last_of_ties(m.truth("pi_timeseries", A, B))
                 if x["tag_webid"] != slow])


def test_zones():
    """17: seven digits and Z are sent; the zone of this machine is nothing
    to anybody, and a time without a zone is UTC."""
    stamp7 = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{7}Z$")
    with Mock(*WORLD, log=True) as m:
        rows = []
        for zone, start in (("America/St_Johns", "2026-03-01 11:15"),
                            ("Asia/Kathmandu", "2026-03-01T12:15:00+01:00"),
                            ("UTC", "2026-03-01T11:15:00Z")):
            with Site(m.url) as s:
                env = dict(os.environ, TZ=zone)
                s.garner("harvest", "--from", start, env=env)
                s.garner("compact", env=env)
                rows.append([stamp(r) for r in s.cat("pi_timeseries")])
                compare("pi_timeseries", rows[-1], last_of_ties(
                    m.truth("pi_timeseries", "2026-03-01T11:15:00Z", B)))
        for r in m.requests():
            query = parse_qs(urlsplit(r["target"]).query)
            for name in ("startTime", "endTime"):
                for value in query.get(name, []):
                    assert stamp7.match(value), r


def test_empty_decades():
    """20: fifty years in which there was nothing cost a few requests."""
    with Mock(*WORLD, "--start", A, log=True) as m, \
            Site(m.url, **{"from": "1976-01-01"}) as s:
        s.garner("harvest", "--table", "pi_timeseries")
        s.garner("compact", "--table", "pi_timeseries")
        check_silver(m, s, "1976-01-01T00:00:00Z", B,
                     tables=["pi_timeseries"])
        n = len([r for r in m.requests() if "recorded" in r["target"]])
        print("  %d requests" % n)
        assert n < 100, n


def test_nothing():
    """24: no points, points without values, ranges without events."""
    with Mock(*WORLD, "--start", "2026-03-01T11:59:00Z") as m:
        with Site(m.url, source="  streams: NOSUCH*\n") as s:
            s.garner("harvest")
            s.garner("compact")
            assert s.cat("pi_points") == []
        with Site(m.url) as s:
            s.garner("harvest", "--to", "2026-03-01T11:30:00Z")
            s.garner("compact")
            r = s.garner("cat", "pi_timeseries", status=None)
            assert r.stdout == "" and r.returncode in (0, 66), r
            s.garner("harvest")
            s.garner("compact")
            check_silver(m, s, A, B)


def test_wrong_base():
    """25: the base is found when it was left out; what answers is named."""
    with Mock(*WORLD) as m:
        with Site(m.url.replace("/piwebapi", "")) as s:
            out = s.garner("check").stdout
            assert re.search("product +PI Web API", out), out
            s.garner("harvest", "--table", "pi_timeseries")
        with Site(m.url.replace("/piwebapi", "/pi")) as s:
            r = s.garner("check", status=78)
            one_line(r, "404", "source.url")
    with Mock(*WORLD, "--fault", "*:html") as m, Site(m.url, fetch=FEW) as s:
        r = s.garner("check", status=None)
        assert r.returncode != 0
        one_line(r, "HTML")


main(globals())
