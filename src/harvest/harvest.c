/*
 * Life of the engine: made with everything it needs, asked to discover or
 * to cover, driven by one loop until nothing is left and all that was
 * answered is durable. harvest_poke() is the one door through which
 * requests are started: an answer, a finished commit and the tick call it.
 *
 * A fatal error or a stop abandons what is in flight; batches already
 * answered are still committed on a stop, and dropped on a fatal error of
 * the storage (the journal is cut back when it is next opened).
 */

#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/must.h"
#include "base/ticks.h"
#include "harvest/harvest_int.h"
#include "loop/loop.h"
#include "sys/sys.h"

/* Progress, age of batches. */
#define TICK_US 100000
/* One request in so many is of event frames, while there are series to ask. */
#define WALK_SHARE 4u

int
harvest_new(const struct sys *sys, struct loop *loop,
    const struct fetch_options *fopt, const struct source *source,
    struct ledger *ledger, const struct harvest_options *opt,
    struct harvest **out, struct err *e)
{
	struct harvest *h;
	int rc;

	h = must_calloc(1, sizeof(*h));
	h->sys = sys;
	h->loop = loop;
	h->source = source;
	h->ledger = ledger;
	h->opt = *opt;
	h->origin = must_strdup(fopt->origin);
	h->now = TICKS_NONE;
	h->noted_us = loop_now_us(loop);
	h->started_us = sys->mono_us(sys->cookie);
	rc = fetch_new(loop, fopt, &h->fetch, e);
	if (rc == 0)
		rc = harvest_budget_begin(h, fopt, e);
	if (rc != 0) {
		fetch_free(h->fetch);
		free(h->origin);
		free(h);
		return (rc);
	}
	*out = h;
	return (0);
}

void
harvest_free(struct harvest *h)
{
	size_t i;

	if (h == NULL)
		return;
	MUST(h->walk == NULL && h->series == NULL);
	harvest_budget_end(h);
	harvest_budget_free(h);
	harvest_writers_close(h);
	fetch_free(h->fetch);
	harvest_choice_free(h);
	free(h->origin);
	for (i = 0; i < h->nreports; i++) {
		free(h->reports[i].stream);
		free(h->reports[i].text);
	}
	free(h->reports);
	free(h);
}

/* --- the run's end ------------------------------------------------------- */

void
harvest_fail(struct harvest *h, const struct err *e)
{

	if (h->fatal.code == 0)
		h->fatal = *e;
}

void
harvest_bad(struct harvest *h, const struct err *e)
{

	if (++h->fails >= HARVEST_FAILS_MAX)
		harvest_fail(h, e);
}

void
harvest_good(struct harvest *h)
{

	h->fails = 0;
}

void
harvest_report_add(struct harvest *h, const char *table, const char *stream,
    int code, const char *text)
{
	struct harvest_report *r;

	if (code == 0)
		h->stats.ties++;
	else
		h->stats.streams_failed++;
	if (h->nreports >= HARVEST_FAILURES_MAX)
		return;
	h->reports = must_realloc(h->reports, h->nreports + 1,
	    sizeof(h->reports[0]));
	r = &h->reports[h->nreports++];
	r->table = table;
	r->stream = must_strdup(stream);
	r->code = code;
	r->text = must_strdup(text);
}

int
harvest_failure(const struct harvest *h, size_t i, struct harvest_failure *f)
{

	if (i >= h->nreports)
		return (0);
	f->table = h->reports[i].table;
	f->stream = h->reports[i].stream;
	f->code = h->reports[i].code;
	f->text = h->reports[i].text;
	return (1);
}

void
harvest_stop(struct harvest *h)
{

	h->stopping = true;
	harvest_poke(h);
}

bool
harvest_stopped(const struct harvest *h)
{

	return (h->stopping);
}

void
harvest_get_stats(const struct harvest *h, struct harvest_stats *out)
{
	struct fetch_stats f;
	double wanted, missing;

	fetch_stats(h->fetch, &f);
	harvest_series_progress(h, &wanted, &missing);
	*out = h->stats;
	out->wanted += wanted;
	out->missing += missing;
	out->requests = f.requests;
	out->retries = f.retries;
	out->wire_bytes = f.wire_bytes;
	out->elapsed_us = h->sys->mono_us(h->sys->cookie) - h->started_us;
}

