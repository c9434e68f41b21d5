/*
 * garner explain: the life of one stream: what it is, what is covered and
 * missing, how reading it went, what the next run will ask, why it is late,
 * and where its rows lie. Reads the ledger and the Delta log only.
 */

#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/must.h"
#include "base/ranges.h"
#include "base/text.h"
#include "base/ticks.h"
#include "cli/cli.h"
#include "codec/json.h"
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
/* Ranges and partitions printed for a person. */
#define LINES_MAX 8

/* A stream that was found, kept beyond the reading. */
struct found {
	const struct source_table *table;
	struct ledger_object o;		/* texts in the arena */
	struct ledger_stream s;		/* covered: owned */
	struct ledger_group g;
	uint32_t group;
};

/* Another one of its name: the point was deleted and made again. */
struct namesake {
	uint32_t id;
	const char *key;		/* in the arena */
	bool gone;
	uint64_t values;
	int64_t last_event;
};

struct partition {
	const char *name;		/* borrowed from the snapshot */
	uint64_t files, bytes;
};

struct job {
	struct app *app;
	const char *wanted;		/* the operand */
	struct arena *arena;
	struct found one;
	uint64_t hits, exact;
	uint64_t there;			/* exact ones in the catalogue */
	bool tables;			/* exact ones in several tables */
	struct buf names;		/* of the first hits */
	struct namesake *same;
	size_t nsame;
	int64_t noted, now;		/* the server's clock */
	struct harvest_range range;	/* up to `noted` */
	struct harvest_range next;	/* up to `now` */
	struct ranges missing;
	struct ranges ties;		/* covered, but not fully readable */
	struct ranges ask;		/* by the next run */
	struct delta_snapshot silver;
	struct partition *parts;
	size_t nparts;
	bool compacted;			/* nothing new in the journal */
	char form[HARVEST_FORM_WORD_MAX];	/* of asking, or "" */
	struct buf out;
};

/* Text of the server's, for a terminal. */
static void
put_plain(struct buf *b, const char *text, size_t max)
{

	text_escape(b, text, strlen(text), max);
}

/* --- finding it ---------------------------------------------------------- */

static int
keep(struct job *j, const struct app_stream *s, struct err *e)
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
	struct job *j = cookie;
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
		put_plain(&j->names, s->object->name, 60);
		if (exact) {
			buf_printf(&j->names, " (%s: ", s->table->name);
			put_plain(&j->names, s->object->key, 400);
			buf_puts(&j->names, s->object->gone ? ", gone)" :
			    ")");
		}
	}
	return (take || j->hits == 1 ? keep(j, s, e) : 0);
}

static int
same_name(const struct app_stream *s, void *cookie, struct err *e)
{
	struct job *j = cookie;
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
find(struct job *j, struct err *e)
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
tail_of(const struct job *j)
{

	return (TICKS_PER_MS * conf_num(j->app->conf,
	    j->one.table->kind == SOURCE_SERIES ? "harvest.reread" :
	    "harvest.reread_frames"));
}

/* It will not be asked until something happens. */
static bool
held(const struct job *j)
{

	return (j->one.o.gone || (j->one.table->kind == SOURCE_SERIES &&
	    harvest_refused(j->one.s.fail_code)));
}

static int
derive(struct job *j, struct err *e)
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
	if (!held(j))
		harvest_wanted(&j->one.s, &j->next, tail_of(j),
		    &j->ask);
	return (0);
}

/* Can the file hold rows of the stream? By the range of its times. */
static bool
may_hold(const struct job *j, const struct delta_file *f)
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
add_file(struct job *j, const struct delta_file *f)
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
read_silver(struct job *j, struct err *e)
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

/* --- in words ------------------------------------------------------------ */

static void
put_successor(const struct job *j, struct buf *b)
{
	size_t i;

	for (i = 0; i < j->nsame; i++)
		if (!j->same[i].gone) {
			buf_puts(b, "; another one of its name is in the "
			    "catalogue now, with an archive of its own: ");
			put_plain(b, j->same[i].key, 400);
		}
}

