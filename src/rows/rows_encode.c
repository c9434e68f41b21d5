/*
 * Batches to bytes, column by column. Cells that are null are taken out
 * first, so that each form sees a plain array; a column of one value costs
 * a few bytes, whatever its type. Numbers are encoded part by part, in arrays
 * that stay in the nearest cache; parts end where the rows' stream does.
 * The same rows always give the same bytes. Running out of the buffer's
 * ceiling is its sticky error.
 */

#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/must.h"
#include "rows/rows_int.h"

/* A text column that changes more often says nothing of the others. */
#define RUN_MIN 16
#define RUNS_FEW 64

/* Eight validity bytes. */
#define ALL_VALID 0x0101010101010101u

/* What one batch needs. */
struct encoder {
	const struct rows *rows;
	struct rows_coder *coder;
	uint32_t *cuts;		/* rows where parts end; the last one too */
	void *dense;		/* a column without its nulls, when needed */
	struct buf *b;
};

/* --- nulls and bools ----------------------------------------------------- */

static void
put_bitmap(const uint8_t *x, uint32_t n, struct encoder *e)
{
	uint8_t tail[8] = { 0 }, *p = buf_reserve(e->b, (n + 7) / 8);

	if (p == NULL)
		return;
	e->coder->kernel->bits(x, n / 8 * 8, 0, p);
	memcpy(tail, x + n / 8 * 8, n % 8);
	if (n % 8 != 0)
		e->coder->kernel->bits(tail, 8, 0, p + n / 8);
	e->b->len += (n + 7) / 8;
}

/* Eight rows at a time: mostly all or none of them are null; else there is no
 * branch a cell. */
#define PACK_ONE(k)	(to[m] = from[i + (k)], m += valid[i + (k)])
#define PACK(type) do {							\
	const type *from = (const type *)v->data + at;			\
	type *to = dense;						\
									\
	for (i = 0; i + 8 <= n; i += 8) {				\
		memcpy(&eight, valid + i, 8);				\
		if (eight == ALL_VALID) {				\
			memcpy(to + m, from + i, 8 * sizeof(*to));	\
			m += 8;						\
		} else if (eight != 0) {				\
			PACK_ONE(0);					\
			PACK_ONE(1);					\
			PACK_ONE(2);					\
			PACK_ONE(3);					\
			PACK_ONE(4);					\
			PACK_ONE(5);					\
			PACK_ONE(6);					\
			PACK_ONE(7);					\
		}							\
	}								\
	for (; i < n; i++)						\
		if (valid[i])						\
			to[m++] = from[i];				\
} while (0)

/* The valid cells of rows [at, at + n) side by side; m of them. There is
 * room for n, or for one more than there are. */
static uint32_t
pack_valid(const struct rows_vec *v, size_t width, uint32_t at, uint32_t n,
    void *dense)
{
	const uint8_t *valid = v->valid + at;
	uint64_t eight;
	size_t i, m = 0;

	switch (width) {
	case 1:
		PACK(uint8_t);
		break;
	case 4:
		PACK(uint32_t);
		break;
	default:
		PACK(uint64_t);
		break;
	}
	return ((uint32_t)m);
}

static void
encode_bools(const uint8_t *x, uint32_t m, struct encoder *e)
{

	if (memchr(x, x[0] ? 0 : 1, m) == NULL) {
		buf_u8(e->b, x[0] ? BOOLS_TRUE : BOOLS_FALSE);
		return;
	}
	buf_u8(e->b, BOOLS_BITMAP);
	put_bitmap(x, m, e);
}

/* --- text ---------------------------------------------------------------- */

/* Lengths, then the bytes of the n texts whose codes are given. */
static void
put_entries(const struct rows_dict *d, const uint32_t *codes, uint32_t n,
    struct encoder *e)
{
	int64_t *ints = must_calloc(n, sizeof(ints[0]));
	const char *text;
	size_t len;
	uint32_t i;

	for (i = 0; i < n; i++) {
		(void)rows_dict_str(d, codes[i], &len);
		ints[i] = (int64_t)len;
	}
	rows_ints_encode(e->coder, ints, n, e->b);
	free(ints);
	for (i = 0; i < n; i++) {
		text = rows_dict_str(d, codes[i], &len);
		buf_put(e->b, text, len);
	}
}

