/*
 * Batches to bytes, column by column. Cells that are null are taken out
 * first, so that each form sees a plain array; a column of one value costs
 * a few bytes, whatever its type. The forms are chosen by looking at all
 * values (integers) or at a sample (doubles): the same rows always give the
 * same bytes. Running out of the buffer's ceiling is its sticky error.
 */

#include "config.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/must.h"
#include "rows/rows_int.h"

/* How many doubles are looked at before a form is tried on all. */
#define SAMPLE 256
/* Exceptions from a decimal form are worth it up to one cell in so many. */
#define EXCEPTION_SHARE 16
/* Mantissas above this do not convert exactly. */
#define MANTISSA_MAX 4503599627370496.0

/* Arrays for n cells, made once a batch. */
struct scratch {
	void *dense;		/* a column without its nulls */
	int64_t *ints;
	uint64_t *tmp;
	uint32_t *rare;		/* indexes of exceptions */
};

static void
scratch_init(struct scratch *s, size_t n)
{

	s->dense = must_calloc(n, 8);
	s->ints = must_calloc(n, sizeof(s->ints[0]));
	s->tmp = must_calloc(n, sizeof(s->tmp[0]));
	s->rare = must_calloc(n, sizeof(s->rare[0]));
}

static void
scratch_fini(struct scratch *s)
{

	free(s->dense);
	free(s->ints);
	free(s->tmp);
	free(s->rare);
}

/* --- nulls and bools ----------------------------------------------------- */

/* Eight bytes of 0 or 1 become eight bits: the multiplication moves byte i's
 * bit to 56 + i, and no two meet. */
static uint8_t
pack8(const uint8_t *p)
{
	uint64_t v = 0;
	unsigned i;

	for (i = 0; i < 8; i++)
		v |= (uint64_t)p[i] << (8 * i);
	return ((uint8_t)(v * 0x0102040810204080u >> 56));
}

static void
put_bitmap(struct buf *b, const uint8_t *x, uint32_t n)
{
	uint8_t tail[8] = { 0 }, *p = buf_reserve(b, (n + 7) / 8);
	uint32_t i;

	if (p == NULL)
		return;
	for (i = 0; i < n / 8; i++)
		p[i] = pack8(x + (size_t)i * 8);
	if (n % 8 != 0) {
		memcpy(tail, x + n / 8 * 8, n % 8);
		p[i] = pack8(tail);
	}
	b->len += (n + 7) / 8;
}

#define PACK(type) do {							\
	const type *from = v->data;					\
	type *to = dense;						\
									\
	for (i = 0; i < n; i++) {					\
		to[m] = from[i];					\
		m += v->valid[i];					\
	}								\
} while (0)

/* The valid cells side by side; m of them. There is room for one more. */
static uint32_t
pack_valid(const struct rows_vec *v, enum rows_type t, uint32_t n,
    void *dense)
{
	uint32_t i, m = 0;

	switch (rows_width(t)) {
	case 1:
		PACK(uint8_t);
		break;
	case 4:
		PACK(uint32_t);
		break;
	default:
		PACK(uint64_t);
		break;
	}
	return (m);
}

static void
encode_bools(const uint8_t *x, uint32_t m, struct buf *b)
{

	if (memchr(x, x[0] ? 0 : 1, m) == NULL) {
		buf_u8(b, x[0] ? BOOLS_TRUE : BOOLS_FALSE);
		return;
	}
	buf_u8(b, BOOLS_BITMAP);
	put_bitmap(b, x, m);
}

/* --- doubles ------------------------------------------------------------- */

static uint64_t
bits_of(double x)
{
	uint64_t u;

	memcpy(&u, &x, sizeof(u));
	return (u);
}

/* x is i / 10^places to the last bit; -0.0 and what is not finite are not. */
static bool
is_decimal(double x, unsigned places, double power, int64_t *i)
{
	double scaled = x * power;

	if (!(fabs(scaled) < MANTISSA_MAX))
		return (false);
	*i = (int64_t)(scaled < 0 ? scaled - 0.5 : scaled + 0.5);
	return (bits_of(rows_decimal(*i, places)) == bits_of(x));
}

