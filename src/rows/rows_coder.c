/*
 * Writing a stream of integers, in the form that rows_ints.c reads. A part
 * is made in one pass for each thing that has to be known of all its
 * numbers; what a guess from a sample will do for is guessed: whether a unit
 * divides all, and which order has the fewest bits. The same numbers always
 * give the same bytes.
 *
 * Where a plane begins is known when all parts are made: until then each
 * part's planes stand together in a buffer that is lent.
 */

#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/must.h"
#include "rows/rows_int.h"

/* How many numbers are looked at before one thing is done to all. */
#define SAMPLE 16
#define SAMPLE_SLOPE 8
#define HEAD_MAX (1u << 26)

struct rows_coder *
rows_coder_new(const struct rows_kernel *kernel, struct buf *planes)
{
	struct rows_coder *c;

	/* Not zeroed: most of it are the arrays. */
	c = malloc(sizeof(*c));
	MUST_MEMORY(c != NULL);
	c->kernel = kernel;
	buf_init(&c->head, HEAD_MAX);
	c->planes = planes;
	c->parts = NULL;
	c->nparts = c->cap = 0;
	return (c);
}

void
rows_coder_free(struct rows_coder *c)
{

	if (c == NULL)
		return;
	buf_fini(&c->head);
	free(c->parts);
	free(c);
}

void
rows_coder_begin(struct rows_coder *c)
{

	buf_clear(&c->head);
	buf_clear(c->planes);
	c->nparts = 0;
	c->base = 0;
	c->same = true;
}

static inline uint64_t
zigzag(uint64_t x)
{

	return (x << 1 ^ (0 - (x >> 63)));
}

static inline unsigned
bits(uint64_t x)
{

	return (64 - (unsigned)__builtin_clzll(x | 1));
}

/* --- units --------------------------------------------------------------- */

/* Called with constants, so that no division is left. */
static inline bool
divide_by(const int64_t *x, uint32_t n, uint32_t step, int64_t unit,
    int64_t *to)
{
	int64_t d;
	uint32_t i;

	for (i = 0; i < n; i += step) {
		d = (int64_t)((uint64_t)x[i] - (uint64_t)x[0]);
		if (d % unit != 0)
			return (false);
		to[i] = d / unit;
	}
	return (true);
}

/* The greatest unit that all offsets are multiples of; 0: none but 1. */
static uint8_t
divide(const int64_t *x, uint32_t n, int64_t *to)
{
	uint32_t step = n / SAMPLE + 1;

	if (!divide_by(x, n, step, 10, to))
		return (0);
	if (divide_by(x, n, step, 10000000, to) &&
	    divide_by(x, n, 1, 10000000, to))
		return (3);
	if (divide_by(x, n, step, 10000, to) &&
	    divide_by(x, n, 1, 10000, to))
		return (2);
	return (divide_by(x, n, 1, 10, to) ? 1 : 0);
}

/* --- orders -------------------------------------------------------------- */

/* The middle one, so that a jump does not count. */
static uint64_t
median(int64_t *d, uint32_t n)
{
	uint32_t i, k;
	int64_t x;

	for (i = 1; i < n; i++) {
		for (x = d[i], k = i; k > 0 && d[k - 1] > x; k--)
			d[k] = d[k - 1];
		d[k] = x;
	}
	return ((uint64_t)d[n / 2]);
}

static uint64_t
choose_slope(const int64_t *x, uint32_t n)
{
	int64_t d[SAMPLE_SLOPE + 1] = { 0 };
	uint32_t i, m = 0, step = n / SAMPLE_SLOPE + 1;

	for (i = 1; i < n; i += step)
		d[m++] = (int64_t)((uint64_t)x[i] - (uint64_t)x[i - 1]);
	return (median(d, m));
}

/* The order with the fewest bits, and its slope. */
static uint8_t
choose_order(const int64_t *x, uint32_t n, uint64_t *slope)
{
	uint32_t sum[ROWS_ORDER_MAX + 1] = { 0 }, i, m = 0;
	uint32_t step = n / SAMPLE + 1;
	uint64_t d, before;
	uint8_t order;

	*slope = 0;
	for (i = 2; i < n; i += step, m++)
		sum[0] += bits(zigzag((uint64_t)x[i] - (uint64_t)x[0]));
	if (sum[0] == m)		/* there are no fewer */
		return (0);
	*slope = choose_slope(x, n);
	for (i = 2; i < n; i += step) {
		d = (uint64_t)x[i] - (uint64_t)x[i - 1];
		before = (uint64_t)x[i - 1] - (uint64_t)x[i - 2];
		sum[1] += bits(zigzag(d - *slope));
		sum[2] += bits(zigzag(d - before));
	}
	order = sum[1] < sum[0] ? 1 : 0;
	if (sum[2] < sum[order])
		order = 2;
	if (order == 2)
		*slope = (uint64_t)x[1] - (uint64_t)x[0];
	return (order);
}

