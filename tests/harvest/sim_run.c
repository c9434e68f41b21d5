/*
 * A seed: cycles of discover and harvest, as they would be run by the hour,
 * each on its own engine, ledger and journals as they were left. Some run
 * into faults, are stopped, or killed: those run in a child that leaves at
 * once, in the middle of a callback or of a write. The last cycle meets no
 * faults but broken streams.
 */

#include "config.h"

#include <sys/wait.h>

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "base/must.h"
#include "compact/compact.h"
#include "fake_loop.h"
#include "fetch/fetch.h"
#include "harvest/harvest.h"
#include "ledger/ledger.h"
#include "loop/loop.h"
#include "sim.h"
#include "source/source.h"
#include "sys/sys.h"
#include "verify/verify.h"

#define SOURCE "plant"
#define SECOND INT64_C(1000000)
#define EXIT_BROKEN 1

struct plan {			/* of a cycle */
	bool last, kills, stops, discovers;
	int64_t kill_us, stop_us;
	uint64_t kill_calls;
	unsigned fault_rate;
	struct harvest_range range;
};

struct run {
	struct sim sim;
	struct sys sys;
	const struct source *source;
	const struct source_table *walks[3], *series[2], *all[4];
	struct harvest_options opt;
	struct fetch_options fopt;
	struct compact_options copt;
	struct ledger *ledger;
};

void
sim_broken(const struct sim *s, const char *file, int line, const char *fmt,
    ...)
{
	struct sim_shared *x = s->x;
	const char *base = strrchr(file, '/');
	size_t n;
	va_list ap;

	n = (size_t)snprintf(x->failure, sizeof(x->failure), "%s:%d: ",
	    base != NULL ? base + 1 : file, line);
	va_start(ap, fmt);
	vsnprintf(x->failure + n, sizeof(x->failure) - n, fmt, ap);
	va_end(ap);
	_exit(EXIT_BROKEN);
}

/* --- options -------------------------------------------------------------- */

/* Streams that are answered by 500 open the breaker before it is known that
 * others are answered, and where it is open for longer than a request may be
 * held the run ends with it. */
static bool
any_500(const struct sim *s)
{
	uint32_t i;

	for (i = 0; i < s->n; i++)
		if (s->s[i].there && s->s[i].broken_from != SIM_NEVER &&
		    s->s[i].how == SIM_REFUSED && s->s[i].status == 500)
			return (true);
	return (false);
}

/* A run that may read nothing at all ends so. */
static bool
all_forbidden(const struct sim *s, uint32_t group)
{
	const struct sim_stream *st;
	uint32_t i;

	for (i = 0; i < s->n; i++) {
		st = &s->s[i];
		if (!st->there || st->id == 0 || st->gone || st->refused ||
		    st->listed_to <= sim_server_now(s) || (group != 0 &&
		    group != 1 + (st->id - 1) / s->group_size))
			continue;
		if (st->broken_from == SIM_NEVER ||
		    st->how != SIM_REFUSED || st->status != 403)
			return (false);
	}
	return (true);
}

