/*
 * Growable buffers and bounded cursors. Memory doubles up to the ceiling,
 * and one byte more than `cap` is always there for the NUL of buf_str().
 * Errors stick: appends after one do nothing, so that what was appended is
 * always a prefix of what was meant.
 */
#include "config.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/must.h"

#define CAP_FIRST 64u
#define CAP_SMALL 4096u
#define VARINT_MAX 10

bool
num_add_size(size_t a, size_t b, size_t *out)
{
	size_t sum;

	if (__builtin_add_overflow(a, b, &sum))
		return (false);
	*out = sum;
	return (true);
}

bool
num_mul_size(size_t a, size_t b, size_t *out)
{
	size_t product;

	if (__builtin_mul_overflow(a, b, &product))
		return (false);
	*out = product;
	return (true);
}

void
buf_init(struct buf *b, size_t max)
{
	/* Leave room for the NUL byte. */
	*b = (struct buf){ .max = max < SIZE_MAX / 2 ? max : SIZE_MAX / 2 };
}

void
buf_fini(struct buf *b)
{
	if (b == NULL)
		return;
	free(b->data);
	b->data = NULL;
	b->len = b->cap = 0;
}

void
buf_clear(struct buf *b)
{
	b->len = 0;
	b->error = 0;
}

static uint8_t *
grow(struct buf *b, size_t n)
{
	uint8_t *data;
	size_t cap;

	if (n > b->max - b->len) {
		b->error = ERR_LIMIT;
		return (NULL);
	}
	if (b->len == 0 && b->data != NULL) {	/* nothing to be moved */
		free(b->data);
		b->data = NULL;
		b->cap = 0;
	}
	cap = b->cap < CAP_FIRST ? CAP_FIRST : b->cap * 2;
	if (cap < b->len + n)
		cap = b->len + n;
	if (cap > b->max)
		cap = b->max;
	if ((data = realloc(b->data, cap + 1)) == NULL) {
		/* Heads, keys and lines that nobody looks back at. */
		if (cap <= CAP_SMALL)
			must_no_memory();
		b->error = ERR_NOMEM;
		return (NULL);
	}
	b->data = data;
	b->cap = cap;
	return (data + b->len);
}

uint8_t *
buf_reserve(struct buf *b, size_t n)
{
	if (b->error != 0)
		return (NULL);
	if (b->data != NULL && n <= b->cap - b->len)
		return (b->data + b->len);
	return (grow(b, n));
}

void
buf_put(struct buf *b, const void *data, size_t n)
{
	uint8_t *p;

	if (n == 0 || (p = buf_reserve(b, n)) == NULL)
		return;
	memcpy(p, data, n);
	b->len += n;
}

void
buf_puts(struct buf *b, const char *s)
{
	buf_put(b, s, strlen(s));
}

void
buf_printf(struct buf *b, const char *fmt, ...)
{
	va_list ap;
	uint8_t *p;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	if (n < 0) {
		if (b->error == 0)
			b->error = ERR_LIMIT;
		return;
	}
	if ((p = buf_reserve(b, (size_t)n)) == NULL)
		return;
	va_start(ap, fmt);
	vsnprintf((char *)p, (size_t)n + 1, fmt, ap);
	va_end(ap);
	b->len += (size_t)n;
}

void
buf_decimal(struct buf *b, uint64_t v)
{
	char text[20], *p = text + sizeof(text);

	do
		*--p = (char)('0' + v % 10);
	while ((v /= 10) > 0);
	buf_put(b, p, (size_t)(text + sizeof(text) - p));
}

/* n low bytes of v, lowest first; compilers make one store of it. */
static inline void
put_le(struct buf *b, uint64_t v, size_t n)
{
	uint8_t *p;
	size_t i;

	if ((p = buf_reserve(b, n)) == NULL)
		return;
	for (i = 0; i < n; i++)
		p[i] = (uint8_t)(v >> (8 * i));
	b->len += n;
}

void
buf_u8(struct buf *b, uint8_t v)
{
	put_le(b, v, 1);
}

void
buf_u16le(struct buf *b, uint16_t v)
{
	put_le(b, v, 2);
}

void
buf_u32le(struct buf *b, uint32_t v)
{
	put_le(b, v, 4);
}

void
buf_u64le(struct buf *b, uint64_t v)
{
	put_le(b, v, 8);
}

void
buf_varint(struct buf *b, uint64_t v)
{
	uint8_t bytes[VARINT_MAX];
	size_t n = 0;

	for (; v >= 0x80; v >>= 7)
		bytes[n++] = (uint8_t)(v | 0x80);
	bytes[n++] = (uint8_t)v;
	buf_put(b, bytes, n);
}

void
buf_zigzag(struct buf *b, int64_t v)
{
	buf_varint(b, ((uint64_t)v << 1) ^ (uint64_t)(v >> 63));
}

const char *
buf_str(struct buf *b)
{
	if (b->data == NULL)
		return ("");
	b->data[b->len] = '\0';
	return ((const char *)b->data);
}

uint8_t *
buf_steal(struct buf *b, size_t *len)
{
	uint8_t *data = b->data;

	*len = b->len;
	buf_init(b, b->max);
	return (data);
}

void
cur_init(struct cur *c, const void *data, size_t n)
{
	/* An empty string, so that NULL + 0 is never computed. */
	c->p = data != NULL ? data : (const void *)"";
	c->end = data != NULL ? c->p + n : c->p;
	c->bad = data == NULL && n > 0;
}

size_t
cur_left(const struct cur *c)
{
	return (c->bad ? 0 : (size_t)(c->end - c->p));
}

const uint8_t *
cur_bytes(struct cur *c, size_t n)
{
	const uint8_t *p = c->p;

	if (c->bad || n > (size_t)(c->end - c->p)) {
		c->bad = true;
		return (NULL);
	}
	c->p += n;
	return (p);
}

static inline uint64_t
get_le(struct cur *c, size_t n)
{
	const uint8_t *p;
	uint64_t v = 0;
	size_t i;

	if ((p = cur_bytes(c, n)) == NULL)
		return (0);
	for (i = 0; i < n; i++)
		v |= (uint64_t)p[i] << (8 * i);
	return (v);
}

uint8_t
cur_u8(struct cur *c)
{
	return ((uint8_t)get_le(c, 1));
}

uint16_t
cur_u16le(struct cur *c)
{
	return ((uint16_t)get_le(c, 2));
}

uint32_t
cur_u32le(struct cur *c)
{
	return ((uint32_t)get_le(c, 4));
}

uint64_t
cur_u64le(struct cur *c)
{
	return (get_le(c, 8));
}

uint64_t
cur_varint(struct cur *c)
{
	uint64_t v = 0;
	unsigned shift;
	uint8_t byte;

	for (shift = 0; shift < 7 * VARINT_MAX; shift += 7) {
		if (c->bad || c->p == c->end)
			break;
		byte = *c->p++;
		if (shift == 63 && byte > 1)
			break;		/* more than 64 bits */
		v |= (uint64_t)(byte & 0x7f) << shift;
		if (byte < 0x80)
			return (v);
	}
	c->bad = true;
	return (0);
}

int64_t
cur_zigzag(struct cur *c)
{
	uint64_t v = cur_varint(c);

	return ((int64_t)((v >> 1) ^ (0 - (v & 1))));
}
