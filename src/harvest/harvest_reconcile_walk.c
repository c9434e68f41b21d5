/*
 * Reconciliation of a walk: the objects of the last complete one, which are
 * in the journal, against those of the server of now. One that is not there
 * came since; one that the server has no more is named from the journal.
 * Nothing is stored.
 */

#include "config.h"

#include "base/must.h"
#include "harvest/harvest_reconcile_list_int.h"

static int
plan_object(const struct ledger_object *o, void *cookie)
{

	if (!o->gone)
		(void)harvest_list_unit(cookie, o);
	return (0);
}

static int
plan(struct check *c, struct err *e)
{
	struct ledger_txn *txn;
	int rc;

	if (c->table->over == NULL) {
		(void)harvest_list_unit(c, NULL);
		return (0);
	}
	if ((rc = ledger_read_begin(c->h->ledger, &txn, e)) != 0)
		return (rc);
	rc = ledger_object_each(txn, c->table->over->name, 1, UINT32_MAX,
	    plan_object, c, e);
	ledger_read_end(txn);
	return (rc);
}

int
harvest_reconcile_walk(struct harvest *h, const struct source_table *t,
    struct harvest_reconcile *o, struct err *e)
{
	struct check c = { .h = h, .o = o, .table = t };
	bool walked;
	int rc;

	MUST(t->kind == SOURCE_WALK && t->object_key >= 0);
	rc = harvest_list_ours(&c, HARVEST_GROUP_LAST_WALK, &walked, e);
	if (rc != 0 || !walked)
		goto out;
	if ((rc = plan(&c, e)) == 0)
		rc = harvest_list_theirs(&c, e);
	if (rc == 0)
		rc = harvest_list_unseen(&c, HARVEST_GROUP_LAST_WALK, e);
out:
	harvest_list_fini(&c);
	return (rc);
}
