/*
 * Packing: pieces in, requests out.
 *
 * Sets to be asked again are in a list, newest first, all else in a heap
 * (sched_piece.c); the newer of their heads is next.
 *
 * A request is grown from the first piece of the heap: its window is cut
 * from the new end of it, as long as the target size allows; then others
 * with the same end and class join while they hold all of the window, the
 * target size is not passed and the URL has room. What is left of each goes
 * back to the heap.
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
	double ticks, per_second = sched_density_of(s, st);

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
	    sched_density_of(s, st) * sched_seconds(p->b - at) >
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
	k->v[k->n] = sched_piece_pop(s);
	st = &s->streams[k->v[k->n++].stream];
	density = sched_density_of(s, st);
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
	if (p->class == SCHED_CLASS_ALONE || k->b - k->a > st->window_max)
		return (false);
	if (s->share > 0)
		return (false);
	if (k->n >= streams_max(s) || k->url + st->url_len > s->p.url_max)
		return (false);
	expected = (k->per_second + sched_density_of(s, st)) *
	    sched_seconds(k->b - k->a);
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
	q->max_count = count_of(s, k->n, k->most * sched_seconds(k->b - k->a));
	for (i = 0; i < k->n; i++)
		sched_set_put(s, q, i, k->v[i].stream);
	sched_set_fly(s, q);
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
	while ((p = sched_piece_peek(s)) != NULL && pack_fits(s, &k, p))
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
		sum += sched_density_of(s, &s->streams[q->slots[k].stream]) *
		    sched_seconds(q->b - q->a);
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
	sched_set_fly(s, q);
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
	fresh = sched_piece_peek(s);
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
	fresh = sched_piece_peek(s);
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
