/*
 * 403: are these streams closed to us, or is everything? Streams alone may
 * be set aside for good; but of a lost permission one line should tell, and
 * nothing should be left of it when it is given back. So while nothing has
 * been answered well, streams that were refused are not set aside. After a
 * few of them others, spread over all, are asked one by one: when all of
 * those are refused as well, the run ends. So it does when there were no
 * more streams than those that were refused.
 */

#include "config.h"

#include "base/buf.h"
#include "base/must.h"
#include "harvest/harvest_series_int.h"

/* Streams refused before there is cause to ask others, and those then. */
#define REFUSED 12u
#define PROBES 12u

static void probe(struct harvest_series *);

static void
all_refused(struct harvest_series *s)
{
	struct err e = s->doubt.err;

	(void)err_wrap(&e, "%s: no stream may be read", s->table->name);
	e.code = ERR_FORBIDDEN;
	harvest_fail(s->h, &e);
}

static void
on_probe(void *cookie, struct fetch_answer *a)
{
	struct harvest_series *s = cookie;

	s->doubt.job = NULL;
	if (a->status != 403) {
		/* It is about streams; or another trouble that tells itself. */
		s->doubt.over = true;
		harvest_ask_report(s);
	} else if (++s->doubt.probes == PROBES)
		all_refused(s);
	else
		probe(s);
	harvest_poke(s->h);
}

/* The first value of a stream, as far from the others as may be. */
static void
probe(struct harvest_series *s)
{
	struct fetch_request req = { .method = "GET",
	    .class = HARVEST_ASKS_SERIES };
	const struct source_stream *one;
	struct buf target;
	uint32_t i;

	i = (uint32_t)((uint64_t)s->nstreams * s->doubt.probes / PROBES);
	one = &s->streams[i].s;
	buf_init(&target, 1 << 20);
	source_series_target(s->table, s->h->opt.base, &one, 1, s->doubt.a,
	    s->doubt.b, 1, &target);
	MUST_MEMORY(target.error == 0);
	req.target = buf_str(&target);
	s->doubt.job = fetch_start(s->h->fetch, &req, on_probe, s);
	buf_fini(&target);
}

void
harvest_doubt_add(struct harvest_series *s, const struct sched_request *q,
    const struct err *e)
{

	if (s->answered || s->doubt.over)
		return;
	s->doubt.err = *e;
	s->doubt.a = q->a;
	s->doubt.b = q->b;
	if (++s->doubt.refused == REFUSED)
		probe(s);
}

bool
harvest_doubt_holds(struct harvest_series *s)
{

	if (s->doubt.refused == 0 || s->answered || s->doubt.over)
		return (false);
	if (!harvest_series_idle(s->h))
		return (true);
	if (s->doubt.refused < s->known)
		return (false);
	all_refused(s);
	return (true);
}

void
harvest_doubt_cancel(struct harvest_series *s)
{

	fetch_cancel(s->doubt.job);
	s->doubt.job = NULL;
}
