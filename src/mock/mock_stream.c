/*
 * Streams and stream sets: recorded values, the value at a time, the end.
 *
 * A set is the list of its streams, each once, in an order that is not the
 * request's; a single stream is a set of one without the frame around it.
 * The answer is a machine that writes heads, values and tails into pieces:
 * it holds one series iterator, whatever the number of values.
 *
 * One bad WebID fails the whole call, as on the real server.
 */

#include "config.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/hash.h"
#include "base/must.h"
#include "base/ticks.h"
#include "codec/json.h"
#include "mock/mock_answer.h"
#include "mock/mock_options.h"
#include "mock/mock_value.h"

enum { S_WEBID = 1, S_NAME = 2, S_PATH = 4, S_LINKS = 8, S_ITEMS = 16,
	S_UNITS = 32 };

static const struct mock_field STREAM[] = {
	{ "WebId", NULL }, { "Name", NULL }, { "Path", NULL },
	{ "Links", NULL }, { "Items", NULL }, { "UnitsAbbreviation", NULL },
	{ "Value", NULL },
};

struct stream {
	struct mock_obj obj;		/* a point or an attribute */
	uint32_t tag;			/* MOCK_NONE: a static attribute */
	uint64_t order;
	const char *name;		/* for sorting; or NULL */
};

enum shape { RECORDED, ONE_VALUE, ONE_ITEM };

struct answer {
	const struct mock_req *req;
	struct stream *stream;		/* in the request's arena */
	size_t n;
	size_t at;
	bool single;			/* not a set */
	bool open;			/* stream[at] is half written */
	bool first;			/* no item written yet in it */
	enum shape shape;
	int64_t from;
	int64_t to;
	uint32_t max;
	uint32_t left;			/* of the running stream, or of all */
	uint64_t stop_after;		/* items before a WebException */
	uint64_t written;
	uint32_t mask;
	const struct mock_sel *sel;	/* of the stream level */
	bool exception;			/* selected, also for root_links */
	bool root_links;
	struct mock_view view;
	struct mock_series series;
	struct mock_values values;
};

/* --- which streams -------------------------------------------------------- */

/* Static attributes have no archive: 409 for what reads one. */
static bool
resolve(const struct mock_req *req, struct mock_resp *r, const char *webid,
    bool archive, struct stream *s)
{
	struct mock_attribute a;

	if (!mock_req_object(req, r, webid, &s->obj))
		return (false);
	s->tag = MOCK_NONE;
	if (s->obj.type == MOCK_POINT) {
		s->tag = (uint32_t)s->obj.a;
		return (true);
	}
	if (s->obj.type != MOCK_ATTRIBUTE) {
		mock_resp_error(r, 400, "The specified WebID '%s' is neither "
		    "that of a point nor of an attribute.", webid);
		return (false);
	}
	mock_attribute_get(req->world, (uint32_t)s->obj.a,
	    (uint32_t)s->obj.b, &a);
	if (a.kind == MOCK_ATTR_DELETED) {
		mock_resp_error(r, 410,
		    "PI Point not found '\\\\PISRV1\\GONE'.");
		return (false);
	}
	if (a.kind == MOCK_ATTR_STATIC && archive) {
		mock_resp_error(r, 409, "The attribute '%s' has no data "
		    "reference that supports recorded values.", a.name);
		return (false);
	}
	s->tag = a.kind != MOCK_ATTR_POINT ? a.tag :
	    (uint32_t)mock_point_now(req->world, a.tag);
	return (true);
}

static int
by_order(const void *a, const void *b)
{
	const struct stream *x = a, *y = b;

	if (x->name != NULL && y->name != NULL)
		return (strcmp(x->name, y->name));
	if (x->order != y->order)
		return (x->order < y->order ? -1 : 1);
	return (0);
}

static const char *
stream_name(const struct mock_req *req, struct mock_obj o)
{
	struct mock_attribute a;
	struct buf b;
	char *s;

	if (o.type == MOCK_ATTRIBUTE) {
		mock_attribute_get(req->world, (uint32_t)o.a, (uint32_t)o.b,
		    &a);
		return (a.name);
	}
	buf_init(&b, 4096);
	mock_tag_name(req->world, o.a, &b);
	s = arena_strdup(req->arena, buf_str(&b));
	buf_fini(&b);
	return (s);
}

