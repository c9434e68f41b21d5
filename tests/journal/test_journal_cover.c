/*
 * Cover blocks: what is written is read, readers of rows do not see it, and
 * what it says of its batch can be held against the blocks in front of it.
 */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/ticks.h"
#include "journal/journal_int.h"
#include "journal_test.h"

#define BATCHES 6

static const struct journal_pos zero = { 0, 0 };

/* Batch k: k blocks of rows and k + 1 records, all following from k. */
static void
fill(uint32_t k, struct journal_batch *b, struct journal_cover *c)
{
	uint32_t i;

	memset(b, 0, sizeof(*b));
	b->blocks = k;
	b->requests = 3 * k;
	b->walk = k == 4;
	b->keys = 0x9e3779b97f4a7c15u * k;
	for (i = 0; i <= k; i++) {
		memset(&c[i], 0, sizeof(c[i]));
		c[i].object = 7 * i;
		c[i].replaces = (k + i) % 3 == 0;
		c[i].since = i % 2 == 0 ? TICKS_NONE : 77 * (int64_t)i;
		c[i].rows = 100 * k + i;
		c[i].a = b->walk ? TICKS_NONE : 1000 * (int64_t)k - 2 * i;
		c[i].b = b->walk ? TICKS_NONE : c[i].a + 1 + i;
	}
}

static void
append_batch(const struct journal_test *t, struct journal_writer *w,
    uint32_t k, struct journal_pos *pos)
{
	struct journal_cover c[BATCHES];
	struct journal_block b = { .group = 3, .ingested = k };
	struct journal_batch batch;
	uint32_t i;

	for (i = 0; i < k; i++)
		assert_int_equal(journal_test_append(t, w, i, NULL), 0);
	fill(k, &batch, c);
	assert_int_equal(journal_writer_cover(w, &b, &batch, c, k + 1, NULL),
	    0);
	assert_int_equal(b.nrows, k + 1);
	assert_int_equal(journal_writer_sync(w, pos, NULL), 0);
}

static void
make(const struct journal_test *t, struct journal_pos *pos)
{
	struct journal_writer *w;
	uint32_t k;

	assert_int_equal(journal_writer_open(sys_posix(), t->dir, &zero, &w,
	    NULL, NULL), 0);
	journal_writer_segment_bytes(w, 2000);
	for (k = 0; k < BATCHES; k++)
		append_batch(t, w, k, &pos[k]);
	journal_writer_close(w);
	assert_true(pos[BATCHES - 1].segment > 1);
}

static void
check_cover(struct journal_reader *r, const struct journal_block *b,
    uint32_t k)
{
	struct journal_cover want[BATCHES];
	const struct journal_cover *c;
	struct journal_batch wb, batch;
	struct err e = ERR_INIT;
	size_t n;

	if (journal_reader_cover(r, &batch, &c, &n, &e) != 0)
		fail_msg("%s", e.text);
	fill(k, &wb, want);
	assert_int_equal(n, k + 1);
	assert_int_equal(b->nrows, k + 1);
	assert_int_equal(b->group, 3);
	assert_int_equal(b->ingested, k);
	assert_int_equal(batch.blocks, wb.blocks);
	assert_int_equal(batch.requests, wb.requests);
	assert_int_equal(batch.walk, wb.walk);
	assert_true(batch.keys == wb.keys);
	assert_memory_equal(c, want, n * sizeof(c[0]));
	if (!batch.walk) {
		assert_int_equal(b->first_tick, want[k].a);
		assert_int_equal(b->last_tick, want[k].b > want[0].b ?
		    want[k].b : want[0].b);
	}
}

static void
test_journal_cover_round_trip(void **state)
{
	struct journal_test *t = *state;
	struct journal_pos pos[BATCHES];
	const struct rows_schema *s;
	struct journal_reader *r;
	struct journal_block b;
	uint32_t from, k, rows;

	make(t, pos);
	for (from = 0; from < BATCHES; from++) {
		k = from;
		rows = 0;
		assert_int_equal(journal_reader_open(sys_posix(), t->dir,
		    from == 0 ? &zero : &pos[from - 1], NULL, false, &r,
		    NULL), 0);
		journal_reader_show_covers(r);
		while (journal_reader_next(r, &b, &s, NULL) == 1) {
			if (!b.cover) {
				assert_int_equal(journal_test_check(t, r, &b,
				    s), rows++);
				continue;
			}
			assert_int_equal(rows, k);
			check_cover(r, &b, k++);
			rows = 0;
		}
		assert_int_equal(k, BATCHES);
		journal_reader_close(r);
	}
	journal_test_wipe(t);
}

