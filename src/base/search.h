#ifndef BASE_SEARCH_H
#define BASE_SEARCH_H

/* Bisection of what is sorted. */

#include <stdbool.h>
#include <stddef.h>

/*
 * The index of the first of n items of `size` bytes that is not before the
 * key; n when all are. Those before it stand in front of the others. Inline,
 * as the comparison then is too.
 */
static inline size_t
search_first(const void *items, size_t n, size_t size,
    bool (*is_before)(const void *item, const void *key), const void *key)
{
	const unsigned char *p = items;
	size_t lo = 0, hi = n, mid;

	while (lo < hi) {
		mid = lo + (hi - lo) / 2;
		if (is_before(p + mid * size, key))
			lo = mid + 1;
		else
			hi = mid;
	}
	return (lo);
}

#endif
