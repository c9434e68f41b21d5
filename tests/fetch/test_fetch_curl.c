/*
 * libcurl's transport against a real server on a socket, in this process
 * and on the same loop, which answers, cuts, stalls and lies by its paths.
 */
#include "config.h"

#include <sys/resource.h>
#include <sys/socket.h>

#include <arpa/inet.h>
#include <limits.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/err.h"
#include "fetch/fetch.h"
#include "loop/loop.h"

#define ITEMS_N 200	/* {"Items":[0,1,..199]}, gzip -9 of it below */

static const unsigned char items_gz[] = {
	0x1f, 0x8b, 0x08, 0x00, 0x00, 0x00, 0x00, 0x00, 0x02, 0xff,
	0x1d, 0xd2, 0xb9, 0x91, 0x10, 0x41, 0x14, 0x04, 0x51, 0x5f, 0x56, 0x4e,
	0xa1, 0xab, 0xef, 0x8f, 0x07, 0xd8, 0x40, 0x20, 0x22, 0x22, 0xb1, 0xda,
	0x06, 0xbe, 0x93, 0x8d, 0x3a, 0x51, 0x73, 0xbd, 0xec, 0xaf, 0x8f, 0xef,
	0x9f, 0xbf, 0x7e, 0xff, 0xf9, 0xf8, 0xf6, 0xa3, 0x11, 0x3a, 0x83, 0xc9,
	0x62, 0x73, 0xb8, 0x14, 0xf1, 0x62, 0x48, 0x27, 0x83, 0x4c, 0xb2, 0xc8,
	0x26, 0x87, 0x5c, 0x52, 0xf4, 0x46, 0xf7, 0x9e, 0x4e, 0x1f, 0xf4, 0x49,
	0x5f, 0xf4, 0x4d, 0x3f, 0xf4, 0x4b, 0x2f, 0x46, 0x63, 0x84, 0xe1, 0x23,
	0x07, 0x63, 0x32, 0x16, 0x63, 0x33, 0x0e, 0xe3, 0x32, 0x8a, 0xd9, 0x98,
	0x61, 0x76, 0xa6, 0x6f, 0x9c, 0xcc, 0xc5, 0xdc, 0xcc, 0xc3, 0xbc, 0xcc,
	0x62, 0x35, 0x56, 0x58, 0x9d, 0x35, 0x58, 0x7e, 0xd0, 0x62, 0x6d, 0xd6,
	0x61, 0x5d, 0x56, 0xb1, 0x1b, 0x3b, 0xec, 0xce, 0x1e, 0xec, 0xc9, 0xf6,
	0x7b, 0x37, 0xfb, 0xb0, 0x2f, 0xbb, 0x38, 0x8d, 0x13, 0x4e, 0xe7, 0x0c,
	0xce, 0xe4, 0x2c, 0x8e, 0xbf, 0x73, 0x38, 0x97, 0x53, 0xdc, 0xc6, 0x0d,
	0xb7, 0x73, 0x07, 0x77, 0x72, 0x17, 0x77, 0x73, 0xfd, 0xdb, 0xcb, 0x2d,
	0xaa, 0x51, 0xa1, 0x3a, 0x35, 0xa8, 0x49, 0x2d, 0x6a, 0x53, 0x87, 0x12,
	0xe3, 0x69, 0xc8, 0xd1, 0xf4, 0x68, 0x82, 0x34, 0x45, 0x9a, 0x24, 0x4d,
	0x93, 0x26, 0x4a, 0x53, 0xa5, 0xc9, 0xd2, 0xdc, 0xfd, 0x67, 0x73, 0xf7,
	0xe0, 0x9e, 0xdc, 0xa3, 0x7b, 0x76, 0x0f, 0xef, 0xe9, 0x3d, 0x3e, 0xfd,
	0x22, 0x60, 0xfa, 0xf3, 0x75, 0xa7, 0x61, 0x44, 0x8c, 0x8a, 0x91, 0x31,
	0x3a, 0x46, 0xc8, 0x28, 0x19, 0x29, 0xa3, 0x65, 0xc6, 0x0b, 0xe1, 0x4e,
	0xce, 0xe8, 0x19, 0x41, 0xa3, 0x68, 0x24, 0x8d, 0xa6, 0x11, 0x35, 0xaa,
	0x46, 0xd6, 0xcc, 0x57, 0xcc, 0x9d, 0xb2, 0x91, 0x36, 0xda, 0x46, 0xdc,
	0xa8, 0x1b, 0x79, 0xa3, 0x6f, 0x04, 0x8e, 0xc2, 0x59, 0x2f, 0xad, 0x3b,
	0x91, 0xa3, 0x72, 0x64, 0x8e, 0xce, 0x11, 0x3a, 0x4a, 0x47, 0xea, 0x68,
	0x1d, 0xb1, 0xb3, 0xdf, 0x19, 0x70, 0xa7, 0x77, 0x04, 0x8f, 0xe2, 0x91,
	0x3c, 0x9a, 0x47, 0xf4, 0xa8, 0x1e, 0xd9, 0xa3, 0x7b, 0xce, 0x3b, 0x2c,
	0xee, 0xa4, 0x8f, 0xf6, 0x11, 0x3f, 0xea, 0x47, 0xfe, 0xe8, 0x1f, 0x03,
	0xc4, 0x02, 0x31, 0x41, 0xee, 0x3b, 0x55, 0xee, 0xac, 0x10, 0x33, 0xc4,
	0x0e, 0x31, 0x44, 0x2c, 0x11, 0x53, 0xc4, 0x16, 0x31, 0x46, 0xac, 0x91,
	0x7a, 0xc7, 0xaf, 0x7e, 0xfe, 0xfd, 0x07, 0xe9, 0x75, 0x9b, 0x80, 0xbd,
	0x02, 0x00, 0x00,
};

