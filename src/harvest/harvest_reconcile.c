/*
 * Reconciliation: windows of what is covered are read from the server once
 * more (harvest_reconcile_ask.c), counted and digested; then the journal of
 * the group is read once for all of them, the newest ingestion of an event
 * taken, unless a later reading of its time has it no more, and counted and
 * digested the same way.
 *
 * Memory is bounded by working through chunks of windows of one group, of
 * so many events as their density lets expect. An answer that is cut proves
 * its window up to its last time; the rest becomes a window of its own.
 */

#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/hash.h"
#include "base/must.h"
#include "base/ticks.h"
#include "harvest/harvest_reconcile_int.h"

/* Events expected of a window, and of a chunk. */
#define WINDOW_EVENTS 5000.0
#define CHUNK_EVENTS 500000.0
#define CHUNK_WINDOWS 5000u
/* A stream of which nothing is known. */
#define DENSITY_GUESS 0.1

/* --- planning ------------------------------------------------------------ */

bool
harvest_reconcile_chosen(const struct harvest_reconcile *o, uint32_t id,
    int64_t a, int64_t len)
{
	uint64_t x = hash_mix(hash_mix(id) ^ (uint64_t)(a - a % len));

	if (o->parts > 0 && x % o->parts != o->part - 1)
		return (false);
	return (o->per_million == 0 ||
	    hash_mix(x ^ o->seed) % 1000000 < o->per_million);
}

struct window *
harvest_reconcile_window(struct rec *r, uint32_t id, const char *key,
    const char *name, int64_t a, int64_t b)
{
	struct window *w;

	w = must_calloc(1, sizeof(*w));
	w->key = key;
	w->id = id;
	w->name = name;
	w->a = a;
	w->b = b;
	if (r->n == r->cap) {
		r->cap = r->cap == 0 ? 256 : 2 * r->cap;
		r->w = must_realloc(r->w, r->cap, sizeof(r->w[0]));
	}
	r->w[r->n++] = w;
	return (w);
}

int64_t
harvest_reconcile_grid(int64_t a, int64_t len)
{

	return ((a / len + 1) * len);
}

static int64_t
window_len(const struct rec *r, double density)
{
	double len = WINDOW_EVENTS / density * (double)TICKS_PER_S;
	int64_t unit = TICKS_PER_S;

	if (len > (double)r->h->opt.window_max)
		return (r->h->opt.window_max);
	/* powers of two of seconds: a grid that stays when densities drift */
	while ((double)unit * 2 <= len)
		unit *= 2;
	return (unit);
}

static bool
chunk_full(const struct rec *r)
{

	return (r->n >= CHUNK_WINDOWS || r->expected >= CHUNK_EVENTS);
}

/* 1 when the chunk is full, and the rest of the stream waits. */
static int
plan_range(struct rec *r, const struct ledger_object *o,
    const struct range *range, double density, const char **key,
    const char **name)
{
	int64_t len = window_len(r, density), a = range->a, b, to;
	struct window *w;

	to = range->b < r->o->to ? range->b : r->o->to;
	if (r->next_a != TICKS_NONE && a < r->next_a)
		a = r->next_a;
	for (; a < to; a = b) {
		if (chunk_full(r)) {
			r->next_a = a;
			return (1);
		}
		b = harvest_reconcile_grid(a, len);
		if (b > to)
			b = to;
		if (!harvest_reconcile_chosen(r->o, o->id, a, len))
			continue;
		if (*key == NULL) {
			*key = arena_strdup(r->arena, o->key);
			*name = arena_strdup(r->arena, o->name);
		}
		w = harvest_reconcile_window(r, o->id, *key, *name, a, b);
		w->expected = density * (double)(b - a) /
		    (double)TICKS_PER_S;
		r->expected += w->expected;
	}
	return (0);
}

static int
plan_stream(const struct ledger_object *o, void *cookie)
{
	struct rec *r = cookie;
	const char *key = NULL, *name = NULL;
	struct ledger_stream s;
	double density;
	size_t i;
	int rc;

	if (r->next_id != o->id)
		r->next_a = TICKS_NONE;
	r->next_id = o->id;
	if (harvest_group(o->id, r->h->opt.group_size) != r->group) {
		if (r->n > 0)
			return (1);	/* a chunk is of one group */
		r->group = harvest_group(o->id, r->h->opt.group_size);
	}
	ledger_stream_init(&s);
	rc = ledger_stream_get(r->txn, r->table->name, o->id, &s, r->err);
	density = s.per_second > 1e-6 ? s.per_second : DENSITY_GUESS;
	/* Of one that is gone, or refused, nothing can be asked. */
	if (rc == 0 && !o->gone && s.fail_code == 0)
		for (i = 0; i < s.covered.n && rc == 0; i++)
			rc = plan_range(r, o, &s.covered.r[i], density, &key,
			    &name);
	ledger_stream_fini(&s);
	if (rc == 0) {
		r->next_id = o->id + 1;
		r->next_a = TICKS_NONE;
	}
	return (rc);
}

