/*
 * A table's journals and the ledger's coverage made to agree again. Journals
 * are mended up to the ledger's positions, then read; coverage that no whole
 * batch proves is dropped, so that the next harvest asks for it, and what
 * was remembered of the newest rows with it: they may be among the lost.
 *
 * A walk whose rows are lost is marked as never made: the next harvest makes
 * it. Without `apply` the same is found and told, and nothing changed.
 */

#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/must.h"
#include "sys/sys.h"
#include "verify/verify_int.h"

#define COPY_BYTES (256u << 10)
/* Streams put right in one transaction. */
#define STREAMS_A_TIME 20000

/* --- what is done -------------------------------------------------------- */

void
verify_action_init(const struct verify_mending *m, struct verify_action *a,
    const char *kind)
{

	memset(a, 0, sizeof(*a));
	a->kind = kind;
	verify_place_init(&a->at, m->table != NULL ? m->table->name : NULL);
}

void
verify_act(struct verify_mending *m, struct verify_action *a,
    const char *fmt, ...)
{
	char text[1000];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	a->text = text;
	m->opt->done++;
	m->opt->action(m->opt->cookie, a);
	a->text = NULL;
}

/* --- keeping what is taken out ------------------------------------------- */

static int
copy(const struct sys *sys, const char *from, uint64_t at, uint64_t bytes,
    const char *to, struct err *e)
{
	uint8_t *window = must_calloc(1, COPY_BYTES);
	uint64_t done = 0;
	int in, out = -1, rc = 0;
	ssize_t n = 1;

	if ((in = sys->open(sys->cookie, from, O_RDONLY | O_CLOEXEC, 0)) < 0)
		rc = err_sys(e, errno, "cannot open %s", from);
	else if ((out = sys->open(sys->cookie, to, O_RDWR | O_CREAT |
	    O_TRUNC | O_CLOEXEC, 0640)) < 0)
		rc = err_sys(e, errno, "cannot create %s", to);
	while (rc == 0 && done < bytes && n > 0) {
		n = sys->pread(sys->cookie, in, window, bytes - done <
		    COPY_BYTES ? (size_t)(bytes - done) : COPY_BYTES,
		    (int64_t)(at + done));
		if (n < 0)
			rc = err_sys(e, errno, "cannot read %s", from);
		else
			rc = sys_pwrite_all(sys, out, window, (size_t)n,
			    (int64_t)done, e);
		done += n > 0 ? (uint64_t)n : 0;
	}
	if (rc == 0 && sys->fsync(sys->cookie, out) != 0)
		rc = err_sys(e, errno, "cannot sync %s", to);
	if (in >= 0)
		(void)sys->close(sys->cookie, in);
	if (out >= 0)
		(void)sys->close(sys->cookie, out);
	free(window);
	return (rc);
}

char *
verify_quarantine(const struct verify_mending *m, struct err *e)
{
	char *dir = must_sprintf("%s/quarantine/damaged", m->opt->data_dir);

	if (sys_mkdirs(m->sys, dir, e) != 0) {
		free(dir);
		return (NULL);
	}
	return (dir);
}

static int
keep(struct verify_mending *m, const struct journal_wound *w, struct err *e)
{
	char *dir, *to, *note, *text;
	int rc;

	if ((dir = verify_quarantine(m, e)) == NULL)
		return (e->code);
	to = must_sprintf("%s/%s.group-%u.%08u.%llu", dir, m->table->name,
	    m->group, w->at.segment, (unsigned long long)w->at.offset);
	note = must_sprintf("%s.note", to);
	text = must_sprintf("%llu bytes at %llu of %s could not be read and "
	    "were taken out of the journal by garner repair\n",
	    (unsigned long long)w->bytes, (unsigned long long)w->at.offset,
	    w->path);
	rc = copy(m->sys, w->path, w->at.offset, w->bytes, to, e);
	if (rc == 0)	/* syncs the directory, for both */
		rc = sys_write_file(m->sys, note, text, strlen(text), true,
		    e);
	free(text);
	free(note);
	free(to);
	free(dir);
	return (rc);
}

static int
on_wound(void *cookie, const struct journal_wound *w, struct err *e)
{
	struct verify_mending *m = cookie;
	struct verify_action a;

	verify_action_init(m, &a, w->at.offset == 0 ? "journal.segment" :
	    "journal.hole");
	a.at.path = w->path;
	a.at.offset = (int64_t)w->at.offset;
	a.at.group = m->group;
	if (w->missing && w->at.offset == 0)
		verify_act(m, &a, "the segment is missing; it is made again, "
		    "empty");
	else if (w->at.offset == 0)
		verify_act(m, &a, "its header is written anew");
	else
		verify_act(m, &a, "%llu bytes become a hole%s",
		    (unsigned long long)w->bytes, w->missing ? "" :
		    ", kept in quarantine");
	return (m->opt->apply && !w->missing ? keep(m, w, e) : 0);
}