/* Entries of the runs, then their lengths; entry[code] is counted from 1. */
static void
put_runs(const uint32_t *code, const uint32_t *entry, const int64_t *lengths,
    uint32_t runs, struct encoder *e)
{
	int64_t *ints = must_calloc(runs, sizeof(ints[0]));
	uint32_t i;

	buf_varint(e->b, runs);
	for (i = 0; i < runs; code += lengths[i++])
		ints[i] = entry[*code] - 1;
	rows_ints_encode(e->coder, ints, runs, e->b);
	rows_ints_encode(e->coder, lengths, runs, e->b);
	free(ints);
}

static void
put_codes(const uint32_t *code, const uint32_t *entry, uint32_t m,
    struct encoder *e)
{
	struct rows_coder *c = e->coder;
	uint32_t i, k, n;

	rows_coder_begin(c);
	for (i = 0; i < m; i += n) {
		n = m - i < ROWS_PART_MAX ? m - i : ROWS_PART_MAX;
		for (k = 0; k < n; k++)
			c->ints[k] = entry[code[i + k]] - 1;
		rows_coder_add(c, c->ints, n);
	}
	rows_ints_end(c, e->b);
}

/* How the codes run: what of them is used, in order of first sight, and how
 * long each run is, as long as there may be runs at all. */
struct runs {
	uint32_t *entry;	/* [code], from 1; 0: not used */
	uint32_t *codes;	/* [n] */
	uint32_t n;
	int64_t *lengths;
	uint32_t runs, cap;
};

static void
find_runs(struct runs *f, const uint32_t *code, uint32_t m,
    const struct rows_kernel *kernel)
{
	uint32_t i, k;

	for (i = 0; i < m; i += k) {
		k = kernel->run(code + i, m - i);
		if (f->entry[code[i]] == 0) {
			f->codes[f->n] = code[i];
			f->entry[code[i]] = ++f->n;
		}
		if (f->runs == f->cap && f->cap <= m / 2) {
			f->cap = f->cap < RUNS_FEW ? RUNS_FEW : f->cap * 2;
			f->lengths = must_realloc(f->lengths, f->cap,
			    sizeof(f->lengths[0]));
		}
		if (f->runs < f->cap)
			f->lengths[f->runs] = k;
		f->runs++;
	}
}

static void
encode_texts(const struct rows_dict *d, const uint32_t *code, uint32_t m,
    struct encoder *e)
{
	struct runs f = { .n = 0 };

	f.entry = must_calloc(d->n, sizeof(f.entry[0]));
	f.codes = must_calloc(d->n, sizeof(f.codes[0]));
	find_runs(&f, code, m, e->coder->kernel);
	buf_varint(e->b, f.n);
	put_entries(d, f.codes, f.n, e);
	if (f.runs == 1) {
		buf_u8(e->b, TEXTS_SAME);
	} else if (f.runs <= m / 2) {
		buf_u8(e->b, TEXTS_RUNS);
		put_runs(code, f.entry, f.lengths, f.runs, e);
	} else {
		buf_u8(e->b, TEXTS_EACH);
		put_codes(code, f.entry, m, e);
	}
	free(f.entry);
	free(f.codes);
	free(f.lengths);
}

/* --- numbers ------------------------------------------------------------- */

/* Where a column is, part by part. */
struct walk {
	const struct rows_vec *v;
	size_t width;
	uint32_t at;
	const uint32_t *cut;
	bool nulls;
};

/* The cells of the next part, m > 0 of them, or NULL at the end. Where there
 * are nulls it goes on over a cut until it is long enough. */
static const void *
next_part(struct walk *w, const struct encoder *e, uint32_t *m)
{
	uint32_t n, left, from = w->at;

	for (*m = 0; w->at < e->rows->n && *m < ROWS_PART_MIN;) {
		left = *w->cut - w->at;
		n = (left + ROWS_PART_MAX - 1) / ROWS_PART_MAX;
		n = (left + n - 1) / n;		/* all about as long */
		if (n > ROWS_PART_MAX - *m)
			n = ROWS_PART_MAX - *m;
		*m += w->nulls ? pack_valid(w->v, w->width, w->at, n,
		    (uint8_t *)e->coder->cells + *m * w->width) : n;
		w->at += n;
		if (w->at == *w->cut)
			w->cut++;
	}
	if (*m == 0)
		return (NULL);
	return (w->nulls ? (const void *)e->coder->cells :
	    (const uint8_t *)w->v->data + from * w->width);
}

static void
encode_ints(struct walk *w, struct encoder *e)
{
	struct rows_coder *c = e->coder;
	const int32_t *narrow;
	const void *x;
	uint32_t i, m;

	rows_coder_begin(c);
	while ((x = next_part(w, e, &m)) != NULL) {
		if (w->width == 4) {
			for (i = 0, narrow = x; i < m; i++)
				c->ints[i] = narrow[i];
			x = c->ints;
		}
		rows_coder_add(c, x, m);
	}
	rows_ints_end(c, e->b);
}

