/*
 * A column of a row group: cells are gathered until the page is full, then
 * encoded and compressed; only compressed pages are kept. Text takes the
 * codes of its dictionary along: a string is looked up once a batch, not
 * once a row. When the dictionary grows too large, or does not pay, the
 * page at hand ends and the next ones are PLAIN.
 *
 * A page without nulls, or of nothing else, has one run as its levels.
 */

#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/must.h"
#include "base/text.h"
#include "codec/json.h"
#include "codec/zip.h"
#include "parquet/parquet_int.h"

void
parquet_column_init(struct parquet_column *c, const struct rows_schema *s,
    uint32_t index, struct rows *dicts)
{

	memset(c, 0, sizeof(*c));
	c->col = &s->cols[index];
	c->index = index;
	c->max_def = parquet_max_def(c->col);
	c->dicts = dicts;
	c->dict = rows_is_text(c->col->type);
	buf_init(&c->def, PARQUET_PAGE_MAX);
	buf_init(&c->rep, PARQUET_PAGE_MAX);
	buf_init(&c->vals, PARQUET_PAGE_MAX);
	buf_init(&c->pages, (size_t)PARQUET_GROUP_BYTES * 4);
}

void
parquet_column_fini(struct parquet_column *c)
{

	free(c->remap);
	free(c->seen);
	free(c->chunk.pages);
	buf_fini(&c->def);
	buf_fini(&c->rep);
	buf_fini(&c->vals);
	buf_fini(&c->pages);
}

/* --- cells --------------------------------------------------------------- */

static inline int64_t
ticks_to_us(int64_t t)
{
	int64_t us = t / 10;

	return (us - (us * 10 > t));
}

/* Take the n cells that are valid, `some` of them; to has one cell more. */
#define TAKE(type, to, from, expr) do {					\
	const type *x_ = (from);					\
	type *to_ = (to);						\
	for (i = 0; i < n; i++) {					\
		const type x = x_[i];					\
		*to_ = (expr);						\
		to_ += valid[i];					\
	}								\
} while (0)

static void
take_fixed(struct parquet_column *c, const struct rows_vec *v,
    const uint8_t *valid, uint32_t from, uint32_t n, size_t some)
{
	size_t w = rows_width(c->col->type);
	uint32_t i;
	void *to;

	if ((to = buf_reserve(&c->vals, (some + 1) * w)) == NULL)
		return;
	if (c->col->type == ROWS_TICKS)
		TAKE(int64_t, to, v->i64 + from, ticks_to_us(x));
	else if (some == n)
		memcpy(to, v->b + from * w, n * w);
	else if (w == 1)
		TAKE(uint8_t, to, v->b + from, x);
	else if (w == 4)
		TAKE(int32_t, to, v->i32 + from, x);
	else
		TAKE(int64_t, to, v->i64 + from, x);
	c->vals.len += some * w;
	c->nvals += (uint32_t)some;
}

/* One text into the page, as code or PLAIN. */
static uint32_t
dict_code(struct parquet_column *c, const char *s, size_t len)
{
	const struct rows_dict *d = &c->dicts->v[c->index].dict;
	uint32_t before = d->n, code;

	code = rows_intern(c->dicts, c->index, s, len);
	if (d->n > before) {
		c->dict_bytes += 4 + len;
		if (c->dict_bytes > PARQUET_DICT_BYTES)
			c->dict_over = true;
	}
	return (code);
}

static void
put_text(struct parquet_column *c, const char *s, size_t len)
{
	uint32_t code;

	c->nvals++;
	if (c->dict) {
		code = dict_code(c, s, len);
		c->plain_bytes += 4 + len;
		buf_put(&c->vals, &code, 4);
	} else {
		buf_u32le(&c->vals, (uint32_t)len);
		buf_put(&c->vals, s, len);
	}
}

static int
bad_text(const struct parquet_column *c, struct err *e)
{

	return (err_set(e, ERR_DATA, "column %s holds text that is not UTF-8",
	    c->col->name));
}

/* The code of the batch's code; checked once a batch. */
static int
remap(struct parquet_column *c, struct parquet_scratch *s,
    const struct rows_dict *d, uint32_t code, struct err *e)
{
	struct parquet_remap *m = &c->remap[code];
	const char *text;
	size_t len;

	if (m->call == s->call)
		return (0);
	text = rows_dict_str(d, code, &len);
	if (!text_utf8_valid(text, len))
		return (bad_text(c, e));
	if (len > LIMIT_CELL_MAX)
		return (err_set(e, ERR_LIMIT, "column %s: a text of %zu bytes",
		    c->col->name, len));
	m->call = s->call;
	if (c->dict)
		m->code = dict_code(c, text, len);
	return (0);
}

