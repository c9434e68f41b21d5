#ifndef MOCK_HTTP_H
#define MOCK_HTTP_H

/*
 * The head of a request, taken apart; and the head of an answer. Strict:
 * the limits are those of HTTP.sys, which stands before a real server.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct buf;
struct mock_resp;

#define MOCK_HEAD_MAX 16384
#define MOCK_SEGMENT_MAX 260
#define MOCK_BODY_MAX 4194304

/* Texts point into the head, which is cut up with NULs. */
struct mock_head {
	char *method;
	char *target;
	const char *authorization;	/* NULL: none */
	bool http10;
	bool keep_alive;
	bool gzip;
	bool requested_with;
	bool expect;			/* 100-continue */
	bool form;			/* the body's type */
	uint64_t body_bytes;
};

/* 0, or the status to refuse it with: 400, 411, 413, 505. The text must
 * end with a NUL. */
int mock_head_parse(struct mock_head *, char *text);

/* The head of an answer; body_bytes UINT64_MAX: chunked, or until the end
 * of the connection for HTTP/1.0. */
void mock_head_put(struct buf *, const struct mock_resp *,
    const struct mock_head *, uint64_t body_bytes, bool gzip);

#endif
