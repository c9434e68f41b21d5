#ifndef PACE_PACE_H
#define PACE_PACE_H

/*
 * The pace of one origin: who may be sent now, and when to ask again.
 * Decides and does nothing else: a function of its parameters, of what it
 * is told, and of the times it is told (monotonic microseconds, never going
 * back; the calendar and the budgets also look at Unix seconds).
 *
 *	token bucket	requests/s, with a small burst
 *	limit		requests in flight: finds what the server can do
 *			(pace_limit.c), below a ceiling
 *	calendar	ceilings of both by weekday and hour
 *	budgets		requests of an hour and of a day; what the server's
 *			own headers leave
 *	breakers	one of the origin (nothing can be reached), one of
 *			each class of requests (nothing sensible comes back)
 *	retries		as many as earlier requests have earned
 *
 * The happy path: pace_wait() says 0, pace_sent(), pace_ended().
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;
struct pace;
struct pace_calendar;

/* Classes of requests, each with a breaker of its own. */
#define PACE_CLASSES 8

struct pace_params {
	double rate;			/* requests/s, 0: no limit */
	double burst;			/* requests; 0: of 50 ms, at least 1 */
	unsigned in_flight;		/* ceiling, >= 1 */
	bool adaptive;			/* or always the ceiling */
	const struct pace_calendar *calendar;	/* borrowed; NULL: none */
	uint64_t budget_hour;		/* requests, 0: no limit; from the */
	uint64_t budget_day;		/* full hour, from midnight (zone of
					 * the calendar, else UTC) */
	unsigned breaker_failures;	/* in a row, 0: no breakers */
	double breaker_ratio;		/* of the last PACE_RATIO_REQUESTS */
	int64_t breaker_open_us;	/* doubles up to the next */
	int64_t breaker_open_max_us;
	int64_t give_up_us;		/* of pauses, then a last probe; 0:
					 * never */
	double retry_share;		/* retries a request earns */
	double retry_rate;		/* and a second */
};

#define PACE_RATIO_REQUESTS 32u

/* The strings are not kept. NULL never. */
struct pace *pace_new(const struct pace_params *, int64_t now_us,
    int64_t unix_s);
void pace_free(struct pace *);

/*
 * May a request of the class be sent? 0: yes. Otherwise microseconds after
 * which to ask again, or PACE_ENDS: not before one in flight has ended.
 */
#define PACE_ENDS INT64_MAX
int64_t pace_wait(struct pace *, unsigned class, int64_t now_us,
    int64_t unix_s);

/* What a request takes with it from pace_sent() to pace_ended(). */
struct pace_ticket {
	int64_t sent_us;
	uint32_t epoch;
	uint8_t class;
	bool probe, class_probe;	/* of which breaker */
};
/* Only after pace_wait() has said 0 at the same time. */
void pace_sent(struct pace *, unsigned class, int64_t now_us,
    struct pace_ticket *);

enum pace_outcome {
	PACE_GOOD,		/* an answer, also one that refuses */
	PACE_SLOW_DOWN,		/* 429, or 503 with Retry-After */
	PACE_BAD,		/* an answer that makes no sense, 500 */
	PACE_OVERLOAD,		/* 503, 504, timeout after connecting */
	PACE_UNREACHABLE,	/* not connected, TLS, reset */
	PACE_CANCELLED,		/* says nothing */
};
/*
 * The end of a try. `bytes` received; `retry_after_us` >= 0 when the server
 * named one: nobody is sent before. True when a breaker has changed.
 */
bool pace_ended(struct pace *, const struct pace_ticket *, enum pace_outcome,
    uint64_t bytes, int64_t retry_after_us, int64_t now_us);

/* The server said how many requests it will take until then, by its quota
 * number `which` (< PACE_QUOTAS). */
#define PACE_QUOTAS 4
void pace_remaining(struct pace *, unsigned which, uint64_t requests,
    int64_t until_us);

/*
 * What was spent of the budgets, and what the server's quotas leave: to be
 * kept while no process runs, and shared by several that do.
 */
struct pace_spent {
	struct pace_span {
		int64_t number;		/* of the Unix hour; of the day */
		uint64_t used;		/* by this pace; or the sum of what
					 * all have claimed */
	} hour, day;
	struct {
		uint64_t left;
		int64_t until_s;	/* Unix; 0: nothing is known */
	} quotas[PACE_QUOTAS];
};
void pace_get_spent(struct pace *, int64_t now_us, int64_t unix_s,
    struct pace_spent *);
