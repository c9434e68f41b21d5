#ifndef LEDGER_TEST_H
#define LEDGER_TEST_H

/* A folder for a ledger, and what all ledger tests include. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/err.h"
#include "base/must.h"
#include "ledger/ledger.h"
#include "sys/sys.h"

struct place {
	char dir[256];
	char ledger[300];
};

#define TEST(f) cmocka_unit_test_setup_teardown(f, place_setup, place_teardown)

static inline int
place_setup(void **state)
{
	const char *tmp = getenv("TMPDIR");
	struct place *p = must_calloc(1, sizeof(*p));

	(void)snprintf(p->dir, sizeof(p->dir), "%s/test-ledger-XXXXXX",
	    tmp != NULL ? tmp : "/tmp");
	if (mkdtemp(p->dir) == NULL) {
		free(p);
		return (-1);
	}
	(void)snprintf(p->ledger, sizeof(p->ledger), "%s/data/ledger",
	    p->dir);
	*state = p;
	return (0);
}

static inline int
place_teardown(void **state)
{
	struct place *p = *state;
	int rc = sys_remove_tree(p->dir, NULL);

	free(p);
	return (rc);
}

static inline struct ledger *
place_open(const struct place *p)
{
	struct err e = ERR_INIT;
	struct ledger *l;

	if (ledger_open(p->ledger, false, &l, &e) != 0)
		fail_msg("%s", e.text);
	return (l);
}

static inline struct ledger_txn *
place_read(struct ledger *l)
{
	struct err e = ERR_INIT;
	struct ledger_txn *t;

	if (ledger_read_begin(l, &t, &e) != 0)
		fail_msg("%s", e.text);
	return (t);
}

static inline void
place_check(struct ledger *l)
{
	struct err e = ERR_INIT;
	struct ledger_txn *t = place_read(l);

	if (ledger_check(t, &e) != 0)
		fail_msg("%s", e.text);
	ledger_read_end(t);
}

#endif
