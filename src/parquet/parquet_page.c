/*
 * Pages, reading side: header, body, CRC, decompression, levels, values.
 * A page is decoded whole into arrays that the reader then copies from. All
 * sizes are checked against the chunk and PARQUET_PAGE_MAX before memory is
 * taken; counts against what the values section really holds.
 */

#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/must.h"
#include "codec/zip.h"
#include "parquet/parquet_int.h"
#include "sys/sys.h"

#define HEADER_FIRST 512
#define HEADER_MAX (64u << 10)	/* others put statistics into it */

struct header {
	int type;
	int64_t raw, zipped;
	int64_t crc;			/* -1: none */
	int64_t values;
	int encoding, def_encoding, rep_encoding;
	bool other;			/* a v2 or an index page */
};

void
parquet_source_init(struct parquet_source *s, const struct sys *sys, int fd,
    const struct rows_col *col)
{

	memset(s, 0, sizeof(*s));
	s->sys = sys;
	s->fd = fd;
	s->col = col;
	s->max_def = parquet_max_def(col);
	buf_init(&s->dict, PARQUET_PAGE_MAX);
	buf_init(&s->raw, PARQUET_PAGE_MAX);
	buf_init(&s->vals, PARQUET_PAGE_MAX);
	buf_init(&s->def, PARQUET_PAGE_MAX);
	buf_init(&s->rep, PARQUET_PAGE_MAX);
}

void
parquet_source_fini(struct parquet_source *s)
{

	buf_fini(&s->dict);
	buf_fini(&s->raw);
	buf_fini(&s->vals);
	buf_fini(&s->def);
	buf_fini(&s->rep);
	free(s->dict_off);
	free(s->remap);
}

void
parquet_source_start(struct parquet_source *s, const struct parquet_rchunk *k)
{

	s->codec = k->codec;
	s->at = k->from;
	s->end = k->to;
	s->values_left = k->values;
	s->have_dict = false;
	s->n = s->next = s->nvals = s->next_val = 0;
}

static int
damaged(struct err *e, const char *what)
{

	return (err_set(e, ERR_CORRUPT, "page: %s", what));
}

/* --- header and body ----------------------------------------------------- */

static void
get_page_kind(struct thrift_in *t, struct header *h, bool data)
{
	struct thrift_field f;

	if (!thrift_enter(t, &f))
		return;
	while (thrift_next(t, &f)) {
		if (f.id == 1)
			h->values = thrift_get_i32(t, &f);
		else if (f.id == 2)
			h->encoding = thrift_get_i32(t, &f);
		else if (f.id == 3 && data)
			h->def_encoding = thrift_get_i32(t, &f);
		else if (f.id == 4 && data)
			h->rep_encoding = thrift_get_i32(t, &f);
		else
			thrift_skip(t, &f);
	}
}

static bool
parse_header(const struct buf *b, struct header *h, size_t *used)
{
	struct thrift_field f;
	struct thrift_in t;

	*h = (struct header){ .type = -1, .raw = -1, .zipped = -1, .crc = -1,
	    .values = -1, .encoding = -1 };
	thrift_in_init(&t, b->data, b->len);
	(void)thrift_enter(&t, &f);
	while (thrift_next(&t, &f)) {
		if (f.id == 1)
			h->type = thrift_get_i32(&t, &f);
		else if (f.id == 2)
			h->raw = thrift_get_i32(&t, &f);
		else if (f.id == 3)
			h->zipped = thrift_get_i32(&t, &f);
		else if (f.id == 4)
			h->crc = (int64_t)(uint32_t)thrift_get_i32(&t, &f);
		else if ((f.id == 5 || f.id == 7) && thrift_is_struct(&t, &f))
			get_page_kind(&t, h, f.id == 5);
		else
			thrift_skip(&t, &f);
	}
	*used = b->len - cur_left(&t.c);
	return (!t.c.bad);
}

