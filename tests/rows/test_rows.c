/*
 * Batches, dictionaries, schemas, copying between batches, cells as text.
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

#include "base/buf.h"
#include "base/err.h"
#include "rows/rows.h"

static const struct rows_col cols[] = {
	{ "name", ROWS_STRING, true },
	{ "at", ROWS_TICKS, false },
	{ "value", ROWS_DOUBLE, false },
	{ "good", ROWS_BOOL, false },
	{ "n", ROWS_INT32, false },
	{ "state", ROWS_INT64, false },
	{ "tags", ROWS_LIST, false },
};

#define NCOLS (sizeof(cols) / sizeof(cols[0]))

static struct rows_schema *
schema(void)
{
	return (rows_schema_new("things", cols, NCOLS));
}

static void
fill(struct rows *r, uint32_t n)
{
	char name[32];
	uint32_t i, k;
	int len;

	for (k = 0; k < n; k++) {
		i = rows_add(r);
		len = snprintf(name, sizeof(name), "thing %u", k % 7);
		rows_set_str(r, 0, i, name, (size_t)len);
		rows_set_i64(r, 1, i, (int64_t)k * 10000000);
		if (k % 3 != 0)
			rows_set_f64(r, 2, i, k / 4.0);
		rows_set_bool(r, 3, i, k % 2 == 0);
	}
}

/* The parts add up, dictionaries do not count, each cell does. */
static void
test_digest(void **state)
{
	struct rows_schema *s = schema();
	struct rows *r = rows_new(s), *other = rows_new(s);
	uint64_t whole, none;
	uint32_t i;

	(void)state;
	fill(r, 1000);
	whole = rows_digest(r, 0, 1000);
	assert_true(rows_digest(r, 0, 0) == 0);
	for (i = 0; i <= 1000; i += 100)
		assert_true(rows_digest(r, 0, i) + rows_digest(r, i, 1000 - i)
		    == whole);

	(void)rows_intern(other, 0, "not used", 8);
	fill(other, 1000);
	assert_true(rows_digest(other, 0, 1000) == whole);

	rows_set_f64(other, 2, 500, 7e9);
	assert_true(rows_digest(other, 0, 1000) != whole);
	rows_set_f64(other, 2, 500, 500 / 4.0);
	assert_true(rows_digest(other, 0, 1000) == whole);
	rows_set_str(other, 0, 3, "another", 7);
	assert_true(rows_digest(other, 0, 1000) != whole);
	rows_set_str(other, 0, 3, "thing 3", 7);
	rows_set_str(other, 6, 3, "", 0);
	assert_true(rows_digest(other, 0, 1000) != whole);
	rows_drop(other, 3, 1);
	assert_true(rows_digest(other, 0, 999) + rows_digest(r, 3, 1) ==
	    whole);

	/* null, false, 0 and 0.0 are four things */
	rows_clear(r);
	for (i = 0; i < 5; i++) {
		(void)rows_add(r);
		rows_set_str(r, 0, i, "x", 1);
	}
	rows_set_f64(r, 2, 1, 0);
	rows_set_bool(r, 3, 2, false);
	rows_set_i32(r, 4, 3, 0);
	rows_set_i64(r, 5, 4, 0);
	none = rows_digest(r, 0, 1);
	for (i = 1; i < 5; i++) {
		assert_true(rows_digest(r, i, 1) != none);
		assert_true(rows_digest(r, i, 1) != rows_digest(r, i - 1, 1));
	}
	rows_free(r);
	rows_free(other);
	rows_schema_free(s);
}

