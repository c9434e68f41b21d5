/*
 * What a usable answer proves. Its rows are in the open batch of the group
 * already; they are judged stream by stream, and what is not proven complete
 * is taken out again.
 */

#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/must.h"
#include "base/ticks.h"
#include "harvest/harvest_series_int.h"

/* Rows of [from, from + n) are ascending in time: the first at or after. */
static uint32_t
rows_until(const struct rows *r, uint32_t col, uint32_t from, uint32_t n,
    int64_t cut)
{
	uint32_t lo = from, hi = from + n, mid;

	while (lo < hi) {
		mid = lo + (hi - lo) / 2;
		if (r->v[col].i64[mid] < cut)
			lo = mid + 1;
		else
			hi = mid;
	}
	return (lo - from);
}

static void
report_ties(struct group *g, uint32_t index, int64_t at)
{
	struct harvest_series *s = g->series;
	char when[TICKS_TEXT_MAX], text[160];

	(void)snprintf(text, sizeof(text), "more events at %s than the server "
	    "gives at once; the others at that time cannot be read",
	    ticks_text7(at, when));
	harvest_report_add(s->h, s->table->name, s->streams[index].s.name, 0,
	    text);
}

/* Judge stream number i of the answer. */
static void
settle_stream(struct ask *k, uint32_t i)
{
	struct group *g = k->group;
	struct harvest_series *s = g->series;
	struct source_page *p = &k->pages[i];
	struct rows *r = harvest_open_rows(g->writer);
	struct harvest_cover c;
	enum sched_verdict v;
	uint32_t keep = 0, index = k->q.ids[i];
	int64_t cut = k->q.a;

	v = sched_verdict(g->sched, &k->q, i, &cut);
	if (v != SCHED_AGAIN && p->row_n > 0)
		keep = rows_until(r, (uint32_t)s->table->cursor, p->row_from,
		    p->row_n, cut);
	if (keep < p->row_n)
		rows_drop(r, p->row_from + keep, p->row_n - keep);
	if (v == SCHED_AGAIN)
		return;
	s->streams[index].tries = 0;
	harvest_cover_init(&c, s->streams[index].id,
	    s->streams[index].s.key);
	c.a = k->q.a;
	c.b = cut;
	c.values = keep;
	c.per_second = sched_density(g->sched, index);
	c.mute = s->streams[index].aside;
	if (keep > 0)
		c.last = r->v[s->table->cursor].i64[p->row_from + keep - 1];
	harvest_cover_add(g->writer, &c);
	if (v == SCHED_TIES)
		report_ties(g, index, cut - 1);
}

static int
by_row(const void *a, const void *b, void *cookie)
{
	const struct source_page *pages = cookie;
	uint32_t x = pages[*(const uint32_t *)a].row_from;
	uint32_t y = pages[*(const uint32_t *)b].row_from;

	return (x < y ? -1 : x > y);
}

/* Streams are judged in the order of their rows, which is the server's, from
 * the last: taking rows out then moves none of those still to be judged. */
void
harvest_settle(struct ask *k)
{
	struct group *g = k->group;
	uint32_t i, *order;

	for (i = 0; i < k->q.n; i++)
		if (k->pages[i].present && k->pages[i].code == 0)
			sched_count(g->sched, &k->q, i, k->pages[i].n,
			    k->pages[i].first, k->pages[i].last);
	order = must_calloc(k->q.n, sizeof(order[0]));
	for (i = 0; i < k->q.n; i++)
		order[i] = i;
	qsort_r(order, k->q.n, sizeof(order[0]), by_row, k->pages);
	for (i = k->q.n; i-- > 0;)
		settle_stream(k, order[i]);
	free(order);
	harvest_batch_touch(g->writer);
	sched_finish(g->sched, &k->q);
}
