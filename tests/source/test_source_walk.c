/* Lists: items into rows, transforms, failures, parents by path, clock. */

#include "config.h"

#include "base/hash.h"
#include "source_test.h"

#define A 17092512000000000LL		/* 2024-03-01T00:00:00Z */
#define G "Oywdb1lKd0iaCxEiM0RVZg"

static int
decode(struct source *s, const char *table, const char *text,
    struct rows **rows, uint32_t *items, struct err *e)
{
	const struct source_table *t = source_table_find(s, table);
	struct source_walk w = { .parent = "PARENT", .parent_name = "Name",
		.count = 1000, .a = A, .b = A + 1 };
	size_t len;
	char *body;
	int rc;

	assert_non_null(t);
	body = test_body(text, &len);
	*rows = rows_new(t->schema);
	rc = source_walk_decode(t, &w, body, len, *rows, items, e);
	free(body);
	if (rc == 0)
		source_walk_finish(t, *rows, 0);
	return (rc);
}

static const struct {
	const char *table;
	const char *body;
	const char *cols;
	const char *want;
	uint32_t items;
} GOOD[] = {
	{ "pi_dataservers", "{'Links':{},'Items':[{'WebId':'F1DS" G "UElT',"
	    "'Id':'6f1d','Name':'PISRV1','Path':'\\\\\\\\PIServers[PISRV1]',"
	    "'IsConnected':true,'ServerVersion':'3.4.440.477',"
	    "'ServerTime':'2024-03-01T00:00:00.1234567Z'},"
	    "{'WebId':'I1DS" G "','Name':'','IsConnected':'false'}]}",
	    "webid name id path is_connected server_version",
	    "'I1DS" G "' 'PISRV1' '6f1d' '\\\\\\\\PIServers[PISRV1]' true "
	    "'3.4.440.477'\n'I1DS" G "' '' null null false null\n", 2 },
	{ "pi_points", "{'Items':[{'WebId':'F1DP" G "khAAAAQQ','Id':4242,"
	    "'Name':'A','Descriptor':null,'Span':100.0,'Zero':0,"
	    "'DisplayDigits':-5,'Step':false,'Future':true,"
	    "'PointType':'Float32','EngineeringUnits':''},"
	    "{'WebId':'P1DPopaque','Id':'x','Span':'NaN',"
	    "'DisplayDigits':5000000000,'Step':1,'Name':7}]}",
	    "webid name descriptor engineering_units dataserver_webid id "
	    "point_type span zero step future display_digits",
	    "'I1DP" G "khAAAA' 'A' null '' 'PARENT' 4242 'Float32' 100 0 "
	    "false true -5\n"
	    "'P1DPopaque' '7' null null 'PARENT' null null null null null "
	    "null null\n", 2 },
	{ "pi_points", "{'Items':[]}", "webid", "", 0 },
	{ "pi_points", "{'Links':{},'Items':null}", "webid", "", 0 },
	{ "pi_af_hierarchy", "{'Items':["
	    "{'WebId':'F1EmC','Name':'C',"
	    "'Path':'\\\\\\\\AF\\\\DB\\\\A\\\\B\\\\C'},"
	    "{'WebId':'F1EmA','Name':'A','Path':'\\\\\\\\AF\\\\DB\\\\A',"
	    "'CategoryNames':['x','y\\'z','\\u00e4'],'HasChildren':true},"
	    "{'WebId':'F1EmB','Name':'B',"
	    "'Path':'\\\\\\\\AF\\\\DB\\\\A\\\\B','CategoryNames':[]},"
	    "{'WebId':'F1EmQ','Name':'Q',"
	    "'Path':'\\\\\\\\AF\\\\DB\\\\gone\\\\Q','CategoryNames':null},"
	    "{'WebId':'F1EmN','CategoryNames':'no list'}]}",
	    "element_webid parent_webid depth category_names has_children",
	    "'F1EmC' 'F1EmB' 2 null null\n"
	    "'F1EmA' null 0 ['x','y\\'z','\xc3\xa4'] true\n"
	    "'F1EmB' 'F1EmA' 1 [] null\n"
	    "'F1EmQ' null 1 null null\n"
	    "'F1EmN' null null null null\n", 5 },
	{ "pi_event_frames", "{'Items':["
	    "{'WebId':'F1Fm" G G "QQ','Name':'E','StartTime':"
	    "'2024-03-01T00:00:00.25Z','EndTime':"
	    "'9999-12-31T23:59:59.9999999Z','RefElementWebIds':"
	    "['F1Em" G G "QQ','F1EmZ'],'Severity':'Minor','CategoryNames':"
	    "['c'],'IsAcknowledged':false},"
	    "{'WebId':'F1FmX','StartTime':'2024-03-01T00:00:00Z',"
	    "'EndTime':'2024-03-01T01:00:00Z','RefElementWebIds':[],"
	    "'AcknowledgedDate':'1970-01-01T00:00:00Z'},"
	    "{'WebId':'F1FmY','StartTime':'2024-03-01T00:00:00Z',"
	    "'EndTime':'rubbish','RefElementWebIds':null}]}",
	    "event_frame_webid name start_time end_time "
	    "primary_referenced_element_webid severity category_names "
	    "is_acknowledged acknowledged_date",
	    "'I1Fm" G G "' 'E' '2024-03-01T00:00:00.2500000Z' null "
	    "'I1Em" G G "' 'Minor' ['c'] false null\n"
	    "'F1FmX' null '2024-03-01T00:00:00.0000000Z' "
	    "'2024-03-01T01:00:00.0000000Z' null null null null "
	    "'1970-01-01T00:00:00.0000000Z'\n"
	    "'F1FmY' null '2024-03-01T00:00:00.0000000Z' null null null "
	    "null null null\n", 3 },
};

