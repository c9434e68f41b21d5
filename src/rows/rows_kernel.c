/*
 * The loops of rows_kernel.h. They have no branch a number and no call, so
 * that compilers make vectors of them; the bodies are inlined into one set
 * of functions for any machine and one for AVX2. FMA is not asked for: it
 * rounds once where two steps round twice, and would give other bits.
 */

#include "config.h"

#include <math.h>
#include <string.h>

#include "rows/rows_int.h"

#if defined(__x86_64__) && defined(__GNUC__)
#define WITH_AVX2
#include <immintrin.h>
#endif

#define BODY static inline __attribute__((always_inline))

/* Adding it rounds what is smaller than 2^51 to a whole number, which then
 * stands in the low bits. */
#define ROUNDER 6755399441055744.0	/* 1.5 * 2^52 */
#define WHOLE_MAX 2251799813685248.0	/* 2^51 */

#define STRIDE 32	/* compared at once */

BODY uint64_t
zigzag(uint64_t x)
{

	return (x << 1 ^ (0 - (x >> 63)));
}

BODY uint64_t
offsets_body(const int64_t *restrict x, uint32_t n, uint64_t base,
    uint64_t *restrict z)
{
	uint64_t all = 0;
	uint32_t i;

	for (i = 0; i < n; i++)
		all |= z[i] = zigzag((uint64_t)x[i] - base);
	return (all);
}

BODY uint64_t
steps_body(const int64_t *restrict x, uint32_t n, uint64_t slope,
    uint64_t *restrict z)
{
	uint64_t all = 0;
	uint32_t i;

	z[0] = 0;
	for (i = 1; i < n; i++)
		all |= z[i] = zigzag((uint64_t)x[i] - (uint64_t)x[i - 1] -
		    slope);
	return (all);
}

BODY uint64_t
bends_body(const int64_t *restrict x, uint32_t n, uint64_t *restrict z)
{
	uint64_t all = 0;
	uint32_t i;

	z[0] = 0;
	if (n > 1)
		z[1] = 0;
	for (i = 2; i < n; i++)
		all |= z[i] = zigzag((uint64_t)x[i] -
		    2 * (uint64_t)x[i - 1] + (uint64_t)x[i - 2]);
	return (all);
}

BODY void
bytes_body(const uint64_t *restrict z, uint32_t n, unsigned shift,
    uint8_t *restrict p)
{
	uint32_t i;

	for (i = 0; i < n; i++)
		p[i] = (uint8_t)(z[i] >> shift);
}

BODY uint64_t
bits_of(double x)
{
	uint64_t u;

	memcpy(&u, &x, sizeof(u));
	return (u);
}

BODY uint64_t
decimals_body(const double *restrict x, uint32_t n, double power,
    int64_t *restrict to)
{
	const uint64_t zero = bits_of(ROUNDER);
	uint64_t bad = 0;
	double scaled, moved;
	uint32_t i;

	for (i = 0; i < n; i++) {
		scaled = x[i] * power;
		moved = scaled + ROUNDER;
		to[i] = (int64_t)(bits_of(moved) - zero);
		bad += (bits_of((moved - ROUNDER) / power) != bits_of(x[i])) |
		    !(fabs(scaled) < WHOLE_MAX);
	}
	return (bad);
}

/* Whether any of STRIDE is not x0. */
BODY uint32_t
differ(const uint32_t *x, uint32_t x0)
{
	uint32_t k, other = 0;

	for (k = 0; k < STRIDE; k++)
		other |= x[k] ^ x0;
	return (other);
}

BODY uint32_t
run_body(const uint32_t *x, uint32_t n)
{
	const uint32_t x0 = x[0];
	uint32_t i = 0;

	while (i + STRIDE <= n && differ(x + i, x0) == 0)
		i += STRIDE;
	while (i < n && x[i] == x0)
		i++;
	return (i);
}

/* name: what ends the functions' names; attribute: what they are for. */
#define KERNEL(name, attribute)						\
attribute static uint64_t						\
offsets_##name(const int64_t *x, uint32_t n, uint64_t base, uint64_t *z) \
{									\
									\
	return (offsets_body(x, n, base, z));				\
}									\
									\
attribute static uint64_t						\
steps_##name(const int64_t *x, uint32_t n, uint64_t slope, uint64_t *z)	\
{									\
									\
	return (steps_body(x, n, slope, z));				\
}									\
									\
attribute static uint64_t						\
bends_##name(const int64_t *x, uint32_t n, uint64_t *z)			\
{									\
									\
	return (bends_body(x, n, z));					\
}									\
									\
attribute static void							\
bytes_##name(const uint64_t *z, uint32_t n, unsigned shift, uint8_t *p)	\
{									\
									\
	bytes_body(z, n, shift, p);					\
}									\
									\
attribute static uint64_t						\
decimals_##name(const double *x, uint32_t n, double power, int64_t *to)	\
{									\
									\
	return (decimals_body(x, n, power, to));			\
}									\
									\
attribute static uint32_t						\
run_##name(const uint32_t *x, uint32_t n)				\
{									\
									\
	return (run_body(x, n));					\
}									\
									\
static const struct rows_kernel kernel_##name = {			\
	.offsets = offsets_##name,					\
	.steps = steps_##name,						\
	.bends = bends_##name,						\
	.bytes = bytes_##name,						\
	.decimals = decimals_##name,					\
	.bits = bits_##name,						\
	.run = run_##name,						\
}

static void
bits_plain(const uint8_t *x, uint32_t n, unsigned bit, uint8_t *p)
{
	uint32_t i;

	for (i = 0; i < n; i += 8)
		*p++ = rows_pack8(rows_load8(x + i) >> bit &
		    0x0101010101010101u);
}

KERNEL(plain, );

const struct rows_kernel *
rows_kernel_plain(void)
{

	return (&kernel_plain);
}

#ifdef WITH_AVX2
/* The highest bits of 32 bytes at once: no compiler finds this one. */
__attribute__((target("avx2"))) static void
bits_avx2(const uint8_t *x, uint32_t n, unsigned bit, uint8_t *p)
{
	const __m128i up = _mm_cvtsi32_si128(7 - (int)bit);
	uint32_t i, k, word;
	__m256i v;

	for (i = 0; i + 32 <= n; i += 32) {
		v = _mm256_loadu_si256((const void *)(x + i));
		word = (uint32_t)_mm256_movemask_epi8(_mm256_sll_epi64(v, up));
		for (k = 0; k < 4; k++)
			*p++ = (uint8_t)(word >> 8 * k);
	}
	/* gcc 12 leaves it out where it makes a jump of the call, and all
	 * that follows drags the upper halves along. */
	_mm256_zeroupper();
	bits_plain(x + i, n - i, bit, p);
}

KERNEL(avx2, __attribute__((target("avx2"))));

const struct rows_kernel *
rows_kernel_best(void)
{

	return (__builtin_cpu_supports("avx2") ? &kernel_avx2 :
	    &kernel_plain);
}
#else
const struct rows_kernel *
rows_kernel_best(void)
{

	return (&kernel_plain);
}
#endif
