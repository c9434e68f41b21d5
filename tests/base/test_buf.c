/* Buffers, cursors, arenas, hashes. */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/hash.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static void
layout(void **state)
{
	static const uint8_t want[] = { 1, 2, 1, 4, 3, 2, 1, 8, 7, 6, 5, 4, 3,
	    2, 1, 0xac, 0x02, 3, 'h', 'i', '7', '!' };
	struct buf b;
	struct cur c;

	(void)state;
	buf_init(&b, 100);
	assert_string_equal(buf_str(&b), "");
	buf_u8(&b, 1);
	buf_u16le(&b, 0x0102);
	buf_u32le(&b, 0x01020304);
	buf_u64le(&b, 0x0102030405060708);
	buf_varint(&b, 300);
	buf_zigzag(&b, -2);
	buf_puts(&b, "hi");
	buf_printf(&b, "%d!", 7);
	assert_int_equal(b.len, sizeof(want));
	assert_memory_equal(b.data, want, sizeof(want));
	cur_init(&c, b.data, b.len);
	assert_int_equal(cur_u8(&c), 1);
	assert_int_equal(cur_u16le(&c), 0x0102);
	assert_int_equal(cur_u32le(&c), 0x01020304);
	assert_int_equal(cur_u64le(&c), 0x0102030405060708);
	assert_int_equal(cur_varint(&c), 300);
	assert_int_equal(cur_zigzag(&c), -2);
	assert_int_equal(cur_left(&c), 4);
	assert_memory_equal(cur_bytes(&c, 4), "hi7!", 4);
	assert_false(c.bad);
	assert_int_equal(cur_u8(&c), 0);
	assert_true(c.bad);
	buf_fini(&b);
}

static void
varints(void **state)
{
	static const uint64_t values[] = { 0, 1, 127, 128, 16383, 16384,
	    UINT32_MAX, INT64_MAX, 1ull << 63, UINT64_MAX };
	struct buf b;
	struct cur c;
	size_t i, n;

	(void)state;
	buf_init(&b, 100);
	for (i = 0; i < COUNT(values); i++) {
		buf_clear(&b);
		buf_varint(&b, values[i]);
		for (n = 0; n <= b.len; n++) {
			cur_init(&c, b.data, n);
			assert_true(cur_varint(&c) ==
			    (n == b.len ? values[i] : 0));
			assert_int_equal(c.bad, n < b.len);
		}
		buf_clear(&b);
		buf_zigzag(&b, (int64_t)values[i]);
		cur_init(&c, b.data, b.len);
		assert_true(cur_zigzag(&c) == (int64_t)values[i]);
		assert_int_equal(cur_left(&c), 0);
	}
	/* More than 64 bits, more than ten bytes. */
	cur_init(&c, "\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02", 10);
	assert_int_equal(cur_varint(&c), 0);
	assert_true(c.bad);
	cur_init(&c, "\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01", 11);
	cur_varint(&c);
	assert_true(c.bad);
	buf_fini(&b);
}

static void
ceiling(void **state)
{
	struct buf b;
	uint8_t *data;
	size_t n;
	int i;

	(void)state;
	buf_init(&b, 100);
	for (i = 0; i < 100; i++)
		buf_u8(&b, (uint8_t)i);
	assert_int_equal(b.error, 0);
	assert_int_equal(b.len, 100);
	assert_non_null(buf_reserve(&b, 0));
	buf_str(&b);				/* room for the NUL */
	buf_u8(&b, 1);
	assert_int_equal(b.error, ERR_LIMIT);
	assert_null(buf_reserve(&b, 0));
	buf_clear(&b);
	buf_put(&b, "0123456789", 10);
	assert_null(buf_reserve(&b, SIZE_MAX));
	assert_int_equal(b.error, ERR_LIMIT);
	buf_puts(&b, "x");			/* sticks */
	assert_int_equal(b.len, 10);
	assert_string_equal(buf_str(&b), "0123456789");
	data = buf_steal(&b, &n);
	assert_int_equal(n, 10);
	assert_memory_equal(data, "0123456789", 10);
	free(data);
	assert_int_equal(b.len, 0);
	assert_int_equal(b.error, 0);
	buf_puts(&b, "again");
	assert_string_equal(buf_str(&b), "again");
	buf_fini(&b);
	buf_fini(&b);
	buf_fini(NULL);
}

