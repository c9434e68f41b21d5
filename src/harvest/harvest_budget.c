/*
 * Budgets and quotas outlive a process: what was spent of them stands in a
 * note of the ledger. Several processes have one budget: what one is about
 * to spend it claims there before, some seconds' worth at a time, by a
 * worker, and no request goes out that is not claimed. At its end a process
 * gives back what it did not need. One that is killed cannot: its claim, at
 * most that of the last seconds, counts as spent.
 *
 *	{"origin":"https://h","hour":[483984,20],"day":[20166,20],
 *	 "quotas":[[0,1772366400],..]}
 *
 * hour, day: number, requests claimed; quotas: requests left, until (Unix
 * seconds). What cannot be read, or is of another origin, is begun anew.
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
#define BUDGET_BYTES 4000
/* Looked at so often; noted, or found to be spent, so seldom. */
#define BUDGET_LOOK_US 50000
#define BUDGET_EVERY_US 1000000
/* A claim is to last between these, half of it. */
#define BUDGET_SHORT_US 500000
#define BUDGET_LONG_US 2000000
#define BUDGET_AHEAD_MIN 16u
#define BUDGET_AHEAD_MAX (1u << 20)

struct budget_task {
	struct harvest *h;
	struct pace_spent own;		/* when it began */
	struct pace_claims claims;	/* ours, before and after */
	struct pace_spent sum;		/* what stands there then */
	struct err err;
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
put_note(struct ledger_txn *txn, const struct budget_task *t, struct err *e)
{
	struct buf b;
	int rc;

	buf_init(&b, BUDGET_BYTES - 1);
	put_spent(&b, t->h->budget.origin, &t->sum);
	MUST_MEMORY(b.error == 0);
	rc = ledger_note_put(txn, BUDGET_NOTE, buf_str(&b), e);
	buf_fini(&b);
	return (rc);
}

/* May be run more than once: begins with what there was. */
static int
write_spent(struct ledger_txn *txn, void *cookie, struct err *e)
{
	struct budget_task *t = cookie;
	const struct harvest *h = t->h;
	bool changed;

	t->claims = h->budget.claims;
	get_spent(txn, h->budget.origin, &t->sum);
	changed = pace_claim(&h->budget.most, &t->sum, &t->claims, &t->own,
	    h->budget.ahead, h->budget.last);
	if (pace_add_quotas(&t->sum, &h->budget.noted, &t->own))
		changed = true;
	/* Nothing to commit, and no sync. */
	if (!changed)
		return (ERR_CANCELLED);
	return (put_note(txn, t, e));
}

/* What stays as it is while a worker has it: claims, ahead, last, noted. */
static void
budget_work(void *cookie)
{
	struct budget_task *t = cookie;
	int rc;

	rc = ledger_write(t->h->ledger, write_spent, t, &t->err);
	if (rc == 0 || rc == ERR_CANCELLED)
		t->err.code = 0;
}

static void
budget_take(struct harvest *h, const struct budget_task *t)
{

	h->budget.claims = t->claims;
	h->budget.sum = t->sum;
	h->budget.noted = t->own;
	h->budget.little = pace_granted(&h->budget.most, &t->claims,
	    &t->own) < h->budget.ahead;
	if (h->budget.most.hour > 0 || h->budget.most.day > 0)
		fetch_grant(h->fetch, &t->claims);
}

static bool
budget_dry(const struct harvest *h)
{

	return (h->budget.claims.hour_dry || h->budget.claims.day_dry);
}

/* Who can claim nothing cannot go on. */
static void
budget_failed(struct harvest *h, struct err *e)
{
	struct pace_spent own;

	fetch_get_spent(h->fetch, &own);
	if (e->code == ERR_BUSY || h->budget.last || pace_granted(
	    &h->budget.most, &h->budget.claims, &own) > 0)
		return;
	(void)err_wrap(e, "the budget of requests cannot be kept");
	harvest_fail(h, e);
}

static void
budget_done(void *cookie)
{
	struct budget_task *t = cookie;
	struct harvest *h = t->h;

	h->budget.busy = false;
	if (t->err.code != 0)
		budget_failed(h, &t->err);
	else
		budget_take(h, t);
	free(t);
	if (h->tick != NULL)
		harvest_poke(h);
	else
		loop_stop(h->loop);
}

static void
budget_start(struct harvest *h)
{
	struct budget_task *t = must_calloc(1, sizeof(*t));

	t->h = h;
	fetch_get_spent(h->fetch, &t->own);
	h->budget.busy = true;
	h->budget.claimed_us = loop_now_us(h->loop);
	loop_work(h->loop, HARVEST_NOTE_LANE, budget_work, budget_done, t);
}

/* --- when ---------------------------------------------------------------- */

/* A claim is to last about a second: a sync is not for nothing then, and a
 * kill does not take much. */
static void
budget_size(struct harvest *h, uint64_t left)
{
	int64_t lasted_us = loop_now_us(h->loop) - h->budget.claimed_us;
	uint64_t *n = &h->budget.ahead;

	if (h->budget.little)
		return;
	if ((left == 0 || lasted_us < BUDGET_SHORT_US) &&
	    *n < BUDGET_AHEAD_MAX)
		*n *= 2;
	else if (lasted_us > BUDGET_LONG_US && *n > BUDGET_AHEAD_MIN)
		*n /= 2;
}

static bool
budget_due(struct harvest *h, int64_t since_us)
{
	struct pace_spent own, sum = h->budget.sum;
	uint64_t left;

	fetch_get_spent(h->fetch, &own);
	left = pace_granted(&h->budget.most, &h->budget.claims, &own);
	if (!budget_dry(h) && (left == 0 ||
	    (left < h->budget.ahead / 2 && !h->budget.little))) {
		budget_size(h, left);
		return (true);
	}
	return (since_us >= BUDGET_EVERY_US && (budget_dry(h) ||
	    own.day.used != h->budget.noted.day.used ||
	    pace_add_quotas(&sum, &h->budget.noted, &own)));
}

static void
on_look(void *cookie)
{
	struct harvest *h = cookie;
	int64_t since_us = loop_now_us(h->loop) - h->budget.claimed_us;

	loop_timer_set(h->budget.timer, BUDGET_LOOK_US);
	if (!h->budget.busy && !(h->tick != NULL && h->draining) &&
	    budget_due(h, since_us))
		budget_start(h);
}

/* --- a run's ------------------------------------------------------------- */

int
harvest_budget_begin(struct harvest *h, const struct fetch_options *o,
    struct err *e)
{
	struct budget_task t = { .h = h };

