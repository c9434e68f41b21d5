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

/* How much resync looks at with one read. */
#define WINDOW (64u << 10)

struct known_schema {
	struct known_schema *next;
	uint64_t id;
	struct rows_schema *schema;
};

/* Invariants, while nsegments > 0:
 * 1. fd is open on segment `at`, and pos.segment is its number;
 * 2. SEGMENT_HEADER <= pos.offset; blocks are read up to `end`. */
struct journal_reader {
	const struct sys *sys;
	char *dir;
	struct journal_pos pos;		/* of the next block */
	struct journal_pos to;
	bool bounded;			/* `to` was given */
	bool torn_ok;
	bool schemas_only;		/* do not look for missing ones */
	bool show_covers;
	bool whole;			/* from the very beginning */
	bool skims;			/* the open segment */
	journal_segment_fn *wants;	/* or NULL: all */
	void *wants_cookie;
	struct journal_pos hurt;	/* the damage told last */
	bool searched;			/* the whole journal, for a schema */
	bool bad;			/* there is damage at pos */
	bool first;			/* its header is not yet checked */
	uint32_t *segments;
	size_t nsegments;		/* 0: nothing to read */
	size_t at;			/* index of the open segment */
	int fd;				/* of it, or -1 */
	uint64_t end;			/* of it */
	struct known_schema *schemas;
	struct block_header head;	/* of the block given last */
	struct rows_schema *cover_schema;	/* of cover_rows */
	struct rows *cover_rows;
	struct journal_cover *covers;
	struct buf payload;
	struct buf raw;
	struct zip *zip;
};

static int
damaged(struct journal_reader *r, uint64_t offset, const char *what,
    struct err *e)
{
	char *path = journal_segment_path(r->dir, r->segments[r->at]);
	int rc;

	r->hurt = (struct journal_pos){ r->segments[r->at], offset };
	rc = err_set(e, ERR_CORRUPT, "%s: offset %llu: %s", path,
	    (unsigned long long)offset, what);
	free(path);
	return (rc);
}

/* A read failed, or found the file shorter than it was. */
static int
unread(struct journal_reader *r, uint64_t offset, int rc, struct err *e)
{
	char *path;

	if (rc == ERR_CORRUPT)
		return (damaged(r, offset, "cut short", e));
	path = journal_segment_path(r->dir, r->segments[r->at]);
	if (e != NULL)
		(void)err_wrap(e, "%s", path);
	free(path);
	return (rc);
}

/* --- segments ------------------------------------------------------------ */

static int
read_segment_header(struct journal_reader *r, size_t i,
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
	if (rc == ERR_CORRUPT || (rc == 0 && (journal_segment_decode(bytes,
	    h) != 0 || h->number != r->segments[i]))) {
		r->hurt = (struct journal_pos){ r->segments[i], 0 };
		rc = err_set(e, ERR_CORRUPT, "%s: offset 0: not the header "
		    "of this segment", path);
	} else if (rc != 0)
		(void)err_wrap(e, "%s", path);
out:
	free(path);
	return (rc);
}

static int
find_end(struct journal_reader *r)
{
	struct segment_header next;
	int64_t size;

	if ((size = r->sys->fsize(r->sys->cookie, r->fd)) < 0)
		return (-1);
	r->end = (uint64_t)size;
	if (r->bounded && r->segments[r->at] == r->to.segment) {
		if (r->to.offset < r->end)
			r->end = r->to.offset;
	} else if (r->at + 1 < r->nsegments &&
	    read_segment_header(r, r->at + 1, &next, NULL) == 0 &&
	    next.before == r->segments[r->at] && next.before_end < r->end) {
		r->end = next.before_end;
	}
	return (0);
}

/* Make segment i the one that is read. */
static int
open_segment(struct journal_reader *r, size_t i, struct err *e)
{
	char *path = journal_segment_path(r->dir, r->segments[i]);
	int fd, rc = 0;

	fd = r->sys->open(r->sys->cookie, path, O_RDONLY | O_CLOEXEC, 0);
	if (fd < 0) {
		rc = err_sys(e, errno, "cannot open %s", path);
		goto out;
	}
	if (r->fd >= 0)
		(void)r->sys->close(r->sys->cookie, r->fd);
	r->fd = fd;
	r->at = i;
	r->pos.segment = r->segments[i];
	r->pos.offset = SEGMENT_HEADER;
	r->bad = false;
	r->skims = r->wants != NULL && !r->wants(r->wants_cookie,
	    r->segments[i]);
	if (find_end(r) != 0)
		rc = err_sys(e, errno, "cannot tell the size of %s", path);
out:
	free(path);
	return (rc);
}

static int
missing(struct journal_reader *r, uint32_t number, struct err *e)
{
	char *path = journal_segment_path(r->dir, number);
	int rc;

	r->hurt = (struct journal_pos){ number, 0 };
	rc = err_set(e, ERR_CORRUPT, "%s is missing", path);
	free(path);
	return (rc);
}

/* 1 when there is another segment, now open, 0 at the end. ERR_CORRUPT from
 * a segment that was opened leaves it open: its blocks may be good. */
