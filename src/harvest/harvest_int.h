#ifndef HARVEST_HARVEST_INT_H
#define HARVEST_HARVEST_INT_H

/*
 * What the files of the engine share.
 *
 *	harvest.c		life, clock, stop, driving the loop
 *	harvest_budget.c	what was spent, from process to process
 *	harvest_cap.c		the most items a call gives
 *	harvest_choice.c	the form of asking for streams
 *	harvest_form.c		and how it is chosen
 *	harvest_batch.c		batches of rows; with harvest_writer.c
 *	harvest_commit.c	from them to journal and ledger, back-pressure
 *	harvest_cover.c		what a batch proves, for the journal
 *	harvest_learn.c		what a batch teaches about streams, for the
 *				ledger
 *	harvest_walk.c		lists: pages of walks and frames
 *	harvest_frames.c	windows of frames, and what is new in them
 *	harvest_group.c		reading of what is committed of a group
 *	harvest_open.c		frames that were open
 *	harvest_series.c	series: windows of streams; with
 *				harvest_ask.c, harvest_settle.c
 *	harvest_quarantine.c	bad answers on their way to a file
 *	harvest_kept.c		files of bad answers
 *	harvest_reconcile.c	what is covered, held against the server
 *	harvest_reconcile_ask.c	... what that says of series
 *	harvest_reconcile_list.c	... of lists
 *	harvest_reconcile_walk.c	... the objects of walks
 *	harvest_reconcile_frames.c	... frames
 *	harvest_ties.c		times that are not fully readable
 *	harvest_space.c		room on the disk
 *	harvest_want.c		what is wanted and not yet covered
 *	harvest_note.c		how the exchange goes, for those outside
 */

#include "base/err.h"
#include "base/ranges.h"
#include "fetch/fetch.h"
#include "harvest/harvest.h"
#include "harvest/harvest_form.h"
#include "journal/journal.h"
#include "ledger/ledger.h"
#include "rows/rows.h"
#include "sched/sched.h"
#include "source/source.h"

/* Answers in a row that could not be had or used, without a good one in
 * between, after which a run ends: the server is not there. */
#define HARVEST_FAILS_MAX 12
/* Failures kept for the report; the rest is counted. */
#define HARVEST_FAILURES_MAX 1000

#define HARVEST_DIGEST_MASK ((1ull << LEDGER_DIGEST_BITS) - 1)

struct commit_task;
struct loop;
struct loop_timer;

/* --- batches (harvest_batch.c, harvest_writer.c, harvest_commit.c) -------- */

/*
 * A stream's range proven complete by rows of a batch; or, with a >= b, that
 * it was read and nothing new found, or that it failed.
 */
struct harvest_cover {
	uint32_t id;
	uint32_t values;
	int64_t a, b;
	int64_t seen_a, seen_b;	/* was read, new or not; or empty: [a, b) */
	int64_t since;		/* ticks: harvest_young_from() when the run
				 * began */
	uint64_t key;		/* journal_cover_key() of the object */
	double per_second;	/* < 0: unknown */
	int64_t last;		/* ticks of the newest value, TICKS_NONE */
	int64_t tie;		/* ticks at which not all events could be
				 * read, or TICKS_NONE; then a == b */
	int64_t first;		/* ticks of the stream's first value of all,
				 * where it was asked for, or TICKS_NONE */
	bool cell;		/* `digest` is that of so many rows */
	uint32_t cell_values;
	uint64_t digest;	/* below 2^LEDGER_DIGEST_BITS */
	int32_t fail_code;	/* set aside for, or 0 */
	bool mute;		/* it was set aside in this run: what is good
				 * here does not take that back */
	char *why;		/* with fail_code; the batch's */
	struct harvest_opens *opens;	/* of frames, or NULL; the batch's */
};

/* The rows of one commit on their way to the journal. Batches are lent from
 * a small pool: memory follows the budget, not the number of groups. */
