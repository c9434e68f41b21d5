/*
 * New data files of the table. Day after day the runs, the load and the
 * files of that partition whose range of time overlaps the new rows' are
 * merged; the result is cut into files of at most file_rows rows. Other
 * files stay as they are: an equal key would have an equal time. Files are
 * synced one by one, their directory after the last; nothing names them
 * before the commit, so after an error they are just removed.
 */

#include "config.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/must.h"
#include "base/ticks.h"
#include "compact/compact_int.h"
#include "sys/sys.h"

/* More than the next batch and the footer take, of rows as they are. */
#define BATCH_BYTES (1u << 20)

struct writer {
	struct compact_job *job;
	const char *partition;		/* or NULL */
	const char **sorted_by;
	struct parquet_writer *out;	/* or NULL */
	char *path;			/* of `out`, relative */
};

/* --- one file ------------------------------------------------------------ */

static char *
full_path(const struct compact_job *j, const char *path)
{

	return (must_sprintf("%s/%s", j->dir, path));
}

static int
file_begin(struct writer *w, struct err *e)
{
	struct compact_job *j = w->job;
	struct parquet_options o = {
		.zstd_level = j->opt->zstd_level,
		.sorted_by = w->sorted_by,
		.sorted_n = j->plan->nkey,
	};
	char uuid[37], *path;
	int rc;

	w->path = must_sprintf("%s%s%spart-%020lld-%s.zstd.parquet",
	    w->partition != NULL ? "date=" : "",
	    w->partition != NULL ? w->partition : "",
	    w->partition != NULL ? "/" : "",
	    (long long)j->base.version + 1, sys_uuid(j->sys, uuid));
	path = full_path(j, w->path);
	rc = parquet_writer_open(j->sys, path, j->plan->schema, &o, &w->out,
	    e);
	free(path);
	if (rc != 0) {
		free(w->path);
		w->path = NULL;
		w->out = NULL;
	}
	return (rc);
}

static int
file_end(struct writer *w, struct err *e)
{
	struct compact_job *j = w->job;
	struct compact_new *f;
	struct parquet_info info;
	int rc;

	if (w->out == NULL)
		return (0);
	memset(&info, 0, sizeof(info));
	rc = parquet_writer_finish(w->out, &info, e);
	w->out = NULL;
	if (rc != 0) {
		free(w->path);
		w->path = NULL;
		return (rc);
	}
	if (j->nnews == j->news_cap) {
		j->news_cap = j->news_cap == 0 ? 16 : j->news_cap * 2;
		j->news = must_realloc(j->news, j->news_cap,
		    sizeof(j->news[0]));
	}
	f = &j->news[j->nnews++];
	f->path = w->path;
	f->partition = w->partition == NULL ? NULL :
	    must_strdup(w->partition);
	f->info = info;
	w->path = NULL;
	j->result->rows_written += info.rows;
	return (0);
}

static void
file_abort(struct writer *w)
{

	if (w->out != NULL)
		parquet_writer_abort(w->out);
	free(w->path);
	w->out = NULL;
	w->path = NULL;
}

static int
put(void *cookie, const struct rows *r, uint32_t from, uint32_t n,
    struct err *e)
{
	struct writer *w = cookie;
	uint32_t max = w->job->opt->file_rows, part;
	uint64_t have;
	int rc;

	for (; n > 0; from += part, n -= part) {
		if (w->out == NULL && (rc = file_begin(w, e)) != 0)
			return (rc);
		have = parquet_writer_rows(w->out);
		part = n;
		if (max > 0 && part > max - have)
			part = (uint32_t)(max - have);
		rc = parquet_writer_append(w->out, r, from, part, e);
		if (rc != 0)
			return (rc);
		w->job->rows_put += part;
		if (have + part == max && (rc = file_end(w, e)) != 0)
			return (rc);
	}
	return (compact_turn(w->job, BATCH_BYTES + (w->out == NULL ? 0 :
	    parquet_writer_pending(w->out)), e));
}

void
compact_write_forget(struct compact_job *j, bool unlink)
{
	char *path;
	size_t i;

	for (i = 0; i < j->nnews; i++) {
		path = full_path(j, j->news[i].path);
		if (unlink)
			j->sys->unlink(j->sys->cookie, path);
		free(path);
		free(j->news[i].path);
		free(j->news[i].partition);
		parquet_info_fini(&j->news[i].info);
	}
	j->nnews = 0;
	free(j->removes);
	j->removes = NULL;
	j->nremoves = 0;
}

/* --- inputs -------------------------------------------------------------- */

struct inputs {
	struct compact_input *in[COMPACT_INPUTS_MAX];
	size_t n;
	size_t nruns;		/* the first ones, open for all days */
};

static_assert(COMPACT_RUNS_MAX + 2 < COMPACT_INPUTS_MAX / 2, "files fit");

static void
close_from(struct inputs *in, size_t from)
{

	while (in->n > from)
		compact_input_close(in->in[--in->n]);
}

static int
open_runs(struct compact_job *j, struct inputs *in, struct err *e)
{
	char *path;
	unsigned i;
	int rc = 0;

	for (i = 0; i < j->nruns && rc == 0; i++) {
		path = compact_gather_path(j, j->runs[i]);
		rc = compact_spill_open(j->sys, path, j->plan, i + 1,
		    &in->in[in->n], e);
		in->n += rc == 0;
		free(path);
	}
	if (rc == 0 && j->load.nrows > 0) {
		rc = compact_sort_open(&j->load, j->nruns + 1,
		    &j->result->duplicates, &in->in[in->n], e);
		in->n += rc == 0;
	}
	in->nruns = in->n;
	return (rc);
}

