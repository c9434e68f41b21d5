/*
 * Packing: pieces in, requests out.
 *
 * Sets to be asked again are in a list, newest first, all else in a heap;
 * the newer of their heads is next.
 *
 * The heap gives the newest pieces first, of those with one end the ones of
 * one class together, of those the ones with one start together. A request
 * is grown from the first: its window is cut from the new end of it, as long
 * as the target size allows; then others with the same end and class join
 * while they hold all of the window, the target size is not passed and the
 * URL has room. What is left of each goes back to the heap.
 *
 * A stream of unknown density is probed: many of them share a short window,
 * and the rest of each waits (parked) until the answer has told its density.
 */
#include "config.h"

#include <stdlib.h>

#include "base/must.h"
#include "base/ticks.h"
#include "sched/sched.h"
#include "sched/sched_int.h"

#define CLASS_PROBE 254		/* of unknown density */
#define CLASS_ALONE 255		/* never with others */
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

static struct piece
heap_pop(struct sched *s)
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

static double
stream_density(const struct sched *s, const struct stream *st)
{
	return (st->seconds > 0 ? st->items / st->seconds : s->p.density);
}

static double
seconds(int64_t ticks)
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
		return (CLASS_ALONE);
	if (st->seconds <= 0)
		return (CLASS_PROBE);
	if (len > st->window_max)
		len = st->window_max;
	expected = stream_density(s, st) * seconds(len);
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

static void
stream_unpark(struct sched *s, struct stream *st)
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
		v[n++] = heap_pop(s);
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
	const struct piece p = heap_pop(s);
	struct stream *st = &s->streams[p.stream];
	const int64_t cut = st->floor < p.b ? st->floor : p.b;

	st->waiting--;
	s->waiting--;
	sched_covered(s, p.stream, p.a, cut);
	if (cut < p.b)
		sched_piece_add(s, p.stream, cut, p.b, 0);
}

/* The next piece that may fly, left in the heap; NULL when there is none. */
static const struct piece *
piece_peek(struct sched *s)
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
		p = heap_pop(s);
		if (!st->aside)
			stream_park(st, &p);
	}
	return (NULL);
}

/* --- sets ---------------------------------------------------------------- */

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

static void
set_fly(struct sched *s, struct set *q)
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
		stream_unpark(s, &s->streams[q->slots[k].stream]);
}

/* --- sizes --------------------------------------------------------------- */

/* Items to aim at; half of a small cap leaves room for bursts. */
static double
target(const struct sched *s)
{
	double half = (double)s->p.item_cap / 2;

	return (s->p.target_items < half ? s->p.target_items : half);
}

/* M for n streams, of which one is expected to have at most `most`. */
static uint32_t
count_of(const struct sched *s, uint32_t n, double most)
{
	uint32_t most_each;
	double m, lid;

	MUST(n > 0);
	most_each = s->p.item_cap / n;	/* whole items */
	lid = most_each;

	m = 2 * target(s) / (n > s->share ? n : s->share);
	if (m < 2 * most + SCHED_COUNT_MIN)
		m = 2 * most + SCHED_COUNT_MIN;
	if (s->total && n > 1)
		m = 2 * target(s);
	if (s->p.page_items > 0)
		m = s->p.page_items;
	if (m > lid)
		m = lid;
	return (m < 1 ? 1 : (uint32_t)m);
}

/* Items a request of n streams may be expected to bring. */
static double
budget(const struct sched *s, uint32_t n)
{
	double sum;

	if (!s->total)
		return (target(s));
	sum = 0.6 * count_of(s, n, 0);
	return (sum < target(s) ? sum : target(s));
}

/* Most streams of a set by items: each must be worth a few. */
static uint32_t
streams_max(const struct sched *s)
{
	uint32_t each = SCHED_COUNT_MIN, n;

	if (s->p.page_items > 0)
		each = s->p.page_items;
	n = s->p.item_cap / each;
	if (n > s->streams_max)
		n = s->streams_max;
	return (n < 1 ? 1 : n);
}

