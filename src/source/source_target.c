/*
 * Request targets: path and query, percent-encoded, times with seven digits
 * in UTC, every parameter said explicitly. The streams of a set come last,
 * so that the rest of a long target is read first in a log.
 */

#include "config.h"

#include <string.h>

#include "base/must.h"
#include "base/text.h"
#include "base/ticks.h"
#include "source/source_int.h"

/* Room for a target of one stream, made at once. */
#define USUAL_BYTES 512u

/* What fills in the placeholders; NULL texts are empty. */
struct fill {
	const char *parent;
	const char *parent_name;
	const char *parent_kind;
	const char *stream;
	const char *stream_name;
	int64_t a, b;
};

static const char *
fill_get(const struct fill *f, const char *name, size_t len, char *time)
{
	const struct { const char *name, *text; } words[] = {
		{ "parent", f->parent },
		{ "parent.name", f->parent_name },
		{ "parent.kind", f->parent_kind },
		{ "stream", f->stream },
		{ "stream.name", f->stream_name },
		{ "from", NULL },
		{ "to", NULL },
	};

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (strlen(words[i].name) != len ||
		    memcmp(words[i].name, name, len) != 0)
			continue;
		if (i < 5)
			return (words[i].text != NULL ? words[i].text : "");
		return (ticks_text7(i == 5 ? f->a : f->b, time));
	}
	MUST(false);		/* they were checked when read */
	return ("");
}

/* Literal parts go out as they are in a path, encoded in a query. */
static void
put_template(struct buf *out, const char *s, const struct fill *f, bool query)
{
	char time[TICKS_TEXT_MAX];
	const char *text;
	size_t n;

	while (*s != '\0') {
		n = strcspn(s, "{");
		if (query)
			text_percent(out, s, n);
		else
			buf_put(out, s, n);
		s += n;
		if (*s == '\0')
			return;
		n = strcspn(s, "}");
		text = fill_get(f, s + 1, n - 1, time);
		text_percent(out, text, strlen(text));
		s += n + 1;
	}
}

/* A target under construction: '?' first, then '&'. */
struct target {
	struct buf *out;
	char sep;
};

static void
put_name(struct target *t, const char *name)
{

	buf_u8(t->out, (uint8_t)t->sep);
	buf_puts(t->out, name);
	buf_u8(t->out, '=');
	t->sep = '&';
}

static void
put_param(struct target *t, const char *name, const char *value)
{

	put_name(t, name);
	text_percent(t->out, value, strlen(value));
}

static void
put_number(struct target *t, const char *name, uint32_t n)
{

	put_name(t, name);
	buf_decimal(t->out, n);
}

static void
put_time(struct target *t, const char *name, int64_t ticks)
{
	char text[TICKS_TEXT_MAX];

	put_param(t, name, ticks_text7(ticks, text));
}

static void
put_request(struct target *t, const char *base,
    const struct source_request *q, const struct fill *f)
{

	buf_puts(t->out, base);
	put_template(t->out, q->path, f, false);
	for (uint32_t i = 0; i < q->nquery; i++) {
		for (uint32_t k = 0; k < q->query[i].n; k++) {
			put_name(t, q->query[i].name);
			put_template(t->out, q->query[i].values[k], f, true);
		}
	}
	if (q->fields != NULL) {
		put_name(t, q->fields);
		buf_puts(t->out, q->selected);
	}
}

bool
source_clock_target(const struct source *s, const char *base, struct buf *out)
{

	if (s->clock_path == NULL)
		return (false);
	buf_puts(out, base);
	buf_puts(out, s->clock_path);
	return (true);
}

/* --- walks and frames ----------------------------------------------------- */

