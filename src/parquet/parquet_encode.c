/*
 * Encodings of Parquet, writing side: PLAIN booleans, the RLE / bit-packed
 * hybrid, DELTA_BINARY_PACKED with blocks of 128 and miniblocks of 32.
 * All pack least significant bit first. Errors stick in the buffer.
 */

#include "config.h"

#include <assert.h>
#include <string.h>

#include "parquet/parquet_int.h"

#define BLOCK 128
#define MINI 32
#define NMINI (BLOCK / MINI)

static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
    "doubles and words are copied as they lie in memory");

void
parquet_encode_bools(struct buf *b, const uint8_t *x, size_t n)
{
	uint8_t *to, byte;
	size_t i, k, whole = n / 8;
	uint64_t eight;

	if ((to = buf_reserve(b, (n + 7) / 8)) == NULL)
		return;
	for (i = 0; i < whole; i++) {
		/* Gathers the lowest bits of eight bytes. */
		memcpy(&eight, x + i * 8, 8);
		to[i] = (uint8_t)((eight * 0x0102040810204080ull) >> 56);
	}
	if (n % 8 != 0) {
		for (byte = 0, k = 0; k < n % 8; k++)
			byte = (uint8_t)(byte | x[whole * 8 + k] << k);
		to[whole] = byte;
	}
	b->len += (n + 7) / 8;
}

/* n values, n * width a multiple of 8; writes up to 7 bytes more. */
static uint8_t *
pack(uint8_t *to, const uint64_t *x, size_t n, unsigned width)
{
	uint64_t word = 0;
	unsigned fill = 0;
	size_t i;

	for (i = 0; i < n; i++) {
		word |= x[i] << fill;
		fill += width;
		if (fill >= 64) {
			memcpy(to, &word, 8);
			to += 8;
			fill -= 64;
			word = fill > 0 ? x[i] >> (width - fill) : 0;
		}
	}
	memcpy(to, &word, 8);
	return (to + fill / 8);
}

/* Values from[0..n) as bit-packed groups of 8, the last filled up with 0. */
static void
put_literals(struct buf *b, const uint32_t *x, size_t n, unsigned width)
{
	size_t groups = (n + 7) / 8, i, k;
	uint64_t eight[8];
	uint8_t *to;

	if (n == 0)
		return;
	buf_varint(b, groups << 1 | 1);
	if ((to = buf_reserve(b, groups * width + 8)) == NULL)
		return;
	for (i = 0; i < groups; i++) {
		for (k = 0; k < 8; k++)
			eight[k] = i * 8 + k < n ? x[i * 8 + k] : 0;
		to = pack(to, eight, 8, width);
	}
	b->len += groups * width;
}

static void
put_run(struct buf *b, uint32_t x, size_t n, unsigned width)
{
	unsigned i;

	buf_varint(b, (uint64_t)n << 1);
	for (i = 0; i < width; i += 8)
		buf_u8(b, (uint8_t)(x >> i));
}

void
parquet_encode_hybrid(struct buf *b, const uint32_t *x, size_t n,
    unsigned width)
{
	size_t i, end, pad, lit = 0;

	for (i = 0; i < n; i = end) {
		for (end = i + 1; end < n && x[end] == x[i]; end++)
			;
		/* Literals in front come in eights, at the run's cost. */
		pad = (8 - (i - lit) % 8) % 8;
		if (end - i < pad + 8)
			continue;
		put_literals(b, x + lit, i + pad - lit, width);
		put_run(b, x[i], end - i - pad, width);
		lit = end;
	}
	put_literals(b, x + lit, n - lit, width);
}

static void
put_delta_block(struct buf *b, uint64_t *delta, size_t n, int64_t min)
{
	uint8_t widths[NMINI] = { 0 }, *to;
	uint64_t all;
	size_t i, m;

	for (m = 0; m * MINI < n; m++) {
		for (all = 0, i = m * MINI; i < (m + 1) * MINI; i++) {
			delta[i] = i < n ? delta[i] - (uint64_t)min : 0;
			all |= delta[i];
		}
		widths[m] = (uint8_t)parquet_width(all);
	}
	buf_zigzag(b, min);
	buf_put(b, widths, NMINI);
	if ((to = buf_reserve(b, BLOCK * 8 + 8)) == NULL)
		return;
	for (m = 0; m * MINI < n; m++) {
		if (widths[m] > 0)
			(void)pack(to, delta + m * MINI, MINI, widths[m]);
		to += widths[m] * (MINI / 8);
		b->len += widths[m] * (size_t)(MINI / 8);
	}
}

static void
put_delta_head(struct buf *b, size_t n, int64_t first)
{

	buf_varint(b, BLOCK);
	buf_varint(b, NMINI);
	buf_varint(b, n);
	buf_zigzag(b, first);
}

void
parquet_encode_delta64(struct buf *b, const int64_t *x, size_t n)
{
	uint64_t delta[BLOCK];
	int64_t min, d;
	size_t i, k, m;

	put_delta_head(b, n, n > 0 ? x[0] : 0);
	for (i = 1; i < n; i += m) {
		m = n - i < BLOCK ? n - i : BLOCK;
		for (min = INT64_MAX, k = 0; k < m; k++) {
			/* Wraps around, as the specification has it. */
			delta[k] = (uint64_t)x[i + k] - (uint64_t)x[i + k - 1];
			d = (int64_t)delta[k];
			min = d < min ? d : min;
		}
		put_delta_block(b, delta, m, min);
	}
}

/* As above in 32-bit arithmetic, so that no width is above 32. */
void
parquet_encode_delta32(struct buf *b, const int32_t *x, size_t n)
{
	uint64_t delta[BLOCK];
	int64_t min, d;
	size_t i, k, m;

	put_delta_head(b, n, n > 0 ? x[0] : 0);
	for (i = 1; i < n; i += m) {
		m = n - i < BLOCK ? n - i : BLOCK;
		for (min = INT32_MAX, k = 0; k < m; k++) {
			d = (int32_t)((uint32_t)x[i + k] -
			    (uint32_t)x[i + k - 1]);
			delta[k] = (uint64_t)d;
			min = d < min ? d : min;
		}
		put_delta_block(b, delta, m, min);
	}
}
