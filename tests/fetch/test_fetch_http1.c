/*
 * The framing of answers: a table of raw bytes, each read at once, byte by
 * byte and cut in two at every place, always with the same result; and the
 * same of bytes that were spoilt at random.
 */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "fetch/fetch_http1.h"

#define HEAD_MAX 400
#define SEED 0x9e3779b97f4a7c15u

#define OK "HTTP/1.1 200 OK\r\n"
#define CHUNKED OK "Transfer-Encoding: chunked\r\n\r\n"
#define A100 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" \
	"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define S(s) s, sizeof(s) - 1

/* `eof`: after the bytes the connection is closed. */
static const struct {
	const char *bytes;
	size_t len;
	bool eof;
	enum http1_end end;
	int status;
	bool keeps;
	size_t rest;		/* bytes that are not the answer's */
	const char *body;
	const char *why;
} cases[] = {
	/* lengths */
	{ S(OK "Content-Length: 5\r\n\r\nabcde"), false, HTTP1_DONE, 200,
	    true, 0, "abcde", NULL },
	{ S(OK "content-length:5  \r\nX: y\r\n\r\nabcdeXY"), false,
	    HTTP1_DONE, 200, true, 2, "abcde", NULL },
	{ S(OK "Content-Length: 0\r\n\r\n"), false, HTTP1_DONE, 200, true, 0,
	    "", NULL },
	{ S("HTTP/1.1 200\r\nContent-Length: 1\r\n\r\nz"), false, HTTP1_DONE,
	    200, true, 0, "z", NULL },
	{ S("HTTP/1.1 404 \r\nContent-Length: 1\r\n\r\nz"), false,
	    HTTP1_DONE, 404, true, 0, "z", NULL },
	{ S("HTTP/1.1 200 OK\nContent-Length: 1\n\nz"), false, HTTP1_DONE,
	    200, true, 0, "z", NULL },
	{ S(OK "Content-Length: 5\r\n\r\nabc"), false, HTTP1_MORE, 200,
	    false, 0, "abc", NULL },
	{ S(OK "Content-Length: 5\r\n\r\nabc"), true, HTTP1_CUT, 200, false,
	    0, "abc", NULL },
	{ S(OK "Content-Length: 5\r\nConnection: close\r\n\r\nabcde"), false,
	    HTTP1_DONE, 200, false, 0, "abcde", NULL },
	{ S(OK "Content-Length: 1\r\nConnection: x , CLOSE,y\r\n\r\nz"),
	    false, HTTP1_DONE, 200, false, 0, "z", NULL },
	{ S(OK "Content-Length: 1\r\nConnection: closed\r\n\r\nz"), false,
	    HTTP1_DONE, 200, true, 0, "z", NULL },
	{ S("HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\nz"), false,
	    HTTP1_DONE, 200, false, 0, "z", NULL },
	{ S("HTTP/1.0 200 OK\r\nConnection: Keep-Alive\r\n"
	    "Content-Length: 1\r\n\r\nz"), false, HTTP1_DONE, 200, true, 0,
	    "z", NULL },
	/* to the end of the connection */
	{ S(OK "\r\nabc"), true, HTTP1_DONE, 200, false, 0, "abc", NULL },
	{ S(OK "\r\nabc"), false, HTTP1_MORE, 200, false, 0, "abc", NULL },
	{ S("HTTP/1.0 200 OK\r\n\r\n"), true, HTTP1_DONE, 200, false, 0, "",
	    NULL },
	/* chunks */
	{ S(CHUNKED "3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"), false, HTTP1_DONE,
	    200, true, 0, "abcde", NULL },
	{ S(CHUNKED "00000000003 ; x=\"y\"\r\nabc\r\n0;z\r\nA: b\r\nC: d\r\n"
	    "\r\nmore"), false, HTTP1_DONE, 200, true, 4, "abc", NULL },
	{ S(CHUNKED "A\r\n0123456789\r\n0\r\n\r\n"), false, HTTP1_DONE, 200,
	    true, 0, "0123456789", NULL },
	{ S(CHUNKED "5\r\nab"), true, HTTP1_CUT, 200, false, 0, "ab", NULL },
	{ S(CHUNKED "2\r\nab"), true, HTTP1_CUT, 200, false, 0, "ab", NULL },
	{ S(CHUNKED "2\r\nab\r\n"), true, HTTP1_CUT, 200, false, 0, "ab",
	    NULL },
	{ S(CHUNKED "2\r\nab\r\n0\r\n"), true, HTTP1_CUT, 200, false, 0,
	    "ab", NULL },
	{ S(CHUNKED "x\r\n"), false, HTTP1_BAD, 200, false, 0, "",
	    "the answer has a bad chunk" },
	{ S(CHUNKED "-1\r\n"), false, HTTP1_BAD, 200, false, 0, "",
	    "the answer has a bad chunk" },
	{ S(CHUNKED "0x3\r\nabc\r\n0\r\n\r\n"), false, HTTP1_BAD, 200, false,
	    0, "", "the answer has a bad chunk" },
	{ S(CHUNKED "\r\n"), false, HTTP1_BAD, 200, false, 0, "",
	    "the answer has a bad chunk" },
	{ S(CHUNKED "3 4\r\nabc"), false, HTTP1_BAD, 200, false, 0, "",
	    "the answer has a bad chunk" },
	{ S(CHUNKED "3\nabc\r\n0\r\n\r\n"), false, HTTP1_BAD, 200, false, 0,
	    "", "the answer has a bad chunk" },
	{ S(CHUNKED "3;\rx\r\nabc\r\n0\r\n\r\n"), false, HTTP1_BAD, 200,
	    false, 0, "", "the answer has a bad chunk" },
	{ S(CHUNKED "3\r\nabcd\r\n"), false, HTTP1_BAD, 200, false, 0, "abc",
	    "the answer has a bad chunk" },
	{ S(CHUNKED "3\r\nabc\n0\r\n\r\n"), false, HTTP1_BAD, 200, false, 0,
	    "abc", "the answer has a bad chunk" },
	{ S(CHUNKED "ffffffffffffffff\r\n"), false, HTTP1_BAD, 200, false, 0,
	    "", "the answer has a bad chunk" },
	{ S(CHUNKED "0\r\n folded\r\n\r\n"), false, HTTP1_BAD, 200, false, 0,
	    "", "the answer has a folded header" },
	{ S(CHUNKED "0\r\nA: " A100 A100 A100 A100 "\r\n\r\n"), false,
	    HTTP1_TOO_LARGE, 200, false, 0, "", NULL },
	/* answers before the answer, and those without a body */
	{ S("HTTP/1.1 100 Continue\r\n\r\n" "HTTP/1.1 103 Early\r\nLink: x\r\n"
	    "Content-Length: 9\r\n\r\n" OK "Content-Length: 1\r\n\r\nz"),
	    false, HTTP1_DONE, 200, true, 0, "z", NULL },
	{ S("HTTP/1.1 101 Switching\r\nUpgrade: x\r\n\r\n"), false,
	    HTTP1_BAD, 101, false, 0, "",
	    "the server changes the protocol unasked" },
	{ S("HTTP/1.1 204 No Content\r\n\r\n"), false, HTTP1_DONE, 204, true,
	    0, "", NULL },
	{ S("HTTP/1.1 204 No Content\r\nContent-Length: 3\r\n\r\nabc"),
	    false, HTTP1_DONE, 204, false, 3, "", NULL },
	{ S("HTTP/1.1 304 Not Modified\r\nContent-Length: 3\r\n\r\n"), false,
	    HTTP1_DONE, 304, true, 0, "", NULL },
	/* to be read in two ways */
	{ S(OK "Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd"), false,
	    HTTP1_BAD, 200, false, 0, "", "the answer tells two lengths" },
	{ S(OK "Content-Length: 3\r\ncontent-length: 3\r\n\r\nabc"), false,
	    HTTP1_BAD, 200, false, 0, "", "the answer tells two lengths" },
	{ S(OK "Content-Length: 3, 3\r\n\r\nabc"), false, HTTP1_BAD, 200,
	    false, 0, "", "the answer's length is no number" },
	{ S(OK "Content-Length: +3\r\n\r\nabc"), false, HTTP1_BAD, 200,
	    false, 0, "", "the answer's length is no number" },
	{ S(OK "Content-Length: -3\r\n\r\nabc"), false, HTTP1_BAD, 200,
	    false, 0, "", "the answer's length is no number" },
	{ S(OK "Content-Length:\r\n\r\nabc"), false, HTTP1_BAD, 200, false,
	    0, "", "the answer's length is no number" },
	{ S(OK "Content-Length: 99999999999999999999\r\n\r\nabc"), false,
	    HTTP1_BAD, 200, false, 0, "", "the answer's length is no number" },
	{ S(OK "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n"),
	    false, HTTP1_BAD, 200, false, 0, "",
	    "the answer tells a length and has chunks" },
	{ S(OK "Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n"),
	    false, HTTP1_BAD, 200, false, 0, "",
	    "the answer tells a length and has chunks" },
	{ S(OK "Transfer-Encoding: gzip, chunked\r\n\r\n"), false, HTTP1_BAD,
	    200, false, 0, "", "the answer has a transfer encoding that is "
	    "not understood" },
	{ S(OK "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n"
	    "\r\n"), false, HTTP1_BAD, 200, false, 0, "", "the answer has a "
	    "transfer encoding that is not understood" },
	{ S("HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"), false,
	    HTTP1_BAD, 200, false, 0, "", "the answer has a transfer encoding "
	    "that is not understood" },
	{ S(OK "A: b\r\n c\r\nContent-Length: 1\r\n\r\nz"), false, HTTP1_BAD,
	    200, false, 0, "", "the answer has a folded header" },
	{ S(OK "\tContent-Length: 1\r\n\r\nz"), false, HTTP1_BAD, 200, false,
	    0, "", "the answer has a folded header" },
	{ S(OK "Content-Length : 1\r\n\r\nz"), false, HTTP1_BAD, 200, false,
	    0, "", "the answer has a bad header line" },
	{ S(OK "A: b\0c\r\n\r\n"), false, HTTP1_BAD, 200, false, 0, "",
	    "the answer has a bad header line" },
	{ S(OK "A\0: b\r\n\r\n"), false, HTTP1_BAD, 200, false, 0, "",
	    "the answer has a bad header line" },
	{ S(OK "A: b\rContent-Length: 1\r\n\r\nz"), false, HTTP1_BAD, 200,
	    false, 0, "", "the answer has a bad header line" },
	{ S(OK "nonsense\r\n\r\n"), false, HTTP1_BAD, 200, false, 0, "",
	    "the answer has a bad header line" },
	{ S(OK ": b\r\n\r\n"), false, HTTP1_BAD, 200, false, 0, "",
	    "the answer has a bad header line" },
	/* not HTTP */
	{ S("rubbish\r\n\r\n"), false, HTTP1_BAD, 0, false, 0, "",
	    "the answer is not HTTP" },
	{ S("\r\n" OK), false, HTTP1_BAD, 0, false, 0, "",
	    "the answer is not HTTP" },
	{ S("HTTP/2 200 OK\r\n\r\n"), false, HTTP1_BAD, 0, false, 0, "",
	    "the answer is not HTTP" },
	{ S("http/1.1 200 OK\r\n\r\n"), false, HTTP1_BAD, 0, false, 0, "",
	    "the answer is not HTTP" },
	{ S("HTTP/1.2 200 OK\r\n\r\n"), false, HTTP1_BAD, 0, false, 0, "",
	    "the answer is not HTTP" },
	{ S("HTTP/1.1 20 OK\r\n\r\n"), false, HTTP1_BAD, 0, false, 0, "",
	    "the answer is not HTTP" },
	{ S("HTTP/1.1 099 OK\r\n\r\n"), false, HTTP1_BAD, 0, false, 0, "",
	    "the answer is not HTTP" },
	{ S("HTTP/1.1 2000 OK\r\n\r\n"), false, HTTP1_BAD, 0, false, 0, "",
	    "the answer is not HTTP" },
	{ S("HTTP/1.1  200 OK\r\n\r\n"), false, HTTP1_BAD, 0, false, 0, "",
	    "the answer is not HTTP" },
	{ S("HTTP/1.1 200 O\0K\r\n\r\n"), false, HTTP1_BAD, 0, false, 0, "",
	    "the answer is not HTTP" },
	/* cut and too long */
	{ S("HTTP/1.1 20"), true, HTTP1_CUT, 0, false, 0, "", NULL },
	{ S(""), true, HTTP1_CUT, 0, false, 0, "", NULL },
	{ S(OK "Content-Le"), true, HTTP1_CUT, 200, false, 0, "", NULL },
	{ S(OK "A: " A100 "\r\nB: " A100 "\r\nC: " A100 "\r\nD: " A100),
	    false, HTTP1_TOO_LARGE, 200, false, 0, "", NULL },
	{ S("HTTP/1.1 100 " A100 "\r\n\r\nHTTP/1.1 100 " A100 "\r\n\r\n"
	    "HTTP/1.1 100 " A100 "\r\n\r\nHTTP/1.1 100 " A100 "\r\n\r\n"),
	    false, HTTP1_TOO_LARGE, 0, false, 0, "", NULL },
};

