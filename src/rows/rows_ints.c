/*
 * A stream of integers, made small before zstd sees it: offsets from the
 * first value, divided by the time unit they all share, as they are or as
 * first or second differences, whichever is shortest; then cut into planes,
 * all lowest bytes first. Planes beat varints: there is no branch a value,
 * and zstd sees bytes of one kind side by side.
 *
 *	u8 0	zigzag: the value of all
 *	u8 1	zigzag first; u8 unit; u8 order; u8 width; width planes of
 *		m bytes of zigzag numbers
 *
 * All arithmetic wraps modulo 2^64, so any values round-trip. Decoding
 * refuses unknown forms and says false; it cannot fail otherwise but by a
 * stream that is too short.
 */

#include "config.h"

#include <string.h>

#include "base/buf.h"
#include "rows/rows_int.h"

enum { INTS_SAME, INTS_PLANES };

/* Ticks come as whole seconds, milliseconds or microseconds. */
static const int64_t unit_of[] = { 1, 10, 10000, 10000000 };

#define NUNITS (sizeof(unit_of) / sizeof(unit_of[0]))
#define ORDER_MAX 2
#define TILE 1024u

static inline uint64_t
zigzag(uint64_t x)
{

	return (x << 1 ^ (0 - (x >> 63)));
}

static inline uint64_t
unzigzag(uint64_t x)
{

	return (x >> 1 ^ (0 - (x & 1)));
}

static inline unsigned
bits(uint64_t x)
{

	return (64 - (unsigned)__builtin_clzll(x | 1));
}

/* Called with constants, so that no division is left. */
static inline bool
divide_by(const int64_t *x, uint32_t m, int64_t unit, uint64_t *z)
{
	int64_t d;
	uint32_t i;

	for (i = 0; i < m; i++) {
		d = (int64_t)((uint64_t)x[i] - (uint64_t)x[0]);
		if (d % unit != 0)
			return (false);
		z[i] = (uint64_t)(d / unit);
	}
	return (true);
}

static uint8_t
divide(const int64_t *x, uint32_t m, uint64_t *z)
{

	if (divide_by(x, m, 10000000, z))
		return (3);
	if (divide_by(x, m, 10000, z))
		return (2);
	if (divide_by(x, m, 10, z))
		return (1);
	(void)divide_by(x, m, 1, z);
	return (0);
}

/* The order with the fewest bits in all. */
static uint8_t
choose_order(const uint64_t *z, uint32_t m)
{
	uint64_t sum[ORDER_MAX + 1] = { 0 }, last = 0, lastd = 0, d;
	uint8_t order;
	uint32_t i;

	for (i = 0; i < m; i++) {
		d = z[i] - last;
		sum[0] += bits(zigzag(z[i]));
		sum[1] += bits(zigzag(d));
		sum[2] += bits(zigzag(d - lastd));
		last = z[i];
		lastd = d;
	}
	order = sum[1] < sum[0] ? 1 : 0;
	return (sum[2] < sum[order] ? 2 : order);
}

/* In place; from the end, where what is needed is not yet overwritten. */
static void
difference(uint64_t *z, uint32_t m)
{
	uint32_t i;

	for (i = m - 1; i > 0; i--)
		z[i] -= z[i - 1];
}

static void
put_planes(struct buf *b, const uint64_t *z, uint32_t m, unsigned width)
{
	uint8_t *p = buf_reserve(b, (size_t)width * m);
	uint32_t i;
	unsigned j;

	if (p == NULL)
		return;
	for (j = 0; j < width; j++, p += m)
		for (i = 0; i < m; i++)
			p[i] = (uint8_t)(z[i] >> (8 * j));
	b->len += (size_t)width * m;
}

void
rows_ints_encode(const int64_t *x, uint32_t m, uint64_t *z, struct buf *b)
{
	uint8_t unit, order, k;
	uint64_t all = 0;
	unsigned width;
	uint32_t i;

	for (i = 1; i < m && x[i] == x[0]; i++)
		continue;
	if (i == m) {
		buf_u8(b, INTS_SAME);
		buf_zigzag(b, x[0]);
		return;
	}
	unit = divide(x, m, z);
	order = choose_order(z, m);
	for (k = 0; k < order; k++)
		difference(z, m);
	for (i = 0; i < m; i++)
		all |= z[i] = zigzag(z[i]);
	width = (bits(all) + 7) / 8;
	buf_u8(b, INTS_PLANES);
	buf_zigzag(b, x[0]);
	buf_u8(b, unit);
	buf_u8(b, order);
	buf_u8(b, (uint8_t)width);
	put_planes(b, z, m, width);
}

struct planes {
	uint64_t first;
	uint8_t unit, order, width;
	const uint8_t *p;		/* [width][m] */
};

static bool
find_planes(struct cur *c, uint32_t m, struct planes *f)
{

	f->first = (uint64_t)cur_zigzag(c);
	f->unit = cur_u8(c);
	f->order = cur_u8(c);
	f->width = cur_u8(c);
	return (!c->bad && f->unit < NUNITS && f->order <= ORDER_MAX &&
	    f->width >= 1 && f->width <= 8 &&
	    (f->p = cur_bytes(c, (size_t)f->width * m)) != NULL);
}

/* n of the integers, from number `at` on; sum[] goes on where it was. */
static void
get_tile(const struct planes *f, int64_t *x, uint32_t m, uint32_t at,
    uint32_t n, uint64_t *sum)
{
	uint64_t unit = (uint64_t)unit_of[f->unit], z;
	const uint8_t *p = f->p + at;
	uint32_t i;
	uint8_t k;

	for (i = 0; i < n; i++)
		x[i] = p[i];
	for (k = 1, p += m; k < f->width; k++, p += m)
		for (i = 0; i < n; i++)
			x[i] = (int64_t)((uint64_t)x[i] |
			    (uint64_t)p[i] << (8 * k));
	for (i = 0; i < n; i++)
		x[i] = (int64_t)unzigzag((uint64_t)x[i]);
	for (k = 0; k < f->order; k++) {
		for (i = 0, z = sum[k]; i < n; i++)
			x[i] = (int64_t)(z += (uint64_t)x[i]);
		sum[k] = z;
	}
	for (i = 0; i < n; i++)
		x[i] = (int64_t)(f->first + unit * (uint64_t)x[i]);
}

/* In tiles that stay in the nearest cache over all these passes. */
static bool
get_planes(struct cur *c, int64_t *x, uint32_t m)
{
	uint64_t sum[ORDER_MAX] = { 0 };
	struct planes f;
	uint32_t at, n;

	if (!find_planes(c, m, &f))
		return (false);
	for (at = 0; at < m; at += n) {
		n = m - at < TILE ? m - at : TILE;
		get_tile(&f, x + at, m, at, n, sum);
	}
	return (true);
}

bool
rows_ints_decode(struct cur *c, int64_t *x, uint32_t m)
{
	uint8_t form = cur_u8(c);
	int64_t same;
	uint32_t i;

	if (form == INTS_PLANES)
		return (get_planes(c, x, m));
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
	uint8_t form = cur_u8(c);
	struct planes f;

	if (form == INTS_PLANES)
		return (find_planes(c, m, &f));
	(void)cur_zigzag(c);
	return (!c->bad && form == INTS_SAME);
}
