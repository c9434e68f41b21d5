/*
 * What a batch teaches about its streams: coverage, density, how the last
 * reading went. Covers come in order of stream (harvest_cover_write() sorts
 * them), so that each stream's record is read and written once a commit.
 */

#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/must.h"
#include "base/ticks.h"
#include "harvest/harvest_int.h"

void
harvest_cover_init(struct harvest_cover *c, uint32_t id, const char *key)
{

	memset(c, 0, sizeof(*c));
	c->id = id;
	c->key = journal_cover_key(id, key);
	c->per_second = -1;
	c->last = TICKS_NONE;
	c->tie = TICKS_NONE;
	c->first = TICKS_NONE;
	c->since = TICKS_NONE;
}

void
harvest_cover_failed(struct harvest_cover *c, int code, const char *why)
{

	c->a = c->b = INT64_MAX;	/* behind those that tell of rows */
	c->fail_code = code;
	c->why = must_strdup(why);
}

void
harvest_covers_clear(struct harvest_batch *b)
{
	size_t i;

	for (i = 0; i < b->ncovers; i++) {
		harvest_opens_free(b->covers[i].opens);
		free(b->covers[i].why);
	}
	b->ncovers = 0;
}

bool
harvest_refused(int code)
{

	return (code == ERR_NOTFOUND || code == ERR_GONE ||
	    code == ERR_UNSUPPORTED || code == ERR_FORBIDDEN ||
	    code == ERR_REQUEST);
}

static int
forgive(struct ledger_txn *txn, const char *table, uint32_t id,
    struct err *e)
{
	struct ledger_stream s;
	int rc;

	ledger_stream_init(&s);
	rc = ledger_stream_get(txn, table, id, &s, e);
	if (rc == 0 && harvest_refused(s.fail_code)) {
		s.fail_code = 0;	/* how often and why stay */
		s.fail_at = 0;
		rc = ledger_stream_put(txn, table, id, &s, e);
	}
	ledger_stream_fini(&s);
	return (rc);
}

int
harvest_forgive(struct ledger_txn *txn, const struct harvest *h,
    const struct source_table *catalogue, uint32_t id, struct err *e)
{
	const struct source_table *t;
	size_t i;
	int rc = 0;

	for (i = 0; i < source_tables(h->source) && rc == 0; i++) {
		t = source_table_at(h->source, i);
		if (t->kind == SOURCE_SERIES && t->over == catalogue)
			rc = forgive(txn, t->name, id, e);
	}
	return (rc);
}

/* Without the request: what is kept is short, and the stream is known. */
static const char *
reason(const char *text)
{
	const char *colon;

	if (strncmp(text, "GET ", 4) != 0 ||
	    (colon = strstr(text, ": ")) == NULL)
		return (text);
	return (colon + 2);
}

static void
learn_failure(struct ledger_stream *s, const struct harvest_cover *c,
    int64_t at)
{

	s->fail_code = c->fail_code;
	s->fail_at = at;
	if (s->fails < UINT32_MAX)
		s->fails++;
	(void)snprintf(s->why, sizeof(s->why), "%s", reason(c->why));
}

/* --- cells --------------------------------------------------------------- */

/* Those that [a, b) changes are no longer what the journal holds. */
static void
cells_remove(struct ledger_stream *s, int64_t a, int64_t b)
{
	unsigned i, n = 0;

	for (i = 0; i < s->ncells; i++)
		if (s->cells[i].b <= a || b <= s->cells[i].a)
			s->cells[n++] = s->cells[i];
	s->ncells = n;
}

/* Parts of one cell, read one after the other, become one. */
static bool
joins(const struct ledger_cell *x, const struct ledger_cell *y, int64_t len)
{

	return (x->b == y->a && x->values <= UINT32_MAX - y->values &&
	    harvest_cell_floor(x->a, len) ==
	    harvest_cell_floor(y->b - 1, len));
}

static void
cell_join(struct ledger_stream *s, unsigned i)
{
	struct ledger_cell *x = &s->cells[i];

	x->b = x[1].b;
	x->values += x[1].values;
	x->digest = (x->digest + x[1].digest) & HARVEST_DIGEST_MASK;
	s->ncells--;
	memmove(x + 1, x + 2, (s->ncells - i - 1) * sizeof(*x));
}

