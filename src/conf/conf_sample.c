/*
 * The sample garner.yaml of `garner init`: every option with its help, in
 * the order of the table; those that need no change are commented out.
 */

#include "config.h"

#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "conf/conf.h"

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
		return (strcmp(o->path, "source.auth.token") == 0 ?
		    "{env: PI_TOKEN}" : "{env: PI_PASSWORD}");
	if (o->type == CONF_LIST)
		return ("[pi_points, pi_timeseries]");
	return (o->deflt != NULL ? o->deflt : "");
}

static void
put_line(struct buf *b, const struct conf_option *o, unsigned depth,
    const char *value, bool live)
{
	const char *at;
	size_t n = part(o->path, depth, &at);
	const char *quote = "";
	char left[256];

	if (value[0] == '*')		/* an alias to YAML */
		quote = "\"";
	(void)snprintf(left, sizeof(left), "%*s%s%.*s: %s%s%s",
	    (int)depth * 2, "", live ? "" : "# ", (int)n, at, quote, value,
	    quote);
	buf_printf(b, "%-38s # %s%s%s%s\n", left, o->help,
	    o->words != NULL ? " (" : "", o->words != NULL ? o->words : "",
	    o->words != NULL ? ")" : "");
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
	buf_puts(b, "# garner.yaml: see garner.yaml(5). Lines that begin with "
	    "a # show the default.\n");
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
