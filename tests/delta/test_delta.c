/*
 * The log: what was committed is what is loaded; of two writers one wins
 * whichever way they race; after a failure at any call the table is the old
 * one or the new one and the answer says which; leftovers go, what is
 * needed stays; what we cannot do is refused.
 */
#include "config.h"

#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/err.h"
#include "base/must.h"
#include "base/ticks.h"
#include "codec/json.h"
#include "delta/delta.h"
#include "parquet/parquet.h"
#include "rows/rows.h"
#include "sys/sys.h"

#define NOON (1772366400LL * TICKS_PER_S)	/* 2026-03-01T12:00:00Z */

static const struct rows_col columns[] = {
	{ "tag", ROWS_STRING, true }, { "timestamp", ROWS_TICKS, true },
	{ "value", ROWS_DOUBLE, false }, { "good", ROWS_BOOL, false },
	{ "list", ROWS_LIST, false }, { "extra", ROWS_INT64, false },
};

struct place {
	char dir[256];
	struct rows_schema *schema;	/* all but the last column */
	struct rows_schema *wider;
};

static int
setup(void **state)
{
	struct place *p = must_calloc(1, sizeof(*p));
	const char *tmp = getenv("TMPDIR");

	snprintf(p->dir, sizeof(p->dir), "%s/garner-delta-XXXXXX",
	    tmp != NULL ? tmp : "/tmp");
	if (mkdtemp(p->dir) == NULL)
		return (-1);
	p->schema = rows_schema_new("t", columns, 5);
	p->wider = rows_schema_new("t", columns, 6);
	*state = p;
	return (0);
}

static int
teardown(void **state)
{
	struct place *p = *state;

	(void)sys_remove_tree(p->dir, NULL);
	rows_schema_free(p->schema);
	rows_schema_free(p->wider);
	free(p);
	return (0);
}

/* Statistics of a file that is not there; the log does not look. */
static void
make_info(struct parquet_info *info, uint32_t ncols, int64_t min, int64_t max)
{
	memset(info, 0, sizeof(*info));
	info->rows = 10;
	info->bytes = 1234;
	info->xxh64 = 0xabcdef0123456789ull;
	info->ncols = ncols;
	info->stats = must_calloc(ncols, sizeof(*info->stats));
	info->stats[0].has_minmax = true;
	memcpy(info->stats[0].min_s, "a\"", info->stats[0].min_len = 2);
	memcpy(info->stats[0].max_s, "\xc3\xbf", info->stats[0].max_len = 2);
	info->stats[1].has_minmax = true;
	info->stats[1].min_i = min;
	info->stats[1].max_i = max;
	info->stats[2].has_minmax = true;
	info->stats[2].min_f = -0.5;
	info->stats[2].max_f = INFINITY;
	info->stats[2].nulls = 3;
}

struct change {
	const char *add[4];
	const char *remove;
	const struct rows_schema *schema;
	int64_t txn;
};

static int
change_on(const struct sys *sys, struct place *p,
    const struct delta_snapshot *base, const struct change *ch,
    int64_t *version, struct err *e)
{
	struct delta_table *t = delta_open(sys, p->dir, "timestamp");
	struct delta_txn txn = { must_strdup("garner/x/1"), ch->txn };
	const struct delta_file *gone[1];
	struct delta_add adds[4];
	struct parquet_info info;
	struct delta_commit c = { .operation = "WRITE", .schema = ch->schema,
		.partition_column = "date", .data_change = true,
		.adds = adds, .removes = gone, .txns = &txn, .ntxns = 1 };
	size_t i;
	int rc;

	/* An even txn: max is a whole millisecond. */
	make_info(&info, ch->schema->ncols, NOON + 1, NOON +
	    (ch->txn % 2 == 0 ? 20000 : 10001));
	for (; c.nadds < 4 && ch->add[c.nadds] != NULL; c.nadds++)
		adds[c.nadds] = (struct delta_add){ ch->add[c.nadds],
			c.nadds == 3 ? NULL : "2026-03-01", &info };
	for (i = 0; ch->remove != NULL && i < base->nfiles; i++)
		if (strcmp(base->files[i].path, ch->remove) == 0) {
			gone[0] = &base->files[i];
			c.nremoves = 1;
		}
	rc = delta_commit(t, base, &c, version, e);
	parquet_info_fini(&info);
	free(txn.app_id);
	delta_close(t);
	return (rc);
}

