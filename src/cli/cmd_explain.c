/*
 * garner explain: the life of one stream: what it is, what is covered and
 * missing, how reading it went, what the next run will ask, why it is late,
 * and where its rows lie. Reads the ledger and the Delta log only.
 */

#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/must.h"
#include "base/ranges.h"
#include "base/text.h"
#include "base/ticks.h"
#include "cli/cmd_explain_int.h"
#include "conf/conf.h"
#include "delta/delta.h"
#include "harvest/harvest.h"
#include "ledger/ledger.h"
#include "rows/rows.h"
#include "source/source.h"

static const struct cli_option options[] = {
	{ "table", 0, "LIST", "only these tables, separated by commas" },
	{ NULL, 0, NULL, NULL },
};

/* Streams named when a pattern hits several. */
#define NAMES_MAX 10

/* --- finding it ---------------------------------------------------------- */

static int
keep(struct explain *j, const struct app_stream *s, struct err *e)
{
	struct found *f = &j->one;

	f->table = s->table;
	f->group = s->group;
	f->o = *s->object;
	f->o.key = arena_strdup(j->arena, s->object->key);
	f->o.name = arena_strdup(j->arena, s->object->name);
	f->o.parent = arena_strdup(j->arena, s->object->parent);
	f->o.kind = arena_strdup(j->arena, s->object->kind);
	ledger_stream_copy(&f->s, s->state);
	ranges_clear(&j->ties);
	harvest_choice_word(s->txn, s->table->name, j->form);
	if (harvest_ties(s->txn, s->table->name, s->object->id, &j->ties,
	    e) != 0)
		return (ERR_CORRUPT);
	return (ledger_group_get(s->txn, s->table->name, s->group, &f->g, e));
}

/* What is named exactly goes before what a pattern hits; and of streams of
 * one name the one that is there before those that are gone. */
static int
hit(const struct app_stream *s, void *cookie, struct err *e)
{
	struct explain *j = cookie;
	bool exact = strcmp(j->wanted, s->object->key) == 0 ||
	    strcmp(j->wanted, s->object->name) == 0;

	bool take = false;

	if (exact && j->exact++ == 0) {
		j->hits = 0;
		buf_clear(&j->names);
	}
	if (!exact && j->exact > 0)
		return (0);
	if (exact && !s->object->gone)
		take = j->there++ == 0;
	if (exact && j->hits > 0)
		j->tables = j->tables || j->one.table != s->table;
	if (j->hits++ < NAMES_MAX) {
		buf_puts(&j->names, j->hits > 1 ? ", " : "");
		text_escape(&j->names, s->object->name,
		    strlen(s->object->name), 60);
		if (exact) {
			buf_printf(&j->names, " (%s: ", s->table->name);
			text_escape(&j->names, s->object->key,
			    strlen(s->object->key), 400);
			buf_puts(&j->names, s->object->gone ? ", gone)" :
			    ")");
		}
	}
	return (take || j->hits == 1 ? keep(j, s, e) : 0);
}

static int
same_name(const struct app_stream *s, void *cookie, struct err *e)
{
	struct explain *j = cookie;
	struct namesake *n;

	(void)e;
	if (s->object->id == j->one.o.id ||
	    strcmp(s->object->name, j->one.o.name) != 0)
		return (0);
	j->same = must_realloc(j->same, j->nsame + 1, sizeof(j->same[0]));
	n = &j->same[j->nsame++];
	n->id = s->object->id;
	n->key = arena_strdup(j->arena, s->object->key);
	n->gone = s->object->gone;
	n->values = s->state->values;
	n->last_event = s->state->last_event;
	return (0);
}

static int
find(struct explain *j, struct err *e)
{
	const struct source_table **tables = NULL, **t;
	struct buf none;
	int rc;

	buf_init(&none, 16);
	rc = app_tables(j->app, cli_get(j->app->cli, "table"), &tables, e);
	for (t = tables; rc == 0 && *t != NULL; t++)
		rc = app_streams_each(j->app, *t, 0, j->wanted, hit, j, &none,
		    e);
	free(tables);
	if (rc != 0)
		return (rc);
	if (j->hits == 0)
		return (app_no_stream(j->app, j->wanted, e));
	if (j->hits > 1 && (j->there != 1 || j->tables))
		return (err_set(e, ERR_USAGE, "\"%s\" is %llu streams; name "
		    "one: %s%s", j->wanted, (unsigned long long)j->hits,
		    buf_str(&j->names), j->hits > NAMES_MAX ? "..." : ""));
	if (j->one.table->kind == SOURCE_SERIES)
		rc = app_streams_each(j->app, j->one.table, 0, NULL,
		    same_name, j, &none, e);
	return (rc);
}

/* --- what follows from it ------------------------------------------------ */

static int64_t
tail_of(const struct explain *j)
{

	return (TICKS_PER_MS * conf_num(j->app->conf,
	    j->one.table->kind == SOURCE_SERIES ? "harvest.reread" :
	    "harvest.reread_frames"));
}