static int
read_bytes(struct parquet_source *s, struct buf *b, size_t n, struct err *e)
{
	uint8_t *to;
	int rc;

	buf_clear(b);
	if ((to = buf_reserve(b, n)) == NULL)
		return (err_set(e, b->error, "a page of %zu bytes", n));
	if ((rc = sys_pread_all(s->sys, s->fd, to, n, (int64_t)s->at,
	    e)) != 0)
		return (rc);
	b->len = n;
	return (0);
}

/* Header at s->at, which moves behind it. */
static int
read_header(struct parquet_source *s, struct parquet_rscratch *x,
    struct header *h, struct err *e)
{
	size_t n, used = 0, want = HEADER_FIRST;
	int rc;

	s->page_at = s->at;
	for (;; want = HEADER_MAX) {
		n = s->end - s->at < want ? (size_t)(s->end - s->at) : want;
		if (n == 0)
			return (damaged(e, "the chunk ends too early"));
		if ((rc = read_bytes(s, &x->file, n, e)) != 0)
			return (rc);
		if (parse_header(&x->file, h, &used))
			break;
		if (n < want || want == HEADER_MAX)
			return (damaged(e, "bad header"));
	}
	s->at += used;
	if (h->raw < 0 || h->zipped < 0 || h->raw > PARQUET_PAGE_MAX ||
	    (uint64_t)h->zipped > s->end - s->at)
		return (damaged(e, "bad sizes"));
	if (h->type != PARQUET_DATA_PAGE && h->type != PARQUET_DICTIONARY_PAGE)
		return (err_set(e, ERR_UNSUPPORTED, "a page of type %d",
		    h->type));
	if (h->values < 0 || h->values > PARQUET_PAGE_MAX / 8)
		return (damaged(e, "bad number of values"));
	return (0);
}

static int
read_body(struct parquet_source *s, struct parquet_rscratch *x,
    const struct header *h, struct buf *to, struct err *e)
{
	size_t n = (size_t)h->zipped;
	int rc;

	if (n > PARQUET_PAGE_MAX)
		return (damaged(e, "bad sizes"));
	if ((rc = read_bytes(s, &x->file, n, e)) != 0)
		return (rc);
	s->at += n;
	if (h->crc >= 0 && zip_crc32(0, x->file.data, n) != (uint32_t)h->crc)
		return (damaged(e, "the checksum does not match"));
	buf_clear(to);
	if (s->codec == PARQUET_ZSTD)
		return (zip_decompress(x->zip, x->file.data, n,
		    (size_t)h->raw, to, e));
	if (s->codec != PARQUET_UNCOMPRESSED)
		return (err_set(e, ERR_UNSUPPORTED, "codec %d", s->codec));
	if (h->raw != h->zipped)
		return (damaged(e, "bad sizes"));
	buf_put(to, x->file.data, n);
	return (to->error);
}

/* --- the dictionary ------------------------------------------------------ */

static int
take_dict(struct parquet_source *s, const struct header *h, struct err *e)
{
	size_t n = (size_t)h->values, i;
	struct cur c;

	if (h->encoding != PARQUET_PLAIN &&
	    h->encoding != PARQUET_PLAIN_DICTIONARY)
		return (err_set(e, ERR_UNSUPPORTED, "a dictionary of encoding "
		    "%d", h->encoding));
	if (!rows_is_text(s->col->type)) {
		if (s->col->type == ROWS_BOOL || s->dict.len / n !=
		    rows_width(s->col->type))
			return (damaged(e, "bad dictionary"));
		s->ndict = (uint32_t)n;
		return (0);
	}
	if (n > s->dict.len / 4)
		return (damaged(e, "bad dictionary"));
	s->dict_off = must_realloc(s->dict_off, n, sizeof(*s->dict_off));
	s->remap = must_realloc(s->remap, n, sizeof(*s->remap));
	memset(s->remap, 0, n * sizeof(*s->remap));
	cur_init(&c, s->dict.data, s->dict.len);
	for (i = 0; i < n; i++) {
		s->dict_off[i] = (uint32_t)(c.p - s->dict.data);
		(void)cur_bytes(&c, cur_u32le(&c));
	}
	if (c.bad)
		return (damaged(e, "bad dictionary"));
	s->ndict = (uint32_t)n;
	return (0);
}

