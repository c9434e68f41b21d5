/*
 * Numbers, sizes and durations as people write them, and back. One scanner
 * of decimal digits below all of them, which knows about overflow; bounds
 * are the caller's. Anything left over after the number is ERR_DATA.
 */
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/err.h"
#include "base/must.h"
#include "base/text.h"

#define FRACTION_DIGITS_MAX 6
#define NEAREST_WORD_MAX 64

/* At least one digit at *s, which moves behind them. */
static int
scan_u64(const char **s, uint64_t *out)
{
	const char *p = *s;
	uint64_t v = 0;

	if (*p < '0' || *p > '9')
		return (ERR_DATA);
	for (; *p >= '0' && *p <= '9'; p++)
		if (__builtin_mul_overflow(v, 10, &v) ||
		    __builtin_add_overflow(v, (uint64_t)(*p - '0'), &v))
			return (ERR_DATA);
	*s = p;
	*out = v;
	return (0);
}

int
text_u64(const char *s, uint64_t min, uint64_t max, uint64_t *out)
{
	uint64_t v;

	if (scan_u64(&s, &v) != 0 || *s != '\0' || v < min || v > max)
		return (ERR_DATA);
	*out = v;
	return (0);
}

int
text_i64(const char *s, int64_t min, int64_t max, int64_t *out)
{
	bool minus = *s == '-';
	uint64_t u, most = (uint64_t)INT64_MAX + minus;
	int64_t v;

	if (text_u64(s + minus, 0, most, &u) != 0)
		return (ERR_DATA);
	v = (int64_t)(minus ? 0 - u : u);
	if (v < min || v > max)
		return (ERR_DATA);
	*out = v;
	return (0);
}

int
text_double(const char *s, double min, double max, double *out)
{
	char *end;
	double v;

	/* Keeps out blanks, hexadecimal, nan and infinity. */
	if (*s == '\0' || s[strspn(s, "0123456789+-.eE")] != '\0')
		return (ERR_DATA);
	v = strtod(s, &end);
	if (end == s || *end != '\0' || !(v >= min && v <= max))
		return (ERR_DATA);
	*out = v;
	return (0);
}

struct unit {
	const char *name;
	uint64_t factor;
};

static const struct unit size_units[] = {
	{ "", 1 }, { "B", 1 },
	{ "KB", 1000u }, { "KiB", 1u << 10 },
	{ "MB", 1000000u }, { "MiB", 1u << 20 },
	{ "GB", 1000000000u }, { "GiB", 1u << 30 },
	{ "TB", 1000000000000u }, { "TiB", 1ull << 40 },
};

static const struct unit time_units[] = {
	{ "ms", 1 }, { "s", 1000 }, { "m", 60000 }, { "h", 3600000 },
	{ "d", 86400000 }, { "w", 7 * 86400000 },
};

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static const struct unit *
unit_find(const struct unit *units, size_t n, const char *name, size_t len)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (strlen(units[i].name) == len &&
		    strncasecmp(units[i].name, name, len) == 0)
			return (&units[i]);
	return (NULL);
}

int
text_size(const char *s, uint64_t min, uint64_t max, uint64_t *out)
{
	const struct unit *unit;
	const char *point;
	uint64_t v, part = 0, scale = 1;

	if (scan_u64(&s, &v) != 0)
		return (ERR_DATA);
	if (*s == '.') {
		point = ++s;
		if (scan_u64(&s, &part) != 0 ||
		    s - point > FRACTION_DIGITS_MAX)
			return (ERR_DATA);
		for (; point < s; point++)
			scale *= 10;
	}
	unit = unit_find(size_units, COUNT(size_units), s, strlen(s));
	if (unit == NULL || (scale > 1 && unit->factor == 1))
		return (ERR_DATA);
	/* part < 10^6, factor <= 2^40: no overflow in the second product. */
	if (__builtin_mul_overflow(v, unit->factor, &v) ||
	    __builtin_add_overflow(v, part * unit->factor / scale, &v) ||
	    v < min || v > max)
		return (ERR_DATA);
	*out = v;
	return (0);
}

