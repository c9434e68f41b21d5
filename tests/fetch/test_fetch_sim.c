/*
 * The engine in a simulation: fetch over a scripted transport, on a loop in
 * virtual time. A seed makes the options, the server's character (latency,
 * capacity, refusals, storms, silence, resets, Retry-After), the jobs that
 * come, and the cancels. After each step the invariants are checked; at the
 * end every job has been told exactly once, or was cancelled and never told.
 *
 * A failing seed is printed; FETCH_SEED=n runs that one alone, FETCH_SEEDS=n
 * so many.
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

#include "base/err.h"
#include "base/hash.h"
#include "base/msg.h"
#include "fake_loop.h"
#include "fetch/fetch.h"
#include "loop/loop.h"

#define SEEDS 10000
#define JOBS_MAX 200
#define SECOND INT64_C(1000000)
#define T0 (1000 * SECOND)
#define STEPS_MAX 400000
#define SENT_MAX 4096

/* What the server does while a period lasts. */
enum mood { GOOD, BUSY, BROKEN, GONE, SILENT, MIXED, MOODS };

struct air {			/* a transfer in flight */
	struct world *w;
	struct fetch_transfer *t;
	struct loop_timer *timer;
};

struct user {			/* a job and what was heard of it */
	struct world *w;
	struct fetch_job *job;
	struct loop_timer *arrives, *cancels;
	struct fetch_request q;
	unsigned told;
	bool cancelled, given_up;
	int code;
};

struct world {
	uint64_t seed;
	struct rng rng;
	struct loop *loop;
	struct fetch *f;
	struct fetch_options o;
	/* server */
	enum mood mood;
	struct loop_timer *change;
	unsigned in_flight, most;
	unsigned capacity;
	int64_t service_us;
	bool healed;		/* for good: the end is near */
	/* sends, to judge the rate */
	int64_t sent[SENT_MAX];
	unsigned nsent;
	/* what Retry-After asked for */
	int64_t hold_until_us;
	/* users */
	struct user users[JOBS_MAX];
	unsigned n;
	bool freed;
};

#define CHECK(w, cond) do {                                             \
	if (!(cond)) {                                                  \
		print_error("seed %llu at %lld us: %s\n",               \
		    (unsigned long long)(w)->seed,                      \
		    (long long)(loop_now_us((w)->loop) - T0), #cond);   \
		fail();                                                 \
	}                                                               \
} while (0)

static uint64_t
below(struct world *w, uint64_t n)
{

	return (rng_below(&w->rng, n));
}

/* --- the server ---------------------------------------------------------- */

static void
mood_change(void *cookie)
{
	struct world *w = cookie;

	w->mood = w->healed ? GOOD : (enum mood)below(w, MOODS);
	if (!w->healed)
		loop_timer_set(w->change,
		    (int64_t)below(w, 40 * (uint64_t)SECOND));
}

static int64_t
retry_after_ms(struct world *w)
{
	static const int64_t wishes[] = {
		-1, 0, 1, 1000, 5000, 3600000, INT64_C(1) << 40,
	};

	return (wishes[below(w, sizeof(wishes) / sizeof(wishes[0]))]);
}

static void
answer_status(struct fetch_transfer *t, int status)
{

	t->status = status;
	t->json = true;
	buf_puts(&t->in, status == 200 ? "{\"Items\":[]}" :
	    "{\"Errors\":[\"no\"]}");
}

static void
answer_broken(struct fetch_transfer *t, int rc, bool origin)
{

	t->rc = rc;
	t->origin_fault = origin;
	snprintf(t->reason, sizeof(t->reason), "it broke");
}

static void
answer(struct world *w, struct fetch_transfer *t)
{
	static const int refusals[] = { 400, 401, 403, 404, 409, 410, 501 };
	enum mood m = w->mood == MIXED ? (enum mood)below(w, MIXED) : w->mood;

	switch (m) {
	case BUSY:
		answer_status(t, below(w, 2) ? 429 : 503);
		t->retry_after_ms = retry_after_ms(w);
		return;
	case BROKEN:
		answer_status(t, below(w, 2) ? 500 : 502);
		return;
	case GONE:
		answer_broken(t, below(w, 4) ? ERR_CONNECT : ERR_TLS, true);
		return;
	case SILENT:
		answer_broken(t, ERR_TIMEOUT, false);
		return;
	default:
		break;
	}
	if (!w->healed && below(w, 40) == 0)
		answer_status(t, refusals[below(w, 7)]);
	else if (!w->healed && below(w, 40) == 0)
		answer_broken(t, ERR_ANSWER, false);
	else
		answer_status(t, 200);
}

