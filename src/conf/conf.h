#ifndef CONF_CONF_H
#define CONF_CONF_H

/*
 * The configuration: garner.yaml(5). One table row per option
 * (conf_options()): path, type, bounds, default, unit, help. It feeds the
 * parser, `garner config`, and the check against manual and sample file.
 *
 *	version: 1
 *	data: ./data
 *	source:
 *	  name: plant
 *	  connector: pi
 *	  url: https://pi.example/piwebapi
 *	  auth: {type: basic, user: X, password: {env: PI_PASSWORD}}
 *	  tables: [pi_points, pi_timeseries]      # all when left out
 *	  streams: UNIT1.*
 *	groups: {by: range, size: 2000}
 *	...
 *
 * Precedence: defaults, the file, GARNER_* environment variables (path in
 * capitals, dots as underscores: GARNER_SOURCE_URL; empty: not set; unknown:
 * an error). Found at: -c, $GARNER_CONFIG, ./garner.yaml,
 * $XDG_CONFIG_HOME/garner/garner.yaml (~/.config), /etc/garner/garner.yaml
 * below the prefix, then below /.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct buf;
struct err;

enum conf_type {
	CONF_TEXT,
	CONF_PATH,		/* relative paths: to the folder of the file */
	CONF_URL,		/* of http or https, or the schemes in `words`;
				 * no user info, no query */
	CONF_BOOL,
	CONF_INT,
	CONF_SIZE,		/* bytes */
	CONF_DURATION,		/* milliseconds */
	CONF_DOUBLE,
	CONF_ENUM,		/* `words`: alternatives separated by | */
	CONF_TIME,		/* as ticks_parse_human(), kept as text */
	CONF_LIST,		/* of text, joined by \n; from environment
				 * and flags separated by commas */
	CONF_SECRET,		/* {env: N} | {file: P} | {command: C} |
				 * {credential: N}; never a literal, never
				 * from the environment directly */
};

enum conf_origin { CONF_DEFAULT, CONF_FILE, CONF_ENV, CONF_FLAG };

struct conf_option {		/* one row of the table */
	const char *path;	/* "fetch.in_flight" */
	enum conf_type type;
	const char *deflt;	/* NULL: none; "" is an empty text */
	double min, max;	/* numbers, sizes, durations (ms) */
	const char *words;	/* CONF_ENUM; CONF_URL: schemes, or NULL */
	const char *unit;	/* for help: "ms", "bytes", "" */
	const char *help;	/* one sentence */
};

struct conf_value {
	const struct conf_option *opt;
	enum conf_origin origin;
	int line;		/* CONF_FILE */
	bool set;		/* has a value, be it the default */
	char *text;		/* as written / default; secrets: "env:NAME" */
	int64_t num;		/* INT, SIZE, DURATION, BOOL, ENUM index */
	double real;		/* DOUBLE */
	const char **items;	/* LIST, made by conf_list() */
	char *items_text;
};

struct conf;

const struct conf_option *conf_options(size_t *n);

/* The file that is meant: of a folder that is there, its garner.yaml. Free
 * it. */
char *conf_path(const char *);

/* Which file: explicit (may be NULL) or the search above. ERR_CONFIG naming
 * the places looked at when there is none. Free *path. */
int conf_find(const char *explicit_path, char **path, struct err *);
/* Load and check everything, also that what auth.type needs is there;
 * ERR_CONFIG names file, line, and for an unknown key the nearest valid
 * one. */
int conf_load(const char *path, struct conf **, struct err *);
void conf_free(struct conf *);
/* Override from a command line flag. */
int conf_set(struct conf *, const char *path, const char *text, struct err *);

/* Would this do as a value of that option? For those who have no file yet. */
int conf_check(const char *path, const char *text, struct err *);

const char *conf_file(const struct conf *);	/* as opened */
/* The option must exist (assertion) and fit the type. */
const struct conf_value *conf_get(const struct conf *, const char *path);
const char *conf_text(const struct conf *, const char *path);	/* or NULL */
int64_t conf_num(const struct conf *, const char *path);
double conf_real(const struct conf *, const char *path);
bool conf_bool(const struct conf *, const char *path);
/* CONF_LIST: items, NULL terminated; owned by conf, until the next
 * conf_set() of it. */
const char *const *conf_list(const struct conf *, const char *path,
    size_t *n);

/*
 * Resolve a CONF_SECRET now: environment, file (refused when group or
 * others can read it), command (/bin/sh -c; 10 s at most), systemd
 * credential ($CREDENTIALS_DIRECTORY/NAME); of the last three the first
 * line. Blocks; at most 8 KiB; an empty secret is an error. The caller
 * wipes it with conf_secret_free(). ERR_CONFIG names the reference, never
 * the value.
 */
int conf_secret(const struct conf *, const char *path, char **value,
    struct err *);
void conf_secret_free(char *);

/* The commented sample garner.yaml for `init`: every option with its help,
 * those without need commented out. */
void conf_sample(const char *connector, const char *url, struct buf *);

#endif
