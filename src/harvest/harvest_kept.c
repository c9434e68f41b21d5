/*
 * Files of bad answers: <data>/quarantine/<id>, one a stream, the newest
 * answer taking the place of the one before; so a stream that fails in each
 * run fills nothing. A file is a line of JSON that tells about the answer,
 * and one zstd frame, the body as it came, or nothing when none was kept.
 *
 * Written whole or not at all (sys_write_file). After each the oldest go, by
 * the time of their file, until number and bytes are within their bounds.
 */

#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "base/hash.h"
#include "base/msg.h"
#include "base/must.h"
#include "base/ticks.h"
#include "codec/json.h"
#include "codec/zip.h"
#include "harvest/harvest_int.h"
#include "sys/sys.h"

#define ENTRIES_MAX 1000
/* A body of 1 MiB that does not compress, and what is told about it. */
#define FILE_MAX (2u << 20)
#define BODY_MAX (1u << 20)
#define ZSTD_LEVEL 3
#define TEMP_KEEP_S 3600

static char *
path_of(const char *data, const char *id)
{

	return (must_sprintf("%s/quarantine/%s", data, id));
}

static bool
is_id(const char *s)
{

	return (strlen(s) == HARVEST_KEPT_ID &&
	    strspn(s, "0123456789abcdef") == HARVEST_KEPT_ID);
}

void
harvest_kept_id(const char *source, const char *table, const char *key,
    char *id)
{
	char *name = must_sprintf("%s/%s/%s", source, table,
	    key != NULL ? key : "");

	(void)snprintf(id, HARVEST_KEPT_ID + 1, "%016llx",
	    (unsigned long long)hash64(name, strlen(name), 0));
	free(name);
}

/* --- bounds -------------------------------------------------------------- */

struct entry {
	char name[HARVEST_KEPT_ID + 1];
	struct timespec at;
	uint64_t bytes;
};

static int
by_age(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;

	if (x->at.tv_sec != y->at.tv_sec)
		return (x->at.tv_sec < y->at.tv_sec ? -1 : 1);
	if (x->at.tv_nsec != y->at.tv_nsec)
		return (x->at.tv_nsec < y->at.tv_nsec ? -1 : 1);
	return (strcmp(x->name, y->name));
}

/* What a killed run left of a file. */
static void
sweep(const struct sys *sys, const char *path, const struct stat *st)
{

	if (strstr(path, ".tmp-") != NULL &&
	    sys->now_ticks(sys->cookie) / TICKS_PER_S - st->st_mtim.tv_sec >
	    TEMP_KEEP_S)
		sys->unlink(sys->cookie, path);
}

/* All entries, oldest first; free the array. */
static int
list(const struct sys *sys, const char *data, struct entry **out, size_t *n,
    struct err *e)
{
	char *dir = must_sprintf("%s/quarantine", data), *path, **names;
	struct entry *all;
	struct stat st;
	size_t i, k;
	int rc;

	*n = 0;
	*out = NULL;
	if ((rc = sys_list_dir(dir, &names, &k, e)) != 0)
		goto out;
	all = must_calloc(k + 1, sizeof(all[0]));
	for (i = 0; i < k; i++) {
		path = must_sprintf("%s/%s", dir, names[i]);
		if (stat(path, &st) != 0) {
			free(path);
			continue;
		}
		if (!is_id(names[i])) {
			sweep(sys, path, &st);
		} else {
			memcpy(all[*n].name, names[i], HARVEST_KEPT_ID + 1);
			all[*n].at = st.st_mtim;
			all[(*n)++].bytes = (uint64_t)st.st_size;
		}
		free(path);
	}
	sys_list_free(names, k);
	if (*n > 1)
		qsort(all, *n, sizeof(all[0]), by_age);
	*out = all;
out:
	free(dir);
	return (rc);
}

static int
let_go(const struct sys *sys, const char *data, uint64_t bytes_max,
    struct err *e)
{
	struct entry *all;
	uint64_t bytes = 0;
	size_t i, n;
	int rc;

	if ((rc = list(sys, data, &all, &n, e)) != 0)
		return (rc);
	for (i = 0; i < n; i++)
		bytes += all[i].bytes;
	for (i = 0; i < n && rc == 0 &&
	    (bytes > bytes_max || n - i > ENTRIES_MAX); i++) {
		bytes -= all[i].bytes;
		rc = harvest_kept_drop(sys, data, all[i].name, e);
		if (rc == ERR_NOTFOUND)
			rc = 0;		/* another was here too */
	}
	free(all);
	return (rc);
}

/* --- writing ------------------------------------------------------------- */

static void
put_head(struct buf *b, const struct harvest_kept *k)
{
	char t[TICKS_TEXT_MAX];

	buf_printf(b, "{\"version\":1,\"time\":\"%s\"", ticks_text7(k->at, t));
	json_put_text(b, "source", k->source);
	json_put_text(b, "table", k->table);
	json_put_text(b, "stream", k->stream);
	json_put_text(b, "key", k->key);
	json_put_time(b, "from", k->a);
	json_put_time(b, "to", k->b);
	json_put_text(b, "target", k->target);
	buf_printf(b, ",\"status\":%d", k->status);
	json_put_text(b, "code", k->code);
	json_put_text(b, "reason", k->reason);
	buf_printf(b, ",\"bytes\":%llu,\"kept\":%llu}\n",
	    (unsigned long long)k->len, (unsigned long long)k->kept);
}