static void
test_rows_add_drop(void **state)
{
	struct rows_schema *s = schema();
	struct rows *r = rows_new(s);
	uint32_t i;

	(void)state;
	fill(r, 1000);
	rows_check(r);
	assert_int_equal(r->n, 1000);
	assert_int_equal(r->v[0].dict.n, 7);
	rows_drop(r, 10, 980);
	assert_int_equal(r->n, 20);
	for (i = 0; i < 20; i++)
		assert_int_equal(r->v[1].i64[i],
		    (int64_t)(i < 10 ? i : i + 980) * 10000000);
	rows_truncate(r, 5);
	rows_check(r);
	assert_int_equal(r->n, 5);
	assert_true(rows_null(r, 2, 3));
	assert_false(rows_null(r, 2, 4));
	assert_true(rows_bytes(r) > 1000);
	rows_clear(r);
	assert_int_equal(r->n, 0);
	assert_int_equal(r->v[0].dict.n, 0);
	assert_int_equal(rows_add(r), 0);
	for (i = 0; i < NCOLS; i++)
		assert_true(rows_null(r, i, 0));
	rows_free(r);
	rows_free(NULL);
	rows_schema_free(s);
}

static void
test_rows_dict(void **state)
{
	struct rows_schema *s = schema();
	struct rows *r = rows_new(s);
	uint32_t *rank, i, code[300];
	const char *text;
	char name[16];
	size_t len;

	(void)state;
	for (i = 0; i < 300; i++) {
		len = (size_t)snprintf(name, sizeof(name), "%u", i);
		code[i] = rows_intern(r, 0, name, len);
		assert_int_equal(code[i], i);
	}
	/* Empty text, and text with a NUL, are texts as others are. */
	assert_int_equal(rows_intern(r, 0, "", 0), 300);
	assert_int_equal(rows_intern(r, 0, "\0", 1), 301);
	for (i = 0; i < 300; i++) {
		len = (size_t)snprintf(name, sizeof(name), "%u", i);
		assert_int_equal(rows_intern(r, 0, name, len), i);
		text = rows_dict_str(&r->v[0].dict, i, &len);
		assert_int_equal(len, strlen(name));
		assert_memory_equal(text, name, len);
	}
	rank = rows_dict_ranks(&r->v[0].dict);
	assert_int_equal(rank[300], 0);
	assert_int_equal(rank[301], 1);
	assert_int_equal(rank[0], 2);
	assert_int_equal(rank[1], 3);
	assert_int_equal(rank[10], 4);
	assert_int_equal(rank[100], 5);
	assert_int_equal(rank[99], 301);
	free(rank);
	rows_free(r);
	rows_schema_free(s);
}

static void
test_rows_copier(void **state)
{
	static const int map[NCOLS] = { 0, -1, 2, 3, 4, 5, 6 };
	struct rows_schema *s = schema();
	struct rows *from = rows_new(s), *to = rows_new(s);
	struct rows_copier *k;
	const char *a, *b;
	size_t na, nb;
	uint32_t i;

	(void)state;
	rows_intern(to, 0, "thing 3", 7);
	fill(from, 50);
	k = rows_copier_new(to, from, map);
	for (i = 0; i < 50; i++)
		rows_copier_row(k, 49 - i);
	/* The dictionary may grow under the copier. */
	fill(from, 1);
	rows_set_str(from, 0, 50, "new", 3);
	rows_copier_row(k, 50);
	rows_copier_free(k);
	rows_copier_free(NULL);
	rows_check(to);
	assert_int_equal(to->n, 51);
	assert_int_equal(to->v[0].dict.n, 8);
	for (i = 0; i < 50; i++) {
		a = rows_str(from, 0, 49 - i, &na);
		b = rows_str(to, 0, i, &nb);
		assert_int_equal(na, nb);
		assert_memory_equal(a, b, na);
		assert_true(rows_null(to, 1, i));
		assert_int_equal(rows_null(to, 2, i),
		    rows_null(from, 2, 49 - i));
		if (!rows_null(to, 2, i))
			assert_true(to->v[2].f64[i] ==
			    from->v[2].f64[49 - i]);
	}
	b = rows_str(to, 0, 50, &nb);
	assert_memory_equal(b, "new", 3);
	rows_free(from);
	rows_free(to);
	rows_schema_free(s);
}

