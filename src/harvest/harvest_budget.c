/*
 * Budgets and quotas outlive a process: what was spent of them stands in a
 * note of the ledger, is loaded at the start, and added to by a worker every
 * second in which something was asked, and at the end. Several processes
 * add to one sum, and each learns from it what the others have spent: a
 * budget may be overrun by what they all ask within a second, and a kill
 * forgets no more than that of one.
 *
 *	{"origin":"https://h","hour":[483984,20],"day":[20166,20],
 *	 "quotas":[[0,1772366400],..]}
 *
 * hour, day: number, requests; quotas: requests left, until (Unix seconds).
 * What cannot be read, or is of another origin, is begun anew.
 */

#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/must.h"
#include "codec/json.h"
#include "harvest/harvest_int.h"
#include "loop/loop.h"

#define BUDGET_NOTE "budget"
#define BUDGET_EVERY_US 1000000
#define BUDGET_BYTES 4000

struct budget_task {
	struct harvest *h;
	struct pace_spent from, to;	/* what is to be added */
	struct pace_spent sum;		/* what stands there then */
};

/* --- as text ------------------------------------------------------------- */

static void
put_spent(struct buf *b, const char *origin, const struct pace_spent *s)
{
	unsigned i;

	buf_puts(b, "{\"origin\":");
	json_put_str(b, origin, strlen(origin));
	buf_printf(b, ",\"hour\":[%lld,%llu],\"day\":[%lld,%llu],"
	    "\"quotas\":[", (long long)s->hour.number,
	    (unsigned long long)s->hour.used, (long long)s->day.number,
	    (unsigned long long)s->day.used);
	for (i = 0; i < PACE_QUOTAS; i++)
		buf_printf(b, "%s[%llu,%lld]", i > 0 ? "," : "",
		    (unsigned long long)s->quotas[i].left,
		    (long long)s->quotas[i].until_s);
	buf_puts(b, "]}");
}

static int64_t
number_at(yyjson_val *list, size_t i)
{
	return (yyjson_get_sint(yyjson_arr_get(list, i)));
}

static void
take_span(yyjson_val *v, struct pace_span *s)
{
	s->number = number_at(v, 0);
	s->used = number_at(v, 1) > 0 ? (uint64_t)number_at(v, 1) : 0;
}

static void
take_spent(yyjson_val *root, struct pace_spent *s)
{
	yyjson_val *q = yyjson_obj_get(root, "quotas"), *one;
	size_t i;

	take_span(yyjson_obj_get(root, "hour"), &s->hour);
	take_span(yyjson_obj_get(root, "day"), &s->day);
	for (i = 0; i < PACE_QUOTAS; i++) {
		one = yyjson_arr_get(q, i);
		if (number_at(one, 0) >= 0)
			s->quotas[i].left = (uint64_t)number_at(one, 0);
		s->quotas[i].until_s = number_at(one, 1);
	}
}

/* What the ledger says; nothing spent when it says nothing of this origin. */
static void
get_spent(struct ledger_txn *txn, const char *origin, struct pace_spent *s)
{
	char text[BUDGET_BYTES];
	yyjson_doc *doc = NULL;
	const char *of;

	*s = (struct pace_spent){ .hour = { INT64_MIN, 0 },
	    .day = { INT64_MIN, 0 } };
	if (ledger_note_get(txn, BUDGET_NOTE, text, sizeof(text), NULL) != 0)
		return;
	if (json_parse(text, strlen(text), &doc, NULL) == 0) {
		of = json_str(yyjson_doc_get_root(doc), "origin");
		if (of != NULL && strcmp(of, origin) == 0)
			take_spent(yyjson_doc_get_root(doc), s);
	}
	yyjson_doc_free(doc);
}

/* --- in the ledger ------------------------------------------------------- */

static int
write_spent(struct ledger_txn *txn, void *cookie, struct err *e)
{
	struct budget_task *t = cookie;
	const char *origin = t->h->budget.origin;
	struct buf b;
	int rc;

	get_spent(txn, origin, &t->sum);
	pace_add_spent(&t->sum, &t->from, &t->to);
	buf_init(&b, BUDGET_BYTES - 1);
	put_spent(&b, origin, &t->sum);
	MUST_MEMORY(b.error == 0);
	rc = ledger_note_put(txn, BUDGET_NOTE, buf_str(&b), e);
	buf_fini(&b);
	return (rc);
}

/* What cannot be noted is not worth ending a run for: it is tried again. */
static void
budget_work(void *cookie)
{
	struct budget_task *t = cookie;

	if (ledger_write(t->h->ledger, write_spent, t, NULL) != 0)
		t->sum = t->to = t->from;
}

/* The sum is what is known now, and what was spent while it was written
 * comes on top. */
static void
budget_done(void *cookie)
{
	struct budget_task *t = cookie;
	struct harvest *h = t->h;
	struct pace_spent now, all = t->sum;
	unsigned i;

	fetch_get_spent(h->fetch, &now);
	pace_add_spent(&all, &t->to, &now);
	for (i = 0; i < PACE_QUOTAS; i++)
		all.quotas[i].until_s = 0;	/* heard of since, or not */
	fetch_set_spent(h->fetch, &all);
	h->budget.noted = t->sum;
	memcpy(h->budget.noted.quotas, t->to.quotas, sizeof(t->to.quotas));
	h->budget.busy = false;
	harvest_poke(h);
	free(t);
}

static void
note_budget(struct harvest *h)
{
	struct budget_task *t = must_calloc(1, sizeof(*t));

	t->h = h;
	t->from = h->budget.noted;
	fetch_get_spent(h->fetch, &t->to);
	if (pace_same_spent(&t->from, &t->to)) {
		free(t);
		return;
	}
	h->budget.busy = true;
	h->budget.noted_us = loop_now_us(h->loop);
	loop_work(h->loop, HARVEST_NOTE_LANE, budget_work, budget_done, t);
}

/* --- a run's ------------------------------------------------------------- */

int
harvest_budget_begin(struct harvest *h, const struct fetch_options *o,
    struct err *e)
{
	struct ledger_txn *txn;
	struct pace_spent s;
	int rc;

	h->budget.kept = o->budget_hour > 0 || o->budget_day > 0 ||
	    o->quotas_n > 0;
	if (!h->budget.kept)
		return (0);
	if ((rc = ledger_read_begin(h->ledger, &txn, e)) != 0)
		return (rc);
	h->budget.origin = must_strdup(o->origin);
	get_spent(txn, o->origin, &s);
	ledger_read_end(txn);
	fetch_set_spent(h->fetch, &s);
	fetch_get_spent(h->fetch, &h->budget.noted);
	return (0);
}

void
harvest_budget_tick(struct harvest *h)
{
	if (h->budget.kept && !h->budget.busy && !h->draining &&
	    loop_now_us(h->loop) - h->budget.noted_us >= BUDGET_EVERY_US)
		note_budget(h);
}

void
harvest_budget_end(struct harvest *h)
{
	if (!h->budget.kept)
		return;
	harvest_wait(h, &h->budget.busy);
	note_budget(h);
	harvest_wait(h, &h->budget.busy);
}

void
harvest_budget_free(struct harvest *h)
{
	free(h->budget.origin);
}
