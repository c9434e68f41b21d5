/*
 * Rows a second and peak memory of compact on a series table, on one core:
 * a first run over all journals, a small increment, and a rebuild.
 *
 *	bench_compact [ROWS [STREAMS [MEMORY_MIB [DIR]]]]
 *
 * Prints name, value and unit, tab-separated, a line a figure.
 */

#include "config.h"

#include <sys/resource.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/hash.h"
#include "base/must.h"
#include "base/ticks.h"
#include "compact/compact.h"
#include "journal/journal.h"
#include "ledger/ledger.h"
#include "rows/rows.h"
#include "source/source.h"
#include "sys/sys.h"

#define PAGE_ROWS 1000u
#define BLOCK_PAGES 40u
#define STEP (10 * TICKS_PER_S)

static const struct rows_col cols[] = {
	{ "tag_webid", ROWS_STRING, true }, { "tag_name", ROWS_STRING, false },
	{ "timestamp", ROWS_TICKS, true }, { "value", ROWS_DOUBLE, false },
	{ "value_text", ROWS_STRING, false },
	{ "state_code", ROWS_INT64, false }, { "is_system", ROWS_BOOL, false },
	{ "good", ROWS_BOOL, false }, { "questionable", ROWS_BOOL, false },
	{ "substituted", ROWS_BOOL, false }, { "annotated", ROWS_BOOL, false },
	{ "units", ROWS_STRING, false }, { "ordinal", ROWS_INT32, false },
};

struct bench {
	char dir[256];
	struct ledger *ledger;
	struct source_table table;
	struct rows_schema *schema;
	struct journal_pos pos;
	struct rng rng;
	uint32_t streams;
	uint64_t rows;
	int64_t ingested;
	uint32_t stream;	/* next page */
	int64_t *at;		/* [streams] next time */
	double *value;		/* [streams] */
};

static void
check(int rc, const struct err *e)
{

	if (rc == 0)
		return;
	fprintf(stderr, "bench_compact: %s\n", e->text);
	exit(1);
}

static void
add_row(struct bench *b, struct rows *r, uint32_t s, const char *id,
    const char *name)
{
	uint32_t i = rows_add(r);

	b->at[s] += STEP - TICKS_PER_S + (int64_t)rng_below(&b->rng,
	    2000) * TICKS_PER_MS;
	b->value[s] += (rng_unit(&b->rng) - 0.5) * 0.25;
	rows_set_str(r, 0, i, id, strlen(id));
	rows_set_str(r, 1, i, name, strlen(name));
	rows_set_i64(r, 2, i, b->at[s]);
	rows_set_f64(r, 3, i, (double)(float)b->value[s]);
	rows_set_bool(r, 7, i, true);
	rows_set_bool(r, 8, i, false);
	rows_set_bool(r, 9, i, false);
	rows_set_bool(r, 10, i, false);
	rows_set_str(r, 11, i, "bar", 3);
	rows_set_i32(r, 12, i, 0);
}

static void
add_page(struct bench *b, struct rows *r)
{
	char id[80], name[40];
	uint32_t i, s = b->stream;

	b->stream = (b->stream + 1) % b->streams;
	snprintf(id, sizeof(id), "F1DPmN6wVZ0kOEGz0Hqx7cFdZw%08XUElTUlYQVRB",
	    s * 2654435761u);
	snprintf(name, sizeof(name), "UNIT%02u.SINUSOID%05u", s % 17, s);
	for (i = 0; i < PAGE_ROWS; i++)
		add_row(b, r, s, id, name);
}

static int
put_group(struct ledger_txn *txn, void *cookie, struct err *e)
{
	struct bench *b = cookie;
	struct ledger_group g;
	int rc;

	if ((rc = ledger_group_get(txn, b->table.name, 0, &g, e)) != 0)
		return (rc);
	g.pos = b->pos;
	g.batches++;
	g.rows = b->rows;
	return (ledger_group_put(txn, b->table.name, 0, &g, e));
}

