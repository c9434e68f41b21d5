/*
 * Credentials in virtual time: when secrets are read and tokens bought, how
 * often, and what is done when they are refused. The token endpoint is a
 * scripted transport, the requests are the test's own.
 */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/err.h"
#include "fake_loop.h"
#include "fetch/fetch_int.h"
#include "loop/loop.h"

#define SECOND INT64_C(1000000)
#define ASKED_MAX 64

/* An answer of the token endpoint; body NULL: a token of its own number. */
struct reply {
	int status;
	const char *body;
	bool hold;
};

struct world {
	struct loop *loop;
	struct fetch_authorizer auth;
	struct fetch_options o;
	unsigned wakes;
	/* the secret */
	const char *values[8];		/* the last one stays; NULL: fails */
	unsigned reads;
	/* the endpoint */
	const struct reply *replies;	/* the last one stays */
	unsigned asked;
	int64_t asked_us[ASKED_MAX];
	char form[500];
	char user[100], password[100];
	int life_s;
	struct fetch_transfer *air;
	struct loop_timer *timer;
};

/* --- the secret and the endpoint ----------------------------------------- */

static int
get_secret(void *cookie, char **value, struct err *e)
{
	struct world *w = cookie;
	unsigned i = w->reads < 7 ? w->reads : 7;

	w->reads++;
	while (i > 0 && w->values[i] == NULL && w->values[0] != NULL)
		i--;
	if (w->values[i] == NULL)
		return (err_set(e, ERR_CONFIG, "no such file"));
	*value = strdup(w->values[i]);
	return (0);
}

static const struct reply *
reply_now(const struct world *w)
{
	const struct reply *r = w->replies;
	unsigned i;

	for (i = 1; i < w->asked && r[1].status != 0; i++)
		r++;
	return (r);
}

static void
on_reply(void *cookie)
{
	struct world *w = cookie;
	struct fetch_transfer *t = w->air;
	const struct reply *r = reply_now(w);

	if (r->hold)
		return;
	w->air = NULL;
	t->status = r->status;
	t->json = true;
	t->rc = r->status == 0 ? ERR_CONNECT : 0;
	if (r->body != NULL)
		buf_puts(&t->in, r->body);
	else
		buf_printf(&t->in, "{\"access_token\":\"t%u\",\"token_type\":"
		    "\"bearer\",\"expires_in\":%d}", w->asked, w->life_s);
	t->finished(t);
}

static int
endpoint_start(void *cookie, struct fetch_transfer *t)
{
	struct world *w = cookie;
	const struct fetch_credentials *x = t->credentials;

	assert_null(w->air);
	assert_true(w->asked < ASKED_MAX);
	assert_string_equal(t->method, "POST");
	assert_string_equal(t->url, "https://login.example/token");
	assert_string_equal(t->content_type, FETCH_FORM);
	w->asked_us[w->asked++] = loop_now_us(w->loop);
	snprintf(w->form, sizeof(w->form), "%.*s", (int)t->body_len,
	    t->body);
	snprintf(w->user, sizeof(w->user), "%s", x != NULL ? x->user : "");
	snprintf(w->password, sizeof(w->password), "%s", x != NULL ?
	    x->password : "");
	w->air = t;
	loop_timer_set(w->timer, 50000);
	return (0);
}

static void
endpoint_stop(void *cookie, struct fetch_transfer *t)
{
	struct world *w = cookie;

	assert_ptr_equal(w->air, t);
	w->air = NULL;
	loop_timer_clear(w->timer);
}

static void
endpoint_free(void *cookie)
{
	struct world *w = cookie;

	assert_null(w->air);
}

static int
endpoint_new(struct loop *loop, const struct fetch_options *o,
    struct fetch_transport *out, struct err *e)
{
	(void)loop;
	(void)e;
	*out = (struct fetch_transport){ o->secrets.cookie, endpoint_start,
	    endpoint_stop, endpoint_free };
	return (0);
}

/* --- the world ----------------------------------------------------------- */

static void
on_wake(void *cookie)
{
	struct world *w = cookie;

	w->wakes++;
}

