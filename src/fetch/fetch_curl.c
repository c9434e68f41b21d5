/*
 * The transport of the program. Which of two ways a transfer goes is decided
 * once for an origin: over a connection of ours (fetch_conn.c), or through
 * libcurl, which is what this file has: a transfer takes a wire from the
 * pool and sets what is its own.
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
	struct fetch_transfer *t = w->owner;
	struct buf *in = &t->in;
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
		fetch_body_room(in, (told < (curl_off_t)AHEAD_MAX ?
		    (size_t)told : AHEAD_MAX) + LIMIT_PADDING);
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
	fetch_quota_header(w->c->quotas, w->c->quotas_n, p, len, w->owner);
	return (n);
}

void
fetch_curl_options(CURL *h, struct wire *w)
{
	curl_easy_setopt(h, CURLOPT_WRITEFUNCTION, on_body);
	curl_easy_setopt(h, CURLOPT_WRITEDATA, w);
	curl_easy_setopt(h, CURLOPT_HEADERFUNCTION, on_header);
	curl_easy_setopt(h, CURLOPT_HEADERDATA, w);
}

/* --- results ----------------------------------------------------------- */

void
fetch_curl_collect(struct wire *w, struct fetch_transfer *t, CURLcode rc)
{
	curl_off_t total = 0, first = 0, connect = 0, body = 0, after = 0;
	const char *type = NULL;
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
	curl_easy_getinfo(w->easy, CURLINFO_CONTENT_TYPE, &type);
	t->json = type != NULL && fetch_type_json(type, strlen(type));
	t->rc = fetch_verdict(w, t, rc);
	/* This server shares none: the wires to come are spread. */
	if (version == CURL_HTTP_VERSION_1_1)
		fetch_hubs_serial(w->c->hubs);
}

/* --- transfers ----------------------------------------------------------- */

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

static void
wire_request(struct wire *w, const struct fetch_transfer *t)
{
	const struct transport *c = w->c;
	bool post = strcmp(t->method, "POST") == 0;
	CURL *h = w->easy;

	if (t->credentials != NULL)
		wire_credentials(w, t->credentials);
	curl_easy_setopt(h, CURLOPT_FRESH_CONNECT,
	    t->credentials != NULL && t->credentials->alone ? 1L : 0L);
	if (c->direct)
		curl_easy_setopt(h, CURLOPT_REQUEST_TARGET,
		    t->url + strlen(c->origin));
	else
		curl_easy_setopt(h, CURLOPT_URL, t->url);
	curl_easy_setopt(h, CURLOPT_HTTPHEADER, !post ? c->headers :
	    t->content_type == NULL ? c->headers_json : c->headers_form);
	if (!post) {
		curl_easy_setopt(h, CURLOPT_HTTPGET, 1L);
		return;
	}
	curl_easy_setopt(h, CURLOPT_POST, 1L);
	curl_easy_setopt(h, CURLOPT_POSTFIELDSIZE_LARGE,
	    (curl_off_t)t->body_len);
	curl_easy_setopt(h, CURLOPT_POSTFIELDS, t->body != NULL ? t->body :
	    "");
}

static void
on_over(struct wire *w, CURLcode rc)
{
	struct fetch_transfer *t = w->owner;

	fetch_curl_collect(w, t, rc);
	t->handle = NULL;
	fetch_wire_rest(w);
	t->finished(t);
}

int
fetch_curl_start(struct transport *c, struct fetch_transfer *t)
{
	struct wire *w;

	if ((w = fetch_wire_get(c, t, on_over)) == NULL)
		return (ERR_NOMEM);
	wire_request(w, t);
	/* It may have made connections before the way was known. */
	curl_easy_setopt(w->easy, CURLOPT_CONNECT_ONLY, 0L);
	curl_easy_setopt(w->easy, CURLOPT_TIMEOUT_MS, c->timeout_ms);
	t->handle = w;
	if (fetch_wire_go(w))
		return (0);
	t->handle = NULL;
	fetch_wire_rest(w);
	return (ERR_INTERNAL);
}

/* --- the table of functions ---------------------------------------------- */

static int
transport_start(void *cookie, struct fetch_transfer *t)
{
	struct transport *c = cookie;

	MAGIC_CHECK(c, CURL_MAGIC);
	MUST(strcmp(t->method, "POST") == 0 || strcmp(t->method, "GET") == 0);
	return (c->way == WAY_CURL ? fetch_curl_start(c, t) :
	    fetch_conn_start(c->conns, t));
}

static void
transport_stop(void *cookie, struct fetch_transfer *t)
{
	struct transport *c = cookie;
	struct wire *w = t->handle;

	MAGIC_CHECK(c, CURL_MAGIC);
	if (t->handle == NULL || fetch_conn_stop(t))
		return;
	t->handle = NULL;
	fetch_wire_rest(w);
}

static void
transport_free(void *cookie)
{
	struct transport *c = cookie;

	MAGIC_CHECK(c, CURL_MAGIC);
	fetch_conns_free(c->conns);
	fetch_wires_free(c);
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

/* A request target of our own, beside a URL that stays, spares libcurl to
 * take apart and print again what may be thousands of characters; a proxy
 * of plain http has to be given the URL. */
static bool
is_direct(const struct fetch_options *o)
{
	if (fetch_origin_https(o->origin))
		return (true);
	if (o->proxy != NULL)
		return (o->proxy[0] == '\0');
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
	c->again = loop_timer_new(loop, fetch_wire_again, c);
	TAILQ_INIT(&c->waiting);
	c->origin = must_strdup(o->origin);
	c->user_agent = must_strdup_if(o->user_agent);
	c->ca_file = must_strdup_if(o->ca_file);
	c->cert_file = must_strdup_if(o->cert_file);
	c->key_file = must_strdup_if(o->key_file);
	c->key_password = must_strdup_if(o->key_password);
	c->proxy = must_strdup_if(o->proxy);
	c->proxy_user = must_strdup_if(o->proxy_user);
	c->proxy_password = must_strdup_if(o->proxy_password);
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
	/* Negotiate authorizes connections, and HTTP/2 cannot bear that. */
	c->http2 = o->http2 && o->auth != FETCH_AUTH_NEGOTIATE;
	c->direct = is_direct(o);
	c->headers = headers_new(NULL);
	c->headers_json = headers_new("Content-Type: application/json");
	c->headers_form = headers_new("Content-Type: " FETCH_FORM);
	c->hubs = fetch_hubs_new(loop, c->in_flight, c->http2 &&
	    fetch_origin_https(o->origin), fetch_wire_over);
	MUST_MEMORY(c->hubs != NULL);
	c->way = fetch_conn_way(c, o);
	c->conns = fetch_conns_new(c);
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
