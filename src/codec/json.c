/*
 * JSON by yyjson: strict parsing with bounded depth, look-up by path, and
 * writing of strings, numbers and whole values. Failures are ERR_ANSWER
 * with position and reason.
 */

#include "config.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/base_limits.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/must.h"
#include "base/text.h"
#include "base/ticks.h"
#include "codec/json.h"

/* What a container of nothing but plain values takes is told by its length
 * alone. */
static bool
is_flat(const yyjson_val *v, const yyjson_val *next)
{
	size_t n = unsafe_yyjson_get_len((void *)(uintptr_t)v);

	return ((size_t)(next - v) == 1 + (yyjson_is_obj(
	    (yyjson_val *)(uintptr_t)v) ? 2 * n : n));
}

/* Values lie in memory in the order of the text, a container before what is
 * in it: one pass with a stack of ends tells the depth. The flat ones, which
 * are nearly all there is in values of streams, are passed over. */
static bool
too_deep(const yyjson_doc *doc)
{
	const yyjson_val *end[LIMIT_JSON_DEPTH];
	yyjson_val *v = yyjson_doc_get_root((yyjson_doc *)(uintptr_t)doc);
	const yyjson_val *stop = v +
	    yyjson_doc_get_val_count((yyjson_doc *)(uintptr_t)doc);
	yyjson_val *next;
	unsigned depth = 0;

	for (; v < stop; v = next) {
		next = v + 1;
		while (depth > 0 && v >= end[depth - 1])
			depth--;
		if (!yyjson_is_ctn(v))
			continue;
		if (depth == LIMIT_JSON_DEPTH)
			return (true);
		end[depth] = unsafe_yyjson_get_next(v);
		if (is_flat(v, end[depth]))
			next = unsafe_yyjson_get_next(v);
		else
			depth++;
	}
	return (false);
}

static int
parse(char *s, size_t n, yyjson_read_flag flags, yyjson_doc **out,
    struct err *e)
{
	yyjson_read_err re;
	yyjson_doc *doc;

	*out = NULL;
	if (n >= 3 && memcmp(s, "\xef\xbb\xbf", 3) == 0) {
		s += 3;
		n -= 3;
	}
	if (n == 0)
		return (err_set(e, ERR_ANSWER, "empty, not JSON"));
	doc = yyjson_read_opts(s, n, flags | YYJSON_READ_ALLOW_INF_AND_NAN |
	    YYJSON_READ_BIGNUM_AS_RAW, NULL, &re);
	if (doc == NULL) {
		if (re.code == YYJSON_READ_ERROR_MEMORY_ALLOCATION)
			return (err_set(e, ERR_NOMEM, "out of memory for %zu "
			    "bytes of JSON", n));
		return (err_set(e, ERR_ANSWER, "bad JSON at byte %zu of %zu: "
		    "%s", re.pos, n, re.msg));
	}
	if (too_deep(doc)) {
		yyjson_doc_free(doc);
		return (err_set(e, ERR_ANSWER, "JSON nested deeper than %d",
		    LIMIT_JSON_DEPTH));
	}
	*out = doc;
	return (0);
}

bool
json_whole(const char *p, size_t len)
{
	if (len >= 3 && memcmp(p, "\xef\xbb\xbf", 3) == 0) {
		p += 3;
		len -= 3;
	}
	while (len > 0 && strchr(" \t\r\n", *p) != NULL) {
		p++;
		len--;
	}
	while (len > 0 && strchr(" \t\r\n", p[len - 1]) != NULL)
		len--;
	return (len >= 2 && ((p[0] == '{' && p[len - 1] == '}') ||
	    (p[0] == '[' && p[len - 1] == ']')));
}

int
json_parse(const char *s, size_t n, yyjson_doc **out, struct err *e)
{

	/* Without YYJSON_READ_INSITU the text is not written to. */
	return (parse((char *)(uintptr_t)s, n, 0, out, e));
}

