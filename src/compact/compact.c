/*
 * A table's run, under its lock: what the ledger has and the table has not
 * is gathered, merged and committed. When another writer was first, all of
 * it starts over from the new version. Nothing new: nothing is written.
 *
 * An error before the commit removes the files made; during the commit it
 * may not (the commit may stand), they stay for the sweep if it did not.
 */

#include "config.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "base/msg.h"
#include "base/must.h"
#include "base/text.h"
#include "compact/compact_int.h"
#include "ledger/ledger.h"
#include "source/source.h"
#include "sys/sys.h"

#define TRIES 3
#define PROGRESS_ROWS 100000u
/* Readers of an older version have so long to finish; also covers the clock
 * of another host. */
#define KEEP_MS (7LL * 86400 * 1000)

static void
progress(struct compact_job *j)
{
	uint64_t done = j->result->rows_read + j->rows_put;

	if (j->opt->progress == NULL || done < j->rows_told + PROGRESS_ROWS)
		return;
	j->rows_told = done;
	done /= 2;
	j->opt->progress(j->opt->cookie,
	    done < j->rows_all ? done : j->rows_all, j->rows_all);
}

/* Where that cannot be told, writing will tell. */
static int
room(const struct compact_job *j, const char *path, uint64_t more,
    struct err *e)
{
	uint64_t left, size, keep;
	char a[32], b[32], c[32];

	if (sys_space(path, &left, &size, NULL) != 0)
		return (0);
	keep = sys_reserve(j->opt->reserve, size);
	if (left >= keep && left - keep >= more)
		return (0);
	(void)text_bytes_human(left, a, sizeof(a));
	(void)text_bytes_human(keep, b, sizeof(b));
	if (left < keep)
		return (err_set(e, ERR_NOSPACE, "%s: no space left: %s free, "
		    "less than the reserve of %s (harvest.reserve)", path, a,
		    b));
	return (err_set(e, ERR_NOSPACE, "%s: no space left: %s free, with "
	    "%s to be written less than the reserve of %s "
	    "(harvest.reserve)", path, a,
	    text_bytes_human(more, c, sizeof(c)), b));
}

int
compact_turn(struct compact_job *j, uint64_t pending, struct err *e)
{
	int rc;

	progress(j);
	if ((rc = room(j, j->opt->data_dir, pending, e)) != 0 ||
	    (rc = room(j, j->dir, pending, e)) != 0)
		return (rc);
	if (j->opt->stop != NULL && j->opt->stop(j->opt->stop_cookie))
		return (err_set(e, ERR_CANCELLED, "stopped; the table is as "
		    "it was"));
	return (0);
}

/* --- groups -------------------------------------------------------------- */

struct group_list {
	struct compact_job *job;
	const char *instance;
};

static int
add_group(const char *table, uint32_t number, const struct ledger_group *lg,
    void *cookie)
{
	struct group_list *list = cookie;
	struct compact_job *j = list->job;
	struct compact_group *g;

	(void)table;
	j->groups = must_realloc(j->groups, j->ngroups + 1,
	    sizeof(j->groups[0]));
	g = &j->groups[j->ngroups++];
	memset(g, 0, sizeof(*g));
	g->group = number;
	g->app_id = must_sprintf("garner/%s/%u", list->instance, number);
	g->to = lg->pos;
	g->run = lg->run;
	g->walked = lg->batches > 0;
	g->rows = lg->rows;
	return (0);
}

static void
free_groups(struct compact_job *j)
{
	size_t i;

	for (i = 0; i < j->ngroups; i++)
		free(j->groups[i].app_id);
	free(j->groups);
	j->groups = NULL;
	j->ngroups = 0;
}

static int
read_groups(struct compact_job *j, struct ledger *ledger, struct err *e)
{
	struct group_list list = { j, ledger_instance(ledger) };
	struct ledger_txn *txn;
	int rc;

	free_groups(j);
	if ((rc = ledger_read_begin(ledger, &txn, e)) != 0)
		return (rc);
	rc = ledger_group_each(txn, j->plan->table->name, add_group, &list,
	    e);
	ledger_read_end(txn);
	return (rc);
}

/* Rows in [from, to), by the share of bytes. */
static uint64_t
estimate(const struct compact_group *g)
{
	double from = (double)journal_pos_pack(&g->from);
	double to = (double)journal_pos_pack(&g->to);

	return (to <= 0 ? 0 : (uint64_t)((double)g->rows * (1 - from / to)));
}

