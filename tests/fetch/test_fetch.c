/*
 * The job machine over a scripted transport: what is tried again and what
 * is not, the words of failures, ceilings, rate, priorities, cancelling.
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
#include "fetch/fetch.h"
#include "loop/loop.h"

#define LOG_MAX 600

/* One scripted result; `hold` never ends by itself. */
struct line {
	int rc;
	int status;
	int64_t retry_after_ms;
	const char *body;
	bool hold;
	bool refuse;		/* start() itself fails */
	bool origin_fault;
};

struct script {
	struct loop *loop;
	struct loop_timer *timer;
	const struct line *lines;	/* the last one repeats */
	size_t lines_n;
	size_t at;
	struct fetch_transfer *air[LOG_MAX];
	struct line air_line[LOG_MAX];
	unsigned air_n;
	unsigned air_most;
	unsigned starts;
	unsigned stops;
	bool freed;
	char urls[LOG_MAX][64];
	int64_t at_us[LOG_MAX];
};

static int
script_start(void *cookie, struct fetch_transfer *t)
{
	struct script *s = cookie;
	struct line l = s->lines[s->at];

	if (s->at + 1 < s->lines_n)
		s->at++;
	assert_true(s->starts < LOG_MAX);
	snprintf(s->urls[s->starts], sizeof(s->urls[0]), "%s", t->url);
	s->at_us[s->starts++] = loop_now_us(s->loop);
	if (l.refuse)
		return (ERR_NOMEM);
	s->air_line[s->air_n] = l;
	s->air[s->air_n++] = t;
	if (s->air_n > s->air_most)
		s->air_most = s->air_n;
	loop_timer_set(s->timer, 0);
	return (0);
}

static void
script_drop(struct script *s, unsigned i)
{
	s->air_n--;
	memmove(&s->air[i], &s->air[i + 1],
	    (s->air_n - i) * sizeof(s->air[0]));
	memmove(&s->air_line[i], &s->air_line[i + 1],
	    (s->air_n - i) * sizeof(s->air_line[0]));
}

static void
script_stop(void *cookie, struct fetch_transfer *t)
{
	struct script *s = cookie;
	unsigned i;

	s->stops++;
	for (i = 0; i < s->air_n; i++)
		if (s->air[i] == t)
			break;
	assert_true(i < s->air_n);
	script_drop(s, i);
}

static void
script_turn(void *cookie)
{
	struct script *s = cookie;
	struct fetch_transfer *t;
	struct line l;
	unsigned i = 0;

	while (i < s->air_n) {
		if (s->air_line[i].hold) {
			i++;
			continue;
		}
		t = s->air[i];
		l = s->air_line[i];
		script_drop(s, i);
		t->rc = l.rc;
		t->status = l.status;
		t->retry_after_ms = l.retry_after_ms;
		t->origin_fault = l.origin_fault;
		t->json = true;
		t->wire_bytes = 10;
		if (l.rc != 0)
			snprintf(t->reason, sizeof(t->reason), "it broke");
		if (l.body != NULL)
			buf_puts(&t->in, l.body);
		t->finished(t);
	}
}

static void
script_free(void *cookie)
{
	struct script *s = cookie;

	assert_int_equal(s->air_n, 0);
	loop_timer_free(s->timer);
	s->freed = true;
}

static const struct fetch_options usual = {
	.origin = "https://pi.example", .in_flight = 4, .body_max = 1000,
	.tries = 3, .retry_base_ms = 2, .retry_cap_ms = 20, .seed = 1,
};

struct world {
	struct script script;
	struct loop *loop;
	struct fetch *f;
	/* of the answers */
	unsigned told;
	struct err err;
	int status;
	unsigned tries;
	char body[200];
	size_t len;
	char order[LOG_MAX];
	struct fetch_job *other;	/* to be cancelled in the callback */
	bool free_inside;
	int64_t slow_ms;		/* > 0: a part of it was 429 */
};

