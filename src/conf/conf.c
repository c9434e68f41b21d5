/*
 * The effective configuration: defaults, then the file, then the
 * environment, each value checked by its row of the table. Unknown keys are
 * errors that name file, line and the nearest valid key.
 */

#include "config.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/must.h"
#include "base/text.h"
#include "base/ticks.h"
#include "conf/conf.h"
#include "conf/conf_int.h"
#include "conf/yaml.h"
#include "sys/sys.h"

extern char **environ;

/* --- values -------------------------------------------------------------- */

static size_t
index_of(const struct conf *c, const char *path)
{
	size_t i;

	for (i = 0; i < c->n; i++)
		if (strcmp(c->v[i].opt->path, path) == 0)
			return (i);
	return (SIZE_MAX);
}

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

static bool
url_ok(const char *s)
{
	const char *p;

	if (strncmp(s, "http://", 7) == 0)
		p = s + 7;
	else if (strncmp(s, "https://", 8) == 0)
		p = s + 8;
	else
		return (false);
	if (*p == '\0' || *p == '/' || *p == ':')
		return (false);
	for (; *p != '\0'; p++)
		if ((unsigned char)*p <= ' ' || (unsigned char)*p >= 0x7f ||
		    strchr("@?#\"<>\\", *p) != NULL)
			return (false);
	return (true);
}

static bool
name_ok(const char *s)
{
	size_t n = strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789_-");

	return (n > 0 && n < 64 && s[n] == '\0');
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
		rc = text_bool(text, &flag);
		v->num = flag;
		return (rc == 0 ? 0 : err_set(e, ERR_CONFIG,
		    "%s: \"%.80s\" is neither true nor false", o->path, text));
	case CONF_INT:
		rc = text_i64(text, (int64_t)o->min, (int64_t)o->max, &v->num);
		return (rc == 0 ? 0 : err_set(e, ERR_CONFIG, "%s: \"%.80s\" "
		    "is no number from %.0f to %.0f", o->path, text, o->min,
		    o->max));
	case CONF_DOUBLE:
		rc = text_double(text, o->min, o->max, &v->real);
		return (rc == 0 ? 0 : err_set(e, ERR_CONFIG, "%s: \"%.80s\" "
		    "is no number from %g to %g", o->path, text, o->min,
		    o->max));
	case CONF_SIZE:
		rc = text_size(text, (uint64_t)o->min, (uint64_t)o->max,
		    &size);
		v->num = (int64_t)size;
		return (rc == 0 ? 0 : err_set(e, ERR_CONFIG, "%s: \"%.80s\" "
		    "is no size such as 64MiB, or out of bounds", o->path,
		    text));
	default:
		rc = text_duration_ms(text, (int64_t)o->min, (int64_t)o->max,
		    &v->num);
		return (rc == 0 ? 0 : err_set(e, ERR_CONFIG, "%s: \"%.80s\" "
		    "is no duration such as 30s or 4h, or out of bounds",
		    o->path, text));
	}
}

static int
set_text(struct conf_value *v, const char *text, struct err *e)
{
	const struct conf_option *o = v->opt;
	int64_t t;
	int i;

	switch (o->type) {
	case CONF_ENUM:
		if ((i = enum_index(o->words, text)) < 0)
			return (err_set(e, ERR_CONFIG, "%s: \"%.80s\" is none "
			    "of %s", o->path, text, o->words));
		v->num = i;
		return (0);
	case CONF_URL:
		if (!url_ok(text))
			return (err_set(e, ERR_CONFIG, "%s: \"%.200s\" is no "
			    "http or https URL (without user, query and "
			    "fragment)", o->path, text));
		return (0);
	case CONF_TIME:
		if (ticks_parse_human(text, 0, &t) != 0 &&
		    ticks_parse_human(text, TICKS_MAX / 2, &t) != 0)
			return (err_set(e, ERR_CONFIG, "%s: \"%.80s\" is no "
			    "time such as *-8h or 2026-03-01T06:00:00Z",
			    o->path, text));
		return (0);
	case CONF_TEXT:
		if ((strcmp(o->path, "source.name") == 0 ||
		    strcmp(o->path, "source.connector") == 0) &&
		    !name_ok(text))
			return (err_set(e, ERR_CONFIG, "%s: \"%.80s\" is not "
			    "of a-z, 0-9, _ and - only", o->path, text));
		return (0);
	default:
		return (0);
	}
}

