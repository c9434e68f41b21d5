"""garner verify: nothing is found where nothing is wrong, also while a
harvest runs; what is damaged is named by kind, file and place; parts of a
sample are together everything. It writes nothing."""

import glob
import json
import os
import shutil

from harness import Mock, Site, main

A = "2026-03-01T11:00:00Z"


def findings(site, *args, status=None):
    r = site.garner("verify", "--json", *args, status=status)
    lines = [json.loads(x) for x in r.stdout.splitlines()]
    assert lines and lines[-1]["kind"] == "summary", r.stdout
    assert r.returncode == (1 if lines[-1]["errors"] else 0), r.returncode
    bad = [x for x in lines[:-1] if x["severity"] == "error"]
    assert len(bad) == lines[-1]["errors"]
    return bad, lines[-1], lines[:-1]


def filled(mock, site):
    site.garner("harvest")
    site.garner("compact")
    mock.set_now("2026-03-01T12:10:00Z")
    site.garner("harvest")
    site.garner("compact")


def flip(path, at):
    with open(path, "r+b") as f:
        f.seek(at)
        byte = f.read(1)[0]
        f.seek(at)
        f.write(bytes([byte ^ 0x10]))


def last_first_row(part):
    """Where the first row of the last page stands: the offset index of the
    last column, which is before the footer, ends with it and two zeros."""
    with open(part, "rb") as f:
        data = f.read()
    at = len(data) - 8 - int.from_bytes(data[-8:-4], "little") - 3
    assert data[at + 1:at + 3] == b"\0\0", data[at - 8:at + 3]
    return at


def only(pattern, *parts):
    found = sorted(glob.glob(os.path.join(*parts, pattern)))
    assert found, pattern
    return found[0]


def tree(root):
    out = {}
    for folder, _, names in os.walk(root):
        for n in names:
            p = os.path.join(folder, n)
            st = os.stat(p)
            if n != "lock.mdb":        # LMDB's table of readers
                out[p] = (st.st_size, st.st_mtime_ns, st.st_ino)
    return out


def test_nothing_is_wrong_and_nothing_written():
    with Mock("--tags", 60) as m, Site(m.url, size=20) as s:
        r = s.garner("verify", status=66)
        assert "nothing was harvested" in r.stderr, r.stderr
        filled(m, s)
        before = tree(s.data)
        bad, total, notes = findings(s, status=0)
        assert not bad and not notes, (bad, notes)
        assert total["streams"] == 62 and total["blocks"] > 20, total
        assert tree(s.data) == before
        r = s.garner("verify", status=0)
        assert r.stdout.startswith("good: ") and r.stderr == "", r.stderr


def test_parts_are_together_everything():
    with Mock("--tags", 60) as m, Site(m.url, size=10) as s:
        filled(m, s)
        _, whole, _ = findings(s, status=0)
        rows = [findings(s, "--sample", "%d/4" % i, status=0)[1]["rows"]
                for i in range(1, 5)]
        assert sum(rows) == whole["rows"], (rows, whole)
        assert max(rows) < whole["rows"]
        few = findings(s, "--sample", "5%", status=0)[1]
        assert few["rows"] < whole["rows"], few
        for wrong in ("0/3", "4/3", "x", "0%", "101%", "3/", "3"):
            s.garner("verify", "--sample", wrong, status=64)


