/* Pages of lists: points, event frames, elements, by the first byte. */

#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/must.h"
#include "fuzz.h"
#include "fuzz_source.h"
#include "rows/rows.h"
#include "source/source.h"

static const char *const TABLES[] = {
	"pi_points", "pi_event_frames", "pi_af_hierarchy", "pi_dataservers",
};
#define NTABLES (sizeof(TABLES) / sizeof(TABLES[0]))

static struct source *source;

bool
fuzz_seed(unsigned i, struct buf *b)
{
	static const char *const SEEDS[] = {
		"{\"Links\":{},\"Items\":[{\"WebId\":\"F1DPOywdb1lKd0iaCxEiM0RVZg"
		    "khAAAAUElTUlYxXFg\",\"Id\":4242,\"Name\":\"UNIT1.LEVEL\","
		    "\"Path\":\"\\\\\\\\PISRV1\\\\UNIT1.LEVEL\",\"Descriptor\":"
		    "\"Tank\",\"PointClass\":\"classic\",\"PointType\":\"Float32\""
		    ",\"Span\":100.0,\"Zero\":0.0,\"Step\":false,"
		    "\"Future\":false,\"DisplayDigits\":-5,\"Links\":{}}]}",
		"{\"Items\":[{\"WebId\":\"F1FM\",\"Id\":\"7d0f-1\",\"Name\":\"EF\","
		    "\"StartTime\":\"2024-03-01T00:00:00Z\",\"EndTime\":"
		    "\"9999-12-31T23:59:59Z\",\"Severity\":\"None\","
		    "\"RefElementWebIds\":[\"F1Em\",\"F1En\"],"
		    "\"CategoryNames\":[\"a\"],\"IsLocked\":false}]}",
		"{\"Items\":[{\"WebId\":\"F1Em\",\"Id\":\"1\",\"Name\":\"A\","
		    "\"Path\":\"\\\\\\\\S\\\\D\\\\A\",\"HasChildren\":true},"
		    "{\"WebId\":\"F1En\",\"Id\":\"2\",\"Name\":\"B\",\"Path\":"
		    "\"\\\\\\\\S\\\\D\\\\A\\\\B\",\"HasChildren\":false}]}",
		"{\"Errors\":[{\"FieldName\":\"\",\"Message\":[\"no\"]}]}",
	};

	if (i >= sizeof(SEEDS) / sizeof(SEEDS[0]))
		return (false);
	buf_u8(b, (uint8_t)i);
	buf_puts(b, SEEDS[i]);
	return (true);
}

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{

	(void)argc;
	(void)argv;
	source = fuzz_source();
	return (0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct source_walk walk = { .parent = "F1RD", .parent_name = "parent",
		.parent_kind = "kind", .count = 10, .b = INT64_MAX / 2 };
	const struct source_table *t;
	struct err e = ERR_INIT;
	struct rows *rows;
	uint32_t items = 0;
	char *body;
	int rc;

	if (n < 1)
		return (0);
	t = source_table_find(source, TABLES[data[0] % NTABLES]);
	MUST(t != NULL);
	body = must_calloc(n + LIMIT_PADDING - 1, 1);
	memcpy(body, data + 1, n - 1);
	rows = rows_new(t->schema);
	rc = source_walk_decode(t, &walk, body, n - 1, rows, &items, &e);
	if (rc == 0)
		source_walk_finish(t, rows, 0);
	MUST(rc == e.code && (rc == 0 || rows->n == 0));
	rows_check(rows);
	rows_free(rows);
	free(body);
	return (0);
}
