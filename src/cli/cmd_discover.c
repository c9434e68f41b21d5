/*
 * garner discover: walks the catalogue tables (servers, points, elements)
 * and records the streams that harvest reads. Each walk is one commit.
 */

#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/msg.h"
#include "base/must.h"
#include "base/text.h"
#include "cli/cli.h"
#include "harvest/harvest.h"
#include "ledger/ledger.h"
#include "source/source.h"

static const struct cli_option options[] = {
	{ "table", 0, "LIST", "only these tables, separated by commas" },
	{ NULL, 0, NULL, NULL },
};

static void
print_result(const struct app *app, const struct source_table **t)
{
	struct ledger_txn *txn;
	struct ledger_group g;
	uint32_t count, max_id;
	bool first = true;
	char n[32];

	MUST(t != NULL);
	if (ledger_read_begin(app->ledger, &txn, NULL) != 0)
		return;
	if (app->cli->json)
		printf("{\"tables\":[");
	for (; *t != NULL; t++) {
		if ((*t)->kind != SOURCE_WALK ||
		    ledger_group_get(txn, (*t)->name, 0, &g, NULL) != 0)
			continue;
		count = 0;
		if ((*t)->is_parent)
			(void)ledger_object_count(txn, (*t)->name, &count,
			    &max_id, NULL);
		if (app->cli->json)
			printf("%s{\"table\":\"%s\",\"objects\":%u,"
			    "\"walks\":%llu}", first ? "" : ",", (*t)->name,
			    count, (unsigned long long)g.batches);
		else if ((*t)->is_parent && !app->cli->quiet)
			printf("%-20s %12s object%s\n", (*t)->name,
			    text_count_human(count, n, sizeof(n)),
			    count == 1 ? "" : "s");
		else if (!app->cli->quiet)
			printf("%-20s %12s\n", (*t)->name, "walked");
		first = false;
	}
	if (app->cli->json)
		printf("]}\n");
	ledger_read_end(txn);
	if (first)
		msg_warn("discover", "none of these tables is a catalogue: "
		    "they are read by garner harvest");
}

static int
run(struct cli *cli)
{
	const struct source_table **tables = NULL;
	struct err e = ERR_INIT;
	struct app app;
	int status = 0;

	if (app_open(&app, cli, APP_HARVEST, &e) != 0 ||
	    app_tables(&app, cli_get(cli, "table"), &tables, &e) != 0 ||
	    app_lock(&app, "harvest", tables, APP_KIND(SOURCE_WALK), 0,
	    &e) != 0 ||
	    harvest_discover(app.harvest, tables, &e) != 0)
		status = app_fail(&app, &e);
	app_progress_free(app.progress);
	app.progress = NULL;
	if (status == 0 && app_signal(&app) != 0)
		status = 128 + app_signal(&app);
	if (status == 0) {
		print_result(&app, tables);
		status = app_report_failures(&app);
	}
	free(tables);
	app_close(&app);
	return (status);
}

const struct cli_command cmd_discover = {
	.name = "discover",
	.operands = "",
	.summary = "Walk the catalogue tables and record the streams",
	.options = options,
	.run = run,
};