#define FAR "http://far.test:1"	/* asked for through a proxy */

enum after { KEEP, CLOSE, RESET, HOLD };

static const struct page {
	const char *path;
	const char *head;	/* status line and headers, without the end */
	const char *body;
	size_t len;		/* 0: of the text */
	enum after after;
} pages[] = {
	{ "/ok", "200 OK\r\nContent-Type: application/json; charset=utf-8\r\n"
	    "Content-Length: 12", "{\"Items\":[]}", 0, KEEP },
	{ "/chunked", "200 OK\r\nContent-Type: application/problem+json\r\n"
	    "Transfer-Encoding: chunked", "3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n",
	    0, KEEP },
	{ "/gzip", "200 OK\r\nContent-Type: application/json\r\n"
	    "Content-Encoding: gzip\r\nContent-Length: 373",
	    (const char *)items_gz, sizeof(items_gz), KEEP },
	{ "/notgzip", "200 OK\r\nContent-Encoding: gzip\r\n"
	    "Content-Length: 12", "{\"Items\":[]}", 0, KEEP },
	{ "/zstd", "200 OK\r\nContent-Encoding: zstd\r\nContent-Length: 21",
	    "\x28\xb5\x2f\xfd\x20\x0c\x61\0\0{\"Items\":[]}", 21, KEEP },
	{ "/brotli", "200 OK\r\nContent-Encoding: br\r\n"
	    "Content-Length: 12", "{\"Items\":[]}", 0, KEEP },
	{ "/cutgzip", "200 OK\r\nContent-Encoding: gzip\r\n"
	    "Content-Length: 300", (const char *)items_gz, 300, KEEP },
	{ "/hint", "103 Early Hints\r\nLink: </x>\r\n\r\nHTTP/1.1 200 OK\r\n"
	    "Content-Length: 2", "[]", 0, KEEP },
	{ "/whole", "200 OK\r\nContent-Type: text/json;x", "[1]", 0, CLOSE },
	{ "/lengths", "200 OK\r\nContent-Length: 2\r\nContent-Length: 3",
	    "[]", 0, KEEP },
	{ "/both", "200 OK\r\nContent-Length: 2\r\n"
	    "Transfer-Encoding: chunked", "2\r\n[]\r\n0\r\n\r\n", 0, KEEP },
	{ "/folded", "200 OK\r\nX: a\r\n b\r\nContent-Length: 2", "[]", 0,
	    KEEP },
	{ "/extra", "200 OK\r\nContent-Length: 2", "[]HTTP/1.1 200 OK\r\n"
	    "Content-Length: 1\r\n\r\n0", 0, KEEP },
	{ "/html", "200 OK\r\nContent-Type: text/html\r\nContent-Length: 4",
	    "<p/>", 0, KEEP },
	{ "/early", "200 OK\r\nContent-Type: application/json\r\n"
	    "Content-Length: 456", "{\"Items\":[", 0, CLOSE },
	{ "/cut", "200 OK\r\nTransfer-Encoding: chunked", "5\r\nab", 0,
	    CLOSE },
	{ "/none", NULL, NULL, 0, CLOSE },
	{ "/reset", NULL, NULL, 0, RESET },
	{ "/rubbish", NULL, "rubbish\r\n\r\n", 0, CLOSE },
	{ "/stall", "200 OK\r\nContent-Length: 100", "x", 0, HOLD },
	{ "/silent", NULL, NULL, 0, HOLD },
	{ "/204", "204 No Content", "", 0, KEEP },
	{ "/302", "302 Found\r\nLocation: /ok\r\nContent-Length: 0", "", 0,
	    KEEP },
	{ "/401", "401 Unauthorized\r\nWWW-Authenticate: Basic\r\n"
	    "Content-Type: application/json\r\nContent-Length: 61",
	    "{\"Message\":\"Authorization has been denied for this "
	    "request.\"}", 0, KEEP },
	{ "/403", "403 Forbidden\r\nContent-Length: 0", "", 0, KEEP },
	{ "/404", "404 Not Found\r\nContent-Type: text/html\r\n"
	    "Content-Length: 29", "<title>404 Not Found</title>\n", 0, KEEP },
	{ "/429", "429 Too Many Requests\r\nRetry-After: 7\r\n"
	    "Content-Length: 0", "", 0, KEEP },
	{ "/429date", "429 Too Many Requests\r\n"
	    "Retry-After: Fri, 31 Dec 9999 23:59:59 GMT\r\n"
	    "Content-Length: 0", "", 0, KEEP },
	{ "/429past", "429 Too Many Requests\r\n"
	    "Retry-After: Wed, 21 Oct 2015 07:28:00 GMT\r\n"
	    "Content-Length: 0", "", 0, KEEP },
	{ "/429neg", "429 Too Many Requests\r\nRetry-After: -10\r\n"
	    "Content-Length: 0", "", 0, KEEP },
	{ "/429absurd", "429 Too Many Requests\r\n"
	    "Retry-After: 99999999999999999999\r\nContent-Length: 0", "", 0,
	    KEEP },
	{ "/left", "200 OK\r\nContent-Type: application/json\r\n"
	    "X-Left: 7\r\nContent-Length: 2", "[]", 0, KEEP },
	{ "/used", "200 OK\r\nContent-Type: application/json\r\n"
	    "x-left:  0 \r\nX-Reset-Ms: 300\r\nContent-Length: 2", "[]",
	    0, KEEP },
	{ "/rubbish", "200 OK\r\nContent-Type: application/json\r\n"
	    "X-Left: 0x0\r\nX-Reset-Ms: 99999999999\r\n"
	    "Content-Length: 2", "[]", 0, KEEP },
	{ "/500", "500 Internal Server Error\r\nContent-Length: 22",
	    "{\"Errors\":[\"archive\"]}", 0, KEEP },
	{ "/503", "503 Service Unavailable\r\nContent-Length: 0", "", 0,
	    KEEP },
};

