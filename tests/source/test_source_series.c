/*
 * Answers of streams: each form of value, each way to fail inside a 200,
 * matching of WebIDs, windows, ties; and bodies torn and turned at random.
 */

#include "config.h"

#include <math.h>

#include "base/hash.h"
#include "source_test.h"

#define DAY 17092512000000000LL		/* 2024-03-01T00:00:00Z */
#define A DAY
#define B (DAY + 3600 * TICKS_PER_S)
#define X "I1DPOywdb1lKd0iaCxEiM0RVZgkhAAAA"
#define X_FULL "F1DPOywdb1lKd0iaCxEiM0RVZgkhAAAAUElTUlYxXFg"
#define Y "I1DPOywdb1lKd0iaCxEiM0RVZgkxAAAA"
#define T(s) "'Timestamp':'2024-03-01T00:" s "Z'"

static const struct source_stream STREAM_X = { .key = X, .name = "TAG.X" },
    STREAM_Y = { .key = Y, .name = "TAG.Y" };
static const struct source_stream *const STREAMS[] = { &STREAM_X, &STREAM_Y };

struct decoded {
	struct rows *rows;
	struct source_page pages[2];
	struct err err;
	int rc;
};

static void
decode(struct source *s, uint32_t n, const char *text, struct decoded *d)
{
	const struct source_table *t = source_table_find(s, "pi_timeseries");
	size_t len;
	char *body = test_body(text, &len);

	memset(d, 0, sizeof(*d));
	d->rows = rows_new(t->schema);
	d->rc = source_series_decode(t, STREAMS, n, A, B, body, len, d->rows,
	    d->pages, &d->err);
	free(body);
	rows_check(d->rows);
	if (d->rc != 0)
		assert_int_equal(d->rows->n, 0);
}

static void
expect(struct decoded *d, const char *cols, const char *want)
{
	char *got = test_dump(d->rows, cols);

	assert_string_equal(got, want);
	free(got);
}

/* --- values --------------------------------------------------------------- */

static const struct {
	const char *value;	/* with its key */
	const char *want;	/* value value_text state_code is_system */
} VALUES[] = {
	{ "'Value':12.5", "12.5 null null null" },
	{ "'Value':0.0", "0 null null null" },
	{ "'Value':-7", "-7 null null null" },
	{ "'Value':1E-05", "1e-05 null null null" },
	{ "'Value':1.5E+20", "1.5e+20 null null null" },
	{ "'Value':9007199254740992", "9007199254740992 null null null" },
	{ "'Value':9007199254740993",
	    "9007199254740992 '9007199254740993' null null" },
	{ "'Value':-9007199254740993",
	    "-9007199254740992 '-9007199254740993' null null" },
	{ "'Value':9223372036854775807",
	    "9.223372036854776e+18 '9223372036854775807' null null" },
	{ "'Value':-9223372036854775808",
	    "-9.223372036854776e+18 null null null" },
	{ "'Value':18446744073709551615",
	    "1.8446744073709552e+19 '18446744073709551615' null null" },
	{ "'Value':9223372036854775808",
	    "9.223372036854776e+18 null null null" },
	{ "'Value':''", "null '' null null" },
	{ "'Value':'12.5'", "null '12.5' null null" },
	{ "'Value':'NaN'", "null 'NaN' null null" },
	{ "'Value':'Gr\xc3\xbc\xc3\x9f" "e \\u20ac'",
	    "null 'Gr\xc3\xbc\xc3\x9f" "e \xe2\x82\xac' null null" },
	{ "'Value':true", "1 'true' null null" },
	{ "'Value':false", "0 'false' null null" },
	{ "'Value':null", "null null null null" },
	{ "'Other':1", "null null null null" },
	{ "'Value':{'Name':'Running','Value':1,'IsSystem':false}",
	    "null 'Running' 1 false" },
	{ "'Value':{'IsSystem':true,'Value':253,'Name':'Pt Created'}",
	    "null 'Pt Created' 253 true" },
	{ "'Value':{'Name':'Bad','Value':307}", "null 'Bad' 307 false" },
	{ "'Value':{'Name':'Bad','Value':307,'IsSystem':'true'}",
	    "null 'Bad' 307 true" },
	{ "'Value':{'Name':null,'Value':2,'IsSystem':false}",
	    "null null 2 false" },
	{ "'Value':{'Name':'Half','Value':'7','IsSystem':false}",
	    "null 'Half' 7 false" },
	/* no code that a number could hold: kept whole, as text */
	{ "'Value':{'Name':'Half','Value':1.5}",
	    "null '{\\'Name\\':\\'Half\\',\\'Value\\':1.5}' null null" },
	{ "'Value':{'Name':'Far','Value':9223372036854775808}",
	    "null '{\\'Name\\':\\'Far\\',\\'Value\\':"
	    "9223372036854775808}' null null" },
	{ "'Value':{'Name':'Odd','Value':'on'}",
	    "null '{\\'Name\\':\\'Odd\\',\\'Value\\':\\'on\\'}' null null" },
	{ "'Value':{'Name':{'de':'An'},'Value':1}",
	    "null '{\\'Name\\':{\\'de\\':\\'An\\'},\\'Value\\':1}' null null" },
	{ "'Value':{'Errors':['no','such']}", "null 'no; such' null null" },
	{ "'Value':{'Errors':[]}", "null '' null null" },
	{ "'Value':[1,'a',null]", "null '[1,\\'a\\',null]' null null" },
	{ "'Value':[NaN]", "null '[NaN]' null null" },
	{ "'Value':{'Lat':1}", "null '{\\'Lat\\':1}' null null" },
	{ "'Value':{}", "null '{}' null null" },
};

