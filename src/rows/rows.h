#ifndef ROWS_ROWS_H
#define ROWS_ROWS_H

/*
 * Rows: a batch of typed columns with a schema. The one form in which data
 * moves: decoders make it, journal and compaction carry it, Parquet and
 * `cat` consume it.
 *
 * A column is an array of fixed width plus one validity byte a row (0 null,
 * 1 valid). Text is dictionary coded: the array holds codes (uint32) into
 * the column's own dictionary of distinct strings, so that a tag name is
 * stored once a batch. No allocation per value.
 *
 * A batch belongs to one thread at a time. Schemas are immutable and must
 * outlive the batches made with them.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/must.h"

struct buf;
struct cur;
struct err;

enum rows_type {
	ROWS_BOOL = 1,		/* uint8_t 0/1 */
	ROWS_INT32 = 2,		/* int32_t */
	ROWS_INT64 = 3,		/* int64_t */
	ROWS_DOUBLE = 4,	/* double */
	ROWS_TICKS = 5,		/* int64_t, base/ticks.h; `timestamp` outside */
	ROWS_STRING = 6,	/* uint32_t code; UTF-8 text */
	ROWS_LIST = 7,		/* as ROWS_STRING: the text is a canonical JSON
				 * array of strings, minified: ["a","b"] */
};

#define ROWS_NAME_MAX 64	/* with the NUL */

struct rows_col {
	char name[ROWS_NAME_MAX];	/* [a-z][a-z0-9_]* */
	enum rows_type type;
	bool required;			/* null is refused by rows_check() */
};

struct rows_schema {
	char name[ROWS_NAME_MAX];	/* of the table */
	uint32_t ncols;
	struct rows_col *cols;		/* owned */
};

struct rows_schema *rows_schema_new(const char *name,
    const struct rows_col *cols, uint32_t ncols);
struct rows_schema *rows_schema_dup(const struct rows_schema *);
void rows_schema_free(struct rows_schema *);
/* Index or -1. */
int rows_schema_find(const struct rows_schema *, const char *col);
bool rows_schema_equal(const struct rows_schema *, const struct rows_schema *);
/* XXH3-64 of the encoded form: what a journal block names. */
uint64_t rows_schema_id(const struct rows_schema *);
/* varint ncols, then name, type, flags; journal and runs store this. */
void rows_schema_encode(const struct rows_schema *, struct buf *);
int rows_schema_decode(struct cur *, struct rows_schema **, struct err *);
const char *rows_type_name(enum rows_type);	/* "string", "timestamp" */
int rows_type_parse(const char *, enum rows_type *);	/* 0, ERR_DATA */

/* Bytes of a cell in memory; whether that is the code of a text. */
static inline size_t
rows_width(enum rows_type t)
{

	switch (t) {
	case ROWS_BOOL:
		return (1);
	case ROWS_INT32:
	case ROWS_STRING:
	case ROWS_LIST:
		return (4);
	default:
		return (8);
	}
}

static inline bool
rows_is_text(enum rows_type t)
{

	return (t == ROWS_STRING || t == ROWS_LIST);
}

/* A dictionary of distinct strings, codes 0.. in order of first sight. */
struct rows_dict {
	uint32_t n;
	uint32_t cap;
	uint32_t *off;		/* [n + 1] into heap */
	char *heap;
	size_t heap_cap;
	uint32_t *slots;	/* open addressing: code + 1, 0 empty */
	uint32_t nslots;	/* power of two, or 0 before the first */
	uint32_t last;		/* code looked up last, or UINT32_MAX */
};

struct rows_vec {
	union {
		void *data;
		uint8_t *b;
		int32_t *i32;
		int64_t *i64;
		double *f64;
		uint32_t *code;
	};
	uint8_t *valid;
	struct rows_dict dict;	/* text columns only */
};

struct rows {
	const struct rows_schema *schema;	/* borrowed */
	uint32_t n;
	uint32_t cap;
	struct rows_vec *v;			/* [schema->ncols] */
};

struct rows *rows_new(const struct rows_schema *);
void rows_free(struct rows *);
void rows_clear(struct rows *);		/* no rows, empty dictionaries */
/* Bytes held: arrays and dictionaries. */
size_t rows_bytes(const struct rows *);
/* Room for n more rows; ERR_NOMEM, or ERR_LIMIT above LIMIT_BLOCK_ROWS... */
int rows_reserve(struct rows *, uint32_t n);
/* Append one row, all null; its index. Stops the program out of memory. */
uint32_t rows_add(struct rows *);
/* Forget all rows from index n on (dictionaries stay). */
void rows_truncate(struct rows *, uint32_t n);
/* Rows [from, from + n) as a batch of their own, to be read only: it borrows
 * all that it has, and `v`, [ncols], until `r` changes. */
void rows_part(const struct rows *r, uint32_t from, uint32_t n,
    struct rows *part, struct rows_vec *v);
/* Take out rows [from, from + n), the ones behind move up. */
void rows_drop(struct rows *, uint32_t from, uint32_t n);

