#ifndef ROWS_ROWS_KERNEL_H
#define ROWS_ROWS_KERNEL_H

/*
 * The loops over every number of a stream, where encoding spends its time.
 * There is one text of each, compiled for any machine and, where the
 * compiler can, for vectors of 32 bytes; both give the same bits.
 */

#include <stddef.h>
#include <stdint.h>

struct rows_kernel {
	/* z[i] = zigzag of x[i] - base; of the first difference less slope;
	 * of the second difference. What has no difference yet gets 0.
	 * Returns all z or'ed. */
	uint64_t (*offsets)(const int64_t *x, uint32_t n, uint64_t base,
	    uint64_t *z);
	uint64_t (*steps)(const int64_t *x, uint32_t n, uint64_t slope,
	    uint64_t *z);
	uint64_t (*bends)(const int64_t *x, uint32_t n, uint64_t *z);
	/* p[i] is the eight bits of z[i] from bit `shift` on. */
	void (*bytes)(const uint64_t *z, uint32_t n, unsigned shift,
	    uint8_t *p);
	/* i[k] = x[k] * power, rounded; the number of those for which
	 * i[k] / power is not x[k] to the last bit, whose i[k] is anything. */
	uint64_t (*decimals)(const double *x, uint32_t n, double power,
	    int64_t *i);
	/* Bit i % 8 of p[i / 8] is that bit of x[i], for n of them, a multiple
	 * of eight. */
	void (*bits)(const uint8_t *x, uint32_t n, unsigned bit, uint8_t *p);
	/* How many at the beginning, of n > 0, are equal. */
	uint32_t (*run)(const uint32_t *x, uint32_t n);
};

const struct rows_kernel *rows_kernel_plain(void);
/* The best for this processor, maybe the plain one. */
const struct rows_kernel *rows_kernel_best(void);

#endif
