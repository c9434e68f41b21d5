/*
 * A token bucket: `rate` tokens a second flow in, `burst` are kept at most,
 * a request takes one. A rate of 0 is no limit.
 */
#include "config.h"

#include "base/must.h"
#include "pace/pace_int.h"

void
pace_bucket_init(struct pace_bucket *b, double rate, double burst,
    double tokens, int64_t now_us)
{

	*b = (struct pace_bucket){ .rate = rate, .burst = burst,
	    .tokens = tokens, .at_us = now_us };
}

static void
flow(struct pace_bucket *b, int64_t now_us)
{

	if (now_us > b->at_us) {
		b->tokens += (double)(now_us - b->at_us) * b->rate / 1e6;
		b->at_us = now_us;
	}
	if (b->tokens > b->burst)
		b->tokens = b->burst;
}

void
pace_bucket_rate(struct pace_bucket *b, double rate, double burst,
    int64_t now_us)
{

	flow(b, now_us);
	b->rate = rate;
	b->burst = burst;
	flow(b, now_us);
}

int64_t
pace_bucket_wait(struct pace_bucket *b, int64_t now_us)
{

	if (b->rate <= 0)
		return (0);
	flow(b, now_us);
	if (b->tokens >= 1)
		return (0);
	return ((int64_t)((1 - b->tokens) * 1e6 / b->rate) + 1);
}

void
pace_bucket_take(struct pace_bucket *b)
{

	if (b->rate > 0)
		b->tokens -= 1;
}
