/*
 * Silver of a table: the log replays, each file it names is there as it was
 * written, its pages decode and its statistics hold; rows ascend by key, and
 * no key is in two files of a partition; the log's transactions are not
 * beyond what the journals hold.
 */

#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/must.h"
#include "compact/compact.h"
#include "delta/delta.h"
#include "parquet/parquet.h"
#include "sys/sys.h"
#include "verify/verify_int.h"

struct silver {
	struct verify *v;
	char *dir;
	struct delta_snapshot s;
	const struct delta_file **good;	/* of one partition */
	size_t ngood;
	struct err *err;
};

static void
tell_file(struct silver *x, const char *kind, const char *path,
    int64_t offset, const char *text)
{
	struct verify_finding f;

	verify_finding_init(x->v, &f, VERIFY_ERROR, kind);
	f.at.path = path;
	f.at.offset = offset;
	verify_tell(x->v, &f, "%s", text);
}

/* --- the log ------------------------------------------------------------- */

static int
load(struct silver *x)
{
	const struct source_table *t = x->v->table;
	struct err why = ERR_INIT;
	struct delta_table *d;
	const char *bad;
	int rc;

	d = delta_open(x->v->sys, x->dir, t->cursor >= 0 ?
	    t->schema->cols[t->cursor].name : NULL);
	rc = delta_load(d, &x->s, &why);
	if (rc == ERR_CORRUPT || rc == ERR_UNSUPPORTED) {
		bad = delta_bad_path(d);
		tell_file(x, "silver.log", bad != NULL ? bad : x->dir, -1,
		    why.text);
		rc = 0;
	} else if (rc != 0) {
		(void)err_set(x->err, rc, "%s", why.text);
	}
	delta_close(d);
	return (rc);
}

/* "garner/<instance>/<group>" of this ledger: the group, else -1. */
static int64_t
group_of(const char *app_id, const char *instance)
{
	size_t n = strlen(instance);

	if (strncmp(app_id, "garner/", 7) != 0 ||
	    strncmp(app_id + 7, instance, n) != 0 || app_id[7 + n] != '/')
		return (-1);
	return (strtoll(app_id + 8 + n, NULL, 10));
}

static int
check_txn(struct silver *x, struct ledger_txn *txn,
    const struct delta_txn *t)
{
	struct verify *v = x->v;
	struct verify_finding f;
	struct journal_pos at;
	struct ledger_group g;
	int64_t group;
	int rc;

	group = group_of(t->app_id, ledger_instance(v->ledger));
	if (group < 0)
		return (0);
	rc = ledger_group_get(txn, v->table->name, (uint32_t)group, &g,
	    x->err);
	if (rc != 0 || (t->version >= 0 &&
	    t->version <= journal_pos_pack(&g.pos)))
		return (rc);
	verify_finding_init(v, &f, VERIFY_ERROR, "silver.position");
	f.at.path = x->dir;
	f.at.group = group;
	if (t->version < 0) {
		verify_tell(v, &f, "the table's position is no position");
		return (0);
	}
	at = journal_pos_unpack(t->version);
	verify_tell(v, &f, "the table has rows to journal position %u/%llu, "
	    "the ledger knows of %u/%llu", at.segment,
	    (unsigned long long)at.offset, g.pos.segment,
	    (unsigned long long)g.pos.offset);
	return (0);
}

/* The ledger is read after the log: it is never behind it. */
static int
check_txns(struct silver *x)
{
	struct ledger_txn *txn;
	size_t i;
	int rc;

	if (x->v->ledger == NULL)
		return (0);
	if ((rc = ledger_read_begin(x->v->ledger, &txn, x->err)) != 0)
		return (rc);
	for (i = 0; i < x->s.ntxns && rc == 0; i++)
		rc = check_txn(x, txn, &x->s.txns[i]);
	ledger_read_end(txn);
	return (rc);
}

/* --- files --------------------------------------------------------------- */

