#include "config.h"

#include <sys/stat.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/hash.h"
#include "base/must.h"
#include "base/ticks.h"
#include "delta/delta.h"
#include "ledger/ledger.h"
#include "power_check.h"
#include "power_disk.h"
#include "rows/rows.h"
#include "sys/sys.h"

#define SERIES "pi_timeseries"
#define POINTS "pi_points"
#define SOURCE "pi"
#define FILE_MAX (64u << 20)

/* A value of a stream; the streams are numbered by their objects. */
struct event {
	uint32_t id;
	int64_t tick;
	bool seen;		/* in the journals of this state */
};

struct group {
	char *table;
	uint32_t number;
	struct ledger_group g;
};

struct stream_name {
	char *key;
	uint32_t id;
};

struct check {
	struct disk *disk;
	const char *dir;
	struct event *events;	/* sorted; what will be there in the end */
	size_t nevents;
	bool learning;
	struct stream_name *names;
	size_t nnames;
	struct group *groups;
	size_t ngroups;
	char instance[40];
	uint64_t *good;		/* hashes of what was found good, a table */
	size_t ngood;
	struct err *err;
};

#define GOOD_SLOTS 65536

struct check *
check_new(struct disk *disk, const char *dir)
{
	struct check *c = must_calloc(1, sizeof(*c));

	c->disk = disk;
	c->dir = dir;
	c->good = must_calloc(GOOD_SLOTS, sizeof(c->good[0]));
	return (c);
}

static void
forget(struct check *c)
{
	size_t i;

	for (i = 0; i < c->ngroups; i++)
		free(c->groups[i].table);
	c->ngroups = 0;
	for (i = 0; i < c->nnames; i++)
		free(c->names[i].key);
	c->nnames = 0;
}

void
check_free(struct check *c)
{

	forget(c);
	free(c->groups);
	free(c->names);
	free(c->events);
	free(c->good);
	free(c);
}

void
check_set_disk(struct check *c, struct disk *disk)
{

	c->disk = disk;
}

/* Was the very same thing found good before? Remembered by its hash. */
static bool
known_good(const struct check *c, uint64_t hash)
{

	return (hash != 0 && c->good[hash % GOOD_SLOTS] == hash);
}

static void
now_good(struct check *c, uint64_t hash)
{

	c->good[hash % GOOD_SLOTS] = hash;
}

/* --- the ledger ---------------------------------------------------------- */

static int
add_group(const char *table, uint32_t number, const struct ledger_group *g,
    void *cookie)
{
	struct check *c = cookie;

	c->groups = must_realloc(c->groups, c->ngroups + 1,
	    sizeof(c->groups[0]));
	c->groups[c->ngroups++] = (struct group){ must_strdup(table), number,
	    *g };
	return (0);
}

static int
add_name(const struct ledger_object *o, void *cookie)
{
	struct check *c = cookie;

	c->names = must_realloc(c->names, c->nnames + 1,
	    sizeof(c->names[0]));
	c->names[c->nnames++] = (struct stream_name){ must_strdup(o->key),
	    o->id };
	return (0);
}

static uint32_t
id_of(const struct check *c, const char *key, size_t len)
{
	size_t i;

	for (i = 0; i < c->nnames; i++)
		if (strncmp(c->names[i].key, key, len) == 0 &&
		    c->names[i].key[len] == '\0')
			return (c->names[i].id);
	return (0);
}

/* --- events -------------------------------------------------------------- */

static int
event_cmp(const void *a, const void *b)
{
	const struct event *x = a, *y = b;

	if (x->id != y->id)
		return (x->id < y->id ? -1 : 1);
	return ((x->tick > y->tick) - (x->tick < y->tick));
}

static void
see_event(struct check *c, uint32_t id, int64_t tick)
{
	struct event key = { .id = id, .tick = tick }, *p;

	if (c->learning) {
		c->events = must_realloc(c->events, c->nevents + 1,
		    sizeof(c->events[0]));
		c->events[c->nevents++] = key;
		return;
	}
	p = bsearch(&key, c->events, c->nevents, sizeof(key), event_cmp);
	if (p != NULL)
		p->seen = true;
}

static int
see_rows(struct check *c, const struct rows *r)
{
	const struct rows_schema *s = r->schema;
	const char *key;
	uint32_t i, col, tag = UINT32_MAX, when = UINT32_MAX;
	size_t len;

	for (col = 0; col < s->ncols; col++) {
		if (strcmp(s->cols[col].name, "tag_webid") == 0)
			tag = col;
		else if (strcmp(s->cols[col].name, "timestamp") == 0)
			when = col;
	}
	if (tag == UINT32_MAX || when == UINT32_MAX)
		return (0);
	for (i = 0; i < r->n; i++) {
		key = rows_str(r, tag, i, &len);
		see_event(c, id_of(c, key, len), r->v[when].i64[i]);
	}
	return (0);
}

