/*
 * garner verify: what is stored against its checksums and against each
 * other. One line a finding; exit status 1 when there are any but notes.
 */

#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/must.h"
#include "base/text.h"
#include "base/ticks.h"
#include "cli/cli.h"
#include "codec/json.h"
#include "conf/conf.h"
#include "harvest/harvest.h"
#include "ledger/ledger.h"
#include "sys/sys.h"
#include "verify/verify.h"

/* Findings of one kind that are printed for a person. */
#define PRINT_MAX 20

static const struct cli_option options[] = {
	{ "table", 0, "LIST", "only these tables, separated by commas" },
	{ "sample", 0, "PART", "read only a part: 10% or 3/30" },
	{ "source", 0, NULL, "hold what is covered against the server" },
	{ NULL, 0, NULL, NULL },
};

struct kind {
	const char *name;
	uint64_t n;
};

struct job {
	struct app *app;
	struct verify_options opt;
	struct kind kinds[64];
	size_t nkinds;
	struct buf out;
};

/* --- findings ------------------------------------------------------------ */

static void
print_json(struct job *j, const struct verify_finding *f)
{
	struct buf *b = &j->out;

	buf_clear(b);
	buf_printf(b, "{\"kind\":\"%s\",\"severity\":\"%s\"", f->kind,
	    f->severity == VERIFY_ERROR ? "error" : "note");
	app_place_json(b, &f->at);
	json_put_text(b, "text", f->text);
	buf_puts(b, "}\n");
	(void)fwrite(b->data, 1, b->len, stdout);
}

/* Whether one more of this kind is worth a line. */
static bool
seldom(struct job *j, const char *kind)
{
	size_t i;

	for (i = 0; i < j->nkinds; i++)
		if (strcmp(j->kinds[i].name, kind) == 0)
			break;
	if (i == j->nkinds) {
		MUST(i < sizeof(j->kinds) / sizeof(j->kinds[0]));
		j->kinds[j->nkinds++] = (struct kind){ kind, 0 };
	}
	return (++j->kinds[i].n <= PRINT_MAX);
}

static void
print_text(struct job *j, const struct verify_finding *f)
{
	struct buf *out = &j->out;

	if (!seldom(j, f->kind) ||
	    (j->app->cli->quiet && f->severity != VERIFY_ERROR))
		return;
	buf_clear(out);
	buf_printf(out, "%s %s", f->severity == VERIFY_ERROR ? "error" :
	    "note ", f->kind);
	app_place_text(out, &f->at);
	buf_printf(out, ": %s\n", f->text);
	app_progress_wipe(j->app->progress);
	(void)fwrite(out->data, 1, out->len, stdout);
}

static void
on_finding(void *cookie, const struct verify_finding *f)
{
	struct job *j = cookie;

	if (j->app->cli->json)
		print_json(j, f);
	else
		print_text(j, f);
}

static void
on_progress(void *cookie, uint64_t done, uint64_t all)
{
	struct job *j = cookie;

	app_progress_bytes(j->app->progress, done, all);
}

static void
print_summary(const struct job *j, const struct verify_result *r)
{
	char a[32], b[40], c[40], d[40], e[40], f[40];
	size_t i;

	if (j->app->cli->json) {
		printf("{\"kind\":\"summary\",\"errors\":%llu,"
		    "\"notes\":%llu,\"bytes\":%llu,\"blocks\":%llu,"
		    "\"rows\":%llu,\"files\":%llu,\"streams\":%llu}\n",
		    (unsigned long long)r->errors,
		    (unsigned long long)r->notes,
		    (unsigned long long)r->bytes,
		    (unsigned long long)r->blocks,
		    (unsigned long long)r->rows,
		    (unsigned long long)r->files,
		    (unsigned long long)r->streams);
		return;
	}
	for (i = 0; i < j->nkinds; i++)
		if (j->kinds[i].n > PRINT_MAX)
			printf("      %s: %llu more, see --json\n",
			    j->kinds[i].name, (unsigned long long)
			    (j->kinds[i].n - PRINT_MAX));
	if (j->app->cli->quiet && r->errors == 0)
		return;
	printf("%s: %s in %s, %s, %s: %s, %s%s\n",
	    r->errors == 0 ? "good" : "DAMAGED",
	    text_bytes_human(r->bytes, a, sizeof(a)),
	    text_counted(r->blocks, "block", NULL, b, sizeof(b)),
	    text_counted(r->files, "file", NULL, d, sizeof(d)),
	    text_counted(r->streams, "stream", NULL, c, sizeof(c)),
	    text_counted(r->errors, "error", NULL, e, sizeof(e)),
	    text_counted(r->notes, "note", NULL, f, sizeof(f)),
	    r->errors > 0 ? "; garner repair tells what can be done" : "");
}

/* --- options ------------------------------------------------------------- */

