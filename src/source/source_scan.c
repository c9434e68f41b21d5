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
 *
 * The text ends with a NUL, which no token holds: nothing looks beyond it
 * but for loads of up to 16 bytes, which the padding of bodies allows.
 */

#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "base/base_limits.h"
#include "base/ticks.h"
#include "source/source_series_int.h"

/* Rows made ready at once. */
#define CHUNK 512
/* Containers in a value, before the parser has to see for itself. */
#define DEPTH_MAX 16
/* Larger integers are not all doubles. */
#define EXACT_MAX (1ull << 53)
#define MINUTE_TEXT 16		/* YYYY-MM-DDTHH:MM */

/* An object without its lists. */
struct frame {
	struct buf text;
	const char *copied;	/* what is before it is in the text */
};

struct scan {
	struct source_answer *w;
	const char *p;
	const char *end;
	struct frame *frame;		/* of the object we are in */
	struct source_page page;	/* of the items read last */
	/* The last time was in this minute. */
	char minute[MINUTE_TEXT];
	int64_t minute_ticks;
};

/* What to do with the list found at a path. */
typedef bool scan_list_fn(struct scan *);

static inline const char *
space(const char *p)
{

	while (*p == ' ' || *p == '\n' || *p == '\t' || *p == '\r')
		p++;
	return (p);
}

/* --- skipping ------------------------------------------------------------- */

/* Characters of a string that stand for themselves, all of ASCII. */
static inline const char *
skip_plain(const char *p)
{

	while (*p >= 0x20 && *p < 0x7f && *p != '"' && *p != '\\')
		p++;
	return (p);
}

/* From the first quote to behind the last one; NULL when it has no end. */
static const char *
skip_string(const char *p)
{

	for (p++; *p != '"'; p++) {
		if (*p == '\\')
			p++;
		if (*p == '\0')
			return (NULL);
	}
	return (p + 1);
}

const char *
source_scan_skip(const char *p)
{
	unsigned depth = 0;

	do {
		switch (*p) {
		case '\0':
			return (NULL);
		case '"':
			if ((p = skip_string(p)) == NULL)
				return (NULL);
			continue;
		case '{':
		case '[':
			if (++depth > DEPTH_MAX)
				return (NULL);
			break;
		case '}':
		case ']':
			if (depth-- == 0)
				return (NULL);
			break;
		default:
			if (depth == 0)
				return (p + strcspn(p, ",]} \t\r\n"));
		}
		p++;
	} while (depth > 0);
	return (p);
}

/* --- values of items ------------------------------------------------------ */

/* By the parser. */
static bool
parsed_value(struct scan *s, struct source_run *u,
    const struct source_field *f)
{
	const char *end = source_scan_skip(s->p);
	struct err e = ERR_INIT;
	yyjson_doc *doc;
	int rc = 0;

	if (end == NULL ||
	    json_parse(s->p, (size_t)(end - s->p), &doc, &e) != 0)
		return (false);
	if (f != NULL)
		rc = source_item_field(s->w, u, f, yyjson_doc_get_root(doc));
	yyjson_doc_free(doc);
	s->p = end;
	return (rc == 0);
}

/* Seconds and their fraction, to the closing quote: ":SS.fffffffZ". */
static const char *
parse_seconds(const char *p, int64_t *ticks)
{
	unsigned tens = (unsigned)(uint8_t)p[1] - '0', ones, d;
	int64_t unit = TICKS_PER_S;

	ones = tens > 5 ? 10 : (unsigned)(uint8_t)p[2] - '0';
	if (p[0] != ':' || ones > 9)
		return (NULL);
	*ticks = (tens * 10 + ones) * TICKS_PER_S;
	p += 3;
	if (*p == '.') {
		while ((d = (unsigned)(uint8_t)*++p - '0') <= 9) {
			unit /= 10;
			*ticks += d * unit;
			if (unit == 0)
				return (NULL);
		}
		if (unit == TICKS_PER_S)
			return (NULL);
	}
	return (p[0] == 'Z' && p[1] == '"' ? p + 1 : NULL);
}

static const char *
parse_time(struct scan *s, const char *p, int64_t *t)
{
	const char *end;
	int64_t seconds;

	if (memcmp(p, s->minute, MINUTE_TEXT) == 0 &&
	    (end = parse_seconds(p + MINUTE_TEXT, &seconds)) != NULL) {
		*t = s->minute_ticks + seconds;
		return (end);
	}
	end = p + strcspn(p, "\"");
	if (*end != '"' || ticks_parse(p, (size_t)(end - p), t) != 0)
		return (NULL);
	if (end > p + MINUTE_TEXT &&
	    parse_seconds(p + MINUTE_TEXT, &seconds) == end) {
		memcpy(s->minute, p, MINUTE_TEXT);
		s->minute_ticks = *t - seconds;
	}
	return (end);
}

