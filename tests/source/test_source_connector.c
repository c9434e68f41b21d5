/*
 * Connector files: the distribution's, a file with all shapes of tables,
 * decoded, and the mistakes one can make in one, told with their line.
 */

#include "config.h"

#include "fetch/fetch.h"
#include "source_test.h"

#define A 17092512000000000LL		/* 2024-03-01T00:00:00Z */

static struct source *
shapes(void)
{
	const char *dir = getenv("srcdir");
	struct err e = ERR_INIT;
	struct source *s;
	char path[1024];

	(void)snprintf(path, sizeof(path), "%s/tests/source/shapes.yaml",
	    dir != NULL ? dir : ".");
	if (source_load(path, &s, &e) != 0)
		fail_msg("%s", e.text);
	return (s);
}

/* --- the distribution's --------------------------------------------------- */

static const struct {
	const char *name;
	enum source_kind kind;
	enum source_ingestion ingestion;
	const char *over;
	uint32_t ncols, page_size;
	bool is_parent;
} TABLES[] = {
	{ "pi_dataservers", SOURCE_WALK, SOURCE_SNAPSHOT, NULL, 6, 0, true },
	{ "pi_points", SOURCE_WALK, SOURCE_SNAPSHOT, "pi_dataservers", 15,
	    1000, true },
	{ "pi_timeseries", SOURCE_SERIES, SOURCE_APPEND, "pi_points", 13, 0,
	    false },
	{ "pi_assetservers", SOURCE_WALK, SOURCE_SNAPSHOT, NULL, 7, 0, true },
	{ "pi_assetdatabases", SOURCE_WALK, SOURCE_SNAPSHOT,
	    "pi_assetservers", 6, 0, true },
	{ "pi_af_hierarchy", SOURCE_WALK, SOURCE_SNAPSHOT,
	    "pi_assetdatabases", 10, 1000, false },
	{ "pi_event_frames", SOURCE_FRAMES, SOURCE_APPEND,
	    "pi_assetdatabases", 19, 1000, false },
};

static void
test_pi(void **state)
{
	struct source *s = test_source();
	const struct source_table *t;

	(void)state;
	assert_int_equal(source_tables(s), sizeof(TABLES) / sizeof(TABLES[0]));
	for (size_t i = 0; i < source_tables(s); i++) {
		t = source_table_at(s, i);
		assert_string_equal(t->name, TABLES[i].name);
		assert_ptr_equal(source_table_find(s, t->name), t);
		assert_int_equal(t->kind, TABLES[i].kind);
		assert_int_equal(t->ingestion, TABLES[i].ingestion);
		assert_string_equal(t->over == NULL ? "" : t->over->name,
		    TABLES[i].over == NULL ? "" : TABLES[i].over);
		assert_int_equal(t->schema->ncols, TABLES[i].ncols);
		assert_int_equal(t->page_size, TABLES[i].page_size);
		assert_int_equal(t->is_parent, TABLES[i].is_parent);
		assert_int_equal(t->nrequests, 1);
		assert_string_equal(t->schema->name, t->name);
		assert_true(t->nkey > 0);
		if (t->is_parent)
			assert_true(t->object_key >= 0);
	}
	t = source_table_find(s, "pi_timeseries");
	assert_string_equal(t->schema->cols[t->cursor].name, "timestamp");
	assert_string_equal(t->schema->cols[t->ordinal].name, "ordinal");
	assert_string_equal(t->schema->cols[t->key[0]].name, "tag_webid");
	t = source_table_find(s, "pi_points");
	assert_string_equal(t->schema->cols[t->object_kind].name,
	    "point_type");
	assert_int_equal(t->cursor, -1);
	assert_int_equal(t->ordinal, -1);
	assert_null(source_table_find(s, "pi_nothing"));
	source_free(s);
	source_free(NULL);
}

/* --- all shapes ----------------------------------------------------------- */

