/*
 * Paths, both ways, and the letters in them.
 *
 *	\\PIServers[PISRV1]                      data server
 *	\\PISRV1\TAG                             point
 *	\\AFSRV1\Plant1\Area 01\...|Attribute    assets
 *	\\AFSRV1\Plant1\EventFrames[NAME]        event frames
 *
 * Paths are compared in upper case, as the real server does.
 */

#include "config.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/must.h"
#include "base/text.h"
#include "mock/mock_options.h"
#include "mock/mock_world.h"

/* --- letters -------------------------------------------------------------- */

/* Latin, Greek and Cyrillic: what our names use. */
static uint32_t
upper(uint32_t c)
{
	if (c >= 'a' && c <= 'z')
		return (c - 32);
	if (c >= 0xe0 && c <= 0xfe && c != 0xf7)
		return (c - 32);
	if (c >= 0x3b1 && c <= 0x3c9 && c != 0x3c2)
		return (c - 32);
	if (c >= 0x430 && c <= 0x44f)
		return (c - 32);
	return (c);
}

/* Two-byte sequences are enough: the letters above end at U+044F. */
void
mock_upper(struct buf *out, const char *s, size_t len)
{
	const uint8_t *p = (const uint8_t *)s, *end = p + len;
	uint32_t c;

	while (p < end) {
		if (*p < 0x80) {
			buf_u8(out, (uint8_t)upper(*p++));
		} else if ((*p & 0xe0) == 0xc0 && end - p > 1) {
			c = upper((uint32_t)(*p & 0x1f) << 6 | (p[1] & 0x3f));
			buf_u8(out, (uint8_t)(0xc0 | c >> 6));
			buf_u8(out, (uint8_t)(0x80 | (c & 0x3f)));
			p += 2;
		} else {
			buf_u8(out, *p++);
		}
	}
}

static bool
same(const char *a, size_t alen, struct buf *b)
{
	struct buf ua, ub;
	bool yes;

	buf_init(&ua, 1 << 16);
	buf_init(&ub, 1 << 16);
	mock_upper(&ua, a, alen);
	mock_upper(&ub, (const char *)b->data, b->len);
	yes = ua.error == 0 && ua.len == ub.len &&
	    memcmp(ua.data, ub.data, ua.len) == 0;
	buf_fini(&ua);
	buf_fini(&ub);
	return (yes);
}

bool
mock_wild(const char *pattern, const char *text)
{
	const char *star = NULL, *back = NULL;

	if (pattern == NULL || *pattern == '\0')
		return (true);
	while (*text != '\0') {
		if (*pattern == '*') {
			star = ++pattern;
			back = text;
		} else if (*pattern != '\0' && (*pattern == '?' ||
		    strncasecmp(pattern, text, 1) == 0)) {
			pattern++;
			text++;
			/* A character is not a byte. */
			while (pattern[-1] == '?' && (*text & 0xc0) == 0x80)
				text++;
		} else if (star != NULL) {
			pattern = star;
			text = ++back;
		} else {
			return (false);
		}
	}
	while (*pattern == '*')
		pattern++;
	return (*pattern == '\0');
}

/* --- out ------------------------------------------------------------------ */

static void
element_path(struct buf *out, const struct mock_world *w, uint32_t el)
{
	uint32_t up[16];
	unsigned n = 0;

	mock_path_put(out, w, (struct mock_obj){ MOCK_DATABASE,
	    w->element[el].db, 0 });
	for (; el != MOCK_NONE; el = w->element[el].parent) {
		MUST(n < 16);
		up[n++] = el;
	}
	while (n > 0) {
		buf_u8(out, '\\');
		mock_af_name(w, up[--n], out);
	}
}

