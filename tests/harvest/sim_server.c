/*
 * The server: a path and a query in, an answer out, by the truth as it is at
 * its clock. And the transport in front of it, which takes its time.
 */

#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/must.h"
#include "base/text.h"
#include "codec/json.h"
#include "fetch/fetch.h"
#include "loop/loop.h"
#include "sim.h"

#define SERVER "I1DSOywdb1lKd0iaCxEiM0RVZg"

/* "/streams/X/recorded": the X. */
static bool
path_is(const struct sim_ask *q, const char *head, const char *tail,
    const char **name, size_t *len)
{
	size_t h = strlen(head), t = strlen(tail);

	if (q->path_len < h + t || memcmp(q->path, head, h) != 0 ||
	    memcmp(q->path + q->path_len - t, tail, t) != 0)
		return (false);
	*name = q->path + h;
	*len = q->path_len - h - t;
	return (memchr(*name, '/', *len) == NULL);
}

/* --- answers -------------------------------------------------------------- */

struct answer {
	struct sim *s;
	struct fetch_transfer *t;
	struct buf *out;
	int64_t now;
	enum sim_fault fault;
	uint32_t victim;	/* stream of the answer that is spoilt */
};

static void
refuse(struct answer *a, int status, const char *why)
{

	a->t->status = status;
	buf_clear(a->out);
	buf_printf(a->out, "{\"Errors\":[\"%s\"]}", why);
}

static bool
over_cap(struct answer *a, uint64_t count)
{
	char text[120];

	if (count <= a->s->cap)
		return (false);
	snprintf(text, sizeof(text), "Parameter 'maxCount' is greater than "
	    "the maximum allowed (%u).", a->s->cap);
	refuse(a, 400, text);
	return (true);
}

static void
answer_clock(struct answer *a)
{
	char text[TICKS_TEXT_MAX];

	a->s->x->to = a->now;
	buf_printf(a->out, "{\"State\":\"Running\",\"ServerTime\":\"%s\"}",
	    ticks_text7(a->now, text));
}

static void
answer_servers(struct answer *a)
{

	buf_puts(a->out, "{\"Items\":[{\"WebId\":\"" SERVER "\","
	    "\"Name\":\"PISRV1\",\"IsConnected\":true}]}");
}

static void
answer_points(struct answer *a, const struct sim_ask *q)
{
	const struct sim_stream *st;
	uint32_t i, at = 0, n = 0;

	if (over_cap(a, q->count))
		return;
	buf_puts(a->out, "{\"Links\":{},\"Items\":[");
	for (i = 0; i < a->s->n; i++) {
		st = &a->s->s[i];
		if (!st->there || a->now < st->listed_from ||
		    a->now >= st->listed_to || at++ < q->start ||
		    n >= q->count)
			continue;
		buf_printf(a->out, "%s{\"WebId\":\"%s\",\"Id\":%u,"
		    "\"Name\":\"%s\",\"PointType\":\"Float32\"}",
		    n++ > 0 ? "," : "", i % 3 == 0 ? st->full : st->webid,
		    i + 1, st->name);
	}
	buf_puts(a->out, "]}");
}

/* --- values --------------------------------------------------------------- */

static void
put_value(struct buf *out, const struct sim_event *e)
{

	switch (e->form) {
	case 0:
		buf_printf(out, "%u.5", e->serial);
		break;
	case 1:
		buf_printf(out, "\"t%u\"", e->serial);
		break;
	case 2:
		buf_printf(out, "{\"Name\":\"S%u\",\"Value\":%u,"
		    "\"IsSystem\":%s}", e->serial, e->serial % 320,
		    e->serial % 2 ? "true" : "false");
		break;
	default:
		buf_printf(out, "%u", e->serial);
	}
}

