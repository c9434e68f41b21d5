/*
 * The whole engine in a simulation: harvest, sched, source, fetch's jobs,
 * journal, ledger and compact on a virtual clock, in front of a PI server in
 * memory whose truth is known (sim.h). A seed makes streams, events, limits,
 * faults, cycles, stops and kills. After each cycle the coverage is as it
 * must be and the streams set aside are those that are broken; silver holds
 * exactly what the server had to say, the newest value of each key. All that
 * is stored is verified, and a ledger that is lost is made again from it.
 *
 * Deleted events: with the policy `append` they stay in silver if they were
 * read; so it is modelled.
 *
 *	HARVEST_SEEDS=n		so many seeds (default SEEDS)
 *	HARVEST_SEED=n		that one alone
 *	HARVEST_WITHOUT=a,b	without features (faults, kills, late, ...)
 *	HARVEST_STREAMS=mask	only these streams
 *	HARVEST_FAULTS=n	at most so many faults
 *	HARVEST_VERBOSE=1	tell each cycle
 *
 * A failing seed is printed and made smaller: features, streams and faults
 * are taken away while it still fails.
 */

#include "config.h"

#include <sys/mman.h>
#include <sys/wait.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/err.h"
#include "base/msg.h"
#include "sim.h"
#include "source/source.h"
#include "sys/sys.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SEEDS 500
#else
#define SEEDS 2000
#endif
/* A seed that takes longer (seconds) hangs. */
#define PATIENCE_S 120

static const char *const features[SIM_FEATURES] = {
	"faults", "kills", "stops", "late", "edits", "deletes", "ties",
	"broken", "limits", "total", "clocks", "cycles", "odd",
	"points", "rebuilds", "leads", "ranges",
	"rereads", "all", "batches", "forms",
};

struct bench {
	struct sim_shared *x;
	struct source *source;
	char dir[200];
	char was[200];			/* how it failed at first */
};

/* --- running in a child --------------------------------------------------- */

static void
seeds_run(struct bench *b, uint64_t from, uint64_t to,
    const struct sim_knobs *k)
{
	char dir[220];
	uint64_t seed;

	for (seed = from; seed <= to; seed++) {
		alarm(PATIENCE_S);
		snprintf(dir, sizeof(dir), "%s/d", b->dir);
		(void)sys_remove_tree(dir, NULL);
		(void)sys_posix()->mkdir(NULL, dir, 0777);
		sim_run(seed, k, b->x, b->source, dir);
	}
}

