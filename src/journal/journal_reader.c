/*
 * Reading a journal: block after block, segment after segment, each
 * checksum verified before anything of a block is believed. A segment ends
 * where the next one's header says, or at `to`, or at its end as a file.
 * Damage is ERR_CORRUPT with file and offset; resync looks for the next
 * valid block behind it.
 */

#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/base_limits.h"
#include "base/err.h"
#include "base/must.h"
#include "codec/zip.h"
#include "journal/journal_int.h"
#include "rows/rows.h"
#include "sys/sys.h"

struct known_schema {
	struct known_schema *next;
	uint64_t id;
	struct rows_schema *schema;
};

struct journal_reader {
	const struct sys *sys;
	char *dir;
	struct journal_pos pos;		/* next block; segment 0: at the end */
	struct journal_pos to;
	bool bounded;			/* `to` was given */
	bool torn_ok;
	uint32_t *segments;
	size_t nsegments;
	size_t at;			/* index of the open segment */
	int fd;				/* of it, or -1 */
	uint64_t end;			/* of it */
	struct known_schema *schemas;
	struct block_header head;	/* of the block given last */
	struct buf payload;
	struct buf raw;
	struct zip *zip;
};

static char *
path_of(const struct journal_reader *r)
{

	return (journal_segment_path(r->dir, r->segments[r->at]));
}

static int
damaged(const struct journal_reader *r, struct err *e, const char *what)
{
	char *path = path_of(r);
	int rc;

	rc = err_set(e, ERR_CORRUPT, "%s: offset %llu: %s", path,
	    (unsigned long long)r->pos.offset, what);
	free(path);
	return (rc);
}

/* --- segments ------------------------------------------------------------ */

static int
read_segment_header(const struct journal_reader *r, size_t i,
    struct segment_header *h, struct err *e)
{
	uint8_t bytes[SEGMENT_HEADER];
	char *path = journal_segment_path(r->dir, r->segments[i]);
	int fd, rc;

	fd = r->sys->open(r->sys->cookie, path, O_RDONLY | O_CLOEXEC, 0);
	if (fd < 0) {
		rc = err_sys(e, errno, "cannot open %s", path);
		goto out;
	}
	rc = sys_pread_all(r->sys, fd, bytes, sizeof(bytes), 0, e);
	(void)r->sys->close(r->sys->cookie, fd);
	if (rc == 0 && (journal_segment_decode(bytes, h) != 0 ||
	    h->number != r->segments[i]))
		rc = err_set(e, ERR_CORRUPT, "offset 0: not the header of "
		    "this segment");
	if (rc != 0)
		(void)err_wrap(e, "%s", path);
out:
	free(path);
	return (rc);
}

/* Where segment `at` ends; needs its fd. */
static int
find_end(struct journal_reader *r, struct err *e)
{
	struct segment_header next;
	int64_t size;
	int rc;

	size = r->sys->fsize(r->sys->cookie, r->fd);
	r->end = size > 0 ? (uint64_t)size : 0;
	if (r->bounded && r->segments[r->at] == r->to.segment) {
		if (r->to.offset > r->end) {
			r->pos.offset = r->end;
			return (damaged(r, e, "the segment ends before the "
			    "position asked for"));
		}
		r->end = r->to.offset;
		return (0);
	}
	if (r->at + 1 >= r->nsegments)
		return (0);
	rc = read_segment_header(r, r->at + 1, &next, e);
	if (rc == ERR_CORRUPT && r->torn_ok && r->at + 2 >= r->nsegments) {
		r->nsegments = r->at + 1;	/* it was being made */
		return (0);
	}
	if (rc != 0)
		return (rc);
	if (next.before != r->segments[r->at] || next.before_end > r->end)
		return (damaged(r, e, "the next segment does not follow"));
	r->end = next.before_end;
	return (0);
}

static int
open_segment(struct journal_reader *r, struct err *e)
{
	struct segment_header h;
	char *path = path_of(r);
	int rc;

	if (r->fd >= 0)
		(void)r->sys->close(r->sys->cookie, r->fd);
	r->fd = r->sys->open(r->sys->cookie, path, O_RDONLY | O_CLOEXEC, 0);
	if (r->fd < 0)
		rc = err_sys(e, errno, "cannot open %s", path);
	else
		rc = read_segment_header(r, r->at, &h, e);
	free(path);
	r->pos.segment = r->segments[r->at];
	if (r->pos.offset < SEGMENT_HEADER)
		r->pos.offset = SEGMENT_HEADER;
	if (rc == 0)
		rc = find_end(r, e);
	return (rc);
}

