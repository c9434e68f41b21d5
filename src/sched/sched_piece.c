/*
 * Pieces that wait: in the heap, or parked at their streams.
 *
 * The heap gives the newest first, of those with one end the ones of one
 * class together, of those the ones with one start together. The class of a
 * piece is that of its expected number of items, so that like comes to like;
 * one that was queued before its stream's density was known is put in anew
 * when it comes up.
 */
#include "config.h"

#include <stdlib.h>

#include "base/must.h"
#include "base/ticks.h"
#include "sched/sched.h"
#include "sched/sched_int.h"

#define CLASS_PROBE 254		/* of unknown density */
#define CLASS_SPARSE 16.0	/* expected items: below, all are alike */

/* --- the heap ------------------------------------------------------------ */

static bool
piece_before(const struct piece *l, const struct piece *r)
{
	if (l->b != r->b)
		return (l->b > r->b);
	if (l->class != r->class)
		return (l->class < r->class);
	if (l->a != r->a)
		return (l->a < r->a);
	return (l->stream < r->stream);
}

static void
heap_push(struct sched *s, const struct piece *p)
{
	size_t i, up;

	if (s->heap_n == s->heap_cap) {
		s->heap_cap = s->heap_cap == 0 ? 256 : s->heap_cap * 2;
		s->heap = must_realloc(s->heap, s->heap_cap,
		    sizeof(*s->heap));
	}
	for (i = s->heap_n++; i > 0; i = up) {
		up = (i - 1) / 2;
		if (!piece_before(p, &s->heap[up]))
			break;
		s->heap[i] = s->heap[up];
	}
	s->heap[i] = *p;
}

struct piece
sched_piece_pop(struct sched *s)
{
	struct piece top, last;
	size_t i, kid;

	MUST(s->heap_n > 0);
	top = s->heap[0];
	last = s->heap[--s->heap_n];
	for (i = 0; (kid = 2 * i + 1) < s->heap_n; i = kid) {
		if (kid + 1 < s->heap_n &&
		    piece_before(&s->heap[kid + 1], &s->heap[kid]))
			kid++;
		if (!piece_before(&s->heap[kid], &last))
			break;
		s->heap[i] = s->heap[kid];
	}
	s->heap[i] = last;
	return (top);
}

/* --- pieces -------------------------------------------------------------- */

double
sched_density_of(const struct sched *s, const struct stream *st)
{
	return (st->seconds > 0 ? st->items / st->seconds : s->p.density);
}

double
sched_seconds(int64_t ticks)
{
	return ((double)ticks / (double)TICKS_PER_S);
}

/* Sparse ones are all alike, then a class for each factor of four. */
static uint8_t
piece_class(const struct sched *s, const struct piece *p)
{
	const struct stream *st = &s->streams[p->stream];
	int64_t len = p->b - p->a;
	double expected;
	uint8_t class = 0;

	if (p->count_min > 0 || st->left_out > 1 || st->strikes > 0)
		return (SCHED_CLASS_ALONE);
	if (st->seconds <= 0)
		return (CLASS_PROBE);
	if (len > st->window_max)
		len = st->window_max;
	expected = sched_density_of(s, st) * sched_seconds(len);
	for (; expected > CLASS_SPARSE && class < 60; expected /= 4)
		class++;
	return (class);
}

/* One request at a time. */
static bool
stream_held(const struct stream *st)
{
	return (st->probe && st->flying > 0);
}

static void
stream_park(struct stream *st, const struct piece *p)
{
	struct parked *k;

	k = must_calloc(1, sizeof(*k));
	k->piece = *p;
	k->next = st->parked;
	st->parked = k;
}

void
sched_piece_unpark(struct sched *s, struct stream *st)
{
	struct parked *k;

	while ((k = st->parked) != NULL) {
		st->parked = k->next;
		k->piece.class = piece_class(s, &k->piece);
		heap_push(s, &k->piece);
		free(k);
	}
}

void
sched_piece_add(struct sched *s, uint32_t stream, int64_t a, int64_t b,
    uint32_t count_min)
{
	struct stream *st = &s->streams[stream];
	struct piece p = {
		.a = a, .b = b, .stream = stream, .count_min = count_min,
	};

	if (st->aside)
		return;
	MUST(a < b);
	p.class = piece_class(s, &p);
	st->waiting++;
	s->waiting++;
	if (stream_held(st))
		stream_park(st, &p);
	else
		heap_push(s, &p);
}

/* Queued when nothing was known of its stream, and now there is. */
static bool
piece_stale(const struct sched *s, const struct piece *p)
{
	return (p->class == CLASS_PROBE &&
	    s->streams[p->stream].seconds > 0);
}

/* Those on top with one end together, so that like comes to like. */
static void
heap_refresh(struct sched *s)
{
	struct piece *v = NULL;
	size_t i, n = 0, cap = 0;
	int64_t b = s->heap[0].b;

	while (s->heap_n > 0 && s->heap[0].b == b &&
	    piece_stale(s, &s->heap[0])) {
		if (n == cap) {
			cap = cap == 0 ? 64 : cap * 2;
			v = must_realloc(v, cap, sizeof(*v));
		}
		v[n++] = sched_piece_pop(s);
	}
	for (i = 0; i < n; i++) {
		v[i].class = piece_class(s, &v[i]);
		heap_push(s, &v[i]);
	}
	free(v);
}

/* Of the piece on top, what is not below the floor of its stream. */
static void
heap_trim(struct sched *s)
{
	const struct piece p = sched_piece_pop(s);
	struct stream *st = &s->streams[p.stream];
	const int64_t cut = st->floor < p.b ? st->floor : p.b;

	st->waiting--;
	s->waiting--;
	sched_covered(s, p.stream, p.a, cut);
	if (cut < p.b)
		sched_piece_add(s, p.stream, cut, p.b, 0);
}

const struct piece *
sched_piece_peek(struct sched *s)
{
	struct stream *st;
	struct piece p;

	while (s->heap_n > 0) {
		st = &s->streams[s->heap[0].stream];
		if (piece_stale(s, &s->heap[0])) {
			heap_refresh(s);
			continue;
		}
		if (!st->aside && s->heap[0].a < st->floor) {
			heap_trim(s);
			continue;
		}
		if (!st->aside && !stream_held(st))
			return (&s->heap[0]);
		p = sched_piece_pop(s);
		if (!st->aside)
			stream_park(st, &p);
	}
	return (NULL);
}
