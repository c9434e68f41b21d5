/*
 * Segments, as a reader goes from one to the next: which is first, where one
 * ends, and whether the one behind it is the one that was written behind it.
 */

#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

#include "base/err.h"
#include "journal/journal_reader_int.h"
#include "sys/sys.h"

int
journal_reader_damaged(struct journal_reader *r, uint64_t offset,
    const char *what, struct err *e)
{
	char *path = journal_segment_path(r->dir, r->segments[r->at]);
	int rc;

	r->hurt = (struct journal_pos){ r->segments[r->at], offset };
	rc = err_set(e, ERR_CORRUPT, "%s: offset %llu: %s", path,
	    (unsigned long long)offset, what);
	free(path);
	return (rc);
}

int
journal_reader_unread(struct journal_reader *r, uint64_t offset, int rc,
    struct err *e)
{
	char *path;

	if (rc == ERR_CORRUPT)
		return (journal_reader_damaged(r, offset, "cut short", e));
	path = journal_segment_path(r->dir, r->segments[r->at]);
	if (e != NULL)
		(void)err_wrap(e, "%s", path);
	free(path);
	return (rc);
}

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

int
journal_reader_next_segment(struct journal_reader *r, struct err *e)
{
	struct segment_header h;
	uint32_t number = r->segments[r->at];
	uint64_t end = r->end;
	int rc, head;

	if (r->bounded && number == r->to.segment)
		return (end == r->to.offset ? 0 : journal_reader_damaged(r, end,
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
		return (journal_reader_damaged(r, 24,
		    "the segment before it is cut short", e));
	return (1);
}

int
journal_reader_first_segment(struct journal_reader *r,
    const struct journal_pos *from, struct err *e)
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
		return (journal_reader_damaged(r, r->end, "the segment ends "
		    "before the position asked for", e));
	if (from->offset > r->pos.offset)
		r->pos.offset = from->offset;
	r->first = true;
	r->whole = from->segment == 0;
	return (0);
}

/* What is torn, when that is all right, is the end. */
int
journal_reader_check_first(struct journal_reader *r, struct err *e)
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
