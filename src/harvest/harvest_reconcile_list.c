/*
 * Reconciliation of lists: rows of ours are read from the journal as hashes
 * of key and content, then the lists are asked from the server again, and
 * each of their rows looked up. What was in none of them is then named from
 * the journal.
 *
 * A parent whose list cannot be had is a failure of its own; what we have
 * and did not see is then not judged, as it may be in that list.
 */

#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/hash.h"
#include "base/must.h"
#include "base/search.h"
#include "base/ticks.h"
#include "harvest/harvest_reconcile_list_int.h"
#include "loop/loop.h"

#define UNIT_MAGIC 0x7265776bu

/* --- ours ---------------------------------------------------------------- */

typedef int row_fn(struct check *, const struct rows *, uint32_t i);

/* The row as what is compared; false: it is none. The schema may be an
 * older one. */
static bool
look_at(struct check *c, const struct rows *r, uint32_t i)
{
	const struct source_table *t = c->table;
	int began, end;

	if (!source_walk_object(t, r, i, &c->object))
		return (false);
	c->key = hash64(c->object.key, strlen(c->object.key), 0);
	c->began = TICKS_NONE;
	c->open = false;
	if (t->kind != SOURCE_FRAMES)
		return (true);
	began = rows_schema_find(r->schema, t->schema->cols[t->cursor].name);
	if (began < 0 || rows_null(r, (uint32_t)began, i))
		return (false);
	c->began = r->v[began].i64[i];
	c->key = hash_mix(c->key ^ (uint64_t)c->began);
	end = t->open_end < 0 ? -1 : rows_schema_find(r->schema,
	    t->schema->cols[t->open_end].name);
	c->open = end >= 0 && rows_null(r, (uint32_t)end, i);
	return (true);
}

static bool
is_frame_of(const struct check *c, int64_t a, int64_t b)
{

	return (c->began == TICKS_NONE || (c->began >= a && c->began < b));
}

static int
add_own(struct check *c, const struct rows *r, uint32_t i)
{
	struct own *x;

	c->read++;
	if (!look_at(c, r, i) || !is_frame_of(c, c->from, c->to))
		return (0);
	if (c->n == c->cap) {
		c->cap = c->cap == 0 ? 1024 : 2 * c->cap;
		c->own = must_realloc(c->own, c->cap, sizeof(c->own[0]));
	}
	x = &c->own[c->n++];
	x->key = c->key;
	x->digest = rows_digest(r, i, 1);
	x->order = c->read;
	x->seen = false;
	x->free = c->open || !rows_schema_equal(r->schema, c->table->schema);
	return (0);
}

static int
read_blocks(struct check *c, struct journal_reader *reader, row_fn *fn,
    struct err *e)
{
	const struct rows_schema *schema;
	struct journal_block b;
	struct rows *rows;
	uint32_t i;
	int rc;

	while ((rc = journal_reader_next(reader, &b, &schema, e)) == 1) {
		if (c->table->kind == SOURCE_FRAMES &&
		    (b.last_tick < c->from || b.first_tick >= c->to))
			continue;
		rows = rows_new(schema);
		rc = journal_reader_rows(reader, rows, e);
		for (i = 0; rc == 0 && i < rows->n; i++)
			rc = fn(c, rows, i);
		rows_free(rows);
		if (rc != 0)
			break;
	}
	return (rc);
}

static int
read_ours(struct check *c, enum harvest_group_from from, row_fn *fn,
    bool *any, struct err *e)
{
	struct journal_reader *reader;
	int rc;

	rc = harvest_group_read(c->h, c->table, 0, from, &reader, e);
	*any = rc == 0 && reader != NULL;
	if (!*any)
		return (rc);
	rc = read_blocks(c, reader, fn, e);
	journal_reader_close(reader);
	return (rc);
}

static int
by_key(const void *a, const void *b)
{
	const struct own *x = a, *y = b;

	if (x->key != y->key)
		return (x->key < y->key ? -1 : 1);
	return (x->order < y->order ? -1 : x->order > y->order);
}

/* Of a frame that was read several times the newest row counts. */
static void
keep_newest(struct check *c)
{
	size_t i, n = 0;

	for (i = 0; i < c->n; i++)
		if (i + 1 == c->n || c->own[i + 1].key != c->own[i].key)
			c->own[n++] = c->own[i];
	c->n = n;
}