/* --- driving ------------------------------------------------------------- */

static bool
memory_left(const struct harvest *h)
{

	return (harvest_batch_bytes(h) + h->answer_bytes < h->opt.memory);
}

static bool
nothing_asked(const struct harvest *h)
{
	struct fetch_stats f;

	fetch_stats(h->fetch, &f);
	return (f.in_flight + f.queued == 0);
}

bool
harvest_may_start(const struct harvest *h)
{

	if (h->stopping || h->fatal.code != 0 || h->full)
		return (false);
	if (fetch_room(h->fetch) == 0)
		return (false);
	/* With nothing in flight and nothing to commit one request may go:
	 * a budget that is too small slows down, it does not stop. */
	return (memory_left(h) ||
	    (nothing_asked(h) && harvest_batches_idle(h)));
}

static bool
work_left(const struct harvest *h)
{

	return (!harvest_walk_idle(h) || !harvest_series_idle(h));
}

/* Lists beside a series have their turn, and all turns when the series has
 * nothing to ask. */
static bool
start_one(struct harvest *h)
{

	if (h->turn++ % WALK_SHARE == 0)
		return (harvest_walk_poke(h) || harvest_series_poke(h));
	return (harvest_series_poke(h) || harvest_walk_poke(h));
}

void
harvest_poke(struct harvest *h)
{

	if (h->fatal.code != 0 || h->stopping) {
		harvest_walk_abandon(h);
		harvest_series_abandon(h);
	}
	while (harvest_may_start(h) && start_one(h))
		continue;
	if (!work_left(h))
		h->draining = true;
	if (h->draining || nothing_asked(h))
		harvest_flush(h, 0);
	else
		harvest_relieve(h);
	if (h->draining && (h->fatal.code != 0 || harvest_batches_idle(h)) &&
	    loop_work_pending(h->loop) == 0)
		loop_stop(h->loop);
}

static void
on_tick(void *cookie)
{
	struct harvest *h = cookie;
	struct harvest_stats st;

	harvest_space_tick(h);
	harvest_flush(h, h->opt.commit_every_us);
	harvest_note_tick(h);
	harvest_poke(h);
	if (h->opt.progress != NULL) {
		harvest_get_stats(h, &st);
		h->opt.progress(h->opt.cookie, &st);
	}
	loop_timer_set(h->tick, TICK_US);
}

void
harvest_wait(struct harvest *h, const bool *busy)
{

	while (*busy)
		loop_run(h->loop);
}

static void
first_poke(void *cookie)
{

	harvest_space_tick(cookie);
	harvest_poke(cookie);
}

int
harvest_drive(struct harvest *h, struct err *e)
{

	h->draining = false;
	h->tick = loop_timer_new(h->loop, on_tick, h);
	loop_timer_set(h->tick, TICK_US);
	loop_defer(h->loop, first_poke, h);
	loop_run(h->loop);
	loop_timer_free(h->tick);
	h->tick = NULL;
	harvest_note_end(h);
	if (h->fatal.code == 0)
		h->fatal = h->space_err;
	if (h->fatal.code != 0) {
		if (e != NULL)
			*e = h->fatal;
		return (h->fatal.code);
	}
	return (0);
}

/* A first answer of 404 is about the URL, not about the object. */
static void
url_hint(struct err *e, int status)
{

	if (status != 404)
		return;
	(void)err_wrap(e, "nothing is served there, is source.url right?");
	e->code = ERR_CONFIG;
}

/* --- single questions ---------------------------------------------------- */

/* One request, waited for. */
struct call {
	struct harvest *h;
	size_t probe;
	struct buf *text;
	const char *target;
	int64_t now;
	struct fetch_job *job;		/* until it is answered */
	struct err err;
};

static void
clock_answer(void *cookie, struct fetch_answer *a)
{
	struct call *c = cookie;

	c->job = NULL;
	c->err = a->err;
	if (c->err.code == 0) {
		a->unusable = source_clock_decode(c->h->source, a->body,
		    a->len, &c->now, &c->err) != 0;
		if (a->unusable) {
			a->err = c->err;
			fetch_blame(&c->err, "GET", c->target);
		}
	} else
		url_hint(&c->err, a->status);
	loop_stop(c->h->loop);
}