static int
next_segment(struct journal_reader *r, struct err *e)
{
	struct segment_header h;
	uint32_t number = r->segments[r->at];
	uint64_t end = r->end;
	int rc, head;

	if (r->bounded && number == r->to.segment)
		return (end == r->to.offset ? 0 : damaged(r, end,
		    "the segment ends before the position asked for", e));
	if (r->at + 1 >= r->nsegments)
		return (r->bounded ? missing(r, r->to.segment, e) : 0);
	head = read_segment_header(r, r->at + 1, &h, e);
	if (head == ERR_CORRUPT && r->torn_ok && r->at + 2 == r->nsegments) {
		r->nsegments--;			/* it was being made */
		return (0);
	}
	if (head != 0 && head != ERR_CORRUPT)
		return (head);
	if ((rc = open_segment(r, r->at + 1, e)) != 0)
		return (rc);
	if (head != 0)
		return (head);
	if (h.before != number)
		return (missing(r, h.before, e));
	if (h.before_end != end)
		return (damaged(r, 24, "the segment before it is cut short",
		    e));
	return (1);
}

/* --- open, close --------------------------------------------------------- */

static int
find_first(struct journal_reader *r, const struct journal_pos *from,
    struct err *e)
{
	size_t i = 0;
	int rc;

	if (r->bounded && journal_pos_cmp(from, &r->to) >= 0)
		r->nsegments = 0;
	else if (r->bounded && r->nsegments == 0)
		return (missing(r, r->to.segment, e));
	if (r->nsegments == 0)
		return (0);
	while (i < r->nsegments && r->segments[i] < from->segment)
		i++;
	if (from->segment != 0 && (i == r->nsegments ||
	    r->segments[i] != from->segment))
		return (missing(r, from->segment, e));
	if (r->bounded && r->segments[i] > r->to.segment)
		return (missing(r, r->to.segment, e));
	if ((rc = open_segment(r, i, e)) != 0)
		return (rc);
	if (from->offset > r->end)
		return (damaged(r, r->end, "the segment ends before the "
		    "position asked for", e));
	if (from->offset > r->pos.offset)
		r->pos.offset = from->offset;
	r->first = true;
	r->whole = from->segment == 0;
	return (0);
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

/* The block at pos into head and payload; 0 or ERR_CORRUPT. */
static int
read_block(struct journal_reader *r, struct err *e)
{
	uint8_t bytes[BLOCK_HEADER], *to;
	uint64_t at = r->pos.offset, left = r->end - at;
	int rc;

	if (left < BLOCK_HEADER)
		return (damaged(r, at, "a block header is cut short", e));
	rc = sys_pread_all(r->sys, r->fd, bytes, sizeof(bytes),
	    (int64_t)at, e);
	if (rc != 0)
		return (unread(r, at, rc, e));
	if (journal_block_decode(bytes, &r->head) != 0)
		return (damaged(r, at, "not a block", e));
	if (r->head.stored > left - BLOCK_HEADER)
		return (damaged(r, at, "a block is cut short", e));
	r->head.block.pos = r->pos;
	buf_clear(&r->payload);
	if (r->skims && r->head.kind == BLOCK_ROWS)
		return (0);
	if ((to = buf_reserve(&r->payload, r->head.stored)) == NULL)
		return (err_set(e, ERR_NOMEM, "no memory for a block"));
	rc = sys_pread_all(r->sys, r->fd, to, r->head.stored,
	    (int64_t)(at + BLOCK_HEADER), e);
	if (rc != 0)
		return (unread(r, at, rc, e));
	r->payload.len = r->head.stored;
	if (!journal_block_valid(bytes, &r->head, to))
		return (damaged(r, at, "the checksum is wrong", e));
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
	uint64_t at = r->pos.offset;
	struct rows_schema *s;
	struct cur c;
	int rc;

	if (find_schema(r, r->head.block.schema_id) != NULL)
		return (0);
	if ((rc = unpack(r, e)) == ERR_NOMEM)
		return (rc);
	if (rc != 0)
		return (damaged(r, at, "a schema does not decompress", e));
	cur_init(&c, r->raw.data, r->raw.len);
	if (rows_schema_decode(&c, &s, NULL) != 0 || cur_left(&c) != 0)
		return (damaged(r, at, "a schema does not decode", e));
	if (rows_schema_id(s) != r->head.block.schema_id) {
		rows_schema_free(s);
		return (damaged(r, at, "a schema has another id", e));
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
	} while (rc > 0 && find_schema(sub, id) == NULL);
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
static int
look_for_schema(struct journal_reader *r, struct err *e)
{
	struct journal_pos start = { r->pos.segment, SEGMENT_HEADER };
	struct journal_pos first = { 0, 0 };
	uint64_t id = r->head.block.schema_id;

	if (journal_pos_cmp(&start, &r->pos) < 0)
		(void)search(r, id, &start, &r->pos);
	if (find_schema(r, id) == NULL && !r->searched) {
		r->searched = true;
		(void)search(r, id, &first, NULL);
	}
	if (find_schema(r, id) == NULL)
		return (damaged(r, r->pos.offset, "the schema of this block "
		    "is nowhere", e));
	return (0);
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

	if ((rc = read_block(r, e)) != 0)
		return (rc);
	if (r->head.kind == BLOCK_SCHEMA)
		return (learn_schema(r, e));
	if (r->schemas_only || r->skims || hidden(r) ||
	    r->head.kind == BLOCK_HOLE ||
	    find_schema(r, r->head.block.schema_id) != NULL)
		return (0);
	return (look_for_schema(r, e));
}

/* What is torn, when that is all right, is the end. */
static int
check_first(struct journal_reader *r, struct err *e)
{
	struct segment_header h;
	int rc;

	r->first = false;
	rc = read_segment_header(r, r->at, &h, e);
	if (rc == 0 && r->whole && h.before != 0)
		return (missing(r, h.before, e));
	if (rc != ERR_CORRUPT || !r->torn_ok || r->at + 1 < r->nsegments)
		return (rc);
	r->nsegments = 0;
	return (0);
}

int
journal_reader_next(struct journal_reader *r, struct journal_block *out,
    const struct rows_schema **schema, struct err *e)
{
	int rc;

	if (r->first && (rc = check_first(r, e)) != 0)
		return (rc);
	while (r->nsegments > 0) {
		if (r->pos.offset >= r->end) {
			if ((rc = next_segment(r, e)) <= 0)
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
		*schema = find_schema(r, out->schema_id);
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
	rc = unpack(r, e);
	if (rc == 0) {
		cur_init(&c, r->raw.data, r->raw.len);
		rc = rows_decode_only(rows, &c, wanted, e);
		if (rc == 0 && (cur_left(&c) != 0 || rows->n != k->nrows))
			rc = ERR_CORRUPT;
	}
	if (rc == ERR_CORRUPT) {
		rows_clear(rows);
		return (damaged(r, k->pos.offset, "the rows of this block do "
		    "not decode", e));
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
		return (damaged(r, k->pos.offset, "coverage of an unknown "
		    "form", e));
	rows_clear(r->cover_rows);
	if ((rc = journal_reader_rows(r, r->cover_rows, e)) != 0)
		return (rc);
	rc = journal_cover_get(r->cover_rows, b, &r->covers, &why);
	if (rc != 0)
		return (damaged(r, k->pos.offset, why.text, e));
	*out = r->covers;
	*n = r->cover_rows->n;
	return (0);
}

/* --- resync -------------------------------------------------------------- */

/* Move pos to the next place that looks like a block, or to the end. */
static int
find_magic(struct journal_reader *r, struct err *e)
{
	static const uint8_t magic[4] = { 'G', 'J', 'B', 'K' };
	uint8_t window[WINDOW], *found;
	uint64_t left;
	size_t n;
	int rc;

	while (r->pos.offset < r->end &&
	    (left = r->end - r->pos.offset) >= BLOCK_HEADER) {
		n = left < WINDOW ? (size_t)left : WINDOW;
		rc = sys_pread_all(r->sys, r->fd, window, n,
		    (int64_t)r->pos.offset, e);
		if (rc != 0)
			return (unread(r, r->pos.offset, rc, e));
		found = memmem(window, n, magic, sizeof(magic));
		if (found != NULL) {
			r->pos.offset += (uint64_t)(found - window);
			return (0);
		}
		r->pos.offset += n - (sizeof(magic) - 1);
	}
	if (r->pos.offset < r->end)
		r->pos.offset = r->end;
	return (0);
}

/* In the open segment: 1 with pos at a valid block, 0 with pos at the end. */
static int
find_block(struct journal_reader *r, struct err *e)
{
	int rc;

	if (r->bad)
		r->pos.offset++;
	for (;;) {
		if ((rc = find_magic(r, e)) != 0)
			return (rc);
		if (r->pos.offset >= r->end)
			return (0);
		if ((rc = read_block(r, e)) == 0) {
			r->bad = false;
			return (1);
		}
		if (rc != ERR_CORRUPT)
			return (rc);
		r->pos.offset++;
	}
}

/* What looks like a block is one only when its checksum says so. */
static int
resync_here(struct journal_reader *r, struct err *e)
{
	bool skims = r->skims;
	int rc;

	r->skims = false;
	rc = find_block(r, e);
	r->skims = skims;
	return (rc);
}

int
journal_reader_resync(struct journal_reader *r, uint64_t *skipped,
    struct err *e)
{
	uint64_t from;
	size_t at;
	int rc;

	*skipped = 0;
	r->first = false;
	while (r->nsegments > 0) {
		from = r->pos.offset;
		if ((rc = resync_here(r, e)) < 0)
			return (rc);
		*skipped += r->pos.offset - from;
		if (rc > 0)
			return (1);
		at = r->at;
		rc = next_segment(r, e);
		if (rc == 0 || (rc == ERR_CORRUPT && r->at == at))
			return (0);
		if (rc < 0 && rc != ERR_CORRUPT)
			return (rc);
	}
	return (0);
}