/* --- parts --------------------------------------------------------------- */

static void
put_head(struct rows_coder *c, const struct rows_part *p)
{

	buf_varint(&c->head, p->n);
	buf_u8(&c->head, (uint8_t)(p->unit | p->order << 2));
	buf_u8(&c->head, p->width);
	buf_zigzag(&c->head, (int64_t)(p->base - c->base));
	if (p->order > 0)
		buf_zigzag(&c->head, (int64_t)p->slope);
	c->base = p->base;
}

/* The bits above the whole bytes, the highest of all numbers first. */
static void
put_bits(struct rows_coder *c, const struct rows_part *p, uint8_t *to)
{
	uint32_t bit, bytes = (p->n + 7) / 8;
	uint8_t top[ROWS_PART_MAX];

	c->kernel->bytes(c->zigzag, p->n, p->width / 8u * 8, top);
	memset(top + p->n, 0, 8 * bytes - p->n);
	for (bit = p->width % 8u; bit-- > 0; to += bytes)
		c->kernel->bits(top, 8 * bytes, bit, to);
}

static void
put_planes(struct rows_coder *c, const struct rows_part *p)
{
	size_t bytes = rows_in_planes(p->n, p->width);
	unsigned j;
	uint8_t *to;

	if (c->nparts == c->cap) {
		c->cap = c->cap < 8 ? 16 : c->cap * 2;
		c->parts = must_realloc(c->parts, c->cap,
		    sizeof(c->parts[0]));
	}
	c->parts[c->nparts].n = p->n;
	c->parts[c->nparts++].width = p->width;
	if ((to = buf_reserve(c->planes, bytes)) == NULL)
		return;
	for (j = 0; j < p->width / 8u; j++)
		c->kernel->bytes(c->zigzag, p->n, 8 * j, to + j * p->n);
	if (p->width % 8 > 0)
		put_bits(c, p, to + (size_t)j * p->n);
	c->planes->len += bytes;
}

void
rows_coder_add(struct rows_coder *c, const int64_t *x, uint32_t n)
{
	struct rows_part p = { .n = n, .base = (uint64_t)x[0] };
	const int64_t *y = x;
	uint64_t all;

	MUST(n > 0 && n <= ROWS_PART_MAX);
	if ((p.unit = divide(x, n, c->scaled)) > 0)
		y = c->scaled;
	p.order = choose_order(y, n, &p.slope);
	if (p.order == 0)
		all = c->kernel->offsets(y, n, (uint64_t)y[0], c->zigzag);
	else if (p.order == 1)
		all = c->kernel->steps(y, n, p.slope, c->zigzag);
	else
		all = c->kernel->bends(y, n, c->zigzag);
	p.width = all == 0 ? 0 : (uint8_t)bits(all);
	if (c->nparts == 0)
		c->first = x[0];
	c->same = c->same && x[0] == c->first && p.width == 0 &&
	    p.slope == 0;
	put_head(c, &p);
	put_planes(c, &p);
}

/* Of each part what it has in this plane. */
static void
put_plane(const struct rows_coder *c, unsigned plane, struct buf *b)
{
	const uint8_t *from = c->planes->data;
	uint8_t below, width;
	uint32_t i, n;

	for (i = 0; i < c->nparts; i++) {
		n = c->parts[i].n;
		width = c->parts[i].width;
		below = (uint8_t)(plane < 8 ? 8 * plane :
		    width / 8u * 8 + plane - 8);
		if (below < width)
			buf_put(b, from + rows_in_planes(n, below),
			    rows_in_plane(n, width, plane));
		from += rows_in_planes(n, width);
	}
}

void
rows_coder_end(struct rows_coder *c, struct buf *b)
{
	unsigned j;

	buf_put(b, c->head.data, c->head.len);
	if (b->error == 0)
		b->error = c->head.error != 0 ? c->head.error :
		    c->planes->error;
	for (j = 0; b->error == 0 && j < ROWS_PLANES; j++)
		put_plane(c, j, b);
}

/* --- streams ------------------------------------------------------------- */

void
rows_ints_end(struct rows_coder *c, struct buf *b)
{

	if (c->same) {
		buf_u8(b, INTS_SAME);
		buf_zigzag(b, c->first);
	} else {
		buf_u8(b, INTS_PARTS);
		rows_coder_end(c, b);
	}
}

void
rows_ints_encode(struct rows_coder *c, const int64_t *x, uint32_t m,
    struct buf *b)
{
	uint32_t i, n;

	rows_coder_begin(c);
	for (i = 0; i < m; i += n) {
		n = m - i < ROWS_PART_MAX ? m - i : ROWS_PART_MAX;
		rows_coder_add(c, x + i, n);
	}
	rows_ints_end(c, b);
}
