/*
 * Lists: walks of the catalogue, and frames in windows of time. A unit is
 * one parent object (or the root) and, for frames, one window; its pages
 * follow each other by index until one is shorter than asked, units run
 * side by side. A unit's rows are its own until its last page: then they go
 * to the table's batch, for frames with the coverage they prove. Frames that
 * were open and are not listed by it any more are asked for by the same unit
 * first.
 *
 * A parent that is refused (403, 404, 410...) is reported and gives no rows;
 * any other failure, and 403 for all parents, ends the run, and nothing of
 * the walk is committed.
 */

#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/msg.h"
#include "base/must.h"
#include "base/ticks.h"
#include "codec/json.h"
#include "harvest/harvest_int.h"
#include "loop/loop.h"

#define UNIT_MAGIC 0x77616c6bu
/* Times of AF are those of an SQL server, in steps of a few milliseconds:
 * that of an answer may not be equal to the one it was made of. */
#define ABOUT (10 * TICKS_PER_MS)

enum unit_state { UNIT_READY, UNIT_ASKED, UNIT_DONE };

struct unit {
	uint32_t magic;
	struct harvest_walk *walk;
	struct unit *next;
	enum unit_state state;
	uint32_t id;			/* of the parent object, 0: root */
	char *key;
	char *name;
	struct source_walk at;		/* page, of the window or of frames
					 * that are missing in it */
	int64_t a, b;			/* frames: the window */
	struct rows *rows;		/* of its pages so far, or NULL */
	struct fetch_job *job;		/* UNIT_ASKED */
	unsigned tries;			/* of this page, unusable answers */
	bool cell;			/* frames: kept to be compared */
	bool first;			/* frames: the window before is not read
					 * in this run */
	struct ledger_cell before;	/* frames: what it was up to before.b,
					 * before.a < before.b */
	int64_t since;			/* frames: young from here */
	uint32_t listed;		/* rows of the window itself */
	struct harvest_open *known;	/* the walk's; NULL: not followed */
	struct harvest_opens *opens;	/* with `known`, learnt so far */
	struct ranges missing;		/* to be asked by beginning */
	size_t nasked;			/* of them */
};

/* Of an object whose frames are read: its units share it. */
struct known {
	struct known *next;
	struct harvest_open *open;
};

struct harvest_walk {
	struct harvest *h;
	const struct source_table *table;
	struct harvest_writer *writer;
	struct unit *units;
	struct unit **tail;
	struct unit *head;		/* those before it are UNIT_DONE */
	struct known *known;
	unsigned nunits;
	unsigned in[UNIT_DONE + 1];	/* units by state */
	unsigned forbidden;		/* by 403 */
	bool abandoned;
};

/* --- units --------------------------------------------------------------- */

static struct unit *
unit_add(struct harvest_walk *w, uint32_t id, const char *key,
    const char *name)
{
	struct unit *u;

	u = must_calloc(1, sizeof(*u));
	u->magic = UNIT_MAGIC;
	u->walk = w;
	u->id = id;
	ranges_init(&u->missing);
	u->key = key != NULL ? must_strdup(key) : NULL;
	u->name = name != NULL ? must_strdup(name) : NULL;
	u->at.parent = u->key;
	u->at.parent_name = u->name;
	u->at.filter = w->h->opt.stream_filter;
	u->at.count = w->table->page_size;
	if (u->at.count > w->h->opt.item_cap)
		u->at.count = w->h->opt.item_cap;
	*w->tail = u;
	w->tail = &u->next;
	w->nunits++;
	w->in[UNIT_READY]++;
	return (u);
}

static void
unit_free(struct unit *u)
{

	MUST(u->job == NULL);
	rows_free(u->rows);
	harvest_opens_free(u->opens);
	ranges_fini(&u->missing);
	free(u->key);
	free(u->name);
	u->magic = 0;
	free(u);
}

static unsigned
units_left(const struct harvest_walk *w)
{

	return (w->in[UNIT_READY] + w->in[UNIT_ASKED]);
}

static void
unit_set_state(struct unit *u, enum unit_state state)
{

	MUST(u->state != state && u->state != UNIT_DONE);
	u->walk->in[u->state]--;
	u->walk->in[state]++;
	u->state = state;
}