int
harvest_list_ours(struct check *c, enum harvest_group_from from, bool *any,
    struct err *e)
{
	int rc;

	rc = read_ours(c, from, add_own, any, e);
	if (rc == 0 && c->n > 1)
		qsort(c->own, c->n, sizeof(c->own[0]), by_key);
	if (rc == 0 && c->table->kind == SOURCE_FRAMES)
		keep_newest(c);
	return (rc);
}

/* --- comparing ----------------------------------------------------------- */

/* The row at hand is not as ours, or one of the two is not there. An object
 * may have come since it was walked; of a frame the newest row stays, though
 * the server has it no more. */
static void
tell(struct check *c, uint64_t ours, uint64_t theirs)
{
	struct harvest_difference d = { .table = c->table, .one = true,
	    .stream = c->object.name, .key = c->object.key, .a = c->began,
	    .b = c->began, .ours = ours, .theirs = theirs };

	d.news = c->table->kind == SOURCE_FRAMES ? theirs == 0 : ours == 0;
	if (!d.news)
		c->o->differing++;
	else if (ours == 0)
		c->o->news++;
	else
		c->o->gone++;
	c->o->differs(c->o->cookie, &d);
}

/* A list could not be had. */
static void
tell_failed(const struct unit *u, const struct err *why)
{
	struct check *c = u->check;
	struct harvest_difference d = { .table = c->table, .one = true,
	    .stream = u->name != NULL ? u->name : c->table->name,
	    .key = u->key != NULL ? u->key : "", .a = u->a, .b = u->b,
	    .code = why->code, .text = why->text };

	c->failed++;
	c->o->failed++;
	c->o->differs(c->o->cookie, &d);
}

static bool
is_below(const void *item, const void *key)
{
	const struct own *x = item;

	return (x->key < *(const uint64_t *)key);
}

/* The first one of the key, or of a greater one. */
static size_t
find(const struct check *c, uint64_t key)
{

	return (search_first(c->own, c->n, sizeof(c->own[0]), is_below, &key));
}

/* Two walks may have met it under one parent and another: any will do. */
static void
compare(struct unit *u, const struct rows *r, uint32_t i)
{
	struct check *c = u->check;
	bool here = false, same = false;
	uint64_t digest;
	size_t k;

	if (!look_at(c, r, i) || !is_frame_of(c, u->a, u->b))
		return;
	if (c->began == TICKS_NONE)
		c->o->objects++;
	else
		c->o->frames++;
	digest = rows_digest(r, i, 1);
	for (k = find(c, c->key); k < c->n && c->own[k].key == c->key; k++) {
		c->own[k].seen = here = true;
		same = same || c->own[k].free || c->own[k].digest == digest;
	}
	if (!here || !same)
		tell(c, here, 1);
}

static int
tell_unseen(struct check *c, const struct rows *r, uint32_t i)
{
	size_t k;

	if (!look_at(c, r, i))
		return (0);
	if (c->began != TICKS_NONE &&
	    !ranges_contains(&c->judged, c->began, c->began + 1))
		return (0);
	k = find(c, c->key);
	if (k < c->n && c->own[k].key == c->key && !c->own[k].seen) {
		c->own[k].seen = true;
		tell(c, 1, 0);
	}
	return (0);
}

int
harvest_list_unseen(struct check *c, enum harvest_group_from from,
    struct err *e)
{
	bool any;

	if (c->failed > 0)
		return (0);
	return (read_ours(c, from, tell_unseen, &any, e));
}

/* --- theirs -------------------------------------------------------------- */

struct unit *
harvest_list_unit(struct check *c, const struct ledger_object *o)
{
	const struct harvest_options *opt = &c->h->opt;
	struct unit *u;

	u = must_calloc(1, sizeof(*u));
	u->magic = UNIT_MAGIC;
	u->check = c;
	u->key = o == NULL ? NULL : must_strdup(o->key);
	u->name = o == NULL ? NULL : must_strdup(o->name);
	u->at = (struct source_walk){ .parent = u->key,
	    .parent_name = u->name, .filter = opt->stream_filter,
	    .count = c->table->page_size < opt->item_cap ?
	    c->table->page_size : opt->item_cap };
	u->a = u->b = TICKS_NONE;
	u->rows = rows_new(c->table->schema);
	c->units = must_realloc(c->units, c->nunits + 1,
	    sizeof(c->units[0]));
	c->units[c->nunits++] = u;
	return (u);
}