static int
place_group(struct compact_job *j, struct compact_group *g, struct err *e)
{

	g->txn = delta_snapshot_txn(&j->base, g->app_id);
	if (j->plan->snapshot)
		g->from = g->run;
	else if (j->opt->rebuild || g->txn < 0)
		memset(&g->from, 0, sizeof(g->from));
	else
		g->from = journal_pos_unpack(g->txn);
	if (journal_pos_cmp(&g->from, &g->to) <= 0 &&
	    (j->opt->rebuild || g->txn <= journal_pos_pack(&g->to))) {
		j->rows_all += estimate(g);
		return (0);
	}
	return (err_set(e, ERR_CORRUPT, "group %u: the table has rows to "
	    "journal position %u/%llu, the ledger knows of %u/%llu; if an "
	    "older ledger was put back, rebuild the table", g->group,
	    journal_pos_unpack(g->txn).segment,
	    (unsigned long long)journal_pos_unpack(g->txn).offset,
	    g->to.segment, (unsigned long long)g->to.offset));
}

/* Whether there is anything to do. */
static int
place_groups(struct compact_job *j, bool *fresh, struct err *e)
{
	bool rows = false, moved = false, walked = false;
	const struct compact_group *g;
	size_t i;
	int rc;

	j->rows_all = 0;
	for (i = 0; i < j->ngroups; i++) {
		g = &j->groups[i];
		if ((rc = place_group(j, &j->groups[i], e)) != 0)
			return (rc);
		rows = rows || journal_pos_cmp(&g->from, &g->to) < 0;
		walked = walked || g->walked;
		moved = moved || (g->walked &&
		    g->txn != journal_pos_pack(&g->to));
	}
	if (!j->plan->snapshot)
		*fresh = rows || (j->opt->rebuild && j->base.version >= 0);
	else	/* a walk may have found nothing, and moved nothing */
		*fresh = walked && (moved || j->opt->rebuild ||
		    (!rows && j->base.nfiles > 0));
	return (0);
}

/* --- the commit ---------------------------------------------------------- */

static int
commit(struct compact_job *j, struct delta_table *delta, struct err *e)
{
	struct delta_commit c = {
		.operation = j->nremoves > 0 ? "MERGE" : "WRITE",
		.schema = j->plan->schema,
		.partition_column = j->plan->partitioned ? "date" : NULL,
		.data_change = true,
		.removes = j->removes,
		.nremoves = j->nremoves,
	};
	struct delta_add *adds = must_calloc(j->nnews + 1, sizeof(*adds));
	struct delta_txn *txns = must_calloc(j->ngroups + 1, sizeof(*txns));
	int64_t version;
	size_t i;
	int rc;

	for (i = 0; i < j->nnews; i++)
		adds[c.nadds++] = (struct delta_add){ j->news[i].path,
		    j->news[i].partition, &j->news[i].info };
	for (i = 0; i < j->ngroups; i++)
		if (j->groups[i].walked)
			txns[c.ntxns++] = (struct delta_txn){
			    j->groups[i].app_id,
			    journal_pos_pack(&j->groups[i].to) };
	c.adds = adds;
	c.txns = txns;
	rc = delta_commit(delta, &j->base, &c, &version, e);
	if (rc == 0)
		j->result->version = version;
	free(adds);
	free(txns);
	return (rc);
}

static void
count_files(struct compact_job *j)
{
	struct compact_result *r = j->result;
	size_t i;

	for (i = 0; i < j->base.nfiles; i++) {
		r->rows_total += j->base.files[i].rows;
		r->bytes_total += j->base.files[i].bytes;
	}
	for (i = 0; i < j->nremoves; i++) {
		r->rows_total -= j->removes[i]->rows;
		r->bytes_total -= j->removes[i]->bytes;
	}
	for (i = 0; i < j->nnews; i++) {
		r->rows_total += j->news[i].info.rows;
		r->bytes_total += j->news[i].info.bytes;
	}
	r->files_added = (uint32_t)j->nnews;
	r->files_removed = (uint32_t)j->nremoves;
}

/* --- a try --------------------------------------------------------------- */

static int
check_base(const struct compact_job *j, struct err *e)
{

	if (j->base.version < 0 ||
	    (j->base.partition_column != NULL) == j->plan->partitioned)
		return (0);
	return (err_set(e, ERR_UNSUPPORTED, "the table there is %spartitioned",
	    j->plan->partitioned ? "not " : ""));
}