static void
world_init(struct world *w, enum fetch_auth_kind kind)
{
	struct err e = ERR_INIT;

	w->loop = fake_loop_new(1000 * SECOND, 1700000000);
	w->timer = loop_timer_new(w->loop, on_reply, w);
	if (w->life_s == 0)
		w->life_s = 3600;
	w->o = (struct fetch_options){
		.origin = "https://pi.example", .in_flight = 4,
		.body_max = 1000, .tries = 1, .seed = 1,
		.retry_cap_ms = 60000,
		.auth = kind, .user = "me", .secrets = { w, get_secret },
		.token_url = "https://login.example/token",
		.client_id = "my id", .client_in_body =
		    w->o.client_in_body, .scope = w->o.scope,
	};
	assert_int_equal(fetch_auth_new(w->loop, &w->o, endpoint_new,
	    &w->auth, &e), 0);
	w->auth.listen(w->auth.cookie, on_wake, w);
}

static void
world_fini(struct world *w)
{
	w->auth.free(w->auth.cookie);
	while (fake_loop_step(w->loop, INT64_MAX / 2))
		continue;
	loop_timer_free(w->timer);
	loop_free(w->loop);
}

static void
run_s(struct world *w, double s)
{
	int64_t until = loop_now_us(w->loop) + (int64_t)(s * 1e6);

	while (fake_loop_step(w->loop, until))
		continue;
}

static int
ask(struct world *w, const struct fetch_credentials **x, struct err *e)
{
	return (w->auth.get(w->auth.cookie, x, e));
}

/* Credentials as soon as they are there; their generation. */
static unsigned
need(struct world *w, const char *text)
{
	const struct fetch_credentials *x = NULL;
	struct err e = ERR_INIT;
	unsigned wakes = w->wakes;

	if (ask(w, &x, &e) == 0) {
		while (w->wakes == wakes)
			assert_true(fake_loop_step(w->loop, INT64_MAX / 2));
		assert_int_equal(ask(w, &x, &e), 1);
	}
	assert_non_null(x);
	assert_string_equal(x->kind == FETCH_AUTH_BASIC ? x->password :
	    x->token, text);
	return (x->generation);
}

/* Asking ends with that error, now or when what is being done is over. */
static void
need_error(struct world *w, int code, const char *text)
{
	const struct fetch_credentials *x = NULL;
	struct err e = ERR_INIT;
	int rc;

	while ((rc = ask(w, &x, &e)) == 0)
		assert_true(fake_loop_step(w->loop, INT64_MAX / 2));
	assert_int_equal(rc, code);
	assert_int_equal(e.code, code);
	assert_string_equal(e.text, text);
}

static bool
refused(struct world *w, unsigned generation)
{
	return (w->auth.refused(w->auth.cookie, generation));
}

/* --- secrets that are read ----------------------------------------------- */

#define SAME "the server refuses the credentials, and they are the same " \
    "when read again"

static void
test_none(void **state)
{
	struct fetch_authorizer auth;
	struct fetch_options o = { .origin = "https://pi.example" };

	(void)state;
	assert_int_equal(fetch_auth_new(NULL, &o, endpoint_new, &auth,
	    NULL), 0);
	assert_null(auth.get);
}

static void
test_read_once(void **state)
{
	struct world w = { .values = { "one" } };
	const struct fetch_credentials *x;
	struct err e = ERR_INIT;
	unsigned i;

	(void)state;
	world_init(&w, FETCH_AUTH_BASIC);
	for (i = 0; i < 10; i++)
		assert_int_equal(ask(&w, &x, &e), 0);
	assert_int_equal(w.wakes, 0);
	assert_int_equal(need(&w, "one"), 1);
	assert_int_equal(w.reads, 1);
	assert_int_equal(w.wakes, 1);
	run_s(&w, 86400);
	assert_int_equal(need(&w, "one"), 1);
	assert_int_equal(w.reads, 1);
	world_fini(&w);
}

