/*
 * What stands behind the row groups: the page index, then FileMetaData.
 * Both converted_type and logicalType are written, for old readers and new
 * ones; column_orders, without which min and max have no meaning.
 */

#include "config.h"

#include <string.h>

#include "parquet/parquet_int.h"

#define CREATED_BY PACKAGE_NAME " version " PACKAGE_VERSION \
	" (build " PACKAGE_VERSION ")"

static int
physical(enum rows_type t)
{
	switch (t) {
	case ROWS_BOOL:
		return (PARQUET_BOOLEAN);
	case ROWS_INT32:
		return (PARQUET_INT32);
	case ROWS_INT64:
	case ROWS_TICKS:
		return (PARQUET_INT64);
	case ROWS_DOUBLE:
		return (PARQUET_DOUBLE);
	default:
		return (PARQUET_BYTE_ARRAY);
	}
}

/* --- schema -------------------------------------------------------------- */

static void
put_string_type(struct thrift_out *t, uint32_t field)
{

	thrift_put_i32(t, 6, PARQUET_UTF8);
	thrift_put_i32(t, 9, (int32_t)field);
	thrift_begin(t, 10);
	thrift_begin(t, 1);
	thrift_end(t);
	thrift_end(t);
}

static void
put_timestamp_type(struct thrift_out *t, uint32_t field)
{

	thrift_put_i32(t, 6, PARQUET_TIMESTAMP_MICROS);
	thrift_put_i32(t, 9, (int32_t)field);
	thrift_begin(t, 10);
	thrift_begin(t, 8);
	thrift_put_bool(t, 1, true);	/* isAdjustedToUTC */
	thrift_begin(t, 2);
	thrift_begin(t, 2);		/* MICROS */
	thrift_end(t);
	thrift_end(t);
	thrift_end(t);
	thrift_end(t);
}

static void
put_list_schema(struct thrift_out *t, const struct rows_col *c, uint32_t field,
    uint32_t element)
{

	thrift_elem(t);
	thrift_put_i32(t, 3, c->required ? PARQUET_REQUIRED :
	    PARQUET_OPTIONAL);
	thrift_put_str(t, 4, c->name);
	thrift_put_i32(t, 5, 1);
	thrift_put_i32(t, 6, PARQUET_LIST);
	thrift_put_i32(t, 9, (int32_t)field);
	thrift_begin(t, 10);
	thrift_begin(t, 3);
	thrift_end(t);
	thrift_end(t);
	thrift_end(t);
	thrift_elem(t);
	thrift_put_i32(t, 3, PARQUET_REPEATED);
	thrift_put_str(t, 4, "list");
	thrift_put_i32(t, 5, 1);
	thrift_end(t);
	thrift_elem(t);
	thrift_put_i32(t, 1, PARQUET_BYTE_ARRAY);
	thrift_put_i32(t, 3, PARQUET_OPTIONAL);
	thrift_put_str(t, 4, "element");
	put_string_type(t, element);
	thrift_end(t);
}

static void
put_schema(struct thrift_out *t, const struct rows_schema *s)
{
	const struct rows_col *c;
	uint32_t i, n = 1;

	for (i = 0; i < s->ncols; i++)
		n += s->cols[i].type == ROWS_LIST ? 3 : 1;
	thrift_put_list(t, 2, THRIFT_STRUCT, n);
	thrift_elem(t);
	thrift_put_str(t, 4, s->name);
	thrift_put_i32(t, 5, (int32_t)s->ncols);
	thrift_end(t);
	for (i = 0; i < s->ncols; i++) {
		c = &s->cols[i];
		if (c->type == ROWS_LIST) {
			put_list_schema(t, c, i + 1, s->ncols + i + 1);
			continue;
		}
		thrift_elem(t);
		thrift_put_i32(t, 1, physical(c->type));
		thrift_put_i32(t, 3, c->required ? PARQUET_REQUIRED :
		    PARQUET_OPTIONAL);
		thrift_put_str(t, 4, c->name);
		if (c->type == ROWS_TICKS)
			put_timestamp_type(t, i + 1);
		else if (c->type == ROWS_STRING)
			put_string_type(t, i + 1);
		else
			thrift_put_i32(t, 9, (int32_t)i + 1);
		thrift_end(t);
	}
}

/* --- row groups ---------------------------------------------------------- */

static void
put_statistics(struct thrift_out *t, const struct parquet_range *r,
    enum rows_type type)
{
	char bound[PARQUET_BOUND_MAX + 4];
	bool text = rows_is_text(type);

	thrift_begin(t, 12);
	thrift_put_i64(t, 3, (int64_t)r->nulls);
	if (r->any && !r->lost) {
		thrift_put_bytes(t, 5, bound,
		    parquet_range_bytes(r, type, true, bound));
		thrift_put_bytes(t, 6, bound,
		    parquet_range_bytes(r, type, false, bound));
		thrift_put_bool(t, 7, text ? r->max_s.exact : true);
		thrift_put_bool(t, 8, text ? r->min_s.exact : true);
	}
	thrift_end(t);
}

