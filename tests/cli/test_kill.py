"""kill -9 at random moments over harvest and compact, each followed by a
plain rerun: in the end silver is what an undisturbed run gives, the truth.

GARNER_TEST_KILLS: how many (default 200); GARNER_TEST_SEED: of the moments.
"""

import os
import random
import signal
import time

from harness import Mock, Site, check_silver, compare, main, TABLES

KILLS = int(os.environ.get("GARNER_TEST_KILLS", "200"))
SEED = int(os.environ.get("GARNER_TEST_SEED", str(int(time.time()))))
A = "2026-03-01T10:00:00Z"


def clock(minute):
    return "2026-03-01T%02d:%02d:00Z" % (11 + minute // 60, minute % 60)


def disturb(site, rng, mean, *args):
    """Start, kill after a random share of the usual time, run again."""
    p = site.start(*args)
    time.sleep(rng.random() * mean[args[0]] * 1.2)
    killed = p.poll() is None
    p.send_signal(signal.SIGKILL)
    p.wait()
    began = time.monotonic()
    site.garner(*args)
    mean[args[0]] = 0.8 * mean[args[0]] + 0.2 * (time.monotonic() - began)
    return killed


def test_kill_anywhere():
    print("seed %d" % SEED, flush=True)
    rng = random.Random(SEED)
    mean = {"harvest": 0.3, "compact": 0.3}
    tried = landed = 0
    with Mock("--tags", 120, frozen=clock(0)) as m, \
            Site(m.url, size=40, **{"from": A}) as s, \
            Site(m.url, size=40, **{"from": A}) as calm:
        minute = 0
        while tried < KILLS:
            minute += 3
            m.set_now(clock(minute % 700))
            for command in ("harvest", "compact"):
                landed += disturb(s, rng, mean, command)
                tried += 1
        end = clock(minute % 700)
        n = check_silver(m, s, A, end)
        calm.garner("harvest")
        calm.garner("compact")
        for t in TABLES:
            compare(t, s.cat(t), calm.cat(t), "disturbed against calm")
        left = os.listdir(os.path.join(s.data, "tmp")) \
            if os.path.isdir(os.path.join(s.data, "tmp")) else []
        assert left == [], left
    print("kill points tried %d, struck while running %d, recovered %d; "
          "%d rows equal" % (tried, landed, tried, n), flush=True)
    assert landed >= KILLS // 3, landed


main(globals())