struct server {
	struct loop *loop;
	struct loop_io *io;
	struct conn *conns;
	int fd;
	unsigned port;
	unsigned accepted;
	unsigned requests;
	size_t sunk;		/* bytes of a body that goes nowhere */
	char last[4096];	/* the last request, as received */
};

struct conn {
	struct conn *next;
	struct server *server;
	struct loop_io *io;
	int fd;
	char in[8192];
	size_t n;
	size_t sink;		/* bytes to come of such a body */
};

static void
conn_free(struct conn *c, bool reset)
{
	struct linger hard = { .l_onoff = 1, .l_linger = 0 };
	struct conn **p;

	for (p = &c->server->conns; *p != c; p = &(*p)->next)
		;
	*p = c->next;
	loop_io_free(c->io);
	if (reset)
		setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
	close(c->fd);
	free(c);
}

static void
put(struct conn *c, const char *s, size_t n)
{
	assert_int_equal(send(c->fd, s, n, MSG_NOSIGNAL), n);
}

/* More than body_max of the tests, and more than fits a header. */
static void
put_large(struct conn *c, bool header)
{
	static char block[1000];
	char head[100];
	int i;

	memset(block, 'x', sizeof(block));
	snprintf(head, sizeof(head), "HTTP/1.1 200 OK\r\n%s",
	    header ? "" : "Content-Length: 30000\r\n\r\n");
	put(c, head, strlen(head));
	for (i = 0; i < (header ? 300 : 30); i++) {
		if (header)
			put(c, "X: ", 3);
		put(c, block, sizeof(block));
		if (header)
			put(c, "\r\n", 2);
	}
	if (header)
		put(c, "\r\n", 2);
}

static enum after
respond(struct conn *c, const char *path)
{
	char head[600];
	size_t i;

	if (strcmp(path, "/large") == 0 || strcmp(path, "/headers") == 0) {
		put_large(c, path[1] == 'h');
		return (CLOSE);
	}
	for (i = 0; i < sizeof(pages) / sizeof(pages[0]); i++)
		if (strcmp(pages[i].path, path) == 0)
			break;
	assert_true(i < sizeof(pages) / sizeof(pages[0]));
	if (pages[i].head != NULL) {
		snprintf(head, sizeof(head), "HTTP/1.1 %s\r\n\r\n",
		    pages[i].head);
		put(c, head, strlen(head));
	}
	if (pages[i].body != NULL)
		put(c, pages[i].body, pages[i].len > 0 ? pages[i].len :
		    strlen(pages[i].body));
	return (pages[i].after);
}

/* Length of the whole request at the head of the input, 0: not yet. */
static size_t
request_len(struct conn *c)
{
	const char *end, *p;
	size_t body = 0;

	c->in[c->n] = '\0';
	if ((end = strstr(c->in, "\r\n\r\n")) == NULL)
		return (0);
	if ((p = strstr(c->in, "Content-Length: ")) != NULL && p < end)
		body = strtoul(p + 16, NULL, 10);
	body += (size_t)(end + 4 - c->in);
	return (body <= c->n ? body : 0);
}

/* The head of POST /sink has come: how much follows. */
static void
begin_sink(struct conn *c)
{
	const char *end, *p;

	c->in[c->n] = '\0';
	if (strncmp(c->in, "POST /sink ", 11) != 0 ||
	    (end = strstr(c->in, "\r\n\r\n")) == NULL)
		return;
	p = strstr(c->in, "Content-Length: ");
	assert_true(p != NULL && p < end);
	c->sink = strtoul(p + 16, NULL, 10) + (size_t)(end + 4 - c->in);
	c->server->sunk -= (size_t)(end + 4 - c->in);
}

