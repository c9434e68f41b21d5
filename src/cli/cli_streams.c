/*
 * Streams as the ledger knows them, for commands that tell about them:
 * walked in pieces of ids, each in a reading of its own, so that a reader
 * whose output is slow neither keeps the ledger from growing beside a
 * running harvest nor needs memory for what it has not printed.
 */

#include "config.h"

#include <fnmatch.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/ranges.h"
#include "base/ticks.h"
#include "cli/cli.h"
#include "conf/conf.h"
#include "harvest/harvest.h"
#include "ledger/ledger.h"
#include "source/source.h"
#include "sys/sys.h"

/* Objects read at a time. */
#define PIECE 1000u

struct walk {
	const char *pattern;
	struct app_stream stream;
	struct ledger_stream state;
	uint32_t group_size;
	app_stream_fn *fn;
	void *cookie;
	struct err *err;
};

static bool
matches(const char *pattern, const struct ledger_object *o)
{

	return (pattern == NULL || strcmp(pattern, o->key) == 0 ||
	    fnmatch(pattern, o->name, FNM_CASEFOLD | FNM_NOESCAPE) == 0);
}

static int
one(const struct ledger_object *o, void *cookie)
{
	struct walk *w = cookie;
	struct app_stream *s = &w->stream;
	int rc;

	if (!matches(w->pattern, o))
		return (0);
	rc = ledger_stream_get(s->txn, s->table->name, o->id, &w->state,
	    w->err);
	if (rc != 0)
		return (rc);
	s->object = o;
	s->group = s->table->kind == SOURCE_SERIES ?
	    harvest_group(o->id, w->group_size) : 0;
	return (w->fn(s, w->cookie, w->err));
}

int
app_print(struct buf *out)
{

	if (out->len > 0 && fwrite(out->data, 1, out->len, stdout) != out->len)
		return (1);		/* told by cli_flush() */
	buf_clear(out);
	return (0);
}

static int
piece(const struct app *app, struct walk *w, uint32_t from, uint32_t to)
{
	int rc;

	rc = ledger_read_begin(app->ledger, &w->stream.txn, w->err);
	if (rc != 0)
		return (rc);
	rc = ledger_object_each(w->stream.txn, w->stream.table->over->name,
	    from, to, one, w, w->err);
	ledger_read_end(w->stream.txn);
	return (rc);
}

/* The highest id there is. */
static int
last_id(const struct app *app, const struct source_table *t, uint32_t *id,
    struct err *e)
{
	struct ledger_txn *txn;
	int rc;

	if ((rc = ledger_read_begin(app->ledger, &txn, e)) != 0)
		return (rc);
	rc = ledger_object_last(txn, t->over->name, id, e);
	ledger_read_end(txn);
	return (rc);
}

int
app_streams_each(const struct app *app, const struct source_table *t,
    uint32_t group, const char *pattern, app_stream_fn *fn, void *cookie,
    struct buf *out, struct err *e)
{
	struct walk w = { .pattern = pattern, .fn = fn, .cookie = cookie,
	    .err = e, .stream = { .table = t } };
	uint32_t a = 1, b, last, size;
	int rc;

	if (t->kind == SOURCE_WALK || t->over == NULL ||
	    (group != 0 && t->kind != SOURCE_SERIES))
		return (0);
	if ((rc = last_id(app, t, &last, e)) != 0)
		return (rc);
	w.group_size = size = (uint32_t)conf_num(app->conf, "groups.size");
	if (group != 0) {
		a = harvest_group_first(group, size);
		if (last >= a && last - a >= size)
			last = a + size - 1;
	}
	ledger_stream_init(&w.state);
	w.stream.state = &w.state;
	for (; a != 0 && a <= last && rc == 0; a = b + 1) {
		b = last - a >= PIECE ? a + PIECE - 1 : last;
		rc = piece(app, &w, a, b);
		if (rc == 0)
			rc = app_print(out);
	}
	ledger_stream_fini(&w.state);
	return (rc < 0 ? rc : 0);
}