/* A word for programs, and why it is late, or that it is not. */
static const char *
judge(const struct job *j, struct buf *b)
{
	const struct ledger_stream *s = &j->one.s;
	char t[TICKS_TEXT_MAX], u[TICKS_TEXT_MAX], d[32];
	const struct ranges *m = &j->missing;

	if (j->one.o.gone) {
		buf_puts(b, "the last walk of the catalogue did not find it "
		    "any more, so it is not asked; what was read stays");
		put_successor(j, b);
		return ("gone");
	}
	if (s->fail_code != 0 && held(j)) {
		buf_printf(b, "the server refused it on %s (%s); it is asked "
		    "again after the next garner discover, or by garner "
		    "harvest --retry-failed", ticks_text_s(s->fail_at, t),
		    s->why[0] != '\0' ? s->why : err_text(s->fail_code));
		return ("set_aside");
	}
	if (s->fail_code != 0) {
		buf_printf(b, "its last reading failed on %s (%s), %u since "
		    "the last good one; each run tries again",
		    ticks_text_s(s->fail_at, t), s->why[0] != '\0' ? s->why :
		    err_text(s->fail_code), s->fails);
		return ("failed");
	}
	if (s->covered.n == 0) {
		buf_puts(b, "no answer about it was kept so far: no run has "
		    "come to it yet, or runs were of other tables or groups");
		return ("never_read");
	}
	if (m->n > 0 && m->r[m->n - 1].b == j->range.to) {
		buf_printf(b, "it is covered to %s, and the last run was to "
		    "bring it to %s: that run did not come to its end, or was "
		    "of other tables or groups",
		    ticks_text_s(m->r[m->n - 1].a, t),
		    ticks_text_s(j->range.to, u));
		return ("behind");
	}
	if (m->n > 0) {
		buf_puts(b, "what is new is read; older ranges are still to "
		    "come");
		return ("backfill");
	}
	buf_printf(b, "all that the last run was to read is read, up to %s",
	    ticks_text_s(j->range.to, t));
	if (s->last_event != TICKS_NONE && s->last_event < j->range.to)
		buf_printf(b, "; the newest event is %s older than that, as "
		    "the source had none since",
		    app_duration(j->range.to - s->last_event, d, sizeof(d)));
	else if (s->values == 0)
		buf_puts(b, "; the source had no event at all");
	if (j->now - j->noted > TICKS_PER_S)
		buf_printf(b, "; that was %s ago",
		    app_duration(j->now - j->noted, d, sizeof(d)));
	return ("complete");
}

/* --- printing ------------------------------------------------------------ */

static void
line_time(struct job *j, const char *name, int64_t at, const char *none)
{
	char t[TICKS_TEXT_MAX];

	if (at == TICKS_NONE)
		buf_printf(&j->out, "%-14s %s\n", name, none);
	else
		buf_printf(&j->out, "%-14s %s\n", name, ticks_text(at, t));
}

static void
line_ranges(struct job *j, const char *name, const struct ranges *r,
    bool reasons)
{
	char a[TICKS_TEXT_MAX], b[TICKS_TEXT_MAX], d[32];
	struct buf *out = &j->out;
	size_t i;

	if (r->n == 0)
		buf_printf(out, "%-14s nothing\n", name);
	for (i = 0; i < r->n && i < LINES_MAX; i++) {
		buf_printf(out, "%-14s %s .. %s (%s)", i == 0 ? name : "",
		    ticks_text(r->r[i].a, a), ticks_text(r->r[i].b, b),
		    app_duration(r->r[i].b - r->r[i].a, d, sizeof(d)));
		if (reasons) {
			buf_puts(out, ": ");
			app_gap_text(&j->one.s, &r->r[i], out);
		}
		buf_u8(out, '\n');
	}
	if (i < r->n)
		buf_printf(out, "%-14s and %zu more, see --json\n", "",
		    r->n - i);
}

static void
print_where(struct job *j)
{
	const struct found *f = &j->one;
	struct buf *out = &j->out;
	char *dir, c[32], d[32];
	size_t i;

	dir = harvest_journal_dir(j->app->data, j->app->name, f->table->name,
	    f->group);
	buf_printf(out, "%-14s %s: %s commits, %s of its group\n", "journal",
	    dir, text_count_human(f->g.batches, c, sizeof(c)),
	    text_bytes_human(f->g.bytes, d, sizeof(d)));
	free(dir);
	for (i = 0; i < j->nparts && i < LINES_MAX; i++)
		buf_printf(out, "%-14s %s%s%s%llu file%s, %s\n", i == 0 ?
		    "silver" : "", j->parts[i].name[0] != '\0' ? "date=" : "",
		    j->parts[i].name, j->parts[i].name[0] != '\0' ? ": " : "",
		    (unsigned long long)j->parts[i].files,
		    j->parts[i].files == 1 ? "" : "s",
		    text_bytes_human(j->parts[i].bytes, d, sizeof(d)));
	if (i < j->nparts)
		buf_printf(out, "%-14s and %zu more, see --json\n", "",
		    j->nparts - i);
	if (!j->compacted)
		buf_printf(out, "%-14s the journal has rows that are not in "
		    "it yet: garner compact\n", j->nparts == 0 ? "silver" :
		    "");
}

