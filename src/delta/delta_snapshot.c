/*
 * The newest version of a table, by replaying the log from version 0: an
 * add makes a file live, a remove ends it, metaData, protocol and txn
 * replace what was there. A gap, a line that does not parse, or a demand we
 * do not meet (protocol, table property) is an error.
 */

#include "config.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/hash.h"
#include "base/must.h"
#include "base/text.h"
#include "base/ticks.h"
#include "codec/json.h"
#include "delta/delta_int.h"
#include "sys/sys.h"

struct delta_table *
delta_open(const struct sys *sys, const char *dir, const char *cursor)
{
	struct delta_table *t;

	t = must_calloc(1, sizeof(*t));
	t->sys = sys;
	t->dir = must_strdup(dir);
	t->cursor = cursor != NULL ? must_strdup(cursor) : NULL;
	return (t);
}

void
delta_close(struct delta_table *t)
{

	if (t == NULL)
		return;
	free(t->dir);
	free(t->cursor);
	free(t->bad);
	free(t);
}

char *
delta_log_path(const struct delta_table *t, int64_t version)
{

	return (must_sprintf("%s/" DELTA_LOG "/%020" PRId64 ".json", t->dir,
	    version));
}

/* --- replay -------------------------------------------------------------- */

#define REMOVED UINT64_MAX		/* bytes of a removed file */

/* Live files by path: an array with an index by hash, so that a log of many
 * files is replayed in linear time. */
struct replay {
	struct delta_table *table;
	struct delta_snapshot *s;
	size_t files_cap;
	uint32_t *slots;	/* index + 1, 0 empty */
	size_t nslots;
	const char *path;	/* of the log file, for messages */
	size_t line;
	struct err *err;
};

static int
bad(const struct replay *r, const char *what)
{

	return (err_set(r->err, ERR_CORRUPT, "%s: line %zu: %s", r->path,
	    r->line, what));
}

static int
unsupported(const struct replay *r, const char *what)
{

	return (err_set(r->err, ERR_UNSUPPORTED, "%s: line %zu: the table "
	    "asks for %s, which garner does not do", r->path, r->line,
	    what));
}

static void
file_fini(struct delta_file *f)
{

	free(f->path);
	free(f->partition);
	memset(f, 0, sizeof(*f));
}

static size_t
slot_of(const struct replay *r, const char *path)
{
	size_t at = (size_t)hash64(path, strlen(path), 0) & (r->nslots - 1);

	while (r->slots[at] != 0 &&
	    strcmp(r->s->files[r->slots[at] - 1].path, path) != 0)
		at = (at + 1) & (r->nslots - 1);
	return (at);
}

static void
index_grow(struct replay *r)
{
	size_t i;

	free(r->slots);
	r->nslots = r->nslots == 0 ? 64 : r->nslots * 2;
	r->slots = must_calloc(r->nslots, sizeof(r->slots[0]));
	for (i = 0; i < r->s->nfiles; i++)
		r->slots[slot_of(r, r->s->files[i].path)] = (uint32_t)i + 1;
}

/* The entry of a path, made when missing. Removed ones stay as entries until
 * the end, min_tick then being the time of the removal. */
static struct delta_file *
file_entry(struct replay *r, const char *path)
{
	struct delta_file *f;
	size_t at;

	if ((r->s->nfiles + 1) * 2 > r->nslots)
		index_grow(r);
	at = slot_of(r, path);
	if (r->slots[at] != 0)
		return (&r->s->files[r->slots[at] - 1]);
	if (r->s->nfiles == r->files_cap) {
		r->files_cap = r->files_cap == 0 ? 32 : r->files_cap * 2;
		r->s->files = must_realloc(r->s->files, r->files_cap,
		    sizeof(r->s->files[0]));
	}
	f = &r->s->files[r->s->nfiles++];
	memset(f, 0, sizeof(*f));
	f->path = must_strdup(path);
	r->slots[at] = (uint32_t)r->s->nfiles;
	return (f);
}

static int64_t
stat_tick(const struct replay *r, yyjson_val *stats, const char *which)
{
	const char *text;
	int64_t t;

	if (r->table->cursor == NULL)
		return (TICKS_NONE);
	text = json_str(yyjson_obj_get(stats, which), r->table->cursor);
	if (text == NULL || ticks_parse(text, strlen(text), &t) != 0)
		return (TICKS_NONE);
	return (t);
}

