/*
 * A server in memory, of which everything is known, harvested by sched under
 * random data, limits and faults. At the end every stream that was not set
 * aside has got exactly its events in the wanted ranges, each once; the
 * proven ranges are the wanted ones; the number of requests was bounded.
 * A failing seed is printed; SCHED_SEED=n runs that one alone, SCHED_SEEDS=n
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
#include <time.h>

#include <cmocka.h>

#include "base/err.h"
#include "base/hash.h"
#include "base/ranges.h"
#include "base/ticks.h"
#include "sched/sched.h"

#define SEEDS 4000
#define AIR_MAX 12

struct truth {
	uint32_t id;
	int64_t *t;		/* sorted */
	uint32_t n;
	uint32_t *got;		/* times each was delivered */
	struct ranges wanted;
	struct ranges covered;
	int64_t *ties;		/* reported */
	uint32_t ties_n;
	bool guilty;		/* any request with it is refused */
	bool lost;		/* never in an answer */
	bool aside;
	int64_t floor;		/* told: what lies before need not be asked */
};

struct world {
	bool forms;		/* another way of packing each time */
	uint64_t seed;
	struct rng rng;
	struct sched *s;
	struct sched_params p;
	struct truth *v;
	uint32_t n;
	uint32_t url_each;
	uint32_t events;
	bool total;		/* reading of maxCount */
	bool by_time;		/* of a total: the first in time */
	uint32_t server_cap;
	uint32_t server_url;
	uint32_t faults;	/* still to be injected */
	uint32_t smaller;	/* of them, too big or too slow */
	bool smaller_aside;	/* they may set a stream aside */
	bool floors;
	int64_t span;
	uint64_t requests;
};

