/*
 * The truth, table by table, by the same functions that serve it.
 *
 * The mapping of values is told at the head of mock_truth.c. Series rows
 * come by tag, then time; `ordinal` counts events at one time. Other tables
 * have the columns of the connector, WebIDs in their IDOnly form.
 */

#include "config.h"

#include <errno.h>
#include <string.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/ticks.h"
#include "codec/json.h"
#include "mock/mock_answer.h"
#include "mock/mock_dump.h"
#include "mock/mock_options.h"
#include "mock/mock_value.h"

struct dump {
	const struct mock_world *world;
	struct mock_view view;
	struct buf row;
	FILE *out;
	bool failed;
	int errnum;		/* of a write that failed */
};

static void
write_failed(struct dump *d)
{
	d->errnum = errno;
	d->failed = true;
}

static void
row_end(struct dump *d)
{
	buf_puts(&d->row, "}\n");
	if (d->row.error != 0)
		d->failed = true;
	else if (!d->failed &&
	    fwrite(d->row.data, 1, d->row.len, d->out) != d->row.len)
		write_failed(d);
	buf_clear(&d->row);
}

static void
column_webid(struct dump *d, const char *name, struct mock_obj o)
{
	buf_printf(&d->row, ",\"%s\":", name);
	mock_put_webid(&d->row, &d->view, o);
}

/* --- series --------------------------------------------------------------- */

static void
column_text(struct buf *b, const char *name, const char *text, size_t len)
{
	buf_printf(b, ",\"%s\":", name);
	if (text == NULL)
		buf_puts(b, "null");
	else
		json_put_str(b, text, len);
}

static void
put_integer(struct buf *b, const struct mock_event *ev)
{
	char text[MOCK_NUMBER_MAX];
	size_t n = (size_t)(mock_number_put(text, ev) - text);
	double near = (double)ev->number;
	/* 2^63 itself is no int64, and no double below it is above ours. */
	bool exact = near < 9223372036854775808.0 &&
	    (int64_t)near == ev->number;

	buf_puts(b, ",\"value\":");
	if (exact)
		buf_put(b, text, n);
	else
		json_put_double(b, near);
	column_text(b, "value_text", exact ? NULL : text, n);
}

static void
put_errors(struct buf *b, const struct mock_event *ev)
{
	struct buf both;

	buf_init(&both, 1 << 16);
	buf_puts(&both, ev->text);
	if (ev->text2 != NULL)
		buf_printf(&both, "; %s", ev->text2);
	buf_puts(b, ",\"value\":null");
	column_text(b, "value_text", (char *)both.data, both.len);
	buf_fini(&both);
}

static void
put_value(struct buf *b, const struct mock_event *ev)
{
	char text[MOCK_NUMBER_MAX];

	switch (ev->type) {
	case MOCK_DECIMAL:
	case MOCK_EXPONENT:
		buf_puts(b, ",\"value\":");
		buf_put(b, text, (size_t)(mock_number_put(text, ev) - text));
		buf_puts(b, ",\"value_text\":null");
		break;
	case MOCK_INTEGER:
		put_integer(b, ev);
		break;
	case MOCK_BOOL:
		buf_puts(b, ev->number != 0 ?
		    ",\"value\":1,\"value_text\":\"true\"" :
		    ",\"value\":0,\"value_text\":\"false\"");
		break;
	case MOCK_TEXT:
	case MOCK_STATE:
		buf_puts(b, ",\"value\":null");
		column_text(b, "value_text", ev->text, strlen(ev->text));
		break;
	case MOCK_ERRORS:
		put_errors(b, ev);
		break;
	case MOCK_NULL:
	case MOCK_MISSING:
		buf_puts(b, ",\"value\":null,\"value_text\":null");
		break;
	}
	if (ev->type == MOCK_STATE)
		buf_printf(b, ",\"state_code\":%d,\"is_system\":%s",
		    (int)ev->number, ev->is_system ? "true" : "false");
	else
		buf_puts(b, ",\"state_code\":null,\"is_system\":null");
}

static void
put_flags(struct buf *b, unsigned flags)
{
	static const char *const name[] = { "good", "questionable",
		"substituted", "annotated" };

	for (unsigned i = 0; i < 4; i++)
		buf_printf(b, ",\"%s\":%s", name[i],
		    i == 3 && (flags & MOCK_NO_ANNOTATED) != 0 ? "null" :
		    (flags & 1u << i) != 0 ? "true" : "false");
}

static void
dump_tag(struct dump *d, uint32_t tag)
{
	const struct mock_options *opt = d->world->opt;
	struct mock_obj o = { MOCK_POINT, tag, 0 };
	struct mock_series s;
	struct mock_event ev;
	struct buf head, name;
	char t[TICKS_TEXT_MAX];
	int64_t last = TICKS_NONE;
	unsigned ordinal = 0;

	buf_init(&head, 1 << 16);
	buf_init(&name, 4096);
	mock_tag_name(d->world, tag, &name);
	buf_puts(&head, "{\"tag_webid\":");
	mock_put_webid(&head, &d->view, o);
	column_text(&head, "tag_name", (char *)name.data, name.len);
	mock_series_init(&s, d->world, tag, opt->from, opt->to - 1,
	    d->view.now);
	while (opt->from < opt->to && !d->failed &&
	    mock_series_next(&s, &ev)) {
		ordinal = ev.t == last ? ordinal + 1 : 0;
		last = ev.t;
		buf_put(&d->row, head.data, head.len);
		buf_printf(&d->row, ",\"timestamp\":\"%s\"",
		    ticks_text7(ev.t, t));
		put_value(&d->row, &ev);
		put_flags(&d->row, ev.flags);
		buf_printf(&d->row, ",\"units\":\"%s\",\"ordinal\":%u",
		    s.tag.units, ordinal);
		row_end(d);
	}
	buf_fini(&head);
	buf_fini(&name);
}