struct harvest_batch {
	struct harvest_batch *next;	/* in the pool */
	struct rows *rows;	/* not yet in the journal; NULL: held */
	struct harvest_cover *covers;
	size_t ncovers;
	size_t covers_cap;
	int64_t opened_us;
	int64_t ingested;	/* ticks: when its last answer came */
	uint64_t requests;
	bool again;		/* what it covers may have been covered */
	uint8_t id[JOURNAL_BATCH_ID];
	uint32_t blocks;	/* of rows, in the journal */
	uint64_t nrows;		/* in them */
	uint64_t bytes;		/* of them, and of the cover block */
};

/* A table and group being written: its journal and its open batch.
 * Invariant: at most one batch is in flight (`busy`). */
struct harvest_writer {
	struct harvest *h;
	struct harvest_writer *next;
	const struct source_table *table;
	uint32_t group;
	unsigned lane;
	struct journal_writer *journal;
	struct journal_pos pos;		/* durable end */
	int64_t last_ingested;
	bool busy;
	bool snapshot;			/* a commit is a complete walk */
	bool complete;			/* snapshot: the open batch is one */
	struct harvest_batch *open;	/* NULL until something is put in */
	struct harvest_batch *flight;	/* while busy */
	struct harvest_batch *held;	/* of which blocks were appended, to
					 * be sealed; NULL while busy */
	struct commit_task *stuck;	/* busy, but waits for room */
};

int harvest_writer_get(struct harvest *, const struct source_table *,
    uint32_t group, struct harvest_writer **, struct err *);
/* The rows of the open batch, to append to. */
struct rows *harvest_open_rows(struct harvest_writer *);
/* A cover of nothing, of this object. */
void harvest_cover_init(struct harvest_cover *, uint32_t id, const char *key);
/* That an object's reading failed for good, for this run. */
void harvest_cover_failed(struct harvest_cover *, int code, const char *why);
/* Streams in the open batch may have been read before where it covers them. */
void harvest_cover_again(struct harvest_writer *);
/* Put it into the open batch, which takes `why` and `opens` over. */
void harvest_cover_add(struct harvest_writer *, const struct harvest_cover *);
void harvest_covers_clear(struct harvest_batch *);
/* A discovery has seen an object: streams over it that were refused are to
 * be asked again. */
int harvest_forgive(struct ledger_txn *, const struct harvest *,
    const struct source_table *catalogue, uint32_t id, struct err *);
/* In the ledger's transaction of a commit, after harvest_cover_write(). */
int harvest_learn(struct ledger_txn *, const struct harvest_writer *,
    const struct harvest_batch *, struct err *);
/* On a worker: the cover block of a batch whose rows were appended, if it
 * proves something. Sorts its covers. */
int harvest_cover_write(struct harvest_writer *, struct harvest_batch *,
    struct journal_block *, struct err *);
/* First and last tick of a column of the rows. */
void harvest_cover_hull(const struct rows *, int col, struct journal_block *);
/* An answer was put into the open batch: commit when it is time. */
void harvest_batch_touch(struct harvest_writer *);
/* Commit the open batches that were begun so long ago (0: all of them). */
void harvest_flush(struct harvest *, int64_t older_us);
/* Make room when open batches, or what is held, are too much. */
void harvest_relieve(struct harvest *);
/* Bytes of batches: open, held, in flight and in the pool. */
size_t harvest_batch_bytes(const struct harvest *);
bool harvest_batches_idle(const struct harvest *);
void harvest_writers_close(struct harvest *);

/*
 * harvest_group.c: a reader of what is committed of a group, from the
 * journal's beginning or that of the last complete walk; the caller closes
 * it. *reader is NULL when nothing is committed.
 */
enum harvest_group_from {
	HARVEST_GROUP_BEGINNING,
	HARVEST_GROUP_LAST_WALK,
};
int harvest_group_read(struct harvest *, const struct source_table *,
    uint32_t group, enum harvest_group_from, struct journal_reader **,
    struct err *);

