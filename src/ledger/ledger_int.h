#ifndef LEDGER_LEDGER_INT_H
#define LEDGER_LEDGER_INT_H

/*
 * What the files of the ledger share.
 *
 *	ledger.c	open, close, meta, notes
 *	ledger_make.c	a new one
 *	ledger_probe.c	one whose file is short
 *	ledger_txn.c	transactions, growth of the map, values
 *	ledger_keys.c	keys and values, encoded
 *	ledger_object.c	objects of walks
 *	ledger_stream.c	streams, groups
 *	ledger_check.c	is all of it in order?
 *
 * One LMDB database;
 * a key is a letter, the table's name, NUL, and a big-endian number, so
 * that a cursor walks a table in order of id:
 *
 *	M name			meta: "format", "instance"
 *	N name			notes
 *	C table			u32 highest object id, u64 walk generation
 *	O table id		object
 *	K table hash		ids (u32) of the objects whose key has this hash
 *	S table id		stream: coverage and what was learnt
 *	G table group		group
 */

#include <lmdb.h>
#include <pthread.h>

#include "base/buf.h"
#include "ledger/ledger.h"

#define LEDGER_FORMAT 1
#define LEDGER_KEY_MAX 256
/* Each text of an object: WebIds have up to some 400 characters, AF paths
 * more; several such records fit a page or two. */
#define LEDGER_TEXT_MAX 1024

#define LEDGER_MAP_FIRST (16ull << 20)
#define LEDGER_MAP_MAX (64ull << 30)

struct ledger {
	MDB_env *env;
	MDB_dbi dbi;
	pthread_rwlock_t resize;
	bool readonly;
	char instance[40];
	char *path;
};

struct ledger_txn {
	struct ledger *ledger;
	MDB_txn *txn;
	bool full;		/* a put did not fit the map */
};

struct ledger_key {
	uint8_t data[LEDGER_KEY_MAX];
	size_t len;
};

/* An object as stored; strings point into the map. */
struct ledger_stored {
	struct ledger_object o;
	uint64_t generation;	/* of the walk that saw it last */
	char text[4][LEDGER_TEXT_MAX + 1];	/* NUL terminated copies */
};

void ledger_key_name(struct ledger_key *, char kind, const char *name);
void ledger_key_number(struct ledger_key *, char kind, const char *table,
    uint64_t number, size_t bytes);
/* The number at the end of a key of this kind and table, or false. */
bool ledger_key_match(const MDB_val *, char kind, const char *table,
    size_t bytes, uint64_t *number);
/* The table and the number of any key with one, or false. */
bool ledger_key_split(const MDB_val *, size_t bytes, char *table,
    size_t size, uint64_t *number);

void ledger_object_encode(const struct ledger_object *, uint64_t generation,
    struct buf *);
int ledger_object_decode(const MDB_val *, struct ledger_stored *);
int ledger_open_cmp(const struct ledger_open *, const struct ledger_open *);
void ledger_stream_encode(const struct ledger_stream *, struct buf *);
int ledger_stream_decode(const MDB_val *, struct ledger_stream *);
void ledger_group_encode(const struct ledger_group *, struct buf *);
int ledger_group_decode(const MDB_val *, struct ledger_group *);

/* u32 highest object id, u64 walk generation; zeros when missing. */
struct ledger_counters {
	uint32_t max_id;
	uint64_t generation;
};
int ledger_counters_get(struct ledger_txn *, const char *table,
    struct ledger_counters *, struct err *);

/* Before mdb_env_open(): a lock file with blocks of its own. */
int ledger_make_lock(const char *dir, struct err *);
MDB_dbi ledger_dbi(const struct ledger_txn *);	/* for cursors */
/* 0, ERR_NOTFOUND without text, or an error. */
int ledger_get(struct ledger_txn *, const struct ledger_key *, MDB_val *,
    struct err *);
int ledger_put(struct ledger_txn *, const struct ledger_key *,
    const void *, size_t, struct err *);
/* A new ledger at `file` in dir, durable, unless there is one; what others
 * left half made is for ledger_sweep(), once there is one. */
int ledger_make(const char *dir, const char *file, struct err *);
int ledger_sweep(const char *dir, struct err *);
/* Is all there that is needed of a file shorter than its last page? Its
 * environment must not be open. ERR_CORRUPT. */
int ledger_probe(const char *dir, size_t map_bytes, struct err *);
int ledger_mdb_error(struct err *, int rc, const char *what);
int ledger_damaged(struct err *, const char *what, const char *table,
    uint64_t id);

#endif
