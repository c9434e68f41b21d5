/*
 * Series: sched says which window of which streams to ask next, one sched a
 * group. Of the groups the one with the newest window goes first, so that no
 * live window waits behind the backfill of another group; those with windows
 * alike take turns, and backfill goes back in time in all of them together.
 * The answer is decoded straight into the group's open batch and settled
 * there.
 */

#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/must.h"
#include "harvest/harvest_series_int.h"

/* What an answer of so many items is taken to need before one was seen. */
#define ANSWER_BYTES_GUESS (1u << 20)

/* --- asking, in turn ----------------------------------------------------- */

/* In turn where they are alike. */
struct group *
harvest_series_newest(struct harvest_series *s, int64_t *newest)
{
	struct group *g, *best = NULL;
	int64_t b;
	uint32_t i;

	*newest = INT64_MIN;
	for (i = 0; i < s->ngroups; i++) {
		g = &s->groups[(s->turn + i) % s->ngroups];
		if (sched_newest(g->sched, &b) &&
		    (best == NULL || b > *newest)) {
			best = g;
			*newest = b;
		}
	}
	return (best);
}

static bool
windows_done(const struct harvest_series *s)
{
	uint32_t i;

	for (i = 0; i < s->ngroups; i++)
		if (!sched_done(s->groups[i].sched))
			return (false);
	return (true);
}

bool
harvest_series_poke(struct harvest *h)
{
	struct harvest_series *s = h->series;
	struct group *g;
	int64_t newest;

	/* What is asked while the door may be closed is asked in vain. */
	if (s == NULL || s->doubt.job != NULL || s->control.job != NULL)
		return (false);
	g = harvest_series_newest(s, &newest);
	if (newest <= s->range->to - HARVEST_FIRST_MIN && !windows_done(s) &&
	    harvest_first_poke(s))
		return (true);
	if (g == NULL)
		return (false);
	harvest_call_start(s);
	return (true);
}

bool
harvest_series_idle(const struct harvest *h)
{
	const struct harvest_series *s = h->series;

	if (s == NULL)
		return (true);
	if (s->calls != NULL || s->doubt.job != NULL ||
	    s->control.job != NULL ||
	    !harvest_first_idle(s))
		return (false);
	return (h->stopping || h->fatal.code != 0 || windows_done(s));
}

void
harvest_series_abandon(struct harvest *h)
{

	if (h->series == NULL)
		return;
	harvest_first_cancel(h->series);
	harvest_call_cancel(h->series);
}

/* --- what to cover ------------------------------------------------------- */

struct plan {
	struct harvest_series *series;
	struct ledger_txn *txn;
	const struct harvest_range *range;
	struct ledger_stream state;
	struct ranges missing;
	struct err *err;
};

static struct group *
group_find(struct harvest_series *s, uint32_t number)
{
	uint32_t i;

	for (i = s->ngroups; i-- > 0;)
		if (s->groups[i].number == number)
			return (&s->groups[i]);
	return (NULL);
}

struct group *
harvest_series_group(struct harvest_series *s, uint32_t id)
{
	struct group *g;

	g = group_find(s, harvest_group(id, s->h->opt.group_size));
	MUST(g != NULL);
	return (g);
}

static struct group *
group_get(struct harvest_series *s, uint32_t number)
{
	struct harvest *h = s->h;
	struct sched_params p;
	struct group *g;

	if ((g = group_find(s, number)) != NULL)
		return (g);
	s->groups = must_realloc(s->groups, s->ngroups + 1,
	    sizeof(s->groups[0]));
	g = &s->groups[s->ngroups++];
	memset(g, 0, sizeof(*g));
	g->series = s;
	g->number = number;
	memset(&p, 0, sizeof(p));
	p.target_items = h->opt.target_items;
	p.item_cap = h->opt.item_cap;
	p.page_items = h->opt.page_items;
	p.url_max = h->opt.url_max;
	p.url_base = source_series_base_len(s->table, h->opt.base);
	p.window_max = h->opt.window_max;
	p.density = 0.1;
	p.grain = s->cell_len;
	p.grain_from = s->cells_from;
	g->sched = sched_new(&p);
	return (g);
}

/* Refused for good, and nothing has happened since: told, not asked. */
static bool
held(const struct plan *p, const struct ledger_object *o)
{
	const struct ledger_stream *s = &p->state;

	if (p->range->retry_failed || !harvest_refused(s->fail_code))
		return (false);
	harvest_report_add(p->series->h, p->series->table->name, o->name,
	    s->fail_code, s->why[0] != '\0' ? s->why :
	    err_text(s->fail_code));
	return (true);
}

static bool
never_read(const struct plan *p)
{
	const struct ledger_stream *s = &p->state;

	return (s->covered.n == 0 && s->first_event == TICKS_NONE &&
	    p->range->to - p->range->from > HARVEST_FIRST_MIN &&
	    !p->series->h->no_first &&
	    source_first_can(p->series->table));
}

/* Where what is wanted begins to be what was read before. */
static void
note_again(struct harvest_series *s, const struct ranges *wanted,
    const struct ranges *covered)
{
	const struct range *x, *y;
	size_t i = 0, j = 0;

	while (i < wanted->n && j < covered->n) {
		x = &wanted->r[i];
		y = &covered->r[j];
		if (x->a < y->b && y->a < x->b) {
			if (x->a < s->again_from)
				s->again_from = x->a;
			return;
		}
		if (x->b <= y->a)
			i++;
		else
			j++;
	}
}

