#ifndef SOURCE_SOURCE_SERIES_INT_H
#define SOURCE_SOURCE_SERIES_INT_H

/*
 * What the files that decode answers of streams share.
 *
 *	source_series.c		the answer, and which stream is which
 *	source_item.c		the items of a stream, parsed
 */

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

/* Append the rows of a list of items; *page counts what came. A failure of
 * the stream is in w->err, and rows it had may be left. */
int source_items_put(struct source_answer *, struct source_page *,
    yyjson_val *items);

#endif
