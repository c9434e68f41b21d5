/*
 * A sorted run in a file of our own, read once by the merge and gone when
 * the run of compact ends; it is never synced. Blocks follow each other to
 * the end of the file:
 *
 *	0	u32le	bytes of the payload
 *	4	u32le	bytes of it decompressed
 *	8	u32le	rows
 *	12	u32le	day of the rows
 *	16	u64le	XXH3-64 of the payload, seeded with the rows
 *	24		payload: rows_encode() under zstd
 *
 * Whatever does not fit together is ERR_CORRUPT with file and offset.
 */

#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/base_limits.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/hash.h"
#include "base/must.h"
#include "codec/zip.h"
#include "compact/compact_int.h"
#include "sys/sys.h"

#define HEAD_BYTES 24
#define ZSTD_LEVEL 1

struct spill {
	const struct sys *sys;
	struct compact_job *job;	/* writing; borrowed */
	char *path;
	int fd;
	int64_t off;
	int64_t size;		/* reading */
	int32_t day;		/* writing */
	struct zip *zip;
	struct rows *piece;	/* writing: part of a batch */
	struct compact_copy copy;
	struct buf raw;
	struct buf block;
};

static void
spill_init(struct spill *s, const struct sys *sys, const char *path,
    const struct compact_plan *p)
{

	memset(s, 0, sizeof(*s));
	s->sys = sys;
	s->path = must_strdup(path);
	s->fd = -1;
	s->zip = zip_new(ZSTD_LEVEL);
	s->piece = rows_new(p->schema);
	compact_copy_init(&s->copy, p->schema->ncols);
	buf_init(&s->raw, LIMIT_BLOCK_RAW_MAX);
	buf_init(&s->block, LIMIT_BLOCK_RAW_MAX);
}

static void
spill_fini(struct spill *s)
{

	if (s->fd >= 0)
		s->sys->close(s->sys->cookie, s->fd);
	zip_free(s->zip);
	rows_free(s->piece);
	compact_copy_fini(&s->copy);
	buf_fini(&s->raw);
	buf_fini(&s->block);
	free(s->path);
}

/* --- writing ------------------------------------------------------------- */

static int
put_block(struct spill *s, const struct rows *r, struct err *e)
{
	struct buf *b = &s->block;
	uint8_t *payload;
	struct buf head;
	size_t n;
	int rc;

	buf_clear(&s->raw);
	rows_encode(r, b, &s->raw);
	buf_clear(b);
	if (s->raw.error != 0)
		return (err_set(e, s->raw.error, "%u rows do not fit a block "
		    "of a run", r->n));
	buf_put(b, (const uint8_t[HEAD_BYTES]){ 0 }, HEAD_BYTES);
	rc = zip_compress(s->zip, s->raw.data, s->raw.len, b, e);
	if (rc != 0)
		return (rc);
	if (b->error != 0)
		return (err_set(e, b->error, "a block of a run"));
	payload = b->data + HEAD_BYTES;
	n = b->len - HEAD_BYTES;

	buf_init(&head, HEAD_BYTES);
	buf_u32le(&head, (uint32_t)n);
	buf_u32le(&head, (uint32_t)s->raw.len);
	buf_u32le(&head, r->n);
	buf_u32le(&head, (uint32_t)s->day);
	buf_u64le(&head, hash64(payload, n, r->n));
	MUST(head.error == 0 && head.len == HEAD_BYTES);
	memcpy(b->data, head.data, HEAD_BYTES);
	buf_fini(&head);

	if ((rc = compact_turn(s->job, b->len, e)) != 0)
		return (rc);
	rc = sys_pwrite_all(s->sys, s->fd, b->data, b->len, s->off, e);
	s->off += (int64_t)b->len;
	return (rc);
}

static int
spill_put(void *cookie, const struct rows *r, uint32_t from, uint32_t n,
    struct err *e)
{
	struct spill *s = cookie;
	int rc;

	if (from == 0 && n == r->n)
		return (put_block(s, r, e));
	rows_clear(s->piece);
	compact_copy_reset(&s->copy);
	rc = compact_copy_rows(&s->copy, s->piece, r, NULL, from, n, e);
	return (rc != 0 ? rc : put_block(s, s->piece, e));
}

