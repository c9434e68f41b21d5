/*
 * Objects: found by key through a hash (keys may be longer than LMDB's
 * limit, and all but the hash is verified), walked in order of id. A walk
 * has a generation; what it did not see is gone, and keeps its id.
 */

#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/hash.h"
#include "base/must.h"
#include "ledger/ledger_int.h"

int
ledger_counters_get(struct ledger_txn *t, const char *table,
    struct ledger_counters *c, struct err *e)
{
	struct ledger_key k;
	struct cur cur;
	MDB_val v;
	int rc;

	memset(c, 0, sizeof(*c));
	ledger_key_name(&k, 'C', table);
	if ((rc = ledger_get(t, &k, &v, e)) == ERR_NOTFOUND)
		return (0);
	if (rc != 0)
		return (rc);
	cur_init(&cur, v.mv_data, v.mv_size);
	c->max_id = cur_u32le(&cur);
	c->generation = cur_u64le(&cur);
	return (cur.bad ? ledger_damaged(e, "the counters", table, 0) : 0);
}

static int
put_counters(struct ledger_txn *t, const char *table,
    const struct ledger_counters *c, struct err *e)
{
	struct ledger_key k;
	struct buf b;
	int rc;

	buf_init(&b, 64);
	buf_u32le(&b, c->max_id);
	buf_u64le(&b, c->generation);
	ledger_key_name(&k, 'C', table);
	MUST_MEMORY(b.error == 0);
	rc = ledger_put(t, &k, b.data, b.len, e);
	buf_fini(&b);
	return (rc);
}

static int
get_object(struct ledger_txn *t, const char *table, uint32_t id,
    struct ledger_stored *s, struct err *e)
{
	struct ledger_key k;
	MDB_val v;
	int rc;

	ledger_key_number(&k, 'O', table, id, 4);
	rc = ledger_get(t, &k, &v, e);
	if (rc == 0)
		rc = ledger_object_decode(&v, s);
	if (rc == ERR_NOTFOUND || rc == ERR_CORRUPT) {
		(void)ledger_damaged(e, "object", table, id);
		return (ERR_CORRUPT);
	}
	if (rc != 0)
		return (rc);
	s->o.id = id;
	return (0);
}

static int
put_object(struct ledger_txn *t, const char *table,
    const struct ledger_object *o, uint32_t id, uint64_t generation,
    struct err *e)
{
	struct ledger_key k;
	struct buf b;
	int rc;

	buf_init(&b, 1 << 14);		/* checked before: always fits */
	ledger_object_encode(o, generation, &b);
	ledger_key_number(&k, 'O', table, id, 4);
	if (b.error != 0)
		rc = err_set(e, b.error, "ledger: object %u of %s", id, table);
	else
		rc = ledger_put(t, &k, b.data, b.len, e);
	buf_fini(&b);
	return (rc);
}

/* The id of the object with this key: 0 when there is none. `ids` becomes
 * all ids of its hash, for adding one. */
static int
find(struct ledger_txn *t, const char *table, const char *key,
    struct ledger_key *k, struct buf *ids, uint32_t *id, struct err *e)
{
	struct ledger_stored s;
	struct cur c;
	MDB_val v;
	uint32_t one;
	int rc;

	*id = 0;
	ledger_key_number(k, 'K', table, hash64(key, strlen(key), 0), 8);
	if ((rc = ledger_get(t, k, &v, e)) != 0)
		return (rc == ERR_NOTFOUND ? 0 : rc);
	buf_put(ids, v.mv_data, v.mv_size);
	cur_init(&c, ids->data, ids->len);
	while (cur_left(&c) >= 4) {
		one = cur_u32le(&c);
		if ((rc = get_object(t, table, one, &s, e)) != 0)
			return (rc);
		if (strcmp(s.o.key, key) == 0) {
			*id = one;
			return (0);
		}
	}
	return (0);
}

static bool
text_ok(const char *s)
{

	return (s == NULL || strnlen(s, LEDGER_TEXT_MAX + 1) <=
	    LEDGER_TEXT_MAX);
}

static int
check_object(const struct ledger_object *o, struct err *e)
{

	if (text_ok(o->key) && text_ok(o->name) && text_ok(o->parent) &&
	    text_ok(o->kind))
		return (0);
	return (err_set(e, ERR_LIMIT, "object \"%.60s\": its key, name, "
	    "parent or kind is longer than %d", o->name, LEDGER_TEXT_MAX));
}

