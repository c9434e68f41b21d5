/*
 * The run of verify: for each table its journals, the ledger's coverage and
 * counters against them, silver, and what nothing names. Positions are read
 * from the ledger first; what is committed later is not looked at, or is
 * held against positions read later (verify_cover.c).
 */

#include "config.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/must.h"
#include "base/text.h"
#include "sys/sys.h"
#include "verify/verify_int.h"

/* --- findings ------------------------------------------------------------ */

void
verify_place_init(struct verify_place *at, const char *table)
{

	memset(at, 0, sizeof(*at));
	at->offset = at->group = -1;
	at->table = table;
	at->from = at->to = TICKS_NONE;
}

void
verify_finding_init(const struct verify *v, struct verify_finding *f,
    enum verify_severity severity, const char *kind)
{

	memset(f, 0, sizeof(*f));
	f->severity = severity;
	f->kind = kind;
	verify_place_init(&f->at, v->table != NULL ? v->table->name : NULL);
}

void
verify_tell(struct verify *v, struct verify_finding *f, const char *fmt, ...)
{
	char text[1000];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	f->text = text;
	if (f->severity == VERIFY_ERROR)
		v->result->errors++;
	else
		v->result->notes++;
	v->opt->finding(v->opt->cookie, f);
	f->text = NULL;
}

/* By the name below the data folder: another day, another part; the same
 * part on another machine. */
bool
verify_wanted(const struct verify *v, const char *path)
{
	size_t n = strlen(v->opt->data_dir);
	uint64_t h;

	if (v->opt->parts == 0 && v->opt->per_million == 0)
		return (true);
	if (strncmp(path, v->opt->data_dir, n) == 0)
		path += n;
	h = hash64(path, strlen(path), 0);
	if (v->opt->parts > 0 && h % v->opt->parts != v->opt->part - 1)
		return (false);
	h = hash_mix(h ^ v->opt->seed);
	return (v->opt->per_million == 0 || h % 1000000 <
	    v->opt->per_million);
}

void
verify_progress(struct verify *v, uint64_t bytes)
{

	v->result->bytes += bytes;
	if (v->opt->progress != NULL)
		v->opt->progress(v->opt->cookie, v->result->bytes,
		    v->bytes_all > v->result->bytes ? v->bytes_all :
		    v->result->bytes);
}

/* --- groups -------------------------------------------------------------- */

struct verify_group *
verify_group_add(struct verify *v, uint32_t number)
{
	struct verify_group *g;
	size_t i;

	for (i = 0; i < v->ngroups; i++)
		if (v->groups[i].number == number)
			return (&v->groups[i]);
	v->groups = must_realloc(v->groups, v->ngroups + 1,
	    sizeof(v->groups[0]));
	g = &v->groups[v->ngroups++];
	memset(g, 0, sizeof(*g));
	g->number = number;
	g->dir = must_sprintf("%s/bronze/%s/%s/group-%u", v->opt->data_dir,
	    v->opt->source, v->table->name, number);
	return (g);
}

static int
add_known(const char *table, uint32_t number, const struct ledger_group *lg,
    void *cookie)
{
	struct verify *v = cookie;
	struct verify_group *g = verify_group_add(v, number);

	(void)table;
	g->known = true;
	g->g = *lg;
	return (0);
}

int
verify_groups_read(struct verify *v, struct err *e)
{
	struct ledger_txn *txn;
	int rc;

	if (v->ledger == NULL)
		return (0);
	if ((rc = ledger_read_begin(v->ledger, &txn, e)) != 0)
		return (rc);
	rc = ledger_group_each(txn, v->table->name, add_known, v, e);
	ledger_read_end(txn);
	return (rc);
}

/* Journals that are on disk, whether the ledger knows of them or not. */
int
verify_groups_list(struct verify *v, struct err *e)
{
	uint64_t number;
	char **names, *dir;
	size_t i, n;
	int rc;

	dir = must_sprintf("%s/bronze/%s/%s", v->opt->data_dir,
	    v->opt->source, v->table->name);
	rc = sys_list_dir(dir, &names, &n, e);
	free(dir);
	if (rc != 0)
		return (rc);
	for (i = 0; i < n; i++)
		if (strncmp(names[i], "group-", 6) == 0 &&
		    text_u64(names[i] + 6, 0, UINT32_MAX, &number) == 0)
			(void)verify_group_add(v, (uint32_t)number);
	sys_list_free(names, n);
	return (0);
}

void
verify_groups_free(struct verify *v)
{
	size_t i;

	for (i = 0; i < v->ngroups; i++) {
		journal_writer_close(v->groups[i].lock);
		free(v->groups[i].dir);
	}
	free(v->groups);
	v->groups = NULL;
	v->ngroups = 0;
}

/* --- a table ------------------------------------------------------------- */

static void
check_counters(struct verify *v, const struct verify_group *g)
{
	struct verify_finding f;

	if (g->hurt || g->rows == g->g.rows)
		return;
	verify_finding_init(v, &f, VERIFY_ERROR, "ledger.count");
	f.at.path = g->dir;
	f.at.group = g->number;
	verify_tell(v, &f, "the ledger counts %llu rows, the journal has "
	    "%llu", (unsigned long long)g->g.rows,
	    (unsigned long long)g->rows);
}

