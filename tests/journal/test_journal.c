/*
 * Journals as they are on disk: round trips, cutting back, the lock, and
 * damage of every kind: each length, each bit, noise between blocks.
 */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/hash.h"
#include "base/must.h"
#include "journal_test.h"

#define SEGMENT_HEADER 40
#define NBLOCKS 8

static const struct journal_pos zero = { 0, 0 };

static void
test_journal_pos(void **state)
{
	static const struct journal_pos p[] = { { 0, 0 }, { 1, 40 },
	    { 1, 1u << 30 }, { 2, 40 }, { 70000, 1 }, { 70000, 2 } };
	struct journal_pos q;
	size_t i, j;

	(void)state;
	for (i = 0; i < sizeof(p) / sizeof(p[0]); i++) {
		q = journal_pos_unpack(journal_pos_pack(&p[i]));
		assert_int_equal(journal_pos_cmp(&p[i], &q), 0);
		for (j = 0; j < i; j++) {
			assert_true(journal_pos_cmp(&p[j], &p[i]) < 0);
			assert_true(journal_pos_cmp(&p[i], &p[j]) > 0);
			assert_true(journal_pos_pack(&p[j]) <
			    journal_pos_pack(&p[i]));
		}
	}
}

static void
test_journal_round_trip(void **state)
{
	struct journal_test *t = *state;
	struct journal_pos pos[NBLOCKS + 1] = { { 0, 0 } };
	uint32_t i, j, n;

	/* A journal that is not there holds nothing. */
	assert_int_equal(journal_test_read(t, &zero, NULL, false, 0, &n,
	    NULL), 0);
	assert_int_equal(n, 0);
	journal_test_make(t, NBLOCKS, pos + 1);
	/* From any position to any other, schemas are found. */
	for (i = 0; i <= NBLOCKS; i++) {
		for (j = i; j <= NBLOCKS; j++) {
			assert_int_equal(journal_test_read(t, &pos[i],
			    &pos[j], false, i, &n, NULL), 0);
			assert_int_equal(n, j - i);
		}
		assert_int_equal(journal_test_read(t, &pos[i], NULL, false,
		    i, &n, NULL), 0);
		assert_int_equal(n, NBLOCKS - i);
	}
	journal_test_wipe(t);
}

static void
test_journal_cut_back(void **state)
{
	struct journal_test *t = *state;
	struct journal_pos pos[NBLOCKS + 1] = { { 0, 0 } }, end;
	struct journal_writer *w;
	uint64_t cut;
	uint32_t i, n;

	for (i = 0; i <= NBLOCKS; i++) {
		journal_test_make(t, NBLOCKS, pos + 1);
		assert_int_equal(journal_writer_open(sys_posix(), t->dir,
		    &pos[i], &w, &cut, NULL), 0);
		assert_int_equal(cut, pos[NBLOCKS].offset -
		    (i == 0 ? SEGMENT_HEADER : pos[i].offset));
		/* Going on from there makes what was there before. */
		for (n = i; n < NBLOCKS; n++)
			assert_int_equal(journal_test_append(t, w, n, NULL),
			    0);
		assert_int_equal(journal_writer_sync(w, &end, NULL), 0);
		/* Nothing appended: nothing moves. */
		assert_int_equal(journal_writer_sync(w, &end, NULL), 0);
		journal_writer_close(w);
		assert_int_equal(journal_test_read(t, &zero, &end, false, 0,
		    &n, NULL), 0);
		assert_int_equal(n, NBLOCKS);
		journal_test_wipe(t);
	}
}

static void
test_journal_not_synced(void **state)
{
	struct journal_test *t = *state;
	struct journal_pos pos[2];
	struct journal_writer *w;
	uint32_t n;

	journal_test_make(t, 1, pos);
	assert_int_equal(journal_writer_open(sys_posix(), t->dir, &pos[0],
	    &w, NULL, NULL), 0);
	assert_int_equal(journal_test_append(t, w, 1, NULL), 0);
	journal_writer_close(w);
	journal_writer_close(NULL);
	assert_int_equal(journal_test_read(t, &zero, NULL, false, 0, &n,
	    NULL), 0);
	assert_int_equal(n, 1);
	journal_test_wipe(t);
}

