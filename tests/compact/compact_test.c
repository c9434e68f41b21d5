/*
 * The model is as plain as it can be: all rows in one array, sorted by key
 * and age by qsort(3), the first of each key is expected.
 */

#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/err.h"
#include "base/must.h"
#include "base/ticks.h"
#include "compact_test.h"
#include "delta/delta.h"
#include "ledger/ledger.h"
#include "parquet/parquet.h"
#include "rows/rows.h"
#include "sys/sys.h"

static const struct rows_col series_cols[] = {
	{ "tag_webid", ROWS_STRING, true }, { "tag_name", ROWS_STRING, false },
	{ "timestamp", ROWS_TICKS, true }, { "value", ROWS_DOUBLE, false },
	{ "value_text", ROWS_STRING, false },
	{ "serial", ROWS_INT64, false }, { "good", ROWS_BOOL, false },
	{ "units", ROWS_STRING, false }, { "ordinal", ROWS_INT32, false },
};
static const struct rows_col frames_cols[] = {
	{ "webid", ROWS_STRING, true }, { "name", ROWS_STRING, false },
	{ "start_time", ROWS_TICKS, true }, { "serial", ROWS_INT64, false },
};
static const struct rows_col walk_cols[] = {
	{ "webid", ROWS_STRING, true }, { "name", ROWS_STRING, false },
	{ "serial", ROWS_INT64, false },
};

static void
set_table(struct test *t, enum source_kind kind)
{
	struct source_table *s = &t->table;

	s->kind = kind;
	s->key = t->key;
	t->key[0] = 0;
	t->key[1] = 2;
	s->nkey = kind == SOURCE_WALK ? 1 : 2;
	s->cursor = kind == SOURCE_WALK ? -1 : 2;
	s->ordinal = kind == SOURCE_SERIES ? 8 : -1;
	s->object_key = s->object_name = s->object_kind = -1;
	if (kind == SOURCE_SERIES) {
		s->name = "values";
		t->schema = rows_schema_new(s->name, series_cols, 9);
	} else if (kind == SOURCE_FRAMES) {
		s->name = "frames";
		t->schema = rows_schema_new(s->name, frames_cols, 4);
	} else {
		s->name = "points";
		t->schema = rows_schema_new(s->name, walk_cols, 3);
	}
	s->schema = t->schema;
	t->over.name = "tags";
	s->over = &t->over;
}

static int
no_sync(void *cookie, int fd)
{

	(void)cookie;
	(void)fd;
	return (0);
}

void
test_init(struct test *t, enum source_kind kind)
{
	const char *tmp = getenv("TMPDIR");
	struct err e = ERR_INIT;
	char *path;
	int i;

	memset(t, 0, sizeof(*t));
	snprintf(t->dir, sizeof(t->dir), "%s/compact-XXXXXX",
	    tmp != NULL && strlen(tmp) < 40 ? tmp : "/tmp");
	assert_non_null(mkdtemp(t->dir));
	t->sys = *sys_posix();
	t->sys.fsync = t->sys.fdatasync = no_sync;
	set_table(t, kind);
	path = must_sprintf("%s/ledger", t->dir);
	assert_int_equal(ledger_open(path, false, &t->ledger, &e), 0);
	free(path);
	for (i = 0; i < TEST_GROUPS; i++)
		t->clock[i] = 17000000000000000;
	t->opt.data_dir = t->dir;
	t->opt.source = TEST_SOURCE;
	t->opt.memory = 64 << 20;
	t->opt.file_rows = 1000000;
}

void
test_fini(struct test *t)
{
	struct err e = ERR_INIT;

	ledger_close(t->ledger);
	assert_int_equal(sys_remove_tree(t->dir, &e), 0);
	rows_schema_free(t->schema);
	free(t->all.r);
	free(t->open.r);
	free(t->covers);
}

static void
push(struct test_rows *a, const struct test_row *r)
{

	if (a->n == a->cap) {
		a->cap = a->cap == 0 ? 64 : a->cap * 2;
		a->r = must_realloc(a->r, a->cap, sizeof(a->r[0]));
	}
	a->r[a->n++] = *r;
}

