/*
 * A batch against its cover block: all its blocks of rows are there, the
 * objects named are those of the ledger, each row of a series lies in a
 * record of its stream, and each record has as many rows as it says. What a
 * whole batch covers is then added to the proof; what another covers is not.
 */

#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "base/must.h"
#include "verify/verify_int.h"

#define NOWHERE UINT32_MAX

struct count {
	struct verify *v;
	struct ledger_txn *txn;		/* or NULL: no ledger */
	const struct journal_cover *c;
	size_t n;
	uint32_t *rows;			/* [n] found of each record */
	uint32_t *ids;			/* of the codes of a block */
	uint64_t strays;		/* rows in no record */
	char stray[200];		/* the first's stream */
	int64_t stray_at;
	struct err *err;
};

static void
drop(struct verify_batch *b)
{
	uint32_t i;

	for (i = 0; i < b->n; i++)
		rows_free(b->held[i].rows);
	b->n = 0;
	b->hurt = false;
}

void
verify_batch_fini(struct verify_batch *b)
{

	drop(b);
}

static void
tell_at(struct verify *v, const struct verify_group *g,
    const struct journal_block *k, struct verify_finding *f, const char *kind,
    char **path)
{

	*path = verify_segment_path(g, k->pos.segment);
	verify_finding_init(v, f, VERIFY_ERROR, kind);
	f->at.path = *path;
	f->at.offset = (int64_t)k->pos.offset;
	f->at.group = g->number;
}

void
verify_batch_end(struct verify *v, const struct verify_group *g,
    struct verify_batch *b)
{
	struct verify_finding f;
	char *path;

	if (b->n > 0 && !b->hurt) {
		tell_at(v, g, &b->held[0].block, &f, "journal.batch", &path);
		verify_tell(v, &f, "%u blocks of rows that no cover block "
		    "follows", b->n);
		free(path);
	}
	drop(b);
}

void
verify_batch_add(struct verify *v, const struct verify_group *g,
    struct verify_batch *b, const struct journal_block *k, struct rows *r)
{

	if (b->n > 0 && (b->n == VERIFY_HELD_MAX || memcmp(k->batch_id,
	    b->held[0].block.batch_id, JOURNAL_BATCH_ID) != 0))
		verify_batch_end(v, g, b);
	b->held[b->n].block = *k;
	b->held[b->n++].rows = r;
}

/* --- the objects named --------------------------------------------------- */

struct sum {
	uint64_t keys;
	bool found;
};

static int
add_key(const struct ledger_object *o, void *cookie)
{
	struct sum *s = cookie;

	s->keys += journal_cover_key(o->id, o->key);
	s->found = true;
	return (0);
}

static int
sum_keys(struct count *k, uint64_t *keys)
{
	const struct source_table *over = k->v->table->over;
	struct sum s = { 0, false };
	uint32_t id, last = NOWHERE;
	size_t i;
	int rc;

	for (i = 0; i < k->n; i++) {
		if ((id = k->c[i].object) == last)
			continue;
		last = id;
		if (over == NULL)
			s.keys += journal_cover_key(id, "");
		else if ((rc = ledger_object_each(k->txn, over->name, id, id,
		    add_key, &s, k->err)) != 0)
			return (rc);
	}
	*keys = s.keys;
	return (0);
}

/* --- rows ---------------------------------------------------------------- */

static int
id_of(struct count *k, const struct rows *r, uint32_t col, uint32_t code,
    uint32_t *id)
{
	const char *text;
	char *key;
	size_t n;
	int rc;

	text = rows_dict_str(&r->v[col].dict, code, &n);
	key = must_strndup(text, n);
	rc = ledger_object_find(k->txn, k->v->table->over->name, key, id,
	    k->err);
	free(key);
	return (rc);
}

/* The record of a row: that of the row before, most often. */
static size_t
record_of(const struct count *k, uint32_t id, int64_t t)
{
	size_t lo = 0, hi = k->n, mid;

	while (lo < hi) {		/* the last with (object, a) <= */
		mid = lo + (hi - lo) / 2;
		if (k->c[mid].object < id ||
		    (k->c[mid].object == id && k->c[mid].a <= t))
			lo = mid + 1;
		else
			hi = mid;
	}
	if (lo == 0 || k->c[lo - 1].object != id || t >= k->c[lo - 1].b)
		return (SIZE_MAX);
	return (lo - 1);
}

