/*
 * Tokens bought with client credentials (RFC 6749, section 4.4): a form
 * goes to the token endpoint by a fetch of its own, which has no credentials
 * but those of the client, and the answer is taken apart. One at a time.
 *
 * The client's secret stays here from the asking to the answer, and in no
 * text that the endpoint sends back.
 */
#include "config.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/must.h"
#include "base/text.h"
#include "codec/json.h"
#include "fetch/fetch_int.h"
#include "loop/loop.h"

#define TOKEN_MAGIC 0x544f4b4eu
/* Of a server that does not tell (RFC 6749, section 5.1). */
#define LIFE_S 3600
#define LIFE_MAX_S (365 * 86400)
#define FORM_MAX 65536

struct fetch_token {
	uint32_t magic;
	struct fetch *endpoint;
	fetch_token_fn *done;
	void *cookie;
	char *target;
	char *client_id;
	char *scope;
	char *audience;
	bool in_body;			/* the client, not in a header */

	/* while it asks */
	struct fetch_job *job;
	struct buf form;
	char *secret;
	char *user;			/* form-encoded, for basic */
	char *password;
	struct fetch_credentials now;	/* of basic; points to those */
};

/* --- who we are, for the fetch of the endpoint --------------------------- */

static int
client_get(void *cookie, const struct fetch_credentials **out,
    struct err *e)
{
	struct fetch_token *k = cookie;

	(void)e;
	MAGIC_CHECK(k, TOKEN_MAGIC);
	*out = k->in_body ? NULL : &k->now;
	return (1);
}

static bool
client_refused(void *cookie, unsigned generation)
{
	(void)cookie;
	(void)generation;
	return (false);
}

static void
client_accepted(void *cookie, unsigned generation)
{
	(void)cookie;
	(void)generation;
}

static void
client_listen(void *cookie, void (*wake)(void *), void *wake_cookie)
{
	(void)cookie;
	(void)wake;
	(void)wake_cookie;
}

static void
client_hide(void *cookie, char *text, size_t len)
{
	struct fetch_token *k = cookie;

	MAGIC_CHECK(k, TOKEN_MAGIC);
	fetch_hide(text, len, NULL, k->secret);
	fetch_hide(text, len, k->user, k->password);
}

static void
client_free(void *cookie)
{
	(void)cookie;
}

/* --- asking -------------------------------------------------------------- */

static void
form_put(struct buf *b, const char *key, const char *value)
{
	if (value == NULL)
		return;
	buf_printf(b, "%s%s=", b->len > 0 ? "&" : "", key);
	text_percent(b, value, strlen(value));
}

static char *
percent(const char *s)
{
	struct buf b;
	char *out;

	buf_init(&b, FORM_MAX);
	text_percent(&b, s, strlen(s));
	MUST_MEMORY(b.error == 0);
	out = must_strdup(buf_str(&b));
	explicit_bzero(b.data, b.len);
	buf_fini(&b);
	return (out);
}

static void
wipe(struct fetch_token *k)
{
	if (k->form.data != NULL)
		explicit_bzero(k->form.data, k->form.len);
	buf_clear(&k->form);
	fetch_secret_free(k->secret);
	fetch_secret_free(k->user);
	fetch_secret_free(k->password);
	k->secret = k->user = k->password = NULL;
	k->now.user = k->now.password = NULL;
}

/* Seconds; some servers write them as text. */
static int64_t
life_of(yyjson_val *v)
{
	int64_t s = LIFE_S;

	if (yyjson_is_num(v))
		s = (int64_t)yyjson_get_num(v);
	else if (!yyjson_is_str(v) ||
	    text_i64(yyjson_get_str(v), 1, LIFE_MAX_S, &s) != 0)
		s = LIFE_S;
	return (s < 1 || s > LIFE_MAX_S ? LIFE_S : s);
}

static int
token_take(yyjson_val *root, char **token, int64_t *life_s, struct err *e)
{
	const char *text = json_str(root, "access_token");
	const char *type = json_str(root, "token_type");

	if (text == NULL || !fetch_token_valid(text))
		return (err_set(e, ERR_ANSWER, "there is no access_token in "
		    "the answer, or none that a header can carry"));
	if (type != NULL && strcasecmp(type, "bearer") != 0)
		return (err_set(e, ERR_ANSWER, "its token is of a type other "
		    "than bearer"));
	*life_s = life_of(yyjson_obj_get(root, "expires_in"));
	*token = must_strdup(text);
	return (0);
}

/* invalid_client and its like come with several statuses. */
static bool
is_refusal(int status)
{
	return (status == 400 || status == 401 || status == 403);
}

