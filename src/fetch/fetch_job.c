/*
 * The job machine. A job is started, waits its turn in the queue of its
 * priority, is sent when the ceiling and the rate allow, receives, and is
 * done; a failure that may pass waits for its delay and queues again.
 *
 * The transport only notes that a transfer ended and wakes us; fetch_turn()
 * is the one driver: it steps the jobs that are ready, then lets in new ones
 * through the one door, fetch_admit(), and is bounded in length. Users are
 * called from there and nowhere else. A job that is over rests until the end
 * of the turn.
 */
#include "config.h"

#include <sys/queue.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/hash.h"
#include "base/must.h"
#include "fetch/fetch.h"
#include "fetch/fetch_int.h"
#include "loop/loop.h"

#define FETCH_MAGIC 0x46455443u
#define JOB_MAGIC 0x464a4f42u
/* Jobs stepped in one turn; then the loop's other work has its own. */
#define TURN_JOBS 256u

/*
 *  state      transfer  timer   next
 *  queued     -         -       send, cancelled
 *  send       -         -       receive, wait, failed, cancelled
 *  receive    started   -       done, wait, failed, cancelled
 *  done       -         -       (user is told)
 *  wait       -         set     queued, cancelled
 *  failed     -         -       (user is told)
 *  cancelled  -         -       (user is not told)
 */
enum job_state {
	JOB_NEW,		/* in no list yet */
	JOB_QUEUED,
	JOB_SEND,
	JOB_RECEIVE,
	JOB_DONE,
	JOB_WAIT,
	JOB_FAILED,
	JOB_CANCELLED,
	JOB_STATES
};

enum step { STEP_AGAIN, STEP_WAIT, STEP_DONE };

struct fetch_job {
	uint32_t magic;
	enum job_state state;
	TAILQ_ENTRY(fetch_job) link;	/* of the state, or of the queue */
	TAILQ_ENTRY(fetch_job) ready_link;
	bool ready;
	struct fetch *f;
	fetch_done_fn *done;
	void *cookie;
	char *method;
	char *target;
	char *url;
	const char *body;		/* borrowed from the user */
	size_t body_len;
	const char *content_type;	/* borrowed, a literal */
	int priority;
	unsigned tries_max;
	unsigned tries;
	int code;			/* of the last try */
	struct fetch_transfer t;	/* of the last try */
	bool started;			/* the transport has it */
	struct loop_timer *timer;	/* wait */
};

TAILQ_HEAD(job_list, fetch_job);

/* Jobs of one priority, first in, first out. */
struct level {
	int priority;
	struct job_list jobs;
};

struct fetch {
	uint32_t magic;
	struct loop *loop;
	struct fetch_transport on;
	struct loop_timer *turn;	/* awake, or the next token */
	char *origin;
	unsigned in_flight_max;
	double rate;
	double tokens;
	int64_t tokens_at_us;
	size_t body_max;
	unsigned tries;
	int64_t retry_base_ms;
	int64_t retry_cap_ms;
	struct rng rng;
	struct level **levels;		/* by priority */
	size_t levels_n;
	struct job_list lists[JOB_STATES];	/* all states but queued */
	unsigned counts[JOB_STATES];	/* kept by fetch_job_set_state() */
	struct job_list ready;
	struct fetch_stats stats;
	bool in_turn;
	bool awake;			/* a turn comes at once */
	bool dying;			/* freed from inside a callback */
};

static enum step step_queued(struct fetch_job *);
static enum step step_send(struct fetch_job *);
static enum step step_receive(struct fetch_job *);
static enum step step_done(struct fetch_job *);
static enum step step_wait(struct fetch_job *);
static enum step step_failed(struct fetch_job *);
static enum step step_cancelled(struct fetch_job *);

#define TO(s) (1u << JOB_##s)

