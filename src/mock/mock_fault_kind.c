/*
 * The kinds of faults: one table, and what each does.
 *
 * An `answer` stands in for the handler, or marks the answer for it; a
 * `body` changes the bytes that the handler made; a `wire` decides how they
 * are sent, from the whole answer as bytes (mock_fault_wire.c). All of this
 * is for answers that somebody wants spoilt: they are made whole, up to
 * MOCK_FAULT_BODY_MAX.
 */

#include "config.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/must.h"
#include "base/text.h"
#include "mock/mock_answer.h"
#include "mock/mock_fault_int.h"
#include "mock/mock_http.h"

#define DEPTH 10000
#define LONG_BYTES (10u << 20)

/* --- instead of the handler ----------------------------------------------- */

/* Seconds as they are given, also absurd ones; date, date+N and date-N are
 * HTTP dates so many seconds from now. */
static const char *
retry_header(const struct mock_fault *f, const struct mock_req *req)
{
	const char *value = f->retry;
	char date[64];
	int64_t s = 0;
	time_t t;
	struct tm tm;

	if (strncmp(value, "date", 4) == 0 && (value[4] == '\0' ||
	    text_i64(value + 4 + (value[4] == '+'), -86400 * 366,
	    86400 * 366, &s) == 0)) {
		t = time(NULL) + (time_t)s;
		gmtime_r(&t, &tm);
		strftime(date, sizeof(date), "%a, %d %b %Y %H:%M:%S GMT",
		    &tm);
		value = date;
	}
	return (arena_sprintf(req->arena, "Retry-After: %s\r\n", value));
}

static bool
answer_status(const struct mock_fault *f, const struct mock_req *req,
    struct mock_resp *r)
{
	if (*f->retry != '\0')
		r->header = retry_header(f, req);
	switch (f->status) {
	case 204:
		r->status = 204;
		break;
	case 401:
		r->header = "WWW-Authenticate: Negotiate\r\n";
		mock_resp_message(r, 401,
		    "Authorization has been denied for this request.");
		break;
	case 429:
		mock_resp_message(r, 429, "Rate limit was reached");
		break;
	case 502:
	case 503:
	case 504:
		mock_resp_html(r, f->status, "Service Unavailable");
		break;
	default:
		mock_resp_error(r, f->status, "A fault was asked for: "
		    "status %d.", f->status);
	}
	return (true);
}

static bool
answer_html(const struct mock_fault *f, const struct mock_req *req,
    struct mock_resp *r)
{
	(void)f;
	(void)req;
	mock_resp_html(r, 200, "Sign in");
	return (true);
}

static bool
answer_null(const struct mock_fault *f, const struct mock_req *req,
    struct mock_resp *r)
{
	(void)f;
	(void)req;
	buf_puts(&r->body, "null");
	return (true);
}

static bool
answer_empty(const struct mock_fault *f, const struct mock_req *req,
    struct mock_resp *r)
{
	(void)f;
	(void)req;
	(void)r;
	return (true);
}

static bool
redirect(const char *to, const struct mock_req *req, struct mock_resp *r)
{
	r->header = arena_sprintf(req->arena, "Location: %s\r\n", to);
	mock_resp_html(r, 302, "Object moved");
	return (true);
}

/* To itself: who follows it, follows it for ever. */
static bool
answer_ring(const struct mock_fault *f, const struct mock_req *req,
    struct mock_resp *r)
{
	(void)f;
	return (redirect(req->target, req, r));
}

static bool
answer_redirect(const struct mock_fault *f, const struct mock_req *req,
    struct mock_resp *r)
{
	return (redirect(*f->to != '\0' ? f->to : arena_sprintf(req->arena,
	    "http://elsewhere.invalid%s", req->target), req, r));
}

static bool
answer_webexception(const struct mock_fault *f, const struct mock_req *req,
    struct mock_resp *r)
{
	(void)f;
	(void)req;
	r->broken = true;
	return (false);
}

static bool
answer_missing(const struct mock_fault *f, const struct mock_req *req,
    struct mock_resp *r)
{
	(void)f;
	(void)req;
	r->missing = true;
	return (false);
}

static bool
answer_type(const struct mock_fault *f, const struct mock_req *req,
    struct mock_resp *r)
{
	(void)f;
	(void)req;
	r->type = "text/plain; charset=utf-8";
	return (false);
}

/* --- the body ------------------------------------------------------------- */

void
mock_fault_insert(struct buf *b, size_t at, const void *data, size_t n)
{
	if (buf_reserve(b, n) == NULL)
		return;
	memmove(b->data + at + n, b->data + at, b->len - at);
	memcpy(b->data + at, data, n);
	b->len += n;
}