static void
sweep(struct compact_job *j, struct delta_table *delta)
{
	struct err e = ERR_INIT;
	size_t removed = 0;

	if (delta_sweep(delta, &j->base, KEEP_MS, &removed, &e) != 0)
		msg_warn("compact", "%s: old files stay: %s", j->dir, e.text);
	else if (removed > 0)
		msg_info("compact", "%s: %zu old files removed", j->dir,
		    removed);
}

/* The journals moved on, but by coverage alone: no version for that. */
static bool
nothing_new(const struct compact_job *j)
{

	return (j->result->rows_read == 0 && j->covers == NULL &&
	    !j->plan->snapshot && !j->opt->rebuild);
}

static int
rewrite(struct compact_job *j, struct delta_table *delta, struct err *e)
{
	bool unlink = true;
	int rc;

	sweep(j, delta);
	if ((rc = compact_sweep_files(j, e)) == 0 &&
	    (rc = compact_gather(j, e)) == 0 && !nothing_new(j) &&
	    (rc = compact_write(j, e)) == 0) {
		rc = commit(j, delta, e);
		unlink = rc == ERR_EXISTS || rc == ERR_UNSUPPORTED;
	}
	if (rc == 0)
		count_files(j);
	compact_gather_clear(j);
	compact_write_forget(j, unlink);
	return (rc);
}

static int
try_once(struct compact_job *j, struct delta_table *delta, struct err *e)
{
	bool fresh;
	int rc;

	memset(j->result, 0, sizeof(*j->result));
	memset(&j->base, 0, sizeof(j->base));
	j->rows_put = j->rows_told = 0;
	if ((rc = delta_load(delta, &j->base, e)) != 0)
		return (rc);
	j->result->version = j->base.version;
	if ((rc = check_base(j, e)) == 0 &&
	    (rc = place_groups(j, &fresh, e)) == 0) {
		if (fresh)
			rc = rewrite(j, delta, e);
		else
			count_files(j);
	}
	delta_snapshot_fini(&j->base);
	return (rc);
}

/* --- the lock ------------------------------------------------------------ */

static int
lock_table(const struct compact_job *j, int *lock, struct err *e)
{
	char *path;
	int rc;

	if ((rc = sys_mkdirs(j->sys, j->dir, e)) != 0)
		return (rc);
	path = must_sprintf("%s/.garner-lock", j->dir);
	rc = sys_lock(path, lock, e);
	free(path);
	return (rc);
}

static int
run(struct compact_job *j, struct ledger *ledger, struct err *e)
{
	struct delta_table *delta;
	int lock = -1, tries = 0, rc;

	if ((rc = read_groups(j, ledger, e)) != 0)
		return (rc);
	delta = delta_open(j->sys, j->dir, j->plan->cursor < 0 ? NULL :
	    j->plan->schema->cols[j->plan->cursor].name);
	if (j->ngroups == 0) {
		rc = try_once(j, delta, e);
		goto out;
	}
	/* Once more under the lock: another run may have gone further than
	 * the positions read without it. */
	if ((rc = lock_table(j, &lock, e)) != 0 ||
	    (rc = read_groups(j, ledger, e)) != 0 ||
	    (rc = compact_sweep_tmp(j, e)) != 0 ||
	    (rc = delta_settle(delta, e)) != 0)
		goto out;
	do
		rc = try_once(j, delta, e);
	while (rc == ERR_EXISTS && ++tries < TRIES);
	(void)sys_remove_tree(j->tmp, NULL);
out:
	delta_close(delta);
	sys_unlock(lock);
	return (rc);
}

int
compact_table(const struct sys *sys, struct ledger *ledger,
    const struct source_table *t, const struct compact_options *opt,
    struct compact_result *result, struct err *e)
{
	struct compact_job j;
	int rc;

	memset(&j, 0, sizeof(j));
	j.sys = sys;
	j.ledger = ledger;
	j.opt = opt;
	j.result = result;
	j.plan = compact_plan_new(t, opt->ties_all);
	j.dir = must_sprintf("%s/silver/%s/%s", opt->data_dir, opt->source,
	    t->name);
	j.tmp = must_sprintf("%s/tmp/compact-%s.%s-%ld", opt->data_dir,
	    opt->source, t->name, (long)getpid());
	compact_load_init(&j.load, j.plan);

	rc = run(&j, ledger, e);
	if (rc != 0)
		err_wrap(e, "%s", t->name);

	compact_load_fini(&j.load);
	free(j.days.day);
	free(j.news);
	free_groups(&j);
	free(j.tmp);
	free(j.dir);
	compact_plan_free(j.plan);
	return (rc);
}