/* What came out of a run. */
struct seen {
	struct http1 h;
	struct buf headers;
	struct buf body;
	size_t used;
	enum http1_end end;
};

static bool
on_header(void *cookie, const char *line, size_t name, size_t len)
{
	struct seen *s = cookie;

	assert_true(name < len && line[name] == ':');
	buf_put(&s->headers, line, len);
	buf_puts(&s->headers, "\n");
	return (true);
}

static bool
on_body(void *cookie, const char *p, size_t len)
{
	struct seen *s = cookie;

	assert_true(len > 0);
	buf_put(&s->body, p, len);
	return (true);
}

static const struct http1_user user = { on_header, on_body };

static void
seen_init(struct seen *s)
{
	*s = (struct seen){ .end = HTTP1_MORE };
	http1_init(&s->h, HEAD_MAX);
	buf_init(&s->headers, 1 << 16);
	buf_init(&s->body, 1 << 16);
}

static void
seen_fini(struct seen *s)
{
	http1_fini(&s->h);
	buf_fini(&s->headers);
	buf_fini(&s->body);
}

/* In memory of its own, so that a step too far is noticed. */
static void
feed(struct seen *s, const char *p, size_t n)
{
	char *copy = malloc(n > 0 ? n : 1);
	size_t used;

	if (s->end == HTTP1_MORE && n > 0) {
		memcpy(copy, p, n);
		s->end = http1_put(&s->h, copy, n, &used, &user, s);
		assert_true(used <= n);
		assert_true(s->end != HTTP1_MORE || used == n);
		s->used += used;
	}
	free(copy);
}

