#ifndef HARVEST_HARVEST_COMMIT_INT_H
#define HARVEST_HARVEST_COMMIT_INT_H

/*
 * What the files that bring rows to the journal and the ledger share.
 *
 *	harvest_batch.c		batches, and those kept for reuse
 *	harvest_writer.c	tables and groups: their journals and batches
 *	harvest_commit.c	from a batch to durable state
 */

#include "harvest/harvest_int.h"

/* --- batches ------------------------------------------------------------- */

/* The open one, made when there is none. */
struct harvest_batch *harvest_batch_open(struct harvest_writer *);
/* From those kept, when there is one for this table. */
struct harvest_batch *harvest_batch_take(struct harvest *,
    const struct source_table *);
void harvest_batch_give_back(struct harvest *, struct harvest_batch *);
void harvest_batch_free(struct harvest_batch *);	/* NULL: nothing */
/* Its id, at random. */
void harvest_batch_name(const struct harvest *, struct harvest_batch *);
/* What the first blocks of a batch prove is held without rows. */
struct harvest_batch *harvest_batch_hold(struct harvest_batch *);
/* The batch goes on with these rows: one more of its blocks. Takes `held`. */
void harvest_batch_join(struct harvest_batch *, struct harvest_batch *held);
bool harvest_batch_empty(const struct harvest_batch *);	/* or NULL */
size_t harvest_bytes_of(const struct harvest_batch *);	/* NULL: 0 */
size_t harvest_open_bytes(const struct harvest *);

/* --- writers ------------------------------------------------------------- */

/* What its journal holds of a batch that is not sealed, and the batch. */
size_t harvest_held_bytes(const struct harvest_writer *);
/* A walk is committed whole or not at all. */
bool harvest_writer_ready(const struct harvest_writer *);

#endif
