/*
 * One origin: its jobs, their lists, and the turn that drives them. The
 * transport only notes that a transfer ended and wakes us; fetch_turn() is
 * the one driver: it steps the jobs that are ready, then lets in new ones
 * through the one door, fetch_admit(), and is bounded in length. Users are
 * called from there and nowhere else. A job that is over rests until the end
 * of the turn.
 */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/must.h"
#include "fetch/fetch_int.h"
#include "loop/loop.h"

/* Jobs stepped in one turn; then the loop's other work has its own. */
#define TURN_JOBS 1024u

void
fetch_wake(struct fetch *f)
{
	if (f->in_turn || f->awake)
		return;
	f->awake = true;
	loop_timer_set(f->turn, 0);
}

/* --- the turn ------------------------------------------------------------ */

static void
fetch_rest(struct fetch *f)
{
	struct fetch_job *j;

	while ((j = TAILQ_FIRST(&f->lists[JOB_CANCELLED])) != NULL)
		fetch_job_free(j);
}

static void
fetch_destroy(struct fetch *f)
{
	size_t i;

	fetch_rest(f);
	for (i = 0; i < JOB_STATES; i++)
		MUST(f->counts[i] == 0);
	f->on.free(f->on.cookie);
	if (f->auth.free != NULL)
		f->auth.free(f->auth.cookie);
	pace_free(f->pace);
	loop_timer_free(f->turn);
	fetch_jobs_fini(f);
	fetch_bodies_fini(f);
	for (i = 0; i < f->levels_n; i++)
		free(f->levels[i]);
	free(f->levels);
	free(f->origin);
	f->magic = 0;
	free(f);
}

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
		fetch_job_run(j);
	}
	fetch_rest(f);
	f->in_turn = false;
	if (f->dying)
		fetch_destroy(f);
	else if (n == TURN_JOBS)
		fetch_wake(f);
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
	MUST(r->class < PACE_CLASSES);
	MUST(strcmp(r->method, "GET") == 0 || strcmp(r->method, "POST") == 0);
	j = fetch_job_new(f, r->target);
	j->done = done;
	j->cookie = cookie;
	j->method = r->method[0] == 'G' ? "GET" : "POST";
	j->body = r->body;
	j->body_len = r->body_len;
	j->content_type = r->content_type;
	j->priority = r->priority;
	j->class = r->class;
	j->tries_max = r->tries > 0 ? r->tries : f->tries;
	j->about = r->about;
	buf_init(&j->t.in, f->body_max + LIMIT_PADDING);
	fetch_job_set_state(j, JOB_QUEUED);
	return (j);
}

void
fetch_stats(const struct fetch *f, struct fetch_stats *out)
{
	MAGIC_CHECK(f, FETCH_MAGIC);
	*out = f->stats;
	out->in_flight = f->counts[JOB_SEND] + f->counts[JOB_RECEIVE];
	out->queued = f->counts[JOB_QUEUED] + f->counts[JOB_WAIT];
}

const struct fetch_hists *
fetch_hists(const struct fetch *f)
{
	MAGIC_CHECK(f, FETCH_MAGIC);
	return (&f->hists);
}

void
fetch_pace(const struct fetch *f, struct pace_state *out)
{
	MAGIC_CHECK(f, FETCH_MAGIC);
	pace_get_state(f->pace, out);
}

void
fetch_get_spent(struct fetch *f, struct pace_spent *out)
{
	MAGIC_CHECK(f, FETCH_MAGIC);
	pace_get_spent(f->pace, loop_now_us(f->loop), loop_unix_s(f->loop),
	    out);
}

void
fetch_set_quotas(struct fetch *f, const struct pace_spent *s)
{
	MAGIC_CHECK(f, FETCH_MAGIC);
	pace_set_quotas(f->pace, s, loop_now_us(f->loop),
	    loop_unix_s(f->loop));
}

void
fetch_grant(struct fetch *f, const struct pace_claims *c)
{
	MAGIC_CHECK(f, FETCH_MAGIC);
	pace_grant(f->pace, c);
	fetch_wake(f);
}

