/* Text at the edges: tables of what is taken and what is refused. */
#include "config.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/hash.h"
#include "base/text.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define BAD UINT64_MAX

static void
numbers(void **state)
{
	static const char *const bad[] = { "", " 1", "1 ", "+1", "0x1", "1.0",
	    "18446744073709551616", "99999999999999999999999", "a", "-", "--1",
	};
	uint64_t u = 9;
	int64_t v = 9;
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(bad); i++) {
		assert_int_equal(text_u64(bad[i], 0, UINT64_MAX, &u),
		    ERR_DATA);
		assert_int_equal(text_i64(bad[i], INT64_MIN, INT64_MAX, &v),
		    ERR_DATA);
	}
	assert_int_equal(u, 9);
	assert_int_equal(v, 9);
	assert_int_equal(text_u64("18446744073709551615", 0, UINT64_MAX, &u),
	    0);
	assert_true(u == UINT64_MAX);
	assert_int_equal(text_u64("-1", 0, UINT64_MAX, &u), ERR_DATA);
	assert_int_equal(text_u64("11", 0, 10, &u), ERR_DATA);
	assert_int_equal(text_u64("4", 5, 10, &u), ERR_DATA);
	assert_int_equal(text_i64("-9223372036854775808", INT64_MIN,
	    INT64_MAX, &v), 0);
	assert_true(v == INT64_MIN);
	assert_int_equal(text_i64("9223372036854775807", INT64_MIN,
	    INT64_MAX, &v), 0);
	assert_true(v == INT64_MAX);
	assert_int_equal(text_i64("9223372036854775808", INT64_MIN,
	    INT64_MAX, &v), ERR_DATA);
	assert_int_equal(text_i64("-9223372036854775809", INT64_MIN,
	    INT64_MAX, &v), ERR_DATA);
	assert_int_equal(text_i64("-3", -2, 2, &v), ERR_DATA);
	assert_int_equal(text_i64("-2", -2, 2, &v), 0);
	assert_int_equal(v, -2);
}

static void
doubles(void **state)
{
	static const char *const bad[] = { "", "nan", "inf", "0x1p3", " 1",
	    "1 ", "1e", "e1", "1..2", "1e999", "101", "-101", "--1" };
	static const struct {
		const char *text;
		double v;
	} good[] = { { "0", 0 }, { "1.5", 1.5 }, { "-2.5e1", -25 },
	    { ".5", .5 }, { "+1", 1 }, { "1E2", 100 } };
	double v = 9;
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(bad); i++)
		if (text_double(bad[i], -100, 100, &v) != ERR_DATA)
			fail_msg("taken: %s", bad[i]);
	assert_true(v == 9.0);
	for (i = 0; i < COUNT(good); i++) {
		assert_int_equal(text_double(good[i].text, -100, 100, &v), 0);
		assert_true(v == good[i].v);
	}
}

static void
sizes(void **state)
{
	static const struct {
		const char *text;
		uint64_t v;
	} rows[] = {
		{ "0", 0 }, { "4096", 4096 }, { "17B", 17 },
		{ "64KiB", 65536 }, { "64kib", 65536 }, { "1.5MiB", 1572864 },
		{ "10GB", 10000000000 }, { "1.000001MB", 1000001 },
		{ "16777215TiB", 16777215ull << 40 },
		{ "2.5TB", 2500000000000 },
		{ "", BAD }, { "KiB", BAD }, { "1.5", BAD }, { "1.5B", BAD },
		{ "1.KB", BAD }, { ".5KB", BAD }, { "1.0000001KB", BAD },
		{ "1 KB", BAD }, { "1KBs", BAD }, { "1K", BAD }, { "-1", BAD },
		{ "16777216TiB", BAD }, { "99999999999999999999", BAD },
	};
	uint64_t v;
	size_t i;
	int rc;

	(void)state;
	for (i = 0; i < COUNT(rows); i++) {
		v = BAD;
		rc = text_size(rows[i].text, 0, UINT64_MAX - 1, &v);
		if (v != rows[i].v || rc != (v == BAD ? ERR_DATA : 0))
			fail_msg("%s gives %d, %llu", rows[i].text, rc,
			    (unsigned long long)v);
	}
	assert_int_equal(text_size("1KB", 1001, 2000, &v), ERR_DATA);
	assert_int_equal(text_size("3KB", 1001, 2000, &v), ERR_DATA);
}

