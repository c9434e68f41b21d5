/*
 * A new ledger appears whole or not at all: LMDB writes the first pages of
 * a file without a care for crashes, and refuses a file that has half of
 * them for ever. So it is made in a directory of its own, with format and
 * instance committed, and then linked to its place; the directory is synced
 * before anything counts on the ledger. Who finds another one there was
 * late, and uses that. Directories of makers that died are removed by the
 * next process that opens the ledger for writing.
 */

#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/must.h"
#include "ledger/ledger_int.h"
#include "sys/sys.h"

#define PREFIX "new-"
/* The data directory, and where that stands. */
#define DIRS_ABOVE 2

static int
put_text(MDB_txn *txn, MDB_dbi dbi, const char *name, const char *text)
{
	MDB_val key, v = { strlen(text), (void *)(uintptr_t)text };
	struct ledger_key k;

	ledger_key_name(&k, 'M', name);
	key.mv_data = k.data;
	key.mv_size = k.len;
	return (mdb_put(txn, dbi, &key, &v, 0));
}

static int
put_meta(MDB_txn *txn)
{
	char instance[37], format[16];
	MDB_dbi dbi;
	int rc;

	(void)snprintf(format, sizeof(format), "%d", LEDGER_FORMAT);
	(void)sys_uuid(sys_posix(), instance);
	if ((rc = mdb_dbi_open(txn, NULL, 0, &dbi)) == 0 &&
	    (rc = put_text(txn, dbi, "instance", instance)) == 0)
		rc = put_text(txn, dbi, "format", format);
	return (rc);
}

/* An environment in dir, its first transaction durable. */
static int
fill(const char *dir, struct err *e)
{
	MDB_env *env;
	MDB_txn *txn;
	int rc;

	if ((rc = ledger_make_lock(dir, e)) != 0)
		return (rc);
	if ((rc = mdb_env_create(&env)) != 0)
		return (ledger_mdb_error(e, rc, "create"));
	if ((rc = mdb_env_open(env, dir, 0, 0640)) == 0 &&
	    (rc = mdb_txn_begin(env, NULL, 0, &txn)) == 0) {
		if ((rc = put_meta(txn)) == 0)
			rc = mdb_txn_commit(txn);
		else
			mdb_txn_abort(txn);
	}
	mdb_env_close(env);
	return (rc == 0 ? 0 : ledger_mdb_error(e, rc, dir));
}

static int
put_in_place(const char *dir, const char *from, const char *file,
    struct err *e)
{
	const struct sys *sys = sys_posix();
	char *made = must_sprintf("%s/data.mdb", from);
	int rc = 0;

	if (sys->link(sys->cookie, made, file) != 0)
		rc = err_sys(e, errno, "cannot create %s", file);
	else
		rc = sys_sync_dirs(sys, dir, DIRS_ABOVE, e);
	free(made);
	return (rc);
}

int
ledger_make(const char *dir, const char *file, struct err *e)
{
	const struct sys *sys = sys_posix();
	char uuid[37], *tmp;
	int rc = 0;

	tmp = must_sprintf("%s/" PREFIX "%s", dir, sys_uuid(sys, uuid));
	if (sys->mkdir(sys->cookie, tmp, 0750) != 0)
		rc = err_sys(e, errno, "cannot create directory %s", tmp);
	if (rc == 0 && (rc = fill(tmp, e)) == 0)
		rc = put_in_place(dir, tmp, file, e);
	(void)sys_remove_tree(tmp, NULL);
	free(tmp);
	/* Another process was quicker, and may have swept what is ours. Its
	 * own sync of the directory may be still to come. */
	if (rc != 0 && sys_exists(sys, file)) {
		if (e != NULL)
			*e = (struct err)ERR_INIT;
		rc = sys_sync_dirs(sys, dir, DIRS_ABOVE, e);
	}
	return (rc);
}

int
ledger_sweep(const char *dir, struct err *e)
{
	char **names, *path;
	size_t i, n;
	int rc;

	if ((rc = sys_list_dir(dir, &names, &n, e)) != 0)
		return (rc);
	for (i = 0; i < n && rc == 0; i++) {
		if (strncmp(names[i], PREFIX, strlen(PREFIX)) != 0)
			continue;
		/* Its maker may have had no time to sync what it linked. */
		rc = sys_sync_dirs(sys_posix(), dir, DIRS_ABOVE, e);
		path = must_sprintf("%s/%s", dir, names[i]);
		if (rc == 0)
			(void)sys_remove_tree(path, NULL);
		free(path);
	}
	sys_list_free(names, n);
	return (rc);
}
