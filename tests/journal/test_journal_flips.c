/*
 * Each single bit of a 64 KiB segment flipped, and the segment cut at each
 * length: always noticed, told once and with the right place; every other
 * block is still had, and no block that was touched. The file is read from
 * memory. Blocks that are had are the bytes that were written, which their
 * checksum says; now and then their cells are compared as well.
 *
 * JOURNAL_FLIPS: how many of the flips (default: all; a sample of them
 * where each memory access is watched).
 */
#include "config.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/hash.h"
#include "base/must.h"
#include "journal_test.h"

#define SEGMENT (64u << 10)
#define BLOCKS_MAX 64
#define DECODE_EVERY 1499

static const struct journal_pos zero = { 0, 0 };

/* Blocks of the segment, schemas too. */
struct place {
	uint64_t from, to;
	bool rows;
};

struct flips {
	struct journal_test *t;
	struct sys sys;
	uint8_t *data;			/* of segment 1 */
	size_t len, size;		/* size: what there is of it now */
	uint8_t *data2;			/* of segment 2 */
	size_t len2;
	char *path;
	struct place place[BLOCKS_MAX];
	uint32_t n, nrows;
	struct journal_pos end;		/* of segment 2 */
	uint32_t behind;		/* blocks of rows in it */
};

/* --- the segments in memory ------------------------------------------------ */

#define FD_FIRST 1000			/* of segment 1, of 2 the next */

static int
mem_open(void *cookie, const char *path, int flags, int mode)
{
	struct flips *f = cookie;

	assert_int_equal(flags & O_ACCMODE, O_RDONLY);
	(void)mode;
	return (FD_FIRST + (strcmp(path, f->path) != 0));
}

static int
mem_close(void *cookie, int fd)
{

	(void)cookie;
	assert_true(fd == FD_FIRST || fd == FD_FIRST + 1);
	return (0);
}

static int64_t
mem_fsize(void *cookie, int fd)
{
	struct flips *f = cookie;

	return ((int64_t)(fd == FD_FIRST ? f->size : f->len2));
}

static ssize_t
mem_pread(void *cookie, int fd, void *to, size_t n, int64_t off)
{
	struct flips *f = cookie;
	size_t size = (size_t)mem_fsize(f, fd);

	if ((uint64_t)off >= size)
		return (0);
	if (n > size - (size_t)off)
		n = size - (size_t)off;
	memcpy(to, (fd == FD_FIRST ? f->data : f->data2) + off, n);
	return ((ssize_t)n);
}

/* Some 3 KiB of rows that follow from k. */
static struct rows *
rows_of(const struct flips *f, uint32_t k)
{
	struct rows *r = rows_new(f->t->schema[k % 3 == 2]);
	uint32_t i, n = 280;
	struct rng g;

	rng_init(&g, k);
	while (n-- > 0) {
		i = rows_add(r);
		rows_set_i64(r, 0, i, (int64_t)(rng_u64(&g) >> 40));
		if (rng_below(&g, 3) > 0)
			rows_set_str(r, 1, i, "abcdefgh", rng_below(&g, 9));
		if (r->schema == f->t->schema[0])
			rows_set_f64(r, 2, i, rng_unit(&g));
	}
	return (r);
}

static void
append(const struct flips *f, struct journal_writer *w, uint32_t k)
{
	struct journal_block b = { .group = (int32_t)k };
	struct rows *r = rows_of(f, k);

	assert_int_equal(journal_writer_append(w, r, &b, NULL), 0);
	rows_free(r);
}

static void
check_rows(const struct flips *f, struct journal_reader *r,
    const struct journal_block *b, const struct rows_schema *s)
{
	struct rows *want = rows_of(f, (uint32_t)b->group);
	struct rows *got = rows_new(s);
	struct buf x, y, scratch;

	assert_true(rows_schema_equal(s, want->schema));
	assert_int_equal(journal_reader_rows(r, got, NULL), 0);
	buf_init(&x, 1 << 20);
	buf_init(&y, 1 << 20);
	buf_init(&scratch, 1 << 20);
	rows_encode(want, &scratch, &x);
	rows_encode(got, &scratch, &y);
	assert_int_equal(x.len, y.len);
	assert_memory_equal(x.data, y.data, x.len);
	buf_fini(&x);
	buf_fini(&y);
	buf_fini(&scratch);
	rows_free(want);
	rows_free(got);
}

static void
find_places(struct flips *f)
{
	size_t at = 40;
	struct place *p;
	uint32_t stored;

	while (at < f->len) {
		assert_true(f->n < BLOCKS_MAX);
		assert_memory_equal(f->data + at, "GJBK", 4);
		memcpy(&stored, f->data + at + 8, 4);
		p = &f->place[f->n++];
		p->from = at;
		p->to = at += 80 + stored;
		p->rows = f->data[p->from + 6] == 2;
		f->nrows += p->rows;
	}
	assert_int_equal(at, f->len);
}

