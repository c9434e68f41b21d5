/*
 * Timed values as JSON, by integer arithmetic and copies.
 *
 * Each part of an object begins with a comma; the first of them is turned
 * into the brace. Copies have a fixed size, though what counts of them may
 * be less: room for a whole value is asked for at first. Numbers have at most
 * seven digits, or are integers: no floating point is printed here, so the
 * text is the truth.
 */

#include "config.h"

#include <stdio.h>
#include <string.h>

#include "base/must.h"
#include "base/ticks.h"
#include "codec/json.h"
#include "mock/mock_value.h"

enum { V_TIME = 1, V_VALUE = 2, V_UNITS = 4, V_GOOD = 8, V_QUESTIONABLE = 16,
	V_SUBSTITUTED = 32, V_ANNOTATED = 64 };

static const struct mock_field FIELDS[] = {
	{ "Timestamp", NULL }, { "Value", NULL },
	{ "UnitsAbbreviation", NULL }, { "Good", NULL },
	{ "Questionable", NULL }, { "Substituted", NULL },
	{ "Annotated", NULL },
};

static const char PAIRS[] =
    "00010203040506070809101112131415161718192021222324252627282930313233"
    "34353637383940414243444546474849505152535455565758596061626364656667"
    "6869707172737475767778798081828384858687888990919293949596979899";

#define MINUTE (60 * TICKS_PER_S)
/* Of mock_values.head. */
#define HEAD_LEN 31

static const int64_t POW10[] = { 1, 10, 100, 1000, 10000, 100000, 1000000,
	10000000 };

static char *
put2(char *p, int64_t v)
{
	memcpy(p, PAIRS + 2 * v, 2);
	return (p + 2);
}

/* .n digits, without the zeros at the end; v is not 0 and has no more. */
static char *
put_fraction(char *p, int64_t v, int n)
{
	*p = '.';
	for (int i = n; i > 0; i -= 2, v /= 100) {
		if (i == 1)
			p[1] = (char)('0' + v);
		else
			put2(p + i - 1, v % 100);
	}
	for (p += n; *p == '0'; p--)
		continue;
	return (p + 1);
}

static char *
put_int(char *p, int64_t v)
{
	char tmp[24];
	size_t n = sizeof(tmp);

	if (v < 0) {
		*p++ = '-';
		v = -v;		/* INT64_MIN is not among our numbers */
	}
	for (; v >= 100; v /= 100) {
		n -= 2;
		memcpy(tmp + n, PAIRS + 2 * (v % 100), 2);
	}
	if (v >= 10) {
		n -= 2;
		memcpy(tmp + n, PAIRS + 2 * v, 2);
	} else {
		tmp[--n] = (char)('0' + v);
	}
	memcpy(p, tmp + n, sizeof(tmp) - n);
	return (p + sizeof(tmp) - n);
}

/* v / 10^digits, as .NET writes it: at least one digit after the point. */
static char *
put_decimal(char *p, int64_t v, int digits)
{
	int64_t frac;

	if (v < 0) {
		*p++ = '-';
		v = -v;
	}
	p = put_int(p, v / POW10[digits]);
	frac = v % POW10[digits];
	if (frac != 0)
		return (put_fraction(p, frac, digits));
	memcpy(p, ".0", 2);
	return (p + 2);
}

/* 1.5E+20, 1E-05: no point before a bare digit, two digits of exponent. */
static char *
put_exponent(char *p, int64_t v, int exponent)
{
	if (v < 0) {
		*p++ = '-';
		v = -v;
	}
	p = put_int(p, v / 10000);
	if (v % 10000 != 0)
		p = put_fraction(p, v % 10000, 4);
	*p++ = 'E';
	*p++ = exponent < 0 ? '-' : '+';
	return (put2(p, exponent < 0 ? -exponent : exponent));
}

char *
mock_number_put(char *p, const struct mock_event *ev)
{
	if (ev->type == MOCK_DECIMAL)
		return (put_decimal(p, ev->number, ev->digits));
	if (ev->type == MOCK_EXPONENT)
		return (put_exponent(p, ev->number, ev->digits));
	return (put_int(p, ev->number));
}