static const struct {
	const char *name;
	enum step (*step)(struct fetch_job *);
	unsigned next;			/* states it may go to */
} states[JOB_STATES] = {
	[JOB_NEW] = { "new", NULL, TO(QUEUED) },
	[JOB_QUEUED] = { "queued", step_queued, TO(SEND) | TO(CANCELLED) },
	[JOB_SEND] = { "send", step_send,
	    TO(RECEIVE) | TO(WAIT) | TO(FAILED) | TO(CANCELLED) },
	[JOB_RECEIVE] = { "receive", step_receive,
	    TO(DONE) | TO(WAIT) | TO(FAILED) | TO(CANCELLED) },
	[JOB_DONE] = { "done", step_done, TO(CANCELLED) },
	[JOB_WAIT] = { "wait", step_wait, TO(QUEUED) | TO(CANCELLED) },
	[JOB_FAILED] = { "failed", step_failed, TO(CANCELLED) },
	[JOB_CANCELLED] = { "cancelled", step_cancelled, 0 },
};

/* --- lists --------------------------------------------------------------- */

static void
wake(struct fetch *f)
{
	if (f->in_turn || f->awake)
		return;
	f->awake = true;
	loop_timer_set(f->turn, 0);
}

static void
job_ready(struct fetch_job *j)
{
	if (!j->ready) {
		j->ready = true;
		TAILQ_INSERT_TAIL(&j->f->ready, j, ready_link);
	}
	wake(j->f);
}

static struct job_list *
level_of(struct fetch *f, int priority)
{
	struct level *l;
	size_t i;

	for (i = 0; i < f->levels_n; i++) {
		if (f->levels[i]->priority == priority)
			return (&f->levels[i]->jobs);
		if (f->levels[i]->priority > priority)
			break;
	}
	l = must_calloc(1, sizeof(*l));
	l->priority = priority;
	TAILQ_INIT(&l->jobs);
	f->levels = must_realloc(f->levels, f->levels_n + 1,
	    sizeof(struct level *));
	memmove(f->levels + i + 1, f->levels + i,
	    (f->levels_n++ - i) * sizeof(struct level *));
	f->levels[i] = l;
	return (&l->jobs);
}

static struct job_list *
list_of(struct fetch_job *j, enum job_state state)
{
	return (state == JOB_QUEUED ? level_of(j->f, j->priority) :
	    &j->f->lists[state]);
}

/* The only writer of the state. */
static void
fetch_job_set_state(struct fetch_job *j, enum job_state to)
{
	struct fetch *f = j->f;
	enum job_state from = j->state;

	MUST(states[from].next & (1u << to));
	if (from != JOB_NEW) {
		TAILQ_REMOVE(list_of(j, from), j, link);
		f->counts[from]--;
	}
	/* Who waited for a retry has queued before. */
	if (from == JOB_WAIT && to == JOB_QUEUED)
		TAILQ_INSERT_HEAD(list_of(j, to), j, link);
	else
		TAILQ_INSERT_TAIL(list_of(j, to), j, link);
	f->counts[to]++;
	j->state = to;
	if (to == JOB_QUEUED)
		wake(f);
	else if (to != JOB_RECEIVE && to != JOB_WAIT)
		job_ready(j);
}

static void
job_free(struct fetch_job *j)
{
	struct fetch *f = j->f;

	TAILQ_REMOVE(list_of(j, j->state), j, link);
	f->counts[j->state]--;
	if (j->ready)
		TAILQ_REMOVE(&f->ready, j, ready_link);
	loop_timer_free(j->timer);
	buf_fini(&j->t.in);
	free(j->method);
	free(j->target);
	free(j->url);
	j->magic = 0;
	free(j);
}

/* --- the steps of a good life -------------------------------------------- */

static void
job_finished(struct fetch_transfer *t)
{
	struct fetch_job *j = t->owner;

	MAGIC_CHECK(j, JOB_MAGIC);
	MUST(j->state == JOB_RECEIVE && j->started);
	j->started = false;
	job_ready(j);
}

/* Out of the queue only through the door. */
static enum step
step_queued(struct fetch_job *j)
{
	(void)j;
	return (STEP_WAIT);
}

/* A try begins: what the last one left is cleared whole. */
static void
transfer_init(struct fetch_job *j)
{
	buf_fini(&j->t.in);
	j->t = (struct fetch_transfer){
		.method = j->method, .url = j->url, .body = j->body,
		.body_len = j->body_len, .content_type = j->content_type,
		.retry_after_ms = -1,
		.finished = job_finished, .owner = j,
	};
	buf_init(&j->t.in, j->f->body_max + FETCH_PADDING);
}

