/*
 * A connection: reads a head, then a body; waits out the latency; answers;
 * and reads on.
 *
 * Answers come in pieces: the next one is made when less than OUT_LOW bytes
 * are unsent, so a slow reader holds OUT_HIGH bytes and not an answer; what
 * the cache holds is sent from there, without a copy.
 * Input is bounded by watermarks, waits by time. Compressed answers are made
 * whole, up to GZIP_MAX; larger ones go out plain.
 *
 * Whatever the peer breaks ends its connection and nothing else.
 */

#include "config.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/must.h"
#include "base/ticks.h"
#include "codec/zip.h"
#include "loop/loop.h"
#include "mock/mock_answer.h"
#include "mock/mock_fault.h"
#include "mock/mock_http.h"
#include "mock/mock_line.h"
#include "mock/mock_log.h"
#include "mock/mock_options.h"
#include "mock/mock_piece.h"
#include "mock/mock_server_int.h"
#include "mock/mock_stats.h"
#include "mock/mock_tls.h"

#define OUT_LOW (64u << 10)
#define OUT_HIGH (192u << 10)
#define WRITE_MAX (4u << 20)
#define COPY_MAX 16384
#define GZIP_MIN 256
#define GZIP_MAX (8u << 20)
#define IDLE_S 300

enum state { HEAD, BODY, WAIT, SEND, PLAY, CLOSE };

struct mock_conn {
	uint32_t magic;
	struct mock_server *server;
	struct mock_conn *next;
	struct mock_conn **prev;
	struct bufferevent *bev;
	struct loop_timer *wait;
	struct arena *arena;
	enum state state;
	bool chunked;
	uint32_t client;		/* its address */
	bool reset;			/* at the end */
	bool due;			/* the next step of PLAY */
	uint64_t served;
	struct mock_head head;
	struct mock_req req;
	struct mock_resp resp;
	int64_t begun_us;
	uint64_t sent;			/* of the body */
	struct mock_turn turn;		/* of WAIT */
	struct mock_wire *wire;		/* owned; of PLAY */
	size_t played;			/* of wire->bytes */
};

#define CONN_MAGIC 0x434f4e4eu	/* CONN */

static void conn_advance(struct mock_conn *);

/* --- life ----------------------------------------------------------------- */

static void
wire_free(struct mock_conn *c)
{
	if (c->wire != NULL)
		buf_fini(&c->wire->bytes);
	free(c->wire);
	c->wire = NULL;
}

/* Of an answer: logged and counted; status 0: it was not given. */
static void
conn_over(struct mock_conn *c, int status)
{
	struct mock_server *s = c->server;

	if (s->log != NULL)
		mock_log_request(s->log, c->req.now, c->req.method,
		    c->resp.route, c->req.target, status, c->resp.items,
		    c->sent, loop_now_us(s->loop) - c->begun_us);
	if (!c->req.control)
		mock_stats_answered(s->stats, status);
	mock_resp_fini(&c->resp);
}

static void
conn_free(struct mock_conn *c)
{
	if (c->state == SEND || c->state == WAIT || c->state == PLAY)
		conn_over(c, 0);
	wire_free(c);
	if (c->server->line != NULL)
		mock_line_leave(c->server->line, &c->turn);
	*c->prev = c->next;
	if (c->next != NULL)
		c->next->prev = c->prev;
	c->server->nconns--;
	mock_stats_disconnected(c->server->stats);
	bufferevent_free(c->bev);
	loop_timer_free(c->wait);
	arena_free(c->arena);
	c->magic = 0;
	free(c);
}

/* Everything is out. A reset is what a crashed server or a firewall does. */
static void
conn_close(struct mock_conn *c)
{
	struct linger linger = { .l_onoff = 1, .l_linger = 0 };

	if (c->reset)
		setsockopt(bufferevent_getfd(c->bev), SOL_SOCKET, SO_LINGER,
		    &linger, sizeof(linger));
	else if (c->server->tls != NULL)
		mock_tls_bye(c->bev);
	conn_free(c);
}

/* --- answering ------------------------------------------------------------ */

static void
conn_put(struct mock_conn *c, const struct buf *b)
{
	MUST(b->error == 0);
	if (b->len > 0)
		MUST(bufferevent_write(c->bev, b->data, b->len) == 0);
}

/* Around n bytes of the body. */
static void
chunk_begin(struct mock_conn *c, struct evbuffer *out, size_t n)
{
	c->sent += n;
	if (c->chunked)
		evbuffer_add_printf(out, "%zx\r\n", n);
}

static void
chunk_end(struct mock_conn *c, struct evbuffer *out)
{
	if (c->chunked)
		evbuffer_add(out, "\r\n", 2);
}

static void
sent(const void *data, size_t n, void *cookie)
{
	(void)data;
	(void)n;
	free(cookie);
}

