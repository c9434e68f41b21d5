/* Errors and messages. */
#include "config.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/err.h"
#include "base/msg.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static void
table(void **state)
{
	(void)state;
#define X(c, n, t, k, x)                                                      \
	assert_string_equal(err_text(c), t);                                  \
	assert_int_equal(err_class(c), ERR_CLASS_##k);                        \
	assert_int_equal(err_exit_status(c), x);
	ERR_TABLE(X)
#undef X
	assert_int_equal(err_exit_status(0), 0);
	assert_int_equal(err_exit_status(-99), 70);
	assert_int_equal(err_exit_status(1), 70);
	assert_int_equal(err_class(-99), ERR_CLASS_STOP);
	assert_string_equal(err_text(-99), "unknown error");
}

static void
texts(void **state)
{
	struct err e = ERR_INIT;
	size_t n;
	int i;

	(void)state;
	assert_int_equal(err_set(&e, ERR_DATA, "bad %d\nline\n", 5), ERR_DATA);
	assert_string_equal(e.text, "bad 5 line");
	assert_int_equal(err_wrap(&e, "file %s", "x"), ERR_DATA);
	assert_string_equal(e.text, "file x: bad 5 line");
	err_set(&e, ERR_IO, "again: %s", e.text);	/* own text */
	assert_string_equal(e.text, "again: file x: bad 5 line");
	err_wrap(&e, "%s", e.text);
	assert_string_equal(e.text,
	    "again: file x: bad 5 line: again: file x: bad 5 line");
	for (i = 0; i < 100; i++)
		err_wrap(&e, "%s", "level upon level");
	n = strlen(e.text);
	assert_int_equal(n, sizeof(e.text) - 1);
	assert_string_equal(e.text + n - 3, "...");
	assert_int_equal(e.code, ERR_IO);
	/* Without a struct, and without a cause. */
	assert_int_equal(err_set(NULL, ERR_DATA, "x"), ERR_DATA);
	assert_int_equal(err_wrap(NULL, "x"), ERR_INTERNAL);
	e = (struct err)ERR_INIT;
	assert_int_equal(err_wrap(&e, "x"), ERR_INTERNAL);
	assert_string_equal(e.text, "x: internal error");
}

static void
system_calls(void **state)
{
	static const struct {
		int errnum, code;
	} rows[] = {
		{ ENOSPC, ERR_NOSPACE }, { EDQUOT, ERR_NOSPACE },
		{ ENOENT, ERR_NOTFOUND }, { EEXIST, ERR_EXISTS },
		{ ENOMEM, ERR_NOMEM }, { EACCES, ERR_CREATE },
		{ EPERM, ERR_CREATE }, { EROFS, ERR_CREATE },
		{ EIO, ERR_IO }, { EISDIR, ERR_IO },
	};
	struct err e;
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(rows); i++) {
		assert_int_equal(err_sys(&e, rows[i].errnum, "open %s", "f"),
		    rows[i].code);
		assert_int_equal(e.code, rows[i].code);
		assert_int_equal(err_sys(NULL, rows[i].errnum, "x"),
		    rows[i].code);
	}
	err_sys(&e, ENOENT, "open %s", "f");
	assert_string_equal(e.text, "open f: No such file or directory");
}

static void
count_calls(void *cookie)
{
	(*(int *)cookie)++;
}

/* What the messages of one run in a format wrote to stderr. */
static void
capture(enum msg_format format, enum msg_level level, char *out, size_t size)
{
	int pipes[2], saved, calls = 0;
	ssize_t n;

	assert_int_equal(pipe(pipes), 0);
	saved = dup(STDERR_FILENO);
	dup2(pipes[1], STDERR_FILENO);
	msg_setup("garner", level, format);
	msg_hook(count_calls, &calls);
	errno = ENOENT;
	msg_error("compact", "cannot \"open\" %s", "a\\b\n\x1b\xff");
	msg_debug("loop", "turn");
	msg_warn(NULL, "odd");
	assert_int_equal(errno, ENOENT);
	msg_hook(NULL, NULL);
	dup2(saved, STDERR_FILENO);
	close(saved);
	close(pipes[1]);
	n = read(pipes[0], out, size - 1);
	assert_true(n >= 0);
	out[n] = '\0';
	close(pipes[0]);
	assert_int_equal(calls, level == MSG_DEBUG ? 3 :
	    level == MSG_ERROR ? 1 : 2);
}

static void
messages(void **state)
{
	char text[2000];

	(void)state;
	capture(MSG_TEXT, MSG_INFO, text, sizeof(text));
	assert_string_equal(text, "garner: error: compact: cannot \"open\" "
	    "a\\b\\x0a\\x1b\\xff\ngarner: warn: odd\n");
	capture(MSG_TEXT, MSG_ERROR, text, sizeof(text));
	assert_null(strstr(text, "warn"));
	capture(MSG_TEXT, MSG_DEBUG, text, sizeof(text));
	assert_non_null(strstr(text, "\ngarner: debug: loop: turn\n"));
	capture(MSG_LOGFMT, MSG_INFO, text, sizeof(text));
	assert_memory_equal(text, "ts=2", 4);
	assert_non_null(strstr(text, "Z level=error event=compact msg=\"cannot"
	    " \\\"open\\\" a\\\\b\\x0a\\x1b\\xff\"\n"));
	assert_non_null(strstr(text, " level=warn event=- msg=\"odd\"\n"));
	capture(MSG_JSON, MSG_INFO, text, sizeof(text));
	assert_memory_equal(text, "{\"ts\":\"2", 8);
	assert_non_null(strstr(text, "Z\",\"level\":\"error\",\"event\":"
	    "\"compact\",\"msg\":\"cannot \\\"open\\\" a\\\\b\\u000a\\u001b"
	    "\\ufffd\"}\n"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(table), cmocka_unit_test(texts),
		cmocka_unit_test(system_calls), cmocka_unit_test(messages),
	};

	return (cmocka_run_group_tests(tests, NULL, NULL));
}