/* Windows lie on a grid of their length, so that a part of the data is the
 * same one each time: the end of the one that holds a; and whether it is
 * among those to be looked at. */
int64_t harvest_reconcile_grid(int64_t a, int64_t len);
bool harvest_reconcile_chosen(const struct harvest_reconcile *, uint32_t id,
    int64_t a, int64_t len);
/* How an asking ended: 0, or what ended it early. */
int harvest_reconcile_end(const struct harvest *, struct err *);

/* Times of AF are those of an SQL server, in steps of a few milliseconds:
 * that of an answer may not be equal to the one it was made of. */
#define HARVEST_ABOUT (10 * TICKS_PER_MS)

/* Classes of requests, as fetch and its breakers tell them apart. */
enum harvest_asks {
	HARVEST_ASKS_SINGLE,		/* clock, probes */
	HARVEST_ASKS_WALK,		/* pages of lists */
	HARVEST_ASKS_SERIES,
};

/* --- the engine ---------------------------------------------------------- */

struct harvest_walk;		/* harvest_walk.c */
struct harvest_series;		/* harvest_series.c */

struct harvest_report {
	const char *table;
	char *stream;
	int code;
	char *text;
};

struct harvest {
	const struct sys *sys;
	struct loop *loop;
	struct fetch *fetch;
	const struct source *source;
	struct ledger *ledger;
	struct harvest_options opt;
	char *origin;
	struct harvest_chosen *chosen;	/* harvest_choice.c */
	int64_t now;			/* the server's, or TICKS_NONE */
	struct harvest_writer *writers;
	struct harvest_batch *pool;
	unsigned sealing;		/* writers whose journals are synced */
	unsigned nsynced;		/* whose are, to be booked */
	struct commit_task *synced;
	bool booking;			/* others are being booked */
	struct loop_timer *tick;
	struct harvest_walk *walk;	/* while discovering or in frames */
	struct harvest_series *series;	/* while covering a series table */
	unsigned turn;			/* of them, when both are there */
	bool stopping;
	bool draining;			/* flush asked for, end when idle */
	struct err fatal;		/* code != 0: the run ends */
	unsigned fails;			/* in a row */
	size_t answer_bytes;		/* estimated, of requests in flight */
	bool full;			/* no room: nothing new is asked */
	int64_t full_since_us;		/* 0: it was not */
	struct err space_err;		/* code != 0: the run ends for it */
	unsigned keeping;		/* bad answers being written */
	bool keeping_failed;		/* and that was told */
	bool noting;			/* a note is being written */
	int64_t noted_us;		/* the last one */
	uint64_t noted_opened;
	struct {			/* harvest_budget.c */
		bool kept;		/* there is something to keep */
		bool busy;		/* being claimed or noted */
		bool last;		/* nothing is sent any more */
		struct loop_timer *timer;
		int64_t claimed_us;
		char *origin;
		struct pace_budget most;
		uint64_t ahead;		/* to be claimed, requests */
		bool little;		/* that was not to be had */
		struct pace_claims claims;
		struct pace_spent noted;	/* of ours, at that time */
		struct pace_spent sum;		/* of all, then */
	} budget;
	int64_t started_us;
	struct harvest_caps {		/* the server's, to be noted; or 0 */
		uint32_t items;		/* of a call */
		uint32_t url;		/* characters */
		int64_t no_first;	/* ticks, ours: when it refused all
					 * requests for first values */
	} learnt;
	bool no_first;			/* nobody is to ask for them */
	struct harvest_stats stats;
	struct harvest_report *reports;
	size_t nreports;
};

/* End the run with this error (the first one counts). */
void harvest_fail(struct harvest *, const struct err *);
/* A stream was set aside, or cannot be fully read. */
void harvest_report_add(struct harvest *, const char *table,
    const char *stream, int code, const char *text);