/* A hundred requests are refused with the old one: one reading for all. */
static void
test_changed(void **state)
{
	struct world w = { .values = { "old", "new" } };
	const struct fetch_credentials *x;
	struct err e = ERR_INIT;
	unsigned i, g;

	(void)state;
	world_init(&w, FETCH_AUTH_BEARER);
	g = need(&w, "old");
	for (i = 0; i < 50; i++)
		assert_true(refused(&w, g));
	/* nobody is sent meanwhile */
	assert_int_equal(ask(&w, &x, &e), 0);
	assert_int_equal(need(&w, "new"), g + 1);
	for (i = 0; i < 50; i++)
		assert_true(refused(&w, g));
	assert_int_equal(need(&w, "new"), g + 1);
	assert_int_equal(w.reads, 2);
	world_fini(&w);
}

/* The same again is never sent again, however often it is read. */
static void
test_same(void **state)
{
	struct world w = { .values = { "pw", "pw", "pw", "pw", "other" } };
	unsigned g;

	(void)state;
	world_init(&w, FETCH_AUTH_BASIC);
	g = need(&w, "pw");
	assert_true(refused(&w, g));
	need_error(&w, ERR_AUTH, SAME);
	assert_int_equal(w.reads, 2);
	/* those that were in flight */
	assert_false(refused(&w, g));
	/* for a second nobody even reads */
	run_s(&w, 0.9);
	need_error(&w, ERR_AUTH, SAME);
	assert_int_equal(w.reads, 2);
	run_s(&w, 0.2);
	need_error(&w, ERR_AUTH, SAME);
	assert_int_equal(w.reads, 3);
	run_s(&w, 1.5);
	need_error(&w, ERR_AUTH, SAME);
	assert_int_equal(w.reads, 3);
	run_s(&w, 1);
	need_error(&w, ERR_AUTH, SAME);
	assert_int_equal(w.reads, 4);
	run_s(&w, 5);
	assert_int_equal(need(&w, "other"), g + 1);
	world_fini(&w);
}

/* Has the authorizer something to give now? */
static bool
has(struct world *w, const struct fetch_credentials **x)
{
	struct err e = ERR_INIT;
	int rc = ask(w, x, &e);

	assert_in_range(rc, 0, 1);
	return (rc == 1);
}

/* Once for each success, after a rest, by one request: never twice in a row,
 * and not before the first success. */
static void
test_same_once_more(void **state)
{
	struct world w = { .values = { "pw" } };
	const struct fetch_credentials *x = NULL;
	unsigned g, i;

	(void)state;
	world_init(&w, FETCH_AUTH_BASIC);
	g = need(&w, "pw");
	assert_true(has(&w, &x) && x->alone);
	w.auth.accepted(w.auth.cookie, g);
	for (i = 0; i < 3; i++) {
		assert_true(has(&w, &x) && !x->alone);
		assert_true(refused(&w, g));
		/* those that were in flight */
		assert_true(refused(&w, g));
		while (w.reads < 2 + 2 * i)
			assert_false(has(&w, &x) || !fake_loop_step(w.loop,
			    INT64_MAX / 2));
		run_s(&w, 9.9);
		assert_false(has(&w, &x));
		assert_int_equal(w.reads, 2 + 2 * i);
		assert_true(refused(&w, g));
		run_s(&w, 0.2);
		assert_int_equal(need(&w, "pw"), g + 1);
		assert_true(has(&w, &x) && x->alone);
		/* one that was in flight all the time says nothing */
		w.auth.accepted(w.auth.cookie, g);
		assert_true(refused(&w, g++));
		if (i < 2)
			w.auth.accepted(w.auth.cookie, g);
	}
	assert_true(has(&w, &x) && x->alone);
	assert_true(refused(&w, g));
	need_error(&w, ERR_AUTH, SAME);
	run_s(&w, 3600);
	need_error(&w, ERR_AUTH, SAME);
	/* another one is sent, and has to be accepted before it may rest */
	w.values[0] = "new";
	run_s(&w, 300);
	assert_int_equal(need(&w, "new"), g + 1);
	assert_true(refused(&w, g + 1));
	need_error(&w, ERR_AUTH, SAME);
	world_fini(&w);
}

/* It may have been changed while we rested. */
static void
test_changed_meanwhile(void **state)
{
	struct world w = { .values = { "old", "old", "new" } };
	unsigned g;

	(void)state;
	world_init(&w, FETCH_AUTH_BEARER);
	g = need(&w, "old");
	w.auth.accepted(w.auth.cookie, g);
	assert_true(refused(&w, g));
	assert_int_equal(need(&w, "new"), g + 1);
	assert_int_equal(w.reads, 3);
	world_fini(&w);
}

