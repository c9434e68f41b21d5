/*
 * Coverage that journals prove, by object, and the ledger's against it: what
 * the ledger calls covered must be proven. A harvest may commit meanwhile:
 * what looks wrong is looked at again after the journals were read up to the
 * positions of the same moment.
 */

#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "base/must.h"
#include "verify/verify_int.h"

void
verify_cover_init(struct verify_cover *c)
{

	memset(c, 0, sizeof(*c));
}

void
verify_cover_fini(struct verify_cover *c)
{
	uint32_t i;

	for (i = 0; i < c->n; i++) {
		ranges_fini(&c->proof[i].r);
		ranges_fini(&c->proof[i].settled);
	}
	free(c->proof);
	memset(c, 0, sizeof(*c));
}

void
verify_cover_add(struct verify_cover *c, const struct journal_cover *r,
    int64_t settled, int64_t at)
{
	struct verify_proof *p;
	uint32_t n = c->n;

	if (r->object >= c->n) {
		MUST(r->object < UINT32_MAX / 2);
		n = r->object < 64 ? 64 : r->object * 2;
		c->proof = must_realloc(c->proof, n, sizeof(c->proof[0]));
		for (; c->n < n; c->n++) {
			ranges_init(&c->proof[c->n].r);
			ranges_init(&c->proof[c->n].settled);
			c->proof[c->n].rows = 0;
			c->proof[c->n].since = TICKS_NONE;
			c->proof[c->n].since_at = INT64_MIN;
		}
	}
	p = &c->proof[r->object];
	ranges_add(&p->r, r->a, r->b);
	ranges_add(&p->settled, r->a, r->b < settled ? r->b : settled);
	p->rows += r->rows;
	if (at >= p->since_at) {
		p->since = r->since;
		p->since_at = at;
	}
}

/* --- against the ledger -------------------------------------------------- */

/* A stream that did not agree at first sight. */
struct doubt {
	uint32_t id;
	char *name;
	struct ranges covered;
	uint64_t values;
};

struct look {
	struct verify *v;
	struct ledger_txn *txn;
	struct ledger_stream s;
	struct doubt *doubts;
	size_t n, cap;
	struct err *err;
};

const struct verify_proof *
verify_proof(const struct verify *v, uint32_t id)
{
	static const struct verify_proof none = { { NULL, 0, 0 },
	    { NULL, 0, 0 }, TICKS_NONE, INT64_MIN, 0 };

	return (id < v->cover.n ? &v->cover.proof[id] : &none);
}

static bool
agrees(const struct verify *v, uint32_t id, const struct ranges *covered,
    uint64_t values)
{
	const struct verify_proof *p = verify_proof(v, id);
	size_t i;

	for (i = 0; i < covered->n; i++)
		if (!ranges_contains(&p->r, covered->r[i].a, covered->r[i].b))
			return (false);
	return (values == p->rows);
}

static int
look_at(struct look *l, uint32_t id, const char *name)
{
	struct doubt *d;
	int rc;

	rc = ledger_stream_get(l->txn, l->v->table->name, id, &l->s, l->err);
	if (rc != 0)
		return (rc);
	l->v->result->streams++;
	if (agrees(l->v, id, &l->s.covered, l->s.values))
		return (0);
	if (l->n == l->cap) {
		l->cap = l->cap == 0 ? 64 : l->cap * 2;
		l->doubts = must_realloc(l->doubts, l->cap,
		    sizeof(l->doubts[0]));
	}
	d = &l->doubts[l->n++];
	d->id = id;
	d->name = must_strdup(name);
	d->values = l->s.values;
	ranges_init(&d->covered);
	ranges_copy(&d->covered, &l->s.covered);
	return (0);
}

static int
look_object(const struct ledger_object *o, void *cookie)
{

	return (look_at(cookie, o->id, o->name));
}

static int
note_now(const char *table, uint32_t number, const struct ledger_group *g,
    void *cookie)
{
	struct look *l = cookie;
	struct verify_group *here = verify_group_add(l->v, number);

	(void)table;
	here->known = true;
	here->now = g->pos;
	return (0);
}

/* All streams and all positions of one moment. */
static int
look(struct look *l)
{
	struct verify *v = l->v;
	const struct source_table *t = v->table;
	int rc;

	if ((rc = ledger_read_begin(v->ledger, &l->txn, l->err)) != 0)
		return (rc);
	rc = ledger_group_each(l->txn, t->name, note_now, l, l->err);
	if (rc == 0 && t->over == NULL)
		rc = look_at(l, 0, "");
	if (rc == 0 && t->over != NULL)
		rc = ledger_object_each(l->txn, t->over->name, 1, UINT32_MAX,
		    look_object, l, l->err);
	ledger_read_end(l->txn);
	return (rc);
}

static void
tell_missing(struct verify *v, const struct doubt *d, const struct range *r)
{
	struct verify_finding f;

	verify_finding_init(v, &f, VERIFY_ERROR, "coverage.unproven");
	f.at.stream = d->name;
	f.at.from = r->a;
	f.at.to = r->b;
	verify_tell(v, &f, "the ledger calls this covered, no whole batch of "
	    "the journals does");
}

static void
judge(struct verify *v, const struct doubt *d)
{
	const struct verify_proof *p = verify_proof(v, d->id);
	struct verify_finding f;
	struct ranges missing;
	size_t i;

	if (agrees(v, d->id, &d->covered, d->values))
		return;
	ranges_init(&missing);
	ranges_copy(&missing, &d->covered);
	ranges_subtract(&missing, &p->r);
	for (i = 0; i < missing.n; i++)
		tell_missing(v, d, &missing.r[i]);
	ranges_fini(&missing);
	if (i > 0)
		return;			/* the count goes with them */
	verify_finding_init(v, &f, VERIFY_ERROR, "ledger.count");
	f.at.stream = d->name;
	verify_tell(v, &f, "the ledger counts %llu values, the journals' "
	    "whole batches have %llu", (unsigned long long)d->values,
	    (unsigned long long)p->rows);
}

int
verify_cover_check(struct verify *v, struct err *e)
{
	struct look l = { .v = v, .err = e };
	struct verify_group *g;
	size_t i;
	int rc;

	ledger_stream_init(&l.s);
	rc = look(&l);
	for (i = 0; i < v->ngroups && rc == 0 && l.n > 0; i++) {
		g = &v->groups[i];
		if (journal_pos_cmp(&g->g.pos, &g->now) < 0)
			rc = verify_journal(v, g, &g->g.pos, &g->now, false,
			    e);
	}
	for (i = 0; i < l.n; i++) {
		if (rc == 0)
			judge(v, &l.doubts[i]);
		free(l.doubts[i].name);
		ranges_fini(&l.doubts[i].covered);
	}
	ledger_stream_fini(&l.s);
	free(l.doubts);
	return (rc);
}
