/*
 * Files as a whole: random schemas, nulls, batches, pages and row groups
 * come back as they went in, with true statistics; a failing disk leaves no
 * file; flipped, cut and rewritten files are refused or read, never more.
 */
#include "config.h"

#include <sys/stat.h>

#include <errno.h>
#include <math.h>
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
#include "base/hash.h"
#include "base/must.h"
#include "codec/zip.h"
#include "parquet/parquet_int.h"
#include "sys/sys.h"

struct place {
	char dir[256];
	char *path;
};

static int
setup(void **state)
{
	struct place *p = must_calloc(1, sizeof(*p));
	const char *tmp = getenv("TMPDIR");

	snprintf(p->dir, sizeof(p->dir), "%s/garner-parquet-XXXXXX",
	    tmp != NULL ? tmp : "/tmp");
	if (mkdtemp(p->dir) == NULL)
		return (-1);
	p->path = must_sprintf("%s/x.parquet", p->dir);
	*state = p;
	return (0);
}

static int
teardown(void **state)
{
	struct place *p = *state;

	(void)sys_remove_tree(p->dir, NULL);
	free(p->path);
	free(p);
	return (0);
}

/* --- round trips --------------------------------------------------------- */

static struct rows_schema *
random_schema(struct rng *g)
{
	struct rows_col cols[12];
	uint32_t i, n = (uint32_t)rng_below(g, 11) + 2;

	memset(cols, 0, sizeof(cols));
	for (i = 0; i < n; i++) {
		snprintf(cols[i].name, sizeof(cols[i].name), "c%u", i);
		cols[i].type = (enum rows_type)(rng_below(g, 7) + 1);
		cols[i].required = rng_below(g, 3) == 0;
	}
	return (rows_schema_new("random", cols, n));
}

static void
random_text(struct rng *g, struct rows *r, uint32_t c, uint32_t i, int kind)
{
	static const char *const lists[] = { "[]", "[\"a\"]", "[\"\",\"b\"]",
		"[null,\"c\"]", "[\"\\\"q\\\\\"]" };
	char text[3000];
	int n;

	if (r->schema->cols[c].type == ROWS_LIST)
		n = snprintf(text, sizeof(text), "%s",
		    lists[rng_below(g, 5)]);
	else if (kind == 0)
		n = snprintf(text, sizeof(text), "t%llu",
		    (unsigned long long)rng_below(g, 5));
	else if (kind == 1)	/* many and long: no dictionary */
		n = snprintf(text, sizeof(text), "%0*llx",
		    (int)rng_below(g, 2000) + 1,
		    (unsigned long long)rng_u64(g));
	else
		n = snprintf(text, sizeof(text), "%s",
		    rng_below(g, 2) ? "" : "ÿ日本\xf4\x8f\xbf\xbf");
	rows_set_str(r, c, i, text, (size_t)n);
}

static void
random_cell(struct rng *g, struct rows *r, uint32_t c, uint32_t i, int kind)
{
	uint64_t x = rng_u64(g) >> rng_below(g, 64);

	if (kind == 3)
		x = 77;
	switch (r->schema->cols[c].type) {
	case ROWS_BOOL:
		rows_set_bool(r, c, i, x & 1);
		break;
	case ROWS_INT32:
		rows_set_i32(r, c, i, (int32_t)(uint32_t)x);
		break;
	case ROWS_INT64:
		rows_set_i64(r, c, i, (int64_t)x);
		break;
	case ROWS_TICKS:
		rows_set_i64(r, c, i, (int64_t)x);
		break;
	case ROWS_DOUBLE:
		rows_set_f64(r, c, i, kind == 2 && x % 50 == 0 ? NAN :
		    (double)(int64_t)x / 16);
		break;
	default:
		random_text(g, r, c, i, kind);
	}
}

/* null_percent by column; a kind of values by column. */
static void
random_rows(struct rng *g, struct rows *r, uint32_t n, const uint8_t *nulls,
    const uint8_t *kinds)
{
	uint32_t c, i;

	for (; n > 0; n--) {
		i = rows_add(r);
		for (c = 0; c < r->schema->ncols; c++)
			if (r->schema->cols[c].required ||
			    rng_below(g, 100) >= nulls[c])
				random_cell(g, r, c, i, kinds[c]);
	}
}

static int64_t
floor10(int64_t t)
{
	return (t - (t % 10 + 10) % 10);
}

