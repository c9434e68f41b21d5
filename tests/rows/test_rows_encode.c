/*
 * The encoded form: what goes in comes out, bit by bit, for random batches
 * of all types and habits of values; its bytes are pinned; columns of one
 * value are small; and whatever is done to the bytes, decoding gives sound
 * rows or ERR_CORRUPT. A failing case prints its seed.
 */
#include "config.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/base_limits.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/hash.h"
#include "rows/rows.h"
#include "rows/rows_int.h"

#define MAX_BYTES (64u << 20)
#define SEEDS 600
#define MUTATIONS 40000

/* By the loops for any machine too, which must give the same bytes. */
static void
encode(const struct rows *r, struct buf *b)
{
	struct buf scratch, plain;
	size_t at = b->len;

	buf_init(&scratch, MAX_BYTES);
	buf_init(&plain, MAX_BYTES);
	rows_encode(r, &scratch, b);
	rows_encode_with(r, rows_kernel_plain(), &scratch, &plain);
	assert_int_equal(b->len - at, plain.len);
	assert_memory_equal(b->data + at, plain.data, plain.len);
	buf_fini(&scratch);
	buf_fini(&plain);
}

/* --- random batches ------------------------------------------------------ */

static double
random_double(struct rng *g, unsigned habit)
{
	static const double odd[] = { 0.0, -0.0, INFINITY, -INFINITY, NAN,
	    1e300, -1e-310, 0.1, 4503599627370495.5, 9007199254740993.0,
	    3.4028234663852886e38, 3.4028235e38, 1e39, 123456.789 };
	double x = rng_unit(g) * 200 - 100;
	uint64_t u = rng_u64(g);

	switch (habit % 7) {
	case 0:
		return (round(x * 100) / 100);
	case 1:
		return ((double)(float)x);
	case 2:
		return (x);
	case 3:
		return (odd[u % (sizeof(odd) / sizeof(odd[0]))]);
	case 4:			/* decimals with some exceptions */
		return (u % 40 == 0 ? x : round(x * 10) / 10);
	case 5:			/* any bits at all, NaNs with payload too */
		memcpy(&x, &u, sizeof(x));
		return (x);
	default:
		return (23.5);
	}
}

static int64_t
random_int(struct rng *g, unsigned habit, int64_t last)
{
	static const int64_t odd[] = { 0, 1, -1, INT32_MIN, INT32_MAX,
	    INT64_MIN, INT64_MAX };

	switch (habit % 6) {
	case 0:
		return ((int64_t)rng_u64(g));
	case 1:
		return (last + 10000000);
	case 2:
		return (last + (int64_t)rng_below(g, 1000) * 10000);
	case 3:
		return (odd[rng_below(g, 7)]);
	case 4:
		return (-7);
	default:
		return ((int64_t)rng_below(g, 300));
	}
}

static void
random_text(struct rng *g, unsigned habit, struct rows *r, uint32_t c,
    uint32_t i)
{
	char text[200];
	size_t k, n;

	switch (habit % 4) {
	case 0:
		n = rng_below(g, sizeof(text));
		for (k = 0; k < n; k++)
			text[k] = (char)rng_below(g, 256);
		break;
	case 1:
		n = (size_t)snprintf(text, sizeof(text), "tag %u", i / 50);
		break;
	case 2:
		n = (size_t)snprintf(text, sizeof(text), "%u",
		    (unsigned)rng_below(g, 5));
		break;
	default:
		n = 0;
		break;
	}
	rows_set_str(r, c, i, text, n);
}

static struct rows_schema *
random_schema(struct rng *g)
{
	struct rows_col cols[12];
	uint32_t i, n = 1 + (uint32_t)rng_below(g, 12);

	memset(cols, 0, sizeof(cols));
	for (i = 0; i < n; i++) {
		(void)snprintf(cols[i].name, sizeof(cols[i].name), "c%u", i);
		cols[i].type = (enum rows_type)(1 + rng_below(g, 7));
	}
	return (rows_schema_new("t", cols, n));
}

