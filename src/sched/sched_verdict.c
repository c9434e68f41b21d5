/*
 * Verdicts: what an answer proves, and what becomes of the rest.
 *
 * All streams of an answer are judged together, once, at the first call of
 * sched_verdict(): the fate of each is then fixed, whatever is learnt from
 * other answers until sched_finish() carries it out. Nothing is changed
 * before that, so that an answer can still be given back.
 */
#include "config.h"

#include <stdlib.h>

#include "base/err.h"
#include "base/must.h"
#include "base/ticks.h"
#include "sched/sched.h"
#include "sched/sched_int.h"

/* Windows are not halved below this. */
#define WINDOW_MIN TICKS_PER_S
/* One answer makes the windows after it shorter by this at most. */
#define WINDOW_SHRINK 16

static struct set *
request_set(const struct sched *s, const struct sched_request *r)
{
	struct set *q = r->own;

	MAGIC_CHECK(s, SCHED_MAGIC);
	MAGIC_CHECK(q, SCHED_SET_MAGIC);
	return (q);
}

void
sched_count(struct sched *s, struct sched_request *r, uint32_t k, uint32_t n,
    int64_t first, int64_t last)
{
	struct set *q = request_set(s, r);

	MUST(k < q->n && !q->judged);
	q->slots[k].counted = true;
	q->slots[k].n = n;
	q->slots[k].first = first;
	q->slots[k].last = last;
}

/* --- judging ------------------------------------------------------------- */

static uint32_t
count_raised(const struct sched *s, uint32_t count)
{
	return (count < s->p.item_cap / 4 ? count * 4 : s->p.item_cap);
}

/* A full page: everything before its last time is complete. */
static void
judge_full(const struct sched *s, const struct set *q, struct slot *t)
{
	bool one_time = t->first == t->last;

	if (t->first > t->last || t->first < q->a) {
		t->fate = FATE_BAD;
		return;
	}
	if (t->last >= q->b) {
		t->fate = FATE_WHOLE;
		return;
	}
	t->cut = t->last;
	t->count_min = one_time ? count_raised(s, q->max_count) : 0;
	if (one_time && q->max_count >= s->p.item_cap) {
		t->fate = FATE_TIES;
		t->cut = t->last + 1;
		t->count_min = 0;
	} else
		t->fate = t->last > q->a ? FATE_PART : FATE_RAISE;
}

static void
judge_stream(const struct sched *s, const struct set *q, struct slot *t)
{
	t->cut = q->b;
	if (!t->counted)
		t->fate = q->n > 1 ? FATE_ALONE : FATE_LOST;
	else if (t->n < q->max_count)
		t->fate = FATE_WHOLE;
	else
		judge_full(s, q, t);
}

static void
judge(struct sched *s, struct set *q)
{
	uint64_t sum = 0;
	uint32_t k, there = 0;
	bool doubt;

	if (q->judged)
		return;
	q->judged = true;
	for (k = 0; k < q->n; k++) {
		sum += q->slots[k].n;
		there += q->slots[k].counted;
	}
	if (q->n > 1 && sum > q->max_count)
		s->per_stream = true;
	if (s->per_stream)
		s->total = false;
	q->exact = sum == q->max_count;
	/* The items of one left out may have counted as well. */
	doubt = q->n > 1 && !s->per_stream && (q->exact || there < q->n);
	for (k = 0; k < q->n; k++)
		if (doubt)
			q->slots[k].fate = FATE_SPLIT;
		else
			judge_stream(s, q, &q->slots[k]);
}

enum sched_verdict
sched_verdict(struct sched *s, struct sched_request *r, uint32_t k,
    int64_t *cut)
{
	struct set *q = request_set(s, r);

	MUST(k < q->n);
	judge(s, q);
	*cut = q->slots[k].cut;
	switch (q->slots[k].fate) {
	case FATE_WHOLE:
	case FATE_PART:
		return (SCHED_KEEP);
	case FATE_TIES:
		return (SCHED_TIES);
	default:
		*cut = q->a;
		return (SCHED_AGAIN);
	}
}

/* --- carrying it out ----------------------------------------------------- */

/* Two halves, to be asked again as they are. */
static void
set_split(struct sched *s, const struct set *q)
{
	struct set *half;
	uint32_t k, from, to, cut = q->n / 2;
	int i;

	for (i = 0; i < 2; i++) {
		from = i == 0 ? 0 : cut;
		to = i == 0 ? cut : q->n;
		half = sched_set_new(q->a, q->b, 0, to - from);
		for (k = from; k < to; k++)
			sched_set_put(s, half, k - from, q->slots[k].stream);
		sched_set_redo(s, half);
	}
}

/* Recent windows weigh most, long ones more than short ones. */
static void
stream_learn(struct stream *st, uint32_t n, int64_t ticks)
{
	if (ticks <= 0)
		return;
	st->items = st->items / 2 + n;
	st->seconds = st->seconds / 2 + (double)ticks / (double)TICKS_PER_S;
	st->probe = false;
}

/* Halved by a failure, the longest window grows back with success. */
static void
window_learn(const struct sched *s, struct stream *st, int64_t len)
{
	int64_t more = st->window_max / 8 + 1;

	if (len >= st->window_max)
		st->window_max = more < s->p.window_max - st->window_max ?
		    st->window_max + more : s->p.window_max;
	st->window_min = len / WINDOW_SHRINK;
	if (st->window_min > st->window_max)
		st->window_min = st->window_max;
}

