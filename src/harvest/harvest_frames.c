/*
 * Frames, read in windows of time. A window has the frames that begin in it,
 * and as the first one also those that reach into it; what of them is as it
 * was when last read is not kept again. Frames that were open and are not
 * listed by it any more are asked for by the same unit, by their beginning,
 * before it delivers.
 */

#include "config.h"

#include <stdlib.h>

#include "base/must.h"
#include "base/ticks.h"
#include "harvest/harvest_walk_int.h"

/* --- windows ------------------------------------------------------------- */

struct plan {
	struct harvest_walk *walk;
	const struct harvest_range *range;
	struct harvest_open *known;		/* of the object at hand */
};

/* [a, ..) up to where the next window begins: in the tail, and in what was
 * the tail, at cells. */
static int64_t
window_end(const struct plan *p, const struct ledger_stream *s, int64_t a,
    int64_t b)
{
	struct harvest *h = p->walk->h;
	const struct source_table *t = p->walk->table;
	int64_t len = harvest_cell_len(h, t);
	int64_t from = harvest_cells_from(h, t, p->range), old = from, end;

	end = s->ncells > 0 ? s->cells[s->ncells - 1].b : a;
	if (s->ncells > 0 && s->cells[0].a < from)
		old = s->cells[0].a;
	if (b - a > h->opt.window_max)
		b = a + h->opt.window_max;
	if (a < old)
		return (b < old ? b : old);
	if (a >= end && a < from)
		return (b < from ? b : from);
	if (len > 0 && harvest_cell_floor(a, len) + len < b)
		b = harvest_cell_floor(a, len) + len;
	return (b);
}

static void
plan_known(struct plan *p, const struct ledger_stream *s)
{
	struct harvest_walk *w = p->walk;
	struct known *k;

	if (!harvest_open_can(w->table))
		return;
	k = must_calloc(1, sizeof(*k));
	p->known = k->open = harvest_open_new(s);
	k->next = w->known;
	w->known = k;
}

static void
plan_window(struct plan *p, const struct ledger_object *o,
    const struct ledger_stream *s, int64_t a, int64_t b, bool first)
{
	struct harvest_walk *w = p->walk;
	const struct ledger_cell *k;
	struct unit *u;
	unsigned i;

	u = harvest_unit_add(w, o->id, o->key, o->name);
	u->a = u->at.a = a;
	u->b = u->at.b = b;
	u->known = p->known;
	u->since = harvest_young_from(s, w->h->opt.reread_frames);
	u->first = first;
	u->cell = a >= harvest_cells_from(w->h, w->table, p->range);
	u->before.a = u->before.b = a;
	for (i = 0; i < s->ncells; i++) {
		k = &s->cells[i];
		if (k->a == a && k->b <= b &&
		    ranges_contains(&s->covered, k->a, k->b))
			u->before = *k;
	}
}

int
harvest_frames_plan(struct harvest_walk *w, struct ledger_txn *txn,
    const struct harvest_range *range, const struct ledger_object *o,
    struct err *e)
{
	struct plan p = { .walk = w, .range = range };
	struct ledger_stream s;
	struct ranges missing;
	int64_t a, b;
	size_t i;
	int rc;

	ranges_init(&missing);
	ledger_stream_init(&s);
	rc = ledger_stream_get(txn, w->table->name, o->id, &s, e);
	if (rc != 0)
		goto out;
	harvest_wanted(&s, range, w->h->opt.reread_frames, &missing);
	harvest_widen(&s, range, w->h->opt.reread_frames, &missing);
	plan_known(&p, &s);
	for (i = 0; i < missing.n; i++) {
		for (a = missing.r[i].a; a < missing.r[i].b; a = b) {
			b = window_end(&p, &s, a, missing.r[i].b);
			plan_window(&p, o, &s, a, b, a == missing.r[i].a);
		}
	}
out:
	ledger_stream_fini(&s);
	ranges_fini(&missing);
	return (rc);
}

/* --- what is new --------------------------------------------------------- */

static bool
starts_before(const struct unit *u, uint32_t i, int64_t t)
{
	const int col = u->walk->table->cursor;

	return (col < 0 || rows_null(u->rows, (uint32_t)col, i) ||
	    u->rows->v[col].i64[i] < t);
}

/* What begins at the end of a window belongs to the next, what began before
 * it to the one before, if that is read as well: so each frame is kept once. */
