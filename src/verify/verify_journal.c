/*
 * A journal, block by block. Damage is told with file and offset, and
 * reading goes on behind it; what follows until the next cover block cannot
 * be a whole batch. Rows are decoded where the segment is in the sample.
 */

#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "base/base_limits.h"
#include "base/must.h"
#include "verify/verify_int.h"

struct reading {
	struct verify *v;
	struct verify_group *g;
	struct journal_reader *r;
	struct verify_batch *batch;
	bool deep;
	struct err *err;
};

char *
verify_segment_path(const struct verify_group *g, uint32_t segment)
{

	return (must_sprintf("%s/%08u.gj", g->dir, segment));
}

static bool
wants(void *cookie, uint32_t segment)
{
	struct reading *x = cookie;
	char *path;
	bool yes;

	if (!x->deep)
		return (false);
	path = verify_segment_path(x->g, segment);
	yes = verify_wanted(x->v, path);
	free(path);
	return (yes);
}

/* --- damage -------------------------------------------------------------- */

/* "path: offset N: what": the first two stand in fields of their own. */
static const char *
what_of(const struct err *e, const char *path)
{
	const char *p = e->text;
	size_t n = strlen(path);

	if (strncmp(p, path, n) != 0)
		return (p);
	p += n;
	if (strncmp(p, ": offset ", 9) == 0)
		p = strchr(p + 9, ':');
	if (p == NULL)
		return (e->text);
	return (p + strspn(p, ": "));
}

static void
tell_damage(struct reading *x, const struct journal_pos *at,
    const struct err *why, uint64_t skipped)
{
	char *path = verify_segment_path(x->g, at->segment);
	struct verify_finding f;

	verify_finding_init(x->v, &f, VERIFY_ERROR, at->offset == 0 ?
	    "journal.segment" : "journal.block");
	f.at.path = path;
	f.at.offset = (int64_t)at->offset;
	f.at.group = x->g->number;
	if (skipped > 0)
		verify_tell(x->v, &f, "%s; %llu bytes cannot be read",
		    what_of(why, path), (unsigned long long)skipped);
	else
		verify_tell(x->v, &f, "%s", what_of(why, path));
	free(path);
}

/* 1 to go on, 0 at the end. */
static int
pass_over(struct reading *x, const struct err *why)
{
	struct journal_pos at = journal_reader_damage(x->r);
	uint64_t skipped = 0;
	int rc;

	rc = journal_reader_resync(x->r, &skipped, x->err);
	if (rc < 0)
		return (rc);
	tell_damage(x, &at, why, skipped);
	x->batch->hurt = x->g->hurt = true;
	return (rc);
}

/* --- blocks -------------------------------------------------------------- */

static void
check_ticks(struct reading *x, const struct journal_block *k,
    const struct rows *r)
{
	const struct source_table *t = x->v->table;
	struct verify_finding f;
	int64_t at, first = INT64_MAX, last = INT64_MIN;
	uint32_t i;
	char *path;
	int c = -1;

	if (t->cursor >= 0)
		c = rows_schema_find(r->schema,
		    t->schema->cols[t->cursor].name);
	if (c < 0 || r->schema->cols[c].type != ROWS_TICKS ||
	    k->first_tick == TICKS_NONE)
		return;
	for (i = 0; i < r->n; i++) {
		if (rows_null(r, (uint32_t)c, i))
			continue;
		at = r->v[c].i64[i];
		first = at < first ? at : first;
		last = at > last ? at : last;
	}
	if (first == k->first_tick && last == k->last_tick)
		return;
	path = verify_segment_path(x->g, k->pos.segment);
	verify_finding_init(x->v, &f, VERIFY_ERROR, "journal.times");
	f.at.path = path;
	f.at.offset = (int64_t)k->pos.offset;
	f.at.group = x->g->number;
	f.at.from = k->first_tick;
	f.at.to = k->last_tick;
	verify_tell(x->v, &f, "the times of the rows are not those that the "
	    "block's header tells");
	free(path);
}

/* Rows of a series are held against their cover by key and time; all of a
 * walk is looked at. */
static int
decode(struct reading *x, const struct rows_schema *s, struct rows *r,
    struct err *why)
{
	const struct source_table *t = x->v->table;
	bool wanted[LIMIT_COLUMNS] = { false };
	uint32_t k;
	int c;