static void
frame_path(struct buf *out, const struct mock_world *w, struct mock_obj o)
{
	struct mock_frame f;

	mock_path_put(out, w, (struct mock_obj){ MOCK_DATABASE, o.a, 0 });
	MUST(mock_frame_get(w, (uint32_t)o.a, o.b & ~3ull, &f));
	buf_puts(out, "\\EventFrames[");
	mock_frame_name(&f, out);
	buf_u8(out, ']');
	if ((o.b & 3) == 0)
		return;
	MUST(mock_frame_get(w, (uint32_t)o.a, o.b, &f));
	buf_u8(out, '\\');
	mock_frame_name(&f, out);
}

void
mock_path_put(struct buf *out, const struct mock_world *w, struct mock_obj o)
{
	struct mock_attribute a;

	switch (o.type) {
	case MOCK_DATA_SERVER:
		buf_puts(out, "\\\\PIServers[PISRV1]");
		break;
	case MOCK_POINT:
		buf_puts(out, "\\\\PISRV1\\");
		mock_tag_name(w, o.a, out);
		break;
	case MOCK_ASSET_SERVER:
		buf_puts(out, "\\\\AFSRV1");
		break;
	case MOCK_DATABASE:
		buf_puts(out, "\\\\AFSRV1\\");
		mock_db_name(o.a, out);
		break;
	case MOCK_ELEMENT:
		element_path(out, w, (uint32_t)o.a);
		break;
	case MOCK_ATTRIBUTE:
		element_path(out, w, (uint32_t)o.a);
		mock_attribute_get(w, (uint32_t)o.a, (uint32_t)o.b, &a);
		buf_u8(out, '|');
		buf_puts(out, a.name);
		break;
	case MOCK_FRAME:
		frame_path(out, w, o);
		break;
	}
}

/* --- in ------------------------------------------------------------------- */

/* The next word before one of `stop`; the rest in *s, *len. */
static size_t
word(const char **s, size_t *len, const char *stop)
{
	size_t n = 0;

	while (n < *len && strchr(stop, (*s)[n]) == NULL)
		n++;
	*s += n;
	*len -= n;
	return (n);
}

static bool
eat(const char **s, size_t *len, const char *text)
{
	size_t n = strlen(text);

	if (*len < n || strncasecmp(*s, text, n) != 0)
		return (false);
	*s += n;
	*len -= n;
	return (true);
}

static int
find_point(const struct mock_world *w, const char *s, size_t len,
    struct mock_obj *out)
{
	size_t n = len;
	uint64_t tag = 0;
	struct buf name;
	bool yes;

	while (n > 0 && s[n - 1] >= '0' && s[n - 1] <= '9')
		n--;
	if (len - n < 6 || len - n > 9)
		return (ERR_NOTFOUND);
	for (size_t i = n; i < len; i++)
		tag = tag * 10 + (uint64_t)(s[i] - '0');
	if (tag >= w->opt->tags)
		return (ERR_NOTFOUND);
	buf_init(&name, 4096);
	mock_tag_name(w, tag, &name);
	yes = same(s, len, &name);
	buf_fini(&name);
	*out = (struct mock_obj){ MOCK_POINT, mock_point_now(w, tag), 0 };
	return (yes ? 0 : ERR_NOTFOUND);
}

static uint32_t
find_child(const struct mock_world *w, uint32_t first, uint32_t end,
    const char *s, size_t len)
{
	struct buf name;
	uint32_t found = MOCK_NONE;

	buf_init(&name, 4096);
	for (uint32_t i = first; i < end && found == MOCK_NONE;
	    i = w->element[i].end) {
		buf_clear(&name);
		mock_af_name(w, i, &name);
		if (same(s, len, &name))
			found = i;
	}
	buf_fini(&name);
	return (found);
}

static int
find_attribute(const struct mock_world *w, uint32_t el, const char *s,
    size_t len, struct mock_obj *out)
{
	struct mock_attribute a;

	for (uint32_t i = 0; i < mock_attributes(w, el); i++) {
		mock_attribute_get(w, el, i, &a);
		if (strlen(a.name) == len && strncasecmp(a.name, s, len) == 0) {
			*out = (struct mock_obj){ MOCK_ATTRIBUTE, el, i };
			return (0);
		}
	}
	return (ERR_NOTFOUND);
}

