/*
 * Dictionaries of distinct strings: a heap of bytes with offsets, and an
 * open-addressing table of codes. Equal strings asked for in a row cost one
 * comparison.
 */

#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/must.h"
#include "rows/rows_int.h"

#define NO_CODE UINT32_MAX

void
rows_dict_init(struct rows_dict *d)
{

	memset(d, 0, sizeof(*d));
	d->last = NO_CODE;
}

void
rows_dict_fini(struct rows_dict *d)
{

	free(d->off);
	free(d->heap);
	free(d->slots);
	rows_dict_init(d);
}

void
rows_dict_clear(struct rows_dict *d)
{

	d->n = 0;
	d->last = NO_CODE;
	if (d->nslots > 0)
		memset(d->slots, 0, d->nslots * sizeof(d->slots[0]));
}

static bool
equal(const struct rows_dict *d, uint32_t code, const char *s, size_t len)
{
	size_t n;
	const char *x = rows_dict_str(d, code, &n);

	return (n == len && (n == 0 || memcmp(x, s, n) == 0));
}

static void
rehash(struct rows_dict *d)
{
	uint32_t i, at, mask;
	const char *s;
	size_t n;

	free(d->slots);
	d->nslots = d->nslots == 0 ? 64 : d->nslots * 2;
	d->slots = must_calloc(d->nslots, sizeof(d->slots[0]));
	mask = d->nslots - 1;
	for (i = 0; i < d->n; i++) {
		s = rows_dict_str(d, i, &n);
		at = (uint32_t)hash64(s, n, 0) & mask;
		while (d->slots[at] != 0)
			at = (at + 1) & mask;
		d->slots[at] = i + 1;
	}
}

static uint32_t
append(struct rows_dict *d, const char *s, size_t len)
{
	size_t used = d->n > 0 ? d->off[d->n] : 0;

	MUST(len <= UINT32_MAX - used);
	if (d->n + 1 >= d->cap) {
		d->cap = d->cap == 0 ? 32 : d->cap * 2;
		d->off = must_realloc(d->off, d->cap + 1, sizeof(d->off[0]));
	}
	/* Never NULL, not for the empty string either. */
	if (d->heap_cap == 0 || used + len > d->heap_cap) {
		while (d->heap_cap == 0 || used + len > d->heap_cap)
			d->heap_cap = d->heap_cap == 0 ? 512 : d->heap_cap * 2;
		d->heap = must_realloc(d->heap, d->heap_cap, 1);
	}
	d->off[d->n] = (uint32_t)used;
	if (len > 0)
		memcpy(d->heap + used, s, len);
	d->off[d->n + 1] = (uint32_t)(used + len);
	return (d->n++);
}

uint32_t
rows_dict_intern(struct rows_dict *d, const char *s, size_t len)
{
	uint32_t at, mask;

	if (d->last != NO_CODE && equal(d, d->last, s, len))
		return (d->last);
	if (d->n * 4 >= d->nslots * 3)
		rehash(d);
	mask = d->nslots - 1;
	at = (uint32_t)hash64(s, len, 0) & mask;
	while (d->slots[at] != 0) {
		if (equal(d, d->slots[at] - 1, s, len))
			return (d->last = d->slots[at] - 1);
		at = (at + 1) & mask;
	}
	d->last = append(d, s, len);
	d->slots[at] = d->last + 1;
	return (d->last);
}

size_t
rows_dict_bytes(const struct rows_dict *d)
{

	return (d->heap_cap + (size_t)d->cap * sizeof(d->off[0]) +
	    (size_t)d->nslots * sizeof(d->slots[0]));
}

static int
compare(const void *a, const void *b, void *cookie)
{
	const struct rows_dict *d = cookie;
	const char *x, *y;
	size_t nx, ny;
	int c;

	x = rows_dict_str(d, *(const uint32_t *)a, &nx);
	y = rows_dict_str(d, *(const uint32_t *)b, &ny);
	c = memcmp(x, y, nx < ny ? nx : ny);
	return (c != 0 ? c : nx < ny ? -1 : nx > ny);
}

uint32_t *
rows_dict_ranks(const struct rows_dict *d)
{
	uint32_t *order, *rank, i;

	order = must_calloc((size_t)d->n + 1, sizeof(order[0]));
	rank = must_calloc((size_t)d->n + 1, sizeof(rank[0]));
	for (i = 0; i < d->n; i++)
		order[i] = i;
	qsort_r(order, d->n, sizeof(order[0]), compare,
	    (void *)(uintptr_t)d);
	for (i = 0; i < d->n; i++)
		rank[order[i]] = i;
	free(order);
	return (rank);
}
