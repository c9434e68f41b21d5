/*
 * What silver looks like for a table, and how its rows compare. The columns
 * are the journal's, with the ticks below a microsecond in a column of their
 * own where they are part of a series' key; our three columns come last. A
 * plan is made once for a run and read by everyone. Journals and data files
 * of earlier days may lack columns of today (they become null); a column
 * that changed its type is ERR_UNSUPPORTED.
 */

#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/base_limits.h"
#include "base/err.h"
#include "base/must.h"
#include "compact/compact_int.h"
#include "source/source.h"

#define INGESTED "ingestion_timestamp"
#define GROUP "pipeline_group"
#define BATCH "batch_id"

static bool
is_key(const struct source_table *t, uint32_t c)
{
	uint32_t k;

	for (k = 0; k < t->nkey; k++)
		if (t->key[k] == c)
			return (true);
	return (false);
}

static bool
is_ours(const char *name)
{

	return (strcmp(name, INGESTED) == 0 || strcmp(name, GROUP) == 0 ||
	    strcmp(name, BATCH) == 0);
}

/* Whether the column's time is kept to the tick. */
static bool
keeps_ticks(const struct source_table *t, uint32_t c)
{

	return (t->kind == SOURCE_SERIES &&
	    t->schema->cols[c].type == ROWS_TICKS &&
	    (is_key(t, c) || t->cursor == (int)c));
}

static void
add_col(struct rows_col *cols, uint32_t *n, const char *name,
    enum rows_type type, bool required)
{
	struct rows_col *c = &cols[(*n)++];

	memset(c, 0, sizeof(*c));
	snprintf(c->name, sizeof(c->name), "%s", name);
	c->type = type;
	c->required = required;
}

static void
rest_name(const char *name, char *out)
{

	snprintf(out, ROWS_NAME_MAX, "%.*s_ticks", ROWS_NAME_MAX - 7, name);
}

struct rows_schema *
compact_schema(const struct source_table *t, bool ties_all)
{
	const struct rows_schema *from = t->schema;
	struct rows_schema *s;
	struct rows_col *cols;
	char name[ROWS_NAME_MAX];
	uint32_t c, n = 0;

	cols = must_calloc((size_t)from->ncols * 2 + 3, sizeof(*cols));
	for (c = 0; c < from->ncols; c++) {
		if (is_ours(from->cols[c].name))
			continue;
		if (t->kind == SOURCE_SERIES && t->ordinal == (int)c &&
		    !ties_all)
			continue;
		add_col(cols, &n, from->cols[c].name, from->cols[c].type,
		    from->cols[c].required || is_key(t, c) ||
		    (t->kind == SOURCE_SERIES && t->ordinal == (int)c));
		if (!keeps_ticks(t, c))
			continue;
		rest_name(from->cols[c].name, name);
		add_col(cols, &n, name, ROWS_INT32, cols[n - 1].required);
	}
	add_col(cols, &n, INGESTED, ROWS_TICKS, false);
	add_col(cols, &n, GROUP, ROWS_INT32, false);
	add_col(cols, &n, BATCH, ROWS_STRING, false);
	s = rows_schema_new(t->name, cols, n);
	free(cols);
	return (s);
}

/* The column of silver that a column of the journal became. */
static uint32_t
silver_col(const struct compact_plan *p, uint32_t c)
{
	int i = rows_schema_find(p->schema, p->table->schema->cols[c].name);

	MUST(i >= 0);
	return ((uint32_t)i);
}

static void
plan_keys(struct compact_plan *p)
{
	const struct source_table *t = p->table;
	uint32_t k;

	p->key = must_calloc((size_t)t->nkey + 1, sizeof(*p->key));
	for (k = 0; k < t->nkey; k++)
		p->key[p->nkey++] = silver_col(p, t->key[k]);
	if (p->ties_all)
		p->key[p->nkey++] = silver_col(p, (uint32_t)t->ordinal);
	MUST(p->nkey > 0);
	p->cursor = t->cursor < 0 ? -1 :
	    (int)silver_col(p, (uint32_t)t->cursor);
}

static void
plan_rests(struct compact_plan *p)
{
	const struct rows_schema *s = p->schema;
	char name[ROWS_NAME_MAX];
	uint32_t c;
	int rest;

	p->rest = must_calloc(s->ncols, sizeof(*p->rest));
	p->rest_of = must_calloc(s->ncols, sizeof(*p->rest_of));
	for (c = 0; c < s->ncols; c++)
		p->rest[c] = p->rest_of[c] = -1;
	for (c = 0; c < p->table->schema->ncols; c++) {
		if (!keeps_ticks(p->table, c))
			continue;
		rest_name(p->table->schema->cols[c].name, name);
		rest = rows_schema_find(s, name);
		MUST(rest >= 0);
		p->rest[silver_col(p, c)] = rest;
		p->rest_of[rest] = (int)silver_col(p, c);
	}
}

struct compact_plan *
compact_plan_new(const struct source_table *t, bool ties_all)
{
	struct compact_plan *p = must_calloc(1, sizeof(*p));

	p->table = t;
	p->ties_all = ties_all && t->kind == SOURCE_SERIES && t->ordinal >= 0;
	p->schema = compact_schema(t, p->ties_all);
	p->partitioned = t->kind == SOURCE_SERIES && t->cursor >= 0;
	p->snapshot = t->kind == SOURCE_WALK;
	p->ingested = p->schema->ncols - 3;
	p->group = p->schema->ncols - 2;
	p->batch = p->schema->ncols - 1;
	plan_keys(p);
	plan_rests(p);
	return (p);
}