int
harvest_kept_write(const struct sys *sys, const char *data,
    const struct harvest_kept *k, const char *body, uint64_t bytes_max,
    struct err *e)
{
	char *dir = must_sprintf("%s/quarantine", data);
	char *path = path_of(data, k->id);
	struct zip *zip = zip_new(ZSTD_LEVEL);
	struct buf b;
	int rc = 0;

	MUST(k->kept <= BODY_MAX && (k->kept == 0 || body != NULL));
	buf_init(&b, FILE_MAX);
	put_head(&b, k);
	if (k->kept > 0)
		rc = zip_compress(zip, body, k->kept, &b, e);
	if (rc == 0 && b.error != 0)
		rc = err_set(e, b.error, "%s", path);
	if (rc == 0 && (rc = sys_mkdirs(sys, dir, e)) == 0 &&
	    (rc = sys_write_file(sys, path, b.data, b.len, true, e)) == 0)
		rc = let_go(sys, data, bytes_max, e);
	buf_fini(&b);
	zip_free(zip);
	free(path);
	free(dir);
	return (rc);
}

/* --- reading ------------------------------------------------------------- */

struct open_kept {
	struct harvest_kept k;
	char *data;			/* the whole file */
	size_t head;			/* of which the first line */
	size_t n;
	yyjson_doc *doc;		/* k's texts */
};

static const char *
text(yyjson_val *root, const char *name)
{
	const char *s = json_str(root, name);

	return (s != NULL ? s : "");
}

static int64_t
time_of(yyjson_val *root, const char *name)
{
	const char *s = json_str(root, name);
	int64_t t;

	return (s != NULL && ticks_parse(s, strlen(s), &t) == 0 ? t :
	    TICKS_NONE);
}

static void
fill(struct open_kept *o, const char *id)
{
	yyjson_val *root = yyjson_doc_get_root(o->doc);
	struct harvest_kept *k = &o->k;

	memcpy(k->id, id, sizeof(k->id));
	k->at = time_of(root, "time");
	k->source = text(root, "source");
	k->table = text(root, "table");
	k->stream = text(root, "stream");
	k->key = text(root, "key");
	k->a = time_of(root, "from");
	k->b = time_of(root, "to");
	k->target = text(root, "target");
	k->status = (int)yyjson_get_int(yyjson_obj_get(root, "status"));
	k->code = text(root, "code");
	k->reason = text(root, "reason");
	k->len = yyjson_get_uint(yyjson_obj_get(root, "bytes"));
	k->kept = yyjson_get_uint(yyjson_obj_get(root, "kept"));
	k->stored = o->n;
}

static void
kept_close(struct open_kept *o)
{

	yyjson_doc_free(o->doc);
	free(o->data);
}

static int
kept_open(const struct sys *sys, const char *data, const char *id,
    struct open_kept *o, struct err *e)
{
	char *path, *end;
	int rc;

	memset(o, 0, sizeof(*o));
	if (!is_id(id))
		return (err_set(e, ERR_NOTFOUND, "there is nothing kept as "
		    "\"%s\"", id));
	path = path_of(data, id);
	if ((rc = sys_read_file(sys, path, FILE_MAX, &o->data, &o->n, e)) != 0)
		goto out;
	end = memchr(o->data, '\n', o->n);
	o->head = end != NULL ? (size_t)(end - o->data) : o->n;
	if (json_parse(o->data, o->head, &o->doc, e) != 0) {
		rc = e != NULL ? err_wrap(e, "%s", path) : ERR_CORRUPT;
		if (e != NULL)
			rc = e->code = ERR_CORRUPT;
		goto out;
	}
	fill(o, id);
out:
	if (rc != 0)
		kept_close(o);
	free(path);
	return (rc);
}

int
harvest_kept_each(const struct sys *sys, const char *data,
    harvest_kept_fn *fn, void *cookie, struct err *e)
{
	struct err bad = ERR_INIT;
	struct open_kept o;
	struct entry *all;
	size_t i, n;
	int rc;

	if ((rc = list(sys, data, &all, &n, e)) != 0)
		return (rc);
	for (i = 0; i < n && rc == 0; i++) {
		if (kept_open(sys, data, all[i].name, &o, &bad) != 0) {
			if (bad.code != ERR_NOTFOUND)	/* just dropped */
				msg_warn("quarantine", "%s", bad.text);
			continue;
		}
		rc = fn(&o.k, cookie, e);
		kept_close(&o);
	}
	free(all);
	return (rc);
}

int
harvest_kept_body(const struct sys *sys, const char *data, const char *id,
    struct buf *out, struct err *e)
{
	struct open_kept o;
	struct zip *zip;
	int rc;

	if ((rc = kept_open(sys, data, id, &o, e)) != 0)
		return (rc);
	if (o.k.kept > BODY_MAX) {
		rc = err_set(e, ERR_CORRUPT, "quarantine %s: a body of %llu "
		    "bytes", id, (unsigned long long)o.k.kept);
	} else if (o.k.kept > 0) {
		zip = zip_new(ZSTD_LEVEL);
		rc = zip_decompress(zip, o.data + o.head + 1,
		    o.n - o.head - (o.head < o.n), o.k.kept, out, e);
		zip_free(zip);
	}
	kept_close(&o);
	return (rc);
}

int
harvest_kept_drop(const struct sys *sys, const char *data, const char *id,
    struct err *e)
{
	char *path;
	int rc = 0;

	if (!is_id(id))
		return (err_set(e, ERR_NOTFOUND, "there is nothing kept as "
		    "\"%s\"", id));
	path = path_of(data, id);
	if (sys->unlink(sys->cookie, path) != 0)
		rc = err_sys(e, errno, "cannot remove %s", path);
	free(path);
	return (rc);
}
