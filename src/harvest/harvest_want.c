/*
 * What is wanted of a stream: the range asked for, minus what is covered,
 * the re-read tail always. Planned by it, and told by it to those who look
 * from outside (garner gaps, garner explain), for whom each run notes the
 * server's clock in the ledger: "now" is the last run's, fixed once a run.
 */

#include "config.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/must.h"
#include "base/text.h"
#include "base/ticks.h"
#include "harvest/harvest_int.h"
#include "sys/sys.h"

#define CLOCK_NOTE "clock"
/* Cells in a tail: one that changed is written whole, each costs some ten
 * bytes of state. */
#define CELLS 4

static int64_t
later(int64_t x, int64_t y)
{

	return (x > y ? x : y);
}

/* What is young of old was left behind by runs that did not come to their
 * end: those that did have the tail alone. */
void
harvest_wanted(const struct ledger_stream *s, const struct harvest_range *r,
    int64_t tail, struct ranges *out)
{
	int64_t a = r->reread ? r->from :
	    harvest_tail_from(&s->covered, r, tail);
	const struct range *y;
	size_t i;

	ranges_missing(&s->covered, r->from, r->to, out);
	if (tail > 0 || r->reread)
		ranges_add(out, later(a, r->from), r->to);
	for (i = 0; tail > 0 && i < s->young.n; i++) {
		y = &s->young.r[i];
		ranges_add(out, later(y->a, r->from),
		    y->b < r->to ? y->b : r->to);
	}
}

/* What was the tail when it was last read is still open: runs may be further
 * apart than the tail is long. */
int64_t
harvest_tail_from(const struct ranges *covered, const struct harvest_range *r,
    int64_t tail)
{
	int64_t end = r->to;

	if (covered->n > 0 && covered->r[covered->n - 1].b < end)
		end = covered->r[covered->n - 1].b;
	return (end - tail);
}

int64_t
harvest_young_from(const struct ledger_stream *s, int64_t tail)
{
	const struct ranges *c = &s->covered;

	if (tail <= 0)
		return (TICKS_NONE);
	if (s->young_told)
		return (s->young.n > 0 ? s->young.r[0].a : TICKS_NONE);
	return (c->n > 0 ? c->r[c->n - 1].b - tail : TICKS_NONE);
}

int64_t
harvest_tail(const struct harvest *h, const struct source_table *t)
{

	return (t->kind == SOURCE_FRAMES ? h->opt.reread_frames :
	    h->opt.reread);
}

void
harvest_widen(const struct ledger_stream *s, const struct harvest_range *r,
    int64_t tail, struct ranges *out)
{
	const int64_t from = harvest_tail_from(&s->covered, r, tail);
	const struct ledger_cell *k;
	const struct range *y;
	unsigned i;
	size_t n;

	for (i = 0; i < s->ncells; i++) {
		k = &s->cells[i];
		if (k->a < r->from)
			continue;
		if (k->a < from && from < k->b)
			ranges_add(out, k->a, from);
		for (n = 0; tail > 0 && n < s->young.n; n++) {
			y = &s->young.r[n];
			if (y->a < k->b && k->a < y->b && k->b <= r->to)
				ranges_add(out, k->a, k->b);
		}
	}
}

int64_t
harvest_cell_len(const struct harvest *h, const struct source_table *t)
{
	int64_t tail = harvest_tail(h, t), s = tail / CELLS / TICKS_PER_S;

	if (tail <= 0)
		return (0);
	return ((s > 0 ? s : 1) * TICKS_PER_S);
}

int64_t
harvest_cell_floor(int64_t t, int64_t len)
{
	int64_t rest = t % len;

	return (t - (rest < 0 ? rest + len : rest));
}

int64_t
harvest_cells_from(const struct harvest *h, const struct source_table *t,
    const struct harvest_range *r)
{
	int64_t len = harvest_cell_len(h, t);

	if (len == 0)
		return (TICKS_MAX);
	return (harvest_cell_floor(r->to - harvest_tail(h, t), len));
}

uint32_t
harvest_group(uint32_t id, uint32_t group_size)
{

	MUST(id > 0);
	return (1 + (id - 1) / group_size);
}

uint32_t
harvest_group_first(uint32_t group, uint32_t group_size)
{
	uint64_t id;

	MUST(group > 0);
	id = 1 + (uint64_t)(group - 1) * group_size;
	return (id > UINT32_MAX ? UINT32_MAX : (uint32_t)id);
}

static int
write_clock(struct ledger_txn *txn, void *cookie, struct err *e)
{
	const struct harvest *h = cookie;
	char text[64];

	(void)snprintf(text, sizeof(text), "%" PRId64 " %" PRId64, h->now,
	    h->sys->now_ticks(h->sys->cookie));
	return (ledger_note_put(txn, CLOCK_NOTE, text, e));
}

int
harvest_clock_note(struct harvest *h, struct err *e)
{
	int rc;

	MUST(h->now != TICKS_NONE);
	rc = ledger_write(h->ledger, write_clock, h, e);
	/* A full disk is told of by who can wait for room. */
	return (rc == ERR_NOSPACE ? 0 : rc);
}

int
harvest_clock_noted(struct ledger_txn *txn, int64_t *server, int64_t *ours,
    struct err *e)
{
	char text[64], *second;
	int rc;

	rc = ledger_note_get(txn, CLOCK_NOTE, text, sizeof(text), e);
	if (rc != 0)
		return (rc);
	if ((second = strchr(text, ' ')) != NULL)
		*second++ = '\0';
	if (second == NULL ||
	    text_i64(text, INT64_MIN, INT64_MAX, server) != 0 ||
	    text_i64(second, INT64_MIN, INT64_MAX, ours) != 0)
		rc = err_set(e, ERR_CORRUPT, "ledger: the note \"%s\" is no "
		    "clock", CLOCK_NOTE);
	return (rc);
}
