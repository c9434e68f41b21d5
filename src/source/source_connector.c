/*
 * Connector files: YAML into tables. The reader checks every key and every
 * reference (columns, parents, placeholders), so that nothing is left to go
 * wrong when requests are made: a connector that loads is one that works.
 *
 * The first mistake ends the reading, told with file, line and, for a word
 * nobody knows, the nearest one. Parents stand before their children.
 */

#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/base_limits.h"
#include "base/must.h"
#include "base/text.h"
#include "base/ticks.h"
#include "conf/yaml.h"
#include "fetch/fetch.h"
#include "source/source_int.h"

/* --- the reader: leaves --------------------------------------------------- */

void
source_reader_only(struct source_reader *r, const struct yaml_node *map,
    const char *const *allowed)
{

	if (r->rc == 0)
		r->rc = yaml_only(r->doc, map, allowed, r->err);
}

const char *
source_reader_text(struct source_reader *r, const struct yaml_node *map,
    const char *key, bool required)
{
	struct yaml_node *n;

	if (r->rc != 0)
		return (NULL);
	if ((n = yaml_get(map, key)) == NULL) {
		if (required)
			r->rc = yaml_error(r->doc, map, r->err,
			    "`%s` is missing", key);
		return (NULL);
	}
	if (n->kind != YAML_SCALAR || n->text[0] == '\0') {
		r->rc = yaml_error(r->doc, n, r->err, "`%s` must be a text",
		    key);
		return (NULL);
	}
	return (arena_strdup(r->source->arena, n->text));
}

uint32_t
source_reader_number(struct source_reader *r, const struct yaml_node *map,
    const char *key, uint32_t deflt)
{
	const char *text = source_reader_text(r, map, key, false);
	uint64_t n;

	if (text == NULL)
		return (deflt);
	if (text_u64(text, 0, 1000000, &n) != 0) {
		r->rc = yaml_error(r->doc, yaml_get(map, key), r->err,
		    "`%s` must be a number from 0 to 1000000", key);
		return (deflt);
	}
	return ((uint32_t)n);
}

struct yaml_node *
source_reader_map(struct source_reader *r, const struct yaml_node *map,
    const char *key, bool required)
{
	struct yaml_node *n;

	if (r->rc != 0)
		return (NULL);
	n = yaml_get(map, key);
	if (n == NULL && required)
		r->rc = yaml_error(r->doc, map, r->err, "`%s` is missing",
		    key);
	if (n != NULL && n->kind != YAML_MAP) {
		r->rc = yaml_error(r->doc, n, r->err, "`%s` must be a map",
		    key);
		return (NULL);
	}
	return (n);
}

#define DAY_MS 86400000

static int
column_find(struct source_reader *r, const struct source_table *t,
    const struct yaml_node *n)
{
	const char **names, *near;
	int col = -1;

	if (n->kind == YAML_SCALAR)
		col = rows_schema_find(t->schema, n->text);
	if (col >= 0)
		return (col);
	if (n->kind != YAML_SCALAR) {
		r->rc = yaml_error(r->doc, n, r->err,
		    "the name of a column is wanted");
		return (-1);
	}
	names = must_calloc(t->schema->ncols, sizeof(names[0]));
	for (uint32_t i = 0; i < t->schema->ncols; i++)
		names[i] = t->schema->cols[i].name;
	near = text_nearest(n->text, names, t->schema->ncols);
	r->rc = yaml_error(r->doc, n, r->err, "no column `%s`%s%s%s",
	    n->text, near != NULL ? ", did you mean `" : "",
	    near != NULL ? near : "", near != NULL ? "`?" : "");
	free(names);
	return (-1);
}

int
source_reader_column(struct source_reader *r, const struct source_table *t,
    const struct yaml_node *map, const char *key, bool required)
{
	struct yaml_node *n;

	if (source_reader_text(r, map, key, required) == NULL)
		return (-1);
	n = yaml_get(map, key);
	return (column_find(r, t, n));
}

