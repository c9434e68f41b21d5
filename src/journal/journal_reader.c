/*
 * Reading a journal: block after block, segment after segment, each
 * checksum verified before anything of a block is believed. A segment ends
 * where the next one's header says, or at `to`, or at its end as a file.
 *
 * Damage is ERR_CORRUPT with file and offset, told when reading comes to
 * it, not before: what lies in front can be had. After it the reader stands
 * at the damage; resync looks for the next valid block behind it.
 */

#include "config.h"

#include <stdlib.h>

#include "base/base_limits.h"
#include "base/err.h"
#include "base/must.h"
#include "codec/zip.h"
#include "journal/journal_reader_int.h"
#include "rows/rows.h"
#include "sys/sys.h"

/* --- open, close --------------------------------------------------------- */

int
journal_reader_open(const struct sys *sys, const char *dir,
    const struct journal_pos *from, const struct journal_pos *to,
    bool torn_ok, struct journal_reader **out, struct err *e)
{
	struct journal_reader *r;
	int rc;

	r = must_calloc(1, sizeof(*r));
	r->sys = sys;
	r->dir = must_strdup(dir);
	r->fd = -1;
	r->zip = zip_new(1);
	buf_init(&r->payload, LIMIT_BLOCK_MAX);
	buf_init(&r->raw, LIMIT_BLOCK_RAW_MAX);
	if (to != NULL) {
		r->to = *to;
		r->bounded = true;
	}
	r->torn_ok = torn_ok && to == NULL;
	rc = journal_segments(dir, &r->segments, &r->nsegments, e);
	if (rc == 0)
		rc = journal_reader_first_segment(r, from, e);
	if (rc != 0) {
		journal_reader_close(r);
		*out = NULL;
		return (rc);
	}
	*out = r;
	return (0);
}

void
journal_reader_close(struct journal_reader *r)
{
	struct known_schema *k;

	if (r == NULL)
		return;
	while ((k = r->schemas) != NULL) {
		r->schemas = k->next;
		rows_schema_free(k->schema);
		free(k);
	}
	if (r->fd >= 0)
		(void)r->sys->close(r->sys->cookie, r->fd);
	rows_free(r->cover_rows);
	rows_schema_free(r->cover_schema);
	free(r->covers);
	zip_free(r->zip);
	buf_fini(&r->payload);
	buf_fini(&r->raw);
	free(r->segments);
	free(r->dir);
	free(r);
}

struct journal_pos
journal_reader_pos(const struct journal_reader *r)
{

	return (r->pos);
}

/* --- blocks -------------------------------------------------------------- */

int
journal_reader_block(struct journal_reader *r, struct err *e)
{
	uint8_t bytes[BLOCK_HEADER], *to;
	uint64_t at = r->pos.offset, left = r->end - at;
	int rc;

	if (left < BLOCK_HEADER)
		return (journal_reader_damaged(r, at,
		    "a block header is cut short", e));
	rc = sys_pread_all(r->sys, r->fd, bytes, sizeof(bytes),
	    (int64_t)at, e);
	if (rc != 0)
		return (journal_reader_unread(r, at, rc, e));
	if (journal_block_decode(bytes, &r->head) != 0)
		return (journal_reader_damaged(r, at, "not a block", e));
	if (r->head.stored > left - BLOCK_HEADER)
		return (journal_reader_damaged(r, at,
		    "a block is cut short", e));
	r->head.block.pos = r->pos;
	buf_clear(&r->payload);
	if (r->skims && r->head.kind == BLOCK_ROWS)
		return (0);
	if ((to = buf_reserve(&r->payload, r->head.stored)) == NULL)
		return (err_set(e, ERR_NOMEM, "no memory for a block"));
	rc = sys_pread_all(r->sys, r->fd, to, r->head.stored,
	    (int64_t)(at + BLOCK_HEADER), e);
	if (rc != 0)
		return (journal_reader_unread(r, at, rc, e));
	r->payload.len = r->head.stored;
	if (!journal_block_valid(bytes, &r->head, to))
		return (journal_reader_damaged(r, at,
		    "the checksum is wrong", e));
	return (0);
}

int
journal_reader_unpack(struct journal_reader *r, struct err *e)
{

	buf_clear(&r->raw);
	return (zip_decompress(r->zip, r->payload.data, r->payload.len,
	    r->head.raw, &r->raw, e));
}

