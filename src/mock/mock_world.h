#ifndef MOCK_WORLD_H
#define MOCK_WORLD_H

/*
 * What the stand-in server knows: tags and their events, the asset tree,
 * event frames. All of it is a pure function of the options and, for what
 * is visible, of the clock: the same question has the same answer however
 * it is cut into pages, and nothing is stored but the asset tree.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct buf;
struct mock_options;

/* --- objects and their WebIDs -------------------------------------------- */

enum mock_type {
	MOCK_DATA_SERVER,
	MOCK_POINT,		/* a: tag; see mock_point_now() */
	MOCK_ASSET_SERVER,
	MOCK_DATABASE,		/* a: database */
	MOCK_ELEMENT,		/* a: element */
	MOCK_ATTRIBUTE,		/* a: element, b: number of the attribute */
	MOCK_FRAME,		/* a: database, b: frame */
};

struct mock_obj {
	enum mock_type type;
	uint64_t a;
	uint64_t b;
};

struct mock_guid {
	uint8_t b[16];		/* Microsoft order, as WebIDs carry it */
};

struct mock_element {
	uint32_t db;
	uint32_t parent;	/* MOCK_NONE at the root */
	uint32_t end;		/* one past the last descendant */
	uint32_t number;	/* among its kind in the database */
	uint32_t tag;		/* first tag, when of kind equipment */
	uint8_t kind;
	uint8_t depth;
};

#define MOCK_NONE UINT32_MAX
#define MOCK_TAGS_PER_EQUIPMENT 8

/* What befalls a share of the events, at most so long afterwards. */
struct mock_fate {
	uint64_t limit;		/* of 2^32 */
	int64_t max;		/* ticks */
};

struct mock_world {
	const struct mock_options *opt;
	uint64_t key;
	int64_t start;
	int64_t now_fixed;		/* TICKS_NONE: the real clock */
	int64_t period[3];		/* ticks, of the classes of tags */
	int64_t frame_period;
	int64_t frame_longest;
	int64_t frame_late;
	int ties;			/* most events at one time */
	struct mock_fate late;		/* it becomes visible later */
	struct mock_fate edit;		/* its value becomes another */
	struct mock_fate delete;	/* it vanishes */
	uint64_t rename_limit;		/* of 2^32, of the points */
	uint64_t recreate_limit;
	struct mock_element *element;	/* owned; by database, depth first */
	uint32_t elements;
	uint32_t *db_first;		/* owned; plants + 1 of them */
};

struct mock_world *mock_world_new(const struct mock_options *);
void mock_world_free(struct mock_world *);
int64_t mock_world_now(const struct mock_world *);

void mock_world_guid(const struct mock_world *, struct mock_obj,
    struct mock_guid *);
/* The text form, 36 characters and a NUL. */
const char *mock_guid_text(const struct mock_guid *, char buf[37]);
uint32_t mock_point_id(uint64_t tag);

/* `kind`: 'F' Full, 'I' IDOnly, 'P' PathOnly. */
void mock_webid_put(struct buf *, const struct mock_world *, struct mock_obj,
    char kind);
/* ERR_DATA: no WebID; ERR_NOTFOUND: well made, but nothing of ours. Kinds
 * L and D are read as well. */
int mock_webid_parse(const struct mock_world *, const char *, size_t len,
    struct mock_obj *);
/* The path with its two leading backslashes. */
void mock_path_put(struct buf *, const struct mock_world *, struct mock_obj);
/* By path without the leading backslashes, in any case; 0, ERR_NOTFOUND. */
int mock_path_find(const struct mock_world *, enum mock_type, const char *,
    size_t len, struct mock_obj *);
/* Upper case as .NET's invariant culture has it, for the letters we use. */
void mock_upper(struct buf *, const char *, size_t len);
/* Wildcards * and ?, case-insensitive; NULL matches all. */
bool mock_wild(const char *pattern, const char *text);

/* --- tags ----------------------------------------------------------------- */

enum mock_kind {
	MOCK_KIND_FLOAT, MOCK_KIND_EXPONENT, MOCK_KIND_INT, MOCK_KIND_STRING,
	MOCK_KIND_DIGITAL, MOCK_KIND_MIXED,
};

enum mock_value_type {
	MOCK_DECIMAL,		/* number / 10^digits */
	MOCK_EXPONENT,		/* number / 10^4, times 10^digits */
	MOCK_INTEGER,
	MOCK_TEXT,
	MOCK_BOOL,
	MOCK_STATE,		/* text, number, is_system */
	MOCK_ERRORS,		/* text, and text2 when not NULL */
	MOCK_NULL,
	MOCK_MISSING,		/* the key is not there */
};

