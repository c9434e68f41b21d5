/*
 * What lies behind the ledger's position is cut away. What lies before it,
 * in its segment, is looked through by the blocks' headers, and the last
 * block by its checksum: a disk that lied about a sync lost the end. The
 * checksums of all are for the readers.
 */

#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "journal/journal_int.h"
#include "sys/sys.h"

struct cut {
	const struct sys *sys;
	const char *dir;
	struct journal_pos pos;
	int fd;			/* of its segment, or -1 */
};

static int
unlink_segment(struct cut *c, uint32_t number, uint64_t *cut,
    struct err *e)
{
	char *path = journal_segment_path(c->dir, number);
	int64_t size = 0;
	int fd, rc = 0;

	if ((fd = c->sys->open(c->sys->cookie, path, O_RDONLY, 0)) >= 0) {
		size = c->sys->fsize(c->sys->cookie, fd);
		(void)c->sys->close(c->sys->cookie, fd);
	}
	if (c->sys->unlink(c->sys->cookie, path) != 0)
		rc = err_sys(e, errno, "cannot remove %s", path);
	if (size > SEGMENT_HEADER)
		*cut += (uint64_t)size - SEGMENT_HEADER;
	free(path);
	return (rc);
}

static int
bad_ground(struct cut *c, uint64_t off, struct err *e)
{
	char *path = journal_segment_path(c->dir, c->pos.segment);
	int rc;

	rc = err_set(e, ERR_CORRUPT, "%s: offset %llu: damaged, and the "
	    "ledger counts on it", path, (unsigned long long)off);
	free(path);
	return (rc);
}

/* Bytes that should be there: fewer are damage, what else fails is not. */
static int
look(struct cut *c, uint64_t block, uint64_t off, void *to,
    size_t n, struct err *e)
{
	int rc = sys_pread_all(c->sys, c->fd, to, n, (int64_t)off, e);

	if (rc == ERR_CORRUPT)
		return (bad_ground(c, block, e));
	if (rc != 0 && e != NULL)
		(void)err_wrap(e, "%s, segment %u", c->dir, c->pos.segment);
	return (rc);
}

/* Payload and checksum of the block at `off`, whose header is in bytes. */
static int
check_block(struct cut *c, uint64_t off, const uint8_t *bytes,
    const struct block_header *h, struct err *e)
{
	uint8_t *to;
	int rc;

	if ((to = malloc(h->stored + 1)) == NULL)
		return (err_set(e, ERR_NOMEM, "no memory for a block"));
	rc = look(c, off, off + BLOCK_HEADER, to, h->stored, e);
	if (rc == 0 && !journal_block_valid(bytes, h, to))
		rc = bad_ground(c, off, e);
	free(to);
	return (rc);
}

/* Walk from header to header; they must lead exactly to pos. */
static int
check_last(struct cut *c, struct err *e)
{
	uint8_t bytes[BLOCK_HEADER];
	uint64_t off = 0, next = SEGMENT_HEADER;
	struct segment_header sh;
	struct block_header h;
	int rc;

	if ((rc = look(c, 0, 0, bytes, SEGMENT_HEADER, e)) != 0)
		return (rc);
	if (journal_segment_decode(bytes, &sh) != 0 ||
	    sh.number != c->pos.segment)
		return (bad_ground(c, 0, e));
	while (next < c->pos.offset) {
		off = next;
		if (c->pos.offset - off < BLOCK_HEADER)
			return (bad_ground(c, off, e));
		if ((rc = look(c, off, off, bytes, sizeof(bytes), e)) != 0)
			return (rc);
		if (journal_block_decode(bytes, &h) != 0)
			return (bad_ground(c, off, e));
		next = off + h.block.stored_bytes;
	}
	if (next != c->pos.offset)
		return (bad_ground(c, off, e));
	return (off == 0 ? 0 : check_block(c, off, bytes, &h, e));
}

/* The segment of the position is there and good; *size is that of the file. */
static int
open_last(struct cut *c, uint64_t *size, struct err *e)
{
	char *path = journal_segment_path(c->dir, c->pos.segment);
	int64_t n;
	int rc = 0;

	c->fd = c->sys->open(c->sys->cookie, path, O_RDWR | O_CLOEXEC, 0);
	if (c->fd < 0) {
		rc = err_sys(e, errno, "cannot open %s", path);
		if (rc == ERR_NOTFOUND)
			rc = err_set(e, ERR_CORRUPT, "%s is missing, the "
			    "ledger counts on it", path);
		goto out;
	}
	n = c->sys->fsize(c->sys->cookie, c->fd);
	*size = (uint64_t)n;
	if (n < 0)
		rc = err_sys(e, errno, "cannot tell the size of %s", path);
	else if (*size < c->pos.offset)
		rc = err_set(e, ERR_CORRUPT, "%s: offset %lld: ends here, "
		    "the ledger counts on %llu bytes", path, (long long)n,
		    (unsigned long long)c->pos.offset);
	else
		rc = check_last(c, e);
out:
	free(path);
	return (rc);
}

static int
cut_last(struct cut *c, struct err *e)
{

	if (c->sys->ftruncate(c->sys->cookie, c->fd,
	    (int64_t)c->pos.offset) != 0 ||
	    c->sys->fsync(c->sys->cookie, c->fd) != 0)
		return (err_sys(e, errno, "cannot cut segment %u of %s",
		    c->pos.segment, c->dir));
	return (0);
}

/* Nothing is taken away before it is known that the position is good. Then
 * the segments behind it go, the last one first: a crash in between leaves a
 * journal that is cut the same way next time. */
static int
cut_back(struct cut *c, uint64_t *cut, struct err *e)
{
	uint64_t size = c->pos.offset;
	uint32_t *number;
	size_t n;
	bool removed = false;
	int rc;

	if (c->pos.segment > 0 && (rc = open_last(c, &size, e)) != 0)
		return (rc);
	if ((rc = journal_segments(c->dir, &number, &n, e)) != 0)
		return (rc);
	while (rc == 0 && n > 0 && number[n - 1] > c->pos.segment) {
		rc = unlink_segment(c, number[--n], cut, e);
		removed = true;
	}
	free(number);
	if (rc == 0 && removed)
		rc = sys_sync_dir(c->sys, c->dir, e);
	if (rc == 0 && size > c->pos.offset) {
		*cut += size - c->pos.offset;
		rc = cut_last(c, e);
	}
	return (rc);
}

int
journal_cut(const struct sys *sys, const char *dir,
    const struct journal_pos *at, int *fd, uint64_t *cut, struct err *e)
{
	struct cut c = { .sys = sys, .dir = dir, .pos = *at, .fd = -1 };
	int rc = cut_back(&c, cut, e);

	*fd = c.fd;
	return (rc);
}

/* Commits behind the position; what is torn is none. */
uint32_t
journal_commits_behind(const struct sys *sys, const char *dir,
    const struct journal_pos *at)
{
	const struct rows_schema *schema;
	uint8_t last[JOURNAL_BATCH_ID];
	struct journal_reader *r;
	struct journal_block k;
	uint32_t n = 0;

	if (journal_reader_open(sys, dir, at, NULL, true, &r, NULL) != 0)
		return (0);
	journal_reader_show_covers(r);
	while (journal_reader_next(r, &k, &schema, NULL) == 1) {
		if (k.hole)
			continue;
		if (n == 0 || memcmp(last, k.batch_id, sizeof(last)) != 0)
			n++;
		memcpy(last, k.batch_id, sizeof(last));
	}
	journal_reader_close(r);
	return (n);
}
