/*
 * Reading of what is committed of a group: the ledger tells how far its
 * journal goes, and where its last whole walk begins.
 */

#include "config.h"

#include <stdlib.h>

#include "harvest/harvest_int.h"

int
harvest_group_read(struct harvest *h, const struct source_table *t,
    uint32_t group, enum harvest_group_from from,
    struct journal_reader **reader, struct err *e)
{
	const struct harvest_options *o = &h->opt;
	struct journal_pos start = { 0, 0 };
	struct ledger_txn *txn;
	struct ledger_group g;
	char *dir;
	int rc;

	*reader = NULL;
	if ((rc = ledger_read_begin(h->ledger, &txn, e)) != 0)
		return (rc);
	rc = ledger_group_get(txn, t->name, group, &g, e);
	ledger_read_end(txn);
	if (rc != 0 || g.batches == 0)
		return (rc);
	if (from == HARVEST_GROUP_LAST_WALK)
		start = g.run;
	dir = harvest_journal_dir(o->data_dir, o->source_name, t->name,
	    group);
	rc = journal_reader_open(h->sys, dir, &start, &g.pos, false, reader,
	    e);
	free(dir);
	return (rc);
}