/* In its place; the oldest makes room. */
static void
cells_add(struct ledger_stream *s, const struct ledger_cell *k, int64_t len)
{
	unsigned i;

	for (i = 0; i < s->ncells && s->cells[i].a < k->a; i++)
		continue;
	if (i > 0 && joins(&s->cells[i - 1], k, len)) {
		i--;
		s->cells[i].b = k->b;
		s->cells[i].values += k->values;
		s->cells[i].digest = (s->cells[i].digest + k->digest) &
		    HARVEST_DIGEST_MASK;
	} else {
		if (s->ncells == LEDGER_CELLS) {
			if (i == 0)
				return;
			s->ncells--;
			i--;
			memmove(s->cells, s->cells + 1,
			    s->ncells * sizeof(*k));
		}
		memmove(s->cells + i + 1, s->cells + i,
		    (s->ncells - i) * sizeof(*k));
		s->cells[i] = *k;
		s->ncells++;
	}
	if (i + 1 < s->ncells && joins(&s->cells[i], &s->cells[i + 1], len))
		cell_join(s, i);
}

static void
learn_cell(struct ledger_stream *s, const struct harvest_cover *c,
    int64_t len)
{
	struct ledger_cell k = { .a = c->a, .b = c->b, .values = c->cell_values,
		.digest = c->digest };

	if (c->a >= c->b)
		return;
	cells_remove(s, c->a, c->b);
	if (c->cell && len > 0)
		cells_add(s, &k, len);
}

/* --- a batch ------------------------------------------------------------- */

/* For all streams of a batch. */
struct lesson {
	int64_t at;			/* ours: when its last answer came */
	int64_t cell_len;
	int64_t settled;		/* older: read when it was old enough */
	struct ranges scratch;
};

/* Before the range joins the coverage. */
static void
learn_young(struct ledger_stream *s, const struct harvest_cover *c,
    struct lesson *l)
{
	bool seen = c->seen_a < c->seen_b;
	int64_t a = seen ? c->seen_a : c->a, b = seen ? c->seen_b : c->b;
	size_t i;

	ranges_missing(&s->covered, c->a, c->b, &l->scratch);
	for (i = 0; i < l->scratch.n; i++)
		ranges_add(&s->young, l->scratch.r[i].a, l->scratch.r[i].b);
	ranges_remove(&s->young, a, b < l->settled ? b : l->settled);
}

static void
learn_one(struct ledger_stream *s, const struct harvest_cover *c,
    struct lesson *l)
{

	if (c->fail_code != 0) {
		learn_failure(s, c, l->at);
		return;
	}
	learn_young(s, c, l);
	ranges_add(&s->covered, c->a, c->b);
	learn_cell(s, c, l->cell_len);
	harvest_opens_learn(s, c->opens);
	s->values += c->values;
	if (c->per_second >= 0)
		s->per_second = c->per_second;
	if (c->last > s->last_event)
		s->last_event = c->last;
	if (c->first != TICKS_NONE)
		s->first_event = c->first;
	if (l->at > s->asked)
		s->asked = l->at;
	if (c->mute)
		return;
	s->fail_code = 0;
	s->fail_at = 0;
	s->fails = 0;
	s->why[0] = '\0';
}

/* Before the range joins the coverage: only what is read again can have
 * been noted. */
static int
learn_ties(struct ledger_txn *txn, const char *table,
    const struct ledger_stream *s, const struct harvest_cover *c,
    struct err *e)
{
	size_t i;

	if (c->tie != TICKS_NONE)
		return (harvest_ties_add(txn, table, c->id, c->tie, e));
	for (i = 0; i < s->covered.n && c->a < c->b; i++)
		if (s->covered.r[i].a < c->b && s->covered.r[i].b > c->a)
			return (harvest_ties_clear(txn, table, c->id, c->a,
			    c->b, e));
	return (0);
}

int
harvest_learn(struct ledger_txn *txn, const struct harvest_writer *w,
    const struct harvest_batch *b, struct err *e)
{
	const int64_t tail = harvest_tail(w->h, w->table);
	struct lesson l = { .at = b->ingested,
		.cell_len = harvest_cell_len(w->h, w->table),
		.settled = INT64_MIN };
	const char *table = w->table->name;
	const struct harvest_cover *c;
	struct ledger_stream s;
	size_t i = 0;
	uint32_t id;
	int rc = 0;

	ledger_stream_init(&s);
	ranges_init(&l.scratch);
	if (w->h->now != TICKS_NONE)
		l.settled = w->h->now - tail;
	while (i < b->ncovers && rc == 0) {
		id = b->covers[i].id;
		rc = ledger_stream_get(txn, table, id, &s, e);
		ledger_stream_young(&s, tail);
		for (; i < b->ncovers && b->covers[i].id == id; i++) {
			c = &b->covers[i];
			if (rc == 0)
				rc = learn_ties(txn, table, &s, c, e);
			learn_one(&s, c, &l);
		}
		ledger_stream_young_usual(&s, tail);
		if (rc == 0)
			rc = ledger_stream_put(txn, table, id, &s, e);
	}
	ranges_fini(&l.scratch);
	ledger_stream_fini(&s);
	return (rc);
}
