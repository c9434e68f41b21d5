/*
 * From answered rows to durable state. Each table and group has a writer
 * with one open batch, filled on the loop's thread, and at most one batch in
 * flight on a worker. The task: append rows and what they prove to the
 * journal, sync, then one ledger transaction with coverage and position;
 * nothing is counted as read before. A task that fails ends the run: the
 * journal is cut back to the ledger's position when it is next opened, so
 * nothing half-done survives.
 *
 * A sync costs as much for few rows as for many, rows that wait for it cost
 * memory. So the rows of a batch go to the journal in blocks, which it keeps
 * in memory, encoded and small. What a batch proves is held until it has
 * rows enough, or is old enough, to be sealed: with its last block comes all
 * the rest.
 *
 * Groups are often sealed at the same time. Those whose journals are synced
 * wait until no other is being synced, then one transaction of the ledger
 * books them all.
 *
 * A snapshot's batch is its whole walk, in one block and one ledger
 * transaction; `run` marks where it begins.
 */

#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "base/base_limits.h"
#include "base/must.h"
#include "base/msg.h"
#include "base/ticks.h"
#include "harvest/harvest_commit_int.h"
#include "loop/loop.h"
#include "sys/sys.h"

/* Rows of a block: more is hardly packed better, and costs memory. */
#define BLOCK_ROWS 8192u
/* Of a batch; who reads it may hold all of them. */
#define BLOCKS_MAX (LIMIT_BATCH_BLOCKS / 2)
/* While a sync takes long, rows for so many blocks may come: then they are
 * more than one. */
#define BLOCKS_LATE 64u
/* So many batches that are synced wait for no other one. */
#define BOOK_MAX 16u
/* The one between is of fetch: secrets, which may take their time. */
#define BOOK_LANE (HARVEST_NOTE_LANE - 2)

struct commit_task {
	struct commit_task *next;	/* of those to be booked together */
	struct harvest_writer *w;
	struct harvest_batch *batch;
	struct journal_pos before;
	struct journal_pos after;
	bool seal;			/* what comes after the rows is done */
	bool again;			/* there was no room: go on */
	bool appended;			/* how far it is */
	bool covered;
	bool synced;
	struct err err;
};

/* --- the commit, on a worker --------------------------------------------- */

/* The rows of a walk become the objects others are walked by. */
static int
put_objects(struct ledger_txn *txn, const struct harvest_writer *w,
    const struct rows *r, struct err *e)
{
	const struct source_table *t = w->table;
	struct source_object row;
	struct ledger_object o;
	uint64_t generation, gone;
	uint32_t i, id;
	int rc;

	if ((rc = ledger_walk_begin(txn, t->name, &generation, e)) != 0)
		return (rc);
	for (i = 0; i < r->n; i++) {
		if (!source_walk_object(t, r, i, &row))
			continue;
		memset(&o, 0, sizeof(o));
		o.key = row.key;
		o.name = row.name;
		o.parent = "";
		o.kind = row.kind;
		rc = ledger_object_put(txn, t->name, &o, &id, e);
		if (rc == 0)
			rc = harvest_forgive(txn, w->h, t, id, e);
		if (rc != 0)
			return (rc);
	}
	rc = ledger_walk_end(txn, t->name, generation, &gone, e);
	if (rc == 0 && gone > 0)
		msg_info("discover", "%s: %llu objects are no longer there",
		    t->name, (unsigned long long)gone);
	return (rc);
}

static int
commit_ledger(struct ledger_txn *txn, void *cookie, struct err *e)
{
	struct commit_task *task = cookie;
	struct harvest_writer *w = task->w;
	struct harvest_batch *b = task->batch;
	struct ledger_group g;
	int rc;

	if ((rc = harvest_learn(txn, w, b, e)) != 0)
		return (rc);
	if (w->snapshot && w->table->is_parent &&
	    (rc = put_objects(txn, w, b->rows, e)) != 0)
		return (rc);
	rc = ledger_group_get(txn, w->table->name, w->group, &g, e);
	if (rc != 0)
		return (rc);
	g.pos = task->after;
	if (w->snapshot)
		g.run = task->before;
	g.batches++;
	g.rows += b->nrows;
	g.bytes += b->bytes;
	g.requests += b->requests;
	g.committed = b->ingested;
	return (ledger_group_put(txn, w->table->name, w->group, &g, e));
}

static uint32_t
block_rows(const struct harvest *h)
{
	uint32_t n = h->opt.block_rows > 0 ? h->opt.block_rows : BLOCK_ROWS;

	return (n < h->opt.commit_rows ? n : h->opt.commit_rows);
}

/* Rows of each block that these become. */
static uint32_t
part_rows(const struct harvest_writer *w, uint32_t n)
{
	uint32_t most = BLOCKS_LATE * block_rows(w->h);

	if (w->snapshot || n <= most)
		return (n);
	return (most > n / BLOCKS_MAX ? most : n / BLOCKS_MAX + 1);
}

