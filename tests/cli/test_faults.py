"""Every fault of the mock, a row each: what garner says, its exit status, that
it stores nothing wrong and ends in time; and that silver equals the truth
when the fault is over."""

import re
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor

from harness import (GETS, MOCK, TABLES, Mock, Site, check_silver, last_of_ties,
                     main, timed)
from harness import compare, stamp

A, B = "2026-03-01T11:00:00Z", "2026-03-01T12:00:00Z"
WORLD = ["--tags", 6, "--density", "fast=20s,medium=1m,slow=5m"]
HASTY = ("fetch: {tries: 2, retry_base: 10ms, retry_cap: 50ms, timeout: 400ms, "
         "connect_timeout: 400ms, low_speed: 1s, breaker_open: 20ms, "
         "breaker_open_max: 100ms, give_up: 300ms}\n")
CALM = "fetch: {tries: 3, retry_base: 10ms, retry_cap: 50ms, timeout: 20s}\n"
PATIENT = ("fetch: {tries: 8, retry_base: 20ms, retry_cap: 200ms, "
           "retry_share: 10, timeout: 5s, breaker_open: 20ms, "
           "breaker_open_max: 100ms, give_up: 20s}\n")
SECONDS = 12
PAUSE = ("; nothing is asked for a while (fetch.breaker_open), then one "
         "request tries: ")

# Borne: status 0, not a word, and all is there.
BORNE = [
    "slow:ms=100", "slow:ms=10:jitter=50", "slow:ms=5:tail=1",
    "408:count=1", "429:count=1", "500:count=1", "502:count=1",
    "503:count=1", "504:count=1",
    # bounded by retry_cap, all of them
    "429:count=1:retry=1", "429:count=1:retry=0", "429:count=1:retry=-5",
    "503:count=1:retry=99999999999999999999", "503:count=1:retry=soon",
    "429:count=1:retry=date", "429:count=1:retry=date+3600",
    "503:count=1:retry=date-3600",
    "cut:count=1", "cut:at=start:count=1", "reset:count=1",
    "reset:at=head:count=1", "reset:at=body:count=1", "reset:reused:count=3",
    "stall:ms=100", "stall:at=head:ms=100", "stall:at=body:ms=100",
    "longer:count=1", "shorter:count=1", "chunk:count=1", "cutgzip:count=1",
    "rubbish:count=1", "half:count=1", "empty:count=1", "204:count=1",
    "null:count=1", "html:count=1", "deep:count=1", "errors:count=1",
    "webexception:count=1",
    # nothing is wrong with the data
    "bom", "type", "missing", "http10",
]

# (fault, exit status, words of each line). The one error line of a run that
# fails; with status 1 a warning for each stream and no error. Of two statuses
# it is chance which: so many failures in a row end the run.
TOLD = [
    ("500", 69, "500 Internal Server Error"),
    ("502", 69, "502 Bad Gateway"),
    ("503", 69, "503 Service Unavailable"),
    ("504", 69, "504 Gateway Timeout"),
    ("429:retry=0", 75, "429 Too Many Requests"),
    ("401", 77, "401 Unauthorized"),
    ("403", 77, "403 Forbidden"),
    ("404", 1, "404 Not Found"),
    ("409", 1, "409 Conflict"),
    ("410", 1, "410 Gone"),
    ("501", 1, "501 Not Implemented"),
    ("304", 1, "304 Not Modified"),
    ("ring", 1, "302 Found"),
    ("204", 69, "empty, not JSON"),
    ("empty", 69, "empty, not JSON"),
    ("null", 69, "no list `Items`"),
    ("html", 69, "HTML"),
    ("half", 69, "bad JSON"),
    ("shorter", 69, "bad JSON"),
    ("cutgzip", 69, "cut short"),
    ("deep", 69, "nested deeper"),
    ("long", 1, "value larger than"),
    ("errors", (1, 69), "could not be written"),
    ("webexception", 69, "server failed while answering"),
    ("cut", 69, "closed after"),
    ("cut:at=start", 69, "closed the connection"),
    ("cut:at=head", 69, ""),
    ("reset", 69, "reset"),
    ("reset:at=head", 69, "reset"),
    ("reset:at=body", 69, "closed after"),
    ("stall", 69, "no data for|not finished within"),
    ("stall:at=head", 69, "no data for|not finished within"),
    ("stall:at=body", 69, "no data for|not finished within"),
    ("drip:ms=20", 69, "not finished within"),
    ("drip:ms=3000", 69, "no data for|not finished within"),
    ("longer", 69, "closed after"),
    ("chunk", 69, "chunk"),
    ("bomb", 65, "200 times its size"),
    ("rubbish", 69, "not HTTP"),
    ("headers", 65, "headers are larger"),
]

