/*
 * Lists: a page of items into rows, one each, or one for each member of a
 * part of an item (`each`). An answer is taken whole or not at all: an error
 * inside it, an item that is none or lacks what is required, and its rows
 * are gone again.
 *
 * Parents known by their path only are found after the last page, when all
 * paths are there: by the codes of the path column's dictionary.
 */

#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "base/base_limits.h"
#include "base/hash.h"
#include "base/must.h"
#include "base/text.h"
#include "base/ticks.h"
#include "source/source_int.h"

struct page {
	const struct source_table *table;
	const struct source_plan *plan;
	const struct source_walk *walk;
	struct rows *rows;
	struct buf scratch;
	struct err *err;
	uint32_t index;			/* of the item in the page */
};

/* --- one row -------------------------------------------------------------- */

static int
set_text(struct page *g, uint32_t col, uint32_t row, const char *s)
{

	if (s == NULL)
		return (0);
	return (source_cell_text(g->rows, col, row, s, strlen(s)));
}

static int
set_from(struct page *g, const struct source_column *c,
    const struct source_from *f, uint32_t col, uint32_t row,
    yyjson_val *item, yyjson_val *key, yyjson_val *value)
{
	const struct source_walk *w = g->walk;
	uint32_t position;

	switch (f->origin) {
	case FROM_ITEM:
		return (source_cell_set(c, g->rows, col, row,
		    source_path_get(&f->path, item), &g->scratch));
	case FROM_VALUE:
		return (source_cell_set(c, g->rows, col, row, value,
		    &g->scratch));
	case FROM_KEY:
		return (key != NULL ? set_text(g, col, row,
		    yyjson_get_str(key)) : 0);
	case FROM_PARENT:
		return (set_text(g, col, row, w->parent));
	case FROM_PARENT_NAME:
		return (set_text(g, col, row, w->parent_name));
	case FROM_PARENT_KIND:
		return (set_text(g, col, row, w->parent_kind));
	case FROM_CONSTANT:
		return (set_text(g, col, row, f->text));
	case FROM_INDEX:
		position = w->start + g->index;
		rows_set_i64(g->rows, col, row, position);
		return (0);
	default:
		return (0);
	}
}

static int
check_required(struct page *g, uint32_t row)
{
	const struct source_plan *p = g->plan;
	const struct rows_schema *s = g->table->schema;

	for (uint32_t i = 0; i < s->ncols; i++)
		if (p->columns[i].required && rows_null(g->rows, i, row) &&
		    p->columns[i].as != AS_PARENT_BY_PATH)
			return (err_set(g->err, ERR_ANSWER,
			    "item %u of the answer has no %s", g->index,
			    s->cols[i].name));
	return (0);
}

static int
add_row(struct page *g, yyjson_val *item, yyjson_val *key, yyjson_val *value)
{
	const struct source_plan *p = g->plan;
	const struct source_request *q = &p->requests[g->walk->request];
	const struct source_column *c;
	uint32_t row = rows_add(g->rows);
	int rc = 0;

	for (uint32_t i = 0; i < g->table->schema->ncols; i++) {
		c = &p->columns[i];
		for (uint32_t k = 0; k < c->nfrom && rc == 0; k++) {
			rc = set_from(g, c, &c->from[k], i, row, item, key,
			    value);
			if (!rows_null(g->rows, i, row))
				break;
		}
	}
	for (uint32_t i = 0; i < q->nset && rc == 0; i++)
		rc = set_text(g, q->set[i].column, row, q->set[i].text);
	if (rc != 0)
		return (err_set(g->err, ERR_LIMIT,
		    "item %u of the answer has a text beyond %u bytes",
		    g->index, LIMIT_CELL_MAX));
	return (check_required(g, row));
}

/* --- one item ------------------------------------------------------------- */

static int
add_each(struct page *g, yyjson_val *item)
{
	yyjson_val *part = source_path_get(&g->plan->each, item), *k;
	yyjson_obj_iter members;
	yyjson_arr_iter list;
	int rc = 0;

	if (!yyjson_is_ctn(part))
		return (0);
	if ((rc = rows_reserve(g->rows, (uint32_t)yyjson_get_len(part))) != 0)
		return (err_set(g->err, rc, "too many rows in one batch"));
	if (yyjson_is_obj(part)) {
		yyjson_obj_iter_init(part, &members);
		while (rc == 0 && (k = yyjson_obj_iter_next(&members)) != NULL)
			rc = add_row(g, item, k, yyjson_obj_iter_get_val(k));
	} else {
		yyjson_arr_iter_init(part, &list);
		while (rc == 0 && (k = yyjson_arr_iter_next(&list)) != NULL)
			rc = add_row(g, item, NULL, k);
	}
	return (rc);
}

