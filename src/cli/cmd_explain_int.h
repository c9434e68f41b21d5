#ifndef CLI_CMD_EXPLAIN_INT_H
#define CLI_CMD_EXPLAIN_INT_H

/*
 * What the files of garner explain share.
 *
 *	cmd_explain.c		finds the stream, and what follows from it
 *	cmd_explain_print.c	tells it
 */

#include "base/buf.h"
#include "base/ranges.h"
#include "cli/cli.h"
#include "delta/delta.h"
#include "harvest/harvest.h"
#include "ledger/ledger.h"

struct arena;

/* A stream that was found, kept beyond the reading. */
struct found {
	const struct source_table *table;
	struct ledger_object o;		/* texts in the arena */
	struct ledger_stream s;		/* covered: owned */
	struct ledger_group g;
	uint32_t group;
};

/* Another one of its name: the point was deleted and made again. */
struct namesake {
	uint32_t id;
	const char *key;		/* in the arena */
	bool gone;
	uint64_t values;
	int64_t last_event;
};

struct partition {
	const char *name;		/* borrowed from the snapshot */
	uint64_t files, bytes;
};

struct explain {
	struct app *app;
	const char *wanted;		/* the operand */
	struct arena *arena;
	struct found one;
	uint64_t hits, exact;
	uint64_t there;			/* exact ones in the catalogue */
	bool tables;			/* exact ones in several tables */
	struct buf names;		/* of the first hits */
	struct namesake *same;
	size_t nsame;
	int64_t noted, now;		/* the server's clock */
	struct harvest_range range;	/* up to `noted` */
	struct harvest_range next;	/* up to `now` */
	struct ranges missing;
	struct ranges ties;		/* covered, but not fully readable */
	struct ranges ask;		/* by the next run */
	struct delta_snapshot silver;
	struct partition *parts;
	size_t nparts;
	bool compacted;			/* nothing new in the journal */
	char form[HARVEST_FORM_WORD_MAX];	/* of asking, or "" */
	struct buf out;
};

/* It will not be asked until something happens. */
bool explain_held(const struct explain *);
/* Into out. (cmd_explain_print.c) */
void explain_json(struct explain *);
void explain_text(struct explain *);

#endif
