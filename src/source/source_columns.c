/*
 * The columns of a table: where each comes from and how it is changed on
 * the way, `from` and `as`. A transform has its types; a column that could
 * never be filled is an error of the file, not an empty column.
 */

#include "config.h"

#include <string.h>

#include "base/arena.h"
#include "base/base_limits.h"
#include "base/text.h"
#include "conf/yaml.h"
#include "source/source_int.h"

#define BIT(type) (1u << (type))

static const struct {
	const char *word;
	enum source_as as;
	unsigned types;
} AS[] = {
	{ "webid", AS_WEBID, BIT(ROWS_STRING) },
	{ "number", AS_NUMBER, BIT(ROWS_DOUBLE) },
	{ "text", AS_TEXT, BIT(ROWS_STRING) },
	{ "state_code", AS_STATE_CODE, BIT(ROWS_INT64) },
	{ "is_system", AS_IS_SYSTEM, BIT(ROWS_BOOL) },
	{ "depth", AS_DEPTH, BIT(ROWS_INT64) },
	{ "parent_by_path", AS_PARENT_BY_PATH, BIT(ROWS_STRING) },
	{ "open_end", AS_OPEN_END, BIT(ROWS_TICKS) },
	{ "list", AS_PLAIN, BIT(ROWS_LIST) },
	{ "json", AS_JSON, BIT(ROWS_STRING) },
};
#define AS_N (sizeof(AS) / sizeof(AS[0]))

static const struct {
	const char *word;
	enum source_origin origin;
	unsigned kinds;		/* of tables; 0: all */
} ORIGINS[] = {
	{ "$parent", FROM_PARENT, BIT(SOURCE_WALK) | BIT(SOURCE_FRAMES) },
	{ "$parent.name", FROM_PARENT_NAME,
	    BIT(SOURCE_WALK) | BIT(SOURCE_FRAMES) },
	{ "$parent.kind", FROM_PARENT_KIND,
	    BIT(SOURCE_WALK) | BIT(SOURCE_FRAMES) },
	{ "$stream", FROM_STREAM, BIT(SOURCE_SERIES) },
	{ "$stream.name", FROM_STREAM_NAME, BIT(SOURCE_SERIES) },
	{ "$ordinal", FROM_ORDINAL, BIT(SOURCE_SERIES) },
	{ "$index", FROM_INDEX, BIT(SOURCE_WALK) | BIT(SOURCE_FRAMES) },
	{ "$key", FROM_KEY, BIT(SOURCE_WALK) | BIT(SOURCE_FRAMES) },
	{ "$value", FROM_VALUE, BIT(SOURCE_WALK) | BIT(SOURCE_FRAMES) },
	{ "$request", FROM_REQUEST, BIT(SOURCE_WALK) | BIT(SOURCE_FRAMES) },
};
#define ORIGINS_N (sizeof(ORIGINS) / sizeof(ORIGINS[0]))
#define CONTAINER "$container."
#define FROM_MAX 8

static void
read_type(struct source_reader *r, const struct yaml_node *map,
    enum rows_type *type)
{
	const char *text = source_reader_text(r, map, "type", true);

	if (text == NULL)
		return;
	if (strcmp(text, "list") == 0 || strcmp(text, "list<string>") == 0)
		*type = ROWS_LIST;
	else if (rows_type_parse(text, type) != 0)
		r->rc = yaml_error(r->doc, yaml_get(map, "type"), r->err,
		    "no type `%s`: bool, int32, int64, double, timestamp, "
		    "string or list", text);
}

static void
unknown(struct source_reader *r, const struct yaml_node *n, const char *what,
    const char *const *words, size_t count)
{
	const char *near = text_nearest(n->text, words, count);

	r->rc = yaml_error(r->doc, n, r->err, "no %s `%s`%s%s%s", what,
	    n->text, near != NULL ? ", did you mean `" : "",
	    near != NULL ? near : "", near != NULL ? "`?" : "");
}

/* --- as ------------------------------------------------------------------- */

static void
read_transform(struct source_reader *r, const struct yaml_node *n,
    struct source_column *c)
{
	const char *words[AS_N + 1] = { "first" };

	if (n->kind != YAML_SCALAR) {
		r->rc = yaml_error(r->doc, n, r->err,
		    "`as` is a word, or a list of words");
		return;
	}
	if (strcmp(n->text, "first") == 0) {
		c->first = true;
		return;
	}
	for (size_t i = 0; i < AS_N; i++) {
		words[i + 1] = AS[i].word;
		if (strcmp(n->text, AS[i].word) != 0)
			continue;
		if ((AS[i].types & BIT(c->type)) == 0)
			r->rc = yaml_error(r->doc, n, r->err,
			    "`%s` gives no %s", n->text,
			    rows_type_name(c->type));
		c->as = AS[i].as;
		return;
	}
	unknown(r, n, "transform", words, AS_N + 1);
}

