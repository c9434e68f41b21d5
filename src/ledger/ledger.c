/*
 * The environment: open, transactions, growth of the map, meta and notes.
 *
 * The map grows only while no transaction of this process is open: every
 * transaction holds `resize` for reading, growing takes it for writing. A
 * put that does not fit marks the transaction full; ledger_write() aborts
 * it, grows the map and runs it again.
 */

#include "config.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/err.h"
#include "base/must.h"
#include "base/text.h"
#include "ledger/ledger_int.h"
#include "sys/sys.h"

#define MAP_FIRST (16ull << 20)
#define MAP_MAX (64ull << 30)
#define READERS_MAX 126
/* Times a transaction is run again after growing the map: each doubles. */
#define GROW_TRIES 12
#define NOTE_MAX 4096

struct ledger {
	MDB_env *env;
	MDB_dbi dbi;
	pthread_rwlock_t resize;
	bool readonly;
	char instance[40];
	char *path;
};

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
	case ENOSPC:
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

/* Take over the size another process gave the map. */
static int
adopt_size(struct ledger *l)
{
	int rc;

	(void)pthread_rwlock_wrlock(&l->resize);
	rc = mdb_env_set_mapsize(l->env, 0);
	(void)pthread_rwlock_unlock(&l->resize);
	return (rc);
}

static int
txn_begin(struct ledger *l, bool write, struct ledger_txn **out,
    struct err *e)
{
	struct ledger_txn *t;
	int rc, tries = 0;