# On lists: never half a list taken for the whole.
LISTS = [
    ("points:500", 69, "500"), ("points:half", 69, "pi_points.*bad JSON"),
    ("points:webexception", 69, "pi_points.*failed while answering"),
    ("points:errors", 69, "pi_points.*could not be written"),
    ("points:null", 69, "pi_points.*no list"),
    ("points:empty", 69, "pi_points.*empty"),
    ("points:html", 69, "pi_points.*HTML"),
    ("points:cut", 69, "closed after"),
    ("points:shorter", 69, "bad JSON"), ("points:cutgzip", 69, "cut short"),
    ("points:deep", 69, "nested deeper"), ("points:bomb", 65, "200 times its size"),
    ("points:403", 77, "points.*403"), ("points:redirect", 1, "302"),
    ("dataservers:null", 69, "pi_dataservers"),
    ("elements:webexception", 69, "pi_af_hierarchy.*failed while"),
    ("elements:half", 69, "pi_af_hierarchy.*bad JSON"),
    ("eventframes:webexception", 69, "pi_event_frames.*failed while"),
    ("eventframes:errors", 69, "pi_event_frames.*could not be written"),
    ("points:bom", 0, ""), ("points:http10", 0, ""), ("points:long", 0, ""),
    ("points:half:count=1", 0, ""), ("elements:reset:count=1", 0, ""),
    ("eventframes:webexception:count=1", 0, ""),
]


def lines(r, level):
    return [x for x in r.stderr.splitlines()
            if x.startswith("garner: %s: " % level)]


def judge(r, spec, status, words):
    """The exit status, and what was said."""
    if isinstance(status, tuple) and r.returncode in status:
        status = r.returncode
    assert r.returncode == status, (spec, r.returncode, r.stderr)
    errors = lines(r, "error")
    # that it waits for the server may be said as well
    warnings = [x for x in lines(r, "warn") if PAUSE not in x]
    if status == 0:
        assert not errors and not warnings, (spec, r.stderr)
    elif status == 1:
        assert not errors and warnings, (spec, r.stderr)
        assert all(re.search(words, x) for x in warnings), (spec, warnings)
    else:
        assert len(errors) == 1, (spec, r.stderr)
        assert re.search(words, errors[0]), (spec, errors[0])
    for x in lines(r, "error") + lines(r, "warn"):
        assert x.isprintable() and len(x) < 600, (spec, x)


def nothing_wrong(truth, site, spec):
    """What the journal holds is true, row by row, if not all."""
    r = site.garner("cat", "pi_timeseries", "--bronze", status=None)
    if r.returncode == 66:
        return 0
    want = {(t["tag_webid"], t["timestamp"], t["ordinal"]): t for t in truth}
    got = site.cat("pi_timeseries", "--bronze")
    for row in got:
        t = want.get((row["tag_webid"], row["timestamp"], row["ordinal"]))
        assert t == row, (spec, row, t)
    return len(got)


def check_series(truth, site, spec):
    compare("pi_timeseries", [stamp(r) for r in site.cat("pi_timeseries")],
            last_of_ties(truth), spec)


def run(mock, truth, spec, status, words, fetch=HASTY):
    """The fault on while it harvests, then off. Series only, and not in
    batches: those have tests of their own (test_forms.py)."""
    with Site(mock.url, source=GETS, fetch=fetch) as s:
        s.garner("discover")
        mock.faults("recorded:" + spec)
        before = mock.stats()["requests"]["total"]
        began = time.monotonic()
        r = s.garner("harvest", status=None, timeout=60)
        took = time.monotonic() - began
        asked = mock.stats()["requests"]["total"] - before
        mock.faults()
        judge(r, spec, status, words)
        assert took < SECONDS, (spec, took)
        assert asked < 200, (spec, asked)
        n = nothing_wrong(truth, s, spec)
        if status == 0:
            assert n == len(truth), (spec, n)
        else:
            s.garner("harvest", "--retry-failed")
        s.garner("compact")
        check_series(truth, s, spec)