static int
set_value(struct conf_value *v, const char *text, enum conf_origin origin,
    int line, struct err *e)
{
	int rc;

	switch (v->opt->type) {
	case CONF_BOOL:
	case CONF_INT:
	case CONF_DOUBLE:
	case CONF_SIZE:
	case CONF_DURATION:
		rc = set_number(v, text, e);
		break;
	default:
		rc = set_text(v, text, e);
		break;
	}
	if (rc != 0)
		return (rc);
	if (v->text != text) {
		free(v->text);
		v->text = must_strdup(text);
	}
	v->origin = origin;
	v->line = line;
	v->set = true;
	return (0);
}

/* --- the file ------------------------------------------------------------ */

static int
at(const struct yaml_doc *d, const struct yaml_node *n, struct err *e)
{

	return (err_wrap(e, "%s:%d:%d", d->path, n->line, n->column));
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
	if (n->n != 1 || n->values[0]->kind != YAML_SCALAR)
		return (yaml_error(d, n, e, "%s: one of env, file, command, "
		    "credential is expected", v->opt->path));
	text = must_sprintf("%s:%s", n->keys[0]->text, n->values[0]->text);
	rc = set_value(v, text, CONF_FILE, n->line, e);
	free(text);
	return (rc);
}

static int
load_list(const struct yaml_doc *d, struct conf_value *v,
    const struct yaml_node *n, struct err *e)
{
	struct buf b;
	size_t i;
	int rc = 0;

	if (n->kind != YAML_LIST)
		return (yaml_error(d, n, e, "%s: a list is expected, such as "
		    "[a, b]", v->opt->path));
	buf_init(&b, 1 << 20);
	for (i = 0; i < n->n && rc == 0; i++) {
		if (n->values[i]->kind != YAML_SCALAR)
			rc = yaml_error(d, n->values[i], e, "%s: a word is "
			    "expected", v->opt->path);
		else
			buf_printf(&b, "%s%s", i > 0 ? "\n" : "",
			    n->values[i]->text);
	}
	if (rc == 0)
		rc = set_value(v, buf_str(&b), CONF_FILE, n->line, e);
	buf_fini(&b);
	return (rc);
}

static int
load_value(const struct yaml_doc *d, struct conf_value *v,
    const struct yaml_node *n, struct err *e)
{

	if (v->opt->type == CONF_SECRET)
		return (load_secret(d, v, n, e));
	if (v->opt->type == CONF_LIST)
		return (load_list(d, v, n, e));
	if (n->kind != YAML_SCALAR)
		return (yaml_error(d, n, e, "%s: one value is expected",
		    v->opt->path));
	if (n->plain && n->text[0] == '\0')
		return (0);			/* left empty: the default */
	if (set_value(v, n->text, CONF_FILE, n->line, e) != 0)
		return (at(d, n, e));
	return (0);
}

/* Keys valid below `prefix` ("" or "source." ...), for the message. */
static int
unknown_key(const struct conf *c, const struct yaml_doc *d,
    const char *prefix, const struct yaml_node *key, struct err *e)
{
	const char *words[128], *near, *p, *dot;
	struct buf text;
	size_t i, j, n = 0, len = strlen(prefix);
	char *own[128];
	int rc;

	for (i = 0; i < c->n && n < 128; i++) {
		p = c->v[i].opt->path;
		if (strncmp(p, prefix, len) != 0)
			continue;
		dot = strchr(p + len, '.');
		own[n] = dot != NULL ? must_strndup(p + len,
		    (size_t)(dot - p) - len) : must_strdup(p + len);
		words[n] = own[n];
		n++;
	}
	near = text_nearest(key->text, words, n);
	buf_init(&text, 4096);
	buf_puts(&text, "unknown key \"");
	text_escape(&text, key->text, strlen(key->text), 80);
	buf_puts(&text, "\"");
	if (prefix[0] != '\0')
		buf_printf(&text, " in %.*s", (int)len - 1, prefix);
	if (near != NULL)
		buf_printf(&text, "; did you mean \"%s\"?", near);
	rc = yaml_error(d, key, e, "%s", buf_str(&text));
	buf_fini(&text);
	for (j = 0; j < n; j++)
		free(own[j]);
	return (rc);
}

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

