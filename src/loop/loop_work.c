/*
 * Workers: closed tasks, in order within a lane.
 *
 * A lane is a list of tasks and is in one of three places: idle, in the
 * queue of ready lanes, or with the worker that runs its first task. So a
 * lane is served by one worker at a time, and its tasks end in order. Ended
 * tasks go to a list that the loop's thread empties when the descriptor
 * wakes it; the descriptor is watched only while tasks are out, so that it
 * does not keep the loop from ending. Without workers a zero timer runs one
 * task a turn.
 *
 * What is still queued when the pool is freed is dropped, neither `work`
 * nor `done` being called.
 */

#include "config.h"

#include <errno.h>
#include <event2/event.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/must.h"
#include "loop/loop.h"
#include "loop/loop_int.h"

#define LANES 64

struct loop_task {
	struct loop_task *next;
	loop_fn *work;
	loop_fn *done;
	void *cookie;
	unsigned lane;
};

struct task_list {
	struct loop_task *head;
	struct loop_task **tail;
};

/*
 * Under the mutex: lanes, ready, ended, quit. Invariants:
 * 1. a lane with tasks is in `ready` once, or busy; 2. an empty lane is not
 * in `ready`.
 */
struct loop_pool {
	struct loop *loop;
	unsigned workers;
	unsigned pending;		/* loop's thread only */
	pthread_t *threads;
	pthread_mutex_t mutex;
	pthread_cond_t wake;
	struct task_list lane[LANES];
	bool busy[LANES];
	uint8_t ready[LANES];		/* ring of lane numbers */
	unsigned ready_first;
	unsigned ready_n;
	struct task_list ended;
	bool quit;
	int fd;				/* eventfd, or -1 without workers */
	struct event *ev;		/* of fd; a zero timer without */
};

static void
list_init(struct task_list *l)
{
	l->head = NULL;
	l->tail = &l->head;
}

static void
list_put(struct task_list *l, struct loop_task *t)
{
	t->next = NULL;
	*l->tail = t;
	l->tail = &t->next;
}

static struct loop_task *
list_take(struct task_list *l)
{
	struct loop_task *t = l->head;

	if (t == NULL)
		return (NULL);
	l->head = t->next;
	if (l->head == NULL)
		l->tail = &l->head;
	return (t);
}

static void
lane_ready(struct loop_pool *p, unsigned lane)
{
	MUST(p->ready_n < LANES);
	p->ready[(p->ready_first + p->ready_n) % LANES] = (uint8_t)lane;
	p->ready_n++;
}

static void
pool_put(struct loop_pool *p, struct loop_task *t)
{
	struct task_list *l = &p->lane[t->lane];

	if (l->head == NULL && !p->busy[t->lane])
		lane_ready(p, t->lane);
	list_put(l, t);
}

static struct loop_task *
pool_take(struct loop_pool *p)
{
	unsigned lane;

	if (p->ready_n == 0)
		return (NULL);
	lane = p->ready[p->ready_first];
	p->ready_first = (p->ready_first + 1) % LANES;
	p->ready_n--;
	p->busy[lane] = true;
	return (list_take(&p->lane[lane]));
}

static void
pool_ended(struct loop_pool *p, struct loop_task *t)
{
	p->busy[t->lane] = false;
	if (p->lane[t->lane].head != NULL)
		lane_ready(p, t->lane);
	list_put(&p->ended, t);
}

static void
notify(int fd)
{
	uint64_t one = 1;

	while (write(fd, &one, sizeof(one)) == -1 && errno == EINTR)
		continue;
}

static void *
worker(void *cookie)
{
	struct loop_pool *p = cookie;
	struct loop_task *t;

	pthread_mutex_lock(&p->mutex);
	while (!p->quit) {
		if ((t = pool_take(p)) == NULL) {
			pthread_cond_wait(&p->wake, &p->mutex);
			continue;
		}
		pthread_mutex_unlock(&p->mutex);
		t->work(t->cookie);
		pthread_mutex_lock(&p->mutex);
		pool_ended(p, t);
		if (p->ready_n != 0)
			pthread_cond_signal(&p->wake);
		/* Whom it wakes wants the mutex, and may have our core. */
		pthread_mutex_unlock(&p->mutex);
		notify(p->fd);
		pthread_mutex_lock(&p->mutex);
	}
	pthread_mutex_unlock(&p->mutex);
	return (NULL);
}

