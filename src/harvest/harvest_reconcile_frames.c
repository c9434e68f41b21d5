/*
 * Reconciliation of frames: those that began in what is covered are listed
 * by the server once more, in windows of time, and held against the newest
 * row of each that the journal has. One that was open then may be closed by
 * now, which the next harvest reads: its content is not compared.
 *
 * A row does not tell which object its frame was listed for. So what is not
 * listed any more is looked for where all objects were read: there it is
 * gone, whosoever it was.
 */

#include "config.h"

#include "base/must.h"
#include "base/ticks.h"
#include "harvest/harvest_reconcile_list_int.h"

/* Windows of a sample; without one they are as long as may be. */
#define SAMPLE_LEN (24 * 3600 * TICKS_PER_S)

struct plan {
	struct check *check;
	struct ledger_txn *txn;
	struct err *err;
	bool any;			/* an object was planned */
	bool partial;			/* one cannot be asked for */
};

static void
plan_window(struct check *c, const struct ledger_object *o, int64_t a,
    int64_t b)
{
	struct unit *u = harvest_list_unit(c, o);

	u->a = a;
	u->b = b;
	u->at.began = c->table->began;
	u->at.a = a - HARVEST_ABOUT;
	u->at.b = b + HARVEST_ABOUT;
	if (a < c->from)
		c->from = a;
	if (b > c->to)
		c->to = b;
}

/* Windows of [a, b); the same ones for all objects. */
static void
plan_range(struct check *c, const struct ledger_object *o, int64_t a,
    int64_t b, struct ranges *planned)
{
	const bool sample = c->o->parts > 0 || c->o->per_million > 0;
	int64_t len = c->h->opt.window_max, end;

	if (sample && len > SAMPLE_LEN)
		len = SAMPLE_LEN;
	for (; a < b; a = end) {
		end = harvest_reconcile_grid(a, len);
		end = end < b ? end : b;
		if (!harvest_reconcile_chosen(c->o, 0, a, len))
			continue;
		plan_window(c, o, a, end);
		ranges_add(planned, a, end);
	}
}

/* What is judged: that of all objects. */
static void
plan_judged(struct plan *p, const struct ranges *planned)
{
	struct check *c = p->check;
	struct ranges others;

	if (!p->any) {
		ranges_copy(&c->judged, planned);
		p->any = true;
		return;
	}
	ranges_init(&others);
	ranges_missing(planned, TICKS_MIN, TICKS_MAX, &others);
	ranges_subtract(&c->judged, &others);
	ranges_fini(&others);
}

static int
plan_object(const struct ledger_object *o, void *cookie)
{
	struct plan *p = cookie;
	struct check *c = p->check;
	struct ledger_stream s;
	struct ranges planned;
	struct range *r;
	size_t i;
	int rc;

	ranges_init(&planned);
	ledger_stream_init(&s);
	rc = ledger_stream_get(p->txn, c->table->name, o->id, &s, p->err);
	if (rc != 0 || s.covered.n == 0)
		goto out;
	if (o->gone || s.fail_code != 0) {
		p->partial = true;
		goto out;
	}
	for (i = 0; i < s.covered.n; i++) {
		r = &s.covered.r[i];
		plan_range(c, o, r->a, r->b < c->o->to ? r->b : c->o->to,
		    &planned);
	}
	plan_judged(p, &planned);
out:
	ledger_stream_fini(&s);
	ranges_fini(&planned);
	return (rc);
}

static int
plan(struct check *c, struct err *e)
{
	struct plan p = { .check = c, .err = e };
	int rc;

	c->from = TICKS_MAX;
	c->to = TICKS_MIN;
	if ((rc = ledger_read_begin(c->h->ledger, &p.txn, e)) != 0)
		return (rc);
	rc = ledger_object_each(p.txn, c->table->over->name, 1, UINT32_MAX,
	    plan_object, &p, e);
	ledger_read_end(p.txn);
	if (p.partial)
		ranges_clear(&c->judged);
	return (rc);
}

int
harvest_reconcile_frames(struct harvest *h, const struct source_table *t,
    struct harvest_reconcile *o, struct err *e)
{
	struct check c = { .h = h, .o = o, .table = t };
	bool any;
	int rc;

	MUST(t->kind == SOURCE_FRAMES && t->object_key >= 0);
	ranges_init(&c.judged);
	if ((rc = plan(&c, e)) != 0 || c.nunits == 0)
		goto out;
	rc = harvest_list_ours(&c, HARVEST_GROUP_BEGINNING, &any, e);
	if (rc == 0)
		rc = harvest_list_theirs(&c, e);
	if (rc == 0 && c.judged.n > 0)
		rc = harvest_list_unseen(&c, HARVEST_GROUP_BEGINNING, e);
out:
	harvest_list_fini(&c);
	return (rc);
}
