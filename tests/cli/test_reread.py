"""What is read again: the same adds nothing to the journal, what changed is
kept, and silver is always the truth of now."""

import glob
import json
import os
import shutil
import urllib.parse
from datetime import datetime

from harness import (Mock, Site, check_silver, compare, last_of_ties, main,
                     stamp)

A, B = "2026-03-01T11:00:00Z", "2026-03-01T12:00:00Z"
SERIES = ["pi_timeseries"]
CALM = "fetch: {retry_base: 10ms}\n"


def journal(s, table="pi_timeseries"):
    """Bytes of the table's segments."""
    n = 0
    for path in glob.glob(os.path.join(s.data, "bronze/pi", table, "*/*.gj")):
        with open(path, "rb") as f:
            n += len(f.read().rstrip(b"\0"))
    assert n > 0
    return n


def seconds(text):
    return datetime.fromisoformat(text[:19]).timestamp()


def harvest(s, *args):
    return json.loads(s.garner("harvest", "--table", "pi_timeseries",
                               "--json", *args).stdout)


def check(m, s, b=B, what=""):
    s.garner("compact")
    return check_silver(m, s, A, b, SERIES, what)


def test_nothing_new():
    """Readings of an unchanged source add not a byte, whatever the sizes of
    windows, pages and tail."""
    for reread, more in (("30m", ""), ("1h", "  target_items: 300\n"),
                         ("7m", "  page_items: 2000\n"), ("3h", "")):
        with Mock("--tags", 30, log=True) as m, \
                Site(m.url, reread=reread, harvest=more) as s:
            first = harvest(s)
            assert first["values_unchanged"] == 0, first
            n = journal(s)
            for _ in range(2):
                since = len(m.requests())
                r = harvest(s)
                assert r["values"] == 0, (reread, more, r)
                assert r["values_unchanged"] > 500, r
                assert journal(s) == n, (reread, more)
                assert any("recorded" in x["target"] or
                           x["route"] == "batch"
                           for x in m.requests()[since:])
            check(m, s, what=reread + more)


def test_as_time_goes_by():
    """Minute by minute: each value is kept once."""
    with Mock("--tags", 30, "--late", "0") as m, \
            Site(m.url, reread="20m") as s:
        kept = harvest(s)["values"]
        for minute in range(1, 25, 3):
            b = "2026-03-01T12:%02d:%02d.25Z" % (minute, minute * 2)
            m.set_now(b)
            r = harvest(s)
            kept += r["values"]
            assert r["values_unchanged"] > 300, r
        # those just at the end of a reading belong to the next
        want = len(m.truth("pi_timeseries", A, b))
        assert kept == want, (kept, want)
        check(m, s, b)


def test_late_values():
    """Late values come in, cell by cell, and only those cells are kept
    again."""
    with Mock("--tags", 30, "--late", "0.02", "--late-max", "30m") as m, \
            Site(m.url, reread="1h") as s:
        first = harvest(s)
        for minute in (10, 20, 31, 47):
            b = "2026-03-01T12:%02d:00Z" % minute
            m.set_now(b)
            r = harvest(s)
            assert r["values"] > 0 and r["values_unchanged"] > 0, r
            check(m, s, b, "at minute %d" % minute)
        assert first["values"] > 3000, first


