/*
 * garner cat: rows of a silver table (or, with --bronze, of its journals)
 * as NDJSON or CSV on standard output. Files whose range of time cannot
 * match are not opened.
 */

#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/msg.h"
#include "base/must.h"
#include "base/text.h"
#include "base/ticks.h"
#include "cli/cli.h"
#include "codec/json.h"
#include "delta/delta.h"
#include "harvest/harvest.h"
#include "journal/journal.h"
#include "ledger/ledger.h"
#include "parquet/parquet.h"
#include "rows/rows.h"
#include "source/source.h"
#include "sys/sys.h"

#define READ_ROWS 8192

static const struct cli_option options[] = {
	{ "format", 0, "FORMAT", "ndjson (default) or csv" },
	{ "stream", 0, "NAME", "only this stream, by name or WebId" },
	{ "from", 0, "TIME", "only rows at or after" },
	{ "to", 0, "TIME", "only rows before" },
	{ "limit", 0, "N", "at most so many rows" },
	{ "bronze", 0, NULL, "the journals instead of the table" },
	{ NULL, 0, NULL, NULL },
};

struct job {
	struct app *app;
	const struct source_table *table;
	const char *stream;
	int64_t from, to;
	uint64_t limit;			/* rows still to print */
	bool csv;
	bool head;			/* the csv header is written */
	bool any;			/* row is printed */
	struct buf out;
};

static int
get_options(struct job *j, struct err *e)
{
	const struct cli *cli = j->app->cli;
	const char *format = cli_get(cli, "format");
	const char *limit = cli_get(cli, "limit");
	const char *from = cli_get(cli, "from"), *to = cli_get(cli, "to");
	int64_t now = j->app->sys->now_ticks(j->app->sys->cookie);
	struct harvest_range range = { 0 };
	int rc;

	if ((rc = app_table(j->app, cli->argv[0], &j->table, e)) != 0)
		return (rc);
	if (format != NULL && strcmp(format, "csv") == 0)
		j->csv = true;
	else if (format != NULL && strcmp(format, "ndjson") != 0)
		return (err_set(e, ERR_USAGE, "--format \"%s\": ndjson or csv",
		    format));
	j->stream = cli_get(cli, "stream");
	j->from = INT64_MIN;
	j->to = INT64_MAX;
	if (from != NULL && ticks_parse_human(from, now, &j->from) != 0)
		return (err_set(e, ERR_USAGE, "--from \"%s\": no time; "
		    "e.g. 2026-03-01, 2026-03-01T06:00:00Z or *-8h", from));
	if (to != NULL && ticks_parse_human(to, now, &j->to) != 0)
		return (err_set(e, ERR_USAGE, "--to \"%s\": no time; "
		    "e.g. 2026-03-01, 2026-03-01T06:00:00Z or *-8h", to));
	if (j->from >= j->to) {
		range.from = j->from;
		range.to = j->to;
		return (app_range_empty(&range, e));
	}
	if ((from != NULL || to != NULL) && j->table->cursor < 0)
		return (err_set(e, ERR_USAGE, "%s has no time to choose by",
		    j->table->name));
	j->limit = UINT64_MAX;
	if (limit != NULL &&
	    text_u64(limit, 0, UINT64_MAX, &j->limit) != 0)
		return (err_set(e, ERR_USAGE, "--limit \"%s\": no number",
		    limit));
	return (0);
}

/* --- printing ------------------------------------------------------------ */

static void
csv_cell(struct buf *out, const char *s, size_t n)
{
	size_t i;

	if (memchr(s, '"', n) == NULL && memchr(s, ',', n) == NULL &&
	    memchr(s, '\n', n) == NULL && memchr(s, '\r', n) == NULL) {
		buf_put(out, s, n);
		return;
	}
	buf_u8(out, '"');
	for (i = 0; i < n; i++) {
		if (s[i] == '"')
			buf_u8(out, '"');
		buf_u8(out, (uint8_t)s[i]);
	}
	buf_u8(out, '"');
}

