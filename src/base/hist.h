#ifndef BASE_HIST_H
#define BASE_HIST_H

/*
 * A histogram of whole numbers: each power of two is cut into four, so a
 * quantile is right to a quarter (as HdrHistogram with few digits; 2 KiB,
 * one addition to record).
 */

#include <stdint.h>

#define HIST_BUCKETS 252

struct hist {
	uint64_t n;
	uint64_t sum;
	uint64_t max;
	uint64_t bucket[HIST_BUCKETS];
};

/* All zero is an empty one. */
void hist_add(struct hist *, uint64_t value);
/* Smallest bound that at least the share q (0..1) is at or below; never
 * above the largest value; 0 when empty. */
uint64_t hist_quantile(const struct hist *, double q);
/* Largest value that falls into bucket i. */
uint64_t hist_bound(unsigned i);

#endif
