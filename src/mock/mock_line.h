#ifndef MOCK_LINE_H
#define MOCK_LINE_H

/*
 * The line before a server of limited capacity: so many requests are served
 * at once, the others wait in the order they came.
 *
 * Service takes `latency`, and more when more than `collapse` requests are
 * in flight (served or waiting): with n of them, (n / collapse) squared
 * times as long, so that beyond it the server does less the more is asked.
 */

#include <stdbool.h>
#include <stdint.h>

struct mock_line;

struct mock_line_options {
	uint32_t capacity;		/* 0: no limit */
	uint32_t collapse;		/* 0: never */
	int64_t latency_us;
};

/* One request's place, owned by it; zeroed before its first use. */
struct mock_turn {
	struct mock_turn *next;
	struct mock_turn **prev;
	enum { MOCK_TURN_NONE, MOCK_TURN_WAITS, MOCK_TURN_SERVED } state;
	int64_t extra_us;
	void *cookie;
};

/* Told when a turn is served, and how long that takes; it is to leave then.
 * May be called from inside enter and leave. */
typedef void mock_line_fn(void *cookie, int64_t service_us);

struct mock_line *mock_line_new(const struct mock_line_options *,
    mock_line_fn *);
void mock_line_free(struct mock_line *);
/* extra_us is added to the service. */
void mock_line_enter(struct mock_line *, struct mock_turn *,
    int64_t extra_us, void *cookie);
/* Served or not; of a turn that is in no line: nothing. */
void mock_line_leave(struct mock_line *, struct mock_turn *);

#endif
