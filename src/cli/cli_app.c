/*
 * What commands work with: configuration, connector, ledger, loop and
 * engine, opened in that order and closed in the other.
 */

#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/msg.h"
#include "base/must.h"
#include "base/text.h"
#include "base/ticks.h"
#include "cli/cli.h"
#include "conf/conf.h"
#include "fetch/fetch.h"
#include "harvest/harvest.h"
#include "ledger/ledger.h"
#include "loop/loop.h"
#include "source/source.h"
#include "sys/sys.h"

/* Retries a second that need not be earned: a slow source has its tries. */
#define RETRY_RATE 1.0

/* --- configuration and connector ----------------------------------------- */

static int
open_conf(struct app *app, struct err *e)
{
	char *path = NULL;
	int rc;

	if ((rc = conf_find(app->cli->config, &path, e)) != 0)
		return (rc);
	rc = conf_load(path, &app->conf, e);
	free(path);
	if (rc != 0)
		return (rc);
	msg_setup("garner", app->cli->quiet ? MSG_WARN :
	    (enum msg_level)conf_num(app->conf, "log.level"),
	    (enum msg_format)conf_num(app->conf, "log.format"));
	app->data = conf_text(app->conf, "data");
	app->name = conf_text(app->conf, "source.name");
	return (0);
}

/* Beside an installed program, beside one in its build folder, installed. */
static char *
find_connector(const struct app *app, const char *name)
{
	char exe[4096], *slash, *path;
	ssize_t n;

	n = readlink("/proc/self/exe", exe, sizeof(exe) - 1);
	if (n > 0) {
		exe[n] = '\0';
		if ((slash = strrchr(exe, '/')) != NULL)
			*slash = '\0';
		path = must_sprintf("%s/../share/garner/connectors/%s.yaml",
		    exe, name);
		if (sys_exists(app->sys, path))
			return (path);
		free(path);
		path = must_sprintf("%s/conf/connectors/%s.yaml", exe, name);
		if (sys_exists(app->sys, path))
			return (path);
		free(path);
	}
	return (must_sprintf("%s/connectors/%s.yaml", PKGDATADIR, name));
}

static int
open_source(struct app *app, struct err *e)
{
	const char *file = conf_text(app->conf, "source.connector_file");
	const char *name = conf_text(app->conf, "source.connector");
	bool own = file != NULL && file[0] != '\0';
	char *path;
	int rc;

	path = own ? must_strdup(file) : find_connector(app, name);
	rc = source_load(path, &app->source, e);
	if (rc == ERR_NOTFOUND && own)
		rc = err_set(e, ERR_CONFIG, "source.connector_file: there is "
		    "no %s", path);
	else if (rc == ERR_NOTFOUND)
		rc = err_set(e, ERR_CONFIG, "there is no connector \"%s\": "
		    "no file %s; is garner installed (make install)? Else "
		    "name the file in source.connector_file", name, path);
	free(path);
	return (rc);
}

int
app_table(const struct app *app, const char *name,
    const struct source_table **out, struct err *e)
{
	const char *names[128], *near;
	struct buf all;
	size_t i, n = source_tables(app->source);

	*out = source_table_find(app->source, name);
	if (*out != NULL)
		return (0);
	for (i = 0; i < n && i < 128; i++)
		names[i] = source_table_at(app->source, i)->name;
	near = text_nearest(name, names, i);
	if (near != NULL)
		return (err_set(e, ERR_USAGE, "unknown table \"%s\"; did you "
		    "mean \"%s\"?", name, near));
	buf_init(&all, 1 << 16);
	for (i = 0; i < n; i++)
		buf_printf(&all, "%s%s", i > 0 ? ", " : "",
		    source_table_at(app->source, i)->name);
	(void)err_set(e, ERR_USAGE, "unknown table \"%s\"; connector %s has "
	    "%s", name, source_name(app->source), buf_str(&all));
	buf_fini(&all);
	return (ERR_USAGE);
}

/* Is it named, or (parents) walked over by one that is? */
static bool
is_wanted(const struct app *app, const struct source_table *t,
    const char *const *names, size_t n, bool parents)
{
	const struct source_table *named;
	size_t i;

	for (i = 0; i < n; i++) {
		named = source_table_find(app->source, names[i]);
		for (; named != NULL; named = parents ? named->over : NULL)
			if (named == t)
				return (true);
	}
	return (n == 0);
}

