/*
 * Frames that were open when they were last read. While one is open it
 * overlaps each window that is read, and so it does when it ends now: the
 * first window of a run lists it. One that is closed with an end long past,
 * by hand or by an analysis that was down, is in none of them any more, and
 * neither is one that was deleted: those are asked for by their beginning,
 * several together when no more time lies between them than is read again
 * by each run.
 */

#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "base/must.h"
#include "base/search.h"
#include "base/ticks.h"
#include "harvest/harvest_int.h"

struct harvest_open {
	size_t n;
	struct ledger_open *o;		/* by start, then key */
	bool *asked;			/* by its beginning, in this run */
	bool *listed;			/* scratch of one reading */
};

bool
harvest_open_can(const struct source_table *t)
{

	return (t->kind == SOURCE_FRAMES && t->began && t->open_end >= 0);
}

struct harvest_open *
harvest_open_new(const struct ledger_stream *s)
{
	struct harvest_open *k;

	k = must_calloc(1, sizeof(*k));
	k->n = s->nopen;
	k->o = must_calloc(k->n + 1, sizeof(k->o[0]));
	k->asked = must_calloc(k->n + 1, sizeof(k->asked[0]));
	k->listed = must_calloc(k->n + 1, sizeof(k->listed[0]));
	if (k->n > 0)
		memcpy(k->o, s->open, k->n * sizeof(k->o[0]));
	return (k);
}

void
harvest_open_free(struct harvest_open *k)
{

	if (k == NULL)
		return;
	free(k->o);
	free(k->asked);
	free(k->listed);
	free(k);
}

/* The frame of a row; false: it has no beginning. */
static bool
frame_of(const struct source_table *t, const struct rows *r, uint32_t i,
    struct ledger_open *o, bool *open)
{
	struct source_frame_row f;

	if (!source_frame_row_get(t, r, i, &f))
		return (false);
	o->start = f.start;
	o->key = f.key;
	*open = f.open;
	return (true);
}

static bool
begins_before(const void *item, const void *t)
{
	const struct ledger_open *o = item;

	return (o->start < *(const int64_t *)t);
}

/* The first that does not begin before t. */
static size_t
first_at(const struct harvest_open *k, int64_t t)
{

	return (search_first(k->o, k->n, sizeof(k->o[0]), begins_before, &t));
}

/* Its place, or n. */
static size_t
find(const struct harvest_open *k, const struct ledger_open *o)
{
	size_t i;

	for (i = first_at(k, o->start); i < k->n &&
	    k->o[i].start == o->start; i++)
		if (k->o[i].key == o->key)
			return (i);
	return (k->n);
}

/* --- what was learnt ----------------------------------------------------- */

static void
learn(struct harvest_opens *l, const struct ledger_open *o, bool open)
{

	if (l->n == l->cap) {
		l->cap = l->cap * 2 + 16;
		l->v = must_realloc(l->v, l->cap, sizeof(l->v[0]));
	}
	l->v[l->n].o = *o;
	l->v[l->n++].open = open;
}

void
harvest_opens_free(struct harvest_opens *l)
{

	if (l == NULL)
		return;
	free(l->v);
	free(l);
}

void
harvest_opens_learn(struct ledger_stream *s, const struct harvest_opens *l)
{
	size_t i;

	for (i = 0; l != NULL && i < l->n; i++)
		ledger_stream_open(s, &l->v[i].o, l->v[i].open);
}

/* --- a reading ----------------------------------------------------------- */

void
harvest_open_row(const struct harvest_open *k, const struct source_table *t,
    const struct rows *r, uint32_t i, struct harvest_opens *l)
{
	struct ledger_open o;
	size_t at;
	bool open;

	if (!frame_of(t, r, i, &o, &open))
		return;
	at = find(k, &o);
	if (at < k->n)
		k->listed[at] = true;
	/* Told although it is known: another answer of this run may have
	 * found it closed, and have come earlier. */
	if (open || at < k->n)
		learn(l, &o, open);
}

/* Those that began in [a, b) and were not listed: gone, or closed. */
void
harvest_open_rest(struct harvest_open *k, int64_t a, int64_t b, bool ask,
    int64_t together, struct ranges *out, struct harvest_opens *l)
{
	size_t i, end = first_at(k, b);
	struct range last = { 0, 0 };

	for (i = first_at(k, a); i < end; i++) {
		if (k->listed[i] || k->asked[i])
			continue;
		learn(l, &k->o[i], false);
		if (!ask)
			continue;
		k->asked[i] = true;
		if (last.a == last.b || k->o[i].start - last.a > together)
			last.a = k->o[i].start;
		last.b = k->o[i].start + 1;
		ranges_add(out, last.a, last.b);
	}
	memset(k->listed, 0, k->n * sizeof(k->listed[0]));
}

bool
harvest_open_asked(const struct harvest_open *k, const struct source_table *t,
    const struct rows *r, uint32_t i, struct harvest_opens *l)
{
	struct ledger_open o;
	size_t at;
	bool open;

	if (!frame_of(t, r, i, &o, &open) || (at = find(k, &o)) == k->n ||
	    !k->asked[at])
		return (false);
	if (open)
		learn(l, &o, true);
	return (true);
}
