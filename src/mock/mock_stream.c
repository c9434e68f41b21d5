/*
 * Streams and stream sets: which streams, and the frames around their
 * values.
 *
 * A set is the list of its streams, each once, in an order that is not the
 * request's; a single stream is a set of one without the frame around it.
 *
 * One bad WebID fails the whole call, as on the real server.
 */

#include "config.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/arena.h"
#include "base/hash.h"
#include "base/must.h"
#include "codec/json.h"
#include "mock/mock_stream_int.h"

static const struct mock_field STREAM[] = {
	{ "WebId", NULL }, { "Name", NULL }, { "Path", NULL },
	{ "Links", NULL }, { "Items", NULL }, { "UnitsAbbreviation", NULL },
	{ "Value", NULL },
};

/* --- which streams -------------------------------------------------------- */

/* Static attributes have no archive: 409 for what reads one. */
bool
mock_stream_resolve(const struct mock_req *req, struct mock_resp *r,
    const char *webid, bool archive, struct mock_stream *s)
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
	const struct mock_stream *x = a, *y = b;

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

bool
mock_stream_resolve_set(const struct mock_req *req, struct mock_resp *r,
    bool archive, struct mock_answer *a)
{
	const char *field = mock_req_param(req, "sortField");
	bool by_name = field != NULL && strcasecmp(field, "Name") == 0;
	size_t n = 0, out = 0;

	a->stream = arena_alloc(req->arena, (req->params + 1) *
	    sizeof(*a->stream));
	for (size_t i = 0; i < req->params; i++) {
		if (strcasecmp(req->param[i].name, "webId") != 0)
			continue;
		if (!mock_stream_resolve(req, r, req->param[i].value, archive,
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

/* --- their frames --------------------------------------------------------- */

const char *
mock_stream_units(const struct mock_answer *a, const struct mock_stream *s)
{
	struct mock_tag tag;

	if (s->tag == MOCK_NONE)
		return ("");
	mock_tag_get(a->req->world, s->tag, &tag);
	return (tag.units);
}

void
mock_stream_put_head(struct mock_answer *a, const struct mock_stream *s,
    struct buf *out)
{
	const char *name = stream_name(a->req, s->obj);
	struct buf path;
	size_t at = out->len;

	if ((a->mask & MOCK_S_WEBID) != 0) {
		buf_puts(out, ",\"WebId\":");
		mock_put_webid(out, &a->view, s->obj);
	}
	if ((a->mask & MOCK_S_NAME) != 0) {
		buf_puts(out, ",\"Name\":");
		json_put_str(out, name, strlen(name));
	}
	if ((a->mask & MOCK_S_PATH) != 0) {
		buf_init(&path, 1 << 16);
		mock_path_put(&path, a->req->world, s->obj);
		buf_puts(out, ",\"Path\":");
		json_put_str(out, (char *)path.data, path.len);
		buf_fini(&path);
	}
	if ((a->mask & MOCK_S_LINKS) != 0) {
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

void
mock_stream_comma(struct buf *out)
{
	if (out->error == 0 && out->len > 0 &&
	    strchr("{[", out->data[out->len - 1]) == NULL)
		buf_u8(out, ',');
}

void
mock_stream_put_units(struct mock_answer *a, const struct mock_stream *s,
    struct buf *out)
{
	if ((a->mask & MOCK_S_UNITS) == 0)
		return;
	mock_stream_comma(out);
	buf_printf(out, "\"UnitsAbbreviation\":\"%s\"",
	    mock_stream_units(a, s));
}

void
mock_stream_set_open(const struct mock_answer *a, struct buf *out)
{
	buf_puts(out, a->root_links ? "{\"Links\":{},\"Items\":[" :
	    "{\"Items\":[");
}

struct mock_answer *
mock_stream_answer(struct mock_req *req, struct mock_resp *r, bool single)
{
	struct mock_answer *a = must_calloc(1, sizeof(*a));
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
