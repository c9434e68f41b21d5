/*
 * Merged rows on their way to a file, without those that are older than a
 * record of compact_cover.c that covers their time. Both come sorted by
 * stream and time, so one pass is enough: records that began at or before
 * the row and have not ended are kept at hand, and of them only those that
 * no newer one outlasts.
 *
 * The rows are the newest of their keys. When such a row is dropped all of
 * its key are, rightly: the others are older still.
 */

#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "base/must.h"
#include "compact/compact_int.h"

/* Columns of the records' table, each time with one for its rest behind. */
enum { STREAM, FROM, TO = 3, INGESTED = 5, GROUP };

struct active {
	int64_t b;			/* ticks */
	int64_t ingested;
	int32_t group;
};

struct compact_filter {
	const struct compact_plan *plan;	/* of the rows */
	struct compact_input *in;		/* the records; owned */
	const struct compact_sink *sink;
	uint64_t *dropped;
	int32_t day;
	uint32_t code;			/* of the stream, in this batch */
	char *stream;			/* at hand; NULL: none */
	size_t len, room;
	bool none;			/* no records are left for it */
	struct active *active;
	size_t n, cap;
};

struct compact_filter *
compact_filter_new(const struct compact_plan *p, struct compact_input *in,
    uint64_t *dropped)
{
	struct compact_filter *f = must_calloc(1, sizeof(*f));

	f->plan = p;
	f->in = in;
	f->dropped = dropped;
	return (f);
}

void
compact_filter_free(struct compact_filter *f)
{

	if (f == NULL)
		return;
	compact_input_close(f->in);
	free(f->stream);
	free(f->active);
	free(f);
}

/* Like memcmp, of the next record's stream and the row's. */
static int
stream_cmp(const struct compact_filter *f)
{
	const char *s;
	size_t n;
	int d;

	s = rows_str(f->in->rows, STREAM, f->in->i, &n);
	d = n == 0 || f->len == 0 ? 0 :
	    memcmp(s, f->stream, n < f->len ? n : f->len);
	return (d != 0 ? d : (n > f->len) - (n < f->len));
}

static bool
newer(const struct active *a, int64_t ingested, int32_t group)
{

	return (a->ingested != ingested ? a->ingested > ingested :
	    a->group > group);
}

/* A newer one that ends later makes one needless. */
static void
activate(struct compact_filter *f)
{
	const struct rows *r = f->in->rows;
	uint32_t i = f->in->i;
	struct active x;
	size_t k, n = 0;

	x.b = r->v[TO].i64[i];
	x.ingested = r->v[INGESTED].i64[i];
	x.group = r->v[GROUP].i32[i];
	for (k = 0; k < f->n; k++) {
		if (f->active[k].b >= x.b &&
		    newer(&f->active[k], x.ingested, x.group))
			return;
		if (f->active[k].b > x.b ||
		    newer(&f->active[k], x.ingested, x.group))
			f->active[n++] = f->active[k];
	}
	f->n = n;
	if (f->n == f->cap) {
		f->cap = f->cap == 0 ? 8 : 2 * f->cap;
		f->active = must_realloc(f->active, f->cap,
		    sizeof(f->active[0]));
	}
	f->active[f->n++] = x;
}

/* Whether the next record belongs to the stream or to one before it. */
static bool
is_due(const struct compact_filter *f, int *d)
{

	if (f->in->end || f->in->day > f->day)
		return (false);
	*d = f->in->day < f->day ? -1 : stream_cmp(f);
	return (*d <= 0);
}

/* All that began up to this time of the stream. */
static int
advance(struct compact_filter *f, int64_t t, struct err *e)
{
	size_t k, n = 0;
	int d = 0, rc;

	while ((rc = compact_input_ready(f->in, e)) == 0 && is_due(f, &d)) {
		if (d == 0 && f->in->rows->v[FROM].i64[f->in->i] > t)
			break;
		if (d == 0)
			activate(f);
		f->in->i++;
	}
	if (rc != 0)
		return (rc);
	for (k = 0; k < f->n; k++)
		if (f->active[k].b > t)
			f->active[n++] = f->active[k];
	f->n = n;
	f->none = n == 0 && !is_due(f, &d);
	return (0);
}

static void
use_stream(struct compact_filter *f, const struct rows *r, uint32_t col,
    uint32_t i)
{
	const char *s;
	size_t n;

	f->code = r->v[col].code[i];
	s = rows_str(r, col, i, &n);
	if (f->stream != NULL && n == f->len &&
	    (n == 0 || memcmp(s, f->stream, n) == 0))
		return;
	if (f->stream == NULL || n > f->room) {
		f->room = n + 64;
		f->stream = must_realloc(f->stream, f->room, 1);
	}
	if (n > 0)
		memcpy(f->stream, s, n);
	f->len = n;
	f->n = 0;
	f->none = false;
}

/* 1: the row stays, 0: it goes, or an error. */
static int
judge(struct compact_filter *f, const struct rows *r, uint32_t i,
    struct err *e)
{
	const uint32_t col = f->plan->key[0];
	const int64_t t = r->v[f->plan->cursor].i64[i];
	int64_t ingested;
	size_t k;
	int rc;

	if (r->v[col].code[i] != f->code)
		use_stream(f, r, col, i);
	if (f->none)
		return (1);
	if ((rc = advance(f, t, e)) != 0)
		return (rc);
	ingested = r->v[f->plan->ingested].i64[i];
	for (k = 0; k < f->n; k++)
		if (newer(&f->active[k], ingested,
		    r->v[f->plan->group].i32[i]))
			return (0);
	return (1);
}

void
compact_filter_begin(struct compact_filter *f, int32_t day,
    const struct compact_sink *sink)
{

	f->day = day;
	f->sink = sink;
	f->n = 0;
	f->none = false;
	free(f->stream);
	f->stream = NULL;
}

int
compact_filter_put(void *cookie, const struct rows *r, uint32_t from,
    uint32_t n, struct err *e)
{
	struct compact_filter *f = cookie;
	uint32_t i, begin = from, end = from + n;
	int rc = 1;

	f->code = UINT32_MAX;
	for (i = from; i < end; i++) {
		if ((rc = judge(f, r, i, e)) < 0)
			return (rc);
		if (rc == 1)
			continue;
		(*f->dropped)++;
		if (i > begin && (rc = f->sink->put(f->sink->cookie, r,
		    begin, i - begin, e)) != 0)
			return (rc);
		begin = i + 1;
	}
	return (end == begin ? 0 : f->sink->put(f->sink->cookie, r, begin,
	    end - begin, e));
}
