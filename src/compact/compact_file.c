/*
 * A data file of the table as a sorted input. Times get their ticks below a
 * microsecond back. That the rows ascend strictly and lie in the partition
 * they stand under is verified on the way: a file that breaks it would make
 * the merge lose or double rows, so it is ERR_CORRUPT. Files written before
 * a column was added give nulls for it.
 */

#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/must.h"
#include "base/ticks.h"
#include "compact/compact_int.h"
#include "parquet/parquet.h"

struct file {
	const struct compact_plan *plan;
	char *path;
	struct parquet_reader *reader;
	struct rows *raw;		/* with the file's own schema */
	int *map;
	struct compact_copy copy;	/* raw to the batch */
	struct rows *last;		/* the last row of the batch before */
	struct compact_copy copy_last;
	uint64_t row;			/* number of the batch's first row */
	uint64_t *rows_read;
};

static int
bad_row(const struct file *f, uint32_t i, const char *what, struct err *e)
{

	return (err_set(e, ERR_CORRUPT, "row %llu %s",
	    (unsigned long long)(f->row + i), what));
}

static int
add_rests(const struct file *f, struct rows *r, struct err *e)
{
	const struct rows_vec *rest;
	uint32_t c, i;
	int64_t *t;

	for (c = 0; c < r->schema->ncols; c++) {
		if (f->plan->rest[c] < 0)
			continue;
		t = r->v[c].i64;
		rest = &r->v[f->plan->rest[c]];
		for (i = 0; i < r->n; i++) {
			if (!rest->valid[i])
				continue;
			if (rest->i32[i] < 0 || rest->i32[i] >= TICKS_PER_US)
				return (bad_row(f, i, "has no such ticks",
				    e));
			t[i] += rest->i32[i];
		}
	}
	return (0);
}

static int
check_cells(const struct file *f, const struct rows *r, int32_t day,
    struct err *e)
{
	const struct compact_plan *p = f->plan;
	int64_t from = day * TICKS_PER_DAY, t;
	uint32_t i, k;

	for (k = 0; k < p->nkey; k++)
		for (i = 0; i < r->n; i++)
			if (rows_null(r, p->key[k], i))
				return (bad_row(f, i, "has a null in its key",
				    e));
	for (i = 0; p->partitioned && i < r->n; i++) {
		t = r->v[p->cursor].i64[i];
		if (t < from || (uint64_t)t - (uint64_t)from >= TICKS_PER_DAY)
			return (bad_row(f, i, "is not of the file's date", e));
	}
	return (0);
}

/* Most rows are of the stream of the row before, and later: the first of
 * these, from i on, that is not. */
static uint32_t
pass_series(const struct compact_plan *p, const struct rows *r, uint32_t i)
{
	const struct rows_col *cols = p->schema->cols;
	const uint32_t *code = r->v[p->key[0]].code;
	const int64_t *t;

	if (p->nkey < 2 || cols[p->key[0]].type != ROWS_STRING ||
	    cols[p->key[1]].type != ROWS_TICKS)
		return (i);
	t = r->v[p->key[1]].i64;
	while (i + 1 < r->n && code[i] == code[i + 1] && t[i] < t[i + 1])
		i++;
	return (i);
}

static int
check_order(struct file *f, const struct rows *r, struct err *e)
{
	uint32_t i;
	int d = -1;

	if (f->last->n > 0)
		d = compact_plan_cmp(f->plan, 0, f->last, 0, r, 0);
	for (i = 0; d < 0 && (i = pass_series(f->plan, r, i)) + 1 < r->n; i++)
		d = compact_plan_cmp(f->plan, 0, r, i, r, i + 1);
	if (d >= 0)
		return (bad_row(f, i, "is out of order", e));
	rows_clear(f->last);
	compact_copy_reset(&f->copy_last);
	return (compact_copy_rows(&f->copy_last, f->last, r, NULL, r->n - 1,
	    1, e));
}

static int
next_batch(struct file *f, struct compact_input *in, struct err *e)
{
	int rc;

	f->row += in->rows->n;
	rows_clear(in->rows);
	rows_clear(f->raw);
	compact_copy_reset(&f->copy);
	rc = parquet_reader_next(f->reader, f->raw, COMPACT_BATCH_ROWS, e);
	if (rc <= 0)
		return (rc);
	rc = compact_copy_rows(&f->copy, in->rows, f->raw, f->map, 0,
	    f->raw->n, e);
	if (rc != 0)
		return (rc);
	if ((rc = add_rests(f, in->rows, e)) != 0 ||
	    (rc = check_cells(f, in->rows, in->day, e)) != 0 ||
	    (rc = check_order(f, in->rows, e)) != 0)
		return (rc);
	*f->rows_read += in->rows->n;
	return (1);
}

static int
file_fill(struct compact_input *in, struct err *e)
{
	struct file *f = in->state;
	int rc = next_batch(f, in, e);

	if (rc < 0)
		err_wrap(e, "%s", f->path);
	return (rc);
}

static void
file_close(struct compact_input *in)
{
	struct file *f = in->state;

	rows_free(f->raw);	/* its schema is the reader's */
	rows_free(f->last);
	if (f->reader != NULL)
		parquet_reader_close(f->reader);
	compact_copy_fini(&f->copy);
	compact_copy_fini(&f->copy_last);
	free(f->map);
	free(f->path);
	free(f);
}

/* Of a plan that is trimmed: its columns, but for the last two. */
static void
only_keys(struct file *f, const struct rows_schema *from)
{
	const struct compact_plan *p = f->plan;
	bool *want = must_calloc(from->ncols, sizeof(want[0]));
	uint32_t c;

	f->map[p->ingested] = f->map[p->group] = -1;
	for (c = 0; c < p->schema->ncols; c++)
		if (f->map[c] >= 0)
			want[f->map[c]] = true;
	parquet_reader_only(f->reader, want);
	free(want);
}

int
compact_file_open(const struct sys *sys, const char *path,
    const struct compact_plan *p, int32_t day, uint64_t *rows_read,
    struct compact_input **out, struct err *e)
{
	struct compact_input *in = compact_input_new(p, 0);
	struct file *f = must_calloc(1, sizeof(*f));
	uint32_t ncols = p->schema->ncols;
	int rc;

	in->state = f;
	in->fill = file_fill;
	in->close = file_close;
	in->existing = true;
	in->day = day;
	f->plan = p;
	f->path = must_strdup(path);
	f->rows_read = rows_read;
	f->map = must_calloc(ncols, sizeof(*f->map));
	f->last = rows_new(p->schema);
	compact_copy_init(&f->copy, ncols);
	compact_copy_init(&f->copy_last, ncols);
	if ((rc = parquet_reader_open(sys, path, &f->reader, e)) != 0)
		goto out;
	f->raw = rows_new(parquet_reader_schema(f->reader));
	rc = compact_plan_map(p, f->raw->schema, true, f->map, e);
	if (rc != 0)
		err_wrap(e, "%s", path);
	else if (p->keys_only)
		only_keys(f, f->raw->schema);
out:
	if (rc != 0)
		compact_input_close(in);
	else
		*out = in;
	return (rc);
}
