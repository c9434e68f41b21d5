#ifndef MOCK_TLS_H
#define MOCK_TLS_H

/* TLS for connections; the only user of libssl. */

struct bufferevent;
struct err;
struct event_base;
struct mock_options;
struct mock_tls;

/* 0 with NULL when no certificate is given; ERR_* with the file named. */
int mock_tls_new(const struct mock_options *, struct mock_tls **,
    struct err *);
void mock_tls_free(struct mock_tls *);
/* A server's side on fd, which is taken over. */
struct bufferevent *mock_tls_accept(struct mock_tls *, struct event_base *,
    int fd);
/* Say goodbye, before it is freed. */
void mock_tls_bye(struct bufferevent *);

#endif
