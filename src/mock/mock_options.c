/*
 * The option table and what reads it.
 *
 * A row is a name, the word for its argument, a type with bounds, the place
 * in struct mock_options, the default as a person would write it, and help.
 * Defaults are parsed by the same code as arguments. MOCK_PI_TAG_COUNT in
 * the environment is a default for --tags.
 *
 * A wrong option ends in ERR_USAGE with the nearest good one named.
 */

#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/must.h"
#include "base/text.h"
#include "base/ticks.h"
#include "mock/mock_fault.h"
#include "mock/mock_http.h"
#include "mock/mock_options.h"

enum type { FLAG, UINT, HUGE_UINT, REAL, TEXT, TIME, SPAN, SIZE, CALL };

typedef int set_fn(struct mock_options *, const char *, struct err *);

struct option {
	const char *name;
	const char *arg;
	enum type type;
	size_t offset;
	double min;
	double max;
	const char *def;
	set_fn *set;
	const char *help;
};

static int set_density(struct mock_options *, const char *, struct err *);
static int set_mix(struct mock_options *, const char *, struct err *);
static int set_url_error(struct mock_options *, const char *, struct err *);
static int set_count(struct mock_options *, const char *, struct err *);
static int set_fault(struct mock_options *, const char *, struct err *);
static int set_rate(struct mock_options *, const char *, struct err *);
static int set_tls_max(struct mock_options *, const char *, struct err *);

#define AT(f) offsetof(struct mock_options, f)
#define DAY_MS 86400e3

