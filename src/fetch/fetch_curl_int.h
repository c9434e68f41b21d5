#ifndef FETCH_CURL_INT_H
#define FETCH_CURL_INT_H

/*
 * What the files that know libcurl share.
 *
 *	fetch_curl.c	transfers: options of an easy handle, results
 *	fetch_hub.c	multi handles on the loop: sockets and timers
 */

#include <stdbool.h>

#include <curl/curl.h>

struct loop;
struct fetch_hub;
struct fetch_hubs;

/* A transfer is over; on the loop's thread, not from inside a call below. */
typedef void fetch_hub_fn(CURL *, CURLcode);

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
