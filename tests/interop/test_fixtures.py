"""Parquet files and a Delta table that garner wrote, judged by others:
pyarrow, DuckDB and delta-rs must give each value of the .ndjson beside a
file; footer, statistics, page index and pruning are checked, too. Prints one
line a check, ok or FAIL, and exits 1 when one failed.

    test_fixtures.py [DIR]      DIR: the output of make_fixtures; without it
                                the program of the build folder is run."""

import datetime
import glob
import json
import math
import os
import shutil
import struct
import subprocess
import sys
import tempfile

import deltalake
import duckdb
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq

UTC = datetime.timezone.utc
EPOCH = datetime.datetime(1970, 1, 1, tzinfo=UTC)
failed = 0


def check(what, good, detail=""):
    global failed
    if good:
        print("ok", what, flush=True)
    else:
        failed += 1
        print("FAIL", what, str(detail)[:300], flush=True)


# --- one form for what readers give and what is expected ---------------------

def micros(when):
    if when.tzinfo is None:
        when = when.replace(tzinfo=UTC)
    d = when - EPOCH
    return (d.days * 86400 + d.seconds) * 1000000 + d.microseconds


def micros_of_text(text):
    """2026-03-01T12:00:00.1234567Z -> microseconds, floor."""
    head, rest = text[:19], text[20:27]
    d = datetime.datetime.strptime(head, "%Y-%m-%dT%H:%M:%S")
    return micros(d) + int(rest) // 10


def bits(x):
    """A double as its bits, so that -0.0 and 0.0 differ; all NaN alike."""
    return "nan" if math.isnan(x) else struct.pack(">d", x).hex()


def normal(value):
    if isinstance(value, datetime.datetime):
        return micros(value)
    if isinstance(value, datetime.date):
        return value.isoformat()
    if isinstance(value, float):
        return bits(value)
    return value


def number(text):
    return -0.0 if text == "-0" else int(text)


def truth(path):
    """The rows of the .ndjson; types by the names of the columns."""
    rows = []
    with open(path, encoding="utf-8") as f:
        for line in f:
            row = json.loads(line, parse_int=number)
            for k, v in row.items():
                if v is None:
                    continue
                if k in ("t", "rt", "timestamp"):
                    row[k] = micros_of_text(v)
                elif k in ("d", "rd", "finite", "value"):
                    row[k] = bits(float(v))
            rows.append(row)
    return rows


def same(got, want):
    got = [{k: normal(v) for k, v in row.items()} for row in got]
    if len(got) != len(want):
        return False, "%d rows, expected %d" % (len(got), len(want))
    for i, (g, w) in enumerate(zip(got, want)):
        if g != w:
            bad = [k for k in w if g.get(k) != w[k]]
            return False, "row %d column %s: got %r, expected %r" % (
                i, bad, [g.get(k) for k in bad], [w[k] for k in bad])
    return True, ""


def unpack(table):
    """to_pylist() of pyarrow, for dates beyond what datetime can hold, too."""
    return table.to_pylist()


# --- readers -------------------------------------------------------------------

def connect():
    con = duckdb.connect()
    con.execute("SET TimeZone='UTC'")
    con.execute("SET threads=2")
    return con


def by_duckdb(con, sql, args):
    cur = con.execute(sql, args)
    names = [c[0] for c in cur.description]
    return [dict(zip(names, r)) for r in cur.fetchall()]


def read_all(path, want, name):
    t = pq.ParquetFile(path, page_checksum_verification=True).read()
    check("%s: pyarrow, page checksums verified" % name,
          *same(unpack(t), want))
    t = ds.dataset(path).to_table()
    check("%s: pyarrow dataset" % name, *same(unpack(t), want))
    rows = by_duckdb(connect(), "SELECT * FROM read_parquet($1)", [path])
    check("%s: DuckDB" % name, *same(rows, want))


# --- footer ----------------------------------------------------------------------

def stat_value(column, x):
    if column.physical_type == "DOUBLE":
        return x
    return normal(x)


def in_file(values, kind):
    """The column's values that are not null, as statistics see them."""
    out = []
    for v in values:
        if isinstance(v, list):
            out += [x for x in v if x is not None]
        elif v is not None:
            out.append(v)
    return out