static void
put_encodings(struct thrift_out *t, const struct parquet_chunk *k)
{
	size_t i, n = 1;			/* RLE, of the levels */
	bool plain = k->dict_offset > 0;	/* the dictionary page is */

	for (i = 0; i < PARQUET_NENCODINGS; i++)
		n += k->npages[i] > 0 || (plain && i == PARQUET_PLAIN);
	thrift_put_list(t, 2, THRIFT_I32, n);
	thrift_elem_int(t, PARQUET_RLE);
	for (i = 0; i < PARQUET_NENCODINGS; i++)
		if (k->npages[i] > 0 || (plain && i == PARQUET_PLAIN))
			thrift_elem_int(t, (int64_t)i);
}

static void
put_encoding_stat(struct thrift_out *t, int page, int encoding, uint32_t n)
{

	thrift_elem(t);
	thrift_put_i32(t, 1, page);
	thrift_put_i32(t, 2, encoding);
	thrift_put_i32(t, 3, (int32_t)n);
	thrift_end(t);
}

static void
put_encoding_stats(struct thrift_out *t, const struct parquet_chunk *k)
{
	size_t i, n = k->dict_offset > 0;

	for (i = 0; i < PARQUET_NENCODINGS; i++)
		n += k->npages[i] > 0;
	thrift_put_list(t, 13, THRIFT_STRUCT, n);
	if (k->dict_offset > 0)
		put_encoding_stat(t, PARQUET_DICTIONARY_PAGE, PARQUET_PLAIN,
		    1);
	for (i = 0; i < PARQUET_NENCODINGS; i++)
		if (k->npages[i] > 0)
			put_encoding_stat(t, PARQUET_DATA_PAGE, (int)i,
			    k->npages[i]);
}

static void
put_path(struct thrift_out *t, const struct rows_col *c)
{
	bool list = c->type == ROWS_LIST;

	thrift_put_list(t, 3, THRIFT_BINARY, list ? 3 : 1);
	thrift_elem_bytes(t, c->name, strlen(c->name));
	if (list) {
		thrift_elem_bytes(t, "list", 4);
		thrift_elem_bytes(t, "element", 7);
	}
}

static void
put_chunk(struct thrift_out *t, const struct rows_col *c,
    const struct parquet_chunk *k)
{

	thrift_elem(t);
	thrift_put_i64(t, 2, 0);
	thrift_begin(t, 3);
	thrift_put_i32(t, 1, physical(c->type));
	put_encodings(t, k);
	put_path(t, c);
	thrift_put_i32(t, 4, PARQUET_ZSTD);
	thrift_put_i64(t, 5, (int64_t)k->values);
	thrift_put_i64(t, 6, (int64_t)k->raw_bytes);
	thrift_put_i64(t, 7, (int64_t)k->bytes);
	thrift_put_i64(t, 9, (int64_t)k->data_offset);
	if (k->dict_offset > 0)
		thrift_put_i64(t, 11, (int64_t)k->dict_offset);
	put_statistics(t, &k->range, c->type);
	put_encoding_stats(t, k);
	thrift_end(t);
	if (k->offset_index > 0) {
		thrift_put_i64(t, 4, (int64_t)k->offset_index);
		thrift_put_i32(t, 5, (int32_t)k->offset_index_len);
	}
	if (k->column_index > 0) {
		thrift_put_i64(t, 6, (int64_t)k->column_index);
		thrift_put_i32(t, 7, (int32_t)k->column_index_len);
	}
	thrift_end(t);
}

static void
put_sorting(struct thrift_out *t, const struct parquet_file_info *f)
{
	size_t i;

	thrift_put_list(t, 4, THRIFT_STRUCT, f->nsorted);
	for (i = 0; i < f->nsorted; i++) {
		thrift_elem(t);
		thrift_put_i32(t, 1, (int32_t)f->sorted[i]);
		thrift_put_bool(t, 2, false);
		thrift_put_bool(t, 3, false);
		thrift_end(t);
	}
}

static void
put_group(struct thrift_out *t, const struct parquet_file_info *f, size_t g)
{
	const struct parquet_group *group = &f->groups[g];
	const struct rows_schema *s = f->schema;
	uint64_t raw = 0, bytes = 0;
	uint32_t c;

	thrift_elem(t);
	thrift_put_list(t, 1, THRIFT_STRUCT, s->ncols);
	for (c = 0; c < s->ncols; c++) {
		put_chunk(t, &s->cols[c], &group->chunks[c]);
		raw += group->chunks[c].raw_bytes;
		bytes += group->chunks[c].bytes;
	}
	thrift_put_i64(t, 2, (int64_t)raw);
	thrift_put_i64(t, 3, (int64_t)group->rows);
	if (f->nsorted > 0 && group->sorted)
		put_sorting(t, f);
	thrift_put_i64(t, 5, (int64_t)group->offset);
	thrift_put_i64(t, 6, (int64_t)bytes);
	if (g <= INT16_MAX)
		thrift_put_i16(t, 7, (int16_t)g);
	thrift_end(t);
}