static void
seen_eof(struct seen *s, bool eof)
{
	if (eof && s->end == HTTP1_MORE)
		s->end = http1_eof(&s->h);
}

static bool
same(struct seen *a, struct seen *b)
{
	return (a->end == b->end && a->h.status == b->h.status &&
	    a->h.why == b->h.why && http1_keeps(&a->h) == http1_keeps(&b->h) &&
	    (a->end != HTTP1_DONE || a->used == b->used) &&
	    strcmp(buf_str(&a->headers), buf_str(&b->headers)) == 0 &&
	    strcmp(buf_str(&a->body), buf_str(&b->body)) == 0);
}

/* At once, byte by byte, and in two: all the same. */
static void
check_cuts(const char *p, size_t n, bool eof, struct seen *whole)
{
	struct seen s;
	size_t i, cut;

	feed(whole, p, n);
	seen_eof(whole, eof);
	for (cut = 0; cut <= n; cut++) {
		seen_init(&s);
		if (cut == 0) {
			for (i = 0; i < n; i++)
				feed(&s, p + i, 1);
		} else {
			feed(&s, p, cut);
			feed(&s, p + cut, n - cut);
		}
		seen_eof(&s, eof);
		if (!same(&s, whole))
			print_error("cut at %zu: %.*s\n", cut, (int)n, p);
		assert_true(same(&s, whole));
		seen_fini(&s);
	}
}

