/*
 * Going on behind damage: what looks like a block is looked for byte by byte,
 * and is one when its checksum says so.
 */

#include "config.h"

#include <string.h>

#include "base/err.h"
#include "journal/journal_reader_int.h"
#include "sys/sys.h"

/* How much resync looks at with one read. */
#define WINDOW (64u << 10)

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
			return (journal_reader_unread(r, r->pos.offset, rc, e));
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
		if ((rc = journal_reader_block(r, e)) == 0) {
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
		rc = journal_reader_next_segment(r, e);
		if (rc == 0 || (rc == ERR_CORRUPT && r->at == at))
			return (0);
		if (rc < 0 && rc != ERR_CORRUPT)
			return (rc);
	}
	return (0);
}