/* In the order of --help and of the manual page. */
static const struct option OPTIONS[] = {
	{ "tags", "N", UINT, AT(tags), 1, 2e6, "100", NULL,
	    "number of PI points; also $MOCK_PI_TAG_COUNT" },
	{ "plants", "N", UINT, AT(plants), 1, 1000, "2", NULL,
	    "number of AF databases" },
	{ "seed", "N", HUGE_UINT, AT(seed), 0, 1.8e19, "1", NULL,
	    "another seed, another world" },
	{ "start", "TIME", TIME, AT(start), 0, 0, NULL, NULL,
	    "first event of every tag (default: midnight 30 days ago)" },
	{ "now", "TIME", TIME, AT(now), 0, 0, NULL, NULL,
	    "freeze the server's clock (default: the real one)" },
	{ "rate", "X", REAL, AT(rate), 1e-6, 1e6, "1", NULL,
	    "multiply the density of all tags" },
	{ "density", "CLASS=TIME,...", CALL, 0, 0, 0,
	    "fast=1s,medium=10s,slow=60s", set_density,
	    "mean time between events of the three classes of tags" },
	{ "mix", "full|plain", CALL, 0, 0, 0, "full", set_mix,
	    "plain: only decimal numbers, all of them good" },
	{ "ties", "N", UINT, AT(ties), 1, 12, "12", NULL,
	    "most events of a tag at one time" },
	{ "late", "SHARE", REAL, AT(late), 0, 1, "0", NULL,
	    "share of the events that become visible late" },
	{ "late-max", "TIME", SPAN, AT(late_max_ms), 1, 366 * DAY_MS, "2h",
	    NULL, "longest delay of a late event" },
	{ "edits", "SHARE", REAL, AT(edits), 0, 1, "0", NULL,
	    "share of the events whose value is edited" },
	{ "edits-max", "TIME", SPAN, AT(edits_max_ms), 1, 366 * DAY_MS, "2h",
	    NULL, "longest time until then, since it was visible" },
	{ "deletes", "SHARE", REAL, AT(deletes), 0, 1, "0", NULL,
	    "share of the events that are deleted" },
	{ "deletes-max", "TIME", SPAN, AT(deletes_max_ms), 1, 366 * DAY_MS,
	    "2h", NULL, "longest time until then, since it was visible" },
	{ "renames", "SHARE", REAL, AT(renames), 0, 1, "0", NULL,
	    "share of the points that are renamed" },
	{ "renames-at", "TIME", TIME, AT(renames_at), 0, 0, NULL, NULL,
	    "when they are" },
	{ "recreates", "SHARE", REAL, AT(recreates), 0, 1, "0", NULL,
	    "share of the points deleted and made again by their name" },
	{ "recreates-at", "TIME", TIME, AT(recreates_at), 0, 0, NULL, NULL,
	    "when they are" },
	{ "frame-every", "TIME", SPAN, AT(frame_every_ms), 1000,
	    366 * DAY_MS, "30m", NULL,
	    "mean time between event frames of a database" },
	{ "frame-longest", "TIME", SPAN, AT(frame_longest_ms), 2 * DAY_MS,
	    3660 * DAY_MS, "3d", NULL, "longest event frame" },
	{ "frame-late", "TIME", SPAN, AT(frame_late_ms), 0, 366 * DAY_MS,
	    "0s", NULL, "an eighth of the event frames stays open, up to so "
	    "long after its end" },
	{ "bind", "ADDRESS", TEXT, AT(bind), 0, 0, "127.0.0.1", NULL,
	    "address to listen on" },
	{ "port", "N", UINT, AT(port), 0, 65535, "0", NULL,
	    "port to listen on; 0: any free one" },
	{ "link-base", "URL", TEXT, AT(link_base), 0, 0, NULL, NULL,
	    "base of links in answers (default: the address in use)" },
	{ "token", "T", TEXT, AT(token), 0, 0, NULL, NULL,
	    "ask for this bearer token" },
	{ "basic", "USER:PASS", TEXT, AT(basic), 0, 0, NULL, NULL,
	    "ask for this user and password" },
	{ "oauth", "ID:SECRET", TEXT, AT(oauth), 0, 0, NULL, NULL,
	    "ask for a token of POST /oauth/token to this client" },
	{ "token-ttl", "TIME", SPAN, AT(token_ttl_ms), 1, 366 * DAY_MS, "1h",
	    NULL, "how long such a token is good" },
	{ "tls-cert", "FILE", TEXT, AT(tls_cert), 0, 0, NULL, NULL,
	    "speak TLS with this certificate, in PEM, and its chain" },
	{ "tls-key", "FILE", TEXT, AT(tls_key), 0, 0, NULL, NULL,
	    "the key of --tls-cert" },
	{ "tls-ca", "FILE", TEXT, AT(tls_ca), 0, 0, NULL, NULL,
	    "ask for a client certificate of this authority" },
	{ "tls-max", "1.0|1.1|1.2|1.3", CALL, 0, 0, 0, "1.3", set_tls_max,
	    "the newest version of TLS to speak" },
	{ "tls-close", NULL, FLAG, AT(tls_close), 0, 0, NULL, NULL,
	    "close each connection in the handshake" },
	{ "latency", "TIME", SPAN, AT(latency_ms), 0, 3600e3, "0s", NULL,
	    "wait before each answer, such as 50ms" },
	{ "set-cost", "TIME", SPAN, AT(set_cost_ms), 0, 60e3, "0s", NULL,
	    "wait as long for each stream of a stream set" },
	{ "batch-cost", "TIME", SPAN, AT(batch_cost_ms), 0, 60e3, "0s", NULL,
	    "wait as long for each request of a batch" },
	{ "capacity", "N", UINT, AT(capacity), 0, 1e6, "0", NULL,
	    "serve N requests at once, the others wait; 0: no limit" },
	{ "collapse", "N", UINT, AT(collapse), 0, 1e6, "0", NULL,
	    "slow down steeply above N requests in flight; 0: off" },
	{ "connections", "N", UINT, AT(connections), 0, 1e6, "0", NULL,
	    "close connections above so many; 0: no limit" },
	{ "max-count", "N", UINT, AT(max_count), 1, 2e6, "150000", NULL,
	    "MaxReturnedItemsPerCall: a maxCount above it gets status 400" },
	{ "url-max", "N", UINT, AT(url_max), 0, MOCK_HEAD_MAX, "0", NULL,
	    "refuse longer URLs; 0: only those that HTTP.sys refuses" },
	{ "url-error", "414|404.15|404.14|400", CALL, 0, 0, 0, "414",
	    set_url_error, "how it does so; 404.15: longer query strings" },
	{ "page-limit", "N", UINT, AT(page_limit), 0, 2e6, "0", NULL,
	    "answer at most N items whatever maxCount says; 0: off" },
	{ "rate-limit", "N[/TIME]", CALL, 0, 0, 0, "0", set_rate,
	    "requests a client may make in a second or in TIME; 0: any" },
	{ "set-count", "per-stream|total", CALL, 0, 0, 0, "per-stream",
	    set_count, "what maxCount means in a stream set" },
	{ "no-gzip", NULL, FLAG, AT(no_gzip), 0, 0, NULL, NULL,
	    "never compress answers" },
	{ "cache", "SIZE", SIZE, AT(cache_bytes), 0, 1e12, "0", NULL,
	    "keep recorded values that were asked for; 0: never" },
	{ "log", "FILE", TEXT, AT(log), 0, 0, NULL, NULL,
	    "write a line of JSON for each request" },
	{ "fault", "ROUTE:KIND[:KEY=VALUE]...", CALL, 0, 0, 0, NULL,
	    set_fault, "misbehave; may be repeated, see garner-mock(1)" },
	{ "faults", "FILE", TEXT, AT(fault_file), 0, 0, NULL, NULL,
	    "faults from a file, one on each line" },
	{ "quit-after-idle", "TIME", SPAN, AT(idle_ms), 0, 366 * DAY_MS,
	    "0s", NULL, "end when nobody asked for so long; 0: never" },
	{ "table", "NAME", TEXT, AT(table), 0, 0, "pi_timeseries", NULL,
	    "truth: the table to print" },
	{ "from", "TIME", TIME, AT(from), 0, 0, NULL, NULL,
	    "truth: first time (default: --start)" },
	{ "to", "TIME", TIME, AT(to), 0, 0, NULL, NULL,
	    "truth: end, not included (default: past now)" },
	{ "version", NULL, FLAG, AT(version), 0, 0, NULL, NULL,
	    "print the version" },
	{ "help", NULL, FLAG, AT(help), 0, 0, NULL, NULL,
	    "print this" },
};