/* --- objects against the last walk --------------------------------------- */

struct object_check {
	struct verify *v;
	struct verify_group *g;
	struct ledger_txn *txn;
	struct source_object row;
};

static int
compare_object(const struct ledger_object *o, void *cookie)
{
	struct object_check *c = cookie;
	struct verify_finding f;

	if (strcmp(o->name, c->row.name) == 0 &&
	    strcmp(o->kind, c->row.kind) == 0 && !o->gone)
		return (0);
	verify_finding_init(c->v, &f, VERIFY_ERROR, "ledger.object");
	f.at.stream = c->row.name;
	verify_tell(c->v, &f, "the last walk saw it with another name or "
	    "kind than object %u of the ledger has", o->id);
	return (0);
}

static int
check_row(struct object_check *c, struct err *e)
{
	const char *table = c->v->table->name;
	struct verify_finding f;
	uint32_t id;
	int rc;

	rc = ledger_object_find(c->txn, table, c->row.key, &id, e);
	if (rc != 0 || id != 0)
		return (rc != 0 ? rc : ledger_object_each(c->txn, table, id,
		    id, compare_object, c, e));
	verify_finding_init(c->v, &f, VERIFY_ERROR, "ledger.object");
	f.at.stream = c->row.name;
	verify_tell(c->v, &f, "the last walk saw it, the ledger does not "
	    "know it");
	return (0);
}

static int
check_walk(void *cookie, const struct rows *const *rows, uint32_t n,
    struct err *e)
{
	struct object_check *c = cookie;
	struct ledger_group now;
	uint32_t k, i;
	int rc;

	/* Only the last one, and not when there is a later one by now. */
	if (journal_pos_cmp(&c->g->walk_from, &c->g->g.run) != 0)
		return (0);
	if ((rc = ledger_read_begin(c->v->ledger, &c->txn, e)) != 0)
		return (rc);
	rc = ledger_group_get(c->txn, c->v->table->name, c->g->number, &now,
	    e);
	if (journal_pos_cmp(&now.run, &c->g->g.run) != 0)
		n = 0;
	for (k = 0; k < n && rc == 0; k++)
		for (i = 0; rows[k] != NULL && i < rows[k]->n && rc == 0; i++)
			if (source_walk_object(c->v->table, rows[k], i,
			    &c->row))
				rc = check_row(c, e);
	ledger_read_end(c->txn);
	return (rc);
}

static int
check_journals(struct verify *v, struct err *e)
{
	struct object_check objects = { .v = v };
	const struct journal_pos start = { 0, 0 };
	struct verify_group *g;
	size_t i;
	int rc = 0;

	for (i = 0; i < v->ngroups && rc == 0; i++) {
		g = &v->groups[i];
		if (v->ledger != NULL && !g->known)
			continue;
		if (v->ledger != NULL && v->table->is_parent) {
			objects.g = g;
			g->walk = check_walk;
			g->cookie = &objects;
		}
		rc = verify_journal(v, g, &start,
		    v->ledger != NULL ? &g->g.pos : NULL, true, e);
		if (rc == 0 && v->ledger != NULL)
			check_counters(v, g);
	}
	return (rc);
}

static int
check_table(struct verify *v, struct err *e)
{
	int rc;

	verify_cover_init(&v->cover);
	if ((rc = verify_groups_read(v, e)) == 0 &&
	    (rc = verify_groups_list(v, e)) == 0)
		rc = check_journals(v, e);
	if (rc == 0 && v->ledger != NULL && v->table->kind != SOURCE_WALK)
		rc = verify_cover_check(v, e);
	if (rc == 0)
		rc = verify_orphan_journals(v, e);
	if (rc == 0)
		rc = verify_silver(v, e);
	verify_cover_fini(&v->cover);
	verify_groups_free(v);
	return (rc);
}

/* --- the run ------------------------------------------------------------- */

static uint64_t
bytes_of(const struct verify *v, const struct source_table *t)
{
	static const char *const parts[] = { "bronze", "silver" };
	uint64_t sum = 0;
	char *dir;
	size_t i;

	for (i = 0; i < 2; i++) {
		dir = must_sprintf("%s/%s/%s/%s", v->opt->data_dir, parts[i],
		    v->opt->source, t->name);
		sum += sys_tree_bytes(dir);
		free(dir);
	}
	return (sum);
}

int
verify_run(const struct sys *sys, struct ledger *ledger,
    const struct source_table *const *tables,
    const struct verify_options *opt, struct verify_result *result,
    struct err *e)
{
	struct verify v = { .sys = sys, .ledger = ledger, .opt = opt,
	    .result = result };
	size_t i;
	int rc = 0;

	memset(result, 0, sizeof(*result));
	for (i = 0; tables[i] != NULL; i++)
		v.bytes_all += bytes_of(&v, tables[i]);
	for (i = 0; tables[i] != NULL && rc == 0; i++) {
		v.table = tables[i];
		if ((rc = check_table(&v, e)) != 0 && e != NULL)
			(void)err_wrap(e, "%s", tables[i]->name);
	}
	v.table = NULL;
	return (rc != 0 ? rc : verify_orphan_tmp(&v, e));
}