static const struct {
	const char *table;
	struct source_walk walk;
	const char *target;
	const char *body;
	const char *want;	/* all columns */
} WALKS[] = {
	{ "point_attributes", { .parent = "P", .parent_name = "N",
	    .parent_kind = "S" }, "/points/P/attributes",
	    "{'Items':[{'Name':'span','Value':100.5,'ValueType':'Double'},"
	    "{'Name':'tag','Value':'x','Type':'String','ValueType':'no'},"
	    "{'Name':'on','Value':true},{'Name':'set','Value':{'Name':'Off',"
	    "'Value':0}},{'Name':'none'}]}",
	    "'P' 'N' 'S' 'span' '100.5' 100.5 'Double'\n"
	    "'P' 'N' 'S' 'tag' 'x' null 'String'\n"
	    "'P' 'N' 'S' 'on' 'true' 1 null\n"
	    "'P' 'N' 'S' 'set' '{\\'Name\\':\\'Off\\',\\'Value\\':0}' null "
	    "null\n"
	    "'P' 'N' 'S' 'none' null null null\n" },
	{ "current_value", { .parent = "P" },
	    "/streams/P/value?selectedFields=Timestamp%3BValue%3BErrors%3B"
	    "WebException",
	    "{'Timestamp':'2024-03-01T00:00:00Z','Value':{'Name':'Bad',"
	    "'Value':307,'IsSystem':true},'Good':false}",
	    "'P' '2024-03-01T00:00:00.0000000Z' null 'Bad' 307 true\n" },
	{ "categories", { .parent = "D", .request = 1 },
	    "/databases/D/attributecategories",
	    "{'Items':[{'WebId':'c'}]}", "'c' 'attribute'\n" },
	{ "frame_templates", { .parent = "D" },
	    "/databases/D/elementtemplates?field=Name&selectedFields="
	    "Items.WebId%3BItems.InstanceType%3BItems.Extra.Hidden%3B"
	    "Items.Errors%3BWebException",
	    "{'Items':[{'WebId':'a','InstanceType':'Element',"
	    "'Extra':{'Hidden':false}},{'WebId':'b',"
	    "'InstanceType':'EventFrame','Extra':{'Hidden':false}},"
	    "{'WebId':'c','InstanceType':'EventFrame'}]}", "'b'\n" },
	{ "frames", { .parent = "D", .count = 5, .a = A, .b = A + 1 },
	    "/databases/D/eventframes?searchMode=Overlapped&a=b"
	    "&startTime=2024-03-01T00%3A00%3A00.0000000Z&endTime="
	    "2024-03-01T00%3A00%3A00.0000001Z&startIndex=0&maxCount=5",
	    "{'Items':[{'WebId':'f','StartTime':'2024-03-01T00:00:00Z',"
	    "'EndTime':'9999-12-31T23:59:59Z'}]}",
	    "'f' '2024-03-01T00:00:00.0000000Z' null\n" },
	{ "frames", { .parent = "D", .count = 5, .a = A, .b = A + 1,
	    .began = true },
	    "/databases/D/eventframes?searchMode=StartInclusive&a=b&of=D"
	    "&startTime=2024-03-01T00%3A00%3A00.0000000Z&endTime="
	    "2024-03-01T00%3A00%3A00.0000001Z&startIndex=0&maxCount=5",
	    "{'Items':[]}", "" },
	{ "referenced_elements", { .parent = "D", .count = 5, .a = A,
	    .b = A + 1 },
	    "/databases/D/eventframes?fields=Items.WebId%3BItems.StartTime"
	    "%3BItems.RefElementWebIds%3BItems.Errors%3BWebException"
	    "&startTime=2024-03-01T00%3A00%3A00.0000000Z&endTime="
	    "2024-03-01T00%3A00%3A00.0000001Z&startIndex=0&maxCount=5",
	    "{'Items':[{'WebId':'f','StartTime':'2024-03-01T00:00:00Z',"
	    "'RefElementWebIds':['x','y']},{'WebId':'g'},"
	    "{'WebId':'h','RefElementWebIds':[]}]}",
	    "'f' 'x' '2024-03-01T00:00:00.0000000Z'\n"
	    "'f' 'y' '2024-03-01T00:00:00.0000000Z'\n" },
	{ "links", { .request = 0 }, "/dataservers",
	    "{'Items':[{'WebId':'s','Links':{'Self':'http://a','Points':"
	    "'http://b'}},{'WebId':'t','Links':{}}]}",
	    "'dataserver' 's' 'Self' 'http://a'\n"
	    "'dataserver' 's' 'Points' 'http://b'\n" },
	{ "table_rows", { .parent = "T", .start = 10 }, "/tables/T/data",
	    "{'Columns':{'A':'Int32'},'Rows':[{'A':1,'B':'x'},{}]}",
	    "'T' 10 '{\\'A\\':1,\\'B\\':\\'x\\'}'\n'T' 11 '{}'\n" },
	{ "issues", { .start = 200, .count = 100 },
	    "/repos/o/r/issues?state=all&sort=updated&page=3&per_page=100",
	    "[{'id':7,'user':{'login':'me','id':1},'labels':['a',{'b':1}],"
	    "'updated_at':'2024-03-01T00:00:00Z'},{'id':8.0,'user':null}]",
	    "7 'me' ['a','{\\'b\\':1}'] '{\\'login\\':\\'me\\',\\'id\\':1}' "
	    "'2024-03-01T00:00:00.0000000Z'\n8 null null null null\n" },
};

