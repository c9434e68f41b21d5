/*
 * Preloaded into garner: a wall clock that is wrong, and jumps. The
 * monotonic clock is left alone.
 *
 *	CRASH_CLOCK	seconds to add; or A,B,MS: A seconds at first, B
 *			seconds after MS milliseconds; or "still": it stands
 */
#include "config.h"

#include <sys/syscall.h>
#include <sys/time.h>

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static struct {
	long long first;
	long long then;
	long long after_ms;
	struct timespec still;
	struct timespec began;
	int set;
} g;

static void
real(clockid_t id, struct timespec *ts)
{

	(void)syscall(SYS_clock_gettime, id, ts);
}

__attribute__((constructor)) static void
set_up(void)
{
	const char *s = getenv("CRASH_CLOCK");

	if (s == NULL)
		return;
	real(CLOCK_MONOTONIC, &g.began);
	if (strcmp(s, "still") == 0)
		real(CLOCK_REALTIME, &g.still);
	else if (sscanf(s, "%lld,%lld,%lld", &g.first, &g.then,
	    &g.after_ms) < 3)
		g.then = g.first;
	g.set = 1;
}

static void
wrong(struct timespec *ts)
{
	struct timespec m;

	real(CLOCK_REALTIME, ts);
	if (!g.set)
		return;
	if (g.still.tv_sec != 0) {
		*ts = g.still;
		return;
	}
	real(CLOCK_MONOTONIC, &m);
	ts->tv_sec += (m.tv_sec - g.began.tv_sec) * 1000 + (m.tv_nsec -
	    g.began.tv_nsec) / 1000000 < g.after_ms ? g.first : g.then;
}

int
clock_gettime(clockid_t id, struct timespec *ts)
{

	if (id != CLOCK_REALTIME && id != CLOCK_REALTIME_COARSE)
		return ((int)syscall(SYS_clock_gettime, id, ts));
	wrong(ts);
	return (0);
}

int
gettimeofday(struct timeval *restrict tv, void *restrict zone)
{
	struct timespec ts;

	(void)zone;
	wrong(&ts);
	tv->tv_sec = ts.tv_sec;
	tv->tv_usec = ts.tv_nsec / 1000;
	return (0);
}

time_t
time(time_t *out)
{
	struct timespec ts;

	wrong(&ts);
	if (out != NULL)
		*out = ts.tv_sec;
	return (ts.tv_sec);
}
