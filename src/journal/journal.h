#ifndef JOURNAL_JOURNAL_H
#define JOURNAL_JOURNAL_H

/*
 * Journal (bronze): an append-only log of rows, one directory a table and
 * group, one writer. garner-journal(5) tells the format byte by byte.
 *
 *	<dir>/lock                 names the writer
 *	<dir>/00000001.gj          segments, ascending
 *
 * A segment begins with a header (magic, version, its number) and holds
 * blocks. A block: magic, header with lengths, schema id, group, batch id,
 * ingestion time, rows, first and last tick, and a checksum (XXH3-64) over
 * header and payload; the payload is rows_encode() output under zstd.
 * Schema blocks come before the first data block that names them, in every
 * segment, so that a segment is readable alone.
 *
 * Order of writing: append, sync, then the ledger. On open for writing the
 * journal is cut back to the position the ledger names: a torn tail is
 * normal (one info line); a journal shorter than the ledger's position, or
 * damage before it, is ERR_CORRUPT with file and offset.
 *
 * A failed sync is final for its segment: the data since the last good sync
 * is written again to a new segment; if that fails too, the error returns
 * and the writer is dead (every later call gives the same error).
 *
 * Blocking: callers run append and sync on a worker.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;
struct rows;
struct rows_schema;
struct sys;
struct journal_writer;
struct journal_reader;

/* A place between blocks. Ordered by segment, then offset. {0, 0} is the
 * beginning of an empty journal. */
struct journal_pos {
	uint32_t segment;
	uint64_t offset;
};

int journal_pos_cmp(const struct journal_pos *, const struct journal_pos *);
/* One int64 that keeps the order: segment << 40 | offset. */
int64_t journal_pos_pack(const struct journal_pos *);
struct journal_pos journal_pos_unpack(int64_t);

#define JOURNAL_BATCH_ID 16

struct journal_block {
	uint64_t schema_id;
	int32_t group;
	uint8_t batch_id[JOURNAL_BATCH_ID];	/* of the commit, random */
	int64_t ingested;			/* ticks, when the answer came */
	uint32_t nrows;
	int64_t first_tick;	/* of the cursor column; TICKS_NONE if none */
	int64_t last_tick;
	/* filled by the reader */
	struct journal_pos pos;			/* where it begins */
	uint32_t stored_bytes;			/* header and payload */
};

/*
 * Take the lock (ERR_BUSY names the owner), create the directory when
 * missing, cut back to `at`. *cut_bytes (may be NULL) tells what was cut.
 */
int journal_writer_open(const struct sys *, const char *dir,
    const struct journal_pos *at, struct journal_writer **,
    uint64_t *cut_bytes, struct err *);
void journal_writer_close(struct journal_writer *);	/* does not sync */

/* Encode, compress and write one block; rows must not be empty. The block's
 * schema_id and nrows are filled in here. */
int journal_writer_append(struct journal_writer *, const struct rows *,
    struct journal_block *, struct err *);
/* Make everything appended durable; *pos is the place after it. */
int journal_writer_sync(struct journal_writer *, struct journal_pos *pos,
    struct err *);
/* Bytes written since open, of blocks. */
uint64_t journal_writer_bytes(const struct journal_writer *);

/*
 * Read the blocks in [from, to). Positions must be ones the writer gave;
 * `to` NULL means to the end of the last segment, where a torn tail ends
 * reading without an error when `torn_ok`.
 */
int journal_reader_open(const struct sys *, const char *dir,
    const struct journal_pos *from, const struct journal_pos *to,
    bool torn_ok, struct journal_reader **, struct err *);
void journal_reader_close(struct journal_reader *);

/*
 * Next block: 1 with *block filled, 0 at the end, negative on damage
 * (ERR_CORRUPT: file and offset named). The schema belongs to the reader
 * and lives as long as it. Rows are fetched by journal_reader_rows() into a
 * batch made with that schema, when they are wanted; skipping is cheap but
 * the checksum is always verified.
 */
int journal_reader_next(struct journal_reader *, struct journal_block *,
    const struct rows_schema **, struct err *);
int journal_reader_rows(struct journal_reader *, struct rows *, struct err *);
/* After damage: go to the next place that holds a valid block; 1, or 0 when
 * there is none. *skipped_bytes tells how much was passed over. */
int journal_reader_resync(struct journal_reader *, uint64_t *skipped_bytes,
    struct err *);
struct journal_pos journal_reader_pos(const struct journal_reader *);

#endif
