#ifndef ROWS_ROWS_INT_H
#define ROWS_ROWS_INT_H

#include "rows/rows.h"

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
enum rows_doubles {
	DOUBLES_SAME,		/* 8 bytes */
	DOUBLES_RAW,		/* 8 planes of m bytes */
	DOUBLES_FLOAT,		/* 4 planes: singles, exactly */
	DOUBLES_DECIMAL,	/* integers / 10^places, and exceptions */
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

/* A stream of m > 0 integers; tmp has room for m. */
void rows_ints_encode(const int64_t *, uint32_t m, uint64_t *tmp,
    struct buf *);
bool rows_ints_decode(struct cur *, int64_t *, uint32_t m);
/* The same without the integers. */
bool rows_ints_pass(struct cur *, uint32_t m);

#endif
