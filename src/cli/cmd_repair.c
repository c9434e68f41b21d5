/*
 * garner repair: what verify finds made good again. The ledger first, when
 * it is lost; then, table by table, journals and coverage; then silver.
 * Nothing is changed without --apply; what is taken out is kept in
 * quarantine. With --refetch a harvest follows, which asks for what is no
 * longer covered.
 */

#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/must.h"
#include "base/ticks.h"
#include "cli/cli.h"
#include "codec/json.h"
#include "compact/compact.h"
#include "conf/conf.h"
#include "ledger/ledger.h"
#include "source/source.h"
#include "sys/sys.h"
#include "verify/verify.h"

/* Actions of one kind that are printed for a person. */
#define PRINT_MAX 20

static const struct cli_option options[] = {
	{ "table", 0, "LIST", "only these tables, separated by commas" },
	{ "apply", 0, NULL, "do it; without, only tell what would be done" },
	{ "refetch", 0, NULL, "then harvest what is no longer covered" },
	{ NULL, 0, NULL, NULL },
};

struct job {
	struct app *app;
	struct verify_repair_options opt;
	struct buf out;
	const char *kind;	/* of the action before */
	uint64_t same;		/* so many of it */
};

/* --- telling ------------------------------------------------------------- */

static void
print_json(struct job *j, const struct verify_action *a)
{
	struct buf *b = &j->out;

	buf_clear(b);
	buf_printf(b, "{\"kind\":\"%s\",\"applied\":%s", a->kind,
	    j->opt.apply ? "true" : "false");
	app_place_json(b, &a->at);
	json_put_text(b, "text", a->text);
	buf_puts(b, "}\n");
	(void)fwrite(b->data, 1, b->len, stdout);
}

static void
print_more(struct job *j)
{

	if (j->same > PRINT_MAX)
		printf("%s: and %llu more, see --json\n", j->kind,
		    (unsigned long long)(j->same - PRINT_MAX));
	j->same = 0;
}

static void
print_text(struct job *j, const struct verify_action *a)
{
	struct buf *b = &j->out;

	if (j->kind == NULL || strcmp(j->kind, a->kind) != 0)
		print_more(j);
	j->kind = a->kind;
	if (++j->same > PRINT_MAX)
		return;
	buf_clear(b);
	buf_puts(b, a->kind);
	app_place_text(b, &a->at);
	buf_printf(b, ": %s\n", a->text);
	(void)fwrite(b->data, 1, b->len, stdout);
}

static void
on_action(void *cookie, const struct verify_action *a)
{
	struct job *j = cookie;

	if (j->app->cli->json)
		print_json(j, a);
	else
		print_text(j, a);
}

static void
print_summary(struct job *j)
{
	unsigned long long n = (unsigned long long)j->opt.done;

	if (j->app->cli->json) {
		printf("{\"kind\":\"summary\",\"applied\":%s,"
		    "\"actions\":%llu}\n", j->opt.apply ? "true" : "false",
		    n);
		return;
	}
	print_more(j);
	if (n == 0)
		printf("nothing to repair\n");
	else if (j->opt.apply)
		printf("%llu repaired; next: %sgarner compact\n", n,
		    cli_get(j->app->cli, "refetch") != NULL ? "" :
		    "garner harvest, ");
	else
		printf("%llu to repair: garner repair --apply does it\n", n);
}

/* --- the ledger ---------------------------------------------------------- */

/* All tables of the connector, for the ledger is of all. */
static const struct source_table **
all_tables(const struct app *app)
{
	size_t i, n = source_tables(app->source);
	const struct source_table **t;

	t = must_calloc(n + 1, sizeof(t[0]));
	for (i = 0; i < n; i++)
		t[i] = source_table_at(app->source, i);
	return (t);
}

static int
open_ledger(struct job *j, struct err *e)
{
	char *dir = app_ledger_dir(j->app);
	int rc;

	rc = ledger_open(dir, !j->opt.apply, &j->app->ledger, e);
	free(dir);
	return (rc);
}

/* The ledger open; NULL when it must be made again and we only tell. */
static int
mend_ledger(struct job *j, const struct source_table *const *all,
    struct err *e)
{
	enum app_ledger_state state;
	struct err why = ERR_INIT;
	char instance[64] = "";
	bool stale = false;
	int rc;