static void
sink(struct conn *c)
{
	static const char ok[] = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n"
	    "\r\n[]";

	assert_true(c->n <= c->sink);
	c->sink -= c->n;
	c->server->sunk += c->n;
	c->n = 0;
	if (c->sink == 0)
		put(c, ok, sizeof(ok) - 1);
}

static void
on_conn(void *cookie, int fd, int what)
{
	struct conn *c = cookie;
	struct server *s = c->server;
	char method[8], path[64];
	enum after after = KEEP;
	size_t len;
	ssize_t r;

	(void)what;
	r = recv(fd, c->in + c->n, sizeof(c->in) - 1 - c->n, MSG_DONTWAIT);
	if (r <= 0) {
		conn_free(c, false);
		return;
	}
	c->n += (size_t)r;
	if (c->sink == 0)
		begin_sink(c);
	if (c->sink > 0) {
		sink(c);
		return;
	}
	while (after == KEEP && (len = request_len(c)) > 0) {
		s->requests++;
		snprintf(s->last, sizeof(s->last), "%.*s", (int)len, c->in);
		assert_int_equal(sscanf(c->in, "%7s %63[^? ]", method, path),
		    2);
		if (strncmp(path, FAR, strlen(FAR)) == 0)	/* a proxy */
			memmove(path, path + strlen(FAR),
			    strlen(path + strlen(FAR)) + 1);
		after = respond(c, path);
		memmove(c->in, c->in + len, c->n -= len);
	}
	if (after == CLOSE || after == RESET)
		conn_free(c, after == RESET);
}

static void
on_accept(void *cookie, int fd, int what)
{
	struct server *s = cookie;
	struct conn *c;
	int on = 1;

	(void)what;
	c = calloc(1, sizeof(*c));
	c->fd = accept(fd, NULL, NULL);
	assert_true(c->fd >= 0);
	/* head and body are two writes */
	setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	c->server = s;
	c->next = s->conns;
	s->conns = c;
	s->accepted++;
	c->io = loop_io_new(s->loop, c->fd, LOOP_READ, on_conn, c);
}

static unsigned
listen_somewhere(int *fd)
{
	struct sockaddr_in a = { .sin_family = AF_INET };
	socklen_t n = sizeof(a);

	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	*fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_true(*fd >= 0);
	assert_int_equal(bind(*fd, (struct sockaddr *)&a, sizeof(a)), 0);
	assert_int_equal(listen(*fd, 64), 0);
	assert_int_equal(getsockname(*fd, (struct sockaddr *)&a, &n), 0);
	return (ntohs(a.sin_port));
}

/* --- the world of a test ------------------------------------------------- */

struct world {
	struct loop *loop;
	struct server server;
	struct fetch *f;
	char origin[64];
	unsigned wanted;
	unsigned told;
	struct fetch_answer last;	/* with the body */
	struct fetch_job *first;	/* to be cancelled */
};

static const struct fetch_options usual = {
	.in_flight = 4, .connect_timeout_ms = 5000, .timeout_ms = 20000,
	.low_speed_ms = 10000, .body_max = 20000, .tries = 1,
	.retry_base_ms = 1, .retry_cap_ms = 10, .user_agent = "garner/test",
	.compressed = true, .http2 = true, .seed = 1,
};

static void
world_init(struct world *w, struct fetch_options o)
{
	struct err e = ERR_INIT;

	memset(w, 0, sizeof(*w));
	w->loop = loop_new(0);
	w->server.loop = w->loop;
	w->server.port = listen_somewhere(&w->server.fd);
	w->server.io = loop_io_new(w->loop, w->server.fd, LOOP_READ,
	    on_accept, &w->server);
	snprintf(w->origin, sizeof(w->origin), "http://127.0.0.1:%u",
	    w->server.port);
	o.origin = w->origin;
	assert_int_equal(fetch_new(w->loop, &o, &w->f, &e), 0);
}

static void
server_stop(struct server *s)
{
	while (s->conns != NULL)
		conn_free(s->conns, false);
	loop_io_free(s->io);
	if (s->fd >= 0)
		close(s->fd);
	s->io = NULL;
	s->fd = -1;
}

static void
world_fini(struct world *w)
{
	fetch_free(w->f);
	server_stop(&w->server);
	free(w->last.body);
	loop_free(w->loop);
}

static void
on_done(void *cookie, struct fetch_answer *a)
{
	struct world *w = cookie;

	free(w->last.body);
	w->last = *a;
	a->body = NULL;		/* ours now */
	if (++w->told == w->wanted)
		loop_stop(w->loop);
}

static void
start(struct world *w, const char *target)
{
	struct fetch_request r = { .method = "GET", .target = target };

	w->wanted++;
	fetch_start(w->f, &r, on_done, w);
}

static void
get(struct world *w, const char *target)
{
	start(w, target);
	loop_run(w->loop);
	assert_int_equal(w->told, w->wanted);
}

static void
on_waited(void *cookie)
{
	loop_stop(((struct world *)cookie)->loop);
}

