#ifndef COMPACT_COMPACT_H
#define COMPACT_COMPACT_H

/*
 * Journals -> silver: one row a key, newest ingestion wins, as a Delta
 * table of Parquet files.
 *
 *	<data>/bronze/<source>/<table>/group-<n>/	journals
 *	<data>/silver/<source>/<table>/			the table
 *
 * Exactly once without state of its own: the Delta txn of a group is the
 * packed journal position up to which its rows are in the table (app id
 * "garner/<ledger instance>/<group>"). A run reads each group's journal
 * from there to the ledger's position, sorts it in runs that spill to
 * <data>/tmp, merges them with the rows of those files of the table that
 * overlap, writes new files and makes one commit. A crash before the commit
 * leaves orphans, swept by the next run; after it nothing is left to do.
 *
 * Which row of a key wins: latest ingestion, then higher group, then later
 * journal position. Of a series a range that was read again replaces what
 * was there: rows that are older than a batch which covers their stream and
 * time, by ingestion and group, are dropped, so that what the source has
 * deleted goes. The result does not depend on how runs were cut or on the
 * order of groups, and a rebuild gives equal content.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct delta_file;
struct err;
struct ledger;
struct rows_schema;
struct source_table;
struct sys;

struct compact_options {
	const char *data_dir;
	const char *source;
	size_t memory;		/* budget in bytes for rows being sorted */
	bool ties_all;		/* the ordinal joins the key of a series */
	int zstd_level;
	uint32_t file_rows;	/* a data file is closed at so many rows */
	uint64_t reserve;	/* bytes left free, as sys_reserve() */
	bool rebuild;		/* from the beginning of the journals */
	void (*progress)(void *cookie, uint64_t rows_done, uint64_t rows_all);
	void *cookie;
	/* Asked now and then: true ends the run with ERR_CANCELLED, as if it
	 * had never begun. */
	bool (*stop)(void *cookie);
	void *stop_cookie;
};

struct compact_result {
	uint64_t rows_read;	/* from journals */
	uint64_t rows_merged;	/* read back from files of the table */
	uint64_t rows_written;
	uint64_t duplicates;	/* of the rows read, not in the result: an
				 * older or equal row of a key */
	uint64_t replaced;	/* rows read, or of the table, that a newer
				 * reading of their time has no more */
	uint64_t rows_total;	/* of the table afterwards */
	uint64_t bytes_total;	/* of its live files */
	uint32_t files_added;
	uint32_t files_removed;
	int64_t version;	/* of the table; unchanged when nothing was new */
};

/*
 * The schema of a table in silver: the journal's columns, for a key or
 * cursor timestamp of a series `<name>_ticks` int32 after it, the ordinal
 * only when ties_all; then ingestion_timestamp, pipeline_group, batch_id.
 * Free with rows_schema_free().
 */
struct rows_schema *compact_schema(const struct source_table *,
    bool ties_all);

/* ERR_NOSPACE before the disk would have less left than the reserve; as with
 * every error but in the commit itself the table is as it was.
 * Series and frames tables: partitioned by `date` (UTC) of the cursor when
 * kind is SOURCE_SERIES, one partition otherwise. Snapshot tables: the rows
 * of the last complete walk of each group replace all. */
int compact_table(const struct sys *, struct ledger *,
    const struct source_table *, const struct compact_options *,
    struct compact_result *, struct err *);

/*
 * Read n data files of one partition (below the table's folder `dir`): rows
 * out of order or of another date are ERR_CORRUPT, with path and row;
 * *duplicates are the rows whose key another row of the files has.
 */
#define COMPACT_CHECK_FILES 256
int compact_check_files(const struct sys *, const struct source_table *,
    bool ties_all, const char *dir, const struct delta_file *const *files,
    size_t n, uint64_t *rows, uint64_t *duplicates, struct err *);

#endif