static void
same_cell(const struct rows *a, uint32_t i, const struct rows *b, uint32_t k,
    uint32_t c)
{
	const char *s, *t;
	size_t n, m;

	assert_int_equal(rows_null(a, c, i), rows_null(b, c, k));
	if (rows_null(a, c, i))
		return;
	switch (a->schema->cols[c].type) {
	case ROWS_BOOL:
		assert_int_equal(a->v[c].b[i], b->v[c].b[k]);
		break;
	case ROWS_INT32:
		assert_int_equal(a->v[c].i32[i], b->v[c].i32[k]);
		break;
	case ROWS_TICKS:
		assert_true(floor10(a->v[c].i64[i]) == b->v[c].i64[k]);
		break;
	case ROWS_INT64:
	case ROWS_DOUBLE:
		assert_true(memcmp(&a->v[c].i64[i], &b->v[c].i64[k], 8) == 0);
		break;
	default:
		s = rows_str(a, c, i, &n);
		t = rows_str(b, c, k, &m);
		assert_int_equal(n, m);
		assert_true(n == 0 || memcmp(s, t, n) == 0);
	}
}

/* The statistics of the whole file hold each cell. */
static void
check_stat(const struct rows *a, uint32_t c, const struct parquet_stat *st)
{
	enum rows_type type = a->schema->cols[c].type;
	uint64_t nulls = 0;
	uint32_t i;
	const char *s;
	int64_t x;
	size_t n;

	if (type == ROWS_LIST)
		assert_false(st->has_minmax);
	for (i = 0; type != ROWS_LIST && i < a->n; i++) {
		nulls += rows_null(a, c, i);
		if (rows_null(a, c, i) || !st->has_minmax)
			continue;
		if (type == ROWS_STRING) {
			s = rows_str(a, c, i, &n);
			assert_true(strncmp(st->min_s, s, n + 1) <= 0 ||
			    memcmp(st->min_s, s, st->min_len) <= 0);
			assert_true(memcmp(st->max_s, s, n < st->max_len ? n :
			    st->max_len) >= 0);
		} else if (type == ROWS_DOUBLE) {
			assert_true(st->min_f <= a->v[c].f64[i]);
			assert_true(st->max_f >= a->v[c].f64[i]);
		} else {
			x = type == ROWS_BOOL ? a->v[c].b[i] :
			    type == ROWS_INT32 ? a->v[c].i32[i] :
			    type == ROWS_TICKS ? floor10(a->v[c].i64[i]) :
			    a->v[c].i64[i];
			assert_true(st->min_i <= x && st->max_i >= x);
		}
	}
	if (type != ROWS_LIST)
		assert_int_equal(nulls, st->nulls);
}

static void
read_back(const char *path, const struct rows *want, struct rng *g)
{
	struct parquet_reader *p;
	struct err e = ERR_INIT;
	struct rows *r;
	uint32_t at = 0, i, c;
	int n;

	if (parquet_reader_open(sys_posix(), path, &p, &e) != 0)
		fail_msg("%s", e.text);
	assert_true(rows_schema_equal(parquet_reader_schema(p),
	    want->schema));
	assert_string_equal(parquet_reader_schema(p)->name,
	    want->schema->name);
	assert_int_equal(parquet_reader_rows(p), want->n);
	r = rows_new(parquet_reader_schema(p));
	while ((n = parquet_reader_next(p, r, (uint32_t)rng_below(g, 3000) +
	    1, &e)) > 0) {
		rows_check(r);
		for (i = r->n - (uint32_t)n; i < r->n; i++, at++)
			for (c = 0; c < want->schema->ncols; c++)
				same_cell(want, at, r, i, c);
		if (rng_below(g, 2))
			rows_clear(r);
	}
	if (n != 0)
		fail_msg("%s", e.text);
	assert_int_equal(at, want->n);
	rows_free(r);
	parquet_reader_close(p);
}

static uint64_t
hash_of_file(const char *path, uint64_t *bytes)
{
	struct err e = ERR_INIT;
	uint64_t h;
	char *data;
	size_t n;

	assert_int_equal(sys_read_file(sys_posix(), path, 1u << 30, &data, &n,
	    &e), 0);
	h = hash64(data, n, 0);
	*bytes = n;
	free(data);
	return (h);
}