/* For what goes through the kernel to arrive. */
static void
turn(struct world *w)
{
	struct loop_timer *timer = loop_timer_new(w->loop, on_waited, w);

	loop_timer_set(timer, 1000);
	loop_run(w->loop);
	loop_timer_free(timer);
}

/* One turn of the loop or two. */
static void
step(struct world *w)
{
	loop_defer(w->loop, on_waited, w);
	loop_run(w->loop);
}

/* --- tests --------------------------------------------------------------- */

static void
test_answers(void **state)
{
	static const struct {
		const char *path;
		int code, status;
		bool json;
		const char *text;	/* of the error; NULL: any */
		const char *body;
	} cases[] = {
		{ "/ok", 0, 200, true, "", "{\"Items\":[]}" },
		{ "/chunked", 0, 200, true, "", "abcde" },
		{ "/html", 0, 200, false, "", "<p/>" },
		{ "/204", 0, 204, false, "", "" },
		{ "/302", ERR_REQUEST, 302, false,
		    "GET /302: 302 Found: redirects are not followed", "" },
		{ "/401", ERR_AUTH, 401, true,
		    "GET /401: 401 Unauthorized: Authorization has been "
		    "denied for this request.", NULL },
		{ "/403", ERR_FORBIDDEN, 403, false,
		    "GET /403: 403 Forbidden", "" },
		{ "/404", ERR_NOTFOUND, 404, false,
		    "GET /404: 404 Not Found", NULL },
		{ "/429", ERR_RATE, 429, false,
		    "GET /429: 429 Too Many Requests", "" },
		{ "/500", ERR_SERVER, 500, false,
		    "GET /500: 500 Internal Server Error: archive", NULL },
		{ "/503", ERR_SERVER, 503, false,
		    "GET /503: 503 Service Unavailable", "" },
		{ "/notgzip", ERR_ANSWER, 200, false, NULL, NULL },
		{ "/early", ERR_CONNECT, 200, true, "GET /early: the "
		    "connection was closed after 10 of 456 bytes", NULL },
		{ "/cut", ERR_CONNECT, 200, false, NULL, NULL },
		{ "/none", ERR_CONNECT, 0, false, "GET /none: the server "
		    "closed the connection without an answer", NULL },
		{ "/reset", ERR_CONNECT, 0, false, NULL, NULL },
		{ "/rubbish", ERR_ANSWER, 0, false,
		    "GET /rubbish: the answer is not HTTP", NULL },
		{ "/zstd", 0, 200, false, "", "{\"Items\":[]}" },
		{ "/brotli", ERR_ANSWER, 200, false, "GET /brotli: the answer "
		    "is compressed in a way that was not asked for", "" },
		{ "/cutgzip", ERR_ANSWER, 200, false, "GET /cutgzip: the "
		    "compressed answer is cut short", NULL },
		{ "/hint", 0, 200, false, "", "[]" },
		{ "/whole", 0, 200, true, "", "[1]" },
		{ "/lengths", ERR_ANSWER, 200, false,
		    "GET /lengths: the answer tells two lengths", "" },
		{ "/both", ERR_ANSWER, 200, false, "GET /both: the answer "
		    "tells a length and has chunks", "" },
		{ "/folded", ERR_ANSWER, 200, false,
		    "GET /folded: the answer has a folded header", "" },
		{ "/large", ERR_LIMIT, 200, false,
		    "GET /large: the answer is larger than 20000 bytes",
		    NULL },
		{ "/headers", ERR_LIMIT, 200, false, "GET /headers: the "
		    "answer's headers are larger than 262144 bytes", NULL },
	};
	struct world w;
	size_t i;

	(void)state;
	world_init(&w, usual);
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		get(&w, cases[i].path);
		if (w.last.err.code != cases[i].code)
			print_error("%s: %s\n", cases[i].path,
			    w.last.err.text);
		assert_int_equal(w.last.err.code, cases[i].code);
		assert_int_equal(w.last.status, cases[i].status);
		assert_int_equal(w.last.json, cases[i].json);
		if (cases[i].text != NULL)
			assert_string_equal(w.last.err.text, cases[i].text);
		if (cases[i].body != NULL) {
			assert_string_equal(w.last.body, cases[i].body);
			assert_int_equal(w.last.len, strlen(cases[i].body));
		}
	}
	world_fini(&w);
}

static void
test_gzip(void **state)
{
	struct fetch_options o = usual;
	char expect[2000] = "{\"Items\":[";
	struct world w;
	int i;

	(void)state;
	for (i = 0; i < ITEMS_N; i++)
		snprintf(expect + strlen(expect), 8, "%s%d", i ? "," : "", i);
	strcat(expect, "]}");
	world_init(&w, usual);
	get(&w, "/gzip");
	assert_int_equal(w.last.err.code, 0);
	assert_string_equal(w.last.body, expect);
	assert_int_equal(w.last.len, strlen(expect));
	assert_true(w.last.wire_bytes < 600);
	assert_true(w.last.wire_bytes > 373);
	assert_non_null(strstr(w.server.last, "Accept-Encoding: "));
	world_fini(&w);

	/* what counts against the ceiling is the size after it */
	o.body_max = 600;
	world_init(&w, o);
	get(&w, "/gzip");
	assert_int_equal(w.last.err.code, ERR_LIMIT);
	world_fini(&w);

	o.compressed = false;
	world_init(&w, o);
	get(&w, "/ok");
	assert_null(strstr(w.server.last, "Accept-Encoding: "));
	world_fini(&w);
}

