/*
 * garner status: per table what the catalogue holds, how far it is covered,
 * what the journals and the silver table hold, and which streams are set
 * aside. Reads the ledger and the Delta log only: quick, and safe beside a
 * running harvest.
 */

#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/must.h"
#include "base/ranges.h"
#include "base/text.h"
#include "base/ticks.h"
#include "cli/cli.h"
#include "codec/json.h"
#include "delta/delta.h"
#include "harvest/harvest.h"
#include "ledger/ledger.h"
#include "source/source.h"

static const struct cli_option options[] = {
	{ "table", 0, "LIST", "only these tables, separated by commas" },
	{ NULL, 0, NULL, NULL },
};

struct table_status {
	uint32_t groups;
	uint64_t batches, rows, bytes;
	int64_t committed;
	/* tables read in windows of time */
	uint64_t streams, covered, failed, values;
	uint64_t lacking;	/* streams: of what the last run wanted */
	int64_t from, to;	/* hull of what is covered; from > to: none */
	int64_t complete_to;	/* earliest end of a stream's last range */
	/* silver */
	int64_t version;
	uint64_t files, silver_rows, silver_bytes;
	char form[1024];	/* of asking for a series, JSON; or "" */
};

struct failed_stream {
	char *name;
	int32_t code;
	int64_t at;
};

struct collect {
	struct ledger_txn *txn;
	const struct source_table *table;
	struct table_status *st;
	struct failed_stream *failed;
	size_t nfailed;
	struct harvest_range wanted;
	struct ranges missing;
	struct err *err;
};

static int
add_group(const char *table, uint32_t group, const struct ledger_group *g,
    void *cookie)
{
	struct collect *c = cookie;

	(void)table;
	(void)group;
	c->st->groups++;
	c->st->batches += g->batches;
	c->st->rows += g->rows;
	c->st->bytes += g->bytes;
	if (g->committed > c->st->committed)
		c->st->committed = g->committed;
	return (0);
}

static void
add_failed(struct collect *c, const char *name, const struct ledger_stream *s)
{
	struct failed_stream *f;

	c->st->failed++;
	c->failed = must_realloc(c->failed, c->nfailed + 1,
	    sizeof(c->failed[0]));
	f = &c->failed[c->nfailed++];
	f->name = must_strdup(name);
	f->code = s->fail_code;
	f->at = s->fail_at;
}

static int
add_stream(const struct ledger_object *o, void *cookie)
{
	struct collect *c = cookie;
	struct table_status *st = c->st;
	struct ledger_stream s;
	const struct range *last;
	int rc;

	if (o->gone)
		return (0);
	ledger_stream_init(&s);
	rc = ledger_stream_get(c->txn, c->table->name, o->id, &s, c->err);
	if (rc == 0) {
		st->streams++;
		st->values += s.values;
		harvest_wanted(&s, &c->wanted, 0, &c->missing);
		st->lacking += c->missing.n > 0;
		if (s.fail_code != 0)
			add_failed(c, o->name, &s);
		if (s.covered.n > 0) {
			st->covered++;
			last = &s.covered.r[s.covered.n - 1];
			if (s.covered.r[0].a < st->from)
				st->from = s.covered.r[0].a;
			if (last->b > st->to)
				st->to = last->b;
			if (last->b < st->complete_to)
				st->complete_to = last->b;
		}
	}
	ledger_stream_fini(&s);
	return (rc);
}

static int
add_silver(const struct app *app, struct collect *c)
{
	struct delta_snapshot s;
	struct delta_table *d;
	char *dir;
	size_t i;
	int rc;

	dir = app_silver_dir(app, c->table->name);
	d = delta_open(app->sys, dir, NULL);
	rc = delta_load(d, &s, c->err);
	if (rc == 0) {
		c->st->version = s.version;
		c->st->files = s.nfiles;
		for (i = 0; i < s.nfiles; i++) {
			c->st->silver_rows += s.files[i].rows;
			c->st->silver_bytes += s.files[i].bytes;
		}
	}
	delta_snapshot_fini(&s);
	delta_close(d);
	free(dir);
	return (rc);
}