static void
note_stray(struct count *k, const struct rows *r, uint32_t col, uint32_t i,
    int64_t t)
{
	const char *text;
	size_t n;

	if (k->strays++ > 0)
		return;
	text = rows_str(r, col, i, &n);
	if (n >= sizeof(k->stray))
		n = sizeof(k->stray) - 1;
	memcpy(k->stray, text, n);
	k->stray[n] = '\0';
	k->stray_at = t;
}

static int
count_block(struct count *k, const struct rows *r, uint32_t col,
    uint32_t cursor)
{
	const struct rows_vec *key = &r->v[col];
	size_t at = SIZE_MAX;
	uint32_t i, code;
	int64_t t;
	int rc;

	k->ids = must_realloc(k->ids, key->dict.n + 1, sizeof(k->ids[0]));
	for (i = 0; i < key->dict.n; i++)
		k->ids[i] = NOWHERE;
	for (i = 0; i < r->n; i++) {
		code = key->code[i];
		if (k->ids[code] == NOWHERE &&
		    (rc = id_of(k, r, col, code, &k->ids[code])) != 0)
			return (rc);
		t = r->v[cursor].i64[i];
		if (at == SIZE_MAX || k->c[at].object != k->ids[code] ||
		    t < k->c[at].a || t >= k->c[at].b)
			at = record_of(k, k->ids[code], t);
		if (at == SIZE_MAX)
			note_stray(k, r, col, i, t);
		else
			k->rows[at]++;
	}
	return (0);
}

/* Each row of each block into its record. False: there is nothing to tell
 * by, the rows are not of a series or were not decoded. */
static int
count_rows(struct count *k, const struct verify_batch *b, bool *counted)
{
	const struct source_table *t = k->v->table;
	const struct rows *r;
	int col, cursor, rc;
	uint32_t i;

	*counted = false;
	if (t->kind != SOURCE_SERIES || t->over == NULL || t->cursor < 0 ||
	    k->txn == NULL)
		return (0);
	for (i = 0; i < b->n; i++) {
		if ((r = b->held[i].rows) == NULL)
			return (0);
		col = rows_schema_find(r->schema,
		    t->schema->cols[t->key[0]].name);
		cursor = rows_schema_find(r->schema,
		    t->schema->cols[t->cursor].name);
		if (col < 0 || cursor < 0 ||
		    r->schema->cols[col].type != ROWS_STRING ||
		    r->schema->cols[cursor].type != ROWS_TICKS)
			return (0);
		if ((rc = count_block(k, r, (uint32_t)col,
		    (uint32_t)cursor)) != 0)
			return (rc);
	}
	*counted = true;
	return (0);
}

/* --- judging ------------------------------------------------------------- */

static void
tell_counts(struct count *k, const struct verify_group *g,
    const struct journal_block *block)
{
	struct verify_finding f;
	char *path;
	size_t i;

	for (i = 0; i < k->n && k->rows[i] == k->c[i].rows; i++)
		continue;
	if (k->strays == 0 && i == k->n)
		return;
	tell_at(k->v, g, block, &f, "journal.cover", &path);
	if (k->strays > 0) {
		f.at.stream = k->stray;
		f.at.from = k->stray_at;
		f.at.to = k->stray_at + 1;
		verify_tell(k->v, &f, "%llu rows of the batch lie outside "
		    "of what it covers", (unsigned long long)k->strays);
	} else {
		f.at.from = k->c[i].a;
		f.at.to = k->c[i].b;
		verify_tell(k->v, &f, "object %u has %u rows in the batch, "
		    "its record tells %u", k->c[i].object, k->rows[i],
		    k->c[i].rows);
	}
	free(path);
}

static void
tell_total(struct count *k, const struct verify_group *g,
    const struct verify_batch *b, const struct journal_block *block)
{
	uint64_t held = 0, told = 0;
	struct verify_finding f;
	char *path;
	size_t i;

	for (i = 0; i < b->n; i++)
		held += b->held[i].block.nrows;
	for (i = 0; i < k->n; i++)
		told += k->c[i].rows;
	if (held == told)
		return;
	tell_at(k->v, g, block, &f, "journal.cover", &path);
	verify_tell(k->v, &f, "the batch has %llu rows, its records tell "
	    "%llu", (unsigned long long)held, (unsigned long long)told);
	free(path);
}

