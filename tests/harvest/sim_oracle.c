/*
 * What silver and ledger must say. For each time of a stream the oracle
 * keeps which values silver may hold, and whether it may hold none. A cycle
 * replaces that by what the server had to say there while the cycle lasted,
 * where it is sure that it was read; elsewhere it adds to it. Mostly one
 * possibility is left.
 *
 * An event that was deleted after it was read is gone from silver when its
 * time was read again: where it was, nothing may be.
 */

#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/must.h"
#include "sim.h"

#define IDS_AT 4			/* in a WebID, and how many */
#define IDS 28

struct sim_stream *
sim_stream_find(struct sim *s, const char *webid, size_t len)
{
	uint32_t i;

	for (i = 0; i < s->n; i++)
		if (s->s[i].there && len >= IDS_AT + IDS &&
		    memcmp(webid + IDS_AT, s->s[i].webid + IDS_AT, IDS) == 0)
			return (&s->s[i]);
	return (NULL);
}

static struct sim_key *
key_find(struct sim_stream *st, int64_t t)
{
	uint32_t lo = 0, hi = st->nk, mid;

	while (lo < hi) {
		mid = (lo + hi) / 2;
		if (st->e[st->k[mid].from].t < t)
			lo = mid + 1;
		else
			hi = mid;
	}
	if (lo == st->nk || st->e[st->k[lo].from].t != t)
		return (NULL);
	return (&st->k[lo]);
}

/* --- what the server had to say ------------------------------------------- */

/* In the course of some time, in the form of sim_may(). */
struct said {
	struct sim_key k;
	size_t room;
	uint32_t most, least;	/* events at once */
};

static void
said_at(const struct sim *s, const struct sim_stream *st,
    const struct sim_key *k, int64_t now, struct said *x)
{
	uint32_t i, o, n = 0, rows = sim_rows(s, k);

	for (i = 0; i < k->n; i++)
		if (sim_alive(&st->e[k->from + i], now))
			n++;
	for (i = o = 0; i < k->n; i++) {
		if (!sim_alive(&st->e[k->from + i], now))
			continue;
		/* Of so many the server gives the first only. */
		if (s->ties_all || ++o == n || n >= s->cap_ours)
			sim_may(&x->k, s->ties_all ? o++ : 0)[i] = true;
	}
	for (o = 0; o < rows; o++)
		if (o >= n || (s->ties_all && n >= s->cap_ours))
			sim_may(&x->k, o)[k->n] = true;
	if (n > x->most)
		x->most = n;
	if (n < x->least)
		x->least = n;
}

static void
said_from(const struct sim *s, const struct sim_stream *st,
    const struct sim_key *k, int64_t from, int64_t to, struct said *x)
{
	size_t size = sim_rows(s, k) * ((size_t)k->n + 2);
	const struct sim_event *e;
	uint32_t i;

	if (x->room < size) {
		x->k.may = must_realloc(x->k.may, size, sizeof(bool));
		x->room = size;
	}
	x->k.n = k->n;
	memset(x->k.may, 0, size);
	x->most = 0;
	x->least = UINT32_MAX;
	said_at(s, st, k, from, x);
	for (i = 0; i < k->n; i++) {
		e = &st->e[k->from + i];
		if (e->born > from && e->born <= to)
			said_at(s, st, k, e->born, x);
		if (e->died > from && e->died <= to)
			said_at(s, st, k, e->died, x);
	}
}

static void
said(const struct sim *s, const struct sim_stream *st,
    const struct sim_key *k, const struct sim_cycle *c, struct said *x)
{

	said_from(s, st, k, c->began, c->ended, x);
}

static void
said_free(struct said *x)
{

	free(x->k.may);
	free(x);
}

/* --- a cycle -------------------------------------------------------------- */

/* `sure`: what was said is in silver. Otherwise it may be. */
static void
key_update(const struct sim *s, struct sim_key *k, const struct said *x,
    bool sure)
{
	const bool *said;
	uint32_t i, o;
	bool *may;

	for (o = 0; o < sim_rows(s, k); o++) {
		may = sim_may(k, o);
		said = sim_may(&x->k, o);
		for (i = 0; i <= k->n; i++)
			may[i] = said[i] || (may[i] && !sure);
	}
}

/* Whatever became of the cycles before: when one came to its end, each time
 * was read `reread` after it or later, or in that one. */
static void
key_settled(const struct sim *s, struct sim_key *k, const struct said *x)
{
	uint32_t i, o;

	for (o = 0; o < sim_rows(s, k); o++)
		for (i = 0; i <= k->n; i++)
			sim_may(k, o)[i] = sim_may(k, o)[i] &&
			    sim_may(&x->k, o)[i];
}

static bool
covers(const struct ranges *r, int64_t t)
{

	return (ranges_contains(r, t, t + 1));
}

