/*
 * Files that nothing names: rows behind the ledger's position, data files
 * that no version of a table has, temporary files of crashed runs. They do
 * no harm, and are removed in their time: notes.
 */

#include "config.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/must.h"
#include "delta/delta.h"
#include "sys/sys.h"
#include "verify/verify_int.h"

static void
tell(struct verify *v, const char *kind, const char *path, const char *text)
{
	struct verify_finding f;

	verify_finding_init(v, &f, VERIFY_NOTE, kind);
	f.at.path = path;
	verify_tell(v, &f, "%s", text);
}

static bool
ends(const char *s, const char *end)
{
	size_t n = strlen(s), m = strlen(end);

	return (n >= m && strcmp(s + n - m, end) == 0);
}

/* --- journals ------------------------------------------------------------ */

static int64_t
size_of(const char *path)
{
	struct stat st;

	return (stat(path, &st) == 0 && S_ISREG(st.st_mode) ?
	    (int64_t)st.st_size : -1);
}

static void
look_segment(struct verify *v, const struct verify_group *g, const char *name,
    const char *path)
{
	uint32_t number = (uint32_t)strtoul(name, NULL, 10);
	const struct journal_pos *end = journal_pos_cmp(&g->now,
	    &g->g.pos) > 0 ? &g->now : &g->g.pos;
	struct verify_finding f;
	int64_t size = size_of(path), behind = 0;

	if (number > end->segment)
		behind = size;
	else if (number == end->segment)
		behind = size - (int64_t)end->offset;
	if (behind <= 0)
		return;
	verify_finding_init(v, &f, VERIFY_NOTE, "leftover.tail");
	f.at.path = path;
	f.at.offset = size - behind;
	f.at.group = g->number;
	verify_tell(v, &f, "%lld bytes that were never committed, or are "
	    "being written; the next harvest cuts them off",
	    (long long)behind);
}

/* A segment, the lock, or something else. */
static int
look_journal(struct verify *v, const struct verify_group *g, struct err *e)
{
	char **names, *path;
	size_t i, n;
	int rc;

	if ((rc = sys_list_dir(g->dir, &names, &n, e)) != 0)
		return (rc);
	for (i = 0; i < n; i++) {
		path = must_sprintf("%s/%s", g->dir, names[i]);
		if (strlen(names[i]) == 11 && ends(names[i], ".gj"))
			look_segment(v, g, names[i], path);
		else if (strcmp(names[i], "lock") != 0)
			tell(v, "leftover.file", path, "no part of a "
			    "journal");
		free(path);
	}
	sys_list_free(names, n);
	return (0);
}

/* --- silver -------------------------------------------------------------- */

struct walk {
	struct verify *v;
	char *dir;
	const struct delta_snapshot *s;
	struct err *err;
};

static int
by_path(const void *key, const void *file)
{

	return (strcmp(key, ((const struct delta_file *)file)->path));
}

static int
by_gone(const void *key, const void *gone)
{

	return (strcmp(key, ((const struct delta_tombstone *)gone)->path));
}

static bool
named(const struct delta_snapshot *s, const char *path)
{

	return ((s->nfiles > 0 && bsearch(path, s->files, s->nfiles,
	    sizeof(s->files[0]), by_path) != NULL) ||
	    (s->ngone > 0 && bsearch(path, s->gone, s->ngone,
	    sizeof(s->gone[0]), by_gone) != NULL));
}

static void
look_data(struct walk *w, const char *relative, const char *name)
{
	char *path = must_sprintf("%s/%s", w->dir, relative);

	if (strstr(name, ".tmp-") != NULL || strstr(name, "-tmp-") != NULL)
		tell(w->v, "leftover.file", path, "a temporary file");
	else if (ends(name, ".parquet") && !named(w->s, relative))
		tell(w->v, "leftover.data", path, "no version of the table "
		    "names this file; compact removes it in time");
	free(path);
}

static int
look_dir(struct walk *w, const char *relative, int depth)
{
	char **names, *path, *below;
	struct stat st;
	size_t i, n;
	int rc;

	path = must_sprintf("%s/%s", w->dir, relative);
	rc = sys_list_dir(path, &names, &n, w->err);
	free(path);
	if (rc != 0)
		return (rc);
	for (i = 0; i < n && rc == 0; i++) {
		below = must_sprintf("%s%s%s", relative,
		    relative[0] != '\0' ? "/" : "", names[i]);
		path = must_sprintf("%s/%s", w->dir, below);
		if (lstat(path, &st) != 0)
			st.st_mode = 0;	/* swept meanwhile */
		if (S_ISDIR(st.st_mode) && depth < 2)
			rc = look_dir(w, below, depth + 1);
		else if (S_ISREG(st.st_mode))
			look_data(w, below, names[i]);
		free(path);
		free(below);
	}
	sys_list_free(names, n);
	return (rc);
}

int
verify_orphan_data(struct verify *v, const char *dir,
    const struct delta_snapshot *s, struct err *e)
{
	struct walk w = { .v = v, .dir = must_strdup(dir), .s = s, .err = e };
	int rc = look_dir(&w, "", 0);

	free(w.dir);
	return (rc);
}

int
verify_orphan_journals(struct verify *v, struct err *e)
{
	size_t i;
	int rc = 0;

	for (i = 0; i < v->ngroups && rc == 0; i++) {
		if (!v->groups[i].known && v->ledger != NULL)
			tell(v, "leftover.journal", v->groups[i].dir,
			    "nothing of this journal was ever committed");
		else if (v->ledger != NULL)
			rc = look_journal(v, &v->groups[i], e);
	}
	return (rc);
}

int
verify_orphan_tmp(struct verify *v, struct err *e)
{
	char **names, *path, *dir;
	size_t i, n;
	int rc;

	dir = must_sprintf("%s/tmp", v->opt->data_dir);
	if ((rc = sys_list_dir(dir, &names, &n, e)) == 0) {
		for (i = 0; i < n; i++) {
			path = must_sprintf("%s/%s", dir, names[i]);
			tell(v, "leftover.file", path, "of a run that is at "
			    "work, or crashed");
			free(path);
		}
		sys_list_free(names, n);
	}
	free(dir);
	return (rc);
}