	t = must_calloc(1, sizeof(*t));
	t->ledger = l;
	t->write = write;
	for (;;) {
		(void)pthread_rwlock_rdlock(&l->resize);
		rc = mdb_txn_begin(l->env, NULL, write ? 0 : MDB_RDONLY,
		    &t->txn);
		if (rc == 0)
			break;
		(void)pthread_rwlock_unlock(&l->resize);
		if (rc != MDB_MAP_RESIZED || ++tries > GROW_TRIES)
			break;
		(void)adopt_size(l);
	}
	if (rc != 0) {
		free(t);
		return (ledger_mdb_error(e, rc, "begin"));
	}
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

static int
grow(struct ledger *l, bool must, struct err *e)
{
	MDB_envinfo info;
	MDB_stat st;
	size_t used;
	int rc = 0;

	(void)pthread_rwlock_wrlock(&l->resize);
	(void)mdb_env_info(l->env, &info);
	(void)mdb_env_stat(l->env, &st);
	used = (info.me_last_pgno + 1) * st.ms_psize;
	if (must || used > info.me_mapsize / 10 * 7) {
		if (info.me_mapsize >= MAP_MAX)
			rc = MDB_MAP_FULL;
		else
			rc = mdb_env_set_mapsize(l->env, info.me_mapsize * 2);
	}
	(void)pthread_rwlock_unlock(&l->resize);
	return (rc == 0 ? 0 : ledger_mdb_error(e, rc, "grow"));
}

/* One try; ERR_BUSY when it did not fit. */
static int
write_once(struct ledger *l, ledger_fn *fn, void *cookie, struct err *e)
{
	struct ledger_txn *t;
	bool full;
	int rc, mrc;

	if ((rc = txn_begin(l, true, &t, e)) != 0)
		return (rc);
	rc = fn(t, cookie, e);
	full = t->full;
	if (rc != 0 || full) {
		mdb_txn_abort(t->txn);
	} else if ((mrc = mdb_txn_commit(t->txn)) != 0) {
		full = mrc == MDB_MAP_FULL;
		rc = ledger_mdb_error(e, mrc, "commit");
	}
	txn_end(t);
	return (full ? ERR_BUSY : rc);
}

int
ledger_write(struct ledger *l, ledger_fn *fn, void *cookie, struct err *e)
{
	int rc, tries;

	MUST(!l->readonly);
	if ((rc = grow(l, false, e)) != 0)
		return (rc);
	for (tries = 0; tries < GROW_TRIES; tries++) {
		rc = write_once(l, fn, cookie, e);
		if (rc != ERR_BUSY)
			return (rc);
		if ((rc = grow(l, true, e)) != 0)
			return (rc);
		if (e != NULL)
			memset(e, 0, sizeof(*e));
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
	t->full = rc == MDB_MAP_FULL || rc == MDB_TXN_FULL;
	return (ledger_mdb_error(e, rc, "put"));
}

int
ledger_note_put(struct ledger_txn *t, const char *name, const char *text,
    struct err *e)
{
	struct ledger_key k;

	MUST(strlen(text) < NOTE_MAX);
	ledger_key_name(&k, 'N', name);
	return (ledger_put(t, &k, text, strlen(text), e));
}

static int
get_text(struct ledger_txn *t, char kind, const char *name, char *out,
    size_t size, struct err *e)
{
	struct ledger_key k;
	MDB_val v;
	int rc;

	ledger_key_name(&k, kind, name);
	if ((rc = ledger_get(t, &k, &v, e)) != 0)
		return (rc);
	if (v.mv_size >= size)
		return (ledger_damaged(e, "a text", name, 0));
	memcpy(out, v.mv_data, v.mv_size);
	out[v.mv_size] = '\0';
	return (0);
}

int
ledger_note_get(struct ledger_txn *t, const char *name, char *out,
    size_t size, struct err *e)
{
	int rc = get_text(t, 'N', name, out, size, e);

	if (rc == ERR_NOTFOUND)
		return (err_set(e, rc, "ledger: no note %s", name));
	return (rc);
}

/* --- open and close ------------------------------------------------------ */

struct meta {
	char instance[40];
};

static int
write_meta(struct ledger_txn *t, void *cookie, struct err *e)
{
	struct meta *m = cookie;
	struct ledger_key k;
	char format[16];
	int rc;

	rc = get_text(t, 'M', "format", format, sizeof(format), e);
	if (rc == 0)		/* another process was quicker */
		return (get_text(t, 'M', "instance", m->instance,
		    sizeof(m->instance), e));
	if (rc != ERR_NOTFOUND)
		return (rc);
	ledger_key_name(&k, 'M', "instance");
	rc = ledger_put(t, &k, m->instance, strlen(m->instance), e);
	if (rc != 0)
		return (rc);
	ledger_key_name(&k, 'M', "format");
	return (ledger_put(t, &k, "1", 1, e));
}

static int
read_meta(struct ledger *l, struct err *e)
{
	struct ledger_txn *t;
	struct meta m;
	char format[16];
	uint64_t n = 0;
	int rc;

	if ((rc = ledger_read_begin(l, &t, e)) != 0)
		return (rc);
	rc = get_text(t, 'M', "format", format, sizeof(format), e);
	if (rc == 0)
		rc = get_text(t, 'M', "instance", l->instance,
		    sizeof(l->instance), e);
	ledger_read_end(t);
	if (rc == ERR_NOTFOUND && !l->readonly) {
		(void)sys_uuid(sys_posix(), m.instance);
		rc = ledger_write(l, write_meta, &m, e);
		memcpy(l->instance, m.instance, sizeof(l->instance));
		return (rc);
	}
	if (rc == ERR_NOTFOUND)
		return (err_set(e, rc, "%s holds no ledger yet", l->path));
	if (rc == 0 && (text_u64(format, 0, UINT64_MAX, &n) != 0 ||
	    n > LEDGER_FORMAT))
		rc = err_set(e, ERR_CONFIG, "%s has format %s, this garner "
		    "knows up to %d", l->path, format, LEDGER_FORMAT);
	return (rc);
}

static int
open_dbi(struct ledger *l, struct err *e)
{
	MDB_txn *txn;
	int rc;

	rc = mdb_txn_begin(l->env, NULL, l->readonly ? MDB_RDONLY : 0, &txn);
	if (rc == 0) {
		rc = mdb_dbi_open(txn, NULL, 0, &l->dbi);
		if (rc == 0)
			rc = mdb_txn_commit(txn);
		else
			mdb_txn_abort(txn);
	}
	return (rc == 0 ? 0 : ledger_mdb_error(e, rc, "open"));
}

static int
open_env(struct ledger *l, struct err *e)
{
	struct stat st;
	char *file;
	size_t size = MAP_FIRST;
	int rc, dead;

	file = must_sprintf("%s/data.mdb", l->path);
	if (stat(file, &st) == 0) {
		while (size < (size_t)st.st_size)
			size *= 2;
	} else if (l->readonly) {
		free(file);
		return (err_set(e, ERR_NOTFOUND, "%s: nothing was harvested "
		    "yet: run garner harvest", l->path));
	}
	free(file);
	if ((rc = mdb_env_create(&l->env)) != 0)
		return (ledger_mdb_error(e, rc, "create"));
	(void)mdb_env_set_maxreaders(l->env, READERS_MAX);
	(void)mdb_env_set_mapsize(l->env, size);
	rc = mdb_env_open(l->env, l->path, MDB_NOTLS | (l->readonly ?
	    MDB_RDONLY : 0), 0640);
	if (rc != 0) {
		(void)ledger_mdb_error(e, rc, "open");
		return (err_wrap(e, "%s", l->path));
	}
	(void)mdb_reader_check(l->env, &dead);
	return (open_dbi(l, e));
}

int
ledger_open(const char *dir, bool readonly, struct ledger **out,
    struct err *e)
{
	struct ledger *l;
	int rc = 0;

	*out = NULL;
	l = must_calloc(1, sizeof(*l));
	l->path = must_strdup(dir);
	l->readonly = readonly;
	(void)pthread_rwlock_init(&l->resize, NULL);
	if (!readonly)
		rc = sys_mkdirs(sys_posix(), dir, e);
	if (rc == 0)
		rc = open_env(l, e);
	if (rc == 0)
		rc = read_meta(l, e);
	if (rc != 0) {
		ledger_close(l);
		return (rc);
	}
	*out = l;
	return (0);
}

void
ledger_close(struct ledger *l)
{

	if (l == NULL)
		return;
	if (l->env != NULL)
		mdb_env_close(l->env);
	(void)pthread_rwlock_destroy(&l->resize);
	free(l->path);
	free(l);
}

const char *
ledger_instance(const struct ledger *l)
{

	return (l->instance);
}

MDB_dbi
ledger_dbi(const struct ledger_txn *t)
{

	return (t->ledger->dbi);
}
