/*
 * What the journals hold of a range that is read again as a whole: number
 * and digest of the rows of each stream and cell, so that what is found as
 * it was is not kept once more. Read once, before anything is asked.
 *
 * A cell's content is that of the newest batches that cover it: one that
 * covers all of it replaces what was there, one that touches it adds to it,
 * one that overlaps it leaves something that is not known (mixed), as do
 * rows without coverage. What is not known is kept again: that costs bytes,
 * no truth.
 */

#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "base/must.h"
#include "base/msg.h"
#include "harvest/harvest_series_int.h"

/* For all streams together, in slots. */
#define SLOTS_MAX (1u << 21)

struct slot {
	int64_t lo, hi;			/* covered of the cell, if lo < hi */
	uint64_t sum;			/* of digests in it */
	uint64_t batch_sum;		/* of the batch being read */
	uint32_t n;
	uint32_t batch_n;
	uint32_t batch;			/* that the two are of */
	bool told;			/* covered by it already */
	bool mixed;
	bool foreign;			/* in the journal of another group as
					 * well: which is newer? */
};

struct harvest_before {
	int64_t from, to;
	int64_t first;			/* beginning of cell 0, at or before */
	int64_t len;
	uint32_t ncells;
	struct slot *slots;		/* [streams * ncells] */
	uint32_t *by_key;		/* streams, sorted */
	uint32_t batch;			/* counts them */
	uint8_t batch_id[JOURNAL_BATCH_ID];	/* or zeros: none yet */
	uint32_t group;			/* whose journal is read */
};

/* --- which stream, which cell -------------------------------------------- */

static int
key_cmp(const void *a, const void *b, void *cookie)
{
	const struct stream *st = cookie;

	return (strcmp(st[*(const uint32_t *)a].s.key,
	    st[*(const uint32_t *)b].s.key));
}