static void
dump_series(struct dump *d)
{
	for (uint32_t i = 0; i < d->world->opt->tags && !d->failed; i++)
		dump_tag(d, (uint32_t)mock_point_now(d->world, i));
}

/* --- objects -------------------------------------------------------------- */

static void
row_begin(struct dump *d, struct mock_obj o)
{
	buf_u8(&d->row, '{');
	mock_object_put_truth(&d->view, o, &d->row);
}

static void
dump_dataservers(struct dump *d)
{
	row_begin(d, (struct mock_obj){ MOCK_DATA_SERVER, 0, 0 });
	row_end(d);
}

static void
dump_assetservers(struct dump *d)
{
	row_begin(d, (struct mock_obj){ MOCK_ASSET_SERVER, 0, 0 });
	row_end(d);
}

static void
dump_points(struct dump *d)
{
	for (uint32_t i = 0; i < d->world->opt->tags && !d->failed; i++) {
		row_begin(d, (struct mock_obj){ MOCK_POINT,
		    mock_point_now(d->world, i), 0 });
		column_webid(d, "dataserver_webid",
		    (struct mock_obj){ MOCK_DATA_SERVER, 0, 0 });
		row_end(d);
	}
}

static void
dump_databases(struct dump *d)
{
	for (uint32_t i = 0; i < d->world->opt->plants; i++) {
		row_begin(d, (struct mock_obj){ MOCK_DATABASE, i, 0 });
		column_webid(d, "assetserver_webid",
		    (struct mock_obj){ MOCK_ASSET_SERVER, 0, 0 });
		row_end(d);
	}
}

static void
dump_hierarchy(struct dump *d)
{
	const struct mock_element *el;

	for (uint32_t i = 0; i < d->world->elements && !d->failed; i++) {
		el = &d->world->element[i];
		row_begin(d, (struct mock_obj){ MOCK_ELEMENT, i, 0 });
		if (el->parent == MOCK_NONE)
			buf_puts(&d->row, ",\"parent_webid\":null");
		else
			column_webid(d, "parent_webid", (struct mock_obj){
			    MOCK_ELEMENT, el->parent, 0 });
		buf_printf(&d->row, ",\"depth\":%u", el->depth);
		row_end(d);
	}
}

static bool
dump_frame(void *cookie, const struct mock_frame *f)
{
	struct dump *d = cookie;

	row_begin(d, (struct mock_obj){ MOCK_FRAME, f->db, f->id });
	if (f->element == MOCK_NONE)
		buf_puts(&d->row,
		    ",\"primary_referenced_element_webid\":null");
	else
		column_webid(d, "primary_referenced_element_webid",
		    (struct mock_obj){ MOCK_ELEMENT, f->element, 0 });
	row_end(d);
	return (!d->failed);
}

static void
dump_frames(struct dump *d)
{
	for (uint32_t db = 0; db < d->world->opt->plants; db++)
		mock_frames_each(d->world, db, d->world->opt->from,
		    d->world->opt->to, d->view.now, true, dump_frame, d);
}

static const struct {
	const char *name;
	void (*dump)(struct dump *);
} TABLES[] = {
	{ "pi_timeseries", dump_series },
	{ "pi_dataservers", dump_dataservers },
	{ "pi_points", dump_points },
	{ "pi_assetservers", dump_assetservers },
	{ "pi_assetdatabases", dump_databases },
	{ "pi_af_hierarchy", dump_hierarchy },
	{ "pi_event_frames", dump_frames },
};

#define NTABLES (sizeof(TABLES) / sizeof(TABLES[0]))

int
mock_dump(const struct mock_options *opt, FILE *out, struct err *e)
{
	struct mock_world *w;
	struct dump d = { .out = out };
	size_t i = 0;

	while (i < NTABLES && strcmp(opt->table, TABLES[i].name) != 0)
		i++;
	if (i == NTABLES)
		return (err_set(e, ERR_USAGE, "no truth about table '%s'",
		    opt->table));
	w = mock_world_new(opt);
	d.world = d.view.world = w;
	d.view.webid_kind = 'I';
	d.view.base = "";
	d.view.now = mock_world_now(w);
	d.view.scratch = arena_new();
	buf_init(&d.row, 1 << 20);
	TABLES[i].dump(&d);
	if (!d.failed && fflush(out) != 0)
		write_failed(&d);
	buf_fini(&d.row);
	arena_free(d.view.scratch);
	mock_world_free(w);
	if (!d.failed || d.errnum == EPIPE)
		return (0);
	return (d.errnum != 0 ? err_sys(e, d.errnum, "cannot write") :
	    err_set(e, ERR_IO, "a row is too large"));
}
