/*
 * Spans of rows from one batch to another: a column is a memcpy, a text
 * column a look-up a cell. A page's rows stay together when they are sorted
 * and merged, so spans are long, and this is several times faster than row
 * by row. The code maps are not wiped when a batch is cleared: an entry
 * counts only in the epoch it was made in.
 */

#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/must.h"
#include "compact/compact_int.h"

void
compact_copy_init(struct compact_copy *y, uint32_t ncols)
{

	y->ncols = ncols;
	y->epoch = 1;
	y->codes = must_calloc(ncols, sizeof(y->codes[0]));
	y->cap = must_calloc(ncols, sizeof(y->cap[0]));
}

void
compact_copy_fini(struct compact_copy *y)
{
	uint32_t c;

	for (c = 0; c < y->ncols; c++)
		free(y->codes[c]);
	free(y->codes);
	free(y->cap);
	memset(y, 0, sizeof(*y));
}

void
compact_copy_reset(struct compact_copy *y)
{
	uint32_t c;

	if (++y->epoch != 0)
		return;
	for (c = 0; c < y->ncols; c++)
		if (y->cap[c] > 0)
			memset(y->codes[c], 0,
			    y->cap[c] * sizeof(y->codes[c][0]));
	y->epoch = 1;
}

static struct compact_code *
codes_for(struct compact_copy *y, uint32_t c, uint32_t n)
{
	uint32_t cap = y->cap[c];

	if (n > cap) {
		n += n / 2 + 64;
		y->codes[c] = must_realloc(y->codes[c], n,
		    sizeof(y->codes[c][0]));
		memset(y->codes[c] + cap, 0,
		    (n - cap) * sizeof(y->codes[c][0]));
		y->cap[c] = n;
	}
	return (y->codes[c]);
}

static void
copy_text(struct compact_copy *y, struct rows *to, uint32_t c, uint32_t at,
    const struct rows_vec *from, uint32_t i, uint32_t n)
{
	struct compact_code *m = codes_for(y, c, from->dict.n);
	uint32_t *out = to->v[c].code + at;
	uint32_t k, code;
	const char *s;
	size_t len;

	for (k = 0; k < n; k++) {
		if (!from->valid[i + k]) {
			out[k] = 0;
			continue;
		}
		code = from->code[i + k];
		if (m[code].epoch != y->epoch) {
			s = rows_dict_str(&from->dict, code, &len);
			m[code].code = rows_intern(to, c, s, len);
			m[code].epoch = y->epoch;
		}
		out[k] = m[code].code;
	}
}

int
compact_copy_rows(struct compact_copy *y, struct rows *to,
    const struct rows *from, const int *map, uint32_t i, uint32_t n,
    struct err *e)
{
	const struct rows_vec *v;
	uint32_t c, at;
	enum rows_type type;
	size_t w;
	int col, rc;

	MUST(n <= from->n && i <= from->n - n);
	if ((rc = rows_reserve(to, n)) != 0)
		return (err_set(e, rc, "no room for %u rows more", n));
	at = to->n;
	for (c = 0; c < to->schema->ncols; c++) {
		type = to->schema->cols[c].type;
		w = rows_width(type);
		col = map == NULL ? (int)c : map[c];
		if (col < 0) {
			memset((char *)to->v[c].data + at * w, 0, n * w);
			memset(to->v[c].valid + at, 0, n);
			continue;
		}
		v = &from->v[col];
		memcpy(to->v[c].valid + at, v->valid + i, n);
		if (type == ROWS_STRING || type == ROWS_LIST)
			copy_text(y, to, c, at, v, i, n);
		else
			memcpy((char *)to->v[c].data + at * w,
			    (const char *)v->data + i * w, n * w);
	}
	to->n = at + n;
	return (0);
}
