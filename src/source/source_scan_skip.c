/*
 * Behind a value of a usual answer, without reading it (source_scan.c).
 */

#include "config.h"

#include <string.h>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include "source/source_scan_int.h"

/* Containers in a value, before the parser has to see for itself. */
#define DEPTH_MAX 16
/* Bytes looked at together; as many are behind a body. */
#define BLOCK LIMIT_PADDING

/* From the first quote to behind the last one; NULL when it has no end. */
static const char *
skip_string(const char *p)
{

	for (p++; *p != '"'; p++) {
		if (*p == '\\')
			p++;
		if (*p == '\0')
			return (NULL);
	}
	return (p + 1);
}

#ifdef __SSE2__
static unsigned
bits(uint64_t m)
{
	unsigned n = 0;

	for (; m != 0; m &= m - 1)
		n++;
	return (n);
}

static inline uint64_t
where16(__m128i x, char c)
{

	return ((unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(x,
	    _mm_set1_epi8(c))));
}

/* Bit i: byte i is this one. */
static inline uint64_t
where(const __m128i x[4], char c)
{

	return (where16(x[0], c) | where16(x[1], c) << 16 |
	    where16(x[2], c) << 32 | where16(x[3], c) << 48);
}

static inline void
load(const char *p, __m128i x[4], __m128i mask)
{
	const __m128i *from = (const __m128i *)(const void *)p;

	x[0] = _mm_or_si128(_mm_loadu_si128(from), mask);
	x[1] = _mm_or_si128(_mm_loadu_si128(from + 1), mask);
	x[2] = _mm_or_si128(_mm_loadu_si128(from + 2), mask);
	x[3] = _mm_or_si128(_mm_loadu_si128(from + 3), mask);
}

/*
 * As many bytes at once: which of them are in strings tells the parity of
 * the quotes before them. False, with nothing done, when they hold an escape
 * or the end, or may lead too deep or out of the container. (G. Langdale, D.
 * Lemire, Parsing gigabytes of JSON per second, VLDB Journal 2019, 3.1)
 */
static bool
skip_block(const char *p, unsigned *depth, bool *string)
{
	uint64_t quotes, in, open, end;
	unsigned opens, ends;
	__m128i x[4], y[4];

	load(p, x, _mm_setzero_si128());
	/* brackets and braces differ in this bit */
	load(p, y, _mm_set1_epi8(0x20));
	if ((where(x, '\\') | where(x, '\0')) != 0)
		return (false);
	in = quotes = where(x, '"');
	open = where(y, '{');
	end = where(y, '}');
	if ((open | end) != 0) {
		for (unsigned n = 1; n < 64; n *= 2)
			in ^= in << n;
		if (*string)
			in = ~in;
		opens = bits(open & ~in);
		ends = bits(end & ~in);
		if (*depth + opens > DEPTH_MAX || ends >= *depth)
			return (false);
		*depth += opens - ends;
	}
	*string = *string != (__builtin_parityll(quotes) != 0);
	return (true);
}
#else
static bool
skip_block(const char *p, unsigned *depth, bool *string)
{

	(void)p, (void)depth, (void)string;
	return (false);
}
#endif

/* From the first bracket to behind the one that closes it. */
static const char *
skip_container(const char *p)
{
	unsigned depth = 0;
	bool string = false;

	for (;;) {
		for (int i = 0; i < BLOCK; i++, p++) {
			if (*p == '\\' && string)
				p++;
			else if (*p == '"')
				string = !string;
			else if (!string && (*p | 0x20) == '{' &&
			    ++depth > DEPTH_MAX)
				return (NULL);
			else if (!string && (*p | 0x20) == '}' && --depth == 0)
				return (p + 1);
			if (*p == '\0')
				return (NULL);
		}
		while (skip_block(p, &depth, &string))
			p += BLOCK;
	}
}

/* Behind a value, which the parser will judge; NULL when it has no end. */
const char *
source_scan_skip(const char *p)
{

	if (*p == '"')
		return (skip_string(p));
	if (*p == '{' || *p == '[')
		return (skip_container(p));
	if (*p == '\0' || *p == '}' || *p == ']')
		return (NULL);
	return (p + strcspn(p, ",]} \t\r\n"));
}
