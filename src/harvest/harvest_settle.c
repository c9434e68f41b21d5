/*
 * What a usable answer proves. Its rows are in the open batch of the group
 * already; they are judged stream by stream, and what is not proven complete
 * is taken out again.
 *
 * The newest part of what is read is cut into cells (fixed stretches of
 * time), of which the ledger keeps number and digest of the rows. A cell
 * that is read again and found as it was is taken out as well, and proves
 * nothing new; one that changed is kept whole.
 */

#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/must.h"
#include "base/search.h"
#include "base/ticks.h"
#include "harvest/harvest_series_int.h"

/* So many values are taken to be as much work for a server as a window. */
#define VALUES_WORTH 256

static bool
is_earlier(const void *t, const void *cut)
{

	return (*(const int64_t *)t < *(const int64_t *)cut);
}

/* Rows of [from, from + n) are ascending in time: the first at or after. */
static uint32_t
rows_until(const struct rows *r, uint32_t col, uint32_t from, uint32_t n,
    int64_t cut)
{
	const int64_t *t = r->v[col].i64 + from;

	return ((uint32_t)search_first(t, n, sizeof(*t), is_earlier, &cut));
}

static void
report_ties(struct group *g, uint32_t index, int64_t at)
{
	struct harvest_series *s = g->series;
	struct harvest_cover c;
	char when[TICKS_TEXT_MAX], text[160];

	(void)snprintf(text, sizeof(text), "more events at %s than the server "
	    "gives at once; the others at that time cannot be read",
	    ticks_text7(at, when));
	harvest_report_add(s->h, s->table->name, s->streams[index].s.name, 0,
	    text);
	harvest_cover_init(&c, s->streams[index].id,
	    s->streams[index].s.key);
	c.a = c.b = at + 1;	/* behind the cover that ends there */
	c.tie = at;
	c.mute = s->streams[index].aside;
	harvest_cover_add(g->writer, &c);
}

/* --- what was read before ------------------------------------------------ */

/* A stretch of an answer: a cell read before, or new. */
struct part {
	int64_t a, b;
	const struct ledger_cell *before;
	bool cell;			/* to be kept as one */
};

/* What is known of the streams of an answer, while it is settled. */
struct known {
	struct ledger_txn *txn;		/* NULL: nothing is compared */
	struct ledger_stream state;	/* of the stream at hand */
	struct ledger_cell *cells;	/* of it, in the answer, in order */
	size_t n, cap;
	struct part *parts;		/* of its part of the answer */
	size_t nparts, parts_cap;
};

static void
known_begin(struct known *n, const struct ask *k)
{
	struct harvest_series *s = k->group->series;
	struct err e = ERR_INIT;

	memset(n, 0, sizeof(*n));
	ledger_stream_init(&n->state);
	if (k->q.b > s->known_from &&
	    ledger_read_begin(s->h->ledger, &n->txn, &e) != 0)
		harvest_fail(s->h, &e);
}

static void
known_end(struct known *n)
{

	if (n->txn != NULL)
		ledger_read_end(n->txn);
	ledger_stream_fini(&n->state);
	free(n->cells);
	free(n->parts);
}

static void
known_add(struct known *n, const struct ledger_cell *k, int64_t a, int64_t b)
{

	if (k->a < a || k->b > b ||
	    !ranges_contains(&n->state.covered, k->a, k->b))
		return;
	if (n->n == n->cap) {
		n->cap = n->cap == 0 ? 2 * LEDGER_CELLS : n->cap * 2;
		n->cells = must_realloc(n->cells, n->cap,
		    sizeof(n->cells[0]));
	}
	n->cells[n->n++] = *k;
}

static bool
overlaps(const struct ledger_stream *st, const struct ledger_cell *k)
{
	unsigned i;

	for (i = 0; i < st->ncells; i++)
		if (st->cells[i].a < k->b && k->a < st->cells[i].b)
			return (true);
	return (false);
}

static int
by_begin(const void *a, const void *b)
{
	const struct ledger_cell *x = a, *y = b;

	return (x->a < y->a ? -1 : x->a > y->a);
}

/* Those of the journal, but where the ledger has its own, finer ones. */
static void
known_before(struct known *n, const struct harvest_series *s, uint32_t index,
    int64_t a, int64_t b)
{
	struct ledger_cell k;
	uint32_t at = 0;

	while (harvest_before_next(s, index, &at, &k))
		if (!overlaps(&n->state, &k))
			known_add(n, &k, a, b);
}

/* The cells of a stream that may be trusted and lie within [a, b). What is
 * not covered is not in the journal any more, whatever a cell says. */
static void
known_get(struct known *n, struct harvest_series *s, uint32_t index,
    int64_t a, int64_t b)
{
	struct ledger_stream *st = &n->state;
	struct err e = ERR_INIT;
	unsigned i;

	n->n = 0;
	if (n->txn == NULL)
		return;
	if (ledger_stream_get(n->txn, s->table->name, s->streams[index].id,
	    st, &e) != 0) {
		harvest_fail(s->h, &e);
		return;
	}
	for (i = 0; i < st->ncells; i++)
		known_add(n, &st->cells[i], a, b);
	if (s->before == NULL)
		return;
	known_before(n, s, index, a, b);
	if (n->n > 1)
		qsort(n->cells, n->n, sizeof(n->cells[0]), by_begin);
}

/* --- one stream's part of an answer -------------------------------------- */

static bool
begins_before(const void *item, const void *a)
{
	const struct ledger_cell *k = item;

	return (k->a < *(const int64_t *)a);
}

