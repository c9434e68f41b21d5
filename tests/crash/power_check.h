#ifndef POWER_CHECK_H
#define POWER_CHECK_H

/*
 * Is a data directory, as a crash has left it, one that garner may go on
 * with? The ledger opens and is whole; each journal opens for writing where
 * the ledger says it ends, and holds as many rows as the ledger counts, all
 * readable; what a stream's coverage tells is in its journals; the tables
 * are readable, their files whole, and not ahead of the ledger.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct check;
struct disk;
struct err;

/* What a state has durable. */
struct check_seen {
	uint64_t batches;	/* commits, of all groups */
	uint64_t versions;	/* of the tables, and how many there are */
};

/* `dir` is that which disk_build() writes to. */
struct check *check_new(struct disk *, const char *dir);
void check_free(struct check *);
/* Another disk that writes to the same directory. */
void check_set_disk(struct check *, struct disk *);

/* What the directory holds now is what coverage is judged by: every row
 * that will ever be there. */
void check_learn(struct check *);
/* 0 with *seen, or what is wrong. */
int check_state(struct check *, struct check_seen *, struct err *);

#endif
