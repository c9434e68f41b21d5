#ifndef SOURCE_SOURCE_SCAN_INT_H
#define SOURCE_SOURCE_SCAN_INT_H

/*
 * What the files that read the usual answer from its text share.
 *
 *	source_scan.c		lists, and what is around them
 *	source_scan_item.c	one item, into its row
 *	source_scan_run.c	items written like the one before
 *	source_scan_value.c	one value, into its cells
 *	source_scan_skip.c	behind a value
 *	source_batch.c		answers that came together
 *
 * The text ends with a NUL, which no token holds: nothing looks beyond it
 * but for loads of up to 64 bytes, which the padding of bodies allows.
 */

#include "source/source_digits.h"
#include "source/source_series_int.h"

#define SOURCE_MINUTE 16	/* YYYY-MM-DDTHH:MM */
#define SOURCE_TAIL_CELLS 8
#define SOURCE_TAILS 4
#define SOURCE_SAMES 4

struct source_frame;

/*
 * What followed the value of an item, from the comma to the brace, and the
 * cells that it made. Nearly always the next item ends in the same text:
 * then it has the same cells, and nothing needs to be read. The last few are
 * kept, for items of doubtful quality among good ones.
 */
struct source_tail {
	const char *text;
	size_t len;		/* 0: none that is known */
	bool plain;		/* being read: cells tell all of it */
	unsigned ncells;
	struct source_tail_cell {
		uint32_t col;
		bool text;
		uint32_t x;	/* code of the text; or 0, 1 */
	} cells[SOURCE_TAIL_CELLS];
};

/*
 * How the item read last was written: what stood before its time, from the
 * end of the item before it, and between time and value. Nearly always the
 * next one is written the same, and source_scan_run() reads it.
 */
struct source_shape {
	const char *head, *middle;
	size_t head_len, middle_len;	/* 0: not known */
	const struct source_field *value;
	uint32_t time;			/* column */
};

/* A value of a run that is no number, and the row that has its cells: states
 * and texts are mostly one of the last few. */
struct source_same {
	const char *text;
	size_t len;			/* 0: none */
	uint32_t row;
};

struct source_scan {
	struct source_answer *w;
	const char *p;
	const char *end;
	struct source_frame *frame;	/* of the object we are in */
	struct source_page page;	/* of the items read last */
	/* The last time was in this minute; that of tick 0 at first. */
	char minute[SOURCE_MINUTE + 1];
	int64_t minute_ticks;
	struct source_tail tail[SOURCE_TAILS];
	unsigned now;			/* the one of the last item */
	unsigned oldest_tail;
	struct source_shape shape;
	struct source_same same[SOURCE_SAMES];
	unsigned oldest;		/* of these */
	const char *item_end;		/* of the list's last item, or NULL */
};

static inline const char *
source_space(const char *p)
{

	while (*p == ' ' || *p == '\n' || *p == '\t' || *p == '\r')
		p++;
	return (p);
}

/* Characters of a string that stand for themselves, all of ASCII. */
static inline const char *
source_plain(const char *p)
{

	while (*p >= 0x20 && *p < 0x7f && *p != '"' && *p != '\\')
		p++;
	return (p);
}

/* Is the key the one at `step` of the path? */
static inline bool
source_is_step(const struct source_path *path, uint32_t step,
    const char *key, size_t len)
{

	return (step < path->n && path->len[step] == len &&
	    memcmp(path->step[step], key, len) == 0);
}

/* The value at s->p, of this field (NULL: not wanted), into its cells; false:
 * it is not a usual one. */
bool source_scan_value(struct source_scan *, struct source_run *,
    const struct source_field *);
/* Does `text` stand at p? */
static inline bool
source_stands(const struct source_scan *s, const char *p, const char *text,
    size_t len)
{

	if ((size_t)(s->end - p) < len)
		return (false);
	if (len < 8 || len > 16)
		return (memcmp(p, text, len) == 0);
	return (source_word(p) == source_word(text) &&
	    source_word(p + len - 8) == source_word(text + len - 8));
}

/* Is the tail of the item whose value ended at p number i of those known? */
static inline bool
source_is_tail(const struct source_scan *s, const char *p, unsigned i)
{
	const struct source_tail *t = &s->tail[i];

	return (t->len > 0 && source_stands(s, p, t->text, t->len));
}

/* Which one is it? Or SOURCE_TAILS. */
static inline unsigned
source_which_tail(const struct source_scan *s, const char *p)
{
	unsigned i;

	for (i = 0; i < SOURCE_TAILS && !source_is_tail(s, p, i); i++)
		continue;
	return (i);
}

/* The item at s->p, from brace to brace; false: it is not a usual one. */
bool source_scan_item(struct source_scan *, struct source_run *);
/*
 * The items from s->p on, behind an item that was read and counted, as long
 * as they are written like it, do not descend in time, are in the window and
 * there are rows for them: into their rows, and counted. What ends the run
 * is left to source_scan_item().
 */
void source_scan_run(struct source_scan *, struct source_run *);

/* Any time: its minute is that of the next ones. */
const char *source_scan_new_time(struct source_scan *, const char *,
    int64_t *);
/* Any number that is no integer of many digits. */
const char *source_scan_long_number(const char *, double *);

/* Behind the time that begins here, at its closing quote; NULL: not usual. */
static inline const char *
source_scan_time(struct source_scan *s, const char *p, int64_t *t)
{
	const char *end;

	if (memcmp(p, s->minute, SOURCE_MINUTE) != 0 ||
	    (end = source_seconds(p + SOURCE_MINUTE, t)) == NULL)
		return (source_scan_new_time(s, p, t));
	*t += s->minute_ticks;
	return (end);
}

/* Behind a number; NULL: none, or one with rules of its own. */
static inline const char *
source_scan_number(const char *p, double *out)
{
	const char *end = source_short_number(p, out);

	return (end != NULL ? end : source_scan_long_number(p, out));
}

#endif
