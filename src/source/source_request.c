/*
 * The part of a connector file that tells how a table is asked: requests,
 * windows, paging; and the list of fields to ask for, made of the columns.
 *
 * Texts of paths and queries hold {placeholders}, which are checked here and
 * filled in, percent-encoded, when a target is made.
 */

#include "config.h"

#include <string.h>

#include "base/arena.h"
#include "base/text.h"
#include "conf/yaml.h"
#include "source/source_int.h"

/* --- placeholders --------------------------------------------------------- */

static bool
placeholder_ok(const struct source_table *t, bool set, const char *s,
    size_t len)
{
	static const char *const WALK[] = { "parent", "parent.name",
		"parent.kind", "from", "to", NULL };
	static const char *const SERIES[] = { "from", "to", "stream",
		"stream.name", NULL };
	const char *const *w = t->kind == SOURCE_SERIES ? SERIES : WALK;

	if (t->kind == SOURCE_WALK && t->over == NULL)
		return (false);
	for (size_t i = 0; w[i] != NULL; i++) {
		if (strlen(w[i]) != len || memcmp(w[i], s, len) != 0)
			continue;
		if (set && i >= 2)
			return (false);
		return (t->kind != SOURCE_WALK || i < 3);
	}
	return (false);
}

static void
check_template(struct source_reader *r, const struct source_table *t,
    bool set, const struct yaml_node *n)
{
	const char *s = n->text, *end;

	while (r->rc == 0 && (s = strpbrk(s, "{}")) != NULL) {
		end = strchr(s, '}');
		if (*s == '}' || end == NULL ||
		    !placeholder_ok(t, set, s + 1, (size_t)(end - s - 1)))
			r->rc = yaml_error(r->doc, n, r->err,
			    "a placeholder nobody fills in: `%s`", n->text);
		else
			s = end + 1;
	}
}

/* --- one request ---------------------------------------------------------- */

static void
read_param(struct source_reader *r, const struct source_table *t, bool set,
    const struct yaml_node *n, struct source_param *p)
{
	struct arena *arena = r->source->arena;
	struct yaml_node *const *values = n->kind == YAML_LIST ? n->values :
	    (struct yaml_node *const *)&n;

	p->n = n->kind == YAML_LIST ? (uint32_t)n->n : 1;
	p->values = arena_alloc(arena, (p->n + 1) * sizeof(p->values[0]));
	for (uint32_t i = 0; i < p->n && r->rc == 0; i++) {
		if (values[i]->kind != YAML_SCALAR) {
			r->rc = yaml_error(r->doc, values[i], r->err,
			    "a parameter is a text, or a list of texts");
			return;
		}
		check_template(r, t, set, values[i]);
		p->values[i] = arena_strdup(arena, values[i]->text);
	}
}

static void
read_query(struct source_reader *r, const struct source_table *t, bool set,
    const struct yaml_node *map, struct source_request *q)
{
	const struct yaml_node *query;
	struct source_param *all;

	query = source_reader_map(r, map, "query", false);
	if (query == NULL)
		return;
	all = arena_alloc(r->source->arena,
	    (q->nquery + query->n + 1) * sizeof(all[0]));
	if (q->nquery > 0)
		memcpy(all, q->query, q->nquery * sizeof(all[0]));
	q->query = all;
	for (size_t i = 0; i < query->n && r->rc == 0; i++) {
		all[q->nquery].name = arena_strdup(r->source->arena,
		    query->keys[i]->text);
		read_param(r, t, set, query->values[i], &all[q->nquery++]);
	}
}

static void
read_path(struct source_reader *r, const struct source_table *t, bool set,
    const struct yaml_node *map, struct source_request *q)
{

	if ((q->path = source_reader_text(r, map, "path", true)) == NULL)
		return;
	if (q->path[0] != '/')
		r->rc = yaml_error(r->doc, yaml_get(map, "path"), r->err,
		    "`path` begins with /");
	else
		check_template(r, t, set, yaml_get(map, "path"));
}

