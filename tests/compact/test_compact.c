/*
 * compact against a model: whatever the order of commits, of groups and of
 * runs, and wherever it was interrupted, silver holds the newest row of
 * each key.
 */

#include "config.h"

#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/err.h"
#include "base/must.h"
#include "base/ticks.h"
#include "compact_test.h"
#include "rows/rows.h"
#include "sys/sys.h"

#define DAY TICKS_PER_DAY
#define S TICKS_PER_S

/* --- random histories ---------------------------------------------------- */

struct history {
	uint64_t seed;
	size_t memory;
	uint32_t file_rows;
	bool ties_all;
};

static void
run_history(const struct history *h)
{
	struct rng rng;
	struct test t;
	uint64_t n;
	int round;

	test_init(&t, SOURCE_SERIES);
	t.opt.memory = h->memory;
	t.opt.file_rows = h->file_rows;
	t.opt.ties_all = h->ties_all;
	rng_init(&rng, h->seed);
	for (round = 0; round < 5; round++) {
		for (n = 1 + rng_below(&rng, 6); n > 0; n--)
			test_random(&t, &rng,
			    (uint32_t)rng_below(&rng, TEST_GROUPS));
		test_compact_ok(&t);
	}
	test_compact_ok(&t);	/* nothing new */
	assert_int_equal(t.res.rows_read, 0);
	assert_int_equal(t.res.files_added, 0);
	t.opt.rebuild = true;
	test_compact_ok(&t);
	test_fini(&t);
}

static void
test_histories(void **state)
{
	static const struct {
		size_t memory;
		uint32_t file_rows;
		bool ties_all;
	} c[] = {
		{ 64 << 20, 1000000, false },
		{ 64 << 20, 1000000, true },
		{ 64 << 20, 7, false },
		{ 1, 1000000, false },	/* each block a run */
		{ 1, 50, true },
		{ 60000, 33, false },
	};
	struct history h;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(c) / sizeof(c[0]); i++) {
		for (h.seed = 1; h.seed <= 4; h.seed++) {
			h.memory = c[i].memory;
			h.file_rows = c[i].file_rows;
			h.ties_all = c[i].ties_all;
			run_history(&h);
		}
	}
}

/* What is read again replaces what was there, of any group, however runs are
 * cut and whatever fits in memory. */
static uint64_t
run_again(const struct history *h)
{
	int64_t clock = 17000000000000000;
	uint64_t n, replaced = 0;
	struct rng rng;
	struct test t;
	int round;

	test_init(&t, SOURCE_SERIES);
	t.opt.memory = h->memory;
	t.opt.file_rows = h->file_rows;
	t.opt.ties_all = h->ties_all;
	rng_init(&rng, h->seed);
	for (round = 0; round < 6; round++) {
		for (n = 1 + rng_below(&rng, 8); n > 0; n--) {
			clock += 10 + (int64_t)rng_below(&rng, 30);
			for (int g = 0; g < TEST_GROUPS; g++)
				t.clock[g] = clock;
			if (rng_below(&rng, 2) == 0)
				test_random(&t, &rng,
				    (uint32_t)rng_below(&rng, TEST_GROUPS));
			else
				test_random_again(&t, &rng, (uint32_t)
				    rng_below(&rng, TEST_GROUPS), clock);
			clock += 30;
		}
		test_compact_ok(&t);
		replaced += t.res.replaced;
	}
	test_compact_ok(&t);	/* nothing new */
	assert_int_equal(t.res.files_added + t.res.files_removed, 0);
	t.opt.rebuild = true;
	test_compact_ok(&t);
	replaced += t.res.replaced;
	test_fini(&t);
	return (replaced);
}

static void
test_again(void **state)
{
	static const struct history c[] = {
		{ 0, 64 << 20, 1000000, false },
		{ 0, 64 << 20, 7, true },
		{ 0, 1, 50, false },	/* each block a run */
		{ 0, 20000, 33, true },
	};
	uint64_t replaced;
	struct history h;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(c) / sizeof(c[0]); i++) {
		h = c[i];
		replaced = 0;
		for (h.seed = 1; h.seed <= 8; h.seed++)
			replaced += run_again(&h);
		assert_true(replaced > 400);
	}
}