static void
round_trip(struct place *p, uint64_t seed)
{
	struct parquet_options o = { 0 };
	struct parquet_writer *w;
	struct parquet_info info;
	struct rows_schema *s;
	struct err e = ERR_INIT;
	uint8_t nulls[12], kinds[12];
	uint32_t at, n, total;
	struct parquet_checked done;
	uint64_t bytes;
	struct rows *r;
	struct rng g;
	size_t i;

	rng_init(&g, seed);
	s = random_schema(&g);
	for (i = 0; i < 12; i++) {
		nulls[i] = (uint8_t)(rng_below(&g, 4) * 34 % 101);
		kinds[i] = (uint8_t)rng_below(&g, 4);
	}
	total = (uint32_t)rng_below(&g, 6000);
	o.page_rows = (uint32_t)rng_below(&g, 2000);
	o.group_rows = (uint32_t)rng_below(&g, 5000);
	r = rows_new(s);
	random_rows(&g, r, total, nulls, kinds);
	assert_int_equal(parquet_writer_open(sys_posix(), p->path, s, &o, &w,
	    &e), 0);
	for (at = 0; at < total; at += n) {
		n = (uint32_t)rng_below(&g, 1500) + 1;
		n = n > total - at ? total - at : n;
		if (parquet_writer_append(w, r, at, n, &e) != 0)
			fail_msg("%s", e.text);
		assert_int_equal(parquet_writer_rows(w), at + n);
	}
	assert_int_equal(parquet_writer_finish(w, &info, &e), 0);
	assert_int_equal(info.rows, total);
	assert_true(info.xxh64 == hash_of_file(p->path, &bytes));
	assert_int_equal(info.bytes, bytes);
	for (i = 0; i < s->ncols; i++)
		check_stat(r, (uint32_t)i, &info.stats[i]);
	read_back(p->path, r, &g);
	if (parquet_check(sys_posix(), p->path, NULL, &done, &e) != 0)
		fail_msg("seed %llu: %s", (unsigned long long)seed, e.text);
	assert_int_equal(done.rows, total);
	parquet_info_fini(&info);
	rows_free(r);
	rows_schema_free(s);
	unlink(p->path);
}

static void
test_round_trips(void **state)
{
	uint64_t seed;

	for (seed = 1; seed <= 60; seed++)
		round_trip(*state, seed);
}

/* --- a failing disk ------------------------------------------------------ */

struct disk {
	const struct sys *real;
	int calls, fail_at;
};

static bool
hit(struct disk *d)
{
	if (++d->calls != d->fail_at)
		return (false);
	errno = ENOSPC;
	return (true);
}

static ssize_t
disk_pwrite(void *c, int fd, const void *p, size_t n, int64_t off)
{
	struct disk *d = c;

	return (hit(d) ? -1 : d->real->pwrite(d->real->cookie, fd, p, n, off));
}

static int
disk_fsync(void *c, int fd)
{
	struct disk *d = c;

	return (hit(d) ? -1 : d->real->fsync(d->real->cookie, fd));
}

static int
disk_open(void *c, const char *path, int flags, int mode)
{
	struct disk *d = c;

	return (hit(d) ? -1 : d->real->open(d->real->cookie, path, flags,
	    mode));
}

static int
disk_close(void *c, int fd)
{
	struct disk *d = c;

	return (d->real->close(d->real->cookie, fd));
}

static int
disk_unlink(void *c, const char *path)
{
	struct disk *d = c;

	return (d->real->unlink(d->real->cookie, path));
}

static int
write_small(const struct sys *sys, const char *path, const struct rows *r)
{
	struct parquet_options o = { .group_rows = 100, .page_rows = 40 };
	struct parquet_writer *w;
	struct parquet_info info;
	struct err e = ERR_INIT;
	int rc;

	if ((rc = parquet_writer_open(sys, path, r->schema, &o, &w, &e)) != 0)
		return (rc);
	if ((rc = parquet_writer_append(w, r, 0, r->n, &e)) != 0) {
		parquet_writer_abort(w);
		return (rc);
	}
	if ((rc = parquet_writer_finish(w, &info, &e)) == 0)
		parquet_info_fini(&info);
	assert_true(rc == 0 || strstr(e.text, path) != NULL);
	return (rc);
}

static struct rows *
some_rows(struct rows_schema **s, uint32_t n)
{
	static const struct rows_col cols[] = {
		{ "b", ROWS_BOOL, false }, { "i", ROWS_INT32, false },
		{ "l", ROWS_INT64, true }, { "d", ROWS_DOUBLE, false },
		{ "t", ROWS_TICKS, true }, { "s", ROWS_STRING, false },
		{ "rs", ROWS_STRING, true }, { "x", ROWS_LIST, false },
	};
	static const uint8_t nulls[8] = { 20, 0, 0, 30, 0, 20, 0, 20 };
	static const uint8_t kinds[8] = { 0, 0, 0, 0, 0, 0, 2, 0 };
	struct rows *r;
	struct rng g;

	rng_init(&g, 9);
	*s = rows_schema_new("some", cols, 8);
	r = rows_new(*s);
	random_rows(&g, r, n, nulls, kinds);
	return (r);
}

