/*
 * Messages: format the text, dress it as the process was told, and hand the
 * line to the kernel in one write(2), so that lines of threads and of
 * processes on one terminal do not mix. A lock keeps the hook and its line
 * together; the hook must not write messages itself. Texts that are too
 * long are cut. What stderr refuses is lost.
 *
 * The one process-wide state of the program lives here.
 */
#include "config.h"

#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/msg.h"
#include "base/text_int.h"
#include "base/ticks.h"

#define TEXT_MAX 2048
#define LINE_MAX_BYTES (TEXT_MAX * 6 + 512)	/* all of it escaped */

static struct {
	pthread_mutex_t lock;
	const char *program;	/* the caller's, lives as long as we do */
	enum msg_level level;
	enum msg_format format;
	void (*before)(void *);
	void *cookie;
} state = {
	.lock = PTHREAD_MUTEX_INITIALIZER,
	.program = "garner",
	.level = MSG_INFO,
	.format = MSG_TEXT,
};

void
msg_setup(const char *program, enum msg_level level, enum msg_format format)
{
	state.program = program;
	state.level = level;
	state.format = format;
}

void
msg_hook(void (*before)(void *), void *cookie)
{
	pthread_mutex_lock(&state.lock);
	state.before = before;
	state.cookie = cookie;
	pthread_mutex_unlock(&state.lock);
}

static const char *
level_text(enum msg_level level)
{
	static const char *const text[] = {
		[MSG_ERROR] = "error", [MSG_WARN] = "warn",
		[MSG_INFO] = "info", [MSG_DEBUG] = "debug",
	};

	return (text[level]);
}

/*
 * Text into a line. Control characters and broken UTF-8 never pass; quotes
 * and backslashes are marked where the format quotes (quoted = true).
 */
static void
put_text(struct buf *line, const char *p, bool quoted, bool json)
{
	size_t n, len = strlen(p);
	uint32_t code = 0;

	for (; len > 0; p += n, len -= n) {
		n = text_utf8_step(p, len, &code);
		if (n == 0 && json) {
			buf_puts(line, "\\ufffd");
			n = 1;
		} else if (n == 0 || code < 0x20 || code == 0x7f) {
			buf_printf(line, json ? "\\u%04x" : "\\x%02x",
			    (unsigned)(uint8_t)*p);
			n = 1;
		} else {
			if (quoted && (code == '"' || code == '\\'))
				buf_u8(line, '\\');
			buf_put(line, p, n);
		}
	}
}

static const char *
now_text(char *text)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return (ticks_text7((int64_t)ts.tv_sec * TICKS_PER_S +
	    ts.tv_nsec / 100, text));
}

static void
put_line(struct buf *line, enum msg_level level, const char *where,
    const char *text)
{
	bool json = state.format == MSG_JSON;
	char ts[TICKS_TEXT_MAX];

	if (state.format == MSG_TEXT) {
		buf_printf(line, "%s: %s: ", state.program,
		    level_text(level));
		if (where[0] != '\0')
			buf_printf(line, "%s: ", where);
		put_text(line, text, false, false);
		buf_puts(line, "\n");
		return;
	}
	buf_printf(line, json ? "{\"ts\":\"%s\",\"level\":\"%s\","
	    "\"event\":\"" : "ts=%s level=%s event=", now_text(ts),
	    level_text(level));
	put_text(line, where[0] != '\0' ? where : "-", json, json);
	buf_puts(line, json ? "\",\"msg\":\"" : " msg=\"");
	put_text(line, text, true, json);
	buf_puts(line, json ? "\"}\n" : "\"\n");
}

static void
write_all(const uint8_t *p, size_t n)
{
	ssize_t got;

	while (n > 0) {
		got = write(STDERR_FILENO, p, n);
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return;
		p += got;
		n -= (size_t)got;
	}
}

/* Without memory, and so without escapes: what could be harmful becomes a
 * question mark. */
static void
write_plain(enum msg_level level, const char *where, const char *text)
{
	char line[TEXT_MAX];
	size_t i, n;

	(void)snprintf(line, sizeof(line) - 1, "%s: %s: %s: %s",
	    state.program, level_text(level), where, text);
	n = strlen(line);
	for (i = 0; i < n; i++)
		if (line[i] < 0x20 || line[i] == 0x7f)
			line[i] = '?';
	line[n++] = '\n';
	write_all((const uint8_t *)line, n);
}

static void __attribute__((format(printf, 3, 0)))
say(enum msg_level level, const char *where, const char *fmt, va_list ap)
{
	char text[TEXT_MAX];
	struct buf line;
	int n, saved = errno;

	if (level > state.level)
		return;
	n = vsnprintf(text, sizeof(text), fmt, ap);
	if (n < 0)
		text[0] = '\0';
	else if (n >= (int)sizeof(text))
		strcpy(text + sizeof(text) - 4, "...");
	buf_init(&line, LINE_MAX_BYTES);
	put_line(&line, level, where != NULL ? where : "", text);
	pthread_mutex_lock(&state.lock);
	if (state.before != NULL)
		state.before(state.cookie);
	if (line.error == 0)
		write_all(line.data, line.len);
	else
		write_plain(level, where != NULL ? where : "", text);
	pthread_mutex_unlock(&state.lock);
	buf_fini(&line);
	errno = saved;
}

void
msg_error(const char *where, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	say(MSG_ERROR, where, fmt, ap);
	va_end(ap);
}

void
msg_warn(const char *where, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	say(MSG_WARN, where, fmt, ap);
	va_end(ap);
}

void
msg_info(const char *where, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	say(MSG_INFO, where, fmt, ap);
	va_end(ap);
}

void
msg_debug(const char *where, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	say(MSG_DEBUG, where, fmt, ap);
	va_end(ap);
}
