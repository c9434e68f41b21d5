"""kill -9 at the N-th call that changes a file or speaks to the server:
afterwards plain runs of the same commands lead to the truth, every time.

The sweep starts from prepared data directories and goes through the calls of
each command in equal steps, with a second kill in the restart now and then,
and a third. The life goes on and on in one data directory, with late events,
killed at random. The same is done by strace for a few points, which sees
more calls than the library that is preloaded.

GARNER_TEST_KILLS: how many points about (default 180; make check-long 2200);
GARNER_TEST_SEED: of the random ones (harness.seed).
"""

import os
import random
import shutil
import signal
import subprocess
import time

from crash import CrashSite
from harness import (Mock, TABLES, compare, main, seed, stamp,
                     want_rows)

KILLS = int(os.environ.get("GARNER_TEST_KILLS", "180"))
SEED = seed()
A = "2026-03-01T11:30:00Z"
WORLD = ("--tags", 12, "--density", "fast=7s,medium=20s,slow=60s",
         "--late", "0.1", "--late-max", "4m")
# Many pages and commits for few values.
CONF = {"size": 4, "from": A, "reread": "20m",
        "harvest": "  page_items: 60\n  target_items: 60\n"
                   "  commit_rows: 50\n"}
STRACE_SET = "write,pwrite64,writev,fsync,fdatasync,openat,rename,link," \
    "unlink,ftruncate,mkdir,sendto,msync"


