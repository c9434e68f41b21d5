/*
 * Objects as JSON: for each type its fields, what fills them, and its links.
 *
 * A row of fields has the name in answers and the column in the truth; both
 * come from the same cells, so what the truth says is what is served.
 */

#include "config.h"

#include <string.h>

#include "base/arena.h"
#include "base/must.h"
#include "base/ticks.h"
#include "codec/json.h"
#include "mock/mock_answer.h"

#define FIELDS_MAX 24
#define NAME_MAX_BYTES 256
#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

enum target { SELF, SERVER, PARENT, OTHER, TARGETS };

struct link {
	const char *name;
	const char *before;
	const char *after;
	enum target target;
};

struct targets {
	bool has[TARGETS];
	struct mock_obj obj[TARGETS];
};

typedef void fill_fn(struct mock_view *, struct mock_obj, struct mock_cell *,
    struct targets *);

struct class {
	const struct mock_field *fields;
	size_t nfields;
	const struct link *links;
	size_t nlinks;
	fill_fn *fill;
};

/* --- cells ---------------------------------------------------------------- */

static struct mock_cell
text(const char *s)
{
	return ((struct mock_cell){ .type = MOCK_C_TEXT, .text = s,
	    .len = strlen(s) });
}

static struct mock_cell
integer(int64_t i)
{
	return ((struct mock_cell){ .type = MOCK_C_INT, .i = i });
}

static struct mock_cell
boolean(bool b)
{
	return ((struct mock_cell){ .type = MOCK_C_BOOL, .i = b });
}

static struct mock_cell
raw(const char *s)
{
	return ((struct mock_cell){ .type = MOCK_C_RAW, .text = s,
	    .len = strlen(s) });
}

static struct mock_cell
at(int64_t t)
{
	return ((struct mock_cell){ .type = MOCK_C_TIME, .i = t });
}

/* A list of one, or of none when s is NULL. */
static struct mock_cell
list(struct mock_view *v, const char *s)
{
	const char **one = arena_alloc(v->scratch, sizeof(*one));

	*one = s;
	return ((struct mock_cell){ .type = MOCK_C_LIST, .list = one,
	    .len = s != NULL });
}

static const char *
keep(struct mock_view *v, struct buf *b)
{
	char *s;

	MUST(b->error == 0);
	s = arena_strndup(v->scratch, b->len == 0 ? "" : (char *)b->data,
	    b->len);
	buf_fini(b);
	return (s);
}

static struct mock_cell
webid(struct mock_view *v, struct mock_obj o)
{
	struct buf b;

	buf_init(&b, 1 << 16);
	mock_webid_put(&b, v->world, o, v->webid_kind);
	return (text(keep(v, &b)));
}

static struct mock_cell
path(struct mock_view *v, struct mock_obj o)
{
	struct buf b;

	buf_init(&b, 1 << 16);
	mock_path_put(&b, v->world, o);
	return (text(keep(v, &b)));
}

static struct mock_cell
guid(struct mock_view *v, struct mock_obj o)
{
	struct mock_guid g;
	char *s = arena_alloc(v->scratch, 37);

	mock_world_guid(v->world, o, &g);
	return (text(mock_guid_text(&g, s)));
}

static struct mock_obj
obj(enum mock_type type, uint64_t a)
{
	return ((struct mock_obj){ type, a, 0 });
}

static void
aim(struct targets *t, enum target at_, struct mock_obj o)
{
	t->has[at_] = true;
	t->obj[at_] = o;
}

/* What all but points begin with. */
static void
fill_first(struct mock_view *v, struct mock_obj o, const char *name,
    struct mock_cell *c)
{
	c[0] = webid(v, o);
	c[1] = guid(v, o);
	c[2] = text(name);
}

/* --- servers -------------------------------------------------------------- */

