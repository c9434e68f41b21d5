/*
 * The footer, reading side: the schema with our types, and where the chunks
 * lie. Every count is bounded by the bytes that are there, every offset by
 * the file. A column that we have no type for is ERR_UNSUPPORTED.
 */

#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/must.h"
#include "parquet/parquet_int.h"

/* An element of the schema, flat, as in the file. */
struct element {
	int type, repetition, children, converted;	/* -1: not set */
	const char *name;		/* borrowed from the footer */
	size_t len;
	bool micros, other_unit;
};

struct meta_in {
	struct thrift_in t;
	struct parquet_meta *m;
	struct element *elements;
	size_t nelements;
	uint64_t size;
};

static void
get_timestamp(struct thrift_in *t, struct element *x)
{
	struct thrift_field f, unit;

	if (!thrift_enter(t, &f))
		return;
	while (thrift_next(t, &f)) {
		if (f.id == 2 && thrift_is_struct(t, &f)) {
			if (!thrift_enter(t, &unit))
				return;
			while (thrift_next(t, &unit)) {
				x->micros |= unit.id == 2;
				x->other_unit |= unit.id != 2;
				thrift_skip(t, &unit);
			}
		} else
			thrift_skip(t, &f);
	}
}

static void
get_logical(struct thrift_in *t, struct element *x)
{
	struct thrift_field f;

	if (!thrift_enter(t, &f))
		return;
	while (thrift_next(t, &f)) {
		if (f.id == 8 && thrift_is_struct(t, &f))
			get_timestamp(t, x);
		else if (f.id == 1 && thrift_is_struct(t, &f)) {
			x->converted = PARQUET_UTF8;
			thrift_skip(t, &f);
		} else if (f.id == 3 && thrift_is_struct(t, &f)) {
			x->converted = PARQUET_LIST;
			thrift_skip(t, &f);
		} else
			thrift_skip(t, &f);
	}
}

static void
get_element(struct thrift_in *t, struct element *x)
{
	struct thrift_field f;

	*x = (struct element){ .type = -1, .converted = -1,
	    .repetition = PARQUET_REQUIRED };
	if (!thrift_enter(t, &f))
		return;
	while (thrift_next(t, &f)) {
		switch (f.id) {
		case 1:
			x->type = thrift_get_i32(t, &f);
			break;
		case 3:
			x->repetition = thrift_get_i32(t, &f);
			break;
		case 4:
			x->name = thrift_get_bytes(t, &f, &x->len);
			break;
		case 5:
			x->children = thrift_get_i32(t, &f);
			break;
		case 6:
			x->converted = thrift_get_i32(t, &f);
			break;
		case 10:
			if (thrift_is_struct(t, &f))
				get_logical(t, x);
			break;
		default:
			thrift_skip(t, &f);
		}
	}
}

static int
get_schema(struct meta_in *in, const struct thrift_field *f)
{
	size_t i, n = thrift_get_list(&in->t, f, THRIFT_STRUCT);

	/* A list has three elements, the root is one. */
	if (in->elements != NULL || n > 3 * LIMIT_COLUMNS + 1)
		return (ERR_UNSUPPORTED);
	in->elements = must_calloc(n + 1, sizeof(*in->elements));
	for (i = 0; i < n && !in->t.c.bad; i++)
		get_element(&in->t, &in->elements[i]);
	in->nelements = n;
	return (0);
}

/* --- row groups ---------------------------------------------------------- */

static uint8_t
get_bound(struct meta_in *in, const struct thrift_field *f, uint8_t *to,
    bool *has)
{
	const char *p;
	size_t n;

	p = thrift_get_bytes(&in->t, f, &n);
	*has = p != NULL && n <= PARQUET_BOUND_MAX + 4;
	if (!*has)
		return (0);
	memcpy(to, p, n);
	return ((uint8_t)n);
}

static void
get_statistics(struct meta_in *in, struct parquet_rstat *s)
{
	struct thrift_field f;

	if (!thrift_enter(&in->t, &f))
		return;
	while (thrift_next(&in->t, &f)) {
		switch (f.id) {
		case 3:
			s->nulls = thrift_get_int(&in->t, &f);
			break;
		case 5:
			s->max_len = get_bound(in, &f, s->max, &s->has_max);
			break;
		case 6:
			s->min_len = get_bound(in, &f, s->min, &s->has_min);
			break;
		default:
			thrift_skip(&in->t, &f);
		}
	}
}

