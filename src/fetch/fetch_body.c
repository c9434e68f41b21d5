/*
 * Memory of bodies, kept from one answer to the next. A large body that was
 * made anew each time would be of pages that the kernel has to find and
 * clear each time, and would grow by being copied when the server does not
 * tell how long it gets.
 */
#include "config.h"

#include <stdlib.h>

#include "base/buf.h"
#include "fetch/fetch_int.h"
#include "sys/sys.h"

/* Smaller ones are cheap. */
#define KEPT_MIN 16384u
/* Of all of them. */
#define KEPT_BYTES (6u << 20)

/* The last one is the one that caches know. */
void
fetch_body_take(struct fetch *f, struct buf *b)
{
	struct fetch_bodies *s = &f->bodies;

	buf_init(b, f->body_max + LIMIT_PADDING);
	if (s->n == 0)
		return;
	*b = s->kept[--s->n];
	s->bytes -= b->cap;
}

void
fetch_body_room(struct buf *b, size_t n)
{
	size_t size = 0;
	void *p = NULL;

	if (b->len == 0 && n > b->cap && n < b->max)
		p = sys_large(n + 1, &size);
	if (p == NULL) {
		buf_reserve(b, n);
		return;
	}
	free(b->data);
	b->data = p;
	b->cap = size - 1 < b->max ? size - 1 : b->max;
}

void
fetch_body_give(struct fetch *f, struct buf *b)
{
	struct fetch_bodies *s = &f->bodies;

	if (b->cap < KEPT_MIN || b->cap > KEPT_BYTES - s->bytes ||
	    s->n == FETCH_BODIES) {
		buf_fini(b);
		return;
	}
	buf_clear(b);
	s->bytes += b->cap;
	s->kept[s->n++] = *b;
	buf_init(b, b->max);
}

void
fetch_bodies_fini(struct fetch *f)
{
	struct fetch_bodies *s = &f->bodies;

	while (s->n > 0)
		buf_fini(&s->kept[--s->n]);
}