static void
test_disk_fails(void **state)
{
	struct place *p = *state;
	struct disk d = { .real = sys_posix() };
	struct sys sys = *sys_posix();
	struct rows_schema *s;
	struct rows *r = some_rows(&s, 250);
	int rc;

	sys.cookie = &d;
	sys.open = disk_open;
	sys.close = disk_close;
	sys.pwrite = disk_pwrite;
	sys.fsync = disk_fsync;
	sys.unlink = disk_unlink;
	do {
		d.calls = 0;
		d.fail_at++;
		rc = write_small(&sys, p->path, r);
		assert_true(rc == 0 || rc == ERR_NOSPACE);
		assert_int_equal(sys_exists(sys_posix(), p->path), rc == 0);
	} while (rc != 0);
	assert_true(d.fail_at > 20);
	/* It is there now: it is not overwritten. */
	assert_int_equal(write_small(sys_posix(), p->path, r), ERR_EXISTS);
	assert_true(sys_exists(sys_posix(), p->path));
	rows_free(r);
	rows_schema_free(s);
}

static void
test_bad_cells(void **state)
{
	static const struct rows_col cols[] = { { "s", ROWS_STRING, true },
		{ "x", ROWS_LIST, false } };
	static const struct {
		const char *s, *x;
	} cases[] = { { NULL, NULL }, { "\xff", NULL }, { "a", "no list" },
		{ "a", "{}" }, { "a", "[1]" } };
	struct place *p = *state;
	struct rows_schema *s = rows_schema_new("bad", cols, 2);
	struct parquet_writer *w;
	struct parquet_info info;
	struct err e = ERR_INIT;
	struct rows *r;
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		r = rows_new(s);
		(void)rows_add(r);
		if (cases[i].s != NULL)
			rows_set_str(r, 0, 0, cases[i].s, strlen(cases[i].s));
		if (cases[i].x != NULL)
			rows_set_str(r, 1, 0, cases[i].x, strlen(cases[i].x));
		assert_int_equal(parquet_writer_open(sys_posix(), p->path, s,
		    NULL, &w, &e), 0);
		assert_int_equal(parquet_writer_append(w, r, 0, 1, &e),
		    ERR_DATA);
		assert_non_null(strstr(e.text, "column"));
		assert_int_equal(parquet_writer_append(w, r, 0, 1, &e),
		    ERR_DATA);
		assert_int_equal(parquet_writer_finish(w, &info, &e),
		    ERR_DATA);
		assert_false(sys_exists(sys_posix(), p->path));
		rows_free(r);
	}
	rows_schema_free(s);
}

/* --- damage -------------------------------------------------------------- */

/* Read everything; 0 or the error, one that damage may give. */
static int
read_all(const char *path)
{
	struct parquet_reader *p;
	struct err e = ERR_INIT;
	struct rows *r;
	int rc;

	rc = parquet_reader_open(sys_posix(), path, &p, &e);
	if (rc == 0) {
		r = rows_new(parquet_reader_schema(p));
		while ((rc = parquet_reader_next(p, r, 1000, &e)) > 0) {
			rows_check(r);
			rows_clear(r);
		}
		if (rc < 0)
			assert_true(parquet_reader_next(p, r, 1, NULL) < 0);
		rows_free(r);
		parquet_reader_close(p);
	}
	if (rc != 0 && rc != ERR_CORRUPT && rc != ERR_UNSUPPORTED &&
	    rc != ERR_LIMIT)
		fail_msg("%d: %s", rc, e.text);
	return (rc);
}

static void
write_bytes(const char *path, const void *data, size_t n)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	assert_int_equal(fwrite(data, 1, n, f), n);
	assert_int_equal(fclose(f), 0);
}

static void
test_mutations(void **state)
{
	struct place *p = *state;
	struct rows_schema *s;
	struct rows *r = some_rows(&s, 250);
	size_t n, footer, at, k, pages_found = 0, pages_tried = 0;
	struct err e = ERR_INIT;
	uint32_t footer_len;
	char *data, *copy;
	struct rng g;
	int round, rc;

	assert_int_equal(write_small(sys_posix(), p->path, r), 0);
	assert_int_equal(sys_read_file(sys_posix(), p->path, 1 << 30, &data,
	    &n, &e), 0);
	memcpy(&footer_len, data + n - 8, 4);
	footer = n - 8 - footer_len;
	copy = must_calloc(n, 1);
	rng_init(&g, 5);
	for (round = 0; round < 6000; round++) {
		memcpy(copy, data, n);
		for (k = rng_below(&g, 3) + 1; k > 0; k--) {
			at = round % 3 == 0 ? rng_below(&g, n) :
			    footer + rng_below(&g, n - footer);
			copy[at] = (char)(round % 2 ? (int)rng_below(&g, 256) :
			    copy[at] ^ 1 << rng_below(&g, 8));
		}
		write_bytes(p->path, copy, n);
		(void)read_all(p->path);
	}
	for (at = 0; at < n; at += 37) {	/* cut short */
		write_bytes(p->path, data, at);
		assert_true(read_all(p->path) != 0);
	}
	/* One bit in a page body is always found. */
	for (at = 60; at < 2000; at += 3) {
		memcpy(copy, data, n);
		copy[at] ^= 16;
		write_bytes(p->path, copy, n);
		rc = read_all(p->path);
		pages_tried++;
		pages_found += rc != 0;
	}
	assert_true(pages_found * 100 > pages_tried * 95);
	free(copy);
	free(data);
	rows_free(r);
	rows_schema_free(s);
}

