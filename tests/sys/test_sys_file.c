/*
 * Files: on a real directory, through a table of functions that writes down
 * each call, transfers short pieces, is interrupted, and fails call N. For
 * all N: an error is reported, no temporary file stays, the old file is
 * whole.
 */
#include "config.h"

#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
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
#include "base/ticks.h"
#include "sys/sys.h"

/* The fake: what it did, and where it shall fail. */
struct fake {
	char log[400];		/* a letter a call */
	int calls;
	int fail_at;		/* 1...; 0 never */
	int fail_errno;
	size_t piece;		/* longest transfer; 0: no limit */
	int interrupts;		/* every so many transfers EINTR; 0 never */
	int transfers;
};

struct place {
	char dir[256];
	struct fake fake;
	struct sys sys;
};

static int
hit(struct fake *f, char letter)
{
	f->calls++;
	if (f->calls < (int)sizeof(f->log))
		f->log[f->calls - 1] = letter;
	if (f->calls != f->fail_at)
		return (0);
	errno = f->fail_errno;
	return (-1);
}

static int
fake_open(void *c, const char *path, int flags, int mode)
{
	if (hit(c, flags & O_DIRECTORY ? 'd' : 'o') != 0)
		return (-1);
	return (sys_posix()->open(NULL, path, flags, mode));
}

static int
fake_close(void *c, int fd)
{
	sys_posix()->close(NULL, fd);
	return (hit(c, 'c'));
}

static bool
interrupted(struct fake *f, size_t *n)
{
	if (f->piece > 0 && *n > f->piece)
		*n = f->piece;
	if (f->interrupts == 0 || ++f->transfers % f->interrupts != 0)
		return (false);
	errno = EINTR;
	return (true);
}

static ssize_t
fake_pread(void *c, int fd, void *p, size_t n, int64_t off)
{
	if (hit(c, 'r') != 0 || interrupted(c, &n))
		return (-1);
	return (sys_posix()->pread(NULL, fd, p, n, off));
}

static ssize_t
fake_pwrite(void *c, int fd, const void *p, size_t n, int64_t off)
{
	if (hit(c, 'w') != 0 || interrupted(c, &n))
		return (-1);
	return (sys_posix()->pwrite(NULL, fd, p, n, off));
}

static int
fake_fsync(void *c, int fd)
{
	return (hit(c, 's') != 0 ? -1 : sys_posix()->fsync(NULL, fd));
}

static int64_t
fake_fsize(void *c, int fd)
{
	return (hit(c, 'z') != 0 ? -1 : sys_posix()->fsize(NULL, fd));
}

static int
fake_rename(void *c, const char *from, const char *to)
{
	return (hit(c, 'n') != 0 ? -1 : sys_posix()->rename(NULL, from, to));
}

static int
fake_link(void *c, const char *from, const char *to)
{
	return (hit(c, 'l') != 0 ? -1 : sys_posix()->link(NULL, from, to));
}

static int
fake_unlink(void *c, const char *path)
{
	return (hit(c, 'u') != 0 ? -1 : sys_posix()->unlink(NULL, path));
}

static int
fake_mkdir(void *c, const char *path, int mode)
{
	return (hit(c, 'm') != 0 ? -1 : sys_posix()->mkdir(NULL, path, mode));
}

static int
setup(void **state)
{
	const char *tmp = getenv("TMPDIR");
	struct place *p = must_calloc(1, sizeof(*p));

	snprintf(p->dir, sizeof(p->dir), "%s/test-sys-XXXXXX",
	    tmp != NULL ? tmp : "/tmp");
	if (mkdtemp(p->dir) == NULL) {
		free(p);
		return (-1);
	}
	p->sys = *sys_posix();
	p->sys.cookie = &p->fake;
	p->sys.open = fake_open;
	p->sys.close = fake_close;
	p->sys.pread = fake_pread;
	p->sys.pwrite = fake_pwrite;
	p->sys.fsync = fake_fsync;
	p->sys.fsize = fake_fsize;
	p->sys.rename = fake_rename;
	p->sys.link = fake_link;
	p->sys.unlink = fake_unlink;
	p->sys.mkdir = fake_mkdir;
	*state = p;
	return (0);
}

static int
teardown(void **state)
{
	struct place *p = *state;
	int rc = sys_remove_tree(p->dir, NULL);

	rc |= access(p->dir, F_OK) == 0;
	free(p);
	return (rc);
}

static char *
in(const struct place *p, const char *name)
{
	return (must_sprintf("%s/%s", p->dir, name));
}

static void
expect(const struct place *p, const char *path, const char *want)
{
	char *data;
	size_t n;

	(void)p;
	assert_int_equal(sys_read_file(sys_posix(), path, 1000, &data, &n,
	    NULL), 0);
	assert_int_equal(n, strlen(want));
	assert_string_equal(data, want);
	free(data);
}