static const struct mock_field DATA_SERVER[] = {
	{ "WebId", "webid" }, { "Id", "id" }, { "Name", "name" },
	{ "Path", "path" }, { "IsConnected", "is_connected" },
	{ "ServerVersion", "server_version" }, { "ServerTime", NULL },
	{ "Links", NULL },
};
static const struct link DATA_SERVER_LINKS[] = {
	{ "Self", "dataservers/", "", SELF },
	{ "Points", "dataservers/", "/points", SELF },
	{ "EnumerationSets", "dataservers/", "/enumerationsets", SELF },
};

static void
fill_data_server(struct mock_view *v, struct mock_obj o, struct mock_cell *c,
    struct targets *t)
{
	(void)t;
	fill_first(v, o, "PISRV1", c);
	c[3] = path(v, o);
	c[4] = boolean(true);
	c[5] = text("3.4.445.688");
	c[6] = at(v->now);
}

static const struct mock_field ASSET_SERVER[] = {
	{ "WebId", "webid" }, { "Id", "id" }, { "Name", "name" },
	{ "Description", "description" }, { "Path", "path" },
	{ "IsConnected", "is_connected" },
	{ "ServerVersion", "server_version" }, { "ServerTime", NULL },
	{ "ExtendedProperties", NULL }, { "Links", NULL },
};
static const struct link ASSET_SERVER_LINKS[] = {
	{ "Self", "assetservers/", "", SELF },
	{ "Databases", "assetservers/", "/assetdatabases", SELF },
	{ "UnitClasses", "assetservers/", "/unitclasses", SELF },
};

static void
fill_asset_server(struct mock_view *v, struct mock_obj o, struct mock_cell *c,
    struct targets *t)
{
	(void)t;
	fill_first(v, o, "AFSRV1", c);
	c[3] = text("Assets of the plants");
	c[4] = path(v, o);
	c[5] = boolean(true);
	c[6] = text("2.10.9.593");
	c[7] = at(v->now);
	c[8] = raw("{}");
}

/* --- points --------------------------------------------------------------- */

static const struct mock_field POINT[] = {
	{ "WebId", "webid" }, { "Id", "id" }, { "Name", "name" },
	{ "Path", "path" }, { "Descriptor", "descriptor" },
	{ "PointClass", "point_class" }, { "PointType", "point_type" },
	{ "DigitalSetName", "digital_set_name" }, { "Span", "span" },
	{ "Zero", "zero" }, { "EngineeringUnits", "engineering_units" },
	{ "Step", "step" }, { "Future", "future" },
	{ "DisplayDigits", "display_digits" }, { "Links", NULL },
};

/* Of what has a stream. */
#define STREAM_LINKS \
	{ "InterpolatedData", "streams/", "/interpolated", SELF }, \
	{ "RecordedData", "streams/", "/recorded", SELF }, \
	{ "PlotData", "streams/", "/plot", SELF }, \
	{ "SummaryData", "streams/", "/summary", SELF }, \
	{ "Value", "streams/", "/value", SELF }, \
	{ "EndValue", "streams/", "/end", SELF },

static const struct link POINT_LINKS[] = {
	{ "Self", "points/", "", SELF },
	{ "DataServer", "dataservers/", "", SERVER },
	{ "Attributes", "points/", "/attributes", SELF },
	STREAM_LINKS
};

static const char *
tag_name(struct mock_view *v, uint64_t tag)
{
	struct buf b;

	buf_init(&b, 4096);
	mock_tag_name(v->world, tag, &b);
	return (keep(v, &b));
}

static void
fill_point(struct mock_view *v, struct mock_obj o, struct mock_cell *c,
    struct targets *t)
{
	struct mock_tag tag;

