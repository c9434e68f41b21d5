/*
 * Fixtures for other readers: make_fixtures DIR writes Parquet files of all
 * types, nulls, lists, extremes and awkward text, a Delta table, and beside
 * each NAME.parquet the rows it must give as NAME.ndjson. Deterministic.
 * tests/interop/test_fixtures.py is the judge.
 */
#include "config.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/base_limits.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/hash.h"
#include "base/must.h"
#include "base/ticks.h"
#include "codec/json.h"
#include "delta/delta.h"
#include "parquet/parquet.h"
#include "rows/rows.h"
#include "sys/sys.h"

#define NOW (1772366400LL * TICKS_PER_S)	/* 2026-03-01T12:00:00Z */

static const char *const texts[] = {
	"", "a", "A", "tag\twith\ncontrol\x01", "\"quoted\\\"", "Ä", "日本語",
	"\xf0\x9f\x8c\xb2", "\xf4\x8f\xbf\xbf", "\x7f", "\xed\x9f\xbf",
	"F1AbEdefghijklmnopqrstuvwxyz0123456789_-F1AbEdefghijklmnopqrstuvwxyz",
	"zzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz"
	"\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9",
	"zzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz\xf4\x8f\xbf\xbf\xf4\x8f\xbf\xbf"
	"\xf4\x8f\xbf\xbf\xf4\x8f\xbf\xbf\xf4\x8f\xbf\xbf\xf4\x8f\xbf\xbf"
	"\xf4\x8f\xbf\xbf\xf4\x8f\xbf\xbf\xf4\x8f\xbf\xbf\xf4\x8f\xbf\xbf",
};
#define NTEXTS (sizeof(texts) / sizeof(texts[0]))

static const char *const lists[] = {
	"[]", "[\"\"]", "[\"a\"]", "[\"a\",\"b\",\"c\"]", "[\"a\",\"a\"]",
	"[\"\\\"x\\\"\",\"\\\\\",\"Ä\",\"\xf0\x9f\x8c\xb2\"]",
};
#define NLISTS (sizeof(lists) / sizeof(lists[0]))

static const int64_t i64s[] = { 0, 1, -1, INT64_MAX, INT64_MIN, 1LL << 53,
	-(1LL << 53) - 1, INT32_MAX, INT32_MIN, 4294967296LL };
static const int32_t i32s[] = { 0, 1, -1, INT32_MAX, INT32_MIN, 65536 };
static const double f64s[] = { 0.0, -0.0, 1.5, -1.5, DBL_MAX, -DBL_MAX,
	DBL_MIN, 5e-324, 0.1, 1e300, 12345678.9 };
static const int64_t ticks[] = { 0, NOW, -10, TICKS_MAX / 10 * 10,
	NOW + 9999990, 10 };

/* How a column is filled. */
enum fill { RANDOM, EXTREME, NULLS, CONSTANT, FINITE, UNIQUE };

struct fixture {
	const char *name;
	uint32_t rows, page_rows, group_rows;
	uint32_t null_percent;
	enum fill fill;
	uint32_t batch;		/* rows appended at once */
};

static const struct fixture fixtures[] = {
	{ "empty", 0, 0, 0, 0, RANDOM, 1 },
	{ "one", 1, 0, 0, 0, RANDOM, 1 },
	{ "small", 7, 0, 0, 40, EXTREME, 3 },
	{ "extreme", 5000, 100, 1000, 20, EXTREME, 333 },
	{ "random", 5000, 1000, 0, 50, RANDOM, 5000 },
	{ "dense", 3001, 128, 3000, 0, RANDOM, 100 },
	{ "sparse", 3001, 1000, 0, 99, EXTREME, 1000 },
	{ "nulls", 2500, 1000, 0, 100, NULLS, 2500 },
	{ "constant", 50000, 0, 0, 0, CONSTANT, 7000 },
	{ "unique", 60000, 0, 45000, 5, UNIQUE, 20000 },
};

