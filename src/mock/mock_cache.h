#ifndef MOCK_CACHE_H
#define MOCK_CACHE_H

/*
 * Answers that were made once and stay as they are, by target, so that a
 * benchmark measures who reads and not who serves. It takes answers until
 * one does not fit, and lets none go: one who reads the same again, in a
 * circle larger than the room, finds at least the first part.
 *
 * Which answers do not change is told by their makers: mock_resp.settled.
 */

#include <stdbool.h>
#include <stdint.h>

struct buf;
struct mock_cache;
struct mock_req;
struct mock_resp;

/* Kept are so many bytes at most, targets and all included. */
struct mock_cache *mock_cache_new(uint64_t bytes_max);
void mock_cache_free(struct mock_cache *);
/* true: the answer is there, its body borrowed from the cache. A clock that
 * was put back before the answer's time finds nothing. */
bool mock_cache_find(struct mock_cache *, const struct mock_req *,
    struct mock_resp *);
/* Perhaps keep it; to be asked before any of the answer is sent. cost_ms: of
 * its delay what belongs to it, whoever asks. */
void mock_cache_offer(struct mock_cache *, const struct mock_req *,
    struct mock_resp *, int64_t cost_ms);
/* {"answers":N,"bytes":N,"found":N} */
void mock_cache_put(const struct mock_cache *, struct buf *out);

#endif
