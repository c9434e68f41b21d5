/*
 * The one writer of a journal. Blocks are encoded into memory; sync writes
 * them with one call, then syncs the segment. When that fails, the segment
 * is given up at its last good end and the same bytes go to a new one,
 * whose header says where the old one ends. A new segment that cannot be
 * made or written leaves no doubt, and is tried again by the next sync; one
 * that cannot be synced does, and the writer is dead.
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

/* Table, source, bronze, the data directory, and where that stands. */
#define DIRS_ABOVE 5

/* A schema whose block this writer has made. */
struct written_schema {
	struct written_schema *next;
	uint64_t id;
	struct buf block;
	bool here;		/* in the current segment, or in pending */
	bool pending;		/* in pending */
	bool lead;		/* in lead */
};

/* Invariants, between calls:
 * 1. fd is open on segment pos.segment, or -1 when there is none yet;
 * 2. everything before pos is durable; pending holds what comes after it;
 * 3. lead holds the schemas that blocks of pending are of and that stand in
 *    the current segment: a new one begins with them;
 * 4. sealed: nothing more is written to fd;
 * 5. dead.code != 0: no call does anything but return it. */
struct journal_writer {
	const struct sys *sys;
	char *dir;
	int lock;
	int fd;
	struct journal_pos pos;
	struct buf pending;
	struct buf lead;
	struct written_schema *schemas;
	struct rows_schema *cover_schema;
	struct rows *cover;
	uint64_t segment_bytes;		/* closed when it has so many */
	bool sealed;
	struct zip *zip;
	struct buf raw;
	struct buf packed;
	uint64_t bytes;
	struct err dead;
};

/* --- opening ------------------------------------------------------------- */

int
journal_writer_lock(const struct sys *sys, const char *dir,
    struct journal_writer **out, struct err *e)
{
	struct journal_writer *w;
	char *lock;
	int rc;

	*out = NULL;
	w = must_calloc(1, sizeof(*w));
	w->sys = sys;
	w->dir = must_strdup(dir);
	w->lock = w->fd = -1;
	w->zip = zip_new(JOURNAL_ZSTD_LEVEL);
	buf_init(&w->pending, LIMIT_SEGMENT_BYTES);
	buf_init(&w->raw, LIMIT_BLOCK_RAW_MAX);
	/* Before it is known how small a block gets it needs more room. */
	buf_init(&w->packed, LIMIT_BLOCK_RAW_MAX + LIMIT_BLOCK_RAW_MAX / 64);
	buf_init(&w->lead, LIMIT_BLOCK_MAX);
	w->segment_bytes = LIMIT_SEGMENT_BYTES;
	w->cover_schema = journal_cover_schema();
	w->cover = rows_new(w->cover_schema);

	if ((rc = sys_mkdirs(sys, dir, e)) == 0) {
		lock = must_sprintf("%s/lock", dir);
		rc = sys_lock(lock, &w->lock, e);
		free(lock);
	}
	if (rc != 0) {
		journal_writer_close(w);
		return (rc);
	}
	*out = w;
	return (0);
}

int
journal_writer_start(struct journal_writer *w, const struct journal_pos *at,
    uint32_t commits_max, uint64_t *cut_bytes, struct err *e)
{
	uint64_t cut = 0;
	uint32_t n;
	int rc;

	MUST(w->fd < 0 && w->pending.len == 0);
	w->pos = *at;
	n = commits_max < UINT32_MAX ? journal_commits_behind(w->sys, w->dir,
	    at) : 0;
	if (n > commits_max)
		return (err_set(e, ERR_CORRUPT, "%s: %u commits lie behind "
		    "segment %u, offset %llu, where the ledger ends; if it "
		    "is lost or an older one was put back, run garner repair",
		    w->dir, n, at->segment, (unsigned long long)at->offset));
	rc = journal_cut(w->sys, w->dir, at, &w->fd, &cut, e);
	if (cut_bytes != NULL)
		*cut_bytes = cut;
	return (rc);
}

int
journal_writer_open(const struct sys *sys, const char *dir,
    const struct journal_pos *at, struct journal_writer **out,
    uint64_t *cut_bytes, struct err *e)
{
	struct journal_writer *w;
	int rc;

	*out = NULL;
	if ((rc = journal_writer_lock(sys, dir, &w, e)) != 0)
		return (rc);
	rc = journal_writer_start(w, at, UINT32_MAX, cut_bytes, e);
	if (rc != 0) {
		journal_writer_close(w);
		return (rc);
	}
	*out = w;
	return (0);
}

