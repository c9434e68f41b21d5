"""Stopping: SIGTERM makes durable what was answered, in at most ten seconds
whatever hangs; a second one ends the run at once; a second instance is
refused at once, and names the first. After each the next run ends with what
the server's truth says.

GARNER_TEST_STOPS: how many random moments (default 6; make check-long 200).
"""

import contextlib
import os
import pty
import random
import shlex
import shutil
import signal
import subprocess
import tempfile
import threading
import time

from harness import (GARNER, GETS, TABLES, Mock, Site, check_silver, main,
                     one_line, timed)
from harness import sanitized, seed, wait_for

A, B = "2026-03-01T11:00:00Z", "2026-03-01T12:00:00Z"
MANY = ("fetch: {in_flight: 4000, adaptive: false, tries: 2, "
        "retry_base: 10ms, breaker_failures: 0}\n")
STOPS = int(os.environ.get("GARNER_TEST_STOPS", "6"))
OPEN = int(os.environ.get("GARNER_TEST_OPEN", "2000"))
WORLD = ["--tags", 60, "--density", "fast=20s,medium=1m,slow=5m"]

# Syncs last as long as the file $HANG is there.
HANG_C = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <unistd.h>
static int held(const char *name, int fd)
{
	int (*real)(int) = (int (*)(int))dlsym(RTLD_NEXT, name);
	const char *file = getenv("HANG");
	while (file != NULL && access(file, F_OK) == 0)
		usleep(5000);
	return (real(fd));
}
int fsync(int fd) { return (held("fsync", fd)); }
int fdatasync(int fd) { return (held("fdatasync", fd)); }
"""


class Hang:
    """Syncs of programs started with .env hang between on() and off()."""

    def __enter__(self):
        self.dir = tempfile.mkdtemp(prefix="garner-hang-")
        src = os.path.join(self.dir, "hang.c")
        lib = os.path.join(self.dir, "hang.so")
        with open(src, "w", encoding="ascii") as f:
            f.write(HANG_C)
        cc = shlex.split(os.environ.get("CC", "cc"))
        subprocess.run(cc + ["-shared", "-fPIC", "-o", lib, src, "-ldl"],
                       check=True)
        self.file = os.path.join(self.dir, "hang")
        self.env = dict(os.environ, LD_PRELOAD=lib, HANG=self.file)
        asan = os.environ.get("ASAN_OPTIONS", "")
        self.env["ASAN_OPTIONS"] = asan + ":verify_asan_link_order=0"
        return self

    def __exit__(self, *exc):
        shutil.rmtree(self.dir, ignore_errors=True)

    def on(self):
        open(self.file, "w", encoding="ascii").close()

    def off(self):
        os.unlink(self.file)


class Run:
    """A garner at work, and how it ended."""

    def __init__(self, site, *args, env=None):
        self.p = subprocess.Popen(
            [GARNER, "-c", site.conf] + list(args), cwd=site.dir, env=env,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def end(self, signo, most_s):
        """Send it, and wait: seconds it took, status, messages."""
        began = time.monotonic()
        self.p.send_signal(signo)
        out, err = self.p.communicate(timeout=60)
        took = time.monotonic() - began
        assert took <= most_s, (took, err)
        return took, self.p.returncode, err


def whole(m, s, tables=TABLES):
    s.garner("harvest")
    assert s.garner("gaps", "--json").stdout == ""
    s.garner("compact")
    check_silver(m, s, A, B, tables=tables)


def in_flight(m, n):
    wait_for(lambda: m.stats()["requests"]["now"] >= n)


@timed
def test_thousands_in_flight():
    """A server that answers no more, with so many requests open."""
    tags = OPEN + 400
    with Mock("--tags", tags, "--rate", "0.05") as m, Site(
            m.url, size=500, source=GETS, fetch=MANY,
            harvest="  url_max: 200\n  memory: 1GiB\n") as s:
        s.garner("discover")
        m.faults("recorded:stall:after=300")
        r = Run(s, "harvest")
        in_flight(m, OPEN)
        took, status, err = r.end(signal.SIGTERM, 5)
        assert status == 143 and "error" not in err, (status, err)
        print("drained in %.3f s" % took)
        # what was answered before is covered
        sums = s.garner("gaps", "--json", "--table", "pi_timeseries",
                        status=1).stdout
        have = tags - sums.count("never_read")
        assert 250 <= have <= 300, have
        m.faults()
        whole(m, s, ["pi_timeseries"])


@timed
def test_second_signal():
    """At once, with thousands open and a commit that hangs."""
    with Hang() as h, Mock("--tags", 1500, "--rate", "0.05") as m, Site(
            m.url, size=500, source=GETS, fetch=MANY,
            harvest="  url_max: 200\n  memory: 1GiB\n") as s:
        s.garner("discover")
        m.faults("recorded:stall:after=300")
        r = Run(s, "harvest", env=h.env)
        wait_for(lambda: m.stats()["requests"]["now"] >= 100)
        h.on()
        in_flight(m, 1000)
        m.faults("recorded:stall:ms=200")
        r.p.send_signal(signal.SIGTERM)
        for line in r.p.stderr:
            if "stopping" in line:
                break
        took, status, err = r.end(signal.SIGINT, 0.5)
        assert status == 130, (status, err)
        print("stopped at once in %.3f s" % took)
        h.off()
        m.faults()
        whole(m, s)


@timed
def test_hung_worker_and_hung_loop():
    """Ten seconds, though a sync never returns: on a worker, and (without
    workers) on the loop itself. Both side by side."""
    ended = {}

    def one(h, workers):
        with Mock(*WORLD) as m, Site(
                m.url, harvest="  workers: %d\n" % workers) as s:
            s.garner("discover")
            m.faults("recorded:slow:200")
            r = Run(s, "harvest", "--table", "pi_timeseries", env=h.env)
            in_flight(m, 1)
            h.on()
            wait_for(lambda: m.stats()["requests"]["now"] == 0)
            ended[workers] = r.end(signal.SIGTERM, 11)
            h.off()
            m.faults()
            whole(m, s)

    with Hang() as h0, Hang() as h1:
        threads = [threading.Thread(target=one, args=a)
                   for a in ((h0, 0), (h1, 1))]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
    for workers in (0, 1):
        took, status, err = ended[workers]
        assert status == 143 and 9 <= took <= 10.5, ended
    assert "not done in time" in ended[1][2], ended


@timed
def test_random_moments():
    """What a stop in the midst of work costs: how long it takes, and what is
    asked once more. A stream is one request, all in flight are answered at
    any time; lost of the answers is at most what was under way."""
    flying, tags = 32, 400
    rng = random.Random(seed())
    with Mock("--tags", tags, "--density", "fast=20s,medium=1m,slow=5m",
              "--latency", "4ms", log=True) as m, Site(
                  m.url, size=100, source=GETS,
                  fetch="fetch: {in_flight: %d, adaptive: "
                  "false}\n" % flying, harvest="  url_max: 200\n") as s:
        s.garner("discover")
        shutil.copytree(s.data, s.data + ".new")
        took, again, part = [], [], []
        for i in range(STOPS):
            shutil.rmtree(s.data)
            shutil.copytree(s.data + ".new", s.data)
            first = len(m.requests())
            begun = m.stats()["requests"]["total"]
            ends_at = begun + rng.randrange(1, tags)
            r = Run(s, "harvest", "--table", "pi_timeseries")
            wait_for(lambda: r.p.poll() is not None or
                     m.stats()["requests"]["total"] >= ends_at)
            seconds, status, err = r.end(signal.SIGTERM, 10)
            assert status in (0, 143) and "error" not in err, (status, err)
            answered = sum(q["status"] == 200 and "recorded" in q["target"]
                           for q in m.requests()[first:])
            left = s.garner("gaps", "--json", "--table", "pi_timeseries",
                            status=None).stdout.count("never_read")
            if status == 0:        # it was at its end
                assert left == 0, left
                continue
            took.append(seconds)
            part.append((tags - left) / tags)
            again.append(answered - (tags - left))
            assert 0 <= again[-1] <= flying, (again, answered, left)
        whole(m, s, ["pi_timeseries"])
    assert len(took) > STOPS / 2, took
    took.sort()
    print("%d stops, %.0f to %.0f %% done: %.3f s in the middle, 99 of 100 "
          "within %.3f s; %.1f answers asked again, %d at most, of %d in "
          "flight" % (len(took), 100 * min(part), 100 * max(part),
                      took[len(took) // 2], took[len(took) * 99 // 100],
                      sum(again) / len(again), max(again), flying))
    assert sanitized() or took[len(took) * 99 // 100] <= 5, took


@timed
def test_slow_commit_is_waited_for():
    """A sync that takes a second is waited for: what was answered stays."""
    with Hang() as h, Mock(*WORLD) as m, Site(
            m.url, source=GETS, fetch=MANY, harvest="  url_max: 200\n") as s:
        s.garner("discover")
        m.faults("recorded:slow:200", "recorded:stall:after=20")
        r = Run(s, "harvest", "--table", "pi_timeseries", env=h.env)
        in_flight(m, 1)
        h.on()
        wait_for(lambda: m.stats()["requests"]["now"] == 40)
        threading.Timer(1, h.off).start()
        took, status, err = r.end(signal.SIGTERM, 3)
        assert status == 143 and "not done" not in err, (status, err)
        left = s.garner("gaps", "--json", "--table", "pi_timeseries",
                        status=1).stdout.count("never_read")
        assert left == 40, left
        m.faults()
        whole(m, s)


@timed
def test_discovery_and_clock():
    """Nothing of a walk that was not finished counts; nothing is noted of a
    clock that was not told."""
    for fault, command in (("status:stall", "harvest"),
                           ("status:stall", "check"),
                           ("elements:stall:after=1", "discover"),
                           ("points:stall", "harvest"),
                           ("eventframes:stall", "harvest")):
        with Mock(*WORLD, "--fault", fault) as m, Site(m.url) as s:
            r = Run(s, command)
            in_flight(m, 1)
            took, status, err = r.end(signal.SIGTERM, 2)
            assert status == 143 and "error" not in err, (fault, status, err)
            m.faults()
            whole(m, s)


@timed
def test_compaction():
    """Cancelled: the table stays as it was, nothing is left behind; a hung
    one is ended by a second signal."""
    with Hang() as h, Mock("--tags", 100) as m, Site(
            m.url, text="compact: {memory: 1MiB}\n") as s:
        s.garner("harvest")
        h.on()
        r = Run(s, "compact", env=h.env)
        wait_for(lambda: os.path.exists(os.path.join(s.data, "tmp")) or
                 os.path.exists(os.path.join(s.data, "silver")))
        time.sleep(0.1)
        r.p.send_signal(signal.SIGTERM)
        wait_for(lambda: "ShdPnd:\t%016x" % 0 in
                 open("/proc/%d/status" % r.p.pid).read())
        took, status, err = r.end(signal.SIGTERM, 0.5)
        assert status == 143, (status, err)
        h.off()
        n = 0
        began = time.monotonic()
        s.garner("compact", "--table", "pi_timeseries")
        usual = time.monotonic() - began
        for part in range(1, 9):
            r = Run(s, "compact", "--table", "pi_timeseries", "--rebuild")
            time.sleep(usual * part / 10)
            took, status, err = r.end(signal.SIGTERM, 2)
            # -15: so early that there was nothing to end yet
            assert status in (0, 143, -15) and "error" not in err, (
                status, err)
            tmp = os.path.join(s.data, "tmp")
            if status == 143:
                n += 1
                assert not os.path.isdir(tmp) or os.listdir(tmp) == []
        assert n > 0
        print("compactions cancelled: %d" % n)
        whole(m, s)


def refused(site, pid, words, *args):
    began = time.monotonic()
    r = site.garner(*args, status=75)
    took = time.monotonic() - began
    line = one_line(r, "pid %d" % pid, *words)
    return took, line


@timed
def test_second_instance():
    """Refused before the server is asked: it stalls."""
    with Hang() as h, Mock(*WORLD) as m, Site(m.url, size=20) as s:
        s.garner("discover")
        m.faults("*:stall")
        first = Run(s, "harvest", "--group", "2")
        in_flight(m, 1)
        asked = m.stats()["requests"]["total"]
        times = []
        for args in (("harvest",), ("harvest", "--group", "2"),
                     ("harvest", "--table", "pi_timeseries")):
            took, line = refused(s, first.p.pid,
                                 ["group 2" if len(args) > 2 and
                                  args[1] == "--group" else "harvest",
                                  "harvest --group 2)"], *args)
            times.append(took)
        assert m.stats()["requests"]["total"] == asked
        # another group, and what else does not get in its way
        m.faults()
        s.garner("harvest", "--group", "1")
        s.garner("discover")
        first.end(signal.SIGKILL, 1)
        # a dead holder holds nothing
        whole(m, s)
        h.on()
        first = Run(s, "compact", "--rebuild", env=h.env)
        wait_for(lambda: os.path.exists(
            os.path.join(s.data, "compact.lock")))
        time.sleep(0.1)
        took, line = refused(s, first.p.pid, ["compact --rebuild)"],
                             "compact")
        times.append(took)
        h.off()
        assert first.p.wait(30) == 0
        whole(m, s)
        print("refused in %s ms" % ", ".join("%.0f" % (t * 1000)
                                             for t in times))
        assert min(times) < 0.1, times
        first.p.communicate()


def test_interrupted_verify_leaves_a_clean_line():
    if not shutil.which("strace"):
        print("no strace: it would be over too soon")
        return
    with Mock("--tags", 5) as m, Site(m.url) as s:
        s.garner("harvest")
        try:
            pid, tty = pty.fork()
        except OSError as e:
            print("no terminals here:", e)
            return
        if pid == 0:
            # who was started in the background has it ignored
            signal.signal(signal.SIGINT, signal.SIG_DFL)
            os.environ.update(TERM="xterm", ASAN_OPTIONS="detect_leaks=0")
            os.execvp("strace", [
                "strace", "-f", "-o", "/dev/null", "-e", "trace=pread64",
                "-e", "inject=pread64:delay_enter=100000", GARNER, "-c",
                s.conf, "verify"])
        shown = b""
        while b"verify " not in shown:
            shown += os.read(tty, 1000)
        os.write(tty, b"\x03")
        with contextlib.suppress(OSError):
            while more := os.read(tty, 1000):
                shown += more
        _, status = os.waitpid(pid, 0)
        assert os.WTERMSIG(status) == signal.SIGINT, (status, shown)
        assert shown.endswith(b"\r\x1b[K"), shown


main(globals())
