/*
 * The environment: open, transactions, growth of the map, meta and notes.
 *
 * The map grows only while no transaction of this process is open: every
 * transaction holds `resize` for reading, growing takes it for writing. A
 * put that does not fit marks the transaction full; ledger_write() aborts
 * it, grows the map and runs it again. A map that another process has made
 * larger is adopted when a transaction begins. Readers that died without a
 * word are cleared at open and before the map grows for their sake.
 */

#include "config.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/err.h"
#include "base/must.h"
#include "base/text.h"
#include "ledger/ledger_int.h"
#include "sys/sys.h"

#define MAP_FIRST (16ull << 20)
#define MAP_MAX (64ull << 30)
#define READERS_MAX 126
/* Of the lock file: a header, and 64 bytes a reader. */
#define LOCK_BYTES 8192
/* More than a commit writes at once before it fails for want of space. */
#define NO_SPACE_BYTES (1u << 20)
/* Times a transaction is run again after growing the map: each doubles. */
#define GROW_TRIES 12
/* Growing waits this long for the readers of other threads. */
#define RESIZE_WAIT_S 10
#define NOTE_MAX 4096

static_assert(MAP_FIRST << GROW_TRIES == MAP_MAX, "tries reach the ceiling");

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
	return (info.me_mapsize < MAP_MAX && (info.me_last_pgno + 1) *
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
	if (info.me_mapsize < MAP_MAX)
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

int
ledger_note_put(struct ledger_txn *t, const char *name, const char *text,
    struct err *e)
{
	struct ledger_key k;

	if (strlen(text) > NOTE_MAX)
		return (err_set(e, ERR_LIMIT, "ledger: note %s is too long",
		    name));
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
		return (err_set(e, ERR_LIMIT, "ledger: %s has %zu bytes, "
		    "more than asked for", name, v.mv_size));
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
	int rc, n;

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
	n = snprintf(format, sizeof(format), "%d", LEDGER_FORMAT);
	return (ledger_put(t, &k, format, (size_t)n, e));
}

static int
no_ledger(const struct ledger *l, struct err *e)
{

	return (err_set(e, ERR_NOTFOUND, "%s: nothing was harvested yet; run: "
	    "garner harvest", l->path));
}

static int
check_format(const struct ledger *l, const char *format, struct err *e)
{
	uint64_t n;

	if (text_u64(format, 1, UINT64_MAX, &n) != 0)
		return (err_set(e, ERR_CORRUPT, "%s: its format is no number",
		    l->path));
	if (n > LEDGER_FORMAT)
		return (err_set(e, ERR_CONFIG, "%s has format %s, this garner "
		    "knows up to %d", l->path, format, LEDGER_FORMAT));
	return (0);
}

static int
read_meta(struct ledger *l, struct err *e)
{
	struct ledger_txn *t;
	struct meta m;
	char format[16];
	int rc;

	if ((rc = ledger_read_begin(l, &t, e)) != 0)
		return (rc);
	rc = get_text(t, 'M', "format", format, sizeof(format), e);
	if (rc == 0 && (rc = check_format(l, format, e)) == 0)
		rc = get_text(t, 'M', "instance", l->instance,
		    sizeof(l->instance), e);
	ledger_read_end(t);
	if (rc != ERR_NOTFOUND)
		return (rc);
	if (l->readonly)
		return (no_ledger(l, e));
	(void)sys_uuid(sys_posix(), m.instance);
	if ((rc = ledger_write(l, write_meta, &m, e)) == 0)
		memcpy(l->instance, m.instance, sizeof(l->instance));
	return (rc);
}

/* The unnamed database needs no write transaction to be opened. */
static int
open_dbi(struct ledger *l, struct err *e)
{
	struct ledger_txn *t;
	int rc;

	if ((rc = ledger_read_begin(l, &t, e)) != 0)
		return (rc);
	rc = mdb_dbi_open(t->txn, NULL, 0, &l->dbi);
	ledger_read_end(t);
	return (rc == 0 ? 0 : ledger_mdb_error(e, rc, "open"));
}

static int
stat_file(const char *file, uint64_t *size, struct err *e)
{
	struct stat st;

	*size = 0;
	if (stat(file, &st) == 0)
		*size = (uint64_t)st.st_size;
	else if (errno != ENOENT && errno != ENOTDIR)
		return (err_sys(e, errno, "%s", file));
	return (0);
}

/* The size for the map: room for the file, which is made when it is not
 * there. 0 bytes: nothing to read yet. */
static int
file_size(const struct ledger *l, uint64_t *size, struct err *e)
{
	char *file;
	int rc;

	file = must_sprintf("%s/data.mdb", l->path);
	rc = stat_file(file, size, e);
	if (rc == 0 && !l->readonly) {
		if (*size == 0 && (rc = ledger_make(l->path, file, e)) == 0)
			rc = stat_file(file, size, e);
		if (rc == 0)
			rc = ledger_sweep(l->path, e);
	}
	free(file);
	return (rc);
}

/*
 * LMDB makes its lock file by ftruncate() and writes it through a mapping:
 * on a full disk that would be a SIGBUS. With blocks of its own it is an
 * error here. Before LMDB opens it: closing a file drops its locks.
 */
int
ledger_make_lock(const char *dir, struct err *e)
{
	char *file = must_sprintf("%s/lock.mdb", dir);
	int fd, rc = 0;

	fd = open(file, O_RDWR | O_CREAT | O_CLOEXEC, 0640);
	if (fd >= 0) {
		rc = posix_fallocate(fd, 0, LOCK_BYTES);
		(void)close(fd);
	} else if (errno == ENOSPC || errno == EDQUOT) {
		rc = errno;
	}
	if (rc == ENOSPC || rc == EDQUOT)
		rc = err_sys(e, rc, "cannot make %s", file);
	else
		rc = 0;		/* LMDB knows better what is wrong */
	free(file);
	return (rc);
}

static int
start_env(struct ledger *l, size_t size, struct err *e)
{
	int rc;

	if ((rc = ledger_make_lock(l->path, e)) != 0)
		return (rc);
	if ((rc = mdb_env_create(&l->env)) != 0)
		return (ledger_mdb_error(e, rc, "create"));
	(void)mdb_env_set_maxreaders(l->env, READERS_MAX);
	(void)mdb_env_set_mapsize(l->env, size);
	rc = mdb_env_open(l->env, l->path, MDB_NOTLS | (l->readonly ?
	    MDB_RDONLY : 0), 0640);
	return (rc == 0 ? 0 : ledger_mdb_error(e, rc, l->path));
}

/* Reading a page that the file has not would be the end of the process. */
static int
check_length(struct ledger *l, size_t size, struct err *e)
{
	MDB_envinfo info;
	struct stat stf;
	MDB_stat st;
	int fd, rc;

	(void)mdb_env_info(l->env, &info);	/* first: files only grow */
	(void)mdb_env_stat(l->env, &st);
	if ((rc = mdb_env_get_fd(l->env, &fd)) != 0)
		return (ledger_mdb_error(e, rc, l->path));
	if (fstat(fd, &stf) != 0)
		return (err_sys(e, errno, "%s", l->path));
	if ((uint64_t)stf.st_size / st.ms_psize > info.me_last_pgno)
		return (0);
	mdb_env_close(l->env);
	l->env = NULL;
	if ((rc = ledger_probe(l->path, size, e)) != 0)
		return (rc);
	return (start_env(l, size, e));
}

static int
open_env(struct ledger *l, struct err *e)
{
	uint64_t bytes, size = MAP_FIRST;
	int rc, dead;

	if ((rc = file_size(l, &bytes, e)) != 0)
		return (rc);
	if (bytes == 0 && l->readonly)
		return (no_ledger(l, e));
	while (size < bytes && size < MAP_MAX)
		size *= 2;
	if ((rc = start_env(l, size, e)) != 0 ||
	    (rc = check_length(l, size, e)) != 0)
		return (rc);
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

static int
put_instance(struct ledger_txn *t, void *cookie, struct err *e)
{
	const char *instance = cookie;
	struct ledger_key k;

	ledger_key_name(&k, 'M', "instance");
	return (ledger_put(t, &k, instance, strlen(instance), e));
}

int
ledger_instance_set(struct ledger *l, const char *instance, struct err *e)
{
	char text[sizeof(l->instance)];
	int rc;

	if (strlen(instance) >= sizeof(text))
		return (err_set(e, ERR_LIMIT, "instance \"%.60s\" is too long",
		    instance));
	memset(text, 0, sizeof(text));
	memcpy(text, instance, strlen(instance));
	if ((rc = ledger_write(l, put_instance, text, e)) == 0)
		memcpy(l->instance, text, sizeof(l->instance));
	return (rc);
}

MDB_dbi
ledger_dbi(const struct ledger_txn *t)
{

	return (t->ledger->dbi);
}