/* Values of a secret, one after the other; the last one stays. */
struct secret {
	const char *values[4];
	unsigned reads;
};

static int
get_secret(void *cookie, char **value, struct err *e)
{
	struct secret *s = cookie;
	unsigned i = s->reads++;

	(void)e;
	while (i > 0 && s->values[i] == NULL)
		i--;
	*value = strdup(s->values[i]);
	return (0);
}

/* A proxy of plain http is given the whole URL. */
static void
test_proxy(void **state)
{
	struct fetch_options o = usual;
	struct err e = ERR_INIT;
	struct world w;
	char proxy[64];

	(void)state;
	world_init(&w, usual);
	fetch_free(w.f);
	snprintf(proxy, sizeof(proxy), "%s", w.origin);
	o.origin = FAR;
	o.proxy = proxy;
	assert_int_equal(fetch_new(w.loop, &o, &w.f, &e), 0);
	get(&w, "/ok?a=b");
	assert_int_equal(w.last.err.code, 0);
	assert_non_null(strstr(w.server.last, "GET " FAR "/ok?a=b HTTP/1.1"));
	world_fini(&w);
}

static void
test_headers(void **state)
{
	struct fetch_options o = usual;
	struct fetch_request r = {
		.method = "POST", .target = "/ok?x=%20y", .body = "{\"a\":1}",
		.body_len = 7,
	};
	struct secret token = { { "t0k3n" }, 0 };
	struct world w;

	(void)state;
	o.auth = FETCH_AUTH_BEARER;
	o.secrets = (struct fetch_secrets){ &token, get_secret };
	world_init(&w, o);
	w.wanted = 1;
	fetch_start(w.f, &r, on_done, &w);
	loop_run(w.loop);
	assert_int_equal(w.last.err.code, 0);
	assert_int_equal(strncmp(w.server.last,
	    "POST /ok?x=%20y HTTP/1.1\r\n", 26), 0);
	assert_non_null(strstr(w.server.last,
	    "Content-Type: application/json\r\n"));
	assert_non_null(strstr(w.server.last,
	    "Authorization: Bearer t0k3n\r\n"));
	assert_non_null(strstr(w.server.last, "\r\n\r\n{\"a\":1}"));
	assert_null(strstr(w.server.last, "Expect:"));
	get(&w, "/ok");		/* the same handle, another method */
	assert_int_equal(strncmp(w.server.last, "GET /ok HTTP/1.1\r\n", 18),
	    0);
	assert_non_null(strstr(w.server.last,
	    "Accept: application/json\r\n"));
	assert_non_null(strstr(w.server.last,
	    "X-Requested-With: garner\r\n"));
	assert_non_null(strstr(w.server.last, "User-Agent: garner/test\r\n"));
	assert_null(strstr(w.server.last, "Content-Type:"));
	assert_int_equal(w.server.accepted, 1);
	world_fini(&w);
}

static void
test_basic(void **state)
{
	struct secret password = { { "p:w" }, 0 };
	struct fetch_options o = usual;
	struct world w;

	(void)state;
	o.auth = FETCH_AUTH_BASIC;
	o.user = "DOMAIN\\user";
	o.secrets = (struct fetch_secrets){ &password, get_secret };
	world_init(&w, o);
	get(&w, "/401");
	/* with the first request, and not again after the refusal */
	assert_non_null(strstr(w.server.last,
	    "Authorization: Basic RE9NQUlOXHVzZXI6cDp3\r\n"));
	assert_int_equal(w.server.requests, 1);
	assert_int_equal(w.last.err.code, ERR_AUTH);
	assert_int_equal(w.last.status, 401);
	assert_int_equal(password.reads, 2);
	/* they were the same when read again: nobody is sent with them */
	get(&w, "/302");
	assert_int_equal(w.last.err.code, ERR_AUTH);
	assert_int_equal(w.server.requests, 1);
	world_fini(&w);
}

static void
test_keep_alive(void **state)
{
	struct fetch_stats st;
	struct world w;
	int i;

	(void)state;
	world_init(&w, usual);
	for (i = 0; i < 200; i++)
		start(&w, "/ok");
	loop_run(w.loop);
	assert_int_equal(w.told, 200);
	assert_int_equal(w.server.requests, 200);
	assert_true(w.server.accepted <= 4);
	fetch_stats(w.f, &st);
	assert_int_equal(st.requests, 200);
	assert_int_equal(st.connects, w.server.accepted);
	assert_int_equal(st.body_bytes, 200 * 12);
	assert_int_equal(st.failed, 0);
	world_fini(&w);
}

/* A connection that died without a word is found out by the kernel, also
 * while it is sent to. */
