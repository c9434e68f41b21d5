/*
 * Batches: rows on their way to the journal, and what they prove. Those that
 * have gone are kept for the next ones of their table.
 */

#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "base/must.h"
#include "harvest/harvest_commit_int.h"
#include "sys/sys.h"

/* Batches kept for reuse, while they and the open ones have memory enough:
 * one that is made anew is moved again and again until it has grown. */
#define POOL_MAX 16

static struct harvest_batch *
batch_new(const struct source_table *t)
{
	struct harvest_batch *b;

	b = must_calloc(1, sizeof(*b));
	b->rows = rows_new(t->schema);
	return (b);
}

void
harvest_batch_free(struct harvest_batch *b)
{

	if (b == NULL)
		return;
	rows_free(b->rows);
	harvest_covers_clear(b);
	free(b->covers);
	free(b);
}

/* What the first blocks of a batch prove is held without rows. */
struct harvest_batch *
harvest_batch_hold(struct harvest_batch *b)
{
	struct harvest_batch *held = must_calloc(1, sizeof(*held));

	*held = *b;
	held->rows = NULL;
	b->covers = NULL;
	b->ncovers = b->covers_cap = 0;
	return (held);
}

/* The batch goes on with these rows: one more of its blocks. */
void
harvest_batch_join(struct harvest_batch *b, struct harvest_batch *held)
{
	struct harvest_batch all = *held;

	if (b->ncovers > 0) {
		if (all.covers_cap < all.ncovers + b->ncovers) {
			all.covers_cap = 2 * (all.ncovers + b->ncovers);
			all.covers = must_realloc(all.covers, all.covers_cap,
			    sizeof(all.covers[0]));
		}
		memcpy(all.covers + all.ncovers, b->covers,
		    b->ncovers * sizeof(all.covers[0]));
		all.ncovers += b->ncovers;
	}
	free(b->covers);
	all.rows = b->rows;
	all.requests += b->requests;
	all.again = all.again || b->again;
	*b = all;
	free(held);
}

/* From the pool, when it has one for this table. */
struct harvest_batch *
harvest_batch_take(struct harvest *h, const struct source_table *t)
{
	struct harvest_batch **p, *b;

	for (p = &h->pool; (b = *p) != NULL; p = &b->next) {
		if (b->rows->schema != t->schema)
			continue;
		*p = b->next;
		b->next = NULL;
		return (b);
	}
	return (batch_new(t));
}

size_t
harvest_bytes_of(const struct harvest_batch *b)
{

	if (b == NULL)
		return (0);
	return ((b->rows == NULL ? 0 : rows_bytes(b->rows)) +
	    b->covers_cap * sizeof(b->covers[0]));
}

bool
harvest_batch_empty(const struct harvest_batch *b)
{

	return (b == NULL || (b->rows->n == 0 && b->ncovers == 0 &&
	    b->requests == 0));
}

size_t
harvest_open_bytes(const struct harvest *h)
{
	const struct harvest_writer *w;
	size_t n = 0;

	for (w = h->writers; w != NULL; w = w->next)
		n += harvest_bytes_of(w->open);
	return (n);
}

void
harvest_batch_give_back(struct harvest *h, struct harvest_batch *b)
{
	size_t bytes = harvest_open_bytes(h) + harvest_bytes_of(b);
	const struct harvest_batch *p;
	unsigned n = 0;

	for (p = h->pool; p != NULL; p = p->next) {
		bytes += harvest_bytes_of(p);
		n++;
	}
	if (n >= POOL_MAX || bytes > h->opt.memory / 2) {
		harvest_batch_free(b);
		return;
	}
	rows_clear(b->rows);
	harvest_covers_clear(b);
	*b = (struct harvest_batch){ .next = h->pool, .rows = b->rows,
	    .covers = b->covers, .covers_cap = b->covers_cap };
	h->pool = b;
}

void
harvest_batch_name(const struct harvest *h, struct harvest_batch *b)
{
	uint64_t r;
	size_t i;

	for (i = 0; i < sizeof(b->id); i += sizeof(r)) {
		r = h->sys->random(h->sys->cookie);
		memcpy(b->id + i, &r, sizeof(r));
	}
}

struct harvest_batch *
harvest_batch_open(struct harvest_writer *w)
{

	if (w->open == NULL)
		w->open = harvest_batch_take(w->h, w->table);
	return (w->open);
}

struct rows *
harvest_open_rows(struct harvest_writer *w)
{

	return (harvest_batch_open(w)->rows);
}

void
harvest_cover_again(struct harvest_writer *w)
{

	harvest_batch_open(w)->again = true;
}

void
harvest_cover_add(struct harvest_writer *w, const struct harvest_cover *c)
{
	struct harvest_batch *b = harvest_batch_open(w);

	if (b->ncovers == b->covers_cap) {
		b->covers_cap = b->covers_cap == 0 ? 64 : b->covers_cap * 2;
		b->covers = must_realloc(b->covers, b->covers_cap,
		    sizeof(b->covers[0]));
	}
	b->covers[b->ncovers++] = *c;
}
