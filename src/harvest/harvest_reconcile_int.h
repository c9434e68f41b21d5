#ifndef HARVEST_HARVEST_RECONCILE_INT_H
#define HARVEST_HARVEST_RECONCILE_INT_H

/* What the two files of the reconciliation of series share. */

#include "harvest/harvest_int.h"

struct arena;
struct ask;

struct window {
	const char *key, *name;		/* in the arena of the chunk */
	uint32_t id;			/* of the object */
	int64_t a, b;
	double expected;		/* events */
	struct window *next_alone;	/* to be asked */
	bool older;			/* ours has rows of an older schema,
					 * whose content is not compared */
	uint64_t ours, ours_digest;
	uint64_t theirs, theirs_digest;
	int code;
	char *text;			/* of code */
};

/* An event of the journal. */
struct event {
	uint32_t window;
	int32_t ordinal;
	int64_t at;
	uint64_t order;			/* of ingestion */
	uint64_t digest;
};

/* A range that was read again, in a window: what is older does not count. */
struct again {
	uint32_t window;
	int64_t a, b;
	uint64_t order;			/* of the batch's first event */
};

struct rec {
	struct harvest *h;
	struct harvest_reconcile *o;
	const struct source_table *table;
	/* the plan: where to go on */
	struct ledger_txn *txn;
	struct err *err;
	uint32_t next_id;
	int64_t next_a;			/* of next_id; TICKS_NONE: its begin */
	uint32_t group;
	/* the chunk */
	struct arena *arena;
	struct window **w;		/* by key, then a, once planned */
	size_t n, cap;
	double expected;
	size_t planned, asked;		/* of w; next of them to ask */
	uint32_t set_max;		/* windows of a request */
	struct window *alone;		/* to be asked one by one */
	struct ask *asks;		/* in flight */
	struct rows *rows;		/* of an answer */
	/* the journal's part */
	struct event *events;
	size_t nevents, events_cap;
	struct again *again;
	size_t nagain, again_cap;
	uint64_t batch_order;		/* of the batch being read */
	uint8_t batch_id[JOURNAL_BATCH_ID];
	uint32_t batch_blocks;
	uint32_t *by_id;		/* [n] of w, by id, then a */
};

struct window *harvest_reconcile_window(struct rec *, uint32_t id,
    const char *key, const char *name, int64_t a, int64_t b);
/* Asks for all windows; what an answer was cut of becomes another window. */
int harvest_reconcile_theirs(struct rec *, struct err *);

#endif
