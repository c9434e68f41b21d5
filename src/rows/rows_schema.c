/*
 * Schemas: an ordered list of named, typed columns. The encoded form names
 * everything a reader needs, so a journal is readable alone; its hash is
 * the schema's id.
 */

#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "base/base_limits.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/hash.h"
#include "base/must.h"
#include "rows/rows.h"

static const struct {
	enum rows_type type;
	const char *name;
} types[] = {
	{ ROWS_BOOL, "bool" },
	{ ROWS_INT32, "int32" },
	{ ROWS_INT64, "int64" },
	{ ROWS_DOUBLE, "double" },
	{ ROWS_TICKS, "timestamp" },
	{ ROWS_STRING, "string" },
	{ ROWS_LIST, "list<string>" },
};

#define NTYPES (sizeof(types) / sizeof(types[0]))

const char *
rows_type_name(enum rows_type t)
{
	size_t i;

	for (i = 0; i < NTYPES; i++)
		if (types[i].type == t)
			return (types[i].name);
	return ("?");
}

int
rows_type_parse(const char *s, enum rows_type *out)
{
	size_t i;

	for (i = 0; i < NTYPES; i++) {
		if (strcmp(types[i].name, s) == 0) {
			*out = types[i].type;
			return (0);
		}
	}
	return (ERR_DATA);
}

struct rows_schema *
rows_schema_new(const char *name, const struct rows_col *cols, uint32_t ncols)
{
	struct rows_schema *s;

	MUST(strlen(name) < ROWS_NAME_MAX);
	MUST(ncols > 0 && ncols <= LIMIT_COLUMNS);
	s = must_calloc(1, sizeof(*s));
	strcpy(s->name, name);
	s->ncols = ncols;
	s->cols = must_calloc(ncols, sizeof(s->cols[0]));
	memcpy(s->cols, cols, ncols * sizeof(s->cols[0]));
	return (s);
}

struct rows_schema *
rows_schema_dup(const struct rows_schema *s)
{

	return (rows_schema_new(s->name, s->cols, s->ncols));
}

void
rows_schema_free(struct rows_schema *s)
{

	if (s == NULL)
		return;
	free(s->cols);
	free(s);
}

int
rows_schema_find(const struct rows_schema *s, const char *col)
{
	uint32_t i;

	for (i = 0; i < s->ncols; i++)
		if (strcmp(s->cols[i].name, col) == 0)
			return ((int)i);
	return (-1);
}

bool
rows_schema_equal(const struct rows_schema *a, const struct rows_schema *b)
{
	uint32_t i;

	if (a->ncols != b->ncols || strcmp(a->name, b->name) != 0)
		return (false);
	for (i = 0; i < a->ncols; i++)
		if (a->cols[i].type != b->cols[i].type ||
		    a->cols[i].required != b->cols[i].required ||
		    strcmp(a->cols[i].name, b->cols[i].name) != 0)
			return (false);
	return (true);
}

uint64_t
rows_schema_id(const struct rows_schema *s)
{
	struct buf b;
	uint64_t id;

	buf_init(&b, LIMIT_COLUMNS * 2 * ROWS_NAME_MAX);
	rows_schema_encode(s, &b);
	MUST_MEMORY(b.error == 0);
	id = hash64(b.data, b.len, 0);
	buf_fini(&b);
	return (id);
}

static void
put_name(struct buf *b, const char *name)
{
	size_t n = strlen(name);

	buf_varint(b, n);
	buf_put(b, name, n);
}

void
rows_schema_encode(const struct rows_schema *s, struct buf *b)
{
	uint32_t i;

	put_name(b, s->name);
	buf_varint(b, s->ncols);
	for (i = 0; i < s->ncols; i++) {
		put_name(b, s->cols[i].name);
		buf_u8(b, (uint8_t)s->cols[i].type);
		buf_u8(b, s->cols[i].required ? 1 : 0);
	}
}

static bool
get_name(struct cur *c, char *name)
{
	uint64_t n = cur_varint(c);
	const uint8_t *p;
	size_t i;

	if (c->bad || n == 0 || n >= ROWS_NAME_MAX ||
	    (p = cur_bytes(c, (size_t)n)) == NULL)
		return (false);
	for (i = 0; i < n; i++)
		if (!((p[i] >= 'a' && p[i] <= 'z') || p[i] == '_' ||
		    (p[i] >= '0' && p[i] <= '9')))
			return (false);
	memcpy(name, p, (size_t)n);
	name[n] = '\0';
	return (true);
}

int
rows_schema_decode(struct cur *c, struct rows_schema **out, struct err *e)
{
	struct rows_col cols[LIMIT_COLUMNS];
	char name[ROWS_NAME_MAX];
	uint64_t n;
	uint32_t i;
	uint8_t type;

	*out = NULL;
	memset(cols, 0, sizeof(cols));
	if (!get_name(c, name))
		goto bad;
	n = cur_varint(c);
	if (c->bad || n == 0 || n > LIMIT_COLUMNS)
		goto bad;
	for (i = 0; i < n; i++) {
		if (!get_name(c, cols[i].name))
			goto bad;
		type = cur_u8(c);
		if (type < ROWS_BOOL || type > ROWS_LIST)
			goto bad;
		cols[i].type = (enum rows_type)type;
		cols[i].required = cur_u8(c) == 1;
	}
	if (c->bad)
		goto bad;
	*out = rows_schema_new(name, cols, (uint32_t)n);
	return (0);
bad:
	return (err_set(e, ERR_CORRUPT, "not a schema"));
}
