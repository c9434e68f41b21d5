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

#include "base/base_limits.h"
#include "base/err.h"
#include "base/must.h"
#include "conf/conf.h"

#define SECRET_MAX BOUND_SECRET
#define COMMAND_SECONDS BOUND_SECRET_S

/* Up to the first line end, NULL when that is nothing; wipes the rest. */
static char *
take_line(char *tmp, size_t n)
{
	char *s = NULL;

	tmp[n] = '\0';
	tmp[strcspn(tmp, "\r\n")] = '\0';
	if (tmp[0] != '\0')
		s = must_strdup(tmp);
	explicit_bzero(tmp, SECRET_MAX + 1);
	return (s);
}

/* A regular file, and, unless systemd guards it, for its owner only. */
static int
check_file(int fd, const char *path, bool guarded, struct err *e)
{
	struct stat st;

	if (fstat(fd, &st) != 0)
		return (err_sys(e, errno, "secret file %s", path));
	if (!S_ISREG(st.st_mode))
		return (err_set(e, ERR_CONFIG, "secret file %s is no file",
		    path));
	if (!guarded && (st.st_mode & 077) != 0)
		return (err_set(e, ERR_CONFIG, "secret file %s: others can "
		    "read it (mode %03o); run: chmod 600 on it", path,
		    (unsigned)st.st_mode & 0777));
	if (st.st_size > SECRET_MAX)
		return (err_set(e, ERR_CONFIG, "secret file %s has more than "
		    "%d bytes", path, SECRET_MAX));
	return (0);
}

static int
read_file(const char *path, bool guarded, char **value, struct err *e)
{
	char tmp[SECRET_MAX + 1];
	ssize_t n = 0;
	int fd, rc;

	/* O_NONBLOCK: a pipe by that name must not hold us. */
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (fd < 0)
		return (err_sys(e, errno, "secret file %s", path));
	if ((rc = check_file(fd, path, guarded, e)) == 0 &&
	    (n = read(fd, tmp, SECRET_MAX)) < 0)
		rc = err_sys(e, errno, "secret file %s", path);
	(void)close(fd);
	if (rc != 0)
		return (rc);
	*value = take_line(tmp, (size_t)n);
	if (*value == NULL)
		return (err_set(e, ERR_CONFIG, "secret file %s is empty",
		    path));
	return (0);
}

