/*
 * garner quarantine: answers that could not be used: lists them, shows one,
 * asks their streams again, drops them. An entry is of a stream; once the
 * stream was read well after it, the entry is stale, and a retry that makes
 * it so drops it.
 */

#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/msg.h"
#include "base/must.h"
#include "base/text.h"
#include "base/ticks.h"
#include "cli/cli.h"
#include "codec/json.h"
#include "harvest/harvest.h"
#include "ledger/ledger.h"
#include "source/source.h"
#include "sys/sys.h"

static const struct cli_option options[] = {
	{ "body", 0, NULL, "show: the body alone, as it came" },
	{ "older", 0, "DURATION", "drop: all that are older, e.g. 30d" },
	{ NULL, 0, NULL, NULL },
};

#define BODY_MAX (1u << 20)
#define SHOWN_MAX 4096u

/* An entry, its texts in the arena. */
struct item {
	struct harvest_kept k;
	const struct source_table *table;	/* NULL: of none we have */
	bool chosen;
	bool good;			/* its stream was read well since */
};

struct job {
	struct app *app;
	struct arena *arena;
	struct item *items;
	size_t n;
	struct buf out;
};

/* --- reading ------------------------------------------------------------- */

static int
add(const struct harvest_kept *k, void *cookie, struct err *e)
{
	struct job *j = cookie;
	struct item *it;

	(void)e;
	j->items = must_realloc(j->items, j->n + 1, sizeof(j->items[0]));
	it = &j->items[j->n++];
	memset(it, 0, sizeof(*it));
	it->k = *k;
	it->k.source = arena_strdup(j->arena, k->source);
	it->k.table = arena_strdup(j->arena, k->table);
	it->k.stream = arena_strdup(j->arena, k->stream);
	it->k.key = arena_strdup(j->arena, k->key);
	it->k.target = arena_strdup(j->arena, k->target);
	it->k.code = arena_strdup(j->arena, k->code);
	it->k.reason = arena_strdup(j->arena, k->reason);
	it->table = source_table_find(j->app->source, k->table);
	return (0);
}

/* Walks have no streams: a later commit of the table is a good walk. */
static int
judge_walk(struct ledger_txn *txn, struct item *it, struct err *e)
{
	struct ledger_group g;
	int rc;

	rc = ledger_group_get(txn, it->table->name, 0, &g, e);
	it->good = rc == 0 && g.committed > it->k.at;
	return (rc);
}

static int
judge_stream(struct ledger_txn *txn, struct item *it, struct err *e)
{
	struct ledger_stream s;
	uint32_t id;
	int rc;

	rc = ledger_object_find(txn, it->table->over->name, it->k.key, &id, e);
	if (rc != 0 || id == 0)
		return (rc);
	ledger_stream_init(&s);
	rc = ledger_stream_get(txn, it->table->name, id, &s, e);
	it->good = rc == 0 && s.fail_code == 0 && s.asked != TICKS_NONE &&
	    s.asked > it->k.at;
	ledger_stream_fini(&s);
	return (rc);
}

static int
judge(struct job *j, struct err *e)
{
	struct ledger_txn *txn;
	struct item *it;
	size_t i;
	int rc;

	if ((rc = ledger_read_begin(j->app->ledger, &txn, e)) != 0)
		return (rc);
	for (i = 0; i < j->n && rc == 0; i++) {
		it = &j->items[i];
		if (it->table == NULL ||
		    strcmp(it->k.source, j->app->name) != 0)
			continue;
		if (it->table->kind == SOURCE_WALK)
			rc = judge_walk(txn, it, e);
		else if (it->table->over != NULL && it->k.key[0] != '\0')
			rc = judge_stream(txn, it, e);
	}
	ledger_read_end(txn);
	return (rc);
}

/* --- list, show ---------------------------------------------------------- */

