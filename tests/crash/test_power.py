"""Power losses: what garner does to its data directory is recorded, with
runs that are killed among it; then the disk is put together as it may be
found after a power loss at each moment, by the thousand, and looked at
(power.c). Some syncs fail among it: what they were to keep is lost. From a few of these states plain runs go all the way to the truth.

GARNER_TEST_POWER: how many states (default 10000; make check-long 200000);
GARNER_TEST_SEED: of the choice (harness.seed).
"""

import errno
import os
import random
import shutil
import subprocess
import time

from crash import CrashSite
from harness import BUILD, Mock, check_silver, main, sanitized, seed

STATES = int(os.environ.get("GARNER_TEST_POWER",
                            "1000" if sanitized() else "10000"))
SEED = seed()
POWER = os.path.join(BUILD, "tests/crash/power")
A = "2026-03-01T11:40:00Z"
WORLD = ("--tags", 12, "--density", "fast=7s,medium=20s,slow=60s")
CONF = {"size": 4, "from": A, "reread": "20m",
        "harvest": "  page_items: 60\n  target_items: 60\n"
                   "  commit_rows: 50\n"}


def clock(minute):
    return "2026-03-01T12:%02d:00Z" % minute


# calls, the last of them to be struck, and how
STRIKES = [("n", 5, "after"), ("s", 12, "kill"), ("n", 30, "after"),
           ("wcnst", 120, "torn"), ("s", 40, errno.EIO)]


def record(m, s, rng, how):
    """A first run that is killed again and again, mostly when something was
    done and is about to be synced; then two that end. How: "named", the very
    first kill strikes when the ledger has just got its name; "struck"; or
    "calm", nobody kills."""
    s.record = os.path.join(s.dir, "record")
    kills = 0

    def struck(name, do, at, calls):
        s.run(name, do=do, at=at, calls=calls, CRASH_RECORD=s.record)
        return s.done

    at = 0
    while how == "named" and s.what != "link /ledger/data.mdb":
        at += 1
        for path in (s.data, s.record):
            subprocess.run(["rm", "-rf", path], check=True)
        kills = struck("discover", "after", at, "n")
        assert kills, "the ledger has no name"
    for minute in (0, 4, 8):
        m.set_now(clock(minute))
        for name in ("discover", "harvest", "compact"):
            for i in range(0 if how == "calm" else
                           15 if minute == 0 else 2):
                calls, most, do = STRIKES[(i - minute) % len(STRIKES)]
                done = struck(name, do, rng.randint(1, most), calls)
                kills += done
                if not done and i > 8:
                    break
            r = s.run(name, CRASH_RECORD=s.record)
            assert r.returncode == 0, r.stderr
    return kills


def power(s, states, *only):
    dir = os.path.join(s.dir, "state")
    shutil.rmtree(dir, ignore_errors=True)
    r = subprocess.run([POWER, s.record, dir, str(states), str(SEED)]
                       + [str(x) for x in only],
                       capture_output=True, text=True)
    if r.returncode != 0:
        kept = "/tmp/garner-power-record"
        shutil.copy(s.record, kept)
        raise AssertionError("%s\n%s\nrecord kept: %s" % (
            r.stdout, r.stderr, kept))
    return dir, r.stdout.strip()


def one_record(rng, how, states):
    with Mock(*WORLD, frozen=clock(0)) as m, CrashSite(m.url, **CONF) as s:
        kills = record(m, s, rng, how)
        began = time.monotonic()
        _, line = power(s, states)
        print("%s; %d strikes among it; %.1f ms each" % (
            line, kills, (time.monotonic() - began) * 1000 / states),
            flush=True)
        whole_way(m, s, rng)


def test_power():
    one_record(random.Random(SEED), "named", STATES // 5 * 2)


def test_power_again():
    one_record(random.Random(SEED + 1), "struck", STATES // 5 * 2)


def test_power_alone():
    one_record(random.Random(SEED + 2), "calm", STATES // 5)


def whole_way(m, s, rng):
    """Silver of plain runs on states picked at random is the truth."""
    states = 200
    for _ in range(max(3, STATES // 2000)):
        n = rng.randint(1, states)
        dir, _ = power(s, states, n)
        shutil.rmtree(s.data)
        os.rename(dir, s.data)
        for name in ("harvest", "compact"):
            r = s.run(name)
            assert r.returncode == 0, ("state %d" % n, r.stderr)
        check_silver(m, s, A, clock(8), what="state %d" % n)


main(globals())
