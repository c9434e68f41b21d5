/*
 * The transport of the program: transfers on libcurl's easy handles. What
 * waits for their sockets and timers is fetch_hub.c.
 *
 * Easy handles are set up once and pooled; a transfer sets what is its own.
 */
#include "config.h"

#include <sys/queue.h>

#include <stdlib.h>
#include <string.h>

#include <curl/curl.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/must.h"
#include "fetch/fetch.h"
#include "fetch/fetch_curl_int.h"
#include "fetch/fetch_int.h"
#include "loop/loop.h"

#define CURL_MAGIC 0x4355524cu
#define WIRE_MAGIC 0x57495245u
/* Read at once from a socket. */
#define READ_BYTES 65536L
/* Between looks for a free descriptor. */
#define AGAIN_US 50000
/* An answer's memory is made at once when its length is told, up to this. */
#define AHEAD_MAX (4u << 20)

/* --- libcurl's callbacks ------------------------------------------------- */

/* Does it decompress to more than is sane? */
static bool
swollen(struct wire *w, size_t len)
{
	curl_off_t wire = 0;

	if (w->c->ratio_max == 0 || curl_easy_getinfo(w->easy,
	    CURLINFO_SIZE_DOWNLOAD_T, &wire) != CURLE_OK)
		return (false);
	return (len / w->c->ratio_max > (size_t)wire);
}

static size_t
on_body(char *p, size_t size, size_t n, void *cookie)
{
	struct wire *w = cookie;
	struct buf *in = &w->t->in;
	curl_off_t told = 0;

	n *= size;
	if (n > w->c->body_max - in->len) {
		w->too_big = true;
		return (0);
	}
	if (in->len + n > FETCH_RATIO_FROM && swollen(w, in->len + n)) {
		w->swollen = true;
		return (0);
	}
	if (in->len == 0 && curl_easy_getinfo(w->easy,
	    CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &told) == CURLE_OK &&
	    told > 0)
		buf_reserve(in, (told < (curl_off_t)AHEAD_MAX ?
		    (size_t)told : AHEAD_MAX) + FETCH_PADDING);
	buf_put(in, p, n);
	return (in->error == 0 ? n : 0);
}

static size_t
on_header(char *p, size_t size, size_t n, void *cookie)
{
	struct wire *w = cookie;

	size_t len;

	n *= size;
	w->header_bytes += n;
	if (w->header_bytes > FETCH_HEADER_MAX) {
		w->too_big = true;
		return (0);
	}
	for (len = n; len > 0 && (p[len - 1] == '\r' || p[len - 1] == '\n');)
		len--;
	fetch_quota_header(w->c->quotas, w->c->quotas_n, p, len, w->t);
	return (n);
}

/* --- results ----------------------------------------------------------- */

static bool
is_json(CURL *easy)
{
	const char *type = NULL;
	size_t n;

	curl_easy_getinfo(easy, CURLINFO_CONTENT_TYPE, &type);
	if (type == NULL)
		return (false);
	n = strcspn(type, "; \t");
	return ((n >= 4 && strncasecmp(type + n - 4, "json", 4) == 0));
}

static void
collect(struct wire *w, struct fetch_transfer *t, CURLcode rc)
{
	curl_off_t total = 0, first = 0, connect = 0, body = 0, after = 0;
	long status = 0, header = 0, connects = 0, version = 0;

	curl_easy_getinfo(w->easy, CURLINFO_RESPONSE_CODE, &status);
	curl_easy_getinfo(w->easy, CURLINFO_TOTAL_TIME_T, &total);
	curl_easy_getinfo(w->easy, CURLINFO_STARTTRANSFER_TIME_T, &first);
	curl_easy_getinfo(w->easy, fetch_origin_https(w->c->origin) ?
	    CURLINFO_APPCONNECT_TIME_T : CURLINFO_CONNECT_TIME_T, &connect);
	curl_easy_getinfo(w->easy, CURLINFO_SIZE_DOWNLOAD_T, &body);
	curl_easy_getinfo(w->easy, CURLINFO_HEADER_SIZE, &header);
	curl_easy_getinfo(w->easy, CURLINFO_HTTP_VERSION, &version);
	curl_easy_getinfo(w->easy, CURLINFO_NUM_CONNECTS, &connects);
	curl_easy_getinfo(w->easy, CURLINFO_RETRY_AFTER, &after);
	t->status = (int)status;
	t->total_us = total;
	t->first_byte_us = first;
	t->connect_us = connect;
	t->wire_bytes = body + header;
	t->connected = connects > 0;
	t->retry_after_ms = after > 0 && after < INT64_MAX / 1000 ?
	    after * 1000 : -1;
	t->json = is_json(w->easy);
	t->rc = fetch_verdict(w, t, rc);
	/* This server shares none: the wires to come are spread. */
	if (version == CURL_HTTP_VERSION_1_1)
		fetch_hubs_serial(w->c->hubs);
}

