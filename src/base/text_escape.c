/*
 * Text in other clothes: UTF-8 and what of it is fit for a terminal,
 * percent encoding for URLs, base64url for identifiers. Decoders are
 * strict: one text for one value, everything else is refused.
 */
#include "config.h"

#include <string.h>

#include "base/buf.h"
#include "base/text.h"
#include "base/text_int.h"

static bool
follows(uint8_t c)
{
	return ((c & 0xc0) == 0x80);
}

size_t
text_utf8_step(const char *text, size_t len, uint32_t *code)
{
	const uint8_t *p = (const uint8_t *)text;
	uint32_t c;
	size_t n, i;
	static const uint32_t shortest[5] = { 0, 0, 0x80, 0x800, 0x10000 };

	if (len == 0)
		return (0);
	if (p[0] < 0x80) {
		*code = p[0];
		return (1);
	}
	if (p[0] < 0xc2 || p[0] > 0xf4)
		return (0);
	n = p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;
	if (len < n)
		return (0);
	c = p[0] & (0x7fu >> n);
	for (i = 1; i < n; i++) {
		if (!follows(p[i]))
			return (0);
		c = c << 6 | (p[i] & 0x3fu);
	}
	if (c < shortest[n] || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
		return (0);
	*code = c;
	return (n);
}

bool
text_utf8_valid(const char *p, size_t len)
{
	uint64_t word;
	uint32_t code;
	size_t n;

	while (len > 0) {
		if (len >= sizeof(word)) {
			memcpy(&word, p, sizeof(word));
			if ((word & 0x8080808080808080u) == 0) {
				p += sizeof(word);
				len -= sizeof(word);
				continue;
			}
		}
		if ((n = text_utf8_step(p, len, &code)) == 0)
			return (false);
		p += n;
		len -= n;
	}
	return (true);
}

/* What could move the cursor, reorder a line, or end a quotation. */
static bool
harmful(uint32_t c)
{
	return (c < 0x20 || (c >= 0x7f && c < 0xa0) || c == '"' ||
	    c == '\'' || (c >= 0x2028 && c <= 0x202e) ||
	    (c >= 0x2066 && c <= 0x2069));
}

void
text_escape(struct buf *out, const char *p, size_t len, size_t max)
{
	size_t n, i, cost, used = 0;
	uint32_t code = 0;
	bool plain;

	for (; len > 0; p += n, len -= n, used += cost) {
		n = text_utf8_step(p, len, &code);
		plain = n > 0 && !harmful(code);
		if (n == 0)
			n = 1;
		cost = plain ? n : 4 * n;
		if (cost > max - used) {
			buf_puts(out, "...");
			return;
		}
		if (plain)
			buf_put(out, p, n);
		else
			for (i = 0; i < n; i++)
				buf_printf(out, "\\x%02x", (uint8_t)p[i]);
	}
}

static bool
unreserved(char c)
{
	static const bool is[256] = {
		['0' ... '9'] = true, ['A' ... 'Z'] = true,
		['a' ... 'z'] = true, ['-'] = true, ['.'] = true,
		['_'] = true, ['~'] = true,
	};

	return (is[(unsigned char)c]);
}

void
text_percent(struct buf *out, const char *p, size_t len)
{
	static const char hex[] = "0123456789ABCDEF";
	size_t i, from = 0;
	uint8_t c;

	for (i = 0; i < len; i++) {
		if (unreserved(p[i]))
			continue;
		c = (uint8_t)p[i];
		buf_put(out, p + from, i - from);
		buf_put(out, (const char[]){ '%', hex[c >> 4], hex[c & 15] },
		    3);
		from = i + 1;
	}
	buf_put(out, p + from, len - from);
}

static int
hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return (c - '0');
	c = (char)(c | 0x20);
	return (c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1);
}

long
text_unpercent(char *p, size_t len, bool form)
{
	size_t i, n = 0;
	int high, low;

	for (i = 0; i < len; i++) {
		if (p[i] == '%') {
			if (len - i < 3 || (high = hex_value(p[i + 1])) < 0 ||
			    (low = hex_value(p[i + 2])) < 0)
				return (-1);
			p[n++] = (char)(high << 4 | low);
			i += 2;
		} else
			p[n++] = form && p[i] == '+' ? ' ' : p[i];
	}
	return ((long)n);
}

void
text_base64url(struct buf *out, const void *data, size_t len)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	    "abcdefghijklmnopqrstuvwxyz0123456789-_";
	const uint8_t *p = data;
	char text[4];
	size_t n, i;
	uint32_t v;

	for (; len > 0; p += n, len -= n) {
		n = len < 3 ? len : 3;
		v = (uint32_t)p[0] << 16;
		if (n > 1)
			v |= (uint32_t)p[1] << 8;
		if (n > 2)
			v |= p[2];
		for (i = 0; i < 4; i++)
			text[i] = digits[v >> (18 - 6 * i) & 63];
		buf_put(out, text, n + 1);
	}
}

static int
base64_value(char c)
{
	if (c >= 'A' && c <= 'Z')
		return (c - 'A');
	if (c >= 'a' && c <= 'z')
		return (c - 'a' + 26);
	if (c >= '0' && c <= '9')
		return (c - '0' + 52);
	return (c == '-' ? 62 : c == '_' ? 63 : -1);
}

long
text_unbase64url(const char *p, size_t len, uint8_t *out, size_t max)
{
	uint32_t bits = 0;	/* the low `have` of them are not yet out */
	unsigned have = 0;
	size_t i, n = 0;
	int v;

	if (len % 4 == 1)
		return (-1);
	for (i = 0; i < len; i++) {
		if ((v = base64_value(p[i])) < 0)
			return (-1);
		bits = bits << 6 | (uint32_t)v;
		if ((have += 6) < 8)
			continue;
		have -= 8;
		if (n == max)
			return (-1);
		out[n++] = (uint8_t)(bits >> have);
		bits &= (1u << have) - 1;
	}
	/* What is left over must be zero: one text for one value. */
	return (bits == 0 ? (long)n : -1);
}
