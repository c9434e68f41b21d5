/*
 * Ceilings by weekday and hour. A line is days, a span of hours, and what
 * holds then; the last line that fits wins.
 *
 * Offsets of the zone come from the C library once: it is asked for each
 * week of the years to come and each change is found by halving. So nothing
 * touches TZ while there are threads, and a look-up is a search in a table.
 */
#include "config.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>
#include <unistd.h>

#include "base/err.h"
#include "base/must.h"
#include "base/text.h"
#include "pace/pace_int.h"

#define ENTRIES_MAX 64u
#define LINE_MAX_BYTES 200u
#define DAY_S 86400
#define WEEK_S (7 * DAY_S)
/* Changes of the zone are known from a week before until so far ahead. */
#define ZONE_YEARS 30
#define ZONE_DIR "/usr/share/zoneinfo/"

struct entry {
	unsigned days;			/* bit 0: Monday */
	int from_s, to_s;		/* of the day; to may be earlier */
	struct pace_ceiling what;
};

struct change {
	int64_t at;			/* Unix seconds, from then on */
	int offset;
};

struct pace_calendar {
	struct entry entries[ENTRIES_MAX];
	size_t n;
	struct change *changes;		/* the first holds from ever */
	size_t nchanges;
};

static const char *const days[] = {
	"mon", "tue", "wed", "thu", "fri", "sat", "sun",
};

/* --- zones --------------------------------------------------------------- */

static int
offset_of(int64_t unix_s)
{
	time_t t = (time_t)unix_s;
	struct tm tm;

	return (localtime_r(&t, &tm) == NULL ? 0 : (int)tm.tm_gmtoff);
}

static void
change_add(struct pace_calendar *c, int64_t at, int offset)
{

	c->changes = must_realloc(c->changes, c->nchanges + 1,
	    sizeof(c->changes[0]));
	c->changes[c->nchanges++] = (struct change){ at, offset };
}

/* With TZ set: the changes of the years to come. */
static void
changes_find(struct pace_calendar *c)
{
	int64_t t = (int64_t)time(NULL) - WEEK_S, lo, hi, mid, end;

	end = t + (int64_t)ZONE_YEARS * 366 * DAY_S;
	change_add(c, INT64_MIN, offset_of(t));
	for (; t < end; t += WEEK_S) {
		if (offset_of(t) == offset_of(t + WEEK_S))
			continue;
		for (lo = t, hi = t + WEEK_S; hi - lo > 1;) {
			mid = lo + (hi - lo) / 2;
			if (offset_of(mid) == offset_of(lo))
				lo = mid;
			else
				hi = mid;
		}
		change_add(c, hi, offset_of(hi));
	}
}

