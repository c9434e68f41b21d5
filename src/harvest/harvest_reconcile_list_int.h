#ifndef HARVEST_HARVEST_RECONCILE_LIST_INT_H
#define HARVEST_HARVEST_RECONCILE_LIST_INT_H

/*
 * What the files share that hold lists against the server.
 *
 *	harvest_reconcile_list.c	ours, theirs, and what differs
 *	harvest_reconcile_walk.c	objects of walks
 *	harvest_reconcile_frames.c	frames
 */

#include "harvest/harvest_int.h"

/* A row of ours. */
struct own {
	uint64_t key;			/* hashes */
	uint64_t digest;
	uint64_t order;			/* in the journal */
	bool seen;			/* by its key, at the server */
	bool free;			/* its content is not compared: of
					 * another schema, or an open frame */
};

/* The list of one parent, or of the root. */
struct unit {
	uint32_t magic;
	struct check *check;
	char *key, *name;		/* NULL: the root */
	struct source_walk at;		/* frames: with the window */
	int64_t a, b;			/* frames: of their beginnings */
	struct rows *rows;		/* of its pages so far */
	struct fetch_job *job;		/* while asked */
};

struct check {
	struct harvest *h;
	struct harvest_reconcile *o;
	const struct source_table *table;
	struct own *own;		/* by key, once read */
	size_t n, cap;
	uint64_t read;			/* rows, so far */
	int64_t from, to;		/* frames: those of ours that begin
					 * there are looked at, */
	struct ranges judged;		/* and there what is gone is told */
	struct unit **units;
	size_t nunits, asked, out;	/* next to ask; in flight */
	uint64_t failed;
	/* the row at hand */
	struct source_object object;
	uint64_t key;
	int64_t began;			/* of a frame, or TICKS_NONE */
	bool open;
};

/* Ours, read and put in order, of rows with one key the newest; *any: there
 * is something committed. */
int harvest_list_ours(struct check *, enum harvest_group_from, bool *any,
    struct err *);
/* One more list to be asked for; o NULL: of the root. */
struct unit *harvest_list_unit(struct check *, const struct ledger_object *o);
/* Asks for all lists, and tells what of them is not as ours. */
int harvest_list_theirs(struct check *, struct err *);
/* Tells what of ours was in none of them. */
int harvest_list_unseen(struct check *, enum harvest_group_from,
    struct err *);
void harvest_list_fini(struct check *);

#endif
