#ifndef BASE_RANGES_H
#define BASE_RANGES_H

/*
 * A set of half-open ranges [a, b) of int64, kept sorted, disjoint and not
 * touching: the form of coverage. Adding is merging.
 *
 * Invariants (ranges_check()), at every return:
 * 1. a < b in each range; 2. r[i].b < r[i+1].a.
 *
 * Encoding (ledger): varint n, then per range zigzag(a - previous b) and
 * varint(b - a): about ten bytes a range.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct buf;
struct cur;

struct range {
	int64_t a;
	int64_t b;
};

struct ranges {
	struct range *r;	/* owned */
	size_t n;
	size_t cap;
};

void ranges_init(struct ranges *);
void ranges_fini(struct ranges *);
void ranges_clear(struct ranges *);
void ranges_copy(struct ranges *to, const struct ranges *from);
/* a >= b is no range and does nothing. */
void ranges_add(struct ranges *, int64_t a, int64_t b);
void ranges_remove(struct ranges *, int64_t a, int64_t b);
void ranges_subtract(struct ranges *, const struct ranges *);
bool ranges_contains(const struct ranges *, int64_t a, int64_t b);
/* `out` becomes [a, b) minus the set. */
void ranges_missing(const struct ranges *, int64_t a, int64_t b,
    struct ranges *out);
/* Sum of lengths, saturating. */
int64_t ranges_total(const struct ranges *);
void ranges_encode(const struct ranges *, struct buf *);
int ranges_decode(struct ranges *, struct cur *); /* 0 or ERR_CORRUPT */
void ranges_check(const struct ranges *);	/* asserts the invariants */

#endif
