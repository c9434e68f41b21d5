/* Buckets cover every number once; quantiles are right to a quarter. */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/hash.h"
#include "base/hist.h"

static void
buckets_have_no_gap(void **state)
{
	struct hist h;
	uint64_t lo = 0;
	unsigned i;

	(void)state;
	for (i = 0; i < HIST_BUCKETS; i++) {
		assert_true(hist_bound(i) >= lo);
		memset(&h, 0, sizeof(h));
		hist_add(&h, lo);
		hist_add(&h, hist_bound(i));
		assert_int_equal(h.bucket[i], 2);
		lo = hist_bound(i) + 1;
	}
	assert_true(lo == 0);		/* the last one ends at 2^64 - 1 */
}

static int
compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x < y ? -1 : x > y);
}

static void
quantiles_are_near(void **state)
{
	static const double q[] = { 0, 0.01, 0.5, 0.9, 0.99, 1 };
	static uint64_t v[10000];
	struct hist h;
	struct rng rng;
	uint64_t exact, got;
	size_t i;

	(void)state;
	memset(&h, 0, sizeof(h));
	rng_init(&rng, 3);
	assert_true(hist_quantile(&h, 0.5) == 0);
	for (i = 0; i < 10000; i++) {
		v[i] = rng_u64(&rng) >> rng_below(&rng, 60);
		hist_add(&h, v[i]);
	}
	qsort(v, 10000, sizeof(v[0]), compare);
	for (i = 0; i < sizeof(q) / sizeof(q[0]); i++) {
		exact = v[(size_t)(q[i] * 9999)];
		got = hist_quantile(&h, q[i]);
		assert_true(got >= exact);
		assert_true(got - exact <= exact / 4 + 1);
	}
	assert_true(hist_quantile(&h, 1) == v[9999]);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(buckets_have_no_gap),
		cmocka_unit_test(quantiles_are_near),
	};

	return (cmocka_run_group_tests(tests, NULL, NULL));
}
