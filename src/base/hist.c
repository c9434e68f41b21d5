/*
 * A histogram with four buckets a power of two. Values below four have one
 * each; above, a bucket is named by the place of the highest bit and the two
 * bits behind it.
 */
#include "config.h"

#include <stddef.h>

#include "base/hist.h"
#include "base/must.h"

static unsigned
bucket_of(uint64_t v)
{
	unsigned top;

	if (v < 4)
		return ((unsigned)v);
	top = 63u - (unsigned)__builtin_clzll(v);
	return ((top - 1) * 4 + (unsigned)(v >> (top - 2) & 3));
}

uint64_t
hist_bound(unsigned i)
{
	unsigned top = i / 4 + 1;
	uint64_t step;

	MUST(i < HIST_BUCKETS);
	if (i < 4)
		return (i);
	step = UINT64_C(1) << (top - 2);
	return ((UINT64_C(1) << top) + (i % 4 + 1) * step - 1);
}

void
hist_add(struct hist *h, uint64_t v)
{

	h->n++;
	h->sum += v;
	if (v > h->max)
		h->max = v;
	h->bucket[bucket_of(v)]++;
}

uint64_t
hist_quantile(const struct hist *h, double q)
{
	double wanted = q * (double)h->n;
	uint64_t seen = 0, bound;
	unsigned i;

	for (i = 0; i < HIST_BUCKETS; i++) {
		seen += h->bucket[i];
		if (seen > 0 && (double)seen >= wanted)
			break;
	}
	if (h->n == 0 || i == HIST_BUCKETS)
		return (h->max);
	bound = hist_bound(i);
	return (bound < h->max ? bound : h->max);
}
