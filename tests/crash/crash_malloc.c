/*
 * Preloaded into garner: the N-th allocation fails, once or from there on
 * for good, whoever asks: garner, libcurl, libevent, LMDB, the C library.
 *
 *	CRASH_STATE	as in crash_calls.h; calls: allocations so far
 *	CRASH_AT, CRASH_FOR
 */
#include "config.h"

#include <sys/mman.h>
#include <sys/syscall.h>

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#include "crash_calls.h"

void *__libc_malloc(size_t);
void *__libc_calloc(size_t, size_t);
void *__libc_realloc(void *, size_t);
void *__libc_memalign(size_t, size_t);

static struct {
	struct crash_state *state;
	uint64_t at;
	uint64_t times;
} g;

static uint64_t
number(const char *name, uint64_t other)
{
	const char *s = getenv(name);

	return (s != NULL ? strtoull(s, NULL, 10) : other);
}

/* What is allocated before this is the loader's. */
__attribute__((constructor)) static void
set_up(void)
{
	const char *path = getenv("CRASH_STATE");
	long fd;
	void *p;

	if (path == NULL)
		return;
	g.at = number("CRASH_AT", 0);
	g.times = number("CRASH_FOR", 1);
	fd = syscall(SYS_openat, AT_FDCWD, path, O_RDWR | O_CREAT | O_CLOEXEC,
	    0644);
	if (fd < 0 || syscall(SYS_ftruncate, fd, sizeof(*g.state)) != 0)
		_exit(99);
	p = mmap(NULL, sizeof(*g.state), PROT_READ | PROT_WRITE, MAP_SHARED,
	    (int)fd, 0);
	(void)syscall(SYS_close, fd);
	if (p == MAP_FAILED)
		_exit(99);
	g.state = p;
}

static bool
fails(void)
{
	uint64_t n;

	if (g.state == NULL)
		return (false);
	n = __atomic_add_fetch(&g.state->calls, 1, __ATOMIC_SEQ_CST);
	if (g.at == 0 || n < g.at || (g.times != 0 && n >= g.at + g.times))
		return (false);
	(void)__atomic_add_fetch(&g.state->done, 1, __ATOMIC_SEQ_CST);
	errno = ENOMEM;
	return (true);
}

void *
malloc(size_t n)
{
	return (fails() ? NULL : __libc_malloc(n));
}

void *
calloc(size_t n, size_t size)
{
	return (fails() ? NULL : __libc_calloc(n, size));
}

void *
realloc(void *p, size_t n)
{
	return (fails() ? NULL : __libc_realloc(p, n));
}

void *
memalign(size_t align, size_t n)
{
	return (fails() ? NULL : __libc_memalign(align, n));
}

void *
aligned_alloc(size_t align, size_t n)
{
	return (fails() ? NULL : __libc_memalign(align, n));
}

int
posix_memalign(void **out, size_t align, size_t n)
{
	void *p;

	if (fails() || (p = __libc_memalign(align, n)) == NULL)
		return (ENOMEM);
	*out = p;
	return (0);
}
