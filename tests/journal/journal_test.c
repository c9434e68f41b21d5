/* Journals whose blocks are known by their number. */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/hash.h"
#include "base/must.h"
#include "journal_test.h"

static const struct rows_col cols[] = {
	{ "k", ROWS_INT64, true },
	{ "name", ROWS_STRING, false },
	{ "value", ROWS_DOUBLE, false },
};

int
journal_test_setup(void **state)
{
	struct journal_test *t = must_calloc(1, sizeof(*t));
	const char *tmp = getenv("TMPDIR");

	(void)snprintf(t->base, sizeof(t->base), "%s/garner-journal-XXXXXX",
	    tmp != NULL ? tmp : "/tmp");
	if (mkdtemp(t->base) == NULL)
		return (-1);
	(void)snprintf(t->dir, sizeof(t->dir), "%s/a/b", t->base);
	t->schema[0] = rows_schema_new("one", cols, 3);
	t->schema[1] = rows_schema_new("two", cols, 2);
	*state = t;
	return (0);
}

int
journal_test_teardown(void **state)
{
	struct journal_test *t = *state;

	if (sys_remove_tree(t->base, NULL) != 0)
		return (-1);
	rows_schema_free(t->schema[0]);
	rows_schema_free(t->schema[1]);
	free(t);
	return (0);
}

void
journal_test_wipe(struct journal_test *t)
{
	assert_int_equal(sys_remove_tree(t->dir, NULL), 0);
}

struct rows *
journal_test_rows(const struct journal_test *t, uint32_t k)
{
	struct rows *r = rows_new(t->schema[k % 3 == 2]);
	uint32_t i, n = 1 + k % 5;
	struct rng g;

	rng_init(&g, k);
	while (n-- > 0) {
		i = rows_add(r);
		rows_set_i64(r, 0, i, k * 1000 + i);
		if (rng_below(&g, 3) > 0)
			rows_set_str(r, 1, i, "abcdefgh", rng_below(&g, 9));
		if (r->schema == t->schema[0])
			rows_set_f64(r, 2, i, rng_unit(&g));
	}
	return (r);
}

static struct journal_block
block_of(uint32_t k)
{
	struct journal_block b = {
		.group = (int32_t)k - 3,
		.ingested = 17000000000000000 + k,
		.first_tick = (int64_t)k * 10,
		.last_tick = -(int64_t)k,
	};

	memset(b.batch_id, (int)k, sizeof(b.batch_id));
	return (b);
}

int
journal_test_append(const struct journal_test *t, struct journal_writer *w,
    uint32_t k, struct err *e)
{
	struct rows *r = journal_test_rows(t, k);
	struct journal_block b = block_of(k);
	int rc;

	rc = journal_writer_append(w, r, &b, e);
	rows_free(r);
	return (rc);
}

void
journal_test_make(const struct journal_test *t, uint32_t n,
    struct journal_pos *pos)
{
	struct journal_pos start = { 0, 0 };
	struct journal_writer *w;
	uint32_t k;

	assert_int_equal(journal_writer_open(sys_posix(), t->dir, &start, &w,
	    NULL, NULL), 0);
	for (k = 0; k < n; k++) {
		assert_int_equal(journal_test_append(t, w, k, NULL), 0);
		assert_int_equal(journal_writer_sync(w, &pos[k], NULL), 0);
	}
	journal_writer_close(w);
}

static void
check_rows(const struct rows *a, const struct rows *b)
{
	const char *s, *u;
	size_t n, m;
	uint32_t i;

	assert_int_equal(a->n, b->n);
	for (i = 0; i < a->n; i++) {
		assert_true(a->v[0].i64[i] == b->v[0].i64[i]);
		assert_int_equal(rows_null(a, 1, i), rows_null(b, 1, i));
		if (!rows_null(a, 1, i)) {
			s = rows_str(a, 1, i, &n);
			u = rows_str(b, 1, i, &m);
			assert_int_equal(n, m);
			assert_memory_equal(s, u, n);
		}
		if (a->schema->ncols > 2)
			assert_true(a->v[2].f64[i] == b->v[2].f64[i]);
	}
}

uint32_t
journal_test_check(const struct journal_test *t, struct journal_reader *jr,
    const struct journal_block *b, const struct rows_schema *s)
{
	uint32_t k = b->batch_id[0];
	struct journal_block want = block_of(k);
	struct rows *r = rows_new(s), *wanted = journal_test_rows(t, k);

	assert_true(rows_schema_equal(s, wanted->schema));
	assert_int_equal(b->group, want.group);
	assert_int_equal(b->nrows, wanted->n);
	assert_memory_equal(b->batch_id, want.batch_id, JOURNAL_BATCH_ID);
	assert_true(b->ingested == want.ingested);
	assert_true(b->first_tick == want.first_tick);
	assert_true(b->last_tick == want.last_tick);
	assert_true(b->schema_id == rows_schema_id(s));
	assert_int_equal(journal_reader_rows(jr, r, NULL), 0);
	check_rows(r, wanted);
	rows_free(r);
	rows_free(wanted);
	return (k);
}

int
journal_test_read(const struct journal_test *t, const struct journal_pos *from,
    const struct journal_pos *to, bool torn_ok, uint32_t first, uint32_t *n,
    struct err *e)
{
	const struct rows_schema *s;
	struct journal_reader *r;
	struct journal_block b;
	int rc;

	*n = 0;
	if ((rc = journal_reader_open(sys_posix(), t->dir, from, to, torn_ok,
	    &r, e)) != 0)
		return (rc);
	while ((rc = journal_reader_next(r, &b, &s, e)) == 1)
		assert_int_equal(journal_test_check(t, r, &b, s),
		    first + (*n)++);
	if (rc == 0 && to != NULL && to->segment != 0 && *n > 0) {
		struct journal_pos end = journal_reader_pos(r);

		assert_int_equal(journal_pos_cmp(&end, to), 0);
	}
	journal_reader_close(r);
	return (rc);
}

char *
journal_test_path(const struct journal_test *t, uint32_t segment)
{
	return (must_sprintf("%s/%08u.gj", t->dir, segment));
}

uint8_t *
journal_test_load(const struct journal_test *t, uint32_t segment, size_t *n)
{
	char *path = journal_test_path(t, segment), *data;

	assert_int_equal(sys_read_file(sys_posix(), path, 1u << 28, &data, n,
	    NULL), 0);
	free(path);
	return ((uint8_t *)data);
}

void
journal_test_store(const struct journal_test *t, uint32_t segment,
    const void *data, size_t n)
{
	char *path = journal_test_path(t, segment);
	FILE *f = fopen(path, "w");

	/* Not by sys_write_file(): a sync a case is too slow here. */
	assert_non_null(f);
	assert_int_equal(fwrite(data, 1, n, f), n);
	assert_int_equal(fclose(f), 0);
	free(path);
}