static void
world_init(struct world *w, const struct fetch_options *o,
    const struct line *lines, size_t n)
{
	struct fetch_transport on = {
		.cookie = &w->script, .start = script_start,
		.stop = script_stop, .free = script_free,
	};
	struct err e = ERR_INIT;

	memset(w, 0, sizeof(*w));
	w->loop = loop_new(0);
	w->script.loop = w->loop;
	w->script.lines = lines;
	w->script.lines_n = n;
	w->script.timer = loop_timer_new(w->loop, script_turn, &w->script);
	assert_int_equal(fetch_new_on(w->loop, o, &on, NULL, &w->f, &e), 0);
}

static void
world_fini(struct world *w)
{
	fetch_free(w->f);
	assert_true(w->script.freed);
	loop_free(w->loop);
}

static void
on_done(void *cookie, struct fetch_answer *a)
{
	struct world *w = cookie;
	size_t i;

	w->told++;
	w->err = a->err;
	w->status = a->status;
	w->tries = a->tries;
	w->len = a->len;
	assert_non_null(a->body);
	for (i = 0; i < 16; i++)
		assert_int_equal(a->body[a->len + i], 0);
	snprintf(w->body, sizeof(w->body), "%s", a->body);
	a->slow_down = w->slow_ms > 0;
	a->slow_down_ms = w->slow_ms;
	if (w->other != NULL)
		fetch_cancel(w->other);
	w->other = NULL;
	if (w->free_inside) {
		fetch_free(w->f);
		w->f = NULL;
	}
}

static struct fetch_job *
get(struct world *w, const char *target, int priority)
{
	struct fetch_request r = {
		.method = "GET", .target = target, .priority = priority,
	};

	return (fetch_start(w->f, &r, on_done, w));
}

/* --- what is tried again, and the words ---------------------------------- */

