/*
 * A damaged journal made readable again. What cannot be read becomes holes:
 * blocks that say nothing, of the same length, so that every position stays
 * what it was. A segment is written anew beside the old one, synced and
 * renamed over it: killed in between, it is done again. A segment that is
 * gone comes back as one hole, sparse on disk.
 *
 * A schema that is lost with its block, and that the caller knows, is put
 * back where it was: the rows behind it can be read then.
 */

#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/base_limits.h"
#include "base/err.h"
#include "base/must.h"
#include "base/ticks.h"
#include "codec/zip.h"
#include "journal/journal_int.h"
#include "rows/rows.h"
#include "sys/sys.h"

#define COPY_BYTES (1u << 20)

/* A good block, or bytes that are none. */
struct span {
	uint64_t from, to;
	bool good;
	enum block_kind kind;
	uint64_t schema_id;
	struct buf *insert;		/* a schema block for the beginning */
};

struct part {
	uint32_t number;
	int fd;				/* -1: missing */
	uint64_t size;
	bool header_good;
	struct segment_header head;
	uint64_t end;			/* of what belongs to the journal */
	bool end_known;
	struct span *spans;
	size_t n, cap;
};

struct mend {
	const struct sys *sys;
	const char *dir;
	const struct journal_mending *opt;
	struct part *parts;		/* number 1 .. nparts */
	uint32_t nparts;
	struct buf payload;
	struct err *err;
};

/* --- reading ------------------------------------------------------------- */

static struct span *
add_span(struct part *p, uint64_t from, uint64_t to, bool good)
{
	struct span *s;

	if (!good && p->n > 0 && !p->spans[p->n - 1].good) {
		p->spans[p->n - 1].to = to;
		return (&p->spans[p->n - 1]);
	}
	if (p->n == p->cap) {
		p->cap = p->cap == 0 ? 64 : p->cap * 2;
		p->spans = must_realloc(p->spans, p->cap,
		    sizeof(p->spans[0]));
	}
	s = &p->spans[p->n++];
	memset(s, 0, sizeof(*s));
	s->from = from;
	s->to = to;
	s->good = good;
	return (s);
}

/* 1 when a valid block begins at `at`, its header in *h. */
static int
block_at(struct mend *m, const struct part *p, uint64_t at, uint64_t end,
    struct block_header *h)
{
	uint8_t bytes[BLOCK_HEADER], *to;
	int rc;

	if (end - at < BLOCK_HEADER)
		return (0);
	rc = sys_pread_all(m->sys, p->fd, bytes, sizeof(bytes), (int64_t)at,
	    m->err);
	if (rc != 0)
		return (rc);
	if (journal_block_decode(bytes, h) != 0 ||
	    h->stored > end - at - BLOCK_HEADER)
		return (0);
	buf_clear(&m->payload);
	if ((to = buf_reserve(&m->payload, h->stored)) == NULL)
		return (err_set(m->err, ERR_NOMEM, "no memory for a block"));
	rc = sys_pread_all(m->sys, p->fd, to, h->stored,
	    (int64_t)(at + BLOCK_HEADER), m->err);
	if (rc != 0)
		return (rc);
	return (journal_block_valid(bytes, h, to));
}

/* Where the next magic is at or after `at`, or `end`. */
static int
next_magic(struct mend *m, const struct part *p, uint64_t *at, uint64_t end)
{
	uint8_t window[4096], *found;
	size_t n;
	int rc;

	while (*at < end) {
		n = end - *at < sizeof(window) ? (size_t)(end - *at) :
		    sizeof(window);
		rc = sys_pread_all(m->sys, p->fd, window, n, (int64_t)*at,
		    m->err);
		if (rc != 0)
			return (rc);
		if ((found = memmem(window, n, "GJBK", 4)) != NULL) {
			*at += (uint64_t)(found - window);
			return (0);
		}
		if (n < 4)
			break;
		*at += n - 3;
	}
	*at = end;
	return (0);
}

static int
scan(struct mend *m, struct part *p)
{
	uint64_t at = SEGMENT_HEADER, to, end;
	struct block_header h;
	struct span *s;
	int rc;

	end = p->end_known && p->end < p->size ? p->end : p->size;
	while (at < end) {
		if ((rc = block_at(m, p, at, end, &h)) < 0)
			return (rc);
		if (rc == 1) {
			s = add_span(p, at, at + h.block.stored_bytes, true);
			s->kind = h.kind;
			s->schema_id = h.block.schema_id;
			at = s->to;
			continue;
		}
		to = at + 1;
		if ((rc = next_magic(m, p, &to, end)) != 0)
			return (rc);
		(void)add_span(p, at, to, false);
		at = to;
	}
	return (0);
}

