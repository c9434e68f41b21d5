/*
 * Reading a stream of integers. It is cut into parts, so that each has the
 * scale of what stands in it, a sensor's values or times:
 *
 *	u8 0	zigzag: the value of all
 *	u8 1	parts, until all numbers are told of, then their planes
 *	part	varint n; u8 unit and order; u8 width; zigzag base, less that
 *		of the part before; with an order a zigzag slope
 *
 * A part of order 0 is its offsets from the base, in units; of order 1 the
 * differences between neighbours, less the slope; of order 2 the differences
 * between those, the first of which is the slope. Zigzag makes them small
 * unsigned numbers of `width` bits. Plane j holds byte j of the numbers of
 * all parts that have as many whole bytes, one part after the other; the bits
 * above those have planes of bits, the highest first. Planes beat varints:
 * there is no branch a value, and zstd sees what is of one kind side by side.
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
	p->order = how >> 2;
	p->width = cur_u8(c);
	p->base = *base += (uint64_t)cur_zigzag(c);
	p->slope = p->order > 0 ? (uint64_t)cur_zigzag(c) : 0;
	return (!c->bad && n > 0 && n <= UINT32_MAX &&
	    p->order <= ROWS_ORDER_MAX && p->width <= ROWS_WIDTH_MAX);
}

bool
rows_part_measure(struct cur *c, uint32_t left, struct rows_planes *f,
    uint32_t *n)
{
	struct rows_part p;
	unsigned j;

	if (!get_part(c, &f->base, &p) || p.n > left)
		return (false);
	for (j = 0; j < ROWS_PLANES; j++)
		f->bytes[j] += rows_in_plane(p.n, p.width, j);
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

/* The bits above the whole bytes of n numbers, from number `at` on, which is
 * a multiple of eight. */
static void
get_bits(const struct rows_planes *f, const struct rows_part *part,
    uint8_t *top, uint32_t at, uint32_t n)
{
	uint32_t i, k, planes = part->width % 8u;
	uint64_t v;

	for (i = 0; i < n; i += 8) {
		for (v = 0, k = 0; k < planes; k++)
			v = v << 1 | rows_unpack8(f->p[8 + k][(at + i) / 8]);
		rows_store8(top + i, v);
	}
}

/* n of the part's numbers, from number `at` on; sum[] goes on where it was. */
static void
get_tile(const struct rows_planes *f, const struct rows_part *part,
    int64_t *x, uint32_t at, uint32_t n, uint64_t *sum)
{
	uint64_t unit = rows_units[part->unit], z, step;
	uint8_t top[TILE], k, whole = part->width / 8;
	const uint8_t *p;
	uint32_t i;

	for (i = 0; i < n; i++)
		x[i] = 0;
	for (k = 0; k < whole; k++)
		for (i = 0, p = f->p[k] + at; i < n; i++)
			x[i] = (int64_t)((uint64_t)x[i] |
			    (uint64_t)p[i] << (8 * k));
	if (part->width % 8 > 0) {
		get_bits(f, part, top, at, n);
		for (i = 0; i < n; i++)
			x[i] = (int64_t)((uint64_t)x[i] |
			    (uint64_t)top[i] << (8 * whole));
	}
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
	for (j = 0; j < ROWS_PLANES; j++)
		f->p[j] += rows_in_plane(p.n, p.width, j);
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
