/*
 * WebID 2.0: type, version, marker, then the fields, each in base64 of its
 * own: GUIDs in Microsoft order (22 characters), the point's number (6),
 * the path in upper case.
 *
 * Our GUIDs are made so that they can be undone: the second half is the
 * object's number, hidden by a key, the first half a hash that proves it.
 * So a look-up by WebID is arithmetic, whatever the number of objects.
 */

#include "config.h"

#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/hash.h"
#include "base/must.h"
#include "base/text.h"
#include "mock/mock_options.h"
#include "mock/mock_world.h"

#define GUID_CHARS 22
#define INT_CHARS 6
#define POINT_ID_FIRST 1001

static const struct form {
	const char *marker;	/* with owner marker */
	unsigned guids;
} FORMS[] = {
	[MOCK_DATA_SERVER] = { "DS", 1 },
	[MOCK_POINT] = { "DP", 1 },
	[MOCK_ASSET_SERVER] = { "RS", 1 },
	[MOCK_DATABASE] = { "RD", 2 },
	[MOCK_ELEMENT] = { "Em", 2 },
	[MOCK_ATTRIBUTE] = { "AbE", 3 },
	[MOCK_FRAME] = { "Fm", 2 },
};

#define NFORMS (sizeof(FORMS) / sizeof(FORMS[0]))

uint32_t
mock_point_id(uint64_t tag)
{
	return ((uint32_t)tag + POINT_ID_FIRST);
}

static uint64_t
get64(const uint8_t *p)
{
	uint64_t v = 0;

	for (int i = 7; i >= 0; i--)
		v = v << 8 | p[i];
	return (v);
}

static void
put64(uint8_t *p, uint64_t v)
{
	for (int i = 0; i < 8; i++)
		p[i] = (uint8_t)(v >> 8 * i);
}

/* --- GUIDs ---------------------------------------------------------------- */

static uint64_t
number(const struct mock_world *w, struct mock_obj o)
{
	switch (o.type) {
	case MOCK_ATTRIBUTE:
		return (o.a * 32 + o.b);
	case MOCK_FRAME:
		return (o.b * w->opt->plants + o.a);
	default:
		return (o.a);
	}
}

static void
guid_make(const struct mock_world *w, enum mock_type type, uint64_t n,
    struct mock_guid *out)
{
	uint64_t key = hash_mix(w->key + type + 1);

	put64(out->b, hash_mix(key ^ (n + 1)));
	put64(out->b + 8, n ^ hash_mix(key));
}

static bool
guid_undo(const struct mock_world *w, enum mock_type type, const uint8_t *b,
    uint64_t *n)
{
	uint64_t key = hash_mix(w->key + type + 1);

	*n = get64(b + 8) ^ hash_mix(key);
	return (get64(b) == hash_mix(key ^ (*n + 1)));
}

void
mock_world_guid(const struct mock_world *w, struct mock_obj o,
    struct mock_guid *out)
{
	guid_make(w, o.type, number(w, o), out);
}

const char *
mock_guid_text(const struct mock_guid *g, char buf[37])
{
	const uint8_t *b = g->b;

	snprintf(buf, 37, "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-"
	    "%02x%02x%02x%02x%02x%02x", b[3], b[2], b[1], b[0], b[5], b[4],
	    b[7], b[6], b[8], b[9], b[10], b[11], b[12], b[13], b[14], b[15]);
	return (buf);
}

/* --- out ------------------------------------------------------------------ */

/* The GUIDs from the server down to the object. */
static unsigned
guids(const struct mock_world *w, struct mock_obj o, struct mock_guid g[3])
{
	enum mock_type server = o.type == MOCK_POINT ||
	    o.type == MOCK_DATA_SERVER ? MOCK_DATA_SERVER : MOCK_ASSET_SERVER;

	guid_make(w, server, 0, &g[0]);
	if (o.type == MOCK_ATTRIBUTE)
		guid_make(w, MOCK_ELEMENT, o.a, &g[1]);
	else
		mock_world_guid(w, o, &g[1]);
	if (o.type == MOCK_ATTRIBUTE)
		mock_world_guid(w, o, &g[2]);
	return (FORMS[o.type].guids);
}

static void
put_path(struct buf *out, const struct mock_world *w, struct mock_obj o)
{
	struct buf path, upper;

	buf_init(&path, 1 << 16);
	buf_init(&upper, 1 << 16);
	/* A data server is named, not \\PIServers[...]. */
	if (o.type == MOCK_DATA_SERVER)
		buf_puts(&path, "\\\\PISRV1");
	else
		mock_path_put(&path, w, o);
	MUST(path.error == 0 && path.len > 2);
	mock_upper(&upper, (const char *)path.data + 2, path.len - 2);
	text_base64url(out, upper.data, upper.len);
	buf_fini(&path);
	buf_fini(&upper);
}