static void
note_hold(struct world *w, const struct fetch_transfer *t)
{
	int64_t ms = t->retry_after_ms, until;

	if (t->status != 429 && t->status != 503)
		return;
	if (ms > w->o.retry_cap_ms)
		ms = w->o.retry_cap_ms;
	until = loop_now_us(w->loop) + (ms > 0 ? ms : 0) * 1000;
	if (until > w->hold_until_us)
		w->hold_until_us = until;
}

static void
air_ends(void *cookie)
{
	struct air *a = cookie;
	struct world *w = a->w;
	struct fetch_transfer *t = a->t;

	answer(w, t);
	t->total_us = 1000;
	t->wire_bytes = (int64_t)t->in.len + 100;
	note_hold(w, t);
	w->in_flight--;
	loop_timer_free(a->timer);
	free(a);
	t->handle = NULL;
	t->finished(t);
}

static int
server_start(void *cookie, struct fetch_transfer *t)
{
	struct world *w = cookie;
	int64_t took = w->service_us, now = loop_now_us(w->loop);
	struct air *a;

	/* Nobody is sent while the server asked for a pause. */
	CHECK(w, now >= w->hold_until_us);
	if (below(w, 300) == 0)
		return (ERR_NOMEM);
	a = calloc(1, sizeof(*a));
	a->w = w;
	a->t = t;
	a->timer = loop_timer_new(w->loop, air_ends, a);
	t->handle = a;
	if (++w->in_flight > w->most)
		w->most = w->in_flight;
	if (w->in_flight > w->capacity)
		took = took * w->in_flight / w->capacity;
	if (w->mood == SILENT)
		took += 30 * SECOND;
	loop_timer_set(a->timer, took / 2 +
	    (int64_t)below(w, (uint64_t)took + 1));
	if (w->nsent < SENT_MAX)
		w->sent[w->nsent++] = now;
	return (0);
}

static void
server_stop(void *cookie, struct fetch_transfer *t)
{
	struct world *w = cookie;
	struct air *a = t->handle;

	CHECK(w, a != NULL && a->t == t);
	w->in_flight--;
	loop_timer_free(a->timer);
	free(a);
	t->handle = NULL;
}

static void
server_free(void *cookie)
{
	struct world *w = cookie;

	CHECK(w, w->in_flight == 0 && !w->freed);
	w->freed = true;
}

/* --- the users ----------------------------------------------------------- */

static void user_start(struct world *, unsigned priority);

static void
told(void *cookie, struct fetch_answer *a)
{
	struct user *u = cookie;
	struct world *w = u->w;

	CHECK(w, u->told == 0 && !u->cancelled);
	u->told++;
	u->job = NULL;
	u->code = a->err.code;
	u->given_up = strncmp(a->err.text, "given up", 8) == 0;
	CHECK(w, a->tries <= (u->q.tries > 0 ? u->q.tries : w->o.tries) + 1);
	CHECK(w, (a->err.code == 0) == (a->status == 200 &&
	    a->err.text[0] == '\0'));
	CHECK(w, a->err.code == 0 || a->err.text[0] != '\0');
	/* In the call anything may be started and cancelled. */
	if (w->n < JOBS_MAX && below(w, 3) == 0)
		user_start(w, (unsigned)below(w, 3));
	u = &w->users[below(w, w->n)];
	if (below(w, 10) == 0 && u->job != NULL) {
		fetch_cancel(u->job);
		u->job = NULL;
		u->cancelled = true;
	}
}

static void
arrive(void *cookie)
{
	struct user *u = cookie;

	u->job = fetch_start(u->w->f, &u->q, told, u);
}

static void
give_in(void *cookie)
{
	struct user *u = cookie;

	if (u->job == NULL)
		return;
	fetch_cancel(u->job);
	u->job = NULL;
	u->cancelled = true;
}