/* As long as the same is refused it is read ever more rarely, but never given
 * up: when it is another at last, that is known within five minutes. */
static void
test_same_for_a_day(void **state)
{
	struct world w = { .values = { "pw" } };
	const struct fetch_credentials *x;
	struct err e = ERR_INIT;
	unsigned g, i;

	(void)state;
	world_init(&w, FETCH_AUTH_BASIC);
	g = need(&w, "pw");
	assert_true(refused(&w, g));
	for (i = 0; i < 86400; i++) {
		if (ask(&w, &x, &e) == 1)
			fail_msg("sent again after %u s", i);
		run_s(&w, 1);
	}
	assert_in_range(w.reads, 86400 / 301, 86400 / 300 + 12);
	w.values[0] = "other";
	for (i = 0; i <= 300 && ask(&w, &x, &e) != 1; i++)
		run_s(&w, 1);
	assert_in_range(i, 1, 301);
	assert_int_equal(need(&w, "other"), g + 1);
	world_fini(&w);
}

static void
test_unreadable(void **state)
{
	struct world w = { .values = { NULL, NULL, "late" } };

	(void)state;
	world_init(&w, FETCH_AUTH_BASIC);
	need_error(&w, ERR_CONFIG, "no such file");
	need_error(&w, ERR_CONFIG, "no such file");
	assert_int_equal(w.reads, 1);
	run_s(&w, 1.1);
	need_error(&w, ERR_CONFIG, "no such file");
	assert_int_equal(w.reads, 2);
	run_s(&w, 2.1);
	need(&w, "late");
	world_fini(&w);
}

static void
test_bad_token(void **state)
{
	static const char *const bad[] = { "a b", "a\r\nX: y", "\xc3\xa4", "" };
	struct world w;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		w = (struct world){ .values = { bad[i] } };
		world_init(&w, FETCH_AUTH_BEARER);
		need_error(&w, ERR_CONFIG, "the token has characters that no "
		    "header can carry");
		world_fini(&w);
	}
}

static void
test_negotiate(void **state)
{
	struct world w = { .reads = 0 };
	const struct fetch_credentials *x;
	struct err e = ERR_INIT;

	(void)state;
	world_init(&w, FETCH_AUTH_NEGOTIATE);
	assert_int_equal(ask(&w, &x, &e), 1);
	assert_int_equal(x->kind, FETCH_AUTH_NEGOTIATE);
	assert_false(refused(&w, x->generation));
	assert_int_equal(ask(&w, &x, &e), 1);
	/* with what was accepted it may be a bad node */
	w.auth.accepted(w.auth.cookie, x->generation);
	assert_true(refused(&w, x->generation));
	assert_int_equal(ask(&w, &x, &e), 0);
	run_s(&w, 10.1);
	assert_int_equal(ask(&w, &x, &e), 1);
	assert_int_equal(x->kind, FETCH_AUTH_NEGOTIATE);
	assert_true(x->alone);
	assert_false(refused(&w, x->generation));
	assert_int_equal(w.reads, 0);
	world_fini(&w);
}

/* Freed while a worker reads, and while the endpoint is asked. */
static void
test_freed(void **state)
{
	static const struct reply hold[] = { { 200, NULL, true }, { 0 } };
	struct world w = { .values = { "pw" } };
	const struct fetch_credentials *x;
	struct err e = ERR_INIT;

	(void)state;
	world_init(&w, FETCH_AUTH_BASIC);
	assert_int_equal(ask(&w, &x, &e), 0);
	world_fini(&w);
	assert_int_equal(w.wakes, 0);

	w = (struct world){ .values = { "pw" }, .replies = hold };
	world_init(&w, FETCH_AUTH_OAUTH2);
	assert_int_equal(ask(&w, &x, &e), 0);
	run_s(&w, 1);
	assert_int_equal(w.asked, 1);
	world_fini(&w);
	assert_int_equal(w.wakes, 0);
}

/* --- tokens that are bought ---------------------------------------------- */

