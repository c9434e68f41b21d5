/*
 * Each part at its edges: the bucket over any 10 seconds, the breakers' life,
 * Retry-After, budgets, retries earned, the calendar over days and changes
 * of the zone.
 */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/err.h"
#include "base/hash.h"
#include "pace/pace.h"

#define SECOND INT64_C(1000000)
#define T0 (100 * SECOND)

static const struct pace_params plain = {
	.in_flight = 1000, .breaker_failures = 5, .breaker_ratio = 0.5,
	.breaker_open_us = 10 * SECOND, .breaker_open_max_us = 60 * SECOND,
	.retry_share = 0.2, .retry_rate = 1,
};

/* --- rate ---------------------------------------------------------------- */

/* Asked at random times, as a busy loop does, none of the windows of 10 s
 * has more than the rate and one hundredth. */
static void
rate_holds_in_every_window(void **state)
{
	static const double rates[] = { 1, 3, 20, 100, 997, 5000 };
	static int64_t at[200000];
	struct pace_params p = plain;
	struct pace_ticket t;
	struct pace *pace;
	struct rng rng;
	int64_t now, wait;
	size_t i, n, from, most;

	(void)state;
	for (i = 0; i < sizeof(rates) / sizeof(rates[0]); i++) {
		p.rate = rates[i];
		pace = pace_new(&p, T0, 0);
		rng_init(&rng, i);
		for (now = T0, n = 0; now < T0 + 35 * SECOND;) {
			while ((wait = pace_wait(pace, 0, now, 0)) == 0) {
				pace_sent(pace, 0, now, &t);
				(void)pace_ended(pace, &t, PACE_GOOD, 0, -1,
				    now);
				at[n++] = now;
			}
			now += wait / 1000 * 1000 + 1000 +
			    (int64_t)rng_below(&rng, 3000);
		}
		for (from = most = 0; from < n; from++) {
			size_t to = from;

			while (to < n && at[to] < at[from] + 10 * SECOND)
				to++;
			if (to - from > most)
				most = to - from;
		}
		assert_true((double)most <= rates[i] * 10 * 1.01 + 0.5);
		assert_true((double)n >= rates[i] * 35 * 0.9);
		pace_check(pace);
		pace_free(pace);
	}
}

/* --- breakers ------------------------------------------------------------ */

static bool
once(struct pace *p, unsigned class, enum pace_outcome what, int64_t now)
{
	struct pace_ticket t;
	bool changed;

	assert_true(pace_wait(p, class, now, 0) == 0);
	pace_sent(p, class, now, &t);
	changed = pace_ended(p, &t, what, 0, -1, now);
	pace_check(p);
	return (changed);
}

static void
breaker_lives(void **state)
{
	struct pace *p = pace_new(&plain, T0, 0);
	struct pace_ticket probe;
	struct pace_state s;
	int i;

	(void)state;
	for (i = 0; i < 4; i++)
		assert_false(once(p, 1, PACE_BAD, T0));
	assert_false(once(p, 1, PACE_GOOD, T0));	/* in a row only */
	for (i = 0; i < 4; i++)
		assert_false(once(p, 1, PACE_BAD, T0));
	assert_true(once(p, 1, PACE_BAD, T0));
	assert_true(pace_wait(p, 1, T0, 0) == 10 * SECOND);
	assert_true(pace_wait(p, 2, T0, 0) == 0);	/* another class */
	/* half-open: one probe, and nobody beside it */
	assert_true(pace_wait(p, 1, T0 + 10 * SECOND, 0) == 0);
	pace_sent(p, 1, T0 + 10 * SECOND, &probe);
	assert_true(pace_wait(p, 1, T0 + 10 * SECOND, 0) == PACE_ENDS);
	assert_true(pace_ended(p, &probe, PACE_BAD, 0, -1, T0 + 11 * SECOND));
	/* twice the time */
	assert_true(pace_wait(p, 1, T0 + 11 * SECOND, 0) == 20 * SECOND);
	assert_true(pace_wait(p, 1, T0 + 31 * SECOND, 0) == 0);
	pace_sent(p, 1, T0 + 31 * SECOND, &probe);
	/* a cancelled probe leaves the place to the next */
	assert_false(pace_ended(p, &probe, PACE_CANCELLED, 0, -1,
	    T0 + 31 * SECOND));
	assert_true(once(p, 1, PACE_GOOD, T0 + 32 * SECOND));
	pace_get_state(p, &s);
	assert_int_equal(s.classes[1], PACE_CLOSED);
	assert_int_equal(s.opened, 2);
	pace_free(p);
}