static void
encode_doubles(struct walk *w, struct encoder *e)
{
	struct rows_doubles_coder d;
	const void *x;
	uint32_t m;

	rows_doubles_begin(&d, e->coder);
	while ((x = next_part(w, e, &m)) != NULL)
		rows_doubles_add(&d, e->coder, x, m);
	rows_doubles_end(&d, e->coder, e->b);
}

/* --- batches ------------------------------------------------------------- */

/* Bools and text want all cells at once. Often few are there, and memory for
 * all rows would go back to the system each time. */
static const void *
all_cells(const struct rows_vec *v, enum rows_type t, bool nulls,
    struct encoder *e, uint32_t *m)
{
	uint32_t n = e->rows->n, i, valid = 0;
	size_t width = rows_width(t);

	*m = n;
	if (!nulls)
		return (v->data);
	for (i = 0; i < n; i++)
		valid += v->valid[i];
	free(e->dense);
	e->dense = malloc(((size_t)valid + 1) * width);
	MUST_MEMORY(e->dense != NULL);
	*m = pack_valid(v, width, 0, n, e->dense);
	return (e->dense);
}

static void
encode_column(const struct rows_vec *v, enum rows_type t, struct encoder *e)
{
	struct walk w = { .v = v, .width = rows_width(t), .cut = e->cuts };
	uint32_t n = e->rows->n, m;
	const void *x;

	if (memchr(v->valid, 1, n) == NULL) {
		buf_u8(e->b, NULLS_ALL);
		return;
	}
	w.nulls = memchr(v->valid, 0, n) != NULL;
	buf_u8(e->b, w.nulls ? NULLS_BITMAP : NULLS_NONE);
	if (w.nulls)
		put_bitmap(v->valid, n, e);
	switch (t) {
	case ROWS_BOOL:
		x = all_cells(v, t, w.nulls, e, &m);
		encode_bools(x, m, e);
		break;
	case ROWS_INT32:
	case ROWS_INT64:
	case ROWS_TICKS:
		encode_ints(&w, e);
		break;
	case ROWS_DOUBLE:
		encode_doubles(&w, e);
		break;
	case ROWS_STRING:
	case ROWS_LIST:
		x = all_cells(v, t, w.nulls, e, &m);
		encode_texts(&v->dict, x, m, e);
		break;
	}
}

/* Cuts where the codes change, if that is seldom; no piece is short. */
static uint32_t
cut_runs(const uint32_t *code, const struct encoder *e)
{
	uint32_t n = e->rows->n, i, run, runs = 0, ncuts = 0, last = 0;

	for (i = 0; i < n; i += run) {
		if (i - last >= ROWS_PART_MIN && n - i >= ROWS_PART_MIN)
			e->cuts[ncuts++] = last = i;
		run = e->coder->kernel->run(code + i, n - i);
		if (++runs > n / RUN_MIN + 1)
			return (0);
	}
	return (ncuts);
}

/* The first text that all rows have is the stream's name, if there are
 * streams: where it changes the numbers do too. */
static void
find_cuts(struct encoder *e)
{
	const struct rows *r = e->rows;
	uint32_t c, ncuts = 0;

	e->cuts = must_calloc(r->n / ROWS_PART_MIN + 1, sizeof(e->cuts[0]));
	for (c = 0; c < r->schema->ncols; c++)
		if (rows_is_text(r->schema->cols[c].type) &&
		    memchr(r->v[c].valid, 0, r->n) == NULL) {
			ncuts = cut_runs(r->v[c].code, e);
			break;
		}
	e->cuts[ncuts] = r->n;
}

void
rows_encode_with(const struct rows *r, const struct rows_kernel *kernel,
    struct buf *planes, struct buf *b)
{
	struct encoder e = { .rows = r, .b = b };
	uint32_t c;

	buf_varint(b, r->n);
	if (r->n == 0)
		return;
	e.coder = rows_coder_new(kernel, planes);
	find_cuts(&e);
	for (c = 0; c < r->schema->ncols; c++)
		encode_column(&r->v[c], r->schema->cols[c].type, &e);
	rows_coder_free(e.coder);
	free(e.cuts);
	free(e.dense);
}

void
rows_encode(const struct rows *r, struct buf *scratch, struct buf *b)
{

	rows_encode_with(r, rows_kernel_best(), scratch, b);
}
