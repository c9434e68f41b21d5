/*
 * Time to text and back. ticks_parse() is called for every value that comes
 * in, several million times a second: digits are collected without branches
 * and checked once, and the calendar is plain arithmetic on days. Years have
 * four digits; what is outside 0000-01-01..TICKS_MAX is ERR_DATA.
 */
#include "config.h"

#include <stdbool.h>
#include <string.h>
#include <strings.h>

#include "base/err.h"
#include "base/text.h"
#include "base/ticks.h"

#define TEXT_HEAD 19	/* YYYY-MM-DDTHH:MM:SS */
#define FRACTION_DIGITS 7
#define FRACTION_DIGITS_MAX 9
/* 0000-01-01T00:00:00Z */
#define TICKS_YEAR0 (-719528 * TICKS_PER_DAY)

/*
 * Days are counted from 1 March of year 0, so that the leap day is the last
 * of its year and months have a pattern: before month m (March = 0) lie
 * (153 m + 2) / 5 days. 719468 such days lie before 1970-01-01.
 */
#define EPOCH_DAYS 719468
#define ERA_DAYS 146097		/* 400 years */

static inline int64_t
days_of(unsigned year, unsigned month, unsigned day)
{
	unsigned m = month > 2 ? month - 3 : month + 9;
	/* A whole era later, so that January of year 0 stays unsigned. */
	unsigned y = year + 400 - (month <= 2);

	return ((int64_t)(365 * y + y / 4 - y / 100 + y / 400 +
	    (153 * m + 2) / 5 + day - 1) - ERA_DAYS - EPOCH_DAYS);
}

static inline bool
date_valid(unsigned year, unsigned month, unsigned day)
{
	static const uint8_t last[16] = {
		0, 31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31,
	};

	if (month > 12 || day == 0 || day > last[month])
		return (false);
	if (month != 2 || day < 29)
		return (true);
	return (year % 4 == 0 && (year % 100 != 0 || year % 400 == 0));
}

/* Two digits; anything else sets *bad. */
static inline unsigned
digits2(const char *p, unsigned *bad)
{
	unsigned a = (unsigned)(uint8_t)p[0] - '0';
	unsigned b = (unsigned)(uint8_t)p[1] - '0';

	*bad |= (unsigned)(a > 9) | (unsigned)(b > 9);
	return (a * 10 + b);
}

/* The fixed part, to whole seconds; false when it is not one. */
static inline bool
parse_head(const char *p, int64_t *seconds)
{
	unsigned bad = 0, year, month, day, hour, minute, second;

	year = digits2(p, &bad) * 100;
	year += digits2(p + 2, &bad);
	month = digits2(p + 5, &bad);
	day = digits2(p + 8, &bad);
	hour = digits2(p + 11, &bad);
	minute = digits2(p + 14, &bad);
	second = digits2(p + 17, &bad);
	bad |= (unsigned)((p[4] ^ '-') | (p[7] ^ '-') | (p[13] ^ ':') |
	    (p[16] ^ ':') | ((p[10] | 0x20) ^ 't'));
	/* 60 is a leap second, which becomes the first of the next minute. */
	if (bad != 0 || !date_valid(year, month, day) || hour > 23 ||
	    minute > 59 || second > 60)
		return (false);
	*seconds = days_of(year, month, day) * 86400 +
	    (int64_t)(hour * 3600 + minute * 60 + second);
	return (true);
}

/* Digits after the point, to ticks; their number, 0 when they are bad. */
static inline size_t
parse_fraction(const char *p, size_t len, int64_t *ticks)
{
	static const uint32_t scale[FRACTION_DIGITS + 1] = {
		10000000, 1000000, 100000, 10000, 1000, 100, 10, 1,
	};
	unsigned d;
	uint32_t v = 0;
	size_t n, more;

	for (n = 0; n < len && n < FRACTION_DIGITS; n++) {
		if ((d = (unsigned)(uint8_t)p[n] - '0') > 9)
			break;
		v = v * 10 + d;
	}
	*ticks = (int64_t)v * scale[n];
	if (n < FRACTION_DIGITS)
		return (n);
	for (more = n; more < len && (unsigned)(uint8_t)p[more] - '0' <= 9;
	    more++)
		if (more == FRACTION_DIGITS_MAX)
			return (0);
	return (more);
}