/* Until a cell makes the page end, which is told by *done < n. */
static int
take_strings(struct parquet_column *c, struct parquet_scratch *s,
    const struct rows_vec *v, uint32_t from, uint32_t n, uint32_t *done,
    struct err *e)
{
	const uint32_t *code = v->code + from;
	const uint8_t *valid = v->valid + from;
	uint32_t i, *to;
	size_t len;
	const char *text;
	int rc = 0;

	if ((to = (void *)buf_reserve(&c->vals, (size_t)n * 4)) == NULL)
		return (0);
	for (i = 0; i < n && !c->dict_over &&
	    c->vals.len < PARQUET_PAGE_BYTES; i++) {
		if (!valid[i])
			continue;
		if (c->remap[code[i]].call != s->call &&
		    (rc = remap(c, s, &v->dict, code[i], e)) != 0)
			return (rc);
		if (c->dict) {
			*to++ = c->remap[code[i]].code;
			c->plain_bytes += 4 + v->dict.off[code[i] + 1] -
			    v->dict.off[code[i]];
			continue;
		}
		text = rows_dict_str(&v->dict, code[i], &len);
		put_text(c, text, len);
	}
	if (c->dict) {
		c->vals.len = (size_t)((uint8_t *)to - c->vals.data);
		c->nvals = (uint32_t)(c->vals.len / 4);
	}
	*done = i;
	return (0);
}

static int
take_list(struct parquet_column *c, const char *text, size_t len,
    struct err *e)
{
	uint8_t def = (uint8_t)(c->max_def - 2), rep = 0;
	yyjson_doc *doc = NULL;
	yyjson_val *x;
	yyjson_arr_iter it;
	int rc;

	if ((rc = json_parse(text, len, &doc, e)) == ERR_NOMEM)
		return (rc);
	if (rc != 0 || !yyjson_is_arr(yyjson_doc_get_root(doc))) {
		yyjson_doc_free(doc);
		return (err_set(e, ERR_DATA, "column %s is no JSON array",
		    c->col->name));
	}
	if (yyjson_arr_size(yyjson_doc_get_root(doc)) == 0) {
		buf_u8(&c->def, def);
		buf_u8(&c->rep, rep);
		c->entries++;
	}
	yyjson_arr_iter_init(yyjson_doc_get_root(doc), &it);
	while (rc == 0 && (x = yyjson_arr_iter_next(&it)) != NULL) {
		if (yyjson_is_str(x))
			put_text(c, yyjson_get_str(x), yyjson_get_len(x));
		else if (!yyjson_is_null(x))
			rc = err_set(e, ERR_DATA, "column %s: an element is "
			    "no string", c->col->name);
		buf_u8(&c->def, (uint8_t)(def + 1 + yyjson_is_str(x)));
		buf_u8(&c->rep, rep);
		rep = 1;
		c->entries++;
	}
	yyjson_doc_free(doc);
	return (rc);
}

static int
take_lists(struct parquet_column *c, const struct rows_vec *v, uint32_t from,
    uint32_t n, uint32_t *done, struct err *e)
{
	const char *text;
	uint32_t i;
	size_t len;
	int rc = 0;

	for (i = 0; rc == 0 && i < n && !c->dict_over &&
	    c->entries < PARQUET_PAGE_ROWS_MAX / 16 &&
	    c->vals.len < PARQUET_PAGE_BYTES; i++) {
		if (v->valid[from + i]) {
			text = rows_dict_str(&v->dict, v->code[from + i],
			    &len);
			rc = take_list(c, text, len, e);
			continue;
		}
		buf_u8(&c->def, 0);
		buf_u8(&c->rep, 0);
		c->entries++;
	}
	*done = i;
	return (rc);
}

/* Up to n rows into the page: *done of them. */
static int
take(struct parquet_column *c, struct parquet_scratch *s,
    const struct rows_vec *v, uint32_t from, uint32_t n, uint32_t *done,
    struct err *e)
{
	const uint8_t *valid = v->valid + from;
	bool all = memchr(valid, 0, n) == NULL;
	size_t some = 0;
	uint32_t i;
	int rc = 0;