void
test_add(struct test *t, const char *id, int64_t at, int32_t ordinal)
{
	struct test_row r;

	memset(&r, 0, sizeof(r));
	snprintf(r.id, sizeof(r.id), "%s", id);
	r.at = at;
	r.ordinal = ordinal;
	push(&t->open, &r);
}

/* --- covers -------------------------------------------------------------- */

void
test_cover(struct test *t, unsigned tag, int64_t a, int64_t b, bool replaces)
{
	struct test_cover *c = &t->cover[t->nopen++];

	assert_true(t->nopen <= 64 && tag < 100);
	memset(c, 0, sizeof(*c));
	snprintf(c->id, sizeof(c->id), "tag%u", tag);
	c->a = a;
	c->b = b;
	c->replaces = replaces;
}

static int
put_objects(struct ledger_txn *txn, void *cookie, struct err *e)
{
	struct ledger_object o = { .name = "", .parent = "", .kind = "" };
	char key[24];
	uint32_t id;
	int rc = 0;

	(void)cookie;
	for (int i = 0; i < 100 && rc == 0; i++) {
		snprintf(key, sizeof(key), "tag%d", i);
		o.key = key;
		rc = ledger_object_put(txn, "tags", &o, &id, e);
		assert_int_equal(id, i + 1);
	}
	return (rc);
}

static void
write_covers(struct test *t, struct journal_writer *w, struct journal_block *b,
    uint32_t blocks)
{
	struct journal_batch batch = { .blocks = blocks + t->half };
	struct journal_cover c[64];
	struct err e = ERR_INIT;
	size_t i;

	if (ledger_write(t->ledger, put_objects, NULL, &e) != 0)
		fail_msg("%s", e.text);
	for (i = 0; i < t->nopen; i++) {
		memset(&c[i], 0, sizeof(c[i]));
		c[i].object = (uint32_t)atoi(t->cover[i].id + 3) + 1;
		c[i].a = t->cover[i].a;
		c[i].b = t->cover[i].b;
		c[i].replaces = t->cover[i].replaces;
		c[i].since = TICKS_NONE;
		if (i == 0 || c[i].object != c[i - 1].object)
			batch.keys += journal_cover_key(c[i].object,
			    t->cover[i].id);
		if (!c[i].replaces || t->half || t->strange)
			continue;
		t->covers = must_realloc(t->covers, t->ncovers + 1,
		    sizeof(t->covers[0]));
		t->covers[t->ncovers] = t->cover[i];
		t->covers[t->ncovers].ingested = b->ingested -
		    ticks_rest(b->ingested);
		t->covers[t->ncovers++].group = b->group;
	}
	batch.keys += t->strange;
	if (journal_writer_cover(w, b, &batch, c, t->nopen, &e) != 0)
		fail_msg("%s", e.text);
	t->nopen = 0;
	t->half = t->strange = false;
}

/* --- writing a journal --------------------------------------------------- */

static void
fill_series(struct rows *out, uint32_t i, const struct test_row *r)
{
	char text[24];

	rows_set_i64(out, 2, i, r->at);
	if (r->serial % 3 != 0)
		rows_set_f64(out, 3, i, (double)r->serial / 4);
	if (r->serial % 5 == 0) {
		snprintf(text, sizeof(text), "s%lld", (long long)r->serial);
		rows_set_str(out, 4, i, text, strlen(text));
	}
	rows_set_i64(out, 5, i, r->serial);
	rows_set_bool(out, 6, i, r->serial % 2 == 0);
	if (r->serial % 7 != 0)
		rows_set_str(out, 7, i, "bar", 3);
	rows_set_i32(out, 8, i, r->ordinal);
}

static void
fill_row(const struct test *t, struct rows *out, const struct test_row *r)
{
	uint32_t i = rows_add(out);

	rows_set_str(out, 0, i, r->id, strlen(r->id));
	rows_set_str(out, 1, i, "a name", 6);
	switch (t->table.kind) {
	case SOURCE_SERIES:
		fill_series(out, i, r);
		break;
	case SOURCE_FRAMES:
		rows_set_i64(out, 2, i, r->at);
		rows_set_i64(out, 3, i, r->serial);
		break;
	case SOURCE_WALK:
		rows_set_i64(out, 2, i, r->serial);
		break;
	}
}

