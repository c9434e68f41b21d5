/*
 * Bytes to batches. Whatever the bytes are, the result is a batch that
 * rows_check() would pass, or ERR_CORRUPT and an empty one: every count is
 * checked against the rows and the bytes that are there, every code against
 * its dictionary, booleans come out of bits, required columns hold no null.
 * Cells are decoded side by side, then spread over the nulls from the end.
 *
 * A column that is not wanted is looked at by the same rules: what cannot
 * fail (arithmetic, moving cells) is left out, what can is done.
 */

#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "base/base_limits.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/must.h"
#include "rows/rows_int.h"

/* --- nulls and bools ----------------------------------------------------- */

static bool
get_bitmap(struct cur *c, uint8_t *x, uint32_t n)
{
	const uint8_t *p = cur_bytes(c, (n + 7) / 8);
	uint32_t i;

	if (p == NULL)
		return (false);
	for (i = 0; i + 8 <= n; i += 8)
		rows_store8(x + i, rows_unpack8(p[i / 8]));
	for (; i < n; i++)
		x[i] = (p[i / 8] >> (i % 8)) & 1;
	return (true);
}

/* Bits that are set among the first n; false: there are not so many. */
static bool
count_bitmap(struct cur *c, uint32_t n, uint32_t *m)
{
	const uint8_t *p = cur_bytes(c, (n + 7) / 8);
	uint32_t i;

	*m = 0;
	if (p == NULL)
		return (false);
	for (i = 0; i < n / 8; i++)
		*m += (uint32_t)__builtin_popcount(p[i]);
	if (n % 8 > 0)
		*m += (uint32_t)__builtin_popcount(p[i] &
		    ((1u << n % 8) - 1));
	return (true);
}

static uint32_t
count(const uint8_t *valid, uint32_t n)
{
	uint32_t i, m = 0;

	for (i = 0; i < n; i++)
		m += valid[i];
	return (m);
}

/* Without a branch a cell: a null takes along what stands there. Row i is
 * never before cell m - 1, so nothing is lost that is still to be moved. */
#define SPREAD(type) do {						\
	type *x = v->data;						\
									\
	for (i = n; i-- > 0 && m > 0; m -= v->valid[i])			\
		x[i] = x[m - 1];					\
} while (0)

/* The m cells at the front go to the n rows they belong to. */
static void
spread_valid(struct rows_vec *v, enum rows_type t, uint32_t m, uint32_t n)
{
	uint32_t i;

	switch (rows_width(t)) {
	case 1:
		SPREAD(uint8_t);
		break;
	case 4:
		SPREAD(uint32_t);
		break;
	default:
		SPREAD(uint64_t);
		break;
	}
}

static bool
decode_bools(struct cur *c, uint8_t *x, uint32_t m)
{
	uint8_t form = cur_u8(c);

	if (form == BOOLS_BITMAP)
		return (get_bitmap(c, x, m));
	memset(x, form == BOOLS_TRUE, m);
	return (!c->bad && (form == BOOLS_TRUE || form == BOOLS_FALSE));
}

/* --- doubles ------------------------------------------------------------- */

static double
double_of(uint64_t u)
{
	double x;

	memcpy(&x, &u, sizeof(x));
	return (x);
}

/* What stands before the integers of a part. The exceptions are passed: how
 * many cells there are is told behind them. */
static bool
get_kind(struct cur *c, uint8_t *kind, struct cur *rare)
{
	uint64_t n, i;

	*kind = cur_u8(c);
	if (c->bad || *kind > KIND_RAW)
		return (false);
	*rare = *c;
	if (*kind > DECIMALS_MAX)
		return (true);
	n = cur_varint(c);
	for (i = 0; i < n && !c->bad; i++) {
		(void)cur_varint(c);
		(void)cur_u64le(c);
	}
	return (!c->bad);
}

static bool
put_exceptions(struct cur *rare, double *x, uint32_t m)
{
	uint64_t n = cur_varint(rare), at;

	if (n > m)
		return (false);
	for (; n > 0; n--) {
		if ((at = cur_varint(rare)) >= m)
			return (false);
		if (x != NULL)
			x[at] = double_of(cur_u64le(rare));
		else
			(void)cur_u64le(rare);
	}
	return (true);
}

static void
doubles_of(const int64_t *ints, uint32_t m, uint8_t kind, double *x)
{
	uint32_t i, u;
	float f;

	switch (kind) {
	case KIND_RAW:
		for (i = 0; i < m; i++)
			x[i] = double_of((uint64_t)ints[i]);
		break;
	case KIND_FLOAT:
		for (i = 0; i < m; i++) {
			u = (uint32_t)ints[i];
			memcpy(&f, &u, sizeof(f));
			x[i] = f;
		}
		break;
	default:
		for (i = 0; i < m; i++)
			x[i] = rows_decimal(ints[i], kind);
		break;
	}
}

