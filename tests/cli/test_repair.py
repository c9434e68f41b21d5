"""garner repair: after damage of every kind verify names it, repair makes it
good, and harvest and compact give what the server's truth says; the server's
log shows that only what was lost was asked for again.

Each case damages a copy of the same site. Killed anywhere, repair is run
again and gives the same.

GARNER_TEST_REPAIR_KILLS: how often (default 4).
"""

import datetime
import glob
import json
import os
import random
import shutil
import signal
import time
from urllib.parse import parse_qs, urlsplit

from harness import Mock, Site, check_silver, main, seed

A, B = "2026-03-01T11:00:00Z", "2026-03-01T12:10:00Z"
# what is read again in any case: now - reread
TAIL = "2026-03-01T12:05:00.0000000Z"
# and once more after the ledger was made again: the last run's, of which it
# does not know whether it was read
TAIL_BEFORE = "2026-03-01T11:55:00.0000000Z"
KILLS = int(os.environ.get("GARNER_TEST_REPAIR_KILLS", "4"))


def lines(r):
    return [json.loads(x) for x in r.stdout.splitlines()]


def earlier(t):
    """Where coverage ends anew, the five minutes before are read again."""
    at = datetime.datetime.fromisoformat(t[:19])
    return (at - datetime.timedelta(minutes=5)).isoformat() + t[19:]


def flip(path, at):
    with open(path, "r+b") as f:
        f.seek(at)
        byte = f.read(1)[0]
        f.seek(at)
        f.write(bytes([byte ^ 0x10]))


def only(*parts):
    found = sorted(glob.glob(os.path.join(*parts)))
    assert found, parts
    return found[0]


class Case:
    """A site with two harvests, compacted, put back for each case."""

    def __enter__(self):
        self.mock = Mock("--tags", 60, log=True).__enter__()
        self.site = Site(self.mock.url, size=20).__enter__()
        self.site.garner("harvest")
        self.site.garner("compact")
        self.mock.set_now(B)
        self.site.garner("harvest")
        self.site.garner("compact")
        self.keep = self.site.data + ".keep"
        shutil.copytree(self.site.data, self.keep)
        self.names = {r["webid"]: r["name"]
                      for r in self.site.cat("pi_points")}
        return self

    def __exit__(self, *exc):
        shutil.rmtree(self.keep, ignore_errors=True)
        self.site.__exit__(*exc)
        self.mock.__exit__(*exc)

    def reset(self):
        shutil.rmtree(self.site.data)
        shutil.copytree(self.keep, self.site.data)

    def path(self, *parts):
        return os.path.join(self.site.data, *parts)

    def verify(self, status):
        out = lines(self.site.garner("verify", "--json", status=status))
        return [x for x in out[:-1] if x["severity"] == "error"]

    def asked(self, since):
        """(stream, from, to) of each series asked for."""
        for r in self.mock.requests()[since:]:
            if "recorded" not in r["target"]:
                continue
            url = urlsplit(r["target"])
            q = parse_qs(url.query)
            ids = q.get("webId") or [url.path.split("/")[-2]]
            for i in ids:
                yield (self.names[i], q["startTime"][0], q["endTime"][0])

    def heal(self, path, offset=None, kinds=None, finish=True):
        """From damage to equality; what the ledger had to forget."""
        bad = self.verify(1)
        named = [x for x in bad if x.get("path") == path]
        assert named, (path, bad[:3])
        if offset is not None:
            assert any(0 <= x.get("offset", -1) <= offset
                       for x in named), named
        if kinds is not None:
            assert {x["kind"] for x in bad} == set(kinds), bad[:3]
        dry = lines(self.site.garner("repair", "--json", status=1))
        assert dry[-1] == {"kind": "summary", "applied": False,
                           "actions": len(dry) - 1}, dry[-1]
        assert self.verify(1) == bad, "a dry run changed something"
        done = lines(self.site.garner("repair", "--apply", "--json"))
        assert done[-1]["applied"] and done[-1]["actions"] > 0, done
        self.tail = TAIL
        if any(x["kind"] == "ledger.rebuild" for x in done):
            self.tail = TAIL_BEFORE
        if self.verify(None):
            raise AssertionError(self.verify(None)[:3])
        again = lines(self.site.garner("repair", "--json"))
        assert again[-1]["actions"] == 0, again[:3]
        lost = {}
        for x in done:
            if x["kind"] == "coverage.drop":
                lost.setdefault(x["stream"], []).append(
                    (x["from"], x["to"]))
        if finish:
            self.finish(lost)
        return lost, done

    def finish(self, lost):
        since = len(self.mock.requests())
        self.site.garner("harvest")
        self.site.garner("compact")
        check_silver(self.mock, self.site, A, B)
        assert not self.verify(0)
        for name, a, b in self.asked(since):
            inside = any(earlier(la) <= a and b <= lb
                         for la, lb in lost.get(name, []))
            assert inside or a >= self.tail, (name, a, b, lost.get(name))


