/*
 * The page index of a chunk against its pages. A column index has for each
 * page whether it is all null, its bounds and its nulls, and in what order
 * the bounds are; an offset index where each page lies and the number of its
 * first row. What does not parse is wrong, too. A column index is of no use
 * without the offset index, but harmless.
 */

#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/must.h"
#include "parquet/parquet_int.h"

/* A page is not smaller than its header: what is said of more of them than
 * the chunk has room for takes no memory. */
#define PAGE_BYTES_MIN 16

void
parquet_index_init(struct parquet_index *x, enum rows_type type)
{

	memset(x, 0, sizeof(*x));
	x->type = type;
	buf_init(&x->bytes, UINT32_MAX);
}

void
parquet_index_fini(struct parquet_index *x)
{

	free(x->bounds);
	free(x->places);
	buf_fini(&x->bytes);
}

static void
tell(struct parquet_index *x, const char *what)
{

	if (x->wrong != NULL)
		return;
	x->wrong = what;
	x->page = x->npages;
}

/* --- the column index ---------------------------------------------------- */

static void
take_nulls(struct parquet_index *x, struct thrift_in *t, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)		/* 1 is true */
		x->bounds[i].has_min = x->bounds[i].has_max =
		    cur_u8(&t->c) != 1;
}

static void
take_bounds(struct parquet_index *x, struct thrift_in *t, size_t n, bool max)
{
	const struct thrift_field text = { 0, THRIFT_BINARY };
	struct parquet_rstat *b;
	const char *p;
	size_t i, len;

	for (i = 0; i < n; i++) {
		b = &x->bounds[i];
		p = thrift_get_bytes(t, &text, &len);
		if (p == NULL || len > sizeof(b->max)) {
			t->c.bad = true;
			return;
		}
		if (max)
			b->max_len = (uint8_t)len;
		else
			b->min_len = (uint8_t)len;
		memcpy(max ? b->max : b->min, p, len);
	}
}

static void
take_counts(struct parquet_index *x, struct thrift_in *t, size_t n)
{
	const struct thrift_field number = { 0, THRIFT_I64 };
	size_t i;

	for (i = 0; i < n; i++)
		x->bounds[i].nulls = thrift_get_int(t, &number);
}

/* Each of its lists is as long as the first one. */
static bool
same_length(struct parquet_index *x, size_t n)
{
	size_t i;

	if (x->bounds == NULL && n <= x->npages_max) {
		x->bounds = must_calloc(n + 1, sizeof(x->bounds[0]));
		for (i = 0; i < n; i++)
			x->bounds[i].nulls = -1;
		x->nbounds = n;
	}
	return (x->bounds != NULL && x->nbounds == n);
}

static bool
parse_bounds(struct parquet_index *x)
{
	static const enum thrift_type types[] = { 0, THRIFT_TRUE,
	    THRIFT_BINARY, THRIFT_BINARY, 0, THRIFT_I64 };
	struct thrift_field f;
	struct thrift_in t;
	unsigned seen = 0;
	size_t n;

	thrift_in_init(&t, x->bytes.data, x->bytes.len);
	(void)thrift_enter(&t, &f);
	while (thrift_next(&t, &f)) {
		if (f.id == 4) {
			x->order = thrift_get_i32(&t, &f);
			seen |= 1u << 4;
			continue;
		}
		if (f.id < 1 || f.id > 5) {
			thrift_skip(&t, &f);
			continue;
		}
		n = thrift_get_list(&t, &f, types[f.id]);
		if (t.c.bad || !same_length(x, n))
			return (false);
		seen |= 1u << f.id;
		if (f.id == 1)
			take_nulls(x, &t, n);
		else if (f.id == 5)
			take_counts(x, &t, n);
		else
			take_bounds(x, &t, n, f.id == 3);
	}
	return (!t.c.bad && (seen & 0x1e) == 0x1e);
}

/* --- the offset index ---------------------------------------------------- */

static void
take_place(struct thrift_in *t, struct parquet_place *p)
{
	struct thrift_field f;

	*p = (struct parquet_place){ -1, -1, -1 };
	if (!thrift_enter(t, &f))
		return;
	while (thrift_next(t, &f)) {
		if (f.id == 1)
			p->offset = thrift_get_int(t, &f);
		else if (f.id == 2)
			p->bytes = thrift_get_i32(t, &f);
		else if (f.id == 3)
			p->first_row = thrift_get_int(t, &f);
		else
			thrift_skip(t, &f);
	}
}