static bool
resolve_set(const struct mock_req *req, struct mock_resp *r, bool archive,
    struct answer *a)
{
	const char *field = mock_req_param(req, "sortField");
	bool by_name = field != NULL && strcasecmp(field, "Name") == 0;
	size_t n = 0, out = 0;

	a->stream = arena_alloc(req->arena, (req->params + 1) *
	    sizeof(*a->stream));
	for (size_t i = 0; i < req->params; i++) {
		if (strcasecmp(req->param[i].name, "webId") != 0)
			continue;
		if (!resolve(req, r, req->param[i].value, archive,
		    &a->stream[n]))
			return (false);
		a->stream[n].order = hash_mix(a->stream[n].obj.a * 32 +
		    a->stream[n].obj.b + 7 * a->stream[n].obj.type);
		n++;
	}
	if (n == 0) {
		mock_resp_error(r, 400,
		    "Parameter 'webId' is required.");
		return (false);
	}
	qsort(a->stream, n, sizeof(*a->stream), by_order);
	for (size_t i = 1; i < n; i++)
		if (a->stream[i].order != a->stream[out].order)
			a->stream[++out] = a->stream[i];
	a->n = out + 1;
	if (r->missing && a->n > 1)
		a->n--;
	for (size_t i = 0; by_name && i < a->n; i++)
		a->stream[i].name = stream_name(req, a->stream[i].obj);
	if (by_name)
		qsort(a->stream, a->n, sizeof(*a->stream), by_order);
	return (true);
}

/* --- writing -------------------------------------------------------------- */

static const char *
units_of(const struct answer *a, const struct stream *s)
{
	struct mock_tag tag;

	if (s->tag == MOCK_NONE)
		return ("");
	mock_tag_get(a->req->world, s->tag, &tag);
	return (tag.units);
}

static void
put_head(struct answer *a, const struct stream *s, struct buf *out)
{
	const char *name = stream_name(a->req, s->obj);
	struct buf path;
	size_t at = out->len;

	if ((a->mask & S_WEBID) != 0) {
		buf_puts(out, ",\"WebId\":");
		mock_put_webid(out, &a->view, s->obj);
	}
	if ((a->mask & S_NAME) != 0) {
		buf_puts(out, ",\"Name\":");
		json_put_str(out, name, strlen(name));
	}
	if ((a->mask & S_PATH) != 0) {
		buf_init(&path, 1 << 16);
		mock_path_put(&path, a->req->world, s->obj);
		buf_puts(out, ",\"Path\":");
		json_put_str(out, (char *)path.data, path.len);
		buf_fini(&path);
	}
	if ((a->mask & S_LINKS) != 0) {
		buf_printf(out, ",\"Links\":{\"Source\":\"%s/%s/",
		    a->req->base, s->obj.type == MOCK_POINT ? "points" :
		    "attributes");
		mock_webid_put(out, a->req->world, s->obj,
		    a->view.webid_kind);
		buf_puts(out, "\"}");
	}
	if (out->len == at)
		buf_u8(out, ',');
	if (out->error == 0)
		out->data[at] = '{';
}

static void
comma(struct buf *out)
{
	if (out->error == 0 && out->len > 0 &&
	    strchr("{[", out->data[out->len - 1]) == NULL)
		buf_u8(out, ',');
}

static void
put_units(struct answer *a, const struct stream *s, struct buf *out)
{
	if ((a->mask & S_UNITS) == 0)
		return;
	comma(out);
	buf_printf(out, "\"UnitsAbbreviation\":\"%s\"", units_of(a, s));
}

static void
put_exception(struct answer *a, struct buf *out)
{
	if (a->stop_after == UINT64_MAX || !a->exception)
		return;
	comma(out);
	buf_puts(out, "\"WebException\":{\"Errors\":[\"An exception occurred "
	    "while the response was written.\"],\"StatusCode\":500}");
}

