#ifndef PARQUET_PARQUET_INT_H
#define PARQUET_PARQUET_INT_H

/* What the files of this module share: the numbers of parquet.thrift, the
 * compact protocol, encodings, statistics, and the two sides' structures. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/base_limits.h"
#include "base/buf.h"
#include "parquet/parquet.h"
#include "rows/rows.h"

struct zip;

#define PARQUET_MAGIC "PAR1"
/* The dictionary of a column in a row group; beyond it pages are PLAIN. */
#define PARQUET_DICT_BYTES (1u << 20)
/* A page of text ends when its values reach this, whatever its rows. */
#define PARQUET_PAGE_BYTES (1u << 20)
/* The compressed pages of a row group end it when they reach this. */
#define PARQUET_GROUP_BYTES (128u << 20)
/* Largest page body, raw, that is written or read. */
#define PARQUET_PAGE_MAX (64u << 20)
/* Largest footer that is written or read. */
#define PARQUET_FOOTER_MAX (64u << 20)
/* Rows of a page; levels and codes of one page are held as arrays. */
#define PARQUET_PAGE_ROWS_MAX (1u << 20)
/* Text in statistics and page index, before rounding up. */
#define PARQUET_BOUND_MAX 64

static_assert(PARQUET_PAGE_BYTES + LIMIT_CELL_MAX < PARQUET_PAGE_MAX / 2,
    "a page may end with the largest cell");

enum parquet_type {
	PARQUET_BOOLEAN = 0,
	PARQUET_INT32 = 1,
	PARQUET_INT64 = 2,
	PARQUET_DOUBLE = 5,
	PARQUET_BYTE_ARRAY = 6,
};

enum { PARQUET_REQUIRED = 0, PARQUET_OPTIONAL = 1, PARQUET_REPEATED = 2 };

enum { PARQUET_UTF8 = 0, PARQUET_LIST = 3, PARQUET_TIMESTAMP_MICROS = 10 };

enum parquet_encoding {
	PARQUET_PLAIN = 0,
	PARQUET_PLAIN_DICTIONARY = 2,
	PARQUET_RLE = 3,
	PARQUET_DELTA_BINARY_PACKED = 5,
	PARQUET_RLE_DICTIONARY = 8,
	PARQUET_NENCODINGS = 9,
};

enum { PARQUET_UNCOMPRESSED = 0, PARQUET_ZSTD = 6 };

enum { PARQUET_DATA_PAGE = 0, PARQUET_DICTIONARY_PAGE = 2 };

/* --- thrift: compact protocol -------------------------------------------- */

enum thrift_type {
	THRIFT_TRUE = 1,
	THRIFT_FALSE = 2,
	THRIFT_I8 = 3,
	THRIFT_I16 = 4,
	THRIFT_I32 = 5,
	THRIFT_I64 = 6,
	THRIFT_DOUBLE = 7,
	THRIFT_BINARY = 8,
	THRIFT_LIST = 9,
	THRIFT_SET = 10,
	THRIFT_MAP = 11,
	THRIFT_STRUCT = 12,
};

#define THRIFT_DEPTH 16

struct thrift_out {
	struct buf *b;			/* borrowed */
	int last[THRIFT_DEPTH];		/* field id written last, by depth */
	int depth;
};

void thrift_out_init(struct thrift_out *, struct buf *);
/* The outermost struct is open after init; each begin and elem, and the
 * outermost, is closed by an end. */
void thrift_begin(struct thrift_out *, int id);
void thrift_elem(struct thrift_out *);	/* a struct that is a list element */
void thrift_end(struct thrift_out *);
void thrift_put_bool(struct thrift_out *, int id, bool);
void thrift_put_i8(struct thrift_out *, int id, int8_t);
void thrift_put_i16(struct thrift_out *, int id, int16_t);
void thrift_put_i32(struct thrift_out *, int id, int32_t);
void thrift_put_i64(struct thrift_out *, int id, int64_t);
void thrift_put_bytes(struct thrift_out *, int id, const void *, size_t n);
void thrift_put_str(struct thrift_out *, int id, const char *);
/* Header of a list; the n elements follow. */
void thrift_put_list(struct thrift_out *, int id, enum thrift_type, size_t n);
void thrift_elem_int(struct thrift_out *, int64_t);	/* i16, i32, i64 */
void thrift_elem_bool(struct thrift_out *, bool);
void thrift_elem_bytes(struct thrift_out *, const void *, size_t n);

/* Reading: errors stick in c.bad; a field of another type than asked for is
 * one. */
struct thrift_in {
	struct cur c;
	int depth;
};

struct thrift_field {
	int id;				/* 0 before the first */
	int type;
};

void thrift_in_init(struct thrift_in *, const void *, size_t n);
/* Opens a struct (of a field or a list element, or the outermost): false
 * when it lies too deep. thrift_next() closes it when it returns false. */