def spread(rows, fn, lanes=4):
    """Most of the time is waiting: some rows side by side, each lane with a
    mock of its own."""
    def lane(i):
        with Mock(*WORLD) as m:
            truth = m.truth("pi_timeseries", A, B)
            assert len(truth) > 300
            for row in rows[i::lanes]:
                fn(m, truth, *row)

    with ThreadPoolExecutor(lanes) as pool:
        for done in [pool.submit(lane, i) for i in range(lanes)]:
            done.result()


@timed
def test_borne():
    spread([(spec, 0, "", CALM) for spec in BORNE], run, 2)


@timed
def test_told():
    spread(TOLD, run)


@timed
def test_no_data():
    """Cut by the low speed, long before the time for an answer is over."""
    with Mock(*WORLD) as m:
        truth = m.truth("pi_timeseries", A, B)
        run(m, truth, "drip:ms=5000", 69, "no data for 1 s",
            fetch=HASTY.replace("timeout: 400ms, c", "timeout: 20s, c"))


def run_list(mock, _, spec, status, words):
    """The fault on while it discovers and harvests. All tables."""
    with Site(mock.url, fetch=HASTY) as s:
        mock.faults(spec)
        began = time.monotonic()
        r = s.garner("harvest", status=None, timeout=60)
        assert time.monotonic() - began < SECONDS, spec
        mock.faults()
        judge(r, spec, status, words)
        s.garner("harvest", "--discover")
        s.garner("compact")
        check_silver(mock, s, A, B, TABLES, spec)


@timed
def test_lists():
    spread(LISTS, run_list, 2)


def test_another_origin_is_not_asked():
    with Mock(*WORLD) as m, Mock(*WORLD) as other:
        truth = m.truth("pi_timeseries", A, B)
        run(m, truth, "redirect:to=%s/system" % other.url, 1, "302")
        run(m, truth, "redirect", 1, "302")
        assert other.stats()["connections"]["total"] == 1, "only this one"


def test_a_value_that_is_not_a_number():
    """NaN is what the server says the value is: the event is kept, the
    others are as they were."""
    with Mock(*WORLD) as m, Site(m.url, fetch=HASTY) as s:
        truth = last_of_ties(m.truth("pi_timeseries", A, B))
        s.garner("discover")
        m.faults("recorded:nan:count=1")
        judge(s.garner("harvest"), "nan", 0, "")
        m.faults()
        s.garner("harvest")
        s.garner("compact")
        key = lambda r: (r["tag_webid"], r["timestamp"])
        want = {key(r): r for r in truth}
        got = [stamp(r) for r in s.cat("pi_timeseries")]
        odd = [r for r in got if r["value"] != want[key(r)]["value"]]
        assert len(odd) == 1 and str(odd[0]["value"]).lower() == "nan", odd
        odd[0]["value"] = want[key(odd[0])]["value"]
        compare("pi_timeseries", got, truth, "nan")


@timed
def test_storms():
    """A third of the time the server refuses."""
    with Mock(*WORLD) as m:
        truth = m.truth("pi_timeseries", A, B)
        for kind in ("503", "429:retry=0", "reset", "cut", "stall:ms=50"):
            run(m, truth, kind + ":period=300ms:for=100ms", 0, "",
                fetch=PATIENT)


@timed
def test_servers_with_limits():
    for options in (["--connections", 3], ["--rate-limit", "15/200ms"],
                    ["--capacity", 2, "--latency", "20ms"],
                    ["--collapse", 2, "--latency", "5ms"]):
        with Mock(*WORLD, *options) as m, Site(m.url, fetch=PATIENT) as s:
            r = s.garner("harvest", status=None, timeout=60)
            judge(r, options, 0, "")
            s.garner("compact")
            check_silver(m, s, A, B, what=str(options))


def test_each_kind_has_a_row():
    text = subprocess.run([MOCK, "--help"], check=True, text=True,
                          capture_output=True).stdout
    kinds = re.findall(r"^  ([a-z0-9]+) +\S",
                       text.split("Kinds of faults:")[1], re.M)
    used = {re.sub(":.*", "", s) for s in BORNE}
    used |= {re.sub(":.*", "", s) for s, _, _ in TOLD}
    used |= {"redirect", "nan"}
    assert set(kinds) <= used, set(kinds) - used


main(globals())
