/*
 * The encoded form of a batch (garner-journal(5), ROWS): column by column,
 * made to be small before zstd sees it and quick to write.
 *
 *	rows	varint n, then each column:
 *	column	u8 nulls: 0 none, 1 all (nothing follows), 2 bitmap, LSB
 *		first, a bit a row, 1 = valid; then the m valid cells:
 *	bool	bitmap of m bits
 *	int	u8 0: zigzag, the value of all; u8 1: m zigzag deltas
 *	double	u8 0: 8 bytes, the value of all; u8 1: m times 8 bytes;
 *		u8 2: u8 k, varint x, x exceptions (varint index, 8 bytes),
 *		then m zigzag deltas of value * 10^k, exceptions as delta 0
 *	text	varint d, d times (varint length, bytes); then
 *		u8 0: all are entry 0; u8 1: runs (varint entry, varint
 *		length) up to m; u8 2: m varint entries
 *
 * int is for int32, int64 and timestamps; deltas wrap modulo 2^64.
 */

#include "config.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/base_limits.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/must.h"
#include "rows/rows_int.h"

enum { NULLS_NONE, NULLS_ALL, NULLS_BITMAP };
enum { MODE_SAME, MODE_EACH, MODE_OTHER };

/* A double is tried as a decimal with up to so many places. */
#define DECIMALS_MAX 6
/* Exceptions are worth it up to one in so many cells. */
#define EXCEPTION_SHARE 16

static const double power10[DECIMALS_MAX + 1] = { 1, 10, 100, 1e3, 1e4, 1e5,
    1e6 };

/* --- encoding ------------------------------------------------------------ */

static void
put_bitmap(struct buf *b, const uint8_t *bits, uint32_t n)
{
	uint8_t *p = buf_reserve(b, (n + 7) / 8);
	uint32_t i;

	if (p == NULL)
		return;
	memset(p, 0, (n + 7) / 8);
	for (i = 0; i < n; i++)
		p[i / 8] = (uint8_t)(p[i / 8] | (bits[i] & 1) << (i % 8));
	b->len += (n + 7) / 8;
}

/* The valid cells' rows, packed; m of them. */
static uint32_t
pack_valid(const struct rows_vec *v, uint32_t n, uint32_t *at)
{
	uint32_t i, m = 0;

	for (i = 0; i < n; i++) {
		at[m] = i;
		m += v->valid[i];
	}
	return (m);
}

static void
encode_bool(const struct rows_vec *v, const uint32_t *at, uint32_t m,
    uint8_t *tmp, struct buf *b)
{
	uint32_t i;

	for (i = 0; i < m; i++)
		tmp[i] = v->b[at[i]];
	put_bitmap(b, tmp, m);
}

static int64_t
int_at(const struct rows_vec *v, enum rows_type t, uint32_t i)
{

	return (t == ROWS_INT32 ? v->i32[i] : v->i64[i]);
}

static void
encode_int(const struct rows_vec *v, enum rows_type t, const uint32_t *at,
    uint32_t m, struct buf *b)
{
	int64_t first = int_at(v, t, at[0]), last = 0, x;
	uint32_t i;

	for (i = 1; i < m && int_at(v, t, at[i]) == first; i++)
		continue;
	if (i == m) {
		buf_u8(b, MODE_SAME);
		buf_zigzag(b, first);
		return;
	}
	buf_u8(b, MODE_EACH);
	for (i = 0; i < m; i++) {
		x = int_at(v, t, at[i]);
		buf_zigzag(b, (int64_t)((uint64_t)x - (uint64_t)last));
		last = x;
	}
}

static uint64_t
bits_of(double x)
{
	uint64_t u;

	memcpy(&u, &x, sizeof(u));
	return (u);
}

/* x == i / 10^k exactly, to the last bit. */
static bool
is_decimal(double x, unsigned k, int64_t *i)
{
	double scaled = x * power10[k];

	if (!(fabs(scaled) < 4503599627370496.0))
		return (false);
	*i = (int64_t)(scaled < 0 ? scaled - 0.5 : scaled + 0.5);
	return (bits_of((double)*i / power10[k]) == bits_of(x));
}

