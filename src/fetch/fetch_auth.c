/*
 * What requests are authorized with. A secret is read by a worker when it is
 * first needed; with client credentials it buys a token, which is renewed
 * before it ends. A 401 to the newest credentials has them read, or bought,
 * again, once for all who wait. The same secret is not sent again, nor is a
 * token bought for one that was refused as soon as it was bought: accounts
 * are locked for that. But what was accepted may have met a bad node, or an
 * hour at which nobody can be asked: each success earns one try more, after
 * a rest in which nobody is sent.
 *
 * Failure: get() says why, and tries again after a pause that doubles. While
 * a token lives, a failure to renew it stops nobody.
 */
#include "config.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/msg.h"
#include "base/must.h"
#include "fetch/fetch_int.h"
#include "loop/loop.h"

#define AUTH_MAGIC 0x41555448u
/* A token is renewed so long before its end, or at half of its life. */
#define EARLY_S 300
/* A token refused so soon after it replaced a refused one: none will do. */
#define FRESH_US INT64_C(60000000)
#define PAUSE_FIRST_US INT64_C(1000000)
#define PAUSE_MAX_US INT64_C(300000000)
/* Before what was accepted once is sent again, unless fetch.retry_cap is
 * shorter. */
#define REST_US INT64_C(10000000)
#define SECRET_LANE 62u

/*
 * 1. Either `have`, or get() does not answer 1.
 * 2. At most one of `reading`, `buying` and `resting`; while one is, no other
 *    begins.
 * 3. `stale` from a 401 with `now` until there are others.
 * 4. `spare` from a success with `now` until it is spent by a rest: never two
 *    rests without a success between them.
 */
struct fetch_auth {
	uint32_t magic;
	struct loop *loop;
	struct fetch_secrets secrets;
	enum fetch_auth_kind kind;	/* of requests */
	void (*wake)(void *);
	void *wake_cookie;

	bool have;
	bool stale;
	bool spare;
	struct fetch_credentials now;	/* points to those below */
	char *user;
	char *password;			/* basic */
	char *token;			/* bearer: as read, or bought */
	struct fetch_token *shop;	/* of tokens that are bought, or NULL */
	int64_t ends_us;		/* of a bought one */
	int64_t fresh_until_us;		/* of one bought for a refused one */

	struct reading *reading;
	bool buying;
	bool resting;
	bool rested;			/* the same will do */
	int64_t rest_us;
	struct loop_timer *rest;	/* pending while resting */
	struct loop_timer *again;	/* renewal */
	struct err err;			/* why there are none */
	int64_t pause_us;
	int64_t quiet_until_us;
};

/* A secret being read by a worker; who frees it when both sides are gone is
 * told by `side`. */
enum { SIDE_BOTH, SIDE_READ, SIDE_LEFT };

struct reading {
	struct fetch_auth *a;		/* the loop's; NULL: it has left */
	struct fetch_secrets secrets;
	atomic_int side;
	char *value;
	struct err err;
};

void
fetch_secret_free(char *s)
{
	if (s != NULL)
		explicit_bzero(s, strlen(s));
	free(s);
}

/* --- outcomes ------------------------------------------------------------ */

/* There are new ones. */
static void
auth_good(struct fetch_auth *a)
{
	a->have = true;
	a->stale = a->rested = false;
	a->pause_us = 0;
	a->err.code = 0;
	/* Each request with a wrong password counts against the account. */
	a->now = (struct fetch_credentials){ a->now.generation + 1,
	    a->shop == NULL, a->kind, a->user, a->password, a->token };
	a->wake(a->wake_cookie);
}

/* What was accepted is refused: is it worth another try, later? */
static bool
auth_rest(struct fetch_auth *a)
{
	if (a->err.code != ERR_AUTH || !a->spare)
		return (false);
	a->spare = false;
	a->resting = true;
	a->err.code = 0;
	loop_timer_set(a->rest, a->rest_us);
	msg_warn("auth", "the server refuses the credentials that it accepted "
	    "before; they are tried once more in %g s",
	    (double)a->rest_us / 1e6);
	return (true);
}

