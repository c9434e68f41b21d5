/*
 * Streams that the server answers by 500, again and again: an interface that
 * broke, an archive that is damaged in a place. When they are all that is
 * left to ask, every request fails, as it does when the server is down; only
 * there the run should end, here those streams should be named.
 *
 * So a stream that was read well is asked for one value of what it had: the
 * newest that was answered in this run, then some that other runs have read,
 * taken at random from all. One good answer tells that it is about streams,
 * for a while; while nothing is known, nothing else is asked. When none
 * answers it is the server, until a stream is read well.
 */

#include "config.h"

#include "base/arena.h"
#include "base/buf.h"
#include "base/hash.h"
#include "base/must.h"
#include "harvest/harvest_series_int.h"
#include "loop/loop.h"

/* So long a good answer holds. */
#define FRESH_US (10 * INT64_C(1000000))
/* So often a stream waits for an answer that is fresh, between two of its
 * own: what takes longer than it is fresh would wait for ever. */
#define WAITS_MAX 3u
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
	s->control.ill = false;
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

	s->control.job = NULL;
	if (a->err.code == 0) {
		harvest_good(s->h);
		s->control.well_us = loop_now_us(s->h->loop);
		s->control.ill = false;
	} else if (!ask_next(s)) {
		s->control.ill = true;
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

bool
harvest_control_well(const struct harvest_series *s)
{
	int64_t at_us = s->control.well_us;

	return (at_us != 0 && loop_now_us(s->h->loop) - at_us < FRESH_US);
}

enum harvest_state
harvest_control(struct harvest_series *s, struct stream *st)
{
	enum harvest_state known = s->control.well_us != 0 ? HARVEST_WELL :
	    HARVEST_ILL;

	if (harvest_control_well(s))
		return (HARVEST_WELL);
	if (s->control.ill || st->waits >= WAITS_MAX)
		return (known);
	if (s->control.job == NULL) {
		s->control.next = 0;
		if (!ask_next(s))
			return (known);
	}
	st->waits++;
	return (HARVEST_WAIT);
}

void
harvest_control_cancel(struct harvest_series *s)
{

	fetch_cancel(s->control.job);
	s->control.job = NULL;
}
