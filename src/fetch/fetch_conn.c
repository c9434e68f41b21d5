/*
 * Connections of ours: libcurl makes them (CURLOPT_CONNECT_ONLY), with name
 * look-up, tunnel and TLS, and hands over the socket; what is said on them
 * is fetch_talk.c's. With TLS the easy handle stays, since it has the keys;
 * without it only the descriptor does.
 *
 * A transfer takes the connection that was used last, or has one made for
 * it. All of one kind wait equally long, so lists in the order of time and
 * one timer watch over them. A connection that rests is listened to: one
 * that says something, or ends, is closed.
 *
 * Whether HTTP/2 is spoken the first handshake tells. Until then, and for a
 * short time at most, the others are parked: with HTTP/2 theirs would be for
 * nothing.
 */
#include "config.h"

#include <sys/queue.h>

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <curl/curl.h>
#include <openssl/ssl.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/must.h"
#include "codec/zip.h"
#include "fetch/fetch.h"
#include "fetch/fetch_curl_int.h"
#include "fetch/fetch_int.h"
#include "loop/loop.h"

/* A connection rests for so long at most, as libcurl's do. */
#define IDLE_US INT64_C(118000000)
/* A handshake takes three round trips; not to be waited for is a server that
 * does not answer at all. */
#define PARKED_US INT64_C(2000000)
#define NEVER INT64_MAX

static void on_connected(struct wire *, CURLcode);
static void unpark(struct conns *);

/* --- lists --------------------------------------------------------------- */

static void
conn_move(struct conn *n, struct conn_list *to)
{
	if (n->list == &n->s->busy)
		TAILQ_REMOVE(&n->s->heard, n, heard_link);
	if (n->list != NULL)
		TAILQ_REMOVE(n->list, n, link);
	n->list = to;
	if (to != NULL)
		TAILQ_INSERT_HEAD(to, n, link);
}

/* Who waited long for a connection goes before who began later. */
static void
conn_busy(struct conn *n)
{
	struct conns *s = n->s;
	struct conn *at;

	conn_move(n, NULL);
	n->list = &s->busy;
	TAILQ_FOREACH_REVERSE(at, &s->busy, conn_list, link)
		if (at->began_us <= n->began_us)
			break;
	if (at != NULL)
		TAILQ_INSERT_AFTER(&s->busy, at, n, link);
	else
		TAILQ_INSERT_HEAD(&s->busy, n, link);
	TAILQ_INSERT_TAIL(&s->heard, n, heard_link);
}

/* --- the clock ----------------------------------------------------------- */

static int64_t
late_us(const struct conn *n)
{
	long ms = n->s->c->timeout_ms;

	return (ms > 0 ? n->began_us + ms * INT64_C(1000) : NEVER);
}

static int64_t
slow_us(const struct conn *n)
{
	long s = n->s->c->low_speed_s;

	return (s > 0 ? n->heard_us + s * INT64_C(1000000) : NEVER);
}

/* At that time at the latest somebody has to look. */
static void
watch(struct conns *s, int64_t at_us)
{
	if (at_us == NEVER || (s->clock_us != 0 && s->clock_us <= at_us))
		return;
	s->clock_us = at_us;
	loop_timer_set(s->clock, at_us - loop_now_us(s->c->loop));
}

static void
on_clock(void *cookie)
{
	struct conns *s = cookie;
	int64_t now = loop_now_us(s->c->loop);
	struct conn *n;

	s->clock_us = 0;
	while ((n = TAILQ_FIRST(&s->busy)) != NULL && late_us(n) <= now)
		fetch_conn_over(n, fetch_verdict_late(s->c, n->t, false),
		    false);
	while ((n = TAILQ_FIRST(&s->heard)) != NULL && slow_us(n) <= now)
		fetch_conn_over(n, fetch_verdict_late(s->c, n->t, true),
		    false);
	while ((n = TAILQ_LAST(&s->idle, conn_list)) != NULL &&
	    n->heard_us + IDLE_US <= now)
		fetch_conn_free(n);
	if (s->parked_us <= now)
		unpark(s);
	if (!TAILQ_EMPTY(&s->parked))
		watch(s, s->parked_us);
	if ((n = TAILQ_FIRST(&s->busy)) != NULL)
		watch(s, late_us(n));
	if ((n = TAILQ_FIRST(&s->heard)) != NULL)
		watch(s, slow_us(n));
	if ((n = TAILQ_LAST(&s->idle, conn_list)) != NULL)
		watch(s, n->heard_us + IDLE_US);
}

