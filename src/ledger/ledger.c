/*
 * The environment: open, close, what is told of the ledger itself, notes.
 *
 * The first who opens makes data file and lock file with room of their own;
 * a file that is shorter than its pages is refused, as reading the map there
 * would be the end of the process. Readers that died without a word are
 * cleared at open.
 */

#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/must.h"
#include "base/text.h"
#include "ledger/ledger_int.h"
#include "sys/sys.h"

#define READERS_MAX 126
/* Of the lock file: a header, and 64 bytes a reader. */
#define LOCK_BYTES 8192
#define NOTE_MAX 4096

/* --- notes --------------------------------------------------------------- */

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
	uint64_t bytes, size = LEDGER_MAP_FIRST;
	int rc, dead;

	if ((rc = file_size(l, &bytes, e)) != 0)
		return (rc);
	if (bytes == 0 && l->readonly)
		return (no_ledger(l, e));
	while (size < bytes && size < LEDGER_MAP_MAX)
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
