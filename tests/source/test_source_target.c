/* Request targets, character by character. */

#include "config.h"

#include "source_test.h"

#define POINT "I1DPOywdb1lKd0iaCxEiM0RVZgkhAAAA"
#define A 17092512000000000LL		/* 2024-03-01T00:00:00Z */

static const struct {
	const char *table;
	struct source_walk walk;
	const char *target;
} WALKS[] = {
	{ "pi_dataservers", { .count = 0 },
	    "/piwebapi/dataservers?webIdType=IDOnly&selectedFields="
	    "Items.WebId%3BItems.Name%3BItems.Id%3BItems.Path%3B"
	    "Items.IsConnected%3BItems.ServerVersion%3BItems.Errors%3B"
	    "WebException" },
	{ "pi_points", { .parent = "I1DS x/&+", .start = 2000, .count = 1000,
	    .filter = "A*&B C+\xc3\xa4" },
	    "/piwebapi/dataservers/I1DS%20x%2F%26%2B/points?webIdType=IDOnly"
	    "&selectedFields=Items.WebId%3BItems.Name%3BItems.Descriptor%3B"
	    "Items.EngineeringUnits%3BItems.Path%3BItems.Id%3B"
	    "Items.PointType%3BItems.PointClass%3BItems.DigitalSetName%3B"
	    "Items.Span%3BItems.Zero%3BItems.Step%3BItems.Future%3B"
	    "Items.DisplayDigits%3BItems.Errors%3BWebException"
	    "&nameFilter=A%2A%26B%20C%2B%C3%A4&startIndex=2000"
	    "&maxCount=1000" },
	/* A filter only where the table has one. */
	{ "pi_assetdatabases", { .parent = "I1RSabc", .filter = "A*" },
	    "/piwebapi/assetservers/I1RSabc/assetdatabases?webIdType=IDOnly"
	    "&selectedFields=Items.WebId%3BItems.Name%3BItems.Path%3B"
	    "Items.Id%3BItems.Description%3BItems.Errors%3BWebException" },
	{ "pi_af_hierarchy", { .parent = "I1RDabc", .count = 1000 },
	    "/piwebapi/assetdatabases/I1RDabc/elements"
	    "?searchFullHierarchy=true&sortField=Name&sortOrder=Ascending"
	    "&webIdType=IDOnly&selectedFields=Items.WebId%3BItems.Name%3B"
	    "Items.TemplateName%3BItems.Description%3BItems.Path%3B"
	    "Items.CategoryNames%3BItems.Id%3BItems.HasChildren%3B"
	    "Items.Errors%3BWebException&startIndex=0&maxCount=1000" },
	{ "pi_event_frames", { .parent = "I1RDabc", .count = 500,
	    .start = 500, .a = A, .b = A + 1 },
	    "/piwebapi/assetdatabases/I1RDabc/eventframes"
	    "?searchMode=Overlapped&searchFullHierarchy=true"
	    "&sortField=StartTime&sortOrder=Ascending&webIdType=IDOnly"
	    "&selectedFields=Items.WebId%3BItems.Name%3BItems.TemplateName%3B"
	    "Items.StartTime%3BItems.EndTime%3BItems.RefElementWebIds%3B"
	    "Items.Description%3BItems.CategoryNames%3BItems.Id%3B"
	    "Items.Path%3BItems.Severity%3BItems.HasChildren%3B"
	    "Items.IsAcknowledged%3BItems.AcknowledgedBy%3B"
	    "Items.AcknowledgedDate%3BItems.CanBeAcknowledged%3B"
	    "Items.IsAnnotated%3BItems.IsLocked%3BItems.AreValuesCaptured%3B"
	    "Items.Errors%3BWebException"
	    "&startTime=2024-03-01T00%3A00%3A00.0000000Z"
	    "&endTime=2024-03-01T00%3A00%3A00.0000001Z"
	    "&startIndex=500&maxCount=500" },
	{ "pi_event_frames", { .parent = "I1RDabc", .count = 500, .a = A,
	    .b = A + 1, .began = true },
	    "/piwebapi/assetdatabases/I1RDabc/eventframes"
	    "?searchMode=StartInclusive&searchFullHierarchy=true"
	    "&sortField=StartTime&sortOrder=Ascending&webIdType=IDOnly"
	    "&selectedFields=Items.WebId%3BItems.Name%3BItems.TemplateName%3B"
	    "Items.StartTime%3BItems.EndTime%3BItems.RefElementWebIds%3B"
	    "Items.Description%3BItems.CategoryNames%3BItems.Id%3B"
	    "Items.Path%3BItems.Severity%3BItems.HasChildren%3B"
	    "Items.IsAcknowledged%3BItems.AcknowledgedBy%3B"
	    "Items.AcknowledgedDate%3BItems.CanBeAcknowledged%3B"
	    "Items.IsAnnotated%3BItems.IsLocked%3BItems.AreValuesCaptured%3B"
	    "Items.Errors%3BWebException"
	    "&startTime=2024-03-01T00%3A00%3A00.0000000Z"
	    "&endTime=2024-03-01T00%3A00%3A00.0000001Z"
	    "&startIndex=0&maxCount=500" },
};

