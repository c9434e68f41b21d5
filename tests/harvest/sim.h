#ifndef HARVEST_SIM_H
#define HARVEST_SIM_H

/*
 * What the files of the simulation share: a PI server whose whole truth,
 * past and to come, is in memory, and what silver may hold of it.
 *
 *	sim_world.c	streams and events of a seed
 *	sim_ask.c	what is asked
 *	sim_server.c	what is answered; the transport in front of it
 *	sim_fault.c	what goes wrong, and how
 *	sim_oracle.c	what silver and ledger must say
 *	sim_silver.c	reading silver and ledger back
 *	sim_sys.c	files, clocks, chance; being killed in a call
 *	sim_run.c	a seed: cycles, kills, stops, compactions
 *	test_harvest_sim.c	seeds, and making a failing one small
 *
 * An event is there from `born` until it has `died`, in the server's time:
 * late ones are born after their time, an edit is a death and a birth at one
 * time, a deletion a death alone. So the truth needs no changing: it is a
 * function of the clock.
 *
 * Numbers are drawn from several generators, one a concern, so that taking
 * out streams or faults (to shrink a seed that fails) leaves the rest as it
 * was.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/hash.h"
#include "base/ranges.h"
#include "base/ticks.h"

struct buf;
struct fetch_transfer;
struct fetch_transport;
struct ledger;
struct loop;
struct source;
struct source_table;
struct sys;

#define SIM_STREAMS 32
#define SIM_CYCLES_MAX 6
#define SIM_NEVER INT64_MAX

/* What a seed may do without; names in test_harvest_sim.c. */
enum sim_feature {
	SIM_FAULTS = 1 << 0,
	SIM_KILLS = 1 << 1,
	SIM_STOPS = 1 << 2,
	SIM_LATE = 1 << 3,
	SIM_EDITS = 1 << 4,
	SIM_DELETES = 1 << 5,
	SIM_TIES = 1 << 6,
	SIM_BROKEN = 1 << 7,
	SIM_LIMITS = 1 << 8,	/* caps and URLs of the server */
	SIM_TOTAL = 1 << 9,	/* maxCount over the set */
	SIM_CLOCKS = 1 << 10,	/* ours differs from the server's, and jumps */
	SIM_CYCLES = 1 << 11,	/* more than one */
	SIM_ODD = 1 << 12,	/* unusual forms of good answers */
	SIM_POINTS = 1 << 13,	/* points appear and vanish */
	SIM_REBUILDS = 1 << 14,	/* the ledger is lost, and made again */
	SIM_LEADS = 1 << 15,	/* weeks or years before the first event */
	SIM_RANGES = 1 << 16,	/* cycles of a part of the time or streams */
	SIM_REREADS = 1 << 17,	/* all is asked for again */
	SIM_ALL = 1 << 18,	/* silver with all ties */
	SIM_BATCHES = 1 << 19,	/* there are such, on most servers */
	SIM_FORMS = 1 << 20,	/* of asking: some only, at odd costs */
	SIM_FEATURES = 21
};

/* How much of a seed is run. */
struct sim_knobs {
	uint32_t streams;	/* mask */
	uint32_t without;	/* sim_feature mask */
	uint32_t faults;	/* at most */
	bool verbose;
};

struct sim_event {
	int64_t t;
	int64_t born, died;	/* ticks of the server */
	uint32_t order;		/* among those of its time */
	uint32_t serial;	/* tells its value */
	uint8_t form;		/* of the value */
	bool seven;		/* digits of its time, always */
};

/* Events of one time, in the server's order. Silver has one row of them, the
 * last, or with all ties a row an ordinal: what each may be, oracle's. */
struct sim_key {
	uint32_t from, n;
	bool *may;		/* see sim_may() */
};

enum sim_how {			/* a stream is broken */
	SIM_REFUSED,		/* the whole call, with `status` */
	SIM_INSIDE,		/* Errors in its entry of a 200 */
	SIM_EXCEPTION,		/* WebException in its entry */
	SIM_MISSING,		/* not in answers, refused alone */
	SIM_HOWS
};

