/*
 * The one writer of a journal. Blocks are encoded into memory; sync writes
 * them with one call, then syncs the segment. When that fails, the segment
 * is given up at its last good end and the same bytes go to a new one,
 * whose header says where the old one ends; when that fails too, the writer
 * is dead and says so for ever.
 *
 * On open everything behind the ledger's position is cut away. What lies
 * before it, in its segment, is looked through by the blocks' headers, and
 * the last block by its checksum: a disk that lied about a sync lost the
 * end. The checksums of all are for the readers.
 */

#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/base_limits.h"
#include "base/err.h"
#include "base/msg.h"
#include "base/must.h"
#include "codec/zip.h"
#include "journal/journal_int.h"
#include "rows/rows.h"
#include "sys/sys.h"

/* Journals are compressed for speed; silver is for size. */
#define ZSTD_LEVEL 1

/* Invariants, between calls:
 * 1. fd is open on segment pos.segment, or -1 when there is none yet;
 * 2. everything before pos is durable; pending holds what comes after it;
 * 3. dead.code != 0: no call does anything but return it. */
struct journal_writer {
	const struct sys *sys;
	char *dir;
	int lock;
	int fd;
	struct journal_pos pos;
	struct buf pending;
	struct buf lead;		/* block of the schema that pending's
					 * first rows are of */
	struct buf schema;		/* the current schema's block */
	uint64_t schema_id;		/* 0: none yet */
	bool schema_written;		/* in the current segment */
	struct zip *zip;
	struct buf raw;
	struct buf packed;
	uint64_t bytes;
	struct err dead;
};

/* --- opening ------------------------------------------------------------- */

static int
unlink_segment(struct journal_writer *w, uint32_t number, uint64_t *cut,
    struct err *e)
{
	char *path = journal_segment_path(w->dir, number);
	int64_t size = 0;
	int fd, rc = 0;

	if ((fd = w->sys->open(w->sys->cookie, path, O_RDONLY, 0)) >= 0) {
		size = w->sys->fsize(w->sys->cookie, fd);
		(void)w->sys->close(w->sys->cookie, fd);
	}
	if (w->sys->unlink(w->sys->cookie, path) != 0)
		rc = err_sys(e, errno, "cannot remove %s", path);
	if (size > SEGMENT_HEADER)
		*cut += (uint64_t)size - SEGMENT_HEADER;
	free(path);
	return (rc);
}

/* Payload and checksum of the block at `off`, whose header is in bytes. */
static bool
good_block(struct journal_writer *w, uint64_t off, const uint8_t *bytes,
    const struct block_header *h)
{
	uint8_t *to;

	buf_clear(&w->packed);
	return ((to = buf_reserve(&w->packed, h->stored)) != NULL &&
	    sys_pread_all(w->sys, w->fd, to, h->stored,
	    (int64_t)(off + BLOCK_HEADER), NULL) == 0 &&
	    journal_block_valid(bytes, h, to));
}

/* Walk from header to header; they must lead exactly to pos. */
static int
check_last(struct journal_writer *w, const char *path, struct err *e)
{
	uint8_t bytes[BLOCK_HEADER];
	uint64_t off = 0, next = SEGMENT_HEADER;
	struct segment_header sh;
	struct block_header h;

	if (sys_pread_all(w->sys, w->fd, bytes, SEGMENT_HEADER, 0,
	    NULL) != 0 || journal_segment_decode(bytes, &sh) != 0 ||
	    sh.number != w->pos.segment)
		goto bad;
	while (next < w->pos.offset) {
		off = next;
		if (w->pos.offset - off < BLOCK_HEADER ||
		    sys_pread_all(w->sys, w->fd, bytes, sizeof(bytes),
		    (int64_t)off, NULL) != 0 ||
		    journal_block_decode(bytes, &h) != 0)
			goto bad;
		next = off + h.block.stored_bytes;
	}
	if (next == w->pos.offset &&
	    (off == 0 || good_block(w, off, bytes, &h)))
		return (0);
bad:
	return (err_set(e, ERR_CORRUPT, "%s: offset %llu: damaged, and the "
	    "ledger counts on it", path, (unsigned long long)off));
}