static void
test_dead(void **state)
{
	socklen_t len = sizeof(unsigned);
	unsigned ms, found = 0;
	struct world w;

	(void)state;
	world_init(&w, usual);
	get(&w, "/ok");
	for (int fd = 3; fd < 64; fd++) {
		ms = 0;
		if (getsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &ms,
		    &len) == 0 && ms > 0) {
			assert_int_equal(ms, usual.low_speed_ms);
			found++;
		}
	}
	assert_int_equal(found, 1);
	world_fini(&w);
}

/* A kept connection that the server closed is no failure. */
static void
test_closed_between(void **state)
{
	struct world w;

	(void)state;
	world_init(&w, usual);
	get(&w, "/ok");
	conn_free(w.server.conns, false);
	get(&w, "/ok");
	assert_int_equal(w.last.err.code, 0);
	assert_int_equal(w.server.accepted, 2);
	world_fini(&w);
}

/* Once more, over a connection that is new, and not a third time. */
static void
test_closed_again(void **state)
{
	struct world w;

	(void)state;
	world_init(&w, usual);
	get(&w, "/ok");
	get(&w, "/none");
	assert_int_equal(w.last.err.code, ERR_CONNECT);
	assert_string_equal(w.last.err.text, "GET /none: the server closed "
	    "the connection without an answer");
	assert_int_equal(w.server.requests, 3);
	assert_int_equal(w.server.accepted, 2);
	/* after a byte of the answer nothing is repeated */
	get(&w, "/ok");
	get(&w, "/early");
	assert_int_equal(w.server.requests, 5);
	world_fini(&w);
}

/* What was sent unasked is the answer to nothing. */
static void
test_unasked(void **state)
{
	static const char forged[] = "HTTP/1.1 200 OK\r\n"
	    "Content-Length: 6\r\n\r\nforged";
	struct world w;

	(void)state;
	world_init(&w, usual);
	get(&w, "/extra");
	assert_int_equal(w.last.err.code, 0);
	assert_string_equal(w.last.body, "[]");
	get(&w, "/ok");
	assert_string_equal(w.last.body, "{\"Items\":[]}");
	assert_int_equal(w.server.accepted, 2);
	put(w.server.conns, forged, sizeof(forged) - 1);
	while (w.server.conns != NULL)
		turn(&w);
	get(&w, "/ok");
	assert_string_equal(w.last.body, "{\"Items\":[]}");
	assert_int_equal(w.server.accepted, 3);
	world_fini(&w);
}

/* A request that the socket does not take at once, and an answer that is
 * read in parts. */
static void
test_large(void **state)
{
	struct fetch_request r = { .method = "POST", .target = "/sink",
	    .body_len = 12u << 20 };
	struct fetch_options o = usual;
	struct world w;
	char *body = malloc(r.body_len);
	size_t i;

	(void)state;
	o.body_max = 40000;
	world_init(&w, o);
	get(&w, "/large");
	assert_int_equal(w.last.err.code, 0);
	assert_int_equal(w.last.len, 30000);
	for (i = 0; i < w.last.len; i++)
		assert_int_equal(w.last.body[i], 'x');
	memset(body, 'y', r.body_len);
	r.body = body;
	w.wanted++;
	fetch_start(w.f, &r, on_done, &w);
	loop_run(w.loop);
	assert_int_equal(w.last.err.code, 0);
	assert_int_equal(w.server.sunk, r.body_len);
	free(body);
	world_fini(&w);
}

static void
test_refused(void **state)
{
	struct world w;
	char text[100];

	(void)state;
	world_init(&w, usual);
	server_stop(&w.server);
	get(&w, "/ok");
	assert_int_equal(w.last.err.code, ERR_CONNECT);
	snprintf(text, sizeof(text),
	    "cannot connect to 127.0.0.1:%u: connection refused",
	    w.server.port);
	assert_string_equal(w.last.err.text, text);
	world_fini(&w);
}

static void
test_timeouts(void **state)
{
	struct fetch_options o = usual;
	struct world w;

	(void)state;
	o.timeout_ms = 100;
	world_init(&w, o);
	get(&w, "/stall");
	assert_int_equal(w.last.err.code, ERR_TIMEOUT);
	assert_string_equal(w.last.err.text,
	    "GET /stall: not finished within 0.1 s");
	get(&w, "/silent");
	assert_int_equal(w.last.err.code, ERR_TIMEOUT);
	world_fini(&w);

	o = usual;
	o.low_speed_ms = 1000;
	world_init(&w, o);
	get(&w, "/stall");
	assert_int_equal(w.last.err.code, ERR_TIMEOUT);
	assert_string_equal(w.last.err.text,
	    "GET /stall: no data for 1 s");
	world_fini(&w);
}

/* Bounded by the cap, whatever is asked. */
static void
test_retry_after(void **state)
{
	static const char *const paths[] = {
		"/429", "/429date", "/429past", "/429neg", "/429absurd",
	};
	struct fetch_options o = usual;
	struct world w;
	size_t i;

	(void)state;
	o.tries = 3;
	world_init(&w, o);
	for (i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		get(&w, paths[i]);
		assert_int_equal(w.last.err.code, ERR_RATE);
		assert_int_equal(w.last.tries, 3);
	}
	assert_int_equal(w.server.requests, 15);
	world_fini(&w);
}