static int
load_map(struct conf *c, const struct yaml_doc *d, const char *prefix,
    const struct yaml_node *map, struct err *e)
{
	const struct yaml_node *n;
	char *path, *below;
	size_t i, k;
	int rc = 0;

	if (map->kind != YAML_MAP)
		return (yaml_error(d, map, e, "key: value lines are expected "
		    "here"));
	for (i = 0; i < map->n && rc == 0; i++) {
		n = map->values[i];
		path = must_sprintf("%s%s", prefix, map->keys[i]->text);
		if ((k = index_of(c, path)) != SIZE_MAX) {
			rc = load_value(d, &c->v[k], n, e);
		} else if (is_section(c, path)) {
			below = must_sprintf("%s.", path);
			if (n->kind != YAML_SCALAR || n->text[0] != '\0')
				rc = load_map(c, d, below, n, e);
			free(below);
		} else {
			rc = unknown_key(c, d, prefix, map->keys[i], e);
		}
		free(path);
	}
	return (rc);
}

/* --- the environment ----------------------------------------------------- */

static void
env_name(const char *path, char *out, size_t size)
{
	size_t n = 7;

	(void)snprintf(out, size, "GARNER_");
	for (; *path != '\0' && n + 1 < size; path++)
		out[n++] = *path == '.' ? '_' : (char)toupper(
		    (unsigned char)*path);
	out[n] = '\0';
}

static bool
env_ignored(const char *s)
{

	return (strncmp(s, "GARNER_CONFIG=", 14) == 0 ||
	    strncmp(s, "GARNER_DEMO_", 12) == 0 ||
	    strncmp(s, "GARNER_TEST_", 12) == 0 ||
	    strncmp(s, "GARNER_BENCH_", 13) == 0 ||
	    strncmp(s, "GARNER_BUILDDIR=", 16) == 0 ||
	    strncmp(s, "GARNER_SRCDIR=", 14) == 0);
}

static int
load_env_one(struct conf *c, const char *entry, struct err *e)
{
	char names[128][64];
	const char *words[128], *near, *eq = strchr(entry, '=');
	size_t i, n = (size_t)(eq - entry);
	char *word;
	int rc;

	for (i = 0; i < c->n && i < 128; i++) {
		env_name(c->v[i].opt->path, names[i], sizeof(names[i]));
		words[i] = names[i];
		if (strlen(names[i]) == n && memcmp(names[i], entry, n) == 0) {
			if (c->v[i].opt->type == CONF_SECRET)
				return (err_set(e, ERR_CONFIG, "%s: a secret "
				    "is not taken from there; see %s in "
				    "garner.yaml(5)", names[i],
				    c->v[i].opt->path));
			rc = set_value(&c->v[i], eq + 1, CONF_ENV, 0, e);
			return (rc == 0 ? 0 : err_wrap(e, "environment"));
		}
	}
	word = must_strndup(entry, n);
	near = text_nearest(word, words, i);
	if (near != NULL)
		rc = err_set(e, ERR_CONFIG, "environment: unknown setting "
		    "%.80s; did you mean %s?", word, near);
	else
		rc = err_set(e, ERR_CONFIG, "environment: unknown setting "
		    "%.80s", word);
	free(word);
	return (rc);
}

static int
load_env(struct conf *c, struct err *e)
{
	char **p;
	int rc = 0;

	for (p = environ; *p != NULL && rc == 0; p++)
		if (strncmp(*p, "GARNER_", 7) == 0 && !env_ignored(*p) &&
		    strchr(*p, '=') != NULL)
			rc = load_env_one(c, *p, e);
	return (rc);
}

/* --- paths --------------------------------------------------------------- */

/* Relative paths are meant from the folder of the file. */
static void
anchor_paths(struct conf *c)
{
	const char *slash = strrchr(c->file, '/');
	struct conf_value *v;
	char *text;
	size_t i;

	for (i = 0; i < c->n; i++) {
		v = &c->v[i];
		if (v->opt->type != CONF_PATH || !v->set ||
		    v->text[0] == '/' || v->text[0] == '\0' ||
		    v->origin == CONF_ENV || slash == NULL)
			continue;
		text = v->text;
		v->text = must_sprintf("%.*s/%s", (int)(slash - c->file),
		    c->file, strncmp(text, "./", 2) == 0 ? text + 2 : text);
		free(text);
	}
}