static void
check_coverage(struct sim *s, struct sim_stream *st,
    const struct sim_cycle *c, bool complete)
{
	struct ranges x;
	size_t i;

	for (i = 0; i < st->before.n; i++)
		SIM_CHECK(s, ranges_contains(&st->after, st->before.r[i].a,
		    st->before.r[i].b), "%s lost coverage", st->name);
	ranges_init(&x);
	ranges_copy(&x, &st->after);
	ranges_subtract(&x, &st->before);
	if (c->to != TICKS_NONE)
		ranges_remove(&x, c->from, c->to);
	SIM_CHECK(s, x.n == 0, "%s: coverage of what was not wanted",
	    st->name);
	ranges_fini(&x);
	SIM_CHECK(s, !complete || ranges_contains(&st->after, c->from, c->to),
	    "%s is neither covered nor set aside", st->name);
}

/* Whether the cycle was about it at all. */
static bool
asked(const struct sim *s, const struct sim_stream *st,
    const struct sim_cycle *c)
{

	return (st->id != 0 && !st->gone && c->from < c->to && (c->group == 0 ||
	    c->group == 1 + (st->id - 1) / s->group_size));
}

/* What is younger was read when it was younger than the tail. */
static int64_t
tail_from(const struct sim *s, const struct sim_stream *st,
    const struct sim_cycle *c)
{
	int64_t end = c->to;

	if (st->before.n > 0 && st->before.r[st->before.n - 1].b < end)
		end = st->before.r[st->before.n - 1].b;
	return (s->reread > 0 && c->to != TICKS_NONE ? end - s->reread :
	    c->to);
}

/* Between two cycles only what is wanted again may change. */
static void
stream_cycle(struct sim *s, struct sim_stream *st, struct sim_cycle *c,
    struct said *x)
{
	bool complete = c->whole && asked(s, st, c) && !st->failed, again;
	int64_t t, tail = tail_from(s, st, c);
	struct sim_key *k;
	uint32_t i;

	check_coverage(s, st, c, complete);
	for (i = 0; i < st->nk && c->to != TICKS_NONE; i++) {
		k = &st->k[i];
		t = st->e[k->from].t;
		if (t < c->from)
			continue;
		if (t >= c->to)
			break;
		if (!covers(&st->after, t))
			continue;
		said(s, st, k, c, x);
		again = c->reread || !covers(&st->before, t) || t >= tail;
		key_update(s, k, x, !covers(&st->before, t) ||
		    (complete && again));
		if (complete && again && x->least >= s->cap_ours)
			c->nexpected++;
		if (!complete || s->reread == 0)
			continue;
		said_from(s, st, k, t + s->reread < c->began ?
		    t + s->reread : c->began, c->ended, x);
		key_settled(s, k, x);
	}
}

/* Listed, or not, all the while; the catalogue must know. */
static void
check_listed(struct sim *s, const struct sim_stream *st,
    const struct sim_cycle *c)
{

	if (st->listed_from <= c->began && c->ended < st->listed_to)
		SIM_CHECK(s, st->id != 0 && !st->gone, "%s is not known",
		    st->name);
	if (c->ended < st->listed_from)
		SIM_CHECK(s, st->id == 0, "%s is known", st->name);
	if (st->listed_to <= c->began)
		SIM_CHECK(s, st->id == 0 || st->gone, "%s is not gone",
		    st->name);
}

static bool
broken_all(const struct sim_stream *st, const struct sim_cycle *c)
{

	return (st->broken_from <= c->began && c->ended < st->broken_to);
}

static bool
broken_any(const struct sim_stream *st, const struct sim_cycle *c)
{

	return (st->broken_from <= c->ended && c->began < st->broken_to);
}

void
sim_oracle_cycle(struct sim *s, struct sim_cycle *c)
{
	struct said *x = must_calloc(1, sizeof(*x));
	struct sim_stream *st;
	uint32_t i;

	c->nexpected = 0;
	for (i = 0; i < s->n; i++) {
		st = &s->s[i];
		if (!st->there)
			continue;
		if (c->whole && c->calm && c->discovers)
			check_listed(s, st, c);
		SIM_CHECK(s, !st->failed || asked(s, st, c), "%s was not to "
		    "be asked", st->name);
		if (c->whole && c->calm && asked(s, st, c)) {
			SIM_CHECK(s, st->failed || !broken_all(st, c) ||
			    (s->reread == 0 && !c->reread && ranges_contains(&st->before,
			    c->from, c->to)),
			    "%s is broken and was not named", st->name);
			SIM_CHECK(s, !st->failed || broken_any(st, c) ||
			    (st->refused && !c->discovers),
			    "%s was set aside", st->name);
		}
		stream_cycle(s, st, c, x);
	}
	SIM_CHECK(s, !c->whole || c->nties >= c->nexpected,
	    "%u times were too full to be read, %u reported", c->nexpected,
	    c->nties);
	said_free(x);
}

