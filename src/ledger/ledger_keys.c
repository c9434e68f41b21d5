/*
 * Keys and values in bytes: the only place that knows their layout. Values
 * begin with a version byte; integers are varints.
 */

#include "config.h"

#include <string.h>

#include "base/err.h"
#include "base/must.h"
#include "ledger/ledger_int.h"

#define VALUE_VERSION 1

/* --- keys ---------------------------------------------------------------- */

void
ledger_key_name(struct ledger_key *k, char kind, const char *name)
{
	size_t n = strlen(name);

	MUST(n + 1 < LEDGER_KEY_MAX - 16);
	k->data[0] = (uint8_t)kind;
	memcpy(k->data + 1, name, n);
	k->len = n + 1;
}

void
ledger_key_number(struct ledger_key *k, char kind, const char *table,
    uint64_t number, size_t bytes)
{

	ledger_key_name(k, kind, table);
	k->data[k->len++] = '\0';
	while (bytes-- > 0)
		k->data[k->len++] = (uint8_t)(number >> (8 * bytes));
}

bool
ledger_key_match(const MDB_val *v, char kind, const char *table,
    size_t bytes, uint64_t *number)
{
	struct ledger_key k;
	const uint8_t *p = v->mv_data;
	size_t i;

	ledger_key_number(&k, kind, table, 0, bytes);
	if (v->mv_size != k.len || memcmp(p, k.data, k.len - bytes) != 0)
		return (false);
	*number = 0;
	for (i = k.len - bytes; i < k.len; i++)
		*number = *number << 8 | p[i];
	return (true);
}

bool
ledger_key_split(const MDB_val *v, size_t bytes, char *table, size_t size,
    uint64_t *number)
{
	const uint8_t *p = v->mv_data;
	size_t n;

	if (v->mv_size < bytes + 2)
		return (false);
	n = v->mv_size - bytes - 2;
	if (n >= size || memchr(p + 1, '\0', n) != NULL)
		return (false);
	memcpy(table, p + 1, n);
	table[n] = '\0';
	return (ledger_key_match(v, (char)p[0], table, bytes, number));
}

/* --- objects ------------------------------------------------------------- */

static void
put_text(struct buf *b, const char *s)
{
	size_t n = strlen(s);

	buf_varint(b, n);
	buf_put(b, s, n);
}

static bool
get_text(struct cur *c, char *out, size_t size)
{
	uint64_t n = cur_varint(c);
	const uint8_t *p;

	if (c->bad || n >= size || (p = cur_bytes(c, (size_t)n)) == NULL)
		return (false);
	memcpy(out, p, (size_t)n);
	out[n] = '\0';
	return (true);
}

void
ledger_object_encode(const struct ledger_object *o, uint64_t generation,
    struct buf *b)
{

	buf_u8(b, VALUE_VERSION);
	buf_u8(b, o->gone ? 1 : 0);
	buf_varint(b, generation);
	put_text(b, o->key);
	put_text(b, o->name);
	put_text(b, o->parent != NULL ? o->parent : "");
	put_text(b, o->kind != NULL ? o->kind : "");
}

int
ledger_object_decode(const MDB_val *v, struct ledger_stored *s)
{
	struct cur c;
	int i;

	cur_init(&c, v->mv_data, v->mv_size);
	if (cur_u8(&c) != VALUE_VERSION)
		return (ERR_CORRUPT);
	s->o.gone = cur_u8(&c) != 0;
	s->generation = cur_varint(&c);
	for (i = 0; i < 4; i++)
		if (!get_text(&c, s->text[i], sizeof(s->text[i])))
			return (ERR_CORRUPT);
	s->o.key = s->text[0];
	s->o.name = s->text[1];
	s->o.parent = s->text[2];
	s->o.kind = s->text[3];
	return (c.bad ? ERR_CORRUPT : 0);
}

/* --- streams ------------------------------------------------------------- */

void
ledger_stream_encode(const struct ledger_stream *s, struct buf *b)
{
	uint64_t bits;

	buf_u8(b, VALUE_VERSION);
	memcpy(&bits, &s->per_second, sizeof(bits));
	buf_u64le(b, bits);
	buf_varint(b, s->values);
	buf_zigzag(b, s->fail_code);
	buf_zigzag(b, s->fail_at);
	ranges_encode(&s->covered, b);
}

int
ledger_stream_decode(const MDB_val *v, struct ledger_stream *s)
{
	struct cur c;
	uint64_t bits;

	cur_init(&c, v->mv_data, v->mv_size);
	if (cur_u8(&c) != VALUE_VERSION)
		return (ERR_CORRUPT);
	bits = cur_u64le(&c);
	memcpy(&s->per_second, &bits, sizeof(bits));
	s->values = cur_varint(&c);
	s->fail_code = (int32_t)cur_zigzag(&c);
	s->fail_at = cur_zigzag(&c);
	if (c.bad)
		return (ERR_CORRUPT);
	return (ranges_decode(&s->covered, &c));
}

/* --- groups -------------------------------------------------------------- */

void
ledger_group_encode(const struct ledger_group *g, struct buf *b)
{

	buf_u8(b, VALUE_VERSION);
	buf_varint(b, g->pos.segment);
	buf_varint(b, g->pos.offset);
	buf_varint(b, g->run.segment);
	buf_varint(b, g->run.offset);
	buf_varint(b, g->batches);
	buf_varint(b, g->rows);
	buf_varint(b, g->bytes);
	buf_varint(b, g->requests);
	buf_zigzag(b, g->committed);
}

static uint32_t
varint32(struct cur *c)
{
	uint64_t v = cur_varint(c);

	if (v > UINT32_MAX)
		c->bad = true;
	return ((uint32_t)v);
}

int
ledger_group_decode(const MDB_val *v, struct ledger_group *g)
{
	struct cur c;

	cur_init(&c, v->mv_data, v->mv_size);
	if (cur_u8(&c) != VALUE_VERSION)
		return (ERR_CORRUPT);
	g->pos.segment = varint32(&c);
	g->pos.offset = cur_varint(&c);
	g->run.segment = varint32(&c);
	g->run.offset = cur_varint(&c);
	g->batches = cur_varint(&c);
	g->rows = cur_varint(&c);
	g->bytes = cur_varint(&c);
	g->requests = cur_varint(&c);
	g->committed = cur_zigzag(&c);
	return (c.bad ? ERR_CORRUPT : 0);
}