static void
user_start(struct world *w, unsigned priority)
{
	struct user *u = &w->users[w->n++];

	u->w = w;
	u->q = (struct fetch_request){ .method = "GET", .target = "/a",
	    .priority = (int)priority, .class = (unsigned)below(w, 3),
	    .tries = below(w, 4) == 0 ? (unsigned)below(w, 5) : 0 };
	u->arrives = loop_timer_new(w->loop, arrive, u);
	loop_timer_set(u->arrives, (int64_t)below(w, 60 * (uint64_t)SECOND));
	u->cancels = loop_timer_new(w->loop, give_in, u);
	if (below(w, 12) == 0)
		loop_timer_set(u->cancels,
		    (int64_t)below(w, 90 * (uint64_t)SECOND));
}

/* --- judging ------------------------------------------------------------- */

static void
check_step(struct world *w)
{
	struct fetch_stats s;
	struct pace_state p;

	fetch_stats(w->f, &s);
	fetch_pace(w->f, &p);
	/* One that has ended counts until the turn looks at it. */
	CHECK(w, s.in_flight >= w->in_flight);
	CHECK(w, p.in_flight == s.in_flight);
	CHECK(w, w->in_flight <= w->o.in_flight);
	CHECK(w, p.limit >= 1 && p.limit <= w->o.in_flight);
}

/* No 10 s have more than the rate and one in a hundred. */
static void
check_rate(struct world *w)
{
	unsigned a, b;

	if (w->o.rate <= 0)
		return;
	for (a = b = 0; a < w->nsent; a++) {
		while (b < w->nsent && w->sent[b] < w->sent[a] + 10 * SECOND)
			b++;
		CHECK(w, b - a <= w->o.rate * 10 * 1.01 + 1);
	}
}

static void
check_end(struct world *w)
{
	unsigned i;

	for (i = 0; i < w->n; i++)
		CHECK(w, w->users[i].cancelled ? w->users[i].told == 0 :
		    w->users[i].told == 1);
	check_rate(w);
}

/* --- a run --------------------------------------------------------------- */

static void
world_init(struct world *w, uint64_t seed)
{
	const struct fetch_transport on = { w, server_start, server_stop,
	    server_free };
	unsigned i, n;

	w->seed = seed;
	rng_init(&w->rng, seed);
	w->loop = fake_loop_new(T0, 1772409600);
	w->o = (struct fetch_options){ .origin = "https://pi.example",
	    .in_flight = 1 + (unsigned)below(w, 40),
	    .adaptive = below(w, 2) == 0,
	    .rate = below(w, 3) == 0 ? 1 + (double)below(w, 40) : 0,
	    .body_max = 1000, .tries = 1 + (unsigned)below(w, 4),
	    .retry_base_ms = (int64_t)below(w, 3000),
	    .retry_cap_ms = 1000 + (int64_t)below(w, 30000),
	    .breaker_failures = (unsigned)below(w, 8),
	    .breaker_ratio = 0.5, .breaker_open_ms = 1000,
	    .breaker_open_max_ms = 20000,
	    .give_up_ms = 5000 + (int64_t)below(w, 100000),
	    .retry_share = 0.2, .retry_rate = 1, .seed = seed };
	w->capacity = 1 + (unsigned)below(w, 30);
	w->service_us = 100 + (int64_t)below(w, 2 * (uint64_t)SECOND);
	assert_int_equal(fetch_new_on(w->loop, &w->o, &on, NULL, &w->f,
	    NULL), 0);
	w->change = loop_timer_new(w->loop, mood_change, w);
	mood_change(w);
	n = 1 + (unsigned)below(w, JOBS_MAX / 2);
	for (i = 0; i < n; i++)
		user_start(w, (unsigned)below(w, 3));
}

static void
world_fini(struct world *w)
{
	unsigned i;

	for (i = 0; i < w->n; i++) {
		loop_timer_free(w->users[i].arrives);
		loop_timer_free(w->users[i].cancels);
	}
	loop_timer_free(w->change);
	fetch_free(w->f);
	CHECK(w, w->freed);
	while (fake_loop_step(w->loop, INT64_MAX / 2))
		continue;
	loop_free(w->loop);
}