static void
write_block(struct test *t, uint32_t group, int64_t ingested)
{
	struct journal_writer *w;
	struct journal_block b;
	struct err e = ERR_INIT;
	struct test_row r;
	struct rows *rows;
	char *dir;
	size_t i;

	rows = rows_new(t->schema);
	for (i = 0; i < t->open.n; i++) {
		r = t->open.r[i];
		r.serial = (int64_t)t->all.n + 1;
		r.ingested = ingested - ticks_rest(ingested);
		r.group = (int32_t)group;
		r.block = t->blocks;
		r.round = t->round;
		fill_row(t, rows, &r);
		push(&t->all, &r);
	}
	t->blocks++;
	memset(&b, 0, sizeof(b));
	b.group = (int32_t)group;
	b.batch_id[0] = 0xa7;
	memcpy(b.batch_id + 8, &t->blocks, sizeof(t->blocks));
	b.ingested = ingested;
	b.first_tick = b.last_tick = TICKS_NONE;
	dir = must_sprintf("%s/bronze/%s/%s/group-%u", t->dir, TEST_SOURCE,
	    t->table.name, group);
	if (journal_writer_open(&t->sys, dir, &t->pos[group], &w, NULL,
	    &e) != 0 || (rows->n > 0 &&
	    journal_writer_append(w, rows, &b, &e) != 0))
		fail_msg("%s", e.text);
	if (t->nopen > 0)
		write_covers(t, w, &b, rows->n > 0);
	if (journal_writer_sync(w, &t->pos[group], &e) != 0)
		fail_msg("%s", e.text);
	journal_writer_close(w);
	free(dir);
	rows_free(rows);
}

struct put {
	struct test *t;
	uint32_t group;
	struct journal_pos run;
	uint64_t rows;
};

static int
put_group(struct ledger_txn *txn, void *cookie, struct err *e)
{
	struct put *p = cookie;
	struct ledger_group g;
	int rc;

	rc = ledger_group_get(txn, p->t->table.name, p->group, &g, e);
	if (rc != 0)
		return (rc);
	g.pos = p->t->pos[p->group];
	g.run = p->run;
	g.batches++;
	g.rows += p->rows;
	return (ledger_group_put(txn, p->t->table.name, p->group, &g, e));
}

void
test_commit(struct test *t, uint32_t group, int64_t ingested)
{
	struct put p = { t, group, t->pos[group], t->open.n };
	struct err e = ERR_INIT;

	t->round++;
	t->walk[group] = t->round;
	t->clock[group] = ingested;
	if (t->open.n > 0 || t->nopen > 0)
		write_block(t, group, ingested);
	t->open.n = 0;
	if (ledger_write(t->ledger, put_group, &p, &e) != 0)
		fail_msg("%s", e.text);
}

void
test_random(struct test *t, struct rng *rng, uint32_t group)
{
	int64_t from, step, at, ingested;
	uint64_t streams, s, n, i;
	int32_t ordinal;
	char id[24];

	streams = 1 + rng_below(rng, 5);
	for (s = 0; s < streams; s++) {
		snprintf(id, sizeof(id), "tag%llu",
		    (unsigned long long)rng_below(rng, 12));
		/* Three days; few different times, so that keys meet. */
		from = (int64_t)rng_below(rng, 3) * TICKS_PER_DAY +
		    (int64_t)rng_below(rng, 40) * 360 * TICKS_PER_S;
		step = 360 * TICKS_PER_S * (int64_t)(1 + rng_below(rng, 2));
		n = rng_below(rng, 40);
		for (i = 0, at = from; i < n; i++, at += step) {
			ordinal = 0;
			do
				test_add(t, id, at + (int64_t)i % 3,
				    ordinal++);
			while (rng_below(rng, 8) == 0);
		}
	}
	ingested = t->clock[group] + 1 + (int64_t)rng_below(rng, 25);
	test_commit(t, group, ingested);
}

