/*
 * garner compact: journals into silver, one Delta commit a table. Tables
 * that have nothing new are left as they are.
 */

#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/err.h"
#include "base/msg.h"
#include "base/must.h"
#include "base/text.h"
#include "cli/cli.h"
#include "compact/compact.h"
#include "conf/conf.h"
#include "source/source.h"
#include "sys/sys.h"

static const struct cli_option options[] = {
	{ "table", 0, "LIST", "only these tables, separated by commas" },
	{ "rebuild", 0, NULL, "from the beginning of the journals" },
	{ NULL, 0, NULL, NULL },
};

static void
print_json(const struct source_table *t, const struct compact_result *r,
    bool first)
{

	printf("%s{\"table\":\"%s\",\"version\":%lld,\"rows_read\":%llu,"
	    "\"rows_merged\":%llu,\"rows_written\":%llu,"
	    "\"duplicates\":%llu,\"replaced\":%llu,"
	    "\"rows_total\":%llu,\"bytes_total\":%llu,"
	    "\"files_added\":%u,\"files_removed\":%u}", first ? "" : ",",
	    t->name, (long long)r->version,
	    (unsigned long long)r->rows_read,
	    (unsigned long long)r->rows_merged,
	    (unsigned long long)r->rows_written,
	    (unsigned long long)r->duplicates,
	    (unsigned long long)r->replaced,
	    (unsigned long long)r->rows_total,
	    (unsigned long long)r->bytes_total, r->files_added,
	    r->files_removed);
}

static void
print_text(const struct source_table *t, const struct compact_result *r,
    bool first)
{
	char a[32], b[32], c[32], d[32];

	if (first)
		printf("%-18s %13s %9s %7s %13s %13s\n", "table", "rows",
		    "bytes", "version", "new rows", "duplicates");
	if (r->version < 0) {
		printf("%-18s %13s\n", t->name, "none yet");
		return;
	}
	printf("%-18s %13s %9s %7lld %13s %13s\n", t->name,
	    text_count_human(r->rows_total, a, sizeof(a)),
	    text_bytes_human(r->bytes_total, b, sizeof(b)),
	    (long long)r->version,
	    text_count_human(r->rows_read, c, sizeof(c)),
	    text_count_human(r->duplicates, d, sizeof(d)));
}

static bool
stop_asked(void *cookie)
{

	return (app_signal(cookie) != 0);
}

void
app_compact_options(const struct app *app, struct compact_options *o)
{
	const struct conf *c = app->conf;

	memset(o, 0, sizeof(*o));
	o->data_dir = app->data;
	o->source = app->name;
	o->memory = (size_t)conf_num(c, "compact.memory");
	o->ties_all = strcmp(conf_text(c, "compact.ties"), "all") == 0;
	o->zstd_level = (int)conf_num(c, "compact.zstd_level");
	o->file_rows = (uint32_t)conf_num(c, "compact.file_rows");
	o->reserve = (uint64_t)conf_num(c, "harvest.reserve");
}

static int
compact(struct app *app, const struct source_table **t, struct err *e)
{
	const struct cli *cli = app->cli;
	struct compact_result r;
	struct compact_options o;
	bool first = true;
	int rc = 0;

	app_compact_options(app, &o);
	o.rebuild = cli_get(cli, "rebuild") != NULL;
	o.stop = stop_asked;
	o.stop_cookie = app;
	o.progress = app_progress_rows;
	o.cookie = app->progress = app_progress_new(cli, "compact");
	if (cli->json)
		printf("{\"tables\":[");
	for (; *t != NULL && rc == 0; t++) {
		memset(&r, 0, sizeof(r));
		rc = compact_table(app->sys, app->ledger, *t, &o, &r, e);
		if (rc != 0)
			break;
		app_progress_wipe(app->progress);
		if (cli->json)
			print_json(*t, &r, first);
		else if (!cli->quiet)
			print_text(*t, &r, first);
		first = false;
	}
	if (cli->json)
		printf("]}\n");
	return (rc);
}

static int
run(struct cli *cli)
{
	const struct source_table **tables = NULL;
	struct err e = ERR_INIT;
	struct app app;
	int status = 0;

	if (app_open(&app, cli, APP_LEDGER, &e) != 0 ||
	    app_tables(&app, cli_get(cli, "table"), &tables, &e) != 0 ||
	    app_lock(&app, "compact", tables, ~0u, 0, &e) != 0) {
		status = cli_fail(cli, &e);
	} else {
		app_signals_new(&app);
		if (compact(&app, tables, &e) != 0)
			status = app_fail(&app, &e);
		if (app_signal(&app) != 0)
			msg_info("compact", "interrupted; the table it was at "
			    "is as it was");
	}
	free(tables);
	app_close(&app);
	return (status);
}

const struct cli_command cmd_compact = {
	.name = "compact",
	.operands = "",
	.summary = "Turn the journals into deduplicated Delta tables",
	.options = options,
	.run = run,
};