static void
make_options(struct run *r)
{
	struct sim *s = &r->sim;
	struct rng *g = &s->rng;
	struct harvest_options *o = &r->opt;

	*o = (struct harvest_options){ .data_dir = s->dir,
	    .source_name = SOURCE, .base = "/piwebapi", .reread = s->reread };
	o->group_size = (uint32_t)sim_between(g, 1, 6);
	o->target_items = (uint32_t)(sim_chance(g, 50) ?
	    sim_between(g, 1, 30) : sim_between(g, 30, 3000));
	o->page_items = sim_chance(g, 30) ? (uint32_t)sim_between(g, 1, 7) : 0;
	o->item_cap = sim_chance(g, 60) ? 150000 :
	    (uint32_t)sim_between(g, 10, 300);
	o->url_max = (uint32_t)sim_between(g, 600, 4000);
	o->window_max = s->span / sim_between(g, 1, 50) + TICKS_PER_S +
	    (s->begin - s->from) / 50;
	o->commit_rows = (uint32_t)sim_between(g, 1, 300);
	o->block_rows = sim_chance(g, 50) ? (uint32_t)sim_between(g, 1, 60) :
	    0;
	o->commit_every_us = sim_between(g, 1, 50) * SECOND / 10;
	o->memory = (size_t)sim_between(g, 20000, 3000000);
	o->tries = (unsigned)sim_between(g, 1, 3);
	if (sim_has(s, SIM_FORMS) && sim_chance(g, 50))
		o->forms = (unsigned)sim_between(g, 1, 7);
	s->group_size = o->group_size;
	s->cap_ours = o->item_cap < s->cap ? o->item_cap : s->cap;
	r->fopt = (struct fetch_options){ .origin = "https://pi.example",
	    .in_flight = (unsigned)sim_between(g, 1, 16),
	    .adaptive = sim_chance(g, 50), .body_max = 1 << 20,
	    .tries = (unsigned)sim_between(g, 1, 4),
	    .retry_base_ms = sim_between(g, 1, 1000),
	    .retry_cap_ms = sim_between(g, 1000, 10000),
	    .breaker_failures = (unsigned)rng_below(g, 8),
	    .breaker_ratio = 0.5, .breaker_open_ms = 500,
	    .breaker_open_max_ms = 8000,
	    .give_up_ms = sim_between(g, 1000, 30000),
	    .retry_share = 0.2, .retry_rate = 1, .seed = s->seed };
	r->copt = (struct compact_options){ .data_dir = s->dir,
	    .source = SOURCE, .zstd_level = 1, .ties_all = s->ties_all,
	    .memory = sim_chance(g, 30) ? 1 : 4 << 20,
	    .file_rows = sim_chance(g, 30) ? 20 : 100000 };
}

/* --- a cycle -------------------------------------------------------------- */

/* The function that takes the place of fetch's has no other way to know. */
static struct sim *the_sim;

int __wrap_fetch_new(struct loop *, const struct fetch_options *,
    struct fetch **, struct err *);

/* In the place of the one with libcurl: see Makefile.inc. */
int
__wrap_fetch_new(struct loop *loop, const struct fetch_options *o,
    struct fetch **out, struct err *e)
{
	struct fetch_transport on;

	sim_transport(the_sim, &on);
	return (fetch_new_on(loop, o, &on, NULL, out, e));
}

static void
on_kill(void *cookie)
{

	(void)cookie;
	_exit(SIM_EXIT_KILLED);
}

static void
on_stop(void *cookie)
{

	harvest_stop(cookie);
}

static void
open_ledger(struct run *r)
{
	struct err e = ERR_INIT;
	char path[300];

	snprintf(path, sizeof(path), "%s/ledger", r->sim.dir);
	SIM_CHECK(&r->sim, ledger_open(path, false, &r->ledger, &e) == 0,
	    "%s", e.text);
}

static void
failures(struct run *r, const struct harvest *h, struct sim_cycle *c)
{
	struct sim *s = &r->sim;
	struct harvest_failure f;
	uint32_t k;
	size_t i;

	for (i = 0; harvest_failure(h, i, &f) == 1; i++) {
		if (f.code == 0) {
			c->nties++;
			sim_oracle_tie(s, c, f.stream, f.text);
			continue;
		}
		for (k = 0; k < s->n && strcmp(s->s[k].name, f.stream) != 0;)
			k++;
		SIM_CHECK(s, k < s->n, "set aside: %s: %s", f.stream, f.text);
		SIM_CHECK(s, !s->s[k].failed, "%s is named twice", f.stream);
		s->s[k].failed = true;
		s->x->aside++;
	}
}

