/*
 * The cheapest form. A cost is a ratio of two fading sums, so that a full
 * answer weighs more than a small one. Another form must be cheaper by a
 * fifth before it is used: measurements have noise, and no form is worth
 * going back and forth for.
 */

#include "config.h"

#include <string.h>

#include "base/buf.h"
#include "base/must.h"
#include "codec/json.h"
#include "harvest/harvest_form.h"

/* Measurements before a form is judged; and what may be lost on the way. */
#define ENOUGH 4u
#define TRIES 16u
#define FADE 0.875
#define BETTER 0.8
/* A measurement counts for so many times the mean at most: one answer that
 * hung does not tell of a form. */
#define ODD 4
/* Requests from one change to the next. */
#define DWELL 32u
/* Whole batches that fail in a row before there are none for a while. */
#define FAILS 3u
#define MOST_MIN 2u
#define MOST_FIRST 16u

static const char *const names[HARVEST_FORMS] = {
	[HARVEST_ONE] = "one", [HARVEST_SET] = "set",
	[HARVEST_BATCH] = "batch",
};

/* The order in which they are tried, and preferred while nothing is known. */
static const enum harvest_form order[HARVEST_FORMS] = { HARVEST_SET,
	HARVEST_BATCH, HARVEST_ONE };

const char *
harvest_form_name(enum harvest_form f)
{

	MUST(f < HARVEST_FORMS);
	return (names[f]);
}

static bool
is_open(const struct harvest_choice *c, enum harvest_form f, int64_t unix_s)
{

	return (c->can[f] && c->cost[f].closed_s <= unix_s);
}

/* Of those that may be used; when all were refused, one all the same. */
static enum harvest_form
first_open(const struct harvest_choice *c, int64_t unix_s)
{
	enum harvest_form f = HARVEST_ONE;
	size_t i;

	for (i = HARVEST_FORMS; i-- > 0;)
		if (c->can[order[i]] && order[i] != HARVEST_BATCH)
			f = order[i];
	for (i = 0; i < HARVEST_FORMS; i++)
		if (is_open(c, order[i], unix_s))
			return (order[i]);
	return (f);
}

void
harvest_form_init(struct harvest_choice *c, const bool can[HARVEST_FORMS],
    uint32_t most)
{

	memset(c, 0, sizeof(*c));
	memcpy(c->can, can, sizeof(c->can));
	c->most = c->most_max = most;
	c->use = first_open(c, INT64_MAX);
}

double
harvest_form_us(const struct harvest_choice *c, enum harvest_form f)
{
	const struct harvest_form_cost *k = &c->cost[f];

	if (k->n < ENOUGH || k->work <= 0)
		return (-1);
	return (k->us / k->work);
}

uint32_t
harvest_form_most(const struct harvest_choice *c)
{
	const unsigned n = c->cost[HARVEST_BATCH].n;

	return (n < ENOUGH && MOST_FIRST << n < c->most ? MOST_FIRST << n :
	    c->most);
}

/* --- choosing ------------------------------------------------------------ */

static bool
choose(struct harvest_choice *c, int64_t unix_s)
{
	enum harvest_form best = c->use, f;
	double least, us;
	size_t i;

	if (!is_open(c, best, unix_s))
		best = first_open(c, unix_s);
	else if (c->changed > 0 && c->asked < c->changed + DWELL)
		return (false);
	least = harvest_form_us(c, best) * BETTER;
	for (i = 0; i < HARVEST_FORMS; i++) {
		f = order[i];
		us = harvest_form_us(c, f);
		if (f == best || !is_open(c, f, unix_s) || us < 0 ||
		    least < 0 || us >= least)
			continue;
		best = f;
		least = us;
	}
	if (best == c->use)
		return (false);
	c->use = best;
	c->changed = c->asked;
	return (true);
}

/* Not yet known, and worth a request now? */
static bool
is_new(const struct harvest_choice *c, enum harvest_form f)
{
	const struct harvest_form_cost *k = &c->cost[f];
	unsigned room = k->n == 0 ? 1 : ENOUGH - k->n;

	return (k->n < ENOUGH && k->air < room && k->tries < TRIES);
}

static unsigned
count_open(const struct harvest_choice *c, int64_t unix_s)
{
	unsigned i, n = 0;

	for (i = 0; i < HARVEST_FORMS; i++)
		n += is_open(c, (enum harvest_form)i, unix_s);
	return (n);
}