static inline void
rows_set_bool(struct rows *r, uint32_t c, uint32_t i, bool x)
{
	r->v[c].b[i] = x;
	r->v[c].valid[i] = 1;
}

static inline void
rows_set_i32(struct rows *r, uint32_t c, uint32_t i, int32_t x)
{
	r->v[c].i32[i] = x;
	r->v[c].valid[i] = 1;
}

static inline void	/* ROWS_INT64 and ROWS_TICKS */
rows_set_i64(struct rows *r, uint32_t c, uint32_t i, int64_t x)
{
	r->v[c].i64[i] = x;
	r->v[c].valid[i] = 1;
}

static inline void
rows_set_f64(struct rows *r, uint32_t c, uint32_t i, double x)
{
	r->v[c].f64[i] = x;
	r->v[c].valid[i] = 1;
}

static inline void	/* a code got from rows_intern() of the same column */
rows_set_code(struct rows *r, uint32_t c, uint32_t i, uint32_t code)
{
	r->v[c].code[i] = code;
	r->v[c].valid[i] = 1;
}

/* Cell `from` of a column once more, into row `to`, which has none yet. */
void rows_copy_cell(struct rows *, uint32_t c, uint32_t from, uint32_t to);

/* One cell for all rows of [from, to). */
static inline void
rows_fill_bool(struct rows *r, uint32_t c, uint32_t from, uint32_t to, bool x)
{
	memset(r->v[c].b + from, x, to - from);
	memset(r->v[c].valid + from, 1, to - from);
}

static inline void
rows_fill_code(struct rows *r, uint32_t c, uint32_t from, uint32_t to,
    uint32_t code)
{
	for (uint32_t i = from; i < to; i++)
		r->v[c].code[i] = code;
	memset(r->v[c].valid + from, 1, to - from);
}

/* The code of a string in column c's dictionary, added when new. Asking for
 * the same string again and again is cheap. */
uint32_t rows_intern(struct rows *, uint32_t c, const char *, size_t len);
void rows_set_str(struct rows *, uint32_t c, uint32_t i, const char *,
    size_t len);

static inline bool
rows_null(const struct rows *r, uint32_t c, uint32_t i)
{
	return (!r->v[c].valid[i]);
}

/* Text of a code / of a cell; not NUL terminated; valid until the column
 * is next interned into. */
static inline const char *
rows_dict_str(const struct rows_dict *d, uint32_t code, size_t *len)
{
	*len = d->off[code + 1] - d->off[code];
	return (d->heap + d->off[code]);
}

static inline const char *
rows_str(const struct rows *r, uint32_t c, uint32_t i, size_t *len)
{
	return (rows_dict_str(&r->v[c].dict, r->v[c].code[i], len));
}

/*
 * Copying rows between batches of equal column lists (or by a column map).
 * The object remembers which code of `from` became which of `to`, so that a
 * run of rows costs an array look-up a text cell. It must be made anew when
 * either batch was cleared or the pair changes.
 */
struct rows_copier;
/* map[i] = column of `from` for column i of `to`, or -1 for null; NULL:
 * same index, schemas must have equal columns. */
struct rows_copier *rows_copier_new(struct rows *to, const struct rows *from,
    const int *map);
void rows_copier_free(struct rows_copier *);
void rows_copier_row(struct rows_copier *, uint32_t i);	/* appends one row */

/* rank[code] = position of the code's text in bytewise order; n entries. */
uint32_t *rows_dict_ranks(const struct rows_dict *);

/* One cell as text for csv (unquoted) or NDJSON; ticks as ISO 8601 with
 * seven digits, null as "" / null. */
void rows_cell_text(const struct rows *, uint32_t c, uint32_t i,
    struct buf *);
void rows_cell_json(const struct rows *, uint32_t c, uint32_t i,
    struct buf *);

/*
 * What rows [from, from + n) say, all columns of them, in a word: the sum of
 * a hash of each, so that the digest of a range is the sum of its parts',
 * modulo 2^64. The same cells give the same on any machine and whatever the
 * dictionaries; 0 for no rows.
 */
uint64_t rows_digest(const struct rows *, uint32_t from, uint32_t n);

/* Asserts the invariants: codes below dict.n, booleans 0/1, required set. */
void rows_check(const struct rows *);

/*
 * The encoded form (journal blocks, spilled runs), before compression; the
 * layout is told in garner-journal(5). Encoding drops dictionary entries
 * that no row names, and leaves anything in `scratch`, a buffer lent to it,
 * which takes about as many bytes. Decoding appends to an empty batch; every
 * length and code is checked: ERR_CORRUPT.
 */
void rows_encode(const struct rows *, struct buf *scratch, struct buf *);
int rows_decode(struct rows *, struct cur *, struct err *);
/* The same for the columns that are wanted, [ncols]; the others are checked
 * like these and then null, required ones too. NULL: all. */
int rows_decode_only(struct rows *, struct cur *, const bool *wanted,
    struct err *);

#endif
