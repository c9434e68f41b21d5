#ifndef FETCH_CURL_INT_H
#define FETCH_CURL_INT_H

/*
 * What the files that know libcurl share. There are two ways to an answer.
 * Libcurl makes every connection; where all that follows is HTTP/1.1 to the
 * origin itself, requests and answers on it are ours, at a third of the
 * cost. For the rest a transfer is libcurl's from beginning to end: HTTP/2,
 * Negotiate, and what goes through a proxy that is asked for whole URLs.
 *
 *	fetch_curl.c	the transport, which way; transfers by libcurl
 *	fetch_wire.c	easy handles: options, pool
 *	fetch_hub.c	multi handles on the loop: sockets and timers
 *	fetch_verdict.c	how a transfer ended, for a person
 *	fetch_conn.c	connections of ours: made, kept, timed, closed
 *	fetch_talk.c	a request and its answer over one of them
 *	fetch_http1.c	where an answer begins and ends
 */

#include <sys/queue.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <curl/curl.h>

#include "base/buf.h"
#include "fetch/fetch_http1.h"

struct fetch_credentials;
struct fetch_hub;
struct fetch_hubs;
struct fetch_options;
struct fetch_quota;
struct fetch_transfer;
struct loop;
struct loop_io;
struct loop_timer;
struct wire;
struct zip_stream;

/* --- the transport (fetch_curl.c) ---------------------------------------- */

TAILQ_HEAD(wire_list, wire);
TAILQ_HEAD(conn_list, conn);

/* By whom transfers are carried; decided once. */
enum transport_way {
	WAY_UNKNOWN,			/* the first handshake tells */
	WAY_CURL,
	WAY_CONN,
};

struct transport {
	uint32_t magic;
	enum transport_way way;
	struct fetch_hubs *hubs;
	struct loop *loop;
	struct loop_timer *again;	/* pending while some wait */
	struct wire_list waiting;	/* for a descriptor */
	struct curl_slist *headers;
	struct curl_slist *headers_json;
	struct curl_slist *headers_form;
	struct wire *pool;		/* at rest */
	struct wire *wires;		/* all */
	struct conns *conns;

	char *origin;
	char *user_agent;
	char *ca_file;
	char *cert_file;
	char *key_file;
	char *key_password;
	char *proxy;
	char *proxy_user;
	char *proxy_password;
	bool unverified;
	long connect_timeout_ms;
	long timeout_ms;
	long low_speed_s;
	const struct fetch_quota *quotas;	/* borrowed */
	size_t quotas_n;
	size_t body_max;
	unsigned ratio_max;
	unsigned in_flight;
	bool compressed;
	bool http2;
	bool direct;			/* no proxy is asked for the whole
					 * URL */
};

/* Transfers by libcurl. */
int fetch_curl_start(struct transport *, struct fetch_transfer *);
/* The options that only these need. */
void fetch_curl_options(CURL *, struct wire *);
/* What libcurl knows of a transfer that is over, with its verdict. */
void fetch_curl_collect(struct wire *, struct fetch_transfer *, CURLcode);

/* --- wires (fetch_wire.c) ------------------------------------------------ */

typedef void wire_fn(struct wire *, CURLcode);

/* An easy handle, and whom it serves. */
struct wire {
	uint32_t magic;
	struct wire *next;		/* in the pool */
	struct wire *all;
	struct transport *c;
	struct fetch_hub *hub;
	CURL *easy;
	void *owner;			/* NULL at rest */
	wire_fn *over;			/* it is told */
	TAILQ_ENTRY(wire) link;		/* of those that wait */
	bool waits;			/* for a descriptor */
	int64_t since_us;
	unsigned generation;		/* of its credentials, 0: none */
	size_t header_bytes;
	bool too_big;
	bool swollen;			/* in decompression */
	char words[CURL_ERROR_SIZE];
};

#define WIRE_MAGIC 0x57495245u

/* NULL: no memory. The wire is not with its hub yet. */
struct wire *fetch_wire_get(struct transport *, void *owner, wire_fn *);
/* False: libcurl does not take it. */
bool fetch_wire_go(struct wire *);
/* Back to the pool, whatever it does; the owner is not told. */
void fetch_wire_rest(struct wire *);
void fetch_wires_free(struct transport *);
/* An easy handle of one of them is over: of the hubs. */
void fetch_wire_over(CURL *, CURLcode);
void fetch_wire_again(void *transport);		/* of the timer */

/* --- their ends (fetch_verdict.c) ---------------------------------------- */

/* 0 or ERR_*, with t->reason and t->origin_fault. */
int fetch_verdict(struct wire *, struct fetch_transfer *, CURLcode);
/* The same of ends that libcurl does not judge. */
int fetch_verdict_tls(struct wire *, struct fetch_transfer *, CURLcode);
int fetch_verdict_late(const struct transport *, struct fetch_transfer *,
    bool slow);
/* told: -1 the length is not known; words: NULL when it was just closed. */
int fetch_verdict_cut(struct fetch_transfer *, bool begun, int64_t told,
    uint64_t got, const char *words);
int fetch_verdict_swollen(const struct transport *, struct fetch_transfer *);
int fetch_verdict_large(const struct transport *, struct fetch_transfer *,
    bool headers);
