/*
 * The usual answer read from its text gives what the parser gives: answers
 * made at random, mostly usual, are decoded both ways and must have equal
 * rows, pages and errors. (A byte order mark keeps the scanner away.)
 * SCAN_ROUNDS=n for more of them.
 */

#include "config.h"

#include "base/hash.h"
#include "source/source_series_int.h"
#include "source_test.h"

#define DAY 17092512000000000LL		/* 2024-03-01T00:00:00Z */
#define NSTREAMS 3
#define BOM "\xef\xbb\xbf"
#define COLUMNS "tag_webid tag_name timestamp value value_text state_code " \
	"is_system good questionable substituted annotated units ordinal"
#define ANY(list) (list)[rng_below(&g->rng, sizeof(list) / sizeof(*(list)))]
#define ROUNDS 20000

static const struct source_stream S[NSTREAMS] = {
	{ .key = "P1DPtag0", .name = "T0" }, { .key = "P1DPtag1", .name = "T1" },
	{ .key = "P1DPtag2", .name = "T2" },
};
static const struct source_stream *const STREAMS[] = { &S[0], &S[1], &S[2] };

/* --- answers at random ---------------------------------------------------- */

struct gen {
	struct rng rng;
	struct buf b;
	struct buf tail;	/* of the last item, behind its value */
	unsigned odd;		/* of 1000 things, so many are unusual */
	int64_t t;
};

static bool
odd(struct gen *g)
{

	return (rng_below(&g->rng, 1000) < g->odd);
}

static void
put_space(struct gen *g)
{
	static const char *const SPACES[] = { " ", "\n", "\t", "\r\n  ", "" };

	if (odd(g))
		buf_puts(&g->b, ANY(SPACES));
}

static void
put_number(struct gen *g)
{
	static const char *const FORMS[] = {
		"%.5f", "%.17g", "%.9g", "%.0f", "%.15g", "%e", "%.1f", "-%.3f",
	};
	uint64_t bits = rng_u64(&g->rng);
	double x = (double)(bits >> 20) / (double)(1u << (bits & 31));
	char text[400];

	if (odd(g)) {
		memcpy(&x, &bits, sizeof(x));
		if (x != x || x - x != 0)
			x = 0;
	}
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
	(void)snprintf(text, sizeof(text), ANY(FORMS), x);
#pragma GCC diagnostic pop
	buf_puts(&g->b, text);
}

static void
put_state(struct gen *g)
{
	static const char *const NAMES[] = {
		"'Bad'", "'Running'", "''", "'gr\xc3\xbc n'", "'a\\'b'", "null",
	};
	static const char *const CODES[] = {
		"0", "-1", "307", "00", "-", "", "1.0", "'5'", "1e2", "-0",
		"999999999999999999", "1000000000000000000", "null", "true",
	};
	static const char *const ENDS[] = {
		",'IsSystem':false}", ",'IsSystem':true}", "}", "",
		",'IsSystem':null}", ",'IsSystem':true,'Value':4}", ",}",
		",'IsSystem': true}", ",'Other':1}",
	};

	buf_printf(&g->b, "{'Name':%s,'Value':%s%s",
	    NAMES[odd(g) ? rng_below(&g->rng, 6) : rng_below(&g->rng, 2)],
	    CODES[odd(g) ? rng_below(&g->rng, 14) : rng_below(&g->rng, 3)],
	    ENDS[odd(g) ? rng_below(&g->rng, 9) : rng_below(&g->rng, 3)]);
}

static void
put_value(struct gen *g)
{
	static const char *const ODD[] = {
		"{'Name':'Bad','Value':307,'IsSystem':true}", "null", "true",
		"'text'", "''", "'a\\u20acb'", "'gr\xc3\xbc n'", "'\xff'",
		"{'Errors':['a']}", "[1,2]", "9007199254740993", "-0", "-0.0",
		"0", "01", "1.", ".5", "-", "1e400", "1E5", "-1e-5", "NaN",
		"Infinity", "-Infinity", "18446744073709551616", "1.5.5", "{}",
		"9223372036854775808", "123456789012345678901234567890",
		"0.000000000000000000000001", "1x", "truex", "'a\tb'", "[[[1]]]",
		"{'a':{'b':[{}]}}", "12345678901234567.5", "", "-1", "1e",
		"'gr\xc3 n'", "'\xed\xa0\x80'", "'\xc0\xaf'", "'\x7f'", "7E+09",
		"1e22", "1e23", "-1.5e-22", "0e0", "-0e5", "1E-007", "1e+",
		"1e1000", "0.0000000e5", "12345678.5", "1234567.1234567",
		"1234567.12345678", "9999999e22", "1e-23", "1.5e+0022", "00.5",
		"'a\\'b'", "[1,]", BOM "1.5", BOM "'a'", "{'Name':'x','Name':'y','Value':'3'}",
	};

	if (odd(g))
		buf_puts(&g->b, ANY(ODD));
	else if (rng_below(&g->rng, 4) == 0)
		put_state(g);
	else
		put_number(g);
}