/* `Z`, `+HH:MM`, `+HHMM` or `+HH`, and nothing after it. */
static bool
parse_zone(const char *p, size_t len, int64_t *seconds)
{
	unsigned bad = 0, hour, minute = 0;

	if (len == 1 && (p[0] | 0x20) == 'z') {
		*seconds = 0;
		return (true);
	}
	if (len < 3 || (p[0] != '+' && p[0] != '-'))
		return (false);
	hour = digits2(p + 1, &bad);
	if (len == 6 && p[3] == ':')
		minute = digits2(p + 4, &bad);
	else if (len == 5)
		minute = digits2(p + 3, &bad);
	else if (len != 3)
		return (false);
	if (bad != 0 || hour > 23 || minute > 59)
		return (false);
	*seconds = (int64_t)(hour * 3600 + minute * 60);
	if (p[0] == '-')
		*seconds = -*seconds;
	return (true);
}

int
ticks_parse(const char *p, size_t len, int64_t *out)
{
	int64_t seconds, zone, fraction = 0, t;
	size_t n, at = TEXT_HEAD;

	if (len <= TEXT_HEAD || !parse_head(p, &seconds))
		return (ERR_DATA);
	if (p[at] == '.') {
		at++;
		n = parse_fraction(p + at, len - at, &fraction);
		if (n == 0 || (at += n) == len)
			return (ERR_DATA);
	}
	if (len - at == 1 && p[at] == 'Z')
		zone = 0;
	else if (!parse_zone(p + at, len - at, &zone))
		return (ERR_DATA);
	t = (seconds - zone) * TICKS_PER_S + fraction;
	if (t < TICKS_YEAR0 || t > TICKS_MAX)
		return (ERR_DATA);
	*out = t;
	return (0);
}

static int64_t
floor_day(int64_t t)
{
	return ((int64_t)ticks_day(t) * TICKS_PER_DAY);
}

/* `word`, alone or with an offset after it, from `base`. */
static int
parse_offset(const char *s, int64_t base, int64_t *out)
{
	int64_t ms, t;
	int rc;

	if (*s == '\0') {
		*out = base;
		return (0);
	}
	if (*s != '+' && *s != '-')
		return (ERR_DATA);
	if ((rc = text_duration_ms(s + 1, 0, TICKS_MAX / TICKS_PER_MS,
	    &ms)) != 0)
		return (rc);
	if (__builtin_add_overflow(base, *s == '-' ? -ms * TICKS_PER_MS :
	    ms * TICKS_PER_MS, &t) || t < TICKS_MIN || t > TICKS_MAX)
		return (ERR_DATA);
	*out = t;
	return (0);
}

/* Complete a date and time as people write it, and parse that. */
static int
parse_loose(const char *s, int64_t *out)
{
	char text[64];
	size_t n = strlen(s);

	if (n < 10 || n > sizeof(text) - sizeof("T00:00:00Z"))
		return (ERR_DATA);
	memcpy(text, s, n + 1);
	if (n == 10)
		strcpy(text + n, "T00:00:00Z");
	else if (text[10] == ' ')
		text[10] = 'T';
	/* Seconds may be missing. */
	n = strlen(text);
	if (n >= 16 && text[16] != ':') {
		memmove(text + 19, text + 16, n + 1 - 16);
		memcpy(text + 16, ":00", 3);
	}
	n = strlen(text);
	if (n >= TEXT_HEAD && strpbrk(text + TEXT_HEAD, "Zz+-") == NULL)
		strcpy(text + n, "Z");
	return (ticks_parse(text, strlen(text), out));
}

