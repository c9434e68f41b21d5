#ifndef LEDGER_LEDGER_H
#define LEDGER_LEDGER_H

/*
 * The ledger: what has been read, and where it lies. Catalogue of objects,
 * coverage, journal positions, counters, in one LMDB environment; the only
 * user of LMDB (no WRITEMAP, no NOSYNC). Several processes may have it open.
 *
 * One transaction per commit, after the journal's sync: coverage, journal
 * position and counters move together or not at all.
 *
 * A transaction belongs to the thread that began it; readers live for one
 * turn: one that stays open for 10 s while the map must grow makes the write
 * fail with ERR_BUSY, and a thread must not write while it reads. The map
 * grows by itself, between transactions: ledger_write() runs what did not
 * fit again, so fn must bear being run more than once.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/ranges.h"
#include "journal/journal.h"

struct err;
struct ledger;
struct ledger_txn;

/* dir is created, unless readonly: then ERR_NOTFOUND with what to do when
 * there is no ledger. ERR_CONFIG when its format is newer than ours. One
 * process must not open a ledger twice at a time, nor use it after fork(). */
int ledger_open(const char *dir, bool readonly, struct ledger **,
    struct err *);
void ledger_close(struct ledger *);
const char *ledger_instance(const struct ledger *);	/* UUID, made once */
/* For a ledger that is made again: silver knows it by its instance. */
int ledger_instance_set(struct ledger *, const char *instance, struct err *);

/* Run fn in a write transaction and commit; again after growing the map. A
 * non-zero return of fn aborts and is returned. */
typedef int ledger_fn(struct ledger_txn *, void *cookie, struct err *);
int ledger_write(struct ledger *, ledger_fn *, void *cookie, struct err *);
int ledger_read_begin(struct ledger *, struct ledger_txn **, struct err *);
void ledger_read_end(struct ledger_txn *);

/*
 * Objects: the catalogue. Each table that others walk or that is read as
 * streams has its objects here. Ids are small, dense and stable: an object
 * that vanishes and comes back has its old id, so groups by range of ids
 * never move.
 *
 * An object is its key: renamed it keeps id and stream, for the key is made
 * of the server's own ids. A point that was deleted and made again under its
 * old name has another key, and an archive of its own: it is another object,
 * covered by nothing, or values filled into it at times that the old one was
 * read for would never be asked for.
 */
struct ledger_object {
	uint32_t id;		/* from 1, order of first sight, per table */
	const char *key;	/* WebId; borrowed until the transaction ends */
	const char *name;
	const char *parent;	/* key of the parent object, or "" */
	const char *kind;	/* e.g. PointType; "" when unknown */
	bool gone;		/* missing at the last complete walk */
};

/* Insert or update by key; *id is filled in. Marks it present. Texts have
 * at most 1024 bytes each: ERR_LIMIT otherwise; parent and kind may be
 * NULL. */
int ledger_object_put(struct ledger_txn *, const char *table,
    const struct ledger_object *, uint32_t *id, struct err *);
/* After a complete walk: all of `table` that ledger_object_put() did not see
 * with this generation (see ledger_walk_begin) are marked gone. */
int ledger_walk_begin(struct ledger_txn *, const char *table,
    uint64_t *generation, struct err *);
int ledger_walk_end(struct ledger_txn *, const char *table,
    uint64_t generation, uint64_t *gone, struct err *);
typedef int ledger_object_fn(const struct ledger_object *, void *cookie);
/* In order of id, ids in [from, to]; fn's non-zero return stops and is
 * returned. */
int ledger_object_each(struct ledger_txn *, const char *table, uint32_t from,
    uint32_t to, ledger_object_fn *, void *cookie, struct err *);
/* The highest id in use, 0: none; without reading the objects. */
int ledger_object_last(struct ledger_txn *, const char *table,
    uint32_t *max_id, struct err *);
/* By key: *id, or 0 when there is none. */
int ledger_object_find(struct ledger_txn *, const char *table,
    const char *key, uint32_t *id, struct err *);
int ledger_object_count(struct ledger_txn *, const char *table,
    uint32_t *count, uint32_t *max_id, struct err *);

/*
 * Coverage and what was learnt of a stream of a table. Missing: empty.
 *
 * Cells tell, of the newest part of what was read, how many rows each range
 * held and the sum of their hashes (rows_digest()): a reading that finds the
 * same need not be kept again. Ascending, disjoint, [a, b) not empty.
 *
 * Stored in about 50 bytes, 110 with five cells; texts and times that say
 * nothing take none. A density is stored to seven digits. An open frame takes
 * some ten bytes; of more than LEDGER_OPEN_MAX the oldest are forgotten.
 */
