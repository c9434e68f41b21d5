/*
 * A job: started, waits its turn in the queue of its priority and class, is
 * sent when the door lets it, receives, and is done; a failure that may pass
 * waits for its delay and queues again.
 *
 * Only fetch_job_set_state() writes the state; it moves the job between the
 * lists, so counts come from lists. Steps touch no event; the turn in
 * fetch.c runs them.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/msg.h"
#include "base/must.h"
#include "fetch/fetch_int.h"
#include "loop/loop.h"

/* A quota is waited for a day at most, whatever the server says. */
#define QUOTA_WAIT_MAX_MS (BOUND_QUOTA_WAIT_S * INT64_C(1000))
#define QUOTA_NUMBER_MAX INT64_C(1000000000000)

enum step { STEP_AGAIN, STEP_WAIT, STEP_DONE };

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
	[JOB_QUEUED] = { "queued", step_queued, 
	    TO(SEND) | TO(FAILED) | TO(CANCELLED) },
	[JOB_SEND] = { "send", step_send,
	    TO(RECEIVE) | TO(WAIT) | TO(FAILED) | TO(CANCELLED) },
	[JOB_RECEIVE] = { "receive", step_receive,
	    TO(DONE) | TO(QUEUED) | TO(WAIT) | TO(FAILED) | TO(CANCELLED) },
	[JOB_DONE] = { "done", step_done, TO(CANCELLED) },
	[JOB_WAIT] = { "wait", step_wait, TO(QUEUED) | TO(CANCELLED) },
	[JOB_FAILED] = { "failed", step_failed, TO(CANCELLED) },
	[JOB_CANCELLED] = { "cancelled", step_cancelled, 0 },
};

/* --- lists --------------------------------------------------------------- */

void
fetch_job_ready(struct fetch_job *j)
{
	if (!j->ready) {
		j->ready = true;
		TAILQ_INSERT_TAIL(&j->f->ready, j, ready_link);
	}
	fetch_wake(j->f);
}

static struct fetch_job_list *
list_of(struct fetch_job *j, enum fetch_job_state state)
{
	return (state == JOB_QUEUED ?
	    fetch_level_of(j->f, j->priority, j->class) :
	    &j->f->lists[state]);
}

/* The only writer of the state. */
void
fetch_job_set_state(struct fetch_job *j, enum fetch_job_state to)
{
	struct fetch *f = j->f;
	enum fetch_job_state from = j->state;

	MUST(states[from].next & (1u << to));
	if (from != JOB_NEW) {
		TAILQ_REMOVE(list_of(j, from), j, link);
		f->counts[from]--;
	}
	/* Who was sent before, or waited for a retry, has queued already. */
	if (from != JOB_NEW && to == JOB_QUEUED)
		TAILQ_INSERT_HEAD(list_of(j, to), j, link);
	else
		TAILQ_INSERT_TAIL(list_of(j, to), j, link);
	f->counts[to]++;
	j->state = to;
	if (to == JOB_QUEUED)
		fetch_wake(f);
	else if (to != JOB_RECEIVE && to != JOB_WAIT)
		fetch_job_ready(j);
}

struct fetch_job *
fetch_job_new(struct fetch *f, const char *target)
{
	size_t len = strlen(target) + 1;
	struct fetch_job *j = TAILQ_FIRST(&f->spare);

	if (j != NULL) {
		TAILQ_REMOVE(&f->spare, j, link);
		memset(j, 0, sizeof(*j));
	} else
		j = must_calloc(1, sizeof(*j));
	j->magic = JOB_MAGIC;
	j->f = f;
	j->url = must_realloc(NULL, f->origin_len + len, 1);
	memcpy(j->url, f->origin, f->origin_len);
	memcpy(j->url + f->origin_len, target, len);
	j->target = j->url + f->origin_len;
	return (j);
}

void
fetch_job_free(struct fetch_job *j)
{
	struct fetch *f = j->f;

	TAILQ_REMOVE(list_of(j, j->state), j, link);
	f->counts[j->state]--;
	if (j->ready)
		TAILQ_REMOVE(&f->ready, j, ready_link);
	loop_timer_free(j->timer);
	fetch_body_give(f, &j->t.in);
	free(j->url);
	j->url = NULL;
	j->magic = 0;
	TAILQ_INSERT_HEAD(&f->spare, j, link);
}

