#ifndef HARVEST_HARVEST_H
#define HARVEST_HARVEST_H

/*
 * The running engine: source, sched and fetch wired to journal and ledger
 * on one loop. Two operations:
 *
 *	discover	walks the catalogue tables; each walk is one commit
 *	run		covers what is wanted and not yet covered of the
 *			tables read in windows of time
 *
 * What was answered becomes rows in the open batch of its group; a batch is
 * closed by size or age and goes to a worker: append, sync, then one ledger
 * transaction with coverage and position. Memory held by answers and
 * batches is bounded: above the budget no request is started.
 *
 * Both block until done. They may be asked to stop from a signal handler of
 * the loop (harvest_stop): what was answered is made durable, nothing new
 * is asked.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct buf;
struct err;
struct fetch_options;
struct ledger;
struct ledger_stream;
struct ledger_txn;
struct loop;
struct ranges;
struct source;
struct source_table;
struct sys;
struct harvest;

/* The note of the ledger that tells, as JSON, how the exchange with the
 * server goes or went: counters by outcome, limits, breakers, histograms. */
#define HARVEST_NOTE "fetch"

/* The form in which a series is asked for, and what the forms have cost, as
 * JSON; ERR_NOTFOUND when it never was. */
#define HARVEST_FORM_NOTE "form."
#define HARVEST_FORM_NOTE_MAX 256
#define HARVEST_FORM_WORD_MAX 16
int harvest_choice_get(struct ledger_txn *, const char *table, char *out,
    size_t size, struct err *);

/* The form alone: "one", "set", "batch", or "" when nothing is known. */
void harvest_choice_word(struct ledger_txn *, const char *table,
    char word[HARVEST_FORM_WORD_MAX]);

struct harvest_stats {
	uint64_t requests;	/* sent, tries included */
	uint64_t retries;
	uint64_t wire_bytes;
	uint64_t values;	/* rows of series committed */
	uint64_t rows;		/* rows of other tables committed */
	uint64_t unchanged;	/* values read again and not kept again */
	uint64_t journal_bytes;
	uint64_t commits;
	uint64_t streams;	/* that were to be read */
	uint64_t streams_failed;
	uint64_t ties;		/* times not fully readable */
	double wanted;		/* stream-seconds at start */
	double missing;		/* still */
	int64_t elapsed_us;
};

/* How windows of streams may be asked for: each stream by itself, sets of
 * them, or requests of one stream in a batch. */
#define HARVEST_MAY_ONE 1u
#define HARVEST_MAY_SET 2u
#define HARVEST_MAY_BATCH 4u

struct harvest_options {
	const char *data_dir;
	const char *source_name;	/* of the configuration */
	const char *base;		/* path of the URL: "/piwebapi" */
	const char *stream_filter;	/* "*" or NULL: all */
	uint32_t group_size;		/* streams of a group */
	int64_t reread;			/* tail of series, ticks */
	int64_t reread_frames;		/* tail of frames, ticks */
	uint32_t target_items;
	uint32_t page_items;		/* 0: chosen */
	uint32_t item_cap;
	uint32_t url_max;
	unsigned forms;			/* HARVEST_MAY_*: of asking; 0: any */
	int64_t window_max;		/* ticks */
	uint32_t commit_rows;
	uint32_t block_rows;		/* 0: chosen */
	int64_t commit_every_us;
	size_t memory;
	unsigned tries;			/* of an answer that cannot be used */
	/* Told about every 100 ms and at the end; on the loop's thread. */
	void (*progress)(void *cookie, const struct harvest_stats *);
	void *cookie;
	uint64_t reserve;		/* bytes left free; 0: chosen */
	int64_t space_wait_us;		/* for space, then the run ends */
	uint64_t quarantine;		/* bytes kept of bad answers, 0: none */
};

/*
 * loop, fetch options, source, ledger and sys are borrowed and outlive the
 * harvest. Nothing is asked yet.
 */
int harvest_new(const struct sys *, struct loop *,
    const struct fetch_options *, const struct source *, struct ledger *,
    const struct harvest_options *, struct harvest **, struct err *);
void harvest_free(struct harvest *);

/* The server's clock now, ticks; asked once and kept. */
int harvest_clock(struct harvest *, int64_t *now, struct err *);

/* Ask probe number i of the connector: its name, and what the server says. */
int harvest_probe(struct harvest *, size_t i, const char **name,
    struct buf *text, struct err *);

/* Walk these tables (in the order of the connector; NULL terminated). */
int harvest_discover(struct harvest *, const struct source_table *const *,
    struct err *);

struct harvest_range {
	int64_t from, to;	/* ticks; to is cut to the server's now */
	uint32_t group;		/* only this one; 0: all. Series only. */
	bool retry_failed;	/* ask streams that were refused again */
	bool reread;		/* ask for all of it, covered or not */
	/* Only objects it says yes to; NULL: all. Series only. */
	bool (*only)(void *cookie, const char *key);
	void *only_cookie;
};

/*
 * Whether a stream that failed with this code was refused for good: it does
 * not exist (404), its point was deleted (410), it has no archive (409) or
 * one that cannot be read (501), or is closed to us (403), by PI Web API's
 * own word. Such a stream is not asked again, but reported by each run,
 * until the next discovery finds its object, or retry_failed. What failed
 * otherwise is asked again by the next run.
 */
bool harvest_refused(int code);

/*
 * Cover [from, to) of the given tables (series and frames). 0 also when some
 * streams were set aside: see the stats and harvest_failure(). An error
 * means the run could not go on; what was answered before is durable.
 */
int harvest_run(struct harvest *, const struct source_table *const *,
    const struct harvest_range *, struct err *);