/* More of them than are open at once; ranges without a row of their own. */
static void
test_again_folding(void **state)
{
	struct test t;
	int i;

	(void)state;
	test_init(&t, SOURCE_SERIES);
	t.opt.memory = 1;
	for (i = 0; i < 200; i++)
		test_add(&t, "tag7", i * 600 * S, 0);
	test_commit(&t, 1, 100 * DAY);
	test_compact_ok(&t);
	for (i = 0; i < 150; i++) {
		test_cover(&t, 7, i * 600 * S, i * 600 * S + 1, true);
		test_commit(&t, (uint32_t)i % 3, (101 + i) * DAY);
	}
	test_compact_ok(&t);
	assert_int_equal(t.res.rows_total, 50);
	assert_int_equal(t.res.replaced, 150);
	assert_int_equal(t.res.rows_read, 0);
	/* The day that is left, all of it. */
	test_cover(&t, 7, 0, 3 * DAY, true);
	test_commit(&t, 1, 300 * DAY);
	test_compact_ok(&t);
	assert_int_equal(t.res.rows_total, 0);
	assert_int_equal(t.res.files_added, 0);
	assert_int_equal(t.res.files_removed, 1);
	test_fini(&t);
}

/* More runs than are open at once, and more files. */
static void
test_folding(void **state)
{
	struct rng rng;
	struct test t;
	int i;

	(void)state;
	test_init(&t, SOURCE_SERIES);
	t.opt.memory = 1;
	t.opt.file_rows = 2;
	rng_init(&rng, 77);
	for (i = 0; i < 150; i++)
		test_random(&t, &rng, (uint32_t)i % TEST_GROUPS);
	test_compact_ok(&t);
	assert_true(t.res.files_added > 300);
	for (i = 0; i < 5; i++)
		test_random(&t, &rng, (uint32_t)i % TEST_GROUPS);
	test_compact_ok(&t);
	test_fini(&t);
}

/* Batches of a merge fill up: several, from several inputs, in a day. */
static void
test_large(void **state)
{
	struct rng rng;
	struct test t;
	char id[24];
	int round, group, i;

	(void)state;
	test_init(&t, SOURCE_SERIES);
	rng_init(&rng, 3);
	for (round = 0; round < 2; round++) {
		t.opt.memory = round == 0 ? 1 : 64 << 20;
		for (group = 0; group < 3; group++) {
			for (i = 0; i < 12000; i++) {
				snprintf(id, sizeof(id), "tag%d", i / 300 *
				    (group + 1));
				test_add(&t, id, (int64_t)(i % 300 * 10 +
				    (int)rng_below(&rng, 10)) * S, 0);
			}
			test_commit(&t, (uint32_t)group, (100 + round) * DAY);
		}
		test_compact_ok(&t);
	}
	test_fini(&t);
}

/* --- single cases -------------------------------------------------------- */

/* Two groups read the same value late: one row, the newest ingestion, even
 * when the older one is compacted after it. */
static void
test_late(void **state)
{
	struct test t;

	(void)state;
	test_init(&t, SOURCE_SERIES);
	test_add(&t, "a", 5 * S, 0);
	test_commit(&t, 1, 2000 * S);
	test_compact_ok(&t);
	assert_int_equal(t.res.rows_total, 1);

	test_add(&t, "a", 5 * S, 0);
	test_commit(&t, 0, 1000 * S);	/* older */
	test_compact_ok(&t);
	assert_int_equal(t.res.rows_total, 1);
	assert_int_equal(t.res.duplicates, 1);
	assert_int_equal(t.res.rows_merged, 1);

	test_add(&t, "a", 5 * S, 0);
	test_commit(&t, 0, 3000 * S);	/* newer */
	test_compact_ok(&t);
	assert_int_equal(t.res.duplicates, 0);
	assert_int_equal(t.res.version, 2);
	test_fini(&t);
}

