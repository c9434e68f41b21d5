/*
 * The streams: what is wanted of each, what was learnt about it, and which
 * were set aside. A stream is put in once and never leaves; being set aside
 * only stops it from being asked, and takes back its share of the counts,
 * so that the pieces it still has in the heap are dropped when they come up.
 */
#include "config.h"

#include <stdlib.h>

#include "base/hash.h"
#include "base/must.h"
#include "base/ranges.h"
#include "base/ticks.h"
#include "sched/sched.h"
#include "sched/sched_int.h"

#define HEADSTART_S 600.0	/* weight of a density told by the caller */

struct sched *
sched_new(const struct sched_params *p)
{
	struct sched *s;

	MUST(p->target_items > 0 && p->item_cap > 0);
	MUST(p->window_max > 0 && p->density > 0);
	s = must_calloc(1, sizeof(*s));
	s->magic = SCHED_MAGIC;
	s->p = *p;
	s->streams_max = UINT32_MAX;
	LIST_INIT(&s->redo);
	LIST_INIT(&s->air);
	return (s);
}

static void
set_list_free(struct set_list *list)
{
	struct set *q;

	while ((q = LIST_FIRST(list)) != NULL) {
		LIST_REMOVE(q, link);
		q->magic = 0;
		free(q);
	}
}

void
sched_free(struct sched *s)
{
	struct parked *k;
	uint32_t i;

	if (s == NULL)
		return;
	MAGIC_CHECK(s, SCHED_MAGIC);
	set_list_free(&s->redo);
	set_list_free(&s->air);
	for (i = 0; i < s->n; i++)
		while ((k = s->streams[i].parked) != NULL) {
			s->streams[i].parked = k->next;
			free(k);
		}
	free(s->streams);
	free(s->map);
	free(s->heap);
	free(s->failures);
	s->magic = 0;
	free(s);
}

/* The place of `id` in the map: where it is, or where it would go. */
static uint32_t *
map_slot(const struct sched *s, uint32_t id)
{
	uint32_t i;

	i = (uint32_t)hash_mix(id) & (s->map_cap - 1);
	while (s->map[i] != 0 && s->streams[s->map[i] - 1].id != id)
		i = (i + 1) & (s->map_cap - 1);
	return (&s->map[i]);
}

static void
map_grow(struct sched *s)
{
	uint32_t i;

	if ((s->n + 1) * 2 <= s->map_cap)
		return;
	free(s->map);
	s->map_cap = s->map_cap == 0 ? 64 : s->map_cap * 2;
	s->map = must_calloc(s->map_cap, sizeof(*s->map));
	for (i = 0; i < s->n; i++)
		*map_slot(s, s->streams[i].id) = i + 1;
}

static struct stream *
stream_new(struct sched *s, uint32_t id)
{
	struct stream *st;
	uint32_t *place;

	MUST(s->n < UINT32_MAX / 4);
	map_grow(s);
	place = map_slot(s, id);
	MUST(*place == 0);
	if (s->n == s->cap) {
		s->cap = s->cap == 0 ? 64 : s->cap * 2;
		s->streams = must_realloc(s->streams, s->cap,
		    sizeof(*s->streams));
	}
	st = &s->streams[s->n++];
	*place = s->n;
	*st = (struct stream){ .id = id, .window_max = s->p.window_max,
		.floor = INT64_MIN };
	return (st);
}

void
sched_add(struct sched *s, uint32_t id, uint32_t url_len, double per_second,
    const struct ranges *wanted)
{
	struct stream *st;
	double all = 0;
	size_t i;

	MAGIC_CHECK(s, SCHED_MAGIC);
	st = stream_new(s, id);
	st->url_len = url_len;
	st->probe = per_second < 0;
	if (!st->probe) {
		st->seconds = HEADSTART_S;
		st->items = per_second * HEADSTART_S;
	}
	st->missing = ranges_total(wanted);
	for (i = 0; i < wanted->n; i++) {
		all += (double)(wanted->r[i].b - wanted->r[i].a);
		sched_piece_add(s, s->n - 1, wanted->r[i].a, wanted->r[i].b,
		    0);
	}
	s->wanted_s += all / (double)TICKS_PER_S;
	s->missing_s += all / (double)TICKS_PER_S;
}

void
sched_grain(struct sched *s, int64_t from, int64_t grain)
{
	MAGIC_CHECK(s, SCHED_MAGIC);
	s->p.grain = grain;
	if (from < s->p.grain_from)
		s->p.grain_from = from;
}

void
sched_floor(struct sched *s, uint32_t id, int64_t floor)
{
	struct stream *st;
	uint32_t at;

	MAGIC_CHECK(s, SCHED_MAGIC);
	if (s->map_cap == 0 || (at = *map_slot(s, id)) == 0)
		return;
	st = &s->streams[at - 1];
	if (floor > st->floor)
		st->floor = floor;
}

void
sched_aside(struct sched *s, uint32_t stream, int code)
{
	struct stream *st = &s->streams[stream];
	struct parked *k;

	if (st->aside)
		return;
	st->aside = true;
	s->waiting -= st->waiting;
	st->waiting = 0;
	while ((k = st->parked) != NULL) {
		st->parked = k->next;
		free(k);
	}
	if (s->failures_n == s->failures_cap) {
		s->failures_cap = s->failures_cap == 0 ? 16 :
		    s->failures_cap * 2;
		s->failures = must_realloc(s->failures, s->failures_cap,
		    sizeof(*s->failures));
	}
	s->failures[s->failures_n++] = (struct failure){ st->id, code };
}

