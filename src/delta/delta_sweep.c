/*
 * Leftovers of a crash: data files that no live add names and no young
 * tombstone needs, and temporary files of ours. Only names that garner
 * makes are touched, and only when old enough.
 */

#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/err.h"
#include "base/must.h"
#include "base/ticks.h"
#include "delta/delta_int.h"
#include "sys/sys.h"

struct sweep {
	struct delta_table *table;
	const struct delta_snapshot *snapshot;
	int64_t before_ms;	/* older than that */
	size_t removed;
	struct err *err;
};

static int
compare(const void *key, const void *file)
{

	return (strcmp(key, ((const struct delta_file *)file)->path));
}

static bool
is_live(const struct sweep *w, const char *path)
{

	return (w->snapshot->nfiles > 0 && bsearch(path, w->snapshot->files,
	    w->snapshot->nfiles, sizeof(w->snapshot->files[0]), compare) !=
	    NULL);
}

static int
compare_gone(const void *key, const void *gone)
{

	return (strcmp(key, ((const struct delta_tombstone *)gone)->path));
}

/* Replaced so lately that a reader of an older version may still open it. */
static bool
is_young(const struct sweep *w, const char *path)
{
	const struct delta_tombstone *g;

	g = bsearch(path, w->snapshot->gone, w->snapshot->ngone,
	    sizeof(w->snapshot->gone[0]), compare_gone);
	return (g != NULL && g->deleted_ms > w->before_ms);
}

/* part-<...>.parquet, or a temporary of sys_write_file() or ours. */
static bool
is_ours(const char *name)
{
	size_t n = strlen(name);

	if (strstr(name, ".tmp-") != NULL)
		return (true);
	return (strncmp(name, "part-", 5) == 0 && n > 8 &&
	    strcmp(name + n - 8, ".parquet") == 0);
}

static int
sweep_file(struct sweep *w, const char *relative, const char *name)
{
	struct stat st;
	char *path;
	int rc = 0;

	if (!is_ours(name) || is_live(w, relative) || is_young(w, relative))
		return (0);
	path = must_sprintf("%s/%s", w->table->dir, relative);
	if (lstat(path, &st) == 0 && S_ISREG(st.st_mode) &&
	    (int64_t)st.st_ctim.tv_sec * 1000 <= w->before_ms) {
		if (w->table->sys->unlink(w->table->sys->cookie, path) == 0)
			w->removed++;
		else if (errno != ENOENT)
			rc = err_sys(w->err, errno, "cannot remove %s", path);
	}
	free(path);
	return (rc);
}

static int
sweep_dir(struct sweep *w, const char *relative, int depth)
{
	char **names, *path, *below;
	struct stat st;
	size_t i, n;
	int rc;

	path = relative[0] != '\0' ? must_sprintf("%s/%s", w->table->dir,
	    relative) : must_strdup(w->table->dir);
	rc = sys_list_dir(path, &names, &n, w->err);
	free(path);
	if (rc != 0)
		return (rc);
	for (i = 0; i < n && rc == 0; i++) {
		if (names[i][0] == '.' || (names[i][0] == '_' &&
		    strcmp(names[i], DELTA_LOG) != 0))
			continue;
		below = relative[0] != '\0' ? must_sprintf("%s/%s", relative,
		    names[i]) : must_strdup(names[i]);
		path = must_sprintf("%s/%s", w->table->dir, below);
		if (lstat(path, &st) == 0 && S_ISDIR(st.st_mode)) {
			if (depth < 2)
				rc = sweep_dir(w, below, depth + 1);
		} else {
			rc = sweep_file(w, below, names[i]);
		}
		free(path);
		free(below);
	}
	sys_list_free(names, n);
	return (rc);
}

int
delta_sweep(struct delta_table *t, const struct delta_snapshot *s,
    int64_t keep_ms, size_t *removed, struct err *e)
{
	struct sweep w = { .table = t, .snapshot = s, .err = e };
	int rc;

	w.before_ms = t->sys->now_ticks(t->sys->cookie) / TICKS_PER_MS -
	    keep_ms;
	rc = sweep_dir(&w, "", 0);
	if (removed != NULL)
		*removed = w.removed;
	return (rc);
}
