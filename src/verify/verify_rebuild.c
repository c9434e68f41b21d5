/*
 * A ledger made again from the journals alone: the walks, replayed in their
 * order, give the objects with the ids they had; whole batches give coverage
 * and counters; the ends of the journals give positions. It is made beside
 * the old one and renamed into its place when it is whole: a ledger that
 * knew half of the journals would cut the other half.
 *
 * What cannot be had again is learnt anew: densities, failures, and the
 * digests by which an unchanged re-reading is known. What the last run found
 * young is young, but for what was old enough when it read it. When that was
 * is not told by the server's clock, but not before the end of what was
 * covered then.
 */

#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/must.h"
#include "delta/delta.h"
#include "sys/sys.h"
#include "verify/verify_int.h"

/* Streams put in one transaction. */
#define STREAMS_A_TIME 20000

struct rebuild {
	const struct sys *sys;
	struct verify_repair_options *opt;
	struct verify_mending m;
	struct verify *tables;		/* their groups hold the locks */
	size_t n;
	struct ledger *ledger;		/* the new one */
	char instance[40];		/* as silver knows it, or "" */
	char *tmp;
	struct err *err;
};

/* --- what silver knows --------------------------------------------------- */

/* "garner/<instance>/<group>" */
static bool
split_app(const char *id, char *instance, size_t size, uint32_t *group)
{
	const char *slash;
	size_t n;

	if (strncmp(id, "garner/", 7) != 0 ||
	    (slash = strchr(id + 7, '/')) == NULL)
		return (false);
	n = (size_t)(slash - id) - 7;
	if (n == 0 || n >= size)
		return (false);
	memcpy(instance, id + 7, n);
	instance[n] = '\0';
	*group = (uint32_t)strtoul(slash + 1, NULL, 10);
	return (true);
}

/* Positions that silver has reached must be reached by the journals. */
static void
read_silver(struct rebuild *r, struct verify *v)
{
	struct delta_snapshot s;
	struct delta_table *d;
	char instance[40], *dir;
	struct verify_group *g;
	uint32_t group;
	size_t i;

	dir = must_sprintf("%s/silver/%s/%s", r->opt->data_dir,
	    r->opt->source, v->table->name);
	d = delta_open(r->sys, dir, NULL);
	if (delta_load(d, &s, NULL) != 0)
		memset(&s, 0, sizeof(s));	/* it will be made again */
	for (i = 0; i < s.ntxns; i++) {
		if (!split_app(s.txns[i].app_id, instance, sizeof(instance),
		    &group) || s.txns[i].version < 0)
			continue;
		if (r->instance[0] == '\0')
			memcpy(r->instance, instance, sizeof(instance));
		if (strcmp(r->instance, instance) != 0)
			continue;	/* of a ledger before that */
		g = verify_group_add(v, group);
		g->g.pos = journal_pos_unpack(s.txns[i].version);
	}
	delta_snapshot_fini(&s);
	delta_close(d);
	free(dir);
}

/* --- journals ------------------------------------------------------------ */

static int
mend_group(struct rebuild *r, struct verify_group *g)
{
	struct journal_pos end, silver = g->g.pos;
	int rc;

	r->m.group = g->number;
	if (r->opt->apply && (rc = journal_writer_lock(r->sys, g->dir,
	    &g->lock, r->err)) != 0)
		return (rc);
	rc = verify_mend_journal(&r->m, g->dir, NULL, &end, r->err);
	if (rc == 0 && journal_pos_cmp(&silver, &end) > 0) {
		rc = verify_mend_journal(&r->m, g->dir, &silver, &end,
		    r->err);
		end = silver;
	}
	g->known = true;
	g->g.pos = end;
	return (rc);
}

static int
mend_table(struct rebuild *r, struct verify *v)
{
	size_t i;
	int rc;

	r->m.table = v->table;
	if ((rc = verify_groups_list(v, r->err)) != 0)
		return (rc);
	read_silver(r, v);
	for (i = 0; i < v->ngroups && rc == 0; i++)
		rc = mend_group(r, &v->groups[i]);
	return (rc);
}

/* --- objects ------------------------------------------------------------- */

struct walk {
	struct verify *v;
	const struct rows *const *rows;
	uint32_t n;
};