static bool
parse_places(struct parquet_index *x)
{
	struct thrift_field f;
	struct thrift_in t;
	bool seen = false;
	size_t i, n;

	thrift_in_init(&t, x->bytes.data, x->bytes.len);
	(void)thrift_enter(&t, &f);
	while (thrift_next(&t, &f)) {
		if (f.id != 1 || seen) {
			thrift_skip(&t, &f);
			continue;
		}
		seen = true;
		n = thrift_get_list(&t, &f, THRIFT_STRUCT);
		if (n > x->npages_max)
			return (false);
		x->places = must_calloc(n + 1, sizeof(x->places[0]));
		x->nplaces = n;
		for (i = 0; i < n && !t.c.bad; i++)
			take_place(&t, &x->places[i]);
	}
	return (!t.c.bad && seen);
}

/* --- a chunk ------------------------------------------------------------- */

static void
clear(struct parquet_index *x)
{

	free(x->bounds);
	free(x->places);
	x->bounds = NULL;
	x->places = NULL;
	x->nbounds = x->nplaces = 0;
	x->last = NULL;
	x->wrong = NULL;
	x->page = x->npages = 0;
	x->rows = 0;
	x->order = 0;
}

int
parquet_index_load(struct parquet_index *x, const struct parquet_reader *r,
    const struct parquet_rchunk *k, struct err *e)
{
	int rc;

	clear(x);
	x->npages_max = (size_t)((k->to - k->from) / PAGE_BYTES_MIN);
	x->has_bounds = k->column_index.bytes > 0 && x->type != ROWS_LIST;
	x->has_places = k->offset_index.bytes > 0;
	if (x->has_bounds) {
		rc = parquet_reader_bytes(r, &k->column_index, &x->bytes, e);
		if (rc != 0)
			return (rc);
		if (!parse_bounds(x) || x->order < 0 || x->order > 2)
			tell(x, "form");
	}
	if (x->has_places) {
		rc = parquet_reader_bytes(r, &k->offset_index, &x->bytes, e);
		if (rc != 0)
			return (rc);
		if (!parse_places(x))
			tell(x, "form");
	}
	return (0);
}

static void
check_place(struct parquet_index *x, const struct parquet_source *p)
{
	const struct parquet_place *q;

	if (x->npages >= x->nplaces) {
		tell(x, "number of pages");
		return;
	}
	q = &x->places[x->npages];
	if (q->offset != (int64_t)p->page_at)
		tell(x, "offset");
	else if (q->bytes != (int64_t)(p->at - p->page_at))
		tell(x, "size");
	else if (q->first_row != (int64_t)x->rows)
		tell(x, "first row");
}

/* Pages of nulls do not count. */
static void
check_order(struct parquet_index *x, const struct parquet_rstat *b)
{
	const struct parquet_rstat *a = x->last;
	int low, high;

	x->last = b;
	if (a == NULL || x->order == 0)
		return;
	low = parquet_bound_cmp(a->min, a->min_len, b->min, b->min_len,
	    x->type);
	high = parquet_bound_cmp(a->max, a->max_len, b->max, b->max_len,
	    x->type);
	if (x->order == 1 ? low > 0 || high > 0 : low < 0 || high < 0)
		tell(x, "order");
}

static void
check_bounds(struct parquet_index *x, const struct parquet_seen *s)
{
	const struct parquet_rstat *b;
	const char *what;

	if (x->npages >= x->nbounds) {
		tell(x, "number of pages");
		return;
	}
	b = &x->bounds[x->npages];
	if (s->any && !b->has_min)
		what = "range";		/* it is said to be all null */
	else
		what = parquet_seen_wrong(s, b, x->type);
	if (what != NULL)
		tell(x, what);
	else if (b->has_min)
		check_order(x, b);
}

static uint64_t
rows_of(const struct parquet_index *x, const struct parquet_source *p)
{
	uint64_t rows = 0;
	uint32_t i;

	if (x->type != ROWS_LIST)
		return (p->n);
	for (i = 0; i < p->n; i++)
		rows += p->rep.data[i] == 0;
	return (rows);
}

void
parquet_index_page(struct parquet_index *x, const struct parquet_source *p,
    const struct parquet_seen *s)
{

	if (x->has_places && x->wrong == NULL)
		check_place(x, p);
	if (x->has_bounds && x->wrong == NULL)
		check_bounds(x, s);
	x->npages++;
	x->rows += rows_of(x, p);
}

void
parquet_index_end(struct parquet_index *x)
{

	if ((x->has_places && x->npages != x->nplaces) ||
	    (x->has_bounds && x->npages != x->nbounds))
		tell(x, "number of pages");
}
