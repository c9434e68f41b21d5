"""The pace as servers see it: the rate in every window, breakers, origins
that do not disturb each other, and the number in flight that finds itself.
Judged by the mocks' own counts."""

import contextlib
import json
import os
import subprocess
import sys
import urllib.request

import harness
from harness import Mock, timed

DRIVE = os.path.join(harness.BUILD, "tests", "fetch", "drive_fetch")


def drive(seconds, *origins):
    """Each origin: (mock, keys). What each was sent, in their order."""
    args = [",".join([m.url.rsplit("/", 1)[0]] +
                     ["%s=%g" % kv for kv in keys.items()])
            for m, keys in origins]
    out = subprocess.run([DRIVE, str(seconds)] + args, check=True,
                         capture_output=True, text=True, timeout=120)
    return [json.loads(line) for line in out.stdout.splitlines()]


def stats(mock):
    url = mock.url.rsplit("/", 1)[0] + "/mock/stats"
    with urllib.request.urlopen(url, timeout=10) as r:
        return json.load(r)


def bins(mock):
    """Requests of each 100 ms, without the silence before and after."""
    got = stats(mock)["bins"]
    while got and got[0] == 0:
        got.pop(0)
    while got and got[-1] == 0:
        got.pop()
    return got


def most_in_window(counts, seconds):
    n = seconds * 10
    return max(sum(counts[i:i + n]) for i in range(max(1, len(counts) - n)))


def mocks(stack, n, *options):
    return [stack.enter_context(Mock("--tags", 5, *options))
            for _ in range(n)]


@timed
def test_rate_is_kept_with_four_origins():
    rates = [50, 100, 200, 400]
    with contextlib.ExitStack() as stack:
        ms = mocks(stack, 4)
        drive(11.5, *[(m, {"rate": r}) for m, r in zip(ms, rates)])
        for m, r in zip(ms, rates):
            most = most_in_window(bins(m), 10)
            print("rate %d: at most %d in 10 s" % (r, most))
            # the bins of two clocks do not begin together: one more
            assert most <= r * 10 * 1.01 + 1, (r, most)
            assert most >= r * 10 * 0.97, (r, most)


@timed
def test_a_bad_origin_does_not_disturb_others():
    bad = {"drips": "*:drip:ms=1000", "stalls": "*:stall",
           "storms": "*:503"}
    with contextlib.ExitStack() as stack:
        good = mocks(stack, 3)
        for name, fault in bad.items():
            with Mock("--tags", 5, "--fault", fault) as worse:
                before = [stats(m)["requests"]["total"]
                          for m in good]
                drive(4, (worse, {"in_flight": 64, "timeout_ms": 1500}),
                      *[(m, {"rate": 200}) for m in good])
                for m, b in zip(good, before):
                    n = stats(m)["requests"]["total"] - b
                    assert n >= 4 * 200 * 0.95, (name, n)


@timed
def test_open_breaker_sends_one_probe():
    """Twenty at once fail; then one a second until the server is well, and
    after that it is asked as before."""
    with Mock("--tags", 5, "--fault", "*:500") as m:
        drive(4.5, (m, {"in_flight": 20, "breaker": 5, "open_ms": 1000}))
        counts = bins(m)
        later = sum(counts[5:])
        print("%d requests, %d after half a second" % (sum(counts), later))
        assert sum(counts[:5]) <= 25, counts
        assert 2 <= later <= 4, counts
    with Mock("--tags", 5, "--fault", "*:500:count=5") as m:
        got, = drive(3, (m, {"in_flight": 1, "breaker": 5, "open_ms": 500,
                             "rate": 100}))
        assert got["opened"] == 1, got
        assert got["good"] > 150, got


SERVERS = {
    "fast": ["--latency", "8ms", "--capacity", "16"],
    "slow": ["--latency", "200ms", "--capacity", "32"],
    "collapsing": ["--latency", "50ms", "--collapse", "40"],
}


def rate_at_end(options, seconds, **keys):
    """Requests a second over the last half."""
    with Mock("--tags", 5, *options) as m:
        got, = drive(seconds, (m, keys))
        counts = bins(m)
        half = counts[len(counts) // 2:]
        return sum(half) / (len(half) / 10), got["limit"]


def sweep(name, settings, seconds, found_seconds):
    """(best fixed rate, at which setting, rate found, limit found)"""
    fixed = {n: rate_at_end(SERVERS[name], seconds, in_flight=n)[0]
             for n in settings}
    best = max(fixed, key=fixed.get)
    rate, limit = rate_at_end(SERVERS[name], found_seconds, in_flight=256,
                              adaptive=1)
    return fixed[best], best, rate, limit


@timed
def test_the_best_number_in_flight_is_found():
    for name, settings, seconds, found in (("fast", (8, 16, 32), 1.5, 3),
                                           ("slow", (24, 32, 48), 3, 12),
                                           ("collapsing", (32, 40, 48), 2, 8)):
        best, at, rate, limit = sweep(name, settings, seconds, found)
        print("%s: best fixed %d: %.0f/s, found %d: %.0f/s, %.2f of it"
              % (name, at, best, limit, rate, rate / best))
        assert rate >= 0.85 * best, name


if __name__ == "__main__":
    if harness.sanitized():
        print("the pace of an instrumented program tells nothing")
        sys.exit(77)
    harness.main(globals())
