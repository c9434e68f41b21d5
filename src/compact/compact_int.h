#ifndef COMPACT_COMPACT_INT_H
#define COMPACT_COMPACT_INT_H

/*
 * What the files of compact share. The way of a row:
 *
 *	gather	reads the journals' blocks into a load; a load that has
 *		reached the budget is sorted and spilled as a run
 *	load	rows in silver's columns, as they came, and where from
 *	sort	a load in order of key, the newest row of each key
 *	spill	a sorted run in a file
 *	file	a data file of the table as one more sorted input
 *	merge	sorted inputs into one, partition after partition
 *	cover	ranges that were read again, sorted as rows are
 *	filter	merged rows, without those that such a range replaces
 *	write	the result as data files
 *	sweep	leftovers of crashed runs
 *	plan	columns and keys; copy: spans of rows between batches
 *	check	files already made, held against all that
 *
 * Order everywhere: partition (day), then the key columns, text bytewise.
 * Of rows with equal keys the first is the newest: latest ingestion (in
 * microseconds, as silver keeps it), higher group, later journal position.
 * Runs are cut between blocks and numbered in the order of reading, group
 * by group, so the number of a run stands for the position; rows of the
 * table are older than any row read now.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "compact/compact.h"
#include "delta/delta.h"
#include "journal/journal.h"
#include "parquet/parquet.h"
#include "rows/rows.h"

#define COMPACT_BATCH_ROWS 8192u	/* of a batch in a merge */
#define COMPACT_INPUTS_MAX 256u		/* inputs of one merge: open files */
#define COMPACT_RUNS_MAX 64u		/* then they are merged into one */

/* --- plan: columns and keys ---------------------------------------------- */

struct compact_plan {
	const struct source_table *table;
	struct rows_schema *schema;	/* of silver; owned */
	bool partitioned;		/* by the UTC date of the cursor */
	bool snapshot;			/* the last walk replaces all */
	bool ties_all;
	bool keys_only;			/* compact_plan_trim() */
	uint32_t nkey;
	uint32_t *key;			/* columns of silver */
	int cursor;			/* columns of silver, or -1 */
	uint32_t ingested;
	uint32_t group;
	uint32_t batch;
	int *rest;			/* [ncols] of a TICKS column: where
					 * its ticks below 1 us stand, or -1;
					 * then they are cut */
	int *rest_of;			/* the other way round */
};

struct compact_plan *compact_plan_new(const struct source_table *,
    bool ties_all);
/* Leave in the schema only what order is judged by: the key, the date, the
 * ticks of both; ingestion and group are there, but null. */
void compact_plan_trim(struct compact_plan *);
void compact_plan_free(struct compact_plan *);
/* map[i]: the column of `from` for column i of silver, or -1. A journal's
 * rows lack what is made here, a data file's rows do not. */
int compact_plan_map(const struct compact_plan *,
    const struct rows_schema *from, bool of_file, int *map, struct err *);
/* By the key columns from number k on. */
int compact_plan_cmp(const struct compact_plan *, uint32_t k,
    const struct rows *a, uint32_t i, const struct rows *b, uint32_t j);
/* > 0: row i of a is newer by ingestion and group. */
int compact_plan_age(const struct compact_plan *, const struct rows *a,
    uint32_t i, const struct rows *b, uint32_t j);

/* --- copy: spans of rows between batches --------------------------------- */

struct compact_code {
	uint32_t epoch;
	uint32_t code;
};

/* Remembers the codes of texts from one batch to another. */
struct compact_copy {
	uint32_t ncols;
	uint32_t epoch;
	struct compact_code **codes;	/* [ncols], of text columns */
	uint32_t *cap;			/* [ncols] */
};

void compact_copy_init(struct compact_copy *, uint32_t ncols);
void compact_copy_fini(struct compact_copy *);
/* Either batch was cleared or changed. */
void compact_copy_reset(struct compact_copy *);
/* Append rows [i, i + n); map as above, or NULL for equal columns. */
int compact_copy_rows(struct compact_copy *, struct rows *to,
    const struct rows *from, const int *map, uint32_t i, uint32_t n,
    struct err *);