static bool
is_float(double x)
{

	return ((!isfinite(x) || fabs(x) <= FLT_MAX) &&
	    bits_of((double)(float)x) == bits_of(x));
}

/* The fewest places that suit nearly all of a sample, or -1. */
static int
choose_places(const double *x, uint32_t m)
{
	uint32_t i, step = m / SAMPLE + 1, tried, bad;
	double power = 1;
	int64_t unused;
	int k;

	for (k = 0; k <= DECIMALS_MAX; k++, power *= 10) {
		for (bad = tried = i = 0; i < m; i += step, tried++)
			bad += !is_decimal(x[i], (unsigned)k, power, &unused);
		if (bad * EXCEPTION_SHARE <= tried)
			return (k);
	}
	return (-1);
}

static bool
encode_decimals(const double *x, uint32_t m, unsigned places,
    struct scratch *s, struct buf *b)
{
	uint32_t i, n = 0, most = m / EXCEPTION_SHARE + 1;
	double power = 1;
	int64_t last = 0;
	unsigned k;

	for (k = 0; k < places; k++)
		power *= 10;
	for (i = 0; i < m; i++) {
		if (is_decimal(x[i], places, power, &s->ints[i])) {
			last = s->ints[i];
			continue;
		}
		s->ints[i] = last;
		s->rare[n++] = i;
		if (n > most)
			return (false);
	}
	buf_u8(b, DOUBLES_DECIMAL);
	buf_u8(b, (uint8_t)places);
	buf_varint(b, n);
	for (i = 0; i < n; i++) {
		buf_varint(b, s->rare[i]);
		buf_u64le(b, bits_of(x[s->rare[i]]));
	}
	rows_ints_encode(s->ints, m, s->tmp, b);
	return (true);
}

static bool
encode_floats(const double *x, uint32_t m, struct buf *b)
{
	uint32_t i, u;
	uint8_t *p;
	float f;

	for (i = 0; i < m; i++)
		if (!is_float(x[i]))
			return (false);
	buf_u8(b, DOUBLES_FLOAT);
	if ((p = buf_reserve(b, (size_t)m * 4)) == NULL)
		return (true);
	for (i = 0; i < m; i++) {
		f = (float)x[i];
		memcpy(&u, &f, sizeof(u));
		p[i] = (uint8_t)u;
		p[(size_t)m + i] = (uint8_t)(u >> 8);
		p[(size_t)m * 2 + i] = (uint8_t)(u >> 16);
		p[(size_t)m * 3 + i] = (uint8_t)(u >> 24);
	}
	b->len += (size_t)m * 4;
	return (true);
}

static void
encode_raw(const double *x, uint32_t m, struct buf *b)
{
	uint8_t *p;
	uint32_t i;
	unsigned j;

	buf_u8(b, DOUBLES_RAW);
	if ((p = buf_reserve(b, (size_t)m * 8)) == NULL)
		return;
	for (j = 0; j < 8; j++)
		for (i = 0; i < m; i++)
			*p++ = (uint8_t)(bits_of(x[i]) >> (8 * j));
	b->len += (size_t)m * 8;
}

/* Decimals of few digits are shortest, then singles, then long decimals. */
static void
encode_doubles(const double *x, uint32_t m, struct scratch *s, struct buf *b)
{
	uint64_t first = bits_of(x[0]);
	uint32_t i;
	int places;

	for (i = 1; i < m && bits_of(x[i]) == first; i++)
		continue;
	if (i == m) {
		buf_u8(b, DOUBLES_SAME);
		buf_u64le(b, first);
		return;
	}
	places = choose_places(x, m);
	if (places >= 0 && places <= 6 &&
	    encode_decimals(x, m, (unsigned)places, s, b))
		return;
	if (encode_floats(x, m, b))
		return;
	if (places > 6 && encode_decimals(x, m, (unsigned)places, s, b))
		return;
	encode_raw(x, m, b);
}

/* --- integers and text --------------------------------------------------- */

static void
encode_int32s(const int32_t *x, uint32_t m, struct scratch *s,
    struct buf *b)
{
	uint32_t i;

	for (i = 0; i < m; i++)
		s->ints[i] = x[i];
	rows_ints_encode(s->ints, m, s->tmp, b);
}

