/*
 * The parts put together: a request is sent when the calendar, the budgets,
 * the server's own pause, both breakers, the limit and the bucket allow it,
 * asked in this order so that a token is looked at last.
 */
#include "config.h"

#include <stdlib.h>

#include "base/must.h"
#include "pace/pace_int.h"

/* In flight at first, when it is to be found out. */
#define START 8.0
/* Retries that are there at first and kept at most. */
#define RETRIES 16.0
/* While the calendar says no, it is asked again at least so often. */
#define CLOSED_US 1000000

static double
burst_of(const struct pace *p, double rate)
{
	double burst = p->p.burst > 0 ? p->p.burst : rate / 20;

	return (burst < 1 ? 1 : burst);
}

struct pace *
pace_new(const struct pace_params *params, int64_t now_us, int64_t unix_s)
{
	struct pace *p = must_calloc(1, sizeof(*p));
	double start = params->in_flight;
	size_t i;

	MUST(params->in_flight >= 1);
	p->magic = PACE_MAGIC;
	p->p = *params;
	if (params->adaptive && start > START)
		start = START;
	pace_limit_init(&p->limit, start, params->in_flight);
	pace_bucket_init(&p->rate, params->rate, burst_of(p, params->rate), 1,
	    now_us);
	pace_bucket_init(&p->retries, params->retry_rate, RETRIES, RETRIES,
	    now_us);
	pace_breaker_init(&p->origin, params);
	for (i = 0; i < PACE_CLASSES; i++)
		pace_breaker_init(&p->classes[i], params);
	p->ceiling_until_s = INT64_MIN;
	p->hour.number = p->day.number = INT64_MIN;
	pace_budgets(p, unix_s);
	return (p);
}

void
pace_free(struct pace *p)
{

	if (p == NULL)
		return;
	MAGIC_CHECK(p, PACE_MAGIC);
	p->magic = 0;
	free(p);
}

/* --- calendar ------------------------------------------------------------ */

static void
ceilings(struct pace *p, int64_t now_us, int64_t unix_s)
{
	struct pace_ceiling c;
	int64_t seconds;
	double rate;
	int n;

	if (p->p.calendar == NULL || unix_s < p->ceiling_until_s)
		return;
	c = pace_calendar_at(p->p.calendar, unix_s, &seconds);
	p->ceiling_until_s = unix_s + seconds;
	p->shut = c.rate == 0 || c.in_flight == 0;
	rate = c.rate > 0 ? c.rate : p->p.rate;
	n = c.in_flight > 0 ? c.in_flight : (int)p->p.in_flight;
	pace_bucket_rate(&p->rate, rate, burst_of(p, rate), now_us);
	if (p->shut)
		return;
	pace_limit_ceiling(&p->limit, n);
	if (!p->p.adaptive)
		p->limit.limit = n;
}

/* --- the door ------------------------------------------------------------ */

static int64_t
longer(int64_t a, int64_t b)
{

	return (a > b ? a : b);
}

int64_t
pace_wait(struct pace *p, unsigned class, int64_t now_us, int64_t unix_s)
{
	int64_t wait;

	MAGIC_CHECK(p, PACE_MAGIC);
	MUST(class < PACE_CLASSES);
	ceilings(p, now_us, unix_s);
	pace_budgets(p, unix_s);
	if (p->shut)
		return (CLOSED_US);
	if (pace_spent_what(p, now_us, unix_s, &wait) != NULL)
		return (wait);
	if (p->pause_until_us > now_us)
		return (p->pause_until_us - now_us);
	wait = longer(pace_breaker_wait(&p->origin, now_us),
	    pace_breaker_wait(&p->classes[class], now_us));
	if (wait > 0)
		return (wait);
	if (p->in_flight >= (unsigned)p->limit.limit)
		return (PACE_ENDS);
	return (pace_bucket_wait(&p->rate, now_us));
}

void
pace_sent(struct pace *p, unsigned class, int64_t now_us,
    struct pace_ticket *t)
{
	unsigned i;

	MAGIC_CHECK(p, PACE_MAGIC);
	pace_bucket_take(&p->rate);
	p->in_flight++;
	if (p->in_flight >= (unsigned)p->limit.limit)
		p->full_us = now_us;
	p->hour.used++;
	p->day.used++;
	for (i = 0; i < PACE_QUOTAS; i++)
		p->quotas[i].left -= p->quotas[i].left > 0;
	if (p->retries.tokens < RETRIES)
		p->retries.tokens += p->p.retry_share;
	*t = (struct pace_ticket){ .sent_us = now_us,
	    .epoch = p->limit.epoch, .class = (uint8_t)class,
	    .probe = pace_breaker_sent(&p->origin),
	    .class_probe = pace_breaker_sent(&p->classes[class]) };
}

/* --- what came of it ----------------------------------------------------- */

static void
feed_limit(struct pace *p, const struct pace_ticket *t,
    enum pace_outcome what, uint64_t bytes, int64_t now_us, bool full)
{