static void
test_outcomes(void **state)
{
	static const struct {
		struct line line;
		int code;
		unsigned tries;
		const char *text;
	} cases[] = {
		{ { .status = 200, .body = "{}" }, 0, 1, "" },
		{ { .status = 207, .body = "{}" }, 0, 1, "" },
		{ { .status = 401, .body = "{\"Message\":\"Authorization has "
		    "been denied for this request.\"}" }, ERR_AUTH, 1,
		    "GET /a?b: 401 Unauthorized: Authorization has been "
		    "denied for this request." },
		{ { .status = 403, .body = "" }, ERR_FORBIDDEN, 1,
		    "GET /a?b: 403 Forbidden" },
		{ { .status = 404, .body = "{\"Errors\":[\"PI Point not "
		    "found 'X'.\",\"and more\"]}" }, ERR_NOTFOUND, 1,
		    "GET /a?b: 404 Not Found: PI Point not found 'X'.; "
		    "and more" },
		{ { .status = 404, .body = "<html>\n<TITLE>404 Not Found"
		    "</TITLE>" }, ERR_NOTFOUND, 1,
		    "GET /a?b: 404 Not Found" },
		{ { .status = 400, .body = "<html><head><title>Bad Request -"
		    "\n Invalid URL</title>" }, ERR_REQUEST, 1,
		    "GET /a?b: 400 Bad Request: Bad Request - Invalid URL" },
		{ { .status = 409, .body = "\"no\"" }, ERR_REQUEST, 1,
		    "GET /a?b: 409 Conflict: no" },
		{ { .status = 410 }, ERR_GONE, 1, "GET /a?b: 410 Gone" },
		{ { .status = 302 }, ERR_REQUEST, 1,
		    "GET /a?b: 302 Found: redirects are not followed" },
		{ { .status = 418 }, ERR_REQUEST, 1, "GET /a?b: 418" },
		{ { .status = 501 }, ERR_UNSUPPORTED, 1,
		    "GET /a?b: 501 Not Implemented" },
		{ { .status = 429, .body = "Rate limit was reached" },
		    ERR_RATE, 3, "GET /a?b: 429 Too Many Requests: Rate "
		    "limit was reached (3 tries)" },
		{ { .status = 500, .body = "{\"Errors\":[]}" }, ERR_SERVER, 3,
		    "GET /a?b: 500 Internal Server Error (3 tries)" },
		{ { .status = 503 }, ERR_SERVER, 3,
		    "GET /a?b: 503 Service Unavailable (3 tries)" },
		{ { .status = 599 }, ERR_SERVER, 3,
		    "GET /a?b: 599 (3 tries)" },
		{ { .status = 408 }, ERR_TIMEOUT, 3,
		    "GET /a?b: 408 Request Timeout (3 tries)" },
		{ { .status = 504 }, ERR_TIMEOUT, 3,
		    "GET /a?b: 504 Gateway Timeout (3 tries)" },
		{ { .rc = ERR_CONNECT, .origin_fault = true }, ERR_CONNECT,
		    3, "it broke (3 tries)" },
		{ { .rc = ERR_CONNECT, .status = 200 }, ERR_CONNECT, 3,
		    "GET /a?b: it broke (3 tries)" },
		{ { .rc = ERR_CONNECT, .status = 403 }, ERR_FORBIDDEN, 1,
		    "GET /a?b: 403 Forbidden" },
		{ { .rc = ERR_TLS, .origin_fault = true }, ERR_TLS, 1,
		    "it broke" },
		{ { .rc = ERR_LIMIT, .status = 200 }, ERR_LIMIT, 1,
		    "GET /a?b: it broke" },
		{ { .rc = ERR_ANSWER, .status = 200 }, ERR_ANSWER, 3,
		    "GET /a?b: it broke (3 tries)" },
		{ { .refuse = true }, ERR_NOMEM, 1,
		    "GET /a?b: out of memory" },
	};
	struct fetch_stats st;
	struct world w;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		world_init(&w, &usual, &cases[i].line, 1);
		get(&w, "/a?b", 0);
		assert_int_equal(w.told, 0);
		loop_run(w.loop);
		assert_int_equal(w.told, 1);
		assert_int_equal(w.err.code, cases[i].code);
		assert_string_equal(w.err.text, cases[i].text);
		assert_int_equal(w.tries, cases[i].tries);
		assert_int_equal(w.script.starts, cases[i].tries);
		if (cases[i].line.body != NULL)
			assert_string_equal(w.body, cases[i].line.body);
		fetch_stats(w.f, &st);
		assert_int_equal(st.requests, cases[i].tries);
		assert_int_equal(st.retries, cases[i].tries - 1);
		assert_int_equal(st.failed, cases[i].code != 0);
		assert_int_equal(st.in_flight, 0);
		assert_int_equal(st.queued, 0);
		world_fini(&w);
	}
}

/* 500 about what is asked for: told at once, and no breaker opens. Any other
 * failure is the server's. */
static void
test_about(void **state)
{
	static const struct line lines[] = {
		{ .status = 500, .body = "{}" }, { .status = 502 },
	};
	struct fetch_request r = { .method = "GET", .target = "/",
	    .about = true };
	struct fetch_options o = usual;
	struct pace_state p;
	struct world w;
	unsigned i;

	(void)state;
	o.breaker_failures = 2;
	o.breaker_open_ms = 60000;
	o.give_up_ms = 1;
	for (i = 0; i < 2; i++) {
		world_init(&w, &o, &lines[i], 1);
		do {
			fetch_start(w.f, &r, on_done, &w);
			loop_run(w.loop);
			fetch_pace(w.f, &p);
		} while (i == 0 && w.told < 5);
		assert_int_equal(w.err.code, ERR_SERVER);
		/* two, and the one that tries whether it answers again */
		assert_int_equal(w.tries, i == 0 ? 1 : 3);
		assert_int_equal(p.classes[0], i == 0 ? PACE_CLOSED :
		    PACE_OPEN);
		world_fini(&w);
	}
}

static void
test_second_try_succeeds(void **state)
{
	static const struct line lines[] = {
		{ .status = 503, .body = "old" },
		{ .status = 200, .body = "new" },
	};
	struct world w;

	(void)state;
	world_init(&w, &usual, lines, 2);
	get(&w, "/", 0);
	loop_run(w.loop);
	assert_int_equal(w.err.code, 0);
	assert_int_equal(w.tries, 2);
	assert_string_equal(w.body, "new");
	assert_string_equal(w.script.urls[1], "https://pi.example/");
	world_fini(&w);
}

