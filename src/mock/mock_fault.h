#ifndef MOCK_FAULT_H
#define MOCK_FAULT_H

/*
 * Faults on demand: ROUTE:KIND[:KEY=N]...
 *
 * ROUTE is a whole route ("streamsets/recorded"), its last word
 * ("recorded") or *. KIND is a status (401, 403, 429, 500, ...), html, cut,
 * reset, slow, webexception or null. Keys: count (so many times),
 * after (not before so many requests), every (each Nth), p (probability),
 * ms (of slow, default 1000), retry (Retry-After of a status).
 */

#include <stdbool.h>
#include <stdint.h>

struct err;
struct mock_faults;
struct mock_options;
struct mock_resp;

/* NULL: a bad specification. */
struct mock_faults *mock_faults_new(const struct mock_options *,
    struct err *);
void mock_faults_free(struct mock_faults *);
/* Mark or write the answer of r->route; true: it is written, the handler
 * is not to run. */
bool mock_faults_apply(struct mock_faults *, struct mock_resp *);

#endif
