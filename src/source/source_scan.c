/*
 * The usual answer, read straight from its text. Nearly all of a large
 * answer is lists of items that have the same few keys in the same order
 * with plain values; these become rows without a document in between. What
 * is around the lists is small: it is copied, with an empty list in place of
 * each, and read by the parser.
 *
 * A value that is not plain (a state, an escape, a number of many digits) is
 * given to the parser by itself. Whatever else is out of the ordinary ends
 * the attempt with nothing done, and source_series.c reads the whole answer
 * with the parser: so there is one judge of what is wrong, and the two ways
 * give equal rows (tests/source/test_source_scan.c).
 */

#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "base/base_limits.h"
#include "source/source_scan_int.h"

/* Rows made ready at once. */
#define CHUNK 512
/* The minute that tick 0 is in: not even NULs match a minute unread. */
#define EPOCH "1970-01-01T00:00"

/* An object without its lists. */
struct source_frame {
	struct buf text;
	const char *copied;	/* what is before it is in the text */
};

/* What to do with the list found at a path. */
typedef bool scan_list_fn(struct source_scan *);

/* --- items ---------------------------------------------------------------- */

/* A list of items into rows: s->page tells of them. */
static bool
scan_items(struct source_scan *s)
{
	struct rows *r = s->w->rows;
	struct source_run u = { .row = r->n };

	memset(&s->page, 0, sizeof(s->page));
	s->page.row_from = r->n;
	s->item_end = NULL;
	memset(s->same, 0, sizeof(s->same));
	s->p = source_space(s->p + 1);
	if (*s->p == ']') {
		s->p++;
		return (true);
	}
	for (;; s->p = source_space(s->p + 1)) {
		if (u.row == r->n && source_rows_add(r, CHUNK) != 0)
			return (false);
		if (!source_scan_item(s, &u) ||
		    source_item_end(s->w, &u, &s->page) != 0)
			return (false);
		source_scan_run(s, &u);
		s->item_end = s->p;
		s->p = source_space(s->p);
		if (*s->p != ',')
			break;
	}
	rows_truncate(r, u.row);
	s->page.row_n = r->n - s->page.row_from;
	return (*s->p++ == ']');
}

/* --- what is around them -------------------------------------------------- */

static void
copy_frame(struct source_scan *s)
{
	struct source_frame *f = s->frame;

	buf_put(&f->text, f->copied, (size_t)(s->p - f->copied));
	f->copied = s->p;
}

/* The list at the end of the path: fn reads it, the frame gets an empty
 * one. */
static bool
scan_list(struct source_scan *s, scan_list_fn *fn)
{

	if (*s->p != '[')
		return (false);
	copy_frame(s);
	if (!fn(s))
		return (false);
	s->frame->copied = s->p;
	buf_puts(&s->frame->text, "[]");
	return (true);
}

/* An object, from brace to brace, in which fn reads the list at `path` from
 * `step` on. False also when the list is not there, or twice. */
static bool
scan_object(struct source_scan *s, const struct source_path *path,
    uint32_t step, scan_list_fn *fn)
{
	const char *key;
	bool found = false;
	size_t len;

	do {
		key = source_space(s->p + 1);
		len = *key == '"' ? strcspn(++key, "\"\\") : 0;
		if (len == 0 || key[len] != '"')
			return (false);
		s->p = source_space(key + len + 1);
		if (*s->p != ':')
			return (false);
		s->p = source_space(s->p + 1);
		if (!source_is_step(path, step, key, len))
			s->p = source_scan_skip(s->p);
		else if (found)
			return (false);
		else if (!(found = step + 1 == path->n ? scan_list(s, fn) :
		    *s->p == '{' && scan_object(s, path, step + 1, fn)))
			return (false);
		if (s->p == NULL)
			return (false);
		s->p = source_space(s->p);
	} while (*s->p == ',');
	return (*s->p++ == '}' && found);
}

/* --- streams -------------------------------------------------------------- */

/* The frame as a document, when it is one and tells of no failure. */
static yyjson_doc *
frame_parse(struct source_scan *s)
{
	struct buf *text = &s->frame->text;
	struct err e = ERR_INIT;
	yyjson_doc *doc;

	copy_frame(s);
	if (text->error != 0 ||
	    json_parse(buf_str(text), text->len, &doc, &e) != 0)
		return (NULL);
	if (source_failed(yyjson_doc_get_root(doc), &e) == 0)
		return (doc);
	yyjson_doc_free(doc);
	return (NULL);
}

/* Stream number i had the items read last. */
static bool
stream_end(struct source_scan *s, int i, yyjson_val *entry)
{
	struct source_answer *w = s->w;

	if (i < 0 || w->pages[i].present)
		return (false);
	w->pages[i] = s->page;
	w->pages[i].present = true;
	return (source_stream_fill(w, (uint32_t)i, entry) == 0);
}

static bool
scan_entry(struct source_scan *s)
{
	const struct source_plan *plan = s->w->plan;
	struct source_frame *outer = s->frame, frame = { .copied = s->p };
	yyjson_doc *doc = NULL;
	yyjson_val *id;
	bool ok;

	s->frame = &frame;
	buf_init(&frame.text, LIMIT_BODY_MAX);
	ok = *s->p == '{' &&
	    scan_object(s, &plan->values, 0, scan_items) &&
	    (doc = frame_parse(s)) != NULL;
	if (ok) {
		id = source_path_get(&plan->stream_id,
		    yyjson_doc_get_root(doc));
		ok = yyjson_is_str(id) && stream_end(s,
		    source_stream_find(s->w, yyjson_get_str(id),
		    yyjson_get_len(id)), yyjson_doc_get_root(doc));
	}
	yyjson_doc_free(doc);
	buf_fini(&frame.text);
	s->frame = outer;
	return (ok);
}

static bool
scan_entries(struct source_scan *s)
{

	s->p = source_space(s->p + 1);
	if (*s->p == ']') {
		s->p++;
		return (true);
	}
	for (;; s->p = source_space(s->p + 1)) {
		if (!scan_entry(s))
			return (false);
		s->p = source_space(s->p);
		if (*s->p != ',')
			return (*s->p++ == ']');
	}
}

/* --- one answer ----------------------------------------------------------- */

bool
source_scan(struct source_answer *w, const char *body, size_t len, bool set)
{
	const struct source_path *path = set ? &w->plan->items :
	    &w->plan->values;
	struct source_frame frame = { .copied = body };
	struct source_scan s = { .w = w, .p = source_space(body),
		.end = body + len, .minute = EPOCH, .frame = &frame };
	uint32_t before = w->rows->n;
	yyjson_doc *doc = NULL;
	bool ok;

	buf_init(&frame.text, LIMIT_BODY_MAX);
	ok = *s.p == '{' &&
	    scan_object(&s, path, 0, set ? scan_entries : scan_items) &&
	    source_space(s.p) == s.end && (doc = frame_parse(&s)) != NULL &&
	    (set || stream_end(&s, 0, yyjson_doc_get_root(doc)));
	yyjson_doc_free(doc);
	buf_fini(&frame.text);
	if (ok)
		return (true);
	rows_truncate(w->rows, before);
	memset(w->pages, 0, w->n * sizeof(w->pages[0]));
	memset(&w->err, 0, sizeof(w->err));
	return (false);
}
