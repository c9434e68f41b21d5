#ifndef CONF_TEST_H
#define CONF_TEST_H

/* A folder with a garner.yaml, and what all conf tests include. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/err.h"
#include "base/must.h"
#include "conf/conf.h"
#include "sys/sys.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define TEST(f) cmocka_unit_test_setup_teardown(f, place_setup, place_teardown)

struct place {
	char dir[256];
	char file[300];		/* dir/garner.yaml */
};

/* No settings from the environment of whoever runs the tests. */
static inline void
env_clear(void)
{
	static const char *const keep[] = { "PATH", "TMPDIR", "HOME",
	    "ASAN_OPTIONS", "UBSAN_OPTIONS", "LSAN_OPTIONS" };
	char *values[COUNT(keep)];
	const char *s;
	size_t i;

	for (i = 0; i < COUNT(keep); i++) {
		s = getenv(keep[i]);
		values[i] = s != NULL ? must_strdup(s) : NULL;
	}
	(void)clearenv();
	for (i = 0; i < COUNT(keep); i++)
		if (values[i] != NULL) {
			(void)setenv(keep[i], values[i], 1);
			free(values[i]);
		}
}

static inline int
place_setup(void **state)
{
	const char *tmp = getenv("TMPDIR");
	struct place *p = must_calloc(1, sizeof(*p));

	env_clear();
	(void)snprintf(p->dir, sizeof(p->dir), "%s/test-conf-XXXXXX",
	    tmp != NULL ? tmp : "/tmp");
	if (mkdtemp(p->dir) == NULL) {
		free(p);
		return (-1);
	}
	(void)snprintf(p->file, sizeof(p->file), "%s/garner.yaml", p->dir);
	*state = p;
	return (0);
}

static inline int
place_teardown(void **state)
{
	struct place *p = *state;
	int rc = sys_remove_tree(p->dir, NULL);

	free(p);
	env_clear();
	return (rc);
}

static inline void
place_write(const struct place *p, const char *text)
{

	assert_int_equal(sys_write_file(sys_posix(), p->file, text,
	    strlen(text), true, NULL), 0);
}

/* Loads it, or fails with the message. */
static inline struct conf *
place_load(const struct place *p, const char *text)
{
	struct err e = ERR_INIT;
	struct conf *c;

	place_write(p, text);
	if (conf_load(p->file, &c, &e) != 0)
		fail_msg("%s", e.text);
	return (c);
}

/* It is refused with exactly this, the folder left out. */
static inline void
place_refused(const struct place *p, const char *text, const char *want)
{
	struct err e = ERR_INIT;
	struct conf *c;
	size_t n = strlen(p->dir) + 1;
	const char *got;

	place_write(p, text);
	assert_int_equal(conf_load(p->file, &c, &e), ERR_CONFIG);
	assert_null(c);
	assert_int_equal(e.code, ERR_CONFIG);
	got = e.text;
	if (strncmp(got, p->file, n) == 0)
		got += n;
	assert_string_equal(got, want);
}

#endif
