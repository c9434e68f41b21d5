/*
 * The effective configuration: defaults, then the file, then the
 * environment, each value checked by its row of the table; at last what
 * must fit together. Loading is whole or an error; afterwards nothing
 * changes but by conf_set().
 */

#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "base/must.h"
#include "conf/conf.h"
#include "conf/conf_int.h"
#include "conf/yaml.h"
#include "sys/sys.h"

/* --- which file ---------------------------------------------------------- */

/* Below $XDG_CONFIG_HOME or ~/.config; NULL when there is no home. */
static char *
user_file(void)
{
	const char *xdg = getenv("XDG_CONFIG_HOME");
	const char *home = getenv("HOME");

	if (xdg != NULL && xdg[0] == '/')
		return (must_sprintf("%s/garner/garner.yaml", xdg));
	if (home != NULL && home[0] == '/')
		return (must_sprintf("%s/.config/garner/garner.yaml", home));
	return (NULL);
}

char *
conf_path(const char *path)
{
	char *file = must_sprintf("%s/garner.yaml", path);
	char *folder = must_sprintf("%s/.", path);	/* of no file */
	bool is = sys_exists(sys_posix(), folder);

	free(folder);
	if (is)
		return (file);
	free(file);
	return (must_strdup(path));
}

int
conf_find(const char *explicit_path, char **path, struct err *e)
{
	const char *env = getenv("GARNER_CONFIG");
	char *user = user_file();
	const char *const places[] = { "garner.yaml", user,
	    SYSCONFDIR "/garner/garner.yaml", "/etc/garner/garner.yaml" };
	size_t i;

	*path = NULL;
	if (explicit_path == NULL && env != NULL && env[0] != '\0')
		explicit_path = env;
	if (explicit_path != NULL)
		*path = conf_path(explicit_path);
	for (i = 0; *path == NULL && i < 4; i++)
		if (places[i] != NULL && sys_exists(sys_posix(), places[i]))
			*path = must_strdup(places[i]);
	if (*path == NULL)
		(void)err_set(e, ERR_CONFIG, "there is no garner.yaml here, "
		    "nor %s%s%s or %s; make one with: garner init URL",
		    user != NULL ? user : "", user != NULL ? ", " : "",
		    places[2], places[3]);
	free(user);
	return (*path != NULL ? 0 : ERR_CONFIG);
}

/* --- load ---------------------------------------------------------------- */

/* A relative path, seen from the folder of the file; NULL: as it is. */
static char *
anchored(const struct conf *c, const char *path)
{
	const char *slash = strrchr(c->file, '/');

	if (slash == NULL || path[0] == '/' || path[0] == '\0')
		return (NULL);
	if (strncmp(path, "./", 2) == 0)
		path += 2;
	return (must_sprintf("%.*s/%s", (int)(slash - c->file), c->file,
	    path));
}

/* Paths of the environment are meant from the current folder. */
static void
anchor_paths(struct conf *c)
{
	struct conf_value *v;
	const char *kind;
	char *path, *text;
	size_t i;

	for (i = 0; i < c->n; i++) {
		v = &c->v[i];
		if (!v->set || v->origin == CONF_ENV)
			continue;
		if (v->opt->type == CONF_PATH)
			kind = "";
		else if (v->opt->type == CONF_SECRET &&
		    strncmp(v->text, "file:", 5) == 0)
			kind = "file:";
		else
			continue;
		if ((path = anchored(c, v->text + strlen(kind))) == NULL)
			continue;
		text = must_sprintf("%s%s", kind, path);
		free(path);
		free(v->text);
		v->text = text;
	}
}

static int
need(const struct conf *c, const char *path, const char *why, struct err *e)
{
	const struct conf_value *v = conf_get(c, path);

	if (v->set && v->text[0] != '\0')
		return (0);
	return (err_set(e, ERR_CONFIG, "%s: %s is missing%s", c->file, path,
	    why));
}

/* What must fit together. */
static int
check_whole(const struct conf *c, struct err *e)
{
	/* what each way to authenticate needs */
	static const struct { const char *type, *path; } needs[] = {
		{ "basic", "source.auth.user" },
		{ "basic", "source.auth.password" },
		{ "bearer", "source.auth.token" },
		{ "oauth2", "source.auth.token_url" },
		{ "oauth2", "source.auth.client_id" },
		{ "oauth2", "source.auth.client_secret" },
	};
	const char *type = conf_text(c, "source.auth.type");
	char why[64];
	size_t i;
	int rc;

	rc = need(c, "source.url", "", e);
	for (i = 0; i < sizeof(needs) / sizeof(needs[0]) && rc == 0; i++) {
		if (strcmp(type, needs[i].type) != 0)
			continue;
		(void)snprintf(why, sizeof(why), ", for source.auth.type: %s",
		    type);
		rc = need(c, needs[i].path, why, e);
	}
	if (rc == 0 && conf_get(c, "source.tls.key")->set)
		rc = need(c, "source.tls.cert", ", for source.tls.key", e);
	return (rc);
}