static int
by_key(const void *a, const void *b)
{
	const struct window *x = *(struct window *const *)a;
	const struct window *y = *(struct window *const *)b;
	int c = x->key == y->key ? 0 : strcmp(x->key, y->key);

	return (c != 0 ? c : x->a < y->a ? -1 : x->a > y->a);
}

/* The next chunk; r->n is 0 at the end. */
static int
plan(struct rec *r, struct err *e)
{
	struct harvest *h = r->h;
	int rc;

	r->expected = 0;
	r->err = e;
	if ((rc = ledger_read_begin(h->ledger, &r->txn, e)) != 0)
		return (rc);
	rc = ledger_object_each(r->txn, r->table->over->name, r->next_id,
	    UINT32_MAX, plan_stream, r, e);
	ledger_read_end(r->txn);
	return (rc < 0 ? rc : 0);
}

/* --- ours ---------------------------------------------------------------- */

/* Columns of a block's rows; the schema may be an older one. */
struct columns {
	const struct rows_schema *schema;
	int key, cursor, ordinal;
	bool older;			/* not the table's of today */
};

static int
find_columns(const struct rec *r, const struct rows_schema *s,
    struct columns *c, struct err *e)
{
	const struct source_table *t = r->table;

	c->schema = s;
	c->older = !rows_schema_equal(s, t->schema);
	c->key = rows_schema_find(s, t->schema->cols[t->key[0]].name);
	c->cursor = rows_schema_find(s, t->schema->cols[t->cursor].name);
	c->ordinal = t->ordinal < 0 ? -1 : rows_schema_find(s,
	    t->schema->cols[t->ordinal].name);
	if (c->key < 0 || c->cursor < 0)
		return (err_set(e, ERR_CORRUPT, "the journal has no key"));
	return (0);
}

/* The last window of the key that begins at or before `at`, and holds it. */
static struct window *
find_window(const struct rec *r, const char *key, size_t len, int64_t at,
    size_t *index)
{
	size_t lo = 0, hi = r->n, mid;
	int c;

	while (lo < hi) {
		mid = lo + (hi - lo) / 2;
		c = strncmp(r->w[mid]->key, key, len);
		if (c == 0 && r->w[mid]->key[len] != '\0')
			c = 1;
		if (c < 0 || (c == 0 && r->w[mid]->a <= at))
			lo = mid + 1;
		else
			hi = mid;
	}
	if (lo == 0)
		return (NULL);
	*index = lo - 1;
	if (strncmp(r->w[lo - 1]->key, key, len) != 0 ||
	    r->w[lo - 1]->key[len] != '\0' || at >= r->w[lo - 1]->b)
		return (NULL);
	return (r->w[lo - 1]);
}

static void
add_event(struct rec *r, const struct event *v)
{

	if (r->nevents == r->events_cap) {
		r->events_cap = r->events_cap == 0 ? 4096 : 2 * r->events_cap;
		r->events = must_realloc(r->events, r->events_cap,
		    sizeof(r->events[0]));
	}
	r->events[r->nevents++] = *v;
}

static void
take_rows(struct rec *r, const struct rows *rows, const struct columns *c)
{
	struct event v;
	const char *key;
	size_t len, index = 0;
	uint32_t i;

	for (i = 0; i < rows->n; i++) {
		key = rows_str(rows, (uint32_t)c->key, i, &len);
		v.at = rows->v[c->cursor].i64[i];
		if (find_window(r, key, len, v.at, &index) == NULL)
			continue;
		v.window = (uint32_t)index;
		v.ordinal = c->ordinal < 0 ? 0 :
		    rows->v[c->ordinal].i32[i];
		v.order = r->nevents;
		v.digest = rows_digest(rows, i, 1);
		r->w[index]->older |= c->older;
		add_event(r, &v);
	}
}

static void
hull(const struct rec *r, int64_t *a, int64_t *b)
{
	size_t i;

	*a = INT64_MAX;
	*b = INT64_MIN;
	for (i = 0; i < r->n; i++) {
		if (r->w[i]->a < *a)
			*a = r->w[i]->a;
		if (r->w[i]->b > *b)
			*b = r->w[i]->b;
	}
}

/* --- what was read again ------------------------------------------------- */

