/*
 * Batches: requests that travel together, as a connector's `batch` tells.
 *
 *	{"0":{"Method":"GET","Resource":"https://..."},"1":{..}}
 *
 * is answered by an object with the same keys, in any order, in which each
 * has its own status and, somewhere below its entry, its own body. The
 * bodies are found in the text and left in their place: what reads the
 * answer of a request by itself reads them there.
 */

#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "base/must.h"
#include "base/text.h"
#include "codec/json.h"
#include "source/source_scan_int.h"

/* Of a sub-request's entry, without its body. */
#define HEAD_BYTES_MAX 16384u

bool
source_batch_can(const struct source_table *t)
{
	const struct source_plan *p = t->plan;

	return (t->kind == SOURCE_SERIES && p->batch != NULL);
}

uint32_t
source_batch_most(const struct source_table *t)
{
	const struct source_plan *p = t->plan;

	MUST(source_batch_can(t));
	return (p->batch->most);
}

/* --- asking -------------------------------------------------------------- */

void
source_batch_target(const struct source_table *t, const char *base,
    struct buf *out)
{
	const struct source_plan *p = t->plan;

	MUST(source_batch_can(t));
	buf_puts(out, base);
	buf_puts(out, p->batch->path);
}

/* A text of the connector, with the URL in the place of {url}. */
static void
put_text(struct buf *out, const char *text, const char *url)
{
	const char *at = strstr(text, SOURCE_BATCH_URL);
	struct buf whole;

	if (at == NULL) {
		json_put_str(out, text, strlen(text));
		return;
	}
	buf_init(&whole, out->max);
	buf_put(&whole, text, (size_t)(at - text));
	buf_puts(&whole, url);
	buf_puts(&whole, at + strlen(SOURCE_BATCH_URL));
	json_put_str(out, buf_str(&whole), whole.len);
	if (out->error == 0)
		out->error = whole.error;
	buf_fini(&whole);
}

void
source_batch_begin(struct buf *out)
{

	buf_u8(out, '{');
}

void
source_batch_add(const struct source_table *t, uint32_t number,
    const char *url, struct buf *out)
{
	const struct source_plan *p = t->plan;
	const struct source_batch *b = p->batch;

	buf_printf(out, "%s\"%u\":{", number > 0 ? "," : "", number);
	for (uint32_t i = 0; i < b->nfields; i++) {
		if (i > 0)
			buf_u8(out, ',');
		json_put_str(out, b->fields[i].name,
		    strlen(b->fields[i].name));
		buf_u8(out, ':');
		put_text(out, b->fields[i].text, url);
	}
	buf_u8(out, '}');
}

void
source_batch_end(struct buf *out)
{

	buf_u8(out, '}');
}

/* --- the answer ---------------------------------------------------------- */

struct scan {
	const struct source_batch *b;
	const char *p;
	struct buf head;		/* an entry without its body */
	const char *body;		/* of this entry, or NULL */
	const char *body_end;
};

/* Behind the key and its colon; the key without quotes, as it is written. */
static bool
scan_key(struct scan *s, const char **key, size_t *len)
{
	const char *end;

	s->p = source_space(s->p);
	if (*s->p != '"' || (end = source_scan_skip(s->p)) == NULL)
		return (false);
	*key = s->p + 1;
	*len = (size_t)(end - s->p) - 2;
	s->p = source_space(end);
	if (*s->p != ':')
		return (false);
	s->p = source_space(s->p + 1);
	return (true);
}

/* An entry, or an object on the way to its body. What is not the body is
 * copied, with null in the place of that. */
static bool
scan_entry(struct scan *s, uint32_t step)
{
	const struct source_path *path = &s->b->content;
	const char *key, *from = s->p, *end;
	size_t len;

	if (*s->p != '{')
		return (false);
	s->p = source_space(s->p + 1);
	if (*s->p == '}') {
		s->p++;
		buf_put(&s->head, from, (size_t)(s->p - from));
		return (true);
	}
	for (;; s->p++) {
		if (!scan_key(s, &key, &len))
			return (false);
		if (!source_is_step(path, step, key, len))
			end = source_scan_skip(s->p);
		else if (step + 1 < path->n) {
			buf_put(&s->head, from, (size_t)(s->p - from));
			if (!scan_entry(s, step + 1))
				return (false);
			from = end = s->p;
		} else {
			if (s->body != NULL)
				return (false);
			buf_put(&s->head, from, (size_t)(s->p - from));
			buf_puts(&s->head, "null");
			s->body = s->p;
			from = end = s->body_end = source_scan_skip(s->p);
		}
		if (end == NULL)
			return (false);
		s->p = source_space(end);
		if (*s->p != ',')
			break;
	}
	if (*s->p != '}')
		return (false);
	s->p++;
	buf_put(&s->head, from, (size_t)(s->p - from));
	return (true);
}