static void
test_good(void **state)
{
	struct err e = ERR_INIT;
	struct rows *rows;
	uint32_t items;
	char *got;

	for (size_t i = 0; i < sizeof(GOOD) / sizeof(GOOD[0]); i++) {
		if (decode(*state, GOOD[i].table, GOOD[i].body, &rows, &items,
		    &e) != 0)
			fail_msg("%s: %s", GOOD[i].body, e.text);
		got = test_dump(rows, GOOD[i].cols);
		assert_string_equal(got, GOOD[i].want);
		assert_int_equal(items, GOOD[i].items);
		free(got);
		rows_free(rows);
	}
}

static const struct {
	const char *body;
	const char *words;
} BAD[] = {
	{ "", "empty" },
	{ "<!DOCTYPE html>", "HTML" },
	{ "{'Items':[{'WebId':'a'}", "JSON" },
	{ "{'Items':[{'WebId':'a'}]} x", "JSON" },
	{ "{}", "no list `Items`" },
	{ "{'Message':'No HTTP resource\\nwas found'}", "resource\\x0awas" },
	{ "{'Items':{'WebId':'a'}}", "no list" },
	{ "'Rate limit was reached'", "no list" },
	{ "{'Items':[{'WebId':'a'},{'Name':'b'}]}", "item 1 of the answer "
	    "has no webid" },
	{ "{'Items':[{'WebId':''}]}", "has no webid" },
	{ "{'Items':[{'WebId':'a'},null]}", "no object" },
	{ "{'Items':[{'WebId':'a'}],'WebException':{'Errors':['cut']}}",
	    "cut" },
	{ "{'Items':[{'WebId':'a'}],'Errors':['top']}", "top" },
	{ "{'Items':[{'WebId':'a','Errors':[{'Message':['in']}]}]}", "in" },
	{ "{'Items':[{'WebId':'a','WebException':{}}]}", "failed" },
};

static void
test_bad(void **state)
{
	struct err e = ERR_INIT;
	struct rows *rows;
	uint32_t items;

	for (size_t i = 0; i < sizeof(BAD) / sizeof(BAD[0]); i++) {
		assert_int_equal(decode(*state, "pi_points", BAD[i].body,
		    &rows, &items, &e), ERR_ANSWER);
		assert_int_equal(rows->n, 0);
		assert_int_equal(items, 0);
		if (strstr(e.text, BAD[i].words) == NULL)
			fail_msg("%s: %s", BAD[i].body, e.text);
		rows_free(rows);
	}
}