static int
open_last(struct journal_writer *w, uint64_t *cut, struct err *e)
{
	char *path = journal_segment_path(w->dir, w->pos.segment);
	int64_t size;
	int rc = 0;

	w->fd = w->sys->open(w->sys->cookie, path, O_RDWR | O_CLOEXEC, 0);
	if (w->fd < 0) {
		rc = err_sys(e, errno, "cannot open %s", path);
		if (rc == ERR_NOTFOUND)
			rc = err_set(e, ERR_CORRUPT, "%s is missing, the "
			    "ledger counts on it", path);
		goto out;
	}
	size = w->sys->fsize(w->sys->cookie, w->fd);
	if (size < 0) {
		rc = err_sys(e, errno, "cannot tell the size of %s", path);
	} else if ((uint64_t)size < w->pos.offset) {
		rc = err_set(e, ERR_CORRUPT, "%s: offset %lld: ends here, "
		    "the ledger counts on %llu bytes", path, (long long)size,
		    (unsigned long long)w->pos.offset);
	} else if ((rc = check_last(w, path, e)) != 0) {
		goto out;
	} else if ((uint64_t)size > w->pos.offset) {
		*cut += (uint64_t)size - w->pos.offset;
		if (w->sys->ftruncate(w->sys->cookie, w->fd,
		    (int64_t)w->pos.offset) != 0 ||
		    w->sys->fsync(w->sys->cookie, w->fd) != 0)
			rc = err_sys(e, errno, "cannot cut %s", path);
	}
out:
	free(path);
	return (rc);
}

/* Segments behind the position first, from the last: a crash in between
 * leaves a journal that is cut the same way next time. */
static int
cut_back(struct journal_writer *w, uint64_t *cut, struct err *e)
{
	uint32_t *number;
	size_t n;
	bool removed = false;
	int rc;

	if ((rc = journal_segments(w->dir, &number, &n, e)) != 0)
		return (rc);
	while (rc == 0 && n > 0 && number[n - 1] > w->pos.segment) {
		rc = unlink_segment(w, number[--n], cut, e);
		removed = true;
	}
	free(number);
	if (rc == 0 && removed)
		rc = sys_sync_dir(w->sys, w->dir, e);
	if (rc == 0 && w->pos.segment > 0)
		rc = open_last(w, cut, e);
	return (rc);
}

int
journal_writer_open(const struct sys *sys, const char *dir,
    const struct journal_pos *at, struct journal_writer **out,
    uint64_t *cut_bytes, struct err *e)
{
	struct journal_writer *w;
	uint64_t cut = 0;
	char *lock;
	int rc;

	*out = NULL;
	w = must_calloc(1, sizeof(*w));
	w->sys = sys;
	w->dir = must_strdup(dir);
	w->lock = w->fd = -1;
	w->pos = *at;
	w->zip = zip_new(ZSTD_LEVEL);
	buf_init(&w->pending, LIMIT_SEGMENT_BYTES);
	buf_init(&w->schema, LIMIT_BLOCK_MAX);
	buf_init(&w->raw, LIMIT_BLOCK_RAW_MAX);
	/* Before it is known how small a block gets it needs more room. */
	buf_init(&w->packed, LIMIT_BLOCK_RAW_MAX + LIMIT_BLOCK_RAW_MAX / 64);
	buf_init(&w->lead, LIMIT_BLOCK_MAX);

	if ((rc = sys_mkdirs(sys, dir, e)) == 0) {
		lock = must_sprintf("%s/lock", dir);
		rc = sys_lock(lock, &w->lock, e);
		free(lock);
	}
	if (rc == 0)
		rc = cut_back(w, &cut, e);
	if (rc != 0) {
		journal_writer_close(w);
		return (rc);
	}
	if (cut_bytes != NULL)
		*cut_bytes = cut;
	*out = w;
	return (0);
}

