/*
 * The series function: which events a tag has, and what they are.
 *
 * A slot's hash decides whether it is empty (one in 16), holds ties (two or
 * three events at one time, one in 64) or, for some tags, a burst of twelve;
 * at which time within the slot; and with how many digits the time is
 * written. An event's own hash decides value and flags.
 *
 * How an event looks in the client's silver, the rule for both sides:
 *   number                     value; value_text null. An integer that no
 *                              double holds: value the nearest double,
 *                              value_text its digits
 *   string (also "NaN")        value null, value_text the string
 *   true, false                value 1, 0; value_text "true", "false"
 *   {Name, Value, IsSystem}    value null, value_text Name, state_code
 *                              Value, is_system IsSystem
 *   {"Errors": [...]}          value null, value_text joined by "; "
 *   null, no Value             both null
 * is_system and state_code are null for all but states; a flag that is not
 * in the answer is null.
 */

#include "config.h"

#include <string.h>

#include "base/buf.h"
#include "base/hash.h"
#include "base/ticks.h"
#include "mock/mock_options.h"
#include "mock/mock_world.h"

#define GOLDEN 0x9e3779b97f4a7c15ull
/* What tells the hashes of an event's fates apart. */
#define FATE_LATE GOLDEN
#define FATE_EDIT (2 * GOLDEN)
#define FATE_DELETE (3 * GOLDEN)
#define EDITED 0x65646974ull
#define BURST 12
#define BURST_EVERY 64

static const char *const MEASURES[] = { "FLOW", "PRESSURE", "LEVEL", "TEMP",
	"SPEED", "POWER", "VIBRATION", "STATUS" };
static const char *const UNITS[] = { "m3/h", "kPa", "m", "\xc2\xb0" "C",
	"1/min", "kW", "mm/s", "" };

/* Twenty tags in a row have all kinds; most are numbers. */
static const enum mock_kind KINDS[20] = {
	MOCK_KIND_FLOAT, MOCK_KIND_FLOAT, MOCK_KIND_DIGITAL, MOCK_KIND_FLOAT,
	MOCK_KIND_INT, MOCK_KIND_FLOAT, MOCK_KIND_STRING, MOCK_KIND_FLOAT,
	MOCK_KIND_EXPONENT, MOCK_KIND_MIXED, MOCK_KIND_FLOAT, MOCK_KIND_FLOAT,
	MOCK_KIND_FLOAT, MOCK_KIND_FLOAT, MOCK_KIND_INT, MOCK_KIND_FLOAT,
	MOCK_KIND_FLOAT, MOCK_KIND_FLOAT, MOCK_KIND_FLOAT, MOCK_KIND_DIGITAL,
};

static const char *const STRINGS[] = {
	"", "NaN", "Infinity", "-Infinity", "12.5", "true", "null", " blank ",
	"line\nbreak\ttab", "quote \" and \\ backslash", "\x01 control",
	"Gr\xc3\xb6\xc3\x9f" "e \xe2\x82\xac", "\xf0\x9f\x8f\xad plant",
	"2024-03-01T00:00:00Z", "{\"Errors\":[]}", "batch finished",
};

static const struct { const char *name; int code; } SYSTEM_STATES[] = {
	{ "I/O Timeout", 246 }, { "No Data", 248 }, { "Calc Failed", 249 },
	{ "Shutdown", 254 }, { "Bad", 307 }, { "Scan Off", 238 },
	{ "Bad Input", 255 }, { "Over Range", 230 },
};

static const char *const STATES[] = { "Off", "Starting", "Running",
	"Stopping", "Fault", "W\xc3\xa4rmt auf" };

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