/* Just within the first item of the last list that has one; len: none. */
static size_t
last_item(const struct buf *b)
{
	static const char mark[] = "\"Items\":[{";
	const uint8_t *p = b->data, *end = b->data + b->len, *found;
	size_t at = b->len;

	while (p < end && (found = memmem(p, (size_t)(end - p), mark,
	    sizeof(mark) - 1)) != NULL) {
		p = found + sizeof(mark) - 1;
		at = (size_t)(p - b->data);
	}
	return (at);
}

/* Put a text in the place of a number that is a value, but not that of a
 * digital state; false: there is none. */
static bool
replace_number(struct buf *b, const void *data, size_t n)
{
	static const char mark[] = "\"Value\":", state[] = ",\"IsSystem\"";
	const uint8_t *p = b->data, *end = b->data + b->len;
	size_t at, len = 0;

	while (len == 0 && p < end && (p = memmem(p, (size_t)(end - p), mark,
	    sizeof(mark) - 1)) != NULL) {
		p += sizeof(mark) - 1;
		while (p + len < end && p[len] != '\0' &&
		    strchr("+-.0123456789eE", p[len]) != NULL)
			len++;
		if ((size_t)(end - p) > len + sizeof(state) &&
		    memcmp(p + len, state, sizeof(state) - 1) == 0)
			len = 0;
	}
	if (len == 0)
		return (false);
	at = (size_t)(p - b->data);
	memmove(b->data + at, b->data + at + len, b->len - at - len);
	b->len -= len;
	mock_fault_insert(b, at, data, n);
	return (true);
}

static void
body_bom(struct buf *b)
{
	mock_fault_insert(b, 0, "\xef\xbb\xbf", 3);
}

static void
body_half(struct buf *b)
{
	b->len /= 2;
}

static void
body_nan(struct buf *b)
{
	(void)replace_number(b, "NaN", 3);
}

static void
body_errors(struct buf *b)
{
	static const char text[] = "\"Errors\":[{\"FieldName\":\"Value\","
	    "\"Message\":[\"The value could not be written.\"]}],";

	mock_fault_insert(b, last_item(b), text, sizeof(text) - 1);
}

/* Within the first item; without one it is all there is. */
static void
body_deep(struct buf *b)
{
	static const char name[] = "\"Remark\":";
	size_t at = last_item(b), n = sizeof(name) - 1;
	char *text = must_calloc(n + 2 * DEPTH + 1, 1);

	memcpy(text, name, n);
	memset(text + n, '[', DEPTH);
	memset(text + n + DEPTH, ']', DEPTH);
	text[n + 2 * DEPTH] = ',';
	if (at == b->len) {
		buf_clear(b);
		buf_put(b, text + n, 2 * DEPTH);
	} else {
		mock_fault_insert(b, at, text, n + 2 * DEPTH + 1);
	}
	free(text);
}

static void
body_long(struct buf *b)
{
	static const char name[] = "\"Remark\":";
	char *text = must_calloc(LONG_BYTES + 3, 1);
	size_t at;

	memset(text, 'x', LONG_BYTES + 2);
	text[0] = text[LONG_BYTES + 1] = '"';
	text[LONG_BYTES + 2] = ',';
	if (!replace_number(b, text, LONG_BYTES + 2)) {
		at = last_item(b);
		mock_fault_insert(b, at, text, LONG_BYTES + 3);
		mock_fault_insert(b, at, name, sizeof(name) - 1);
	}
	free(text);
}

/* --- the table ------------------------------------------------------------ */

static const struct mock_fault_kind STATUS = {
	.name = "STATUS", .what = "this status, 200 to 599; with retry=",
	.answer = answer_status };

