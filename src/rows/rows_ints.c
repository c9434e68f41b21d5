/*
 * Reading a stream of integers. It is cut into parts, so that each has the
 * scale of what stands in it, a sensor's values or times:
 *
 *	u8 0	zigzag: the value of all
 *	u8 1	parts, until all numbers are told of, then their planes
 *	part	varint n; u8 unit, order, width; zigzag base, less that of
 *		the part before; with an order a zigzag slope
 *
 * A part of order 0 is its offsets from the base, in units; of order 1 the
 * differences between neighbours, less the slope; of order 2 the differences
 * between those, the first of which is the slope. Zigzag makes them small
 * unsigned numbers of `width` bytes. Plane j holds byte j of all parts that
 * are so wide, one part after the other. Planes beat varints: there is no
 * branch a value, and zstd sees bytes of one kind side by side.
 *
 * All arithmetic wraps modulo 2^64, so any values round-trip. Decoding
 * refuses unknown forms and says false; it cannot fail otherwise but by a
 * stream that is too short. Parts are read twice, to find the planes and to
 * decode, so that nothing has to be kept.
 */

#include "config.h"

#include "base/buf.h"
#include "rows/rows_int.h"

/* Numbers that stay in the nearest cache over all passes. */
#define TILE 1024u

static inline uint64_t
unzigzag(uint64_t x)
{

	return (x >> 1 ^ (0 - (x & 1)));
}

/* base is that of the part before, then of this one. */
static bool
get_part(struct cur *c, uint64_t *base, struct rows_part *p)
{
	uint64_t n = cur_varint(c);
	uint8_t how = cur_u8(c);

	p->n = (uint32_t)n;
	p->unit = how & 3;
	p->order = how >> 2 & 3;
	p->width = how >> 4;
	p->base = *base += (uint64_t)cur_zigzag(c);
	p->slope = p->order > 0 ? (uint64_t)cur_zigzag(c) : 0;
	return (!c->bad && n > 0 && n <= UINT32_MAX &&
	    p->order <= ROWS_ORDER_MAX && p->width <= ROWS_PLANES);
}

bool
rows_part_measure(struct cur *c, uint32_t left, struct rows_planes *f,
    uint32_t *n)
{
	struct rows_part p;
	unsigned j;

	if (!get_part(c, &f->base, &p) || p.n > left)
		return (false);
	for (j = 0; j < p.width; j++)
		f->bytes[j] += p.n;
	*n = p.n;
	return (true);
}

bool
rows_planes_find(struct cur *c, struct rows_planes *f)
{
	unsigned j;

	f->base = 0;
	for (j = 0; j < ROWS_PLANES; j++)
		if ((f->p[j] = cur_bytes(c, f->bytes[j])) == NULL)
			return (false);
	return (true);
}

/* n of the part's numbers, from number `at` on; sum[] goes on where it was. */
static void
get_tile(const struct rows_planes *f, const struct rows_part *part,
    int64_t *x, uint32_t at, uint32_t n, uint64_t *sum)
{
	uint64_t unit = rows_units[part->unit], z, step;
	const uint8_t *p;
	uint32_t i;
	uint8_t k;

	for (i = 0; i < n; i++)
		x[i] = 0;
	for (k = 0; k < part->width; k++)
		for (i = 0, p = f->p[k] + at; i < n; i++)
			x[i] = (int64_t)((uint64_t)x[i] |
			    (uint64_t)p[i] << (8 * k));
	step = part->order == 1 ? part->slope : 0;
	for (i = 0; i < n; i++)
		x[i] = (int64_t)(unzigzag((uint64_t)x[i]) + step);
	for (k = 0; k < part->order; k++) {
		for (i = 0, z = sum[k]; i < n; i++)
			x[i] = (int64_t)(z += (uint64_t)x[i]);
		sum[k] = z;
	}
	for (i = 0; i < n; i++)
		x[i] = (int64_t)(part->base + unit * (uint64_t)x[i]);
}

void
rows_part_decode(struct cur *c, struct rows_planes *f, int64_t *x,
    uint32_t *m)
{
	uint64_t sum[ROWS_ORDER_MAX];
	struct rows_part p;
	uint32_t at, n;
	unsigned j;

	(void)get_part(c, &f->base, &p);
	/* So that the first of all is 0, and the first difference the slope. */
	sum[0] = p.order == 1 ? 0 - p.slope : p.slope;
	sum[1] = 0 - p.slope;
	for (at = 0; at < p.n; at += n) {
		n = p.n - at < TILE ? p.n - at : TILE;
		get_tile(f, &p, x + at, at, n, sum);
	}
	for (j = 0; j < p.width; j++)
		f->p[j] += p.n;
	*m = p.n;
}

/* All parts of m integers, then the planes. */
static bool
find_parts(struct cur *c, uint32_t m, struct rows_planes *f)
{
	uint32_t at, n;

	for (at = 0; at < m; at += n)
		if (!rows_part_measure(c, m - at, f, &n))
			return (false);
	return (rows_planes_find(c, f));
}

bool
rows_ints_decode(struct cur *c, int64_t *x, uint32_t m)
{
	struct rows_planes f = { .base = 0 };
	uint8_t form = cur_u8(c);
	struct cur parts = *c;
	uint32_t i, n;
	int64_t same;

	if (form == INTS_PARTS) {
		if (!find_parts(c, m, &f))
			return (false);
		for (i = 0; i < m; i += n)
			rows_part_decode(&parts, &f, x + i, &n);
		return (true);
	}
	same = cur_zigzag(c);
	if (c->bad || form != INTS_SAME)
		return (false);
	for (i = 0; i < m; i++)
		x[i] = same;
	return (true);
}

bool
rows_ints_pass(struct cur *c, uint32_t m)
{
	struct rows_planes f = { .base = 0 };
	uint8_t form = cur_u8(c);

	if (form == INTS_PARTS)
		return (find_parts(c, m, &f));
	(void)cur_zigzag(c);
	return (!c->bad && form == INTS_SAME);
}