static void
unit_done(struct unit *u)
{

	unit_set_state(u, UNIT_DONE);
	rows_free(u->rows);
	u->rows = NULL;
	if (units_left(u->walk) == 0 && !u->walk->abandoned)
		u->walk->writer->complete = true;
}

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

	return (u->walk->table->kind != SOURCE_FRAMES ||
	    (starts_before(u, i, u->b) &&
	    (u->first || !starts_before(u, i, u->a))));
}

/*
 * What is new of a window of frames, as *c: all of it when what began before
 * the end of its last reading, or reaches into it, is not as it was; else
 * what began since. False: nothing.
 */
static bool
frames_news(const struct unit *u, struct harvest_cover *c)
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

/* Its rows, of frames those that began at `from` or later, and the missing
 * ones, of which the number is returned. */
static uint32_t
unit_rows(struct unit *u, int64_t from)
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

static void
frames_deliver(struct unit *u)
{
	struct harvest_cover c;
	uint32_t more;
	bool news;

	harvest_cover_init(&c, u->id, u->key != NULL ? u->key : "");
	c.cell = u->cell;
	news = frames_news(u, &c);
	more = unit_rows(u, !news ? u->b : c.a > u->a ? c.a : TICKS_NONE);
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

/* The last page is in: hand the rows over. */
static void
unit_deliver(struct unit *u)
{
	struct harvest_walk *w = u->walk;

	if (u->rows != NULL && u->rows->n > 0)
		source_walk_finish(w->table, u->rows, 0);
	if (w->table->kind == SOURCE_FRAMES)
		frames_deliver(u);
	else
		(void)unit_rows(u, TICKS_NONE);
	harvest_batch_touch(w->writer);
	unit_done(u);
}

/* The window is in: what is missing in it? */
static void
frames_missing(struct unit *u)
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

/* The last page is in: whether more is to be asked. */
static bool
unit_more(struct unit *u)
{
	const struct range *r;

	if (u->known == NULL)
		return (false);
	if (!u->at.began)
		frames_missing(u);
	if (u->nasked == u->missing.n)
		return (false);
	r = &u->missing.r[u->nasked++];
	u->at.began = true;
	u->at.a = r->a - ABOUT;
	u->at.b = r->b + ABOUT;
	u->at.start = 0;
	return (true);
}

/* --- answers ------------------------------------------------------------- */

/* The server gives fewer items a call than asked for: ask for so many. */
static bool
learn_cap(struct unit *u, const struct fetch_answer *a)
{
	struct harvest *h = u->walk->h;
	uint32_t cap = source_cap_from_text(a->err.text);

	if (a->err.code != ERR_REQUEST || cap == 0 || cap >= u->at.count)
		return (false);
	u->at.count = cap;
	harvest_cap_learn(h, cap);
	return (true);
}

static void
unit_refused(struct unit *u, struct fetch_answer *a)
{
	struct harvest_walk *w = u->walk;
	struct harvest *h = w->h;
	struct harvest_cover c;

	switch (a->err.code) {
	case ERR_NOTFOUND:
		/* IIS refuses long URLs so; what is there is not told. */
		if (harvest_is_html(a))
			break;
		if (u->id == 0) {	/* a site without such, e.g. without AF */
			msg_info("discover", "%s: %s; taken as empty",
			    w->table->name, a->err.text);
			unit_deliver(u);
			return;
		}
		/* FALLTHROUGH */
	case ERR_FORBIDDEN:
	case ERR_GONE:
	case ERR_REQUEST:
	case ERR_UNSUPPORTED:
		/* All of them: it is we who are refused, and what we may
		 * not see is not gone. */
		w->forbidden += a->err.code == ERR_FORBIDDEN;
		if (u->id != 0 && (w->forbidden < w->nunits ||
		    w->table->kind != SOURCE_WALK)) {
			harvest_report_add(h, w->table->name, u->name,
			    a->err.code, a->err.text);
			if (w->table->kind == SOURCE_WALK) {
				unit_deliver(u);
				return;
			}
			harvest_cover_init(&c, u->id, u->key);
			harvest_cover_failed(&c, a->err.code, a->err.text);
			harvest_cover_add(w->writer, &c);
			harvest_batch_touch(w->writer);
			unit_done(u);
			return;
		}
		break;
	default:
		break;
	}
	harvest_fail(h, &a->err);
}

static int
unit_decode(struct unit *u, struct fetch_answer *a, uint32_t *items)
{
	const struct source_table *t = u->walk->table;
	bool whole = json_whole(a->body, a->len);
	uint32_t before;
	int rc;

	if (u->rows == NULL)
		u->rows = rows_new(t->schema);
	before = u->rows->n;
	rc = source_walk_decode(t, &u->at, a->body, a->len, u->rows, items,
	    &a->err);
	if (rc != 0) {
		rows_truncate(u->rows, before);
		a->unusable = !whole;
	}
	return (rc);
}

static void
quarantine(struct unit *u, const struct fetch_answer *a,
    struct harvest_copy *copy)
{
	struct harvest_walk *w = u->walk;
	struct harvest_bad bad = { .table = w->table->name, .stream = u->name,
	    .key = u->key, .a = TICKS_NONE, .b = TICKS_NONE,
	    .status = a->status, .code = a->err.code, .reason = a->err.text };
	struct buf target;

	if (w->table->kind == SOURCE_FRAMES) {
		bad.a = u->at.a;
		bad.b = u->at.b;
	}
	buf_init(&target, 1 << 16);
	source_walk_target(w->table, w->h->opt.base, &u->at, &target);
	bad.target = buf_str(&target);
	harvest_quarantine(w->h, &bad, copy);
	buf_fini(&target);
}

static void
on_page(void *cookie, struct fetch_answer *a)
{
	struct harvest_copy copy = { NULL, 0, 0 };
	struct unit *u = cookie;
	struct harvest *h;
	uint32_t items = 0;

	MAGIC_CHECK(u, UNIT_MAGIC);
	h = u->walk->h;
	u->job = NULL;
	unit_set_state(u, UNIT_READY);
	if (a->err.code == 0 && u->tries + 1 >= h->opt.tries)
		harvest_copy_take(h, &copy, a);
	if (a->err.code != 0) {
		if (!learn_cap(u, a))
			unit_refused(u, a);
	} else if (unit_decode(u, a, &items) != 0) {
		if (++u->tries >= h->opt.tries) {
			quarantine(u, a, &copy);
			err_wrap(&a->err, "%s%s%s", u->walk->table->name,
			    u->name != NULL ? ": " : "",
			    u->name != NULL ? u->name : "");
			harvest_fail(h, &a->err);
		}
	} else {
		harvest_good(h);
		u->tries = 0;
		if (!u->at.began)
			u->listed = u->rows->n;
		if (u->at.count > 0 && items >= u->at.count)
			u->at.start += items;
		else if (!unit_more(u))
			unit_deliver(u);
	}
	harvest_copy_free(&copy);
	harvest_poke(h);
}

static void
unit_ask(struct unit *u)
{
	struct harvest *h = u->walk->h;
	struct fetch_request q = { .method = "GET",
	    .class = HARVEST_ASKS_WALK };
	struct buf target;

	buf_init(&target, 1 << 16);
	source_walk_target(u->walk->table, h->opt.base, &u->at, &target);
	MUST_MEMORY(target.error == 0);
	q.target = buf_str(&target);
	unit_set_state(u, UNIT_ASKED);
	u->job = fetch_start(h->fetch, &q, on_page, u);
	buf_fini(&target);
}

bool
harvest_walk_poke(struct harvest *h)
{
	struct harvest_walk *w = h->walk;
	struct unit *u;

	if (w == NULL || w->in[UNIT_READY] == 0)
		return (false);
	while (w->head->state == UNIT_DONE)
		w->head = w->head->next;
	for (u = w->head; u->state != UNIT_READY; u = u->next)
		continue;
	unit_ask(u);
	return (true);
}

bool
harvest_walk_idle(const struct harvest *h)
{

	return (h->walk == NULL || units_left(h->walk) == 0);
}

void
harvest_walk_abandon(struct harvest *h)
{
	struct unit *u;

	if (harvest_walk_idle(h))
		return;
	h->walk->abandoned = true;
	for (u = h->walk->units; u != NULL; u = u->next) {
		if (u->state == UNIT_DONE)
			continue;
		if (u->job != NULL)
			fetch_cancel(u->job);
		u->job = NULL;
		unit_done(u);
	}
}

/* --- what to walk -------------------------------------------------------- */

struct plan {
	struct harvest_walk *walk;
	struct ledger_txn *txn;
	const struct harvest_range *range;	/* NULL: a walk */
	struct harvest_open *known;		/* of the object at hand */
	struct err *err;
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

	p->known = NULL;
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

	u = unit_add(w, o->id, o->key, o->name);
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

static int
plan_frames(struct plan *p, const struct ledger_object *o)
{
	struct harvest_walk *w = p->walk;
	struct ledger_stream s;
	struct ranges missing;
	int64_t a, b;
	size_t i;
	int rc;

	ranges_init(&missing);
	ledger_stream_init(&s);
	rc = ledger_stream_get(p->txn, w->table->name, o->id, &s, p->err);
	if (rc != 0)
		goto out;
	harvest_wanted(&s, p->range, w->h->opt.reread_frames,
	    &missing);
	harvest_widen(&s, p->range, w->h->opt.reread_frames, &missing);
	plan_known(p, &s);
	for (i = 0; i < missing.n; i++) {
		for (a = missing.r[i].a; a < missing.r[i].b; a = b) {
			b = window_end(p, &s, a, missing.r[i].b);
			plan_window(p, o, &s, a, b,
			    a == missing.r[i].a);
		}
	}
out:
	ledger_stream_fini(&s);
	ranges_fini(&missing);
	return (rc);
}

static int
plan_object(const struct ledger_object *o, void *cookie)
{
	struct plan *p = cookie;

	if (o->gone)
		return (0);
	if (p->range != NULL)
		return (plan_frames(p, o));
	(void)unit_add(p->walk, o->id, o->key, o->name);
	return (0);
}

static int
plan_units(struct harvest_walk *w, const struct harvest_range *range,
    struct err *e)
{
	struct plan p = { .walk = w, .range = range, .err = e };
	int rc;

	if (w->table->over == NULL) {
		(void)unit_add(w, 0, NULL, NULL);
		return (0);
	}
	if ((rc = ledger_read_begin(w->h->ledger, &p.txn, e)) != 0)
		return (rc);
	rc = ledger_object_each(p.txn, w->table->over->name, 1, UINT32_MAX,
	    plan_object, &p, e);
	ledger_read_end(p.txn);
	return (rc);
}

/* --- life ---------------------------------------------------------------- */

static void
walk_free(struct harvest_walk *w)
{
	struct known *k;
	struct unit *u;

	while ((u = w->units) != NULL) {
		w->units = u->next;
		unit_free(u);
	}
	while ((k = w->known) != NULL) {
		w->known = k->next;
		harvest_open_free(k->open);
		free(k);
	}
	free(w);
}

int
harvest_walk_begin(struct harvest *h, const struct source_table *t,
    const struct harvest_range *range, struct err *e)
{
	struct harvest_walk *w = must_calloc(1, sizeof(*w));
	int rc;

	MUST(h->walk == NULL);
	w->h = h;
	w->table = t;
	w->tail = &w->units;
	if ((rc = harvest_writer_get(h, t, 0, &w->writer, e)) != 0 ||
	    (rc = plan_units(w, range, e)) != 0) {
		walk_free(w);
		return (rc);
	}
	/* A walk without parents is complete too: there are no objects. */
	if (w->units == NULL && t->kind == SOURCE_WALK) {
		harvest_batch_touch(w->writer);
		w->writer->complete = true;
	}
	w->head = w->units;
	h->walk = w;
	return (0);
}

void
harvest_walk_end(struct harvest *h)
{

	if (h->walk != NULL)
		walk_free(h->walk);
	h->walk = NULL;
}

int
harvest_walk_run(struct harvest *h, const struct source_table *t,
    const struct harvest_range *range, struct err *e)
{
	int rc;

	if ((rc = harvest_walk_begin(h, t, range, e)) == 0)
		rc = harvest_drive(h, e);
	harvest_walk_end(h);
	return (rc);
}
