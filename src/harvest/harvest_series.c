/*
 * Series: sched says which window of which streams to ask next, one sched a
 * group; the answer is decoded straight into the group's open batch, judged
 * stream by stream, and what is not proven complete is taken out again.
 * Groups take turns, so that none starves another.
 *
 * An answer that cannot be had or used is asked again, smaller, or without
 * the guilty stream; a stream that is refused for good is set aside with its
 * reason. Too many failures in a row end the run (harvest_bad()).
 */

#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/must.h"
#include "base/ticks.h"
#include "codec/json.h"
#include "harvest/harvest_int.h"
#include "loop/loop.h"

#define ASK_MAGIC 0x61736b21u

/* What an answer of so many items is taken to need before one was seen. */
#define ANSWER_BYTES_GUESS (1u << 20)

struct stream {
	struct source_stream s;		/* key, name: in the arena */
	uint32_t id;			/* of the object */
	unsigned tries;			/* unusable answers of it alone */
	const char *why;		/* last error of it alone, in the arena */
	bool aside;			/* for the rest of the run */
};

struct group {
	struct harvest_series *series;
	uint32_t number;
	struct sched *sched;		/* ids are indices into streams */
	struct harvest_writer *writer;
	size_t reported;		/* sched failures told so far */
};

/* One request in flight. */
struct ask {
	uint32_t magic;
	struct ask *prev, *next;
	struct group *group;
	struct sched_request q;
	const struct source_stream **streams;	/* [q.n] */
	struct source_page *pages;		/* [q.n] */
	struct fetch_job *job;
	size_t bytes;				/* reserved of the budget */
	bool answered;				/* what failed is its body */
};

struct harvest_series {
	struct harvest *h;
	const struct source_table *table;
	struct arena *arena;
	struct stream *streams;
	uint32_t nstreams;
	uint32_t streams_cap;
	struct group *groups;
	uint32_t ngroups;
	uint32_t turn;			/* group to ask first */
	struct ask *asks;		/* in flight */
	size_t answer_mean;		/* bytes, moving average */
};

/* --- asking -------------------------------------------------------------- */

static void
ask_unlink(struct ask *k)
{
	struct harvest_series *s = k->group->series;

	if (k->next != NULL)
		k->next->prev = k->prev;
	if (k->prev != NULL)
		k->prev->next = k->next;
	else
		s->asks = k->next;
	s->h->answer_bytes -= k->bytes;
	k->magic = 0;
	free(k->streams);
	free(k->pages);
	free(k);
}

static void on_answer(void *, struct fetch_answer *);

static void
ask_send(struct group *g, const struct sched_request *q)
{
	struct harvest_series *s = g->series;
	struct harvest *h = s->h;
	struct fetch_request req = { .method = "GET",
	    .class = HARVEST_ASKS_SERIES };
	struct buf target;
	struct ask *k;
	uint32_t i;

	k = must_calloc(1, sizeof(*k));
	k->magic = ASK_MAGIC;
	k->group = g;
	k->q = *q;
	k->streams = must_calloc(q->n, sizeof(k->streams[0]));
	k->pages = must_calloc(q->n, sizeof(k->pages[0]));
	for (i = 0; i < q->n; i++)
		k->streams[i] = &s->streams[q->ids[i]].s;
	k->bytes = 2 * s->answer_mean;		/* buffers double */
	h->answer_bytes += k->bytes;
	k->next = s->asks;
	if (s->asks != NULL)
		s->asks->prev = k;
	s->asks = k;

	buf_init(&target, 1 << 20);
	source_series_target(s->table, h->opt.base, k->streams, q->n, q->a,
	    q->b, q->max_count, &target);
	MUST(target.error == 0);
	req.target = buf_str(&target);
	k->job = fetch_start(h->fetch, &req, on_answer, k);
	buf_fini(&target);
}

bool
harvest_series_poke(struct harvest *h)
{
	struct harvest_series *s = h->series;
	struct sched_request q;
	struct group *g;
	uint32_t i;

	if (s == NULL)
		return (false);
	for (i = 0; i < s->ngroups; i++) {
		g = &s->groups[(s->turn + i) % s->ngroups];
		if (sched_next(g->sched, &q) == 1) {
			s->turn = (s->turn + i + 1) % s->ngroups;
			ask_send(g, &q);
			return (true);
		}
	}
	return (false);
}

bool
harvest_series_idle(const struct harvest *h)
{
	const struct harvest_series *s = h->series;
	uint32_t i;

	if (s == NULL)
		return (true);
	if (s->asks != NULL)
		return (false);
	if (h->stopping || h->fatal.code != 0)
		return (true);
	for (i = 0; i < s->ngroups; i++)
		if (!sched_done(s->groups[i].sched))
			return (false);
	return (true);
}

void
harvest_series_abandon(struct harvest *h)
{
	struct harvest_series *s = h->series;
	struct ask *k;

	if (s == NULL)
		return;
	while ((k = s->asks) != NULL) {
		fetch_cancel(k->job);
		sched_failed(k->group->sched, &k->q, SCHED_RETURN, 0);
		ask_unlink(k);
	}
}

