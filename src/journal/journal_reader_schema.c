/*
 * Schemas of blocks, as a reader meets them. One that was not met stands in
 * front of where reading began, or in another segment: it is looked for.
 */

#include "config.h"

#include <stdlib.h>

#include "base/err.h"
#include "base/must.h"
#include "journal/journal_reader_int.h"
#include "rows/rows.h"

struct rows_schema *
journal_reader_schema(const struct journal_reader *r, uint64_t id)
{
	const struct known_schema *k;

	for (k = r->schemas; k != NULL; k = k->next)
		if (k->id == id)
			return (k->schema);
	return (NULL);
}

int
journal_reader_learn(struct journal_reader *r, struct err *e)
{
	struct known_schema *k;
	uint64_t at = r->pos.offset;
	struct rows_schema *s;
	struct cur c;
	int rc;

	if (journal_reader_schema(r, r->head.block.schema_id) != NULL)
		return (0);
	if ((rc = journal_reader_unpack(r, e)) == ERR_NOMEM)
		return (rc);
	if (rc != 0)
		return (journal_reader_damaged(r, at,
		    "a schema does not decompress", e));
	cur_init(&c, r->raw.data, r->raw.len);
	if (rows_schema_decode(&c, &s, NULL) != 0 || cur_left(&c) != 0)
		return (journal_reader_damaged(r, at,
		    "a schema does not decode", e));
	if (rows_schema_id(s) != r->head.block.schema_id) {
		rows_schema_free(s);
		return (journal_reader_damaged(r, at,
		    "a schema has another id", e));
	}
	k = must_calloc(1, sizeof(*k));
	k->id = r->head.block.schema_id;
	k->schema = s;
	k->next = r->schemas;
	r->schemas = k;
	return (0);
}

/* Go through [from, to) until the schema turns up, and take it over. */
static int
search(struct journal_reader *r, uint64_t id, const struct journal_pos *from,
    const struct journal_pos *to)
{
	const struct rows_schema *unused;
	struct journal_reader *sub;
	struct journal_block block;
	struct known_schema **k, *found;
	uint64_t skipped;
	int rc;

	if ((rc = journal_reader_open(r->sys, r->dir, from, to, false, &sub,
	    NULL)) != 0)
		return (rc);
	sub->schemas_only = true;
	do {
		rc = journal_reader_next(sub, &block, &unused, NULL);
		if (rc == ERR_CORRUPT)
			rc = journal_reader_resync(sub, &skipped, NULL);
	} while (rc > 0 && journal_reader_schema(sub, id) == NULL);
	for (k = &sub->schemas; rc >= 0 && *k != NULL; k = &(*k)->next) {
		if ((*k)->id != id)
			continue;
		found = *k;
		*k = found->next;
		found->next = r->schemas;
		r->schemas = found;
		break;
	}
	journal_reader_close(sub);
	return (rc < 0 ? rc : 0);
}

/* A reader that starts in the middle of a segment has not seen the schema
 * block, which stands at its beginning. When that one is damaged another
 * segment has the same, most likely: that search is made once. */
int
journal_reader_look_for(struct journal_reader *r, struct err *e)
{
	struct journal_pos start = { r->pos.segment, SEGMENT_HEADER };
	struct journal_pos first = { 0, 0 };
	uint64_t id = r->head.block.schema_id;

	if (journal_pos_cmp(&start, &r->pos) < 0)
		(void)search(r, id, &start, &r->pos);
	if (journal_reader_schema(r, id) == NULL && !r->searched) {
		r->searched = true;
		(void)search(r, id, &first, NULL);
	}
	if (journal_reader_schema(r, id) == NULL)
		return (journal_reader_damaged(r, r->pos.offset,
		    "the schema of this block is nowhere", e));
	return (0);
}