static void
test_cases(void **state)
{
	struct seen s;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		seen_init(&s);
		check_cuts(cases[i].bytes, cases[i].len, cases[i].eof, &s);
		if (s.end != cases[i].end || s.h.status != cases[i].status)
			print_error("%s: end %d\n", cases[i].bytes, s.end);
		assert_int_equal(s.end, cases[i].end);
		assert_int_equal(s.h.status, cases[i].status);
		assert_int_equal(http1_keeps(&s.h), cases[i].keeps);
		assert_string_equal(buf_str(&s.body), cases[i].body);
		if (s.end == HTTP1_DONE)
			assert_int_equal(cases[i].len - s.used,
			    cases[i].rest);
		if (cases[i].end == HTTP1_BAD)
			assert_string_equal(s.h.why, cases[i].why);
		seen_fini(&s);
	}
}

static uint64_t
next(uint64_t *x)
{
	*x ^= *x << 13;
	*x ^= *x >> 7;
	*x ^= *x << 17;
	return (*x);
}

/* A few bytes are others, are gone, or stand there twice. */
static size_t
spoil(char *p, size_t n, size_t max, uint64_t *x)
{
	static const char bytes[] = "\r\n\0 :;0127afHT/.-,\t\x80zC";
	size_t at, times = 1 + next(x) % 3;

	for (; times > 0 && n > 1; times--) {
		at = next(x) % n;
		switch (next(x) % 3) {
		case 0:
			p[at] = bytes[next(x) % (sizeof(bytes) - 1)];
			break;
		case 1:
			memmove(p + at, p + at + 1, --n - at);
			break;
		default:
			if (n < max) {
				memmove(p + at + 1, p + at, n - at);
				n++;
			}
			break;
		}
	}
	return (n);
}

