#ifndef HARVEST_HARVEST_WALK_INT_H
#define HARVEST_HARVEST_WALK_INT_H

/*
 * What the files that read lists share.
 *
 *	harvest_walk.c		units, their pages, walks of the catalogue
 *	harvest_frames.c	frames: windows, and what is new in them
 */

#include "harvest/harvest_int.h"

enum unit_state { UNIT_READY, UNIT_ASKED, UNIT_DONE };

struct unit {
	uint32_t magic;
	struct harvest_walk *walk;
	struct unit *next;
	enum unit_state state;
	uint32_t id;			/* of the parent object, 0: root */
	char *key;
	char *name;
	struct source_walk at;		/* page, of the window or of frames
					 * that are missing in it */
	int64_t a, b;			/* frames: the window */
	struct rows *rows;		/* of its pages so far, or NULL */
	struct fetch_job *job;		/* UNIT_ASKED */
	unsigned tries;			/* of this page, unusable answers */
	bool cell;			/* frames: kept to be compared */
	bool first;			/* frames: the window before is not read
					 * in this run */
	struct ledger_cell before;	/* frames: what it was up to before.b,
					 * before.a < before.b */
	int64_t since;			/* frames: young from here */
	uint32_t listed;		/* rows of the window itself */
	struct harvest_open *known;	/* the walk's; NULL: not followed */
	struct harvest_opens *opens;	/* with `known`, learnt so far */
	struct ranges missing;		/* to be asked by beginning */
	size_t nasked;			/* of them */
};

/* Of an object whose frames are read: its units share it. */
struct known {
	struct known *next;
	struct harvest_open *open;
};

struct harvest_walk {
	struct harvest *h;
	const struct source_table *table;
	struct harvest_writer *writer;
	struct unit *units;
	struct unit **tail;
	struct unit *head;		/* those before it are UNIT_DONE */
	struct known *known;
	unsigned nunits;
	unsigned in[UNIT_DONE + 1];	/* units by state */
	unsigned forbidden;		/* by 403 */
	bool abandoned;
};

/* One more unit, UNIT_READY; its window is the caller's to set. */
struct unit *harvest_unit_add(struct harvest_walk *, uint32_t id,
    const char *key, const char *name);

/* --- frames (harvest_frames.c) ------------------------------------------- */

/* Units for what is wanted of the frames of an object. */
int harvest_frames_plan(struct harvest_walk *, struct ledger_txn *,
    const struct harvest_range *, const struct ledger_object *,
    struct err *);
/* The last page is in: whether more is to be asked, now in u->at. */
bool harvest_frames_more(struct unit *);
/* All is in: its rows and what they prove go to the batch. */
void harvest_frames_deliver(struct unit *);

#endif