static int
bad_sample(const char *text, struct err *e)
{

	return (err_set(e, ERR_USAGE, "--sample \"%s\": a share such as 10%%, "
	    "or a part such as 3/30", text));
}

static int
get_sample(struct job *j, const char *text, struct err *e)
{
	char *copy, *slash;
	double share;
	uint64_t n = 0, all = 0;
	char *end;
	int rc = 0;

	if (text == NULL)
		return (0);
	copy = must_strdup(text);
	if ((slash = strchr(copy, '/')) != NULL) {
		*slash = '\0';
		if (text_u64(slash + 1, 1, 1000000, &all) != 0 ||
		    text_u64(copy, 1, all, &n) != 0)
			rc = bad_sample(text, e);
		j->opt.part = (uint32_t)n;
		j->opt.parts = (uint32_t)all;
	} else {
		errno = 0;
		share = strtod(copy, &end);
		if (end == copy || strcmp(end, "%") != 0 || errno != 0 ||
		    !(share > 0.0001 && share <= 100))
			rc = bad_sample(text, e);
		else
			j->opt.per_million = (uint32_t)(share * 10000);
		j->opt.seed = j->app->sys->random(j->app->sys->cookie);
	}
	free(copy);
	return (rc);
}

/* --- the ledger ---------------------------------------------------------- */

static void
tell_ledger(struct job *j, const char *dir, const char *kind,
    const char *text)
{
	char *path = must_sprintf("%s/data.mdb", dir);
	struct verify_finding f = { .severity = VERIFY_ERROR, .kind = kind,
	    .text = text };

	verify_place_init(&f.at, NULL);
	f.at.path = path;
	on_finding(j, &f);
	free(path);
}

/* The ledger, or NULL after a finding (counted in *errors). */
static int
open_ledger(struct job *j, uint64_t *errors, struct err *e)
{
	enum app_ledger_state state;
	char *dir = app_ledger_dir(j->app);
	int rc;

	*errors = 0;
	rc = app_ledger_probe(j->app, &state, e);
	if (rc == 0 && state == APP_LEDGER_GOOD) {
		rc = ledger_open(dir, true, &j->app->ledger, e);
	} else if (rc == 0) {
		tell_ledger(j, dir, state == APP_LEDGER_MISSING ?
		    "ledger.missing" : "ledger.damaged", e->text);
		*errors = 1;
	}
	free(dir);
	return (rc);
}

static int
verify(struct job *j, const struct source_table *const *tables, int *status,
    struct err *e)
{
	struct app *app = j->app;
	struct verify_result r;
	uint64_t errors;
	int rc;

	j->opt.data_dir = app->data;
	j->opt.source = app->name;
	j->opt.ties_all = strcmp(conf_text(app->conf, "compact.ties"),
	    "all") == 0;
	j->opt.finding = on_finding;
	j->opt.progress = on_progress;
	j->opt.cookie = j;
	if ((rc = get_sample(j, cli_get(app->cli, "sample"), e)) != 0 ||
	    (rc = open_ledger(j, &errors, e)) != 0)
		return (rc);
	app->progress = app_progress_new(app->cli, "verify");
	rc = verify_run(app->sys, app->ledger, tables, &j->opt, &r, e);
	app_progress_wipe(app->progress);
	if (rc != 0)
		return (rc);
	r.errors += errors;
	print_summary(j, &r);
	*status = r.errors > 0;
	return (0);
}

/* The sample chooses windows then, not files. */
static int
verify_source(struct job *j, const struct source_table *const *tables,
    int *status, struct err *e)
{
	struct harvest_reconcile o;
	int rc;

	memset(&o, 0, sizeof(o));
	if ((rc = get_sample(j, cli_get(j->app->cli, "sample"), e)) != 0)
		return (rc);
	o.part = j->opt.part;
	o.parts = j->opt.parts;
	o.per_million = j->opt.per_million;
	o.seed = j->opt.seed;
	return (app_reconcile(j->app, tables, &o, status, e));
}

static int
run(struct cli *cli)
{
	bool source = cli_get(cli, "source") != NULL;
	const struct source_table **tables = NULL;
	struct err e = ERR_INIT;
	struct app app;
	struct job j;
	int status = 0;

	memset(&j, 0, sizeof(j));
	j.app = &app;
	buf_init(&j.out, 1 << 20);
	if (app_open(&app, cli, source ? APP_HARVEST : APP_CONF, &e) != 0 ||
	    app_tables(&app, cli_get(cli, "table"), &tables, &e) != 0 ||
	    (source ? verify_source(&j, tables, &status, &e) :
	    verify(&j, tables, &status, &e)) != 0)
		status = app_fail(&app, &e);
	free(tables);
	buf_fini(&j.out);
	app_close(&app);
	return (status);
}

const struct cli_command cmd_verify = {
	.name = "verify",
	.operands = "",
	.summary = "Hold all that is stored against its checksums",
	.options = options,
	.run = run,
};