static void
put_event(struct answer *a, const struct sim_event *e, bool bad)
{
	char text[TICKS_TEXT_MAX];
	struct buf *out = a->out;
	bool swap = sim_has(a->s, SIM_ODD) && e->serial % 7 == 0 && !bad;

	if (swap) {
		buf_puts(out, "{\"Value\":");
		put_value(out, e);
		buf_puts(out, ",\"Errors\":null");
	}
	buf_printf(out, "%s\"Timestamp\":\"%s\"", swap ? "," : "{",
	    e->seven ? ticks_text7(e->t, text) : ticks_text(e->t, text));
	if (!swap) {
		buf_puts(out, ",\"Value\":");
		if (bad)	/* whoever takes it has a wrong one */
			buf_puts(out, "0.25");
		else
			put_value(out, e);
	}
	buf_printf(out, ",\"Good\":%s", e->serial % 5 ? "true" : "false");
	if (bad)
		buf_puts(out, ",\"Errors\":[{\"FieldName\":\"Value\","
		    "\"Message\":[\"it failed\"]}]");
	buf_u8(out, '}');
}

/* Which events of a stream are sent, by index; at most q->count. */
struct page {
	struct sim_stream *st;
	const struct sim_event **e;
	uint32_t n;
};

static void
page_fill(struct answer *a, const struct sim_ask *q, struct sim_stream *st,
    struct page *p)
{
	const struct sim_event *e = st->e, *end = st->e + st->n;
	uint32_t lo = 0, hi = st->n, mid;

	p->st = st;
	p->e = must_calloc(st->n + 1, sizeof(p->e[0]));
	while (lo < hi) {
		mid = (lo + hi) / 2;
		if (st->e[mid].t < q->a)
			lo = mid + 1;
		else
			hi = mid;
	}
	/* Both ends are in it. */
	for (e += lo; e < end && e->t <= q->b && p->n < q->count; e++)
		if (sim_alive(e, a->now))
			p->e[p->n++] = e;
}

/* The reading of maxCount that counts the whole set. */
static void
pages_total(struct answer *a, const struct sim_ask *q, struct page *p, uint32_t n)
{
	uint32_t i, left = q->count, best, taken[SIM_STREAMS] = { 0 };

	for (i = 0; i < n && !a->s->by_time; i++) {
		if (p[i].n > left)
			p[i].n = left;
		left -= p[i].n;
	}
	for (; a->s->by_time && left > 0; left--) {
		best = n;
		for (i = 0; i < n; i++)
			if (taken[i] < p[i].n && (best == n ||
			    p[i].e[taken[i]]->t < p[best].e[taken[best]]->t))
				best = i;
		if (best == n)
			return;
		taken[best]++;
	}
	for (i = 0; i < n && a->s->by_time; i++)
		p[i].n = taken[i];
}

static void
put_items(struct answer *a, const struct page *p, bool spoilt)
{
	uint32_t i, n = p->n;
	bool down;

	if (spoilt && a->fault == SIM_HALF)
		n /= 2;
	/* Of one time they would just be in another order. */
	down = spoilt && a->fault == SIM_DESCENDING && n > 1 &&
	    p->e[0]->t != p->e[n - 1]->t;
	buf_puts(a->out, "\"Items\":[");
	for (i = 0; i < n; i++) {
		if (i > 0)
			buf_u8(a->out, ',');
		put_event(a, p->e[down ? n - 1 - i : i], spoilt &&
		    a->fault == SIM_ITEM_ERRORS && i == n / 2);
	}
	buf_u8(a->out, ']');
	if (spoilt && a->fault == SIM_HALF)
		buf_puts(a->out, ",\"WebException\":{\"Errors\":[\"Lost it\"]"
		    ",\"StatusCode\":500}");
	else if (sim_has(a->s, SIM_ODD) && p->n % 3 == 0)
		buf_puts(a->out, ",\"WebException\":null");
}