/* Rewrite the first page of a column: new body, new checksum, which is the
 * right one when true comes back. */
static bool
forge(const struct parquet_column *c, struct zip *z, struct rng *g,
    struct buf *out)
{
	struct buf raw, zipped;
	struct thrift_field f, sub;
	struct thrift_out o;
	struct thrift_in t;
	int32_t raw_len = 0, values = 0, enc = 0;
	bool right = rng_below(g, 8) != 0;
	size_t k, head;

	thrift_in_init(&t, c->pages.data, c->pages.len);
	assert_true(thrift_enter(&t, &f));
	while (thrift_next(&t, &f)) {
		if (f.id == 2)
			raw_len = thrift_get_i32(&t, &f);
		else if (f.id == 5 && thrift_enter(&t, &sub)) {
			while (thrift_next(&t, &sub))
				if (sub.id == 1)
					values = thrift_get_i32(&t, &sub);
				else if (sub.id == 2)
					enc = thrift_get_i32(&t, &sub);
				else
					thrift_skip(&t, &sub);
		} else
			thrift_skip(&t, &f);
	}
	assert_false(t.c.bad);
	head = (size_t)(t.c.p - c->pages.data);
	buf_init(&raw, 1 << 20);
	buf_init(&zipped, 1 << 20);
	assert_int_equal(zip_decompress(z, c->pages.data + head, c->pages.len -
	    head, (size_t)raw_len, &raw, NULL), 0);
	for (k = rng_below(g, 4); k > 0; k--)
		raw.data[rng_below(g, raw.len)] = (uint8_t)rng_u64(g);
	if (rng_below(g, 4) == 0)
		raw.len = rng_below(g, raw.len);
	if (rng_below(g, 8) == 0)
		values += (int32_t)rng_below(g, 3) - 1;
	if (rng_below(g, 8) == 0)
		enc = (int32_t)rng_below(g, 9);
	assert_int_equal(zip_compress(z, raw.data, raw.len, &zipped, NULL),
	    0);
	buf_clear(out);
	thrift_out_init(&o, out);
	thrift_put_i32(&o, 1, PARQUET_DATA_PAGE);
	thrift_put_i32(&o, 2, (int32_t)raw.len);
	thrift_put_i32(&o, 3, (int32_t)zipped.len);
	thrift_put_i32(&o, 4, (int32_t)(zip_crc32(0, zipped.data, zipped.len) ^
	    !right));
	thrift_begin(&o, 5);
	thrift_put_i32(&o, 1, values);
	thrift_put_i32(&o, 2, enc);
	thrift_put_i32(&o, 3, PARQUET_RLE);
	thrift_put_i32(&o, 4, PARQUET_RLE);
	thrift_end(&o);
	thrift_end(&o);
	buf_put(out, zipped.data, zipped.len);
	buf_fini(&raw);
	buf_fini(&zipped);
	return (right);
}

/* Pages with a good checksum and a bad body: what the decoders face. */
static void
fuzz_column(struct place *p, const struct rows *r, uint32_t index,
    struct rng *g)
{
	struct rows *dicts = rows_new(r->schema);
	struct parquet_scratch ws = { .zip = zip_new(1), .call = 1 };
	struct parquet_rscratch rs = { .zip = ws.zip };
	struct parquet_rchunk chunk = { .codec = PARQUET_ZSTD };
	struct parquet_column c;
	struct parquet_source s;
	struct err e = ERR_INIT;
	struct buf file, page, dict;
	int fd, round, rc;
	bool right;
	FILE *f;