#define NOPTIONS (sizeof(OPTIONS) / sizeof(OPTIONS[0]))

static int
set_density(struct mock_options *o, const char *value, struct err *e)
{
	static const char *const class[] = { "fast=", "medium=", "slow=" };
	char copy[200];
	char *save = NULL;
	size_t i;

	if (strlen(value) >= sizeof(copy))
		return (err_set(e, ERR_USAGE, "too long"));
	strcpy(copy, value);
	for (char *w = strtok_r(copy, ",", &save); w != NULL;
	    w = strtok_r(NULL, ",", &save)) {
		for (i = 0; i < 3; i++)
			if (strncmp(w, class[i], strlen(class[i])) == 0)
				break;
		if (i == 3 || text_duration_ms(w + strlen(class[i]), 1,
		    366 * (int64_t)DAY_MS, &o->period_ms[i]) != 0)
			return (err_set(e, ERR_USAGE,
			    "not CLASS=TIME with fast, medium or slow"));
	}
	return (0);
}

static int
set_mix(struct mock_options *o, const char *value, struct err *e)
{
	if (strcmp(value, "plain") == 0)
		o->mix = MOCK_MIX_PLAIN;
	else if (strcmp(value, "full") == 0)
		o->mix = MOCK_MIX_FULL;
	else
		return (err_set(e, ERR_USAGE, "neither full nor plain"));
	return (0);
}

