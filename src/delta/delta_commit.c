/*
 * One commit: the actions as lines of JSON, put in place only if no other
 * version of that number is there (link(2)). An error after the link may
 * have happened leaves the result unknown: the version is read back and is
 * ours when it carries our random txnId.
 */

#include "config.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/hash.h"
#include "base/must.h"
#include "base/ticks.h"
#include "codec/json.h"
#include "delta/delta_int.h"
#include "parquet/parquet.h"
#include "rows/rows.h"
#include "sys/sys.h"

/* Readers expect statistics of the first 32 columns only. */
#define STATS_COLUMNS 32
/* Of the log: table, source, silver, the data directory, and where that
 * stands. */
#define DIRS_ABOVE 5

/* --- schema -------------------------------------------------------------- */

static const char *
spark_type(enum rows_type t)
{

	switch (t) {
	case ROWS_BOOL:
		return ("\"boolean\"");
	case ROWS_INT32:
		return ("\"integer\"");
	case ROWS_INT64:
		return ("\"long\"");
	case ROWS_DOUBLE:
		return ("\"double\"");
	case ROWS_TICKS:
		return ("\"timestamp\"");
	case ROWS_LIST:
		return ("{\"type\":\"array\",\"elementType\":\"string\","
		    "\"containsNull\":true}");
	default:
		return ("\"string\"");
	}
}

/* All fields are nullable: a column that becomes required later would not
 * be the same table any more. */
char *
delta_schema_string(const struct rows_schema *s, const char *partition)
{
	struct buf b;
	uint32_t i;
	char *text;

	buf_init(&b, 1 << 20);
	buf_puts(&b, "{\"type\":\"struct\",\"fields\":[");
	for (i = 0; i < s->ncols; i++)
		buf_printf(&b, "%s{\"name\":\"%s\",\"type\":%s,"
		    "\"nullable\":true,\"metadata\":{}}", i > 0 ? "," : "",
		    s->cols[i].name, spark_type(s->cols[i].type));
	if (partition != NULL)
		buf_printf(&b, ",{\"name\":\"%s\",\"type\":\"date\","
		    "\"nullable\":true,\"metadata\":{}}", partition);
	buf_puts(&b, "]}");
	text = must_strdup(buf_str(&b));
	buf_fini(&b);
	return (text);
}

/* --- statistics ---------------------------------------------------------- */

/* Milliseconds, min rounded down, max up: never inside the real range. */
static void
put_ms(struct buf *b, int64_t ticks, bool up)
{
	char text[TICKS_TEXT_MAX];
	int64_t ms = ticks / TICKS_PER_MS, rest = ticks % TICKS_PER_MS;

	if (rest < 0)
		ms--, rest += TICKS_PER_MS;
	if (up && rest > 0)
		ms++;
	(void)ticks_text7(ms * TICKS_PER_MS, text);
	buf_printf(b, "\"%.23sZ\"", text);
}

static void
put_bound(struct buf *b, enum rows_type t, const struct parquet_stat *s,
    bool max)
{

	switch (t) {
	case ROWS_INT32:
	case ROWS_INT64:
		buf_printf(b, "%" PRId64, max ? s->max_i : s->min_i);
		break;
	case ROWS_DOUBLE:
		json_put_double(b, max ? s->max_f : s->min_f);
		break;
	case ROWS_TICKS:
		put_ms(b, max ? s->max_i : s->min_i, max);
		break;
	default:
		json_put_str(b, max ? s->max_s : s->min_s,
		    max ? s->max_len : s->min_len);
		break;
	}
}

static bool
has_bounds(enum rows_type t, const struct parquet_stat *s)
{

	if (!s->has_minmax || t == ROWS_BOOL || t == ROWS_LIST)
		return (false);
	/* A year beyond 9999, or before 0, has no text of its form. */
	if (t == ROWS_TICKS && (s->max_i > TICKS_MAX - TICKS_PER_DAY ||
	    s->min_i < -62135596800LL * TICKS_PER_S))
		return (false);
	return (t != ROWS_DOUBLE || (isfinite(s->min_f) &&
	    isfinite(s->max_f)));
}

static void
put_bounds(struct buf *b, const struct rows_schema *s,
    const struct parquet_info *info, bool max)
{
	bool first = true;
	uint32_t i;

	for (i = 0; i < s->ncols && i < STATS_COLUMNS; i++) {
		if (!has_bounds(s->cols[i].type, &info->stats[i]))
			continue;
		buf_printf(b, "%s\"%s\":", first ? "" : ",",
		    s->cols[i].name);
		put_bound(b, s->cols[i].type, &info->stats[i], max);
		first = false;
	}
}