static enum step
job_fail_or_wait(struct fetch_job *j)
{
	bool again = fetch_code_again(j->code) && j->tries < j->tries_max;

	fetch_job_set_state(j, again ? JOB_WAIT : JOB_FAILED);
	return (STEP_AGAIN);
}

static enum step
step_send(struct fetch_job *j)
{
	struct fetch *f = j->f;

	transfer_init(j);
	j->tries++;
	if (!fetch_target_valid(j->target)) {
		j->code = ERR_REQUEST;
		snprintf(j->t.reason, sizeof(j->t.reason),
		    "not a path, or not percent-encoded");
		return (job_fail_or_wait(j));
	}
	f->stats.requests++;
	if (j->tries > 1)
		f->stats.retries++;
	j->code = f->on.start(f->on.cookie, &j->t);
	if (j->code != 0)
		return (job_fail_or_wait(j));
	j->started = true;
	fetch_job_set_state(j, JOB_RECEIVE);
	return (STEP_WAIT);
}

static enum step
step_receive(struct fetch_job *j)
{
	struct fetch_stats *s = &j->f->stats;

	if (j->started)
		return (STEP_WAIT);
	s->wire_bytes += (uint64_t)j->t.wire_bytes;
	s->body_bytes += j->t.in.len;
	if (j->t.connected)
		s->connects++;
	/* A refusal stands, though the body that explains it was cut. */
	j->code = j->t.rc;
	if (j->t.status != 0 && fetch_status_code(j->t.status) != 0)
		j->code = fetch_status_code(j->t.status);
	if (j->code != 0)
		return (job_fail_or_wait(j));
	fetch_job_set_state(j, JOB_DONE);
	return (STEP_AGAIN);
}

/* Tell the user. In the call he may start, cancel and free. */
static void
job_tell(struct fetch_job *j, struct fetch_answer *a)
{
	static const char zeros[FETCH_PADDING];
	fetch_done_fn *done = j->done;
	size_t len;

	a->status = j->t.status;
	a->json = j->t.json;
	a->tries = j->tries;
	a->total_us = j->t.total_us;
	a->first_byte_us = j->t.first_byte_us;
	a->wire_bytes = j->t.wire_bytes;
	a->len = j->t.in.len;
	buf_put(&j->t.in, zeros, FETCH_PADDING);
	if (j->t.in.error != 0) {
		a->len = 0;
		if (a->err.code == 0)
			err_set(&a->err, ERR_NOMEM, "out of memory");
	} else
		a->body = (char *)buf_steal(&j->t.in, &len);
	j->done = NULL;
	done(j->cookie, a);
	free(a->body);
}

static enum step
step_done(struct fetch_job *j)
{
	struct fetch_answer a = { .err = ERR_INIT };

	job_tell(j, &a);
	return (STEP_DONE);
}

static void
on_wait_over(void *cookie)
{
	struct fetch_job *j = cookie;

	MAGIC_CHECK(j, JOB_MAGIC);
	MUST(j->state == JOB_WAIT);
	job_ready(j);
}

/* Full jitter over a doubling delay; the server's wish is the least. */
static int64_t
retry_delay_ms(struct fetch_job *j)
{
	struct fetch *f = j->f;
	int64_t span = f->retry_base_ms, wish = j->t.retry_after_ms;
	unsigned i;

	for (i = 1; i < j->tries && span < f->retry_cap_ms; i++)
		span *= 2;
	if (span > f->retry_cap_ms)
		span = f->retry_cap_ms;
	if (wish < 0)
		wish = 0;
	if (wish > f->retry_cap_ms)
		wish = f->retry_cap_ms;
	wish += (int64_t)(rng_unit(&f->rng) * (double)span);
	return (wish < f->retry_cap_ms ? wish : f->retry_cap_ms);
}

static enum step
step_wait(struct fetch_job *j)
{
	if (j->timer == NULL) {
		j->timer = loop_timer_new(j->f->loop, on_wait_over, j);
		loop_timer_set(j->timer, retry_delay_ms(j) * 1000);
		return (STEP_WAIT);
	}
	if (loop_timer_pending(j->timer))
		return (STEP_WAIT);
	loop_timer_free(j->timer);
	j->timer = NULL;
	fetch_job_set_state(j, JOB_QUEUED);
	return (STEP_WAIT);
}

