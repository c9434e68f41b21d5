/* Which form is used, by what each has cost. */

#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/hash.h"
#include "harvest/harvest_form.h"

#define NOW INT64_C(1772366400)

static const bool all[HARVEST_FORMS] = { true, true, true };

/* One request at a time: how often each form was asked. */
static void
run(struct harvest_choice *c, const double us[HARVEST_FORMS], unsigned n,
    unsigned asked[HARVEST_FORMS])
{
	enum harvest_form f;
	unsigned i;

	memset(asked, 0, HARVEST_FORMS * sizeof(asked[0]));
	for (i = 0; i < n; i++) {
		f = harvest_form_next(c, NOW);
		assert_true(c->can[f]);
		asked[f]++;
		harvest_form_sent(c, f);
		/* answers of different size, at the same cost */
		(void)harvest_form_done(c, f, us[f] * (1 + i % 7),
		    1 + i % 7, NOW);
	}
}

/* Whichever is the cheapest is used, and the others cost a little. */
static void
test_cheapest(void **state)
{
	struct harvest_choice c;
	unsigned asked[HARVEST_FORMS], i, k;
	double us[HARVEST_FORMS];

	(void)state;
	for (i = 0; i < HARVEST_FORMS; i++) {
		for (k = 0; k < HARVEST_FORMS; k++)
			us[k] = k == i ? 10 : 100 + k;
		harvest_form_init(&c, all, 100);
		assert_int_equal(c.use, HARVEST_SET);
		run(&c, us, 4096, asked);
		assert_int_equal(c.use, i);
		assert_in_range(asked[i], 4096 - 30, 4096 - 8);
		for (k = 0; k < HARVEST_FORMS; k++) {
			assert_true(asked[k] >= 4);
			assert_true(harvest_form_us(&c, k) > us[k] * 0.99 &&
			    harvest_form_us(&c, k) < us[k] * 1.01);
		}
		/* The server has changed: it is found out in the end. */
		us[i] = 5000;
		run(&c, us, 64, asked);
		assert_int_not_equal(c.use, i);
	}
}

/* A little less is not worth a change. */
static void
test_steady(void **state)
{
	static const double us[HARVEST_FORMS] = { 85, 100, 90 };
	struct harvest_choice c;
	unsigned asked[HARVEST_FORMS], i;
	enum harvest_form f;
	struct rng rng;

	(void)state;
	harvest_form_init(&c, all, 100);
	run(&c, us, 1000, asked);
	assert_int_equal(c.use, HARVEST_SET);
	/* nor is noise */
	rng_init(&rng, 7);
	for (i = 0; i < 5000; i++) {
		f = harvest_form_next(&c, NOW);
		harvest_form_sent(&c, f);
		assert_false(harvest_form_done(&c, f, us[f] *
		    (0.9 + 0.2 * rng_unit(&rng)), 1, NOW));
	}
}

/* What never worked is tried once at a time; what is refused or fails as a
 * whole, no more. */
static void
test_refused(void **state)
{
	static const double us[HARVEST_FORMS] = { 100, 50, 1 };
	struct harvest_choice c;
	unsigned asked[HARVEST_FORMS], i, batches = 0;
	enum harvest_form f;

	(void)state;
	harvest_form_init(&c, all, 100);
	for (i = 0; i < 20; i++) {	/* all in flight at once */
		f = harvest_form_next(&c, NOW);
		batches += f == HARVEST_BATCH;
		harvest_form_sent(&c, f);
	}
	assert_int_equal(batches, 1);
	assert_int_equal(harvest_form_most(&c), 16);
	assert_false(harvest_form_refused(&c, HARVEST_BATCH, NOW));
	for (i = 0; i < HARVEST_FORMS; i++)
		while (c.cost[i].air > 0)
			harvest_form_lost(&c, i);
	run(&c, us, 2000, asked);
	assert_int_equal(asked[HARVEST_BATCH], 0);
	assert_int_equal(c.use, HARVEST_SET);
	/* the next day */
	assert_int_equal(harvest_form_next(&c, NOW + HARVEST_FORM_CLOSED_S),
	    HARVEST_BATCH);

	harvest_form_init(&c, all, 100);
	run(&c, us, 100, asked);
	assert_int_equal(c.use, HARVEST_BATCH);
	assert_int_equal(harvest_form_most(&c), 100);
	assert_false(harvest_form_failed(&c, NOW));
	assert_int_equal(c.most, 50);
	harvest_form_good(&c);
	assert_int_equal(c.most, 51);
	assert_false(harvest_form_failed(&c, NOW));
	assert_false(harvest_form_failed(&c, NOW));
	assert_true(harvest_form_failed(&c, NOW));
	assert_int_equal(c.use, HARVEST_SET);
	run(&c, us, 1000, asked);
	assert_int_equal(asked[HARVEST_BATCH], 0);
}