#define CHECK(w, x) \
	((x) ? (void)0 : broken((w), #x, __LINE__))

static void
broken(const struct world *w, const char *what, int line)
{
	print_error("SCHED_SEED=%llu: line %d: %s\n",
	    (unsigned long long)w->seed, line, what);
	fail();
}

static bool
chance(struct world *w, unsigned percent)
{
	return (rng_below(&w->rng, 100) < percent);
}

static uint32_t
between(struct world *w, uint32_t lo, uint32_t hi)
{
	return (lo + (uint32_t)rng_below(&w->rng, (uint64_t)hi - lo + 1));
}

static int
time_cmp(const void *x, const void *y)
{
	int64_t l = *(const int64_t *)x, r = *(const int64_t *)y;

	return ((l > r) - (l < r));
}

/* --- making a world ------------------------------------------------------ */

/* Even, in bursts, in ties; or none at all. */
static void
truth_events(struct world *w, struct truth *v, int64_t span)
{
	uint32_t i, n, shape = between(w, 0, 4);
	int64_t at = 0;

	n = shape == 0 ? between(w, 0, 2) : between(w, 1, 200);
	v->n = n;
	v->t = calloc(n + 1, sizeof(*v->t));
	v->got = calloc(n + 1, sizeof(*v->got));
	for (i = 0; i < n; i++) {
		if (i == 0 || shape <= 1 || chance(w, 8))
			at = (int64_t)rng_below(&w->rng, (uint64_t)span);
		else if (shape == 2)
			at += between(w, 0, 3);
		else if (shape == 3 && chance(w, 50))
			at += between(w, 0, 1);
		v->t[i] = at % span;
	}
	qsort(v->t, n, sizeof(*v->t), time_cmp);
	w->events += n;
}

static void
truth_init(struct world *w, struct truth *v, uint32_t i, int64_t span)
{
	uint32_t k, n;
	int64_t a, b;

	v->id = i * 7 + 3;
	truth_events(w, v, span);
	ranges_init(&v->wanted);
	ranges_init(&v->covered);
	if (chance(w, 60))
		ranges_add(&v->wanted, 0, span);
	n = v->wanted.n > 0 ? 0 : between(w, 0, 4);
	for (k = 0; k < n; k++) {
		a = (int64_t)rng_below(&w->rng, (uint64_t)span);
		b = a + 1 + (int64_t)rng_below(&w->rng, (uint64_t)span / 4 + 1);
		/* Ends on events, where the seams are. */
		if (v->n > 0 && chance(w, 50))
			a = v->t[rng_below(&w->rng, v->n)];
		if (v->n > 0 && chance(w, 50))
			b = v->t[rng_below(&w->rng, v->n)];
		ranges_add(&v->wanted, a, b);
	}
	v->guilty = chance(w, 3);
	v->lost = chance(w, 2);
}

static void
world_params(struct world *w, int64_t span)
{
	static const double densities[] = { 1e-6, 0.001, 0.1, 5, 1000, 1e6 };

	w->p = (struct sched_params){
		.target_items = chance(w, 50) ? between(w, 1, 30) :
		    between(w, 30, 3000),
		.item_cap = chance(w, 50) ? between(w, 1, 60) :
		    between(w, 60, 5000),
		.page_items = chance(w, 35) ? between(w, 1, 7) : 0,
		.url_max = between(w, 60, 2000),
		.url_base = 50,
		.window_max = span / between(w, 1, 50) + 1,
		.density = densities[rng_below(&w->rng, 6)],
	};
	w->url_each = between(w, 0, 45);
	w->total = chance(w, 40);
	w->by_time = chance(w, 50);
	w->server_cap = chance(w, 70) ? UINT32_MAX :
	    between(w, 1, w->p.item_cap);
	w->server_url = chance(w, 80) ? UINT32_MAX :
	    between(w, 50 + w->url_each, 2000);
	w->faults = chance(w, 50) ? 0 : between(w, 1, 60);
	w->smaller = chance(w, 50) ? 0 : between(w, 1, 20);
	if (chance(w, 30)) {
		w->p.grain = span / between(w, 1, 40) + 1;
		w->p.grain_from = (int64_t)rng_below(&w->rng, (uint64_t)span);
	}
}

static void
world_init(struct world *w, uint64_t seed)
{
	int64_t span;
	uint32_t i;
	double d;

	memset(w, 0, sizeof(*w));
	w->seed = seed;
	rng_init(&w->rng, seed);
	span = chance(w, 30) ? between(w, 1, 500) :
	    (int64_t)between(w, 1, 100000) * TICKS_PER_S;
	w->span = span;
	world_params(w, span);
	w->floors = chance(w, 25);
	w->n = chance(w, 10) ? between(w, 20, 60) : between(w, 1, 12);
	w->v = calloc(w->n, sizeof(*w->v));
	w->s = sched_new(&w->p);
	for (i = 0; i < w->n; i++) {
		truth_init(w, &w->v[i], i, span);
		d = chance(w, 60) ? -1 : chance(w, 20) ? 1e6 :
		    (double)w->v[i].n * TICKS_PER_S / (double)span;
		sched_add(w->s, w->v[i].id, w->url_each, d,
		    &w->v[i].wanted);
	}
}

static void
world_fini(struct world *w)
{
	uint32_t i;

	sched_free(w->s);
	for (i = 0; i < w->n; i++) {
		free(w->v[i].t);
		free(w->v[i].got);
		free(w->v[i].ties);
		ranges_fini(&w->v[i].wanted);
		ranges_fini(&w->v[i].covered);
	}
	free(w->v);
}

static struct truth *
truth_of(struct world *w, uint32_t id)
{
	CHECK(w, (id - 3) / 7 < w->n && (id - 3) % 7 == 0);
	return (&w->v[(id - 3) / 7]);
}

/* --- answering ----------------------------------------------------------- */

struct part {
	uint32_t from;		/* index of the first event sent */
	uint32_t n;
	bool sent;
};

/* The events in [a, b], both ends as the server has it. */
static struct part
part_of(const struct truth *v, int64_t a, int64_t b)
{
	struct part p = { 0 };

	while (p.from < v->n && v->t[p.from] < a)
		p.from++;
	while (p.from + p.n < v->n && v->t[p.from + p.n] <= b)
		p.n++;
	p.sent = true;
	return (p);
}

/* Cut a set to M items in all: the first streams, or the first in time. */
static void
cut_total(struct world *w, const struct sched_request *q, struct part *p)
{
	uint32_t k, best, left = q->max_count;
	uint32_t *n = calloc(q->n, sizeof(*n));
	const struct truth *v;
	int64_t t, first;

	for (k = 0; k < q->n && !w->by_time; k++) {
		n[k] = p[k].n < left ? p[k].n : left;
		left -= n[k];
	}
	while (w->by_time && left > 0) {
		best = UINT32_MAX;
		first = INT64_MAX;
		for (k = 0; k < q->n; k++) {
			v = truth_of(w, q->ids[k]);
			if (n[k] == p[k].n)
				continue;
			t = v->t[p[k].from + n[k]];
			if (t < first) {
				first = t;
				best = k;
			}
		}
		if (best == UINT32_MAX)
			break;
		n[best]++;
		left--;
	}
	for (k = 0; k < q->n; k++)
		p[k].n = n[k];
	free(n);
}

static void
deliver(struct world *w, const struct sched_request *q, struct truth *v,
    const struct part *p, int64_t cut)
{
	struct ranges missing;
	uint32_t i;

	CHECK(w, cut >= q->a && cut <= q->b);
	CHECK(w, cut == q->a || ranges_contains(&v->wanted, q->a, cut));
	ranges_init(&missing);
	ranges_missing(&v->covered, q->a, cut, &missing);
	CHECK(w, ranges_total(&missing) == cut - q->a);
	ranges_fini(&missing);
	ranges_add(&v->covered, q->a, cut);
	for (i = p->from; i < p->from + p->n; i++)
		if (v->t[i] >= q->a && v->t[i] < cut)
			v->got[i]++;
}

static void
report_ties(struct world *w, struct truth *v, int64_t t,
    const struct sched_request *q)
{
	struct part p = part_of(v, t, t);

	CHECK(w, p.n >= q->max_count);
	v->ties = realloc(v->ties, (v->ties_n + 1) * sizeof(*v->ties));
	v->ties[v->ties_n++] = t;
}

static void
judge(struct world *w, struct sched_request *q, const struct part *p)
{
	enum sched_verdict what;
	struct truth *v;
	int64_t cut;
	uint32_t k;

	for (k = 0; k < q->n; k++) {
		v = truth_of(w, q->ids[k]);
		if (p[k].sent)
			sched_count(w->s, q, k, p[k].n,
			    p[k].n > 0 ? v->t[p[k].from] : 0,
			    p[k].n > 0 ? v->t[p[k].from + p[k].n - 1] : 0);
	}
	for (k = 0; k < q->n; k++) {
		v = truth_of(w, q->ids[k]);
		what = sched_verdict(w->s, q, k, &cut);
		if (what == SCHED_AGAIN)
			continue;
		deliver(w, q, v, &p[k], cut);
		if (what == SCHED_TIES)
			report_ties(w, v, cut - 1, q);
	}
	sched_finish(w->s, q);
}

/* True when the request was not answered with data. */
static bool
refuse(struct world *w, struct sched_request *q)
{
	uint32_t k, url = w->p.url_base + q->n * w->url_each;

	if (w->faults > 0 && chance(w, 15)) {
		w->faults--;
		sched_failed(w->s, q, SCHED_RETURN, ERR_CANCELLED);
		return (true);
	}
	if (url > w->server_url) {
		CHECK(w, q->n > 1);
		sched_failed(w->s, q, SCHED_URL, ERR_REQUEST);
		return (true);
	}
	if ((uint64_t)q->n * q->max_count > w->server_cap) {
		sched_learn_cap(w->s, w->server_cap);
		sched_failed(w->s, q, SCHED_SMALLER, ERR_REQUEST);
		return (true);
	}
	for (k = 0; k < q->n; k++)
		if (truth_of(w, q->ids[k])->guilty) {
			sched_failed(w->s, q, SCHED_GUILTY, ERR_GONE);
			return (true);
		}
	if (w->smaller > 0 && chance(w, 15)) {
		w->smaller--;
		w->smaller_aside = true;
		sched_failed(w->s, q, SCHED_SMALLER, ERR_TIMEOUT);
		return (true);
	}
	return (false);
}

static void
answer(struct world *w, struct sched_request *q)
{
	struct part *p;
	struct truth *v;
	uint32_t k;

	CHECK(w, q->n > 0 && q->a < q->b && q->max_count > 0);
	CHECK(w, (uint64_t)q->n * q->max_count <= w->p.item_cap);
	CHECK(w, q->n == 1 ||
	    w->p.url_base + q->n * w->url_each <= w->p.url_max);
	if (refuse(w, q))
		return;
	p = calloc(q->n, sizeof(*p));
	for (k = 0; k < q->n; k++) {
		v = truth_of(w, q->ids[k]);
		p[k] = part_of(v, q->a, q->b);
	}
	if (w->total)
		cut_total(w, q, p);
	for (k = 0; k < q->n; k++) {
		v = truth_of(w, q->ids[k]);
		if (p[k].n > q->max_count)
			p[k].n = q->max_count;
		if (v->lost || (q->n > 1 && w->faults > 0 && chance(w, 3)))
			p[k] = (struct part){ 0 };
	}
	judge(w, q, p);
	free(p);
}

/* --- judging the end ----------------------------------------------------- */

static bool
is_tie(const struct truth *v, int64_t t)
{
	uint32_t i;

	for (i = 0; i < v->ties_n; i++)
		if (v->ties[i] == t)
			return (true);
	return (false);
}

static void
check_stream(struct world *w, const struct truth *v)
{
	struct ranges left;
	bool wanted;
	uint32_t i;
	size_t k;

	for (i = 0; i < v->n; i++) {
		wanted = ranges_contains(&v->wanted, v->t[i], v->t[i] + 1);
		CHECK(w, v->got[i] <= (wanted ? 1u : 0u));
		if (wanted && !v->aside && v->t[i] >= v->floor &&
		    !is_tie(v, v->t[i]))
			CHECK(w, v->got[i] == 1);
	}
	for (k = 0; k < v->covered.n; k++)
		CHECK(w, ranges_contains(&v->wanted, v->covered.r[k].a,
		    v->covered.r[k].b));
	if (v->aside)
		return;
	ranges_init(&left);
	ranges_copy(&left, &v->wanted);
	ranges_subtract(&left, &v->covered);
	ranges_remove(&left, 0, v->floor);
	CHECK(w, left.n == 0);
	ranges_fini(&left);
}

static void
check_end(struct world *w)
{
	double wanted, missing;
	struct truth *v;
	uint32_t i, id;
	bool all = true;
	int code;

	for (i = 0; sched_failure(w->s, i, &id, &code); i++) {
		v = truth_of(w, id);
		CHECK(w, !v->aside);
		v->aside = true;
		all = false;
		CHECK(w, v->guilty || v->lost ||
		    (w->smaller_aside && code == ERR_TIMEOUT));
		CHECK(w, v->wanted.n > 0);
	}
	for (i = 0; i < w->n; i++) {
		v = &w->v[i];
		if (v->wanted.n > 0 && (v->guilty || v->lost))
			CHECK(w, v->aside || v->floor > 0);
		check_stream(w, v);
	}
	sched_progress(w->s, &wanted, &missing);
	CHECK(w, missing >= 0 && missing <= wanted);
	if (all)
		CHECK(w, missing <= wanted * 1e-9);
}

/* No window is given while a newer one waits; but ties come first. */
static bool
next(struct world *w, struct sched_request *q)
{
	int64_t newest, left;
	bool there = sched_newest(w->s, &newest);

	if (w->forms)
		sched_alone(w->s, between(w, 0, 3) * between(w, 0, 30));
	CHECK(w, (sched_next(w->s, q) == 1) == there);
	if (!there)
		return (false);
	CHECK(w, q->b <= newest);
	if (q->b == newest)
		CHECK(w, !sched_newest(w->s, &left) || left <= newest);
	else
		CHECK(w, q->n == 1);
	return (true);
}

/* The caller comes to know that there is nothing before, or does not care. */
static void
tell_floor(struct world *w)
{
	struct truth *v = &w->v[between(w, 0, w->n - 1)];
	int64_t floor;

	if (chance(w, 70))
		floor = v->n > 0 ? v->t[0] : w->span;
	else
		floor = (int64_t)rng_below(&w->rng, (uint64_t)w->span);
	if (floor > v->floor)
		v->floor = floor;
	sched_floor(w->s, v->id, floor);
}

static void
run_seed(uint64_t seed)
{
	struct sched_request air[AIR_MAX];
	struct world w;
	uint32_t n = 0, pick, most;
	uint64_t bound;

	world_init(&w, seed);
	most = between(&w, 1, AIR_MAX);
	w.forms = seed % 3 == 0;
	bound = 12ull * (w.events + 60 * w.n) + 2000;
	for (;;) {
		if (w.floors && chance(&w, 20))
			tell_floor(&w);
		while (n < most && next(&w, &air[n])) {
			n++;
			CHECK(&w, ++w.requests < bound);
			sched_check(w.s);
		}
		if (n == 0)
			break;
		CHECK(&w, !sched_done(w.s));
		pick = between(&w, 0, n - 1);
		answer(&w, &air[pick]);
		air[pick] = air[--n];
		sched_check(w.s);
	}
	CHECK(&w, sched_done(w.s));
	check_end(&w);
	world_fini(&w);
}

static void
test_seeds(void **state)
{
	const char *one = getenv("SCHED_SEED"), *many = getenv("SCHED_SEEDS");
	uint64_t n = many != NULL ? strtoull(many, NULL, 10) : SEEDS, seed;

	(void)state;
	if (one != NULL) {
		run_seed(strtoull(one, NULL, 10));
		return;
	}
	for (seed = 1; seed <= n; seed++)
		run_seed(seed);
}

/* --- single rules -------------------------------------------------------- */

static struct sched *
sched_of(uint32_t n, double density, int64_t a, int64_t b,
    const struct sched_params *p)
{
	struct ranges wanted;
	struct sched *s;
	uint32_t i;

	s = sched_new(p);
	ranges_init(&wanted);
	ranges_add(&wanted, a, b);
	for (i = 0; i < n; i++)
		sched_add(s, i, 39, density, &wanted);
	ranges_fini(&wanted);
	return (s);
}

static const struct sched_params usual = {
	.target_items = 10000, .item_cap = 150000, .url_max = 2000,
	.url_base = 200, .window_max = 30 * TICKS_PER_DAY, .density = 0.1,
};

/* n and last of a lone stream's answer for M = 4 and [100, 200). */
static void
test_verdicts(void **state)
{
	static const struct {
		uint32_t n;
		int64_t first, last;
		enum sched_verdict what;
		int64_t cut;
	} cases[] = {
		{ 0, 0, 0, SCHED_KEEP, 200 },
		{ 3, 100, 150, SCHED_KEEP, 200 },
		{ 3, 100, 200, SCHED_KEEP, 200 },
		{ 4, 100, 150, SCHED_KEEP, 150 },
		{ 4, 100, 199, SCHED_KEEP, 199 },
		{ 4, 100, 200, SCHED_KEEP, 200 },
		{ 4, 200, 200, SCHED_KEEP, 200 },
		{ 9, 100, 150, SCHED_KEEP, 150 },
		{ 4, 150, 150, SCHED_KEEP, 150 },
		{ 4, 100, 100, SCHED_AGAIN, 100 },
		{ 4, 150, 120, SCHED_AGAIN, 100 },
		{ 4, 90, 150, SCHED_AGAIN, 100 },
	};
	struct sched_params p = usual;
	struct sched_request q;
	struct sched *s;
	int64_t cut;
	size_t i;

	(void)state;
	p.page_items = 4;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		s = sched_of(1, 1, 100, 200, &p);
		assert_int_equal(sched_next(s, &q), 1);
		assert_int_equal(q.max_count, 4);
		sched_count(s, &q, 0, cases[i].n, cases[i].first,
		    cases[i].last);
		assert_int_equal(sched_verdict(s, &q, 0, &cut),
		    cases[i].what);
		assert_int_equal(cut, cases[i].cut);
		sched_finish(s, &q);
		assert_int_equal(sched_done(s), cut == 200);
		sched_check(s);
		sched_free(s);
	}
}

/* Ties are asked for with 4 times as many, up to the cap, then reported. */
static void
test_ties(void **state)
{
	static const uint32_t counts[] = { 1, 4, 16, 64, 100 };
	struct sched_params p = usual;
	struct sched_request q;
	struct sched *s;
	int64_t cut;
	size_t i;

	(void)state;
	p.page_items = 1;
	p.item_cap = 100;
	s = sched_of(1, 1, 100, 200, &p);
	for (i = 0; i < 5; i++) {
		assert_int_equal(sched_next(s, &q), 1);
		assert_int_equal(q.a, 100);
		assert_int_equal(q.max_count, counts[i]);
		sched_count(s, &q, 0, counts[i], 100, 100);
		assert_int_equal(sched_verdict(s, &q, 0, &cut),
		    i < 4 ? SCHED_AGAIN : SCHED_TIES);
		assert_int_equal(cut, i < 4 ? 100 : 101);
		sched_finish(s, &q);
	}
	assert_int_equal(sched_next(s, &q), 1);
	assert_int_equal(q.a, 101);
	assert_int_equal(q.max_count, 1);
	sched_free(s);
}

/* A verdict stands, whatever other answers prove before its finish. */
static void
test_verdict_stands(void **state)
{
	struct sched_params p = usual;
	struct sched_request q, r;
	struct sched *s;
	int64_t cut;
	uint32_t k;

	(void)state;
	p.url_max = p.url_base + 2 * 39;
	s = sched_of(4, 0.01, 0, 3600 * TICKS_PER_S, &p);
	assert_int_equal(sched_next(s, &q), 1);
	assert_int_equal(sched_next(s, &r), 1);
	assert_int_equal(q.n, 2);
	assert_int_equal(r.n, 2);
	sched_count(s, &q, 0, q.max_count, 0, 5);
	sched_count(s, &q, 1, 0, 0, 0);
	assert_int_equal(sched_verdict(s, &q, 0, &cut), SCHED_AGAIN);
	for (k = 0; k < 2; k++)
		sched_count(s, &r, k, r.max_count - 1, 0, 5);
	assert_int_equal(sched_verdict(s, &r, 0, &cut), SCHED_KEEP);
	sched_finish(s, &r);
	assert_int_equal(sched_verdict(s, &q, 1, &cut), SCHED_AGAIN);
	sched_finish(s, &q);
	sched_check(s);
	assert_false(sched_done(s));
	sched_free(s);
}

/* The newest end comes first, and streams of like density together. */
static void
test_order_and_packing(void **state)
{
	struct sched_request q;
	struct ranges wanted;
	struct sched *s;
	uint32_t k, i;
	int64_t b = INT64_MAX;
	int64_t day = TICKS_PER_DAY;

	(void)state;
	s = sched_new(&usual);
	ranges_init(&wanted);
	ranges_add(&wanted, 0, 10 * day);
	ranges_add(&wanted, 20 * day, 20 * day + 600 * TICKS_PER_S);
	for (i = 0; i < 90; i++)
		sched_add(s, i, 39, i % 2 == 0 ? 0.001 : 1, &wanted);
	for (k = 0; k < 4; k++) {
		assert_int_equal(sched_next(s, &q), 1);
		assert_true(q.b <= b);
		b = q.b;
		for (i = 0; i < q.n; i++)
			assert_int_equal(q.ids[i] % 2, q.ids[0] % 2);
		assert_int_equal(q.b, 20 * day + 600 * TICKS_PER_S);
		assert_true(q.ids[0] % 2 == 0 ? q.n >= 45 : q.n >= 13);
	}
	ranges_fini(&wanted);
	sched_free(s);
}

/* Each stream by itself: with a window of its own length and a page of its
 * own size; but what was a set, and is asked again, stays one. */
static void
test_alone(void **state)
{
	struct sched_request q, set;
	struct ranges wanted;
	struct sched *s;
	uint32_t i, dense = 0;

	(void)state;
	s = sched_new(&usual);
	ranges_init(&wanted);
	ranges_add(&wanted, 0, 7200 * TICKS_PER_S);
	for (i = 0; i < 40; i++)
		sched_add(s, i, 39, i == 7 ? 1.2 : i % 2 == 0 ? 0.001 : 0.1,
		    &wanted);
	assert_int_equal(sched_next(s, &set), 1);
	assert_int_equal(set.n, 20);
	assert_false(set.full);
	assert_true(set.items > 20 * 7.1 && set.items < 20 * 7.3);
	sched_alone(s, 50);
	for (i = 0; i < 20; i++) {
		assert_int_equal(sched_next(s, &q), 1);
		assert_int_equal(q.n, 1);
		assert_int_equal(q.b - q.a, 7200 * TICKS_PER_S);
		assert_true(q.max_count > q.items);
		assert_int_equal(q.full, q.ids[0] == 7);
		dense += q.full;
		/* a few answers of them are no more than one of a set */
		if (!q.full)
			assert_true(q.max_count <
			    2 * usual.target_items / 5);
	}
	assert_int_equal(dense, 1);
	assert_int_equal(sched_next(s, &q), 0);
	sched_failed(s, &set, SCHED_RETURN, 0);
	assert_int_equal(sched_next(s, &set), 1);
	assert_int_equal(set.n, 20);
	ranges_fini(&wanted);
	sched_free(s);
}

/* Of unknown density: windows as short as they are when many share one. */
static void
test_alone_unknown(void **state)
{
	static const uint32_t shares[] = { 100, 10, 1 };
	struct sched_request q;
	struct ranges wanted;
	struct sched *s;
	int64_t before = 0;
	uint32_t i;

	(void)state;
	ranges_init(&wanted);
	ranges_add(&wanted, 0, 30 * TICKS_PER_DAY);
	for (i = 0; i < 3; i++) {
		s = sched_new(&usual);
		sched_add(s, 1, 39, -1, &wanted);
		sched_alone(s, shares[i]);
		assert_int_equal(sched_next(s, &q), 1);
		assert_true(q.b - q.a > 9 * before);
		assert_false(q.full);
		before = q.b - q.a;
		sched_free(s);
	}
	ranges_fini(&wanted);
}

/* Years of backfill, some of it asked again, never go before what is live. */
static void
test_live_first(void **state)
{
	const int64_t year = 365 * TICKS_PER_DAY, hour = 3600 * TICKS_PER_S;
	struct sched_request old, q;
	struct ranges wanted;
	struct sched *s;
	int64_t b;
	uint32_t i;

	(void)state;
	s = sched_new(&usual);
	ranges_init(&wanted);
	ranges_add(&wanted, 0, 9 * year);
	for (i = 0; i < 30; i++)
		sched_add(s, i, 39, 0.5, &wanted);
	assert_int_equal(sched_next(s, &old), 1);
	assert_true(old.b == 9 * year);
	ranges_clear(&wanted);
	ranges_add(&wanted, 10 * year - hour, 10 * year);
	for (i = 30; i < 60; i++)
		sched_add(s, i, 39, 0.5, &wanted);
	sched_failed(s, &old, SCHED_GUILTY, ERR_GONE);	/* in halves */
	for (i = 0; i < 30; i += q.n) {
		assert_true(sched_newest(s, &b) && b == 10 * year);
		assert_int_equal(sched_next(s, &q), 1);
		assert_true(q.b == 10 * year && q.a == 10 * year - hour);
		assert_true(q.ids[0] >= 30);
	}
	assert_int_equal(i, 30);
	assert_true(sched_newest(s, &b) && b == 9 * year);
	ranges_fini(&wanted);
	sched_check(s);
	sched_free(s);
}

/* Windows of the tail begin at full hours, those before wherever. */
static void
test_grain(void **state)
{
	static const struct {
		double density;
		bool aligned;
	} cases[] = { { 0.001, true }, { 0.7, true }, { 5, true },
	    { 15, true }, { 40, false } };
	const int64_t hour = 3600 * TICKS_PER_S, end = 100 * hour + 12345;
	struct sched_params p = usual;
	struct sched_request q;
	struct ranges wanted;
	struct sched *s;
	bool aligned, before;
	int64_t cut;
	uint32_t n;
	size_t i;

	(void)state;
	p.grain = hour;
	p.grain_from = 90 * hour;
	p.window_max = 30 * hour + 1;
	ranges_init(&wanted);
	ranges_add(&wanted, 77, end);
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		s = sched_new(&p);
		sched_add(s, 1, 39, cases[i].density, &wanted);
		aligned = true;
		before = false;
		while (sched_next(s, &q) == 1) {
			if (q.b > p.grain_from)
				aligned = aligned && q.a % hour == 0;
			else
				before = before || q.a % hour != 0;
			assert_true(q.b == end || q.a < q.b);
			n = (uint32_t)(cases[i].density *
			    (double)((q.b - q.a) / TICKS_PER_S));
			assert_true(n < q.max_count);
			sched_count(s, &q, 0, n, q.a, q.b - 1);
			assert_int_equal(sched_verdict(s, &q, 0, &cut),
			    SCHED_KEEP);
			sched_finish(s, &q);
		}
		assert_true(sched_done(s));
		assert_true(before);
		assert_int_equal(aligned, cases[i].aligned);
		sched_free(s);
	}
	ranges_fini(&wanted);
}