/* Pages of one walk gather; parents are found over their seams, and rows
 * before `first` belong to another walk. */
static void
test_pages(void **state)
{
	const struct source_table *t = source_table_find(*state,
	    "pi_af_hierarchy");
	const char *pages[] = {
		"{'Items':[{'WebId':'other','Path':'\\\\\\\\AF\\\\D\\\\A'}]}",
		("{'Items':[{'WebId':'kid','Path':'\\\\\\\\AF\\\\D\\\\A\\\\K'},"
		    "{'WebId':'orphan','Path':'\\\\\\\\AF\\\\D\\\\B\\\\K'}]}"),
		"{'Items':[{'WebId':'own','Path':'\\\\\\\\AF\\\\D\\\\A'}]}",
	};
	struct source_walk w = { .parent = "DB", .count = 2 };
	struct rows *rows = rows_new(t->schema);
	struct err e = ERR_INIT;
	uint32_t items;
	size_t len;
	char *body, *got;

	for (int i = 0; i < 3; i++) {
		body = test_body(pages[i], &len);
		assert_int_equal(source_walk_decode(t, &w, body, len, rows,
		    &items, &e), 0);
		free(body);
	}
	source_walk_finish(t, rows, 1);
	got = test_dump(rows, "element_webid parent_webid");
	assert_string_equal(got, "'other' null\n'kid' 'own'\n"
	    "'orphan' null\n'own' null\n");
	free(got);
	rows_free(rows);
}

static void
test_clock(void **state)
{
	static const struct { const char *body; int rc; } cases[] = {
		{ "{'UpTimeInMinutes':1,'ServerTime':"
		    "'2024-03-01T00:00:00.0000007Z'}", 0 },
		{ "{'ServerTime':'soon'}", ERR_ANSWER },
		{ "{'ServerTime':7}", ERR_ANSWER },
		{ "{}", ERR_ANSWER },
		{ "{'Errors':['no']}", ERR_ANSWER },
		{ "<html>", ERR_ANSWER },
		{ "{'ServerTime':'2024-", ERR_ANSWER },
	};
	struct err e = ERR_INIT;
	int64_t now = 0;
	size_t len;
	char *body;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		body = test_body(cases[i].body, &len);
		assert_int_equal(source_clock_decode(*state, body, len, &now,
		    &e), cases[i].rc);
		free(body);
	}
	assert_int_equal(now, A + 7);
}

static void
test_mutations(void **state)
{
	static const char BYTES[] = "{}[]:,'\\0189.eE-+tfn\x80\xff \n\"u";
	const struct source_table *t;
	struct source_walk w = { .parent = "P", .count = 10 };
	struct err e = ERR_INIT;
	struct rows *rows;
	struct rng rng;
	uint32_t items;
	size_t len, n;
	char *body;
	int rc;

	rng_init(&rng, 7);
	for (int i = 0; i < 20000; i++) {
		n = (size_t)rng_below(&rng, sizeof(GOOD) / sizeof(GOOD[0]));
		t = source_table_find(*state, GOOD[n].table);
		body = test_body(GOOD[n].body, &len);
		for (uint64_t k = rng_below(&rng, 4); k < 4; k++)
			body[rng_below(&rng, len)] =
			    BYTES[rng_below(&rng, sizeof(BYTES) - 1)];
		rows = rows_new(t->schema);
		rc = source_walk_decode(t, &w, body, len, rows, &items, &e);
		if (rc == 0)
			source_walk_finish(t, rows, 0);
		else
			assert_int_equal(rows->n, 0);
		rows_check(rows);
		rows_free(rows);
		free(body);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),
		cmocka_unit_test(test_bad),
		cmocka_unit_test(test_pages),
		cmocka_unit_test(test_clock),
		cmocka_unit_test(test_mutations),
	};

	return (cmocka_run_group_tests(tests, test_setup, test_teardown));
}
