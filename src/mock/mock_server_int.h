#ifndef MOCK_SERVER_INT_H
#define MOCK_SERVER_INT_H

/* What the server and its connections share. */

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"

struct evconnlistener;
struct loop;
struct loop_timer;
struct mock_conn;
struct mock_faults;
struct mock_log;
struct mock_options;
struct mock_world;

struct mock_server {
	struct loop *loop;
	const struct mock_options *opt;
	struct mock_world *world;
	struct evconnlistener *listener;
	struct mock_conn *conns;
	unsigned nconns;
	struct mock_faults *faults;
	struct mock_log *log;
	struct loop_timer *idle;
	struct buf piece;		/* scratch of the turn */
	int64_t up_since;
	int64_t rate_second;
	uint32_t rate_used;
	uint16_t port;
	char url[128];
	char *basic;			/* "Basic dXNlcjpwYXNz", or NULL */
};

/* mock_conn.c: serve fd, which is taken over, until either side ends it. */
void mock_conn_new(struct mock_server *, int fd, bool loopback);
void mock_conns_free(struct mock_server *);

#endif
