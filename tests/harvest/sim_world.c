/*
 * The world of a seed: how much time, which streams, and every event with
 * its birth, its death and what came in its place.
 */

#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/must.h"
#include "sim.h"

#define EVENTS_MAX 1200

/* --- WebIDs --------------------------------------------------------------- */

static void
base64url(const uint8_t *p, size_t n, char *out)
{
	static const char A[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnop"
	    "qrstuvwxyz0123456789-_";
	uint32_t v = 0, bits = 0;

	while (n-- > 0) {
		v = v << 8 | *p++;
		for (bits += 8; bits >= 6; bits -= 6)
			*out++ = A[v >> (bits - 6) & 63];
	}
	if (bits > 0)
		*out++ = A[v << (6 - bits) & 63];
	*out = '\0';
}

static void
name_stream(struct sim_stream *st, uint32_t i)
{
	static const uint8_t guid[16] = { 0x3b, 0x2c, 0x1d, 0x6f, 0x59, 0x4a,
	    0x77, 0x48, 0x9a, 0x0b, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66 };
	uint8_t number[4] = { (uint8_t)(i + 1), 0, 0, 0 };
	char ids[40], path[64], text[64];

	base64url(guid, sizeof(guid), ids);
	base64url(number, sizeof(number), ids + 22);
	snprintf(st->name, sizeof(st->name), "T%u.PV", i);
	snprintf(st->webid, sizeof(st->webid), "I1DP%s", ids);
	snprintf(path, sizeof(path), "PISRV1\\T%u.PV", i);
	base64url((const uint8_t *)path, strlen(path), text);
	snprintf(st->full, sizeof(st->full), "F1DP%s%s", ids, text);
}

/* --- events --------------------------------------------------------------- */

/* How the events of one stream come. */
struct manner {
	struct rng r;
	unsigned shape;
	unsigned late, edits, deletes;	/* percent */
	bool tail;		/* some in the tail of a cycle */
	int64_t grain;		/* times are multiples of it */
	int64_t lateness;
	uint8_t form;		/* of most values */
};

static struct sim_event *
event_add(struct sim *s, struct sim_stream *st, struct manner *m, int64_t t)
{
	struct sim_event *e;

	(void)s;
	if (st->n % 64 == 0)
		st->e = must_realloc(st->e, st->n + 64, sizeof(st->e[0]));
	e = &st->e[st->n];
	memset(e, 0, sizeof(*e));
	e->t = e->born = t;
	e->died = SIM_NEVER;
	e->order = st->n;
	e->serial = (uint32_t)(st - s->s) * 10000 + ++st->n;
	e->form = sim_chance(&m->r, 80) ? m->form :
	    (uint8_t)rng_below(&m->r, 4);
	e->seven = sim_chance(&m->r, 20);
	return (e);
}

/* Somewhere in time, rather soon than late, or soon after a cycle. */
static int64_t
after(struct sim *s, struct manner *m, int64_t t)
{
	int64_t d = sim_chance(&m->r, 60) ? m->lateness : s->span;
	int64_t at = t + 1 + (int64_t)rng_below(&m->r, (uint64_t)d + 1);
	uint32_t i = (uint32_t)rng_below(&m->r, s->ncycles);
	int64_t then = s->cycle_at[i] + 1 +
	    (int64_t)rng_below(&m->r, (uint64_t)m->lateness + 1);

	return (sim_chance(&m->r, 50) && then > t ? then : at);
}

/* What becomes of it: it comes late, is edited (again and again), deleted.
 * All is drawn, and dropped by the knobs only then. */
static void
event_fate(struct sim *s, struct sim_stream *st, struct manner *m)
{
	struct sim_event *e = &st->e[st->n - 1];
	int64_t at, t = e->t;
	uint32_t order = e->order, serial = e->serial;
	bool back;

	at = after(s, m, t);
	if (sim_chance(&m->r, m->late) && sim_has(s, SIM_LATE))
		e->born = at;
	while (st->n < EVENTS_MAX && sim_chance(&m->r, m->edits)) {
		at = after(s, m, e->born);
		back = sim_chance(&m->r, 20);
		if (!sim_has(s, SIM_EDITS))
			continue;
		e->died = at;
		e = event_add(s, st, m, t);
		e->born = at;
		e->order = order;
		if (back)		/* to what it was at first */
			e->serial = serial;
	}
	at = after(s, m, e->born);
	if (sim_chance(&m->r, m->deletes) && sim_has(s, SIM_DELETES))
		e->died = at;
}

/* In the tail of a cycle there is most to go wrong. */
static int64_t
in_tail(struct sim *s, struct manner *m)
{
	uint32_t i = (uint32_t)rng_below(&m->r, s->ncycles);
	int64_t at = s->cycle_at[i] - s->begin -
	    (int64_t)rng_below(&m->r, (uint64_t)s->reread + 1);

	return (at < 0 ? 0 : at);
}

static int64_t
next_time(struct sim *s, struct manner *m, int64_t at, bool first)
{

	if (m->tail && sim_chance(&m->r, 40))
		at = in_tail(s, m);
	else if (first || m->shape <= 1 || sim_chance(&m->r, 8))
		at = (int64_t)rng_below(&m->r, (uint64_t)s->span);
	else if (m->shape == 2)
		at += sim_between(&m->r, 0, 3);
	else if (m->shape == 3 && sim_chance(&m->r, 50))
		at += m->grain;
	else if (m->shape == 4)
		at += sim_between(&m->r, 0, s->span / 200);
	else if (!sim_has(s, SIM_TIES))
		at += m->grain;
	at = at % s->span;
	return (m->shape == 2 ? at : at - at % m->grain);
}

static void
big_tie(struct sim *s, struct sim_stream *st, struct manner *m)
{
	int64_t t = (int64_t)rng_below(&m->r, (uint64_t)s->span);
	uint64_t n = rng_below(&m->r, 2 * (uint64_t)s->cap + 2);

	if (!sim_has(s, SIM_TIES))
		return;
	t -= t % m->grain;
	for (; n > 0 && st->n < EVENTS_MAX; n--) {
		event_add(s, st, m, s->begin + t);
		event_fate(s, st, m);
	}
}

static int
by_time(const void *x, const void *y)
{
	const struct sim_event *a = x, *b = y;

	if (a->t != b->t)
		return (a->t < b->t ? -1 : 1);
	if (a->order != b->order)
		return (a->order < b->order ? -1 : 1);
	return (a->born < b->born ? -1 : a->born > b->born);
}

static void
make_keys(struct sim *s, struct sim_stream *st)
{
	struct sim_key *k = NULL;
	uint32_t i, o;

	if (st->n > 0)
		qsort(st->e, st->n, sizeof(st->e[0]), by_time);
	st->k = must_calloc(st->n + 1, sizeof(st->k[0]));
	for (i = 0; i < st->n; i++) {
		if (k == NULL || st->e[k->from].t != st->e[i].t) {
			k = &st->k[st->nk++];
			k->from = i;
		}
		k->n++;
	}
	for (k = st->k; k < st->k + st->nk; k++) {
		k->may = must_calloc(sim_rows(s, k) * ((size_t)k->n + 2),
		    sizeof(bool));
		for (o = 0; o < sim_rows(s, k); o++)
			sim_may(k, o)[k->n] = true;
	}
}

static void
make_events(struct sim *s, struct sim_stream *st, struct manner *m)
{
	static const int64_t grains[] = { 1, 10, TICKS_PER_MS, TICKS_PER_S };
	uint64_t n;
	int64_t at = 0;

	m->shape = (unsigned)rng_below(&m->r, 6);
	m->grain = grains[rng_below(&m->r, 4)];
	m->form = (uint8_t)rng_below(&m->r, 4);
	m->lateness = s->reread + s->reread / 4 + 1;
	m->tail = sim_chance(&m->r, 40);
	m->late = sim_chance(&m->r, 40) ? 25 : 0;
	m->edits = sim_chance(&m->r, 30) ? 15 : 0;
	m->deletes = sim_chance(&m->r, 30) ? 10 : 0;
	n = m->shape == 0 ? rng_below(&m->r, 3) : 1 + rng_below(&m->r, 100);
	for (; n > 0; n--) {
		at = next_time(s, m, at, st->n == 0);
		event_add(s, st, m, s->begin + at);
		event_fate(s, st, m);
	}
	if (sim_chance(&m->r, 12))
		big_tie(s, st, m);
	make_keys(s, st);
}

/* --- points that come and go, and broken ones ----------------------------- */

/* When it has vanished it is refused, and listed no more. */
static void
make_listed(struct sim *s, struct sim_stream *st, struct rng *r)
{
	unsigned what = (unsigned)rng_below(r, 100);
	int64_t at = s->begin + (int64_t)rng_below(r, (uint64_t)s->span);

	st->listed_from = 0;
	st->listed_to = SIM_NEVER;
	if (!sim_has(s, SIM_POINTS))
		return;
	if (what < 8)
		st->listed_from = at;
	else if (what < 14) {
		st->listed_to = st->broken_from = at;
		st->broken_to = SIM_NEVER;
		st->how = SIM_REFUSED;
		st->status = 404;
	}
}

static void
make_broken(struct sim *s, struct sim_stream *st, struct rng *r)
{
	static const int statuses[] = { 404, 409, 410, 501, 403, 400, 500 };
	unsigned what = (unsigned)rng_below(r, 100);

	st->broken_from = st->broken_to = SIM_NEVER;
	st->how = (enum sim_how)rng_below(r, SIM_HOWS);
	st->status = statuses[rng_below(r, 7)];
	what = what * (s->many_broken ? 20 : 100) / 100;
	if (what >= 16 || !sim_has(s, SIM_BROKEN))
		return;
	st->broken_from = what < 12 ? 0 : s->begin +
	    (int64_t)rng_below(r, (uint64_t)s->span);
	if (what >= 8)
		st->broken_to = s->begin +
		    (int64_t)rng_below(r, (uint64_t)s->span);
}

bool
sim_stream_broken(const struct sim_stream *st, int64_t now)
{

	return (st->broken_from <= now && now < st->broken_to);
}

/* --- all of it ------------------------------------------------------------ */

static void
make_time(struct sim *s)
{
	struct rng *r = &s->rng;
	uint64_t what = rng_below(r, 100);
	int64_t lead;
	uint32_t i;

	s->begin = 17721504000000000 +		/* 2026-02-27 */
	    (int64_t)rng_below(r, TICKS_PER_DAY);
	if (sim_chance(r, 70))
		s->begin -= s->begin % TICKS_PER_S;
	if (what < 40)
		s->span = sim_between(r, 60, 3600);
	else if (what < 85)
		s->span = sim_between(r, 3600, 86400);
	else
		s->span = sim_between(r, 86400, 3 * 86400);
	s->span *= TICKS_PER_S;
	s->ncycles = (uint32_t)sim_between(r, 1, SIM_CYCLES_MAX);
	for (i = 0; i < s->ncycles; i++)
		s->cycle_at[i] = s->begin + s->span / s->ncycles * (i + 1) +
		    sim_between(r, 0, s->span / 20);
	s->reread = sim_chance(r, 10) ? 0 : s->span / sim_between(r, 3, 50);
	s->from = s->begin;
	lead = sim_between(r, 8, sim_chance(r, 50) ? 60 : 6000) *
	    TICKS_PER_DAY;
	if (sim_chance(r, 15) && sim_has(s, SIM_LEADS))
		s->from -= lead;
	s->unix_zero = s->begin - sim_between(r, 0, 10 * TICKS_PER_S);
}

/* What makes one form of asking better than another; and whether the server
 * knows them all. */
static void
make_forms(struct sim *s)
{
	static const int no[] = { 400, 403, 404, 405, 413, 501 };
	static const int64_t share[] = { 0, 10, 300 };
	struct rng r;

	rng_init(&r, hash_mix(s->seed + 1));
	if (sim_has(s, SIM_FORMS)) {
		s->set_cost_us = s->latency_us * share[rng_below(&r, 3)] / 100;
		s->batch_cost_us = s->latency_us * share[rng_below(&r, 3)] /
		    100;
	}
	if (sim_chance(&r, 20) || !sim_has(s, SIM_BATCHES))
		s->batch_status = no[rng_below(&r, 6)];
}

static void
make_server(struct sim *s)
{
	struct rng *r = &s->rng;
	uint32_t cap, url;

	cap = (uint32_t)(sim_chance(r, 50) ? sim_between(r, 20, 200) :
	    sim_between(r, 200, 5000));
	url = sim_chance(r, 80) ? 65500 : (uint32_t)sim_between(r, 900, 2000);
	s->cap_sums = sim_chance(r, 50);
	s->total = sim_chance(r, 35) && sim_has(s, SIM_TOTAL);
	s->by_time = sim_chance(r, 50);
	s->echo_full = sim_chance(r, 30) && sim_has(s, SIM_ODD);
	s->first_list = sim_chance(r, 30) && sim_has(s, SIM_ODD);
	s->latency_us = sim_between(r, 1, 2000) * (sim_chance(r, 20) ? 1000 :
	    10);
	s->ties_all = sim_chance(r, 25) && sim_has(s, SIM_ALL);
	s->many_broken = sim_chance(r, 10);
	s->cap = sim_has(s, SIM_LIMITS) ? cap : 150000;
	s->url_max = sim_has(s, SIM_LIMITS) ? url : 65500;
	make_forms(s);
}

void
sim_world_init(struct sim *s)
{
	struct manner m;
	uint32_t i;

	rng_init(&s->rng, hash_mix(s->seed));
	make_time(s);
	make_server(s);
	s->n = (uint32_t)(sim_chance(&s->rng, 10) ?
	    sim_between(&s->rng, 9, 24) : sim_between(&s->rng, 1, 8));
	for (i = 0; i < s->n; i++) {
		name_stream(&s->s[i], i);
		memset(&m, 0, sizeof(m));
		rng_init(&m.r, hash_mix(s->seed * 64 + i + 1));
		ranges_init(&s->s[i].before);
		ranges_init(&s->s[i].after);
		s->s[i].there = (s->knobs.streams >> i & 1) != 0;
		make_broken(s, &s->s[i], &m.r);
		make_listed(s, &s->s[i], &m.r);
		if (s->s[i].there)
			make_events(s, &s->s[i], &m);
	}
}

void
sim_world_fini(struct sim *s)
{
	uint32_t i, n;

	for (i = 0; i < s->n; i++) {
		for (n = 0; n < s->s[i].nk; n++)
			free(s->s[i].k[n].may);
		free(s->s[i].e);
		free(s->s[i].k);
		ranges_fini(&s->s[i].before);
		ranges_fini(&s->s[i].after);
	}
}
