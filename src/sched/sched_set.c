/*
 * Sets: what a request asks, from its making to the list of those in the air
 * and back, or to the list of those to be asked again just so.
 */
#include "config.h"

#include <stdlib.h>

#include "base/must.h"
#include "sched/sched.h"
#include "sched/sched_int.h"

struct set *
sched_set_new(int64_t a, int64_t b, uint32_t count_min, uint32_t n)
{
	struct set *q;

	MUST(n > 0);
	q = must_calloc(1, sizeof(*q) +
	    n * (sizeof(*q->slots) + sizeof(*q->ids)));
	q->magic = SCHED_SET_MAGIC;
	q->a = a;
	q->b = b;
	q->count_min = count_min;
	q->n = n;
	q->slots = (struct slot *)(void *)(q + 1);
	q->ids = (uint32_t *)(void *)(q->slots + n);
	return (q);
}

void
sched_set_put(struct sched *s, struct set *q, uint32_t k, uint32_t stream)
{
	q->slots[k] = (struct slot){ .stream = stream };
	q->ids[k] = s->streams[stream].id;
}

/* The newest first, the last put of those with one end. */
static void
redo_insert(struct sched *s, struct set *q)
{
	struct set *at, *before = NULL;

	for (at = LIST_FIRST(&s->redo); at != NULL && at->b > q->b;
	    at = LIST_NEXT(at, link))
		before = at;
	if (before == NULL)
		LIST_INSERT_HEAD(&s->redo, q, link);
	else
		LIST_INSERT_AFTER(before, q, link);
}

/* To be asked again just so, without those set aside since. */
void
sched_set_redo(struct sched *s, struct set *q)
{
	struct stream *st;
	uint32_t k, n = 0;

	for (k = 0; k < q->n; k++) {
		st = &s->streams[q->slots[k].stream];
		if (st->aside)
			continue;
		st->waiting++;
		s->waiting++;
		sched_set_put(s, q, n++, q->slots[k].stream);
	}
	q->n = n;
	q->judged = false;
	if (n > 0)
		redo_insert(s, q);
	else
		free(q);
}

void
sched_set_fly(struct sched *s, struct set *q)
{
	struct stream *st;
	uint32_t k;

	for (k = 0; k < q->n; k++) {
		st = &s->streams[q->slots[k].stream];
		st->flying++;
		st->waiting--;
		s->waiting--;
	}
	LIST_INSERT_HEAD(&s->air, q, link);
	s->flying++;
}

/* It came back: off the list of those in the air; its memory stays. */
void
sched_set_land(struct sched *s, struct set *q)
{
	struct stream *st;
	uint32_t k;

	LIST_REMOVE(q, link);
	s->flying--;
	for (k = 0; k < q->n; k++) {
		st = &s->streams[q->slots[k].stream];
		MUST(st->flying > 0);
		st->flying--;
	}
}

/* Once what the answer taught is noted. */
void
sched_set_unpark(struct sched *s, const struct set *q)
{
	uint32_t k;

	for (k = 0; k < q->n; k++)
		sched_piece_unpark(s, &s->streams[q->slots[k].stream]);
}
