#ifndef DELTA_DELTA_INT_H
#define DELTA_DELTA_INT_H

#include "delta/delta.h"

#define DELTA_LOG "_delta_log"
/* Largest commit read back: 100,000 files of 2 KB each. */
#define DELTA_COMMIT_MAX (256u << 20)
#define DELTA_TMP ".garner-tmp-"

struct delta_table {
	const struct sys *sys;
	char *dir;
	char *cursor;		/* or NULL */
	char *bad;		/* file that could not be replayed, or NULL */
};

/* <dir>/_delta_log/<20 digits>.json; caller frees. */
char *delta_log_path(const struct delta_table *, int64_t version);
/* Spark's JSON schema of the columns and the partition column (or NULL);
 * caller frees. */
char *delta_schema_string(const struct rows_schema *, const char *partition);

#endif