static int
by_id(const void *a, const void *b, void *cookie)
{
	const struct rec *r = cookie;
	const struct window *x = r->w[*(const uint32_t *)a];
	const struct window *y = r->w[*(const uint32_t *)b];

	if (x->id != y->id)
		return (x->id < y->id ? -1 : 1);
	return (x->a < y->a ? -1 : x->a > y->a);
}

static void
index_windows(struct rec *r)
{
	uint32_t i;

	r->by_id = must_realloc(r->by_id, r->n + 1, sizeof(r->by_id[0]));
	for (i = 0; i < r->n; i++)
		r->by_id[i] = i;
	if (r->n > 1)
		qsort_r(r->by_id, r->n, sizeof(r->by_id[0]), by_id, r);
}

static void
add_again(struct rec *r, uint32_t window, const struct journal_cover *c)
{

	if (r->nagain == r->again_cap) {
		r->again_cap = r->again_cap == 0 ? 64 : 2 * r->again_cap;
		r->again = must_realloc(r->again, r->again_cap,
		    sizeof(r->again[0]));
	}
	r->again[r->nagain++] = (struct again){ .window = window, .a = c->a,
	    .b = c->b, .order = r->batch_order };
}

/* To all windows of the stream that it meets. */
static void
take_again(struct rec *r, const struct journal_cover *c)
{
	size_t lo = 0, hi = r->n, mid;
	const struct window *w;

	while (lo < hi) {		/* the first that ends behind c->a */
		mid = lo + (hi - lo) / 2;
		w = r->w[r->by_id[mid]];
		if (w->id < c->object || (w->id == c->object && w->b <= c->a))
			lo = mid + 1;
		else
			hi = mid;
	}
	for (; lo < r->n; lo++) {
		w = r->w[r->by_id[lo]];
		if (w->id != c->object || w->a >= c->b)
			break;
		add_again(r, r->by_id[lo], c);
	}
}

static int
take_cover(struct rec *r, struct journal_reader *reader,
    const struct journal_block *b, struct err *e)
{
	const struct journal_cover *c;
	struct journal_batch batch;
	size_t i, n;
	int rc;

	if ((rc = journal_reader_cover(reader, &batch, &c, &n, e)) != 0)
		return (rc);
	if (r->batch_blocks == 0)
		r->batch_order = r->nevents;
	if (batch.blocks == r->batch_blocks && (batch.blocks == 0 ||
	    memcmp(r->batch_id, b->batch_id, sizeof(r->batch_id)) == 0))
		for (i = 0; i < n; i++)
			if (c[i].replaces)
				take_again(r, &c[i]);
	r->batch_blocks = 0;
	return (0);
}

static void
count_block(struct rec *r, const struct journal_block *b)
{

	if (r->batch_blocks > 0 &&
	    memcmp(r->batch_id, b->batch_id, sizeof(r->batch_id)) != 0)
		r->batch_blocks = 0;
	if (r->batch_blocks++ == 0)
		r->batch_order = r->nevents;
	memcpy(r->batch_id, b->batch_id, sizeof(r->batch_id));
}

static int
by_window(const void *a, const void *b)
{
	const struct again *x = a, *y = b;

	return (x->window < y->window ? -1 : x->window > y->window);
}

/* Was its time read again since, without it? *at moves on with windows. */
static bool
is_replaced(const struct rec *r, const struct event *v, size_t *at)
{
	const struct again *g;
	size_t i;

	while (*at < r->nagain && r->again[*at].window < v->window)
		(*at)++;
	for (i = *at; i < r->nagain && r->again[i].window == v->window; i++) {
		g = &r->again[i];
		if (g->a <= v->at && v->at < g->b && v->order < g->order)
			return (true);
	}
	return (false);
}

/* --- the journal --------------------------------------------------------- */

static int
read_blocks(struct rec *r, struct journal_reader *reader, struct err *e)
{
	const struct rows_schema *schema;
	struct columns c = { NULL, -1, -1, -1, false };
	struct rows *rows = NULL;
	struct journal_block b;
	int64_t from, to;
	int rc;

	hull(r, &from, &to);
	r->batch_blocks = 0;
	journal_reader_show_covers(reader);
	while ((rc = journal_reader_next(reader, &b, &schema, e)) == 1) {
		if (b.hole)
			continue;
		if (b.cover) {
			if ((rc = take_cover(r, reader, &b, e)) != 0)
				break;
			continue;
		}
		count_block(r, &b);
		if (b.last_tick < from || b.first_tick >= to)
			continue;
		if (c.schema != schema || rows == NULL) {
			rows_free(rows);
			rows = rows_new(schema);
			if ((rc = find_columns(r, schema, &c, e)) != 0)
				break;
		}
		rows_clear(rows);
		if ((rc = journal_reader_rows(reader, rows, e)) != 0)
			break;
		take_rows(r, rows, &c);
	}
	rows_free(rows);
	return (rc);
}