static void
load(struct place *p, struct delta_snapshot *s)
{
	struct delta_table *t = delta_open(sys_posix(), p->dir, "timestamp");
	struct err e = ERR_INIT;

	if (delta_load(t, s, &e) != 0)
		fail_msg("%s", e.text);
	delta_close(t);
}

static int64_t
change(struct place *p, const struct change *ch)
{
	struct delta_snapshot s;
	struct err e = ERR_INIT;
	int64_t version = -7;

	load(p, &s);
	if (change_on(sys_posix(), p, &s, ch, &version, &e) != 0)
		fail_msg("%s", e.text);
	assert_true(version == s.version + 1);
	delta_snapshot_fini(&s);
	return (version);
}

static void
test_commit_and_load(void **state)
{
	struct place *p = *state;
	const struct change one = { { "date=2026-03-01/part-b.parquet",
	    "part-a.parquet", "x/part-c.parquet", "part-z.parquet" }, NULL,
	    p->schema, 5 };
	const struct change two = { { "date=2026-03-01/part-d.parquet" },
	    "part-a.parquet", p->wider, 6 };
	struct delta_snapshot s;
	char *id;

	load(p, &s);
	assert_true(s.version == -1 && s.nfiles == 0);
	assert_true(delta_snapshot_txn(&s, "garner/x/1") == -1);
	delta_snapshot_fini(&s);

	assert_true(change(p, &one) == 0);
	load(p, &s);
	assert_true(s.version == 0);
	assert_int_equal(s.nfiles, 4);
	assert_string_equal(s.partition_column, "date");
	assert_string_equal(s.files[0].path, one.add[0]);
	assert_string_equal(s.files[1].path, one.add[1]);
	assert_string_equal(s.files[0].partition, "2026-03-01");
	assert_null(s.files[2].partition);
	assert_string_equal(s.files[2].path, one.add[3]);
	assert_int_equal(s.files[0].bytes, 1234);
	assert_int_equal(s.files[0].rows, 10);
	assert_true(s.files[0].xxh64 == 0xabcdef0123456789ull);
	/* Never narrower than the truth, and not by much wider. */
	assert_true(s.files[0].min_tick <= NOON + 1);
	assert_true(s.files[0].min_tick > NOON + 1 - TICKS_PER_MS);
	assert_true(s.files[0].max_tick >= NOON + 10001 + 9);
	assert_true(s.files[0].max_tick < NOON + 10001 + 2 * TICKS_PER_MS);
	assert_true(delta_snapshot_txn(&s, "garner/x/1") == 5);
	assert_true(delta_snapshot_txn(&s, "garner/x/2") == -1);
	assert_null(strstr(s.schema_string, "extra"));
	id = must_strdup(s.table_id);
	delta_snapshot_fini(&s);

	assert_true(change(p, &two) == 1);
	load(p, &s);
	assert_int_equal(s.nfiles, 4);
	assert_string_equal(s.files[1].path, two.add[0]);
	/* The file drops up to nine ticks of a time. */
	assert_true(s.files[1].max_tick >= NOON + 20000 + 9);
	assert_true(delta_snapshot_txn(&s, "garner/x/1") == 6);
	assert_non_null(strstr(s.schema_string, "extra"));
	assert_string_equal(s.table_id, id);
	assert_int_equal(s.ngone, 1);
	assert_string_equal(s.gone[0].path, "part-a.parquet");
	free(id);
	delta_snapshot_fini(&s);
}

/* The text of one version. */
static char *
entry(struct place *p, int64_t version, size_t *n)
{
	char *path = must_sprintf("%s/_delta_log/%020lld.json", p->dir,
	    (long long)version), *data;

	assert_int_equal(sys_read_file(sys_posix(), path, 1 << 20, &data, n,
	    NULL), 0);
	free(path);
	return (data);
}

