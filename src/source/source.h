#ifndef SOURCE_SOURCE_H
#define SOURCE_SOURCE_H

/*
 * Connectors: a kind of API as data. A connector file (YAML, see
 * conf/connectors/pi.yaml) tells the tables of an API: which requests, how
 * to page, how an answer becomes rows. This module reads it, builds request
 * targets and decodes bodies. It does no I/O but reading the file.
 *
 * Three kinds of tables:
 *	SOURCE_WALK	a list, whole each time (ingestion snapshot): asked
 *			once, or once for each object of a parent table,
 *			paged by index
 *	SOURCE_SERIES	values of streams in a window of time; several
 *			streams a request; cut silently at a count
 *	SOURCE_FRAMES	a list in a window of time, for each object of the
 *			streams table, paged by index (event frames)
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/base_limits.h"

struct buf;
struct err;
struct fetch_quota;
struct rows;
struct rows_schema;
struct source;

enum source_kind { SOURCE_WALK, SOURCE_SERIES, SOURCE_FRAMES };
enum source_ingestion { SOURCE_SNAPSHOT, SOURCE_APPEND, SOURCE_CDC };

struct source_table {
	const char *name;
	const char *about;		/* one line */
	const char *category;
	enum source_kind kind;
	enum source_ingestion ingestion;
	const struct rows_schema *schema;	/* of the journal */
	uint32_t nkey;
	const uint32_t *key;		/* column indices; of a series the
					 * first is that of the stream */
	int cursor;			/* column index of the time, or -1 */
	int ordinal;			/* series: column of $ordinal, or -1 */
	int open_end;			/* frames: column that is null while
					 * one is open, or -1 */
	bool began;			/* frames: can be asked by beginning */
	const struct source_table *over;	/* parent of a walk, streams
						 * of a series; or NULL */
	bool is_parent;			/* others walk it: it has objects */
	int object_key;			/* columns of the object, or -1 */
	int object_name;
	int object_kind;
	uint32_t page_size;		/* walks and frames; 0: not paged */
	uint32_t nrequests;		/* walks and frames: lists that make
					 * up the table, most often 1 */
	void *plan;			/* source's own */
};

/* Read a connector file; ERR_CONFIG names file, line and reason. */
int source_load(const char *path, struct source **, struct err *);
void source_free(struct source *);
const char *source_name(const struct source *);
/* Path to append to a URL that has none: "/piwebapi". */
const char *source_base_path(const struct source *);
/* In the order of the file, parents before children. */
size_t source_tables(const struct source *);
const struct source_table *source_table_at(const struct source *, size_t);
const struct source_table *source_table_find(const struct source *,
    const char *name);

/* What the server says of its limits in headers; lives as long as the
 * source. */
size_t source_quotas(const struct source *, const struct fetch_quota **);

/* The server's clock: target to ask, and reading of the answer; no clock in
 * the connector: false, and the local one is used. */
bool source_clock_target(const struct source *, const char *base,
    struct buf *);
int source_clock_decode(const struct source *, char *body, size_t len,
    int64_t *now, struct err *);

/* Small reads that tell about the server, for `garner check`: a list in the
 * connector file of name, path and the field to show. */
size_t source_probes(const struct source *);
const char *source_probe_target(const struct source *, size_t i,
    const char *base, struct buf *);	/* returns its name */
/* Text of the field in the answer, escaped; ERR_ANSWER. */
int source_probe_decode(const struct source *, size_t i, char *body,
    size_t len, struct buf *, struct err *);

/* --- walks and frames ---------------------------------------------------- */

struct source_walk {
	const char *parent;		/* key of the parent object, or NULL */
	const char *parent_name;
	const char *parent_kind;	/* may be NULL */
	uint32_t request;		/* which list: 0..nrequests-1 */
	const char *filter;		/* user's name filter, or NULL, only
					 * where the table has one */
	int64_t a, b;			/* SOURCE_FRAMES: the window */
	bool began;			/* only what begins in it, ends told;
					 * where the table can */
	uint32_t start;			/* index of the first item */
	uint32_t count;			/* items asked for */
};

void source_walk_target(const struct source_table *, const char *base,
    const struct source_walk *, struct buf *);
/*
 * Decode one page (destroys body, see LIMIT_PADDING). Appends a row per
 * item, *items counts what was received (a page shorter than asked ends the
 * walk). ERR_ANSWER when it is no such answer: HTML, cut JSON, Errors or
 * WebException inside.
 */
int source_walk_decode(const struct source_table *,
    const struct source_walk *, char *body, size_t len, struct rows *,
    uint32_t *items, struct err *);
/* After the last page of a parent: columns that need the whole walk (the
 * parent of an element by its path), for rows from `first` on. */
void source_walk_finish(const struct source_table *, struct rows *,
    uint32_t first);
