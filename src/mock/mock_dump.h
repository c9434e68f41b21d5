#ifndef MOCK_DUMP_H
#define MOCK_DUMP_H

/* The truth as lines of JSON: what the client's silver should hold. */

#include <stdio.h>

struct err;
struct mock_options;

/* 0, ERR_USAGE for an unknown table, ERR_IO. */
int mock_dump(const struct mock_options *, FILE *, struct err *);

#endif
