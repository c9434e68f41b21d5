"""make bench: one tab-separated line a figure: name, value, unit, baseline
name, baseline value, ratio ("-" where there is none). Each ratio is measured
in one run, the two sides alternating, median of five (GARNER_BENCH_ROUNDS).

    make bench               everything
    make bench BENCH=fetch   one part: fetch, harvest, encode, ...
"""

import glob
import json
import os
import statistics
import subprocess
import sys
import time
import urllib.request

from harness import BUILD, GARNER, SRC, Mock, Site

sys.path.insert(0, os.path.join(SRC, "tests/bench"))
import fetch_bench  # noqa: E402

ROUNDS = int(os.environ.get("GARNER_BENCH_ROUNDS", "5"))
TAGS = int(os.environ.get("GARNER_BENCH_TAGS", "10000"))
A, B = "2026-03-01T11:00:00Z", "2026-03-01T12:00:00Z"


def figure(name, value, unit, base=None, base_value=None):
    ratio = "%.3g" % (value / base_value) if base else "-"
    print("%s\t%.4g\t%s\t%s\t%s\t%s" % (
        name, value, unit, base or "-",
        "%.4g" % base_value if base else "-", ratio), flush=True)


# A peak is inherited over fork and exec: a small process starts the command,
# so that what this one holds is not counted as the command's.
LAUNCH = """
import os, sys, time
began = time.monotonic()
pid = os.posix_spawnp(sys.argv[1], sys.argv[1:], os.environ)
_, status, usage = os.wait4(pid, 0)
sys.stderr.write("%d %f %d" % (os.waitstatus_to_exitcode(status),
    time.monotonic() - began, usage.ru_maxrss))
"""


def timed(argv, cwd):
    """Seconds, peak resident MiB, standard output of a command."""
    p = subprocess.run([sys.executable, "-S", "-c", LAUNCH] + argv, cwd=cwd,
                       capture_output=True, check=True)
    status, seconds, peak = p.stderr.split()[-3:]
    if int(status) != 0:
        raise RuntimeError("%s: status %d" % (argv, int(status)))
    return float(seconds), int(peak) / 1024, p.stdout


def python_client(url, webids):
    """What many write first: one connection, json, to a list."""
    n = 0
    rows = []
    began = time.monotonic()
    for i in range(0, len(webids), 40):
        q = "&".join("webId=" + w for w in webids[i:i + 40])
        with urllib.request.urlopen(
                "%s/streamsets/recorded?%s&startTime=%s&endTime=%s"
                "&maxCount=3000" % (url, q, A, B)) as r:
            for stream in json.load(r)["Items"]:
                for v in stream["Items"]:
                    rows.append((stream["WebId"], v["Timestamp"],
                                 v.get("Value"), v["Good"]))
        n = len(rows)
        if n > 200000:
            break
    return n / (time.monotonic() - began)