/* How many streams like this one an answer, or a URL, holds. */
static uint32_t
url_room(const struct sched *s, const struct stream *st)
{
	uint32_t n;

	if (s->share > 0)
		return (s->share);
	if (st->url_len == 0)
		return (streams_max(s));
	if (s->p.url_base + st->url_len >= s->p.url_max)
		return (1);
	n = (s->p.url_max - s->p.url_base) / st->url_len;
	return (n < streams_max(s) ? n : streams_max(s));
}

static int64_t
window_len(const struct sched *s, const struct piece *p)
{
	const struct stream *st = &s->streams[p->stream];
	int64_t len = p->b - p->a;
	double ticks, per_second = stream_density(s, st);

	if (len > st->window_max)
		len = st->window_max;
	if (st->seconds <= 0)
		per_second *= url_room(s, st);
	if (per_second > 0) {
		ticks = budget(s, 1) / per_second * (double)TICKS_PER_S;
		if (ticks < (double)len)
			len = ticks < 1 ? 1 : (int64_t)ticks;
	}
	if (len < st->window_min)
		len = st->window_min;
	return (len < p->b - p->a ? len : p->b - p->a);
}

static int64_t
grain_floor(int64_t t, int64_t grain)
{
	int64_t rest = t % grain;

	return (t - (rest < 0 ? rest + grain : rest));
}

/* Where a window of so long at the new end of a piece begins: at a grain. */
static int64_t
window_start(const struct sched *s, const struct piece *p, int64_t len)
{
	const struct stream *st = &s->streams[p->stream];
	int64_t a = p->b - len, at;

	if (s->p.grain <= 0 || a == p->a || p->b <= s->p.grain_from)
		return (a);
	at = grain_floor(a, s->p.grain);
	if (at == a)
		return (a);
	if (at + s->p.grain < p->b)
		return (at + s->p.grain);
	/* Shorter than a grain: all of it, when it may be had at once. */
	if (at < p->a)
		at = p->a;
	if (st->seconds <= 0 || st->window_max < p->b - at ||
	    stream_density(s, st) * seconds(p->b - at) >
	    (double)s->p.item_cap / 2)
		return (a);
	return (at);
}

/* --- packing ------------------------------------------------------------- */

struct pack {
	struct piece *v;	/* those that came together */
	uint32_t n;
	uint32_t cap;
	int64_t a;
	int64_t b;
	double per_second;	/* their sum */
	double most;		/* the largest of them */
	uint64_t url;
};

static void
pack_take(struct sched *s, struct pack *k)
{
	const struct stream *st;
	double density;

	if (k->n == k->cap) {
		k->cap = k->cap == 0 ? 64 : k->cap * 2;
		k->v = must_realloc(k->v, k->cap, sizeof(*k->v));
	}
	k->v[k->n] = heap_pop(s);
	st = &s->streams[k->v[k->n++].stream];
	density = stream_density(s, st);
	k->per_second += density;
	if (density > k->most)
		k->most = density;
	k->url += st->url_len;
}

static bool
pack_fits(const struct sched *s, const struct pack *k, const struct piece *p)
{
	const struct stream *st = &s->streams[p->stream];
	double expected;

	if (p->b != k->b || p->a > k->a || p->class != k->v[0].class)
		return (false);
	if (p->class == CLASS_ALONE || k->b - k->a > st->window_max)
		return (false);
	if (s->share > 0)
		return (false);
	if (k->n >= streams_max(s) || k->url + st->url_len > s->p.url_max)
		return (false);
	expected = (k->per_second + stream_density(s, st)) *
	    seconds(k->b - k->a);
	return (expected <= budget(s, k->n + 1) * 1.001);
}

/* The set of what came together, in the air; the rest of each piece goes
 * back. */
static struct set *
pack_set(struct sched *s, const struct pack *k)
{
	const struct piece *p;
	struct set *q;
	uint32_t i;

	q = sched_set_new(k->a, k->b, k->v[0].count_min, k->n);
	q->max_count = count_of(s, k->n, k->most * seconds(k->b - k->a));
	for (i = 0; i < k->n; i++)
		sched_set_put(s, q, i, k->v[i].stream);
	set_fly(s, q);
	for (i = 0; i < k->n; i++) {
		p = &k->v[i];
		if (p->a < k->a)
			sched_piece_add(s, p->stream, p->a, k->a, 0);
		if (p->b > k->b)
			sched_piece_add(s, p->stream, k->b, p->b, 0);
	}
	return (q);
}

