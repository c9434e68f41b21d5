/*
 * The columns of a series turned round: not "where does this column come
 * from" but "this key of an item goes where", so that the decoder looks at
 * each key once. What is the same for all items of a stream (its WebID, its
 * name, the unit of its container) is kept apart and filled in afterwards.
 */

#include "config.h"

#include <string.h>

#include "base/arena.h"
#include "conf/yaml.h"
#include "source/source_int.h"

static struct source_field *
field_get(struct source_plan *p, struct arena *arena, const char *name,
    size_t len, uint32_t nops)
{
	struct source_field *f;

	for (uint32_t i = 0; i < p->nfields; i++) {
		f = &p->fields[i];
		if (f->len == len && memcmp(f->name, name, len) == 0)
			return (f);
	}
	f = &p->fields[p->nfields++];
	f->name = arena_strndup(arena, name, len);
	f->len = len;
	f->ops = arena_alloc(arena, (nops + 1) * sizeof(f->ops[0]));
	return (f);
}

static bool
path_equal(const struct source_path *a, const struct source_path *b)
{

	if (a->n != b->n)
		return (false);
	for (uint32_t i = 0; i < a->n; i++)
		if (a->len[i] != b->len[i] ||
		    memcmp(a->step[i], b->step[i], a->len[i]) != 0)
			return (false);
	return (true);
}

static void
add_spread(struct source_field *f, const struct source_path *rest,
    enum source_as as, int col)
{
	struct source_op *op = NULL;

	for (uint32_t i = 0; i < f->nops; i++)
		if (f->ops[i].kind == OP_VALUE &&
		    path_equal(&f->ops[i].rest, rest))
			op = &f->ops[i];
	if (op == NULL) {
		op = &f->ops[f->nops++];
		op->kind = OP_VALUE;
		op->rest = *rest;
		op->col = op->col_text = op->col_code = op->col_system = -1;
	}
	switch (as) {
	case AS_NUMBER:
		op->col = col;
		break;
	case AS_TEXT:
		op->col_text = col;
		break;
	case AS_STATE_CODE:
		op->col_code = col;
		break;
	default:
		op->col_system = col;
	}
}

static enum source_op_kind
op_kind(const struct source_table *t, const struct source_column *c, int col)
{

	if (col == t->cursor)
		return (OP_TIME);
	if (c->as != AS_PLAIN || c->first || c->nfrom > 2 ||
	    (c->nfrom == 2 && c->from[1].origin == FROM_ITEM))
		return (OP_CELL);
	if (c->type == ROWS_BOOL)
		return (OP_BOOL);
	return (c->type == ROWS_STRING ? OP_STRING : OP_CELL);
}

static void
add_item(struct source_reader *r, struct source_table *t,
    const struct source_path *path, int col, uint32_t origins)
{
	struct source_plan *p = t->plan;
	const struct source_column *c = &p->columns[col];
	struct source_path rest = *path;
	struct source_field *f;
	struct source_op *op;

	f = field_get(p, r->source->arena, path->step[0], path->len[0],
	    origins);
	rest.n--;
	rest.step++;
	rest.len++;
	if (c->as >= AS_NUMBER && c->as <= AS_IS_SYSTEM) {
		add_spread(f, &rest, c->as, col);
		return;
	}
	op = &f->ops[f->nops++];
	op->kind = op_kind(t, c, col);
	op->col = col;
	op->rest = rest;
	op->column = c;
}

/* Only what no answer can leave out. */
static bool
may_be_required(const struct source_table *t, int col,
    const struct source_column *c)
{
	enum source_origin o = c->from[0].origin;

	return (col == t->cursor || o == FROM_STREAM || o == FROM_CONSTANT ||
	    o == FROM_ORDINAL);
}

static void
add_column(struct source_reader *r, const struct yaml_node *n,
    struct source_table *t, int col, uint32_t origins)
{
	struct source_plan *p = t->plan;
	const struct source_column *c = &p->columns[col];
	bool whole = true;

	if (c->required && !may_be_required(t, col, c)) {
		r->rc = yaml_error(r->doc, n, r->err, "`required` in a series "
		    "is for the cursor and what all items of a stream share");
		return;
	}
	for (uint32_t k = 0; k < c->nfrom; k++) {
		switch (c->from[k].origin) {
		case FROM_ITEM:
			if (c->from[k].path.n == 0) {
				r->rc = yaml_error(r->doc, n, r->err,
				    "a series has no column of whole items");
				return;
			}
			add_item(r, t, &c->from[k].path, col, origins);
			whole = false;
			break;
		case FROM_ORDINAL:
			t->ordinal = col;
			break;
		default:
			p->fills[p->nfills++] = (struct source_fill){
				.col = (uint32_t)col, .from = &c->from[k],
				.as = c->as, .whole = whole && k == 0 };
		}
	}
}

void
source_compile(struct source_reader *r, const struct yaml_node *table,
    struct source_table *t)
{
	struct source_plan *p = t->plan;
	struct arena *arena = r->source->arena;
	const struct yaml_node *columns;
	uint32_t origins = 0;

	t->ordinal = -1;
	if (r->rc != 0 || t->kind != SOURCE_SERIES)
		return;
	columns = yaml_get(table, "columns");
	for (uint32_t i = 0; i < t->schema->ncols; i++)
		origins += p->columns[i].nfrom;
	p->fields = arena_alloc(arena, (origins + 1) * sizeof(p->fields[0]));
	p->fills = arena_alloc(arena, (origins + 1) * sizeof(p->fills[0]));
	for (uint32_t i = 0; i < t->schema->ncols && r->rc == 0; i++)
		add_column(r, columns->values[i], t, (int)i, origins);
	if (r->rc == 0 && p->columns[t->cursor].from[0].origin != FROM_ITEM)
		r->rc = yaml_error(r->doc, columns->values[t->cursor], r->err,
		    "the cursor must be a field of the items");
	if (r->rc == 0 && p->columns[t->key[0]].from[0].origin != FROM_STREAM)
		r->rc = yaml_error(r->doc, yaml_get(table, "key"), r->err,
		    "the `key` of a series begins with its `$stream`");
	field_get(p, arena, SOURCE_ERRORS, strlen(SOURCE_ERRORS),
	    origins)->errors = true;
}
