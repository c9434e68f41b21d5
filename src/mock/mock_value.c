/*
 * Timed values as JSON, by integer arithmetic and copies.
 *
 * Each part of an object begins with a comma; the first of them is turned
 * into the brace. Numbers have at most seven digits, or are integers: no
 * floating point is printed here, so the text is the truth.
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

static const int64_t POW10[] = { 1, 10, 100, 1000, 10000, 100000, 1000000,
	10000000 };

static char *
put2(char *p, int64_t v)
{
	memcpy(p, PAIRS + 2 * v, 2);
	return (p + 2);
}

/* Exactly n digits. */
static char *
putn(char *p, int64_t v, int n)
{
	for (int i = n - 1; i >= 0; i--, v /= 10)
		p[i] = (char)('0' + v % 10);
	return (p + n);
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
	*p++ = '.';
	if (frac == 0) {
		*p++ = '0';
		return (p);
	}
	for (; frac % 10 == 0; digits--)
		frac /= 10;
	return (putn(p, frac, digits));
}

/* 1.5E+20, 1E-05: no point before a bare digit, two digits of exponent. */
static char *
put_exponent(char *p, int64_t v, int exponent)
{
	int digits = 4;

	if (v < 0) {
		*p++ = '-';
		v = -v;
	}
	p = put_int(p, v / 10000);
	v %= 10000;
	if (v != 0) {
		for (; v % 10 == 0; digits--)
			v /= 10;
		*p++ = '.';
		p = putn(p, v, digits);
	}
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
	v->day = -1;
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
	int64_t day = t / TICKS_PER_DAY, rest = t % TICKS_PER_DAY, s, frac;
	int digits = 7;

	if (day != v->day) {
		ticks_text7(day * TICKS_PER_DAY, text);
		memcpy(v->date, text, 11);
		v->day = day;
	}
	memcpy(p, ",\"Timestamp\":\"", 14);
	memcpy(p + 14, v->date, 11);
	p += 25;
	s = rest / TICKS_PER_S;
	frac = rest % TICKS_PER_S;
	p = put2(p, s / 3600);
	*p++ = ':';
	p = put2(p, s / 60 % 60);
	*p++ = ':';
	p = put2(p, s % 60);
	if (frac != 0) {
		for (; frac % 10 == 0; digits--)
			frac /= 10;
		*p++ = '.';
		p = putn(p, frac, digits);
	}
	*p++ = 'Z';
	*p++ = '"';
	return (p);
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
		buf_puts(out, "{\"Name\":");
		json_put_str(out, ev->text, strlen(ev->text));
		buf_printf(out, ",\"Value\":%d,\"IsSystem\":%s}",
		    (int)ev->number, ev->is_system ? "true" : "false");
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
	memcpy(p, v->units, v->units_len);
	p += v->units_len;
	memcpy(p, v->tail[flags], v->tail_len[flags]);
	p += v->tail_len[flags];
	out->len += (size_t)(p - start);
	if (out->data[at + 1] == '}')	/* nothing selected */
		buf_u8(out, '}');
	if (out->error == 0)
		out->data[at + 1] = '{';
}