/* The statistics are JSON inside a JSON string. */
static void
put_stats(struct buf *out, const struct rows_schema *s,
    const struct parquet_info *info)
{
	struct buf b;
	bool first = true;
	uint32_t i;

	buf_init(&b, 1 << 20);
	buf_printf(&b, "{\"numRecords\":%" PRIu64 ",\"minValues\":{",
	    info->rows);
	put_bounds(&b, s, info, false);
	buf_puts(&b, "},\"maxValues\":{");
	put_bounds(&b, s, info, true);
	buf_puts(&b, "},\"nullCount\":{");
	for (i = 0; i < s->ncols && i < STATS_COLUMNS; i++) {
		if (s->cols[i].type == ROWS_LIST)
			continue;
		buf_printf(&b, "%s\"%s\":%" PRIu64, first ? "" : ",",
		    s->cols[i].name, info->stats[i].nulls);
		first = false;
	}
	buf_puts(&b, "}}");
	json_put_str(out, buf_str(&b), b.len);
	buf_fini(&b);
}

/* --- actions ------------------------------------------------------------- */

static void
put_str(struct buf *b, const char *s)
{

	MUST(s != NULL);
	json_put_str(b, s, strlen(s));
}

static void
put_partition(struct buf *b, const char *column, const char *value)
{

	buf_puts(b, "\"partitionValues\":{");
	if (column != NULL) {
		put_str(b, column);
		buf_puts(b, ":");
		if (value != NULL)
			put_str(b, value);
		else
			buf_puts(b, "null");
	}
	buf_puts(b, "}");
}

static void
put_add(struct buf *b, const struct delta_commit *c,
    const struct delta_add *a, int64_t now_ms)
{

	buf_puts(b, "{\"add\":{\"path\":");
	put_str(b, a->path);
	buf_puts(b, ",");
	put_partition(b, c->partition_column, a->partition);
	buf_printf(b, ",\"size\":%" PRIu64 ",\"modificationTime\":%" PRId64
	    ",\"dataChange\":%s,\"stats\":", a->info->bytes, now_ms,
	    c->data_change ? "true" : "false");
	put_stats(b, c->schema, a->info);
	buf_printf(b, ",\"tags\":{\"garner.xxh64\":\"%016" PRIx64 "\"}}}\n",
	    a->info->xxh64);
}

static void
put_remove(struct buf *b, const struct delta_snapshot *base,
    const struct delta_commit *c, const struct delta_file *f, int64_t now_ms)
{

	buf_puts(b, "{\"remove\":{\"path\":");
	put_str(b, f->path);
	buf_printf(b, ",\"deletionTimestamp\":%" PRId64 ",\"dataChange\":%s,"
	    "\"extendedFileMetadata\":true,", now_ms,
	    c->data_change ? "true" : "false");
	put_partition(b, base->partition_column, f->partition);
	buf_printf(b, ",\"size\":%" PRIu64 "}}\n", f->bytes);
}

static void
put_metadata(struct buf *b, const struct delta_table *t,
    const struct delta_snapshot *base, const struct delta_commit *c,
    const char *schema, int64_t now_ms)
{
	char uuid[37];

	buf_puts(b, "{\"metaData\":{\"id\":");
	put_str(b, base->table_id != NULL ? base->table_id :
	    sys_uuid(t->sys, uuid));
	buf_puts(b, ",\"format\":{\"provider\":\"parquet\",\"options\":{}},"
	    "\"schemaString\":");
	put_str(b, schema);
	buf_puts(b, ",\"partitionColumns\":[");
	if (c->partition_column != NULL)
		put_str(b, c->partition_column);
	buf_printf(b, "],\"configuration\":{},\"createdTime\":%" PRId64
	    "}}\n", now_ms);
}

static bool
has_field(yyjson_val *fields, yyjson_val *field)
{
	yyjson_val *x;
	size_t i, n;

	yyjson_arr_foreach(fields, i, n, x)
		if (yyjson_equals(x, field))
			return (true);
	return (false);
}

/* Each column of the old schema must be in the new one, as it was; columns
 * go by name, so that new ones may stand between. */
static int
check_schema(const struct delta_snapshot *base, const struct delta_commit *c,
    const char *schema, struct err *e)
{
	yyjson_doc *old = NULL, *new = NULL;
	yyjson_val *a, *b, *field;
	bool part = c->partition_column != NULL;
	size_t i, n;
	int rc = 0;

	if ((base->partition_column == NULL) !=
	    (c->partition_column == NULL) || (part && strcmp(
	    base->partition_column, c->partition_column) != 0))
		return (err_set(e, ERR_UNSUPPORTED, "the table is partitioned "
		    "otherwise"));
	rc = json_parse(base->schema_string, strlen(base->schema_string), &old,
	    e);
	if (rc == ERR_NOMEM)
		return (rc);
	if (rc != 0)
		return (err_set(e, ERR_CORRUPT, "the table's schema is no "
		    "JSON"));
	MUST_MEMORY(json_parse(schema, strlen(schema), &new, NULL) == 0);
	a = json_path(yyjson_doc_get_root(old), "fields");
	b = json_path(yyjson_doc_get_root(new), "fields");
	yyjson_arr_foreach(a, i, n, field)
		if (rc == 0 && !has_field(b, field))
			rc = err_set(e, ERR_UNSUPPORTED, "column %s of the "
			    "table is missing or of another type",
			    json_str(field, "name") != NULL ?
			    json_str(field, "name") : "?");
	yyjson_doc_free(old);
	yyjson_doc_free(new);
	return (rc);
}