static int64_t
now_ms(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return ((int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000);
}

/* What the command prints until `end`; its length. */
static size_t
read_pipe(int fd, char *tmp, size_t max, int64_t end)
{
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

/* Its exit status; -1 when it was killed, by us after `end`. */
static int
wait_command(pid_t pid, int64_t end)
{
	int status = -1;
	pid_t got;

	while ((got = waitpid(pid, &status, WNOHANG)) == 0 && now_ms() < end)
		(void)poll(NULL, 0, 5);
	if (got == 0) {
		(void)kill(-pid, SIGKILL);
		while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
			continue;
	}
	return (WIFEXITED(status) ? WEXITSTATUS(status) : -1);
}

/* In a process group of its own, so that it can be ended whole. */
static int
spawn(const char *line, int out, pid_t *pid)
{
	char *argv[] = { (char *)(uintptr_t)"sh", (char *)(uintptr_t)"-c",
	    (char *)(uintptr_t)line, NULL };
	posix_spawn_file_actions_t fa;
	posix_spawnattr_t attr;
	sigset_t none, pipes;
	int rc;

	/* Workers hold signals back, main() ignores one: the command is to
	 * have them as usual. */
	(void)sigemptyset(&none);
	(void)sigemptyset(&pipes);
	(void)sigaddset(&pipes, SIGPIPE);
	(void)posix_spawn_file_actions_init(&fa);
	(void)posix_spawn_file_actions_adddup2(&fa, out, STDOUT_FILENO);
	(void)posix_spawn_file_actions_addopen(&fa, STDIN_FILENO, "/dev/null",
	    O_RDONLY, 0);
	(void)posix_spawnattr_init(&attr);
	(void)posix_spawnattr_setsigmask(&attr, &none);
	(void)posix_spawnattr_setsigdefault(&attr, &pipes);
	(void)posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETPGROUP |
	    POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
	rc = posix_spawn(pid, "/bin/sh", &fa, &attr, argv, environ);
	(void)posix_spawn_file_actions_destroy(&fa);
	(void)posix_spawnattr_destroy(&attr);
	return (rc);
}

static int
run_command(const char *line, char **value, struct err *e)
{
	char tmp[SECRET_MAX + 1];
	int64_t end = now_ms() + COMMAND_SECONDS * 1000;
	int fds[2], rc;
	size_t n;
	pid_t pid;

	if (pipe2(fds, O_CLOEXEC) != 0)
		return (err_sys(e, errno, "pipe"));
	rc = spawn(line, fds[1], &pid);
	(void)close(fds[1]);
	if (rc != 0) {
		(void)close(fds[0]);
		return (err_sys(e, rc, "secret command"));
	}
	n = read_pipe(fds[0], tmp, SECRET_MAX, end);
	(void)close(fds[0]);
	rc = wait_command(pid, end);
	*value = take_line(tmp, n);
	if (rc == 0 && *value != NULL)
		return (0);
	conf_secret_free(*value);
	*value = NULL;
	if (rc == 0)
		return (err_set(e, ERR_CONFIG, "secret command \"%.80s\" "
		    "printed nothing", line));
	if (rc > 0)
		return (err_set(e, ERR_CONFIG, "secret command \"%.80s\" "
		    "failed with status %d", line, rc));
	return (err_set(e, ERR_CONFIG, "secret command \"%.80s\" was killed, "
	    "by us if it took more than %d s", line, COMMAND_SECONDS));
}

static int
read_credential(const char *name, char **value, struct err *e)
{
	const char *dir = getenv("CREDENTIALS_DIRECTORY");
	char *path;
	int rc;

	if (strchr(name, '/') != NULL)
		return (err_set(e, ERR_CONFIG, "credential %s: a name has no "
		    "slash", name));
	if (dir == NULL || dir[0] == '\0')
		return (err_set(e, ERR_CONFIG, "credential %s: there is no "
		    "$CREDENTIALS_DIRECTORY; a systemd unit with "
		    "LoadCredential= has one", name));
	path = must_sprintf("%s/%s", dir, name);
	rc = read_file(path, true, value, e);
	free(path);
	return (rc);
}

static int
read_env(const char *name, char **value, struct err *e)
{
	const char *s = getenv(name);

	if (s == NULL || s[0] == '\0')
		return (err_set(e, ERR_CONFIG, "environment variable %s is "
		    "not set", name));
	*value = must_strdup(s);
	return (0);
}

static int
resolve(const char *ref, char **value, struct err *e)
{

	if (strncmp(ref, "env:", 4) == 0)
		return (read_env(ref + 4, value, e));
	if (strncmp(ref, "file:", 5) == 0)
		return (read_file(ref + 5, false, value, e));
	if (strncmp(ref, "command:", 8) == 0)
		return (run_command(ref + 8, value, e));
	MUST(strncmp(ref, "credential:", 11) == 0);
	return (read_credential(ref + 11, value, e));
}

int
conf_secret(const struct conf *c, const char *path, char **value,
    struct err *e)
{
	const struct conf_value *v = conf_get(c, path);

	*value = NULL;
	MUST(v->opt->type == CONF_SECRET);
	if (!v->set)
		return (err_set(e, ERR_CONFIG, "%s: %s is missing",
		    conf_file(c), path));
	if (resolve(v->text, value, e) == 0)
		return (0);
	(void)err_wrap(e, "%s", path);
	if (e != NULL)
		e->code = ERR_CONFIG;
	return (ERR_CONFIG);
}

void
conf_secret_free(char *s)
{

	if (s == NULL)
		return;
	explicit_bzero(s, strlen(s));
	free(s);
}