void
journal_writer_close(struct journal_writer *w)
{
	struct written_schema *s;

	if (w == NULL)
		return;
	while ((s = w->schemas) != NULL) {
		w->schemas = s->next;
		buf_fini(&s->block);
		free(s);
	}
	rows_free(w->cover);
	rows_schema_free(w->cover_schema);
	if (w->fd >= 0)
		(void)w->sys->close(w->sys->cookie, w->fd);
	if (w->lock >= 0)
		sys_unlock(w->lock);
	zip_free(w->zip);
	buf_fini(&w->pending);
	buf_fini(&w->lead);
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

void
journal_writer_segment_bytes(struct journal_writer *w, uint64_t bytes)
{

	MUST(bytes > 0 && bytes <= LIMIT_SEGMENT_BYTES);
	w->segment_bytes = bytes;
}

/* --- appending ----------------------------------------------------------- */

static int
pack(struct journal_writer *w, enum block_kind kind,
    const struct journal_block *k, struct buf *to, struct err *e)
{
	struct block_header h = { .kind = kind, .block = *k };
	int rc;

	if (w->raw.error != 0)
		return (err_set(e, w->raw.error, "a block of %u rows is too "
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

/* The block of a schema, made once. */
static int
get_schema(struct journal_writer *w, const struct rows_schema *s,
    struct written_schema **out, struct err *e)
{
	struct journal_block k = { .schema_id = rows_schema_id(s) };
	struct written_schema *m;
	int rc;

	for (m = w->schemas; m != NULL && m->id != k.schema_id;)
		m = m->next;
	if (m == NULL) {
		m = must_calloc(1, sizeof(*m));
		buf_init(&m->block, LIMIT_BLOCK_MAX);
		buf_clear(&w->raw);
		rows_schema_encode(s, &w->raw);
		if ((rc = pack(w, BLOCK_SCHEMA, &k, &m->block, e)) != 0) {
			buf_fini(&m->block);
			free(m);
			return (rc);
		}
		m->id = k.schema_id;
		m->next = w->schemas;
		w->schemas = m;
	}
	*out = m;
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

static int
append(struct journal_writer *w, enum block_kind kind, const struct rows *r,
    struct journal_block *k, struct err *e)
{
	size_t before = w->pending.len;
	struct written_schema *m;
	int rc;

	if (w->dead.code != 0) {
		if (e != NULL)
			*e = w->dead;
		return (w->dead.code);
	}
	if ((rc = check_rows(r, e)) != 0 ||
	    (rc = get_schema(w, r->schema, &m, e)) != 0)
		return (rc);
	k->schema_id = m->id;
	k->nrows = r->n;
	if (!m->here)
		buf_put(&w->pending, m->block.data, m->block.len);
	buf_clear(&w->raw);
	rows_encode(r, &w->packed, &w->raw);
	rc = pack(w, kind, k, &w->pending, e);
	if (rc != 0) {				/* as if it never was */
		w->pending.len = before;
		w->pending.error = 0;
		return (rc);
	}
	if (!m->here) {
		m->here = m->pending = true;
	} else if (!m->pending && !m->lead) {
		buf_put(&w->lead, m->block.data, m->block.len);
		m->lead = true;
	}
	w->bytes += w->pending.len - before;
	return (0);
}

int
journal_writer_append(struct journal_writer *w, const struct rows *r,
    struct journal_block *k, struct err *e)
{

	MUST(r->n > 0);
	return (append(w, BLOCK_ROWS, r, k, e));
}

int
journal_writer_cover(struct journal_writer *w, struct journal_block *k,
    const struct journal_batch *b, const struct journal_cover *c, size_t n,
    struct err *e)
{
	size_t i;
	int rc;

	MUST(n > 0);
	if (n > LIMIT_BLOCK_ROWS)
		return (err_set(e, ERR_LIMIT, "%zu ranges are too many for a "
		    "block", n));
	rows_clear(w->cover);
	rc = journal_cover_put(w->cover, b, c, (uint32_t)n, e);
	if (rc != 0)
		return (rc);
	k->first_tick = c[0].a;
	k->last_tick = c[0].b;
	for (i = 1; i < n; i++) {
		if (c[i].a < k->first_tick)
			k->first_tick = c[i].a;
		if (c[i].b > k->last_tick)
			k->last_tick = c[i].b;
	}
	return (append(w, BLOCK_COVER, w->cover, k, e));
}

/* --- syncing ------------------------------------------------------------- */

/* The schemas that pending needs stand before it now, in a new segment. */
static void
moved_on(struct journal_writer *w)
{
	struct written_schema *m;

	for (m = w->schemas; m != NULL; m = m->next)
		m->here = m->lead || m->pending;
}

static void
settled(struct journal_writer *w)
{
	struct written_schema *m;

	buf_clear(&w->pending);
	buf_clear(&w->lead);
	for (m = w->schemas; m != NULL; m = m->next)
		m->lead = m->pending = false;
}

/* Written, synced and known by its name; *doubt when that is not known. */
static int
fill_segment(struct journal_writer *w, int fd, const struct buf *b,
    bool *doubt, struct err *e)
{
	int rc;

	if (b->error != 0)
		return (err_set(e, b->error, "no memory for a segment"));
	if ((rc = sys_pwrite_all(w->sys, fd, b->data, b->len, 0, e)) != 0)
		return (rc);
	*doubt = true;
	if (w->sys->fsync(w->sys->cookie, fd) != 0)
		return (err_sys(e, errno, "sync"));
	/* With the first segment the names of its directories count. */
	if ((rc = sys_sync_dirs(w->sys, w->dir, w->pos.segment == 0 ?
	    DIRS_ABOVE : 0, e)) != 0)
		return (rc);
	*doubt = false;
	return (0);
}

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
	bool doubt = false;
	int fd, rc;

	buf_init(&b, LIMIT_SEGMENT_BYTES + 2 * LIMIT_BLOCK_MAX);
	journal_segment_encode(&h, &b);
	buf_put(&b, w->lead.data, w->lead.len);
	buf_put(&b, w->pending.data, w->pending.len);

	fd = w->sys->open(w->sys->cookie, path, O_RDWR | O_CREAT | O_TRUNC |
	    O_CLOEXEC, 0640);
	if (fd < 0) {
		rc = err_sys(e, errno, "cannot create %s", path);
		goto out;
	}
	if ((rc = fill_segment(w, fd, &b, &doubt, e)) != 0) {
		(void)err_wrap(e, "%s", path);
		(void)w->sys->close(w->sys->cookie, fd);
		if (doubt)
			w->dead = *e;
		else
			(void)w->sys->unlink(w->sys->cookie, path);
		goto out;
	}
	if (w->fd >= 0)
		(void)w->sys->close(w->sys->cookie, w->fd);
	w->fd = fd;
	w->sealed = false;
	w->pos.segment = h.number;
	w->pos.offset = b.len;
	moved_on(w);
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
	if (rc == 0) {
		w->pos.offset += w->pending.len;
	} else {
		(void)err_wrap(e, "%s", path);
		msg_warn("journal", "%s; giving the segment up, writing the "
		    "same to a new one", e->text);
		w->sealed = true;
		/* Its room may be what the new one lacks. */
		(void)w->sys->ftruncate(w->sys->cookie, w->fd,
		    (int64_t)w->pos.offset);
	}
	free(path);
	return (rc);
}

/* A segment that is full is written on when there can be no other. */
static int
write_pending(struct journal_writer *w, struct err *e)
{
	bool open = w->fd >= 0 && !w->sealed;

	if (open && w->pos.offset < w->segment_bytes &&
	    write_here(w, e) == 0)
		return (0);
	if (write_new_segment(w, e) == 0)
		return (0);
	if (w->dead.code == 0 && w->fd >= 0 && !w->sealed &&
	    w->pos.offset + w->pending.len <= 2 * LIMIT_SEGMENT_BYTES &&
	    write_here(w, e) == 0)
		return (0);
	return (e->code);
}

int
journal_writer_revive(struct journal_writer *w, struct err *e)
{
	uint64_t cut = 0;
	int rc;

	if (w->dead.code == 0)
		return (0);
	if (w->fd >= 0)
		(void)w->sys->close(w->sys->cookie, w->fd);
	w->fd = -1;
	rc = journal_cut(w->sys, w->dir, &w->pos, &w->fd, &cut, e);
	if (rc != 0)
		return (rc);
	w->sealed = false;
	w->dead.code = 0;
	return (0);
}

int
journal_writer_sync(struct journal_writer *w, struct journal_pos *pos,
    struct err *e)
{
	struct err first = ERR_INIT;

	if (w->dead.code != 0)
		first = w->dead;
	else if (w->pending.len > 0 && write_pending(w, &first) != 0)
		MUST(first.code != 0);
	else
		first.code = 0;		/* coped with */
	if (first.code != 0) {
		if (e != NULL)
			*e = first;
		return (first.code);
	}
	settled(w);
	*pos = w->pos;
	return (0);
}