int
text_duration_ms(const char *s, int64_t min, int64_t max, int64_t *out)
{
	const struct unit *unit;
	uint64_t v, sum = 0;
	size_t len;
	bool bare = s[strspn(s, "0123456789")] == '\0';

	do {
		if (scan_u64(&s, &v) != 0)
			return (ERR_DATA);
		len = strcspn(s, "0123456789");
		unit = unit_find(time_units, COUNT(time_units),
		    bare ? "s" : s, bare ? 1 : len);
		if (unit == NULL ||
		    __builtin_mul_overflow(v, unit->factor, &v) ||
		    __builtin_add_overflow(sum, v, &sum))
			return (ERR_DATA);
		s += len;
	} while (*s != '\0');
	if (sum > INT64_MAX || (int64_t)sum < min || (int64_t)sum > max)
		return (ERR_DATA);
	*out = (int64_t)sum;
	return (0);
}

int
text_bool(const char *s, bool *out)
{
	static const char *const words[][2] = {
		{ "false", "true" }, { "no", "yes" }, { "off", "on" },
		{ "0", "1" },
	};
	size_t i;
	int v;

	for (i = 0; i < COUNT(words); i++)
		for (v = 0; v < 2; v++)
			if (strcasecmp(s, words[i][v]) == 0) {
				*out = v == 1;
				return (0);
			}
	return (ERR_DATA);
}

const char *
text_bytes_human(uint64_t n, char *out, size_t size)
{
	static const char *const units[] = { "KB", "MB", "GB", "TB", "PB",
	    "EB" };
	double v = (double)n / 1000;
	size_t i;

	if (n < 1000) {
		snprintf(out, size, "%u B", (unsigned)n);
		return (out);
	}
	/* 999.95 would be printed as 1000.0. */
	for (i = 0; i + 1 < COUNT(units) && v >= 999.95; i++)
		v /= 1000;
	snprintf(out, size, "%.1f %s", v, units[i]);
	return (out);
}

const char *
text_count_human(uint64_t n, char *out, size_t size)
{
	char text[32], *p = text + sizeof(text);
	int digits = 0;

	*--p = '\0';
	do {
		if (digits > 0 && digits % 3 == 0)
			*--p = ',';
		*--p = (char)('0' + n % 10);
		digits++;
	} while ((n /= 10) > 0);
	snprintf(out, size, "%s", p);
	return (out);
}

const char *
text_counted(uint64_t n, const char *one, const char *many, char *out,
    size_t size)
{
	char text[32];

	snprintf(out, size, "%s %s%s", text_count_human(n, text,
	    sizeof(text)), n == 1 || many == NULL ? one : many,
	    n == 1 || many != NULL ? "" : "s");
	return (out);
}

static size_t
least(size_t a, size_t b)
{
	return (a < b ? a : b);
}

/* Insertions, deletions, changes and swaps of neighbours from a to b. */
static size_t
edit_distance(const char *a, size_t alen, const char *b, size_t blen)
{
	size_t d[3][NEAREST_WORD_MAX + 1], i, j, *now, *last, *before;

	MUST(alen <= NEAREST_WORD_MAX && blen <= NEAREST_WORD_MAX);
	for (j = 0; j <= blen; j++)
		d[0][j] = j;
	for (i = 1; i <= alen; i++) {
		now = d[i % 3];
		last = d[(i + 2) % 3];
		before = d[(i + 1) % 3];
		now[0] = i;
		for (j = 1; j <= blen; j++) {
			now[j] = least(least(now[j - 1], last[j]) + 1,
			    last[j - 1] + (a[i - 1] != b[j - 1]));
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] &&
			    a[i - 2] == b[j - 1])
				now[j] = least(now[j], before[j - 2] + 1);
		}
	}
	return (d[alen % 3][blen]);
}

const char *
text_nearest(const char *word, const char *const *words, size_t n)
{
	const char *best = NULL;
	size_t i, len, other, distance, limit;

	if ((len = strlen(word)) > NEAREST_WORD_MAX)
		return (NULL);
	limit = 1 + len / 4;
	for (i = 0; i < n; i++) {
		if ((other = strlen(words[i])) > NEAREST_WORD_MAX)
			continue;
		distance = edit_distance(word, len, words[i], other);
		/* Nothing in common is no slip. */
		if (distance > limit || distance >= other)
			continue;
		best = words[i];
		if (distance == 0)
			break;
		limit = distance - 1;
	}
	return (best);
}