static void
test_journal_lock(void **state)
{
	struct journal_test *t = *state;
	struct journal_writer *w, *second;
	struct err e = ERR_INIT;
	char pid[32];

	assert_int_equal(journal_writer_open(sys_posix(), t->dir, &zero, &w,
	    NULL, NULL), 0);
	assert_int_equal(journal_writer_open(sys_posix(), t->dir, &zero,
	    &second, NULL, &e), ERR_BUSY);
	assert_null(second);
	(void)snprintf(pid, sizeof(pid), "pid %ld", (long)getpid());
	assert_non_null(strstr(e.text, pid));
	journal_writer_close(w);
	assert_int_equal(journal_writer_open(sys_posix(), t->dir, &zero,
	    &second, NULL, &e), 0);
	journal_writer_close(second);
	journal_test_wipe(t);
}

static void
test_journal_refused_rows(void **state)
{
	struct journal_test *t = *state;
	struct journal_block b = { .group = 1 };
	struct rows *r = rows_new(t->schema[0]);
	struct journal_writer *w;
	struct journal_pos pos;
	struct err e = ERR_INIT;
	uint32_t n;

	assert_int_equal(journal_writer_open(sys_posix(), t->dir, &zero, &w,
	    NULL, NULL), 0);
	assert_int_equal(journal_test_append(t, w, 0, NULL), 0);
	rows_add(r);			/* k is required */
	assert_int_equal(journal_writer_append(w, r, &b, &e), ERR_DATA);
	assert_non_null(strstr(e.text, "column k of table one"));
	assert_int_equal(journal_test_append(t, w, 1, NULL), 0);
	assert_int_equal(journal_writer_sync(w, &pos, NULL), 0);
	assert_true(journal_writer_bytes(w) + SEGMENT_HEADER == pos.offset);
	journal_writer_close(w);
	assert_int_equal(journal_test_read(t, &zero, &pos, false, 0, &n,
	    NULL), 0);
	assert_int_equal(n, 2);
	rows_free(r);
	journal_test_wipe(t);
}

/* The offset that a message names, which must name the file as well. */
static uint64_t
offset_of(const struct journal_test *t, const struct err *e)
{
	char *path = journal_test_path(t, 1);
	const char *at = strstr(e->text, "offset ");

	assert_non_null(strstr(e->text, path));
	assert_non_null(at);
	free(path);
	return (strtoull(at + 7, NULL, 10));
}

static void
test_journal_every_length(void **state)
{
	struct journal_test *t = *state;
	struct journal_pos pos[NBLOCKS + 1] = { { 0, 0 } };
	struct journal_writer *w;
	struct err e;
	uint32_t whole = 0, n;
	uint8_t *data;
	size_t len, cut;
	int rc;

	journal_test_make(t, NBLOCKS, pos + 1);
	data = journal_test_load(t, 1, &len);
	assert_int_equal(len, pos[NBLOCKS].offset);
	for (cut = 0; cut < len; cut++) {
		while (pos[whole + 1].offset <= cut)
			whole++;
		journal_test_store(t, 1, data, cut);
		/* A torn tail ends reading. */
		assert_int_equal(journal_test_read(t, &zero, NULL, true, 0,
		    &n, NULL), 0);
		assert_int_equal(n, whole);
		/* Where all should be there it is damage, with its place. */
		e = (struct err)ERR_INIT;
		assert_int_equal(journal_test_read(t, &zero, &pos[NBLOCKS],
		    false, 0, &n, &e), ERR_CORRUPT);
		assert_int_equal(n, whole);
		assert_true(offset_of(t, &e) <= cut);
		assert_true(offset_of(t, &e) >= pos[whole].offset);
		/* A writer cuts the tail, and misses what should be there. */
		rc = journal_writer_open(sys_posix(), t->dir, &pos[whole],
		    &w, NULL, &e);
		assert_int_equal(rc, 0);
		journal_writer_close(w);
		assert_int_equal(journal_test_read(t, &zero, NULL, false, 0,
		    &n, NULL), 0);
		assert_int_equal(n, whole);
		rc = journal_writer_open(sys_posix(), t->dir,
		    &pos[whole + 1], &w, NULL, &e);
		assert_int_equal(rc, ERR_CORRUPT);
		assert_null(w);
		if (whole > 0)
			(void)offset_of(t, &e);
	}
	free(data);
	journal_test_wipe(t);
}