static void
stream_open(struct answer *a, struct buf *out)
{
	const struct stream *s = &a->stream[a->at];

	if (a->single)
		buf_u8(out, '{');
	else
		put_head(a, s, out);
	if (!a->req->opt->set_total || a->single)
		a->left = a->max;
	a->first = true;
	a->open = true;
	if ((a->mask & S_ITEMS) == 0) {
		a->series.done = true;
		return;
	}
	comma(out);
	if (a->single && (a->mask & S_LINKS) != 0)
		buf_puts(out, "\"Links\":{},");
	buf_puts(out, "\"Items\":[");
	mock_values_units(&a->values, units_of(a, s));
	mock_series_init(&a->series, a->req->world, s->tag, a->from, a->to,
	    a->req->now);
}

static void
stream_close(struct answer *a, struct buf *out)
{
	if ((a->mask & S_ITEMS) != 0)
		buf_u8(out, ']');
	put_units(a, &a->stream[a->at], out);
	if (a->single)
		put_exception(a, out);
	buf_u8(out, '}');
	a->open = false;
	a->at++;
}

/* Values until the piece or the stream is full; true: the stream ends. */
static bool
stream_values(struct answer *a, struct buf *out, size_t full)
{
	struct mock_event ev;
	size_t at;

	while (a->left > 0 && a->written < a->stop_after &&
	    out->len < full) {
		if (!mock_series_next(&a->series, &ev))
			return (true);
		at = out->len;
		mock_values_put(&a->values, &ev, out);
		if (a->first && out->error == 0) {
			/* Its comma is one too many. */
			memmove(out->data + at, out->data + at + 1,
			    out->len - at - 1);
			out->len--;
			a->first = false;
		}
		a->left--;
		a->written++;
	}
	return (a->left == 0 || a->written >= a->stop_after ||
	    out->error != 0);
}

static bool
recorded_more(struct mock_resp *r, struct buf *out)
{
	struct answer *a = r->state;
	size_t full = out->len + MOCK_PIECE;

	while (out->len < full && out->error == 0) {
		if (a->at == a->n || (!a->open && !a->single &&
		    a->written >= a->stop_after)) {
			if (!a->single) {
				buf_u8(out, ']');
				put_exception(a, out);
				buf_u8(out, '}');
			}
			r->items = a->written;
			return (false);
		}
		if (!a->open) {
			if (a->at > 0)
				buf_u8(out, ',');
			stream_open(a, out);
		}
		if (stream_values(a, out, full))
			stream_close(a, out);
	}
	return (out->error == 0);
}

/* Half of what would be written, for the fault of that name. */
static uint64_t
half(struct answer *a)
{
	struct mock_series s;
	struct mock_event ev;
	uint64_t n = 0;
	uint32_t left = a->max;

	for (size_t i = 0; i < a->n; i++) {
		if (!a->req->opt->set_total || a->single)
			left = a->max;
		mock_series_init(&s, a->req->world, a->stream[i].tag,
		    a->from, a->to, a->req->now);
		for (; left > 0 && mock_series_next(&s, &ev); left--)
			n++;
	}
	return (n / 2);
}

/* --- preparing ------------------------------------------------------------ */

static struct answer *
answer_new(struct mock_req *req, struct mock_resp *r, bool single)
{
	struct answer *a = must_calloc(1, sizeof(*a));
	const struct mock_sel *sel = mock_sel_parse(req->arena,
	    mock_req_param(req, "selectedFields"));

	r->state = a;
	r->state_free = free;
	a->req = req;
	a->single = single;
	a->stop_after = UINT64_MAX;
	a->view.world = req->world;
	a->view.base = req->base;
	a->view.webid_kind = 'F';
	a->sel = single ? sel : mock_sel_get(sel, "Items");
	a->exception = mock_sel_get(sel, "WebException") != NULL;
	a->root_links = mock_sel_get(sel, "Links") != NULL;
	a->mask = mock_sel_mask(a->sel, STREAM, 6);
	mock_values_init(&a->values, mock_sel_get(a->sel, "Items"));
	return (a);
}