static void
get_chunk_meta(struct meta_in *in, struct parquet_rchunk *k)
{
	int64_t values = -1, data = -1, dict = -1, bytes = -1, from;
	struct thrift_field f;

	k->stat.nulls = -1;
	if (!thrift_enter(&in->t, &f))
		return;
	while (thrift_next(&in->t, &f)) {
		switch (f.id) {
		case 4:
			k->codec = thrift_get_i32(&in->t, &f);
			break;
		case 5:
			values = thrift_get_int(&in->t, &f);
			break;
		case 7:
			bytes = thrift_get_int(&in->t, &f);
			break;
		case 9:
			data = thrift_get_int(&in->t, &f);
			break;
		case 11:
			dict = thrift_get_int(&in->t, &f);
			break;
		case 12:
			if (thrift_is_struct(&in->t, &f))
				get_statistics(in, &k->stat);
			break;
		default:
			thrift_skip(&in->t, &f);
		}
	}
	from = dict > 0 && dict < data ? dict : data;
	if (values < 0 || from < 4 || bytes < 0 ||
	    (uint64_t)from > in->size || (uint64_t)bytes > in->size -
	    (uint64_t)from)
		in->t.c.bad = true;
	k->values = (uint64_t)values;
	k->from = (uint64_t)from;
	k->to = (uint64_t)from + (uint64_t)bytes;
}

/* An index lies before the footer, or nowhere. */
static void
take_extent(struct meta_in *in, int64_t offset, int32_t bytes,
    struct parquet_extent *x)
{

	if (offset == 0 && bytes == 0)
		return;
	if (offset < 4 || bytes <= 0 || (uint64_t)offset > in->size ||
	    (uint64_t)bytes > in->size - (uint64_t)offset) {
		in->t.c.bad = true;
		return;
	}
	*x = (struct parquet_extent){ (uint64_t)offset, (uint32_t)bytes };
}

static void
get_chunk(struct meta_in *in, struct parquet_rchunk *k)
{
	int64_t column = 0, offset = 0;
	int32_t column_bytes = 0, offset_bytes = 0;
	struct thrift_field f;
	bool seen = false;
	size_t n;

	if (!thrift_enter(&in->t, &f))
		return;
	while (thrift_next(&in->t, &f)) {
		if (f.id == 1) {	/* chunk in another file */
			(void)thrift_get_bytes(&in->t, &f, &n);
			in->t.c.bad |= n > 0;
		} else if (f.id == 3 && thrift_is_struct(&in->t, &f)) {
			get_chunk_meta(in, k);
			seen = true;
		} else if (f.id == 4)
			offset = thrift_get_int(&in->t, &f);
		else if (f.id == 5)
			offset_bytes = thrift_get_i32(&in->t, &f);
		else if (f.id == 6)
			column = thrift_get_int(&in->t, &f);
		else if (f.id == 7)
			column_bytes = thrift_get_i32(&in->t, &f);
		else
			thrift_skip(&in->t, &f);
	}
	in->t.c.bad |= !seen;
	take_extent(in, offset, offset_bytes, &k->offset_index);
	take_extent(in, column, column_bytes, &k->column_index);
}

static void
get_group(struct meta_in *in, struct parquet_rgroup *g)
{
	struct thrift_field f;
	int64_t rows = -1;
	size_t i, n = 0;

	if (!thrift_enter(&in->t, &f))
		return;
	while (thrift_next(&in->t, &f)) {
		if (f.id == 1 && g->chunks == NULL) {
			n = thrift_get_list(&in->t, &f, THRIFT_STRUCT);
			if (n != in->m->schema->ncols)
				in->t.c.bad = true;
			g->chunks = must_calloc(in->m->schema->ncols,
			    sizeof(*g->chunks));
			for (i = 0; i < n && !in->t.c.bad; i++)
				get_chunk(in, &g->chunks[i]);
		} else if (f.id == 3)
			rows = thrift_get_int(&in->t, &f);
		else
			thrift_skip(&in->t, &f);
	}
	if (rows < 0 || g->chunks == NULL)
		in->t.c.bad = true;
	g->rows = (uint64_t)rows;
}

static void
get_groups(struct meta_in *in, const struct thrift_field *f)
{
	size_t i, n = thrift_get_list(&in->t, f, THRIFT_STRUCT);

	if (in->m->schema == NULL || in->m->groups != NULL)
		in->t.c.bad = true;
	if (in->t.c.bad)
		return;
	in->m->groups = must_calloc(n + 1, sizeof(*in->m->groups));
	for (i = 0; i < n && !in->t.c.bad; i++) {
		in->m->ngroups = i + 1;
		get_group(in, &in->m->groups[i]);
	}
}

/* --- our types ----------------------------------------------------------- */

static int
bad_column(const struct element *x, struct err *e)
{
	char name[ROWS_NAME_MAX];
	size_t i, n = x->len < sizeof(name) ? x->len : sizeof(name) - 1;

	for (i = 0; i < n; i++)
		name[i] = x->name[i] > ' ' && x->name[i] < 0x7f ?
		    x->name[i] : '?';
	name[n] = '\0';
	return (err_set(e, ERR_UNSUPPORTED, "column %s is of a type that is "
	    "not read", name));
}