	mock_tag_get(v->world, o.a, &tag);
	c[0] = webid(v, o);
	c[1] = integer(mock_point_id(o.a));
	c[2] = text(tag_name(v, o.a));
	c[3] = path(v, o);
	c[4] = text(tag.place % 9 == 4 ? "" :
	    arena_sprintf(v->scratch, "Signal %u", tag.place));
	c[5] = text("classic");
	c[6] = text(tag.point_type);
	c[7] = text(tag.digital_set);
	c[8] = raw("100.0");
	c[9] = raw("0.0");
	c[10] = text(tag.units);
	c[11] = boolean(tag.kind == MOCK_KIND_DIGITAL ||
	    tag.kind == MOCK_KIND_STRING);
	c[12] = boolean(false);
	c[13] = integer(-5);
	aim(t, SERVER, obj(MOCK_DATA_SERVER, 0));
}

/* --- assets --------------------------------------------------------------- */

static const struct mock_field DATABASE[] = {
	{ "WebId", "webid" }, { "Id", "id" }, { "Name", "name" },
	{ "Description", "description" }, { "Path", "path" },
	{ "ExtendedProperties", NULL }, { "Links", NULL },
};
static const struct link DATABASE_LINKS[] = {
	{ "Self", "assetdatabases/", "", SELF },
	{ "Elements", "assetdatabases/", "/elements", SELF },
	{ "ElementTemplates", "assetdatabases/", "/elementtemplates", SELF },
	{ "EventFrames", "assetdatabases/", "/eventframes", SELF },
	{ "AssetServer", "assetservers/", "", SERVER },
};

static void
fill_database(struct mock_view *v, struct mock_obj o, struct mock_cell *c,
    struct targets *t)
{
	struct buf name;

	buf_init(&name, NAME_MAX_BYTES);
	mock_db_name(o.a, &name);
	fill_first(v, o, keep(v, &name), c);
	c[3] = text(arena_sprintf(v->scratch, "Plant number %u",
	    (unsigned)o.a + 1));
	c[4] = path(v, o);
	c[5] = raw("{}");
	aim(t, SERVER, obj(MOCK_ASSET_SERVER, 0));
}

static const struct mock_field ELEMENT[] = {
	{ "WebId", "element_webid" }, { "Id", "id" }, { "Name", "name" },
	{ "Description", "description" }, { "Path", "path" },
	{ "Paths", NULL }, { "TemplateName", "template_name" },
	{ "HasChildren", "has_children" },
	{ "CategoryNames", "category_names" },
	{ "ExtendedProperties", NULL }, { "Links", NULL },
};
static const struct link ELEMENT_LINKS[] = {
	{ "Self", "elements/", "", SELF },
	{ "Elements", "elements/", "/elements", SELF },
	{ "Attributes", "elements/", "/attributes", SELF },
	{ "EventFrames", "elements/", "/eventframes", SELF },
	{ "Database", "assetdatabases/", "", OTHER },
	{ "Parent", "elements/", "", PARENT },
	{ "RecordedData", "streamsets/", "/recorded", SELF },
	{ "Value", "streamsets/", "/value", SELF },
	{ "EndValue", "streamsets/", "/end", SELF },
};

static void
fill_element(struct mock_view *v, struct mock_obj o, struct mock_cell *c,
    struct targets *t)
{
	const struct mock_element *el = &v->world->element[o.a];
	struct buf name;

	buf_init(&name, NAME_MAX_BYTES);
	mock_af_name(v->world, (uint32_t)o.a, &name);
	fill_first(v, o, keep(v, &name), c);
	c[3] = text(o.a % 3 == 0 ? "" : "Part of the plant");
	c[4] = path(v, o);
	c[5] = list(v, c[4].text);
	c[6] = text(mock_af_template(el));
	c[7] = boolean(mock_af_has_children(v->world, (uint32_t)o.a));
	c[8] = list(v, o.a % 4 == 0 ? NULL : "Production");
	c[9] = raw("{}");
	aim(t, OTHER, obj(MOCK_DATABASE, el->db));
	if (el->parent != MOCK_NONE)
		aim(t, PARENT, obj(MOCK_ELEMENT, el->parent));
}