void
test_random_again(struct test *t, struct rng *rng, uint32_t group,
    int64_t ingested)
{
	int64_t a, b, at;
	unsigned tag;
	char id[24];
	int k;

	for (tag = 0; tag < 12; tag++) {
		snprintf(id, sizeof(id), "tag%u", tag);
		a = (int64_t)rng_below(rng, 30) * 360 * TICKS_PER_S;
		for (k = 0; k < 3 && rng_below(rng, 4) == 0; k++) {
			/* At times to within a tick; over days at times. */
			b = a + (int64_t)rng_below(rng, 3) +
			    (int64_t)(rng_below(rng, 5) == 0 ?
			    rng_below(rng, 300) : 1 + rng_below(rng, 10)) *
			    360 * TICKS_PER_S;
			test_cover(t, tag, a, b, rng_below(rng, 5) != 0);
			for (at = a; at < b && rng_below(rng, 9) != 0;
			    at += 360 * TICKS_PER_S)
				if (rng_below(rng, 2) == 0)
					test_add(t, id, at +
					    (b - at > 2 ? (int64_t)
					    rng_below(rng, 3) : 0), 0);
			a = b + 1 + (int64_t)rng_below(rng, 40) * 360 *
			    TICKS_PER_S;
		}
	}
	t->half = t->nopen > 0 && rng_below(rng, 12) == 0;
	t->strange = t->nopen > 0 && rng_below(rng, 12) == 0;
	test_commit(t, group, ingested);
}

/* --- the model ----------------------------------------------------------- */

static int
cmp(int64_t a, int64_t b)
{

	return ((a > b) - (a < b));
}

static int
key_cmp(const struct test_row *a, const struct test_row *b)
{
	int d = strcmp(a->id, b->id);

	return (d != 0 ? d : cmp(a->at, b->at));
}

static int
age_cmp(const struct test_row *a, const struct test_row *b)
{
	int d;

	if ((d = cmp(b->ingested, a->ingested)) != 0 ||
	    (d = cmp(b->group, a->group)) != 0 ||
	    (d = cmp(b->block, a->block)) != 0 ||
	    (d = cmp(b->ordinal, a->ordinal)) != 0)
		return (d);
	return (cmp(b->serial, a->serial));
}

static int
last_cmp(const void *x, const void *y)
{
	int d = key_cmp(x, y);

	return (d != 0 ? d : age_cmp(x, y));
}

static int
all_cmp(const void *x, const void *y)
{
	const struct test_row *a = x, *b = y;
	int d = key_cmp(a, b);

	if (d == 0)
		d = cmp(a->ordinal, b->ordinal);
	return (d != 0 ? d : age_cmp(a, b));
}

static bool
same_key(const struct test *t, const struct test_row *a,
    const struct test_row *b)
{

	return (key_cmp(a, b) == 0 &&
	    (!t->opt.ties_all || a->ordinal == b->ordinal));
}

/* Its time was read again since, by a batch that says what was there. */
static bool
is_replaced(const struct test *t, const struct test_row *r)
{
	const struct test_cover *c;
	size_t i;

	for (i = 0; i < t->ncovers; i++) {
		c = &t->covers[i];
		if (c->a <= r->at && r->at < c->b &&
		    strcmp(c->id, r->id) == 0 && (c->ingested > r->ingested ||
		    (c->ingested == r->ingested && c->group > r->group)))
			return (true);
	}
	return (false);
}

static void
expected(const struct test *t, struct test_rows *out)
{
	struct test_row r;
	size_t i, k = 0;

	memset(out, 0, sizeof(*out));
	for (i = 0; i < t->all.n; i++) {
		r = t->all.r[i];
		if (t->table.kind == SOURCE_WALK &&
		    r.round != t->walk[r.group])
			continue;
		if (is_replaced(t, &r))
			continue;
		if (t->table.kind == SOURCE_FRAMES)
			r.at -= ticks_rest(r.at);
		push(out, &r);
	}
	if (out->n == 0)
		return;
	qsort(out->r, out->n, sizeof(out->r[0]),
	    t->opt.ties_all ? all_cmp : last_cmp);
	for (i = 1; i < out->n; i++)
		if (!same_key(t, &out->r[i], &out->r[k]))
			out->r[++k] = out->r[i];
	out->n = k + 1;
}

/* --- reading back -------------------------------------------------------- */

static uint32_t
col(const struct rows *r, const char *name)
{
	int c = rows_schema_find(r->schema, name);

	if (c < 0)
		fail_msg("no column %s", name);
	return ((uint32_t)c);
}

