/*
 * What requests are authorized with. A secret is read by a worker when it is
 * first needed; with client credentials it buys a token at the token
 * endpoint, renewed before it ends. A 401 to the newest credentials has them
 * read, or bought, again, once for all who wait; the same secret again is
 * not sent again: accounts are locked for that.
 *
 * Failure: get() says why, and tries again after a pause that doubles.
 */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/must.h"
#include "base/text.h"
#include "codec/json.h"
#include "fetch/fetch_int.h"
#include "loop/loop.h"

#define AUTH_MAGIC 0x41555448u
/* A token is renewed so long before its end, or at half of its life. */
#define EARLY_S 300
/* Life of a token whose server does not tell (RFC 6749, section 5.1). */
#define LIFE_S 3600
#define PAUSE_FIRST_US INT64_C(1000000)
#define PAUSE_MAX_US INT64_C(300000000)
#define TOKEN_BODY_MAX 65536
#define SECRET_LANE 62u

struct fetch_auth {
	uint32_t magic;
	struct loop *loop;
	struct fetch_secrets secrets;
	enum fetch_auth_kind kind;
	void (*wake)(void *);
	void *wake_cookie;

	/* what there is */
	bool have;
	struct fetch_credentials now;	/* points to those below */
	char *user;
	char *password;			/* basic */
	char *token;			/* bearer: as read, or bought */
	int64_t ends_us;		/* of a bought one */

	/* what is being done about more */
	bool reading;			/* by a worker, or at the endpoint */
	bool stale;			/* a 401 was met with `now` */
	bool dying;			/* freed while a worker reads */
	struct loop_timer *again;	/* renewal, or the end of a pause */
	struct err err;			/* why there are none */
	int64_t pause_us;
	int64_t quiet_until_us;

	/* client credentials */
	struct fetch *endpoint;
	struct fetch_job *job;
	char *target;
	char *client_id;
	char *scope;
	char *audience;
	struct buf form;
};

/* One secret being read, by a worker. */
struct reading {
	struct fetch_auth *a;
	char *value;
	struct err err;
};

static void
secret_free(char *s)
{
	if (s != NULL)
		explicit_bzero(s, strlen(s));
	free(s);
}

static bool
bought(const struct fetch_auth *a)
{
	return (a->endpoint != NULL);
}

/* --- outcomes ------------------------------------------------------------ */

/* There are new ones. */
static void
auth_good(struct fetch_auth *a)
{
	a->have = true;
	a->stale = false;
	a->pause_us = 0;
	a->err.code = 0;
	a->now.generation++;
	a->now.kind = a->kind;
	a->now.user = a->user;
	a->now.password = a->password;
	a->now.token = a->token;
	a->wake(a->wake_cookie);
}

/* There are none, or only those there were; why is in a->err. */
static void
auth_bad(struct fetch_auth *a)
{
	int64_t now_us = loop_now_us(a->loop);

	a->pause_us = a->pause_us == 0 ? PAUSE_FIRST_US : a->pause_us * 2;
	if (a->pause_us > PAUSE_MAX_US)
		a->pause_us = PAUSE_MAX_US;
	a->quiet_until_us = now_us + a->pause_us;
	/* A token that still lives is good until somebody refuses it. */
	if (bought(a) && !a->stale && a->have && now_us < a->ends_us)
		loop_timer_set(a->again, a->pause_us);
	else
		a->have = false;
	a->wake(a->wake_cookie);
}

/* --- tokens (RFC 6749, section 4.4) -------------------------------------- */

static void
form_put(struct buf *b, const char *key, const char *value)
{
	if (value == NULL)
		return;
	buf_printf(b, "%s%s=", b->len > 0 ? "&" : "", key);
	text_percent(b, value, strlen(value));
}

static int
token_take(struct fetch_auth *a, const struct fetch_answer *x)
{
	yyjson_doc *doc = NULL;
	yyjson_val *root;
	const char *token;
	int64_t life;
	int rc;

	if ((rc = json_parse(x->body, x->len, &doc, &a->err)) != 0)
		return (rc);
	root = yyjson_doc_get_root(doc);
	token = yyjson_get_str(yyjson_obj_get(root, "access_token"));
	life = (int64_t)yyjson_get_num(yyjson_obj_get(root, "expires_in"));
	if (life <= 0 || life > 365 * 86400)
		life = LIFE_S;
	if (token == NULL || token[0] == '\0') {
		yyjson_doc_free(doc);
		return (err_set(&a->err, ERR_ANSWER, "there is no "
		    "access_token in the answer"));
	}
	secret_free(a->token);
	a->token = must_strdup(token);
	yyjson_doc_free(doc);
	a->ends_us = loop_now_us(a->loop) + life * 1000000;
	loop_timer_set(a->again, (life > 2 * EARLY_S ? life - EARLY_S :
	    life / 2) * 1000000);
	return (0);
}

