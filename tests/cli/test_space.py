"""A full disk, on a small tmpfs and a small ext4: below the reserve nothing
more is asked; a run ends with one clear line, or waits and goes on by itself;
nothing is lost, and nothing ends by a signal.

GARNER_TEST_FILLS: how often a waiting run is stopped so (default 2).
"""

import errno
import functools
import json
import os
import subprocess
import tempfile
import threading
import time

from harness import GARNER, Mock, Site, check_silver, main, one_line
from harness import wait_for

A, B = "2026-03-01T11:00:00Z", "2026-03-01T12:00:00Z"
FILLS = int(os.environ.get("GARNER_TEST_FILLS", "2"))
MIB = 1 << 20
WORLD = ["--tags", 60, "--density", "fast=5s,medium=30s,slow=2m"]


class Small:
    """A file system of its own of so many MiB, or None when root may not
    mount here."""

    def __init__(self, kind, mib):
        self.dir = tempfile.mkdtemp(prefix="garner-small-")
        self.image = None
        if kind == "tmpfs":
            cmd = ["mount", "-t", "tmpfs", "-o", "size=%dm" % mib, "tmpfs",
                   self.dir]
        else:
            self.image = self.dir + ".img"
            with open(self.image, "wb") as f:
                f.truncate(mib * MIB)
            subprocess.run(["mkfs.ext4", "-q", "-m", "0", self.image],
                           check=False, capture_output=True)
            cmd = ["mount", "-o", "loop", self.image, self.dir]
        try:
            self.ok = subprocess.run(cmd, capture_output=True,
                                     check=False).returncode == 0
        except OSError:
            self.ok = False
        self.filler = os.path.join(self.dir, "filler")
        self.kind = kind

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        if self.ok:
            subprocess.run(["umount", self.dir], check=True)
        os.rmdir(self.dir)
        if self.image and os.path.exists(self.image):
            os.unlink(self.image)

    def left(self):
        st = os.statvfs(self.dir)
        return st.f_bavail * st.f_frsize

    def fill(self, leave=0):
        """All but so many bytes."""
        with open(self.filler, "ab") as f:
            step = MIB
            while step >= 4096:
                if self.left() - step < leave:
                    step //= 2
                    continue
                try:
                    os.posix_fallocate(f.fileno(), os.fstat(
                        f.fileno()).st_size, step)
                except OSError as e:
                    if e.errno != errno.ENOSPC:
                        raise
                    step //= 2

    def empty(self):
        os.unlink(self.filler)


def small(kind, mib=64):
    s = Small(kind, mib)
    if not s.ok:
        print("SKIPPED: cannot mount a %s here" % kind, flush=True)
    return s


def on_small_disks(test):
    """Once on each kind of disk that can be mounted here."""
    @functools.wraps(test)
    def run():
        for kind in ("tmpfs", "ext4"):
            with small(kind) as d:
                if d.ok:
                    test(d)
    return run


def site(m, d, **options):
    s = Site(m.url, **options)
    s.data = os.path.join(d.dir, "data")
    s.write(**options)
    return s


@on_small_disks
def test_a_run_ends(d):
    with Mock(*WORLD) as m, site(m, d, size=20) as s:
        s.garner("discover")
        d.fill(2 * MIB)
        asked = m.stats()["requests"]["total"]
        r = s.garner("harvest", status=74)
        one_line(r, "no space left", "reserve", d.dir)
        # its clock and no more
        assert m.stats()["requests"]["total"] <= asked + 1
        s.garner("gaps", status=1)
        # not a byte: still no signal, and what is there is read
        d.fill()
        r = s.garner("harvest", status=74)
        assert "pace" in one_line(r, "pace left"), r.stderr
        s.garner("status")
        s.garner("gaps", status=1)
        d.empty()
        s.garner("harvest")
        s.garner("compact")
        check_silver(m, s, A, B)


@on_small_disks
def test_nothing_to_begin_with(d):
    """A first run on a full disk: LMDB's lock file is no SIGBUS."""
    with Mock(*WORLD) as m, site(m, d, size=20) as s:
        d.fill()
        r = s.garner("harvest", status=None)
        assert r.returncode in (73, 74), (r.returncode, r.stderr)
        one_line(r, "pace left")
        d.empty()
        s.garner("discover")
        os.unlink(os.path.join(s.data, "ledger/lock.mdb"))
        d.fill()
        r = s.garner("status", status=74)
        one_line(r, "pace left")
        d.empty()
        s.garner("harvest")
        s.garner("compact")
        check_silver(m, s, A, B)


