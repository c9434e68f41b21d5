/*
 * verify --source: what is covered, held against the server, a line a
 * window that differs. Newer than the re-read tail nothing is judged: late
 * values are expected there, and the next harvest reads them. Then the
 * objects of walks, a line an object; a sample is of windows, without them.
 * Event frames are compared one by one, where they began in what is covered.
 * An object that came after the last walk, and a frame that the server has no
 * more, are told, but are no mistakes.
 */

#include "config.h"

#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/text.h"
#include "base/ticks.h"
#include "cli/cli.h"
#include "codec/json.h"
#include "conf/conf.h"
#include "harvest/harvest.h"
#include "source/source.h"

static const char *
word(const struct harvest_difference *d)
{

	if (d->code != 0)
		return ("source.failed");
	if (d->news)
		return (d->ours == 0 ? "source.new" : "source.gone");
	if (d->ours < d->theirs)
		return ("source.missing");
	return (d->ours > d->theirs ? "source.surplus" : "source.content");
}

static void
put_json(struct buf *b, const struct harvest_difference *d)
{
	char from[TICKS_TEXT_MAX], to[TICKS_TEXT_MAX];

	buf_printf(b, "{\"kind\":\"%s\",\"severity\":\"%s\",\"table\":\"%s\","
	    "\"group\":%u", word(d), d->news ? "note" : "error",
	    d->table->name, d->group);
	json_put_text(b, "stream", d->stream);
	json_put_text(b, "webid", d->key);
	if (d->a != TICKS_NONE)
		buf_printf(b, ",\"from\":\"%s\",\"to\":\"%s\"",
		    ticks_text7(d->a, from), ticks_text7(d->b, to));
	if (d->code == 0)
		buf_printf(b, ",\"ours\":%llu,\"theirs\":%llu",
		    (unsigned long long)d->ours,
		    (unsigned long long)d->theirs);
	else
		json_put_text(b, "text", d->text);
	buf_puts(b, "}\n");
}

/* What is told of an object or a frame. */
static const char *
one(const struct harvest_difference *d)
{

	if (d->theirs == 0)
		return ("the server has it no more");
	if (d->ours == 0)
		return (d->news ? "newer than the last walk" :
		    "it was never read");
	return (d->a == TICKS_NONE ? "not as the last walk saw it" :
	    "not as it was read last");
}

static void
put_text(struct buf *b, const struct harvest_difference *d)
{
	char from[TICKS_TEXT_MAX], to[TICKS_TEXT_MAX];

	buf_printf(b, "%s %s %s ", d->news ? "note " : "error", word(d),
	    d->table->name);
	text_escape(b, d->stream, strlen(d->stream), 200);
	if (d->a != TICKS_NONE)
		buf_printf(b, " %s", ticks_text(d->a, from));
	if (d->a != d->b)
		buf_printf(b, " .. %s", ticks_text(d->b, to));
	buf_puts(b, ": ");
	if (d->code != 0)
		text_escape(b, d->text, strlen(d->text), 400);
	else if (d->one)
		buf_puts(b, one(d));
	else if (d->ours == d->theirs)
		buf_printf(b, "%llu events, not all of them with the same "
		    "content", (unsigned long long)d->ours);
	else
		buf_printf(b, "ours %llu events, theirs %llu",
		    (unsigned long long)d->ours,
		    (unsigned long long)d->theirs);
	buf_u8(b, '\n');
}

static void
on_difference(void *cookie, const struct harvest_difference *d)
{
	struct app *app = cookie;
	struct buf b;

	if (d->news && app->cli->quiet && !app->cli->json)
		return;
	buf_init(&b, 1 << 16);
	if (app->cli->json)
		put_json(&b, d);
	else
		put_text(&b, d);
	app_progress_wipe(app->progress);
	(void)fwrite(b.data, 1, b.len, stdout);
	buf_fini(&b);
}

static void
print_summary(const struct app *app, const struct harvest_reconcile *o)
{
	char w[32], v[32], n[32], f[32];

	if (app->cli->json) {
		printf("{\"kind\":\"summary\",\"windows\":%llu,"
		    "\"events\":%llu,\"objects\":%llu,\"new\":%llu,"
		    "\"frames\":%llu,\"gone\":%llu,"
		    "\"differing\":%llu,\"failed\":%llu}\n",
		    (unsigned long long)o->windows,
		    (unsigned long long)o->events,
		    (unsigned long long)o->objects,
		    (unsigned long long)o->news,
		    (unsigned long long)o->frames,
		    (unsigned long long)o->gone,
		    (unsigned long long)o->differing,
		    (unsigned long long)o->failed);
		return;
	}
	printf("%s: %s of the server compared, %s; %s, %s: %llu %s, %llu "
	    "could not be read",
	    o->differing + o->failed == 0 ? "equal" : "DIFFERENT",
	    text_counted(o->windows, "window", NULL, w, sizeof(w)),
	    text_counted(o->events, "event", NULL, v, sizeof(v)),
	    text_counted(o->objects, "object", NULL, n, sizeof(n)),
	    text_counted(o->frames, "event frame", NULL, f, sizeof(f)),
	    (unsigned long long)o->differing,
	    o->differing == 1 ? "differs" : "differ",
	    (unsigned long long)o->failed);
	if (o->news > 0)
		printf(", %llu %s newer than the last walk",
		    (unsigned long long)o->news, o->news == 1 ? "is" : "are");
	if (o->gone > 0)
		printf(", %llu %s gone from the server",
		    (unsigned long long)o->gone, o->gone == 1 ? "is" : "are");
	printf("\n");
}

int
app_reconcile(struct app *app, const struct source_table *const *t,
    struct harvest_reconcile *o, int *status, struct err *e)
{
	const int64_t tail = conf_num(app->conf, "harvest.reread") *
	    TICKS_PER_MS;
	const int64_t tail_frames = conf_num(app->conf,
	    "harvest.reread_frames") * TICKS_PER_MS;
	const bool sample = o->parts > 0 || o->per_million > 0;
	int64_t now;
	int rc;

	if ((rc = harvest_clock(app->harvest, &now, e)) != 0)
		return (rc);
	o->differs = on_difference;
	o->cookie = app;
	for (; *t != NULL && rc == 0; t++) {
		o->to = now - ((*t)->kind == SOURCE_FRAMES ? tail_frames :
		    tail);
		if ((*t)->kind == SOURCE_SERIES)
			rc = harvest_reconcile(app->harvest, *t, o, e);
		else if ((*t)->kind == SOURCE_WALK &&
		    (*t)->object_key >= 0 && !sample)
			rc = harvest_reconcile_walk(app->harvest, *t, o, e);
		else if ((*t)->kind == SOURCE_FRAMES &&
		    (*t)->object_key >= 0)
			rc = harvest_reconcile_frames(app->harvest, *t, o, e);
	}
	if (rc != 0)
		return (rc);
	print_summary(app, o);
	*status = o->differing + o->failed > 0;
	return (0);
}