static int64_t
get_i64(const struct rows *r, const char *name, uint32_t i)
{
	uint32_t c = col(r, name);

	assert_false(rows_null(r, c, i));
	return (r->schema->cols[c].type == ROWS_INT32 ? r->v[c].i32[i] :
	    r->v[c].i64[i]);
}

static void
check_cells(const struct rows *r, uint32_t i, int64_t serial)
{
	uint32_t value = col(r, "value"), text = col(r, "value_text");
	char want[24];
	const char *s;
	size_t n;

	assert_int_equal(rows_null(r, value, i), serial % 3 == 0);
	if (serial % 3 != 0)
		assert_true(r->v[value].f64[i] * 4 == (double)serial);
	assert_int_equal(rows_null(r, text, i), serial % 5 != 0);
	if (serial % 5 == 0) {
		snprintf(want, sizeof(want), "s%lld", (long long)serial);
		s = rows_str(r, text, i, &n);
		assert_int_equal(n, strlen(want));
		assert_memory_equal(s, want, n);
	}
	assert_int_equal(r->v[col(r, "good")].b[i], serial % 2 == 0);
	assert_int_equal(rows_null(r, col(r, "units"), i), serial % 7 == 0);
}

static void
get_row(const struct test *t, const struct rows *r, uint32_t i,
    struct test_row *out)
{
	const char *s;
	size_t n;

	memset(out, 0, sizeof(*out));
	s = rows_str(r, 0, i, &n);
	assert_true(n < sizeof(out->id));
	memcpy(out->id, s, n);
	out->serial = get_i64(r, "serial", i);
	out->ingested = get_i64(r, "ingestion_timestamp", i);
	out->group = (int32_t)get_i64(r, "pipeline_group", i);
	s = rows_str(r, col(r, "batch_id"), i, &n);
	assert_int_equal(n, 32);
	assert_memory_equal(s, "a700000000", 10);
	if (t->table.kind == SOURCE_FRAMES)
		out->at = get_i64(r, "start_time", i);
	if (t->table.kind != SOURCE_SERIES)
		return;
	out->at = get_i64(r, "timestamp", i) +
	    get_i64(r, "timestamp_ticks", i);
	if (t->opt.ties_all)
		out->ordinal = (int32_t)get_i64(r, "ordinal", i);
	check_cells(r, i, out->serial);
}

static void
read_file(const struct test *t, const char *path, const struct delta_file *f,
    struct test_rows *out)
{
	struct parquet_reader *p;
	struct err e = ERR_INIT;
	char date[TICKS_TEXT_MAX];
	struct test_row row;
	struct rows *r;
	size_t first = out->n;
	uint32_t i;
	int rc;

	if (parquet_reader_open(sys_posix(), path, &p, &e) != 0)
		fail_msg("%s", e.text);
	assert_int_equal(parquet_reader_rows(p), f->rows);
	assert_true(f->rows <= t->opt.file_rows);
	r = rows_new(parquet_reader_schema(p));
	while ((rc = parquet_reader_next(p, r, 100, &e)) > 0) {
		for (i = 0; i < r->n; i++) {
			get_row(t, r, i, &row);
			if (f->partition != NULL)
				assert_string_equal(ticks_date(row.at, date),
				    f->partition);
			if (out->n > first)
				assert_true(all_cmp(&out->r[out->n - 1],
				    &row) < 0);
			push(out, &row);
		}
		rows_clear(r);
	}
	if (rc != 0)
		fail_msg("%s", e.text);
	assert_int_equal(out->n - first, f->rows);
	rows_free(r);
	parquet_reader_close(p);
}

static struct delta_table *
load(struct test *t, struct delta_snapshot *s, char **dir)
{
	struct delta_table *d;
	struct err e = ERR_INIT;

	*dir = must_sprintf("%s/silver/%s/%s", t->dir, TEST_SOURCE,
	    t->table.name);
	d = delta_open(sys_posix(), *dir, NULL);
	if (delta_load(d, s, &e) != 0)
		fail_msg("%s", e.text);
	return (d);
}