static bool
boundary_ok(const struct mock_req *req, struct mock_resp *r)
{
	const char *b = mock_req_param(req, "boundaryType");

	if (b == NULL || *b == '\0' || strcasecmp(b, "Inside") == 0)
		return (true);
	if (strcasecmp(b, "Outside") == 0 ||
	    strcasecmp(b, "Interpolated") == 0)
		mock_resp_error(r, 501, "garner-mock has no boundaryType "
		    "'%s'.", b);
	else
		mock_resp_error(r, 400, "Parameter 'boundaryType' has the "
		    "unknown value '%s'.", b);
	return (false);
}

static bool
range(struct mock_req *req, struct mock_resp *r, struct answer *a)
{
	uint32_t asked;

	return (boundary_ok(req, r) &&
	    mock_req_time(req, r, "startTime", "*-1d", &a->from) &&
	    mock_req_time(req, r, "endTime", "*", &a->to) &&
	    mock_req_count(req, r, &asked, &a->max));
}

static void
set_open(const struct answer *a, struct buf *out)
{
	buf_puts(out, a->root_links ? "{\"Links\":{},\"Items\":[" :
	    "{\"Items\":[");
}

static void
recorded_start(struct answer *a, struct mock_resp *r)
{
	a->left = a->max;
	if (r->broken)
		a->stop_after = half(a);
	if (!a->single && a->sel == NULL) {
		/* Nothing of the streams was asked for. */
		buf_puts(&r->body, a->root_links ? "{\"Links\":{}}" : "{}");
		return;
	}
	if (!a->single)
		set_open(a, &r->body);
	r->more = recorded_more;
}

void
mock_stream_recorded(struct mock_req *req, struct mock_resp *r)
{
	struct answer *a = answer_new(req, r, true);

	a->stream = arena_alloc(req->arena, sizeof(*a->stream));
	a->n = 1;
	if (!resolve(req, r, req->seg[1], true, a->stream) ||
	    !range(req, r, a))
		return;
	recorded_start(a, r);
}

void
mock_set_recorded(struct mock_req *req, struct mock_resp *r)
{
	struct answer *a = answer_new(req, r, false);

	if (!mock_req_webid_kind(req, r, &a->view.webid_kind) ||
	    !resolve_set(req, r, true, a) || !range(req, r, a))
		return;
	r->delay_ms += (int64_t)a->n * req->opt->set_cost_ms;
	recorded_start(a, r);
}

/* --- one value ------------------------------------------------------------ */

struct when {
	int64_t from;		/* backwards when after `to` */
	int64_t to;
	int64_t asked;
};

/* The first event of the range, or the state No Data. */
static void
find_event(const struct mock_req *req, const struct stream *s,
    const struct when *when, struct mock_event *ev)
{
	struct mock_series series;

	memset(ev, 0, sizeof(*ev));
	if (s->tag == MOCK_NONE) {	/* static: no time, a text */
		ev->type = MOCK_TEXT;
		ev->text = "SN-1";
		ev->flags = MOCK_GOOD;
		return;
	}
	mock_series_init(&series, req->world, s->tag, when->from, when->to,
	    req->now);
	if (mock_series_next(&series, ev))
		return;
	ev->t = when->asked;
	ev->type = MOCK_STATE;
	ev->text = "No Data";
	ev->number = 248;
	ev->is_system = true;
	ev->flags = 0;
}

static void
put_event(struct answer *a, const struct stream *s, const struct when *when,
    struct buf *out)
{
	struct mock_event ev;
	size_t at = out->len;

	find_event(a->req, s, when, &ev);
	mock_values_units(&a->values, units_of(a, s));
	mock_values_put(&a->values, &ev, out);
	if (out->error != 0)
		return;
	memmove(out->data + at, out->data + at + 1, out->len - at - 1);
	out->len--;
	a->written++;
}

