/*
 * Values of streams into rows: which stream an entry of the answer is of,
 * and what it says about itself; its items are read by source_item.c. A
 * stream's constants are filled in after its items.
 *
 * Three levels of failure: the answer (nothing of it stays), one stream of
 * it (its page has the error, its rows are taken out), and a bad value,
 * which is data.
 */

#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "base/base_limits.h"
#include "base/hash.h"
#include "base/must.h"
#include "base/text.h"
#include "base/ticks.h"
#include "source/source_series_int.h"

/* --- which stream --------------------------------------------------------- */

/* WebIDs are equal when their IDs are; what has none is compared whole. */
static size_t
webid_key(const char **s, size_t len)
{
	size_t ids = source_webid_ids(*s, len);

	if (ids == 0)
		return (len);
	*s += 1;
	return (ids - 1);
}

static uint64_t
webid_hash(const char *s, size_t len)
{

	len = webid_key(&s, len);
	return (hash64(s, len, 0));
}

static bool
webid_equal(const char *a, size_t alen, const char *b, size_t blen)
{

	if (alen == blen && memcmp(a, b, alen) == 0)
		return (true);
	if (source_webid_ids(a, alen) == 0 || source_webid_ids(b, blen) == 0)
		return (false);
	alen = webid_key(&a, alen);
	blen = webid_key(&b, blen);
	return (alen == blen && memcmp(a, b, alen) == 0);
}

void
source_stream_index(struct source_answer *w)
{
	const char *key;
	uint32_t size = 2, at;

	while (size < w->n * 2)
		size *= 2;
	w->mask = size - 1;
	w->slots = must_calloc(size, sizeof(w->slots[0]));
	for (uint32_t i = 0; i < w->n; i++) {
		key = w->streams[i]->key;
		at = (uint32_t)webid_hash(key, strlen(key)) & w->mask;
		while (w->slots[at] != 0)
			at = (at + 1) & w->mask;
		w->slots[at] = i + 1;
	}
}

int
source_stream_find(const struct source_answer *w, const char *s, size_t len)
{
	uint32_t at = (uint32_t)webid_hash(s, len) & w->mask;
	const char *key;

	for (; w->slots[at] != 0; at = (at + 1) & w->mask) {
		key = w->streams[w->slots[at] - 1]->key;
		if (webid_equal(key, strlen(key), s, len))
			return ((int)w->slots[at] - 1);
	}
	return (-1);
}

/* --- one stream ----------------------------------------------------------- */

/* One text into all rows of a run that have none yet. */
static void
fill_code(struct rows *r, uint32_t col, bool whole, uint32_t from,
    uint32_t code)
{
	struct rows_vec *v = &r->v[col];

	for (uint32_t i = from; !whole && i < r->n; i++)
		if (!v->valid[i])
			rows_set_code(r, col, i, code);
	if (whole)
		rows_fill_code(r, col, from, r->n, code);
}

static int
fill_text(struct source_answer *w, const struct source_fill *f, uint32_t from,
    const char *s, size_t len)
{

	if (len > LIMIT_CELL_MAX)
		return (err_set(&w->err, ERR_LIMIT,
		    "a text larger than %u bytes", LIMIT_CELL_MAX));
	fill_code(w->rows, f->col, f->whole, from,
	    rows_intern(w->rows, f->col, s, len));
	return (0);
}

static int
fill(struct source_answer *w, const struct source_fill *f, uint32_t from,
    const struct source_stream *s, yyjson_val *entry)
{
	const char *text = NULL;
	yyjson_val *v;

	switch (f->from->origin) {
	case FROM_STREAM:
		text = s->key;
		break;
	case FROM_STREAM_NAME:
		text = s->name;
		break;
	case FROM_CONSTANT:
		text = f->from->text;
		break;
	default:
		v = source_path_get(&f->from->path, entry);
		if (!yyjson_is_str(v))
			return (0);
		return (fill_text(w, f, from, yyjson_get_str(v),
		    yyjson_get_len(v)));
	}
	return (text == NULL ? 0 : fill_text(w, f, from, text, strlen(text)));
}

int
source_stream_fill(struct source_answer *w, uint32_t i, yyjson_val *entry)
{
	uint32_t from = w->pages[i].row_from;
	int rc = 0;

	if (w->rows->n == from)
		return (0);
	for (uint32_t k = 0; k < w->plan->nfills && rc == 0; k++)
		rc = fill(w, &w->plan->fills[k], from, w->streams[i], entry);
	return (rc);
}

static void
spoil(struct source_answer *w, struct source_page *page)
{
	struct buf text;

	buf_init(&text, 4096);
	text_escape(&text, w->err.text, strlen(w->err.text),
	    sizeof(page->text) - 4);
	rows_truncate(w->rows, page->row_from);
	page->code = w->err.code;
	page->row_n = page->n = 0;
	page->first = page->last = 0;
	(void)snprintf(page->text, sizeof(page->text), "%s", buf_str(&text));
	buf_fini(&text);
}