	if (!p->p.adaptive)
		return;
	if (what == PACE_GOOD)
		pace_limit_good(&p->limit, t->epoch, bytes,
		    now_us - t->sent_us, full);
	else if (what == PACE_SLOW_DOWN || what == PACE_OVERLOAD)
		p->slowed += pace_limit_cut(&p->limit, t->epoch);
}

static bool
feed_breakers(struct pace *p, const struct pace_ticket *t,
    enum pace_outcome what, int64_t now_us)
{
	struct pace_breaker_state *class = &p->classes[t->class];
	bool changed;

	if (what == PACE_CANCELLED) {
		pace_breaker_cancelled(&p->origin, t->probe);
		pace_breaker_cancelled(class, t->class_probe);
		return (false);
	}
	changed = pace_breaker_ended(&p->origin, what == PACE_UNREACHABLE,
	    t->probe, now_us);
	/* Unreachable says nothing of the class, but its probe is back. */
	if (what == PACE_UNREACHABLE) {
		pace_breaker_cancelled(class, t->class_probe);
		return (changed);
	}
	return (pace_breaker_ended(class, what == PACE_BAD ||
	    what == PACE_OVERLOAD, t->class_probe, now_us) || changed);
}

static int64_t
since(const struct pace *p, unsigned class)
{
	int64_t a = p->origin.since_us, b = p->classes[class].since_us;

	return (a == 0 ? b : b == 0 || a < b ? a : b);
}

/* However long a pause has become, the last probe goes out in time. */
static void
limit_pauses(struct pace *p, unsigned class, int64_t now_us)
{
	int64_t end = since(p, class) + p->p.give_up_us;

	if (p->p.give_up_us <= 0 || end <= now_us)
		return;
	pace_breaker_limit(&p->origin, end);
	pace_breaker_limit(&p->classes[class], end);
}

static bool
gave_up(const struct pace_breaker_state *b, int64_t end_us)
{

	return (b->now == PACE_OPEN && b->opened_us >= end_us);
}

bool
pace_gives_up(const struct pace *p, unsigned class)
{
	int64_t at = since(p, class), end = at + p->p.give_up_us;

	MAGIC_CHECK(p, PACE_MAGIC);
	return (at != 0 && p->p.give_up_us > 0 && (gave_up(&p->origin, end) ||
	    gave_up(&p->classes[class], end)));
}

bool
pace_ended(struct pace *p, const struct pace_ticket *t,
    enum pace_outcome what, uint64_t bytes, int64_t retry_after_us,
    int64_t now_us)
{
	bool full = p->full_us >= t->sent_us;

	MAGIC_CHECK(p, PACE_MAGIC);
	MUST(p->in_flight > 0 && t->class < PACE_CLASSES);
	p->in_flight--;
	feed_limit(p, t, what, bytes, now_us, full);
	if (retry_after_us > 0 && what != PACE_GOOD &&
	    now_us + retry_after_us > p->pause_until_us)
		p->pause_until_us = now_us + retry_after_us;
	if (!feed_breakers(p, t, what, now_us))
		return (false);
	limit_pauses(p, t->class, now_us);
	return (true);
}

int64_t
pace_retry(struct pace *p, int64_t now_us)
{
	int64_t wait;

	MAGIC_CHECK(p, PACE_MAGIC);
	if ((wait = pace_bucket_wait(&p->retries, now_us)) == 0)
		pace_bucket_take(&p->retries);
	return (wait);
}

/* --- looking ------------------------------------------------------------- */

void
pace_get_state(const struct pace *p, struct pace_state *s)
{
	int64_t at;
	unsigned i;

	MAGIC_CHECK(p, PACE_MAGIC);
	*s = (struct pace_state){ .limit = (unsigned)p->limit.limit,
	    .ceiling = (unsigned)p->limit.ceiling,
	    .in_flight = p->in_flight, .rate = p->rate.rate,
	    .origin = p->origin.now, .slowed = p->slowed,
	    .opened = p->origin.opened };
	for (i = 0; i < PACE_CLASSES; i++) {
		s->classes[i] = p->classes[i].now;
		s->opened += p->classes[i].opened;
		at = since(p, i);
		if (at != 0 && (s->open_since_us == 0 ||
		    at < s->open_since_us))
			s->open_since_us = at;
	}
}

static void
breaker_check(const struct pace_breaker_state *b)
{

	MUST(!b->probing || b->now == PACE_HALF_OPEN);
	MUST((b->since_us != 0) == (b->now != PACE_CLOSED));
	MUST(b->open_us <= b->open_max_us || b->open_us == b->open_first_us);
}

void
pace_check(const struct pace *p)
{
	unsigned i;

	MAGIC_CHECK(p, PACE_MAGIC);
	MUST(p->limit.limit >= 1 && p->limit.limit <= p->limit.ceiling);
	MUST(p->limit.ceiling <= p->p.in_flight ||
	    p->p.calendar != NULL);
	MUST(p->rate.tokens <= p->rate.burst);
	breaker_check(&p->origin);
	for (i = 0; i < PACE_CLASSES; i++)
		breaker_check(&p->classes[i]);
}