int
conf_find(const char *explicit_path, char **path, struct err *e)
{
	const char *env = getenv("GARNER_CONFIG");
	const char *xdg = getenv("XDG_CONFIG_HOME");
	const char *home = getenv("HOME");
	char *user;

	*path = NULL;
	if (explicit_path == NULL && env != NULL && env[0] != '\0')
		explicit_path = env;
	if (explicit_path != NULL) {
		*path = must_strdup(explicit_path);
		return (0);
	}
	if (xdg != NULL && xdg[0] == '/')
		user = must_sprintf("%s/garner/garner.yaml", xdg);
	else
		user = must_sprintf("%s/.config/garner/garner.yaml",
		    home != NULL ? home : "");
	if (sys_exists(sys_posix(), "garner.yaml"))
		*path = must_strdup("garner.yaml");
	else if (sys_exists(sys_posix(), user))
		*path = must_strdup(user);
	else if (sys_exists(sys_posix(), SYSCONFDIR "/garner/garner.yaml"))
		*path = must_strdup(SYSCONFDIR "/garner/garner.yaml");
	else if (sys_exists(sys_posix(), "/etc/garner/garner.yaml"))
		*path = must_strdup("/etc/garner/garner.yaml");
	else
		(void)err_set(e, ERR_CONFIG, "no garner.yaml here, in %s or "
		    "/etc/garner; make one with: garner init URL", user);
	free(user);
	return (*path != NULL ? 0 : ERR_CONFIG);
}

int
conf_load(const char *path, struct conf **out, struct err *e)
{
	const struct conf_option *o;
	struct yaml_doc *d = NULL;
	struct conf *c;
	size_t i;
	int rc;

	*out = NULL;
	c = must_calloc(1, sizeof(*c));
	c->file = must_strdup(path);
	o = conf_options(&c->n);
	c->v = must_calloc(c->n, sizeof(c->v[0]));
	for (i = 0; i < c->n; i++) {
		c->v[i].opt = &o[i];
		if (o[i].deflt != NULL)
			MUST(set_value(&c->v[i], o[i].deflt, CONF_DEFAULT, 0,
			    NULL) == 0);
	}
	rc = yaml_load(path, &d, e);
	if (rc == ERR_NOTFOUND)
		rc = err_set(e, ERR_CONFIG, "there is no %s; make one with: "
		    "garner init URL", path);
	if (rc == 0 && d->root != NULL)
		rc = load_map(c, d, "", d->root, e);
	yaml_doc_free(d);
	if (rc == 0)
		rc = load_env(c, e);
	if (rc == 0 && conf_text(c, "source.url") == NULL)
		rc = err_set(e, ERR_CONFIG, "%s: source.url is missing", path);
	if (rc != 0) {
		conf_free(c);
		return (e != NULL ? (e->code = ERR_CONFIG) : ERR_CONFIG);
	}
	anchor_paths(c);
	*out = c;
	return (0);
}

void
conf_free(struct conf *c)
{
	size_t i;

	if (c == NULL)
		return;
	for (i = 0; i < c->n; i++) {
		free(c->v[i].text);
		free(c->v[i].items);
		free(c->v[i].items_text);
	}
	free(c->v);
	free(c->file);
	free(c);
}

int
conf_set(struct conf *c, const char *path, const char *text, struct err *e)
{
	size_t i = index_of(c, path);

	MUST(i != SIZE_MAX);
	return (set_value(&c->v[i], text, CONF_FLAG, 0, e));
}

/* --- reading ------------------------------------------------------------- */

const char *
conf_file(const struct conf *c)
{

	return (c->file);
}

const struct conf_value *
conf_get(const struct conf *c, const char *path)
{
	size_t i = index_of(c, path);

	MUST(i != SIZE_MAX);
	return (&c->v[i]);
}

const char *
conf_text(const struct conf *c, const char *path)
{

	return (conf_get(c, path)->text);
}

int64_t
conf_num(const struct conf *c, const char *path)
{

	return (conf_get(c, path)->num);
}

double
conf_real(const struct conf *c, const char *path)
{

	return (conf_get(c, path)->real);
}

bool
conf_bool(const struct conf *c, const char *path)
{

	return (conf_get(c, path)->num != 0);
}

const char *const *
conf_list(const struct conf *c, const char *path, size_t *n)
{
	struct conf_value *v = &c->v[index_of(c, path)];
	char *p, *save = NULL;
	size_t k = 0;

	MUST(v->opt->type == CONF_LIST);
	free(v->items);
	free(v->items_text);
	v->items_text = must_strdup(v->text != NULL ? v->text : "");
	v->items = must_calloc(strlen(v->items_text) + 2,
	    sizeof(v->items[0]));
	for (p = strtok_r(v->items_text, "\n", &save); p != NULL;
	    p = strtok_r(NULL, "\n", &save))
		v->items[k++] = p;
	*n = k;
	return (v->items);
}
