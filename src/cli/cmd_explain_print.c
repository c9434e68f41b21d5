/*
 * What garner explain has found out about a stream, in words and as JSON.
 */

#include "config.h"

#include <string.h>

#include "base/err.h"
#include "base/text.h"
#include "base/ticks.h"
#include "cli/cmd_explain_int.h"
#include "codec/json.h"
#include "source/source.h"

/* Ranges and partitions printed for a person. */
#define LINES_MAX 8

/* Text of the server's, for a terminal. */
static void
put_plain(struct buf *b, const char *text, size_t max)
{

	text_escape(b, text, strlen(text), max);
}

/* --- in words ------------------------------------------------------------ */

static void
put_successor(const struct explain *j, struct buf *b)
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
judge(const struct explain *j, struct buf *b)
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
	if (s->fail_code != 0 && explain_held(j)) {
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
line_time(struct explain *j, const char *name, int64_t at, const char *none)
{
	char t[TICKS_TEXT_MAX];

	if (at == TICKS_NONE)
		buf_printf(&j->out, "%-14s %s\n", name, none);
	else
		buf_printf(&j->out, "%-14s %s\n", name, ticks_text(at, t));
}

static void
line_ranges(struct explain *j, const char *name, const struct ranges *r,
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
print_where(struct explain *j)
{
	const struct found *f = &j->one;
	struct buf *out = &j->out;
	char *dir, c[40], d[32];
	size_t i;

	dir = harvest_journal_dir(j->app->data, j->app->name, f->table->name,
	    f->group);
	buf_printf(out, "%-14s %s: %s, %s of its group\n", "journal",
	    dir, text_counted(f->g.batches, "commit", NULL, c, sizeof(c)),
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
print_same(struct explain *j)
{
	const struct namesake *n;
	char c[40], t[TICKS_TEXT_MAX];
	struct buf *out = &j->out;
	size_t i;

	for (i = 0; i < j->nsame && i < LINES_MAX; i++) {
		n = &j->same[i];
		buf_printf(out, "%-14s ", i == 0 ? "same name" : "");
		put_plain(out, n->key, 400);
		buf_printf(out, ": object %u, %s, %s", n->id,
		    n->gone ? "no longer in the catalogue" :
		    "in the catalogue",
		    text_counted(n->values, "value", NULL, c, sizeof(c)));
		if (n->last_event != TICKS_NONE)
			buf_printf(out, " up to %s",
			    ticks_text(n->last_event, t));
		buf_u8(out, '\n');
	}
	if (i < j->nsame)
		buf_printf(out, "%-14s and %zu more, see --json\n", "",
		    j->nsame - i);
}

void
explain_text(struct explain *j)
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
put_time(struct explain *j, const char *name, int64_t at)
{

	if (at == TICKS_NONE)
		buf_printf(&j->out, ",\"%s\":null", name);
	json_put_time(&j->out, name, at);
}

static void
put_ranges(struct explain *j, const char *name, const struct ranges *r,
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
put_where(struct explain *j)
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
put_same(struct explain *j)
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

void
explain_json(struct explain *j)
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