/* The fewest places that suit nearly all of a sample, or -1. */
static int
choose_places(const struct rows_vec *v, const uint32_t *at, uint32_t m)
{
	uint32_t i, step = m / 256 + 1, tried, bad;
	int64_t x;
	unsigned k;

	for (k = 0; k <= DECIMALS_MAX; k++) {
		bad = tried = 0;
		for (i = 0; i < m; i += step) {
			tried++;
			bad += !is_decimal(v->f64[at[i]], k, &x);
		}
		if (bad * EXCEPTION_SHARE <= tried)
			return ((int)k);
	}
	return (-1);
}

static bool
encode_decimal(const struct rows_vec *v, const uint32_t *at, uint32_t m,
    unsigned k, struct buf *b)
{
	uint32_t i, exceptions = 0;
	int64_t x, last = 0;

	for (i = 0; i < m; i++)
		exceptions += !is_decimal(v->f64[at[i]], k, &x);
	if (exceptions > m / EXCEPTION_SHARE + 1)
		return (false);
	buf_u8(b, MODE_OTHER);
	buf_u8(b, (uint8_t)k);
	buf_varint(b, exceptions);
	for (i = 0; i < m && exceptions > 0; i++) {
		if (is_decimal(v->f64[at[i]], k, &x))
			continue;
		buf_varint(b, i);
		buf_u64le(b, bits_of(v->f64[at[i]]));
		exceptions--;
	}
	for (i = 0; i < m; i++) {
		if (!is_decimal(v->f64[at[i]], k, &x))
			x = last;
		buf_zigzag(b, x - last);
		last = x;
	}
	return (true);
}

static void
encode_double(const struct rows_vec *v, const uint32_t *at, uint32_t m,
    struct buf *b)
{
	uint64_t first = bits_of(v->f64[at[0]]);
	uint32_t i;
	int k;

	for (i = 1; i < m && bits_of(v->f64[at[i]]) == first; i++)
		continue;
	if (i == m) {
		buf_u8(b, MODE_SAME);
		buf_u64le(b, first);
		return;
	}
	if ((k = choose_places(v, at, m)) >= 0 &&
	    encode_decimal(v, at, m, (unsigned)k, b))
		return;
	buf_u8(b, MODE_EACH);
	for (i = 0; i < m; i++)
		buf_u64le(b, bits_of(v->f64[at[i]]));
}

static void
encode_text(const struct rows_vec *v, const uint32_t *at, uint32_t m,
    struct buf *b)
{
	uint32_t *map, *order, i, n = 0, runs = 1, from;
	const char *s;
	size_t len;

	map = must_calloc((size_t)v->dict.n + 1, sizeof(map[0]));
	order = must_calloc((size_t)v->dict.n + 1, sizeof(order[0]));
	for (i = 0; i < m; i++) {
		if (map[v->code[at[i]]] == 0) {
			order[n++] = v->code[at[i]];
			map[v->code[at[i]]] = n;
		}
		if (i > 0 && v->code[at[i]] != v->code[at[i - 1]])
			runs++;
	}
	buf_varint(b, n);
	for (i = 0; i < n; i++) {
		s = rows_dict_str(&v->dict, order[i], &len);
		buf_varint(b, len);
		buf_put(b, s, len);
	}
	if (n == 1) {
		buf_u8(b, MODE_SAME);
	} else if (runs < m / 2) {
		buf_u8(b, MODE_EACH);
		for (i = 0; i < m;) {
			for (from = i; i < m && v->code[at[i]] ==
			    v->code[at[from]]; i++)
				continue;
			buf_varint(b, map[v->code[at[from]]] - 1);
			buf_varint(b, i - from);
		}
	} else {
		buf_u8(b, MODE_OTHER);
		for (i = 0; i < m; i++)
			buf_varint(b, map[v->code[at[i]]] - 1);
	}
	free(map);
	free(order);
}

