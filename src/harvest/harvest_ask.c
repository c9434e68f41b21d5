/*
 * A window of some streams that is asked for, and what becomes of answers that
 * cannot be had or used: asked again, smaller, or without the guilty stream;
 * a stream that is refused for good is set aside with its reason. Too many
 * failures in a row end the run (harvest_bad()).
 */

#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/must.h"
#include "codec/json.h"
#include "harvest/harvest_series_int.h"

/* --- a window in flight -------------------------------------------------- */

struct ask *
harvest_ask_new(struct group *g, const struct sched_request *q)
{
	struct harvest_series *s = g->series;
	struct ask *k = must_calloc(1, sizeof(*k));
	uint32_t i;

	k->group = g;
	k->q = *q;
	k->streams = must_calloc(q->n, sizeof(k->streams[0]));
	k->pages = must_calloc(q->n, sizeof(k->pages[0]));
	for (i = 0; i < q->n; i++)
		k->streams[i] = &s->streams[q->ids[i]].s;
	return (k);
}

void
harvest_ask_free(struct ask *k)
{

	free(k->streams);
	free(k->pages);
	free(k);
}

void
harvest_ask_target(const struct ask *k, struct buf *target)
{
	const struct harvest_series *s = k->group->series;

	source_series_target(s->table, s->h->opt.base, k->streams, k->q.n,
	    k->q.a, k->q.b, k->q.max_count, target);
	MUST_MEMORY(target->error == 0);
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

bool
harvest_is_html(const struct fetch_answer *a)
{
	size_t i = 0;

	while (i < a->len && strchr(" \t\r\n\xef\xbb\xbf", a->body[i]) != NULL)
		i++;
	return (!a->json && i < a->len && a->body[i] == '<');
}

/* IIS says 404 of a URL that is too long (404.14) or of a query string
 * (404.15), and tells others than itself no more than that; HTTP.sys says
 * 400. What PI Web API has to say of a stream it says in JSON. */
static bool
url_too_long(const struct ask *k, const struct fetch_answer *a)
{

	if (k->q.n == 1)
		return (false);
	return (a->status == 414 || a->status == 431 ||
	    (a->status == 400 && !a->json) ||
	    (a->status == 404 && harvest_is_html(a)));
}

/* What one group has found out, all take from it, and the next table. */
static void
learn_url(struct group *g)
{
	struct harvest_series *s = g->series;
	uint32_t i;

	harvest_cap_learn_url(s->h, sched_url_max(g->sched));
	for (i = 0; i < s->ngroups; i++)
		sched_learn_url(s->groups[i].sched, s->h->opt.url_max);
}

/* PI Web API itself refuses, in so many words. */
static bool
by_api(const struct fetch_answer *a)
{

	return (a->json && a->status >= 400);
}

/* What names the guilty stream only when PI Web API says it itself: what
 * stands before it, or in its place for a while, knows no streams. */
static enum sched_why
refused(struct ask *k, struct fetch_answer *a)
{
	struct harvest *h = k->group->series->h;
	uint32_t cap, i;

	cap = source_cap_from_text(a->err.text);
	if (cap > 0 && cap < h->opt.item_cap) {
		harvest_cap_learn(h, cap);
		for (i = 0; i < h->series->ngroups; i++)
			sched_learn_cap(h->series->groups[i].sched, cap);
		return (SCHED_RETURN);
	}
	if (cap > 0 && (uint64_t)k->q.n * k->q.max_count > cap)
		return (SCHED_RETURN);	/* packed before it was learnt */
	if (url_too_long(k, a))
		return (SCHED_URL);
	if (a->status == 413)
		return (SCHED_SMALLER);
	if (k->q.n == 1)
		k->group->series->streams[k->q.ids[0]].why =
		    arena_strdup(k->group->series->arena, a->err.text);
	if (k->q.n == 1 && a->status == 403)
		harvest_doubt_add(k->group->series, &k->q, &a->err);
	if (by_api(a))
		return (SCHED_GUILTY);
	a->err.code = ERR_SERVER;
	return (k->q.n > 1 ? SCHED_GUILTY : alone(k, a->err.text));
}

/* What is wrong with a body names no request: say who was asked for. */
static void
bad(struct ask *k, const struct err *why)
{
	struct harvest_series *s = k->group->series;
	struct err e = *why;
	struct buf target;

	if (k->answered) {
		buf_init(&target, 1 << 20);
		harvest_ask_target(k, &target);
		fetch_blame(&e, "GET", buf_str(&target));
		buf_fini(&target);
	}
	if (k->answered && k->q.n > 1)
		err_wrap(&e, "%s: %s and %u more", s->table->name,
		    s->streams[k->q.ids[0]].s.name, k->q.n - 1);
	else if (k->answered)
		err_wrap(&e, "%s: %s", s->table->name,
		    s->streams[k->q.ids[0]].s.name);
	harvest_bad(s->h, &e);
}

/* What PI Web API itself says of one stream, while it answers for others,
 * does not tell that the server is gone, however many such streams are. */
static bool
of_stream(const struct ask *k, const struct fetch_answer *a)
{

	return (k->q.n == 1 && a->json && k->group->series->answered);
}

/* 500 in PI Web API's own words, while it answers others: of the streams. */
static enum sched_why
server_failed(struct ask *k, struct fetch_answer *a, bool whole)
{
	struct harvest_series *s = k->group->series;
	enum harvest_state state = HARVEST_ILL;

	if (a->status == 500 && a->json)
		state = k->about ? HARVEST_WELL :
		    harvest_control(s, &s->streams[k->q.ids[0]]);
	if (state == HARVEST_WAIT)
		return (SCHED_RETURN);
	if (state == HARVEST_ILL && (!whole || !of_stream(k, a)))
		bad(k, &a->err);
	return (k->q.n > 1 ? SCHED_GUILTY : alone(k, a->err.text));
}

static enum sched_why
why_failed(struct ask *k, struct fetch_answer *a, bool whole)
{
	struct harvest *h = k->group->series->h;

	/* Given up behind a breaker, for what others met; but if others are
	 * answered and this one failed before, it is the one. */
	if (a->held && k->q.n == 1 && k->group->series->answered &&
	    k->group->series->streams[k->q.ids[0]].why != NULL)
		return (SCHED_GUILTY);
	if (a->held) {
		bad(k, &a->err);
		return (SCHED_RETURN);
	}
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
		return (server_failed(k, a, whole));
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

void
harvest_ask_report(struct harvest_series *s)
{
	uint32_t i;

	for (i = 0; i < s->ngroups; i++)
		report_failures(&s->groups[i]);
}

/* --- quarantine ---------------------------------------------------------- */

/* Will the stream, or the run, be given up if this cannot be used? */
static bool
is_last_try(const struct ask *k)
{
	const struct harvest_series *s = k->group->series;

	return (s->h->fails + 1 >= HARVEST_FAILS_MAX || (k->q.n == 1 &&
	    s->streams[k->q.ids[0]].tries + 1 >= s->h->opt.tries));
}

/* An answer it is, but no refusal, and its only stream was given up for it,
 * or the run was. */
static bool
is_to_keep(const struct ask *k, const struct fetch_answer *a,
    enum sched_why why)
{

	return (a->status != 0 &&
	    (a->err.code == ERR_ANSWER || a->err.code == ERR_SERVER) &&
	    (k->group->series->h->fatal.code != 0 ||
	    (k->q.n == 1 && why == SCHED_GUILTY)));
}

static void
quarantine(struct ask *k, const struct fetch_answer *a,
    struct harvest_copy *copy)
{
	struct harvest_series *s = k->group->series;
	const struct source_stream *one = k->streams[0];
	struct harvest_bad bad = { .table = s->table->name, .a = k->q.a,
	    .b = k->q.b, .status = a->status, .code = a->err.code,
	    .reason = a->err.text };
	struct buf target;

	if (!k->answered)
		harvest_copy_take(s->h, copy, a);
	if (k->q.n == 1) {
		bad.stream = one->name;
		bad.key = one->key;
	}
	buf_init(&target, 1 << 20);
	harvest_ask_target(k, &target);
	bad.target = buf_str(&target);
	harvest_quarantine(s->h, &bad, copy);
	buf_fini(&target);
}

/* --- any answer ---------------------------------------------------------- */

void
harvest_ask_answer(struct ask *k, struct fetch_answer *a)
{
	struct group *g = k->group;
	struct harvest_series *s = g->series;
	struct harvest_copy copy = { NULL, 0, 0 };
	enum sched_why why;
	bool whole = true;
	int rc = a->err.code;

	if (rc == 0) {
		k->answered = true;
		whole = json_whole(a->body, a->len);
		if (is_last_try(k))
			harvest_copy_take(s->h, &copy, a);
		rc = source_series_decode(s->table, k->streams, k->q.n, k->q.a,
		    k->q.b, a->body, a->len, harvest_open_rows(g->writer),
		    k->pages, &a->err);
	}
	if (rc == 0 && !page_failed(k, a)) {
		harvest_good(s->h);
		harvest_control_good(k);
		s->answered = true;
		harvest_settle(k);
	} else {
		/* No JSON at all: the server is not well. What is wrong in
		 * good form is about what was asked. */
		a->unusable = !whole;
		why = why_failed(k, a, whole);
		sched_failed(g->sched, &k->q, why, a->err.code);
		if (why == SCHED_URL)
			learn_url(g);
		if (is_to_keep(k, a, why))
			quarantine(k, a, &copy);
	}
	harvest_copy_free(&copy);
}

/* --- an answer in a batch ------------------------------------------------ */

/* Refused for good: no need to ask again. */
static bool
is_final(const struct ask *k, const struct fetch_answer *a)
{
	const int code = a->err.code;

	return (k->q.n == 1 && by_api(a) && (code == ERR_FORBIDDEN ||
	    code == ERR_NOTFOUND || code == ERR_GONE ||
	    code == ERR_UNSUPPORTED || code == ERR_REQUEST));
}

/* Once more, apart: with the patience, and the judgement, that a request by
 * itself has. */
static void
set_apart(struct ask *k)
{
	struct harvest_series *s = k->group->series;
	uint32_t i;

	for (i = 0; i < k->q.n; i++)
		s->streams[k->q.ids[i]].apart = true;
	sched_failed(k->group->sched, &k->q, SCHED_RETURN, 0);
}

static void
judge_part(const struct ask *k, struct fetch_answer *a)
{
	struct buf target;

	if (a->status >= 200 && a->status <= 299)
		return;
	buf_init(&target, 1 << 20);
	harvest_ask_target(k, &target);
	fetch_judge(k->group->series->h->fetch, buf_str(&target), a);
	buf_fini(&target);
}

bool
harvest_ask_part(struct ask *k, const struct source_part *p,
    struct fetch_answer *whole)
{
	struct group *g = k->group;
	struct harvest_series *s = g->series;
	struct fetch_answer a = { .err = ERR_INIT, .status = p->status,
		.json = p->json, .body = p->body, .len = p->len };

	judge_part(k, &a);
	if (a.err.code == 0 && source_part_decode(s->table, k->streams,
	    k->q.n, k->q.a, k->q.b, p, harvest_open_rows(g->writer),
	    k->pages, &a.err) == 0 && !page_failed(k, &a)) {
		harvest_good(s->h);
		harvest_control_good(k);
		s->answered = true;
		harvest_settle(k);
		return (true);
	}
	if (is_final(k, &a)) {
		sched_failed(g->sched, &k->q, refused(k, &a), a.err.code);
		return (true);
	}
	if (a.err.code == ERR_RATE) {
		whole->slow_down = true;
		if (p->retry_after_ms > whole->slow_down_ms)
			whole->slow_down_ms = p->retry_after_ms;
	}
	set_apart(k);
	return (false);
}