void
journal_writer_close(struct journal_writer *w)
{

	if (w == NULL)
		return;
	if (w->fd >= 0)
		(void)w->sys->close(w->sys->cookie, w->fd);
	if (w->lock >= 0)
		sys_unlock(w->lock);
	zip_free(w->zip);
	buf_fini(&w->pending);
	buf_fini(&w->lead);
	buf_fini(&w->schema);
	buf_fini(&w->raw);
	buf_fini(&w->packed);
	free(w->dir);
	free(w);
}

uint64_t
journal_writer_bytes(const struct journal_writer *w)
{

	return (w->bytes);
}

/* --- appending ----------------------------------------------------------- */

static int
pack(struct journal_writer *w, enum block_kind kind,
    const struct journal_block *k, struct buf *to, struct err *e)
{
	struct block_header h = { .kind = kind, .block = *k };
	int rc;

	if (w->raw.error != 0)
		return (err_set(e, ERR_LIMIT, "a block of %u rows is too "
		    "large", k->nrows));
	buf_clear(&w->packed);
	rc = zip_compress(w->zip, w->raw.data, w->raw.len, &w->packed, e);
	if (rc != 0)
		return (rc);
	if (w->packed.len > LIMIT_BLOCK_MAX)
		return (err_set(e, ERR_LIMIT, "a block of %zu bytes is too "
		    "large", w->packed.len));
	h.raw = (uint32_t)w->raw.len;
	h.stored = (uint32_t)w->packed.len;
	journal_block_encode(&h, w->packed.data, to);
	if (to->error != 0)
		return (err_set(e, ERR_LIMIT, "too much to write at once"));
	return (0);
}

static int
set_schema(struct journal_writer *w, const struct rows_schema *s,
    struct err *e)
{
	struct journal_block k = { .schema_id = rows_schema_id(s) };
	int rc;

	if (k.schema_id == w->schema_id)
		return (0);
	buf_clear(&w->raw);
	rows_schema_encode(s, &w->raw);
	buf_clear(&w->schema);
	w->schema_id = 0;
	if ((rc = pack(w, BLOCK_SCHEMA, &k, &w->schema, e)) != 0)
		return (rc);
	w->schema_id = k.schema_id;
	w->schema_written = false;
	return (0);
}

static int
check_rows(const struct rows *r, struct err *e)
{
	const struct rows_schema *s = r->schema;
	uint32_t c;

	if (r->n > LIMIT_BLOCK_ROWS)
		return (err_set(e, ERR_LIMIT, "%u rows are too many for a "
		    "block", r->n));
	for (c = 0; c < s->ncols; c++)
		if (s->cols[c].required &&
		    memchr(r->v[c].valid, 0, r->n) != NULL)
			return (err_set(e, ERR_DATA, "column %s of table %s "
			    "is required, and null in a row",
			    s->cols[c].name, s->name));
	return (0);
}

int
journal_writer_append(struct journal_writer *w, const struct rows *r,
    struct journal_block *k, struct err *e)
{
	size_t before = w->pending.len;
	int rc;

	MUST(r->n > 0);
	if (w->dead.code != 0) {
		if (e != NULL)
			*e = w->dead;
		return (w->dead.code);
	}
	if ((rc = check_rows(r, e)) != 0 ||
	    (rc = set_schema(w, r->schema, e)) != 0)
		return (rc);
	k->schema_id = w->schema_id;
	k->nrows = r->n;
	if (!w->schema_written)
		buf_put(&w->pending, w->schema.data, w->schema.len);
	buf_clear(&w->raw);
	rows_encode(r, &w->raw);
	rc = pack(w, BLOCK_ROWS, k, &w->pending, e);
	if (rc != 0) {				/* as if it never was */
		w->pending.len = before;
		w->pending.error = 0;
		return (rc);
	}
	w->schema_written = true;
	if (before == 0) {
		buf_clear(&w->lead);
		buf_put(&w->lead, w->schema.data, w->schema.len);
	}
	w->bytes += w->pending.len - before;
	return (0);
}

