/*
 * The gate: credentials, tokens, rate limits.
 *
 * A token tells when it ends and its number, with a checksum over both that
 * depends on the seed: nothing is stored, and nobody makes one by accident.
 * It is no secret from anybody who reads this.
 *
 * A rate limit counts in windows that begin with the first request of a
 * client. Clients are told apart by address, in a small table; when it is
 * full the client that was away longest is forgotten.
 */

#include "config.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/hash.h"
#include "base/must.h"
#include "base/text.h"
#include "loop/loop.h"
#include "mock/mock_answer.h"
#include "mock/mock_gate.h"
#include "mock/mock_options.h"

#define CLIENTS_MAX 256

struct client {
	uint32_t address;
	int64_t begun_us;		/* of its window */
	uint32_t used;
};

struct mock_gate {
	struct loop *loop;
	const struct mock_options *opt;
	char *basic;			/* "Basic dXNlcjpwYXNz", or NULL */
	char *oauth;			/* the same of --oauth, encoded */
	uint64_t issued;
	uint64_t revoked;		/* tokens up to this number */
	struct client client[CLIENTS_MAX];
	size_t clients;
};

/* --- life ----------------------------------------------------------------- */

static char *
basic_header(const char *user_pass)
{
	static const char abc[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	    "abcdefghijklmnopqrstuvwxyz0123456789+/";
	const unsigned char *p = (const unsigned char *)user_pass;
	size_t n = strlen(user_pass);
	char *s = must_calloc(n * 2 + 16, 1), *q = s + 6;
	uint32_t v;

	memcpy(s, "Basic ", 6);
	for (size_t i = 0; i < n; i += 3) {
		v = (uint32_t)p[i] << 16;
		v |= i + 1 < n ? (uint32_t)p[i + 1] << 8 : 0;
		v |= i + 2 < n ? (uint32_t)p[i + 2] : 0;
		*q++ = abc[v >> 18];
		*q++ = abc[v >> 12 & 63];
		*q++ = i + 1 < n ? abc[v >> 6 & 63] : '=';
		*q++ = i + 2 < n ? abc[v & 63] : '=';
	}
	return (s);
}

/* Both parts form-encoded before they are joined (RFC 6749, 2.3.1). */
static char *
client_header(const char *id_secret)
{
	size_t n = strcspn(id_secret, ":");
	struct buf b;
	char *s;

	buf_init(&b, 65536);
	text_percent(&b, id_secret, n);
	if (id_secret[n] == ':') {
		buf_u8(&b, ':');
		text_percent(&b, id_secret + n + 1, strlen(id_secret + n + 1));
	}
	s = basic_header(buf_str(&b));
	buf_fini(&b);
	return (s);
}

struct mock_gate *
mock_gate_new(struct loop *loop, const struct mock_options *opt)
{
	struct mock_gate *g = must_calloc(1, sizeof(*g));

	g->loop = loop;
	g->opt = opt;
	if (opt->basic != NULL)
		g->basic = basic_header(opt->basic);
	if (opt->oauth != NULL)
		g->oauth = client_header(opt->oauth);
	return (g);
}

void
mock_gate_free(struct mock_gate *g)
{
	if (g == NULL)
		return;
	free(g->basic);
	free(g->oauth);
	free(g);
}

/* --- rates ---------------------------------------------------------------- */

static struct client *
client_of(struct mock_gate *g, uint32_t address)
{
	struct client *oldest = &g->client[0];

	for (size_t i = 0; i < g->clients; i++) {
		if (g->client[i].address == address)
			return (&g->client[i]);
		if (g->client[i].begun_us < oldest->begun_us)
			oldest = &g->client[i];
	}
	if (g->clients < CLIENTS_MAX)
		oldest = &g->client[g->clients++];
	*oldest = (struct client){ .address = address,
		.begun_us = INT64_MIN / 2 };
	return (oldest);
}

/* true: too many. Tells the client where it stands in any case. */
static bool
over_rate(struct mock_gate *g, const struct mock_req *req,
    struct mock_resp *r)
{
	int64_t now = loop_now_us(g->loop), left_s;
	int64_t window_us = g->opt->rate_window_ms * 1000;
	uint32_t limit = g->opt->rate_limit;
	struct client *c = client_of(g, req->client);

	if (now - c->begun_us >= window_us) {
		c->begun_us = now;
		c->used = 0;
	}
	left_s = (c->begun_us + window_us - now + 999999) / 1000000;
	c->used += c->used <= limit;
	r->limits = arena_sprintf(req->arena, "X-RateLimit-Limit: %u\r\n"
	    "X-RateLimit-Remaining: %u\r\nX-RateLimit-Reset: %lld\r\n",
	    limit, c->used < limit ? limit - c->used : 0,
	    (long long)(time(NULL) + left_s));
	if (c->used <= limit)
		return (false);
	mock_resp_message(r, 429, "Rate limit was reached");
	r->header = arena_sprintf(req->arena, "Retry-After: %lld\r\n",
	    (long long)left_s);
	return (true);
}

/* --- tokens --------------------------------------------------------------- */

static uint64_t
checksum(const struct mock_gate *g, const char *text, size_t n)
{
	return (hash64(text, n, g->opt->seed ^ 0x746f6b656eull));
}

/* "mock-END_US-NUMBER-CHECKSUM" */
static char *
token_new(struct mock_gate *g, struct arena *arena)
{
	char *text = arena_sprintf(arena, "mock-%lld-%llu",
	    (long long)(loop_now_us(g->loop) + g->opt->token_ttl_ms * 1000),
	    (unsigned long long)++g->issued);

	return (arena_sprintf(arena, "%s-%016llx", text,
	    (unsigned long long)checksum(g, text, strlen(text))));
}

static bool
token_good(const struct mock_gate *g, const char *token)
{
	const char *last = strrchr(token, '-');
	char *end;
	long long end_us;
	unsigned long long number;

	if (last == NULL || strncmp(token, "mock-", 5) != 0 ||
	    strlen(last) != 17 || strtoull(last + 1, NULL, 16) !=
	    checksum(g, token, (size_t)(last - token)))
		return (false);
	end_us = strtoll(token + 5, &end, 10);
	number = strtoull(end + 1, NULL, 10);
	return (end_us > loop_now_us(g->loop) && number > g->revoked);
}

static void
token_refuse(struct mock_resp *r, int status, const char *error)
{
	r->status = status;
	if (status == 401)
		r->header = "WWW-Authenticate: Basic realm=\"oauth\"\r\n";
	buf_printf(&r->body, "{\"error\":\"%s\"}", error);
}

/* By either way of RFC 6749, section 2.3.1. */
static bool
client_good(const struct mock_gate *g, const struct mock_req *req)
{
	const char *id = mock_req_param(req, "client_id");
	const char *secret = mock_req_param(req, "client_secret");
	size_t n = strcspn(g->opt->oauth, ":");

	if (req->authorization != NULL)
		return (secret == NULL &&
		    strcmp(req->authorization, g->oauth) == 0);
	return (id != NULL && secret != NULL && strlen(id) == n &&
	    strncmp(id, g->opt->oauth, n) == 0 && g->opt->oauth[n] == ':' &&
	    strcmp(secret, g->opt->oauth + n + 1) == 0);
}

void
mock_gate_token(struct mock_gate *g, struct mock_req *req,
    struct mock_resp *r)
{
	const char *grant;
	int64_t s = g->opt->token_ttl_ms / 1000;

	if (!req->form || mock_req_form(req) != 0 ||
	    (grant = mock_req_param(req, "grant_type")) == NULL) {
		token_refuse(r, 400, "invalid_request");
		return;
	}
	if (strcmp(grant, "client_credentials") != 0) {
		token_refuse(r, 400, "unsupported_grant_type");
		return;
	}
	if (!client_good(g, req)) {
		token_refuse(r, 401, "invalid_client");
		return;
	}
	r->header = "Cache-Control: no-store\r\n";
	buf_printf(&r->body, "{\"access_token\":\"%s\",\"token_type\":"
	    "\"Bearer\",\"expires_in\":%lld}", token_new(g, req->arena),
	    (long long)(s > 0 ? s : 1));
}

void
mock_gate_revoke(struct mock_gate *g)
{
	g->revoked = g->issued;
}

/* --- deciding ------------------------------------------------------------- */

static bool
authorized(const struct mock_gate *g, const char *given)
{
	const char *token = g->opt->token;

	if (token == NULL && g->basic == NULL && g->oauth == NULL)
		return (true);
	if (given == NULL)
		return (false);
	if (strncmp(given, "Bearer ", 7) == 0)
		return ((token != NULL && strcmp(given + 7, token) == 0) ||
		    (g->oauth != NULL && token_good(g, given + 7)));
	return (g->basic != NULL && strcmp(given, g->basic) == 0);
}

bool
mock_gate_refuses(struct mock_gate *g, const struct mock_req *req,
    struct mock_resp *r)
{
	if (g->opt->rate_limit != 0 && over_rate(g, req, r))
		return (true);
	if (!authorized(g, req->authorization)) {
		r->header = g->basic != NULL ?
		    "WWW-Authenticate: Basic realm=\"garner-mock\"\r\n" :
		    "WWW-Authenticate: Bearer\r\n";
		mock_resp_message(r, 401,
		    "Authorization has been denied for this request.");
		return (true);
	}
	if (strcmp(req->method, "GET") != 0 && !req->requested_with) {
		mock_resp_error(r, 400, "The request must carry the header "
		    "X-Requested-With.");
		return (true);
	}
	return (false);
}
