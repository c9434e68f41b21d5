/*
 * The event loop on libevent.
 *
 * Each handle is one libevent event and a callback of ours with its cookie;
 * the libevent callback finds the handle, notes the time, calls, and notes
 * how long that took. Nothing of the handle is touched after the call, so
 * it may be freed in it. Deferred calls are a list behind one zero timer:
 * activating an event directly would run it in the same turn and let a
 * chain of deferrals starve the sockets.
 *
 * A turn: what libevent has (sockets, timers, signals), then the timers that
 * were set to 0, each once. So what an answer sets off, such as the next
 * request on its connection, comes before the next wait, and the change list
 * makes nothing of an interest that was dropped and taken up in between.
 * Either part ends when it has lasted TURN_US; what is left keeps its place.
 *
 * Out of memory stops the program. An event that libevent refuses (a closed
 * descriptor) is a mistake of ours.
 */

#include "config.h"

#include <event2/event.h>
#include <stdlib.h>
#include <time.h>

#include "base/must.h"
#include "loop/loop.h"
#include "loop/loop_int.h"

#define TURN_US 5000

struct loop_io {
	struct loop *loop;
	struct event *ev;
	loop_io_fn *fn;
	void *cookie;
	int fd;
	int what;
};

struct loop_timer {
	struct loop *loop;
	struct event *ev;
	TAILQ_ENTRY(loop_timer) link;
	struct timer_list *list;	/* due or next of the loop, or NULL */
	uint64_t turn;			/* in which it ran as one of those */
	loop_fn *fn;
	void *cookie;
};

struct loop_signal {
	struct loop *loop;
	struct event *ev;
	loop_fn *fn;
	void *cookie;
};

struct loop_defer {
	struct loop_defer *next;
	loop_fn *fn;
	void *cookie;
};

static void defer_run(evutil_socket_t, short, void *);

static int64_t
mono_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ((int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000);
}

static struct event *
event_make(struct loop *loop, evutil_socket_t fd, short what,
    event_callback_fn fn, void *cookie)
{
	struct event *ev;

	MAGIC_CHECK(loop, LOOP_MAGIC);
	ev = event_new(loop->base, fd, what, fn, cookie);
	MUST_MEMORY(ev != NULL);
	return (ev);
}

struct loop *
loop_new(unsigned workers)
{
	struct loop *loop = must_calloc(1, sizeof(*loop));
	struct event_config *conf = event_config_new();

	MUST_MEMORY(conf != NULL);
	event_config_set_flag(conf, EVENT_BASE_FLAG_EPOLL_USE_CHANGELIST);
	/* All use is from one thread: workers only write to a descriptor. */
	event_config_set_flag(conf, EVENT_BASE_FLAG_NOLOCK);
	loop->magic = LOOP_MAGIC;
	loop->base = event_base_new_with_config(conf);
	event_config_free(conf);
	MUST_MEMORY(loop->base != NULL);
	TAILQ_INIT(&loop->due);
	TAILQ_INIT(&loop->next);
	loop->turn = 1;
	loop->defer_ev = event_make(loop, -1, 0, defer_run, loop);
	loop->defer_tail = &loop->defer_head;
	loop->pool = loop_pool_new(loop, workers);
	return (loop);
}

void
loop_free(struct loop *loop)
{
	struct loop_defer *d;

	if (loop == NULL)
		return;
	MAGIC_CHECK(loop, LOOP_MAGIC);
	MUST(!loop->running);
	loop_pool_free(loop->pool);
	while ((d = loop->defer_head) != NULL) {
		loop->defer_head = d->next;
		free(d);
	}
	event_free(loop->defer_ev);
	event_base_free(loop->base);
	loop->magic = 0;
	free(loop);
}

struct event_base *
loop_event_base(struct loop *loop)
{
	MAGIC_CHECK(loop, LOOP_MAGIC);
	return (loop->base);
}

int64_t
loop_held_us(const struct loop *loop, double q)
{
	return ((int64_t)hist_quantile(&loop->held_us, q));
}

int64_t
loop_enter(struct loop *loop)
{
	loop->in_callback++;
	loop->now_us = mono_us();
	if (loop->held_from_us == 0)
		loop->held_from_us = loop->now_us;
	return (loop->now_us);
}