/* --- wires --------------------------------------------------------------- */

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

static void
wire_options(struct wire *w)
{
	struct transport *c = w->c;
	CURL *h = w->easy;

	curl_easy_setopt(h, CURLOPT_PRIVATE, w);
	curl_easy_setopt(h, CURLOPT_URL, c->origin);
	curl_easy_setopt(h, CURLOPT_ERRORBUFFER, w->words);
	curl_easy_setopt(h, CURLOPT_WRITEFUNCTION, on_body);
	curl_easy_setopt(h, CURLOPT_WRITEDATA, w);
	curl_easy_setopt(h, CURLOPT_HEADERFUNCTION, on_header);
	curl_easy_setopt(h, CURLOPT_HEADERDATA, w);
	curl_easy_setopt(h, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(h, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(h, CURLOPT_FOLLOWLOCATION, 0L);
	curl_easy_setopt(h, CURLOPT_PATH_AS_IS, 1L);
	curl_easy_setopt(h, CURLOPT_TCP_KEEPALIVE, 1L);
	curl_easy_setopt(h, CURLOPT_BUFFERSIZE, READ_BYTES);
	curl_easy_setopt(h, CURLOPT_CONNECTTIMEOUT_MS, c->connect_timeout_ms);
	curl_easy_setopt(h, CURLOPT_TIMEOUT_MS, c->timeout_ms);
	if (c->low_speed_s > 0) {
		curl_easy_setopt(h, CURLOPT_LOW_SPEED_LIMIT, 1L);
		curl_easy_setopt(h, CURLOPT_LOW_SPEED_TIME, c->low_speed_s);
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

/* One method only, so that it goes with the first request. Set again when
 * there are others than this handle had last. */
static void
wire_credentials(struct wire *w, const struct fetch_credentials *x)
{
	CURL *h = w->easy;
	bool bearer = x->kind == FETCH_AUTH_BEARER;

	if (w->generation == x->generation)
		return;
	w->generation = x->generation;
	curl_easy_setopt(h, CURLOPT_HTTPAUTH, bearer ? (long)CURLAUTH_BEARER :
	    x->kind == FETCH_AUTH_BASIC ? (long)CURLAUTH_BASIC :
	    (long)CURLAUTH_NEGOTIATE);
	curl_easy_setopt(h, CURLOPT_XOAUTH2_BEARER, bearer ? x->token : NULL);
	/* Empty ones make Negotiate take those of the ticket cache. */
	curl_easy_setopt(h, CURLOPT_USERNAME, bearer ? NULL :
	    x->user != NULL ? x->user : "");
	curl_easy_setopt(h, CURLOPT_PASSWORD, bearer ? NULL :
	    x->password != NULL ? x->password : "");
}

static struct wire *
wire_get(struct transport *c)
{
	struct wire *w;

	if ((w = c->pool) != NULL) {
		c->pool = w->next;
		w->next = NULL;
		return (w);
	}
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
	return (w);
}

static void
wire_rest(struct wire *w)
{
	if (w->waits)
		TAILQ_REMOVE(&w->c->waiting, w, link);
	else
		fetch_hub_remove(w->hub, w->easy);
	w->waits = false;
	if (w->t != NULL)
		w->t->handle = NULL;
	w->t = NULL;
	w->next = w->c->pool;
	w->c->pool = w;
}

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

static void
on_again(void *cookie)
{
	struct transport *c = cookie;
	struct wire *w;

	MAGIC_CHECK(c, CURL_MAGIC);
	while ((w = TAILQ_FIRST(&c->waiting)) != NULL) {
		TAILQ_REMOVE(&c->waiting, w, link);
		w->waits = false;
		MUST(fetch_hub_add(w->hub, w->easy) == CURLM_OK);
	}
}

static void
on_over(CURL *easy, CURLcode rc)
{
	struct fetch_transfer *t;
	struct wire *w;
	char *private;

	curl_easy_getinfo(easy, CURLINFO_PRIVATE, &private);
	w = (struct wire *)(void *)private;
	MAGIC_CHECK(w, WIRE_MAGIC);
	if (rc != CURLE_OK && wire_waits(w, rc))
		return;
	t = w->t;
	collect(w, t, rc);
	wire_rest(w);
	t->finished(t);
}

/* --- the table of functions ---------------------------------------------- */

static int
transport_start(void *cookie, struct fetch_transfer *t)
{
	struct transport *c = cookie;
	struct wire *w;
	bool post = strcmp(t->method, "POST") == 0;

	MAGIC_CHECK(c, CURL_MAGIC);
	MUST(post || strcmp(t->method, "GET") == 0);
	if ((w = wire_get(c)) == NULL)
		return (ERR_NOMEM);
	w->t = t;
	w->since_us = loop_now_us(c->loop);
	w->header_bytes = 0;
	w->too_big = w->swollen = false;
	w->words[0] = '\0';
	if (t->credentials != NULL)
		wire_credentials(w, t->credentials);
	t->handle = w;
	if (c->direct)
		curl_easy_setopt(w->easy, CURLOPT_REQUEST_TARGET,
		    t->url + strlen(c->origin));
	else
		curl_easy_setopt(w->easy, CURLOPT_URL, t->url);
	curl_easy_setopt(w->easy, CURLOPT_HTTPHEADER, !post ? c->headers :
	    t->content_type == NULL ? c->headers_json : c->headers_form);
	if (post) {
		curl_easy_setopt(w->easy, CURLOPT_POST, 1L);
		curl_easy_setopt(w->easy, CURLOPT_POSTFIELDSIZE_LARGE,
		    (curl_off_t)t->body_len);
		curl_easy_setopt(w->easy, CURLOPT_POSTFIELDS,
		    t->body != NULL ? t->body : "");
	} else
		curl_easy_setopt(w->easy, CURLOPT_HTTPGET, 1L);
	if (fetch_hub_add(w->hub, w->easy) == CURLM_OK)
		return (0);
	wire_rest(w);
	return (ERR_INTERNAL);
}

static void
transport_stop(void *cookie, struct fetch_transfer *t)
{
	struct transport *c = cookie;
	struct wire *w = t->handle;

	MAGIC_CHECK(c, CURL_MAGIC);
	if (w == NULL)
		return;
	MAGIC_CHECK(w, WIRE_MAGIC);
	wire_rest(w);
}

static void
transport_free(void *cookie)
{
	struct transport *c = cookie;
	struct wire *w;

	MAGIC_CHECK(c, CURL_MAGIC);
	while ((w = c->wires) != NULL) {
		c->wires = w->all;
		if (w->t != NULL)
			wire_rest(w);
		curl_easy_cleanup(w->easy);
		w->magic = 0;
		free(w);
	}
	fetch_hubs_free(c->hubs);
	loop_timer_free(c->again);
	curl_slist_free_all(c->headers);
	curl_slist_free_all(c->headers_json);
	curl_slist_free_all(c->headers_form);
	free(c->origin);
	free(c->user_agent);
	free(c->ca_file);
	free(c->cert_file);
	free(c->key_file);
	fetch_secret_free(c->key_password);
	free(c->proxy);
	free(c->proxy_user);
	fetch_secret_free(c->proxy_password);
	c->magic = 0;
	free(c);
	curl_global_cleanup();
}

/* --- making one ---------------------------------------------------------- */

static struct curl_slist *
headers_new(const char *type_line)
{
	const char *const lines[] = {
		"Accept: application/json",
		"X-Requested-With: garner",	/* CSRF defence of PI Web API */
		"Expect:",			/* no 100-continue round trip */
		type_line,
	};
	struct curl_slist *list = NULL, *more;
	size_t i;

	for (i = 0; i < (type_line != NULL ? 4 : 2); i++) {
		if ((more = curl_slist_append(list, lines[i])) == NULL)
			break;
		list = more;
	}
	return (list);
}

static char *
copy(const char *s)
{
	return (s == NULL ? NULL : must_strdup(s));
}

/* A request target of our own, beside a URL that stays, spares libcurl to
 * take apart and print again what may be thousands of characters; a proxy
 * of plain http has to be given the URL. */
static bool
is_direct(const struct fetch_options *o)
{
	if (fetch_origin_https(o->origin))
		return (true);
	if (o->proxy != NULL)
		return (false);
	return (fetch_origin_loopback(o->origin) ||
	    (getenv("http_proxy") == NULL && getenv("all_proxy") == NULL &&
	    getenv("ALL_PROXY") == NULL));
}

static long
clamp_ms(int64_t ms)
{
	return (ms < 0 ? 0 : ms > INT32_MAX ? (long)INT32_MAX : (long)ms);
}

static int
transport_new(struct loop *loop, const struct fetch_options *o,
    struct fetch_transport *out, struct err *e)
{
	struct transport *c;

	if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
		return (err_set(e, ERR_INTERNAL, "cannot start libcurl"));
	c = must_calloc(1, sizeof(*c));
	c->magic = CURL_MAGIC;
	c->loop = loop;
	c->again = loop_timer_new(loop, on_again, c);
	TAILQ_INIT(&c->waiting);
	c->origin = must_strdup(o->origin);
	c->user_agent = copy(o->user_agent);
	c->ca_file = copy(o->ca_file);
	c->cert_file = copy(o->cert_file);
	c->key_file = copy(o->key_file);
	c->key_password = copy(o->key_password);
	c->proxy = copy(o->proxy);
	c->proxy_user = copy(o->proxy_user);
	c->proxy_password = copy(o->proxy_password);
	c->unverified = o->tls_unverified;
	c->connect_timeout_ms = clamp_ms(o->connect_timeout_ms);
	c->timeout_ms = clamp_ms(o->timeout_ms);
	c->low_speed_s = (clamp_ms(o->low_speed_ms) + 999) / 1000;
	c->quotas = o->quotas;
	c->quotas_n = o->quotas_n;
	c->body_max = o->body_max;
	c->ratio_max = o->ratio_max;
	c->in_flight = o->in_flight;
	c->compressed = o->compressed;
	c->http2 = o->http2;
	c->direct = is_direct(o);
	c->headers = headers_new(NULL);
	c->headers_json = headers_new("Content-Type: application/json");
	c->headers_form = headers_new("Content-Type: " FETCH_FORM);
	c->hubs = fetch_hubs_new(loop, c->in_flight, o->http2 &&
	    fetch_origin_https(o->origin), on_over);
	MUST(c->hubs != NULL);
	*out = (struct fetch_transport){
		.cookie = c, .start = transport_start,
		.stop = transport_stop, .free = transport_free,
	};
	return (0);
}

static bool
negotiates(void)
{
	const curl_version_info_data *v = curl_version_info(CURLVERSION_NOW);

	return ((v->features & CURL_VERSION_SPNEGO) != 0);
}

int
fetch_new(struct loop *loop, const struct fetch_options *o,
    struct fetch **out, struct err *e)
{
	struct fetch_options mine = *o;
	struct fetch_transport on;
	struct fetch_authorizer auth;
	int rc;

	*out = NULL;
	mine.in_flight = fetch_hub_room(o->in_flight);
	o = &mine;
	if (o->auth == FETCH_AUTH_NEGOTIATE && !negotiates())
		return (err_set(e, ERR_CONFIG, "this libcurl has no "
		    "Kerberos (SPNEGO)"));
	if ((rc = fetch_origin_check(o, e)) != 0 ||
	    (rc = fetch_auth_new(loop, o, transport_new, &auth, e)) != 0)
		return (rc);
	if ((rc = transport_new(loop, o, &on, e)) != 0) {
		if (auth.free != NULL)
			auth.free(auth.cookie);
		return (rc);
	}
	return (fetch_new_on(loop, o, &on, &auth, out, e));
}