void
mock_webid_put(struct buf *out, const struct mock_world *w, struct mock_obj o,
    char kind)
{
	struct mock_guid g[3];
	unsigned n;
	uint32_t id;
	uint8_t le[4];

	buf_u8(out, (uint8_t)kind);
	buf_u8(out, '1');
	buf_puts(out, FORMS[o.type].marker);
	if (kind != 'P') {
		n = guids(w, o, g);
		for (unsigned i = 0; i < n; i++)
			text_base64url(out, g[i].b, sizeof(g[i].b));
	}
	if (kind != 'P' && o.type == MOCK_POINT) {
		id = mock_point_id(o.a);
		for (int i = 0; i < 4; i++)
			le[i] = (uint8_t)(id >> 8 * i);
		text_base64url(out, le, sizeof(le));
	}
	if (kind != 'I')
		put_path(out, w, o);
}

/* --- in ------------------------------------------------------------------- */

static bool
exists(const struct mock_world *w, struct mock_obj o)
{
	struct mock_frame f;

	switch (o.type) {
	case MOCK_DATA_SERVER:
	case MOCK_ASSET_SERVER:
		return (o.a == 0);
	case MOCK_POINT:
		return (mock_point_exists(w, o.a));
	case MOCK_DATABASE:
		return (o.a < w->opt->plants);
	case MOCK_ELEMENT:
		return (o.a < w->elements);
	case MOCK_ATTRIBUTE:
		return (o.a < w->elements &&
		    o.b < mock_attributes(w, (uint32_t)o.a));
	case MOCK_FRAME:
		return (mock_frame_get(w, (uint32_t)o.a, o.b, &f) &&
		    f.start <= mock_world_now(w));
	}
	return (false);
}

/* From the decoded fields; `local`: the server's GUID is left out. */
static int
identify(const struct mock_world *w, enum mock_type type, bool local,
    const uint8_t *field, uint32_t point, struct mock_obj *out)
{
	enum mock_type server = type == MOCK_POINT ||
	    type == MOCK_DATA_SERVER ? MOCK_DATA_SERVER : MOCK_ASSET_SERVER;
	uint64_t n = 0;

	if (!local && (!guid_undo(w, server, field, &n) || n != 0))
		return (ERR_NOTFOUND);
	out->type = type;
	out->a = out->b = 0;
	if (type == MOCK_POINT) {
		if (point < POINT_ID_FIRST)
			return (ERR_NOTFOUND);
		out->a = point - POINT_ID_FIRST;
	} else if (type != server) {
		field += 16 * (FORMS[type].guids - 1 - (local ? 1 : 0));
		if (!guid_undo(w, type, field, &n))
			return (ERR_NOTFOUND);
		out->a = type == MOCK_ATTRIBUTE ? n / 32 :
		    type == MOCK_FRAME ? n % w->opt->plants : n;
		out->b = type == MOCK_ATTRIBUTE ? n % 32 :
		    type == MOCK_FRAME ? n / w->opt->plants : 0;
	}
	return (exists(w, *out) ? 0 : ERR_NOTFOUND);
}

static int
parse_path(const struct mock_world *w, enum mock_type type, const char *s,
    size_t len, struct mock_obj *out)
{
	uint8_t path[8192];
	long n = text_unbase64url(s, len, path, sizeof(path));

	if (n <= 0 || !text_utf8_valid((char *)path, (size_t)n))
		return (ERR_DATA);
	return (mock_path_find(w, type, (char *)path, (size_t)n, out));
}

static int
parse_fields(const struct mock_world *w, enum mock_type type, char kind,
    const char *s, size_t len, struct mock_obj *out)
{
	bool local = kind == 'L' || kind == 'D';
	unsigned n = FORMS[type].guids - (local ? 1 : 0);
	uint8_t field[48], le[4], rest[8192];
	uint32_t point = 0;
	size_t need = n * GUID_CHARS + (type == MOCK_POINT ? INT_CHARS : 0);

	if (kind == 'F' ? len <= need : len != need)
		return (ERR_DATA);
	for (unsigned i = 0; i < n; i++, s += GUID_CHARS)
		if (text_unbase64url(s, GUID_CHARS, field + 16 * i, 16) != 16)
			return (ERR_DATA);
	if (type == MOCK_POINT) {
		if (text_unbase64url(s, INT_CHARS, le, sizeof(le)) != 4)
			return (ERR_DATA);
		point = (uint32_t)le[0] | (uint32_t)le[1] << 8 |
		    (uint32_t)le[2] << 16 | (uint32_t)le[3] << 24;
		s += INT_CHARS;
	}
	if (kind == 'F' &&
	    text_unbase64url(s, len - need, rest, sizeof(rest)) <= 0)
		return (ERR_DATA);
	return (identify(w, type, local, field, point, out));
}

int
mock_webid_parse(const struct mock_world *w, const char *s, size_t len,
    struct mock_obj *out)
{
	if (len < 4 || len > 8192 || s[1] != '1' ||
	    memchr("FIPLD", s[0], 5) == NULL)
		return (ERR_DATA);
	for (unsigned t = 0; t < NFORMS; t++) {
		size_t n = strlen(FORMS[t].marker);

		if (len < 2 + n || memcmp(s + 2, FORMS[t].marker, n) != 0)
			continue;
		if (s[0] == 'P')
			return (parse_path(w, t, s + 2 + n, len - 2 - n, out));
		return (parse_fields(w, t, s[0], s + 2 + n, len - 2 - n, out));
	}
	return (ERR_DATA);
}