static void
put_entry(struct answer *a, const struct page *p, bool spoilt)
{
	const struct sim_stream *st = p->st;
	bool broken = sim_stream_broken(st, a->now);

	buf_printf(a->out, "{\"WebId\":\"%s\",\"Name\":\"%s\",",
	    a->s->echo_full ? st->full : st->webid, st->name);
	if (broken && st->how == SIM_INSIDE)
		buf_puts(a->out, "\"Items\":[],\"Errors\":[\"No such "
		    "point\"]");
	else if (broken && st->how == SIM_EXCEPTION)
		buf_puts(a->out, "\"Items\":[],\"WebException\":{\"Errors\":"
		    "[\"No point\"],\"StatusCode\":500}");
	else if (p->n == 0 && sim_has(a->s, SIM_ODD) && !spoilt)
		buf_puts(a->out, "\"Items\":null");
	else
		put_items(a, p, spoilt);
	buf_puts(a->out, ",\"UnitsAbbreviation\":\"\"}");
}

/* In an order of the server's own. */
static void
shuffle(struct answer *a, struct page *p, uint32_t n)
{
	struct page x;
	uint32_t i, k;

	for (i = n; sim_has(a->s, SIM_ODD) && i > 1; i--) {
		k = (uint32_t)(hash_mix((uint64_t)a->now + i) % i);
		x = p[i - 1];
		p[i - 1] = p[k];
		p[k] = x;
	}
}

static void
spoil_whole(struct answer *a)
{
	struct buf *out = a->out;

	if (a->fault == SIM_TOP_EXCEPTION) {
		out->len--;
		buf_puts(out, ",\"WebException\":{\"Errors\":[\"Lost it\"],"
		    "\"StatusCode\":500}}");
	}
	if (a->fault == SIM_CUT)
		out->len = rng_below(&a->s->x->faults, out->len);
}

static void
answer_set(struct answer *a, const struct sim_ask *q)
{
	static struct sim_stream stranger = {
		.webid = "I1DPOywdb1lKd0iaCxEiM0RVZg__8AAA",
		.full = "I1DPOywdb1lKd0iaCxEiM0RVZg__8AAA", .name = "X",
	};
	struct page *p = must_calloc(q->n + 1, sizeof(p[0]));
	uint32_t i, put = 0;
	bool missing;

	for (i = 0; i < q->n; i++)
		page_fill(a, q, q->streams[i], &p[i]);
	if (a->s->total)
		pages_total(a, q, p, q->n);
	shuffle(a, p, q->n);
	a->victim = (uint32_t)rng_below(&a->s->x->faults, q->n);
	buf_puts(a->out, "{\"Links\":{},\"Items\":[");
	for (i = 0; i < q->n; i++) {
		missing = (i == a->victim && a->fault == SIM_LEFT_OUT) ||
		    (sim_stream_broken(p[i].st, a->now) &&
		    p[i].st->how == SIM_MISSING);
		if (missing)
			continue;
		if (put++ > 0)
			buf_u8(a->out, ',');
		put_entry(a, &p[i], i == a->victim);
		if (i != a->victim || a->fault != SIM_TWICE)
			continue;
		buf_u8(a->out, ',');
		put_entry(a, &p[i], false);
	}
	if (a->fault == SIM_STRANGER) {
		buf_puts(a->out, put > 0 ? "," : "");
		put_entry(a, &(struct page){ .st = &stranger }, true);
	}
	buf_puts(a->out, "]}");
	for (i = 0; i < q->n; i++)
		free(p[i].e);
	free(p);
	spoil_whole(a);
}

static void
answer_one(struct answer *a, const struct sim_ask *q)
{
	struct sim_stream *st = q->streams[0];
	struct page p = { 0 };

	if (sim_stream_broken(st, a->now)) {
		if (st->how == SIM_MISSING)
			refuse(a, 404, "PI Point not found");
		else if (st->how == SIM_EXCEPTION)
			buf_puts(a->out, "{\"Items\":[],\"WebException\":{"
			    "\"Errors\":[\"No point\"],\"StatusCode\":500}}");
		else
			buf_puts(a->out, "{\"Items\":[],\"Errors\":"
			    "[\"No such point\"]}");
		return;
	}
	page_fill(a, q, st, &p);
	buf_u8(a->out, '{');
	put_items(a, &p, true);
	buf_puts(a->out, ",\"UnitsAbbreviation\":\"\"}");
	free(p.e);
	spoil_whole(a);
}

