/*
 * A data file that is shorter than its last page: was it cut, or did the
 * last commit leave pages at the end unwritten that nothing needs? LMDB has
 * no answer: it reads through a map, and what is beyond the end of the file
 * is SIGBUS, or an assertion of its own. So a child process reads all there
 * is, and how it ends is the answer. Only for files that are too short: the
 * usual way costs nothing.
 */

#include "config.h"

#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "base/must.h"
#include "ledger/ledger_int.h"

/* Every page of the records and of the list of free pages. */
static int
read_all(MDB_txn *txn, MDB_dbi dbi)
{
	volatile unsigned char sum = 0;
	const unsigned char *p;
	MDB_cursor *cursor;
	MDB_val key, v;
	size_t i;
	int rc;

	if ((rc = mdb_cursor_open(txn, dbi, &cursor)) != 0)
		return (rc);
	while ((rc = mdb_cursor_get(cursor, &key, &v, MDB_NEXT)) == 0)
		for (p = v.mv_data, i = 0; i < v.mv_size; i++)
			sum = (unsigned char)(sum + p[i]);
	mdb_cursor_close(cursor);
	return (rc == MDB_NOTFOUND ? 0 : rc);
}

static int
look(const char *dir, size_t map_bytes)
{
	MDB_env *env;
	MDB_txn *txn;
	MDB_dbi dbi;

	if (mdb_env_create(&env) != 0 ||
	    mdb_env_set_mapsize(env, map_bytes) != 0 ||
	    mdb_env_open(env, dir, MDB_RDONLY | MDB_NOLOCK, 0) != 0 ||
	    mdb_txn_begin(env, NULL, MDB_RDONLY, &txn) != 0 ||
	    mdb_dbi_open(txn, NULL, 0, &dbi) != 0)
		return (1);
	return (read_all(txn, 0) != 0 || read_all(txn, dbi) != 0);
}

int
ledger_probe(const char *dir, size_t map_bytes, struct err *e)
{
	const struct rlimit none = { 0, 0 };
	int status;
	pid_t pid;

	if ((pid = fork()) < 0)
		return (err_sys(e, errno, "cannot look at %s", dir));
	if (pid == 0) {
		/* It may die of it, whatever the program has in mind. */
		(void)signal(SIGBUS, SIG_DFL);
		(void)signal(SIGABRT, SIG_DFL);
		(void)signal(SIGSEGV, SIG_DFL);
		(void)setrlimit(RLIMIT_CORE, &none);
		(void)close(STDERR_FILENO);	/* LMDB's last words */
		_exit(look(dir, map_bytes));
	}
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return (err_sys(e, errno, "cannot look at %s", dir));
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return (0);
	return (err_set(e, ERR_CORRUPT, "%s/data.mdb was cut short: pages "
	    "that are needed are missing", dir));
}
