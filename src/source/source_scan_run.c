/*
 * Items written like the one before (source_scan.c): the same keys in the
 * same order, the same white space, the same text behind the value. All that
 * is read of them is a time and a value; the rest is compared, and the cells
 * that it makes are set for all of them at once.
 */

#include "config.h"

#include <string.h>

#include "source/source_scan_int.h"

/* The cells of the value that is in row `from`, once more. */
static void
copy_value(struct rows *r, const struct source_op *op, uint32_t from,
    uint32_t to)
{
	const int cols[] = { op->col, op->col_text, op->col_code,
	    op->col_system };

	for (size_t i = 0; i < sizeof(cols) / sizeof(cols[0]); i++)
		if (cols[i] >= 0)
			rows_copy_cell(r, (uint32_t)cols[i], from, to);
}

/* A value that is no number, into its cells; behind it, or NULL. */
static const char *
other_value(struct source_scan *s, uint32_t row, const char *p)
{
	struct source_run u = { .row = row };
	struct source_same *v;

	for (v = s->same; v < s->same + SOURCE_SAMES; v++) {
		if (v->len == 0 || !source_stands(s, p, v->text, v->len))
			continue;
		copy_value(s->w->rows, &s->shape.value->ops[0], v->row, row);
		return (p + v->len);
	}
	s->p = p;
	if (!source_scan_value(s, &u, s->shape.value))
		return (NULL);
	v = &s->same[s->oldest++ % SOURCE_SAMES];
	v->text = p;
	v->len = (size_t)(s->p - p);
	v->row = row;
	return (s->p);
}

/* What is read next goes into this row: no value is had from there. */
static void
forget_row(struct source_scan *s, uint32_t row)
{

	for (unsigned i = 0; i < SOURCE_SAMES; i++)
		if (s->same[i].row == row)
			s->same[i].len = 0;
}

/* Into rows [from, to): what all items of the run have. */
static void
fill_run(struct source_scan *s, uint32_t from, uint32_t to)
{
	const struct source_tail *t = &s->tail[s->now];
	struct rows *r = s->w->rows;

	if (from == to)
		return;
	memset(r->v[s->shape.time].valid + from, 1, to - from);
	if (s->w->table->ordinal >= 0)
		memset(r->v[s->w->table->ordinal].valid + from, 1, to - from);
	for (unsigned i = 0; i < t->ncells; i++) {
		if (t->cells[i].text)
			rows_fill_code(r, t->cells[i].col, from, to,
			    t->cells[i].x);
		else
			rows_fill_bool(r, t->cells[i].col, from, to,
			    t->cells[i].x != 0);
	}
}

/* The tail of the item in `row` is not that of the rows before. When it is
 * another one that is known, those are complete, and it begins the next. */
static bool
other_tail(struct source_scan *s, const char *p, uint32_t *from, uint32_t row)
{
	unsigned i = source_which_tail(s, p);

	if (i == SOURCE_TAILS)
		return (false);
	fill_run(s, *from, row);
	*from = row;
	s->now = i;
	return (true);
}

void
source_scan_run(struct source_scan *s, struct source_run *u)
{
	const struct source_shape *h = &s->shape;
	const struct source_answer *w = s->w;
	const struct rows_vec *v = w->rows->v, *time = &v[h->time], *number;
	uint32_t from = u->row, row = from, n = w->rows->n;
	int32_t ordinal = u->ordinal;
	const char *p, *end = s->p;
	int ordinals = w->table->ordinal;
	int64_t at, prev = u->prev;

	if (h->middle_len == 0 || s->tail[s->now].len == 0)
		return;
	number = &v[h->value->ops[0].col];
	while (row < n && source_stands(s, end, h->head, h->head_len)) {
		p = source_scan_time(s, end + h->head_len, &at);
		if (p == NULL || at < prev || at < w->a || at >= w->b ||
		    !source_stands(s, p, h->middle, h->middle_len))
			break;
		p += h->middle_len;
		if (*p == '-' || (*p >= '0' && *p <= '9')) {
			p = source_scan_number(p, &number->f64[row]);
			number->valid[row] = p != NULL;
		} else {
			p = other_value(s, row, p);
		}
		if (p == NULL || (!source_is_tail(s, p, s->now) &&
		    !other_tail(s, p, &from, row)))
			break;
		ordinal = at == prev ? ordinal + 1 : 0;
		if (ordinals >= 0)
			v[ordinals].i32[row] = ordinal;
		time->i64[row++] = prev = at;
		end = p + s->tail[s->now].len;
	}
	s->p = end;
	fill_run(s, from, row);
	forget_row(s, row);
	s->page.n += row - u->row;
	s->page.last = u->prev = prev;
	u->ordinal = ordinal;
	u->row = row;
}