static void
test_values(void **state)
{
	struct decoded d;
	char body[1000], want[1000];

	for (size_t i = 0; i < sizeof(VALUES) / sizeof(VALUES[0]); i++) {
		(void)snprintf(body, sizeof(body), "{'Items':[{" T("00:00")
		    ",%s}],'UnitsAbbreviation':''}", VALUES[i].value);
		(void)snprintf(want, sizeof(want), "%s\n", VALUES[i].want);
		decode(*state, 1, body, &d);
		assert_int_equal(d.rc, 0);
		assert_int_equal(d.pages[0].code, 0);
		expect(&d, "value value_text state_code is_system", want);
		rows_free(d.rows);
	}
}

static void
test_not_finite(void **state)
{
	int col;
	struct decoded d;

	decode(*state, 1, "{'Items':[{" T("00:00") ",'Value':NaN},{"
	    T("00:01") ",'Value':-Infinity}]}", &d);
	assert_int_equal(d.rc, 0);
	assert_int_equal(d.rows->n, 2);
	col = rows_schema_find(d.rows->schema, "value");
	assert_true(isnan(d.rows->v[col].f64[0]));
	assert_true(isinf(d.rows->v[col].f64[1]));
	col = rows_schema_find(d.rows->schema, "value_text");
	assert_true(rows_null(d.rows, (uint32_t)col, 0));
	assert_true(rows_null(d.rows, (uint32_t)col, 1));
	rows_free(d.rows);
}

/* Types change from item to item, keys change places; flags are what they
 * are, missing ones null; a unit of its own wins over the container's. */
