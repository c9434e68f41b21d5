#ifndef CLI_CLI_H
#define CLI_CLI_H

/*
 * The command line. One row of cli_commands a command, one row of its
 * option table an option: it feeds parsing, --help and the check against
 * the manual page. A command is one file, cmd_<name>.c, with one entry.
 *
 * Results go to stdout, messages to stderr; a command returns its exit
 * status (garner(1), EXIT STATUS).
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct buf;
struct err;

#define CLI_OPTIONS_MAX 16

struct cli_option {
	const char *name;	/* long name; NULL ends the table */
	char letter;		/* or 0 */
	const char *arg;	/* name of the argument, NULL: a flag */
	const char *help;
};

struct cli {			/* what every command is given */
	const char *command;
	const struct cli_option *options;	/* of the command */
	const char *value[CLI_OPTIONS_MAX];	/* by row; flags: "" */
	const char *config;	/* -c, or NULL */
	bool json;
	bool quiet;
	int argc;		/* operands */
	char **argv;
};

struct cli_command {
	const char *name;
	const char *operands;	/* for the usage: "TABLE" or "" */
	int operands_min, operands_max;
	const char *summary;	/* one line */
	const struct cli_option *options;
	int (*run)(struct cli *);
};

extern const struct cli_command cmd_cat;
extern const struct cli_command cmd_check;
extern const struct cli_command cmd_compact;
extern const struct cli_command cmd_config;
extern const struct cli_command cmd_discover;
extern const struct cli_command cmd_explain;
extern const struct cli_command cmd_gaps;
extern const struct cli_command cmd_harvest;
extern const struct cli_command cmd_init;
extern const struct cli_command cmd_quarantine;
extern const struct cli_command cmd_repair;
extern const struct cli_command cmd_status;
extern const struct cli_command cmd_verify;

/* NULL terminated, in the order of a first use. */
extern const struct cli_command *const cli_commands[];
/* Options every command takes. */
extern const struct cli_option cli_common[];

/* Argument of an option of the command, "" for a set flag, NULL: not given.
 * The name must be in its table. */
const char *cli_get(const struct cli *, const char *name);
/* Print the error and return its exit status. */
int cli_fail(const struct cli *, const struct err *);
/* Flush stdout; a failed write is an error (exit 74), a closed pipe not. */
int cli_flush(const struct cli *, int status);
int cli_main(int argc, char **argv);

/* --- the parts a command works with (cli_app.c) --------------------------- */

struct compact_options;
struct conf;
struct harvest;
struct pace_calendar;
struct harvest_stats;
struct ledger;
struct loop;
struct source;
struct source_table;
struct sys;

struct app {
	const struct cli *cli;
	const struct sys *sys;
	struct conf *conf;
	struct source *source;
	struct ledger *ledger;
	struct loop *loop;
	struct pace_calendar *calendar;
	struct harvest *harvest;
	const char *data;	/* data directory; borrowed from conf */
	const char *name;	/* of the source; borrowed from conf */
	char *origin;		/* "https://host:port" */
	char *base;		/* "/piwebapi" */
	const struct source_table **tables;	/* configured; NULL ended */
	struct app_secrets *secrets;
	struct app_signals *signals;
	struct app_progress *progress;
	int lock;		/* of app_lock(), -1: none */
};

enum app_want {
	APP_CONF = 0,		/* configuration and connector */
	APP_LEDGER_READ = 1,
	APP_LEDGER = 2,
	APP_HARVEST = 4,	/* ledger, loop, fetch; signals stop it */
};

int app_open(struct app *, const struct cli *, unsigned want, struct err *);
void app_close(struct app *);
/* One of the connector's tables; ERR_USAGE names the nearest. */
int app_table(const struct app *, const char *name,
    const struct source_table **, struct err *);
/* --table A,B (NULL: all configured); free the array. */
int app_tables(const struct app *, const char *list,
    const struct source_table ***, struct err *);
/*
 * cli_stop.c: from app_signals_new() on the first SIGINT or SIGTERM asks the
 * run to stop, and ten seconds later the program ends in any case; the
 * second ends it at once. APP_HARVEST brings it. Which came, or 0.
 */
void app_signals_new(struct app *);
void app_signals_free(struct app *);
int app_signal(const struct app *);
/* As cli_fail(), but a run that a signal ended has its status, without a
 * word more. */
int app_fail(const struct app *, const struct err *);
/*
 * cli_lock.c: that no other process does the same to those of these tables
 * (NULL ended) of the data folder that are of one of `kinds`, a set of
 * APP_KIND(); `what` is "harvest" or "compact". Of series only `group`, and
 * then no frames; 0: all. May be called again for more, and is held until
 * app_close(). ERR_BUSY names the other.
 */
#define APP_KIND(kind) (1u << (kind))
int app_lock(struct app *, const char *what,
    const struct source_table *const *, unsigned kinds, uint32_t group,
    struct err *);