static void
test_spoilt(void **state)
{
	size_t i, n, ncases = sizeof(cases) / sizeof(cases[0]);
	const char *more = getenv("GARNER_TEST_SPOILT");
	long turns = more != NULL ? atol(more) : 3000;
	uint64_t x = SEED;
	char bytes[1024];
	struct seen s;

	(void)state;
	for (; turns > 0; turns--) {
		i = next(&x) % ncases;
		memcpy(bytes, cases[i].bytes, n = cases[i].len);
		n = spoil(bytes, n, sizeof(bytes), &x);
		seen_init(&s);
		check_cuts(bytes, n, next(&x) % 2, &s);
		seen_fini(&s);
	}
}

static bool
stop_header(void *cookie, const char *line, size_t name, size_t len)
{
	(void)cookie;
	(void)line;
	(void)name;
	(void)len;
	return (false);
}

static bool
stop_body(void *cookie, const char *p, size_t len)
{
	(void)cookie;
	(void)p;
	(void)len;
	return (false);
}

static void
test_stopped(void **state)
{
	static const struct http1_user no_header = { stop_header, on_body };
	static const struct http1_user no_body = { on_header, stop_body };
	static const char *bytes = OK "Content-Length: 3\r\n\r\nabc";
	struct seen s;
	size_t used;

	(void)state;
	seen_init(&s);
	assert_int_equal(http1_put(&s.h, bytes, strlen(bytes), &used,
	    &no_header, &s), HTTP1_STOPPED);
	http1_clear(&s.h);
	assert_int_equal(http1_put(&s.h, bytes, strlen(bytes), &used,
	    &no_body, &s), HTTP1_STOPPED);
	assert_string_equal(buf_str(&s.headers), "Content-Length: 3\n");
	seen_fini(&s);
}

/* A body that is put in its place without us, and the next answer. */
static void
test_plain(void **state)
{
	static const char *head = OK "Content-Length: 30\r\n\r\n";
	struct seen s;

	(void)state;
	seen_init(&s);
	assert_int_equal(http1_plain(&s.h), 0);
	feed(&s, head, strlen(head));
	feed(&s, "abc", 3);
	assert_int_equal(http1_plain(&s.h), 27);
	assert_int_equal(http1_took(&s.h, 20), HTTP1_MORE);
	assert_int_equal(http1_plain(&s.h), 7);
	assert_int_equal(http1_took(&s.h, 7), HTTP1_DONE);
	assert_int_equal(s.h.body_bytes, 30);
	assert_true(http1_keeps(&s.h));
	http1_clear(&s.h);
	feed(&s, CHUNKED "6\r\n", strlen(CHUNKED "6\r\n"));
	assert_int_equal(http1_plain(&s.h), 6);
	assert_int_equal(http1_took(&s.h, 3), HTTP1_MORE);
	assert_int_equal(http1_plain(&s.h), 3);
	assert_int_equal(http1_took(&s.h, 3), HTTP1_MORE);
	assert_int_equal(http1_plain(&s.h), 0);
	feed(&s, "\r\n3\r\nabc\r\n0\r\n\r\n", 15);
	assert_int_equal(s.end, HTTP1_DONE);
	assert_string_equal(buf_str(&s.body), "abcabc");
	seen_fini(&s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cases),
		cmocka_unit_test(test_spoilt),
		cmocka_unit_test(test_stopped),
		cmocka_unit_test(test_plain),
	};

	return (cmocka_run_group_tests(tests, NULL, NULL));
}