/* --- journals ------------------------------------------------------------ */

int
verify_mend_journal(struct verify_mending *m, const char *dir,
    const struct journal_pos *to, struct journal_pos *end, struct err *e)
{
	const struct rows_schema *schemas[] = { m->table->schema };
	struct journal_mending o = { .to = to, .apply = m->opt->apply,
	    .schemas = schemas, .nschemas = 1, .wound = on_wound,
	    .cookie = m };

	return (journal_mend(m->sys, dir, &o, end, e));
}

static int
mend_group(struct verify_mending *m, struct verify_group *g, struct err *e)
{
	struct verify_action a;
	struct journal_pos end;
	uint64_t cut = 0;
	int rc;

	m->group = g->number;
	if ((rc = verify_mend_journal(m, g->dir, &g->g.pos, &end, e)) != 0 ||
	    !m->opt->apply)
		return (rc);
	rc = journal_writer_start(g->lock, &g->g.pos, 1, &cut, e);
	if (rc != 0 || cut == 0)
		return (rc);
	verify_action_init(m, &a, "journal.cut");
	a.at.path = g->dir;
	a.at.group = g->number;
	verify_act(m, &a, "%llu bytes that were never committed are cut off",
	    (unsigned long long)cut);
	return (0);
}

/* Locks first, then positions. */
static int
lock_groups(struct verify *v, bool apply, struct err *e)
{
	size_t i;
	int rc;

	if ((rc = verify_groups_read(v, e)) != 0 || !apply)
		return (rc);
	for (i = 0; i < v->ngroups && rc == 0; i++)
		rc = journal_writer_lock(v->sys, v->groups[i].dir,
		    &v->groups[i].lock, e);
	return (rc != 0 ? rc : verify_groups_read(v, e));
}

/* --- coverage ------------------------------------------------------------ */

struct fix {
	uint32_t id;
	struct ranges covered;		/* what is left of it */
	uint64_t values;
};

struct fixes {
	struct verify_mending *m;
	struct verify *v;
	struct ledger_txn *txn;
	struct ledger_stream s;
	struct fix *fix;
	size_t n, cap;
	size_t from, to;		/* of one transaction */
	struct err *err;
};

static void
tell_lost(struct fixes *f, const char *name, const struct ranges *lost)
{
	struct verify_action a;
	size_t i;

	for (i = 0; i < lost->n; i++) {
		verify_action_init(f->m, &a, "coverage.drop");
		a.at.stream = name;
		a.at.from = lost->r[i].a;
		a.at.to = lost->r[i].b;
		verify_act(f->m, &a, "no longer covered: to be read again");
	}
}

static int
see_stream(struct fixes *f, uint32_t id, const char *name)
{
	const struct verify_proof *p = verify_proof(f->v, id);
	struct ranges lost;
	struct fix *x;
	int rc;

	rc = ledger_stream_get(f->txn, f->v->table->name, id, &f->s, f->err);
	if (rc != 0)
		return (rc);
	ranges_init(&lost);
	ranges_copy(&lost, &f->s.covered);
	ranges_subtract(&lost, &p->r);
	if (lost.n == 0 && f->s.values == p->rows)
		goto out;
	tell_lost(f, name, &lost);
	if (f->n == f->cap) {
		f->cap = f->cap == 0 ? 64 : f->cap * 2;
		f->fix = must_realloc(f->fix, f->cap, sizeof(f->fix[0]));
	}
	x = &f->fix[f->n++];
	x->id = id;
	x->values = p->rows;
	ranges_init(&x->covered);
	ranges_copy(&x->covered, &f->s.covered);
	ranges_subtract(&x->covered, &lost);
out:
	ranges_fini(&lost);
	return (0);
}

static int
see_object(const struct ledger_object *o, void *cookie)
{

	return (see_stream(cookie, o->id, o->name));
}

static int
see_all(struct fixes *f)
{
	const struct source_table *t = f->v->table;
	int rc;

	if ((rc = ledger_read_begin(f->v->ledger, &f->txn, f->err)) != 0)
		return (rc);
	if (t->over == NULL)
		rc = see_stream(f, 0, "");
	else
		rc = ledger_object_each(f->txn, t->over->name, 1, UINT32_MAX,
		    see_object, f, f->err);
	ledger_read_end(f->txn);
	return (rc);
}

