#ifndef FETCH_FETCH_H
#define FETCH_FETCH_H

/*
 * The exchange: one request and its answer, tried until it succeeds or is
 * final, as a job machine over a transport. The only user of libcurl: that
 * makes every connection; what is said on it is ours where that is plain
 * HTTP/1.1, and libcurl's else (fetch_curl_int.h).
 *
 * States of a job, in the order of a good life: queued, send, receive, done;
 * then wait (before a retry), failed, cancelled. One struct fetch serves one
 * origin: its pace (pace.h), credentials and connections.
 *
 * A job whose requests are held back by an open breaker for give_up_ms, and
 * until the probe has failed that goes out then, fails with the error that
 * was last met; so does no other wait of the queue: a rate, a ceiling, a
 * calendar and a budget are what somebody asked for.
 *
 * fetch_start() never calls back from inside; `done` runs exactly once on
 * the loop's thread, later, unless the job was cancelled: then never. In it
 * the user may start and cancel jobs and free the fetch; the job it is told
 * about is over and gone when it returns.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/hist.h"
#include "pace/pace.h"

struct fetch;
struct fetch_job;
struct loop;
struct sys;

/* How requests are authorized. */
enum fetch_auth_kind {
	FETCH_AUTH_NONE,
	FETCH_AUTH_BASIC,		/* RFC 7617 */
	FETCH_AUTH_BEARER,		/* RFC 6750 */
	FETCH_AUTH_NEGOTIATE,		/* RFC 4559, with Kerberos tickets */
	FETCH_AUTH_OAUTH2,		/* RFC 6749, section 4.4: bearer */
};

/*
 * Where the secret is: the password, the token, or the client's. Called on
 * a worker, may block; again after a 401, and after the rest that may follow
 * (struct fetch_authorizer), so that a secret may be changed while we run.
 * *value is taken over, and wiped after use.
 */
struct fetch_secrets {
	void *cookie;
	int (*get)(void *cookie, char **value, struct err *);
};

/*
 * What a server says of its own limits in headers of its answers, as GitHub
 * (x-ratelimit-remaining, x-ratelimit-reset: Unix time) and HubSpot
 * (X-HubSpot-RateLimit-Remaining, -Interval-Milliseconds) do. With none left
 * nothing is sent until the reset.
 */
enum fetch_reset { FETCH_RESET_EVERY, FETCH_RESET_UNIX, FETCH_RESET_SECONDS,
    FETCH_RESET_MS };
struct fetch_quota {
	const char *remaining;		/* name of a header */
	const char *reset;		/* of another; NULL with _EVERY */
	enum fetch_reset kind;
	int64_t every_ms;		/* without a header */
};

struct fetch_options {
	const char *origin;		/* "https://host:port": scheme and
					 * authority; jobs give the rest */
	unsigned in_flight;		/* most at once, >= 1 */
	bool adaptive;			/* finds what is best below it */
	double rate;			/* requests/s, 0: no limit */
	double burst;			/* as in pace.h, 0: chosen */
	const struct pace_calendar *calendar;	/* borrowed, or NULL */
	uint64_t budget_hour;		/* requests, 0: no limit */
	uint64_t budget_day;
	const struct fetch_quota *quotas;	/* borrowed */
	size_t quotas_n;		/* <= PACE_QUOTAS */
	unsigned breaker_failures;	/* in a row, 0: no breakers */
	double breaker_ratio;
	int64_t breaker_open_ms;	/* first time, doubling */
	int64_t breaker_open_max_ms;
	int64_t give_up_ms;		/* behind an open breaker */
	double retry_share;		/* retries that a request earns; */
	double retry_rate;		/* and a second; both 0: no limit */
	int64_t connect_timeout_ms;
	int64_t timeout_ms;		/* one try, in total */
	int64_t low_speed_ms;		/* no byte for that long */
	size_t body_max;		/* after decompression */
	unsigned ratio_max;		/* of decompression, 0: any */
	unsigned tries;			/* >= 1 */
	int64_t retry_base_ms;		/* doubling, full jitter */
	int64_t retry_cap_ms;		/* also bounds Retry-After */
	const char *user_agent;
	const char *ca_file;		/* or NULL: the system's */
	const char *cert_file;		/* of the client, PEM; or NULL */
	const char *key_file;
	const char *key_password;
	bool tls_unverified;		/* believe any certificate */
	const char *proxy;		/* URL; NULL: as the environment says,
					 * "": none */
	const char *proxy_user;
	const char *proxy_password;
	enum fetch_auth_kind auth;
	const char *user;		/* basic */
	struct fetch_secrets secrets;
	const char *token_url;		/* client credentials */
	const char *client_id;
	bool client_in_body;		/* it and the secret in the form, not
					 * by basic */
	const char *scope;		/* or NULL */
	const char *audience;		/* or NULL */
	bool plain_http_auth;		/* secrets over plain http to others
					 * than loopback */
	bool sends_secrets;		/* in bodies: the same rule */
	bool compressed;
	bool http2;
	uint64_t seed;			/* of jitter */
};

