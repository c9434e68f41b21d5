"""Orders for the libraries that are preloaded into garner (tests/crash), and
a site in memory to run it in: a sync costs nothing there."""

import os
import shutil
import struct
import subprocess
import tempfile

from harness import BUILD, GARNER, Site

CALLS = os.path.join(BUILD, "tests/crash/crash_calls.so")
MALLOC = os.path.join(BUILD, "tests/crash/crash_malloc.so")
CLOCK = os.path.join(BUILD, "tests/crash/crash_clock.so")
SHM = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None


def preload(lib, **orders):
    """The environment with a library preloaded."""
    env = dict(os.environ, LD_PRELOAD=lib)
    env.update((k, str(v)) for k, v in orders.items())
    env["ASAN_OPTIONS"] = ":".join(
        [env.get("ASAN_OPTIONS", ""), "verify_asan_link_order=0"]).strip(":")
    return env


class CrashSite(Site):
    """A site that obeys: run() with orders, then see calls, done, what."""

    def __init__(self, url, text="", **options):
        old = tempfile.tempdir
        tempfile.tempdir = SHM or tempfile.gettempdir()
        try:
            super().__init__(url, text, **options)
        finally:
            tempfile.tempdir = old
        self.state = os.path.join(self.dir, "calls")
        self.calls = self.done = 0
        self.what = ""

    def orders(self, do=None, at=0, times=1, calls=None, **more):
        env = {"CRASH_DIR": self.data, "CRASH_STATE": self.state,
               "CRASH_AT": at, "CRASH_FOR": times, **more}
        if do is not None:
            env["CRASH_DO"] = do
        if calls is not None:
            env["CRASH_SET"] = calls
        return preload(CALLS, **env)

    def run(self, *args, timeout=60, prefix=(), env=None, **orders):
        """garner under orders: what subprocess.run() gives."""
        if os.path.exists(self.state):
            os.unlink(self.state)
        r = subprocess.run(
            list(prefix) + [GARNER, "-c", self.conf] + list(args),
            capture_output=True, text=True, timeout=timeout, cwd=self.dir,
            env=env or self.orders(**orders))
        self.calls, self.done, self.what = self.seen()
        return r

    def seen(self):
        with open(self.state, "rb") as f:
            calls, done, what = struct.unpack("<QQ240s", f.read())
        return calls, done, what.split(b"\0")[0].decode().replace(
            self.data, "")

    def save(self, name):
        """Keep the data directory as it is now, to begin there again."""
        kept = os.path.join(self.dir, name)
        shutil.rmtree(kept, ignore_errors=True)
        if os.path.isdir(self.data):
            shutil.copytree(self.data, kept)

    def restore(self, name):
        kept = os.path.join(self.dir, name)
        shutil.rmtree(self.data, ignore_errors=True)
        if os.path.isdir(kept):
            shutil.copytree(kept, self.data)
