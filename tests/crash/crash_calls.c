/*
 * Preloaded into garner: sees the calls by which it, LMDB and libcurl change
 * files and speak to the network, and counts them. At the call asked for it
 * kills the process, fails the call or does half of it; or it records all
 * that was done to the files below one directory, in the order in which it
 * was done. See crash_calls.h for the environment.
 *
 * The real thing is done by system calls of our own, so that nothing has to
 * be looked up and the library can be called before it is set up.
 */
#include "config.h"

#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "crash_calls.h"

#define FDS_MAX 1024
#define PATH_MAX_BYTES 512

enum action { DO_NOTHING, DO_KILL, DO_AFTER, DO_TORN, DO_SHORT, DO_FAIL };

/* One process, one set of orders. */
static struct {
	struct crash_state *state;
	const char *dir;
	size_t dir_len;
	const char *set;
	uint64_t at;
	uint64_t times;		/* 0: for good */
	enum action action;
	int error;
	int record;		/* descriptor, -1: none */
	bool ready;
} g = { .record = -1 };

/* Held while something is done, so that the record is in order. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

/* What is open below the directory; dsync: writes are durable at once. */
static struct {
	char path[PATH_MAX_BYTES];
	bool dsync;
} files[FDS_MAX];

/* --- set up -------------------------------------------------------------- */

static void
die(const char *what)
{

	fprintf(stderr, "crash_calls: %s: %s\n", what, strerror(errno));
	_exit(99);
}

static uint64_t
number(const char *name, uint64_t other)
{
	const char *s = getenv(name);

	return (s != NULL ? strtoull(s, NULL, 10) : other);
}

static void
map_state(const char *path)
{
	long fd = syscall(SYS_openat, AT_FDCWD, path, O_RDWR | O_CREAT |
	    O_CLOEXEC, 0644);
	void *p;

	if (fd < 0 || syscall(SYS_ftruncate, fd, sizeof(*g.state)) != 0)
		die(path);
	p = mmap(NULL, sizeof(*g.state), PROT_READ | PROT_WRITE, MAP_SHARED,
	    (int)fd, 0);
	if (p == MAP_FAILED)
		die(path);
	g.state = p;
	(void)syscall(SYS_close, fd);
}

static void
set_action(const char *s)
{

	if (s == NULL)
		return;
	if (strcmp(s, "kill") == 0)
		g.action = DO_KILL;
	else if (strcmp(s, "after") == 0)
		g.action = DO_AFTER;
	else if (strcmp(s, "torn") == 0)
		g.action = DO_TORN;
	else if (strcmp(s, "short") == 0)
		g.action = DO_SHORT;
	else
		g.action = DO_FAIL;
	g.error = atoi(s);
}

static void record(enum crash_op, const char *, const char *, uint64_t,
    const void *, size_t);

/* All is well, says the program: what it did is promised. */
static void
at_end(int status, void *unused)
{

	(void)unused;
	if (status == 0)
		record(CRASH_OP_END, "", "", 0, NULL, 0);
}

__attribute__((constructor)) static void
set_up(void)
{
	const char *path;

	g.dir = getenv("CRASH_DIR");
	if (g.dir == NULL)
		return;
	g.dir_len = strlen(g.dir);
	g.set = getenv("CRASH_SET") != NULL ? getenv("CRASH_SET") : "wscntk";
	g.at = number("CRASH_AT", 0);
	g.times = number("CRASH_FOR", 1);
	set_action(getenv("CRASH_DO"));
	if ((path = getenv("CRASH_STATE")) != NULL)
		map_state(path);
	if ((path = getenv("CRASH_RECORD")) != NULL &&
	    (g.record = (int)syscall(SYS_openat, AT_FDCWD, path, O_WRONLY |
	    O_CREAT | O_APPEND | O_CLOEXEC, 0644)) < 0)
		die(path);
	(void)on_exit(at_end, NULL);
	g.ready = true;
	record(CRASH_OP_START, "", "", 0, NULL, 0);
}

/* --- what is asked for --------------------------------------------------- */

static bool
ours(const char *path)
{

	return (g.ready && path != NULL &&
	    strncmp(path, g.dir, g.dir_len) == 0 &&
	    (path[g.dir_len] == '/' || path[g.dir_len] == '\0'));
}