static void
unit_free(struct unit *u)
{

	MUST(u->job == NULL);
	u->magic = 0;
	rows_free(u->rows);
	free(u->key);
	free(u->name);
	free(u);
}

/* All of the list is in. */
static void
unit_end(struct unit *u)
{
	uint32_t i;

	if (u->rows->n > 0)
		source_walk_finish(u->check->table, u->rows, 0);
	for (i = 0; i < u->rows->n; i++)
		compare(u, u->rows, i);
	rows_free(u->rows);
	u->rows = NULL;
}

static void ask(struct unit *);
static void ask_more(struct check *);

static void
unit_failed(struct unit *u, const struct fetch_answer *a)
{
	const struct err *why = &a->err;
	struct check *c = u->check;

	if (why->code == ERR_AUTH || why->code == ERR_TLS ||
	    why->code == ERR_CONFIG) {
		harvest_fail(c->h, why);
	} else if (why->code == ERR_NOTFOUND && u->key == NULL &&
	    !harvest_is_html(a)) {
		unit_end(u);		/* a site without such */
	} else {
		if (!harvest_refused(why->code))
			harvest_bad(c->h, why);
		tell_failed(u, why);
	}
}

/* True: there is another page to ask. */
static bool
take(struct unit *u, struct fetch_answer *a)
{
	struct harvest *h = u->check->h;
	uint32_t items = 0, cap = source_cap_from_text(a->err.text);

	if (a->err.code == ERR_REQUEST && cap > 0 && cap < u->at.count) {
		u->at.count = cap;	/* it gives fewer a call */
		return (true);
	}
	if (a->err.code != 0 || source_walk_decode(u->check->table, &u->at,
	    a->body, a->len, u->rows, &items, &a->err) != 0) {
		unit_failed(u, a);
		return (false);
	}
	harvest_good(h);
	u->at.start += items;
	if (u->at.count > 0 && items >= u->at.count)
		return (true);
	unit_end(u);
	return (false);
}

static void
on_page(void *cookie, struct fetch_answer *a)
{
	struct unit *u = cookie;
	struct check *c;

	MAGIC_CHECK(u, UNIT_MAGIC);
	c = u->check;
	u->job = NULL;
	c->out--;
	if (take(u, a))
		ask(u);
	ask_more(c);
}

static void
ask(struct unit *u)
{
	struct harvest *h = u->check->h;
	struct fetch_request q = { .method = "GET",
	    .class = HARVEST_ASKS_WALK };
	struct buf target;

	buf_init(&target, 1 << 16);
	source_walk_target(u->check->table, h->opt.base, &u->at, &target);
	MUST_MEMORY(target.error == 0);
	q.target = buf_str(&target);
	u->job = fetch_start(h->fetch, &q, on_page, u);
	u->check->out++;
	buf_fini(&target);
}

static bool
is_done(const struct check *c)
{

	return (c->h->stopping || c->h->fatal.code != 0 ||
	    (c->out == 0 && c->asked == c->nunits));
}

static void
ask_more(struct check *c)
{

	while (!is_done(c) && c->asked < c->nunits &&
	    fetch_room(c->h->fetch) > 0)
		ask(c->units[c->asked++]);
	if (is_done(c))
		loop_stop(c->h->loop);
}

static void
first(void *cookie)
{

	ask_more(cookie);
}

int
harvest_list_theirs(struct check *c, struct err *e)
{
	struct harvest *h = c->h;
	size_t i;

	if (c->nunits == 0)
		return (0);
	loop_defer(h->loop, first, c);
	while (!is_done(c))
		loop_run(h->loop);
	for (i = 0; i < c->asked; i++) {
		if (c->units[i]->job == NULL)
			continue;
		fetch_cancel(c->units[i]->job);
		c->units[i]->job = NULL;
	}
	return (harvest_reconcile_end(h, e));
}

void
harvest_list_fini(struct check *c)
{
	size_t i;

	for (i = 0; i < c->nunits; i++)
		unit_free(c->units[i]);
	ranges_fini(&c->judged);
	free(c->units);
	free(c->own);
}
