/*
 * The queue and its one door. Jobs wait by priority and class; whenever a
 * turn finds nothing else to do, fetch_admit() lets in as many as the pace
 * allows: the lowest priority number first, within it the class that has
 * waited longest for its turn. A class that is held back by its breaker does
 * not hold back another; when it is held for too long its jobs are given up.
 */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/msg.h"
#include "base/must.h"
#include "fetch/fetch_int.h"
#include "loop/loop.h"

/* A shorter pause is not worth a message. */
#define SPENT_SAID_US INT64_C(30000000)

struct fetch_job_list *
fetch_level_of(struct fetch *f, int priority, unsigned class)
{
	struct fetch_level *l;
	size_t i;

	MUST(class < PACE_CLASSES);
	for (i = 0; i < f->levels_n; i++) {
		l = f->levels[i];
		if (l->priority == priority && l->class == class)
			return (&l->jobs);
		if (l->priority > priority)
			break;
	}
	l = must_calloc(1, sizeof(*l));
	l->priority = priority;
	l->class = class;
	TAILQ_INIT(&l->jobs);
	f->levels = must_realloc(f->levels, f->levels_n + 1,
	    sizeof(struct fetch_level *));
	memmove(f->levels + i + 1, f->levels + i,
	    (f->levels_n++ - i) * sizeof(struct fetch_level *));
	f->levels[i] = l;
	return (&l->jobs);
}

/* Behind an open breaker for too long: all of that class fail. */
static bool
give_up(struct fetch *f, struct fetch_level *l)
{
	struct fetch_job *j;

	if (!pace_gives_up(f->pace, l->class))
		return (false);
	while ((j = TAILQ_FIRST(&l->jobs)) != NULL) {
		j->given_up = true;
		fetch_job_set_state(j, JOB_FAILED);
	}
	return (true);
}

static bool
goes_before(const struct fetch_level *a, const struct fetch_level *b)
{

	return (b == NULL || a->priority < b->priority ||
	    (a->priority == b->priority && a->served < b->served));
}

/* The level whose turn it is among those that may send now; *again is made
 * the soonest time at which another may. */
static struct fetch_level *
next_level(struct fetch *f, int64_t *again)
{
	int64_t now_us = loop_now_us(f->loop), wait;
	struct fetch_level *l, *best = NULL;
	size_t i;

	for (i = 0; i < f->levels_n; i++) {
		l = f->levels[i];
		if (TAILQ_EMPTY(&l->jobs) || !goes_before(l, best))
			continue;
		wait = pace_wait(f->pace, l->class, now_us,
		    loop_unix_s(f->loop));
		if (wait == 0)
			best = l;
		else if (!give_up(f, l) && wait != PACE_ENDS &&
		    (*again < 0 || wait < *again))
			*again = wait;
	}
	return (best);
}

/* Without credentials nobody is sent. */
static void
no_credentials(struct fetch *f)
{
	struct fetch_job *j;
	size_t i;

	for (i = 0; i < f->levels_n; i++)
		while ((j = TAILQ_FIRST(&f->levels[i]->jobs)) != NULL) {
			j->auth_none = true;
			fetch_job_set_state(j, JOB_FAILED);
		}
}

/* False: they are being had, we are woken then; or nobody waits any more. */
static bool
credentials_there(struct fetch *f)
{
	int rc;

	f->credentials = NULL;
	if (f->auth.get == NULL)
		return (true);
	rc = f->auth.get(f->auth.cookie, &f->credentials, &f->auth_err);
	if (rc < 0)
		no_credentials(f);
	return (rc == 1);
}

/* Who waits for hours should know what for: said once. */
static void
say_spent(struct fetch *f)
{
	const char *what;
	int64_t wait_us;

	what = pace_spent_what(f->pace, loop_now_us(f->loop),
	    loop_unix_s(f->loop), &wait_us);
	if (wait_us < SPENT_SAID_US)
		what = NULL;
	if (what != NULL && what != f->spent)
		msg_warn("fetch", "%s: %s is spent, nothing is asked until "
		    "there is a new one", fetch_authority(f->origin), what);
	f->spent = what;
}

/* What may be refused is sent by one, whose answer the others wait for. */
static bool
one_asks(const struct fetch *f)
{

	return (f->credentials != NULL && f->credentials->alone &&
	    f->counts[JOB_SEND] + f->counts[JOB_RECEIVE] > 0);
}

int64_t
fetch_admit(struct fetch *f)
{
	struct fetch_level *l;
	struct fetch_job *j;
	int64_t again;

	if (f->counts[JOB_QUEUED] == 0 || !credentials_there(f))
		return (-1);
	for (;;) {
		again = -1;
		if (f->counts[JOB_QUEUED] == 0 || one_asks(f) ||
		    (l = next_level(f, &again)) == NULL) {
			if (again >= SPENT_SAID_US || f->spent != NULL)
				say_spent(f);
			return (again);
		}
		j = TAILQ_FIRST(&l->jobs);
		l->served = ++f->served;
		pace_sent(f->pace, l->class, loop_now_us(f->loop),
		    &j->ticket);
		fetch_job_set_state(j, JOB_SEND);
	}
}