/* What the stream says it has, it has. */
static int
check_covered(struct check *c, uint32_t id, const struct ranges *covered)
{
	const struct event *p;
	char text[TICKS_TEXT_MAX];
	size_t i;

	for (i = 0; i < c->nevents; i++) {
		p = &c->events[i];
		if (p->id != id || p->seen ||
		    !ranges_contains(covered, p->tick, p->tick + 1))
			continue;
		(void)ticks_text7(p->tick, text);
		return (err_set(c->err, ERR_CORRUPT, "stream %u covers %s "
		    "and its journal has no such row", id, text));
	}
	return (0);
}

static int
check_coverage(struct check *c, struct ledger_txn *txn)
{
	struct ledger_stream s;
	size_t i;
	int rc = 0;

	ledger_stream_init(&s);
	for (i = 0; i < c->nnames && rc == 0; i++) {
		rc = ledger_stream_get(txn, SERIES, c->names[i].id, &s,
		    c->err);
		if (rc == 0)
			rc = check_covered(c, c->names[i].id, &s.covered);
	}
	ledger_stream_fini(&s);
	return (rc);
}

/* --- journals ------------------------------------------------------------ */

static int
read_blocks(struct check *c, const struct group *g, struct journal_reader *r,
    uint64_t *nrows)
{
	const struct rows_schema *schema;
	struct journal_block block;
	struct rows *rows;
	int rc;

	*nrows = 0;
	while ((rc = journal_reader_next(r, &block, &schema, c->err)) > 0) {
		rows = rows_new(schema);
		rc = journal_reader_rows(r, rows, c->err);
		if (rc == 0 && strcmp(g->table, SERIES) == 0)
			rc = see_rows(c, rows);
		*nrows += rows->n;
		rows_free(rows);
		if (rc != 0)
			break;
	}
	return (rc);
}

static int
read_journal(struct check *c, const struct group *g, const char *dir)
{
	static const struct journal_pos zero;
	struct journal_reader *r;
	uint64_t nrows;
	int rc;

	if (journal_pos_cmp(&g->g.pos, &zero) == 0)
		return (0);
	if ((rc = journal_reader_open(sys_posix(), dir, &zero, &g->g.pos,
	    false, &r, c->err)) != 0)
		return (rc);
	rc = read_blocks(c, g, r, &nrows);
	journal_reader_close(r);
	if (rc == 0 && nrows != g->g.rows)
		rc = err_set(c->err, ERR_CORRUPT, "%llu rows, the ledger "
		    "counts %llu", (unsigned long long)nrows,
		    (unsigned long long)g->g.rows);
	return (rc);
}

/* Open as the next run does, which cuts back; then read it all. */
static int
check_journal(struct check *c, const struct group *g)
{
	struct journal_writer *w;
	char *name, *dir;
	uint64_t hash;
	bool known;
	int rc = 0;

	name = must_sprintf("/bronze/" SOURCE "/%s/group-%u/", g->table,
	    g->number);
	dir = must_sprintf("%s%s", c->dir, name);
	dir[strlen(dir) - 1] = '\0';
	hash = hash_mix(disk_hash(c->disk, name)) ^ hash_mix(g->g.rows) ^
	    hash_mix((uint64_t)journal_pos_pack(&g->g.pos));
	known = known_good(c, hash);
	if (!known) {
		disk_dirty(c->disk, name);
		rc = journal_writer_open(sys_posix(), dir, &g->g.pos, &w,
		    NULL, c->err);
		if (rc == 0)
			journal_writer_close(w);
	}
	if (rc == 0 && (!known || strcmp(g->table, SERIES) == 0))
		rc = read_journal(c, g, dir);
	if (rc == 0)
		now_good(c, hash);
	free(dir);
	free(name);
	return (rc);
}

/* --- tables -------------------------------------------------------------- */

static int
check_file(struct check *c, const char *dir, const struct delta_file *f)
{
	char *path = must_sprintf("%s/%s", dir, f->path), *data;
	size_t n;
	int rc;

	rc = sys_read_file(sys_posix(), path, FILE_MAX, &data, &n, c->err);
	if (rc == 0 && (n != f->bytes || hash64(data, n, 0) != f->xxh64))
		rc = err_set(c->err, ERR_CORRUPT, "%s is not what the log "
		    "says", path);
	free(data);
	free(path);
	return (rc);
}

static int
check_ahead(struct check *c, const char *table, const struct delta_snapshot *s)
{
	const struct group *g;
	char app[100];
	size_t i;

	for (i = 0; i < c->ngroups; i++) {
		g = &c->groups[i];
		if (strcmp(g->table, table) != 0)
			continue;
		(void)snprintf(app, sizeof(app), "garner/%s/%u", c->instance,
		    g->number);
		if (delta_snapshot_txn(s, app) > journal_pos_pack(&g->g.pos))
			return (err_set(c->err, ERR_CORRUPT, "%s is ahead of "
			    "the ledger", table));
	}
	return (0);
}