	buf_init(&ws.body, 1 << 20);
	buf_init(&ws.codes, 1 << 20);
	buf_init(&ws.zipped, 1 << 20);
	buf_init(&rs.file, 1 << 20);
	buf_init(&rs.codes, PARQUET_PAGE_MAX);
	buf_init(&file, 1 << 20);
	buf_init(&page, 1 << 20);
	buf_init(&dict, 1 << 20);
	parquet_column_init(&c, r->schema, index, dicts);
	assert_int_equal(parquet_column_append(&c, &ws, r, 0, r->n, &e), 0);
	assert_int_equal(parquet_column_flush(&c, &ws, &e), 0);
	assert_int_equal(parquet_column_dict(&c, &ws, &e), 0);
	buf_put(&dict, ws.codes.data, ws.codes.len);
	for (round = 0; round < 400; round++) {
		right = forge(&c, ws.zip, g, &page);
		buf_clear(&file);
		buf_puts(&file, PARQUET_MAGIC);
		buf_put(&file, dict.data, dict.len);
		buf_put(&file, page.data, page.len);
		write_bytes(p->path, file.data, file.len);
		f = fopen(p->path, "r");
		fd = fileno(f);
		chunk.from = 4;
		chunk.to = file.len;
		chunk.values = r->n * 4;
		parquet_source_init(&s, sys_posix(), fd,
		    &r->schema->cols[index]);
		parquet_source_start(&s, &chunk);
		rc = parquet_source_page(&s, &rs, &e);
		assert_true(right || rc == ERR_CORRUPT);
		parquet_source_fini(&s);
		fclose(f);
	}
	parquet_column_fini(&c);
	rows_free(dicts);
	zip_free(ws.zip);
	buf_fini(&ws.body);
	buf_fini(&ws.codes);
	buf_fini(&ws.zipped);
	buf_fini(&rs.file);
	buf_fini(&rs.codes);
	buf_fini(&file);
	buf_fini(&page);
	buf_fini(&dict);
}

static void
test_forged_pages(void **state)
{
	struct rows_schema *s;
	struct rows *r = some_rows(&s, 300);
	struct rng g;
	uint32_t c;

	rng_init(&g, 6);
	for (c = 0; c < s->ncols; c++)
		fuzz_column(*state, r, c, &g);
	rows_free(r);
	rows_schema_free(s);
}

/* All equal and all null cost next to nothing. */
static void
test_constant_is_small(void **state)
{
	static const struct rows_col cols[] = { { "s", ROWS_STRING, true },
		{ "n", ROWS_DOUBLE, false }, { "i", ROWS_INT64, true },
		{ "b", ROWS_BOOL, false } };
	struct place *p = *state;
	struct rows_schema *s = rows_schema_new("same", cols, 4);
	struct rows *r = rows_new(s);
	struct parquet_writer *w;
	struct parquet_info info;
	struct err e = ERR_INIT;
	uint32_t i, k;

	for (k = 0; k < 100000; k++) {
		i = rows_add(r);
		rows_set_str(r, 0, i, "always the same", 15);
		rows_set_i64(r, 2, i, 123456789);
		rows_set_bool(r, 3, i, true);
	}
	assert_int_equal(parquet_writer_open(sys_posix(), p->path, s, NULL, &w,
	    &e), 0);
	assert_int_equal(parquet_writer_append(w, r, 0, r->n, &e), 0);
	assert_int_equal(parquet_writer_finish(w, &info, &e), 0);
	assert_true(info.bytes < 4000);
	assert_int_equal(info.stats[1].nulls, 100000);
	assert_false(info.stats[1].has_minmax);
	assert_memory_equal(info.stats[0].max_s, "always the same", 15);
	parquet_info_fini(&info);
	rows_free(r);
	rows_schema_free(s);
}

/* Bounds and counts of the footer, changed one after the other, are told
 * from what the values say; so is a page that changed, with its place. */