static int
put_rows(struct ledger_txn *txn, const struct source_table *t,
    const struct rows *r, struct err *e)
{
	struct source_object row;
	struct ledger_object o;
	uint32_t i, id;
	int rc;

	for (i = 0; i < r->n; i++) {
		if (!source_walk_object(t, r, i, &row))
			continue;
		memset(&o, 0, sizeof(o));
		o.key = row.key;
		o.name = row.name;
		o.parent = "";
		o.kind = row.kind;
		rc = ledger_object_put(txn, t->name, &o, &id, e);
		if (rc != 0)
			return (rc);
	}
	return (0);
}

static int
put_walk(struct ledger_txn *txn, void *cookie, struct err *e)
{
	const struct walk *w = cookie;
	const char *table = w->v->table->name;
	uint64_t generation, gone;
	uint32_t i;
	int rc;

	rc = ledger_walk_begin(txn, table, &generation, e);
	for (i = 0; i < w->n && rc == 0; i++)
		rc = put_rows(txn, w->v->table, w->rows[i], e);
	if (rc == 0)
		rc = ledger_walk_end(txn, table, generation, &gone, e);
	return (rc);
}

static int
on_walk(void *cookie, const struct rows *const *rows, uint32_t n,
    struct err *e)
{
	struct verify *v = cookie;
	struct walk w = { v, rows, n };

	return (ledger_write(v->ledger, put_walk, &w, e));
}

/* --- open frames --------------------------------------------------------- */

/* Those of each object, by id. */
struct frames {
	const struct source_table *table;
	struct ledger_stream *s;
	uint32_t n;
};

static void
frames_fini(struct frames *f)
{
	uint32_t i;

	for (i = 0; i < f->n; i++)
		ledger_stream_fini(&f->s[i]);
	free(f->s);
}

static struct ledger_stream *
frames_of(struct frames *f, uint32_t id)
{
	uint32_t n = id < 16 ? 16 : id + id / 2;

	if (id >= f->n) {
		f->s = must_realloc(f->s, n, sizeof(f->s[0]));
		for (; f->n < n; f->n++)
			ledger_stream_init(&f->s[f->n]);
	}
	return (&f->s[id]);
}

/* A row does not tell of which of the batch's objects it is. Taken as of all
 * of them it is asked for in vain, once, where it is not. */
static void
take_frames(struct ledger_stream *s, const struct source_table *t,
    const struct rows *r)
{
	struct source_frame_row f;
	struct ledger_open o;
	uint32_t i;

	for (i = 0; r != NULL && i < r->n; i++) {
		if (!source_frame_row_get(t, r, i, &f))
			continue;
		o.start = f.start;
		o.key = f.key;
		ledger_stream_open(s, &o, f.open);
	}
}

static int
on_frames(void *cookie, const struct rows *const *rows, uint32_t n,
    const struct journal_cover *c, size_t ncovers, struct err *e)
{
	struct frames *f = cookie;
	size_t i;
	uint32_t k;

	(void)e;
	for (i = 0; i < ncovers; i++)
		for (k = 0; k < n && (i == 0 ||
		    c[i].object != c[i - 1].object); k++)
			take_frames(frames_of(f, c[i].object), f->table,
			    rows[k]);
	return (0);
}

/* --- streams and groups -------------------------------------------------- */

struct puts {
	struct verify *v;
	uint32_t from, to;
	struct frames frames;
};

/* What its last run found young, and did not read again by a record: it may
 * have read it and found nothing new, which none tells of. */
static void
put_young(struct ledger_stream *s, const struct verify_proof *proof,
    int64_t tail)
{
	int64_t end = proof->r.r[proof->r.n - 1].b;
	struct ranges gaps;

	ledger_stream_young(s, tail);
	if (proof->since != TICKS_NONE) {
		ranges_init(&gaps);
		ranges_missing(&proof->r, proof->since, end, &gaps);
		ranges_add(&s->young, proof->since, end);
		ranges_subtract(&s->young, &gaps);
		ranges_fini(&gaps);
	}
	ranges_subtract(&s->young, &proof->settled);
	ledger_stream_young_usual(s, tail);
}

