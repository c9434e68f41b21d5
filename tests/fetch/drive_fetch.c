/*
 * Drives several origins at once on one loop, for tests/cli/test_pace.py:
 *
 *	drive_fetch SECONDS ORIGIN[,KEY=N]... ...
 *
 * Keys are fields of struct fetch_options: rate, in_flight, adaptive,
 * breaker, open_ms, timeout_ms, http2; certificates are believed. Each origin
 * has as much to do as it can take. Prints a line of JSON for each: requests,
 * good, failed, limit.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/msg.h"
#include "base/must.h"
#include "base/text.h"
#include "fetch/fetch.h"
#include "loop/loop.h"

#define ORIGINS_MAX 16

struct origin {
	char *url;
	struct fetch_options o;
	struct fetch *f;
	uint64_t good, failed;
	bool stopping;
};

static void feed(struct origin *);

static void
done(void *cookie, struct fetch_answer *a)
{
	struct origin *x = cookie;

	if (a->err.code == 0)
		x->good++;
	else
		x->failed++;
	feed(x);
}

static void
feed(struct origin *x)
{
	const struct fetch_request q = { .method = "GET",
	    .target = "/piwebapi/system" };

	while (!x->stopping && fetch_room(x->f) > 0)
		(void)fetch_start(x->f, &q, done, x);
}

static void
on_time(void *cookie)
{

	loop_stop(cookie);
}

static int
set_key(struct fetch_options *o, const char *key, double v)
{
	static const char *const names[] = { "rate", "in_flight", "adaptive",
	    "breaker", "open_ms", "timeout_ms", "http2", NULL };
	unsigned i = 0;

	while (names[i] != NULL && strcmp(names[i], key) != 0)
		i++;
	switch (i) {
	case 0:
		o->rate = v;
		return (0);
	case 1:
		o->in_flight = (unsigned)v;
		return (0);
	case 2:
		o->adaptive = v != 0;
		return (0);
	case 3:
		o->breaker_failures = (unsigned)v;
		return (0);
	case 4:
		o->breaker_open_ms = o->breaker_open_max_ms = (int64_t)v;
		return (0);
	case 5:
		o->timeout_ms = (int64_t)v;
		return (0);
	case 6:
		o->http2 = v != 0;
		return (0);
	default:
		return (ERR_USAGE);
	}
}

/* "http://host:port,key=n,key=n" */
static int
parse(struct origin *x, char *arg)
{
	char *save = NULL, *word = strtok_r(arg, ",", &save), *eq;
	double v;

	x->url = word;
	x->o = (struct fetch_options){ .origin = word, .in_flight = 32,
	    .tls_unverified = true,
	    .connect_timeout_ms = 2000, .timeout_ms = 5000,
	    .low_speed_ms = 2000, .body_max = 1 << 20, .tries = 2,
	    .retry_base_ms = 50, .retry_cap_ms = 500, .breaker_ratio = 0.5,
	    .breaker_open_ms = 1000, .breaker_open_max_ms = 1000 };
	while ((word = strtok_r(NULL, ",", &save)) != NULL) {
		if ((eq = strchr(word, '=')) == NULL)
			return (ERR_USAGE);
		*eq = '\0';
		if (text_double(eq + 1, 0, 1e9, &v) != 0 ||
		    set_key(&x->o, word, v) != 0)
			return (ERR_USAGE);
	}
	return (0);
}

static void
print(const struct origin *x)
{
	struct fetch_stats s;
	struct pace_state p;

	fetch_stats(x->f, &s);
	fetch_pace(x->f, &p);
	printf("{\"origin\":\"%s\",\"requests\":%llu,\"good\":%llu,"
	    "\"failed\":%llu,\"limit\":%u,\"opened\":%llu}\n", x->url,
	    (unsigned long long)s.requests, (unsigned long long)x->good,
	    (unsigned long long)x->failed, p.limit,
	    (unsigned long long)p.opened);
}

int
main(int argc, char **argv)
{
	struct origin x[ORIGINS_MAX];
	struct loop_timer *end;
	struct loop *loop;
	struct err e = ERR_INIT;
	double seconds;
	int i, n = argc - 2;

	msg_setup("drive_fetch", MSG_ERROR, MSG_TEXT);
	memset(x, 0, sizeof(x));
	if (n < 1 || n > ORIGINS_MAX ||
	    text_double(argv[1], 0.1, 600, &seconds) != 0)
		return (64);
	loop = loop_new(0);
	end = loop_timer_new(loop, on_time, loop);
	for (i = 0; i < n; i++) {
		if (parse(&x[i], argv[i + 2]) != 0 ||
		    fetch_new(loop, &x[i].o, &x[i].f, &e) != 0) {
			fprintf(stderr, "%s: %s\n", argv[i + 2], e.text);
			return (64);
		}
		feed(&x[i]);
	}
	loop_timer_set(end, (int64_t)(seconds * 1e6));
	loop_run(loop);
	for (i = 0; i < n; i++) {
		print(&x[i]);
		x[i].stopping = true;
		fetch_free(x[i].f);
	}
	loop_timer_free(end);
	loop_free(loop);
	return (0);
}