static inline bool
time_value(struct scan *s, struct source_run *u, const struct source_op *op)
{
	const char *end;

	if (*s->p != '"' || (end = parse_time(s, s->p + 1, &u->t)) == NULL)
		return (false);
	rows_set_i64(s->w->rows, (uint32_t)op->col, u->row, u->t);
	u->has_time = true;
	s->p = end + 1;
	return (true);
}

/*
 * A number whose digits and power of ten are both exact doubles, so that one
 * division rounds it right (W. D. Clinger, How to Read Floating Point
 * Numbers Accurately, PLDI 1990); NULL for all others.
 */
static const char *
parse_plain(const char *p, double *out)
{
	static const double tens[] = {
		1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11,
		1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18,
	};
	const char *from, *point = NULL;
	bool minus = *p == '-';
	uint64_t m = 0;
	size_t fraction = 0;
	unsigned d;

	from = p += minus;
	while ((d = (unsigned)(uint8_t)*p - '0') <= 9) {
		m = m * 10 + d;
		p++;
	}
	if (p == from || (*from == '0' && p > from + 1))
		return (NULL);
	if (*p == '.') {
		point = p;
		while ((d = (unsigned)(uint8_t)*++p - '0') <= 9)
			m = m * 10 + d;
		if ((fraction = (size_t)(p - point) - 1) == 0)
			return (NULL);
	}
	/* 18 digits do not overflow; -0 is the parser's. */
	if (p - from > 18 || m > EXACT_MAX || (*p | 0x20) == 'e' ||
	    (minus && point == NULL && m == 0))
		return (NULL);
	*out = (double)m / tens[fraction];
	if (minus)
		*out = -*out;
	return (p);
}

/* A real number that is not; integers have rules of their own. */
static const char *
parse_real(const char *p, double *out)
{
	const char *end;
	yyjson_val v;

	if (*p != '-' && (*p < '0' || *p > '9'))
		return (NULL);
	end = yyjson_read_number(p, &v, 0, NULL, NULL);
	if (end == NULL || !yyjson_is_real(&v) ||
	    p + strspn(p, "-0123456789") == end)
		return (NULL);
	*out = yyjson_get_real(&v);
	return (end);
}

static inline bool
number_value(struct scan *s, struct source_run *u,
    const struct source_field *f)
{
	const char *end;
	double x;

	if (f->ops[0].col < 0 || ((end = parse_plain(s->p, &x)) == NULL &&
	    (end = parse_real(s->p, &x)) == NULL) ||
	    (*end != ',' && *end != '}'))
		return (parsed_value(s, u, f));
	rows_set_f64(s->w->rows, (uint32_t)f->ops[0].col, u->row, x);
	s->p = end;
	return (true);
}

static inline bool
bool_value(struct scan *s, struct source_run *u, const struct source_field *f)
{
	bool yes = memcmp(s->p, "true", 4) == 0;

	if (!yes && memcmp(s->p, "false", 5) != 0)
		return (parsed_value(s, u, f));
	rows_set_bool(s->w->rows, (uint32_t)f->ops[0].col, u->row, yes);
	s->p += yes ? 4 : 5;
	return (true);
}

static inline bool
string_value(struct scan *s, struct source_run *u,
    const struct source_field *f)
{
	const char *from = s->p + 1, *p;

	if (*s->p != '"')
		return (parsed_value(s, u, f));
	if (*(p = skip_plain(from)) != '"')
		return (parsed_value(s, u, f));
	s->p = p + 1;
	return (source_cell_text(s->w->rows, (uint32_t)f->ops[0].col, u->row,
	    from, (size_t)(p - from)) == 0);
}

static inline bool
item_value(struct scan *s, struct source_run *u, const struct source_field *f)
{

	if (f == NULL || f->errors || f->nops != 1 || f->ops[0].rest.n > 0)
		return (parsed_value(s, u, f));
	switch (f->ops[0].kind) {
	case OP_TIME:
		return (time_value(s, u, &f->ops[0]));
	case OP_VALUE:
		return (number_value(s, u, f));
	case OP_BOOL:
		return (bool_value(s, u, f));
	case OP_STRING:
		return (string_value(s, u, f));
	case OP_CELL:
		break;
	}
	return (parsed_value(s, u, f));
}

/* --- items ---------------------------------------------------------------- */

/* Behind a key and its colon; *f is NULL for one that is not wanted. */
static inline const char *
item_key(struct scan *s, const char *p, size_t i,
    const struct source_field **f)
{
	struct source_answer *w = s->w;
	size_t len;

	if (*p != '"' && *(p = space(p)) != '"')
		return (NULL);
	p++;
	*f = i < SOURCE_GUESSES ? w->guess[i] : NULL;
	if (*f != NULL && (size_t)(s->end - p) > (*f)->len &&
	    source_field_is(*f, p, (*f)->len) && p[(*f)->len] == '"') {
		p += (*f)->len + 1;
	} else {
		len = (size_t)(skip_plain(p) - p);
		if (p[len] != '"')
			return (NULL);
		*f = source_field_find(w->plan, p, len);
		if (i < SOURCE_GUESSES)
			w->guess[i] = *f;
		p += len + 1;
	}
	if (*p != ':' && *(p = space(p)) != ':')
		return (NULL);
	return (space(p + 1));
}