static int
read_dict(struct parquet_source *s, struct parquet_rscratch *x,
    const struct header *h, struct err *e)
{
	int rc;

	if (s->have_dict)
		return (damaged(e, "a second dictionary"));
	if ((rc = read_body(s, x, h, &s->dict, e)) != 0)
		return (rc);
	s->have_dict = true;
	s->ndict = 0;
	return (h->values == 0 ? 0 : take_dict(s, h, e));
}

/* --- a data page --------------------------------------------------------- */

/* A byte an entry; the number of those that are `max` in *hits. */
static int
get_levels(struct cur *c, struct parquet_rscratch *x, uint8_t max,
    uint32_t n, struct buf *to, uint32_t *hits, struct err *e)
{
	struct cur part;
	uint32_t *wide, i;
	uint8_t *narrow;
	size_t len = cur_u32le(c);
	const uint8_t *p = cur_bytes(c, len);

	buf_clear(to);
	buf_clear(&x->codes);
	if (p == NULL)
		return (damaged(e, "bad levels"));
	wide = (void *)buf_reserve(&x->codes, max > 1 ? (size_t)n * 4 : 1);
	narrow = buf_reserve(to, n);
	if (wide == NULL || narrow == NULL)
		return (err_set(e, ERR_LIMIT, "a page of %u values", n));
	to->len = n;
	cur_init(&part, p, len);
	if (max == 1)
		return (parquet_decode_bits(&part, narrow, n, hits) ? 0 :
		    damaged(e, "bad levels"));
	if (!parquet_decode_hybrid(&part, parquet_width(max), max, wide, n))
		return (damaged(e, "bad levels"));
	for (*hits = 0, i = 0; i < n; i++) {
		narrow[i] = (uint8_t)wide[i];
		*hits += wide[i] == max;
	}
	return (0);
}

static int
get_codes(struct parquet_source *s, struct cur *c, uint32_t *to,
    struct err *e)
{
	uint8_t width;

	if (s->nvals == 0)
		return (0);
	width = cur_u8(c);
	if (!s->have_dict || s->ndict == 0 || c->bad ||
	    !parquet_decode_hybrid(c, width, s->ndict - 1, to, s->nvals))
		return (damaged(e, "bad codes"));
	return (0);
}

/* Numbers by dictionary: codes, then the numbers in their place. */
static int
get_coded(struct parquet_source *s, struct parquet_rscratch *x,
    struct cur *c, uint8_t *to, struct err *e)
{
	size_t w = rows_width(s->col->type);
	uint32_t *codes, i;
	int rc;

	buf_clear(&x->codes);
	codes = (void *)buf_reserve(&x->codes, (size_t)s->nvals * 4);
	if (codes == NULL || s->col->type == ROWS_BOOL)
		return (damaged(e, "bad codes"));
	if ((rc = get_codes(s, c, codes, e)) != 0)
		return (rc);
	for (i = 0; i < s->nvals; i++)
		memcpy(to + i * w, s->dict.data + codes[i] * w, w);
	return (0);
}

static int
get_plain(struct parquet_source *s, struct cur *c, uint8_t *to,
    struct err *e)
{
	size_t n = s->nvals * rows_width(s->col->type), i;
	uint32_t *offset = (void *)to;
	const uint8_t *p;

	if (s->col->type == ROWS_BOOL)
		return (parquet_decode_bools(c, to, s->nvals) ? 0 :
		    damaged(e, "bad values"));
	if (!rows_is_text(s->col->type)) {
		if ((p = cur_bytes(c, n)) == NULL)
			return (damaged(e, "bad values"));
		if (n > 0)
			memcpy(to, p, n);
		return (0);
	}
	for (i = 0; i < s->nvals && !c->bad; i++) {
		offset[i] = (uint32_t)(c->p - s->raw.data);
		(void)cur_bytes(c, cur_u32le(c));
	}
	return (c->bad ? damaged(e, "bad values") : 0);
}

