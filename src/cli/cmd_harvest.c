/*
 * garner harvest: covers what is wanted and not yet covered. A first run
 * discovers by itself. Interrupted runs just continue: run it again.
 */

#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/msg.h"
#include "base/text.h"
#include "cli/cli.h"
#include "conf/conf.h"
#include "harvest/harvest.h"
#include "ledger/ledger.h"
#include "source/source.h"
#include "sys/sys.h"

static const struct cli_option options[] = {
	{ "from", 0, "TIME", "begin of the range (default: harvest.from)" },
	{ "to", 0, "TIME", "end of it, exclusive (default: harvest.to)" },
	{ "table", 0, "LIST", "only these tables, separated by commas" },
	{ "group", 0, "N", "only this group of streams" },
	{ "discover", 0, NULL, "walk the catalogue again first" },
	{ "reread", 0, NULL, "ask for all of the range, covered or not" },
	{ "retry-failed", 0, NULL, "ask streams that were refused again" },
	{ NULL, 0, NULL, NULL },
};

static int
get_range(const struct app *app, struct harvest_range *r, struct err *e)
{
	int64_t now;
	int rc;

	if ((rc = harvest_clock(app->harvest, &now, e)) != 0 ||
	    (rc = app_range(app, now, now, r, e)) != 0)
		return (rc);
	if (r->from >= r->to)
		return (app_range_empty(r, e));
	r->reread = cli_get(app->cli, "reread") != NULL;
	r->retry_failed = cli_get(app->cli, "retry-failed") != NULL;
	return (0);
}

/* Walks that were never made to their end, of these tables or by whose
 * objects they are read. */
static int
need_discover(const struct app *app, const struct source_table **t,
    bool *need, struct err *e)
{
	bool walked = true;
	int rc = 0;

	for (; *t != NULL && rc == 0 && walked; t++)
		rc = app_walked(app, *t, &walked, e);
	*need = !walked;
	return (rc);
}

static void
print_stats(const struct cli *cli, const struct harvest_stats *s)
{
	char a[80], b[40], c[32], d[32];
	double seconds = (double)s->elapsed_us / 1e6;

	if (cli->json) {
		printf("{\"streams\":%llu,\"streams_failed\":%llu,"
		    "\"ties_unread\":%llu,\"values\":%llu,"
		    "\"values_unchanged\":%llu,\"rows\":%llu,"
		    "\"requests\":%llu,\"retries\":%llu,\"wire_bytes\":%llu,"
		    "\"journal_bytes\":%llu,\"commits\":%llu,"
		    "\"seconds\":%.3f}\n",
		    (unsigned long long)s->streams,
		    (unsigned long long)s->streams_failed,
		    (unsigned long long)s->ties,
		    (unsigned long long)s->values,
		    (unsigned long long)s->unchanged,
		    (unsigned long long)s->rows,
		    (unsigned long long)s->requests,
		    (unsigned long long)s->retries,
		    (unsigned long long)s->wire_bytes,
		    (unsigned long long)s->journal_bytes,
		    (unsigned long long)s->commits, seconds);
		return;
	}
	printf("%s of %s in %.1f s (%s/s)\n",
	    text_counted(s->values, "value", NULL, a, sizeof(a)),
	    text_counted(s->streams, "stream", NULL, b, sizeof(b)), seconds,
	    text_count_human(seconds > 0 ?
	    (uint64_t)((double)s->values / seconds) : 0, c, sizeof(c)));
	if (s->unchanged > 0)
		printf("%s\n", text_counted(s->unchanged, "value was read "
		    "again and is as it was", "values were read again and are "
		    "as they were", a, sizeof(a)));
	if (s->rows > 0)
		printf("%s of other tables\n",
		    text_counted(s->rows, "row", NULL, a, sizeof(a)));
	printf("%s, %s, %s received, %s in the journal\n",
	    text_counted(s->requests, "request", NULL, a, sizeof(a)),
	    text_counted(s->retries, "retry", "retries", b, sizeof(b)),
	    text_bytes_human(s->wire_bytes, c, sizeof(c)),
	    text_bytes_human(s->journal_bytes, d, sizeof(d)));
	if (s->streams_failed > 0)
		printf("%s set aside: what failed is asked again "
		    "by the next run, what\nwas refused after garner "
		    "discover, or with --retry-failed\n",
		    text_counted(s->streams_failed, "stream is",
		    "streams are", a, sizeof(a)));
}