/* A WebId of nobody, or a stream that spoils the whole call. */
static bool
refused(struct answer *a, const struct sim_ask *q)
{
	uint32_t i;

	if (q->unknown || q->n == 0) {
		refuse(a, 400, "Unknown or invalid WebID format: 'X'");
		return (true);
	}
	for (i = 0; i < q->n; i++) {
		if (!sim_stream_broken(q->streams[i], a->now) ||
		    q->streams[i]->how != SIM_REFUSED)
			continue;
		refuse(a, q->streams[i]->status, "It cannot be had");
		return (true);
	}
	return (false);
}

static void
answer_recorded(struct answer *a, const struct sim_ask *q, bool set)
{
	uint64_t sum = (uint64_t)q->count * q->n;

	SIM_CHECK(a->s, q->count > 0 && q->a < q->b, "a request for nothing");
	if (over_cap(a, set && a->s->cap_sums ? sum : q->count) ||
	    refused(a, q))
		return;
	if (set)
		answer_set(a, q);
	else
		answer_one(a, q);
}

/* --- where a history begins ----------------------------------------------- */

static void
put_first(struct answer *a, const struct sim_stream *st)
{
	const struct sim_event *e = st->e, *end = st->e + st->n;

	buf_printf(a->out, "{\"WebId\":\"%s\",\"Name\":\"%s\",",
	    a->s->echo_full ? st->full : st->webid, st->name);
	while (e < end && !sim_alive(e, a->now))
		e++;
	if (sim_stream_broken(st, a->now) || (e == end && st->nk % 2 == 0))
		buf_puts(a->out, "\"Errors\":[\"No data\"]}");
	else if (e == end)
		buf_puts(a->out, "\"Value\":{\"Timestamp\":"
		    "\"1970-01-01T00:00:00Z\",\"Value\":{\"Name\":"
		    "\"No Data\",\"Value\":248,\"IsSystem\":true}}}");
	else {
		buf_puts(a->out, a->s->first_list ? "\"Items\":[" :
		    "\"Value\":");
		put_event(a, e, false);
		buf_puts(a->out, a->s->first_list ? "]}" : "}");
	}
}

static void
answer_first(struct answer *a, const struct sim_ask *q)
{
	const struct sim_stream *st;
	uint32_t i, victim, put = 0;

	if (refused(a, q))
		return;
	victim = (uint32_t)rng_below(&a->s->x->faults, q->n);
	buf_puts(a->out, "{\"Links\":{},\"Items\":[");
	for (i = q->n; i-- > 0;) {
		st = q->streams[i];
		if ((i == victim && a->fault == SIM_LEFT_OUT) ||
		    (sim_stream_broken(st, a->now) && st->how == SIM_MISSING))
			continue;
		if (put++ > 0)
			buf_u8(a->out, ',');
		put_first(a, st);
	}
	buf_puts(a->out, "]}");
	/* There are no halves of this. */
	if (a->fault == SIM_HALF || a->fault == SIM_ITEM_ERRORS)
		a->fault = SIM_TOP_EXCEPTION;
	spoil_whole(a);
}

static void
route(struct answer *a, const char *target)
{
	const char *name;
	struct sim_ask q;
	size_t len;

	SIM_CHECK(a->s, strncmp(target, SIM_BASE "/", strlen(SIM_BASE) + 1) == 0,
	    "asked for %s", target);
	sim_ask_parse(a->s, &q, target);
	if (path_is(&q, "/system/status", "", &name, &len) && len == 0)
		answer_clock(a);
	else if (path_is(&q, "/dataservers", "", &name, &len) && len == 0)
		answer_servers(a);
	else if (path_is(&q, "/dataservers/", "/points", &name, &len))
		answer_points(a, &q);
	else if (path_is(&q, "/streamsets/recorded", "", &name, &len) &&
	    len == 0) {
		a->s->x->asked_set++;
		answer_recorded(a, &q, true);
	} else if (path_is(&q, "/streamsets/recordedattime", "", &name,
	    &len) && len == 0)
		answer_first(a, &q);
	else if (path_is(&q, "/streams/", "/recorded", &name, &len)) {
		a->s->x->asked_one++;
		sim_ask_stream(a->s, &q, name, len);
		answer_recorded(a, &q, false);
	} else
		SIM_CHECK(a->s, false, "asked for %s", target);
}