void
loop_leave(struct loop *loop, int64_t entered_us)
{
	int64_t now = mono_us();

	loop->in_callback--;
	loop->left_us = now;
	if (now - entered_us > loop->stall_max_us)
		loop->stall_max_us = now - entered_us;
	if (now - loop->held_from_us > TURN_US)
		event_base_loopbreak(loop->base);
}

static void
call(struct loop *loop, loop_fn *fn, void *cookie)
{
	int64_t t = loop_enter(loop);

	fn(cookie);
	loop_leave(loop, t);
}

static void
timer_unlist(struct loop_timer *timer)
{
	if (timer->list != NULL)
		TAILQ_REMOVE(timer->list, timer, link);
	timer->list = NULL;
}

static bool
timers_due(const struct loop *loop)
{
	return (!TAILQ_EMPTY(&loop->due) || !TAILQ_EMPTY(&loop->next));
}

/* False when nothing is pending any more. */
static bool
loop_turn(struct loop *loop)
{
	int flags = EVLOOP_ONCE | (timers_due(loop) ? EVLOOP_NONBLOCK : 0);
	struct loop_timer *timer;
	bool busy = event_base_loop(loop->base, flags) == 0;
	int64_t from = mono_us();

	TAILQ_FOREACH(timer, &loop->next, link)
		timer->list = &loop->due;
	TAILQ_CONCAT(&loop->due, &loop->next, link);
	loop->turn++;
	loop->left_us = from;
	while ((timer = TAILQ_FIRST(&loop->due)) != NULL && !loop->stopping &&
	    loop->left_us - from < TURN_US) {
		timer_unlist(timer);
		timer->turn = loop->turn;
		call(loop, timer->fn, timer->cookie);
		busy = true;
	}
	if (loop->held_from_us != 0)
		hist_add(&loop->held_us,
		    (uint64_t)(mono_us() - loop->held_from_us));
	loop->held_from_us = 0;
	return (busy || timers_due(loop));
}

void
loop_run(struct loop *loop)
{
	MAGIC_CHECK(loop, LOOP_MAGIC);
	MUST(!loop->running);
	loop->running = true;
	/* A stop before the start is honoured as well. */
	while (!loop->stopping && loop_turn(loop))
		;
	loop->stopping = false;
	loop->running = false;
}

void
loop_stop(struct loop *loop)
{
	MAGIC_CHECK(loop, LOOP_MAGIC);
	loop->stopping = true;
	event_base_loopbreak(loop->base);
}

int64_t
loop_now_us(struct loop *loop)
{
	MAGIC_CHECK(loop, LOOP_MAGIC);
	return (loop->in_callback != 0 ? loop->now_us : mono_us());
}

int64_t
loop_unix_s(const struct loop *loop)
{
	MAGIC_CHECK(loop, LOOP_MAGIC);
	return ((int64_t)time(NULL));
}

int64_t
loop_stall_max_us(const struct loop *loop)
{
	return (loop->stall_max_us);
}

/* --- sockets -------------------------------------------------------------- */

static void
io_ready(evutil_socket_t fd, short what, void *cookie)
{
	struct loop_io *io = cookie;
	struct loop *loop = io->loop;
	int64_t t = loop_enter(loop);

	io->fn(io->cookie, (int)fd,
	    ((what & EV_READ) != 0 ? LOOP_READ : 0) |
	    ((what & EV_WRITE) != 0 ? LOOP_WRITE : 0));
	loop_leave(loop, t);
}

struct loop_io *
loop_io_new(struct loop *loop, int fd, int what, loop_io_fn *fn, void *cookie)
{
	struct loop_io *io = must_calloc(1, sizeof(*io));

	io->loop = loop;
	io->fn = fn;
	io->cookie = cookie;
	io->fd = fd;
	io->ev = event_make(loop, fd, EV_PERSIST, io_ready, io);
	loop_io_set(io, what);
	return (io);
}

void
loop_io_set(struct loop_io *io, int what)
{
	short ev = EV_PERSIST;

	if (what == io->what)
		return;
	if ((what & LOOP_READ) != 0)
		ev |= EV_READ;
	if ((what & LOOP_WRITE) != 0)
		ev |= EV_WRITE;
	event_del(io->ev);
	event_assign(io->ev, io->loop->base, io->fd, ev, io_ready, io);
	if (what != 0)
		MUST_MEMORY(event_add(io->ev, NULL) == 0);
	io->what = what;
}