/* --- load: rows as they came --------------------------------------------- */

/* The partitions of the rows read, by day. Tables without partitions have
 * the one day 0. */
struct compact_day {
	int32_t day;
	int64_t min_tick;	/* of the cursor */
	int64_t max_tick;
};

struct compact_days {
	struct compact_day *day;	/* ascending */
	size_t n;
	size_t cap;
};

/* Rows from `a` to `b`, both included, are in this partition. */
void compact_days_add(struct compact_days *, int32_t day, int64_t a,
    int64_t b);

#define COMPACT_ROW_BITS 20	/* a place: chunk << 20 | row */

struct compact_chunk {
	struct rows *rows;
	uint32_t *block;	/* [cap] index into the load's blocks */
	int32_t *ordinal;	/* [cap] among equal timestamps */
	uint32_t cap;
};

struct compact_block {
	int64_t ingested;
	int32_t group;
	uint32_t age;		/* made by sort: higher is newer */
};

/* A row where it is sorted (compact_sort.c). */
struct compact_entry {
	uint64_t hi;
	uint64_t lo;
	uint32_t place;
};

/* A load that was cleared keeps its memory for the next one. */
struct compact_load {
	const struct compact_plan *plan;
	struct compact_chunk *chunks;
	uint32_t nchunks;
	uint32_t made;		/* chunks that have memory */
	struct compact_entry *sort[2];
	size_t sort_cap;	/* of each */
	struct compact_block *blocks;
	uint32_t nblocks;
	uint32_t blocks_cap;
	uint64_t nrows;
	size_t bytes;		/* with what sorting it will take */
};

void compact_load_init(struct compact_load *, const struct compact_plan *);
void compact_load_fini(struct compact_load *);
void compact_load_clear(struct compact_load *);
/* Whether a block of n rows fits beside what is there. */
bool compact_load_fits(const struct compact_load *, uint32_t n,
    size_t budget);
int compact_load_block(struct compact_load *, const struct journal_block *,
    const struct rows *, const int *map, struct compact_days *,
    struct err *);

/* --- inputs of a merge --------------------------------------------------- */

/* Sorted rows, batch after batch; a batch is of one day. */
struct compact_input {
	struct rows *rows;	/* the batch, columns of silver */
	uint32_t i;		/* next row; i == rows->n: fill */
	int32_t day;		/* of the batch */
	bool end;
	unsigned order;		/* of equally old rows the higher is newer */
	bool existing;		/* rows of the table, not of a journal */
	struct compact_copy copy;
	/* Makes the next batch: 1, 0 at the end, or an error. */
	int (*fill)(struct compact_input *, struct err *);
	void (*close)(struct compact_input *);	/* frees state and rows */
	void *state;
};

struct compact_input *compact_input_new(const struct compact_plan *,
    unsigned order);
void compact_input_close(struct compact_input *);	/* NULL: nothing */
/* Make a batch when none is left; sets `end`. */
int compact_input_ready(struct compact_input *, struct err *);

/* Where merged rows go; or `count`, that grows by them, and no put. */
struct compact_sink {
	void *cookie;
	int (*put)(void *cookie, const struct rows *, uint32_t from,
	    uint32_t n, struct err *);
	uint64_t *count;
};

/* The rows of one day of all inputs, one a key. *dropped grows by the
 * journals' rows that lost. */
int compact_merge_day(const struct compact_plan *,
    struct compact_input *const *, size_t n, int32_t day,
    const struct compact_sink *, uint64_t *dropped, struct err *);

/* Sort a load; the input borrows it. *dropped as above. */
int compact_sort_open(struct compact_load *, unsigned order,
    uint64_t *dropped, struct compact_input **, struct err *);

struct compact_job;

/* All rows of the inputs, as one run in a new file. */
int compact_spill_write(struct compact_job *, const char *path,
    const struct compact_plan *, struct compact_input *const *, size_t n,
    const struct compact_days *, uint64_t *dropped, struct err *);
int compact_spill_open(const struct sys *, const char *path,
    const struct compact_plan *, unsigned order, struct compact_input **,
    struct err *);