/* Is the body a page of HTML: not what PI Web API says itself? */
bool harvest_is_html(const struct fetch_answer *);
/* Whether a new request may be started now. */
bool harvest_may_start(const struct harvest *);
/* Give waiting work a chance: the one door for starting requests. */
void harvest_poke(struct harvest *);
/* Count an answer that could not be had or used; ends the run when there
 * were too many in a row. Reset by harvest_good(). */
void harvest_bad(struct harvest *, const struct err *);
void harvest_good(struct harvest *);
/* Drive the loop until `done` says so, the run failed or was stopped, and
 * everything answered is durable. */
int harvest_drive(struct harvest *, struct err *);

/* Run the loop until what a task on a worker sets false is so. */
void harvest_wait(struct harvest *, const bool *busy);

/* The lane of tasks that note something; those below are writers'. */
#define HARVEST_NOTE_LANE 63u

/* harvest_budget.c: loaded and claimed of before the first request, then by a
 * worker; what is left of a claim is given back at the end. */
int harvest_budget_begin(struct harvest *, const struct fetch_options *,
    struct err *);
void harvest_budget_end(struct harvest *);
/* By all runs, as far as it is known. */
void harvest_budget_spent(const struct harvest *, struct pace_spent *);
void harvest_budget_free(struct harvest *);

/* harvest_ties.c: what is noted of a stream. [a, b) was read anew: what was
 * noted within no longer holds; or add one. */
int harvest_ties_clear(struct ledger_txn *, const char *table, uint32_t id,
    int64_t a, int64_t b, struct err *);
int harvest_ties_add(struct ledger_txn *, const char *table, uint32_t id,
    int64_t at, struct err *);

/*
 * harvest_open.c: the frames of an object that were open before this run, and
 * what readings teach of such. A window's rows are told one by one, then
 * harvest_open_rest() finds those that began in [a, b) and are not among
 * them; with `ask` it adds to `out` where they began, with no more than
 * `together` between the first and the last of a range.
 */
struct harvest_open;
struct harvest_opens {
	struct {
		struct ledger_open o;
		bool open;
	} *v;				/* owned; in the order of learning */
	size_t n, cap;
};
bool harvest_open_can(const struct source_table *);
struct harvest_open *harvest_open_new(const struct ledger_stream *);
void harvest_open_free(struct harvest_open *);
void harvest_open_row(const struct harvest_open *, const struct source_table *,
    const struct rows *, uint32_t i, struct harvest_opens *);
void harvest_open_rest(struct harvest_open *, int64_t a, int64_t b, bool ask,
    int64_t together, struct ranges *out, struct harvest_opens *);
/* Whether a row that was asked for by beginning is one that was missing. */
bool harvest_open_asked(const struct harvest_open *,
    const struct source_table *, const struct rows *, uint32_t i,
    struct harvest_opens *);
void harvest_opens_learn(struct ledger_stream *, const struct harvest_opens *);
void harvest_opens_free(struct harvest_opens *);

/* harvest_space.c: look, at each tick; h->full while there is no room. */
void harvest_space_tick(struct harvest *);
/* harvest_commit.c: what found no room is written once more, or fails. */
void harvest_commit_again(struct harvest *);
void harvest_commit_give_up(struct harvest *);

/*
 * harvest_quarantine.c: keep an answer that could not be used. Decoding
 * destroys a body, so whoever may give up on an answer takes a copy before.
 */
struct harvest_bad {
	const char *table;
	const char *stream;		/* or NULL: several */
	const char *key;		/* or NULL */
	int64_t a, b;			/* or both TICKS_NONE */
	const char *target;
	int status;
	int code;
	const char *reason;
};
struct harvest_copy {
	char *body;			/* NULL: none */
	size_t len;			/* of the copy */
	size_t whole;			/* of the answer */
};
void harvest_copy_take(const struct harvest *, struct harvest_copy *,
    const struct fetch_answer *);
void harvest_copy_free(struct harvest_copy *);
/* Takes the copy's body over. Written by a worker. */
void harvest_quarantine(struct harvest *, const struct harvest_bad *,
    struct harvest_copy *);

