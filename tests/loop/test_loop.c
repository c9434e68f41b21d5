/*
 * The loop: order, freeing in callbacks, stop, stall, tasks and lanes.
 */

#include "config.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "loop/loop.h"

struct note {
	struct loop *loop;
	char text[256];
	int count;
	struct loop_io *io;
	struct loop_timer *timer;
	struct loop_timer *timer_b;
	struct loop_signal *sig;
	int pipe[2];
};

static void
add(struct note *n, const char *word)
{
	size_t len = strlen(n->text);

	assert_true(len + strlen(word) < sizeof(n->text));
	memcpy(n->text + len, word, strlen(word) + 1);
}

static void
note_init(struct note *n, unsigned workers)
{
	memset(n, 0, sizeof(*n));
	n->loop = loop_new(workers);
}

static void
ends_when_nothing_is_pending(void **state)
{
	struct note n;

	(void)state;
	note_init(&n, 2);
	loop_run(n.loop);
	assert_int_equal(loop_work_pending(n.loop), 0);
	loop_free(n.loop);
	loop_free(NULL);
}

/* --- deferred calls ------------------------------------------------------- */

static void
defer_b(void *cookie)
{
	add(cookie, "b");
}

static void
defer_again(void *cookie)
{
	add(cookie, "r");
}

static void
defer_a(void *cookie)
{
	struct note *n = cookie;

	add(n, "a");
	loop_defer(n->loop, defer_again, n);
	add(n, "-");		/* not called from inside the call */
}

static void
defer_keeps_order(void **state)
{
	struct note n;

	(void)state;
	note_init(&n, 0);
	loop_defer(n.loop, defer_a, &n);
	loop_defer(n.loop, defer_b, &n);
	assert_string_equal(n.text, "");
	loop_run(n.loop);
	assert_string_equal(n.text, "a-br");
	loop_free(n.loop);
}

static void
defer_stop(void *cookie)
{
	struct note *n = cookie;

	add(n, "s");
	loop_defer(n->loop, defer_again, n);
	loop_stop(n->loop);
}

static void
stop_keeps_the_rest(void **state)
{
	struct note n;

	(void)state;
	note_init(&n, 0);
	loop_defer(n.loop, defer_stop, &n);
	loop_defer(n.loop, defer_b, &n);
	loop_run(n.loop);
	assert_string_equal(n.text, "s");
	loop_run(n.loop);
	assert_string_equal(n.text, "sbr");
	loop_defer(n.loop, defer_b, &n);
	loop_stop(n.loop);
	loop_run(n.loop);
	assert_string_equal(n.text, "sbr");
	loop_free(n.loop);	/* drops one: the leak checker watches */
}

/* --- timers --------------------------------------------------------------- */

static void
timer_tick(void *cookie)
{
	struct note *n = cookie;

	assert_false(loop_timer_pending(n->timer));
	if (++n->count < 3) {
		loop_timer_set(n->timer, 100);
		return;
	}
	loop_timer_free(n->timer);
	n->timer = NULL;
}

static void
timer_set_and_free_in_callback(void **state)
{
	struct note n;
	struct loop_timer *never;

	(void)state;
	note_init(&n, 0);
	n.timer = loop_timer_new(n.loop, timer_tick, &n);
	never = loop_timer_new(n.loop, timer_tick, &n);
	loop_timer_set(never, 1);
	loop_timer_clear(never);
	assert_false(loop_timer_pending(never));
	loop_timer_set(n.timer, -5);
	assert_true(loop_timer_pending(n.timer));
	loop_run(n.loop);
	assert_int_equal(n.count, 3);
	assert_null(n.timer);
	loop_timer_free(never);
	loop_timer_free(NULL);
	loop_free(n.loop);
}

static void
zero_b(void *cookie)
{
	add(cookie, "b");
}

/* Sets itself again and again, a byte in the pipe meanwhile. */
static void
zero_a(void *cookie)
{
	struct note *n = cookie;

	add(n, "a");
	if (++n->count == 1)
		assert_int_equal(write(n->pipe[0], "x", 1), 1);
	if (n->count < 4)
		loop_timer_set(n->timer, 0);
	if (n->count == 1)
		loop_timer_set(n->timer_b, 0);
}

static void
zero_io(void *cookie, int fd, int what)
{
	struct note *n = cookie;
	char c;

	(void)what;
	assert_int_equal(read(fd, &c, 1), 1);
	add(n, "i");
	loop_timer_set(n->timer_b, 0);
	loop_io_free(n->io);
}

