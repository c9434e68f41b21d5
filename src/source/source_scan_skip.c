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

/* Behind a value, which the parser will judge; NULL when it has no end. */
#ifdef __SSE2__
static unsigned
bits(unsigned m)
{
	unsigned n = 0;

	for (; m != 0; m &= m - 1)
		n++;
	return (n);
}

static unsigned
where(__m128i x, char c)
{

	return ((unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(x,
	    _mm_set1_epi8(c))));
}

/*
 * Sixteen bytes at once: which of them are in strings tells the parity of
 * the quotes before them. False, with nothing done, when they hold an escape
 * or the end, or may lead too deep or out of the container. (G. Langdale, D.
 * Lemire, Parsing gigabytes of JSON per second, VLDB Journal 2019, 3.1)
 */
static bool
skip_block(const char *p, unsigned *depth, bool *string)
{
	const __m128i x = _mm_loadu_si128((const __m128i *)(const void *)p);
	/* brackets and braces differ in this bit */
	const __m128i y = _mm_or_si128(x, _mm_set1_epi8(0x20));
	unsigned quotes = where(x, '"'), in = quotes, opens, ends;

	if ((where(x, '\\') | where(x, '\0')) != 0)
		return (false);
	for (unsigned n = 1; n < 16; n *= 2)
		in ^= in << n;
	if (*string)
		in = ~in;
	opens = bits(where(y, '{') & ~in);
	ends = bits(where(y, '}') & ~in);
	if (*depth + opens > DEPTH_MAX || ends >= *depth)
		return (false);
	*depth += opens - ends;
	*string = *string != (bits(quotes) % 2 != 0);
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
		for (int i = 0; i < 16; i++, p++) {
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
			p += 16;
	}
}

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