static void
finish(struct loop_pool *p, struct loop_task *t)
{
	int64_t entered = loop_enter(p->loop);

	MUST(t != NULL);
	p->pending--;
	if (t->done != NULL)
		t->done(t->cookie);
	loop_leave(p->loop, entered);
	free(t);
}

/* The workers have ended something. */
static void
pool_wakeup(evutil_socket_t fd, short what, void *cookie)
{
	struct loop_pool *p = cookie;
	struct loop_task *t;
	uint64_t count;

	(void)what;
	while (read(fd, &count, sizeof(count)) == -1 && errno == EINTR)
		continue;
	while (!p->loop->stopping) {
		pthread_mutex_lock(&p->mutex);
		t = list_take(&p->ended);
		pthread_mutex_unlock(&p->mutex);
		if (t == NULL)
			break;
		finish(p, t);
	}
	if (p->pending == 0)
		event_del(p->ev);
	else if (p->loop->stopping)
		notify(p->fd);	/* the rest, when the loop runs again */
}

/* No workers: one task a turn, so that sockets are served in between. */
static void
pool_inline(evutil_socket_t fd, short what, void *cookie)
{
	static const struct timeval at_once;
	struct loop_pool *p = cookie;
	struct loop_task *t = pool_take(p);
	int64_t entered;

	(void)fd;
	(void)what;
	MUST(t != NULL);
	entered = loop_enter(p->loop);
	t->work(t->cookie);
	loop_leave(p->loop, entered);
	pool_ended(p, t);
	finish(p, list_take(&p->ended));
	if (p->pending != 0)
		MUST_MEMORY(event_add(p->ev, &at_once) == 0);
}

void
loop_work(struct loop *loop, unsigned lane, loop_fn *work, loop_fn *done,
    void *cookie)
{
	static const struct timeval at_once;
	struct loop_pool *p = loop->pool;
	struct loop_task *t = must_calloc(1, sizeof(*t));

	MAGIC_CHECK(loop, LOOP_MAGIC);
	MUST(lane < LANES);
	t->work = work;
	t->done = done;
	t->cookie = cookie;
	t->lane = lane;
	if (p->pending++ == 0)
		MUST_MEMORY(event_add(p->ev, p->workers == 0 ? &at_once :
		    NULL) == 0);
	pthread_mutex_lock(&p->mutex);
	pool_put(p, t);
	pthread_mutex_unlock(&p->mutex);
	pthread_cond_signal(&p->wake);
}

unsigned
loop_work_pending(const struct loop *loop)
{
	return (loop->pool->pending);
}

/* Signals are the loop's business: the workers take none. */
static void
start_threads(struct loop_pool *p)
{
	sigset_t all, before;

	p->threads = must_calloc(p->workers, sizeof(*p->threads));
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	for (unsigned i = 0; i < p->workers; i++)
		MUST_MEMORY(pthread_create(&p->threads[i], NULL, worker,
		    p) == 0);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
}

struct loop_pool *
loop_pool_new(struct loop *loop, unsigned workers)
{
	struct loop_pool *p = must_calloc(1, sizeof(*p));

	p->loop = loop;
	p->workers = workers;
	pthread_mutex_init(&p->mutex, NULL);
	pthread_cond_init(&p->wake, NULL);
	for (unsigned i = 0; i < LANES; i++)
		list_init(&p->lane[i]);
	list_init(&p->ended);
	p->fd = -1;
	if (workers == 0) {
		p->ev = event_new(loop->base, -1, 0, pool_inline, p);
		MUST_MEMORY(p->ev != NULL);
		return (p);
	}
	p->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	MUST(p->fd != -1);
	p->ev = event_new(loop->base, p->fd, EV_READ | EV_PERSIST,
	    pool_wakeup, p);
	MUST_MEMORY(p->ev != NULL);
	start_threads(p);
	return (p);
}

static void
list_free(struct task_list *l)
{
	struct loop_task *t;

	while ((t = list_take(l)) != NULL)
		free(t);
}

void
loop_pool_free(struct loop_pool *p)
{
	pthread_mutex_lock(&p->mutex);
	p->quit = true;
	pthread_cond_broadcast(&p->wake);
	pthread_mutex_unlock(&p->mutex);
	for (unsigned i = 0; i < p->workers; i++)
		pthread_join(p->threads[i], NULL);
	for (unsigned i = 0; i < LANES; i++)
		list_free(&p->lane[i]);
	list_free(&p->ended);
	event_free(p->ev);
	if (p->fd != -1)
		close(p->fd);
	pthread_cond_destroy(&p->wake);
	pthread_mutex_destroy(&p->mutex);
	free(p->threads);
	free(p);
}