static void
test_form(void **state)
{
	static const struct reply good[] = { { 200, NULL, false }, { 0 } };
	struct world w = { .values = { "s&c:%" }, .replies = good,
	    .o.scope = "a b" };

	(void)state;
	world_init(&w, FETCH_AUTH_OAUTH2);
	need(&w, "t1");
	assert_string_equal(w.form, "grant_type=client_credentials&"
	    "scope=a%20b");
	/* encoded before they are joined */
	assert_string_equal(w.user, "my%20id");
	assert_string_equal(w.password, "s%26c%3A%25");
	world_fini(&w);

	w = (struct world){ .values = { "s&c:%" }, .replies = good,
	    .o.client_in_body = true };
	world_init(&w, FETCH_AUTH_OAUTH2);
	need(&w, "t1");
	assert_string_equal(w.form, "grant_type=client_credentials&"
	    "client_id=my%20id&client_secret=s%26c%3A%25");
	assert_string_equal(w.user, "");
	world_fini(&w);
}

/* Five minutes early, or at half of a shorter life; nobody waits for it. */
static void
test_early(void **state)
{
	static const struct reply good[] = { { 200, NULL, false }, { 0 } };
	static const struct { int life_s; double before, after; } cases[] = {
		{ 3600, 3299, 3301 }, { 601, 300, 302 }, { 600, 300, 302 },
		{ 60, 30, 32 }, { 2, 1.9, 2.1 },
	};
	struct world w;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		w = (struct world){ .values = { "s" }, .replies = good,
		    .life_s = cases[i].life_s };
		world_init(&w, FETCH_AUTH_OAUTH2);
		need(&w, "t1");
		run_s(&w, cases[i].before);
		if (cases[i].life_s > 2)
			need(&w, "t1");
		assert_int_equal(w.asked, 1);
		run_s(&w, cases[i].after - cases[i].before + 0.2);
		assert_int_equal(w.asked, 2);
		need(&w, "t2");
		world_fini(&w);
	}
}

/* The endpoint is gone: the token is used to its end, and asked for again
 * with pauses; the first failure after its end is told. */
static void
test_late(void **state)
{
	static const struct reply gone[] = { { 200, NULL, false },
	    { 503, "{}", false }, { 0 } };
	struct world w = { .values = { "s" }, .replies = gone };
	unsigned i;

	(void)state;
	world_init(&w, FETCH_AUTH_OAUTH2);
	need(&w, "t1");
	for (i = 0; i < 3599; i++) {
		run_s(&w, 1);
		need(&w, "t1");
	}
	/* after 1, 2, 4 .. s, not each second */
	assert_in_range(w.asked, 5, 10);
	run_s(&w, 2);
	need_error(&w, ERR_SERVER, "no token from the token endpoint: POST "
	    "/token: 503 Service Unavailable");
	world_fini(&w);
}

/* A revoked token: one purchase for all; a new one refused at once: final,
 * without a purchase for each who is refused. */
static void
test_revoked(void **state)
{
	static const struct reply good[] = { { 200, NULL, false }, { 0 } };
	struct world w = { .values = { "s" }, .replies = good };
	unsigned i, g;

	(void)state;
	world_init(&w, FETCH_AUTH_OAUTH2);
	g = need(&w, "t1");
	for (i = 0; i < 100; i++)
		assert_true(refused(&w, g));
	assert_int_equal(need(&w, "t2"), g + 1);
	assert_true(refused(&w, g));
	assert_int_equal(w.asked, 2);
	assert_false(refused(&w, g + 1));
	assert_false(refused(&w, g + 1));
	need_error(&w, ERR_AUTH, "the server refuses a new token as well");
	assert_int_equal(w.asked, 2);
	run_s(&w, 1.1);
	need(&w, "t3");
	/* one that was good for a while is replaced again */
	run_s(&w, 100);
	assert_true(refused(&w, g + 2));
	need(&w, "t4");
	/* and one that was accepted once at once; after that there is a rest
	 * before the last is bought */
	w.auth.accepted(w.auth.cookie, g + 3);
	assert_true(refused(&w, g + 3));
	need(&w, "t5");
	assert_true(refused(&w, g + 4));
	run_s(&w, 9.9);
	assert_int_equal(w.asked, 5);
	need(&w, "t6");
	assert_false(refused(&w, g + 5));
	need_error(&w, ERR_AUTH, "the server refuses a new token as well");
	world_fini(&w);
}

