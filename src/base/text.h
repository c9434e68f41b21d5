#ifndef BASE_TEXT_H
#define BASE_TEXT_H

/*
 * Text at the edges: numbers, sizes, durations, escaping, file encodings.
 * All of them take bounds and never accept rubbish after the number.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct buf;

/* Whole string, decimal, within [min, max]; 0 or ERR_DATA. */
int text_i64(const char *, int64_t min, int64_t max, int64_t *out);
int text_u64(const char *, uint64_t min, uint64_t max, uint64_t *out);
int text_double(const char *, double min, double max, double *out);
/* "64KiB", "1.5MiB", "10GB", "4096": bytes. */
int text_size(const char *, uint64_t min, uint64_t max, uint64_t *out);
/* "250ms", "90s", "1h30m", "4h", "30d": milliseconds; bare digits: s. */
int text_duration_ms(const char *, int64_t min, int64_t max, int64_t *out);
/* true/yes/on/1, false/no/off/0 */
int text_bool(const char *, bool *out);

/* "1.2 GB" style figures for people; buffer of 32 is enough. */
const char *text_bytes_human(uint64_t, char *, size_t);
const char *text_count_human(uint64_t, char *, size_t); /* 1,234,567 */
/* "1 retry", "1,234 retries"; many: NULL is one and an "s". */
const char *text_counted(uint64_t, const char *one, const char *many, char *,
    size_t);

/* Text from outside for a message: control characters, quotes and invalid
 * UTF-8 become \xNN, a backslash stays. At most max bytes are appended,
 * and "..." when that is not all. */
void text_escape(struct buf *, const char *, size_t len, size_t max);

/* RFC 3986: everything but unreserved characters becomes %XX. */
void text_percent(struct buf *, const char *, size_t len);
/* In place; '+' becomes a blank when `form`; returns the new length or -1. */
long text_unpercent(char *, size_t len, bool form);

/* Base64url without '=' (RFC 4648 section 5). Decode: length or -1. */
void text_base64url(struct buf *, const void *, size_t len);
long text_unbase64url(const char *, size_t len, uint8_t *out, size_t max);

bool text_utf8_valid(const char *, size_t len);

/* The nearest of `n` words to `word` by edit distance, or NULL when none is
 * near enough to be a likely slip (distance <= 1 + length / 4). */
const char *text_nearest(const char *word, const char *const *words, size_t n);

#endif
