/*
 * Budgets of an hour and of a day, and the server's own quotas: what is spent
 * of them, what they hold back, and how that is handed on from a process to
 * the next and between several at once: each adds what it spent itself to
 * one sum, so that none forgets the others.
 */
#include "config.h"

#include "base/must.h"
#include "pace/pace_int.h"

#define HOUR_S 3600
#define DAY_S 86400
/* Midnight may move, with the zone. */
#define MIDNIGHT_US (60 * INT64_C(1000000))
/* Times told in seconds differ by so much without meaning it. */
#define NEAR_S 2

static void
span_move(struct pace_span *s, int64_t number)
{

	if (s->number != number)
		*s = (struct pace_span){ .number = number };
}

void
pace_budgets(struct pace *p, int64_t unix_s)
{
	int64_t local = unix_s;

	if (p->p.calendar != NULL)
		local += pace_calendar_offset(p->p.calendar, unix_s);
	span_move(&p->hour, unix_s / HOUR_S);
	span_move(&p->day, local / DAY_S);
}

const char *
pace_spent_what(struct pace *p, int64_t now_us, int64_t unix_s,
    int64_t *wait_us)
{
	const char *what = NULL;
	unsigned i;

	MAGIC_CHECK(p, PACE_MAGIC);
	*wait_us = 0;
	if (p->p.budget_hour > 0 && p->hour.used >= p->p.budget_hour) {
		*wait_us = ((p->hour.number + 1) * HOUR_S - unix_s) * 1000000;
		return ("the budget of the hour");
	}
	if (p->p.budget_day > 0 && p->day.used >= p->p.budget_day) {
		*wait_us = MIDNIGHT_US;
		return ("the budget of the day");
	}
	for (i = 0; i < PACE_QUOTAS; i++)
		if (p->quotas[i].left == 0 &&
		    p->quotas[i].until_us - now_us > *wait_us) {
			*wait_us = p->quotas[i].until_us - now_us;
			what = "the server's quota";
		}
	return (what);
}

void
pace_remaining(struct pace *p, unsigned which, uint64_t requests,
    int64_t until_us)
{

	MAGIC_CHECK(p, PACE_MAGIC);
	MUST(which < PACE_QUOTAS);
	/* Those in flight were perhaps not counted yet. */
	p->quotas[which].left = requests > p->in_flight ?
	    requests - p->in_flight : 0;
	p->quotas[which].until_us = until_us;
}

/* --- handed on ----------------------------------------------------------- */

void
pace_get_spent(struct pace *p, int64_t now_us, int64_t unix_s,
    struct pace_spent *out)
{
	int64_t left_us;
	unsigned i;

	MAGIC_CHECK(p, PACE_MAGIC);
	pace_budgets(p, unix_s);
	*out = (struct pace_spent){ .hour = p->hour, .day = p->day };
	for (i = 0; i < PACE_QUOTAS; i++) {
		left_us = p->quotas[i].until_us - now_us;
		if (p->quotas[i].until_us == 0 || left_us <= 0)
			continue;
		out->quotas[i].left = p->quotas[i].left;
		out->quotas[i].until_s = unix_s + (left_us + 999999) /
		    1000000;
	}
}

void
pace_set_spent(struct pace *p, const struct pace_spent *s, int64_t now_us,
    int64_t unix_s)
{
	unsigned i;

	MAGIC_CHECK(p, PACE_MAGIC);
	pace_budgets(p, unix_s);
	if (s->hour.number == p->hour.number)
		p->hour.used = s->hour.used;
	if (s->day.number == p->day.number)
		p->day.used = s->day.used;
	for (i = 0; i < PACE_QUOTAS; i++)
		if (s->quotas[i].until_s > unix_s) {
			p->quotas[i].left = s->quotas[i].left;
			p->quotas[i].until_us = now_us +
			    (s->quotas[i].until_s - unix_s) * 1000000;
		}
}

/* A sum of another time is a clock put right, or of an hour gone by. */
static void
span_add(struct pace_span *sum, const struct pace_span *from,
    const struct pace_span *to)
{

	if (sum->number == to->number)
		sum->used += to->used -
		    (from->number == to->number ? from->used : 0);
	else if (sum->number != to->number + 1)
		*sum = *to;
}

static bool
quota_same(const struct pace_spent *a, const struct pace_spent *b, unsigned i)
{
	int64_t apart = a->quotas[i].until_s - b->quotas[i].until_s;

	return (a->quotas[i].left == b->quotas[i].left &&
	    apart <= NEAR_S && apart >= -NEAR_S);
}

void
pace_add_spent(struct pace_spent *sum, const struct pace_spent *from,
    const struct pace_spent *to)
{
	unsigned i;

	span_add(&sum->hour, &from->hour, &to->hour);
	span_add(&sum->day, &from->day, &to->day);
	for (i = 0; i < PACE_QUOTAS; i++)
		if (to->quotas[i].until_s != 0 && !quota_same(from, to, i))
			sum->quotas[i] = to->quotas[i];
}

bool
pace_same_spent(const struct pace_spent *a, const struct pace_spent *b)
{
	unsigned i;

	for (i = 0; i < PACE_QUOTAS; i++)
		if (!quota_same(a, b, i))
			return (false);
	return (a->hour.number == b->hour.number &&
	    a->hour.used == b->hour.used &&
	    a->day.number == b->day.number && a->day.used == b->day.used);
}