	if ((rc = app_ledger_probe(j->app, &state, &why)) != 0) {
		*e = why;
		return (rc);
	}
	if (state == APP_LEDGER_GOOD) {
		if ((rc = open_ledger(j, e)) != 0 ||
		    (rc = verify_is_stale(j->app->sys, j->app->ledger, all,
		    &j->opt, &stale, e)) != 0 || !stale)
			return (rc);
		(void)snprintf(instance, sizeof(instance), "%s",
		    ledger_instance(j->app->ledger));
		ledger_close(j->app->ledger);
		j->app->ledger = NULL;
	}
	rc = verify_rebuild_ledger(j->app->sys, all, &j->opt,
	    instance[0] != '\0' ? instance : NULL, e);
	return (rc != 0 || !j->opt.apply ? rc : open_ledger(j, e));
}

/* --- tables -------------------------------------------------------------- */

static int
make_again(struct job *j, const struct source_table *t, struct err *e)
{
	struct verify_action a = { .kind = "silver.rebuild",
	    .at = { .table = t->name, .offset = -1, .group = -1,
	    .from = TICKS_NONE, .to = TICKS_NONE }, .text = "the table is made again from the "
	    "journals" };
	struct compact_options o;
	struct compact_result r;

	j->opt.done++;
	on_action(j, &a);
	if (!j->opt.apply)
		return (0);
	app_compact_options(j->app, &o);
	o.rebuild = true;
	return (compact_table(j->app->sys, j->app->ledger, t, &o, &r, e));
}

static int
mend_tables(struct job *j, const struct source_table *const *t,
    struct err *e)
{
	struct app *app = j->app;
	struct compact_options o;
	bool again;
	int rc = 0;

	app_compact_options(app, &o);
	for (; *t != NULL && rc == 0; t++) {
		rc = verify_mend(app->sys, app->ledger, *t, &j->opt, e);
		if (rc == 0)
			rc = verify_mend_silver(app->sys, app->ledger, *t,
			    &j->opt, o.ties_all, &again, e);
		if (rc == 0 && again)
			rc = make_again(j, *t, e);
	}
	return (rc);
}

static int
repair(struct job *j, struct err *e)
{
	struct app *app = j->app;
	const struct source_table **all = NULL, **tables = NULL;
	unsigned kinds = APP_KIND(SOURCE_WALK) | APP_KIND(SOURCE_SERIES) |
	    APP_KIND(SOURCE_FRAMES);
	int rc;

	j->opt.data_dir = app->data;
	j->opt.source = app->name;
	j->opt.reread = conf_num(app->conf, "harvest.reread") * TICKS_PER_MS;
	j->opt.reread_frames = conf_num(app->conf, "harvest.reread_frames") *
	    TICKS_PER_MS;
	j->opt.apply = cli_get(app->cli, "apply") != NULL;
	j->opt.action = on_action;
	j->opt.cookie = j;
	if (cli_get(app->cli, "refetch") != NULL && !j->opt.apply)
		return (err_set(e, ERR_USAGE, "--refetch goes with --apply"));
	all = all_tables(app);
	rc = app_tables(app, cli_get(app->cli, "table"), &tables, e);
	if (rc == 0 && j->opt.apply && sys_exists(app->sys, app->data))
		rc = app_lock(app, "harvest", all, kinds, 0, e);
	if (rc == 0)
		rc = mend_ledger(j, all, e);
	if (rc == 0 && app->ledger != NULL)
		rc = mend_tables(j, tables, e);
	if (rc == 0)
		print_summary(j);
	free(all);
	free(tables);
	return (rc);
}

/* As if it were typed now. */
static int
refetch(const struct cli *cli)
{
	struct cli h;

	memset(&h, 0, sizeof(h));
	h.command = cmd_harvest.name;
	h.options = cmd_harvest.options;
	h.config = cli->config;
	h.json = cli->json;
	h.quiet = cli->quiet;
	return (cmd_harvest.run(&h));
}

static int
run(struct cli *cli)
{
	struct err e = ERR_INIT;
	struct app app;
	struct job j;
	int status = 0;

	memset(&j, 0, sizeof(j));
	j.app = &app;
	buf_init(&j.out, 1 << 20);
	if (app_open(&app, cli, APP_CONF, &e) != 0 || repair(&j, &e) != 0)
		status = cli_fail(cli, &e);
	else if (!j.opt.apply && j.opt.done > 0)
		status = 1;
	buf_fini(&j.out);
	app_close(&app);
	if (status == 0 && cli_get(cli, "refetch") != NULL)
		status = refetch(cli);
	return (status);
}

const struct cli_command cmd_repair = {
	.name = "repair",
	.operands = "",
	.summary = "Make good what verify finds damaged",
	.options = options,
	.run = run,
};