/* --- syncing ------------------------------------------------------------- */

/* A new segment holding its header and pending, durable with its name. */
static int
write_new_segment(struct journal_writer *w, struct err *e)
{
	struct segment_header h = {
		.number = w->pos.segment + 1,
		.before = w->pos.segment,
		.before_end = w->pos.offset,
	};
	struct buf b;
	char *path = journal_segment_path(w->dir, h.number);
	int fd, rc;

	buf_init(&b, LIMIT_SEGMENT_BYTES + LIMIT_BLOCK_MAX);
	journal_segment_encode(&h, &b);
	if (w->pending.len < w->lead.len || memcmp(w->pending.data,
	    w->lead.data, w->lead.len) != 0)
		buf_put(&b, w->lead.data, w->lead.len);
	buf_put(&b, w->pending.data, w->pending.len);

	fd = w->sys->open(w->sys->cookie, path, O_RDWR | O_CREAT | O_TRUNC |
	    O_CLOEXEC, 0640);
	if (fd < 0) {
		rc = err_sys(e, errno, "cannot create %s", path);
		goto out;
	}
	rc = b.error != 0 ? err_set(e, b.error, "no memory for a segment") :
	    sys_pwrite_all(w->sys, fd, b.data, b.len, 0, e);
	if (rc == 0 && w->sys->fsync(w->sys->cookie, fd) != 0)
		rc = err_sys(e, errno, "sync");
	if (rc != 0)
		(void)err_wrap(e, "%s", path);
	if (rc == 0)
		rc = sys_sync_dir(w->sys, w->dir, e);
	if (rc != 0) {
		(void)w->sys->close(w->sys->cookie, fd);
		goto out;
	}
	if (w->fd >= 0)
		(void)w->sys->close(w->sys->cookie, w->fd);
	w->fd = fd;
	w->pos.segment = h.number;
	w->pos.offset = b.len;
out:
	buf_fini(&b);
	free(path);
	return (rc);
}

static int
write_here(struct journal_writer *w, struct err *e)
{
	char *path = journal_segment_path(w->dir, w->pos.segment);
	int rc;

	rc = sys_pwrite_all(w->sys, w->fd, w->pending.data, w->pending.len,
	    (int64_t)w->pos.offset, e);
	if (rc == 0 && w->sys->fdatasync(w->sys->cookie, w->fd) != 0)
		rc = err_sys(e, errno, "sync");
	if (rc != 0)
		(void)err_wrap(e, "%s", path);
	else
		w->pos.offset += w->pending.len;
	free(path);
	return (rc);
}

int
journal_writer_sync(struct journal_writer *w, struct journal_pos *pos,
    struct err *e)
{
	struct err first = ERR_INIT;
	int rc = 0;

	if (w->dead.code != 0) {
		if (e != NULL)
			*e = w->dead;
		return (w->dead.code);
	}
	if (w->pending.len == 0)
		goto out;
	if (w->fd < 0 || w->pos.offset >= LIMIT_SEGMENT_BYTES) {
		rc = write_new_segment(w, &first);
	} else if (write_here(w, &first) != 0) {
		msg_warn("journal", "%s; giving the segment up, writing the "
		    "same to a new one", first.text);
		/* Its room may be what the new one lacks. */
		(void)w->sys->ftruncate(w->sys->cookie, w->fd,
		    (int64_t)w->pos.offset);
		rc = write_new_segment(w, &first);
	}
	if (rc != 0) {
		w->dead = first;
		if (e != NULL)
			*e = first;
		return (rc);
	}
	buf_clear(&w->pending);
out:
	*pos = w->pos;
	return (0);
}