static int
leaf_type(const struct element *x, enum rows_type *type)
{
	bool micros = x->micros ||
	    (x->converted == PARQUET_TIMESTAMP_MICROS && !x->other_unit);

	switch (x->type) {
	case PARQUET_BOOLEAN:
		*type = ROWS_BOOL;
		return (x->converted == -1 ? 0 : ERR_UNSUPPORTED);
	case PARQUET_INT32:
		*type = ROWS_INT32;
		return (x->converted == -1 ? 0 : ERR_UNSUPPORTED);
	case PARQUET_INT64:
		*type = micros ? ROWS_TICKS : ROWS_INT64;
		return (micros || (x->converted == -1 && !x->other_unit) ?
		    0 : ERR_UNSUPPORTED);
	case PARQUET_DOUBLE:
		*type = ROWS_DOUBLE;
		return (0);
	case PARQUET_BYTE_ARRAY:
		*type = ROWS_STRING;
		return (x->converted == PARQUET_UTF8 ? 0 : ERR_UNSUPPORTED);
	default:
		return (ERR_UNSUPPORTED);
	}
}

/* Three levels: the group, a repeated group, the optional text. */
static bool
is_list(const struct element *x, size_t left)
{

	return (left >= 3 && x->type == -1 && x->children == 1 &&
	    x->converted == PARQUET_LIST && x[1].children == 1 &&
	    x[1].repetition == PARQUET_REPEATED &&
	    x[2].repetition == PARQUET_OPTIONAL && x[2].children == 0 &&
	    x[2].type == PARQUET_BYTE_ARRAY &&
	    x[2].converted == PARQUET_UTF8);
}

/* A column of elements x[0..left): how many it takes, or an error. */
static int
make_column(const struct element *x, size_t left, struct rows_col *col,
    struct err *e)
{

	if (x->name == NULL || x->len == 0 || x->len >= ROWS_NAME_MAX ||
	    memchr(x->name, '\0', x->len) != NULL)
		return (err_set(e, ERR_UNSUPPORTED, "a column's name is not "
		    "one of ours"));
	if (x->repetition != PARQUET_REQUIRED &&
	    x->repetition != PARQUET_OPTIONAL)
		return (bad_column(x, e));
	memset(col, 0, sizeof(*col));
	memcpy(col->name, x->name, x->len);
	col->required = x->repetition == PARQUET_REQUIRED;
	if (x->children != 0) {
		col->type = ROWS_LIST;
		return (is_list(x, left) ? 3 : bad_column(x, e));
	}
	return (leaf_type(x, &col->type) == 0 ? 1 : bad_column(x, e));
}

static int
make_schema(struct meta_in *in, struct err *e)
{
	struct rows_col cols[LIMIT_COLUMNS];
	const struct element *root = in->elements;
	char name[ROWS_NAME_MAX] = "";
	size_t at = 1;
	uint32_t n = 0;
	int rc;

	if (in->t.c.bad || in->nelements < 2)
		return (err_set(e, ERR_CORRUPT, "the schema is damaged"));
	while (at < in->nelements) {
		if (n == LIMIT_COLUMNS)
			return (err_set(e, ERR_UNSUPPORTED, "more than %d "
			    "columns", LIMIT_COLUMNS));
		if ((rc = make_column(in->elements + at, in->nelements - at,
		    &cols[n], e)) < 0)
			return (rc);
		at += (size_t)rc;
		n++;
	}
	if (root->children != (int)n)
		return (err_set(e, ERR_CORRUPT, "the schema is damaged"));
	if (root->len > 0 && root->len < sizeof(name) &&
	    memchr(root->name, '\0', root->len) == NULL)
		memcpy(name, root->name, root->len);
	in->m->schema = rows_schema_new(name, cols, n);
	return (0);
}

int
parquet_meta_parse(struct parquet_meta *m, const void *p, size_t n,
    uint64_t size, struct err *e)
{
	struct meta_in in = { .m = m, .size = size };
	struct thrift_field f;
	uint64_t sum = 0;
	int64_t rows = -1;
	size_t g;
	int rc = 0;

	memset(m, 0, sizeof(*m));
	thrift_in_init(&in.t, p, n);
	(void)thrift_enter(&in.t, &f);
	while (rc == 0 && thrift_next(&in.t, &f)) {
		if (f.id == 2) {
			if ((rc = get_schema(&in, &f)) == 0)
				rc = make_schema(&in, e);
			else
				err_set(e, rc, "too many columns");
		} else if (f.id == 3)
			rows = thrift_get_int(&in.t, &f);
		else if (f.id == 4)
			get_groups(&in, &f);
		else
			thrift_skip(&in.t, &f);
	}
	for (g = 0; rc == 0 && !in.t.c.bad && g < m->ngroups; g++)
		if (__builtin_add_overflow(sum, m->groups[g].rows, &sum))
			in.t.c.bad = true;
	if (rc == 0 && (in.t.c.bad || m->schema == NULL || rows < 0 ||
	    sum != (uint64_t)rows))
		rc = err_set(e, ERR_CORRUPT, "the footer is damaged");
	m->rows = sum;
	free(in.elements);
	if (rc != 0)
		parquet_meta_fini(m);
	return (rc);
}

void
parquet_meta_fini(struct parquet_meta *m)
{
	size_t g;

	for (g = 0; g < m->ngroups; g++)
		free(m->groups[g].chunks);
	free(m->groups);
	rows_schema_free(m->schema);
	memset(m, 0, sizeof(*m));
}