def check_chunk(name, chunk, values, flat, problems):
    st = chunk.statistics
    if st is None or not st.has_null_count:
        problems.append("%s: no null count" % name)
        return
    if flat and st.null_count != sum(v is None for v in values):
        problems.append("%s: null_count %d" % (name, st.null_count))
    real = in_file(values, chunk.physical_type)
    nan = any(isinstance(v, float) and math.isnan(v) for v in real)
    if not real or nan:
        if st.has_min_max:
            problems.append("%s: min/max of nothing or NaN" % name)
        return
    if not st.has_min_max:
        # U+10FFFF has no character after it; no bound is no lie.
        if not any(isinstance(v, str) and "\U0010ffff" in v for v in real):
            problems.append("%s: no min/max" % name)
        return
    low, high = min(map(key, real)), max(map(key, real))
    if key(st.min) > low or key(st.max) < high:
        problems.append("%s: [%r, %r] does not hold [%r, %r]" % (
            name, st.min, st.max, low, high))
    if not isinstance(real[0], str) and (
            key(st.min) != low or key(st.max) != high):
        problems.append("%s: [%r, %r] is wider than [%r, %r]" % (
            name, st.min, st.max, low, high))
    if isinstance(real[0], float):
        for x, sign in ((st.min, -1.0), (st.max, 1.0)):
            if x == 0 and math.copysign(1, x) != sign:
                problems.append("%s: zero of the wrong sign" % name)


def key(v):
    if isinstance(v, str):
        return v.encode("utf-8")
    if isinstance(v, datetime.datetime):
        return micros(v)
    return v


def check_footer(path, name):
    f = pq.ParquetFile(path)
    md = f.metadata
    check("%s: created_by" % name, md.created_by.startswith(
        "garner version ") and "(build " in md.created_by, md.created_by)
    check("%s: format version 1" % name, md.format_version == "1.0",
          md.format_version)
    problems = []
    total = 0
    for g in range(md.num_row_groups):
        group = md.row_group(g)
        rows = f.read_row_group(g)
        total += group.num_rows
        if rows.num_rows != group.num_rows:
            problems.append("group %d: %d rows" % (g, rows.num_rows))
        for c in range(group.num_columns):
            chunk = group.column(c)
            column = chunk.path_in_schema.split(".")[0]
            label = "group %d %s" % (g, chunk.path_in_schema)
            values = rows.column(column).to_pylist()
            check_chunk(label, chunk, values,
                        "." not in chunk.path_in_schema, problems)
            if chunk.compression != "ZSTD":
                problems.append("%s: %s" % (label, chunk.compression))
            if not chunk.has_offset_index:
                problems.append("%s: no offset index" % label)
    check("%s: statistics, codec, page index of %d row groups" % (
        name, md.num_row_groups), not problems, problems[:3])
    check("%s: rows of the footer" % name, total == md.num_rows)


def check_types(path):
    s = pq.read_schema(path)
    want = {"seq": pa.int64(), "b": pa.bool_(), "i": pa.int32(),
            "l": pa.int64(), "d": pa.float64(), "s": pa.string(),
            "t": pa.timestamp("us", tz="UTC"),
            "list": pa.list_(pa.field("element", pa.string()))}
    for k, t in want.items():
        f = s.field(k)
        check("type of %s" % k, f.type == t, f.type)
        check("nullable %s" % k, f.nullable == (k != "seq"))
    check("required", not s.field("rs").nullable)


# --- filters against scans ---------------------------------------------------------

OPS = (("<", lambda a, b: a < b), ("<=", lambda a, b: a <= b),
       ("=", lambda a, b: a == b), (">=", lambda a, b: a >= b),
       (">", lambda a, b: a > b))


