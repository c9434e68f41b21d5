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

#include "base/buf.h"
#include "base/err.h"
#include "base/text.h"
#include "sys/sys.h"

#define PID_TEXT_MAX 32
#define COMMAND_MAX 200		/* of the owner's words, in a message */

/*
 * The words of a running command, blanks between, fit for a message; empty
 * when they cannot be had: it may be of another user, or in a container.
 */
static void
read_command(int64_t pid, struct buf *out)
{
	char path[64], text[COMMAND_MAX], word[COMMAND_MAX];
	ssize_t n;
	size_t i;
	int fd;

	(void)snprintf(path, sizeof(path), "/proc/%lld/cmdline",
	    (long long)pid);
	if ((fd = open(path, O_RDONLY | O_CLOEXEC)) < 0)
		return;
	n = read(fd, text, sizeof(text));
	close(fd);
	if (n <= 0)
		return;
	for (i = 0; i < (size_t)n; i++)
		word[i] = text[i] == '\0' ? ' ' : text[i];
	while (i > 0 && word[i - 1] == ' ')
		i--;
	text_escape(out, word, i, COMMAND_MAX);
}

/* ERR_BUSY: who has it. pid 0: not known. */
static int
told_busy(struct err *e, const char *what, int64_t pid)
{
	struct buf command;
	int rc;

	if (pid <= 0)
		return (err_set(e, ERR_BUSY, "%s is locked by another process",
		    what));
	buf_init(&command, 4 * COMMAND_MAX + 8);
	read_command(pid, &command);
	rc = err_set(e, ERR_BUSY, command.len > 0 ? "%s is locked by pid %lld "
	    "(%s)" : "%s is locked by pid %lld%s", what, (long long)pid,
	    buf_str(&command));
	buf_fini(&command);
	return (rc);
}

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
	int rc;

	do
		rc = flock(fd, LOCK_EX | LOCK_NB);
	while (rc != 0 && errno == EINTR);
	if (rc != 0 && errno != EWOULDBLOCK)
		return (err_sys(e, errno, "cannot lock %s", path));
	if (rc != 0)
		return (told_busy(e, path, read_pid(fd)));
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

/* --- parts of a file ----------------------------------------------------- */

int
sys_lock_part(int fd, const char *what, int64_t from, int64_t len,
    struct err *e)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET,
	    .l_start = from, .l_len = len }, owner = lock;

	if (fcntl(fd, F_SETLK, &lock) == 0)
		return (0);
	if (errno != EACCES && errno != EAGAIN)
		return (err_sys(e, errno, "cannot lock %s", what));
	/* It may just have ended: then it is the caller's to try again. */
	if (fcntl(fd, F_GETLK, &owner) != 0 || owner.l_type == F_UNLCK)
		owner.l_pid = 0;
	return (told_busy(e, what, owner.l_pid));
}

int
sys_lock_file(const char *path, int *fd, struct err *e)
{

	*fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
	if (*fd < 0)
		return (err_sys(e, errno, "cannot open %s", path));
	return (0);
}