static const char *
path_of(int fd)
{

	return (fd >= 0 && fd < FDS_MAX && files[fd].path[0] != '\0' ?
	    files[fd].path : NULL);
}

static void
stop_here(void)
{

	(void)syscall(SYS_kill, syscall(SYS_getpid), SIGKILL);
	for (;;)
		(void)pause();
}

/* One more call of a class; what to do instead of it. */
static enum action
called(enum crash_class class, const char *name, const char *path)
{
	uint64_t n;

	if (!g.ready || g.state == NULL || strchr(g.set, (int)class) == NULL)
		return (DO_NOTHING);
	n = __atomic_add_fetch(&g.state->calls, 1, __ATOMIC_SEQ_CST);
	if (g.action == DO_NOTHING || g.at == 0 || n < g.at ||
	    (g.times != 0 && n >= g.at + g.times))
		return (DO_NOTHING);
	(void)__atomic_add_fetch(&g.state->done, 1, __ATOMIC_SEQ_CST);
	(void)snprintf(g.state->what, sizeof(g.state->what), "%s %s", name,
	    path);
	if (g.action == DO_KILL ||
	    (g.action == DO_TORN && class != CRASH_WRITE))
		stop_here();
	if (g.action == DO_AFTER && class != CRASH_NAME)
		return (DO_NOTHING);
	if (g.action == DO_SHORT && class != CRASH_WRITE)
		return (DO_NOTHING);
	errno = g.error;
	return (g.action);
}

/* --- the record ---------------------------------------------------------- */

static void
put(const void *p, size_t n)
{

	if (n > 0 && syscall(SYS_write, g.record, p, n) != (long)n)
		die("the record");
}

/* The paths are told as they are below the directory. */
static const char *
below(const char *path)
{

	return (ours(path) ? path + g.dir_len : path);
}

static void
record(enum crash_op op, const char *path, const char *path2, uint64_t off,
    const void *data, size_t len)
{
	struct crash_record r = { .op = op, .off = off, .len = len };

	if (g.record < 0)
		return;
	path = below(path);
	path2 = below(path2);
	r.path = (uint32_t)strlen(path);
	r.path2 = (uint32_t)strlen(path2);
	put(&r, sizeof(r));
	put(path, r.path);
	put(path2, r.path2);
	put(data, len);
}

/* --- opening ------------------------------------------------------------- */

static int
do_open(const char *path, int flags, int mode)
{
	bool mine = ours(path), there;
	struct stat st;
	long fd;

	if (!mine)
		return ((int)syscall(SYS_openat, AT_FDCWD, path, flags, mode));
	if (called(flags & O_CREAT ? CRASH_CREATE : CRASH_READ, "open",
	    path) == DO_FAIL)
		return (-1);
	(void)pthread_mutex_lock(&lock);
	there = (flags & O_CREAT) == 0 || stat(path, &st) == 0;
	fd = syscall(SYS_openat, AT_FDCWD, path, flags, mode);
	if (fd >= 0 && fd < FDS_MAX) {
		(void)snprintf(files[fd].path, sizeof(files[fd].path), "%s",
		    path);
		files[fd].dsync = (flags & O_DSYNC) != 0;
	}
	if (fd >= 0 && !there)
		record(CRASH_OP_OPEN, path, "", 0, NULL, 0);
	if (fd >= 0 && (flags & O_TRUNC) != 0)
		record(CRASH_OP_TRUNCATE, path, "", 0, NULL, 0);
	(void)pthread_mutex_unlock(&lock);
	return ((int)fd);
}

int
open(const char *path, int flags, ...)
{
	va_list ap;
	int mode;

	va_start(ap, flags);
	mode = flags & O_CREAT ? va_arg(ap, int) : 0;
	va_end(ap);
	return (do_open(path, flags, mode));
}

int
open64(const char *path, int flags, ...)
{
	va_list ap;
	int mode;

	va_start(ap, flags);
	mode = flags & O_CREAT ? va_arg(ap, int) : 0;
	va_end(ap);
	return (do_open(path, flags, mode));
}

int __open_2(const char *, int);
int __open64_2(const char *, int);

int
__open_2(const char *path, int flags)
{
	return (do_open(path, flags, 0));
}

