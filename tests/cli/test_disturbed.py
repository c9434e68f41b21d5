"""A day of ten thousand tags from a server of which a tenth of the answers
fails, in turn by every kind of fault the mock knows but those after which
nothing can be right: it is complete, there are no gaps, the status is 0 and
silver equals the truth. With three streams broken for good the status is 1
and exactly these three are named.

DISTURBED_TAGS and DISTURBED_EVERY (mean time between events) make it larger.
"""

import json
import os
import re
import subprocess
import tempfile
import time

from harness import MOCK, Mock, Site, compare, last_of_ties, main, stamp

TAGS = int(os.environ.get("DISTURBED_TAGS", "10000"))
EVERY = os.environ.get("DISTURBED_EVERY", "3h")
A, B = "2026-02-28T12:00:00Z", "2026-03-01T12:00:00Z"
WORLD = ["--tags", TAGS, "--density",
         "fast=%s,medium=%s,slow=%s" % (EVERY, EVERY, EVERY)]

# Refusals are believed when PI Web API itself makes them, and nan changes
# what the server says the value is: no client could be right.
FINAL = {"nan", "401", "400", "403", "404", "409", "410", "501"}
STATUSES = ["408", "429:retry=0", "500", "502", "503", "504", "503:retry=1"]
HOW = {"slow": "slow:ms=200", "stall": "stall:at=body:ms=300",
       "drip": "drip:ms=1", "cut": "cut:at=body"}
MORE = ["cut:at=head", "reset:at=body", "stall:at=head:ms=300", "stall"]

FETCH = ("fetch: {tries: 6, retry_base: 10ms, retry_cap: 100ms, "
         "retry_share: 10, timeout: 3s, low_speed: 1s, breaker_open: 20ms, "
         "breaker_open_max: 100ms, give_up: 20s, in_flight: 32, "
         "adaptive: false}\n")


def kinds():
    text = subprocess.run([MOCK, "--help"], check=True, text=True,
                          capture_output=True).stdout
    found = re.findall(r"^  ([a-z0-9]+) +\S",
                       text.split("Kinds of faults:")[1], re.M)
    assert len(found) > 20, found
    return [HOW.get(k, k) for k in found if k not in FINAL] + STATUSES + MORE


def disturbed(f, more=()):
    """Each kind in its turn, every tenth request one, as far as the mock's
    256 faults go; then again, by chance. Returns for how many requests."""
    specs = kinds()
    turns = 250 // len(specs) - 1
    for spec in more:
        f.write(spec + "\n")
    for i, spec in enumerate(specs * turns):
        f.write("*:%s:count=1:after=%d\n" % (spec, 10 * i))
    for spec in specs:
        f.write("*:%s:p=%g:after=%d\n" % (spec, 0.1 / len(specs),
                                          10 * turns * len(specs)))
    f.flush()
    return 10 * len(specs)


def site(url):
    """Many small answers: there is to be something to fail."""
    return Site(url, **{"from": A, "reread": "1h", "size": 1000,
                "source": "  tables: [pi_points, pi_timeseries]\n",
                "harvest": "  window_max: 6h\n  target_items: 1000\n",
                "fetch": FETCH})


def check_silver(mock, s, but=()):
    want = last_of_ties(mock.truth("pi_timeseries", A, B))
    got = [stamp(r) for r in s.cat("pi_timeseries")]
    n = compare("pi_timeseries",
                [r for r in got if r["tag_webid"] not in but],
                [r for r in want if r["tag_webid"] not in but])
    assert n > 5 * TAGS, n
    return n


def gaps(s, status):
    r = s.garner("gaps", "--json", status=status)
    return [json.loads(line) for line in r.stdout.splitlines()]


def test_a_tenth_of_the_answers_fails():
    with tempfile.NamedTemporaryFile("w", suffix=".faults") as f:
        round_of = disturbed(f)
        with Mock(*WORLD, "--faults", f.name) as m, site(m.url) as s:
            began = time.monotonic()
            r = s.garner("harvest", "--json")
            took = time.monotonic() - began
            stats = json.loads(r.stdout)
            assert stats["streams"] == TAGS and \
                stats["streams_failed"] == 0, stats
            asked = m.stats()
            bad = sum(n for k, n in asked["status"].items() if k != "200")
            assert asked["requests"]["total"] > round_of, asked
            s.garner("compact")
            assert gaps(s, 0) == []
            n = check_silver(m, s)
            print("  %d values of %d tags, %d requests (%d not even 200), "
                  "%.1f s" % (n, TAGS, asked["requests"]["total"], bad,
                              took))


def test_three_are_broken_for_good():
    """By a refusal, by one of another kind, and inside a 200."""
    with Mock(*WORLD) as m:
        tags = sorted({r["tag_webid"] for r in m.truth(
            "pi_timeseries", "2026-03-01T00:00:00Z", B)})
        names = {r["webid"]: r["name"]
                 for r in m.truth("pi_points", A, B)}
    three = [tags[len(tags) // 7], tags[len(tags) // 2], tags[-3]]
    broken = ["recorded:%s:if=%s" % x
              for x in zip(("410", "404", "webexception"), three)]
    with tempfile.NamedTemporaryFile("w", suffix=".faults") as f:
        disturbed(f, broken)
        with Mock(*WORLD, "--faults", f.name) as m, site(m.url) as s:
            r = s.garner("harvest", "--json", status=1)
            assert json.loads(r.stdout)["streams_failed"] == 3, r.stdout
            named = set(re.findall(r"pi_timeseries: ([^:]+): ", r.stderr))
            assert named == {names[w] for w in three}, r.stderr
            s.garner("compact")
            assert {g["stream"] for g in gaps(s, 1)} == \
                {names[w] for w in three}
            check_silver(m, s, three)


main(globals())