/* The tables asked for, in the connector's order (parents first). */
static int
tables_of(const struct app *app, const char *const *names, size_t n,
    bool parents, const struct source_table ***out, struct err *e)
{
	const struct source_table **t, *one;
	size_t i, k = 0, all = source_tables(app->source);
	int rc;

	for (i = 0; i < n; i++)
		if ((rc = app_table(app, names[i], &one, e)) != 0)
			return (rc);
	t = must_calloc(all + 1, sizeof(t[0]));
	for (i = 0; i < all; i++) {
		one = source_table_at(app->source, i);
		if (is_wanted(app, one, names, n, parents))
			t[k++] = one;
	}
	*out = t;
	return (0);
}

static int
open_tables(struct app *app, struct err *e)
{
	const char *const *names;
	size_t n;
	int rc;

	names = conf_list(app->conf, "source.tables", &n);
	rc = tables_of(app, names, n, true, &app->tables, e);
	if (rc == 0)
		return (0);
	(void)err_wrap(e, "%s: source.tables", conf_file(app->conf));
	return (e->code = ERR_CONFIG);
}

int
app_tables(const struct app *app, const char *list,
    const struct source_table ***out, struct err *e)
{
	const char *names[128];
	char *copy, *p, *save = NULL;
	size_t n;
	int rc;

	if (list == NULL) {
		for (n = 0; app->tables[n] != NULL; n++)
			continue;
		*out = must_calloc(n + 1, sizeof((*out)[0]));
		memcpy(*out, app->tables, n * sizeof((*out)[0]));
		return (0);
	}
	copy = must_strdup(list);
	n = 0;
	for (p = strtok_r(copy, ",", &save); p != NULL && n < 128;
	    p = strtok_r(NULL, ",", &save))
		names[n++] = p;
	if (n == 0)
		rc = err_set(e, ERR_USAGE, "no table named");
	else
		rc = tables_of(app, names, n, false, out, e);
	free(copy);
	return (rc);
}

/* --- URL, secrets, engine ------------------------------------------------ */

/* "https://host:port/base/" -> origin and base path. */
static void
split_url(struct app *app)
{
	const char *url = conf_text(app->conf, "source.url");
	const char *p = strstr(url, "://");
	size_t n;

	p = strchr(p != NULL ? p + 3 : url, '/');
	n = p != NULL ? (size_t)(p - url) : strlen(url);
	app->origin = must_strndup(url, n);
	app->base = must_strdup(p != NULL ? p : "");
	for (n = strlen(app->base); n > 0 && app->base[n - 1] == '/';)
		app->base[--n] = '\0';
	if (n == 0) {
		free(app->base);
		app->base = must_strdup(source_base_path(app->source));
	}
}

static int
open_calendar(struct app *app, struct fetch_options *f, struct err *e)
{
	const struct conf *c = app->conf;
	const char *const *lines;
	size_t n;
	int rc;

	lines = conf_list(c, "fetch.calendar", &n);
	rc = pace_calendar_new(lines, n, conf_text(c, "fetch.zone"),
	    &app->calendar, e);
	if (rc != 0)
		(void)err_wrap(e, "%s: fetch.calendar", conf_file(c));
	f->calendar = app->calendar;
	return (rc);
}

static void
fetch_pace_fill(const struct app *app, struct fetch_options *f)
{
	const struct conf *c = app->conf;

	f->in_flight = (unsigned)conf_num(c, "fetch.in_flight");
	f->adaptive = conf_bool(c, "fetch.adaptive");
	f->rate = conf_real(c, "fetch.rate");
	f->burst = conf_real(c, "fetch.burst");
	f->budget_hour = (uint64_t)conf_num(c, "fetch.budget_hour");
	f->budget_day = (uint64_t)conf_num(c, "fetch.budget_day");
	f->breaker_failures = (unsigned)conf_num(c, "fetch.breaker_failures");
	f->breaker_ratio = conf_real(c, "fetch.breaker_ratio");
	f->breaker_open_ms = conf_num(c, "fetch.breaker_open");
	f->breaker_open_max_ms = conf_num(c, "fetch.breaker_open_max");
	f->give_up_ms = conf_num(c, "fetch.give_up");
	f->retry_share = conf_real(c, "fetch.retry_share");
	f->retry_rate = RETRY_RATE;
}

