#ifndef HARVEST_HARVEST_FORM_H
#define HARVEST_HARVEST_FORM_H

/*
 * Which form of asking for windows of streams is the cheapest: each stream
 * by itself, sets of them, or requests of one stream in a batch. Decides by
 * what each has cost, does no I/O, knows no clock: a function of what it is
 * told.
 *
 * Each form that may be used is tried a few times, first of all sets, and a
 * form that never worked one request at a time. Then the cheapest is used;
 * another one is looked at again once in HARVEST_FORM_AGAIN requests. What
 * was learnt is kept as text from run to run.
 */

#include <stdbool.h>
#include <stdint.h>

struct buf;

enum harvest_form {
	HARVEST_ONE,
	HARVEST_SET,
	HARVEST_BATCH,
	HARVEST_FORMS
};

/* "one", "set", "batch". */
const char *harvest_form_name(enum harvest_form);

#define HARVEST_FORM_AGAIN 256u
/* A form that was refused is left alone for so long. */
#define HARVEST_FORM_CLOSED_S 86400

struct harvest_choice {
	bool can[HARVEST_FORMS];	/* there is such a form, and it may be
					 * used */
	enum harvest_form use;
	struct harvest_form_cost {
		double us, work;	/* sums, fading */
		unsigned n;		/* measured, up to a few */
		unsigned tries;		/* to measure it, in this run */
		unsigned air;		/* to be measured, in flight */
		unsigned fails;		/* in a row, of whole requests */
		int64_t closed_s;	/* Unix: refused until then */
	} cost[HARVEST_FORMS];
	uint64_t asked;			/* that were to be measured */
	uint64_t changed;		/* as `asked` was then; 0: never */
	uint32_t most_max;		/* requests of a batch, */
	uint32_t most;			/* and as the server bears them */
};

/* One form at least may be used. */
void harvest_form_init(struct harvest_choice *,
    const bool can[HARVEST_FORMS], uint32_t most);
/* Requests of a batch now: few at first, to see whether it works. */
uint32_t harvest_form_most(const struct harvest_choice *);
/* For the next request. */
enum harvest_form harvest_form_next(struct harvest_choice *, int64_t unix_s);
/* One was sent in that form and will be measured: done, failed or lost. */
void harvest_form_sent(struct harvest_choice *, enum harvest_form);
/*
 * It has taken so long for so much work, 0 for none. True, as from the
 * others: another form is used from now on.
 */
bool harvest_form_done(struct harvest_choice *, enum harvest_form,
    double us, double work, int64_t unix_s);
/* Nothing came of it that is about the form. */
void harvest_form_lost(struct harvest_choice *, enum harvest_form);

/* Of requests measured or not: the server has no such form. */
bool harvest_form_refused(struct harvest_choice *, enum harvest_form,
    int64_t unix_s);
/* A batch failed as a whole, or was too much: the next are smaller; after a
 * few in a row there are none. */
bool harvest_form_failed(struct harvest_choice *, int64_t unix_s);
/* What was refused may be tried again. */
void harvest_form_reopen(struct harvest_choice *);
/* A batch was answered: they grow back. */
void harvest_form_good(struct harvest_choice *);

/* Microseconds for a unit of work, < 0: not known well enough. */
double harvest_form_us(const struct harvest_choice *, enum harvest_form);

/* As JSON, an object; and what of it still holds, for one that was just
 * initialised. */
void harvest_form_put(const struct harvest_choice *, struct buf *);
void harvest_form_get(struct harvest_choice *, const char *text);

#endif
