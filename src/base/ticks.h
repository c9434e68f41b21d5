#ifndef BASE_TICKS_H
#define BASE_TICKS_H

/*
 * Time. A tick is 100 ns since 1970-01-01T00:00:00Z, int64; inside the
 * program no other absolute time exists. Year 9999 fits.
 */

#include <stddef.h>
#include <stdint.h>

#define TICKS_PER_US 10LL
#define TICKS_PER_MS 10000LL
#define TICKS_PER_S 10000000LL
#define TICKS_PER_DAY (86400LL * TICKS_PER_S)
#define TICKS_MIN 0LL			/* nothing is earlier in PI */
#define TICKS_MAX 2534023007999999999LL	/* ~ 9999-12-31T23:59:59.99Z */
#define TICKS_NONE INT64_MIN
#define TICKS_TEXT_MAX 32		/* buffer size for all forms below */

/*
 * RFC 3339 / ISO 8601 date-time with 0 to 9 fractional digits (beyond the
 * seventh they are cut) and `Z` or an offset; `len` bytes, not necessarily
 * terminated. 0 or ERR_DATA. This is the hot path of the decoder.
 */
int ticks_parse(const char *, size_t len, int64_t *out);

/*
 * What a person may write: the above, a date alone, no zone (UTC), `*`,
 * `now`, `t`/`today`, `y`/`yesterday`, each with an offset as in `*-8h`,
 * `t+30m`. `now` gives the meaning of `*`. 0 or ERR_DATA.
 */
int ticks_parse_human(const char *, int64_t now, int64_t *out);

/*
 * Each returns the buffer; TICKS_NONE becomes "none".
 * 2024-03-01T00:00:00.1234567Z: always seven digits.
 */
const char *ticks_text7(int64_t, char *buf);
/* As PI Web API writes: no trailing zeros, no fraction when it is 0. */
const char *ticks_text(int64_t, char *buf);
/* 2024-03-01T00:00:00Z for messages: whole seconds, floor. */
const char *ticks_text_s(int64_t, char *buf);
/* 2024-03-01 */
const char *ticks_date(int64_t, char *buf);
/* Days since 1970-01-01, floor. */
int32_t ticks_day(int64_t);
/* Microseconds, floor; and the rest 0..9 in ticks. */
int64_t ticks_us(int64_t);
int32_t ticks_rest(int64_t);

#endif
