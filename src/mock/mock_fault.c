/*
 * Faults: a table of kinds, and counters for each one asked for.
 *
 * They are tried in the order given; the first that is due wins. The
 * probability comes from the seed, so a run can be repeated as long as the
 * requests come in the same order.
 */

#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/hash.h"
#include "base/must.h"
#include "base/text.h"
#include "mock/mock_answer.h"
#include "mock/mock_fault.h"
#include "mock/mock_options.h"

enum kind { STATUS, HTML, CUT, RESET, SLOW, WEBEXCEPTION, NULL_BODY };

static const struct { const char *name; enum kind kind; } KINDS[] = {
	{ "html", HTML }, { "cut", CUT }, { "reset", RESET },
	{ "slow", SLOW }, { "webexception", WEBEXCEPTION },
	{ "null", NULL_BODY },
};

struct fault {
	char route[64];
	enum kind kind;
	int status;
	uint64_t count;
	uint64_t after;
	uint64_t every;
	double p;
	int64_t ms;
	char header[48];	/* Retry-After */
	uint64_t seen;
	uint64_t done;
};

struct mock_faults {
	struct fault fault[MOCK_FAULTS_MAX];
	size_t n;
	struct rng rng;
};

static int
parse_kind(struct fault *f, const char *word)
{
	int64_t n;

	for (size_t i = 0; i < sizeof(KINDS) / sizeof(KINDS[0]); i++)
		if (strcmp(word, KINDS[i].name) == 0) {
			f->kind = KINDS[i].kind;
			return (0);
		}
	if (text_i64(word, 400, 599, &n) != 0)
		return (ERR_USAGE);
	f->kind = STATUS;
	f->status = (int)n;
	return (0);
}

static int
parse_key(struct fault *f, const char *word)
{
	uint64_t n;

	if (strncmp(word, "count=", 6) == 0)
		return (text_u64(word + 6, 0, UINT64_MAX, &f->count));
	if (strncmp(word, "after=", 6) == 0)
		return (text_u64(word + 6, 0, UINT64_MAX, &f->after));
	if (strncmp(word, "every=", 6) == 0)
		return (text_u64(word + 6, 1, UINT64_MAX, &f->every));
	if (strncmp(word, "p=", 2) == 0)
		return (text_double(word + 2, 0, 1, &f->p));
	if (strncmp(word, "ms=", 3) == 0)
		return (text_i64(word + 3, 0, 3600000, &f->ms));
	if (strncmp(word, "retry=", 6) != 0 ||
	    text_u64(word + 6, 0, 86400, &n) != 0)
		return (f->kind == SLOW ?	/* the short form slow:MS */
		    text_i64(word, 0, 3600000, &f->ms) : ERR_USAGE);
	strcpy(f->header, "Retry-After: ");
	memcpy(f->header + 13, word + 6, strlen(word + 6));
	strcpy(f->header + 13 + strlen(word + 6), "\r\n");
	return (0);
}

static int
parse(struct fault *f, const char *spec, struct err *e)
{
	char copy[256], *save = NULL, *word;
	int at = 0, rc = 0;

	f->count = UINT64_MAX;
	f->every = 1;
	f->p = 1;
	f->ms = 1000;
	if (strlen(spec) >= sizeof(copy))
		return (err_set(e, ERR_USAGE, "--fault %s: too long", spec));
	strcpy(copy, spec);
	for (word = strtok_r(copy, ":", &save); word != NULL && rc == 0;
	    word = strtok_r(NULL, ":", &save), at++) {
		if (at == 0 && strlen(word) < sizeof(f->route))
			strcpy(f->route, word);
		else
			rc = at == 0 ? ERR_USAGE : at == 1 ?
			    parse_kind(f, word) : parse_key(f, word);
	}
	if (rc != 0 || at < 2)
		return (err_set(e, ERR_USAGE, "--fault %s: not "
		    "ROUTE:KIND[:KEY=N]...", spec));
	return (0);
}

struct mock_faults *
mock_faults_new(const struct mock_options *opt, struct err *e)
{
	struct mock_faults *fs = must_calloc(1, sizeof(*fs));

	rng_init(&fs->rng, opt->seed + 99);
	for (fs->n = 0; fs->n < opt->faults; fs->n++) {
		if (parse(&fs->fault[fs->n], opt->fault[fs->n], e) != 0) {
			free(fs);
			return (NULL);
		}
	}
	return (fs);
}

void
mock_faults_free(struct mock_faults *fs)
{
	free(fs);
}

static bool
matches(const struct fault *f, const char *route)
{
	const char *last = strrchr(route, '/');

	return (strcmp(f->route, "*") == 0 || strcmp(f->route, route) == 0 ||
	    (last != NULL && strcmp(f->route, last + 1) == 0));
}

static bool
due(struct mock_faults *fs, struct fault *f)
{
	f->seen++;
	if (f->done >= f->count || f->seen <= f->after ||
	    (f->seen - f->after) % f->every != 0 ||
	    (f->p < 1 && rng_unit(&fs->rng) >= f->p))
		return (false);
	f->done++;
	return (true);
}

static void
put_status(const struct fault *f, struct mock_resp *r)
{
	if (*f->header != '\0')
		r->header = f->header;
	switch (f->status) {
	case 401:
		r->header = "WWW-Authenticate: Negotiate\r\n";
		mock_resp_message(r, 401,
		    "Authorization has been denied for this request.");
		break;
	case 429:
		mock_resp_message(r, 429, "Rate limit was reached");
		break;
	case 502:
	case 503:
	case 504:
		mock_resp_html(r, f->status, "Service Unavailable");
		break;
	default:
		mock_resp_error(r, f->status, "A fault was asked for: "
		    "status %d.", f->status);
	}
}

bool
mock_faults_apply(struct mock_faults *fs, struct mock_resp *r)
{
	struct fault *f = NULL;

	for (size_t i = 0; i < fs->n && f == NULL; i++)
		if (matches(&fs->fault[i], r->route) &&
		    due(fs, &fs->fault[i]))
			f = &fs->fault[i];
	if (f == NULL)
		return (false);
	switch (f->kind) {
	case STATUS:
		put_status(f, r);
		return (true);
	case HTML:
		mock_resp_html(r, 200, "Sign in");
		return (true);
	case NULL_BODY:
		buf_puts(&r->body, "null");
		return (true);
	case CUT:
		r->cut = true;
		break;
	case RESET:
		r->reset = true;
		return (true);
	case SLOW:
		r->delay_ms = f->ms;
		break;
	case WEBEXCEPTION:
		r->broken = true;
		break;
	}
	return (false);
}
