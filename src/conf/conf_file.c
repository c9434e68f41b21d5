/*
 * From the tree of a YAML file to values: sections are walked along the
 * paths of the option table. An unknown key is an error that names its
 * place and the key that was probably meant.
 */

#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/must.h"
#include "base/text.h"
#include "conf/conf_int.h"
#include "conf/yaml.h"

/* --- values -------------------------------------------------------------- */

static int
set_at(const struct yaml_doc *d, struct conf_value *v,
    const struct yaml_node *n, const char *text, struct err *e)
{
	int rc = conf_value_set(v, text, CONF_FILE, n->line, e);

	if (rc != 0)
		(void)err_wrap(e, "%s:%d:%d", d->path, n->line, n->column);
	return (rc);
}

/* {env: NAME} and the like; kept as "env:NAME". */
static int
load_secret(const struct yaml_doc *d, struct conf_value *v,
    const struct yaml_node *n, struct err *e)
{
	static const char *const kinds[] = { "env", "file", "command",
	    "credential", NULL };
	char *text;
	int rc;

	if (n->kind == YAML_SCALAR)
		return (yaml_error(d, n, e, "%s: a secret does not belong "
		    "into this file; write {env: NAME}, {file: PATH}, "
		    "{command: LINE} or {credential: NAME}", v->opt->path));
	if ((rc = yaml_only(d, n, kinds, e)) != 0)
		return (rc);
	if (n->n != 1 || n->values[0]->kind != YAML_SCALAR ||
	    n->values[0]->text[0] == '\0')
		return (yaml_error(d, n, e, "%s: one of {env: NAME}, "
		    "{file: PATH}, {command: LINE}, {credential: NAME} is "
		    "expected", v->opt->path));
	text = must_sprintf("%s:%s", n->keys[0]->text, n->values[0]->text);
	rc = set_at(d, v, n, text, e);
	free(text);
	return (rc);
}

static int
load_list(const struct yaml_doc *d, struct conf_value *v,
    const struct yaml_node *n, struct err *e)
{
	const struct yaml_node *item;
	struct buf b;
	size_t i;
	int rc = 0;

	if (n->kind != YAML_LIST)
		return (yaml_error(d, n, e, "%s: a list is expected, such as "
		    "[a, b]", v->opt->path));
	buf_init(&b, 1 << 21);		/* the file is smaller */
	for (i = 0; i < n->n && rc == 0; i++) {
		item = n->values[i];
		if (item->kind != YAML_SCALAR || item->text[0] == '\0' ||
		    strchr(item->text, '\n') != NULL)
			rc = yaml_error(d, item, e, "%s: a word is expected",
			    v->opt->path);
		else
			buf_printf(&b, "%s%s", i > 0 ? "\n" : "", item->text);
	}
	if (rc == 0)
		rc = set_at(d, v, n, buf_str(&b), e);
	buf_fini(&b);
	return (rc);
}

static int
load_value(const struct yaml_doc *d, struct conf_value *v,
    const struct yaml_node *n, struct err *e)
{

	if (n->kind == YAML_SCALAR && n->plain && n->text[0] == '\0')
		return (0);			/* left empty: the default */
	if (v->opt->type == CONF_SECRET)
		return (load_secret(d, v, n, e));
	if (v->opt->type == CONF_LIST)
		return (load_list(d, v, n, e));
	if (n->kind != YAML_SCALAR)
		return (yaml_error(d, n, e, "%s: one value is expected",
		    v->opt->path));
	return (set_at(d, v, n, n->text, e));
}

/* --- unknown keys -------------------------------------------------------- */

/* What was probably meant: a key valid here, or this one elsewhere. */
static char *
meant(const struct conf *c, const char *prefix, const char *key)
{
	const char *words[CONF_OPTIONS_MAX], *near, *path, *last;
	char *own[CONF_OPTIONS_MAX], *out = NULL;
	size_t i, n = 0, len = strlen(prefix);

	MUST(c->n <= CONF_OPTIONS_MAX);
	for (i = 0; i < c->n; i++) {
		path = c->v[i].opt->path;
		if (strncmp(path, prefix, len) != 0)
			continue;
		own[n] = must_strndup(path + len, strcspn(path + len, "."));
		words[n] = own[n];
		n++;
	}
	if ((near = text_nearest(key, words, n)) != NULL)
		out = must_strdup(near);
	for (i = 0; i < c->n && out == NULL; i++) {
		path = c->v[i].opt->path;
		last = strrchr(path, '.');
		if (last != NULL && strcmp(last + 1, key) == 0)
			out = must_strdup(path);
	}
	while (n > 0)
		free(own[--n]);
	return (out);
}

static int
unknown_key(const struct conf *c, const struct yaml_doc *d,
    const char *prefix, const struct yaml_node *key, struct err *e)
{
	char *near = meant(c, prefix, key->text);
	struct buf shown;
	int rc;

	buf_init(&shown, 4096);
	text_escape(&shown, key->text, strlen(key->text), 80);
	if (near != NULL)
		rc = yaml_error(d, key, e, "unknown key \"%s%s\"; did you "
		    "mean \"%s\"?", prefix, buf_str(&shown), near);
	else
		rc = yaml_error(d, key, e, "unknown key \"%s%s\"; see "
		    "garner.yaml(5)", prefix, buf_str(&shown));
	buf_fini(&shown);
	free(near);
	return (rc);
}

/* --- sections ------------------------------------------------------------ */

static bool
is_section(const struct conf *c, const char *path)
{
	size_t i, n = strlen(path);

	for (i = 0; i < c->n; i++)
		if (strncmp(c->v[i].opt->path, path, n) == 0 &&
		    c->v[i].opt->path[n] == '.')
			return (true);
	return (false);
}

static int load_map(struct conf *, const struct yaml_doc *,
    const char *prefix, const struct yaml_node *, struct err *);

static int
load_key(struct conf *c, const struct yaml_doc *d, const char *prefix,
    const struct yaml_node *key, const struct yaml_node *n, struct err *e)
{
	char *path = must_sprintf("%s%s", prefix, key->text), *below;
	size_t k;
	int rc = 0;

	if ((k = conf_index(c, path)) != SIZE_MAX) {
		rc = load_value(d, &c->v[k], n, e);
	} else if (!is_section(c, path)) {
		rc = unknown_key(c, d, prefix, key, e);
	} else if (n->kind != YAML_SCALAR || n->text[0] != '\0') {
		below = must_sprintf("%s.", path);
		rc = load_map(c, d, below, n, e);
		free(below);
	}
	free(path);
	return (rc);
}

static int
load_map(struct conf *c, const struct yaml_doc *d, const char *prefix,
    const struct yaml_node *map, struct err *e)
{
	int rc = 0, len = (int)strlen(prefix);
	size_t i;

	if (map->kind != YAML_MAP)
		return (yaml_error(d, map, e, "%.*s%s\"key: value\" lines "
		    "are expected here", len > 0 ? len - 1 : 0, prefix,
		    len > 0 ? ": " : ""));
	for (i = 0; i < map->n && rc == 0; i++)
		rc = load_key(c, d, prefix, map->keys[i], map->values[i], e);
	return (rc);
}

int
conf_file_load(struct conf *c, const struct yaml_doc *d, struct err *e)
{

	return (d->root != NULL ? load_map(c, d, "", d->root, e) : 0);
}