static void
tell_size(struct silver *x, const struct delta_file *f, const char *path,
    uint64_t bytes)
{
	struct verify_finding g;

	verify_finding_init(x->v, &g, VERIFY_ERROR, "silver.size");
	g.at.path = path;
	g.at.offset = (int64_t)(bytes < f->bytes ? bytes : f->bytes);
	verify_tell(x->v, &g, "the file has %llu bytes, the log says %llu",
	    (unsigned long long)bytes, (unsigned long long)f->bytes);
}

/* Of a file that is not read: only that it is there, in its size. */
static int
check_size(struct silver *x, const char *path, uint64_t *bytes)
{
	const struct sys *sys = x->v->sys;
	int64_t size;
	int fd;

	if ((fd = sys->open(sys->cookie, path, O_RDONLY | O_CLOEXEC, 0)) < 0)
		return (err_sys(x->err, errno, "cannot open %s", path));
	size = sys->fsize(sys->cookie, fd);
	(void)sys->close(sys->cookie, fd);
	if (size < 0)
		return (err_sys(x->err, errno, "%s", path));
	*bytes = (uint64_t)size;
	return (0);
}

/* 1 when the file is as the log says; *same: its bytes are those written. */
static int
check_bytes(struct silver *x, const struct delta_file *f, const char *path,
    bool wanted, bool *same)
{
	uint64_t hash = 0, bytes = 0;
	int rc;

	*same = true;
	if (wanted)
		rc = parquet_hash(x->v->sys, path, &hash, &bytes, x->err);
	else
		rc = check_size(x, path, &bytes);
	if (rc == ERR_NOTFOUND) {
		tell_file(x, "silver.missing", path, -1,
		    "the log names this file, it is not there");
		return (0);
	}
	if (rc != 0)
		return (rc);
	if (bytes != f->bytes) {
		tell_size(x, f, path, bytes);
		return (0);
	}
	*same = !wanted || f->xxh64 == 0 || hash == f->xxh64;
	return (1);
}

static void
check_log_stats(struct silver *x, const struct delta_file *f,
    const char *path, const struct parquet_checked *s)
{
	int64_t min = s->min_tick, max = s->max_tick;
	struct verify_finding g;

	if (s->rows != f->rows) {
		verify_finding_init(x->v, &g, VERIFY_ERROR, "silver.stats");
		g.at.path = path;
		verify_tell(x->v, &g, "the file has %llu rows, the log says "
		    "%llu", (unsigned long long)s->rows,
		    (unsigned long long)f->rows);
	}
	if (min > max || f->min_tick == TICKS_NONE ||
	    f->max_tick == TICKS_NONE ||
	    (f->min_tick <= min && max <= f->max_tick &&
	    min - f->min_tick < TICKS_PER_MS &&
	    f->max_tick - max < 2 * TICKS_PER_MS))
		return;
	verify_finding_init(x->v, &g, VERIFY_ERROR, "silver.stats");
	g.at.path = path;
	g.at.from = min;
	g.at.to = max;
	verify_tell(x->v, &g, "the range of time in the log is not that of "
	    "the rows");
}

/* The text without the path in front, which has a field of its own. */
static const char *
without_path(const char *text, const char *path)
{
	size_t n = strlen(path);

	if (strncmp(text, path, n) == 0 && text[n] == ':')
		text += n + 1 + (text[n + 1] == ' ');
	return (text);
}

