/*
 * First values of streams: an entry for each, with one value, or, as some
 * servers have it, a list of one. What is not readable says nothing: a
 * stream without a known beginning is read from the start of the range.
 */

#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "base/must.h"
#include "base/ticks.h"
#include "source/source_series_int.h"

/* The earliest time there is stands for none as well. */
static int64_t
time_of(const struct source_plan *p, yyjson_val *item)
{
	yyjson_val *v;
	int64_t t;

	if (yyjson_is_arr(item))
		item = yyjson_arr_get_first(item);
	v = item != NULL ? source_path_get(&p->first_time, item) : NULL;
	if (!yyjson_is_str(v) || ticks_parse(yyjson_get_str(v),
	    yyjson_get_len(v), &t) != 0 || t <= TICKS_MIN)
		return (TICKS_NONE);
	return (t);
}

static int
put_entry(const struct source_answer *w, yyjson_val *entry, int64_t *first,
    struct err *e)
{
	const struct source_plan *p = w->plan;
	yyjson_val *id = source_path_get(&p->stream_id, entry), *item;
	struct err why = ERR_INIT;
	int i;

	if (!yyjson_is_str(id) || (i = source_stream_find(w,
	    yyjson_get_str(id), yyjson_get_len(id))) < 0)
		return (err_set(e, ERR_ANSWER, "a first value of a stream "
		    "nobody asked for in the answer"));
	if (source_failed(entry, &why) != 0)
		return (0);
	item = source_path_get(&p->first_item, entry);
	if (item == NULL)
		item = source_path_get(&p->values, entry);
	first[i] = time_of(p, item);
	return (0);
}

static int
put_answer(const struct source_answer *w, yyjson_val *root, int64_t *first,
    struct err *e)
{
	yyjson_val *entries = source_path_get(&w->plan->items, root), *entry;
	yyjson_arr_iter it;
	int rc;

	if ((rc = source_failed(root, e)) != 0)
		return (rc);
	if (!yyjson_is_arr(entries))
		return (err_set(e, ERR_ANSWER, "no list `%s` in the answer",
		    w->plan->items.text));
	yyjson_arr_iter_init(entries, &it);
	while (rc == 0 && (entry = yyjson_arr_iter_next(&it)) != NULL)
		rc = put_entry(w, entry, first, e);
	return (rc);
}

int
source_first_decode(const struct source_table *t,
    const struct source_stream *const *streams, uint32_t n, char *body,
    size_t len, int64_t *first, struct err *e)
{
	struct source_answer w = { .table = t, .plan = t->plan,
		.streams = streams, .n = n };
	yyjson_doc *doc;
	int rc;

	MUST(source_first_can(t));
	for (uint32_t i = 0; i < n; i++)
		first[i] = TICKS_NONE;
	if ((rc = source_parse(body, len, &doc, e)) != 0)
		return (rc);
	source_stream_index(&w);
	rc = put_answer(&w, yyjson_doc_get_root(doc), first, e);
	free(w.slots);
	yyjson_doc_free(doc);
	return (rc);
}
