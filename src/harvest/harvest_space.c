/*
 * Room on the disk. Below the reserve nothing new is asked; what is in
 * flight and in open batches still has the reserve to go to, so that
 * nothing that was answered is lost. Then the run waits for room, or ends.
 *
 * Someone else may eat the reserve as well, or a quota may end sooner: a
 * commit that finds no room waits too, and is written again as a whole.
 */

#include "config.h"

#include <string.h>

#include "base/msg.h"
#include "base/text.h"
#include "harvest/harvest_int.h"
#include "loop/loop.h"
#include "sys/sys.h"

/* Why, or code 0 while there is room; once full, some more is room. */
static void
look(const struct harvest *h, struct err *e)
{
	const char *dir = h->opt.data_dir;
	uint64_t left, size, want;
	char a[32], b[32];

	e->code = 0;
	if (sys_space(dir, &left, &size, NULL) != 0)
		return;		/* writing will tell */
	want = sys_reserve(h->opt.reserve, size);
	if (left >= want + (h->full ? want / 8 : 0))
		return;
	(void)err_set(e, ERR_NOSPACE, "%s: no space left: %s free, less than "
	    "the reserve of %s (harvest.reserve)", dir,
	    text_bytes_human(left, a, sizeof(a)),
	    text_bytes_human(want, b, sizeof(b)));
}

/* The run ends; what it can still make durable it does. */
static void
give_up(struct harvest *h, const struct err *e)
{

	if (e->code != 0 && h->space_err.code == 0 && !h->stopping)
		h->space_err = *e;
	harvest_commit_give_up(h);
	h->stopping = true;
}

static void
room(struct harvest *h)
{

	h->full = false;
	msg_info("harvest", "there is space again, going on");
	harvest_commit_again(h);
}

void
harvest_space_tick(struct harvest *h)
{
	int64_t now_us = loop_now_us(h->loop);
	struct err e = ERR_INIT;

	look(h, &e);
	if (e.code == 0 && !h->full) {
		h->full_since_us = 0;
		return;
	}
	h->full = true;
	if (h->full_since_us == 0) {
		h->full_since_us = now_us;
		if (e.code != 0 && h->opt.space_wait_us > 0)
			msg_warn("harvest", "%s; waiting for space", e.text);
	}
	if (h->stopping ||
	    now_us - h->full_since_us >= h->opt.space_wait_us)
		give_up(h, &e);
	else if (e.code == 0)
		room(h);
}
