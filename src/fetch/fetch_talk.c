/*
 * What is said over a connection of ours: a request goes out, as far as
 * possible in one piece at once, and its answer is taken in as it comes,
 * framed by fetch_http1.c, decompressed and held against the bounds. At its
 * end the transfer is over and the connection rests, or is closed when there
 * is any doubt about what comes next on it.
 */
#include "config.h"

#include <sys/queue.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <curl/curl.h>
#include <openssl/evp.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/must.h"
#include "codec/zip.h"
#include "fetch/fetch.h"
#include "fetch/fetch_curl_int.h"
#include "fetch/fetch_int.h"
#include "loop/loop.h"

/* An answer's memory is made at once, of the length that is told or that the
 * last one on the connection had, up to this. */
#define AHEAD_MAX (4u << 20)
/* A body or chunk of so many bytes is read into its place. */
#define PLAIN_MIN 16384u
#define PLAIN_MAX (256u << 10)
/* With it, of what follows: enough to know how much of the next chunk is to
 * come. */
#define BEHIND 2048u
/* Of one connection at once; then others have their turn. */
#define TURN_BYTES (1u << 20)
/* Decompressed at once. */
#define PIECE_MIN 2048u
#define PIECE_MAX 65536u
/* Retry-After: longer than that is for ever. */
#define RETRY_AFTER_MAX_S (INT32_MAX / 2)

/* --- the request --------------------------------------------------------- */

/* As a URL names them: without the port that goes without saying. */
static void
put_host(const char *origin, struct buf *b)
{
	const char *a = fetch_authority(origin), *port = strrchr(a, ':');
	const char *usual = fetch_origin_https(origin) ? ":443" : ":80";

	buf_puts(b, "Host: ");
	buf_put(b, a, port != NULL && strcmp(port, usual) == 0 ?
	    (size_t)(port - a) : strlen(a));
	buf_puts(b, "\r\n");
}

void
fetch_talk_head(const struct transport *c, struct buf *b)
{
	put_host(c->origin, b);
	if (c->user_agent != NULL)
		buf_printf(b, "User-Agent: %s\r\n", c->user_agent);
	if (c->compressed)
		buf_puts(b, "Accept-Encoding: gzip, zstd\r\n");
	/* the second: CSRF defence of PI Web API */
	buf_puts(b, "Accept: application/json\r\n"
	    "X-Requested-With: garner\r\n");
}

static void
wipe(struct buf *b)
{
	if (b->data != NULL)
		explicit_bzero(b->data, b->cap);
	buf_fini(b);
}

void
fetch_talk_forget(struct conns *s)
{
	struct fetch_credentials *x = s->credentials;

	wipe(&s->authorization);
	buf_init(&s->authorization, FETCH_HEADER_MAX);
	s->credentials = NULL;
	if (x == NULL)
		return;
	fetch_secret_free((char *)(uintptr_t)x->user);
	fetch_secret_free((char *)(uintptr_t)x->password);
	fetch_secret_free((char *)(uintptr_t)x->token);
	free(x);
}

static void
put_basic(struct buf *b, const char *user, const char *password)
{
	struct buf text;
	uint8_t *to;

	buf_init(&text, FETCH_HEADER_MAX / 2);
	buf_puts(&text, user != NULL ? user : "");
	buf_puts(&text, ":");
	buf_puts(&text, password != NULL ? password : "");
	to = text.error != 0 ? NULL :
	    buf_reserve(b, (text.len + 2) / 3 * 4 + 1);
	if (to != NULL)
		b->len += (size_t)EVP_EncodeBlock(to, text.data,
		    (int)text.len);
	wipe(&text);
}

/* Kept, since a request may have to be repeated, or be libcurl's. */
void
fetch_talk_credentials(struct conns *s, const struct fetch_credentials *x)
{
	struct fetch_credentials *mine;
	struct buf *b = &s->authorization;

	if (s->generation == x->generation)
		return;
	fetch_talk_forget(s);
	s->generation = x->generation;
	mine = s->credentials = must_calloc(1, sizeof(*mine));
	*mine = (struct fetch_credentials){
		.generation = x->generation, .kind = x->kind,
		.user = must_strdup_if(x->user),
		.password = must_strdup_if(x->password),
		.token = must_strdup_if(x->token),
	};
	buf_puts(b, "Authorization: ");
	if (x->kind == FETCH_AUTH_BEARER) {
		buf_puts(b, "Bearer ");
		buf_puts(b, x->token);
	} else {
		buf_puts(b, "Basic ");
		put_basic(b, x->user, x->password);
	}
	buf_puts(b, "\r\n");
}

