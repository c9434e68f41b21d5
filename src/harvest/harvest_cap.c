/*
 * The server's caps of items a call and of a URL's length, and whether it can
 * be asked for first values. They are learnt from refused requests and noted
 * with the other notes of a run.
 */

#include "config.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/text.h"
#include "base/ticks.h"
#include "harvest/harvest_int.h"
#include "sys/sys.h"

#define ITEMS_NOTE "cap.items"
#define URL_NOTE "cap.url"
#define NO_FIRST_NOTE "cap.no_first"

void
harvest_cap_learn(struct harvest *h, uint32_t cap)
{

	if (cap < h->opt.item_cap)
		h->opt.item_cap = h->learnt.items = cap;
}

void
harvest_cap_learn_url(struct harvest *h, uint32_t cap)
{

	if (cap < h->opt.url_max)
		h->opt.url_max = h->learnt.url = cap;
}

void
harvest_cap_learn_no_first(struct harvest *h)
{

	h->no_first = true;
	h->learnt.no_first = h->sys->now_ticks(h->sys->cookie);
}

static int
note_time(struct ledger_txn *txn, int64_t at, struct err *e)
{
	char text[32];

	(void)snprintf(text, sizeof(text), "%" PRId64, at);
	return (ledger_note_put(txn, NO_FIRST_NOTE, text, e));
}

static int
note(struct ledger_txn *txn, const char *name, uint32_t cap, struct err *e)
{
	char text[16];

	(void)snprintf(text, sizeof(text), "%u", cap);
	return (ledger_note_put(txn, name, text, e));
}

int
harvest_cap_note(struct ledger_txn *txn, const struct harvest_caps *caps,
    struct err *e)
{
	int rc = 0;

	if (caps->items > 0)
		rc = note(txn, ITEMS_NOTE, caps->items, e);
	if (rc == 0 && caps->url > 0)
		rc = note(txn, URL_NOTE, caps->url, e);
	if (rc == 0 && caps->no_first > 0)
		rc = note_time(txn, caps->no_first, e);
	return (rc);
}

/* What cannot be read is learnt anew. */
static void
recall(struct ledger_txn *txn, const char *name, uint32_t *cap)
{
	char text[32];
	uint64_t n;

	if (ledger_note_get(txn, name, text, sizeof(text), NULL) == 0 &&
	    text_u64(text, 1, UINT32_MAX, &n) == 0 && n < *cap)
		*cap = (uint32_t)n;
}

/* A time to come is that of a clock that was wrong. */
static bool
recall_no_first(const struct harvest *h, struct ledger_txn *txn)
{
	int64_t at, now = h->sys->now_ticks(h->sys->cookie);
	char text[32];

	return (ledger_note_get(txn, NO_FIRST_NOTE, text, sizeof(text),
	    NULL) == 0 && text_i64(text, 1, INT64_MAX, &at) == 0 &&
	    at <= now && now - at < TICKS_PER_DAY);
}

int
harvest_cap_recall(struct harvest *h, struct err *e)
{
	struct ledger_txn *txn;
	int rc;

	if ((rc = ledger_read_begin(h->ledger, &txn, e)) != 0)
		return (rc);
	recall(txn, ITEMS_NOTE, &h->opt.item_cap);
	recall(txn, URL_NOTE, &h->opt.url_max);
	h->no_first = recall_no_first(h, txn);
	ledger_read_end(txn);
	return (0);
}

static int
forget(struct ledger_txn *txn, void *cookie, struct err *e)
{
	int rc;

	(void)cookie;
	if ((rc = note(txn, ITEMS_NOTE, 0, e)) != 0)
		return (rc);
	if ((rc = note(txn, URL_NOTE, 0, e)) != 0)
		return (rc);
	return (note_time(txn, 0, e));
}

int
harvest_cap_forget(struct harvest *h, struct err *e)
{

	h->no_first = false;
	return (ledger_write(h->ledger, forget, NULL, e));
}