void
fetch_jobs_fini(struct fetch *f)
{
	struct fetch_job *j;

	while ((j = TAILQ_FIRST(&f->spare)) != NULL) {
		TAILQ_REMOVE(&f->spare, j, link);
		free(j);
	}
}

/* --- the steps of a good life -------------------------------------------- */

static void
job_finished(struct fetch_transfer *t)
{
	struct fetch_job *j = t->owner;

	MAGIC_CHECK(j, JOB_MAGIC);
	MUST(j->state == JOB_RECEIVE && j->started);
	j->started = false;
	fetch_job_ready(j);
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
	size_t i;

	fetch_body_give(j->f, &j->t.in);
	j->t = (struct fetch_transfer){
		.method = j->method, .url = j->url, .body = j->body,
		.body_len = j->body_len, .content_type = j->content_type,
		.credentials = j->f->credentials, .retry_after_ms = -1,
		.finished = job_finished, .owner = j,
	};
	for (i = 0; i < PACE_QUOTAS; i++)
		j->t.quotas[i].remaining = j->t.quotas[i].reset = -1;
	fetch_body_take(j->f, &j->t.in);
}

/* When a quota is filled up again, as told by what the server said. */
static int64_t
quota_until_us(struct fetch *f, const struct fetch_quota *q, int64_t reset)
{
	int64_t now_us = loop_now_us(f->loop), wait_ms = q->every_ms;

	if (q->kind != FETCH_RESET_EVERY && reset < 0)
		return (now_us);
	if (reset > QUOTA_NUMBER_MAX)
		reset = QUOTA_NUMBER_MAX;
	if (q->kind == FETCH_RESET_UNIX)
		wait_ms = (reset - loop_unix_s(f->loop)) * 1000;
	else if (q->kind == FETCH_RESET_SECONDS)
		wait_ms = reset * 1000;
	else if (q->kind == FETCH_RESET_MS)
		wait_ms = reset;
	if (wait_ms < 0)
		wait_ms = 0;
	if (wait_ms > QUOTA_WAIT_MAX_MS)
		wait_ms = QUOTA_WAIT_MAX_MS;
	return (now_us + wait_ms * 1000);
}

static void
job_tell_quotas(struct fetch_job *j)
{
	struct fetch *f = j->f;
	unsigned i;

	for (i = 0; i < f->quotas_n; i++)
		if (j->t.quotas[i].remaining >= 0)
			pace_remaining(f->pace, i,
			    (uint64_t)j->t.quotas[i].remaining,
			    quota_until_us(f, &f->quotas[i],
			    j->t.quotas[i].reset));
}

/* The pace learns how a try ended; said once when a breaker changes. */
static void
job_tell_pace(struct fetch_job *j, enum pace_outcome what)
{
	struct fetch *f = j->f;
	int64_t pause = j->t.retry_after_ms;
	struct pace_state s;

	if (pause > f->retry_cap_ms)
		pause = f->retry_cap_ms;
	if (!pace_ended(f->pace, &j->ticket, what,
	    (uint64_t)j->t.wire_bytes, pause * 1000, loop_now_us(f->loop)))
		return;
	pace_get_state(f->pace, &s);
	if (j->code == 0 || (s.origin == PACE_CLOSED &&
	    s.classes[j->class] == PACE_CLOSED))
		msg_info("fetch", "%s answers again",
		    fetch_authority(f->origin));
	else
		msg_warn("fetch", "%s %s; nothing is asked for a while "
		    "(fetch.breaker_open), then one request tries: %s",
		    fetch_authority(f->origin), s.origin != PACE_CLOSED ?
		    "cannot be reached" : "fails too often",
		    f->last[j->class].text);
}

static void
job_count_end(struct fetch_job *j)
{

	j->f->stats.by_class[fetch_code_class(j->code)]++;
}

/* Why the last try failed; what the server says may quote us. */
static void
job_explain(struct fetch_job *j)
{
	struct fetch *f = j->f;
	struct err *e = &f->last[j->class];

	if (f->auth.hide != NULL && j->t.in.len > 0)
		f->auth.hide(f->auth.cookie, (char *)j->t.in.data,
		    j->t.in.len);
	fetch_explain(e, j->code, &j->t, j->target, j->tries);
	if (f->auth.hide != NULL)
		f->auth.hide(f->auth.cookie, e->text, strlen(e->text));
}

