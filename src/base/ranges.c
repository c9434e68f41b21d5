/*
 * Sets of ranges as one sorted array. Every operation finds its place by
 * bisection and moves the tail at most once; appending in order, the usual
 * life of coverage, moves nothing. Lengths are computed unsigned, because
 * [INT64_MIN, INT64_MAX) is a range, too.
 */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/must.h"
#include "base/ranges.h"

void
ranges_init(struct ranges *s)
{
	*s = (struct ranges){ 0 };
}

void
ranges_fini(struct ranges *s)
{
	if (s == NULL)
		return;
	free(s->r);
	ranges_init(s);
}

void
ranges_clear(struct ranges *s)
{
	s->n = 0;
}

static void
reserve(struct ranges *s, size_t n)
{
	size_t cap;

	if (n <= s->cap)
		return;
	cap = s->cap < 4 ? 4 : s->cap * 2;
	if (cap < n)
		cap = n;
	s->r = must_realloc(s->r, cap, sizeof(*s->r));
	s->cap = cap;
}

void
ranges_copy(struct ranges *to, const struct ranges *from)
{
	if (to == from)
		return;
	reserve(to, from->n);
	if (from->n > 0)
		memcpy(to->r, from->r, from->n * sizeof(*to->r));
	to->n = from->n;
}

/* Index of the first range that ends at or after x (s->n: none). */
static size_t
first_ending(const struct ranges *s, int64_t x)
{
	size_t lo = 0, hi = s->n, mid;

	/* The usual case: at the end. */
	if (hi > 0 && s->r[hi - 1].b < x)
		return (hi);
	while (lo < hi) {
		mid = lo + (hi - lo) / 2;
		if (s->r[mid].b < x)
			lo = mid + 1;
		else
			hi = mid;
	}
	return (lo);
}

/* Replace the ranges i..j-1 by the n (0, 1 or 2) given. */
static void
splice(struct ranges *s, size_t i, size_t j, const struct range *by, size_t n)
{
	size_t tail = s->n - j;

	reserve(s, i + n + tail);
	if (tail > 0 && i + n != j)
		memmove(&s->r[i + n], &s->r[j], tail * sizeof(*s->r));
	if (n > 0)
		memcpy(&s->r[i], by, n * sizeof(*s->r));
	s->n = i + n + tail;
}

void
ranges_add(struct ranges *s, int64_t a, int64_t b)
{
	struct range merged = { a, b };
	size_t i, j;

	if (a >= b)
		return;
	i = first_ending(s, a);
	for (j = i; j < s->n && s->r[j].a <= b; j++) {
		if (s->r[j].a < merged.a)
			merged.a = s->r[j].a;
		if (s->r[j].b > merged.b)
			merged.b = s->r[j].b;
	}
	splice(s, i, j, &merged, 1);
}

void
ranges_remove(struct ranges *s, int64_t a, int64_t b)
{
	struct range rest[2];
	size_t i, j, n = 0;

	if (a >= b)
		return;
	i = first_ending(s, a);
	if (i < s->n && s->r[i].b == a)
		i++;		/* only touches */
	for (j = i; j < s->n && s->r[j].a < b; j++)
		;
	if (i == j)
		return;
	if (s->r[i].a < a)
		rest[n++] = (struct range){ s->r[i].a, a };
	if (s->r[j - 1].b > b)
		rest[n++] = (struct range){ b, s->r[j - 1].b };
	splice(s, i, j, rest, n);
}

void
ranges_subtract(struct ranges *s, const struct ranges *minus)
{
	size_t i;

	if (s == minus) {
		ranges_clear(s);
		return;
	}
	for (i = 0; i < minus->n && s->n > 0; i++)
		ranges_remove(s, minus->r[i].a, minus->r[i].b);
}

bool
ranges_contains(const struct ranges *s, int64_t a, int64_t b)
{
	size_t i;

	if (a >= b)
		return (true);
	i = first_ending(s, b);
	return (i < s->n && s->r[i].a <= a);
}

void
ranges_missing(const struct ranges *s, int64_t a, int64_t b,
    struct ranges *out)
{
	size_t i;

	MUST(s != out);
	ranges_clear(out);
	for (i = first_ending(s, a); i < s->n && s->r[i].a < b; i++) {
		ranges_add(out, a, s->r[i].a);
		a = s->r[i].b;
	}
	ranges_add(out, a, b);
}

static uint64_t
length(const struct range *r)
{
	return ((uint64_t)r->b - (uint64_t)r->a);
}

int64_t
ranges_total(const struct ranges *s)
{
	uint64_t sum = 0;
	size_t i;

	for (i = 0; i < s->n; i++)
		if (__builtin_add_overflow(sum, length(&s->r[i]), &sum) ||
		    sum > INT64_MAX)
			return (INT64_MAX);
	return ((int64_t)sum);
}

void
ranges_encode(const struct ranges *s, struct buf *out)
{
	uint64_t last = 0;
	size_t i;

	ranges_check(s);
	buf_varint(out, s->n);
	for (i = 0; i < s->n; i++) {
		/* Modulo 2^64, so that every pair of ends has a distance. */
		buf_zigzag(out, (int64_t)((uint64_t)s->r[i].a - last));
		buf_varint(out, length(&s->r[i]));
		last = (uint64_t)s->r[i].b;
	}
}

int
ranges_decode(struct ranges *s, struct cur *in)
{
	struct range r;
	uint64_t i, n, last = 0;
	int rc = ERR_CORRUPT;

	ranges_clear(s);
	n = cur_varint(in);
	/* Two bytes a range at least: bounds what we allocate. */
	if (in->bad || n > cur_left(in) / 2)
		goto out;
	reserve(s, (size_t)n);
	for (i = 0; i < n; i++) {
		r.a = (int64_t)(last + (uint64_t)cur_zigzag(in));
		r.b = (int64_t)((uint64_t)r.a + cur_varint(in));
		if (in->bad || r.a >= r.b)
			goto out;
		if (i > 0 && r.a <= s->r[i - 1].b)
			goto out;
		s->r[s->n++] = r;
		last = (uint64_t)r.b;
	}
	rc = 0;
out:
	if (rc != 0)
		ranges_clear(s);
	return (rc);
}

void
ranges_check(const struct ranges *s)
{
	size_t i;

	MUST(s->n <= s->cap);
	for (i = 0; i < s->n; i++) {
		MUST(s->r[i].a < s->r[i].b);
		MUST(i == 0 || s->r[i - 1].b < s->r[i].a);
	}
}
