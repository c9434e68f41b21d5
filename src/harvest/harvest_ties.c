/*
 * Times that are not fully readable: more events share them than the server
 * gives at once. They are covered, as asking again would bring no more, and
 * noted in the ledger, so that garner gaps can tell of them after the run
 * that met them: a note a stream, decimal ticks in ascending order. Of more
 * than TIES_MAX the oldest are forgotten.
 */

#include "config.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/must.h"
#include "base/text.h"
#include "harvest/harvest_int.h"

#define TIES_MAX 150
#define TEXT_MAX 4096		/* of a note: 20 digits and a blank a tick */

static_assert(TIES_MAX * 21 < TEXT_MAX, "they fit a note");

static void
name_of(const char *table, uint32_t id, char *name, size_t size)
{

	(void)snprintf(name, size, "ties/%s/%" PRIu32, table, id);
}

int
harvest_ties(struct ledger_txn *txn, const char *table, uint32_t id,
    struct ranges *out, struct err *e)
{
	char name[200], text[TEXT_MAX], *p, *save = NULL;
	int64_t at;
	int rc;

	ranges_clear(out);
	name_of(table, id, name, sizeof(name));
	rc = ledger_note_get(txn, name, text, sizeof(text), NULL);
	if (rc == ERR_NOTFOUND)
		return (0);
	if (rc != 0)
		return (err_set(e, rc, "ledger: note %s", name));
	for (p = strtok_r(text, " ", &save); p != NULL;
	    p = strtok_r(NULL, " ", &save)) {
		if (text_i64(p, INT64_MIN, INT64_MAX - 1, &at) != 0)
			return (err_set(e, ERR_CORRUPT, "ledger: note %s",
			    name));
		ranges_add(out, at, at + 1);
	}
	return (0);
}

/* Neighbours have become one range: each of its ticks is told. */
static int
put(struct ledger_txn *txn, const char *table, uint32_t id,
    const struct ranges *r, struct err *e)
{
	char name[200], text[TEXT_MAX];
	int64_t at, total = ranges_total(r), skip = total - TIES_MAX;
	size_t i, n = 0;

	text[0] = '\0';
	for (i = 0; i < r->n; i++)
		for (at = r->r[i].a; at < r->r[i].b; at++)
			if (skip-- <= 0)
				n += (size_t)snprintf(text + n,
				    sizeof(text) - n, "%s%" PRId64,
				    n > 0 ? " " : "", at);
	MUST(n < sizeof(text));
	name_of(table, id, name, sizeof(name));
	return (ledger_note_put(txn, name, text, e));
}

int
harvest_ties_clear(struct ledger_txn *txn, const char *table, uint32_t id,
    int64_t a, int64_t b, struct err *e)
{
	struct ranges r;
	int64_t before;
	int rc;

	ranges_init(&r);
	if ((rc = harvest_ties(txn, table, id, &r, e)) == 0 && r.n > 0) {
		before = ranges_total(&r);
		ranges_remove(&r, a, b);
		if (ranges_total(&r) != before)
			rc = put(txn, table, id, &r, e);
	}
	ranges_fini(&r);
	return (rc);
}

int
harvest_ties_add(struct ledger_txn *txn, const char *table, uint32_t id,
    int64_t at, struct err *e)
{
	struct ranges r;
	int rc;

	ranges_init(&r);
	if ((rc = harvest_ties(txn, table, id, &r, e)) == 0) {
		ranges_add(&r, at, at + 1);
		rc = put(txn, table, id, &r, e);
	}
	ranges_fini(&r);
	return (rc);
}