/* 1 when nothing is wrong with it. */
static int
check_pages(struct silver *x, const struct delta_file *f, const char *path,
    bool same)
{
	const struct source_table *t = x->v->table;
	struct parquet_checked done;
	struct err why = ERR_INIT;
	int rc;

	rc = parquet_check(x->v->sys, path, t->cursor < 0 ? NULL :
	    t->schema->cols[t->cursor].name, &done, &why);
	x->v->result->rows += done.rows;
	if (rc == ERR_CORRUPT || rc == ERR_UNSUPPORTED || rc == ERR_LIMIT) {
		tell_file(x, done.page_at > 0 ? "silver.page" : done.index ?
		    "silver.index" : "silver.file", path, done.page_at > 0 ?
		    (int64_t)done.page_at : -1,
		    without_path(why.text, path));
		return (0);
	}
	if (rc != 0)
		return (err_set(x->err, rc, "%s", why.text));
	if (!same) {	/* in bytes that nothing above needs */
		tell_file(x, "silver.hash", path, -1, "the file's hash is "
		    "not the one in the log");
		return (0);
	}
	check_log_stats(x, f, path, &done);
	return (1);
}

static int
check_file(struct silver *x, const struct delta_file *f)
{
	char *path = must_sprintf("%s/%s", x->dir, f->path);
	bool wanted = verify_wanted(x->v, path), same;
	int rc;

	rc = check_bytes(x, f, path, wanted, &same);
	if (rc == 1 && wanted)
		rc = check_pages(x, f, path, same);
	free(path);
	x->v->result->files++;
	verify_progress(x->v, f->bytes);
	if (rc < 0)
		return (rc);
	if (rc == 1 && wanted)
		x->good[x->ngood++] = f;
	return (0);
}

/* --- order and keys ------------------------------------------------------ */

/* Files of one partition that are good by themselves. */
static int
check_partition(struct silver *x)
{
	struct verify *v = x->v;
	struct err why = ERR_INIT;
	struct verify_finding f;
	uint64_t rows, twice;
	char *path;
	int rc;

	if (x->ngood == 0)
		return (0);
	rc = compact_check_files(v->sys, v->table, v->opt->ties_all, x->dir,
	    x->good, x->ngood, &rows, &twice, &why);
	path = must_sprintf("%s/%s", x->dir, x->good[0]->path);
	x->ngood = 0;
	if (rc == ERR_CORRUPT || rc == ERR_UNSUPPORTED) {
		tell_file(x, "silver.order", path, -1, why.text);
		rc = 0;
	} else if (rc != 0) {
		(void)err_set(x->err, rc, "%s", why.text);
	} else if (twice > 0) {
		verify_finding_init(v, &f, VERIFY_ERROR, "silver.duplicate");
		f.at.path = path;
		verify_tell(v, &f, "%llu rows of this partition have the key "
		    "of another row", (unsigned long long)twice);
	}
	free(path);
	return (rc);
}

static bool
same_partition(const struct delta_file *a, const struct delta_file *b)
{

	if (a->partition == NULL || b->partition == NULL)
		return (a->partition == b->partition);
	return (strcmp(a->partition, b->partition) == 0);
}

static int
check_files(struct silver *x)
{
	const struct delta_snapshot *s = &x->s;
	size_t i;
	int rc = 0;

	for (i = 0; i < s->nfiles && rc == 0; i++) {
		if (x->ngood == COMPACT_CHECK_FILES || (i > 0 &&
		    !same_partition(&s->files[i], &s->files[i - 1])))
			rc = check_partition(x);
		if (rc == 0)
			rc = check_file(x, &s->files[i]);
	}
	return (rc != 0 ? rc : check_partition(x));
}

int
verify_silver(struct verify *v, struct err *e)
{
	struct silver x = { .v = v, .err = e };
	int rc;

	memset(&x.s, 0, sizeof(x.s));
	x.dir = must_sprintf("%s/silver/%s/%s", v->opt->data_dir,
	    v->opt->source, v->table->name);
	if ((rc = load(&x)) == 0 && (rc = check_txns(&x)) == 0) {
		x.good = must_calloc(COMPACT_CHECK_FILES,
		    sizeof(x.good[0]));
		rc = check_files(&x);
		free(x.good);
		if (rc == 0 && x.s.version >= 0)
			rc = verify_orphan_data(v, x.dir, &x.s, e);
	}
	delta_snapshot_fini(&x.s);
	free(x.dir);
	return (rc);
}
