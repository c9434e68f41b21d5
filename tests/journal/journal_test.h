#ifndef JOURNAL_TEST_H
#define JOURNAL_TEST_H

/*
 * What the journal's tests share: a directory, two schemas, and blocks that
 * follow from their number, so that what is read can be told right from
 * wrong by the number alone. Include after cmocka.h.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "journal/journal.h"
#include "rows/rows.h"
#include "sys/sys.h"

struct journal_test {
	char base[256];			/* removed at the end */
	char dir[300];			/* of the journal; not there yet */
	struct rows_schema *schema[2];
};

int journal_test_setup(void **state);
int journal_test_teardown(void **state);
/* The journal's directory is empty again. */
void journal_test_wipe(struct journal_test *);

/* Rows of block number k; free them. Every third is of the other schema. */
struct rows *journal_test_rows(const struct journal_test *, uint32_t k);
int journal_test_append(const struct journal_test *, struct journal_writer *,
    uint32_t k, struct err *);
/* A journal of blocks 0..n-1, each synced; pos[i] is where block i ends. */
void journal_test_make(const struct journal_test *, uint32_t n,
    struct journal_pos *pos);

/* Number of a block read, after checking its header and every cell. */
uint32_t journal_test_check(const struct journal_test *,
    struct journal_reader *, const struct journal_block *,
    const struct rows_schema *);
/* Read [from, to): they must be blocks first, first + 1 ... n of them; the
 * code of the end: 0 or an error. */
int journal_test_read(const struct journal_test *, const struct journal_pos *
    from, const struct journal_pos *to, bool torn_ok, uint32_t first,
    uint32_t *n, struct err *);

char *journal_test_path(const struct journal_test *, uint32_t segment);
/* The whole file; free it. */
uint8_t *journal_test_load(const struct journal_test *, uint32_t segment,
    size_t *n);
void journal_test_store(const struct journal_test *, uint32_t segment,
    const void *, size_t n);

#endif