static void
read_as(struct source_reader *r, const struct yaml_node *map,
    struct source_column *c)
{
	const struct yaml_node *n;

	if (r->rc != 0 || (n = yaml_get(map, "as")) == NULL)
		return;
	if (n->kind != YAML_LIST) {
		read_transform(r, n, c);
		return;
	}
	for (size_t i = 0; i < n->n && r->rc == 0; i++)
		read_transform(r, n->values[i], c);
}

/* --- from ----------------------------------------------------------------- */

static void
read_dollar(struct source_reader *r, const struct source_table *t,
    const struct yaml_node *n, struct source_from *f)
{
	const char *words[ORIGINS_N];
	size_t i;

	if (strncmp(n->text, CONTAINER, strlen(CONTAINER)) == 0 &&
	    t->kind == SOURCE_SERIES) {
		f->origin = FROM_CONTAINER;
		source_reader_path(r, n->text + strlen(CONTAINER), &f->path);
		return;
	}
	for (i = 0; i < ORIGINS_N; i++) {
		words[i] = ORIGINS[i].word;
		if (strcmp(n->text, words[i]) == 0)
			break;
	}
	if (i == ORIGINS_N)
		unknown(r, n, "origin", words, ORIGINS_N);
	else if ((ORIGINS[i].kinds & BIT(t->kind)) == 0)
		r->rc = yaml_error(r->doc, n, r->err,
		    "`%s` is not for this kind of table", n->text);
	else
		f->origin = ORIGINS[i].origin;
}

static void
read_origin(struct source_reader *r, const struct source_table *t,
    const struct yaml_node *n, struct source_from *f)
{
	const struct source_plan *p = t->plan;

	if (n->kind != YAML_SCALAR || n->text[0] == '\0') {
		r->rc = yaml_error(r->doc, n, r->err,
		    "`from` is a path, or a list of paths");
		return;
	}
	if (n->text[0] == '$') {
		read_dollar(r, t, n, f);
		if (r->rc != 0)
			return;
		if (f->origin >= FROM_PARENT && f->origin <= FROM_PARENT_KIND &&
		    t->over == NULL)
			r->rc = yaml_error(r->doc, n, r->err,
			    "`%s` in a table without `over`", n->text);
		if ((f->origin == FROM_KEY || f->origin == FROM_VALUE) &&
		    !p->has_each)
			r->rc = yaml_error(r->doc, n, r->err,
			    "`%s` in a table without `each`", n->text);
		return;
	}
	f->origin = FROM_ITEM;
	source_reader_path(r, n->text, &f->path);
}

/* Origins that are text, or numbers, whatever the column wishes. */
static void
check_types(struct source_reader *r, const struct yaml_node *n,
    const struct source_column *c)
{
	unsigned want;

	for (uint32_t i = 0; i < c->nfrom && r->rc == 0; i++) {
		switch (c->from[i].origin) {
		case FROM_ITEM:
		case FROM_VALUE:
			continue;
		case FROM_ORDINAL:
			want = BIT(ROWS_INT32);
			break;
		case FROM_INDEX:
			want = BIT(ROWS_INT64);
			break;
		default:
			want = BIT(ROWS_STRING);
		}
		if ((want & BIT(c->type)) == 0)
			r->rc = yaml_error(r->doc, n, r->err, "that is %s, "
			    "not %s", want == BIT(ROWS_STRING) ? "a string" :
			    want == BIT(ROWS_INT32) ? "an int32" : "an int64",
			    rows_type_name(c->type));
	}
}

static void
read_from(struct source_reader *r, const struct source_table *t,
    const struct yaml_node *map, struct source_column *c)
{
	const struct yaml_node *n, *value;
	bool list;

	if (r->rc != 0)
		return;
	n = yaml_get(map, "from");
	value = yaml_get(map, "value");
	if ((n == NULL) == (value == NULL)) {
		r->rc = yaml_error(r->doc, map, r->err,
		    "a column needs either `from` or `value`");
		return;
	}
	list = n != NULL && n->kind == YAML_LIST;
	if (list && (n->n == 0 || n->n > FROM_MAX)) {
		r->rc = yaml_error(r->doc, n, r->err,
		    "`from` has 1 to %d paths", FROM_MAX);
		return;
	}
	c->nfrom = list ? (uint32_t)n->n : 1;
	c->from = arena_alloc(r->source->arena,
	    c->nfrom * sizeof(c->from[0]));
	if (value != NULL) {
		c->from[0].origin = FROM_CONSTANT;
		c->from[0].text = source_reader_text(r, map, "value", true);
		n = value;
	}
	for (uint32_t i = 0; i < c->nfrom && value == NULL; i++)
		if (r->rc == 0)
			read_origin(r, t, list ? n->values[i] : n,
			    &c->from[i]);
	check_types(r, n, c);
}

