/* Batches: what is asked, and which part of an answer is whose. */

#include "config.h"

#include "source_test.h"

#include "base/hash.h"

#define X "I1DPOywdb1lKd0iaCxEiM0RVZgkhAAAA"

static const struct source_stream STREAM = { .key = X, .name = "T" };

static const struct source_table *
table(void **state)
{
	const struct source_table *t;

	t = source_table_find(*state, "pi_timeseries");
	assert_non_null(t);
	assert_true(source_batch_can(t));
	return (t);
}

static void
test_asked(void **state)
{
	const struct source_table *t = table(state);
	struct buf b;

	buf_init(&b, 4096);
	source_batch_target(t, "/piwebapi", &b);
	assert_string_equal(buf_str(&b), "/piwebapi/batch");
	buf_clear(&b);
	source_batch_begin(&b);
	source_batch_add(t, 0, "https://h/piwebapi/a?b=1%3B2", &b);
	source_batch_add(t, 1, "https://h/\"x", &b);
	source_batch_end(&b);
	assert_string_equal(buf_str(&b), "{\"0\":{\"Method\":\"GET\","
	    "\"Resource\":\"https://h/piwebapi/a?b=1%3B2\"},"
	    "\"1\":{\"Method\":\"GET\",\"Resource\":\"https://h/\\\"x\"}}");
	buf_fini(&b);
	assert_int_equal(source_batch_most(t), 100);
}

/* --- which part is whose -------------------------------------------------- */

#define N 3

static const struct {
	const char *body;
	const char *want;	/* status json retry body, a part; or NULL */
} SPLITS[] = {
	{ "{}", "-|-|-|" },
	{ " {'0':{'Status':200,'Headers':{},'Content':{'Items':[]}}} ",
	    "200 1 -1 {'Items':[]}|-|-|" },
	{ "{'2':{'Content':[1,{'Status':3}],'Status':404},'0':{'Status':200,"
	    "'Headers':{'Content-Type':'text/html; x'},'Content':'<a>\\\"}'}}",
	    "200 0 -1 '<a>\\'}'|-|404 1 -1 [1,{'Status':3}]|" },
	{ "{'1':{'Status':429,'Headers':{'Retry-After':'7','Content-Type':"
	    "'application/json'},'Content':null},\n'0' : { 'Content' : {} , "
	    "'Status' : 207 } }", "207 1 -1 {}|429 1 7000 null|-|" },
	{ "{'1':{'Status':500}}", "-|500 1 -1 -|-|" },
	/* none of these is an answer */
	{ "", NULL }, { "[]", NULL }, { "null", NULL }, { "{", NULL },
	{ "{'0':{'Status':200,'Content':{}}", NULL },
	{ "{'0':{'Status':200,'Content':{}}}x", NULL },
	{ "{'0':{'Status':200,'Content':{}},}", NULL },
	{ "{'0':{'Status':200,'Content':{}}'1':{'Status':200}}", NULL },
	{ "{'0':{'Status':200},'0':{'Status':200}}", NULL },
	{ "{'0':{'Status':200,'Content':1,'Content':2}}", NULL },
	{ "{'3':{'Status':200}}", NULL },
	{ "{'x':{'Status':200}}", NULL },
	{ "{'0':{'Content':{}}}", NULL },
	{ "{'0':{'Status':'200'}}", NULL },
	{ "{'0':[]}", NULL },
	{ "{'Responses':[{'Status':200}]}", NULL },
	{ "{'Errors':['no']}", NULL },
	{ "<html></html>", NULL },
};

static void
put_part(struct buf *b, const struct source_part *p)
{

	if (!p->present) {
		buf_puts(b, "-|");
		return;
	}
	buf_printf(b, "%d %d %lld ", p->status, p->json,
	    (long long)p->retry_after_ms);
	for (size_t i = 0; i < p->len; i++)
		buf_u8(b, p->body[i] == '"' ? '\'' : (uint8_t)p->body[i]);
	buf_puts(b, p->body == NULL ? "-|" : "|");
}

