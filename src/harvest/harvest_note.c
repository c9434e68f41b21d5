/*
 * What the exchange with the server was like, noted in the ledger as a line
 * of JSON for those who look from outside (garner status): every few
 * seconds, when a breaker changes, and at the end. Written by a worker, one
 * note at a time.
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

#define NOTE_EVERY_US 5000000
#define NOTE_BYTES 4000

struct note_task {
	struct harvest *h;
	char text[NOTE_BYTES];
	struct harvest_caps caps;
	struct harvest_choice_text *choices;
};

static void
put_hist(struct buf *b, const char *name, const struct hist *h, double unit)
{

	buf_printf(b, ",\"%s\":{\"n\":%llu,\"p50\":%.3g,\"p90\":%.3g,"
	    "\"p99\":%.3g,\"max\":%.3g}", name, (unsigned long long)h->n,
	    (double)hist_quantile(h, 0.5) / unit,
	    (double)hist_quantile(h, 0.9) / unit,
	    (double)hist_quantile(h, 0.99) / unit, (double)h->max / unit);
}

static void
put_breakers(struct buf *b, const struct pace_state *p)
{
	static const char *const names[] = {
		[HARVEST_ASKS_SINGLE] = "single",
		[HARVEST_ASKS_WALK] = "walk",
		[HARVEST_ASKS_SERIES] = "series",
	};
	size_t i;

	buf_printf(b, ",\"breaker\":{\"origin\":\"%s\"",
	    pace_breaker_name(p->origin));
	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		buf_printf(b, ",\"%s\":\"%s\"", names[i],
		    pace_breaker_name(p->classes[i]));
	buf_printf(b, ",\"opened\":%llu}", (unsigned long long)p->opened);
}

static void
put_note(const struct harvest *h, bool running, struct buf *b)
{
	const struct fetch_hists *x = fetch_hists(h->fetch);
	char at[TICKS_TEXT_MAX];
	struct fetch_stats s;
	struct pace_spent spent;
	struct pace_state p;
	unsigned i;

	fetch_stats(h->fetch, &s);
	fetch_pace(h->fetch, &p);
	buf_printf(b, "{\"at\":\"%s\",\"running\":%s,\"requests\":%llu,"
	    "\"retries\":%llu,\"failed\":%llu,\"in_flight\":%u,"
	    "\"limit\":%u,\"ceiling\":%u,\"rate_limit\":%.6g,"
	    "\"limit_cut\":%llu,\"connects\":%llu,\"wire_bytes\":%llu",
	    ticks_text7(h->sys->now_ticks(h->sys->cookie), at),
	    running ? "true" : "false", (unsigned long long)s.requests,
	    (unsigned long long)s.retries, (unsigned long long)s.failed,
	    s.in_flight, p.limit, p.ceiling, p.rate,
	    (unsigned long long)p.slowed, (unsigned long long)s.connects,
	    (unsigned long long)s.wire_bytes);
	put_breakers(b, &p);
	harvest_budget_spent(h, &spent);
	buf_printf(b, ",\"spent\":{\"hour\":%llu,\"day\":%llu}",
	    (unsigned long long)spent.hour.used,
	    (unsigned long long)spent.day.used);
	buf_puts(b, ",\"ended\":{");
	for (i = 0; i < FETCH_END_CLASSES; i++)
		buf_printf(b, "%s\"%s\":%llu", i > 0 ? "," : "",
		    fetch_class_name((enum fetch_class)i),
		    (unsigned long long)s.by_class[i]);
	buf_u8(b, '}');
	put_hist(b, "connect_ms", &x->connect_us, 1000);
	put_hist(b, "first_byte_ms", &x->first_byte_us, 1000);
	put_hist(b, "total_ms", &x->total_us, 1000);
	put_hist(b, "body_bytes", &x->body_bytes, 1);
	buf_u8(b, '}');
}

static struct note_task *
task_new(struct harvest *h, bool running)
{
	struct note_task *t = must_calloc(1, sizeof(*t));
	struct buf b;

	t->h = h;
	t->caps = h->learnt;
	t->choices = harvest_choice_texts(h);
	buf_init(&b, NOTE_BYTES - 1);
	put_note(h, running, &b);
	MUST_MEMORY(b.error == 0);
	memcpy(t->text, buf_str(&b), b.len + 1);
	buf_fini(&b);
	return (t);
}

static int
write_note(struct ledger_txn *txn, void *cookie, struct err *e)
{
	const struct note_task *t = cookie;
	int rc;

	rc = ledger_note_put(txn, HARVEST_NOTE, t->text, e);
	if (rc == 0)
		rc = harvest_cap_note(txn, &t->caps, e);
	if (rc == 0)
		rc = harvest_choice_note(txn, t->choices, e);
	return (rc);
}

/* What cannot be noted is not worth ending a run for. */
static void
note_work(void *cookie)
{
	struct note_task *t = cookie;

	(void)ledger_write(t->h->ledger, write_note, t, NULL);
}

static void
note_done(void *cookie)
{
	struct note_task *t = cookie;

	t->h->noting = false;
	harvest_poke(t->h);
	harvest_choice_texts_free(t->choices);
	free(t);
}

static void
note(struct harvest *h, bool running)
{

	h->noting = true;
	loop_work(h->loop, HARVEST_NOTE_LANE, note_work, note_done,
	    task_new(h, running));
}

void
harvest_note_tick(struct harvest *h)
{
	int64_t now_us = loop_now_us(h->loop);
	struct pace_state p;

	fetch_pace(h->fetch, &p);
	if (h->noting || h->draining || (p.opened == h->noted_opened &&
	    now_us - h->noted_us < NOTE_EVERY_US))
		return;
	h->noted_us = now_us;
	h->noted_opened = p.opened;
	note(h, true);
}

void
harvest_note_end(struct harvest *h)
{

	harvest_wait(h, &h->noting);
	note(h, false);
	harvest_wait(h, &h->noting);
}