static int
put_streams(struct ledger_txn *txn, void *cookie, struct err *e)
{
	const struct puts *p = cookie;
	const struct verify_proof *proof;
	struct ledger_stream s;
	uint32_t id;
	int rc = 0;

	ledger_stream_init(&s);
	for (id = p->from; id < p->to && rc == 0; id++) {
		proof = verify_proof(p->v, id);
		if (proof->r.n == 0)
			continue;
		ledger_stream_clear(&s);
		if (id < p->frames.n)
			ledger_stream_copy(&s, &p->frames.s[id]);
		ranges_copy(&s.covered, &proof->r);
		s.values = proof->rows;
		if (p->v->tail > 0)
			put_young(&s, proof, p->v->tail);
		rc = ledger_stream_put(txn, p->v->table->name, id, &s, e);
	}
	ledger_stream_fini(&s);
	return (rc);
}

static int
put_groups(struct ledger_txn *txn, void *cookie, struct err *e)
{
	struct verify *v = cookie;
	struct verify_group *g;
	struct ledger_group lg;
	size_t i;
	int rc = 0;

	for (i = 0; i < v->ngroups && rc == 0; i++) {
		g = &v->groups[i];
		if (g->g.pos.segment == 0)
			continue;
		memset(&lg, 0, sizeof(lg));
		lg.pos = g->g.pos;
		lg.batches = g->batches;
		lg.rows = g->rows;
		lg.bytes = g->bytes;
		lg.requests = g->requests;
		lg.committed = g->committed;
		if (v->table->kind == SOURCE_WALK) {
			lg.run = g->walk_from;
			if (journal_pos_cmp(&g->walk_end, &lg.pos) != 0) {
				lg.run = lg.pos;	/* to be made again */
				lg.batches = 0;
			}
		}
		rc = ledger_group_put(txn, v->table->name, g->number, &lg, e);
	}
	return (rc);
}

static int
fill_table(struct rebuild *r, struct verify *v)
{
	const struct journal_pos start = { 0, 0 };
	struct puts p = { .v = v, .frames = { .table = v->table } };
	struct verify_group *g;
	size_t i;
	int rc = 0;

	v->ledger = r->ledger;
	for (i = 0; i < v->ngroups && rc == 0; i++) {
		g = &v->groups[i];
		if (v->table->is_parent) {
			g->walk = on_walk;
			g->cookie = v;
		} else if (v->table->kind == SOURCE_FRAMES) {
			g->frames = on_frames;
			g->cookie = &p.frames;
		}
		rc = verify_journal(v, g, &start, &g->g.pos, true, r->err);
	}
	for (; rc == 0 && p.from < v->cover.n; p.from = p.to) {
		p.to = v->cover.n - p.from < STREAMS_A_TIME ? v->cover.n :
		    p.from + STREAMS_A_TIME;
		rc = ledger_write(r->ledger, put_streams, &p, r->err);
	}
	if (rc == 0)
		rc = ledger_write(r->ledger, put_groups, v, r->err);
	frames_fini(&p.frames);
	return (rc);
}

static int
fill(struct rebuild *r)
{
	size_t i;
	int rc;

	(void)sys_remove_tree(r->tmp, NULL);
	if ((rc = ledger_open(r->tmp, false, &r->ledger, r->err)) != 0)
		return (rc);
	if (r->instance[0] != '\0')
		rc = ledger_instance_set(r->ledger, r->instance, r->err);
	for (i = 0; i < r->n && rc == 0; i++)
		rc = fill_table(r, &r->tables[i]);
	ledger_close(r->ledger);
	r->ledger = NULL;
	return (rc);
}

/* --- into its place ------------------------------------------------------ */

/* <quarantine>/ledger-N that is not there yet. */
static char *
free_name(const struct rebuild *r, struct err *e)
{
	char *dir, *name = NULL;
	unsigned i;

	if ((dir = verify_quarantine(&r->m, e)) == NULL)
		return (NULL);
	for (i = 1; i < 10000; i++) {
		name = must_sprintf("%s/ledger-%u", dir, i);
		if (!sys_exists(r->sys, name))
			break;
		free(name);
		name = NULL;
	}
	if (name == NULL)
		(void)err_set(e, ERR_EXISTS, "%s is full", dir);
	free(dir);
	return (name);
}

static int
put_in_place(struct rebuild *r)
{
	char *dir = must_sprintf("%s/ledger", r->opt->data_dir), *old = NULL;
	int rc = 0;

	if (sys_exists(r->sys, dir)) {
		if ((old = free_name(r, r->err)) == NULL)
			rc = r->err->code;
		else if (r->sys->rename(r->sys->cookie, dir, old) != 0)
			rc = err_sys(r->err, errno, "cannot move %s", dir);
	}
	if (rc == 0 && r->sys->rename(r->sys->cookie, r->tmp, dir) != 0)
		rc = err_sys(r->err, errno, "cannot move %s", r->tmp);
	if (rc == 0)
		rc = sys_sync_dir(r->sys, r->opt->data_dir, r->err);
	free(old);
	free(dir);
	return (rc);
}

