#ifndef MOCK_LOG_H
#define MOCK_LOG_H

/* The request log: lines of JSON, written in blocks. */

#include <stdint.h>

struct err;
struct loop;
struct mock_log;

/* NULL with the reason in err. */
struct mock_log *mock_log_open(struct loop *, const char *path, struct err *);
void mock_log_close(struct mock_log *);	/* NULL: nothing */
void mock_log_request(struct mock_log *, int64_t now, const char *method,
    const char *route, const char *target, int status, uint64_t items,
    uint64_t bytes, int64_t took_us);

#endif
