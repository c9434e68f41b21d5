/*
 * From the journals to sorted runs. The groups are read one after the other,
 * each from its position in silver to the ledger's; when the budget is
 * reached, between two blocks, what is there is sorted and spilled. What
 * fits whole is never spilled. Too many runs are merged into one. Damage in
 * a journal ends the run with directory and position, nothing is committed.
 */

#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/must.h"
#include "compact/compact_int.h"
#include "source/source.h"
#include "sys/sys.h"

char *
compact_gather_path(const struct compact_job *j, unsigned number)
{

	return (must_sprintf("%s/run-%u", j->tmp, number));
}

int
compact_gather_run(struct compact_job *j, unsigned *number, char **path,
    struct err *e)
{
	int rc;

	if ((rc = sys_mkdirs(j->sys, j->tmp, e)) != 0)
		return (rc);
	*number = j->next_run++;
	*path = compact_gather_path(j, *number);
	return (0);
}

static void
remove_runs(struct compact_job *j)
{
	char *path;
	unsigned i;

	for (i = 0; i < j->nruns; i++) {
		path = compact_gather_path(j, j->runs[i]);
		j->sys->unlink(j->sys->cookie, path);
		free(path);
	}
	j->nruns = 0;
}

void
compact_gather_clear(struct compact_job *j)
{

	remove_runs(j);
	compact_load_clear(&j->load);
	compact_cover_clear(j);
	j->days.n = 0;
}

/* All runs into one, which keeps their order with later ones. */
static int
fold_runs(struct compact_job *j, struct err *e)
{
	struct compact_input *in[COMPACT_RUNS_MAX];
	unsigned i, n = 0, number = 0;
	char *path, *to = NULL;
	int rc = 0;

	for (i = 0; i < j->nruns && rc == 0; i++) {
		path = compact_gather_path(j, j->runs[i]);
		rc = compact_spill_open(j->sys, path, j->plan, i, &in[n], e);
		n += rc == 0;
		free(path);
	}
	if (rc == 0)
		rc = compact_gather_run(j, &number, &to, e);
	if (rc == 0)
		rc = compact_spill_write(j, to, j->plan, in, n,
		    &j->days, &j->result->duplicates, e);
	for (i = 0; i < n; i++)
		compact_input_close(in[i]);
	free(to);
	if (rc != 0)
		return (rc);
	remove_runs(j);
	j->runs[j->nruns++] = number;
	return (0);
}

static int
spill_load(struct compact_job *j, struct err *e)
{
	struct compact_input *in = NULL;
	char *path = NULL;
	unsigned number = 0;
	int rc;

	if (j->nruns == COMPACT_RUNS_MAX && (rc = fold_runs(j, e)) != 0)
		return (rc);
	rc = compact_sort_open(&j->load, 0, &j->result->duplicates, &in, e);
	if (rc == 0)
		rc = compact_gather_run(j, &number, &path, e);
	if (rc == 0)
		rc = compact_spill_write(j, path, j->plan, &in, 1,
		    &j->days, &j->result->duplicates, e);
	if (rc == 0)
		j->runs[j->nruns++] = number;
	compact_input_close(in);
	compact_load_clear(&j->load);
	free(path);
	return (rc);
}

/* --- reading ------------------------------------------------------------- */

struct reading {
	struct journal_reader *reader;
	const struct rows_schema *schema;	/* map and rows are for it */
	struct rows *rows;
	int *map;
	/* of the batch at hand: blocks of rows that are there */
	uint8_t batch_id[JOURNAL_BATCH_ID];
	uint32_t blocks;
};

static int
use_schema(struct compact_job *j, struct reading *r,
    const struct rows_schema *schema, struct err *e)
{

	if (r->schema == schema) {
		rows_clear(r->rows);
		return (0);
	}
	rows_free(r->rows);
	r->schema = schema;
	r->rows = rows_new(schema);
	return (compact_plan_map(j->plan, schema, false, r->map, e));
}

static int
take_block(struct compact_job *j, struct reading *r,
    const struct journal_block *b, const struct rows_schema *schema,
    struct err *e)
{
	int rc;

	size_t used = compact_cover_bytes(j);

	if (!compact_load_fits(&j->load, b->nrows, j->opt->memory > used ?
	    j->opt->memory - used : 0) &&
	    (rc = spill_load(j, e)) != 0)
		return (rc);
	if ((rc = use_schema(j, r, schema, e)) != 0)
		goto out;
	if ((rc = journal_reader_rows(r->reader, r->rows, e)) != 0)
		return (rc);	/* names its file itself */
	rc = compact_load_block(&j->load, b, r->rows, r->map, &j->days, e);
out:
	if (rc != 0)
		return (err_wrap(e, "journal of group %d, segment %u, block "
		    "at %llu", b->group, b->pos.segment,
		    (unsigned long long)b->pos.offset));
	j->result->rows_read += r->rows->n;
	return (compact_turn(j, 0, e));
}

static void
count_block(struct reading *r, const struct journal_block *b)
{

	if (r->blocks == 0 ||
	    memcmp(r->batch_id, b->batch_id, sizeof(r->batch_id)) != 0)
		r->blocks = 0;
	memcpy(r->batch_id, b->batch_id, sizeof(r->batch_id));
	r->blocks++;
}

/* A batch that lost a block does not tell what was there. */
static int
take_cover(struct compact_job *j, struct reading *r,
    const struct journal_block *b, struct err *e)
{
	const struct journal_cover *c;
	struct journal_batch batch;
	uint32_t blocks = r->blocks;
	size_t n;
	int rc;

	r->blocks = 0;
	if ((rc = journal_reader_cover(r->reader, &batch, &c, &n, e)) != 0)
		return (rc);
	if (batch.blocks != blocks || (blocks > 0 && memcmp(r->batch_id,
	    b->batch_id, sizeof(r->batch_id)) != 0))
		return (0);
	return (compact_cover_take(j, b, &batch, c, n, e));
}

static int
gather_group(struct compact_job *j, const struct compact_group *g,
    struct err *e)
{
	const struct rows_schema *schema;
	struct reading r = { .reader = NULL };
	struct journal_block b;
	char *dir;
	int rc;

	if (journal_pos_cmp(&g->from, &g->to) == 0)
		return (0);
	dir = must_sprintf("%s/bronze/%s/%s/group-%u", j->opt->data_dir,
	    j->opt->source, j->plan->table->name, g->group);
	r.map = must_calloc(j->plan->schema->ncols, sizeof(*r.map));
	rc = journal_reader_open(j->sys, dir, &g->from, &g->to, false,
	    &r.reader, e);
	if (rc != 0)
		goto out;
	if (compact_cover_can(j->plan))
		journal_reader_show_covers(r.reader);
	while ((rc = journal_reader_next(r.reader, &b, &schema, e)) == 1) {
		if (b.hole)
			continue;
		if (!b.cover)
			count_block(&r, &b);
		rc = b.cover ? take_cover(j, &r, &b, e) :
		    take_block(j, &r, &b, schema, e);
		if (rc != 0)
			break;
	}
out:
	rows_free(r.rows);
	if (r.reader != NULL)
		journal_reader_close(r.reader);
	free(r.map);
	free(dir);
	return (rc);
}

int
compact_gather(struct compact_job *j, struct err *e)
{
	size_t i;
	int rc = 0;

	for (i = 0; i < j->ngroups && rc == 0; i++)
		rc = gather_group(j, &j->groups[i], e);
	return (rc);
}