static void
read_request(struct source_reader *r, const struct source_table *t,
    const struct yaml_node *map, struct source_request *q)
{
	static const char *const KEYS[] = { "path", "query", "fields",
		"filter", "set", NULL };

	if (map->kind != YAML_MAP) {
		r->rc = yaml_error(r->doc, map, r->err,
		    "a request must be a map");
		return;
	}
	source_reader_only(r, map, KEYS);
	read_path(r, t, false, map, q);
	q->fields = source_reader_text(r, map, "fields", false);
	q->filter = source_reader_text(r, map, "filter", false);
	read_query(r, t, false, map, q);
}

/* --- batches -------------------------------------------------------------- */

static void
read_batch_fields(struct source_reader *r, const struct yaml_node *map,
    struct source_batch *b)
{
	struct arena *arena = r->source->arena;
	const struct yaml_node *q = source_reader_map(r, map, "request", true);
	bool url = false;

	if (q == NULL)
		return;
	b->fields = arena_alloc(arena, (q->n + 1) * sizeof(b->fields[0]));
	for (size_t i = 0; i < q->n && r->rc == 0; i++) {
		b->fields[i].name = arena_strdup(arena, q->keys[i]->text);
		b->fields[i].text = source_reader_text(r, q,
		    q->keys[i]->text, true);
		b->nfields++;
		url |= r->rc == 0 &&
		    strstr(b->fields[i].text, SOURCE_BATCH_URL) != NULL;
	}
	if (r->rc == 0 && !url)
		r->rc = yaml_error(r->doc, q, r->err,
		    "no field of the request has " SOURCE_BATCH_URL);
}

static void
read_batch_path(struct source_reader *r, const struct yaml_node *map,
    const char *key, bool required, struct source_path *p)
{
	const char *text = source_reader_text(r, map, key, required);

	if (text != NULL)
		source_reader_path(r, text, p);
}

static void
read_batch(struct source_reader *r, const struct yaml_node *window,
    struct source_table *t)
{
	static const char *const KEYS[] = { "path", "most", "request",
		"status", "content", "type", "retry", NULL };
	struct source_plan *p = t->plan;
	const struct yaml_node *map = source_reader_map(r, window, "batch",
	    false);
	struct source_request q = { 0 };

	if (map == NULL)
		return;
	if (p->one == NULL) {
		r->rc = yaml_error(r->doc, map, r->err,
		    "a `batch` is of requests as `one` tells");
		return;
	}
	p->batch = arena_alloc(r->source->arena, sizeof(*p->batch));
	source_reader_only(r, map, KEYS);
	read_path(r, t, true, map, &q);
	p->batch->path = q.path;
	p->batch->most = source_reader_number(r, map, "most", 100);
	if (r->rc == 0 && p->batch->most < 2)
		r->rc = yaml_error(r->doc, map, r->err,
		    "`most` must be 2 or more");
	read_batch_fields(r, map, p->batch);
	read_batch_path(r, map, "status", true, &p->batch->status);
	read_batch_path(r, map, "content", true, &p->batch->content);
	read_batch_path(r, map, "type", false, &p->batch->type);
	read_batch_path(r, map, "retry", false, &p->batch->retry);
}

/* --- requests of a series ------------------------------------------------- */

static struct source_request *
read_form(struct source_reader *r, const struct source_table *t,
    const struct yaml_node *window, const char *form,
    const struct source_request *common)
{
	static const char *const KEYS_SET[] = { "path", "query", "stream",
		NULL };
	static const char *const KEYS_ONE[] = { "path", "query", NULL };
	const struct yaml_node *map = source_reader_map(r, window, form, false);
	bool set = strcmp(form, "set") == 0;
	struct source_request *q;

	if (map == NULL || r->rc != 0)
		return (NULL);
	q = arena_alloc(r->source->arena, sizeof(*q));
	*q = *common;
	source_reader_only(r, map, set ? KEYS_SET : KEYS_ONE);
	read_path(r, t, set, map, q);
	read_query(r, t, set, map, q);
	q->stream = source_reader_text(r, map, "stream", set);
	return (q);
}

static void
read_series(struct source_reader *r, const struct yaml_node *table,
    struct source_table *t)
{
	static const char *const KEYS[] = { "query", "fields", NULL };
	struct source_plan *p = t->plan;
	struct source_request common = { 0 };
	const struct yaml_node *map, *window;