#define LEDGER_OPEN_MAX 4096
#define LEDGER_WHY_MAX 120
#define LEDGER_CELLS 8
/* A million cells that change each day with their count kept: one that
 * looks unchanged in 700,000 years. */
#define LEDGER_DIGEST_BITS 48

struct ledger_cell {
	int64_t a, b;		/* ticks */
	uint32_t values;
	uint64_t digest;	/* below 2^LEDGER_DIGEST_BITS; 0 when there
				 * are no values */
};

/*
 * Times that may still change, as they were read when they were young: a
 * time t is settled when it was read at t + tail or later, by the server's
 * clock; `tail` is what is read again, of the configuration.
 *
 * 1. young = covered, less what is settled. Only a reading settles.
 * 2. What is covered anew is young where it is not settled by that reading.
 * 3. When `young_told` is not set, young is the usual: what is covered of
 *    the `tail` before the end of coverage, as after a run that came to its
 *    end, and in records of before. It is not stored then.
 */

/* Frames: one that was open when it was last read. */
struct ledger_open {
	int64_t start;		/* ticks */
	uint32_t key;		/* hash of its key: several start at once */
};

struct ledger_stream {
	struct ranges covered;	/* owned: ledger_stream_fini() */
	double per_second;	/* density; < 0 unknown */
	uint64_t values;	/* delivered so far */
	int32_t fail_code;	/* ERR_* it was set aside for, or 0 */
	int64_t fail_at;	/* ticks */
	char why[LEDGER_WHY_MAX];	/* reason of the last failure, "" when
					 * the last reading was good */
	uint32_t fails;		/* readings failed since the last good one */
	int64_t asked;		/* ticks, ours: when the newest good answer
				 * that was committed came; TICKS_NONE never */
	int64_t last_event;	/* ticks of the newest value seen, or
				 * TICKS_NONE */
	int64_t first_event;	/* of the archive's first one where it was
				 * asked for, or TICKS_NONE */
	struct ledger_cell cells[LEDGER_CELLS];
	unsigned ncells;
	struct ledger_open *open;	/* owned; by start, then key */
	size_t nopen;
	bool young_told;
	struct ranges young;	/* owned; empty unless told */
};

void ledger_stream_init(struct ledger_stream *);
void ledger_stream_fini(struct ledger_stream *);
/* Empty again, keeping memory; as after init. */
void ledger_stream_clear(struct ledger_stream *);
void ledger_stream_copy(struct ledger_stream *to,
    const struct ledger_stream *from);
/* Tell what is young; and tell it no more when it is the usual. */
void ledger_stream_young(struct ledger_stream *, int64_t tail);
void ledger_stream_young_usual(struct ledger_stream *, int64_t tail);
/* A frame is open, or is not any more. */
void ledger_stream_open(struct ledger_stream *, const struct ledger_open *,
    bool yes);
int ledger_stream_get(struct ledger_txn *, const char *table, uint32_t id,
    struct ledger_stream *, struct err *);
int ledger_stream_put(struct ledger_txn *, const char *table, uint32_t id,
    const struct ledger_stream *, struct err *);

/* A group's journal of a table. Missing: zeros. */
struct ledger_group {
	struct journal_pos pos;		/* durable end; start of compaction */
	struct journal_pos run;		/* snapshot tables: where the last
					 * complete walk begins */
	uint64_t batches;		/* commits so far */
	uint64_t rows;
	uint64_t bytes;
	uint64_t requests;
	int64_t committed;		/* ticks of the last commit */
};

int ledger_group_get(struct ledger_txn *, const char *table, uint32_t group,
    struct ledger_group *, struct err *);
int ledger_group_put(struct ledger_txn *, const char *table, uint32_t group,
    const struct ledger_group *, struct err *);
typedef int ledger_group_fn(const char *table, uint32_t group,
    const struct ledger_group *, void *cookie);
/* All groups of a table, or of all tables when NULL; ordered. */
int ledger_group_each(struct ledger_txn *, const char *table,
    ledger_group_fn *, void *cookie, struct err *);

/* Small named values ("source", "cap.items", "last_harvest"): up to 4 KiB.
 * Get: copies into out (NUL terminated), ERR_NOTFOUND when missing. */
int ledger_note_put(struct ledger_txn *, const char *name, const char *text,
    struct err *);
int ledger_note_get(struct ledger_txn *, const char *name, char *out,
    size_t size, struct err *);

/* Read everything: each record decodes, ids are dense, every object is found
 * by its key. ERR_CORRUPT names the first that is not so. */
int ledger_check(struct ledger_txn *, struct err *);

#endif