static const struct mock_field ATTRIBUTE[] = {
	{ "WebId", "attribute_webid" }, { "Id", "id" }, { "Name", "name" },
	{ "Description", "description" }, { "Path", "path" },
	{ "Type", "type" }, { "TypeQualifier", NULL },
	{ "DefaultUnitsName", "default_units_name" },
	{ "DefaultUnitsNameAbbreviation", NULL },
	{ "DataReferencePlugIn", "data_reference_plugin" },
	{ "ConfigString", NULL },
	{ "IsConfigurationItem", "is_configuration_item" },
	{ "IsExcluded", NULL }, { "IsHidden", NULL },
	{ "IsManualDataEntry", NULL }, { "HasChildren", NULL },
	{ "CategoryNames", NULL }, { "Step", NULL }, { "TraitName", NULL },
	{ "DisplayDigits", NULL }, { "Span", NULL }, { "Zero", NULL },
	{ "Links", NULL },
};
static const struct link ATTRIBUTE_LINKS[] = {
	{ "Self", "attributes/", "", SELF },
	{ "Element", "elements/", "", PARENT },
	{ "Point", "points/", "", OTHER },
	STREAM_LINKS
};

static void
fill_attribute(struct mock_view *v, struct mock_obj o, struct mock_cell *c,
    struct targets *t)
{
	struct mock_attribute a;

	mock_attribute_get(v->world, (uint32_t)o.a, (uint32_t)o.b, &a);
	fill_first(v, o, a.name, c);
	c[3] = text("");
	c[4] = path(v, o);
	c[5] = text(a.type);
	c[6] = c[7] = c[8] = text("");
	c[9] = text(a.kind == MOCK_ATTR_STATIC ? "" : "PI Point");
	c[10] = text(a.kind == MOCK_ATTR_STATIC ? "" :
	    a.kind == MOCK_ATTR_DELETED ? "\\\\PISRV1\\GONE" :
	    arena_sprintf(v->scratch, "\\\\PISRV1\\%s",
	    tag_name(v, a.tag)));
	c[11] = boolean(a.kind == MOCK_ATTR_STATIC);
	c[12] = boolean(false);
	c[13] = boolean(a.hidden);
	c[14] = c[15] = boolean(false);
	c[16] = list(v, NULL);
	c[17] = boolean(false);
	c[18] = text("");
	c[19] = integer(-5);
	c[20] = raw("100.0");
	c[21] = raw("0.0");
	aim(t, PARENT, obj(MOCK_ELEMENT, o.a));
	if (a.kind == MOCK_ATTR_POINT)
		aim(t, OTHER, obj(MOCK_POINT, mock_point_now(v->world,
		    a.tag)));
}

/* --- event frames --------------------------------------------------------- */

static const struct mock_field FRAME[] = {
	{ "WebId", "event_frame_webid" }, { "Id", "id" }, { "Name", "name" },
	{ "Description", "description" }, { "Path", "path" },
	{ "TemplateName", "template_name" },
	{ "HasChildren", "has_children" },
	{ "CategoryNames", "category_names" },
	{ "StartTime", "start_time" }, { "EndTime", "end_time" },
	{ "Severity", "severity" }, { "AcknowledgedBy", "acknowledged_by" },
	{ "AcknowledgedDate", "acknowledged_date" },
	{ "CanBeAcknowledged", "can_be_acknowledged" },
	{ "IsAcknowledged", "is_acknowledged" },
	{ "IsAnnotated", "is_annotated" }, { "IsLocked", "is_locked" },
	{ "AreValuesCaptured", "are_values_captured" },
	{ "RefElementWebIds", NULL }, { "ExtendedProperties", NULL },
	{ "Links", NULL },
};
static const struct link FRAME_LINKS[] = {
	{ "Self", "eventframes/", "", SELF },
	{ "Attributes", "eventframes/", "/attributes", SELF },
	{ "EventFrames", "eventframes/", "/eventframes", SELF },
	{ "Database", "assetdatabases/", "", SERVER },
	{ "Parent", "eventframes/", "", PARENT },
	{ "PrimaryReferencedElement", "elements/", "", OTHER },
	{ "ReferencedElements", "eventframes/", "/referencedelements", SELF },
};

