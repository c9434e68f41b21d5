/*
 * garner init: writes a commented garner.yaml for a connector and URL. It
 * never replaces a file that is there.
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
#include "sys/sys.h"

static const struct cli_option options[] = {
	{ "connector", 0, "NAME", "kind of API (default: pi)" },
	{ NULL, 0, NULL, NULL },
};

static int
run(struct cli *cli)
{
	const char *connector = cli_get(cli, "connector");
	const char *url = cli->argv[0];
	struct err e = ERR_INIT;
	struct buf b;
	char *path;
	int rc;

	if (connector == NULL)
		connector = "pi";
	if (conf_check("source.url", url, &e) != 0 ||
	    conf_check("source.connector", connector, &e) != 0) {
		e.code = ERR_USAGE;
		return (cli_fail(cli, &e));
	}
	path = conf_path(cli->config != NULL ? cli->config : "garner.yaml");
	buf_init(&b, 1 << 20);
	conf_sample(connector, url, &b);
	rc = sys_write_file(sys_posix(), path, b.data, b.len, false, &e);
	buf_fini(&b);
	if (rc == ERR_EXISTS)
		(void)err_set(&e, ERR_EXISTS, "%s is there already; it is "
		    "left as it is", path);
	if (rc != 0) {
		free(path);
		return (cli_fail(cli, &e));
	}
	if (cli->json) {
		buf_init(&b, 1 << 16);
		buf_puts(&b, "{\"file\":");
		json_put_str(&b, path, strlen(path));
		buf_puts(&b, "}\n");
		fputs(buf_str(&b), stdout);
		buf_fini(&b);
	} else {
		printf("wrote %s\nnext: set source.auth in it, then garner "
		    "check, garner harvest, garner compact\n", path);
	}
	free(path);
	return (0);
}

const struct cli_command cmd_init = {
	.name = "init",
	.operands = "URL",
	.operands_min = 1,
	.operands_max = 1,
	.summary = "Write a commented garner.yaml for a server",
	.options = options,
	.run = run,
};
