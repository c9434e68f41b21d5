/*
 * What was read again: ranges of streams of which a batch says that its rows
 * are all there are. Older rows there are no longer the source's.
 *
 * Cover records take the way of rows: as a table of their own (stream, from,
 * to; a record for each day it touches) they are loaded, sorted and spilled,
 * and come out as one sorted input for compact_filter.c. Only records that
 * replace something are taken, of whole batches, whose ids mean the objects
 * that the ledger knows by them; the others change nothing.
 */

#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/must.h"
#include "base/ticks.h"
#include "compact/compact_int.h"
#include "ledger/ledger.h"
#include "source/source.h"
#include "sys/sys.h"

/* Of the memory budget. */
#define SHARE 8

static const struct rows_col columns[] = {
	{ "stream", ROWS_STRING, true },
	{ "covered_from", ROWS_TICKS, true },
	{ "covered_to", ROWS_TICKS, true },
};

static const uint32_t key[] = { 0, 1, 2 };

struct compact_covers {
	struct source_table table;
	struct rows_schema *schema;
	struct compact_plan *plan;
	int *map;
	struct rows *rows;		/* of one block */
	struct compact_days days;
	struct compact_load load;
	unsigned runs[COMPACT_RUNS_MAX];
	unsigned nruns;
};

/* Rows are sorted by stream, then time. */
bool
compact_cover_can(const struct compact_plan *p)
{

	return (p->table->kind == SOURCE_SERIES && p->table->over != NULL &&
	    p->nkey >= 2 && p->key[1] == (uint32_t)p->cursor &&
	    p->schema->cols[p->key[0]].type == ROWS_STRING);
}

static struct compact_covers *
covers_new(void)
{
	struct compact_covers *c = must_calloc(1, sizeof(*c));

	c->schema = rows_schema_new("covers", columns, 3);
	c->table = (struct source_table){ .name = "covers",
	    .kind = SOURCE_SERIES, .schema = c->schema, .nkey = 3, .key = key,
	    .cursor = 1, .ordinal = -1 };
	c->plan = compact_plan_new(&c->table, false);
	c->map = must_calloc(c->plan->schema->ncols, sizeof(c->map[0]));
	MUST(compact_plan_map(c->plan, c->schema, false, c->map, NULL) == 0);
	c->rows = rows_new(c->schema);
	compact_load_init(&c->load, c->plan);
	return (c);
}

static void
remove_runs(struct compact_job *j)
{
	struct compact_covers *c = j->covers;
	char *path;

	while (c->nruns > 0) {
		path = compact_gather_path(j, c->runs[--c->nruns]);
		j->sys->unlink(j->sys->cookie, path);
		free(path);
	}
}

void
compact_cover_clear(struct compact_job *j)
{
	struct compact_covers *c = j->covers;

	if (c == NULL)
		return;
	remove_runs(j);
	compact_load_fini(&c->load);
	free(c->days.day);
	rows_free(c->rows);
	free(c->map);
	compact_plan_free(c->plan);
	rows_schema_free(c->schema);
	free(c);
	j->covers = NULL;
}

size_t
compact_cover_bytes(const struct compact_job *j)
{

	return (j->covers == NULL ? 0 : j->covers->load.bytes);
}

/* --- runs ---------------------------------------------------------------- */

static int
write_run(struct compact_job *j, struct compact_input *const *in, size_t n,
    unsigned *number, struct err *e)
{
	struct compact_covers *c = j->covers;
	uint64_t dropped = 0;
	char *path;
	int rc;

	if ((rc = compact_gather_run(j, number, &path, e)) != 0)
		return (rc);
	rc = compact_spill_write(j, path, c->plan, in, n, &c->days,
	    &dropped, e);
	free(path);
	return (rc);
}

static int
open_runs(struct compact_job *j, struct compact_input **in, size_t *n,
    struct err *e)
{
	struct compact_covers *c = j->covers;
	char *path;
	unsigned i;
	int rc = 0;

	for (i = 0; i < c->nruns && rc == 0; i++) {
		path = compact_gather_path(j, c->runs[i]);
		rc = compact_spill_open(j->sys, path, c->plan, i, &in[*n], e);
		*n += rc == 0;
		free(path);
	}
	return (rc);
}

/* All runs and what is loaded into one run. */
static int
fold(struct compact_job *j, struct err *e)
{
	struct compact_covers *c = j->covers;
	struct compact_input *in[COMPACT_RUNS_MAX + 1];
	unsigned number = 0;
	uint64_t dropped = 0;
	size_t n = 0;
	int rc;

	rc = open_runs(j, in, &n, e);
	if (rc == 0 && c->load.nrows > 0) {
		rc = compact_sort_open(&c->load, c->nruns, &dropped, &in[n],
		    e);
		n += rc == 0;
	}
	if (rc == 0)
		rc = write_run(j, in, n, &number, e);
	while (n > 0)
		compact_input_close(in[--n]);
	compact_load_clear(&c->load);
	if (rc != 0)
		return (rc);
	remove_runs(j);
	c->runs[c->nruns++] = number;
	return (0);
}

