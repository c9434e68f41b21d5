#ifndef SOURCE_SOURCE_INT_H
#define SOURCE_SOURCE_INT_H

/*
 * What the files of this module share: a connector in memory. Everything
 * lives in the arena of the source and is constant after source_load().
 */

#include "base/buf.h"
#include "base/err.h"
#include "codec/json.h"
#include "rows/rows.h"
#include "source/source.h"

struct arena;
struct yaml_doc;
struct yaml_node;

/* What an error inside an answer is called, at any level of it. */
#define SOURCE_ERRORS "Errors"
#define SOURCE_EXCEPTION "WebException"

/* --- columns ------------------------------------------------------------- */

/* "Value.Timestamp": keys from an object downwards. No steps: itself. */
struct source_path {
	const char *text;
	uint32_t n;
	const char **step;
	size_t *len;
};

enum source_origin {
	FROM_ITEM,		/* below the item */
	FROM_CONTAINER,		/* below the stream's entry: $container.X */
	FROM_PARENT,		/* $parent: key of the parent object */
	FROM_PARENT_NAME,	/* $parent.name */
	FROM_PARENT_KIND,	/* $parent.kind */
	FROM_STREAM,		/* $stream: key as the catalogue has it */
	FROM_STREAM_NAME,	/* $stream.name */
	FROM_ORDINAL,		/* $ordinal: among items of equal time */
	FROM_INDEX,		/* $index: of the item in the whole list */
	FROM_KEY,		/* $key, $value: of a table with `each` */
	FROM_VALUE,
	FROM_CONSTANT,		/* value: text */
	FROM_REQUEST,		/* $request: what its `set` says */
};

struct source_from {
	enum source_origin origin;
	struct source_path path;	/* FROM_ITEM, FROM_CONTAINER */
	const char *text;		/* FROM_CONSTANT */
};

enum source_as {
	AS_PLAIN,		/* by the type of the column */
	AS_WEBID,
	AS_NUMBER,		/* the spread of a PI value: */
	AS_TEXT,
	AS_STATE_CODE,
	AS_IS_SYSTEM,
	AS_DEPTH,		/* of an AF path, 0 at the root */
	AS_PARENT_BY_PATH,	/* filled in by source_walk_finish() */
	AS_OPEN_END,		/* year 9999 is null */
	AS_JSON,
};

struct source_column {
	enum rows_type type;
	enum source_as as;
	bool first;			/* of a list, before `as` */
	bool required;
	uint32_t nfrom;
	struct source_from *from;	/* the first that is there */
};

/* --- requests ------------------------------------------------------------ */

struct source_param {
	const char *name;
	uint32_t n;			/* repeated so many times */
	const char **values;		/* with {placeholders} */
};

struct source_constant {
	uint32_t column;
	const char *text;
};

struct source_request {
	const char *path;		/* with {placeholders}; NULL: none */
	uint32_t nquery;
	struct source_param *query;
	const char *fields;		/* parameter that lists the fields */
	const char *filter;		/* parameter of the name filter */
	const char *stream;		/* set: parameter of a stream */
	uint32_t nset;
	struct source_constant *set;
	const char *selected;		/* percent-encoded value of `fields` */
};

/* Requests that travel together. */
#define SOURCE_BATCH_URL "{url}"

struct source_batch {
	const char *path;
	uint32_t most;			/* requests */
	uint32_t nfields;		/* of a request */
	struct {
		const char *name;
		const char *text;	/* {url} is the request's */
	} *fields;
	struct source_path status;	/* below its part of the answer */
	struct source_path content;
	struct source_path type;
	struct source_path retry;
};

enum source_paging { PAGING_NONE, PAGING_INDEX, PAGING_PAGE };

struct source_where {			/* only items where path is text */
	struct source_path path;
	const char *text;
};

/* --- the compiled form of a series' columns ------------------------------ */

enum source_op_kind {
	OP_TIME,		/* the cursor */
	OP_VALUE,		/* spread over up to four columns */
	OP_BOOL,
	OP_STRING,
	OP_CELL,		/* anything else */
};

struct source_op {
	enum source_op_kind kind;
	int col;		/* OP_VALUE: of the number */
	int col_text;		/* OP_VALUE; -1: not wanted */
	int col_code;
	int col_system;
	struct source_path rest;	/* below the field */
	const struct source_column *column;
};

struct source_field {			/* a key of an item */
	const char *name;
	size_t len;
	bool errors;
	uint32_t nops;
	struct source_op *ops;
};

/* A column that is the same for all items of a stream. */
struct source_fill {
	uint32_t col;
	const struct source_from *from;
	enum source_as as;
	bool whole;		/* no item has it: no need to look */
};