static void
on_token(void *cookie, struct fetch_answer *x)
{
	struct fetch_auth *a = cookie;

	MAGIC_CHECK(a, AUTH_MAGIC);
	a->job = NULL;
	a->reading = false;
	explicit_bzero(a->form.data, a->form.len);
	buf_clear(&a->form);
	a->err = x->err;
	if (a->err.code == 0)
		(void)token_take(a, x);
	if (x->body != NULL)
		explicit_bzero(x->body, x->len);
	if (a->err.code == 0) {
		auth_good(a);
		return;
	}
	/* invalid_client and its like come as 400 as well. */
	if (x->status == 400 || x->status == 401 || x->status == 403)
		a->err.code = ERR_AUTH;
	(void)err_wrap(&a->err, "no token from the token endpoint");
	auth_bad(a);
}

static void
token_buy(struct fetch_auth *a, char *secret)
{
	struct fetch_request q = { .method = "POST", .target = a->target,
	    .content_type = FETCH_FORM };

	buf_clear(&a->form);
	form_put(&a->form, "grant_type", "client_credentials");
	form_put(&a->form, "client_id", a->client_id);
	form_put(&a->form, "client_secret", secret);
	form_put(&a->form, "scope", a->scope);
	form_put(&a->form, "audience", a->audience);
	secret_free(secret);
	MUST(a->form.error == 0);
	q.body = buf_str(&a->form);
	q.body_len = a->form.len;
	a->job = fetch_start(a->endpoint, &q, on_token, a);
}

/* --- reading ------------------------------------------------------------- */

static void
reading_work(void *cookie)
{
	struct reading *r = cookie;
	struct fetch_auth *a = r->a;

	(void)a->secrets.get(a->secrets.cookie, &r->value, &r->err);
}

static void
auth_destroy(struct fetch_auth *a)
{
	fetch_free(a->endpoint);
	loop_timer_free(a->again);
	if (a->form.data != NULL)
		explicit_bzero(a->form.data, a->form.len);
	buf_fini(&a->form);
	secret_free(a->user);
	secret_free(a->password);
	secret_free(a->token);
	free(a->target);
	free(a->client_id);
	free(a->scope);
	free(a->audience);
	a->magic = 0;
	free(a);
}

/* A password or token was read: is it another one than was refused? */
static void
take_read(struct fetch_auth *a, char *value)
{
	char **place = a->kind == FETCH_AUTH_BASIC ? &a->password : &a->token;

	if (a->stale && *place != NULL && strcmp(*place, value) == 0) {
		secret_free(value);
		(void)err_set(&a->err, ERR_AUTH, "the server refuses the "
		    "credentials, and they are the same when read again");
		auth_bad(a);
		return;
	}
	secret_free(*place);
	*place = value;
	auth_good(a);
}

static void
reading_done(void *cookie)
{
	struct reading *r = cookie;
	struct fetch_auth *a = r->a;

	MAGIC_CHECK(a, AUTH_MAGIC);
	if (a->dying) {
		secret_free(r->value);
		auth_destroy(a);
	} else if (r->err.code != 0) {
		a->reading = false;
		a->err = r->err;
		auth_bad(a);
	} else if (bought(a)) {
		token_buy(a, r->value);
	} else {
		a->reading = false;
		take_read(a, r->value);
	}
	free(r);
}

static void
auth_read(struct fetch_auth *a)
{
	struct reading *r = must_calloc(1, sizeof(*r));

	a->reading = true;
	r->a = a;
	loop_work(a->loop, SECRET_LANE, reading_work, reading_done, r);
}

static void
on_again(void *cookie)
{
	struct fetch_auth *a = cookie;

	MAGIC_CHECK(a, AUTH_MAGIC);
	if (!a->reading)
		auth_read(a);
}

/* --- the table of functions ---------------------------------------------- */