static char *
dump_all(const struct rows *r)
{
	struct buf b;
	char *text;

	buf_init(&b, 1 << 16);
	for (uint32_t i = 0; i < r->schema->ncols; i++)
		buf_printf(&b, "%s ", r->schema->cols[i].name);
	text = test_dump(r, buf_str(&b));
	buf_fini(&b);
	return (text);
}

static void
test_shapes(void **state)
{
	struct source *s = shapes();
	const struct source_table *t;
	struct err e = ERR_INIT;
	struct rows *rows;
	struct buf b;
	uint32_t items;
	size_t len;
	char *body, *got;

	(void)state;
	for (size_t i = 0; i < sizeof(WALKS) / sizeof(WALKS[0]); i++) {
		t = source_table_find(s, WALKS[i].table);
		buf_init(&b, 1 << 16);
		source_walk_target(t, "", &WALKS[i].walk, &b);
		assert_string_equal(buf_str(&b), WALKS[i].target);
		buf_fini(&b);
		rows = rows_new(t->schema);
		body = test_body(WALKS[i].body, &len);
		if (source_walk_decode(t, &WALKS[i].walk, body, len, rows,
		    &items, &e) != 0)
			fail_msg("%s: %s", t->name, e.text);
		got = dump_all(rows);
		assert_string_equal(got, WALKS[i].want);
		free(got);
		free(body);
		rows_free(rows);
	}
	assert_int_equal(source_table_find(s, "categories")->nrequests, 2);
	t = source_table_find(s, "frames");
	assert_int_equal(t->open_end, 2);
	assert_true(t->began);
	t = source_table_find(s, "referenced_elements");
	assert_int_equal(t->open_end, -1);
	assert_false(t->began);
	source_free(s);
}

static const struct {
	const char *table;
	const char *target;
	const char *body;
	const char *want;
} SERIES[] = {
	{ "interpolated", "/streams/W/interpolated?interval=1m&selectedFields="
	    "Items.Timestamp%3BItems.Value%3BItems.Errors%3BWebException"
	    "&startTime=2024-03-01T00%3A00%3A00.0000000Z"
	    "&endTime=2024-03-01T00%3A00%3A01.0000000Z",
	    "{'Items':[{'Timestamp':'2024-03-01T00:00:00Z','Value':1}]}",
	    "'W' '2024-03-01T00:00:00.0000000Z' 1\n" },
	{ "summary", "/streamsets/summary?summaryType=Average&summaryType="
	    "Total&summaryDuration=1h&selectedFields=Items.WebId%3B"
	    "Items.Items.Type%3BItems.Items.Value.Timestamp%3B"
	    "Items.Items.Value.Value%3BItems.Items.Value.Good%3B"
	    "Items.Items.Value.PercentGood%3BItems.Items.Errors%3B"
	    "Items.Errors%3BItems.WebException%3BWebException"
	    "&startTime=2024-03-01T00%3A00%3A00.0000000Z"
	    "&endTime=2024-03-01T00%3A00%3A01.0000000Z&webId=W",
	    "{'Items':[{'WebId':'W','Items':[{'Type':'Average','Value':{"
	    "'Timestamp':'2024-03-01T00:00:00Z','Value':1.5,'Good':true,"
	    "'PercentGood':99}},{'Type':'Total','Value':{'Timestamp':"
	    "'2024-03-01T00:00:00Z','Value':'n/a'}}]}]}",
	    "'W' 'Average' '2024-03-01T00:00:00.0000000Z' 1.5 null true 99\n"
	    "'W' 'Total' '2024-03-01T00:00:00.0000000Z' null 'n/a' null "
	    "null\n" },
	{ "calculated", "/calculation/intervals?sampleInterval=1m&webId=W"
	    "&expression=%27N%26%27%2A2"
	    "&startTime=2024-03-01T00%3A00%3A00.0000000Z"
	    "&endTime=2024-03-01T00%3A00%3A01.0000000Z",
	    "{'Items':[{'Timestamp':'2024-03-01T00:00:00Z','Value':1,"
	    "'Units':'b','UnitsAbbreviation':null},{'Timestamp':"
	    "'2024-03-01T00:00:00Z','UnitsAbbreviation':'a','Units':'b'}]}",
	    "'W' '2024-03-01T00:00:00.0000000Z' 1 'b' 'Average'\n"
	    "'W' '2024-03-01T00:00:00.0000000Z' null 'a' 'Average'\n" },
};