/* What can be tried again fails at the first block. */
static int
append_rows(struct commit_task *task, struct journal_block *block)
{
	struct harvest_writer *w = task->w;
	struct harvest_batch *b = task->batch;
	uint32_t i, n, each = part_rows(w, b->rows->n);
	struct rows_vec v[LIMIT_COLUMNS];
	struct rows part;
	int rc;

	for (i = 0; !task->appended && i < b->rows->n; i += n) {
		n = b->rows->n - i < each ? b->rows->n - i : each;
		rows_part(b->rows, i, n, &part, v);
		harvest_cover_hull(&part, w->table->cursor, block);
		rc = journal_writer_append(w->journal, &part, block,
		    &task->err);
		if (rc != 0)
			return (rc);
		b->blocks++;
		b->nrows += n;
	}
	task->appended = true;
	return (0);
}

static int
commit_journal(struct commit_task *task)
{
	struct harvest_writer *w = task->w;
	struct harvest_batch *b = task->batch;
	struct journal_block block;
	uint64_t bytes = journal_writer_bytes(w->journal);
	int rc;

	memset(&block, 0, sizeof(block));
	block.group = (int32_t)w->group;
	memcpy(block.batch_id, b->id, sizeof(block.batch_id));
	block.ingested = b->ingested;
	rc = append_rows(task, &block);
	if (rc == 0 && task->seal && !task->covered) {
		rc = harvest_cover_write(w, b, &block, &task->err);
		task->covered = rc == 0;
	}
	b->bytes += journal_writer_bytes(w->journal) - bytes;
	if (rc != 0 || !task->seal || task->synced)
		return (rc);
	rc = journal_writer_sync(w->journal, &task->after, &task->err);
	task->synced = rc == 0;
	return (rc);
}

static void
commit_work(void *cookie)
{
	struct commit_task *task = cookie;
	struct harvest_writer *w = task->w;

	if (task->again &&
	    journal_writer_revive(w->journal, &task->err) != 0)
		return;
	(void)commit_journal(task);
}

/* What one transaction books; on a worker. */
struct harvest_book {
	struct harvest *h;
	struct commit_task *tasks;
	struct err err;
};

static int
book_ledger(struct ledger_txn *txn, void *cookie, struct err *e)
{
	struct harvest_book *k = cookie;
	struct commit_task *task;
	int rc = 0;

	for (task = k->tasks; task != NULL && rc == 0; task = task->next)
		rc = commit_ledger(txn, task, e);
	return (rc);
}

static void
book_work(void *cookie)
{
	struct harvest_book *k = cookie;

	(void)ledger_write(k->h->ledger, book_ledger, k, &k->err);
}

/* --- on the loop --------------------------------------------------------- */

static void commit_due(struct harvest_writer *);

static void
commit_counted(const struct commit_task *task)
{
	struct harvest_writer *w = task->w;
	const struct harvest_batch *b = task->batch;
	struct harvest *h = w->h;

	if (!h->full)
		h->full_since_us = 0;
	w->pos = task->after;
	h->stats.commits++;
	h->stats.journal_bytes += b->bytes;
	if (w->table->kind == SOURCE_SERIES)
		h->stats.values += b->nrows;
	else
		h->stats.rows += b->nrows;
}

static void
commit_ended(struct commit_task *task)
{
	struct harvest_writer *w = task->w;
	struct harvest *h = w->h;

	if (task->err.code == ERR_NOSPACE && h->opt.space_wait_us > 0 &&
	    h->fatal.code == 0) {
		w->stuck = task;
		h->full = true;
		return;
	}
	w->busy = false;
	w->flight = NULL;
	if (task->err.code != 0)
		harvest_fail(h, &task->err);
	else if (task->seal)
		commit_counted(task);
	else
		w->held = harvest_batch_hold(task->batch);
	harvest_batch_give_back(h, task->batch);
	free(task);
	w->complete = false;
	commit_due(w);
	harvest_poke(h);
}

static void book_start(struct harvest *);

static void
book_done(void *cookie)
{
	struct harvest_book *k = cookie;
	struct commit_task *task;

	k->h->booking = false;
	book_start(k->h);
	while ((task = k->tasks) != NULL) {
		k->tasks = task->next;
		task->err = k->err;
		commit_ended(task);
	}
	free(k);
}

/* Each that waits here keeps its writer from starting another one, so the
 * wait for the others ends. */
static void
book_start(struct harvest *h)
{
	struct harvest_book *k;

	if (h->booking || h->synced == NULL ||
	    (h->sealing > 0 && h->nsynced < BOOK_MAX))
		return;
	k = must_calloc(1, sizeof(*k));
	k->h = h;
	k->tasks = h->synced;
	h->synced = NULL;
	h->nsynced = 0;
	h->booking = true;
	loop_work(h->loop, BOOK_LANE, book_work, book_done, k);
}

/* The journal's part is done. */
static void
commit_done(void *cookie)
{
	struct commit_task *task = cookie;
	struct harvest *h = task->w->h;
	bool ended = true;

	if (task->seal)
		h->sealing--;
	if (task->seal && task->err.code == 0) {
		task->next = h->synced;
		h->synced = task;
		h->nsynced++;
		ended = false;
	}
	book_start(h);
	if (ended)
		commit_ended(task);
}