static void
test_check(void **state)
{
	static const struct rows_col cols[] = { { "s", ROWS_STRING, false },
		{ "n", ROWS_DOUBLE, false }, { "i", ROWS_INT64, true },
		{ "t", ROWS_TICKS, true }, { "k", ROWS_INT32, true } };
	static const struct {
		const char *bytes;
		size_t n;
		const char *what;
	} bounds[] = {
		{ "\x88\x77\x66\x55\x44\x33\x22\x11", 8, "column i" },
		{ "mnop", 4, "column s" },
		{ "\0\0\0\0\0\0\xf8\x3f", 8, "column n" },
		{ "\xd2\x02\x96\x49", 4, "column k" },
	};
	struct place *p = *state;
	struct rows_schema *s = rows_schema_new("check", cols, 5);
	struct rows *r = rows_new(s);
	struct parquet_writer *w;
	struct parquet_checked done;
	struct parquet_info info;
	struct err e = ERR_INIT;
	char *data, *found, *tail;
	size_t len, i;

	for (i = 0; i < 10; i++) {
		(void)rows_add(r);
		if (i > 0)
			rows_set_str(r, 0, (uint32_t)i, "mnop", 4);
		if (i > 1)
			rows_set_f64(r, 1, (uint32_t)i, 1.5);
		rows_set_i64(r, 2, (uint32_t)i, 0x1122334455667788);
		rows_set_i64(r, 3, (uint32_t)i, 10 * (int64_t)i);
		rows_set_i32(r, 4, (uint32_t)i, 1234567890);
	}
	assert_int_equal(parquet_writer_open(sys_posix(), p->path, s, NULL,
	    &w, &e), 0);
	assert_int_equal(parquet_writer_append(w, r, 0, r->n, &e), 0);
	assert_int_equal(parquet_writer_finish(w, &info, &e), 0);
	parquet_info_fini(&info);
	assert_int_equal(sys_read_file(sys_posix(), p->path, 1 << 20, &data,
	    &len, &e), 0);
	/* Of several, the last is the one of the chunk's statistics. */
	for (i = 0; i < sizeof(bounds) / sizeof(bounds[0]); i++) {
		found = NULL;
		for (tail = data; (tail = memmem(tail, len - (size_t)(tail -
		    data), bounds[i].bytes, bounds[i].n)) != NULL; tail++)
			found = tail;
		assert_non_null(found);
		found[bounds[i].n - 1] ^= 1;
		assert_int_equal(sys_write_file(sys_posix(), p->path, data,
		    len, true, &e), 0);
		assert_int_equal(parquet_check(sys_posix(), p->path, NULL, &done, &e), ERR_CORRUPT);
		assert_non_null(strstr(e.text, bounds[i].what));
		assert_non_null(strstr(e.text, p->path));
		assert_int_equal(done.page_at, 0);
		assert_false(done.index);
		found[bounds[i].n - 1] ^= 1;
	}
	data[40] ^= 1;			/* in the first page */
	assert_int_equal(sys_write_file(sys_posix(), p->path, data, len, true,
	    &e), 0);
	assert_int_equal(parquet_check(sys_posix(), p->path, NULL,
	    &done, &e), ERR_CORRUPT);
	assert_true(done.page_at >= 4 && done.page_at <= 40);
	assert_non_null(strstr(e.text, "page at offset"));
	free(data);
	rows_free(r);
	rows_schema_free(s);
}

/* Three pages of a column that ascends, of its text, of nulls but for one
 * page, and of lists. */
static void
write_paged(const char *path)
{
	static const struct rows_col cols[] = { { "i", ROWS_INT64, true },
		{ "s", ROWS_STRING, true }, { "n", ROWS_INT64, false },
		{ "l", ROWS_LIST, false } };
	struct rows_schema *s = rows_schema_new("paged", cols, 4);
	struct parquet_options o = { .page_rows = 10 };
	struct rows *r = rows_new(s);
	struct parquet_writer *w;
	struct parquet_info info;
	struct err e = ERR_INIT;
	char text[16];
	uint32_t i;

	for (i = 0; i < 30; i++) {
		(void)rows_add(r);
		rows_set_i64(r, 0, i, i);
		(void)snprintf(text, sizeof(text), "tag%02u", i);
		rows_set_str(r, 1, i, text, 5);
		if (i < 10)
			rows_set_i64(r, 2, i, 7);
		rows_set_str(r, 3, i, "[\"a\",\"b\"]", 9);
	}
	assert_int_equal(parquet_writer_open(sys_posix(), path, s, &o, &w,
	    &e), 0);
	assert_int_equal(parquet_writer_append(w, r, 0, r->n, &e), 0);
	assert_int_equal(parquet_writer_finish(w, &info, &e), 0);
	parquet_info_fini(&info);
	rows_free(r);
	rows_schema_free(s);
}

/* What the footer of a file says. */
static void
meta_of(const char *data, size_t len, struct parquet_meta *m)
{
	struct err e = ERR_INIT;
	struct cur c;
	size_t n;

	cur_init(&c, data + len - 8, 4);
	n = cur_u32le(&c);
	if (parquet_meta_parse(m, data + len - 8 - n, n, len - 8 - n,
	    &e) != 0)
		fail_msg("%s", e.text);
}

/* A byte of a page index is another one, in a file that is good otherwise:
 * each is told with its column and page, as nothing but that. */