/* --- a connection -------------------------------------------------------- */

/* The socket, its keys, and what was to be sent. */
static void
conn_close(struct conn *n)
{
	loop_io_free(n->io);
	n->io = NULL;
	if (n->wire != NULL)
		fetch_wire_rest(n->wire);
	else if (n->fd >= 0)
		close(n->fd);
	n->wire = NULL;
	n->fd = -1;
	if (n->out.data != NULL)
		explicit_bzero(n->out.data, n->out.cap);
	buf_fini(&n->out);
	buf_init(&n->out, n->s->out.max);
	n->sent = 0;
	n->broken = false;
}

void
fetch_conn_free(struct conn *n)
{
	MAGIC_CHECK(n, CONN_MAGIC);
	MUST(n->t == NULL && n->unzip == NULL);
	conn_move(n, NULL);
	conn_close(n);
	buf_fini(&n->out);
	http1_fini(&n->h);
	n->magic = 0;
	free(n);
}

static struct conn *
conn_new(struct conns *s)
{
	struct conn *n = must_calloc(1, sizeof(*n));

	n->magic = CONN_MAGIC;
	n->s = s;
	n->fd = -1;
	http1_init(&n->h, FETCH_HEADER_MAX);
	buf_init(&n->out, s->out.max);
	return (n);
}

/* It takes up a transfer; what the last one left is cleared. */
static void
conn_take(struct conn *n, struct fetch_transfer *t, int64_t began_us)
{
	n->t = t;
	t->handle = n;
	n->began_us = began_us;
	n->first_us = n->connect_us = n->wire_bytes = 0;
	n->retry_after_s = -1;
	n->made = false;
	n->authorized = t->credentials != NULL;
	n->large = n->swollen = n->coded = n->garbled = false;
	http1_clear(&n->h);
}

static void
conn_leave(struct conn *n)
{
	struct zip_stream **spare = n->s->spare;

	if (n->t != NULL)
		n->t->handle = NULL;
	n->t = NULL;
	if (n->unzip == NULL)
		return;
	spare += zip_stream_coding(n->unzip);
	zip_stream_free(*spare);
	*spare = n->unzip;
	n->unzip = NULL;
}

/* Another one is about to tell how this origin is spoken to. */
static bool
conn_parks(struct conn *n)
{
	struct conns *s = n->s;
	int64_t now = loop_now_us(s->c->loop);

	if (s->c->way != WAY_UNKNOWN)
		return (false);
	if (TAILQ_EMPTY(&s->connecting)) {
		s->parked_us = now + PARKED_US;
		return (false);
	}
	if (now >= s->parked_us)
		return (false);
	conn_move(n, &s->parked);
	watch(s, s->parked_us);
	return (true);
}

static bool
conn_connect(struct conn *n)
{
	struct transport *c = n->s->c;
	int64_t left = c->timeout_ms;
	CURL *h;

	if ((n->wire = fetch_wire_get(c, n, on_connected)) == NULL)
		return (false);
	h = n->wire->easy;
	if (left > 0)
		left -= (loop_now_us(c->loop) - n->began_us) / 1000;
	curl_easy_setopt(h, CURLOPT_CONNECT_ONLY, 1L);
	curl_easy_setopt(h, CURLOPT_TIMEOUT_MS, c->timeout_ms > 0 &&
	    left < 1 ? 1L : (long)left);
	if (c->way == WAY_CONN)		/* offer nothing else */
		curl_easy_setopt(h, CURLOPT_HTTP_VERSION,
		    (long)CURL_HTTP_VERSION_1_1);
	conn_move(n, &n->s->connecting);
	n->made = true;
	if (fetch_wire_go(n->wire))
		return (true);
	conn_close(n);
	return (false);
}

static void
unpark(struct conns *s)
{
	struct conn *n;

	while ((n = TAILQ_LAST(&s->parked, conn_list)) != NULL) {
		conn_move(n, NULL);
		if (!conn_connect(n))
			fetch_conn_over(n, ERR_NOMEM, false);
	}
}

/* Its transfer goes on the connection. */
static bool
conn_talk(struct conn *n)
{
	n->heard_us = loop_now_us(n->s->c->loop);
	conn_busy(n);
	watch(n->s, late_us(n));
	watch(n->s, slow_us(n));
	return (fetch_talk_begin(n));
}

