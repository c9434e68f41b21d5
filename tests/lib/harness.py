"""What the end-to-end tests share: the mock server, garner, comparison.

The oracle is always the mock's own truth (garner-mock truth). A test is a
function whose name begins with test_; main() runs them all, prints one line
each ("ok NAME" or "FAIL NAME") and exits 1 when one failed.
"""

import contextlib
import json
import os
import re
import shutil
import ssl
import subprocess
import sys
import tempfile
import time
import traceback
import urllib.error
import urllib.parse
import urllib.request

BUILD = os.environ.get("GARNER_BUILDDIR", os.getcwd())
SRC = os.environ.get("GARNER_SRCDIR", os.getcwd())
GARNER = os.path.join(BUILD, "garner")
MOCK = os.path.join(BUILD, "garner-mock")

TABLES = ["pi_dataservers", "pi_points", "pi_timeseries", "pi_assetservers",
          "pi_assetdatabases", "pi_af_hierarchy", "pi_event_frames"]
KEYS = {
    "pi_dataservers": ["webid"], "pi_points": ["webid"],
    "pi_timeseries": ["tag_webid", "timestamp"],
    "pi_assetservers": ["webid"], "pi_assetdatabases": ["webid"],
    "pi_af_hierarchy": ["element_webid"],
    "pi_event_frames": ["event_frame_webid", "start_time"],
}
# `source` of a Site where a test looks for streams in the log of requests:
# those of a batch are not in its URL.
GETS = "  forms: [one, set]\n"
# Written by garner, unknown to the server.
OURS = {"ingestion_timestamp", "pipeline_group", "batch_id", "date"}


class Mock:
    """A garner-mock on a free port; `with Mock(...) as m`. `client`: files of
    a certificate and its key, for what the harness asks itself."""

    def __init__(self, *options, frozen="2026-03-01T12:00:00Z", log=False,
                 client=None):
        self.options = [str(o) for o in options]
        if frozen:
            self.options += ["--now", frozen]
        self.dir = tempfile.mkdtemp(prefix="garner-mock-")
        self.log_path = os.path.join(self.dir, "requests.ndjson")
        self.log = log
        self.marks = 0
        self.client = client
        self.context = None    # of TLS

    def __enter__(self):
        args = [MOCK, "--port", "0"] + self.options
        if self.log:
            args += ["--log", self.log_path]
        self.proc = subprocess.Popen(args, stdout=subprocess.PIPE, text=True)
        line = self.proc.stdout.readline()
        found = re.search(r"(https?://\S+)", line)
        if not found:
            self.proc.kill()
            raise RuntimeError("garner-mock did not start: %r" % line)
        self.url = found.group(1)
        if self.url.startswith("https:"):
            # to judge certificates is for who is tested
            self.context = ssl._create_unverified_context()
            if self.client:
                self.context.load_cert_chain(*self.client)
        return self

    def __exit__(self, *exc):
        self.proc.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.proc.wait(10)
        self.proc.kill()
        self.proc.wait()
        self.proc.stdout.close()
        shutil.rmtree(self.dir, ignore_errors=True)

    def truth(self, table, start, end):
        out = subprocess.run(
            [MOCK, "truth", "--table", table, "--from", start, "--to", end]
            + self.options, check=True, capture_output=True, text=True)
        return [json.loads(line) for line in out.stdout.splitlines()]

    def requests(self):
        """All requests so far. The log is written a little later: a request
        of our own marks the end of what is waited for."""
        self.marks += 1
        mark = "harness-mark=%d" % self.marks
        with contextlib.suppress(urllib.error.HTTPError):
            urllib.request.urlopen(self.url + "/?" + mark, timeout=10,
                                   context=self.context).close()
        found = []

        def marked():
            with open(self.log_path, encoding="utf-8") as f:
                found[:] = [json.loads(x) for x in f if x.endswith("\n")]
            return any(mark in r["target"] for r in found)

        wait_for(marked)
        return [r for r in found if "harness-mark" not in r["target"]]

    def control(self, path, body=None):
        """GET /mock/PATH, or POST with a body: what is answered."""
        req = urllib.request.Request(
            self.url.split("/piwebapi")[0] + "/mock/" + path, data=body)
        with urllib.request.urlopen(req, timeout=10,
                                    context=self.context) as r:
            return json.load(r)

    def stats(self):
        return self.control("stats")

    def faults(self, *specs):
        """From now on these, and no others."""
        self.control("faults", "\n".join(specs).encode())

    def set_now(self, when):
        self.control("now?time=" + urllib.parse.quote(when), b"")
        if "--now" in self.options:
            self.options[self.options.index("--now") + 1] = when


