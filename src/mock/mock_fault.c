/*
 * Which fault is due: specifications read, and counters for each.
 *
 * They are tried in the order given; the first that is due wins, but for
 * delays, which add up and let the next one act as well. Probabilities come
 * from the seed, so a run can be repeated as long as the requests come in
 * the same order. A fault that is due is copied into the request's arena:
 * the script may be another one before the answer is out.
 */

#include "config.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/hash.h"
#include "base/must.h"
#include "base/text.h"
#include "mock/mock_answer.h"
#include "mock/mock_fault_int.h"
#include "mock/mock_options.h"
#include "sys/sys.h"

#define FAULTS_MAX 256
#define SPEC_MAX 512
#define FILE_MAX (256u << 10)
#define PAYLOAD_MAX (256u << 20)
#define HOUR_MS 3600000
/* The longest of a heavy tail, as a multiple of the shortest. */
#define TAIL_MAX 100

struct mock_faults {
	struct mock_fault *fault;	/* owned */
	size_t n;
	struct rng rng;
	int64_t begun_us;		/* of the periods; 0: not yet */
	struct buf payload;		/* of kinds that prepare one */
};

/* --- reading -------------------------------------------------------------- */

enum type { NUMBER, SHARE, SPAN, WORD };

#define AT(f) offsetof(struct mock_fault, f)

static const struct key {
	const char *name;
	enum type type;
	size_t offset;
	double min;
	double max;		/* of a word: the size of its place */
} KEYS[] = {
	{ "count=", NUMBER, AT(count), 0, 1e18 },
	{ "after=", NUMBER, AT(after), 0, 1e18 },
	{ "every=", NUMBER, AT(every), 1, 1e18 },
	{ "p=", SHARE, AT(p), 0, 1 },
	{ "period=", SPAN, AT(period_ms), 1, 24 * HOUR_MS },
	{ "for=", SPAN, AT(for_ms), 0, 24 * HOUR_MS },
	{ "if=", WORD, AT(target), 0, sizeof(((struct mock_fault *)0)->target) },
	{ "ms=", SPAN, AT(ms), 0, HOUR_MS },
	{ "jitter=", SPAN, AT(jitter_ms), 0, HOUR_MS },
	{ "tail=", SHARE, AT(tail), 0.1, 100 },
	{ "retry=", WORD, AT(retry), 0, sizeof(((struct mock_fault *)0)->retry) },
	{ "to=", WORD, AT(to), 0, sizeof(((struct mock_fault *)0)->to) },
};

/* Digits alone are milliseconds, else as in 50ms, 10s, 2h. */
static int
parse_span(const char *text, const struct key *k, int64_t *out)
{
	if (text[strspn(text, "0123456789")] == '\0')
		return (text_i64(text, (int64_t)k->min, (int64_t)k->max, out));
	return (text_duration_ms(text, (int64_t)k->min, (int64_t)k->max,
	    out));
}

/* Fits, and cannot break out of a header line. */
static int
parse_word(const char *text, size_t size, char *out)
{
	if (strlen(text) >= size)
		return (ERR_USAGE);
	for (const char *p = text; *p != '\0'; p++)
		if ((unsigned char)*p < ' ' || *p == 0x7f)
			return (ERR_USAGE);
	strcpy(out, text);
	return (0);
}

static int
parse_at(struct mock_fault *f, const char *word)
{
	static const char *const at[] = { "", "start", "head", "body" };

	for (int i = MOCK_AT_START; i <= MOCK_AT_BODY; i++)
		if (strcmp(word, at[i]) == 0) {
			f->at = (enum mock_at)i;
			return (0);
		}
	return (ERR_USAGE);
}