void
source_walk_target(const struct source_table *table, const char *base,
    const struct source_walk *w, struct buf *out)
{
	const struct source_plan *p = table->plan;
	const struct source_request *q;
	struct target t = { .out = out, .sep = '?' };
	struct fill f = { .parent = w->parent, .parent_name = w->parent_name,
		.parent_kind = w->parent_kind, .a = w->a, .b = w->b };

	MUST(table->kind != SOURCE_SERIES);
	MUST(w->request < table->nrequests);
	MUST(!w->began || p->began != NULL);
	q = w->began ? p->began : &p->requests[w->request];
	put_request(&t, base, q, &f);
	if (p->win_start != NULL) {
		put_time(&t, p->win_start, w->a);
		put_time(&t, p->win_end, w->b);
	}
	if (q->filter != NULL && w->filter != NULL)
		put_param(&t, q->filter, w->filter);
	if (p->paging == PAGING_NONE)
		return;
	MUST(w->count > 0);
	put_number(&t, p->page_start, p->paging == PAGING_INDEX ? w->start :
	    p->page_first + w->start / w->count);
	put_number(&t, p->page_count, w->count);
}

/* --- series --------------------------------------------------------------- */

/* The form for n streams: a set's, or that of one. */
static const struct source_request *
form(const struct source_plan *p, uint32_t n)
{

	if (p->set == NULL || (n == 1 && p->one != NULL))
		return (p->one);
	return (p->set);
}

bool
source_set_can(const struct source_table *table)
{
	const struct source_plan *p = table->plan;

	return (table->kind == SOURCE_SERIES && p->set != NULL);
}

uint32_t
source_stream_len(const struct source_table *table,
    const struct source_stream *s)
{
	const struct source_plan *p = table->plan;
	struct buf out;
	size_t n;

	/* No sets: each stream fills a request of its own. */
	if (p->set == NULL)
		return (UINT16_MAX);
	buf_init(&out, 1 << 16);
	text_percent(&out, s->key, strlen(s->key));
	n = out.len + strlen(p->set->stream) + strlen("&=");
	buf_fini(&out);
	return ((uint32_t)n);
}

static void
put_series(const struct source_table *table, const char *base,
    const struct source_stream *const *streams, uint32_t n, int64_t a,
    int64_t b, uint32_t max_count, struct buf *out)
{
	const struct source_plan *p = table->plan;
	const struct source_request *q = form(p, n);
	struct target t = { .out = out, .sep = '?' };
	struct fill f = { .a = a, .b = b };

	if (q->stream == NULL && n == 1) {
		f.stream = streams[0]->key;
		f.stream_name = streams[0]->name;
	}
	(void)buf_reserve(out, USUAL_BYTES);
	put_request(&t, base, q, &f);
	put_time(&t, p->win_start, a);
	put_time(&t, p->win_end, b);
	if (p->win_count != NULL)
		put_number(&t, p->win_count, max_count);
	for (uint32_t i = 0; i < n && q->stream != NULL; i++)
		put_param(&t, q->stream, streams[i]->key);
}

uint32_t
source_series_base_len(const struct source_table *table, const char *base)
{
	struct buf out;
	size_t n;

	MUST(table->kind == SOURCE_SERIES);
	buf_init(&out, 1 << 20);
	put_series(table, base, NULL, 0, 0, 0, UINT32_MAX, &out);
	n = out.len;
	buf_fini(&out);
	return ((uint32_t)n);
}

bool
source_first_can(const struct source_table *table)
{
	const struct source_plan *p = table->plan;

	return (table->kind == SOURCE_SERIES && p->first != NULL);
}

void
source_first_target(const struct source_table *table, const char *base,
    const struct source_stream *const *streams, uint32_t n, struct buf *out)
{
	const struct source_plan *p = table->plan;
	struct target t = { .out = out, .sep = '?' };
	struct fill f = { .a = 0, .b = 0 };

	MUST(source_first_can(table));
	put_request(&t, base, p->first, &f);
	for (uint32_t i = 0; i < n; i++)
		put_param(&t, p->first->stream, streams[i]->key);
}

void
source_series_target(const struct source_table *table, const char *base,
    const struct source_stream *const *streams, uint32_t n, int64_t a,
    int64_t b, uint32_t max_count, struct buf *out)
{
	const struct source_plan *p = table->plan;

	MUST(table->kind == SOURCE_SERIES);
	MUST(n > 0 && a < b);
	MUST(n == 1 || p->set != NULL);
	put_series(table, base, streams, n, a, b, max_count, out);
}