void
mock_tag_get(const struct mock_world *w, uint64_t tag, struct mock_tag *out)
{
	uint64_t h = hash_mix(w->key + (tag + 1) * GOLDEN);
	uint64_t place = tag % w->opt->tags;
	unsigned class = (unsigned)((place * 7 + place / 20) % 10);

	memset(out, 0, sizeof(*out));
	out->key = h;
	out->index = (uint32_t)tag;
	out->place = (uint32_t)place;
	/* One in ten is fast, five are medium, four slow. */
	out->period = w->period[class == 0 ? 0 : class < 6 ? 1 : 2];
	out->kind = w->opt->mix == MOCK_MIX_PLAIN ? MOCK_KIND_FLOAT :
	    KINDS[place % 20];
	out->digits = (int)(1 + h % 4);
	out->base = (int64_t)(h >> 8) % 4000000 - 400000;
	out->swing = 1000 + (int64_t)(h >> 40) % 500;
	out->bursts = place % 10 == 7;
	out->start = tag == place ? w->start : w->opt->recreates_at;
	out->units = "";
	out->point_type = "Float32";
	out->digital_set = "";
	if (w->opt->mix == MOCK_MIX_FULL && place % 10 == 3)
		out->units = UNITS[place % 8];
	switch (out->kind) {
	case MOCK_KIND_FLOAT:
	case MOCK_KIND_MIXED:
		break;
	case MOCK_KIND_EXPONENT:
		out->point_type = "Float64";
		break;
	case MOCK_KIND_INT:
		out->point_type = "Int32";
		break;
	case MOCK_KIND_STRING:
		out->point_type = "String";
		break;
	case MOCK_KIND_DIGITAL:
		out->point_type = "Digital";
		out->digital_set = "PumpStates";
		break;
	}
}

/* Whether what befalls a share of the points at a time has befallen it. */
static bool
befell(const struct mock_world *w, uint64_t place, uint64_t limit, int64_t at,
    uint64_t what)
{
	uint64_t h;

	if (limit == 0 || mock_world_now(w) < at)
		return (false);
	h = hash_mix(hash_mix(w->key + (place + 1) * GOLDEN) ^ what);
	return ((h & 0xffffffff) < limit);
}

uint64_t
mock_point_now(const struct mock_world *w, uint64_t place)
{
	return (befell(w, place, w->recreate_limit, w->opt->recreates_at,
	    FATE_DELETE) ? place + w->opt->tags : place);
}

bool
mock_point_exists(const struct mock_world *w, uint64_t tag)
{
	return (tag < 2ull * w->opt->tags &&
	    mock_point_now(w, tag % w->opt->tags) == tag);
}

/* Names end in their number, by which they are found again. */
void
mock_tag_name(const struct mock_world *w, uint64_t tag, struct buf *out)
{
	unsigned n = (unsigned)(tag %= w->opt->tags);

	if (befell(w, tag, w->rename_limit, w->opt->renames_at, FATE_EDIT))
		buf_puts(out, "New ");
	if (w->opt->mix == MOCK_MIX_FULL) {
		switch (tag % 40) {
		case 11:
			buf_printf(out, "Tank Level 50%% & more #-%06u", n);
			return;
		case 22:
			buf_printf(out, "A+B:C/D?e=1;'x'-%06u", n);
			return;
		case 33:
			buf_printf(out, "Gr\xc3\xb6\xc3\x9f" "e \"\xce\xa9\" "
			    "\xe2\x82\xac-%06u", n);
			return;
		}
	}
	buf_printf(out, "UNIT%u.%s-%06u", (unsigned)(tag / 80 + 1),
	    MEASURES[tag % 8], n);
}

/* --- one slot ------------------------------------------------------------- */

/* Whole seconds, tenths, milliseconds, or all seven digits. */
static int64_t
round_down(int64_t t, uint64_t how)
{
	switch (how & 7) {
	case 0:
	case 1:
	case 2:
		return (t - t % TICKS_PER_S);
	case 3:
		return (t - t % (TICKS_PER_S / 10));
	case 4:
	case 5:
		return (t - t % TICKS_PER_MS);
	default:
		return (t);
	}
}