static int
set_url_error(struct mock_options *o, const char *value, struct err *e)
{
	static const char *const words[] = { [MOCK_URL_414] = "414",
	    [MOCK_URL_404_15] = "404.15", [MOCK_URL_404_14] = "404.14",
	    [MOCK_URL_400] = "400" };
	unsigned i;

	for (i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (strcmp(value, words[i]) == 0) {
			o->url_error = (enum mock_url_error)i;
			return (0);
		}
	return (err_set(e, ERR_USAGE, "not 414, 404.15, 404.14 or 400"));
}

static int
set_count(struct mock_options *o, const char *value, struct err *e)
{
	if (strcmp(value, "total") != 0 && strcmp(value, "per-stream") != 0)
		return (err_set(e, ERR_USAGE, "neither per-stream nor total"));
	o->set_total = strcmp(value, "total") == 0;
	return (0);
}

static int
set_fault(struct mock_options *o, const char *value, struct err *e)
{
	if (o->faults == MOCK_FAULTS_MAX)
		return (err_set(e, ERR_USAGE, "more than %d faults",
		    MOCK_FAULTS_MAX));
	o->fault[o->faults++] = value;
	return (0);
}

static int
set_rate(struct mock_options *o, const char *value, struct err *e)
{
	const char *slash = strchr(value, '/');
	size_t n = slash != NULL ? (size_t)(slash - value) : strlen(value);
	char number[16];
	uint64_t u;

	o->rate_window_ms = 1000;
	if (n >= sizeof(number))
		return (err_set(e, ERR_USAGE, "not N or N/TIME"));
	memcpy(number, value, n);
	number[n] = '\0';
	if (text_u64(number, 0, (uint64_t)1e9, &u) != 0 || (slash != NULL &&
	    text_duration_ms(slash + 1, 1, (int64_t)DAY_MS,
	    &o->rate_window_ms) != 0))
		return (err_set(e, ERR_USAGE, "not N or N/TIME"));
	o->rate_limit = (uint32_t)u;
	return (0);
}

static int
set_tls_max(struct mock_options *o, const char *value, struct err *e)
{
	if (strlen(value) != 3 || strncmp(value, "1.", 2) != 0 ||
	    value[2] < '0' || value[2] > '3')
		return (err_set(e, ERR_USAGE, "not 1.0 to 1.3"));
	o->tls_max = (unsigned)(value[2] - '0');
	return (0);
}

static int
set(struct mock_options *o, const struct option *row, const char *value,
    int64_t now, struct err *e)
{
	void *at;
	uint64_t u = 0;
	int rc = 0;

	MUST(row != NULL);
	at = (char *)o + row->offset;

	switch (row->type) {
	case FLAG:
		*(bool *)at = true;
		break;
	case UINT:
		rc = text_u64(value, (uint64_t)row->min, (uint64_t)row->max,
		    &u);
		*(uint32_t *)at = (uint32_t)u;
		break;
	case HUGE_UINT:
		rc = text_u64(value, 0, UINT64_MAX, at);
		break;
	case REAL:
		rc = text_double(value, row->min, row->max, at);
		break;
	case TEXT:
		*(const char **)at = value;
		break;
	case TIME:
		rc = ticks_parse_human(value, now, at);
		break;
	case SPAN:
		rc = text_duration_ms(value, (int64_t)row->min,
		    (int64_t)row->max, at);
		break;
	case SIZE:
		rc = text_size(value, (uint64_t)row->min, (uint64_t)row->max,
		    at);
		break;
	case CALL:
		if ((rc = row->set(o, value, e)) != 0)
			err_wrap(e, "--%s %s", row->name, value);
		return (rc);
	}
	if (rc != 0)
		return (err_set(e, ERR_USAGE, "--%s %s: not a proper %s",
		    row->name, value, row->arg));
	return (0);
}

static const struct option *
find(const char *word, size_t len, struct err *e)
{
	const char *names[NOPTIONS], *near;
	char name[64];

	for (size_t i = 0; i < NOPTIONS; i++) {
		names[i] = OPTIONS[i].name;
		if (strlen(names[i]) == len &&
		    memcmp(names[i], word, len) == 0)
			return (&OPTIONS[i]);
	}
	if (len >= sizeof(name))
		len = sizeof(name) - 1;
	memcpy(name, word, len);
	name[len] = '\0';
	near = text_nearest(name, names, NOPTIONS);
	err_set(e, ERR_USAGE, "unknown option --%s%s%s", name,
	    near == NULL ? "" : ", did you mean --", near == NULL ? "" : near);
	return (NULL);
}

/* One argument, and perhaps its value in the next; 0 or ERR_USAGE. */
static int
argument(struct mock_options *o, int argc, char **argv, int *at, int64_t now,
    struct err *e)
{
	const char *word = argv[*at], *equals, *value = NULL;
	const struct option *row;

	if (strncmp(word, "--", 2) != 0 || word[2] == '\0')
		return (err_set(e, ERR_USAGE, "unexpected argument '%s'",
		    word));
	equals = strchr(word, '=');
	row = find(word + 2, equals != NULL ? (size_t)(equals - word) - 2 :
	    strlen(word + 2), e);
	if (row == NULL)
		return (ERR_USAGE);
	if (row->type == FLAG && equals != NULL)
		return (err_set(e, ERR_USAGE, "--%s takes no value",
		    row->name));
	if (row->type != FLAG) {
		value = equals != NULL ? equals + 1 : argv[++*at];
		if (*at >= argc || value == NULL)
			return (err_set(e, ERR_USAGE, "--%s needs a value",
			    row->name));
	}
	return (set(o, row, value, now, e));
}

int
mock_options_parse(struct mock_options *o, int argc, char **argv, int64_t now,
    struct err *e)
{
	const char *env = getenv("MOCK_PI_TAG_COUNT");
	int rc, i = 1;

	memset(o, 0, sizeof(*o));
	o->now = o->start = o->from = o->to = TICKS_NONE;
	o->renames_at = o->recreates_at = TICKS_NONE;
	for (size_t n = 0; n < NOPTIONS; n++)
		if (OPTIONS[n].def != NULL &&
		    (rc = set(o, &OPTIONS[n], OPTIONS[n].def, now, e)) != 0)
			return (rc);
	if (env != NULL && *env != '\0' &&
	    (rc = set(o, find("tags", 4, e), env, now, e)) != 0)
		return (err_wrap(e, "MOCK_PI_TAG_COUNT"));
	if (argc > 1 && strcmp(argv[1], "truth") == 0) {
		o->truth = true;
		i = 2;
	}
	for (; i < argc; i++)
		if ((rc = argument(o, argc, argv, &i, now, e)) != 0)
			return (rc);
	if (o->now != TICKS_NONE)
		now = o->now;
	if (o->start == TICKS_NONE)
		o->start = now - now % TICKS_PER_DAY - 30 * TICKS_PER_DAY;
	if (o->from == TICKS_NONE)
		o->from = o->start;
	if (o->to == TICKS_NONE)
		o->to = now + 1;
	if ((o->renames > 0 && o->renames_at == TICKS_NONE) ||
	    (o->recreates > 0 && o->recreates_at == TICKS_NONE))
		return (err_set(e, ERR_USAGE, "--renames and --recreates need "
		    "--renames-at and --recreates-at"));
	if (o->cache_bytes > 0 && (o->late > 0 || o->edits > 0 ||
	    o->deletes > 0 || o->renames > 0 || o->recreates > 0))
		return (err_set(e, ERR_USAGE, "--cache keeps answers that do "
		    "not change: it goes without --late, --edits, --deletes, "
		    "--renames and --recreates"));
	if (o->start < 0 || o->start >= TICKS_MAX)
		return (err_set(e, ERR_USAGE, "--start is before 1970"));
	return (0);
}

void
mock_options_help(struct buf *out)
{
	const char *name, *what;
	char left[64];

	buf_puts(out,
	    "usage: garner-mock [options]\n"
	    "       garner-mock truth --table NAME [--from TIME] [--to TIME]"
	    " [options]\n\n"
	    "A stand-in PI Web API server, and the truth about its data.\n\n");
	for (size_t i = 0; i < NOPTIONS; i++) {
		const struct option *row = &OPTIONS[i];
		struct buf b;

		buf_init(&b, sizeof(left));
		buf_printf(&b, "--%s%s%s", row->name,
		    row->arg != NULL ? " " : "",
		    row->arg != NULL ? row->arg : "");
		buf_printf(out, "  %-28s %s", buf_str(&b), row->help);
		if (row->def != NULL)
			buf_printf(out, " (default: %s)", row->def);
		buf_puts(out, "\n");
		buf_fini(&b);
	}
	buf_puts(out, "\nKinds of faults:\n");
	for (size_t i = 0; (name = mock_fault_kind(i, &what)) != NULL; i++)
		buf_printf(out, "  %-14s %s\n", name, what);
}