/*
 * From the new end of the first piece. Where a page of ties made it ask for
 * more, from its start: there the ties are.
 */
static struct set *
pack_fresh(struct sched *s, const struct piece *p)
{
	struct pack k = { 0 };
	struct set *q;
	int64_t len;

	len = window_len(s, p);
	k.a = p->count_min > 0 ? p->a : window_start(s, p, len);
	k.b = p->count_min > 0 ? p->a + len : p->b;
	k.url = s->p.url_base;
	pack_take(s, &k);
	while ((p = piece_peek(s)) != NULL && pack_fits(s, &k, p))
		pack_take(s, &k);
	q = pack_set(s, &k);
	free(k.v);
	return (q);
}

/* The newest set to be asked again, without those set aside since. */
static struct set *
redo_peek(struct sched *s)
{
	struct set *q;
	uint32_t k, n;

	while ((q = LIST_FIRST(&s->redo)) != NULL) {
		for (k = n = 0; k < q->n; k++)
			if (!s->streams[q->slots[k].stream].aside)
				sched_set_put(s, q, n++,
				    q->slots[k].stream);
		if ((q->n = n) > 0)
			return (q);
		LIST_REMOVE(q, link);
		free(q);
	}
	return (NULL);
}

/* Items there may be in the window of a set. */
static double
expected(const struct sched *s, const struct set *q)
{
	double sum = 0;
	uint32_t k;

	for (k = 0; k < q->n; k++)
		sum += stream_density(s, &s->streams[q->slots[k].stream]) *
		    seconds(q->b - q->a);
	return (sum);
}

/* Cut down to what the limits now allow. */
static struct set *
pack_redo(struct sched *s, struct set *q)
{
	struct set *rest;
	uint32_t k, n = s->p.item_cap;

	LIST_REMOVE(q, link);
	if (q->n > n) {
		rest = sched_set_new(q->a, q->b, 0, q->n - n);
		for (k = n; k < q->n; k++)
			sched_set_put(s, rest, k - n, q->slots[k].stream);
		LIST_INSERT_HEAD(&s->redo, rest, link);
		q->n = n;
	}
	q->max_count = count_of(s, q->n, s->share > 0 ? expected(s, q) : 0);
	set_fly(s, q);
	return (q);
}

/* Of two with one end, what is asked again goes first. */
static bool
redo_first(const struct set *again, const struct piece *fresh)
{

	return (again != NULL && (fresh == NULL || again->b >= fresh->b));
}

bool
sched_newest(struct sched *s, int64_t *b)
{
	const struct piece *fresh;
	const struct set *again;

	MAGIC_CHECK(s, SCHED_MAGIC);
	again = redo_peek(s);
	fresh = piece_peek(s);
	if (again == NULL && fresh == NULL)
		return (false);
	*b = redo_first(again, fresh) ? again->b : fresh->b;
	return (true);
}

int
sched_next(struct sched *s, struct sched_request *out)
{
	const struct piece *fresh;
	struct set *q;

	MAGIC_CHECK(s, SCHED_MAGIC);
	q = redo_peek(s);
	fresh = piece_peek(s);
	if (q == NULL && fresh == NULL)
		return (0);
	q = redo_first(q, fresh) ? pack_redo(s, q) : pack_fresh(s, fresh);
	if (q->max_count < q->count_min)
		q->max_count = q->count_min < s->p.item_cap ? q->count_min :
		    s->p.item_cap;
	*out = (struct sched_request){
		.n = q->n, .ids = q->ids, .a = q->a, .b = q->b,
		.max_count = q->max_count, .own = q,
		.items = expected(s, q),
	};
	if (out->items > (double)q->max_count * q->n)
		out->items = (double)q->max_count * q->n;
	out->full = q->n == 1 && s->streams[q->slots[0].stream].seconds > 0 &&
	    out->items >= target(s) / 2;
	return (1);
}
