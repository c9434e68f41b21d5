/*
 * A list of free pieces, and the number of those that are out: libevent
 * frees the buffers of a connection in a later turn, which may come after
 * the server's end.
 */

#include "config.h"

#include <event2/buffer.h>
#include <stdlib.h>

#include "base/must.h"
#include "mock/mock_piece.h"

#define PIECE_BYTES_MAX (64u << 20)
#define FREE_MAX 64

struct mock_pieces {
	struct mock_piece *free;
	unsigned nfree;
	unsigned out;
	bool over;			/* goes with the last piece */
};

struct mock_pieces *
mock_pieces_new(void)
{
	return (must_calloc(1, sizeof(struct mock_pieces)));
}

static void
piece_free(struct mock_piece *p)
{
	buf_fini(&p->buf);
	free(p);
}

void
mock_pieces_free(struct mock_pieces *all)
{
	struct mock_piece *p;

	if (all == NULL)
		return;
	while ((p = all->free) != NULL) {
		all->free = p->next;
		piece_free(p);
	}
	all->nfree = 0;
	all->over = true;
	if (all->out == 0)
		free(all);
}

struct mock_piece *
mock_piece_get(struct mock_pieces *all)
{
	struct mock_piece *p = all->free;

	if (p != NULL) {
		all->free = p->next;
		all->nfree--;
	} else {
		p = must_calloc(1, sizeof(*p));
		p->home = all;
		buf_init(&p->buf, PIECE_BYTES_MAX);
	}
	all->out++;
	return (p);
}

void
mock_piece_put(struct mock_piece *p)
{
	struct mock_pieces *all = p->home;

	MUST(all->out > 0);
	all->out--;
	if (!all->over && all->nfree < FREE_MAX) {
		buf_clear(&p->buf);
		p->next = all->free;
		all->free = p;
		all->nfree++;
		return;
	}
	piece_free(p);
	if (all->over && all->out == 0)
		free(all);
}

static void
sent(const void *data, size_t n, void *cookie)
{
	(void)data;
	(void)n;
	mock_piece_put(cookie);
}

void
mock_piece_send(struct mock_piece *p, struct evbuffer *out)
{
	MUST(p->buf.len > 0);
	MUST_MEMORY(evbuffer_add_reference(out, p->buf.data, p->buf.len, sent,
	    p) == 0);
}