static void
test_items(void **state)
{
	struct decoded d;

	decode(*state, 1, "{'Links':{},'Items':["
	    "{" T("00:00") ",'Value':1,'UnitsAbbreviation':'m','Good':true,"
	    "'Questionable':false,'Substituted':false,'Annotated':true},"
	    "{'Good':'false','Value':'x','Annotated':null," T("00:00.5") "},"
	    "{" T("00:00.5000000") ",'UnitsAbbreviation':'','Value':2,"
	    "'Questionable':'true','Errors':null,'New':[{}]},"
	    "{" T("00:00.5000001") ",'Errors':[],'Value':3,"
	    "'UnitsAbbreviation':null,'Substituted':true},"
	    "{" T("00:00.50000010") ",'Value':null}"
	    "],'UnitsAbbreviation':'kPa'}", &d);
	assert_int_equal(d.rc, 0);
	expect(&d, "timestamp value value_text good questionable substituted "
	    "annotated units ordinal",
	    "'2024-03-01T00:00:00.0000000Z' 1 null true false false true "
	    "'m' 0\n"
	    "'2024-03-01T00:00:00.5000000Z' null 'x' false null null null "
	    "'kPa' 0\n"
	    "'2024-03-01T00:00:00.5000000Z' 2 null null true null null '' 1\n"
	    "'2024-03-01T00:00:00.5000001Z' 3 null null null true null "
	    "'kPa' 0\n"
	    "'2024-03-01T00:00:00.5000001Z' null null null null null null "
	    "'kPa' 1\n");
	expect(&d, "tag_webid tag_name", "'" X "' 'TAG.X'\n'" X "' 'TAG.X'\n'"
	    X "' 'TAG.X'\n'" X "' 'TAG.X'\n'" X "' 'TAG.X'\n");
	assert_int_equal(d.pages[0].n, 5);
	assert_int_equal(d.pages[0].first, A);
	assert_int_equal(d.pages[0].last, A + 5000001);
	rows_free(d.rows);
}

/* Items at b, and before a, are received but not kept. */
static void
test_window(void **state)
{
	struct decoded d;

	decode(*state, 1, "{'Items':["
	    "{'Timestamp':'2024-02-29T23:59:59.9999999Z','Value':1},"
	    "{" T("00:00") ",'Value':2},"
	    "{" T("59:59.9999999") ",'Value':3},"
	    "{'Timestamp':'2024-03-01T01:00:00Z','Value':4},"
	    "{'Timestamp':'2024-03-01T02:00:00+01:00','Value':5}]}", &d);
	assert_int_equal(d.rc, 0);
	expect(&d, "value ordinal", "2 0\n3 0\n");
	assert_int_equal(d.pages[0].n, 5);
	assert_int_equal(d.pages[0].first, A - 1);
	assert_int_equal(d.pages[0].last, B);
	assert_int_equal(d.pages[0].row_from, 0);
	assert_int_equal(d.pages[0].row_n, 2);
	rows_free(d.rows);
}

/* --- sets ----------------------------------------------------------------- */

static void
test_set(void **state)
{
	struct decoded d;

	/* Not in the order asked; one by its Full WebID. */
	decode(*state, 2, "{'Links':{},'Items':["
	    "{'Name':'TAG.Y','WebId':'" Y "','UnitsAbbreviation':'bar',"
	    "'Items':[{" T("00:01") ",'Value':1},{" T("00:02")
	    ",'Value':2}]},"
	    "{'Items':[{" T("00:00") ",'Value':3}],'WebId':'" X_FULL "'}"
	    "]}", &d);
	assert_int_equal(d.rc, 0);
	expect(&d, "tag_webid tag_name value units",
	    "'" Y "' 'TAG.Y' 1 'bar'\n'" Y "' 'TAG.Y' 2 'bar'\n"
	    "'" X "' 'TAG.X' 3 null\n");
	assert_true(d.pages[0].present && d.pages[1].present);
	assert_int_equal(d.pages[0].row_from, 2);
	assert_int_equal(d.pages[0].row_n, 1);
	assert_int_equal(d.pages[1].row_from, 0);
	assert_int_equal(d.pages[1].row_n, 2);
	rows_free(d.rows);
}

