/*
 * The command line: finds the command, parses its options by its table,
 * runs it. Usage errors are one line on stderr with a suggestion, exit 64;
 * --help is on stdout, exit 0.
 */

#include "config.h"

#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <curl/curlver.h>
#include <yyjson.h>
#include <zstd.h>

#include "base/err.h"
#include "base/msg.h"
#include "base/must.h"
#include "base/text.h"
#include "cli/cli.h"

const struct cli_command *const cli_commands[] = {
	&cmd_init,
	&cmd_check,
	&cmd_discover,
	&cmd_harvest,
	&cmd_compact,
	&cmd_cat,
	&cmd_status,
	&cmd_gaps,
	&cmd_explain,
	&cmd_quarantine,
	&cmd_verify,
	&cmd_repair,
	&cmd_config,
	NULL,
};

const struct cli_option cli_common[] = {
	{ "config", 'c', "FILE", "configuration file" },
	{ "json", 'j', NULL, "results as JSON on standard output" },
	{ "quiet", 'q', NULL, "no progress, only warnings and errors" },
	{ "help", 'h', NULL, "show this help" },
	{ NULL, 0, NULL, NULL },
};

/* Without a command only. */
static const struct cli_option alone[] = {
	{ "version", 'V', NULL, "versions of garner and its libraries" },
	{ NULL, 0, NULL, NULL },
};

/* --- help ---------------------------------------------------------------- */

static void
print_options(const struct cli_option *o)
{
	char left[64];

	for (; o->name != NULL; o++) {
		(void)snprintf(left, sizeof(left), "--%s%s%s", o->name,
		    o->arg != NULL ? " " : "", o->arg != NULL ? o->arg : "");
		if (o->letter != 0)
			printf("  -%c, %-22s %s\n", o->letter, left, o->help);
		else
			printf("      %-22s %s\n", left, o->help);
	}
}

static void
print_help(void)
{
	const struct cli_command *const *c;

	printf("usage: garner [-c FILE] COMMAND [OPTIONS]\n\n"
	    "Gathers data from an HTTP source, first of all a PI Web API "
	    "server, and leaves\nDelta tables behind that any lakehouse "
	    "reader opens.\n\nCommands, in the order of a first use:\n");
	for (c = cli_commands; *c != NULL; c++)
		printf("  %-10s %s\n", (*c)->name, (*c)->summary);
	printf("\nOptions of every command:\n");
	print_options(cli_common);
	printf("\nWithout a command:\n");
	print_options(alone);
	printf("\n'garner COMMAND --help' and the manual pages (man garner) "
	    "tell more.\n");
}

static void
print_command_help(const struct cli_command *c)
{

	printf("usage: garner %s [OPTIONS]%s%s\n\n%s.\n", c->name,
	    c->operands[0] != '\0' ? " " : "", c->operands, c->summary);
	if (c->options[0].name != NULL) {
		printf("\nOptions:\n");
		print_options(c->options);
	}
	printf("\nOptions of every command:\n");
	print_options(cli_common);
}

static void
print_version(void)
{

	printf("garner %s\nlibcurl %s, yyjson %s, zstd %s\n", PACKAGE_VERSION,
	    LIBCURL_VERSION, YYJSON_VERSION_STRING, ZSTD_VERSION_STRING);
}

/* --- parsing ------------------------------------------------------------- */

static const struct cli_command *
find_command(const char *name)
{
	const struct cli_command *const *c;

	for (c = cli_commands; *c != NULL; c++)
		if (strcmp((*c)->name, name) == 0)
			return (*c);
	return (NULL);
}

static int
unknown_command(const char *name)
{
	const char *names[32], *near;
	size_t n;

	for (n = 0; cli_commands[n] != NULL; n++)
		names[n] = cli_commands[n]->name;
	near = text_nearest(name, names, n);
	if (near != NULL)
		msg_error("usage", "unknown command \"%s\"; did you mean "
		    "\"%s\"?", name, near);
	else
		msg_error("usage", "unknown command \"%s\"; see garner "
		    "--help", name);
	return (err_exit_status(ERR_USAGE));
}

/* For getopt: a row with a letter is that letter, another 256 + row; `own`
 * are those of the command. The letters begin with two that are of getopt:
 * stop at the first operand, if need be, and tell a missing argument. */
static void
build_options(const struct cli_option *own, struct option *lo, char *letters)
{
	const struct cli_option *o;
	size_t n = 0, k = strlen(letters);
	int i = 0;
	bool common = false;

	for (o = own; o->name != NULL || !common; o++) {
		if (o->name == NULL) {
			o = cli_common;
			common = true;
		}
		MUST(n < 2 * CLI_OPTIONS_MAX);
		lo[n++] = (struct option){ o->name,
		    o->arg != NULL ? required_argument : no_argument, NULL,
		    o->letter != 0 ? o->letter : 256 + i++ };
		if (o->letter == 0)
			continue;
		letters[k++] = o->letter;
		if (o->arg != NULL)
			letters[k++] = ':';
	}
	lo[n] = (struct option){ NULL, 0, NULL, 0 };
	letters[k] = '\0';
}

