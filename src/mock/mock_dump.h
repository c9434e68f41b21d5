#ifndef MOCK_DUMP_H
#define MOCK_DUMP_H

/* The truth as lines of JSON: what the client's silver should hold. */

#include <stdio.h>

struct err;
struct mock_options;

/* 0, also when nobody reads it to its end (EPIPE); ERR_USAGE for an unknown
 * table, or what err_sys() makes of a write that fails. */
int mock_dump(const struct mock_options *, FILE *, struct err *);

#endif