/* Lengths, then the bytes of the n texts whose codes stand in s->rare. */
static void
put_entries(const struct rows_dict *d, uint32_t n, struct scratch *s,
    struct buf *b)
{
	const char *text;
	size_t len;
	uint32_t i;

	for (i = 0; i < n; i++) {
		(void)rows_dict_str(d, s->rare[i], &len);
		s->ints[i] = (int64_t)len;
	}
	rows_ints_encode(s->ints, n, s->tmp, b);
	for (i = 0; i < n; i++) {
		text = rows_dict_str(d, s->rare[i], &len);
		buf_put(b, text, len);
	}
}

static void
put_runs(const uint32_t *code, const uint32_t *entry, uint32_t m,
    uint32_t runs, struct scratch *s, struct buf *b)
{
	uint32_t i, from = 0, n = 0;

	buf_varint(b, runs);
	for (i = 0; i < m; i++)
		if (i == 0 || code[i] != code[i - 1])
			s->ints[n++] = entry[code[i]];
	rows_ints_encode(s->ints, n, s->tmp, b);
	for (i = 1, n = 0; i <= m; i++) {
		if (i < m && code[i] == code[i - 1])
			continue;
		s->ints[n++] = i - from;
		from = i;
	}
	rows_ints_encode(s->ints, n, s->tmp, b);
}

static void
encode_texts(const struct rows_dict *d, const uint32_t *code, uint32_t m,
    struct scratch *s, struct buf *b)
{
	uint32_t *entry, i, n = 0, runs = 0;

	entry = must_calloc(d->n, sizeof(entry[0]));
	memset(entry, 0xff, d->n * sizeof(entry[0]));
	for (i = 0; i < m; i++) {
		if (i > 0 && code[i] == code[i - 1])
			continue;
		runs++;
		if (entry[code[i]] == UINT32_MAX) {
			s->rare[n] = code[i];
			entry[code[i]] = n++;
		}
	}
	buf_varint(b, n);
	put_entries(d, n, s, b);
	if (runs == 1) {
		buf_u8(b, TEXTS_SAME);
	} else if (runs <= m / 2) {
		buf_u8(b, TEXTS_RUNS);
		put_runs(code, entry, m, runs, s, b);
	} else {
		buf_u8(b, TEXTS_EACH);
		for (i = 0; i < m; i++)
			s->ints[i] = entry[code[i]];
		rows_ints_encode(s->ints, m, s->tmp, b);
	}
	free(entry);
}

/* --- batches ------------------------------------------------------------- */

static void
encode_column(const struct rows_vec *v, enum rows_type t, uint32_t n,
    struct scratch *s, struct buf *b)
{
	const void *x = v->data;
	uint32_t m = n;

	if (memchr(v->valid, 1, n) == NULL) {
		buf_u8(b, NULLS_ALL);
		return;
	}
	if (memchr(v->valid, 0, n) == NULL) {
		buf_u8(b, NULLS_NONE);
	} else {
		buf_u8(b, NULLS_BITMAP);
		put_bitmap(b, v->valid, n);
		m = pack_valid(v, t, n, s->dense);
		x = s->dense;
	}
	switch (t) {
	case ROWS_BOOL:
		encode_bools(x, m, b);
		break;
	case ROWS_INT32:
		encode_int32s(x, m, s, b);
		break;
	case ROWS_INT64:
	case ROWS_TICKS:
		rows_ints_encode(x, m, s->tmp, b);
		break;
	case ROWS_DOUBLE:
		encode_doubles(x, m, s, b);
		break;
	case ROWS_STRING:
	case ROWS_LIST:
		encode_texts(&v->dict, x, m, s, b);
		break;
	}
}

void
rows_encode(const struct rows *r, struct buf *b)
{
	struct scratch s;
	uint32_t c;

	buf_varint(b, r->n);
	if (r->n == 0)
		return;
	scratch_init(&s, (size_t)r->n + 1);
	for (c = 0; c < r->schema->ncols; c++)
		encode_column(&r->v[c], r->schema->cols[c].type, r->n, &s, b);
	scratch_fini(&s);
}