/* Files are rewritten only where new rows overlap them. */
static void
test_untouched(void **state)
{
	struct test t;

	(void)state;
	test_init(&t, SOURCE_SERIES);
	test_add(&t, "a", 10 * S, 0);
	test_add(&t, "a", 20 * S, 0);
	test_add(&t, "a", DAY, 0);
	test_commit(&t, 0, 100 * DAY);
	test_compact_ok(&t);
	assert_int_equal(t.res.files_added, 2);

	test_add(&t, "b", 21 * S, 0);
	test_commit(&t, 0, 101 * DAY);
	test_compact_ok(&t);
	assert_int_equal(t.res.files_added, 1);
	assert_int_equal(t.res.files_removed, 0);
	assert_int_equal(t.res.rows_merged, 0);

	test_add(&t, "b", 20 * S, 0);
	test_commit(&t, 0, 102 * DAY);
	test_compact_ok(&t);
	assert_int_equal(t.res.files_removed, 1);
	assert_int_equal(t.res.rows_merged, 2);
	test_fini(&t);
}

/* A tick is enough to tell two values apart. */
static void
test_ticks(void **state)
{
	struct test t;
	int i;

	(void)state;
	test_init(&t, SOURCE_SERIES);
	for (i = 0; i < 2; i++) {
		test_add(&t, "a", DAY - 1, 0);
		test_add(&t, "a", DAY, 0);
		test_add(&t, "a", DAY + 1, 0);
		test_commit(&t, 0, (100 + i) * DAY);
		test_compact_ok(&t);
		assert_int_equal(t.res.rows_total, 3);
	}
	/* A file's statistics are of whole microseconds. */
	for (i = 0; i < 2; i++) {
		test_add(&t, "a", 5 * DAY + 5, 0);
		test_commit(&t, 0, (200 + i) * DAY);
		test_compact_ok(&t);
		assert_int_equal(t.res.rows_total, 4);
	}
	test_fini(&t);
}

static void
test_frames(void **state)
{
	struct rng rng;
	struct test t;
	char id[24];
	int i, k;

	(void)state;
	test_init(&t, SOURCE_FRAMES);
	rng_init(&rng, 5);
	for (i = 0; i < 6; i++) {
		t.opt.memory = i % 2 == 0 ? 1 : 64 << 20;
		for (k = 0; k < 30; k++) {
			snprintf(id, sizeof(id), "f%llu",
			    (unsigned long long)rng_below(&rng, 40));
			test_add(&t, id, (int64_t)rng_below(&rng, 30), 0);
		}
		test_commit(&t, (uint32_t)i % 2, (100 + i) * DAY);
		test_compact_ok(&t);
	}
	t.opt.rebuild = true;
	test_compact_ok(&t);
	test_fini(&t);
}

static void
walk(struct test *t, uint32_t group, int from, int n, int64_t ingested)
{
	char id[24];
	int i;

	for (i = from; i < from + n; i++) {
		snprintf(id, sizeof(id), "p%d", i);
		test_add(t, id, 0, 0);
	}
	test_commit(t, group, ingested);
}

static void
test_snapshot(void **state)
{
	struct test t;

	(void)state;
	test_init(&t, SOURCE_WALK);
	test_compact_ok(&t);			/* never walked */
	assert_int_equal(t.res.version, -1);

	walk(&t, 0, 0, 0, 50 * DAY);		/* nothing found */
	test_compact_ok(&t);
	assert_int_equal(t.res.version, 0);
	test_compact_ok(&t);
	assert_int_equal(t.res.version, 0);

	walk(&t, 0, 0, 20, 100 * DAY);
	test_compact_ok(&t);
	assert_int_equal(t.res.rows_total, 20);
	walk(&t, 1, 15, 10, 101 * DAY);
	walk(&t, 0, 1, 3, 102 * DAY);		/* not compacted in between */
	walk(&t, 0, 2, 16, 103 * DAY);
	test_compact_ok(&t);
	assert_int_equal(t.res.rows_total, 23);
	assert_int_equal(t.res.rows_read, 26);
	assert_int_equal(t.res.duplicates, 3);
	assert_int_equal(t.res.version, 2);
	test_compact_ok(&t);
	assert_int_equal(t.res.version, 2);

	walk(&t, 0, 0, 0, 104 * DAY);
	walk(&t, 1, 0, 0, 105 * DAY);		/* all gone */
	test_compact_ok(&t);
	assert_int_equal(t.res.rows_total, 0);
	assert_int_equal(t.res.version, 3);
	test_compact_ok(&t);
	assert_int_equal(t.res.version, 3);
	test_fini(&t);
}