/* Everything readable, going on after damage; the errors met. */
static uint32_t
salvage(const struct journal_test *t, const struct journal_pos *to,
    uint64_t flipped, bool *seen, uint64_t *skipped)
{
	const struct rows_schema *s;
	struct journal_reader *r;
	struct journal_block b;
	uint32_t errors = 0;
	struct err e = ERR_INIT;
	uint64_t part;
	int rc;

	*skipped = 0;
	assert_int_equal(journal_reader_open(sys_posix(), t->dir, &zero, to,
	    false, &r, &e), 0);
	while ((rc = journal_reader_next(r, &b, &s, &e)) != 0) {
		if (rc == 1) {
			seen[journal_test_check(t, r, &b, s)] = true;
			continue;
		}
		assert_int_equal(rc, ERR_CORRUPT);
		assert_true(offset_of(t, &e) <= flipped);
		assert_true(++errors < 1000);
		rc = journal_reader_resync(r, &part, &e);
		assert_true(rc >= 0);
		*skipped += part;
		if (rc == 0)
			break;
	}
	journal_reader_close(r);
	return (errors);
}

static void
test_journal_every_bit(void **state)
{
	struct journal_test *t = *state;
	struct journal_pos pos[NBLOCKS + 1] = { { 0, 0 } }, end;
	bool seen[NBLOCKS + 3];
	struct journal_writer *w;
	uint32_t i, lost, n;
	uint64_t skipped;
	uint8_t *data;
	size_t len, at;

	/* A writer that opens anew stores its schemas again. */
	journal_test_make(t, NBLOCKS, pos + 1);
	assert_int_equal(journal_writer_open(sys_posix(), t->dir,
	    &pos[NBLOCKS], &w, NULL, NULL), 0);
	for (i = NBLOCKS; i < NBLOCKS + 3; i++)
		assert_int_equal(journal_test_append(t, w, i, NULL), 0);
	assert_int_equal(journal_writer_sync(w, &end, NULL), 0);
	journal_writer_close(w);

	data = journal_test_load(t, 1, &len);
	for (at = 0; at < len * 8; at++) {
		data[at / 8] ^= (uint8_t)(1u << at % 8);
		journal_test_store(t, 1, data, len);
		assert_int_equal(journal_test_read(t, &zero, &end, false, 0,
		    &n, NULL), ERR_CORRUPT);
		memset(seen, 0, sizeof(seen));
		assert_int_equal(salvage(t, &end, at / 8, seen, &skipped), 1);
		for (i = lost = 0; i < NBLOCKS + 3; i++)
			lost += !seen[i];
		/* The damaged block alone is lost; none when it is a schema,
		 * which is there once more, or the segment's header. */
		assert_true(lost <= 1);
		assert_true(lost == 0 || skipped >= 80);
		if (at / 8 < SEGMENT_HEADER)
			assert_int_equal(lost, 0);
		data[at / 8] ^= (uint8_t)(1u << at % 8);
	}
	free(data);
	journal_test_wipe(t);
}

/* Noise of many sizes between two blocks, with false beginnings in it. */
static void
test_journal_resync(void **state)
{
	static const size_t sizes[] = { 1, 3, 79, 80, 65535, 65536, 65537,
	    200000 };
	struct journal_test *t = *state;
	struct journal_pos pos[3];
	const struct rows_schema *s;
	struct journal_reader *r;
	struct journal_block b;
	uint64_t skipped;
	uint8_t *data, *noisy;
	struct rng g;
	size_t i, k, len, at;

	journal_test_make(t, 3, pos);
	data = journal_test_load(t, 1, &len);
	at = (size_t)pos[0].offset;
	rng_init(&g, 3);
	for (i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		noisy = must_realloc(NULL, len + sizes[i], 1);
		memcpy(noisy, data, at);
		for (k = 0; k < sizes[i]; k++)
			noisy[at + k] = (uint8_t)rng_u64(&g);
		for (k = 0; k + 90 < sizes[i]; k += 997)
			memcpy(noisy + at + k, "GJBK\1\0\2\0", 8);
		memcpy(noisy + at + sizes[i], data + at, len - at);
		journal_test_store(t, 1, noisy, len + sizes[i]);
		assert_int_equal(journal_reader_open(sys_posix(), t->dir,
		    &zero, NULL, false, &r, NULL), 0);
		assert_int_equal(journal_reader_next(r, &b, &s, NULL), 1);
		assert_int_equal(journal_reader_next(r, &b, &s, NULL),
		    ERR_CORRUPT);
		assert_int_equal(journal_reader_resync(r, &skipped, NULL), 1);
		assert_int_equal(skipped, sizes[i]);
		for (k = 1; k < 3; k++) {
			assert_int_equal(journal_reader_next(r, &b, &s,
			    NULL), 1);
			assert_int_equal(journal_test_check(t, r, &b, s), k);
		}
		assert_int_equal(journal_reader_next(r, &b, &s, NULL), 0);
		assert_int_equal(journal_reader_resync(r, &skipped, NULL), 0);
		journal_reader_close(r);
		free(noisy);
	}
	free(data);
	journal_test_wipe(t);
}

