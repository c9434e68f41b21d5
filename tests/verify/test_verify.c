/*
 * Each rule of verify has a world that breaks it, and nothing else: two
 * tables written by hand, points that were walked and values of three of
 * them, with one thing wrong. What is found must be of the kinds expected,
 * and in the world without fault nothing.
 */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/err.h"
#include "base/must.h"
#include "base/ticks.h"
#include "compact/compact.h"
#include "delta/delta.h"
#include "journal/journal.h"
#include "ledger/ledger.h"
#include "parquet/parquet.h"
#include "rows/rows.h"
#include "source/source.h"
#include "sys/sys.h"
#include "verify/verify.h"

#define SOURCE "plant"
#define T0 17000000000000000
#define STREAMS 3
#define ROWS 10u			/* of a stream in a batch */
#define STEP TICKS_PER_S
#define SPAN (ROWS * STEP)

enum fault {
	NONE,
	/* the journal */
	STRAY,			/* a row outside of what is covered */
	COUNTS,			/* two records with each other's number */
	TOTAL,			/* a record of a walk with another number */
	OBJECTS,		/* ids of other objects */
	SHORT,			/* a block of the batch is not there */
	NO_COVER,
	TIMES,			/* the header's */
	/* the ledger */
	MORE_COVERED,
	STREAM_COUNT,
	GROUP_COUNT,
	NAME,
	UNKNOWN,		/* a point of the walk is not in it */
	BEHIND,			/* silver is further than it says */
	/* silver */
	ORDER,
	TWICE,
	LOG_ROWS,
	FAULTS
};

static const char *const expected[FAULTS] = {
	[NONE] = "",
	[STRAY] = "journal.cover",
	[COUNTS] = "journal.cover ledger.count",
	[TOTAL] = "journal.cover",
	[OBJECTS] = "coverage.unproven journal.objects",
	[SHORT] = "coverage.unproven journal.batch",
	[NO_COVER] = "coverage.unproven journal.batch",
	[TIMES] = "journal.times",
	[MORE_COVERED] = "coverage.unproven",
	[STREAM_COUNT] = "ledger.count",
	[GROUP_COUNT] = "ledger.count",
	[NAME] = "ledger.object",
	[UNKNOWN] = "coverage.unproven journal.objects ledger.object",
	[BEHIND] = "coverage.unproven ledger.count silver.position",
	[ORDER] = "silver.order",
	[TWICE] = "silver.duplicate",
	[LOG_ROWS] = "silver.stats",
};

static const struct rows_col point_cols[] = {
	{ "webid", ROWS_STRING, true }, { "name", ROWS_STRING, false },
};
static const struct rows_col value_cols[] = {
	{ "tag_webid", ROWS_STRING, true }, { "tag_name", ROWS_STRING, false },
	{ "timestamp", ROWS_TICKS, true }, { "value", ROWS_DOUBLE, false },
	{ "ordinal", ROWS_INT32, false },
};

struct world {
	enum fault fault;
	char dir[128];
	struct sys sys;
	struct rows_schema *schema[2];
	uint32_t key[2][2];
	struct source_table points, values;
	struct ledger *ledger;
	struct journal_pos walked, first, end;	/* of points; of values */
	char kinds[400];		/* found, sorted, apart by blanks */
};

static int
no_sync(void *cookie, int fd)
{

	(void)cookie;
	(void)fd;
	return (0);
}

static void
make_tables(struct world *w)
{
	struct source_table *p = &w->points, *v = &w->values;

	w->schema[0] = rows_schema_new("points", point_cols, 2);
	w->schema[1] = rows_schema_new("values", value_cols, 5);
	p->name = "points";
	p->kind = SOURCE_WALK;
	p->schema = w->schema[0];
	p->key = w->key[0];
	p->nkey = 1;
	p->cursor = p->ordinal = p->object_kind = -1;
	p->object_key = 0;
	p->object_name = 1;
	p->is_parent = true;
	v->name = "values";
	v->kind = SOURCE_SERIES;
	v->schema = w->schema[1];
	v->key = w->key[1];
	w->key[1][1] = 2;
	v->nkey = 2;
	v->cursor = 2;
	v->ordinal = 4;
	v->object_key = v->object_name = v->object_kind = -1;
	v->over = p;
}