/* A frame is acknowledged ten minutes after its end, if ever. */
static void
fill_frame_state(struct mock_view *v, const struct mock_frame *f,
    struct mock_cell *c)
{
	bool can = (f->hash >> 20 & 3) != 0;
	int64_t when = f->end + 600 * TICKS_PER_S;
	bool open = f->closed > v->now;
	bool done = can && (f->hash >> 22 & 1) != 0 && when <= v->now && !open;

	c[11] = text(done ? "PLANT\\operator" : "");
	c[12] = at(done ? when : 0);
	c[13] = boolean(can);
	c[14] = boolean(done);
	c[15] = boolean((f->hash >> 23 & 7) == 0);
	c[16] = boolean((f->hash >> 26 & 15) == 0);
	c[17] = boolean(!open && (f->hash >> 30 & 1) != 0);
}

static void
fill_frame(struct mock_view *v, struct mock_obj o, struct mock_cell *c,
    struct targets *t)
{
	struct mock_frame f;
	struct buf name;
	const char *element = NULL;

	MUST(mock_frame_get(v->world, (uint32_t)o.a, o.b, &f));
	if (f.element != MOCK_NONE) {
		aim(t, OTHER, obj(MOCK_ELEMENT, f.element));
		element = webid(v, t->obj[OTHER]).text;
	}
	buf_init(&name, NAME_MAX_BYTES);
	mock_frame_name(&f, &name);
	fill_first(v, o, keep(v, &name), c);
	c[3] = text(f.hash % 5 == 0 ? "made by an analysis" : "");
	c[4] = path(v, o);
	c[5] = text(mock_frame_template(&f));
	c[6] = boolean(f.children != 0);
	c[7] = list(v, (f.hash >> 50 & 3) == 0 ? NULL : "Quality");
	c[8] = at(f.start);
	c[9] = at(f.closed > v->now ? MOCK_OPEN : f.end);
	c[10] = text(mock_frame_severity(&f));
	fill_frame_state(v, &f, c);
	c[18] = list(v, element);
	c[19] = raw("{}");
	aim(t, SERVER, obj(MOCK_DATABASE, f.db));
	if (f.id % 4 != 0)
		aim(t, PARENT, (struct mock_obj){ MOCK_FRAME, o.a,
		    o.b & ~3ull });
}

#define CLASS(x, f) { x, COUNT(x), x##_LINKS, COUNT(x##_LINKS), f }

static const struct class CLASSES[] = {
	[MOCK_DATA_SERVER] = CLASS(DATA_SERVER, fill_data_server),
	[MOCK_POINT] = CLASS(POINT, fill_point),
	[MOCK_ASSET_SERVER] = CLASS(ASSET_SERVER, fill_asset_server),
	[MOCK_DATABASE] = CLASS(DATABASE, fill_database),
	[MOCK_ELEMENT] = CLASS(ELEMENT, fill_element),
	[MOCK_ATTRIBUTE] = CLASS(ATTRIBUTE, fill_attribute),
	[MOCK_FRAME] = CLASS(FRAME, fill_frame),
};

/* --- out ------------------------------------------------------------------ */

static void
put_time(struct buf *out, int64_t t, bool truth)
{
	char s[TICKS_TEXT_MAX];

	if (t == MOCK_OPEN && truth) {
		buf_puts(out, "null");
		return;
	}
	buf_u8(out, '"');
	if (t == MOCK_OPEN)
		buf_puts(out, "9999-12-31T23:59:59.9999999Z");
	else
		buf_puts(out, truth ? ticks_text7(t, s) : ticks_text(t, s));
	buf_u8(out, '"');
}