static struct conf *
conf_new(const char *path)
{
	const struct conf_option *o;
	struct conf *c = must_calloc(1, sizeof(*c));
	size_t i;

	c->file = must_strdup(path);
	o = conf_options(&c->n);
	c->v = must_calloc(c->n, sizeof(c->v[0]));
	for (i = 0; i < c->n; i++) {
		c->v[i].opt = &o[i];
		if (o[i].deflt != NULL)
			MUST(conf_value_set(&c->v[i], o[i].deflt,
			    CONF_DEFAULT, 0, NULL) == 0);
	}
	return (c);
}

int
conf_load(const char *path, struct conf **out, struct err *e)
{
	struct conf *c = conf_new(path);
	struct yaml_doc *d = NULL;
	int rc;

	*out = NULL;
	rc = yaml_load(path, &d, e);
	if (rc == ERR_NOTFOUND)
		rc = err_set(e, ERR_CONFIG, "there is no %s; make one with: "
		    "garner init URL", path);
	if (rc == 0)
		rc = conf_file_load(c, d, e);
	yaml_doc_free(d);
	if (rc == 0)
		rc = conf_env_load(c, environ, e);
	if (rc == 0)
		rc = check_whole(c, e);
	if (rc != 0) {
		conf_free(c);
		if (rc != ERR_NOMEM)
			rc = ERR_CONFIG;
		if (e != NULL)
			e->code = rc;
		return (rc);
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
	for (i = 0; i < c->n; i++)
		conf_value_fini(&c->v[i]);
	free(c->v);
	free(c->file);
	free(c);
}

int
conf_set(struct conf *c, const char *path, const char *text, struct err *e)
{
	size_t i = conf_index(c, path);

	MUST(i != SIZE_MAX);
	return (conf_value_set(&c->v[i], text, CONF_FLAG, 0, e));
}

int
conf_check(const char *path, const char *text, struct err *e)
{
	const struct conf_option *o;
	struct conf_value v;
	size_t n;
	int rc;

	memset(&v, 0, sizeof(v));
	for (o = conf_options(&n); n > 0; o++, n--)
		if (strcmp(o->path, path) == 0)
			v.opt = o;
	MUST(v.opt != NULL);
	rc = conf_value_set(&v, text, CONF_FLAG, 0, e);
	conf_value_fini(&v);
	return (rc);
}

/* --- reading ------------------------------------------------------------- */

size_t
conf_index(const struct conf *c, const char *path)
{
	size_t i;

	for (i = 0; i < c->n; i++)
		if (strcmp(c->v[i].opt->path, path) == 0)
			return (i);
	return (SIZE_MAX);
}

static struct conf_value *
value_of(const struct conf *c, const char *path)
{
	size_t i = conf_index(c, path);

	MUST(i != SIZE_MAX);
	return (&c->v[i]);
}

const char *
conf_file(const struct conf *c)
{

	return (c->file);
}

const struct conf_value *
conf_get(const struct conf *c, const char *path)
{

	return (value_of(c, path));
}

const char *
conf_text(const struct conf *c, const char *path)
{

	return (value_of(c, path)->text);
}

int64_t
conf_num(const struct conf *c, const char *path)
{

	return (value_of(c, path)->num);
}

double
conf_real(const struct conf *c, const char *path)
{

	return (value_of(c, path)->real);
}

bool
conf_bool(const struct conf *c, const char *path)
{

	return (value_of(c, path)->num != 0);
}

/* Made at the first call, so that earlier results stay good. */
static void
make_items(struct conf_value *v)
{
	char *p, *save = NULL;
	size_t k = 0;

	v->items_text = must_strdup(v->text != NULL ? v->text : "");
	v->items = must_calloc(strlen(v->items_text) / 2 + 2,
	    sizeof(v->items[0]));
	for (p = strtok_r(v->items_text, "\n", &save); p != NULL;
	    p = strtok_r(NULL, "\n", &save))
		v->items[k++] = p;
}

const char *const *
conf_list(const struct conf *c, const char *path, size_t *n)
{
	struct conf_value *v = value_of(c, path);

	MUST(v->opt->type == CONF_LIST);
	if (v->items == NULL)
		make_items(v);
	for (*n = 0; v->items[*n] != NULL; (*n)++)
		continue;
	return (v->items);
}