/* --- answers that can be used -------------------------------------------- */

/* Rows of [from, from + n) are ascending in time: the first at or after. */
static uint32_t
rows_until(const struct rows *r, uint32_t col, uint32_t from, uint32_t n,
    int64_t cut)
{
	uint32_t lo = from, hi = from + n, mid;

	while (lo < hi) {
		mid = lo + (hi - lo) / 2;
		if (r->v[col].i64[mid] < cut)
			lo = mid + 1;
		else
			hi = mid;
	}
	return (lo - from);
}

static void
report_ties(struct group *g, uint32_t index, int64_t at)
{
	struct harvest_series *s = g->series;
	char when[TICKS_TEXT_MAX], text[160];

	(void)snprintf(text, sizeof(text), "more events at %s than the server "
	    "gives at once; the others at that time cannot be read",
	    ticks_text7(at, when));
	harvest_report_add(s->h, s->table->name, s->streams[index].s.name, 0,
	    text);
}

/* Judge stream number i of the answer. */
static void
settle_stream(struct ask *k, uint32_t i)
{
	struct group *g = k->group;
	struct harvest_series *s = g->series;
	struct source_page *p = &k->pages[i];
	struct rows *r = harvest_open_rows(g->writer);
	struct harvest_cover c;
	enum sched_verdict v;
	uint32_t keep = 0, index = k->q.ids[i];
	int64_t cut = k->q.a;

	v = sched_verdict(g->sched, &k->q, i, &cut);
	if (v != SCHED_AGAIN && p->row_n > 0)
		keep = rows_until(r, (uint32_t)s->table->cursor, p->row_from,
		    p->row_n, cut);
	if (keep < p->row_n)
		rows_drop(r, p->row_from + keep, p->row_n - keep);
	if (v == SCHED_AGAIN)
		return;
	s->streams[index].tries = 0;
	harvest_cover_init(&c, s->streams[index].id,
	    s->streams[index].s.key);
	c.a = k->q.a;
	c.b = cut;
	c.values = keep;
	c.per_second = sched_density(g->sched, index);
	c.mute = s->streams[index].aside;
	if (keep > 0)
		c.last = r->v[s->table->cursor].i64[p->row_from + keep - 1];
	harvest_cover_add(g->writer, &c);
	if (v == SCHED_TIES)
		report_ties(g, index, cut - 1);
}

static int
by_row(const void *a, const void *b, void *cookie)
{
	const struct source_page *pages = cookie;
	uint32_t x = pages[*(const uint32_t *)a].row_from;
	uint32_t y = pages[*(const uint32_t *)b].row_from;

	return (x < y ? -1 : x > y);
}

/* Streams are judged in the order of their rows, which is the server's, from
 * the last: taking rows out then moves none of those still to be judged. */
static void
settle(struct ask *k)
{
	struct group *g = k->group;
	uint32_t i, *order;

	for (i = 0; i < k->q.n; i++)
		if (k->pages[i].present && k->pages[i].code == 0)
			sched_count(g->sched, &k->q, i, k->pages[i].n,
			    k->pages[i].first, k->pages[i].last);
	order = must_calloc(k->q.n, sizeof(order[0]));
	for (i = 0; i < k->q.n; i++)
		order[i] = i;
	qsort_r(order, k->q.n, sizeof(order[0]), by_row, k->pages);
	for (i = k->q.n; i-- > 0;)
		settle_stream(k, order[i]);
	free(order);
	harvest_batch_touch(g->writer);
	sched_finish(g->sched, &k->q);
}

/* --- answers that cannot ------------------------------------------------- */

/* One stream asked alone gave nothing usable: again, or set it aside. */
static enum sched_why
alone(struct ask *k, const char *text)
{
	struct harvest_series *s = k->group->series;
	struct stream *st = &s->streams[k->q.ids[0]];

	st->why = arena_strdup(s->arena, text);
	if (++st->tries < s->h->opt.tries)
		return (SCHED_RETURN);
	return (SCHED_GUILTY);
}

static enum sched_why
refused(struct ask *k, const struct fetch_answer *a)
{
	struct harvest *h = k->group->series->h;
	uint32_t cap, i;

	cap = source_cap_from_text(a->err.text);
	if (cap > 0 && cap < h->opt.item_cap) {
		h->opt.item_cap = cap;
		for (i = 0; i < h->series->ngroups; i++)
			sched_learn_cap(h->series->groups[i].sched, cap);
		return (SCHED_RETURN);
	}
	if (cap > 0 && (uint64_t)k->q.n * k->q.max_count > cap)
		return (SCHED_RETURN);	/* packed before it was learnt */
	if (a->status == 414 || a->status == 431 ||
	    (a->status == 400 && !a->json && k->q.n > 1))
		return (SCHED_URL);
	if (a->status == 413)
		return (SCHED_SMALLER);
	if (k->q.n == 1)
		k->group->series->streams[k->q.ids[0]].why =
		    arena_strdup(k->group->series->arena, a->err.text);
	return (SCHED_GUILTY);
}

