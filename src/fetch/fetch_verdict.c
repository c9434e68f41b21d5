/*
 * How a transfer ended: libcurl's verdict as one of our codes, with a reason
 * for a person. What the other side wrote is escaped.
 */
#include "config.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/err.h"
#include "fetch/fetch.h"
#include "fetch/fetch_curl_int.h"
#include "fetch/fetch_int.h"

static void __attribute__((format(printf, 2, 3)))
reason(struct fetch_transfer *t, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(t->reason, sizeof(t->reason), fmt, ap);
	va_end(ap);
}

static bool
connected(CURL *easy, const char *origin)
{
	curl_off_t at = 0;

	curl_easy_getinfo(easy, fetch_origin_https(origin) ?
	    CURLINFO_APPCONNECT_TIME_T : CURLINFO_CONNECT_TIME_T, &at);
	return (at > 0);
}

/* To whom the connection goes, as far as we know. */
static const char *
peer(const struct transport *c)
{
	return (fetch_authority(c->proxy != NULL && c->proxy[0] != '\0' ?
	    c->proxy : c->origin));
}

static void
explain_connect(struct wire *w, struct fetch_transfer *t)
{
	long why = 0;
	char text[128];

	curl_easy_getinfo(w->easy, CURLINFO_OS_ERRNO, &why);
	snprintf(text, sizeof(text), "%s", why != 0 ? strerror((int)why) :
	    fetch_hub_full() ? "no descriptor is free (ulimit -n)" :
	    "no address answers");
	text[0] = (char)tolower((unsigned char)text[0]);
	reason(t, "cannot connect to %s: %s", peer(w->c), text);
}

int
fetch_verdict_late(const struct transport *c, struct fetch_transfer *t,
    bool slow)
{
	if (slow)
		reason(t, "no data for %ld s", c->low_speed_s);
	else
		reason(t, "not finished within %g s",
		    (double)c->timeout_ms / 1000);
	return (ERR_TIMEOUT);
}

static int
explain_timeout(struct wire *w, struct fetch_transfer *t)
{
	const struct transport *c = w->c;

	if (!connected(w->easy, c->origin)) {
		t->origin_fault = true;
		reason(t, "cannot connect to %s: no answer within %g s",
		    peer(c), (double)c->connect_timeout_ms / 1000);
		return (ERR_TIMEOUT);
	}
	return (fetch_verdict_late(c, t,
	    strstr(w->words, "too slow") != NULL));
}

/* libcurl's words, escaped: parts of them come from the other side. */
static void
explain_words(struct wire *w, struct fetch_transfer *t, CURLcode rc,
    const char *before)
{
	const char *words = w->words[0] != '\0' ? w->words :
	    curl_easy_strerror(rc);
	struct buf text;

	buf_init(&text, 4096);
	fetch_put_words(&text, words, strlen(words), 120);
	reason(t, "%s%s", before, buf_str(&text));
	buf_fini(&text);
}

int
fetch_verdict_tls(struct wire *w, struct fetch_transfer *t, CURLcode rc)
{
	bool cut = rc == CURLE_GOT_NOTHING || rc == CURLE_RECV_ERROR ||
	    rc == CURLE_SEND_ERROR;
	struct buf text;
	long verify = 0;
	int code = ERR_CONNECT;

	buf_init(&text, 1024);
	if (rc == CURLE_PEER_FAILED_VERIFICATION)
		curl_easy_getinfo(w->easy, CURLINFO_SSL_VERIFYRESULT, &verify);
	if (!cut || strstr(w->words, " alert ") != NULL)
		code = fetch_tls_cause(verify, w->words[0] != '\0' ? w->words :
		    curl_easy_strerror(rc), &text);
	if (code == ERR_CONNECT)
		buf_printf(&text, "closed in the handshake or right after it"
		    "%s", w->c->cert_file == NULL ?
		    "; does the server want a client certificate?" : "");
	t->origin_fault = true;
	reason(t, "TLS with %.100s: %s", fetch_authority(w->c->origin),
	    buf_str(&text));
	buf_fini(&text);
	return (code);
}

/* A connection made for this transfer, over which nothing has come. In TLS
 * 1.3 a server that refuses us says so, if at all, after the handshake. */
static bool
tls_new(const struct wire *w)
{
	long connects = 0, header = 0;

	curl_easy_getinfo(w->easy, CURLINFO_NUM_CONNECTS, &connects);
	curl_easy_getinfo(w->easy, CURLINFO_HEADER_SIZE, &header);
	return (fetch_origin_https(w->c->origin) && connects > 0 &&
	    header == 0);
}

int
fetch_verdict_cut(struct fetch_transfer *t, bool begun, int64_t told,
    uint64_t got, const char *words)
{
	struct buf text;

	if (told >= 0) {
		reason(t, "the connection was closed after %llu of %lld "
		    "bytes", (unsigned long long)got, (long long)told);
	} else if (words != NULL) {
		buf_init(&text, 4096);
		fetch_put_words(&text, words, strlen(words), 120);
		reason(t, "the connection was cut: %s", buf_str(&text));
		buf_fini(&text);
	} else if (begun)
		reason(t, "the connection was closed in the middle of the "
		    "answer");
	else
		reason(t, "the server closed the connection without an "
		    "answer");
	return (ERR_CONNECT);
}