int fetch_verdict_bad(struct fetch_transfer *, const char *why);

/* --- connections of ours (fetch_conn.c) ---------------------------------- */

/*
 *  state	in list		transfer  wire		descriptor
 *  parked	parked		yes	  -		-
 *  connecting	connecting	yes	  yes		-
 *  busy	busy, heard	yes	  with TLS	yes
 *  idle	idle		-	  with TLS	yes
 */
struct conn {
	uint32_t magic;
	struct conns *s;
	struct wire *wire;
	int fd;				/* -1: none */
	struct loop_io *io;
	struct conn_list *list;		/* it is in, but for heard */
	TAILQ_ENTRY(conn) link;
	TAILQ_ENTRY(conn) heard_link;
	struct http1 h;
	size_t usual;			/* bytes of the last body */
	int64_t heard_us;		/* or idle since */

	/* of the transfer */
	struct fetch_transfer *t;	/* NULL: idle */
	int64_t began_us;
	int64_t first_us;		/* byte of the answer, 0: none */
	int64_t connect_us;
	int64_t wire_bytes;
	struct buf out;			/* the request, while it is sent */
	size_t sent;
	struct zip_stream *unzip;	/* NULL: not compressed */
	int retry_after_s;		/* -1: not told */
	bool made;			/* for this transfer */
	bool authorized;
	bool broken;			/* no use to send or wait */
	bool large;			/* the answer is */
	bool swollen;
	bool coded;			/* in a way that we do not know */
	bool garbled;			/* its compression is */
};

#define CONN_MAGIC 0x434f4e4eu

struct conns {
	struct transport *c;
	struct conn_list parked;	/* behind the first of an origin, the
					 * last began first */
	int64_t parked_us;		/* until then */
	struct conn_list connecting;
	struct conn_list busy;		/* the first began first */
	struct conn_list heard;		/* the first was heard least lately */
	struct conn_list idle;		/* the first was used last */
	struct loop_timer *clock;	/* one of those is due */
	int64_t clock_us;		/* when; 0: not set */
	struct buf head;		/* headers of all requests */
	struct buf out;			/* lent to who sends */
	unsigned generation;		/* of the credentials, 0: none */
	struct fetch_credentials *credentials;	/* of our own */
	struct buf authorization;	/* their header */
	struct zip_stream *spare[2];	/* of each enum zip_coding */
	char *in;			/* CONN_IN bytes, of one read */
};

/* Of one read, but for what goes to its place at once. */
#define CONN_IN 65536u

/* Can it go without libcurl? UNKNOWN: a handshake will tell. */
enum transport_way fetch_conn_way(const struct transport *,
    const struct fetch_options *);
struct conns *fetch_conns_new(struct transport *);
void fetch_conns_free(struct conns *);
int fetch_conn_start(struct conns *, struct fetch_transfer *);
/* False: the transfer's handle is none of ours. */
bool fetch_conn_stop(struct fetch_transfer *);
/* One that has no transfer. */
void fetch_conn_free(struct conn *);
/* The answer, or what there is of it: the transfer is over with rc, and the
 * connection may be gone. */
void fetch_conn_over(struct conn *, int rc, bool keep);
/* Closed before a byte of the answer came: once more over a new connection,
 * when this one had served before. False: not to be had. */
bool fetch_conn_repeat(struct conn *);

/* --- a request and its answer (fetch_talk.c) ----------------------------- */

/* The headers that all requests have. */
void fetch_talk_head(const struct transport *, struct buf *);
void fetch_talk_credentials(struct conns *, const struct fetch_credentials *);
void fetch_talk_forget(struct conns *);
/* Of the request, what the socket takes. False: no memory. */
bool fetch_talk_begin(struct conn *);
void fetch_talk_io(void *conn, int fd, int what);

/* --- multi handles (fetch_hub.c) ----------------------------------------- */

/* A transfer is over; on the loop's thread, not from inside a call below. */
typedef void fetch_hub_fn(CURL *, CURLcode);

/*
 * How many requests, of so many wished for, the process has descriptors for;
 * its own limit is raised when it may be. Some are left for files.
 */
unsigned fetch_hub_room(unsigned in_flight);
/* No descriptor is to be had now. */
bool fetch_hub_full(void);

/* `multiplex`: one connection may serve many transfers. NULL: libcurl has no
 * memory. */
struct fetch_hubs *fetch_hubs_new(struct loop *, unsigned in_flight,
    bool multiplex, fetch_hub_fn *);
/* After all easy handles were cleaned up. */
void fetch_hubs_free(struct fetch_hubs *);
/* This server serves one transfer at a time on a connection: easy handles
 * to come are spread. */
void fetch_hubs_serial(struct fetch_hubs *);
bool fetch_hubs_multiplex(const struct fetch_hubs *);
/* The descriptor is the caller's from now on: libcurl will believe it closed
 * when it closes the connection. */
void fetch_hubs_keep(struct fetch_hubs *, int fd);

/* The hub of a new easy handle, for its life; NULL: no memory. */
struct fetch_hub *fetch_hub_join(struct fetch_hubs *, CURL *);
CURLMcode fetch_hub_add(struct fetch_hub *, CURL *);
void fetch_hub_remove(struct fetch_hub *, CURL *);

#endif