static int
check_table(struct check *c, const char *table, int64_t *version)
{
	char *name = must_sprintf("/silver/" SOURCE "/%s/", table);
	char *dir = must_sprintf("%s%s", c->dir, name);
	uint64_t hash = disk_hash(c->disk, name) ^ 1;
	struct delta_snapshot s;
	struct delta_table *t;
	size_t i;
	int rc;

	dir[strlen(dir) - 1] = '\0';
	t = delta_open(sys_posix(), dir, NULL);
	if ((rc = delta_load(t, &s, c->err)) != 0)
		goto out;
	*version = s.version;
	rc = check_ahead(c, table, &s);
	if (rc == 0 && !known_good(c, hash))
		for (i = 0; i < s.nfiles && rc == 0; i++)
			rc = check_file(c, dir, &s.files[i]);
	if (rc == 0)
		now_good(c, hash);
	delta_snapshot_fini(&s);
out:
	delta_close(t);
	free(dir);
	free(name);
	return (rc);
}

static int
check_tables(struct check *c, uint64_t *versions)
{
	char **names, *dir;
	int64_t version;
	size_t i, n;
	int rc;

	*versions = 0;
	dir = must_sprintf("%s/silver/" SOURCE, c->dir);
	rc = sys_list_dir(dir, &names, &n, c->err);
	free(dir);
	for (i = 0; rc == 0 && i < n; i++) {
		rc = check_table(c, names[i], &version);
		if (rc == 0)
			*versions += (uint64_t)(version + 1);
	}
	if (rc == 0 || n > 0)
		sys_list_free(names, n);
	return (rc);
}

/* --- all of it ----------------------------------------------------------- */

static int
check_txn(struct check *c, struct ledger_txn *txn, uint64_t *batches)
{
	size_t i;
	int rc;

	if ((rc = ledger_check(txn, c->err)) != 0 ||
	    (rc = ledger_group_each(txn, NULL, add_group, c, c->err)) != 0 ||
	    (rc = ledger_object_each(txn, POINTS, 1, UINT32_MAX, add_name, c,
	    c->err)) != 0)
		return (rc);
	for (i = 0; i < c->nevents; i++)
		c->events[i].seen = false;
	*batches = 0;
	for (i = 0; i < c->ngroups && rc == 0; i++) {
		*batches += c->groups[i].g.batches;
		rc = check_journal(c, &c->groups[i]);
	}
	if (rc == 0 && !c->learning)
		rc = check_coverage(c, txn);
	return (rc);
}

static int
check_ledger(struct check *c, uint64_t *batches)
{
	struct ledger_txn *txn;
	struct ledger *l;
	char *dir;
	int rc;

	dir = must_sprintf("%s/ledger", c->dir);
	if ((rc = ledger_open(dir, false, &l, c->err)) != 0)
		goto out;
	(void)snprintf(c->instance, sizeof(c->instance), "%s",
	    ledger_instance(l));
	if ((rc = ledger_read_begin(l, &txn, c->err)) == 0) {
		rc = check_txn(c, txn, batches);
		ledger_read_end(txn);
	}
	ledger_close(l);
out:
	free(dir);
	return (rc);
}

int
check_state(struct check *c, struct check_seen *seen, struct err *e)
{
	struct stat st;
	char *file;
	int rc;

	memset(seen, 0, sizeof(*seen));
	c->err = e;
	forget(c);
	/* Without a ledger a run begins anew; whether one had been promised
	 * is for who asks. */
	file = must_sprintf("%s/ledger/data.mdb", c->dir);
	rc = stat(file, &st);
	free(file);
	if (rc != 0)
		return (0);
	disk_dirty(c->disk, "/ledger/");
	if ((rc = check_ledger(c, &seen->batches)) != 0)
		return (rc);
	return (check_tables(c, &seen->versions));
}

void
check_learn(struct check *c)
{
	struct check_seen seen;
	struct err e = ERR_INIT;
	size_t i, n = 0;

	c->learning = true;
	if (check_state(c, &seen, &e) != 0) {
		fprintf(stderr, "the end is not good: %s\n", e.text);
		exit(1);
	}
	c->learning = false;
	qsort(c->events, c->nevents, sizeof(c->events[0]), event_cmp);
	for (i = 0; i < c->nevents; i++)	/* read twice, or a tie */
		if (n == 0 || event_cmp(&c->events[n - 1],
		    &c->events[i]) != 0)
			c->events[n++] = c->events[i];
	c->nevents = n;
	MUST(n > 0);
}
