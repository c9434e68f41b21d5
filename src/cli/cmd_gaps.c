/*
 * garner gaps: what is wanted and not covered, stream by stream, each range
 * with its reason, and a sum a group. Reads the ledger only, in pieces:
 * flat in memory, and safe beside a running harvest. "Now" is the server's
 * clock as the last run noted it.
 */

#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/ranges.h"
#include "base/text.h"
#include "base/ticks.h"
#include "cli/cli.h"
#include "codec/json.h"
#include "harvest/harvest.h"
#include "ledger/ledger.h"
#include "source/source.h"

static const struct cli_option options[] = {
	{ "table", 0, "LIST", "only these tables, separated by commas" },
	{ "group", 0, "N", "only this group of streams" },
	{ "stream", 0, "PATTERN", "only streams named so, or the WebId" },
	{ "from", 0, "TIME", "begin of the range (default: harvest.from)" },
	{ "to", 0, "TIME", "end of it, exclusive (default: harvest.to)" },
	{ "summary", 0, NULL, "a line a group, not a line a range" },
	{ NULL, 0, NULL, NULL },
};

/* Of a group, in order of app_gap_word()'s being met. */
#define WORDS_MAX 8

struct sum {
	uint64_t streams;	/* looked at */
	uint64_t lacking;	/* of them with gaps */
	uint64_t ranges;
	double seconds;
	struct {
		const char *word;
		uint64_t ranges;
	} by[WORDS_MAX];
};

struct job {
	struct app *app;
	struct harvest_range range;
	bool summary;
	const char *pattern;
	const struct source_table *table;
	uint32_t group;			/* that `sum` is of */
	struct sum sum;
	struct ranges missing;
	struct ranges ties;
	struct buf out;
	uint64_t streams;		/* looked at, in all */
	uint64_t gaps;			/* in all */
	bool head;			/* of the columns is printed */
};

/* Covered, but not all of it could be had. */
static const char unreadable[] = "not_fully_readable";

/* --- printing ------------------------------------------------------------ */

static void
range_json(struct job *j, const struct app_stream *s, const struct range *r,
    const char *word)
{
	struct buf *out = &j->out;

	buf_printf(out, "{\"table\":\"%s\",\"group\":%u", s->table->name,
	    s->group);
	json_put_text(out, "stream", s->object->name);
	json_put_text(out, "webid", s->object->key);
	json_put_time(out, "from", r->a);
	json_put_time(out, "to", r->b);
	buf_puts(out, ",\"seconds\":");
	json_put_double(out, (double)(r->b - r->a) / (double)TICKS_PER_S);
	buf_printf(out, ",\"reason\":\"%s\"", word);
	if (s->state->fail_code != 0 && word != unreadable) {
		json_put_text(out, "error", err_text(s->state->fail_code));
		json_put_text(out, "why", s->state->why);
		json_put_time(out, "failed_at", s->state->fail_at);
	}
	buf_puts(out, "}\n");
}

/* To the second, but of less than one. */
static const char *
end_text(const struct range *r, int64_t t, char *out)
{

	return (r->b - r->a < TICKS_PER_S ? ticks_text(t, out) :
	    ticks_text_s(t, out));
}

static void
range_text(struct job *j, const struct app_stream *s, const struct range *r,
    const char *word)
{
	char a[TICKS_TEXT_MAX], b[TICKS_TEXT_MAX], d[32];
	struct buf *out = &j->out;

	if (!j->head)
		buf_printf(out, "%-18s %6s %-20s %-20s %8s  %s\n", "table",
		    "group", "from", "to", "length", "stream: reason");
	j->head = true;
	buf_printf(out, "%-18s %6u %-20s %-20s %8s  ", s->table->name,
	    s->group, end_text(r, r->a, a), end_text(r, r->b, b),
	    app_duration(r->b - r->a, d, sizeof(d)));
	text_escape(out, s->object->name, strlen(s->object->name), 1024);
	buf_puts(out, ": ");
	if (word == unreadable)
		buf_puts(out, "not fully readable: more events than the "
		    "server gives at once\n");
	else {
		app_gap_text(s->state, r, out);
		buf_u8(out, '\n');
	}
}

static void
sum_json(struct job *j)
{
	const struct sum *s = &j->sum;
	struct buf *out = &j->out;
	size_t i;

	buf_printf(out, "{\"table\":\"%s\",\"group\":%u,\"streams\":%llu,"
	    "\"lacking\":%llu,\"ranges\":%llu,\"seconds\":", j->table->name,
	    j->group, (unsigned long long)s->streams,
	    (unsigned long long)s->lacking, (unsigned long long)s->ranges);
	json_put_double(out, s->seconds);
	buf_puts(out, ",\"reasons\":{");
	for (i = 0; i < WORDS_MAX && s->by[i].word != NULL; i++)
		buf_printf(out, "%s\"%s\":%llu", i > 0 ? "," : "",
		    s->by[i].word, (unsigned long long)s->by[i].ranges);
	buf_puts(out, "}}\n");
}

static void
sum_text(struct job *j)
{
	const struct sum *s = &j->sum;
	char a[32], b[40], d[32];
	size_t i;

	buf_printf(&j->out, "%s group %u: %s of %s %s ",
	    j->table->name, j->group,
	    text_count_human(s->lacking, a, sizeof(a)),
	    text_counted(s->streams, "stream", NULL, b, sizeof(b)),
	    s->lacking == 1 ? "lacks" : "lack");
	if (s->seconds < 100 * 365.0 * 86400)
		buf_puts(&j->out, app_duration((int64_t)(s->seconds *
		    TICKS_PER_S), d, sizeof(d)));
	else
		buf_printf(&j->out, "%.0f years", s->seconds / 86400 / 365);
	buf_puts(&j->out, " together; ranges:");
	for (i = 0; i < WORDS_MAX && s->by[i].word != NULL; i++)
		buf_printf(&j->out, "%s %s %s", i > 0 ? "," : "",
		    text_count_human(s->by[i].ranges, a, sizeof(a)),
		    s->by[i].word);
	buf_u8(&j->out, '\n');
}