/* What is known of quotas; the others stay as they are. */
void pace_set_quotas(struct pace *, const struct pace_spent *,
    int64_t now_us, int64_t unix_s);
/* Put into *sum what one pace learnt of quotas from one look to the next:
 * false when that is nothing. */
bool pace_add_quotas(struct pace_spent *sum, const struct pace_spent *from,
    const struct pace_spent *to);

/*
 * A budget of several processes: each claims what it is about to spend from
 * the sum, before it does, and gives back what it did not at its end. What
 * is claimed counts as spent: a process that dies takes its claim with it,
 * and the budget is never exceeded.
 */
struct pace_budget {
	uint64_t hour, day;		/* requests, 0: no limit */
};
struct pace_claims {
	struct pace_span hour, day;	/* used: claimed by us so far */
	bool hour_dry, day_dry;		/* and there was no more to be had */
};
/*
 * Claim `ahead` requests beyond those of *own, or what there is: no more than
 * half of what nobody has claimed; never less than was claimed already, but
 * for `last`, after which nothing is sent. An hour or a day that has begun in
 * *sum already takes nothing of the one before. True when *sum has changed.
 */
bool pace_claim(const struct pace_budget *, struct pace_spent *sum,
    struct pace_claims *, const struct pace_spent *own, uint64_t ahead,
    bool last);
/* How many may still be sent by what is claimed; UINT64_MAX: there is no
 * budget. */
uint64_t pace_granted(const struct pace_budget *, const struct pace_claims *,
    const struct pace_spent *own);
/* From the first call on no more is sent than is claimed. */
void pace_grant(struct pace *, const struct pace_claims *);
/* What keeps every request back until *wait_us have passed: "the budget of
 * the hour" and its like; NULL when none of them does. */
const char *pace_spent_what(struct pace *, int64_t now_us, int64_t unix_s,
    int64_t *wait_us);

/* May a retry be queued? 0: yes, and it is counted; else ask again after. */
int64_t pace_retry(struct pace *, int64_t now_us);

enum pace_breaker { PACE_CLOSED, PACE_OPEN, PACE_HALF_OPEN };
const char *pace_breaker_name(enum pace_breaker);

struct pace_state {
	unsigned limit;			/* in flight, now */
	unsigned ceiling;		/* of it, now */
	unsigned in_flight;
	double rate;			/* ceiling now, 0: none */
	enum pace_breaker origin;
	enum pace_breaker classes[PACE_CLASSES];
	int64_t open_since_us;		/* the origin's or a class's breaker
					 * first opened and has not closed
					 * since; 0: none */
	uint64_t opened;		/* times a breaker did */
	uint64_t slowed;		/* times the limit was cut */
};
void pace_get_state(const struct pace *, struct pace_state *);
/* The class's requests have been held by a breaker for give_up_us, and the
 * probe that went out at the end of that has failed as well. */
bool pace_gives_up(const struct pace *, unsigned class);

/* Invariants; for tests. */
void pace_check(const struct pace *);

/*
 * The calendar. Entries apply in their order, the last that fits wins:
 *
 *	mon-fri 09:00-17:00 rate=20 in_flight=4
 *	sat,sun 00:00-24:00 in_flight=64
 *	all 22:00-06:00 rate=0
 *
 * Days are those of the begin of the span, which may run past midnight.
 * rate=0 or in_flight=0: no requests then. Zones are those of tzdata;
 * pace_calendar_new() changes TZ for a moment: call it before there are
 * threads. ERR_CONFIG names what is wrong.
 */
int pace_calendar_new(const char *const *lines, size_t n, const char *zone,
    struct pace_calendar **, struct err *);
void pace_calendar_free(struct pace_calendar *);

struct pace_ceiling {
	double rate;			/* < 0: as otherwise */
	int in_flight;			/* < 0: as otherwise */
};
/* What holds at that time, and (if not NULL) for how many seconds at least
 * (1 up to 86,400). */
struct pace_ceiling pace_calendar_at(const struct pace_calendar *,
    int64_t unix_s, int64_t *seconds);
/* Seconds the zone is east of UTC at that time. */
int pace_calendar_offset(const struct pace_calendar *, int64_t unix_s);

#endif