static void
test_index(void **state)
{
	/* By the compact protocol, three pages and values of 8 bytes:
	 * null_pages at 2, min at 8, 17, 26, max at 37, ..., the order at
	 * 64, null_counts at 67; of text of 5 bytes: min at 8, max at 28,
	 * the order at 46. */
	static const struct {
		uint32_t column;
		bool places;		/* in the offset index */
		size_t at;
		uint8_t flip;
		const char *what;
	} flips[] = {
		{ 0, false, 2, 3, "column i: page 0: the page index tells "
		    "another range " },
		{ 2, false, 3, 3, "column n: page 1: the page index tells "
		    "another range " },
		{ 0, false, 8, 1, "page 0: the page index tells another "
		    "minimum " },
		{ 0, false, 26, 1, "page 2: the page index tells another "
		    "minimum " },
		{ 0, false, 37, 1, "page 0: the page index tells another "
		    "maximum " },
		{ 0, false, 64, 6, "page 1: the page index tells another "
		    "order " },	/* descending */
		{ 0, false, 64, 4, "another form " },
		{ 0, false, 68, 2, "page 1: the page index tells another "
		    "number of nulls " },
		{ 0, false, 0, 1, "another form " },
		{ 1, false, 12, 2, "column s: page 0: the page index tells "
		    "another minimum " },
		{ 1, false, 32, 8, "column s: page 0: the page index tells "
		    "another maximum " },
		{ 0, true, 3, 2, "column i: page 0: the page index tells "
		    "another offset " },
		{ 3, true, 3, 2, "column l: page 0: the page index tells "
		    "another offset " },
	};
	struct place *p = *state;
	struct parquet_checked done;
	struct parquet_rchunk *k;
	struct parquet_meta m;
	struct err e = ERR_INIT;
	uint8_t *byte, *x;
	char *data;
	size_t len, i;
	uint32_t page;

	write_paged(p->path);
	assert_int_equal(sys_read_file(sys_posix(), p->path, 1 << 20, &data,
	    &len, &e), 0);
	meta_of(data, len, &m);
	assert_int_equal(parquet_check(sys_posix(), p->path, NULL,
	    &done, &e), 0);
	for (i = 0; i < sizeof(flips) / sizeof(flips[0]); i++) {
		k = &m.groups[0].chunks[flips[i].column];
		byte = (uint8_t *)data + flips[i].at + (flips[i].places ?
		    k->offset_index.offset : k->column_index.offset);
		*byte ^= flips[i].flip;
		assert_int_equal(sys_write_file(sys_posix(), p->path, data,
		    len, true, &e), 0);
		assert_int_equal(parquet_check(sys_posix(), p->path, NULL, &done, &e), ERR_CORRUPT);
		assert_true(done.index);
		assert_int_equal(done.page_at, 0);
		if (strstr(e.text, flips[i].what) == NULL)
			fail_msg("%zu: %s", i, e.text);
		*byte ^= flips[i].flip;
	}
	/* Sizes and first rows, behind varints: of each page, of a list. */
	x = (uint8_t *)data + m.groups[0].chunks[3].offset_index.offset + 2;
	for (page = 0; page < 3; page++) {
		for (i = 1; i <= 3; i++) {
			for (byte = ++x; *x & 0x80; x++)
				;
			x++;
			if (i == 1)
				continue;
			*byte ^= 2;
			assert_int_equal(sys_write_file(sys_posix(), p->path,
			    data, len, true, &e), 0);
			assert_int_equal(parquet_check(sys_posix(), p->path,
			    NULL, &done, &e), ERR_CORRUPT);
			assert_true(done.index);
			assert_non_null(strstr(e.text, i == 2 ? "size" :
			    "first row"));
			*byte ^= 2;
		}
		x++;			/* the end of the struct */
	}
	assert_int_equal(sys_write_file(sys_posix(), p->path, data, len, true,
	    &e), 0);
	assert_int_equal(parquet_check(sys_posix(), p->path, NULL,
	    &done, &e), 0);
	free(data);
	parquet_meta_fini(&m);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_round_trips, setup,
		    teardown),
		cmocka_unit_test_setup_teardown(test_disk_fails, setup,
		    teardown),
		cmocka_unit_test_setup_teardown(test_bad_cells, setup,
		    teardown),
		cmocka_unit_test_setup_teardown(test_mutations, setup,
		    teardown),
		cmocka_unit_test_setup_teardown(test_forged_pages, setup,
		    teardown),
		cmocka_unit_test_setup_teardown(test_constant_is_small, setup,
		    teardown),
		cmocka_unit_test_setup_teardown(test_check, setup, teardown),
		cmocka_unit_test_setup_teardown(test_index, setup, teardown),
	};

	return (cmocka_run_group_tests(tests, NULL, NULL));
}
