"""Is each sync, each checksum and each step of the storage core watched by a
test? One of them is taken out at a time, in a copy of the sources; then one
of the tests named beside it must fail. Run by hand: make mutate, or

	mutate.py [-l] [NAME...]

-l lists them. A patch that does not apply any more is an error: mend the
list. The copy stays in $TMPDIR/garner-mutate to be quicker next time.

Not in the list, because nothing hangs on them: the sync behind the cut of a
torn tail (what comes back is cut again, and the next data sync covers it),
the checksum of spilled runs (that of the zstd frames inside sees the same),
and the sync of a directory by who makes one in it, where what counts on the
name syncs all directories above (sys_sync_dirs).
"""

import filecmp
import os
import shutil
import subprocess
import sys
import tempfile
import time

SRC = os.environ.get("GARNER_SRCDIR", os.getcwd())
COPY = os.path.join(tempfile.gettempdir(), "garner-mutate")
BUILD = os.path.join(COPY, "b")
ENV = dict(os.environ, GARNER_BUILDDIR=BUILD, GARNER_SRCDIR=COPY,
           PYTHONPATH=os.path.join(COPY, "tests/lib"),
           GARNER_TEST_POWER="3000", GARNER_TEST_KILLS="60",
           GARNER_TEST_INJECT="20")
HELP = ["garner", "garner-mock", "tests/crash/crash_calls.so",
        "tests/crash/crash_malloc.so", "tests/crash/crash_clock.so",
        "tests/crash/power"]

POWER = "tests/crash/test_power.py"
KILL = "tests/crash/test_kill.py"
INJECT = "tests/crash/test_inject.py"
CLOCK = "tests/crash/test_clock.py"
JOB = "tests/cli/test_main_job.py"
JOURNAL = "tests/journal/test_journal"
FAULTS = "tests/journal/test_journal_faults"
COVER = "tests/journal/test_journal_cover"
DELTA = "tests/delta/test_delta"
COMPACT = "tests/compact/test_compact"
PARQUET = "tests/parquet/test_parquet"
LEDGER = "tests/ledger/test_ledger"
FILE = "tests/sys/test_sys_file"

W = "src/journal/journal_writer.c"
CUT = "src/journal/journal_cut.c"
R = "src/journal/journal_reader.c"
S = "src/journal/journal_reader_segment.c"
F = "src/journal/journal_format.c"
C = "src/harvest/harvest_commit.c"