/* What getopt did not take; c is NULL before the command. */
static int
bad_option(const struct cli_command *c, char **argv, const char *letters,
    int ch)
{
	const char *names[2 * CLI_OPTIONS_MAX], *near = NULL;
	const char *word = argv[optind - 1];
	const struct cli_option *o;
	char what[64] = "", help[64] = "garner --help", letter[3] = "-";
	size_t n = 0;

	if (c != NULL) {
		(void)snprintf(what, sizeof(what), "%s: ", c->name);
		(void)snprintf(help, sizeof(help), "garner %s --help",
		    c->name);
	}
	if (ch == ':') {
		msg_error("usage", "%soption %s needs an argument", what,
		    word);
		return (err_exit_status(ERR_USAGE));
	}
	if (optopt > 0 && optopt < 256 && strchr(letters, optopt) == NULL) {
		letter[1] = (char)optopt;	/* maybe one of -qx */
		word = letter;
	} else if (optopt != 0) {
		msg_error("usage", "%soption %.*s takes no argument", what,
		    (int)strcspn(word, "="), word);
		return (err_exit_status(ERR_USAGE));
	} else {
		o = c != NULL ? c->options : alone;
		for (; o->name != NULL; o++)
			names[n++] = o->name;
		for (o = cli_common; o->name != NULL; o++)
			names[n++] = o->name;
		near = text_nearest(word + strspn(word, "-"), names, n);
	}
	if (near != NULL)
		msg_error("usage", "%sunknown option %s; did you mean --%s?",
		    what, word, near);
	else
		msg_error("usage", "%sunknown option %s; see %s", what, word,
		    help);
	return (err_exit_status(ERR_USAGE));
}

static int
bad_operands(const struct cli *cli, const struct cli_command *c)
{
	const char *gap = c->operands[0] != '\0' ? " " : "";

	if (cli->argc < c->operands_min)
		msg_error("usage", "%s: %s is missing; usage: garner %s "
		    "[OPTIONS]%s%s", c->name, c->operands, c->name, gap,
		    c->operands);
	else
		msg_error("usage", "%s: unexpected \"%s\"; usage: garner %s "
		    "[OPTIONS]%s%s", c->name, cli->argv[c->operands_max],
		    c->name, gap, c->operands);
	return (err_exit_status(ERR_USAGE));
}

/* One that may stand before the command as well. */
static void
take_common(struct cli *cli, int letter)
{

	if (letter == 'c')
		cli->config = optarg;
	cli->json = cli->json || letter == 'j';
	cli->quiet = cli->quiet || letter == 'q';
}

/* 0 to go on, 1 when help was printed, or a negative exit status. */
static int
parse(struct cli *cli, const struct cli_command *c, int argc, char **argv)
{
	struct option lo[2 * CLI_OPTIONS_MAX + 1];
	char letters[32] = ":";
	int ch;

	build_options(c->options, lo, letters);
	opterr = 0;
	optind = 0;
	while ((ch = getopt_long(argc, argv, letters, lo, NULL)) != -1) {
		switch (ch) {
		case 'c':
		case 'j':
		case 'q':
			take_common(cli, ch);
			break;
		case 'h':
			print_command_help(c);
			return (1);
		case '?':
		case ':':
			return (-bad_option(c, argv, letters, ch));
		default:
			cli->value[ch - 256] = optarg != NULL ? optarg : "";
			break;
		}
	}
	cli->argc = argc - optind;
	cli->argv = argv + optind;
	if (cli->argc < c->operands_min || cli->argc > c->operands_max)
		return (-bad_operands(cli, c));
	return (0);
}

/* Options before the command: the common ones, and --version. */
static int
parse_global(struct cli *cli, int argc, char **argv, int *at)
{
	struct option lo[2 * CLI_OPTIONS_MAX + 1];
	char letters[32] = "+:";
	int ch;

	build_options(alone, lo, letters);
	opterr = 0;
	optind = 0;
	while ((ch = getopt_long(argc, argv, letters, lo, NULL)) != -1) {
		switch (ch) {
		case 'c':
		case 'j':
		case 'q':
			take_common(cli, ch);
			break;
		case 'h':
			print_help();
			return (1);
		case 'V':
			print_version();
			return (1);
		default:
			return (-bad_option(NULL, argv, letters, ch));
		}
	}
	*at = optind;
	return (0);
}

const char *
cli_get(const struct cli *cli, const char *name)
{
	size_t i;

	for (i = 0; cli->options[i].name != NULL; i++)
		if (strcmp(cli->options[i].name, name) == 0)
			return (cli->value[i]);
	must_fail("an option of the command", name, 0);
}

int
cli_fail(const struct cli *cli, const struct err *e)
{

	msg_error(cli->command, "%s", e->text);
	return (err_exit_status(e->code));
}

int
cli_flush(const struct cli *cli, int status)
{

	if (fflush(stdout) == 0 && !ferror(stdout))
		return (status);
	if (errno == EPIPE)
		return (status);
	msg_error(cli->command, "cannot write to standard output: %s",
	    strerror(errno));
	return (err_exit_status(ERR_IO));
}

int
cli_main(int argc, char **argv)
{
	struct cli cli;
	const struct cli_command *c;
	int at = 1, rc;

	memset(&cli, 0, sizeof(cli));
	msg_setup("garner", MSG_INFO, MSG_TEXT);
	(void)signal(SIGPIPE, SIG_IGN);
	if ((rc = parse_global(&cli, argc, argv, &at)) != 0)
		return (rc > 0 ? cli_flush(&cli, 0) : -rc);
	if (at >= argc) {
		print_help();
		return (cli_flush(&cli, err_exit_status(ERR_USAGE)));
	}
	if ((c = find_command(argv[at])) == NULL)
		return (unknown_command(argv[at]));
	cli.command = c->name;
	cli.options = c->options;
	if ((rc = parse(&cli, c, argc - at, argv + at)) != 0)
		return (rc > 0 ? cli_flush(&cli, 0) : -rc);
	return (cli_flush(&cli, c->run(&cli)));
}