def clock(minute):
    return "2026-03-01T%02d:%02d:00Z" % (12 + minute // 60, minute % 60)


class Count:
    tried = struck = recovered = deep = 0

    def line(self, what, began):
        print("%s: kill points tried %d (struck %d, of them %d in a restart)"
              ", recovered %d; %.2f s each" % (
                  what, self.tried, self.struck, self.deep, self.recovered,
                  (time.monotonic() - began) / max(self.tried, 1)),
              flush=True)
        assert self.recovered == self.tried


class Truth:
    """What silver must hold, asked for once for each moment."""

    def __init__(self, mock):
        self.mock = mock
        self.known = {}

    def check(self, site, minute, what):
        end = clock(minute)
        if end not in self.known:
            self.known = {end: {t: want_rows(self.mock, t, A, end)
                                for t in TABLES}}
        for t in TABLES:
            compare(t, [stamp(r) for r in site.cat(t)], self.known[end][t],
                    what)


def strike(site, count, rng, args, at, depth):
    """Killed at call `at`, and the restart perhaps as well; what was hit."""
    path = []
    while True:
        r = site.run(*args, do=rng.choice(["kill", "kill", "torn"]), at=at)
        count.tried += 1
        if not site.done:
            assert r.returncode == 0, (r.returncode, r.stderr, path)
            return path
        assert r.returncode == -signal.SIGKILL, (r.returncode, r.stderr)
        count.struck += 1
        count.deep += len(path) > 0
        path.append("%s %d: %s" % (args[0], at, site.what))
        if len(path) > depth:
            return path
        # recovery is the beginning of the next run
        at = rng.randint(1, 40)


def test_sweep():
    """Each command from a state made for it, killed at every k-th call."""
    began = time.monotonic()
    rng = random.Random(SEED)
    count = Count()
    with Mock(*WORLD, frozen=clock(0)) as m, CrashSite(m.url, **CONF) as s:
        truth = Truth(m)
        stages = prepare(m, s)
        step = max(1, sum(n for _, _, n, _ in stages) * 8 // (KILLS * 3))
        for name, args, calls, minute in stages:
            m.set_now(clock(minute))
            for at in range(1 + rng.randrange(step), calls + 1, step):
                s.restore(name)
                before = count.tried
                path = strike(s, count, rng, args, at, at // step % 3)
                finish(s, path, truth, minute)
                count.recovered += count.tried - before
        count.line("sweep, %d calls in steps of %d" % (
            sum(n for _, _, n, _ in stages), step), began)


def prepare(m, s):
    """Data directories to begin from: name, command, its calls, minute."""
    stages = []

    def stage(minute, *args, killed=False):
        m.set_now(clock(minute))
        name = "%02d" % len(stages)
        s.save(name)
        r = s.run(*args)
        assert r.returncode == 0, r.stderr
        stages.append((name, args, s.calls, minute))
        if killed:      # the next begins with what this leaves
            at = s.calls * 2 // 3
            s.restore(name)
            s.run(*args, do="torn", at=at)
            assert s.done

    stage(0, "discover")
    stage(0, "harvest")
    stage(0, "compact")
    stage(5, "harvest", killed=True)
    stage(5, "harvest")
    stage(5, "compact", killed=True)
    stage(5, "compact")
    stage(9, "harvest", "--discover")
    stage(9, "compact")
    return stages


def finish(s, path, truth, minute):
    """Plain runs, and then the truth."""
    for args in (("harvest",), ("compact",)):
        r = s.run(*args)
        assert r.returncode == 0, (path, r.stderr)
    tmp = os.path.join(s.data, "tmp")
    assert not os.path.isdir(tmp) or os.listdir(tmp) == [], path
    assert sorted(os.listdir(os.path.join(s.data, "ledger"))) == [
        "data.mdb", "lock.mdb"], path
    truth.check(s, minute, " <- ".join(path))


def test_first_ledger():
    """LMDB's first pages, half written, would be no ledger for ever."""
    with Mock(*WORLD, frozen=clock(0)) as m, CrashSite(m.url, **CONF) as s:
        torn = 0
        for at in range(1, 9):
            s.restore("nothing")
            s.run("discover", do="torn", at=at, calls="w")
            torn += "data.mdb" in s.what
            s.garner("discover")
        assert torn >= 2, torn


def test_life():
    """On and on in one data directory; late events come in between."""
    began = time.monotonic()
    rng = random.Random(SEED)
    count = Count()
    while count.tried < KILLS // 4:
        with Mock("--seed", rng.randint(1, 1000), *WORLD,
                  frozen=clock(0)) as m, CrashSite(m.url, **CONF) as s:
            one_life(m, s, rng, count)
    count.line("life", began)


def one_life(m, s, rng, count):
    before = count.tried
    usual = {"discover": 120, "harvest": 150, "compact": 350}
    path = []
    for minute in range(0, 45, 3):
        m.set_now(clock(minute))
        for name in ["harvest"] + rng.sample(["compact", "discover"], 1):
            path += strike(s, count, rng, (name,),
                           rng.randint(1, usual[name] * 11 // 10),
                           rng.choice([0, 0, 1, 2]))
            r = s.run(name)
            assert r.returncode == 0, (path[-5:], r.stderr)
            usual[name] = s.calls
    finish(s, path[-5:], Truth(m), 42)
    count.recovered += count.tried - before


def can_trace():
    if shutil.which("strace") is None:
        return False
    r = subprocess.run(["strace", "-o", "/dev/null", "true"],
                       capture_output=True)
    return r.returncode == 0


def test_strace():
    """The same from outside: is there a call that the library misses?"""
    if not can_trace():
        print("strace cannot trace here: left out")
        return
    began = time.monotonic()
    rng = random.Random(SEED)
    count = Count()
    with Mock(*WORLD, frozen=clock(0)) as m, CrashSite(m.url, **CONF) as s:
        truth = Truth(m)
        stages = prepare(m, s)
        for name, args, calls, minute in rng.choices(stages, k=KILLS // 15):
            m.set_now(clock(minute))
            s.restore(name)
            env = s.orders()
            env["ASAN_OPTIONS"] += ":detect_leaks=0"
            at = rng.randint(1, calls)
            r = s.run(*args, env=env, prefix=(
                "strace", "-f", "-qq", "-o", "/dev/null", "-e",
                "inject=%s:signal=KILL:when=%d" % (STRACE_SET, at)))
            count.tried += 1
            # a shell would say 137
            count.struck += r.returncode in (-signal.SIGKILL, 137)
            finish(s, ["strace %s %d" % (args[0], at)], truth, minute)
            count.recovered += 1
        count.line("strace", began)


main(globals())