/* Whether the ids mean the same objects still. */
static int
check_keys(struct count *k, const struct verify_group *g,
    const struct journal_block *block, uint64_t want, bool *good)
{
	struct verify_finding f;
	uint64_t keys = want;
	char *path;
	int rc;

	*good = true;
	if (k->txn == NULL)
		return (0);		/* nothing to hold it against */
	if ((rc = sum_keys(k, &keys)) != 0)
		return (rc);
	if ((*good = keys == want))
		return (0);
	tell_at(k->v, g, block, &f, "journal.objects", &path);
	verify_tell(k->v, &f, "the batch covers other objects than those "
	    "that have these ids in the ledger");
	free(path);
	return (0);
}

/* A walk that is whole; its rows for who wants them. */
static int
take_walk(struct verify_group *g, const struct verify_batch *b,
    const struct journal_block *block, struct err *e)
{
	const struct rows *rows[VERIFY_HELD_MAX];
	uint32_t i;

	g->walk_from = g->batch_from;
	g->walk_end = block->pos;
	g->walk_end.offset += block->stored_bytes;
	for (i = 0; i < b->n; i++)
		rows[i] = b->held[i].rows;
	return (g->walk != NULL ? g->walk(g->cookie, rows, b->n, e) :
	    0);
}

static int
judge(struct count *k, struct verify_group *g, struct verify_batch *b,
    const struct journal_block *block, const struct journal_batch *batch)
{
	const struct rows *rows[VERIFY_HELD_MAX];
	bool good = true, counted = false;
	size_t i;
	int rc;

	g->batches++;
	g->requests += batch->requests;
	g->committed = block->ingested;
	if (batch->walk) {
		tell_total(k, g, b, block);
		return (take_walk(g, b, block, k->err));
	}
	if ((rc = check_keys(k, g, block, batch->keys, &good)) != 0 || !good)
		return (rc);
	if ((rc = count_rows(k, b, &counted)) != 0)
		return (rc);
	if (counted)
		tell_counts(k, g, block);
	else
		tell_total(k, g, b, block);
	for (i = 0; i < k->n; i++)
		if (k->c[i].b > g->newest)
			g->newest = k->c[i].b;
	for (i = 0; i < k->n; i++)
		verify_cover_add(&k->v->cover, &k->c[i], k->v->tail > 0 ?
		    g->newest - k->v->tail : INT64_MIN, block->ingested);
	if (g->frames == NULL)
		return (0);
	for (i = 0; i < b->n; i++)
		rows[i] = b->held[i].rows;
	return (g->frames(g->cookie, rows, b->n, k->c, k->n, k->err));
}

int
verify_batch_cover(struct verify *v, struct verify_group *g,
    struct verify_batch *b, const struct journal_block *block,
    const struct journal_batch *batch, const struct journal_cover *c, size_t n,
    struct err *e)
{
	struct count k = { .v = v, .c = c, .n = n, .err = e };
	struct verify_finding f;
	char *path;
	int rc = 0;

	if (b->n > 0 && memcmp(block->batch_id, b->held[0].block.batch_id,
	    JOURNAL_BATCH_ID) != 0)
		verify_batch_end(v, g, b);
	if (b->n != batch->blocks) {
		if (b->hurt)		/* told already */
			goto out;
		tell_at(v, g, block, &f, "journal.batch", &path);
		verify_tell(v, &f, "%u of %u blocks of rows of the batch are "
		    "there; what it covers does not count", b->n,
		    batch->blocks);
		free(path);
		goto out;
	}
	if (v->ledger != NULL &&
	    (rc = ledger_read_begin(v->ledger, &k.txn, e)) != 0)
		goto out;
	k.rows = must_calloc(n, sizeof(k.rows[0]));
	rc = judge(&k, g, b, block, batch);
	ledger_read_end(k.txn);
	free(k.rows);
	free(k.ids);
out:
	drop(b);
	return (rc);
}
