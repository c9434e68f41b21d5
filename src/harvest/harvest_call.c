/*
 * Requests for windows of streams. The form of each is chosen by what the
 * forms have cost (harvest_form.h); what one has cost is measured here: its
 * time, or that of which a limit of rates leaves it a share, and its bytes,
 * over the work that was done for it.
 *
 * A batch holds windows of one stream each, with ends and pages of their
 * own; each is answered, and judged, as if it had been asked by itself. One
 * that failed in it for no reason of its own is asked apart. A server that
 * has no batches is asked in another form from then on.
 */

#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/msg.h"
#include "base/must.h"
#include "base/ticks.h"
#include "codec/json.h"
#include "harvest/harvest_series_int.h"
#include "sys/sys.h"

#define CALL_MAGIC 0x63616c6cu
/* Of a batch: half of what PI Web API takes. */
#define BODY_BYTES (2u << 20)
/* Bytes count as the time they have on a line of 100 Mbit/s. */
#define BYTES_PER_US 12.5

/* One request in flight. */
struct call {
	uint32_t magic;
	struct call *prev, *next;
	struct harvest_series *series;
	enum harvest_form form;
	bool measured;
	bool failed;				/* as a batch */
	struct ask **asks;
	uint32_t n, cap;
	double items;				/* expected */
	uint64_t count;				/* most that may come */
	struct fetch_job *job;
	struct buf body;			/* of a batch */
	size_t bytes;				/* reserved of the budget */
};

static int64_t
unix_s(const struct harvest *h)
{

	return (h->sys->now_ticks(h->sys->cookie) / TICKS_PER_S);
}

/* --- life ---------------------------------------------------------------- */

static struct call *
call_new(struct harvest_series *s, enum harvest_form form)
{
	struct call *c = must_calloc(1, sizeof(*c));

	c->magic = CALL_MAGIC;
	c->series = s;
	c->form = form;
	buf_init(&c->body, 2 * BODY_BYTES);
	c->bytes = 2 * s->answer_mean;		/* buffers double */
	s->h->answer_bytes += c->bytes;
	c->next = s->calls;
	if (s->calls != NULL)
		s->calls->prev = c;
	s->calls = c;
	return (c);
}

static void
call_free(struct call *c)
{
	struct harvest_series *s = c->series;
	uint32_t i;

	if (c->next != NULL)
		c->next->prev = c->prev;
	if (c->prev != NULL)
		c->prev->next = c->next;
	else
		s->calls = c->next;
	s->h->answer_bytes -= c->bytes;
	c->magic = 0;
	for (i = 0; i < c->n; i++)
		harvest_ask_free(c->asks[i]);
	free(c->asks);
	buf_fini(&c->body);
	free(c);
}

static void
call_add(struct call *c, struct ask *k)
{

	if (c->n == c->cap) {
		c->cap = c->cap * 2 + 1;
		c->asks = must_realloc(c->asks, c->cap, sizeof(c->asks[0]));
	}
	c->asks[c->n++] = k;
	c->items += k->q.items;
	c->count += (uint64_t)k->q.n * k->q.max_count;
}

static void
call_return(struct call *c)
{
	uint32_t i;

	for (i = 0; i < c->n; i++)
		sched_failed(c->asks[i]->group->sched, &c->asks[i]->q,
		    SCHED_RETURN, 0);
}

void
harvest_call_cancel(struct harvest_series *s)
{
	struct call *c;

	while ((c = s->calls) != NULL) {
		fetch_cancel(c->job);
		if (c->measured)
			harvest_form_lost(s->choice, c->form);
		call_return(c);
		call_free(c);
	}
	harvest_doubt_cancel(s);
	harvest_control_cancel(s);
}

/* --- what it has cost ---------------------------------------------------- */

static double
cost_us(const struct harvest *h, const struct fetch_answer *a)
{
	double us = (double)(a->total_us - a->connect_us), share;
	struct pace_state p;

	fetch_pace(h->fetch, &p);
	share = p.rate > 0 ? p.limit * 1e6 / p.rate : 0;
	return ((us > share ? us : share) +
	    (double)a->wire_bytes / BYTES_PER_US);
}