static void
put_time(struct gen *g)
{
	static const char *const ODD[] = {
		"''", "1", "null", "'2024-03-01'", "'2024-03-01T00:00:60Z'",
		"'2024-03-01T02:00:00+02:00'", "'2024-03-01T00:00:00.Z'",
		"'2024-03-01T00:00:00.12345678Z'", "'2024-03-01t00:00:00z'",
		"'2024-03-01T00:00:00'", "'2024-03-01T00:00:0Z'",
		"'2024-13-01T00:00:00Z'", "'2024-03-01T00:00:61Z'",
		"'2024-03-01T00:00:00.1234567890123Z'", "'2024-03-01T00:00:00Zx'",
		"'\\u0032024-03-01T00:00:00Z'", "'1970-01-01T00:00:01Z'",
	};
	char text[TICKS_TEXT_MAX];

	if (odd(g)) {
		buf_puts(&g->b, ANY(ODD));
		return;
	}
	if (rng_below(&g->rng, 4) != 0)
		g->t += (int64_t)rng_below(&g->rng, 30 * TICKS_PER_S);
	if (odd(g))
		g->t -= 5;
	if (rng_below(&g->rng, 3) == 0)
		g->t += TICKS_PER_S - g->t % TICKS_PER_S;
	buf_printf(&g->b, "'%s'", ticks_text(g->t, text));
}

static void
put_key(struct gen *g, const char *name, bool first)
{

	if (!first)
		buf_u8(&g->b, ',');
	put_space(g);
	buf_printf(&g->b, "'%s'", odd(g) ? "Good" : name);
	put_space(g);
	buf_u8(&g->b, ':');
	put_space(g);
}

static void
put_item(struct gen *g)
{
	static const char *const BOOLS[] = { "true", "false" };
	static const char *const UNITS[] = { "'m3/h'", "''", "'\xc2\xb0" "C'" };
	static const char *const FLAGS[] = {
		"Good", "Questionable", "Substituted", "Annotated",
	};
	static const char *const MORE[] = {
		"Errors", "Annotations", "Other", "Timestamp", "Value", "Go\\u006fd",
	};
	bool backwards = odd(g);
	size_t tail;

	buf_u8(&g->b, '{');
	put_key(g, backwards ? "Value" : "Timestamp", true);
	backwards ? put_value(g) : put_time(g);
	put_key(g, backwards ? "Timestamp" : "Value", false);
	backwards ? put_time(g) : put_value(g);
	if (g->tail.len > 0 && rng_below(&g->rng, 2) == 0) {
		buf_put(&g->b, g->tail.data, g->tail.len);
		return;
	}
	tail = g->b.len;
	put_key(g, "UnitsAbbreviation", false);
	odd(g) ? put_value(g) : buf_puts(&g->b, ANY(UNITS));
	for (size_t i = 0; i < 4 && !odd(g); i++) {
		put_key(g, FLAGS[i], false);
		odd(g) ? put_value(g) : buf_puts(&g->b, ANY(BOOLS));
	}
	if (odd(g)) {
		put_key(g, ANY(MORE), false);
		put_value(g);
	}
	put_space(g);
	buf_u8(&g->b, '}');
	buf_clear(&g->tail);
	buf_put(&g->tail, g->b.data + tail, g->b.len - tail);
}

static void
put_items(struct gen *g)
{
	uint64_t n = rng_below(&g->rng, 12);

	if (rng_below(&g->rng, 500) == 0)	/* more than rows made ready */
		n = 500 + rng_below(&g->rng, 700);
	g->t = DAY + (int64_t)rng_below(&g->rng, 4) * TICKS_PER_S;
	buf_u8(&g->b, '[');
	put_space(g);
	for (uint64_t i = 0; i < n; i++) {
		if (i > 0)
			buf_u8(&g->b, ',');
		put_space(g);
		put_item(g);
	}
	put_space(g);
	buf_u8(&g->b, ']');
}