/* The pauses before a class's next requests, of probes that fail until then;
 * the last but one is cut short. */
static int64_t
probe_in_vain(struct pace *p, enum pace_outcome what, int64_t now_us,
    unsigned n)
{
	int64_t wait;

	while (n-- > 0) {
		assert_false(pace_gives_up(p, 1));
		wait = pace_wait(p, 1, now_us, 0);
		assert_true(wait > 0);
		now_us += wait;
		assert_false(pace_gives_up(p, 1));
		(void)once(p, 1, what, now_us);
	}
	return (now_us);
}

static void
the_last_probe_is_in_time(void **state)
{
	static const enum pace_outcome bad[] = { PACE_BAD, PACE_UNREACHABLE };
	struct pace_params q = plain;
	struct pace_ticket probe;
	struct pace *p;
	unsigned i, k;

	(void)state;
	q.give_up_us = 100 * SECOND;
	for (i = 0; i < 2; i++) {
		p = pace_new(&q, T0, 0);
		for (k = 0; k < 5; k++)
			(void)once(p, 1, bad[i], T0);
		/* 10, 20, 40 s, and then not 60 */
		assert_true(probe_in_vain(p, bad[i], T0, 3) ==
		    T0 + 70 * SECOND);
		assert_true(pace_wait(p, 1, T0 + 70 * SECOND, 0) ==
		    30 * SECOND);
		assert_false(pace_gives_up(p, 1));
		assert_true(pace_wait(p, 1, T0 + 100 * SECOND, 0) == 0);
		pace_sent(p, 1, T0 + 100 * SECOND, &probe);
		/* as long as it is out there is hope */
		assert_false(pace_gives_up(p, 1));
		(void)pace_ended(p, &probe, i == 0 ? PACE_GOOD : bad[i], 0,
		    -1, T0 + 130 * SECOND);
		assert_true(pace_gives_up(p, 1) == (i == 1));
		pace_free(p);
	}
	/* a class that has failed for long is not let off by the origin */
	p = pace_new(&q, T0, 0);
	for (k = 0; k < 5; k++)
		(void)once(p, 1, PACE_BAD, T0);
	(void)once(p, 1, PACE_BAD, T0 + 10 * SECOND);
	(void)once(p, 1, PACE_UNREACHABLE, T0 + 30 * SECOND);
	for (k = 0; k < 4; k++)
		(void)once(p, 2, PACE_UNREACHABLE, T0 + 30 * SECOND);
	assert_true(probe_in_vain(p, PACE_UNREACHABLE, T0 + 30 * SECOND, 3) ==
	    T0 + 100 * SECOND);
	assert_true(pace_gives_up(p, 1) && !pace_gives_up(p, 2));
	pace_free(p);
}

static void
unreachable_holds_every_class(void **state)
{
	struct pace *p = pace_new(&plain, T0, 0);
	int i;

	(void)state;
	for (i = 0; i < 5; i++)
		assert_int_equal(once(p, (unsigned)i, PACE_UNREACHABLE, T0),
		    i == 4);
	for (i = 0; i < PACE_CLASSES; i++)
		assert_true(pace_wait(p, (unsigned)i, T0, 0) == 10 * SECOND);
	assert_true(once(p, 7, PACE_GOOD, T0 + 10 * SECOND));
	assert_true(pace_wait(p, 3, T0 + 10 * SECOND, 0) == 0);
	pace_free(p);
}

static void
a_share_of_failures_opens(void **state)
{
	struct pace *p = pace_new(&plain, T0, 0);
	bool opened = false;
	int i;

	(void)state;
	for (i = 0; i < 40 && !opened; i++)
		opened = once(p, 0, i % 2 == 0 ? PACE_BAD : PACE_GOOD, T0);
	assert_true(opened);
	assert_int_equal(i, (int)PACE_RATIO_REQUESTS);
	pace_free(p);
}

/* --- pauses, budgets, retries -------------------------------------------- */