@on_small_disks
def test_a_run_waits(d):
    """In turn to the reserve, and to the last byte with commits under way."""
    with Mock(*WORLD, "--latency", "20ms") as m, site(
            m, d, size=20, fetch="fetch: {in_flight: 2, "
            "adaptive: false}\n", harvest="  space_wait: 60s\n"
            "  page_items: 20\n  commit_every: 20ms\n") as s:
        s.garner("discover")
        waits(m, s, d)
        s.garner("compact")
        check_silver(m, s, A, B)


class Least(threading.Thread):
    """The least space left while it runs; it looks all the time."""

    def __init__(self, d):
        super().__init__()
        self.d = d
        self.least = d.left()
        self.end = threading.Event()

    def run(self):
        while not self.end.wait(0.0005):
            self.least = min(self.least, self.d.left())

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *exc):
        self.end.set()
        self.join()


@on_small_disks
def test_a_compaction_keeps_the_reserve(d):
    """At once, and in the midst of files and of runs: it leaves nothing, and
    takes nothing of the reserve."""
    reserve = 8 * MIB
    keep = {"harvest": "  reserve: %d\n" % reserve}
    with Mock("--tags", 300) as m, site(m, d, size=300, **keep) as s:
        r = s.garner("harvest", "--json")
        values = json.loads(r.stdout)["values"]
        before = sorted(tree(s.data))
        # none; for some of the files; for some of the runs
        for leave, how in ((-2 * MIB, "{}"),
                           (11 * MIB // 4, "{file_rows: 30000}"),
                           (MIB // 5, "{memory: 1MiB}")):
            s.write("compact: %s\n" % how, size=300, **keep)
            d.fill(reserve + leave)
            left = d.left()
            with Least(d) as low:
                r = s.garner("compact", "--table", "pi_timeseries",
                             status=74)
            one_line(r, "no space left", "reserve", d.dir)
            # folders and locks are made whatever there is; what is more
            # than those are files and runs
            assert low.least >= min(reserve, left - (64 << 10)), (
                d.kind, leave, low.least, left)
            assert low.least < left - (64 << 10) or leave < 0, (
                d.kind, leave, low.least, left)
            assert sorted(tree(s.data)) == before, tree(s.data)
            d.empty()
        s.write(size=300, **keep)
        r = s.garner("compact", "--table", "pi_timeseries", "--json")
        table, = json.loads(r.stdout)["tables"]
        assert table["rows_read"] == values and \
            table["rows_total"] + table["duplicates"] == values, r
        s.garner("verify")


def tree(root):
    """Files but for locks."""
    return [os.path.join(folder, n) for folder, _, names in os.walk(root)
            for n in names if "lock" not in n]


def total(m):
    return m.stats()["requests"]["total"]


def waits(m, s, d):
    slowest = 0
    with subprocess.Popen(
            [GARNER, "-c", s.conf, "harvest"], cwd=s.dir,
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
            text=True) as p:
        for i in range(FILLS):
            before = total(m)
            wait_for(lambda: p.poll() is not None or total(m) > before + 5)
            assert p.poll() is None, "too soon at its end"
            d.fill(0 if i % 2 else 2 * MIB)
            wait_for(lambda: m.stats()["requests"]["now"] == 0)
            still = [0, time.monotonic()]

            def rests():
                n = total(m)
                if n != still[0]:
                    still[:] = [n, time.monotonic()]
                return time.monotonic() - still[1] > 0.5

            wait_for(rests)
            assert p.poll() is None, p.stderr.read()
            d.empty()
            began = time.monotonic()
            wait_for(lambda: total(m) > still[0] or p.poll() is not None)
            slowest = max(slowest, time.monotonic() - began)
        assert p.wait(60) == 0, p.stderr.read()
        err = p.stderr.read()
    assert "waiting for space" in err and "going on" in err, err
    print("%s: full %d times, goes on after %.2f s at most"
          % (d.kind, FILLS, slowest))
    assert slowest < 10, slowest


main(globals())
