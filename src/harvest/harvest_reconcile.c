/*
 * Reconciliation: windows of what is covered are read from the server once
 * more, one stream a request, and counted and digested; then the journal of
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
#include "harvest/harvest_int.h"
#include "loop/loop.h"

/* Events expected of a window, and of a chunk. */
#define WINDOW_EVENTS 5000.0
#define CHUNK_EVENTS 500000.0
#define CHUNK_WINDOWS 5000u
/* A stream of which nothing is known. */
#define DENSITY_GUESS 0.1

#define WINDOW_MAGIC 0x7265636fu

struct window {
	uint32_t magic;
	struct rec *rec;
	const char *key, *name;		/* in the arena of the chunk */
	uint32_t id;			/* of the object */
	int64_t a, b;
	struct fetch_job *job;		/* while asked */
	uint32_t max_count;		/* of the request */
	bool older;			/* ours has rows of an older schema,
					 * whose content is not compared */
	uint64_t ours, ours_digest;
	uint64_t theirs, theirs_digest;
	int code;
	char *text;			/* of code */
};

/* An event of the journal. */
struct event {
	uint32_t window;
	int32_t ordinal;
	int64_t at;
	uint64_t order;			/* of ingestion */
	uint64_t digest;
};

/* A range that was read again, in a window: what is older does not count. */
struct again {
	uint32_t window;
	int64_t a, b;
	uint64_t order;			/* of the batch's first event */
};

struct rec {
	struct harvest *h;
	struct harvest_reconcile *o;
	const struct source_table *table;
	/* the plan: where to go on */
	struct ledger_txn *txn;
	struct err *err;
	uint32_t next_id;
	int64_t next_a;			/* of next_id; TICKS_NONE: its begin */
	uint32_t group;
	/* the chunk */
	struct arena *arena;
	struct window **w;		/* by key, then a, once planned */
	size_t n, cap;
	double expected;
	size_t asked, out;		/* next to ask; in flight */
	struct rows *rows;		/* of an answer */
	/* the journal's part */
	struct event *events;
	size_t nevents, events_cap;
	struct again *again;
	size_t nagain, again_cap;
	uint64_t batch_order;		/* of the batch being read */
	uint8_t batch_id[JOURNAL_BATCH_ID];
	uint32_t batch_blocks;
	uint32_t *by_id;		/* [n] of w, by id, then a */
};

/* --- planning ------------------------------------------------------------ */

static bool
is_chosen(const struct rec *r, uint32_t id, int64_t a)
{
	const struct harvest_reconcile *o = r->o;
	uint64_t x = hash_mix(hash_mix(id) ^ (uint64_t)a);

	if (o->parts > 0 && x % o->parts != o->part - 1)
		return (false);
	return (o->per_million == 0 ||
	    hash_mix(x ^ o->seed) % 1000000 < o->per_million);
}

static void
window_add(struct rec *r, uint32_t id, const char *key, const char *name,
    int64_t a, int64_t b)
{
	struct window *w;

	w = must_calloc(1, sizeof(*w));
	w->magic = WINDOW_MAGIC;
	w->rec = r;
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
}

/* Windows lie on a grid of their length, so that a part of the data is the
 * same one each time. */