/* "A.B" into steps; "." and "" are no steps. */
void
source_reader_path(struct source_reader *r, const char *text,
    struct source_path *p)
{
	struct arena *arena = r->source->arena;
	const char *s, *dot;
	uint32_t n = 1;

	memset(p, 0, sizeof(*p));
	p->text = arena_strdup(arena, text);
	if (text[0] == '\0' || strcmp(text, ".") == 0)
		return;
	for (s = text; *s != '\0'; s++)
		n += *s == '.';
	p->step = arena_alloc(arena, n * sizeof(p->step[0]));
	p->len = arena_alloc(arena, n * sizeof(p->len[0]));
	for (s = p->text; s != NULL; s = dot != NULL ? dot + 1 : NULL) {
		dot = strchr(s, '.');
		p->len[p->n] = dot != NULL ? (size_t)(dot - s) : strlen(s);
		p->step[p->n++] = s;
	}
}

/* --- a table -------------------------------------------------------------- */

static const char *const TABLE_KEYS[] = { "about", "category", "ingestion",
	"key", "cursor", "over", "object", "request", "window", "first",
	"paging", "items", "values", "stream_id", "each", "where", "columns",
	NULL };

static void
read_ingestion(struct source_reader *r, const struct yaml_node *map,
    struct source_table *t)
{
	static const char *const WORDS[] = { "snapshot", "append", "cdc" };
	const char *text = source_reader_text(r, map, "ingestion", true);

	if (text == NULL)
		return;
	for (int i = 0; i < 3; i++) {
		if (strcmp(text, WORDS[i]) == 0) {
			t->ingestion = (enum source_ingestion)i;
			return;
		}
	}
	r->rc = yaml_error(r->doc, yaml_get(map, "ingestion"), r->err,
	    "`ingestion` must be snapshot, append or cdc");
}

static void
read_kind(struct source_reader *r, const struct yaml_node *map,
    struct source_table *t)
{
	const struct yaml_node *w = source_reader_map(r, map, "window", false);

	t->kind = SOURCE_WALK;
	if (w == NULL)
		return;
	t->kind = yaml_get(w, "set") != NULL || yaml_get(w, "one") != NULL ?
	    SOURCE_SERIES : SOURCE_FRAMES;
}

static void
read_over(struct source_reader *r, const struct yaml_node *map,
    struct source_table *t)
{
	const char *over = source_reader_text(r, map, "over", false);
	struct source_table *parent = NULL;

	if (r->rc != 0)
		return;
	if (over == NULL) {
		if (t->kind != SOURCE_WALK)
			r->rc = yaml_error(r->doc, map, r->err,
			    "a table with a window needs `over`");
		return;
	}
	for (struct source_table *i = r->source->tables; i < t; i++)
		if (strcmp(i->name, over) == 0)
			parent = i;
	if (parent == NULL)
		r->rc = yaml_error(r->doc, yaml_get(map, "over"), r->err,
		    "no table `%s` above this one", over);
	else if (parent->object_key < 0)
		r->rc = yaml_error(r->doc, yaml_get(map, "over"), r->err,
		    "table `%s` has no `object`", over);
	else
		parent->is_parent = true;
	t->over = parent;
}

static void
read_object(struct source_reader *r, const struct yaml_node *map,
    struct source_table *t)
{
	static const char *const KEYS[] = { "key", "name", "kind", NULL };
	const struct yaml_node *o = source_reader_map(r, map, "object", false);
	int cols[3];

	t->object_key = t->object_name = t->object_kind = -1;
	if (o == NULL)
		return;
	source_reader_only(r, o, KEYS);
	for (int i = 0; i < 3; i++) {
		cols[i] = source_reader_column(r, t, o, KEYS[i], i == 0);
		if (cols[i] < 0 || r->rc != 0 ||
		    t->schema->cols[cols[i]].type == ROWS_STRING)
			continue;
		r->rc = yaml_error(r->doc, yaml_get(o, KEYS[i]), r->err,
		    "a column of type string is wanted");
	}
	t->object_key = cols[0];
	t->object_name = cols[1];
	t->object_kind = cols[2];
}

