#ifndef SCHED_SCHED_INT_H
#define SCHED_SCHED_INT_H

/*
 * What the files of sched share.
 *
 * The wanted time of a stream is cut into pieces. A piece is in exactly one
 * place: the heap (ordered, see sched_piece.c), parked at its stream (which
 * may have one request at a time), or in a set. A set is what a request
 * asks: one window of some streams. It is either flying, or in the redo
 * list: to be asked again just so, because packing it anew would undo a
 * bisection.
 *
 * Invariants (sched_check()), at every return:
 * 1. pieces and windows of sets of one stream are disjoint;
 * 2. for a stream that is not set aside they add up to what is missing;
 * 3. `waiting` counts pieces and members of redo sets of streams not set
 *    aside; `flying` counts sets;
 * 4. a stream has parked pieces only while it flies.
 */

#include <sys/queue.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sched/sched.h"

#define SCHED_MAGIC 0x53434844u
#define SCHED_SET_MAGIC 0x53455421u

/* Smallest max_count worth asking in a set. */
#define SCHED_COUNT_MIN 16u
/* Answers that make no sense before a stream is set aside. */
#define SCHED_STRIKES 3u
/* Sets cut at exactly M before `maxCount` is taken to count the whole. */
#define SCHED_SPLITS 3u

struct piece {
	int64_t a;
	int64_t b;
	uint32_t stream;	/* index */
	uint32_t count_min;	/* > 0: a page was all ties; ask so many */
	uint8_t class;		/* like goes with like */
};

struct parked {
	struct parked *next;
	struct piece piece;
};

struct stream {
	uint32_t id;
	uint32_t url_len;
	double items;		/* learnt: items over seconds, fading */
	double seconds;		/* 0: nothing known */
	int64_t window_max;	/* halved when answers are too slow */
	int64_t window_min;	/* a share of the last one: a burst must not
				 * make windows of a tick */
	int64_t missing;	/* ticks; saturated */
	int64_t floor;		/* pieces before it are dropped when they
				 * come up */
	struct parked *parked;
	uint32_t flying;	/* sets it flies in */
	uint32_t waiting;	/* its share of sched->waiting */
	uint8_t strikes;
	uint8_t left_out;
	bool probe;		/* one request at a time, until it succeeds */
	bool aside;
};

enum fate {
	FATE_NONE,
	FATE_WHOLE,	/* [a, b) is complete */
	FATE_PART,	/* [a, cut) is; the rest is asked again */
	FATE_TIES,	/* as PART, though events at cut - 1 are missing */
	FATE_RAISE,	/* nothing is; again with a larger count */
	FATE_SPLIT,	/* nothing is; the set is split */
	FATE_ALONE,	/* left out; again alone */
	FATE_LOST,	/* left out though alone */
	FATE_BAD,	/* out of order or outside the window */
};

struct slot {
	uint32_t stream;
	uint32_t n;
	int64_t first;
	int64_t last;
	int64_t cut;
	uint32_t count_min;
	bool counted;
	enum fate fate;
};

struct set {
	uint32_t magic;
	LIST_ENTRY(set) link;	/* flying or redo */
	int64_t a;
	int64_t b;
	uint32_t max_count;
	uint32_t count_min;
	uint32_t n;
	bool judged;
	bool exact;		/* its items were M in sum */
	uint32_t *ids;
	struct slot *slots;
};

LIST_HEAD(set_list, set);

struct failure {
	uint32_t id;
	int code;
};

struct sched {
	uint32_t magic;
	struct sched_params p;
	uint32_t streams_max;	/* of one set; halved and grown again */
	uint32_t share;		/* sched_alone() */
	bool per_stream;	/* proven: maxCount counts per stream */
	bool total;		/* assumed: it counts the whole set */
	uint32_t splits;

	struct stream *streams;
	uint32_t n;
	uint32_t cap;
	uint32_t *map;		/* id -> index + 1, open addressing */
	uint32_t map_cap;	/* power of two */

	struct piece *heap;
	size_t heap_n;
	size_t heap_cap;
	struct set_list redo;
	struct set_list air;
	size_t waiting;
	size_t flying;

	struct failure *failures;
	size_t failures_n;
	size_t failures_cap;
	double wanted_s;
	double missing_s;
};

/* sched.c */
void sched_aside(struct sched *, uint32_t stream, int code);
void sched_covered(struct sched *, uint32_t stream, int64_t a, int64_t b);

/* Items a second that are expected of a stream. */
double sched_density_of(const struct sched *, const struct stream *);
double sched_seconds(int64_t ticks);

/* sched_piece.c */
#define SCHED_CLASS_ALONE 255		/* never with others */
void sched_piece_add(struct sched *, uint32_t stream, int64_t a, int64_t b,
    uint32_t count_min);
/* The next piece that may fly, left in the heap; NULL when there is none. */
const struct piece *sched_piece_peek(struct sched *);
struct piece sched_piece_pop(struct sched *);
/* What is parked at a stream, back to the heap. */
void sched_piece_unpark(struct sched *, struct stream *);

/* sched_set.c */
struct set *sched_set_new(int64_t a, int64_t b, uint32_t count_min,
    uint32_t n);
void sched_set_put(struct sched *, struct set *, uint32_t k, uint32_t stream);
void sched_set_redo(struct sched *, struct set *);
void sched_set_fly(struct sched *, struct set *);
void sched_set_land(struct sched *, struct set *);
void sched_set_unpark(struct sched *, const struct set *);

#endif
