#!/usr/bin/env python3
"""Load: thousands of requests in flight at once, connections that are reset
over and over, and a process with few descriptors. The client is
tests/bench/bench_fetch, which counts what it holds after each round."""

import json
import os
import re
import resource
import subprocess
import urllib.request

from harness import BUILD, Mock, Site, check_silver, main, timed

BENCH_FETCH = os.path.join(BUILD, "tests/bench/bench_fetch")
SANITIZED = "libasan" in subprocess.run(
    ["ldd", BENCH_FETCH], capture_output=True, text=True).stdout
TARGET = "/piwebapi/system"


def limit(n):
    """For a child: at most n descriptors."""
    return lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (n, n))


def bench(mock, *options, descriptors=None, spare=(), target=TARGET):
    """Lines of figures by name; of rounds in a list."""
    r = subprocess.run(
        [BENCH_FETCH, "--target", target] + [str(o) for o in options]
        + [mock.url.rsplit("/", 1)[0]], capture_output=True, text=True,
        timeout=300, pass_fds=spare,
        preexec_fn=limit(descriptors) if descriptors else None)
    assert r.returncode == 0, (r.returncode, r.stdout, r.stderr)
    out, rounds = {}, []
    for line in r.stdout.splitlines():
        if line.startswith("round "):
            rounds.append({k: int(v) for k, v in re.findall(
                r"(\w+) (\d+)", line)})
        else:
            name, value = line.split("\t", 1)
            out[name] = value
    return out, rounds


def stats_of(mock):
    url = mock.url.rsplit("/", 1)[0] + "/mock/stats"
    with urllib.request.urlopen(url, timeout=10) as r:
        return json.load(r)


def in_flight(n, latency, more):
    """All at once, if the first answer comes after the last request."""
    with Mock("--tags", "10", "--latency", latency, "--no-gzip") as m:
        out, _ = bench(m, "--in-flight", n, "--requests", n + more)
        stats = stats_of(m)
    assert out["failed"] == "0", out
    assert stats["requests"]["most"] == n, stats
    assert float(out["seconds"]) < 30, out
    if not SANITIZED:
        assert float(out["peak_rss_mib"]) < 200, out
        assert float(out["held_p99_ms"]) < 500, out


@timed
def test_thousand_in_flight():
    in_flight(1000, "1s", 1000)


@timed
def test_ten_thousand_in_flight():
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < 11000:
        print("# skipped: the limit of descriptors is %d" % hard)
        return
    in_flight(10000, "10s" if SANITIZED else "3s", 1000)


def test_resets_leave_nothing():
    """100,000 requests, one in twenty reset: descriptors are those of the
    connections, and memory stays what it was after the second round."""
    n = 4000 if SANITIZED else 20000
    with Mock("--tags", "10", "--no-gzip",
              "--fault", "system:reset:p=0.03",
              "--fault", "system:reset:p=0.02:at=body") as m:
        out, rounds = bench(m, "--in-flight", 64, "--requests", n,
                            "--rounds", 5, "--tries", 8)
    assert out["failed"] == "0" and len(rounds) == 5, out
    second, last = rounds[1], rounds[-1]
    # what is reset before the answer on a kept connection is repeated at
    # once, and not counted
    assert last["retries"] > n * 5 / 80, rounds
    assert last["connects"] > n * 5 / 40, rounds
    assert last["fds"] <= 64 + 16, rounds
    # a few connections more or less at rest are some KiB each
    assert last["heap"] <= second["heap"] + (128 << 10), rounds


def test_few_descriptors():
    with Mock("--tags", "10", "--no-gzip") as m:
        out, _ = bench(m, "--in-flight", 256, "--requests", 2000,
                       descriptors=64)
        stats = stats_of(m)
    assert out["failed"] == "0", out
    assert 16 <= stats["connections"]["most"] <= 32, stats


def test_descriptors_taken_by_others():
    """Less are free than the limit says: who gets none waits."""
    spare = [os.dup(0) for _ in range(44)]
    try:
        with Mock("--tags", "10", "--no-gzip") as m:
            out, _ = bench(m, "--in-flight", 256, "--requests", 500,
                           descriptors=len(spare) + 20, spare=spare)
            stats = stats_of(m)
    finally:
        for fd in spare:
            os.close(fd)
    assert out["failed"] == "0", out
    assert 1 < stats["connections"]["most"] < 20, stats


def test_harvest_with_few_descriptors():
    start, end = "2026-03-01T11:30:00Z", "2026-03-01T12:00:00Z"
    with Mock("--tags", "40") as m, Site(
            m.url, **{"from": start, "size": 10,
                      "fetch": "fetch: {in_flight: 256}\n"}) as s:
        for command in ("discover", "harvest", "compact"):
            r = subprocess.run(
                ["sh", "-c", 'ulimit -n 64; exec "$@"', "sh",
                 os.path.join(BUILD, "garner"), "-c", s.conf, command],
                capture_output=True, text=True, timeout=120, cwd=s.dir)
            assert r.returncode == 0, (command, r.stderr)
        check_silver(m, s, start, end, tables=["pi_timeseries"])


if __name__ == "__main__":
    main(globals())