static void
retry_after_holds_all(void **state)
{
	struct pace *p = pace_new(&plain, T0, 0);
	struct pace_ticket t;

	(void)state;
	pace_sent(p, 0, T0, &t);
	(void)pace_ended(p, &t, PACE_SLOW_DOWN, 0, 7 * SECOND, T0);
	assert_true(pace_wait(p, 3, T0 + SECOND, 0) == 6 * SECOND);
	assert_true(pace_wait(p, 3, T0 + 7 * SECOND, 0) == 0);
	pace_free(p);
}

static void
budgets_are_kept(void **state)
{
	struct pace_params q = plain;
	struct pace *p;
	int i;

	(void)state;
	q.budget_hour = 10;
	q.budget_day = 25;
	p = pace_new(&q, T0, 3000);
	for (i = 0; i < 10; i++) {
		struct pace_ticket t;

		assert_true(pace_wait(p, 0, T0, 3000) == 0);
		pace_sent(p, 0, T0, &t);
		(void)pace_ended(p, &t, PACE_GOOD, 0, -1, T0);
	}
	assert_true(pace_wait(p, 0, T0, 3000) == 600 * SECOND);
	for (i = 0; i < 15; i++) {
		struct pace_ticket t;
		int64_t at = 3600 + i / 10 * 3600;

		assert_true(pace_wait(p, 0, T0, at) == 0);
		pace_sent(p, 0, T0, &t);
		(void)pace_ended(p, &t, PACE_GOOD, 0, -1, T0);
	}
	assert_true(pace_wait(p, 0, T0, 7300) > 0);	/* the day's */
	assert_true(pace_wait(p, 0, T0, 86399) > 0);
	assert_true(pace_wait(p, 0, T0, 86400) == 0);
	pace_remaining(p, 2, 0, T0 + 5 * SECOND);
	assert_true(pace_wait(p, 0, T0, 86400) == 5 * SECOND);
	assert_true(pace_wait(p, 0, T0 + 5 * SECOND, 86400) == 0);
	/* the longest of several holds; what is left may be used */
	pace_remaining(p, 0, 2, T0 + 9 * SECOND);
	pace_remaining(p, 1, 0, T0 + 7 * SECOND);
	assert_true(pace_wait(p, 0, T0 + 5 * SECOND, 86400) == 2 * SECOND);
	(void)once(p, 0, PACE_GOOD, T0 + 7 * SECOND);
	(void)once(p, 0, PACE_GOOD, T0 + 7 * SECOND);
	assert_true(pace_wait(p, 0, T0 + 7 * SECOND, 0) == 2 * SECOND);
	pace_free(p);
}

/* Send so many, each at once. */
static void
spend(struct pace *p, int n, int64_t unix_s)
{
	struct pace_ticket t;

	for (; n > 0; n--) {
		assert_true(pace_wait(p, 0, T0, unix_s) == 0);
		pace_sent(p, 0, T0, &t);
		(void)pace_ended(p, &t, PACE_GOOD, 0, -1, T0);
	}
}

/* What the server's quota left the next process does not have either, until
 * that is filled up. */
static void
quotas_are_handed_on(void **state)
{
	struct pace_spent a, b, sum = { .hour = { 0, 0 } };
	struct pace *p = pace_new(&plain, T0, 3000);
	int64_t wait;

	(void)state;
	pace_get_spent(p, T0, 3000, &a);
	assert_false(pace_add_quotas(&sum, &a, &a));
	spend(p, 7, 3000);
	pace_remaining(p, 1, 0, T0 + 90 * SECOND);
	pace_get_spent(p, T0, 3000, &b);
	assert_true(b.hour.number == 0 && b.hour.used == 7);
	assert_true(b.quotas[1].until_s == 3090 && b.quotas[0].until_s == 0);
	pace_free(p);
	sum.quotas[2].left = 5;
	sum.quotas[2].until_s = 4000;
	assert_true(pace_add_quotas(&sum, &a, &b));
	assert_true(sum.quotas[1].until_s == 3090 && sum.quotas[2].left == 5);
	assert_false(pace_add_quotas(&sum, &b, &b));

	/* ten seconds later, by another monotonic clock */
	p = pace_new(&plain, 0, 3010);
	pace_set_quotas(p, &sum, 0, 3010);
	assert_true(pace_wait(p, 0, 0, 3010) == 80 * SECOND);
	assert_string_equal(pace_spent_what(p, 0, 3010, &wait),
	    "the server's quota");
	spend(p, 3, 3090);
	pace_free(p);
}

