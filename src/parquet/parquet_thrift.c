/*
 * The compact protocol of Apache Thrift, as much as Parquet's footer and
 * page headers take: field headers with the delta of the id in the high
 * nibble, zigzag varints, lengths before bytes, a stop byte. Reading is
 * bounded by the bytes given and by THRIFT_DEPTH; whatever does not fit
 * sets c.bad, which ends all loops.
 */

#include "config.h"

#include <string.h>

#include "base/must.h"
#include "parquet/parquet_int.h"

void
thrift_out_init(struct thrift_out *t, struct buf *b)
{

	memset(t, 0, sizeof(*t));
	t->b = b;
}

static void
put_header(struct thrift_out *t, int id, enum thrift_type type)
{
	int delta = id - t->last[t->depth];

	if (delta > 0 && delta <= 15)
		buf_u8(t->b, (uint8_t)(delta << 4 | (int)type));
	else {
		buf_u8(t->b, (uint8_t)type);
		buf_zigzag(t->b, id);
	}
	t->last[t->depth] = id;
}

void
thrift_elem(struct thrift_out *t)
{

	MUST(t->depth + 1 < THRIFT_DEPTH);
	t->last[++t->depth] = 0;
}

void
thrift_begin(struct thrift_out *t, int id)
{

	put_header(t, id, THRIFT_STRUCT);
	thrift_elem(t);
}

void
thrift_end(struct thrift_out *t)
{

	buf_u8(t->b, 0);
	if (t->depth > 0)
		t->depth--;
}

void
thrift_put_bool(struct thrift_out *t, int id, bool x)
{

	put_header(t, id, x ? THRIFT_TRUE : THRIFT_FALSE);
}

void
thrift_put_i8(struct thrift_out *t, int id, int8_t x)
{

	put_header(t, id, THRIFT_I8);
	buf_u8(t->b, (uint8_t)x);
}

void
thrift_put_i16(struct thrift_out *t, int id, int16_t x)
{

	put_header(t, id, THRIFT_I16);
	buf_zigzag(t->b, x);
}

void
thrift_put_i32(struct thrift_out *t, int id, int32_t x)
{

	put_header(t, id, THRIFT_I32);
	buf_zigzag(t->b, x);
}

void
thrift_put_i64(struct thrift_out *t, int id, int64_t x)
{

	put_header(t, id, THRIFT_I64);
	buf_zigzag(t->b, x);
}

void
thrift_put_bytes(struct thrift_out *t, int id, const void *p, size_t n)
{

	put_header(t, id, THRIFT_BINARY);
	thrift_elem_bytes(t, p, n);
}

void
thrift_put_str(struct thrift_out *t, int id, const char *s)
{

	thrift_put_bytes(t, id, s, strlen(s));
}

void
thrift_put_list(struct thrift_out *t, int id, enum thrift_type type,
    size_t n)
{

	put_header(t, id, THRIFT_LIST);
	if (n < 15)
		buf_u8(t->b, (uint8_t)(n << 4 | type));
	else {
		buf_u8(t->b, (uint8_t)(0xf0 | type));
		buf_varint(t->b, n);
	}
}

void
thrift_elem_int(struct thrift_out *t, int64_t x)
{

	buf_zigzag(t->b, x);
}

void
thrift_elem_bool(struct thrift_out *t, bool x)
{

	buf_u8(t->b, x ? THRIFT_TRUE : THRIFT_FALSE);
}

void
thrift_elem_bytes(struct thrift_out *t, const void *p, size_t n)
{

	buf_varint(t->b, n);
	buf_put(t->b, p, n);
}

void
thrift_in_init(struct thrift_in *t, const void *p, size_t n)
{

	cur_init(&t->c, p, n);
	t->depth = 0;
}

bool
thrift_enter(struct thrift_in *t, struct thrift_field *f)
{

	f->id = 0;
	f->type = 0;
	if (++t->depth > THRIFT_DEPTH)
		t->c.bad = true;
	return (!t->c.bad);
}

bool
thrift_next(struct thrift_in *t, struct thrift_field *f)
{
	uint8_t head = cur_u8(&t->c);
	int64_t id;

	if (t->c.bad || head == 0) {
		t->depth--;
		return (false);
	}
	f->type = head & 15;
	id = head >> 4 != 0 ? f->id + (head >> 4) : cur_zigzag(&t->c);
	if (id < 0 || id > INT16_MAX)
		t->c.bad = true;
	else
		f->id = (int)id;
	return (!t->c.bad);
}