/* All of it; the memory of what is long is taken over. */
static void
put_body(struct mock_conn *c, struct buf *body)
{
	struct evbuffer *out = bufferevent_get_output(c->bev);
	uint8_t *data;
	size_t n = body->len;

	if (n == 0)
		return;
	chunk_begin(c, out, n);
	if (n < COPY_MAX) {
		evbuffer_add(out, body->data, n);
	} else {
		data = buf_steal(body, &n);
		MUST_MEMORY(evbuffer_add_reference(out, data, n, sent,
		    data) == 0);
	}
	chunk_end(c, out);
}

/* A body that stays where it is until the server ends. */
static void
put_kept(struct mock_conn *c, const struct buf *body)
{
	struct evbuffer *out = bufferevent_get_output(c->bev);
	size_t n;

	for (size_t at = 0; at < body->len; at += n) {
		n = body->len - at < MOCK_PIECE ? body->len - at : MOCK_PIECE;
		chunk_begin(c, out, n);
		evbuffer_add_reference(out, body->data + at, n, NULL, NULL);
		chunk_end(c, out);
	}
}

/* false: it cannot be made. */
static bool
put_next(struct mock_conn *c, struct evbuffer *out)
{
	struct mock_piece *p = mock_piece_get(c->server->pieces);
	bool made;

	if (!c->resp.more(&c->resp, &p->buf))
		c->resp.more = NULL;
	if (p->buf.error != 0 || p->buf.len == 0) {
		made = p->buf.error == 0;
		mock_piece_put(p);
		return (made);
	}
	chunk_begin(c, out, p->buf.len);
	mock_piece_send(p, out);
	chunk_end(c, out);
	return (true);
}

static void
conn_done(struct mock_conn *c)
{
	c->state = c->head.keep_alive && !c->resp.cut ? HEAD : CLOSE;
	conn_over(c, c->resp.status);
	arena_clear(c->arena);
	c->served++;
	bufferevent_setwatermark(c->bev, EV_READ, 0, MOCK_HEAD_MAX + 4);
}

/* Pieces while there is room; true: the answer is out. */
static bool
conn_pump(struct mock_conn *c)
{
	struct evbuffer *out = bufferevent_get_output(c->bev);

	while (c->resp.more != NULL && evbuffer_get_length(out) < OUT_HIGH)
		if (!put_next(c, out)) {	/* cannot end it well */
			c->resp.cut = true;
			return (true);
		}
	if (c->resp.more != NULL)
		return (false);
	if (c->chunked)
		evbuffer_add(out, "0\r\n\r\n", 5);
	return (true);
}

/* A spoilt answer, by its script; true: it is out. */
static bool
conn_play(struct mock_conn *c)
{
	struct mock_wire *w = c->wire;
	size_t to = c->state != PLAY ? w->from :
	    w->each_ms > 0 ? c->played + 1 : w->stop;
	int64_t pause_ms = w->each_ms > 0 ? w->each_ms : w->hold_ms;

	bufferevent_write(c->bev, w->bytes.data + c->played, to - c->played);
	c->state = PLAY;
	c->due = false;
	c->played = to;
	c->sent = to < w->head_len ? 0 : to - w->head_len;
	if (to == w->stop)
		return (true);
	if (pause_ms >= 0)
		loop_timer_set(c->wait, pause_ms * 1000);
	else
		bufferevent_set_timeouts(c->bev, NULL, NULL);
	return (false);
}

static bool
conn_play_start(struct mock_conn *c)
{
	c->wire = must_calloc(1, sizeof(*c->wire));
	c->played = 0;
	mock_fault_wire(c->resp.fault, &c->resp, &c->head, c->wire);
	return (conn_play(c));
}

static void
conn_played(struct mock_conn *c)
{
	enum mock_end end = c->wire->end;

	if (c->played < c->wire->head_len)
		c->resp.status = 0;	/* nobody can read it */
	wire_free(c);
	conn_done(c);
	if (end != MOCK_END_KEEP)
		c->state = CLOSE;
	c->reset = end == MOCK_END_RESET;
}

/* What fits is sent whole with its length, the rest as chunks. */
static void
send_body(struct mock_conn *c)
{
	struct buf *head = &c->server->head, zipped;
	struct mock_resp *r = &c->resp;
	const struct buf *body;
	bool gzip = c->head.gzip && !c->server->opt->no_gzip, whole;

	whole = mock_resp_finish(r, gzip ? GZIP_MAX : MOCK_PIECE - 1);
	body = mock_resp_body(r);
	buf_init(&zipped, 2 * GZIP_MAX);
	gzip = gzip && whole && body->len >= GZIP_MIN &&
	    zip_gzip(body->data, body->len, 1, &zipped) == 0;
	c->chunked = !whole && !c->head.http10;
	if (!whole && c->head.http10)
		c->head.keep_alive = false;
	buf_clear(head);
	mock_head_put(head, r, &c->head, !whole ? UINT64_MAX :
	    gzip ? zipped.len : body->len, gzip);
	conn_put(c, head);
	if (gzip)
		put_body(c, &zipped);
	else if (r->kept != NULL)
		put_kept(c, body);
	else
		put_body(c, &r->body);
	buf_fini(&zipped);
	buf_fini(&r->body);
	buf_init(&r->body, 0);
}