/* `items` may be NULL or null: none. */
static void
put_stream(struct source_answer *w, uint32_t i, yyjson_val *entry,
    yyjson_val *items)
{
	struct source_page *page = &w->pages[i];
	int rc;

	page->present = true;
	page->row_from = w->rows->n;
	rc = source_failed(entry, &w->err);
	if (rc == 0 && items != NULL && !yyjson_is_null(items)) {
		if (yyjson_is_arr(items))
			rc = source_items_put(w, page, items);
		else
			rc = err_set(&w->err, ERR_ANSWER,
			    "the items are no list");
	}
	if (rc == 0)
		rc = source_stream_fill(w, i, entry);
	page->row_n = w->rows->n - page->row_from;
	if (rc != 0)
		spoil(w, page);
}

/* --- one answer ----------------------------------------------------------- */

static int
put_entry(struct source_answer *w, yyjson_val *entry, struct err *e)
{
	yyjson_val *id = source_path_get(&w->plan->stream_id, entry);
	struct buf text;
	int i;

	if (!yyjson_is_str(id))
		return (err_set(e, ERR_ANSWER, "a stream without %s in the "
		    "answer", w->plan->stream_id.text));
	i = source_stream_find(w, yyjson_get_str(id), yyjson_get_len(id));
	if (i >= 0 && !w->pages[i].present) {
		put_stream(w, (uint32_t)i, entry,
		    source_path_get(&w->plan->values, entry));
		return (0);
	}
	buf_init(&text, 4096);
	text_escape(&text, yyjson_get_str(id), yyjson_get_len(id), 200);
	(void)err_set(e, ERR_ANSWER, i < 0 ?
	    "a stream nobody asked for in the answer: %s" :
	    "a stream twice in the answer: %s", buf_str(&text));
	buf_fini(&text);
	return (ERR_ANSWER);
}

static int
put_set(struct source_answer *w, yyjson_val *root, struct err *e)
{
	yyjson_val *entries = source_path_get(&w->plan->items, root), *entry;
	yyjson_arr_iter it;
	int rc = 0;

	if (!yyjson_is_arr(entries))
		return (err_set(e, ERR_ANSWER, "no list `%s` in the answer",
		    w->plan->items.text));
	yyjson_arr_iter_init(entries, &it);
	while (rc == 0 && (entry = yyjson_arr_iter_next(&it)) != NULL)
		rc = put_entry(w, entry, e);
	return (rc);
}

static int
put_one(struct source_answer *w, yyjson_val *root, struct err *e)
{
	yyjson_val *items = source_path_get(&w->plan->values, root);

	if (items == NULL)
		return (err_set(e, ERR_ANSWER, "no list `%s` in the answer",
		    w->plan->values.text));
	put_stream(w, 0, root, items);
	return (0);
}

static int
parse(struct source_answer *w, char *body, size_t len, bool set,
    struct err *e)
{
	yyjson_doc *doc;
	yyjson_val *root;
	int rc;

	if ((rc = source_parse(body, len, &doc, e)) != 0)
		return (rc);
	root = yyjson_doc_get_root(doc);
	if ((rc = source_failed(root, e)) == 0)
		rc = set ? put_set(w, root, e) : put_one(w, root, e);
	yyjson_doc_free(doc);
	return (rc);
}

int
source_series_decode(const struct source_table *t,
    const struct source_stream *const *streams, uint32_t n, int64_t a,
    int64_t b, char *body, size_t len, struct rows *rows,
    struct source_page *pages, struct err *e)
{
	struct source_answer w = { .table = t, .plan = t->plan,
		.streams = streams, .pages = pages, .n = n, .a = a, .b = b,
		.rows = rows };
	bool set = w.plan->set != NULL && (n > 1 || w.plan->one == NULL);
	uint32_t before = rows->n;
	int rc = 0;

	MUST(t->kind == SOURCE_SERIES);
	MUST(n > 0 && n < UINT32_MAX / 4);
	memset(pages, 0, n * sizeof(pages[0]));
	memset(body + len, 0, LIMIT_PADDING);
	buf_init(&w.scratch, LIMIT_BODY_MAX);
	if (set)
		source_stream_index(&w);
	if (!source_scan(&w, body, len, set))
		rc = parse(&w, body, len, set, e);
	if (rc != 0) {
		rows_truncate(rows, before);
		memset(pages, 0, n * sizeof(pages[0]));
	}
	free(w.slots);
	buf_fini(&w.scratch);
	return (rc);
}

uint32_t
source_cap_from_text(const char *s)
{
	static const char WORDS[] = "greater than the maximum allowed (";
	const char *at = strstr(s, WORDS);
	uint64_t n = 0;

	if (at == NULL)
		return (0);
	for (at += strlen(WORDS); *at >= '0' && *at <= '9'; at++) {
		n = n * 10 + (uint64_t)(*at - '0');
		if (n > UINT32_MAX)
			return (0);
	}
	return (*at == ')' ? (uint32_t)n : 0);
}