unsigned
fetch_room(const struct fetch *f)
{
	struct fetch_stats s;
	struct pace_state p;
	unsigned most, there;

	fetch_stats(f, &s);
	pace_get_state(f->pace, &p);
	/* A few wait, so that an end finds its successor at the door. */
	most = p.limit + p.limit / BOUND_QUEUE_PART + 1;
	there = s.in_flight + s.queued;
	return (there < most ? most - there : 0);
}

static void
wake_up(void *cookie)
{
	struct fetch *f = cookie;

	MAGIC_CHECK(f, FETCH_MAGIC);
	fetch_wake(f);
}

/* --- making and freeing -------------------------------------------------- */

static struct pace *
pace_of(struct loop *loop, const struct fetch_options *o)
{
	const struct pace_params p = {
		.rate = o->rate, .burst = o->burst,
		.in_flight = o->in_flight, .adaptive = o->adaptive,
		.calendar = o->calendar, .budget_hour = o->budget_hour,
		.budget_day = o->budget_day,
		.breaker_failures = o->breaker_failures,
		.breaker_ratio = o->breaker_ratio,
		.breaker_open_us = o->breaker_open_ms * 1000,
		.breaker_open_max_us = o->breaker_open_max_ms * 1000,
		.give_up_us = o->give_up_ms * 1000,
		.retry_share = o->retry_share, .retry_rate = o->retry_rate,
	};

	return (pace_new(&p, loop_now_us(loop), loop_unix_s(loop)));
}

int
fetch_new_on(struct loop *loop, const struct fetch_options *o,
    const struct fetch_transport *on, const struct fetch_authorizer *auth,
    struct fetch **out, struct err *e)
{
	struct fetch *f;
	int i, rc;

	*out = NULL;
	if ((rc = fetch_origin_check(o, e)) != 0) {
		on->free(on->cookie);
		if (auth != NULL && auth->free != NULL)
			auth->free(auth->cookie);
		return (rc);
	}
	MUST(o->in_flight > 0 && o->tries > 0 && o->body_max > 0);
	MUST(o->retry_base_ms >= 0 && o->retry_cap_ms >= 0);
	f = must_calloc(1, sizeof(*f));
	f->magic = FETCH_MAGIC;
	f->loop = loop;
	f->on = *on;
	if (auth != NULL && auth->get != NULL) {
		f->auth = *auth;
		f->auth.listen(f->auth.cookie, wake_up, f);
	}
	f->turn = loop_timer_new(loop, fetch_turn, f);
	f->origin = must_strdup(o->origin);
	f->origin_len = strlen(f->origin);
	f->pace = pace_of(loop, o);
	f->body_max = o->body_max;
	f->tries = o->tries;
	f->retry_base_ms = o->retry_base_ms;
	f->retry_cap_ms = o->retry_cap_ms;
	f->give_up_us = o->give_up_ms * 1000;
	MUST(o->quotas_n <= PACE_QUOTAS);
	f->quotas = o->quotas;
	f->quotas_n = o->quotas_n;
	rng_init(&f->rng, o->seed);
	TAILQ_INIT(&f->ready);
	TAILQ_INIT(&f->spare);
	for (i = 0; i < JOB_STATES; i++)
		TAILQ_INIT(&f->lists[i]);
	*out = f;
	return (0);
}

static void
cancel_list(struct fetch_job_list *list)
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

void
fetch_judge(const struct fetch *f, const char *target,
    struct fetch_answer *a)
{
	struct fetch_transfer t = { .method = "GET", .status = a->status,
		.in = { .data = (uint8_t *)a->body, .len = a->len } };
	int code = fetch_status_code(a->status);

	memset(&a->err, 0, sizeof(a->err));
	if (code == 0)
		return;
	fetch_conceal(f, a->body, a->len);
	fetch_explain(&a->err, code, &t, target, 1);
}

void
fetch_conceal(const struct fetch *f, char *text, size_t len)
{

	if (f->auth.hide != NULL && len > 0)
		f->auth.hide(f->auth.cookie, text, len);
}
