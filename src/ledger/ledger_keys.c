/*
 * Keys and values in bytes: the only place that knows their layout. Values
 * begin with a version byte; integers are varints.
 */

#include "config.h"

#include <string.h>

#include "base/err.h"
#include "base/must.h"
#include "base/ticks.h"
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

static uint32_t
varint32(struct cur *c)
{
	uint64_t v = cur_varint(c);

	if (v > UINT32_MAX)
		c->bad = true;
	return ((uint32_t)v);
}

/* --- streams ------------------------------------------------------------- */

/*
 * Version 2: a byte of flags, or two, says which of the optional parts
 * follow. Times are stored as distances from the end of what is covered:
 * those of normal life are near it.
 */
#define STREAM_VERSION 2

enum {
	HAS_DENSITY = 1,	/* float */
	HAS_FAIL = 2,		/* code, when */
	HAS_WHY = 4,		/* how often, text */
	HAS_ASKED = 8,
	HAS_LAST = 16,
	HAS_FIRST = 32,
	HAS_MORE = 64,		/* flags: a second byte of them */
	HAS_CELLS = 128,
	HAS_OPEN = 256,
	HAS_YOUNG = 512,
};

static int64_t
covered_end(const struct ledger_stream *s)
{

	return (s->covered.n > 0 ? s->covered.r[s->covered.n - 1].b : 0);
}

/* Modulo 2^64, so that every pair of times has a distance. */
static void
put_time(struct buf *b, int64_t t, int64_t from)
{

	buf_zigzag(b, (int64_t)((uint64_t)t - (uint64_t)from));
}

static int64_t
get_time(struct cur *c, int64_t from)
{

	return ((int64_t)((uint64_t)from + (uint64_t)cur_zigzag(c)));
}

/* A length in ticks; whole seconds, the usual, in two or three bytes. */
static void
put_length(struct buf *b, uint64_t n)
{

	if (n % (uint64_t)TICKS_PER_S == 0)
		buf_varint(b, n / (uint64_t)TICKS_PER_S * 2);
	else
		buf_varint(b, n * 2 + 1);
}

static uint64_t
get_length(struct cur *c)
{
	uint64_t n = cur_varint(c);

	if (n % 2 == 1)
		return (n / 2);
	if (n / 2 > INT64_MAX / TICKS_PER_S)
		c->bad = true;
	return (c->bad ? 0 : n / 2 * (uint64_t)TICKS_PER_S);
}

/* From the newest, which most often ends where coverage does, backwards. */
static void
put_cells(struct buf *b, const struct ledger_stream *s, int64_t from)
{
	const struct ledger_cell *k;
	unsigned i;

	MUST(s->ncells <= LEDGER_CELLS);
	buf_varint(b, s->ncells);
	for (i = s->ncells; i-- > 0; from = k->a) {
		k = &s->cells[i];
		MUST(k->a < k->b && (i == 0 || s->cells[i - 1].b <= k->a));
		MUST(k->digest >> LEDGER_DIGEST_BITS == 0);
		put_time(b, k->b, from);
		put_length(b, (uint64_t)k->b - (uint64_t)k->a);
		buf_varint(b, k->values);
		if (k->values > 0) {
			buf_u32le(b, (uint32_t)k->digest);
			buf_u16le(b, (uint16_t)(k->digest >> 32));
		}
	}
}

static uint64_t
get_digest(struct cur *c)
{
	uint64_t low = cur_u32le(c);

	return ((uint64_t)cur_u16le(c) << 32 | low);
}

static void
get_cells(struct cur *c, struct ledger_stream *s, int64_t from)
{
	struct ledger_cell *k;
	uint64_t len, n = cur_varint(c), i;

	if (n > LEDGER_CELLS)
		c->bad = true;
	for (i = c->bad ? 0 : n; !c->bad && i-- > 0; from = k->a) {
		k = &s->cells[i];
		k->b = get_time(c, from);
		len = get_length(c);
		k->values = varint32(c);
		k->digest = k->values > 0 ? get_digest(c) : 0;
		if (len == 0 || len > INT64_MAX ||
		    __builtin_sub_overflow(k->b, (int64_t)len, &k->a) ||
		    (i + 1 < n && k->b > s->cells[i + 1].a))
			c->bad = true;
	}
	s->ncells = c->bad ? 0 : (unsigned)n;
}

/* From the newest, backwards. */
static void
put_open(struct buf *b, const struct ledger_stream *s, int64_t from)
{
	size_t i;

	MUST(s->nopen <= LEDGER_OPEN_MAX);
	buf_varint(b, s->nopen);
	for (i = s->nopen; i-- > 0; from = s->open[i].start) {
		put_time(b, s->open[i].start, from);
		buf_u32le(b, s->open[i].key);
	}
}

static void
get_open(struct cur *c, struct ledger_stream *s, int64_t from)
{
	uint64_t n = cur_varint(c);
	size_t i;

	if (c->bad || n > LEDGER_OPEN_MAX) {
		c->bad = true;
		return;
	}
	s->open = must_realloc(s->open, n + 1, sizeof(s->open[0]));
	for (i = n; !c->bad && i-- > 0; from = s->open[i].start) {
		s->open[i].start = get_time(c, from);
		s->open[i].key = cur_u32le(c);
		if (i + 1 < n &&
		    ledger_open_cmp(&s->open[i], &s->open[i + 1]) >= 0)
			c->bad = true;
	}
	s->nopen = c->bad ? 0 : n;
}