/*
 * What of [r->from, r->to) is to be asked for of a stream: what is not
 * covered, and always again what was not `tail` ticks old when it was last
 * read (0: only what is not covered); with `reread` all of it.
 * r->to is no later than the server's now.
 */
void harvest_wanted(const struct ledger_stream *,
    const struct harvest_range *r, int64_t tail, struct ranges *out);
/* The times of a stream at which there are more events than the server gives
 * at once: covered, but not fully read. One tick each; out is cleared. */
int harvest_ties(struct ledger_txn *, const char *table, uint32_t id,
    struct ranges *out, struct err *);
/* The group, from 1, of an object by its id; and the first id of a group. */
uint32_t harvest_group(uint32_t id, uint32_t group_size);
uint32_t harvest_group_first(uint32_t group, uint32_t group_size);

/* The server's now of the last run, and ours at that time; ERR_NOTFOUND
 * when there was none. */
int harvest_clock_noted(struct ledger_txn *, int64_t *server, int64_t *ours,
    struct err *);

/*
 * Hold what is covered of a series against the server: windows of it, all or
 * a sample, are read once more and compared, in number and content, with
 * what the journals have of them. Nothing is stored.
 */
struct harvest_difference {
	const struct source_table *table;
	uint32_t group;
	const char *stream;		/* name; borrowed for the call */
	const char *key;
	bool one;			/* of an object of a walk, a frame, or
					 * a list of such */
	int64_t a, b;			/* of the window, half-open; of a frame
					 * both its beginning; of an object
					 * TICKS_NONE */
	uint64_t ours, theirs;		/* events; of `one` 1 or 0 */
	bool news;			/* an object that came since the walk,
					 * or a frame that the server has no
					 * more: no mistake */
	int code;			/* could not be read: ERR_*; or 0 */
	const char *text;		/* why, or NULL */
};
struct harvest_reconcile {
	int64_t to;			/* newer is not judged */
	/* Windows that fall into part `part` of `parts`, parts 0: all; and of
	 * those so many of a million, by the seed, 0: all. */
	uint32_t part, parts;
	uint32_t per_million;
	uint64_t seed;
	void (*differs)(void *cookie, const struct harvest_difference *);
	void *cookie;
	/* result, added to */
	uint64_t windows;		/* compared */
	uint64_t events;		/* in them, theirs */
	uint64_t objects;		/* of walks, theirs */
	uint64_t news;			/* of them, newer than the last one */
	uint64_t frames;		/* theirs */
	uint64_t gone;			/* frames of ours, not of theirs */
	uint64_t differing;		/* but for those */
	uint64_t failed;		/* could not be read */
};
int harvest_reconcile(struct harvest *, const struct source_table *,
    struct harvest_reconcile *, struct err *);
/* The same of a walk of objects (object_key >= 0), each of them: the last
 * complete one, which the journal has, against the server of now. Parts are
 * not looked at. */
int harvest_reconcile_walk(struct harvest *, const struct source_table *,
    struct harvest_reconcile *, struct err *);
/* The same of frames (object_key >= 0) that began in what is covered, or in
 * the windows of it that were chosen, against the newest the journal has. */
int harvest_reconcile_frames(struct harvest *, const struct source_table *,
    struct harvest_reconcile *, struct err *);

/*
 * Answers that could not be used (harvest_kept.c): the newest of each stream,
 * in a file of its own below <data>/quarantine, written by the engine when
 * it gives the stream up. Bounded in number and bytes: the oldest go. Our
 * credentials are overwritten in them.
 */
#define HARVEST_KEPT_ID 16		/* hexadecimal digits */

struct harvest_kept {
	char id[HARVEST_KEPT_ID + 1];
	int64_t at;			/* ticks, ours */
	const char *source;
	const char *table;
	const char *stream;		/* name; "" when it is of several */
	const char *key;		/* of the object, or "" */
	int64_t a, b;			/* window asked for, or TICKS_NONE */
	const char *target;		/* of the request */
	int status;
	const char *code;		/* err_text() */
	const char *reason;
	uint64_t len;			/* of the body as it came */
	uint64_t kept;			/* bytes of it that were kept */
	uint64_t stored;		/* bytes of the file */
};

typedef int harvest_kept_fn(const struct harvest_kept *, void *cookie,
    struct err *);
/* All of a data folder, oldest first; fn's non-zero return stops and is
 * returned. A file that is no such thing is told in a warning. */
int harvest_kept_each(const struct sys *, const char *data,
    harvest_kept_fn *, void *cookie, struct err *);
/* What was kept of a body, appended; ERR_NOTFOUND, ERR_CORRUPT. */
int harvest_kept_body(const struct sys *, const char *data, const char *id,
    struct buf *, struct err *);
int harvest_kept_drop(const struct sys *, const char *data, const char *id,
    struct err *);

void harvest_get_stats(const struct harvest *, struct harvest_stats *);

/* Streams set aside and times not fully readable, in order: 1 and filled
 * in, strings live as long as the harvest; 0 beyond the end. */
struct harvest_failure {
	const char *table;
	const char *stream;	/* name, or key */
	int code;
	const char *text;
};
int harvest_failure(const struct harvest *, size_t i,
    struct harvest_failure *);

/* Stop asking, make durable what was answered, return. From loop callbacks
 * only; works once. */
void harvest_stop(struct harvest *);
bool harvest_stopped(const struct harvest *);

/* <data>/bronze/<source>/<table>/group-<n>; caller frees. */
char *harvest_journal_dir(const char *data, const char *source,
    const char *table, uint32_t group);

#endif
