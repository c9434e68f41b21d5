/*
 * A table of answers, open addressing, at most half full.
 *
 * An answer is finished at once when it is offered, unless it is larger than
 * the room that is left: then it goes on being made in pieces from where it
 * is, and the cache takes no other, as each would cost as much memory.
 */

#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/hash.h"
#include "base/must.h"
#include "mock/mock_answer.h"
#include "mock/mock_cache.h"

#define SLOTS_MIN 256
#define ANSWER_MAX (64u << 20)

struct kept {
	uint64_t hash;
	char *target;		/* owned */
	struct buf body;
	uint64_t items;
	int64_t cost_ms;
	int64_t settled;
};

struct mock_cache {
	uint64_t left;		/* bytes */
	uint64_t used;
	uint64_t found;
	bool full;
	struct kept **slot;	/* owned; NULL: free */
	size_t slots;		/* power of two */
	size_t n;
};

struct mock_cache *
mock_cache_new(uint64_t bytes_max)
{
	struct mock_cache *c = must_calloc(1, sizeof(*c));

	c->left = bytes_max;
	c->slots = SLOTS_MIN;
	c->slot = must_calloc(c->slots, sizeof(struct kept *));
	return (c);
}

void
mock_cache_free(struct mock_cache *c)
{
	if (c == NULL)
		return;
	for (size_t i = 0; i < c->slots; i++) {
		if (c->slot[i] == NULL)
			continue;
		buf_fini(&c->slot[i]->body);
		free(c->slot[i]->target);
		free(c->slot[i]);
	}
	free(c->slot);
	free(c);
}

/* Where that target is, or would be. */
static struct kept **
place(const struct mock_cache *c, uint64_t hash, const char *target)
{
	size_t i = hash & (c->slots - 1);

	while (c->slot[i] != NULL && (c->slot[i]->hash != hash ||
	    strcmp(c->slot[i]->target, target) != 0))
		i = (i + 1) & (c->slots - 1);
	return (&c->slot[i]);
}

static void
grow(struct mock_cache *c)
{
	struct kept **old = c->slot;
	size_t slots = c->slots;

	c->slots = 2 * slots;
	c->slot = must_calloc(c->slots, sizeof(struct kept *));
	for (size_t i = 0; i < slots; i++)
		if (old[i] != NULL)
			*place(c, old[i]->hash, old[i]->target) = old[i];
	free(old);
}

bool
mock_cache_find(struct mock_cache *c, const struct mock_req *req,
    struct mock_resp *r)
{
	const struct kept *k = *place(c, hash64(req->target,
	    strlen(req->target), 0), req->target);

	if (k == NULL || k->settled > req->now)
		return (false);
	r->kept = &k->body;
	r->items = k->items;
	r->delay_ms += k->cost_ms;
	c->found++;
	return (true);
}

/* What is taken from the room besides the body. */
static uint64_t
overhead(const struct mock_req *req)
{
	return (sizeof(struct kept) + 4 * sizeof(struct kept *) +
	    strlen(req->target) + 1);
}

/* The memory is taken over, and what is too much of it given back. */
static void
take(struct buf *to, struct buf *from)
{
	size_t n;
	uint8_t *data = buf_steal(from, &n);

	*to = (struct buf){ .data = must_realloc(data, n, 1), .len = n,
		.cap = n, .max = n };
}

void
mock_cache_offer(struct mock_cache *c, const struct mock_req *req,
    struct mock_resp *r, int64_t cost_ms)
{
	uint64_t own = overhead(req), room = 0;
	struct kept *k, **at;

	if (c->full || r->settled == MOCK_UNSETTLED || r->settled > req->now)
		return;
	if (own <= c->left)
		room = c->left - own < ANSWER_MAX ? c->left - own : ANSWER_MAX;
	if (room == 0 || !mock_resp_finish(r, room)) {
		c->full = true;
		return;
	}
	if (2 * (c->n + 1) > c->slots)
		grow(c);
	k = must_calloc(1, sizeof(*k));
	k->hash = hash64(req->target, strlen(req->target), 0);
	at = place(c, k->hash, req->target);
	MUST(*at == NULL);
	*at = k;
	c->n++;
	c->left -= own + r->body.len;
	c->used += own + r->body.len;
	k->target = must_strdup(req->target);
	take(&k->body, &r->body);
	k->items = r->items;
	k->settled = r->settled;
	k->cost_ms = cost_ms;
	r->kept = &k->body;
}

void
mock_cache_put(const struct mock_cache *c, struct buf *out)
{
	buf_printf(out, "{\"answers\":%zu,\"bytes\":%llu,\"found\":%llu}",
	    c->n, (unsigned long long)c->used, (unsigned long long)c->found);
}