static void
part_from(const struct harvest_series *s, const struct known *n, int64_t a,
    int64_t cut, struct part *p)
{
	const struct ledger_cell *k;
	size_t lo;

	p->a = a;
	p->b = cut;
	p->before = NULL;
	p->cell = a >= s->cells_from;
	lo = search_first(n->cells, n->n, sizeof(n->cells[0]), begins_before,
	    &a);
	k = lo < n->n ? &n->cells[lo] : NULL;
	if (k != NULL && k->a == a) {
		p->b = k->b;
		p->before = k;
		return;
	}
	if (k != NULL && k->a < p->b)
		p->b = k->a;
	if (a < s->cells_from && s->cells_from < p->b)
		p->b = s->cells_from;
	if (a >= s->cells_from &&
	    harvest_cell_floor(a, s->cell_len) + s->cell_len < p->b)
		p->b = harvest_cell_floor(a, s->cell_len) + s->cell_len;
}

/* The rows of a stream while its parts are judged, newest first. */
struct run {
	struct rows *rows;
	uint32_t from;			/* first of the stream */
	uint32_t n;			/* of parts not yet judged */
	uint32_t same;			/* right behind them, to be dropped */
};

static void
run_drop(struct run *u)
{

	if (u->same > 0)
		rows_drop(u->rows, u->from + u->n, u->same);
	u->same = 0;
}

/* Whether there is something new. */
static bool
settle_part(struct ask *k, const struct harvest_cover *like,
    const struct part *p, struct run *u)
{
	struct harvest_series *s = k->group->series;
	const uint32_t col = (uint32_t)s->table->cursor;
	uint32_t first, n;
	struct harvest_cover c = *like;

	first = rows_until(u->rows, col, u->from, u->n, p->a);
	n = u->n - first;
	c.cell = p->cell;
	c.cell_values = n;
	if (p->cell || p->before != NULL)
		c.digest = rows_digest(u->rows, u->from + first, n) &
		    HARVEST_DIGEST_MASK;
	if (p->before != NULL && p->before->values == n &&
	    (n == 0 || p->before->digest == c.digest)) {
		s->h->stats.unchanged += n;
		u->same += n;
		u->n = first;
		return (false);
	}
	run_drop(u);
	u->n = first;
	c.a = p->a;
	c.b = p->b;
	c.values = n;
	if (n > 0)
		c.last = u->rows->v[col].i64[u->from + first + n - 1];
	harvest_cover_add(k->group->writer, &c);
	return (true);
}

/* Rows [from, from + n) are all of [a, cut): keep what is new of them. */
static void
settle_rows(struct ask *k, struct known *known, uint32_t index,
    const struct harvest_cover *like, int64_t cut, struct run *u)
{
	struct harvest_series *s = k->group->series;
	bool news = false;
	int64_t a;
	size_t i;

	known_get(known, s, index, k->q.a, cut);
	known->nparts = 0;
	for (a = k->q.a; a < cut; a = known->parts[known->nparts++].b) {
		if (known->nparts == known->parts_cap) {
			known->parts_cap = known->parts_cap * 2 + 16;
			known->parts = must_realloc(known->parts,
			    known->parts_cap, sizeof(known->parts[0]));
		}
		part_from(s, known, a, cut, &known->parts[known->nparts]);
	}
	for (i = known->nparts; i-- > 0;)
		news = settle_part(k, like, &known->parts[i], u) || news;
	run_drop(u);
	/* That it was read is worth knowing though nothing was new. */
	if (!news)
		harvest_cover_add(k->group->writer, like);
}

/* Judge stream number i of the answer. */
static void
settle_stream(struct ask *k, struct known *known, uint32_t i)
{
	struct group *g = k->group;
	struct harvest_series *s = g->series;
	struct source_page *p = &k->pages[i];
	struct run u = { harvest_open_rows(g->writer), p->row_from, 0, 0 };
	struct harvest_cover c;
	enum sched_verdict v;
	uint32_t index = k->q.ids[i];
	int64_t cut = k->q.a;

	v = sched_verdict(g->sched, &k->q, i, &cut);
	if (v != SCHED_AGAIN && p->row_n > 0)
		u.n = rows_until(u.rows, (uint32_t)s->table->cursor,
		    p->row_from, p->row_n, cut);
	if (u.n < p->row_n)
		rows_drop(u.rows, p->row_from + u.n, p->row_n - u.n);
	if (v == SCHED_AGAIN)
		return;
	k->work += 1 + (double)p->n / VALUES_WORTH;
	s->streams[index].tries = 0;
	s->streams[index].waits = 0;
	s->streams[index].why = NULL;
	s->streams[index].apart = false;
	harvest_cover_init(&c, s->streams[index].id,
	    s->streams[index].s.key);
	c.per_second = sched_density(g->sched, index);
	c.mute = s->streams[index].aside;
	c.since = s->streams[index].since;
	c.seen_a = k->q.a;
	c.seen_b = cut;
	settle_rows(k, known, index, &c, cut, &u);
	if (v == SCHED_TIES)
		report_ties(g, index, cut - 1);
}

/* --- an answer ----------------------------------------------------------- */

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
	struct known known;
	uint32_t i, *order;

	for (i = 0; i < k->q.n; i++)
		if (k->pages[i].present && k->pages[i].code == 0)
			sched_count(g->sched, &k->q, i, k->pages[i].n,
			    k->pages[i].first, k->pages[i].last);
	order = must_calloc(k->q.n, sizeof(order[0]));
	for (i = 0; i < k->q.n; i++)
		order[i] = i;
	qsort_r(order, k->q.n, sizeof(order[0]), by_row, k->pages);
	known_begin(&known, k);
	for (i = k->q.n; i-- > 0;)
		settle_stream(k, &known, order[i]);
	known_end(&known);
	free(order);
	if (k->q.b > g->series->again_from)
		harvest_cover_again(g->writer);
	harvest_batch_touch(g->writer);
	sched_finish(g->sched, &k->q);
}
