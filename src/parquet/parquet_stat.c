/*
 * Ranges of values: of a page, a chunk, the file. Engines skip data by
 * them, so a bound may be wide but never wrong: a NaN, which they order in
 * different ways, takes both bounds away; a zero covers both zeros; text is
 * cut, its upper bound rounded up to the next character.
 */

#include "config.h"

#include <string.h>

#include "parquet/parquet_int.h"

#define DELTA_TEXT_MAX 32	/* bytes of text in struct parquet_stat */

/* Of n > 0 values, without a branch: several are compared at once. */
#define EXTENT(type) do {						\
	type low = x[0], high = x[0];					\
									\
	for (i = 1; i < n; i++) {					\
		low = x[i] < low ? x[i] : low;				\
		high = x[i] > high ? x[i] : high;			\
	}								\
	*min = low;							\
	*max = high;							\
} while (0)

void
parquet_extent_i32(const int32_t *x, size_t n, int64_t *min, int64_t *max)
{
	size_t i;

	EXTENT(int32_t);
}

void
parquet_extent_i64(const int64_t *x, size_t n, int64_t *min, int64_t *max)
{
	size_t i;

	EXTENT(int64_t);
}

bool
parquet_extent_f64(const double *x, size_t n, double *min, double *max)
{
	int nan = 0;
	size_t i;

	EXTENT(double);
	for (i = 0; i < n; i++)
		nan |= x[i] != x[i];
	return (nan != 0);
}

static void
see_ints(struct parquet_range *r, int64_t min, int64_t max)
{

	if (!r->any || min < r->min_i)
		r->min_i = min;
	if (!r->any || max > r->max_i)
		r->max_i = max;
	r->any = true;
}

void
parquet_range_bools(struct parquet_range *r, const uint8_t *x, size_t n)
{

	if (n > 0)
		see_ints(r, memchr(x, 0, n) == NULL, memchr(x, 1, n) != NULL);
}

void
parquet_range_i32(struct parquet_range *r, const int32_t *x, size_t n)
{
	int64_t min, max;

	if (n == 0)
		return;
	parquet_extent_i32(x, n, &min, &max);
	see_ints(r, min, max);
}

void
parquet_range_i64(struct parquet_range *r, const int64_t *x, size_t n)
{
	int64_t min, max;

	if (n == 0)
		return;
	parquet_extent_i64(x, n, &min, &max);
	see_ints(r, min, max);
}

static void
see_doubles(struct parquet_range *r, double min, double max)
{

	/* Zero is two numbers of one value: the bounds take in both. */
	min = min == 0 ? -0.0 : min;
	max = max == 0 ? 0.0 : max;
	if (!r->any || min < r->min_f)
		r->min_f = min;
	if (!r->any || max > r->max_f)
		r->max_f = max;
	r->any = true;
}

void
parquet_range_f64(struct parquet_range *r, const double *x, size_t n)
{
	double min, max;

	if (n == 0)
		return;
	if (parquet_extent_f64(x, n, &min, &max))
		r->lost = true;
	else
		see_doubles(r, min, max);
}

/* Code point after the one at p (n bytes) as UTF-8: length, 0 for none. */
static int
next_char(const char *p, size_t n, char *to)
{
	const unsigned char *u = (const unsigned char *)p;
	uint32_t x;
	size_t i;

	x = n == 1 ? u[0] : u[0] & (0x7fu >> n);
	for (i = 1; i < n; i++)
		x = x << 6 | (u[i] & 0x3f);
	if (++x > 0x10ffff)
		return (0);
	if (x >= 0xd800 && x < 0xe000)
		x = 0xe000;
	if (x < 0x80) {
		to[0] = (char)x;
		return (1);
	}
	n = x < 0x800 ? 2 : x < 0x10000 ? 3 : 4;
	for (i = n - 1; i > 0; i--, x >>= 6)
		to[i] = (char)(0x80 | (x & 0x3f));
	to[0] = (char)(0xf00u >> n | x);
	return ((int)n);
}

static bool
is_tail(char c)
{

	return (((unsigned char)c & 0xc0) == 0x80);
}

int
parquet_range_cut(const char *s, size_t len, size_t max, bool up, char *to)
{
	size_t n = len, at;
	int k;

	if (len <= max) {
		if (len > 0)
			memcpy(to, s, len);
		return ((int)len);
	}
	for (n = max; n > 0 && is_tail(s[n]); n--)
		;
	memcpy(to, s, n);
	if (!up)
		return ((int)n);
	/* The last character that has one after it takes that. */
	for (; n > 0; n = at) {
		for (at = n - 1; at > 0 && is_tail(s[at]); at--)
			;
		if ((k = next_char(s + at, n - at, to + at)) > 0)
			return ((int)at + k);
	}
	return (-1);
}

