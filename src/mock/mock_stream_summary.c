/*
 * Summaries of streams: how many events there are in a range, or in each
 * interval of it. No other summary is made, and none that is weighted by
 * time: of Count that would be a duration.
 *
 * Whether events at the ends of an interval belong to it is as AF SDK tells
 * it (AFCalculationBasis): both do when there is one interval; of several
 * only those at its beginning, in the direction of time that was asked for.
 * What it does not tell is whether bad values count; here they do.
 */

#include "config.h"

#include <string.h>
#include <strings.h>

#include "base/arena.h"
#include "base/text.h"
#include "base/ticks.h"
#include "mock/mock_options.h"
#include "mock/mock_stream_int.h"

enum ends { BY_DIRECTION, NOT_LATEST, NOT_EARLIEST, BOTH };

struct summary {
	int64_t from;			/* the earlier one */
	int64_t to;
	bool down;
	int64_t duration;		/* of an interval, ticks */
	uint64_t intervals;		/* of each stream */
	enum ends ends;
	bool latest;			/* time of a value: the end's */
	const struct mock_sel *sel;	/* of an item */
};

/* --- what is asked for ---------------------------------------------------- */

static bool
unknown(struct mock_resp *r, const char *name, const char *value)
{
	mock_resp_error(r, 400, "Parameter '%s' has the unknown value '%s'.",
	    name, value);
	return (false);
}

static bool
not_made(struct mock_resp *r, const char *name, const char *value)
{
	mock_resp_error(r, 501, "garner-mock has no %s '%s'.", name, value);
	return (false);
}

/* The index of text in words[n], or n. */
static size_t
index_of(const char *text, const char *const *words, size_t n)
{
	size_t i = 0;

	while (i < n && strcasecmp(text, words[i]) != 0)
		i++;
	return (i);
}

static const char *
param_or(const struct mock_req *req, const char *name, const char *def)
{
	const char *text = mock_req_param(req, name);

	return (text == NULL || *text == '\0' ? def : text);
}

static bool
type_ok(struct mock_resp *r, const char *type)
{
	static const char *const known[] = { "Count", "Total", "Average",
		"Minimum", "Maximum", "Range", "StdDev", "PopulationStdDev",
		"PercentGood", "TotalWithUOM", "All", "AllForNonNumeric" };
	const size_t n = sizeof(known) / sizeof(known[0]);
	size_t i = index_of(type, known, n);

	if (i == n)
		return (unknown(r, "summaryType", type));
	return (i == 0 || not_made(r, "summaryType", type));
}

/* All of them; Count twice is one. */
static bool
types_ok(const struct mock_req *req, struct mock_resp *r)
{
	bool any = false;

	for (size_t i = 0; i < req->params; i++) {
		if (strcasecmp(req->param[i].name, "summaryType") != 0)
			continue;
		any = true;
		if (!type_ok(r, req->param[i].value))
			return (false);
	}
	return (any || type_ok(r, "Total"));
}

static bool
basis(const struct mock_req *req, struct mock_resp *r, struct summary *s)
{
	static const char *const known[] = {
		[BY_DIRECTION] = "EventWeighted",
		[NOT_LATEST] = "EventWeightedExcludeMostRecentEvent",
		[NOT_EARLIEST] = "EventWeightedExcludeEarliestEvent",
		[BOTH] = "EventWeightedIncludeBothEnds",
		"TimeWeighted", "TimeWeightedContinuous",
		"TimeWeightedDiscrete" };
	const size_t n = sizeof(known) / sizeof(known[0]);
	const char *text = param_or(req, "calculationBasis", "TimeWeighted");
	size_t i = index_of(text, known, n);

	if (i == n)
		return (unknown(r, "calculationBasis", text));
	if (i > BOTH)
		return (not_made(r, "Count by calculationBasis", text));
	s->ends = (enum ends)i;
	return (true);
}

static bool
time_type(const struct mock_req *req, struct mock_resp *r, struct summary *s)
{
	static const char *const known[] = { "Auto", "EarliestTime",
		"MostRecentTime" };
	const char *text = param_or(req, "timeType", "Auto");
	size_t i = index_of(text, known, 3);

	s->latest = i == 2;
	return (i < 3 || unknown(r, "timeType", text));
}

static bool
range(struct mock_req *req, struct mock_resp *r, struct summary *s)
{
	int64_t a, b;

	if (!mock_req_time(req, r, "startTime", "*-1d", &a) ||
	    !mock_req_time(req, r, "endTime", "*", &b))
		return (false);
	s->down = a > b;
	s->from = s->down ? b : a;
	s->to = s->down ? a : b;
	return (true);
}

static bool
intervals(struct mock_req *req, struct mock_resp *r, struct summary *s)
{
	const char *text = param_or(req, "summaryDuration", NULL);
	int64_t ms;

	s->duration = s->to - s->from;
	s->intervals = 1;
	if (text == NULL)
		return (true);
	if (text_duration_ms(text, 1, INT64_MAX / TICKS_PER_MS, &ms) != 0) {
		mock_resp_error(r, 400, "Parameter 'summaryDuration' cannot be "
		    "read: '%s'.", text);
		return (false);
	}
	if (ms * TICKS_PER_MS >= s->duration)
		return (true);
	s->intervals = (uint64_t)((s->duration - 1) / (ms * TICKS_PER_MS)) + 1;
	s->duration = ms * TICKS_PER_MS;
	if (s->intervals <= req->opt->max_count)
		return (true);
	mock_resp_error(r, 400, "Parameter 'timeRange / intervals' is greater "
	    "than the maximum allowed (%u).", req->opt->max_count);
	return (false);
}

