/*
 * What a batch proves, as the records of its cover block: an object's
 * windows that touch become one. Those of which the ledger knows that they,
 * or a part of them, were covered before replace what was read then: what
 * the source has deleted since is known by that alone. Runs on a worker.
 */

#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "base/base_limits.h"
#include "base/must.h"
#include "base/ticks.h"
#include "harvest/harvest_int.h"

static int
by_object(const void *a, const void *b)
{
	const struct harvest_cover *x = a, *y = b;

	if (x->id != y->id)
		return (x->id < y->id ? -1 : 1);
	if (x->a != y->a)
		return (x->a < y->a ? -1 : 1);
	return (x->b < y->b ? -1 : x->b > y->b);
}

/* Sorts the batch's covers; *n records in the array returned. */
static struct journal_cover *
merge(struct harvest_batch *b, uint64_t *keys, size_t *n)
{
	const struct harvest_cover *c;
	struct journal_cover *out, *last = NULL;
	size_t i;

	if (b->ncovers > 0)
		qsort(b->covers, b->ncovers, sizeof(b->covers[0]), by_object);
	out = must_calloc(b->ncovers + 1, sizeof(out[0]));
	*n = 0;
	*keys = 0;
	for (i = 0; i < b->ncovers; i++) {
		c = &b->covers[i];
		if (c->a >= c->b)
			continue;	/* tells of a failure only */
		if (last == NULL || last->object != c->id)
			*keys += c->key;
		if (last != NULL && last->object == c->id && c->a <= last->b) {
			if (c->b > last->b)
				last->b = c->b;
			last->rows += c->values;
			continue;
		}
		last = &out[(*n)++];
		last->object = c->id;
		last->rows = c->values;
		last->since = c->since;
		last->a = c->a;
		last->b = c->b;
	}
	return (out);
}

static bool
overlaps(const struct ranges *r, int64_t a, int64_t b)
{
	size_t i;

	for (i = 0; i < r->n; i++)
		if (r->r[i].a < b && a < r->r[i].b)
			return (true);
	return (false);
}

/* The ledger is that before this batch: a writer has one in flight. */
static int
mark_again(const struct harvest_writer *w, struct journal_cover *c, size_t n,
    struct err *e)
{
	struct ledger_stream s;
	struct ledger_txn *txn;
	size_t i;
	int rc;

	if ((rc = ledger_read_begin(w->h->ledger, &txn, e)) != 0)
		return (rc);
	ledger_stream_init(&s);
	for (i = 0; i < n && rc == 0; i++) {
		if (i == 0 || c[i].object != c[i - 1].object)
			rc = ledger_stream_get(txn, w->table->name,
			    c[i].object, &s, e);
		c[i].replaces = rc == 0 &&
		    overlaps(&s.covered, c[i].a, c[i].b);
	}
	ledger_stream_fini(&s);
	ledger_read_end(txn);
	return (rc);
}

int
harvest_cover_write(struct harvest_writer *w, struct harvest_batch *b,
    struct journal_block *k, struct err *e)
{
	struct journal_cover *records;
	struct journal_batch batch;
	size_t n;
	int rc = 0;

	memset(&batch, 0, sizeof(batch));
	batch.blocks = b->blocks;
	batch.requests = (uint32_t)b->requests;
	batch.walk = w->snapshot;
	if (w->snapshot) {
		records = must_calloc(1, sizeof(records[0]));
		records->rows = (uint32_t)b->nrows;
		records->a = records->b = records->since = TICKS_NONE;
		n = 1;
	} else {
		records = merge(b, &batch.keys, &n);
	}
	if (b->again)
		rc = mark_again(w, records, n, e);
	if (rc == 0 && n > 0)
		rc = journal_writer_cover(w->journal, k, &batch, records, n,
		    e);
	free(records);
	return (rc);
}

void
harvest_cover_hull(const struct rows *r, int col, struct journal_block *k)
{
	int64_t first = INT64_MAX, last = INT64_MIN, t;
	const struct rows_vec *v;
	bool any = false;
	uint32_t i;

	k->first_tick = k->last_tick = TICKS_NONE;
	if (col < 0)
		return;
	v = &r->v[col];
	for (i = 0; i < r->n; i++) {
		if (!v->valid[i])
			continue;
		any = true;
		t = v->i64[i];
		first = t < first ? t : first;
		last = t > last ? t : last;
	}
	if (any) {
		k->first_tick = first;
		k->last_tick = last;
	}
}
