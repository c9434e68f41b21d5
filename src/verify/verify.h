#ifndef VERIFY_VERIFY_H
#define VERIFY_VERIFY_H

/*
 * Everything that is stored, held against its checksums and against each
 * other:
 *
 *	journal		each block decodes to the rows its header tells, with
 *			times within what it tells; segments follow each
 *			other up to the ledger's position
 *	coverage	what the ledger calls covered is told by cover blocks
 *			of whole batches; their rows lie where they say, in
 *			the number they say, and are the objects they say
 *	ledger		its counters equal the journals (its records are
 *			ledger_check()'s)
 *	silver		the Delta log replays without a hole; the files it
 *			names are there, of its size and hash; pages decode,
 *			statistics hold, rows ascend by key, no key is twice;
 *			its transactions are not beyond the journals
 *	leftovers	files that nothing names: notes, not errors
 *
 * Reads only, and may run beside a harvest or a compaction: positions are
 * read from the ledger first, and coverage that is newer than they are is
 * held against the journals' newer parts. Memory: one batch of the journal,
 * some 70 bytes a stream, one batch of rows for each file of a partition.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;
struct ledger;
struct source_table;
struct sys;

enum verify_severity {
	VERIFY_NOTE,		/* harmless: leftovers */
	VERIFY_ERROR,
};

/* Of what is found or done; texts are borrowed for the call. */
struct verify_place {
	const char *path;	/* of a file or directory, or NULL */
	int64_t offset;		/* in it, or -1 */
	const char *table;	/* or NULL */
	int64_t group;		/* or -1 */
	const char *stream;	/* name, or NULL */
	int64_t from, to;	/* ticks, or both TICKS_NONE */
};

/* Nowhere but in this table, which may be NULL. */
void verify_place_init(struct verify_place *, const char *table);

struct verify_finding {
	enum verify_severity severity;
	const char *kind;	/* "journal.block": in garner-verify(1) */
	struct verify_place at;
	const char *text;
};

struct verify_options {
	const char *data_dir;
	const char *source;
	bool ties_all;		/* as in compact_options */
	/* Part of the data: segments and files whose name falls into part
	 * `part` of `parts` (from 1), parts 0: all; and of those so many of a
	 * million, chosen by the seed, 0: all. The rest is looked at without
	 * reading rows. */
	uint32_t part, parts;
	uint32_t per_million;
	uint64_t seed;
	void (*finding)(void *cookie, const struct verify_finding *);
	void (*progress)(void *cookie, uint64_t done, uint64_t all);
	void *cookie;
};

struct verify_result {
	uint64_t errors;
	uint64_t notes;
	uint64_t bytes;		/* of journals and data files */
	uint64_t blocks;
	uint64_t rows;		/* decoded, of journals and silver */
	uint64_t files;		/* of silver */
	uint64_t streams;
};

/*
 * These tables (NULL terminated). `ledger` may be NULL when it is lost: then
 * journals are read to their ends, and nothing is held against it. An error
 * means that verifying could not go on; what is wrong with the data is told
 * by findings.
 */
int verify_run(const struct sys *, struct ledger *,
    const struct source_table *const *, const struct verify_options *,
    struct verify_result *, struct err *);

/* --- repair -------------------------------------------------------------- */

struct verify_action {
	const char *kind;	/* "journal.hole": in garner-repair(1) */
	struct verify_place at;
	const char *text;
};

struct verify_repair_options {
	const char *data_dir;
	const char *source;
	int64_t reread;		/* what is read again, ticks, of series */
	int64_t reread_frames;
	bool apply;		/* false: tell only */
	void (*action)(void *cookie, const struct verify_action *);
	void *cookie;
	uint64_t done;		/* actions told: counted here */
};

/*
 * A table's journals made readable up to the ledger's positions, what is
 * damaged kept in <data>/quarantine/damaged, and coverage that is not proven
 * any more dropped. ERR_BUSY when a harvest holds one of the journals. Can
 * be interrupted and run again.
 */
int verify_mend(const struct sys *, struct ledger *,
    const struct source_table *, struct verify_repair_options *,
    struct err *);

/*
 * What is to be done about silver of a table: *again when it must be made
 * again from the journals. A damaged last entry of its log goes to
 * quarantine, a log that is damaged elsewhere with all of the table.
 */
int verify_mend_silver(const struct sys *, struct ledger *,
    const struct source_table *, struct verify_repair_options *,
    bool ties_all, bool *again, struct err *);

/* Whether journals hold more than the ledger can have forgotten: it was
 * lost, or an older one was put back. */
int verify_is_stale(const struct sys *, struct ledger *,
    const struct source_table *const *, const struct verify_repair_options *,
    bool *stale, struct err *);

/*
 * Make the ledger again from the journals of all these tables (parents
 * first, NULL terminated), beside the old one, which must not be open, then
 * in its place; the old one goes to quarantine. `instance` is its name for
 * silver, NULL: taken from the tables' logs, or new.
 */
int verify_rebuild_ledger(const struct sys *,
    const struct source_table *const *, struct verify_repair_options *,
    const char *instance, struct err *);

#endif
