/*
 * How fast answers of streams become rows: a set of 20 streams with 1,000
 * values each, the common fields, one core. Prints values a second with
 * parsing, the parser's own share, and decoding without it.
 *
 *	bench_decode conf/connectors/pi.yaml [seconds]
 */

#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/must.h"
#include "base/ticks.h"
#include "codec/json.h"
#include "rows/rows.h"
#include "source/source.h"

#define STREAMS 20
#define ITEMS 1000
#define FROM 17092512000000000LL

static double
now(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return ((double)t.tv_sec + (double)t.tv_nsec / 1e9);
}

static void
make_body(struct buf *b)
{
	char t[TICKS_TEXT_MAX];

	buf_puts(b, "{\"Links\":{},\"Items\":[");
	for (int i = 0; i < STREAMS; i++) {
		buf_printf(b, "%s{\"WebId\":\"P1DPtag%d\",\"Items\":[",
		    i > 0 ? "," : "", i);
		for (int k = 0; k < ITEMS; k++)
			buf_printf(b, "%s{\"Timestamp\":\"%s\",\"Value\":%.5f,"
			    "\"UnitsAbbreviation\":\"m3/h\",\"Good\":true,"
			    "\"Questionable\":false,\"Substituted\":false,"
			    "\"Annotated\":false}", k > 0 ? "," : "",
			    ticks_text(FROM + k * 12345678LL, t),
			    50 + k * 0.12345);
		buf_puts(b, "],\"UnitsAbbreviation\":\"m3/h\"}");
	}
	buf_puts(b, "]}");
}

int
main(int argc, char **argv)
{
	struct source_stream s[STREAMS];
	const struct source_stream *p[STREAMS];
	struct source_page pages[STREAMS];
	const struct source_table *t;
	struct err e = ERR_INIT;
	struct source *source;
	struct rows *rows;
	struct buf text;
	yyjson_doc *doc;
	double seconds, from, whole = 0, parse = 0;
	uint64_t values = 0;
	char *body;

	if (argc < 2 || source_load(argv[1], &source, &e) != 0) {
		(void)fprintf(stderr, "bench_decode: %s\n", argc < 2 ?
		    "which connector?" : e.text);
		return (1);
	}
	seconds = argc > 2 ? atof(argv[2]) : 2;
	t = source_table_find(source, "pi_timeseries");
	MUST(t != NULL);
	for (int i = 0; i < STREAMS; i++) {
		s[i].key = must_sprintf("P1DPtag%d", i);
		s[i].name = s[i].key;
		p[i] = &s[i];
	}
	buf_init(&text, 1 << 24);
	make_body(&text);
	body = must_calloc(text.len + 16, 1);
	rows = rows_new(t->schema);
	while (whole + parse < seconds) {
		memcpy(body, text.data, text.len);
		from = now();
		MUST(json_parse_insitu(body, text.len, &doc, &e) == 0);
		yyjson_doc_free(doc);
		parse += now() - from;

		memcpy(body, text.data, text.len);
		rows_clear(rows);
		from = now();
		MUST(source_series_decode(t, p, STREAMS, FROM,
		    FROM + TICKS_PER_DAY, body, text.len, rows, pages, &e) ==
		    0);
		whole += now() - from;
		values += rows->n;
	}
	(void)printf("decode_values\t%.0f\t1/s\n", (double)values / whole);
	(void)printf("decode_values_parse\t%.0f\t1/s\n",
	    (double)values / parse);
	(void)printf("decode_values_rest\t%.0f\t1/s\n",
	    (double)values / (whole - parse));
	for (int i = 0; i < STREAMS; i++)
		free((void *)(uintptr_t)s[i].key);
	rows_free(rows);
	free(body);
	buf_fini(&text);
	source_free(source);
	return (0);
}
