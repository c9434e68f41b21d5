#ifndef JOURNAL_JOURNAL_INT_H
#define JOURNAL_JOURNAL_INT_H

/*
 * The format, shared by writer and reader; told in garner-journal(5).
 *
 *	segment header, 40 bytes
 *	 0  8	"GARNERJ1"
 *	 8  u32	version, 1
 *	12  u32	number of the segment
 *	16  u32	number of the segment before it, 0 for the first
 *	20  u32	0
 *	24  u64	where the segment before it ends; what lies behind is none
 *	32  u64	XXH3-64 of bytes 0..31
 *
 *	block header, 80 bytes, then the stored payload
 *	 0  u32	magic "GJBK"
 *	 4  u16	version, 1
 *	 6  u8	kind: 1 schema, 2 rows, 3 cover, 4 hole
 *	 7  u8	0
 *	 8  u32	stored bytes of the payload
 *	12  u32	its bytes when decompressed
 *	16  u64	schema id
 *	24  i32	group
 *	28  u32	rows
 *	32  16	batch id
 *	48  i64	ingestion time, ticks
 *	56  i64	first tick
 *	64  i64	last tick
 *	72  u64	XXH3-64 of the stored payload, seeded by that of bytes 0..71
 */

#include "base/buf.h"
#include "journal/journal.h"

#define SEGMENT_HEADER 40
#define BLOCK_HEADER 80
#define BLOCK_MAGIC 0x4b424a47u
#define JOURNAL_VERSION 1

/* Journals are compressed for speed; silver is for size. What rows_encode()
 * leaves is noise or repeated: entropy coding takes most of the time and
 * makes it a tenth smaller. */
#define JOURNAL_ZSTD_LEVEL (-7)

enum block_kind {
	BLOCK_SCHEMA = 1,
	BLOCK_ROWS = 2,
	BLOCK_COVER = 3,
	BLOCK_HOLE = 4,
};

struct segment_header {
	uint32_t number;
	uint32_t before;
	uint64_t before_end;
};

struct block_header {
	enum block_kind kind;
	uint32_t stored;
	uint32_t raw;
	uint64_t checksum;
	struct journal_block block;
};

void journal_segment_encode(const struct segment_header *, struct buf *);
int journal_segment_decode(const uint8_t *, struct segment_header *);

/* The header with its checksum over `payload`, then the payload. */
void journal_block_encode(const struct block_header *, const void *payload,
    struct buf *);
/* 0, or ERR_CORRUPT: no such header, or lengths beyond the limits. */
int journal_block_decode(const uint8_t *, struct block_header *);
/* Whether the payload is the one the header was written with. */
bool journal_block_valid(const uint8_t *header, const struct block_header *,
    const void *payload);

/* Before a writer begins (journal_cut.c): nothing is taken away before it is
 * known that the position is good, ERR_CORRUPT otherwise; then all behind it.
 * *fd: of its segment, the caller's to close also after a failure, or -1;
 * *cut: bytes of blocks taken away are added. */
int journal_cut(const struct sys *, const char *dir,
    const struct journal_pos *, int *fd, uint64_t *cut, struct err *);

/* Cover records as rows (journal_cover.c). */
struct rows_schema *journal_cover_schema(void);
int journal_cover_put(struct rows *, const struct journal_batch *,
    const struct journal_cover *, uint32_t n, struct err *);
/* Appends to *out, which is made larger; ERR_CORRUPT: not such rows. */
int journal_cover_get(const struct rows *, struct journal_batch *,
    struct journal_cover **out, struct err *);

char *journal_segment_path(const char *dir, uint32_t number);
/* Numbers of the segments in dir, ascending; free *out. */
int journal_segments(const char *dir, uint32_t **out, size_t *n,
    struct err *);

#endif
