/*
 * Streams of gzip and zstd, decoded as they come: what a server compressed.
 * The caller bounds what comes out, a piece at a time, and looks at it
 * between pieces.
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

/* RFC 9659: a decoder of HTTP needs no window above 8 MB. */
#define ZSTD_WINDOW_LOG 23

struct zip_stream {
	enum zip_coding coding;
	z_stream z;
	ZSTD_DStream *d;
	bool ended;		/* at the end of a member or frame */
};

struct zip_stream *
zip_stream_new(enum zip_coding coding)
{
	struct zip_stream *s = must_calloc(1, sizeof(*s));
	bool made;

	s->coding = coding;
	if (coding == ZIP_GZIP) {
		made = inflateInit2(&s->z, 15 + 16) == Z_OK;
	} else {
		s->d = ZSTD_createDStream();
		made = s->d != NULL && !ZSTD_isError(ZSTD_DCtx_setParameter(
		    s->d, ZSTD_d_windowLogMax, ZSTD_WINDOW_LOG));
	}
	if (made)
		return (s);
	zip_stream_free(s);
	return (NULL);
}

void
zip_stream_free(struct zip_stream *s)
{

	if (s == NULL)
		return;
	if (s->coding == ZIP_GZIP)
		(void)inflateEnd(&s->z);
	(void)ZSTD_freeDStream(s->d);
	free(s);
}

void
zip_stream_reset(struct zip_stream *s)
{

	if (s->coding == ZIP_GZIP)
		(void)inflateReset(&s->z);
	else
		(void)ZSTD_DCtx_reset(s->d, ZSTD_reset_session_only);
	s->ended = false;
}

bool
zip_stream_ended(const struct zip_stream *s)
{

	return (s->ended);
}

enum zip_coding
zip_stream_coding(const struct zip_stream *s)
{

	return (s->coding);
}

static int
put_gzip(struct zip_stream *s, const uint8_t **p, size_t *n, uint8_t *to,
    size_t *room)
{
	uInt in = *n > INT_MAX ? INT_MAX : (uInt)*n;
	uInt out = *room > INT_MAX ? INT_MAX : (uInt)*room;
	int rc;

	/* one member may follow another */
	if (s->ended && *n > 0)
		zip_stream_reset(s);
	s->z.next_in = (Bytef *)(uintptr_t)*p;
	s->z.avail_in = in;
	s->z.next_out = to;
	s->z.avail_out = out;
	rc = inflate(&s->z, Z_NO_FLUSH);
	*p += in - s->z.avail_in;
	*n -= in - s->z.avail_in;
	*room = out - s->z.avail_out;
	s->ended = s->ended || rc == Z_STREAM_END;
	if (rc == Z_MEM_ERROR)
		return (ERR_NOMEM);
	return (rc == Z_OK || rc == Z_STREAM_END || rc == Z_BUF_ERROR ? 0 :
	    ERR_CORRUPT);
}

static int
put_zstd(struct zip_stream *s, const uint8_t **p, size_t *n, uint8_t *to,
    size_t *room)
{
	ZSTD_inBuffer in = { *p, *n, 0 };
	ZSTD_outBuffer out = { to, *room, 0 };
	size_t rc = ZSTD_decompressStream(s->d, &out, &in);

	if (ZSTD_isError(rc))
		return (ZSTD_getErrorCode(rc) == ZSTD_error_memory_allocation ?
		    ERR_NOMEM : ERR_CORRUPT);
	*p += in.pos;
	*n -= in.pos;
	*room = out.pos;
	s->ended = rc == 0;
	return (0);
}

int
zip_stream_put(struct zip_stream *s, const uint8_t **p, size_t *n,
    size_t piece, struct buf *out, bool *more)
{
	size_t room = piece;
	uint8_t *to;
	int rc;

	*more = false;
	if (s->ended && *n == 0)
		return (0);
	if ((to = buf_reserve(out, piece)) == NULL)
		return (out->error);
	rc = s->coding == ZIP_GZIP ? put_gzip(s, p, n, to, &room) :
	    put_zstd(s, p, n, to, &room);
	if (rc != 0)
		return (rc);
	out->len += room;
	*more = *n > 0 || room == piece;
	return (0);
}
