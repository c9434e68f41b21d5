#ifndef PACE_PACE_INT_H
#define PACE_PACE_INT_H

/* The parts of a pace. */

#include "pace/pace.h"

/* --- pace_limit.c: requests in flight ------------------------------------ */

enum pace_phase { PACE_GROW, PACE_HOLD, PACE_TRY_MORE, PACE_TRY_LESS };

struct pace_limit {
	enum pace_phase phase;
	double limit;			/* now, >= 1 */
	double ceiling;
	double base;			/* limit that a trial is compared to */
	double base_power;		/* bytes a microsecond at it, 0: not
					 * measured */
	uint32_t epoch;			/* +1 each time limit changes */
	unsigned quiet;			/* epochs until the next trial */
	unsigned pause;			/* between trials, doubling */
	bool more_next;			/* which trial is next */
	unsigned cap_epochs;		/* no growth after a cut, epochs */
	/* this epoch, of requests sent in it */
	unsigned settled;		/* not counted, the first of it */
	unsigned ended;
	unsigned starved;		/* of them, the limit was never used up
					 * while they lasted */
	double bytes;
	double busy_us;			/* sum of their times */
};

void pace_limit_init(struct pace_limit *, double start, double ceiling);
void pace_limit_ceiling(struct pace_limit *, double ceiling);
/* A request of that epoch has ended; `full` when meanwhile the limit was
 * used up. */
void pace_limit_good(struct pace_limit *, uint32_t epoch, uint64_t bytes,
    int64_t took_us, bool full);
/* The server asked for less; true when the limit was cut for it. */
bool pace_limit_cut(struct pace_limit *, uint32_t epoch);

/* --- pace_breaker.c ------------------------------------------------------ */

struct pace_breaker_state {
	enum pace_breaker now;
	unsigned threshold;
	double ratio;
	int64_t open_us;		/* of the next opening */
	int64_t open_first_us;
	int64_t open_max_us;
	int64_t until_us;		/* open: then half-open */
	int64_t since_us;		/* first opened, not closed since */
	int64_t opened_us;		/* last */
	bool probing;			/* half-open: the probe is out */
	unsigned in_row;
	uint32_t history;		/* a bit a request, 1 failed */
	unsigned seen;			/* of PACE_RATIO_REQUESTS */
	uint64_t opened;
};

void pace_breaker_init(struct pace_breaker_state *,
    const struct pace_params *);
/* 0: may be sent (as the probe when half-open), else wait so long. */
int64_t pace_breaker_wait(struct pace_breaker_state *, int64_t now_us);
/* Is what is sent now the probe? */
bool pace_breaker_sent(struct pace_breaker_state *);
/* True when the state changed. */
bool pace_breaker_ended(struct pace_breaker_state *, bool failed, bool probe,
    int64_t now_us);
void pace_breaker_cancelled(struct pace_breaker_state *, bool probe);
/* If it is open, no longer than until then. */
void pace_breaker_limit(struct pace_breaker_state *, int64_t until_us);

/* --- pace_bucket.c ------------------------------------------------------- */

struct pace_bucket {
	double rate;			/* a second, 0: no limit */
	double burst;
	double tokens;
	int64_t at_us;
};

void pace_bucket_init(struct pace_bucket *, double rate, double burst,
    double tokens, int64_t now_us);
/* Another rate from now on. */
void pace_bucket_rate(struct pace_bucket *, double rate, double burst,
    int64_t now_us);
int64_t pace_bucket_wait(struct pace_bucket *, int64_t now_us);
void pace_bucket_take(struct pace_bucket *);

/* --- pace.c -------------------------------------------------------------- */

struct pace {
	uint32_t magic;
	struct pace_params p;
	struct pace_bucket rate;
	struct pace_bucket retries;
	struct pace_limit limit;
	struct pace_breaker_state origin;
	struct pace_breaker_state classes[PACE_CLASSES];
	unsigned in_flight;
	int64_t full_us;		/* when the limit was last used up */
	uint64_t slowed;
	int64_t pause_until_us;		/* the server's Retry-After */
	/* calendar */
	int64_t ceiling_until_s;
	bool shut;			/* no requests now */
	/* budgets */
	struct pace_span hour, day;
	struct pace_claims claims;
	bool claiming;
	struct {			/* what the server said */
		uint64_t left;
		int64_t until_us;	/* 0: nothing */
	} quotas[PACE_QUOTAS];
};

#define PACE_MAGIC 0x50414345u

/* --- pace_spent.c: budgets and quotas ------------------------------------ */

/* Hours and days that are over begin anew. */
void pace_budgets(struct pace *, int64_t unix_s);

#endif