static void
put_json(struct buf *b, const struct item *it)
{
	const struct harvest_kept *k = &it->k;

	buf_printf(b, "{\"id\":\"%s\"", k->id);
	json_put_time(b, "time", k->at);
	json_put_text(b, "source", k->source);
	json_put_text(b, "table", k->table);
	json_put_text(b, "stream", k->stream);
	json_put_text(b, "webid", k->key);
	json_put_time(b, "from", k->a);
	json_put_time(b, "to", k->b);
	json_put_text(b, "target", k->target);
	buf_printf(b, ",\"status\":%d", k->status);
	json_put_text(b, "error", k->code);
	json_put_text(b, "reason", k->reason);
	buf_printf(b, ",\"bytes\":%llu,\"kept\":%llu,\"stored\":%llu,"
	    "\"read_since\":%s}\n", (unsigned long long)k->len,
	    (unsigned long long)k->kept, (unsigned long long)k->stored,
	    it->good ? "true" : "false");
}

static void
put_plain(struct buf *b, const char *s, size_t max)
{

	text_escape(b, s, strlen(s), max);
}

static void
put_line(struct buf *b, const struct item *it)
{
	char t[TICKS_TEXT_MAX];

	buf_printf(b, "%s  %s  %-16s ", it->k.id, ticks_text_s(it->k.at, t),
	    it->k.table);
	put_plain(b, it->k.stream[0] != '\0' ? it->k.stream : "-", 200);
	buf_printf(b, ": %s: ", it->k.code);
	put_plain(b, it->k.reason, 200);
	buf_puts(b, it->good ? " (read well since)\n" : "\n");
}

static int
do_list(struct job *j, struct err *e)
{
	size_t i;
	int rc;

	if ((rc = judge(j, e)) != 0)
		return (rc);
	for (i = 0; i < j->n; i++) {
		if (j->app->cli->json)
			put_json(&j->out, &j->items[i]);
		else
			put_line(&j->out, &j->items[i]);
	}
	if (j->n == 0 && !j->app->cli->json)
		buf_puts(&j->out, "nothing is kept\n");
	return (0);
}

/* A body is read by itself: what ends a quotation may stand in it, and lines
 * may end. */
static void
put_body(struct buf *out, const struct buf *body)
{
	const char *p = (const char *)body->data;
	size_t len = body->len < SHOWN_MAX ? body->len : SHOWN_MAX, n;

	while (len > 0) {
		for (n = 0; n < len && strchr("\"'\n", p[n]) == NULL; n++)
			continue;
		text_escape(out, p, n, SIZE_MAX);
		p += n;
		len -= n;
		if (len > 0) {
			buf_u8(out, (uint8_t)*p++);
			len--;
		}
	}
	buf_puts(out, body->len > SHOWN_MAX ? "...\n" : "\n");
}

static void
put_whole(struct job *j, const struct item *it, const struct buf *body)
{
	char t[TICKS_TEXT_MAX], a[TICKS_TEXT_MAX], b[TICKS_TEXT_MAX];
	const struct harvest_kept *k = &it->k;
	struct buf *out = &j->out;

	buf_printf(out, "id      %s\ntime    %s\ntable   %s\nstream  ", k->id,
	    ticks_text(k->at, t), k->table);
	put_plain(out, k->stream, 1024);
	buf_puts(out, "\nwebid   ");
	put_plain(out, k->key, 1024);
	if (k->a != TICKS_NONE)
		buf_printf(out, "\nwindow  %s .. %s", ticks_text(k->a, a),
		    ticks_text(k->b, b));
	buf_puts(out, "\ntarget  ");
	put_plain(out, k->target, 8192);
	buf_printf(out, "\nstatus  %d\nerror   %s: ", k->status, k->code);
	put_plain(out, k->reason, 1024);
	buf_printf(out, "\nbody    %llu bytes, %llu kept%s\n\n",
	    (unsigned long long)k->len, (unsigned long long)k->kept,
	    body->len > SHOWN_MAX ? ", the first of them:" : "");
	put_body(out, body);
}