static void
test_series_shapes(void **state)
{
	const struct source_stream stream = { .key = "W", .name = "N&" };
	const struct source_stream *const streams[] = { &stream };
	struct source *s = shapes();
	const struct source_table *t;
	const struct fetch_quota *quotas;
	struct source_page page;
	struct err e = ERR_INIT;
	struct rows *rows;
	struct buf b;
	size_t len;
	char *body, *got;

	(void)state;
	for (size_t i = 0; i < sizeof(SERIES) / sizeof(SERIES[0]); i++) {
		t = source_table_find(s, SERIES[i].table);
		buf_init(&b, 1 << 16);
		source_series_target(t, "", streams, 1, A, A + TICKS_PER_S,
		    1000, &b);
		assert_string_equal(buf_str(&b), SERIES[i].target);
		buf_fini(&b);
		rows = rows_new(t->schema);
		body = test_body(SERIES[i].body, &len);
		if (source_series_decode(t, streams, 1, A, A + TICKS_PER_S,
		    body, len, rows, &page, &e) != 0 || page.code != 0)
			fail_msg("%s: %s%s", t->name, e.text, page.text);
		got = dump_all(rows);
		assert_string_equal(got, SERIES[i].want);
		free(got);
		free(body);
		rows_free(rows);
	}
	assert_int_equal(source_quotas(s, &quotas), 3);
	assert_string_equal(quotas[0].reset, "X-RateLimit-Reset");
	assert_int_equal(quotas[0].kind, FETCH_RESET_UNIX);
	assert_int_equal(quotas[1].kind, FETCH_RESET_MS);
	assert_int_equal(quotas[2].kind, FETCH_RESET_EVERY);
	assert_int_equal(quotas[2].every_ms, 3600000);
	/* Without a set form a stream fills a request. */
	t = source_table_find(s, "calculated");
	assert_true(source_stream_len(t, &stream) > 10000);
	source_free(s);
}

/* --- mistakes ------------------------------------------------------------- */

#define HEAD "connector: x\nversion: 1\ntables:\n"
#define TOP "  t:\n    about: a\n    category: c\n    ingestion: snapshot\n"
#define REST "    key: [a]\n    request: {path: /a}\n    items: I\n"
#define COLS "    columns:\n      a: {type: string, from: A}\n"

#define SERIES(forms) HEAD TOP REST "    object: {key: a}\n" COLS \
	"  s:\n    about: a\n    category: c\n    ingestion: append\n" \
	"    over: t\n    key: [t]\n    cursor: t\n    items: I\n" \
	"    values: I\n    stream_id: W\n    window: {start: s, end: e, " \
	forms "}\n    columns:\n" \
	"      t: {type: timestamp, from: T, required: true}\n"
#define ONE "one: {path: '/{stream}'}, "
#define PARTS "status: S, content: C}"