static void
read_key(struct source_reader *r, const struct yaml_node *map,
    struct source_table *t)
{
	const struct yaml_node *n;
	uint32_t *key;
	int col;

	if (r->rc != 0)
		return;
	n = yaml_get(map, "key");
	if (n == NULL || n->kind != YAML_LIST || n->n == 0) {
		r->rc = yaml_error(r->doc, n != NULL ? n : map, r->err,
		    "`key` must be a list of columns");
		return;
	}
	key = arena_alloc(r->source->arena, n->n * sizeof(key[0]));
	for (size_t i = 0; i < n->n; i++) {
		if ((col = column_find(r, t, n->values[i])) < 0)
			return;
		key[i] = (uint32_t)col;
	}
	t->key = key;
	t->nkey = (uint32_t)n->n;
	if (((struct source_plan *)t->plan)->parent_col >= 0 &&
	    t->schema->cols[key[0]].type != ROWS_STRING)
		r->rc = yaml_error(r->doc, n, r->err,
		    "`parent_by_path` needs a key of type string");
}

static void
read_cursor(struct source_reader *r, const struct yaml_node *map,
    struct source_table *t)
{

	t->cursor = source_reader_column(r, t, map, "cursor",
	    t->kind != SOURCE_WALK);
	if (t->cursor >= 0 && t->schema->cols[t->cursor].type != ROWS_TICKS)
		r->rc = yaml_error(r->doc, yaml_get(map, "cursor"), r->err,
		    "`cursor` must be a column of type timestamp");
}

static void
read_where(struct source_reader *r, const struct yaml_node *map,
    struct source_table *t)
{
	struct source_plan *p = t->plan;
	const struct yaml_node *w = source_reader_map(r, map, "where", false);

	if (w == NULL || r->rc != 0)
		return;
	p->where = arena_alloc(r->source->arena, w->n * sizeof(p->where[0]));
	for (size_t i = 0; i < w->n && r->rc == 0; i++) {
		source_reader_path(r, w->keys[i]->text, &p->where[i].path);
		p->where[i].text = source_reader_text(r, w, w->keys[i]->text,
		    true);
		p->nwhere++;
	}
}

/* Where in an answer the items are. */
static void
read_shape(struct source_reader *r, const struct yaml_node *map,
    struct source_table *t)
{
	struct source_plan *p = t->plan;
	bool series = t->kind == SOURCE_SERIES;
	const char *text;

	if ((text = source_reader_text(r, map, "items", true)) != NULL)
		source_reader_path(r, text, &p->items);
	text = source_reader_text(r, map, "values", series);
	if (text != NULL)
		source_reader_path(r, text, &p->values);
	text = source_reader_text(r, map, "stream_id", series);
	if (text != NULL)
		source_reader_path(r, text, &p->stream_id);
	if ((text = source_reader_text(r, map, "each", false)) != NULL) {
		source_reader_path(r, text, &p->each);
		p->has_each = true;
	}
	if (r->rc == 0 && series && (p->has_each || yaml_get(map, "where")))
		r->rc = yaml_error(r->doc, map, r->err,
		    "`each` and `where` are not for series");
	read_where(r, map, t);
}

static void
read_table(struct source_reader *r, const struct yaml_node *map,
    struct source_table *t)
{

	t->plan = arena_alloc(r->source->arena, sizeof(struct source_plan));
	source_reader_only(r, map, TABLE_KEYS);
	t->about = source_reader_text(r, map, "about", true);
	t->category = source_reader_text(r, map, "category", true);
	read_ingestion(r, map, t);
	read_kind(r, map, t);
	read_over(r, map, t);
	read_shape(r, map, t);
	source_requests_read(r, map, t);
	source_columns_read(r, source_reader_map(r, map, "columns", true), t);
	if (r->rc != 0)
		return;
	read_object(r, map, t);
	read_key(r, map, t);
	read_cursor(r, map, t);
	source_requests_finish(r, map, t);
	source_compile(r, map, t);
}

/* --- the file ------------------------------------------------------------- */

