/*
 * How spoilt answers are sent: each kind makes the whole answer as bytes, and
 * says where they stop, how fast they come, and how the connection ends.
 */

#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "base/must.h"
#include "codec/zip.h"
#include "mock/mock_answer.h"
#include "mock/mock_fault_int.h"
#include "mock/mock_http.h"

#define BOMB_BYTES (96u << 20)
#define FILLER_BYTES (512u << 10)
/* What a wrong Content-Length promises too much. */
#define LONGER_BYTES 1000

static void
put_head(struct mock_wire *w, const struct mock_resp *r,
    const struct mock_head *h, uint64_t length, bool gzip)
{
	buf_clear(&w->bytes);
	mock_head_put(&w->bytes, r, h, length, gzip);
	w->head_len = w->bytes.len;
}

/* With a length of its own, and a body of its own after it. */
static void
put_whole(struct mock_wire *w, const struct mock_resp *r,
    const struct mock_head *h, uint64_t length)
{
	put_head(w, r, h, length, false);
	buf_put(&w->bytes, r->body.data, r->body.len);
}

/* Half of the head, half of the body, or nothing yet. */
static size_t
place(const struct mock_wire *w, enum mock_at at)
{
	switch (at) {
	case MOCK_AT_HEAD:
		return (w->head_len / 2);
	case MOCK_AT_BODY:
		return (w->head_len + (w->bytes.len - w->head_len) / 2);
	default:
		return (0);
	}
}

void
mock_wire_cut(const struct mock_fault *f, struct mock_resp *r,
    struct mock_head *h, struct mock_wire *w)
{
	put_whole(w, r, h, r->body.len);
	w->stop = place(w, f->at == MOCK_AT_ANY ? MOCK_AT_BODY : f->at);
	w->end = MOCK_END_CLOSE;
}

void
mock_wire_reset(const struct mock_fault *f, struct mock_resp *r,
    struct mock_head *h, struct mock_wire *w)
{
	put_whole(w, r, h, r->body.len);
	w->stop = place(w, f->at);
	w->end = MOCK_END_RESET;
}

void
mock_wire_stall(const struct mock_fault *f, struct mock_resp *r,
    struct mock_head *h, struct mock_wire *w)
{
	put_whole(w, r, h, r->body.len);
	w->from = place(w, f->at);
	w->hold_ms = f->ms;
}

/* From the first byte of the body on, or of the head, or half of it. */
void
mock_wire_drip(const struct mock_fault *f, struct mock_resp *r,
    struct mock_head *h, struct mock_wire *w)
{
	put_whole(w, r, h, r->body.len);
	w->from = f->at == MOCK_AT_START || f->at == MOCK_AT_HEAD ?
	    place(w, f->at) : w->head_len;
	w->each_ms = f->ms > 0 ? f->ms : 1000;
}

void
mock_wire_longer(const struct mock_fault *f, struct mock_resp *r,
    struct mock_head *h, struct mock_wire *w)
{
	(void)f;
	put_whole(w, r, h, r->body.len + LONGER_BYTES);
	w->end = MOCK_END_CLOSE;
}

/* The rest stays on the connection, before the next answer. */
void
mock_wire_shorter(const struct mock_fault *f, struct mock_resp *r,
    struct mock_head *h, struct mock_wire *w)
{
	(void)f;
	put_whole(w, r, h, r->body.len / 2);
}

/* One good chunk, then one whose size is no number. */
void
mock_wire_chunk(const struct mock_fault *f, struct mock_resp *r,
    struct mock_head *h, struct mock_wire *w)
{
	size_t half = r->body.len / 2;

	(void)f;
	h->http10 = false;
	put_head(w, r, h, UINT64_MAX, false);
	buf_printf(&w->bytes, "%zx\r\n", half);
	buf_put(&w->bytes, r->body.data, half);
	buf_puts(&w->bytes, "\r\nxyz\r\n");
	buf_put(&w->bytes, r->body.data + half, r->body.len - half);
	buf_puts(&w->bytes, "\r\n0\r\n\r\n");
}

static void
put_zipped(struct mock_wire *w, const struct mock_resp *r,
    const struct mock_head *h, const struct buf *zipped, size_t n)
{
	put_head(w, r, h, n, true);
	buf_put(&w->bytes, zipped->data, n);
}

/* The length is right, what was packed is not all there. */
void
mock_wire_cutgzip(const struct mock_fault *f, struct mock_resp *r,
    struct mock_head *h, struct mock_wire *w)
{
	struct buf zipped;

	(void)f;
	buf_init(&zipped, 2 * MOCK_FAULT_BODY_MAX);
	MUST(zip_gzip(r->body.data, r->body.len, 1, &zipped) == 0);
	put_zipped(w, r, h, &zipped, zipped.len / 2);
	buf_fini(&zipped);
}

/* Good JSON, an empty list, should anybody unpack it. Made once, as it takes
 * a good part of a second. */
void
mock_wire_bomb_prepare(struct buf *out)
{
	static const char open[] = "{\"Items\":[", close[] = "]}";
	char *text = must_realloc(NULL, BOMB_BYTES, 1);

	memset(text, ' ', BOMB_BYTES);
	memcpy(text, open, sizeof(open) - 1);
	memcpy(text + BOMB_BYTES - 2, close, 2);
	MUST(zip_gzip(text, BOMB_BYTES, 9, out) == 0);
	free(text);
}

void
mock_wire_bomb(const struct mock_fault *f, struct mock_resp *r,
    struct mock_head *h, struct mock_wire *w)
{
	put_zipped(w, r, h, f->payload, f->payload->len);
}

/* The end of the connection is the end of the body. */
void
mock_wire_http10(const struct mock_fault *f, struct mock_resp *r,
    struct mock_head *h, struct mock_wire *w)
{
	(void)f;
	h->http10 = true;
	h->keep_alive = false;
	put_whole(w, r, h, UINT64_MAX);
	w->bytes.data[strlen("HTTP/1.")] = '0';
	w->end = MOCK_END_CLOSE;
}

void
mock_wire_rubbish(const struct mock_fault *f, struct mock_resp *r,
    struct mock_head *h, struct mock_wire *w)
{
	(void)f;
	(void)r;
	(void)h;
	buf_puts(&w->bytes, "220 mail.example ESMTP ready\r\n\r\n");
	w->end = MOCK_END_CLOSE;
}

void
mock_wire_headers(const struct mock_fault *f, struct mock_resp *r,
    struct mock_head *h, struct mock_wire *w)
{
	char line[100], *filler = must_calloc(FILLER_BYTES, 1);
	size_t n = sizeof(line);

	(void)f;
	memset(line, 'x', n);
	memcpy(line, "X-Filler: ", 10);
	memcpy(line + n - 2, "\r\n", 2);
	for (size_t i = 0; i + n <= FILLER_BYTES; i += n)
		memcpy(filler + i, line, n);
	put_whole(w, r, h, r->body.len);
	mock_fault_insert(&w->bytes, w->head_len - 2, filler,
	    FILLER_BYTES / n * n);
	w->head_len += FILLER_BYTES / n * n;
	free(filler);
}
