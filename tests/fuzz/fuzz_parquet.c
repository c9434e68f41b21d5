/* Files as we write them, read back whatever became of them. */

#include "config.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/must.h"
#include "fuzz.h"
#include "parquet/parquet.h"
#include "rows/rows.h"
#include "sys/sys.h"

static const struct rows_col columns[] = {
	{ "tag", ROWS_STRING, true }, { "timestamp", ROWS_TICKS, true },
	{ "value", ROWS_DOUBLE, false }, { "good", ROWS_BOOL, false },
	{ "list", ROWS_LIST, false }, { "code", ROWS_INT64, false },
	{ "ordinal", ROWS_INT32, false },
};
#define NCOLS (sizeof(columns) / sizeof(columns[0]))

static struct buf seeds[3];

static void
make(struct buf *out, const char *path, uint32_t n)
{
	struct rows_schema *s = rows_schema_new("t", columns, NCOLS);
	struct parquet_options o;
	struct parquet_writer *w;
	struct parquet_info info;
	struct rows *r = rows_new(s);
	struct err e = ERR_INIT;

	for (uint32_t i = 0; i < n; i++) {
		(void)rows_add(r);
		rows_set_str(r, 0, i, i % 2 == 0 ? "a" : "bb", 1 + i % 2);
		rows_set_i64(r, 1, i, 17092512000000000LL + i * 10000000LL);
		if (i % 3 != 0)
			rows_set_f64(r, 2, i, i * 0.25);
		rows_set_bool(r, 3, i, i % 2);
		rows_set_str(r, 4, i, "[\"x\",\"y\"]", 9);
		rows_set_i64(r, 5, i, i * 7);
		rows_set_i32(r, 6, i, (int32_t)i);
	}
	memset(&o, 0, sizeof(o));
	(void)unlink(path);
	MUST(parquet_writer_open(sys_posix(), path, s, &o, &w, &e) == 0);
	MUST(parquet_writer_append(w, r, 0, n, &e) == 0);
	MUST(parquet_writer_finish(w, &info, &e) == 0);
	parquet_info_fini(&info);
	rows_free(r);
	rows_schema_free(s);
	buf_init(out, 1 << 20);
	fuzz_read(path, out);
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
	char *path = must_sprintf("%s/seed.parquet", fuzz_dir());

	(void)argc;
	(void)argv;
	for (unsigned i = 0; i < sizeof(seeds) / sizeof(seeds[0]); i++)
		make(&seeds[i], path, i * i * 20);
	free(path);
	return (0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	const char *path = fuzz_file("x.parquet", data, n);
	struct parquet_checked done;
	struct parquet_reader *r;
	struct err e = ERR_INIT;
	struct rows *rows;

	(void)parquet_check(sys_posix(), path, NULL, &done, &e);
	if (parquet_reader_open(sys_posix(), path, &r, &e) != 0)
		return (0);
	rows = rows_new(parquet_reader_schema(r));
	while (parquet_reader_next(r, rows, 1000, &e) > 0) {
		rows_check(rows);
		rows_clear(rows);
	}
	rows_free(rows);
	parquet_reader_close(r);
	return (0);
}
