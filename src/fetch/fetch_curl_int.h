#ifndef FETCH_CURL_INT_H
#define FETCH_CURL_INT_H

/*
 * What the files that know libcurl share.
 *
 *	fetch_curl.c	transfers: options of an easy handle, results
 *	fetch_verdict.c	how a transfer ended, for a person
 *	fetch_hub.c	multi handles on the loop: sockets and timers
 */

#include <sys/queue.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <curl/curl.h>

struct fetch_hub;
struct fetch_hubs;
struct fetch_quota;
struct fetch_transfer;
struct loop;

/* --- transfers (fetch_curl.c) -------------------------------------------- */

TAILQ_HEAD(wire_list, wire);

struct transport {
	uint32_t magic;
	struct fetch_hubs *hubs;
	struct loop *loop;
	struct loop_timer *again;	/* pending while some wait */
	struct wire_list waiting;	/* for a descriptor */
	struct curl_slist *headers;
	struct curl_slist *headers_json;
	struct curl_slist *headers_form;
	struct wire *pool;		/* at rest */
	struct wire *wires;		/* all */

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

/* An easy handle and the transfer it carries. */
struct wire {
	uint32_t magic;
	struct wire *next;		/* in the pool */
	struct wire *all;
	struct transport *c;
	struct fetch_hub *hub;
	CURL *easy;
	struct fetch_transfer *t;	/* NULL at rest */
	TAILQ_ENTRY(wire) link;		/* of those that wait */
	bool waits;			/* for a descriptor */
	int64_t since_us;
	unsigned generation;		/* of its credentials, 0: none */
	size_t header_bytes;
	bool too_big;
	bool swollen;			/* in decompression */
	char words[CURL_ERROR_SIZE];
};

/* --- their ends (fetch_verdict.c) ---------------------------------------- */

/* 0 or ERR_*, with t->reason and t->origin_fault. */
int fetch_verdict(struct wire *, struct fetch_transfer *, CURLcode);

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

/* The hub of a new easy handle, for its life; NULL: no memory. */
struct fetch_hub *fetch_hub_join(struct fetch_hubs *, CURL *);
CURLMcode fetch_hub_add(struct fetch_hub *, CURL *);
void fetch_hub_remove(struct fetch_hub *, CURL *);

#endif