/* At least what the server wished, never above the cap. */
static void
test_retry_after(void **state)
{
	static const struct {
		int64_t wish_ms, least_ms, most_ms;
	} cases[] = {
		{ -1, 0, 4 }, { 0, 0, 4 }, { -5000, 0, 4 },
		{ 30, 30, 34 }, { 9000000000000000LL, 40, 40 },
		{ INT64_MAX, 40, 40 },
	};
	struct fetch_options o = usual;
	struct line lines[2];
	struct world w;
	int64_t after;
	size_t i;

	(void)state;
	o.retry_base_ms = 4;
	o.retry_cap_ms = 40;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		lines[0] = (struct line){ .status = 429,
		    .retry_after_ms = cases[i].wish_ms };
		lines[1] = (struct line){ .status = 200 };
		world_init(&w, &o, lines, 2);
		get(&w, "/", 0);
		loop_run(w.loop);
		assert_int_equal(w.err.code, 0);
		after = w.script.at_us[1] - w.script.at_us[0];
		assert_true(after >= cases[i].least_ms * 1000 - 1000);
		/* upwards with room for a loaded machine */
		assert_true(after <= cases[i].most_ms * 1000 + 2000000);
		world_fini(&w);
	}
}

/* Of answers that come within others: what they are, and that a 429 among
 * them holds back who comes after. */
static void
test_within(void **state)
{
	static const struct {
		int status;
		const char *body;
		int code;
		const char *text;
	} cases[] = {
		{ 200, "{}", 0, "" },
		{ 207, "", 0, "" },
		{ 404, "{\"Errors\":[\"no point\"]}", ERR_NOTFOUND,
		    "GET /x: 404 Not Found: no point" },
		{ 429, "", ERR_RATE, "GET /x: 429 Too Many Requests" },
		{ 500, "\"oh\"", ERR_SERVER,
		    "GET /x: 500 Internal Server Error: oh" },
		{ 0, "", ERR_ANSWER, NULL },
	};
	const struct line line = { .status = 207 };
	struct fetch_options o = usual;
	struct fetch_answer a;
	struct world w;
	char body[64];
	size_t i;

	(void)state;
	o.in_flight = 1;
	o.retry_cap_ms = 40;
	world_init(&w, &o, &line, 1);
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		snprintf(body, sizeof(body), "%s", cases[i].body);
		a = (struct fetch_answer){ .status = cases[i].status,
			.body = body, .len = strlen(body) };
		fetch_judge(w.f, "/x", &a);
		assert_int_equal(a.err.code, cases[i].code);
		if (cases[i].text != NULL)
			assert_string_equal(a.err.text, cases[i].text);
	}
	w.slow_ms = 30;
	get(&w, "/a", 0);
	get(&w, "/b", 0);
	loop_run(w.loop);
	assert_int_equal(w.told, 2);
	assert_true(w.script.at_us[1] - w.script.at_us[0] >= 29000);
	world_fini(&w);
}

/* Full jitter: delays differ, and stay below the doubling ceiling. */
static void
test_jitter(void **state)
{
	static const struct line down = { .status = 503,
	    .retry_after_ms = -1 };
	struct fetch_options o = usual;
	int64_t first = -1, after, lo = INT64_MAX, hi = 0;
	struct world w;
	uint64_t seed;

	(void)state;
	o.tries = 2;
	o.retry_base_ms = o.retry_cap_ms = 20;
	for (seed = 1; seed <= 12; seed++) {
		o.seed = seed;
		world_init(&w, &o, &down, 1);
		get(&w, "/", 0);
		loop_run(w.loop);
		after = w.script.at_us[1] - w.script.at_us[0];
		lo = after < lo ? after : lo;
		hi = after > hi ? after : hi;
		first = after;
		world_fini(&w);
	}
	assert_true(first >= 0);
	assert_true(lo < 12000);
	assert_true(hi - lo > 3000);
}

