#ifndef SOURCE_SOURCE_DIGITS_H
#define SOURCE_SOURCE_DIGITS_H

/*
 * Times and numbers from the text of an answer, eight digits at once. All of
 * these look at up to 16 bytes from where they begin, which the padding of
 * bodies allows.
 */

#include <endian.h>
#include <stdbool.h>
#include <string.h>

#include "base/ticks.h"

#define SOURCE_POWER_MAX 22	/* powers of ten up to this one are doubles */

static inline uint64_t
source_load8(const char *p)
{
	uint64_t x;

	memcpy(&x, p, sizeof(x));
	return (le64toh(x));
}

/* How many of the eight bytes are digits before another byte; 8: all. */
static inline unsigned
source_digits8(uint64_t x)
{
	uint64_t other;

	x ^= 0x3030303030303030u;
	other = ((x + 0x7676767676767676u) | x) & 0x8080808080808080u;
	return (other == 0 ? 8 : (unsigned)__builtin_ctzll(other) / 8);
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
	unsigned tens = (unsigned)(uint8_t)p[1] - '0', ones, point, n;
	uint64_t x;

	ones = tens > 5 ? 10 : (unsigned)(uint8_t)p[2] - '0';
	if (p[0] != ':' || ones > 9)
		return (NULL);
	p += 3;
	/* whether there is one cannot be predicted: no branch */
	point = *p == '.';
	x = source_load8(p + point);
	n = source_digits8(x);
	if (n == 8 || (n != 0) != point)
		return (NULL);
	*ticks = (tens * 10 + ones) * TICKS_PER_S +
	    (int64_t)source_number8(x, n) * unit[n];
	p += point + n;
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
	uint64_t x;
	int e;

	p += minus || *p == '+';
	x = source_load8(p);
	n = source_digits8(x);
	if (n == 0 || n > 3)
		return (NULL);
	e = (int)source_number8(x, n);
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
	unsigned n, point;
	uint64_t x, m;
	int e;

	p += minus;
	x = source_load8(p);
	n = source_digits8(x);
	if (n == 0 || n == 8 || (*p == '0' && n > 1))
		return (NULL);
	m = source_number8(x, n);
	p += n;
	/* neither this nor the sign can be predicted: no branches */
	point = *p == '.';
	x = source_load8(p + point);
	n = source_digits8(x);
	if (n == 8 || (n != 0) != point || (minus && m == 0 && !point))
		return (NULL);
	m = m * tens[n] + source_number8(x, n);
	e = -(int)n;
	p += point + n;
	if ((*p | 0x20) == 'e' && (p = source_exponent(p, &e)) == NULL)
		return (NULL);
	if (e < -SOURCE_POWER_MAX || e > SOURCE_POWER_MAX)
		return (NULL);
	*out = (e > 0 ? (double)m * source_power10[e] : (double)m / source_power10[-e]) *
	    sign[minus];
	return (p);
}

#endif