/* Compared as text: true, 12 and "None" look as they are written. */
static bool
is_wanted(struct page *g, yyjson_val *item)
{
	const struct source_plan *p = g->plan;
	yyjson_val *v;

	for (uint32_t i = 0; i < p->nwhere; i++) {
		if ((v = source_path_get(&p->where[i].path, item)) == NULL)
			return (false);
		if (yyjson_is_str(v)) {
			if (!yyjson_equals_str(v, p->where[i].text))
				return (false);
			continue;
		}
		buf_clear(&g->scratch);
		if (json_put_val(&g->scratch, v) != 0 ||
		    strcmp(buf_str(&g->scratch), p->where[i].text) != 0)
			return (false);
	}
	return (true);
}

static int
add_item(struct page *g, yyjson_val *item)
{
	const struct source_plan *p = g->plan;
	int rc;

	if (!yyjson_is_obj(item))
		return (err_set(g->err, ERR_ANSWER,
		    "item %u of the answer is no object", g->index));
	if ((rc = source_failed(item, g->err)) != 0) {
		(void)err_wrap(g->err, "item %u", g->index);
		return (rc);
	}
	if (p->nwhere > 0 && !is_wanted(g, item))
		return (0);
	if (p->has_each)
		return (add_each(g, item));
	return (add_row(g, item, NULL, NULL));
}

/* --- one page ------------------------------------------------------------- */

static int
no_items(yyjson_val *root, const char *path, struct err *e)
{
	const char *text = json_str(root, "Message");
	struct buf b;
	int rc;

	buf_init(&b, 1 << 16);
	if (text != NULL) {
		buf_puts(&b, ": ");
		text_escape(&b, text, strlen(text), 400);
	}
	rc = err_set(e, ERR_ANSWER, "no list `%s` in the answer%s", path,
	    buf_str(&b));
	buf_fini(&b);
	return (rc);
}

static int
add_items(struct page *g, yyjson_val *root, uint32_t *count)
{
	const struct source_path *path = &g->plan->items;
	yyjson_val *items = source_path_get(path, root), *item;
	yyjson_arr_iter it;
	int rc;

	if (path->n == 0 && yyjson_is_obj(root)) {	/* itself the item */
		*count = 1;
		return (add_item(g, root));
	}
	if (items != NULL && yyjson_is_null(items))
		return (0);
	if (!yyjson_is_arr(items))
		return (no_items(root, path->text, g->err));
	*count = (uint32_t)yyjson_arr_size(items);
	if ((rc = rows_reserve(g->rows, *count)) != 0)
		return (err_set(g->err, rc, "too many rows in one batch"));
	yyjson_arr_iter_init(items, &it);
	for (; rc == 0 && (item = yyjson_arr_iter_next(&it)) != NULL;
	    g->index++)
		rc = add_item(g, item);
	return (rc);
}

int
source_walk_decode(const struct source_table *t, const struct source_walk *w,
    char *body, size_t len, struct rows *rows, uint32_t *items,
    struct err *e)
{
	struct page g = { .table = t, .plan = t->plan, .walk = w,
		.rows = rows, .err = e };
	uint32_t before = rows->n;
	yyjson_doc *doc;
	int rc;

	MUST(t->kind != SOURCE_SERIES);
	MUST(w->request < t->nrequests);
	*items = 0;
	if ((rc = source_parse(body, len, &doc, e)) != 0)
		return (rc);
	buf_init(&g.scratch, LIMIT_BODY_MAX);
	rc = source_failed(yyjson_doc_get_root(doc), e);
	if (rc == 0)
		rc = add_items(&g, yyjson_doc_get_root(doc), items);
	if (rc != 0) {
		rows_truncate(rows, before);
		*items = 0;
	}
	buf_fini(&g.scratch);
	yyjson_doc_free(doc);
	return (rc);
}

/* --- parents by path ------------------------------------------------------ */

/* The path without its last part, in `out`; false at the root. */
static bool
parent_path(const char *s, size_t len, struct buf *out)
{
	size_t n = len;

	while (n > 0 && s[n - 1] != '\\' && s[n - 1] != '|')
		n--;
	if (n < 2)
		return (false);
	buf_clear(out);
	buf_put(out, s, n - 1);
	return (out->error == 0);
}

