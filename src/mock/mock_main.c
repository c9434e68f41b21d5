/*
 * garner-mock: the stand-in PI Web API server, and its truth.
 *
 * Prints one line when it listens, and ends at SIGINT or SIGTERM.
 */

#include "config.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/msg.h"
#include "loop/loop.h"
#include "mock/mock_dump.h"
#include "mock/mock_options.h"
#include "mock/mock_server.h"
#include "sys/sys.h"

static void
stop(void *cookie)
{
	loop_stop(cookie);
}

/* Who stops reading has what he wanted. */
static int
flush(struct err *e)
{
	if (fflush(stdout) == 0 || errno == EPIPE)
		return (0);
	return (err_sys(e, errno, "cannot write"));
}

static int
version(struct err *e)
{
	printf("garner-mock %s\n", PACKAGE_VERSION);
	return (flush(e));
}

static int
help(struct err *e)
{
	struct buf b;

	buf_init(&b, 1 << 16);
	mock_options_help(&b);
	fputs(buf_str(&b), stdout);
	buf_fini(&b);
	return (flush(e));
}

static int
serve(const struct mock_options *opt, struct err *e)
{
	struct loop *loop = loop_new(0);
	struct loop_signal *sigint = loop_signal_new(loop, SIGINT, stop, loop);
	struct loop_signal *sigterm = loop_signal_new(loop, SIGTERM, stop,
	    loop);
	struct mock_server *server = mock_server_new(loop, opt, e);
	int rc = server == NULL ? e->code : 0;

	if (server != NULL) {
		printf("garner-mock: listening on %s\n",
		    mock_server_url(server));
		if (fflush(stdout) != 0)
			rc = err_set(e, ERR_IO, "cannot write");
		else
			loop_run(loop);
	}
	mock_server_free(server);
	loop_signal_free(sigint);
	loop_signal_free(sigterm);
	loop_free(loop);
	return (rc);
}

int
main(int argc, char **argv)
{
	const struct sys *sys = sys_posix();
	struct mock_options opt;
	struct err e = ERR_INIT;
	int rc;

	msg_setup("garner-mock", MSG_INFO, MSG_TEXT);
	signal(SIGPIPE, SIG_IGN);
	rc = mock_options_parse(&opt, argc, argv, sys->now_ticks(sys->cookie),
	    &e);
	if (rc == 0)
		rc = opt.help ? help(&e) : opt.version ? version(&e) :
		    opt.truth ? mock_dump(&opt, stdout, &e) :
		    serve(&opt, &e);
	if (rc != 0)
		msg_error("start", "%s", e.text);
	return (err_exit_status(rc));
}
