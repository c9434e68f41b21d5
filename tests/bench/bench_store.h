#ifndef BENCH_STORE_H
#define BENCH_STORE_H

/*
 * From rows to durable state as the harvest engine does it: one open batch,
 * at most one in flight on a worker (append, sync, one ledger transaction),
 * committed by size or age. On the modules' public functions only.
 */

#include <stdbool.h>
#include <stdint.h>

struct err;
struct loop;
struct rows;
struct source_table;
struct store;

typedef void store_fn(void *cookie);

/* Below dir, which exists. `poke` runs after each commit. */
int store_new(struct loop *, const char *dir, const struct source_table *,
    store_fn *poke, void *cookie, struct store **, struct err *);
void store_free(struct store *);

/* The open batch, to append to; then note what was covered, and once for
 * an answer that it has come. */
struct rows *store_rows(struct store *);
void store_cover(struct store *, uint32_t id, int64_t a, int64_t b,
    uint32_t values);
void store_touch(struct store *);
/* Commit what is open; false when nothing is open or in flight. */
bool store_flush(struct store *);
/* Too much waits for the disk. */
bool store_full(const struct store *);
uint64_t store_values(const struct store *);	/* committed */
uint64_t store_commits(const struct store *);

#endif