/* Run to its end in this process, unless a child is killed in it. */
static void
cycle_go(struct run *r, const struct plan *p, struct sim_cycle *c)
{
	struct loop_timer *kill, *stop;
	struct harvest_stats stats;
	struct sim *s = &r->sim;
	struct err e = ERR_INIT;
	struct harvest *h;
	int rc = 0;

	s->loop = fake_loop_new(s->x->now_us,
	    (s->unix_zero + s->x->now_us * TICKS_PER_US) / TICKS_PER_S);
	open_ledger(r);
	SIM_CHECK(s, harvest_new(&r->sys, s->loop, &r->fopt, r->source,
	    r->ledger, &r->opt, &h, &e) == 0, "%s", e.text);
	kill = loop_timer_new(s->loop, on_kill, NULL);
	stop = loop_timer_new(s->loop, on_stop, h);
	if (p->kills && p->kill_calls == 0)
		loop_timer_set(kill, p->kill_us);
	s->calls_left = p->kills ? p->kill_calls : 0;
	if (p->stops)
		loop_timer_set(stop, p->stop_us);
	if (p->discovers)
		rc = harvest_discover(h, r->walks, &e);
	if (rc == 0)
		rc = harvest_run(h, r->series, &p->range, &e);
	if (rc == ERR_FORBIDDEN)
		SIM_CHECK(s, all_forbidden(s, p->range.group), "%s", e.text);
	SIM_CHECK(s, rc == 0 || !p->last || rc == ERR_FORBIDDEN,
	    "the last cycle failed: %s", e.text);
	SIM_CHECK(s, rc == 0 || e.text[0] != '\0', "an error without words");
	s->x->now_us = loop_now_us(s->loop);
	c->whole = rc == 0 && !harvest_stopped(h);
	c->ended = sim_server_now(s);
	s->x->ended += rc != 0;
	harvest_get_stats(h, &stats);
	s->x->unchanged += stats.unchanged;
	if (rc != 0 && s->knobs.verbose)
		printf("ended: %s\n", e.text);
	failures(r, h, c);
	loop_timer_free(kill);
	loop_timer_free(stop);
	harvest_free(h);
	ledger_close(r->ledger);
	while (fake_loop_step(s->loop, INT64_MAX / 2))
		continue;
	loop_free(s->loop);
	s->loop = NULL;
}

/* In a child of which nothing is left but its files. */
static void
in_child(struct run *r, void (*fn)(struct run *, const struct plan *,
    struct sim_cycle *), const struct plan *p, struct sim_cycle *c)
{
	int status;
	pid_t pid;

	if ((pid = fork()) == 0) {
		fn(r, p, c);
		_exit(SIM_EXIT_KILLED);
	}
	SIM_CHECK(&r->sim, pid > 0 && waitpid(pid, &status, 0) == pid,
	    "no child");
	if (WIFEXITED(status) && WEXITSTATUS(status) == EXIT_BROKEN)
		_exit(EXIT_BROKEN);
	SIM_CHECK(&r->sim, WIFEXITED(status) &&
	    WEXITSTATUS(status) == SIM_EXIT_KILLED, "a child ended with %#x",
	    (unsigned)status);
	r->sim.x->killed++;
}

/* For HARVEST_VERBOSE. */
static void
tell_cycle(const struct sim *s, const struct plan *p,
    const struct sim_cycle *c)
{
	char a[TICKS_TEXT_MAX], b[TICKS_TEXT_MAX], t[TICKS_TEXT_MAX];
	const struct sim_stream *st;
	uint32_t i;
	size_t k;

	printf("cycle %s - %s, to %s, tail %.3f s:%s%s%s%s, faults %u\n",
	    ticks_text7(c->began, a), ticks_text7(c->ended, b),
	    ticks_text7(c->to, t), (double)s->reread / TICKS_PER_S,
	    c->whole ? " whole" : "", p->kills ? " killed" : "",
	    p->stops ? " stopped" : "", p->discovers ? " discover" : "",
	    p->fault_rate);
	for (i = 0; i < s->n; i++) {
		st = &s->s[i];
		printf("  %s%s:", st->name, st->failed ? " set aside" : "");
		for (k = 0; k < st->after.n; k++)
			printf(" %s..%s", ticks_text7(st->after.r[k].a, a),
			    ticks_text7(st->after.r[k].b, b));
		printf("\n");
	}
	fflush(stdout);
}

static void
cycle(struct run *r, const struct plan *p)
{
	struct sim *s = &r->sim;
	struct sim_cycle c = { 0 };
	uint32_t i;

	s->x->cycles++;
	s->x->stopped += p->stops;
	s->fault_rate = p->fault_rate;
	s->x->to = TICKS_NONE;
	c.began = s->unix_zero + s->x->now_us * TICKS_PER_US;
	c.from = p->range.from;
	c.group = p->range.group;
	c.reread = p->range.reread;
	s->x->reread += c.reread;
	c.calm = p->fault_rate == 0;
	c.discovers = p->discovers;
	for (i = 0; i < s->n; i++)
		s->s[i].failed = false;
	open_ledger(r);
	sim_read_ledger(s, r->ledger, r->series[0], false);
	ledger_close(r->ledger);
	if (p->kills)
		in_child(r, cycle_go, p, &c);
	else
		cycle_go(r, p, &c);
	s->calls_left = 0;
	c.ended = s->unix_zero + s->x->now_us * TICKS_PER_US;
	c.to = s->x->to;
	if (c.to > p->range.to)
		c.to = p->range.to;
	open_ledger(r);
	sim_read_ledger(s, r->ledger, r->series[0], true);
	ledger_close(r->ledger);
	if (s->knobs.verbose)
		tell_cycle(s, p, &c);
	sim_oracle_cycle(s, &c);
}