/* --- ceilings, rate, order ----------------------------------------------- */

static void
test_in_flight(void **state)
{
	static const struct line ok = { .status = 200 };
	struct world w;
	unsigned i;

	(void)state;
	world_init(&w, &usual, &ok, 1);
	for (i = 0; i < 500; i++)
		get(&w, "/", 0);
	assert_int_equal(w.script.starts, 0);
	loop_run(w.loop);
	assert_int_equal(w.told, 500);
	assert_int_equal(w.script.air_most, 4);
	world_fini(&w);
}

static void
test_priorities(void **state)
{
	static const struct line ok = { .status = 200 };
	static const struct {
		const char *target;
		int priority;
		unsigned place;
	} jobs[] = {
		{ "/5", 9, 5 }, { "/2", 1, 2 }, { "/0", -3, 0 },
		{ "/3", 1, 3 }, { "/1", -3, 1 }, { "/4", 1, 4 },
	};
	struct fetch_options o = usual;
	struct world w;
	unsigned i;

	(void)state;
	o.in_flight = 1;
	world_init(&w, &o, &ok, 1);
	for (i = 0; i < 6; i++)
		get(&w, jobs[i].target, jobs[i].priority);
	loop_run(w.loop);
	for (i = 0; i < 6; i++)
		assert_string_equal(strrchr(w.script.urls[jobs[i].place],
		    '/'), jobs[i].target);
	world_fini(&w);
}

static void
test_rate(void **state)
{
	static const struct line ok = { .status = 200 };
	struct fetch_options o = usual;
	struct world w;
	unsigned i;

	(void)state;
	o.rate = 200;
	o.in_flight = 100;
	world_init(&w, &o, &ok, 1);
	for (i = 0; i < 12; i++)
		get(&w, "/", 0);
	loop_run(w.loop);
	assert_int_equal(w.told, 12);
	/* one at once, then one each 5 ms */
	for (i = 1; i < 12; i++)
		assert_true(w.script.at_us[i] - w.script.at_us[0] >=
		    (int64_t)i * 5000 - 1000);
	world_fini(&w);
}

/* A job that comes while the next token is awaited is not stuck. */
static void
test_rate_then_cancel(void **state)
{
	static const struct line ok = { .status = 200 };
	struct fetch_options o = usual;
	struct fetch_job *second;
	struct world w;

	(void)state;
	o.rate = 0.001;
	world_init(&w, &o, &ok, 1);
	get(&w, "/", 0);
	second = get(&w, "/", 0);
	w.other = second;
	loop_run(w.loop);
	assert_int_equal(w.told, 1);
	assert_int_equal(w.script.starts, 1);
	world_fini(&w);
}

/* --- cancelling ---------------------------------------------------------- */

static void
cancel_now(void *cookie)
{
	struct world *w = cookie;

	fetch_cancel(w->other);
	w->other = NULL;
}

static void
test_cancel_queued(void **state)
{
	static const struct line ok = { .status = 200 };
	struct world w;

	(void)state;
	world_init(&w, &usual, &ok, 1);
	fetch_cancel(get(&w, "/", 0));
	fetch_cancel(NULL);
	loop_run(w.loop);
	assert_int_equal(w.told, 0);
	assert_int_equal(w.script.starts, 0);
	world_fini(&w);
}

static void
test_cancel_receiving(void **state)
{
	static const struct line hold = { .hold = true };
	struct fetch_stats st;
	struct world w;
	struct loop_timer *t;

	(void)state;
	world_init(&w, &usual, &hold, 1);
	w.other = get(&w, "/", 0);
	t = loop_timer_new(w.loop, cancel_now, &w);
	loop_timer_set(t, 2000);
	loop_run(w.loop);
	loop_timer_free(t);
	assert_int_equal(w.script.starts, 1);
	assert_int_equal(w.script.stops, 1);
	assert_int_equal(w.told, 0);
	fetch_stats(w.f, &st);
	assert_int_equal(st.in_flight, 0);
	world_fini(&w);
}

