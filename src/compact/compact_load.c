/*
 * Rows of journal blocks in memory, in silver's columns, as they came. They
 * lie in chunks, so that growing moves little; a block is always whole in
 * one chunk and one load, which lets ordinals be compared within it. Times
 * are cut to what silver keeps, so that a row compares with what will be
 * read back of it. A null in a key: text becomes empty, else ERR_CORRUPT.
 */

#include "config.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/base_limits.h"
#include "base/err.h"
#include "base/must.h"
#include "base/search.h"
#include "base/ticks.h"
#include "compact/compact_int.h"
#include "source/source.h"

#define CHUNK_ROWS (1u << 18)
#define CHUNKS_MAX (1u << (32 - COMPACT_ROW_BITS))
/* Block number, ordinal, and two entries of sort.  */
#define ROW_EXTRA (4 + 4 + 2 * 24)

static_assert(CHUNK_ROWS <= 1u << COMPACT_ROW_BITS, "a place fits");
static_assert(LIMIT_BLOCK_ROWS <= 1u << COMPACT_ROW_BITS, "a block fits");

void
compact_load_init(struct compact_load *l, const struct compact_plan *p)
{

	memset(l, 0, sizeof(*l));
	l->plan = p;
}

void
compact_load_clear(struct compact_load *l)
{
	uint32_t i;

	for (i = 0; i < l->nchunks; i++)
		rows_clear(l->chunks[i].rows);
	l->nchunks = 0;
	l->nblocks = 0;
	l->nrows = 0;
	l->bytes = 0;
}

void
compact_load_fini(struct compact_load *l)
{
	uint32_t i;

	for (i = 0; i < l->made; i++) {
		rows_free(l->chunks[i].rows);
		free(l->chunks[i].block);
		free(l->chunks[i].ordinal);
	}
	free(l->chunks);
	free(l->blocks);
	free(l->sort[0]);
	free(l->sort[1]);
	memset(l, 0, sizeof(*l));
}

/* What a row takes, texts left out. */
static size_t
row_bytes(const struct compact_plan *p)
{
	size_t n = ROW_EXTRA;
	uint32_t c;

	for (c = 0; c < p->schema->ncols; c++)
		n += 1 + rows_width(p->schema->cols[c].type);
	return (n);
}

static size_t
text_bytes(const struct rows *r)
{
	const struct rows_dict *d;
	size_t n = 0;
	uint32_t c;

	for (c = 0; c < r->schema->ncols; c++) {
		d = &r->v[c].dict;
		n += d->heap_cap + ((size_t)d->cap + d->nslots) * 4;
	}
	return (n);
}

bool
compact_load_fits(const struct compact_load *l, uint32_t n, size_t budget)
{

	if (l->nrows == 0)
		return (true);
	return (l->nchunks < CHUNKS_MAX &&
	    l->bytes + n * row_bytes(l->plan) <= budget);
}

static void
chunk_grow(struct compact_chunk *k, uint32_t cap)
{

	k->cap = cap;
	k->block = must_realloc(k->block, cap, sizeof(*k->block));
	k->ordinal = must_realloc(k->ordinal, cap, sizeof(*k->ordinal));
}

/* After the first one they are likely to become full. */
static struct compact_chunk *
chunk_next(struct compact_load *l)
{
	struct compact_chunk *k;

	MUST(l->nchunks < CHUNKS_MAX);
	if (l->nchunks == l->made) {
		l->chunks = must_realloc(l->chunks, (size_t)l->made + 1,
		    sizeof(*k));
		k = &l->chunks[l->made++];
		memset(k, 0, sizeof(*k));
		k->rows = rows_new(l->plan->schema);
		if (l->made > 1 && rows_reserve(k->rows, CHUNK_ROWS) == 0)
			chunk_grow(k, CHUNK_ROWS);
	}
	MUST(l->chunks != NULL);
	k = &l->chunks[l->nchunks++];
	l->bytes += text_bytes(k->rows);
	return (k);
}

static struct compact_chunk *
chunk_for(struct compact_load *l, uint32_t n)
{
	struct compact_chunk *k = NULL;

	if (l->nchunks > 0)
		k = &l->chunks[l->nchunks - 1];
	if (k == NULL || k->rows->n + n > CHUNK_ROWS)
		k = chunk_next(l);
	if (k->rows->n + n > k->cap)
		chunk_grow(k, k->rows->n + n + (k->rows->n + n) / 2);
	return (k);
}

/* --- filling in ---------------------------------------------------------- */

static void
fill_own(const struct compact_plan *p, struct rows *r, uint32_t first,
    const struct journal_block *b)
{
	static const char hex[] = "0123456789abcdef";
	char id[2 * JOURNAL_BATCH_ID];
	uint32_t i, code;

	for (i = 0; i < JOURNAL_BATCH_ID; i++) {
		id[2 * i] = hex[b->batch_id[i] >> 4];
		id[2 * i + 1] = hex[b->batch_id[i] & 15];
	}
	code = rows_intern(r, p->batch, id, sizeof(id));
	for (i = first; i < r->n; i++) {
		rows_set_i64(r, p->ingested, i, b->ingested);
		rows_set_i32(r, p->group, i, b->group);
		rows_set_code(r, p->batch, i, code);
	}
}

