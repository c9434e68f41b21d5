/*
 * Copying rows between batches. Text codes are translated through an array
 * a column, filled at first sight of each code.
 */

#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "base/must.h"
#include "rows/rows_int.h"

#define UNSEEN UINT32_MAX

struct remap {
	uint32_t *code;		/* [n] of `from` -> of `to`, or UNSEEN */
	uint32_t n;
};

struct rows_copier {
	struct rows *to;
	const struct rows *from;
	int *map;
	struct remap *remap;	/* by column of `to` */
};

struct rows_copier *
rows_copier_new(struct rows *to, const struct rows *from, const int *map)
{
	struct rows_copier *k;
	uint32_t c, n = to->schema->ncols;

	k = must_calloc(1, sizeof(*k));
	k->to = to;
	k->from = from;
	k->map = must_calloc(n, sizeof(k->map[0]));
	k->remap = must_calloc(n, sizeof(k->remap[0]));
	for (c = 0; c < n; c++) {
		k->map[c] = map != NULL ? map[c] : (int)c;
		if (k->map[c] < 0)
			continue;
		MUST((uint32_t)k->map[c] < from->schema->ncols);
		MUST(from->schema->cols[k->map[c]].type ==
		    to->schema->cols[c].type);
	}
	return (k);
}

void
rows_copier_free(struct rows_copier *k)
{
	uint32_t c;

	if (k == NULL)
		return;
	for (c = 0; c < k->to->schema->ncols; c++)
		free(k->remap[c].code);
	free(k->remap);
	free(k->map);
	free(k);
}

static uint32_t
translate(struct rows_copier *k, uint32_t c, const struct rows_dict *d,
    uint32_t code)
{
	struct remap *m = &k->remap[c];
	const char *s;
	size_t len;

	if (code >= m->n) {		/* the dictionary has grown */
		m->code = must_realloc(m->code, d->n, sizeof(m->code[0]));
		memset(m->code + m->n, 0xff, (d->n - m->n) *
		    sizeof(m->code[0]));
		m->n = d->n;
	}
	if (m->code[code] == UNSEEN) {
		s = rows_dict_str(d, code, &len);
		m->code[code] = rows_intern(k->to, c, s, len);
	}
	return (m->code[code]);
}

void
rows_copier_row(struct rows_copier *k, uint32_t i)
{
	struct rows *to = k->to;
	const struct rows_vec *v;
	uint32_t c, at = rows_add(to);

	for (c = 0; c < to->schema->ncols; c++) {
		if (k->map[c] < 0)
			continue;
		v = &k->from->v[k->map[c]];
		if (!v->valid[i])
			continue;
		to->v[c].valid[at] = 1;
		switch (to->schema->cols[c].type) {
		case ROWS_BOOL:
			to->v[c].b[at] = v->b[i];
			break;
		case ROWS_INT32:
			to->v[c].i32[at] = v->i32[i];
			break;
		case ROWS_STRING:
		case ROWS_LIST:
			to->v[c].code[at] = translate(k, c, &v->dict,
			    v->code[i]);
			break;
		default:
			to->v[c].i64[at] = v->i64[i];
			break;
		}
	}
}