/* Nothing was read, and nothing was to be: a word about that. */
static void
tell_nothing(const struct cli *cli)
{
	const char *group = cli_get(cli, "group");

	if (group != NULL)
		msg_warn("harvest", "there is no stream in group %s", group);
	else
		msg_warn("harvest", "there are no streams in these tables; a "
		    "catalogue is read by garner discover, or with "
		    "--discover");
}

/* The tables of the run, and whether the catalogue is walked before. */
static int
get_tables(struct app *app, uint32_t group,
    const struct source_table ***tables, bool *discover, struct err *e)
{
	int rc;

	rc = app_tables(app, cli_get(app->cli, "table"), tables, e);
	if (rc != 0 || (rc = need_discover(app, *tables, discover, e)) != 0)
		return (rc);
	if (cli_get(app->cli, "discover") != NULL)
		*discover = true;
	rc = app_lock(app, "harvest", *tables, APP_KIND(SOURCE_SERIES) |
	    APP_KIND(SOURCE_FRAMES), group, e);
	if (rc == 0 && *discover)
		rc = app_lock(app, "harvest", app->tables,
		    APP_KIND(SOURCE_WALK), 0, e);
	return (rc);
}

static int
harvest(struct app *app, struct err *e)
{
	const struct source_table **tables = NULL;
	int64_t now = app->sys->now_ticks(app->sys->cookie);
	struct harvest_range range;
	bool discover = false;
	int rc;

	/* what is wrong with the options, or in the way, is told before the
	 * server is asked */
	if ((rc = app_range(app, now, now, &range, e)) == 0 &&
	    (rc = get_tables(app, range.group, &tables, &discover, e)) == 0 &&
	    (rc = get_range(app, &range, e)) == 0 && discover)
		rc = harvest_discover(app->harvest, app->tables, e);
	if (rc == 0)
		rc = harvest_run(app->harvest, tables, &range, e);
	free(tables);
	return (rc);
}

static int
run(struct cli *cli)
{
	struct harvest_stats stats;
	struct err e = ERR_INIT;
	struct app app;
	char rows[40], commits[40];
	int status = 0, failed;

	if (app_open(&app, cli, APP_HARVEST, &e) != 0 ||
	    harvest(&app, &e) != 0)
		status = app_fail(&app, &e);
	app_progress_free(app.progress);
	app.progress = NULL;
	if (app.harvest != NULL) {
		failed = app_report_failures(&app);
		harvest_get_stats(app.harvest, &stats);
		if (status == 0) {
			status = failed;
			if (cli->json || !cli->quiet)
				print_stats(cli, &stats);
			if (stats.streams == 0 && stats.rows == 0 &&
			    cli_get(cli, "discover") == NULL)
				tell_nothing(cli);
			if (app_signal(&app) != 0) {
				status = 128 + app_signal(&app);
				msg_info("harvest", "interrupted; run it "
				    "again to go on");
			}
		} else if (stats.commits > 0) {
			msg_info("harvest", "what was answered before is "
			    "kept: %s in %s; run it again to go on",
			    text_counted(stats.values + stats.rows, "row",
			    NULL, rows, sizeof(rows)),
			    text_counted(stats.commits, "commit", NULL,
			    commits, sizeof(commits)));
		}
	}
	app_close(&app);
	return (status);
}

const struct cli_command cmd_harvest = {
	.name = "harvest",
	.operands = "",
	.summary = "Read what is wanted and not yet covered",
	.options = options,
	.run = run,
};