static void
set_alone(struct sched *s, const struct set *q, uint32_t stream)
{
	struct set *one;

	one = sched_set_new(q->a, q->b, 0, 1);
	sched_set_put(s, one, 0, stream);
	sched_set_redo(s, one);
}

/* What was in [a, cut) is covered, what is left is wanted again. */
static void
finish_kept(struct sched *s, const struct set *q, const struct slot *t)
{
	struct stream *st = &s->streams[t->stream];
	int64_t len;

	sched_covered(s, t->stream, q->a, t->cut);
	len = t->fate == FATE_WHOLE ? q->b - q->a : t->last - q->a;
	stream_learn(st, t->n, len);
	window_learn(s, st, q->b - q->a);
	st->strikes = 0;
	if (t->cut < q->b)
		sched_piece_add(s, t->stream, t->cut, q->b, t->count_min);
}

static void
finish_stream(struct sched *s, const struct set *q, const struct slot *t)
{
	struct stream *st = &s->streams[t->stream];

	switch (t->fate) {
	case FATE_WHOLE:
	case FATE_PART:
	case FATE_TIES:
		finish_kept(s, q, t);
		break;
	case FATE_RAISE:
		sched_piece_add(s, t->stream, q->a, q->b, t->count_min);
		break;
	case FATE_ALONE:
		if (st->left_out < UINT8_MAX)
			st->left_out++;
		set_alone(s, q, t->stream);
		break;
	case FATE_LOST:
		sched_aside(s, t->stream, ERR_ANSWER);
		break;
	case FATE_BAD:
		if (++st->strikes >= SCHED_STRIKES)
			sched_aside(s, t->stream, ERR_ANSWER);
		sched_piece_add(s, t->stream, q->a, q->b, q->count_min);
		break;
	case FATE_NONE:
	case FATE_SPLIT:
		MUST(t->fate != FATE_NONE && t->fate != FATE_SPLIT);
	}
}

void
sched_finish(struct sched *s, struct sched_request *r)
{
	struct set *q = request_set(s, r);
	uint32_t k;

	judge(s, q);
	sched_set_land(s, q);
	if (q->slots[0].fate == FATE_SPLIT) {
		s->splits += q->exact;
		if (s->splits >= SCHED_SPLITS && !s->per_stream)
			s->total = true;
		set_split(s, q);
	} else
		for (k = 0; k < q->n; k++)
			finish_stream(s, q, &q->slots[k]);
	sched_set_unpark(s, q);
	if (s->streams_max < UINT32_MAX)
		s->streams_max++;
	r->own = NULL;
	q->magic = 0;
	free(q);
}

/* --- failures ------------------------------------------------------------ */

static bool
set_any_aside(const struct sched *s, const struct set *q)
{
	uint32_t k;

	for (k = 0; k < q->n; k++)
		if (s->streams[q->slots[k].stream].aside)
			return (true);
	return (false);
}

/* Back to the heap, to be packed by the limits as they are now. */
static void
set_unpack(struct sched *s, const struct set *q)
{
	uint32_t k;

	for (k = 0; k < q->n; k++)
		sched_piece_add(s, q->slots[k].stream, q->a, q->b,
		    q->count_min);
}

static void
failed_smaller(struct sched *s, struct set *q, int code)
{
	struct stream *st = &s->streams[q->slots[0].stream];
	int64_t half = (q->b - q->a) / 2;

	if ((uint64_t)q->n * q->max_count > s->p.item_cap)
		set_unpack(s, q);
	else if (q->n > 1) {
		if (s->streams_max > q->n / 2)
			s->streams_max = q->n / 2;
		set_split(s, q);
	} else if (half < WINDOW_MIN)
		sched_aside(s, q->slots[0].stream, code);
	else {
		if (st->window_max > half)
			st->window_max = half;
		if (st->window_min > half)
			st->window_min = half;
		st->probe = true;
		set_unpack(s, q);
	}
}

static void
failed_url(struct sched *s, struct set *q, int code)
{
	uint64_t url = s->p.url_base;
	uint32_t k;

	for (k = 0; k < q->n; k++)
		url += s->streams[q->slots[k].stream].url_len;
	if (q->n == 1) {
		sched_aside(s, q->slots[0].stream, code);
		return;
	}
	if (url * 3 / 4 < s->p.url_max)
		s->p.url_max = (uint32_t)(url * 3 / 4);
	set_unpack(s, q);
}

/* The guilty one may be known by now; else it is in one of the halves. */
static bool
failed_guilty(struct sched *s, struct set *q, int code)
{
	if (set_any_aside(s, q)) {
		sched_set_redo(s, q);
		return (true);
	}
	if (q->n == 1)
		sched_aside(s, q->slots[0].stream, code);
	else
		set_split(s, q);
	return (false);
}

void
sched_failed(struct sched *s, struct sched_request *r, enum sched_why why,
    int code)
{
	struct set *q = request_set(s, r);
	bool kept = false;
	uint32_t k;

	sched_set_land(s, q);
	sched_set_unpark(s, q);
	r->own = NULL;
	switch (why) {
	case SCHED_GUILTY:
		kept = failed_guilty(s, q, code);
		break;
	case SCHED_SMALLER:
		failed_smaller(s, q, code);
		break;
	case SCHED_URL:
		failed_url(s, q, code);
		break;
	case SCHED_GIVE_UP:
		for (k = 0; k < q->n; k++)
			sched_aside(s, q->slots[k].stream, code);
		break;
	case SCHED_RETURN:
		sched_set_redo(s, q);
		kept = true;
		break;
	}
	if (!kept) {
		q->magic = 0;
		free(q);
	}
}