static void
random_column(struct rng *g, struct rows *r, uint32_t c)
{
	unsigned habit = (unsigned)rng_below(g, 420);
	unsigned nulls = (unsigned)rng_below(g, 5);
	int64_t last = (int64_t)rng_u64(g) >> rng_below(g, 40);
	uint32_t i;

	for (i = 0; i < r->n; i++) {
		if (nulls == 1 || (nulls == 2 && rng_below(g, 3) == 0) ||
		    (nulls == 3 && i % 17 != 0))
			continue;
		last = random_int(g, habit, last);
		switch (r->schema->cols[c].type) {
		case ROWS_BOOL:
			rows_set_bool(r, c, i, habit % 3 == 0 ? i % 5 == 0 :
			    habit % 3 == 1);
			break;
		case ROWS_INT32:
			rows_set_i32(r, c, i, (int32_t)last);
			break;
		case ROWS_INT64:
		case ROWS_TICKS:
			rows_set_i64(r, c, i, last);
			break;
		case ROWS_DOUBLE:
			rows_set_f64(r, c, i, random_double(g, habit));
			break;
		case ROWS_STRING:
		case ROWS_LIST:
			random_text(g, habit, r, c, i);
			break;
		}
	}
}

static struct rows *
random_rows(struct rng *g, const struct rows_schema *s)
{
	static const uint32_t most[] = { 1, 3, 9, 100, 1000, 4000 };
	struct rows *r = rows_new(s);
	uint32_t c, n;

	for (n = 1 + (uint32_t)rng_below(g, most[rng_below(g, 6)]); n > 0;
	    n--)
		rows_add(r);
	for (c = 0; c < s->ncols; c++) {
		if (rng_below(g, 3) == 0)	/* entries that no row names */
			rows_intern(r, c, "unused", 6);
		random_column(g, r, c);
	}
	return (r);
}

/* --- round trips --------------------------------------------------------- */

static bool
same_cell(const struct rows *a, const struct rows *b, uint32_t c, uint32_t i)
{
	const struct rows_vec *x = &a->v[c], *y = &b->v[c];
	const char *s, *t;
	size_t n, m;

	if (x->valid[i] != y->valid[i])
		return (false);
	if (!x->valid[i])
		return (true);
	switch (a->schema->cols[c].type) {
	case ROWS_BOOL:
		return (x->b[i] == y->b[i]);
	case ROWS_INT32:
		return (x->i32[i] == y->i32[i]);
	case ROWS_STRING:
	case ROWS_LIST:
		s = rows_str(a, c, i, &n);
		t = rows_str(b, c, i, &m);
		return (n == m && memcmp(s, t, n) == 0);
	default:		/* doubles by their bits */
		return (x->i64[i] == y->i64[i]);
	}
}

static void
check_same(const struct rows *a, const struct rows *b, uint64_t seed)
{
	uint32_t c, i;

	assert_int_equal(a->n, b->n);
	for (c = 0; c < a->schema->ncols; c++)
		for (i = 0; i < a->n; i++)
			if (!same_cell(a, b, c, i))
				fail_msg("seed %llu: column %u, row %u",
				    (unsigned long long)seed, c, i);
}

/* A part of a batch encodes as a batch of the same rows does. */
static void
check_part(struct rng *g, const struct rows *r, struct buf *b,
    struct buf *again)
{
	uint32_t from = (uint32_t)rng_below(g, r->n + 1u), i;
	uint32_t n = (uint32_t)rng_below(g, r->n - from + 1u);
	struct rows *copy = rows_new(r->schema), part;
	struct rows_copier *y = rows_copier_new(copy, r, NULL);
	struct rows_vec v[LIMIT_COLUMNS];