/* Sets t, hash and n of the current slot. */
static void
slot_load(struct mock_series *s)
{
	uint64_t h = hash_mix(s->tag.key + (uint64_t)s->slot * GOLDEN);
	int64_t begin = s->tag.start + s->slot * s->tag.period;
	unsigned r = (unsigned)(h & 0xfff);
	int64_t t;

	s->hash = h;
	s->n = r < 256 ? 0 : r < 320 ? 2 + (int)(r & 1) : 1;
	if (s->tag.bursts && s->slot % BURST_EVERY == 13)
		s->n = BURST;
	if (s->n > s->world->ties)
		s->n = s->world->ties;
	s->t = begin;
	if (s->slot == 0) {
		s->n = 1;
		return;
	}
	if (s->n == 0)
		return;
	t = begin + (int64_t)((h >> 18) % (uint64_t)s->tag.period);
	s->t = round_down(t, h >> 12);
	if (s->t < begin)	/* would meet the slot before */
		s->t = t;
}

/* When it befalls the event, `from` being its time or when it was seen. */
static int64_t
fate_at(const struct mock_fate *f, uint64_t h, uint64_t what, int64_t from)
{
	if (f->limit == 0)
		return (INT64_MAX);
	h = hash_mix(h ^ what);
	if ((h & 0xffffffff) >= f->limit)
		return (INT64_MAX);
	return (from + 1 + (int64_t)((h >> 16) % (uint64_t)f->max));
}

static bool
visible(const struct mock_series *s, uint64_t h, bool *edited)
{
	const struct mock_world *w = s->world;
	int64_t seen = fate_at(&w->late, h, FATE_LATE, s->t);

	if (seen == INT64_MAX)
		seen = s->t;
	*edited = fate_at(&w->edit, h, FATE_EDIT, seen) <= s->now;
	return (seen <= s->now &&
	    fate_at(&w->delete, h, FATE_DELETE, seen) > s->now);
}

/* --- one event ------------------------------------------------------------ */

static void
set_system(struct mock_event *ev, uint64_t h)
{
	size_t i = h % COUNT(SYSTEM_STATES);

	ev->type = MOCK_STATE;
	ev->text = SYSTEM_STATES[i].name;
	ev->number = SYSTEM_STATES[i].code;
	ev->is_system = true;
	ev->flags &= ~MOCK_GOOD;
}

static void
set_float(const struct mock_tag *tag, int64_t slot, uint64_t h,
    struct mock_event *ev)
{
	int64_t wave = slot & 1023;

	if (wave > 511)
		wave = 1023 - wave;
	ev->type = MOCK_DECIMAL;
	ev->digits = tag->digits;
	ev->number = tag->base + wave * tag->swing + (int64_t)(h >> 40) % 2000;
}

static void
set_exponent(uint64_t h, struct mock_event *ev)
{
	ev->type = MOCK_EXPONENT;
	ev->number = 10000 + (int64_t)(h % 90000);
	ev->digits = 15 + (int)(h >> 20) % 15;
	if ((h & 3) == 0)
		ev->number -= ev->number % 10000;
	if ((h >> 40 & 1) != 0)
		ev->digits = -5 - (int)(h >> 41) % 16;
	if ((h >> 50 & 1) != 0)
		ev->number = -ev->number;
}

static void
set_int(uint64_t h, struct mock_event *ev)
{
	ev->type = MOCK_INTEGER;
	ev->number = (int64_t)(h % 2000001) - 1000000;
	if ((h >> 40) % 256 == 0)
		ev->number = INT64_MAX - (int64_t)(h % 1000000007);
	if ((h >> 40) % 256 == 1)
		ev->number = -(INT64_MAX - (int64_t)(h % 1000000007));
}

static void
set_state(uint64_t h, struct mock_event *ev)
{
	ev->type = MOCK_STATE;
	ev->number = (int64_t)(h % COUNT(STATES));
	ev->text = STATES[ev->number];
	ev->is_system = false;
}

