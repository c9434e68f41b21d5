/*
 * The system for the engine: files as they are, but nobody waits for the
 * disk; clocks and chance by the seed. It may end the process in the middle
 * of a call, a write half done.
 */

#include "config.h"

#include <unistd.h>

#include "loop/loop.h"
#include "sim.h"
#include "sys/sys.h"

static void
call(void *cookie)
{
	struct sim *s = cookie;

	if (s->calls_left > 0 && --s->calls_left == 0)
		_exit(SIM_EXIT_KILLED);
}

static int
sim_open(void *cookie, const char *path, int flags, int mode)
{

	call(cookie);
	return (sys_posix()->open(NULL, path, flags, mode));
}

static ssize_t
sim_pwrite(void *cookie, int fd, const void *p, size_t n, int64_t off)
{
	struct sim *s = cookie;

	if (s->calls_left == 1)		/* torn */
		(void)sys_posix()->pwrite(NULL, fd, p, n / 2, off);
	call(cookie);
	return (sys_posix()->pwrite(NULL, fd, p, n, off));
}

static int
sim_sync(void *cookie, int fd)
{

	(void)fd;
	call(cookie);
	return (0);
}

static int
sim_ftruncate(void *cookie, int fd, int64_t len)
{

	call(cookie);
	return (sys_posix()->ftruncate(NULL, fd, len));
}

static int
sim_rename(void *cookie, const char *from, const char *to)
{

	call(cookie);
	return (sys_posix()->rename(NULL, from, to));
}

static int
sim_link(void *cookie, const char *from, const char *to)
{

	call(cookie);
	return (sys_posix()->link(NULL, from, to));
}

static int
sim_unlink(void *cookie, const char *path)
{

	call(cookie);
	return (sys_posix()->unlink(NULL, path));
}

static int
sim_mkdir(void *cookie, const char *path, int mode)
{

	call(cookie);
	return (sys_posix()->mkdir(NULL, path, mode));
}

static int64_t
sim_mono(void *cookie)
{
	struct sim *s = cookie;

	return (s->loop != NULL ? loop_now_us(s->loop) : s->x->now_us);
}

static int64_t
sim_now(void *cookie)
{
	struct sim *s = cookie;

	return (s->unix_zero + s->skew + sim_mono(s) * TICKS_PER_US);
}

static uint64_t
sim_random(void *cookie)
{
	struct sim *s = cookie;

	return (rng_u64(&s->x->random));
}

void
sim_sys(struct sim *s, struct sys *sys)
{

	*sys = *sys_posix();
	sys->cookie = s;
	sys->open = sim_open;
	sys->pwrite = sim_pwrite;
	sys->fsync = sys->fdatasync = sim_sync;
	sys->ftruncate = sim_ftruncate;
	sys->rename = sim_rename;
	sys->link = sim_link;
	sys->unlink = sim_unlink;
	sys->mkdir = sim_mkdir;
	sys->now_ticks = sim_now;
	sys->mono_us = sim_mono;
	sys->random = sim_random;
}