static bool
is_judged(const struct compact_plan *p, uint32_t c)
{
	uint32_t k;

	for (k = 0; k < p->nkey; k++)
		if (p->key[k] == c)
			return (true);
	return (p->cursor == (int)c || p->rest_of[c] >= 0 ||
	    c == p->ingested || c == p->group);
}

void
compact_plan_trim(struct compact_plan *p)
{
	struct rows_schema *from = p->schema;
	struct rows_col cols[LIMIT_COLUMNS];
	uint32_t to[LIMIT_COLUMNS] = { 0 }, c, k, n = 0;

	for (c = 0; c < from->ncols; c++) {
		if (!is_judged(p, c))
			continue;
		cols[n] = from->cols[c];
		cols[n].required = false;
		to[c] = n++;
	}
	for (c = 0; c < from->ncols; c++) {	/* to[c] <= c */
		if (!is_judged(p, c))
			continue;
		p->rest[to[c]] = p->rest[c] < 0 ? -1 : (int)to[p->rest[c]];
		p->rest_of[to[c]] = p->rest_of[c] < 0 ? -1 :
		    (int)to[p->rest_of[c]];
	}
	for (k = 0; k < p->nkey; k++)
		p->key[k] = to[p->key[k]];
	p->cursor = p->cursor < 0 ? -1 : (int)to[p->cursor];
	p->ingested = to[p->ingested];
	p->group = p->batch = to[p->group];
	p->schema = rows_schema_new(from->name, cols, n);
	p->keys_only = true;
	rows_schema_free(from);
}

void
compact_plan_free(struct compact_plan *p)
{

	if (p == NULL)
		return;
	rows_schema_free(p->schema);
	free(p->key);
	free(p->rest);
	free(p->rest_of);
	free(p);
}

int
compact_plan_map(const struct compact_plan *p, const struct rows_schema *from,
    bool of_file, int *map, struct err *e)
{
	const struct rows_schema *s = p->schema;
	uint32_t c, k;

	for (c = 0; c < s->ncols; c++) {
		map[c] = -1;
		if (!of_file && (p->rest_of[c] >= 0 || c >= p->ingested))
			continue;
		map[c] = rows_schema_find(from, s->cols[c].name);
		if (map[c] < 0 || from->cols[map[c]].type == s->cols[c].type)
			continue;
		return (err_set(e, ERR_UNSUPPORTED, "column %s was %s and is "
		    "now %s", s->cols[c].name,
		    rows_type_name(from->cols[map[c]].type),
		    rows_type_name(s->cols[c].type)));
	}
	for (k = 0; k < p->nkey; k++)
		if (map[p->key[k]] < 0)
			return (err_set(e, ERR_UNSUPPORTED, "there is no "
			    "column %s, which is part of the key",
			    s->cols[p->key[k]].name));
	if (of_file && p->table->ordinal >= 0 && !p->ties_all &&
	    rows_schema_find(from, p->table->schema->
	    cols[p->table->ordinal].name) >= 0)
		return (err_set(e, ERR_UNSUPPORTED, "the table has a row for "
		    "each of equal timestamps, asked is for the last only"));
	return (0);
}

/* --- comparing ----------------------------------------------------------- */

static int
cmp_i64(int64_t a, int64_t b)
{

	return ((a > b) - (a < b));
}

static int
cmp_text(const struct rows *a, uint32_t i, const struct rows *b, uint32_t j,
    uint32_t c)
{
	const char *s, *t;
	size_t m, n;
	int d = 0;

	if (a == b && a->v[c].code[i] == b->v[c].code[j])
		return (0);
	s = rows_str(a, c, i, &m);
	t = rows_str(b, c, j, &n);
	if (m > 0 && n > 0)
		d = memcmp(s, t, m < n ? m : n);
	return (d != 0 ? d : (m > n) - (m < n));
}

/* Key columns hold no nulls. */
static int
cmp_cell(const struct rows *a, uint32_t i, const struct rows *b, uint32_t j,
    uint32_t c, enum rows_type type)
{

	switch (type) {
	case ROWS_STRING:
	case ROWS_LIST:
		return (cmp_text(a, i, b, j, c));
	case ROWS_TICKS:
	case ROWS_INT64:
		return (cmp_i64(a->v[c].i64[i], b->v[c].i64[j]));
	case ROWS_INT32:
		return (cmp_i64(a->v[c].i32[i], b->v[c].i32[j]));
	case ROWS_BOOL:
		return (a->v[c].b[i] - b->v[c].b[j]);
	case ROWS_DOUBLE:
		return ((a->v[c].f64[i] > b->v[c].f64[j]) -
		    (a->v[c].f64[i] < b->v[c].f64[j]));
	}
	return (0);
}

int
compact_plan_cmp(const struct compact_plan *p, uint32_t k,
    const struct rows *a, uint32_t i, const struct rows *b, uint32_t j)
{
	uint32_t c;
	int d = 0;

	for (; k < p->nkey && d == 0; k++) {
		c = p->key[k];
		d = cmp_cell(a, i, b, j, c, p->schema->cols[c].type);
	}
	return (d);
}

int
compact_plan_age(const struct compact_plan *p, const struct rows *a,
    uint32_t i, const struct rows *b, uint32_t j)
{
	int d;

	d = cmp_i64(a->v[p->ingested].i64[i], b->v[p->ingested].i64[j]);
	if (d != 0)
		return (d);
	return (cmp_i64(a->v[p->group].i32[i], b->v[p->group].i32[j]));
}