static int
auth_get(void *cookie, const struct fetch_credentials **out, struct err *e)
{
	struct fetch_auth *a = cookie;

	MAGIC_CHECK(a, AUTH_MAGIC);
	if (a->have && bought(a) && loop_now_us(a->loop) >= a->ends_us)
		a->have = false;
	if (a->have && !a->stale) {
		*out = &a->now;
		return (1);
	}
	if (a->reading)
		return (0);
	if (a->err.code != 0 && loop_now_us(a->loop) < a->quiet_until_us) {
		*e = a->err;
		return (a->err.code);
	}
	auth_read(a);
	return (0);
}

static bool
auth_refused(void *cookie, unsigned generation)
{
	struct fetch_auth *a = cookie;

	MAGIC_CHECK(a, AUTH_MAGIC);
	if (generation != a->now.generation || a->stale)
		return (true);
	if (a->secrets.get == NULL)
		return (false);
	a->stale = true;
	if (!a->reading)
		auth_read(a);
	return (true);
}

static void
auth_listen(void *cookie, void (*wake)(void *), void *wake_cookie)
{
	struct fetch_auth *a = cookie;

	MAGIC_CHECK(a, AUTH_MAGIC);
	a->wake = wake;
	a->wake_cookie = wake_cookie;
}

static void
auth_free(void *cookie)
{
	struct fetch_auth *a = cookie;

	MAGIC_CHECK(a, AUTH_MAGIC);
	/* A worker that reads holds on to it; its end is waited for. */
	if (a->reading && a->job == NULL)
		a->dying = true;
	else
		auth_destroy(a);
}

/* --- making one ---------------------------------------------------------- */

static char *
copy(const char *s)
{
	return (s == NULL ? NULL : must_strdup(s));
}

/* "https://host/path" in two; the nested fetch has no credentials. */
static int
endpoint_new(struct fetch_auth *a, const struct fetch_options *o,
    struct err *e)
{
	struct fetch_options n = *o;
	const char *path = strstr(o->token_url, "://");
	char *origin;
	int rc;

	path = path != NULL ? strchr(path + 3, '/') : NULL;
	origin = path == NULL ? must_strdup(o->token_url) :
	    must_strndup(o->token_url, (size_t)(path - o->token_url));
	a->target = must_strdup(path != NULL ? path : "/");
	n.origin = origin;
	n.auth = FETCH_AUTH_NONE;
	n.user = NULL;
	n.secrets.get = NULL;
	n.sends_secrets = true;
	n.in_flight = 1;
	n.adaptive = false;
	n.rate = 0;
	n.calendar = NULL;
	n.budget_hour = n.budget_day = 0;
	n.quotas_n = 0;
	n.breaker_failures = 0;
	n.body_max = TOKEN_BODY_MAX;
	if ((rc = fetch_new(a->loop, &n, &a->endpoint, e)) != 0)
		(void)err_wrap(e, "token endpoint");
	free(origin);
	return (rc);
}

int
fetch_auth_new(struct loop *loop, const struct fetch_options *o,
    struct fetch_authorizer *out, struct err *e)
{
	struct fetch_auth *a;
	int rc = 0;

	*out = (struct fetch_authorizer){ .get = NULL };
	if (o->auth == FETCH_AUTH_NONE)
		return (0);
	MUST(o->auth == FETCH_AUTH_NEGOTIATE || o->secrets.get != NULL);
	a = must_calloc(1, sizeof(*a));
	a->magic = AUTH_MAGIC;
	a->loop = loop;
	a->secrets = o->secrets;
	a->kind = o->auth;
	a->user = copy(o->user);
	a->again = loop_timer_new(loop, on_again, a);
	buf_init(&a->form, TOKEN_BODY_MAX);
	if (o->auth == FETCH_AUTH_OAUTH2) {
		a->kind = FETCH_AUTH_BEARER;
		a->client_id = copy(o->client_id);
		a->scope = copy(o->scope);
		a->audience = copy(o->audience);
		rc = endpoint_new(a, o, e);
	} else if (o->auth == FETCH_AUTH_NEGOTIATE) {
		a->secrets.get = NULL;
		a->have = true;
		a->now.generation = 1;
		a->now.kind = FETCH_AUTH_NEGOTIATE;
	}
	if (rc != 0) {
		auth_destroy(a);
		return (rc);
	}
	*out = (struct fetch_authorizer){ a, auth_get, auth_refused,
	    auth_listen, auth_free };
	return (0);
}