	for (i = 0; i < n; i++)
		rows_copier_row(y, from + i);
	rows_part(r, from, n, &part, v);
	buf_clear(b);
	encode(copy, b);
	buf_clear(again);
	encode(&part, again);
	assert_int_equal(again->len, b->len);
	assert_memory_equal(again->data, b->data, b->len);
	rows_copier_free(y);
	rows_free(copy);
}

static void
test_rows_encode_random(void **state)
{
	struct rows_schema *s;
	struct rows *r, *back;
	uint64_t seed;
	struct buf b, again;
	struct rng g;
	struct cur c;

	(void)state;
	buf_init(&b, MAX_BYTES);
	buf_init(&again, MAX_BYTES);
	for (seed = 1; seed <= SEEDS; seed++) {
		rng_init(&g, seed);
		s = random_schema(&g);
		r = random_rows(&g, s);
		back = rows_new(s);
		buf_clear(&b);
		encode(r, &b);
		assert_int_equal(b.error, 0);
		cur_init(&c, b.data, b.len);
		if (rows_decode(back, &c, NULL) != 0)
			fail_msg("seed %llu", (unsigned long long)seed);
		assert_int_equal(cur_left(&c), 0);
		rows_check(back);
		check_same(r, back, seed);
		/* What was decoded encodes to the same bytes. */
		buf_clear(&again);
		encode(back, &again);
		assert_int_equal(again.len, b.len);
		assert_memory_equal(again.data, b.data, b.len);
		check_part(&g, r, &b, &again);
		rows_free(r);
		rows_free(back);
		rows_schema_free(s);
	}
	buf_fini(&b);
	buf_fini(&again);
}

static void
test_rows_encode_empty(void **state)
{
	static const struct rows_col cols[] = { { "a", ROWS_BOOL, true } };
	struct rows_schema *s = rows_schema_new("t", cols, 1);
	struct rows *r = rows_new(s);
	struct buf b;
	struct cur c;

	(void)state;
	buf_init(&b, 64);
	encode(r, &b);
	assert_int_equal(b.len, 1);
	cur_init(&c, b.data, b.len);
	assert_int_equal(rows_decode(r, &c, NULL), 0);
	assert_int_equal(cur_left(&c), 0);
	assert_int_equal(r->n, 0);
	buf_fini(&b);
	rows_free(r);
	rows_schema_free(s);
}

/* --- size and form ------------------------------------------------------- */

static const struct rows_col each_type[] = {
	{ "b", ROWS_BOOL, false },
	{ "i", ROWS_INT32, false },
	{ "j", ROWS_INT64, false },
	{ "d", ROWS_DOUBLE, false },
	{ "t", ROWS_TICKS, false },
	{ "s", ROWS_STRING, false },
};

static void
test_rows_encode_one_value(void **state)
{
	struct rows_schema *s = rows_schema_new("t", each_type, 6);
	struct rows *r = rows_new(s);
	struct buf b;
	uint32_t i, k;

	(void)state;
	buf_init(&b, MAX_BYTES);
	for (k = 0; k < 100000; k++)
		rows_add(r);
	encode(r, &b);
	assert_int_equal(b.len, 3 + 6);
	for (i = 0; i < r->n; i++) {
		rows_set_bool(r, 0, i, true);
		rows_set_i32(r, 1, i, -1);
		rows_set_i64(r, 2, i, INT64_MAX);
		rows_set_f64(r, 3, i, 0.1);
		rows_set_i64(r, 4, i, 17000000000000000);
		rows_set_str(r, 5, i, "degC", 4);
	}
	buf_clear(&b);
	encode(r, &b);
	assert_true(b.len < 64);
	buf_fini(&b);
	rows_free(r);
	rows_schema_free(s);
}

/* Streams of another scale each, one after the other: each takes the bits
 * that its own numbers need, and regular times none. */
