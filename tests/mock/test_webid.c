/*
 * WebIDs: the forms told in the protocol reference, and back.
 */

#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/text.h"
#include "mock/mock_options.h"
#include "mock/mock_world.h"

static struct mock_world *
world(struct mock_options *opt)
{
	char *argv[] = { "garner-mock", "--start", "2024-03-01T00:00:00Z",
		"--now", "2024-03-01T12:00:00Z", "--tags", "500",
		"--plants", "3", NULL };
	struct err e = ERR_INIT;

	assert_int_equal(mock_options_parse(opt, 9, argv, 0, &e), 0);
	return (mock_world_new(opt));
}

static void
round_trip(const struct mock_world *w, struct mock_obj o)
{
	static const char kinds[] = "FIP";
	struct mock_obj back;
	struct buf b;

	for (const char *k = kinds; *k != '\0'; k++) {
		buf_init(&b, 1 << 16);
		mock_webid_put(&b, w, o, *k);
		assert_int_equal(b.data[0], *k);
		assert_int_equal(mock_webid_parse(w, (char *)b.data, b.len,
		    &back), 0);
		assert_int_equal(back.type, o.type);
		assert_true(back.a == o.a && back.b == o.b);
		/* One character less, or another one, is not this object. */
		assert_int_not_equal(mock_webid_parse(w, (char *)b.data,
		    *k == 'I' ? b.len - 1 : 10, &back), 0);
		if (*k != 'P') {
			b.data[9] ^= 1;
			assert_int_not_equal(mock_webid_parse(w,
			    (char *)b.data, b.len, &back), 0);
		}
		buf_fini(&b);
	}
}

static void
all_objects_come_back(void **state)
{
	struct mock_options opt;
	struct mock_world *w = world(&opt);
	struct mock_frame f;

	(void)state;
	round_trip(w, (struct mock_obj){ MOCK_DATA_SERVER, 0, 0 });
	round_trip(w, (struct mock_obj){ MOCK_ASSET_SERVER, 0, 0 });
	for (uint64_t i = 0; i < 500; i++)
		round_trip(w, (struct mock_obj){ MOCK_POINT, i, 0 });
	for (uint64_t i = 0; i < 3; i++)
		round_trip(w, (struct mock_obj){ MOCK_DATABASE, i, 0 });
	for (uint32_t i = 0; i < w->elements; i++) {
		round_trip(w, (struct mock_obj){ MOCK_ELEMENT, i, 0 });
		for (uint32_t k = 0; k < mock_attributes(w, i); k++)
			round_trip(w, (struct mock_obj){ MOCK_ATTRIBUTE, i,
			    k });
	}
	for (uint64_t id = 0; id < 60; id++)
		if (mock_frame_get(w, 2, id, &f) && f.start <= opt.now)
			round_trip(w, (struct mock_obj){ MOCK_FRAME, 2, id });
	mock_world_free(w);
}

/* The made-up example of the reference, section 10, from its parts. */
static void
example_of_the_reference(void **state)
{
	static const struct {
		const char *webid;
		const char *fields;	/* hex of what it carries */
	} rows[] = {
		{ "Oywdb1lKd0iaCxEiM0RVZg",
		    "3b2c1d6f594a77489a0b112233445566" },
		{ "khAAAA", "92100000" },
		{ "UElTUlYxXFNJTlVTT0lE", "5049535256315c53494e55534f4944" },
		{ "QUZTUlYxXFBMQU5UXFVOSVQxfExFVkVM",
		    "41465352" "56315c504c414e545c554e4954317c4c4556454c" },
	};
	static const struct mock_guid guid = { { 0x3b, 0x2c, 0x1d, 0x6f,
		0x59, 0x4a, 0x77, 0x48, 0x9a, 0x0b, 0x11, 0x22, 0x33, 0x44,
		0x55, 0x66 } };
	char text[37];
	uint8_t raw[64];

	(void)state;
	assert_string_equal(mock_guid_text(&guid, text),
	    "6f1d2c3b-4a59-4877-9a0b-112233445566");
	for (size_t i = 0; i < 4; i++) {
		struct buf b;
		long n = text_unbase64url(rows[i].webid,
		    strlen(rows[i].webid), raw, sizeof(raw));

		assert_int_equal(n * 2, strlen(rows[i].fields));
		buf_init(&b, 1000);
		for (long k = 0; k < n; k++)
			buf_printf(&b, "%02x", raw[k]);
		assert_string_equal(buf_str(&b), rows[i].fields);
		buf_fini(&b);
	}
}

