/*
 * The end of the road: a failed assertion aborts, memory that is not to be
 * had exits with 71. Both write one line with write(2) and run no handlers,
 * because the state of the program is not to be trusted any more; what the
 * journal has synced stays valid.
 */
#include "config.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/must.h"

#define EXIT_NOMEM 71

static void
say(const char *line, int n)
{
	ssize_t rc;

	if (n > 0) {
		rc = write(STDERR_FILENO, line, (size_t)n);
		(void)rc;
	}
}

_Noreturn void
must_fail(const char *expr, const char *file, int line)
{
	char text[512];
	int n;

	n = snprintf(text, sizeof(text), "%s: assertion failed: %.300s "
	    "(%.100s:%d)\n", program_invocation_short_name, expr, file, line);
	say(text, n < (int)sizeof(text) ? n : (int)sizeof(text) - 1);
	abort();
}

_Noreturn void
must_no_memory(void)
{
	char text[256];
	int n;

	n = snprintf(text, sizeof(text), "%.100s: error: out of memory\n",
	    program_invocation_short_name);
	say(text, n);
	_exit(EXIT_NOMEM);
}

void *
must_calloc(size_t n, size_t size)
{
	void *p;

	if ((p = calloc(n > 0 ? n : 1, size > 0 ? size : 1)) == NULL)
		must_no_memory();
	return (p);
}

void *
must_realloc(void *old, size_t n, size_t size)
{
	void *p;
	size_t bytes;

	if (__builtin_mul_overflow(n, size, &bytes))
		must_no_memory();
	if ((p = realloc(old, bytes > 0 ? bytes : 1)) == NULL)
		must_no_memory();
	return (p);
}

char *
must_strdup(const char *s)
{
	return (must_strndup(s, strlen(s)));
}

char *
must_strdup_if(const char *s)
{
	return (s == NULL ? NULL : must_strdup(s));
}

char *
must_strndup(const char *s, size_t max)
{
	size_t n = strnlen(s, max);
	char *p = must_realloc(NULL, n + 1, 1);

	memcpy(p, s, n);
	p[n] = '\0';
	return (p);
}

char *
must_sprintf(const char *fmt, ...)
{
	va_list ap;
	char *p;
	int n;

	va_start(ap, fmt);
	n = vasprintf(&p, fmt, ap);
	va_end(ap);
	if (n < 0)
		must_no_memory();
	return (p);
}
