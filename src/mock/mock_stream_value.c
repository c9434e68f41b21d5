/*
 * One value of each stream: at a time, near a time, the last one. It is the
 * first event of a range, which often goes backwards.
 */

#include "config.h"

#include <string.h>
#include <strings.h>

#include "base/ticks.h"
#include "mock/mock_stream_int.h"

struct when {
	int64_t from;		/* backwards when after `to` */
	int64_t to;
	int64_t asked;
};

/* The first event of the range, or the state No Data. */
static void
find_event(const struct mock_req *req, const struct mock_stream *s,
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
put_event(struct mock_answer *a, const struct mock_stream *s,
    const struct when *when, struct buf *out)
{
	struct mock_event ev;
	size_t at = out->len;

	find_event(a->req, s, when, &ev);
	mock_values_units(&a->values, mock_stream_units(a, s));
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
	struct mock_answer *a = mock_stream_answer(req, r, true);
	struct mock_stream s;

	if (!mock_stream_resolve(req, r, req->seg[1], archive, &s))
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
	struct mock_answer *a = mock_stream_answer(req, r, false);
	const char *key = items ? "Items" : "Value";
	struct buf *out = &r->body;

	if (!mock_req_webid_kind(req, r, &a->view.webid_kind) ||
	    !mock_stream_resolve_set(req, r, items, a))
		return;
	mock_values_init(&a->values, mock_sel_get(a->sel, key));
	mock_stream_set_open(a, out);
	for (size_t i = 0; i < a->n; i++) {
		if (i > 0)
			buf_u8(out, ',');
		mock_stream_put_head(a, &a->stream[i], out);
		if (mock_sel_get(a->sel, key) != NULL) {
			mock_stream_comma(out);
			buf_printf(out, "\"%s\":%s", key, items ? "[" : "");
			put_event(a, &a->stream[i], when, out);
			buf_puts(out, items ? "]" : "");
		}
		if (items)
			mock_stream_put_units(a, &a->stream[i], out);
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
