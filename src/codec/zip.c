/*
 * zstd frames with content size and checksum, gzip members, CRC-32.
 * Decompression is told the exact size to expect and gives nothing else.
 */

#include "config.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include <zlib.h>
#include <zstd.h>
#include <zstd_errors.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/must.h"
#include "codec/zip.h"

/* The fast levels' table: it is cleared for each frame, and the greater one
 * that zstd takes falls out of the nearest cache. */
#define FAST_HASH_LOG 11

/* Contexts are made when first used: most users need one of the two, and
 * each costs more than a small block does. */
struct zip {
	int level;
	ZSTD_CCtx *c;
	ZSTD_DCtx *d;
};

struct zip *
zip_new(int level)
{
	struct zip *z;

	z = must_calloc(1, sizeof(*z));
	z->level = level;
	return (z);
}

/* What zstd could not do, as an error: for want of memory, or else `other`. */
static int
zstd_failed(size_t got, int other, struct err *e)
{

	if (ZSTD_getErrorCode(got) == ZSTD_error_memory_allocation)
		other = ERR_NOMEM;
	return (err_set(e, other, "zstd: %s", ZSTD_getErrorName(got)));
}

static void
need_compressor(struct zip *z)
{

	if (z->c != NULL)
		return;
	z->c = ZSTD_createCCtx();
	MUST_MEMORY(z->c != NULL);
	(void)ZSTD_CCtx_setParameter(z->c, ZSTD_c_compressionLevel, z->level);
	if (z->level < 0)
		(void)ZSTD_CCtx_setParameter(z->c, ZSTD_c_hashLog,
		    FAST_HASH_LOG);
	(void)ZSTD_CCtx_setParameter(z->c, ZSTD_c_checksumFlag, 1);
	(void)ZSTD_CCtx_setParameter(z->c, ZSTD_c_contentSizeFlag, 1);
}

void
zip_free(struct zip *z)
{

	if (z == NULL)
		return;
	(void)ZSTD_freeCCtx(z->c);
	(void)ZSTD_freeDCtx(z->d);
	free(z);
}

int
zip_compress(struct zip *z, const void *p, size_t n, struct buf *out,
    struct err *e)
{
	size_t bound = ZSTD_compressBound(n), got;
	uint8_t *to;

	need_compressor(z);
	if ((to = buf_reserve(out, bound)) == NULL)
		return (err_set(e, out->error, "no room to compress %zu bytes",
		    n));
	got = ZSTD_compress2(z->c, to, bound, p, n);
	if (ZSTD_isError(got))
		return (zstd_failed(got, ERR_INTERNAL, e));
	out->len += got;
	return (0);
}

int
zip_decompress(struct zip *z, const void *p, size_t n, size_t raw_len,
    struct buf *out, struct err *e)
{
	unsigned long long told = ZSTD_getFrameContentSize(p, n);
	uint8_t *to;
	size_t got;

	if (told != raw_len)
		return (err_set(e, ERR_CORRUPT, "the frame is not one of %zu "
		    "bytes", raw_len));
	if ((to = buf_reserve(out, raw_len)) == NULL)
		return (err_set(e, out->error, "no room for %zu bytes",
		    raw_len));
	if (z->d == NULL)
		z->d = ZSTD_createDCtx();
	MUST_MEMORY(z->d != NULL);
	got = ZSTD_decompressDCtx(z->d, to, raw_len, p, n);
	if (ZSTD_isError(got))
		return (zstd_failed(got, ERR_CORRUPT, e));
	if (got != raw_len)
		return (err_set(e, ERR_CORRUPT, "zstd: short"));
	out->len += got;
	return (0);
}

uint32_t
zip_crc32(uint32_t crc, const void *p, size_t n)
{
	const Bytef *at = p;
	uLong c = crc;
	uInt part;

	while (n > 0) {
		part = n > INT_MAX ? INT_MAX : (uInt)n;
		c = crc32(c, at, part);
		at += part;
		n -= part;
	}
	return ((uint32_t)c);
}

int
zip_gzip(const void *p, size_t n, int level, struct buf *out)
{
	z_stream s;
	uint8_t *to;
	uLong bound;
	int rc;

	memset(&s, 0, sizeof(s));
	if (n > UINT_MAX / 2 || deflateInit2(&s, level, Z_DEFLATED, 15 + 16, 8,
	    Z_DEFAULT_STRATEGY) != Z_OK)
		return (ERR_NOMEM);
	bound = deflateBound(&s, (uLong)n);
	if ((to = buf_reserve(out, bound)) == NULL) {
		(void)deflateEnd(&s);
		return (out->error);
	}
	s.next_in = (Bytef *)(uintptr_t)p;
	s.avail_in = (uInt)n;
	s.next_out = to;
	s.avail_out = (uInt)bound;
	rc = deflate(&s, Z_FINISH);
	out->len += s.total_out;
	(void)deflateEnd(&s);
	return (rc == Z_STREAM_END ? 0 : ERR_INTERNAL);
}