static yyjson_doc *
action(struct place *p, int64_t version, const char *kind)
{
	yyjson_doc *doc = NULL, *found = NULL;
	char *data, *line, *save = NULL;
	size_t n;

	data = entry(p, version, &n);
	assert_true(n > 0 && data[n - 1] == '\n');
	for (line = strtok_r(data, "\n", &save); line != NULL;
	    line = strtok_r(NULL, "\n", &save)) {
		assert_int_equal(json_parse(line, strlen(line), &doc, NULL),
		    0);
		assert_int_equal(yyjson_obj_size(yyjson_doc_get_root(doc)),
		    1);
		if (found == NULL && yyjson_obj_get(yyjson_doc_get_root(doc),
		    kind) != NULL)
			found = doc;
		else
			yyjson_doc_free(doc);
	}
	free(data);
	return (found);
}

static void
test_actions(void **state)
{
	struct place *p = *state;
	const struct change one = { { "part-a.parquet" }, NULL, p->schema, 1 };
	const struct change two = { { "part-b.parquet" }, "part-a.parquet",
	    p->schema, 2 };
	yyjson_doc *doc, *stats = NULL;
	yyjson_val *v, *s;
	const char *text;

	(void)change(p, &one);
	(void)change(p, &two);
	doc = action(p, 0, "add");
	v = yyjson_obj_get(yyjson_doc_get_root(doc), "add");
	text = json_str(v, "stats");
	assert_int_equal(json_parse(text, strlen(text), &stats, NULL), 0);
	s = yyjson_doc_get_root(stats);
	assert_string_equal(json_str(json_path(s, "minValues"), "timestamp"),
	    "2026-03-01T12:00:00.000Z");
	assert_string_equal(json_str(json_path(s, "maxValues"), "timestamp"),
	    "2026-03-01T12:00:00.002Z");
	assert_string_equal(json_str(json_path(s, "minValues"), "tag"), "a\"");
	assert_null(json_path(s, "maxValues.value"));	/* infinite */
	assert_null(json_path(s, "minValues.value"));
	assert_null(json_path(s, "nullCount.list"));
	assert_int_equal(yyjson_get_int(json_path(s, "nullCount.value")), 3);
	assert_string_equal(json_str(json_path(v, "tags"), "garner.xxh64"),
	    "abcdef0123456789");
	yyjson_doc_free(stats);
	yyjson_doc_free(doc);

	doc = action(p, 1, "remove");
	v = yyjson_obj_get(yyjson_doc_get_root(doc), "remove");
	assert_true(yyjson_get_bool(json_path(v, "extendedFileMetadata")));
	assert_true(yyjson_get_bool(json_path(v, "dataChange")));
	assert_int_equal(yyjson_get_int(json_path(v, "size")), 1234);
	assert_string_equal(json_str(json_path(v, "partitionValues"), "date"),
	    "2026-03-01");
	yyjson_doc_free(doc);
	doc = action(p, 1, "commitInfo");
	v = yyjson_obj_get(yyjson_doc_get_root(doc), "commitInfo");
	assert_false(yyjson_get_bool(json_path(v, "isBlindAppend")));
	assert_int_equal(strlen(json_str(v, "txnId")), 36);
	assert_int_equal(strncmp(json_str(v, "engineInfo"), "garner/", 7), 0);
	yyjson_doc_free(doc);
	assert_null(action(p, 1, "metaData"));
	assert_null(action(p, 1, "protocol"));
}