/* *rows_read grows by the rows delivered. */
int compact_file_open(const struct sys *, const char *path,
    const struct compact_plan *, int32_t day, uint64_t *rows_read,
    struct compact_input **, struct err *);

/* --- cover, filter ------------------------------------------------------- */

struct compact_covers;
struct compact_filter;
struct compact_job;

/* Whether rows are sorted in a way that lets ranges of streams be held
 * against them. */
bool compact_cover_can(const struct compact_plan *);
/* The cover block of a whole batch: its records that replace something are
 * added to the job's. */
int compact_cover_take(struct compact_job *, const struct journal_block *,
    const struct journal_batch *, const struct journal_cover *, size_t n,
    struct err *);
/* All of them, sorted; NULL when there are none. */
int compact_cover_open(struct compact_job *, struct compact_input **,
    struct err *);
void compact_cover_clear(struct compact_job *);
size_t compact_cover_bytes(const struct compact_job *);

/* Takes the input over. A sink of merged rows (filter_put), which gives what
 * stays on to another, day after day. */
struct compact_filter *compact_filter_new(const struct compact_plan *,
    struct compact_input *, uint64_t *dropped);
void compact_filter_free(struct compact_filter *);	/* NULL: nothing */
void compact_filter_begin(struct compact_filter *, int32_t day,
    const struct compact_sink *);
int compact_filter_put(void *, const struct rows *, uint32_t from, uint32_t n,
    struct err *);

/* --- the run ------------------------------------------------------------- */

struct compact_group {
	uint32_t group;
	char *app_id;
	struct journal_pos from;	/* the first position not in silver */
	struct journal_pos to;		/* the ledger's */
	int64_t txn;			/* of the table, -1 none */
	bool walked;			/* commits were made */
	struct journal_pos run;		/* of the last complete walk */
	uint64_t rows;			/* ever committed */
};

struct compact_new {			/* a data file made by this run */
	char *path;			/* relative to the table */
	char *partition;		/* or NULL */
	struct parquet_info info;
};

struct compact_job {
	const struct sys *sys;
	struct ledger *ledger;
	const struct compact_options *opt;
	struct compact_plan *plan;
	struct compact_result *result;
	char *dir;			/* of the table */
	char *tmp;			/* for runs; made when needed */
	struct compact_group *groups;
	size_t ngroups;
	struct delta_snapshot base;	/* what the table is now */
	/* made by gather */
	struct compact_days days;
	struct compact_load load;
	struct compact_covers *covers;		/* or NULL: none */
	unsigned runs[COMPACT_RUNS_MAX];	/* numbers of spilled runs */
	unsigned nruns;
	unsigned next_run;
	/* made by write */
	struct compact_new *news;
	size_t nnews;
	size_t news_cap;
	const struct delta_file **removes;	/* of `base` */
	size_t nremoves;
	/* progress: rows read and rows merged, of twice the rows to read */
	uint64_t rows_all;
	uint64_t rows_put;
	uint64_t rows_told;
};

/* Read [from, to) of all groups; leaves runs and a load. */
int compact_gather(struct compact_job *, struct err *);
void compact_gather_clear(struct compact_job *);
/* Path of the next run, for the caller to free; makes the directory. */
int compact_gather_run(struct compact_job *, unsigned *number, char **path,
    struct err *);
char *compact_gather_path(const struct compact_job *, unsigned number);

/* Merge runs, load and overlapping files into new files. */
int compact_write(struct compact_job *, struct err *);
/* Forget the new files; unlink them when nothing can name them. */
void compact_write_forget(struct compact_job *, bool unlink);

/* Remove what crashed runs left: data files, which needs `base`; runs. */
int compact_sweep_files(const struct compact_job *, struct err *);
int compact_sweep_tmp(const struct compact_job *, struct err *);

/* Tell the caller how far it is, but not too often; ERR_CANCELLED when the
 * run is to end, ERR_NOSPACE when there is no room for so many bytes that
 * are to be written soon. */
int compact_turn(struct compact_job *, uint64_t pending, struct err *);

#endif
