/*
 * The server's cap of items a call. It is learnt from a refused request and
 * noted with the other notes of a run.
 */

#include "config.h"

#include <stdio.h>

#include "base/text.h"
#include "harvest/harvest_int.h"

#define CAP_NOTE "cap.items"

void
harvest_cap_learn(struct harvest *h, uint32_t cap)
{

	if (cap < h->opt.item_cap)
		h->opt.item_cap = h->cap_learnt = cap;
}

int
harvest_cap_note(struct ledger_txn *txn, uint32_t cap, struct err *e)
{
	char text[16];

	(void)snprintf(text, sizeof(text), "%u", cap);
	return (ledger_note_put(txn, CAP_NOTE, text, e));
}

int
harvest_cap_recall(struct harvest *h, struct err *e)
{
	struct ledger_txn *txn;
	uint64_t cap;
	char text[32];
	int rc;

	if ((rc = ledger_read_begin(h->ledger, &txn, e)) != 0)
		return (rc);
	rc = ledger_note_get(txn, CAP_NOTE, text, sizeof(text), NULL);
	ledger_read_end(txn);
	/* What cannot be read is learnt anew. */
	if (rc == 0 && text_u64(text, 1, UINT32_MAX, &cap) == 0 &&
	    cap < h->opt.item_cap)
		h->opt.item_cap = (uint32_t)cap;
	return (0);
}

static int
forget(struct ledger_txn *txn, void *cookie, struct err *e)
{

	(void)cookie;
	return (harvest_cap_note(txn, 0, e));
}

int
harvest_cap_forget(struct harvest *h, struct err *e)
{

	return (ledger_write(h->ledger, forget, NULL, e));
}