static void
test_schema_changes(void **state)
{
	struct place *p = *state;
	const struct change one = { { "part-a.parquet" }, NULL, p->schema, 1 };
	struct change two = { { "part-b.parquet" }, NULL, NULL, 2 };
	struct rows_col cols[6];
	struct rows_schema *s;
	struct delta_snapshot base;
	struct err e = ERR_INIT;
	int64_t version;

	(void)change(p, &one);
	load(p, &base);
	/* A column between others is one that was added. */
	memcpy(cols, columns, sizeof(cols));
	cols[4] = columns[5];
	cols[5] = columns[4];
	s = rows_schema_new("t", cols, 6);
	two.schema = s;
	assert_int_equal(change_on(sys_posix(), p, &base, &two, &version, &e),
	    0);
	rows_schema_free(s);
	delta_snapshot_fini(&base);
	load(p, &base);
	/* One that is gone, or of another type, is refused. */
	two.schema = p->schema;
	assert_int_equal(change_on(sys_posix(), p, &base, &two, &version, &e),
	    ERR_UNSUPPORTED);
	cols[4].type = ROWS_STRING;
	s = rows_schema_new("t", cols, 6);
	two.schema = s;
	assert_int_equal(change_on(sys_posix(), p, &base, &two, &version, &e),
	    ERR_UNSUPPORTED);
	assert_non_null(strstr(e.text, "extra"));
	rows_schema_free(s);
	delta_snapshot_fini(&base);
}

/* --- races --------------------------------------------------------------- */

static void
test_second_is_refused(void **state)
{
	struct place *p = *state;
	const struct change one = { { "part-a.parquet" }, NULL, p->schema, 1 };
	const struct change two = { { "part-b.parquet" }, NULL, p->schema, 2 };
	struct delta_snapshot s;
	struct err e = ERR_INIT;
	int64_t version = -7;
	char *before, *after;
	size_t n, m;

	load(p, &s);
	(void)change(p, &one);
	before = entry(p, 0, &n);
	assert_int_equal(change_on(sys_posix(), p, &s, &two, &version, &e),
	    ERR_EXISTS);
	assert_true(version == -7);
	after = entry(p, 0, &m);
	assert_int_equal(n, m);
	assert_memory_equal(before, after, n);
	free(before);
	free(after);
	delta_snapshot_fini(&s);
}

struct racer {
	struct place *p;
	int number;
	int won;
};

#define RACERS 4
#define WINS 15

/* Load, commit, and again when another was first. */
static void *
race(void *cookie)
{
	struct racer *r = cookie;
	struct delta_table *t;
	struct delta_snapshot s;
	struct change ch = { { NULL }, NULL, r->p->schema, 1 };
	int64_t version;
	char path[64];
	int rc;

	while (r->won < WINS) {
		t = delta_open(sys_posix(), r->p->dir, NULL);
		MUST(delta_load(t, &s, NULL) == 0);
		snprintf(path, sizeof(path), "part-%d-%d.parquet", r->number,
		    r->won);
		ch.add[0] = path;
		rc = change_on(sys_posix(), r->p, &s, &ch, &version, NULL);
		MUST(rc == 0 || rc == ERR_EXISTS);
		r->won += rc == 0;
		delta_snapshot_fini(&s);
		delta_close(t);
	}
	return (NULL);
}

static void
test_race(void **state)
{
	struct racer r[RACERS];
	pthread_t id[RACERS];
	struct delta_snapshot s;
	int i;

	for (i = 0; i < RACERS; i++) {
		r[i] = (struct racer){ *state, i, 0 };
		assert_int_equal(pthread_create(&id[i], NULL, race, &r[i]),
		    0);
	}
	for (i = 0; i < RACERS; i++)
		assert_int_equal(pthread_join(id[i], NULL), 0);
	load(*state, &s);
	assert_true(s.version == RACERS * WINS - 1);
	assert_int_equal(s.nfiles, RACERS * WINS);
	delta_snapshot_fini(&s);
}

/* --- failures ------------------------------------------------------------ */

struct disk {
	const struct sys *real;
	int calls, fail_at;
	bool act;		/* the failing call does its work, too */
};

static bool
hit(struct disk *d)
{
	errno = EIO;
	return (++d->calls == d->fail_at);
}

#define FAKE(name, args, call) \
static int \
disk_##name args \
{ \
	struct disk *d = c; \
	bool fail = hit(d); \
	int rc = fail && !d->act ? -1 : d->real->call; \
	if (fail) \
		errno = EIO; \
	return (fail ? -1 : rc); \
}