static void
put_cell(struct buf *out, const struct mock_cell *c, bool truth)
{
	switch (c->type) {
	case MOCK_C_TEXT:
		json_put_str(out, c->text, c->len);
		break;
	case MOCK_C_INT:
		buf_printf(out, "%lld", (long long)c->i);
		break;
	case MOCK_C_BOOL:
		buf_puts(out, c->i != 0 ? "true" : "false");
		break;
	case MOCK_C_RAW:
		buf_put(out, c->text, c->len);
		break;
	case MOCK_C_TIME:
		put_time(out, c->i, truth);
		break;
	case MOCK_C_LIST:
		buf_u8(out, '[');
		for (size_t i = 0; i < c->len; i++) {
			if (i > 0)
				buf_u8(out, ',');
			json_put_str(out, c->list[i], strlen(c->list[i]));
		}
		buf_u8(out, ']');
		break;
	}
}

static void
put_links(struct buf *out, const struct mock_view *v, const struct class *k,
    const struct targets *t)
{
	char comma = '{';

	for (size_t i = 0; i < k->nlinks; i++) {
		const struct link *l = &k->links[i];

		if (!t->has[l->target] ||
		    mock_sel_get(v->links, l->name) == NULL)
			continue;
		buf_printf(out, "%c\"%s\":\"%s/%s", comma, l->name, v->base,
		    l->before);
		mock_webid_put(out, v->world, t->obj[l->target],
		    v->webid_kind);
		buf_puts(out, l->after);
		buf_u8(out, '"');
		comma = ',';
	}
	buf_puts(out, comma == '{' ? "{}" : "}");
}

void
mock_view_init(struct mock_view *v, enum mock_type type,
    const struct mock_sel *sel)
{
	const struct class *k = &CLASSES[type];

	v->type = type;
	v->mask = mock_sel_mask(sel, k->fields, k->nfields);
	v->links = mock_sel_get(sel, "Links");
}

void
mock_object_put(struct mock_view *v, struct mock_obj o, struct buf *out)
{
	const struct class *k = &CLASSES[o.type];
	struct mock_cell cell[FIELDS_MAX];
	struct targets t = { .has = { [SELF] = true }, .obj = { [SELF] = o } };
	char comma = '{';

	MUST(o.type == v->type && k->nfields <= FIELDS_MAX);
	k->fill(v, o, cell, &t);
	for (size_t i = 0; i < k->nfields; i++) {
		if ((v->mask & 1u << i) == 0)
			continue;
		buf_printf(out, "%c\"%s\":", comma, k->fields[i].name);
		comma = ',';
		if (i == k->nfields - 1)
			put_links(out, v, k, &t);
		else
			put_cell(out, &cell[i], false);
	}
	buf_puts(out, comma == '{' ? "{}" : "}");
	arena_clear(v->scratch);
}

void
mock_object_put_truth(struct mock_view *v, struct mock_obj o, struct buf *out)
{
	const struct class *k = &CLASSES[o.type];
	struct mock_cell cell[FIELDS_MAX];
	struct targets t = { .has = { [SELF] = true }, .obj = { [SELF] = o } };
	const char *comma = "";

	k->fill(v, o, cell, &t);
	for (size_t i = 0; i < k->nfields; i++) {
		if (k->fields[i].column == NULL)
			continue;
		buf_printf(out, "%s\"%s\":", comma, k->fields[i].column);
		put_cell(out, &cell[i], true);
		comma = ",";
	}
	arena_clear(v->scratch);
}

void
mock_put_webid(struct buf *out, const struct mock_view *v, struct mock_obj o)
{
	buf_u8(out, '"');
	mock_webid_put(out, v->world, o, v->webid_kind);
	buf_u8(out, '"');
}