	h->budget.kept = o->budget_hour > 0 || o->budget_day > 0 ||
	    o->quotas_n > 0;
	if (!h->budget.kept)
		return (0);
	h->budget.origin = must_strdup(o->origin);
	h->budget.most = (struct pace_budget){ o->budget_hour,
	    o->budget_day };
	h->budget.ahead = BUDGET_AHEAD_MIN;
	fetch_get_spent(h->fetch, &t.own);
	budget_work(&t);
	if (t.err.code != 0) {
		*e = t.err;
		free(h->budget.origin);
		return (t.err.code);
	}
	budget_take(h, &t);
	fetch_set_quotas(h->fetch, &t.sum);
	fetch_get_spent(h->fetch, &h->budget.noted);
	h->budget.claimed_us = loop_now_us(h->loop);
	h->budget.timer = loop_timer_new(h->loop, on_look, h);
	loop_timer_set(h->budget.timer, BUDGET_LOOK_US);
	return (0);
}

void
harvest_budget_end(struct harvest *h)
{
	if (!h->budget.kept)
		return;
	loop_timer_free(h->budget.timer);
	harvest_wait(h, &h->budget.busy);
	h->budget.last = true;
	budget_start(h);
	harvest_wait(h, &h->budget.busy);
}

void
harvest_budget_free(struct harvest *h)
{
	free(h->budget.origin);
}

/* Of the sum, what we claimed and did not send is not spent. */
static void
unclaim(struct pace_span *s, const struct pace_span *sum,
    const struct pace_span *mine)
{
	if (sum->number == s->number && mine->number == s->number &&
	    sum->used > mine->used)
		s->used += sum->used - mine->used;
}

void
harvest_budget_spent(const struct harvest *h, struct pace_spent *out)
{
	const struct pace_spent *sum = &h->budget.sum;

	fetch_get_spent(h->fetch, out);
	if (!h->budget.kept)
		return;
	unclaim(&out->hour, &sum->hour, &h->budget.claims.hour);
	unclaim(&out->day, &sum->day, &h->budget.claims.day);
}