static void
commit_go(struct commit_task *task)
{
	struct harvest_writer *w = task->w;

	if (task->seal)
		w->h->sealing++;
	loop_work(w->h->loop, w->lane, commit_work, commit_done, task);
}

void
harvest_commit_again(struct harvest *h)
{
	struct harvest_writer *w;
	struct commit_task *task;

	for (w = h->writers; w != NULL; w = w->next) {
		if ((task = w->stuck) == NULL)
			continue;
		w->stuck = NULL;
		task->again = true;
		memset(&task->err, 0, sizeof(task->err));
		commit_go(task);
	}
}

void
harvest_commit_give_up(struct harvest *h)
{
	struct harvest_writer *w;
	struct commit_task *task;

	for (w = h->writers; w != NULL; w = w->next) {
		if ((task = w->stuck) == NULL)
			continue;
		w->stuck = NULL;
		harvest_fail(h, &task->err);
		commit_ended(task);
	}
}

static bool
batch_full(const struct harvest_writer *w, const struct harvest_batch *b)
{

	return (w->snapshot || b->blocks + 1 >= BLOCKS_MAX ||
	    b->nrows + b->rows->n >= w->h->opt.commit_rows ||
	    b->ncovers >= LIMIT_BLOCK_ROWS / 2);
}

/* What is open becomes a block of the journal; with `seal`, or when its
 * batch is full, that ends there and is made durable. */
static void
commit_start(struct harvest_writer *w, bool seal)
{
	struct harvest *h = w->h;
	struct commit_task *task;
	struct harvest_batch *b;

	if (w->busy || h->fatal.code != 0 ||
	    (w->held == NULL && harvest_batch_empty(w->open)))
		return;
	b = w->open != NULL ? w->open : harvest_batch_take(h, w->table);
	w->open = NULL;
	if (w->held != NULL)
		harvest_batch_join(b, w->held);
	else
		harvest_batch_name(h, b);
	w->held = NULL;
	w->flight = b;
	w->last_ingested = b->ingested;
	w->busy = true;

	task = must_calloc(1, sizeof(*task));
	task->w = w;
	task->batch = b;
	task->before = task->after = w->pos;
	task->seal = seal || batch_full(w, b);
	commit_go(task);
}

static void
commit_due(struct harvest_writer *w)
{
	const struct harvest_batch *b = w->open;

	if (w->snapshot || b == NULL)
		return;		/* a walk's batch ends with it */
	if (b->rows->n >= block_rows(w->h) ||
	    b->ncovers >= LIMIT_BLOCK_ROWS / 2)
		commit_start(w, false);
}

void
harvest_batch_touch(struct harvest_writer *w)
{
	struct harvest *h = w->h;
	struct harvest_batch *b = harvest_batch_open(w);
	int64_t now_us = loop_now_us(h->loop);
	int64_t ingested = h->sys->now_ticks(h->sys->cookie);

	/* A clock that jumps back must not make newer data look older, not
	 * even in silver, which keeps microseconds. */
	if (ingested / TICKS_PER_US <= w->last_ingested / TICKS_PER_US)
		ingested = (w->last_ingested / TICKS_PER_US + 1) *
		    TICKS_PER_US;
	b->ingested = ingested;
	b->requests++;
	if (b->opened_us == 0)
		b->opened_us = now_us;
	commit_due(w);
}

void
harvest_flush(struct harvest *h, int64_t older_us)
{
	int64_t before = loop_now_us(h->loop) - older_us;
	const struct harvest_batch *b;
	struct harvest_writer *w;

	for (w = h->writers; w != NULL; w = w->next) {
		b = w->held != NULL ? w->held : w->open;
		if (harvest_writer_ready(w) && b != NULL &&
		    b->opened_us <= before)
			commit_start(w, true);
	}
}

/* Whose open batch has most rows, of those that can go. */
static struct harvest_writer *
fullest(const struct harvest *h)
{
	struct harvest_writer *w, *most = NULL;

	for (w = h->writers; w != NULL; w = w->next)
		if (!w->busy && harvest_writer_ready(w) &&
		    !harvest_batch_empty(w->open) &&
		    (most == NULL || w->open->rows->n > most->open->rows->n))
			most = w;
	return (most);
}

static size_t
all_held(const struct harvest *h, struct harvest_writer **most)
{
	struct harvest_writer *w;
	size_t n, sum = 0, top = 0;

	*most = NULL;
	for (w = h->writers; w != NULL; w = w->next) {
		sum += n = harvest_held_bytes(w);
		if (n > top && !w->busy) {
			top = n;
			*most = w;
		}
	}
	return (sum);
}

void
harvest_relieve(struct harvest *h)
{
	struct harvest_writer *w;

	if (h->fatal.code != 0)
		return;
	while (all_held(h, &w) > h->opt.memory / 8 && w != NULL)
		commit_start(w, true);
	while (harvest_open_bytes(h) > h->opt.memory / 2 &&
	    (w = fullest(h)) != NULL)
		commit_start(w, false);
}
