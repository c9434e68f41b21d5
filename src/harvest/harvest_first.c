/*
 * Where the histories of streams begin that were never read, many of them a
 * request: what lies before is covered, proven empty, and is not asked for
 * window by window. Asked when all that is newer than a week is on its way,
 * so that live windows do not wait for it.
 *
 * It saves requests and nothing depends on it: streams whose beginning
 * cannot be had are read from the start of the range. A set with a stream
 * that the server refuses is halved, as often as is worth it. When all are
 * refused, and of the halves both, again and again, the server has no such
 * request for us: that is kept, and nobody asks until it is forgotten.
 */

#include "config.h"

#include <stdlib.h>

#include "base/buf.h"
#include "base/must.h"
#include "base/ticks.h"
#include "harvest/harvest_series_int.h"

#define FIRST_MAGIC 0x31737421u
/* Refused sets that are halved in a run: a server without this request
 * refuses them all. */
#define HALVES_MAX 100
/* Halves refused, or all streams alone, and nothing answered. One stream in
 * each set that is refused does so once in 4000 times. */
#define REFUSED_MAX 12u

struct span {
	uint32_t from, n;		/* of `index` */
};

/* One request in flight. */
struct first {
	uint32_t magic;
	struct first *prev, *next;
	struct harvest_series *series;
	struct fetch_job *job;
	struct span at;
	bool half;			/* of a set that was refused */
	const struct source_stream **streams;	/* [at.n] */
};

struct harvest_firsts {
	uint32_t *index;		/* of streams never read */
	uint32_t n, cap;
	uint32_t next;			/* of `index`, not asked yet */
	struct span *again;		/* halves, last in first out */
	uint32_t nagain;
	uint32_t halves;
	uint32_t refused;		/* halves */
	bool good;			/* one was answered */
	struct first *asks;
};

void
harvest_first_add(struct harvest_series *s, uint32_t index)
{
	struct harvest_firsts *f = s->firsts;

	if (f == NULL)
		f = s->firsts = must_calloc(1, sizeof(*f));
	if (f->n == f->cap) {
		f->cap = f->cap == 0 ? 256 : f->cap * 2;
		f->index = must_realloc(f->index, f->cap,
		    sizeof(f->index[0]));
	}
	f->index[f->n++] = index;
}

static void
first_unlink(struct first *k)
{

	if (k->next != NULL)
		k->next->prev = k->prev;
	if (k->prev != NULL)
		k->prev->next = k->next;
	else
		k->series->firsts->asks = k->next;
	k->magic = 0;
	free(k->streams);
	free(k);
}

void
harvest_first_cancel(struct harvest_series *s)
{
	struct first *k;

	while (s->firsts != NULL && (k = s->firsts->asks) != NULL) {
		fetch_cancel(k->job);
		first_unlink(k);
	}
}

void
harvest_first_free(struct harvest_series *s)
{

	if (s->firsts == NULL)
		return;
	MUST(s->firsts->asks == NULL);
	free(s->firsts->index);
	free(s->firsts->again);
	free(s->firsts);
	s->firsts = NULL;
}

bool
harvest_first_idle(const struct harvest_series *s)
{

	return (s->firsts == NULL || s->firsts->asks == NULL);
}

/* --- answers ------------------------------------------------------------- */

static void
found(struct harvest_series *s, uint32_t index, int64_t first)
{
	const struct stream *st = &s->streams[index];
	struct group *g = harvest_series_group(s, st->id);
	struct harvest_cover c;

	harvest_cover_init(&c, st->id, st->s.key);
	c.mute = true;
	c.first = first;
	c.since = st->since;
	if (first > s->range->from) {
		c.a = s->range->from;
		c.b = first < s->range->to ? first : s->range->to;
		sched_floor(g->sched, index, c.b);
	}
	harvest_cover_add(g->writer, &c);
	harvest_batch_touch(g->writer);
}

static int
use(struct first *k, struct fetch_answer *a)
{
	struct harvest_series *s = k->series;
	int64_t *first;
	uint32_t i;
	int rc;

	first = must_calloc(k->at.n, sizeof(first[0]));
	rc = source_first_decode(s->table, k->streams, k->at.n, a->body,
	    a->len, first, &a->err);
	for (i = 0; i < k->at.n && rc == 0; i++)
		if (first[i] != TICKS_NONE)
			found(s, s->firsts->index[k->at.from + i], first[i]);
	free(first);
	return (rc);
}