static int
get_values(struct parquet_source *s, struct parquet_rscratch *x,
    struct cur *c, int encoding, struct err *e)
{
	enum rows_type type = s->col->type;
	bool good;
	void *to;

	buf_clear(&s->vals);
	to = buf_reserve(&s->vals, (size_t)s->nvals *
	    rows_width(type) + 1);
	if (to == NULL)
		return (err_set(e, s->vals.error, "a page of %u values",
		    s->nvals));
	s->coded = false;
	switch (encoding) {
	case PARQUET_PLAIN:
		return (get_plain(s, c, to, e));
	case PARQUET_PLAIN_DICTIONARY:
	case PARQUET_RLE_DICTIONARY:
		s->coded = rows_is_text(type);
		return (s->coded ? get_codes(s, c, to, e) :
		    get_coded(s, x, c, to, e));
	case PARQUET_DELTA_BINARY_PACKED:
		if (type == ROWS_INT32)
			good = parquet_decode_delta32(c, to, s->nvals);
		else if (type == ROWS_INT64 || type == ROWS_TICKS)
			good = parquet_decode_delta64(c, to, s->nvals);
		else
			break;
		return (good ? 0 : damaged(e, "bad values"));
	}
	return (err_set(e, ERR_UNSUPPORTED, "encoding %d", encoding));
}

static int
take_page(struct parquet_source *s, struct parquet_rscratch *x,
    const struct header *h, struct err *e)
{
	uint32_t hits = 0;
	struct cur c;
	int rc;

	if (h->values == 0 || (uint64_t)h->values > s->values_left)
		return (damaged(e, "bad number of values"));
	if ((s->max_def > 0 && h->def_encoding != PARQUET_RLE) ||
	    (s->col->type == ROWS_LIST && h->rep_encoding != PARQUET_RLE))
		return (err_set(e, ERR_UNSUPPORTED, "levels of encoding %d",
		    h->def_encoding));
	s->n = s->nvals = (uint32_t)h->values;
	s->next = s->next_val = 0;
	cur_init(&c, s->raw.data, s->raw.len);
	if (s->col->type == ROWS_LIST) {
		if ((rc = get_levels(&c, x, 1, s->n, &s->rep, &hits, e)) != 0)
			return (rc);
		if (s->rep.data[0] != 0)
			return (err_set(e, ERR_UNSUPPORTED, "a page that "
			    "begins within a row"));
	}
	if (s->max_def > 0 && (rc = get_levels(&c, x, s->max_def, s->n,
	    &s->def, &s->nvals, e)) != 0)
		return (rc);
	s->full = s->nvals == s->n;
	if ((rc = get_values(s, x, &c, h->encoding, e)) != 0)
		return (rc);
	s->values_left -= s->n;
	return (0);
}

int
parquet_source_page(struct parquet_source *s, struct parquet_rscratch *x,
    struct err *e)
{
	struct header h;
	int rc;

	s->n = s->next = s->nvals = s->next_val = 0;
	if ((rc = read_header(s, x, &h, e)) != 0)
		return (rc);
	if (h.type == PARQUET_DICTIONARY_PAGE) {
		if ((rc = read_dict(s, x, &h, e)) != 0 ||
		    (rc = read_header(s, x, &h, e)) != 0)
			return (rc);
		if (h.type == PARQUET_DICTIONARY_PAGE)
			return (damaged(e, "a second dictionary"));
	}
	if ((rc = read_body(s, x, &h, &s->raw, e)) != 0 ||
	    (rc = take_page(s, x, &h, e)) != 0)
		s->n = s->nvals = 0;
	return (rc);
}

const char *
parquet_source_text(const struct parquet_source *s, uint32_t i, size_t *len)
{
	const uint32_t *vals = (const void *)s->vals.data;
	const uint8_t *base = s->raw.data;
	uint32_t at = vals[i], n;

	if (s->coded) {
		base = s->dict.data;
		at = s->dict_off[vals[i]];
	}
	memcpy(&n, base + at, 4);	/* checked when the page was read */
	*len = n;
	return ((const char *)base + at + 4);
}