static void
read_stats(const struct replay *r, const char *text, struct delta_file *f)
{
	yyjson_doc *doc;
	yyjson_val *root;
	int rc;

	f->min_tick = f->max_tick = TICKS_NONE;
	if (text == NULL)
		return;
	rc = json_parse(text, strlen(text), &doc, NULL);
	MUST_MEMORY(rc != ERR_NOMEM);
	if (rc != 0)
		return;
	root = yyjson_doc_get_root(doc);
	f->rows = yyjson_get_uint(yyjson_obj_get(root, "numRecords"));
	f->min_tick = stat_tick(r, root, "minValues");
	f->max_tick = stat_tick(r, root, "maxValues");
	/* A file drops what is below a microsecond, and other writers of the
	 * log what is below a millisecond. */
	if (f->max_tick != TICKS_NONE)
		f->max_tick += TICKS_PER_MS - 1;
	yyjson_doc_free(doc);
}

/* Relative, without a way up: such files are read, and removed. */
static bool
is_inside(const char *path)
{
	const char *p = path;
	size_t n;

	if (*path == '\0' || *path == '/' || strchr(path, ':') != NULL)
		return (false);
	for (; *p != '\0'; p += n + (p[n] == '/')) {
		n = strcspn(p, "/");
		if (n == 2 && memcmp(p, "..", 2) == 0)
			return (false);
	}
	/* Ours need no URI encoding, and others are not written to. */
	return (strchr(path, '%') == NULL);
}

static int
apply_add(struct replay *r, yyjson_val *add)
{
	const char *path = json_str(add, "path"), *part, *hash;
	yyjson_val *size = yyjson_obj_get(add, "size"), *values;
	struct delta_file *f;

	if (path == NULL || !yyjson_is_uint(size))
		return (bad(r, "an add without path or size"));
	if (!is_inside(path))
		return (unsupported(r, "a file of such a path"));
	if (yyjson_is_obj(yyjson_obj_get(add, "deletionVector")))
		return (unsupported(r, "deletion vectors"));
	f = file_entry(r, path);
	f->bytes = yyjson_get_uint(size);
	free(f->partition);
	f->partition = NULL;
	values = yyjson_obj_get(add, "partitionValues");
	if (r->s->partition_column != NULL &&
	    (part = json_str(values, r->s->partition_column)) != NULL)
		f->partition = must_strdup(part);
	read_stats(r, json_str(add, "stats"), f);
	hash = json_str(yyjson_obj_get(add, "tags"), "garner.xxh64");
	f->xxh64 = hash != NULL ? strtoull(hash, NULL, 16) : 0;
	return (0);
}

static int
apply_remove(struct replay *r, yyjson_val *remove)
{
	const char *path = json_str(remove, "path");
	struct delta_file *f;

	if (path == NULL)
		return (bad(r, "a remove without path"));
	f = file_entry(r, path);
	f->bytes = REMOVED;
	f->min_tick = yyjson_get_sint(yyjson_obj_get(remove,
	    "deletionTimestamp"));
	return (0);
}

static int
apply_protocol(struct replay *r, yyjson_val *p)
{

	if (yyjson_get_int(yyjson_obj_get(p, "minReaderVersion")) > 1)
		return (unsupported(r, "a reader version above 1"));
	if (yyjson_get_int(yyjson_obj_get(p, "minWriterVersion")) > 2)
		return (unsupported(r, "a writer version above 2"));
	return (0);
}

/* Whether a property asks for something of a writer or a reader. */
static bool
property_asks(const char *key, const char *value)
{
	static const char *const on[] = { "delta.appendOnly",
		"delta.enableChangeDataFeed", "delta.enableDeletionVectors",
		"delta.enableRowTracking" };
	size_t i;

	for (i = 0; i < sizeof(on) / sizeof(on[0]); i++)
		if (strcmp(key, on[i]) == 0)
			return (strcmp(value, "false") != 0);
	if (strcmp(key, "delta.columnMapping.mode") == 0)
		return (strcmp(value, "none") != 0);
	return (strncmp(key, "delta.constraints.", 18) == 0);
}

static int
check_configuration(struct replay *r, yyjson_val *conf)
{
	yyjson_val *key, *value;
	size_t i, n;

	if (!yyjson_is_obj(conf))
		return (0);
	yyjson_obj_foreach(conf, i, n, key, value) {
		if (!yyjson_is_str(value) || property_asks(
		    yyjson_get_str(key), yyjson_get_str(value)))
			return (unsupported(r, "a property"));
	}
	return (0);
}