static int
do_show(struct job *j, struct err *e)
{
	struct buf body;
	size_t i;
	int rc = 0;

	buf_init(&body, BODY_MAX);
	for (i = 0; i < j->n && rc == 0; i++) {
		if (!j->items[i].chosen)
			continue;
		if (j->app->cli->json) {
			put_json(&j->out, &j->items[i]);
			continue;
		}
		buf_clear(&body);
		rc = harvest_kept_body(j->app->sys, j->app->data,
		    j->items[i].k.id, &body, e);
		if (rc == 0 && cli_get(j->app->cli, "body") != NULL)
			buf_put(&j->out, body.data, body.len);
		else if (rc == 0)
			put_whole(j, &j->items[i], &body);
	}
	buf_fini(&body);
	return (rc);
}

/* --- drop ---------------------------------------------------------------- */

static int
do_drop(struct job *j, struct err *e)
{
	const char *older = cli_get(j->app->cli, "older");
	int64_t ms = 0, before = INT64_MIN;
	size_t i, n = 0;
	int rc = 0;

	if (older != NULL && text_duration_ms(older, 0, INT64_MAX / 100000,
	    &ms) != 0)
		return (err_set(e, ERR_USAGE, "--older \"%s\": no duration, "
		    "e.g. 30d", older));
	if (older != NULL)
		before = j->app->sys->now_ticks(j->app->sys->cookie) -
		    ms * TICKS_PER_MS;
	else if (j->app->cli->argc < 2)
		return (err_set(e, ERR_USAGE, "drop which? name them, or give "
		    "--older"));
	for (i = 0; i < j->n && rc == 0; i++) {
		if (!j->items[i].chosen && j->items[i].k.at > before)
			continue;
		rc = harvest_kept_drop(j->app->sys, j->app->data,
		    j->items[i].k.id, e);
		n += rc == 0;
	}
	if (!j->app->cli->json)
		buf_printf(&j->out, "%zu dropped\n", n);
	else
		buf_printf(&j->out, "{\"dropped\":%zu}\n", n);
	return (rc);
}

/* --- retry --------------------------------------------------------------- */

struct choice {
	const struct job *j;
	const struct source_table *table;
};

static bool
is_chosen(void *cookie, const char *key)
{
	const struct choice *c = cookie;
	const struct item *it;
	size_t i;

	for (i = 0; i < c->j->n; i++) {
		it = &c->j->items[i];
		if (it->chosen && it->table == c->table &&
		    (it->k.key[0] == '\0' || strcmp(it->k.key, key) == 0))
			return (true);
	}
	return (false);
}

/* Of the table: how far back its windows reach; false: nothing chosen. */
static bool
reach(const struct job *j, const struct source_table *t, int64_t *from)
{
	bool any = false;
	size_t i;

	for (i = 0; i < j->n; i++) {
		if (!j->items[i].chosen || j->items[i].table != t)
			continue;
		any = true;
		if (j->items[i].k.a != TICKS_NONE && j->items[i].k.a < *from)
			*from = j->items[i].k.a;
	}
	return (any);
}

static int
retry_table(struct job *j, const struct source_table *t, struct err *e)
{
	const struct source_table *one[2] = { t, NULL };
	struct choice c = { j, t };
	struct harvest_range range;
	int64_t now, from = INT64_MAX;
	int rc;

	if (!reach(j, t, &from))
		return (0);
	if ((rc = app_lock(j->app, "harvest", one, ~0u, 0, e)) != 0 ||
	    (rc = harvest_clock(j->app->harvest, &now, e)) != 0 ||
	    (rc = app_wanted(j->app, now, &range, e)) != 0)
		return (rc);
	if (t->kind == SOURCE_WALK)
		return (harvest_discover(j->app->harvest, one, e));
	if (from < range.from)
		range.from = from;
	range.retry_failed = true;
	range.only = is_chosen;
	range.only_cookie = &c;
	return (harvest_run(j->app->harvest, one, &range, e));
}