/* --- batches -------------------------------------------------------------- */

/* One of its requests, with faults of its own. What is no JSON becomes a
 * text of it. */
static void
put_part(struct answer *a, const char *target)
{
	struct fetch_transfer t = { .retry_after_ms = -1 };
	struct answer part = { .s = a->s, .t = &t, .out = &t.in,
		.now = a->now };
	yyjson_doc *doc = NULL;

	buf_init(&t.in, 1 << 20);
	part.fault = sim_fault_draw(a->s);
	a->s->x->asked_parts++;
	if (!sim_fault_instead(a->s, part.fault, &t)) {
		t.status = 200;
		t.json = true;
		route(&part, target);
	}
	if (t.rc != 0)
		t.status = 500;
	buf_printf(a->out, "{\"Status\":%d,\"Headers\":{\"Content-Type\":"
	    "\"%s\"", t.status, t.json ? "application/json" : "text/html");
	if (t.retry_after_ms >= 0)
		buf_printf(a->out, ",\"Retry-After\":\"%lld\"",
		    (long long)(t.retry_after_ms / 1000));
	buf_puts(a->out, "},\"Content\":");
	if (json_parse(buf_str(&t.in), t.in.len, &doc, NULL) == 0)
		buf_put(a->out, t.in.data, t.in.len);
	else
		json_put_str(a->out, buf_str(&t.in), t.in.len);
	buf_u8(a->out, '}');
	yyjson_doc_free(doc);
	buf_fini(&t.in);
}

static void
put_parts(struct answer *a, yyjson_val *root)
{
	yyjson_val *key, *spec;
	const char *url;
	size_t i, n, put = 0, victim;

	victim = (size_t)rng_below(&a->s->x->faults, yyjson_obj_size(root));
	buf_u8(a->out, '{');
	yyjson_obj_foreach(root, i, n, key, spec) {
		url = json_str(spec, "Resource");
		SIM_CHECK(a->s, url != NULL && strncmp(url,
		    "https://pi.example/", 19) == 0, "asked for %s", url);
		if (i == victim && a->fault == SIM_LEFT_OUT)
			continue;
		buf_printf(a->out, "%s\"%s\":", put++ > 0 ? "," : "",
		    i == victim && a->fault == SIM_STRANGER ? "x" :
		    yyjson_get_str(key));
		put_part(a, url + 18);
	}
	buf_u8(a->out, '}');
}

static void
answer_batch(struct answer *a)
{
	const struct fetch_transfer *t = a->t;
	yyjson_doc *doc = NULL;

	SIM_CHECK(a->s, json_parse(t->body, t->body_len, &doc, NULL) == 0,
	    "a batch that is no JSON");
	SIM_CHECK(a->s, yyjson_obj_size(yyjson_doc_get_root(doc)) >= 2,
	    "a batch of less than two");
	a->s->x->asked_batch++;
	if (a->s->batch_status != 0)
		refuse(a, a->s->batch_status, "No batches here");
	else {
		a->t->status = 207;
		put_parts(a, yyjson_doc_get_root(doc));
		spoil_whole(a);
	}
	yyjson_doc_free(doc);
}

static void
answer_any(struct answer *a, const char *target)
{

	if (strlen(target) > a->s->url_max) {
		a->t->json = false;
		a->t->status = 414;
		buf_puts(a->out, "<html><title>Too Long</title></html>");
		return;
	}
	if (strcmp(target, SIM_BASE "/batch") == 0)
		answer_batch(a);
	else
		route(a, target);
}