# name, file, what stands there once, what stands there instead, tests
MUTATIONS = [
    # --- syncs
    ("sync-block", W, "w->sys->fdatasync(w->sys->cookie, w->fd) != 0",
     "w->sys->fdatasync == NULL", [POWER]),
    ("sync-segment", W, "if (w->sys->fsync(w->sys->cookie, fd) != 0)",
     "if (w->sys->fsync == NULL)", [POWER]),
    ("sync-segment-name", W,
     "(rc = sys_sync_dirs(w->sys, w->dir, w->pos.segment == 0 ?\n"
     "\t    DIRS_ABOVE : 0, e)) != 0", "(rc = 0) != 0", [POWER]),
    ("sync-journal-dirs", W, "w->pos.segment == 0 ?\n\t    DIRS_ABOVE : 0",
     "0", [POWER]),
    ("sync-file", "src/sys/sys_file.c",
     "else if (sys->fsync(sys->cookie, fd) != 0)",
     "else if (sys->fsync == NULL)", [FILE, POWER]),
    ("sync-file-name", "src/sys/sys_file.c",
     "\tif (rc == 0)\n\t\trc = sync_parent(sys, path, e);\nout:", "out:",
     [FILE, POWER]),
    ("sync-parquet", "src/parquet/parquet_writer.c",
     "w->sys->fsync(w->sys->cookie, w->fd) != 0", "w->sys->fsync == NULL",
     [POWER]),
    ("sync-partition", "src/compact/compact_write.c",
     "\t\trc = sys_sync_dir(j->sys, dir, e);", "\t\trc = 0;",
     [POWER]),
    ("sync-version", "src/delta/delta_commit.c",
     "rc = sys_sync_dirs(t->sys, dir, DIRS_ABOVE, e);", "rc = 0;", [POWER]),
    ("sync-ledger-name", "src/ledger/ledger_make.c",
     "\telse\n\t\trc = sys_sync_dirs(sys, dir, DIRS_ABOVE, e);\n", "",
     [POWER]),
    ("sync-ledger-late", "src/ledger/ledger_make.c",
     "rc = sys_sync_dirs(sys_posix(), dir, DIRS_ABOVE, e);", "rc = 0;",
     [POWER]),
    ("sync-ledger", "src/ledger/ledger.c", "MDB_NOTLS | (l->readonly",
     "MDB_NOTLS | MDB_NOSYNC | (l->readonly", [POWER]),
    ("sync-ledger-meta", "src/ledger/ledger.c", "MDB_NOTLS | (l->readonly",
     "MDB_NOTLS | MDB_NOMETASYNC | (l->readonly", [POWER]),
    # --- checksums and lengths
    ("check-block", R, "if (!journal_block_valid(bytes, &r->head, to))",
     "if (to == NULL)", [JOURNAL]),
    ("check-block-header", F,
     "hash64(payload, n, hash64(header, BLOCK_HEADER - 8, 0))",
     "hash64(payload, n, header == NULL)", [JOURNAL]),
    ("check-block-payload", F,
     "hash64(payload, n, hash64(header, BLOCK_HEADER - 8, 0))",
     "hash64(header, BLOCK_HEADER - 8, n * (payload == NULL))", [JOURNAL]),
    ("check-segment-header", F,
     "if (cur_u64le(&c) != hash64(p, SEGMENT_HEADER - 8, 0))",
     "if (cur_u64le(&c) == 0)", [JOURNAL]),
    ("check-last-block", CUT,
     "return (off == 0 ? 0 : check_block(c, off, bytes, &h, e));",
     "return (off == 0 || true ? 0 : check_block(c, off, bytes, &h, e));",
     [JOURNAL, FAULTS]),
    ("check-last-end", CUT, "if (next != c->pos.offset)", "if (next == 0)",
     [JOURNAL]),
    ("check-segment-before", S, "if (h.before != number)", "if (h.before == 0)",
     [JOURNAL, FAULTS]),
    ("check-segment-end", S, "if (h.before_end != end)",
     "if (h.before_end == 0)", [JOURNAL, FAULTS]),
    ("check-position", S, "return (end == r->to.offset ? 0 :",
     "return (end <= r->to.offset ? 0 :", [JOURNAL, FAULTS]),
    ("check-page", "src/parquet/parquet_page.c",
     "if (h->crc >= 0 && zip_crc32(0,", "if (h->crc < -1 && zip_crc32(0,",
     [PARQUET]),
    ("check-ledger-length", "src/ledger/ledger.c",
     "st.ms_psize > info.me_last_pgno)", "st.ms_psize > 0)", [LEDGER]),
    # --- order
    ("order-journal-first", C,
     "if (task->seal && task->err.code == 0) {", "if (task->seal) {",
     [INJECT]),
    ("order-position", C, "g.pos = task->after;", "g.pos = task->before;",
     [JOB]),
    ("order-walk", C, "g.run = task->before;", "g.run = task->after;",
     [JOB]),
    ("order-ingestion", C,
     "if (ingested / TICKS_PER_US <= w->last_ingested / TICKS_PER_US)",
     "if (ingested < 0)", [CLOCK]),
    # --- what is read again
    ("again-older", "src/compact/compact_filter.c",
     "if (newer(&f->active[k], ingested,",
     "if (ingested < 0 && newer(&f->active[k], ingested,", [COMPACT]),
    ("again-newest", "src/compact/compact_filter.c",
     "a->ingested != ingested ? a->ingested > ingested",
     "a->ingested != ingested ? a->ingested != ingested", [COMPACT]),
    ("again-half", "src/compact/compact_gather.c",
     "batch.blocks != blocks || (blocks > 0 &&", "(blocks > 99 &&",
     [COMPACT]),
    ("again-strange", "src/compact/compact_cover.c",
     "if (rc == 0 && x.keys == batch->keys)", "if (rc == 0)", [COMPACT]),
    ("again-days", "src/compact/compact_cover.c",
     "compact_days_add(&j->days,", "if (a < 0)\n\t\tcompact_days_add(&j->days,",
     [COMPACT]),
    ("order-seal", W, "\t\tw->sealed = true;\n\t\t/* Its room", "\t\t/* Its room",
     [FAULTS]),
    ("order-doubt", W, "\t*doubt = true;\n", "", [FAULTS]),
    ("order-dead", W, "if (w->dead.code != 0)\n\t\tfirst = w->dead;\n\telse if",
     "if", [FAULTS]),
    ("order-good-before-cut", CUT,
     "\tif (c->pos.segment > 0 && (rc = open_last(c, &size, e)) != 0)\n"
     "\t\treturn (rc);\n", "\tif (c->pos.segment > 0)\n\t\t(void)open_last(c,"
     " &size, e);\n", [JOURNAL, FAULTS]),
    ("order-cut", CUT, "rc == 0 && size > c->pos.offset",
     "rc == 0 && size < c->pos.offset", [JOURNAL, FAULTS]),
    ("order-exclusive", "src/delta/delta_commit.c",
     "sys_write_file(t->sys, path, b.data, b.len, false, e)",
     "sys_write_file(t->sys, path, b.data, b.len, true, e)", [DELTA]),
    ("order-unknown-result", "src/delta/delta_commit.c",
     "if (rc != 0 && is_ours(t, path, txn_id))", "if (rc > 0)", [DELTA]),
    ("order-file-then-name", "src/sys/sys_file.c",
     'temp = must_sprintf("%s.tmp-%016llx", path,\n\t    (unsigned long long)',
     'temp = must_sprintf("%s%.0s", path, "");\n\t(void)((unsigned long '
     'long)', [FILE]),
    ("order-orphans", "src/compact/compact_sweep.c",
     "if (version_of(names[i]) > j->base.version)",
     "if (version_of(names[i]) > INT64_MAX - 1)", [COMPACT, KILL]),
    ("order-ahead", "src/compact/compact.c",
     "g->txn <= journal_pos_pack(&g->to)", "g->txn >= -1", [INJECT]),
    ("order-ledger-whole", "src/ledger/ledger.c",
     "if (*size == 0 && (rc = ledger_make(l->path, file, e)) == 0)",
     "if (*size == 0)", [KILL]),
    # --- half done
    ("half-short-write", "src/sys/sys_file.c", "\t\tp += put;\n", "", [FILE]),
    ("half-interrupted", "src/sys/sys_file.c",
     "if (put < 0 && errno == EINTR)", "if (put < -1)", [FILE]),
]


