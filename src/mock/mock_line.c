/*
 * The line: a queue, and two counters. A turn that leaves lets the first one
 * that waits be served.
 */

#include "config.h"

#include <stdlib.h>

#include "base/must.h"
#include "mock/mock_line.h"

#define SERVICE_MAX_US (3600 * INT64_C(1000000))

struct mock_line {
	struct mock_line_options opt;
	mock_line_fn *serve;
	uint32_t in_flight;
	uint32_t served;
	struct mock_turn *first;
	struct mock_turn **last;	/* where the next one is put */
};

struct mock_line *
mock_line_new(const struct mock_line_options *opt, mock_line_fn *serve)
{
	struct mock_line *l = must_calloc(1, sizeof(*l));

	l->opt = *opt;
	l->serve = serve;
	l->last = &l->first;
	return (l);
}

void
mock_line_free(struct mock_line *l)
{
	free(l);
}

static int64_t
service_us(const struct mock_line *l, const struct mock_turn *t)
{
	double us = (double)l->opt.latency_us, times;

	if (l->opt.collapse > 0 && l->in_flight > l->opt.collapse) {
		times = (double)l->in_flight / l->opt.collapse;
		us *= times * times;
	}
	us += (double)t->extra_us;
	return (us < (double)SERVICE_MAX_US ? (int64_t)us : SERVICE_MAX_US);
}

static void
serve(struct mock_line *l, struct mock_turn *t)
{
	t->state = MOCK_TURN_SERVED;
	l->served++;
	l->serve(t->cookie, service_us(l, t));
}

static void
unlink_turn(struct mock_line *l, struct mock_turn *t)
{
	*t->prev = t->next;
	if (t->next != NULL)
		t->next->prev = t->prev;
	else
		l->last = t->prev;
}

void
mock_line_enter(struct mock_line *l, struct mock_turn *t, int64_t extra_us,
    void *cookie)
{
	MUST(t->state == MOCK_TURN_NONE);
	l->in_flight++;
	t->extra_us = extra_us;
	t->cookie = cookie;
	if (l->opt.capacity == 0 || l->served < l->opt.capacity) {
		serve(l, t);
		return;
	}
	t->state = MOCK_TURN_WAITS;
	t->next = NULL;
	t->prev = l->last;
	*l->last = t;
	l->last = &t->next;
}

void
mock_line_leave(struct mock_line *l, struct mock_turn *t)
{
	struct mock_turn *next;
	bool was_served = t->state == MOCK_TURN_SERVED;

	if (t->state == MOCK_TURN_NONE)
		return;
	if (!was_served)
		unlink_turn(l, t);
	t->state = MOCK_TURN_NONE;
	l->in_flight--;
	if (!was_served)
		return;
	l->served--;
	if ((next = l->first) != NULL) {
		unlink_turn(l, next);
		serve(l, next);
	}
}