static void
conn_send(struct mock_conn *c)
{
	c->sent = 0;
	if (c->resp.fault != NULL) {
		if (conn_play_start(c))
			conn_played(c);
		return;
	}
	c->state = SEND;
	send_body(c);
	if (conn_pump(c))
		conn_done(c);
}

static void
waited(void *cookie)
{
	struct mock_conn *c = cookie;

	MAGIC_CHECK(c, CONN_MAGIC);
	if (c->state == PLAY) {
		c->due = true;
	} else {
		if (c->server->line != NULL)
			mock_line_leave(c->server->line, &c->turn);
		conn_send(c);
	}
	conn_advance(c);
}

/* --- the request ---------------------------------------------------------- */

/* Refused before anybody has read it, as IIS does: to others than itself it
 * names no substatus. */
static bool
url_refused(const struct mock_options *o, const char *target,
    struct mock_resp *r)
{
	const char *query = strchr(target, '?');
	size_t n = strlen(target);

	if (o->url_error == MOCK_URL_404_15)
		n = query != NULL ? strlen(query + 1) : 0;
	if (o->url_max == 0 || n <= o->url_max)
		return (false);
	if (o->url_error == MOCK_URL_414)
		mock_resp_html(r, 414, "Request-URI Too Large");
	else if (o->url_error == MOCK_URL_400)
		mock_resp_html(r, 400, "Bad Request - Invalid URL");
	else
		mock_resp_html(r, 404,
		    "404 - File or directory not found.");
	return (true);
}

static void
conn_answer(struct mock_conn *c)
{
	struct mock_server *s = c->server;
	int64_t delay_us = 0;

	if (!c->req.control)
		mock_stats_asked(s->stats, c->begun_us);
	c->sent = 0;
	mock_resp_init(&c->resp);
	if (s->idle != NULL)
		loop_timer_set(s->idle, s->opt->idle_ms * 1000);
	if (url_refused(s->opt, c->req.target, &c->resp))
		c->resp.route = "url";
	else if (mock_req_target(&c->req, c->req.target) != 0)
		mock_resp_html(&c->resp, 400, "Bad Request - Invalid URL");
	else if (mock_route(&c->req, &c->resp))
		delay_us = (c->resp.delay_ms + s->opt->latency_ms) * 1000;
	if (c->resp.set_now != TICKS_NONE)
		s->world->now_fixed = c->resp.set_now;
	if (delay_us == 0) {
		conn_send(c);
		return;
	}
	c->state = WAIT;
	if (s->line != NULL)
		mock_line_enter(s->line, &c->turn, c->resp.delay_ms * 1000,
		    c);
	else
		loop_timer_set(c->wait, delay_us);
}

void
mock_conn_served(void *cookie, int64_t service_us)
{
	struct mock_conn *c = cookie;

	MAGIC_CHECK(c, CONN_MAGIC);
	loop_timer_set(c->wait, service_us);
}

/* A head that cannot be taken: HTML, and the end. */
static void
conn_refuse(struct mock_conn *c, int status)
{
	mock_resp_init(&c->resp);
	mock_resp_html(&c->resp, status, status == 400 ?
	    "Bad Request - Invalid URL" : "Request Error");
	c->head.keep_alive = false;
	c->head.gzip = false;
	c->req = (struct mock_req){ .method = "-", .target = "-",
		.now = mock_world_now(c->server->world) };
	mock_stats_asked(c->server->stats, c->begun_us);
	conn_send(c);
}