def run(args, cwd, seconds=300):
    return subprocess.run(args, cwd=cwd, env=ENV, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True,
                          timeout=seconds)


def must(args, cwd):
    r = run(args, cwd, 900)
    if r.returncode != 0:
        sys.exit("%s: %s" % (" ".join(args), r.stdout[-3000:]))


def copy():
    """The sources as they are now; built."""
    os.makedirs(BUILD, exist_ok=True)
    names = subprocess.run(["git", "ls-files"], cwd=SRC, check=True,
                           capture_output=True, text=True).stdout
    for name in names.splitlines():
        source, to = os.path.join(SRC, name), os.path.join(COPY, name)
        # what is equal keeps its time, and its object
        if not os.path.exists(to) or not filecmp.cmp(source, to, False):
            os.makedirs(os.path.dirname(to), exist_ok=True)
            shutil.copyfile(source, to)
            shutil.copymode(source, to)
    if not os.path.exists(os.path.join(BUILD, "Makefile")):
        must(["autoreconf", "-i"], COPY)
        must(["../configure", "-q"], BUILD)
    must(["make", "-j2", "-s"] + HELP, BUILD)


def fails(test):
    """Is there a failure of the test?"""
    if test.endswith(".py"):
        args = [sys.executable, "-B", os.path.join(COPY, test)]
    else:
        r = run(["make", "-s", test], BUILD)
        if r.returncode != 0:
            sys.exit(r.stdout[-3000:])
        args = [os.path.join(BUILD, test)]
    try:
        return run(args, BUILD).returncode != 0
    except subprocess.TimeoutExpired:
        return True


def mutate(name, path, old, new, tests):
    """The test that saw it, or None."""
    full = os.path.join(COPY, path)
    with open(full, encoding="utf-8") as f:
        text = f.read()
    if text.count(old) != 1:
        sys.exit("%s: %s has %d places like this:\n%s" % (
            name, path, text.count(old), old))
    try:
        with open(full, "w", encoding="utf-8") as f:
            f.write(text.replace(old, new))
        r = run(["make", "-s", "-j2"] + HELP, BUILD)
        if r.returncode != 0:
            sys.exit("%s does not build:\n%s" % (name, r.stdout[-3000:]))
        return next((t for t in tests if fails(t)), None)
    finally:
        with open(full, "w", encoding="utf-8") as f:
            f.write(text)


def main(names):
    if "-l" in names:
        for m in MUTATIONS:
            print("%-22s %-34s %s" % (m[0], m[1], ", ".join(m[4])))
        return
    chosen = [m for m in MUTATIONS if not names or m[0] in names]
    copy()
    survived = 0
    for m in chosen:
        began = time.monotonic()
        seen = mutate(*m)
        survived += seen is None
        print("%-22s %-34s %s (%.0f s)" % (
            m[0], m[1], "seen by " + seen if seen else "SURVIVED",
            time.monotonic() - began), flush=True)
    print("%d of %d seen" % (len(chosen) - survived, len(chosen)))
    sys.exit(1 if survived else 0)


main(sys.argv[1:])
