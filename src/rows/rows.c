/*
 * Batches: columns of equal length that grow together. Arrays double; a new
 * row is all null until its cells are set.
 */

#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/must.h"
#include "rows/rows_int.h"

/* More rows than any batch of ours has; keeps sizes far from overflow. */
#define ROWS_MAX (1u << 28)

struct rows *
rows_new(const struct rows_schema *s)
{
	struct rows *r;
	uint32_t c;

	r = must_calloc(1, sizeof(*r));
	r->schema = s;
	r->v = must_calloc(s->ncols, sizeof(r->v[0]));
	for (c = 0; c < s->ncols; c++)
		rows_dict_init(&r->v[c].dict);
	return (r);
}

void
rows_free(struct rows *r)
{
	uint32_t c;

	if (r == NULL)
		return;
	for (c = 0; c < r->schema->ncols; c++) {
		free(r->v[c].data);
		free(r->v[c].valid);
		rows_dict_fini(&r->v[c].dict);
	}
	free(r->v);
	free(r);
}

void
rows_clear(struct rows *r)
{
	uint32_t c;

	r->n = 0;
	for (c = 0; c < r->schema->ncols; c++)
		rows_dict_clear(&r->v[c].dict);
}

size_t
rows_bytes(const struct rows *r)
{
	size_t sum = 0;
	uint32_t c;

	for (c = 0; c < r->schema->ncols; c++)
		sum += (rows_width(r->schema->cols[c].type) + 1) * r->cap +
		    rows_dict_bytes(&r->v[c].dict);
	return (sum);
}

int
rows_reserve(struct rows *r, uint32_t n)
{
	uint32_t c, cap = r->cap;
	size_t w;
	void *p;

	if (n <= r->cap - r->n)
		return (0);
	if (n > ROWS_MAX - r->n)
		return (ERR_LIMIT);
	while (cap < r->n + n)
		cap = cap == 0 ? 256 : cap * 2;
	for (c = 0; c < r->schema->ncols; c++) {
		w = rows_width(r->schema->cols[c].type);
		if ((p = realloc(r->v[c].data, w * cap)) == NULL)
			return (ERR_NOMEM);
		r->v[c].data = p;
		if ((p = realloc(r->v[c].valid, cap)) == NULL)
			return (ERR_NOMEM);
		r->v[c].valid = p;
	}
	r->cap = cap;
	return (0);
}

uint32_t
rows_add(struct rows *r)
{
	uint32_t c, i = r->n;

	if (i == r->cap && rows_reserve(r, 1) != 0)
		must_no_memory();
	for (c = 0; c < r->schema->ncols; c++)
		r->v[c].valid[i] = 0;
	r->n++;
	return (i);
}

void
rows_truncate(struct rows *r, uint32_t n)
{

	MUST(n <= r->n);
	r->n = n;
}

void
rows_part(const struct rows *r, uint32_t from, uint32_t n, struct rows *part,
    struct rows_vec *v)
{
	uint32_t c;

	MUST(from <= r->n && n <= r->n - from);
	for (c = 0; c < r->schema->ncols; c++) {
		v[c] = r->v[c];
		v[c].b += from * rows_width(r->schema->cols[c].type);
		v[c].valid += from;
	}
	*part = (struct rows){ .schema = r->schema, .n = n, .cap = n,
	    .v = v };
}

void
rows_drop(struct rows *r, uint32_t from, uint32_t n)
{
	uint32_t c, behind;
	size_t w;

	MUST(from <= r->n && n <= r->n - from);
	behind = r->n - from - n;
	for (c = 0; n > 0 && c < r->schema->ncols; c++) {
		w = rows_width(r->schema->cols[c].type);
		memmove(r->v[c].b + from * w, r->v[c].b + (from + n) * w,
		    behind * w);
		memmove(r->v[c].valid + from, r->v[c].valid + from + n,
		    behind);
	}
	r->n -= n;
}

void
rows_copy_cell(struct rows *r, uint32_t c, uint32_t from, uint32_t to)
{
	struct rows_vec *v = &r->v[c];
	size_t w = rows_width(r->schema->cols[c].type);

	if (!v->valid[from])
		return;
	memcpy(v->b + to * w, v->b + from * w, w);
	v->valid[to] = 1;
}

uint32_t
rows_intern(struct rows *r, uint32_t c, const char *s, size_t len)
{

	return (rows_dict_intern(&r->v[c].dict, s, len));
}

void
rows_set_str(struct rows *r, uint32_t c, uint32_t i, const char *s,
    size_t len)
{

	rows_set_code(r, c, i, rows_intern(r, c, s, len));
}

void
rows_check(const struct rows *r)
{
	const struct rows_vec *v;
	uint32_t c, i;

	MUST(r->n <= r->cap);
	for (c = 0; c < r->schema->ncols; c++) {
		v = &r->v[c];
		for (i = 0; i < r->n; i++) {
			MUST(v->valid[i] <= 1);
			if (!v->valid[i]) {
				MUST(!r->schema->cols[c].required);
				continue;
			}
			if (r->schema->cols[c].type == ROWS_BOOL)
				MUST(v->b[i] <= 1);
			if (rows_is_text(r->schema->cols[c].type))
				MUST(v->code[i] < v->dict.n);
		}
	}
}