int
app_no_stream(const struct app *app, const char *pattern, struct err *e)
{
	const struct source_table **t = app->tables;
	bool walked = true;
	int rc;

	for (; t != NULL && *t != NULL && walked; t++)
		if ((rc = app_walked(app, *t, &walked, e)) != 0)
			return (rc);
	return (err_set(e, ERR_NOTFOUND, "there is no stream \"%s\"; %s",
	    pattern, walked ? "patterns are such as '*FLOW*', and new ones "
	    "are found by garner discover" : "the catalogue is not read yet: "
	    "run garner discover"));
}

int
app_walked(const struct app *app, const struct source_table *t, bool *walked,
    struct err *e)
{
	struct ledger_txn *txn;
	struct ledger_group g;
	int rc;

	if (t->kind != SOURCE_WALK)
		t = t->over;
	*walked = t == NULL;
	if (t == NULL)
		return (0);
	if ((rc = ledger_read_begin(app->ledger, &txn, e)) != 0)
		return (rc);
	rc = ledger_group_get(txn, t->name, 0, &g, e);
	ledger_read_end(txn);
	*walked = rc == 0 && g.batches > 0;
	return (rc);
}

/* --- when ----------------------------------------------------------------- */

int
app_clocks(const struct app *app, int64_t *noted, int64_t *now, struct err *e)
{
	struct ledger_txn *txn;
	int64_t ours;
	int rc;

	*noted = *now = app->sys->now_ticks(app->sys->cookie);
	if ((rc = ledger_read_begin(app->ledger, &txn, e)) != 0)
		return (rc);
	rc = harvest_clock_noted(txn, noted, &ours, e);
	ledger_read_end(txn);
	if (rc == 0)
		*now += *noted - ours;
	return (rc == ERR_NOTFOUND ? 0 : rc);
}

/* --- why ----------------------------------------------------------------- */

const char *
app_gap_word(const struct ledger_stream *s, const struct range *gap)
{
	const struct ranges *c = &s->covered;

	if (s->fail_code != 0)
		return (err_class(s->fail_code) == ERR_CLASS_RETRY ?
		    "failed" : "set_aside");
	if (c->n == 0)
		return ("never_read");
	if (gap->a >= c->r[c->n - 1].b)
		return ("behind");
	return ("not_yet_read");
}

void
app_gap_text(const struct ledger_stream *s, const struct range *gap,
    struct buf *out)
{
	char at[TICKS_TEXT_MAX];
	const char *p = app_gap_word(s, gap);

	for (; *p != '\0'; p++)
		buf_u8(out, *p == '_' ? ' ' : (uint8_t)*p);
	if (s->fail_code == 0)
		return;
	buf_printf(out, ": %s, %s", err_text(s->fail_code),
	    ticks_text_s(s->fail_at, at));
	if (s->why[0] != '\0')
		buf_printf(out, ": %s", s->why);
}

const char *
app_duration(int64_t ticks, char *out, size_t size)
{
	int64_t s = ticks / TICKS_PER_S;

	if (ticks < TICKS_PER_S / 1000)		/* of those at one time: 1 */
		(void)snprintf(out, size, "%.1fus", (double)ticks / 10);
	else if (ticks % TICKS_PER_S != 0 && s < 60)
		(void)snprintf(out, size, "%.3gs",
		    (double)ticks / (double)TICKS_PER_S);
	else if (s < 60)
		(void)snprintf(out, size, "%llds", (long long)s);
	else if (s < 3600)
		(void)snprintf(out, size, "%lldm%llds", (long long)(s / 60),
		    (long long)(s % 60));
	else if (s < 86400)
		(void)snprintf(out, size, "%lldh%lldm", (long long)(s / 3600),
		    (long long)(s % 3600 / 60));
	else
		(void)snprintf(out, size, "%lldd%lldh",
		    (long long)(s / 86400), (long long)(s % 86400 / 3600));
	return (out);
}
