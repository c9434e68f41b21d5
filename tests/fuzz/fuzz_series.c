/*
 * Answers of streams: read from their text and by the parser, with equal
 * rows (a byte order mark keeps the scanner away). The first byte says how
 * many streams were asked for.
 */

#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/must.h"
#include "base/ticks.h"
#include "fuzz.h"
#include "fuzz_source.h"
#include "rows/rows.h"
#include "source/source.h"

#define DAY 17092512000000000LL		/* 2024-03-01T00:00:00Z */
#define N 2
#define BOM "\xef\xbb\xbf"
#define ITEM(s, v) "{\"Timestamp\":\"2024-03-01T00:" s "Z\",\"Value\":" v \
	",\"UnitsAbbreviation\":\"m3/h\",\"Good\":true,\"Questionable\":false," \
	"\"Substituted\":false,\"Annotated\":false}"
#define BAD(s, v) "{\"Timestamp\":\"2024-03-01T00:" s "Z\",\"Value\":" v \
	",\"UnitsAbbreviation\":\"\xc2\xb0" "C\",\"Good\":false}"
#define STATE "{\"Name\":\"Bad\",\"Value\":307,\"IsSystem\":true}"

static const struct source_stream S[N] = {
	{ .key = "P1DPtag0", .name = "T0" }, { .key = "P1DPtag1", .name = "T1" },
};
static const struct source_stream *const STREAMS[] = { &S[0], &S[1] };
static struct source *source;

bool
fuzz_seed(unsigned i, struct buf *b)
{
	static const char *const SEEDS[] = {
		"\0{\"Links\":{},\"Items\":[" ITEM("00:00", "1.5") ","
		    ITEM("00:01.25", "-7") "," ITEM("00:01.25", STATE) ","
		    ITEM("02:03.1234567", "\"text\"") "],"
		    "\"UnitsAbbreviation\":\"m\"}",
		"\1{\"Links\":{},\"Items\":[{\"WebId\":\"P1DPtag1\",\"Items\":["
		    ITEM("00:00", "1e-5") "," ITEM("00:01", "null")
		    "],\"UnitsAbbreviation\":\"\"},{\"WebId\":\"P1DPtag0\","
		    "\"Name\":\"x\",\"Items\":[" ITEM("00:00",
		    "9007199254740993") "],\"Errors\":null}],"
		    "\"WebException\":null}",
		"\1{\"Items\":[{\"WebId\":\"P1DPtag0\",\"Errors\":[\"no\"],"
		    "\"Items\":[]}]}",
		"\0{\"Items\":[" ITEM("00:00.1", "1.25") ","
		    ITEM("00:01", "-12.5") "," ITEM("00:01", "7E+09") ","
		    BAD("00:02.0000001", STATE) "," ITEM("00:03.5", STATE)
		    "," ITEM("01:00.1234567", "\"t\xc3\xa9\"") ","
		    BAD("01:59", "0.000001") "," ITEM("02:00", "1234567.5")
		    "]}",
		"\0{\"Items\":[{\"Timestamp\":\"2024-03-01T00:00:00Z\","
		    "\"Value\":{\"Errors\":[\"a\"]},\"Errors\":[]}]}",
	};

	if (i >= sizeof(SEEDS) / sizeof(SEEDS[0]))
		return (false);
	buf_u8(b, (uint8_t)SEEDS[i][0]);
	buf_puts(b, SEEDS[i] + 1);
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

static int
decode(const char *before, const uint8_t *data, size_t n, uint32_t streams,
    struct rows *rows, struct source_page *pages, struct err *e)
{
	const struct source_table *t = source_table_find(source,
	    "pi_timeseries");
	size_t extra = strlen(before);
	char *body = must_calloc(extra + n + LIMIT_PADDING, 1);
	int rc;

	memcpy(body, before, extra);
	memcpy(body + extra, data, n);
	rc = source_series_decode(t, STREAMS, streams, DAY,
	    DAY + 3600 * TICKS_PER_S, body, extra + n, rows, pages, e);
	free(body);
	rows_check(rows);
	return (rc);
}

static void
put_rows(const struct rows *r, struct buf *b)
{

	for (uint32_t i = 0; i < r->n; i++)
		for (uint32_t c = 0; c < r->schema->ncols; c++)
			rows_cell_json(r, c, i, b);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	const struct source_table *t = source_table_find(source,
	    "pi_timeseries");
	struct source_page pages[2][N];
	struct err e[2] = { ERR_INIT, ERR_INIT };
	struct rows *rows[2];
	struct buf text[2];
	uint32_t streams;

	if (n < 1 || (n > 3 && memcmp(data + 1, BOM, 3) == 0))
		return (0);
	streams = 1 + data[0] % N;
	memset(pages, 0, sizeof(pages));
	for (int i = 0; i < 2; i++) {
		buf_init(&text[i], 64u << 20);
		rows[i] = rows_new(t->schema);
		(void)decode(i == 0 ? "" : BOM, data + 1, n - 1, streams,
		    rows[i], pages[i], &e[i]);
		put_rows(rows[i], &text[i]);
	}
	MUST(e[0].code == e[1].code && strcmp(e[0].text, e[1].text) == 0);
	MUST(strcmp(buf_str(&text[0]), buf_str(&text[1])) == 0);
	MUST(memcmp(pages[0], pages[1], sizeof(pages[0])) == 0);
	for (int i = 0; i < 2; i++) {
		buf_fini(&text[i]);
		rows_free(rows[i]);
	}
	return (0);
}