void
rows_encode(const struct rows *r, struct buf *b)
{
	const struct rows_vec *v;
	enum rows_type t;
	uint32_t *at, c, m;
	uint8_t *tmp;

	buf_varint(b, r->n);
	at = must_calloc((size_t)r->n + 1, sizeof(at[0]));
	tmp = must_calloc((size_t)r->n + 1, 1);
	for (c = 0; c < r->schema->ncols; c++) {
		v = &r->v[c];
		t = r->schema->cols[c].type;
		m = pack_valid(v, r->n, at);
		if (m == 0) {
			buf_u8(b, NULLS_ALL);
			continue;
		}
		buf_u8(b, m == r->n ? NULLS_NONE : NULLS_BITMAP);
		if (m < r->n)
			put_bitmap(b, v->valid, r->n);
		if (t == ROWS_BOOL)
			encode_bool(v, at, m, tmp, b);
		else if (t == ROWS_DOUBLE)
			encode_double(v, at, m, b);
		else if (rows_is_text(t))
			encode_text(v, at, m, b);
		else
			encode_int(v, t, at, m, b);
	}
	free(at);
	free(tmp);
}

/* --- decoding ------------------------------------------------------------ */

static bool
get_bitmap(struct cur *c, uint8_t *bits, uint32_t n)
{
	const uint8_t *p = cur_bytes(c, (n + 7) / 8);
	uint32_t i;

	if (p == NULL)
		return (false);
	for (i = 0; i < n; i++)
		bits[i] = (p[i / 8] >> (i % 8)) & 1;
	return (true);
}

static bool
decode_bool(struct cur *c, struct rows_vec *v, const uint32_t *at,
    uint32_t m)
{
	const uint8_t *p = cur_bytes(c, (m + 7) / 8);
	uint32_t i;

	if (p == NULL)
		return (false);
	for (i = 0; i < m; i++)
		v->b[at[i]] = (p[i / 8] >> (i % 8)) & 1;
	return (true);
}

static bool
set_int(struct rows_vec *v, enum rows_type t, uint32_t i, int64_t x)
{

	if (t != ROWS_INT32) {
		v->i64[i] = x;
		return (true);
	}
	v->i32[i] = (int32_t)x;
	return (x >= INT32_MIN && x <= INT32_MAX);
}

static bool
decode_int(struct cur *c, struct rows_vec *v, enum rows_type t,
    const uint32_t *at, uint32_t m)
{
	uint8_t mode = cur_u8(c);
	uint64_t last = 0;
	uint32_t i;

	if (mode > MODE_EACH)
		return (false);
	if (mode == MODE_SAME)
		last = (uint64_t)cur_zigzag(c);
	for (i = 0; i < m && !c->bad; i++) {
		if (mode == MODE_EACH)
			last += (uint64_t)cur_zigzag(c);
		if (!set_int(v, t, at[i], (int64_t)last))
			return (false);
	}
	return (!c->bad);
}

static double
double_of(uint64_t u)
{
	double x;

	memcpy(&x, &u, sizeof(x));
	return (x);
}

static bool
decode_decimal(struct cur *c, struct rows_vec *v, const uint32_t *at,
    uint32_t m)
{
	uint8_t k = cur_u8(c);
	uint64_t n = cur_varint(c), index, i, last = 0;
	struct cur exceptions = *c;

	if (k > DECIMALS_MAX || n > m)
		return (false);
	for (i = 0; i < n && !c->bad; i++) {
		(void)cur_varint(c);
		(void)cur_u64le(c);
	}
	for (i = 0; i < m && !c->bad; i++) {
		last += (uint64_t)cur_zigzag(c);
		v->f64[at[i]] = (double)(int64_t)last / power10[k];
	}
	for (i = 0; i < n && !c->bad; i++) {
		index = cur_varint(&exceptions);
		if (index >= m)
			return (false);
		v->f64[at[index]] = double_of(cur_u64le(&exceptions));
	}
	return (!c->bad);
}

static bool
decode_double(struct cur *c, struct rows_vec *v, const uint32_t *at,
    uint32_t m)
{
	uint8_t mode = cur_u8(c);
	uint64_t u = 0;
	uint32_t i;

	if (mode == MODE_OTHER)
		return (decode_decimal(c, v, at, m));
	if (mode > MODE_OTHER)
		return (false);
	if (mode == MODE_SAME)
		u = cur_u64le(c);
	for (i = 0; i < m && !c->bad; i++) {
		if (mode == MODE_EACH)
			u = cur_u64le(c);
		v->f64[at[i]] = double_of(u);
	}
	return (!c->bad);
}