static const struct rows_col columns[] = {
	{ "seq", ROWS_INT64, true }, { "b", ROWS_BOOL, false },
	{ "i", ROWS_INT32, false }, { "l", ROWS_INT64, false },
	{ "d", ROWS_DOUBLE, false }, { "finite", ROWS_DOUBLE, false },
	{ "t", ROWS_TICKS, false }, { "s", ROWS_STRING, false },
	{ "list", ROWS_LIST, false }, { "rb", ROWS_BOOL, true },
	{ "ri", ROWS_INT32, true }, { "rd", ROWS_DOUBLE, true },
	{ "rt", ROWS_TICKS, true }, { "rs", ROWS_STRING, true },
	{ "rlist", ROWS_LIST, true },
};
#define NCOLUMNS (sizeof(columns) / sizeof(columns[0]))

static void
die(const struct err *e)
{
	fprintf(stderr, "make_fixtures: %s\n", e->text);
	exit(1);
}

static double
a_double(struct rng *g, enum fill fill)
{
	uint64_t k = rng_below(g, 40);

	if (fill == EXTREME && k < 3)
		return (k == 0 ? NAN : k == 1 ? INFINITY : -INFINITY);
	if (fill == EXTREME || fill == FINITE)
		return (f64s[rng_below(g, sizeof(f64s) / sizeof(f64s[0]))]);
	return (round(rng_unit(g) * 1e6) / 1000 - 400);
}

static void
a_text(struct rows *r, uint32_t c, uint32_t i, struct rng *g, enum fill fill)
{
	char text[80];
	const char *s = text;

	if (fill == EXTREME)
		s = texts[rng_below(g, NTEXTS)];
	else
		snprintf(text, sizeof(text), fill == UNIQUE ?
		    "text-%016llx-of-some-length" : "tag-%llu",
		    (unsigned long long)(fill == UNIQUE ? rng_u64(g) :
		    rng_below(g, 50)));
	rows_set_str(r, c, i, s, strlen(s));
}

static void
fill_cell(struct rows *r, uint32_t c, uint32_t i, struct rng *g,
    enum fill fill)
{
	const char *s;
	bool far = fill == EXTREME;

	switch (r->schema->cols[c].type) {
	case ROWS_BOOL:
		rows_set_bool(r, c, i, rng_below(g, 2) != 0);
		break;
	case ROWS_INT32:
		rows_set_i32(r, c, i, far ? i32s[rng_below(g, 6)] :
		    (int32_t)rng_below(g, 1000) - 300);
		break;
	case ROWS_INT64:
		rows_set_i64(r, c, i, far ? i64s[rng_below(g, 10)] :
		    (int64_t)rng_below(g, 1000000) - 300000);
		break;
	case ROWS_DOUBLE:
		rows_set_f64(r, c, i, a_double(g, fill == EXTREME &&
		    strcmp(r->schema->cols[c].name, "finite") == 0 ? FINITE :
		    fill));
		break;
	case ROWS_TICKS:
		rows_set_i64(r, c, i, far ? ticks[rng_below(g, 6)] :
		    NOW + (int64_t)rng_below(g, 86400 * 1000000ull) * 10);
		break;
	case ROWS_STRING:
		a_text(r, c, i, g, fill);
		break;
	case ROWS_LIST:
		s = lists[rng_below(g, NLISTS)];
		rows_set_str(r, c, i, s, strlen(s));
		break;
	}
}

static void
fill_rows(struct rows *r, const struct fixture *f, uint32_t from, uint32_t n,
    struct rng *g)
{
	struct rng same;
	uint32_t i, k, c;

	for (k = 0; k < n; k++) {
		i = rows_add(r);
		rows_set_i64(r, 0, i, from + k);
		for (c = 1; c < NCOLUMNS; c++) {
			if (!columns[c].required &&
			    rng_below(g, 100) < f->null_percent)
				continue;
			rng_init(&same, c);
			fill_cell(r, c, i, f->fill == CONSTANT ? &same : g,
			    f->fill);
		}
	}
	rows_check(r);
}

static void
put_json(FILE *out, const struct rows *r)
{
	struct buf b;
	uint32_t c, i;

	buf_init(&b, LIMIT_BODY_MAX);
	for (i = 0; i < r->n; i++) {
		buf_clear(&b);
		for (c = 0; c < r->schema->ncols; c++) {
			buf_puts(&b, c == 0 ? "{\"" : ",\"");
			buf_puts(&b, r->schema->cols[c].name);
			buf_puts(&b, "\":");
			rows_cell_json(r, c, i, &b);
		}
		buf_puts(&b, "}\n");
		MUST(b.error == 0);
		fwrite(b.data, 1, b.len, out);
	}
	buf_fini(&b);
}