static bool
find_doubles(struct cur *c, uint32_t m, struct rows_planes *f)
{
	struct cur rare;
	uint32_t at, n;
	uint8_t kind;

	for (at = 0; at < m; at += n)
		if (!get_kind(c, &kind, &rare) ||
		    !rows_part_measure(c, m - at, f, &n) ||
		    (kind <= DECIMALS_MAX && !put_exceptions(&rare, NULL, n)))
			return (false);
	return (rows_planes_find(c, f));
}

static bool
decode_doubles(struct cur *c, double *x, uint32_t m, int64_t *ints)
{
	struct rows_planes f = { .base = 0 };
	uint8_t form = cur_u8(c), kind;
	struct cur parts = *c, rare;
	uint32_t i, n;
	double same;

	if (form == DOUBLES_PARTS) {
		if (!find_doubles(c, m, &f))
			return (false);
		for (i = 0; i < m; i += n) {
			(void)get_kind(&parts, &kind, &rare);
			rows_part_decode(&parts, &f, ints, &n);
			doubles_of(ints, n, kind, x + i);
			if (kind <= DECIMALS_MAX)
				(void)put_exceptions(&rare, x + i, n);
		}
		return (true);
	}
	same = double_of(cur_u64le(c));
	if (c->bad || form != DOUBLES_SAME)
		return (false);
	for (i = 0; i < m; i++)
		x[i] = same;
	return (true);
}

/* --- integers and text --------------------------------------------------- */

static bool
decode_int32s(struct cur *c, int32_t *x, uint32_t m, int64_t *ints)
{
	uint32_t i;

	if (!rows_ints_decode(c, ints, m))
		return (false);
	for (i = 0; i < m; i++) {
		if (ints[i] < INT32_MIN || ints[i] > INT32_MAX)
			return (false);
		x[i] = (int32_t)ints[i];
	}
	return (true);
}

/* Codes of the n entries that follow, now in the column's dictionary. */
static bool
get_entries(struct cur *c, struct rows *r, uint32_t col, uint32_t n,
    int64_t *ints, uint32_t *entry)
{
	const uint8_t *p;
	uint32_t i;

	if (!rows_ints_decode(c, ints, n))
		return (false);
	for (i = 0; i < n; i++) {
		if (ints[i] < 0 || ints[i] > LIMIT_CELL_MAX ||
		    (p = cur_bytes(c, (size_t)ints[i])) == NULL)
			return (false);
		entry[i] = rows_intern(r, col, (const char *)p,
		    (size_t)ints[i]);
	}
	return (true);
}

/* The runs' entries wait at the end of the cells: a row is kept for each
 * run still to come, so that writing never reaches what is not yet read. */
static bool
get_runs(struct cur *c, uint32_t *code, uint32_t m, int64_t *ints,
    const uint32_t *entry, uint32_t n)
{
	uint64_t runs = cur_varint(c);
	uint32_t i, of_run, *waiting;
	int64_t left = m, length;

	if (c->bad || runs == 0 || runs > m ||
	    !rows_ints_decode(c, ints, (uint32_t)runs))
		return (false);
	waiting = code + (m - runs);
	for (i = 0; i < runs; i++) {
		if (ints[i] < 0 || ints[i] >= n)
			return (false);
		waiting[i] = entry[ints[i]];
	}
	if (!rows_ints_decode(c, ints, (uint32_t)runs))
		return (false);
	for (i = 0; i < runs; i++) {
		length = ints[i];
		if (length < 1 || length > left - ((int64_t)runs - 1 - i))
			return (false);
		left -= length;
		for (of_run = waiting[i]; length > 0; length--)
			*code++ = of_run;
	}
	return (left == 0);
}

static bool
get_codes(struct cur *c, uint32_t *code, uint32_t m, int64_t *ints,
    const uint32_t *entry, uint32_t n)
{
	uint32_t i;

	if (!rows_ints_decode(c, ints, m))
		return (false);
	for (i = 0; i < m; i++) {
		if (ints[i] < 0 || ints[i] >= n)
			return (false);
		code[i] = entry[ints[i]];
	}
	return (true);
}

static bool
decode_texts(struct cur *c, struct rows *r, uint32_t col, uint32_t m,
    int64_t *ints)
{
	uint32_t *code = r->v[col].code, *entry, i;
	uint64_t n = cur_varint(c);
	bool ok = false;

	if (c->bad || n == 0 || n > m)
		return (false);
	entry = must_calloc((size_t)n, sizeof(entry[0]));
	if (!get_entries(c, r, col, (uint32_t)n, ints, entry))
		goto out;
	switch (cur_u8(c)) {
	case TEXTS_SAME:
		for (i = 0; i < m; i++)
			code[i] = entry[0];
		ok = !c->bad;
		break;
	case TEXTS_RUNS:
		ok = get_runs(c, code, m, ints, entry, (uint32_t)n);
		break;
	case TEXTS_EACH:
		ok = get_codes(c, code, m, ints, entry, (uint32_t)n);
		break;
	}
out:
	free(entry);
	return (ok);
}

