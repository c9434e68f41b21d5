/*
 * The world as a whole, and its asset tree.
 *
 * Each database is a plant: areas of four units, units of ten pieces of
 * equipment, every fifth piece with a motor, every fifth motor with a
 * bearing. A piece of equipment carries eight tags as attributes, a static
 * one, a hidden one and, for some, one whose point is gone. Elements lie in
 * one array, depth first, names ascending among siblings; so a subtree is
 * a range, and paging by index is arithmetic.
 */

#include "config.h"

#include <stdlib.h>

#include "base/buf.h"
#include "base/hash.h"
#include "base/must.h"
#include "base/ticks.h"
#include "mock/mock_options.h"
#include "mock/mock_world.h"
#include "sys/sys.h"

enum { AREA, UNIT, EQUIPMENT, MOTOR, BEARING };

#define UNIT_SIZE 10
#define AREA_SIZE 40

static const char *const TEMPLATES[] = { "AreaTemplate", "UnitTemplate",
	"EquipmentTemplate", "MotorTemplate", "" };
static const char *const EQUIPMENTS[] = { "Pump", "Tank", "Reactor",
	"K\xc3\xbchler", "Heat Exchanger" };
static const char *const ATTRIBUTES[MOCK_TAGS_PER_EQUIPMENT] = { "Flow",
	"Pressure", "Level", "Temperature", "Speed", "Power", "Vibration",
	"Status" };

static uint32_t
add(struct mock_world *w, uint32_t db, uint32_t parent, uint8_t kind,
    uint32_t number)
{
	struct mock_element *el = &w->element[w->elements];

	el->db = db;
	el->parent = parent;
	el->kind = kind;
	el->depth = parent == MOCK_NONE ? 0 :
	    (uint8_t)(w->element[parent].depth + 1);
	el->number = number;
	el->tag = MOCK_NONE;
	el->end = w->elements + 1;
	for (uint32_t p = parent; p != MOCK_NONE; p = w->element[p].parent)
		w->element[p].end = el->end;
	return (w->elements++);
}

static void
build_plant(struct mock_world *w, uint32_t db, uint32_t equipments)
{
	uint32_t area = MOCK_NONE, unit = MOCK_NONE, eq, motor;

	w->db_first[db] = w->elements;
	for (uint32_t q = 0, e = db; e < equipments;
	    q++, e += w->opt->plants) {
		if (q % AREA_SIZE == 0)
			area = add(w, db, MOCK_NONE, AREA, q / AREA_SIZE + 1);
		if (q % UNIT_SIZE == 0)
			unit = add(w, db, area, UNIT, q / UNIT_SIZE + 1);
		eq = add(w, db, unit, EQUIPMENT, q + 1);
		w->element[eq].tag = e * MOCK_TAGS_PER_EQUIPMENT;
		if (q % 5 != 0)
			continue;
		motor = add(w, db, eq, MOTOR, 1);
		if (q % 25 == 0)
			add(w, db, motor, BEARING, 1);
	}
}

void
mock_af_build(struct mock_world *w)
{
	uint32_t n = (w->opt->tags + MOCK_TAGS_PER_EQUIPMENT - 1) /
	    MOCK_TAGS_PER_EQUIPMENT;

	/* At most five elements for a piece of equipment. */
	w->element = must_calloc((size_t)n * 5, sizeof(*w->element));
	w->db_first = must_calloc(w->opt->plants + 1, sizeof(*w->db_first));
	for (uint32_t db = 0; db < w->opt->plants; db++)
		build_plant(w, db, n);
	w->db_first[w->opt->plants] = w->elements;
}

void
mock_db_name(uint64_t db, struct buf *out)
{
	buf_printf(out, "Plant%u", (unsigned)db + 1);
}

void
mock_af_name(const struct mock_world *w, uint32_t element, struct buf *out)
{
	const struct mock_element *el = &w->element[element];

	switch (el->kind) {
	case AREA:
		buf_printf(out, "Area %04u", el->number);
		break;
	case UNIT:
		buf_printf(out, "Unit %05u", el->number);
		break;
	case EQUIPMENT:
		buf_printf(out, "E%06u %s", el->number,
		    EQUIPMENTS[el->number % 5]);
		break;
	case MOTOR:
		buf_puts(out, "Motor");
		break;
	default:
		buf_puts(out, "Bearing");
	}
}

