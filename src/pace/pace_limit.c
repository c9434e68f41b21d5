/*
 * How many requests in flight: finds by trial what the server can do.
 *
 * The measure is power: bytes received a microsecond, which by Little's law
 * is limit * bytes / sum of the requests' times as long as the limit is used
 * up. It rises with the limit while latency holds, is flat once requests
 * only wait in the server's line, and falls when the server is overrun. So
 *
 *	grow	double the limit while the power follows
 *	hold	keep it; after a pause try a quarter more or a fifth less:
 *		more stays when it brings a third of what it should,
 *		less stays when it costs next to nothing; the pause doubles
 *		when neither does
 *	cut	429, 503, timeouts: less at once, no growth for a while,
 *		and once an epoch
 *
 * An epoch is what was sent under one limit. The first of it, as many as the
 * limit, still shared the server with those before and do not count; it is
 * judged when enough of the others have ended, and not at all when there was
 * too little to do.
 *
 * (Trials of throughput as in Netflix's concurrency-limits and TCP BBR; not
 * a gradient of latency: answers differ in size, and the least latency ever
 * seen is that of the smallest one.)
 */
#include "config.h"

#include "base/must.h"
#include "pace/pace_int.h"

/* Requests that make an epoch: so many, and so many times the limit. */
#define EPOCH_REQUESTS 16u
#define EPOCH_LIMITS 1.0
/* Of the growth of the limit, the share that power must follow. */
#define GROW_FOLLOW 0.35
#define MORE_FOLLOW 0.3
/* Power lost that a smaller limit is worth. */
#define LESS_COST 0.02
#define PAUSE_FIRST 2u
#define PAUSE_MAX 64u
#define CUT_FACTOR 0.8
#define CUT_EPOCHS 8u
/* A request weighs its bytes and this much: empty answers cost as well. */
#define REQUEST_BYTES 2048.0

static void
epoch_new(struct pace_limit *l, double limit)
{

	if (limit > l->ceiling)
		limit = l->ceiling;
	if (limit < 1)
		limit = 1;
	l->limit = limit;
	l->epoch++;
	l->settled = l->ended = l->starved = 0;
	l->bytes = l->busy_us = 0;
}

void
pace_limit_init(struct pace_limit *l, double start, double ceiling)
{

	*l = (struct pace_limit){ .phase = PACE_GROW, .ceiling = ceiling,
	    .pause = PAUSE_FIRST, .more_next = true };
	epoch_new(l, start);
}

void
pace_limit_ceiling(struct pace_limit *l, double ceiling)
{

	MUST(ceiling >= 1);
	if (ceiling == l->ceiling)
		return;
	/* What was held back by the old ceiling may grow again. */
	if (ceiling > l->ceiling && l->limit >= l->ceiling) {
		l->phase = PACE_GROW;
		l->base_power = 0;
	}
	l->ceiling = ceiling;
	if (l->limit > ceiling) {
		l->phase = PACE_HOLD;
		l->base_power = 0;
		l->quiet = l->pause;
		epoch_new(l, ceiling);
	}
}

static unsigned
whole(double limit)
{

	return ((unsigned)limit);
}

static void
hold(struct pace_limit *l, double limit, double power)
{

	l->phase = PACE_HOLD;
	l->base = limit;
	l->base_power = power;
	l->quiet = l->pause;
	epoch_new(l, limit);
}

/* Nothing was found in either direction: look less often. */
static void
settle(struct pace_limit *l, double power)
{

	l->pause = l->pause * 2 < PAUSE_MAX ? l->pause * 2 : PAUSE_MAX;
	hold(l, l->base, power);
}

static double
more_than(double limit)
{
	double more = limit * 1.25;

	return (whole(more) > whole(limit) ? more : whole(limit) + 1);
}

static double
less_than(double limit)
{
	double less = limit * 0.8;

	return (whole(less) < whole(limit) ? less : whole(limit) - 1);
}

/* A limit of `now` brought `power`; is that what it should bring, by a
 * share of the growth over base? */