void
sim_oracle_tie(struct sim *s, const struct sim_cycle *c, const char *name,
    const char *text)
{
	struct said *x = must_calloc(1, sizeof(*x));
	const char *at = strstr(text, " at ");
	struct sim_key *k = NULL;
	uint32_t i;
	int64_t t;

	for (i = 0; i < s->n && strcmp(s->s[i].name, name) != 0; i++)
		continue;
	SIM_CHECK(s, i < s->n && at != NULL &&
	    ticks_parse(at + 4, strcspn(at + 4, " "), &t) == 0,
	    "%s: %s", name, text);
	if (s->s[i].there)
		k = key_find(&s->s[i], t);
	if (k != NULL)
		said(s, &s->s[i], k, c, x);
	SIM_CHECK(s, x->most >= s->cap_ours, "%s: %s: %u there, cap %u", name,
	    text, x->most, s->cap_ours);
	s->x->ties++;
	said_free(x);
}

/* --- silver --------------------------------------------------------------- */

static bool
same(const struct sim_event *e, const struct sim_row *r)
{
	char text[32];

	if (r->good != (e->serial % 5 != 0))
		return (false);
	if (e->form == 0 || e->form > 2)
		return (r->has_value && r->text == NULL && !r->has_code &&
		    r->value == e->serial + (e->form == 0 ? 0.5 : 0));
	snprintf(text, sizeof(text), "%c%u", e->form == 1 ? 't' : 'S',
	    e->serial);
	return (!r->has_value && r->text != NULL &&
	    strlen(text) == r->text_len &&
	    memcmp(text, r->text, r->text_len) == 0 &&
	    r->has_code == (e->form == 2) &&
	    (e->form != 2 || r->code == e->serial % 320));
}

static void
wrong_row(struct sim *s, const struct sim_stream *st,
    const struct sim_key *k, const struct sim_row *r, const char *what)
{
	char at[TICKS_TEXT_MAX], to[TICKS_TEXT_MAX], ok[800] = "";
	const struct sim_event *e;
	const bool *may = NULL;
	size_t n = 0;
	uint32_t i;

	if (k != NULL && (uint32_t)r->ordinal < sim_rows(s, k))
		may = sim_may(k, (uint32_t)r->ordinal);
	for (i = 0; may != NULL && i < k->n && n < sizeof(ok) - 100; i++) {
		e = &st->e[k->from + i];
		n += (size_t)snprintf(ok + n, sizeof(ok) - n, " %s%u/%u (%s "
		    "- %s)", may[i] ? "" : "not ", e->serial, e->form,
		    ticks_text7(e->born, at), e->died == SIM_NEVER ? "" :
		    ticks_text7(e->died, to));
	}
	sim_broken(s, __FILE__, __LINE__, "silver: %s %s, %d: %s: value %g, "
	    "text %.*s; may be:%s%s", st->name, ticks_text7(r->t, at),
	    r->ordinal, what,
	    r->has_value ? r->value : 0, (int)r->text_len,
	    r->text != NULL ? r->text : "", ok,
	    may != NULL && may[k->n] ? " none" : "");
}

void
sim_oracle_row(struct sim *s, const struct sim_row *r)
{
	struct sim_stream *st = sim_stream_find(s, r->webid, r->webid_len);
	struct sim_key *k;
	uint32_t i;
	bool *may;

	SIM_CHECK(s, st != NULL && strlen(st->webid) == r->webid_len &&
	    memcmp(st->webid, r->webid, r->webid_len) == 0,
	    "silver: a row of %.*s", (int)r->webid_len, r->webid);
	if ((k = key_find(st, r->t)) == NULL ||
	    (uint32_t)r->ordinal >= sim_rows(s, k))
		wrong_row(s, st, k, r, "no such event");
	may = sim_may(k, (uint32_t)r->ordinal);
	if (may[k->n + 1])
		wrong_row(s, st, k, r, "twice");
	may[k->n + 1] = true;
	for (i = 0; i < k->n; i++)
		if (may[i] && same(&st->e[k->from + i], r))
			return;
	wrong_row(s, st, k, r, "another value");
}

void
sim_oracle_rows_end(struct sim *s)
{
	char at[TICKS_TEXT_MAX];
	struct sim_stream *st;
	struct sim_key *k;
	uint32_t i, n, o;
	bool *may;

	for (i = 0; i < s->n; i++) {
		st = &s->s[i];
		for (n = 0; n < st->nk; n++) {
			k = &st->k[n];
			for (o = 0; o < sim_rows(s, k); o++) {
				may = sim_may(k, o);
				SIM_CHECK(s, may[k->n + 1] || may[k->n],
				    "silver: %s %s, %u is missing", st->name,
				    ticks_text7(st->e[k->from].t, at), o);
				may[k->n + 1] = false;
			}
		}
	}
}
