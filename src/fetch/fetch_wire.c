/*
 * Wires: easy handles of libcurl's, set up once for an origin and pooled, in
 * a hub each for their lives. A wire carries a transfer, or makes a
 * connection for one (fetch_conn.c); both say what they want of it, and are
 * told how it ended. When the process has no descriptor free a wire waits.
 */
#include "config.h"

#include <sys/queue.h>
#include <sys/socket.h>

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>

#include <curl/curl.h>

#include "base/err.h"
#include "base/must.h"
#include "fetch/fetch.h"
#include "fetch/fetch_curl_int.h"
#include "fetch/fetch_int.h"
#include "loop/loop.h"

/* Read at once from a socket. */
#define READ_BYTES 65536L
/* Between looks for a free descriptor. */
#define AGAIN_US 50000

/* --- options ------------------------------------------------------------- */

static void
wire_tls(struct wire *w)
{
	const struct transport *c = w->c;
	CURL *h = w->easy;

	curl_easy_setopt(h, CURLOPT_SSLVERSION,
	    (long)CURL_SSLVERSION_TLSv1_2);
	if (c->ca_file != NULL)
		curl_easy_setopt(h, CURLOPT_CAINFO, c->ca_file);
	if (c->cert_file != NULL) {
		curl_easy_setopt(h, CURLOPT_SSLCERT, c->cert_file);
		curl_easy_setopt(h, CURLOPT_SSLKEY, c->key_file != NULL ?
		    c->key_file : c->cert_file);
		/* without any, OpenSSL would ask at the terminal */
		curl_easy_setopt(h, CURLOPT_KEYPASSWD,
		    c->key_password != NULL ? c->key_password : "");
	}
	if (c->unverified) {
		curl_easy_setopt(h, CURLOPT_SSL_VERIFYPEER, 0L);
		curl_easy_setopt(h, CURLOPT_SSL_VERIFYHOST, 0L);
	}
}

/* Of the proxy as of the origin: TLS from 1.2 on, one authority. */
static void
wire_proxy_tls(struct wire *w)
{
	const struct transport *c = w->c;
	CURL *h = w->easy;

	curl_easy_setopt(h, CURLOPT_PROXY_SSLVERSION,
	    (long)CURL_SSLVERSION_TLSv1_2);
	if (c->ca_file != NULL)
		curl_easy_setopt(h, CURLOPT_PROXY_CAINFO, c->ca_file);
	if (c->unverified) {
		curl_easy_setopt(h, CURLOPT_PROXY_SSL_VERIFYPEER, 0L);
		curl_easy_setopt(h, CURLOPT_PROXY_SSL_VERIFYHOST, 0L);
	}
}

static void
wire_proxy(struct wire *w)
{
	const struct transport *c = w->c;
	CURL *h = w->easy;

	wire_proxy_tls(w);
	/* the answer to CONNECT is none of the origin's */
	curl_easy_setopt(h, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
	if (c->proxy == NULL && fetch_origin_loopback(c->origin))
		curl_easy_setopt(h, CURLOPT_PROXY, "");
	if (c->proxy == NULL)
		return;
	curl_easy_setopt(h, CURLOPT_PROXY, c->proxy);
	curl_easy_setopt(h, CURLOPT_NOPROXY, "");
	if (c->proxy_user != NULL) {
		curl_easy_setopt(h, CURLOPT_PROXYAUTH, (long)CURLAUTH_BASIC);
		curl_easy_setopt(h, CURLOPT_PROXYUSERNAME, c->proxy_user);
		curl_easy_setopt(h, CURLOPT_PROXYPASSWORD,
		    c->proxy_password != NULL ? c->proxy_password : "");
	}
}

/* What a server does not even acknowledge for so long was sent to nobody. */
static int
set_socket(void *cookie, curl_socket_t fd, curlsocktype purpose)
{
	const struct transport *c = cookie;
	unsigned ms = (unsigned)c->low_speed_s * 1000;

	(void)purpose;
	(void)setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &ms, sizeof(ms));
	return (CURL_SOCKOPT_OK);
}

