/*
 * One item of a usual answer, from its text into its row (source_scan.c).
 */

#include "config.h"

#include <string.h>

#include "source/source_scan_int.h"

/* --- the tail of an item -------------------------------------------------- */

static void
tail_begin(struct source_scan *s)
{
	struct source_tail *t;

	s->oldest_tail = (s->oldest_tail + 1) % SOURCE_TAILS;
	if (s->oldest_tail == s->now)
		s->oldest_tail = (s->oldest_tail + 1) % SOURCE_TAILS;
	s->now = s->oldest_tail;
	t = &s->tail[s->now];
	t->text = s->p;
	t->len = 0;
	t->plain = true;
	t->ncells = 0;
}

static void
tail_end(struct source_scan *s)
{
	struct source_tail *t = &s->tail[s->now];

	if (t->plain)
		t->len = (size_t)(s->p - t->text);
	t->plain = false;
}

/* It is one of those known: its cells once more, and behind it. */
static inline bool
tail_again(struct source_scan *s, uint32_t row)
{
	const struct source_tail *t;
	const struct source_tail_cell *c;
	struct rows *r = s->w->rows;

	unsigned i = source_which_tail(s, s->p);

	if (i == SOURCE_TAILS)
		return (false);
	s->now = i;
	t = &s->tail[i];
	for (c = t->cells; c < t->cells + t->ncells; c++) {
		if (c->text)
			rows_set_code(r, c->col, row, c->x);
		else
			rows_set_bool(r, c->col, row, c->x != 0);
	}
	s->p += t->len;
	return (true);
}

/* --- an item ------------------------------------------------------------- */

/* Behind a key and its colon; *f is NULL for one that is not wanted. */
static inline const char *
item_key(struct source_scan *s, const char *p, size_t i,
    const struct source_field **f)
{
	struct source_answer *w = s->w;
	size_t len;

	if (*p != '"' && *(p = source_space(p)) != '"')
		return (NULL);
	p++;
	*f = i < SOURCE_GUESSES ? w->guess[i] : NULL;
	if (*f != NULL && (size_t)(s->end - p) > (*f)->len &&
	    source_field_is(*f, p, (*f)->len) && p[(*f)->len] == '"') {
		p += (*f)->len + 1;
	} else {
		len = (size_t)(source_plain(p) - p);
		if (p[len] != '"')
			return (NULL);
		*f = source_field_find(w->plan, p, len);
		if (i < SOURCE_GUESSES)
			w->guess[i] = *f;
		p += len + 1;
	}
	if (*p != ':' && *(p = source_space(p)) != ':')
		return (NULL);
	return (source_space(p + 1));
}

static inline bool
is_value(const struct source_field *f)
{

	return (f != NULL && !f->errors && f->nops == 1 &&
	    f->ops[0].kind == OP_VALUE && f->ops[0].rest.n == 0);
}

static inline bool
is_time(const struct source_field *f)
{

	return (f != NULL && f->nops == 1 && f->ops[0].kind == OP_TIME &&
	    f->ops[0].rest.n == 0);
}

/* Key i was read, with its value at `value`. */
static inline void
note_shape(struct source_scan *s, size_t i, const struct source_field *f,
    const char *value)
{
	struct source_shape *h = &s->shape;

	if (i == 0 && is_time(f) && s->item_end != NULL) {
		h->head = s->item_end;
		h->head_len = (size_t)(value + 1 - s->item_end);
		h->middle = s->p - 1;
		h->time = (uint32_t)f->ops[0].col;
	} else if (i == 1 && h->head_len > 0 && is_value(f) &&
	    f->ops[0].col >= 0) {
		h->middle_len = (size_t)(value - h->middle);
		h->value = f;
	} else if (i < 2) {
		h->head_len = 0;
	}
}

bool
source_scan_item(struct source_scan *s, struct source_run *u)
{
	const struct source_field *f;
	const char *value;

	if (*s->p != '{')
		return (false);
	u->has_time = false;
	s->tail[s->now].plain = false;
	s->shape.head_len = s->shape.middle_len = 0;
	for (size_t i = 0;; i++) {
		if ((s->p = item_key(s, s->p + 1, i, &f)) == NULL)
			return (false);
		value = s->p;
		if (!source_scan_value(s, u, f))
			return (false);
		note_shape(s, i, f, value);
		if (*s->p != ',' && *s->p != '}')
			s->p = source_space(s->p);
		if (*s->p == '}')
			break;
		if (*s->p != ',')
			return (false);
		if (!is_value(f))
			continue;
		if (tail_again(s, u->row))
			return (u->has_time);
		tail_begin(s);
	}
	s->p++;
	tail_end(s);
	return (u->has_time);
}