/* False when one failed: x tells which, and what. */
static bool
seeds_try(struct bench *b, uint64_t from, uint64_t to,
    const struct sim_knobs *k)
{
	int status = 0;
	pid_t pid;

	b->x->failure[0] = '\0';
	fflush(NULL);
	if ((pid = fork()) == 0) {
		seeds_run(b, from, to, k);
		source_free(b->source);
		exit(0);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		fail_msg("no child");
	if (status != 0 && b->x->failure[0] == '\0')
		snprintf(b->x->failure, sizeof(b->x->failure),
		    "it ended with status %#x", (unsigned)status);
	return (status == 0);
}

/* --- making a failing seed smaller ---------------------------------------- */

/* Fails, and at the same place. */
static bool
still(struct bench *b, uint64_t seed, const struct sim_knobs *k)
{

	return (!seeds_try(b, seed, seed, k) &&
	    strncmp(b->x->failure, b->was, strcspn(b->was, " ")) == 0);
}

static void
shrink(struct bench *b, uint64_t seed, struct sim_knobs *k)
{
	struct sim_knobs x;
	uint32_t i, step;

	for (i = 0; i < SIM_FEATURES; i++) {
		x = *k;
		x.without |= 1u << i;
		if (x.without != k->without && still(b, seed, &x))
			*k = x;
	}
	for (i = 0; i < 24; i++) {
		x = *k;
		x.streams &= ~(1u << i);
		if (still(b, seed, &x))
			*k = x;
	}
	if (k->faults > 1000)
		k->faults = 1000;
	for (step = 512; step > 0; step /= 2) {
		x = *k;
		x.faults -= x.faults < step ? x.faults : step;
		if (x.faults != k->faults && still(b, seed, &x))
			*k = x;
	}
}

static void
tell(struct bench *b, uint64_t seed, const struct sim_knobs *k)
{
	uint32_t i;

	print_error("HARVEST_SEED=%llu HARVEST_STREAMS=%#x HARVEST_FAULTS=%u "
	    "HARVEST_WITHOUT=", (unsigned long long)seed, k->streams,
	    k->faults);
	for (i = 0; i < SIM_FEATURES; i++)
		if (k->without & 1u << i)
			print_error("%s,", features[i]);
	print_error("\n    %s\n", b->x->failure);
}

/* --- the environment ------------------------------------------------------ */

static uint64_t
number(const char *name, uint64_t otherwise)
{
	const char *s = getenv(name);

	return (s != NULL ? strtoull(s, NULL, 0) : otherwise);
}

static void
knobs_init(struct sim_knobs *k)
{
	const char *s = getenv("HARVEST_WITHOUT");
	uint32_t i;

	k->streams = (uint32_t)number("HARVEST_STREAMS", UINT32_MAX);
	k->faults = (uint32_t)number("HARVEST_FAULTS", UINT32_MAX);
	k->without = 0;
	k->verbose = number("HARVEST_VERBOSE", 0) != 0;
	for (i = 0; s != NULL && i < SIM_FEATURES; i++)
		if (strstr(s, features[i]) != NULL)
			k->without |= 1u << i;
}

static void
bench_init(struct bench *b)
{
	const char *top = getenv("srcdir"), *tmp = getenv("TMPDIR");
	struct err e = ERR_INIT;
	char path[1024];

	snprintf(path, sizeof(path), "%s/conf/connectors/pi.yaml",
	    top != NULL ? top : ".");
	if (source_load(path, &b->source, &e) != 0)
		fail_msg("%s", e.text);
	snprintf(b->dir, sizeof(b->dir), "/dev/shm/garner-sim-XXXXXX");
	if (mkdtemp(b->dir) == NULL) {
		snprintf(b->dir, sizeof(b->dir), "%s/garner-sim-XXXXXX",
		    tmp != NULL && strlen(tmp) < 100 ? tmp : "/tmp");
		assert_non_null(mkdtemp(b->dir));
	}
	b->x = mmap(NULL, sizeof(*b->x), PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_true(b->x != MAP_FAILED);
}

static void
bench_fini(struct bench *b)
{
	struct err e = ERR_INIT;

	(void)munmap(b->x, sizeof(*b->x));
	source_free(b->source);
	assert_int_equal(sys_remove_tree(b->dir, &e), 0);
}

/* --- what all runs together came upon, to see that they did --------------- */

static void
totals(const struct sim_shared *x, uint64_t n)
{
	uint32_t i;

	print_message("%llu seeds: %llu cycles (%llu killed, %llu stopped, "
	    "%llu ended by an error), %llu requests, %llu rows, %llu times "
	    "too full, %llu streams set aside, %llu ledgers made again, "
	    "%llu cycles read all again, %llu rows unchanged\nforms: %llu "
	    "streams alone, %llu sets, %llu batches of %llu\nfaults:",
	    (unsigned long long)n, (unsigned long long)x->cycles,
	    (unsigned long long)x->killed, (unsigned long long)x->stopped,
	    (unsigned long long)x->ended, (unsigned long long)x->requests,
	    (unsigned long long)x->rows, (unsigned long long)x->ties,
	    (unsigned long long)x->aside, (unsigned long long)x->rebuilt,
	    (unsigned long long)x->reread, (unsigned long long)x->unchanged,
	    (unsigned long long)x->asked_one, (unsigned long long)x->asked_set,
	    (unsigned long long)x->asked_batch,
	    (unsigned long long)x->asked_parts);
	for (i = 1; i < SIM_FAULT_KINDS; i++)
		print_message(" %s %llu", sim_fault_names[i],
		    (unsigned long long)x->by_fault[i]);
	print_message("\n");
	for (i = 1; i < SIM_FAULT_KINDS && n >= 500; i++)
		assert_true(x->by_fault[i] > 0);
	assert_true(n < 500 || (x->killed > 0 && x->stopped > 0 &&
	    x->ended > 0 && x->ties > 0 && x->aside > 0 &&
	    x->rebuilt > 0 && x->reread > 0 && x->unchanged > 0 &&
	    x->asked_set > 0 && x->asked_parts > 2 * x->asked_batch));
}

static void
seeds(void **state)
{
	uint64_t one = number("HARVEST_SEED", 0), from, to, bad;
	uint64_t n = number("HARVEST_SEEDS", SEEDS);
	struct sim_knobs k;
	struct bench b;
	bool good;

	(void)state;
	bench_init(&b);
	knobs_init(&k);
	from = one != 0 ? one : number("HARVEST_FROM", 1);
	to = one != 0 ? one : from + n - 1;
	good = seeds_try(&b, from, to, &k);
	if (good && one == 0 && k.without == 0)
		totals(b.x, n);
	if (!good) {
		bad = b.x->seed;
		tell(&b, bad, &k);
		(void)snprintf(b.was, sizeof(b.was), "%.199s", b.x->failure);
		if (one == 0) {
			shrink(&b, bad, &k);
			(void)still(&b, bad, &k);
			tell(&b, bad, &k);
		}
	}
	bench_fini(&b);
	assert_true(good);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(seeds),
	};

	msg_setup("sim", MSG_ERROR, MSG_TEXT);
	return (cmocka_run_group_tests(tests, NULL, NULL));
}