def test_one_block():
    with Case() as c:
        seg = c.path("bronze/pi/pi_timeseries/group-2/00000001.gj")
        flip(seg, 2000)
        lost, done = c.heal(seg, 2000)
        assert len(lost) == 20, len(lost)
        assert all(r == [("2026-03-01T11:00:00.0000000Z",
                          "2026-03-01T12:00:00.0000000Z")]
                   for r in lost.values()), lost
        holes = [x for x in done if x["kind"] == "journal.hole"]
        assert len(holes) == 1, holes
        kept = glob.glob(c.path("quarantine/damaged/*"))
        assert len(kept) == 2, kept


def test_each_block():
    """A block after the other, of whatever kind; the silver is from before,
    or made again: both end equal."""
    with Case() as c:
        seg = c.path("bronze/pi/pi_timeseries/group-1/00000001.gj")
        with open(seg, "rb") as f:
            data = f.read()
        at, places = 40, []
        while at < len(data):
            assert data[at:at + 4] == b"GJBK"
            places.append(at)
            at += 80 + int.from_bytes(data[at + 8:at + 12], "little")
        # schema, rows, schema, cover; a batch may be two blocks of rows
        assert 8 <= len(places) <= 10, places
        for i, at in enumerate(places):
            if i in (2, 4, 6, 7) and KILLS < 10:
                continue
            c.reset()
            if i % 2:
                shutil.rmtree(c.path("silver/pi/pi_timeseries"))
            flip(seg, at + 20)
            c.heal(seg, at + 20)


def test_one_segment():
    with Case() as c:
        seg = c.path("bronze/pi/pi_timeseries/group-3/00000001.gj")
        os.unlink(seg)
        lost, _ = c.heal(seg, 0)
        assert len(lost) == 20, len(lost)
        c.reset()
        os.truncate(seg, 1234)
        c.heal(seg, 1234)


