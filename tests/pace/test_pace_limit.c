/*
 * Servers in memory, with a clock that jumps: a line before so many places,
 * one that is overrun above so many in flight, answers of all sizes, times
 * that vary. For each the best fixed limit is found by a sweep; the limit
 * that finds itself must end within 15 % of what that brings.
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

#include "base/hash.h"
#include "pace/pace.h"

#define FLIGHT_MAX 2048
#define SECOND INT64_C(1000000)

struct server {
	const char *name;
	int64_t service_us;
	unsigned places;	/* served at once, more wait in line */
	unsigned collapse;	/* above so many in flight all get slower */
	unsigned refuse;	/* above so many: 429 */
	double jitter;		/* share of the time, up or down */
	unsigned ceiling;
	int64_t run_s;
	int64_t bunch_us;	/* answers leave at multiples of it */
};

struct request {
	int64_t ends_us;
	uint64_t bytes;
	bool refused;
	struct pace_ticket ticket;
};

struct world {
	const struct server *s;
	struct rng rng;
	struct request air[FLIGHT_MAX];
	unsigned n;
	int64_t now_us;
	int64_t place_free_us[FLIGHT_MAX];
};

static void
arrive(struct world *w, struct request *r)
{
	const struct server *s = w->s;
	double k = 1 + s->jitter * (2 * rng_unit(&w->rng) - 1), over;
	unsigned i, best = 0;
	int64_t start;

	r->bytes = 1000 + rng_below(&w->rng, 200000);
	r->refused = s->refuse > 0 && w->n >= s->refuse;
	if (r->refused) {
		r->ends_us = w->now_us + 1000;
		return;
	}
	if (s->collapse > 0 && w->n > s->collapse) {
		over = (double)(w->n - s->collapse) / s->collapse;
		k *= 1 + 20 * over * over + 4 * over;
	}
	k *= 0.5 + (double)r->bytes / 200000;	/* larger takes longer */
	for (i = 1; i < s->places; i++)
		if (w->place_free_us[i] < w->place_free_us[best])
			best = i;
	start = w->place_free_us[best] > w->now_us ? w->place_free_us[best] :
	    w->now_us;
	r->ends_us = start + (int64_t)((double)s->service_us * k);
	w->place_free_us[best] = r->ends_us;
	if (s->bunch_us > 0)
		r->ends_us += s->bunch_us - r->ends_us % s->bunch_us;
}

static unsigned
next_end(const struct world *w)
{
	unsigned i, best = 0;

	for (i = 1; i < w->n; i++)
		if (w->air[i].ends_us < w->air[best].ends_us)
			best = i;
	return (best);
}

/* Bytes a second in the last half of a run; *limit at its end. */
static double
run(const struct server *s, bool adaptive, unsigned in_flight,
    uint64_t seed, unsigned *limit)
{
	struct pace_params p = { .in_flight = in_flight,
	    .adaptive = adaptive, .breaker_open_us = SECOND,
	    .breaker_open_max_us = SECOND };
	struct world *w = calloc(1, sizeof(*w));
	struct pace *pace = pace_new(&p, 1, 0);
	struct pace_state st;
	struct request r;
	double bytes = 0;
	int64_t end_us = s->run_s * SECOND;
	unsigned i;

	w->s = s;
	w->now_us = 1;
	rng_init(&w->rng, seed);
	while (w->now_us < end_us) {
		while (pace_wait(pace, 0, w->now_us, 0) == 0) {
			assert_true(w->n < FLIGHT_MAX);
			pace_sent(pace, 0, w->now_us, &w->air[w->n].ticket);
			arrive(w, &w->air[w->n]);
			w->n++;
		}
		i = next_end(w);
		r = w->air[i];
		w->air[i] = w->air[--w->n];
		w->now_us = r.ends_us;
		if (!r.refused && w->now_us > end_us / 2)
			bytes += (double)r.bytes;
		(void)pace_ended(pace, &r.ticket,
		    r.refused ? PACE_SLOW_DOWN : PACE_GOOD, r.bytes, -1,
		    w->now_us);
		pace_check(pace);
	}
	pace_get_state(pace, &st);
	*limit = st.limit;
	pace_free(pace);
	free(w);
	return (bytes / ((double)s->run_s / 2));
}

static const struct server servers[] = {
	{ "fast", 500, 16, 0, 0, 0.3, 256, 3, 0 },
	{ "slow", 400000, 32, 0, 0, 0.3, 256, 200, 0 },
	{ "overrun above 40", 50000, 200, 40, 0, 0.3, 256, 20, 0 },
	{ "overrun, much noise", 50000, 200, 40, 0, 0.9, 256, 20, 0 },
	{ "one place", 20000, 1, 0, 0, 0.5, 64, 20, 0 },
	{ "refuses above 25", 30000, 200, 0, 25, 0.3, 256, 20, 0 },
	{ "ceiling below the best", 50000, 200, 0, 0, 0.3, 30, 20, 0 },
	{ "wide", 100000, 1000, 0, 0, 0.2, 512, 20, 0 },
	{ "in bunches", 30000, 50, 0, 0, 0, 256, 20, 10000 },
};

static double
sweep(const struct server *s, unsigned *best)
{
	double got, most = 0;
	unsigned n, limit;

	for (n = 1; n <= s->ceiling; n += n < 6 ? 1 : n / 6) {
		got = run(s, false, n, 7, &limit);
		assert_int_equal(limit, n);
		if (got > most) {
			most = got;
			*best = n;
		}
	}
	return (most);
}

static void
finds_the_best(void **state)
{
	size_t i;
	uint64_t seed;
	unsigned best = 0, limit;
	double most, got;

	(void)state;
	for (i = 0; i < sizeof(servers) / sizeof(servers[0]); i++) {
		most = sweep(&servers[i], &best);
		for (seed = 1; seed <= 4; seed++) {
			got = run(&servers[i], true, servers[i].ceiling, seed,
			    &limit);
			print_message("%s, seed %d: best %u, found %u: "
			    "%.3f\n", servers[i].name, (int)seed, best, limit,
			    got / most);
			assert_true(got / most > 0.85);
		}
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(finds_the_best),
	};

	return (cmocka_run_group_tests(tests, NULL, NULL));
}