static size_t
entries(const char *dir)
{
	char **names;
	size_t n;

	assert_int_equal(sys_list_dir(dir, &names, &n, NULL), 0);
	sys_list_free(names, n);
	return (n);
}

static void
write_and_read(void **state)
{
	struct place *p = *state;
	struct err e = ERR_INIT;
	char *path = in(p, "file"), *data;
	size_t n;

	assert_false(sys_exists(&p->sys, path));
	assert_int_equal(sys_read_file(&p->sys, path, 10, &data, &n, &e),
	    ERR_NOTFOUND);
	assert_null(data);
	assert_non_null(strstr(e.text, path));
	p->fake = (struct fake){ 0 };
	assert_int_equal(sys_write_file(&p->sys, path, "one", 3, false, &e),
	    0);
	/* Content is synced before the name appears, the name afterwards. */
	assert_string_equal(p->fake.log, "owscludsc");
	assert_true(sys_exists(&p->sys, path));
	expect(p, path, "one");
	assert_int_equal(sys_write_file(&p->sys, path, "two", 3, false, &e),
	    ERR_EXISTS);
	expect(p, path, "one");
	p->fake = (struct fake){ .piece = 2, .interrupts = 3 };
	assert_int_equal(sys_write_file(&p->sys, path, "three, long", 11,
	    true, &e), 0);
	assert_int_equal(sys_read_file(&p->sys, path, 11, &data, &n, &e), 0);
	assert_string_equal(data, "three, long");
	free(data);
	assert_int_equal(sys_read_file(&p->sys, path, 10, &data, &n, &e),
	    ERR_LIMIT);
	assert_int_equal(sys_write_file(&p->sys, path, NULL, 0, true, &e), 0);
	expect(p, path, "");
	assert_int_equal(entries(p->dir), 1);
	free(path);
}

/* Each call of a replacing write fails once. */
static void
write_fails(void **state)
{
	struct place *p = *state;
	char *path = in(p, "file");
	struct err e;
	bool replace;
	int at, rc, all;

	for (all = 0; all < 2; all++) {
		replace = all == 1;
		for (at = 1;; at++) {
			sys_remove_tree(p->dir, NULL);
			assert_int_equal(mkdir(p->dir, 0700), 0);
			if (replace)
				assert_int_equal(sys_write_file(sys_posix(),
				    path, "old", 3, true, NULL), 0);
			e = (struct err)ERR_INIT;
			p->fake = (struct fake){ .fail_at = at,
			    .fail_errno = ENOSPC };
			rc = sys_write_file(&p->sys, path, "new", 3, replace,
			    &e);
			if (p->fake.calls < at)
				break;
			/* The last close, and removing the second name,
			 * lose nothing. */
			if (rc == 0) {
				assert_true(strchr("uc",
				    p->fake.log[at - 1]) != NULL);
				expect(p, path, "new");
				continue;
			}
			assert_int_equal(rc, ERR_NOSPACE);
			assert_int_equal(e.code, rc);
			assert_non_null(strstr(e.text, p->dir));
			assert_non_null(strstr(e.text, "No space"));
			assert_int_equal(entries(p->dir),
			    sys_exists(sys_posix(), path));
			if (sys_exists(sys_posix(), path))
				expect(p, path, strchr(p->fake.log, 'd') ?
				    "new" : "old");
		}
		assert_int_equal(rc, 0);
		assert_true(at > 8);
	}
	free(path);
}

static void
read_fails(void **state)
{
	struct place *p = *state;
	char *path = in(p, "file"), *data;
	struct err e;
	size_t n;
	int at, rc;

	assert_int_equal(sys_write_file(sys_posix(), path, "text", 4, true,
	    NULL), 0);
	for (at = 1; at < 4; at++) {
		e = (struct err)ERR_INIT;
		p->fake = (struct fake){ .fail_at = at, .fail_errno = EIO };
		rc = sys_read_file(&p->sys, path, 100, &data, &n, &e);
		assert_int_equal(rc, ERR_IO);
		assert_null(data);
		assert_non_null(strstr(e.text, path));
	}
	free(path);
}

static void
exact_reads(void **state)
{
	struct place *p = *state;
	char *path = in(p, "file"), text[8];
	struct err e = ERR_INIT;
	int fd;

	fd = open(path, O_RDWR | O_CREAT, 0600);
	p->fake = (struct fake){ .piece = 3, .interrupts = 2 };
	assert_int_equal(sys_pwrite_all(&p->sys, fd, "0123456789", 10, 5, &e),
	    0);
	assert_int_equal(sys_pread_all(&p->sys, fd, text, 8, 7, &e), 0);
	assert_memory_equal(text, "23456789", 8);
	assert_int_equal(sys_pread_all(&p->sys, fd, text, 8, 8, &e),
	    ERR_CORRUPT);
	assert_non_null(strstr(e.text, "ends at 15"));
	close(fd);
	free(path);
}

