#ifndef LOOP_LOOP_INT_H
#define LOOP_LOOP_INT_H

/* What loop.c and loop_work.c share. */

#include <sys/queue.h>

#include <stdbool.h>
#include <stdint.h>

#include "base/hist.h"
#include "loop/loop.h"

struct event_base;
struct loop_defer;
struct loop_pool;

TAILQ_HEAD(timer_list, loop_timer);

struct loop {
	uint32_t magic;
	struct event_base *base;
	struct timer_list due;		/* at the end of this turn */
	struct timer_list next;		/* of the next, having run in this */
	uint64_t turn;
	struct event *defer_ev;		/* zero timer, pending with a queue */
	struct loop_defer *defer_head;
	struct loop_defer **defer_tail;
	struct loop_pool *pool;
	int64_t now_us;			/* valid while in_callback */
	int64_t stall_max_us;
	int64_t left_us;		/* end of the last callback */
	int64_t held_from_us;		/* first callback of this turn, or 0 */
	struct hist held_us;		/* a turn each */
	unsigned in_callback;
	bool running;
	bool stopping;
};

#define LOOP_MAGIC 0x4c4f4f50u	/* LOOP */

/* Around every callback: the turn's clock, and how long it held us. */
int64_t loop_enter(struct loop *);
void loop_leave(struct loop *, int64_t entered_us);

struct loop_pool *loop_pool_new(struct loop *, unsigned workers);
void loop_pool_free(struct loop_pool *);

#endif