static int
open_part(struct mend *m, struct part *p)
{
	char *path = journal_segment_path(m->dir, p->number);
	uint8_t bytes[SEGMENT_HEADER];
	int64_t size;
	int rc = 0;

	p->fd = m->sys->open(m->sys->cookie, path, O_RDONLY | O_CLOEXEC, 0);
	if (p->fd < 0 && errno != ENOENT)
		rc = err_sys(m->err, errno, "cannot open %s", path);
	if (p->fd < 0)
		goto out;
	size = m->sys->fsize(m->sys->cookie, p->fd);
	if (size < 0) {
		rc = err_sys(m->err, errno, "cannot tell the size of %s",
		    path);
		goto out;
	}
	p->size = (uint64_t)size;
	if (p->size < SEGMENT_HEADER)
		goto out;
	rc = sys_pread_all(m->sys, p->fd, bytes, sizeof(bytes), 0, m->err);
	p->header_good = rc == 0 && journal_segment_decode(bytes,
	    &p->head) == 0 && p->head.number == p->number &&
	    p->head.before == p->number - 1;
out:
	free(path);
	return (rc);
}

/* A hole has a header: too few bytes take a good neighbour along. */
static void
widen(struct part *p)
{
	size_t i;

	for (i = 0; i < p->n; i++) {
		if (p->spans[i].good ||
		    p->spans[i].to - p->spans[i].from >= BLOCK_HEADER)
			continue;
		if (i + 1 == p->n) {
			if (i == 0)
				return;		/* write_holes() refuses */
			p->spans[i - 1].to = p->spans[i].to;
			p->spans[i - 1].good = false;
			p->n--;
			return;
		}
		p->spans[i].to = p->spans[i + 1].to;
		p->n--;
		memmove(&p->spans[i + 1], &p->spans[i + 2],
		    (p->n - i - 1) * sizeof(p->spans[0]));
		i--;
	}
}

/* Up to its end, known or not, all is in spans then. */
static int
read_part(struct mend *m, struct part *p)
{
	const struct part *next = p->number < m->nparts ? p + 1 : NULL;
	uint64_t last = SEGMENT_HEADER;
	int rc;

	if (next != NULL && next->header_good) {
		p->end = next->head.before_end;
		p->end_known = true;
	} else if (next == NULL && m->opt->to != NULL) {
		p->end = m->opt->to->offset;
		p->end_known = true;
	}
	if (p->fd >= 0 && (rc = scan(m, p)) != 0)
		return (rc);
	if (p->n > 0)
		last = p->spans[p->n - 1].to;
	if (!p->end_known) {		/* what is torn is the end */
		if (p->n > 0 && !p->spans[p->n - 1].good)
			last = p->spans[--p->n].from;
		p->end = last;
	} else if (last < p->end) {
		(void)add_span(p, last, p->end, false);
	}
	widen(p);
	return (0);
}

static int
read_all(struct mend *m)
{
	uint32_t *number, i;
	size_t n;
	int rc;

	if ((rc = journal_segments(m->dir, &number, &n, m->err)) != 0)
		return (rc);
	m->nparts = m->opt->to != NULL ? m->opt->to->segment :
	    n > 0 ? number[n - 1] : 0;
	free(number);
	m->parts = must_calloc((size_t)m->nparts + 1, sizeof(m->parts[0]));
	for (i = 0; i < m->nparts; i++) {
		m->parts[i].number = i + 1;
		m->parts[i].fd = -1;
	}
	for (i = 0; i < m->nparts; i++)
		if ((rc = open_part(m, &m->parts[i])) != 0)
			return (rc);
	for (i = 0; i < m->nparts; i++)
		if ((rc = read_part(m, &m->parts[i])) != 0)
			return (rc);
	return (0);
}

/* --- schemas ------------------------------------------------------------- */

/* Is there a good block of this kind and schema? */
static bool
has(const struct mend *m, enum block_kind kind, uint64_t id)
{
	const struct part *p;
	uint32_t i;
	size_t k;

	for (i = 0; i < m->nparts; i++)
		for (p = &m->parts[i], k = 0; k < p->n; k++)
			if (p->spans[k].good && p->spans[k].kind == kind &&
			    p->spans[k].schema_id == id)
				return (true);
	return (false);
}

static int
schema_block(const struct rows_schema *s, struct buf *to, struct err *e)
{
	struct block_header h = { .kind = BLOCK_SCHEMA };
	struct zip *zip = zip_new(JOURNAL_ZSTD_LEVEL);
	struct buf raw, packed;
	int rc;

	buf_init(&raw, LIMIT_BLOCK_MAX);
	buf_init(&packed, LIMIT_BLOCK_MAX);
	rows_schema_encode(s, &raw);
	rc = zip_compress(zip, raw.data, raw.len, &packed, e);
	h.block.schema_id = rows_schema_id(s);
	h.raw = (uint32_t)raw.len;
	h.stored = (uint32_t)packed.len;
	if (rc == 0)
		journal_block_encode(&h, packed.data, to);
	buf_fini(&raw);
	buf_fini(&packed);
	zip_free(zip);
	return (rc);
}