/* A server that says there is nothing left is let alone until the reset. */
static void
test_quota(void **state)
{
	static const struct fetch_quota quota = { "X-Left", "X-Reset-Ms",
	    FETCH_RESET_MS, 0 };
	struct fetch_options o = usual;
	struct world w;
	int64_t began;

	(void)state;
	o.quotas = &quota;
	o.quotas_n = 1;
	world_init(&w, o);
	get(&w, "/left");
	get(&w, "/rubbish");
	began = loop_now_us(w.loop);
	get(&w, "/used");
	get(&w, "/ok");
	assert_int_equal(w.last.err.code, 0);
	assert_true(loop_now_us(w.loop) - began >= 300000);
	world_fini(&w);
}

static void
cancel_first(void *cookie, struct fetch_answer *a)
{
	struct world *w = cookie;

	assert_int_equal(a->err.code, 0);
	fetch_cancel(w->first);
	w->first = NULL;
	loop_stop(w->loop);
}

/* Cancelled while its answer stalls; nothing of it stays in the loop. */
static void
test_cancel(void **state)
{
	struct fetch_request stall = { .method = "GET", .target = "/stall" };
	struct fetch_request ok = { .method = "GET", .target = "/ok" };
	struct fetch_stats st;
	struct world w;

	(void)state;
	world_init(&w, usual);
	w.first = fetch_start(w.f, &stall, on_done, &w);
	fetch_start(w.f, &ok, cancel_first, &w);
	loop_run(w.loop);
	assert_null(w.first);
	fetch_stats(w.f, &st);
	assert_int_equal(st.in_flight, 0);
	get(&w, "/ok");
	assert_int_equal(w.told, 1);
	world_fini(&w);
}

/* A turn later each time: queued, connecting, sent, answered; on a new
 * connection, and on one that is there. */
static void
cancel_after(int turns, const char *target, bool warm)
{
	struct fetch_request r = { .method = "GET", .target = target };
	struct fetch_stats st;
	struct fetch_job *j;
	struct world w;
	unsigned told;

	world_init(&w, usual);
	if (warm)
		get(&w, "/ok");
	told = w.told;
	w.wanted = UINT_MAX;
	j = fetch_start(w.f, &r, on_done, &w);
	for (; turns > 0; turns--)
		step(&w);
	if (w.told == told)
		fetch_cancel(j);
	fetch_stats(w.f, &st);
	assert_int_equal(st.in_flight, 0);
	w.wanted = told = w.told;
	get(&w, "/ok");
	assert_int_equal(w.last.err.code, 0);
	assert_int_equal(w.told, told + 1);
	world_fini(&w);
}

static void
test_cancel_anywhere(void **state)
{
	int turns;

	(void)state;
	for (turns = 0; turns < 7; turns++) {
		cancel_after(turns, "/ok", false);
		cancel_after(turns, "/ok", true);
		cancel_after(turns, "/stall", false);
		cancel_after(turns, "/none", true);
	}
}

/* No descriptor is free: the connection that there is serves all. */
static void
test_no_descriptor(void **state)
{
	struct rlimit before, none;
	struct world w;
	int i, fd;

	(void)state;
	world_init(&w, usual);
	get(&w, "/ok");
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	fd = dup(STDERR_FILENO);
	assert_true(fd > 0);
	close(fd);
	none = before;
	none.rlim_cur = (rlim_t)fd;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	for (i = 0; i < 10; i++)
		start(&w, "/ok");
	loop_run(w.loop);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	assert_int_equal(w.told, 11);
	assert_int_equal(w.last.err.code, 0);
	assert_int_equal(w.server.accepted, 1);
	assert_int_equal(w.server.requests, 11);
	world_fini(&w);
}

static void
test_free_in_the_air(void **state)
{
	struct world w;
	int i;

	(void)state;
	world_init(&w, usual);
	for (i = 0; i < 10; i++)
		start(&w, i < 3 ? "/stall" : "/ok");
	w.wanted = 7;
	loop_run(w.loop);
	assert_int_equal(w.told, 7);
	world_fini(&w);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_answers),
		cmocka_unit_test(test_gzip),
		cmocka_unit_test(test_proxy),
		cmocka_unit_test(test_headers),
		cmocka_unit_test(test_basic),
		cmocka_unit_test(test_keep_alive),
		cmocka_unit_test(test_dead),
		cmocka_unit_test(test_closed_between),
		cmocka_unit_test(test_closed_again),
		cmocka_unit_test(test_unasked),
		cmocka_unit_test(test_large),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_timeouts),
		cmocka_unit_test(test_retry_after),
		cmocka_unit_test(test_quota),
		cmocka_unit_test(test_cancel),
		cmocka_unit_test(test_cancel_anywhere),
		cmocka_unit_test(test_no_descriptor),
		cmocka_unit_test(test_free_in_the_air),
	};

	return (cmocka_run_group_tests(tests, NULL, NULL));
}