static const struct mock_fault_kind KINDS[] = {
	{ .name = "slow", .what = "late by ms=, jitter=, tail=",
	    .delays = true },
	{ .name = "html", .what = "a page of HTML with status 200",
	    .answer = answer_html },
	{ .name = "null", .what = "the body null", .answer = answer_null },
	{ .name = "empty", .what = "no body, with status 200",
	    .answer = answer_empty },
	{ .name = "ring", .what = "302 to the same address",
	    .answer = answer_ring },
	{ .name = "redirect", .what = "302 to another origin, or to=",
	    .answer = answer_redirect },
	{ .name = "webexception", .what = "half of the items, WebException",
	    .answer = answer_webexception },
	{ .name = "missing", .what = "a stream set without its last stream",
	    .answer = answer_missing },
	{ .name = "errors", .what = "Errors on an item",
	    .body = body_errors },
	{ .name = "nan", .what = "a value that is NaN, which no JSON is",
	    .body = body_nan },
	{ .name = "bom", .what = "a byte order mark before the JSON",
	    .body = body_bom },
	{ .name = "half", .what = "half a document, of the length told",
	    .body = body_half },
	{ .name = "deep", .what = "lists in lists, 10,000 deep",
	    .body = body_deep },
	{ .name = "long", .what = "a string of 10 MiB", .body = body_long },
	{ .name = "type", .what = "Content-Type text/plain",
	    .answer = answer_type },
	{ .name = "cut", .what = "closed within the body, or at=",
	    .wire = mock_wire_cut },
	{ .name = "reset", .what = "reset before the answer, or at=",
	    .wire = mock_wire_reset },
	{ .name = "stall", .what = "nothing more from at= on, for ms= or ever",
	    .wire = mock_wire_stall },
	{ .name = "drip", .what = "a byte each ms=, of the body, or from at=",
	    .wire = mock_wire_drip },
	{ .name = "longer", .what = "a Content-Length 1,000 too long",
	    .wire = mock_wire_longer },
	{ .name = "shorter", .what = "a Content-Length of half the body",
	    .wire = mock_wire_shorter },
	{ .name = "chunk", .what = "a chunk whose size is no number",
	    .wire = mock_wire_chunk },
	{ .name = "cutgzip", .what = "half of a compressed body",
	    .wire = mock_wire_cutgzip },
	{ .name = "bomb", .what = "96 MiB, compressed 1,000 to 1",
	    .prepare = mock_wire_bomb_prepare, .wire = mock_wire_bomb },
	{ .name = "http10", .what = "HTTP/1.0 without a length",
	    .wire = mock_wire_http10 },
	{ .name = "rubbish", .what = "an answer that is not HTTP",
	    .wire = mock_wire_rubbish },
	{ .name = "headers", .what = "512 KiB of headers",
	    .wire = mock_wire_headers },
};

#define NKINDS (sizeof(KINDS) / sizeof(KINDS[0]))

const struct mock_fault_kind *
mock_fault_kind_status(void)
{
	return (&STATUS);
}

const struct mock_fault_kind *
mock_fault_kind_find(const char *name, struct err *e)
{
	const char *names[NKINDS], *near;

	for (size_t i = 0; i < NKINDS; i++) {
		names[i] = KINDS[i].name;
		if (strcmp(names[i], name) == 0)
			return (&KINDS[i]);
	}
	near = text_nearest(name, names, NKINDS);
	err_set(e, ERR_USAGE, "unknown kind '%s'%s%s", name,
	    near == NULL ? "" : ", did you mean ", near == NULL ? "" : near);
	return (NULL);
}

const char *
mock_fault_kind(size_t i, const char **what)
{
	const struct mock_fault_kind *k = i == 0 ? &STATUS :
	    i <= NKINDS ? &KINDS[i - 1] : NULL;

	if (k == NULL)
		return (NULL);
	*what = k->what;
	return (k->name);
}

/* --- acting --------------------------------------------------------------- */

bool
mock_fault_answer(const struct mock_fault *f, const struct mock_req *req,
    struct mock_resp *r)
{
	return (f->kind->answer != NULL && f->kind->answer(f, req, r));
}

void
mock_fault_body(const struct mock_fault *f, struct mock_resp *r)
{
	if (f->kind->body == NULL && f->kind->wire == NULL)
		return;
	if (!mock_resp_finish(r, MOCK_FAULT_BODY_MAX)) {
		mock_resp_error(r, 500, "Too large to be spoilt.");
		return;
	}
	if (f->kind->body != NULL)
		f->kind->body(&r->body);
	if (f->kind->wire != NULL)
		r->fault = f;
}

void
mock_fault_wire(const struct mock_fault *f, struct mock_resp *r,
    const struct mock_head *head, struct mock_wire *w)
{
	struct mock_head h = *head;

	memset(w, 0, sizeof(*w));
	w->stop = SIZE_MAX;
	w->from = SIZE_MAX;
	w->end = head->keep_alive ? MOCK_END_KEEP : MOCK_END_CLOSE;
	buf_init(&w->bytes, 2 * MOCK_FAULT_BODY_MAX);
	f->kind->wire(f, r, &h, w);
	MUST(w->bytes.error == 0);
	if (w->stop > w->bytes.len)
		w->stop = w->bytes.len;
	if (w->from > w->stop)
		w->from = w->stop;
}