/* Rows that were there stay, whatever comes. */
static void
test_append(void **state)
{
	const struct source_table *t = source_table_find(*state,
	    "pi_timeseries");
	const char *bodies[] = {
		"{'Items':[{" T("00:00") ",'Value':1}]}",
		"{'Items':[{" T("00:00") ",'Value':2}],'WebException':{}}",
		"{'Items':[{" T("00:00") ",'Value':3},{" T("00:01")
		    ",'Errors':[{'FieldName':'Value','Message':['x']}]}]}",
		"{'Items':[{" T("00:00") ",'Value':4",
		"{'Items':[{" T("00:02") ",'Value':5}]}",
	};
	struct decoded d = { .rows = rows_new(t->schema) };
	size_t len;
	char *body;

	for (size_t i = 0; i < 5; i++) {
		body = test_body(bodies[i], &len);
		(void)source_series_decode(t, STREAMS, 1, A, B, body, len,
		    d.rows, d.pages, &d.err);
		free(body);
		assert_int_equal(d.rows->n, i < 4 ? 1 : 2);
	}
	assert_int_equal(d.pages[0].row_from, 1);
	expect(&d, "value", "1\n5\n");
	rows_free(d.rows);
}

/* --- failures ------------------------------------------------------------- */

static const struct {
	uint32_t n;
	const char *body;
	const char *words;	/* in the message */
} FATAL[] = {
	{ 1, "", "empty" },
	{ 1, "{'Items':[{" T("00:00") ",'Value':1}]", "JSON" },
	{ 1, "  <html><body>Service Unavailable</body></html>", "HTML" },
	{ 1, "{}", "no list" },
	{ 1, "[]", "no list" },
	{ 1, "null", "no list" },
	{ 1, "'just a text'", "no list" },
	{ 1, "{'Message':'No HTTP resource was found'}", "no list" },
	{ 1, "{'Errors':['Unknown or invalid WebID format']}",
	    "Unknown or invalid WebID format" },
	{ 1, "{'Items':[],'WebException':{'Errors':['lost','it'],"
	    "'StatusCode':500}}", "lost; it" },
	{ 1, "{'WebException':{'Errors':['at the top']},'Items':[]}",
	    "at the top" },
	{ 2, "{'Items':{}}", "no list" },
	{ 2, "{'Items':[{'Items':[]}]}", "without WebId" },
	{ 2, "{'Items':[{'WebId':'" X "','Items':[]},{'WebId':'" X_FULL "',"
	    "'Items':[]}]}", "twice" },
	{ 2, "{'Items':[{'WebId':'F1DPnobody','Items':[]}]}",
	    "nobody asked for" },
	{ 2, "{'Items':[{'WebId':'" X "','Items':[{" T("00:00")
	    ",'Value':1}]},{'WebId':'" X_FULL "\\n','Items':[]}]}",
	    "nobody asked for" },
	{ 2, "{'Items':[null]}", "without WebId" },
};

static void
test_fatal(void **state)
{
	struct decoded d;

	for (size_t i = 0; i < sizeof(FATAL) / sizeof(FATAL[0]); i++) {
		decode(*state, FATAL[i].n, FATAL[i].body, &d);
		assert_int_equal(d.rc, ERR_ANSWER);
		assert_int_equal(d.err.code, ERR_ANSWER);
		if (strstr(d.err.text, FATAL[i].words) == NULL)
			fail_msg("%s: %s", FATAL[i].body, d.err.text);
		assert_false(d.pages[0].present);
		rows_free(d.rows);
	}
}