static FILE *
open_truth(const char *dir, const char *name)
{
	char *path = must_sprintf("%s/%s.ndjson", dir, name);
	FILE *f = fopen(path, "w");

	if (f == NULL) {
		perror(path);
		exit(1);
	}
	free(path);
	return (f);
}

static void
write_fixture(const char *dir, const struct fixture *f)
{
	struct parquet_options o = { .page_rows = f->page_rows,
		.group_rows = f->group_rows };
	struct rows_schema *s = rows_schema_new("fixture", columns, NCOLUMNS);
	char *path = must_sprintf("%s/%s.parquet", dir, f->name);
	FILE *truth = open_truth(dir, f->name);
	struct rows *r = rows_new(s);
	struct parquet_writer *w;
	struct parquet_info info;
	struct err e = ERR_INIT;
	struct rng g;
	uint32_t at, n;

	rng_init(&g, 7);
	if (parquet_writer_open(sys_posix(), path, s, &o, &w, &e) != 0)
		die(&e);
	for (at = 0; at < f->rows; at += n) {
		n = f->rows - at < f->batch ? f->rows - at : f->batch;
		rows_clear(r);
		fill_rows(r, f, at, n, &g);
		put_json(truth, r);
		if (parquet_writer_append(w, r, 0, n, &e) != 0)
			die(&e);
	}
	if (parquet_writer_finish(w, &info, &e) != 0)
		die(&e);
	parquet_info_fini(&info);
	fclose(truth);
	rows_free(r);
	rows_schema_free(s);
	free(path);
}

/* --- a series, sorted, as silver has it ---------------------------------- */

static const struct rows_col series[] = {
	{ "tag_webid", ROWS_STRING, true }, { "tag_name", ROWS_STRING, false },
	{ "timestamp", ROWS_TICKS, true },
	{ "timestamp_ticks", ROWS_INT32, true },
	{ "value", ROWS_DOUBLE, false }, { "value_text", ROWS_STRING, false },
	{ "good", ROWS_BOOL, false }, { "units", ROWS_STRING, false },
};
static const char *const by_tag_time[] = { "tag_webid", "timestamp" };

static void
series_rows(struct rows *r, uint32_t tags, uint32_t each, int64_t start,
    int64_t step)
{
	char id[64];
	uint32_t i, t, k;

	for (t = 0; t < tags; t++) {
		snprintf(id, sizeof(id), "F1AbE%08u", t);
		for (k = 0; k < each; k++) {
			i = rows_add(r);
			rows_set_str(r, 0, i, id, strlen(id));
			rows_set_str(r, 1, i, id + 5, 8);
			rows_set_i64(r, 2, i, start + k * step);
			rows_set_i32(r, 3, i, (int32_t)(k % 10));
			if (k % 17 != 0)
				rows_set_f64(r, 4, i, t + k / 8.0);
			else
				rows_set_str(r, 5, i, "Bad Input", 9);
			rows_set_bool(r, 6, i, k % 17 != 0);
			if (t % 2 && r->schema->ncols > 7)
				rows_set_str(r, 7, i, "m³/h", 5);
		}
	}
}

static void
write_series(const char *path, const struct rows *r, struct parquet_info *info)
{
	struct parquet_options o = { .page_rows = 500, .group_rows = 4000,
		.sorted_by = by_tag_time, .sorted_n = 2 };
	struct parquet_writer *w;
	struct err e = ERR_INIT;

	if (parquet_writer_open(sys_posix(), path, r->schema, &o, &w,
	    &e) != 0 || parquet_writer_append(w, r, 0, r->n, &e) != 0 ||
	    parquet_writer_finish(w, info, &e) != 0)
		die(&e);
}

static void
write_sorted(const char *dir)
{
	struct rows_schema *s = rows_schema_new("series", series,
	    sizeof(series) / sizeof(series[0]));
	char *path = must_sprintf("%s/sorted.parquet", dir);
	FILE *truth = open_truth(dir, "sorted");
	struct rows *r = rows_new(s);
	struct parquet_info info;

	series_rows(r, 20, 500, NOW, 12345670);
	write_series(path, r, &info);
	put_json(truth, r);
	parquet_info_fini(&info);
	fclose(truth);
	rows_free(r);
	rows_schema_free(s);
	free(path);
}

