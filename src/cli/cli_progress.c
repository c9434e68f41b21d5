/*
 * Progress: one live line on a terminal, redrawn in place and wiped before
 * each message; otherwise a plain line every few seconds; nothing when
 * quiet. It shows what a person waits for: how far, how fast.
 */

#include "config.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "base/msg.h"
#include "base/must.h"
#include "base/text.h"
#include "cli/cli.h"
#include "harvest/harvest.h"

#define PLAIN_EVERY_S 5
#define BAR_CELLS 24
#define BAR_CELLS_MIN 4

struct app_progress {
	const char *what;
	bool live;		/* a terminal that can redraw */
	bool drawn;		/* a line is on the screen */
	time_t plain_at;	/* when the last plain line was written */
};

static time_t
now_s(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return (ts.tv_sec);
}

static int
columns(void)
{
	struct winsize ws;

	if (ioctl(STDERR_FILENO, TIOCGWINSZ, &ws) == 0 && ws.ws_col > 20)
		return (ws.ws_col);
	return (80);
}

static void
wipe(void *cookie)
{
	struct app_progress *p = cookie;

	if (p->drawn && write(STDERR_FILENO, "\r\033[K", 4) == 4)
		p->drawn = false;
}

/* Who ends a command that has nothing to save finds a clean line. */
static void
on_interrupt(int signo)
{

	if (write(STDERR_FILENO, "\r\033[K", 4) != 4)
		_exit(128 + signo);
	(void)signal(signo, SIG_DFL);
	(void)raise(signo);		/* takes effect when we return */
}

/* From one to the other, unless somebody else handles it. */
static void
change_handler(void (*from)(int), void (*to)(int))
{
	struct sigaction act;

	if (sigaction(SIGINT, NULL, &act) == 0 && act.sa_handler == from)
		(void)signal(SIGINT, to);
}

struct app_progress *
app_progress_new(const struct cli *cli, const char *what)
{
	struct app_progress *p;
	const char *term = getenv("TERM");

	if (cli->quiet)
		return (NULL);
	p = must_calloc(1, sizeof(*p));
	p->what = what;
	p->live = isatty(STDERR_FILENO) && term != NULL &&
	    strcmp(term, "dumb") != 0;
	p->plain_at = now_s();
	if (p->live)
		change_handler(SIG_DFL, on_interrupt);
	msg_hook(wipe, p);
	return (p);
}

void
app_progress_wipe(struct app_progress *p)
{

	if (p != NULL)
		wipe(p);
}

void
app_progress_free(struct app_progress *p)
{

	if (p == NULL)
		return;
	wipe(p);
	change_handler(on_interrupt, SIG_DFL);
	msg_hook(NULL, NULL);
	free(p);
}

/* What the text leaves of the line; two columns more are for "^C". */
static size_t
bar_cells(const struct app_progress *p, const char *text)
{
	int room = columns() - 3 - (int)(strlen(p->what) + strlen(text) +
	    strlen(" [] 100 %  "));

	if (room < BAR_CELLS_MIN)
		return (0);
	return (room < BAR_CELLS ? (size_t)room : BAR_CELLS);
}

/* share < 0: unknown, no bar. */
static void
show(struct app_progress *p, double share, const char *text)
{
	char line[400], bar[BAR_CELLS + 4] = "";
	size_t i, n = 0, cells = bar_cells(p, text), full;
	int len;

	if (!p->live) {
		if (now_s() - p->plain_at < PLAIN_EVERY_S)
			return;
		p->plain_at = now_s();
		if (share >= 0)
			msg_info(p->what, "%3.0f %%, %s", share * 100, text);
		else
			msg_info(p->what, "%s", text);
		return;
	}
	full = share < 0 ? 0 : (size_t)(share * (double)cells + 0.5);
	if (cells > 0) {
		bar[n++] = '[';
		for (i = 0; i < cells; i++)
			bar[n++] = i < full ? '#' : '.';
		bar[n++] = ']';
		bar[n++] = ' ';
		bar[n] = '\0';
	}
	if (share >= 0)
		len = snprintf(line, sizeof(line), "%s %s%3.0f %%  %s",
		    p->what, bar, share * 100, text);
	else
		len = snprintf(line, sizeof(line), "%s  %s", p->what, text);
	if (len > columns() - 3)
		line[columns() - 3] = '\0';
	fprintf(stderr, "\r%s\033[K", line);
	(void)fflush(stderr);
	p->drawn = true;
}

void
app_progress_harvest(void *cookie, const struct harvest_stats *s)
{
	struct app_progress *p = cookie;
	char values[32], rate[32], requests[32], bytes[32], text[200];
	double seconds = (double)s->elapsed_us / 1e6;
	uint64_t rows = s->values + s->rows;

	(void)snprintf(text, sizeof(text), "%s, %s/s, %s, %s",
	    text_counted(rows, "row", NULL, values, sizeof(values)),
	    text_count_human(seconds > 0 ?
	    (uint64_t)((double)rows / seconds) : 0, rate, sizeof(rate)),
	    text_counted(s->requests, "request", NULL, requests,
	    sizeof(requests)),
	    text_bytes_human(s->wire_bytes, bytes, sizeof(bytes)));
	show(p, s->wanted > 0 ? 1 - s->missing / s->wanted : -1, text);
}

void
app_progress_bytes(void *cookie, uint64_t done, uint64_t all)
{
	struct app_progress *p = cookie;
	char a[32], b[32], text[100];

	if (p == NULL)
		return;
	(void)snprintf(text, sizeof(text), "%s of %s",
	    text_bytes_human(done, a, sizeof(a)),
	    text_bytes_human(all, b, sizeof(b)));
	show(p, all > 0 ? (double)done / (double)all : -1, text);
}

void
app_progress_rows(void *cookie, uint64_t done, uint64_t all)
{
	struct app_progress *p = cookie;
	char a[32], b[32], text[100];

	if (p == NULL)
		return;
	(void)snprintf(text, sizeof(text), "%s of %s",
	    text_count_human(done, a, sizeof(a)),
	    text_counted(all, "row", NULL, b, sizeof(b)));
	show(p, all > 0 ? (double)done / (double)all : -1, text);
}