bool
explain_held(const struct explain *j)
{

	return (j->one.o.gone || (j->one.table->kind == SOURCE_SERIES &&
	    harvest_refused(j->one.s.fail_code)));
}

static int
derive(struct explain *j, struct err *e)
{
	struct app *app = j->app;
	int rc;

	if ((rc = app_clocks(app, &j->noted, &j->now, e)) != 0 ||
	    (rc = app_wanted(app, j->noted, &j->range, e)) != 0 ||
	    (rc = app_wanted(app, j->now, &j->next, e)) != 0)
		return (rc);
	if (j->range.to > j->noted)
		j->range.to = j->noted;
	if (j->next.to > j->now)
		j->next.to = j->now;
	harvest_wanted(&j->one.s, &j->range, 0, &j->missing);
	if (!explain_held(j))
		harvest_wanted(&j->one.s, &j->next, tail_of(j),
		    &j->ask);
	return (0);
}

/* Can the file hold rows of the stream? By the range of its times. */
static bool
may_hold(const struct explain *j, const struct delta_file *f)
{
	const struct ranges *c = &j->one.s.covered;
	size_t i;

	if (f->min_tick == TICKS_NONE || f->max_tick == TICKS_NONE)
		return (c->n > 0);
	for (i = 0; i < c->n; i++)
		if (f->min_tick < c->r[i].b && f->max_tick >= c->r[i].a)
			return (j->one.s.values > 0);
	return (false);
}

/* Files are sorted by path: those of a partition stand together. */
static void
add_file(struct explain *j, const struct delta_file *f)
{
	const char *name = f->partition != NULL ? f->partition : "";
	struct partition *p;

	if (j->nparts == 0 ||
	    strcmp(j->parts[j->nparts - 1].name, name) != 0) {
		j->parts = must_realloc(j->parts, j->nparts + 1,
		    sizeof(j->parts[0]));
		j->parts[j->nparts++] = (struct partition){ name, 0, 0 };
	}
	p = &j->parts[j->nparts - 1];
	p->files++;
	p->bytes += f->bytes;
}

static int
read_silver(struct explain *j, struct err *e)
{
	const struct found *f = &j->one;
	const struct source_table *t = f->table;
	struct delta_table *d;
	char *dir, *id;
	size_t i;
	int rc;

	dir = app_silver_dir(j->app, t->name);
	d = delta_open(j->app->sys, dir, t->cursor < 0 ? NULL :
	    t->schema->cols[t->cursor].name);
	free(dir);
	if ((rc = delta_load(d, &j->silver, e)) == 0) {
		for (i = 0; i < j->silver.nfiles; i++)
			if (may_hold(j, &j->silver.files[i]))
				add_file(j, &j->silver.files[i]);
		id = must_sprintf("garner/%s/%u",
		    ledger_instance(j->app->ledger), f->group);
		j->compacted = f->g.batches == 0 ||
		    delta_snapshot_txn(&j->silver, id) ==
		    journal_pos_pack(&f->g.pos);
		free(id);
	}
	delta_close(d);
	return (rc);
}

/* --- the command --------------------------------------------------------- */

static int
explain(struct explain *j, struct err *e)
{
	int rc;

	if ((rc = find(j, e)) != 0 || (rc = derive(j, e)) != 0 ||
	    (rc = read_silver(j, e)) != 0)
		return (rc);
	if (j->app->cli->json)
		explain_json(j);
	else
		explain_text(j);
	(void)app_print(&j->out);
	return (0);
}

static int
run(struct cli *cli)
{
	struct err e = ERR_INIT;
	struct app app;
	struct explain j;
	int status = 0;

	memset(&j, 0, sizeof(j));
	j.app = &app;
	j.wanted = cli->argv[0];
	j.arena = arena_new();
	ledger_stream_init(&j.one.s);
	ranges_init(&j.missing);
	ranges_init(&j.ties);
	ranges_init(&j.ask);
	buf_init(&j.names, 1 << 14);
	buf_init(&j.out, SIZE_MAX / 2);
	if (app_open(&app, cli, APP_LEDGER_READ, &e) != 0 ||
	    explain(&j, &e) != 0)
		status = cli_fail(cli, &e);
	free(j.parts);
	free(j.same);
	delta_snapshot_fini(&j.silver);
	buf_fini(&j.out);
	buf_fini(&j.names);
	ranges_fini(&j.ask);
	ranges_fini(&j.ties);
	ranges_fini(&j.missing);
	ledger_stream_fini(&j.one.s);
	arena_free(j.arena);
	app_close(&app);
	return (status);
}

const struct cli_command cmd_explain = {
	.name = "explain",
	.operands = "STREAM",
	.operands_min = 1,
	.operands_max = 1,
	.summary = "Tell the life of one stream, and why it is late",
	.options = options,
	.run = run,
};