static void
test_rows_schema(void **state)
{
	struct rows_schema *s = schema(), *t = rows_schema_dup(s), *u;
	enum rows_type type;
	struct cur c;
	struct buf b;
	size_t i;

	(void)state;
	assert_true(rows_schema_equal(s, t));
	assert_true(rows_schema_id(s) == rows_schema_id(t));
	assert_int_equal(rows_schema_find(s, "n"), 4);
	assert_int_equal(rows_schema_find(s, "m"), -1);
	t->cols[2].required = true;
	assert_false(rows_schema_equal(s, t));
	assert_true(rows_schema_id(s) != rows_schema_id(t));

	buf_init(&b, 4096);
	rows_schema_encode(t, &b);
	cur_init(&c, b.data, b.len);
	assert_int_equal(rows_schema_decode(&c, &u, NULL), 0);
	assert_int_equal(cur_left(&c), 0);
	assert_true(rows_schema_equal(t, u));
	rows_schema_free(u);
	for (i = 0; i < b.len; i++) {
		cur_init(&c, b.data, i);
		assert_int_equal(rows_schema_decode(&c, &u, NULL),
		    ERR_CORRUPT);
		assert_null(u);
	}
	for (i = 0; i < NCOLS; i++) {
		assert_int_equal(rows_type_parse(rows_type_name(
		    cols[i].type), &type), 0);
		assert_int_equal(type, cols[i].type);
	}
	assert_int_equal(rows_type_parse("text", &type), ERR_DATA);
	buf_fini(&b);
	rows_schema_free(s);
	rows_schema_free(t);
	rows_schema_free(NULL);
}

static void
check_cell(const struct rows *r, uint32_t c, const char *text,
    const char *json)
{
	struct buf b;

	buf_init(&b, 4096);
	rows_cell_text(r, c, 0, &b);
	assert_string_equal(buf_str(&b), text);
	buf_clear(&b);
	rows_cell_json(r, c, 0, &b);
	assert_string_equal(buf_str(&b), json);
	buf_fini(&b);
}

static void
test_rows_cells(void **state)
{
	struct rows_schema *s = schema();
	struct rows *r = rows_new(s);

	(void)state;
	rows_add(r);
	check_cell(r, 0, "", "null");
	rows_set_str(r, 0, 0, "a \"b\"\n", 6);
	rows_set_i64(r, 1, 0, 1234567);
	rows_set_f64(r, 2, 0, 0.1);
	rows_set_bool(r, 3, 0, true);
	rows_set_i32(r, 4, 0, INT32_MIN);
	rows_set_i64(r, 5, 0, INT64_MIN);
	rows_set_str(r, 6, 0, "[\"x\"]", 5);
	check_cell(r, 0, "a \"b\"\n", "\"a \\\"b\\\"\\n\"");
	check_cell(r, 1, "1970-01-01T00:00:00.1234567Z",
	    "\"1970-01-01T00:00:00.1234567Z\"");
	check_cell(r, 2, "0.1", "0.1");
	check_cell(r, 3, "true", "true");
	check_cell(r, 4, "-2147483648", "-2147483648");
	check_cell(r, 5, "-9223372036854775808", "-9223372036854775808");
	check_cell(r, 6, "[\"x\"]", "[\"x\"]");
	rows_set_f64(r, 2, 0, __builtin_nan(""));
	check_cell(r, 2, "NaN", "\"NaN\"");
	rows_set_f64(r, 2, 0, -__builtin_inf());
	check_cell(r, 2, "-Infinity", "\"-Infinity\"");
	rows_free(r);
	rows_schema_free(s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_digest),
		cmocka_unit_test(test_rows_add_drop),
		cmocka_unit_test(test_rows_dict),
		cmocka_unit_test(test_rows_copier),
		cmocka_unit_test(test_rows_schema),
		cmocka_unit_test(test_rows_cells),
	};

	return (cmocka_run_group_tests(tests, NULL, NULL));
}