/* --- a column ------------------------------------------------------------- */

static void
read_required(struct source_reader *r, const struct yaml_node *map,
    struct source_column *c)
{
	const char *text = source_reader_text(r, map, "required", false);

	if (text != NULL && text_bool(text, &c->required) != 0)
		r->rc = yaml_error(r->doc, yaml_get(map, "required"), r->err,
		    "`required` is true or false");
}

static void
read_column(struct source_reader *r, const struct source_table *t,
    const struct yaml_node *map, struct source_column *c)
{
	static const char *const KEYS[] = { "type", "from", "value", "as",
		"required", NULL };

	if (map->kind != YAML_MAP) {
		r->rc = yaml_error(r->doc, map, r->err,
		    "a column is a map of type, from, as, required");
		return;
	}
	source_reader_only(r, map, KEYS);
	c->type = ROWS_STRING;
	read_type(r, map, &c->type);
	read_as(r, map, c);
	read_from(r, t, map, c);
	read_required(r, map, c);
}

/* The column a parent is found by: the one that holds the path as it is. */
static void
find_parent(struct source_reader *r, const struct yaml_node *map,
    const struct source_table *t, uint32_t ncols)
{
	struct source_plan *p = t->plan;
	const struct source_column *c;

	p->parent_col = p->path_col = -1;
	for (uint32_t i = 0; i < ncols; i++)
		if (p->columns[i].as == AS_PARENT_BY_PATH)
			p->parent_col = (int)i;
	if (p->parent_col < 0)
		return;
	for (uint32_t i = 0; i < ncols; i++) {
		c = &p->columns[i];
		if (c->type == ROWS_STRING && c->as == AS_PLAIN &&
		    c->from[0].origin == FROM_ITEM &&
		    strcmp(c->from[0].path.text,
		    p->columns[p->parent_col].from[0].path.text) == 0)
			p->path_col = (int)i;
	}
	if (p->columns[p->parent_col].required)
		r->rc = yaml_error(r->doc, map->values[p->parent_col], r->err,
		    "`required`, but a root has no parent");
	else if (p->path_col < 0)
		r->rc = yaml_error(r->doc, map->values[p->parent_col], r->err,
		    "`parent_by_path` needs a column with the path itself");
}

/* The column whose null says that a frame is open. */
static int
find_open_end(const struct source_table *t, uint32_t ncols)
{
	const struct source_plan *p = t->plan;

	for (uint32_t i = 0; i < ncols; i++)
		if (p->columns[i].as == AS_OPEN_END)
			return ((int)i);
	return (-1);
}

void
source_columns_read(struct source_reader *r, const struct yaml_node *map,
    struct source_table *t)
{
	struct source_plan *p = t->plan;
	struct rows_col cols[LIMIT_COLUMNS];

	if (r->rc != 0)
		return;
	if (map->n == 0 || map->n > LIMIT_COLUMNS) {
		r->rc = yaml_error(r->doc, map, r->err,
		    "a table has 1 to %d columns", LIMIT_COLUMNS);
		return;
	}
	memset(cols, 0, sizeof(cols));
	p->columns = arena_alloc(r->source->arena,
	    map->n * sizeof(p->columns[0]));
	for (size_t i = 0; i < map->n && r->rc == 0; i++) {
		if (!source_name_ok(map->keys[i]->text)) {
			r->rc = yaml_error(r->doc, map->keys[i], r->err,
			    "a column's name is of a-z, 0-9 and _");
			return;
		}
		read_column(r, t, map->values[i], &p->columns[i]);
		strcpy(cols[i].name, map->keys[i]->text);
		cols[i].type = p->columns[i].type;
		cols[i].required = p->columns[i].required;
	}
	if (r->rc == 0)
		find_parent(r, map, t, (uint32_t)map->n);
	t->open_end = find_open_end(t, (uint32_t)map->n);
	if (r->rc == 0)
		t->schema = rows_schema_new(t->name, cols, (uint32_t)map->n);
}
