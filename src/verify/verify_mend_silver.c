/*
 * What is to be done about silver. It can be made again from the journals at
 * any time, so nothing in it is mended: a damaged data file means that the
 * table is made again. A log whose last entry is damaged loses that entry,
 * which compaction then makes again; a log that is damaged elsewhere goes to
 * quarantine with all of the table.
 */

#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/must.h"
#include "sys/sys.h"
#include "verify/verify_int.h"

struct look {
	struct verify_mending *m;
	bool data;			/* a file, order, a position */
	char *log;			/* the damaged entry */
};

static void
on_finding(void *cookie, const struct verify_finding *f)
{
	struct look *l = cookie;
	struct verify_action a;

	if (f->severity != VERIFY_ERROR)
		return;
	if (strcmp(f->kind, "silver.log") == 0) {
		free(l->log);
		l->log = must_strdup(f->at.path);
		return;
	}
	l->data = true;
	verify_action_init(l->m, &a, "silver.damage");
	a.at.path = f->at.path;
	a.at.offset = f->at.offset;
	verify_act(l->m, &a, "%s", f->text);
}

static int
look(struct verify_mending *m, struct ledger *ledger, bool ties_all,
    struct look *l, struct err *e)
{
	struct verify_options o = { .data_dir = m->opt->data_dir,
	    .source = m->opt->source, .ties_all = ties_all,
	    .finding = on_finding, .cookie = l };
	struct verify_result unused;
	struct verify v = { .sys = m->sys, .ledger = ledger, .opt = &o,
	    .result = &unused, .table = m->table };

	memset(&unused, 0, sizeof(unused));
	memset(l, 0, sizeof(*l));
	l->m = m;
	return (verify_silver(&v, e));
}

/* --- the log ------------------------------------------------------------- */

/* Whether it is there, and the one with the highest number. */
static bool
is_last(const struct verify_mending *m, const char *path)
{
	const char *slash = strrchr(path, '/');
	char *dir, *name, **names;
	size_t i, n;
	bool last = false;

	if (slash == NULL || !sys_exists(m->sys, path))
		return (false);
	dir = must_strndup(path, (size_t)(slash - path));
	name = must_strdup(slash + 1);
	if (sys_list_dir(dir, &names, &n, NULL) == 0) {
		last = true;
		for (i = 0; i < n; i++)
			if (strlen(names[i]) == strlen(name) &&
			    strcmp(names[i], name) > 0)
				last = false;
		sys_list_free(names, n);
	}
	free(name);
	free(dir);
	/* Version 0 makes the table: without it there is none. */
	return (last && strspn(slash + 1, "0") != 20);
}

/* Into quarantine, under the table's name and the first number free. */
static int
move_away(struct verify_mending *m, const char *path, const char *what,
    struct err *e)
{
	char *dir, *to = NULL;
	unsigned i;
	int rc = 0;

	if ((dir = verify_quarantine(m, e)) == NULL)
		return (e->code);
	for (i = 1; i < 10000; i++) {
		free(to);
		to = must_sprintf("%s/%s.%s-%u", dir, m->table->name, what,
		    i);
		if (!sys_exists(m->sys, to))
			break;
	}
	if (m->sys->rename(m->sys->cookie, path, to) != 0)
		rc = err_sys(e, errno, "cannot move %s to %s", path, to);
	if (rc == 0)
		rc = sys_sync_dir(m->sys, dir, e);
	free(to);
	free(dir);
	return (rc);
}

static int
drop_entry(struct verify_mending *m, const char *path, struct err *e)
{
	struct verify_action a;

	verify_action_init(m, &a, "silver.log");
	a.at.path = path;
	verify_act(m, &a, "the last entry of the log goes to quarantine; "
	    "compact makes it again");
	return (m->opt->apply ? move_away(m, path, "log", e) : 0);
}

static int
drop_table(struct verify_mending *m, const char *dir, const char *bad,
    struct err *e)
{
	struct verify_action a;

	verify_action_init(m, &a, "silver.table");
	a.at.path = bad;
	verify_act(m, &a, "the log cannot be replayed; the table goes to "
	    "quarantine and is made again");
	return (m->opt->apply ? move_away(m, dir, "silver", e) : 0);
}

static int
mend(struct verify_mending *m, struct ledger *ledger, bool ties_all,
    const char *dir, bool *again, struct err *e)
{
	struct look l;
	int rc;

	if ((rc = look(m, ledger, ties_all, &l, e)) != 0)
		goto out;
	if (l.log != NULL && is_last(m, l.log)) {
		if ((rc = drop_entry(m, l.log, e)) != 0 || !m->opt->apply)
			goto out;
		free(l.log);
		if ((rc = look(m, ledger, ties_all, &l, e)) != 0)
			goto out;
	}
	if (l.log != NULL) {
		rc = drop_table(m, dir, l.log, e);
		*again = true;
	}
	*again = *again || l.data;
out:
	free(l.log);
	return (rc);
}

int
verify_mend_silver(const struct sys *sys, struct ledger *ledger,
    const struct source_table *t, struct verify_repair_options *opt,
    bool ties_all, bool *again, struct err *e)
{
	struct verify_mending m = { .sys = sys, .opt = opt, .table = t };
	char *dir, *lock;
	int fd = -1, rc = 0;

	*again = false;
	dir = must_sprintf("%s/silver/%s/%s", opt->data_dir, opt->source,
	    t->name);
	if (!sys_exists(sys, dir))
		goto out;
	if (opt->apply) {
		lock = must_sprintf("%s/.garner-lock", dir);
		rc = sys_lock(lock, &fd, e);
		free(lock);
	}
	if (rc == 0)
		rc = mend(&m, ledger, ties_all, dir, again, e);
	if (fd >= 0)
		sys_unlock(fd);
out:
	free(dir);
	if (rc != 0 && e != NULL)
		(void)err_wrap(e, "%s", t->name);
	return (rc);
}
