/*
 * Rows of answers into a journal and a ledger, see bench_store.h. A failure
 * ends the program: a benchmark has nothing to save.
 */

#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/must.h"
#include "base/ticks.h"
#include "bench_store.h"
#include "journal/journal.h"
#include "ledger/ledger.h"
#include "loop/loop.h"
#include "rows/rows.h"
#include "source/source.h"
#include "sys/sys.h"

/* As garner.yaml has them when left out. */
#define COMMIT_ROWS 20000u
#define COMMIT_EVERY_US 200000
#define LANE 0u
#define GROUP 1u

struct cover {
	uint32_t id;
	uint32_t values;
	int64_t a, b;
};

struct batch {
	struct batch *next;		/* at rest */
	struct rows *rows;
	struct cover *covers;
	size_t ncovers;
	size_t covers_cap;
	int64_t ingested;
	uint64_t requests;
};

struct store {
	struct loop *loop;
	struct loop_timer *tick;
	store_fn *poke;
	void *cookie;
	const struct source_table *table;
	struct journal_writer *journal;
	struct ledger *ledger;
	struct journal_pos pos;
	struct batch *open;
	struct batch *flight;
	struct batch *rest;
	uint8_t batch_id[JOURNAL_BATCH_ID];
	uint64_t values;
	uint64_t commits;
	struct err err;			/* of the one in flight */
};

static struct batch *
batch_take(struct store *s)
{
	struct batch *b = s->rest;

	if (b != NULL) {
		s->rest = b->next;
		return (b);
	}
	b = must_calloc(1, sizeof(*b));
	b->rows = rows_new(s->table->schema);
	return (b);
}

static void
batch_free(struct batch *b)
{

	if (b == NULL)
		return;
	rows_free(b->rows);
	free(b->covers);
	free(b);
}

/* --- the commit, on a worker --------------------------------------------- */

static int
put_covers(struct ledger_txn *txn, const struct store *s, struct err *e)
{
	const struct batch *b = s->flight;
	const struct cover *c;
	struct ledger_stream st;
	int rc = 0;

	ledger_stream_init(&st);
	for (size_t i = 0; i < b->ncovers && rc == 0; i++) {
		c = &b->covers[i];
		rc = ledger_stream_get(txn, s->table->name, c->id, &st, e);
		if (rc != 0)
			break;
		ranges_add(&st.covered, c->a, c->b);
		st.values += c->values;
		st.per_second = 1;
		rc = ledger_stream_put(txn, s->table->name, c->id, &st, e);
	}
	ledger_stream_fini(&st);
	return (rc);
}

static int
put_ledger(struct ledger_txn *txn, void *cookie, struct err *e)
{
	struct store *s = cookie;
	struct ledger_group g;
	int rc;

	if ((rc = put_covers(txn, s, e)) != 0)
		return (rc);
	rc = ledger_group_get(txn, s->table->name, GROUP, &g, e);
	if (rc != 0)
		return (rc);
	g.pos = s->pos;
	g.batches++;
	g.rows += s->flight->rows->n;
	g.requests += s->flight->requests;
	g.committed = s->flight->ingested;
	return (ledger_group_put(txn, s->table->name, GROUP, &g, e));
}

static void
commit_work(void *cookie)
{
	struct store *s = cookie;
	struct journal_block block;
	int rc = 0;

	memset(&block, 0, sizeof(block));
	block.group = GROUP;
	memcpy(block.batch_id, s->batch_id, sizeof(block.batch_id));
	block.ingested = s->flight->ingested;
	block.first_tick = block.last_tick = TICKS_NONE;
	if (s->flight->rows->n > 0) {
		rc = journal_writer_append(s->journal, s->flight->rows,
		    &block, &s->err);
		if (rc == 0)
			rc = journal_writer_sync(s->journal, &s->pos,
			    &s->err);
	}
	if (rc == 0)
		(void)ledger_write(s->ledger, put_ledger, s, &s->err);
}

