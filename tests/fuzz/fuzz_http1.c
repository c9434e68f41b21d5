/*
 * Answers of HTTP/1.x, framed and decompressed: the same whether the bytes
 * come at once, one by one, or in two parts. The first byte tells how they
 * are compressed, and whether the connection ends with them.
 */

#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/must.h"
#include "codec/zip.h"
#include "fetch/fetch_http1.h"
#include "fuzz.h"

#define HEAD_MAX 2048
#define BODY_MAX 65536
#define PIECE 512

/* What came out. */
struct seen {
	struct zip_stream *unzip;	/* NULL: not compressed */
	struct buf headers;
	struct buf body;
	enum http1_end end;
	const char *why;
	int status;
	bool keeps;
};

static void
put_zstd(struct buf *b, const char *text, size_t len)
{
	struct zip *z = zip_new(3);
	struct err e = ERR_INIT;

	MUST(zip_compress(z, text, len, b, &e) == 0);
	zip_free(z);
}

bool
fuzz_seed(unsigned i, struct buf *b)
{
	static const char json[] = "{\"Items\":[1,2,3,4,5,6,7,8,9,10]}";
	static const char *const heads[] = {
		"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
		    "Content-Length: 33\r\nConnection: keep-alive\r\n\r\n",
		"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200\r\n"
		    "Transfer-Encoding: chunked\r\n\r\n21;x=y\r\n",
		"HTTP/1.0 404 Not Found\nX: y\n\n",
	};

	if (i >= 5)
		return (false);
	buf_u8(b, (uint8_t)(i < 3 ? i == 2 : i == 3 ? 2 : 4));
	buf_puts(b, heads[i < 3 ? i : 2]);
	if (i == 3)
		MUST(zip_gzip(json, sizeof(json) - 1, 6, b) == 0);
	else if (i == 4)
		put_zstd(b, json, sizeof(json) - 1);
	else
		buf_puts(b, json);
	if (i == 1)
		buf_puts(b, "\r\n0\r\nTrailer: z\r\n\r\n");
	return (true);
}

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	return (0);
}

static bool
on_header(void *cookie, const char *line, size_t name, size_t len)
{
	struct seen *s = cookie;

	MUST(name > 0 && name < len && line[name] == ':');
	buf_put(&s->headers, line, len);
	buf_puts(&s->headers, "\n");
	return (s->headers.error == 0);
}

static bool
on_body(void *cookie, const char *p, size_t len)
{
	const uint8_t *at = (const uint8_t *)p;
	struct seen *s = cookie;
	bool more = true;

	MUST(len > 0);
	if (s->unzip == NULL) {
		buf_put(&s->body, p, len);
		return (s->body.error == 0);
	}
	while (more)
		if (zip_stream_put(s->unzip, &at, &len, PIECE, &s->body,
		    &more) != 0)
			return (false);
	MUST(len == 0);
	return (true);
}

/* In parts of at most `part` bytes, each in memory of its own. */
static void
run(struct seen *s, const uint8_t *data, size_t n, size_t part, unsigned how)
{
	static const struct http1_user user = { on_header, on_body };
	struct http1 h;
	size_t used, len;
	char *copy;

	*s = (struct seen){ .end = HTTP1_MORE };
	if ((how & 6) != 0)
		MUST((s->unzip = zip_stream_new((how & 2) != 0 ? ZIP_GZIP :
		    ZIP_ZSTD)) != NULL);
	buf_init(&s->headers, 2 * HEAD_MAX);
	buf_init(&s->body, BODY_MAX);
	http1_init(&h, HEAD_MAX);
	for (; n > 0 && s->end == HTTP1_MORE; data += len, n -= len) {
		len = n < part ? n : part;
		MUST((copy = malloc(len)) != NULL);
		memcpy(copy, data, len);
		s->end = http1_put(&h, copy, len, &used, &user, s);
		MUST(used <= len && (s->end != HTTP1_MORE || used == len));
		free(copy);
	}
	if (s->end == HTTP1_MORE && (how & 1) != 0)
		s->end = http1_eof(&h);
	s->status = h.status;
	s->why = h.why;
	s->keeps = http1_keeps(&h);
	MUST((s->end == HTTP1_BAD) == (h.why != NULL));
	MUST(!s->keeps || s->end == HTTP1_DONE);
	http1_fini(&h);
}

static void
fini(struct seen *s)
{
	zip_stream_free(s->unzip);
	buf_fini(&s->headers);
	buf_fini(&s->body);
}

/* How far a body came before it was found to be none is no matter. */
static void
same(struct seen *a, struct seen *b)
{
	MUST(a->end == b->end && a->status == b->status && a->why == b->why &&
	    a->keeps == b->keeps);
	MUST(strcmp(buf_str(&a->headers), buf_str(&b->headers)) == 0);
	MUST(a->end == HTTP1_STOPPED || (a->body.len == b->body.len &&
	    (a->body.len == 0 ||
	    memcmp(a->body.data, b->body.data, a->body.len) == 0)));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct seen whole, s;
	size_t parts[2];

	if (n < 2)
		return (0);
	parts[0] = 1;
	parts[1] = n / 2;
	run(&whole, data + 1, n - 1, n, data[0]);
	for (size_t i = 0; i < 2; i++) {
		run(&s, data + 1, n - 1, parts[i], data[0]);
		same(&whole, &s);
		fini(&s);
	}
	fini(&whole);
	return (0);
}
