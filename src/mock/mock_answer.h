#ifndef MOCK_ANSWER_H
#define MOCK_ANSWER_H

/*
 * Between the HTTP server and the world: a request taken apart, an answer,
 * and the writing of JSON under a selection of fields.
 *
 * An answer is made piece by piece: `more` is asked for the next piece
 * when the connection has room, so that a slow reader costs a few pieces
 * of memory and not the answer.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "mock/mock_world.h"

struct arena;
struct mock_cache;
struct mock_fault;
struct mock_faults;
struct mock_gate;
struct mock_options;
struct mock_stats;

/* --- selectedFields ------------------------------------------------------- */

struct mock_sel {
	const char *name;
	struct mock_sel *child;
	struct mock_sel *next;
	bool whole;		/* and all that is below it */
};

struct mock_field {
	const char *name;	/* in answers */
	const char *column;	/* in the truth, or NULL */
};

/* All when text is NULL or empty. */
const struct mock_sel *mock_sel_parse(struct arena *, const char *text);
/* NULL: not selected. */
const struct mock_sel *mock_sel_get(const struct mock_sel *, const char *);
/* Bit i: fields[i] is selected; at most 32 fields. */
uint32_t mock_sel_mask(const struct mock_sel *, const struct mock_field *,
    size_t n);

/* --- one object ----------------------------------------------------------- */

enum mock_cell_type { MOCK_C_TEXT, MOCK_C_INT, MOCK_C_BOOL, MOCK_C_RAW,
	MOCK_C_TIME, MOCK_C_LIST };

#define MOCK_OPEN INT64_MAX	/* as time: year 9999, in the truth null */

struct mock_cell {
	enum mock_cell_type type;
	const char *text;		/* MOCK_C_RAW: JSON */
	const char *const *list;
	size_t len;			/* of text or list */
	int64_t i;
};

/* How objects of an answer are to look; made once a request. */
struct mock_view {
	const struct mock_world *world;
	const char *base;		/* of links */
	int64_t now;
	char webid_kind;
	enum mock_type type;
	uint32_t mask;
	const struct mock_sel *links;	/* NULL: none */
	struct arena *scratch;		/* cleared after each object */
};

void mock_view_init(struct mock_view *, enum mock_type,
    const struct mock_sel *);
/* A JSON object. */
void mock_object_put(struct mock_view *, struct mock_obj, struct buf *);
/* Its columns in the truth, without braces. */
void mock_object_put_truth(struct mock_view *, struct mock_obj, struct buf *);
void mock_put_webid(struct buf *, const struct mock_view *, struct mock_obj);

/* --- requests and answers ------------------------------------------------- */

#define MOCK_SEGMENTS 8
#define MOCK_PIECE (64u << 10)

struct mock_param {
	const char *name;
	const char *value;
};

struct mock_req {
	const struct mock_world *world;
	const struct mock_options *opt;
	struct mock_faults *faults;	/* or NULL */
	struct mock_cache *cache;	/* or NULL */
	struct mock_gate *gate;
	const struct mock_stats *stats;
	struct arena *arena;		/* lives as long as the answer */
	const char *base;
	const char *method;
	const char *target;		/* as asked, for messages */
	const char *seg[MOCK_SEGMENTS];	/* below /piwebapi, decoded */
	size_t segs;
	bool outside;			/* not below /piwebapi at all */
	struct mock_param *param;
	size_t params;
	const char *body;
	size_t body_len;
	int64_t now;
	int64_t up_since;
	uint32_t client;		/* its IPv4 address */
	const char *authorization;	/* or NULL */
	bool control;			/* mock_is_control() */
	bool form;			/* the body's type */
	bool requested_with;
	bool reused;			/* not the first of its connection */
	bool inner;			/* of a batch */
	int64_t begun_us;		/* of the loop's clock */
};

#define MOCK_UNSETTLED INT64_MAX

struct mock_resp {
	int status;
	const char *type;
	const char *header;		/* one more line with CRLF, or NULL */
	const char *limits;		/* as header; or NULL */
	const char *route;		/* "streamsets/recorded" */
	struct buf body;		/* what there is so far */
	const struct buf *kept;		/* of the cache: all of it instead */
	bool (*more)(struct mock_resp *, struct buf *out);	/* or NULL */
	void *state;
	void (*state_free)(void *);
	uint64_t items;
	bool broken;			/* WebException after half of it */
	bool missing;			/* without its last stream */
	bool cut;			/* it cannot be ended well */
	const struct mock_fault *fault;	/* who sends it, or NULL */
	int64_t delay_ms;
	int64_t set_now;		/* move the clock; TICKS_NONE: no */
	int64_t settled;		/* when it is this clock or later, it
					 * does not change; MOCK_UNSETTLED */
};

void mock_resp_init(struct mock_resp *);
void mock_resp_fini(struct mock_resp *);
/* All pieces into body; false when it would be beyond max bytes. */
bool mock_resp_finish(struct mock_resp *, size_t max);
/* What there is of it, here or in the cache. */
const struct buf *mock_resp_body(const struct mock_resp *);
/* {"Errors":["text"]} */
void mock_resp_error(struct mock_resp *, int status, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* {"Message":"text"} */
void mock_resp_message(struct mock_resp *, int status, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
void mock_resp_html(struct mock_resp *, int status, const char *title);

/* Take target (path and query) apart. 0, or ERR_DATA: it is malformed. */
int mock_req_target(struct mock_req *, const char *target);
/* The parameters of a form instead. */
int mock_req_form(struct mock_req *);
const char *mock_req_param(const struct mock_req *, const char *name);
/* Values of query parameters; false: the answer is an error already. */
bool mock_req_count(const struct mock_req *, struct mock_resp *,
    uint32_t *max, uint32_t *effective);
bool mock_req_start(const struct mock_req *, struct mock_resp *, uint64_t *);
bool mock_req_time(const struct mock_req *, struct mock_resp *,
    const char *name, const char *def, int64_t *);
bool mock_req_bool(const struct mock_req *, const char *name, bool def);
bool mock_req_webid_kind(const struct mock_req *, struct mock_resp *, char *);
bool mock_req_object(const struct mock_req *, struct mock_resp *,
    const char *webid, struct mock_obj *);

/* Of the server's own, which is never refused, spoilt or counted: true for
 * the targets below /mock. */
bool mock_is_control(const char *target);
/* Find the handler by the path and run it; false: the answer does not cost
 * the server its latency, as it is a refusal of the gate, or of its own. */
bool mock_route(struct mock_req *, struct mock_resp *);

/* The handlers, by controller. */
typedef void mock_handler(struct mock_req *, struct mock_resp *);
mock_handler mock_stream_recorded, mock_stream_value, mock_stream_end,
    mock_stream_recorded_at, mock_set_recorded, mock_set_value, mock_set_end,
    mock_set_recorded_at, mock_stream_summary, mock_set_summary;
mock_handler mock_list_dataservers, mock_list_points, mock_list_assetservers,
    mock_list_databases, mock_list_elements, mock_list_attributes,
    mock_list_frames, mock_one, mock_one_by_path;
mock_handler mock_batch;

#endif
