/*
 * The server: listens, and holds what its connections share.
 */

#include "config.h"

#include <arpa/inet.h>
#include <errno.h>
#include <event2/event.h>
#include <event2/listener.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include "base/err.h"
#include "base/must.h"
#include "loop/loop.h"
#include "mock/mock_cache.h"
#include "mock/mock_fault.h"
#include "mock/mock_gate.h"
#include "mock/mock_line.h"
#include "mock/mock_log.h"
#include "mock/mock_options.h"
#include "mock/mock_piece.h"
#include "mock/mock_server.h"
#include "mock/mock_server_int.h"
#include "mock/mock_stats.h"
#include "mock/mock_tls.h"
#include "mock/mock_world.h"

/* Whatever descriptors there are. */
#define CONNS_MAX 65536u
/* For the log, the loop and the standard ones. */
#define FILES_OURS 32u
#define BACKLOG 4096

static void
on_accept(struct evconnlistener *listener, evutil_socket_t fd,
    struct sockaddr *sa, int salen, void *cookie)
{
	struct mock_server *s = cookie;

	const struct sockaddr_in *in = (const void *)sa;

	(void)listener;
	(void)salen;
	if (s->nconns < s->nconns_max) {
		mock_conn_new(s, fd, ntohl(in->sin_addr.s_addr));
		return;
	}
	mock_stats_closed(s->stats);
	evutil_closesocket(fd);
}

static void
on_idle(void *cookie)
{
	struct mock_server *s = cookie;

	loop_stop(s->loop);
}

/* --- the server ----------------------------------------------------------- */

static int
cannot_listen(const struct mock_server *s, int errnum, struct err *e)
{
	if (errnum == EADDRINUSE)
		return (err_set(e, ERR_BUSY, "port %u of %s is in use; "
		    "--port 0 takes a free one", s->opt->port, s->opt->bind));
	if (errnum == EADDRNOTAVAIL)
		return (err_set(e, ERR_USAGE, "--bind %s: no address of this "
		    "machine", s->opt->bind));
	return (err_sys(e, errnum, "cannot listen on %s port %u",
	    s->opt->bind, s->opt->port));
}

static int
listen_on(struct mock_server *s, struct err *e)
{
	struct sockaddr_in sin = { .sin_family = AF_INET,
		.sin_port = htons((uint16_t)s->opt->port) };
	socklen_t len = sizeof(sin);

	if (inet_pton(AF_INET, s->opt->bind, &sin.sin_addr) != 1)
		return (err_set(e, ERR_USAGE, "--bind %s: no IPv4 address",
		    s->opt->bind));
	s->listener = evconnlistener_new_bind(loop_event_base(s->loop),
	    on_accept, s, LEV_OPT_CLOSE_ON_FREE | LEV_OPT_REUSEABLE |
	    LEV_OPT_CLOSE_ON_EXEC, BACKLOG, (struct sockaddr *)&sin,
	    (int)sizeof(sin));
	if (s->listener == NULL)
		return (cannot_listen(s, errno, e));
	if (getsockname(evconnlistener_get_fd(s->listener),
	    (struct sockaddr *)&sin, &len) != 0)
		return (err_sys(e, errno, "getsockname"));
	s->port = ntohs(sin.sin_port);
	evutil_snprintf(s->url, sizeof(s->url), "%s://%s:%u/piwebapi",
	    s->tls != NULL || s->opt->tls_close ? "https" : "http",
	    s->opt->bind, s->port);
	return (0);
}

/* As many as this process may have, and the number of them. */
static rlim_t
descriptors(void)
{
	struct rlimit r;

	if (getrlimit(RLIMIT_NOFILE, &r) != 0)
		return (1024);
	r.rlim_cur = r.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &r) != 0)
		getrlimit(RLIMIT_NOFILE, &r);
	return (r.rlim_cur);
}

static struct mock_line *
line_new(const struct mock_options *opt)
{
	const struct mock_line_options o = { .capacity = opt->capacity,
		.collapse = opt->collapse,
		.latency_us = opt->latency_ms * 1000 };

	if (opt->capacity == 0 && opt->collapse == 0)
		return (NULL);
	return (mock_line_new(&o, mock_conn_served));
}

struct mock_server *
mock_server_new(struct loop *loop, const struct mock_options *opt,
    struct err *e)
{
	struct mock_server *s = must_calloc(1, sizeof(*s));
	rlim_t files;

	s->loop = loop;
	s->opt = opt;
	buf_init(&s->head, 1u << 20);
	s->pieces = mock_pieces_new();
	s->faults = mock_faults_new(opt, e);
	if (s->faults == NULL || mock_tls_new(opt, &s->tls, e) != 0 ||
	    listen_on(s, e) != 0)
		goto fail;
	if (opt->log != NULL &&
	    (s->log = mock_log_open(loop, opt->log, e)) == NULL)
		goto fail;
	s->world = mock_world_new(opt);
	s->up_since = mock_world_now(s->world);
	s->stats = mock_stats_new(loop_now_us(loop));
	s->gate = mock_gate_new(loop, opt);
	s->line = line_new(opt);
	if (opt->cache_bytes > 0)
		s->cache = mock_cache_new(opt->cache_bytes);
	files = descriptors();
	s->nconns_max = files < CONNS_MAX ? (unsigned)files - FILES_OURS :
	    CONNS_MAX;
	if (opt->connections > 0 && opt->connections < s->nconns_max)
		s->nconns_max = opt->connections;
	if (opt->idle_ms > 0) {
		s->idle = loop_timer_new(loop, on_idle, s);
		loop_timer_set(s->idle, opt->idle_ms * 1000);
	}
	return (s);
fail:
	mock_server_free(s);
	return (NULL);
}

void
mock_server_free(struct mock_server *s)
{
	if (s == NULL)
		return;
	mock_conns_free(s);
	if (s->listener != NULL)
		evconnlistener_free(s->listener);
	mock_faults_free(s->faults);
	mock_log_close(s->log);
	loop_timer_free(s->idle);
	mock_world_free(s->world);
	buf_fini(&s->head);
	mock_pieces_free(s->pieces);
	mock_tls_free(s->tls);
	mock_gate_free(s->gate);
	mock_stats_free(s->stats);
	mock_line_free(s->line);
	mock_cache_free(s->cache);
	free(s);
}

uint16_t
mock_server_port(const struct mock_server *s)
{
	return (s->port);
}

const char *
mock_server_url(const struct mock_server *s)
{
	return (s->url);
}