/* Half of what there is, at most what is wished for; the last one too. */
static void
claims_are_of_what_there_is(void **state)
{
	static const uint64_t steps[] = { 10, 15, 18, 19, 20, 20 };
	const struct pace_budget most = { 20, 0 };
	struct pace_claims c = { .hour = { 0, 0 } };
	struct pace_spent sum = { .hour = { INT64_MIN, 0 } };
	struct pace_params q = plain;
	struct pace_spent own;
	struct pace *p;
	int64_t wait;
	size_t i;

	(void)state;
	q.budget_hour = 20;
	p = pace_new(&q, T0, 3000);
	pace_grant(p, &c);
	for (i = 0; i < 6; i++) {
		/* more may be had */
		assert_true(pace_wait(p, 0, T0, 3000) == SECOND);
		pace_get_spent(p, T0, 3000, &own);
		assert_true(pace_claim(&most, &sum, &c, &own, 12, false));
		assert_false(pace_claim(&most, &sum, &c, &own, 0, false));
		assert_true(sum.hour.used == steps[i]);
		assert_true(c.hour_dry == (i == 5));
		pace_grant(p, &c);
		assert_true(pace_granted(&most, &c, &own) == steps[i] -
		    (i > 0 ? steps[i - 1] : 0));
		if (i < 5)
			spend(p, (int)(steps[i] - (i > 0 ? steps[i - 1] : 0)),
			    3000);
	}
	/* and no more */
	assert_true(pace_wait(p, 0, T0, 3000) == 600 * SECOND);
	assert_string_equal(pace_spent_what(p, T0, 3000, &wait),
	    "the budget of the hour");
	/* nothing is claimed yet of the next one */
	assert_true(pace_wait(p, 0, T0, 3600) == SECOND);
	pace_get_spent(p, T0, 3600, &own);
	assert_true(pace_claim(&most, &sum, &c, &own, 3, false));
	pace_grant(p, &c);
	spend(p, 2, 3600);
	/* the rest of the last claim is given back */
	pace_get_spent(p, T0, 3600, &own);
	assert_true(pace_claim(&most, &sum, &c, &own, 0, true));
	assert_true(sum.hour.number == 1 && sum.hour.used == 2);
	pace_free(p);
}

/* Who is late takes nothing of the hour that has begun for others; a sum of
 * a year to come was a wrong clock's. */
static void
claims_of_another_time(void **state)
{
	const struct pace_budget most = { 20, 0 };
	struct pace_claims c = { .hour = { 0, 0 } };
	struct pace_spent sum = { .hour = { 5, 7 } };
	struct pace_spent own = { .hour = { 4, 0 } };

	(void)state;
	assert_false(pace_claim(&most, &sum, &c, &own, 8, false));
	assert_true(sum.hour.number == 5 && sum.hour.used == 7);
	assert_true(pace_granted(&most, &c, &own) == 0 && !c.hour_dry);
	sum.hour.number = 500000;
	assert_true(pace_claim(&most, &sum, &c, &own, 8, false));
	assert_true(sum.hour.number == 4 && sum.hour.used == 8);
}

#define RUNS 5

struct run {
	struct pace *p;
	struct pace_claims c;
};

static void
run_begin(struct run *r, const struct pace_params *q, int64_t unix_s)
{
	*r = (struct run){ .p = pace_new(q, T0, unix_s) };
	pace_grant(r->p, &r->c);
}

/* Runs at once, which claim, send, end and are killed as it comes: never is
 * more sent than the budgets allow, and the sum counts all that is sent. */
