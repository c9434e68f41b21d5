/*
 * Lock files. The lock is flock(2) on the open file, so that it ends with
 * the process however that ends, and also holds between two takers within
 * one process. The pid inside is for people; it is written only by the one
 * who got the lock, and the file stays, because removing it would let two
 * processes lock two files of one name.
 */
#include "config.h"

#include <sys/file.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "base/text.h"
#include "sys/sys.h"

#define PID_TEXT_MAX 32

/* The pid in the file, 0 when it holds none. */
static int64_t
read_pid(int fd)
{
	char text[PID_TEXT_MAX];
	int64_t pid;
	ssize_t n;

	n = pread(fd, text, sizeof(text) - 1, 0);
	if (n < 5 || memcmp(text, "pid ", 4) != 0)
		return (0);
	text[n] = '\0';
	text[strcspn(text, "\n")] = '\0';
	return (text_i64(text + 4, 1, INT32_MAX, &pid) == 0 ? pid : 0);
}

static int
write_pid(int fd)
{
	char text[PID_TEXT_MAX];
	int n;

	n = snprintf(text, sizeof(text), "pid %ld\n", (long)getpid());
	if (pwrite(fd, text, (size_t)n, 0) != n)
		return (-1);
	return (ftruncate(fd, n));
}

static int
take(int fd, const char *path, struct err *e)
{
	int64_t pid;
	int rc;

	do
		rc = flock(fd, LOCK_EX | LOCK_NB);
	while (rc != 0 && errno == EINTR);
	if (rc != 0 && errno != EWOULDBLOCK)
		return (err_sys(e, errno, "cannot lock %s", path));
	if (rc != 0 && (pid = read_pid(fd)) > 0)
		return (err_set(e, ERR_BUSY, "%s is locked by pid %lld", path,
		    (long long)pid));
	if (rc != 0)
		return (err_set(e, ERR_BUSY, "%s is locked by another process",
		    path));
	errno = EIO;	/* a short write sets none */
	if (write_pid(fd) != 0)
		return (err_sys(e, errno, "cannot write %s", path));
	return (0);
}

int
sys_lock(const char *path, int *out, struct err *e)
{
	int fd, rc;

	*out = -1;
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
	if (fd < 0)
		return (err_sys(e, errno, "cannot open %s", path));
	if ((rc = take(fd, path, e)) != 0)
		close(fd);
	else
		*out = fd;
	return (rc);
}

void
sys_unlock(int fd)
{
	if (fd >= 0)
		close(fd);
}
