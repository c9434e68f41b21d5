#ifndef CODEC_ZIP_H
#define CODEC_ZIP_H

/* zstd frames, gzip, CRC-32; the only user of zstd and zlib. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct buf;
struct err;
struct zip;	/* contexts, reused between calls; one per thread */

/* A level as zstd has them; below 0 only matches are looked for. */
struct zip *zip_new(int level);
void zip_free(struct zip *);

/* Append one frame (with content size and frame checksum) to `out`. */
int zip_compress(struct zip *, const void *, size_t n, struct buf *out,
    struct err *);
/* Append the contents of one frame to `out`: exactly raw_len bytes, which
 * the caller has checked against its own limit; ERR_CORRUPT otherwise. */
int zip_decompress(struct zip *, const void *, size_t n, size_t raw_len,
    struct buf *out, struct err *);

/* CRC-32 as in gzip and Parquet pages; crc = 0 to begin. */
uint32_t zip_crc32(uint32_t crc, const void *, size_t n);

/*
 * Bodies that a server compressed, decoded as they come. put takes what it
 * can of the bytes at *p, and appends up to `piece` to out; *more: there is
 * something left, to take or to give. ERR_CORRUPT, ERR_NOMEM, or ERR_LIMIT
 * of the buffer. ended: the bytes so far are whole.
 */
enum zip_coding { ZIP_GZIP, ZIP_ZSTD };
struct zip_stream;

struct zip_stream *zip_stream_new(enum zip_coding);	/* NULL: no memory */
void zip_stream_free(struct zip_stream *);
void zip_stream_reset(struct zip_stream *);	/* for the next body */
int zip_stream_put(struct zip_stream *, const uint8_t **p, size_t *n,
    size_t piece, struct buf *out, bool *more);
bool zip_stream_ended(const struct zip_stream *);
enum zip_coding zip_stream_coding(const struct zip_stream *);

/* A gzip member (for HTTP bodies of the mock), appended to `out`. */
int zip_gzip(const void *, size_t n, int level, struct buf *out);

#endif