/* There are none, or only those there were; why is in a->err. */
static void
auth_bad(struct fetch_auth *a)
{
	int64_t now_us = loop_now_us(a->loop);
	bool first = a->pause_us == 0;

	a->rested = false;
	if ((a->stale || !a->have) && auth_rest(a))
		return;
	a->pause_us = first ? PAUSE_FIRST_US : a->pause_us * 2;
	if (a->pause_us > PAUSE_MAX_US)
		a->pause_us = PAUSE_MAX_US;
	a->quiet_until_us = now_us + a->pause_us;
	/* A token that still lives is good until somebody refuses it. */
	if (a->shop != NULL && a->have && !a->stale && now_us < a->ends_us) {
		if (first)
			msg_warn("auth", "the token cannot be renewed, and "
			    "ends in %lld s: %s", (long long)((a->ends_us -
			    now_us) / 1000000), a->err.text);
		loop_timer_set(a->again, a->pause_us);
		return;
	}
	a->have = false;
	a->wake(a->wake_cookie);
}

/* --- tokens that are bought ---------------------------------------------- */

static void
on_token(void *cookie, char *token, int64_t life_s, const struct err *e)
{
	struct fetch_auth *a = cookie;
	int64_t now_us = loop_now_us(a->loop);

	MAGIC_CHECK(a, AUTH_MAGIC);
	a->buying = false;
	if (token == NULL) {
		a->err = *e;
		auth_bad(a);
		return;
	}
	fetch_secret_free(a->token);
	a->token = token;
	a->ends_us = now_us + life_s * 1000000;
	a->fresh_until_us = a->stale ? now_us + FRESH_US : 0;
	loop_timer_set(a->again, (life_s > 2 * EARLY_S ? life_s - EARLY_S :
	    life_s / 2 + 1) * 1000000);
	auth_good(a);
}

/* --- reading ------------------------------------------------------------- */

static void
reading_work(void *cookie)
{
	struct reading *r = cookie;
	int both = SIDE_BOTH;

	if (r->secrets.get(r->secrets.cookie, &r->value, &r->err) != 0 &&
	    r->err.code == 0)
		(void)err_set(&r->err, ERR_CONFIG, "a secret cannot be read");
	if (!atomic_compare_exchange_strong(&r->side, &both, SIDE_READ)) {
		fetch_secret_free(r->value);
		r->value = NULL;
	}
}

/* Nobody waits for it any more. Its memory is freed by reading_done(), or
 * lost with the loop, but wiped in any case. */
static void
reading_leave(struct reading *r)
{
	r->a = NULL;
	if (atomic_exchange(&r->side, SIDE_LEFT) == SIDE_READ) {
		fetch_secret_free(r->value);
		r->value = NULL;
	}
}

/* A password or token was read: is it another one than was refused? */
static void
take_read(struct fetch_auth *a, char *value)
{
	char **place = a->kind == FETCH_AUTH_BASIC ? &a->password : &a->token;
	bool same = a->stale && !a->rested && *place != NULL &&
	    strcmp(*place, value) == 0;

	if (same)
		(void)err_set(&a->err, ERR_AUTH, "the server refuses the "
		    "credentials, and they are the same when read again");
	else if (a->kind == FETCH_AUTH_BEARER && !fetch_token_valid(value))
		(void)err_set(&a->err, ERR_CONFIG, "the token has characters "
		    "that no header can carry");
	else {
		fetch_secret_free(*place);
		*place = value;
		auth_good(a);
		return;
	}
	fetch_secret_free(value);
	auth_bad(a);
}

static void
reading_done(void *cookie)
{
	struct reading *r = cookie;
	struct fetch_auth *a = r->a;

	if (a == NULL) {
		free(r);
		return;
	}
	MAGIC_CHECK(a, AUTH_MAGIC);
	a->reading = NULL;
	if (r->err.code != 0) {
		a->err = r->err;
		auth_bad(a);
	} else if (a->shop != NULL) {
		a->buying = true;
		fetch_token_buy(a->shop, r->value);
	} else
		take_read(a, r->value);
	free(r);
}

static bool
busy(const struct fetch_auth *a)
{
	return (a->reading != NULL || a->buying || a->resting);
}

static void
auth_read(struct fetch_auth *a)
{
	struct reading *r = must_calloc(1, sizeof(*r));

	MUST(!busy(a));
	a->reading = r;
	r->a = a;
	r->secrets = a->secrets;
	atomic_init(&r->side, SIDE_BOTH);
	loop_work(a->loop, SECRET_LANE, reading_work, reading_done, r);
}