static int
text_cmp(const char *a, size_t na, const char *b, size_t nb)
{
	int d = memcmp(a, b, na < nb ? na : nb);

	return (d != 0 ? d : na < nb ? -1 : na > nb);
}

static int
bound_cmp(const struct parquet_text_bound *a,
    const struct parquet_text_bound *b)
{

	return (text_cmp(a->s, a->len, b->s, b->len));
}

static void
see_min(struct parquet_range *r, const struct parquet_text_bound *b)
{
	int d = r->any ? bound_cmp(b, &r->min_s) : -1;

	if (d < 0)
		r->min_s = *b;
	else if (d == 0)
		r->min_s.exact |= b->exact;
}

static void
see_max(struct parquet_range *r, const struct parquet_text_bound *b)
{
	int d = r->any ? bound_cmp(b, &r->max_s) : 1;

	if (d > 0)
		r->max_s = *b;
	else if (d == 0)
		r->max_s.exact |= b->exact;
}

void
parquet_range_text(struct parquet_range *r, const char *min, size_t nmin,
    const char *max, size_t nmax)
{
	struct parquet_text_bound low = { 0 }, high = { 0 };
	int n;

	n = parquet_range_cut(min, nmin, PARQUET_BOUND_MAX, false, low.s);
	low.len = (uint8_t)n;
	low.exact = nmin <= PARQUET_BOUND_MAX;
	n = parquet_range_cut(max, nmax, PARQUET_BOUND_MAX, true, high.s);
	if (n < 0) {
		r->lost = true;
		return;
	}
	high.len = (uint8_t)n;
	high.exact = nmax <= PARQUET_BOUND_MAX;
	see_min(r, &low);
	see_max(r, &high);
	r->any = true;
}

void
parquet_range_merge(struct parquet_range *r, const struct parquet_range *x,
    enum rows_type type)
{

	r->nulls += x->nulls;
	r->lost |= x->lost;
	if (!x->any)
		return;
	if (type == ROWS_DOUBLE)
		see_doubles(r, x->min_f, x->max_f);
	else if (rows_is_text(type)) {
		see_min(r, &x->min_s);
		see_max(r, &x->max_s);
		r->any = true;
	} else
		see_ints(r, x->min_i, x->max_i);
}

size_t
parquet_range_bytes(const struct parquet_range *r, enum rows_type type,
    bool max, void *to)
{
	const struct parquet_text_bound *s = max ? &r->max_s : &r->min_s;
	int64_t i = max ? r->max_i : r->min_i;
	size_t n = rows_width(type);

	if (type == ROWS_DOUBLE)
		memcpy(to, max ? &r->max_f : &r->min_f, n);
	else if (rows_is_text(type))
		memcpy(to, s->s, n = s->len);
	else
		memcpy(to, &i, n);	/* little-endian: the low bytes */
	return (n);
}

int
parquet_range_cmp(const struct parquet_range *a,
    const struct parquet_range *b, enum rows_type type, bool max)
{
	double x, y;
	int64_t i, k;

	if (rows_is_text(type))
		return (max ? bound_cmp(&a->max_s, &b->max_s) :
		    bound_cmp(&a->min_s, &b->min_s));
	if (type == ROWS_DOUBLE) {
		x = max ? a->max_f : a->min_f;
		y = max ? b->max_f : b->min_f;
		return (x < y ? -1 : x > y);
	}
	i = max ? a->max_i : a->min_i;
	k = max ? b->max_i : b->min_i;
	return (i < k ? -1 : i > k);
}

void
parquet_range_stat(const struct parquet_range *r, enum rows_type type,
    struct parquet_stat *st)
{
	int64_t unit = type == ROWS_TICKS ? 10 : 1;
	int n;

	memset(st, 0, sizeof(*st));
	st->nulls = r->nulls;
	st->has_minmax = r->any && !r->lost && type != ROWS_LIST;
	if (!st->has_minmax)
		return;
	if (rows_is_text(type)) {
		n = parquet_range_cut(r->min_s.s, r->min_s.len,
		    DELTA_TEXT_MAX, false, st->min_s);
		st->min_len = (size_t)n;
		n = parquet_range_cut(r->max_s.s, r->max_s.len,
		    DELTA_TEXT_MAX, true, st->max_s);
		st->max_len = n < 0 ? 0 : (size_t)n;
		st->has_minmax = n >= 0;
		return;
	}
	st->min_i = r->min_i * unit;
	st->max_i = r->max_i * unit;
	st->min_f = r->min_f;
	st->max_f = r->max_f;
}
