#ifndef COMPACT_TEST_H
#define COMPACT_TEST_H

/*
 * A data directory with journals and a ledger written by hand, and a model:
 * every row that was ever committed, and which of them silver must hold.
 * Each row has a serial number of its own, so that what is read back tells
 * which row won, not just that one did.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/hash.h"
#include "compact/compact.h"
#include "journal/journal.h"
#include "source/source.h"
#include "sys/sys.h"

#define TEST_GROUPS 4
#define TEST_SOURCE "plant"

struct test_row {
	char id[24];		/* the stream */
	int64_t at;		/* ticks */
	int32_t ordinal;
	int64_t serial;		/* filled by test_block() */
	int64_t ingested;
	int32_t group;
	uint32_t block;		/* of all blocks, in order of writing */
	uint32_t round;		/* the commit it belongs to */
};

struct test_rows {
	struct test_row *r;
	size_t n;
	size_t cap;
};

struct test_cover {
	char id[24];		/* the stream */
	int64_t a, b;		/* ticks */
	bool replaces;
	int64_t ingested;	/* filled by test_commit() */
	int32_t group;
};

struct test {
	char dir[64];
	struct sys sys;			/* posix, not waiting for the disk */
	struct ledger *ledger;
	struct source_table table;
	struct rows_schema *schema;
	uint32_t key[2];
	struct test_rows all;		/* committed, in order of writing */
	struct test_rows open;		/* rows for the next block */
	uint32_t blocks;
	uint32_t round;
	uint32_t walk[TEST_GROUPS];	/* round of a group's last walk */
	int64_t clock[TEST_GROUPS];	/* ingestion of the last block */
	struct journal_pos pos[TEST_GROUPS];
	struct compact_options opt;
	struct compact_result res;
	struct source_table over;	/* catalogue of the streams */
	struct test_cover *covers;	/* that replace, committed */
	size_t ncovers;
	struct test_cover cover[64];	/* of the next commit, ascending */
	size_t nopen;
	bool half, strange;		/* the next commit lost a block, or is
					 * of other objects: no cover counts */
};

void test_init(struct test *, enum source_kind);
void test_fini(struct test *);
void test_add(struct test *, const char *id, int64_t at, int32_t ordinal);
/* The next commit covers a stream's range; in order of stream and time, the
 * streams `tag0` to `tag99`. */
void test_cover(struct test *, unsigned tag, int64_t a, int64_t b,
    bool replaces);
/* A commit of a group: one block of the rows added, or none. */
void test_commit(struct test *, uint32_t group, int64_t ingested);
/* Random rows of some streams, in answers that overlap, with ties. */
void test_random(struct test *, struct rng *, uint32_t group);
/* Ranges of some streams read again, with some rows in them. */
void test_random_again(struct test *, struct rng *, uint32_t group,
    int64_t ingested);

/* Compact; 0 or an error. */
int test_compact(struct test *, const struct sys *, struct err *);
/* Compact with success, compare silver and the counters with the model. */
void test_compact_ok(struct test *);
/* Compare silver with the model. */
void test_compare(struct test *);
int64_t test_version(struct test *);
/* Every data file on disk is live or was replaced: none was left over. */
void test_no_orphans(struct test *);

#endif
