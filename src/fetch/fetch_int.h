#ifndef FETCH_FETCH_INT_H
#define FETCH_FETCH_INT_H

/* What the files of fetch share. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "base/base_limits.h"
#include "base/buf.h"
#include "base/hash.h"
#include "fetch/fetch.h"

/* Of one answer, in total. */
#define FETCH_HEADER_MAX BOUND_HEADERS
/* The ratio of decompression is looked at from so many bytes on. */
#define FETCH_RATIO_FROM BOUND_RATIO_FROM
/* Of a target in a message. */
#define FETCH_TARGET_SHOWN 120

/* --- jobs (fetch_job.c) -------------------------------------------------- */

/*
 *  state      transfer  timer   next
 *  queued     -         -       send, failed (given up), cancelled
 *  send       -         -       receive, wait, failed, cancelled
 *  receive    started   -       done, queued (new credentials), wait,
 *                               failed, cancelled
 *  done       -         -       (user is told)
 *  wait       -         set     queued, cancelled
 *  failed     -         -       (user is told)
 *  cancelled  -         -       (user is not told)
 */
enum fetch_job_state {
	JOB_NEW,		/* in no list yet */
	JOB_QUEUED,
	JOB_SEND,
	JOB_RECEIVE,
	JOB_DONE,
	JOB_WAIT,
	JOB_FAILED,
	JOB_CANCELLED,
	JOB_STATES
};

struct fetch_job {
	uint32_t magic;
	enum fetch_job_state state;
	TAILQ_ENTRY(fetch_job) link;	/* of the state, or of the queue */
	TAILQ_ENTRY(fetch_job) ready_link;
	bool ready;
	struct fetch *f;
	fetch_done_fn *done;
	void *cookie;
	const char *method;		/* a literal */
	char *url;			/* whole */
	const char *target;		/* in url */
	const char *body;		/* borrowed from the user */
	size_t body_len;
	const char *content_type;	/* borrowed, a literal */
	int priority;
	unsigned class;
	unsigned tries_max;
	unsigned tries;
	bool about;
	bool auth_again;		/* the last try had a 401, and there
					 * were newer credentials */
	bool auth_none;			/* there are no credentials */
	unsigned generation;		/* of those it was sent with */
	int code;			/* of the last try */
	bool given_up;			/* by the queue */
	struct fetch_transfer t;	/* of the last try */
	struct pace_ticket ticket;	/* send, receive */
	bool started;			/* the transport has it */
	struct loop_timer *timer;	/* wait */
};

TAILQ_HEAD(fetch_job_list, fetch_job);

#define JOB_MAGIC 0x464a4f42u

/* The only writer of the state. */
void fetch_job_set_state(struct fetch_job *, enum fetch_job_state);
/* Steps the job until it waits. */
void fetch_job_run(struct fetch_job *);
void fetch_job_ready(struct fetch_job *);
/* Beyond the origin the rest is the caller's to fill in. */
struct fetch_job *fetch_job_new(struct fetch *, const char *target);
void fetch_job_free(struct fetch_job *);
/* Of those that are at rest. */
void fetch_jobs_fini(struct fetch *);

/* --- the queue and its door (fetch_queue.c) ------------------------------ */

/* Jobs of one priority and class, first in, first out. */
struct fetch_level {
	int priority;
	unsigned class;
	uint64_t served;		/* turn in which one went last */
	struct fetch_job_list jobs;
};

struct fetch_job_list *fetch_level_of(struct fetch *, int priority,
    unsigned class);
/* Lets in who may be sent now. Returns when to come again, in us, or -1 when
 * something else will wake us. */
int64_t fetch_admit(struct fetch *);

/* --- bodies (fetch_body.c) ----------------------------------------------- */

#define FETCH_BODIES 16

struct fetch_bodies {
	struct buf kept[FETCH_BODIES];
	unsigned n;
	size_t bytes;
};

/* A buffer for a body, empty, of memory that may have been another's. */
void fetch_body_take(struct fetch *, struct buf *);
/* Room for so much, before anything is in it. */
void fetch_body_room(struct buf *, size_t);
/* It is no longer wanted; what is left has no memory. */
void fetch_body_give(struct fetch *, struct buf *);
void fetch_bodies_fini(struct fetch *);

/* --- the fetch (fetch.c) ------------------------------------------------- */

#define FETCH_MAGIC 0x46455443u

