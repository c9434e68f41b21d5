#ifndef DELTA_DELTA_INT_H
#define DELTA_DELTA_INT_H

#include "delta/delta.h"

#define DELTA_LOG "_delta_log"
/* Largest commit read back: 100,000 files of 2 KB each. */
#define DELTA_COMMIT_MAX (256u << 20)
#define DELTA_TMP ".garner-tmp-"

/* In commitInfo: hash of the file with these digits as zeros. Readers ignore
 * what they do not know there. */
#define DELTA_HASH "\"garnerXxh64\":\""
#define DELTA_HASH_NONE "0000000000000000"
#define DELTA_HASH_DIGITS 16

struct delta_table {
	const struct sys *sys;
	char *dir;
	char *cursor;		/* or NULL */
	char *bad;		/* file that could not be replayed, or NULL */
};

/* <dir>/_delta_log/<20 digits>.json; caller frees. */
char *delta_log_path(const struct delta_table *, int64_t version);
/* Where the digits stand, or NULL: it is not one of ours. */
char *delta_hash_place(char *text, size_t n);
/* Spark's JSON schema of the columns and the partition column (or NULL);
 * caller frees. */
char *delta_schema_string(const struct rows_schema *, const char *partition);

#endif
