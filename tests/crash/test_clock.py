"""A wall clock that is wrong, jumps while garner runs, or stands still. No
coverage moves back and nothing is read twice for it, what was read last wins
(event frames that were open and are closed now), no window is negative, and
silver is the truth.
"""

import json
import urllib.parse

from crash import CLOCK, CrashSite, preload
from harness import Mock, check_silver, main

A = "2026-03-01T11:40:00Z"
WORLD = ("--tags", 12, "--density", "fast=7s,medium=20s,slow=60s",
         "--frame-every", "3m")
HOUR, YEAR = 3600, 365 * 86400
# of one run after the other; crash_clock.c tells how to read them
CLOCKS = ["0", HOUR, -HOUR, "%d,%d,8" % (HOUR, -HOUR), 10 * YEAR, "0",
          -10 * YEAR, "still", "%d,%d,8" % (-10 * YEAR, 10 * YEAR),
          "%d,%d,8" % (10 * YEAR, -10 * YEAR), "0,-1,8", -HOUR]


def clock(minute):
    return "2026-03-01T12:%02d:00Z" % minute


def run(s, wrong, *args):
    """Counts of a run by a wrong clock."""
    r = s.garner(*args, env=preload(CLOCK, CRASH_CLOCK=wrong))
    assert "error:" not in r.stderr and "warn:" not in r.stderr, (
        wrong, r.stderr)
    return r


def check_windows(m):
    """No request is for a range that ends before it begins."""
    n = 0
    for r in m.requests():
        query = urllib.parse.parse_qs(r["target"].partition("?")[2])
        if "startTime" in query and "endTime" in query:
            assert query["startTime"][0] < query["endTime"][0], r["target"]
            n += 1
    assert n > len(CLOCKS), n


def test_clock():
    conf = {"from": A, "reread": "0s", "size": 4}
    with Mock(*WORLD, frozen=clock(0), log=True) as m, \
            CrashSite(m.url, **conf) as s:
        for i, wrong in enumerate(CLOCKS):
            m.set_now(clock(4 * i))
            run(s, wrong, "harvest")
            again = run(s, CLOCKS[i - 1], "harvest", "--json")
            assert json.loads(again.stdout)["values"] == 0, (
                wrong, again.stdout)
            run(s, wrong, "compact")
            check_silver(m, s, A, clock(4 * i), what="clock %s" % wrong)
        check_windows(m)
    print("%d clocks" % len(CLOCKS), flush=True)


main(globals())
