#ifndef SOURCE_SOURCE_DIGITS_H
#define SOURCE_SOURCE_DIGITS_H

/*
 * Times and numbers from the text of an answer, eight digits at once. All of
 * these look at up to 16 bytes from where they are, which the padding of
 * bodies allows. How long a number is, and whether there is a point or a
 * sign, cannot be predicted: so these decide no branch, and where the next
 * token begins is known before what this one says.
 */

#include <endian.h>
#include <stdbool.h>
#include <string.h>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include "base/ticks.h"

#define SOURCE_POWER_MAX 22	/* powers of ten up to this one are doubles */

static inline uint64_t
source_load8(const char *p)
{
	uint64_t x;

	memcpy(&x, p, sizeof(x));
	return (le64toh(x));
}

/* What the 16 bytes from here are: bit i is of byte i. */
struct source_kinds {
	unsigned digits;
	unsigned points;
};

static inline struct source_kinds
source_kinds(const char *p)
{
	struct source_kinds k = { 0, 0 };
#ifdef __SSE2__
	__m128i x = _mm_loadu_si128((const __m128i *)(const void *)p);
	__m128i d = _mm_sub_epi8(x, _mm_set1_epi8('0'));

	k.digits = (unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(d,
	    _mm_min_epu8(d, _mm_set1_epi8(9))));
	k.points = (unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(x,
	    _mm_set1_epi8('.')));
#else
	for (unsigned i = 0; i < 16; i++) {
		k.digits |= (unsigned)(p[i] >= '0' && p[i] <= '9') << i;
		k.points |= (unsigned)(p[i] == '.') << i;
	}
#endif
	return (k);
}

/* How many digits follow each other from byte i on; the 16th ends them. */
static inline unsigned
source_ndigits(struct source_kinds k, unsigned i)
{

	return ((unsigned)__builtin_ctz(~(k.digits >> i)));
}

/* The number that the first n of them are, 0 to 8: halves of a number are
 * joined by a multiplication, all at once (D. Lemire, Quickly parsing eight
 * digits, 2018). */
static inline uint64_t
source_number8(uint64_t x, unsigned n)
{

	x = x << 8 << (56 - 8 * n) & 0x0f0f0f0f0f0f0f0fu;
	x = (x * (1 + (10u << 8))) >> 8 & 0x00ff00ff00ff00ffu;
	x = (x * (1 + (100u << 16))) >> 16 & 0x0000ffff0000ffffu;
	return ((x * (1 + (10000ull << 32))) >> 32);
}

/* Seconds and their fraction, to the closing quote: ":SS.fffffffZ". */
static inline const char *
source_seconds(const char *p, int64_t *ticks)
{
	static const int64_t unit[] = { 10000000, 1000000, 100000, 10000,
	    1000, 100, 10, 1 };
	struct source_kinds k = source_kinds(p);
	unsigned point = k.points >> 3 & 1, n = source_ndigits(k, 3 + point);

	if (p[0] != ':' || (k.digits & 7) != 6 || p[1] > '5' ||
	    n > 7 || (n != 0) != point)
		return (NULL);
	*ticks = ((p[1] - '0') * 10 + (p[2] - '0')) * TICKS_PER_S +
	    (int64_t)source_number8(source_load8(p + 4), n) * unit[n];
	p += 3 + point + n;
	return (p[0] == 'Z' && p[1] == '"' ? p + 1 : NULL);
}

static const double source_power10[] = {
	1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11,
	1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22,
};

/* Behind the exponent at p ("e-12"), which is added; or NULL. */
static inline const char *
source_exponent(const char *p, int *out)
{
	bool minus = *++p == '-';
	unsigned n;
	int e;

	p += minus || *p == '+';
	n = source_ndigits(source_kinds(p), 0);
	if (n == 0 || n > 3)
		return (NULL);
	e = (int)source_number8(source_load8(p), n);
	*out += minus ? -e : e;
	return (p + n);
}

/*
 * Behind a number of up to seven digits on either side of the point, whose
 * digits and power of ten are both exact doubles, so that one operation
 * rounds it right (W. D. Clinger, How to Read Floating Point Numbers
 * Accurately, PLDI 1990); NULL for all others.
 */
static inline const char *
source_short_number(const char *p, double *out)
{
	static const uint64_t tens[] = { 1, 10, 100, 1000, 10000, 100000,
	    1000000, 10000000 };
	static const double sign[] = { 1, -1 };
	bool minus = *p == '-';
	struct source_kinds k = source_kinds(p += minus);
	unsigned n = source_ndigits(k, 0), point = k.points >> n & 1;
	unsigned fraction = source_ndigits(k, n + point);
	uint64_t m;
	double x;
	int e = -(int)fraction;

	if (n == 0 || n > 7 || (*p == '0' && n > 1) || fraction > 7 ||
	    (fraction != 0) != point)
		return (NULL);
	m = source_number8(source_load8(p), n) * tens[fraction] +
	    source_number8(source_load8(p + n + 1), fraction);
	if (minus && m == 0 && !point)
		return (NULL);
	p += n + point + fraction;
	if ((*p | 0x20) == 'e' && (p = source_exponent(p, &e)) == NULL)
		return (NULL);
	if (e < -SOURCE_POWER_MAX || e > SOURCE_POWER_MAX)
		return (NULL);
	x = (double)m;
	x = e > 0 ? x * source_power10[e] : x / source_power10[-e];
	*out = x * sign[minus];
	return (p);
}

#endif