static void
commit_done(void *cookie)
{
	struct store *s = cookie;
	struct batch *b = s->flight;

	if (s->err.code != 0) {
		(void)fprintf(stderr, "bench_fetch: %s\n", s->err.text);
		exit(1);
	}
	s->values += b->rows->n;
	s->commits++;
	rows_clear(b->rows);
	b->ncovers = 0;
	b->requests = 0;
	b->next = s->rest;
	s->rest = b;
	s->flight = NULL;
	s->poke(s->cookie);
}

static void
commit_start(struct store *s)
{
	const struct sys *sys = sys_posix();
	uint64_t r;

	if (s->flight != NULL || s->open == NULL || s->open->requests == 0)
		return;
	s->flight = s->open;
	s->open = NULL;
	for (size_t i = 0; i < sizeof(s->batch_id); i += sizeof(r)) {
		r = sys->random(sys->cookie);
		memcpy(s->batch_id + i, &r, sizeof(r));
	}
	loop_work(s->loop, LANE, commit_work, commit_done, s);
}

/* --- on the loop --------------------------------------------------------- */

static void
on_tick(void *cookie)
{
	struct store *s = cookie;

	commit_start(s);
	loop_timer_set(s->tick, COMMIT_EVERY_US);
}

struct rows *
store_rows(struct store *s)
{

	if (s->open == NULL)
		s->open = batch_take(s);
	return (s->open->rows);
}

void
store_cover(struct store *s, uint32_t id, int64_t a, int64_t b,
    uint32_t values)
{
	struct batch *o = s->open;

	if (o->ncovers == o->covers_cap) {
		o->covers_cap = o->covers_cap == 0 ? 64 : o->covers_cap * 2;
		o->covers = must_realloc(o->covers, o->covers_cap,
		    sizeof(o->covers[0]));
	}
	o->covers[o->ncovers++] = (struct cover){ id, values, a, b };
}

void
store_touch(struct store *s)
{
	const struct sys *sys = sys_posix();

	s->open->ingested = sys->now_ticks(sys->cookie);
	s->open->requests++;
	if (s->open->rows->n >= COMMIT_ROWS)
		commit_start(s);
}

bool
store_flush(struct store *s)
{

	commit_start(s);
	return (s->flight != NULL);
}

bool
store_full(const struct store *s)
{

	return (s->flight != NULL && s->open != NULL &&
	    s->open->rows->n >= 4 * COMMIT_ROWS);
}

uint64_t
store_values(const struct store *s)
{

	return (s->values);
}

uint64_t
store_commits(const struct store *s)
{

	return (s->commits);
}

int
store_new(struct loop *loop, const char *dir, const struct source_table *t,
    store_fn *poke, void *cookie, struct store **out, struct err *e)
{
	struct store *s = must_calloc(1, sizeof(*s));
	char *path = must_sprintf("%s/ledger", dir);
	int rc;

	s->loop = loop;
	s->table = t;
	s->poke = poke;
	s->cookie = cookie;
	s->tick = loop_timer_new(loop, on_tick, s);
	loop_timer_set(s->tick, COMMIT_EVERY_US);
	rc = ledger_open(path, false, &s->ledger, e);
	free(path);
	path = must_sprintf("%s/bronze", dir);
	if (rc == 0)
		rc = journal_writer_open(sys_posix(), path, &s->pos,
		    &s->journal, NULL, e);
	free(path);
	if (rc != 0) {
		store_free(s);
		return (rc);
	}
	*out = s;
	return (0);
}

void
store_free(struct store *s)
{
	struct batch *b;

	if (s == NULL)
		return;
	if (s->journal != NULL)
		journal_writer_close(s->journal);
	ledger_close(s->ledger);
	loop_timer_free(s->tick);
	batch_free(s->open);
	while ((b = s->rest) != NULL) {
		s->rest = b->next;
		batch_free(b);
	}
	free(s);
}
