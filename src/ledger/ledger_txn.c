/*
 * Transactions, growth of the map, and values.
 *
 * The map grows only while no transaction of this process is open: every
 * transaction holds `resize` for reading, growing takes it for writing. A
 * put that does not fit marks the transaction full; ledger_write() aborts
 * it, grows the map and runs it again. A map that another process has made
 * larger is adopted when a transaction begins. Readers that died without a
 * word are cleared before the map grows for their sake.
 */

#include "config.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <time.h>

#include "base/err.h"
#include "base/must.h"
#include "ledger/ledger_int.h"
#include "sys/sys.h"

/* More than a commit writes at once before it fails for want of space. */
#define NO_SPACE_BYTES (1u << 20)
/* Times a transaction is run again after growing the map: each doubles. */
#define GROW_TRIES 12
/* Growing waits this long for the readers of other threads. */
#define RESIZE_WAIT_S 10

static_assert(LEDGER_MAP_FIRST << GROW_TRIES == LEDGER_MAP_MAX,
    "tries reach the ceiling");

int
ledger_mdb_error(struct err *e, int rc, const char *what)
{
	int code = ERR_IO;

	switch (rc) {
	case MDB_CORRUPTED:
	case MDB_PAGE_NOTFOUND:
	case MDB_INVALID:
		code = ERR_CORRUPT;
		break;
	case MDB_VERSION_MISMATCH:
		code = ERR_CONFIG;
		break;
	case MDB_READERS_FULL:
		code = ERR_BUSY;
		break;
	case MDB_TXN_FULL:
		code = ERR_LIMIT;
		break;
	case ENOSPC:
	case EDQUOT:
	case MDB_MAP_FULL:
		code = ERR_NOSPACE;
		break;
	case ENOMEM:
		code = ERR_NOMEM;
		break;
	case EACCES:
	case EPERM:
	case EROFS:
		code = ERR_CREATE;
		break;
	default:
		break;
	}
	return (err_set(e, code, "ledger: %s: %s", what, mdb_strerror(rc)));
}

int
ledger_damaged(struct err *e, const char *what, const char *table,
    uint64_t id)
{

	return (err_set(e, ERR_CORRUPT, "ledger: %s %llu of %s does not "
	    "decode", what, (unsigned long long)id, table));
}

/* --- transactions -------------------------------------------------------- */

/* No transaction of this process is open while it is held. */
static int
lock_resize(struct ledger *l, struct err *e)
{
	struct timespec end;

	(void)clock_gettime(CLOCK_REALTIME, &end);
	end.tv_sec += RESIZE_WAIT_S;
	if (pthread_rwlock_timedwrlock(&l->resize, &end) != 0)
		return (err_set(e, ERR_BUSY, "ledger: %s: a reader stays "
		    "open, the map cannot grow", l->path));
	return (0);
}

/* Begin with `resize` held for reading, or an LMDB code and not held. */
static int
begin_once(struct ledger *l, bool write, MDB_txn **txn)
{
	int rc;

	(void)pthread_rwlock_rdlock(&l->resize);
	rc = mdb_txn_begin(l->env, NULL, write ? 0 : MDB_RDONLY, txn);
	if (rc != 0)
		(void)pthread_rwlock_unlock(&l->resize);
	return (rc);
}

/* What another process did to us, made good: 0 when worth a second try. */
static int
adapt(struct ledger *l, int rc, struct err *e)
{
	int dead = 0, code;

	if (rc == MDB_READERS_FULL && mdb_reader_check(l->env, &dead) == 0 &&
	    dead > 0)
		return (0);
	if (rc != MDB_MAP_RESIZED)
		return (ledger_mdb_error(e, rc, "begin"));
	if ((code = lock_resize(l, e)) != 0)
		return (code);
	rc = mdb_env_set_mapsize(l->env, 0);
	(void)pthread_rwlock_unlock(&l->resize);
	return (rc == 0 ? 0 : ledger_mdb_error(e, rc, "adopt the map"));
}

static int
txn_begin(struct ledger *l, bool write, struct ledger_txn **out,
    struct err *e)
{
	struct ledger_txn *t;
	MDB_txn *txn;
	int rc, mrc, tries = 0;

	*out = NULL;
	while ((mrc = begin_once(l, write, &txn)) != 0) {
		if (++tries > GROW_TRIES)
			return (ledger_mdb_error(e, mrc, "begin"));
		if ((rc = adapt(l, mrc, e)) != 0)
			return (rc);
	}
	t = must_calloc(1, sizeof(*t));
	t->ledger = l;
	t->txn = txn;
	*out = t;
	return (0);
}