int
compact_spill_write(struct compact_job *j, const char *path,
    const struct compact_plan *p, struct compact_input *const *in, size_t n,
    const struct compact_days *days, uint64_t *dropped, struct err *e)
{
	const struct sys *sys = j->sys;
	struct compact_sink sink;
	struct spill s;
	size_t d;
	int rc = 0;

	spill_init(&s, sys, path, p);
	s.job = j;
	sink = (struct compact_sink){ .cookie = &s, .put = spill_put };
	s.fd = sys->open(sys->cookie, path, O_WRONLY | O_CREAT | O_EXCL,
	    0600);
	if (s.fd < 0) {
		rc = err_sys(e, errno, "cannot create %s", path);
		goto out;
	}
	for (d = 0; d < days->n && rc == 0; d++) {
		s.day = days->day[d].day;
		rc = compact_merge_day(p, in, n, s.day, &sink, dropped, e);
	}
	if (rc != 0)
		err_wrap(e, "%s", path);
out:
	spill_fini(&s);
	return (rc);
}

/* --- reading ------------------------------------------------------------- */

struct head {
	uint32_t bytes;
	uint32_t raw;
	uint32_t rows;
	int32_t day;
	uint64_t hash;
};

static int
read_head(struct spill *s, struct head *h, struct err *e)
{
	uint8_t bytes[HEAD_BYTES];
	struct cur c;
	int rc;

	rc = sys_pread_all(s->sys, s->fd, bytes, sizeof(bytes), s->off, e);
	if (rc != 0)
		return (rc);
	cur_init(&c, bytes, sizeof(bytes));
	h->bytes = cur_u32le(&c);
	h->raw = cur_u32le(&c);
	h->rows = cur_u32le(&c);
	h->day = (int32_t)cur_u32le(&c);
	h->hash = cur_u64le(&c);
	if (h->bytes > LIMIT_BLOCK_RAW_MAX || h->raw > LIMIT_BLOCK_RAW_MAX ||
	    h->rows == 0 || h->rows > COMPACT_BATCH_ROWS)
		return (err_set(e, ERR_CORRUPT, "no block"));
	return (0);
}

static int
read_block(struct spill *s, struct compact_input *in, struct err *e)
{
	struct head h;
	struct cur c;
	uint8_t *p;
	int rc;

	if ((rc = read_head(s, &h, e)) != 0)
		return (rc);
	buf_clear(&s->block);
	buf_clear(&s->raw);
	if ((p = buf_reserve(&s->block, h.bytes)) == NULL)
		return (err_set(e, s->block.error, "%u bytes", h.bytes));
	rc = sys_pread_all(s->sys, s->fd, p, h.bytes, s->off + HEAD_BYTES, e);
	if (rc != 0)
		return (rc);
	if (hash64(p, h.bytes, h.rows) != h.hash)
		return (err_set(e, ERR_CORRUPT, "wrong checksum"));
	rc = zip_decompress(s->zip, p, h.bytes, h.raw, &s->raw, e);
	if (rc != 0)
		return (rc);
	cur_init(&c, s->raw.data, s->raw.len);
	if ((rc = rows_decode(in->rows, &c, e)) != 0)
		return (rc);
	if (in->rows->n != h.rows)
		return (err_set(e, ERR_CORRUPT, "%u rows instead of %u",
		    in->rows->n, h.rows));
	in->day = h.day;
	s->off += HEAD_BYTES + (int64_t)h.bytes;
	return (0);
}

static int
spill_fill(struct compact_input *in, struct err *e)
{
	struct spill *s = in->state;
	int rc;

	rows_clear(in->rows);
	if (s->off == s->size)
		return (0);
	if ((rc = read_block(s, in, e)) != 0)
		return (err_wrap(e, "%s at %lld", s->path, (long long)s->off));
	return (1);
}

static void
spill_close(struct compact_input *in)
{
	struct spill *s = in->state;

	spill_fini(s);
	free(s);
}

int
compact_spill_open(const struct sys *sys, const char *path,
    const struct compact_plan *p, unsigned order, struct compact_input **out,
    struct err *e)
{
	struct compact_input *in = compact_input_new(p, order);
	struct spill *s = must_calloc(1, sizeof(*s));
	int rc = 0;

	spill_init(s, sys, path, p);
	in->state = s;
	in->fill = spill_fill;
	in->close = spill_close;
	s->fd = sys->open(sys->cookie, path, O_RDONLY, 0);
	if (s->fd < 0)
		rc = err_sys(e, errno, "cannot open %s", path);
	else if ((s->size = sys->fsize(sys->cookie, s->fd)) < 0)
		rc = err_sys(e, errno, "cannot get the size of %s", path);
	if (rc != 0)
		compact_input_close(in);
	else
		*out = in;
	return (rc);
}
