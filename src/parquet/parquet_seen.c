/*
 * What statistics tell against what was seen of the values. Readers skip
 * data by them: no value may lie beyond a bound, and the bounds of anything
 * but text, which is cut, are values themselves.
 */

#include "config.h"

#include <string.h>

#include "parquet/parquet_int.h"

static int
text_cmp(const char *a, size_t na, const void *b, size_t nb)
{
	int d = memcmp(a, b, na < nb ? na : nb);

	return (d != 0 ? d : na < nb ? -1 : na > nb);
}

static int64_t
bound_int(const uint8_t *p, size_t n)
{
	struct cur c;

	cur_init(&c, p, n);
	return (n == 1 ? cur_u8(&c) : n == 4 ? (int32_t)cur_u32le(&c) :
	    (int64_t)cur_u64le(&c));
}

static double
bound_double(const uint8_t *p)
{
	double x;

	memcpy(&x, p, sizeof(x));
	return (x);
}

int
parquet_bound_cmp(const uint8_t *a, size_t na, const uint8_t *b, size_t nb,
    enum rows_type type)
{
	int64_t i, k;
	double x, y;

	if (rows_is_text(type))
		return (text_cmp((const char *)a, na, b, nb));
	if (type == ROWS_DOUBLE) {
		x = bound_double(a);
		y = bound_double(b);
		return (x < y ? -1 : x > y);
	}
	i = bound_int(a, na);
	k = bound_int(b, nb);
	return (i < k ? -1 : i > k);
}

const char *
parquet_seen_wrong(const struct parquet_seen *s,
    const struct parquet_rstat *st, enum rows_type type)
{
	size_t width = rows_width(type);
	bool low, high;

	if (st->nulls >= 0 && (uint64_t)st->nulls != s->nulls)
		return ("number of nulls");
	if (!st->has_min || !st->has_max)
		return (NULL);		/* then nothing is skipped */
	if (!s->any || s->nan)
		return ("range");
	if (!rows_is_text(type) &&
	    (st->min_len != width || st->max_len != width))
		return ("type");
	if (rows_is_text(type)) {
		low = text_cmp(s->min_s, s->min_len, st->min,
		    st->min_len) >= 0;
		high = text_cmp(s->max_s, s->max_len, st->max,
		    st->max_len) <= 0;
	} else if (type == ROWS_DOUBLE) {
		low = bound_double(st->min) == s->min_f;
		high = bound_double(st->max) == s->max_f;
	} else {
		low = bound_int(st->min, width) == s->min_i;
		high = bound_int(st->max, width) == s->max_i;
	}
	return (!low ? "minimum" : !high ? "maximum" : NULL);
}

/* --- of a page ----------------------------------------------------------- */

static void
see_bools(struct parquet_seen *s, const uint8_t *x, uint32_t n)
{

	s->min_i = memchr(x, 0, n) == NULL;
	s->max_i = memchr(x, 1, n) != NULL;
}

/* A text is looked at once, however many values in a row are it. */
static void
see_text(struct parquet_seen *s, const struct parquet_source *p)
{
	const uint32_t *code = (const void *)p->vals.data;
	const char *text;
	uint32_t i;
	size_t len;

	for (i = 0; i < p->nvals; i++) {
		if (i > 0 && code[i] == code[i - 1])
			continue;
		text = parquet_source_text(p, i, &len);
		if (i == 0 || text_cmp(text, len, s->min_s, s->min_len) < 0) {
			s->min_s = text;
			s->min_len = len;
		}
		if (i == 0 || text_cmp(text, len, s->max_s, s->max_len) > 0) {
			s->max_s = text;
			s->max_len = len;
		}
	}
}

void
parquet_seen_page(struct parquet_seen *s, const struct parquet_source *p)
{
	const void *x = p->vals.data;

	*s = (struct parquet_seen){ .nulls = p->n - p->nvals,
	    .any = p->nvals > 0 };
	if (!s->any)
		return;
	switch (p->col->type) {
	case ROWS_BOOL:
		see_bools(s, x, p->nvals);
		break;
	case ROWS_INT32:
		parquet_extent_i32(x, p->nvals, &s->min_i, &s->max_i);
		break;
	case ROWS_INT64:
	case ROWS_TICKS:
		parquet_extent_i64(x, p->nvals, &s->min_i, &s->max_i);
		break;
	case ROWS_DOUBLE:
		s->nan = parquet_extent_f64(x, p->nvals, &s->min_f,
		    &s->max_f);
		break;
	case ROWS_STRING:
	case ROWS_LIST:
		see_text(s, p);
		break;
	}
}

void
parquet_seen_add(struct parquet_seen *s, const struct parquet_seen *x)
{

	s->nulls += x->nulls;
	s->nan |= x->nan;
	if (!x->any)
		return;
	s->min_i = !s->any || x->min_i < s->min_i ? x->min_i : s->min_i;
	s->max_i = !s->any || x->max_i > s->max_i ? x->max_i : s->max_i;
	s->min_f = !s->any || x->min_f < s->min_f ? x->min_f : s->min_f;
	s->max_f = !s->any || x->max_f > s->max_f ? x->max_f : s->max_f;
	s->any = true;
}
