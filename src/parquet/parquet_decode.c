/*
 * Encodings of Parquet, reading side. The bytes come from a file and may be
 * anything: each function yields exactly n values or false, reads only what
 * the cursor has and writes only what was asked for.
 */

#include "config.h"

#include <string.h>

#include "parquet/parquet_int.h"

/* Block sizes others may use; ours is 128. */
#define BLOCK_MAX 65536
#define MINIS_MAX 512

bool
parquet_decode_bools(struct cur *c, uint8_t *to, size_t n)
{
	const uint8_t *p;
	size_t i;

	if ((p = cur_bytes(c, n / 8 + (n % 8 != 0))) == NULL)
		return (n == 0);
	for (i = 0; i < n; i++)
		to[i] = (uint8_t)(p[i / 8] >> (i % 8) & 1);
	return (true);
}

/* The word at p + bit / 8 of `left` bytes, zeros beyond them. */
static inline uint64_t
load(const uint8_t *p, size_t bytes, size_t bit, unsigned width)
{
	size_t at = bit / 8, left = bytes - at;
	unsigned shift = bit % 8;
	uint64_t word = 0, more;

	if (__builtin_expect(left >= 9, 1)) {
		memcpy(&word, p + at, 8);
		more = p[at + 8];
	} else {
		memcpy(&word, p + at, left < 8 ? left : 8);
		more = left > 8 ? p[at + 8] : 0;
	}
	word >>= shift;
	if (shift > 0)
		word |= more << (64 - shift);
	return (width < 64 ? word & ((1ull << width) - 1) : word);
}

/* The same where 8 bytes are there and width <= 57: no branch. */
static inline uint64_t
load_fast(const uint8_t *p, size_t bit, unsigned width)
{
	uint64_t word;

	memcpy(&word, p + bit / 8, 8);
	return (word >> (bit % 8) & ((1ull << width) - 1));
}

/* How many of n values of that width load_fast() may have: the first is at
 * bit 0 of `bytes` bytes, which the cursor has passed; what it still has may
 * be read along. */
static inline size_t
fast_values(const struct cur *c, size_t bytes, unsigned width, size_t n)
{
	size_t fast, left = cur_left(c);

	bytes += left < 8 ? left : 8;
	if (width == 0 || width > 57 || bytes < 8)
		return (0);
	fast = (bytes - 8) * 8 / width + 1;
	return (fast < n ? fast : n);
}

static bool
get_literals(struct cur *c, uint64_t groups, unsigned width, uint32_t max,
    uint32_t *to, size_t want)
{
	size_t i, bytes, n, fast;
	uint32_t top = 0;
	const uint8_t *p;

	if (width > 0 && groups > cur_left(c) / width)
		return (false);
	bytes = (size_t)groups * width;
	n = groups > want / 8 ? want : (size_t)groups * 8;
	if ((p = cur_bytes(c, bytes)) == NULL)
		return (false);
	fast = fast_values(c, bytes, width, n);
	for (i = 0; i < fast; i++) {
		to[i] = (uint32_t)load_fast(p, i * width, width);
		top = to[i] > top ? to[i] : top;
	}
	for (; i < n; i++) {
		to[i] = width == 0 ? 0 :
		    (uint32_t)load(p, bytes, i * width, width);
		top = to[i] > top ? to[i] : top;
	}
	return (top <= max);
}

bool
parquet_decode_hybrid(struct cur *c, unsigned width, uint32_t max,
    uint32_t *to, size_t n)
{
	uint64_t head, run;
	uint32_t x;
	size_t i, k;

	if (width > 32)
		return (false);
	for (i = 0; i < n; i += (size_t)run) {
		head = cur_varint(c);
		run = head >> 1;
		if (c->bad || run == 0)
			return (false);
		if (head & 1) {
			if (!get_literals(c, run, width, max, to + i, n - i))
				return (false);
			run = run > (n - i) / 8 ? n - i : run * 8;
			continue;
		}
		for (x = 0, k = 0; k < width; k += 8)
			x |= (uint32_t)cur_u8(c) << k;
		if (c->bad || x > max)
			return (false);
		run = run > n - i ? n - i : run;
		for (k = 0; k < run; k++)
			to[i + k] = x;
	}
	return (true);
}