static void
print_same(struct job *j)
{
	const struct namesake *n;
	char c[32], t[TICKS_TEXT_MAX];
	struct buf *out = &j->out;
	size_t i;

	for (i = 0; i < j->nsame && i < LINES_MAX; i++) {
		n = &j->same[i];
		buf_printf(out, "%-14s ", i == 0 ? "same name" : "");
		put_plain(out, n->key, 400);
		buf_printf(out, ": object %u, %s, %s values", n->id,
		    n->gone ? "no longer in the catalogue" :
		    "in the catalogue",
		    text_count_human(n->values, c, sizeof(c)));
		if (n->last_event != TICKS_NONE)
			buf_printf(out, " up to %s",
			    ticks_text(n->last_event, t));
		buf_u8(out, '\n');
	}
	if (i < j->nsame)
		buf_printf(out, "%-14s and %zu more, see --json\n", "",
		    j->nsame - i);
}

static void
print_text(struct job *j)
{
	const struct found *f = &j->one;
	const struct ledger_stream *s = &f->s;
	char c[32], t[TICKS_TEXT_MAX];
	struct buf *out = &j->out;

	put_plain(out, f->o.name, 1024);
	buf_printf(out, "\n%-14s object %u of %s, ", "what", f->o.id,
	    f->table->over->name);
	put_plain(out, f->o.kind, 1024);
	buf_printf(out, "%s%s\n%-14s ", f->o.kind[0] != '\0' ? ", " : "",
	    f->o.gone ? "no longer in the catalogue" : "in the catalogue",
	    "webid");
	put_plain(out, f->o.key, 1024);
	buf_u8(out, '\n');
	print_same(j);
	buf_printf(out, "%-14s %s, group %u%s%s\n", "read as",
	    f->table->name, f->group, j->form[0] != '\0' ?
	    ", asked for in the form " : "", j->form);
	line_ranges(j, "covered", &s->covered, false);
	line_ranges(j, "missing", &j->missing, true);
	if (j->ties.n > 0)
		line_ranges(j, "not in full", &j->ties, false);
	buf_printf(out, "%-14s %s delivered", "values",
	    text_count_human(s->values, c, sizeof(c)));
	if (s->per_second >= 0)
		buf_printf(out, ", %.4g a second", s->per_second);
	buf_u8(out, '\n');
	line_time(j, "first event", s->first_event, "never asked for");
	line_time(j, "newest event", s->last_event, "none");
	line_time(j, "last answer", s->asked, "never");
	if (s->nopen > 0)
		buf_printf(out, "%-14s %zu, the oldest since %s\n",
		    "open frames", s->nopen, ticks_text(s->open[0].start, t));
	if (s->fail_code != 0)
		buf_printf(out, "%-14s %s, %s: %s; %u since the last good "
		    "reading\n", "last failure", ticks_text_s(s->fail_at, t),
		    err_text(s->fail_code), s->why, s->fails);
	else
		buf_printf(out, "%-14s none since the last good reading\n",
		    "last failure");
	line_ranges(j, "next run asks", &j->ask, false);
	print_where(j);
	buf_printf(out, "%-14s ", "so");
	(void)judge(j, out);
	buf_u8(out, '\n');
}

static void
put_time(struct job *j, const char *name, int64_t at)
{

	if (at == TICKS_NONE)
		buf_printf(&j->out, ",\"%s\":null", name);
	json_put_time(&j->out, name, at);
}

static void
put_ranges(struct job *j, const char *name, const struct ranges *r,
    bool reasons)
{
	char a[TICKS_TEXT_MAX], b[TICKS_TEXT_MAX];
	size_t i;

	buf_printf(&j->out, ",\"%s\":[", name);
	for (i = 0; i < r->n; i++) {
		buf_printf(&j->out, "%s{\"from\":\"%s\",\"to\":\"%s\"",
		    i > 0 ? "," : "", ticks_text7(r->r[i].a, a),
		    ticks_text7(r->r[i].b, b));
		if (reasons)
			buf_printf(&j->out, ",\"reason\":\"%s\"",
			    app_gap_word(&j->one.s, &r->r[i]));
		buf_u8(&j->out, '}');
	}
	buf_u8(&j->out, ']');
}