static void
value_single(struct mock_req *req, struct mock_resp *r, bool archive,
    const struct when *when)
{
	struct answer *a = answer_new(req, r, true);
	struct stream s;

	if (!resolve(req, r, req->seg[1], archive, &s))
		return;
	mock_values_init(&a->values, a->sel);
	put_event(a, &s, when, &r->body);
	r->items = 1;
}

/* `items`: in the shape of recorded values, else as a Value. */
static void
value_set(struct mock_req *req, struct mock_resp *r, bool items,
    const struct when *when)
{
	struct answer *a = answer_new(req, r, false);
	const char *key = items ? "Items" : "Value";
	struct buf *out = &r->body;

	if (!mock_req_webid_kind(req, r, &a->view.webid_kind) ||
	    !resolve_set(req, r, items, a))
		return;
	mock_values_init(&a->values, mock_sel_get(a->sel, key));
	set_open(a, out);
	for (size_t i = 0; i < a->n; i++) {
		if (i > 0)
			buf_u8(out, ',');
		put_head(a, &a->stream[i], out);
		if (mock_sel_get(a->sel, key) != NULL) {
			comma(out);
			buf_printf(out, "\"%s\":%s", key, items ? "[" : "");
			put_event(a, &a->stream[i], when, out);
			buf_puts(out, items ? "]" : "");
		}
		if (items)
			put_units(a, &a->stream[i], out);
		buf_u8(out, '}');
	}
	buf_puts(out, "]}");
	r->items = a->n;
}

/* false: the answer is an error. */
static bool
value_time(struct mock_req *req, struct mock_resp *r, struct when *when)
{
	if (!mock_req_time(req, r, "time", "*", &when->asked))
		return (false);
	when->from = when->asked > req->now ? req->now : when->asked;
	when->to = TICKS_MIN - 1;
	return (true);
}

void
mock_stream_value(struct mock_req *req, struct mock_resp *r)
{
	struct when when;

	if (value_time(req, r, &when))
		value_single(req, r, false, &when);
}

void
mock_set_value(struct mock_req *req, struct mock_resp *r)
{
	struct when when;

	if (value_time(req, r, &when))
		value_set(req, r, false, &when);
}

void
mock_stream_end(struct mock_req *req, struct mock_resp *r)
{
	struct when when = { req->now, TICKS_MIN - 1, req->now };

	value_single(req, r, false, &when);
}

void
mock_set_end(struct mock_req *req, struct mock_resp *r)
{
	struct when when = { req->now, TICKS_MIN - 1, req->now };

	value_set(req, r, true, &when);
}

/* time, retrievalMode -> a range whose first event is the answer. */
static bool
retrieval(struct mock_req *req, struct mock_resp *r, struct when *w)
{
	static const char *const modes[] = { "Auto", "AtOrBefore", "Before",
		"AtOrAfter", "After", "Exact" };
	const char *mode = mock_req_param(req, "retrievalMode");
	size_t i = 0;

	if (mock_req_param(req, "time") == NULL) {
		mock_resp_error(r, 400, "Parameter 'time' is required.");
		return (false);
	}
	if (!mock_req_time(req, r, "time", "*", &w->asked))
		return (false);
	while (mode != NULL && i < 6 && strcasecmp(mode, modes[i]) != 0)
		i++;
	w->from = w->to = w->asked;
	switch (i) {
	case 0:
	case 1:
		w->to = TICKS_MIN - 1;
		break;
	case 2:
		w->from--;
		w->to = TICKS_MIN - 2;
		break;
	case 3:
		w->to = TICKS_MAX;
		break;
	case 4:
		w->from++;
		w->to = TICKS_MAX;
		break;
	case 5:
		break;
	default:
		mock_resp_error(r, 400, "Parameter 'retrievalMode' has the "
		    "unknown value '%s'.", mode);
		return (false);
	}
	return (true);
}

void
mock_stream_recorded_at(struct mock_req *req, struct mock_resp *r)
{
	struct when when;

	if (retrieval(req, r, &when))
		value_single(req, r, true, &when);
}

void
mock_set_recorded_at(struct mock_req *req, struct mock_resp *r)
{
	struct when when;

	if (retrieval(req, r, &when))
		value_set(req, r, false, &when);
}