void
mock_values_init(struct mock_values *v, const struct mock_sel *sel)
{
	static const char *const name[] = { "Good", "Questionable",
		"Substituted", "Annotated" };
	int n;

	memset(v, 0, sizeof(*v));
	v->mask = mock_sel_mask(sel, FIELDS, sizeof(FIELDS) /
	    sizeof(FIELDS[0]));
	v->minute = -1;
	for (unsigned flags = 0; flags < 32; flags++) {
		char *p = v->tail[flags], *end = p + sizeof(v->tail[0]);

		for (unsigned i = 0; i < 4; i++) {
			if ((v->mask & (uint32_t)V_GOOD << i) == 0 ||
			    (i == 3 && (flags & MOCK_NO_ANNOTATED) != 0))
				continue;
			n = snprintf(p, (size_t)(end - p), ",\"%s\":%s",
			    name[i], (flags & 1u << i) ? "true" : "false");
			p += n;
		}
		*p++ = '}';
		v->tail_len[flags] = (uint8_t)(p - v->tail[flags]);
	}
}

void
mock_values_units(struct mock_values *v, const char *units)
{
	int n = snprintf(v->units, sizeof(v->units),
	    ",\"UnitsAbbreviation\":\"%s\"", units);

	MUST(n > 0 && n < (int)sizeof(v->units));
	v->units_len = (v->mask & V_UNITS) != 0 ? (size_t)n : 0;
}

static char *
put_time(struct mock_values *v, char *p, int64_t t)
{
	char text[TICKS_TEXT_MAX];
	int64_t minute = t / MINUTE, rest = t % MINUTE;

	if (minute != v->minute) {
		ticks_text7(minute * MINUTE, text);
		memcpy(v->head, ",\"Timestamp\":\"", 14);
		memcpy(v->head + 14, text, HEAD_LEN - 14);
		v->minute = minute;
	}
	memcpy(p, v->head, sizeof(v->head));
	p = put2(p + HEAD_LEN, rest / TICKS_PER_S);
	if (rest % TICKS_PER_S != 0)
		p = put_fraction(p, rest % TICKS_PER_S, 7);
	memcpy(p, "Z\"", 2);
	return (p + 2);
}

static void
put_state(const struct mock_event *ev, struct buf *out)
{
	char text[MOCK_NUMBER_MAX];

	buf_puts(out, "{\"Name\":");
	json_put_str(out, ev->text, strlen(ev->text));
	buf_puts(out, ",\"Value\":");
	buf_put(out, text, (size_t)(put_int(text, ev->number) - text));
	buf_puts(out, ev->is_system ? ",\"IsSystem\":true}" :
	    ",\"IsSystem\":false}");
}

/* The rare ones, through the slow writer. */
static void
put_odd(const struct mock_event *ev, struct buf *out)
{
	buf_puts(out, ",\"Value\":");
	switch (ev->type) {
	case MOCK_TEXT:
		json_put_str(out, ev->text, strlen(ev->text));
		break;
	case MOCK_BOOL:
		buf_puts(out, ev->number != 0 ? "true" : "false");
		break;
	case MOCK_STATE:
		put_state(ev, out);
		break;
	case MOCK_ERRORS:
		buf_puts(out, "{\"Errors\":[");
		json_put_str(out, ev->text, strlen(ev->text));
		if (ev->text2 != NULL) {
			buf_u8(out, ',');
			json_put_str(out, ev->text2, strlen(ev->text2));
		}
		buf_puts(out, "]}");
		break;
	default:
		buf_puts(out, "null");
	}
}

void
mock_values_put(struct mock_values *v, const struct mock_event *ev,
    struct buf *out)
{
	char *start, *p = (char *)buf_reserve(out, 512);
	unsigned flags = ev->flags & 31;
	size_t at = out->len;

	if (p == NULL)
		return;
	start = p;
	*p++ = ',';
	if ((v->mask & V_TIME) != 0)
		p = put_time(v, p, ev->t);
	if ((v->mask & V_VALUE) != 0 && ev->type <= MOCK_INTEGER) {
		memcpy(p, ",\"Value\":", 9);
		p = mock_number_put(p + 9, ev);
	} else if ((v->mask & V_VALUE) != 0 && ev->type != MOCK_MISSING) {
		out->len += (size_t)(p - start);
		put_odd(ev, out);
		p = start = (char *)buf_reserve(out, 256);
		if (p == NULL)
			return;
	}
	if (v->units_len > 0)
		memcpy(p, v->units, sizeof(v->units));
	p += v->units_len;
	memcpy(p, v->tail[flags], sizeof(v->tail[flags]));
	p += v->tail_len[flags];
	out->len += (size_t)(p - start);
	if (out->data[at + 1] == '}')	/* nothing selected */
		buf_u8(out, '}');
	if (out->error == 0)
		out->data[at + 1] = '{';
}