static bool
scan_item(struct scan *s, struct source_run *u)
{
	const struct source_field *f;

	if (*s->p != '{')
		return (false);
	u->has_time = false;
	for (size_t i = 0;; i++) {
		if ((s->p = item_key(s, s->p + 1, i, &f)) == NULL ||
		    !item_value(s, u, f))
			return (false);
		if (*s->p != ',' && *s->p != '}')
			s->p = space(s->p);
		if (*s->p == '}')
			break;
		if (*s->p != ',')
			return (false);
	}
	s->p++;
	return (u->has_time);
}

/* A list of items into rows: s->page tells of them. */
static bool
scan_items(struct scan *s)
{
	struct rows *r = s->w->rows;
	struct source_run u = { .row = r->n };

	memset(&s->page, 0, sizeof(s->page));
	s->page.row_from = r->n;
	s->p = space(s->p + 1);
	if (*s->p == ']') {
		s->p++;
		return (true);
	}
	for (;; s->p = space(s->p + 1)) {
		if (u.row == r->n && source_rows_add(r, CHUNK) != 0)
			return (false);
		if (!scan_item(s, &u) ||
		    source_item_end(s->w, &u, &s->page) != 0)
			return (false);
		s->p = space(s->p);
		if (*s->p != ',')
			break;
	}
	rows_truncate(r, u.row);
	s->page.row_n = r->n - s->page.row_from;
	return (*s->p++ == ']');
}

/* --- what is around them -------------------------------------------------- */

static void
copy_frame(struct scan *s)
{
	struct frame *f = s->frame;

	buf_put(&f->text, f->copied, (size_t)(s->p - f->copied));
	f->copied = s->p;
}

/* The list at the end of the path: fn reads it, the frame gets an empty
 * one. */
static bool
scan_list(struct scan *s, scan_list_fn *fn)
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

static bool
is_step(const struct source_path *path, uint32_t step, const char *key,
    size_t len)
{

	return (step < path->n && path->len[step] == len &&
	    memcmp(path->step[step], key, len) == 0);
}

/* An object, from brace to brace, in which fn reads the list at `path` from
 * `step` on. False also when the list is not there, or twice. */
static bool
scan_object(struct scan *s, const struct source_path *path, uint32_t step,
    scan_list_fn *fn)
{
	const char *key;
	bool found = false;
	size_t len;

	do {
		key = space(s->p + 1);
		len = *key == '"' ? strcspn(++key, "\"\\") : 0;
		if (len == 0 || key[len] != '"')
			return (false);
		s->p = space(key + len + 1);
		if (*s->p != ':')
			return (false);
		s->p = space(s->p + 1);
		if (!is_step(path, step, key, len))
			s->p = source_scan_skip(s->p);
		else if (found)
			return (false);
		else if (!(found = step + 1 == path->n ? scan_list(s, fn) :
		    *s->p == '{' && scan_object(s, path, step + 1, fn)))
			return (false);
		if (s->p == NULL)
			return (false);
		s->p = space(s->p);
	} while (*s->p == ',');
	return (*s->p++ == '}' && found);
}

/* --- streams -------------------------------------------------------------- */

/* The frame as a document, when it is one and tells of no failure. */
static yyjson_doc *
frame_parse(struct scan *s)
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
stream_end(struct scan *s, int i, yyjson_val *entry)
{
	struct source_answer *w = s->w;

	if (i < 0 || w->pages[i].present)
		return (false);
	w->pages[i] = s->page;
	w->pages[i].present = true;
	return (source_stream_fill(w, (uint32_t)i, entry) == 0);
}

static bool
scan_entry(struct scan *s)
{
	const struct source_plan *plan = s->w->plan;
	struct frame *outer = s->frame, frame = { .copied = s->p };
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
scan_entries(struct scan *s)
{

	s->p = space(s->p + 1);
	if (*s->p == ']') {
		s->p++;
		return (true);
	}
	for (;; s->p = space(s->p + 1)) {
		if (!scan_entry(s))
			return (false);
		s->p = space(s->p);
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
	struct frame frame = { .copied = body };
	struct scan s = { .w = w, .p = space(body), .end = body + len,
		.frame = &frame, .minute = "none yet" };
	uint32_t before = w->rows->n;
	yyjson_doc *doc = NULL;
	bool ok;

	buf_init(&frame.text, LIMIT_BODY_MAX);
	ok = *s.p == '{' &&
	    scan_object(&s, path, 0, set ? scan_entries : scan_items) &&
	    space(s.p) == s.end && (doc = frame_parse(&s)) != NULL &&
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