static int
collect(const struct app *app, struct collect *c)
{
	struct table_status *st = c->st;
	int64_t noted, now;
	int rc;

	st->version = -1;
	st->from = st->complete_to = INT64_MAX;
	st->to = INT64_MIN;
	if ((rc = app_clocks(app, &noted, &now, c->err)) != 0 ||
	    (rc = app_wanted(app, noted, &c->wanted, c->err)) != 0)
		return (rc);
	if (c->wanted.to > noted)
		c->wanted.to = noted;
	if ((rc = ledger_read_begin(app->ledger, &c->txn, c->err)) != 0)
		return (rc);
	rc = ledger_group_each(c->txn, c->table->name, add_group, c, c->err);
	if (rc == 0 && c->table->kind != SOURCE_WALK && c->table->over != NULL)
		rc = ledger_object_each(c->txn, c->table->over->name, 1,
		    UINT32_MAX, add_stream, c, c->err);
	if (rc == 0 && harvest_choice_get(c->txn, c->table->name, st->form,
	    sizeof(st->form), NULL) != 0)
		st->form[0] = '\0';
	ledger_read_end(c->txn);
	if (rc == 0)
		rc = add_silver(app, c);
	return (rc);
}

/* --- printing ------------------------------------------------------------ */

/* 80 columns, up to 999,999,999 rows. */
#define LINE "%-17s %11s %8s %11s %8s %s\n"

static void
json_time(struct buf *b, const char *key, int64_t t, bool known)
{
	char text[TICKS_TEXT_MAX];

	if (known)
		buf_printf(b, ",\"%s\":\"%s\"", key, ticks_text7(t, text));
	else
		buf_printf(b, ",\"%s\":null", key);
}

static void
print_json(struct buf *b, const struct collect *c)
{
	const struct table_status *st = c->st;
	char text[TICKS_TEXT_MAX];
	size_t i;

	buf_printf(b, "{\"table\":\"%s\",\"groups\":%u,\"commits\":%llu,"
	    "\"journal_rows\":%llu,\"journal_bytes\":%llu", c->table->name,
	    st->groups, (unsigned long long)st->batches,
	    (unsigned long long)st->rows, (unsigned long long)st->bytes);
	json_time(b, "committed", st->committed, st->committed > 0);
	if (c->table->kind != SOURCE_WALK) {
		buf_printf(b, ",\"streams\":%llu,\"streams_covered\":%llu,"
		    "\"lacking\":%llu,\"values\":%llu",
		    (unsigned long long)st->streams,
		    (unsigned long long)st->covered,
		    (unsigned long long)st->lacking,
		    (unsigned long long)st->values);
		json_time(b, "covered_from", st->from, st->covered > 0);
		json_time(b, "covered_to", st->to, st->covered > 0);
		json_time(b, "complete_to", st->complete_to, st->covered > 0);
		buf_puts(b, ",\"set_aside\":[");
		for (i = 0; i < c->nfailed; i++) {
			buf_printf(b, "%s{\"stream\":", i > 0 ? "," : "");
			json_put_str(b, c->failed[i].name,
			    strlen(c->failed[i].name));
			buf_printf(b, ",\"error\":\"%s\",\"at\":\"%s\"}",
			    err_text(c->failed[i].code),
			    ticks_text7(c->failed[i].at, text));
		}
		buf_puts(b, "]");
	}
	if (st->form[0] != '\0')
		buf_printf(b, ",\"form\":%s", st->form);
	buf_printf(b, ",\"silver\":{\"version\":%lld,\"files\":%llu,"
	    "\"rows\":%llu,\"bytes\":%llu}}", (long long)st->version,
	    (unsigned long long)st->files,
	    (unsigned long long)st->silver_rows,
	    (unsigned long long)st->silver_bytes);
}

/* As garner gaps: will the next run try again by itself? */
static const char *
failed_word(const struct failed_stream *f)
{

	return (err_class(f->code) == ERR_CLASS_RETRY ? "failed" :
	    "set aside");
}

static void
print_text(const struct collect *c)
{
	const struct table_status *st = c->st;
	char a[32], b[32], d[32], e[32], t[TICKS_TEXT_MAX];
	size_t i;

	printf(LINE, c->table->name,
	    text_count_human(st->rows, a, sizeof(a)),
	    text_bytes_human(st->bytes, b, sizeof(b)),
	    st->version < 0 ? "-" :
	    text_count_human(st->silver_rows, d, sizeof(d)),
	    st->version < 0 ? "-" :
	    text_bytes_human(st->silver_bytes, e, sizeof(e)),
	    st->covered > 0 ? ticks_text_s(st->complete_to, t) :
	    st->committed > 0 ? ticks_text_s(st->committed, t) : "never");
	if (st->lacking > 0)
		printf("    %s of %s %s something: garner gaps --summary\n",
		    text_count_human(st->lacking, a, sizeof(a)),
		    text_counted(st->streams, "stream", NULL, b, sizeof(b)),
		    st->lacking == 1 ? "lacks" : "lack");
	for (i = 0; i < c->nfailed && i < 10; i++)
		printf("    %s: %s: %s\n", failed_word(&c->failed[i]),
		    c->failed[i].name, err_text(c->failed[i].code));
	if (c->nfailed > 10)
		printf("    and %zu more, see --json\n", c->nfailed - 10);
}