bool thrift_enter(struct thrift_in *, struct thrift_field *);
bool thrift_next(struct thrift_in *, struct thrift_field *);
void thrift_skip(struct thrift_in *, const struct thrift_field *);
bool thrift_get_bool(struct thrift_in *, const struct thrift_field *);
int64_t thrift_get_int(struct thrift_in *, const struct thrift_field *);
int32_t thrift_get_i32(struct thrift_in *, const struct thrift_field *);
const char *thrift_get_bytes(struct thrift_in *, const struct thrift_field *,
    size_t *n);
/* Number of elements, each of at least a byte that is there. */
size_t thrift_get_list(struct thrift_in *, const struct thrift_field *,
    enum thrift_type);
/* True when the field is a struct; it is then to be entered. */
bool thrift_is_struct(struct thrift_in *, const struct thrift_field *);

/* --- encodings ----------------------------------------------------------- */

/* Bits that hold x. */
static inline unsigned
parquet_width(uint64_t x)
{
	return (x == 0 ? 0 : 64 - (unsigned)__builtin_clzll(x));
}

void parquet_encode_bools(struct buf *, const uint8_t *, size_t n);
/* RLE / bit-packed hybrid of n values below 2^width, width <= 32. */
void parquet_encode_hybrid(struct buf *, const uint32_t *, size_t n,
    unsigned width);
void parquet_encode_delta64(struct buf *, const int64_t *, size_t n);
void parquet_encode_delta32(struct buf *, const int32_t *, size_t n);

/* Exactly n values or false. */
bool parquet_decode_bools(struct cur *, uint8_t *, size_t n);
/* A value above max is false, too. */
bool parquet_decode_hybrid(struct cur *, unsigned width, uint32_t max,
    uint32_t *, size_t n);
/* A hybrid of width 1, a byte a value; n < 2^32, *ones are 1. */
bool parquet_decode_bits(struct cur *, uint8_t *, size_t n, uint32_t *ones);
bool parquet_decode_delta64(struct cur *, int64_t *, size_t n);
bool parquet_decode_delta32(struct cur *, int32_t *, size_t n);

/* --- statistics ---------------------------------------------------------- */

struct parquet_text_bound {
	bool exact;
	uint8_t len;
	char s[PARQUET_BOUND_MAX + 4];
};

/* Of a page, a chunk or the file. */
struct parquet_range {
	uint64_t nulls;
	bool any;		/* a value was seen; min and max are set */
	bool lost;		/* NaN, or text with no bound above it: min and
				 * max must not be told */
	int64_t min_i, max_i;	/* BOOL, INT32, INT64, TICKS as in the file */
	double min_f, max_f;
	struct parquet_text_bound min_s, max_s;
};

/* The smallest and the largest of n > 0 values; of doubles also whether one
 * is a NaN, and then the others mean nothing. */
void parquet_extent_i32(const int32_t *, size_t n, int64_t *min,
    int64_t *max);
void parquet_extent_i64(const int64_t *, size_t n, int64_t *min,
    int64_t *max);
bool parquet_extent_f64(const double *, size_t n, double *min, double *max);
void parquet_range_bools(struct parquet_range *, const uint8_t *, size_t n);
void parquet_range_i32(struct parquet_range *, const int32_t *, size_t n);
void parquet_range_i64(struct parquet_range *, const int64_t *, size_t n);
void parquet_range_f64(struct parquet_range *, const double *, size_t n);
/* The smallest and the largest of some texts. */
void parquet_range_text(struct parquet_range *, const char *min, size_t nmin,
    const char *max, size_t nmax);
void parquet_range_merge(struct parquet_range *, const struct parquet_range *,
    enum rows_type);
/* The bytes of a bound as PLAIN; at most PARQUET_BOUND_MAX + 4. */
size_t parquet_range_bytes(const struct parquet_range *, enum rows_type,
    bool max, void *to);
/* -1, 0, 1: compares the bounds of two ranges. */
int parquet_range_cmp(const struct parquet_range *,
    const struct parquet_range *, enum rows_type, bool max);
void parquet_range_stat(const struct parquet_range *, enum rows_type,
    struct parquet_stat *);
/* Cut text to max bytes at a character boundary, for an upper bound rounded
 * up (`to` has room for max + 3): its length; -1 when there is none above. */
int parquet_range_cut(const char *, size_t len, size_t max, bool up,
    char *to);

/* --- writing ------------------------------------------------------------- */

/* A page that is in the row group's memory, later in the page index. */
struct parquet_page {
	uint64_t offset;		/* in the chunk, later in the file */
	uint32_t bytes;			/* with its header */
	uint64_t first_row;		/* in the row group */
	struct parquet_range range;
};