static void
test_walks(void **state)
{
	const struct source_table *t;
	struct buf b;

	for (size_t i = 0; i < sizeof(WALKS) / sizeof(WALKS[0]); i++) {
		t = source_table_find(*state, WALKS[i].table);
		assert_non_null(t);
		buf_init(&b, 1 << 16);
		source_walk_target(t, "/piwebapi", &WALKS[i].walk, &b);
		assert_string_equal(buf_str(&b), WALKS[i].target);
		buf_fini(&b);
	}
}

#define COMMON "boundaryType=Inside"
#define TIMES "&startTime=2024-03-01T00%3A00%3A00.0000000Z" \
	"&endTime=2024-03-01T01%3A00%3A00.0000000Z"

static void
test_series(void **state)
{
	const struct source_table *t = source_table_find(*state,
	    "pi_timeseries");
	const struct source_stream x = { .key = POINT, .name = "X" },
	    y = { .key = "a b", .name = "Y" };
	const struct source_stream *const s[] = { &x, &y };
	uint32_t len;
	struct buf b;

	buf_init(&b, 1 << 16);
	source_series_target(t, "/pi", s, 1, A, A + 3600 * TICKS_PER_S, 1000,
	    &b);
	assert_string_equal(buf_str(&b), "/pi/streams/" POINT "/recorded?"
	    COMMON "&selectedFields=Items.Timestamp%3BItems.Value%3B"
	    "Items.Good%3BItems.Questionable%3BItems.Substituted%3B"
	    "Items.Annotated%3BItems.UnitsAbbreviation%3BUnitsAbbreviation"
	    "%3BItems.Errors%3BWebException" TIMES "&maxCount=1000");
	buf_clear(&b);
	source_series_target(t, "/pi", s, 2, A, A + 3600 * TICKS_PER_S, 77,
	    &b);
	assert_string_equal(buf_str(&b), "/pi/streamsets/recorded?"
	    COMMON "&webIdType=IDOnly&selectedFields=Items.WebId%3B"
	    "Items.Items.Timestamp%3BItems.Items.Value%3BItems.Items.Good%3B"
	    "Items.Items.Questionable%3BItems.Items.Substituted%3B"
	    "Items.Items.Annotated%3BItems.Items.UnitsAbbreviation%3B"
	    "Items.UnitsAbbreviation%3BItems.Items.Errors%3BItems.Errors%3B"
	    "Items.WebException%3BWebException" TIMES "&maxCount=77"
	    "&webId=" POINT "&webId=a%20b");

	/* The budget: never less than what is made. */
	assert_int_equal(source_stream_len(t, &x), strlen("&webId=" POINT));
	assert_int_equal(source_stream_len(t, &y), strlen("&webId=a%20b"));
	len = source_series_base_len(t, "/pi") + source_stream_len(t, &x) +
	    source_stream_len(t, &y);
	assert_int_equal(len, b.len + strlen("4294967295") - strlen("77"));
	buf_fini(&b);
}

static void
test_clock(void **state)
{
	struct buf b;

	buf_init(&b, 1 << 16);
	assert_true(source_clock_target(*state, "/piwebapi", &b));
	assert_string_equal(buf_str(&b), "/piwebapi/system/status");
	buf_fini(&b);
	assert_string_equal(source_base_path(*state), "/piwebapi");
	assert_string_equal(source_name(*state), "pi");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_walks),
		cmocka_unit_test(test_series),
		cmocka_unit_test(test_clock),
	};

	return (cmocka_run_group_tests(tests, test_setup, test_teardown));
}
