#ifndef DELTA_DELTA_H
#define DELTA_DELTA_H

/*
 * The Delta Lake transaction log of a table on a local disk.
 * Source: delta-io/delta PROTOCOL.md, protocol reader 1, writer 2, no table
 * features. garner is the only writer of its tables.
 *
 * A commit is put-if-absent: temporary name, write, fsync, link(2) to
 * _delta_log/<20 digits>.json, unlink, fsync of the directory. Data files
 * are written and synced before it and are invisible until then.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;
struct parquet_info;
struct rows_schema;
struct sys;
struct delta_table;	/* a handle on the folder */

struct delta_file {
	char *path;		/* relative to the table, only unreserved
				 * characters and '/', '=' */
	char *partition;	/* value of the partition column, or NULL */
	uint64_t bytes;
	uint64_t rows;
	/* from stats: range of the cursor column in ticks, widened by up to
	 * two ms; TICKS_NONE when unknown */
	int64_t min_tick;
	int64_t max_tick;
	uint64_t xxh64;		/* from tags "garner.xxh64", 0 unknown */
};

struct delta_txn {
	char *app_id;
	int64_t version;
};

struct delta_tombstone {
	char *path;
	int64_t deleted_ms;		/* deletionTimestamp */
};

/* One version of the table: live files and transaction ids. */
struct delta_snapshot {
	int64_t version;		/* -1: the table does not exist yet */
	char *table_id;			/* metaData.id */
	char *schema_string;		/* metaData.schemaString */
	char *partition_column;		/* or NULL */
	struct delta_file *files;	/* sorted by path */
	size_t nfiles;
	struct delta_txn *txns;
	size_t ntxns;
	struct delta_tombstone *gone;	/* sorted by path */
	size_t ngone;
};

/* `cursor` names the column whose min/max delta_file gives, or NULL. */
struct delta_table *delta_open(const struct sys *, const char *dir,
    const char *cursor);
void delta_close(struct delta_table *);

/* Load the newest version by replaying the log. ERR_CORRUPT on a gap or a
 * line that does not parse; ERR_UNSUPPORTED when the protocol or a table
 * property asks for more than we do (exit status of configuration). */
int delta_load(struct delta_table *, struct delta_snapshot *, struct err *);
/* The file that made delta_load() fail, which may be missing; or NULL. */
const char *delta_bad_path(const struct delta_table *);
/* Make the newest version durable: who linked it may have been killed before
 * it synced the directory. For who is to write, before it loads. */
int delta_settle(struct delta_table *, struct err *);
void delta_snapshot_fini(struct delta_snapshot *);
/* txn version of app_id, or -1. */
int64_t delta_snapshot_txn(const struct delta_snapshot *, const char *app_id);

/* What one commit does; paths are those of files already durable. */
struct delta_add {
	const char *path;
	const char *partition;			/* or NULL */
	const struct parquet_info *info;	/* rows, bytes, stats, hash */
};

struct delta_commit {
	const char *operation;			/* "WRITE", "MERGE", ... */
	const struct rows_schema *schema;	/* of the files; NULL only when
						 * nothing is added */
	const char *partition_column;		/* of type date, not in schema,
						 * or NULL */
	bool data_change;
	const struct delta_add *adds;
	size_t nadds;
	const struct delta_file *const *removes;
	size_t nremoves;
	const struct delta_txn *txns;
	size_t ntxns;
};

/*
 * Commit on top of `base`: version base->version + 1, with protocol and
 * metaData when the table is new, and a new metaData (same id) when columns
 * were added. 0 with *version set; ERR_EXISTS when another
 * writer was first (load again and decide); ERR_UNSUPPORTED when the schema
 * cannot become the new one. A result that is unknown after an I/O error is
 * resolved by reading the version back and comparing our random txnId in
 * commitInfo.
 */
int delta_commit(struct delta_table *, const struct delta_snapshot *base,
    const struct delta_commit *, int64_t *version, struct err *);

/* Delete data files that no live add and no tombstone younger than
 * keep_ms names and that are older than keep_ms, and stale temporaries of
 * ours; leftovers of a crash. Never touches other names starting with _ or
 * a dot. keep_ms 0 is for a table that has no other reader. */
int delta_sweep(struct delta_table *, const struct delta_snapshot *,
    int64_t keep_ms, size_t *removed, struct err *);

#endif
