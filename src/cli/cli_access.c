/*
 * From the configuration to what fetch needs for access: how requests are
 * authorized, where the secret is, TLS and the proxy. The secret itself is
 * read by fetch when it is needed; others are read here and wiped at the end.
 *
 * A program that holds secrets writes no core.
 */

#include "config.h"

#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/msg.h"
#include "base/must.h"
#include "base/text.h"
#include "cli/cli.h"
#include "conf/conf.h"
#include "fetch/fetch.h"

struct app_secrets {
	const struct conf *conf;
	const char *path;		/* of the one that fetch reads */
	char *key_password;
	char *proxy_password;
};

/* The words of source.auth.type, in their order there. */
static const struct {
	enum fetch_auth_kind kind;
	const char *secret, *what;
} kinds[] = {
	{ FETCH_AUTH_NONE, NULL, NULL },
	{ FETCH_AUTH_BASIC, "source.auth.password", "password" },
	{ FETCH_AUTH_BEARER, "source.auth.token", "token" },
	{ FETCH_AUTH_NEGOTIATE, NULL, NULL },
	{ FETCH_AUTH_OAUTH2, "source.auth.client_secret", "secret" },
};

/* On a worker: the configuration does not change any more. */
static int
get_secret(void *cookie, char **value, struct err *e)
{
	const struct app_secrets *s = cookie;

	return (conf_secret(s->conf, s->path, value, e));
}

/* A secret that may be left out. */
static int
read_if_set(const struct conf *c, const char *path, char **value,
    struct err *e)
{

	return (conf_get(c, path)->set ? conf_secret(c, path, value, e) : 0);
}

/* Passwords, tokens, keys and tickets: anything that a core would tell. */
static bool
has_secret(const struct conf *c)
{

	return (conf_num(c, "source.auth.type") != FETCH_AUTH_NONE ||
	    conf_get(c, "source.tls.cert")->set ||
	    conf_get(c, "source.proxy_password")->set ||
	    getenv("http_proxy") != NULL || getenv("https_proxy") != NULL ||
	    getenv("HTTPS_PROXY") != NULL || getenv("all_proxy") != NULL ||
	    getenv("ALL_PROXY") != NULL);
}