static void
test_lock(void **state)
{
	struct err e = ERR_INIT;
	struct test t;
	char *path;
	int fd;

	(void)state;
	test_init(&t, SOURCE_SERIES);
	test_add(&t, "a", 1, 0);
	test_commit(&t, 0, 100 * DAY);
	test_compact_ok(&t);
	path = must_sprintf("%s/silver/%s/values/.garner-lock", t.dir,
	    TEST_SOURCE);
	assert_int_equal(sys_lock(path, &fd, &e), 0);
	assert_int_equal(test_compact(&t, sys_posix(), &e), ERR_BUSY);
	assert_non_null(strstr(e.text, "pid"));
	sys_unlock(fd);
	free(path);
	test_fini(&t);
}

/* A damaged journal: named, and nothing is committed. */
static void
test_damage(void **state)
{
	struct err e = ERR_INIT;
	struct test t;
	char *path;
	int fd, i;

	(void)state;
	test_init(&t, SOURCE_SERIES);
	test_add(&t, "a", 1, 0);
	test_commit(&t, 0, 100 * DAY);
	test_compact_ok(&t);
	for (i = 0; i < 500; i++)
		test_add(&t, "b", i * S, 0);
	test_commit(&t, 0, 101 * DAY);
	path = must_sprintf("%s/bronze/%s/values/group-0/00000001.gj", t.dir,
	    TEST_SOURCE);
	fd = open(path, O_RDWR);
	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, "X", 1, lseek(fd, 0, SEEK_END) - 9), 1);
	close(fd);
	assert_int_equal(test_compact(&t, sys_posix(), &e), ERR_CORRUPT);
	assert_non_null(strstr(e.text, "group-0"));
	assert_int_equal(test_version(&t), 0);
	free(path);
	test_fini(&t);
}

/* A ledger that knows less than the table. */
static void
test_old_ledger(void **state)
{
	struct err e = ERR_INIT;
	struct journal_pos pos;
	struct test t;

	(void)state;
	test_init(&t, SOURCE_SERIES);
	test_add(&t, "a", 1, 0);
	test_commit(&t, 0, 100 * DAY);
	pos = t.pos[0];
	test_add(&t, "a", 2, 0);
	test_commit(&t, 0, 101 * DAY);
	test_compact_ok(&t);
	t.pos[0] = pos;
	test_commit(&t, 0, 102 * DAY);
	assert_int_equal(test_compact(&t, sys_posix(), &e), ERR_CORRUPT);
	assert_non_null(strstr(e.text, "rebuild"));
	t.opt.rebuild = true;
	assert_int_equal(test_compact(&t, sys_posix(), &e), 0);
	assert_int_equal(t.res.rows_total, 1);
	test_fini(&t);
}

/* Another policy for ties needs another table. */
static void
test_ties_changed(void **state)
{
	struct err e = ERR_INIT;
	struct test t;
	int all;

	(void)state;
	for (all = 0; all < 2; all++) {
		test_init(&t, SOURCE_SERIES);
		t.opt.ties_all = all;
		test_add(&t, "a", 1, 0);
		test_add(&t, "a", 1, 1);
		test_commit(&t, 0, 100 * DAY);
		test_compact_ok(&t);
		assert_int_equal(t.res.rows_total, 1 + all);
		test_add(&t, "a", 1, 2);
		test_commit(&t, 0, 101 * DAY);
		t.opt.ties_all = !all;
		assert_int_equal(test_compact(&t, sys_posix(), &e),
		    ERR_UNSUPPORTED);
		assert_int_equal(test_version(&t), 0);
		test_fini(&t);
	}
}

