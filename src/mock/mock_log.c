/*
 * The request log. Lines gather in a buffer that is written when it is
 * large, or 20 ms after its first line, so that a test that reads the file
 * soon sees them and a benchmark does not pay for it. A failed write is
 * told once and ends the log.
 */

#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/msg.h"
#include "base/must.h"
#include "base/ticks.h"
#include "codec/json.h"
#include "loop/loop.h"
#include "mock/mock_log.h"

#define FLUSH_BYTES (64u << 10)
#define FLUSH_US 20000

struct mock_log {
	int fd;
	struct buf buf;
	struct loop_timer *timer;
};

static void
flush(void *cookie)
{
	struct mock_log *log = cookie;
	size_t done = 0;
	ssize_t n;

	loop_timer_clear(log->timer);
	while (log->fd != -1 && done < log->buf.len) {
		n = write(log->fd, log->buf.data + done, log->buf.len - done);
		if (n > 0) {
			done += (size_t)n;
		} else if (errno != EINTR) {
			msg_error("log", "cannot write: %s", strerror(errno));
			close(log->fd);
			log->fd = -1;
		}
	}
	buf_clear(&log->buf);
}

struct mock_log *
mock_log_open(struct loop *loop, const char *path, struct err *e)
{
	struct mock_log *log;
	int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);

	if (fd == -1) {
		err_sys(e, errno, "cannot open %s", path);
		return (NULL);
	}
	log = must_calloc(1, sizeof(*log));
	log->fd = fd;
	buf_init(&log->buf, 16 * FLUSH_BYTES);
	log->timer = loop_timer_new(loop, flush, log);
	return (log);
}

void
mock_log_close(struct mock_log *log)
{
	if (log == NULL)
		return;
	flush(log);
	if (log->fd != -1)
		close(log->fd);
	loop_timer_free(log->timer);
	buf_fini(&log->buf);
	free(log);
}

void
mock_log_request(struct mock_log *log, int64_t now, const char *method,
    const char *route, const char *target, int status, uint64_t items,
    uint64_t bytes, int64_t took_us)
{
	char t[TICKS_TEXT_MAX];

	buf_printf(&log->buf, "{\"time\":\"%s\",\"method\":",
	    ticks_text7(now, t));
	json_put_str(&log->buf, method, strlen(method));
	buf_printf(&log->buf, ",\"route\":\"%s\",\"target\":", route);
	json_put_str(&log->buf, target, strlen(target));
	buf_printf(&log->buf, ",\"status\":%d,\"items\":%llu,\"bytes\":%llu,"
	    "\"us\":%lld}\n", status, (unsigned long long)items,
	    (unsigned long long)bytes, (long long)took_us);
	if (log->buf.len >= FLUSH_BYTES)
		flush(log);
	else if (!loop_timer_pending(log->timer))
		loop_timer_set(log->timer, FLUSH_US);
}
