/*
 * Whether the ledger bears reading. LMDB trusts its file: a damaged one may
 * end the process that reads it, so a child reads all of it first.
 */

#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/err.h"
#include "base/must.h"
#include "cli/cli.h"
#include "ledger/ledger.h"
#include "sys/sys.h"

char *
app_ledger_dir(const struct app *app)
{

	return (must_sprintf("%s/ledger", app->data));
}

static int
read_ledger(const char *dir, struct err *e)
{
	struct ledger *l;
	struct ledger_txn *txn;
	int rc;

	if ((rc = ledger_open(dir, true, &l, e)) != 0)
		return (rc);
	if ((rc = ledger_read_begin(l, &txn, e)) == 0) {
		rc = ledger_check(txn, e);
		ledger_read_end(txn);
	}
	ledger_close(l);
	return (rc);
}

enum { READ_WELL, READ_BADLY, READ_NOT };

/* A child reads it: did it come back, and was it content? */
static int
read_in_child(const char *dir)
{
	struct err e = ERR_INIT;
	int status = 0;
	pid_t pid;

	(void)fflush(NULL);
	if ((pid = fork()) < 0)
		return (READ_BADLY);	/* then we look ourselves */
	if (pid == 0) {
		(void)close(STDERR_FILENO);	/* LMDB may complain */
		_exit(read_ledger(dir, &e) == 0 ? READ_WELL : READ_BADLY);
	}
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		continue;
	return (WIFSIGNALED(status) ? READ_NOT : WEXITSTATUS(status));
}

static bool
have_journals(const struct app *app)
{
	char *dir = must_sprintf("%s/bronze/%s", app->data, app->name);
	bool have = sys_tree_bytes(dir) > 0;

	free(dir);
	return (have);
}

/* One that cannot be looked at is there. */
static bool
have_ledger(const struct app *app)
{
	char *file = must_sprintf("%s/ledger/data.mdb", app->data);
	bool have = access(file, F_OK) == 0 || errno != ENOENT;

	free(file);
	return (have);
}

/* The ledger is durable before the first journal is made; in this order no
 * run that begins beside ours is mistaken. */
int
app_ledger_lost(const struct app *app, struct err *e)
{

	if (have_ledger(app) || !have_journals(app) || have_ledger(app))
		return (0);
	return (err_set(e, ERR_CORRUPT, "%s/ledger: there are journals, but "
	    "no ledger: garner repair makes it again from them", app->data));
}

int
app_ledger_probe(const struct app *app, enum app_ledger_state *state,
    struct err *e)
{
	char *dir = app_ledger_dir(app);
	int rc = 0, seen;

	*state = APP_LEDGER_GOOD;
	if ((seen = read_in_child(dir)) == READ_NOT)
		rc = err_set(e, ERR_CORRUPT, "%s/data.mdb: reading it ends "
		    "the process", dir);
	else if (seen != READ_WELL)
		rc = read_ledger(dir, e);
	free(dir);
	if (rc == ERR_CORRUPT) {
		*state = APP_LEDGER_DAMAGED;
		return (0);
	}
	if (rc == ERR_NOTFOUND && have_journals(app)) {
		*state = APP_LEDGER_MISSING;
		(void)err_set(e, ERR_NOTFOUND, "there are journals, but no "
		    "ledger");
		return (0);
	}
	return (rc);
}