static void
set_kind(const struct mock_series *s, enum mock_kind kind, uint64_t h,
    struct mock_event *ev)
{
	switch (kind) {
	case MOCK_KIND_FLOAT:
		set_float(&s->tag, s->slot, h, ev);
		break;
	case MOCK_KIND_EXPONENT:
		set_exponent(h, ev);
		break;
	case MOCK_KIND_INT:
		set_int(h, ev);
		break;
	case MOCK_KIND_STRING:
		ev->type = MOCK_TEXT;
		ev->text = STRINGS[h % COUNT(STRINGS)];
		break;
	case MOCK_KIND_DIGITAL:
		set_state(h, ev);
		break;
	case MOCK_KIND_MIXED:
		if (h % 8 == 5) {
			ev->type = MOCK_BOOL;
			ev->number = (int64_t)(h >> 8 & 1);
			break;
		}
		set_kind(s, (enum mock_kind)(h % 8 % 5), h >> 3, ev);
		if ((h >> 60 & 7) == 0)
			ev->flags |= MOCK_NO_ANNOTATED;
		break;
	}
}

/* What may stand in any stream between its values. */
static void
set_odd(uint64_t h, struct mock_event *ev)
{
	if (h % 16 < 12) {
		set_system(ev, h >> 8);
		return;
	}
	ev->flags &= ~MOCK_GOOD;
	if (h % 16 < 14) {
		ev->type = MOCK_ERRORS;
		ev->text = "Failed to convert \"value\".";
		ev->text2 = (h >> 8 & 1) != 0 ? "Second text." : NULL;
		return;
	}
	ev->type = h % 16 == 14 ? MOCK_NULL : MOCK_MISSING;
}

static void
event_make(const struct mock_series *s, uint64_t h, struct mock_event *ev)
{
	*ev = (struct mock_event){ .t = s->t, .flags = MOCK_GOOD };
	if (s->world->opt->mix == MOCK_MIX_PLAIN) {
		set_float(&s->tag, s->slot, h, ev);
		return;
	}
	if (s->slot == 0) {
		ev->type = MOCK_STATE;
		ev->text = "Pt Created";
		ev->number = 253;
		ev->is_system = true;
		ev->flags = 0;
		return;
	}
	if ((h & 127) == 0)
		ev->flags |= MOCK_QUESTIONABLE;
	if ((h & 0x3f80) == 0)
		ev->flags |= MOCK_SUBSTITUTED;
	if ((h & 0x3fc000) == 0)
		ev->flags |= MOCK_ANNOTATED;
	if ((h >> 22 & 63) == 0)
		set_odd(h >> 28, ev);
	else
		set_kind(s, s->tag.kind, hash_mix(h), ev);
}

/* --- the iterator --------------------------------------------------------- */

static int64_t
slot_of(const struct mock_series *s, int64_t t)
{
	if (t <= s->tag.start)
		return (0);
	return ((t - s->tag.start) / s->tag.period);
}

void
mock_series_init(struct mock_series *s, const struct mock_world *w,
    uint64_t tag, int64_t from, int64_t to, int64_t now)
{
	memset(s, 0, sizeof(*s));
	s->world = w;
	mock_tag_get(w, tag, &s->tag);
	s->now = now;
	s->step = from <= to ? 1 : -1;
	s->from = from <= to ? from : to;
	s->to = from <= to ? to : from;
	if (s->to > now)
		s->to = now;
	s->done = s->to < s->from || s->to < s->tag.start;
	if (s->done)
		return;
	s->slot = slot_of(s, s->step > 0 ? s->from : s->to);
	slot_load(s);
}

bool
mock_series_next(struct mock_series *s, struct mock_event *ev)
{
	uint64_t h;
	bool edited;

	while (!s->done) {
		if (s->i < s->n && s->t >= s->from && s->t <= s->to) {
			h = hash_mix(s->hash + (uint64_t)(s->step > 0 ? s->i :
			    s->n - 1 - s->i));
			s->i++;
			if (!visible(s, h, &edited))
				continue;
			event_make(s, edited ? hash_mix(h ^ EDITED) : h, ev);
			if (edited)
				ev->flags |= MOCK_SUBSTITUTED;
			return (true);
		}
		s->slot += s->step;
		s->i = 0;
		if (s->slot < 0) {
			s->done = true;
			break;
		}
		slot_load(s);
		s->done = s->step > 0 ?
		    s->tag.start + s->slot * s->tag.period > s->to :
		    s->tag.start + (s->slot + 1) * s->tag.period <= s->from;
	}
	return (false);
}