static void
put_where(struct job *j)
{
	const struct found *f = &j->one;
	struct buf *out = &j->out;
	char *dir;
	size_t i;

	dir = harvest_journal_dir(j->app->data, j->app->name, f->table->name,
	    f->group);
	json_put_text(&j->out, "journal", dir);
	free(dir);
	buf_puts(out, ",\"silver\":[");
	for (i = 0; i < j->nparts; i++) {
		buf_puts(out, i > 0 ? ",{\"date\":" : "{\"date\":");
		json_put_str(out, j->parts[i].name, strlen(j->parts[i].name));
		buf_printf(out, ",\"files\":%llu,\"bytes\":%llu}",
		    (unsigned long long)j->parts[i].files,
		    (unsigned long long)j->parts[i].bytes);
	}
	buf_printf(out, "],\"compacted\":%s", j->compacted ? "true" :
	    "false");
}

static void
put_same(struct job *j)
{
	const struct namesake *n;
	size_t i;

	buf_puts(&j->out, ",\"same_name\":[");
	for (i = 0; i < j->nsame; i++) {
		n = &j->same[i];
		buf_printf(&j->out, "%s{\"id\":%u", i > 0 ? "," : "", n->id);
		json_put_text(&j->out, "webid", n->key);
		buf_printf(&j->out, ",\"gone\":%s,\"values\":%llu",
		    n->gone ? "true" : "false", (unsigned long long)n->values);
		put_time(j, "last_event", n->last_event);
		buf_u8(&j->out, '}');
	}
	buf_u8(&j->out, ']');
}

static void
print_json(struct job *j)
{
	const struct found *f = &j->one;
	const struct ledger_stream *s = &f->s;
	struct buf *out = &j->out, words;
	const char *state;

	buf_printf(out, "{\"id\":%u", f->o.id);
	json_put_text(&j->out, "stream", f->o.name);
	json_put_text(&j->out, "webid", f->o.key);
	json_put_text(&j->out, "kind", f->o.kind);
	buf_printf(out, ",\"gone\":%s", f->o.gone ? "true" : "false");
	put_same(j);
	json_put_text(&j->out, "catalogue", f->table->over->name);
	json_put_text(&j->out, "table", f->table->name);
	buf_printf(out, ",\"group\":%u", f->group);
	if (j->form[0] != '\0')
		json_put_text(&j->out, "form", j->form);
	put_ranges(j, "covered", &s->covered, false);
	put_ranges(j, "missing", &j->missing, true);
	put_ranges(j, "not_fully_readable", &j->ties, false);
	buf_printf(out, ",\"values\":%llu,\"per_second\":",
	    (unsigned long long)s->values);
	if (s->per_second >= 0)
		json_put_double(out, s->per_second);
	else
		buf_puts(out, "null");
	put_time(j, "first_event", s->first_event);
	put_time(j, "last_event", s->last_event);
	put_time(j, "asked", s->asked);
	if (f->table->kind == SOURCE_FRAMES) {
		buf_printf(out, ",\"open\":%zu", s->nopen);
		put_time(j, "open_since", s->nopen > 0 ? s->open[0].start :
		    TICKS_NONE);
	}
	if (s->fail_code != 0) {
		json_put_text(&j->out, "error", err_text(s->fail_code));
		json_put_text(&j->out, "why", s->why);
		put_time(j, "failed_at", s->fail_at);
	}
	buf_printf(out, ",\"fails\":%u", s->fails);
	put_ranges(j, "next", &j->ask, false);
	put_where(j);
	buf_init(&words, 1 << 16);
	state = judge(j, &words);
	json_put_text(&j->out, "state", state);
	json_put_text(&j->out, "text", buf_str(&words));
	buf_fini(&words);
	buf_puts(out, "}\n");
}

static int
explain(struct job *j, struct err *e)
{
	int rc;

	if ((rc = find(j, e)) != 0 || (rc = derive(j, e)) != 0 ||
	    (rc = read_silver(j, e)) != 0)
		return (rc);
	if (j->app->cli->json)
		print_json(j);
	else
		print_text(j);
	(void)app_print(&j->out);
	return (0);
}

static int
run(struct cli *cli)
{
	struct err e = ERR_INIT;
	struct app app;
	struct job j;
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
