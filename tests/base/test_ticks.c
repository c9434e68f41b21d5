/* Time: tables of texts, and every day of the calendar against gmtime(). */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "base/err.h"
#include "base/hash.h"
#include "base/ticks.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define S TICKS_PER_S

static void
parse_good(void **state)
{
	static const struct {
		const char *text;
		int64_t t;
	} rows[] = {
		{ "1970-01-01T00:00:00Z", 0 },
		{ "1970-01-01T00:00:00.0000001Z", 1 },
		{ "1970-01-01T00:00:00.1Z", S / 10 },
		{ "1970-01-01T00:00:00.000000199Z", 1 },
		{ "1970-01-01T00:00:00.99999999Z", S - 1 },
		{ "2024-03-01T00:00:00Z", 1709251200 * S },
		{ "2024-02-29T23:59:59.1234567Z", 1709251199 * S + 1234567 },
		{ "2000-02-29T00:00:00Z", 951782400 * S },
		{ "2024-03-01t01:02:03z", 1709254923 * S },
		{ "2024-03-01T01:00:00+01:00", 1709251200 * S },
		{ "2024-02-29T18:30:00-05:30", 1709251200 * S },
		{ "2024-03-01T00:00:00.5-00:00", 1709251200 * S + S / 2 },
		{ "2024-03-01T02:00:00+0200", 1709251200 * S },
		{ "2024-03-01T02:00:00+02", 1709251200 * S },
		{ "2016-12-31T23:59:60Z", 1483228800 * S },
		{ "9999-12-31T23:59:59.9999999Z", TICKS_MAX },
		{ "0001-01-01T00:00:00Z", -62135596800 * S },
		{ "0000-01-01T00:00:00Z", -62167219200 * S },
		{ "0000-02-29T00:00:00Z", -62162121600 * S },
		{ "1969-12-31T23:59:59.9999999Z", -1 },
	};
	int64_t t;
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(rows); i++) {
		t = TICKS_NONE;
		if (ticks_parse(rows[i].text, strlen(rows[i].text), &t) != 0 ||
		    t != rows[i].t)
			fail_msg("%s gives %lld", rows[i].text, (long long)t);
	}
}

static void
parse_bad(void **state)
{
	static const char *const rows[] = {
		"", "2", "2024-03-01", "2024-03-01T00:00:00",
		"2024-03-01T00:00:00.", "2024-03-01T00:00:00.Z",
		"2024-03-01T00:00:00.1", "2024-03-01T00:00:00.1234567890Z",
		"2024-03-01T00:00:00ZZ", "2024-03-01T00:00:00Z ",
		" 2024-03-01T00:00:00Z", "2024-03-01 00:00:00Z",
		"2024-00-01T00:00:00Z", "2024-13-01T00:00:00Z",
		"2024-01-00T00:00:00Z", "2024-01-32T00:00:00Z",
		"2024-04-31T00:00:00Z", "2023-02-29T00:00:00Z",
		"1900-02-29T00:00:00Z", "2024-02-30T00:00:00Z",
		"2024-03-01T24:00:00Z", "2024-03-01T00:60:00Z",
		"2024-03-01T00:00:61Z", "2024/03/01T00:00:00Z",
		"2024-03-01T00-00:00Z", "2024-03-01T00:00-00Z",
		"2o24-03-01T00:00:00Z", "2024-03-01T00:00:0/Z",
		"2024-03-01T00:00:0:Z", "-024-03-01T00:00:00Z",
		"2024-03-01T00:00:00+", "2024-03-01T00:00:00+1",
		"2024-03-01T00:00:00+24:00", "2024-03-01T00:00:00+01:60",
		"2024-03-01T00:00:00+01:0", "2024-03-01T00:00:00+01:000",
		"2024-03-01T00:00:00+01:00Z", "2024-03-01T00:00:00*01:00",
		"2024-03-01T00:00:00.12x4567Z", "2024-03-01T00:00:00,5Z",
		"9999-12-31T23:59:59-01:00", "0000-01-01T00:00:00+01:00",
		"9999-12-31T23:59:60Z", "\xff\xff\xff\xff-03-01T00:00:00Z",
	};
	int64_t t = 42;
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(rows); i++)
		if (ticks_parse(rows[i], strlen(rows[i]), &t) != ERR_DATA)
			fail_msg("taken: %s", rows[i]);
	assert_int_equal(t, 42);
}

/* Only `len` bytes are looked at: the memory ends there. */
static void
parse_is_bounded(void **state)
{
	static const char text[] = "2024-03-01T00:00:00.1234567+01:00";
	char *copy;
	int64_t t;
	size_t n;

	(void)state;
	for (n = 0; n < strlen(text); n++) {
		copy = malloc(n + 1);
		memcpy(copy + 1, text, n);
		/* +01, taken as an offset of whole hours, is the exception. */
		assert_int_equal(ticks_parse(copy + 1, n, &t),
		    n == 30 ? 0 : ERR_DATA);
		free(copy);
	}
}

static void
every_day(void **state)
{
	char text[TICKS_TEXT_MAX], want[TICKS_TEXT_MAX + 64];
	struct tm tm;
	time_t day;
	int64_t t, back;

	(void)state;
	for (day = -719528; day <= 2932896; day++) {
		time_t s = day * 86400;

		gmtime_r(&s, &tm);
		snprintf(want, sizeof(want), "%04d-%02d-%02d",
		    tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday);
		t = (int64_t)day * TICKS_PER_DAY;
		assert_string_equal(ticks_date(t + TICKS_PER_DAY - 1, text),
		    want);
		ticks_text(t, text);
		assert_int_equal(ticks_parse(text, strlen(text), &back), 0);
		assert_int_equal(back, t);
		assert_int_equal(ticks_day(t), day);
		assert_int_equal(ticks_day(t - 1), day - 1);
	}
}

