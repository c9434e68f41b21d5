/* A loop of timers only, in virtual time: see fake_loop.h. */
#include "config.h"

#include <stdlib.h>
#include <sys/queue.h>

#include "base/must.h"
#include "fake_loop.h"
#include "loop/loop.h"

struct loop_timer {
	TAILQ_ENTRY(loop_timer) link;	/* while set */
	struct loop *loop;
	loop_fn *fn;
	void *cookie;
	int64_t at_us;
	bool set;
};

TAILQ_HEAD(timers, loop_timer);

struct loop {
	struct timers timers;		/* by time, then order of setting */
	int64_t now_us;
	int64_t began_us;
	int64_t unix_s;
	unsigned tasks;			/* whose end was not told yet */
	bool stopped;
};

struct loop *
fake_loop_new(int64_t now_us, int64_t unix_s)
{
	struct loop *l = must_calloc(1, sizeof(*l));

	TAILQ_INIT(&l->timers);
	l->now_us = l->began_us = now_us;
	l->unix_s = unix_s;
	return (l);
}

void
loop_free(struct loop *l)
{

	MUST(TAILQ_EMPTY(&l->timers));
	free(l);
}

bool
fake_loop_step(struct loop *l, int64_t until_us)
{
	struct loop_timer *t = TAILQ_FIRST(&l->timers);

	if (t == NULL || t->at_us > until_us) {
		if (until_us > l->now_us)
			l->now_us = until_us;
		return (false);
	}
	if (t->at_us > l->now_us)
		l->now_us = t->at_us;
	loop_timer_clear(t);
	t->fn(t->cookie);
	return (true);
}

void
loop_run(struct loop *l)
{

	while (!l->stopped && fake_loop_step(l, INT64_MAX / 2))
		continue;
	l->stopped = false;
}

void
loop_stop(struct loop *l)
{

	l->stopped = true;
}

int64_t
loop_now_us(struct loop *l)
{

	return (l->now_us);
}

int64_t
loop_unix_s(const struct loop *l)
{

	return (l->unix_s + (l->now_us - l->began_us) / 1000000);
}

struct loop_timer *
loop_timer_new(struct loop *l, loop_fn *fn, void *cookie)
{
	struct loop_timer *t = must_calloc(1, sizeof(*t));

	t->loop = l;
	t->fn = fn;
	t->cookie = cookie;
	return (t);
}

void
loop_timer_clear(struct loop_timer *t)
{

	if (t->set)
		TAILQ_REMOVE(&t->loop->timers, t, link);
	t->set = false;
}

void
loop_timer_set(struct loop_timer *t, int64_t after_us)
{
	struct loop_timer *x;

	MUST(after_us >= 0);
	loop_timer_clear(t);
	t->at_us = t->loop->now_us + after_us;
	t->set = true;
	TAILQ_FOREACH_REVERSE(x, &t->loop->timers, timers, link)
		if (x->at_us <= t->at_us)
			break;
	if (x == NULL)
		TAILQ_INSERT_HEAD(&t->loop->timers, t, link);
	else
		TAILQ_INSERT_AFTER(&t->loop->timers, x, t, link);
}

bool
loop_timer_pending(const struct loop_timer *t)
{

	return (t->set);
}

void
loop_timer_free(struct loop_timer *t)
{

	if (t == NULL)
		return;
	loop_timer_clear(t);
	free(t);
}

/* --- calls and tasks, on a later turn ------------------------------------ */

struct later {
	struct loop_timer *timer;
	struct loop *loop;
	bool task;
	loop_fn *work, *done;
	void *cookie;
};

static void
later_run(void *cookie)
{
	struct later l = *(struct later *)cookie;

	loop_timer_free(l.timer);
	free(cookie);
	l.work(l.cookie);
	l.loop->tasks -= l.task;
	if (l.done != NULL)
		l.done(l.cookie);
}

static void
later(struct loop *loop, bool task, loop_fn *work, loop_fn *done,
    void *cookie)
{
	struct later *l = must_calloc(1, sizeof(*l));

	*l = (struct later){ .loop = loop, .task = task, .work = work,
	    .done = done, .cookie = cookie };
	loop->tasks += task;
	l->timer = loop_timer_new(loop, later_run, l);
	loop_timer_set(l->timer, 1000);
}

void
loop_work(struct loop *loop, unsigned lane, loop_fn *work, loop_fn *done,
    void *cookie)
{

	(void)lane;
	later(loop, true, work, done, cookie);
}

unsigned
loop_work_pending(const struct loop *loop)
{

	return (loop->tasks);
}

void
loop_defer(struct loop *loop, loop_fn *fn, void *cookie)
{

	later(loop, false, fn, NULL, cookie);
}
