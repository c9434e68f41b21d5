/*
 * Streams and groups: coverage and what was learnt of a stream; a group's
 * journal position and counters.
 */

#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/must.h"
#include "base/search.h"
#include "base/ticks.h"
#include "ledger/ledger_int.h"

void
ledger_stream_init(struct ledger_stream *s)
{

	memset(s, 0, sizeof(*s));
	ranges_init(&s->covered);
	ranges_init(&s->young);
	ledger_stream_clear(s);
}

void
ledger_stream_clear(struct ledger_stream *s)
{

	ranges_clear(&s->covered);
	s->per_second = -1;
	s->values = 0;
	s->fail_code = 0;
	s->fail_at = 0;
	s->why[0] = '\0';
	s->fails = 0;
	s->asked = TICKS_NONE;
	s->last_event = TICKS_NONE;
	s->first_event = TICKS_NONE;
	s->ncells = 0;
	s->nopen = 0;
	s->young_told = false;
	ranges_clear(&s->young);
}

void
ledger_stream_fini(struct ledger_stream *s)
{

	ranges_fini(&s->covered);
	ranges_fini(&s->young);
	free(s->open);
	s->open = NULL;
	s->nopen = 0;
}

void
ledger_stream_copy(struct ledger_stream *to, const struct ledger_stream *from)
{
	struct ledger_stream old = *to;

	*to = *from;
	to->covered = old.covered;
	ranges_copy(&to->covered, &from->covered);
	to->young = old.young;
	ranges_copy(&to->young, &from->young);
	to->open = must_realloc(old.open, from->nopen + 1,
	    sizeof(to->open[0]));
	if (from->nopen > 0)
		memcpy(to->open, from->open,
		    from->nopen * sizeof(to->open[0]));
}

/* --- what is young ------------------------------------------------------- */

static void
usual(const struct ledger_stream *s, int64_t tail, struct ranges *out)
{
	const struct ranges *c = &s->covered;
	int64_t from;
	size_t i;

	ranges_clear(out);
	if (c->n == 0 || tail <= 0)
		return;
	if (__builtin_sub_overflow(c->r[c->n - 1].b, tail, &from))
		from = INT64_MIN;
	for (i = c->n; i-- > 0 && c->r[i].b > from;)
		ranges_add(out, c->r[i].a > from ? c->r[i].a : from,
		    c->r[i].b);
}

void
ledger_stream_young(struct ledger_stream *s, int64_t tail)
{

	if (s->young_told)
		return;
	usual(s, tail, &s->young);
	s->young_told = true;
}

void
ledger_stream_young_usual(struct ledger_stream *s, int64_t tail)
{
	struct ranges u;

	if (!s->young_told)
		return;
	ranges_init(&u);
	usual(s, tail, &u);
	if (u.n == s->young.n && (u.n == 0 || memcmp(u.r, s->young.r,
	    u.n * sizeof(u.r[0])) == 0)) {
		ranges_clear(&s->young);
		s->young_told = false;
	}
	ranges_fini(&u);
}

/* --- open frames --------------------------------------------------------- */

int
ledger_open_cmp(const struct ledger_open *x, const struct ledger_open *y)
{

	if (x->start != y->start)
		return (x->start < y->start ? -1 : 1);
	return (x->key < y->key ? -1 : x->key > y->key);
}

static void
open_insert(struct ledger_stream *s, size_t at, const struct ledger_open *o)
{

	if (s->nopen == LEDGER_OPEN_MAX) {
		if (at-- == 0)
			return;
		s->nopen--;
		memmove(s->open, s->open + 1, s->nopen * sizeof(*o));
	}
	s->open = must_realloc(s->open, s->nopen + 1, sizeof(*o));
	memmove(s->open + at + 1, s->open + at,
	    (s->nopen - at) * sizeof(*o));
	s->open[at] = *o;
	s->nopen++;
}

static bool
is_before(const void *item, const void *o)
{

	return (ledger_open_cmp(item, o) < 0);
}

void
ledger_stream_open(struct ledger_stream *s, const struct ledger_open *o,
    bool yes)
{
	size_t lo;
	bool there;

	lo = search_first(s->open, s->nopen, sizeof(*o), is_before, o);
	there = lo < s->nopen && ledger_open_cmp(&s->open[lo], o) == 0;
	if (yes && !there) {
		open_insert(s, lo, o);
	} else if (!yes && there) {
		s->nopen--;
		memmove(s->open + lo, s->open + lo + 1,
		    (s->nopen - lo) * sizeof(*o));
	}
}

