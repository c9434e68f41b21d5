#ifndef SOURCE_SOURCE_SERIES_INT_H
#define SOURCE_SOURCE_SERIES_INT_H

/*
 * What the files that decode answers of streams share.
 *
 *	source_series.c		the answer, and which stream is which
 *	source_scan.c		the usual answer, read from its text; with
 *				source_scan_item.c
 *	source_item.c		the items of a stream, parsed
 *	source_batch.c		answers that came together
 */

#include <string.h>

#include "source/source_int.h"

#define SOURCE_GUESSES 32

/* One answer. */
struct source_answer {
	const struct source_table *table;
	const struct source_plan *plan;
	const struct source_stream *const *streams;
	struct source_page *pages;
	uint32_t n;
	int64_t a, b;
	struct rows *rows;
	uint32_t *slots;		/* streams by WebID: index + 1 */
	uint32_t mask;
	struct buf scratch;
	struct err err;			/* of one stream */
	/* The field that the last item had in this place, or NULL. */
	const struct source_field *guess[SOURCE_GUESSES];
};

/* One stream's items on their way. */
struct source_run {
	uint32_t row;			/* being filled */
	int64_t t;			/* of this item */
	int64_t prev;
	int32_t ordinal;
	bool has_time;
};

static inline uint64_t
source_word(const char *s)
{
	uint64_t x;

	memcpy(&x, s, sizeof(x));
	return (x);
}

/* As memcmp() == 0, without the call: names are short, and this is asked
 * for each key of each item. */
static inline bool
source_field_is(const struct source_field *f, const char *name, size_t len)
{
	size_t i;

	if (f->len != len)
		return (false);
	if (len < 8) {
		for (i = 0; i < len; i++)
			if (f->name[i] != name[i])
				return (false);
		return (true);
	}
	for (i = 0; i + 8 < len; i += 8)
		if (source_word(f->name + i) != source_word(name + i))
			return (false);
	return (source_word(f->name + len - 8) == source_word(name + len - 8));
}

/* --- items (source_item.c) ----------------------------------------------- */

/* Append the rows of a list of items; *page counts what came. A failure of
 * the stream is in w->err, and rows it had may be left. */
int source_items_put(struct source_answer *, struct source_page *,
    yyjson_val *items);
const struct source_field *source_field_find(const struct source_plan *,
    const char *name, size_t len);
/* One value of the item being read. */
int source_item_field(struct source_answer *, struct source_run *,
    const struct source_field *, yyjson_val *);
/* The item has been read: count it, keep its row if it is in the window. */
int source_item_end(struct source_answer *, struct source_run *,
    struct source_page *);
/* n null rows at once, as rows_add() would make them. */
int source_rows_add(struct rows *, uint32_t n);

/* --- the usual answer (source_scan.c) ------------------------------------ */

/* `body` has LIMIT_PADDING bytes of NUL behind it. False: it is not a usual
 * one, and nothing was done. `set`: an answer of several streams, which are
 * indexed. */
bool source_scan(struct source_answer *, const char *body, size_t len,
    bool set);
/* Behind a value that begins here, which the parser will judge; NULL when it
 * has no end. */
const char *source_scan_skip(const char *);

/* --- streams (source_series.c) ------------------------------------------- */

/* Makes w->slots, which the caller frees. */
void source_stream_index(struct source_answer *);
/* Index of the stream with this WebID, or -1. */
int source_stream_find(const struct source_answer *, const char *, size_t);
/* Fill in the constants of the rows that stream i had, the last ones. */
int source_stream_fill(struct source_answer *, uint32_t i,
    yyjson_val *entry);

#endif