/* A column chunk as the footer tells it. */
struct parquet_chunk {
	uint64_t dict_offset;		/* 0: none */
	uint64_t data_offset;
	uint64_t values;		/* with nulls */
	uint64_t bytes;			/* compressed, with headers */
	uint64_t raw_bytes;
	uint32_t npages[PARQUET_NENCODINGS];
	struct parquet_range range;
	struct parquet_page *pages;	/* owned */
	size_t n, cap;
	uint64_t column_index, offset_index;	/* 0: none */
	uint32_t column_index_len, offset_index_len;
};

struct parquet_group {
	uint64_t rows;
	uint64_t offset;
	bool sorted;			/* sorting_columns hold */
	struct parquet_chunk *chunks;	/* [ncols], owned */
};

/* How a code of the batch is written in this row group. */
struct parquet_remap {
	uint32_t call;			/* of append, in which it was set */
	uint32_t code;
};

/*
 * A column being written.
 *
 * 1. `vals` holds the page's values that are not null: fixed width, codes
 *    when `dict`, else length and bytes.
 * 2. def holds a byte for each entry unless the column is required and no
 *    list, rep only for lists.
 * 3. `pages` holds finished pages; the dictionary page comes before them
 *    when the row group ends.
 */
struct parquet_column {
	const struct rows_col *col;
	uint32_t index;
	uint8_t max_def;
	struct rows *dicts;		/* borrowed: of the group */
	bool dict;			/* text is coded in this page */
	bool dict_over;			/* ... and is not in the next one */
	size_t dict_bytes;		/* of the dictionary page */
	uint64_t plain_bytes;		/* coded text would have */
	struct parquet_remap *remap;
	size_t nremap;
	uint32_t *seen;			/* page that saw a code last */
	size_t nseen;
	uint32_t page_no;
	uint32_t page_rows;
	uint64_t group_rows;		/* before this page */
	uint32_t entries;
	uint32_t nvals;			/* not null */
	struct buf def, rep, vals;
	struct buf pages;
	struct parquet_chunk chunk;
};

/* Shared scratch, one page at a time. */
struct parquet_scratch {
	struct zip *zip;
	struct buf body;
	struct buf codes;		/* levels widened for the encoder */
	struct buf zipped;
	uint32_t call;
};

void parquet_column_init(struct parquet_column *, const struct rows_schema *,
    uint32_t index, struct rows *dicts);
void parquet_column_fini(struct parquet_column *);
int parquet_column_append(struct parquet_column *, struct parquet_scratch *,
    const struct rows *, uint32_t from, uint32_t n, struct err *);
/* Encode the page at hand, if any. */
int parquet_column_flush(struct parquet_column *, struct parquet_scratch *,
    struct err *);
/* Put the dictionary page, if any, into scratch->codes; the chunk is then
 * that and `pages`. */
int parquet_column_dict(struct parquet_column *, struct parquet_scratch *,
    struct err *);
/* Hand the chunk over and begin the next row group. */
void parquet_column_next(struct parquet_column *, struct parquet_chunk *);

struct parquet_file_info {
	const struct rows_schema *schema;
	const struct parquet_group *groups;
	size_t ngroups;
	uint64_t rows;
	const uint32_t *sorted;		/* column numbers */
	size_t nsorted;
};

/* Appends all page indexes, that begin at `offset` of the file, and notes
 * them in the chunks. */
void parquet_footer_indexes(struct parquet_group *, size_t n,
    const struct rows_schema *, uint64_t offset, struct buf *);
void parquet_footer_put(const struct parquet_file_info *, struct buf *);

/* --- reading ------------------------------------------------------------- */

/* Statistics of a chunk as the footer has them, of a page as its index. */
struct parquet_rstat {
	int64_t nulls;			/* -1: not told */
	bool has_min, has_max;
	uint8_t min_len, max_len;
	uint8_t min[PARQUET_BOUND_MAX + 4];
	uint8_t max[PARQUET_BOUND_MAX + 4];
};

/* A part of the file; none has bytes == 0. */
struct parquet_extent {
	uint64_t offset;
	uint32_t bytes;
};

struct parquet_rchunk {
	struct parquet_rstat stat;
	int codec;
	uint64_t values;
	uint64_t from, to;		/* in the file */
	struct parquet_extent column_index, offset_index;
};

struct parquet_rgroup {
	uint64_t rows;
	struct parquet_rchunk *chunks;	/* [ncols], owned */
};

struct parquet_meta {
	struct rows_schema *schema;
	uint64_t rows;
	struct parquet_rgroup *groups;	/* owned */
	size_t ngroups;
};

/* `size` is where the footer begins: nothing else lies behind it. */
int parquet_meta_parse(struct parquet_meta *, const void *, size_t n,
    uint64_t size, struct err *);
void parquet_meta_fini(struct parquet_meta *);