	*done = n;
	if (c->col->required && !all)
		return (err_set(e, ERR_DATA, "column %s is required but null",
		    c->col->name));
	if (c->col->type == ROWS_LIST)
		return (take_lists(c, v, from, n, done, e));
	if (!all && memchr(valid, 1, n) != NULL)
		for (i = 0; i < n; i++)
			some += valid[i];
	if (all)
		some = n;
	if (some > 0 && c->col->type == ROWS_STRING)
		rc = take_strings(c, s, v, from, n, done, e);
	else if (some > 0)
		take_fixed(c, v, valid, from, n, some);
	if (c->max_def > 0)
		buf_put(&c->def, valid, *done);
	c->entries += *done;
	return (rc);
}

static void
grow_remap(struct parquet_column *c, uint32_t n)
{

	if (n <= c->nremap)
		return;
	c->remap = must_realloc(c->remap, n, sizeof(*c->remap));
	memset(c->remap + c->nremap, 0,
	    (n - c->nremap) * sizeof(*c->remap));
	c->nremap = n;
}

int
parquet_column_append(struct parquet_column *c, struct parquet_scratch *s,
    const struct rows *r, uint32_t from, uint32_t n, struct err *e)
{
	const struct rows_vec *v = &r->v[c->index];
	uint32_t done;
	int rc;

	if (c->col->type == ROWS_STRING)
		grow_remap(c, v->dict.n);
	while (n > 0) {
		rc = take(c, s, v, from, n, &done, e);
		if (rc != 0)
			return (rc);
		if ((rc = c->vals.error) != 0 || (rc = c->def.error) != 0 ||
		    (rc = c->rep.error) != 0)
			return (err_set(e, rc, "column %s: no room for a "
			    "page", c->col->name));
		c->page_rows += done;
		from += done;
		n -= done;
		if (n > 0 && (rc = parquet_column_flush(c, s, e)) != 0)
			return (rc);
	}
	return (0);
}

/* --- pages --------------------------------------------------------------- */

static void
range_codes(struct parquet_column *c, struct parquet_range *r,
    const uint32_t *code, size_t n)
{
	const struct rows_dict *d = &c->dicts->v[c->index].dict;
	const char *s, *min = NULL, *max = NULL;
	size_t i, len, nmin = 0, nmax = 0, k;
	int d1, d2;

	if (d->n > c->nseen) {
		c->seen = must_realloc(c->seen, d->n, sizeof(*c->seen));
		memset(c->seen + c->nseen, 0,
		    (d->n - c->nseen) * sizeof(*c->seen));
		c->nseen = d->n;
	}
	for (i = 0; i < n; i++) {
		if (c->seen[code[i]] == c->page_no)
			continue;
		c->seen[code[i]] = c->page_no;
		s = rows_dict_str(d, code[i], &len);
		k = len < nmin ? len : nmin;
		d1 = min == NULL ? -1 : memcmp(s, min, k);
		if (d1 < 0 || (d1 == 0 && len < nmin)) {
			min = s;
			nmin = len;
		}
		k = len < nmax ? len : nmax;
		d2 = max == NULL ? 1 : memcmp(s, max, k);
		if (d2 > 0 || (d2 == 0 && len > nmax)) {
			max = s;
			nmax = len;
		}
	}
	if (n > 0)
		parquet_range_text(r, min, nmin, max, nmax);
}

static void
range_plain(struct parquet_range *r, const struct buf *vals)
{
	const char *s, *min = NULL, *max = NULL;
	size_t at, nmin = 0, nmax = 0;
	uint32_t len;
	int d;

	for (at = 0; at < vals->len; at += 4 + len) {
		memcpy(&len, vals->data + at, 4);
		s = (const char *)vals->data + at + 4;
		d = min == NULL ? -1 :
		    memcmp(s, min, len < nmin ? len : nmin);
		if (d < 0 || (d == 0 && len < nmin)) {
			min = s;
			nmin = len;
		}
		d = max == NULL ? 1 :
		    memcmp(s, max, len < nmax ? len : nmax);
		if (d > 0 || (d == 0 && len > nmax)) {
			max = s;
			nmax = len;
		}
	}
	parquet_range_text(r, min, nmin, max, nmax);
}