static void
wire_options(struct wire *w)
{
	struct transport *c = w->c;
	CURL *h = w->easy;

	curl_easy_setopt(h, CURLOPT_PRIVATE, w);
	curl_easy_setopt(h, CURLOPT_URL, c->origin);
	curl_easy_setopt(h, CURLOPT_ERRORBUFFER, w->words);
	fetch_curl_options(h, w);
	curl_easy_setopt(h, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(h, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(h, CURLOPT_FOLLOWLOCATION, 0L);
	curl_easy_setopt(h, CURLOPT_MAXREDIRS, BOUND_REDIRECTS);
	curl_easy_setopt(h, CURLOPT_PATH_AS_IS, 1L);
	curl_easy_setopt(h, CURLOPT_TCP_KEEPALIVE, 1L);
	curl_easy_setopt(h, CURLOPT_BUFFERSIZE, READ_BYTES);
	curl_easy_setopt(h, CURLOPT_CONNECTTIMEOUT_MS, c->connect_timeout_ms);
	curl_easy_setopt(h, CURLOPT_TIMEOUT_MS, c->timeout_ms);
	if (c->low_speed_s > 0) {
		curl_easy_setopt(h, CURLOPT_LOW_SPEED_LIMIT, 1L);
		curl_easy_setopt(h, CURLOPT_LOW_SPEED_TIME, c->low_speed_s);
		curl_easy_setopt(h, CURLOPT_SOCKOPTFUNCTION, set_socket);
		curl_easy_setopt(h, CURLOPT_SOCKOPTDATA, c);
	}
	if (c->user_agent != NULL)
		curl_easy_setopt(h, CURLOPT_USERAGENT, c->user_agent);
	if (c->compressed)
		curl_easy_setopt(h, CURLOPT_ACCEPT_ENCODING, "");
	curl_easy_setopt(h, CURLOPT_HTTP_VERSION, c->http2 ?
	    (long)CURL_HTTP_VERSION_2TLS : (long)CURL_HTTP_VERSION_1_1);
	/* One handshake tells whether one connection serves all. Over plain
	 * http nothing does: transfers would wait for each other's end. */
	if (fetch_hubs_multiplex(c->hubs))
		curl_easy_setopt(h, CURLOPT_PIPEWAIT, 1L);
	wire_tls(w);
	wire_proxy(w);
}

/* --- the pool ------------------------------------------------------------ */

struct wire *
fetch_wire_get(struct transport *c, void *owner, wire_fn *over)
{
	struct wire *w;

	if ((w = c->pool) != NULL) {
		c->pool = w->next;
		w->next = NULL;
	} else {
		w = must_calloc(1, sizeof(*w));
		w->magic = WIRE_MAGIC;
		w->c = c;
		if ((w->easy = curl_easy_init()) == NULL ||
		    (w->hub = fetch_hub_join(c->hubs, w->easy)) == NULL) {
			curl_easy_cleanup(w->easy);
			free(w);
			return (NULL);
		}
		w->all = c->wires;
		c->wires = w;
		wire_options(w);
	}
	w->owner = owner;
	w->over = over;
	w->since_us = loop_now_us(c->loop);
	w->header_bytes = 0;
	w->too_big = w->swollen = false;
	w->words[0] = '\0';
	return (w);
}

bool
fetch_wire_go(struct wire *w)
{
	return (fetch_hub_add(w->hub, w->easy) == CURLM_OK);
}

void
fetch_wire_rest(struct wire *w)
{
	MAGIC_CHECK(w, WIRE_MAGIC);
	if (w->waits)
		TAILQ_REMOVE(&w->c->waiting, w, link);
	else
		fetch_hub_remove(w->hub, w->easy);
	w->waits = false;
	w->owner = NULL;
	w->next = w->c->pool;
	w->c->pool = w;
}

void
fetch_wires_free(struct transport *c)
{
	struct wire *w;

	while ((w = c->wires) != NULL) {
		c->wires = w->all;
		if (w->owner != NULL)
			fetch_wire_rest(w);
		curl_easy_cleanup(w->easy);
		w->magic = 0;
		free(w);
	}
}

/* --- their ends ---------------------------------------------------------- */

/* The process has no descriptor left: that is no fault of the server's, and
 * passes when another transfer ends. False when that took too long. */
static bool
wire_waits(struct wire *w, CURLcode rc)
{
	struct transport *c = w->c;

	if ((rc != CURLE_COULDNT_CONNECT && rc != CURLE_COULDNT_RESOLVE_HOST) ||
	    loop_now_us(c->loop) - w->since_us > c->timeout_ms * 1000 ||
	    !fetch_hub_full())
		return (false);
	fetch_hub_remove(w->hub, w->easy);
	w->waits = true;
	TAILQ_INSERT_TAIL(&c->waiting, w, link);
	if (!loop_timer_pending(c->again))
		loop_timer_set(c->again, AGAIN_US);
	return (true);
}

void
fetch_wire_again(void *cookie)
{
	struct transport *c = cookie;
	struct wire *w;

	while ((w = TAILQ_FIRST(&c->waiting)) != NULL) {
		TAILQ_REMOVE(&c->waiting, w, link);
		w->waits = false;
		MUST(fetch_wire_go(w));
	}
}

void
fetch_wire_over(CURL *easy, CURLcode rc)
{
	struct wire *w;
	char *private;

	curl_easy_getinfo(easy, CURLINFO_PRIVATE, &private);
	w = (struct wire *)(void *)private;
	MAGIC_CHECK(w, WIRE_MAGIC);
	if (rc == CURLE_OK || !wire_waits(w, rc))
		w->over(w, rc);
}