static int
apply_metadata(struct replay *r, yyjson_val *m)
{
	const char *id = json_str(m, "id"), *schema, *v;
	yyjson_val *columns;
	int rc;

	schema = json_str(m, "schemaString");
	columns = yyjson_obj_get(m, "partitionColumns");
	if (id == NULL || schema == NULL)
		return (bad(r, "a metaData without id or schema"));
	if (yyjson_arr_size(columns) > 1)
		return (unsupported(r, "several partition columns"));
	if (strstr(schema, "\"delta.invariants\"") != NULL)
		return (unsupported(r, "an invariant of a column"));
	if ((rc = check_configuration(r, yyjson_obj_get(m,
	    "configuration"))) != 0)
		return (rc);
	free(r->s->table_id);
	free(r->s->schema_string);
	free(r->s->partition_column);
	r->s->table_id = must_strdup(id);
	r->s->schema_string = must_strdup(schema);
	v = yyjson_get_str(yyjson_arr_get_first(columns));
	r->s->partition_column = v != NULL ? must_strdup(v) : NULL;
	return (0);
}

static int
apply_txn(struct replay *r, yyjson_val *t)
{
	struct delta_snapshot *s = r->s;
	const char *id = json_str(t, "appId");
	yyjson_val *version = yyjson_obj_get(t, "version");
	size_t i;

	if (id == NULL || !yyjson_is_int(version))
		return (bad(r, "a txn without appId or version"));
	for (i = 0; i < s->ntxns; i++)
		if (strcmp(s->txns[i].app_id, id) == 0)
			break;
	if (i == s->ntxns) {
		s->txns = must_realloc(s->txns, s->ntxns + 1,
		    sizeof(s->txns[0]));
		s->txns[s->ntxns++].app_id = must_strdup(id);
	}
	s->txns[i].version = yyjson_get_sint(version);
	return (0);
}

static int
apply_line(struct replay *r, const char *text, size_t n)
{
	yyjson_doc *doc;
	yyjson_val *root, *v;
	int rc;

	rc = json_parse(text, n, &doc, r->err);
	if (rc == ERR_NOMEM)
		return (rc);
	if (rc != 0)
		return (bad(r, "no JSON"));
	root = yyjson_doc_get_root(doc);
	if (!yyjson_is_obj(root))
		rc = bad(r, "no action");
	else if ((v = yyjson_obj_get(root, "add")) != NULL)
		rc = apply_add(r, v);
	else if ((v = yyjson_obj_get(root, "remove")) != NULL)
		rc = apply_remove(r, v);
	else if ((v = yyjson_obj_get(root, "protocol")) != NULL)
		rc = apply_protocol(r, v);
	else if ((v = yyjson_obj_get(root, "metaData")) != NULL)
		rc = apply_metadata(r, v);
	else if ((v = yyjson_obj_get(root, "txn")) != NULL)
		rc = apply_txn(r, v);
	yyjson_doc_free(doc);	/* commitInfo and unknown ones are ignored */
	return (rc);
}

char *
delta_hash_place(char *text, size_t n)
{
	char *line = memchr(text, '\n', n), *p;

	if (line == NULL)
		line = text + n;
	p = memmem(text, (size_t)(line - text), DELTA_HASH,
	    sizeof(DELTA_HASH) - 1);
	if (p == NULL || line - p < (ptrdiff_t)(sizeof(DELTA_HASH) +
	    DELTA_HASH_DIGITS))
		return (NULL);
	return (p + sizeof(DELTA_HASH) - 1);
}

/* JSON has no checksum of its own: a changed digit is a good number. */
static bool
hash_holds(char *text, size_t n)
{
	char told[DELTA_HASH_DIGITS + 1], is[DELTA_HASH_DIGITS + 1];
	char *at = delta_hash_place(text, n);

	if (at == NULL)
		return (true);
	memcpy(told, at, DELTA_HASH_DIGITS);
	told[DELTA_HASH_DIGITS] = '\0';
	memcpy(at, DELTA_HASH_NONE, DELTA_HASH_DIGITS);
	(void)snprintf(is, sizeof(is), "%016" PRIx64, hash64(text, n, 0));
	return (strcmp(told, is) == 0);
}

static void
note_bad(struct delta_table *t, const char *path)
{

	free(t->bad);
	t->bad = must_strdup(path);
}

const char *
delta_bad_path(const struct delta_table *t)
{

	return (t->bad);
}

