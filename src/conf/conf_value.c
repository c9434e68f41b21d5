/*
 * One value: text checked by the row of its option, and kept with what it
 * means. What is refused is told with the bounds; an address that may hold
 * a password is not repeated.
 */

#include "config.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/must.h"
#include "base/text.h"
#include "base/ticks.h"
#include "conf/conf_int.h"

/* "path: "text" reason" */
static int __attribute__((format(printf, 4, 5)))
refuse(const struct conf_option *o, const char *text, struct err *e,
    const char *fmt, ...)
{
	struct buf shown;
	char reason[300];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(reason, sizeof(reason), fmt, ap);
	va_end(ap);
	buf_init(&shown, 2048);
	text_escape(&shown, text, strlen(text), 200);
	(void)err_set(e, ERR_CONFIG, "%s: \"%s\" %s", o->path,
	    buf_str(&shown), reason);
	buf_fini(&shown);
	return (ERR_CONFIG);
}

/* --- numbers ------------------------------------------------------------- */

struct unit {
	const char *name;
	uint64_t factor;
};

/* n in the largest unit that gives a whole number. */
static const char *
in_units(const struct unit *u, double n, char *out, size_t size)
{
	uint64_t v = (uint64_t)n;

	while (u->factor > 1 && (v == 0 || v % u->factor != 0))
		u++;
	(void)snprintf(out, size, "%llu%s",
	    (unsigned long long)(v / u->factor), u->name);
	return (out);
}

/* A bound as a person would write it. */
static const char *
bound(const struct conf_option *o, double n, char *out, size_t size)
{
	static const struct unit sizes[] = {
		{ "TiB", 1ull << 40 }, { "GiB", 1u << 30 },
		{ "MiB", 1u << 20 }, { "KiB", 1u << 10 }, { "", 1 },
	};
	static const struct unit times[] = {
		{ "d", 86400000 }, { "h", 3600000 }, { "m", 60000 },
		{ "s", 1000 }, { "ms", 1 },
	};

	if (o->type == CONF_SIZE)
		return (in_units(sizes, n, out, size));
	if (o->type == CONF_DURATION)
		return (in_units(times, n, out, size));
	(void)snprintf(out, size, "%.0f", n);
	return (out);
}

static int
out_of_bounds(const struct conf_option *o, const char *text, struct err *e)
{
	const char *what = "number", *such = "";
	char min[32], max[32];

	(void)bound(o, o->min, min, sizeof(min));
	(void)bound(o, o->max, max, sizeof(max));
	if (o->min >= o->max)
		return (refuse(o, text, e, "is not %s, which is all this "
		    "garner knows", min));
	if (o->type == CONF_SIZE) {
		what = "size";
		such = ", such as 64MiB";
	} else if (o->type == CONF_DURATION) {
		what = "duration";
		such = ", such as 30s or 4h";
	}
	return (refuse(o, text, e, "is no %s from %s to %s%s", what, min, max,
	    such));
}

static int
set_number(struct conf_value *v, const char *text, struct err *e)
{
	const struct conf_option *o = v->opt;
	uint64_t size = 0;
	bool flag = false;
	int rc;

	switch (o->type) {
	case CONF_BOOL:
		if (text_bool(text, &flag) != 0)
			return (refuse(o, text, e, "is neither true nor "
			    "false"));
		v->num = flag;
		return (0);
	case CONF_INT:
		rc = text_i64(text, (int64_t)o->min, (int64_t)o->max, &v->num);
		break;
	case CONF_DOUBLE:
		rc = text_double(text, o->min, o->max, &v->real);
		break;
	case CONF_SIZE:
		rc = text_size(text, (uint64_t)o->min, (uint64_t)o->max,
		    &size);
		if (rc == 0)
			v->num = (int64_t)size;
		break;
	default:
		rc = text_duration_ms(text, (int64_t)o->min, (int64_t)o->max,
		    &v->num);
		break;
	}
	return (rc == 0 ? 0 : out_of_bounds(o, text, e));
}

/* --- texts --------------------------------------------------------------- */

/* Position of word among "a|b|c", or -1. */
static int
enum_index(const char *words, const char *word)
{
	size_t n = strlen(word), len;
	int i;

	for (i = 0; *words != '\0'; i++) {
		len = strcspn(words, "|");
		if (len == n && memcmp(words, word, n) == 0)
			return (i);
		words += len;
		if (*words == '|')
			words++;
	}
	return (-1);
}

/* After the host: nothing, a path, or a port and these. */
static bool
port_ok(const char *p)
{
	char digits[6];
	uint64_t port;
	size_t n;

	if (*p == ':') {
		n = strcspn(++p, "/");
		if (n >= sizeof(digits))
			return (false);
		memcpy(digits, p, n);
		digits[n] = '\0';
		if (text_u64(digits, 1, 65535, &port) != 0)
			return (false);
		p += n;
	}
	return (*p == '\0' || *p == '/');
}