static int64_t
window_end(int64_t a, int64_t len)
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

	to = range->b < r->o->to ? range->b : r->o->to;
	if (r->next_a != TICKS_NONE && a < r->next_a)
		a = r->next_a;
	for (; a < to; a = b) {
		if (chunk_full(r)) {
			r->next_a = a;
			return (1);
		}
		b = window_end(a, len);
		if (b > to)
			b = to;
		if (!is_chosen(r, o->id, a - a % len))
			continue;
		if (*key == NULL) {
			*key = arena_strdup(r->arena, o->key);
			*name = arena_strdup(r->arena, o->name);
		}
		window_add(r, o->id, *key, *name, a, b);
		r->expected += density * (double)(b - a) /
		    (double)TICKS_PER_S;
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

/* --- theirs -------------------------------------------------------------- */

static void
failed(struct window *w, const struct err *e)
{

	w->code = e->code;
	w->text = must_strdup(e->text);
}

/* Rows before `cut`: they ascend in time. */
static uint32_t
rows_before(const struct rows *r, uint32_t col, int64_t cut)
{
	uint32_t n = r->n;

	while (n > 0 && r->v[col].i64[n - 1] >= cut)
		n--;
	return (n);
}

/* All that came of it is whole up to its last time. */
static int
cut_window(struct window *w, const struct source_page *p, struct err *e)
{

	if (p->last <= w->a)
		return (err_set(e, ERR_LIMIT, "more events at one time than "
		    "the server gives at once"));
	window_add(w->rec, w->id, w->key, w->name, p->last, w->b);
	w->b = p->last;
	return (0);
}

static int
take(struct window *w, struct fetch_answer *a)
{
	struct rec *r = w->rec;
	struct source_stream s = { .key = w->key, .name = w->name };
	const struct source_stream *one = &s;
	struct source_page page;
	uint32_t n;
	int rc;

	memset(&page, 0, sizeof(page));
	rows_clear(r->rows);
	rc = source_series_decode(r->table, &one, 1, w->a, w->b, a->body,
	    a->len, r->rows, &page, &a->err);
	if (rc == 0 && page.code != 0)
		rc = err_set(&a->err, page.code, "%s", page.text);
	else if (rc == 0 && !page.present)
		rc = err_set(&a->err, ERR_ANSWER, "the answer left it out");
	if (rc == 0 && page.n >= w->max_count)
		rc = cut_window(w, &page, &a->err);
	if (rc != 0)
		return (rc);
	n = rows_before(r->rows, (uint32_t)r->table->cursor, w->b);
	w->theirs = n;
	w->theirs_digest = rows_digest(r->rows, 0, n);
	return (0);
}

static void ask(struct window *);
static void ask_more(struct rec *);

/* The server gives fewer items a call than were asked for. */
static bool
learn_cap(struct window *w, const struct fetch_answer *a)
{
	uint32_t cap = source_cap_from_text(a->err.text);
	struct harvest *h = w->rec->h;

	if (a->err.code != ERR_REQUEST || cap == 0 || cap >= w->max_count)
		return (false);
	if (cap < h->opt.item_cap)
		h->opt.item_cap = cap;
	return (true);
}

static void
on_answer(void *cookie, struct fetch_answer *a)
{
	struct window *w = cookie;
	struct rec *r = w->rec;

	MAGIC_CHECK(w, WINDOW_MAGIC);
	w->job = NULL;
	r->out--;
	if (learn_cap(w, a)) {
		ask(w);
		return;
	}
	if (a->err.code == 0)
		(void)take(w, a);
	switch (a->err.code) {
	case 0:
		harvest_good(r->h);
		break;
	case ERR_AUTH:
	case ERR_TLS:
	case ERR_CONFIG:
		harvest_fail(r->h, &a->err);
		break;
	default:
		if (!harvest_refused(a->err.code))
			harvest_bad(r->h, &a->err);
		failed(w, &a->err);
		break;
	}
	ask_more(r);
}

static void
ask(struct window *w)
{
	struct rec *r = w->rec;
	struct harvest *h = r->h;
	struct source_stream s = { .key = w->key, .name = w->name };
	const struct source_stream *one = &s;
	struct fetch_request q = { .method = "GET",
	    .class = HARVEST_ASKS_SERIES };
	struct buf target;

	w->max_count = h->opt.item_cap;
	buf_init(&target, 1 << 16);
	source_series_target(r->table, h->opt.base, &one, 1, w->a, w->b,
	    w->max_count, &target);
	MUST_MEMORY(target.error == 0);
	q.target = buf_str(&target);
	w->job = fetch_start(h->fetch, &q, on_answer, w);
	r->out++;
	buf_fini(&target);
}

static void
ask_more(struct rec *r)
{
	struct harvest *h = r->h;
	bool ends = h->stopping || h->fatal.code != 0;

	while (!ends && r->asked < r->n && fetch_room(h->fetch) > 0)
		ask(r->w[r->asked++]);
	if (ends || (r->out == 0 && r->asked == r->n))
		loop_stop(h->loop);
}

static void
first(void *cookie)
{

	ask_more(cookie);
}

static int
read_theirs(struct rec *r, struct err *e)
{
	struct harvest *h = r->h;
	size_t i;

	loop_defer(h->loop, first, r);
	while (!h->stopping && h->fatal.code == 0 &&
	    (r->out > 0 || r->asked < r->n))
		loop_run(h->loop);
	for (i = 0; i < r->asked && r->out > 0; i++) {
		if (r->w[i]->job == NULL)
			continue;
		fetch_cancel(r->w[i]->job);
		r->w[i]->job = NULL;
		r->out--;
	}
	if (h->fatal.code != 0) {
		if (e != NULL)
			*e = h->fatal;
		return (h->fatal.code);
	}
	return (h->stopping ? err_set(e, ERR_CANCELLED, "stopped") : 0);
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
	uint32_t k;

	c->schema = s;
	c->older = !rows_schema_equal(s, t->schema);
	c->key = -1;
	for (k = 0; k < t->nkey; k++)
		if ((int)t->key[k] != t->cursor)
			c->key = rows_schema_find(s,
			    t->schema->cols[t->key[k]].name);
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
	struct harvest *h = r->h;
	const struct journal_pos start = { 0, 0 };
	struct journal_reader *reader;
	struct ledger_txn *txn;
	struct ledger_group g;
	char *dir;
	int rc;

	if ((rc = ledger_read_begin(h->ledger, &txn, e)) != 0)
		return (rc);
	rc = ledger_group_get(txn, r->table->name, r->group, &g, e);
	ledger_read_end(txn);
	if (rc != 0)
		return (rc);
	/* cut windows were put at the end */
	if (r->n > 1)
		qsort(r->w, r->n, sizeof(r->w[0]), by_key);
	index_windows(r);
	r->nevents = r->nagain = 0;
	dir = harvest_journal_dir(h->opt.data_dir, h->opt.source_name,
	    r->table->name, r->group);
	rc = journal_reader_open(h->sys, dir, &start, &g.pos, false, &reader,
	    e);
	if (rc == 0) {
		rc = read_blocks(r, reader, e);
		journal_reader_close(reader);
	}
	free(dir);
	if (rc == 0)
		count_events(r);
	return (rc);
}

/* --- comparing ----------------------------------------------------------- */

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
		MUST(r->w[i]->job == NULL);
		r->w[i]->magic = 0;
		free(r->w[i]->text);
		free(r->w[i]);
	}
	r->n = r->asked = 0;
	arena_free(r->arena);
	r->arena = arena_new();
}

int
harvest_reconcile(struct harvest *h, const struct source_table *t,
    struct harvest_reconcile *o, struct err *e)
{
	struct rec r = { .h = h, .o = o, .table = t, .next_id = 1,
	    .next_a = TICKS_NONE, .group = 1 };
	int rc;

	MUST(t->kind == SOURCE_SERIES && t->over != NULL);
	r.arena = arena_new();
	r.rows = rows_new(t->schema);
	while ((rc = plan(&r, e)) == 0 && r.n > 0) {
		if ((rc = read_theirs(&r, e)) != 0 ||
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
