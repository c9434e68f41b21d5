"""The main job judged by others: delta-rs, DuckDB and pyarrow read every
silver table; each value is compared with the mock's truth. Prints one line a
check, ok or FAIL, and exits 1 when one failed."""

import datetime
import glob
import json
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))

import deltalake                                    # noqa: E402
import duckdb                                       # noqa: E402
import pyarrow as pa                                # noqa: E402
import pyarrow.parquet as pq                        # noqa: E402

from harness import Mock, Site, TABLES, compare, main, stamp, want_rows  # noqa: E402

A, B, C = ("2026-03-01T11:00:00Z", "2026-03-01T12:00:00Z",
           "2026-03-01T12:20:00Z")
EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)


def text_of(value):
    """Reader types -> the forms of the truth."""
    if isinstance(value, datetime.datetime):
        if value.tzinfo is None:
            value = value.replace(tzinfo=datetime.timezone.utc)
        d = value.astimezone(datetime.timezone.utc) - EPOCH
        us = (d.days * 86400 + d.seconds) * 1000000 + d.microseconds
        t = EPOCH + datetime.timedelta(seconds=us // 1000000)
        return t.strftime("%Y-%m-%dT%H:%M:%S") + ".%06d0Z" % (us % 1000000)
    return value


def normal(rows):
    return [stamp({k: text_of(v) for k, v in r.items() if k != "date"})
            for r in rows]


def live_files(table_dir):
    """A replay of the Delta log of our own: the newest action of a path."""
    state = {}
    for name in sorted(glob.glob(os.path.join(table_dir, "_delta_log",
                                              "*.json"))):
        with open(name, encoding="utf-8") as f:
            for line in f:
                action = json.loads(line)
                if "add" in action:
                    state[action["add"]["path"]] = action["add"]
                elif "remove" in action:
                    state.pop(action["remove"]["path"], None)
    return state


def by_delta_rs(d):
    return deltalake.DeltaTable(d).to_pyarrow_table().to_pylist()


def by_pyarrow(d):
    rows = []
    for path in live_files(d):
        rows += pq.ParquetFile(
            os.path.join(d, path),
            page_checksum_verification=True).read().to_pylist()
    return rows


def by_duckdb(d):
    files = [os.path.join(d, p) for p in live_files(d)]
    if not files:
        return []
    con = duckdb.connect()
    con.execute("SET TimeZone='UTC'")
    cur = con.execute("SELECT * FROM read_parquet($1)", [files])
    names = [c[0] for c in cur.description]
    return [dict(zip(names, r)) for r in cur.fetchall()]


READERS = {"delta-rs": by_delta_rs, "pyarrow": by_pyarrow,
           "duckdb": by_duckdb}


def judge(mock, site, end, what):
    for table in TABLES:
        want = want_rows(mock, table, A, end)
        d = os.path.join(site.data, "silver", "pi", table)
        for reader, read in READERS.items():
            n = compare(table, normal(read(d)), want,
                        "%s by %s" % (what, reader))
            print("ok %s: %s by %s: %d rows, every column" % (
                what, table, reader, n), flush=True)
        stats(d)


def stats(d):
    """numRecords, min and max of each file against the file."""
    for path, add in live_files(d).items():
        t = pq.read_table(os.path.join(d, path))
        s = json.loads(add["stats"])
        assert s["numRecords"] == t.num_rows, path
        assert add["size"] == os.path.getsize(os.path.join(d, path)), path
        for name, nulls in s["nullCount"].items():
            if isinstance(nulls, int):
                assert t.column(name).null_count == nulls, (path, name)


def test_first_run_and_second():
    with Mock("--tags", 150, "--late", "0.05") as m, \
            Site(m.url, size=30, reread="3h") as s:
        s.garner("harvest")
        s.garner("compact")
        judge(m, s, B, "first run")
        m.set_now(C)
        s.garner("harvest", "--discover")
        s.garner("compact")
        judge(m, s, C, "second run")


def test_filters_agree_with_scans():
    """What statistics let a reader skip must not hold a matching row."""
    with Mock("--tags", 120) as m, Site(m.url, size=60) as s:
        s.garner("harvest")
        s.garner("compact")
        d = os.path.join(s.data, "silver", "pi", "pi_timeseries")
        files = [os.path.join(d, p) for p in live_files(d)]
        con = duckdb.connect()
        rows = pa.concat_tables(pq.read_table(f) for f in files)
        tags = sorted(set(rows.column("tag_webid").to_pylist()))
        for tag in tags[::20]:
            n = con.execute("SELECT count(*) FROM read_parquet($1) WHERE "
                            "tag_webid = $2", [files, tag]).fetchone()[0]
            all_of = rows.column("tag_webid").to_pylist().count(tag)
            assert n == all_of, (tag, n, all_of)
        values = sorted(v for v in rows.column("value").to_pylist()
                        if v is not None)
        for v in values[::max(1, len(values) // 20)]:
            n = con.execute("SELECT count(*) FROM read_parquet($1) WHERE "
                            "value >= $2", [files, v]).fetchone()[0]
            want = sum(1 for x in values if x >= v)
            assert n == want, (v, n, want)
        table = deltalake.DeltaTable(d)
        for day in ("2026-03-01", "2026-02-28"):
            n = table.to_pyarrow_table(
                filters=[("date", "=", datetime.date.fromisoformat(day))]
            ).num_rows
            assert n == (rows.num_rows if day == "2026-03-01" else 0), day


def test_protocol():
    with Mock("--tags", 5) as m, Site(m.url) as s:
        s.garner("harvest")
        s.garner("compact")
        d = os.path.join(s.data, "silver", "pi", "pi_timeseries")
        t = deltalake.DeltaTable(d)
        p = t.protocol()
        assert (p.min_reader_version, p.min_writer_version) == (1, 2)
        assert t.metadata().partition_columns == ["date"]
        first = os.path.join(d, "_delta_log", "%020d.json" % 0)
        actions = [json.loads(x) for x in open(first, encoding="utf-8")]
        assert [a for a in actions if "txn" in a], actions


def test_empty_table():
    """A table without a row is a table, too."""
    with Mock("--tags", 5, "--start", "2026-03-01T11:59:59Z", "--density",
              "fast=1h,medium=1h,slow=1h") as m, Site(m.url) as s:
        s.garner("harvest", status=None)
        s.garner("compact", status=None)
        d = os.path.join(s.data, "silver", "pi", "pi_points")
        assert len(by_delta_rs(d)) == 5


if __name__ == "__main__":
    main(globals())
