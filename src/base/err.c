/*
 * Errors: a code for the program, one line of text for a person. Texts are
 * built in a buffer of their own first, so that a caller may pass the old
 * text as an argument of the new one. What does not fit ends in "...";
 * control characters, a newline first of all, become blanks.
 */
#include "config.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"

struct row {
	const char *text;
	enum err_class class;
	int status;
};

/* The table is dense, so that -code is the index. */
static const struct row rows[] = {
	[0] = { "no error", ERR_CLASS_RETRY, 0 },
#define X(c, n, t, k, x) [-(n)] = { t, ERR_CLASS_##k, x },
	ERR_TABLE(X)
#undef X
};

#define NROWS ((int)(sizeof(rows) / sizeof(rows[0])))

static const struct row *
row_of(int code)
{
	if (code > 0 || code <= -NROWS)
		return (&rows[-ERR_INTERNAL]);
	return (&rows[-code]);
}

const char *
err_text(int code)
{
	if (code > 0 || code <= -NROWS)
		return ("unknown error");
	return (row_of(code)->text);
}

enum err_class
err_class(int code)
{
	return (row_of(code)->class);
}

int
err_exit_status(int code)
{
	return (row_of(code)->status);
}

/* Store text, of which snprintf() said it has n bytes. */
static void
put_text(struct err *e, const char *text, int n)
{
	size_t i, len = n > 0 ? (size_t)n : 0;

	if (len >= sizeof(e->text)) {
		len = sizeof(e->text) - 1;
		memcpy(e->text, text, len - 3);
		memcpy(e->text + len - 3, "...", 3);
	} else
		memcpy(e->text, text, len);
	for (i = 0; i < len; i++)
		if ((unsigned char)e->text[i] < 0x20 || e->text[i] == 0x7f)
			e->text[i] = ' ';
	while (len > 0 && e->text[len - 1] == ' ')
		len--;
	e->text[len] = '\0';
}

int
err_set(struct err *e, int code, const char *fmt, ...)
{
	char text[sizeof(e->text)];
	va_list ap;
	int n;

	if (e == NULL)
		return (code);
	va_start(ap, fmt);
	n = vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	put_text(e, text, n);
	e->code = code;
	return (code);
}

static int
code_of(int errnum)
{
	switch (errnum) {
	case ENOSPC:
	case EDQUOT:
		return (ERR_NOSPACE);
	case ENOENT:
		return (ERR_NOTFOUND);
	case EEXIST:
		return (ERR_EXISTS);
	case ENOMEM:
		return (ERR_NOMEM);
	case EACCES:
	case EPERM:
	case EROFS:
		return (ERR_CREATE);
	default:
		return (ERR_IO);
	}
}

int
err_sys(struct err *e, int errnum, const char *fmt, ...)
{
	char what[sizeof(e->text)], text[sizeof(e->text)], why[128];
	va_list ap;
	int n;

	if (e == NULL)
		return (code_of(errnum));
	va_start(ap, fmt);
	n = vsnprintf(what, sizeof(what), fmt, ap);
	va_end(ap);
	if (n < 0)
		what[0] = '\0';
	n = snprintf(text, sizeof(text), "%s: %s", what,
	    strerror_r(errnum, why, sizeof(why)));
	put_text(e, text, n);
	e->code = code_of(errnum);
	return (e->code);
}

int
err_wrap(struct err *e, const char *fmt, ...)
{
	char what[sizeof(e->text)], text[sizeof(e->text)];
	va_list ap;
	int n;

	if (e == NULL)
		return (ERR_INTERNAL);
	/* Whoever wraps has failed: never let a forgotten code mean success. */
	if (e->code == 0)
		e->code = ERR_INTERNAL;
	va_start(ap, fmt);
	n = vsnprintf(what, sizeof(what), fmt, ap);
	va_end(ap);
	if (n < 0)
		what[0] = '\0';
	n = snprintf(text, sizeof(text), "%s: %s", what,
	    e->text[0] != '\0' ? e->text : err_text(e->code));
	put_text(e, text, n);
	return (e->code);
}