/* Refused while a new one is on its way: that one serves. */
static void
test_refused_while_renewing(void **state)
{
	static const struct reply good[] = { { 200, NULL, false }, { 0 } };
	struct world w = { .values = { "s" }, .replies = good };
	const struct fetch_credentials *x;
	struct err e = ERR_INIT;
	unsigned g;

	(void)state;
	world_init(&w, FETCH_AUTH_OAUTH2);
	g = need(&w, "t1");
	while (w.asked == 1)
		assert_true(fake_loop_step(w.loop, INT64_MAX / 2));
	assert_true(refused(&w, g));
	assert_int_equal(ask(&w, &x, &e), 0);
	need(&w, "t2");
	assert_int_equal(w.asked, 2);
	world_fini(&w);
}

static void
test_bad_answers(void **state)
{
	static const struct {
		struct reply reply;
		int code;
		const char *text;
	} cases[] = {
		{ { 401, "{\"error\":\"invalid_client\"}", false }, ERR_AUTH,
		    ": POST /token: 401 Unauthorized: invalid_client" },
		{ { 400, "{\"error\":\"invalid_scope\",\"error_description\":"
		    "\"no such scope\"}", false }, ERR_AUTH,
		    ": POST /token: 400 Bad Request: no such scope" },
		/* an endpoint that says more than it should */
		{ { 400, "{\"error\":\"bad secret sesame+street of my%20id: "
		    "sesame%2Bstreet\"}", false }, ERR_AUTH,
		    ": POST /token: 400 Bad Request: bad secret "
		    "************* of my%20id: ***************" },
		{ { 404, "", false }, ERR_NOTFOUND,
		    ": POST /token: 404 Not Found" },
		{ { 302, "", false }, ERR_REQUEST,
		    ": POST /token: 302 Found: redirects are not followed" },
		{ { 200, "{}", false }, ERR_ANSWER, ": there is no "
		    "access_token in the answer, or none that a header can "
		    "carry" },
		{ { 200, "[]", false }, ERR_ANSWER, ": there is no "
		    "access_token in the answer, or none that a header can "
		    "carry" },
		{ { 200, "{\"access_token\":\"a\\r\\nb\"}", false },
		    ERR_ANSWER, ": there is no access_token in the answer, "
		    "or none that a header can carry" },
		{ { 200, "{\"access_token\":\"a\",\"token_type\":\"mac\"}",
		    false }, ERR_ANSWER,
		    ": its token is of a type other than bearer" },
		{ { 200, "<html>", false }, ERR_ANSWER, NULL },
	};
	struct reply replies[2] = { { 0 } };
	struct world w;
	char text[500];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		replies[0] = cases[i].reply;
		w = (struct world){ .values = { "sesame+street" },
		    .replies = replies };
		world_init(&w, FETCH_AUTH_OAUTH2);
		if (cases[i].text != NULL) {
			snprintf(text, sizeof(text), "no token from the token "
			    "endpoint%s", cases[i].text);
			need_error(&w, cases[i].code, text);
			/* one who asks again does not make us ask */
			need_error(&w, cases[i].code, text);
		} else
			run_s(&w, 0.5);
		assert_int_equal(w.asked, cases[i].text != NULL);
		world_fini(&w);
	}
}

static void
test_life(void **state)
{
	static const struct { const char *in; double s; } cases[] = {
		{ ",\"expires_in\":\"1200\"", 900 }, { "", 3300 },
		{ ",\"expires_in\":null", 3300 },
		{ ",\"expires_in\":-5", 3300 }, { ",\"expires_in\":1e300",
		    3300 }, { ",\"expires_in\":\"soon\"", 3300 },
	};
	struct reply replies[2] = { { 200, NULL, false }, { 0 } };
	struct world w;
	char body[200];
	size_t i;

	(void)state;
	replies[0].body = body;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		snprintf(body, sizeof(body), "{\"access_token\":\"x\"%s}",
		    cases[i].in);
		w = (struct world){ .values = { "s" }, .replies = replies };
		world_init(&w, FETCH_AUTH_OAUTH2);
		need(&w, "x");
		while (w.asked == 1)
			assert_true(fake_loop_step(w.loop, INT64_MAX / 2));
		assert_in_range(w.asked_us[1] - w.asked_us[0],
		    (int64_t)(cases[i].s * 1e6),
		    (int64_t)(cases[i].s * 1e6) + SECOND);
		world_fini(&w);
	}
}