/* What was read well since is no longer of use. */
static int
settle(struct job *j, struct err *e)
{
	struct item *it;
	size_t i, gone = 0, left = 0;
	int rc;

	if ((rc = judge(j, e)) != 0)
		return (rc);
	for (i = 0; i < j->n && rc == 0; i++) {
		it = &j->items[i];
		if (!it->chosen)
			continue;
		if (!it->good) {
			left++;
			continue;
		}
		rc = harvest_kept_drop(j->app->sys, j->app->data, it->k.id,
		    e);
		gone += rc == 0;
	}
	buf_printf(&j->out, j->app->cli->json ? "{\"read\":%zu,"
	    "\"failed\":%zu}\n" : "%zu read well and dropped, %zu stay\n",
	    gone, left);
	return (rc);
}

static int
do_retry(struct job *j, struct err *e)
{
	const struct source_table *t;
	size_t i, n = source_tables(j->app->source);
	int rc = 0;

	for (i = 0; i < j->n; i++) {
		if (j->app->cli->argc < 2)
			j->items[i].chosen = true;
		if (strcmp(j->items[i].k.source, j->app->name) != 0)
			j->items[i].chosen = false;
	}
	if ((rc = judge(j, e)) != 0)
		return (rc);
	for (i = 0; i < n && rc == 0; i++) {
		t = source_table_at(j->app->source, i);
		rc = retry_table(j, t, e);
	}
	app_progress_free(j->app->progress);
	j->app->progress = NULL;
	return (rc != 0 ? rc : settle(j, e));
}

/* --- the command --------------------------------------------------------- */

struct verb {
	const char *name;
	unsigned want;
	int (*run)(struct job *, struct err *);
};

static const struct verb verbs[] = {
	{ "list", APP_LEDGER_READ, do_list },
	{ "show", APP_CONF, do_show },
	{ "drop", APP_CONF, do_drop },
	{ "retry", APP_HARVEST, do_retry },
};

static const struct verb *
find_verb(const struct cli *cli, struct err *e)
{
	const char *name = cli->argc > 0 ? cli->argv[0] : "list";
	size_t i;

	for (i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++)
		if (strcmp(verbs[i].name, name) == 0)
			break;
	if (i == sizeof(verbs) / sizeof(verbs[0])) {
		(void)err_set(e, ERR_USAGE, "\"%s\": list, show, retry or drop",
		    name);
		return (NULL);
	}
	if (verbs[i].run == do_show && cli->argc < 2) {
		(void)err_set(e, ERR_USAGE, "show which? name its id");
		return (NULL);
	}
	return (&verbs[i]);
}

static int
choose(struct job *j, struct err *e)
{
	const struct cli *cli = j->app->cli;
	size_t k;
	int i;

	for (i = 1; i < cli->argc; i++) {
		for (k = 0; k < j->n; k++)
			if (strcmp(j->items[k].k.id, cli->argv[i]) == 0)
				break;
		if (k == j->n)
			return (err_set(e, ERR_NOTFOUND, "there is nothing "
			    "kept as \"%s\"", cli->argv[i]));
		j->items[k].chosen = true;
	}
	return (0);
}

static int
run(struct cli *cli)
{
	struct err e = ERR_INIT;
	const struct verb *v;
	struct app app;
	struct job j;
	int status = 0;

	if ((v = find_verb(cli, &e)) == NULL)
		return (cli_fail(cli, &e));
	memset(&j, 0, sizeof(j));
	j.app = &app;
	j.arena = arena_new();
	buf_init(&j.out, SIZE_MAX / 2);
	if (app_open(&app, cli, v->want, &e) != 0 ||
	    harvest_kept_each(app.sys, app.data, add, &j, &e) != 0 ||
	    choose(&j, &e) != 0 || v->run(&j, &e) != 0)
		status = app_fail(&app, &e);
	if (app.harvest != NULL && status == 0) {
		status = app_report_failures(&app);
		if (app_signal(&app) != 0)
			status = 128 + app_signal(&app);
	}
	(void)app_print(&j.out);
	buf_fini(&j.out);
	free(j.items);
	arena_free(j.arena);
	app_close(&app);
	return (status);
}

const struct cli_command cmd_quarantine = {
	.name = "quarantine",
	.operands = "[list | show ID | retry [ID...] | drop ID...]",
	.operands_max = 1001,
	.summary = "Show, retry or drop answers that could not be used",
	.options = options,
	.run = run,
};