static void
print_row(struct job *j, const struct rows *r, uint32_t i)
{
	struct buf cell;
	uint32_t c;

	if (!j->csv) {
		for (c = 0; c < r->schema->ncols; c++) {
			buf_printf(&j->out, "%s\"%s\":", c > 0 ? "," : "{",
			    r->schema->cols[c].name);
			rows_cell_json(r, c, i, &j->out);
		}
		buf_puts(&j->out, "}\n");
		return;
	}
	buf_init(&cell, SIZE_MAX / 2);
	for (c = 0; c < r->schema->ncols; c++) {
		if (c > 0)
			buf_u8(&j->out, ',');
		buf_clear(&cell);
		rows_cell_text(r, c, i, &cell);
		csv_cell(&j->out, buf_str(&cell), cell.len);
	}
	buf_u8(&j->out, '\n');
	buf_fini(&cell);
}

static bool
text_is(const struct rows *r, int c, uint32_t i, const char *want)
{
	const char *s;
	size_t n;

	if (c < 0 || rows_null(r, (uint32_t)c, i))
		return (false);
	s = rows_str(r, (uint32_t)c, i, &n);
	return (n == strlen(want) && memcmp(s, want, n) == 0);
}

/* The stream's key is the first text column of the key; its name the column
 * after it that is called so. */
static bool
matches(const struct job *j, const struct rows *r, uint32_t i)
{
	const struct source_table *t = j->table;
	const char *key = t->schema->cols[t->key[0]].name;
	int cursor, name;
	int64_t at;

	if (t->cursor >= 0) {
		cursor = rows_schema_find(r->schema,
		    t->schema->cols[t->cursor].name);
		if (cursor >= 0 && !rows_null(r, (uint32_t)cursor, i)) {
			at = r->v[cursor].i64[i];
			if (at < j->from || at >= j->to)
				return (false);
		}
	}
	if (j->stream == NULL)
		return (true);
	if ((name = rows_schema_find(r->schema, "tag_name")) < 0)
		name = rows_schema_find(r->schema, "name");
	return (text_is(r, rows_schema_find(r->schema, key), i, j->stream) ||
	    text_is(r, name, i, j->stream));
}

static void
print_head(struct job *j, const struct rows_schema *s)
{
	uint32_t c;

	if (!j->csv || j->head)
		return;
	j->head = true;
	for (c = 0; c < s->ncols; c++)
		buf_printf(&j->out, "%s%s", c > 0 ? "," : "", s->cols[c].name);
	buf_u8(&j->out, '\n');
}

static void
flush_out(struct job *j)
{

	(void)app_print(&j->out);
}

static void
print_rows(struct job *j, const struct rows *r)
{
	uint32_t i;

	print_head(j, r->schema);
	for (i = 0; i < r->n && j->limit > 0; i++) {
		if (!matches(j, r, i))
			continue;
		print_row(j, r, i);
		j->any = true;
		j->limit--;
		if (j->out.len > (1 << 16))
			flush_out(j);
	}
	flush_out(j);
}

/* --- silver -------------------------------------------------------------- */

static int
cat_file(struct job *j, const char *path, struct err *e)
{
	struct parquet_reader *p;
	struct rows *r;
	int rc;

	if ((rc = parquet_reader_open(j->app->sys, path, &p, e)) != 0)
		return (rc);
	r = rows_new(parquet_reader_schema(p));
	while (j->limit > 0 && !ferror(stdout) &&
	    (rc = parquet_reader_next(p, r, READ_ROWS, e)) > 0) {
		print_rows(j, r);
		rows_clear(r);
	}
	rows_free(r);
	parquet_reader_close(p);
	return (rc < 0 ? rc : 0);
}

