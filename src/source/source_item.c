/*
 * Items of a stream into rows: the hot path. Each key of an item is looked
 * at once; the keys of an item are guessed from those of the last one, so
 * that a comparison finds the column. Nothing is allocated for a value.
 */

#include "config.h"

#include <string.h>

#include "base/base_limits.h"
#include "base/ticks.h"
#include "source/source_series_int.h"

/* --- one item ------------------------------------------------------------- */

static int
put_time(struct source_answer *w, struct source_run *u, uint32_t col,
    yyjson_val *v)
{

	if (!yyjson_is_str(v) || ticks_parse(unsafe_yyjson_get_str(v),
	    unsafe_yyjson_get_len(v), &u->t) != 0)
		return (err_set(&w->err, ERR_ANSWER,
		    "an item without a readable time"));
	rows_set_i64(w->rows, col, u->row, u->t);
	u->has_time = true;
	return (0);
}

static int
put_string(struct source_answer *w, uint32_t row, const struct source_op *op,
    yyjson_val *v)
{

	if (unsafe_yyjson_is_str(v))
		return (source_cell_text(w->rows, (uint32_t)op->col, row,
		    unsafe_yyjson_get_str(v), unsafe_yyjson_get_len(v)));
	return (source_cell_set(op->column, w->rows, (uint32_t)op->col, row, v,
	    &w->scratch));
}

static int
put_op(struct source_answer *w, struct source_run *u,
    const struct source_op *op, yyjson_val *v)
{
	struct rows *r = w->rows;

	if (op->rest.n > 0 &&
	    (v = source_path_get(&op->rest, v)) == NULL)
		return (0);
	switch (op->kind) {
	case OP_TIME:
		return (put_time(w, u, (uint32_t)op->col, v));
	case OP_VALUE:
		if (unsafe_yyjson_is_real(v) && op->col >= 0) {
			rows_set_f64(r, (uint32_t)op->col, u->row,
			    unsafe_yyjson_get_real(v));
			return (0);
		}
		return (source_cell_value(op, r, u->row, v, &w->scratch));
	case OP_BOOL:
		if (unsafe_yyjson_is_bool(v)) {
			rows_set_bool(r, (uint32_t)op->col, u->row,
			    unsafe_yyjson_get_bool(v));
			return (0);
		}
		break;
	case OP_STRING:
		return (put_string(w, u->row, op, v));
	case OP_CELL:
		if (!rows_null(r, (uint32_t)op->col, u->row))
			return (0);
		break;
	}
	return (source_cell_set(op->column, r, (uint32_t)op->col, u->row, v,
	    &w->scratch));
}

int
source_item_field(struct source_answer *w, struct source_run *u,
    const struct source_field *f, yyjson_val *v)
{
	int rc = 0;

	if (f->errors && source_errors_any(v)) {
		buf_clear(&w->scratch);
		source_errors_text(v, &w->scratch);
		return (err_set(&w->err, ERR_ANSWER,
		    "an item that could not be written: %s",
		    buf_str(&w->scratch)));
	}
	for (uint32_t i = 0; i < f->nops && rc == 0; i++)
		rc = put_op(w, u, &f->ops[i], v);
	if (rc == ERR_LIMIT || rc == ERR_NOMEM)
		return (err_set(&w->err, rc, "a value larger than %u bytes",
		    LIMIT_CELL_MAX));
	return (rc);
}

const struct source_field *
source_field_find(const struct source_plan *p, const char *name, size_t len)
{

	for (uint32_t i = 0; i < p->nfields; i++)
		if (source_field_is(&p->fields[i], name, len))
			return (&p->fields[i]);
	return (NULL);
}

static int
put_item(struct source_answer *w, struct source_run *u, yyjson_val *item)
{
	const struct source_field *f;
	yyjson_val *key, *v;
	const char *name;
	size_t len, n;
	int rc = 0;

	if (!yyjson_is_obj(item))
		return (err_set(&w->err, ERR_ANSWER, "an item is no object"));
	u->has_time = false;
	n = unsafe_yyjson_get_len(item);
	key = unsafe_yyjson_get_first(item);
	for (size_t i = 0; i < n && rc == 0; i++) {
		v = key + 1;
		name = unsafe_yyjson_get_str(key);
		len = unsafe_yyjson_get_len(key);
		f = i < SOURCE_GUESSES ? w->guess[i] : NULL;
		if (f == NULL || !source_field_is(f, name, len)) {
			f = source_field_find(w->plan, name, len);
			if (i < SOURCE_GUESSES)
				w->guess[i] = f;
		}
		if (f != NULL)
			rc = source_item_field(w, u, f, v);
		key = unsafe_yyjson_get_next(v);
	}
	if (rc == 0 && !u->has_time)
		rc = err_set(&w->err, ERR_ANSWER, "an item without a time");
	return (rc);
}

/* --- the items of a stream ------------------------------------------------ */

int
source_rows_add(struct rows *r, uint32_t n)
{
	int rc;

	if ((rc = rows_reserve(r, n)) != 0)
		return (rc);
	for (uint32_t c = 0; c < r->schema->ncols && n > 0; c++)
		memset(r->v[c].valid + r->n, 0, n);
	r->n += n;
	return (0);
}

static void
clear_row(struct rows *r, uint32_t row)
{

	for (uint32_t c = 0; c < r->schema->ncols; c++)
		r->v[c].valid[row] = 0;
}

static int
count_item(struct source_answer *w, struct source_run *u,
    struct source_page *page)
{

	if (page->n == 0) {
		page->first = u->t;
	} else if (u->t < u->prev) {
		return (err_set(&w->err, ERR_ANSWER,
		    "items that descend in time"));
	}
	u->ordinal = page->n > 0 && u->t == u->prev ? u->ordinal + 1 : 0;
	u->prev = page->last = u->t;
	page->n++;
	return (0);
}

int
source_item_end(struct source_answer *w, struct source_run *u,
    struct source_page *page)
{
	struct rows *r = w->rows;
	int rc;

	if ((rc = count_item(w, u, page)) != 0)
		return (rc);
	if (u->t >= w->a && u->t < w->b) {
		if (w->table->ordinal >= 0)
			rows_set_i32(r, (uint32_t)w->table->ordinal, u->row,
			    u->ordinal);
		u->row++;
	} else {
		clear_row(r, u->row);
	}
	return (0);
}

int
source_items_put(struct source_answer *w, struct source_page *page,
    yyjson_val *items)
{
	struct rows *r = w->rows;
	struct source_run u = { .row = r->n };
	size_t n = unsafe_yyjson_get_len(items);
	yyjson_val *item = unsafe_yyjson_get_first(items);
	int rc;

	if (n > LIMIT_BLOCK_ROWS)
		return (err_set(&w->err, ERR_LIMIT, "more than %u items",
		    LIMIT_BLOCK_ROWS));
	if ((rc = source_rows_add(r, (uint32_t)n)) != 0)
		return (err_set(&w->err, rc, "too many rows in one batch"));
	for (size_t i = 0; i < n && rc == 0; i++) {
		if ((rc = put_item(w, &u, item)) == 0)
			rc = source_item_end(w, &u, page);
		item = unsafe_yyjson_get_next(item);
	}
	rows_truncate(r, u.row);
	return (rc);
}
