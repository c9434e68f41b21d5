"""Calls that fail: EIO, ENOSPC, EDQUOT, EINTR, half a write, EMFILE, a reset
connection, at the N-th call and once, or from there on for good. garner must
never crash, end with a documented status and one line that tells why when it
could not go on, and the next run must lead to the truth.

GARNER_TEST_INJECT: how many points (default 60; make check-long 3000);
GARNER_TEST_SEED: of the choice (harness.seed).
"""

import collections
import errno
import os
import random
import time

from crash import CrashSite
from harness import Mock, check_silver, main, one_line, sanitized, seed

POINTS = int(os.environ.get("GARNER_TEST_INJECT",
                            "12" if sanitized() else "60"))
SEED = seed()
A = "2026-03-01T11:40:00Z"
WORLD = ("--tags", 12, "--density", "fast=7s,medium=20s,slow=60s")
CONF = {"size": 4, "from": A, "reread": "20m",
        "harvest": "  page_items: 60\n  target_items: 60\n"
                   "  commit_rows: 50\n"}

# error, classes of calls (crash_calls.h), may it be for good
FAULTS = [
    (errno.EIO, "wsnct", True),
    (errno.EIO, "r", True),
    (errno.EIO, "s", True),
    (errno.ENOSPC, "wsnct", True),
    (errno.EDQUOT, "wc", True),
    (errno.EINTR, "wsctr", False),
    ("short", "w", True),
    (errno.EMFILE, "crx", True),
    (errno.ENFILE, "cr", True),
    (errno.EACCES, "cn", True),
    (errno.ECONNRESET, "k", False),
    (errno.EPIPE, "k", True),
    (errno.ENOBUFS, "x", True),
]
# I/O, cannot create, the server is not reached, no memory in the kernel
STATUS = {0, 69, 73, 74}


def clock(minute):
    return "2026-03-01T12:%02d:00Z" % minute


def prepare(m, s):
    """A data directory before each command, with its calls of each class."""
    stages = []
    for minute, args in ((0, ["discover"]), (0, ["harvest"]),
                         (0, ["compact"]), (4, ["harvest", "--discover"]),
                         (4, ["compact"]), (4, ["status"]),
                         (4, ["cat", "pi_timeseries"])):
        m.set_now(clock(minute))
        name = "%02d" % len(stages)
        s.save(name)
        calls = {}
        for classes in sorted({c for _, c, _ in FAULTS}):
            s.restore(name)
            r = s.run(*args, calls=classes)
            assert r.returncode == 0, r.stderr
            calls[classes] = s.calls
        stages.append((name, args, calls))
    return stages


def judge(r, what):
    """How it ended is one of the ways that the manual tells."""
    assert r.returncode in STATUS, (what, r.returncode, r.stderr)
    if r.returncode != 0:
        line = one_line(r)
        assert len(line) < 900, (what, line)
    else:
        assert "error:" not in r.stderr, (what, r.stderr)


def test_inject():
    rng = random.Random(SEED)
    began = time.monotonic()
    ends = collections.Counter()
    tried = hit = 0
    with Mock(*WORLD, frozen=clock(0)) as m, CrashSite(m.url, **CONF) as s:
        stages = prepare(m, s)
        m.set_now(clock(4))
        while tried < POINTS:
            error, classes, good = rng.choice(FAULTS)
            name, args, calls = rng.choice(stages)
            if calls[classes] == 0:
                continue
            at = rng.randint(1, calls[classes])
            times = rng.choice([0, 1, 1, 2]) if good else 1
            s.restore(name)
            r = s.run(*args, do=error, at=at, times=times, calls=classes)
            what = "%s: %s at call %d of %s, %d times: %s" % (
                args[0], errno.errorcode.get(error, error), at, classes,
                times, s.what)
            judge(r, what)
            tried += 1
            hit += s.done > 0
            ends[r.returncode] += 1
            for name in ("harvest", "compact"):
                r = s.run(name)
                assert r.returncode == 0, (what, r.stderr)
            check_silver(m, s, A, clock(4), what=what)
    print("failing calls tried %d, met %d, recovered %d; ended with %s; "
          "%.2f s each" % (tried, hit, tried, ", ".join(
              "%d: %d" % e for e in sorted(ends.items())),
              (time.monotonic() - began) / tried), flush=True)


def test_no_way_to_write():
    """A block cannot be written, nor to a new segment: nothing of its commit
    may count, though the ledger could be written."""
    met = 0
    with Mock(*WORLD, frozen=clock(0)) as m, CrashSite(m.url, **CONF) as s:
        s.garner("discover")
        s.garner("harvest")
        m.set_now(clock(4))
        s.save("begin")
        s.run("harvest", calls="w")
        for at in range(1, s.calls + 1):
            s.restore("begin")
            r = s.run("harvest", do=errno.ENOSPC, at=at, times=2, calls="w")
            judge(r, s.what)
            if ".gj" not in s.what or r.returncode == 0:
                continue
            met += 1
            for name in ("harvest", "compact"):
                s.garner(name)
            check_silver(m, s, A, clock(4), ["pi_timeseries",
                                             "pi_event_frames"], s.what)
    assert met >= 3, met


def test_old_ledger():
    """A ledger that is older than the tables: no table is taken for one
    that has nothing new."""
    with Mock(*WORLD, frozen=clock(0)) as m, CrashSite(m.url, **CONF) as s:
        ledger = os.path.join(s.data, "ledger/data.mdb")
        s.garner("harvest")
        s.garner("compact")
        with open(ledger, "rb") as f:
            old = f.read()
        m.set_now(clock(4))
        s.garner("harvest", "--discover")
        s.garner("compact")
        with open(ledger, "wb") as f:
            f.write(old)
        # event frames that are as they were add nothing: no newer table
        for table in ("pi_timeseries", "pi_points", "pi_assetservers"):
            r = s.garner("compact", "--table", table, status=65)
            one_line(r, "the ledger knows of", "older ledger")


main(globals())