static bool
asked(struct mock_req *req, struct mock_resp *r, struct summary *s)
{
	const char *filter = param_or(req, "filterExpression", NULL);

	memset(s, 0, sizeof(*s));
	if (filter != NULL)
		return (not_made(r, "filterExpression", filter));
	return (types_ok(req, r) && basis(req, r, s) &&
	    time_type(req, r, s) && range(req, r, s) &&
	    intervals(req, r, s));
}

/* --- counting ------------------------------------------------------------- */

static int64_t
count(const struct mock_answer *a, const struct mock_stream *stream,
    int64_t from, int64_t to)
{
	struct mock_series series;
	struct mock_event ev;
	int64_t n = 0;

	if (from > to)		/* it would go backwards */
		return (0);
	mock_series_init(&series, a->req->world, stream->tag, from, to,
	    a->req->now);
	while (mock_series_next(&series, &ev))
		n++;
	return (n);
}

/* {"Type":"Count","Value":{...}} of interval i, in the order of time. */
static void
put_item(struct mock_answer *a, const struct summary *s,
    const struct mock_stream *stream, uint64_t i, struct buf *out)
{
	int64_t from = s->from + (int64_t)i * s->duration;
	int64_t to = i == s->intervals - 1 ? s->to : from + s->duration;
	bool several = s->intervals > 1;
	struct mock_event ev = { .t = s->latest ? to : from,
		.type = MOCK_INTEGER, .flags = MOCK_GOOD };
	size_t at;

	if (several && (s->ends == NOT_EARLIEST ||
	    (s->ends == BY_DIRECTION && s->down)))
		from++;
	if (several && (s->ends == NOT_LATEST ||
	    (s->ends == BY_DIRECTION && !s->down)))
		to--;
	buf_u8(out, '{');
	if (mock_sel_get(s->sel, "Type") != NULL)
		buf_puts(out, "\"Type\":\"Count\"");
	if (mock_sel_get(s->sel, "Value") != NULL) {
		ev.number = count(a, stream, from, to);
		mock_stream_comma(out);
		buf_puts(out, "\"Value\":");
		at = out->len;
		mock_values_put(&a->values, &ev, out);
		if (out->error == 0) {	/* its comma is one too many */
			memmove(out->data + at, out->data + at + 1,
			    out->len - at - 1);
			out->len--;
		}
	}
	buf_u8(out, '}');
	a->written++;
}

static void
put_items(struct mock_answer *a, const struct summary *s,
    const struct mock_stream *stream, struct buf *out)
{
	if ((a->mask & MOCK_S_ITEMS) == 0)
		return;
	mock_stream_comma(out);
	buf_puts(out, "\"Items\":[");
	for (uint64_t i = 0; i < s->intervals; i++) {
		if (i > 0)
			buf_u8(out, ',');
		put_item(a, s, stream, s->down ? s->intervals - 1 - i : i,
		    out);
	}
	buf_u8(out, ']');
}

static void
select_values(struct mock_answer *a, struct summary *s)
{
	s->sel = mock_sel_get(a->sel, "Items");
	mock_values_init(&a->values, mock_sel_get(s->sel, "Value"));
	mock_values_units(&a->values, "");
}

void
mock_stream_summary(struct mock_req *req, struct mock_resp *r)
{
	struct mock_answer *a = mock_stream_answer(req, r, true);
	struct mock_stream stream;
	struct summary s;

	if (!mock_stream_resolve(req, r, req->seg[1], true, &stream) ||
	    !asked(req, r, &s))
		return;
	select_values(a, &s);
	buf_u8(&r->body, '{');
	if ((a->mask & MOCK_S_LINKS) != 0)
		buf_puts(&r->body, "\"Links\":{}");
	put_items(a, &s, &stream, &r->body);
	buf_u8(&r->body, '}');
	r->items = a->written;
}

void
mock_set_summary(struct mock_req *req, struct mock_resp *r)
{
	struct mock_answer *a = mock_stream_answer(req, r, false);
	struct buf *out = &r->body;
	struct summary s;

	if (!mock_req_webid_kind(req, r, &a->view.webid_kind) ||
	    !mock_stream_resolve_set(req, r, true, a) || !asked(req, r, &s))
		return;
	r->delay_ms += (int64_t)a->n * req->opt->set_cost_ms;
	select_values(a, &s);
	mock_stream_set_open(a, out);
	for (size_t i = 0; i < a->n; i++) {
		if (i > 0)
			buf_u8(out, ',');
		mock_stream_put_head(a, &a->stream[i], out);
		put_items(a, &s, &a->stream[i], out);
		buf_u8(out, '}');
	}
	buf_puts(out, "]}");
	r->items = a->written;
}
