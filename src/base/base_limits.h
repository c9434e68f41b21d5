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
#define LIMIT_JSON_DEPTH BOUND_DEPTH
/* Largest encoded journal block, header and payload. */
#define LIMIT_BLOCK_MAX (32u << 20)
/* Largest decoded payload of a block. */
#define LIMIT_BLOCK_RAW_MAX (256u << 20)
/* Writable bytes behind a body: who decodes it in place wants zeros there. */
#define LIMIT_PADDING 64
/* Rows of one block; also of one batch handed to a worker. */
#define LIMIT_BLOCK_ROWS (1u << 20)
/* Blocks of rows of a batch: who judges it holds all of them. */
#define LIMIT_BATCH_BLOCKS 64
/* A text cell: PI strings are below 1 KB, AF descriptions below 64 KB. */
#define LIMIT_CELL_MAX BOUND_TEXT
/* A journal segment is closed when it grows beyond this. */
#define LIMIT_SEGMENT_BYTES (256ull << 20)
/* Columns of a table. */
#define LIMIT_COLUMNS 64
/* Configuration and connector files. */
#define LIMIT_YAML_FILE (1u << 20)
#define LIMIT_YAML_DEPTH 16

/*
 * Bounds of what is asked and of what comes back, as garner.yaml(5) lists
 * them under BOUNDS, in this order. Text: the default of the option named,
 * as one would write it; numbers: fixed, for those who need another would
 * have met something that is no PI Web API. make check compares them with
 * the manual and with garner config.
 */
#define BOUND_BODY "64MiB"		/* fetch.body_max */
#define BOUND_RATIO "200"		/* fetch.ratio_max */
#define BOUND_RATIO_FROM (1u << 20)	/* fixed: 1MiB */
#define BOUND_HEADERS (256u << 10)	/* fixed: 256KiB */
#define BOUND_REDIRECTS 0L		/* fixed: 0 */
#define BOUND_CONNECT "10s"		/* fetch.connect_timeout */
#define BOUND_LOW_SPEED "30s"		/* fetch.low_speed */
#define BOUND_TOTAL "120s"		/* fetch.timeout */
#define BOUND_TRIES "3"			/* fetch.tries */
#define BOUND_RETRY_WAIT "60s"		/* fetch.retry_cap */
#define BOUND_HELD "2m"			/* fetch.give_up */
#define BOUND_QUOTA_WAIT_S 86400	/* fixed: 1d */
#define BOUND_IN_FLIGHT "64"		/* fetch.in_flight */
#define BOUND_QUEUE_PART 8u		/* fixed: 8 */
#define BOUND_URL "2000"		/* harvest.url_max */
#define BOUND_ITEMS "150000"		/* harvest.item_cap */
#define BOUND_MEMORY "16MiB"		/* harvest.memory */
#define BOUND_KEPT "64MiB"		/* harvest.quarantine */
#define BOUND_DEPTH 64			/* fixed: 64 */
#define BOUND_TEXT (4u << 20)		/* fixed: 4MiB */
#define BOUND_TOKEN_BODY (64u << 10)	/* fixed: 64KiB */
#define BOUND_SECRET (8u << 10)		/* fixed: 8KiB */
#define BOUND_SECRET_S 10		/* fixed: 10s */

static_assert(LIMIT_BLOCK_MAX < LIMIT_SEGMENT_BYTES, "a block fits");
static_assert(LIMIT_CELL_MAX < LIMIT_BLOCK_MAX, "a cell fits a block");

#endif