static void
write_journal(struct bench *b, uint64_t n)
{
	struct err e = ERR_INIT;
	struct journal_writer *w;
	struct journal_block block;
	struct rows *r = rows_new(b->schema);
	char dir[320];
	uint32_t p;

	snprintf(dir, sizeof(dir), "%s/bronze/bench/values/group-0", b->dir);
	check(journal_writer_open(sys_posix(), dir, &b->pos, &w, NULL, &e),
	    &e);
	while (n > 0) {
		rows_clear(r);
		for (p = 0; p < BLOCK_PAGES && n > 0; p++) {
			add_page(b, r);
			n -= n < PAGE_ROWS ? n : PAGE_ROWS;
		}
		memset(&block, 0, sizeof(block));
		block.ingested = b->ingested += TICKS_PER_S;
		block.first_tick = block.last_tick = TICKS_NONE;
		check(journal_writer_append(w, r, &block, &e), &e);
		b->rows += r->n;
	}
	check(journal_writer_sync(w, &b->pos, &e), &e);
	journal_writer_close(w);
	rows_free(r);
	check(ledger_write(b->ledger, put_group, b, &e), &e);
}

static double
now(void)
{

	return ((double)sys_posix()->mono_us(sys_posix()->cookie) / 1e6);
}

static double
run(struct bench *b, const char *name, size_t memory, bool rebuild)
{
	struct compact_options o = {
		.data_dir = b->dir, .source = "bench", .memory = memory,
		.file_rows = 10000000, .rebuild = rebuild,
	};
	struct compact_result r;
	struct err e = ERR_INIT;
	struct rusage u;
	double t = now();

	check(compact_table(sys_posix(), b->ledger, &b->table, &o, &r, &e),
	    &e);
	t = now() - t;
	getrusage(RUSAGE_SELF, &u);
	printf("%s_rows\t%.0f\t1/s\n", name, (double)r.rows_read / t);
	printf("%s_seconds\t%.3f\ts\n", name, t);
	printf("%s_rows_read\t%llu\trows\n", name,
	    (unsigned long long)r.rows_read);
	printf("%s_rows_merged\t%llu\trows\n", name,
	    (unsigned long long)r.rows_merged);
	printf("%s_peak_rss\t%.1f\tMiB\n", name, (double)u.ru_maxrss / 1024);
	printf("%s_bytes_per_row\t%.2f\tB\n", name, r.rows_total == 0 ? 0 :
	    (double)r.bytes_total / (double)r.rows_total);
	fflush(stdout);
	return (t);
}

static void
set_up(struct bench *b, const char *dir, uint32_t streams)
{
	static const uint32_t key[2] = { 0, 2 };
	struct source_table *t = &b->table;
	struct err e = ERR_INIT;
	char path[320];
	uint32_t i;

	snprintf(b->dir, sizeof(b->dir), "%s/bench-compact-XXXXXX", dir);
	if (mkdtemp(b->dir) == NULL) {
		perror(b->dir);
		exit(1);
	}
	t->name = "values";
	t->kind = SOURCE_SERIES;
	t->schema = b->schema = rows_schema_new(t->name, cols,
	    sizeof(cols) / sizeof(cols[0]));
	t->key = key;
	t->nkey = 2;
	t->cursor = 2;
	t->ordinal = 12;
	rng_init(&b->rng, 1);
	b->streams = streams;
	b->ingested = 17000000000000000;
	b->at = must_calloc(streams, sizeof(b->at[0]));
	b->value = must_calloc(streams, sizeof(b->value[0]));
	for (i = 0; i < streams; i++)
		b->at[i] = 19700 * TICKS_PER_DAY;
	snprintf(path, sizeof(path), "%s/ledger", b->dir);
	check(ledger_open(path, false, &b->ledger, &e), &e);
}

static uint64_t
arg(int argc, char **argv, int i, uint64_t or)
{

	return (argc > i ? strtoull(argv[i], NULL, 10) : or);
}

int
main(int argc, char **argv)
{
	uint64_t rows = arg(argc, argv, 1, 5000000);
	size_t memory = arg(argc, argv, 3, 256) << 20;
	struct err e = ERR_INIT;
	struct bench b;
	double whole, part;

	memset(&b, 0, sizeof(b));
	set_up(&b, argc > 4 ? argv[4] : "/tmp",
	    (uint32_t)arg(argc, argv, 2, 200));
	write_journal(&b, rows);
	run(&b, "first", memory, false);
	write_journal(&b, rows / 100);
	part = run(&b, "increment", memory, false);
	whole = run(&b, "rebuild", memory, true);
	printf("increment_share\t%.4f\tof a rebuild\n", part / whole);

	ledger_close(b.ledger);
	(void)sys_remove_tree(b.dir, &e);
	rows_schema_free(b.schema);
	free(b.at);
	free(b.value);
	return (0);
}
