/*
 * Requests a second through the whole chain: fetch, decode, rows, journal,
 * sync, ledger, with so many requests in flight at one server; or through
 * fetch alone (--target). Started by tests/cli/bench.py, which has a server
 * and a peer, and by tests that count what is left behind.
 *
 *	bench_fetch [--in-flight N] [--seconds S | --requests N]
 *	    [--rounds N] [--workers N] [--tries N]
 *	    (--target TARGET | --connector FILE --dir DIR --streams FILE
 *	     --base PATH --from TIME --to TIME --count N) ORIGIN
 *
 * A file of streams has a WebID a line: one, and each request is for one
 * stream of many; several, and each is for all of them. A round ends with
 * nothing in flight. Prints name and value, tab-separated, a line each.
 */

#include "config.h"

#include <sys/resource.h>

#include <dirent.h>
#include <getopt.h>
#include <malloc.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/must.h"
#include "base/text.h"
#include "base/ticks.h"
#include "bench_store.h"
#include "fetch/fetch.h"
#include "loop/loop.h"
#include "rows/rows.h"
#include "source/source.h"
#include "sys/sys.h"

/* Streams to tell apart when each answer has one. */
#define SINGLES 10000u
#define WEBIDS_MAX (1u << 20)

struct options {
	const char *origin;
	const char *target;
	const char *connector;
	const char *dir;
	const char *streams;
	const char *base;
	int64_t from, to;
	uint64_t count;
	uint64_t in_flight;
	uint64_t seconds;
	uint64_t requests;
	uint64_t rounds;
	uint64_t workers;
	uint64_t tries;
};

struct bench {
	struct options opt;
	struct loop *loop;
	struct fetch *fetch;
	struct loop_timer *over;
	struct source *source;
	const struct source_table *table;
	struct store *store;
	struct source_stream *streams;
	const struct source_stream **all;	/* sets: every stream */
	uint32_t nstreams;
	uint32_t nset;			/* streams of one request */
	uint32_t turn;
	unsigned flying;
	bool stopped;			/* nothing new is asked */
	uint64_t asked;			/* of this round */
	uint64_t answered;
	uint64_t failed;
	uint64_t bytes;
	struct err first_error;
	char *first_target;
};

/* One request in flight. */
struct ask {
	struct bench *b;
	const struct source_stream **streams;
	struct source_page *pages;
	uint32_t first;			/* index of the first stream */
};

static void poke(void *);

static void
check(int rc, const struct err *e)
{

	if (rc == 0)
		return;
	(void)fprintf(stderr, "bench_fetch: %s\n", e->text);
	exit(1);
}

/* --- answers ------------------------------------------------------------- */

static void
fail(struct bench *b, const struct err *e)
{

	b->failed++;
	if (b->first_error.code == 0)
		b->first_error = *e;
}

/* The window of a stream moves on with each answer, as it does for real;
 * the body is always the same. */
static void
keep(struct ask *k, struct fetch_answer *a)
{
	struct bench *b = k->b;
	const struct options *o = &b->opt;
	struct rows *rows = store_rows(b->store);
	int64_t at = o->from + (int64_t)b->answered;
	int rc;

	rc = source_series_decode(b->table, k->streams, b->nset, o->from,
	    o->to, a->body, a->len, rows, k->pages, &a->err);
	for (uint32_t i = 0; i < b->nset && rc == 0; i++) {
		rc = k->pages[i].present ? k->pages[i].code : ERR_ANSWER;
		store_cover(b->store, k->first + i + 1, at, at + 1,
		    k->pages[i].row_n);
	}
	if (rc != 0)
		fail(b, &a->err);
	store_touch(b->store);
}

static void
on_answer(void *cookie, struct fetch_answer *a)
{
	struct ask *k = cookie;
	struct bench *b = k->b;

	b->flying--;
	b->answered++;
	b->bytes += a->len;
	if (a->err.code != 0)
		fail(b, &a->err);
	else if (b->store != NULL)
		keep(k, a);
	free(k->streams);
	free(k->pages);
	free(k);
	poke(b);
}

/* --- requests ------------------------------------------------------------ */

static void
pick_streams(struct ask *k)
{
	struct bench *b = k->b;

	k->streams = must_calloc(b->nset, sizeof(k->streams[0]));
	k->pages = must_calloc(b->nset, sizeof(k->pages[0]));
	k->first = b->nset > 1 ? 0 : b->turn++ % b->nstreams;
	for (uint32_t i = 0; i < b->nset; i++)
		k->streams[i] = &b->streams[k->first + i];
}

static void
ask(struct bench *b)
{
	const struct options *o = &b->opt;
	struct fetch_request q = { .method = "GET" };
	struct ask *k = must_calloc(1, sizeof(*k));
	struct buf target;

	k->b = b;
	b->asked++;
	b->flying++;
	buf_init(&target, 1 << 20);
	if (b->store != NULL) {
		pick_streams(k);
		source_series_target(b->table, o->base, k->streams, b->nset,
		    o->from, o->to, (uint32_t)o->count, &target);
	} else {
		buf_puts(&target, o->target);
	}
	q.target = buf_str(&target);
	if (b->first_target == NULL)
		b->first_target = must_strdup(q.target);
	(void)fetch_start(b->fetch, &q, on_answer, k);
	buf_fini(&target);
}

