#ifndef MOCK_OPTIONS_H
#define MOCK_OPTIONS_H

/*
 * The command line: one table of options, which feeds the parser, --help
 * and the check against the manual page.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct buf;
struct err;

#define MOCK_FAULTS_MAX 32

enum mock_mix { MOCK_MIX_FULL, MOCK_MIX_PLAIN };

/* By a server that says so; by IIS, of the query string and of the whole;
 * by HTTP.sys. */
enum mock_url_error { MOCK_URL_414, MOCK_URL_404_15, MOCK_URL_404_14,
    MOCK_URL_400 };

struct mock_options {
	/* the data: what the truth depends on */
	uint32_t tags;
	uint32_t plants;
	uint64_t seed;
	int64_t start;			/* ticks; first event of every tag */
	int64_t now;			/* ticks; TICKS_NONE: the real clock */
	double rate;
	int64_t period_ms[3];		/* fast, medium, slow tags */
	enum mock_mix mix;
	uint32_t ties;			/* most events at one time */
	double late;
	int64_t late_max_ms;
	double edits;
	int64_t edits_max_ms;
	double deletes;
	int64_t deletes_max_ms;
	double renames;			/* of points, at a time */
	int64_t renames_at;
	double recreates;
	int64_t recreates_at;
	int64_t frame_every_ms;
	int64_t frame_longest_ms;
	int64_t frame_late_ms;
	/* the server */
	const char *bind;
	uint32_t port;
	const char *link_base;		/* NULL: what we listen on */
	const char *token;		/* NULL: none */
	const char *basic;		/* USER:PASS, or NULL */
	const char *oauth;		/* ID:SECRET, or NULL */
	int64_t token_ttl_ms;
	const char *tls_cert;		/* NULL: plain http */
	const char *tls_key;
	const char *tls_ca;		/* of client certificates, or NULL */
	unsigned tls_max;		/* minor version: 0 to 3 */
	bool tls_close;			/* in the handshake */
	int64_t latency_ms;
	int64_t set_cost_ms;		/* of each stream of a stream set */
	int64_t batch_cost_ms;		/* of each request of a batch */
	uint32_t capacity;		/* served at once; 0: any */
	uint32_t collapse;		/* in flight before it slows; 0: off */
	uint32_t connections;		/* 0: any */
	uint32_t max_count;		/* 400 above */
	uint32_t url_max;		/* characters; 0: any */
	enum mock_url_error url_error;	/* how a longer one is refused */
	uint32_t page_limit;		/* silently fewer; 0: off */
	uint32_t rate_limit;		/* requests in a window; 0: off */
	int64_t rate_window_ms;
	bool set_total;			/* maxCount is shared by a set */
	bool no_gzip;
	uint64_t cache_bytes;		/* 0: none */
	const char *log;
	const char *fault[MOCK_FAULTS_MAX];
	uint32_t faults;
	const char *fault_file;		/* or NULL */
	int64_t idle_ms;		/* quit after; 0: never */
	/* truth */
	bool truth;
	const char *table;
	int64_t from;
	int64_t to;
	bool version;
	bool help;
};

/*
 * argv[1..]; texts stay borrowed from argv and the environment. `now` is
 * the clock that `*` in times means. ERR_USAGE with the reason.
 */
int mock_options_parse(struct mock_options *, int argc, char **argv,
    int64_t now, struct err *);
void mock_options_help(struct buf *);

#endif