static void
conn_talk_or_fail(struct conn *n)
{
	if (!conn_talk(n))
		fetch_conn_over(n, ERR_NOMEM, false);
}

/* It rests, unless somebody waits for the descriptor that it holds. */
static void
conn_rest(struct conn *n)
{
	struct conns *s = n->s;
	struct wire *w = TAILQ_FIRST(&s->c->waiting);
	struct conn *other;

	if (w == NULL || s->c->way == WAY_CURL) {
		n->heard_us = loop_now_us(s->c->loop);
		loop_io_set(n->io, LOOP_READ);
		conn_move(n, &s->idle);
		watch(s, n->heard_us + IDLE_US);
		return;
	}
	other = w->owner;
	MAGIC_CHECK(other, CONN_MAGIC);
	conn_take(n, other->t, other->began_us);
	n->authorized = other->authorized;
	other->t = NULL;
	fetch_conn_free(other);
	conn_talk_or_fail(n);
}

/* --- libcurl has made one ------------------------------------------------ */

/* HTTP/2 was chosen in the handshake. libcurl knows its way in TLS, and who
 * made it; of other makers we could not ask. */
static bool
chose_http2(const struct wire *w)
{
	struct curl_tlssessioninfo *tls = NULL;
	const unsigned char *name = NULL;
	unsigned n = 0;

	if (curl_easy_getinfo(w->easy, CURLINFO_TLS_SSL_PTR, &tls) !=
	    CURLE_OK || tls == NULL || tls->internals == NULL ||
	    tls->backend != CURLSSLBACKEND_OPENSSL)
		return (true);
	SSL_get0_alpn_selected(tls->internals, &name, &n);
	return (n == 2 && memcmp(name, "h2", 2) == 0);
}

/* Those that were to have connections of ours are libcurl's. */
static void
go_by_curl(struct conns *s)
{
	struct fetch_transfer *t;
	struct conn *n;
	int rc;

	s->c->way = WAY_CURL;
	while ((n = TAILQ_LAST(&s->connecting, conn_list)) != NULL ||
	    (n = TAILQ_LAST(&s->parked, conn_list)) != NULL) {
		t = n->t;
		t->credentials = n->authorized ? s->credentials : NULL;
		conn_leave(n);
		fetch_conn_free(n);
		rc = fetch_curl_start(s->c, t);
		t->credentials = NULL;
		if (rc != 0) {
			t->rc = rc;
			t->finished(t);
		}
	}
}

static void
connect_failed(struct conn *n, CURLcode rc)
{
	struct fetch_transfer *t = n->t;
	struct conns *s = n->s;

	fetch_curl_collect(n->wire, t, rc);
	t->total_us = loop_now_us(s->c->loop) - n->began_us;
	conn_leave(n);
	fetch_conn_free(n);
	s->parked_us = 0;
	unpark(s);
	t->finished(t);
}

static void
on_connected(struct wire *w, CURLcode rc)
{
	struct conn *n = w->owner;
	struct transport *c = w->c;
	bool tls = fetch_origin_https(c->origin);
	curl_socket_t fd = CURL_SOCKET_BAD;
	curl_off_t us = 0;
	char byte;
	size_t got;

	MAGIC_CHECK(n, CONN_MAGIC);
	if (rc != CURLE_OK || curl_easy_getinfo(w->easy,
	    CURLINFO_ACTIVESOCKET, &fd) != CURLE_OK || fd < 0) {
		connect_failed(n, rc != CURLE_OK ? rc : CURLE_COULDNT_CONNECT);
		return;
	}
	curl_easy_getinfo(w->easy, tls ? CURLINFO_APPCONNECT_TIME_T :
	    CURLINFO_CONNECT_TIME_T, &us);
	n->connect_us = us;
	n->fd = fd;
	if (tls) {
		/* libcurl closes a connection that nobody uses by its books:
		 * until an easy handle has read from it, that is so. A byte
		 * that comes unasked is no answer to us. */
		rc = curl_easy_recv(w->easy, &byte, 1, &got);
		if (c->way == WAY_UNKNOWN && chose_http2(w)) {
			go_by_curl(n->s);
			return;
		}
		n->broken = rc != CURLE_AGAIN;
		if (c->way == WAY_UNKNOWN)
			fetch_hubs_serial(c->hubs);
		c->way = WAY_CONN;
	} else {
		fetch_hubs_keep(c->hubs, fd);
		n->wire = NULL;
		fetch_wire_rest(w);
	}
	n->io = loop_io_new(c->loop, fd, LOOP_READ, fetch_talk_io, n);
	unpark(n->s);
	conn_talk_or_fail(n);
}