static void
on_again(void *cookie)
{
	struct fetch_auth *a = cookie;

	MAGIC_CHECK(a, AUTH_MAGIC);
	if (!busy(a))
		auth_read(a);
}

static void
on_rested(void *cookie)
{
	struct fetch_auth *a = cookie;

	MAGIC_CHECK(a, AUTH_MAGIC);
	a->resting = false;
	a->rested = true;
	if (a->secrets.get != NULL)
		auth_read(a);
	else
		auth_good(a);
}

/* --- the table of functions ---------------------------------------------- */

static int
auth_get(void *cookie, const struct fetch_credentials **out, struct err *e)
{
	struct fetch_auth *a = cookie;

	MAGIC_CHECK(a, AUTH_MAGIC);
	if (a->shop != NULL && loop_now_us(a->loop) >= a->ends_us)
		a->have = false;
	if (a->have && !a->stale) {
		*out = &a->now;
		return (1);
	}
	if (busy(a))
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
	if (generation != a->now.generation)
		return (true);
	if (a->stale)
		return (busy(a));
	/* Of tickets there is nothing to be read: each request asks anew. */
	if (a->secrets.get == NULL && !a->spare)
		return (false);
	a->stale = true;
	if (busy(a))
		return (true);
	if (a->secrets.get == NULL ||
	    (a->shop != NULL && loop_now_us(a->loop) < a->fresh_until_us)) {
		(void)err_set(&a->err, ERR_AUTH, "the server refuses a new "
		    "token as well");
		auth_bad(a);
		return (a->resting);
	}
	auth_read(a);
	return (true);
}

static void
auth_accepted(void *cookie, unsigned generation)
{
	struct fetch_auth *a = cookie;

	MAGIC_CHECK(a, AUTH_MAGIC);
	if (generation != a->now.generation)
		return;
	a->spare = true;
	a->now.alone = false;
	a->fresh_until_us = 0;
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
auth_hide(void *cookie, char *text, size_t len)
{
	struct fetch_auth *a = cookie;

	MAGIC_CHECK(a, AUTH_MAGIC);
	fetch_hide(text, len, a->user, a->password);
	fetch_hide(text, len, NULL, a->token);
}

static void
auth_free(void *cookie)
{
	struct fetch_auth *a = cookie;

	MAGIC_CHECK(a, AUTH_MAGIC);
	if (a->reading != NULL)
		reading_leave(a->reading);
	fetch_token_free(a->shop);
	loop_timer_free(a->rest);
	loop_timer_free(a->again);
	free(a->user);
	fetch_secret_free(a->password);
	fetch_secret_free(a->token);
	a->magic = 0;
	free(a);
}

int
fetch_auth_new(struct loop *loop, const struct fetch_options *o,
    fetch_transport_fn *on, struct fetch_authorizer *out, struct err *e)
{
	struct fetch_auth *a;
	int rc;

	*out = (struct fetch_authorizer){ .get = NULL };
	if (o->auth == FETCH_AUTH_NONE)
		return (0);
	MUST(o->auth == FETCH_AUTH_NEGOTIATE || o->secrets.get != NULL);
	a = must_calloc(1, sizeof(*a));
	a->magic = AUTH_MAGIC;
	a->loop = loop;
	a->secrets = o->secrets;
	a->kind = o->auth;
	a->user = o->user != NULL ? must_strdup(o->user) : NULL;
	a->rest = loop_timer_new(loop, on_rested, a);
	a->rest_us = o->retry_cap_ms < REST_US / 1000 ?
	    o->retry_cap_ms * 1000 : REST_US;
	a->again = loop_timer_new(loop, on_again, a);
	if (o->auth == FETCH_AUTH_OAUTH2) {
		a->kind = FETCH_AUTH_BEARER;
		if ((rc = fetch_token_new(loop, o, on, on_token, a,
		    &a->shop, e)) != 0) {
			auth_free(a);
			return (rc);
		}
	} else if (o->auth == FETCH_AUTH_NEGOTIATE) {
		/* libcurl has them from the ticket cache */
		a->secrets.get = NULL;
		a->have = true;
		a->now.generation = 1;
		a->now.alone = true;
		a->now.kind = FETCH_AUTH_NEGOTIATE;
	}
	*out = (struct fetch_authorizer){ a, auth_get, auth_refused,
	    auth_accepted, auth_listen, auth_hide, auth_free };
	return (0);
}