static int
parse_key(struct mock_fault *f, const char *word)
{
	const struct key *k = NULL;
	const char *value;
	void *at;

	if (strcmp(word, "reused") == 0) {
		f->reused = true;
		return (0);
	}
	if (strncmp(word, "at=", 3) == 0)
		return (parse_at(f, word + 3));
	for (size_t i = 0; i < sizeof(KEYS) / sizeof(KEYS[0]); i++)
		if (strncmp(word, KEYS[i].name, strlen(KEYS[i].name)) == 0)
			k = &KEYS[i];
	if (k == NULL)		/* the short form slow:MS */
		return (f->kind->delays ?
		    text_i64(word, 0, HOUR_MS, &f->ms) : ERR_USAGE);
	value = word + strlen(k->name);
	at = (char *)f + k->offset;
	switch (k->type) {
	case NUMBER:
		return (text_u64(value, (uint64_t)k->min, (uint64_t)k->max,
		    at));
	case SHARE:
		return (text_double(value, k->min, k->max, at));
	case SPAN:
		return (parse_span(value, k, at));
	case WORD:
		return (parse_word(value, (size_t)k->max, at));
	}
	return (ERR_USAGE);
}

static int
parse_kind(struct mock_fault *f, const char *word, struct err *e)
{
	int64_t n;

	if (text_i64(word, 200, 599, &n) == 0) {
		f->status = (int)n;
		f->kind = mock_fault_kind_status();
	} else {
		f->kind = mock_fault_kind_find(word, e);
	}
	return (f->kind == NULL ? ERR_USAGE : 0);
}

/* The next word up to a colon; a URL has colons of its own and is last. */
static char *
next_word(char **rest)
{
	char *word = *rest, *colon;

	if (word == NULL)
		return (NULL);
	colon = strncmp(word, "to=", 3) == 0 ? NULL : strchr(word, ':');
	*rest = colon == NULL ? NULL : colon + 1;
	if (colon != NULL)
		*colon = '\0';
	return (word);
}

static int
parse(struct mock_fault *f, const char *spec, size_t len, struct err *e)
{
	char copy[SPEC_MAX], *rest = copy, *word;
	int n = 0;

	memset(f, 0, sizeof(*f));
	f->count = UINT64_MAX;
	f->every = 1;
	f->p = 1;
	f->ms = -1;
	if (len >= sizeof(copy))
		return (err_set(e, ERR_USAGE, "too long"));
	memcpy(copy, spec, len);
	copy[len] = '\0';
	for (; (word = next_word(&rest)) != NULL; n++) {
		if (n == 0 && (*word == '\0' ||
		    parse_word(word, sizeof(f->route), f->route) != 0))
			return (err_set(e, ERR_USAGE, "not a route: '%s'",
			    word));
		if (n == 1 && parse_kind(f, word, e) != 0)
			return (ERR_USAGE);
		if (n > 1 && parse_key(f, word) != 0)
			return (err_set(e, ERR_USAGE, "'%s' is no key, or "
			    "its value is wrong", word));
	}
	if (n < 2)
		return (err_set(e, ERR_USAGE,
		    "not ROUTE:KIND[:KEY=VALUE]..."));
	if ((f->period_ms == 0) != (f->for_ms == 0))
		return (err_set(e, ERR_USAGE, "period= needs for="));
	return (0);
}

static int
add(struct mock_faults *fs, const char *spec, size_t len, struct err *e)
{
	if (fs->n == FAULTS_MAX)
		return (err_set(e, ERR_USAGE, "more than %d faults",
		    FAULTS_MAX));
	fs->fault = must_realloc(fs->fault, fs->n + 1, sizeof(*fs->fault));
	return (parse(&fs->fault[fs->n++], spec, len, e));
}

/* One fault on each line; # begins a comment. */
static int
add_lines(struct mock_faults *fs, const char *text, size_t len,
    struct err *e)
{
	const char *line = text, *end = text + len, *next, *stop;
	size_t number = 1;

	for (; line < end; line = next, number++) {
		stop = memchr(line, '\n', (size_t)(end - line));
		next = stop == NULL ? end : stop + 1;
		if (stop == NULL)
			stop = end;
		while (line < stop && strchr(" \t\r", *line) != NULL)
			line++;
		if (line == stop || *line == '#')
			continue;
		while (strchr(" \t\r", stop[-1]) != NULL)
			stop--;
		if (add(fs, line, (size_t)(stop - line), e) != 0)
			return (err_wrap(e, "line %zu", number));
	}
	return (0);
}

/* What takes long is made before anybody waits for it. */
static void
prepare(struct mock_faults *fs)
{
	for (size_t i = 0; i < fs->n; i++)
		if (fs->fault[i].kind->prepare != NULL &&
		    fs->payload.len == 0)
			fs->fault[i].kind->prepare(&fs->payload);
}

