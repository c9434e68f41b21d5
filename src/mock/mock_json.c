/*
 * Selections of fields, and the errors every handler may answer.
 *
 * selectedFields is a list of dotted names; it becomes a tree once a
 * request, and for each kind of object a bit mask. Naming a parent selects
 * all below it, unknown names select nothing, case does not matter.
 */

#include "config.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/arena.h"
#include "base/must.h"
#include "base/ticks.h"
#include "codec/json.h"
#include "mock/mock_answer.h"

static const struct mock_sel ALL = { .name = "", .whole = true };

static struct mock_sel *
child(struct arena *arena, struct mock_sel *parent, const char *name,
    size_t len)
{
	struct mock_sel *s;

	for (s = parent->child; s != NULL; s = s->next)
		if (strlen(s->name) == len &&
		    strncasecmp(s->name, name, len) == 0)
			return (s);
	s = arena_alloc(arena, sizeof(*s));
	s->name = arena_strndup(arena, name, len);
	s->next = parent->child;
	parent->child = s;
	return (s);
}

const struct mock_sel *
mock_sel_parse(struct arena *arena, const char *text)
{
	struct mock_sel *root, *at;
	size_t n;

	if (text == NULL || *text == '\0')
		return (&ALL);
	root = at = arena_alloc(arena, sizeof(*root));
	root->name = "";
	for (;; text += n + 1) {
		n = strcspn(text, ".;");
		if (n > 0)
			at = child(arena, at, text, n);
		if (text[n] != '.') {
			at->whole = at != root;
			at = root;
		}
		if (text[n] == '\0')
			return (root);
	}
}

const struct mock_sel *
mock_sel_get(const struct mock_sel *sel, const char *name)
{
	const struct mock_sel *s;

	if (sel == NULL || sel->whole)
		return (sel);
	for (s = sel->child; s != NULL; s = s->next)
		if (strcasecmp(s->name, name) == 0)
			return (s);
	return (NULL);
}

uint32_t
mock_sel_mask(const struct mock_sel *sel, const struct mock_field *fields,
    size_t n)
{
	uint32_t mask = 0;

	MUST(n <= 32);
	for (size_t i = 0; i < n; i++)
		if (mock_sel_get(sel, fields[i].name) != NULL)
			mask |= 1u << i;
	return (mask);
}

/* --- answers -------------------------------------------------------------- */

void
mock_resp_init(struct mock_resp *r)
{
	memset(r, 0, sizeof(*r));
	r->status = 200;
	r->type = "application/json; charset=utf-8";
	r->route = "-";
	r->set_now = TICKS_NONE;
	r->settled = MOCK_UNSETTLED;
	buf_init(&r->body, 256u << 20);
}

void
mock_resp_fini(struct mock_resp *r)
{
	if (r->state_free != NULL)
		r->state_free(r->state);
	r->state_free = NULL;
	r->more = NULL;
	buf_fini(&r->body);
}

const struct buf *
mock_resp_body(const struct mock_resp *r)
{
	return (r->kept != NULL ? r->kept : &r->body);
}

bool
mock_resp_finish(struct mock_resp *r, size_t max)
{
	if (r->kept != NULL)
		return (r->kept->len <= max);
	while (r->more != NULL && r->body.len <= max)
		if (!r->more(r, &r->body))
			r->more = NULL;
	return (r->more == NULL && r->body.error == 0 && r->body.len <= max);
}

static void
resp_text(struct mock_resp *r, int status, const char *before,
    const char *after, const char *fmt, va_list ap)
{
	char text[2000];
	int n = vsnprintf(text, sizeof(text), fmt, ap);

	if (r->state_free != NULL)
		r->state_free(r->state);
	r->state_free = NULL;
	r->more = NULL;
	r->kept = NULL;
	r->status = status;
	r->items = 0;
	buf_clear(&r->body);
	buf_puts(&r->body, before);
	json_put_str(&r->body, text, n < 0 ? 0 : (size_t)n < sizeof(text) ?
	    (size_t)n : sizeof(text) - 1);
	buf_puts(&r->body, after);
}

void
mock_resp_error(struct mock_resp *r, int status, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	resp_text(r, status, "{\"Errors\":[", "]}", fmt, ap);
	va_end(ap);
}

void
mock_resp_message(struct mock_resp *r, int status, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	resp_text(r, status, "{\"Message\":", "}", fmt, ap);
	va_end(ap);
}

void
mock_resp_html(struct mock_resp *r, int status, const char *title)
{
	r->status = status;
	r->type = "text/html; charset=us-ascii";
	buf_clear(&r->body);
	buf_printf(&r->body, "<!DOCTYPE html>\r\n<html><head><title>%s"
	    "</title></head>\r\n<body><h2>%s</h2><hr><p>HTTP status %d.</p>"
	    "</body></html>\r\n", title, title, status);
}