static const struct {
	const char *text;
	int line;
	const char *words;
} MISTAKES[] = {
	{ SERIES("set: {path: /s, stream: w}, batch: {path: /b, "
	    "request: {R: '{url}'}, " PARTS), 24, "as `one` tells" },
	{ SERIES(ONE "batch: {path: b, request: {R: '{url}'}, " PARTS), 24,
	    "begins with /" },
	{ SERIES(ONE "batch: {path: /b, request: {R: x}, " PARTS), 24,
	    "no field of the request has {url}" },
	{ SERIES(ONE "batch: {path: /b, " PARTS), 24,
	    "`request` is missing" },
	{ SERIES(ONE "batch: {path: /b, request: {R: '{url}'}, status: S}"),
	    24, "`content` is missing" },
	{ SERIES(ONE "batch: {path: /b, most: 1, request: {R: '{url}'}, "
	    PARTS), 24, "`most`" },
	{ SERIES(ONE "batch: {path: /b, max: 1, request: {R: '{url}'}, "
	    PARTS), 24, "max" },
	{ "connector: x\nversion: 2\ntables: {}\n", 1, "version" },
	{ "connector: x\nversion: 1\n", 1, "`tables` is missing" },
	{ "version: 1\ntables: {}\n", 1, "`connector` is missing" },
	{ "connector: x\nversion: 1\ntabels: {}\n", 3, "tables" },
	{ "- a\n", 0, "map" },
	{ "connector: x\nversion: 1\nquotas: {}\n", 3, "a list" },
	{ "connector: x\nversion: 1\nquotas:\n  - {reset: A, unit: ms}\n",
	    4, "`remaining` is missing" },
	{ "connector: x\nversion: 1\nquotas:\n  - {remaining: A}\n", 4,
	    "`reset` is missing" },
	{ "connector: x\nversion: 1\nquotas:\n"
	    "  - {remaining: A, reset: B, unit: days}\n", 4, "unix" },
	{ "connector: x\nversion: 1\nquotas:\n"
	    "  - {remaining: A, every: 2d}\n", 4, "up to 1d" },
	{ HEAD "  T:\n    about: a\n", 4, "a-z" },
	{ HEAD "  t: 7\n", 4, "map" },
	{ HEAD TOP "    colums: {}\n", 8, "columns" },
	{ HEAD "  t:\n    about: a\n    category: c\n    ingestion: often\n"
	    REST COLS, 7, "snapshot, append or cdc" },
	{ HEAD TOP "    key: [b]\n    request: {path: /a}\n    items: I\n"
	    COLS, 8, "no column `b`" },
	{ HEAD TOP "    key: a\n    request: {path: /a}\n    items: I\n"
	    COLS, 8, "list of columns" },
	{ HEAD TOP REST, 5, "`columns` is missing" },
	{ HEAD TOP REST "    columns:\n      A: {type: string, from: A}\n",
	    12, "a-z" },
	{ HEAD TOP REST "    columns:\n      a: {type: text, from: A}\n",
	    12, "no type `text`" },
	{ HEAD TOP REST "    columns:\n      a: {type: string}\n",
	    12, "either `from` or `value`" },
	{ HEAD TOP REST "    columns:\n"
	    "      a: {type: string, form: A}\n", 12, "from" },
	{ HEAD TOP REST "    columns:\n"
	    "      a: {type: string, from: $patent}\n", 12, "$parent" },
	{ HEAD TOP REST "    columns:\n"
	    "      a: {type: string, from: $parent}\n", 12, "without `over`" },
	{ HEAD TOP REST "    columns:\n"
	    "      a: {type: string, from: $stream}\n", 12, "kind of table" },
	{ HEAD TOP REST "    columns:\n"
	    "      a: {type: string, from: $key}\n", 12, "without `each`" },
	{ HEAD TOP REST "    columns:\n"
	    "      a: {type: string, from: A, as: webit}\n", 12, "webid" },
	{ HEAD TOP REST "    columns:\n"
	    "      a: {type: string, from: A, as: number}\n", 12,
	    "gives no string" },
	{ HEAD TOP REST "    columns:\n"
	    "      a: {type: int64, value: x}\n", 12, "a string" },
	{ HEAD TOP REST "    columns:\n"
	    "      a: {type: string, from: A, as: parent_by_path}\n", 12,
	    "path itself" },
	{ HEAD TOP REST "    columns:\n      a: {type: string, from: A}\n"
	    "      p: {type: string, from: A, as: parent_by_path, "
	    "required: true}\n", 13, "no parent" },
	{ HEAD TOP REST "    object: {key: a}\n" COLS
	    "  s:\n    about: a\n    category: c\n    ingestion: append\n"
	    "    over: t\n    key: [t]\n    cursor: t\n    items: I\n"
	    "    values: I\n    stream_id: W\n    window: {start: s, "
	    "end: e, one: {path: '/{stream}'}}\n    columns:\n"
	    "      t: {type: timestamp, from: T, required: true}\n"
	    "      v: {type: double, from: V, required: true}\n", 27,
	    "`required` in a series" },
	{ HEAD TOP REST "    columns:\n"
	    "      a: {type: string, from: A, required: maybe}\n", 12,
	    "true or false" },
	{ HEAD TOP REST "    over: u\n" COLS, 11, "no table `u` above" },
	{ HEAD TOP REST "    cursor: b\n" COLS, 11, "no column `b`" },
	{ HEAD TOP REST "    cursor: a\n" COLS, 11, "of type timestamp" },
	{ SERIES("one: {path: '/{stream}'}"), 19,
	    "begins with its `$stream`" },
	{ HEAD TOP REST "    object: {name: a}\n" COLS, 11,
	    "`key` is missing" },
	{ HEAD TOP REST "    paging: {style: sometimes}\n" COLS, 11,
	    "none or" },
	{ HEAD TOP REST "    paging: {style: index, start: s, count: c, "
	    "size: many}\n" COLS, 11, "`size`" },
	{ HEAD TOP REST "    window: {start: s, end: e}\n" COLS, 5,
	    "needs `over`" },
	{ HEAD TOP REST "    object: {key: a}\n" COLS
	    "  s:\n    about: a\n    category: c\n    ingestion: append\n"
	    "    over: t\n    key: [t]\n    cursor: t\n    items: I\n"
	    "    values: I\n    stream_id: W\n    window: {start: s, "
	    "end: e, one: {path: '/{stream}'}, began: {query: {a: b}}}\n"
	    "    columns:\n"
	    "      t: {type: timestamp, from: T, required: true}\n", 24,
	    "for frames" },
	{ HEAD TOP "    key: [a]\n    items: I\n" COLS, 5,
	    "`request` is missing" },
	{ HEAD TOP "    key: [a]\n    items: I\n"
	    "    request: {path: a}\n" COLS, 10, "begins with /" },
	{ HEAD TOP "    key: [a]\n    items: I\n"
	    "    request: {path: '/{parent}'}\n" COLS, 10, "placeholder" },
	{ HEAD TOP "    key: [a]\n    items: I\n"
	    "    request: {path: '/a}'}\n" COLS, 10, "placeholder" },
	{ HEAD TOP "    key: [a]\n    items: I\n"
	    "    request: {path: /a, query: {x: '{stream}'}}\n" COLS, 10,
	    "placeholder" },
	{ HEAD TOP "    key: [a]\n    items: I\n"
	    "    request: {path: /a, set: {a: x}}\n" COLS, 10, "$request" },
	{ HEAD TOP "    key: [a]\n    items: I\n"
	    "    request: {path: /a, filters: x}\n" COLS, 10, "filter" },
};

