#ifndef CODEC_ZIP_H
#define CODEC_ZIP_H

/* zstd frames and the CRC-32 of gzip; the only user of zstd and zlib. */

#include <stddef.h>
#include <stdint.h>

struct buf;
struct err;
struct zip;	/* contexts, reused between calls; one per thread */

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

/* A gzip member (for HTTP bodies of the mock), appended to `out`. */
int zip_gzip(const void *, size_t n, int level, struct buf *out);

#endif