/* false: wait for more bytes. */
static bool
read_head(struct mock_conn *c)
{
	struct evbuffer *in = bufferevent_get_input(c->bev);
	struct evbuffer_ptr end = evbuffer_search(in, "\r\n\r\n", 4, NULL);
	char *text;
	size_t n;
	int status;

	if (c->server->opt->tls_close && evbuffer_get_length(in) > 0) {
		c->state = CLOSE;
		return (true);
	}
	c->begun_us = loop_now_us(c->server->loop);
	if (end.pos == -1 || end.pos + 4 > MOCK_HEAD_MAX) {
		if (end.pos == -1 && evbuffer_get_length(in) < MOCK_HEAD_MAX)
			return (false);
		memset(&c->head, 0, sizeof(c->head));
		conn_refuse(c, 400);
		return (true);
	}
	n = (size_t)end.pos + 4;
	text = arena_alloc(c->arena, n + 1);
	evbuffer_remove(in, text, n);
	status = strlen(text) == n ? mock_head_parse(&c->head, text) : 400;
	if (status != 0) {
		conn_refuse(c, status);
		return (true);
	}
	c->req = (struct mock_req){ .world = c->server->world,
		.opt = c->server->opt, .faults = c->server->faults,
		.cache = c->server->cache,
		.arena = c->arena, .base = c->server->opt->link_base != NULL ?
		c->server->opt->link_base : c->server->url,
		.method = c->head.method, .target = c->head.target,
		.body_len = c->head.body_bytes,
		.now = mock_world_now(c->server->world),
		.up_since = c->server->up_since, .gate = c->server->gate,
		.stats = c->server->stats,
		.client = c->client, .form = c->head.form,
		.authorization = c->head.authorization,
		.control = c->client >> 24 == 127 &&
		mock_is_control(c->head.target),
		.requested_with = c->head.requested_with,
		.reused = c->served > 0, .begun_us = c->begun_us };
	c->state = BODY;
	bufferevent_setwatermark(c->bev, EV_READ, 0,
	    c->head.body_bytes + MOCK_HEAD_MAX);
	if (c->head.expect && c->head.body_bytes > 0)
		bufferevent_write(c->bev, "HTTP/1.1 100 Continue\r\n\r\n", 25);
	return (true);
}

static bool
read_body(struct mock_conn *c)
{
	struct evbuffer *in = bufferevent_get_input(c->bev);
	char *body;

	if (evbuffer_get_length(in) < c->req.body_len)
		return (false);
	body = arena_alloc(c->arena, c->req.body_len + 1);
	evbuffer_remove(in, body, c->req.body_len);
	c->req.body = body;
	conn_answer(c);
	return (true);
}

/* As far as it goes without waiting. The connection may be gone after it. */
static void
conn_advance(struct mock_conn *c)
{
	struct evbuffer *out = bufferevent_get_output(c->bev);
	bool go = true;

	while (go) {
		switch (c->state) {
		case HEAD:
			/* Not another answer before a slow reader's. */
			go = evbuffer_get_length(out) < OUT_HIGH &&
			    read_head(c);
			break;
		case BODY:
			go = read_body(c);
			break;
		case WAIT:
			go = false;
			break;
		case SEND:
			go = evbuffer_get_length(out) < OUT_HIGH &&
			    conn_pump(c);
			if (go)
				conn_done(c);
			break;
		case PLAY:
			go = c->due && conn_play(c);
			if (go)
				conn_played(c);
			break;
		case CLOSE:
			if (evbuffer_get_length(out) == 0)
				conn_close(c);
			return;
		}
	}
}

/* --- events --------------------------------------------------------------- */

static void
on_io(struct bufferevent *bev, void *cookie)
{
	struct mock_conn *c = cookie;

	(void)bev;
	MAGIC_CHECK(c, CONN_MAGIC);
	conn_advance(c);
}

static void
on_event(struct bufferevent *bev, short what, void *cookie)
{
	struct mock_conn *c = cookie;

	(void)bev;
	MAGIC_CHECK(c, CONN_MAGIC);
	if (what != BEV_EVENT_CONNECTED)	/* the end of a handshake */
		conn_free(c);	/* end, error, time-out: all the same */
}

void
mock_conn_new(struct mock_server *s, int fd, uint32_t client)
{
	static const struct timeval idle = { IDLE_S, 0 };
	struct mock_conn *c = must_calloc(1, sizeof(*c));

	c->magic = CONN_MAGIC;
	c->server = s;
	c->arena = arena_new();
	c->wait = loop_timer_new(s->loop, waited, c);
	c->client = client;
	c->bev = s->tls != NULL ?
	    mock_tls_accept(s->tls, loop_event_base(s->loop), fd) :
	    bufferevent_socket_new(loop_event_base(s->loop), fd,
	    BEV_OPT_CLOSE_ON_FREE);
	MUST(c->bev != NULL);
	c->next = s->conns;
	c->prev = &s->conns;
	if (c->next != NULL)
		c->next->prev = &c->next;
	s->conns = c;
	s->nconns++;
	mock_stats_connected(s->stats);
	bufferevent_setcb(c->bev, on_io, on_io, on_event, c);
	bufferevent_setwatermark(c->bev, EV_READ, 0, MOCK_HEAD_MAX + 4);
	bufferevent_setwatermark(c->bev, EV_WRITE, OUT_LOW, 0);
	bufferevent_set_timeouts(c->bev, &idle, &idle);
	bufferevent_set_max_single_write(c->bev, WRITE_MAX);
	bufferevent_enable(c->bev, EV_READ | EV_WRITE);
}

void
mock_conns_free(struct mock_server *s)
{
	while (s->conns != NULL)
		conn_free(s->conns);
}
