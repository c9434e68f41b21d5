/*
 * The sample garner.yaml of `garner init`: every option with its help, in
 * the order of the table; those that need no change are commented out.
 */

#include "config.h"

#include <string.h>

#include "base/buf.h"
#include "conf/conf.h"

#define HELP_COLUMN 38
#define LINE_COLUMNS 80

/* Depth of a path, and its part at a depth. */
static size_t
part(const char *path, unsigned depth, const char **at)
{
	*at = path;
	while (depth-- > 0) {
		path = strchr(path, '.');
		if (path == NULL)
			return (0);
		path++;
	}
	*at = path;
	return (strcspn(path, "."));
}

static bool
same_part(const char *a, const char *b, unsigned depth)
{
	const char *x, *y;
	size_t nx, ny;

	if (b == NULL)
		return (false);
	nx = part(a, depth, &x);
	ny = part(b, depth, &y);
	return (nx == ny && nx > 0 && (size_t)(x - a) == (size_t)(y - b) &&
	    strncmp(a, b, (size_t)(x - a) + nx) == 0);
}

static bool
has_below(const char *path, unsigned depth)
{
	const char *at;
	size_t n = part(path, depth, &at);

	return (n > 0 && at[n] == '.');
}

/* The value shown, and whether the line is live. */
static const char *
secret_example(const char *path)
{
	static const char *const examples[][2] = {
		{ "source.auth.password", "{env: PI_PASSWORD}" },
		{ "source.auth.token", "{env: PI_TOKEN}" },
		{ "source.auth.client_secret", "{credential: client}" },
	};
	size_t i;

	for (i = 0; i < sizeof(examples) / sizeof(examples[0]); i++)
		if (strcmp(path, examples[i][0]) == 0)
			return (examples[i][1]);
	return ("{file: /etc/garner/secret}");
}

static const char *
sample_value(const struct conf_option *o, const char *connector,
    const char *url, bool *live)
{

	*live = true;
	if (strcmp(o->path, "source.url") == 0)
		return (url);
	if (strcmp(o->path, "source.connector") == 0)
		return (connector);
	if (strcmp(o->path, "version") == 0 || strcmp(o->path, "data") == 0 ||
	    strcmp(o->path, "source.name") == 0 ||
	    strcmp(o->path, "harvest.from") == 0 ||
	    strcmp(o->path, "harvest.reread") == 0 ||
	    strcmp(o->path, "groups.size") == 0)
		return (o->deflt);
	*live = false;
	if (o->type == CONF_SECRET)
		return (secret_example(o->path));
	if (strcmp(o->path, "fetch.calendar") == 0)
		return ("[mon-fri 09:00-17:00 rate=20]");
	if (strcmp(o->path, "source.forms") == 0)
		return ("[one, set]");
	if (o->type == CONF_LIST)
		return ("[pi_dataservers, pi_points, pi_timeseries]");
	return (o->deflt != NULL ? o->deflt : "");
}

/* A word as YAML reads it back: quoted unless it is plainly plain. */
static void
put_value(struct buf *b, const struct conf_option *o, const char *value)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyz"
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._/:+~%-";
	size_t n = strlen(value);
	const char *p;

	if (o->type == CONF_SECRET || o->type == CONF_LIST ||
	    (n > 0 && strspn(value, plain) == n && value[n - 1] != ':' &&
	    strchr("-:%~", value[0]) == NULL)) {
		buf_puts(b, value);
		return;
	}
	buf_u8(b, '"');
	for (p = value; *p != '\0'; p++)
		if ((unsigned char)*p < ' ' || *p == 0x7f)
			buf_printf(b, "\\x%02x", (unsigned)*p);
		else
			buf_printf(b, *p == '"' || *p == '\\' ? "\\%c" : "%c",
			    *p);
	buf_u8(b, '"');
}

static void
put_line(struct buf *b, const struct conf_option *o, unsigned depth,
    const char *value, bool live)
{
	const char *at;
	size_t n = part(o->path, depth, &at), begin = b->len;

	buf_printf(b, "%*s%s%.*s: ", (int)depth * 2, "", live ? "" : "# ",
	    (int)n, at);
	if (value[0] != '\0')
		put_value(b, o, value);
	while (b->error == 0 && b->len - begin < HELP_COLUMN)
		buf_u8(b, ' ');
	buf_printf(b, " # %s", o->help);
	if (o->words != NULL && strchr(o->words, '|') != NULL) {
		/* beside the help, or below it */
		if (b->len - begin + strlen(o->words) + 3 > LINE_COLUMNS)
			buf_printf(b, "\n%*s #", HELP_COLUMN, "");
		else
			buf_u8(b, ' ');
		buf_printf(b, "(%s)", o->words);
	}
	buf_u8(b, '\n');
}

void
conf_sample(const char *connector, const char *url, struct buf *b)
{
	const struct conf_option *o;
	const char *last = NULL, *at, *value;
	unsigned depth;
	size_t i, n, len;
	bool live;

	o = conf_options(&n);
	buf_puts(b, "# Configuration of garner; garner.yaml(5) tells all of "
	    "it.\n# Lines that begin with # show the default, or an "
	    "example.\n\n");
	for (i = 0; i < n; i++) {
		for (depth = 0; has_below(o[i].path, depth); depth++) {
			if (same_part(o[i].path, last, depth))
				continue;
			len = part(o[i].path, depth, &at);
			if (depth == 0)
				buf_u8(b, '\n');
			buf_printf(b, "%*s%.*s:\n", (int)depth * 2, "",
			    (int)len, at);
		}
		value = sample_value(&o[i], connector, url, &live);
		put_line(b, &o[i], depth, value, live);
		last = o[i].path;
	}
}
