/*
 * Secrets by reference, resolved when they are needed: environment, file,
 * command, systemd credential. Messages name the reference, never the
 * value; what is handed out is wiped when it is freed.
 */

#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/err.h"
#include "base/must.h"
#include "conf/conf.h"

#define SECRET_MAX 8192
#define COMMAND_SECONDS 10

extern char **environ;

/* Up to the first line end; wipes the rest. */
static char *
take_line(char *tmp, size_t n)
{
	char *s;

	tmp[n] = '\0';
	tmp[strcspn(tmp, "\r\n")] = '\0';
	s = must_strdup(tmp);
	explicit_bzero(tmp, SECRET_MAX + 1);
	return (s);
}

static int
read_file(const char *path, char **value, struct err *e)
{
	char tmp[SECRET_MAX + 1];
	struct stat st;
	ssize_t n;
	int fd;

	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (fd < 0 || fstat(fd, &st) != 0) {
		(void)err_sys(e, errno, "secret file %s", path);
		if (fd >= 0)
			(void)close(fd);
		return (ERR_CONFIG);
	}
	if (!S_ISREG(st.st_mode) || (st.st_mode & 077) != 0) {
		(void)close(fd);
		return (err_set(e, ERR_CONFIG, "secret file %s: others can "
		    "read it (mode %03o); chmod 600 it", path,
		    (unsigned)st.st_mode & 0777));
	}
	n = read(fd, tmp, SECRET_MAX);
	(void)close(fd);
	if (n <= 0)
		return (err_set(e, ERR_CONFIG, "secret file %s is empty",
		    path));
	*value = take_line(tmp, (size_t)n);
	return (0);
}

static int64_t
now_ms(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return ((int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000);
}

/* What the command prints within the time limit; its length. */
static size_t
read_pipe(int fd, char *tmp, size_t max)
{
	int64_t end = now_ms() + COMMAND_SECONDS * 1000;
	struct pollfd p = { .fd = fd, .events = POLLIN };
	size_t len = 0;
	ssize_t n;
	int64_t left;

	while (len < max && (left = end - now_ms()) > 0) {
		if (poll(&p, 1, (int)left) <= 0)
			continue;
		n = read(fd, tmp + len, max - len);
		if (n == 0 || (n < 0 && errno != EINTR))
			break;
		len += n > 0 ? (size_t)n : 0;
	}
	return (len);
}

static int
run_command(const char *line, char **value, struct err *e)
{
	char tmp[SECRET_MAX + 1];
	char *argv[] = { (char *)(uintptr_t)"sh", (char *)(uintptr_t)"-c",
	    (char *)(uintptr_t)line, NULL };
	posix_spawn_file_actions_t fa;
	posix_spawnattr_t attr;
	int fds[2], status = -1, rc;
	size_t n;
	pid_t pid;

	if (pipe2(fds, O_CLOEXEC) != 0)
		return (err_sys(e, errno, "pipe"));
	(void)posix_spawn_file_actions_init(&fa);
	(void)posix_spawn_file_actions_adddup2(&fa, fds[1], STDOUT_FILENO);
	(void)posix_spawn_file_actions_addopen(&fa, STDIN_FILENO, "/dev/null",
	    O_RDONLY, 0);
	(void)posix_spawnattr_init(&attr);
	(void)posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETPGROUP);
	rc = posix_spawn(&pid, "/bin/sh", &fa, &attr, argv, environ);
	(void)posix_spawn_file_actions_destroy(&fa);
	(void)posix_spawnattr_destroy(&attr);
	(void)close(fds[1]);
	if (rc != 0) {
		(void)close(fds[0]);
		return (err_set(e, ERR_CONFIG, "secret command: %s",
		    strerror(rc)));
	}
	n = read_pipe(fds[0], tmp, SECRET_MAX);
	(void)close(fds[0]);
	if (n == 0)
		(void)kill(-pid, SIGKILL);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		continue;
	if (n == 0 || !WIFEXITED(status) || WEXITSTATUS(status) != 0) {
		explicit_bzero(tmp, sizeof(tmp));
		return (err_set(e, ERR_CONFIG, "secret command \"%.80s\" "
		    "failed or printed nothing in %d s", line,
		    COMMAND_SECONDS));
	}
	*value = take_line(tmp, n);
	return (0);
}

static int
resolve(const char *ref, char **value, struct err *e)
{
	const char *dir = getenv("CREDENTIALS_DIRECTORY"), *s;
	char *path;
	int rc;

	if (strncmp(ref, "env:", 4) == 0) {
		s = getenv(ref + 4);
		if (s == NULL || s[0] == '\0')
			return (err_set(e, ERR_CONFIG, "environment variable "
			    "%s is not set", ref + 4));
		*value = must_strdup(s);
		return (0);
	}
	if (strncmp(ref, "file:", 5) == 0)
		return (read_file(ref + 5, value, e));
	if (strncmp(ref, "command:", 8) == 0)
		return (run_command(ref + 8, value, e));
	if (dir == NULL || strchr(ref + 11, '/') != NULL)
		return (err_set(e, ERR_CONFIG, "credential %s: not run with "
		    "$CREDENTIALS_DIRECTORY", ref + 11));
	path = must_sprintf("%s/%s", dir, ref + 11);
	rc = read_file(path, value, e);
	free(path);
	return (rc);
}

int
conf_secret(const struct conf *c, const char *path, char **value,
    struct err *e)
{
	const struct conf_value *v = conf_get(c, path);
	int rc;

	*value = NULL;
	MUST(v->opt->type == CONF_SECRET);
	if (!v->set)
		return (err_set(e, ERR_CONFIG, "%s: %s is missing",
		    conf_file(c), path));
	rc = resolve(v->text, value, e);
	if (rc != 0) {
		(void)err_wrap(e, "%s", path);
		if (e != NULL)
			e->code = ERR_CONFIG;
		rc = ERR_CONFIG;
	}
	return (rc);
}

void
conf_secret_free(char *s)
{

	if (s == NULL)
		return;
	explicit_bzero(s, strlen(s));
	free(s);
}