static void
txn_end(struct ledger_txn *t)
{

	(void)pthread_rwlock_unlock(&t->ledger->resize);
	free(t);
}

int
ledger_read_begin(struct ledger *l, struct ledger_txn **out, struct err *e)
{

	return (txn_begin(l, false, out, e));
}

void
ledger_read_end(struct ledger_txn *t)
{

	if (t == NULL)
		return;
	mdb_txn_abort(t->txn);
	txn_end(t);
}

static bool
filling(const struct ledger *l)
{
	MDB_envinfo info;
	MDB_stat st;

	(void)mdb_env_info(l->env, &info);
	(void)mdb_env_stat(l->env, &st);
	return (info.me_mapsize < LEDGER_MAP_MAX && (info.me_last_pgno + 1) *
	    st.ms_psize > info.me_mapsize / 10 * 7);
}

static int
grow(struct ledger *l, struct err *e)
{
	MDB_envinfo info;
	int rc, dead;

	if ((rc = lock_resize(l, e)) != 0)
		return (rc);
	(void)mdb_reader_check(l->env, &dead);
	(void)mdb_env_info(l->env, &info);
	rc = MDB_MAP_FULL;
	if (info.me_mapsize < LEDGER_MAP_MAX)
		rc = mdb_env_set_mapsize(l->env, info.me_mapsize * 2);
	(void)pthread_rwlock_unlock(&l->resize);
	return (rc == 0 ? 0 : ledger_mdb_error(e, rc, "grow"));
}

static int
grow_early(struct ledger *l, struct err *e)
{
	bool need;

	(void)pthread_rwlock_rdlock(&l->resize);
	need = filling(l);
	(void)pthread_rwlock_unlock(&l->resize);
	return (need ? grow(l, e) : 0);
}

/* LMDB calls a write that the disk had room for a part of an EIO. */
static int
short_write(const struct ledger *l, int mrc)
{
	uint64_t left, size;

	if (mrc == EIO && sys_space(l->path, &left, &size, NULL) == 0 &&
	    left < NO_SPACE_BYTES)
		return (ENOSPC);
	return (mrc);
}

/* One try; *full when it did not fit. */
static int
write_once(struct ledger *l, ledger_fn *fn, void *cookie, bool *full,
    struct err *e)
{
	struct ledger_txn *t;
	int rc, mrc;

	*full = false;
	if ((rc = txn_begin(l, true, &t, e)) != 0)
		return (rc);
	rc = fn(t, cookie, e);
	*full = t->full;
	if (rc != 0 || t->full) {
		mdb_txn_abort(t->txn);
	} else if ((mrc = mdb_txn_commit(t->txn)) != 0) {
		*full = mrc == MDB_MAP_FULL;
		rc = ledger_mdb_error(e, short_write(l, mrc), "commit");
	}
	txn_end(t);
	return (rc);
}

int
ledger_write(struct ledger *l, ledger_fn *fn, void *cookie, struct err *e)
{
	bool full;
	int rc, tries;

	MUST(!l->readonly);
	if ((rc = grow_early(l, e)) != 0)
		return (rc);
	for (tries = 0; tries <= GROW_TRIES; tries++) {
		rc = write_once(l, fn, cookie, &full, e);
		if (!full)
			return (rc);
		if ((rc = grow(l, e)) != 0)
			return (rc);
		if (e != NULL)
			*e = (struct err)ERR_INIT;
	}
	return (err_set(e, ERR_NOSPACE, "ledger: a transaction does not fit"));
}

/* --- values -------------------------------------------------------------- */

int
ledger_get(struct ledger_txn *t, const struct ledger_key *k, MDB_val *v,
    struct err *e)
{
	MDB_val key = { k->len, (void *)(uintptr_t)k->data };
	int rc = mdb_get(t->txn, t->ledger->dbi, &key, v);

	if (rc == MDB_NOTFOUND)
		return (ERR_NOTFOUND);
	return (rc == 0 ? 0 : ledger_mdb_error(e, rc, "get"));
}

int
ledger_put(struct ledger_txn *t, const struct ledger_key *k, const void *p,
    size_t n, struct err *e)
{
	MDB_val key = { k->len, (void *)(uintptr_t)k->data };
	MDB_val v = { n, (void *)(uintptr_t)p };
	int rc = mdb_put(t->txn, t->ledger->dbi, &key, &v, 0);

	if (rc == 0)
		return (0);
	if (rc == MDB_MAP_FULL)
		t->full = true;
	return (ledger_mdb_error(e, rc, "put"));
}

MDB_dbi
ledger_dbi(const struct ledger_txn *t)
{

	return (t->ledger->dbi);
}
