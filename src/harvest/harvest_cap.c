/*
 * The server's caps of items a call and of a URL's length. They are learnt
 * from refused requests and noted with the other notes of a run.
 */

#include "config.h"

#include <stdio.h>

#include "base/text.h"
#include "harvest/harvest_int.h"

#define ITEMS_NOTE "cap.items"
#define URL_NOTE "cap.url"

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

int
harvest_cap_recall(struct harvest *h, struct err *e)
{
	struct ledger_txn *txn;
	int rc;

	if ((rc = ledger_read_begin(h->ledger, &txn, e)) != 0)
		return (rc);
	recall(txn, ITEMS_NOTE, &h->opt.item_cap);
	recall(txn, URL_NOTE, &h->opt.url_max);
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
	return (note(txn, URL_NOTE, 0, e));
}

int
harvest_cap_forget(struct harvest *h, struct err *e)
{

	return (ledger_write(h->ledger, forget, NULL, e));
}