static void
durations(void **state)
{
	static const struct {
		const char *text;
		int64_t v;
	} rows[] = {
		{ "0", 0 }, { "5", 5000 }, { "250ms", 250 }, { "90s", 90000 },
		{ "1h30m", 5400000 }, { "4h", 14400000 },
		{ "30d", 2592000000 }, { "1w", 604800000 },
		{ "1d2h3m4s5ms", 93784005 },
		{ "", -1 }, { "h", -1 }, { "1h30", -1 }, { "1x", -1 },
		{ "1 h", -1 }, { "-1h", -1 }, { "1.5h", -1 }, { "1hm", -1 },
		{ "99999999999999d", -1 }, { "9223372036854775807s", -1 },
		{ "18446744073709551615ms", -1 },
		{ "18446744073709551615ms1ms", -1 },
	};
	int64_t v;
	size_t i;
	int rc;

	(void)state;
	for (i = 0; i < COUNT(rows); i++) {
		v = -1;
		rc = text_duration_ms(rows[i].text, 0, INT64_MAX, &v);
		if (v != rows[i].v || rc != (v < 0 ? ERR_DATA : 0))
			fail_msg("%s gives %d, %lld", rows[i].text, rc,
			    (long long)v);
	}
	assert_int_equal(text_duration_ms("1s", 1001, 2000, &v), ERR_DATA);
	assert_int_equal(text_duration_ms("3s", 1001, 2000, &v), ERR_DATA);
}

static void
booleans(void **state)
{
	static const char *const yes[] = { "true", "yes", "on", "1", "True" };
	static const char *const no[] = { "false", "no", "off", "0", "OFF" };
	static const char *const bad[] = { "", "2", "y", "truee", "tru", " 1" };
	size_t i;
	bool v;

	(void)state;
	for (i = 0; i < COUNT(yes); i++) {
		v = false;
		assert_int_equal(text_bool(yes[i], &v), 0);
		assert_true(v);
		assert_int_equal(text_bool(no[i], &v), 0);
		assert_false(v);
	}
	for (i = 0; i < COUNT(bad); i++)
		assert_int_equal(text_bool(bad[i], &v), ERR_DATA);
}

static void
for_people(void **state)
{
	char b[32];

	(void)state;
	assert_string_equal(text_bytes_human(0, b, 32), "0 B");
	assert_string_equal(text_bytes_human(999, b, 32), "999 B");
	assert_string_equal(text_bytes_human(1000, b, 32), "1.0 KB");
	assert_string_equal(text_bytes_human(999949, b, 32), "999.9 KB");
	assert_string_equal(text_bytes_human(999999, b, 32), "1.0 MB");
	assert_string_equal(text_bytes_human(1234567890, b, 32), "1.2 GB");
	assert_string_equal(text_bytes_human(UINT64_MAX, b, 32), "18.4 EB");
	assert_string_equal(text_counted(1, "row", NULL, b, 32), "1 row");
	assert_string_equal(text_counted(0, "row", NULL, b, 32), "0 rows");
	assert_string_equal(text_counted(1, "retry", "retries", b, 32),
	    "1 retry");
	assert_string_equal(text_counted(1234, "retry", "retries", b, 32),
	    "1,234 retries");
	assert_string_equal(text_count_human(0, b, 32), "0");
	assert_string_equal(text_count_human(999, b, 32), "999");
	assert_string_equal(text_count_human(1234567, b, 32), "1,234,567");
	assert_string_equal(text_count_human(UINT64_MAX, b, 32),
	    "18,446,744,073,709,551,615");
}

static void
escapes(void **state)
{
	static const struct {
		const char *in;
		size_t max;
		const char *out;
	} rows[] = {
		{ "", 10, "" }, { "plain", 10, "plain" },
		{ "a\nb", 10, "a\\x0ab" }, { "\x1b[2J", 10, "\\x1b[2J" },
		{ "\"'\\", 20, "\\x22\\x27\\" }, { "\x7f", 9, "\\x7f" },
		{ "gr\xc3\xbc\xc3\x9f", 20, "gr\xc3\xbc\xc3\x9f" },
		{ "\xc3", 9, "\\xc3" }, { "\xff\xfe", 9, "\\xff\\xfe" },
		{ "\xc2\x9b", 9, "\\xc2\\x9b" },
		{ "\xe2\x80\xae", 20, "\\xe2\\x80\\xae" },
		{ "12345", 5, "12345" }, { "123456", 5, "12345..." },
		{ "1234\n", 5, "1234..." }, { "1234\xc3\xbc", 5, "1234..." },
		{ "x", 0, "..." },
	};
	struct buf b;
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(rows); i++) {
		buf_init(&b, 100);
		text_escape(&b, rows[i].in, strlen(rows[i].in), rows[i].max);
		assert_string_equal(buf_str(&b), rows[i].out);
		buf_fini(&b);
	}
}

static void
percent(void **state)
{
	static const char *const bad[] = { "%", "%4", "a%zz", "%4g", "%%41" };
	struct buf b;
	char text[800], all[256];
	size_t i;
	long n;

	(void)state;
	buf_init(&b, 1000);
	text_percent(&b, "aZ0-._~ /\\\xc3", 11);
	assert_string_equal(buf_str(&b), "aZ0-._~%20%2F%5C%C3");
	buf_clear(&b);
	for (i = 0; i < sizeof(all); i++)
		all[i] = (char)i;
	text_percent(&b, all, sizeof(all));
	assert_int_equal(b.error, 0);
	memcpy(text, b.data, b.len);
	n = text_unpercent(text, b.len, true);
	assert_int_equal(n, sizeof(all));
	assert_memory_equal(text, all, sizeof(all));
	buf_fini(&b);
	strcpy(text, "a+b%2bc%2Bd");
	n = text_unpercent(text, strlen(text), true);
	assert_int_equal(n, 7);
	assert_memory_equal(text, "a b+c+d", 7);
	strcpy(text, "a+b");
	assert_int_equal(text_unpercent(text, 3, false), 3);
	assert_memory_equal(text, "a+b", 3);
	for (i = 0; i < COUNT(bad); i++) {
		strcpy(text, bad[i]);
		assert_int_equal(text_unpercent(text, strlen(text), false),
		    -1);
	}
}

