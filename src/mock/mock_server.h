#ifndef MOCK_SERVER_H
#define MOCK_SERVER_H

/*
 * The server: listens, speaks HTTP/1.1, answers. Runs on the loop given,
 * until mock_server_free().
 */

#include <stdint.h>

struct err;
struct loop;
struct mock_options;
struct mock_server;

/* Listens at once; NULL with the reason in err. `options` are borrowed. */
struct mock_server *mock_server_new(struct loop *, const struct mock_options *,
    struct err *);
void mock_server_free(struct mock_server *);
uint16_t mock_server_port(const struct mock_server *);
/* "http://127.0.0.1:PORT/piwebapi" */
const char *mock_server_url(const struct mock_server *);

#endif
