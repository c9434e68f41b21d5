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
 * A batch is what one commit writes: its blocks of rows, then one cover
 * block, which tells for which streams and times those rows are all there
 * are, or that they are one complete walk. Coverage is the union of the
 * records of whole batches: those none of whose blocks is lost. Readers of
 * rows are not shown cover blocks.
 *
 * Order of writing: append, sync, then the ledger. On open for writing the
 * journal is cut back to the position the ledger names: a torn tail is
 * normal (one info line); a journal shorter than the ledger's position, or
 * damage before it, is ERR_CORRUPT with file and offset.
 *
 * A failed write or sync is final for its segment: the data since the last
 * good sync is written again to a new segment. If that cannot be made or
 * written the error returns, what was appended is kept, and a later sync
 * tries again. If it was written but not synced the writer is dead: every
 * later call gives the same error, until it is revived.
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
	int64_t ingested;	/* ticks, when answers came; of all blocks
				 * of a batch the same */
	uint32_t nrows;
	int64_t first_tick;	/* of the cursor column; TICKS_NONE if none */
	int64_t last_tick;
	/* filled by the reader */
	struct journal_pos pos;			/* where it begins */
	uint32_t stored_bytes;			/* header and payload */
	bool cover;				/* a cover block; no rows */
	bool hole;				/* what was here is lost */
};

/* What a cover block tells of its batch. */
struct journal_batch {
	uint32_t blocks;	/* of rows, right in front of it */
	uint32_t requests;	/* that were answered for it */
	bool walk;		/* one complete walk; no range is told */
	uint64_t keys;		/* sum of journal_cover_key() of its objects */
};

/* [a, b) of an object's stream is complete, with so many rows of the batch.
 * A batch has one record an object and range; object 0: there is none. */
struct journal_cover {
	uint32_t object;	/* id of the ledger */
	uint32_t rows;
	int64_t a, b;		/* both TICKS_NONE in a walk */
	bool replaces;		/* some of it was covered before: what is
				 * older there is no longer so */
	int64_t since;		/* ticks: before the run that read this, what
				 * is older had been read when it was old
				 * enough to be read no more; TICKS_NONE:
				 * nothing of the stream was young then */
};

/* Ids are given by the ledger: this tells whether they mean the same
 * objects still. */
uint64_t journal_cover_key(uint32_t object, const char *key);

/*
 * Take the lock (ERR_BUSY names the owner), create the directory when
 * missing. Nothing but start and close may be called then: what `at` is must
 * be read with the lock held.
 */
int journal_writer_lock(const struct sys *, const char *dir,
    struct journal_writer **, struct err *);
/*
 * Cut back to `at`; *cut_bytes (may be NULL) tells how much. ERR_CORRUPT,
 * and nothing cut, when what lies behind `at` are more than commits_max
 * commits: who notes each commit before the next one counts on all but the
 * last, so it is `at` that is wrong.
 */
int journal_writer_start(struct journal_writer *, const struct journal_pos *at,
    uint32_t commits_max, uint64_t *cut_bytes, struct err *);
/* How many commits are whole or in part behind a position, before anything
 * that is torn. */
uint32_t journal_commits_behind(const struct sys *, const char *dir,
    const struct journal_pos *at);
/* Both, with no limit. */
int journal_writer_open(const struct sys *, const char *dir,
    const struct journal_pos *at, struct journal_writer **,
    uint64_t *cut_bytes, struct err *);
void journal_writer_close(struct journal_writer *);	/* does not sync */

/* Encode, compress and write one block; rows must not be empty. The block's
 * schema_id and nrows are filled in here. */
int journal_writer_append(struct journal_writer *, const struct rows *,
    struct journal_block *, struct err *);
/* The cover block of the batch whose rows were appended last; n > 0 records,
 * ordered by object, then a. first_tick and last_tick are filled in too. */
int journal_writer_cover(struct journal_writer *, struct journal_block *,
    const struct journal_batch *, const struct journal_cover *, size_t n,
    struct err *);
/* Make everything appended durable; *pos is the place after it. */
int journal_writer_sync(struct journal_writer *, struct journal_pos *pos,
    struct err *);
/* A writer that is dead: the journal is cut back to the last good sync, and
 * what was appended since, which is kept, can be synced again. */
int journal_writer_revive(struct journal_writer *, struct err *);
/* Begin a new segment when the last has so many bytes, instead of 256 MiB. */
void journal_writer_segment_bytes(struct journal_writer *, uint64_t);
/* Bytes written since open, of blocks. */
uint64_t journal_writer_bytes(const struct journal_writer *);

/*
 * Read the blocks in [from, to). Positions must be ones the writer gave,
 * or {0, 0};
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
/* The same as rows_decode_only(). */
int journal_reader_rows_only(struct journal_reader *, struct rows *,
    const bool *wanted, struct err *);
/* Show cover blocks and holes too, from now on; their records are had by
 * journal_reader_cover() and belong to the reader until the next call. */
void journal_reader_show_covers(struct journal_reader *);
int journal_reader_cover(struct journal_reader *, struct journal_batch *,
    const struct journal_cover **, size_t *n, struct err *);
/* Where the damage is that the last call told of; offset 0: the segment's
 * header, or all of it. */
struct journal_pos journal_reader_damage(const struct journal_reader *);
/* Of blocks of rows in segments that fn refuses read the header alone: their
 * rows cannot be had and their checksums are not verified. Set at the
 * beginning. */
typedef bool journal_segment_fn(void *cookie, uint32_t segment);
void journal_reader_skim(struct journal_reader *, journal_segment_fn *,
    void *cookie);
/* After damage: go to the next place that holds a valid block; 1, or 0 when
 * there is none. *skipped_bytes tells how much was passed over. */
int journal_reader_resync(struct journal_reader *, uint64_t *skipped_bytes,
    struct err *);
struct journal_pos journal_reader_pos(const struct journal_reader *);

/*
 * Make a damaged journal readable: what is damaged or missing up to `to`
 * (NULL: up to the last good block) becomes holes, by which no position
 * moves. Each place is told to `wound` before anything is changed there, for
 * its bytes to be kept; without `apply` nothing is changed. The caller holds
 * the lock (sys_lock() of <dir>/lock). Interrupted, it can be run again.
 * *end is the place behind the last cover block.
 */
struct journal_wound {
	const char *path;		/* of the segment */
	struct journal_pos at;		/* offset 0: its header */
	uint64_t bytes;
	bool missing;			/* the segment is not there */
};
typedef int journal_wound_fn(void *cookie, const struct journal_wound *,
    struct err *);

struct journal_mending {
	const struct journal_pos *to;
	bool apply;
	/* that blocks may be of, besides that of cover records: put back when
	 * none of their blocks is left */
	const struct rows_schema *const *schemas;
	size_t nschemas;
	journal_wound_fn *wound;
	void *cookie;
};

int journal_mend(const struct sys *, const char *dir,
    const struct journal_mending *, struct journal_pos *end, struct err *);

#endif