/* Wrong in the entry of X; Y, after it, is fine. */
static const struct {
	const char *entry;
	const char *words;	/* NULL: no failure */
} ENTRIES[] = {
	{ "'Items':[]", NULL },
	{ "'Items':null", NULL },
	{ "'Name':'no Items at all'", NULL },
	{ "'Items':[],'WebException':null,'Errors':[]", NULL },
	{ "'Items':[{" T("00:00") ",'Value':1}],"
	    "'WebException':{'Errors':['half'],'StatusCode':502}", "half" },
	{ "'Items':[],'Errors':['gone']", "gone" },
	{ "'Items':{}", "no list" },
	{ "'Items':[1]", "no object" },
	{ "'Items':[{'Value':1}]", "without a time" },
	{ "'Items':[{" T("00:00") ",'Value':1},{'Timestamp':'soon'}]",
	    "readable time" },
	{ "'Items':[{'Timestamp':null,'Value':1}]", "readable time" },
	{ "'Items':[{" T("00:01") ",'Value':1},{" T("00:00")
	    ",'Value':2}]", "descend" },
	{ "'Items':[{" T("00:00") ",'Value':1},{" T("00:01")
	    ",'Errors':[{'FieldName':'Value','Message':['bad','luck']}]}]",
	    "bad; luck" },
	{ "'Items':[{" T("00:00") ",'Errors':['text']}]", "text" },
	{ "'Items':[{" T("00:00") ",'Errors':{'x':1}}]", "not be written" },
};

static void
test_entries(void **state)
{
	struct decoded d;
	char body[1000];

	for (size_t i = 0; i < sizeof(ENTRIES) / sizeof(ENTRIES[0]); i++) {
		(void)snprintf(body, sizeof(body), "{'Items':[{'WebId':'" X
		    "',%s},{'WebId':'" Y "','Items':[{" T("00:09")
		    ",'Value':9}]}]}", ENTRIES[i].entry);
		decode(*state, 2, body, &d);
		assert_int_equal(d.rc, 0);
		assert_true(d.pages[0].present && d.pages[1].present);
		if (ENTRIES[i].words == NULL) {
			assert_int_equal(d.pages[0].code, 0);
		} else {
			assert_int_equal(d.pages[0].code, ERR_ANSWER);
			if (strstr(d.pages[0].text, ENTRIES[i].words) == NULL)
				fail_msg("%s: %s", body, d.pages[0].text);
		}
		assert_int_equal(d.pages[0].row_n, 0);
		assert_int_equal(d.pages[0].n, 0);
		assert_int_equal(d.pages[1].code, 0);
		expect(&d, "tag_name value", "'TAG.Y' 9\n");
		rows_free(d.rows);
	}
}

static void
test_missing_stream(void **state)
{
	struct decoded d;

	decode(*state, 2, "{'Items':[{'WebId':'" Y "','Items':[]}]}", &d);
	assert_int_equal(d.rc, 0);
	assert_false(d.pages[0].present);
	assert_true(d.pages[1].present);
	rows_free(d.rows);
}

/* --- many streams --------------------------------------------------------- */

static void
test_many(void **state)
{
	enum { N = 1000 };
	const struct source_table *t = source_table_find(*state,
	    "pi_timeseries");
	static struct source_stream s[N];
	static const struct source_stream *p[N];
	static struct source_page pages[N];
	static char keys[N][16];
	struct rows *rows = rows_new(t->schema);
	struct err e = ERR_INIT;
	struct buf b;
	size_t len;
	char *body;

	buf_init(&b, 1 << 22);
	buf_puts(&b, "{'Items':[");
	for (uint32_t i = 0; i < N; i++) {
		(void)snprintf(keys[i], sizeof(keys[i]), "P1DPtag%u", i);
		s[i].key = s[i].name = keys[i];
		p[i] = &s[i];
		buf_printf(&b, "%s{'WebId':'P1DPtag%u','Items':[{" T("00:00")
		    ",'Value':%u}]}", i > 0 ? "," : "", N - 1 - i, N - 1 - i);
	}
	buf_puts(&b, "]}");
	body = test_body(buf_str(&b), &len);
	assert_int_equal(source_series_decode(t, p, N, A, B, body, len, rows,
	    pages, &e), 0);
	assert_int_equal(rows->n, N);
	for (uint32_t i = 0; i < N; i++) {
		assert_int_equal(pages[i].row_from, N - 1 - i);
		assert_int_equal(pages[i].row_n, 1);
		assert_true(rows->v[3].f64[pages[i].row_from] == i);
	}
	free(body);
	buf_fini(&b);
	rows_free(rows);
}

