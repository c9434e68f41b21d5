/* Locks: within one process, between two, and after a sudden death. */
#include "config.h"

#include <sys/wait.h>

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/err.h"
#include "base/must.h"
#include "sys/sys.h"

struct place {
	char dir[256];
	char path[300];
};

static int
setup(void **state)
{
	const char *tmp = getenv("TMPDIR");
	struct place *p = must_calloc(1, sizeof(*p));

	snprintf(p->dir, sizeof(p->dir), "%s/test-lock-XXXXXX",
	    tmp != NULL ? tmp : "/tmp");
	if (mkdtemp(p->dir) == NULL) {
		free(p);
		return (-1);
	}
	snprintf(p->path, sizeof(p->path), "%s/lock", p->dir);
	*state = p;
	return (0);
}

static int
teardown(void **state)
{
	struct place *p = *state;
	int rc = sys_remove_tree(p->dir, NULL);

	free(p);
	return (rc);
}

static void
expect_pid(const char *path, pid_t pid)
{
	char want[40], *data;
	size_t n;

	snprintf(want, sizeof(want), "pid %ld\n", (long)pid);
	assert_int_equal(sys_read_file(sys_posix(), path, 100, &data, &n,
	    NULL), 0);
	assert_string_equal(data, want);
	free(data);
}

static void
one_process(void **state)
{
	struct place *p = *state;
	struct err e = ERR_INIT;
	char want[40];
	int a, b;

	/* What an earlier owner left is longer than what we write. */
	assert_int_equal(sys_write_file(sys_posix(), p->path,
	    "pid 1 and a lot of rubbish after it", 35, true, NULL), 0);
	assert_int_equal(sys_lock(p->path, &a, &e), 0);
	expect_pid(p->path, getpid());
	assert_int_equal(sys_lock(p->path, &b, &e), ERR_BUSY);
	assert_int_equal(b, -1);
	snprintf(want, sizeof(want), "locked by pid %ld", (long)getpid());
	assert_non_null(strstr(e.text, want));
	assert_non_null(strstr(e.text, p->path));
	sys_unlock(a);
	assert_true(sys_exists(sys_posix(), p->path));
	assert_int_equal(sys_lock(p->path, &b, &e), 0);
	sys_unlock(b);
	sys_unlock(-1);
	assert_int_not_equal(sys_lock("/nonexistent/lock", &a, &e), 0);
}

static void
two_processes(void **state)
{
	struct place *p = *state;
	struct err e = ERR_INIT;
	char want[40], byte;
	int pipes[2], fd, status;
	pid_t pid;

	assert_int_equal(pipe(pipes), 0);
	if ((pid = fork()) == 0) {
		byte = sys_lock(p->path, &fd, NULL) == 0 ? 'y' : 'n';
		if (write(pipes[1], &byte, 1) != 1)
			_exit(1);
		for (;;)
			pause();
	}
	assert_true(pid > 0);
	assert_int_equal(read(pipes[0], &byte, 1), 1);
	assert_int_equal(byte, 'y');
	assert_int_equal(sys_lock(p->path, &fd, &e), ERR_BUSY);
	snprintf(want, sizeof(want), "locked by pid %ld", (long)pid);
	assert_non_null(strstr(e.text, want));
	expect_pid(p->path, pid);	/* the loser changed nothing */
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(sys_lock(p->path, &fd, &e), 0);
	expect_pid(p->path, getpid());
	sys_unlock(fd);
	close(pipes[0]);
	close(pipes[1]);
}

int
main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(one_process), TEST(two_processes),
	};

	return (cmocka_run_group_tests(tests, NULL, NULL));
}