static unsigned
stream_flags(const struct ledger_stream *s)
{
	unsigned f = 0;

	f |= s->per_second >= 0 ? HAS_DENSITY : 0;
	f |= s->fail_code != 0 || s->fail_at != 0 ? HAS_FAIL : 0;
	f |= s->fails > 0 || s->why[0] != '\0' ? HAS_WHY : 0;
	f |= s->asked != TICKS_NONE ? HAS_ASKED : 0;
	f |= s->last_event != TICKS_NONE ? HAS_LAST : 0;
	f |= s->first_event != TICKS_NONE ? HAS_FIRST : 0;
	f |= s->ncells > 0 ? HAS_CELLS : 0;
	f |= s->nopen > 0 ? HAS_OPEN : 0;
	f |= s->young_told ? HAS_YOUNG : 0;
	return (f > UINT8_MAX ? f | HAS_MORE : f);
}

void
ledger_stream_encode(const struct ledger_stream *s, struct buf *b)
{
	const unsigned f = stream_flags(s);
	const int64_t end = covered_end(s);
	float density = (float)s->per_second;
	uint32_t bits;

	buf_u8(b, STREAM_VERSION);
	buf_u8(b, (uint8_t)f);
	if ((f & HAS_MORE) != 0)
		buf_u8(b, (uint8_t)(f >> 8));
	buf_varint(b, s->values);
	ranges_encode(&s->covered, b);
	if ((f & HAS_DENSITY) != 0) {
		memcpy(&bits, &density, sizeof(bits));
		buf_u32le(b, bits);
	}
	if ((f & HAS_FAIL) != 0) {
		buf_zigzag(b, s->fail_code);
		put_time(b, s->fail_at, end);
	}
	if ((f & HAS_WHY) != 0) {
		buf_varint(b, s->fails);
		put_text(b, s->why);
	}
	if ((f & HAS_ASKED) != 0)
		put_time(b, s->asked, end);
	if ((f & HAS_LAST) != 0)
		put_time(b, s->last_event, end);
	if ((f & HAS_FIRST) != 0)
		put_time(b, s->first_event, end);
	if ((f & HAS_CELLS) != 0)
		put_cells(b, s, end);
	if ((f & HAS_OPEN) != 0)
		put_open(b, s, end);
	if ((f & HAS_YOUNG) != 0)
		ranges_encode(&s->young, b);
}

/* Before the flags: what is told by all of them, in full. */
static int
stream_decode_1(struct cur *c, struct ledger_stream *s)
{
	uint64_t bits;

	bits = cur_u64le(c);
	memcpy(&s->per_second, &bits, sizeof(bits));
	s->values = cur_varint(c);
	s->fail_code = (int32_t)cur_zigzag(c);
	s->fail_at = cur_zigzag(c);
	return (c->bad ? ERR_CORRUPT : ranges_decode(&s->covered, c));
}

static void
stream_decode_parts(struct cur *c, struct ledger_stream *s, unsigned f)
{
	const int64_t end = covered_end(s);
	float density;
	uint32_t bits;

	if ((f & HAS_DENSITY) != 0) {
		bits = cur_u32le(c);
		memcpy(&density, &bits, sizeof(bits));
		s->per_second = (double)density;
	}
	if ((f & HAS_FAIL) != 0) {
		s->fail_code = (int32_t)cur_zigzag(c);
		s->fail_at = get_time(c, end);
	}
	if ((f & HAS_WHY) != 0) {
		s->fails = varint32(c);
		if (!get_text(c, s->why, sizeof(s->why)))
			c->bad = true;
	}
	if ((f & HAS_ASKED) != 0)
		s->asked = get_time(c, end);
	if ((f & HAS_LAST) != 0)
		s->last_event = get_time(c, end);
	if ((f & HAS_FIRST) != 0)
		s->first_event = get_time(c, end);
	if ((f & HAS_CELLS) != 0)
		get_cells(c, s, end);
	if ((f & HAS_OPEN) != 0)
		get_open(c, s, end);
	s->young_told = (f & HAS_YOUNG) != 0;
	if (s->young_told && ranges_decode(&s->young, c) != 0)
		c->bad = true;
}

int
ledger_stream_decode(const MDB_val *v, struct ledger_stream *s)
{
	struct cur c;
	uint8_t version;
	unsigned f;

	cur_init(&c, v->mv_data, v->mv_size);
	ledger_stream_clear(s);
	version = cur_u8(&c);
	if (version == 1)
		return (stream_decode_1(&c, s));
	if (version != STREAM_VERSION)
		return (ERR_CORRUPT);
	f = cur_u8(&c);
	if ((f & HAS_MORE) != 0)
		f |= (unsigned)cur_u8(&c) << 8;
	s->values = cur_varint(&c);
	if (c.bad || ranges_decode(&s->covered, &c) != 0)
		return (ERR_CORRUPT);
	stream_decode_parts(&c, s, f);
	return (c.bad || cur_left(&c) > 0 ? ERR_CORRUPT : 0);
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