/* Groups of eight bits, a byte each; adds those that are set to *ones. */
static bool
get_bits(struct cur *c, uint64_t groups, uint8_t *to, size_t want,
    uint32_t *ones)
{
	size_t i, j, n = groups > want / 8 ? want : (size_t)groups * 8;
	const uint8_t *p;

	if (groups > cur_left(c) ||
	    (p = cur_bytes(c, (size_t)groups)) == NULL)
		return (false);
	for (i = 0; i + 8 <= n; i += 8) {
		for (j = 0; j < 8; j++)
			to[i + j] = (uint8_t)(p[i / 8] >> j & 1);
		*ones += (uint32_t)__builtin_popcount(p[i / 8]);
	}
	for (; i < n; i++)
		*ones += to[i] = (uint8_t)(p[i / 8] >> i % 8 & 1);
	return (true);
}

bool
parquet_decode_bits(struct cur *c, uint8_t *to, size_t n, uint32_t *ones)
{
	uint64_t head, run;
	uint8_t x;
	size_t i;

	for (i = 0, *ones = 0; i < n; i += (size_t)run) {
		head = cur_varint(c);
		run = head >> 1;
		if (c->bad || run == 0)
			return (false);
		if (head & 1) {
			if (!get_bits(c, run, to + i, n - i, ones))
				return (false);
			run = run > (n - i) / 8 ? n - i : run * 8;
			continue;
		}
		x = cur_u8(c);
		if (c->bad || x > 1)
			return (false);
		run = run > n - i ? n - i : run;
		memset(to + i, x, (size_t)run);
		*ones += x > 0 ? (uint32_t)run : 0;
	}
	return (true);
}

struct delta {
	size_t mini;			/* values of a miniblock */
	size_t nminis;
	uint64_t value;			/* the last one */
};

static bool
get_delta_head(struct cur *c, struct delta *d, size_t n)
{
	uint64_t block = cur_varint(c), minis = cur_varint(c);
	uint64_t total = cur_varint(c);

	d->value = (uint64_t)cur_zigzag(c);
	if (c->bad || total != n || block == 0 || block > BLOCK_MAX ||
	    block % 128 != 0 || minis == 0 || minis > MINIS_MAX ||
	    block % minis != 0 || block / minis % 32 != 0)
		return (false);
	d->mini = (size_t)(block / minis);
	d->nminis = (size_t)minis;
	return (true);
}

/* One miniblock: at most n of its values are wanted. */
static bool
get_mini(struct cur *c, struct delta *d, uint64_t min, unsigned width,
    uint64_t *to, size_t n)
{
	size_t i, fast, bytes = d->mini / 8 * width;
	uint64_t value = d->value;
	const uint8_t *p;

	if (width > 64 || (p = cur_bytes(c, bytes)) == NULL)
		return (false);
	fast = fast_values(c, bytes, width, n);
	for (i = 0; width == 0 && i < n; i++)
		to[i] = value += min;
	for (; i < fast; i++)
		to[i] = value += min + load_fast(p, i * width, width);
	for (; i < n; i++)
		to[i] = value += min + load(p, bytes, i * width, width);
	d->value = value;
	return (true);
}

bool
parquet_decode_delta64(struct cur *c, int64_t *to, size_t n)
{
	const uint8_t *widths;
	struct delta d;
	size_t i, m, k;
	uint64_t min;

	if (!get_delta_head(c, &d, n))
		return (false);
	if (n > 0)
		to[0] = (int64_t)d.value;
	for (i = 1; i < n; ) {
		min = (uint64_t)cur_zigzag(c);
		if ((widths = cur_bytes(c, d.nminis)) == NULL)
			return (false);
		for (m = 0; m < d.nminis && i < n; m++, i += k) {
			k = n - i < d.mini ? n - i : d.mini;
			if (!get_mini(c, &d, min, widths[m],
			    (uint64_t *)to + i, k))
				return (false);
		}
	}
	return (true);
}

/* In 64 bits: the sums agree modulo 2^32, which is all that counts. */
bool
parquet_decode_delta32(struct cur *c, int32_t *to, size_t n)
{
	uint64_t part[128] = { 0 };
	const uint8_t *widths;
	struct delta d;
	size_t i, m, k, j;
	uint64_t min;

	if (!get_delta_head(c, &d, n) || d.mini > 128)
		return (false);
	if (n > 0)
		to[0] = (int32_t)(uint32_t)d.value;
	for (i = 1; i < n; ) {
		min = (uint64_t)cur_zigzag(c);
		if ((widths = cur_bytes(c, d.nminis)) == NULL)
			return (false);
		for (m = 0; m < d.nminis && i < n; m++, i += k) {
			k = n - i < d.mini ? n - i : d.mini;
			if (!get_mini(c, &d, min, widths[m], part, k))
				return (false);
			for (j = 0; j < k; j++)
				to[i + j] = (int32_t)(uint32_t)part[j];
		}
	}
	return (true);
}