enum harvest_form
harvest_form_next(struct harvest_choice *c, int64_t unix_s)
{
	uint64_t turn = c->asked / HARVEST_FORM_AGAIN;
	enum harvest_form f;
	size_t i;

	if (!is_open(c, c->use, unix_s))
		(void)choose(c, unix_s);
	if (count_open(c, unix_s) < 2)
		return (c->use);
	for (i = 0; i < HARVEST_FORMS; i++) {
		f = order[i];
		if (is_open(c, f, unix_s) && is_new(c, f)) {
			c->cost[f].tries++;
			return (f);
		}
	}
	if (c->asked % HARVEST_FORM_AGAIN != HARVEST_FORM_AGAIN - 1)
		return (c->use);
	for (i = 0; i < HARVEST_FORMS; i++) {
		f = order[(turn + i) % HARVEST_FORMS];
		if (f != c->use && is_open(c, f, unix_s))
			return (f);
	}
	return (c->use);
}

/* --- what came of it ----------------------------------------------------- */

void
harvest_form_sent(struct harvest_choice *c, enum harvest_form f)
{

	c->cost[f].air++;
	c->asked++;
}

void
harvest_form_lost(struct harvest_choice *c, enum harvest_form f)
{

	MUST(c->cost[f].air > 0);
	c->cost[f].air--;
}

bool
harvest_form_done(struct harvest_choice *c, enum harvest_form f, double us,
    double work, int64_t unix_s)
{
	struct harvest_form_cost *k = &c->cost[f];
	double mean = harvest_form_us(c, f);

	harvest_form_lost(c, f);
	if (mean >= 0 && work > 0 && us > ODD * mean * work)
		us = ODD * mean * work;
	k->us = k->us * FADE + us;
	k->work = k->work * FADE + work;
	k->n += k->n < ENOUGH;
	return (choose(c, unix_s));
}

bool
harvest_form_refused(struct harvest_choice *c, enum harvest_form f,
    int64_t unix_s)
{

	c->cost[f].closed_s = unix_s + HARVEST_FORM_CLOSED_S;
	c->cost[f].fails = 0;
	return (choose(c, unix_s));
}

bool
harvest_form_failed(struct harvest_choice *c, int64_t unix_s)
{

	c->most = c->most / 2 > MOST_MIN ? c->most / 2 : MOST_MIN;
	if (++c->cost[HARVEST_BATCH].fails < FAILS)
		return (false);
	return (harvest_form_refused(c, HARVEST_BATCH, unix_s));
}

void
harvest_form_reopen(struct harvest_choice *c)
{
	size_t i;

	for (i = 0; i < HARVEST_FORMS; i++)
		c->cost[i].closed_s = 0;
}

void
harvest_form_good(struct harvest_choice *c)
{

	c->cost[HARVEST_BATCH].fails = 0;
	c->most += c->most < c->most_max;
}

/* --- as text ------------------------------------------------------------- */

void
harvest_form_put(const struct harvest_choice *c, struct buf *b)
{
	const struct harvest_form_cost *k;
	size_t i;

	buf_printf(b, "{\"use\":\"%s\",\"asked\":%llu,\"most\":%u",
	    names[c->use], (unsigned long long)c->asked, c->most);
	for (i = 0; i < HARVEST_FORMS; i++) {
		k = &c->cost[i];
		if (!c->can[i])
			continue;
		buf_printf(b, ",\"%s\":{\"us\":%.6g,\"work\":%.6g,\"n\":%u",
		    names[i], k->work > 0 ? k->us / k->work : 0, k->work,
		    k->n);
		if (k->closed_s > 0)
			buf_printf(b, ",\"closed\":%lld",
			    (long long)k->closed_s);
		buf_u8(b, '}');
	}
	buf_u8(b, '}');
}

static double
number(yyjson_val *v, const char *key, double most)
{
	double x = yyjson_get_num(yyjson_obj_get(v, key));

	return (x > 0 && x <= most ? x : 0);
}

void
harvest_form_get(struct harvest_choice *c, const char *text)
{
	struct harvest_form_cost *k;
	yyjson_doc *doc = NULL;
	yyjson_val *root, *v;
	const char *use;
	size_t i;

	if (json_parse(text, strlen(text), &doc, NULL) != 0)
		return;
	root = yyjson_doc_get_root(doc);
	use = json_str(root, "use");
	c->asked = (uint64_t)number(root, "asked", 1e15);
	if (number(root, "most", c->most_max) >= MOST_MIN)
		c->most = (uint32_t)number(root, "most", c->most_max);
	for (i = 0; i < HARVEST_FORMS; i++) {
		if (!c->can[i])
			continue;
		k = &c->cost[i];
		v = yyjson_obj_get(root, names[i]);
		k->work = number(v, "work", 1e15);
		k->us = number(v, "us", 1e15) * k->work;
		k->n = (unsigned)number(v, "n", ENOUGH);
		k->closed_s = (int64_t)number(v, "closed", 1e15);
		if (use != NULL && strcmp(use, names[i]) == 0)
			c->use = (enum harvest_form)i;
	}
	yyjson_doc_free(doc);
}