static void
test_rows_encode_streams(void **state)
{
	static const struct rows_col cols[] = {
		{ "s", ROWS_STRING, true },
		{ "t", ROWS_TICKS, true },
		{ "d", ROWS_DOUBLE, false },
	};
	enum { STREAMS = 25, LONG = 400 };
	struct rows_schema *s = rows_schema_new("t", cols, 3);
	struct rows *r = rows_new(s), *back = rows_new(s);
	double power = 1;
	struct rng g;
	struct buf b;
	struct cur c;
	uint32_t i, k;
	char name[8];

	(void)state;
	rng_init(&g, 1);
	for (k = 0; k < STREAMS; k++, power = k % 5 == 0 ? 1 : power * 10)
		for (i = 0; i < LONG; i++) {
			(void)rows_add(r);
			(void)snprintf(name, sizeof(name), "s%u", k);
			rows_set_str(r, 0, r->n - 1, name, strlen(name));
			rows_set_i64(r, 1, r->n - 1, 17092512000000000LL +
			    (int64_t)i * (k + 1) * 10000000);
			if (i % 100 != 7)
				rows_set_f64(r, 2, r->n - 1, (1000 +
				    (double)rng_below(&g, 256)) / power);
		}
	buf_init(&b, MAX_BYTES);
	encode(r, &b);
	/* Values of 8 to 9 bits; a bit a row for the nulls. */
	assert_true(b.len > r->n && b.len < r->n * 11 / 8 + STREAMS * 32);
	cur_init(&c, b.data, b.len);
	assert_int_equal(rows_decode(back, &c, NULL), 0);
	check_same(r, back, 0);
	buf_fini(&b);
	rows_free(r);
	rows_free(back);
	rows_schema_free(s);
}

/* The form is stored in files: these bytes may not change. */
static const uint8_t pinned[] = {
	4,					/* rows */
	0, 2, 0x05,				/* b: 1 0 1 0 */
	2, 0x0b, 0, 0x0e,			/* i: 7 7 null 7 */
	1,					/* j: all null */
	0, 1, 1, 0,				/* d: decimals of 1 place */
	4, 4, 2, 20, 0, 0x02, 0x08,		/* 10 11 11 10, order 1 */
	0, 1, 4, 0x07, 0, 0x80, 0xda, 0xc4, 0x09, /* t: from 1 s, in */
	2,					/* seconds, one by one */
	2, 0x0d, 2, 1, 2, 0, 2, 2, 0x02, 0,	/* s: lengths 1 2 */
	'x', 'y', 'z',
	2, 1, 3, 4, 1, 0, 2, 0x04,		/* each: 0 1 1, order 1 */
};

static void
test_rows_encode_pinned(void **state)
{
	struct rows_schema *s = rows_schema_new("t", each_type, 6);
	struct rows *r = rows_new(s), *back = rows_new(s);
	struct buf b;
	struct cur c;
	uint32_t i;

	(void)state;
	for (i = 0; i < 4; i++) {
		rows_add(r);
		rows_set_bool(r, 0, i, i % 2 == 0);
		if (i != 2)
			rows_set_i32(r, 1, i, 7);
		rows_set_f64(r, 3, i, i == 0 || i == 3 ? 1.0 : 1.1);
		rows_set_i64(r, 4, i, (i + 1) * 10000000);
		if (i != 1)
			rows_set_str(r, 5, i, i == 0 ? "x" : "yz",
			    i == 0 ? 1 : 2);
	}
	buf_init(&b, 4096);
	encode(r, &b);
	assert_int_equal(b.len, sizeof(pinned));
	assert_memory_equal(b.data, pinned, sizeof(pinned));
	cur_init(&c, pinned, sizeof(pinned));
	assert_int_equal(rows_decode(back, &c, NULL), 0);
	check_same(r, back, 0);
	buf_fini(&b);
	rows_free(r);
	rows_free(back);
	rows_schema_free(s);
}