static void
set_text(struct rows *r, uint32_t c, uint32_t i, const char *what, uint32_t k)
{
	char text[32];

	(void)snprintf(text, sizeof(text), "%s%u", what, k);
	rows_set_str(r, c, i, text, strlen(text));
}

/* --- the journals ----------------------------------------------------------- */

static struct journal_writer *
open_writer(struct world *w, const char *table, unsigned group)
{
	struct journal_pos zero = { 0, 0 };
	struct journal_writer *j;
	char *dir = must_sprintf("%s/bronze/" SOURCE "/%s/group-%u", w->dir,
	    table, group);

	assert_int_equal(journal_writer_open(&w->sys, dir, &zero, &j, NULL,
	    NULL), 0);
	free(dir);
	return (j);
}

static void
write_walk(struct world *w)
{
	struct journal_writer *j = open_writer(w, "points", 0);
	struct rows *r = rows_new(w->schema[0]);
	struct journal_batch b = { .blocks = 1, .walk = true };
	struct journal_cover c = { .rows = STREAMS, .a = TICKS_NONE,
	    .b = TICKS_NONE, .since = TICKS_NONE };
	struct journal_block k = { .ingested = T0, .first_tick = TICKS_NONE,
	    .last_tick = TICKS_NONE };
	uint32_t i;

	for (i = 1; i <= STREAMS; i++) {
		(void)rows_add(r);
		set_text(r, 0, i - 1, "P", i);
		set_text(r, 1, i - 1, "name", i);
	}
	c.rows += w->fault == TOTAL;
	assert_int_equal(journal_writer_append(j, r, &k, NULL), 0);
	assert_int_equal(journal_writer_cover(j, &k, &b, &c, 1, NULL), 0);
	assert_int_equal(journal_writer_sync(j, &w->walked, NULL), 0);
	journal_writer_close(j);
	rows_free(r);
}

static struct rows *
value_rows(struct world *w, uint32_t batch)
{
	struct rows *r = rows_new(w->schema[1]);
	uint32_t s, k, i;
	int64_t at;

	for (s = 1; s <= STREAMS; s++) {
		for (k = 0; k < ROWS; k++) {
			i = rows_add(r);
			at = T0 + batch * SPAN + k * STEP;
			if (w->fault == STRAY && batch == 1 && s == 2 &&
			    k == ROWS - 1)
				at += STEP;
			set_text(r, 0, i, "P", s);
			set_text(r, 1, i, "name", s);
			rows_set_i64(r, 2, i, at);
			rows_set_f64(r, 3, i, k);
			rows_set_i32(r, 4, i, 0);
		}
	}
	return (r);
}

static void
write_batch(struct world *w, struct journal_writer *j, uint32_t batch,
    struct journal_pos *pos)
{
	struct journal_batch b = { .blocks = 1, .requests = 1 };
	struct journal_cover c[STREAMS];
	struct journal_block k = { .group = 1, .ingested = T0 + batch };
	struct rows *r = value_rows(w, batch);
	bool here = batch == 1;		/* the fault is in the second */
	uint32_t s;
	char key[8];

	memset(k.batch_id, (int)batch + 1, sizeof(k.batch_id));
	for (s = 1; s <= STREAMS; s++) {
		(void)snprintf(key, sizeof(key), "P%u",
		    w->fault == OBJECTS && here ? s % STREAMS + 1 : s);
		b.keys += journal_cover_key(s, key);
		c[s - 1] = (struct journal_cover){ .object = s, .rows = ROWS,
		    .a = T0 + batch * SPAN, .b = T0 + (batch + 1) * SPAN,
		    .since = TICKS_NONE };
	}
	if (w->fault == COUNTS && here) {
		c[0].rows--;
		c[1].rows++;
	}
	b.blocks += w->fault == SHORT && here;
	k.first_tick = T0 + batch * SPAN;
	k.last_tick = k.first_tick + (ROWS - 1) * STEP + (w->fault == TIMES) +
	    (w->fault == STRAY && here ? STEP : 0);
	assert_int_equal(journal_writer_append(j, r, &k, NULL), 0);
	if (w->fault != NO_COVER || !here)
		assert_int_equal(journal_writer_cover(j, &k, &b, c, STREAMS,
		    NULL), 0);
	assert_int_equal(journal_writer_sync(j, pos, NULL), 0);
	rows_free(r);
}