static void
a_budget_is_never_exceeded(void **state)
{
	const struct pace_budget most = { 40, 90 };
	struct pace_params q = plain;
	struct run r[RUNS];
	struct pace_spent sum = { .hour = { 0, 0 } }, own;
	uint64_t sent = 0, day = 0, killed = 0, full = 0;
	int64_t at = 0, hour = 0;
	struct rng rng;
	unsigned i, k;

	(void)state;
	rng_init(&rng, 7);
	q.budget_hour = most.hour;
	q.budget_day = most.day;
	for (i = 0; i < RUNS; i++)
		run_begin(&r[i], &q, at);
	for (i = 0; i < 20000; i++) {
		struct run *x = &r[rng_below(&rng, RUNS)];

		k = (unsigned)rng_below(&rng, 100);
		at += k < 5 ? 100 : 0;
		if (at / 3600 != hour) {
			full += sent == most.hour;
			sent = 0;
			hour = at / 3600;
			day = hour % 24 == 0 ? 0 : day;
		}
		pace_get_spent(x->p, T0, at, &own);
		if (k < 60) {
			if (pace_wait(x->p, 0, T0, at) == 0) {
				spend(x->p, 1, at);
				sent++;
				day++;
			}
		} else if (k < 90) {
			(void)pace_claim(&most, &sum, &x->c, &own,
			    rng_below(&rng, 12), false);
			pace_grant(x->p, &x->c);
		} else if (k < 92) {
			killed += k == 90;
			if (k == 91)
				(void)pace_claim(&most, &sum, &x->c, &own, 0,
				    true);
			pace_free(x->p);
			run_begin(x, &q, at);
		}
		assert_true(sent <= most.hour && day <= most.day);
		if (sum.hour.number == hour)
			assert_true(sent <= sum.hour.used &&
			    sum.hour.used <= most.hour);
	}
	/* or nothing was tried */
	assert_true(killed > 50 && full > 0);
	for (i = 0; i < RUNS; i++)
		pace_free(r[i].p);
}

static void
retries_are_earned(void **state)
{
	struct pace *p = pace_new(&plain, T0, 0);
	int i, n = 0;

	(void)state;
	while (pace_retry(p, T0) == 0)
		n++;
	assert_in_range(n, 10, 20);
	assert_true(pace_retry(p, T0) <= SECOND + 1);
	for (i = 0; i < 10; i++)
		(void)once(p, 0, PACE_GOOD, T0);
	for (n = 0; pace_retry(p, T0) == 0; n++)
		continue;
	assert_in_range(n, 1, 2);
	pace_free(p);
}

/* --- calendar ------------------------------------------------------------ */

#define MONDAY INT64_C(1772409600)	/* 2026-03-02T00:00:00Z */
#define HOUR INT64_C(3600)

static void
calendar_finds_the_line(void **state)
{
	static const char *const lines[] = {
		"all 00:00-24:00 rate=50",
		"mon-fri 09:00-17:00 rate=20 in_flight=4",
		"sat,sun 00:00-24:00 in_flight=64",
		"fri-mon 22:00-06:00 rate=0",
	};
	static const struct { int64_t at; double rate; int in_flight; } t[] = {
		{ 7 * HOUR, 50, -1 },
		{ 9 * HOUR, 20, 4 },
		{ 17 * HOUR - 1, 20, 4 },
		{ 17 * HOUR, 50, -1 },
		{ 22 * HOUR, 0, -1 },			/* Monday night */
		{ 24 * HOUR + 6 * HOUR - 1, 0, -1 },	/* runs over */
		{ 24 * HOUR + 6 * HOUR, 50, -1 },
		{ 24 * HOUR + 22 * HOUR, 50, -1 },	/* Tuesday night */
		{ 5 * 24 * HOUR + 12 * HOUR, 50, 64 },	/* Saturday */
		{ 6 * 24 * HOUR + 23 * HOUR, 0, 64 },	/* Sunday night */
		{ 3 * HOUR, 0, -1 },			/* from Sunday */
	};
	struct pace_calendar *c;
	struct pace_ceiling x;
	struct err e = ERR_INIT;
	int64_t seconds;
	size_t i;

	(void)state;
	assert_int_equal(pace_calendar_new(lines, 4, NULL, &c, &e), 0);
	for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		x = pace_calendar_at(c, MONDAY + t[i].at, &seconds);
		assert_true(x.rate == t[i].rate);
		assert_int_equal(x.in_flight, t[i].in_flight);
		assert_in_range(seconds, 1, 3600);
	}
	pace_calendar_free(c);
}