/* Too many files: the open ones become one run. */
static int
fold_files(struct compact_job *j, struct inputs *in,
    const struct compact_day *day, struct err *e)
{
	struct compact_day one = *day;
	struct compact_days days = { &one, 1, 1 };
	unsigned number = 0;
	uint64_t none = 0;
	char *path;
	int rc;

	if ((rc = compact_gather_run(j, &number, &path, e)) != 0)
		return (rc);
	rc = compact_spill_write(j, path, j->plan, &in->in[in->nruns],
	    in->n - in->nruns, &days, &none, e);
	close_from(in, in->nruns);
	if (rc == 0)
		rc = compact_spill_open(j->sys, path, j->plan, 0,
		    &in->in[in->n], e);
	if (rc == 0)
		in->in[in->n++]->existing = true;
	/* Open, it can still be read. */
	j->sys->unlink(j->sys->cookie, path);
	free(path);
	return (rc);
}

static bool
overlaps(const struct compact_plan *p, const struct compact_day *day,
    const char *partition, const struct delta_file *f)
{
	int64_t min_tick = day->min_tick;

	if (!p->partitioned)
		return (true);
	MUST(partition != NULL);
	if (f->partition == NULL || strcmp(f->partition, partition) != 0)
		return (false);
	if (f->min_tick == TICKS_NONE || f->max_tick == TICKS_NONE)
		return (true);
	/* The file's range is of whole microseconds. */
	min_tick -= ticks_rest(min_tick);
	return (f->min_tick <= day->max_tick && f->max_tick >= min_tick);
}

static int
open_files(struct compact_job *j, struct inputs *in,
    const struct compact_day *day, const char *partition, struct err *e)
{
	const struct delta_file *f;
	char *path;
	size_t i;
	int rc = 0;

	for (i = 0; i < j->base.nfiles && rc == 0; i++) {
		f = &j->base.files[i];
		if (!overlaps(j->plan, day, partition, f))
			continue;
		if (in->n == COMPACT_INPUTS_MAX &&
		    (rc = fold_files(j, in, day, e)) != 0)
			break;
		path = full_path(j, f->path);
		rc = compact_file_open(j->sys, path, j->plan, day->day,
		    &j->result->rows_merged, &in->in[in->n], e);
		in->n += rc == 0;
		free(path);
		j->removes[j->nremoves++] = f;
	}
	return (rc);
}

/* --- days ---------------------------------------------------------------- */

static int
write_day(struct writer *w, struct inputs *in, const struct compact_day *day,
    struct compact_filter *filter, struct err *e)
{
	struct compact_job *j = w->job;
	const struct compact_sink out = { .cookie = w, .put = put };
	const struct compact_sink sink = filter == NULL ? out :
	    (struct compact_sink){ .cookie = filter,
	    .put = compact_filter_put };
	char date[TICKS_TEXT_MAX], *dir;
	int rc;

	w->partition = NULL;
	if (j->plan->partitioned)
		w->partition = ticks_date(day->day * TICKS_PER_DAY, date);
	dir = w->partition == NULL ? must_strdup(j->dir) :
	    must_sprintf("%s/date=%s", j->dir, w->partition);
	rc = sys_mkdirs(j->sys, dir, e);
	if (rc == 0 && !j->opt->rebuild && !j->plan->snapshot)
		rc = open_files(j, in, day, w->partition, e);
	if (filter != NULL)
		compact_filter_begin(filter, day->day, &out);
	if (rc == 0)
		rc = compact_merge_day(j->plan, in->in, in->n, day->day,
		    &sink, &j->result->duplicates, e);
	if (rc == 0)
		rc = file_end(w, e);
	if (rc == 0)
		rc = sys_sync_dir(j->sys, dir, e);
	file_abort(w);
	close_from(in, in->nruns);
	free(dir);
	return (rc);
}

static void
replace_all(struct compact_job *j)
{

	for (j->nremoves = 0; j->nremoves < j->base.nfiles; j->nremoves++)
		j->removes[j->nremoves] = &j->base.files[j->nremoves];
}

int
compact_write(struct compact_job *j, struct err *e)
{
	struct writer w = { .job = j };
	struct compact_filter *filter = NULL;
	struct compact_input *covers = NULL;
	struct inputs in;
	uint32_t k;
	size_t d;
	int rc;

	memset(&in, 0, sizeof(in));
	MUST(j->removes == NULL && j->nnews == 0);
	j->removes = must_calloc(j->base.nfiles + 1, sizeof(j->removes[0]));
	if (j->opt->rebuild || j->plan->snapshot)
		replace_all(j);
	w.sorted_by = must_calloc(j->plan->nkey, sizeof(w.sorted_by[0]));
	for (k = 0; k < j->plan->nkey; k++)
		w.sorted_by[k] = j->plan->schema->cols[j->plan->key[k]].name;

	rc = open_runs(j, &in, e);
	if (rc == 0)
		rc = compact_cover_open(j, &covers, e);
	if (covers != NULL)
		filter = compact_filter_new(j->plan, covers,
		    &j->result->replaced);
	for (d = 0; d < j->days.n && rc == 0; d++)
		rc = write_day(&w, &in, &j->days.day[d], filter, e);
	close_from(&in, 0);
	compact_filter_free(filter);
	free(w.sorted_by);
	return (rc);
}
