#ifndef POWER_DISK_H
#define POWER_DISK_H

/*
 * A disk as POSIX promises it and no better, made of a record of
 * crash_calls.so. What was not synced may be there after a power loss or
 * not: each write whole, torn, as zeros or not at all, each name on its own
 * unless its directory was synced. A rename is one change. A sync of a file
 * keeps its data, not its name. What was to be synced when that failed is
 * lost, whatever a later sync says: the kernel has taken it for written.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct disk;

/* How the unsynced changes fare in one state. */
enum disk_fate {
	DISK_LOST,		/* none is there */
	DISK_KEPT,		/* all are */
	DISK_EACH,		/* each whole or not at all */
	DISK_TORN,		/* each whole, torn, zero-filled or lost */
	DISK_HOLLOW,		/* names and sizes, and zeros for data */
	DISK_NAMELESS,		/* data, and no names */
	DISK_PREFIX,		/* what came before some moment */
	DISK_FATES
};

struct disk *disk_new(const char *record);
void disk_free(struct disk *);

/* Do the next record; its enum crash_op, 0 at the end. The path is valid
 * until the next step. */
int disk_step(struct disk *, const char **path);
/* Where data was put by the last record. */
uint64_t disk_put_at(const struct disk *);
/* Changes that are not synced yet. */
size_t disk_pending(const struct disk *);

/*
 * Put the disk, as it may be after a power loss now, into a directory; the
 * same seed gives the same state. What is there already from the state
 * before is not written again: whoever changes a file tells so by
 * disk_dirty(). Gives a hash of the files below a path of the state.
 */
void disk_build(struct disk *, enum disk_fate, uint64_t seed,
    const char *dir);
void disk_dirty(struct disk *, const char *prefix);
uint64_t disk_hash(const struct disk *, const char *prefix);

#endif
