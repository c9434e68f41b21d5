/*
 * garner config: every effective value and where it came from. Secrets are
 * shown as what they refer to.
 */

#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/err.h"
#include "cli/cli.h"
#include "codec/json.h"
#include "conf/conf.h"
#include "source/source.h"

static const struct cli_option options[] = {
	{ "path", 0, NULL, "only the name of the file in use" },
	{ NULL, 0, NULL, NULL },
};

static void
origin_text(const struct app *app, const struct conf_value *v,
    struct buf *out)
{

	switch (v->origin) {
	case CONF_DEFAULT:
		buf_puts(out, "default");
		break;
	case CONF_FILE:
		buf_printf(out, "%s:%d", conf_file(app->conf), v->line);
		break;
	case CONF_ENV:
		buf_puts(out, "environment");
		break;
	case CONF_FLAG:
		buf_puts(out, "command line");
		break;
	}
}

/* Lists are joined by newlines inside. */
static const char *
value_text(const struct conf_value *v, struct buf *tmp)
{
	const char *p;

	buf_clear(tmp);
	for (p = v->text != NULL ? v->text : ""; *p != '\0'; p++)
		buf_u8(tmp, *p == '\n' ? ',' : (uint8_t)*p);
	return (buf_str(tmp));
}

static void
print_values(const struct app *app)
{
	const struct conf_option *o;
	const struct conf_value *v;
	struct buf out, tmp;
	const char *text;
	size_t i, n;

	buf_init(&out, 1 << 20);
	buf_init(&tmp, 1 << 16);
	o = conf_options(&n);
	if (app->cli->json)
		buf_puts(&out, "{\"options\":[");
	for (i = 0; i < n; i++) {
		v = conf_get(app->conf, o[i].path);
		text = value_text(v, &tmp);
		if (app->cli->json) {
			buf_printf(&out, "%s{\"option\":\"%s\",\"value\":",
			    i > 0 ? "," : "", o[i].path);
			if (v->set)
				json_put_str(&out, text, strlen(text));
			else
				buf_puts(&out, "null");
			buf_puts(&out, ",\"origin\":");
			buf_clear(&tmp);
			origin_text(app, v, &tmp);
			json_put_str(&out, buf_str(&tmp), tmp.len);
			buf_puts(&out, "}");
		} else if (v->set) {
			buf_printf(&out, "%-26s %-28s # ", o[i].path,
			    text[0] != '\0' ? text : "\"\"");
			origin_text(app, v, &out);
			buf_puts(&out, "\n");
		}
	}
	if (app->cli->json) {
		buf_puts(&out, "],\"tables\":[");
		for (i = 0; i < source_tables(app->source); i++)
			buf_printf(&out, "%s\"%s\"", i > 0 ? "," : "",
			    source_table_at(app->source, i)->name);
		buf_puts(&out, "]}\n");
	}
	fputs(buf_str(&out), stdout);
	buf_fini(&out);
	buf_fini(&tmp);
}

static void
print_path(const struct app *app)
{
	const char *path = conf_file(app->conf);
	struct buf out;

	if (!app->cli->json) {
		printf("%s\n", path);
		return;
	}
	buf_init(&out, 1 << 16);
	buf_puts(&out, "{\"file\":");
	json_put_str(&out, path, strlen(path));
	printf("%s}\n", buf_str(&out));
	buf_fini(&out);
}

static int
run(struct cli *cli)
{
	struct err e = ERR_INIT;
	struct app app;
	int status = 0;

	if (app_open(&app, cli, APP_CONF, &e) != 0)
		status = cli_fail(cli, &e);
	else if (cli_get(cli, "path") != NULL)
		print_path(&app);
	else
		print_values(&app);
	app_close(&app);
	return (status);
}

const struct cli_command cmd_config = {
	.name = "config",
	.operands = "",
	.summary = "Show the effective configuration and its origins",
	.options = options,
	.run = run,
};