static void
test_journal_missing(void **state)
{
	struct journal_test *t = *state;
	struct journal_pos pos[2], far = { 2, 50 }, late = { 1, 1u << 20 };
	struct err e = ERR_INIT;
	char *path;
	uint32_t n;

	journal_test_make(t, 2, pos);
	assert_int_equal(journal_test_read(t, &zero, &far, false, 0, &n, &e),
	    ERR_CORRUPT);
	assert_int_equal(n, 2);
	assert_non_null(strstr(e.text, "00000002.gj is missing"));
	assert_int_equal(journal_test_read(t, &late, NULL, true, 0, &n, &e),
	    ERR_CORRUPT);
	assert_int_equal(journal_test_read(t, &far, NULL, true, 0, &n, &e),
	    ERR_CORRUPT);
	path = journal_test_path(t, 1);
	assert_int_equal(unlink(path), 0);
	free(path);
	assert_int_equal(journal_test_read(t, &zero, &pos[1], false, 0, &n,
	    &e), ERR_CORRUPT);
	assert_int_equal(journal_test_read(t, &pos[0], &pos[1], false, 0, &n,
	    &e), ERR_CORRUPT);
	journal_test_wipe(t);
}

/* A writer does not build on ground that is not there. */
static void
test_journal_writer_looks(void **state)
{
	struct journal_test *t = *state;
	struct journal_pos pos[NBLOCKS], off;
	struct journal_writer *w;
	struct err e = ERR_INIT;
	uint8_t *data;
	size_t len;

	journal_test_make(t, NBLOCKS, pos);
	off = pos[NBLOCKS - 1];
	off.offset--;			/* between blocks only */
	assert_int_equal(journal_writer_open(sys_posix(), t->dir, &off, &w,
	    NULL, &e), ERR_CORRUPT);
	data = journal_test_load(t, 1, &len);
	data[len - 1] ^= 1;		/* what a sync should have kept */
	journal_test_store(t, 1, data, len);
	assert_int_equal(journal_writer_open(sys_posix(), t->dir,
	    &pos[NBLOCKS - 1], &w, NULL, &e), ERR_CORRUPT);
	assert_true(offset_of(t, &e) >= pos[NBLOCKS - 2].offset);
	free(data);
	journal_test_wipe(t);
}

/* Who counts on all but the last commit is not made to lose more. */
static void
test_journal_commits_behind(void **state)
{
	struct journal_test *t = *state;
	struct journal_pos pos[NBLOCKS + 1] = { { 0, 0 } };
	struct journal_writer *w;
	struct err e = ERR_INIT;
	uint64_t cut;
	uint32_t i, n;
	int rc;

	journal_test_make(t, NBLOCKS, pos + 1);
	for (i = 0; i <= NBLOCKS; i++) {
		assert_int_equal(journal_writer_lock(sys_posix(), t->dir, &w,
		    &e), 0);
		rc = journal_writer_start(w, &pos[NBLOCKS - i], i, &cut, &e);
		if (rc != 0)
			fail_msg("%u: %s", i, e.text);
		journal_writer_close(w);
		journal_test_wipe(t);
		journal_test_make(t, NBLOCKS, pos + 1);
		if (i == NBLOCKS)
			break;
		assert_int_equal(journal_writer_lock(sys_posix(), t->dir, &w,
		    &e), 0);
		assert_int_equal(journal_writer_start(w,
		    &pos[NBLOCKS - i - 1], i, &cut, &e), ERR_CORRUPT);
		assert_non_null(strstr(e.text, t->dir));
		assert_non_null(strstr(e.text, "garner repair"));
		journal_writer_close(w);
		assert_int_equal(journal_test_read(t, &zero, NULL, false, 0,
		    &n, NULL), 0);
		assert_int_equal(n, NBLOCKS);
	}
	journal_test_wipe(t);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_journal_pos),
		cmocka_unit_test(test_journal_round_trip),
		cmocka_unit_test(test_journal_cut_back),
		cmocka_unit_test(test_journal_not_synced),
		cmocka_unit_test(test_journal_lock),
		cmocka_unit_test(test_journal_commits_behind),
		cmocka_unit_test(test_journal_refused_rows),
		cmocka_unit_test(test_journal_every_length),
		cmocka_unit_test(test_journal_every_bit),
		cmocka_unit_test(test_journal_resync),
		cmocka_unit_test(test_journal_missing),
		cmocka_unit_test(test_journal_writer_looks),
	};

	return (cmocka_run_group_tests(tests, journal_test_setup,
	    journal_test_teardown));
}
