/*
 * One of a kind: a second harvest of the same group, a second compaction of
 * the same table is refused before it asks, reads or writes anything. The
 * journals and tables have locks of their own, taken when they are opened;
 * these here only make it known at once, for all that a run will need.
 *
 * <data>/<what>.lock is locked in parts: 2^32 a table, at a place that is a
 * hash of its name, of which a group is one. Two names at one place would
 * refuse each other, which is no harm but a nuisance, at 1 in 2^30.
 */

#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/hash.h"
#include "base/must.h"
#include "cli/cli.h"
#include "source/source.h"
#include "sys/sys.h"

static int
lock_table(const struct app *app, const char *what,
    const struct source_table *t, uint32_t group, struct err *e)
{
	char *name = must_sprintf("%s/%s", app->name, t->name), *text;
	int64_t place;
	int rc;

	place = (int64_t)(hash64(name, strlen(name), 0) >> 34) << 32;
	if (group != 0) {
		text = must_sprintf("%s of %s, group %u,", what, name, group);
		rc = sys_lock_part(app->lock, text, place + group, 1, e);
	} else {
		text = must_sprintf("%s of %s", what, name);
		rc = sys_lock_part(app->lock, text, place, 1LL << 32, e);
	}
	free(text);
	free(name);
	return (rc);
}

int
app_lock(struct app *app, const char *what,
    const struct source_table *const *t, unsigned kinds, uint32_t group,
    struct err *e)
{
	char *path;
	int rc = 0;

	if (app->lock < 0) {
		path = must_sprintf("%s/%s.lock", app->data, what);
		rc = sys_lock_file(path, &app->lock, e);
		free(path);
	}
	for (; *t != NULL && rc == 0; t++)
		if ((kinds & APP_KIND((*t)->kind)) != 0 &&
		    (group == 0 || (*t)->kind == SOURCE_SERIES))
			rc = lock_table(app, what, *t, group, e);
	return (rc);
}
