/*
 * Writing a column of doubles: part by part as the integers that they mean.
 * Decimals of few digits are shortest, then singles, then long decimals,
 * then the bits as they are. The places are chosen by a sample and tried on
 * all; what they do not suit is an exception.
 */

#include "config.h"

#include <float.h>
#include <math.h>
#include <string.h>

#include "base/buf.h"
#include "rows/rows_int.h"

#define SAMPLE 32
/* Exceptions from a decimal form are worth it up to one cell in so many. */
#define EXCEPTION_SHARE 16
/* More places are worse than singles. */
#define PLACES_FEW 6

static const double power10[DECIMALS_MAX + 1] = { 1, 1e1, 1e2, 1e3, 1e4, 1e5,
    1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12 };

static uint64_t
bits_of(double x)
{
	uint64_t u;

	memcpy(&u, &x, sizeof(u));
	return (u);
}

static bool
few(uint64_t bad, uint32_t n)
{

	return (bad * EXCEPTION_SHARE <= n);
}

/* The fewest places that suit nearly all of x, which is in c->ints then but
 * for *bad of them. */
static uint8_t
choose_places(struct rows_coder *c, const double *x, uint32_t n,
    uint64_t *bad)
{
	uint32_t i, m = 0, step = (n + SAMPLE - 1) / SAMPLE;
	double sample[SAMPLE];
	uint8_t places;

	for (i = 0; i < n; i += step)
		sample[m++] = x[i];
	for (places = 0; places <= DECIMALS_MAX; places++) {
		if (!few(c->kernel->decimals(sample, m, power10[places],
		    c->ints), m))
			continue;
		*bad = c->kernel->decimals(x, n, power10[places], c->ints);
		if (few(*bad, n))
			break;
	}
	return (places);
}

static bool
are_floats(const double *x, uint32_t n)
{
	uint32_t i;

	for (i = 0; i < n; i++)
		if ((isfinite(x[i]) && fabs(x[i]) > FLT_MAX) ||
		    bits_of((double)(float)x[i]) != bits_of(x[i]))
			return (false);
	return (true);
}

/* An exception takes the place of the decimal before it. */
static void
put_exceptions(struct rows_coder *c, const double *x, uint32_t n,
    uint8_t places, uint64_t bad)
{
	int64_t last = 0;
	uint32_t i;

	buf_varint(&c->head, bad);
	for (i = 0; bad > 0; i++) {
		MUST(i < n);
		if (c->kernel->decimals(x + i, 1, power10[places],
		    c->ints + i) == 0) {
			last = c->ints[i];
			continue;
		}
		bad--;
		c->ints[i] = last;
		buf_varint(&c->head, i);
		buf_u64le(&c->head, bits_of(x[i]));
	}
}

static void
put_bits(struct rows_coder *c, const double *x, uint32_t n, uint8_t kind)
{
	uint32_t i, u;
	float f;

	for (i = 0; i < n; i++)
		if (kind == KIND_FLOAT) {
			f = (float)x[i];
			memcpy(&u, &f, sizeof(u));
			c->ints[i] = u;
		} else {
			c->ints[i] = (int64_t)bits_of(x[i]);
		}
}

void
rows_doubles_begin(struct rows_doubles_coder *d, struct rows_coder *c)
{

	rows_coder_begin(c);
	d->same = true;
}

void
rows_doubles_add(struct rows_doubles_coder *d, struct rows_coder *c,
    const double *x, uint32_t n)
{
	uint64_t bad = 0;
	uint8_t kind = choose_places(c, x, n, &bad);

	if (kind > PLACES_FEW && are_floats(x, n))
		kind = KIND_FLOAT;
	else if (kind > DECIMALS_MAX)
		kind = KIND_RAW;
	buf_u8(&c->head, kind);
	if (kind <= DECIMALS_MAX)
		put_exceptions(c, x, n, kind, bad);
	else
		put_bits(c, x, n, kind);
	if (c->nparts == 0) {
		d->kind = kind;
		d->first = x[0];
	}
	d->same = d->same && bad == 0 && kind == d->kind;
	rows_coder_add(c, c->ints, n);
}

void
rows_doubles_end(struct rows_doubles_coder *d, struct rows_coder *c,
    struct buf *b)
{

	if (d->same && c->same) {
		buf_u8(b, DOUBLES_SAME);
		buf_u64le(b, bits_of(d->first));
	} else {
		buf_u8(b, DOUBLES_PARTS);
		rows_coder_end(c, b);
	}
}