static void
set_parent(const struct source_table *t, struct rows *r, uint32_t row,
    const uint32_t *row_of, uint32_t ncodes, struct buf *scratch)
{
	const struct source_plan *p = t->plan;
	uint32_t path = (uint32_t)p->path_col, key = t->key[0], code;
	const char *s;
	size_t len;

	if (rows_null(r, path, row))
		return;
	s = rows_str(r, path, row, &len);
	if (!parent_path(s, len, scratch))
		return;
	code = rows_intern(r, path, (const char *)scratch->data,
	    scratch->len);
	if (code >= ncodes || row_of[code] == 0 ||
	    rows_null(r, key, row_of[code] - 1))
		return;
	/* A copy: interning may move the text it is asked for. */
	s = rows_str(r, key, row_of[code] - 1, &len);
	buf_clear(scratch);
	buf_put(scratch, s, len);
	if (scratch->error == 0)
		rows_set_str(r, (uint32_t)p->parent_col, row,
		    (const char *)scratch->data, scratch->len);
}

void
source_walk_finish(const struct source_table *t, struct rows *r,
    uint32_t first)
{
	const struct source_plan *p = t->plan;
	uint32_t *row_of, ncodes, path;
	struct buf scratch;

	if (p->parent_col < 0 || first >= r->n)
		return;
	path = (uint32_t)p->path_col;
	ncodes = r->v[path].dict.n;
	row_of = must_calloc((size_t)ncodes + 1, sizeof(row_of[0]));
	buf_init(&scratch, LIMIT_CELL_MAX + 1);
	for (uint32_t i = first; i < r->n; i++)
		if (!rows_null(r, path, i))
			row_of[r->v[path].code[i]] = i + 1;
	for (uint32_t i = first; i < r->n; i++)
		set_parent(t, r, i, row_of, ncodes, &scratch);
	buf_fini(&scratch);
	free(row_of);
}

/* --- the clock ------------------------------------------------------------ */

int
source_clock_decode(const struct source *s, char *body, size_t len,
    int64_t *now, struct err *e)
{
	yyjson_doc *doc;
	yyjson_val *v;
	int rc;

	MUST(s->clock_field != NULL);
	if ((rc = source_parse(body, len, &doc, e)) != 0)
		return (rc);
	rc = source_failed(yyjson_doc_get_root(doc), e);
	if (rc != 0)
		goto out;
	v = json_path(yyjson_doc_get_root(doc), s->clock_field);
	if (!yyjson_is_str(v) || ticks_parse(yyjson_get_str(v),
	    yyjson_get_len(v), now) != 0)
		rc = err_set(e, ERR_ANSWER, "no time `%s` in the answer",
		    s->clock_field);
out:
	yyjson_doc_free(doc);
	return (rc);
}

/* --- objects ------------------------------------------------------------- */

static void
copy_cell(const struct rows *r, const struct rows_schema *s, int col,
    uint32_t i, char *to, size_t size)
{
	const char *text;
	size_t n;
	int c;

	to[0] = '\0';
	if (col < 0)
		return;
	/* Rows of another day's schema may have the column elsewhere. */
	c = r->schema == s ? col : rows_schema_find(r->schema,
	    s->cols[col].name);
	if (c < 0 || r->schema->cols[c].type != ROWS_STRING ||
	    rows_null(r, (uint32_t)c, i))
		return;
	text = rows_str(r, (uint32_t)c, i, &n);
	if (n >= size)
		n = size - 1;
	memcpy(to, text, n);
	to[n] = '\0';
}

bool
source_walk_object(const struct source_table *t, const struct rows *r,
    uint32_t i, struct source_object *o)
{

	copy_cell(r, t->schema, t->object_key, i, o->key, sizeof(o->key));
	copy_cell(r, t->schema, t->object_name, i, o->name, sizeof(o->name));
	copy_cell(r, t->schema, t->object_kind, i, o->kind, sizeof(o->kind));
	return (o->key[0] != '\0');
}

/* --- frames -------------------------------------------------------------- */

/* Where a column of the table is in these rows, when it is of that type. */
static int
column_in(const struct rows *r, const struct source_table *t, int col,
    enum rows_type type)
{

	if (col >= 0 && r->schema != t->schema)
		col = rows_schema_find(r->schema, t->schema->cols[col].name);
	return (col >= 0 && r->schema->cols[col].type == type ? col : -1);
}

bool
source_frame_row_get(const struct source_table *t, const struct rows *r,
    uint32_t i, struct source_frame_row *f)
{
	int start = column_in(r, t, t->cursor, ROWS_TICKS);
	int key = column_in(r, t, (int)t->key[0], ROWS_STRING);
	int end = column_in(r, t, t->open_end, ROWS_TICKS);
	const char *text;
	size_t n;

	if (start < 0 || key < 0 || end < 0 ||
	    rows_null(r, (uint32_t)start, i) || rows_null(r, (uint32_t)key, i))
		return (false);
	text = rows_str(r, (uint32_t)key, i, &n);
	f->start = r->v[start].i64[i];
	f->key = (uint32_t)hash64(text, n, 0);
	f->open = rows_null(r, (uint32_t)end, i);
	return (true);
}
