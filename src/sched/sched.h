#ifndef SCHED_SCHED_H
#define SCHED_SCHED_H

/*
 * What is uncovered, cut into windows and packed into requests. Decides,
 * does no I/O, knows no clock: a function of what it is told.
 *
 * Each stream has ranges still wanted. A request asks one half-open window
 * [a, b) of a set of streams of like density. The answer of each stream is
 * judged by sched_verdict(): what of it is proven complete. What is not
 * goes back to the wanted ranges. (Protocol reference, section 5.)
 *
 *	sched_new, sched_add ..., then
 *	while (sched_next(s, &q) == 1) send it;
 *	for each stream of an answer: sched_count(); then for each:
 *	    sched_verdict() -> keep rows with a <= t < cut, cover [a, cut);
 *	sched_finish() when the rows were handed over;
 *	or sched_failed() for an answer that cannot be used.
 *	sched_done() says when nothing is left.
 *
 * Rules of completeness, for a stream that sent n items, asked for M:
 *  n < M                            [a, b) is complete
 *  n >= M, last time L > a          [a, L) is complete, next starts at L
 *  n >= M, all items at one time L  not complete: ask again with M x 4, up
 *                                   to the cap; at the cap: report, step to
 *                                   L + 1 tick (SCHED_TIES)
 *  the sum over a set equals M and it is not proven that M counts per
 *  stream: nothing is complete, the set is split. So it is when a stream
 *  was left out then: its items may have counted.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ranges;
struct sched;

struct sched_params {
	uint32_t target_items;	/* of one answer, e.g. 10,000 */
	uint32_t item_cap;	/* server's cap for streams x M, 150,000 */
	uint32_t page_items;	/* fixed M for one stream; 0: chosen */
	uint32_t url_max;	/* characters of a target */
	uint32_t url_base;	/* of it, without the streams */
	int64_t window_max;	/* ticks */
	double density;		/* values/s of a stream never seen */
	/*
	 * From here on (TICKS_MAX: nowhere) windows begin at multiples of
	 * the grain, where a stream's density allows it in half of what the
	 * server gives a call: for those who compare what was read before.
	 */
	int64_t grain_from;
	int64_t grain;		/* ticks; 0: none */
};

struct sched *sched_new(const struct sched_params *);
void sched_free(struct sched *);

/* Wanted ranges of a stream; `url_len` characters it adds to a target;
 * per_second < 0: unknown. `id` is the caller's and unique. */
void sched_add(struct sched *, uint32_t id, uint32_t url_len,
    double per_second, const struct ranges *wanted);

/* The grain holds from here on as well, and is so long. */
void sched_grain(struct sched *, int64_t from, int64_t grain);

struct sched_request {
	uint32_t n;		/* streams */
	const uint32_t *ids;	/* [n]; lives until finish or failed */
	int64_t a, b;		/* ticks, half-open */
	uint32_t max_count;	/* M, per stream */
	double items;		/* expected in the answer */
	bool full;		/* of one stream, known to fill an answer:
				 * no other can share it */
	void *own;		/* sched's */
};

/*
 * From now on requests are of one stream each, of which so many share an
 * answer (1: each has its own); 0, as at first: of sets. What is to be asked
 * again as a set stays one.
 */
void sched_alone(struct sched *, uint32_t share);

/*
 * 1: *q is to be sent; 0: nothing to send now (all in flight, or done).
 *
 * Newest first: no window is given while one with a later end waits to be
 * asked, be it for the first time or again. So what is live never waits
 * behind backfill, and backfill goes back in time, that of all streams
 * together. But a stream of which nothing is known, or that was asked for
 * less than before, has one request at a time; and a page of ties is asked
 * for again alone, before what follows it.
 */
int sched_next(struct sched *, struct sched_request *q);
/* The end of the newest window that waits and may be asked now, by which
 * several scheds share one budget; false: sched_next() has nothing. */
bool sched_newest(struct sched *, int64_t *b);

/* What waits of a stream before `floor` need not be asked for: it is covered
 * by what the caller knows. What is in flight is answered as it is. */
void sched_floor(struct sched *, uint32_t id, int64_t floor);

/* What stream number k (index into ids) of the answer held: items as sent
 * by the server, before any filtering; first and last tick (n > 0). */
void sched_count(struct sched *, struct sched_request *, uint32_t k,
    uint32_t n, int64_t first, int64_t last);

enum sched_verdict {
	SCHED_KEEP,	/* keep rows with a <= t < *cut, cover [a, *cut) */
	SCHED_AGAIN,	/* keep nothing: it is asked again otherwise */
	SCHED_TIES,	/* as KEEP, but the server cannot give all events at
			 * *cut - 1: report the stream and that time */
};
/* After sched_count() of all streams; asked again it says the same, and
 * until sched_finish() nothing is decided: sched_failed() may still take the
 * answer back, if nothing of it was kept. A stream without sched_count() is one
 * that the answer left out: SCHED_AGAIN, and asked again alone; left out
 * alone, it fails (sched_failures). */
enum sched_verdict sched_verdict(struct sched *, struct sched_request *,
    uint32_t k, int64_t *cut);
void sched_finish(struct sched *, struct sched_request *);

enum sched_why {
	SCHED_GUILTY,	/* refused for good (400, 404, 409, 410, 501...): the
			 * set is bisected down to the guilty stream, which
			 * is set aside */
	SCHED_SMALLER,	/* too big or too slow: halve streams, then window */
	SCHED_URL,	/* target too long: lower url_max, pack again */
	SCHED_GIVE_UP,	/* all its streams are set aside for this run */
	SCHED_RETURN,	/* not sent or cancelled: back as it was */
};
/* For SCHED_SMALLER that cannot be made smaller: set aside. `code` is kept
 * for sched_failure(). */
void sched_failed(struct sched *, struct sched_request *, enum sched_why,
    int code);
/* The server named a smaller cap of items per call. */
void sched_learn_cap(struct sched *, uint32_t item_cap);
/* Another sched has learnt by SCHED_URL how long a target may be; and what
 * this one knows of it. */
void sched_learn_url(struct sched *, uint32_t url_max);
uint32_t sched_url_max(const struct sched *);

bool sched_done(const struct sched *);	/* nothing wanted, none in flight */
/* Streams set aside so far, in order of their failing: 1 and filled in. */
int sched_failure(const struct sched *, size_t i, uint32_t *id, int *code);
double sched_density(const struct sched *, uint32_t id); /* learnt, or < 0 */
/* For a progress bar: stream-seconds wanted at start and still missing. */
void sched_progress(const struct sched *, double *wanted, double *missing);
void sched_check(const struct sched *);	/* asserts the invariants */

#endif