static void
count_refused(struct harvest_series *s)
{
	struct harvest_firsts *f = s->firsts;
	uint32_t most = 2 * f->n - 2;	/* halves there are, about */

	f->refused++;
	if (f->good || s->h->no_first ||
	    f->refused < (most < REFUSED_MAX ? most : REFUSED_MAX))
		return;
	harvest_cap_learn_no_first(s->h);
	f->next = f->n;
	f->nagain = 0;
}

static void
halve(struct harvest_firsts *f, struct span at)
{
	uint32_t n = at.n / 2;

	if (at.n < 2 || f->halves >= HALVES_MAX)
		return;
	f->halves++;
	f->again = must_realloc(f->again, f->nagain + 2, sizeof(f->again[0]));
	f->again[f->nagain++] = (struct span){ at.from + n, at.n - n };
	f->again[f->nagain++] = (struct span){ at.from, n };
}

static void
give_up(struct first *k, const struct fetch_answer *a)
{

	switch (a->err.code) {
	case ERR_AUTH:
	case ERR_TLS:
	case ERR_CONFIG:
		harvest_fail(k->series->h, &a->err);
		break;
	case ERR_FORBIDDEN:
	case ERR_NOTFOUND:
	case ERR_GONE:
	case ERR_UNSUPPORTED:
	case ERR_REQUEST:
		if (k->half)
			count_refused(k->series);
		if (!k->series->h->no_first)
			halve(k->series->firsts, k->at);
		break;
	case ERR_SERVER:
		/* Of a stream in the set; or windows will tell. */
		if (a->status == 500 && a->json) {
			halve(k->series->firsts, k->at);
			break;
		}
		harvest_bad(k->series->h, &a->err);
		break;
	default:
		harvest_bad(k->series->h, &a->err);
		break;
	}
}

static void
on_first(void *cookie, struct fetch_answer *a)
{
	struct first *k = cookie;
	struct harvest_series *s;
	struct harvest *h;

	MAGIC_CHECK(k, FIRST_MAGIC);
	s = k->series;
	h = s->h;
	k->job = NULL;
	if (a->err.code == 0 && use(k, a) == 0) {
		harvest_good(h);
		s->firsts->good = true;
	} else
		give_up(k, a);
	first_unlink(k);
	harvest_ask_report(s);	/* it may be the last of the run */
	harvest_poke(h);
}

/* --- asking -------------------------------------------------------------- */

/* As many as fit a target. */
static struct span
take(struct harvest_series *s)
{
	struct harvest_firsts *f = s->firsts;
	uint32_t url = source_series_base_len(s->table, s->h->opt.base);
	struct span at = { f->next, 0 };
	const struct stream *st;

	if (f->nagain > 0)
		return (f->again[--f->nagain]);
	while (f->next < f->n) {
		st = &s->streams[f->index[f->next]];
		url += source_stream_len(s->table, &st->s);
		if (at.n > 0 && url > s->h->opt.url_max)
			break;
		at.n++;
		f->next++;
	}
	return (at);
}

bool
harvest_first_poke(struct harvest_series *s)
{
	struct harvest_firsts *f = s->firsts;
	struct fetch_request req = { .method = "GET",
	    .class = HARVEST_ASKS_SERIES, .about = true };
	struct first *k;
	struct buf target;
	struct span at;
	bool half = f != NULL && f->nagain > 0;
	uint32_t i;

	if (f == NULL || (at = take(s)).n == 0)
		return (false);
	k = must_calloc(1, sizeof(*k));
	k->magic = FIRST_MAGIC;
	k->series = s;
	k->at = at;
	k->half = half;
	k->streams = must_calloc(at.n, sizeof(k->streams[0]));
	for (i = 0; i < at.n; i++)
		k->streams[i] = &s->streams[f->index[at.from + i]].s;
	k->next = f->asks;
	if (f->asks != NULL)
		f->asks->prev = k;
	f->asks = k;

	buf_init(&target, 1 << 20);
	source_first_target(s->table, s->h->opt.base, k->streams, at.n,
	    &target);
	MUST_MEMORY(target.error == 0);
	req.target = buf_str(&target);
	k->job = fetch_start(s->h->fetch, &req, on_first, k);
	buf_fini(&target);
	return (true);
}