static void
fetch_options_fill(const struct app *app, struct fetch_options *f)
{
	const struct conf *c = app->conf;

	f->origin = app->origin;
	fetch_pace_fill(app, f);
	f->connect_timeout_ms = conf_num(c, "fetch.connect_timeout");
	f->timeout_ms = conf_num(c, "fetch.timeout");
	f->low_speed_ms = conf_num(c, "fetch.low_speed");
	f->body_max = (size_t)conf_num(c, "fetch.body_max");
	f->ratio_max = (unsigned)conf_num(c, "fetch.ratio_max");
	f->tries = (unsigned)conf_num(c, "fetch.tries");
	f->retry_base_ms = conf_num(c, "fetch.retry_base");
	f->retry_cap_ms = conf_num(c, "fetch.retry_cap");
	f->user_agent = conf_text(c, "fetch.user_agent");
	f->compressed = conf_bool(c, "fetch.compressed");
	f->http2 = conf_bool(c, "fetch.http2");
	f->seed = app->sys->random(app->sys->cookie);
}

static int
open_forms(const struct app *app, struct harvest_options *h, struct err *e)
{
	static const char *const words[] = { "one", "set", "batch" };
	static const unsigned forms[] = { HARVEST_MAY_ONE, HARVEST_MAY_SET,
		HARVEST_MAY_BATCH };
	const char *const *names;
	size_t i, k, n;

	names = conf_list(app->conf, "source.forms", &n);
	for (i = 0; i < n; i++) {
		for (k = 0; k < 3 && strcmp(names[i], words[k]) != 0; k++)
			continue;
		if (k == 3)
			return (err_set(e, ERR_CONFIG, "%s: source.forms: "
			    "`%s` is not one, set or batch",
			    conf_file(app->conf), names[i]));
		h->forms |= forms[k];
	}
	return (0);
}

static void
harvest_options_fill(const struct app *app, struct harvest_options *h)
{
	const struct conf *c = app->conf;

	h->data_dir = app->data;
	h->source_name = app->name;
	h->base = app->base;
	h->stream_filter = conf_text(c, "source.streams");
	h->group_size = (uint32_t)conf_num(c, "groups.size");
	h->reread = conf_num(c, "harvest.reread") * TICKS_PER_MS;
	h->reread_frames = conf_num(c, "harvest.reread_frames") *
	    TICKS_PER_MS;
	h->target_items = (uint32_t)conf_num(c, "harvest.target_items");
	h->page_items = (uint32_t)conf_num(c, "harvest.page_items");
	h->item_cap = (uint32_t)conf_num(c, "harvest.item_cap");
	h->url_max = (uint32_t)conf_num(c, "harvest.url_max");
	h->window_max = conf_num(c, "harvest.window_max") * TICKS_PER_MS;
	h->commit_rows = (uint32_t)conf_num(c, "harvest.commit_rows");
	h->commit_every_us = conf_num(c, "harvest.commit_every") * 1000;
	h->memory = (size_t)conf_num(c, "harvest.memory");
	h->tries = (unsigned)conf_num(c, "fetch.tries");
	h->reserve = (uint64_t)conf_num(c, "harvest.reserve");
	h->space_wait_us = conf_num(c, "harvest.space_wait") * 1000;
	h->quarantine = (uint64_t)conf_num(c, "harvest.quarantine");
	if (app->progress != NULL) {
		h->progress = app_progress_harvest;
		h->cookie = app->progress;
	}
}

static int
open_harvest(struct app *app, struct err *e)
{
	struct fetch_options f;
	struct harvest_options h;
	int rc;

	memset(&f, 0, sizeof(f));
	memset(&h, 0, sizeof(h));
	split_url(app);
	if ((rc = app_access(app, &f, e)) != 0 ||
	    (rc = open_calendar(app, &f, e)) != 0 ||
	    (rc = open_forms(app, &h, e)) != 0)
		return (rc);
	fetch_options_fill(app, &f);
	f.quotas_n = source_quotas(app->source, &f.quotas);
	app->loop = loop_new((unsigned)conf_num(app->conf, "harvest.workers"));
	app->progress = app_progress_new(app->cli, "harvest");
	harvest_options_fill(app, &h);
	rc = harvest_new(app->sys, app->loop, &f, app->source, app->ledger, &h,
	    &app->harvest, e);
	if (rc == 0)
		app_signals_new(app);
	return (rc);
}

/* --- open and close ------------------------------------------------------ */

static int
open_ledger(struct app *app, bool readonly, struct err *e)
{
	char *dir;
	int rc;

	if ((rc = app_ledger_lost(app, e)) == 0 && !readonly)
		rc = sys_mkdirs(app->sys, app->data, e);
	if (rc == 0) {
		dir = must_sprintf("%s/ledger", app->data);
		rc = ledger_open(dir, readonly, &app->ledger, e);
		free(dir);
	}
	return (rc);
}