const char *
mock_af_template(const struct mock_element *el)
{
	return (TEMPLATES[el->kind]);
}

bool
mock_af_has_children(const struct mock_world *w, uint32_t element)
{
	return (w->element[element].end > element + 1);
}

/* --- attributes ----------------------------------------------------------- */

/* Tags of this piece of equipment that exist. */
static uint32_t
tags(const struct mock_world *w, const struct mock_element *el)
{
	uint32_t left;

	if (el->tag == MOCK_NONE || el->tag >= w->opt->tags)
		return (0);
	left = w->opt->tags - el->tag;
	return (left < MOCK_TAGS_PER_EQUIPMENT ? left :
	    MOCK_TAGS_PER_EQUIPMENT);
}

uint32_t
mock_attributes(const struct mock_world *w, uint32_t element)
{
	const struct mock_element *el = &w->element[element];

	return (tags(w, el) + 2 + (el->kind == EQUIPMENT &&
	    el->number % 7 == 3 ? 1 : 0));
}

void
mock_attribute_get(const struct mock_world *w, uint32_t element,
    uint32_t number, struct mock_attribute *out)
{
	const struct mock_element *el = &w->element[element];
	uint32_t n = tags(w, el);

	*out = (struct mock_attribute){ .kind = MOCK_ATTR_STATIC,
		.tag = MOCK_NONE, .type = "String" };
	if (number < n) {
		out->kind = MOCK_ATTR_POINT;
		out->tag = el->tag + number;
		out->name = ATTRIBUTES[number];
		out->type = "Double";
	} else if (number == n) {
		out->name = "Serial Number";
	} else if (number == n + 1) {
		out->name = "Internal Note";
		out->hidden = true;
	} else {
		out->kind = MOCK_ATTR_DELETED;
		out->name = "Decommissioned";
		out->type = "Double";
	}
}

/* --- the world ------------------------------------------------------------ */

static uint64_t
limit(double share)
{
	return ((uint64_t)(share * 4294967296.0));
}

static struct mock_fate
fate(double share, int64_t max_ms)
{
	return ((struct mock_fate){ limit(share), max_ms * TICKS_PER_MS });
}

struct mock_world *
mock_world_new(const struct mock_options *opt)
{
	struct mock_world *w = must_calloc(1, sizeof(*w));

	w->opt = opt;
	w->key = hash_mix(opt->seed + 0x6761726e6572ull);
	w->start = opt->start;
	w->now_fixed = opt->now;
	for (int i = 0; i < 3; i++) {
		w->period[i] = (int64_t)((double)opt->period_ms[i] *
		    (double)TICKS_PER_MS / opt->rate);
		/* Room for a time of its own in each slot. */
		if (w->period[i] < TICKS_PER_US)
			w->period[i] = TICKS_PER_US;
	}
	w->frame_period = opt->frame_every_ms * TICKS_PER_MS;
	w->ties = (int)opt->ties;
	w->frame_longest = opt->frame_longest_ms * TICKS_PER_MS;
	w->frame_late = opt->frame_late_ms * TICKS_PER_MS;
	w->late = fate(opt->late, opt->late_max_ms);
	w->edit = fate(opt->edits, opt->edits_max_ms);
	w->delete = fate(opt->deletes, opt->deletes_max_ms);
	w->rename_limit = limit(opt->renames);
	w->recreate_limit = limit(opt->recreates);
	mock_af_build(w);
	return (w);
}

void
mock_world_free(struct mock_world *w)
{
	if (w == NULL)
		return;
	free(w->element);
	free(w->db_first);
	free(w);
}

int64_t
mock_world_now(const struct mock_world *w)
{
	const struct sys *sys;

	if (w->now_fixed != TICKS_NONE)
		return (w->now_fixed);
	sys = sys_posix();
	return (sys->now_ticks(sys->cookie));
}