/* Levels of a v1 page: length, then the hybrid. */
static void
put_levels(struct parquet_scratch *s, const struct buf *level, uint8_t max)
{
	size_t i, at = s->body.len, n = level->len;
	uint32_t *wide, len;

	buf_u32le(&s->body, 0);
	buf_clear(&s->codes);
	if ((wide = (void *)buf_reserve(&s->codes, n * 4)) == NULL) {
		s->body.error = s->codes.error;
		return;
	}
	for (i = 0; i < n; i++)
		wide[i] = level->data[i];
	parquet_encode_hybrid(&s->body, wide, n, parquet_width(max));
	if (s->body.error != 0)
		return;
	len = (uint32_t)(s->body.len - at - 4);
	memcpy(s->body.data + at, &len, 4);
}

/* The same for n equal levels 0 or 1. */
static void
put_equal_levels(struct parquet_scratch *s, uint8_t level, uint32_t n)
{
	struct buf run;

	buf_init(&run, 16);
	buf_varint(&run, (uint64_t)n << 1);
	buf_u8(&run, level);
	buf_u32le(&s->body, (uint32_t)run.len);
	buf_put(&s->body, run.data, run.len);
	buf_fini(&run);
}

static void
put_all_levels(struct parquet_column *c, struct parquet_scratch *s)
{

	if (c->col->type == ROWS_LIST) {
		put_levels(s, &c->rep, 1);
		put_levels(s, &c->def, c->max_def);
	} else if (c->max_def > 0) {
		if (c->nvals == 0 || c->nvals == c->entries)
			put_equal_levels(s, c->nvals > 0, c->entries);
		else
			put_levels(s, &c->def, 1);
	}
}

static enum parquet_encoding
put_texts(struct parquet_column *c, struct buf *b, struct parquet_range *r)
{
	const uint32_t *codes = (const void *)c->vals.data;
	unsigned width;

	if (!c->dict) {
		range_plain(r, &c->vals);
		buf_put(b, c->vals.data, c->vals.len);
		return (PARQUET_PLAIN);
	}
	range_codes(c, r, codes, c->vals.len / 4);
	width = parquet_width(c->dicts->v[c->index].dict.n - 1);
	buf_u8(b, (uint8_t)width);
	parquet_encode_hybrid(b, codes, c->vals.len / 4, width);
	return (PARQUET_RLE_DICTIONARY);
}

/* The values, their range, and which encoding was used. */
static enum parquet_encoding
put_values(struct parquet_column *c, struct buf *b, struct parquet_range *r)
{
	const void *v = c->vals.data;
	size_t n = c->nvals;

	if (n == 0)
		return (PARQUET_PLAIN);
	switch (c->col->type) {
	case ROWS_BOOL:
		parquet_range_bools(r, v, n);
		parquet_encode_bools(b, v, n);
		return (PARQUET_PLAIN);
	case ROWS_INT32:
		parquet_range_i32(r, v, n);
		parquet_encode_delta32(b, v, n);
		return (PARQUET_DELTA_BINARY_PACKED);
	case ROWS_INT64:
	case ROWS_TICKS:
		parquet_range_i64(r, v, n);
		parquet_encode_delta64(b, v, n);
		return (PARQUET_DELTA_BINARY_PACKED);
	case ROWS_DOUBLE:
		parquet_range_f64(r, v, n);
		buf_put(b, v, c->vals.len);
		return (PARQUET_PLAIN);
	default:
		return (put_texts(c, b, r));
	}
}

/* Compress scratch->body and put it with its header behind `out`. */
static int
put_page(struct parquet_column *c, struct parquet_scratch *s, int type,
    uint32_t values, enum parquet_encoding enc, struct buf *out,
    struct err *e)
{
	struct thrift_out t;
	struct buf *zipped = &s->zipped, head;
	int rc;