static size_t
list_header(struct thrift_in *t, int *type)
{
	uint8_t head = cur_u8(&t->c);
	uint64_t n = head >> 4;

	*type = head & 15;
	if (n == 15)
		n = cur_varint(&t->c);
	if (n > cur_left(&t->c))
		t->c.bad = true;
	return (t->c.bad ? 0 : (size_t)n);
}

static void skip_value(struct thrift_in *, int type, bool elem);

static void
skip_struct(struct thrift_in *t)
{
	struct thrift_field f;

	if (!thrift_enter(t, &f))
		return;
	while (thrift_next(t, &f))
		skip_value(t, f.type, false);
}

static void
skip_elems(struct thrift_in *t, int type)
{
	size_t i, n;
	int value = 0, key = type;

	if (++t->depth > THRIFT_DEPTH) {
		t->c.bad = true;
		return;
	}
	if (type == THRIFT_MAP) {
		n = (size_t)cur_varint(&t->c);
		if (n > 0)
			value = cur_u8(&t->c);
		key = value >> 4;
		value &= 15;
		if (n > cur_left(&t->c))
			t->c.bad = true;
	} else
		n = list_header(t, &key);
	for (i = 0; i < n && !t->c.bad; i++) {
		skip_value(t, key, true);
		if (type == THRIFT_MAP)
			skip_value(t, value, true);
	}
	t->depth--;
}

static void
skip_value(struct thrift_in *t, int type, bool elem)
{
	uint64_t n;

	switch (type) {
	case THRIFT_TRUE:
	case THRIFT_FALSE:
		if (elem)
			(void)cur_u8(&t->c);
		break;
	case THRIFT_I8:
		(void)cur_u8(&t->c);
		break;
	case THRIFT_I16:
	case THRIFT_I32:
	case THRIFT_I64:
		(void)cur_varint(&t->c);
		break;
	case THRIFT_DOUBLE:
		(void)cur_bytes(&t->c, 8);
		break;
	case THRIFT_BINARY:
		n = cur_varint(&t->c);
		(void)cur_bytes(&t->c, (size_t)n);
		break;
	case THRIFT_LIST:
	case THRIFT_SET:
	case THRIFT_MAP:
		skip_elems(t, type);
		break;
	case THRIFT_STRUCT:
		skip_struct(t);
		break;
	default:
		t->c.bad = true;
	}
}

void
thrift_skip(struct thrift_in *t, const struct thrift_field *f)
{

	skip_value(t, f->type, false);
}

bool
thrift_get_bool(struct thrift_in *t, const struct thrift_field *f)
{

	if (f->type != THRIFT_TRUE && f->type != THRIFT_FALSE)
		t->c.bad = true;
	return (f->type == THRIFT_TRUE);
}

int64_t
thrift_get_int(struct thrift_in *t, const struct thrift_field *f)
{

	if (f->type < THRIFT_I16 || f->type > THRIFT_I64)
		t->c.bad = true;
	return (cur_zigzag(&t->c));
}

int32_t
thrift_get_i32(struct thrift_in *t, const struct thrift_field *f)
{
	int64_t x = thrift_get_int(t, f);

	if (x < INT32_MIN || x > INT32_MAX) {
		t->c.bad = true;
		return (0);
	}
	return ((int32_t)x);
}

const char *
thrift_get_bytes(struct thrift_in *t, const struct thrift_field *f,
    size_t *n)
{
	const uint8_t *p;

	if (f->type != THRIFT_BINARY)
		t->c.bad = true;
	*n = (size_t)cur_varint(&t->c);
	if ((p = cur_bytes(&t->c, *n)) == NULL)
		*n = 0;
	return ((const char *)p);
}

size_t
thrift_get_list(struct thrift_in *t, const struct thrift_field *f,
    enum thrift_type want)
{
	int type;
	size_t n;

	if (f->type != THRIFT_LIST)
		t->c.bad = true;
	n = list_header(t, &type);
	if (n > 0 && type != (int)want)
		t->c.bad = true;
	return (t->c.bad ? 0 : n);
}

bool
thrift_is_struct(struct thrift_in *t, const struct thrift_field *f)
{

	if (f->type != THRIFT_STRUCT)
		t->c.bad = true;
	return (!t->c.bad);
}