static void
ignore(void *cookie, const struct verify_finding *f)
{

	(void)cookie;
	(void)f;
}

static int
rebuild(struct rebuild *r, const struct source_table *const *tables,
    const struct verify_options *o, struct verify_result *result)
{
	struct verify_action a;
	size_t i;
	int rc = 0;

	for (i = 0; i < r->n; i++) {
		r->tables[i].sys = r->sys;
		r->tables[i].opt = o;
		r->tables[i].result = result;
		r->tables[i].table = tables[i];
		verify_cover_init(&r->tables[i].cover);
		r->tables[i].tail = tables[i]->kind == SOURCE_FRAMES ?
		    r->opt->reread_frames : r->opt->reread;
	}
	for (i = 0; i < r->n && rc == 0; i++)
		rc = mend_table(r, &r->tables[i]);
	if (rc != 0)
		return (rc);
	r->m.table = NULL;
	verify_action_init(&r->m, &a, "ledger.rebuild");
	a.at.path = r->tmp;
	verify_act(&r->m, &a, "the ledger is made again from the journals");
	if (!r->opt->apply)
		return (0);
	return ((rc = fill(r)) != 0 ? rc : put_in_place(r));
}

int
verify_rebuild_ledger(const struct sys *sys,
    const struct source_table *const *tables,
    struct verify_repair_options *opt, const char *instance, struct err *e)
{
	struct verify_options o = { .data_dir = opt->data_dir,
	    .source = opt->source, .finding = ignore };
	struct err why = ERR_INIT;
	struct rebuild r = { .sys = sys, .opt = opt, .err = &why };
	struct verify_result unused;
	size_t i;
	int rc;

	memset(&unused, 0, sizeof(unused));
	while (tables[r.n] != NULL)
		r.n++;
	r.m.sys = sys;
	r.m.opt = opt;
	r.tables = must_calloc(r.n + 1, sizeof(r.tables[0]));
	r.tmp = must_sprintf("%s/ledger.repair", opt->data_dir);
	if (instance != NULL && strlen(instance) < sizeof(r.instance))
		memcpy(r.instance, instance, strlen(instance));
	rc = rebuild(&r, tables, &o, &unused);
	for (i = 0; i < r.n; i++) {
		verify_cover_fini(&r.tables[i].cover);
		verify_groups_free(&r.tables[i]);
	}
	free(r.tables);
	free(r.tmp);
	if (rc != 0 && e != NULL)
		*e = why;
	return (rc);
}

/* --- is the ledger the journals'? ---------------------------------------- */

static int
group_stale(struct verify *v, struct verify_group *g, bool *stale,
    struct err *e)
{
	struct ledger_group now;
	struct ledger_txn *txn;
	int rc;

	if (journal_commits_behind(v->sys, g->dir, &g->g.pos) <= 1)
		return (0);
	/* Or is it being written? */
	if ((rc = ledger_read_begin(v->ledger, &txn, e)) != 0)
		return (rc);
	rc = ledger_group_get(txn, v->table->name, g->number, &now, e);
	ledger_read_end(txn);
	if (rc == 0 && journal_pos_cmp(&now.pos, &g->g.pos) == 0)
		*stale = true;
	return (rc);
}

int
verify_is_stale(const struct sys *sys, struct ledger *ledger,
    const struct source_table *const *tables,
    const struct verify_repair_options *opt, bool *stale, struct err *e)
{
	struct verify_options o = { .data_dir = opt->data_dir,
	    .source = opt->source, .finding = ignore };
	struct verify v = { .sys = sys, .ledger = ledger, .opt = &o };
	size_t i;
	int rc = 0;

	*stale = false;
	for (; *tables != NULL && rc == 0 && !*stale; tables++) {
		v.table = *tables;
		if ((rc = verify_groups_read(&v, e)) == 0)
			rc = verify_groups_list(&v, e);
		for (i = 0; i < v.ngroups && rc == 0; i++)
			rc = group_stale(&v, &v.groups[i], stale, e);
		verify_groups_free(&v);
	}
	return (rc);
}