/* Into the first hole it fits, alone or with a hole behind it. */
static void
put_back(struct mend *m, struct buf *block)
{
	struct span *s;
	uint64_t room;
	uint32_t i;
	size_t k;

	for (i = 0; i < m->nparts; i++) {
		for (k = 0; k < m->parts[i].n; k++) {
			s = &m->parts[i].spans[k];
			room = s->to - s->from;
			if (s->good || s->insert != NULL ||
			    (room != block->len &&
			    room < block->len + BLOCK_HEADER))
				continue;
			s->insert = block;
			return;
		}
	}
	buf_fini(block);
	free(block);
}

static int
restore_schema(struct mend *m, const struct rows_schema *s)
{
	struct buf *block;
	int rc;

	if (has(m, BLOCK_SCHEMA, rows_schema_id(s)))
		return (0);
	block = must_calloc(1, sizeof(*block));
	buf_init(block, LIMIT_BLOCK_MAX);
	if ((rc = schema_block(s, block, m->err)) == 0) {
		put_back(m, block);
	} else {
		buf_fini(block);
		free(block);
	}
	return (rc);
}

static int
restore_schemas(struct mend *m)
{
	struct rows_schema *cover = journal_cover_schema();
	size_t i;
	int rc = 0;

	for (i = 0; i < m->opt->nschemas && rc == 0; i++)
		rc = restore_schema(m, m->opt->schemas[i]);
	if (rc == 0)
		rc = restore_schema(m, cover);
	rows_schema_free(cover);
	return (rc);
}

/* --- writing ------------------------------------------------------------- */

static int
copy_bytes(struct mend *m, int from, int to, uint64_t at, uint64_t end,
    uint8_t *window)
{
	size_t n;
	int rc = 0;

	for (; at < end && rc == 0; at += n) {
		n = end - at < COPY_BYTES ? (size_t)(end - at) : COPY_BYTES;
		rc = sys_pread_all(m->sys, from, window, n, (int64_t)at,
		    m->err);
		if (rc == 0)
			rc = sys_pwrite_all(m->sys, to, window, n,
			    (int64_t)at, m->err);
	}
	return (rc);
}

/* Headers of holes over [at, end); the bytes between are zeros already. */
static int
write_holes(struct mend *m, int fd, uint64_t at, uint64_t end)
{
	struct block_header h = { .kind = BLOCK_HOLE };
	uint64_t n, most = LIMIT_BLOCK_MAX;
	struct buf b;
	uint8_t *zeros;
	int rc = 0;

	if (at < end && end - at < BLOCK_HEADER)
		return (err_set(m->err, ERR_CORRUPT, "%llu bytes at %llu are "
		    "too few for a block", (unsigned long long)(end - at),
		    (unsigned long long)at));
	zeros = must_calloc(1, LIMIT_BLOCK_MAX);
	buf_init(&b, 2 * LIMIT_BLOCK_MAX);
	for (; at < end && rc == 0; at += n) {
		n = end - at;
		if (n > most)	/* and room for a header behind */
			n = n < most + BLOCK_HEADER ? most - BLOCK_HEADER :
			    most;
		h.stored = (uint32_t)(n - BLOCK_HEADER);
		h.block.first_tick = h.block.last_tick = TICKS_NONE;
		buf_clear(&b);
		journal_block_encode(&h, zeros, &b);
		MUST_MEMORY(b.error == 0);
		rc = sys_pwrite_all(m->sys, fd, b.data, BLOCK_HEADER,
		    (int64_t)at, m->err);
	}
	buf_fini(&b);
	free(zeros);
	return (rc);
}

static int
write_span(struct mend *m, const struct part *p, const struct span *s, int fd,
    uint8_t *window)
{
	uint64_t at = s->from;
	int rc;

	if (s->good)
		return (copy_bytes(m, p->fd, fd, s->from, s->to, window));
	if (s->insert != NULL) {
		rc = sys_pwrite_all(m->sys, fd, s->insert->data,
		    s->insert->len, (int64_t)at, m->err);
		if (rc != 0)
			return (rc);
		at += s->insert->len;
	}
	return (write_holes(m, fd, at, s->to));
}