int64_t
test_version(struct test *t)
{
	struct delta_snapshot s;
	struct delta_table *d;
	int64_t version;
	char *dir;

	d = load(t, &s, &dir);
	version = s.version;
	delta_snapshot_fini(&s);
	delta_close(d);
	free(dir);
	return (version);
}

static size_t
count_files(const char *dir)
{
	struct err e = ERR_INIT;
	char **names, *path;
	size_t i, n, len, sum = 0;

	assert_int_equal(sys_list_dir(dir, &names, &n, &e), 0);
	for (i = 0; i < n; i++) {
		len = strlen(names[i]);
		sum += len > 8 && strcmp(names[i] + len - 8, ".parquet") == 0;
		if (strncmp(names[i], "date=", 5) != 0)
			continue;
		path = must_sprintf("%s/%s", dir, names[i]);
		sum += count_files(path);
		free(path);
	}
	sys_list_free(names, n);
	return (sum);
}

void
test_no_orphans(struct test *t)
{
	struct delta_snapshot s;
	struct delta_table *d;
	char *dir;

	d = load(t, &s, &dir);
	assert_int_equal(count_files(dir), s.nfiles + s.ngone);
	delta_snapshot_fini(&s);
	delta_close(d);
	free(dir);
}

static void
read_silver(struct test *t, struct test_rows *out)
{
	struct delta_snapshot s;
	struct delta_table *d;
	char *path, *dir;
	size_t i;

	memset(out, 0, sizeof(*out));
	d = load(t, &s, &dir);
	for (i = 0; i < s.nfiles; i++) {
		assert_int_equal(s.files[i].partition != NULL,
		    t->table.kind == SOURCE_SERIES);
		path = must_sprintf("%s/%s", dir, s.files[i].path);
		read_file(t, path, &s.files[i], out);
		free(path);
	}
	delta_snapshot_fini(&s);
	delta_close(d);
	free(dir);
	if (out->n > 0)
		qsort(out->r, out->n, sizeof(out->r[0]), all_cmp);
}

static void
compare(struct test *t, struct test_rows *want)
{
	struct test_rows got;
	size_t i;

	read_silver(t, &got);
	for (i = 0; i < got.n && i < want->n; i++) {
		if (key_cmp(&got.r[i], &want->r[i]) == 0 &&
		    got.r[i].serial == want->r[i].serial &&
		    got.r[i].ingested == want->r[i].ingested &&
		    got.r[i].group == want->r[i].group)
			continue;
		fail_msg("row %zu: %s %lld, serial %lld, group %d; wanted %s "
		    "%lld, serial %lld, group %d", i, got.r[i].id,
		    (long long)got.r[i].at, (long long)got.r[i].serial,
		    got.r[i].group, want->r[i].id, (long long)want->r[i].at,
		    (long long)want->r[i].serial, want->r[i].group);
	}
	assert_int_equal(got.n, want->n);
	free(got.r);
}

void
test_compare(struct test *t)
{
	struct test_rows want;

	expected(t, &want);
	compare(t, &want);
	free(want.r);
}

int
test_compact(struct test *t, const struct sys *sys, struct err *e)
{

	return (compact_table(sys, t->ledger, &t->table, &t->opt, &t->res,
	    e));
}

void
test_compact_ok(struct test *t)
{
	struct err e = ERR_INIT;
	struct test_rows want;
	uint64_t kept = 0;
	size_t i;

	if (test_compact(t, &t->sys, &e) != 0)
		fail_msg("%s", e.text);
	expected(t, &want);
	compare(t, &want);
	assert_int_equal(t->res.rows_total, want.n);
	assert_int_equal(t->res.version, test_version(t));
	if (t->opt.rebuild) {
		kept = want.n;
		assert_int_equal(t->res.rows_read, t->all.n);
	} else {
		/* Rows numbered after those of the run before. */
		for (i = 0; i < want.n; i++)
			kept += want.r[i].serial >
			    (int64_t)(t->all.n - t->res.rows_read);
	}
	if (t->table.kind == SOURCE_WALK)
		;
	else if (t->ncovers == 0)
		assert_int_equal(t->res.duplicates, t->res.rows_read - kept);
	else
		assert_true(t->res.duplicates <= t->res.rows_read - kept &&
		    t->res.rows_read - kept <=
		    t->res.duplicates + t->res.replaced);
	free(want.r);
}