/* Of the last block in the first segment make a cover block. */
static void
make_cover(const struct journal_test *t)
{
	struct block_header h;
	struct buf out;
	uint8_t data[4096];
	size_t n, at = SEGMENT_HEADER, last = 0;
	char *path = journal_segment_path(t->dir, 1);
	FILE *f = fopen(path, "r+b");

	assert_non_null(f);
	n = fread(data, 1, sizeof(data), f);
	while (at + BLOCK_HEADER < n && journal_block_decode(data + at,
	    &h) == 0) {
		last = at;
		at += BLOCK_HEADER + h.stored;
	}
	assert_true(last > 0 && journal_block_decode(data + last, &h) == 0);
	h.kind = BLOCK_COVER;
	buf_init(&out, sizeof(data));
	journal_block_encode(&h, data + last + BLOCK_HEADER, &out);
	assert_int_equal(fseek(f, (long)last, SEEK_SET), 0);
	assert_int_equal(fwrite(out.data, 1, out.len, f), out.len);
	assert_int_equal(fclose(f), 0);
	buf_fini(&out);
	free(path);
}

/* A cover block whose records are of another schema is refused. */
static void
test_journal_cover_unknown(void **state)
{
	static const struct rows_col col = { "object", ROWS_INT64, true };
	struct journal_test *t = *state;
	struct rows_schema *schema;
	struct journal_block b = { .group = 1 };
	const struct journal_cover *c;
	const struct rows_schema *s;
	struct journal_reader *r;
	struct journal_writer *w;
	struct journal_batch batch;
	struct journal_pos pos;
	struct err e = ERR_INIT;
	struct rows *rows;
	size_t n;

	schema = rows_schema_new("garner_coverage", &col, 1);
	rows = rows_new(schema);
	rows_set_i64(rows, 0, rows_add(rows), 5);
	assert_int_equal(journal_writer_open(sys_posix(), t->dir, &zero, &w,
	    NULL, NULL), 0);
	assert_int_equal(journal_writer_append(w, rows, &b, NULL), 0);
	assert_int_equal(journal_writer_sync(w, &pos, NULL), 0);
	journal_writer_close(w);
	make_cover(t);
	assert_int_equal(journal_reader_open(sys_posix(), t->dir, &zero, &pos,
	    false, &r, NULL), 0);
	journal_reader_show_covers(r);
	assert_int_equal(journal_reader_next(r, &b, &s, NULL), 1);
	assert_int_equal(journal_reader_cover(r, &batch, &c, &n, &e),
	    ERR_CORRUPT);
	assert_non_null(strstr(e.text, "coverage of an unknown form"));
	journal_reader_close(r);
	rows_free(rows);
	rows_schema_free(schema);
	journal_test_wipe(t);
}

/* Neither those that read all, nor those that begin at a cover block. */
static void
test_journal_cover_not_shown(void **state)
{
	struct journal_test *t = *state;
	struct journal_pos pos[BATCHES];
	const struct rows_schema *s;
	struct journal_reader *r;
	struct journal_block b;
	uint32_t n = 0;

	make(t, pos);
	assert_int_equal(journal_reader_open(sys_posix(), t->dir, &zero,
	    &pos[BATCHES - 1], false, &r, NULL), 0);
	for (; journal_reader_next(r, &b, &s, NULL) == 1; n++) {
		assert_false(b.cover);
		(void)journal_test_check(t, r, &b, s);
	}
	assert_int_equal(n, BATCHES * (BATCHES - 1) / 2);
	assert_int_equal(journal_pos_cmp(&pos[BATCHES - 1],
	    &(struct journal_pos){ journal_reader_pos(r).segment,
	    journal_reader_pos(r).offset }), 0);
	journal_reader_close(r);
	journal_test_wipe(t);
}

/* The sum tells when an id means another object. */
static void
test_journal_cover_key(void **state)
{

	(void)state;
	assert_true(journal_cover_key(1, "a") == journal_cover_key(1, "a"));
	assert_true(journal_cover_key(1, "a") != journal_cover_key(1, "b"));
	assert_true(journal_cover_key(1, "a") != journal_cover_key(2, "a"));
	assert_true(journal_cover_key(1, "a") + journal_cover_key(2, "b") !=
	    journal_cover_key(1, "b") + journal_cover_key(2, "a"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_journal_cover_round_trip),
		cmocka_unit_test(test_journal_cover_unknown),
		cmocka_unit_test(test_journal_cover_not_shown),
		cmocka_unit_test(test_journal_cover_key),
	};

	return (cmocka_run_group_tests(tests, journal_test_setup,
	    journal_test_teardown));
}