static int
write_some(struct ledger_txn *txn, void *cookie, struct err *e)
{
	struct fixes *f = cookie;
	const char *table = f->v->table->name;
	const struct fix *x;
	size_t i;
	int rc;

	for (i = f->from; i < f->to; i++) {
		x = &f->fix[i];
		rc = ledger_stream_get(txn, table, x->id, &f->s, e);
		if (rc != 0)
			return (rc);
		ranges_copy(&f->s.covered, &x->covered);
		f->s.values = x->values;
		f->s.ncells = 0;
		rc = ledger_stream_put(txn, table, x->id, &f->s, e);
		if (rc != 0)
			return (rc);
	}
	return (0);
}

static int
fix_streams(struct verify_mending *m, struct verify *v, struct err *e)
{
	struct fixes f = { .m = m, .v = v, .err = e };
	size_t i;
	int rc;

	ledger_stream_init(&f.s);
	rc = see_all(&f);
	for (; rc == 0 && m->opt->apply && f.from < f.n; f.from = f.to) {
		f.to = f.n - f.from < STREAMS_A_TIME ? f.n : f.from +
		    STREAMS_A_TIME;
		rc = ledger_write(v->ledger, write_some, &f, e);
	}
	for (i = 0; i < f.n; i++)
		ranges_fini(&f.fix[i].covered);
	free(f.fix);
	ledger_stream_fini(&f.s);
	return (rc);
}

/* --- groups -------------------------------------------------------------- */

struct group_fix {
	struct verify *v;
	struct verify_group *g;
	bool walk_lost;
};

static int
write_group(struct ledger_txn *txn, void *cookie, struct err *e)
{
	struct group_fix *x = cookie;
	const char *table = x->v->table->name;
	struct ledger_group g;
	int rc;

	rc = ledger_group_get(txn, table, x->g->number, &g, e);
	if (rc != 0)
		return (rc);
	g.rows = x->g->rows;
	if (x->walk_lost) {
		g.batches = 0;
		g.run = g.pos;
	}
	return (ledger_group_put(txn, table, x->g->number, &g, e));
}

/* The ledger's last walk is the last whole one that the journal has. */
static bool
walk_lost(const struct verify *v, const struct verify_group *g)
{

	return (v->table->kind == SOURCE_WALK && g->g.batches > 0 &&
	    journal_pos_cmp(&g->walk_end, &g->g.pos) != 0);
}

static int
fix_group(struct verify_mending *m, struct verify *v, struct verify_group *g,
    struct err *e)
{
	struct group_fix x = { v, g, walk_lost(v, g) };
	struct verify_action a;

	if (x.walk_lost) {
		verify_action_init(m, &a, "walk.drop");
		a.at.path = g->dir;
		verify_act(m, &a, "the last walk is not whole: to be made "
		    "again");
	} else if (g->rows == g->g.rows) {
		return (0);
	}
	return (m->opt->apply ? ledger_write(v->ledger, write_group, &x, e) :
	    0);
}

/* --- a table ------------------------------------------------------------- */

static void
ignore(void *cookie, const struct verify_finding *f)
{

	(void)cookie;
	(void)f;
}

static int
mend_table(struct verify_mending *m, struct verify *v, struct err *e)
{
	const struct journal_pos start = { 0, 0 };
	struct verify_group *g;
	size_t i;
	int rc;

	if ((rc = lock_groups(v, m->opt->apply, e)) != 0)
		return (rc);
	for (i = 0; i < v->ngroups && rc == 0; i++) {
		g = &v->groups[i];
		if ((rc = mend_group(m, g, e)) == 0)
			rc = verify_journal(v, g, &start, &g->g.pos, true, e);
	}
	if (rc == 0 && v->table->kind != SOURCE_WALK)
		rc = fix_streams(m, v, e);
	for (i = 0; i < v->ngroups && rc == 0; i++)
		rc = fix_group(m, v, &v->groups[i], e);
	return (rc);
}

int
verify_mend(const struct sys *sys, struct ledger *ledger,
    const struct source_table *t, struct verify_repair_options *opt,
    struct err *e)
{
	struct verify_options o = { .data_dir = opt->data_dir,
	    .source = opt->source, .finding = ignore };
	struct verify_mending m = { .sys = sys, .opt = opt, .table = t };
	struct verify_result unused;
	struct verify v = { .sys = sys, .ledger = ledger, .opt = &o,
	    .result = &unused, .table = t };
	int rc;

	memset(&unused, 0, sizeof(unused));
	verify_cover_init(&v.cover);
	rc = mend_table(&m, &v, e);
	verify_cover_fini(&v.cover);
	verify_groups_free(&v);
	if (rc != 0 && e != NULL)
		(void)err_wrap(e, "%s", t->name);
	return (rc);
}