/* Between the end of the transfer and the turn that would tell of it. */
static void
test_cancel_finished(void **state)
{
	static const struct line lines[] = {
		{ .status = 200, .body = "first" },
		{ .status = 200, .body = "second" },
	};
	struct world w;

	(void)state;
	world_init(&w, &usual, lines, 2);
	get(&w, "/1", 0);
	w.other = get(&w, "/2", 0);
	loop_run(w.loop);
	assert_int_equal(w.script.starts, 2);
	assert_int_equal(w.script.stops, 0);
	assert_int_equal(w.told, 1);
	assert_string_equal(w.body, "first");
	world_fini(&w);
}

static void
test_cancel_waiting(void **state)
{
	static const struct line down = { .status = 503,
	    .retry_after_ms = 3600000 };
	struct fetch_options o = usual;
	struct loop_timer *t;
	struct world w;

	(void)state;
	o.retry_cap_ms = 3600000;
	world_init(&w, &o, &down, 1);
	w.other = get(&w, "/", 0);
	t = loop_timer_new(w.loop, cancel_now, &w);
	loop_timer_set(t, 2000);
	loop_run(w.loop);
	loop_timer_free(t);
	assert_int_equal(w.script.starts, 1);
	assert_int_equal(w.told, 0);
	world_fini(&w);
}

/* From inside its own callback: too late, and harmless. */
static void
test_cancel_self(void **state)
{
	static const struct line lines[] = {
		{ .status = 200 }, { .status = 404 },
	};
	struct world w;
	size_t i;

	(void)state;
	for (i = 0; i < 2; i++) {
		world_init(&w, &usual, &lines[i], 1);
		w.other = get(&w, "/", 0);
		loop_run(w.loop);
		assert_int_equal(w.told, 1);
		assert_null(w.other);
		world_fini(&w);
	}
}

static void
test_free_inside(void **state)
{
	static const struct line lines[] = {
		{ .status = 200 }, { .hold = true },
	};
	struct world w;
	int i;

	(void)state;
	world_init(&w, &usual, lines, 2);
	for (i = 0; i < 10; i++)
		get(&w, "/", i);
	w.free_inside = true;
	loop_run(w.loop);
	assert_int_equal(w.told, 1);
	assert_null(w.f);
	assert_true(w.script.freed);
	loop_free(w.loop);
}

static void
test_free_with_jobs(void **state)
{
	static const struct line hold = { .hold = true };
	struct loop_timer *t;
	struct world w;
	int i;

	(void)state;
	world_init(&w, &usual, &hold, 1);
	for (i = 0; i < 10; i++)
		get(&w, "/", i);
	t = loop_timer_new(w.loop, cancel_now, &w);
	loop_timer_set(t, 2000);
	loop_run(w.loop);
	loop_timer_free(t);
	assert_int_equal(w.script.air_n, 4);
	world_fini(&w);
	assert_int_equal(w.told, 0);
	assert_int_equal(w.script.stops, 4);
}

/* --- what is refused at the door ----------------------------------------- */

static int
never(void *cookie, char **value, struct err *e)
{
	(void)cookie;
	(void)value;
	return (err_set(e, ERR_INTERNAL, "not asked for here"));
}

