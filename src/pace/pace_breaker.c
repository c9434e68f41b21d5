/*
 * A circuit breaker. Closed, it counts failures: so many in a row, or such
 * a share of the last PACE_RATIO_REQUESTS, open it. Open, nothing is sent
 * for a time. Then half-open: one request is the probe; when it is good the
 * breaker closes, when not it opens again for twice the time.
 */
#include "config.h"

#include "base/must.h"
#include "pace/pace_int.h"

static const char *const names[] = {
	[PACE_CLOSED] = "closed", [PACE_OPEN] = "open",
	[PACE_HALF_OPEN] = "half-open",
};

const char *
pace_breaker_name(enum pace_breaker b)
{

	return (names[b]);
}

void
pace_breaker_init(struct pace_breaker_state *b, const struct pace_params *p)
{

	*b = (struct pace_breaker_state){ .now = PACE_CLOSED,
	    .threshold = p->breaker_failures, .ratio = p->breaker_ratio,
	    .open_us = p->breaker_open_us,
	    .open_first_us = p->breaker_open_us,
	    .open_max_us = p->breaker_open_max_us };
}

int64_t
pace_breaker_wait(struct pace_breaker_state *b, int64_t now_us)
{

	switch (b->now) {
	case PACE_OPEN:
		if (now_us < b->until_us)
			return (b->until_us - now_us);
		b->now = PACE_HALF_OPEN;
		b->probing = false;
		return (0);
	case PACE_HALF_OPEN:
		return (b->probing ? PACE_ENDS : 0);
	case PACE_CLOSED:
		break;
	}
	return (0);
}

bool
pace_breaker_sent(struct pace_breaker_state *b)
{

	if (b->now != PACE_HALF_OPEN)
		return (false);
	MUST(!b->probing);
	b->probing = true;
	return (true);
}

static void
open_now(struct pace_breaker_state *b, int64_t now_us)
{

	if (b->now == PACE_CLOSED)
		b->since_us = now_us;
	b->now = PACE_OPEN;
	b->probing = false;
	b->opened_us = now_us;
	b->until_us = now_us + b->open_us;
	b->open_us = b->open_us * 2 < b->open_max_us ? b->open_us * 2 :
	    b->open_max_us;
	b->opened++;
}

static void
close_now(struct pace_breaker_state *b)
{

	b->now = PACE_CLOSED;
	b->probing = false;
	b->open_us = b->open_first_us;
	b->since_us = 0;
	b->in_row = 0;
	b->history = 0;
	b->seen = 0;
}

static bool
too_many(const struct pace_breaker_state *b)
{
	int failed = __builtin_popcount(b->history);

	return (b->in_row >= b->threshold ||
	    (b->seen >= PACE_RATIO_REQUESTS &&
	    failed >= b->ratio * PACE_RATIO_REQUESTS));
}

bool
pace_breaker_ended(struct pace_breaker_state *b, bool failed, bool probe,
    int64_t now_us)
{

	if (b->threshold == 0)
		return (false);
	if (probe && b->now == PACE_HALF_OPEN) {
		if (failed)
			open_now(b, now_us);
		else
			close_now(b);
		return (true);
	}
	/* What was in flight when it opened tells nothing new. */
	if (b->now != PACE_CLOSED)
		return (false);
	b->history = b->history << 1 | failed;
	b->in_row = failed ? b->in_row + 1 : 0;
	if (b->seen < PACE_RATIO_REQUESTS)
		b->seen++;
	if (!too_many(b))
		return (false);
	open_now(b, now_us);
	return (true);
}

void
pace_breaker_cancelled(struct pace_breaker_state *b, bool probe)
{

	if (probe && b->now == PACE_HALF_OPEN)
		b->probing = false;
}

void
pace_breaker_limit(struct pace_breaker_state *b, int64_t until_us)
{

	if (b->now == PACE_OPEN && b->until_us > until_us)
		b->until_us = until_us;
}
