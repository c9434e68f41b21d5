/*
 * Items written like the one before (source_scan.c): the same keys in the
 * same order, the same white space, the same text behind the value. All that
 * is read of them is a time and a value; the rest is compared, and the cells
 * that it makes are set for all of them at once.
 */

#include "config.h"

#include <string.h>

#include "source/source_scan_int.h"

/* Does `text` stand at p? */
static inline bool
stands(const struct source_scan *s, const char *p, const char *text,
    size_t len)
{

	if ((size_t)(s->end - p) < len)
		return (false);
	if (len < 8 || len > 16)
		return (memcmp(p, text, len) == 0);
	return (source_word(p) == source_word(text) &&
	    source_word(p + len - 8) == source_word(text + len - 8));
}

/* A value that is no number, into its cells; behind it, or NULL. */
static const char *
other_value(struct source_scan *s, struct source_run *u, const char *p)
{
	const struct source_op *op = &s->shape.value->ops[0];
	const int cols[] = { op->col, op->col_text, op->col_code,
	    op->col_system };
	struct source_same *last = &s->same;

	if (last->len > 0 && stands(s, p, last->text, last->len)) {
		for (size_t i = 0; i < sizeof(cols) / sizeof(cols[0]); i++)
			if (cols[i] >= 0)
				rows_copy_cell(s->w->rows, (uint32_t)cols[i],
				    last->row, u->row);
		return (p + last->len);
	}
	s->p = p;
	if (!source_scan_value(s, u, s->shape.value))
		return (NULL);
	last->text = p;
	last->len = (size_t)(s->p - p);
	last->row = u->row;
	return (s->p);
}

/* Behind the value at p, which is in its cells now; or NULL. */
static inline const char *
run_value(struct source_scan *s, struct source_run *u, const char *p)
{
	double x;

	if (*p != '-' && (*p < '0' || *p > '9'))
		return (other_value(s, u, p));
	if ((p = source_scan_number(p, &x)) != NULL)
		rows_set_f64(s->w->rows,
		    (uint32_t)s->shape.value->ops[0].col, u->row, x);
	return (p);
}

/* Into rows [from, to): what all items of the run have. */
static void
fill_run(struct source_scan *s, uint32_t from, uint32_t to)
{
	const struct source_tail *t = &s->tail;
	struct rows *r = s->w->rows;
	int ordinal = s->w->table->ordinal;

	memset(r->v[s->shape.time].valid + from, 1, to - from);
	if (ordinal >= 0)
		rows_fill_i32(r, (uint32_t)ordinal, from, to, 0);
	for (unsigned i = 0; i < t->ncells; i++) {
		if (t->cells[i].text)
			rows_fill_code(r, t->cells[i].col, from, to,
			    t->cells[i].x);
		else
			rows_fill_bool(r, t->cells[i].col, from, to,
			    t->cells[i].x != 0);
	}
}

void
source_scan_run(struct source_scan *s, struct source_run *u)
{
	const struct source_shape *h = &s->shape;
	const struct source_tail *t = &s->tail;
	const struct source_answer *w = s->w;
	const char *from = s->p, *p;
	uint32_t first = u->row;
	int64_t *times = w->rows->v[h->time].i64, at;

	if (h->middle_len == 0 || t->len == 0)
		return;
	while (u->row < w->rows->n && stands(s, from, h->head, h->head_len)) {
		p = source_scan_time(s, from + h->head_len, &at);
		if (p == NULL || !stands(s, p, h->middle, h->middle_len) ||
		    at <= u->prev || at < w->a || at >= w->b ||
		    (p = run_value(s, u, p + h->middle_len)) == NULL ||
		    !stands(s, p, t->text, t->len))
			break;
		times[u->row++] = u->prev = at;
		from = p + t->len;
	}
	s->p = from;
	if (u->row == first)
		return;
	u->ordinal = 0;
	s->page.n += u->row - first;
	s->page.last = u->prev;
	fill_run(s, first, u->row);
}