static void
base64(void **state)
{
	static const char *const pairs[][2] = {
		{ "", "" }, { "f", "Zg" }, { "fo", "Zm8" }, { "foo", "Zm9v" },
		{ "foob", "Zm9vYg" }, { "fooba", "Zm9vYmE" },
		{ "foobar", "Zm9vYmFy" }, { "\xfb\xff", "-_8" },
	};
	static const char *const bad[] = { "Z", "Zg=", "Zh", "Zm9", "Zm9v+",
	    "Zm 9v", "/w" };
	uint8_t in[64], out[64];
	struct buf b;
	struct rng rng;
	size_t i, n;

	(void)state;
	buf_init(&b, 1000);
	for (i = 0; i < COUNT(pairs); i++) {
		buf_clear(&b);
		n = strlen(pairs[i][0]);
		text_base64url(&b, pairs[i][0], n);
		assert_string_equal(buf_str(&b), pairs[i][1]);
		assert_int_equal(text_unbase64url(pairs[i][1], b.len, out,
		    n), n);
		assert_memory_equal(out, pairs[i][0], n);
		if (n > 0)
			assert_int_equal(text_unbase64url(pairs[i][1], b.len,
			    out, n - 1), -1);
	}
	for (i = 0; i < COUNT(bad); i++)
		if (text_unbase64url(bad[i], strlen(bad[i]), out, 64) != -1)
			fail_msg("taken: %s", bad[i]);
	rng_init(&rng, 3);
	for (i = 0; i < 2000; i++) {
		for (n = 0; n < sizeof(in); n++)
			in[n] = (uint8_t)rng_u64(&rng);
		n = rng_below(&rng, sizeof(in) + 1);
		buf_clear(&b);
		text_base64url(&b, in, n);
		assert_int_equal(text_unbase64url(buf_str(&b), b.len, out,
		    sizeof(out)), n);
		assert_memory_equal(in, out, n);
	}
	buf_fini(&b);
}

static void
utf8(void **state)
{
	static const char *const good[] = { "", "plain ascii text, long",
	    "\xc2\x80", "\xdf\xbf", "\xe0\xa0\x80", "\xed\x9f\xbf",
	    "\xee\x80\x80", "\xef\xbf\xbf", "\xf0\x90\x80\x80",
	    "\xf4\x8f\xbf\xbf", ("1234567\xc3\xbc" "89abcdefgh") };
	static const char *const bad[] = { "\x80", "\xbf", "\xc0\x80",
	    "\xc1\xbf", "\xc2", "\xc2\x41", "\xe0\x9f\xbf", "\xed\xa0\x80",
	    "\xed\xbf\xbf", "\xe2\x82", "\xf0\x8f\xbf\xbf",
	    "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xff",
	    "12345678\xff", "1234567890123\xe2\x82" };
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(good); i++)
		if (!text_utf8_valid(good[i], strlen(good[i])))
			fail_msg("good row %zu refused", i);
	for (i = 0; i < COUNT(bad); i++)
		if (text_utf8_valid(bad[i], strlen(bad[i])))
			fail_msg("bad row %zu taken", i);
	assert_true(text_utf8_valid("a\0b", 3));
}

static void
nearest(void **state)
{
	static const char *const words[] = { "harvest", "compact", "config",
	    "log", "status" };
	static const struct {
		const char *word, *want;
	} rows[] = {
		{ "harvest", "harvest" }, { "havrest", "harvest" },
		{ "compct", "compact" }, { "confgi", "config" },
		{ "lgo", "log" }, { "statsu", "status" }, { "sttus", "status" },
		{ "", NULL }, { "xyz", NULL }, { "delete", NULL },
		{ "l", NULL },
		{ "hhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhh"
		  "hhhhhhhhhhhhhhhhhhhhhhhhh", NULL },
	};
	const char *got;
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(rows); i++) {
		got = text_nearest(rows[i].word, words, COUNT(words));
		if (rows[i].want == NULL)
			assert_null(got);
		else {
			assert_non_null(got);
			assert_string_equal(got, rows[i].want);
		}
	}
	assert_null(text_nearest("log", NULL, 0));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(numbers), cmocka_unit_test(doubles),
		cmocka_unit_test(sizes), cmocka_unit_test(durations),
		cmocka_unit_test(booleans), cmocka_unit_test(for_people),
		cmocka_unit_test(escapes), cmocka_unit_test(percent),
		cmocka_unit_test(base64), cmocka_unit_test(utf8),
		cmocka_unit_test(nearest),
	};

	return (cmocka_run_group_tests(tests, NULL, NULL));
}
