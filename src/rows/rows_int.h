#ifndef ROWS_ROWS_INT_H
#define ROWS_ROWS_INT_H

#include "base/buf.h"
#include "rows/rows.h"
#include "rows/rows_kernel.h"

void rows_dict_init(struct rows_dict *);
void rows_dict_fini(struct rows_dict *);
void rows_dict_clear(struct rows_dict *);
uint32_t rows_dict_intern(struct rows_dict *, const char *, size_t);
size_t rows_dict_bytes(const struct rows_dict *);

/*
 * The encoded form of a batch, told in garner-journal(5), ENCODED ROWS:
 * varint n, then each column: how its nulls are stored, then its m valid
 * cells, packed, in a form of its type. Bitmaps begin at the lowest bit.
 */
enum rows_nulls { NULLS_NONE, NULLS_ALL, NULLS_BITMAP };
enum rows_bools { BOOLS_FALSE, BOOLS_TRUE, BOOLS_BITMAP };
enum rows_ints { INTS_SAME, INTS_PARTS };
enum rows_doubles {
	DOUBLES_SAME,		/* 8 bytes */
	DOUBLES_PARTS,
};
/* What the integers of a part of doubles are; below: decimals of so many
 * places, with exceptions. */
enum rows_kinds {
	KIND_FLOAT = 13,	/* singles, exactly */
	KIND_RAW,		/* their bits */
};
enum rows_texts { TEXTS_SAME, TEXTS_RUNS, TEXTS_EACH };

/* 10^22 is the last power of ten that a double holds exactly; beyond twelve
 * places a decimal is no shorter than the double. */
#define DECIMALS_MAX 12

/* i / 10^places, rounded once: the double that this decimal text means. */
static inline double
rows_decimal(int64_t i, unsigned places)
{
	static const double power10[DECIMALS_MAX + 1] = { 1, 1e1, 1e2, 1e3,
	    1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12 };

	return ((double)i / power10[places]);
}

/* --- bits ---------------------------------------------------------------- */

/* Eight bytes as a word, the first lowest: written out it is one load. */
static inline uint64_t
rows_load8(const uint8_t *p)
{

	return ((uint64_t)p[0] | (uint64_t)p[1] << 8 | (uint64_t)p[2] << 16 |
	    (uint64_t)p[3] << 24 | (uint64_t)p[4] << 32 |
	    (uint64_t)p[5] << 40 | (uint64_t)p[6] << 48 |
	    (uint64_t)p[7] << 56);
}

static inline void
rows_store8(uint8_t *p, uint64_t v)
{

	p[0] = (uint8_t)v;
	p[1] = (uint8_t)(v >> 8);
	p[2] = (uint8_t)(v >> 16);
	p[3] = (uint8_t)(v >> 24);
	p[4] = (uint8_t)(v >> 32);
	p[5] = (uint8_t)(v >> 40);
	p[6] = (uint8_t)(v >> 48);
	p[7] = (uint8_t)(v >> 56);
}

/* Eight bytes of 0 or 1 become eight bits: the multiplication moves byte i's
 * bit to 56 + i, and no two meet. */
static inline uint8_t
rows_pack8(uint64_t v)
{

	return ((uint8_t)(v * 0x0102040810204080u >> 56));
}

/* And back: each byte keeps its bit, and a carry takes it to the highest. */
static inline uint64_t
rows_unpack8(uint8_t b)
{
	uint64_t v = b * 0x0101010101010101u & 0x8040201008040201u;

	return ((v + 0x7f7f7f7f7f7f7f7fu) >> 7 & 0x0101010101010101u);
}

/* rows_encode() by these loops. */
void rows_encode_with(const struct rows *, const struct rows_kernel *,
    struct buf *scratch, struct buf *);

/* --- streams of integers, see rows_ints.c ------------------------------- */

#define ROWS_PLANES 15		/* 8 of bytes, 7 of bits */
#define ROWS_WIDTH_MAX 64
#define ROWS_ORDER_MAX 2
/* Ticks come as whole seconds, milliseconds or microseconds. */
static const uint64_t rows_units[] = { 1, 10, 10000, 10000000 };

struct rows_part {
	uint32_t n;
	uint8_t unit, order;
	uint8_t width;			/* bits */
	uint64_t base, slope;
};

/* Bytes of a part in a plane: a whole byte of each number in the first of
 * them; in the others the bits above those, the highest first. */
static inline size_t
rows_in_plane(uint32_t n, uint8_t width, unsigned plane)
{

	if (plane < 8)
		return (plane < width / 8u ? n : 0);
	return (plane - 8 < width % 8u ? ((size_t)n + 7) / 8 : 0);
}

/* In all planes together. */
static inline size_t
rows_in_planes(uint32_t n, uint8_t width)
{

	return ((size_t)n * (width / 8u) +
	    ((size_t)n + 7) / 8 * (width % 8u));
}

/* Reading: measure all parts, find the planes behind them, then decode the
 * parts from the place where the first began. */
struct rows_planes {
	const uint8_t *p[ROWS_PLANES];
	size_t bytes[ROWS_PLANES];
	uint64_t base;			/* of the part before */
};
bool rows_part_measure(struct cur *, uint32_t left, struct rows_planes *,
    uint32_t *n);
bool rows_planes_find(struct cur *, struct rows_planes *);
void rows_part_decode(struct cur *, struct rows_planes *, int64_t *,
    uint32_t *n);

/* A part is not longer, and if there is more of the stream not shorter. */
#define ROWS_PART_MAX 1024u
#define ROWS_PART_MIN 64u

/*
 * Writing, with room for the numbers of a part: begin, add each part, end.
 * What tells a part's kind is put to `head` before it is added. Fails by the
 * error of the buffers.
 */
struct rows_coder {
	const struct rows_kernel *kernel;
	struct buf head;		/* what tells the parts */
	struct buf *planes;		/* borrowed; of each part together */
	struct {
		uint32_t n;
		uint8_t width;
	} *parts;
	uint32_t nparts, cap;
	uint64_t base;			/* of the part before */
	bool same;			/* all are what the first was */
	int64_t first;
	int64_t cells[ROWS_PART_MAX];	/* for who adds */
	int64_t ints[ROWS_PART_MAX];	/* likewise */
	int64_t scaled[ROWS_PART_MAX];
	uint64_t zigzag[ROWS_PART_MAX];
};
struct rows_coder *rows_coder_new(const struct rows_kernel *,
    struct buf *planes);
void rows_coder_free(struct rows_coder *);
void rows_coder_begin(struct rows_coder *);
void rows_coder_add(struct rows_coder *, const int64_t *, uint32_t n);
/* The head and the planes. */
void rows_coder_end(struct rows_coder *, struct buf *);
/* A stream of m > 0 integers by itself. */
void rows_ints_encode(struct rows_coder *, const int64_t *, uint32_t m,
    struct buf *);
/* Begun, some parts added: the stream is put with its form. */
void rows_ints_end(struct rows_coder *, struct buf *);

/* A column of doubles, the same way. */
struct rows_doubles_coder {
	uint8_t kind;
	bool same;
	double first;
};
void rows_doubles_begin(struct rows_doubles_coder *, struct rows_coder *);
void rows_doubles_add(struct rows_doubles_coder *, struct rows_coder *,
    const double *, uint32_t n);
void rows_doubles_end(struct rows_doubles_coder *, struct rows_coder *,
    struct buf *);

/* A stream of m > 0 integers. */
bool rows_ints_decode(struct cur *, int64_t *, uint32_t m);
/* The same without the integers. */
bool rows_ints_pass(struct cur *, uint32_t m);

#endif