int
__open64_2(const char *path, int flags)
{
	return (do_open(path, flags, 0));
}

int
close(int fd)
{

	if (fd >= 0 && fd < FDS_MAX)
		files[fd].path[0] = '\0';
	return ((int)syscall(SYS_close, fd));
}

/* --- data ---------------------------------------------------------------- */

/* n bytes at off; off -1: where the file stands. */
static ssize_t
do_write(int fd, const void *p, size_t n, off_t off, const char *name)
{
	const char *path = path_of(fd);
	off_t at = off;
	long put_bytes;

	if (path == NULL)
		return (off < 0 ? syscall(SYS_write, fd, p, n) :
		    syscall(SYS_pwrite64, fd, p, n, off));
	switch (called(CRASH_WRITE, name, path)) {
	case DO_FAIL:
		return (-1);
	case DO_TORN:
	case DO_SHORT:
		n = n / 2 > 0 ? n / 2 : n;
		break;
	default:
		break;
	}
	(void)pthread_mutex_lock(&lock);
	if (off < 0)
		at = lseek(fd, 0, SEEK_CUR);
	put_bytes = off < 0 ? syscall(SYS_write, fd, p, n) :
	    syscall(SYS_pwrite64, fd, p, n, off);
	if (put_bytes > 0)
		record(files[fd].dsync ? CRASH_OP_PUT_SYNC : CRASH_OP_PUT,
		    path, "", (uint64_t)at, p, (size_t)put_bytes);
	(void)pthread_mutex_unlock(&lock);
	if (g.action == DO_TORN && g.state != NULL && g.state->done > 0)
		stop_here();
	return (put_bytes);
}

ssize_t
write(int fd, const void *p, size_t n)
{
	return (do_write(fd, p, n, -1, "write"));
}

ssize_t
pwrite(int fd, const void *p, size_t n, off_t off)
{
	return (do_write(fd, p, n, off, "pwrite"));
}

ssize_t
pwrite64(int fd, const void *p, size_t n, off64_t off)
{
	return (do_write(fd, p, n, off, "pwrite"));
}

static bool
is_socket(int fd)
{
	struct stat st;

	return (fstat(fd, &st) == 0 && S_ISSOCK(st.st_mode));
}

static ssize_t
writev_file(int fd, const struct iovec *v, int n)
{
	size_t bytes = 0;
	ssize_t rc;
	char *all;
	int i;

	for (i = 0; i < n; i++)
		bytes += v[i].iov_len;
	if ((all = malloc(bytes + 1)) == NULL)
		die("writev");
	for (bytes = 0, i = 0; i < n; i++) {
		memcpy(all + bytes, v[i].iov_base, v[i].iov_len);
		bytes += v[i].iov_len;
	}
	rc = do_write(fd, all, bytes, -1, "writev");
	free(all);
	return (rc);
}

ssize_t
writev(int fd, const struct iovec *v, int n)
{

	if (path_of(fd) != NULL)
		return (writev_file(fd, v, n));
	if (g.ready && is_socket(fd) &&
	    called(CRASH_NET, "writev", "a socket") == DO_FAIL)
		return (-1);
	return (syscall(SYS_writev, fd, v, n));
}

static ssize_t
do_pread(int fd, void *p, size_t n, off_t off)
{
	const char *path = path_of(fd);

	if (path != NULL && called(CRASH_READ, "pread", path) == DO_FAIL)
		return (-1);
	return (syscall(SYS_pread64, fd, p, n, off));
}

ssize_t
pread(int fd, void *p, size_t n, off_t off)
{
	return (do_pread(fd, p, n, off));
}

ssize_t
pread64(int fd, void *p, size_t n, off64_t off)
{
	return (do_pread(fd, p, n, off));
}

static int
do_truncate(int fd, off_t len)
{
	const char *path = path_of(fd);
	long rc;

	if (path == NULL)
		return ((int)syscall(SYS_ftruncate, fd, len));
	if (called(CRASH_TRUNCATE, "ftruncate", path) == DO_FAIL)
		return (-1);
	(void)pthread_mutex_lock(&lock);
	if ((rc = syscall(SYS_ftruncate, fd, len)) == 0)
		record(CRASH_OP_TRUNCATE, path, "", (uint64_t)len, NULL, 0);
	(void)pthread_mutex_unlock(&lock);
	return ((int)rc);
}