static int
fill_part(struct mend *m, const struct part *p, int fd)
{
	struct segment_header h = { .number = p->number,
	    .before = p->number - 1 };
	uint8_t *window = must_calloc(1, COPY_BYTES);
	struct buf b;
	size_t i;
	int rc = 0;

	if (p->number > 1)
		h.before_end = p[-1].end;
	buf_init(&b, 1 << 12);
	journal_segment_encode(&h, &b);
	if (m->sys->ftruncate(m->sys->cookie, fd, (int64_t)p->end) != 0)
		rc = err_sys(m->err, errno, "cannot make it larger");
	if (rc == 0)
		rc = sys_pwrite_all(m->sys, fd, b.data, b.len, 0, m->err);
	for (i = 0; i < p->n && rc == 0; i++)
		rc = write_span(m, p, &p->spans[i], fd, window);
	if (rc == 0 && m->sys->fsync(m->sys->cookie, fd) != 0)
		rc = err_sys(m->err, errno, "sync");
	buf_fini(&b);
	free(window);
	return (rc);
}

static int
rewrite(struct mend *m, const struct part *p)
{
	char *path = journal_segment_path(m->dir, p->number);
	char *tmp = must_sprintf("%s.mend", path);
	int fd, rc;

	fd = m->sys->open(m->sys->cookie, tmp, O_RDWR | O_CREAT | O_TRUNC |
	    O_CLOEXEC, 0640);
	if (fd < 0) {
		rc = err_sys(m->err, errno, "cannot create %s", tmp);
		goto out;
	}
	if ((rc = fill_part(m, p, fd)) != 0)
		(void)err_wrap(m->err, "%s", tmp);
	(void)m->sys->close(m->sys->cookie, fd);
	if (rc == 0 && m->sys->rename(m->sys->cookie, tmp, path) != 0)
		rc = err_sys(m->err, errno, "cannot rename %s", tmp);
	if (rc == 0)
		rc = sys_sync_dir(m->sys, m->dir, m->err);
	if (rc != 0)
		(void)m->sys->unlink(m->sys->cookie, tmp);
out:
	free(tmp);
	free(path);
	return (rc);
}

/* --- the whole ----------------------------------------------------------- */

static int
tell(struct mend *m, const struct part *p, uint64_t at, uint64_t bytes)
{
	struct journal_wound w = { .at = { p->number, at }, .bytes = bytes,
	    .missing = p->fd < 0 };
	char *path = journal_segment_path(m->dir, p->number);
	int rc;

	w.path = path;
	rc = m->opt->wound(m->opt->cookie, &w, m->err);
	free(path);
	return (rc);
}

/* Told first, so that the caller can keep what will be taken out. */
static int
mend_part(struct mend *m, const struct part *p)
{
	bool hurt = !p->header_good;
	size_t i;
	int rc = 0;

	if (hurt)
		rc = tell(m, p, 0, SEGMENT_HEADER);
	for (i = 0; i < p->n && rc == 0; i++) {
		if (p->spans[i].good)
			continue;
		hurt = true;
		rc = tell(m, p, p->spans[i].from,
		    p->spans[i].to - p->spans[i].from);
	}
	if (rc != 0 || !hurt || !m->opt->apply)
		return (rc);
	return (rewrite(m, p));
}

static struct journal_pos
end_of(const struct mend *m)
{
	const struct part *p;
	uint32_t i;
	size_t k;

	for (i = m->nparts; i-- > 0;)
		for (p = &m->parts[i], k = p->n; k-- > 0;)
			if (p->spans[k].good &&
			    p->spans[k].kind == BLOCK_COVER)
				return ((struct journal_pos){ p->number,
				    p->spans[k].to });
	return ((struct journal_pos){ 0, 0 });
}

static void
fini(struct mend *m)
{
	struct part *p;
	uint32_t i;
	size_t k;

	for (i = 0; m->parts != NULL && i < m->nparts; i++) {
		p = &m->parts[i];
		if (p->fd >= 0)
			(void)m->sys->close(m->sys->cookie, p->fd);
		for (k = 0; k < p->n; k++) {
			if (p->spans[k].insert == NULL)
				continue;
			buf_fini(p->spans[k].insert);
			free(p->spans[k].insert);
		}
		free(p->spans);
	}
	free(m->parts);
	buf_fini(&m->payload);
}

int
journal_mend(const struct sys *sys, const char *dir,
    const struct journal_mending *opt, struct journal_pos *end,
    struct err *e)
{
	struct err why = ERR_INIT;
	struct mend m = { .sys = sys, .dir = dir, .opt = opt, .err = &why };
	uint32_t i;
	int rc;

	buf_init(&m.payload, LIMIT_BLOCK_MAX);
	if ((rc = read_all(&m)) == 0)
		rc = restore_schemas(&m);
	for (i = 0; i < m.nparts && rc == 0; i++)
		rc = mend_part(&m, &m.parts[i]);
	*end = rc == 0 ? end_of(&m) : (struct journal_pos){ 0, 0 };
	fini(&m);
	if (rc != 0 && e != NULL)
		*e = why;
	return (rc);
}