/* What lies below a floor is not asked for any more. */
static void
test_floor(void **state)
{
	const int64_t day = TICKS_PER_DAY;
	struct sched_params p = usual;
	struct sched_request q;
	struct ranges wanted;
	struct sched *s;
	double all, left;
	int64_t cut, oldest[3] = { INT64_MAX, INT64_MAX, INT64_MAX };
	uint32_t k;
	bool first = true;

	(void)state;
	p.window_max = 10 * day;
	s = sched_new(&p);
	ranges_init(&wanted);
	ranges_add(&wanted, 0, 40 * day);
	ranges_add(&wanted, 50 * day, 100 * day);
	for (k = 0; k < 3; k++)
		sched_add(s, k, 39, 0.0001, &wanted);
	sched_floor(s, 77, 5);		/* nobody */
	while (sched_next(s, &q) == 1) {
		if (first) {
			sched_floor(s, 1, 63 * day);
			sched_floor(s, 2, 200 * day);
		}
		first = false;
		for (k = 0; k < q.n; k++) {
			if (q.a < oldest[q.ids[k]])
				oldest[q.ids[k]] = q.a;
			sched_count(s, &q, k, 1, q.a, q.a);
		}
		for (k = 0; k < q.n; k++)
			sched_verdict(s, &q, k, &cut);
		sched_finish(s, &q);
		sched_check(s);
	}
	assert_true(sched_done(s));
	assert_true(oldest[0] == 0);
	assert_true(oldest[1] == 63 * day);
	assert_true(oldest[2] == 90 * day);	/* it was in flight */
	sched_progress(s, &all, &left);
	assert_true(all > 0 && left < 1);
	ranges_fini(&wanted);
	sched_free(s);
}