static void
measure(struct call *c, const struct fetch_answer *a)
{
	struct harvest_series *s = c->series;
	double work = 0;
	uint32_t i;

	if (!c->measured)
		return;
	for (i = 0; i < c->n; i++)
		work += c->asks[i]->work;
	if (a->status == 0 || a->held || c->failed)
		harvest_form_lost(s->choice, c->form);
	else if (harvest_form_done(s->choice, c->form, cost_us(s->h, a), work,
	    unix_s(s->h)))
		harvest_choice_told(s->table, s->choice);
}

/* --- batches ------------------------------------------------------------- */

static void
close_form(struct call *c, const struct err *why)
{
	struct harvest_series *s = c->series;

	msg_info("harvest", "the server takes no batches of %s, %s",
	    s->table->name, why->text);
	(void)harvest_form_refused(s->choice, c->form, unix_s(s->h));
	harvest_choice_told(s->table, s->choice);
}

static void
shrink(struct call *c)
{
	struct harvest_series *s = c->series;

	if (harvest_form_failed(s->choice, unix_s(s->h)))
		harvest_choice_told(s->table, s->choice);
}

/* Nothing of it can be used: its windows go back. */
static void
batch_failed(struct call *c, const struct fetch_answer *a,
    const struct err *e)
{
	struct harvest *h = c->series->h;

	c->failed = true;
	call_return(c);
	switch (a->held ? ERR_CONNECT : a->err.code) {
	case ERR_TLS:
	case ERR_CONFIG:
		harvest_fail(h, e);
		break;
	case ERR_AUTH:
		if (!c->series->answered) {
			harvest_fail(h, e);
			break;
		}
		/* FALLTHROUGH */
	case ERR_FORBIDDEN:
	case ERR_NOTFOUND:
	case ERR_GONE:
	case ERR_UNSUPPORTED:
	case ERR_REQUEST:
		close_form(c, e);
		break;
	case ERR_TIMEOUT:
	case ERR_LIMIT:
	case ERR_SERVER:
	case ERR_ANSWER:
		shrink(c);
		/* FALLTHROUGH */
	default:
		harvest_bad(h, e);
	}
}

static void
blame(const struct harvest_series *s, struct err *e)
{
	struct buf target;

	buf_init(&target, 4096);
	source_batch_target(s->table, s->h->opt.base, &target);
	fetch_blame(e, "POST", buf_str(&target));
	buf_fini(&target);
}

static void
batch_answer(struct call *c, struct fetch_answer *a)
{
	struct harvest_series *s = c->series;
	struct source_part *parts;
	struct err told = a->err;
	uint32_t i, good = 0;

	parts = must_calloc(c->n, sizeof(parts[0]));
	if (a->err.code == 0 && source_batch_split(s->table, a->body, a->len,
	    parts, c->n, &a->err) != 0) {
		a->unusable = !json_whole(a->body, a->len);
		told = a->err;
		blame(s, &told);
	}
	if (a->err.code != 0)
		batch_failed(c, a, &told);
	else {
		for (i = 0; i < c->n; i++)
			good += harvest_ask_part(c->asks[i], &parts[i], a);
		if (good > 0)
			harvest_form_good(s->choice);
		else
			shrink(c);
	}
	free(parts);
}

/* --- any answer ---------------------------------------------------------- */

static void
on_answer(void *cookie, struct fetch_answer *a)
{
	struct call *c = cookie;
	struct harvest_series *s = c->series;
	struct harvest *h = s->h;

	MAGIC_CHECK(c, CALL_MAGIC);
	c->job = NULL;
	if (a->err.code == 0)
		s->answer_mean = (s->answer_mean * 7 + a->len) / 8;
	if (c->n > 1)
		batch_answer(c, a);
	else
		harvest_ask_answer(c->asks[0], a);
	measure(c, a);
	call_free(c);
	if (!harvest_doubt_holds(s))
		harvest_ask_report(s);
	harvest_poke(h);
}

/* --- asking -------------------------------------------------------------- */

static void
send_one(struct call *c)
{
	struct harvest *h = c->series->h;
	struct fetch_request req = { .method = "GET",
	    .class = HARVEST_ASKS_SERIES };
	struct buf target;

	buf_init(&target, 1 << 20);
	harvest_ask_target(c->asks[0], &target);
	req.target = buf_str(&target);
	req.about = c->asks[0]->about = harvest_control_well(c->series);
	c->job = fetch_start(h->fetch, &req, on_answer, c);
	buf_fini(&target);
}

