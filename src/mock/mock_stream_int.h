#ifndef MOCK_STREAM_INT_H
#define MOCK_STREAM_INT_H

/* What the handlers of streams and stream sets share: mock_stream.c. */

#include "mock/mock_answer.h"
#include "mock/mock_value.h"

enum { MOCK_S_WEBID = 1, MOCK_S_NAME = 2, MOCK_S_PATH = 4, MOCK_S_LINKS = 8,
	MOCK_S_ITEMS = 16, MOCK_S_UNITS = 32 };

struct mock_stream {
	struct mock_obj obj;		/* a point or an attribute */
	uint32_t tag;			/* MOCK_NONE: a static attribute */
	uint64_t order;
	const char *name;		/* for sorting; or NULL */
};

struct mock_answer {
	const struct mock_req *req;
	struct mock_stream *stream;	/* in the request's arena */
	size_t n;
	size_t at;
	bool single;			/* not a set */
	bool open;			/* stream[at] is half written */
	bool first;			/* no item written yet in it */
	int64_t from;
	int64_t to;
	uint32_t max;
	uint32_t left;			/* of the running stream, or of all */
	uint64_t stop_after;		/* items before a WebException */
	uint64_t written;
	uint32_t mask;			/* MOCK_S_* */
	const struct mock_sel *sel;	/* of the stream level */
	bool exception;			/* selected, also for root_links */
	bool root_links;
	struct mock_view view;
	struct mock_series series;
	struct mock_values values;
};

/* Becomes the state of the answer, which frees it. */
struct mock_answer *mock_stream_answer(struct mock_req *, struct mock_resp *,
    bool single);
/* false: the answer is an error already. `archive`: static attributes have
 * none, 409. */
bool mock_stream_resolve(const struct mock_req *, struct mock_resp *,
    const char *webid, bool archive, struct mock_stream *);
bool mock_stream_resolve_set(const struct mock_req *, struct mock_resp *,
    bool archive, struct mock_answer *);

/* {"Items":[ */
void mock_stream_set_open(const struct mock_answer *, struct buf *);
/* A stream of a set, left open. */
void mock_stream_put_head(struct mock_answer *, const struct mock_stream *,
    struct buf *);
void mock_stream_put_units(struct mock_answer *, const struct mock_stream *,
    struct buf *);
/* Unless it is the first of its brackets. */
void mock_stream_comma(struct buf *);
const char *mock_stream_units(const struct mock_answer *,
    const struct mock_stream *);

#endif