static void
read_clock(struct source_reader *r, const struct yaml_node *root)
{
	static const char *const KEYS[] = { "path", "field", NULL };
	const struct yaml_node *c = source_reader_map(r, root, "clock", false);

	if (c == NULL)
		return;
	source_reader_only(r, c, KEYS);
	r->source->clock_path = source_reader_text(r, c, "path", true);
	r->source->clock_field = source_reader_text(r, c, "field", true);
}

static void
read_probe(struct source_reader *r, const struct yaml_node *n,
    struct source_probe *p)
{
	static const char *const KEYS[] = { "name", "path", "show", NULL };
	const struct yaml_node *show;

	source_reader_only(r, n, KEYS);
	p->name = source_reader_text(r, n, "name", true);
	p->path = source_reader_text(r, n, "path", true);
	show = yaml_get(n, "show");
	if (show == NULL || show->kind != YAML_LIST) {
		if (r->rc == 0)
			r->rc = yaml_error(r->doc, n, r->err, "`show` must "
			    "be a list of fields");
		return;
	}
	p->show = arena_alloc(r->source->arena, (show->n + 1) *
	    sizeof(p->show[0]));
	for (size_t i = 0; i < show->n; i++)
		if (show->values[i]->kind == YAML_SCALAR)
			p->show[p->nshow++] = arena_strdup(r->source->arena,
			    show->values[i]->text);
}

static void
read_probes(struct source_reader *r, const struct yaml_node *root)
{
	struct source *s = r->source;
	const struct yaml_node *list = yaml_get(root, "probes");

	if (list == NULL || r->rc != 0)
		return;
	if (list->kind != YAML_LIST) {
		r->rc = yaml_error(r->doc, list, r->err, "`probes` must be "
		    "a list");
		return;
	}
	s->probes = arena_alloc(s->arena, (list->n + 1) *
	    sizeof(s->probes[0]));
	for (size_t i = 0; i < list->n && r->rc == 0; i++)
		read_probe(r, list->values[i], &s->probes[s->nprobes++]);
}

/* {remaining: HEADER, reset: HEADER, unit: unix|seconds|ms}, or
 * {remaining: HEADER, every: SPAN}. */
static void
read_quota(struct source_reader *r, const struct yaml_node *n,
    struct fetch_quota *q)
{
	static const char *const KEYS[] = { "remaining", "reset", "unit",
		"every", NULL };
	static const struct { const char *word; enum fetch_reset kind; }
	    units[] = {
		{ "unix", FETCH_RESET_UNIX },
		{ "seconds", FETCH_RESET_SECONDS },
		{ "ms", FETCH_RESET_MS },
	};
	const char *every, *unit;
	size_t i;

	source_reader_only(r, n, KEYS);
	q->remaining = source_reader_text(r, n, "remaining", true);
	every = source_reader_text(r, n, "every", false);
	q->reset = source_reader_text(r, n, "reset", every == NULL);
	unit = source_reader_text(r, n, "unit", every == NULL);
	if (r->rc != 0 || (every == NULL && unit == NULL))
		return;
	if (every != NULL) {
		if (q->reset != NULL || unit != NULL ||
		    text_duration_ms(every, 1, DAY_MS, &q->every_ms) != 0)
			r->rc = yaml_error(r->doc, n, r->err, "`every` is a "
			    "span up to 1d, without `reset` and `unit`");
		return;
	}
	for (i = 0; i < 3 && strcmp(unit, units[i].word) != 0; i++)
		continue;
	if (i == 3)
		r->rc = yaml_error(r->doc, n, r->err, "`unit` is unix, "
		    "seconds or ms");
	else
		q->kind = units[i].kind;
}

static void
read_quotas(struct source_reader *r, const struct yaml_node *root)
{
	struct source *s = r->source;
	const struct yaml_node *list = yaml_get(root, "quotas");

	if (list == NULL || r->rc != 0)
		return;
	if (list->kind != YAML_LIST || list->n > PACE_QUOTAS) {
		r->rc = yaml_error(r->doc, list, r->err, "`quotas` must be "
		    "a list of at most %d", PACE_QUOTAS);
		return;
	}
	s->quotas = arena_alloc(s->arena, (list->n + 1) *
	    sizeof(*s->quotas));
	for (; s->nquotas < list->n && r->rc == 0; s->nquotas++)
		read_quota(r, list->values[s->nquotas],
		    &s->quotas[s->nquotas]);
}