def test_one_late_event():
    """One value more in one cell of one stream: exactly that cell is kept."""
    with Mock("--tags", 10, "--mix", "plain", "--ties", "1", "--late",
              "0.0005", "--late-max", "2h") as m, \
            Site(m.url, reread="1h") as s:
        harvest(s)
        seen = {(r["tag_webid"], r["timestamp"])
                for r in m.truth("pi_timeseries", A, B)}
        found = 0
        for minute in range(1, 30):
            m.set_now("2026-03-01T12:%02d:00Z" % minute)
            rows = m.truth("pi_timeseries", A, B)
            new = [r for r in rows
                   if (r["tag_webid"], r["timestamp"]) not in seen]
            seen |= {(r["tag_webid"], r["timestamp"]) for r in new}
            # the hour is full: only late values can change it
            n = harvest(s, "--to", B)["values"]
            cells = {(r["tag_webid"], int(r["timestamp"][14:16]) // 15)
                     for r in new}
            want = sum((r["tag_webid"], int(r["timestamp"][14:16]) // 15)
                       in cells for r in rows)
            assert n == want, (minute, n, want, new)
            found += len(new)
        assert found > 2, "nothing came late"
        check(m, s)


def changes(m, before, b=B):
    """Keys that came, went, and whose value is another since `before`."""
    old = {(r["tag_webid"], r["timestamp"]): r for r in last_of_ties(before)}
    new = {(r["tag_webid"], r["timestamp"]): r
           for r in last_of_ties(m.truth("pi_timeseries", A, b))}
    return (len(set(new) - set(old)), len(set(old) - set(new)),
            sum(new[k] != old[k] for k in set(new) & set(old)))


def replaced(s):
    r = json.loads(s.garner("compact", "--table", "pi_timeseries",
                            "--json").stdout)
    return r["tables"][0]["replaced"]


FATES = ["--late", "0.01", "--late-max", "30m", "--edits", "0.05",
         "--edits-max", "40m", "--deletes", "0.05", "--deletes-max", "40m"]


def test_edited_and_deleted_values():
    """What changed within the tail is so in silver after each run, and what
    the server has no more is gone; a rebuild says the same."""
    with Mock("--tags", 20, "--density", "fast=4s,medium=20s,slow=1m",
              *FATES) as m, Site(m.url, reread="2h", size=8) as s:
        harvest(s)
        check(m, s)
        gone = dropped = edited = 0
        for minute in (10, 20, 31, 47):
            b = "2026-03-01T12:%02d:00Z" % minute
            before = m.truth("pi_timeseries", A, B)
            m.set_now(b)
            since = changes(m, before)
            gone += since[1]
            edited += since[2]
            harvest(s)
            dropped += replaced(s)
            check(m, s, b, "at minute %d" % minute)
            n = journal(s)
            assert harvest(s)["values"] == 0 and journal(s) == n
        assert gone > 20 and edited > 20 and dropped >= gone, (
            gone, edited, dropped)
        s.garner("compact", "--rebuild")
        check_silver(m, s, A, b, SERIES, "made again")
        assert len(s.cat("pi_timeseries", "--bronze")) > \
            len(s.cat("pi_timeseries"))


def test_all_deleted():
    """Ranges and days that are empty now, with no new row to tell of it."""
    a, b = "2026-02-27T00:00:00Z", "2026-03-01T12:00:00Z"
    with Mock("--tags", 5, "--start", a, "--density",
              "fast=1m,medium=10m,slow=1h", "--deletes", "0.999",
              "--deletes-max", "1h") as m, \
            Site(m.url, **{"from": a, "reread": "1h"}) as s:
        m.set_now("2026-02-28T12:00:00Z")
        harvest(s)
        m.set_now(b)
        harvest(s)
        s.garner("compact")
        n = len(s.cat("pi_timeseries"))
        m.set_now("2026-03-02T12:00:00Z")
        harvest(s, "--reread", "--from", a, "--to", b)
        assert replaced(s) > 0
        rows = m.truth("pi_timeseries", a, b)
        assert len(rows) < n / 4, (len(rows), n)
        check_silver(m, s, a, b, SERIES)
        assert harvest(s, "--reread", "--to", b)["values"] == 0


def test_event_frames():
    """Open frames are read until they are closed, however long that takes;
    what is as it was adds nothing."""
    frames = ["pi_event_frames"]
    with Mock("--tags", 4, "--frame-every", "3m") as m, \
            Site(m.url, reread="5m",
                 harvest="  reread_frames: 30m\n") as s:
        s.garner("harvest")
        for minute in (0, 0, 1, 7, 30, 59):
            b = "2026-03-01T12:%02d:00Z" % minute
            m.set_now(b)
            before = journal(s, *frames)
            s.garner("harvest", "--table", frames[0])
            if minute == 0:
                assert journal(s, *frames) == before
            s.garner("compact")
            check_silver(m, s, A, b, frames, b)
        # some were open when the tail was long past their beginning
        late = [r for r in s.cat(frames[0])
                if r["start_time"] < A and (r["end_time"] or A) > B]
        assert len(late) > 3, len(late)
        n, m = len(s.cat(frames[0], "--bronze")), len(s.cat(frames[0]))
        assert n < 8 * m, (n, m)


def begun(rows):
    """Of frames that began in the range: those of before may be closed with
    an end before it."""
    return [r for r in rows if r["start_time"] >= A]


def frames_of(mock, since):
    """(mode, window) of the requests for event frames."""
    found = []
    for r in mock.requests()[since:]:
        u = urllib.parse.urlsplit(r["target"])
        if u.path.endswith("/eventframes"):
            q = dict(urllib.parse.parse_qsl(u.query))
            found.append((q["searchMode"], q["startTime"], q["endTime"]))
    return found


def test_closed_late():
    """A frame that is closed weeks later, with an end long past, overlaps
    nothing that is read again: it is asked for by its beginning, and nothing
    else of that time is."""
    frames = "pi_event_frames"
    with Mock("--tags", 4, "--frame-every", "8h", "--frame-longest", "20d",
              "--frame-late", "40d", "--start", "2025-12-01T00:00:00Z",
              log=True) as m, \
            Site(m.url, reread="5m", harvest="  reread_frames: 12h\n",
                 **{"from": A}) as s:
        s.garner("harvest")
        late = 0
        for day in ("03-02", "03-10", "03-11", "03-30", "05-03", "07-20"):
            b = "2026-%sT12:00:00Z" % day
            m.set_now(b)
            since = len(m.requests())
            if day == "05-03":      # the journals know them too
                shutil.rmtree(os.path.join(s.data, "ledger"))
                s.garner("repair", "--apply")
            for _ in range(2):
                s.garner("harvest", "--table", frames)
            s.garner("verify")
            s.garner("compact")
            compare(frames, [stamp(r) for r in begun(s.cat(frames))],
                    begun(m.truth(frames, A, b)), b)
            windows = frames_of(m, since)
            late += sum(mode != "Overlapped" for mode, _, _ in windows)
            for mode, a, e in windows:
                if mode != "Overlapped":
                    assert mode == "StartInclusive", mode
                    assert seconds(e) - seconds(a) < 12.1 * 3600, (a, e)
            # twice the tail, twice what is new, and those that are missing
            assert len(windows) < 100, len(windows)
        assert late > 20, late
        # nothing is missing now: nothing is asked for but the tail
        since = len(m.requests())
        n = journal(s, frames)
        s.garner("harvest", "--table", frames)
        assert {x[0] for x in frames_of(m, since)} == {"Overlapped"}
        assert journal(s, frames) == n


def test_closed_in_a_broken_run():
    """A run that brings its newest windows, and not its first, which tells
    of what began before: the next one's begins later than that ended, and so does its tail."""
    frames = "pi_event_frames"
    with Mock("--tags", 4, "--frame-every", "3m", log=True) as m, \
            Site(m.url, harvest="  reread_frames: 30m\n",
                 **{"from": A}) as s:
        s.garner("harvest")
        m.set_now("2026-03-01T14:00:00Z")
        m.faults("eventframes:404:if=startTime=2026-03-01T11%3A30")
        since = len(m.requests())
        s.garner("harvest", "--table", frames, status=None)
        status = [r["status"] for r in m.requests()[since:]
                  if "/eventframes" in r["target"]]
        assert status.count(404) == 2 and status.count(200) > 4, status
        m.faults()
        b = "2026-03-01T15:00:00Z"
        m.set_now(b)
        since = len(m.requests())
        s.garner("harvest", "--table", frames)
        assert min(x[1] for x in frames_of(m, since)) < \
            "2026-03-01T12:00:00"
        s.garner("compact")
        compare(frames, [stamp(r) for r in begun(s.cat(frames))],
                begun(m.truth(frames, A, b)))


def broken_runs(lost):
    with Mock("--tags", 8, "--late", "0.1", "--late-max", "1h",
              log=True) as m, \
            Site(m.url, reread="1h", harvest="  window_max: 1h\n") as s:
        harvest(s)
        for hour in (14, 15):
            m.set_now("2026-03-01T%d:00:00Z" % hour)
            m.faults("recorded:404:if=startTime=2026-03-01T11",
                     "recorded:404:if=startTime=2026-03-01T12")
            n = journal(s)
            s.garner("harvest", "--table", SERIES[0], "--retry-failed",
                     status=None)
            assert journal(s) > n
            m.faults()
        if lost:
            shutil.rmtree(os.path.join(s.data, "ledger"))
            s.garner("repair", "--apply")
        b = "2026-03-01T16:00:00Z"
        m.set_now(b)
        r = harvest(s, "--retry-failed")
        assert r["values"] > 0, r
        check(m, s, b)
        since = len(m.requests())
        harvest(s)
        for r in m.requests()[since:]:
            if "recorded" in r["target"]:
                assert "startTime=2026-03-01T15" in r["target"], r


def test_late_in_a_broken_run():
    """A run that brings its newest windows only moves the end of what is
    covered: what was young in the run before is read again all the same."""
    broken_runs(False)


def test_and_the_ledger_is_lost():
    """The journals know what was young, too."""
    broken_runs(True)


def test_reread_of_a_range():
    """Values that came later than the tail is long are found by --reread,
    and by nothing else; a second one adds nothing."""
    with Mock("--tags", 20, "--density", "fast=4s,medium=20s,slow=1m",
              "--late", "0.005", "--late-max", "2h") as m, \
            Site(m.url, reread="5m", size=8) as s:
        harvest(s)
        b = "2026-03-01T14:00:00Z"
        m.set_now(b)
        harvest(s)
        s.garner("compact")
        late = len(last_of_ties(m.truth("pi_timeseries", A, B))) - \
            len(s.cat("pi_timeseries", "--to", B))
        assert late > 5, late
        r = harvest(s, "--reread", "--from", A, "--to", B)
        assert r["values_unchanged"] > 2 * r["values"] > 0, r
        check(m, s, b)
        for args in (["--from", A, "--to", B], [],
                     ["--from", "2026-03-01T11:17:31Z", "--to", b],
                     ["--group", "2"]):
            n = journal(s)
            r = harvest(s, "--reread", *args)
            if not args or args[0] != "--from" or args[1] == A:
                assert r["values"] == 0 and journal(s) == n, (args, r)
            assert r["values_unchanged"] > 500, r
            check(m, s, b, str(args))


def test_reread_finds_edits_and_deletions():
    """Those older than the tail are found by --reread, and by nothing else."""
    with Mock("--tags", 20, "--density", "fast=4s,medium=20s,slow=1m",
              "--edits", "0.01", "--deletes", "0.01") as m, \
            Site(m.url, reread="5m", size=8) as s:
        harvest(s)
        before = m.truth("pi_timeseries", A, B)
        b = "2026-03-01T14:00:00Z"
        m.set_now(b)
        harvest(s)
        s.garner("compact")
        since = changes(m, before)
        assert since[1] > 20 and since[2] > 20, since
        old = len(s.cat("pi_timeseries", "--to", B))
        # verify sees them from outside
        r = s.garner("verify", "--source", "--json", status=1).stdout
        kinds = {json.loads(x)["kind"] for x in r.splitlines()}
        assert {"source.surplus"} <= kinds <= {
            "source.surplus", "source.content", "summary"}, kinds
        r = harvest(s, "--reread", "--from", A)
        assert r["values"] > 0, r
        assert replaced(s) > 10
        check(m, s, b)
        assert len(s.cat("pi_timeseries", "--to", B)) < old
        n = journal(s)
        r = harvest(s, "--reread")
        assert r["values"] == 0 and journal(s) == n, r
        s.garner("verify", "--source")
        s.garner("verify")


def test_deleted_under_another_grouping():
    """What one group read is replaced by what another one reads later."""
    with Mock("--tags", 12, "--deletes", "0.02", "--density",
              "fast=4s,medium=20s,slow=1m") as m, \
            Site(m.url, reread="5m", size=5) as s:
        harvest(s)
        for size, hour in ((3, 13), (5, 14)):
            b = "2026-03-01T%d:00:00Z" % hour
            m.set_now(b)
            s.write(size=size)
            harvest(s, "--reread")
            check(m, s, b, "groups of %d" % size)
        s.garner("compact", "--rebuild")
        check_silver(m, s, A, b, SERIES, "made again")
        s.garner("verify")


def test_reread_after_another_grouping():
    with Mock("--tags", 12) as m, Site(m.url, size=5) as s:
        harvest(s)
        s.write(size=3)
        for _ in range(2):
            harvest(s, "--reread")
            check(m, s, what="other groups")
        s.write(size=5)
        harvest(s, "--reread")
        check(m, s, what="groups of before")


def test_tail_longer_or_shorter():
    """Another tail has other cells: nothing is lost, and after one reading
    nothing is added either."""
    with Mock("--tags", 20) as m, Site(m.url, reread="30m") as s:
        harvest(s)
        for reread in ("11m", "50m", "0s", "30m"):
            s.write(reread=reread)
            harvest(s)
            n = journal(s)
            harvest(s)
            assert journal(s) == n, reread
            check(m, s, what=reread)


main(globals())