static void
poke(void *cookie)
{
	struct bench *b = cookie;

	while (!b->stopped && b->flying < b->opt.in_flight &&
	    (b->store == NULL || !store_full(b->store))) {
		if (b->opt.requests > 0 && b->asked >= b->opt.requests)
			b->stopped = true;
		else
			ask(b);
	}
	if (b->stopped && b->flying == 0 &&
	    (b->store == NULL || !store_flush(b->store)))
		loop_stop(b->loop);
}

static void
on_over(void *cookie)
{
	struct bench *b = cookie;

	b->stopped = true;
	poke(b);
}

/* --- what is held -------------------------------------------------------- */

static unsigned
open_fds(void)
{
	DIR *d = opendir("/proc/self/fd");
	unsigned n = 0;

	if (d == NULL)
		return (0);
	while (readdir(d) != NULL)
		n++;
	(void)closedir(d);
	return (n - 3);		/* ., .. and the folder's own */
}

static void
print_round(const struct bench *b, uint64_t round)
{
	struct fetch_stats f;

	fetch_stats(b->fetch, &f);
	(void)printf("round %llu\tfds %u\theap %zu\tfailed %llu\tretries "
	    "%llu\tconnects %llu\n", (unsigned long long)round, open_fds(),
	    mallinfo2().uordblks + mallinfo2().hblkhd,
	    (unsigned long long)b->failed, (unsigned long long)f.retries,
	    (unsigned long long)f.connects);
	(void)fflush(stdout);
}

static void
run_round(struct bench *b)
{

	b->stopped = false;
	b->asked = 0;
	if (b->opt.requests == 0)
		loop_timer_set(b->over, (int64_t)b->opt.seconds * 1000000);
	loop_defer(b->loop, poke, b);
	loop_run(b->loop);
}

static double
us(const struct timeval *t)
{

	return ((double)t->tv_sec * 1e6 + (double)t->tv_usec);
}

static void
print_all(const struct bench *b, double seconds)
{
	struct rusage u;

	(void)getrusage(RUSAGE_SELF, &u);
	(void)printf("target\t%s\n", b->first_target);
	(void)printf("requests\t%llu\n", (unsigned long long)b->answered);
	(void)printf("failed\t%llu\n", (unsigned long long)b->failed);
	(void)printf("seconds\t%.6f\n", seconds);
	(void)printf("requests_per_s\t%.1f\n", (double)b->answered / seconds);
	(void)printf("bytes_per_s\t%.0f\n", (double)b->bytes / seconds);
	if (b->store != NULL) {
		(void)printf("values\t%llu\n",
		    (unsigned long long)store_values(b->store));
		(void)printf("values_per_s\t%.0f\n",
		    (double)store_values(b->store) / seconds);
		(void)printf("commits\t%llu\n",
		    (unsigned long long)store_commits(b->store));
	}
	/* steadier than the rate on a machine that others use as well */
	(void)printf("user_us\t%.2f\n", us(&u.ru_utime) /
	    (double)b->answered);
	(void)printf("system_us\t%.2f\n", us(&u.ru_stime) /
	    (double)b->answered);
	(void)printf("peak_rss_mib\t%.1f\n", (double)u.ru_maxrss / 1024);
	(void)printf("held_p99_ms\t%.3f\n",
	    (double)loop_held_us(b->loop, 0.99) / 1000);
	(void)printf("stall_max_ms\t%.3f\n",
	    (double)loop_stall_max_us(b->loop) / 1000);
	if (b->first_error.code != 0)
		(void)printf("first_error\t%s\n", b->first_error.text);
}

/* --- setting up ---------------------------------------------------------- */

static void
add_stream(struct bench *b, const char *key)
{

	b->streams = must_realloc(b->streams, b->nstreams + 1,
	    sizeof(b->streams[0]));
	b->streams[b->nstreams].key = must_strdup(key);
	b->streams[b->nstreams].name = must_sprintf("UNIT1.FLOW-%06u",
	    b->nstreams);
	b->nstreams++;
}

/* One WebID becomes many: such an answer is matched by its request. */
static void
add_singles(struct bench *b, const char *key)
{
	size_t len = strlen(key);
	char *k;

	MUST(len > 6);
	for (unsigned i = 0; i < SINGLES; i++) {
		k = must_sprintf("%.*s%06u", (int)len - 6, key, i);
		add_stream(b, k);
		free(k);
	}
}

static void
read_streams(struct bench *b)
{
	struct err e = ERR_INIT;
	char *text, *line, *save = NULL;
	size_t n;

	check(sys_read_file(sys_posix(), b->opt.streams, WEBIDS_MAX, &text,
	    &n, &e), &e);
	for (line = strtok_r(text, "\n", &save); line != NULL;
	    line = strtok_r(NULL, "\n", &save))
		add_stream(b, line);
	MUST(b->nstreams > 0);
	b->nset = b->nstreams;
	if (b->nset == 1)
		add_singles(b, b->streams[0].key);
	free(text);
}