/* --- transfers ----------------------------------------------------------- */

enum transport_way
fetch_conn_way(const struct transport *c, const struct fetch_options *o)
{
	const char *p;

	if (!c->direct || o->auth == FETCH_AUTH_NEGOTIATE)
		return (WAY_CURL);
	/* A name that libcurl writes in another way, or an address that has
	 * a zone: what is Host then is its affair. */
	for (p = c->origin; *p != '\0'; p++)
		if ((unsigned char)*p >= 0x80 || *p == '%')
			return (WAY_CURL);
	return (c->http2 && fetch_origin_https(c->origin) ? WAY_UNKNOWN :
	    WAY_CONN);
}

int
fetch_conn_start(struct conns *s, struct fetch_transfer *t)
{
	struct conn *n = TAILQ_FIRST(&s->idle);
	bool begun;

	if (t->credentials != NULL) {
		fetch_talk_credentials(s, t->credentials);
		/* the node that refused them may be the one behind it */
		if (t->credentials->alone)
			n = NULL;
	}
	begun = n != NULL;
	if (!begun)
		n = conn_new(s);
	conn_take(n, t, loop_now_us(s->c->loop));
	if (begun ? conn_talk(n) : conn_parks(n) || conn_connect(n))
		return (0);
	conn_leave(n);
	fetch_conn_free(n);
	return (ERR_NOMEM);
}

bool
fetch_conn_stop(struct fetch_transfer *t)
{
	struct conn *n = t->handle;

	/* or it is a wire, which begins alike */
	if (n->magic != CONN_MAGIC)
		return (false);
	conn_leave(n);
	fetch_conn_free(n);
	return (true);
}

bool
fetch_conn_repeat(struct conn *n)
{
	if (n->made || n->first_us != 0)
		return (false);
	conn_close(n);
	if (!conn_connect(n))
		fetch_conn_over(n, ERR_NOMEM, false);
	return (true);
}

void
fetch_conn_over(struct conn *n, int rc, bool keep)
{
	struct fetch_transfer *t = n->t;

	t->rc = rc;
	/* what came before the answer proper is none */
	t->status = n->h.status >= 200 ? n->h.status : 0;
	t->total_us = loop_now_us(n->s->c->loop) - n->began_us;
	t->first_byte_us = n->first_us > 0 ? n->first_us - n->began_us : 0;
	t->connect_us = n->connect_us;
	t->connected = n->made;
	t->wire_bytes = n->wire_bytes;
	t->retry_after_ms = n->retry_after_s > 0 ?
	    n->retry_after_s * INT64_C(1000) : -1;
	conn_leave(n);
	if (keep)
		conn_rest(n);
	else
		fetch_conn_free(n);
	t->finished(t);
}

/* --- all of them --------------------------------------------------------- */

struct conns *
fetch_conns_new(struct transport *c)
{
	struct conns *s = must_calloc(1, sizeof(*s));

	s->c = c;
	TAILQ_INIT(&s->parked);
	TAILQ_INIT(&s->connecting);
	TAILQ_INIT(&s->busy);
	TAILQ_INIT(&s->heard);
	TAILQ_INIT(&s->idle);
	s->clock = loop_timer_new(c->loop, on_clock, s);
	buf_init(&s->head, FETCH_HEADER_MAX);
	buf_init(&s->authorization, FETCH_HEADER_MAX);
	buf_init(&s->out, SIZE_MAX / 2);
	fetch_talk_head(c, &s->head);
	s->in = must_calloc(1, CONN_IN);
	return (s);
}

static void
conns_close(struct conn_list *list)
{
	struct conn *n;

	while ((n = TAILQ_FIRST(list)) != NULL) {
		conn_leave(n);
		fetch_conn_free(n);
	}
}

void
fetch_conns_free(struct conns *s)
{
	conns_close(&s->parked);
	conns_close(&s->connecting);
	conns_close(&s->busy);
	conns_close(&s->idle);
	loop_timer_free(s->clock);
	fetch_talk_forget(s);
	if (s->out.data != NULL)
		explicit_bzero(s->out.data, s->out.cap);
	buf_fini(&s->out);
	buf_fini(&s->head);
	zip_stream_free(s->spare[ZIP_GZIP]);
	zip_stream_free(s->spare[ZIP_ZSTD]);
	free(s->in);
	free(s);
}