/* What may not be there is tried once, not with patience. */
static void
send_batch(struct call *c)
{
	struct harvest_series *s = c->series;
	struct harvest *h = s->h;
	struct fetch_request req = { .method = "POST",
	    .class = HARVEST_ASKS_SERIES };
	struct buf target;

	source_batch_end(&c->body);
	MUST_MEMORY(c->body.error == 0);
	req.body = (const char *)c->body.data;
	req.body_len = c->body.len;
	req.tries = s->choice->cost[HARVEST_BATCH].n == 0 ? 1 : 0;
	buf_init(&target, 4096);
	source_batch_target(s->table, h->opt.base, &target);
	MUST_MEMORY(target.error == 0);
	req.target = buf_str(&target);
	c->job = fetch_start(h->fetch, &req, on_answer, c);
	buf_fini(&target);
}

static void
call_send(struct call *c)
{

	if (c->measured)
		harvest_form_sent(c->series->choice, c->form);
	if (c->n > 1)
		send_batch(c);
	else
		send_one(c);
}

/* The next window; NULL: there is none now. */
static struct ask *
take(struct harvest_series *s, enum harvest_form form)
{
	struct sched_request q;
	struct group *g;
	int64_t newest;

	if ((g = harvest_series_newest(s, &newest)) == NULL)
		return (NULL);
	sched_alone(g->sched, form == HARVEST_SET ? 0 :
	    form == HARVEST_ONE ? 1 : harvest_form_most(s->choice));
	MUST(sched_next(g->sched, &q) == 1);
	s->turn = ((uint32_t)(g - s->groups) + 1) % s->ngroups;
	return (harvest_ask_new(g, &q));
}

/* Nothing is gained by asking for it together with others, or by trying. */
static bool
is_apart(const struct ask *k)
{
	const struct harvest_series *s = k->group->series;
	bool apart = k->q.full;
	uint32_t i;

	for (i = 0; i < k->q.n; i++)
		apart |= s->streams[k->q.ids[i]].apart;
	return (apart);
}

static void
batch_add(struct call *c, struct ask *k)
{
	struct harvest *h = c->series->h;
	struct buf url;

	buf_init(&url, 1 << 20);
	buf_puts(&url, h->origin);
	harvest_ask_target(k, &url);
	source_batch_add(c->series->table, c->n, buf_str(&url), &c->body);
	buf_fini(&url);
	call_add(c, k);
}

static void
send_apart(struct harvest_series *s, struct ask *k)
{
	struct call *c = call_new(s, HARVEST_ONE);

	call_add(c, k);
	call_send(c);
}

/* More windows, while they fit into one answer. One that does not goes by
 * itself. */
static void
batch_fill(struct call *c)
{
	struct harvest_series *s = c->series;
	const struct harvest_options *o = &s->h->opt;
	struct ask *k;

	while (c->n < harvest_form_most(s->choice) &&
	    c->items < o->target_items && c->body.len < BODY_BYTES &&
	    (k = take(s, HARVEST_BATCH)) != NULL) {
		if (is_apart(k) || c->count + (uint64_t)k->q.n *
		    k->q.max_count > o->item_cap) {
			send_apart(s, k);
			break;
		}
		batch_add(c, k);
	}
}

void
harvest_call_start(struct harvest_series *s)
{
	enum harvest_form form;
	struct call *c;
	struct ask *k;
	int64_t b;

	form = harvest_form_next(s->choice, unix_s(s->h));
	k = take(s, form);
	MUST(k != NULL);
	if (is_apart(k)) {
		send_apart(s, k);
		return;
	}
	c = call_new(s, form);
	if (form == HARVEST_BATCH) {
		source_batch_begin(&c->body);
		batch_add(c, k);
		batch_fill(c);
	} else
		call_add(c, k);
	/* One alone, because there is no other, tells nothing of a form that
	 * is for many; nor does a set of that for one. */
	c->measured = form == HARVEST_ONE ? k->q.n == 1 :
	    k->q.n > 1 || c->n > 1 || harvest_series_newest(s, &b) != NULL;
	call_send(c);
}
