#ifndef MOCK_PIECE_H
#define MOCK_PIECE_H

/*
 * Pieces of answers, used again and again: what is written into one is sent
 * from there, and it comes back when it is out. Large blocks that are
 * allocated for each piece go back to the kernel each time, which clears
 * them page by page for the next.
 */

#include "base/buf.h"

struct evbuffer;
struct mock_pieces;

struct mock_piece {
	struct buf buf;			/* empty when it is given out */
	struct mock_piece *next;
	struct mock_pieces *home;
};

struct mock_pieces *mock_pieces_new(void);
/* Those that are still in evbuffers go with the last of them. */
void mock_pieces_free(struct mock_pieces *);
/* To be sent or put back. */
struct mock_piece *mock_piece_get(struct mock_pieces *);
void mock_piece_put(struct mock_piece *);
/* All that is in it, which is something; out takes the piece over. */
void mock_piece_send(struct mock_piece *, struct evbuffer *out);

#endif