/* 1 when there is another segment, now open, 0 at the end. */
static int
next_segment(struct journal_reader *r, struct err *e)
{
	int rc;

	if (r->at + 1 >= r->nsegments ||
	    (r->bounded && r->segments[r->at] >= r->to.segment))
		return (0);
	r->at++;
	r->pos.offset = 0;
	rc = open_segment(r, e);
	return (rc == 0 ? 1 : rc);
}

/* --- open, close --------------------------------------------------------- */

static int
find_first(struct journal_reader *r, const struct journal_pos *from,
    struct err *e)
{

	if (r->bounded && r->to.segment == 0)
		r->nsegments = 0;
	while (r->at < r->nsegments && r->segments[r->at] < from->segment)
		r->at++;
	if (r->at >= r->nsegments) {
		if (r->bounded && journal_pos_cmp(from, &r->to) < 0)
			return (err_set(e, ERR_CORRUPT, "%s: segment %u is "
			    "missing", r->dir, from->segment));
		r->nsegments = 0;
		return (0);
	}
	if (from->segment != 0 && r->segments[r->at] != from->segment)
		return (err_set(e, ERR_CORRUPT, "%s: segment %u is missing",
		    r->dir, from->segment));
	r->pos.offset = from->segment != 0 ? from->offset : 0;
	return (open_segment(r, e));
}

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
		rc = find_first(r, from, e);
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

/* The block at pos into head and payload; 0 or ERR_CORRUPT. */
static int
read_block(struct journal_reader *r, struct err *e)
{
	uint8_t bytes[BLOCK_HEADER], *to;
	uint64_t left = r->end - r->pos.offset;
	int rc;

	if (left < BLOCK_HEADER)
		return (damaged(r, e, "a block header is cut short"));
	rc = sys_pread_all(r->sys, r->fd, bytes, sizeof(bytes),
	    (int64_t)r->pos.offset, e);
	if (rc != 0)
		return (rc == ERR_CORRUPT ? damaged(r, e, "cut short") : rc);
	if (journal_block_decode(bytes, &r->head) != 0)
		return (damaged(r, e, "not a block"));
	if (r->head.stored > left - BLOCK_HEADER)
		return (damaged(r, e, "a block is cut short"));
	buf_clear(&r->payload);
	if ((to = buf_reserve(&r->payload, r->head.stored)) == NULL)
		return (err_set(e, ERR_NOMEM, "no memory for a block"));
	rc = sys_pread_all(r->sys, r->fd, to, r->head.stored,
	    (int64_t)(r->pos.offset + BLOCK_HEADER), e);
	if (rc != 0)
		return (rc == ERR_CORRUPT ? damaged(r, e, "cut short") : rc);
	r->payload.len = r->head.stored;
	if (!journal_block_valid(bytes, &r->head, to))
		return (damaged(r, e, "the checksum is wrong"));
	r->head.block.pos = r->pos;
	return (0);
}

static int
unpack(struct journal_reader *r, struct err *e)
{

	buf_clear(&r->raw);
	return (zip_decompress(r->zip, r->payload.data, r->payload.len,
	    r->head.raw, &r->raw, e));
}

static struct rows_schema *
find_schema(const struct journal_reader *r, uint64_t id)
{
	const struct known_schema *k;

	for (k = r->schemas; k != NULL; k = k->next)
		if (k->id == id)
			return (k->schema);
	return (NULL);
}

static int
learn_schema(struct journal_reader *r, struct err *e)
{
	struct known_schema *k;
	struct rows_schema *s;
	struct cur c;

	if (find_schema(r, r->head.block.schema_id) != NULL)
		return (0);
	if (unpack(r, NULL) != 0)
		return (damaged(r, e, "a schema does not decompress"));
	cur_init(&c, r->raw.data, r->raw.len);
	if (rows_schema_decode(&c, &s, NULL) != 0 || cur_left(&c) != 0)
		return (damaged(r, e, "a schema does not decode"));
	if (rows_schema_id(s) != r->head.block.schema_id) {
		rows_schema_free(s);
		return (damaged(r, e, "a schema has another id"));
	}
	k = must_calloc(1, sizeof(*k));
	k->id = r->head.block.schema_id;
	k->schema = s;
	k->next = r->schemas;
	r->schemas = k;
	return (0);
}