static bool
hidden(const struct journal_reader *r)
{

	return (r->head.kind == BLOCK_SCHEMA ||
	    (r->head.kind != BLOCK_ROWS && !r->show_covers));
}

/* The next block, of any kind, is in `head`, its schema is known if it is
 * to be shown. */
static int
step(struct journal_reader *r, struct err *e)
{
	int rc;

	if ((rc = journal_reader_block(r, e)) != 0)
		return (rc);
	if (r->head.kind == BLOCK_SCHEMA)
		return (journal_reader_learn(r, e));
	if (r->schemas_only || r->skims || hidden(r) ||
	    r->head.kind == BLOCK_HOLE ||
	    journal_reader_schema(r, r->head.block.schema_id) != NULL)
		return (0);
	return (journal_reader_look_for(r, e));
}

int
journal_reader_next(struct journal_reader *r, struct journal_block *out,
    const struct rows_schema **schema, struct err *e)
{
	int rc;

	if (r->first && (rc = journal_reader_check_first(r, e)) != 0)
		return (rc);
	while (r->nsegments > 0) {
		if (r->pos.offset >= r->end) {
			if ((rc = journal_reader_next_segment(r, e)) <= 0)
				return (rc);
			continue;
		}
		if ((rc = step(r, e)) != 0) {
			r->bad = rc == ERR_CORRUPT;
			if (!r->bad || !r->torn_ok ||
			    r->at + 1 < r->nsegments)
				return (rc);
			r->end = r->pos.offset;		/* a torn tail */
			return (0);
		}
		r->bad = false;
		r->pos.offset += r->head.block.stored_bytes;
		if (hidden(r))
			continue;
		*out = r->head.block;
		*schema = journal_reader_schema(r, out->schema_id);
		return (1);
	}
	return (0);
}

int
journal_reader_rows(struct journal_reader *r, struct rows *rows,
    struct err *e)
{

	return (journal_reader_rows_only(r, rows, NULL, e));
}

int
journal_reader_rows_only(struct journal_reader *r, struct rows *rows,
    const bool *wanted, struct err *e)
{
	const struct journal_block *k = &r->head.block;
	struct cur c;
	int rc;

	MUST(r->head.kind == BLOCK_COVER ||
	    (r->head.kind == BLOCK_ROWS && !r->skims));
	rc = journal_reader_unpack(r, e);
	if (rc == 0) {
		cur_init(&c, r->raw.data, r->raw.len);
		rc = rows_decode_only(rows, &c, wanted, e);
		if (rc == 0 && (cur_left(&c) != 0 || rows->n != k->nrows))
			rc = ERR_CORRUPT;
	}
	if (rc == ERR_CORRUPT) {
		rows_clear(rows);
		return (journal_reader_damaged(r, k->pos.offset,
		    "the rows of this block do not decode", e));
	}
	return (rc);
}

struct journal_pos
journal_reader_damage(const struct journal_reader *r)
{

	return (r->hurt);
}

void
journal_reader_skim(struct journal_reader *r, journal_segment_fn *fn,
    void *cookie)
{

	r->wants = fn;
	r->wants_cookie = cookie;
	if (r->nsegments > 0)
		r->skims = !fn(cookie, r->segments[r->at]);
}

void
journal_reader_show_covers(struct journal_reader *r)
{

	r->show_covers = true;
}

int
journal_reader_cover(struct journal_reader *r, struct journal_batch *b,
    const struct journal_cover **out, size_t *n, struct err *e)
{
	const struct journal_block *k = &r->head.block;
	struct err why = ERR_INIT;
	int rc;

	MUST(r->head.kind == BLOCK_COVER);
	if (r->cover_rows == NULL) {
		r->cover_schema = journal_cover_schema();
		r->cover_rows = rows_new(r->cover_schema);
	}
	if (k->schema_id != rows_schema_id(r->cover_schema))
		return (journal_reader_damaged(r, k->pos.offset,
		    "coverage of an unknown form", e));
	rows_clear(r->cover_rows);
	if ((rc = journal_reader_rows(r, r->cover_rows, e)) != 0)
		return (rc);
	rc = journal_cover_get(r->cover_rows, b, &r->covers, &why);
	if (rc != 0)
		return (journal_reader_damaged(r, k->pos.offset, why.text, e));
	*out = r->covers;
	*n = r->cover_rows->n;
	return (0);
}