/* 45 streams, one refused: found by bisection, in few requests. */
static void
test_guilty(void **state)
{
	struct sched_request q;
	struct sched *s;
	uint32_t k, id, requests = 0;
	bool bad;
	int64_t cut;
	int code;

	(void)state;
	s = sched_of(45, 0.001, 0, TICKS_PER_DAY, &usual);
	while (sched_next(s, &q) == 1) {
		requests++;
		for (bad = false, k = 0; k < q.n; k++)
			bad = bad || q.ids[k] == 17;
		for (k = 0; k < q.n && !bad; k++)
			sched_count(s, &q, k, 2, q.a, q.a + 1);
		for (k = 0; k < q.n && !bad; k++)
			assert_int_equal(sched_verdict(s, &q, k, &cut),
			    SCHED_KEEP);
		if (bad)
			sched_failed(s, &q, SCHED_GUILTY, ERR_GONE);
		else
			sched_finish(s, &q);
		sched_check(s);
	}
	assert_true(sched_done(s));
	assert_true(requests <= 14);
	assert_int_equal(sched_failure(s, 0, &id, &code), 1);
	assert_int_equal(id, 17);
	assert_int_equal(code, ERR_GONE);
	assert_int_equal(sched_failure(s, 1, &id, &code), 0);
	sched_free(s);
}

