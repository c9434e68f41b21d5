#ifndef PARQUET_PARQUET_H
#define PARQUET_PARQUET_H

/*
 * Apache Parquet: a writer, and a reader of our own files.
 * Source: apache/parquet-format, parquet.thrift and Encodings.md, format
 * version 1, v1 data pages.
 *
 *	ROWS_BOOL    BOOLEAN, PLAIN
 *	ROWS_INT32   INT32, DELTA_BINARY_PACKED
 *	ROWS_INT64   INT64, DELTA_BINARY_PACKED
 *	ROWS_DOUBLE  DOUBLE, PLAIN
 *	ROWS_TICKS   INT64 TIMESTAMP(MICROS, UTC), DELTA_BINARY_PACKED; the
 *	             tick below the microsecond is dropped (floor): the table
 *	             carries it in a column of its own
 *	ROWS_STRING  BYTE_ARRAY STRING, RLE_DICTIONARY, PLAIN when it does
 *	             not pay
 *	ROWS_LIST    LIST of STRING (3-level)
 *
 * zstd level 3 with frame checksum, page CRC-32, min/max/null_count
 * statistics by the rules of formats.md 1.6, column_orders, sorting_columns.
 * All columns are OPTIONAL but those `required` in the schema.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;
struct rows;
struct rows_schema;
struct sys;
struct parquet_writer;
struct parquet_reader;

struct parquet_options {
	int zstd_level;			/* 0: the default, 3 */
	uint32_t group_rows;		/* rows of a row group; 0: 1,000,000 */
	uint32_t page_rows;		/* rows of a page; 0: 20,000 */
	const char *const *sorted_by;	/* column names, ascending, or NULL */
	size_t sorted_n;
};

/* Statistics of one column over the file, for the Delta log. Text is cut
 * to 32 bytes at a character boundary, max rounded up (inexact). */
struct parquet_stat {
	uint64_t nulls;
	bool has_minmax;	/* false: no values, NaN seen, or a LIST */
	int64_t min_i, max_i;	/* BOOL, INT32, INT64; TICKS in ticks */
	double min_f, max_f;
	char min_s[36], max_s[36];
	size_t min_len, max_len;
};

struct parquet_info {
	uint64_t rows;
	uint64_t bytes;
	uint64_t xxh64;			/* XXH3-64 over the whole file */
	uint32_t ncols;
	struct parquet_stat *stats;	/* [ncols], owned; parquet_info_fini */
};

/*
 * Create `path` (it must not exist). Rows are appended in batches of the
 * given schema; memory is bounded by about one row group of encoded pages
 * plus one page of raw cells a column. finish() writes the footer, syncs
 * the file and closes it (the directory is the caller's); on any error, or
 * abort(), the file is removed. finish and abort free the writer.
 */
int parquet_writer_open(const struct sys *, const char *path,
    const struct rows_schema *, const struct parquet_options *,
    struct parquet_writer **, struct err *);
int parquet_writer_append(struct parquet_writer *, const struct rows *,
    uint32_t from, uint32_t n, struct err *);
uint64_t parquet_writer_rows(const struct parquet_writer *);
uint64_t parquet_writer_bytes(const struct parquet_writer *); /* so far */
int parquet_writer_finish(struct parquet_writer *, struct parquet_info *,
    struct err *);
/* At least what is still to be written of the rows so far; but for what the
 * footer tells of each row group, some 10 KB. */
uint64_t parquet_writer_pending(const struct parquet_writer *);
void parquet_writer_abort(struct parquet_writer *);
void parquet_info_fini(struct parquet_info *);

/*
 * Read back. The schema is the file's own, with our types; timestamps come
 * as ticks (microseconds * 10). Page CRCs are verified. Accepts what we
 * write; anything else is ERR_UNSUPPORTED or ERR_CORRUPT, never a crash.
 * Memory: one row group's worth of at most one page a column.
 */
int parquet_reader_open(const struct sys *, const char *path,
    struct parquet_reader **, struct err *);
void parquet_reader_close(struct parquet_reader *);
const struct rows_schema *parquet_reader_schema(const struct parquet_reader *);
uint64_t parquet_reader_rows(const struct parquet_reader *);
/* Before the first rows: [ncols] of the columns that are wanted. The others
 * are null in the rows, required ones too, and their pages are not read. */
void parquet_reader_only(struct parquet_reader *, const bool *wanted);
/* Append up to max rows to `out` (made with the reader's schema): their
 * number, 0 at the end, negative on error. */
int parquet_reader_next(struct parquet_reader *, struct rows *out,
    uint32_t max, struct err *);
/* Where in the file the page is that an error told of; 0: not in a page. */
uint64_t parquet_reader_error_at(const struct parquet_reader *);

/*
 * Read a whole file and hold its statistics and its page index against its
 * values, row group by row group: nulls are counted, no value lies beyond
 * the bounds, and for all but text the bounds are values; pages lie where
 * the index says, begin with that row, and are in the order it tells.
 * ERR_CORRUPT names column and row group.
 */
struct parquet_checked {
	uint64_t rows;
	uint64_t page_at;	/* offset of a page that is damaged, or 0 */
	bool index;		/* only the page index is wrong */
	/* in ticks, of the column named; min_tick > max_tick: no values */
	int64_t min_tick, max_tick;
};
/* `times` is the name of a ROWS_TICKS column, or NULL. */
int parquet_check(const struct sys *, const char *path, const char *times,
    struct parquet_checked *, struct err *);

/* XXH3-64 over a whole file, as in parquet_info, and its size. */
int parquet_hash(const struct sys *, const char *path, uint64_t *xxh64,
    uint64_t *bytes, struct err *);

#endif