/* ERR_CONFIG when the options cannot be (e.g. credentials over plain http).
 * The strings are copied; secrets are wiped by fetch_free(). */
int fetch_new(struct loop *, const struct fetch_options *, struct fetch **,
    struct err *);
/* Cancels every job. */
void fetch_free(struct fetch *);

/* The other type of a body, of token endpoints (RFC 6749, section 4.4.2). */
#define FETCH_FORM "application/x-www-form-urlencoded"

struct fetch_request {
	const char *method;	/* "GET"; "POST" only where it reads */
	const char *target;	/* path and query, percent-encoded */
	const char *body;	/* POST; borrowed until done */
	size_t body_len;
	const char *content_type;	/* of body, NULL: JSON,
					 * or FETCH_FORM */
	int priority;		/* lower goes first; FIFO within one */
	unsigned class;		/* < PACE_CLASSES: has its own breaker */
	unsigned tries;		/* 0: as the options say */
	bool about;		/* what is asked for is in doubt, not the
				 * server: 500 in JSON is an answer like 404,
				 * not tried again, and no breaker counts it */
};

struct fetch_answer {
	struct err err;		/* err.code: 0 when status is 2xx and the body
				 * came whole; else by the table below */
	int status;		/* HTTP status of the last try, 0 if none */
	bool json;		/* Content-Type says JSON */
	char *body;		/* owned by the answer, padded by 16 zero
				 * bytes; take it over by setting it NULL */
	size_t len;
	unsigned tries;
	bool held;		/* given up behind an open breaker: err is of
				 * the server, or of another request */
	int64_t total_us;	/* of the last try */
	int64_t first_byte_us;
	int64_t connect_us;	/* of them, to make a connection; mostly 0 */
	int64_t wire_bytes;	/* as received, of the last try */
	bool slow_down;		/* set by the user: answers within this one
				 * were 429. The pace takes it as one, */
	int64_t slow_down_ms;	/* with this Retry-After; -1: none */
	bool unusable;		/* set by the user, with err: it makes no
				 * sense (a sign-in page, half a document),
					 * without what was asked. The breaker
					 * counts it as a failure. */
};

/*
 *  err.code        when                                   tried again
 *  ERR_CONNECT     resolve, connect, reset, early close   yes
 *  ERR_TIMEOUT     408, 504, connect, low speed, total    yes
 *  ERR_TLS         handshake, certificate (cause named)   no
 *  ERR_RATE        429                                    yes, Retry-After
 *  ERR_SERVER      500, 502, 503, other 5xx               yes, Retry-After
 *  ERR_UNSUPPORTED 501                                    no
 *  ERR_AUTH        401, 407; the proxy refuses us         no
 *  ERR_FORBIDDEN   403                                    no
 *  ERR_NOTFOUND    404                                    no
 *  ERR_GONE        410                                    no
 *  ERR_REQUEST     400, 409, 413, 414, 431, other 4xx,    no
 *                  redirects (never followed)
 *  ERR_LIMIT       body above body_max                    no
 *  ERR_ANSWER      bad content encoding, lying length     yes
 *  ERR_CONFIG      a certificate file that is unusable    no
 *
 * The text names method, target (cut), status and what the server said.
 */
typedef void fetch_done_fn(void *cookie, struct fetch_answer *);

struct fetch_job *fetch_start(struct fetch *, const struct fetch_request *,
    fetch_done_fn *, void *cookie);
/* Legal in every state before done has run. */
void fetch_cancel(struct fetch_job *);

/*
 * Of an answer that came within another one: a->err becomes what a job that
 * asked for the target, and had this status and body, would have told after
 * one try.
 */
void fetch_judge(const struct fetch *, const char *target,
    struct fetch_answer *);

/* How tries ended, for counters; the words of fetch_class_name(). */
enum fetch_class {
	FETCH_OK,
	FETCH_AUTH_FAILED,
	FETCH_NOT_FOUND,		/* also gone */
	FETCH_PERMISSION_DENIED,
	FETCH_RATE_LIMITED,
	FETCH_BAD_REQUEST,
	FETCH_UNSUPPORTED,
	FETCH_INTERNAL_ERROR,		/* 5xx */
	FETCH_CONNECTION_FAILED,	/* also TLS and timeouts */
	FETCH_BAD_ANSWER,
	FETCH_END_CLASSES
};
const char *fetch_class_name(enum fetch_class);