/* Too slow for good: a bounded number of tries, then set aside. */
static void
test_smaller_ends(void **state)
{
	struct sched_request q[8];
	struct sched *s;
	uint32_t id, n, i, requests = 0;
	int code;

	(void)state;
	s = sched_of(20, 0.01, 0, 300 * TICKS_PER_DAY, &usual);
	do {
		for (n = 0; n < 8 && sched_next(s, &q[n]) == 1; n++)
			requests++;
		for (i = 0; i < n; i++)
			sched_failed(s, &q[i], SCHED_SMALLER, ERR_TIMEOUT);
	} while (n > 0);
	sched_check(s);
	assert_true(sched_done(s));
	assert_true(requests < 20 * 60);
	assert_int_equal(sched_failure(s, 19, &id, &code), 1);
	assert_int_equal(code, ERR_TIMEOUT);
	sched_free(s);
}

/* A burst does not make windows of a tick out of what is left. */
static void
test_burst(void **state)
{
	struct sched_request q;
	struct sched *s;
	uint32_t requests = 0;
	int64_t cut;

	(void)state;
	s = sched_of(1, -1, 0, 3000 * TICKS_PER_DAY, &usual);
	while (sched_next(s, &q) == 1 && requests < 10000) {
		/* only ever a page within 1 ms, at the first second */
		if (++requests == 1)
			sched_count(s, &q, 0, q.max_count, q.a, q.a + 10000);
		else
			sched_count(s, &q, 0, 0, 0, 0);
		sched_verdict(s, &q, 0, &cut);
		sched_finish(s, &q);
	}
	assert_true(sched_done(s));
	assert_true(requests < 300);
	assert_true(sched_density(s, 0) >= 0);
	assert_true(sched_density(s, 99) < 0);
	sched_free(s);
}

