/*
 * Bad answers on their way to a file. A copy is taken before the decoder has
 * destroyed the body, only where giving up may follow: the usual answer
 * costs nothing. Our credentials are overwritten in the copy: a server may
 * quote what it was sent, also in an answer that calls itself good.
 *
 * Keeping must not do harm: at most KEEPING_MAX bodies wait for a worker,
 * of more only what is told about them is kept; a failure to write is told
 * once and ends nothing.
 */

#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "base/msg.h"
#include "base/must.h"
#include "base/ticks.h"
#include "harvest/harvest_int.h"
#include "loop/loop.h"
#include "sys/sys.h"

#define BODY_MAX (1u << 20)
/* Searched beyond that, so that no secret is cut in two unseen. */
#define BODY_MARGIN (16u << 10)
#define KEEPING_MAX 4
#define LANE 62u

struct keep_task {
	struct harvest *h;
	struct harvest_kept k;		/* texts owned */
	char *body;
	struct err err;
};

void
harvest_copy_take(const struct harvest *h, struct harvest_copy *c,
    const struct fetch_answer *a)
{
	size_t n = a->len < BODY_MAX + BODY_MARGIN ? a->len :
	    BODY_MAX + BODY_MARGIN;

	c->whole = a->len;
	if (h->opt.quarantine == 0 || n == 0 || a->body == NULL)
		return;
	MUST(c->body == NULL);
	c->body = must_calloc(1, n);
	memcpy(c->body, a->body, n);
	fetch_conceal(h->fetch, c->body, n);
	c->len = n < BODY_MAX ? n : BODY_MAX;
}

void
harvest_copy_free(struct harvest_copy *c)
{

	free(c->body);
	memset(c, 0, sizeof(*c));
}

static void
keep_work(void *cookie)
{
	struct keep_task *t = cookie;
	const struct harvest *h = t->h;

	(void)harvest_kept_write(h->sys, h->opt.data_dir, &t->k, t->body,
	    h->opt.quarantine, &t->err);
}

static void
task_free(struct keep_task *t)
{

	free((void *)t->k.table);
	free((void *)t->k.stream);
	free((void *)t->k.key);
	free((void *)t->k.target);
	free((void *)t->k.reason);
	free(t->body);
	free(t);
}

static void
keep_done(void *cookie)
{
	struct keep_task *t = cookie;
	struct harvest *h = t->h;

	h->keeping--;
	if (t->err.code != 0 && !h->keeping_failed) {
		h->keeping_failed = true;
		msg_warn("quarantine", "an answer that could not be used is "
		    "not kept: %s", t->err.text);
	}
	task_free(t);
	harvest_poke(h);
}

/* Text that may quote us, or be longer than anyone reads. */
static char *
clean(const struct harvest *h, const char *text, size_t max)
{
	char *s = must_strndup(text != NULL ? text : "", max);

	fetch_conceal(h->fetch, s, strlen(s));
	return (s);
}

void
harvest_quarantine(struct harvest *h, const struct harvest_bad *bad,
    struct harvest_copy *copy)
{
	struct keep_task *t;

	if (h->opt.quarantine == 0)
		return;
	t = must_calloc(1, sizeof(*t));
	t->h = h;
	harvest_kept_id(h->opt.source_name, bad->table, bad->key, t->k.id);
	t->k.at = h->sys->now_ticks(h->sys->cookie);
	t->k.source = h->opt.source_name;
	t->k.table = must_strdup(bad->table);
	t->k.stream = must_strdup(bad->stream != NULL ? bad->stream : "");
	t->k.key = must_strdup(bad->key != NULL ? bad->key : "");
	t->k.a = bad->a;
	t->k.b = bad->b;
	t->k.target = clean(h, bad->target, 8192);
	t->k.status = bad->status;
	t->k.code = err_text(bad->code);
	t->k.reason = clean(h, bad->reason, sizeof(t->err.text));
	t->k.len = copy->whole;
	if (h->keeping < KEEPING_MAX) {
		t->k.kept = copy->len;
		t->body = copy->body;
		copy->body = NULL;
	}
	h->keeping++;
	loop_work(h->loop, LANE, keep_work, keep_done, t);
}
