/*
 * Reconciliation, what the server says: the windows of one time are asked
 * for together where the table has sets, so many that neither the target nor
 * what is expected of the answer gets too large. A set is believed when it
 * cannot have been cut, by what its count means for each stream or for all;
 * the windows of which that is not so, or that were left out or refused, and
 * all of a set that could not be had, are asked for one by one. So what is
 * told of a window is always what the server said of it alone, or in full.
 *
 * An answer about one stream that is cut proves its window up to its last
 * time; the rest becomes a window of its own.
 */

#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/must.h"
#include "harvest/harvest_reconcile_int.h"
#include "loop/loop.h"

#define ASK_MAGIC 0x7265636fu

struct ask {
	uint32_t magic;
	struct rec *rec;
	struct ask *next, *prev;
	struct fetch_job *job;
	uint32_t n, max_count;
	struct window **w;		/* [n] */
	struct source_stream *streams;	/* [n] */
	const struct source_stream **list;	/* [n], to those */
	struct source_page *pages;	/* [n] */
};

/* --- requests ------------------------------------------------------------ */

static struct ask *
ask_new(struct rec *r, struct window *const *w, uint32_t n)
{
	struct ask *k = must_calloc(1, sizeof(*k));
	uint32_t i;

	k->magic = ASK_MAGIC;
	k->rec = r;
	k->n = n;
	k->max_count = r->h->opt.item_cap / n;
	k->w = must_calloc(n, sizeof(k->w[0]));
	k->streams = must_calloc(n, sizeof(k->streams[0]));
	k->list = must_calloc(n, sizeof(k->list[0]));
	k->pages = must_calloc(n, sizeof(k->pages[0]));
	for (i = 0; i < n; i++) {
		k->w[i] = w[i];
		k->streams[i].key = w[i]->key;
		k->streams[i].name = w[i]->name;
		k->list[i] = &k->streams[i];
	}
	k->next = r->asks;
	if (r->asks != NULL)
		r->asks->prev = k;
	r->asks = k;
	return (k);
}

static void
ask_free(struct ask *k)
{

	if (k->next != NULL)
		k->next->prev = k->prev;
	if (k->prev != NULL)
		k->prev->next = k->next;
	else
		k->rec->asks = k->next;
	k->magic = 0;
	free(k->pages);
	free(k->list);
	free(k->streams);
	free(k->w);
	free(k);
}

static void
ask_alone(struct rec *r, struct window *w)
{

	w->next_alone = r->alone;
	r->alone = w;
}

/* A set that did not bring what it should. Nothing of the next ones changes
 * when the server says in its own words that a stream is guilty; they are
 * smaller when it was too much; and there are none when it was something
 * else, which could make the breaker hold back all. */
static void
set_failed(struct ask *k, const struct fetch_answer *a, bool capped)
{
	bool refused = harvest_refused(a->err.code) ||
	    a->err.code == ERR_REQUEST;
	uint32_t i;

	if (k->n > 1 && !(refused && a->json && !capped))
		k->rec->set_max = refused ? k->n / 2 : 1;
	for (i = 0; i < k->n; i++)
		ask_alone(k->rec, k->w[i]);
}

/* --- answers ------------------------------------------------------------- */

static void
failed(struct window *w, const struct err *e)
{

	w->code = e->code;
	w->text = must_strdup(e->text);
}

/* Rows of [from, from + n) before `cut`: they ascend in time. */
static uint32_t
rows_before(const struct rows *r, uint32_t col, uint32_t from, uint32_t n,
    int64_t cut)
{

	while (n > 0 && r->v[col].i64[from + n - 1] >= cut)
		n--;
	return (n);
}

static void
take_rows(struct rec *r, struct window *w, const struct source_page *p)
{
	uint32_t n;

	n = rows_before(r->rows, (uint32_t)r->table->cursor, p->row_from,
	    p->row_n, w->b);
	w->theirs = n;
	w->theirs_digest = rows_digest(r->rows, p->row_from, n);
}

/* All that came of it is whole up to its last time. */
static int
cut_window(struct rec *r, struct window *w, const struct source_page *p,
    struct err *e)
{

	if (p->last <= w->a)
		return (err_set(e, ERR_LIMIT, "more events at one time than "
		    "the server gives at once"));
	ask_alone(r, harvest_reconcile_window(r, w->id, w->key, w->name,
	    p->last, w->b));
	w->b = p->last;
	return (0);
}

static int
take_one(struct ask *k, struct err *e)
{
	const struct source_page *p = &k->pages[0];
	int rc;

	if (p->code != 0)
		return (err_set(e, p->code, "%s", p->text));
	if (!p->present)
		return (err_set(e, ERR_ANSWER, "the answer left it out"));
	if (p->n >= k->max_count &&
	    (rc = cut_window(k->rec, k->w[0], p, e)) != 0)
		return (rc);
	take_rows(k->rec, k->w[0], p);
	return (0);
}

static void
take_set(struct ask *k)
{
	const struct source_page *p = k->pages;
	uint64_t total = 0;
	uint32_t i;

	for (i = 0; i < k->n; i++)
		total += p[i].n;
	for (i = 0; i < k->n; i++)
		if (p[i].code != 0 || !p[i].present ||
		    total >= k->max_count)
			ask_alone(k->rec, k->w[i]);
		else
			take_rows(k->rec, k->w[i], &p[i]);
}