static bool
url_ok(const char *schemes, const char *s)
{
	const char *p = strstr(s, "://");
	char scheme[16];
	size_t host, n = p != NULL ? (size_t)(p - s) : 0;

	if (n == 0 || n >= sizeof(scheme))
		return (false);
	memcpy(scheme, s, n);
	scheme[n] = '\0';
	if (enum_index(schemes, scheme) < 0)
		return (false);
	s = p + 3;
	for (p = s; *p != '\0'; p++)
		if ((unsigned char)*p <= ' ' || (unsigned char)*p >= 0x7f ||
		    strchr("@?#\"<>\\", *p) != NULL)
			return (false);
	if (*s == '[') {			/* IPv6 */
		host = strcspn(s, "]/");
		return (s[host] == ']' && host > 1 && port_ok(s + host + 1));
	}
	host = strcspn(s, ":/[]");
	return (host > 0 && port_ok(s + host));
}

static int
check_url(const struct conf_option *o, const char *text, struct err *e)
{

	const char *schemes = o->words != NULL ? o->words : "http|https";

	if (url_ok(schemes, text))
		return (0);
	if (strchr(text, '@') != NULL)
		return (err_set(e, ERR_CONFIG, "%s: an address must not hold "
		    "a user or password; there are other keys for them",
		    o->path));
	return (refuse(o, text, e, "is no URL of %s (without query and "
	    "fragment)", schemes));
}

/* These become parts of paths. */
static bool
is_name(const struct conf_option *o)
{

	return (strcmp(o->path, "source.name") == 0 ||
	    strcmp(o->path, "source.connector") == 0);
}

static bool
name_ok(const char *s)
{
	size_t n = strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789_-");

	return (n > 0 && n < 64 && s[n] == '\0');
}

static bool
has_control(const char *s, bool lines)
{

	for (; *s != '\0'; s++)
		if (((unsigned char)*s < ' ' && !(lines && *s == '\n')) ||
		    *s == 0x7f)
			return (true);
	return (false);
}

static int
set_text(struct conf_value *v, const char *text, struct err *e)
{
	const struct conf_option *o = v->opt;
	int64_t t;
	int i;

	if (has_control(text, o->type == CONF_LIST))
		return (refuse(o, text, e, "has a control character in it"));
	switch (o->type) {
	case CONF_ENUM:
		if ((i = enum_index(o->words, text)) < 0)
			return (refuse(o, text, e, "is none of %s",
			    o->words));
		v->num = i;
		return (0);
	case CONF_URL:
		return (check_url(o, text, e));
	case CONF_TIME:
		/* Early and late: an offset must not lead out of time. */
		if (ticks_parse_human(text, 0, &t) != 0 &&
		    ticks_parse_human(text, TICKS_MAX / 2, &t) != 0)
			return (refuse(o, text, e, "is no time such as *-8h "
			    "or 2026-03-01T06:00:00Z"));
		return (0);
	case CONF_TEXT:
		if (is_name(o) && !name_ok(text))
			return (refuse(o, text, e, "is not of a-z, 0-9, _ "
			    "and - only (at most 63)"));
		return (0);
	default:
		return (0);
	}
}

/* --- both ---------------------------------------------------------------- */

/* "a, b" as people write it on one line, to items one a line. */
static char *
split_commas(const char *text)
{
	char *out = must_calloc(1, strlen(text) + 1), *w = out;
	size_t n, blank;

	while (*text != '\0') {
		text += strspn(text, ", \t");
		n = strcspn(text, ",");
		for (blank = n; blank > 0 && strchr(" \t", text[blank - 1]);)
			blank--;
		if (blank > 0 && w > out)
			*w++ = '\n';
		memcpy(w, text, blank);
		w += blank;
		text += n;
	}
	*w = '\0';
	return (out);
}

int
conf_value_set(struct conf_value *v, const char *text,
    enum conf_origin origin, int line, struct err *e)
{
	char *own;
	int rc;

	if (v->opt->type == CONF_LIST &&
	    (origin == CONF_ENV || origin == CONF_FLAG))
		own = split_commas(text);
	else
		own = must_strdup(text);
	switch (v->opt->type) {
	case CONF_BOOL:
	case CONF_INT:
	case CONF_DOUBLE:
	case CONF_SIZE:
	case CONF_DURATION:
		rc = set_number(v, own, e);
		break;
	default:
		rc = set_text(v, own, e);
		break;
	}
	if (rc != 0) {
		free(own);
		return (rc);
	}
	conf_value_fini(v);
	v->text = own;
	v->origin = origin;
	v->line = line;
	v->set = true;
	return (0);
}

void
conf_value_fini(struct conf_value *v)
{

	free(v->text);
	free(v->items);
	free(v->items_text);
	v->text = NULL;
	v->items = NULL;
	v->items_text = NULL;
}