static int
by_event(const void *a, const void *b)
{
	const struct event *x = a, *y = b;

	if (x->window != y->window)
		return (x->window < y->window ? -1 : 1);
	if (x->at != y->at)
		return (x->at < y->at ? -1 : 1);
	if (x->ordinal != y->ordinal)
		return (x->ordinal < y->ordinal ? -1 : 1);
	return (x->order < y->order ? -1 : x->order > y->order);
}

/* Of an event the newest ingestion counts. */
static void
count_events(struct rec *r)
{
	const struct event *v, *next;
	struct window *w;
	size_t i, at = 0;

	if (r->nevents > 0)
		qsort(r->events, r->nevents, sizeof(r->events[0]), by_event);
	if (r->nagain > 0)
		qsort(r->again, r->nagain, sizeof(r->again[0]), by_window);
	for (i = 0; i < r->nevents; i++) {
		v = &r->events[i];
		next = i + 1 < r->nevents ? v + 1 : NULL;
		if (next != NULL && next->window == v->window &&
		    next->at == v->at && next->ordinal == v->ordinal)
			continue;
		if (is_replaced(r, v, &at))
			continue;
		w = r->w[v->window];
		w->ours++;
		w->ours_digest += v->digest;
	}
}

static int
read_ours(struct rec *r, struct err *e)
{
	struct journal_reader *reader;
	int rc;

	rc = harvest_group_read(r->h, r->table, r->group,
	    HARVEST_GROUP_BEGINNING, &reader, e);
	if (rc != 0)
		return (rc);
	/* cut windows were put at the end */
	if (r->n > 1)
		qsort(r->w, r->n, sizeof(r->w[0]), by_key);
	index_windows(r);
	r->nevents = r->nagain = 0;
	if (reader != NULL) {
		rc = read_blocks(r, reader, e);
		journal_reader_close(reader);
	}
	if (rc == 0)
		count_events(r);
	return (rc);
}

/* --- comparing ----------------------------------------------------------- */

int
harvest_reconcile_end(const struct harvest *h, struct err *e)
{

	if (h->fatal.code == 0)
		return (h->stopping ? err_set(e, ERR_CANCELLED, "stopped") :
		    0);
	if (e != NULL)
		*e = h->fatal;
	return (h->fatal.code);
}

static void
compare(struct rec *r)
{
	struct harvest_reconcile *o = r->o;
	struct harvest_difference d;
	const struct window *w;
	size_t i;

	for (i = 0; i < r->n; i++) {
		w = r->w[i];
		if (w->code != 0)
			o->failed++;
		else
			o->windows++;
		o->events += w->theirs;
		if (w->code == 0 && w->ours == w->theirs &&
		    (w->older || w->ours_digest == w->theirs_digest))
			continue;
		o->differing += w->code == 0;
		memset(&d, 0, sizeof(d));
		d.table = r->table;
		d.group = r->group;
		d.stream = w->name;
		d.key = w->key;
		d.a = w->a;
		d.b = w->b;
		d.ours = w->ours;
		d.theirs = w->theirs;
		d.code = w->code;
		d.text = w->text;
		o->differs(o->cookie, &d);
	}
}

static void
chunk_clear(struct rec *r)
{
	size_t i;

	for (i = 0; i < r->n; i++) {
		free(r->w[i]->text);
		free(r->w[i]);
	}
	r->n = r->planned = r->asked = 0;
	r->alone = NULL;
	arena_free(r->arena);
	r->arena = arena_new();
}

int
harvest_reconcile(struct harvest *h, const struct source_table *t,
    struct harvest_reconcile *o, struct err *e)
{
	struct rec r = { .h = h, .o = o, .table = t, .next_id = 1,
	    .next_a = TICKS_NONE, .group = 1, .set_max = UINT32_MAX };
	int rc;

	MUST(t->kind == SOURCE_SERIES && t->over != NULL);
	r.arena = arena_new();
	r.rows = rows_new(t->schema);
	while ((rc = plan(&r, e)) == 0 && r.n > 0) {
		if ((rc = harvest_reconcile_theirs(&r, e)) != 0 ||
		    (rc = read_ours(&r, e)) != 0)
			break;
		compare(&r);
		chunk_clear(&r);
	}
	chunk_clear(&r);
	arena_free(r.arena);
	rows_free(r.rows);
	free(r.events);
	free(r.again);
	free(r.by_id);
	free(r.w);
	return (rc);
}
