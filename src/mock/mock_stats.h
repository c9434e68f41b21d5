#ifndef MOCK_STATS_H
#define MOCK_STATS_H

/* Counters of the server, for tests that judge a client by them. */

#include <stdint.h>

struct buf;
struct mock_stats;

/* now_us: of the loop's clock; bins are counted from it. */
struct mock_stats *mock_stats_new(int64_t now_us);
void mock_stats_free(struct mock_stats *);
void mock_stats_connected(struct mock_stats *);
void mock_stats_disconnected(struct mock_stats *);
/* A connection above the limit. */
void mock_stats_closed(struct mock_stats *);
/* A request has come whole; each is answered once, 0: not at all. */
void mock_stats_asked(struct mock_stats *, int64_t now_us);
void mock_stats_answered(struct mock_stats *, int status);
void mock_stats_put(const struct mock_stats *, int64_t now_us, struct buf *);

#endif