/* Wanted: the range minus what is covered, the tail always again. */
static int
plan_stream(const struct ledger_object *o, void *cookie)
{
	struct plan *p = cookie;
	struct harvest_series *s = p->series;
	struct harvest *h = s->h;
	struct stream *st;
	struct group *g;
	uint32_t number = harvest_group(o->id, h->opt.group_size);
	int rc;

	if (p->range->only != NULL &&
	    !p->range->only(p->range->only_cookie, o->key))
		return (0);
	if (o->gone || (p->range->group != 0 && p->range->group != number))
		return (0);
	ranges_clear(&p->state.covered);
	rc = ledger_stream_get(p->txn, s->table->name, o->id, &p->state,
	    p->err);
	if (rc != 0)
		return (rc);
	h->stats.streams++;
	harvest_control_plan(s, o, &p->state);
	harvest_wanted(&p->state, p->range, h->opt.reread, &p->missing);
	harvest_widen(&p->state, p->range, h->opt.reread, &p->missing);
	if (p->missing.n > 0 && held(p, o))
		return (0);
	s->known++;
	if (p->missing.n == 0)
		return (0);

	if (s->nstreams == s->streams_cap) {
		s->streams_cap = s->streams_cap == 0 ? 256 : s->streams_cap * 2;
		s->streams = must_realloc(s->streams, s->streams_cap,
		    sizeof(s->streams[0]));
	}
	st = &s->streams[s->nstreams];
	memset(st, 0, sizeof(*st));
	st->id = o->id;
	st->s.key = arena_strdup(s->arena, o->key);
	st->s.name = arena_strdup(s->arena, o->name);
	st->since = harvest_young_from(&p->state, h->opt.reread);
	if (never_read(p))
		harvest_first_add(s, s->nstreams);
	note_again(s, &p->missing, &p->state.covered);
	g = group_get(s, number);
	if (p->state.ncells > 0) {
		sched_grain(g->sched, p->state.cells[0].a, s->cell_len);
		if (p->state.cells[0].a < s->known_from)
			s->known_from = p->state.cells[0].a;
	}
	sched_add(g->sched, s->nstreams++, source_stream_len(s->table, &st->s),
	    p->state.per_second, &p->missing);
	return (0);
}

static int
plan_streams(struct harvest_series *s, const struct harvest_range *range,
    struct err *e)
{
	struct plan p = { .series = s, .range = range, .err = e };
	uint32_t i;
	int rc;

	if ((rc = ledger_read_begin(s->h->ledger, &p.txn, e)) != 0)
		return (rc);
	ranges_init(&p.missing);
	ledger_stream_init(&p.state);
	rc = ledger_object_each(p.txn, s->table->over->name, 1, UINT32_MAX,
	    plan_stream, &p, e);
	ledger_stream_fini(&p.state);
	ranges_fini(&p.missing);
	ledger_read_end(p.txn);
	for (i = 0; i < s->ngroups && rc == 0; i++)
		rc = harvest_writer_get(s->h, s->table, s->groups[i].number,
		    &s->groups[i].writer, e);
	return (rc);
}

static void
plan_reread(struct harvest_series *s)
{
	uint32_t i;

	if (s->nstreams == 0)
		return;
	harvest_before_read(s);
	if (s->before == NULL)
		return;
	s->known_from = INT64_MIN;
	for (i = 0; i < s->ngroups; i++)
		sched_grain(s->groups[i].sched, s->range->from,
		    harvest_before_len(s));
}

void
harvest_series_progress(const struct harvest *h, double *wanted,
    double *missing)
{
	const struct harvest_series *s = h->series;
	double w, m;
	uint32_t i;

	*wanted = *missing = 0;
	for (i = 0; s != NULL && i < s->ngroups; i++) {
		sched_progress(s->groups[i].sched, &w, &m);
		*wanted += w;
		*missing += m;
	}
}

int
harvest_series_run(struct harvest *h, const struct source_table *t,
    const struct harvest_range *range, struct err *e)
{
	struct harvest_series s;
	double wanted, missing;
	uint32_t i;
	int rc;

	memset(&s, 0, sizeof(s));
	s.h = h;
	s.table = t;
	s.range = range;
	s.arena = arena_new();
	s.answer_mean = ANSWER_BYTES_GUESS;
	s.choice = harvest_choice_of(h, t);
	s.cells_from = harvest_cells_from(h, t, range);
	s.cell_len = harvest_cell_len(h, t);
	s.known_from = s.cells_from;
	s.again_from = INT64_MAX;
	rc = plan_streams(&s, range, e);
	if (rc == 0) {
		if (range->reread)
			plan_reread(&s);
		h->series = &s;
		rc = harvest_drive(h, e);
		harvest_series_progress(h, &wanted, &missing);
		h->stats.wanted += wanted;
		h->stats.missing += missing;
		h->series = NULL;
	}
	harvest_first_free(&s);
	harvest_before_free(&s);
	for (i = 0; i < s.ngroups; i++)
		sched_free(s.groups[i].sched);
	free(s.groups);
	free(s.streams);
	arena_free(s.arena);
	return (rc);
}