static int
explain_cut(struct wire *w, struct fetch_transfer *t, CURLcode rc)
{
	curl_off_t told = -1, got = 0;

	curl_easy_getinfo(w->easy, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &told);
	curl_easy_getinfo(w->easy, CURLINFO_SIZE_DOWNLOAD_T, &got);
	if (rc == CURLE_GOT_NOTHING || told >= 0)
		return (fetch_verdict_cut(t, false, rc == CURLE_GOT_NOTHING ?
		    -1 : told, (uint64_t)got, NULL));
	explain_words(w, t, rc, "");
	return (ERR_CONNECT);
}

int
fetch_verdict_swollen(const struct transport *c, struct fetch_transfer *t)
{
	reason(t, "the answer decompresses to more than %u times its size",
	    c->ratio_max);
	return (ERR_LIMIT);
}

int
fetch_verdict_large(const struct transport *c, struct fetch_transfer *t,
    bool headers)
{
	if (headers)
		reason(t, "the answer's headers are larger than %u bytes",
		    FETCH_HEADER_MAX);
	else
		reason(t, "the answer is larger than %zu bytes", c->body_max);
	return (ERR_LIMIT);
}

int
fetch_verdict_bad(struct fetch_transfer *t, const char *why)
{
	reason(t, "%s", why);
	return (ERR_ANSWER);
}

static int
explain_stop(struct wire *w, struct fetch_transfer *t)
{
	if (t->in.error == ERR_NOMEM) {
		reason(t, "out of memory for the answer");
		return (ERR_NOMEM);
	}
	if (w->swollen)
		return (fetch_verdict_swollen(w->c, t));
	return (fetch_verdict_large(w->c, t,
	    w->header_bytes > FETCH_HEADER_MAX));
}

/* What the proxy said instead of the origin; 0: nothing. */
static int
explain_proxy(struct wire *w, struct fetch_transfer *t, CURLcode rc)
{
	long status = 0, why = 0;

	curl_easy_getinfo(w->easy, CURLINFO_HTTP_CONNECTCODE, &status);
	curl_easy_getinfo(w->easy, CURLINFO_PROXY_ERROR, &why);
	if (rc != CURLE_PROXY && status < 300)
		return (0);
	t->origin_fault = true;
	if (rc == CURLE_PROXY)
		explain_words(w, t, rc, "the proxy does not serve us: ");
	else
		reason(t, "the proxy does not serve us: %ld %s", status,
		    fetch_status_text((int)status));
	if (status == 407 || status == 403 || why == CURLPX_USER_REJECTED ||
	    why == CURLPX_NO_AUTH || why == CURLPX_REPLY_NOT_ALLOWED)
		return (ERR_AUTH);
	return (ERR_CONNECT);
}

/* ERR_* of libcurl's verdict, with t->reason. */
int
fetch_verdict(struct wire *w, struct fetch_transfer *t, CURLcode rc)
{
	int code;

	if (rc == CURLE_OK)
		return (0);
	if (w->too_big || w->swollen || t->in.error != 0)
		return (explain_stop(w, t));
	if ((code = explain_proxy(w, t, rc)) != 0)
		return (code);
	switch (rc) {
	case CURLE_COULDNT_RESOLVE_HOST:
	case CURLE_COULDNT_RESOLVE_PROXY:
		t->origin_fault = true;
		reason(t, "cannot find the address of %s", peer(w->c));
		return (ERR_CONNECT);
	case CURLE_COULDNT_CONNECT:
		t->origin_fault = true;
		explain_connect(w, t);
		return (ERR_CONNECT);
	case CURLE_OPERATION_TIMEDOUT:
		return (explain_timeout(w, t));
	case CURLE_SSL_CACERT_BADFILE:	/* files of ours */
	case CURLE_SSL_CERTPROBLEM:
		t->origin_fault = true;
		explain_words(w, t, rc, "TLS: ");
		return (ERR_CONFIG);
	case CURLE_SSL_CONNECT_ERROR:
	case CURLE_PEER_FAILED_VERIFICATION:
	case CURLE_SSL_CIPHER:
	case CURLE_SSL_ISSUER_ERROR:
	case CURLE_SSL_INVALIDCERTSTATUS:
	case CURLE_SSL_PINNEDPUBKEYNOTMATCH:
	case CURLE_USE_SSL_FAILED:
		return (fetch_verdict_tls(w, t, rc));
	case CURLE_GOT_NOTHING:
	case CURLE_RECV_ERROR:
	case CURLE_SEND_ERROR:
		if (tls_new(w))
			return (fetch_verdict_tls(w, t, rc));
		return (explain_cut(w, t, rc));
	case CURLE_PARTIAL_FILE:
		return (explain_cut(w, t, rc));
	case CURLE_HTTP2:
	case CURLE_HTTP2_STREAM:
		explain_words(w, t, rc, "");
		return (ERR_CONNECT);
	case CURLE_UNSUPPORTED_PROTOCOL:	/* what it says of HTTP/0.9 */
		reason(t, "the answer is not HTTP");
		return (ERR_ANSWER);
	case CURLE_URL_MALFORMAT:
		explain_words(w, t, rc, "");
		return (ERR_REQUEST);
	case CURLE_OUT_OF_MEMORY:
		reason(t, "out of memory");
		return (ERR_NOMEM);
	default:
		explain_words(w, t, rc, "");
		return (ERR_ANSWER);
	}
}