int
ticks_parse_human(const char *s, int64_t now, int64_t *out)
{
	static const struct {
		const char *word;
		enum { NOW, TODAY, YESTERDAY } what;
	} words[] = {
		{ "*", NOW }, { "now", NOW }, { "today", TODAY },
		{ "t", TODAY }, { "yesterday", YESTERDAY }, { "y", YESTERDAY },
	};
	int64_t base;
	size_t i, n;

	if (s[0] >= '0' && s[0] <= '9')
		return (parse_loose(s, out));
	n = strcspn(s, "+-");
	for (i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (strlen(words[i].word) == n &&
		    strncasecmp(s, words[i].word, n) == 0)
			break;
	if (i == sizeof(words) / sizeof(words[0]))
		return (ERR_DATA);
	base = words[i].what == NOW ? now : floor_day(now);
	if (words[i].what == YESTERDAY)
		base -= TICKS_PER_DAY;
	return (parse_offset(s + n, base, out));
}

/* n digits of v, right to left; the end. */
static char *
put_digits(char *p, uint64_t v, int n)
{
	int i;

	for (i = n - 1; i >= 0; i--) {
		p[i] = (char)('0' + v % 10);
		v /= 10;
	}
	return (p + n);
}

static char *
put_date(char *p, int64_t days)
{
	int64_t z = days + EPOCH_DAYS, era, year;
	unsigned day, y, m, month;

	era = (z >= 0 ? z : z - (ERA_DAYS - 1)) / ERA_DAYS;
	day = (unsigned)(z - era * ERA_DAYS);		/* of the era */
	y = (day - day / 1460 + day / 36524 - day / (ERA_DAYS - 1)) / 365;
	day -= 365 * y + y / 4 - y / 100;		/* of the year */
	m = (5 * day + 2) / 153;
	day -= (153 * m + 2) / 5;			/* of the month */
	month = m < 10 ? m + 3 : m - 9;
	year = (int64_t)y + era * 400 + (month <= 2);
	if (year < 0) {
		*p++ = '-';
		year = -year;
	}
	p = put_digits(p, (uint64_t)year, year > 9999 ? 5 : 4);
	*p++ = '-';
	p = put_digits(p, month, 2);
	*p++ = '-';
	return (put_digits(p, day + 1, 2));
}

/* Date and time without fraction and zone; the end. */
static char *
put_seconds(char *p, int64_t t)
{
	uint64_t s;

	p = put_date(p, ticks_day(t));
	s = ((uint64_t)t - (uint64_t)ticks_day(t) * (uint64_t)TICKS_PER_DAY) /
	    (uint64_t)TICKS_PER_S;
	*p++ = 'T';
	p = put_digits(p, s / 3600, 2);
	*p++ = ':';
	p = put_digits(p, s / 60 % 60, 2);
	*p++ = ':';
	return (put_digits(p, s % 60, 2));
}

static uint64_t
fraction_of(int64_t t)
{
	int64_t rest = t % TICKS_PER_S;

	return ((uint64_t)(rest < 0 ? rest + TICKS_PER_S : rest));
}

static const char *
none(char *buf)
{
	return (strcpy(buf, "none"));
}

const char *
ticks_text7(int64_t t, char *buf)
{
	char *p;

	if (t == TICKS_NONE)
		return (none(buf));
	p = put_seconds(buf, t);
	*p++ = '.';
	p = put_digits(p, fraction_of(t), FRACTION_DIGITS);
	*p++ = 'Z';
	*p = '\0';
	return (buf);
}

const char *
ticks_text(int64_t t, char *buf)
{
	uint64_t fraction;
	char *p;
	int n = FRACTION_DIGITS;

	if (t == TICKS_NONE)
		return (none(buf));
	p = put_seconds(buf, t);
	if ((fraction = fraction_of(t)) != 0) {
		for (; fraction % 10 == 0; n--)
			fraction /= 10;
		*p++ = '.';
		p = put_digits(p, fraction, n);
	}
	*p++ = 'Z';
	*p = '\0';
	return (buf);
}

const char *
ticks_text_s(int64_t t, char *buf)
{
	char *p;

	if (t == TICKS_NONE)
		return (none(buf));
	p = put_seconds(buf, t);
	*p++ = 'Z';
	*p = '\0';
	return (buf);
}

const char *
ticks_date(int64_t t, char *buf)
{
	if (t == TICKS_NONE)
		return (none(buf));
	*put_date(buf, ticks_day(t)) = '\0';
	return (buf);
}

static int64_t
floor_div(int64_t a, int64_t b)
{
	return (a / b - (a % b < 0));
}

int32_t
ticks_day(int64_t t)
{
	return ((int32_t)floor_div(t, TICKS_PER_DAY));
}

int64_t
ticks_us(int64_t t)
{
	return (floor_div(t, TICKS_PER_US));
}

int32_t
ticks_rest(int64_t t)
{
	return ((int32_t)(t - ticks_us(t) * TICKS_PER_US));
}