/* Row i of a walk as an object others are walked by; longer texts are cut.
 * False: it has no key. */
struct source_object {
	char key[1024];
	char name[1024];
	char kind[128];
};
bool source_walk_object(const struct source_table *, const struct rows *,
    uint32_t i, struct source_object *);

/* A row of frames, this table's or of an older schema of it: when it began,
 * a hash of its key, for several begin at once, and whether it is open.
 * False: it tells no such thing. */
struct source_frame_row {
	int64_t start;			/* ticks */
	uint32_t key;
	bool open;
};
bool source_frame_row_get(const struct source_table *, const struct rows *,
    uint32_t i, struct source_frame_row *);

/* --- series -------------------------------------------------------------- */

struct source_stream {
	const char *key;		/* WebId as the catalogue has it */
	const char *name;
};

/* Characters a stream adds to a set target, and of a target without any. A
 * table that has no sets: more than any target may have. */
uint32_t source_stream_len(const struct source_table *,
    const struct source_stream *);
bool source_set_can(const struct source_table *);
uint32_t source_series_base_len(const struct source_table *,
    const char *base);
/* [a, b): asked as a..b inclusive, seven digits, UTC. One stream is asked by
 * the single form. */
void source_series_target(const struct source_table *, const char *base,
    const struct source_stream *const *, uint32_t n, int64_t a, int64_t b,
    uint32_t max_count, struct buf *);

struct source_page {			/* one stream of an answer */
	bool present;			/* the answer had it */
	int code;			/* 0, or ERR_* for an error inside:
					 * no rows of it were appended */
	char text[120];			/* of the error */
	uint32_t n;			/* items received, before filtering */
	int64_t first, last;		/* ticks, n > 0 */
	uint32_t row_from, row_n;	/* rows appended: a <= t < b */
};

/*
 * Decode an answer (destroys body, see LIMIT_PADDING) for the streams that
 * were asked (same order as in the request; pages[n]). Streams are matched by
 * WebID: text first, then by the decoded fields. Items must not descend in
 * time. Rows of one stream are
 * contiguous; ordinals count equal timestamps. On an error (ERR_ANSWER:
 * not JSON, cut, WebException at the top, a stream nobody asked for) no
 * rows stay.
 */
int source_series_decode(const struct source_table *,
    const struct source_stream *const *, uint32_t n, int64_t a, int64_t b,
    char *body, size_t len, struct rows *, struct source_page *pages,
    struct err *);

/*
 * Requests that travel together. Each is one by itself (its target is that of
 * source_series_target()), and is answered by a body of its own. False: the
 * connector knows none.
 */
bool source_batch_can(const struct source_table *);
uint32_t source_batch_most(const struct source_table *);  /* of one, >= 2 */
/* The body is begun, requests added in order from number 0, and ended. */
void source_batch_target(const struct source_table *, const char *base,
    struct buf *);
void source_batch_begin(struct buf *);
void source_batch_add(const struct source_table *, uint32_t number,
    const char *url, struct buf *);	/* absolute */
void source_batch_end(struct buf *);

struct source_part {			/* the answer to one of them */
	bool present;
	int status;
	bool json;			/* its type says so, or nothing */
	int64_t retry_after_ms;		/* -1: not told */
	char *body;			/* in the whole body; NULL: none */
	size_t len;
};
/* Find the parts of an answer to n requests; the body is left as it is but
 * for its padding. ERR_ANSWER: it is no such answer; ERR_NOMEM. */
int source_batch_split(const struct source_table *, char *body, size_t len,
    struct source_part *parts, uint32_t n, struct err *);
/* source_series_decode() of a part, which destroys that alone. */
int source_part_decode(const struct source_table *,
    const struct source_stream *const *, uint32_t n, int64_t a, int64_t b,
    const struct source_part *, struct rows *, struct source_page *,
    struct err *);

/*
 * The first value of streams that were never read, many of them a request
 * (a set, of one too): where their history begins. False: the connector has
 * no such request. first[i]: its time, TICKS_NONE when the answer does not
 * say. ERR_ANSWER as for series.
 */
bool source_first_can(const struct source_table *);
void source_first_target(const struct source_table *, const char *base,
    const struct source_stream *const *, uint32_t n, struct buf *);
int source_first_decode(const struct source_table *,
    const struct source_stream *const *, uint32_t n, char *body, size_t len,
    int64_t *first, struct err *);

/* "maxCount is greater than the maximum allowed (150000)": the number, or
 * 0 when the text says no such thing. */
uint32_t source_cap_from_text(const char *);

/* --- WebIDs (PI Web API 2.0), protocol reference section 10 -------------- */

/* The IDOnly form of a Full or IDOnly WebID into out (at least 128 bytes),
 * or a copy, cut when it is longer, when it cannot be decoded. Returns
 * out. */
const char *source_webid_short(const char *, size_t len, char *out,
    size_t size);

#endif