def harvest():
    mine, peer, rss = [], [], []
    with Mock("--tags", TAGS) as m:
        for _ in range(ROUNDS):
            with Site(m.url, size=TAGS // 5) as s:
                s.garner("discover")
                t, peak, out = timed([GARNER, "-c", s.conf, "-q", "harvest",
                                      "--json"], s.dir)
                stats = json.loads(out)
                mine.append(stats["values"] / t)
                rss.append(peak)
                s.garner("compact", "--table", "pi_points")
                ids = [r["webid"] for r in s.cat("pi_points")]
                peer.append(python_client(m.url, ids))
        figure("harvest_values", statistics.median(mine), "values/s",
               "python", statistics.median(peer))
        figure("harvest_peak_rss", max(rss), "MiB")
        figure("journal_bytes_per_row",
               stats["journal_bytes"] / stats["values"], "bytes")


def duckdb_dedup(site):
    """The same dedup by DuckDB, from Parquet to Parquet, or None."""
    python = os.path.join(BUILD, "build-aux/venv/bin/python")
    if not os.path.exists(python):
        return None
    # types are given: a sample of the CSV may hold no text value
    code = """
import duckdb, sys, time
con = duckdb.connect()
con.execute("SET memory_limit='256MB'; SET threads=2; "
            "SET preserve_insertion_order=false")
con.execute("COPY (SELECT * FROM read_csv('bronze.csv', "
            "nullstr='', types={'value_text': 'VARCHAR', 'units': 'VARCHAR', "
            "'value': 'DOUBLE', 'state_code': 'BIGINT'})) TO "
            "'bronze.parquet' (FORMAT parquet, COMPRESSION zstd)")
began = time.monotonic()
con.execute("COPY (SELECT * EXCLUDE (rn) FROM (SELECT *, row_number() OVER "
            "(PARTITION BY tag_webid, timestamp ORDER BY ordinal DESC) rn "
            "FROM 'bronze.parquet') WHERE rn = 1 ORDER BY tag_webid, "
            "timestamp) TO 'silver.parquet' (FORMAT parquet, COMPRESSION "
            "zstd)")
print(time.monotonic() - began)
"""
    with open(os.path.join(site.dir, "bronze.csv"), "wb") as f:
        subprocess.run([GARNER, "-c", site.conf, "cat", "pi_timeseries",
                        "--bronze", "--format", "csv"], stdout=f, check=True)
    r = subprocess.run([python, "-c", code], cwd=site.dir,
                       capture_output=True, text=True)
    if r.returncode != 0:
        print("# duckdb: " + r.stderr.strip().splitlines()[-1],
              file=sys.stderr)
        return None
    return float(r.stdout)


def compact():
    mine, peer, rss = [], [], []
    with Mock("--tags", TAGS) as m, Site(m.url, size=TAGS // 5) as s:
        s.garner("harvest")
        for _ in range(ROUNDS):
            subprocess.run(["rm", "-rf", os.path.join(s.data, "silver")],
                           check=True)
            t, peak, out = timed([GARNER, "-c", s.conf, "-q", "compact",
                                  "--json", "--table", "pi_timeseries"],
                                 s.dir)
            r = json.loads(out)["tables"][0]
            mine.append(r["rows_read"] / t)
            rss.append(peak)
            seconds = duckdb_dedup(s)
            if seconds:
                peer.append(r["rows_read"] / seconds)
        if peer:
            figure("compact_rows", statistics.median(mine), "rows/s",
                   "duckdb", statistics.median(peer))
        else:
            figure("compact_rows", statistics.median(mine), "rows/s")
        figure("compact_seconds_per_million",
               1e6 / statistics.median(mine), "s")
        figure("compact_peak_rss", max(rss), "MiB")
        figure("silver_bytes_per_row", r["bytes_total"] / r["rows_total"],
               "bytes")


def cpu_of(argv, cwd):
    """User and system time of a command."""
    before = os.times()
    subprocess.run(argv, cwd=cwd, capture_output=True, check=True)
    after = os.times()
    return (after.children_user - before.children_user
            + after.children_system - before.children_system)


# All columns of each file, every page against its checksum; no more than
# reading. What starting Python takes is not counted.
PYARROW_READ = """
import sys, time
import pyarrow
import pyarrow.parquet as pq
pyarrow.set_cpu_count(1)
began = time.process_time()
for path in sys.argv[1:]:
    f = pq.ParquetFile(path, page_checksum_verification=True)
    for batch in f.iter_batches(use_threads=False):
        pass
print(time.process_time() - began)
"""


def pyarrow_read(paths):
    """CPU seconds of reading the files by pyarrow, or None."""
    python = os.path.join(BUILD, "build-aux/venv/bin/python")
    if not os.path.exists(python):
        return None
    r = subprocess.run([python, "-c", PYARROW_READ] + paths,
                       capture_output=True, text=True)
    if r.returncode != 0:
        print("# pyarrow: " + r.stderr.strip().splitlines()[-1],
              file=sys.stderr)
        return None
    return float(r.stdout)


def verify():
    """Bytes a second of CPU. verify reads journals and tables and holds
    them against each other; the peer only reads the tables."""
    mine, peer = [], []
    with Mock("--tags", TAGS) as m, Site(m.url, size=TAGS // 5) as s:
        s.garner("harvest")
        s.garner("compact")
        paths = glob.glob(os.path.join(s.data, "silver", "**", "*.parquet"),
                          recursive=True)
        tables = sum(os.path.getsize(p) for p in paths)
        journals = sum(os.path.getsize(p) for p in glob.glob(
            os.path.join(s.data, "bronze", "**", "*.gj"), recursive=True))
        for _ in range(ROUNDS):
            mine.append((tables + journals) / 1e6 / cpu_of(
                [GARNER, "-c", s.conf, "-q", "verify"], s.dir))
            seconds = pyarrow_read(paths)
            if seconds:
                peer.append(tables / 1e6 / seconds)
    if peer:
        figure("verify_bytes", statistics.median(mine), "MB/CPU s",
               "pyarrow", statistics.median(peer))
    else:
        figure("verify_bytes", statistics.median(mine), "MB/CPU s")


def fetch():
    fetch_bench.fetch(figure, ROUNDS)


def encode():
    fetch_bench.encode(figure, ROUNDS)


PARTS = {"fetch": fetch, "harvest": harvest, "encode": encode,
         "compact": compact, "verify": verify}
chosen = sys.argv[1:] or list(PARTS)
for part in chosen:
    if part not in PARTS:
        sys.exit("bench: unknown part %s; one of %s"
                 % (part, ", ".join(PARTS)))
print("# name\tvalue\tunit\tbaseline\tbaseline value\tratio")
for part in chosen:
    PARTS[part]()