/* --- the ledger -------------------------------------------------------------- */

static int
put_objects(struct ledger_txn *t, struct world *w, struct err *e)
{
	struct ledger_object o;
	uint64_t generation, gone;
	uint32_t i, id;
	char key[8], name[16];
	int rc;

	if ((rc = ledger_walk_begin(t, "points", &generation, e)) != 0)
		return (rc);
	for (i = 1; i <= STREAMS; i++) {
		memset(&o, 0, sizeof(o));
		(void)snprintf(key, sizeof(key), "P%u", i);
		(void)snprintf(name, sizeof(name), "%s%u", w->fault == NAME &&
		    i == 2 ? "other" : "name", i);
		o.key = key;
		o.name = name;
		o.parent = o.kind = "";
		if (w->fault == UNKNOWN && i == STREAMS)
			break;
		if ((rc = ledger_object_put(t, "points", &o, &id, e)) != 0)
			return (rc);
		assert_int_equal(id, i);
	}
	return (ledger_walk_end(t, "points", generation, &gone, e));
}

static int
put_streams(struct ledger_txn *t, struct world *w, struct err *e)
{
	struct ledger_stream s;
	uint32_t i;
	int rc = 0;

	for (i = 1; i <= STREAMS && rc == 0; i++) {
		ledger_stream_init(&s);
		ranges_add(&s.covered, T0, T0 + 2 * SPAN +
		    (w->fault == MORE_COVERED && i == 1));
		s.values = 2 * ROWS + (w->fault == STREAM_COUNT && i == 1);
		rc = ledger_stream_put(t, "values", i, &s, e);
		ledger_stream_fini(&s);
	}
	return (rc);
}

static int
fill_ledger(struct ledger_txn *t, void *cookie, struct err *e)
{
	struct world *w = cookie;
	struct ledger_group g = { .pos = w->walked, .batches = 1,
	    .rows = STREAMS };
	int rc;

	if ((rc = put_objects(t, w, e)) != 0 ||
	    (rc = put_streams(t, w, e)) != 0 ||
	    (rc = ledger_group_put(t, "points", 0, &g, e)) != 0)
		return (rc);
	g.pos = w->end;
	g.batches = 2;
	g.rows = 2 * STREAMS * ROWS + (w->fault == GROUP_COUNT);
	return (ledger_group_put(t, "values", 1, &g, e));
}

static int
set_back(struct ledger_txn *t, void *cookie, struct err *e)
{
	struct world *w = cookie;
	struct ledger_group g;
	int rc;

	if ((rc = ledger_group_get(t, "values", 1, &g, e)) != 0)
		return (rc);
	g.pos = w->first;
	return (ledger_group_put(t, "values", 1, &g, e));
}

/* --- silver ------------------------------------------------------------------ */

static void
compact(struct world *w, const struct source_table *t)
{
	struct compact_options o = { .data_dir = w->dir, .source = SOURCE,
	    .memory = 16 << 20, .file_rows = 1000000 };
	struct compact_result r;
	struct err e = ERR_INIT;

	if (compact_table(&w->sys, w->ledger, t, &o, &r, &e) != 0)
		fail_msg("%s", e.text);
}

/* A file of two rows of one stream, at these seconds. */
static void
write_file(struct world *w, const char *dir, const char *name, int a, int b,
    struct parquet_info *info)
{
	struct rows_schema *s = compact_schema(&w->values, false);
	char *path = must_sprintf("%s/%s", dir, name);
	struct rows *r = rows_new(s);
	struct parquet_writer *p;
	int at[2] = { a, b };
	uint32_t i;

