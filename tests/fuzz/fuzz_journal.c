/* A segment of a journal: read whole, with resync behind each damage. */

#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/must.h"
#include "base/ticks.h"
#include "fuzz.h"
#include "journal/journal.h"
#include "rows/rows.h"
#include "sys/sys.h"

#define SEGMENT "journal/00000001.gj"

static const struct rows_col columns[] = {
	{ "tag", ROWS_STRING, true }, { "timestamp", ROWS_TICKS, true },
	{ "value", ROWS_DOUBLE, false },
};
static struct buf seeds[3];

static void
make(struct buf *out, const char *dir, unsigned blocks)
{
	const struct sys *sys = sys_posix();
	struct journal_pos at = { 0, 0 };
	struct journal_batch batch = { .blocks = 1, .requests = 1 };
	struct journal_cover cover = { .object = 1, .rows = 5, .b = 100,
	    .since = TICKS_NONE };
	struct rows_schema *s = rows_schema_new("t", columns, 3);
	struct journal_block k = { .group = 1 };
	struct journal_writer *w;
	struct err e = ERR_INIT;
	struct rows *r;
	char *path;

	MUST(journal_writer_open(sys, dir, &at, &w, NULL, &e) == 0);
	for (unsigned i = 0; i < blocks; i++) {
		r = rows_new(s);
		for (uint32_t n = 0; n < 5; n++) {
			rows_set_str(r, 0, rows_add(r), "tag", 3);
			rows_set_i64(r, 1, n, i * 1000 + n);
			rows_set_f64(r, 2, n, n * 0.5);
		}
		MUST(journal_writer_append(w, r, &k, &e) == 0);
		MUST(journal_writer_cover(w, &k, &batch, &cover, 1, &e) == 0);
		rows_free(r);
	}
	MUST(journal_writer_sync(w, &at, &e) == 0);
	journal_writer_close(w);
	rows_schema_free(s);
	buf_init(out, 1 << 20);
	path = must_sprintf("%s/00000001.gj", dir);
	fuzz_read(path, out);
	free(path);
}

bool
fuzz_seed(unsigned i, struct buf *b)
{

	if (i >= sizeof(seeds) / sizeof(seeds[0]))
		return (false);
	buf_put(b, seeds[i].data, seeds[i].len);
	return (true);
}

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
	char *dir;

	(void)argc;
	(void)argv;
	for (unsigned i = 0; i < sizeof(seeds) / sizeof(seeds[0]); i++) {
		dir = must_sprintf("%s/seed-%u", fuzz_dir(), i);
		make(&seeds[i], dir, i + 1);
		free(dir);
	}
	dir = must_sprintf("%s/journal", fuzz_dir());
	MUST(sys_mkdirs(sys_posix(), dir, NULL) == 0);
	free(dir);
	return (0);
}

static void
read_block(struct journal_reader *r, const struct journal_block *k,
    const struct rows_schema *s)
{
	const struct journal_cover *covers;
	struct journal_batch batch;
	struct err e = ERR_INIT;
	struct rows *rows;
	size_t n;

	if (k->cover) {
		(void)journal_reader_cover(r, &batch, &covers, &n, &e);
		return;
	}
	rows = rows_new(s);
	if (journal_reader_rows(r, rows, &e) == 0) {
		rows_check(rows);
		MUST(rows->n == k->nrows);
	}
	rows_free(rows);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	const struct rows_schema *s;
	struct journal_pos from = { 0, 0 };
	struct journal_reader *r;
	struct journal_block k;
	struct err e = ERR_INIT;
	uint64_t skipped;
	char *dir;
	int rc;

	(void)fuzz_file(SEGMENT, data, n);
	dir = must_sprintf("%s/journal", fuzz_dir());
	rc = journal_reader_open(sys_posix(), dir, &from, NULL, true, &r, &e);
	free(dir);
	if (rc != 0)
		return (0);
	journal_reader_show_covers(r);
	do {
		while ((rc = journal_reader_next(r, &k, &s, &e)) == 1)
			read_block(r, &k, s);
	} while (rc < 0 && journal_reader_resync(r, &skipped, &e) == 1);
	journal_reader_close(r);
	return (0);
}
