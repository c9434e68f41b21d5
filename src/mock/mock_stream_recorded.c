/*
 * Recorded values of a stream or of a stream set.
 *
 * The answer is a machine that writes heads, values and tails into pieces:
 * it holds one series iterator, whatever the number of values.
 */

#include "config.h"

#include <string.h>
#include <strings.h>

#include "base/arena.h"
#include "base/ticks.h"
#include "mock/mock_options.h"
#include "mock/mock_stream_int.h"

/* --- writing -------------------------------------------------------------- */

static void
put_exception(struct mock_answer *a, struct buf *out)
{
	if (a->stop_after == UINT64_MAX || !a->exception)
		return;
	mock_stream_comma(out);
	buf_puts(out, "\"WebException\":{\"Errors\":[\"An exception occurred "
	    "while the response was written.\"],\"StatusCode\":500}");
}

static void
stream_open(struct mock_answer *a, struct buf *out)
{
	const struct mock_stream *s = &a->stream[a->at];

	if (a->single)
		buf_u8(out, '{');
	else
		mock_stream_put_head(a, s, out);
	if (!a->req->opt->set_total || a->single)
		a->left = a->max;
	a->first = true;
	a->open = true;
	if ((a->mask & MOCK_S_ITEMS) == 0) {
		a->series.done = true;
		return;
	}
	mock_stream_comma(out);
	if (a->single && (a->mask & MOCK_S_LINKS) != 0)
		buf_puts(out, "\"Links\":{},");
	buf_puts(out, "\"Items\":[");
	mock_values_units(&a->values, mock_stream_units(a, s));
	mock_series_init(&a->series, a->req->world, s->tag, a->from, a->to,
	    a->req->now);
}

static void
stream_close(struct mock_answer *a, struct buf *out)
{
	if ((a->mask & MOCK_S_ITEMS) != 0)
		buf_u8(out, ']');
	mock_stream_put_units(a, &a->stream[a->at], out);
	if (a->single)
		put_exception(a, out);
	buf_u8(out, '}');
	a->open = false;
	a->at++;
}

/* Values until the piece or the stream is full; true: the stream ends. */
static bool
stream_values(struct mock_answer *a, struct buf *out, size_t full)
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
	struct mock_answer *a = r->state;
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
half(struct mock_answer *a)
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
range(struct mock_req *req, struct mock_resp *r, struct mock_answer *a)
{
	uint32_t asked;

	return (boundary_ok(req, r) &&
	    mock_req_time(req, r, "startTime", "*-1d", &a->from) &&
	    mock_req_time(req, r, "endTime", "*", &a->to) &&
	    mock_req_count(req, r, &asked, &a->max));
}

/* Not said from the clock. */
static bool
is_absolute(const struct mock_req *req, const char *name)
{
	const char *text = mock_req_param(req, name);
	int64_t t;

	return (text != NULL && ticks_parse(text, strlen(text), &t) == 0);
}

static void
recorded_start(struct mock_answer *a, struct mock_resp *r)
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
		mock_stream_set_open(a, &r->body);
	r->more = recorded_more;
	if (is_absolute(a->req, "startTime") &&
	    is_absolute(a->req, "endTime"))
		r->settled = a->from > a->to ? a->from : a->to;
}

void
mock_stream_recorded(struct mock_req *req, struct mock_resp *r)
{
	struct mock_answer *a = mock_stream_answer(req, r, true);

	a->stream = arena_alloc(req->arena, sizeof(*a->stream));
	a->n = 1;
	if (!mock_stream_resolve(req, r, req->seg[1], true, a->stream) ||
	    !range(req, r, a))
		return;
	recorded_start(a, r);
}

void
mock_set_recorded(struct mock_req *req, struct mock_resp *r)
{
	struct mock_answer *a = mock_stream_answer(req, r, false);

	if (!mock_req_webid_kind(req, r, &a->view.webid_kind) ||
	    !mock_stream_resolve_set(req, r, true, a) || !range(req, r, a))
		return;
	r->delay_ms += (int64_t)a->n * req->opt->set_cost_ms;
	recorded_start(a, r);
}
