/*
 * The real thing: each function is its system call, with the descriptor
 * closed on exec. What a call needs no error for (clocks, randomness)
 * cannot fail on a sound system, and stops the program on another.
 */
#include "config.h"

#include <sys/random.h>
#include <sys/stat.h>

#include <fcntl.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "base/must.h"
#include "base/ticks.h"
#include "sys/sys.h"

static int
posix_open(void *cookie, const char *path, int flags, int mode)
{
	(void)cookie;
	return (open(path, flags | O_CLOEXEC, (mode_t)mode));
}

static int
posix_close(void *cookie, int fd)
{
	(void)cookie;
	return (close(fd));
}

static ssize_t
posix_pread(void *cookie, int fd, void *p, size_t n, int64_t off)
{
	(void)cookie;
	return (pread(fd, p, n, off));
}

static ssize_t
posix_pwrite(void *cookie, int fd, const void *p, size_t n, int64_t off)
{
	(void)cookie;
	return (pwrite(fd, p, n, off));
}

static int
posix_fsync(void *cookie, int fd)
{
	(void)cookie;
	return (fsync(fd));
}

static int
posix_fdatasync(void *cookie, int fd)
{
	(void)cookie;
	return (fdatasync(fd));
}

static int
posix_ftruncate(void *cookie, int fd, int64_t len)
{
	(void)cookie;
	return (ftruncate(fd, len));
}

static int64_t
posix_fsize(void *cookie, int fd)
{
	struct stat st;

	(void)cookie;
	return (fstat(fd, &st) == 0 ? (int64_t)st.st_size : -1);
}

static int
posix_rename(void *cookie, const char *from, const char *to)
{
	(void)cookie;
	return (rename(from, to));
}

static int
posix_link(void *cookie, const char *from, const char *to)
{
	(void)cookie;
	return (link(from, to));
}

static int
posix_unlink(void *cookie, const char *path)
{
	(void)cookie;
	return (unlink(path));
}

static int
posix_mkdir(void *cookie, const char *path, int mode)
{
	(void)cookie;
	return (mkdir(path, (mode_t)mode));
}

static int64_t
posix_now_ticks(void *cookie)
{
	struct timespec ts;
	int rc;

	(void)cookie;
	rc = clock_gettime(CLOCK_REALTIME, &ts);
	MUST(rc == 0);
	return ((int64_t)ts.tv_sec * TICKS_PER_S + ts.tv_nsec / 100);
}

static int64_t
posix_mono_us(void *cookie)
{
	struct timespec ts;
	int rc;

	(void)cookie;
	rc = clock_gettime(CLOCK_MONOTONIC, &ts);
	MUST(rc == 0);
	return ((int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000);
}

static uint64_t
posix_random(void *cookie)
{
	uint64_t v;
	ssize_t n;

	(void)cookie;
	/* So few bytes come whole and uninterrupted. */
	n = getrandom(&v, sizeof(v), 0);
	MUST(n == (ssize_t)sizeof(v));
	return (v);
}

const struct sys *
sys_posix(void)
{
	static const struct sys table = {
		.open = posix_open,
		.close = posix_close,
		.pread = posix_pread,
		.pwrite = posix_pwrite,
		.fsync = posix_fsync,
		.fdatasync = posix_fdatasync,
		.ftruncate = posix_ftruncate,
		.fsize = posix_fsize,
		.rename = posix_rename,
		.link = posix_link,
		.unlink = posix_unlink,
		.mkdir = posix_mkdir,
		.now_ticks = posix_now_ticks,
		.mono_us = posix_mono_us,
		.random = posix_random,
	};

	return (&table);
}
