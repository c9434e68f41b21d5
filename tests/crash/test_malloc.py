"""Memory that is not to be had: the N-th allocation fails, once or from
there on for good, in two whole scenarios. garner ends with the status for it
or copes, with one line, and never crashes; the next run leads to the truth.

GARNER_TEST_MALLOC: how many points (default 80; make check-long 4000);
GARNER_TEST_SEED: of the choice (harness.seed).
"""

import collections
import os
import random
import subprocess
import sys
import time

from crash import MALLOC, CrashSite, preload
from harness import Mock, check_silver, main, sanitized, seed

POINTS = int(os.environ.get("GARNER_TEST_MALLOC", "80"))
SEED = seed()
A = "2026-03-01T11:50:00Z"
WORLD = ("--tags", 12, "--density", "fast=7s,medium=20s,slow=60s")
# What libcurl forgets for want of memory must time out soon.
FETCH = "fetch:\n  retry_base: 10ms\n  breaker_open: 100ms\n" \
    "  give_up: 3s\n  timeout: 1s\n  connect_timeout: 1s\n"
# 71: out of memory; 69: the server could not be asked for want of it
STATUS = {0, 69, 71}


def clock(minute):
    return "2026-03-01T12:%02d:00Z" % minute


def run(s, args, at=0, times=1):
    """garner with its allocation `at` failing."""
    env = preload(MALLOC, CRASH_STATE=s.state, CRASH_AT=at, CRASH_FOR=times)
    try:
        return s.run(*args, env=env, timeout=30)
    except subprocess.TimeoutExpired:
        return subprocess.CompletedProcess(args, 124, "", "no end")


def prepare(m, s):
    stages = []
    for minute, args in ((0, ["harvest"]), (0, ["compact"]),
                         (4, ["harvest"]), (4, ["compact"])):
        m.set_now(clock(minute))
        name = "%02d" % len(stages)
        s.save(name)
        r = run(s, args)
        assert r.returncode == 0, r.stderr
        stages.append((name, args, s.calls))
    return stages


def judge(r, what):
    """What is wrong with how it ended."""
    errors = [x for x in r.stderr.splitlines() if "error:" in x]
    if r.returncode in STATUS and len(errors) == (r.returncode != 0):
        return []
    return ["%s: status %d: %s" % (what, r.returncode, r.stderr.strip())]


def test_malloc():
    rng = random.Random(SEED)
    began = time.monotonic()
    ends = collections.Counter()
    bad = []
    with Mock(*WORLD, frozen=clock(0)) as m, \
            CrashSite(m.url, size=4, fetch=FETCH, **{"from": A}) as s:
        stages = prepare(m, s)
        m.set_now(clock(4))
        for _ in range(POINTS):
            name, args, calls = rng.choice(stages)
            # as many in the first steps as in all of the rest
            at = rng.randint(1, rng.choice([1000, calls]))
            times = rng.choice([0, 1])
            s.restore(name)
            r = run(s, args, at, times)
            what = "%s: allocation %d of %d%s" % (
                args[0], at, calls, "" if times else " and all others")
            bad += judge(r, what)
            ends[r.returncode] += 1
            for again in ("harvest", "compact"):
                r = s.run(again)
                assert r.returncode == 0, (what, r.stderr)
            check_silver(m, s, A, clock(4), what=what)
    print("failing allocations tried %d of %d, recovered %d; ended with %s; "
          "%.2f s each" % (POINTS, sum(n for _, _, n in stages), POINTS,
                           ", ".join("%d: %d" % e
                                     for e in sorted(ends.items())),
                           (time.monotonic() - began) / POINTS), flush=True)
    assert not bad, "\n".join(bad)


if sanitized():
    print("sanitizers have an allocator of their own")
    sys.exit(77)
main(globals())