/* For HARVEST_VERBOSE. */
static void
trace(struct answer *a, const char *target)
{
	char t[TICKS_TEXT_MAX], from[TICKS_TEXT_MAX], to[TICKS_TEXT_MAX];
	const char *p;
	struct sim_ask q;
	uint32_t i, n = 0;

	sim_ask_parse(a->s, &q, target);
	for (p = (const char *)a->out->data, i = 0; i + 10 < a->out->len; i++)
		n += memcmp(p + i, "\"Timestamp", 10) == 0;
	printf("  %s %.*s %s..%s %u:", ticks_text7(a->now, t),
	    (int)q.path_len, q.path, q.a != 0 ? ticks_text7(q.a, from) : "",
	    q.b != 0 ? ticks_text7(q.b, to) : "", q.count);
	for (i = 0; i < q.n; i++)
		printf(" %s", q.streams[i]->name);
	printf(" -> %d, %u events, %s\n", a->t->rc != 0 ? a->t->rc :
	    a->t->status, n, sim_fault_names[a->fault]);
}

/* --- the transport -------------------------------------------------------- */

struct air {			/* a transfer in flight */
	struct sim *s;
	struct fetch_transfer *t;
	struct loop_timer *timer;
	int64_t takes_us;
};

int64_t
sim_server_now(const struct sim *s)
{

	return (s->unix_zero + loop_now_us(s->loop) * TICKS_PER_US);
}

static void
air_ends(void *cookie)
{
	struct air *x = cookie;
	struct sim *s = x->s;
	struct fetch_transfer *t = x->t;
	struct answer a = { .s = s, .t = t, .out = &t->in };
	const char *target = strchr(strstr(t->url, "://") + 3, '/');

	s->x->requests++;
	s->x->now_us = loop_now_us(s->loop);
	a.now = sim_server_now(s);
	a.fault = sim_fault_draw(s);
	t->total_us = x->takes_us;
	if (!sim_fault_instead(s, a.fault, t)) {
		t->status = 200;
		t->json = true;
		answer_any(&a, target);
	}
	t->wire_bytes = (int64_t)t->in.len + 100;
	if (s->knobs.verbose)
		trace(&a, target);
	s->in_flight--;
	loop_timer_free(x->timer);
	free(x);
	t->handle = NULL;
	t->finished(t);
}

/* How often a word is in a text. */
static uint32_t
count_words(const char *text, size_t len, const char *word)
{
	const size_t n = strlen(word);
	uint32_t found = 0;
	size_t i;

	for (i = 0; text != NULL && i + n <= len; i++)
		found += memcmp(text + i, word, n) == 0;
	return (found);
}

static int
server_start(void *cookie, struct fetch_transfer *t)
{
	struct sim *s = cookie;
	struct air *x = must_calloc(1, sizeof(*x));

	x->s = s;
	x->t = t;
	x->timer = loop_timer_new(s->loop, air_ends, x);
	t->handle = x;
	s->in_flight++;
	x->takes_us = s->latency_us / 2 + (int64_t)rng_below(&s->x->latency,
	    (uint64_t)s->latency_us + 1) +
	    count_words(t->url, strlen(t->url), "webId=") * s->set_cost_us +
	    count_words(t->body, t->body_len, "\"Resource\"") *
	    s->batch_cost_us;
	loop_timer_set(x->timer, x->takes_us);
	return (0);
}

static void
server_stop(void *cookie, struct fetch_transfer *t)
{
	struct sim *s = cookie;
	struct air *x = t->handle;

	s->in_flight--;
	loop_timer_free(x->timer);
	free(x);
	t->handle = NULL;
}

static void
server_free(void *cookie)
{
	struct sim *s = cookie;

	SIM_CHECK(s, s->in_flight == 0, "transfers were left");
}

void
sim_transport(struct sim *s, struct fetch_transport *on)
{

	*on = (struct fetch_transport){ s, server_start, server_stop,
	    server_free };
}