	map = source_reader_map(r, table, "request", false);
	if (map != NULL) {
		source_reader_only(r, map, KEYS);
		common.fields = source_reader_text(r, map, "fields", false);
		read_query(r, t, true, map, &common);
	}
	window = source_reader_map(r, table, "window", true);
	p->set = read_form(r, t, window, "set", &common);
	p->one = read_form(r, t, window, "one", &common);
	if (window != NULL)
		read_batch(r, window, t);
}

/* The first value of each stream of a set. */
static void
read_first(struct source_reader *r, const struct yaml_node *table,
    struct source_table *t)
{
	static const char *const KEYS[] = { "path", "query", "stream", "item",
		"time", NULL };
	struct source_plan *p = t->plan;
	const struct yaml_node *map = source_reader_map(r, table, "first",
	    false);
	const char *item, *time;

	if (map == NULL)
		return;
	if (t->kind != SOURCE_SERIES) {
		r->rc = yaml_error(r->doc, map, r->err,
		    "`first` is for series");
		return;
	}
	p->first = arena_alloc(r->source->arena, sizeof(*p->first));
	source_reader_only(r, map, KEYS);
	read_path(r, t, true, map, p->first);
	read_query(r, t, true, map, p->first);
	p->first->fields = p->set != NULL ? p->set->fields : NULL;
	p->first->stream = source_reader_text(r, map, "stream", true);
	item = source_reader_text(r, map, "item", true);
	time = source_reader_text(r, map, "time", true);
	if (r->rc != 0)
		return;
	source_reader_path(r, item, &p->first_item);
	source_reader_path(r, time, &p->first_time);
}

static void
read_walk(struct source_reader *r, const struct yaml_node *table,
    struct source_table *t)
{
	struct source_plan *p = t->plan;
	const struct yaml_node *n;
	bool list;

	if (r->rc != 0)
		return;
	if ((n = yaml_get(table, "request")) == NULL ||
	    (n->kind == YAML_LIST && n->n == 0)) {
		r->rc = yaml_error(r->doc, n != NULL ? n : table, r->err,
		    "a `request` is missing");
		return;
	}
	list = n->kind == YAML_LIST;
	t->nrequests = list ? (uint32_t)n->n : 1;
	p->requests = arena_alloc(r->source->arena,
	    t->nrequests * sizeof(p->requests[0]));
	for (uint32_t i = 0; i < t->nrequests && r->rc == 0; i++)
		read_request(r, t, list ? n->values[i] : n, &p->requests[i]);
}

/* In the place of a parameter of that name, or behind them. */
static void
put_param(struct source_request *q, const struct source_param *p)
{
	uint32_t i = 0;

	while (i < q->nquery && strcmp(q->query[i].name, p->name) != 0)
		i++;
	q->query[i] = *p;
	q->nquery += i == q->nquery;
}

/* What of the request is otherwise where only those are wanted that begin in
 * the window. */
static void
read_began(struct source_reader *r, const struct yaml_node *table,
    struct source_table *t)
{
	static const char *const KEYS[] = { "query", NULL };
	struct source_plan *p = t->plan;
	struct source_request other = { 0 }, *q;
	struct source_param *all;
	const struct yaml_node *map, *window;

	window = source_reader_map(r, table, "window", false);
	if (r->rc != 0 || window == NULL ||
	    (map = source_reader_map(r, window, "began", false)) == NULL)
		return;
	if (t->kind != SOURCE_FRAMES || t->nrequests > 1) {
		r->rc = yaml_error(r->doc, map, r->err,
		    "`began` is for frames of one request");
		return;
	}
	source_reader_only(r, map, KEYS);
	read_query(r, t, false, map, &other);
	q = arena_alloc(r->source->arena, sizeof(*q));
	*q = p->requests[0];
	all = arena_alloc(r->source->arena,
	    (q->nquery + other.nquery + 1) * sizeof(all[0]));
	if (q->nquery > 0)
		memcpy(all, q->query, q->nquery * sizeof(all[0]));
	q->query = all;
	for (uint32_t i = 0; i < other.nquery; i++)
		put_param(q, &other.query[i]);
	p->began = q;
	t->began = true;
}

/* --- window and paging ---------------------------------------------------- */

static void
read_window(struct source_reader *r, const struct yaml_node *table,
    struct source_table *t)
{
	static const char *const KEYS[] = { "start", "end", "count", "set",
		"one", "batch", "began", NULL };
	struct source_plan *p = t->plan;
	const struct yaml_node *w;

