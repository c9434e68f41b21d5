#ifndef LOOP_LOOP_H
#define LOOP_LOOP_H

/*
 * The event loop: sockets, timers, deferred calls, signals, and workers.
 * The only user of libevent's event API. Made with
 * EVENT_BASE_FLAG_EPOLL_USE_CHANGELIST.
 *
 * Nothing here calls back from inside the call that starts it. Callbacks
 * run on the loop's thread, in loop_run(). Handles are owned by the caller
 * and freed by their free function, also from inside their own callback.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct event_base;
struct loop;
struct loop_io;
struct loop_timer;
struct loop_signal;
struct loop_task;

/* workers: number of worker threads; 0 runs tasks inline, on a later turn
 * of the loop. NULL never: out of memory stops the program. */
struct loop *loop_new(unsigned workers);
void loop_free(struct loop *);	/* waits for running tasks, drops the rest */
/* For modules that use another part of libevent (bufferevent, evhttp). */
struct event_base *loop_event_base(struct loop *);
/* Until loop_stop(), or nothing is pending any more; sockets, set timers,
 * signals, deferred calls and tasks are. May be run again afterwards. */
void loop_run(struct loop *);
/* After the running callback; before loop_run() it makes that return at
 * once. */
void loop_stop(struct loop *);
/* Monotonic, microseconds, cached for the running callback. */
int64_t loop_now_us(struct loop *);
/* The wall clock, Unix seconds: for calendars, never for waiting. */
int64_t loop_unix_s(const struct loop *);
/* Longest time in microseconds one callback has held the loop so far. */
int64_t loop_stall_max_us(const struct loop *);
/* How long turns held the loop, from looking at the sockets to looking again:
 * microseconds that the share q (0..1) of them kept within, to a quarter. */
int64_t loop_held_us(const struct loop *, double q);

#define LOOP_READ 1
#define LOOP_WRITE 2

typedef void loop_io_fn(void *cookie, int fd, int what);
typedef void loop_fn(void *cookie);

/* Persistent interest in fd; `what` is LOOP_READ | LOOP_WRITE, or 0. Free
 * it before closing fd: numbers are reused at once. */
struct loop_io *loop_io_new(struct loop *, int fd, int what, loop_io_fn *,
    void *cookie);
void loop_io_set(struct loop_io *, int what);
void loop_io_free(struct loop_io *);	/* NULL: nothing */

/* One-shot; set again to move it; set from its own callback is fine. Set to
 * 0 (or less) it runs at the end of this turn, after what is ready now, or
 * of the next one when it did so in this turn already. */
struct loop_timer *loop_timer_new(struct loop *, loop_fn *, void *cookie);
void loop_timer_set(struct loop_timer *, int64_t after_us);
void loop_timer_clear(struct loop_timer *);
bool loop_timer_pending(const struct loop_timer *);
void loop_timer_free(struct loop_timer *);

/* Run once, on a later turn (a zero timer of one's own). */
void loop_defer(struct loop *, loop_fn *, void *cookie);

struct loop_signal *loop_signal_new(struct loop *, int signo, loop_fn *,
    void *cookie);
void loop_signal_free(struct loop_signal *);

/*
 * A closed task: `work` runs on a worker thread (or inline, later), then
 * `done` on the loop's thread. Input and result live behind cookie, which
 * nobody touches in between. Tasks of one `lane` (0..63) run one after the
 * other in order; different lanes may run side by side. A task keeps
 * loop_run() from ending. Not cancellable. `done` may be NULL.
 */
void loop_work(struct loop *, unsigned lane, loop_fn *work, loop_fn *done,
    void *cookie);
unsigned loop_work_pending(const struct loop *);

#endif