static void
forms_and_lengths(void **state)
{
	static const struct {
		struct mock_obj o;
		const char *head;
		size_t len;
	} rows[] = {
		{ { MOCK_DATA_SERVER, 0, 0 }, "I1DS", 26 },
		{ { MOCK_POINT, 3241, 0 }, "I1DP", 32 },
		{ { MOCK_ELEMENT, 0, 0 }, "I1Em", 48 },
		{ { MOCK_ATTRIBUTE, 0, 0 }, "I1AbE", 71 },
		{ { MOCK_FRAME, 0, 0 }, "I1Fm", 48 },
	};
	struct mock_options opt;
	struct mock_world *w = world(&opt);
	struct buf b;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		buf_init(&b, 1000);
		mock_webid_put(&b, w, rows[i].o, 'I');
		assert_int_equal(b.len, rows[i].len);
		assert_memory_equal(b.data, rows[i].head,
		    strlen(rows[i].head));
		/* Point 4242 of the example. */
		if (rows[i].o.type == MOCK_POINT)
			assert_memory_equal(b.data + 26, "khAAAA", 6);
		buf_fini(&b);
	}
	mock_world_free(w);
}

static void
bad_ones(void **state)
{
	static const struct {
		const char *text;
		int rc;
	} rows[] = {
		{ "", ERR_DATA }, { "F1", ERR_DATA }, { "F0DPabc", ERR_DATA },
		{ "X1DPOywdb1lKd0iaCxEiM0RVZgkhAAAA", ERR_DATA },
		{ "I1ZZOywdb1lKd0iaCxEiM0RVZgkhAAAA", ERR_DATA },
		{ "I1DPOywdb1lKd0iaCxEiM0RVZgkhAAA", ERR_DATA },
		{ "I1DPOywdb1lKd0iaCxEiM0RVZgkhAA=A", ERR_DATA },
		/* Well made, of another server. */
		{ "I1DPOywdb1lKd0iaCxEiM0RVZgkhAAAA", ERR_NOTFOUND },
		{ "P1DPUElTUlYxXFNJTlVTT0lE", ERR_NOTFOUND },
	};
	struct mock_options opt;
	struct mock_world *w = world(&opt);
	struct mock_obj o;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_int_equal(mock_webid_parse(w, rows[i].text,
		    strlen(rows[i].text), &o), rows[i].rc);
	mock_world_free(w);
}

static void
upper_case_and_wildcards(void **state)
{
	static const struct {
		const char *pattern;
		const char *text;
		bool yes;
	} rows[] = {
		{ NULL, "a", true }, { "", "a", true }, { "*", "", true },
		{ "a*c", "ABBBc", true }, { "a*c", "abcd", false },
		{ "*b*", "abc", true }, { "?bc", "abc", true },
		{ "??", "abc", false }, { "?", "\xc3\xb6", true },
		{ "*-00?", "x-1-001", true },
	};
	struct buf b;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_int_equal(mock_wild(rows[i].pattern, rows[i].text),
		    rows[i].yes);
	buf_init(&b, 100);
	mock_upper(&b, "a\xc3\xb6\xc3\x9f\xcf\x89\xd1\x8f\xe2\x82\xac", 12);
	assert_string_equal(buf_str(&b),
	    "A\xc3\x96\xc3\x9f\xce\xa9\xd0\xaf\xe2\x82\xac");
	buf_fini(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_objects_come_back),
		cmocka_unit_test(example_of_the_reference),
		cmocka_unit_test(forms_and_lengths),
		cmocka_unit_test(bad_ones),
		cmocka_unit_test(upper_case_and_wildcards),
	};

	return (cmocka_run_group_tests(tests, NULL, NULL));
}