static void
probe_answer(void *cookie, struct fetch_answer *a)
{
	struct call *c = cookie;

	c->job = NULL;
	c->err = a->err;
	if (c->err.code == 0 && source_probe_decode(c->h->source, c->probe,
	    a->body, a->len, c->text, &c->err) != 0)
		fetch_blame(&c->err, "GET", c->target);
	loop_stop(c->h->loop);
}

static int
ask(struct call *c, struct buf *target, fetch_done_fn *fn, struct err *e)
{
	struct fetch_request q = { .method = "GET",
	    .class = HARVEST_ASKS_SINGLE, .target = buf_str(target) };

	c->target = q.target;
	c->job = fetch_start(c->h->fetch, &q, fn, c);
	while (c->job != NULL && !c->h->stopping && c->h->fatal.code == 0)
		loop_run(c->h->loop);
	if (c->job != NULL) {
		fetch_cancel(c->job);
		(void)err_set(&c->err, ERR_CANCELLED, "stopped");
		if (c->h->fatal.code != 0)
			c->err = c->h->fatal;
	}
	if (c->err.code != 0 && e != NULL)
		*e = c->err;
	return (c->err.code);
}

int
harvest_clock(struct harvest *h, int64_t *now, struct err *e)
{
	struct call call = { .h = h };
	struct buf target;
	unsigned tries = 0;
	int rc = 0;

	if (h->now == TICKS_NONE) {
		buf_init(&target, 4096);
		if (source_clock_target(h->source, h->opt.base, &target))
			do
				rc = ask(&call, &target, clock_answer, e);
			while (rc == ERR_ANSWER && ++tries < h->opt.tries);
		else
			call.now = h->sys->now_ticks(h->sys->cookie);
		buf_fini(&target);
		if (rc != 0)
			return (rc);
		h->now = call.now;
	}
	*now = h->now;
	return (0);
}

int
harvest_probe(struct harvest *h, size_t i, const char **name,
    struct buf *text, struct err *e)
{
	struct call call = { .h = h, .probe = i, .text = text };
	struct buf target;
	int rc;

	buf_init(&target, 4096);
	*name = source_probe_target(h->source, i, h->opt.base, &target);
	rc = ask(&call, &target, probe_answer, e);
	buf_fini(&target);
	return (rc);
}

/* --- the two operations -------------------------------------------------- */

int
harvest_discover(struct harvest *h, const struct source_table *const *tables,
    struct err *e)
{
	int64_t now;
	int rc;

	rc = harvest_clock(h, &now, e);		/* is the URL right at all? */
	if (rc == 0)
		rc = harvest_cap_forget(h, e);
	if (rc == 0)
		rc = harvest_choice_forget(h, e);
	for (; *tables != NULL && rc == 0 && !h->stopping; tables++)
		if ((*tables)->kind == SOURCE_WALK)
			rc = harvest_walk_run(h, *tables, NULL, e);
	return (rc);
}

/* From here on, or the end: event frames belong to no group. */
static const struct source_table *const *
next_frames(const struct source_table *const *t,
    const struct harvest_range *r)
{

	while (*t != NULL && ((*t)->kind != SOURCE_FRAMES || r->group != 0))
		t++;
	return (t);
}

/* A series may take days: event frames are read beside it. */
int
harvest_run(struct harvest *h, const struct source_table *const *tables,
    const struct harvest_range *range, struct err *e)
{
	const struct source_table *const *frames;
	struct harvest_range r = *range;
	int64_t now;
	int rc;

	if ((rc = harvest_clock(h, &now, e)) != 0 ||
	    (rc = harvest_clock_note(h, e)) != 0 ||
	    (rc = harvest_cap_recall(h, e)) != 0)
		return (rc);
	if (r.to > now)
		r.to = now;
	frames = next_frames(tables, &r);
	for (; *tables != NULL && rc == 0 && !h->stopping; tables++) {
		if ((*tables)->kind != SOURCE_SERIES)
			continue;
		if (*frames != NULL) {
			rc = harvest_walk_begin(h, *frames, &r, e);
			frames = next_frames(frames + 1, &r);
		}
		if (rc == 0)
			rc = harvest_series_run(h, *tables, &r, e);
		harvest_walk_end(h);
	}
	for (; *frames != NULL && rc == 0 && !h->stopping;
	    frames = next_frames(frames + 1, &r))
		rc = harvest_walk_run(h, *frames, &r, e);
	return (rc);
}