static void
on_answer(void *cookie, struct fetch_answer *a)
{
	struct fetch_token *k = cookie;
	yyjson_doc *doc = NULL;
	char *token = NULL;
	int64_t life_s = 0;

	MAGIC_CHECK(k, TOKEN_MAGIC);
	k->job = NULL;
	wipe(k);
	if (a->err.code == 0 &&
	    json_parse(a->body, a->len, &doc, &a->err) == 0)
		(void)token_take(yyjson_doc_get_root(doc), &token, &life_s,
		    &a->err);
	yyjson_doc_free(doc);
	if (a->body != NULL)
		explicit_bzero(a->body, a->len);
	if (a->err.code != 0) {
		if (is_refusal(a->status))
			a->err.code = ERR_AUTH;
		(void)err_wrap(&a->err, "no token from the token endpoint");
	}
	k->done(k->cookie, token, life_s, &a->err);
}

void
fetch_token_buy(struct fetch_token *k, char *secret)
{
	struct fetch_request q = { .method = "POST", .target = k->target,
	    .content_type = FETCH_FORM };

	MAGIC_CHECK(k, TOKEN_MAGIC);
	MUST(k->job == NULL);
	k->secret = secret;
	form_put(&k->form, "grant_type", "client_credentials");
	if (k->in_body) {
		form_put(&k->form, "client_id", k->client_id);
		form_put(&k->form, "client_secret", secret);
	} else {
		k->user = percent(k->client_id);
		k->password = percent(secret);
		k->now = (struct fetch_credentials){ k->now.generation + 1,
		    false, FETCH_AUTH_BASIC, k->user, k->password, NULL };
	}
	form_put(&k->form, "scope", k->scope);
	form_put(&k->form, "audience", k->audience);
	MUST_MEMORY(k->form.error == 0);
	q.body = buf_str(&k->form);
	q.body_len = k->form.len;
	k->job = fetch_start(k->endpoint, &q, on_answer, k);
}

/* --- making one ---------------------------------------------------------- */

/* What differs from the origin's: all of its pace, and the credentials. */
static void
endpoint_options(struct fetch_options *n, const char *origin)
{
	n->origin = origin;
	n->auth = FETCH_AUTH_NONE;
	n->sends_secrets = true;
	n->in_flight = 1;
	n->adaptive = false;
	n->rate = n->burst = 0;
	n->calendar = NULL;
	n->budget_hour = n->budget_day = 0;
	n->quotas = NULL;
	n->quotas_n = 0;
	n->breaker_failures = 0;
	n->breaker_ratio = 0;
	n->give_up_ms = 0;
	n->retry_share = n->retry_rate = 0;
	n->body_max = BOUND_TOKEN_BODY;
}

static int
endpoint_new(struct fetch_token *k, struct loop *loop,
    const struct fetch_options *o, fetch_transport_fn *on, struct err *e)
{
	const struct fetch_authorizer who = { k, client_get, client_refused,
	    client_accepted, client_listen, client_hide, client_free };
	struct fetch_options n = *o;
	struct fetch_transport t;
	const char *path = strstr(o->token_url, "://");
	char *origin;
	int rc;

	path = path != NULL ? strchr(path + 3, '/') : NULL;
	origin = path == NULL ? must_strdup(o->token_url) :
	    must_strndup(o->token_url, (size_t)(path - o->token_url));
	k->target = must_strdup(path != NULL ? path : "/");
	endpoint_options(&n, origin);
	if ((rc = fetch_origin_check(&n, e)) == 0 &&
	    (rc = on(loop, &n, &t, e)) == 0)
		rc = fetch_new_on(loop, &n, &t, &who, &k->endpoint, e);
	if (rc != 0)
		(void)err_wrap(e, "token endpoint");
	free(origin);
	return (rc);
}

int
fetch_token_new(struct loop *loop, const struct fetch_options *o,
    fetch_transport_fn *on, fetch_token_fn *done, void *cookie,
    struct fetch_token **out, struct err *e)
{
	struct fetch_token *k = must_calloc(1, sizeof(*k));
	int rc;

	MUST(o->token_url != NULL && o->client_id != NULL);
	k->magic = TOKEN_MAGIC;
	k->done = done;
	k->cookie = cookie;
	k->client_id = must_strdup(o->client_id);
	k->scope = must_strdup_if(o->scope);
	k->audience = must_strdup_if(o->audience);
	k->in_body = o->client_in_body;
	buf_init(&k->form, FORM_MAX);
	*out = NULL;
	if ((rc = endpoint_new(k, loop, o, on, e)) != 0) {
		fetch_token_free(k);
		return (rc);
	}
	*out = k;
	return (0);
}

void
fetch_token_free(struct fetch_token *k)
{
	if (k == NULL)
		return;
	MAGIC_CHECK(k, TOKEN_MAGIC);
	fetch_free(k->endpoint);
	wipe(k);
	buf_fini(&k->form);
	free(k->target);
	free(k->client_id);
	free(k->scope);
	free(k->audience);
	k->magic = 0;
	free(k);
}
