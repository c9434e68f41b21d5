/*
 * Writers: a table and group, its journal, and its batches. They are opened
 * when first written to, at the ledger's position, and closed with the run.
 */

#include "config.h"

#include <stdlib.h>

#include "base/must.h"
#include "base/msg.h"
#include "harvest/harvest_commit_int.h"

char *
harvest_journal_dir(const char *data, const char *source, const char *table,
    uint32_t group)
{

	return (must_sprintf("%s/bronze/%s/%s/group-%u", data, source, table,
	    group));
}

static int
newest(const char *table, uint32_t group, const struct ledger_group *g,
    void *cookie)
{
	int64_t *at = cookie;

	(void)table;
	(void)group;
	if (g->committed > *at)
		*at = g->committed;
	return (0);
}

/* And when the newest commit of any group of the table was: streams may have
 * been in another one, and what is read from now on is to be newer. */
static int
read_position(const struct harvest_writer *w, struct ledger_group *g,
    int64_t *committed, struct err *e)
{
	struct ledger_txn *txn;
	int rc;

	if ((rc = ledger_read_begin(w->h->ledger, &txn, e)) != 0)
		return (rc);
	rc = ledger_group_get(txn, w->table->name, w->group, g, e);
	*committed = g->committed;
	if (rc == 0)
		rc = ledger_group_each(txn, w->table->name, newest, committed,
		    e);
	ledger_read_end(txn);
	return (rc);
}

/* The position is read under the journal's lock: another process may have
 * committed just now. It is at most one commit behind what was written. */
static int
writer_open(struct harvest_writer *w, struct err *e)
{
	struct harvest *h = w->h;
	struct ledger_group g;
	int64_t committed = 0;
	uint64_t cut = 0;
	char *dir;
	int rc;

	dir = harvest_journal_dir(h->opt.data_dir, h->opt.source_name,
	    w->table->name, w->group);
	rc = journal_writer_lock(h->sys, dir, &w->journal, e);
	if (rc == 0 && (rc = read_position(w, &g, &committed, e)) == 0)
		rc = journal_writer_start(w->journal, &g.pos, 1, &cut, e);
	if (rc == 0 && cut > 0)
		msg_info("journal", "%s: cut %llu bytes that were never "
		    "committed; they are read again", dir,
		    (unsigned long long)cut);
	free(dir);
	if (rc != 0) {
		journal_writer_close(w->journal);
		return (rc);
	}
	w->pos = g.pos;
	w->last_ingested = committed;
	return (0);
}

int
harvest_writer_get(struct harvest *h, const struct source_table *t,
    uint32_t group, struct harvest_writer **out, struct err *e)
{
	struct harvest_writer *w;
	unsigned n = 0;
	int rc;

	for (w = h->writers; w != NULL; w = w->next, n++) {
		if (w->table == t && w->group == group) {
			*out = w;
			return (0);
		}
	}
	w = must_calloc(1, sizeof(*w));
	w->h = h;
	w->table = t;
	w->group = group;
	w->lane = n % 64;
	w->snapshot = t->kind == SOURCE_WALK;
	if ((rc = writer_open(w, e)) != 0) {
		free(w);
		return (rc);
	}
	w->next = h->writers;
	h->writers = w;
	*out = w;
	return (0);
}

void
harvest_writers_close(struct harvest *h)
{
	struct harvest_writer *w;
	struct harvest_batch *b;

	MUST(h->synced == NULL && !h->booking);
	while ((w = h->writers) != NULL) {
		h->writers = w->next;
		MUST(!w->busy);
		journal_writer_close(w->journal);
		harvest_batch_free(w->open);
		harvest_batch_free(w->held);
		free(w);
	}
	while ((b = h->pool) != NULL) {
		h->pool = b->next;
		harvest_batch_free(b);
	}
}

/* And what their journals hold of them. */
size_t
harvest_held_bytes(const struct harvest_writer *w)
{

	return (w->held == NULL ? 0 : harvest_bytes_of(w->held) +
	    (size_t)w->held->bytes);
}

size_t
harvest_batch_bytes(const struct harvest *h)
{
	const struct harvest_writer *w;
	const struct harvest_batch *b;
	size_t n = harvest_open_bytes(h);

	for (w = h->writers; w != NULL; w = w->next) {
		n += harvest_bytes_of(w->flight) + harvest_held_bytes(w);
		if (w->flight != NULL)
			n += (size_t)w->flight->bytes;
	}
	for (b = h->pool; b != NULL; b = b->next)
		n += harvest_bytes_of(b);
	return (n);
}

/* A walk is committed whole or not at all. */
bool
harvest_writer_ready(const struct harvest_writer *w)
{

	return (!w->snapshot || w->complete);
}

bool
harvest_batches_idle(const struct harvest *h)
{
	const struct harvest_writer *w;

	for (w = h->writers; w != NULL; w = w->next)
		if (w->busy || w->held != NULL ||
		    (!harvest_batch_empty(w->open) && harvest_writer_ready(w)))
			return (false);
	return (true);
}