int
mock_faults_set(struct mock_faults *fs, const char *text, size_t len,
    struct err *e)
{
	struct mock_faults fresh = { .n = 0 };

	if (add_lines(&fresh, text, len, e) != 0) {
		free(fresh.fault);
		return (ERR_USAGE);
	}
	free(fs->fault);
	fs->fault = fresh.fault;
	fs->n = fresh.n;
	fs->begun_us = 0;
	prepare(fs);
	return (0);
}

static int
add_file(struct mock_faults *fs, const char *path, struct err *e)
{
	char *text;
	size_t n;
	int rc = sys_read_file(sys_posix(), path, FILE_MAX, &text, &n, e);

	if (rc != 0)
		return (rc);
	if ((rc = add_lines(fs, text, n, e)) != 0)
		err_wrap(e, "%s", path);
	free(text);
	return (rc);
}

struct mock_faults *
mock_faults_new(const struct mock_options *opt, struct err *e)
{
	struct mock_faults *fs = must_calloc(1, sizeof(*fs));
	int rc = 0;

	rng_init(&fs->rng, opt->seed + 99);
	buf_init(&fs->payload, PAYLOAD_MAX);
	for (uint32_t i = 0; i < opt->faults && rc == 0; i++)
		if ((rc = add(fs, opt->fault[i], strlen(opt->fault[i]),
		    e)) != 0)
			err_wrap(e, "--fault %s", opt->fault[i]);
	if (rc == 0 && opt->fault_file != NULL)
		rc = add_file(fs, opt->fault_file, e);
	if (rc == 0) {
		prepare(fs);
		return (fs);
	}
	mock_faults_free(fs);
	return (NULL);
}

void
mock_faults_free(struct mock_faults *fs)
{
	if (fs == NULL)
		return;
	free(fs->fault);
	buf_fini(&fs->payload);
	free(fs);
}

/* --- deciding ------------------------------------------------------------- */

static bool
matches(const struct mock_fault *f, const struct mock_req *req,
    const char *route)
{
	const char *last = strrchr(route, '/');

	if (strcmp(f->route, "*") != 0 && strcmp(f->route, route) != 0 &&
	    (last == NULL || strcmp(f->route, last + 1) != 0))
		return (false);
	return ((!f->reused || req->reused) && (*f->target == '\0' ||
	    strstr(req->target, f->target) != NULL));
}

static bool
due(struct mock_faults *fs, struct mock_fault *f, int64_t since_ms)
{
	f->seen++;
	if (f->done >= f->count || f->seen <= f->after ||
	    (f->seen - f->after) % f->every != 0 ||
	    (f->period_ms > 0 && since_ms % f->period_ms >= f->for_ms) ||
	    (f->p < 1 && rng_unit(&fs->rng) >= f->p))
		return (false);
	f->done++;
	return (true);
}

/* Fixed, or up to `jitter` more, or with Pareto's tail. */
static int64_t
delay(struct mock_faults *fs, const struct mock_fault *f)
{
	int64_t ms = f->ms < 0 ? 1000 : f->ms;
	double times;

	if (f->tail > 0) {
		times = pow(1 - rng_unit(&fs->rng), -1 / f->tail);
		ms = (int64_t)((double)ms * fmin(times, TAIL_MAX));
	}
	if (f->jitter_ms > 0)
		ms += (int64_t)rng_below(&fs->rng,
		    (uint64_t)f->jitter_ms + 1);
	return (ms);
}

const struct mock_fault *
mock_faults_due(struct mock_faults *fs, const struct mock_req *req,
    struct mock_resp *r)
{
	struct mock_fault *copy, *f;
	int64_t since_ms;

	if (fs->begun_us == 0)
		fs->begun_us = req->begun_us;
	since_ms = (req->begun_us - fs->begun_us) / 1000;
	for (size_t i = 0; i < fs->n; i++) {
		f = &fs->fault[i];
		if (!matches(f, req, r->route) || !due(fs, f, since_ms))
			continue;
		if (f->kind->delays) {
			r->delay_ms += delay(fs, f);
			continue;
		}
		copy = arena_alloc(req->arena, sizeof(*copy));
		*copy = *f;
		copy->payload = &fs->payload;
		return (copy);
	}
	return (NULL);
}