static enum step
step_failed(struct fetch_job *j)
{
	struct fetch_answer a = { .err = ERR_INIT };

	j->f->stats.failed++;
	fetch_explain(&a.err, j->code, &j->t, j->target, j->tries);
	job_tell(j, &a);
	return (STEP_DONE);
}

static enum step
step_cancelled(struct fetch_job *j)
{
	(void)j;
	return (STEP_DONE);
}

/* --- the door and the driver --------------------------------------------- */

/* Whole tokens there are; a tenth of a second of them may be saved up. */
static bool
token_there(struct fetch *f)
{
	int64_t now = loop_now_us(f->loop);
	double most = f->rate / 10 > 1 ? f->rate / 10 : 1;

	if (f->rate <= 0)
		return (true);
	f->tokens += (double)(now - f->tokens_at_us) * f->rate / 1e6;
	f->tokens_at_us = now;
	if (f->tokens > most)
		f->tokens = most;
	return (f->tokens >= 1);
}

static struct fetch_job *
queue_first(struct fetch *f)
{
	struct fetch_job *j = NULL;
	size_t i;

	for (i = 0; i < f->levels_n && j == NULL; i++)
		j = TAILQ_FIRST(&f->levels[i]->jobs);
	MUST((j != NULL) == (f->counts[JOB_QUEUED] > 0));
	return (j);
}

/* The one door: who may be sent now. Returns when to come again, in us, or
 * -1 when something else will wake us. */
static int64_t
fetch_admit(struct fetch *f)
{
	struct fetch_job *j;

	while (f->counts[JOB_SEND] + f->counts[JOB_RECEIVE] <
	    f->in_flight_max && (j = queue_first(f)) != NULL) {
		if (!token_there(f))
			return ((int64_t)((1 - f->tokens) * 1e6 / f->rate) +
			    1);
		f->tokens -= f->rate > 0 ? 1 : 0;
		fetch_job_set_state(j, JOB_SEND);
	}
	return (-1);
}

static void
job_run(struct fetch_job *j)
{
	enum step what;

	do {
		what = states[j->state].step(j);
	} while (what == STEP_AGAIN);
	if (what == STEP_DONE && j->state != JOB_CANCELLED)
		fetch_job_set_state(j, JOB_CANCELLED);
}

static void
fetch_rest(struct fetch *f)
{
	struct fetch_job *j;

	while ((j = TAILQ_FIRST(&f->lists[JOB_CANCELLED])) != NULL)
		job_free(j);
}

static void fetch_destroy(struct fetch *);

static void
fetch_turn(void *cookie)
{
	struct fetch *f = cookie;
	struct fetch_job *j;
	unsigned n;
	int64_t again = -1;

	MAGIC_CHECK(f, FETCH_MAGIC);
	f->awake = false;
	f->in_turn = true;
	for (n = 0; n < TURN_JOBS && !f->dying; n++) {
		if (TAILQ_EMPTY(&f->ready))
			again = fetch_admit(f);
		if ((j = TAILQ_FIRST(&f->ready)) == NULL)
			break;
		TAILQ_REMOVE(&f->ready, j, ready_link);
		j->ready = false;
		job_run(j);
	}
	fetch_rest(f);
	f->in_turn = false;
	if (f->dying)
		fetch_destroy(f);
	else if (n == TURN_JOBS)
		wake(f);
	else if (again >= 0)
		loop_timer_set(f->turn, again);
}

/* --- what users call ----------------------------------------------------- */

struct fetch_job *
fetch_start(struct fetch *f, const struct fetch_request *r,
    fetch_done_fn *done, void *cookie)
{
	struct fetch_job *j;

	MAGIC_CHECK(f, FETCH_MAGIC);
	MUST(r->method != NULL && r->target != NULL && done != NULL);
	j = must_calloc(1, sizeof(*j));
	j->magic = JOB_MAGIC;
	j->f = f;
	j->done = done;
	j->cookie = cookie;
	j->method = must_strdup(r->method);
	j->target = must_strdup(r->target);
	j->url = must_sprintf("%s%s", f->origin, r->target);
	j->body = r->body;
	j->body_len = r->body_len;
	j->content_type = r->content_type;
	j->priority = r->priority;
	j->tries_max = r->tries > 0 ? r->tries : f->tries;
	buf_init(&j->t.in, f->body_max + FETCH_PADDING);
	fetch_job_set_state(j, JOB_QUEUED);
	return (j);
}