	buf_init(&head, 256);
	buf_clear(zipped);
	if ((rc = s->body.error) != 0) {
		err_set(e, rc, "page of %s", c->col->name);
		goto out;
	}
	if ((rc = zip_compress(s->zip, s->body.data, s->body.len, zipped,
	    e)) != 0)
		goto out;
	thrift_out_init(&t, &head);
	thrift_put_i32(&t, 1, type);
	thrift_put_i32(&t, 2, (int32_t)s->body.len);
	thrift_put_i32(&t, 3, (int32_t)zipped->len);
	thrift_put_i32(&t, 4, (int32_t)zip_crc32(0, zipped->data, zipped->len));
	thrift_begin(&t, type == PARQUET_DATA_PAGE ? 5 : 7);
	thrift_put_i32(&t, 1, (int32_t)values);
	thrift_put_i32(&t, 2, (int32_t)enc);
	if (type == PARQUET_DATA_PAGE) {
		thrift_put_i32(&t, 3, PARQUET_RLE);
		thrift_put_i32(&t, 4, PARQUET_RLE);
	}
	thrift_end(&t);
	thrift_end(&t);
	buf_put(out, head.data, head.len);
	buf_put(out, zipped->data, zipped->len);
	c->chunk.raw_bytes += head.len + s->body.len;
	if ((rc = out->error) != 0)
		err_set(e, rc, "row group of column %s", c->col->name);
out:
	buf_fini(&head);
	return (rc);
}

static struct parquet_page *
add_page(struct parquet_column *c)
{
	struct parquet_chunk *k = &c->chunk;
	struct parquet_page *p;

	if (k->n == k->cap) {
		k->cap = k->cap == 0 ? 16 : k->cap * 2;
		k->pages = must_realloc(k->pages, k->cap, sizeof(*k->pages));
	}
	p = &k->pages[k->n++];
	memset(p, 0, sizeof(*p));
	p->offset = c->pages.len;
	p->first_row = c->group_rows;
	return (p);
}

/* Codes and dictionary against PLAIN, before compression. */
static bool
dict_pays(const struct parquet_column *c)
{
	const struct rows_dict *d = &c->dicts->v[c->index].dict;
	unsigned width = parquet_width(d->n);

	return (c->dict_bytes + (c->chunk.values + c->entries) * width / 8 <
	    c->plain_bytes / 3 * 2);
}

int
parquet_column_flush(struct parquet_column *c, struct parquet_scratch *s,
    struct err *e)
{
	enum parquet_encoding enc;
	struct parquet_page *p;
	int rc;

	if (c->page_rows == 0)
		return (0);
	c->page_no++;
	p = add_page(c);
	buf_clear(&s->body);
	put_all_levels(c, s);
	p->range.nulls = c->entries - c->nvals;
	enc = put_values(c, &s->body, &p->range);
	if ((rc = put_page(c, s, PARQUET_DATA_PAGE, c->entries, enc,
	    &c->pages, e)) != 0)
		return (rc);
	p->bytes = (uint32_t)(c->pages.len - p->offset);
	parquet_range_merge(&c->chunk.range, &p->range, c->col->type);
	if (c->dict && (c->dict_over || (c->vals.len > 0 && !dict_pays(c))))
		c->dict = false;
	c->chunk.npages[enc]++;
	c->chunk.values += c->entries;
	c->group_rows += c->page_rows;
	c->page_rows = c->entries = c->nvals = 0;
	c->dict_over = false;
	buf_clear(&c->def);
	buf_clear(&c->rep);
	buf_clear(&c->vals);
	return (0);
}

int
parquet_column_dict(struct parquet_column *c, struct parquet_scratch *s,
    struct err *e)
{
	const struct rows_dict *d = &c->dicts->v[c->index].dict;
	const char *text;
	uint32_t i;
	size_t len;

	buf_clear(&s->codes);
	if (c->chunk.npages[PARQUET_RLE_DICTIONARY] == 0)
		return (0);
	buf_clear(&s->body);
	for (i = 0; i < d->n; i++) {
		text = rows_dict_str(d, i, &len);
		buf_u32le(&s->body, (uint32_t)len);
		buf_put(&s->body, text, len);
	}
	return (put_page(c, s, PARQUET_DICTIONARY_PAGE, d->n, PARQUET_PLAIN,
	    &s->codes, e));
}

void
parquet_column_next(struct parquet_column *c, struct parquet_chunk *out)
{

	MUST(c->page_rows == 0);
	*out = c->chunk;
	memset(&c->chunk, 0, sizeof(c->chunk));
	buf_clear(&c->pages);
	c->group_rows = 0;
	c->dict = rows_is_text(c->col->type);
	c->dict_bytes = 0;
	c->plain_bytes = 0;
	/* No page has seen a code of the next dictionary. */
	c->page_no = 0;
	if (c->nseen > 0)
		memset(c->seen, 0, c->nseen * sizeof(*c->seen));
}
