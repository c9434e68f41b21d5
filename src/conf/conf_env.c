/*
 * Settings from the environment: GARNER_ and the path in capitals, dots as
 * underscores. A misspelt one is an error as a misspelt key is; a variable
 * that a secret of the file names is none of ours.
 */

#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/must.h"
#include "base/text.h"
#include "conf/conf_int.h"

#define NAME_MAX_BYTES 64

static void
env_name(const char *path, char *out, size_t size)
{
	size_t n = 7;

	(void)snprintf(out, size, "GARNER_");
	for (; *path != '\0' && n + 1 < size; path++)
		if (*path == '.')
			out[n++] = '_';
		else if (*path >= 'a' && *path <= 'z')
			out[n++] = (char)(*path - 'a' + 'A');
		else
			out[n++] = *path;
	out[n] = '\0';
}

/* The file's name, and what belongs to the demo, benchmarks and tests. */
static bool
ignored(const char *name)
{

	return (strcmp(name, "GARNER_CONFIG") == 0 ||
	    strcmp(name, "GARNER_BUILDDIR") == 0 ||
	    strcmp(name, "GARNER_SRCDIR") == 0 ||
	    strncmp(name, "GARNER_BENCH_", 13) == 0 ||
	    strncmp(name, "GARNER_DEMO_", 12) == 0 ||
	    strncmp(name, "GARNER_TEST_", 12) == 0);
}

static bool
named_by_secret(const struct conf *c, const char *name)
{
	const struct conf_value *v;
	size_t i;

	for (i = 0; i < c->n; i++) {
		v = &c->v[i];
		if (v->opt->type == CONF_SECRET && v->set &&
		    strncmp(v->text, "env:", 4) == 0 &&
		    strcmp(v->text + 4, name) == 0)
			return (true);
	}
	return (false);
}

static int
unknown(const struct conf *c, const char *name, struct err *e)
{
	char names[CONF_OPTIONS_MAX][NAME_MAX_BYTES];
	const char *words[CONF_OPTIONS_MAX], *near;
	size_t i;

	MUST(c->n <= CONF_OPTIONS_MAX);
	for (i = 0; i < c->n; i++) {
		env_name(c->v[i].opt->path, names[i], sizeof(names[i]));
		words[i] = names[i];
	}
	near = text_nearest(name, words, c->n);
	if (near != NULL)
		return (err_set(e, ERR_CONFIG, "environment: unknown setting "
		    "%.80s; did you mean %s?", name, near));
	return (err_set(e, ERR_CONFIG, "environment: unknown setting %.80s; "
	    "see garner.yaml(5)", name));
}

static int
load_one(struct conf *c, const char *name, const char *text, struct err *e)
{
	struct conf_value *v;
	char own[NAME_MAX_BYTES];
	size_t i;
	int rc;

	for (i = 0; i < c->n; i++) {
		v = &c->v[i];
		env_name(v->opt->path, own, sizeof(own));
		if (strcmp(own, name) != 0)
			continue;
		if (v->opt->type == CONF_SECRET)
			return (err_set(e, ERR_CONFIG, "environment: %s: a "
			    "secret is not taken from there by itself; write "
			    "%s: {env: %s} into the file", name,
			    v->opt->path, name));
		if (text[0] == '\0')
			return (0);		/* as if it were not set */
		rc = conf_value_set(v, text, CONF_ENV, 0, e);
		if (rc != 0)
			(void)err_wrap(e, "environment: %s", name);
		return (rc);
	}
	return (unknown(c, name, e));
}

int
conf_env_load(struct conf *c, char *const *entries, struct err *e)
{
	const char *eq;
	char *name;
	int rc = 0;

	for (; *entries != NULL && rc == 0; entries++) {
		eq = strchr(*entries, '=');
		if (eq == NULL || strncmp(*entries, "GARNER_", 7) != 0)
			continue;
		name = must_strndup(*entries, (size_t)(eq - *entries));
		if (!ignored(name) && !named_by_secret(c, name))
			rc = load_one(c, name, eq + 1, e);
		free(name);
	}
	return (rc);
}