/* --- schema -------------------------------------------------------------- */

static void
test_schema(void **state)
{
	static const char *const want[] = { "tag_webid", "tag_name",
	    "timestamp", "timestamp_ticks", "value", "value_text", "serial",
	    "good", "units", "ordinal", "ingestion_timestamp",
	    "pipeline_group", "batch_id" };
	struct rows_schema *s;
	struct test t;
	uint32_t i, c;
	int all;

	(void)state;
	test_init(&t, SOURCE_SERIES);
	for (all = 0; all < 2; all++) {
		s = compact_schema(&t.table, all);
		for (i = c = 0; i < sizeof(want) / sizeof(want[0]); i++) {
			if (!all && strcmp(want[i], "ordinal") == 0)
				continue;
			assert_true(c < s->ncols);
			assert_string_equal(s->cols[c].name, want[i]);
			assert_int_equal(s->cols[c].required, i == 0 ||
			    i == 2 || i == 3 || i == 9);
			c++;
		}
		assert_int_equal(c, s->ncols);
		rows_schema_free(s);
	}
	test_fini(&t);
}

/* --- crashes ------------------------------------------------------------- */

/* A disk that fails at call number `at`, for good or once. */
struct bad {
	uint64_t calls;
	uint64_t at;
	bool once;
};

static bool
fails(void *cookie)
{
	struct bad *b = cookie;

	b->calls++;
	if (b->once ? b->calls != b->at : b->calls < b->at)
		return (false);
	errno = EIO;
	return (true);
}

static int
bad_open(void *k, const char *p, int flags, int mode)
{

	return (fails(k) ? -1 : open(p, flags, (mode_t)mode));
}

static int
bad_close(void *k, int fd)
{

	(void)k;
	return (close(fd));
}

static ssize_t
bad_pread(void *k, int fd, void *p, size_t n, int64_t off)
{

	return (fails(k) ? -1 : pread(fd, p, n, off));
}

static ssize_t
bad_pwrite(void *k, int fd, const void *p, size_t n, int64_t off)
{

	return (fails(k) ? -1 : pwrite(fd, p, n, off));
}

static int
bad_fsync(void *k, int fd)
{

	(void)fd;
	return (fails(k) ? -1 : 0);
}

static int
bad_ftruncate(void *k, int fd, int64_t len)
{

	return (fails(k) ? -1 : ftruncate(fd, len));
}

static int64_t
bad_fsize(void *k, int fd)
{

	return (fails(k) ? -1 : (int64_t)lseek(fd, 0, SEEK_END));
}

static int
bad_rename(void *k, const char *from, const char *to)
{

	return (fails(k) ? -1 : rename(from, to));
}

static int
bad_link(void *k, const char *from, const char *to)
{

	return (fails(k) ? -1 : link(from, to));
}

static int
bad_unlink(void *k, const char *p)
{

	return (fails(k) ? -1 : unlink(p));
}

static int
bad_mkdir(void *k, const char *p, int mode)
{

	return (fails(k) ? -1 : mkdir(p, (mode_t)mode));
}

static int64_t
bad_now(void *k)
{

	(void)k;
	return (sys_posix()->now_ticks(sys_posix()->cookie));
}

static int64_t
bad_mono(void *k)
{

	(void)k;
	return (sys_posix()->mono_us(sys_posix()->cookie));
}

static uint64_t
bad_random(void *k)
{

	(void)k;
	return (sys_posix()->random(sys_posix()->cookie));
}

static const struct sys bad_sys = {
	.open = bad_open, .close = bad_close, .pread = bad_pread,
	.pwrite = bad_pwrite, .fsync = bad_fsync, .fdatasync = bad_fsync,
	.ftruncate = bad_ftruncate, .fsize = bad_fsize,
	.rename = bad_rename, .link = bad_link, .unlink = bad_unlink,
	.mkdir = bad_mkdir, .now_ticks = bad_now, .mono_us = bad_mono,
	.random = bad_random,
};

