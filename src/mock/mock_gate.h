#ifndef MOCK_GATE_H
#define MOCK_GATE_H

/*
 * Who may ask, and how often: what a gateway before the server decides.
 * Basic and bearer credentials, tokens by client credentials (RFC 6749,
 * section 4.4), and a rate limit for each client's address.
 */

#include <stdbool.h>
#include <stdint.h>

struct loop;
struct mock_gate;
struct mock_options;
struct mock_req;
struct mock_resp;

/* `options` are borrowed. */
struct mock_gate *mock_gate_new(struct loop *, const struct mock_options *);
void mock_gate_free(struct mock_gate *);
/* true: the refusal is written. */
bool mock_gate_refuses(struct mock_gate *, const struct mock_req *,
    struct mock_resp *);
/* POST /oauth/token: a token, or why not. */
void mock_gate_token(struct mock_gate *, struct mock_req *,
    struct mock_resp *);
/* No token issued so far is good any more. */
void mock_gate_revoke(struct mock_gate *);

#endif