	for (i = 0; i < 2; i++) {
		(void)rows_add(r);
		rows_set_str(r, (uint32_t)rows_schema_find(s, "tag_webid"), i,
		    "P9", 2);
		rows_set_i64(r, (uint32_t)rows_schema_find(s, "timestamp"), i,
		    T0 + at[i] * STEP);
		rows_set_i32(r, (uint32_t)rows_schema_find(s,
		    "timestamp_ticks"), i, 0);
		rows_set_i64(r, (uint32_t)rows_schema_find(s,
		    "ingestion_timestamp"), i, T0);
		rows_set_i32(r, (uint32_t)rows_schema_find(s,
		    "pipeline_group"), i, 1);
		rows_set_str(r, (uint32_t)rows_schema_find(s, "batch_id"), i,
		    "x", 1);
	}
	assert_int_equal(parquet_writer_open(&w->sys, path, s, NULL, &p,
	    NULL), 0);
	assert_int_equal(parquet_writer_append(p, r, 0, 2, NULL), 0);
	assert_int_equal(parquet_writer_finish(p, info, NULL), 0);
	rows_free(r);
	rows_schema_free(s);
	free(path);
}

static void
add_files(struct world *w)
{
	struct rows_schema *s = compact_schema(&w->values, false);
	struct parquet_info info[2];
	char date[TICKS_TEXT_MAX], *dir, *sub, *name[2];
	struct delta_add adds[2];
	struct delta_commit c = { .operation = "WRITE", .schema = s,
	    .partition_column = "date", .data_change = true, .adds = adds,
	    .nadds = 2 };
	struct delta_snapshot base;
	struct delta_table *d;
	struct err e = ERR_INIT;
	int64_t version;
	int i;

	(void)ticks_date(T0, date);
	dir = must_sprintf("%s/silver/" SOURCE "/values", w->dir);
	sub = must_sprintf("%s/date=%s", dir, date);
	assert_int_equal(sys_mkdirs(&w->sys, sub, &e), 0);
	for (i = 0; i < 2; i++) {
		name[i] = must_sprintf("date=%s/part-%d.parquet", date, i);
		adds[i] = (struct delta_add){ name[i], date, &info[i] };
	}
	write_file(w, dir, name[0], w->fault == ORDER ? 2 : 1,
	    w->fault == ORDER ? 1 : 2, &info[0]);
	write_file(w, dir, name[1], w->fault == TWICE ? 2 : 3, 4, &info[1]);
	info[0].rows += w->fault == LOG_ROWS;
	d = delta_open(&w->sys, dir, "timestamp");
	assert_int_equal(delta_load(d, &base, &e), 0);
	if (delta_commit(d, &base, &c, &version, &e) != 0)
		fail_msg("%s", e.text);
	delta_snapshot_fini(&base);
	delta_close(d);
	for (i = 0; i < 2; i++) {
		parquet_info_fini(&info[i]);
		free(name[i]);
	}
	free(sub);
	free(dir);
	rows_schema_free(s);
}

/* --- a world ----------------------------------------------------------------- */

static void
build(struct world *w, enum fault fault)
{
	const char *tmp = getenv("TMPDIR");
	struct journal_writer *j;
	struct err e = ERR_INIT;
	char *path;

	memset(w, 0, sizeof(*w));
	w->fault = fault;
	(void)snprintf(w->dir, sizeof(w->dir), "%s/verify-XXXXXX",
	    tmp != NULL && strlen(tmp) < 60 ? tmp : "/tmp");
	assert_non_null(mkdtemp(w->dir));
	w->sys = *sys_posix();
	w->sys.fsync = w->sys.fdatasync = no_sync;
	make_tables(w);
	write_walk(w);
	j = open_writer(w, "values", 1);
	write_batch(w, j, 0, &w->first);
	write_batch(w, j, 1, &w->end);
	journal_writer_close(j);
	path = must_sprintf("%s/ledger", w->dir);
	assert_int_equal(ledger_open(path, false, &w->ledger, &e), 0);
	free(path);
	assert_int_equal(ledger_write(w->ledger, fill_ledger, w, &e), 0);
	if (fault >= ORDER) {
		add_files(w);
		return;
	}
	compact(w, &w->points);
	compact(w, &w->values);
	if (fault == BEHIND)
		assert_int_equal(ledger_write(w->ledger, set_back, w, &e), 0);
}