/* Index of the stream, or -1. */
static int64_t
find_key(const struct harvest_series *s, const char *key, size_t len)
{
	const struct harvest_before *f = s->before;
	uint32_t lo = 0, hi = s->nstreams, mid;
	const char *other;
	int c;

	while (lo < hi) {
		mid = lo + (hi - lo) / 2;
		other = s->streams[f->by_key[mid]].s.key;
		c = strncmp(key, other, len);
		if (c == 0 && other[len] == '\0')
			return (f->by_key[mid]);
		if (c > 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return (-1);
}

/* Streams are in order of id. */
static int64_t
find_id(const struct harvest_series *s, uint32_t id)
{
	uint32_t lo = 0, hi = s->nstreams, mid;

	while (lo < hi) {
		mid = lo + (hi - lo) / 2;
		if (s->streams[mid].id == id)
			return (mid);
		if (s->streams[mid].id < id)
			lo = mid + 1;
		else
			hi = mid;
	}
	return (-1);
}

static struct slot *
slot_at(struct harvest_before *f, int64_t stream, int64_t t)
{
	struct slot *x;

	x = &f->slots[(uint64_t)stream * f->ncells +
	    (uint64_t)((t - f->first) / f->len)];
	if (x->batch != f->batch) {
		x->batch = f->batch;
		x->batch_sum = 0;
		x->batch_n = 0;
		x->told = false;
	}
	return (x);
}

/* --- a batch ------------------------------------------------------------- */

struct columns {
	int key, cursor;
};

static void
find_columns(const struct source_table *t, const struct rows_schema *s,
    struct columns *c)
{

	c->key = rows_schema_find(s, t->schema->cols[t->key[0]].name);
	c->cursor = rows_schema_find(s, t->schema->cols[t->cursor].name);
}

static void
take_rows(struct harvest_series *s, const struct rows *r)
{
	struct harvest_before *f = s->before;
	uint32_t i, code, last = UINT32_MAX;
	int64_t stream = -1, t;
	struct columns c;
	struct slot *x;
	const char *key;
	size_t len;

	find_columns(s->table, r->schema, &c);
	if (c.key < 0 || c.cursor < 0)
		return;
	for (i = 0; i < r->n; i++) {
		if (rows_null(r, (uint32_t)c.key, i) ||
		    rows_null(r, (uint32_t)c.cursor, i))
			continue;
		t = r->v[c.cursor].i64[i];
		if (t < f->from || t >= f->to)
			continue;
		code = r->v[c.key].code[i];
		if (code != last) {
			key = rows_str(r, (uint32_t)c.key, i, &len);
			stream = find_key(s, key, len);
			last = code;
		}
		if (stream < 0)
			continue;
		x = slot_at(f, stream, t);
		x->batch_n++;
		x->batch_sum += rows_digest(r, i, 1);
	}
}

/* [a, b) of a cell is what the batch says. */
static void
slot_cover(struct slot *x, int64_t a, int64_t b)
{
	bool whole = a <= x->lo && x->hi <= b;

	if (x->told) {
		/* Two parts of one batch: whose rows are whose? */
		x->mixed = true;
	} else if (x->lo == x->hi || whole) {
		x->lo = a;
		x->hi = b;
		x->n = x->batch_n;
		x->sum = x->batch_sum;
		x->mixed = false;
	} else if (a == x->hi || b == x->lo) {
		x->lo = a < x->lo ? a : x->lo;
		x->hi = b > x->hi ? b : x->hi;
		x->n += x->batch_n;
		x->sum += x->batch_sum;
	} else {
		x->mixed = true;
		x->lo = a < x->lo ? a : x->lo;
		x->hi = b > x->hi ? b : x->hi;
	}
	x->told = true;
}

static void
take_cover(struct harvest_series *s, const struct journal_cover *c)
{
	struct harvest_before *f = s->before;
	int64_t stream, a, b, end;
	struct slot *x;

	a = c->a > f->from ? c->a : f->from;
	end = c->b < f->to ? c->b : f->to;
	if (a >= end || (stream = find_id(s, c->object)) < 0)
		return;
	for (; a < end; a = b) {
		b = f->first + ((a - f->first) / f->len + 1) * f->len;
		b = b < end ? b : end;
		x = slot_at(f, stream, a);
		slot_cover(x, a, b);
		if (harvest_group(c->object, s->h->opt.group_size) !=
		    f->group)
			x->foreign = true;
	}
}

/* --- a journal ----------------------------------------------------------- */

static int
take_covers(struct harvest_series *s, struct journal_reader *r,
    struct err *e)
{
	const struct journal_cover *c;
	struct journal_batch batch;
	size_t i, n;
	int rc;

	if ((rc = journal_reader_cover(r, &batch, &c, &n, e)) != 0)
		return (rc);
	for (i = 0; i < n && !batch.walk; i++)
		take_cover(s, &c[i]);
	return (0);
}

/* What is behind a hole is counted anew: some of its rows may be lost. */
static void
count_batch(struct harvest_before *f, const struct journal_block *b)
{

	if (!b->hole && memcmp(f->batch_id, b->batch_id,
	    sizeof(f->batch_id)) == 0)
		return;
	f->batch++;
	memset(f->batch_id, 0, sizeof(f->batch_id));
	if (!b->hole)
		memcpy(f->batch_id, b->batch_id, sizeof(f->batch_id));
}

static int
read_blocks(struct harvest_series *s, struct journal_reader *r,
    struct err *e)
{
	struct harvest_before *f = s->before;
	const struct rows_schema *schema;
	struct journal_block b;
	struct rows *rows;
	int rc;

	journal_reader_show_covers(r);
	while ((rc = journal_reader_next(r, &b, &schema, e)) == 1) {
		count_batch(f, &b);
		if (b.hole || b.last_tick < f->from || b.first_tick >= f->to)
			continue;
		if (b.cover) {
			rc = take_covers(s, r, e);
		} else {
			rows = rows_new(schema);
			rc = journal_reader_rows(r, rows, e);
			if (rc == 0)
				take_rows(s, rows);
			rows_free(rows);
		}
		if (rc != 0)
			break;
	}
	return (rc);
}

static int
read_group(struct harvest_series *s, uint32_t group, struct err *e)
{
	struct journal_reader *r;
	int rc;

	s->before->group = group;
	rc = harvest_group_read(s->h, s->table, group,
	    HARVEST_GROUP_BEGINNING, &r, e);
	if (rc != 0 || r == NULL)
		return (rc);
	rc = read_blocks(s, r, e);
	journal_reader_close(r);
	return (rc);
}

/* --- for the others ------------------------------------------------------ */

int64_t
harvest_before_len(const struct harvest_series *s)
{
	int64_t unit = s->cell_len > 0 ? s->cell_len : 3600 * TICKS_PER_S;
	int64_t span = s->range->to - s->range->from, most;

	most = SLOTS_MAX / (s->known > 0 ? s->known : 1);
	most = most < 1 ? 1 : most;
	return ((span / most / unit + 1) * unit);
}

void
harvest_before_read(struct harvest_series *s)
{
	struct harvest_before *f;
	struct err e = ERR_INIT;
	uint32_t i;
	int rc = 0;

	f = s->before = must_calloc(1, sizeof(*f));
	f->from = s->range->from;
	f->to = s->range->to;
	f->len = harvest_before_len(s);
	f->first = harvest_cell_floor(f->from, f->len);
	f->ncells = (uint32_t)((f->to - 1 - f->first) / f->len) + 1;
	f->slots = must_calloc((size_t)s->nstreams * f->ncells,
	    sizeof(f->slots[0]));
	f->by_key = must_calloc(s->nstreams, sizeof(f->by_key[0]));
	for (i = 0; i < s->nstreams; i++)
		f->by_key[i] = i;
	qsort_r(f->by_key, s->nstreams, sizeof(f->by_key[0]), key_cmp,
	    s->streams);
	for (i = 0; i < s->ngroups && rc == 0; i++)
		rc = read_group(s, s->groups[i].number, &e);
	if (rc == 0)
		return;
	msg_warn("harvest", "%s: %s; what is read again is kept again, "
	    "changed or not", s->table->name, e.text);
	harvest_before_free(s);
}

void
harvest_before_free(struct harvest_series *s)
{

	if (s->before == NULL)
		return;
	free(s->before->slots);
	free(s->before->by_key);
	free(s->before);
	s->before = NULL;
}

bool
harvest_before_next(const struct harvest_series *s, uint32_t index,
    uint32_t *at, struct ledger_cell *out)
{
	const struct harvest_before *f = s->before;
	const struct slot *x;

	while (f != NULL && *at < f->ncells) {
		x = &f->slots[(size_t)index * f->ncells + (*at)++];
		if (x->lo == x->hi || x->mixed || x->foreign)
			continue;
		*out = (struct ledger_cell){ .a = x->lo, .b = x->hi,
			.values = x->n,
			.digest = x->sum & HARVEST_DIGEST_MASK };
		return (true);
	}
	return (false);
}