static int
spill(struct compact_job *j, struct err *e)
{
	struct compact_covers *c = j->covers;
	struct compact_input *in = NULL;
	unsigned number = 0;
	uint64_t dropped = 0;
	int rc;

	if (c->nruns == COMPACT_RUNS_MAX)
		return (fold(j, e));
	rc = compact_sort_open(&c->load, 0, &dropped, &in, e);
	if (rc == 0)
		rc = write_run(j, &in, 1, &number, e);
	if (rc == 0)
		c->runs[c->nruns++] = number;
	compact_input_close(in);
	compact_load_clear(&c->load);
	return (rc);
}

int
compact_cover_open(struct compact_job *j, struct compact_input **out,
    struct err *e)
{
	struct compact_covers *c = j->covers;
	uint64_t dropped = 0;
	size_t n = 0;
	int rc;

	*out = NULL;
	if (c == NULL)
		return (0);
	if (c->nruns == 0)
		return (compact_sort_open(&c->load, 0, &dropped, out, e));
	if ((c->nruns > 1 || c->load.nrows > 0) && (rc = fold(j, e)) != 0)
		return (rc);
	return (open_runs(j, out, &n, e));
}

/* --- a cover block ------------------------------------------------------- */

/* Rows of a chunk hold as many; a record is a row for each day it touches. */
#define PIECE (1u << 14)

struct taking {
	struct compact_job *job;
	const struct journal_block *block;
	const struct journal_cover *c;	/* the object's records */
	size_t n;
	uint64_t keys;
	struct err *err;
};

static int
load_rows(struct taking *x)
{
	struct compact_job *j = x->job;
	struct compact_covers *c = j->covers;
	int rc = 0;

	if (c->rows->n == 0)
		return (0);
	if (!compact_load_fits(&c->load, c->rows->n, j->opt->memory / SHARE))
		rc = spill(j, x->err);
	if (rc == 0)
		rc = compact_load_block(&c->load, x->block, c->rows, c->map,
		    &c->days, x->err);
	rows_clear(c->rows);
	return (rc);
}

/* The part of each day, for the rows of that day to meet it. */
static int
add_record(struct taking *x, const char *stream,
    const struct journal_cover *r)
{
	struct compact_job *j = x->job;
	struct rows *rows = j->covers->rows;
	int64_t a = r->a, b;
	uint32_t i;
	int rc = 0;

	for (; a < r->b && rc == 0; a = b) {
		b = ((int64_t)ticks_day(a) + 1) * TICKS_PER_DAY;
		b = b < r->b ? b : r->b;
		i = rows_add(rows);
		rows_set_str(rows, 0, i, stream, strlen(stream));
		rows_set_i64(rows, 1, i, a);
		rows_set_i64(rows, 2, i, b);
		compact_days_add(&j->days, ticks_day(a), a, b - 1);
		if (rows->n == PIECE)
			rc = load_rows(x);
	}
	return (rc);
}

static int
add_key(const struct ledger_object *o, void *cookie)
{
	struct taking *x = cookie;

	x->keys += journal_cover_key(o->id, o->key);
	return (0);
}

static int
add_object(const struct ledger_object *o, void *cookie)
{
	struct taking *x = cookie;
	size_t i;
	int rc = 0;

	for (i = 0; i < x->n && rc == 0; i++)
		if (x->c[i].replaces)
			rc = add_record(x, o->key, &x->c[i]);
	return (rc);
}

static int
each_object(struct taking *x, struct ledger_txn *txn,
    const struct journal_cover *c, size_t n, ledger_object_fn *fn)
{
	const char *over = x->job->plan->table->over->name;
	size_t i;
	int rc = 0;

	for (i = 0; i < n && rc == 0; i += x->n) {
		x->c = &c[i];
		for (x->n = 1; i + x->n < n &&
		    c[i + x->n].object == c[i].object; x->n++)
			;
		rc = ledger_object_each(txn, over, c[i].object, c[i].object,
		    fn, x, x->err);
	}
	return (rc);
}

int
compact_cover_take(struct compact_job *j, const struct journal_block *b,
    const struct journal_batch *batch, const struct journal_cover *c,
    size_t n, struct err *e)
{
	struct taking x = { .job = j, .block = b, .err = e };
	struct ledger_txn *txn;
	size_t i;
	int rc;

	for (i = 0; i < n && !c[i].replaces; i++)
		;
	if (i == n || batch->walk)
		return (0);
	if (j->covers == NULL)
		j->covers = covers_new();
	if ((rc = ledger_read_begin(j->ledger, &txn, e)) != 0)
		return (rc);
	rc = each_object(&x, txn, c, n, add_key);
	if (rc == 0 && x.keys == batch->keys)
		rc = each_object(&x, txn, c, n, add_object);
	ledger_read_end(txn);
	return (rc != 0 ? rc : load_rows(&x));
}