/* --- a Delta table: two days, a file replaced, a column added ------------ */

struct part {
	const char *path;	/* in the table */
	const char *day;
	int64_t start;
	uint32_t ncols;		/* of `series` */
	bool live;		/* at the end */
};

static const struct part parts[] = {
	{ "date=2026-03-01/part-00000.zstd.parquet", "2026-03-01", NOW, 7,
	    false },
	{ "date=2026-03-02/part-00001.zstd.parquet", "2026-03-02",
	    NOW + TICKS_PER_DAY, 7, true },
	{ "date=2026-03-01/part-00002.zstd.parquet", "2026-03-01",
	    NOW + 12345, 8, true },
};
#define NPARTS 3

/* As put_json(), with the partition and without what the table lacks. */
static void
put_delta_json(FILE *out, const struct rows *r, const char *day)
{
	struct buf b;
	uint32_t c, i;

	buf_init(&b, LIMIT_BODY_MAX);
	for (i = 0; i < r->n; i++) {
		buf_clear(&b);
		for (c = 0; c < r->schema->ncols; c++) {
			buf_printf(&b, "%s\"%s\":", c == 0 ? "{" : ",",
			    r->schema->cols[c].name);
			rows_cell_json(r, c, i, &b);
		}
		if (r->schema->ncols < 8)
			buf_puts(&b, ",\"units\":null");
		buf_printf(&b, ",\"date\":\"%s\"}\n", day);
		MUST(b.error == 0);
		fwrite(b.data, 1, b.len, out);
	}
	buf_fini(&b);
}

static void
commit_part(struct delta_table *t, const char *table_dir,
    const struct part *p, const char *remove, FILE *truth)
{
	struct rows_schema *s = rows_schema_new("series", series, p->ncols);
	struct rows *r = rows_new(s);
	struct delta_txn txn = { must_strdup("garner/fixture/0"), p->ncols };
	struct delta_snapshot base;
	struct parquet_info info;
	struct delta_add add = { p->path, p->day, &info };
	const struct delta_file *gone = NULL;
	struct delta_commit c = { .operation = "WRITE", .schema = s,
		.partition_column = "date", .data_change = true,
		.adds = &add, .nadds = 1, .removes = &gone, .txns = &txn,
		.ntxns = 1 };
	char *path = must_sprintf("%s/%s", table_dir, p->path);
	struct err e = ERR_INIT;
	int64_t version;
	size_t i;

	series_rows(r, 5, 200, p->start, 12345670);
	write_series(path, r, &info);
	if (p->live)
		put_delta_json(truth, r, p->day);
	if (delta_load(t, &base, &e) != 0)
		die(&e);
	for (i = 0; remove != NULL && i < base.nfiles; i++)
		if (strcmp(base.files[i].path, remove) == 0) {
			gone = &base.files[i];
			c.nremoves = 1;
		}
	MUST(remove == NULL || gone != NULL);
	if (delta_commit(t, &base, &c, &version, &e) != 0)
		die(&e);
	delta_snapshot_fini(&base);
	parquet_info_fini(&info);
	free(txn.app_id);
	rows_free(r);
	rows_schema_free(s);
	free(path);
}

static void
write_delta(const char *dir)
{
	char *table_dir = must_sprintf("%s/delta", dir), *path;
	struct delta_table *t = delta_open(sys_posix(), table_dir,
	    "timestamp");
	FILE *truth = open_truth(dir, "delta");
	struct err e = ERR_INIT;
	size_t i;

	for (i = 0; i < NPARTS; i++) {
		path = must_sprintf("%s/date=%s", table_dir, parts[i].day);
		if (sys_mkdirs(sys_posix(), path, &e) != 0)
			die(&e);
		free(path);
		commit_part(t, table_dir, &parts[i], i == 2 ? parts[0].path :
		    NULL, truth);
	}
	fclose(truth);
	delta_close(t);
	free(table_dir);
}

int
main(int argc, char **argv)
{
	size_t i;

	if (argc != 2) {
		fprintf(stderr, "usage: make_fixtures DIR\n");
		return (64);
	}
	for (i = 0; i < sizeof(fixtures) / sizeof(fixtures[0]); i++)
		write_fixture(argv[1], &fixtures[i]);
	write_sorted(argv[1]);
	write_delta(argv[1]);
	return (0);
}
