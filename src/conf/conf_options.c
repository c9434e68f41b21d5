/*
 * The table of options: one row each, in the order of the sample file. It
 * feeds the parser, `garner config`, `garner init`, and the check against
 * garner.yaml(5).
 */

#include "config.h"

#include <stdint.h>

#include "conf/conf.h"

#define DAY 86400000.0		/* ms */
#define MIB 1048576.0

static const struct conf_option options[] = {
	{ "version", CONF_INT, "1", 1, 1, NULL, "",
	    "form of this file" },
	{ "data", CONF_PATH, "./data", 0, 0, NULL, "",
	    "folder of ledger, journals and tables" },

	{ "source.name", CONF_TEXT, "pi", 0, 0, NULL, "",
	    "name in paths: a-z, 0-9, _ and -" },
	{ "source.connector", CONF_TEXT, "pi", 0, 0, NULL, "",
	    "kind of API" },
	{ "source.connector_file", CONF_PATH, NULL, 0, 0, NULL, "",
	    "a connector file of your own, instead" },
	{ "source.url", CONF_URL, NULL, 0, 0, NULL, "",
	    "base address of the server" },
	{ "source.auth.type", CONF_ENUM, "none", 0, 0, "none|basic|bearer",
	    "", "how to authenticate" },
	{ "source.auth.user", CONF_TEXT, NULL, 0, 0, NULL, "",
	    "for basic: DOMAIN\\user, user@domain" },
	{ "source.auth.password", CONF_SECRET, NULL, 0, 0, NULL, "",
	    "for basic" },
	{ "source.auth.token", CONF_SECRET, NULL, 0, 0, NULL, "",
	    "for bearer" },
	{ "source.auth.plain_http", CONF_BOOL, "false", 0, 0, NULL, "",
	    "credentials over http beyond loopback" },
	{ "source.tls.ca", CONF_PATH, NULL, 0, 0, NULL, "",
	    "PEM file to trust, not the system's" },
	{ "source.tables", CONF_LIST, NULL, 0, 0, NULL, "",
	    "all when left out" },
	{ "source.streams", CONF_TEXT, "*", 0, 0, NULL, "",
	    "name filter of points, with * and ?" },

	{ "groups.by", CONF_ENUM, "range", 0, 0, "range", "",
	    "how streams are put into groups" },
	{ "groups.size", CONF_INT, "2000", 1, 1000000, NULL, "streams",
	    "streams of a group" },

	{ "harvest.from", CONF_TIME, "*-1d", 0, 0, NULL, "",
	    "begin of what is wanted" },
	{ "harvest.to", CONF_TIME, "*", 0, 0, NULL, "",
	    "end of it, * is the server's now" },
	{ "harvest.reread", CONF_DURATION, "4h", 0, 3650 * DAY, NULL, "",
	    "tail read again, for late values" },
	{ "harvest.reread_frames", CONF_DURATION, "1d", 0, 3650 * DAY, NULL,
	    "", "the same for event frames" },
	{ "harvest.target_items", CONF_INT, "10000", 1, 10000000, NULL,
	    "items", "items an answer should have" },
	{ "harvest.page_items", CONF_INT, "0", 0, 10000000, NULL, "items",
	    "most asked of one stream, 0: chosen" },
	{ "harvest.item_cap", CONF_INT, "150000", 1, 10000000, NULL, "items",
	    "the server's cap of items a call" },
	{ "harvest.url_max", CONF_INT, "2000", 200, 1000000, NULL,
	    "characters", "longest request line" },
	{ "harvest.window_max", CONF_DURATION, "30d", 1000, 3650 * DAY, NULL,
	    "", "longest window of one request" },
	{ "harvest.commit_rows", CONF_INT, "20000", 1, 500000, NULL, "rows",
	    "rows of a commit" },
	{ "harvest.commit_every", CONF_DURATION, "200ms", 10, 60000, NULL,
	    "", "oldest an uncommitted row gets" },
	{ "harvest.memory", CONF_SIZE, "16MiB", MIB, 1024 * 1024 * MIB, NULL,
	    "", "answers and uncommitted rows held" },
	{ "harvest.workers", CONF_INT, "1", 0, 16, NULL, "threads",
	    "for compression and sync, 0: none" },

	{ "fetch.in_flight", CONF_INT, "64", 1, 10000, NULL, "requests",
	    "most requests at once" },
	{ "fetch.adaptive", CONF_BOOL, "true", 0, 0, NULL, "",
	    "find the best number below that" },
	{ "fetch.rate", CONF_DOUBLE, "0", 0, 1000000, NULL, "requests/s",
	    "most requests a second, 0: no limit" },
	{ "fetch.burst", CONF_DOUBLE, "0", 0, 1000000, NULL, "requests",
	    "at once after a pause, 0: of 50 ms" },
	{ "fetch.calendar", CONF_LIST, NULL, 0, 0, NULL, "",
	    "ceilings by weekday and hour" },
	{ "fetch.zone", CONF_TEXT, "UTC", 0, 0, NULL, "",
	    "time zone of calendar and day" },
	{ "fetch.budget_hour", CONF_INT, "0", 0, 1e12, NULL, "requests",
	    "requests of an hour, 0: no limit" },
	{ "fetch.budget_day", CONF_INT, "0", 0, 1e12, NULL, "requests",
	    "requests of a day, 0: no limit" },
	{ "fetch.connect_timeout", CONF_DURATION, "10s", 10, DAY, NULL, "",
	    "to connect" },
	{ "fetch.timeout", CONF_DURATION, "120s", 10, DAY, NULL, "",
	    "of one try, in total" },
	{ "fetch.low_speed", CONF_DURATION, "30s", 1000, DAY, NULL, "",
	    "without a byte received" },
	{ "fetch.body_max", CONF_SIZE, "64MiB", 1024, 1024 * MIB, NULL, "",
	    "largest answer, decompressed" },
	{ "fetch.tries", CONF_INT, "3", 1, 100, NULL, "",
	    "tries of a request" },
	{ "fetch.retry_base", CONF_DURATION, "2s", 0, DAY, NULL, "",
	    "wait before the second, then doubled" },
	{ "fetch.retry_cap", CONF_DURATION, "60s", 0, DAY, NULL, "",
	    "longest wait, also for Retry-After" },
	{ "fetch.retry_share", CONF_DOUBLE, "0.2", 0, 100, NULL, "",
	    "retries that a request earns" },
	{ "fetch.breaker_failures", CONF_INT, "5", 0, 1000, NULL, "",
	    "failures in a row that stop asking" },
	{ "fetch.breaker_ratio", CONF_DOUBLE, "0.5", 0.01, 1, NULL, "",
	    "or this share of the last 32" },
	{ "fetch.breaker_open", CONF_DURATION, "10s", 10, DAY, NULL, "",
	    "pause then, doubling" },
	{ "fetch.breaker_open_max", CONF_DURATION, "5m", 10, DAY, NULL, "",
	    "longest such pause" },
	{ "fetch.give_up", CONF_DURATION, "2m", 10, 30 * DAY, NULL, "",
	    "of such pauses together, then fail" },
	{ "fetch.user_agent", CONF_TEXT, "garner/" PACKAGE_VERSION, 0, 0,
	    NULL, "", "who we say we are" },
	{ "fetch.http2", CONF_BOOL, "true", 0, 0, NULL, "",
	    "HTTP/2 where the server offers it" },
	{ "fetch.compressed", CONF_BOOL, "true", 0, 0, NULL, "",
	    "ask for compressed answers" },

	{ "compact.memory", CONF_SIZE, "256MiB", MIB, 1024 * 1024 * MIB,
	    NULL, "", "rows being sorted" },
	{ "compact.ties", CONF_ENUM, "last", 0, 0, "last|all", "",
	    "events at one timestamp" },
	{ "compact.zstd_level", CONF_INT, "3", 1, 19, NULL, "",
	    "compression of the tables" },
	{ "compact.file_rows", CONF_INT, "5000000", 1000, 100000000, NULL,
	    "rows", "rows of a data file" },

	{ "log.level", CONF_ENUM, "info", 0, 0, "error|warn|info|debug", "",
	    "least level" },
	{ "log.format", CONF_ENUM, "text", 0, 0, "text|logfmt|json", "",
	    "form of messages" },
};

const struct conf_option *
conf_options(size_t *n)
{

	*n = sizeof(options) / sizeof(options[0]);
	return (options);
}
