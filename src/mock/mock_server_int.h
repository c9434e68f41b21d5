#ifndef MOCK_SERVER_INT_H
#define MOCK_SERVER_INT_H

/* What the server and its connections share. */

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"

struct evconnlistener;
struct loop;
struct loop_timer;
struct mock_cache;
struct mock_conn;
struct mock_faults;
struct mock_gate;
struct mock_line;
struct mock_log;
struct mock_options;
struct mock_pieces;
struct mock_stats;
struct mock_tls;
struct mock_world;

struct mock_server {
	struct loop *loop;
	const struct mock_options *opt;
	struct mock_world *world;
	struct evconnlistener *listener;
	struct mock_conn *conns;
	unsigned nconns;
	unsigned nconns_max;
	struct mock_faults *faults;
	struct mock_gate *gate;
	struct mock_line *line;		/* NULL: no limit */
	struct mock_cache *cache;	/* NULL: none */
	struct mock_tls *tls;		/* NULL: plain http */
	struct mock_stats *stats;
	struct mock_log *log;
	struct loop_timer *idle;
	struct buf head;		/* scratch of the turn */
	struct mock_pieces *pieces;
	int64_t up_since;
	uint16_t port;
	char url[128];
};

/* mock_conn.c: serve fd, which is taken over, until either side ends it.
 * `client` is its IPv4 address. */
void mock_conn_new(struct mock_server *, int fd, uint32_t client);
/* Of the line: c, a connection, is served. */
void mock_conn_served(void *c, int64_t service_us);
void mock_conns_free(struct mock_server *);

#endif