	if ((w = source_reader_map(r, table, "window", false)) == NULL)
		return;
	source_reader_only(r, w, KEYS);
	p->win_start = source_reader_text(r, w, "start", true);
	p->win_end = source_reader_text(r, w, "end", true);
	p->win_count = source_reader_text(r, w, "count", false);
	if (r->rc == 0 && p->win_count != NULL && t->kind == SOURCE_FRAMES)
		r->rc = yaml_error(r->doc, yaml_get(w, "count"), r->err,
		    "frames are counted by `paging`");
}

static void
read_paging(struct source_reader *r, const struct yaml_node *table,
    struct source_table *t)
{
	static const char *const KEYS[] = { "style", "start", "count", "size",
		"first", NULL };
	static const char *const STYLES[] = { "none", "index", "page" };
	struct source_plan *p = t->plan;
	const struct yaml_node *map;
	const char *style;
	int i;

	map = source_reader_map(r, table, "paging", false);
	if (map == NULL)
		return;
	source_reader_only(r, map, KEYS);
	if ((style = source_reader_text(r, map, "style", true)) == NULL)
		return;
	for (i = 0; i < 3 && strcmp(style, STYLES[i]) != 0; i++)
		continue;
	if (i == 3 || (i != PAGING_NONE && t->kind == SOURCE_SERIES)) {
		r->rc = yaml_error(r->doc, yaml_get(map, "style"), r->err,
		    "`style` is none or, but for series, index or page");
		return;
	}
	if ((p->paging = (enum source_paging)i) == PAGING_NONE)
		return;
	p->page_start = source_reader_text(r, map, "start", true);
	p->page_count = source_reader_text(r, map, "count", true);
	p->page_first = source_reader_number(r, map, "first", 1);
	t->page_size = source_reader_number(r, map, "size", 1000);
	if (r->rc == 0 && t->page_size == 0)
		r->rc = yaml_error(r->doc, map, r->err,
		    "`size` must not be 0");
}

void
source_requests_read(struct source_reader *r, const struct yaml_node *table,
    struct source_table *t)
{

	read_window(r, table, t);
	read_paging(r, table, t);
	t->nrequests = 1;
	if (t->kind == SOURCE_SERIES)
		read_series(r, table, t);
	else
		read_walk(r, table, t);
	read_began(r, table, t);
	read_first(r, table, t);
}

/* --- what needs the columns ----------------------------------------------- */

static void
read_set(struct source_reader *r, const struct source_table *t,
    const struct yaml_node *map, struct source_request *q)
{
	struct source_plan *p = t->plan;
	const struct yaml_node *set = source_reader_map(r, map, "set", false);
	int col;

	if (set == NULL)
		return;
	q->set = arena_alloc(r->source->arena, (set->n + 1) *
	    sizeof(q->set[0]));
	for (size_t i = 0; i < set->n && r->rc == 0; i++) {
		col = rows_schema_find(t->schema, set->keys[i]->text);
		if (col < 0 || p->columns[col].from[0].origin !=
		    FROM_REQUEST) {
			r->rc = yaml_error(r->doc, set->keys[i], r->err,
			    "`%s` is no column with `from: $request`",
			    set->keys[i]->text);
			return;
		}
		q->set[i].column = (uint32_t)col;
		q->set[i].text = source_reader_text(r, set,
		    set->keys[i]->text, true);
		q->nset++;
	}
}

/* Fields of a list, each once: `prefix` and the path joined by a dot. */
struct fields {
	struct buf text;
	char seen[8192];	/* "\nA\nB\n" */
};

static void
fields_add(struct fields *f, const char *prefix, const char *path)
{
	char word[512];
	bool dot = prefix[0] != '\0' && prefix[0] != '.' && path[0] != '\0';
	size_t n = strlen(f->seen);
	int len;

	if (strcmp(prefix, ".") == 0)
		prefix = "";
	if (strcmp(path, ".") == 0)
		path = "";
	len = snprintf(word, sizeof(word), "\n%s%s%s\n", prefix,
	    dot && path[0] != '\0' ? "." : "", path);
	if (len < 3 || (size_t)len >= sizeof(word) ||
	    n + (size_t)len >= sizeof(f->seen) ||
	    strstr(f->seen, word) != NULL)
		return;
	memcpy(f->seen + (n > 0 ? n - 1 : 0), word, (size_t)len + 1);
	if (f->text.len > 0)
		buf_puts(&f->text, "%3B");
	text_percent(&f->text, word + 1, (size_t)len - 2);
}