/* What is wrong with a body names no request: say who was asked for. */
static void
bad(struct ask *k, const struct err *why)
{
	struct harvest_series *s = k->group->series;
	struct err e = *why;

	if (k->answered && k->q.n > 1)
		err_wrap(&e, "%s: %s and %u more", s->table->name,
		    s->streams[k->q.ids[0]].s.name, k->q.n - 1);
	else if (k->answered)
		err_wrap(&e, "%s: %s", s->table->name,
		    s->streams[k->q.ids[0]].s.name);
	harvest_bad(s->h, &e);
}

static enum sched_why
why_failed(struct ask *k, const struct fetch_answer *a)
{
	struct harvest *h = k->group->series->h;

	switch (a->err.code) {
	case ERR_AUTH:
	case ERR_TLS:
	case ERR_CONFIG:
		harvest_fail(h, &a->err);
		return (SCHED_RETURN);
	case ERR_FORBIDDEN:
	case ERR_NOTFOUND:
	case ERR_GONE:
	case ERR_UNSUPPORTED:
	case ERR_REQUEST:
		return (refused(k, a));
	case ERR_TIMEOUT:
	case ERR_LIMIT:
		bad(k, &a->err);
		if (k->q.n == 1)
			k->group->series->streams[k->q.ids[0]].why =
			    arena_strdup(k->group->series->arena, a->err.text);
		return (SCHED_SMALLER);
	case ERR_SERVER:
	case ERR_ANSWER:
		bad(k, &a->err);
		return (k->q.n > 1 ? SCHED_GUILTY : alone(k, a->err.text));
	default:
		bad(k, &a->err);
		return (SCHED_RETURN);
	}
}

/* An error inside a good answer about the one stream that was asked. */
static bool
page_failed(const struct ask *k, struct fetch_answer *a)
{

	if (k->q.n != 1 || k->pages[0].code == 0)
		return (false);
	(void)err_set(&a->err, ERR_ANSWER, "%s", k->pages[0].text);
	return (true);
}

static void
report_failures(struct group *g)
{
	struct harvest_series *s = g->series;
	struct harvest_cover c;
	const char *text;
	uint32_t index;
	int code;

	for (; sched_failure(g->sched, g->reported, &index, &code) == 1;
	    g->reported++) {
		s->streams[index].aside = true;
		text = s->streams[index].why;
		if (text == NULL)
			text = err_text(code);
		harvest_report_add(s->h, s->table->name,
		    s->streams[index].s.name, code, text);
		harvest_cover_init(&c, s->streams[index].id,
		    s->streams[index].s.key);
		harvest_cover_failed(&c, code, text);
		harvest_cover_add(g->writer, &c);
		harvest_batch_touch(g->writer);
	}
}

static void
on_answer(void *cookie, struct fetch_answer *a)
{
	struct ask *k = cookie;
	struct group *g;
	struct harvest_series *s;
	struct harvest *h;
	bool whole = true;
	int rc;

	MAGIC_CHECK(k, ASK_MAGIC);
	g = k->group;
	s = g->series;
	h = s->h;
	k->job = NULL;
	rc = a->err.code;
	if (rc == 0) {
		k->answered = true;
		whole = json_whole(a->body, a->len);
		s->answer_mean = (s->answer_mean * 7 + a->len) / 8;
		rc = source_series_decode(s->table, k->streams, k->q.n, k->q.a,
		    k->q.b, a->body, a->len, harvest_open_rows(g->writer), k->pages,
		    &a->err);
	}
	if (rc == 0 && !page_failed(k, a)) {
		harvest_good(h);
		settle(k);
	} else {
		/* No JSON at all: the server is not well. What is wrong in
		 * good form is about what was asked. */
		a->unusable = !whole;
		sched_failed(g->sched, &k->q, why_failed(k, a), a->err.code);
	}
	ask_unlink(k);
	report_failures(g);
	harvest_poke(h);
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
group_get(struct harvest_series *s, uint32_t number)
{
	struct harvest *h = s->h;
	struct sched_params p;
	struct group *g;
	uint32_t i;

	for (i = s->ngroups; i-- > 0;)
		if (s->groups[i].number == number)
			return (&s->groups[i]);
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
	g->sched = sched_new(&p);
	return (g);
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

	if (o->gone || (p->range->group != 0 && p->range->group != number))
		return (0);
	ranges_clear(&p->state.covered);
	rc = ledger_stream_get(p->txn, s->table->name, o->id, &p->state,
	    p->err);
	if (rc != 0)
		return (rc);
	h->stats.streams++;
	harvest_wanted(&p->state.covered, p->range, h->opt.reread,
	    &p->missing);
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
	g = group_get(s, number);
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
	s.arena = arena_new();
	s.answer_mean = ANSWER_BYTES_GUESS;
	rc = plan_streams(&s, range, e);
	if (rc == 0) {
		h->series = &s;
		rc = harvest_drive(h, e);
		harvest_series_progress(h, &wanted, &missing);
		h->stats.wanted += wanted;
		h->stats.missing += missing;
		h->series = NULL;
	}
	for (i = 0; i < s.ngroups; i++)
		sched_free(s.groups[i].sched);
	free(s.groups);
	free(s.streams);
	arena_free(s.arena);
	return (rc);
}
