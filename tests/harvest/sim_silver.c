/* Reading back: coverage from the ledger, rows from the Parquet files. */

#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/must.h"
#include "delta/delta.h"
#include "harvest/harvest.h"
#include "ledger/ledger.h"
#include "parquet/parquet.h"
#include "rows/rows.h"
#include "sim.h"
#include "source/source.h"
#include "sys/sys.h"

/* --- ledger --------------------------------------------------------------- */

struct reading {
	struct sim *s;
	struct ledger_txn *txn;
	const struct source_table *series;
	struct ledger_stream state;
	bool after;
};

static int
read_object(const struct ledger_object *o, void *cookie)
{
	struct reading *r = cookie;
	struct sim_stream *st = sim_stream_find(r->s, o->key, strlen(o->key));
	struct err e = ERR_INIT;

	SIM_CHECK(r->s, st != NULL && strcmp(st->webid, o->key) == 0,
	    "ledger: an object %s", o->key);
	st->id = o->id;
	st->gone = o->gone;
	ranges_clear(&r->state.covered);
	SIM_CHECK(r->s, ledger_stream_get(r->txn, r->series->name, o->id,
	    &r->state, &e) == 0, "%s", e.text);
	if (!r->after)
		st->refused = harvest_refused(r->state.fail_code);
	ranges_copy(r->after ? &st->after : &st->before, &r->state.covered);
	return (0);
}

void
sim_read_ledger(struct sim *s, struct ledger *l,
    const struct source_table *series, bool after)
{
	struct reading r = { .s = s, .series = series, .after = after };
	struct err e = ERR_INIT;

	SIM_CHECK(s, ledger_read_begin(l, &r.txn, &e) == 0, "%s", e.text);
	ledger_stream_init(&r.state);
	SIM_CHECK(s, ledger_object_each(r.txn, series->over->name, 1,
	    UINT32_MAX, read_object, &r, &e) == 0, "%s", e.text);
	SIM_CHECK(s, ledger_check(r.txn, &e) == 0, "%s", e.text);
	ledger_stream_fini(&r.state);
	ledger_read_end(r.txn);
}

/* --- silver --------------------------------------------------------------- */

struct columns {
	uint32_t webid, time, rest, value, text, code, good;
	int ordinal;		/* < 0: there is none */
};

static uint32_t
column(const struct sim *s, const struct rows_schema *schema, const char *name)
{
	int c = rows_schema_find(schema, name);

	SIM_CHECK(s, c >= 0, "silver has no column %s", name);
	return ((uint32_t)c);
}

static void
check_row(struct sim *s, const struct columns *c, const struct rows *r,
    uint32_t i)
{
	struct sim_row x = { 0 };

	x.webid = rows_str(r, c->webid, i, &x.webid_len);
	x.t = r->v[c->time].i64[i] + r->v[c->rest].i32[i];
	if (!rows_null(r, c->text, i))
		x.text = rows_str(r, c->text, i, &x.text_len);
	if ((x.has_value = !rows_null(r, c->value, i)))
		x.value = r->v[c->value].f64[i];
	if ((x.has_code = !rows_null(r, c->code, i)))
		x.code = r->v[c->code].i64[i];
	if (c->ordinal >= 0)
		x.ordinal = r->v[c->ordinal].i32[i];
	x.good = !rows_null(r, c->good, i) && r->v[c->good].b[i];
	sim_oracle_row(s, &x);
}

static void
read_file(struct sim *s, const char *path)
{
	struct parquet_reader *p;
	struct err e = ERR_INIT;
	struct columns c;
	struct rows *r;
	uint32_t i;
	int rc;

	SIM_CHECK(s, parquet_reader_open(sys_posix(), path, &p, &e) == 0,
	    "%s", e.text);
	r = rows_new(parquet_reader_schema(p));
	c.webid = column(s, r->schema, "tag_webid");
	c.time = column(s, r->schema, "timestamp");
	c.rest = column(s, r->schema, "timestamp_ticks");
	c.value = column(s, r->schema, "value");
	c.text = column(s, r->schema, "value_text");
	c.code = column(s, r->schema, "state_code");
	c.good = column(s, r->schema, "good");
	c.ordinal = rows_schema_find(r->schema, "ordinal");
	SIM_CHECK(s, (c.ordinal >= 0) == s->ties_all, "column ordinal");
	while ((rc = parquet_reader_next(p, r, 1000, &e)) > 0) {
		for (i = 0; i < r->n; i++)
			check_row(s, &c, r, i);
		rows_clear(r);
	}
	SIM_CHECK(s, rc == 0, "%s", e.text);
	rows_free(r);
	parquet_reader_close(p);
}

void
sim_read_silver(struct sim *s, const char *data, const char *source,
    const struct source_table *t)
{
	struct delta_snapshot snap;
	struct err e = ERR_INIT;
	struct delta_table *d;
	char *dir, *path;
	size_t i;

	dir = must_sprintf("%s/silver/%s/%s", data, source, t->name);
	d = delta_open(sys_posix(), dir, NULL);
	SIM_CHECK(s, delta_load(d, &snap, &e) == 0, "%s", e.text);
	for (i = 0; i < snap.nfiles; i++) {
		path = must_sprintf("%s/%s", dir, snap.files[i].path);
		read_file(s, path);
		free(path);
	}
	delta_snapshot_fini(&snap);
	delta_close(d);
	free(dir);
	sim_oracle_rows_end(s);
}