struct sim_stream {
	char webid[64], full[128];
	char name[24];
	bool there;		/* not taken out by the knobs */
	struct sim_event *e;	/* by t, then order */
	uint32_t n;
	struct sim_key *k;
	uint32_t nk;
	int64_t listed_from, listed_to;	/* it is in the catalogue */
	int64_t broken_from, broken_to;
	enum sim_how how;
	int status;
	/* oracle */
	uint32_t id;		/* of the ledger, 0: not there yet */
	struct ranges before, after;	/* coverage around a cycle */
	bool gone;		/* the ledger says that it is not listed */
	bool failed;		/* set aside in this cycle */
	bool refused;		/* in one before; not asked until discovered */
};

/* What must survive a killed child, in shared memory. */
struct sim_shared {
	int64_t now_us;		/* virtual; grows over all cycles */
	int64_t to;		/* the server's clock as last told */
	struct rng faults, latency, random;
	uint32_t nfaults;
	uint64_t requests;
	uint64_t seed;
	uint64_t cycles, killed, stopped, ended;	/* ended by an error */
	uint64_t asked_one, asked_set, asked_batch, asked_parts;
	uint64_t ties, aside, rows, rebuilt, reread, unchanged;
	uint64_t by_fault[32];
	char failure[2000];
};

struct sim {
	uint64_t seed;
	struct sim_knobs knobs;
	struct sim_shared *x;
	struct rng rng;			/* of making the world */
	struct sim_stream s[SIM_STREAMS];
	uint32_t n;
	int64_t from;			/* wanted from here */
	int64_t begin;			/* >= from: a lead may be empty */
	int64_t span;			/* events are in [begin, + span) */
	int64_t reread;
	uint32_t ncycles;
	int64_t cycle_at[SIM_CYCLES_MAX];	/* or soon after */
	/* the server */
	int64_t unix_zero;		/* its ticks at now_us == 0 */
	uint32_t cap;			/* MaxReturnedItemsPerCall */
	bool cap_sums;			/* over the streams of a call */
	uint32_t url_max;
	bool total, by_time;		/* reading of maxCount */
	bool echo_full;			/* WebIDs come as Full */
	bool first_list;		/* first values come as lists of one */
	int64_t latency_us;
	int64_t set_cost_us, batch_cost_us;	/* of each stream, request */
	int batch_status;		/* batches are refused with it; or 0 */
	bool many_broken;
	bool ties_all;			/* the ordinal is part of the key */
	uint32_t group_size;
	uint32_t cap_ours;		/* the option, or the server's if less */
	/* this cycle */
	struct loop *loop;
	unsigned fault_rate;		/* of 1000 requests */
	unsigned in_flight;
	/* our clock */
	int64_t skew;			/* ticks ahead of the server's */
	uint64_t calls_left;		/* of the system, until we are killed */
	const char *dir;
};

void sim_broken(const struct sim *, const char *file, int line,
    const char *fmt, ...) __attribute__((noreturn, format(printf, 4, 5)));
#define SIM_CHECK(s, x, ...) \
	((x) ? (void)0 : sim_broken((s), __FILE__, __LINE__, __VA_ARGS__))

static inline bool
sim_chance(struct rng *r, unsigned percent)
{
	return (rng_below(r, 100) < percent);
}

static inline int64_t
sim_between(struct rng *r, int64_t lo, int64_t hi)
{
	return (lo + (int64_t)rng_below(r, (uint64_t)(hi - lo) + 1));
}

static inline bool
sim_has(const struct sim *s, enum sim_feature f)
{
	return ((s->knobs.without & f) == 0);
}

/* sim_world.c: streams and events up to from + span. */
void sim_world_init(struct sim *);
void sim_world_fini(struct sim *);
bool sim_stream_broken(const struct sim_stream *, int64_t now);
static inline bool
sim_alive(const struct sim_event *e, int64_t now)
{
	return (e->born <= now && now < e->died);
}