/* Names of tzdata only: no paths, no rules. */
static bool
zone_known(const char *zone)
{
	char *path;
	bool there;

	if (zone[0] == '\0' || zone[0] == '/' || zone[0] == '.' ||
	    strstr(zone, "..") != NULL ||
	    zone[strspn(zone, "abcdefghijklmnopqrstuvwxyz"
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_+-/")] != '\0')
		return (false);
	path = must_sprintf(ZONE_DIR "%s", zone);
	there = access(path, R_OK) == 0;
	free(path);
	return (there || strcmp(zone, "UTC") == 0);
}

static int
zone_load(struct pace_calendar *c, const char *zone, struct err *e)
{
	const char *old = getenv("TZ");
	char *keep = old != NULL ? must_strdup(old) : NULL;
	int rc = 0;

	if (!zone_known(zone))
		rc = err_set(e, ERR_CONFIG, "unknown time zone \"%.60s\"; "
		    "names are as in Europe/Berlin", zone);
	else if (setenv("TZ", zone, 1) != 0)
		rc = err_set(e, ERR_NOMEM, "out of memory");
	if (rc == 0) {
		tzset();
		changes_find(c);
		if (keep != NULL)
			(void)setenv("TZ", keep, 1);
		else
			(void)unsetenv("TZ");
		tzset();
	}
	free(keep);
	return (rc);
}

int
pace_calendar_offset(const struct pace_calendar *c, int64_t unix_s)
{
	size_t lo = 0, hi = c->nchanges, mid;

	while (hi - lo > 1) {
		mid = lo + (hi - lo) / 2;
		if (c->changes[mid].at <= unix_s)
			lo = mid;
		else
			hi = mid;
	}
	return (c->changes[lo].offset);
}

/* --- lines --------------------------------------------------------------- */

static int
day_of(const char *word, size_t n)
{
	int i;

	for (i = 0; i < 7; i++)
		if (n == 3 && strncasecmp(word, days[i], 3) == 0)
			return (i);
	return (-1);
}

/* "all", "mon-fri", "sat,sun", "fri-mon". */
static bool
parse_days(const char *p, unsigned *out)
{
	int a, b;

	*out = 0;
	if (strcasecmp(p, "all") == 0) {
		*out = 0x7f;
		return (true);
	}
	for (;; p++) {
		if ((a = b = day_of(p, strcspn(p, ",-"))) < 0)
			return (false);
		p += 3;
		if (*p == '-') {
			if ((b = day_of(p + 1, strcspn(p + 1, ","))) < 0)
				return (false);
			p += 4;
		}
		for (; a != b; a = (a + 1) % 7)
			*out |= 1u << a;
		*out |= 1u << b;
		if (*p == '\0')
			return (true);
	}
}

/* "09:00" up to "24:00"; moves on. */
static bool
parse_clock(const char **p, int *out)
{
	const char *s = *p;
	int h, m;

	if (strspn(s, "0123456789") != 2 || s[2] != ':' ||
	    strspn(s + 3, "0123456789") != 2)
		return (false);
	h = (s[0] - '0') * 10 + s[1] - '0';
	m = (s[3] - '0') * 10 + s[4] - '0';
	*out = (h * 60 + m) * 60;
	*p = s + 5;
	return (m < 60 && *out <= DAY_S);
}

static bool
parse_span(const char *p, struct entry *x)
{

	return (parse_clock(&p, &x->from_s) && *p++ == '-' &&
	    parse_clock(&p, &x->to_s) && *p == '\0' && x->from_s < DAY_S);
}

static bool
parse_what(const char *p, struct pace_ceiling *what)
{
	int64_t n;

	if (strncmp(p, "rate=", 5) == 0)
		return (text_double(p + 5, 0, 1e6, &what->rate) == 0);
	if (strncmp(p, "in_flight=", 10) != 0 ||
	    text_i64(p + 10, 0, 10000, &n) != 0)
		return (false);
	what->in_flight = (int)n;
	return (true);
}

static bool
parse_line(const char *line, struct entry *x)
{
	char copy[LINE_MAX_BYTES], *save = NULL, *word;
	unsigned at;

	if (strlen(line) >= sizeof(copy))
		return (false);
	memcpy(copy, line, strlen(line) + 1);
	x->what = (struct pace_ceiling){ -1, -1 };
	for (at = 0, word = strtok_r(copy, " \t", &save); word != NULL;
	    word = strtok_r(NULL, " \t", &save), at++)
		if (!(at == 0 ? parse_days(word, &x->days) :
		    at == 1 ? parse_span(word, x) :
		    parse_what(word, &x->what)))
			return (false);
	return (at > 2);
}

int
pace_calendar_new(const char *const *lines, size_t n, const char *zone,
    struct pace_calendar **out, struct err *e)
{
	struct pace_calendar *c;
	int rc = 0;

	*out = NULL;
	if (n > ENTRIES_MAX)
		return (err_set(e, ERR_CONFIG, "more than %u lines",
		    ENTRIES_MAX));
	c = must_calloc(1, sizeof(*c));
	for (; c->n < n && rc == 0; c->n++)
		if (!parse_line(lines[c->n], &c->entries[c->n]))
			rc = err_set(e, ERR_CONFIG, "\"%.80s\" is not like "
			    "\"mon-fri 09:00-17:00 rate=20 in_flight=4\"",
			    lines[c->n]);
	if (rc == 0)
		rc = zone_load(c, zone != NULL ? zone : "UTC", e);
	if (rc != 0) {
		pace_calendar_free(c);
		return (rc);
	}
	*out = c;
	return (0);
}

void
pace_calendar_free(struct pace_calendar *c)
{

	if (c == NULL)
		return;
	free(c->changes);
	free(c);
}

/* --- looking up ---------------------------------------------------------- */

/* Does it hold at that second of that weekday? A span that ends before it
 * begins runs into the next day. */
static bool
fits(const struct entry *x, int day, int second)
{
	bool today = (x->days >> day & 1) != 0;
	bool before = (x->days >> (day + 6) % 7 & 1) != 0;

	if (x->from_s < x->to_s)
		return (today && second >= x->from_s && second < x->to_s);
	return ((today && second >= x->from_s) ||
	    (before && second < x->to_s));
}

struct pace_ceiling
pace_calendar_at(const struct pace_calendar *c, int64_t unix_s,
    int64_t *seconds)
{
	struct pace_ceiling out = { -1, -1 };
	int64_t local = unix_s + pace_calendar_offset(c, unix_s);
	int64_t day_n = local / DAY_S - (local % DAY_S < 0);
	int second = (int)(local - day_n * DAY_S);
	int day = (int)(((day_n + 3) % 7 + 7) % 7);	/* 1970: a Thursday */
	int edge = DAY_S;
	const struct entry *x;
	size_t i;

	for (i = 0; i < c->n; i++) {
		x = &c->entries[i];
		if (x->from_s > second && x->from_s < edge)
			edge = x->from_s;
		if (x->to_s > second && x->to_s < edge)
			edge = x->to_s;
		if (!fits(x, day, second))
			continue;
		if (x->what.rate >= 0)
			out.rate = x->what.rate;
		if (x->what.in_flight >= 0)
			out.in_flight = x->what.in_flight;
	}
	/* A change of the zone may come earlier: an hour is soon enough. */
	if (seconds != NULL)
		*seconds = edge - second < 3600 ? edge - second : 3600;
	return (out);
}
