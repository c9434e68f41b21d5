/*
 * Thrift, encodings and bounds: each round trip at the sizes where blocks,
 * groups of eight and runs meet; and rubbish, which must be refused without
 * reading or writing beyond what was given (run under sanitizers).
 */
#include "config.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/hash.h"
#include "base/must.h"
#include "base/text.h"
#include "parquet/parquet_int.h"

static const size_t sizes[] = { 0, 1, 7, 8, 9, 31, 32, 33, 127, 128, 129, 130,
	257, 1000, 4099 };
#define NSIZES (sizeof(sizes) / sizeof(sizes[0]))
#define NMAX 4099

/* Kinds of numbers: equal, rising, small, anything, ends of the range. */
static int64_t
number(struct rng *g, int kind, size_t i)
{
	switch (kind) {
	case 0:
		return (-42);
	case 1:
		return ((int64_t)i * 1000 - 5000);
	case 2:
		return ((int64_t)rng_below(g, 10));
	case 3:
		return ((int64_t)rng_u64(g));
	default:
		return (rng_below(g, 2) ? INT64_MAX : INT64_MIN);
	}
}

static void
test_delta(void **state)
{
	static int64_t x[NMAX], y[NMAX];
	static int32_t a[NMAX], b[NMAX];
	struct buf out;
	struct cur c;
	struct rng g;
	size_t s, i;
	int kind;

	(void)state;
	rng_init(&g, 1);
	buf_init(&out, 1 << 20);
	for (s = 0; s < NSIZES; s++)
		for (kind = 0; kind < 5; kind++) {
			for (i = 0; i < sizes[s]; i++) {
				x[i] = number(&g, kind, i);
				a[i] = kind == 4 ? (x[i] < 0 ? INT32_MIN :
				    INT32_MAX) : (int32_t)x[i];
			}
			buf_clear(&out);
			parquet_encode_delta64(&out, x, sizes[s]);
			cur_init(&c, out.data, out.len);
			assert_true(parquet_decode_delta64(&c, y, sizes[s]));
			assert_memory_equal(x, y, sizes[s] * 8);
			assert_int_equal(cur_left(&c), 0);
			buf_clear(&out);
			parquet_encode_delta32(&out, a, sizes[s]);
			cur_init(&c, out.data, out.len);
			assert_true(parquet_decode_delta32(&c, b, sizes[s]));
			assert_memory_equal(a, b, sizes[s] * 4);
			cur_init(&c, out.data, out.len);
			assert_false(parquet_decode_delta32(&c, b,
			    sizes[s] + 1));
		}
	buf_fini(&out);
}

static void
test_hybrid(void **state)
{
	static uint32_t x[NMAX], y[NMAX];
	static uint8_t bits[NMAX];
	uint32_t max, run, value = 0, ones, set;
	unsigned width;
	struct buf out;
	struct cur c;
	struct rng g;
	size_t s, i;

	(void)state;
	rng_init(&g, 2);
	buf_init(&out, 1 << 20);
	for (s = 0; s < NSIZES; s++)
		for (width = 0; width <= 32; width++) {
			max = width == 32 ? UINT32_MAX : (1u << width) - 1;
			for (run = 0, i = 0; i < sizes[s]; i++) {
				if (run == 0) {
					run = (uint32_t)rng_below(&g, 30) + 1;
					value = (uint32_t)rng_u64(&g) & max;
					if (run < 9)
						run = 1;
				}
				run--;
				x[i] = value;
			}
			buf_clear(&out);
			parquet_encode_hybrid(&out, x, sizes[s], width);
			cur_init(&c, out.data, out.len);
			assert_true(parquet_decode_hybrid(&c, width, max, y,
			    sizes[s]));
			assert_memory_equal(x, y, sizes[s] * 4);
			assert_int_equal(cur_left(&c), 0);
		}
	/* Width 1, a byte a value. */
	for (s = 0; s < NSIZES; s++) {
		for (ones = 0, i = 0; i < sizes[s]; i++)
			ones += x[i] = i % 97 < 40 ? i % 97 < 20 :
			    (uint32_t)rng_below(&g, 2);
		buf_clear(&out);
		parquet_encode_hybrid(&out, x, sizes[s], 1);
		cur_init(&c, out.data, out.len);
		assert_true(parquet_decode_bits(&c, bits, sizes[s], &set));
		assert_int_equal(cur_left(&c), 0);
		assert_int_equal(set, ones);
		for (i = 0; i < sizes[s]; i++)
			assert_int_equal(bits[i], x[i]);
	}
	cur_init(&c, "\x10\x02", 2);	/* eight times 2 */
	assert_false(parquet_decode_bits(&c, bits, 8, &set));
	/* A value above the largest allowed is refused. */
	x[0] = 5;
	buf_clear(&out);
	parquet_encode_hybrid(&out, x, 1, 3);
	cur_init(&c, out.data, out.len);
	assert_false(parquet_decode_hybrid(&c, 3, 4, y, 1));
	buf_fini(&out);
}