/* --- records ------------------------------------------------------------- */

int
ledger_stream_get(struct ledger_txn *t, const char *table, uint32_t id,
    struct ledger_stream *s, struct err *e)
{
	struct ledger_key k;
	MDB_val v;
	int rc;

	ledger_stream_clear(s);
	ledger_key_number(&k, 'S', table, id, 4);
	if ((rc = ledger_get(t, &k, &v, e)) != 0)
		return (rc == ERR_NOTFOUND ? 0 : rc);
	if (ledger_stream_decode(&v, s) != 0)
		return (ledger_damaged(e, "stream", table, id));
	return (0);
}

int
ledger_stream_put(struct ledger_txn *t, const char *table, uint32_t id,
    const struct ledger_stream *s, struct err *e)
{
	struct ledger_key k;
	struct buf b;
	int rc;

	buf_init(&b, 1 << 24);
	ledger_stream_encode(s, &b);
	ledger_key_number(&k, 'S', table, id, 4);
	if (b.error != 0)
		rc = err_set(e, b.error, "coverage of stream %u is too large",
		    id);
	else
		rc = ledger_put(t, &k, b.data, b.len, e);
	buf_fini(&b);
	return (rc);
}

int
ledger_group_get(struct ledger_txn *t, const char *table, uint32_t group,
    struct ledger_group *g, struct err *e)
{
	struct ledger_key k;
	MDB_val v;
	int rc;

	memset(g, 0, sizeof(*g));
	ledger_key_number(&k, 'G', table, group, 4);
	if ((rc = ledger_get(t, &k, &v, e)) != 0)
		return (rc == ERR_NOTFOUND ? 0 : rc);
	if (ledger_group_decode(&v, g) != 0)
		return (ledger_damaged(e, "group", table, group));
	return (0);
}

int
ledger_group_put(struct ledger_txn *t, const char *table, uint32_t group,
    const struct ledger_group *g, struct err *e)
{
	struct ledger_key k;
	struct buf b;
	int rc;

	buf_init(&b, 256);
	ledger_group_encode(g, &b);
	ledger_key_number(&k, 'G', table, group, 4);
	if (b.error != 0)
		rc = err_set(e, b.error, "ledger: no memory for a group");
	else
		rc = ledger_put(t, &k, b.data, b.len, e);
	buf_fini(&b);
	return (rc);
}

int
ledger_group_each(struct ledger_txn *t, const char *table,
    ledger_group_fn *fn, void *cookie, struct err *e)
{
	struct ledger_group g;
	struct ledger_key k;
	MDB_cursor *cursor;
	MDB_val key, v;
	char name[LEDGER_KEY_MAX];
	uint64_t group;
	int rc;

	if ((rc = mdb_cursor_open(t->txn, ledger_dbi(t), &cursor)) != 0)
		return (ledger_mdb_error(e, rc, "cursor"));
	ledger_key_name(&k, 'G', table != NULL ? table : "");
	key.mv_data = k.data;
	key.mv_size = k.len;
	rc = mdb_cursor_get(cursor, &key, &v, MDB_SET_RANGE);
	while (rc == 0 && *(const char *)key.mv_data == 'G' &&
	    ledger_key_split(&key, 4, name, sizeof(name), &group)) {
		if (table != NULL && strcmp(table, name) != 0) {
			if (strncmp(name, table, strlen(table)) != 0)
				break;
			rc = mdb_cursor_get(cursor, &key, &v, MDB_NEXT);
			continue;
		}
		if (ledger_group_decode(&v, &g) != 0) {
			rc = ledger_damaged(e, "group", name, group);
			goto out;
		}
		if ((rc = fn(name, (uint32_t)group, &g, cookie)) != 0)
			goto out;
		rc = mdb_cursor_get(cursor, &key, &v, MDB_NEXT);
	}
	if (rc != 0)
		rc = rc == MDB_NOTFOUND ? 0 : ledger_mdb_error(e, rc, "walk");
out:
	mdb_cursor_close(cursor);
	return (rc);
}