static bool
decode_cells(struct cur *c, struct rows *r, uint32_t col, uint32_t m,
    int64_t *ints)
{
	struct rows_vec *v = &r->v[col];

	switch (r->schema->cols[col].type) {
	case ROWS_BOOL:
		return (decode_bools(c, v->b, m));
	case ROWS_INT32:
		return (decode_int32s(c, v->i32, m, ints));
	case ROWS_INT64:
	case ROWS_TICKS:
		return (rows_ints_decode(c, v->i64, m));
	case ROWS_DOUBLE:
		return (decode_doubles(c, v->f64, m, ints));
	case ROWS_STRING:
	case ROWS_LIST:
		return (decode_texts(c, r, col, m, ints));
	}
	return (false);
}

/* --- what is not wanted -------------------------------------------------- */

static bool
pass_bools(struct cur *c, uint32_t m)
{
	uint8_t form = cur_u8(c);

	if (form == BOOLS_BITMAP)
		return (cur_bytes(c, (m + 7) / 8) != NULL);
	return (!c->bad && (form == BOOLS_TRUE || form == BOOLS_FALSE));
}

static bool
pass_doubles(struct cur *c, uint32_t m)
{
	struct rows_planes f = { .base = 0 };
	uint8_t form = cur_u8(c);

	if (form == DOUBLES_PARTS)
		return (find_doubles(c, m, &f));
	(void)cur_u64le(c);
	return (!c->bad && form == DOUBLES_SAME);
}

/* Of the types not here each cell can be wrong. */
static bool
pass_cells(struct cur *c, struct rows *r, uint32_t col, uint32_t m,
    int64_t *ints)
{

	switch (r->schema->cols[col].type) {
	case ROWS_BOOL:
		return (pass_bools(c, m));
	case ROWS_INT64:
	case ROWS_TICKS:
		return (rows_ints_pass(c, m));
	case ROWS_DOUBLE:
		return (pass_doubles(c, m));
	default:
		return (decode_cells(c, r, col, m, ints));
	}
}

static bool
pass_column(struct cur *c, struct rows *r, uint32_t col, uint32_t n,
    int64_t *ints)
{
	uint8_t nulls = cur_u8(c);
	uint32_t m = n;

	if (c->bad || nulls > NULLS_BITMAP ||
	    (nulls != NULLS_NONE && r->schema->cols[col].required))
		return (false);
	memset(r->v[col].valid, 0, n);
	if (nulls == NULLS_ALL)
		return (true);
	if (nulls == NULLS_BITMAP && (!count_bitmap(c, n, &m) || m == 0))
		return (false);
	return (pass_cells(c, r, col, m, ints));
}

/* --- batches ------------------------------------------------------------- */

static bool
decode_column(struct cur *c, struct rows *r, uint32_t col, uint32_t n,
    int64_t *ints)
{
	const struct rows_col *k = &r->schema->cols[col];
	struct rows_vec *v = &r->v[col];
	uint8_t nulls = cur_u8(c);
	uint32_t m = n;

	if (c->bad || nulls > NULLS_BITMAP ||
	    (nulls != NULLS_NONE && k->required))
		return (false);
	memset(v->valid, nulls == NULLS_NONE, n);
	if (nulls == NULLS_ALL)
		return (true);
	if (nulls == NULLS_BITMAP) {
		if (!get_bitmap(c, v->valid, n) ||
		    (m = count(v->valid, n)) == 0)
			return (false);
	}
	if (!decode_cells(c, r, col, m, ints))
		return (false);
	if (m < n)
		spread_valid(v, k->type, m, n);
	return (true);
}

int
rows_decode(struct rows *r, struct cur *c, struct err *e)
{

	return (rows_decode_only(r, c, NULL, e));
}

int
rows_decode_only(struct rows *r, struct cur *c, const bool *wanted,
    struct err *e)
{
	uint64_t n = cur_varint(c);
	int64_t *ints;
	uint32_t col;
	int rc = 0;

	MUST(r->n == 0);
	if (c->bad || n > LIMIT_BLOCK_ROWS)
		return (err_set(e, ERR_CORRUPT, "rows: bad count"));
	if (n == 0)
		return (0);
	if (rows_reserve(r, (uint32_t)n) != 0 ||
	    (ints = calloc((size_t)n, sizeof(ints[0]))) == NULL)
		return (err_set(e, ERR_NOMEM, "no memory for %u rows",
		    (unsigned)n));
	for (col = 0; rc == 0 && col < r->schema->ncols; col++)
		if (!(wanted == NULL || wanted[col] ? decode_column :
		    pass_column)(c, r, col, (uint32_t)n, ints))
			rc = err_set(e, ERR_CORRUPT, "rows: column %s does "
			    "not decode", r->schema->cols[col].name);
	free(ints);
	if (rc != 0)
		rows_clear(r);
	else
		r->n = (uint32_t)n;
	return (rc);
}