def test_a_walk():
    with Case() as c:
        seg = c.path("bronze/pi/pi_points/group-0/00000001.gj")
        flip(seg, os.path.getsize(seg) // 2)
        _, done = c.heal(seg)
        assert any(x["kind"] == "walk.drop" for x in done), done


def test_data_files():
    with Case() as c:
        silver = c.path("silver/pi/pi_timeseries")
        part = only(silver, "date=*/*.parquet")
        flip(part, os.path.getsize(part) // 2)
        lost, _ = c.heal(part, os.path.getsize(part) // 2, ["silver.page"])
        assert not lost
        c.reset()
        os.unlink(part)
        lost, _ = c.heal(part, None, ["silver.missing"])
        assert not lost


def test_the_log():
    with Case() as c:
        log = sorted(glob.glob(c.path(
            "silver/pi/pi_timeseries/_delta_log/*.json")))
        os.truncate(log[-1], os.path.getsize(log[-1]) - 40)
        lost, done = c.heal(log[-1], None, ["silver.log"])
        assert not lost and [x["kind"] for x in done[:-1]] == \
            ["silver.log"], done
        c.reset()
        os.unlink(log[0])
        lost, done = c.heal(log[0], None, ["silver.log"])
        assert not lost and "silver.table" in {x["kind"] for x in done}


def test_the_ledger():
    with Case() as c:
        mdb = c.path("ledger/data.mdb")
        version = json.loads(c.site.garner("status", "--json").stdout)
        shutil.rmtree(c.path("ledger"))
        lost, _ = c.heal(mdb, None, ["ledger.missing"])
        assert not lost
        # silver knew its instance again: nothing was read a second time
        now = json.loads(c.site.garner("status", "--json").stdout)
        for a, b in zip(version["tables"], now["tables"]):
            assert b["journal_rows"] >= a["journal_rows"] > 0, (a, b)
        c.reset()
        with open(mdb, "r+b") as f:
            f.write(b"\0" * 8192)
        c.heal(mdb, None, ["ledger.damaged"])
        assert glob.glob(c.path("quarantine/damaged/ledger-1/data.mdb"))


def test_the_ledger_and_a_block():
    """Both at once: what the ledger would have known is not covered."""
    with Case() as c:
        seg = c.path("bronze/pi/pi_timeseries/group-2/00000001.gj")
        flip(seg, 2000)
        shutil.rmtree(c.path("ledger"))
        c.heal(c.path("ledger/data.mdb"), finish=False)
        c.finish({n: [("2026-03-01T11:00:00.0000000Z",
                       "2026-03-01T12:00:00.0000000Z")]
                  for n in c.names.values()})


def test_an_older_ledger():
    """A ledger of yesterday put back: journals are not cut to it."""
    with Mock("--tags", 40, log=True) as m, Site(m.url, size=20) as s:
        s.garner("harvest")
        shutil.copytree(os.path.join(s.data, "ledger"), s.data + ".old")
        for minute in (10, 20, 30):
            m.set_now("2026-03-01T12:%d:00Z" % minute)
            s.garner("harvest")
        s.garner("compact")
        shutil.rmtree(os.path.join(s.data, "ledger"))
        os.rename(s.data + ".old", os.path.join(s.data, "ledger"))
        r = s.garner("harvest", status=65)
        assert "garner repair" in r.stderr, r.stderr
        r = s.garner("repair", status=1)
        assert "ledger.rebuild" in r.stdout, r.stdout
        s.garner("repair", "--apply")
        s.garner("verify")
        since = len(m.requests())
        s.garner("harvest")
        s.garner("compact")
        check_silver(m, s, A, "2026-03-01T12:30:00Z")
        for r in m.requests()[since:]:
            if "recorded" in r["target"]:
                q = parse_qs(urlsplit(r["target"]).query)
                assert q["startTime"][0] >= "2026-03-01T12:15", r


def test_refetch_and_refusals():
    with Case() as c:
        r = c.site.garner("repair")
        assert r.stdout == "nothing to repair\n", r.stdout
        c.site.garner("repair", "--refetch", status=64)
        seg = c.path("bronze/pi/pi_timeseries/group-2/00000001.gj")
        flip(seg, 2000)
        c.site.garner("compact", "--rebuild", "--table", "pi_timeseries",
                      status=65)
        c.site.garner("repair", "--apply", "--refetch")
        c.site.garner("compact")
        check_silver(c.mock, c.site, A, B)
        assert not c.verify(0)


def damage(rng, root):
    """Something to some file below bronze or silver: what was done."""
    files = sorted(os.path.join(d, n) for top in ("bronze", "silver")
                   for d, _, names in os.walk(os.path.join(root, top))
                   for n in names if "lock" not in n)
    path = rng.choice(files)
    size = os.path.getsize(path)
    how = rng.choice(["flip", "flip", "cut", "gone", "zeros"])
    at = rng.randrange(size)
    if how == "flip":
        flip(path, at)
    elif how == "cut":
        os.truncate(path, at)
    elif how == "gone":
        os.unlink(path)
    else:
        with open(path, "r+b") as f:
            f.seek(at)
            f.write(b"\0" * min(512, size - at))
    return "%s %s at %d of %d" % (how, os.path.relpath(path, root), at, size)


def test_any_damage():
    """To any files, two at a time: found, repaired, asked for again, equal.
    The log is JSON: what changed in it may mean the same to a reader."""
    rng = random.Random(seed())
    with Case() as c:
        for i in range(KILLS):
            c.reset()
            done = [damage(rng, c.site.data) for _ in range(2)]
            found = c.site.garner("verify", status=None)
            assert found.returncode == 1 or all(
                "_delta_log" in x or "zeros" in x for x in done), done
            try:
                r = lines(c.site.garner("repair", "--apply", "--json"))
                # what is made of walks alone waits for the next one
                waits = {x["table"] for x in r if x["kind"] == "walk.drop"}
                bad = c.verify(None)
                assert all(x["table"] in waits for x in bad), (bad, waits)
                c.site.garner("harvest")
                c.site.garner("compact")
                check_silver(c.mock, c.site, A, B)
                assert not c.verify(0)
            except AssertionError:
                print(done, flush=True)
                raise


def test_killed_in_between():
    """The ledger lost and a block damaged; repair is killed at random."""
    rng = random.Random(seed())
    with Case() as c:
        struck = 0
        for i in range(KILLS):
            c.reset()
            seg = c.path("bronze/pi/pi_timeseries/group-2/00000001.gj")
            flip(seg, 2000)
            if i % 2:
                shutil.rmtree(c.path("ledger"))
            part = only(c.path("silver/pi/pi_timeseries"),
                        "date=*/*.parquet")
            os.unlink(part)
            p = c.site.start("repair", "--apply")
            time.sleep(rng.random() * 0.12)
            struck += p.poll() is None
            p.send_signal(signal.SIGKILL)
            p.wait()
            c.site.garner("repair", "--apply")
            assert not c.verify(0)
            c.site.garner("harvest")
            c.site.garner("compact")
            check_silver(c.mock, c.site, A, B)
        print("repairs killed %d, struck %d, recovered %d"
              % (KILLS, struck, KILLS), flush=True)


main(globals())