class Site:
    """A folder with a garner.yaml; `with Site(url, ...) as s`."""

    def __init__(self, url, text="", **options):
        self.dir = tempfile.mkdtemp(prefix="garner-test-")
        self.conf = os.path.join(self.dir, "garner.yaml")
        self.data = os.path.join(self.dir, "data")
        self.url = url
        self.write(text, **options)

    def write(self, text="", **options):
        opts = {"from": "2026-03-01T11:00:00Z", "reread": "5m", "size": 20}
        opts.update(options)
        source = opts.get("source", "")
        with open(self.conf, "w", encoding="utf-8") as f:
            f.write("version: 1\ndata: %s\nsource:\n  name: pi\n"
                    "  connector: pi\n  connector_file: %s\n  url: %s\n%s"
                    % (self.data,
                       os.path.join(SRC, "conf/connectors/pi.yaml"),
                       self.url, source))
            f.write("groups: {by: range, size: %d}\n" % opts["size"])
            f.write("harvest:\n  from: %s\n  reread: %s\n%s"
                    % (opts["from"], opts["reread"],
                       opts.get("harvest", "")))
            f.write(opts.get("fetch", "fetch:\n  retry_base: 10ms\n"
                             "  breaker_open: 100ms\n  give_up: 3s\n"))
            f.write(text)

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        shutil.rmtree(self.dir, ignore_errors=True)

    def garner(self, *args, status=0, timeout=300, env=None, prefix=()):
        r = subprocess.run(list(prefix) + [GARNER, "-c", self.conf]
                           + list(args), capture_output=True, text=True,
                           timeout=timeout, env=env, cwd=self.dir)
        if status is not None and r.returncode != status:
            raise AssertionError(
                "garner %s: status %d, not %d\n%s\n%s"
                % (" ".join(args), r.returncode, status, r.stdout, r.stderr))
        return r

    def start(self, *args):
        return subprocess.Popen([GARNER, "-c", self.conf] + list(args),
                                stdout=subprocess.DEVNULL,
                                stderr=subprocess.DEVNULL, cwd=self.dir)

    def cat(self, table, *args):
        r = self.garner("cat", table, *args)
        return [json.loads(line) for line in r.stdout.splitlines()]


# --- comparison -------------------------------------------------------------

def stamp(row):
    """Silver keeps microseconds and the rest below in a column of its own."""
    row = dict(row)
    for name in list(row):
        if name.endswith("_ticks") and name[:-6] in row:
            rest = row.pop(name)
            t = row[name[:-6]]
            if t is not None:
                assert t.endswith("0Z"), t
                row[name[:-6]] = t[:-2] + str(rest) + "Z"
    return row


def last_of_ties(rows):
    """ties: last, one row for a timestamp."""
    best = {}
    for r in rows:
        k = (r["tag_webid"], r["timestamp"])
        if k not in best or r["ordinal"] >= best[k]["ordinal"]:
            best[k] = r
    out = []
    for r in best.values():
        r = dict(r)
        del r["ordinal"]
        out.append(r)
    return out


def canonical(table, rows):
    key = KEYS[table]
    out = [{k: v for k, v in r.items() if k not in OURS} for r in rows]
    out.sort(key=lambda r: [str(r[k]) for k in key])
    return out


def same_value(a, b):
    if isinstance(a, bool) or isinstance(b, bool):
        return a is b
    if isinstance(a, (int, float)) and isinstance(b, (int, float)):
        return float(a) == float(b) or (a != a and b != b)
    return a == b


def compare(table, got, want, what=""):
    """Every row and column; raises with the first differences."""
    got, want = canonical(table, got), canonical(table, want)
    key = KEYS[table]
    if len(got) != len(want):
        gk = {tuple(str(r[k]) for k in key) for r in got}
        wk = {tuple(str(r[k]) for k in key) for r in want}
        raise AssertionError(
            "%s %s: %d rows, not %d; missing %s; too many %s"
            % (table, what, len(got), len(want), sorted(wk - gk)[:3],
               sorted(gk - wk)[:3]))
    for g, w in zip(got, want):
        if set(g) != set(w):
            raise AssertionError("%s %s: columns %s" % (
                table, what, sorted(set(g) ^ set(w))))
        for name in w:
            if not same_value(g[name], w[name]):
                raise AssertionError("%s %s: %s: %s is %r, not %r" % (
                    table, what, [g[k] for k in key], name, g[name],
                    w[name]))
    return len(got)


def want_rows(mock, table, start, end):
    rows = mock.truth(table, start, end)
    return last_of_ties(rows) if table == "pi_timeseries" else rows


def check_silver(mock, site, start, end, tables=TABLES, what=""):
    n = 0
    for t in tables:
        n += compare(t, [stamp(r) for r in site.cat(t)],
                     want_rows(mock, t, start, end), what)
    return n


# --- running ----------------------------------------------------------------

def one_line(r, *words):
    """Exactly one error line, holding the words."""
    errors = [x for x in r.stderr.splitlines() if "error:" in x]
    assert len(errors) == 1, r.stderr
    for w in words:
        assert w in errors[0], (w, errors[0])
    return errors[0]


def wait_for(condition, seconds=30):
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise AssertionError("waited %d s in vain" % seconds)
        time.sleep(0.01)


def sanitized():
    """Is garner built with sanitizers?"""
    with open(GARNER, "rb") as f:
        return b"__asan_init" in f.read()


def seed():
    """Of what a test chooses at random: the same in each run, or
    GARNER_TEST_SEED (a number; `random`: another each time, printed)."""
    n = os.environ.get("GARNER_TEST_SEED", "1")
    n = int(time.time()) if n == "random" else int(n)
    print("seed %d" % n, flush=True)
    return n


def timed(fn):
    """Of a test that holds times against bounds: a machine that is busy with
    something else may spoil them, what is wrong in garner spoils them each
    time. It has three tries."""
    fn.tries = 3
    return fn


def attempt(name, fn):
    """Did it hold?"""
    for left in reversed(range(getattr(fn, "tries", 1))):
        began = time.monotonic()
        try:
            fn()
            print("ok %s (%.1f s)" % (name, time.monotonic() - began),
                  flush=True)
            return True
        except Exception:
            print("%s %s" % ("again" if left > 0 else "FAIL", name),
                  flush=True)
            traceback.print_exc()
    return False


def main(names):
    failed = 0
    only = sys.argv[1:]
    for name, fn in list(names.items()):
        if not name.startswith("test_") or (only and name not in only):
            continue
        failed += not attempt(name, fn)
    sys.exit(1 if failed else 0)
