#ifndef VERIFY_VERIFY_INT_H
#define VERIFY_VERIFY_INT_H

/*
 * What the files of verify share.
 *
 *	verify.c		the run: tables, groups, findings
 *	verify_journal.c	a journal, block by block
 *	verify_batch.c		a batch against its cover block
 *	verify_cover.c		coverage: union, and against the ledger
 *	verify_silver.c		log and files of a table
 *	verify_orphan.c		leftovers
 *	verify_mend.c		repair: journals and coverage
 *	verify_mend_silver.c	repair: what to do about silver
 *	verify_rebuild.c	repair: a ledger from the journals
 */

#include "base/base_limits.h"
#include "base/err.h"
#include "base/ranges.h"
#include "base/ticks.h"
#include "journal/journal.h"
#include "ledger/ledger.h"
#include "rows/rows.h"
#include "source/source.h"
#include "verify/verify.h"

struct delta_snapshot;

/* A group of a table: what the ledger says of it, and its folder. */
struct verify_group {
	uint32_t number;
	bool known;			/* to the ledger */
	struct ledger_group g;
	struct journal_pos now;		/* when coverage was looked at */
	char *dir;
	uint64_t rows;			/* counted in the journal */
	bool hurt;			/* there is damage in it */
	struct journal_writer *lock;	/* while it is mended, or NULL */
	/* of the last complete walk in it, {0, 0}: none; and counters */
	struct journal_pos walk_from, walk_end;
	struct journal_pos batch_from;	/* where the batch at hand begins */
	int64_t newest;			/* end of what was covered so far */
	uint64_t batches, requests, bytes;
	int64_t committed;
	/* is given the rows of each complete walk, or NULL */
	int (*walk)(void *cookie, const struct rows *const *, uint32_t n,
	    struct err *);
	/* is given the rows of each whole batch of frames, or NULL */
	int (*frames)(void *cookie, const struct rows *const *, uint32_t n,
	    const struct journal_cover *, size_t ncovers, struct err *);
	void *cookie;			/* of both */
};

/* What journals prove of one object's stream. */
struct verify_proof {
	struct ranges r;
	/* by the records alone, see struct ledger_stream; and what the
	 * newest record says was settled before: all that is older */
	struct ranges settled;
	int64_t since, since_at;
	uint64_t rows;
};

struct verify_cover {
	struct verify_proof *proof;	/* by id */
	uint32_t n;
};

struct verify {
	const struct sys *sys;
	struct ledger *ledger;		/* or NULL */
	const struct verify_options *opt;
	struct verify_result *result;
	uint64_t bytes_all;
	/* of the table at hand */
	const struct source_table *table;
	struct verify_group *groups;
	size_t ngroups;
	struct verify_cover cover;
	int64_t tail;			/* > 0: tell what is settled */
};

/* --- findings (verify.c) -------------------------------------------------- */

/* One with the table at hand, no place, and no text yet. */
void verify_finding_init(const struct verify *, struct verify_finding *,
    enum verify_severity, const char *kind);
void verify_tell(struct verify *, struct verify_finding *, const char *fmt,
    ...) __attribute__((format(printf, 3, 4)));
/* Whether this file is in the sample. */
bool verify_wanted(const struct verify *, const char *path);
void verify_progress(struct verify *, uint64_t bytes);

/* --- parts ---------------------------------------------------------------- */

/* What the ledger says of the groups of the table now. */
int verify_groups_read(struct verify *, struct err *);
/* Those that have a folder. */
int verify_groups_list(struct verify *, struct err *);
void verify_groups_free(struct verify *);
/* The group of that number, made when missing. */
struct verify_group *verify_group_add(struct verify *, uint32_t number);
/* Read [from, to) of a journal; adds to the cover and to g->rows. `deep`:
 * rows are decoded and held against their covers. */
int verify_journal(struct verify *, struct verify_group *g,
    const struct journal_pos *from, const struct journal_pos *to, bool deep,
    struct err *);

/* Blocks of rows that wait for their cover block. */
#define VERIFY_HELD_MAX LIMIT_BATCH_BLOCKS
struct verify_held {
	struct journal_block block;
	struct rows *rows;		/* NULL: not decoded */
};

struct verify_batch {
	struct verify_held held[VERIFY_HELD_MAX];
	uint32_t n;
	bool hurt;			/* damage since the last cover block */
};

void verify_batch_fini(struct verify_batch *);
/* Takes the rows. */
void verify_batch_add(struct verify *, const struct verify_group *,
    struct verify_batch *, const struct journal_block *, struct rows *);
/* The cover block of what is held, which is then let go. */
int verify_batch_cover(struct verify *, struct verify_group *,
    struct verify_batch *, const struct journal_block *,
    const struct journal_batch *, const struct journal_cover *, size_t n,
    struct err *);
/* Rows that no cover block follows. */
void verify_batch_end(struct verify *, const struct verify_group *,
    struct verify_batch *);

const struct verify_proof *verify_proof(const struct verify *, uint32_t id);
void verify_cover_init(struct verify_cover *);
void verify_cover_fini(struct verify_cover *);
/* Of a batch that was ingested `at`. What is older than `settled` was old
 * enough then. */
void verify_cover_add(struct verify_cover *, const struct journal_cover *,
    int64_t settled, int64_t at);
/* The ledger's coverage against the union. */
int verify_cover_check(struct verify *, struct err *);

int verify_silver(struct verify *, struct err *);
/* Leftovers: in the journals of the table, in its silver, of all. */
int verify_orphan_journals(struct verify *, struct err *);
int verify_orphan_data(struct verify *, const char *dir,
    const struct delta_snapshot *, struct err *);
int verify_orphan_tmp(struct verify *, struct err *);

/* --- repair --------------------------------------------------------------- */

struct verify_mending {
	const struct sys *sys;
	struct verify_repair_options *opt;
	const struct source_table *table;
	uint32_t group;			/* at hand */
};

void verify_action_init(const struct verify_mending *, struct verify_action *,
    const char *kind);
void verify_act(struct verify_mending *, struct verify_action *,
    const char *fmt, ...) __attribute__((format(printf, 3, 4)));
/* The folder for what is taken out, made; NULL with an error. */
char *verify_quarantine(const struct verify_mending *, struct err *);
int verify_mend_journal(struct verify_mending *, const char *dir,
    const struct journal_pos *to, struct journal_pos *end, struct err *);

char *verify_segment_path(const struct verify_group *, uint32_t segment);

#endif
