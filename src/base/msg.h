#ifndef BASE_MSG_H
#define BASE_MSG_H

/*
 * Messages for people: one line each on stderr, results never go here.
 *
 *	garner: error: compact: cannot open ...
 *
 * error = someone must act, warn = we coped, info = start, stop, summaries,
 * debug = off by default. With format MSG_LOGFMT a line is
 * ts=... level=... event=... msg="..."; with MSG_JSON an object.
 *
 * The level and format of the process are set once by main(), before any
 * thread starts; until then info and text. (The one process-wide state.)
 */

enum msg_level { MSG_ERROR, MSG_WARN, MSG_INFO, MSG_DEBUG };
enum msg_format { MSG_TEXT, MSG_LOGFMT, MSG_JSON };

void msg_setup(const char *program, enum msg_level, enum msg_format);
/* Called before each line is written, e.g. to wipe a progress bar; or NULL. */
void msg_hook(void (*before)(void *), void *cookie);

/* `where` is a module or event word, such as "harvest". */
void msg_error(const char *where, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
void msg_warn(const char *where, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
void msg_info(const char *where, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
void msg_debug(const char *where, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

#endif
