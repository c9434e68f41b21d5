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

static uint64_t
hash_of(const char *key)
{

	return (hash64(key, strlen(key), 0));
}

static int
add_own(struct check *c, const struct rows *r, uint32_t i)
{
	struct own *x;

	if (!source_walk_object(c->table, r, i, &c->object))
		return (0);
	if (c->n == c->cap) {
		c->cap = c->cap == 0 ? 1024 : 2 * c->cap;
		c->own = must_realloc(c->own, c->cap, sizeof(c->own[0]));
	}
	x = &c->own[c->n++];
	x->key = hash_of(c->object.key);
	x->digest = rows_digest(r, i, 1);
	x->seen = false;
	c->older |= !rows_schema_equal(r->schema, c->table->schema);
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

	return (x->key < y->key ? -1 : x->key > y->key);
}

int
harvest_list_ours(struct check *c, enum harvest_group_from from, bool *any,
    struct err *e)
{
	int rc;

	rc = read_ours(c, from, add_own, any, e);
	if (rc == 0 && c->n > 1)
		qsort(c->own, c->n, sizeof(c->own[0]), by_key);
	return (rc);
}

/* --- comparing ----------------------------------------------------------- */

static void
tell(struct check *c, const char *name, const char *key, uint64_t ours,
    uint64_t theirs, const struct err *why)
{
	struct harvest_difference d = { .table = c->table, .stream = name,
	    .key = key, .a = TICKS_NONE, .b = TICKS_NONE, .ours = ours,
	    .theirs = theirs };

	if (why != NULL) {
		d.code = why->code;
		d.text = why->text;
		c->failed++;
		c->o->failed++;
	} else if (ours == 0) {
		d.news = true;
		c->o->news++;
	} else {
		c->o->differing++;
	}
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
compare(struct check *c, const struct rows *r, uint32_t i)
{
	const struct source_object *o = &c->object;
	uint64_t key, digest;
	bool here = false, same = c->older;
	size_t k;

	if (!source_walk_object(c->table, r, i, &c->object))
		return;
	c->o->objects++;
	key = hash_of(o->key);
	digest = rows_digest(r, i, 1);
	for (k = find(c, key); k < c->n && c->own[k].key == key; k++) {
		c->own[k].seen = here = true;
		same = same || c->own[k].digest == digest;
	}
	if (!here || !same)
		tell(c, o->name, o->key, here, 1, NULL);
}

static int
tell_unseen(struct check *c, const struct rows *r, uint32_t i)
{
	size_t k;

	if (!source_walk_object(c->table, r, i, &c->object))
		return (0);
	k = find(c, hash_of(c->object.key));
	if (k < c->n && !c->own[k].seen) {
		c->own[k].seen = true;
		tell(c, c->object.name, c->object.key, 1, 0, NULL);
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
		compare(u->check, u->rows, i);
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
		tell(c, u->name != NULL ? u->name : c->table->name,
		    u->key != NULL ? u->key : "", 0, 0, why);
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
	if (h->fatal.code != 0) {
		if (e != NULL)
			*e = h->fatal;
		return (h->fatal.code);
	}
	return (h->stopping ? err_set(e, ERR_CANCELLED, "stopped") : 0);
}

void
harvest_list_fini(struct check *c)
{
	size_t i;

	for (i = 0; i < c->nunits; i++)
		unit_free(c->units[i]);
	free(c->units);
	free(c->own);
}