static void
test_bools(void **state)
{
	uint8_t x[100], y[100];
	struct buf out;
	struct cur c;
	struct rng g;
	size_t n, i;

	(void)state;
	rng_init(&g, 3);
	buf_init(&out, 1000);
	for (n = 0; n <= sizeof(x); n++) {
		for (i = 0; i < n; i++)
			x[i] = (uint8_t)rng_below(&g, 2);
		buf_clear(&out);
		parquet_encode_bools(&out, x, n);
		assert_int_equal(out.len, (n + 7) / 8);
		cur_init(&c, out.data, out.len);
		assert_true(parquet_decode_bools(&c, y, n));
		assert_memory_equal(x, y, n);
	}
	buf_fini(&out);
}

/* Random bytes, and good ones cut short, in memory of exactly that size. */
static void
test_rubbish(void **state)
{
	static uint8_t to[NMAX * 8];
	uint8_t *p;
	struct thrift_field f;
	struct thrift_in t;
	struct cur c;
	struct rng g;
	size_t n, i, want;
	uint32_t ones;
	int round;

	(void)state;
	rng_init(&g, 4);
	for (round = 0; round < 20000; round++) {
		n = rng_below(&g, 200) + 1;
		want = rng_below(&g, NMAX);
		p = must_calloc(n, 1);
		for (i = 0; i < n; i++)
			p[i] = (uint8_t)(rng_u64(&g) & rng_u64(&g));
		if (round % 2) {	/* a likely head */
			p[0] = 0x80;
			if (n > 4)
				memcpy(p + 1, "\x01\x04", 2);
		}
		cur_init(&c, p, n);
		(void)parquet_decode_delta64(&c, (void *)to,
		    round % 4 == 1 && n > 3 ? p[3] : want);
		cur_init(&c, p, n);
		(void)parquet_decode_delta32(&c, (void *)to,
		    round % 4 == 1 && n > 3 ? p[3] : want);
		cur_init(&c, p, n);
		(void)parquet_decode_hybrid(&c, (unsigned)rng_below(&g, 34),
		    100, (void *)to, want);
		cur_init(&c, p, n);
		(void)parquet_decode_bits(&c, to, want, &ones);
		thrift_in_init(&t, p, n);
		(void)thrift_enter(&t, &f);
		while (thrift_next(&t, &f))
			thrift_skip(&t, &f);
		free(p);
	}
}

static void
test_thrift(void **state)
{
	struct thrift_field f, g;
	struct thrift_out o;
	struct thrift_in t;
	struct buf b;
	size_t n;
	int i;

	(void)state;
	buf_init(&b, 1 << 20);
	thrift_out_init(&o, &b);
	thrift_put_i32(&o, 1, -7);
	thrift_put_i64(&o, 40, INT64_MIN);	/* a far id */
	thrift_put_bool(&o, 3, true);		/* and one back */
	thrift_put_str(&o, 4, "text");
	thrift_begin(&o, 5);
	thrift_put_i16(&o, 1, 3);
	thrift_end(&o);
	thrift_put_list(&o, 6, THRIFT_I32, 20);
	for (i = 0; i < 20; i++)
		thrift_elem_int(&o, i);
	thrift_put_list(&o, 7, THRIFT_TRUE, 2);
	thrift_elem_bool(&o, true);
	thrift_elem_bool(&o, false);
	thrift_put_i32(&o, 8, 99);
	thrift_end(&o);
	assert_int_equal(b.error, 0);

	thrift_in_init(&t, b.data, b.len);
	assert_true(thrift_enter(&t, &f));
	assert_true(thrift_next(&t, &f));
	assert_int_equal(thrift_get_i32(&t, &f), -7);
	assert_true(thrift_next(&t, &f));
	assert_int_equal(f.id, 40);
	assert_true(thrift_get_int(&t, &f) == INT64_MIN);
	assert_true(thrift_next(&t, &f));
	assert_int_equal(f.id, 3);
	assert_true(thrift_get_bool(&t, &f));
	assert_true(thrift_next(&t, &f));
	assert_memory_equal(thrift_get_bytes(&t, &f, &n), "text", 4);
	assert_true(thrift_next(&t, &f) && thrift_is_struct(&t, &f));
	assert_true(thrift_enter(&t, &g) && thrift_next(&t, &g));
	assert_int_equal(thrift_get_int(&t, &g), 3);
	assert_false(thrift_next(&t, &g));
	for (i = 6; i <= 7; i++) {
		assert_true(thrift_next(&t, &f));
		assert_int_equal(f.id, i);
		thrift_skip(&t, &f);
	}
	assert_true(thrift_next(&t, &f));
	assert_int_equal(thrift_get_i32(&t, &f), 99);
	assert_false(thrift_next(&t, &f));
	assert_false(t.c.bad);

	/* Structs in structs without end are refused, not followed. */
	buf_clear(&b);
	for (i = 0; i < 100000; i++)
		buf_u8(&b, 0x1c);
	thrift_in_init(&t, b.data, b.len);
	assert_true(thrift_enter(&t, &f) && thrift_next(&t, &f));
	thrift_skip(&t, &f);
	assert_true(t.c.bad);
	buf_fini(&b);
}