int
json_parse_insitu(char *s, size_t n, yyjson_doc **out, struct err *e)
{

	return (parse(s, n, YYJSON_READ_INSITU, out, e));
}

const char *
json_str(yyjson_val *obj, const char *key)
{

	return (yyjson_get_str(yyjson_obj_get(obj, key)));
}

/* arr[i], the index being the n digits of `text`, or NULL. */
static yyjson_val *
element(yyjson_val *arr, const char *text, size_t n)
{
	size_t i, index = 0;

	for (i = 0; i < n && i < 9 && text[i] >= '0' && text[i] <= '9'; i++)
		index = index * 10 + (size_t)(text[i] - '0');
	return (n > 0 && i == n ? yyjson_arr_get(arr, index) : NULL);
}

yyjson_val *
json_path(yyjson_val *v, const char *path)
{
	const char *end;
	size_t n;

	while (v != NULL && *path != '\0') {
		end = strchr(path, '.');
		n = end != NULL ? (size_t)(end - path) : strlen(path);
		if (yyjson_is_arr(v))
			v = element(v, path, n);
		else
			v = yyjson_obj_getn(v, path, n);
		path += n;
		if (*path == '.')
			path++;
	}
	return (v);
}

/* Length of the valid UTF-8 sequence at s, or 0. */
static size_t
sequence(const char *s, size_t left)
{
	unsigned char c = (unsigned char)*s;
	size_t n = c < 0x80 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;

	if (n > left || !text_utf8_valid(s, n))
		return (0);
	return (n);
}

void
json_put_str(struct buf *b, const char *s, size_t len)
{
	static const char hex[] = "0123456789abcdef";
	size_t i, n, from = 0;
	unsigned char c;

	buf_u8(b, '"');
	for (i = 0; i < len; i += n) {
		c = (unsigned char)s[i];
		n = 1;
		if (c >= 0x20 && c < 0x80 && c != '"' && c != '\\')
			continue;
		if (c >= 0x80 && (n = sequence(s + i, len - i)) > 0)
			continue;
		buf_put(b, s + from, i - from);
		if (c >= 0x80) {
			buf_puts(b, "\xef\xbf\xbd");
			n = 1;
		} else if (c == '"' || c == '\\') {
			buf_u8(b, '\\');
			buf_u8(b, c);
		} else if (c == '\n') {
			buf_puts(b, "\\n");
		} else {
			buf_puts(b, "\\u00");
			buf_u8(b, (uint8_t)hex[c >> 4]);
			buf_u8(b, (uint8_t)hex[c & 15]);
		}
		from = i + n;
	}
	buf_put(b, s + from, len - from);
	buf_u8(b, '"');
}

void
json_put_text(struct buf *b, const char *name, const char *text)
{

	if (text == NULL)
		return;
	buf_printf(b, ",\"%s\":", name);
	json_put_str(b, text, strlen(text));
}

void
json_put_time(struct buf *b, const char *name, int64_t ticks)
{
	char t[TICKS_TEXT_MAX];

	if (ticks != TICKS_NONE)
		buf_printf(b, ",\"%s\":\"%s\"", name, ticks_text7(ticks, t));
}

void
json_put_double(struct buf *b, double x)
{
	char text[40];
	int digits;

	if (!isfinite(x)) {
		buf_puts(b, "null");
		return;
	}
	for (digits = 15; digits <= 17; digits++) {
		(void)snprintf(text, sizeof(text), "%.*g", digits, x);
		if (strtod(text, NULL) == x)
			break;
	}
	buf_puts(b, text);
}

int
json_put_val(struct buf *b, yyjson_val *v)
{
	size_t n;
	char *s;

	s = yyjson_val_write_opts(v, YYJSON_WRITE_ALLOW_INVALID_UNICODE |
	    YYJSON_WRITE_INF_AND_NAN_AS_NULL, NULL,
	    &n, NULL);
	if (s == NULL)
		return (ERR_NOMEM);
	buf_put(b, s, n);
	free(s);
	return (b->error);
}
