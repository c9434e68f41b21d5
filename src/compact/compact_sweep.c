/*
 * What crashed runs left, removed at once: this run holds the table's lock,
 * so nobody else is writing. Data files are named after the version they
 * were made for: one of a version that does not exist yet was never
 * committed. Files of the past are delta_sweep's, which lets readers of
 * older versions finish. Nothing here is worth failing for but a directory
 * that cannot be read.
 */

#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/must.h"
#include "base/text.h"
#include "compact/compact_int.h"
#include "source/source.h"
#include "sys/sys.h"

#define DIGITS "0123456789"
#define VERSION_DIGITS 20

/* The version in part-<20 digits>-<uuid>.zstd.parquet, or -1. */
static int64_t
version_of(const char *name)
{
	char digits[VERSION_DIGITS + 1];
	int64_t version;

	if (strncmp(name, "part-", 5) != 0 ||
	    strspn(name + 5, DIGITS) != VERSION_DIGITS ||
	    name[5 + VERSION_DIGITS] != '-')
		return (-1);
	memcpy(digits, name + 5, VERSION_DIGITS);
	digits[VERSION_DIGITS] = '\0';
	if (text_i64(digits, 0, INT64_MAX, &version) != 0)
		return (-1);
	return (version);
}

static int
sweep_dir(const struct compact_job *j, const char *dir, bool top,
    struct err *e)
{
	char **names, *path;
	size_t i, n;
	int rc;

	if ((rc = sys_list_dir(dir, &names, &n, e)) != 0)
		return (rc);
	for (i = 0; i < n && rc == 0; i++) {
		path = must_sprintf("%s/%s", dir, names[i]);
		if (version_of(names[i]) > j->base.version)
			j->sys->unlink(j->sys->cookie, path);
		else if (top && strncmp(names[i], "date=", 5) == 0)
			rc = sweep_dir(j, path, false, e);
		free(path);
	}
	sys_list_free(names, n);
	return (rc);
}

int
compact_sweep_files(const struct compact_job *j, struct err *e)
{

	return (sweep_dir(j, j->dir, true, e));
}

/* <tmp>/compact-<source>.<table>-<pid>; a table's name has no dot. */
static bool
is_tmp_of(const char *name, const char *prefix)
{
	size_t n = strlen(prefix);

	return (strncmp(name, prefix, n) == 0 && name[n] != '\0' &&
	    name[n + strspn(name + n, DIGITS)] == '\0');
}

int
compact_sweep_tmp(const struct compact_job *j, struct err *e)
{
	char *dir, *prefix, *path, **names = NULL;
	size_t i, n = 0;
	int rc;

	dir = must_sprintf("%s/tmp", j->opt->data_dir);
	prefix = must_sprintf("compact-%s.%s-", j->opt->source,
	    j->plan->table->name);
	rc = sys_list_dir(dir, &names, &n, e);
	for (i = 0; i < n && rc == 0; i++) {
		if (!is_tmp_of(names[i], prefix))
			continue;
		path = must_sprintf("%s/%s", dir, names[i]);
		rc = sys_remove_tree(path, e);
		free(path);
	}
	sys_list_free(names, n);
	free(prefix);
	free(dir);
	return (rc);
}