	if (t->kind != SOURCE_SERIES || t->cursor < 0)
		return (journal_reader_rows(x->r, r, why));
	for (k = 0; k <= t->nkey; k++) {
		c = rows_schema_find(s, t->schema->cols[k < t->nkey ?
		    t->key[k] : (uint32_t)t->cursor].name);
		if (c >= 0)
			wanted[c] = true;
	}
	return (journal_reader_rows_only(x->r, r, wanted, why));
}

static int
take_rows(struct reading *x, const struct journal_block *k,
    const struct rows_schema *s)
{
	struct err why = ERR_INIT;
	struct rows *r = NULL;
	int rc;

	x->g->rows += k->nrows;
	if (s != NULL && wants(x, k->pos.segment)) {
		r = rows_new(s);
		rc = decode(x, s, r, &why);
		if (rc == ERR_CORRUPT) {
			tell_damage(x, &k->pos, &why, 0);
			x->batch->hurt = x->g->hurt = true;
			rows_free(r);
			return (0);
		}
		if (rc != 0) {
			rows_free(r);
			return (err_set(x->err, rc, "%s", why.text));
		}
		check_ticks(x, k, r);
		x->v->result->rows += r->n;
	}
	verify_batch_add(x->v, x->g, x->batch, k, r);
	return (0);
}

static int
take_cover(struct reading *x, const struct journal_block *k)
{
	struct err why = ERR_INIT;
	const struct journal_cover *c;
	struct journal_batch b;
	size_t n;
	int rc;

	rc = journal_reader_cover(x->r, &b, &c, &n, &why);
	if (rc == ERR_CORRUPT) {
		tell_damage(x, &k->pos, &why, 0);
		x->batch->hurt = x->g->hurt = true;
		return (0);
	}
	if (rc != 0)
		return (err_set(x->err, rc, "%s", why.text));
	rc = verify_batch_cover(x->v, x->g, x->batch, k, &b, c, n, x->err);
	x->g->batch_from = journal_reader_pos(x->r);
	return (rc);
}

/* Taken out by a repair: told for those who look, no damage. */
static int
take_hole(struct reading *x, const struct journal_block *k)
{
	char *path = verify_segment_path(x->g, k->pos.segment);
	struct verify_finding f;

	verify_finding_init(x->v, &f, VERIFY_NOTE, "journal.hole");
	f.at.path = path;
	f.at.offset = (int64_t)k->pos.offset;
	f.at.group = x->g->number;
	verify_tell(x->v, &f, "%u bytes were lost here, and taken out by a "
	    "repair", k->stored_bytes);
	free(path);
	x->batch->hurt = true;
	return (0);
}

static int
read_all(struct reading *x)
{
	const struct rows_schema *s;
	struct err why = ERR_INIT;
	struct journal_block k;
	int rc;

	for (;;) {
		rc = journal_reader_next(x->r, &k, &s, &why);
		if (rc == ERR_CORRUPT) {
			if ((rc = pass_over(x, &why)) <= 0)
				return (rc);
			continue;
		}
		if (rc < 0)
			return (err_set(x->err, rc, "%s", why.text));
		if (rc == 0)
			return (0);
		rc = k.hole ? take_hole(x, &k) : k.cover ?
		    take_cover(x, &k) : take_rows(x, &k, s);
		if (rc != 0)
			return (rc);
		x->v->result->blocks++;
		x->g->bytes += k.stored_bytes;
		verify_progress(x->v, k.stored_bytes);
	}
}

int
verify_journal(struct verify *v, struct verify_group *g,
    const struct journal_pos *from, const struct journal_pos *to, bool deep,
    struct err *e)
{
	struct reading x = { .v = v, .g = g, .deep = deep, .err = e };
	struct err why = ERR_INIT;
	struct journal_pos at;
	int rc;

	rc = journal_reader_open(v->sys, g->dir, from, to, false, &x.r, &why);
	if (rc == ERR_CORRUPT) {
		g->hurt = true;
		at = (struct journal_pos){ to != NULL ? to->segment : 1, 0 };
		tell_damage(&x, &at, &why, 0);
		return (0);
	}
	if (rc != 0)
		return (err_set(e, rc, "%s", why.text));
	x.batch = must_calloc(1, sizeof(*x.batch));
	journal_reader_show_covers(x.r);
	journal_reader_skim(x.r, wants, &x);
	rc = read_all(&x);
	if (rc == 0)
		verify_batch_end(v, g, x.batch);
	verify_batch_fini(x.batch);
	free(x.batch);
	journal_reader_close(x.r);
	return (rc);
}