static void
destroy(struct world *w)
{

	ledger_close(w->ledger);
	assert_int_equal(sys_remove_tree(w->dir, NULL), 0);
	rows_schema_free(w->schema[0]);
	rows_schema_free(w->schema[1]);
}

/* Kinds once each, in order; expected[] is so too. */
static void
on_finding(void *cookie, const struct verify_finding *f)
{
	struct world *w = cookie;
	char old[sizeof(w->kinds)], *p, *save = NULL;
	bool put = false;

	assert_non_null(f->text);
	if (f->severity != VERIFY_ERROR)
		return;
	memcpy(old, w->kinds, sizeof(old));
	w->kinds[0] = '\0';
	for (p = strtok_r(old, " ", &save);; p = strtok_r(NULL, " ", &save)) {
		if (!put && (p == NULL || strcmp(f->kind, p) <= 0)) {
			if (w->kinds[0] != '\0')
				(void)strcat(w->kinds, " ");
			(void)strcat(w->kinds, f->kind);
			put = true;
			if (p != NULL && strcmp(f->kind, p) == 0)
				continue;
		}
		if (p == NULL)
			break;
		if (w->kinds[0] != '\0')
			(void)strcat(w->kinds, " ");
		(void)strcat(w->kinds, p);
	}
}

static void
test_each_rule(void **state)
{
	struct verify_options o = { .source = SOURCE, .finding = on_finding };
	const struct source_table *tables[3];
	struct verify_result r;
	struct err e = ERR_INIT;
	struct world w;
	unsigned f;

	(void)state;
	for (f = 0; f < FAULTS; f++) {
		build(&w, (enum fault)f);
		tables[0] = &w.points;
		tables[1] = &w.values;
		tables[2] = NULL;
		o.data_dir = w.dir;
		o.cookie = &w;
		if (verify_run(&w.sys, w.ledger, tables, &o, &r, &e) != 0)
			fail_msg("%u: %s", f, e.text);
		if (strcmp(w.kinds, expected[f]) != 0)
			fail_msg("world %u: found \"%s\", not \"%s\"", f,
			    w.kinds, expected[f]);
		assert_true((r.errors > 0) == (f != NONE));
		destroy(&w);
	}
}

/* What repair makes of the worlds whose journals and ledger disagree. */
static void
count_action(void *cookie, const struct verify_action *a)
{
	unsigned *n = cookie;

	assert_non_null(a->kind);
	(*n)++;
}

static void
test_repair_drops_what_is_not_proven(void **state)
{
	static const enum fault faults[] = { OBJECTS, SHORT, NO_COVER,
	    MORE_COVERED, STREAM_COUNT, GROUP_COUNT };
	struct verify_options o = { .source = SOURCE, .finding = on_finding };
	struct verify_repair_options ro = { .source = SOURCE, .apply = true,
	    .action = count_action };
	const struct source_table *tables[2] = { NULL, NULL };
	struct verify_result r;
	struct err e = ERR_INIT;
	struct world w;
	unsigned actions, i;

	(void)state;
	for (i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
		build(&w, faults[i]);
		tables[0] = &w.values;
		ro.data_dir = o.data_dir = w.dir;
		actions = 0;
		ro.cookie = &actions;
		o.cookie = &w;
		if (verify_mend(&w.sys, w.ledger, &w.values, &ro, &e) != 0)
			fail_msg("%u: %s", i, e.text);
		assert_int_equal(actions, faults[i] <= NO_COVER ? STREAMS :
		    faults[i] == MORE_COVERED);
		assert_int_equal(verify_run(&w.sys, w.ledger, tables, &o, &r,
		    &e), 0);
		/* The journal is as it was; the ledger is no longer wrong. */
		assert_null(strstr(w.kinds, "coverage"));
		assert_null(strstr(w.kinds, "ledger"));
		destroy(&w);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_rule),
		cmocka_unit_test(test_repair_drops_what_is_not_proven),
	};

	return (cmocka_run_group_tests(tests, NULL, NULL));
}
