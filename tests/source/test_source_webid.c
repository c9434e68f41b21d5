/* WebIDs: the examples of the protocol reference, and what is opaque. */

#include "config.h"

#include "source_test.h"

#define SERVER "Oywdb1lKd0iaCxEiM0RVZg"	/* a GUID, 22 characters */

static const struct {
	const char *in;
	const char *out;
} CASES[] = {
	/* point, server: Full, IDOnly */
	{ "F1DPOywdb1lKd0iaCxEiM0RVZgkhAAAAUElTUlYxXFNJTlVTT0lE",
	    "I1DPOywdb1lKd0iaCxEiM0RVZgkhAAAA" },
	{ "I1DPOywdb1lKd0iaCxEiM0RVZgkhAAAA",
	    "I1DPOywdb1lKd0iaCxEiM0RVZgkhAAAA" },
	{ "F1DSOywdb1lKd0iaCxEiM0RVZgUElTUlYx",
	    "I1DSOywdb1lKd0iaCxEiM0RVZg" },
	/* attribute of an element: three GUIDs and an owner's marker */
	{ "F1AbE" SERVER SERVER SERVER "QUZ8QQ",
	    "I1AbE" SERVER SERVER SERVER },
	{ "F1Em" SERVER SERVER "QUY", "I1Em" SERVER SERVER },
	{ "F1Fm" SERVER SERVER "QUY", "I1Fm" SERVER SERVER },
	{ "F1RD" SERVER SERVER "QUY", "I1RD" SERVER SERVER },
	/* opaque: by path, local, default, version 1, unknown, rubbish */
	{ "P1DPUElTUlYxXFNJTlVTT0lE", "P1DPUElTUlYxXFNJTlVTT0lE" },
	{ "L1DPkhAAAA", "L1DPkhAAAA" },
	{ "D1DPkhAAAA", "D1DPkhAAAA" },
	{ "A0EDPOywdb1lKd0iaCxEiM0RVZg", "A0EDPOywdb1lKd0iaCxEiM0RVZg" },
	{ "F1ZZ" SERVER SERVER, "F1ZZ" SERVER SERVER },
	{ "F1AbX" SERVER SERVER SERVER, "F1AbX" SERVER SERVER SERVER },
	{ "F1DPOywdb1lKd0iaCxEiM0RVZgkhAAA", "F1DPOywdb1lKd0iaCxEiM0RVZgkhAAA" },
	{ "I1DPOywdb1lKd0iaCxEiM0RVZgkhAAAAx",
	    "I1DPOywdb1lKd0iaCxEiM0RVZgkhAAAAx" },
	{ "F1DPOywdb1lKd0ia=xEiM0RVZgkhAAAA", "F1DPOywdb1lKd0ia=xEiM0RVZgkhAAAA" },
	{ "F1", "F1" },
	{ "", "" },
};

static void
test_short(void **state)
{
	char out[128];

	(void)state;
	for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++)
		assert_string_equal(source_webid_short(CASES[i].in,
		    strlen(CASES[i].in), out, sizeof(out)), CASES[i].out);
}

static void
test_long_and_unterminated(void **state)
{
	char in[5000], out[128];

	(void)state;
	memset(in, 'A', sizeof(in));
	memcpy(in, "F1DP", 4);
	(void)source_webid_short(in, sizeof(in), out, sizeof(out));
	assert_int_equal(strlen(out), 32);
	memcpy(in, "P1DP", 4);
	(void)source_webid_short(in, sizeof(in), out, sizeof(out));
	assert_int_equal(strlen(out), 127);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_short),
		cmocka_unit_test(test_long_and_unterminated),
	};

	return (cmocka_run_group_tests(tests, NULL, NULL));
}
