/*
 * Lists: walks of the catalogue, and frames in windows of time. A unit is
 * one parent object (or the root) and, for frames, one window; its pages
 * follow each other by index until one is shorter than asked, units run
 * side by side. A unit's rows are its own until its last page: then they go
 * to the table's batch, for frames with the coverage they prove.
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
#include "harvest/harvest_walk_int.h"
#include "loop/loop.h"

#define UNIT_MAGIC 0x77616c6bu

/* --- units --------------------------------------------------------------- */

struct unit *
harvest_unit_add(struct harvest_walk *w, uint32_t id, const char *key,
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

static void
unit_rows(struct unit *u)
{
	struct rows_copier *copier;

	if (u->rows == NULL || u->rows->n == 0)
		return;
	copier = rows_copier_new(harvest_open_rows(u->walk->writer), u->rows,
	    NULL);
	for (uint32_t i = 0; i < u->rows->n; i++)
		rows_copier_row(copier, i);
	rows_copier_free(copier);
}

/* The last page is in: hand the rows over. */
static void
unit_deliver(struct unit *u)
{
	struct harvest_walk *w = u->walk;

	if (u->rows != NULL && u->rows->n > 0)
		source_walk_finish(w->table, u->rows, 0);
	if (w->table->kind == SOURCE_FRAMES)
		harvest_frames_deliver(u);
	else
		unit_rows(u);
	harvest_batch_touch(w->writer);
	unit_done(u);
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
		if (u->id == 0) {	/* a site without such, as AF */
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
blame(const struct unit *u, struct err *e)
{
	struct buf target;

	buf_init(&target, 1 << 16);
	source_walk_target(u->walk->table, u->walk->h->opt.base, &u->at,
	    &target);
	fetch_blame(e, "GET", buf_str(&target));
	buf_fini(&target);
	(void)err_wrap(e, "%s%s%s", u->walk->table->name,
	    u->name != NULL ? ": " : "", u->name != NULL ? u->name : "");
}

static void
on_page(void *cookie, struct fetch_answer *a)
{
	struct harvest_copy copy = { NULL, 0, 0 };
	struct unit *u = cookie;
	struct harvest *h;
	uint32_t items = 0;
	struct err e;

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
			e = a->err;
			blame(u, &e);
			harvest_fail(h, &e);
		}
	} else {
		harvest_good(h);
		u->tries = 0;
		if (!u->at.began)
			u->listed = u->rows->n;
		if (u->at.count > 0 && items >= u->at.count)
			u->at.start += items;
		else if (u->known == NULL || !harvest_frames_more(u))
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
	struct err *err;
};

static int
plan_object(const struct ledger_object *o, void *cookie)
{
	struct plan *p = cookie;

	if (o->gone)
		return (0);
	if (p->range != NULL)
		return (harvest_frames_plan(p->walk, p->txn, p->range, o,
		    p->err));
	(void)harvest_unit_add(p->walk, o->id, o->key, o->name);
	return (0);
}

static int
plan_units(struct harvest_walk *w, const struct harvest_range *range,
    struct err *e)
{
	struct plan p = { .walk = w, .range = range, .err = e };
	int rc;

	if (w->table->over == NULL) {
		(void)harvest_unit_add(w, 0, NULL, NULL);
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