/* The other forms of doubles and text, as they are read. */
static void
test_rows_encode_pinned_forms(void **state)
{
	static const struct rows_col cols[] = {
		{ "a", ROWS_DOUBLE, false },
		{ "b", ROWS_DOUBLE, false },
		{ "c", ROWS_DOUBLE, false },
		{ "d", ROWS_STRING, false },
	};
	static const uint8_t bytes[] = {
		2,
		0, 1, 1, 0, 1, 0, 0, 10,	/* a: 0.5, then in a part */
		1, 1, 0,			/* of its own an exception */
		0, 0, 0, 0, 0, 0, 0, 0x80,	/* -0.0 */
		1, 0, 0, 0,
		0, 1, 13, 2, 0, 25,		/* b: singles 1 2 */
		0x80, 0x80, 0x80, 0xf8, 0x07, 0, 0, 0, 0, 0, 0, 2,
		0, 1, 14, 2, 0, 54,		/* c: 1 2, their bits */
		0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0xf0, 0x7f,
		0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0,
		0, 1, 0, 4, 'o', 'k',		/* d: one text, length 2 */
		1, 1, 0, 0, 0, 4,		/* one run of entry 0, 2 long */
	};
	struct rows_schema *s = rows_schema_new("t", cols, 4);
	struct rows *r = rows_new(s);
	struct cur c;
	size_t n;

	(void)state;
	cur_init(&c, bytes, sizeof(bytes));
	assert_int_equal(rows_decode(r, &c, NULL), 0);
	assert_int_equal(cur_left(&c), 0);
	assert_true(r->v[0].f64[0] == 0.5);
	assert_true(r->v[0].f64[1] == 0 && signbit(r->v[0].f64[1]));
	assert_true(r->v[1].f64[0] == 1 && r->v[1].f64[1] == 2);
	assert_true(r->v[2].f64[0] == 1 && r->v[2].f64[1] == 2);
	assert_memory_equal(rows_str(r, 3, 1, &n), "ok", 2);
	assert_int_equal(n, 2);
	rows_free(r);
	rows_schema_free(s);
}

/* --- damage -------------------------------------------------------------- */

static void
test_rows_encode_required(void **state)
{
	static const struct rows_col may[] = { { "a", ROWS_BOOL, false } };
	static const struct rows_col must[] = { { "a", ROWS_BOOL, true } };
	struct rows_schema *s = rows_schema_new("t", may, 1);
	struct rows_schema *t = rows_schema_new("t", must, 1);
	struct rows *r = rows_new(s), *back = rows_new(t);
	struct buf b;
	struct cur c;

	(void)state;
	rows_set_bool(r, 0, rows_add(r), true);
	rows_add(r);
	buf_init(&b, 64);
	encode(r, &b);
	cur_init(&c, b.data, b.len);
	assert_int_equal(rows_decode(back, &c, NULL), ERR_CORRUPT);
	assert_int_equal(back->n, 0);
	buf_fini(&b);
	rows_free(r);
	rows_free(back);
	rows_schema_free(s);
	rows_schema_free(t);
}

/* Every second column, at most: those are as in `all`, the others null, and
 * what is refused is the same. */
static void
decode_some(const struct rows *all, const uint8_t *data, size_t n, int want,
    size_t left)
{
	struct rows *some = rows_new(all->schema);
	bool wanted[LIMIT_COLUMNS];
	uint32_t c, i;
	struct cur in;

	for (c = 0; c < LIMIT_COLUMNS; c++)
		wanted[c] = (c + n) % 2 == 0 && n % 3 > 0;
	cur_init(&in, data, n);
	assert_int_equal(rows_decode_only(some, &in, wanted, NULL), want);
	assert_int_equal(some->n, all->n);
	if (want == 0)
		assert_int_equal(cur_left(&in), left);
	for (c = 0; c < all->schema->ncols; c++)
		for (i = 0; i < some->n; i++)
			if (wanted[c] ? !same_cell(all, some, c, i) :
			    !rows_null(some, c, i))
				fail_msg("column %u, row %u", c, i);
	rows_free(some);
}

/* Decoding from a heap block of the exact size, so that a read beyond the
 * end is seen by the sanitizer. */