FAKE(fsync, (void *c, int fd), fsync(d->real->cookie, fd))
FAKE(close, (void *c, int fd), close(d->real->cookie, fd))
FAKE(link, (void *c, const char *a, const char *b),
    link(d->real->cookie, a, b))
FAKE(mkdir, (void *c, const char *a, int m), mkdir(d->real->cookie, a, m))

static int
disk_open(void *c, const char *path, int flags, int mode)
{
	struct disk *d = c;

	return (d->real->open(d->real->cookie, path, flags, mode));
}

static ssize_t
disk_pwrite(void *c, int fd, const void *p, size_t n, int64_t off)
{
	struct disk *d = c;

	return (hit(d) ? -1 : d->real->pwrite(d->real->cookie, fd, p, n, off));
}

static ssize_t
disk_pread(void *c, int fd, void *p, size_t n, int64_t off)
{
	struct disk *d = c;

	return (d->real->pread(d->real->cookie, fd, p, n, off));
}

static int64_t
disk_fsize(void *c, int fd)
{
	struct disk *d = c;

	return (d->real->fsize(d->real->cookie, fd));
}

static int
disk_unlink(void *c, const char *path)
{
	struct disk *d = c;

	return (d->real->unlink(d->real->cookie, path));
}

static int64_t
disk_now(void *c)
{
	struct disk *d = c;

	return (d->real->now_ticks(d->real->cookie));
}

static uint64_t
disk_random(void *c)
{
	struct disk *d = c;

	return (d->real->random(d->real->cookie));
}

static void
fake_sys(struct sys *sys, struct disk *d)
{
	*sys = *sys_posix();
	sys->cookie = d;
	sys->open = disk_open;
	sys->close = disk_close;
	sys->fsync = disk_fsync;
	sys->link = disk_link;
	sys->mkdir = disk_mkdir;
	sys->pwrite = disk_pwrite;
	sys->pread = disk_pread;
	sys->fsize = disk_fsize;
	sys->unlink = disk_unlink;
	sys->now_ticks = disk_now;
	sys->random = disk_random;
}

/* Each call fails once, before or after doing its work: "done" means the
 * version is there, an error means it is not. */
static void
test_failures(void **state)
{
	struct place *p = *state;
	const struct change ch = { { "part-a.parquet" }, NULL, p->schema, 1 };
	struct disk d = { .real = sys_posix() };
	struct delta_snapshot base, after;
	int64_t version;
	struct sys sys;
	int act, rc, failed = 0;

	fake_sys(&sys, &d);
	for (act = 0; act < 2; act++)
		for (d.fail_at = 1; ; d.fail_at++) {
			d.act = act;
			d.calls = 0;
			load(p, &base);
			rc = change_on(&sys, p, &base, &ch, &version, NULL);
			load(p, &after);
			assert_true(after.version == base.version +
			    (rc == 0));
			delta_snapshot_fini(&base);
			delta_snapshot_fini(&after);
			failed += rc != 0;
			if (d.calls < d.fail_at)
				break;
		}
	assert_true(failed >= 4);
}

/* --- sweeping ------------------------------------------------------------ */

static void
touch(struct place *p, const char *name)
{
	char *path = must_sprintf("%s/%s", p->dir, name), *slash;
	FILE *f;

	slash = strrchr(path, '/');
	*slash = '\0';
	assert_int_equal(sys_mkdirs(sys_posix(), path, NULL), 0);
	*slash = '/';
	f = fopen(path, "w");
	assert_non_null(f);
	fclose(f);
	free(path);
}

static bool
there(struct place *p, const char *name)
{
	char *path = must_sprintf("%s/%s", p->dir, name);
	bool yes = sys_exists(sys_posix(), path);

	free(path);
	return (yes);
}