/* It tells of what was asked for, not of the server. */
static bool
job_is_about(const struct fetch_job *j)
{

	return (j->about && j->t.status == 500 && j->t.json);
}

static enum step
job_fail_or_wait(struct fetch_job *j, bool sent)
{
	bool again = fetch_code_again(j->code) && j->tries < j->tries_max &&
	    !job_is_about(j);

	job_explain(j);
	j->f->last_class = j->class;
	if (sent)
		job_count_end(j);
	job_tell_pace(j, !sent ? PACE_CANCELLED : job_is_about(j) ?
	    PACE_GOOD : fetch_outcome(j->code, &j->t));
	fetch_job_set_state(j, again ? JOB_WAIT : JOB_FAILED);
	return (STEP_AGAIN);
}

static enum step
step_send(struct fetch_job *j)
{
	struct fetch *f = j->f;

	transfer_init(j);
	if (f->credentials != NULL)
		j->generation = f->credentials->generation;
	j->tries++;
	if (!fetch_target_valid(j->target)) {
		j->code = ERR_REQUEST;
		snprintf(j->t.reason, sizeof(j->t.reason),
		    "not a path, or not percent-encoded");
		return (job_fail_or_wait(j, false));
	}
	f->stats.requests++;
	if (j->tries > 1)
		f->stats.retries++;
	j->code = f->on.start(f->on.cookie, &j->t);
	if (j->code != 0)
		return (job_fail_or_wait(j, false));
	j->started = true;
	j->t.credentials = NULL;
	fetch_job_set_state(j, JOB_RECEIVE);
	return (STEP_WAIT);
}

static void
job_count(const struct fetch_job *j)
{
	struct fetch_hists *h = &j->f->hists;
	struct fetch_stats *s = &j->f->stats;
	const struct fetch_transfer *t = &j->t;

	s->wire_bytes += (uint64_t)t->wire_bytes;
	s->body_bytes += t->in.len;
	s->connects += t->connected;
	if (t->connected)
		hist_add(&h->connect_us, (uint64_t)t->connect_us);
	if (t->status != 0)
		hist_add(&h->first_byte_us, (uint64_t)t->first_byte_us);
	hist_add(&h->total_us, (uint64_t)t->total_us);
	hist_add(&h->body_bytes, t->in.len);
}

/* A 401, and there are other credentials by now or soon: once more. */
static bool
job_has_newer(struct fetch_job *j)
{
	struct fetch *f = j->f;
	bool had = j->auth_again;

	if (f->auth.get == NULL)
		return (false);
	if (j->t.status != 401) {
		j->auth_again = false;
		if (fetch_status_code(j->t.status) == 0 && j->t.status != 0)
			f->auth.accepted(f->auth.cookie, j->generation);
		return (false);
	}
	/* What it says is worth more than that there are no others. */
	job_explain(j);
	if (!f->auth.refused(f->auth.cookie, j->generation) || had)
		return (false);
	j->auth_again = true;
	j->tries--;
	return (true);
}

static enum step
step_receive(struct fetch_job *j)
{
	if (j->started)
		return (STEP_WAIT);
	job_count(j);
	job_tell_quotas(j);
	/* A refusal stands, though the body that explains it was cut. */
	j->code = j->t.rc;
	if (j->t.status != 0 && fetch_status_code(j->t.status) != 0)
		j->code = fetch_status_code(j->t.status);
	if (job_has_newer(j)) {
		job_count_end(j);
		job_tell_pace(j, PACE_GOOD);
		fetch_job_set_state(j, JOB_QUEUED);
		return (STEP_WAIT);
	}
	if (j->code != 0)
		return (job_fail_or_wait(j, true));
	fetch_job_set_state(j, JOB_DONE);
	return (STEP_AGAIN);
}