static void
test_mistakes(void **state)
{
	char path[] = "/tmp/garner-test-connector-XXXXXX", where[64];
	struct err e = ERR_INIT;
	struct source *s;
	FILE *f;
	int fd;

	(void)state;
	fd = mkstemp(path);
	assert_true(fd >= 0);
	(void)close(fd);
	for (size_t i = 0; i < sizeof(MISTAKES) / sizeof(MISTAKES[0]); i++) {
		f = fopen(path, "w");
		assert_non_null(f);
		(void)fputs(MISTAKES[i].text, f);
		(void)fclose(f);
		e.text[0] = '\0';
		if (source_load(path, &s, &e) != ERR_CONFIG)
			fail_msg("%s\nis: %s", MISTAKES[i].text, e.text);
		assert_null(s);
		if (MISTAKES[i].line > 0)
			(void)snprintf(where, sizeof(where), "%s:%d:", path,
			    MISTAKES[i].line);
		else
			(void)snprintf(where, sizeof(where), "%s:", path);
		if (strstr(e.text, where) == NULL ||
		    strstr(e.text, MISTAKES[i].words) == NULL)
			fail_msg("%s\nis: %s", MISTAKES[i].text, e.text);
	}
	(void)unlink(path);
	assert_int_equal(source_load(path, &s, &e), ERR_NOTFOUND);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pi),
		cmocka_unit_test(test_shapes),
		cmocka_unit_test(test_series_shapes),
		cmocka_unit_test(test_mistakes),
	};

	return (cmocka_run_group_tests(tests, NULL, NULL));
}