/* Report streams set aside; 1 when there are any, else 0. */
int app_report_failures(const struct app *);
/*
 * --from, --to and --group, or what the configuration wants. `now` is the
 * meaning of * in options, `wanted_now` that of the configuration. Whether
 * from is before to is the caller's to check: app_range_empty() says so.
 */
struct harvest_range;
int app_range(const struct app *, int64_t now, int64_t wanted_now,
    struct harvest_range *, struct err *);
/* What the configuration alone wants. */
int app_wanted(const struct app *, int64_t wanted_now,
    struct harvest_range *, struct err *);
int app_range_empty(const struct harvest_range *, struct err *);
/* cli_ledger.c: <data>/ledger; caller frees. */
char *app_ledger_dir(const struct app *);
/* ERR_CORRUPT when there are journals without it: begun anew, it would know
 * nothing of them, and cut the shortest back. */
int app_ledger_lost(const struct app *, struct err *);
/* Read all of the ledger, before it is opened: is it there, and whole? What
 * is wrong with it is in `e`, also when 0 is returned. ERR_NOTFOUND: it is
 * not there, and nothing that it could tell of. */
enum app_ledger_state {
	APP_LEDGER_GOOD,
	APP_LEDGER_MISSING,
	APP_LEDGER_DAMAGED,
};
int app_ledger_probe(const struct app *, enum app_ledger_state *,
    struct err *);
/* What the configuration says of compaction; no progress. (cmd_compact.c) */
void app_compact_options(const struct app *, struct compact_options *);
/* <data>/silver/<source>/<table>; caller frees. */
char *app_silver_dir(const struct app *, const char *table);

/*
 * A stream as the ledger knows it (cli_streams.c): its object, what is
 * covered, and the group that reads it (0 of tables that have but one).
 * Borrowed for the call.
 */
struct ledger_object;
struct ledger_stream;
struct ledger_txn;
struct range;

struct app_stream {
	struct ledger_txn *txn;
	const struct source_table *table;
	const struct ledger_object *object;
	const struct ledger_stream *state;
	uint32_t group;
};
typedef int app_stream_fn(const struct app_stream *, void *cookie,
    struct err *);
/*
 * The streams of a table (series, frames) in order of their ids, those of
 * `group` (0: all) whose name matches `pattern` (* and ?, any case) or whose
 * key it is (NULL: all). Read piece by piece, so that no reader of the
 * ledger stays open while `out`, which fn may append to, is printed.
 */
int app_streams_each(const struct app *, const struct source_table *,
    uint32_t group, const char *pattern, app_stream_fn *, void *cookie,
    struct buf *out, struct err *);
/* ERR_NOTFOUND that says where to look for its name. */
int app_no_stream(const struct app *, const char *pattern, struct err *);
/* To stdout, and clear it; 1 when that failed, which cli_flush() tells. */
int app_print(struct buf *);
/* Was the catalogue the table is read by ever walked? A walk: itself. */
int app_walked(const struct app *, const struct source_table *, bool *,
    struct err *);
/* The server's clock as the last harvest found it, and as it must be now;
 * ours, when there was none. */
int app_clocks(const struct app *, int64_t *noted, int64_t *now,
    struct err *);
/* Why [a, b) of the stream is not covered: a word for programs. */
const char *app_gap_word(const struct ledger_stream *, const struct range *);
/* The same for a person, into the buffer. */
void app_gap_text(const struct ledger_stream *, const struct range *,
    struct buf *);
/* "1h30m", "2d4h", "0.5s", "0.1us"; a buffer of 32 is enough. */
const char *app_duration(int64_t ticks, char *, size_t);

/* cli_place.c: where something was found or done; members behind others of a
 * JSON object, or words with a blank before each. */
struct verify_place;
void app_place_json(struct buf *, const struct verify_place *);
void app_place_text(struct buf *, const struct verify_place *);

/* cli_reconcile.c: verify --source; *status becomes 1 when something
 * differs or could not be read. `to` and what is told are filled in. */
struct harvest_reconcile;
int app_reconcile(struct app *, const struct source_table *const *,
    struct harvest_reconcile *, int *status, struct err *);

/* A progress bar on a terminal, a plain line each few seconds otherwise,
 * nothing when quiet. (cli_progress.c) */
struct app_progress *app_progress_new(const struct cli *, const char *what);
void app_progress_harvest(void *progress, const struct harvest_stats *);
void app_progress_rows(void *progress, uint64_t done, uint64_t all);
void app_progress_bytes(void *progress, uint64_t done, uint64_t all);
/* Before something else is printed. */
void app_progress_wipe(struct app_progress *);
void app_progress_free(struct app_progress *);

/* cli_access.c: credentials, TLS and proxy into the options of fetch. */
struct fetch_options;
int app_access(struct app *, struct fetch_options *, struct err *);
/* Adds to an error what it may come from. */
void app_access_hint(const struct app *, struct err *);
void app_access_free(struct app *);
/* How we authenticate, for a person. */
void app_access_text(const struct app *, struct buf *);
/* Can the secrets be read? */
int app_access_check(const struct app *, struct err *);

#endif
