/*
 * The whole ledger read and compared with itself, record by record: what
 * must hold for one key is looked up from there, so that nothing has to be
 * remembered. Tests call it after every step.
 */

#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/hash.h"
#include "base/must.h"
#include "ledger/ledger_int.h"

struct check {
	struct ledger_txn *t;
	struct err *err;
	char table[LEDGER_KEY_MAX];	/* of the key at hand */
	uint64_t number;
	struct ledger_stored object;
	struct ledger_stream stream;
};

static int
bad(struct check *c, const char *what)
{

	return (err_set(c->err, ERR_CORRUPT, "ledger: %s: %llu of %s", what,
	    (unsigned long long)c->number, c->table));
}

static int
get(struct check *c, char kind, uint64_t number, size_t bytes, MDB_val *v)
{
	struct ledger_key k;

	ledger_key_number(&k, kind, c->table, number, bytes);
	return (ledger_get(c->t, &k, v, c->err));
}

/* The highest id is there, and none above. */
static int
check_counters(struct check *c)
{
	struct ledger_counters n;
	MDB_val v;
	int rc;

	rc = ledger_counters_get(c->t, c->table, &n, c->err);
	if (rc != 0)
		return (rc);
	c->number = n.max_id;
	if (n.max_id > 0 && get(c, 'O', n.max_id, 4, &v) != 0)
		return (bad(c, "the last object is missing"));
	if (n.max_id < UINT32_MAX && get(c, 'O', n.max_id + 1, 4, &v) == 0)
		return (bad(c, "objects beyond the last"));
	return (0);
}

static bool
lists(const MDB_val *ids, uint64_t id)
{
	struct cur c;

	cur_init(&c, ids->mv_data, ids->mv_size);
	while (cur_left(&c) >= 4)
		if (cur_u32le(&c) == id)
			return (true);
	return (false);
}

/* It decodes, has one before it, and is found by its key. */
static int
check_object(struct check *c, const MDB_val *v)
{
	const char *key;
	uint64_t hash;
	MDB_val ids;

	if (ledger_object_decode(v, &c->object) != 0)
		return (bad(c, "an object does not decode"));
	if (c->number == 0 ||
	    (c->number > 1 && get(c, 'O', c->number - 1, 4, &ids) != 0))
		return (bad(c, "no object before it"));
	key = c->object.o.key;
	hash = hash64(key, strlen(key), 0);
	if (get(c, 'K', hash, 8, &ids) != 0 || !lists(&ids, c->number))
		return (bad(c, "an object is not found by its key"));
	return (0);
}

/* Every id of a hash is an object of that hash. */
static int
check_ids(struct check *c, const MDB_val *v)
{
	const char *key;
	struct cur ids;
	MDB_val o;

	if (v->mv_size == 0 || v->mv_size % 4 != 0)
		return (bad(c, "a list of ids does not decode"));
	cur_init(&ids, v->mv_data, v->mv_size);
	while (cur_left(&ids) > 0) {
		if (get(c, 'O', cur_u32le(&ids), 4, &o) != 0 ||
		    ledger_object_decode(&o, &c->object) != 0)
			return (bad(c, "an id leads to no object"));
		key = c->object.o.key;
		if (hash64(key, strlen(key), 0) != c->number)
			return (bad(c, "an id leads to another object"));
	}
	return (0);
}

/* Keys that end in the name, or in the table and a number. */
static bool
split(struct check *c, const MDB_val *key, char kind)
{
	size_t n = key->mv_size - 1;

	c->number = 0;
	if (strchr("OSG", kind) != NULL)
		return (ledger_key_split(key, 4, c->table, sizeof(c->table),
		    &c->number));
	if (kind == 'K')
		return (ledger_key_split(key, 8, c->table, sizeof(c->table),
		    &c->number));
	if (n >= sizeof(c->table))
		return (false);
	memcpy(c->table, (const char *)key->mv_data + 1, n);
	c->table[n] = '\0';
	return (strchr("CMN", kind) != NULL);
}

static int
check_record(struct check *c, const MDB_val *key, const MDB_val *v)
{
	char kind = *(const char *)key->mv_data;	/* never empty: LMDB */
	struct ledger_group g;

	if (kind == '\0' || !split(c, key, kind))
		return (err_set(c->err, ERR_CORRUPT, "ledger: a key of no "
		    "kind (%d)", kind));
	switch (kind) {
	case 'C':
		return (check_counters(c));
	case 'O':
		return (check_object(c, v));
	case 'K':
		return (check_ids(c, v));
	case 'S':
		return (ledger_stream_decode(v, &c->stream) == 0 ? 0 :
		    bad(c, "a stream does not decode"));
	case 'G':
		return (ledger_group_decode(v, &g) == 0 ? 0 :
		    bad(c, "a group does not decode"));
	default:
		return (0);
	}
}

int
ledger_check(struct ledger_txn *t, struct err *e)
{
	struct check *c;
	MDB_cursor *cursor;
	MDB_val key, v;
	int rc, bad_rc = 0;

	if ((rc = mdb_cursor_open(t->txn, ledger_dbi(t), &cursor)) != 0)
		return (ledger_mdb_error(e, rc, "cursor"));
	c = must_calloc(1, sizeof(*c));
	c->t = t;
	c->err = e;
	ledger_stream_init(&c->stream);
	rc = mdb_cursor_get(cursor, &key, &v, MDB_FIRST);
	while (rc == 0 && (bad_rc = check_record(c, &key, &v)) == 0)
		rc = mdb_cursor_get(cursor, &key, &v, MDB_NEXT);
	if (rc != 0 && rc != MDB_NOTFOUND)
		bad_rc = ledger_mdb_error(e, rc, "check");
	mdb_cursor_close(cursor);
	ledger_stream_fini(&c->stream);
	free(c);
	return (bad_rc);
}