/* Berlin is an hour east of UTC in March, two from the 29th (2026) on. */
static void
calendar_follows_the_zone(void **state)
{
	static const char *const lines[] = { "all 09:00-17:00 in_flight=4" };
	struct pace_calendar *c;
	struct err e = ERR_INIT;
	int64_t winter = MONDAY + 8 * HOUR, summer;

	(void)state;
	(void)setenv("TZ", "America/New_York", 1);
	assert_int_equal(pace_calendar_new(lines, 1, "Europe/Berlin", &c, &e),
	    0);
	assert_string_equal(getenv("TZ"), "America/New_York");
	winter += 300 * 24 * HOUR;			/* December 2026 */
	summer = winter + 180 * 24 * HOUR;		/* June 2027 */
	assert_int_equal(pace_calendar_offset(c, winter), 3600);
	assert_int_equal(pace_calendar_offset(c, summer), 7200);
	assert_int_equal(pace_calendar_at(c, winter, NULL).in_flight, 4);
	assert_int_equal(pace_calendar_at(c, winter - 1, NULL).in_flight, -1);
	assert_int_equal(pace_calendar_at(c, summer - HOUR, NULL).in_flight,
	    4);
	pace_calendar_free(c);
}

static void
calendar_refuses(void **state)
{
	static const char *const bad[] = {
		"", "mon", "mon 09:00-17:00", "mon 9:00-17:00 rate=1",
		"mon 09:00-25:00 rate=1", "mon 24:00-25:00 rate=1",
		"mon 09:60-17:00 rate=1", "mo 09:00-17:00 rate=1",
		"mon- 09:00-17:00 rate=1", "mon,,tue 09:00-17:00 rate=1",
		"mon 09:00-17:00 rate=-1", "mon 09:00-17:00 rte=1",
		"mon 09:00-17:00 in_flight=1.5", "mon 09:00 - 17:00 rate=1",
	};
	static const char *const zones[] = {
		"", "Europe/Nowhere", "../etc/passwd", "/etc/localtime",
		"UTC0;x",
	};
	static const char *const good[] = { "all 00:00-24:00 rate=1" };
	struct pace_calendar *c;
	struct err e = ERR_INIT;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(pace_calendar_new(&bad[i], 1, NULL, &c, &e),
		    ERR_CONFIG);
	for (i = 0; i < sizeof(zones) / sizeof(zones[0]); i++)
		assert_int_equal(pace_calendar_new(good, 1, zones[i], &c, &e),
		    ERR_CONFIG);
}

/* A ceiling of the calendar holds, and its end lets the limit grow again. */
static void
calendar_rules_the_limit(void **state)
{
	static const char *const lines[] = {
		"all 09:00-17:00 in_flight=4", "all 12:00-13:00 rate=0",
	};
	struct pace_params q = plain;
	struct pace_calendar *c;
	struct pace_state s;
	struct pace *p;

	(void)state;
	assert_int_equal(pace_calendar_new(lines, 2, NULL, &c, NULL), 0);
	q.calendar = c;
	q.in_flight = 64;
	p = pace_new(&q, T0, MONDAY);
	assert_true(pace_wait(p, 0, T0, MONDAY) == 0);
	pace_get_state(p, &s);
	assert_int_equal(s.limit, 64);
	assert_true(pace_wait(p, 0, T0, MONDAY + 10 * HOUR) == 0);
	pace_get_state(p, &s);
	assert_int_equal(s.limit, 4);
	assert_true(pace_wait(p, 0, T0, MONDAY + 12 * HOUR) > 0);
	assert_true(pace_wait(p, 0, T0, MONDAY + 17 * HOUR) == 0);
	pace_get_state(p, &s);
	assert_int_equal(s.ceiling, 64);
	pace_check(p);
	pace_free(p);
	pace_calendar_free(c);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rate_holds_in_every_window),
		cmocka_unit_test(breaker_lives),
		cmocka_unit_test(the_last_probe_is_in_time),
		cmocka_unit_test(unreachable_holds_every_class),
		cmocka_unit_test(a_share_of_failures_opens),
		cmocka_unit_test(retry_after_holds_all),
		cmocka_unit_test(budgets_are_kept),
		cmocka_unit_test(quotas_are_handed_on),
		cmocka_unit_test(claims_are_of_what_there_is),
		cmocka_unit_test(claims_of_another_time),
		cmocka_unit_test(a_budget_is_never_exceeded),
		cmocka_unit_test(retries_are_earned),
		cmocka_unit_test(calendar_finds_the_line),
		cmocka_unit_test(calendar_follows_the_zone),
		cmocka_unit_test(calendar_refuses),
		cmocka_unit_test(calendar_rules_the_limit),
	};

	return (cmocka_run_group_tests(tests, NULL, NULL));
}