void
fetch_cancel(struct fetch_job *j)
{
	if (j == NULL)
		return;
	MAGIC_CHECK(j, JOB_MAGIC);
	if (j->started)
		j->f->on.stop(j->f->on.cookie, &j->t);
	j->started = false;
	loop_timer_free(j->timer);
	j->timer = NULL;
	/* While its user is told a job is done or failed, and no more. */
	if (j->done != NULL && j->state != JOB_CANCELLED)
		fetch_job_set_state(j, JOB_CANCELLED);
	j->done = NULL;
}

void
fetch_stats(const struct fetch *f, struct fetch_stats *out)
{
	MAGIC_CHECK(f, FETCH_MAGIC);
	*out = f->stats;
	out->in_flight = f->counts[JOB_SEND] + f->counts[JOB_RECEIVE];
	out->queued = f->counts[JOB_QUEUED] + f->counts[JOB_WAIT];
}

int
fetch_new_on(struct loop *loop, const struct fetch_options *o,
    const struct fetch_transport *on, struct fetch **out, struct err *e)
{
	struct fetch *f;
	int i, rc;

	*out = NULL;
	if ((rc = fetch_origin_check(o, e)) != 0) {
		on->free(on->cookie);
		return (rc);
	}
	MUST(o->in_flight > 0 && o->tries > 0 && o->body_max > 0);
	MUST(o->retry_base_ms >= 0 && o->retry_cap_ms >= 0);
	f = must_calloc(1, sizeof(*f));
	f->magic = FETCH_MAGIC;
	f->loop = loop;
	f->on = *on;
	f->turn = loop_timer_new(loop, fetch_turn, f);
	f->origin = must_strdup(o->origin);
	f->in_flight_max = o->in_flight;
	f->rate = o->rate;
	f->tokens = 1;
	f->tokens_at_us = loop_now_us(loop);
	f->body_max = o->body_max;
	f->tries = o->tries;
	f->retry_base_ms = o->retry_base_ms;
	f->retry_cap_ms = o->retry_cap_ms;
	rng_init(&f->rng, o->seed);
	TAILQ_INIT(&f->ready);
	for (i = 0; i < JOB_STATES; i++)
		TAILQ_INIT(&f->lists[i]);
	*out = f;
	return (0);
}

int
fetch_new(struct loop *loop, const struct fetch_options *o,
    struct fetch **out, struct err *e)
{
	struct fetch_transport on;
	int rc;

	*out = NULL;
	if ((rc = fetch_origin_check(o, e)) != 0 ||
	    (rc = fetch_curl_new(loop, o, &on, e)) != 0)
		return (rc);
	return (fetch_new_on(loop, o, &on, out, e));
}

static void
fetch_destroy(struct fetch *f)
{
	size_t i;

	fetch_rest(f);
	for (i = 0; i < JOB_STATES; i++)
		MUST(f->counts[i] == 0);
	f->on.free(f->on.cookie);
	loop_timer_free(f->turn);
	for (i = 0; i < f->levels_n; i++)
		free(f->levels[i]);
	free(f->levels);
	free(f->origin);
	f->magic = 0;
	free(f);
}

static void
cancel_list(struct job_list *list)
{
	struct fetch_job *j, *next;

	for (j = TAILQ_FIRST(list); j != NULL; j = next) {
		next = TAILQ_NEXT(j, link);
		fetch_cancel(j);
	}
}

void
fetch_free(struct fetch *f)
{
	size_t i;

	if (f == NULL)
		return;
	MAGIC_CHECK(f, FETCH_MAGIC);
	for (i = 0; i < f->levels_n; i++)
		cancel_list(&f->levels[i]->jobs);
	for (i = JOB_SEND; i < JOB_CANCELLED; i++)
		cancel_list(&f->lists[i]);
	f->dying = true;
	if (!f->in_turn)
		fetch_destroy(f);
}
