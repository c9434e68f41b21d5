/*
 * Budgets of an hour and of a day, and the server's own quotas: what is spent
 * of them, what they hold back, and how that is handed on from a process to
 * the next and shared by several at once: each claims from one sum what it
 * is about to spend.
 */
#include "config.h"

#include "base/must.h"
#include "pace/pace_int.h"

#define HOUR_S 3600
#define DAY_S 86400
/* Midnight may move, with the zone. */
#define MIDNIGHT_US (60 * INT64_C(1000000))
/* Asked again so often while more is being claimed. */
#define CLAIM_US INT64_C(1000000)
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

/* What is known of another hour than this one is that nothing is claimed. */
static bool
span_spent(const struct pace *p, const struct pace_span *s,
    const struct pace_span *claimed, uint64_t budget)
{
	if (p->claiming && budget > 0)
		budget = claimed->number == s->number ? claimed->used : 0;
	else if (budget == 0)
		return (false);
	return (s->used >= budget);
}

/* Is that all there is of it, or is more being claimed? */
static bool
span_over(const struct pace *p, const struct pace_span *s,
    const struct pace_span *claimed, bool dry)
{

	return (!p->claiming || (dry && claimed->number == s->number));
}

const char *
pace_spent_what(struct pace *p, int64_t now_us, int64_t unix_s,
    int64_t *wait_us)
{
	const struct pace_claims *c = &p->claims;
	const char *what = NULL;
	unsigned i;

	MAGIC_CHECK(p, PACE_MAGIC);
	*wait_us = 0;
	if (span_spent(p, &p->hour, &c->hour, p->p.budget_hour)) {
		*wait_us = span_over(p, &p->hour, &c->hour, c->hour_dry) ?
		    ((p->hour.number + 1) * HOUR_S - unix_s) * 1000000 :
		    CLAIM_US;
		what = "the budget of the hour";
	} else if (span_spent(p, &p->day, &c->day, p->p.budget_day)) {
		*wait_us = span_over(p, &p->day, &c->day, c->day_dry) ?
		    MIDNIGHT_US : CLAIM_US;
		what = "the budget of the day";
	}
	if (what != NULL)
		return (what);
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
pace_set_quotas(struct pace *p, const struct pace_spent *s, int64_t now_us,
    int64_t unix_s)
{
	unsigned i;

	MAGIC_CHECK(p, PACE_MAGIC);
	for (i = 0; i < PACE_QUOTAS; i++)
		if (s->quotas[i].until_s > unix_s) {
			p->quotas[i].left = s->quotas[i].left;
			p->quotas[i].until_us = now_us +
			    (s->quotas[i].until_s - unix_s) * 1000000;
		}
}

static bool
quota_same(const struct pace_spent *a, const struct pace_spent *b, unsigned i)
{
	int64_t apart = a->quotas[i].until_s - b->quotas[i].until_s;

	return (a->quotas[i].left == b->quotas[i].left &&
	    apart <= NEAR_S && apart >= -NEAR_S);
}

bool
pace_add_quotas(struct pace_spent *sum, const struct pace_spent *from,
    const struct pace_spent *to)
{
	bool any = false;
	unsigned i;

	for (i = 0; i < PACE_QUOTAS; i++)
		if (to->quotas[i].until_s != 0 && !quota_same(from, to, i)) {
			sum->quotas[i] = to->quotas[i];
			any = true;
		}
	return (any);
}

/* --- shared -------------------------------------------------------------- */

/* One of the two budgets, while it is claimed. */
struct share {
	struct pace_span *sum;
	struct pace_span *mine;
	uint64_t own;			/* sent by us */
	uint64_t budget;		/* 0: none */
	bool late;			/* the next one has begun for others */
};

static struct share
share_init(struct pace_span *sum, struct pace_span *mine,
    const struct pace_span *own, uint64_t budget)
{
	struct share s = { sum, mine, own->used, budget,
	    sum->number == own->number + 1 };

	if (s.late)
		return (s);
	if (mine->number != own->number)
		*mine = (struct pace_span){ .number = own->number };
	/* A sum of another time is a clock put right, or of one gone by. */
	if (sum->number != own->number) {
		*sum = (struct pace_span){ .number = own->number };
		mine->used = 0;
	}
	return (s);
}

/* What may be ours beyond what we have sent. */
static uint64_t
share_free(const struct share *s)
{
	uint64_t taken = s->own;

	if (s->late)
		return (0);
	if (s->budget == 0)
		return (UINT64_MAX);
	if (s->sum->used > s->mine->used)
		taken += s->sum->used - s->mine->used;
	return (s->budget > taken ? s->budget - taken : 0);
}

static uint64_t
share_most(const struct share *s, uint64_t ahead)
{
	uint64_t all = share_free(s), half = all - all / 2;

	return (ahead < half ? ahead : half);
}

static bool
share_take(const struct share *s, uint64_t ahead, bool last)
{
	uint64_t to = s->own + (s->budget > 0 ? ahead : 0);

	if (s->late)
		return (false);
	if (to < s->mine->used && !last)
		to = s->mine->used;
	if (to == s->mine->used)
		return (false);
	s->sum->used = s->sum->used > s->mine->used ?
	    s->sum->used - s->mine->used + to : to;
	s->mine->used = to;
	return (true);
}

bool
pace_claim(const struct pace_budget *b, struct pace_spent *sum,
    struct pace_claims *mine, const struct pace_spent *own, uint64_t ahead,
    bool last)
{
	struct share hour = share_init(&sum->hour, &mine->hour, &own->hour,
	    b->hour);
	struct share day = share_init(&sum->day, &mine->day, &own->day,
	    b->day);
	bool changed;

	mine->hour_dry = !hour.late && share_free(&hour) == 0;
	mine->day_dry = !day.late && share_free(&day) == 0;
	ahead = last ? 0 : share_most(&hour, share_most(&day, ahead));
	changed = share_take(&hour, ahead, last);
	return (share_take(&day, ahead, last) || changed);
}

void
pace_grant(struct pace *p, const struct pace_claims *c)
{

	MAGIC_CHECK(p, PACE_MAGIC);
	p->claiming = true;
	p->claims = *c;
}

static uint64_t
span_granted(const struct pace_span *mine, const struct pace_span *own,
    uint64_t budget)
{

	if (budget == 0)
		return (UINT64_MAX);
	return (mine->number == own->number && mine->used > own->used ?
	    mine->used - own->used : 0);
}

uint64_t
pace_granted(const struct pace_budget *b, const struct pace_claims *c,
    const struct pace_spent *own)
{
	uint64_t hour = span_granted(&c->hour, &own->hour, b->hour);
	uint64_t day = span_granted(&c->day, &own->day, b->day);

	return (hour < day ? hour : day);
}