static void
test_split(void **state)
{
	const struct source_table *t = table(state);
	struct source_part parts[N];
	struct err e = ERR_INIT;
	struct buf b;
	size_t i, k, len;
	char *body;
	int rc;

	for (i = 0; i < sizeof(SPLITS) / sizeof(SPLITS[0]); i++) {
		body = test_body(SPLITS[i].body, &len);
		rc = source_batch_split(t, body, len, parts, N, &e);
		if (SPLITS[i].want == NULL) {
			if (rc != ERR_ANSWER)
				fail_msg("taken: %s", SPLITS[i].body);
			for (k = 0; k < N; k++)
				assert_false(parts[k].present);
			free(body);
			continue;
		}
		if (rc != 0)
			fail_msg("not taken: %s", SPLITS[i].body);
		buf_init(&b, 4096);
		for (k = 0; k < N; k++)
			put_part(&b, &parts[k]);
		assert_string_equal(buf_str(&b), SPLITS[i].want);
		buf_fini(&b);
		free(body);
	}
}

/* --- read in their place -------------------------------------------------- */

/* Whichever is read first, and though each is destroyed by it. */
static void
test_decode(void **state)
{
	static const char BODY[] = "{'0':{'Status':200,'Content':{'Items':["
	    "{'Timestamp':'2026-03-01T11:00:00Z','Value':1}]}},'1':{'Status'"
	    ":200,'Content':{'Items':[{'Timestamp':'2026-03-01T11:00:01Z',"
	    "'Value':2},{'Timestamp':'2026-03-01T11:00:02Z','Value':{'Name':"
	    "'S','Value':3,'IsSystem':true}}]}},'2':{'Status':200,'Content':"
	    "{'Items':[]}}}";
	static const char *const WANT[] = { "1\n", "2\nnull\n", "" };
	static const uint32_t ITEMS[] = { 1, 2, 0 };
	const struct source_stream *one = &STREAM;
	const struct source_table *t = table(state);
	struct source_part parts[N];
	struct source_page page;
	struct err e = ERR_INIT;
	int64_t a, b;
	uint32_t i, k;
	size_t len;

	assert_int_equal(ticks_parse("2026-03-01T11:00:00Z", 20, &a), 0);
	b = a + TICKS_PER_DAY;
	for (k = 0; k < N; k++) {
		char *body = test_body(BODY, &len);

		assert_int_equal(source_batch_split(t, body, len, parts, N,
		    &e), 0);
		for (i = 0; i < N; i++) {
			uint32_t at = (i + k) % N;
			struct rows *rows = rows_new(t->schema);
			char *got;

			assert_int_equal(source_part_decode(t, &one, 1, a, b,
			    &parts[at], rows, &page, &e), 0);
			assert_int_equal(page.n, ITEMS[at]);
			got = test_dump(rows, "value");
			assert_string_equal(got, WANT[at]);
			free(got);
			rows_free(rows);
		}
		free(body);
	}
}

/* Whatever comes: no crash, and parts that lie in the body. */
static void
test_mutations(void **state)
{
	static const char BODY[] = "{'0':{'Status':200,'Headers':{'A':'b'},"
	    "'Content':{'Items':[1,2]}},'1':{'Status':429,'Headers':{"
	    "'Retry-After':'7'},'Content':'x'},'2':{'Content':null,"
	    "'Status':500}}";
	static const char BYTES[] = "{}[]:,'\\012 \nu";
	const struct source_table *t = table(state);
	struct source_part parts[N];
	struct err e = ERR_INIT;
	struct rng rng;
	uint32_t i, k;
	size_t len;
	char *body;

	rng_init(&rng, 1);
	for (i = 0; i < 20000; i++) {
		body = test_body(BODY, &len);
		for (k = 0; k < 1 + i % 3; k++)
			body[rng_below(&rng, len)] = BYTES[rng_below(&rng,
			    sizeof(BYTES) - 1)] == '\'' ? '"' :
			    BYTES[rng_below(&rng, sizeof(BYTES) - 1)];
		if (rng_below(&rng, 8) == 0)
			len = (size_t)rng_below(&rng, len);
		if (source_batch_split(t, body, len, parts, N, &e) == 0)
			for (k = 0; k < N; k++)
				assert_true(parts[k].body == NULL ||
				    (parts[k].body > body &&
				    parts[k].body + parts[k].len <
				    body + len));
		free(body);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_asked),
		cmocka_unit_test(test_split),
		cmocka_unit_test(test_decode),
		cmocka_unit_test(test_mutations),
	};

	return (cmocka_run_group_tests(tests, test_setup, test_teardown));
}