static void
fields_columns(struct fields *f, const struct source_table *t,
    const char *items, const char *container)
{
	const struct source_plan *p = t->plan;
	const struct source_from *from;

	for (uint32_t i = 0; i < t->schema->ncols; i++) {
		for (uint32_t k = 0; k < p->columns[i].nfrom; k++) {
			from = &p->columns[i].from[k];
			if (from->origin == FROM_ITEM)
				fields_add(f, items, from->path.text);
			else if (from->origin == FROM_CONTAINER)
				fields_add(f, container, from->path.text);
		}
	}
	for (uint32_t i = 0; i < p->nwhere; i++)
		fields_add(f, items, p->where[i].path.text);
	if (p->has_each)
		fields_add(f, items, p->each.text);
	fields_add(f, items, SOURCE_ERRORS);
}

static void
fields_done(struct source_reader *r, struct fields *f,
    struct source_request *q)
{

	fields_add(f, "", SOURCE_EXCEPTION);
	q->selected = arena_strdup(r->source->arena, buf_str(&f->text));
	buf_fini(&f->text);
}

static void
fields_init(struct fields *f)
{

	buf_init(&f->text, 1 << 16);
	f->seen[0] = '\0';
}

static void
select_walk(struct source_reader *r, const struct source_table *t,
    struct source_request *q)
{
	const struct source_plan *p = t->plan;
	struct fields f;

	if (q->fields == NULL)
		return;
	fields_init(&f);
	fields_columns(&f, t, p->items.text, "");
	fields_done(r, &f, q);
}

static void
select_series(struct source_reader *r, const struct source_table *t,
    struct source_request *q, bool set)
{
	const struct source_plan *p = t->plan;
	char items[256];
	struct fields f;

	if (q == NULL || q->fields == NULL)
		return;
	fields_init(&f);
	if (set) {
		(void)snprintf(items, sizeof(items), "%s.%s", p->items.text,
		    p->values.text);
		fields_add(&f, p->items.text, p->stream_id.text);
		fields_columns(&f, t, items, p->items.text);
		fields_add(&f, p->items.text, SOURCE_ERRORS);
		fields_add(&f, p->items.text, SOURCE_EXCEPTION);
	} else {
		fields_columns(&f, t, p->values.text, "");
	}
	fields_done(r, &f, q);
}

/* A server may answer with a list where one value is documented. */
static void
select_first(struct source_reader *r, struct source_plan *p)
{
	const char *in[] = { p->first_item.text, p->values.text };
	char item[256];
	struct fields f;

	if (p->first == NULL || p->first->fields == NULL)
		return;
	fields_init(&f);
	fields_add(&f, p->items.text, p->stream_id.text);
	for (size_t i = 0; i < sizeof(in) / sizeof(in[0]); i++) {
		(void)snprintf(item, sizeof(item), "%s.%s", p->items.text,
		    in[i]);
		fields_add(&f, item, p->first_time.text);
	}
	fields_add(&f, p->items.text, SOURCE_ERRORS);
	fields_add(&f, p->items.text, SOURCE_EXCEPTION);
	fields_done(r, &f, p->first);
}

void
source_requests_finish(struct source_reader *r, const struct yaml_node *table,
    struct source_table *t)
{
	struct source_plan *p = t->plan;
	const struct yaml_node *n;

	if (r->rc != 0)
		return;
	if (t->kind == SOURCE_SERIES) {
		select_series(r, t, p->set, true);
		select_series(r, t, p->one, false);
		select_first(r, p);
		return;
	}
	n = yaml_get(table, "request");
	for (uint32_t i = 0; i < t->nrequests && r->rc == 0; i++) {
		read_set(r, t, n->kind == YAML_LIST ? n->values[i] : n,
		    &p->requests[i]);
		select_walk(r, t, &p->requests[i]);
	}
	if (p->began != NULL)
		p->began->selected = p->requests[0].selected;
}