/* Entries become codes of the batch's dictionary. */
static uint32_t *
decode_dict(struct cur *c, struct rows *r, uint32_t col, uint32_t m,
    uint64_t *n)
{
	const uint8_t *p;
	uint32_t *code;
	uint64_t i, len;

	*n = cur_varint(c);
	if (c->bad || *n == 0 || *n > m || *n > cur_left(c))
		return (NULL);
	code = must_calloc((size_t)*n, sizeof(code[0]));
	for (i = 0; i < *n; i++) {
		len = cur_varint(c);
		if (c->bad || len > LIMIT_CELL_MAX ||
		    (p = cur_bytes(c, (size_t)len)) == NULL) {
			free(code);
			return (NULL);
		}
		code[i] = rows_intern(r, col, (const char *)p, (size_t)len);
	}
	return (code);
}

static bool
decode_text(struct cur *c, struct rows *r, uint32_t col, const uint32_t *at,
    uint32_t m)
{
	struct rows_vec *v = &r->v[col];
	uint64_t n, entry = 0, run = 0;
	uint32_t *code, i;
	uint8_t mode;
	bool ok = false;

	if ((code = decode_dict(c, r, col, m, &n)) == NULL)
		return (false);
	mode = cur_u8(c);
	if (mode > MODE_OTHER)
		goto out;
	for (i = 0; i < m; i++) {
		if (mode == MODE_OTHER) {
			entry = cur_varint(c);
		} else if (mode == MODE_EACH && run-- == 0) {
			entry = cur_varint(c);
			run = cur_varint(c);
			if (run == 0 || run > m - i)
				goto out;
			run--;
		}
		if (c->bad || entry >= n)
			goto out;
		v->code[at[i]] = code[entry];
	}
	ok = !c->bad && (mode != MODE_EACH || run == 0);
out:
	free(code);
	return (ok);
}

static bool
decode_column(struct cur *c, struct rows *r, uint32_t col, uint32_t n,
    uint32_t *at)
{
	struct rows_vec *v = &r->v[col];
	enum rows_type t = r->schema->cols[col].type;
	uint8_t nulls = cur_u8(c);
	uint32_t m;

	if (c->bad || nulls > NULLS_BITMAP)
		return (false);
	if (nulls != NULLS_NONE && r->schema->cols[col].required)
		return (false);
	memset(v->valid, nulls == NULLS_NONE, n);
	if (nulls == NULLS_ALL)
		return (true);
	if (nulls == NULLS_BITMAP && !get_bitmap(c, v->valid, n))
		return (false);
	if ((m = pack_valid(v, n, at)) == 0)
		return (false);
	if (t == ROWS_BOOL)
		return (decode_bool(c, v, at, m));
	if (t == ROWS_DOUBLE)
		return (decode_double(c, v, at, m));
	if (rows_is_text(t))
		return (decode_text(c, r, col, at, m));
	return (decode_int(c, v, t, at, m));
}

int
rows_decode(struct rows *r, struct cur *c, struct err *e)
{
	uint64_t n = cur_varint(c);
	uint32_t *at, col;
	bool ok = true;

	MUST(r->n == 0);
	if (c->bad || n > LIMIT_BLOCK_ROWS)
		return (err_set(e, ERR_CORRUPT, "rows: bad count"));
	if (n == 0)
		return (0);
	if (rows_reserve(r, (uint32_t)n) != 0)
		return (err_set(e, ERR_NOMEM, "no memory for %u rows",
		    (unsigned)n));
	at = must_calloc((size_t)n + 1, sizeof(at[0]));
	for (col = 0; ok && col < r->schema->ncols; col++)
		ok = decode_column(c, r, col, (uint32_t)n, at);
	free(at);
	if (!ok || c->bad) {
		rows_clear(r);
		return (err_set(e, ERR_CORRUPT, "rows: column %u does not "
		    "decode", col > 0 ? col - 1 : 0));
	}
	r->n = (uint32_t)n;
	return (0);
}