/* --- at random ------------------------------------------------------------ */

/* Whatever comes: no crash, rows that hold, and none after an error. */
static void
test_mutations(void **state)
{
	static const char BODY[] = "{'Links':{},'Items':[{'WebId':'" X_FULL
	    "','Name':'T','Items':[{" T("00:00") ",'Value':1.5,"
	    "'UnitsAbbreviation':'m','Good':true,'Questionable':false},"
	    "{" T("00:01.25") ",'Value':{'Name':'Bad','Value':307,"
	    "'IsSystem':true},'Good':'false'},{" T("00:02")
	    ",'Value':{'Errors':['a','b']}},{" T("00:02")
	    ",'Value':9223372036854775807,'Errors':[]}],"
	    "'UnitsAbbreviation':'x'},{'WebId':'" Y "','Items':[{"
	    T("00:03") ",'Value':[1,2,'x']}],'Errors':null}],"
	    "'WebException':null}";
	static const char BYTES[] = "{}[]:,'\\0189.eE-+tfn\x80\xff \n\"u";
	const struct source_table *t = source_table_find(*state,
	    "pi_timeseries");
	struct source_page pages[2];
	struct err e = ERR_INIT;
	struct rows *rows;
	struct rng rng;
	size_t len, n, from;
	char *body;
	int rc;

	rng_init(&rng, 42);
	for (int i = 0; i < 20000; i++) {
		body = test_body(BODY, &len);
		for (uint64_t k = rng_below(&rng, 4); k < 4; k++)
			body[rng_below(&rng, len)] =
			    BYTES[rng_below(&rng, sizeof(BYTES) - 1)];
		if (rng_below(&rng, 4) == 0) {	/* a part twice */
			n = (size_t)rng_below(&rng, 20);
			from = (size_t)rng_below(&rng, len - n);
			memmove(body + rng_below(&rng, len - n), body + from,
			    n);
		}
		if (rng_below(&rng, 8) == 0)
			len = (size_t)rng_below(&rng, len);
		rows = rows_new(t->schema);
		rc = source_series_decode(t, STREAMS,
		    1 + (uint32_t)rng_below(&rng, 2), A, B, body, len, rows,
		    pages, &e);
		rows_check(rows);
		if (rc != 0)
			assert_int_equal(rows->n, 0);
		rows_free(rows);
		free(body);
	}
}

static void
test_cap(void **state)
{

	(void)state;
	assert_int_equal(source_cap_from_text("Parameter 'maxCount' is "
	    "greater than the maximum allowed (150000)."), 150000);
	assert_int_equal(source_cap_from_text("400 Bad Request: Parameter "
	    "'timeRange / intervals' is greater than the maximum allowed "
	    "(7)."), 7);
	assert_int_equal(source_cap_from_text("greater than the maximum "
	    "allowed (99999999999)"), 0);
	assert_int_equal(source_cap_from_text("greater than the maximum "
	    "allowed (12"), 0);
	assert_int_equal(source_cap_from_text("no such point (12)"), 0);
	assert_int_equal(source_cap_from_text(""), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_not_finite),
		cmocka_unit_test(test_items),
		cmocka_unit_test(test_window),
		cmocka_unit_test(test_set),
		cmocka_unit_test(test_append),
		cmocka_unit_test(test_fatal),
		cmocka_unit_test(test_entries),
		cmocka_unit_test(test_missing_stream),
		cmocka_unit_test(test_many),
		cmocka_unit_test(test_mutations),
		cmocka_unit_test(test_cap),
	};

	return (cmocka_run_group_tests(tests, test_setup, test_teardown));
}