struct cut_case {
	const char *text;
	size_t max;
	const char *low, *high;		/* NULL: no bound above */
};

static const struct cut_case cuts[] = {
	{ "", 4, "", "" }, { "abcd", 4, "abcd", "abcd" },
	{ "abcde", 4, "abcd", "abce" }, { "abc\x7fz", 4, "abc\x7f",
	    "abc\xc2\x80" },
	{ "abÿÿ", 4, "abÿ", "abĀ" },
	{ "abcÿÿ", 4, "abc", "abd" },		/* not within a character */
	{ "a\xf4\x8f\xbf\xbf" "b", 5, "a\xf4\x8f\xbf\xbf", "b" },
	{ "\xf4\x8f\xbf\xbf\xf4\x8f\xbf\xbf", 4, "\xf4\x8f\xbf\xbf", NULL },
	{ "\xed\x9f\xbf" "z", 3, "\xed\x9f\xbf", "\xee\x80\x80" },
	{ "\xef\xbf\xbf" "z", 3, "\xef\xbf\xbf", "\xf0\x90\x80\x80" },
	{ "\xdf\xbf" "z", 2, "\xdf\xbf", "\xe0\xa0\x80" },
};

static void
test_cut(void **state)
{
	char to[80];
	size_t i;
	int n;

	(void)state;
	for (i = 0; i < sizeof(cuts) / sizeof(cuts[0]); i++) {
		n = parquet_range_cut(cuts[i].text, strlen(cuts[i].text),
		    cuts[i].max, false, to);
		assert_int_equal(n, strlen(cuts[i].low));
		assert_memory_equal(to, cuts[i].low, (size_t)n);
		n = parquet_range_cut(cuts[i].text, strlen(cuts[i].text),
		    cuts[i].max, true, to);
		if (cuts[i].high == NULL) {
			assert_int_equal(n, -1);
			continue;
		}
		assert_int_equal(n, strlen(cuts[i].high));
		assert_memory_equal(to, cuts[i].high, (size_t)n);
		assert_true(text_utf8_valid(to, (size_t)n));
	}
}

static void
test_double_ranges(void **state)
{
	static const double zero[] = { 0.0, 3.5 }, nan_too[] = { 1, NAN, 2 },
	    minus[] = { -2.5, -0.0 };
	struct parquet_range r = { 0 }, all = { 0 };

	(void)state;
	parquet_range_f64(&r, zero, 2);
	assert_true(r.any && !r.lost && signbit(r.min_f) && r.min_f == 0);
	assert_true(r.max_f == 3.5);
	parquet_range_merge(&all, &r, ROWS_DOUBLE);
	memset(&r, 0, sizeof(r));
	parquet_range_f64(&r, minus, 2);
	assert_true(!signbit(r.max_f) && r.max_f == 0);
	parquet_range_merge(&all, &r, ROWS_DOUBLE);
	assert_true(all.min_f == -2.5 && all.max_f == 3.5 && !all.lost);
	memset(&r, 0, sizeof(r));
	parquet_range_f64(&r, nan_too, 3);
	assert_true(r.lost);
	parquet_range_merge(&all, &r, ROWS_DOUBLE);
	assert_true(all.lost);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_delta),
		cmocka_unit_test(test_hybrid),
		cmocka_unit_test(test_bools),
		cmocka_unit_test(test_rubbish),
		cmocka_unit_test(test_thrift),
		cmocka_unit_test(test_cut),
		cmocka_unit_test(test_double_ranges),
	};

	return (cmocka_run_group_tests(tests, NULL, NULL));
}