/* Events of stream `id` come evenly, each so many ticks. */
static int64_t
spacing(uint32_t id)
{
	return ((30 + (int64_t)(id * 7919u % 90)) * TICKS_PER_S);
}

static uint64_t
answer_even(struct sched *s, struct sched_request *q)
{
	uint64_t sum = 0;
	int64_t step, first, n, cut;
	uint32_t k;

	for (k = 0; k < q->n; k++) {
		step = spacing(q->ids[k]);
		first = (q->a + step - 1) / step * step;
		n = first > q->b ? 0 : (q->b - first) / step + 1;
		n = n < q->max_count ? n : q->max_count;
		sum += (uint64_t)n;
		sched_count(s, q, k, (uint32_t)n, first,
		    first + (n - 1) * step);
	}
	for (k = 0; k < q->n; k++)
		sched_verdict(s, q, k, &cut);
	sched_finish(s, q);
	return (sum);
}

/* Of unknown and mixed density, many in flight: answers near the target. */
static void
test_efficiency(void **state)
{
	struct sched_request q[32];
	struct sched *s;
	uint64_t items = 0, requests = 0;
	uint32_t n = 0;

	(void)state;
	s = sched_of(5000, -1, 0, TICKS_PER_DAY, &usual);
	for (;;) {
		while (n < 32 && sched_next(s, &q[n]) == 1)
			n++;
		if (n == 0)
			break;
		items += answer_even(s, &q[0]);
		memmove(&q[0], &q[1], --n * sizeof(q[0]));
		requests++;
	}
	assert_true(sched_done(s));
	assert_true(items > 5000 * 86400ull / 120);
	assert_true(requests * usual.target_items < items * 13 / 10);
	sched_free(s);
}