#define MOCK_GOOD 1u
#define MOCK_QUESTIONABLE 2u
#define MOCK_SUBSTITUTED 4u
#define MOCK_ANNOTATED 8u
#define MOCK_NO_ANNOTATED 16u	/* the key is not there */

struct mock_event {
	int64_t t;
	int64_t number;
	const char *text;	/* static */
	const char *text2;	/* static */
	enum mock_value_type type;
	int digits;
	unsigned flags;
	bool is_system;
};

struct mock_tag {
	uint64_t key;
	uint32_t index;
	uint32_t place;		/* in the list of points */
	enum mock_kind kind;
	int64_t start;		/* of its archive */
	int64_t period;
	int digits;
	int64_t base;
	int64_t swing;
	bool bursts;		/* has more events at one time than a page */
	const char *units;
	const char *point_type;
	const char *digital_set;
};

void mock_tag_get(const struct mock_world *, uint64_t tag, struct mock_tag *);
/* As it is called now. */
void mock_tag_name(const struct mock_world *, uint64_t tag, struct buf *);
/*
 * Of points there are as many as tags. One that is deleted and made again
 * under its name is another tag then, by so many higher. The tag of a place
 * in the list, and whether there is a point of that tag, now.
 */
uint64_t mock_point_now(const struct mock_world *, uint64_t place);
bool mock_point_exists(const struct mock_world *, uint64_t tag);

/*
 * The events of one tag, in order of time or backwards. Time is cut into
 * slots of the tag's period; slot k has its events at one time within it,
 * or none: so finding the first event of a range costs nothing, and the
 * order is that of the slots. An event is visible when its time, plus its
 * delay if it is a late one, is not after `now`, and it was not deleted;
 * one that was edited has another value from then on, and is substituted.
 */
struct mock_series {
	const struct mock_world *world;
	struct mock_tag tag;
	int64_t from;		/* inclusive */
	int64_t to;		/* inclusive */
	int64_t now;
	int step;		/* 1, or -1 for backwards */
	int64_t slot;
	int64_t t;		/* of the slot */
	uint64_t hash;
	int n;			/* events in the slot */
	int i;			/* next of them; ordinal in order of service */
	bool done;
};

/* from > to: backwards from `from` to `to`. */
void mock_series_init(struct mock_series *, const struct mock_world *,
    uint64_t tag, int64_t from, int64_t to, int64_t now);
bool mock_series_next(struct mock_series *, struct mock_event *);

/* --- the asset tree ------------------------------------------------------- */

void mock_af_build(struct mock_world *);
void mock_af_name(const struct mock_world *, uint32_t element, struct buf *);
const char *mock_af_template(const struct mock_element *);
bool mock_af_has_children(const struct mock_world *, uint32_t element);
void mock_db_name(uint64_t db, struct buf *);

enum mock_attribute_kind { MOCK_ATTR_POINT, MOCK_ATTR_STATIC,
	MOCK_ATTR_DELETED };

struct mock_attribute {
	enum mock_attribute_kind kind;
	uint32_t tag;			/* of MOCK_ATTR_POINT */
	const char *name;
	const char *type;
	bool hidden;
};

uint32_t mock_attributes(const struct mock_world *, uint32_t element);
void mock_attribute_get(const struct mock_world *, uint32_t element,
    uint32_t number, struct mock_attribute *);

/* --- event frames --------------------------------------------------------- */

struct mock_frame {
	uint32_t db;
	uint64_t id;		/* slot * 4 + child (0: the parent) */
	int64_t start;
	int64_t end;		/* true end, also when after now */
	int64_t closed;		/* >= end: until then it is open */
	uint32_t element;	/* MOCK_NONE: none */
	uint64_t hash;
	unsigned children;
};

/* false: there is no such frame. */
bool mock_frame_get(const struct mock_world *, uint32_t db, uint64_t id,
    struct mock_frame *);
void mock_frame_name(const struct mock_frame *, struct buf *);
const char *mock_frame_template(const struct mock_frame *);
const char *mock_frame_severity(const struct mock_frame *);
/* Frames of [from, to] that overlap it and have begun at `now`, in order of
 * id; `fn` false ends it. */
typedef bool mock_frame_fn(void *, const struct mock_frame *);
void mock_frames_each(const struct mock_world *, uint32_t db, int64_t from,
    int64_t to, int64_t now, bool children, mock_frame_fn *, void *);

#endif