void
loop_io_free(struct loop_io *io)
{
	if (io == NULL)
		return;
	event_free(io->ev);
	free(io);
}

/* --- timers --------------------------------------------------------------- */

static void
timer_ready(evutil_socket_t fd, short what, void *cookie)
{
	struct loop_timer *timer = cookie;

	(void)fd;
	(void)what;
	call(timer->loop, timer->fn, timer->cookie);
}

struct loop_timer *
loop_timer_new(struct loop *loop, loop_fn *fn, void *cookie)
{
	struct loop_timer *timer = must_calloc(1, sizeof(*timer));

	timer->loop = loop;
	timer->fn = fn;
	timer->cookie = cookie;
	timer->ev = event_make(loop, -1, 0, timer_ready, timer);
	return (timer);
}

void
loop_timer_set(struct loop_timer *timer, int64_t after_us)
{
	struct loop *loop = timer->loop;
	struct timeval tv;

	timer_unlist(timer);
	if (after_us <= 0) {
		event_del(timer->ev);
		timer->list = timer->turn == loop->turn ? &loop->next :
		    &loop->due;
		TAILQ_INSERT_TAIL(timer->list, timer, link);
		return;
	}
	tv.tv_sec = (time_t)(after_us / 1000000);
	tv.tv_usec = (suseconds_t)(after_us % 1000000);
	MUST_MEMORY(event_add(timer->ev, &tv) == 0);
}

void
loop_timer_clear(struct loop_timer *timer)
{
	timer_unlist(timer);
	event_del(timer->ev);
}

bool
loop_timer_pending(const struct loop_timer *timer)
{
	return (timer->list != NULL ||
	    event_pending(timer->ev, EV_TIMEOUT, NULL) != 0);
}

void
loop_timer_free(struct loop_timer *timer)
{
	if (timer == NULL)
		return;
	timer_unlist(timer);
	event_free(timer->ev);
	free(timer);
}

/* --- deferred calls ------------------------------------------------------- */

void
loop_defer(struct loop *loop, loop_fn *fn, void *cookie)
{
	static const struct timeval at_once;
	struct loop_defer *d = must_calloc(1, sizeof(*d));

	MAGIC_CHECK(loop, LOOP_MAGIC);
	d->fn = fn;
	d->cookie = cookie;
	if (loop->defer_head == NULL)
		MUST_MEMORY(event_add(loop->defer_ev, &at_once) == 0);
	*loop->defer_tail = d;
	loop->defer_tail = &d->next;
}

/* Those deferred while this runs wait for the next turn; those that a stop
 * leaves behind go back to the front of the queue. */
static void
defer_run(evutil_socket_t fd, short what, void *cookie)
{
	static const struct timeval at_once;
	struct loop *loop = cookie;
	struct loop_defer *d, *list = loop->defer_head;
	struct loop_defer **tail = loop->defer_tail;

	(void)fd;
	(void)what;
	loop->defer_head = NULL;
	loop->defer_tail = &loop->defer_head;
	while ((d = list) != NULL && !loop->stopping) {
		list = d->next;
		call(loop, d->fn, d->cookie);
		free(d);
	}
	if (list == NULL)
		return;
	*tail = loop->defer_head;
	if (loop->defer_head == NULL)
		loop->defer_tail = tail;
	loop->defer_head = list;
	MUST_MEMORY(event_add(loop->defer_ev, &at_once) == 0);
}

/* --- signals -------------------------------------------------------------- */

static void
signal_ready(evutil_socket_t fd, short what, void *cookie)
{
	struct loop_signal *sig = cookie;

	(void)fd;
	(void)what;
	call(sig->loop, sig->fn, sig->cookie);
}

struct loop_signal *
loop_signal_new(struct loop *loop, int signo, loop_fn *fn, void *cookie)
{
	struct loop_signal *sig = must_calloc(1, sizeof(*sig));

	sig->loop = loop;
	sig->fn = fn;
	sig->cookie = cookie;
	sig->ev = event_make(loop, signo, EV_SIGNAL | EV_PERSIST,
	    signal_ready, sig);
	MUST_MEMORY(event_add(sig->ev, NULL) == 0);
	return (sig);
}

void
loop_signal_free(struct loop_signal *sig)
{
	if (sig == NULL)
		return;
	event_free(sig->ev);
	free(sig);
}