static void
end_group(struct job *j)
{

	if (j->summary && j->sum.lacking > 0) {
		if (j->app->cli->json)
			sum_json(j);
		else
			sum_text(j);
	}
	memset(&j->sum, 0, sizeof(j->sum));
}

/* --- collecting ---------------------------------------------------------- */

static void
sum_add(struct sum *s, const char *word, const struct range *r)
{
	size_t i;

	s->ranges++;
	s->seconds += (double)(r->b - r->a) / (double)TICKS_PER_S;
	for (i = 0; i < WORDS_MAX && s->by[i].word != NULL; i++)
		if (strcmp(s->by[i].word, word) == 0)
			break;
	if (i < WORDS_MAX) {
		s->by[i].word = word;
		s->by[i].ranges++;
	}
}

static void
add_gap(struct job *j, const struct app_stream *s, const struct range *r,
    const char *word)
{

	j->gaps++;
	sum_add(&j->sum, word, r);
	if (j->summary)
		return;
	if (j->app->cli->json)
		range_json(j, s, r, word);
	else
		range_text(j, s, r, word);
}

static int
add_stream(const struct app_stream *s, void *cookie, struct err *e)
{
	struct job *j = cookie;
	uint64_t before = j->gaps;
	const struct range *r;
	size_t i;
	int rc;

	if (s->object->gone)
		return (0);
	if (s->group != j->group) {
		end_group(j);
		j->group = s->group;
	}
	j->streams++;
	j->sum.streams++;
	harvest_wanted(s->state, &j->range, 0, &j->missing);
	for (i = 0; i < j->missing.n; i++) {
		r = &j->missing.r[i];
		add_gap(j, s, r, app_gap_word(s->state, r));
	}
	rc = harvest_ties(s->txn, s->table->name, s->object->id, &j->ties, e);
	for (i = 0; i < j->ties.n && rc == 0; i++) {
		r = &j->ties.r[i];
		if (r->a >= j->range.from && r->b <= j->range.to)
			add_gap(j, s, r, unreadable);
	}
	j->sum.lacking += j->gaps > before;
	return (rc);
}

/* The catalogue was never walked: which streams there are is not known. */
static void
never_walked(struct job *j)
{

	j->gaps++;
	if (j->app->cli->json)
		buf_printf(&j->out, "{\"table\":\"%s\",\"reason\":"
		    "\"not_discovered\"}\n", j->table->name);
	else
		buf_printf(&j->out, "%s: nothing is known of it yet: run "
		    "garner discover\n", j->table->name);
}

static int
print_table(struct job *j, const struct source_table *t, struct err *e)
{
	bool walked;
	int rc;

	j->table = t;
	j->group = 0;
	if ((rc = app_walked(j->app, t, &walked, e)) != 0)
		return (rc);
	if (!walked)
		never_walked(j);
	rc = app_streams_each(j->app, t, j->range.group, j->pattern,
	    add_stream, j, &j->out, e);
	if (rc == 0)
		end_group(j);
	(void)app_print(&j->out);
	return (rc);
}

/* --- the range ----------------------------------------------------------- */

static int
get_options(struct job *j, struct err *e)
{
	const struct cli *cli = j->app->cli;
	int64_t noted, now;
	int rc;

	if ((rc = app_clocks(j->app, &noted, &now, e)) != 0 ||
	    (rc = app_range(j->app, now, noted, &j->range, e)) != 0)
		return (rc);
	if (cli_get(cli, "to") == NULL && j->range.to > noted)
		j->range.to = noted;
	if (cli_get(cli, "from") != NULL && j->range.from >= j->range.to)
		return (app_range_empty(&j->range, e));
	j->pattern = cli_get(cli, "stream");
	j->summary = cli_get(cli, "summary") != NULL;
	return (0);
}

static int
gaps(struct job *j, struct err *e)
{
	const struct source_table **tables = NULL, **t;
	char a[TICKS_TEXT_MAX], b[TICKS_TEXT_MAX];
	int rc;

	if ((rc = get_options(j, e)) != 0 ||
	    (rc = app_tables(j->app, cli_get(j->app->cli, "table"), &tables,
	    e)) != 0)
		return (rc);
	for (t = tables; *t != NULL && rc == 0; t++)
		rc = print_table(j, *t, e);
	if (rc == 0 && j->streams == 0 && j->pattern != NULL)
		rc = app_no_stream(j->app, j->pattern, e);
	if (rc == 0 && j->gaps == 0 && !j->app->cli->json)
		printf("nothing is missing from %s to %s\n",
		    ticks_text_s(j->range.from, a), ticks_text_s(j->range.to,
		    b));
	free(tables);
	return (rc);
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
	ranges_init(&j.missing);
	ranges_init(&j.ties);
	buf_init(&j.out, SIZE_MAX / 2);
	if (app_open(&app, cli, APP_LEDGER_READ, &e) != 0 || gaps(&j, &e) != 0)
		status = cli_fail(cli, &e);
	else if (j.gaps > 0)
		status = 1;
	buf_fini(&j.out);
	ranges_fini(&j.ties);
	ranges_fini(&j.missing);
	app_close(&app);
	return (status);
}

const struct cli_command cmd_gaps = {
	.name = "gaps",
	.operands = "",
	.summary = "Show what is wanted and not covered, and why",
	.options = options,
	.run = run,
};