static int
cat_silver(struct job *j, struct err *e)
{
	const struct source_table *t = j->table;
	struct delta_snapshot s;
	struct delta_table *d;
	const struct delta_file *f;
	char *dir, *path;
	size_t i;
	int rc;

	dir = app_silver_dir(j->app, t->name);
	d = delta_open(j->app->sys, dir,
	    t->cursor >= 0 ? t->schema->cols[t->cursor].name : NULL);
	rc = delta_load(d, &s, e);
	if (rc == 0 && s.version < 0)
		rc = err_set(e, ERR_NOTFOUND, "%s has no rows yet: run garner "
		    "harvest and garner compact", t->name);
	for (i = 0; rc == 0 && i < s.nfiles && j->limit > 0; i++) {
		f = &s.files[i];
		if (f->min_tick != TICKS_NONE && f->max_tick != TICKS_NONE &&
		    (f->max_tick < j->from || f->min_tick >= j->to))
			continue;
		path = must_sprintf("%s/%s", dir, f->path);
		rc = cat_file(j, path, e);
		free(path);
	}
	delta_snapshot_fini(&s);
	delta_close(d);
	free(dir);
	return (rc);
}

/* --- bronze -------------------------------------------------------------- */

static int
cat_journal(struct job *j, uint32_t group, const struct journal_pos *to,
    struct err *e)
{
	const struct rows_schema *schema;
	struct journal_pos from = { 0, 0 };
	struct journal_reader *reader;
	struct journal_block b;
	struct rows *r;
	char *dir;
	int rc;

	dir = harvest_journal_dir(j->app->data, j->app->name, j->table->name,
	    group);
	rc = journal_reader_open(j->app->sys, dir, &from, to, false, &reader,
	    e);
	free(dir);
	if (rc != 0)
		return (rc);
	while (j->limit > 0 && !ferror(stdout) &&
	    (rc = journal_reader_next(reader, &b, &schema, e)) == 1) {
		r = rows_new(schema);
		rc = journal_reader_rows(reader, r, e);
		if (rc == 0)
			print_rows(j, r);
		rows_free(r);
		if (rc != 0)
			break;
	}
	journal_reader_close(reader);
	return (rc < 0 ? rc : 0);
}

struct group_list {
	size_t n, cap;
	struct {
		uint32_t number;
		struct journal_pos to;
	} *g;
};

static int
list_group(const char *table, uint32_t group, const struct ledger_group *g,
    void *cookie)
{
	struct group_list *l = cookie;

	(void)table;
	if (l->n == l->cap) {
		l->cap = l->cap > 0 ? 2 * l->cap : 64;
		l->g = must_realloc(l->g, l->cap, sizeof(l->g[0]));
	}
	l->g[l->n].number = group;
	l->g[l->n++].to = g->pos;
	return (0);
}

static int
cat_bronze(struct job *j, struct err *e)
{
	struct group_list l = { .n = 0 };
	struct ledger_txn *txn;
	size_t i;
	int rc;

	if ((rc = ledger_read_begin(j->app->ledger, &txn, e)) == 0) {
		rc = ledger_group_each(txn, j->table->name, list_group, &l, e);
		ledger_read_end(txn);
	}
	for (i = 0; i < l.n && rc == 0 && j->limit > 0; i++)
		rc = cat_journal(j, l.g[i].number, &l.g[i].to, e);
	free(l.g);
	return (rc);
}

static int
run(struct cli *cli)
{
	bool bronze = cli_get(cli, "bronze") != NULL;
	struct err e = ERR_INIT;
	struct app app;
	struct job j;
	int status = 0;

	memset(&j, 0, sizeof(j));
	j.app = &app;
	buf_init(&j.out, SIZE_MAX / 2);
	if (app_open(&app, cli, bronze ? APP_LEDGER_READ : APP_CONF, &e) != 0 ||
	    get_options(&j, &e) != 0 ||
	    (bronze ? cat_bronze(&j, &e) : cat_silver(&j, &e)) != 0)
		status = cli_fail(cli, &e);
	else if (!j.any && j.stream != NULL && j.limit > 0)
		msg_warn("cat", "no rows of a stream named exactly so; garner "
		    "explain finds it by a pattern, and says what is read");
	buf_fini(&j.out);
	app_close(&app);
	return (status);
}

const struct cli_command cmd_cat = {
	.name = "cat",
	.operands = "TABLE",
	.operands_min = 1,
	.operands_max = 1,
	.summary = "Print rows of a table as NDJSON or CSV",
	.options = options,
	.run = run,
};