struct fetch {
	uint32_t magic;
	struct loop *loop;
	struct fetch_transport on;
	struct fetch_authorizer auth;	/* get == NULL: none */
	const struct fetch_credentials *credentials;	/* of this turn */
	struct err auth_err;		/* why there are none */
	struct loop_timer *turn;	/* awake, or the door's time */
	char *origin;
	size_t origin_len;
	struct pace *pace;
	size_t body_max;
	unsigned tries;
	int64_t retry_base_ms;
	int64_t retry_cap_ms;
	int64_t give_up_us;
	const struct fetch_quota *quotas;	/* borrowed */
	size_t quotas_n;
	struct rng rng;
	struct fetch_level **levels;	/* by priority */
	size_t levels_n;
	uint64_t served;
	struct fetch_job_list lists[JOB_STATES];	/* all but queued */
	unsigned counts[JOB_STATES];	/* kept by fetch_job_set_state() */
	struct fetch_job_list ready;
	struct fetch_job_list spare;	/* freed, to be used again */
	struct fetch_bodies bodies;
	struct err last[PACE_CLASSES];	/* failure of a try, by class */
	unsigned last_class;		/* of the latest */
	const char *spent;		/* what was said to be, a literal */
	struct fetch_stats stats;
	struct fetch_hists hists;
	bool in_turn;
	bool awake;			/* a turn comes at once */
	bool dying;			/* freed from inside a callback */
};

/* A turn comes soon. */
void fetch_wake(struct fetch *);

/* Makes a transport: that of the program, or of a test. */
typedef int fetch_transport_fn(struct loop *, const struct fetch_options *,
    struct fetch_transport *, struct err *);

/* fetch_auth.c: *out has get == NULL when there is nothing to do. Tokens are
 * bought over a transport of their own. */
int fetch_auth_new(struct loop *, const struct fetch_options *,
    fetch_transport_fn *, struct fetch_authorizer *out, struct err *);
/* Wiped; NULL does nothing. */
void fetch_secret_free(char *);

/* fetch_token.c: buys tokens for client credentials. `done` owns the token;
 * it is NULL when err says why: ERR_AUTH when we are refused. Never called
 * from inside fetch_token_buy(), which takes the secret over; nor after
 * fetch_token_free(). */
struct fetch_token;
typedef void fetch_token_fn(void *cookie, char *token, int64_t life_s,
    const struct err *);
int fetch_token_new(struct loop *, const struct fetch_options *,
    fetch_transport_fn *, fetch_token_fn *, void *cookie,
    struct fetch_token **, struct err *);
void fetch_token_buy(struct fetch_token *, char *secret);
void fetch_token_free(struct fetch_token *);

/* fetch_text.c: words and numbers of HTTP */
int fetch_origin_check(const struct fetch_options *, struct err *);
bool fetch_target_valid(const char *);
/* Does a Content-Type say JSON? */
bool fetch_type_json(const char *, size_t len);
/* Can a header carry it? */
bool fetch_token_valid(const char *);
/* Stars over the secret (or NULL) wherever it stands in text: as it is,
 * percent-encoded, and in base64 with a user (or NULL) before it. */
void fetch_hide(char *text, size_t len, const char *user,
    const char *secret);
/* One header line of an answer, without its end: is it one of the quotas? */
void fetch_quota_header(const struct fetch_quota *, size_t n, const char *,
    size_t len, struct fetch_transfer *);
/* Host and port of an origin, as a person would name it. */
const char *fetch_authority(const char *origin);
bool fetch_origin_https(const char *origin);
bool fetch_origin_loopback(const char *origin);
/* ERR_* of a status; 0 for 2xx. */
int fetch_status_code(int status);
bool fetch_code_again(int code);
enum fetch_class fetch_code_class(int code);
/* What a try tells of the server's pace. */
enum pace_outcome fetch_outcome(int code, const struct fetch_transfer *);
const char *fetch_status_text(int status);	/* "" when unknown */
/* Words from outside, escaped but for quotes. */
void fetch_put_words(struct buf *, const char *, size_t len, size_t max);
/* What happened, for a person. */
void fetch_explain(struct err *, int code, const struct fetch_transfer *,
    const char *target, unsigned tries);

/* fetch_tls.c: append why TLS failed, from the verdict on the certificate
 * (X509_V_*; 0: none) and libcurl's words. ERR_TLS, or ERR_CONNECT and
 * nothing appended when the connection was just closed. */
int fetch_tls_cause(long verify, const char *words, struct buf *);

#endif