def test_damage_is_named():
    with Mock("--tags", 60) as m, Site(m.url, size=20) as s:
        filled(m, s)
        keep = s.data + ".keep"
        shutil.copytree(s.data, keep)

        def damaged(*kinds):
            bad, _, _ = findings(s, status=1)
            got = {x["kind"] for x in bad}
            assert got == set(kinds), (got, bad[:3])
            shutil.rmtree(s.data)
            shutil.copytree(keep, s.data)
            return bad

        try:
            bronze = os.path.join(s.data, "bronze/pi/pi_timeseries/group-2")
            seg = only("*.gj", bronze)
            # in the middle of the first block of rows
            flip(seg, 2000)
            bad = damaged("journal.block", "coverage.unproven")
            block = [x for x in bad if x["kind"] == "journal.block"]
            assert len(block) == 1 and block[0]["path"] == seg, block
            assert 40 <= block[0]["offset"] <= 2000, block
            assert {x["stream"] for x in bad if "stream" in x} and all(
                x["table"] == "pi_timeseries" for x in bad)
            lost = [x for x in bad if x["kind"] == "coverage.unproven"]
            assert len(lost) == 20 and all(
                x["from"] == "2026-03-01T11:00:00.0000000Z" for x in lost)

            flip(seg, 9)                   # the segment's header
            bad = damaged("journal.segment")
            assert bad[0]["path"] == seg and bad[0]["offset"] == 0, bad

            os.unlink(seg)
            bad = damaged("journal.segment", "coverage.unproven")
            assert [x["path"] for x in bad if "path" in x] == [seg], bad

            silver = os.path.join(s.data, "silver/pi/pi_timeseries")
            part = only("date=*/*.parquet", silver)
            size = os.path.getsize(part)
            flip(part, size // 2)
            bad = damaged("silver.page")
            assert bad[0]["path"] == part, bad
            assert 0 < bad[0]["offset"] <= size // 2, bad
            flip(part, size - 3)
            assert damaged("silver.file")[0]["path"] == part
            flip(part, last_first_row(part))
            bad = damaged("silver.index")
            assert bad[0]["path"] == part and "first row" in bad[0]["text"]
            os.truncate(part, size - 5)
            assert damaged("silver.size")[0]["path"] == part
            os.unlink(part)
            assert damaged("silver.missing")[0]["path"] == part

            log = sorted(glob.glob(os.path.join(silver,
                                                "_delta_log/*.json")))
            os.truncate(log[-1], 100)
            assert damaged("silver.log")[0]["path"] == log[-1]
            os.unlink(log[0])
            assert damaged("silver.log")[0]["path"] == log[0]

            shutil.rmtree(os.path.join(s.data, "ledger"))
            bad = damaged("ledger.missing")
            assert bad[0]["path"].endswith("ledger/data.mdb"), bad
            mdb = os.path.join(s.data, "ledger/data.mdb")
            with open(mdb, "r+b") as f:
                f.write(b"\0" * 8192)
            bad = damaged("ledger.damaged")
            assert bad[0]["path"].endswith("ledger/data.mdb"), bad
        finally:
            shutil.rmtree(keep)


def test_a_lost_ledger_costs_no_journal():
    """A harvest without its ledger would begin anew, and cut the journals
    back to nothing."""
    with Mock("--tags", 20) as m, Site(m.url, size=20) as s:
        filled(m, s)
        before = tree(os.path.join(s.data, "bronze"))
        shutil.rmtree(os.path.join(s.data, "ledger"))
        for command in ("harvest", "discover", "compact", "status"):
            r = s.garner(command, status=65)
            assert "garner repair" in r.stderr, r.stderr
        after = tree(os.path.join(s.data, "bronze"))
        assert after == before, set(after) ^ set(before)


def test_leftovers_are_notes():
    with Mock("--tags", 20) as m, Site(m.url, size=20) as s:
        filled(m, s)
        seg = only("*.gj", s.data, "bronze/pi/pi_timeseries/group-1")
        with open(seg, "ab") as f:
            f.write(b"torn")
        silver = os.path.join(s.data, "silver/pi/pi_timeseries")
        part = only("date=*/*.parquet", silver)
        shutil.copy(part, part.replace("part-", "part-9"))
        os.makedirs(os.path.join(s.data, "tmp/compact-x"))
        os.makedirs(os.path.join(s.data, "bronze/pi/pi_timeseries/group-9"))
        bad, _, notes = findings(s, status=0)
        assert not bad, bad
        assert {n["kind"] for n in notes} == {
            "leftover.tail", "leftover.data", "leftover.file",
            "leftover.journal"}, notes
        tail = [n for n in notes if n["kind"] == "leftover.tail"][0]
        assert tail["offset"] == os.path.getsize(seg) - 4, tail


def test_beside_a_harvest():
    """What is committed meanwhile is never taken for damage."""
    with Mock("--tags", 400, "--latency", "20ms") as m, \
            Site(m.url, size=50,
                 harvest="  commit_every: 20ms\n  commit_rows: 2000\n"
                         "  target_items: 1000\n") as s:
        s.garner("discover")
        runs = 0
        with s.start("harvest") as p:
            while p.poll() is None:
                bad, _, _ = findings(s)
                assert not bad, bad[:3]
                runs += 1
            assert p.returncode == 0
        assert runs >= 2, runs
        s.garner("compact")
        assert not findings(s, status=0)[0]


main(globals())