static int
setup(void **state)
{
	struct flips *f = must_calloc(1, sizeof(*f));
	struct journal_pos pos = { 0, 0 };
	struct journal_writer *w;
	uint32_t k = 0, in = 0;

	if (journal_test_setup((void **)&f->t) != 0)
		return (-1);
	assert_int_equal(journal_writer_open(sys_posix(), f->t->dir, &zero,
	    &w, NULL, NULL), 0);
	journal_writer_segment_bytes(w, SEGMENT - 2000);
	for (; pos.segment < 2 || in < 3; k++) {
		append(f, w, k);
		assert_int_equal(journal_writer_sync(w, &pos, NULL), 0);
		in += pos.segment == 2;
	}
	journal_writer_close(w);
	f->end = pos;
	f->behind = in;
	f->data = journal_test_load(f->t, 1, &f->len);
	f->size = f->len;
	f->data2 = journal_test_load(f->t, 2, &f->len2);
	f->path = journal_test_path(f->t, 1);
	assert_true(f->len > SEGMENT - 4000 && f->len < SEGMENT + 4000);
	find_places(f);
	f->sys = *sys_posix();
	f->sys.cookie = f;
	f->sys.open = mem_open;
	f->sys.close = mem_close;
	f->sys.pread = mem_pread;
	f->sys.fsize = mem_fsize;
	*state = f;
	return (0);
}

static int
teardown(void **state)
{
	struct flips *f = *state;
	int rc = journal_test_teardown((void **)&f->t);

	free(f->data);
	free(f->data2);
	free(f->path);
	free(f);
	return (rc);
}

/* --- reading --------------------------------------------------------------- */

struct got {
	uint32_t rows;			/* of segment 1 */
	uint32_t behind;		/* of segment 2 */
	uint32_t errors;
	struct journal_pos at;		/* the first error's */
};

/* [from, to) is what was touched: no block that was had may meet it. */
static void
read_all(struct flips *f, uint64_t from, uint64_t to, bool decode,
    struct got *g)
{
	const struct rows_schema *s;
	struct journal_reader *r;
	struct journal_block b;
	uint64_t skipped;
	int rc;

	memset(g, 0, sizeof(*g));
	assert_int_equal(journal_reader_open(&f->sys, f->t->dir, &zero,
	    &f->end, false, &r, NULL), 0);
	while ((rc = journal_reader_next(r, &b, &s, NULL)) != 0) {
		if (rc < 0) {
			assert_int_equal(rc, ERR_CORRUPT);
			if (g->errors++ == 0)
				g->at = journal_reader_damage(r);
			assert_true(g->errors < 4);
			if (journal_reader_resync(r, &skipped, NULL) != 1)
				break;
			continue;
		}
		if (b.pos.segment == 1) {
			assert_true(b.pos.offset + b.stored_bytes <= from ||
			    b.pos.offset >= to);
			g->rows++;
		} else {
			g->behind++;
		}
		if (decode)
			check_rows(f, r, &b, s);
	}
	journal_reader_close(r);
}

static void
flip(struct flips *f, size_t bit)
{
	const struct place *p = f->place;
	size_t at = bit / 8;
	struct got g;

	f->data[at] ^= (uint8_t)(1u << bit % 8);
	read_all(f, at, at + 1, bit % DECODE_EVERY == 0, &g);
	f->data[at] ^= (uint8_t)(1u << bit % 8);
	while (p < f->place + f->n && p->to <= at)
		p++;
	if (g.errors != 1 || g.at.segment != 1 ||
	    g.at.offset != (at < 40 ? 0 : p->from) ||
	    g.rows != f->nrows - (at >= 40 && p->rows) ||
	    g.behind != f->behind)
		fail_msg("bit %zu: %u errors, the first at %llu; %u and %u "
		    "blocks", bit, g.errors, (unsigned long long)g.at.offset,
		    g.rows, g.behind);
}

static size_t
flips_wanted(size_t all)
{
	const char *text = getenv("JOURNAL_FLIPS");

	if (text != NULL && atol(text) > 0)
		return ((size_t)atol(text) < all ? (size_t)atol(text) : all);
#ifdef __SANITIZE_ADDRESS__
	return (all / 40);
#else
	return (all);
#endif
}

static void
test_each_bit(void **state)
{
	struct flips *f = *state;
	size_t all = f->len * 8, n = flips_wanted(all), i;

	for (i = 0; i < n; i++)		/* spread, when not all */
		flip(f, (size_t)((unsigned __int128)i * all / n));
	print_message("bits flipped %zu of %zu, noticed %zu, other blocks "
	    "read each time\n", n, all, n);
}

static void
test_each_length(void **state)
{
	struct flips *f = *state;
	size_t n = flips_wanted(f->len), i, cut, k;
	uint32_t before;
	struct got g;

	for (i = 0; i < n; i++) {
		cut = (size_t)((unsigned __int128)i * f->len / n);
		f->size = cut;
		read_all(f, cut, UINT64_MAX, cut % DECODE_EVERY == 0, &g);
		for (k = 0, before = 0; k < f->n; k++)
			before += f->place[k].rows && f->place[k].to <= cut;
		if (g.errors < 1 || g.rows != before ||
		    g.behind != f->behind || g.at.offset > cut)
			fail_msg("cut at %zu: %u errors, %u of %u blocks, %u "
			    "behind", cut, g.errors, g.rows, before,
			    g.behind);
	}
	f->size = f->len;
	print_message("lengths tried %zu of %zu, noticed %zu\n", n, f->len,
	    n);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_bit),
		cmocka_unit_test(test_each_length),
	};

	return (cmocka_run_group_tests(tests, setup, teardown));
}