/* How the last exchange with the server went: the note of harvest. */
static int
read_note(const struct app *app, char *out, size_t size, struct err *e)
{
	struct ledger_txn *txn;
	int rc;

	out[0] = '\0';
	if ((rc = ledger_read_begin(app->ledger, &txn, e)) != 0)
		return (rc);
	rc = ledger_note_get(txn, HARVEST_NOTE, out, size, e);
	ledger_read_end(txn);
	return (rc == ERR_NOTFOUND ? 0 : rc);
}

static uint64_t
number(yyjson_val *v, const char *key)
{

	return (yyjson_get_uint(yyjson_obj_get(v, key)));
}

static void
print_note(const char *note)
{
	char a[40], b[40], c[32];
	yyjson_doc *doc = NULL;
	yyjson_val *root, *total;
	const char *at;

	if (json_parse(note, strlen(note), &doc, NULL) != 0)
		return;
	root = yyjson_doc_get_root(doc);
	total = yyjson_obj_get(root, "total_ms");
	at = yyjson_get_str(yyjson_obj_get(root, "at"));
	printf("\nserver, as of %.19sZ\n  requests  %s, %s, %s "
	    "failed\n", at != NULL ? at : "",
	    text_count_human(number(root, "requests"), a, sizeof(a)),
	    text_counted(number(root, "retries"), "retry", "retries", b,
	    sizeof(b)),
	    text_count_human(number(root, "failed"), c, sizeof(c)));
	printf("  answers   half within %.3g ms, 99 of 100 within %.3g ms\n",
	    yyjson_get_num(yyjson_obj_get(total, "p50")),
	    yyjson_get_num(yyjson_obj_get(total, "p99")));
	printf("  at once   %llu, of %llu at most\n  breaker   %s\n",
	    (unsigned long long)number(root, "limit"),
	    (unsigned long long)number(root, "ceiling"),
	    yyjson_get_str(yyjson_obj_get(yyjson_obj_get(root, "breaker"),
	    "origin")));
	yyjson_doc_free(doc);
}

static int
print_all(struct app *app, const struct source_table **t, struct err *e)
{
	struct table_status st;
	struct collect c;
	char note[4096];
	struct buf out;
	bool first = true;
	size_t i;
	int rc;

	if ((rc = read_note(app, note, sizeof(note), e)) != 0)
		return (rc);
	buf_init(&out, SIZE_MAX / 2);
	if (app->cli->json)
		buf_puts(&out, "{\"tables\":[");
	else
		printf(LINE, "table", "bronze rows", "bytes", "silver rows",
		    "bytes", "read up to");
	for (; *t != NULL && rc == 0; t++) {
		memset(&st, 0, sizeof(st));
		memset(&c, 0, sizeof(c));
		c.table = *t;
		c.st = &st;
		c.err = e;
		ranges_init(&c.missing);
		rc = collect(app, &c);
		if (rc == 0 && app->cli->json) {
			if (!first)
				buf_u8(&out, ',');
			print_json(&out, &c);
		} else if (rc == 0) {
			print_text(&c);
		}
		first = false;
		for (i = 0; i < c.nfailed; i++)
			free(c.failed[i].name);
		free(c.failed);
		ranges_fini(&c.missing);
	}
	if (app->cli->json) {
		buf_printf(&out, "],\"fetch\":%s}\n", note[0] != '\0' ?
		    note : "null");
		fputs(buf_str(&out), stdout);
	} else if (note[0] != '\0') {
		print_note(note);
	}
	buf_fini(&out);
	return (rc);
}

static int
run(struct cli *cli)
{
	const struct source_table **tables = NULL;
	struct err e = ERR_INIT;
	struct app app;
	int status = 0;

	if (app_open(&app, cli, APP_LEDGER_READ, &e) != 0 ||
	    app_tables(&app, cli_get(cli, "table"), &tables, &e) != 0 ||
	    print_all(&app, tables, &e) != 0)
		status = cli_fail(cli, &e);
	free(tables);
	app_close(&app);
	return (status);
}

const struct cli_command cmd_status = {
	.name = "status",
	.operands = "",
	.summary = "Show coverage, journals and tables",
	.options = options,
	.run = run,
};