/* At the end of the turn in which it is set; once a turn, so that what sets
 * itself for ever leaves the sockets their turn. */
static void
zero_timers_end_the_turn(void **state)
{
	struct note n;

	(void)state;
	note_init(&n, 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, n.pipe), 0);
	n.io = loop_io_new(n.loop, n.pipe[1], LOOP_READ, zero_io, &n);
	n.timer = loop_timer_new(n.loop, zero_a, &n);
	n.timer_b = loop_timer_new(n.loop, zero_b, &n);
	loop_timer_set(n.timer, 0);
	loop_timer_set(n.timer_b, 0);
	loop_timer_clear(n.timer_b);
	assert_false(loop_timer_pending(n.timer_b));
	loop_run(n.loop);
	assert_string_equal(n.text, "abiabaa");
	loop_timer_set(n.timer, 0);
	loop_timer_set(n.timer, 1000000);	/* moved */
	loop_timer_set(n.timer_b, 0);
	loop_timer_free(n.timer_b);
	loop_timer_free(n.timer);
	loop_run(n.loop);
	assert_string_equal(n.text, "abiabaa");
	close(n.pipe[0]);
	close(n.pipe[1]);
	loop_free(n.loop);
}

static void
timer_hold(void *cookie)
{
	struct note *n = cookie;
	int64_t cached = loop_now_us(n->loop);

	for (volatile int i = 0; i < 3000000; i++)
		continue;
	assert_true(loop_now_us(n->loop) == cached);
	n->count = 1;
}

static void
stall_is_measured(void **state)
{
	struct note n;

	(void)state;
	note_init(&n, 0);
	assert_true(loop_stall_max_us(n.loop) == 0);
	assert_true(loop_held_us(n.loop, 0.99) == 0);
	loop_defer(n.loop, timer_hold, &n);
	loop_run(n.loop);
	assert_int_equal(n.count, 1);
	assert_true(loop_stall_max_us(n.loop) > 0);
	assert_true(loop_held_us(n.loop, 0.99) >= loop_stall_max_us(n.loop));
	assert_true(loop_now_us(n.loop) > 0);
	loop_free(n.loop);
}

/* --- sockets -------------------------------------------------------------- */

static void
io_event(void *cookie, int fd, int what)
{
	struct note *n = cookie;
	char c;

	if ((what & LOOP_WRITE) != 0) {
		add(n, "w");
		loop_io_set(n->io, 0);
		assert_int_equal(write(n->pipe[0], "x", 1), 1);
		loop_io_set(n->io, LOOP_READ);
		return;
	}
	assert_int_equal(what, LOOP_READ);
	assert_int_equal(read(fd, &c, 1), 1);
	add(n, "r");
	loop_io_free(n->io);
	n->io = NULL;
}

static void
io_read_and_write(void **state)
{
	struct note n;

	(void)state;
	note_init(&n, 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, n.pipe), 0);
	n.io = loop_io_new(n.loop, n.pipe[1], LOOP_READ | LOOP_WRITE,
	    io_event, &n);
	loop_run(n.loop);
	assert_string_equal(n.text, "wr");
	assert_null(n.io);
	loop_io_free(NULL);
	close(n.pipe[0]);
	close(n.pipe[1]);
	loop_free(n.loop);
}

/* Each of many sockets that are ready at once holds the loop for 1 ms. */
static void
slow_io(void *cookie, int fd, int what)
{
	struct note *n = cookie;
	int64_t until = loop_now_us(n->loop) + 1000;
	struct timespec t;
	char c;

	(void)what;
	assert_int_equal(read(fd, &c, 1), 1);
	do
		clock_gettime(CLOCK_MONOTONIC, &t);
	while (t.tv_sec * 1000000 + t.tv_nsec / 1000 < until);
	if (n->count++ == 0)
		loop_timer_set(n->timer, 0);
}

static void
slow_timer(void *cookie)
{
	struct note *n = cookie;

	loop_stop(n->loop);
}

static void
turn_is_bounded(void **state)
{
	enum { N = 50 };
	struct loop_io *io[N];
	int fd[N][2];
	struct note n;

	(void)state;
	note_init(&n, 0);
	n.timer = loop_timer_new(n.loop, slow_timer, &n);
	for (int i = 0; i < N; i++) {
		assert_int_equal(pipe(fd[i]), 0);
		assert_int_equal(write(fd[i][1], "x", 1), 1);
		io[i] = loop_io_new(n.loop, fd[i][0], LOOP_READ, slow_io, &n);
	}
	loop_run(n.loop);
	assert_in_range(n.count, 1, N / 2);
	loop_timer_set(n.timer, 200000);
	loop_run(n.loop);
	assert_int_equal(n.count, N);	/* none was forgotten */
	for (int i = 0; i < N; i++) {
		loop_io_free(io[i]);
		close(fd[i][0]);
		close(fd[i][1]);
	}
	loop_timer_free(n.timer);
	loop_free(n.loop);
}