void
parquet_footer_put(const struct parquet_file_info *f, struct buf *b)
{
	struct thrift_out t;
	uint32_t c;
	size_t g;

	thrift_out_init(&t, b);
	thrift_put_i32(&t, 1, 1);
	put_schema(&t, f->schema);
	thrift_put_i64(&t, 3, (int64_t)f->rows);
	thrift_put_list(&t, 4, THRIFT_STRUCT, f->ngroups);
	for (g = 0; g < f->ngroups; g++)
		put_group(&t, f, g);
	thrift_put_str(&t, 6, CREATED_BY);
	thrift_put_list(&t, 7, THRIFT_STRUCT, f->schema->ncols);
	for (c = 0; c < f->schema->ncols; c++) {
		thrift_elem(&t);
		thrift_begin(&t, 1);	/* TYPE_ORDER */
		thrift_end(&t);
		thrift_end(&t);
	}
	thrift_end(&t);
}

/* --- page index ---------------------------------------------------------- */

/* 1 ascending, 2 descending, 0 neither; null pages do not count. */
static int
boundary_order(const struct parquet_chunk *k, enum rows_type type)
{
	const struct parquet_range *last = NULL, *r;
	bool up = true, down = true;
	int low, high;
	size_t i;

	for (i = 0; i < k->n; i++) {
		r = &k->pages[i].range;
		if (!r->any)
			continue;
		if (last != NULL) {
			low = parquet_range_cmp(last, r, type, false);
			high = parquet_range_cmp(last, r, type, true);
			up = up && low <= 0 && high <= 0;
			down = down && low >= 0 && high >= 0;
		}
		last = r;
	}
	return (up ? 1 : down ? 2 : 0);
}

static void
put_bounds(struct thrift_out *t, int id, const struct parquet_chunk *k,
    enum rows_type type, bool max)
{
	char bound[PARQUET_BOUND_MAX + 4];
	const struct parquet_range *r;
	size_t i, n;

	thrift_put_list(t, id, THRIFT_BINARY, k->n);
	for (i = 0; i < k->n; i++) {
		r = &k->pages[i].range;
		n = r->any ? parquet_range_bytes(r, type, max, bound) : 0;
		thrift_elem_bytes(t, bound, n);
	}
}

static void
put_column_index(const struct parquet_chunk *k, enum rows_type type,
    struct buf *b)
{
	struct thrift_out t;
	size_t i;

	thrift_out_init(&t, b);
	thrift_put_list(&t, 1, THRIFT_TRUE, k->n);
	for (i = 0; i < k->n; i++)
		thrift_elem_bool(&t, !k->pages[i].range.any);
	put_bounds(&t, 2, k, type, false);
	put_bounds(&t, 3, k, type, true);
	thrift_put_i32(&t, 4, boundary_order(k, type));
	thrift_put_list(&t, 5, THRIFT_I64, k->n);
	for (i = 0; i < k->n; i++)
		thrift_elem_int(&t, (int64_t)k->pages[i].range.nulls);
	thrift_end(&t);
}

static void
put_offset_index(const struct parquet_chunk *k, struct buf *b)
{
	struct thrift_out t;
	size_t i;

	thrift_out_init(&t, b);
	thrift_put_list(&t, 1, THRIFT_STRUCT, k->n);
	for (i = 0; i < k->n; i++) {
		thrift_elem(&t);
		thrift_put_i64(&t, 1, (int64_t)k->pages[i].offset);
		thrift_put_i32(&t, 2, (int32_t)k->pages[i].bytes);
		thrift_put_i64(&t, 3, (int64_t)k->pages[i].first_row);
		thrift_end(&t);
	}
	thrift_end(&t);
}

/* A chunk with a page of unknown bounds has no column index at all; the
 * levels of a list make its null pages ambiguous. */
static bool
has_index(const struct parquet_chunk *k, enum rows_type type)
{

	return (!k->range.lost && type != ROWS_LIST);
}

void
parquet_footer_indexes(struct parquet_group *groups, size_t n,
    const struct rows_schema *s, uint64_t offset, struct buf *b)
{
	struct parquet_chunk *k;
	size_t g, at;
	uint32_t c;

	for (g = 0; g < n; g++)
		for (c = 0; c < s->ncols; c++) {
			k = &groups[g].chunks[c];
			if (!has_index(k, s->cols[c].type))
				continue;
			at = b->len;
			put_column_index(k, s->cols[c].type, b);
			k->column_index = offset + at;
			k->column_index_len = (uint32_t)(b->len - at);
		}
	for (g = 0; g < n; g++)
		for (c = 0; c < s->ncols; c++) {
			k = &groups[g].chunks[c];
			at = b->len;
			put_offset_index(k, b);
			k->offset_index = offset + at;
			k->offset_index_len = (uint32_t)(b->len - at);
		}
}
