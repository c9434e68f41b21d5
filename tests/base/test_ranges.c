/*
 * Ranges: a few cases by hand, and random operations against a bitmap that
 * is too simple to be wrong. A failure prints the seed.
 */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/hash.h"
#include "base/ranges.h"

#define WORLD 96	/* bits of the model: [0, WORLD) */
#define SEEDS 300
#define STEPS 200

static void
by_hand(void **state)
{
	struct ranges s, m;

	(void)state;
	ranges_init(&s);
	ranges_init(&m);
	ranges_add(&s, 10, 20);
	ranges_add(&s, 30, 40);
	ranges_add(&s, 5, 5);
	ranges_add(&s, 9, 2);
	assert_int_equal(s.n, 2);
	ranges_add(&s, 20, 30);			/* touches both */
	assert_int_equal(s.n, 1);
	assert_int_equal(s.r[0].a, 10);
	assert_int_equal(s.r[0].b, 40);
	ranges_remove(&s, 15, 16);
	assert_int_equal(s.n, 2);
	assert_int_equal(ranges_total(&s), 29);
	assert_true(ranges_contains(&s, 10, 15));
	assert_false(ranges_contains(&s, 14, 17));
	assert_true(ranges_contains(&s, 15, 15));
	ranges_missing(&s, 0, 100, &m);
	assert_int_equal(m.n, 3);
	assert_int_equal(m.r[1].a, 15);
	ranges_subtract(&s, &s);
	assert_int_equal(s.n, 0);
	ranges_fini(&s);
	ranges_fini(&m);
	ranges_fini(NULL);
}

static void
extremes(void **state)
{
	struct ranges s, back;
	struct buf b;
	struct cur c;

	(void)state;
	ranges_init(&s);
	ranges_init(&back);
	buf_init(&b, 1000);
	ranges_add(&s, INT64_MIN, INT64_MAX);
	assert_int_equal(ranges_total(&s), INT64_MAX);
	ranges_remove(&s, INT64_MIN + 1, INT64_MAX - 1);
	assert_int_equal(s.n, 2);
	assert_int_equal(ranges_total(&s), 2);
	ranges_encode(&s, &b);
	cur_init(&c, b.data, b.len);
	assert_int_equal(ranges_decode(&back, &c), 0);
	assert_int_equal(back.n, 2);
	assert_int_equal(back.r[0].a, INT64_MIN);
	assert_int_equal(back.r[1].b, INT64_MAX);
	assert_int_equal(cur_left(&c), 0);
	buf_fini(&b);
	ranges_fini(&s);
	ranges_fini(&back);
}

/* The set must be exactly the runs of the bitmap. */
static void
compare(const struct ranges *s, const bool *bits)
{
	int64_t i, total = 0;
	size_t n = 0;

	ranges_check(s);
	for (i = 0; i < WORLD; i++) {
		total += bits[i];
		if (bits[i] && (i == 0 || !bits[i - 1])) {
			assert_true(n < s->n);
			assert_int_equal(s->r[n].a, i);
		}
		if (bits[i] && (i == WORLD - 1 || !bits[i + 1]))
			assert_int_equal(s->r[n++].b, i + 1);
	}
	assert_int_equal(n, s->n);
	assert_int_equal(ranges_total(s), total);
}

static void
ask(const struct ranges *s, const bool *bits, int64_t a, int64_t b)
{
	bool all = true, miss[WORLD] = { false };
	struct ranges m;
	int64_t i;

	for (i = a; i < b; i++) {
		all = all && bits[i];
		miss[i] = !bits[i];
	}
	assert_int_equal(ranges_contains(s, a, b), all);
	ranges_init(&m);
	ranges_add(&m, 7, 9);	/* must be forgotten */
	ranges_missing(s, a, b, &m);
	compare(&m, miss);
	ranges_fini(&m);
}

static void
recode(const struct ranges *s, const bool *bits)
{
	struct ranges back;
	struct buf b;
	struct cur c;
	size_t n;

	ranges_init(&back);
	buf_init(&b, 10000);
	ranges_encode(s, &b);
	assert_int_equal(b.error, 0);
	cur_init(&c, b.data, b.len);
	assert_int_equal(ranges_decode(&back, &c), 0);
	compare(&back, bits);
	for (n = 0; n < b.len; n++) {
		cur_init(&c, b.data, n);
		assert_int_equal(ranges_decode(&back, &c), ERR_CORRUPT);
		assert_int_equal(back.n, 0);
	}
	buf_fini(&b);
	ranges_fini(&back);
}

static void
run(uint64_t seed)
{
	bool bits[WORLD] = { false };
	struct ranges s, other;
	struct rng rng;
	int64_t a, b, i;
	int step, op;

	rng_init(&rng, seed);
	ranges_init(&s);
	for (step = 0; step < STEPS; step++) {
		op = (int)rng_below(&rng, 8);
		a = (int64_t)rng_below(&rng, WORLD + 1);
		b = a + (int64_t)rng_below(&rng, 12);
		if (b > WORLD)
			b = WORLD;
		if (op < 4)
			ranges_add(&s, a, b);
		else if (op < 7)
			ranges_remove(&s, a, b);
		else {
			ranges_init(&other);
			ranges_add(&other, a, b);
			ranges_add(&other, 50, 53);
			ranges_subtract(&s, &other);
			ranges_fini(&other);
			bits[50] = bits[51] = bits[52] = false;
		}
		for (i = a; i < b; i++)
			bits[i] = op < 4;
		if (op == 7)
			bits[50] = bits[51] = bits[52] = false;
		compare(&s, bits);
		ask(&s, bits, a, b);
		ask(&s, bits, a / 2, b);
	}
	ranges_init(&other);
	ranges_copy(&other, &s);
	compare(&other, bits);
	recode(&other, bits);
	ranges_fini(&other);
	ranges_fini(&s);
}

static void
against_bitmap(void **state)
{
	uint64_t seed;

	(void)state;
	for (seed = 1; seed <= SEEDS; seed++) {
		print_message("\rseed %llu ", (unsigned long long)seed);
		run(seed);
	}
	print_message("\n");
}

static void
refuses(void **state)
{
	static const struct {
		uint8_t bytes[16];
		size_t n;
	} rows[] = {
		{ { 0 }, 0 },
		{ { 1, 2, 0 }, 3 },			/* empty range */
		{ { 2, 2, 1, 0, 1 }, 5 },		/* touching */
		{ { 2, 20, 1, 1, 1 }, 5 },		/* going back */
		{ { 0xff, 0xff, 0xff, 0xff, 0x0f, 2, 1 }, 7 },	/* count */
		{ { 1, 2, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
		    0xff, 1 }, 12 },			/* wraps round */
	};
	struct ranges s;
	struct cur c;
	size_t i;

	(void)state;
	ranges_init(&s);
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		cur_init(&c, rows[i].bytes, rows[i].n);
		ranges_add(&s, 1, 2);
		if (ranges_decode(&s, &c) != ERR_CORRUPT || s.n != 0)
			fail_msg("row %zu taken", i);
	}
	ranges_fini(&s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(by_hand), cmocka_unit_test(extremes),
		cmocka_unit_test(against_bitmap), cmocka_unit_test(refuses),
	};

	return (cmocka_run_group_tests(tests, NULL, NULL));
}