static void
test_sweep(void **state)
{
	static const struct {
		const char *name;
		bool stays;		/* with keep_ms 0 */
	} files[] = {
		{ "part-live.parquet", true },
		{ "part-removed.parquet", false },
		{ "part-orphan.parquet", false },
		{ "date=2026-03-01/part-live2.parquet", true },
		{ "date=2026-03-01/part-orphan2.parquet", false },
		{ "notes.txt", true }, { "_other/part-x.parquet", true },
		{ ".hidden/part-x.parquet", true },
		{ "_delta_log/_last_checkpoint", true },
		{ "_delta_log/00000000000000000009.json.tmp-0123456789abcdef",
		    false },
	};
	struct place *p = *state;
	const struct change one = { { "part-live.parquet",
	    "part-removed.parquet", "date=2026-03-01/part-live2.parquet" },
	    NULL, p->schema, 1 };
	const struct change two = { { NULL }, "part-removed.parquet",
	    p->schema, 2 };
	struct delta_table *t = delta_open(sys_posix(), p->dir, NULL);
	struct delta_snapshot s;
	struct err e = ERR_INIT;
	size_t removed, i;

	(void)change(p, &one);
	(void)change(p, &two);
	for (i = 0; i < sizeof(files) / sizeof(files[0]); i++)
		touch(p, files[i].name);
	load(p, &s);
	/* Everything is young. */
	assert_int_equal(delta_sweep(t, &s, 3600000, &removed, &e), 0);
	assert_int_equal(removed, 0);
	assert_int_equal(delta_sweep(t, &s, 0, &removed, &e), 0);
	for (i = 0; i < sizeof(files) / sizeof(files[0]); i++)
		if (there(p, files[i].name) != files[i].stays)
			fail_msg("%s", files[i].name);
	assert_int_equal(removed, 4);
	delta_snapshot_fini(&s);
	load(p, &s);
	assert_true(s.version == 1);
	delta_snapshot_fini(&s);
	delta_close(t);
}

/* --- logs of others, and damaged ones ------------------------------------ */

#define META(more) "{\"metaData\":{\"id\":\"x\",\"format\":{\"provider\":" \
	"\"parquet\"},\"schemaString\":\"{\\\"fields\\\":[]}\"," \
	"\"partitionColumns\":[]" more "}}\n"
#define PROTO "{\"protocol\":{\"minReaderVersion\":1,\"minWriterVersion\":2}}\n"
#define ADD(path, more) "{\"add\":{\"path\":\"" path "\",\"size\":1," \
	"\"partitionValues\":{},\"dataChange\":true" more "}}\n"

static const struct {
	const char *text;
	int rc;
} logs[] = {
	{ PROTO META(""), 0 },
	{ PROTO META("") ADD("part-a.parquet", ""), 0 },
	{ PROTO META("") "{\"unknown\":{}}\n\n", 0 },
	{ PROTO META("") ADD("a", ",\"stats\":\"rubbish\""), 0 },
	{ PROTO META(",\"configuration\":{\"delta.appendOnly\":\"false\"}"), 0 },
	{ "", ERR_CORRUPT }, { PROTO, ERR_CORRUPT },
	{ PROTO META("") "{\"add\":", ERR_CORRUPT },
	{ PROTO META("") "[]\n", ERR_CORRUPT },
	{ PROTO META("") "{\"add\":{\"path\":\"a\"}}\n", ERR_CORRUPT },
	{ PROTO META("") "{\"txn\":{\"appId\":\"a\"}}\n", ERR_CORRUPT },
	{ "{\"protocol\":{\"minReaderVersion\":3,\"minWriterVersion\":7}}\n"
	    META(""), ERR_UNSUPPORTED },
	{ "{\"protocol\":{\"minReaderVersion\":1,\"minWriterVersion\":4}}\n"
	    META(""), ERR_UNSUPPORTED },
	{ PROTO META(",\"configuration\":{\"delta.appendOnly\":\"true\"}"),
	    ERR_UNSUPPORTED },
	{ PROTO META(",\"configuration\":{\"delta.constraints.a\":\"x>0\"}"),
	    ERR_UNSUPPORTED },
	{ PROTO META(",\"configuration\":{\"delta.columnMapping.mode\":"
	    "\"name\"}"), ERR_UNSUPPORTED },
	{ PROTO META("") ADD("../a.parquet", ""), ERR_UNSUPPORTED },
	{ PROTO META("") ADD("x/../../a.parquet", ""), ERR_UNSUPPORTED },
	{ PROTO META("") ADD("/etc/a.parquet", ""), ERR_UNSUPPORTED },
	{ PROTO META("") ADD("s3://b/a.parquet", ""), ERR_UNSUPPORTED },
	{ PROTO META("") ADD("a", ",\"deletionVector\":{\"x\":1}"),
	    ERR_UNSUPPORTED },
};

