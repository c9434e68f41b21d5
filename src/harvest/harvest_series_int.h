#ifndef HARVEST_HARVEST_SERIES_INT_H
#define HARVEST_HARVEST_SERIES_INT_H

/*
 * What the files that cover series share.
 *
 *	harvest_series.c	what to cover; groups take turns
 *	harvest_before.c	what is held of a range read again
 *	harvest_first.c		where histories begin
 *	harvest_call.c		requests: windows alone, or in a batch
 *	harvest_ask.c		the answer of a window; those that cannot be
 *				used
 *	harvest_doubt.c		are streams refused, or are we?
 *	harvest_control.c	is the server unwell, or are streams?
 *	harvest_settle.c	answers that can: what they prove
 */

#include "base/ticks.h"
#include "harvest/harvest_int.h"

struct arena;

struct stream {
	struct source_stream s;		/* key, name: in the arena */
	uint32_t id;			/* of the object */
	int64_t since;			/* young from here */
	unsigned tries;			/* unusable answers of it alone */
	const char *why;		/* last error of it alone, in the arena */
	unsigned waits;			/* for harvest_control() */
	bool aside;			/* for the rest of the run */
	bool apart;			/* it failed in a batch: it is asked
					 * for by itself, until it is good */
};

struct group {
	struct harvest_series *series;
	uint32_t number;
	struct sched *sched;		/* ids are indices into streams */
	struct harvest_writer *writer;
	size_t reported;		/* sched failures told so far */
};

/* A window that is asked for. */
struct ask {
	struct group *group;
	struct sched_request q;
	const struct source_stream **streams;	/* [q.n] */
	struct source_page *pages;		/* [q.n] */
	bool answered;				/* what failed is its body */
	bool about;				/* sent while others are
						 * answered well */
	double work;				/* that its answer has done */
};

/* Streams that were read before, kept to be asked when others fail. */
#define HARVEST_CONTROLS 3
struct control {
	struct source_stream s;		/* in the arena of the series */
	int64_t a, b;			/* a window that was read */
};

struct call;					/* harvest_call.c */

struct harvest_series {
	struct harvest *h;
	const struct source_table *table;
	const struct harvest_range *range;
	struct arena *arena;
	struct stream *streams;
	uint32_t nstreams;
	uint32_t streams_cap;
	struct group *groups;
	uint32_t ngroups;
	uint32_t turn;			/* group to ask first */
	int64_t cells_from;		/* what is read from here on is kept
					 * in cells, to be compared */
	int64_t cell_len;
	struct call *calls;		/* in flight */
	struct harvest_choice *choice;	/* of the form of calls */
	size_t answer_mean;		/* bytes, moving average */
	bool answered;			/* in this run, some of it well */
	uint32_t known;			/* streams in the range, but those
					 * that are not asked any more */
	struct {			/* harvest_doubt.c */
		uint32_t refused;	/* streams alone, by 403 */
		bool over;
		struct err err;		/* the last of them */
		int64_t a, b;		/* window to ask others for */
		struct fetch_job *job;
		unsigned probes;	/* refused as well */
	} doubt;
	struct {			/* harvest_control.c */
		struct control last;	/* read in this run; b > a: there is */
		struct control known[HARVEST_CONTROLS];
		uint32_t seen;		/* that might be among them */
		struct fetch_job *job;
		unsigned next;		/* to ask, 0 is `last` */
		int64_t well_us;	/* when one answered last, or 0 */
		bool ill;		/* none did, and no other since */
	} control;
	struct harvest_firsts *firsts;	/* streams never read; or NULL */
	struct harvest_before *before;	/* of a range read again, or NULL */
	int64_t known_from;		/* cells of before begin here */
	int64_t again_from;		/* what is older was never read */
};

/* The group of an object, which was planned. */
struct group *harvest_series_group(struct harvest_series *, uint32_t id);

/* A range longer than this is worth asking where a stream begins; and what is
 * newer is asked for before that. */
#define HARVEST_FIRST_MIN (7 * TICKS_PER_DAY)

/* harvest_first.c: stream number `index` was never read. */
void harvest_first_add(struct harvest_series *, uint32_t index);
bool harvest_first_poke(struct harvest_series *); /* false: nothing to ask */
bool harvest_first_idle(const struct harvest_series *);	/* none in flight */
void harvest_first_cancel(struct harvest_series *);
void harvest_first_free(struct harvest_series *);

/*
 * harvest_before.c: read what the journals hold of the range, as s->before;
 * what cannot be read is not compared. The length of cells; and those of a
 * stream that are known, in order: *at is 0 at first.
 */
void harvest_before_read(struct harvest_series *);
void harvest_before_free(struct harvest_series *);
int64_t harvest_before_len(const struct harvest_series *);
bool harvest_before_next(const struct harvest_series *, uint32_t index,
    uint32_t *at, struct ledger_cell *);

/* harvest_series.c: the group whose next window is the newest, NULL: none
 * has one now. */
struct group *harvest_series_newest(struct harvest_series *, int64_t *b);

/* harvest_call.c: ask for the next windows; there is one at least. */
void harvest_call_start(struct harvest_series *);
/* Take all that is in flight back. */
void harvest_call_cancel(struct harvest_series *);

/* harvest_ask.c: begin and end of a window in flight. */
struct ask *harvest_ask_new(struct group *, const struct sched_request *);
void harvest_ask_free(struct ask *);
void harvest_ask_target(const struct ask *, struct buf *);
/* Its answer has come, by itself; or within another one: true when that was
 * good or a refusal for good, false: it is asked for again, apart. */
void harvest_ask_answer(struct ask *, struct fetch_answer *);
bool harvest_ask_part(struct ask *, const struct source_part *,
    struct fetch_answer *);

/* Set aside the streams that failed. */
void harvest_ask_report(struct harvest_series *);

/* harvest_doubt.c: a stream alone was refused by 403. */
void harvest_doubt_add(struct harvest_series *, const struct sched_request *,
    const struct err *);
/* May streams not be set aside yet? When all are refused, the run fails. */
bool harvest_doubt_holds(struct harvest_series *);
void harvest_doubt_cancel(struct harvest_series *);

/*
 * harvest_control.c: streams are answered by 500, each in PI Web API's own
 * words. Is it about them? One that was read well before is asked again, and
 * nothing else until it has answered.
 */
enum harvest_state { HARVEST_WELL, HARVEST_ILL, HARVEST_WAIT };
/* A stream of the plan that was read in another run. */
void harvest_control_plan(struct harvest_series *, const struct ledger_object *,
    const struct ledger_stream *);
/* A good answer. */
void harvest_control_good(struct ask *);
/* Of a request that failed, by its first stream. HARVEST_WAIT: it is asked;
 * ask again what failed. */
enum harvest_state harvest_control(struct harvest_series *, struct stream *);
/* Whether it is known, now, that the server is well. */
bool harvest_control_well(const struct harvest_series *);
void harvest_control_cancel(struct harvest_series *);

/* harvest_settle.c: keep of a usable answer what it proves. */
void harvest_settle(struct ask *);

#endif