void
sched_covered(struct sched *s, uint32_t stream, int64_t a, int64_t b)
{
	struct stream *st = &s->streams[stream];

	MUST(a <= b);
	if (st->missing < INT64_MAX) {
		MUST(b - a <= st->missing);
		st->missing -= b - a;
	}
	s->missing_s -= (double)(b - a) / (double)TICKS_PER_S;
}

void
sched_alone(struct sched *s, uint32_t share)
{
	MAGIC_CHECK(s, SCHED_MAGIC);
	s->share = share;
}

void
sched_learn_cap(struct sched *s, uint32_t item_cap)
{
	MAGIC_CHECK(s, SCHED_MAGIC);
	if (item_cap > 0 && item_cap < s->p.item_cap)
		s->p.item_cap = item_cap;
}

void
sched_learn_url(struct sched *s, uint32_t url_max)
{
	MAGIC_CHECK(s, SCHED_MAGIC);
	if (url_max < s->p.url_max)
		s->p.url_max = url_max;
}

uint32_t
sched_url_max(const struct sched *s)
{
	MAGIC_CHECK(s, SCHED_MAGIC);
	return (s->p.url_max);
}

bool
sched_done(const struct sched *s)
{
	MAGIC_CHECK(s, SCHED_MAGIC);
	return (s->waiting == 0 && s->flying == 0);
}

int
sched_failure(const struct sched *s, size_t i, uint32_t *id, int *code)
{
	MAGIC_CHECK(s, SCHED_MAGIC);
	if (i >= s->failures_n)
		return (0);
	*id = s->failures[i].id;
	*code = s->failures[i].code;
	return (1);
}

double
sched_density(const struct sched *s, uint32_t id)
{
	const struct stream *st;
	uint32_t at;

	MAGIC_CHECK(s, SCHED_MAGIC);
	if (s->map_cap == 0 || (at = *map_slot(s, id)) == 0)
		return (-1);
	st = &s->streams[at - 1];
	return (st->seconds > 0 ? st->items / st->seconds : -1);
}

void
sched_progress(const struct sched *s, double *wanted, double *missing)
{
	MAGIC_CHECK(s, SCHED_MAGIC);
	*wanted = s->wanted_s;
	*missing = s->missing_s < 0 || s->wanted_s <= 0 ? 0 : s->missing_s;
}

/* --- the invariants ------------------------------------------------------ */

struct span {
	int64_t a;
	int64_t b;
	uint32_t stream;
};

static int
span_cmp(const void *x, const void *y)
{
	const struct span *l = x, *r = y;

	if (l->stream != r->stream)
		return (l->stream < r->stream ? -1 : 1);
	return ((l->a > r->a) - (l->a < r->a));
}

/* Count (v NULL) or collect what the sets of a list hold. */
static size_t
set_spans(const struct set_list *list, struct span *v)
{
	const struct set *q;
	size_t n = 0;
	uint32_t k;

	LIST_FOREACH(q, list, link)
		for (k = 0; k < q->n; k++, n++)
			if (v != NULL)
				v[n] = (struct span){ q->a, q->b,
				    q->slots[k].stream };
	return (n);
}

static size_t
piece_spans(const struct sched *s, struct span *v)
{
	const struct parked *k;
	size_t i, n = 0;

	for (i = 0; i < s->heap_n; i++, n++)
		if (v != NULL)
			v[n] = (struct span){ s->heap[i].a, s->heap[i].b,
			    s->heap[i].stream };
	for (i = 0; i < s->n; i++)
		for (k = s->streams[i].parked; k != NULL; k = k->next, n++)
			if (v != NULL)
				v[n] = (struct span){ k->piece.a, k->piece.b,
				    k->piece.stream };
	return (n);
}

static void
check_streams(const struct sched *s)
{
	size_t waiting = 0;
	uint32_t i;

	for (i = 0; i < s->n; i++) {
		MUST(s->streams[i].parked == NULL ||
		    s->streams[i].flying > 0);
		MUST(!s->streams[i].aside || s->streams[i].waiting == 0);
		waiting += s->streams[i].waiting;
	}
	MUST(waiting == s->waiting);
}

void
sched_check(const struct sched *s)
{
	struct span *v;
	int64_t *sum;
	size_t i, n;

	MAGIC_CHECK(s, SCHED_MAGIC);
	check_streams(s);
	n = set_spans(&s->air, NULL) + set_spans(&s->redo, NULL) +
	    piece_spans(s, NULL);
	v = must_calloc(n + 1, sizeof(*v));
	sum = must_calloc(s->n + 1, sizeof(*sum));
	n = set_spans(&s->air, v);
	n += set_spans(&s->redo, v + n);
	n += piece_spans(s, v + n);
	qsort(v, n, sizeof(*v), span_cmp);
	for (i = 0; i < n; i++) {
		MUST(v[i].a < v[i].b);
		if (i > 0 && v[i - 1].stream == v[i].stream)
			MUST(v[i - 1].b <= v[i].a);
		sum[v[i].stream] += v[i].b - v[i].a;
	}
	for (i = 0; i < s->n; i++)
		if (!s->streams[i].aside && s->streams[i].missing < INT64_MAX)
			MUST(sum[i] == s->streams[i].missing);
	free(sum);
	free(v);
}