size_t
source_quotas(const struct source *s, const struct fetch_quota **out)
{

	*out = s->quotas;
	return (s->nquotas);
}

bool
source_name_ok(const char *s)
{
	size_t n = strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789_");

	return (s[0] >= 'a' && s[0] <= 'z' && s[n] == '\0' &&
	    n < ROWS_NAME_MAX);
}

static void
read_tables(struct source_reader *r, const struct yaml_node *root)
{
	struct source *s = r->source;
	const struct yaml_node *map;
	struct source_table *t;

	if ((map = source_reader_map(r, root, "tables", true)) == NULL)
		return;
	s->tables = arena_alloc(s->arena, (map->n + 1) * sizeof(*s->tables));
	for (size_t i = 0; i < map->n && r->rc == 0; i++) {
		t = &s->tables[s->ntables++];
		t->name = arena_strdup(s->arena, map->keys[i]->text);
		if (!source_name_ok(t->name))
			r->rc = yaml_error(r->doc, map->keys[i], r->err,
			    "a table's name is of a-z, 0-9 and _");
		else if (map->values[i]->kind != YAML_MAP)
			r->rc = yaml_error(r->doc, map->values[i], r->err,
			    "table `%s` must be a map", t->name);
		else
			read_table(r, map->values[i], t);
	}
}

static void
read_file(struct source_reader *r)
{
	static const char *const KEYS[] = { "connector", "version", "title",
		"path", "clock", "probes", "quotas", "tables",
		NULL };
	const struct yaml_node *root = r->doc->root;
	const char *text;

	if (root == NULL || root->kind != YAML_MAP) {
		r->rc = err_set(r->err, ERR_CONFIG, "%s: not a connector: "
		    "a map is wanted", r->doc->path);
		return;
	}
	source_reader_only(r, root, KEYS);
	r->source->name = source_reader_text(r, root, "connector", true);
	if (r->rc == 0 && source_reader_number(r, root, "version", 0) != 1 &&
	    r->rc == 0)
		r->rc = yaml_error(r->doc, root, r->err,
		    "`version` must be 1");
	r->source->title = source_reader_text(r, root, "title", false);
	text = source_reader_text(r, root, "path", false);
	r->source->base_path = text != NULL ? text : "";
	read_clock(r, root);
	read_probes(r, root);
	read_quotas(r, root);
	read_tables(r, root);
}

int
source_load(const char *path, struct source **out, struct err *e)
{
	struct source_reader r = { .err = e };
	int rc;

	*out = NULL;
	if ((rc = yaml_load(path, &r.doc, e)) != 0)
		return (rc);
	r.source = must_calloc(1, sizeof(*r.source));
	r.source->arena = arena_new();
	read_file(&r);
	yaml_doc_free(r.doc);
	if (r.rc != 0)
		source_free(r.source);
	else
		*out = r.source;
	return (r.rc);
}

void
source_free(struct source *s)
{

	if (s == NULL)
		return;
	for (size_t i = 0; i < s->ntables; i++)
		rows_schema_free((void *)(uintptr_t)s->tables[i].schema);
	arena_free(s->arena);
	free(s);
}

const char *
source_name(const struct source *s)
{

	return (s->name);
}

const char *
source_base_path(const struct source *s)
{

	return (s->base_path);
}

size_t
source_tables(const struct source *s)
{

	return (s->ntables);
}

const struct source_table *
source_table_at(const struct source *s, size_t i)
{

	MUST(i < s->ntables);
	return (&s->tables[i]);
}

const struct source_table *
source_table_find(const struct source *s, const char *name)
{

	for (size_t i = 0; i < s->ntables; i++)
		if (strcmp(s->tables[i].name, name) == 0)
			return (&s->tables[i]);
	return (NULL);
}