/* Silver has microseconds; the rest stands beside, or goes. */
static void
fill_rests(const struct compact_plan *p, struct rows *r, uint32_t first)
{
	const struct rows_schema *s = r->schema;
	struct rows_vec *v;
	uint32_t c, i;

	for (c = 0; c < s->ncols; c++) {
		if (s->cols[c].type != ROWS_TICKS)
			continue;
		v = &r->v[c];
		for (i = first; i < r->n; i++) {
			if (!v->valid[i])
				continue;
			if (p->rest[c] >= 0)
				rows_set_i32(r, (uint32_t)p->rest[c], i,
				    ticks_rest(v->i64[i]));
			else
				v->i64[i] -= ticks_rest(v->i64[i]);
		}
	}
}

static int
fill_keys(const struct compact_plan *p, struct rows *r, uint32_t first,
    struct err *e)
{
	const struct rows_col *col;
	uint32_t k, i;

	for (k = 0; k < p->nkey; k++) {
		col = &r->schema->cols[p->key[k]];
		for (i = first; i < r->n; i++) {
			if (!rows_null(r, p->key[k], i))
				continue;
			if (col->type != ROWS_STRING && col->type != ROWS_LIST)
				return (err_set(e, ERR_CORRUPT, "row %u has no "
				    "%s, which is part of the key", i - first,
				    col->name));
			rows_set_str(r, p->key[k], i, "", 0);
		}
	}
	return (0);
}

static void
fill_places(struct compact_load *l, struct compact_chunk *k, uint32_t first,
    const struct rows *from)
{
	const struct source_table *t = l->plan->table;
	int col = -1;
	uint32_t i;

	if (t->ordinal >= 0)
		col = rows_schema_find(from->schema,
		    t->schema->cols[t->ordinal].name);
	if (col >= 0 && from->schema->cols[col].type != ROWS_INT32)
		col = -1;
	for (i = first; i < k->rows->n; i++) {
		k->block[i] = l->nblocks;
		k->ordinal[i] = 0;
		if (col >= 0 && !rows_null(from, (uint32_t)col, i - first))
			k->ordinal[i] = from->v[col].i32[i - first];
	}
}

static void
add_block(struct compact_load *l, const struct journal_block *b)
{

	if (l->nblocks == l->blocks_cap) {
		l->blocks_cap = l->blocks_cap == 0 ? 64 : l->blocks_cap * 2;
		l->blocks = must_realloc(l->blocks, l->blocks_cap,
		    sizeof(l->blocks[0]));
	}
	l->blocks[l->nblocks++] = (struct compact_block){
		.ingested = b->ingested - ticks_rest(b->ingested),
		.group = b->group,
	};
}

/* --- days ---------------------------------------------------------------- */

static bool
is_earlier(const void *item, const void *day)
{
	const struct compact_day *d = item;

	return (d->day < *(const int32_t *)day);
}

static struct compact_day *
day_find(struct compact_days *d, int32_t day)
{
	size_t lo;

	lo = search_first(d->day, d->n, sizeof(d->day[0]), is_earlier, &day);
	if (lo < d->n && d->day[lo].day == day)
		return (&d->day[lo]);
	if (d->n == d->cap) {
		d->cap = d->cap == 0 ? 32 : d->cap * 2;
		d->day = must_realloc(d->day, d->cap, sizeof(d->day[0]));
	}
	memmove(&d->day[lo + 1], &d->day[lo], (d->n - lo) * sizeof(d->day[0]));
	d->n++;
	d->day[lo] = (struct compact_day){ day, INT64_MAX, INT64_MIN };
	return (&d->day[lo]);
}

void
compact_days_add(struct compact_days *d, int32_t number, int64_t a, int64_t b)
{
	struct compact_day *day = day_find(d, number);

	if (a < day->min_tick)
		day->min_tick = a;
	if (b > day->max_tick)
		day->max_tick = b;
}

static void
add_days(struct compact_days *d, const struct compact_plan *p,
    const struct rows *r, uint32_t first)
{
	struct compact_day *day = NULL;
	int64_t from = 0, t;
	uint32_t i;

	if (!p->partitioned) {
		(void)day_find(d, 0);
		return;
	}
	for (i = first; i < r->n; i++) {
		t = r->v[p->cursor].i64[i];
		if (day == NULL || t < from ||
		    (uint64_t)t - (uint64_t)from >= TICKS_PER_DAY) {
			day = day_find(d, ticks_day(t));
			from = day->day * TICKS_PER_DAY;
		}
		if (t < day->min_tick)
			day->min_tick = t;
		if (t > day->max_tick)
			day->max_tick = t;
	}
}

int
compact_load_block(struct compact_load *l, const struct journal_block *b,
    const struct rows *from, const int *map, struct compact_days *days,
    struct err *e)
{
	struct compact_chunk *k = chunk_for(l, from->n);
	struct rows *r = k->rows;
	struct compact_copy copy;
	uint32_t first = r->n;
	size_t texts = text_bytes(r);
	int rc;

	compact_copy_init(&copy, r->schema->ncols);
	rc = compact_copy_rows(&copy, r, from, map, 0, from->n, e);
	compact_copy_fini(&copy);
	if (rc != 0)
		return (rc);
	fill_own(l->plan, r, first, b);
	if ((rc = fill_keys(l->plan, r, first, e)) != 0)
		return (rc);
	fill_rests(l->plan, r, first);
	fill_places(l, k, first, from);
	add_block(l, b);
	add_days(days, l->plan, r, first);
	l->nrows += from->n;
	l->bytes += from->n * row_bytes(l->plan) + text_bytes(r) - texts;
	return (0);
}