static void
put_log(struct place *p, int64_t version, const char *text)
{
	char *path = must_sprintf("%s/_delta_log/%020lld.json", p->dir,
	    (long long)version);
	FILE *f;

	(void)sys_mkdirs(sys_posix(), p->dir, NULL);
	touch(p, "_delta_log/x");
	f = fopen(path, "w");
	assert_non_null(f);
	fputs(text, f);
	fclose(f);
	free(path);
}

static void
test_logs(void **state)
{
	struct place *p = *state;
	struct delta_table *t = delta_open(sys_posix(), p->dir, NULL);
	struct delta_snapshot s;
	struct err e = ERR_INIT;
	size_t i;

	for (i = 0; i < sizeof(logs) / sizeof(logs[0]); i++) {
		put_log(p, 0, logs[i].text);
		if (delta_load(t, &s, &e) != logs[i].rc)
			fail_msg("log %zu: %s", i, e.text);
		if (logs[i].rc == 0)
			delta_snapshot_fini(&s);
		else
			assert_non_null(strstr(e.text, "_delta_log"));
	}
	put_log(p, 0, logs[0].text);
	put_log(p, 2, "");
	assert_int_equal(delta_load(t, &s, &e), ERR_CORRUPT);
	assert_non_null(strstr(e.text, "version 1"));
	delta_close(t);
}

/* Each bit of a commit of ours, and each length: noticed, but for the name
 * of the hash itself, without which all is as it was. */
static void
test_every_bit(void **state)
{
	struct place *p = *state;
	struct change ch = { .schema = p->schema, .txn = 2,
	    .add = { "date=2026-03-01/part-a.parquet" } };
	char *path = must_sprintf("%s/_delta_log/%020d.json", p->dir, 1);
	struct delta_table *t = delta_open(sys_posix(), p->dir, "timestamp");
	struct delta_snapshot s;
	size_t n, bit, unseen = 0, cut;
	struct err e;
	char *data, byte;
	int fd;

	(void)change(p, &ch);
	(void)change(p, &ch);
	assert_true((fd = open(path, O_RDWR)) >= 0);
	assert_int_equal(sys_read_file(sys_posix(), path, 1 << 20, &data, &n,
	    NULL), 0);
	for (bit = 0; bit < n * 8; bit++) {
		byte = (char)(data[bit / 8] ^ 1 << bit % 8);
		assert_int_equal(pwrite(fd, &byte, 1, (off_t)bit / 8), 1);
		if (delta_load(t, &s, &e) == 0) {
			unseen++;
			assert_true(s.version == 1 && s.nfiles == 1);
			delta_snapshot_fini(&s);
		} else {
			assert_string_equal(delta_bad_path(t), path);
		}
		assert_int_equal(pwrite(fd, data + bit / 8, 1,
		    (off_t)bit / 8), 1);
	}
	assert_true(unseen <= 8 * sizeof("\"garnerXxh64\":\""));
	for (cut = n; cut-- > 0;) {
		assert_int_equal(ftruncate(fd, (off_t)cut), 0);
		assert_int_equal(delta_load(t, &s, &e), ERR_CORRUPT);
	}
	delta_close(t);
	(void)close(fd);
	free(data);
	free(path);
}

int
main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_commit_and_load), T(test_actions),
		T(test_schema_changes), T(test_second_is_refused),
		T(test_race), T(test_failures), T(test_sweep), T(test_logs),
		T(test_every_bit),
	};

	return (cmocka_run_group_tests(tests, NULL, NULL));
}