static int
take(struct ask *k, struct fetch_answer *a)
{
	struct rec *r = k->rec;
	int rc;

	rows_clear(r->rows);
	rc = source_series_decode(r->table, k->list, k->n, k->w[0]->a,
	    k->w[0]->b, a->body, a->len, r->rows, k->pages, &a->err);
	if (rc != 0)
		return (rc);
	if (k->n == 1)
		return (take_one(k, &a->err));
	take_set(k);
	return (0);
}

/* The server gives fewer items a call than were asked for. */
static bool
learn_cap(struct ask *k, const struct fetch_answer *a)
{
	uint32_t cap = source_cap_from_text(a->err.text);
	struct harvest *h = k->rec->h;

	if (a->err.code != ERR_REQUEST || cap == 0 || cap >= k->max_count)
		return (false);
	if (cap < h->opt.item_cap)
		h->opt.item_cap = cap;
	return (true);
}

static void ask_more(struct rec *);

static void
on_answer(void *cookie, struct fetch_answer *a)
{
	struct ask *k = cookie;
	bool capped = false;
	struct rec *r;

	MAGIC_CHECK(k, ASK_MAGIC);
	r = k->rec;
	k->job = NULL;
	if (a->err.code == 0)
		(void)take(k, a);
	if (a->err.code == 0)
		harvest_good(r->h);
	else if (a->err.code == ERR_AUTH || a->err.code == ERR_TLS ||
	    a->err.code == ERR_CONFIG)
		harvest_fail(r->h, &a->err);
	else if ((capped = learn_cap(k, a)) || k->n > 1)
		set_failed(k, a, capped);
	else {
		if (!harvest_refused(a->err.code))
			harvest_bad(r->h, &a->err);
		failed(k->w[0], &a->err);
	}
	ask_free(k);
	ask_more(r);
}

/* --- asking -------------------------------------------------------------- */

static void
ask(struct rec *r, struct window *const *w, uint32_t n)
{
	struct harvest *h = r->h;
	struct fetch_request q = { .method = "GET",
	    .class = HARVEST_ASKS_SERIES };
	struct ask *k = ask_new(r, w, n);
	struct buf target;

	buf_init(&target, 1 << 20);
	source_series_target(r->table, h->opt.base, k->list, n, w[0]->a,
	    w[0]->b, k->max_count, &target);
	MUST_MEMORY(target.error == 0);
	q.target = buf_str(&target);
	k->job = fetch_start(h->fetch, &q, on_answer, k);
	buf_fini(&target);
}

/* How many of the windows that come next make one request: twice what is
 * expected of all of them is less than may come of one. */
static uint32_t
set_of(const struct rec *r)
{
	const struct harvest_options *o = &r->h->opt;
	struct window *const *w = &r->w[r->asked];
	uint64_t len = source_series_base_len(r->table, o->base);
	uint32_t n, left = (uint32_t)(r->planned - r->asked);
	double sum = 0;

	for (n = 0; n < left && n < r->set_max; n++) {
		struct source_stream s = { .key = w[n]->key,
		    .name = w[n]->name };

		len += source_stream_len(r->table, &s);
		sum += w[n]->expected;
		if (w[n]->a != w[0]->a || w[n]->b != w[0]->b ||
		    len > o->url_max || sum > o->target_items ||
		    2 * sum * (n + 1) > (double)o->item_cap)
			break;
	}
	return (n > 0 ? n : 1);
}

static void
ask_more(struct rec *r)
{
	struct harvest *h = r->h;
	struct window *w;
	bool ends = h->stopping || h->fatal.code != 0;
	uint32_t n;

	while (!ends && (r->alone != NULL || r->asked < r->planned) &&
	    fetch_room(h->fetch) > 0) {
		if ((w = r->alone) != NULL) {
			r->alone = w->next_alone;
			ask(r, &w, 1);
			continue;
		}
		n = set_of(r);
		ask(r, &r->w[r->asked], n);
		r->asked += n;
	}
	if (ends || (r->asks == NULL && r->alone == NULL &&
	    r->asked == r->planned))
		loop_stop(h->loop);
}

static void
first(void *cookie)
{

	ask_more(cookie);
}

/* Those of one time stand together. */
static int
by_time(const void *a, const void *b)
{
	const struct window *x = *(struct window *const *)a;
	const struct window *y = *(struct window *const *)b;

	if (x->a != y->a)
		return (x->a < y->a ? -1 : 1);
	if (x->b != y->b)
		return (x->b < y->b ? -1 : 1);
	return (x->id < y->id ? -1 : x->id > y->id);
}

int
harvest_reconcile_theirs(struct rec *r, struct err *e)
{
	struct harvest *h = r->h;

	r->planned = r->n;
	if (r->n > 1)
		qsort(r->w, r->n, sizeof(r->w[0]), by_time);
	loop_defer(h->loop, first, r);
	while (!h->stopping && h->fatal.code == 0 &&
	    (r->asks != NULL || r->alone != NULL || r->asked < r->planned))
		loop_run(h->loop);
	while (r->asks != NULL) {
		fetch_cancel(r->asks->job);
		ask_free(r->asks);
	}
	return (harvest_reconcile_end(h, e));
}