static bool
says_json(yyjson_val *type)
{

	return (!yyjson_is_str(type) ||
	    strstr(yyjson_get_str(type), "json") != NULL);
}

/* A delay in seconds, as a text or a number; others are none. */
static int64_t
retry_ms(yyjson_val *v)
{
	uint64_t s;

	if (yyjson_is_uint(v) && yyjson_get_uint(v) < 1000000)
		return ((int64_t)yyjson_get_uint(v) * 1000);
	if (yyjson_is_str(v) && text_u64(yyjson_get_str(v), 0, 1000000,
	    &s) == 0)
		return ((int64_t)s * 1000);
	return (-1);
}

static bool
read_head(struct scan *s, char *body, struct source_part *part)
{
	yyjson_val *root, *v;
	yyjson_doc *doc;

	if (s->head.error != 0 || json_parse(buf_str(&s->head), s->head.len,
	    &doc, NULL) != 0)
		return (false);
	root = yyjson_doc_get_root(doc);
	v = source_path_get(&s->b->status, root);
	if (yyjson_is_uint(v) && yyjson_get_uint(v) < 1000) {
		part->present = true;
		part->status = (int)yyjson_get_uint(v);
	}
	part->json = says_json(source_path_get(&s->b->type, root));
	part->retry_after_ms = retry_ms(source_path_get(&s->b->retry, root));
	if (s->body != NULL) {
		part->body = body + (s->body - body);
		part->len = (size_t)(s->body_end - s->body);
	}
	yyjson_doc_free(doc);
	return (part->present);
}

static bool
scan_part(struct scan *s, char *body, struct source_part *parts, uint32_t n)
{
	char number[12];
	const char *key;
	uint64_t i;
	size_t len;

	if (!scan_key(s, &key, &len) || len >= sizeof(number))
		return (false);
	memcpy(number, key, len);
	number[len] = '\0';
	if (n == 0 || text_u64(number, 0, n - 1, &i) != 0 ||
	    parts[i].present)
		return (false);
	buf_clear(&s->head);
	s->body = NULL;
	return (scan_entry(s, 0) && read_head(s, body, &parts[i]));
}

static bool
scan_all(struct scan *s, char *body, size_t len, struct source_part *parts,
    uint32_t n)
{

	s->p = source_space(body);
	if (*s->p != '{')
		return (false);
	s->p = source_space(s->p + 1);
	if (*s->p == '}')
		s->p++;
	else
		do {
			if (!scan_part(s, body, parts, n))
				return (false);
			s->p = source_space(s->p);
			if (*s->p != ',' && *s->p != '}')
				return (false);
		} while (*s->p++ == ',');
	return (source_space(s->p) == body + len);
}

/* It is no answer of a batch: what is it? Looked at in a copy, for the parser
 * leaves nothing as it was. */
static int
why_not(const char *body, size_t len, struct err *e)
{
	yyjson_doc *doc;
	char *copy;
	int rc;

	if ((copy = calloc(1, len + LIMIT_PADDING)) == NULL)
		return (err_set(e, ERR_NOMEM, "no memory for an answer"));
	memcpy(copy, body, len);
	if ((rc = source_parse(copy, len, &doc, e)) == 0) {
		yyjson_doc_free(doc);
		rc = err_set(e, ERR_ANSWER, "no answer of a batch");
	}
	free(copy);
	return (rc);
}

int
source_batch_split(const struct source_table *t, char *body, size_t len,
    struct source_part *parts, uint32_t n, struct err *e)
{
	const struct source_plan *p = t->plan;
	struct scan s = { .b = p->batch };
	bool ok;

	MUST(source_batch_can(t));
	memset(parts, 0, n * sizeof(parts[0]));
	memset(body + len, 0, LIMIT_PADDING);
	buf_init(&s.head, HEAD_BYTES_MAX);
	ok = scan_all(&s, body, len, parts, n);
	buf_fini(&s.head);
	if (ok)
		return (0);
	memset(parts, 0, n * sizeof(parts[0]));
	return (why_not(body, len, e));
}

/* The decoder wants room behind a body: what stands there is kept. */
int
source_part_decode(const struct source_table *t,
    const struct source_stream *const *streams, uint32_t n, int64_t a,
    int64_t b, const struct source_part *part, struct rows *rows,
    struct source_page *pages, struct err *e)
{
	char behind[LIMIT_PADDING];
	int rc;

	if (part->body == NULL)
		return (err_set(e, ERR_ANSWER, "no body in its place of a "
		    "batch"));
	memcpy(behind, part->body + part->len, sizeof(behind));
	rc = source_series_decode(t, streams, n, a, b, part->body, part->len,
	    rows, pages, e);
	memcpy(part->body + part->len, behind, sizeof(behind));
	return (rc);
}
