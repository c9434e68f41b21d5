/*
 * How fast answers of streams become rows: a set of 20 streams with 1,000
 * values each, the common fields, one core. Prints values a second with
 * parsing, the parser's own share, and decoding without it.
 *
 *	bench_decode conf/connectors/pi.yaml [seconds [answer.json]]
 *
 * The answer of a stream set may be given; times of any day are kept.
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
#define STREAMS_MAX 1000
#define ITEMS 1000
#define FROM 17092512000000000LL

static double
now(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return ((double)t.tv_sec + (double)t.tv_nsec / 1e9);
}

static uint32_t
make_body(struct buf *b, struct source_stream *s)
{
	char t[TICKS_TEXT_MAX];

	buf_puts(b, "{\"Links\":{},\"Items\":[");
	for (int i = 0; i < STREAMS; i++) {
		s[i].key = must_sprintf("P1DPtag%d", i);
		buf_printf(b, "%s{\"WebId\":\"%s\",\"Items\":[",
		    i > 0 ? "," : "", s[i].key);
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
	return (STREAMS);
}

/* An answer of a server, and what it says its streams are. */
static uint32_t
read_body(struct buf *b, const char *path, struct source_stream *s)
{
	yyjson_val *entry;
	yyjson_arr_iter it;
	struct err e = ERR_INIT;
	char part[65536];
	yyjson_doc *doc;
	uint32_t n = 0;
	size_t got;
	FILE *f;

	MUST((f = fopen(path, "r")) != NULL);
	while ((got = fread(part, 1, sizeof(part), f)) > 0)
		buf_put(b, part, got);
	(void)fclose(f);
	MUST(json_parse(buf_str(b), b->len, &doc, &e) == 0);
	yyjson_arr_iter_init(yyjson_obj_get(yyjson_doc_get_root(doc),
	    "Items"), &it);
	while (n < STREAMS_MAX && (entry = yyjson_arr_iter_next(&it)) != NULL)
		s[n++].key = must_strdup(yyjson_get_str(yyjson_obj_get(entry,
		    "WebId")));
	yyjson_doc_free(doc);
	return (n);
}

int
main(int argc, char **argv)
{
	static struct source_stream s[STREAMS_MAX];
	const struct source_stream *p[STREAMS_MAX];
	struct source_page pages[STREAMS_MAX];
	const struct source_table *t;
	struct err e = ERR_INIT;
	struct source *source;
	struct rows *rows;
	struct buf text;
	yyjson_doc *doc;
	double seconds, from, whole = 0, parse = 0;
	uint64_t values = 0;
	uint32_t n;
	char *body;

	if (argc < 2 || source_load(argv[1], &source, &e) != 0) {
		(void)fprintf(stderr, "bench_decode: %s\n", argc < 2 ?
		    "which connector?" : e.text);
		return (1);
	}
	seconds = argc > 2 ? atof(argv[2]) : 2;
	t = source_table_find(source, "pi_timeseries");
	MUST(t != NULL);
	buf_init(&text, 1 << 28);
	n = argc > 3 ? read_body(&text, argv[3], s) : make_body(&text, s);
	for (uint32_t i = 0; i < n; i++) {
		s[i].name = s[i].key;
		p[i] = &s[i];
	}
	body = must_calloc(text.len + LIMIT_PADDING, 1);
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
		MUST(source_series_decode(t, p, n, 0, INT64_MAX, body,
		    text.len, rows, pages, &e) == 0);
		whole += now() - from;
		values += rows->n;
	}
	(void)printf("decode_values\t%.0f\t1/s\n", (double)values / whole);
	(void)printf("decode_values_parse\t%.0f\t1/s\n",
	    (double)values / parse);
	(void)printf("decode_values_rest\t%.0f\t1/s\n",
	    (double)values / (whole - parse));
	for (uint32_t i = 0; i < n; i++)
		free((void *)(uintptr_t)s[i].key);
	rows_free(rows);
	free(body);
	buf_fini(&text);
	source_free(source);
	return (0);
}
