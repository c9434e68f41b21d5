#ifndef FETCH_HTTP1_H
#define FETCH_HTTP1_H

/*
 * The framing of one answer in HTTP/1.1 or 1.0 (RFC 9112): bytes go in as
 * they come, header lines and pieces of the body come out. Where an answer
 * ends is a matter of safety: what may be read in two ways is refused. The
 * result does not depend on how the bytes were cut. No I/O in here.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

/* The size of a chunk and what may follow it in its line. */
#define HTTP1_CHUNK_LINE_MAX 1024u

/* Who is told. Each returns whether to go on. */
struct http1_user {
	/* A header line of the final answer, without its end; the name ends
	 * at the colon at `name`. Trailers are not told. */
	bool (*header)(void *cookie, const char *line, size_t name,
	    size_t len);
	/* Of the body, as it was sent: content encodings are on it still. */
	bool (*body)(void *cookie, const char *, size_t len);
};

enum http1_end {
	HTTP1_MORE,		/* to come */
	HTTP1_DONE,		/* the answer is whole */
	HTTP1_BAD,		/* it is not valid: see why */
	HTTP1_TOO_LARGE,	/* its headers are */
	HTTP1_STOPPED,		/* the user did not want to go on */
	HTTP1_CUT,		/* the connection was closed too early */
};

struct http1 {
	int state;
	int status;		/* 0: not known yet; that of the final answer
				 * once it is */
	unsigned matched;	/* of the first bytes of an answer */
	int64_t length;		/* Content-Length, -1: none */
	uint64_t piece;		/* bytes of the body or chunk */
	uint64_t left;		/* of them */
	uint64_t body_bytes;	/* that came */
	size_t head_bytes;	/* of all lines but chunks' */
	size_t head_max;
	size_t line_bytes;	/* of this line, of a chunk's */
	bool old;		/* HTTP/1.0 */
	bool chunked;
	bool close;		/* told by the server */
	bool keep;		/* by one of HTTP/1.0 */
	bool spoilt;		/* what follows may not be an answer */
	const char *why;	/* literal */
	struct buf line;	/* begun in earlier bytes */
};

void http1_init(struct http1 *, size_t head_max);
void http1_fini(struct http1 *);
/* For the next answer; keeps memory. */
void http1_clear(struct http1 *);
/* *used: how many of the bytes were this answer's; the rest is not. */
enum http1_end http1_put(struct http1 *, const char *, size_t n,
    size_t *used, const struct http1_user *, void *cookie);
/* The connection has ended: that may be the end of the body. */
enum http1_end http1_eof(struct http1 *);
/* So many bytes come next that are body and nothing else; 0: not known. They
 * may be put where they belong without http1_put(): then tell. */
uint64_t http1_plain(const struct http1 *);
enum http1_end http1_took(struct http1 *, size_t n);
/* After HTTP1_DONE: may another request follow on this connection? */
bool http1_keeps(const struct http1 *);

#endif