int
app_open(struct app *app, const struct cli *cli, unsigned want, struct err *e)
{
	int rc;

	memset(app, 0, sizeof(*app));
	app->cli = cli;
	app->lock = -1;
	app->sys = sys_posix();
	if (cli->quiet)
		msg_setup("garner", MSG_WARN, MSG_TEXT);
	if ((rc = open_conf(app, e)) != 0)
		return (rc);
	if ((rc = open_source(app, e)) != 0)
		return (rc);
	if ((rc = open_tables(app, e)) != 0)
		return (rc);
	if (want & (APP_LEDGER | APP_HARVEST | APP_LEDGER_READ))
		rc = open_ledger(app, (want & (APP_LEDGER | APP_HARVEST)) == 0,
		    e);
	if (rc == 0 && (want & APP_HARVEST))
		rc = open_harvest(app, e);
	return (rc);
}

void
app_close(struct app *app)
{

	app_signals_free(app);
	harvest_free(app->harvest);
	pace_calendar_free(app->calendar);
	app_progress_free(app->progress);
	if (app->loop != NULL)
		loop_free(app->loop);
	ledger_close(app->ledger);
	sys_unlock(app->lock);
	app_access_free(app);
	free(app->tables);
	source_free(app->source);
	conf_free(app->conf);
	free(app->origin);
	free(app->base);
}

int
app_report_failures(const struct app *app)
{
	struct harvest_failure f;
	struct harvest_stats st;
	size_t i;

	for (i = 0; harvest_failure(app->harvest, i, &f) == 1; i++) {
		if (i == 20) {
			harvest_get_stats(app->harvest, &st);
			msg_warn(app->cli->command, "... and %llu more; garner "
			    "status --json names them all",
			    (unsigned long long)(st.streams_failed + st.ties -
			    i));
			break;
		}
		msg_warn(app->cli->command, "%s: %s: %s", f.table, f.stream,
		    f.text);
	}
	return (i > 0 ? 1 : 0);
}

char *
app_silver_dir(const struct app *app, const char *table)
{

	return (must_sprintf("%s/silver/%s/%s", app->data, app->name, table));
}

/* --- ranges -------------------------------------------------------------- */

static int
get_group(const struct cli *cli, uint32_t *group, struct err *e)
{
	const char *text = cli_get(cli, "group");
	uint64_t n = 0;

	if (text != NULL && text_u64(text, 1, UINT32_MAX, &n) != 0)
		return (err_set(e, ERR_USAGE, "--group \"%s\": groups are "
		    "numbered from 1", text));
	*group = (uint32_t)n;
	return (0);
}

static int
get_wanted(const struct app *app, const char *key, int64_t now, int64_t *out,
    struct err *e)
{

	if (ticks_parse_human(conf_text(app->conf, key), now, out) == 0)
		return (0);
	return (err_set(e, ERR_CONFIG, "%s: %s is no time",
	    conf_file(app->conf), key));
}

int
app_wanted(const struct app *app, int64_t now, struct harvest_range *r,
    struct err *e)
{
	int rc;

	memset(r, 0, sizeof(*r));
	if ((rc = get_wanted(app, "harvest.from", now, &r->from, e)) != 0)
		return (rc);
	return (get_wanted(app, "harvest.to", now, &r->to, e));
}

/* By an option, or by the configuration. */
static int
get_end(const struct app *app, const char *option, const char *key,
    int64_t now, int64_t wanted_now, int64_t *out, struct err *e)
{
	const char *text = cli_get(app->cli, option);

	if (text == NULL)
		return (get_wanted(app, key, wanted_now, out, e));
	if (ticks_parse_human(text, now, out) == 0)
		return (0);
	return (err_set(e, ERR_USAGE, "--%s \"%s\": no time; e.g. 2026-03-01, "
	    "2026-03-01T06:00:00Z, * or *-8h", option, text));
}

int
app_range(const struct app *app, int64_t now, int64_t wanted_now,
    struct harvest_range *r, struct err *e)
{
	int rc;

	memset(r, 0, sizeof(*r));
	if ((rc = get_group(app->cli, &r->group, e)) != 0 ||
	    (rc = get_end(app, "from", "harvest.from", now, wanted_now,
	    &r->from, e)) != 0)
		return (rc);
	return (get_end(app, "to", "harvest.to", now, wanted_now, &r->to, e));
}

int
app_range_empty(const struct harvest_range *r, struct err *e)
{
	char a[TICKS_TEXT_MAX], b[TICKS_TEXT_MAX];

	return (err_set(e, ERR_USAGE, "the range is empty: from %s to %s",
	    ticks_text(r->from, a), ticks_text(r->to, b)));
}