static int
find_frame(const struct mock_world *w, uint32_t db, const char *s, size_t len,
    struct mock_obj *out)
{
	struct mock_frame f;
	struct buf name;
	char digits[24] = "";
	const char *start = s;
	size_t n = word(&s, &len, "]"), d;
	uint64_t slot;
	bool yes = false;

	for (d = n; d > 0 && start[d - 1] >= '0' && start[d - 1] <= '9'; d--)
		continue;
	if (n - d == 0 || n - d >= sizeof(digits))
		return (ERR_NOTFOUND);
	memcpy(digits, start + d, n - d);
	slot = strtoull(digits, NULL, 10);
	if (slot > UINT32_MAX || !eat(&s, &len, "]") ||
	    !mock_frame_get(w, db, slot * 4, &f))
		return (ERR_NOTFOUND);
	buf_init(&name, 4096);
	mock_frame_name(&f, &name);
	yes = same(start, n, &name);
	*out = (struct mock_obj){ MOCK_FRAME, db, slot * 4 };
	if (yes && eat(&s, &len, "\\")) {
		yes = false;
		for (uint64_t c = 1; c < 4 && !yes; c++) {
			if (!mock_frame_get(w, db, slot * 4 + c, &f))
				break;
			buf_clear(&name);
			mock_frame_name(&f, &name);
			yes = same(s, len, &name);
			out->b = slot * 4 + c;
		}
		len = 0;
	}
	buf_fini(&name);
	return (yes && len == 0 ? 0 : ERR_NOTFOUND);
}

static int
find_asset(const struct mock_world *w, const char *s, size_t len,
    struct mock_obj *out)
{
	const char *name = s;
	size_t n = word(&s, &len, "\\|");
	uint32_t db, el, first, end;
	struct buf b;

	buf_init(&b, 256);
	for (db = 0; db < w->opt->plants; db++) {
		buf_clear(&b);
		mock_db_name(db, &b);
		if (same(name, n, &b))
			break;
	}
	buf_fini(&b);
	if (db == w->opt->plants)
		return (ERR_NOTFOUND);
	*out = (struct mock_obj){ MOCK_DATABASE, db, 0 };
	if (eat(&s, &len, "\\EventFrames["))
		return (find_frame(w, db, s, len, out));
	first = w->db_first[db];
	end = w->db_first[db + 1];
	while (eat(&s, &len, "\\")) {
		name = s;
		n = word(&s, &len, "\\|");
		el = find_child(w, first, end, name, n);
		if (el == MOCK_NONE)
			return (ERR_NOTFOUND);
		*out = (struct mock_obj){ MOCK_ELEMENT, el, 0 };
		first = el + 1;
		end = w->element[el].end;
	}
	if (out->type == MOCK_ELEMENT && eat(&s, &len, "|"))
		return (find_attribute(w, (uint32_t)out->a, s, len, out));
	return (len == 0 ? 0 : ERR_NOTFOUND);
}

int
mock_path_find(const struct mock_world *w, enum mock_type type, const char *s,
    size_t len, struct mock_obj *out)
{
	int rc = ERR_NOTFOUND;

	*out = (struct mock_obj){ type, 0, 0 };
	if (type == MOCK_DATA_SERVER)
		rc = (eat(&s, &len, "PISRV1") ||
		    eat(&s, &len, "PIServers[PISRV1]")) && len == 0 ? 0 :
		    ERR_NOTFOUND;
	else if (type == MOCK_POINT && eat(&s, &len, "PISRV1\\"))
		rc = find_point(w, s, len, out);
	else if (eat(&s, &len, "AFSRV1") && len == 0)
		out->type = MOCK_ASSET_SERVER, rc = 0;
	else if (eat(&s, &len, "\\"))
		rc = find_asset(w, s, len, out);
	return (rc == 0 && out->type == type ? 0 : ERR_NOTFOUND);
}