/* A pinned form is used whatever it costs, and no other. */
static void
test_pinned(void **state)
{
	static const double us[HARVEST_FORMS] = { 100, 100, 100 };
	struct harvest_choice c;
	bool can[HARVEST_FORMS];
	unsigned asked[HARVEST_FORMS], i;

	(void)state;
	for (i = 0; i < HARVEST_FORMS; i++) {
		memset(can, 0, sizeof(can));
		can[i] = true;
		harvest_form_init(&c, can, 100);
		run(&c, us, 1000, asked);
		assert_int_equal(asked[i], 1000);
		/* refused, and there is no other */
		(void)harvest_form_refused(&c, i, NOW);
		(void)harvest_form_next(&c, NOW);
	}
}

/* A form whose requests cannot be measured does not hold up the others. */
static void
test_not_measured(void **state)
{
	struct harvest_choice c;
	enum harvest_form f;
	unsigned i, sets = 0;

	(void)state;
	harvest_form_init(&c, all, 100);
	c.use = HARVEST_ONE;
	for (i = 0; i < 200; i++) {
		f = harvest_form_next(&c, NOW);
		sets += f == HARVEST_SET;
		if (f != HARVEST_ONE)
			continue;
		harvest_form_sent(&c, f);
		(void)harvest_form_done(&c, f, 1, 1, NOW);
	}
	assert_true(sets > 0 && sets < 20);
}

static void
test_text(void **state)
{
	static const double us[HARVEST_FORMS] = { 100, 50, 1 };
	static const char *const bad[] = { "", "{}", "[]", "x", "{\"use\":3}",
		"{\"use\":\"batch\",\"batch\":[1]}",
		"{\"most\":-1,\"asked\":1e99,\"set\":{\"us\":\"x\",\"n\":9}}" };
	struct harvest_choice c, d;
	unsigned asked[HARVEST_FORMS], i;
	struct buf b;

	(void)state;
	harvest_form_init(&c, all, 100);
	run(&c, us, 100, asked);
	(void)harvest_form_refused(&c, HARVEST_ONE, NOW);
	(void)harvest_form_failed(&c, NOW);
	buf_init(&b, 4000);
	harvest_form_put(&c, &b);
	harvest_form_init(&d, all, 100);
	harvest_form_get(&d, buf_str(&b));
	assert_int_equal(d.use, HARVEST_BATCH);
	assert_int_equal(d.asked, c.asked);
	assert_int_equal(d.most, 50);
	assert_true(d.cost[HARVEST_ONE].closed_s == NOW +
	    HARVEST_FORM_CLOSED_S);
	for (i = 0; i < HARVEST_FORMS; i++)
		assert_true(harvest_form_us(&d, i) > us[i] * 0.99 &&
		    harvest_form_us(&d, i) < us[i] * 1.01);
	/* nothing is tried anew */
	run(&d, us, 20, asked);
	assert_int_equal(asked[HARVEST_BATCH], 20);
	/* what may not be used any more is not, whatever is remembered */
	harvest_form_init(&d, (const bool[HARVEST_FORMS]){ true, true,
	    false }, 100);
	harvest_form_get(&d, buf_str(&b));
	assert_int_equal(d.use, HARVEST_SET);
	buf_fini(&b);
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		harvest_form_init(&d, all, 100);
		harvest_form_get(&d, bad[i]);
		run(&d, us, 100, asked);
		assert_int_equal(d.use, HARVEST_BATCH);
		assert_int_equal(d.most, 100);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cheapest),
		cmocka_unit_test(test_steady),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_pinned),
		cmocka_unit_test(test_not_measured),
		cmocka_unit_test(test_text),
	};

	return (cmocka_run_group_tests(tests, NULL, NULL));
}