static bool
belongs(const struct unit *u, uint32_t i)
{

	return (starts_before(u, i, u->b) &&
	    (u->first || !starts_before(u, i, u->a)));
}

/*
 * What is new of a window of frames, as *c: all of it when what began before
 * the end of its last reading, or reaches into it, is not as it was; else
 * what began since. False: nothing.
 */
static bool
window_news(const struct unit *u, struct harvest_cover *c)
{
	const struct ledger_cell *k = &u->before;
	uint32_t i, old = 0, rows = 0;
	uint64_t digest, old_digest = 0;

	MUST(u->rows != NULL || u->listed == 0);
	for (i = 0; i < u->listed; i++) {
		if (!starts_before(u, i, u->b))
			continue;
		digest = rows_digest(u->rows, i, 1);
		if (starts_before(u, i, k->b)) {
			old++;
			old_digest += digest;
			rows += belongs(u, i);
		} else {
			c->cell_values++;
			c->digest += digest;
			c->values++;
		}
	}
	c->digest &= HARVEST_DIGEST_MASK;
	old_digest &= HARVEST_DIGEST_MASK;
	c->a = k->b;
	c->b = u->b;
	if (k->a < k->b && old == k->values &&
	    (old == 0 || old_digest == k->digest))
		return (c->a < c->b);
	c->a = u->a;
	c->values += rows;
	c->cell_values += old;
	c->digest = (c->digest + old_digest) & HARVEST_DIGEST_MASK;
	return (true);
}

/* The rows that began at `from` or later, and the missing ones, of which the
 * number is returned. */
static uint32_t
window_rows(struct unit *u, int64_t from)
{
	struct harvest_walk *w = u->walk;
	struct rows_copier *copier;
	uint32_t i, n = 0;

	if (u->rows == NULL || u->rows->n == 0)
		return (0);
	copier = rows_copier_new(harvest_open_rows(w->writer), u->rows, NULL);
	for (i = 0; i < u->listed; i++)
		if (belongs(u, i) &&
		    (from == TICKS_NONE || !starts_before(u, i, from)))
			rows_copier_row(copier, i);
	for (; i < u->rows->n; i++) {
		if (!harvest_open_asked(u->known, w->table, u->rows, i,
		    u->opens))
			continue;
		rows_copier_row(copier, i);
		n++;
	}
	rows_copier_free(copier);
	return (n);
}

void
harvest_frames_deliver(struct unit *u)
{
	struct harvest_cover c;
	uint32_t more;
	bool news;

	harvest_cover_init(&c, u->id, u->key != NULL ? u->key : "");
	c.cell = u->cell;
	news = window_news(u, &c);
	more = window_rows(u, !news ? u->b : c.a > u->a ? c.a : TICKS_NONE);
	c.opens = u->opens;
	u->opens = NULL;
	if (!news && more > 0) {	/* as it was, but for those */
		c.a = u->a;
		c.cell = true;
		c.cell_values = u->before.values;
		c.digest = u->before.digest;
	} else if (!news) {
		c.a = c.b = 0;		/* that it was read */
	}
	c.since = u->since;
	c.seen_a = u->a;
	c.seen_b = u->b;
	c.values += more;
	harvest_cover_add(u->walk->writer, &c);
}

/* --- frames that were open ----------------------------------------------- */

/* The window is in: what is missing in it? */
static void
find_missing(struct unit *u)
{
	const struct source_table *t = u->walk->table;
	const int64_t tail = harvest_tail(u->walk->h, t);
	uint32_t i;

	MUST(u->rows != NULL);
	u->opens = must_calloc(1, sizeof(*u->opens));
	for (i = 0; i < u->listed; i++)
		if (belongs(u, i))
			harvest_open_row(u->known, t, u->rows, i, u->opens);
	if (u->first)
		harvest_open_rest(u->known, INT64_MIN, u->a, true, tail,
		    &u->missing, u->opens);
	harvest_open_rest(u->known, u->a, u->b, false, tail, &u->missing,
	    u->opens);
}

bool
harvest_frames_more(struct unit *u)
{
	const struct range *r;

	if (!u->at.began)
		find_missing(u);
	if (u->nasked == u->missing.n)
		return (false);
	r = &u->missing.r[u->nasked++];
	u->at.began = true;
	u->at.a = r->a - HARVEST_ABOUT;
	u->at.b = r->b + HARVEST_ABOUT;
	u->at.start = 0;
	return (true);
}
