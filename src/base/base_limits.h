#ifndef BASE_LIMITS_H
#define BASE_LIMITS_H

/*
 * Limits with a name and a reason; relations between them are asserted.
 */

#include <assert.h>

/* Largest decoded answer body: 150,000 items (the PI Web API default of
 * MaxReturnedItemsPerCall) of 200 bytes are 30 MB; twice that. */
#define LIMIT_BODY_MAX (64u << 20)
/* Deepest JSON: PI answers nest to about 8. */
#define LIMIT_JSON_DEPTH 64
/* Largest encoded journal block, header and payload. */
#define LIMIT_BLOCK_MAX (32u << 20)
/* Largest decoded payload of a block. */
#define LIMIT_BLOCK_RAW_MAX (256u << 20)
/* Rows of one block; also of one batch handed to a worker. */
#define LIMIT_BLOCK_ROWS (1u << 20)
/* A text cell: PI strings are below 1 KB, AF descriptions below 64 KB. */
#define LIMIT_CELL_MAX (4u << 20)
/* A journal segment is closed when it grows beyond this. */
#define LIMIT_SEGMENT_BYTES (256ull << 20)
/* Columns of a table. */
#define LIMIT_COLUMNS 64
/* Configuration and connector files. */
#define LIMIT_YAML_FILE (1u << 20)
#define LIMIT_YAML_DEPTH 16

static_assert(LIMIT_BLOCK_MAX < LIMIT_SEGMENT_BYTES, "a block fits");
static_assert(LIMIT_CELL_MAX < LIMIT_BLOCK_MAX, "a cell fits a block");

#endif