static int
decode(struct rows *to, const uint8_t *data, size_t n)
{
	uint8_t *exact = malloc(n > 0 ? n : 1);
	struct cur c;
	int rc;

	assert_non_null(exact);
	memcpy(exact, data, n);
	cur_init(&c, exact, n);
	rc = rows_decode(to, &c, NULL);
	if (rc == 0) {
		rows_check(to);
	} else {
		assert_int_equal(rc, ERR_CORRUPT);
		assert_int_equal(to->n, 0);
	}
	decode_some(to, exact, n, rc, cur_left(&c));
	free(exact);
	return (rc);
}

static void
test_rows_encode_truncated(void **state)
{
	struct rows_schema *s;
	struct rows *r, *back;
	uint64_t seed;
	struct buf b;
	struct rng g;
	size_t n;

	(void)state;
	buf_init(&b, MAX_BYTES);
	for (seed = 1; seed <= 60; seed++) {
		rng_init(&g, seed);
		s = random_schema(&g);
		r = random_rows(&g, s);
		back = rows_new(s);
		buf_clear(&b);
		encode(r, &b);
		for (n = 0; n < b.len; n += 1 + b.len / 500)
			assert_int_equal(decode(back, b.data, n),
			    ERR_CORRUPT);
		assert_int_equal(decode(back, b.data, b.len), 0);
		rows_free(r);
		rows_free(back);
		rows_schema_free(s);
	}
	buf_fini(&b);
}

static void
mutate(struct rng *g, uint8_t *p, size_t n)
{
	uint64_t k, i, j;

	for (k = 1 + rng_below(g, 4); k > 0; k--) {
		i = rng_below(g, rng_below(g, 2) == 0 && n > 40 ? 40 : n);
		j = rng_below(g, n);
		switch (rng_below(g, 4)) {
		case 0:
			p[i] ^= (uint8_t)(1u << rng_below(g, 8));
			break;
		case 1:
			p[i] = (uint8_t)rng_u64(g);
			break;
		case 2:
			p[i] = (uint8_t)(rng_below(g, 2) == 0 ? 0xff : 0);
			break;
		default:	/* a piece from elsewhere */
			memmove(p + i, p + j, n - (i > j ? i : j) < 16 ?
			    n - (i > j ? i : j) : 16);
			break;
		}
	}
}

static void
test_rows_encode_fuzz(void **state)
{
	struct rows_schema *s = NULL;
	struct rows *r, *back = NULL;
	struct buf b, bad;
	struct rng g;
	uint32_t i;

	(void)state;
	buf_init(&b, MAX_BYTES);
	buf_init(&bad, MAX_BYTES);
	rng_init(&g, 42);
	for (i = 0; i < MUTATIONS; i++) {
		if (i % 100 == 0) {
			rows_free(back);
			rows_schema_free(s);
			s = random_schema(&g);
			do {
				r = random_rows(&g, s);
				buf_clear(&b);
				encode(r, &b);
				rows_free(r);
			} while (b.len > 20000);
			back = rows_new(s);
		}
		buf_clear(&bad);
		buf_put(&bad, b.data, b.len);
		mutate(&g, bad.data, bad.len);
		(void)decode(back, bad.data, bad.len);
		rows_clear(back);
	}
	rows_free(back);
	rows_schema_free(s);
	buf_fini(&b);
	buf_fini(&bad);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows_encode_random),
		cmocka_unit_test(test_rows_encode_empty),
		cmocka_unit_test(test_rows_encode_one_value),
		cmocka_unit_test(test_rows_encode_streams),
		cmocka_unit_test(test_rows_encode_pinned),
		cmocka_unit_test(test_rows_encode_pinned_forms),
		cmocka_unit_test(test_rows_encode_required),
		cmocka_unit_test(test_rows_encode_truncated),
		cmocka_unit_test(test_rows_encode_fuzz),
	};

	return (cmocka_run_group_tests(tests, NULL, NULL));
}