static void
put_request(struct buf *b, const struct conn *n)
{
	const struct fetch_transfer *t = n->t;
	const struct conns *s = n->s;
	const char *type = t->content_type;

	buf_puts(b, t->method);
	buf_puts(b, " ");
	buf_puts(b, t->url + strlen(s->c->origin));
	buf_puts(b, " HTTP/1.1\r\n");
	buf_put(b, s->head.data, s->head.len);
	if (n->authorized)
		buf_put(b, s->authorization.data, s->authorization.len);
	if (strcmp(t->method, "POST") == 0) {
		buf_printf(b, "Content-Type: %s\r\nContent-Length: %zu\r\n"
		    "\r\n", type != NULL ? type : "application/json",
		    t->body_len);
		buf_put(b, t->body, t->body_len);
	} else
		buf_puts(b, "\r\n");
}

/* Bytes sent; 0: not now; -1: never again. */
static ssize_t
send_some(struct conn *n, const void *p, size_t len)
{
	size_t done = 0;
	ssize_t r;
	CURLcode rc;

	if (n->wire != NULL) {
		rc = curl_easy_send(n->wire->easy, p, len, &done);
		return (rc == CURLE_OK ? (ssize_t)done :
		    rc == CURLE_AGAIN ? 0 : -1);
	}
	do {
		r = send(n->fd, p, len, MSG_NOSIGNAL | MSG_DONTWAIT);
	} while (r < 0 && errno == EINTR);
	if (r < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
		return (0);
	return (r);
}

/* The buffer is lent until all is sent: most often that is at once. With TLS
 * what was not taken has to stay where it is. */
static void
give_back(struct conn *n)
{
	struct conns *s = n->s;

	n->sent = 0;
	if (s->out.data == NULL) {
		s->out = n->out;
		buf_clear(&s->out);
	} else
		wipe(&n->out);
	buf_init(&n->out, s->out.max);
}

static void
send_rest(struct conn *n)
{
	ssize_t r = 1;

	while (n->sent < n->out.len && r > 0) {
		r = send_some(n, n->out.data + n->sent, n->out.len - n->sent);
		if (r > 0)
			n->sent += (size_t)r;
	}
	/* What it has to say of that may be there to be read. */
	if (r < 0)
		n->broken = true;
	else if (n->sent == n->out.len)
		give_back(n);
}

/* Who cannot wait comes again at once: a socket can be written to. */
static void
set_wishes(struct conn *n, bool again)
{
	loop_io_set(n->io, LOOP_READ |
	    (again || n->broken || n->out.len > 0 ? LOOP_WRITE : 0));
}

bool
fetch_talk_begin(struct conn *n)
{
	struct conns *s = n->s;

	MUST(n->out.data == NULL);
	n->out = s->out;
	buf_init(&s->out, n->out.max);
	put_request(&n->out, n);
	if (n->out.error != 0)
		return (false);
	if (!n->broken)
		send_rest(n);
	set_wishes(n, false);
	return (true);
}

/* --- headers of the answer ----------------------------------------------- */

static bool
word_is(const char *p, size_t n, const char *word)
{
	return (strlen(word) == n && strncasecmp(p, word, n) == 0);
}

static int
retry_after(const struct conn *n, const char *p, size_t len)
{
	char text[64];
	int64_t s = 0;
	time_t at;
	size_t i;

	for (i = 0; i < len && p[i] >= '0' && p[i] <= '9'; i++)
		if (s < RETRY_AFTER_MAX_S)
			s = s * 10 + (p[i] - '0');
	if (i == 0 || i < len) {
		snprintf(text, sizeof(text), "%.*s", (int)(len < 63 ? len :
		    63), p);
		if ((at = curl_getdate(text, NULL)) == (time_t)-1)
			return (-1);
		s = (int64_t)at - loop_unix_s(n->s->c->loop);
	}
	if (s < 0)
		return (-1);
	return (s < RETRY_AFTER_MAX_S ? (int)s : RETRY_AFTER_MAX_S);
}

/* One encoding, of those that were asked for. */
static void
take_encoding(struct conn *n, const char *p, size_t len)
{
	enum zip_coding coding;

	if (word_is(p, len, "identity") || len == 0)
		return;
	coding = word_is(p, len, "zstd") ? ZIP_ZSTD : ZIP_GZIP;
	n->coded = n->unzip != NULL || (coding == ZIP_GZIP &&
	    !word_is(p, len, "gzip") && !word_is(p, len, "x-gzip"));
	if (n->coded)
		return;
	if ((n->unzip = n->s->spare[coding]) != NULL) {
		n->s->spare[coding] = NULL;
		zip_stream_reset(n->unzip);
	} else if ((n->unzip = zip_stream_new(coding)) == NULL)
		n->t->in.error = ERR_NOMEM;
}

static bool
on_header(void *cookie, const char *line, size_t name, size_t len)
{
	struct conn *n = cookie;
	struct transport *c = n->s->c;
	const char *p = line + name + 1, *end = line + len;

	if (c->quotas_n > 0)
		fetch_quota_header(c->quotas, c->quotas_n, line, len, n->t);
	while (p < end && (*p == ' ' || *p == '\t'))
		p++;
	while (p < end && (end[-1] == ' ' || end[-1] == '\t'))
		end--;
	if (word_is(line, name, "Content-Type"))
		n->t->json = fetch_type_json(p, (size_t)(end - p));
	else if (word_is(line, name, "Content-Encoding"))
		take_encoding(n, p, (size_t)(end - p));
	else if (word_is(line, name, "Retry-After"))
		n->retry_after_s = retry_after(n, p, (size_t)(end - p));
	return (n->t->in.error == 0);
}

/* --- the body ------------------------------------------------------------ */

/* Room for a body that begins. */
static void
reserve_body(struct conn *n)
{
	const struct transport *c = n->s->c;
	size_t want = n->usual;

	if (n->unzip == NULL && n->h.length > 0)
		want = (uint64_t)n->h.length < AHEAD_MAX ?
		    (size_t)n->h.length : AHEAD_MAX;
	if (want > c->body_max)
		want = c->body_max;
	if (want > 0)
		fetch_body_room(&n->t->in, want + LIMIT_PADDING);
}

static bool
put_compressed(struct conn *n, const char *p, size_t len)
{
	const struct transport *c = n->s->c;
	const uint8_t *at = (const uint8_t *)p;
	struct buf *in = &n->t->in;
	size_t piece, wire;
	bool more = true;
	int rc;

	while (more) {
		piece = len < PIECE_MIN / 4 ? PIECE_MIN :
		    len > PIECE_MAX / 4 ? PIECE_MAX : 4 * len;
		if (piece > c->body_max + 1 - in->len)
			piece = c->body_max + 1 - in->len;
		rc = zip_stream_put(n->unzip, &at, &len, piece, in, &more);
		if (rc == ERR_NOMEM)
			in->error = ERR_NOMEM;
		n->garbled = rc == ERR_CORRUPT;
		n->large = rc == ERR_LIMIT || in->len > c->body_max;
		wire = (size_t)n->h.body_bytes + (size_t)(at -
		    (const uint8_t *)p);
		n->swollen = in->len > FETCH_RATIO_FROM &&
		    c->ratio_max > 0 && in->len / c->ratio_max > wire;
		if (rc != 0 || n->large || n->swollen)
			return (false);
	}
	return (true);
}

static bool
on_body(void *cookie, const char *p, size_t len)
{
	struct conn *n = cookie;
	size_t max = n->s->c->body_max;
	struct buf *in = &n->t->in;
	int64_t told = n->h.length;

	if (n->coded)
		return (false);
	if (n->unzip == NULL) {
		n->large = len > max - in->len ||
		    (told > 0 && (uint64_t)told > max);
		if (n->large)
			return (false);
	}
	if (in->len == 0)
		reserve_body(n);
	if (n->unzip != NULL)
		return (put_compressed(n, p, len));
	buf_put(in, p, len);
	return (in->error == 0);
}

static const struct http1_user user = { on_header, on_body };

/* --- ends ---------------------------------------------------------------- */

static int
why_stopped(struct conn *n)
{
	const struct transport *c = n->s->c;

	if (n->t->in.error == ERR_NOMEM) {
		(void)fetch_verdict_bad(n->t, "out of memory for the answer");
		return (ERR_NOMEM);
	}
	if (n->swollen)
		return (fetch_verdict_swollen(c, n->t));
	if (n->coded)
		return (fetch_verdict_bad(n->t, "the answer is compressed in "
		    "a way that was not asked for"));
	if (n->garbled)
		return (fetch_verdict_bad(n->t, "what is in the answer is not "
		    "what its Content-Encoding says"));
	return (fetch_verdict_large(c, n->t, false));
}

/* The end of an answer; `extra`: more came with it. */
static void
answered(struct conn *n, enum http1_end e, bool extra)
{
	int rc = 0;

	/* The next one may be a little longer. */
	n->usual = n->t->in.len + n->t->in.len / 8;
	if (n->usual > AHEAD_MAX)
		n->usual = AHEAD_MAX;
	if (e == HTTP1_BAD)
		rc = fetch_verdict_bad(n->t, n->h.why);
	else if (e == HTTP1_TOO_LARGE)
		rc = fetch_verdict_large(n->s->c, n->t, true);
	else if (e == HTTP1_STOPPED)
		rc = why_stopped(n);
	else if (n->unzip != NULL && !zip_stream_ended(n->unzip) &&
	    n->h.body_bytes > 0)
		rc = fetch_verdict_bad(n->t, "the compressed answer is cut "
		    "short");
	fetch_conn_over(n, rc, e == HTTP1_DONE && !extra && !n->broken &&
	    n->out.len == 0 && http1_keeps(&n->h));
}

/* The other side is gone; words: NULL when it said so properly. */
static void
ended(struct conn *n, const char *words)
{
	bool begun = n->first_us != 0;
	int rc;

	if (words == NULL && http1_eof(&n->h) == HTTP1_DONE) {
		answered(n, HTTP1_DONE, false);
		return;
	}
	if (fetch_conn_repeat(n))
		return;
	if (!begun && n->made && n->wire != NULL)
		rc = fetch_verdict_tls(n->wire, n->t, words != NULL ?
		    CURLE_RECV_ERROR : CURLE_GOT_NOTHING);
	else
		rc = fetch_verdict_cut(n->t, begun, n->h.length,
		    n->h.body_bytes, words);
	fetch_conn_over(n, rc, false);
}

/* --- receiving ----------------------------------------------------------- */

enum got { GOT_SOME, GOT_ALL, GOT_NONE, GOT_END };

static enum got
receive_tls(struct conn *n, void *p, size_t max, size_t *len,
    const char **words)
{
	CURLcode rc = curl_easy_recv(n->wire->easy, p, max, len);

	if (rc == CURLE_AGAIN)
		return (GOT_NONE);
	if (rc != CURLE_OK)
		*words = n->wire->words[0] != '\0' ? n->wire->words :
		    curl_easy_strerror(rc);
	/* A record may wait that the socket does not tell of. */
	return (*len > 0 ? GOT_ALL : GOT_END);
}

/* Up to `max` bytes to p, and what is behind them to n->s->in (with TLS one
 * of both), or up to `in` bytes there when max is 0: as much as there is room
 * for, less, none now, or the end; *words: why. */
static enum got
receive(struct conn *n, void *p, size_t max, size_t in, size_t *len,
    const char **words)
{
	struct iovec to[2] = { { p, max }, { n->s->in, BEHIND } };
	struct msghdr m = { .msg_iov = to, .msg_iovlen = 2 };
	ssize_t r;

	*len = 0;
	if (n->wire != NULL)
		return (max > 0 ? receive_tls(n, p, max, len, words) :
		    receive_tls(n, n->s->in, in, len, words));
	do {
		r = max > 0 ? recvmsg(n->fd, &m, MSG_DONTWAIT) :
		    recv(n->fd, n->s->in, in, MSG_DONTWAIT);
	} while (r < 0 && errno == EINTR);
	if (r < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
		return (GOT_NONE);
	if (r <= 0) {
		if (r < 0)
			*words = strerror(errno);
		return (GOT_END);
	}
	*len = (size_t)r;
	return (*len == (max > 0 ? max + BEHIND : in) ? GOT_ALL : GOT_SOME);
}

/* So many bytes are read into the body's own place; 0: none. */
static size_t
plain_bytes(const struct conn *n)
{
	size_t room = n->s->c->body_max - n->t->in.len;
	uint64_t left = http1_plain(&n->h);

	if (n->unzip != NULL || n->t->in.len == 0 || left > room ||
	    n->h.piece < PLAIN_MIN)
		return (0);
	return (left < PLAIN_MAX ? (size_t)left : PLAIN_MAX);
}

/* So many bytes are read elsewhere: few where much is likely to follow that
 * can be read into its place, in front of a body or a chunk. */
static size_t
other_bytes(const struct conn *n)
{
	bool much = n->t->in.len == 0 ? n->usual >= PLAIN_MAX :
	    n->h.piece >= PLAIN_MIN;

	return (much && n->unzip == NULL && n->wire == NULL ? BEHIND :
	    CONN_IN);
}

/* One read, and what it makes of the answer. */
static enum got
read_once(struct conn *n, enum http1_end *e, size_t *len, bool *extra,
    const char **words)
{
	size_t plain = plain_bytes(n), used = 0;
	struct buf *in = &n->t->in;
	void *to = plain > 0 ? buf_reserve(in, plain) : NULL;
	enum got got;

	got = receive(n, to, to != NULL ? plain : 0, other_bytes(n), len,
	    words);
	if (*len == 0)
		return (got);
	if (n->first_us == 0)
		n->first_us = loop_now_us(n->s->c->loop);
	if (to == NULL)
		plain = 0;
	else if (plain > *len)
		plain = *len;
	if (plain > 0) {
		in->len += plain;
		*e = http1_took(&n->h, plain);
	}
	if (*e == HTTP1_MORE && *len > plain)
		*e = http1_put(&n->h, n->s->in, *len - plain, &used, &user,
		    n);
	used += plain;
	n->wire_bytes += (int64_t)used;
	*extra = used < *len;
	return (got);
}

/* It gave a sign of life. */
static void
heard(struct conn *n)
{
	struct conns *s = n->s;

	n->heard_us = loop_now_us(s->c->loop);
	TAILQ_REMOVE(&s->heard, n, heard_link);
	TAILQ_INSERT_TAIL(&s->heard, n, heard_link);
}

static void
read_answer(struct conn *n)
{
	enum http1_end e = HTTP1_MORE;
	enum got got = GOT_ALL;
	const char *words = NULL;
	size_t len, total = 0;
	bool extra = false;

	for (; got == GOT_ALL && total < TURN_BYTES; total += len) {
		got = read_once(n, &e, &len, &extra, &words);
		if (e != HTTP1_MORE) {
			answered(n, e, extra);
			return;
		}
	}
	if (got == GOT_END || (got == GOT_NONE && n->broken)) {
		ended(n, words);
		return;
	}
	if (total > 0)
		heard(n);
	set_wishes(n, got == GOT_ALL && n->wire != NULL);
}

/* At rest: an end, or what nobody asked for; TLS also has words of its own,
 * such as tickets, which are none to us. */
static void
rest_io(struct conn *n)
{
	const char *words;
	size_t len;

	if (receive(n, NULL, 0, CONN_IN, &len, &words) != GOT_NONE)
		fetch_conn_free(n);
}

void
fetch_talk_io(void *cookie, int fd, int what)
{
	struct conn *n = cookie;

	(void)fd;
	MAGIC_CHECK(n, CONN_MAGIC);
	if (n->t == NULL) {
		rest_io(n);
		return;
	}
	if ((what & LOOP_WRITE) != 0 && !n->broken && n->out.len > 0) {
		send_rest(n);
		heard(n);
	}
	read_answer(n);
}