/* harvest_kept.c: write a file, and let the oldest go. */
int harvest_kept_write(const struct sys *, const char *data,
    const struct harvest_kept *, const char *body, uint64_t bytes_max,
    struct err *);
/* The id of a stream's entry. */
void harvest_kept_id(const char *source, const char *table, const char *key,
    char *id);

/*
 * harvest_cap.c. The most items the server gives a call, as it says when
 * asked for more, and the longest URL it takes: kept from run to run, until
 * a discovery forgets them, for they may have been raised. So is that it has
 * no request for first values, for a day.
 */
void harvest_cap_learn(struct harvest *, uint32_t cap);
void harvest_cap_learn_url(struct harvest *, uint32_t cap);
void harvest_cap_learn_no_first(struct harvest *);
int harvest_cap_note(struct ledger_txn *, const struct harvest_caps *,
    struct err *);
int harvest_cap_recall(struct harvest *, struct err *);
int harvest_cap_forget(struct harvest *, struct err *);

/*
 * harvest_choice.c. How a series is asked for, as it was learnt; lives as
 * long as h. Told when it has changed. Texts to be noted, made on the
 * loop's thread. And: what was refused may be tried again.
 */
struct harvest_choice_text;

struct harvest_choice *harvest_choice_of(struct harvest *,
    const struct source_table *);
void harvest_choice_free(struct harvest *);
void harvest_choice_told(const struct source_table *,
    const struct harvest_choice *);
struct harvest_choice_text *harvest_choice_texts(const struct harvest *);
void harvest_choice_texts_free(struct harvest_choice_text *);
int harvest_choice_note(struct ledger_txn *,
    const struct harvest_choice_text *, struct err *);
int harvest_choice_forget(struct harvest *, struct err *);

/* harvest_note.c: now and then, and at the end of a run; on a worker. */
void harvest_note_tick(struct harvest *);
void harvest_note_end(struct harvest *);

/* harvest_want.c: where what is read again of a stream begins. */
int64_t harvest_tail_from(const struct ranges *covered,
    const struct harvest_range *, int64_t tail);
/* Where what is young of a stream begins, TICKS_NONE: nothing is. */
int64_t harvest_young_from(const struct ledger_stream *, int64_t tail);
/* How long the tail of a table is. */
int64_t harvest_tail(const struct harvest *, const struct source_table *);
/* A cell that the tail begins in is read whole, or could not be compared. */
void harvest_widen(const struct ledger_stream *, const struct harvest_range *,
    int64_t tail, struct ranges *out);
/*
 * Cells, in which what is read again is compared: their length, ticks, or 0
 * when nothing is; the one that holds t begins at; and the beginning of
 * those of a range's tail, TICKS_MAX when there are none.
 */
int64_t harvest_cell_len(const struct harvest *, const struct source_table *);
int64_t harvest_cell_floor(int64_t t, int64_t len);
int64_t harvest_cells_from(const struct harvest *,
    const struct source_table *, const struct harvest_range *);
/* Note the server's now for those who look later. */
int harvest_clock_note(struct harvest *, struct err *);

bool harvest_walk_poke(struct harvest *);	/* false: nothing to start */
bool harvest_walk_idle(const struct harvest *);	/* no work left */
void harvest_walk_abandon(struct harvest *);
bool harvest_series_poke(struct harvest *);
bool harvest_series_idle(const struct harvest *);
void harvest_series_abandon(struct harvest *);
/* Stream-seconds of the series being covered. */
void harvest_series_progress(const struct harvest *, double *wanted,
    double *missing);

int harvest_walk_run(struct harvest *, const struct source_table *,
    const struct harvest_range *, struct err *);
/* Units that will be asked for by the next harvest_drive(), beside a series;
 * end is legal without a beginning. */
int harvest_walk_begin(struct harvest *, const struct source_table *,
    const struct harvest_range *, struct err *);
void harvest_walk_end(struct harvest *);
int harvest_series_run(struct harvest *, const struct source_table *,
    const struct harvest_range *, struct err *);

#endif
