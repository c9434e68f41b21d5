/*
 * garner check: is everything there to run? Configuration, connector,
 * secrets and data folder without the network; then small reads: the
 * server's clock, and what the connector's probes say of it (version, who
 * we are, its limits). Each line says ok or what is wrong; the first
 * failure decides the exit status.
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
#include "conf/conf.h"
#include "harvest/harvest.h"
#include "source/source.h"
#include "sys/sys.h"

static const struct cli_option options[] = {
	{ "offline", 0, NULL, "without the network" },
	{ NULL, 0, NULL, NULL },
};

struct report {
	const struct cli *cli;
	struct buf json;
	const char *now;	/* what is being checked */
	bool any;
};

static void
line(struct report *r, bool ok, const char *what, const char *text)
{

	if (!r->cli->json) {
		printf("%-7s %-14s %s\n", ok ? "ok" : "FAILED", what, text);
		return;
	}
	buf_printf(&r->json, "%s{\"check\":\"%s\",\"ok\":%s,\"text\":",
	    r->any ? "," : "", what, ok ? "true" : "false");
	json_put_str(&r->json, text, strlen(text));
	buf_puts(&r->json, "}");
	r->any = true;
}

static int
check_clock(struct app *app, struct report *r, struct err *e)
{
	char text[200], t[TICKS_TEXT_MAX], d[32];
	int64_t now, mine, off;
	int rc;

	r->now = "server";
	if ((rc = harvest_clock(app->harvest, &now, e)) != 0)
		return (rc);
	mine = app->sys->now_ticks(app->sys->cookie);
	off = now > mine ? now - mine : mine - now;
	if (off < TICKS_PER_S)
		(void)snprintf(d, sizeof(d), "as ours");
	else
		(void)app_duration(off, d, sizeof(d));
	(void)snprintf(text, sizeof(text), "%s%s answers, its clock is %s "
	    "(%s%s)", app->origin, app->base, ticks_text_s(now, t), d,
	    off < TICKS_PER_S ? "" : now > mine ? " ahead of ours" :
	    " behind ours");
	line(r, true, r->now, text);
	return (0);
}

static int
check_probes(struct app *app, struct report *r, struct err *e)
{
	struct buf text;
	const char *name;
	size_t i;
	int rc = 0;

	buf_init(&text, 1 << 16);
	for (i = 0; rc == 0 && i < source_probes(app->source); i++) {
		buf_clear(&text);
		rc = harvest_probe(app->harvest, i, &name, &text, e);
		r->now = name;
		if (rc == ERR_NOTFOUND || rc == ERR_FORBIDDEN) {
			line(r, true, name, "not told by this server");
			rc = 0;
		} else if (rc == 0) {
			line(r, true, name, buf_str(&text));
		}
	}
	buf_fini(&text);
	return (rc);
}

static int
check_access(struct app *app, struct report *r, struct err *e)
{
	struct buf text;
	int rc;

	r->now = "access";
	if ((rc = app_access_check(app, e)) != 0)
		return (rc);
	buf_init(&text, 4096);
	app_access_text(app, &text);
	line(r, true, "access", buf_str(&text));
	buf_fini(&text);
	return (0);
}

static int
check(struct app *app, struct report *r, struct err *e)
{
	bool offline = cli_get(app->cli, "offline") != NULL;
	char text[300];
	int rc;

	(void)snprintf(text, sizeof(text), "%s", conf_file(app->conf));
	line(r, true, "configuration", text);
	(void)snprintf(text, sizeof(text), "%s, %zu tables",
	    source_name(app->source), source_tables(app->source));
	line(r, true, "connector", text);
	if (!offline) {
		(void)snprintf(text, sizeof(text), "%s", app->data);
		line(r, true, "data", text);
	}
	rc = check_access(app, r, e);
	if (rc != 0 || offline)
		return (rc);
	rc = check_clock(app, r, e);
	if (rc == 0)
		rc = check_probes(app, r, e);
	return (rc);
}

/* The line says what, the message why: on a terminal they stand together. */
static int
failed(const struct app *app, struct report *r, const struct err *e)
{
	struct err told = *e;

	app_access_hint(app, &told);
	line(r, false, r->now, r->cli->json ? told.text : err_text(e->code));
	(void)fflush(stdout);
	return (app_fail(app, e));
}

static int
run(struct cli *cli)
{
	bool offline = cli_get(cli, "offline") != NULL;
	struct err e = ERR_INIT;
	struct report r = { .cli = cli };
	struct app app;
	int status = 0;

	buf_init(&r.json, 1 << 20);
	if (app_open(&app, cli, offline ? APP_CONF : APP_HARVEST, &e) != 0) {
		r.now = app.conf == NULL ? "configuration" :
		    app.source == NULL ? "connector" :
		    app.tables == NULL || e.code == ERR_CONFIG ?
		    "configuration" : app.ledger == NULL ? "data" : "access";
		status = failed(&app, &r, &e);
	} else if (check(&app, &r, &e) != 0) {
		status = failed(&app, &r, &e);
	}
	if (cli->json)
		printf("{\"checks\":[%s]}\n", buf_str(&r.json));
	buf_fini(&r.json);
	app_close(&app);
	return (status);
}

const struct cli_command cmd_check = {
	.name = "check",
	.operands = "",
	.summary = "Check configuration, access and server by small reads",
	.options = options,
	.run = run,
};
