/* First values: what is asked, and what an answer says of each stream. */

#include "config.h"

#include "source_test.h"

static const struct source_stream A = { "I1DPAAA", "a" },
    B = { "I1DPBBB", "b" };

static void
test_target(void **state)
{
	const struct source_stream *streams[] = { &A, &B };
	struct source *s = test_source();
	const struct source_table *t = source_table_find(s, "pi_timeseries");
	struct buf b;

	(void)state;
	assert_true(source_first_can(t));
	assert_false(source_first_can(source_table_find(s, "pi_points")));
	buf_init(&b, 4096);
	source_first_target(t, "/piwebapi", streams, 2, &b);
	assert_string_equal(buf_str(&b), "/piwebapi/streamsets/"
	    "recordedattime?time=1970-01-01T00%3A00%3A00Z&retrievalMode="
	    "AtOrAfter&webIdType=IDOnly&selectedFields=Items.WebId%3B"
	    "Items.Value.Timestamp%3BItems.Items.Timestamp%3BItems.Errors%3B"
	    "Items.WebException%3BWebException&webId=I1DPAAA&webId=I1DPBBB");
	buf_fini(&b);
	source_free(s);
}

#define NONE TICKS_NONE

static void
test_decode(void **state)
{
	static const struct {
		const char *body;
		int rc;
		int64_t a, b;
	} cases[] = {
		{ "{'Items':[{'WebId':'I1DPBBB','Value':{'Timestamp':"
		    "'1970-01-01T00:00:02Z'}},{'WebId':'I1DPAAA','Value':"
		    "{'Timestamp':'1970-01-01T00:00:01Z','Good':false}}]}",
		    0, TICKS_PER_S, 2 * TICKS_PER_S },
		/* the other shape; one that is not there */
		{ "{'Items':[{'WebId':'I1DPAAA','Items':[{'Timestamp':"
		    "'1970-01-01T00:00:01Z'}]}]}", 0, TICKS_PER_S, NONE },
		{ "{'Items':[{'WebId':'I1DPAAA','Items':[]},{'WebId':"
		    "'I1DPBBB','Value':null}]}", 0, NONE, NONE },
		/* the mark for no time; none; none that can be read */
		{ "{'Items':[{'WebId':'I1DPAAA','Value':{'Timestamp':"
		    "'1970-01-01T00:00:00Z'}},{'WebId':'I1DPBBB'}]}", 0, NONE,
		    NONE },
		{ "{'Items':[{'WebId':'I1DPAAA','Value':{'Timestamp':5}},"
		    "{'WebId':'I1DPBBB','Value':{'Timestamp':'soon'}}]}", 0,
		    NONE, NONE },
		/* an error of one, with a time beside it */
		{ "{'Items':[{'WebId':'I1DPAAA','Errors':['x'],'Value':"
		    "{'Timestamp':'2020-01-01T00:00:00Z'}},{'WebId':'I1DPBBB',"
		    "'Value':{'Timestamp':'1970-01-01T00:00:01Z'}}]}", 0,
		    NONE, TICKS_PER_S },
		{ "{'Items':[{'WebId':'I1DPZZZ','Value':{'Timestamp':"
		    "'1970-01-01T00:00:01Z'}}]}", ERR_ANSWER, NONE, NONE },
		{ "{'Items':{}}", ERR_ANSWER, NONE, NONE },
		{ "{'Items':[],'WebException':{'Errors':['x']}}", ERR_ANSWER,
		    NONE, NONE },
		{ "[]", ERR_ANSWER, NONE, NONE },
		{ "", ERR_ANSWER, NONE, NONE },
		{ "{'Items':[", ERR_ANSWER, NONE, NONE },
	};
	const struct source_stream *streams[] = { &A, &B };
	struct source *s = test_source();
	const struct source_table *t = source_table_find(s, "pi_timeseries");
	int64_t first[2];
	size_t i, len;
	char *body;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		body = test_body(cases[i].body, &len);
		first[0] = first[1] = 7;
		if (source_first_decode(t, streams, 2, body, len, first,
		    NULL) != cases[i].rc)
			fail_msg("case %zu", i);
		if (cases[i].rc == 0 && (first[0] != cases[i].a ||
		    first[1] != cases[i].b))
			fail_msg("case %zu: %lld %lld", i,
			    (long long)first[0], (long long)first[1]);
		free(body);
	}
	source_free(s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_target),
		cmocka_unit_test(test_decode),
	};

	return (cmocka_run_group_tests(tests, NULL, NULL));
}