static void
round_trip(void **state)
{
	static const int64_t grain[] = { 1, 10, 1000, TICKS_PER_MS, S };
	char text[TICKS_TEXT_MAX];
	struct rng rng;
	int64_t t, back;
	int i;

	(void)state;
	rng_init(&rng, 7);
	for (i = 0; i < 200000; i++) {
		t = (int64_t)rng_below(&rng, TICKS_MAX);
		t -= t % grain[i % 5];
		ticks_text7(t, text);
		assert_int_equal(strlen(text), 28);
		assert_int_equal(ticks_parse(text, 28, &back), 0);
		assert_int_equal(back, t);
		ticks_text(t, text);
		assert_int_equal(ticks_parse(text, strlen(text), &back), 0);
		assert_int_equal(back, t);
		assert_int_equal(ticks_us(t) * 10 + ticks_rest(t), t);
	}
}

static void
texts(void **state)
{
	static const struct {
		int64_t t;
		const char *seven, *pi, *s;
	} rows[] = {
		{ 0, "1970-01-01T00:00:00.0000000Z", "1970-01-01T00:00:00Z",
		    "1970-01-01T00:00:00Z" },
		{ -1, "1969-12-31T23:59:59.9999999Z",
		    "1969-12-31T23:59:59.9999999Z", "1969-12-31T23:59:59Z" },
		{ 1709251200 * S + 1200000, "2024-03-01T00:00:00.1200000Z",
		    "2024-03-01T00:00:00.12Z", "2024-03-01T00:00:00Z" },
		{ 1709251200 * S + 1, "2024-03-01T00:00:00.0000001Z",
		    "2024-03-01T00:00:00.0000001Z", "2024-03-01T00:00:00Z" },
		{ TICKS_NONE, "none", "none", "none" },
		{ INT64_MAX, "31197-09-14T02:48:05.4775807Z",
		    "31197-09-14T02:48:05.4775807Z", "31197-09-14T02:48:05Z" },
	};
	char text[TICKS_TEXT_MAX];
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(rows); i++) {
		assert_string_equal(ticks_text7(rows[i].t, text),
		    rows[i].seven);
		assert_string_equal(ticks_text(rows[i].t, text), rows[i].pi);
		assert_string_equal(ticks_text_s(rows[i].t, text), rows[i].s);
	}
	assert_true(strlen(ticks_text7(INT64_MIN + 1, text)) <
	    TICKS_TEXT_MAX);
	assert_int_equal(ticks_us(-1), -1);
	assert_int_equal(ticks_rest(-1), 9);
	assert_int_equal(ticks_rest(-10), 0);
}

static void
human(void **state)
{
	/* 2024-03-01T12:00:00Z */
	const int64_t now = 1709294400 * S, day = 1709251200 * S;
	const struct {
		const char *text;
		int64_t t;	/* TICKS_NONE: refused */
	} rows[] = {
		{ "*", now }, { "now", now }, { "NOW", now },
		{ "t", day }, { "today", day },
		{ "y", day - TICKS_PER_DAY },
		{ "yesterday", day - TICKS_PER_DAY },
		{ "*-8h", now - 8 * 3600 * S }, { "*+1d", now + TICKS_PER_DAY },
		{ "t+30m", day + 1800 * S }, { "y-1h30m", day -
		    TICKS_PER_DAY - 5400 * S },
		{ "now-90", now - 90 * S },
		{ "2024-03-01", day }, { "2024-03-01T12:00:00Z", now },
		{ "2024-03-01T12:00:00", now }, { "2024-03-01 12:00:00", now },
		{ "2024-03-01 12:00", now }, { "2024-03-01T12:00Z", now },
		{ "2024-03-01T13:00+01:00", now },
		{ "2024-03-01T12:00:00.25", now + S / 4 },
		{ "2024-03-01T13:00:00+01:00", now },
		{ "", TICKS_NONE }, { "*-", TICKS_NONE }, { "**", TICKS_NONE },
		{ "*-8x", TICKS_NONE }, { "tomorrow", TICKS_NONE },
		{ "-8h", TICKS_NONE }, { "t 8h", TICKS_NONE },
		{ "2024", TICKS_NONE }, { "2024-03", TICKS_NONE },
		{ "2024-03-01T", TICKS_NONE }, { "2024-03-01T12", TICKS_NONE },
		{ "2024-03-01x", TICKS_NONE }, { "2023-02-29", TICKS_NONE },
		{ "2024-03-01T12:00:0", TICKS_NONE },
		{ "2024-03-01T12:00:00Zjunk", TICKS_NONE },
		{ "*-100000d", TICKS_NONE }, { "*+9999999999d", TICKS_NONE },
		{ "2024-03-01T12:00:00.00000000000000000000000000000000000000",
		    TICKS_NONE },
	};
	int64_t t;
	size_t i;
	int rc;

	(void)state;
	for (i = 0; i < COUNT(rows); i++) {
		t = TICKS_NONE;
		rc = ticks_parse_human(rows[i].text, now, &t);
		if (t != rows[i].t || (rc == 0) != (t != TICKS_NONE))
			fail_msg("%s gives %d, %lld", rows[i].text, rc,
			    (long long)t);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(parse_good), cmocka_unit_test(parse_bad),
		cmocka_unit_test(parse_is_bounded),
		cmocka_unit_test(every_day), cmocka_unit_test(round_trip),
		cmocka_unit_test(texts), cmocka_unit_test(human),
	};

	return (cmocka_run_group_tests(tests, NULL, NULL));
}