/* A column being read: one page of it. */
struct parquet_source {
	const struct sys *sys;
	int fd;
	const struct rows_col *col;
	uint8_t max_def;
	int codec;
	uint64_t at, end;		/* in the file */
	uint64_t values_left;		/* in pages not yet loaded */
	bool have_dict;
	struct buf dict;		/* raw dictionary page */
	uint32_t ndict;
	uint32_t *dict_off;		/* text: [ndict], each with length */
	struct parquet_remap *remap;	/* text: [ndict] */
	uint64_t page_at;		/* where the page begins */
	/* the page */
	uint32_t n, next;		/* entries, the next one */
	uint32_t nvals, next_val;
	bool coded;			/* text: vals are codes */
	bool full;			/* no nulls: def is not kept */
	struct buf raw;			/* decompressed */
	struct buf vals;		/* fixed width, codes, or offsets of
					 * text in raw */
	struct buf def, rep;		/* a byte an entry */
};

/* Text number i of the page's values. */
const char *parquet_source_text(const struct parquet_source *, uint32_t i,
    size_t *len);

struct parquet_rscratch {
	struct zip *zip;
	struct buf file;		/* as read */
	struct buf codes;
};

/* The row group of the rows given last; whether those were its last. */
const struct parquet_rgroup *parquet_reader_group(
    const struct parquet_reader *, bool *last);
/* fn is given each page when it is decoded, wanted or not, before any row of
 * it is given; its error ends the reading. Not of a page that does not
 * decode. */
typedef int parquet_page_fn(void *cookie, uint32_t column,
    const struct parquet_source *, struct err *);
void parquet_reader_watch(struct parquet_reader *, parquet_page_fn *,
    void *cookie);
/* A part of the file as it is. */
int parquet_reader_bytes(const struct parquet_reader *,
    const struct parquet_extent *, struct buf *, struct err *);

void parquet_source_init(struct parquet_source *, const struct sys *, int fd,
    const struct rows_col *);
void parquet_source_fini(struct parquet_source *);
void parquet_source_start(struct parquet_source *,
    const struct parquet_rchunk *);
/* Load the next data page (a dictionary page on the way). */
int parquet_source_page(struct parquet_source *, struct parquet_rscratch *,
    struct err *);

/* --- checking ------------------------------------------------------------ */

/* What was seen of the values of a page, or of a chunk. */
struct parquet_seen {
	uint64_t nulls;
	bool any, nan;
	int64_t min_i, max_i;		/* as in the file */
	double min_f, max_f;
	const char *min_s, *max_s;	/* of a page, while it is there */
	size_t min_len, max_len;
};

void parquet_seen_page(struct parquet_seen *, const struct parquet_source *);
/* Adds a page to its chunk: numbers only, texts do not last. */
void parquet_seen_add(struct parquet_seen *, const struct parquet_seen *);
/* NULL when the statistics hold, else what of them does not. Without bounds
 * only the nulls are looked at. */
const char *parquet_seen_wrong(const struct parquet_seen *,
    const struct parquet_rstat *, enum rows_type);
/* -1, 0, 1: of two bounds as the file has them, of the type's width. */
int parquet_bound_cmp(const uint8_t *, size_t, const uint8_t *, size_t,
    enum rows_type);

/* Of a page, by the offset index. */
struct parquet_place {
	int64_t offset, bytes, first_row;
};

/*
 * The page index of a chunk, held against its pages as they come. A chunk
 * without one is fine. The first thing that is wrong is kept.
 */
struct parquet_index {
	enum rows_type type;
	const char *wrong;		/* static, or NULL */
	size_t page;			/* ... at which page */
	size_t npages, npages_max;	/* seen, and that there can be */
	uint64_t rows;			/* of those */
	int order;			/* as told: 0 none, 1 up, 2 down */
	const struct parquet_rstat *last;	/* bounds seen last */
	bool has_bounds, has_places;
	struct parquet_rstat *bounds;	/* [nbounds], owned */
	size_t nbounds;
	struct parquet_place *places;	/* [nplaces], owned */
	size_t nplaces;
	struct buf bytes;		/* as read */
};

void parquet_index_init(struct parquet_index *, enum rows_type);
void parquet_index_fini(struct parquet_index *);
/* Begin with a chunk; only what cannot be read is an error. */
int parquet_index_load(struct parquet_index *, const struct parquet_reader *,
    const struct parquet_rchunk *, struct err *);
void parquet_index_page(struct parquet_index *, const struct parquet_source *,
    const struct parquet_seen *);
/* All pages of the chunk were given. */
void parquet_index_end(struct parquet_index *);

/* Highest definition level: 1 for optional, 2 more for a list. */
static inline uint8_t
parquet_max_def(const struct rows_col *c)
{
	return ((uint8_t)((c->required ? 0 : 1) +
	    (c->type == ROWS_LIST ? 2 : 0)));
}

#endif