static int
apply_file(struct replay *r, int64_t version)
{
	char *text = NULL, *p, *end, *path;
	size_t n;
	int rc;

	path = delta_log_path(r->table, version);
	r->path = path;
	r->line = 0;
	rc = sys_read_file(r->table->sys, path, DELTA_COMMIT_MAX, &text, &n,
	    r->err);
	if (rc == 0 && n == 0)
		rc = bad(r, "the file is empty");
	else if (rc == 0 && !hash_holds(text, n))
		rc = bad(r, "the file is not as it was written: its hash is "
		    "another");
	for (p = text; rc == 0 && p < text + n; p = end + 1) {
		end = memchr(p, '\n', (size_t)(text + n - p));
		if (end == NULL)
			end = text + n;
		r->line++;
		if (end > p)
			rc = apply_line(r, p, (size_t)(end - p));
	}
	free(text);
	if (rc != 0)
		note_bad(r->table, path);
	free(path);
	return (rc);
}

/* --- the newest version -------------------------------------------------- */

/* Versions there are: the highest, -1 when none; a gap is damage. */
static int
newest_version(struct delta_table *t, int64_t *newest, struct err *e)
{
	char **names = NULL, *dir, *path;
	size_t i, n = 0;
	int64_t v;
	int rc;

	*newest = -1;
	dir = must_sprintf("%s/" DELTA_LOG, t->dir);
	rc = sys_list_dir(dir, &names, &n, e);
	for (i = 0; rc == 0 && i < n; i++) {
		if (strlen(names[i]) != 25 ||
		    strcmp(names[i] + 20, ".json") != 0 ||
		    strspn(names[i], "0123456789") != 20)
			continue;
		v = strtoll(names[i], NULL, 10);
		if (v != *newest + 1) {
			path = delta_log_path(t, *newest + 1);
			rc = err_set(e, ERR_CORRUPT, "%s: version %" PRId64
			    " is missing", dir, *newest + 1);
			note_bad(t, path);
			free(path);
		}
		*newest = v;
	}
	sys_list_free(names, n);
	free(dir);
	return (rc);
}

static int
by_path(const void *a, const void *b)
{

	return (strcmp(((const struct delta_file *)a)->path,
	    ((const struct delta_file *)b)->path));
}

static int
by_gone_path(const void *a, const void *b)
{

	return (strcmp(((const struct delta_tombstone *)a)->path,
	    ((const struct delta_tombstone *)b)->path));
}

/* Live files and tombstones apart, each sorted. */
static void
split_removed(struct delta_snapshot *s)
{
	struct delta_file *f;
	size_t i, n = 0;

	s->gone = must_calloc(s->nfiles + 1, sizeof(s->gone[0]));
	for (i = 0; i < s->nfiles; i++) {
		f = &s->files[i];
		if (f->bytes != REMOVED) {
			s->files[n++] = *f;
			continue;
		}
		s->gone[s->ngone].path = f->path;
		s->gone[s->ngone++].deleted_ms = f->min_tick;
		free(f->partition);
	}
	s->nfiles = n;
	if (n > 0)
		qsort(s->files, n, sizeof(s->files[0]), by_path);
	if (s->ngone > 1)
		qsort(s->gone, s->ngone, sizeof(s->gone[0]),
		    by_gone_path);
}

int
delta_load(struct delta_table *t, struct delta_snapshot *s, struct err *e)
{
	struct replay r = { .table = t, .s = s, .err = e };
	int64_t v;
	int rc;

	memset(s, 0, sizeof(*s));
	rc = newest_version(t, &s->version, e);
	for (v = 0; rc == 0 && v <= s->version; v++)
		rc = apply_file(&r, v);
	if (rc == 0 && s->version >= 0 && s->table_id == NULL)
		rc = err_set(e, ERR_CORRUPT, "%s/" DELTA_LOG ": no metaData",
		    t->dir);
	free(r.slots);
	if (rc != 0) {
		delta_snapshot_fini(s);
		s->version = -1;
		return (rc);
	}
	split_removed(s);
	return (0);
}

void
delta_snapshot_fini(struct delta_snapshot *s)
{
	size_t i;

	for (i = 0; i < s->nfiles; i++)
		file_fini(&s->files[i]);
	for (i = 0; i < s->ntxns; i++)
		free(s->txns[i].app_id);
	for (i = 0; i < s->ngone; i++)
		free(s->gone[i].path);
	free(s->gone);
	free(s->files);
	free(s->txns);
	free(s->table_id);
	free(s->schema_string);
	free(s->partition_column);
	memset(s, 0, sizeof(*s));
	s->version = -1;
}

int64_t
delta_snapshot_txn(const struct delta_snapshot *s, const char *app_id)
{
	size_t i;

	for (i = 0; i < s->ntxns; i++)
		if (strcmp(s->txns[i].app_id, app_id) == 0)
			return (s->txns[i].version);
	return (-1);
}