/* What may stand beside a list. */
static void
put_more(struct gen *g, bool first)
{
	static const char *const KEYS[] = {
		"WebException", "Errors", "Items", "Links", "UnitsAbbreviation",
		"It\\u0065ms",
	};

	if (!odd(g))
		return;
	put_key(g, ANY(KEYS), first);
	put_value(g);
	if (first)
		buf_u8(&g->b, ',');
}

static void
put_answer(struct gen *g, uint32_t n)
{

	buf_clear(&g->b);
	buf_puts(&g->b, "{");
	put_more(g, true);
	buf_puts(&g->b, "'Links':{},");
	put_key(g, "Items", true);
	if (n == 1) {
		put_items(g);
	} else {
		buf_u8(&g->b, '[');
		for (uint32_t i = 0; i < n; i++) {
			buf_printf(&g->b, "%s{", i > 0 ? "," : "");
			put_more(g, true);
			buf_printf(&g->b, "'WebId':'P1DPtag%u'",
			    odd(g) ? 0 : n - 1 - i);
			if (!odd(g)) {
				put_key(g, "Items", false);
				put_items(g);
			}
			buf_puts(&g->b, ",'UnitsAbbreviation':'x'");
			put_more(g, false);
			buf_u8(&g->b, '}');
		}
		buf_u8(&g->b, ']');
	}
	put_more(g, false);
	buf_puts(&g->b, "}");
	put_space(g);
	if (odd(g))
		buf_puts(&g->b, ANY(((const char *const[]){ "x", "}", "]" })));
}

/* --- both ways ------------------------------------------------------------ */

struct result {
	int rc;
	char *rows;
	struct source_page pages[NSTREAMS];
	struct err err;
};

static void
decode(const struct source_table *t, uint32_t n, const char *before,
    const char *text, struct result *r)
{
	struct rows *rows = rows_new(t->schema);
	char *whole = must_sprintf("%s%s", before, text), *body;
	size_t len;

	memset(r, 0, sizeof(*r));
	body = test_body(whole, &len);
	r->rc = source_series_decode(t, STREAMS, n, DAY,
	    DAY + 60 * TICKS_PER_S, body, len, rows, r->pages, &r->err);
	r->rows = test_dump(rows, COLUMNS);
	free(body);
	free(whole);
	rows_free(rows);
}

static void
compare(const struct source_table *t, uint32_t n, const char *text,
    uint64_t seed)
{
	struct result scanned, parsed;

	decode(t, n, "", text, &scanned);
	decode(t, n, BOM, text, &parsed);
	if (scanned.rc != parsed.rc || strcmp(scanned.rows, parsed.rows) != 0 ||
	    memcmp(scanned.pages, parsed.pages, sizeof(parsed.pages)) != 0 ||
	    strcmp(scanned.err.text, parsed.err.text) != 0)
		print_error("seed %llu\n%s\n", (unsigned long long)seed, text),
		print_error("scanned: %d %s\n%s", scanned.rc,
		    scanned.err.text, scanned.rows),
		print_error("parsed: %d %s\n%s", parsed.rc, parsed.err.text,
		    parsed.rows), fail();
	free(scanned.rows);
	free(parsed.rows);
}

static bool
is_scanned(const struct source_table *t, const char *text)
{
	struct source_page page;
	struct source_answer w = { .table = t, .plan = t->plan,
		.streams = STREAMS, .pages = &page, .n = 1, .a = DAY,
		.b = DAY + TICKS_PER_DAY, .rows = rows_new(t->schema) };
	size_t len;
	char *body = test_body(text, &len);
	bool ok;

	memset(&page, 0, sizeof(page));
	buf_init(&w.scratch, 1 << 20);
	ok = source_scan(&w, body, len, false);
	if (!ok)
		assert_int_equal(w.rows->n, 0);
	buf_fini(&w.scratch);
	rows_free(w.rows);
	free(body);
	return (ok);
}