struct source_plan {
	struct source_request *requests;	/* walks, frames: 1 or more */
	struct source_request *set;		/* series; NULL: none */
	struct source_request *one;
	struct source_batch *batch;		/* of such; NULL: none */
	struct source_request *first;		/* of a set; NULL: none */
	struct source_request *began;		/* frames; NULL: none */
	struct source_path first_item;		/* below the stream's entry */
	struct source_path first_time;		/* below the item */
	const char *win_start;			/* parameters */
	const char *win_end;
	const char *win_count;
	enum source_paging paging;
	const char *page_start;
	const char *page_count;
	uint32_t page_first;			/* PAGING_PAGE */

	struct source_path items;
	struct source_path values;		/* series */
	struct source_path stream_id;
	struct source_path each;
	bool has_each;
	uint32_t nwhere;
	struct source_where *where;
	struct source_column *columns;		/* [schema->ncols] */

	int parent_col;				/* AS_PARENT_BY_PATH or -1 */
	int path_col;				/* the path it is found by */

	uint32_t nfields;			/* series */
	struct source_field *fields;
	uint32_t nfills;
	struct source_fill *fills;
};

struct source_probe {			/* a small read for `garner check` */
	const char *name;
	const char *path;
	uint32_t nshow;
	const char **show;		/* dotted paths */
};

struct source {
	struct arena *arena;
	const char *name;
	const char *title;
	const char *base_path;
	struct fetch_quota *quotas;
	size_t nquotas;
	const char *clock_path;			/* or NULL */
	const char *clock_field;
	size_t nprobes;
	struct source_probe *probes;
	size_t ntables;
	struct source_table *tables;
};

/* --- reading the file: a context whose first error sticks ---------------- */

struct source_reader {
	struct source *source;
	struct yaml_doc *doc;
	struct err *err;
	int rc;
};

bool source_name_ok(const char *);	/* of a table or column */
void source_reader_only(struct source_reader *, const struct yaml_node *map,
    const char *const *allowed);
/* Text of map[key]; NULL when absent (an error when `required`). */
const char *source_reader_text(struct source_reader *,
    const struct yaml_node *map, const char *key, bool required);
uint32_t source_reader_number(struct source_reader *,
    const struct yaml_node *map, const char *key, uint32_t deflt);
/* map[key], which must be a map when it is there. */
struct yaml_node *source_reader_map(struct source_reader *,
    const struct yaml_node *map, const char *key, bool required);
int source_reader_column(struct source_reader *, const struct source_table *,
    const struct yaml_node *map, const char *key, bool required);
void source_reader_path(struct source_reader *, const char *text,
    struct source_path *);

/* source_columns.c: `columns` into schema and plan. */
void source_columns_read(struct source_reader *, const struct yaml_node *map,
    struct source_table *);
/* source_compile.c: fields and fills of a series. */
void source_compile(struct source_reader *, const struct yaml_node *table,
    struct source_table *);
/* source_request.c: everything about asking. */
void source_requests_read(struct source_reader *,
    const struct yaml_node *table, struct source_table *);
/* After the columns: the lists of fields, the constants of requests. */
void source_requests_finish(struct source_reader *,
    const struct yaml_node *table, struct source_table *);

/* --- decoding ------------------------------------------------------------ */

/* No steps give `val` itself; NULL when absent. */
yyjson_val *source_path_get(const struct source_path *, yyjson_val *);

/* Set a cell by type and transform; JSON null and what does not fit leave
 * it null. 0, ERR_LIMIT for a text no cell holds. */
int source_cell_set(const struct source_column *, struct rows *, uint32_t col,
    uint32_t row, yyjson_val *, struct buf *scratch);
int source_cell_text(struct rows *, uint32_t col, uint32_t row, const char *,
    size_t len);
/* The spread of a PI value (protocol reference, 6.1). */
int source_cell_value(const struct source_op *, struct rows *, uint32_t row,
    yyjson_val *, struct buf *scratch);

/* Parse a body; a page of HTML is named as such. */
int source_parse(char *body, size_t len, yyjson_doc **, struct err *);
/* ERR_ANSWER when an answer's or entry's object says that it failed:
 * WebException, or Errors in it. */
int source_failed(yyjson_val *obj, struct err *);
bool source_errors_any(yyjson_val *);
/* The texts of Errors, of any of its shapes, joined by "; ". */
void source_errors_text(yyjson_val *, struct buf *);

/* source_webid.c: length of the part of a WebID that has the IDs, 0 when it
 * is none that we can decode. Its IDOnly form is 'I' and the rest of it. */
size_t source_webid_ids(const char *, size_t len);

#endif