/* The hash of it all goes where its digits are zeros. */
static void
sign(struct buf *b)
{
	char digits[DELTA_HASH_DIGITS + 1];
	char *at = delta_hash_place((char *)b->data, b->len);

	MUST(at != NULL);
	(void)snprintf(digits, sizeof(digits), "%016" PRIx64,
	    hash64(b->data, b->len, 0));
	memcpy(at, digits, DELTA_HASH_DIGITS);
}

static int
put_actions(struct buf *b, struct delta_table *t,
    const struct delta_snapshot *base, const struct delta_commit *c,
    const char *txn_id, struct err *e)
{
	int64_t now_ms = t->sys->now_ticks(t->sys->cookie) / TICKS_PER_MS;
	char *schema = NULL;
	size_t i;
	int rc = 0;

	if (c->schema != NULL)
		schema = delta_schema_string(c->schema, c->partition_column);
	buf_printf(b, "{\"commitInfo\":{\"timestamp\":%" PRId64
	    ",\"operation\":\"%s\",\"operationParameters\":{},"
	    "\"isBlindAppend\":%s,\"engineInfo\":\"garner/" PACKAGE_VERSION
	    "\",\"txnId\":\"%s\"," DELTA_HASH DELTA_HASH_NONE "\"}}\n",
	    now_ms, c->operation, c->nremoves == 0 ? "true" : "false",
	    txn_id);
	if (base->version < 0) {
		buf_puts(b, "{\"protocol\":{\"minReaderVersion\":1,"
		    "\"minWriterVersion\":2}}\n");
		put_metadata(b, t, base, c, schema, now_ms);
	} else if (schema != NULL &&
	    strcmp(base->schema_string, schema) != 0) {
		rc = check_schema(base, c, schema, e);
		put_metadata(b, t, base, c, schema, now_ms);
	}
	for (i = 0; i < c->ntxns; i++) {
		buf_puts(b, "{\"txn\":{\"appId\":");
		put_str(b, c->txns[i].app_id);
		buf_printf(b, ",\"version\":%" PRId64 ",\"lastUpdated\":%"
		    PRId64 "}}\n", c->txns[i].version, now_ms);
	}
	for (i = 0; i < c->nremoves; i++)
		put_remove(b, base, c, c->removes[i], now_ms);
	for (i = 0; i < c->nadds; i++)
		put_add(b, c, &c->adds[i], now_ms);
	free(schema);
	if (rc == 0 && b->error != 0)
		rc = err_set(e, b->error, "a commit of %zu files is too "
		    "large", c->nadds + c->nremoves);
	if (rc == 0)
		sign(b);
	return (rc);
}

int
delta_settle(struct delta_table *t, struct err *e)
{
	char *dir = must_sprintf("%s/" DELTA_LOG, t->dir);
	int rc = 0;

	if (sys_exists(t->sys, dir))
		rc = sys_sync_dirs(t->sys, dir, DIRS_ABOVE, e);
	free(dir);
	return (rc);
}

/* After an error that leaves it open: is the version there ours? */
static bool
is_ours(struct delta_table *t, const char *path, const char *txn_id)
{
	char *text;
	size_t n;
	bool ours;

	if (sys_read_file(t->sys, path, DELTA_COMMIT_MAX, &text, &n,
	    NULL) != 0)
		return (false);
	ours = strstr(text, txn_id) != NULL;
	free(text);
	return (ours);
}

int
delta_commit(struct delta_table *t, const struct delta_snapshot *base,
    const struct delta_commit *c, int64_t *version, struct err *e)
{
	char *dir, *path, txn_id[37];
	struct buf b;
	int rc;

	/* Without files only a table that is there can change. */
	MUST(c->schema != NULL || (c->nadds == 0 && base->version >= 0));
	(void)sys_uuid(t->sys, txn_id);
	buf_init(&b, DELTA_COMMIT_MAX);
	dir = must_sprintf("%s/" DELTA_LOG, t->dir);
	path = delta_log_path(t, base->version + 1);
	rc = put_actions(&b, t, base, c, txn_id, e);
	if (rc == 0)
		rc = sys_mkdirs(t->sys, dir, e);
	if (rc == 0) {
		rc = sys_write_file(t->sys, path, b.data, b.len, false, e);
		/* The link, or the sync behind it, has failed: what others
		 * can see is committed, and its files must stay; done it is
		 * when it is durable too. */
		if (rc != 0 && is_ours(t, path, txn_id))
			rc = delta_settle(t, e);
	}
	if (rc == ERR_EXISTS)
		rc = err_set(e, rc, "%s: another writer was first", path);
	if (rc == 0)
		*version = base->version + 1;
	buf_fini(&b);
	free(path);
	free(dir);
	return (rc);
}