static void
test_equal(void **state)
{
	static const unsigned ODDS[] = { 0, 1, 5, 20, 100 };
	const struct source_table *t = source_table_find(*state,
	    "pi_timeseries");
	const char *more = getenv("SCAN_ROUNDS");
	uint64_t rounds = more != NULL ? strtoull(more, NULL, 10) : ROUNDS;
	struct gen gen, *g = &gen;

	buf_init(&g->b, 1 << 20);
	buf_init(&g->tail, 1 << 20);
	for (uint64_t seed = 0; seed < rounds; seed++) {
		rng_init(&g->rng, seed);
		buf_clear(&g->tail);
		g->odd = ANY(ODDS);
		put_answer(g, 1 + (uint32_t)rng_below(&g->rng, NSTREAMS));
		if (rng_below(&g->rng, 8) == 0)		/* torn */
			g->b.len = rng_below(&g->rng, g->b.len);
		else if (rng_below(&g->rng, 8) == 0)	/* turned */
			g->b.data[rng_below(&g->rng, g->b.len)] =
			    (uint8_t)(1 + rng_below(&g->rng, 255));
		for (uint32_t n = 1; n <= NSTREAMS; n++)
			compare(t, n, buf_str(&g->b), seed);
	}
	buf_fini(&g->tail);
	buf_fini(&g->b);
}

/* The usual answers really are read without the parser. */
static void
test_usual(void **state)
{
	const struct source_table *t = source_table_find(*state,
	    "pi_timeseries");
	struct gen gen = { .odd = 0 };

	buf_init(&gen.b, 1 << 20);
	buf_init(&gen.tail, 1 << 20);
	for (uint64_t seed = 0; seed < 100; seed++) {
		rng_init(&gen.rng, seed);
		put_answer(&gen, 1);
		if (!is_scanned(t, buf_str(&gen.b)))
			fail_msg("%s", buf_str(&gen.b));
	}
	buf_fini(&gen.tail);
	buf_fini(&gen.b);
	assert_true(is_scanned(t, "{'Items':[{'Timestamp':"
	    "'2024-03-01T00:00:00Z','Value':{'Name':'Bad','Value':307,"
	    "'IsSystem':true},'Good':false,'Other':[1,{'a':null}]}]}"));
	assert_false(is_scanned(t, "{'Items':[{'Value':1}]}"));
	assert_false(is_scanned(t, "{'Items':[],'Errors':['x']}"));
}

/* An item that says something twice leaves no cells to those after it. */
static void
test_twice(void **state)
{
	static const char *const TWICE[] = {
		",'Value':3", ",'Value':'other'", ",'Value':null",
		",'Timestamp':'2024-02-01T00:00:04Z'",
	};
	static const char *const VALUES[] = {
		"'text'", "{'Name':'Off','Value':7,'IsSystem':false}", "null",
		"5",
	};
	const struct source_table *t = source_table_find(*state,
	    "pi_timeseries");
	struct buf b;

	buf_init(&b, 1 << 20);
	for (size_t i = 0; i < 16; i++) {
		buf_clear(&b);
		buf_puts(&b, "{'Items':[");
		for (unsigned k = 0; k < 8; k++)
			buf_printf(&b, "%s{'Timestamp':'2024-03-01T00:00:0%uZ',"
			    "'Value':%s,'Good':true%s}", k > 0 ? "," : "", k,
			    k % 3 == 2 ? VALUES[i % 4] : "1.5",
			    k == 2 ? TWICE[i / 4] : "");
		buf_puts(&b, "]}");
		compare(t, 1, buf_str(&b), i);
	}
	buf_fini(&b);
}

/* Of a time only digits are a minute, before the first one was read too. */
static void
test_no_minute(void **state)
{
	static const char BODY[] = "{\"Items\":[{\"Timestamp\":\""
	    "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0:00.1Z\",\"Value\":1.5}]}";
	const struct source_table *t = source_table_find(*state,
	    "pi_timeseries");
	struct rows *rows = rows_new(t->schema);
	char body[sizeof(BODY) + LIMIT_PADDING];
	struct source_page page;
	struct err e = ERR_INIT;

	memcpy(body, BODY, sizeof(BODY));
	assert_int_equal(source_series_decode(t, STREAMS, 1, DAY,
	    DAY + TICKS_PER_DAY, body, sizeof(BODY) - 1, rows, &page, &e),
	    ERR_ANSWER);
	assert_non_null(strstr(e.text, "control character"));
	rows_free(rows);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_usual),
		cmocka_unit_test(test_twice),
		cmocka_unit_test(test_no_minute),
		cmocka_unit_test(test_equal),
	};

	return (cmocka_run_group_tests(tests, test_setup, test_teardown));
}
