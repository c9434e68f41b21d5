#ifndef FETCH_FETCH_INT_H
#define FETCH_FETCH_INT_H

/* What the files of fetch share. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "fetch/fetch.h"

/* Zero bytes after a body: the JSON reader may parse it in place. */
#define FETCH_PADDING 16
/* Of one answer, in total. */
#define FETCH_HEADER_MAX (256u << 10)
/* Of a target in a message. */
#define FETCH_TARGET_SHOWN 120

/* fetch_text.c: words and numbers of HTTP */
int fetch_origin_check(const struct fetch_options *, struct err *);
bool fetch_target_valid(const char *);
/* Host and port of an origin, as a person would name it. */
const char *fetch_authority(const char *origin);
bool fetch_origin_loopback(const char *origin);
/* ERR_* of a status; 0 for 2xx. */
int fetch_status_code(int status);
bool fetch_code_again(int code);
const char *fetch_status_text(int status);	/* "" when unknown */
/* What happened, for a person. */
void fetch_explain(struct err *, int code, const struct fetch_transfer *,
    const char *target, unsigned tries);

/* fetch_curl.c */
int fetch_curl_new(struct loop *, const struct fetch_options *,
    struct fetch_transport *, struct err *);

#endif
