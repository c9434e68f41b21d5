/*
 * Hashing by XXH3, and small generators with no state but the caller's.
 */
#include "config.h"

#include <xxhash.h>

#include "base/hash.h"
#include "base/must.h"

uint64_t
hash64(const void *data, size_t n, uint64_t seed)
{
	return (XXH3_64bits_withSeed(data, n, seed));
}

uint64_t
hash_mix(uint64_t x)
{
	/* The increment first: otherwise 0 would map to 0. */
	x += 0x9e3779b97f4a7c15u;
	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
	x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
	return (x ^ (x >> 31));
}

static uint64_t
rotl(uint64_t x, int k)
{
	return (x << k | x >> (64 - k));
}

void
rng_init(struct rng *r, uint64_t seed)
{
	/* Two steps of a bijection: never both zero. */
	r->s[0] = hash_mix(seed);
	r->s[1] = hash_mix(seed + 0x9e3779b97f4a7c15u);
}

/* xoroshiro128++ */
uint64_t
rng_u64(struct rng *r)
{
	uint64_t a = r->s[0], b = r->s[1], out;

	out = rotl(a + b, 17) + a;
	b ^= a;
	r->s[0] = rotl(a, 49) ^ b ^ (b << 21);
	r->s[1] = rotl(b, 28);
	return (out);
}

uint64_t
rng_below(struct rng *r, uint64_t n)
{
	uint64_t x, reject;

	MUST(n > 0);
	/* 2^64 mod n: the first so many numbers would favour low results. */
	reject = (0 - n) % n;
	do
		x = rng_u64(r);
	while (x < reject);
	return (x % n);
}

double
rng_unit(struct rng *r)
{
	return ((double)(rng_u64(r) >> 11) * 0x1p-53);
}