static void
compact_go(struct run *r, const struct plan *p, struct sim_cycle *c)
{
	struct compact_result result;
	struct err e = ERR_INIT;

	(void)c;
	open_ledger(r);
	r->sim.calls_left = p->kills ? p->kill_calls : 0;
	SIM_CHECK(&r->sim, compact_table(&r->sys, r->ledger, r->series[0],
	    &r->copt, &result, &e) == 0, "%s", e.text);
	ledger_close(r->ledger);
	r->sim.x->rows += result.rows_read;
}

/* --- what is stored ------------------------------------------------------- */

static void
on_finding(void *cookie, const struct verify_finding *f)
{

	if (f->severity == VERIFY_ERROR)
		sim_broken(cookie, __FILE__, __LINE__, "verify: %s %s %s: %s",
		    f->kind, f->at.path != NULL ? f->at.path : "",
		    f->at.stream != NULL ? f->at.stream : "", f->text);
}

static void
on_action(void *cookie, const struct verify_action *a)
{

	(void)cookie;
	(void)a;
}

static void
on_progress(void *cookie, uint64_t done, uint64_t all)
{

	(void)cookie;
	(void)done;
	(void)all;
}

static void
verification(struct run *r)
{
	struct verify_options o = { .data_dir = r->sim.dir,
	    .source = SOURCE, .ties_all = r->sim.ties_all,
	    .finding = on_finding,
	    .progress = on_progress, .cookie = &r->sim };
	struct verify_result result;
	struct err e = ERR_INIT;

	open_ledger(r);
	SIM_CHECK(&r->sim, verify_run(&r->sys, r->ledger, r->all, &o,
	    &result, &e) == 0, "%s", e.text);
	ledger_close(r->ledger);
}

/* The ledger is lost. From the journals it is made again, and covers what it
 * did; what was written and never got into it may be more. */
static void
rebuild(struct run *r)
{
	struct verify_repair_options o = { .data_dir = r->sim.dir,
	    .reread = r->sim.reread,
	    .source = SOURCE, .apply = true, .action = on_action };
	struct sim *s = &r->sim;
	struct err e = ERR_INIT;
	char path[300];
	uint32_t i;
	size_t k;

	snprintf(path, sizeof(path), "%s/ledger", s->dir);
	SIM_CHECK(s, sys_remove_tree(path, &e) == 0, "%s", e.text);
	SIM_CHECK(s, verify_rebuild_ledger(&r->sys, r->all, &o, NULL,
	    &e) == 0, "%s", e.text);
	for (i = 0; i < s->n; i++)
		ranges_clear(&s->s[i].before);
	open_ledger(r);
	sim_read_ledger(s, r->ledger, r->series[0], false);
	ledger_close(r->ledger);
	for (i = 0; i < s->n; i++)
		for (k = 0; k < s->s[i].after.n; k++)
			SIM_CHECK(s, ranges_contains(&s->s[i].before,
			    s->s[i].after.r[k].a, s->s[i].after.r[k].b),
			    "%s: coverage is not in the journals",
			    s->s[i].name);
	s->x->rebuilt++;
}

/* --- a seed --------------------------------------------------------------- */

/* Now and then only a part: a backfill, a group. */
static void
make_range(struct run *r, struct plan *p)
{
	struct sim *s = &r->sim;
	struct rng *g = &s->rng;
	uint32_t number = 1 + (uint32_t)rng_below(g, 3);
	int64_t from, to;
	bool some, group, reread;

	p->range = (struct harvest_range){ .from = s->from, .to = SIM_NEVER };
	from = s->begin + (int64_t)rng_below(g, (uint64_t)s->span);
	to = from + 1 + (int64_t)rng_below(g, (uint64_t)s->span);
	some = sim_chance(g, 20);
	group = sim_chance(g, 15);
	reread = sim_chance(g, 20);
	p->range.reread = reread && sim_has(s, SIM_REREADS);
	if (p->last || !sim_has(s, SIM_RANGES))
		return;
	if (some) {
		p->range.from = from;
		p->range.to = to;
	}
	if (group)
		p->range.group = number;
}