/* Silver as it was before the second run. */
static void
restore(const struct test *t, const char *from, const char *to)
{
	char *a = must_sprintf("%s/%s", t->dir, from);
	char *b = must_sprintf("%s/%s", t->dir, to);
	char *cmd = must_sprintf("cp -a '%s' '%s'", a, b);
	struct err e = ERR_INIT;

	assert_int_equal(sys_remove_tree(b, &e), 0);
	assert_int_equal(system(cmd), 0);
	free(cmd);
	free(b);
	free(a);
}

/* Fail at call N, for all N; each time a plain run repairs it. */
static void
crash_all(bool once)
{
	struct sys sys = bad_sys;
	struct err e = ERR_INIT;
	struct bad bad;
	struct rng rng;
	struct test t;
	uint64_t n;
	int rc;

	test_init(&t, SOURCE_SERIES);
	rng_init(&rng, 11);
	t.opt.memory = 1;
	t.opt.file_rows = 60;
	test_random(&t, &rng, 0);
	test_random(&t, &rng, 1);
	test_compact_ok(&t);
	restore(&t, "silver", "before");
	test_random(&t, &rng, 0);
	test_random(&t, &rng, 2);
	sys.cookie = &bad;
	for (n = 1;; n++) {
		bad = (struct bad){ 0, n, once };
		rc = test_compact(&t, &sys, &e);
		if (rc == 0)
			test_compare(&t);
		if (bad.calls < n)
			break;
		test_compact_ok(&t);
		test_no_orphans(&t);
		restore(&t, "before", "silver");
	}
	assert_int_equal(rc, 0);
	assert_true(n > 50);
	test_fini(&t);
}

static void
test_crash(void **state)
{

	(void)state;
	crash_all(false);
}

static void
test_error(void **state)
{

	(void)state;
	crash_all(true);
}

/* Leftovers of runs that were killed go, those of others stay. */
static void
test_leftovers(void **state)
{
	static const struct {
		const char *name;
		bool stays;
	} c[] = {
		{ "compact-plant.values-1", false },
		{ "compact-plant.values-", true },
		{ "compact-plant.values-x", true },
		{ "compact-plant.other-1", true },
		{ "compact-plants.values-1", true },
	};
	struct err e = ERR_INIT;
	struct test t;
	char *path;
	size_t i;

	(void)state;
	test_init(&t, SOURCE_SERIES);
	for (i = 0; i < sizeof(c) / sizeof(c[0]); i++) {
		path = must_sprintf("%s/tmp/%s", t.dir, c[i].name);
		assert_int_equal(sys_mkdirs(sys_posix(), path, &e), 0);
		free(path);
	}
	t.opt.memory = 1;
	test_add(&t, "a", 1, 0);
	test_commit(&t, 0, 100 * DAY);
	test_add(&t, "a", 2, 0);
	test_commit(&t, 0, 101 * DAY);
	test_compact_ok(&t);
	for (i = 0; i < sizeof(c) / sizeof(c[0]); i++) {
		path = must_sprintf("%s/tmp/%s", t.dir, c[i].name);
		assert_int_equal(sys_exists(sys_posix(), path), c[i].stays);
		free(path);
	}
	path = must_sprintf("%s/tmp/compact-plant.values-%ld", t.dir,
	    (long)getpid());
	assert_false(sys_exists(sys_posix(), path));
	free(path);
	test_fini(&t);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_schema),
		cmocka_unit_test(test_histories),
		cmocka_unit_test(test_again),
		cmocka_unit_test(test_again_folding),
		cmocka_unit_test(test_folding),
		cmocka_unit_test(test_large),
		cmocka_unit_test(test_late),
		cmocka_unit_test(test_untouched),
		cmocka_unit_test(test_ticks),
		cmocka_unit_test(test_frames),
		cmocka_unit_test(test_snapshot),
		cmocka_unit_test(test_lock),
		cmocka_unit_test(test_damage),
		cmocka_unit_test(test_old_ledger),
		cmocka_unit_test(test_ties_changed),
		cmocka_unit_test(test_leftovers),
		cmocka_unit_test(test_crash),
		cmocka_unit_test(test_error),
	};

	return (cmocka_run_group_tests(tests, NULL, NULL));
}
