/*
 * Cover records as rows, so that they are stored, checked and read like
 * everything else in a journal. What is told of the whole batch stands in
 * each row: columns of one value cost a few bytes.
 */

#include "config.h"

#include <string.h>

#include "base/err.h"
#include "base/hash.h"
#include "base/must.h"
#include "base/ticks.h"
#include "journal/journal_int.h"
#include "rows/rows.h"

enum {
	COL_OBJECT, COL_FROM, COL_TO, COL_ROWS, COL_BLOCKS, COL_REQUESTS,
	COL_WALK, COL_KEYS, COL_REPLACES, COL_SINCE, NCOLS
};

static const struct rows_col columns[NCOLS] = {
	{ "object", ROWS_INT64, true },
	{ "covered_from", ROWS_TICKS, false },
	{ "covered_to", ROWS_TICKS, false },
	{ "rows", ROWS_INT64, true },
	{ "batch_blocks", ROWS_INT64, true },
	{ "batch_requests", ROWS_INT64, true },
	{ "batch_walk", ROWS_BOOL, true },
	{ "batch_keys", ROWS_INT64, true },
	{ "replaces", ROWS_BOOL, true },
	{ "settled_to", ROWS_TICKS, false },
};

struct rows_schema *
journal_cover_schema(void)
{

	return (rows_schema_new("garner_coverage", columns, NCOLS));
}

uint64_t
journal_cover_key(uint32_t object, const char *key)
{

	return (hash64(key, strlen(key), object));
}

int
journal_cover_put(struct rows *r, const struct journal_batch *b,
    const struct journal_cover *c, uint32_t n, struct err *e)
{
	uint32_t i, at;
	int rc;

	if ((rc = rows_reserve(r, n)) != 0)
		return (err_set(e, rc, "too much coverage for a block"));
	for (i = 0; i < n; i++, c++) {
		at = rows_add(r);
		rows_set_i64(r, COL_OBJECT, at, c->object);
		if (!b->walk) {
			MUST(c->a < c->b);
			rows_set_i64(r, COL_FROM, at, c->a);
			rows_set_i64(r, COL_TO, at, c->b);
		}
		rows_set_i64(r, COL_ROWS, at, c->rows);
		rows_set_i64(r, COL_BLOCKS, at, b->blocks);
		rows_set_i64(r, COL_REQUESTS, at, b->requests);
		rows_set_bool(r, COL_WALK, at, b->walk);
		rows_set_i64(r, COL_KEYS, at, (int64_t)b->keys);
		rows_set_bool(r, COL_REPLACES, at, c->replaces);
		if (c->since != TICKS_NONE)
			rows_set_i64(r, COL_SINCE, at, c->since);
	}
	return (0);
}

static bool
get_u32(const struct rows *r, uint32_t c, uint32_t i, uint32_t *x)
{
	int64_t v = r->v[c].i64[i];

	*x = (uint32_t)v;
	return (!rows_null(r, c, i) && v >= 0 && v <= UINT32_MAX);
}

static bool
get_one(const struct rows *r, uint32_t i, struct journal_batch *b,
    struct journal_cover *c)
{

	memset(b, 0, sizeof(*b));
	memset(c, 0, sizeof(*c));
	if (!get_u32(r, COL_OBJECT, i, &c->object) ||
	    !get_u32(r, COL_ROWS, i, &c->rows) ||
	    !get_u32(r, COL_BLOCKS, i, &b->blocks) ||
	    !get_u32(r, COL_REQUESTS, i, &b->requests) ||
	    rows_null(r, COL_WALK, i) || rows_null(r, COL_KEYS, i) ||
	    rows_null(r, COL_REPLACES, i))
		return (false);
	b->walk = r->v[COL_WALK].b[i];
	b->keys = (uint64_t)r->v[COL_KEYS].i64[i];
	c->replaces = r->v[COL_REPLACES].b[i];
	c->since = rows_null(r, COL_SINCE, i) ? TICKS_NONE :
	    r->v[COL_SINCE].i64[i];
	c->a = c->b = TICKS_NONE;
	if (b->walk)
		return (true);
	c->a = r->v[COL_FROM].i64[i];
	c->b = r->v[COL_TO].i64[i];
	return (!rows_null(r, COL_FROM, i) && !rows_null(r, COL_TO, i) &&
	    c->a < c->b);
}

static bool
batch_equal(const struct journal_batch *a, const struct journal_batch *b)
{

	return (a->blocks == b->blocks && a->requests == b->requests &&
	    a->walk == b->walk && a->keys == b->keys);
}

int
journal_cover_get(const struct rows *r, struct journal_batch *b,
    struct journal_cover **out, struct err *e)
{
	struct journal_batch other;
	uint32_t i;

	if (r->n == 0)
		return (err_set(e, ERR_CORRUPT, "coverage of nothing"));
	*out = must_realloc(*out, r->n, sizeof((*out)[0]));
	for (i = 0; i < r->n; i++) {
		if (!get_one(r, i, i == 0 ? b : &other, &(*out)[i]) ||
		    (i > 0 && !batch_equal(b, &other)))
			return (err_set(e, ERR_CORRUPT, "record %u of the "
			    "coverage makes no sense", i));
	}
	return (0);
}