static void
cursor_edges(void **state)
{
	struct cur c;

	(void)state;
	cur_init(&c, NULL, 0);
	assert_false(c.bad);
	assert_int_equal(cur_left(&c), 0);
	assert_non_null(cur_bytes(&c, 0));
	cur_init(&c, "abc", 3);
	assert_null(cur_bytes(&c, SIZE_MAX));
	assert_true(c.bad);
	assert_int_equal(cur_left(&c), 0);
	assert_null(cur_bytes(&c, 0));
	cur_init(&c, "abc", 3);
	assert_int_equal(cur_u32le(&c), 0);
	assert_true(c.bad);
}

static void
checked_sizes(void **state)
{
	size_t v = 3;

	(void)state;
	assert_false(num_add_size(SIZE_MAX, 1, &v));
	assert_false(num_mul_size(SIZE_MAX / 2, 3, &v));
	assert_int_equal(v, 3);
	assert_true(num_add_size(SIZE_MAX - 1, 1, &v));
	assert_true(v == SIZE_MAX);
	assert_true(num_mul_size(6, 7, &v));
	assert_int_equal(v, 42);
}

static void
arenas(void **state)
{
	static const size_t sizes[] = { 0, 1, 15, 16, 17, 1000, 5000, 300000 };
	struct arena *a = arena_new();
	uint8_t *p[COUNT(sizes)];
	size_t i, j;
	int round;

	(void)state;
	for (round = 0; round < 50; round++) {
		for (i = 0; i < COUNT(sizes); i++) {
			p[i] = arena_alloc(a, sizes[i]);
			assert_int_equal((uintptr_t)p[i] % 16, 0);
			for (j = 0; j < sizes[i]; j++)
				assert_int_equal(p[i][j], 0);
			memset(p[i], (int)i + 1, sizes[i]);
		}
		for (i = 0; i < COUNT(sizes); i++)
			for (j = 0; j < sizes[i]; j++)
				assert_int_equal(p[i][j], i + 1);
		if (round % 7 == 6)
			arena_clear(a);
	}
	assert_string_equal(arena_strdup(a, "abc"), "abc");
	assert_string_equal(arena_strndup(a, "abc", 2), "ab");
	assert_string_equal(arena_strndup(a, "abc", 9), "abc");
	assert_string_equal(arena_sprintf(a, "%d-%s", 5, "x"), "5-x");
	arena_free(a);
	arena_free(NULL);
	a = arena_new();
	arena_clear(a);
	arena_free(a);
}

static void
random_numbers(void **state)
{
	struct rng a, b;
	unsigned seen[7] = { 0 };
	double unit;
	int i;

	(void)state;
	rng_init(&a, 1);
	rng_init(&b, 1);
	for (i = 0; i < 7000; i++) {
		assert_true(rng_u64(&a) == rng_u64(&b));
		seen[rng_below(&a, 7)]++;
		rng_below(&b, 7);
		unit = rng_unit(&a);
		assert_true(unit >= 0 && unit < 1);
		rng_unit(&b);
	}
	for (i = 0; i < 7; i++)
		assert_in_range(seen[i], 850, 1150);
	assert_int_equal(rng_below(&a, 1), 0);
	rng_init(&b, 2);
	assert_true(rng_u64(&a) != rng_u64(&b));
}

static void
hashes(void **state)
{
	(void)state;
	/* Stored in files: these must never change. */
	assert_true(hash64("", 0, 0) == 0x2d06800538d394c2);
	assert_true(hash64("abc", 3, 0) == 0x78af5f94892f3950);
	assert_true(hash64("abc", 3, 1) != hash64("abc", 3, 0));
	assert_true(hash_mix(0) == 0xe220a8397b1dcdaf);
}

static void
test_decimal(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, 100);
	buf_decimal(&b, 0);
	buf_puts(&b, " ");
	buf_decimal(&b, 1070);
	buf_puts(&b, " ");
	buf_decimal(&b, UINT64_MAX);
	assert_string_equal(buf_str(&b), "0 1070 18446744073709551615");
	buf_fini(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(layout), cmocka_unit_test(varints),
		cmocka_unit_test(ceiling), cmocka_unit_test(cursor_edges),
		cmocka_unit_test(checked_sizes), cmocka_unit_test(arenas),
		cmocka_unit_test(random_numbers), cmocka_unit_test(hashes),
		cmocka_unit_test(test_decimal),
	};

	return (cmocka_run_group_tests(tests, NULL, NULL));
}