/* A reader that starts in the middle of a segment has not seen the schema
 * block: look for it from the segment's beginning. */
static int
find_schema_before(struct journal_reader *r, struct err *e)
{
	struct journal_pos here = r->pos;
	struct block_header head = r->head;
	struct buf payload = r->payload;
	int rc = 0;

	buf_init(&r->payload, LIMIT_BLOCK_MAX);
	r->pos.offset = SEGMENT_HEADER;
	while (rc == 0 && journal_pos_cmp(&r->pos, &here) < 0 &&
	    find_schema(r, head.block.schema_id) == NULL) {
		rc = read_block(r, e);
		if (rc == 0 && r->head.kind == BLOCK_SCHEMA)
			rc = learn_schema(r, e);
		r->pos.offset += r->head.block.stored_bytes;
	}
	buf_fini(&r->payload);
	r->payload = payload;
	r->head = head;
	r->pos = here;
	if (rc == 0 && find_schema(r, head.block.schema_id) == NULL)
		rc = damaged(r, e, "the schema of a block is not there");
	return (rc);
}

int
journal_reader_next(struct journal_reader *r, struct journal_block *out,
    const struct rows_schema **schema, struct err *e)
{
	int rc;

	while (r->nsegments > 0) {
		if (r->pos.offset >= r->end) {
			if ((rc = next_segment(r, e)) <= 0)
				return (rc);
			continue;
		}
		rc = read_block(r, e);
		if (rc == ERR_CORRUPT && r->torn_ok &&
		    r->at + 1 >= r->nsegments) {
			r->end = r->pos.offset;
			return (0);
		}
		if (rc == 0 && r->head.kind == BLOCK_SCHEMA)
			rc = learn_schema(r, e);
		else if (rc == 0 &&
		    find_schema(r, r->head.block.schema_id) == NULL)
			rc = find_schema_before(r, e);
		if (rc != 0)
			return (rc);
		r->pos.offset += r->head.block.stored_bytes;
		if (r->head.kind == BLOCK_SCHEMA)
			continue;
		*out = r->head.block;
		*schema = find_schema(r, out->schema_id);
		return (1);
	}
	return (0);
}

int
journal_reader_rows(struct journal_reader *r, struct rows *rows,
    struct err *e)
{
	struct journal_pos after = r->pos;
	struct cur c;
	int rc;

	MUST(r->head.kind == BLOCK_ROWS);
	r->pos = r->head.block.pos;		/* what messages name */
	rc = unpack(r, NULL);
	if (rc == ERR_CORRUPT) {
		rc = damaged(r, e, "a block does not decompress");
	} else if (rc == 0) {
		cur_init(&c, r->raw.data, r->raw.len);
		rc = rows_decode(rows, &c, e);
		if (rc == ERR_CORRUPT || (rc == 0 && (cur_left(&c) != 0 ||
		    rows->n != r->head.block.nrows))) {
			rows_clear(rows);
			rc = damaged(r, e, "rows do not decode");
		}
	}
	r->pos = after;
	return (rc);
}

/* --- resync -------------------------------------------------------------- */

int
journal_reader_resync(struct journal_reader *r, uint64_t *skipped,
    struct err *e)
{
	uint64_t from = r->pos.offset;
	int rc;

	*skipped = 0;
	while (r->nsegments > 0) {
		while (++r->pos.offset + BLOCK_HEADER <= r->end) {
			rc = read_block(r, NULL);
			if (rc == 0) {
				*skipped += r->pos.offset - from;
				return (1);
			}
			if (rc != ERR_CORRUPT)
				return (err_set(e, rc, "%s: read", r->dir));
		}
		if (r->end > from)
			*skipped += r->end - from;
		r->pos.offset = r->end;
		if ((rc = next_segment(r, e)) <= 0)
			return (rc);
		if (read_block(r, NULL) == 0)
			return (1);
		from = r->pos.offset;
	}
	return (0);
}
