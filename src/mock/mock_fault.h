#ifndef MOCK_FAULT_H
#define MOCK_FAULT_H

/*
 * Faults on demand: ROUTE:KIND[:KEY=VALUE]...
 *
 * ROUTE is a whole route ("streamsets/recorded"), its last word
 * ("recorded") or *. KIND is a status from 200 to 599 or a name of the table
 * in mock_fault_kind.c; keys stand in the table in mock_fault.c, and all of
 * them in garner-mock(1).
 *
 * A fault acts in up to three places: instead of the handler, on the body
 * that came of it, and on how the answer is sent.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

struct err;
struct mock_fault;
struct mock_faults;
struct mock_head;
struct mock_options;
struct mock_req;
struct mock_resp;

/* NULL: a bad specification, or a file that cannot be read. */
struct mock_faults *mock_faults_new(const struct mock_options *,
    struct err *);
void mock_faults_free(struct mock_faults *);
/* Lines of a script in place of all faults there are; on ERR_USAGE they
 * stay. */
int mock_faults_set(struct mock_faults *, const char *text, size_t len,
    struct err *);
/* What is due for a request to r->route, or NULL. A copy in the request's
 * arena; delays of kind `slow` are in r->delay_ms already. */
const struct mock_fault *mock_faults_due(struct mock_faults *,
    const struct mock_req *, struct mock_resp *);

/* Before the handler; true: it is not to run, the answer is written. */
bool mock_fault_answer(const struct mock_fault *, const struct mock_req *,
    struct mock_resp *);
/* After it: spoils the body, and marks r->fault when it is to be sent by
 * mock_fault_wire(). */
void mock_fault_body(const struct mock_fault *, struct mock_resp *);

enum mock_end { MOCK_END_KEEP, MOCK_END_CLOSE, MOCK_END_RESET };

/* How an answer is sent: `bytes` up to `from` at once, then the rest up to
 * `stop` each_ms apart, one by one, or after hold_ms; then the end. */
struct mock_wire {
	struct buf bytes;
	size_t head_len;		/* of bytes */
	size_t from;
	size_t stop;
	int64_t each_ms;		/* 0: all at once */
	int64_t hold_ms;		/* 0: none, -1: for ever */
	enum mock_end end;
};

/* The whole answer, spoilt. The caller frees wire->bytes. */
void mock_fault_wire(const struct mock_fault *, struct mock_resp *,
    const struct mock_head *, struct mock_wire *);

/* The table, for help: NULL past its end. */
const char *mock_fault_kind(size_t i, const char **what);

#endif