int
ledger_object_put(struct ledger_txn *t, const char *table,
    const struct ledger_object *o, uint32_t *id, struct err *e)
{
	struct ledger_object copy = *o;
	struct ledger_key k;
	struct ledger_counters c;
	struct buf ids;
	int rc;

	if ((rc = check_object(o, e)) != 0)
		return (rc);
	copy.gone = false;
	buf_init(&ids, 1 << 12);
	if ((rc = ledger_counters_get(t, table, &c, e)) != 0 ||
	    (rc = find(t, table, o->key, &k, &ids, id, e)) != 0)
		goto out;
	if (*id == 0) {
		*id = ++c.max_id;
		buf_u32le(&ids, *id);
		MUST_MEMORY(ids.error == 0);
		if ((rc = ledger_put(t, &k, ids.data, ids.len, e)) != 0 ||
		    (rc = put_counters(t, table, &c, e)) != 0)
			goto out;
	}
	rc = put_object(t, table, &copy, *id, c.generation, e);
out:
	buf_fini(&ids);
	return (rc);
}

int
ledger_walk_begin(struct ledger_txn *t, const char *table,
    uint64_t *generation, struct err *e)
{
	struct ledger_counters c;
	int rc;

	if ((rc = ledger_counters_get(t, table, &c, e)) != 0)
		return (rc);
	*generation = ++c.generation;
	return (put_counters(t, table, &c, e));
}

int
ledger_walk_end(struct ledger_txn *t, const char *table, uint64_t generation,
    uint64_t *gone, struct err *e)
{
	struct ledger_stored s;
	struct ledger_counters c;
	uint32_t id;
	int rc;

	*gone = 0;
	if ((rc = ledger_counters_get(t, table, &c, e)) != 0)
		return (rc);
	for (id = 1; id <= c.max_id; id++) {
		if ((rc = get_object(t, table, id, &s, e)) != 0)
			return (rc);
		if (s.generation == generation || s.o.gone)
			continue;
		s.o.gone = true;
		rc = put_object(t, table, &s.o, id, s.generation, e);
		if (rc != 0)
			return (rc);
		(*gone)++;
	}
	return (0);
}

int
ledger_object_each(struct ledger_txn *t, const char *table, uint32_t from,
    uint32_t to, ledger_object_fn *fn, void *cookie, struct err *e)
{
	struct ledger_stored *s;
	struct ledger_key k;
	MDB_cursor *cursor;
	MDB_val key, v;
	uint64_t id;
	int rc;

	if ((rc = mdb_cursor_open(t->txn, ledger_dbi(t), &cursor)) != 0)
		return (ledger_mdb_error(e, rc, "cursor"));
	s = must_calloc(1, sizeof(*s));
	ledger_key_number(&k, 'O', table, from, 4);
	key.mv_data = k.data;
	key.mv_size = k.len;
	rc = mdb_cursor_get(cursor, &key, &v, MDB_SET_RANGE);
	while (rc == 0 && ledger_key_match(&key, 'O', table, 4, &id) &&
	    id <= to) {
		if (ledger_object_decode(&v, s) != 0) {
			rc = ledger_damaged(e, "object", table, id);
			goto out;
		}
		s->o.id = (uint32_t)id;
		if ((rc = fn(&s->o, cookie)) != 0)
			goto out;
		rc = mdb_cursor_get(cursor, &key, &v, MDB_NEXT);
	}
	if (rc != 0)
		rc = rc == MDB_NOTFOUND ? 0 : ledger_mdb_error(e, rc, "walk");
out:
	mdb_cursor_close(cursor);
	free(s);
	return (rc);
}

int
ledger_object_last(struct ledger_txn *t, const char *table, uint32_t *max_id,
    struct err *e)
{
	struct ledger_counters c;
	int rc;

	rc = ledger_counters_get(t, table, &c, e);
	*max_id = c.max_id;
	return (rc);
}

int
ledger_object_find(struct ledger_txn *t, const char *table, const char *key,
    uint32_t *id, struct err *e)
{
	struct ledger_key k;
	struct buf ids;
	int rc;

	buf_init(&ids, 1 << 12);
	rc = find(t, table, key, &k, &ids, id, e);
	buf_fini(&ids);
	return (rc);
}

struct count {
	uint32_t n;
};

static int
count_one(const struct ledger_object *o, void *cookie)
{
	struct count *c = cookie;

	c->n += !o->gone;
	return (0);
}

int
ledger_object_count(struct ledger_txn *t, const char *table, uint32_t *count,
    uint32_t *max_id, struct err *e)
{
	struct count n = { 0 };
	struct ledger_counters c;
	int rc;

	if ((rc = ledger_counters_get(t, table, &c, e)) != 0)
		return (rc);
	rc = ledger_object_each(t, table, 1, UINT32_MAX, count_one, &n, e);
	*count = n.n;
	*max_id = c.max_id;
	return (rc);
}