static void
test_origins(void **state)
{
	static const struct {
		const char *origin;
		const char *user;
		bool plain_ok;
		bool good;
	} cases[] = {
		{ "https://pi.example", "u", false, true },
		{ "HTTPS://pi.example:8443", "u", false, true },
		{ "http://pi.example", NULL, false, true },
		{ "http://pi.example", "u", false, false },
		{ "http://pi.example", "u", true, true },
		{ "http://127.0.0.1:80", "u", false, true },
		{ "http://localhost:1", "u", false, true },
		{ "http://[::1]:1", "u", false, true },
		{ "http://127.example.com", "u", false, false },
		{ "http://localhost.example.com", "u", false, false },
		{ "http://127.0.0.1.example.com", "u", false, false },
		{ "ftp://pi.example", NULL, false, false },
		{ "file:///etc/passwd", NULL, false, false },
		{ "pi.example", NULL, false, false },
		{ "https://", NULL, false, false },
		{ "https://:80", NULL, false, false },
		{ "https://pi.example/", NULL, false, false },
		{ "https://u:p@pi.example", NULL, false, false },
		{ "https://pi.example?x", NULL, false, false },
		{ "https://pi example", NULL, false, false },
		{ NULL, NULL, false, false },
	};
	struct fetch_options o = usual;
	struct err e = ERR_INIT;
	struct loop *loop;
	struct fetch *f;
	size_t i;
	int rc;

	(void)state;
	loop = loop_new(0);
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		o.origin = cases[i].origin;
		o.auth = cases[i].user != NULL ? FETCH_AUTH_BASIC :
		    FETCH_AUTH_NONE;
		o.secrets.get = never;
		o.plain_http_auth = cases[i].plain_ok;
		rc = fetch_new(loop, &o, &f, &e);
		assert_int_equal(rc, cases[i].good ? 0 : ERR_CONFIG);
		assert_int_equal(f != NULL, cases[i].good);
		fetch_free(f);
	}
	loop_free(loop);
}

static void
test_targets(void **state)
{
	static const char *const bad[] = {
		"", "x", "//a b", "/a\r\nX: y", "/a#b", "@evil.example/",
	};
	static const struct line ok = { .status = 200 };
	struct world w;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		world_init(&w, &usual, &ok, 1);
		get(&w, bad[i], 0);
		loop_run(w.loop);
		assert_int_equal(w.told, 1);
		assert_int_equal(w.err.code, ERR_REQUEST);
		assert_int_equal(w.script.starts, 0);
		assert_null(strchr(w.err.text, '\n'));
		world_fini(&w);
	}
}

static void
test_server_text(void **state)
{
	static const struct {
		const char *body, *text;
	} cases[] = {
		{ "", "" },
		{ "{", "" },
		{ "{}", "" },
		{ "[]", "" },
		{ "{\"Errors\":\"one\"}", "one" },
		{ "{\"Errors\":[1,\"a\",{},\"b\",\"c\",\"d\"]}", "a; b; c" },
		{ "{\"Message\":\"m\",\"MessageDetail\":\"d\"}", "m" },
		{ "{\"error\":\"invalid_client\"}", "invalid_client" },
		{ "\xef\xbb\xbf\"bom\"", "bom" },
		{ "  \"a\\n\\n b \"", "a b" },
		{ "<html><title>", "" },
		{ "<p>no title</p>", "" },
		{ "<title lang=en> A\n B </title>", "A B" },
		{ "plain words\r\n", "plain words" },
		{ "it's a \"b\"\x1b[2J", "it's a \"b\"\\x1b[2J" },
	};
	struct buf out;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		buf_init(&out, 4096);
		fetch_server_text(cases[i].body, strlen(cases[i].body), &out);
		assert_string_equal(buf_str(&out), cases[i].text);
		buf_fini(&out);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_server_text),
		cmocka_unit_test(test_outcomes),
		cmocka_unit_test(test_about),
		cmocka_unit_test(test_second_try_succeeds),
		cmocka_unit_test(test_retry_after),
		cmocka_unit_test(test_within),
		cmocka_unit_test(test_jitter),
		cmocka_unit_test(test_in_flight),
		cmocka_unit_test(test_priorities),
		cmocka_unit_test(test_rate),
		cmocka_unit_test(test_rate_then_cancel),
		cmocka_unit_test(test_cancel_queued),
		cmocka_unit_test(test_cancel_receiving),
		cmocka_unit_test(test_cancel_finished),
		cmocka_unit_test(test_cancel_waiting),
		cmocka_unit_test(test_cancel_self),
		cmocka_unit_test(test_free_inside),
		cmocka_unit_test(test_free_with_jobs),
		cmocka_unit_test(test_origins),
		cmocka_unit_test(test_targets),
	};

	return (cmocka_run_group_tests(tests, NULL, NULL));
}