/* 100,000 streams are packed in well under a second. */
static void
test_many(void **state)
{
	struct sched_request q;
	struct sched *s;
	uint32_t k, requests = 0;
	clock_t start = clock();
	int64_t cut;

	(void)state;
	s = sched_of(100000, -1, 0, TICKS_PER_DAY, &usual);
	while (sched_next(s, &q) == 1) {
		requests++;
		for (k = 0; k < q.n; k++)
			sched_count(s, &q, k, 1, q.a, q.a);
		for (k = 0; k < q.n; k++)
			assert_int_equal(sched_verdict(s, &q, k, &cut),
			    SCHED_KEEP);
		sched_finish(s, &q);
	}
	assert_true(sched_done(s));
	assert_true(requests < 3 * 100000 / 45);
	print_message("100000 streams, %u requests, %.3f s\n", requests,
	    (double)(clock() - start) / CLOCKS_PER_SEC);
	/* with room for sanitizers and a loaded machine */
	assert_true((double)(clock() - start) / CLOCKS_PER_SEC < 10);
	sched_free(s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_verdicts),
		cmocka_unit_test(test_ties),
		cmocka_unit_test(test_verdict_stands),
		cmocka_unit_test(test_order_and_packing),
		cmocka_unit_test(test_alone),
		cmocka_unit_test(test_alone_unknown),
		cmocka_unit_test(test_live_first),
		cmocka_unit_test(test_grain),
		cmocka_unit_test(test_floor),
		cmocka_unit_test(test_guilty),
		cmocka_unit_test(test_smaller_ends),
		cmocka_unit_test(test_burst),
		cmocka_unit_test(test_efficiency),
		cmocka_unit_test(test_many),
		cmocka_unit_test(test_seeds),
	};

	return (cmocka_run_group_tests(tests, NULL, NULL));
}
