/*
 * Streams that the server answers by 500, again and again: an interface that
 * broke, an archive that is damaged in a place. When they are all that is
 * left to ask, every request fails, as it does when the server is down; only
 * there the run should end, here those streams should be named.
 *
 * So a stream that was read well is asked for one value of what it had: the
 * newest that was answered in this run, then some that other runs have read,
 * taken at random from all. One good answer tells that it is about streams,
 * for a while; while nothing is known, nothing else is asked.
 */

#include "config.h"

#include "base/arena.h"
#include "base/buf.h"
#include "base/hash.h"
#include "base/must.h"
#include "harvest/harvest_series_int.h"
#include "loop/loop.h"

/* So long what was found holds. */
#define FRESH_US (10 * INT64_C(1000000))
/* Of what was read before, the newest part. */
#define WINDOW (3600 * TICKS_PER_S)

void
harvest_control_plan(struct harvest_series *s, const struct ledger_object *o,
    const struct ledger_stream *st)
{
	uint32_t n = s->control.seen, i = n;
	const struct range *r;
	struct control *c;

	if (st->fail_code != 0 || st->values == 0 || st->covered.n == 0)
		return;
	s->control.seen++;
	if (n >= HARVEST_CONTROLS) {
		i = (uint32_t)(hash_mix(o->id) % s->control.seen);
		if (i >= HARVEST_CONTROLS)
			return;
	}
	r = &st->covered.r[st->covered.n - 1];
	c = &s->control.known[i];
	c->s.key = arena_strdup(s->arena, o->key);
	c->s.name = arena_strdup(s->arena, o->name);
	c->b = r->b;
	c->a = r->b - r->a > WINDOW ? r->b - WINDOW : r->a;
}

void
harvest_control_good(struct ask *k)
{
	struct harvest_series *s = k->group->series;
	uint32_t i;

	for (i = 0; i < k->q.n; i++)
		if (k->pages[i].present && k->pages[i].code == 0)
			break;
	if (i == k->q.n)
		return;
	s->control.last = (struct control){ *k->streams[i], k->q.a, k->q.b };
}

/* --- asking -------------------------------------------------------------- */

/* The next to ask, or NULL. */
static const struct control *
candidate(struct harvest_series *s)
{
	const struct control *c;

	while (s->control.next <= HARVEST_CONTROLS) {
		c = s->control.next == 0 ? &s->control.last :
		    &s->control.known[s->control.next - 1];
		s->control.next++;
		if (c->a < c->b)
			return (c);
	}
	return (NULL);
}

static bool ask_next(struct harvest_series *);

static void
on_answer(void *cookie, struct fetch_answer *a)
{
	struct harvest_series *s = cookie;
	int64_t now_us = loop_now_us(s->h->loop);

	s->control.job = NULL;
	if (a->err.code == 0) {
		harvest_good(s->h);
		s->control.well_us = now_us;
		s->control.ill_us = 0;
	} else if (!ask_next(s)) {
		s->control.ill_us = now_us;
		s->control.well_us = 0;
	}
	harvest_poke(s->h);
}

static bool
ask_next(struct harvest_series *s)
{
	struct fetch_request req = { .method = "GET", .priority = -1,
	    .class = HARVEST_ASKS_SERIES, .tries = 1 };
	const struct control *c = candidate(s);
	const struct source_stream *one;
	struct buf target;

	if (c == NULL)
		return (false);
	one = &c->s;
	buf_init(&target, 1 << 20);
	source_series_target(s->table, s->h->opt.base, &one, 1, c->a, c->b, 1,
	    &target);
	MUST_MEMORY(target.error == 0);
	req.target = buf_str(&target);
	s->control.job = fetch_start(s->h->fetch, &req, on_answer, s);
	buf_fini(&target);
	return (true);
}

static bool
fresh(const struct harvest_series *s, int64_t at_us)
{

	return (at_us != 0 && loop_now_us(s->h->loop) - at_us < FRESH_US);
}

bool
harvest_control_well(const struct harvest_series *s)
{

	return (fresh(s, s->control.well_us));
}

enum harvest_state
harvest_control(struct harvest_series *s)
{

	if (s->control.job != NULL)
		return (HARVEST_WAIT);
	if (harvest_control_well(s))
		return (HARVEST_WELL);
	if (fresh(s, s->control.ill_us))
		return (HARVEST_ILL);
	s->control.next = 0;
	return (ask_next(s) ? HARVEST_WAIT : HARVEST_ILL);
}

void
harvest_control_cancel(struct harvest_series *s)
{

	fetch_cancel(s->control.job);
	s->control.job = NULL;
}