/* Tell the user. In the call he may start, cancel and free. */
static void
job_tell(struct fetch_job *j, struct fetch_answer *a)
{
	static const char zeros[LIMIT_PADDING];
	fetch_done_fn *done = j->done;
	struct buf body;

	a->status = j->t.status;
	a->json = j->t.json;
	a->tries = j->tries;
	a->total_us = j->t.total_us;
	a->first_byte_us = j->t.first_byte_us;
	a->connect_us = j->t.connected ? j->t.connect_us : 0;
	a->slow_down_ms = -1;
	a->wire_bytes = j->t.wire_bytes;
	a->len = j->t.in.len;
	buf_put(&j->t.in, zeros, LIMIT_PADDING);
	if (j->t.in.error != 0) {
		a->len = 0;
		if (a->err.code == 0)
			err_set(&a->err, ERR_NOMEM, "out of memory");
	}
	body = j->t.in;
	buf_init(&j->t.in, body.max);
	if (body.error == 0)
		a->body = (char *)body.data;
	j->done = NULL;
	done(j->cookie, a);
	if (a->body == NULL && body.error == 0)
		buf_init(&body, body.max);	/* it was taken over */
	fetch_body_give(j->f, &body);
}

/* Whether an answer is good its user knows. */
static enum step
step_done(struct fetch_job *j)
{
	struct fetch_answer a = { .err = ERR_INIT };

	job_tell(j, &a);
	if (a.unusable) {
		j->code = ERR_ANSWER;
		j->f->last[j->class] = a.err;
		fetch_blame(&j->f->last[j->class], j->method, j->target);
		j->f->last_class = j->class;
	}
	job_count_end(j);
	if (a.slow_down)
		j->t.retry_after_ms = a.slow_down_ms;
	job_tell_pace(j, a.unusable ? PACE_BAD :
	    a.slow_down ? PACE_SLOW_DOWN : PACE_GOOD);
	return (STEP_DONE);
}

static void
on_wait_over(void *cookie)
{
	struct fetch_job *j = cookie;

	MAGIC_CHECK(j, JOB_MAGIC);
	MUST(j->state == JOB_WAIT);
	fetch_job_ready(j);
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
	int64_t again;

	if (j->timer == NULL) {
		j->timer = loop_timer_new(j->f->loop, on_wait_over, j);
		loop_timer_set(j->timer, retry_delay_ms(j) * 1000);
		return (STEP_WAIT);
	}
	if (loop_timer_pending(j->timer))
		return (STEP_WAIT);
	if ((again = pace_retry(j->f->pace, loop_now_us(j->f->loop))) > 0) {
		loop_timer_set(j->timer, again);
		return (STEP_WAIT);
	}
	loop_timer_free(j->timer);
	j->timer = NULL;
	fetch_job_set_state(j, JOB_QUEUED);
	return (STEP_WAIT);
}

static enum step
step_failed(struct fetch_job *j)
{
	struct fetch_answer a = { .err = ERR_INIT };
	struct fetch *f = j->f;

	f->stats.failed++;
	if (j->auth_none && !(j->auth_again &&
	    f->last[j->class].code == ERR_AUTH &&
	    f->auth_err.code == ERR_AUTH)) {
		a.err = f->auth_err;
		job_tell(j, &a);
		return (STEP_DONE);
	}
	/* Given up because of the origin, the class may know no error. */
	if (j->given_up && f->last[j->class].code == 0)
		a.err = f->last[f->last_class];
	else
		a.err = f->last[j->class];
	a.held = j->given_up;
	if (j->given_up)
		(void)err_wrap(&a.err, "given up after %g s without a good "
		    "answer", (double)f->give_up_us / 1e6);
	job_tell(j, &a);
	return (STEP_DONE);
}

static enum step
step_cancelled(struct fetch_job *j)
{
	(void)j;
	return (STEP_DONE);
}

void
fetch_job_run(struct fetch_job *j)
{
	enum step what;

	do {
		what = states[j->state].step(j);
	} while (what == STEP_AGAIN);
	if (what == STEP_DONE && j->state != JOB_CANCELLED)
		fetch_job_set_state(j, JOB_CANCELLED);
}

void
fetch_cancel(struct fetch_job *j)
{
	if (j == NULL)
		return;
	MAGIC_CHECK(j, JOB_MAGIC);
	if (j->started)
		j->f->on.stop(j->f->on.cookie, &j->t);
	if (j->state == JOB_SEND || j->state == JOB_RECEIVE)
		job_tell_pace(j, PACE_CANCELLED);
	j->started = false;
	loop_timer_free(j->timer);
	j->timer = NULL;
	/* While its user is told a job is done or failed, and no more. */
	if (j->done != NULL && j->state != JOB_CANCELLED)
		fetch_job_set_state(j, JOB_CANCELLED);
	j->done = NULL;
}

