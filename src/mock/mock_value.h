#ifndef MOCK_VALUE_H
#define MOCK_VALUE_H

/*
 * Timed values as JSON: the hot path. What does not change from value to
 * value (the flags under the selection, the units of a stream) is made once
 * and copied.
 */

#include <stdint.h>

#include "mock/mock_answer.h"

struct mock_values {
	uint32_t mask;
	char tail[32][112];	/* by flags, with the closing brace */
	uint8_t tail_len[32];
	char units[64];
	size_t units_len;
	int64_t minute;
	char head[32];		/* of `minute`:
				 * ,"Timestamp":"2024-03-01T07:05: */
};

void mock_values_init(struct mock_values *, const struct mock_sel *);
void mock_values_units(struct mock_values *, const char *units);
/* ,{...} with the comma, for the caller to overwrite or keep. */
void mock_values_put(struct mock_values *, const struct mock_event *,
    struct buf *out);
/* The number alone, as in answers. */
char *mock_number_put(char *, const struct mock_event *);
#define MOCK_NUMBER_MAX 48

#endif
