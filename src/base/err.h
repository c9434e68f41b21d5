#ifndef BASE_ERR_H
#define BASE_ERR_H

/*
 * Errors. What can fail returns int: 0, or a negative ERR_* code. Where a
 * person will read it, the last parameter is a struct err *, which the
 * failing level fills and each level above puts its own words in front of:
 *
 *	if ((rc = journal_block_decode(...)) != 0)
 *		return (err_wrap(e, "%s at %llu", path, off));
 *
 * A struct err * may always be NULL. A failure is reported once, by the
 * level that decides what happens next.
 */

#include <stdbool.h>
#include <stddef.h>

/* What to do about it. */
enum err_class {
	ERR_CLASS_RETRY,	/* the same thing may work later */
	ERR_CLASS_REJECT,	/* this item is bad, the others go on */
	ERR_CLASS_STOP,		/* the program cannot go on */
};

/*  code, number, short text, class, exit status (sysexits(3)) */
#define ERR_TABLE(X)                                                          \
	X(ERR_USAGE, -1, "wrong usage", STOP, 64)                             \
	X(ERR_CONFIG, -2, "bad configuration", STOP, 78)                      \
	X(ERR_CORRUPT, -3, "damaged data", STOP, 65)                          \
	X(ERR_NOTFOUND, -4, "not found", REJECT, 66)                          \
	X(ERR_CREATE, -5, "cannot create", STOP, 73)                          \
	X(ERR_IO, -6, "input/output error", STOP, 74)                         \
	X(ERR_NOSPACE, -7, "no space left", STOP, 74)                         \
	X(ERR_BUSY, -8, "locked by another", RETRY, 75)                       \
	X(ERR_CONNECT, -9, "connection failed", RETRY, 69)                    \
	X(ERR_TIMEOUT, -10, "timed out", RETRY, 69)                           \
	X(ERR_RATE, -11, "rate limited", RETRY, 75)                           \
	X(ERR_SERVER, -12, "server error", RETRY, 69)                         \
	X(ERR_ANSWER, -13, "bad answer", RETRY, 69)                           \
	X(ERR_AUTH, -14, "not authorized", STOP, 77)                          \
	X(ERR_FORBIDDEN, -15, "permission denied", REJECT, 77)                \
	X(ERR_REQUEST, -16, "request refused", REJECT, 69)                    \
	X(ERR_GONE, -17, "gone", REJECT, 69)                                  \
	X(ERR_UNSUPPORTED, -18, "unsupported", REJECT, 69)                    \
	X(ERR_LIMIT, -19, "too large", REJECT, 65)                            \
	X(ERR_DATA, -20, "bad input", REJECT, 65)                             \
	X(ERR_NOMEM, -21, "out of memory", STOP, 71)                          \
	X(ERR_CANCELLED, -22, "cancelled", STOP, 130)                         \
	X(ERR_EXISTS, -23, "exists already", REJECT, 73)                      \
	X(ERR_INTERNAL, -24, "internal error", STOP, 70)                      \
	X(ERR_TLS, -25, "TLS failure", STOP, 69)

enum {
#define X(c, n, t, k, x) c = n,
	ERR_TABLE(X)
#undef X
};

struct err {
	int code;		/* 0 or ERR_* */
	char text[1000];	/* one line, escaped, no newline at the end */
};

#define ERR_INIT { 0, "" }

/* Set code and text (replacing what was there); returns code. */
int err_set(struct err *, int code, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/*
 * As err_set() for a failed system call: appends ": strerror" and chooses
 * the code by errnum: ENOSPC/EDQUOT ERR_NOSPACE, ENOENT ERR_NOTFOUND,
 * EEXIST ERR_EXISTS, ENOMEM ERR_NOMEM, EACCES/EPERM/EROFS ERR_CREATE,
 * otherwise ERR_IO.
 */
int err_sys(struct err *, int errnum, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/*
 * Put "text: " in front; returns e->code, ERR_INTERNAL when that is 0 or e is
 * NULL: where e may be NULL, keep the code of the failed call instead.
 */
int err_wrap(struct err *, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

const char *err_text(int code);
enum err_class err_class(int code);
int err_exit_status(int code);	/* 0 for 0, 70 for an unknown code */

#endif