static void
make_plan(struct run *r, struct plan *p, bool last)
{
	static const unsigned rates[] = { 0, 0, 20, 100, 300, 600 };
	struct sim *s = &r->sim;
	struct rng *g = &s->rng;
	unsigned how = (unsigned)rng_below(g, 100);
	bool kills, stops, calls;

	memset(p, 0, sizeof(*p));
	kills = how < 30;
	stops = how >= 30 && how < 42;
	calls = sim_chance(g, 60);
	p->kill_us = (int64_t)1 << rng_below(g, 25);
	p->stop_us = (int64_t)1 << rng_below(g, 25);
	p->kill_calls = 1 + rng_below(g, sim_chance(g, 50) ? 30 : 400);
	if (!calls)
		p->kill_calls = 0;
	p->fault_rate = rates[rng_below(g, 6)];
	p->discovers = sim_chance(g, 30);
	p->kills = kills && !last && sim_has(s, SIM_KILLS);
	p->stops = stops && !last && sim_has(s, SIM_STOPS);
	p->last = last;
	if (last || !sim_has(s, SIM_FAULTS))
		p->fault_rate = 0;
	make_range(r, p);
}

/* To that time of the server, and perhaps with another clock of ours. */
static void
pass_time(struct run *r, int64_t at)
{
	struct sim *s = &r->sim;
	int64_t us = (at - s->unix_zero) / TICKS_PER_US, skew;

	if (us > s->x->now_us)
		s->x->now_us = us;
	else
		s->x->now_us += SECOND;
	skew = sim_between(&s->rng, -s->span, s->span);
	if (sim_chance(&s->rng, 40) && sim_has(s, SIM_CLOCKS))
		s->skew = skew;
}

static bool
known(struct run *r)
{
	uint32_t i;

	for (i = 0; i < r->sim.n; i++)
		if (r->sim.s[i].id != 0)
			return (true);
	return (false);
}

static void
compaction(struct run *r, bool last)
{
	struct plan p = { .kills = sim_chance(&r->sim.rng, 25),
	    .kill_calls = 1 + rng_below(&r->sim.rng, 80) };

	r->copt.rebuild = sim_chance(&r->sim.rng, 10);
	if (p.kills && !last && sim_has(&r->sim, SIM_KILLS)) {
		in_child(r, compact_go, &p, NULL);
		return;
	}
	p.kills = false;
	compact_go(r, &p, NULL);
	sim_read_silver(&r->sim, r->sim.dir, SOURCE, r->series[0]);
}

static void
cycles(struct run *r)
{
	struct sim *s = &r->sim;
	struct plan p;
	uint32_t i;
	bool last;

	for (i = 0; i < s->ncycles; i++) {
		last = i + 1 == s->ncycles;
		pass_time(r, s->cycle_at[i]);
		if (last && any_500(s))
			r->fopt.breaker_failures = 0;
		make_plan(r, &p, last);
		if (!known(r) || last)
			p.discovers = true;
		if (!last && !sim_has(s, SIM_CYCLES))
			continue;
		cycle(r, &p);
		if (sim_chance(&s->rng, 40) || last)
			compaction(r, last);
	}
}

void
sim_run(uint64_t seed, const struct sim_knobs *knobs, struct sim_shared *x,
    const struct source *source, const char *dir)
{
	struct run *r = must_calloc(1, sizeof(*r));
	struct sim *s = &r->sim;

	x->seed = s->seed = seed;
	x->now_us = 0;
	x->nfaults = 0;
	rng_init(&x->faults, hash_mix(seed + 1));
	rng_init(&x->latency, hash_mix(seed + 2));
	rng_init(&x->random, hash_mix(seed + 3));
	s->knobs = *knobs;
	s->x = x;
	s->dir = dir;
	the_sim = s;
	r->source = source;
	r->walks[0] = source_table_find(source, "pi_dataservers");
	r->walks[1] = source_table_find(source, "pi_points");
	r->series[0] = source_table_find(source, "pi_timeseries");
	r->all[0] = r->walks[0];
	r->all[1] = r->walks[1];
	r->all[2] = r->series[0];
	sim_sys(s, &r->sys);
	sim_world_init(s);
	make_options(r);
	cycles(r);
	verification(r);
	if (sim_chance(&s->rng, 30) && sim_has(s, SIM_REBUILDS)) {
		rebuild(r);
		verification(r);
	}
	sim_world_fini(s);
	free(r);
}