static void
test_endpoint_url(void **state)
{
	static const struct { const char *url; bool plain_ok, good; }
	cases[] = {
		{ "https://login.example/token", false, true },
		{ "https://login.example", false, true },
		{ "http://login.example/token", false, false },
		{ "http://login.example/token", true, true },
		{ "http://127.0.0.1:1/token", false, true },
		{ "ftp://login.example/token", false, false },
		{ "https://me@login.example/token", false, false },
	};
	struct world w = { .reads = 0 };
	struct fetch_options o = { .origin = "https://pi.example",
	    .in_flight = 1, .body_max = 1000, .tries = 1,
	    .auth = FETCH_AUTH_OAUTH2, .secrets = { &w, get_secret },
	    .client_id = "me" };
	struct fetch_authorizer auth;
	struct loop *loop = fake_loop_new(0, 0);
	struct err e;
	size_t i;
	int rc;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		o.token_url = cases[i].url;
		o.plain_http_auth = cases[i].plain_ok;
		e = (struct err)ERR_INIT;
		rc = fetch_auth_new(loop, &o, endpoint_new, &auth, &e);
		assert_int_equal(rc, cases[i].good ? 0 : ERR_CONFIG);
		if (rc == 0)
			auth.free(auth.cookie);
		else
			assert_int_equal(strncmp(e.text, "token endpoint: ",
			    16), 0);
	}
	loop_free(loop);
}

/* --- text that comes back ------------------------------------------------ */

static void
test_hide(void **state)
{
	static const struct { const char *user, *secret, *in, *out; }
	cases[] = {
		{ NULL, "s3cr+t", "<s3cr+t s3cr+ts3cr+t", "<****** "
		    "************" },
		{ NULL, "s3cr+t", "?x=s3cr%2Bt&", "?x=********&" },
		/* base64 of me:s3cr+t, and of a?b~c: in both alphabets */
		{ "me", "s3cr+t", "Basic bWU6czNjcit0!", "Basic ************"
		    "!" },
		{ "a", ">>>?", "YTo-Pj4_ YTo+Pj4/", "******** ********" },
		{ NULL, "abc", "abc", "abc" },
		{ NULL, NULL, "abc", "abc" },
		{ NULL, "longer than the text", "abc", "abc" },
		{ NULL, "whole", "whole", "*****" },
	};
	char text[100];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		snprintf(text, sizeof(text), "%s", cases[i].in);
		fetch_hide(text, strlen(text), cases[i].user,
		    cases[i].secret);
		assert_string_equal(text, cases[i].out);
	}
	/* by its length, not to a NUL */
	snprintf(text, sizeof(text), "secretsecret");
	fetch_hide(text, 6, NULL, "secret");
	assert_string_equal(text, "******secret");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_none),
		cmocka_unit_test(test_read_once),
		cmocka_unit_test(test_changed),
		cmocka_unit_test(test_same),
		cmocka_unit_test(test_same_once_more),
		cmocka_unit_test(test_changed_meanwhile),
		cmocka_unit_test(test_same_for_a_day),
		cmocka_unit_test(test_unreadable),
		cmocka_unit_test(test_bad_token),
		cmocka_unit_test(test_negotiate),
		cmocka_unit_test(test_freed),
		cmocka_unit_test(test_form),
		cmocka_unit_test(test_early),
		cmocka_unit_test(test_late),
		cmocka_unit_test(test_revoked),
		cmocka_unit_test(test_refused_while_renewing),
		cmocka_unit_test(test_bad_answers),
		cmocka_unit_test(test_life),
		cmocka_unit_test(test_endpoint_url),
		cmocka_unit_test(test_hide),
	};

	return (cmocka_run_group_tests(tests, NULL, NULL));
}
