#ifndef ROWS_ROWS_INT_H
#define ROWS_ROWS_INT_H

#include "rows/rows.h"

void rows_dict_init(struct rows_dict *);
void rows_dict_fini(struct rows_dict *);
void rows_dict_clear(struct rows_dict *);
uint32_t rows_dict_intern(struct rows_dict *, const char *, size_t);
size_t rows_dict_bytes(const struct rows_dict *);

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

#endif