/* sim_ask.c */
#define SIM_BASE "/piwebapi"
struct sim_ask {
	const char *path;		/* below SIM_BASE */
	size_t path_len;
	struct sim_stream *streams[SIM_STREAMS];
	uint32_t n;
	bool unknown;			/* a WebId of nobody */
	int64_t a, b;
	uint32_t start, count;
};
void sim_ask_parse(struct sim *, struct sim_ask *, const char *target);
/* One more stream, by its WebId. */
void sim_ask_stream(struct sim *, struct sim_ask *, const char *webid,
    size_t len);

/* sim_server.c */
int64_t sim_server_now(const struct sim *);	/* ticks */
void sim_transport(struct sim *, struct fetch_transport *);

/* sim_fault.c: what happens to this request. It may stand instead of an
 * answer (true), or spoil the one that is made. */
enum sim_fault {
	SIM_NO_FAULT,
	/* instead of an answer */
	SIM_REFUSED_CONNECT, SIM_TIMEOUT, SIM_500, SIM_502, SIM_503, SIM_504,
	SIM_408, SIM_429,
	SIM_HTML, SIM_EMPTY, SIM_NULL,
	/* of an answer with streams */
	SIM_CUT, SIM_TOP_EXCEPTION, SIM_HALF, SIM_ITEM_ERRORS, SIM_LEFT_OUT,
	SIM_STRANGER, SIM_TWICE, SIM_DESCENDING,
	SIM_FAULT_KINDS
};
extern const char *const sim_fault_names[SIM_FAULT_KINDS];
enum sim_fault sim_fault_draw(struct sim *);
bool sim_fault_instead(struct sim *, enum sim_fault, struct fetch_transfer *);

/* sim_oracle.c */
/* Of row `o` of a key: [i] it may be event i, [n] it may be missing, [n + 1]
 * it was seen. */
static inline bool *
sim_may(const struct sim_key *k, uint32_t o)
{
	return (&k->may[(size_t)o * (k->n + 2)]);
}
static inline uint32_t
sim_rows(const struct sim *s, const struct sim_key *k)
{
	return (s->ties_all ? k->n : 1);
}
struct sim_cycle {
	int64_t began, ended;	/* ticks of the server */
	int64_t from, to;	/* wanted; to is TICKS_NONE when it was not
				 * told the time */
	uint32_t group;		/* only this one; 0: all */
	bool reread;		/* all of it, covered or not */
	bool whole;		/* neither failed nor stopped */
	bool calm;		/* no faults but broken streams */
	bool discovers;
	uint32_t nties;		/* reported */
	uint32_t nexpected;	/* counted by sim_oracle_cycle() */
};
struct sim_stream *sim_stream_find(struct sim *, const char *webid,
    size_t len);
/* A time of a stream that was reported as not fully readable. */
void sim_oracle_tie(struct sim *, const struct sim_cycle *,
    const char *name, const char *text);
/* What may be in silver now; and that the coverage is as it must be. */
void sim_oracle_cycle(struct sim *, struct sim_cycle *);
/* A row of silver, and after the last of them. */
struct sim_row {
	const char *webid, *text;
	size_t webid_len, text_len;	/* text NULL: null */
	int64_t t;
	int32_t ordinal;	/* with all ties, else 0 */
	bool has_value, has_code;
	double value;
	int64_t code;
	bool good;
};
void sim_oracle_row(struct sim *, const struct sim_row *);
void sim_oracle_rows_end(struct sim *);

/* sim_silver.c: reading back */
void sim_read_ledger(struct sim *, struct ledger *,
    const struct source_table *series, bool after);
void sim_read_silver(struct sim *, const char *data_dir,
    const char *source, const struct source_table *);

/* sim_sys.c: a process that is killed in a call ends with this. */
#define SIM_EXIT_KILLED 7
void sim_sys(struct sim *, struct sys *);

/* sim_run.c: one seed; leaves by sim_broken() when something is wrong. */
void sim_run(uint64_t seed, const struct sim_knobs *, struct sim_shared *,
    const struct source *, const char *dir);

#endif
