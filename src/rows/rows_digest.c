/*
 * The digest of a range of rows: column by column into a hash a row, which
 * are then summed up. A sum, because ranges are cut and joined; what makes a
 * row different in another place is in its cells (time, ordinal).
 *
 * Runs for what is read again, not for history: some 100 ns a row.
 */

#include "config.h"

#include <string.h>

#include "base/hash.h"
#include "rows/rows_int.h"

#define STRIPE 256		/* rows at a time: they stay in the cache */
#define NULL_CELL 0x6e756c6cu

static uint64_t
cell(const struct rows_vec *v, enum rows_type type, uint32_t i)
{
	uint64_t bits = 0;

	switch (type) {
	case ROWS_BOOL:
		return (v->b[i] != 0);
	case ROWS_INT32:
		return ((uint64_t)v->i32[i]);
	case ROWS_DOUBLE:
		/* NaN is NaN, whatever its bits */
		if (v->f64[i] == v->f64[i])
			memcpy(&bits, &v->f64[i], sizeof(bits));
		else
			bits = UINT64_MAX;
		return (bits);
	default:
		return ((uint64_t)v->i64[i]);
	}
}

static void
mix_text(uint64_t *h, const struct rows_vec *v, uint32_t from, uint32_t n)
{
	uint32_t i, code, last = UINT32_MAX;
	uint64_t x = 0;
	const char *s;
	size_t len;

	for (i = 0; i < n; i++) {
		if (!v->valid[from + i]) {
			h[i] = hash_mix(h[i] ^ NULL_CELL);
			continue;
		}
		code = v->code[from + i];
		if (code != last) {
			s = rows_dict_str(&v->dict, code, &len);
			x = hash64(s, len, 1);
			last = code;
		}
		h[i] = hash_mix(h[i] ^ x);
	}
}

static void
mix_cells(uint64_t *h, const struct rows_vec *v, enum rows_type type,
    uint32_t from, uint32_t n)
{
	uint32_t i;

	for (i = 0; i < n; i++)
		if (v->valid[from + i])
			/* twice: a number must not look like a null */
			h[i] = hash_mix(hash_mix(h[i]) ^
			    cell(v, type, from + i));
		else
			h[i] = hash_mix(h[i] ^ NULL_CELL);
}

uint64_t
rows_digest(const struct rows *r, uint32_t from, uint32_t n)
{
	uint64_t h[STRIPE], sum = 0;
	enum rows_type type;
	uint32_t c, i, k;

	MUST(from <= r->n && n <= r->n - from);
	for (; n > 0; from += k, n -= k) {
		k = n < STRIPE ? n : STRIPE;
		for (i = 0; i < k; i++)
			h[i] = 1;
		for (c = 0; c < r->schema->ncols; c++) {
			type = r->schema->cols[c].type;
			if (type == ROWS_STRING || type == ROWS_LIST)
				mix_text(h, &r->v[c], from, k);
			else
				mix_cells(h, &r->v[c], type, from, k);
		}
		for (i = 0; i < k; i++)
			sum += h[i];
	}
	return (sum);
}
