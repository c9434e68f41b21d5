#ifndef BASE_HASH_H
#define BASE_HASH_H

/* Hashing and deterministic random numbers; the only user of xxhash. */

#include <stddef.h>
#include <stdint.h>

/* XXH3-64. `seed` 0 is the plain form. Used as block checksum as well. */
uint64_t hash64(const void *, size_t, uint64_t seed);
/* splitmix64 finalizer: one well mixed word from another. */
uint64_t hash_mix(uint64_t);

/* xoshiro-class generator for tests, jitter and the mock: same seed, same
 * numbers on every machine. Not for secrets. */
struct rng {
	uint64_t s[2];
};
void rng_init(struct rng *, uint64_t seed);
uint64_t rng_u64(struct rng *);
uint64_t rng_below(struct rng *, uint64_t n);	/* 0..n-1, n > 0 */
double rng_unit(struct rng *);			/* [0, 1) */

#endif