int
ftruncate(int fd, off_t len)
{
	return (do_truncate(fd, len));
}

int
ftruncate64(int fd, off64_t len)
{
	return (do_truncate(fd, len));
}

static int
do_sync(int fd, long call, const char *name)
{
	const char *path = path_of(fd);
	long rc;

	if (path == NULL)
		return ((int)syscall(call, fd));
	if (called(CRASH_SYNC, name, path) == DO_FAIL) {
		(void)pthread_mutex_lock(&lock);
		record(CRASH_OP_SYNC_FAILED, path, "", 0, NULL, 0);
		(void)pthread_mutex_unlock(&lock);
		errno = g.error;
		return (-1);
	}
	(void)pthread_mutex_lock(&lock);
	if ((rc = syscall(call, fd)) == 0)
		record(CRASH_OP_SYNC, path, "", 0, NULL, 0);
	(void)pthread_mutex_unlock(&lock);
	return ((int)rc);
}

int
fsync(int fd)
{
	return (do_sync(fd, SYS_fsync, "fsync"));
}

int
fdatasync(int fd)
{
	return (do_sync(fd, SYS_fdatasync, "fdatasync"));
}

int
msync(void *p, size_t n, int flags)
{

	if (called(CRASH_SYNC, "msync", "a map") == DO_FAIL)
		return (-1);
	return ((int)syscall(SYS_msync, p, n, flags));
}

/* --- names --------------------------------------------------------------- */

/* From one path to another, which is then the one it is about; or of one
 * path, `to` is "", with its mode. */
static int
change_name(const char *name, enum crash_op op, long call, const char *from,
    const char *to, mode_t mode)
{
	bool two = to[0] != '\0';
	const char *about = two ? to : from;
	const long second = two ? (long)to : (long)mode;
	enum action act;
	long rc;

	if (!ours(about))
		return ((int)syscall(call, from, second));
	if ((act = called(CRASH_NAME, name, about)) == DO_FAIL)
		return (-1);
	(void)pthread_mutex_lock(&lock);
	if ((rc = syscall(call, from, second)) == 0)
		record(op, from, to, 0, NULL, 0);
	(void)pthread_mutex_unlock(&lock);
	if (act == DO_AFTER)
		stop_here();
	return ((int)rc);
}

int
rename(const char *from, const char *to)
{
	return (change_name("rename", CRASH_OP_RENAME, SYS_rename, from, to,
	    0));
}

int
link(const char *from, const char *to)
{
	return (change_name("link", CRASH_OP_LINK, SYS_link, from, to, 0));
}

int
unlink(const char *path)
{
	return (change_name("unlink", CRASH_OP_UNLINK, SYS_unlink, path, "",
	    0));
}

int
rmdir(const char *path)
{
	return (change_name("rmdir", CRASH_OP_RMDIR, SYS_rmdir, path, "",
	    0));
}

int
mkdir(const char *path, mode_t mode)
{
	return (change_name("mkdir", CRASH_OP_MKDIR, SYS_mkdir, path, "",
	    mode));
}

/* --- the network --------------------------------------------------------- */

ssize_t
send(int fd, const void *p, size_t n, int flags)
{

	if (called(CRASH_NET, "send", "a socket") == DO_FAIL)
		return (-1);
	return (syscall(SYS_sendto, fd, p, n, flags, NULL, 0));
}

ssize_t
sendto(int fd, const void *p, size_t n, int flags, const struct sockaddr *to,
    socklen_t len)
{

	if (called(CRASH_NET, "sendto", "a socket") == DO_FAIL)
		return (-1);
	return (syscall(SYS_sendto, fd, p, n, flags, to, len));
}

ssize_t
sendmsg(int fd, const struct msghdr *m, int flags)
{

	if (called(CRASH_NET, "sendmsg", "a socket") == DO_FAIL)
		return (-1);
	return (syscall(SYS_sendmsg, fd, m, flags));
}

int
socket(int domain, int type, int protocol)
{

	if (called(CRASH_SOCKET, "socket", "") == DO_FAIL)
		return (-1);
	return ((int)syscall(SYS_socket, domain, type, protocol));
}
