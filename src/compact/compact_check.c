/*
 * Data files of one partition held against what compact promises: each in
 * strict order of its key and of its date (compact_file.c looks), and no key
 * in two of them, which their merge shows.
 */

#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/must.h"
#include "base/ticks.h"
#include "compact/compact_int.h"

static int
day_of(const char *partition, int32_t *day, struct err *e)
{
	int64_t t;
	char text[40];

	*day = 0;
	if (partition == NULL)
		return (0);
	(void)snprintf(text, sizeof(text), "%sT00:00:00Z", partition);
	if (ticks_parse(text, strlen(text), &t) != 0)
		return (err_set(e, ERR_CORRUPT, "partition \"%s\" is no date",
		    partition));
	*day = ticks_day(t);
	return (0);
}

int
compact_check_files(const struct sys *sys, const struct source_table *t,
    bool ties_all, const char *dir, const struct delta_file *const *files,
    size_t n, uint64_t *rows, uint64_t *duplicates, struct err *e)
{
	struct compact_plan *p = compact_plan_new(t, ties_all);
	struct compact_input **in;
	uint64_t out = 0, dropped = 0;
	const struct compact_sink sink = { .count = &out };
	int32_t day = 0;
	char *path;
	size_t i, opened = 0;
	int rc = 0;

	*rows = *duplicates = 0;
	MUST(n <= COMPACT_CHECK_FILES);
	compact_plan_trim(p);
	in = must_calloc(n + 1, sizeof(in[0]));
	if (n > 0)
		rc = day_of(files[0]->partition, &day, e);
	for (i = 0; i < n && rc == 0; i++) {
		path = must_sprintf("%s/%s", dir, files[i]->path);
		rc = compact_file_open(sys, path, p, day, rows, &in[i], e);
		opened += rc == 0;
		free(path);
	}
	if (rc == 0)
		rc = compact_merge_day(p, in, n, day, &sink, &dropped, e);
	if (rc == 0)
		*duplicates = *rows - out;
	for (i = 0; i < opened; i++)
		compact_input_close(in[i]);
	free(in);
	compact_plan_free(p);
	return (rc);
}