/* --- signals -------------------------------------------------------------- */

static void
on_signal(void *cookie)
{
	struct note *n = cookie;

	add(n, "!");
	loop_signal_free(n->sig);
	n->sig = NULL;
}

static void
raise_it(void *cookie)
{
	(void)cookie;
	raise(SIGUSR1);
}

static void
signal_arrives(void **state)
{
	struct note n;

	(void)state;
	note_init(&n, 1);
	n.sig = loop_signal_new(n.loop, SIGUSR1, on_signal, &n);
	loop_defer(n.loop, raise_it, NULL);
	loop_run(n.loop);
	assert_string_equal(n.text, "!");
	loop_signal_free(NULL);
	loop_free(n.loop);
}

/* --- tasks ---------------------------------------------------------------- */

#define TASKS 300

struct order {
	struct loop *loop;
	struct task {
		struct order *all;
		unsigned lane;
		int serial;
		int worked;
	} task[TASKS];
	int seen[TASKS];
	int n;
	int last[64];
	int again;
};

static void
task_work(void *cookie)
{
	struct task *t = cookie;

	/* Only this lane touches last[lane]: a race is the sanitizer's find. */
	t->worked = t->all->last[t->lane] + 1;
	t->all->last[t->lane] = t->worked;
}

static void
task_done(void *cookie)
{
	struct task *t = cookie;

	assert_int_equal(t->worked, t->serial);
	t->all->seen[t->all->n++] = t->serial;
	if (t->all->again > 0) {
		t->all->again--;
		t->serial = t->all->last[t->lane] = 1000;
		t->serial++;
		loop_work(t->all->loop, t->lane, task_work, task_done, t);
	}
}

static void
run_tasks(unsigned workers, unsigned lanes)
{
	struct order *o = calloc(1, sizeof(*o));
	int per_lane[64] = { 0 };

	assert_non_null(o);
	o->loop = loop_new(workers);
	for (int i = 0; i < TASKS; i++) {
		o->task[i].all = o;
		o->task[i].lane = (unsigned)i % lanes;
		o->task[i].serial = ++per_lane[o->task[i].lane];
		loop_work(o->loop, o->task[i].lane, task_work, task_done,
		    &o->task[i]);
	}
	assert_int_equal(o->n, 0);
	assert_int_equal(loop_work_pending(o->loop), TASKS);
	loop_run(o->loop);
	assert_int_equal(o->n, TASKS);
	assert_int_equal(loop_work_pending(o->loop), 0);
	o->again = 1;
	o->n = 0;
	o->task[0].serial = o->last[0] + 1;
	loop_work(o->loop, 0, task_work, task_done, &o->task[0]);
	loop_run(o->loop);
	assert_int_equal(o->n, 2);
	loop_free(o->loop);
	free(o);
}

static void
tasks_keep_order_in_their_lane(void **state)
{
	(void)state;
	run_tasks(0, 1);
	run_tasks(0, 64);
	run_tasks(1, 3);
	run_tasks(4, 1);
	run_tasks(4, 64);
}

static void
nothing(void *cookie)
{
	(void)cookie;
}

static void
free_drops_queued_tasks(void **state)
{
	struct note n;

	(void)state;
	for (unsigned workers = 0; workers < 3; workers++) {
		note_init(&n, workers);
		for (unsigned i = 0; i < 50; i++)
			loop_work(n.loop, i, nothing, nothing, NULL);
		loop_free(n.loop);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ends_when_nothing_is_pending),
		cmocka_unit_test(defer_keeps_order),
		cmocka_unit_test(stop_keeps_the_rest),
		cmocka_unit_test(timer_set_and_free_in_callback),
		cmocka_unit_test(zero_timers_end_the_turn),
		cmocka_unit_test(stall_is_measured),
		cmocka_unit_test(io_read_and_write),
		cmocka_unit_test(turn_is_bounded),
		cmocka_unit_test(signal_arrives),
		cmocka_unit_test(tasks_keep_order_in_their_lane),
		cmocka_unit_test(free_drops_queued_tasks),
	};

	return (cmocka_run_group_tests(tests, NULL, NULL));
}