static bool
all_over(const struct world *w)
{
	unsigned i;

	for (i = 0; i < w->n; i++)
		if (w->users[i].told == 0 && !w->users[i].cancelled)
			return (false);
	return (true);
}

/* What all runs together came upon, to see that they did. */
struct total {
	uint64_t requests, retries, opened, slowed, given_up, cancelled;
};

static void
total_add(struct total *sum, const struct world *w)
{
	struct fetch_stats s;
	struct pace_state p;
	unsigned i;

	fetch_stats(w->f, &s);
	fetch_pace(w->f, &p);
	sum->requests += s.requests;
	sum->retries += s.retries;
	sum->opened += p.opened;
	sum->slowed += p.slowed;
	for (i = 0; i < w->n; i++) {
		sum->given_up += w->users[i].given_up;
		sum->cancelled += w->users[i].cancelled;
	}
}

static void
run(uint64_t seed, struct total *sum)
{
	struct world *w = calloc(1, sizeof(*w));
	bool early;
	unsigned steps = 0;

	world_init(w, seed);
	early = below(w, 8) == 0;	/* freed in the middle of it all */
	while (!all_over(w) && fake_loop_step(w->loop, INT64_MAX / 2)) {
		check_step(w);
		CHECK(w, ++steps < STEPS_MAX);
		w->healed = loop_now_us(w->loop) > T0 + 600 * SECOND;
		if (early && steps > 300)
			break;
	}
	if (!early) {
		CHECK(w, all_over(w));
		check_end(w);
	}
	total_add(sum, w);
	world_fini(w);
	free(w);
}

static void
seeds(void **state)
{
	const char *one = getenv("FETCH_SEED"), *many = getenv("FETCH_SEEDS");
	uint64_t n = many != NULL ? strtoull(many, NULL, 10) : SEEDS, seed;
	struct total t = { 0 };

	(void)state;
	if (one != NULL) {
		run(strtoull(one, NULL, 10), &t);
		return;
	}
	for (seed = 1; seed <= n; seed++)
		run(seed, &t);
	print_message("%llu seeds: %llu requests, %llu retries, breakers "
	    "opened %llu times, the limit cut %llu times, %llu jobs given up, "
	    "%llu cancelled\n", (unsigned long long)n,
	    (unsigned long long)t.requests, (unsigned long long)t.retries,
	    (unsigned long long)t.opened, (unsigned long long)t.slowed,
	    (unsigned long long)t.given_up, (unsigned long long)t.cancelled);
	assert_true(n < 100 || (t.retries > 0 && t.opened > 0 &&
	    t.slowed > 0 && t.given_up > 0 && t.cancelled > 0));
}

/* While a server is gone for good nothing is sent but one probe a pause, and
 * all are given up in time. */
static void
gone_for_good(void **state)
{
	struct world *w = calloc(1, sizeof(*w));
	unsigned i;

	(void)state;
	world_init(w, 5);
	loop_timer_clear(w->change);
	w->mood = GONE;
	fetch_free(w->f);
	w->freed = false;
	w->o.breaker_failures = 5;
	w->o.rate = 0;
	w->o.in_flight = 4;
	w->o.give_up_ms = 60000;
	w->o.tries = 100;
	assert_int_equal(fetch_new_on(w->loop, &w->o,
	    &(struct fetch_transport){ w, server_start, server_stop,
	    server_free }, NULL, &w->f, NULL), 0);
	w->nsent = 0;
	while (!all_over(w) && fake_loop_step(w->loop, INT64_MAX / 2))
		check_step(w);
	assert_true(all_over(w));
	/* 4 + 4 at most until it opens, then one after 1, 2, 4 ... s, for at
	 * most 60 s and each arrival later. */
	assert_in_range(w->nsent, 5, 24);
	for (i = 0; i < w->n; i++)
		if (!w->users[i].cancelled)
			assert_true(w->users[i].code == ERR_CONNECT ||
			    w->users[i].code == ERR_TLS);
	assert_true(loop_now_us(w->loop) < T0 + 400 * SECOND);
	world_fini(w);
	free(w);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(gone_for_good),
		cmocka_unit_test(seeds),
	};

	msg_setup("sim", MSG_ERROR, MSG_TEXT);
	return (cmocka_run_group_tests(tests, NULL, NULL));
}
