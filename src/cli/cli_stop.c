/*
 * Stopping. The first SIGINT or SIGTERM asks a run to end: what was answered
 * is made durable, at most STOP_GRACE_S long. The second ends the program at
 * once, which is as safe as a kill.
 *
 * Both bounds must hold whatever the program is doing: a worker that hangs
 * in a sync, the loop held up behind it by the ledger's lock. So the handler
 * itself counts, sets the alarm and ends the program; the loop only learns
 * of the first signal, through a descriptor. Signals are the process's, so
 * what the handler needs is too: the one state of file scope in here.
 *
 * A signal that finds no loop running waits for the next one; commands
 * without a loop ask app_signal() from time to time.
 */

#include "config.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/err.h"
#include "base/msg.h"
#include "base/must.h"
#include "cli/cli.h"
#include "harvest/harvest.h"
#include "loop/loop.h"

#define STOP_GRACE_S 10
/* Before the alarm the loop, if it still turns, can say why. */
#define STOP_WARN_US 9500000

static volatile sig_atomic_t stop_signo;
static int stop_fd = -1;

struct app_signals {
	struct app *app;
	struct loop_io *io;		/* NULL without a loop */
	struct loop_timer *grace;
};

static void
on_signal(int signo)
{
	static const uint64_t one = 1;
	int saved = errno;

	if (stop_signo != 0)
		_exit(128 + (signo == SIGALRM ? stop_signo : signo));
	stop_signo = signo;
	(void)alarm(STOP_GRACE_S);
	if (write(stop_fd, &one, sizeof(one)) < 0)
		errno = 0;	/* full: it will be read */
	errno = saved;
}

static void
not_in_time(void *cookie)
{
	struct app_signals *s = cookie;

	msg_warn(s->app->cli->command, "not done in time, stopping at once; "
	    "nothing committed is lost");
	_exit(128 + stop_signo);
}

static void
on_stop(void *cookie, int fd, int what)
{
	struct app_signals *s = cookie;
	uint64_t n;

	(void)what;
	if (read(fd, &n, sizeof(n)) != sizeof(n))
		return;
	msg_info(s->app->cli->command, "stopping: saving what was answered "
	    "(once more to stop at once)");
	loop_timer_set(s->grace, STOP_WARN_US);
	if (s->app->harvest != NULL)
		harvest_stop(s->app->harvest);
}

void
app_signals_new(struct app *app)
{
	struct sigaction act;
	struct app_signals *s;

	MUST(stop_fd == -1);
	s = must_calloc(1, sizeof(*s));
	s->app = app;
	stop_signo = 0;
	stop_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	MUST(stop_fd != -1);
	if (app->loop != NULL) {
		s->io = loop_io_new(app->loop, stop_fd, LOOP_READ, on_stop, s);
		s->grace = loop_timer_new(app->loop, not_in_time, s);
	}
	memset(&act, 0, sizeof(act));
	act.sa_handler = on_signal;
	act.sa_flags = SA_RESTART;
	sigfillset(&act.sa_mask);
	MUST(sigaction(SIGINT, &act, NULL) == 0);
	MUST(sigaction(SIGTERM, &act, NULL) == 0);
	MUST(sigaction(SIGALRM, &act, NULL) == 0);
	app->signals = s;
}

/* The handlers and the alarm stay: closing is bounded too. */
void
app_signals_free(struct app *app)
{

	if (app->signals == NULL)
		return;
	if (app->signals->io != NULL) {
		loop_io_free(app->signals->io);
		loop_timer_free(app->signals->grace);
	}
	free(app->signals);
	app->signals = NULL;
}

int
app_signal(const struct app *app)
{

	return (app->signals != NULL ? stop_signo : 0);
}

int
app_fail(const struct app *app, const struct err *e)
{
	struct err told = *e;

	if (e->code == ERR_CANCELLED && app_signal(app) != 0)
		return (128 + app_signal(app));
	app_access_hint(app, &told);
	return (cli_fail(app->cli, &told));
}