/* Before the first is read. */
static void
write_no_core(const struct conf *c)
{

	if (has_secret(c))
		(void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
}

/* --- for people ---------------------------------------------------------- */

static void
put_secret(const struct conf *c, const char *path, const char *what,
    struct buf *out)
{
	const char *ref = conf_text(c, path);

	if (ref != NULL)
		buf_printf(out, ", %s by %.*s", what, (int)strcspn(ref, ":"),
		    ref);
}

static void
put_kind(const struct conf *c, enum fetch_auth_kind kind, struct buf *out)
{
	const char *user = conf_text(c, "source.auth.user");

	switch (kind) {
	case FETCH_AUTH_NONE:
		buf_puts(out, "no credentials");
		break;
	case FETCH_AUTH_BASIC:
		buf_puts(out, "basic as ");
		text_escape(out, user, strlen(user), 100);
		break;
	case FETCH_AUTH_BEARER:
		buf_puts(out, "bearer");
		break;
	case FETCH_AUTH_NEGOTIATE:
		buf_puts(out, "negotiate with this user's Kerberos ticket");
		break;
	case FETCH_AUTH_OAUTH2:
		user = conf_text(c, "source.auth.client_id");
		buf_puts(out, "oauth2 as ");
		text_escape(out, user, strlen(user), 100);
		buf_printf(out, " at %s", conf_text(c,
		    "source.auth.token_url"));
		break;
	}
}

void
app_access_text(const struct app *app, struct buf *out)
{
	const struct conf *c = app->conf;
	size_t i = (size_t)conf_num(c, "source.auth.type");

	put_kind(c, kinds[i].kind, out);
	if (kinds[i].secret != NULL)
		put_secret(c, kinds[i].secret, kinds[i].what, out);
	if (conf_get(c, "source.tls.cert")->set)
		buf_puts(out, ", with a client certificate");
	if (!conf_bool(c, "source.tls.verify"))
		buf_puts(out, ", the server's is not verified");
	if (conf_get(c, "source.proxy")->set)
		buf_printf(out, ", by the proxy %s", conf_text(c,
		    "source.proxy"));
}

int
app_access_check(const struct app *app, struct err *e)
{
	const struct conf *c = app->conf;
	const char *const paths[] = {
		kinds[conf_num(c, "source.auth.type")].secret,
		"source.tls.key_password", "source.proxy_password",
	};
	char *value;
	size_t i;
	int rc = 0;

	write_no_core(c);
	for (i = 0; i < 3 && rc == 0; i++) {
		value = NULL;
		if (paths[i] != NULL)
			rc = read_if_set(c, paths[i], &value, e);
		conf_secret_free(value);
	}
	return (rc);
}

/* --- for fetch ----------------------------------------------------------- */

int
app_access(struct app *app, struct fetch_options *f, struct err *e)
{
	const struct conf *c = app->conf;
	struct app_secrets *s;
	size_t i = (size_t)conf_num(c, "source.auth.type");
	int rc;

	MUST(i < sizeof(kinds) / sizeof(kinds[0]));
	write_no_core(c);
	s = app->secrets = must_calloc(1, sizeof(*s));
	s->conf = c;
	s->path = kinds[i].secret;
	f->auth = kinds[i].kind;
	f->user = conf_text(c, "source.auth.user");
	f->secrets.cookie = s;
	f->secrets.get = s->path != NULL ? get_secret : NULL;
	f->token_url = conf_text(c, "source.auth.token_url");
	f->client_id = conf_text(c, "source.auth.client_id");
	f->client_in_body = strcmp(conf_text(c, "source.auth.client_auth"),
	    "post") == 0;
	f->scope = conf_text(c, "source.auth.scope");
	f->audience = conf_text(c, "source.auth.audience");
	f->plain_http_auth = conf_bool(c, "source.auth.plain_http");
	f->ca_file = conf_text(c, "source.tls.ca");
	f->cert_file = conf_text(c, "source.tls.cert");
	f->key_file = conf_text(c, "source.tls.key");
	f->tls_unverified = !conf_bool(c, "source.tls.verify");
	f->proxy = conf_text(c, "source.proxy");
	f->proxy_user = conf_text(c, "source.proxy_user");
	if ((rc = read_if_set(c, "source.tls.key_password",
	    &s->key_password, e)) == 0)
		rc = read_if_set(c, "source.proxy_password",
		    &s->proxy_password, e);
	f->key_password = s->key_password;
	f->proxy_password = s->proxy_password;
	if (f->tls_unverified)
		msg_warn(app->cli->command, "source.tls.verify is false: "
		    "whoever answers for the server is believed");
	return (rc);
}

/* Why GSSAPI had nothing to send, libcurl tells nobody; and IIS says the same
 * of a wrong password and of a kind of access that is off. */
void
app_access_hint(const struct app *app, struct err *e)
{
	static const char *const hints[] = {
		[FETCH_AUTH_NONE] = "no credentials were sent, see "
		    "source.auth of garner.yaml(5)",
		[FETCH_AUTH_BASIC] = "are source.auth.user and its password "
		    "right, and does the server take Basic?",
		[FETCH_AUTH_BEARER] = "is source.auth.token still good?",
		[FETCH_AUTH_NEGOTIATE] = "is there a Kerberos ticket (klist) "
		    "that the server takes?",
		[FETCH_AUTH_OAUTH2] = "is the client of source.auth right, "
		    "and does the server take its tokens?",
	};
	struct err was = *e;
	struct buf who;
	size_t i, len;

	if (e->code != ERR_AUTH || app->conf == NULL)
		return;
	i = (size_t)conf_num(app->conf, "source.auth.type");
	if (kinds[i].kind != FETCH_AUTH_NEGOTIATE &&
	    strstr(was.text, ": 401 ") == NULL)
		return;		/* a proxy, or told already */
	len = strlen(was.text);		/* a server's words may end in a stop */
	(void)err_set(e, was.code, "%.*s; %s",
	    (int)(len > 0 && was.text[len - 1] == '.' ? len - 1 : len),
	    was.text, hints[kinds[i].kind]);
	if (strcmp(app->cli->command, "check") == 0)
		return;		/* says so itself */
	was = *e;
	buf_init(&who, 4096);
	app_access_text(app, &who);
	(void)err_set(e, was.code, "%s (sent: %s; to try: garner check)",
	    was.text, buf_str(&who));
	buf_fini(&who);
}

void
app_access_free(struct app *app)
{

	if (app->secrets == NULL)
		return;
	conf_secret_free(app->secrets->key_password);
	conf_secret_free(app->secrets->proxy_password);
	free(app->secrets);
	app->secrets = NULL;
}