static void
open_store(struct bench *b)
{
	struct err e = ERR_INIT;

	check(source_load(b->opt.connector, &b->source, &e), &e);
	b->table = source_table_find(b->source, "pi_timeseries");
	MUST(b->table != NULL);
	read_streams(b);
	check(store_new(b->loop, b->opt.dir, b->table, poke, b, &b->store,
	    &e), &e);
}

static void
open_fetch(struct bench *b)
{
	struct fetch_options f = {
		.origin = b->opt.origin,
		.in_flight = (unsigned)b->opt.in_flight,
		.connect_timeout_ms = 10000, .timeout_ms = 120000,
		.low_speed_ms = 30000, .body_max = 64u << 20,
		.tries = (unsigned)b->opt.tries, .retry_base_ms = 1,
		.retry_cap_ms = 100, .user_agent = "garner/bench",
		.compressed = false, .http2 = true, .seed = 1,
	};
	struct err e = ERR_INIT;

	check(fetch_new(b->loop, &f, &b->fetch, &e), &e);
}

static void
bench_fini(struct bench *b)
{

	store_free(b->store);
	fetch_free(b->fetch);
	loop_timer_free(b->over);
	loop_free(b->loop);
	source_free(b->source);
	for (uint32_t i = 0; i < b->nstreams; i++) {
		free((void *)(uintptr_t)b->streams[i].key);
		free((void *)(uintptr_t)b->streams[i].name);
	}
	free(b->streams);
	free(b->first_target);
}

static void
usage(const char *what)
{

	(void)fprintf(stderr, "bench_fetch: %s; see the head of "
	    "tests/bench/bench_fetch.c\n", what);
	exit(64);
}

enum type { TEXT, NUMBER, TIME };

#define AT(m) offsetof(struct options, m)

static const struct {
	const char *name;
	enum type type;
	size_t at;
} rows_of_options[] = {
	{ "target", TEXT, AT(target) },
	{ "connector", TEXT, AT(connector) },
	{ "dir", TEXT, AT(dir) },
	{ "streams", TEXT, AT(streams) },
	{ "base", TEXT, AT(base) },
	{ "from", TIME, AT(from) },
	{ "to", TIME, AT(to) },
	{ "count", NUMBER, AT(count) },
	{ "in-flight", NUMBER, AT(in_flight) },
	{ "seconds", NUMBER, AT(seconds) },
	{ "requests", NUMBER, AT(requests) },
	{ "rounds", NUMBER, AT(rounds) },
	{ "workers", NUMBER, AT(workers) },
	{ "tries", NUMBER, AT(tries) },
};

#define NOPTIONS (sizeof(rows_of_options) / sizeof(rows_of_options[0]))

static void
set(struct options *o, int i, const char *v)
{
	void *at = (char *)o + rows_of_options[i].at;
	int rc = 0;

	switch (rows_of_options[i].type) {
	case TEXT:
		*(const char **)at = v;
		break;
	case NUMBER:
		rc = text_u64(v, 0, 1000000000, at);
		break;
	case TIME:
		rc = ticks_parse(v, strlen(v), at);
		break;
	}
	if (rc != 0)
		usage(rows_of_options[i].name);
}

static void
parse(struct options *o, int argc, char **argv)
{
	struct option longs[NOPTIONS + 1];
	int i, at = 0;

	memset(longs, 0, sizeof(longs));
	for (size_t n = 0; n < NOPTIONS; n++)
		longs[n] = (struct option){ rows_of_options[n].name,
		    required_argument, NULL, 0 };
	while ((i = getopt_long(argc, argv, "", longs, &at)) != -1) {
		if (i != 0)
			usage("unknown option");
		set(o, at, optarg);
	}
	if (optind + 1 != argc)
		usage("which server?");
	o->origin = argv[optind];
	if (o->target == NULL && (o->connector == NULL || o->dir == NULL ||
	    o->streams == NULL || o->base == NULL))
		usage("what to ask?");
}

int
main(int argc, char **argv)
{
	const struct sys *sys = sys_posix();
	struct bench b = { .opt = { .in_flight = 256, .seconds = 2,
	    .rounds = 1, .workers = 1, .tries = 1 } };
	int64_t began;

	parse(&b.opt, argc, argv);
	b.loop = loop_new((unsigned)b.opt.workers);
	b.over = loop_timer_new(b.loop, on_over, &b);
	open_fetch(&b);
	if (b.opt.target == NULL)
		open_store(&b);
	began = sys->mono_us(sys->cookie);
	for (uint64_t i = 0; i < b.opt.rounds; i++) {
		run_round(&b);
		if (b.opt.rounds > 1)
			print_round(&b, i + 1);
	}
	print_all(&b, (double)(sys->mono_us(sys->cookie) - began) / 1e6);
	bench_fini(&b);
	return (0);
}