static void
directories(void **state)
{
	struct place *p = *state;
	char *deep = in(p, "a/b//c/"), *file = in(p, "a/file"),
	    *below = in(p, "a/file/x"), **names;
	struct err e = ERR_INIT;
	size_t n;

	assert_int_equal(sys_mkdirs(&p->sys, deep, &e), 0);
	assert_true(sys_exists(&p->sys, deep));
	/* Three made, three parents synced. */
	assert_non_null(strstr(p->fake.log, "mdscmdsc"));
	assert_int_equal(sys_mkdirs(&p->sys, deep, &e), 0);
	assert_int_equal(sys_mkdirs(&p->sys, p->dir, &e), 0);
	assert_int_equal(sys_mkdirs(&p->sys, "/", &e), 0);
	assert_int_equal(sys_write_file(&p->sys, file, "12345", 5, true, &e),
	    0);
	assert_int_equal(sys_mkdirs(&p->sys, file, &e), ERR_CREATE);
	assert_int_not_equal(sys_mkdirs(&p->sys, below, &e), 0);
	assert_non_null(strstr(e.text, "a/file"));
	free(below);
	below = in(p, "a/Z");
	assert_int_equal(symlink("/", below), 0);
	assert_int_equal(sys_tree_bytes(p->dir), 5);
	assert_int_equal(sys_tree_bytes("/nonexistent"), 0);
	free(below);
	below = in(p, "a");
	assert_int_equal(sys_list_dir(below, &names, &n, &e), 0);
	assert_int_equal(n, 3);
	assert_string_equal(names[0], "Z");
	assert_string_equal(names[1], "b");
	assert_string_equal(names[2], "file");
	sys_list_free(names, n);
	assert_int_equal(sys_list_dir("/nonexistent", &names, &n, &e), 0);
	assert_int_equal(n, 0);
	sys_list_free(names, n);
	assert_int_not_equal(sys_list_dir(file, &names, &n, &e), 0);
	assert_int_equal(sys_remove_tree(below, &e), 0);
	assert_false(sys_exists(&p->sys, below));
	assert_true(sys_exists(&p->sys, "/"));
	assert_int_equal(sys_remove_tree(below, &e), 0);
	free(below);
	free(file);
	free(deep);
}

static void
mkdirs_fails(void **state)
{
	struct place *p = *state;
	char *path = in(p, "x/y");
	int at, rc = -1;

	for (at = 1; rc != 0 || p->fake.calls >= at; at++) {
		assert_true(at < 100);
		p->fake = (struct fake){ .fail_at = at, .fail_errno = EIO };
		rc = sys_mkdirs(&p->sys, path, NULL);
		if (rc == 0)
			assert_true(sys_exists(sys_posix(), path));
		else
			assert_int_equal(rc, ERR_IO);
	}
	free(path);
}

static void
clocks_and_uuid(void **state)
{
	const struct sys *sys = sys_posix();
	char a[37], b[37];
	int64_t t;
	size_t i;

	(void)state;
	t = sys->mono_us(NULL);
	assert_true(sys->mono_us(NULL) >= t);
	/* Between 2024 and 2200. */
	assert_in_range(sys->now_ticks(NULL), 19700 * TICKS_PER_DAY,
	    84000 * TICKS_PER_DAY);
	for (i = 0; i < 100; i++) {
		sys_uuid(sys, a);
		sys_uuid(sys, b);
		assert_string_not_equal(a, b);
		assert_int_equal(strlen(a), 36);
		assert_int_equal(strspn(a, "0123456789abcdef-"), 36);
		assert_int_equal(a[14], '4');
		assert_non_null(memchr("89ab", a[19], 4));
		assert_true(a[8] == '-' && a[13] == '-' && a[18] == '-' &&
		    a[23] == '-');
	}
}

static void
large_memory(void **state)
{
	static const size_t fits[] = { 1600 << 10, 2 << 20, 7 << 20 };
	static const size_t no[] = { 1, 1 << 20, (2 << 20) + 1,
		SIZE_MAX - 1, SIZE_MAX };
	size_t i, size;
	uint8_t *p;

	(void)state;
	for (i = 0; i < sizeof(fits) / sizeof(fits[0]); i++) {
		p = sys_large(fits[i], &size);
		assert_non_null(p);
		assert_in_range(size, fits[i], fits[i] + fits[i] / 3);
		p[0] = p[size - 1] = 1;
		free(p);
	}
	for (i = 0; i < sizeof(no) / sizeof(no[0]); i++)
		assert_null(sys_large(no[i], &size));
}

int
main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(write_and_read), TEST(write_fails), TEST(read_fails),
		TEST(exact_reads), TEST(directories), TEST(mkdirs_fails),
		cmocka_unit_test(clocks_and_uuid),
		cmocka_unit_test(large_memory),
	};

	return (cmocka_run_group_tests(tests, NULL, NULL));
}