static bool
follows(const struct pace_limit *l, double power, double share)
{
	double growth = (double)whole(l->limit) / whole(l->base) - 1;

	return (power >= l->base_power * (1 + growth * share));
}

static void
judge_grow(struct pace_limit *l, double power)
{

	if (l->base_power > 0 && !follows(l, power, GROW_FOLLOW)) {
		/* Overrun, or only flat? Flat: the middle may be better. */
		hold(l, l->base, l->base_power);
		l->quiet = 1;
		return;
	}
	if (l->cap_epochs > 0 || whole(l->limit) >= whole(l->ceiling)) {
		hold(l, l->limit, power);
		return;
	}
	l->base = l->limit;
	l->base_power = power;
	epoch_new(l, l->limit * 2);
}

static void
judge_hold(struct pace_limit *l, double power)
{

	/* The newest measure counts most: servers change. */
	l->base_power = l->base_power > 0 ?
	    (l->base_power + power) / 2 : power;
	l->base = l->limit;
	if (l->quiet > 0)
		l->quiet--;
	if (l->quiet > 0) {
		epoch_new(l, l->limit);
		return;
	}
	if (l->more_next && l->cap_epochs == 0 &&
	    whole(l->limit) < whole(l->ceiling)) {
		l->phase = PACE_TRY_MORE;
		epoch_new(l, more_than(l->limit));
	} else if (whole(l->limit) > 1) {
		l->phase = PACE_TRY_LESS;
		epoch_new(l, less_than(l->limit));
	} else {
		l->more_next = true;
		hold(l, l->limit, l->base_power);
	}
}

static void
judge_more(struct pace_limit *l, double power)
{

	if (follows(l, power, MORE_FOLLOW)) {
		l->pause = PAUSE_FIRST;
		hold(l, l->limit, power);
		l->quiet = 1;
		return;
	}
	l->more_next = false;
	hold(l, l->base, l->base_power);
	l->quiet = 1;
}

static void
judge_less(struct pace_limit *l, double power)
{

	l->more_next = true;
	if (power >= l->base_power * (1 - LESS_COST)) {
		l->more_next = false;	/* and perhaps less still */
		hold(l, l->limit, l->base_power > power ? l->base_power :
		    power);
		l->quiet = 1;
		return;
	}
	settle(l, l->base_power);
}

static void
judge(struct pace_limit *l)
{
	double power = whole(l->limit) * l->bytes / l->busy_us;

	if (l->cap_epochs > 0)
		l->cap_epochs--;
	switch (l->phase) {
	case PACE_GROW:
		judge_grow(l, power);
		break;
	case PACE_HOLD:
		judge_hold(l, power);
		break;
	case PACE_TRY_MORE:
		judge_more(l, power);
		break;
	case PACE_TRY_LESS:
		judge_less(l, power);
		break;
	}
}

void
pace_limit_good(struct pace_limit *l, uint32_t epoch, uint64_t bytes,
    int64_t took_us, bool full)
{

	if (epoch != l->epoch)
		return;
	if (l->settled < whole(l->limit)) {
		l->settled++;
		return;
	}
	l->ended++;
	l->starved += !full;
	l->bytes += (double)bytes + REQUEST_BYTES;
	l->busy_us += took_us > 0 ? (double)took_us : 1;
	if (l->ended < EPOCH_REQUESTS ||
	    l->ended < EPOCH_LIMITS * l->limit)
		return;
	if (l->starved > l->ended / 4)
		epoch_new(l, l->limit);
	else
		judge(l);
}

/* A trial that was refused goes back to what was good before it; otherwise a
 * fifth goes. */
bool
pace_limit_cut(struct pace_limit *l, uint32_t epoch)
{
	bool trial = l->base_power > 0 &&
	    (l->phase == PACE_GROW || l->phase == PACE_TRY_MORE);

	if (epoch != l->epoch || whole(l->limit) <= 1)
		return (false);
	l->cap_epochs = CUT_EPOCHS;
	l->more_next = true;
	if (trial) {
		settle(l, l->base_power);
		return (true);
	}
	l->pause = PAUSE_FIRST;
	hold(l, whole(l->limit) * CUT_FACTOR, 0);
	return (true);
}