def spread(values, n):
    values = sorted(set(values), key=key)
    return values[::max(1, len(values) // n)] + values[-1:]


def check_filters(path, columns, name):
    """Pushed down, where statistics and page index prune, and in Python."""
    table = pq.read_table(path)
    con = connect()
    for c in columns:
        values = [v for v in table.column(c).to_pylist() if v is not None]
        clean = [v for v in values
                 if not (isinstance(v, float) and math.isnan(v))]
        tried, problems = 0, []
        for v in spread(clean, 12):
            for op, f in OPS:
                if len(clean) != len(values) and op in (">", ">="):
                    continue    # engines order NaN in different ways
                want = sum(1 for x in clean if f(key(x), key(v)))
                got = con.execute(
                    "SELECT count(*) FROM read_parquet($1) WHERE %s %s $2" %
                    (c, op), [path, v]).fetchone()[0]
                arrow = ds.field(c)
                s = pa.scalar(v, type=table.schema.field(c).type)
                expr = {"<": arrow < s, "<=": arrow <= s, "=": arrow == s,
                        ">=": arrow >= s, ">": arrow > s}[op]
                other = ds.dataset(path).count_rows(filter=expr)
                tried += 1
                if got != want or other != want:
                    problems.append("%s %r: DuckDB %d, pyarrow %d, "
                                    "expected %d" % (op, v, got, other, want))
        check("%s: %d filters on %s agree with a scan" % (name, tried, c),
              not problems, problems[:2])


def sql_literal(v):
    if isinstance(v, str):
        return "'%s'" % v.replace("'", "''")
    if isinstance(v, datetime.datetime):
        return ("arrow_cast(%d, 'Timestamp(Microsecond, Some(\"UTC\"))')" %
                micros(v))
    return repr(v)


def check_page_index(path, columns, name):
    """DataFusion, inside delta-rs, prunes by the page index."""
    table = pq.read_table(path)
    with tempfile.TemporaryDirectory() as tmp:
        shutil.copy(path, tmp)
        deltalake.convert_to_deltalake(tmp)
        query = deltalake.QueryBuilder().register(
            "t", deltalake.DeltaTable(tmp))
        for c in columns:
            values = [v for v in table.column(c).to_pylist()
                      if v is not None]
            tried, problems = 0, []
            for v in spread(values, 15):
                # It orders -0.0 before 0.0 and has no literal below int64.
                if v == 0 and isinstance(v, float) or v == -2 ** 63:
                    continue
                for op, f in OPS:
                    want = sum(1 for x in values if f(key(x), key(v)))
                    got = query.execute(
                        "SELECT count(*) AS n FROM t WHERE %s %s %s" % (
                            c, op, sql_literal(v))).read_all()
                    got = pa.table(got).column("n").to_pylist()[0]
                    tried += 1
                    if got != want:
                        problems.append("%s %r: %d, expected %d" % (
                            op, v, got, want))
            check("%s: %d filters on %s by DataFusion" % (name, tried, c),
                  tried > 0 and not problems, problems[:2])


def check_sorted(path):
    md = pq.ParquetFile(path).metadata
    for g in range(md.num_row_groups):
        cols = [(c.column_index, c.descending, c.nulls_first)
                for c in md.row_group(g).sorting_columns]
        check("sorted: sorting_columns of group %d" % g,
              cols == [(0, False, False), (2, False, False)], cols)
    rows = [(r["tag_webid"], r["timestamp"])
            for r in pq.read_table(path).to_pylist()]
    check("sorted: it is", rows == sorted(rows))


def check_damage(path):
    """A flipped bit in any page is found by the page checksum."""
    with open(path, "rb") as f:
        data = bytearray(f.read())
    col = pq.ParquetFile(path).metadata.row_group(0).column(4)
    start, size = col.data_page_offset, col.total_compressed_size
    found, tried = 0, 0
    with tempfile.TemporaryDirectory() as tmp:
        for k in range(60, size, max(1, size // 20)):
            bad = bytearray(data)
            bad[start + k] ^= 4
            p = os.path.join(tmp, "bad.parquet")
            with open(p, "wb") as f:
                f.write(bad)
            tried += 1
            try:
                pq.ParquetFile(p, page_checksum_verification=True).read()
            except (OSError, pa.ArrowException):
                found += 1
    check("page checksums: %d of %d flipped bits found" % (found, tried),
          found == tried)


# --- Delta ---------------------------------------------------------------------------

def by_seq(rows, columns):
    return sorted(rows, key=lambda r: tuple(str(r[c]) for c in columns))


def check_delta(table_dir, want):
    t = deltalake.DeltaTable(table_dir)
    keys = ("tag_webid", "timestamp")
    got = [{k: normal(v) for k, v in row.items()}
           for row in t.to_pyarrow_table().to_pylist()]
    want = by_seq(want, keys)
    check("delta: delta-rs reads %d rows" % len(want),
          *same(by_seq(got, keys), want))
    p = t.protocol()
    check("delta: protocol (1, 2)", (p.min_reader_version,
                                     p.min_writer_version) == (1, 2))
    check("delta: partition column",
          t.metadata().partition_columns == ["date"])
    files = t.file_uris()
    check("delta: files exist", all(os.path.exists(f) for f in files), files)
    rows = by_duckdb(connect(), "SELECT * FROM read_parquet($1, "
                     "hive_partitioning=true, union_by_name=true)", [files])
    rows = [{k: normal(v) for k, v in r.items()} for r in rows]
    check("delta: DuckDB on the live files", *same(by_seq(rows, keys), want))
    rows = ds.dataset(files, schema=t.to_pyarrow_dataset().schema)
    check("delta: pyarrow on the live files",
          rows.count_rows() == len(want))
    check_delta_log(table_dir)
    check_delta_pruning(t, want)


def check_delta_log(table_dir):
    problems = []
    logs = sorted(glob.glob(os.path.join(table_dir, "_delta_log", "*")))
    names = [os.path.basename(x) for x in logs]
    check("delta: versions have no gap, nothing else is there",
          names == ["%020d.json" % i for i in range(len(names))], names)
    for log in logs:
        with open(log, encoding="utf-8") as f:
            actions = [json.loads(line) for line in f]
        kinds = [next(iter(a)) for a in actions]
        if kinds.count("commitInfo") != 1:
            problems.append("%s: %r" % (log, kinds))
        for a in actions:
            if "add" in a:
                problems += check_add(table_dir, a["add"])
            if "remove" in a:
                r = a["remove"]
                if not (r["extendedFileMetadata"] is True and r["size"] > 0
                        and "date" in r["partitionValues"]
                        and isinstance(r["deletionTimestamp"], int)
                        and isinstance(r["dataChange"], bool)):
                    problems.append("remove %r" % r)
    check("delta: each action", not problems, problems[:3])


def check_add(table_dir, add):
    path = os.path.join(table_dir, add["path"])
    stats = json.loads(add["stats"])
    t = pq.read_table(path)
    bad = []
    if add["size"] != os.path.getsize(path):
        bad.append("%s: size" % path)
    if len(add["tags"]["garner.xxh64"]) != 16:
        bad.append("%s: tags" % path)
    if stats["numRecords"] != t.num_rows:
        bad.append("%s: numRecords" % path)
    for c in t.column_names:
        if pa.types.is_list(t.column(c).type):
            continue
        if stats["nullCount"].get(c) != t.column(c).null_count:
            bad.append("%s: nullCount of %s" % (path, c))
        values = [v for v in t.column(c).to_pylist() if v is not None]
        if c not in stats["minValues"] or not values:
            continue
        low, high = stats["minValues"][c], stats["maxValues"][c]
        if isinstance(values[0], datetime.datetime):
            low, high = micros_of_text(low[:-1] + "0000Z"), \
                micros_of_text(high[:-1] + "0000Z")
        real = [key(v) for v in values]
        if key(low) > min(real) or key(high) < max(real):
            bad.append("%s: %s [%r, %r]" % (path, c, low, high))
    return bad


def check_delta_pruning(t, want):
    d = t.to_pyarrow_dataset()
    times = sorted({r["timestamp"] for r in want})
    problems = []
    for us in times[::max(1, len(times) // 40)] + times[-1:]:
        s = pa.scalar(us, type=pa.timestamp("us", tz="UTC"))
        for expr, n in (
                (ds.field("timestamp") >= s,
                 sum(r["timestamp"] >= us for r in want)),
                (ds.field("timestamp") <= s,
                 sum(r["timestamp"] <= us for r in want)),
                (ds.field("timestamp") == s,
                 sum(r["timestamp"] == us for r in want))):
            if d.count_rows(filter=expr) != n:
                problems.append("%d: %s" % (us, expr))
    check("delta: pruning at boundaries agrees with a scan", not problems,
          problems[:3])
    for day in sorted({r["date"] for r in want}):
        n = t.to_pyarrow_table(filters=[
            ("date", "=", datetime.date.fromisoformat(day))]).num_rows
        check("delta: partition %s" % day,
              n == sum(r["date"] == day for r in want), n)


def judge(directory):
    for path in sorted(glob.glob(os.path.join(directory, "*.parquet"))):
        name = os.path.basename(path)[:-8]
        read_all(path, truth(path[:-8] + ".ndjson"), name)
        check_footer(path, name)
    check_types(os.path.join(directory, "small.parquet"))
    check_sorted(os.path.join(directory, "sorted.parquet"))
    check_damage(os.path.join(directory, "random.parquet"))
    check_filters(os.path.join(directory, "sorted.parquet"),
                  ("tag_webid", "timestamp", "value", "units"), "sorted")
    check_filters(os.path.join(directory, "extreme.parquet"),
                  ("l", "i", "d", "finite", "t", "s", "rs"), "extreme")
    check_filters(os.path.join(directory, "unique.parquet"), ("s", "rd"),
                  "unique")
    check_page_index(os.path.join(directory, "sorted.parquet"),
                     ("tag_webid", "timestamp", "value", "units"), "sorted")
    check_page_index(os.path.join(directory, "extreme.parquet"),
                     ("seq", "l", "i", "finite", "t", "rs"), "extreme")
    table = os.path.join(directory, "delta")
    if os.path.isdir(table):
        check_delta(table, truth(os.path.join(directory, "delta.ndjson")))


def main():
    if len(sys.argv) == 2:
        judge(sys.argv[1])
    else:
        program = os.path.join(os.environ.get("GARNER_BUILDDIR", "."),
                               "tests", "parquet", "make_fixtures")
        with tempfile.TemporaryDirectory() as tmp:
            subprocess.run([program, tmp], check=True)
            judge(tmp)
    print("%d checks failed" % failed if failed else "all checks passed")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