struct fetch_stats {
	uint64_t requests;	/* sent, each try counted */
	uint64_t retries;
	uint64_t failed;	/* final */
	uint64_t wire_bytes;
	uint64_t body_bytes;
	uint64_t connects;
	uint64_t by_class[FETCH_END_CLASSES];	/* of tries that ended */
	unsigned in_flight;
	unsigned queued;
};
void fetch_stats(const struct fetch *, struct fetch_stats *);

/* Of tries that ended, microseconds and bytes; borrowed until fetch_free(). */
struct fetch_hists {
	struct hist connect_us;		/* of new connections only */
	struct hist first_byte_us;
	struct hist total_us;
	struct hist body_bytes;
};
const struct fetch_hists *fetch_hists(const struct fetch *);
void fetch_pace(const struct fetch *, struct pace_state *);
/* pace_get_spent() and its like, now. */
void fetch_get_spent(struct fetch *, struct pace_spent *);
void fetch_set_quotas(struct fetch *, const struct pace_spent *);
void fetch_grant(struct fetch *, const struct pace_claims *);

/* Overwrite our credentials in text that came from the server and is to be
 * kept: a good answer is not searched for them unless asked. */
void fetch_conceal(const struct fetch *, char *text, size_t len);

/* How many jobs more are worth starting now: what can be sent at once, and
 * a few that wait for those in flight to end. */
unsigned fetch_room(const struct fetch *);

/* Put in front of what is wrong with an answer what was asked, as all of our
 * messages have it: method, and target (cut). */
void fetch_blame(struct err *, const char *method, const char *target);

/* What the server said, from an error body in any of PI Web API's shapes
 * ({"Errors":[..]}, {"Message":..}, a JSON string) or HTML's title, escaped,
 * one line; "" when nothing can be read. */
void fetch_server_text(const char *body, size_t len, struct buf *);

/*
 * The transport: libcurl in the program, a scripted one in tests. A
 * transfer is one try. finished() is called on the loop's thread, never
 * from inside start() or stop(); after stop() never.
 */
struct fetch_credentials {
	unsigned generation;		/* another one: other values, or the
					 * same after a rest */
	bool alone;			/* nobody accepted them yet: one
					 * request at a time, over a connection
					 * of its own */
	enum fetch_auth_kind kind;
	const char *user, *password, *token;
};

struct fetch_transfer {
	const char *method;
	const char *url;		/* whole */
	const char *body;
	size_t body_len;
	const char *content_type;	/* NULL: JSON */
	const struct fetch_credentials *credentials;	/* NULL: none;
					 * borrowed until start() returns */
	/* result */
	int rc;				/* 0 the body came whole, or ERR_* */
	char reason[256];
	bool origin_fault;		/* reason names the origin, not the
					 * target */
	int status;
	int64_t retry_after_ms;		/* -1 none; dates resolved */
	struct {
		int64_t remaining;	/* -1: not told */
		int64_t reset;		/* as told; -1: not */
	} quotas[PACE_QUOTAS];
	bool json;
	struct buf in;
	int64_t total_us, first_byte_us, connect_us, wire_bytes;
	bool connected;			/* a new connection was made */
	void (*finished)(struct fetch_transfer *);
	void *owner;
	void *handle;			/* the transport's own */
};

struct fetch_transport {
	void *cookie;
	int (*start)(void *, struct fetch_transfer *);
	void (*stop)(void *, struct fetch_transfer *);
	void (*free)(void *);
};

/*
 * Where credentials come from: fetch_auth.c in the program. get: 1 and *out
 * (borrowed until the next turn), 0 when wake will be called, or ERR_* when
 * there are none, asked again whenever a request is to be sent. refused: a
 * request with that generation had a 401; true when others are there or
 * being had, or the same are worth another try. accepted: one had a 2xx.
 * hide: overwrites what must not be shown in text that came back with an
 * error. All on the loop's thread; wake never from inside a call.
 *
 * So that no account is locked by us, a secret that was refused is sent again
 * once at most for each success with it, and not at all before the first: by
 * one request, after 10 s or retry_cap_ms, with nobody sent meanwhile. What
 * was in flight when it was refused had been sent before.
 */
struct fetch_authorizer {
	void *cookie;
	int (*get)(void *, const struct fetch_credentials **out,
	    struct err *);
	bool (*refused)(void *, unsigned generation);
	void (*accepted)(void *, unsigned generation);
	void (*listen)(void *, void (*wake)(void *), void *wake_cookie);
	void (*hide)(void *, char *text, size_t len);
	void (*free)(void *);
};

/* Takes over the transport and the authorizer (NULL: none). fetch_new() is
 * this with libcurl's and fetch_auth.c's. */
int fetch_new_on(struct loop *, const struct fetch_options *,
    const struct fetch_transport *, const struct fetch_authorizer *,
    struct fetch **, struct err *);

#endif
