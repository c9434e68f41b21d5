#ifndef JOURNAL_JOURNAL_READER_INT_H
#define JOURNAL_JOURNAL_READER_INT_H

/*
 * What the files of the reader share.
 *
 *	journal_reader.c		open, close; blocks, their rows
 *	journal_reader_segment.c	from segment to segment
 *	journal_reader_schema.c		the schemas of blocks
 *	journal_reader_resync.c		behind damage
 */

#include "journal/journal_int.h"

struct zip;

struct known_schema {
	struct known_schema *next;
	uint64_t id;
	struct rows_schema *schema;
};

/* Invariants, while nsegments > 0:
 * 1. fd is open on segment `at`, and pos.segment is its number;
 * 2. SEGMENT_HEADER <= pos.offset; blocks are read up to `end`. */
struct journal_reader {
	const struct sys *sys;
	char *dir;
	struct journal_pos pos;		/* of the next block */
	struct journal_pos to;
	bool bounded;			/* `to` was given */
	bool torn_ok;
	bool schemas_only;		/* do not look for missing ones */
	bool show_covers;
	bool whole;			/* from the very beginning */
	bool skims;			/* the open segment */
	journal_segment_fn *wants;	/* or NULL: all */
	void *wants_cookie;
	struct journal_pos hurt;	/* the damage told last */
	bool searched;			/* the whole journal, for a schema */
	bool bad;			/* there is damage at pos */
	bool first;			/* its header is not yet checked */
	uint32_t *segments;
	size_t nsegments;		/* 0: nothing to read */
	size_t at;			/* index of the open segment */
	int fd;				/* of it, or -1 */
	uint64_t end;			/* of it */
	struct known_schema *schemas;
	struct block_header head;	/* of the block given last */
	struct rows_schema *cover_schema;	/* of cover_rows */
	struct rows *cover_rows;
	struct journal_cover *covers;
	struct buf payload;
	struct buf raw;
	struct zip *zip;
};

/* ERR_CORRUPT, noted as the damage told last. */
int journal_reader_damaged(struct journal_reader *, uint64_t offset,
    const char *what, struct err *);
/* A read failed, or found the file shorter than it was. */
int journal_reader_unread(struct journal_reader *, uint64_t offset, int rc,
    struct err *);

/* The segment that holds the position is open, the position in it. */
int journal_reader_first_segment(struct journal_reader *,
    const struct journal_pos *, struct err *);
/* Before the first block: the header of the segment that was opened. */
int journal_reader_check_first(struct journal_reader *, struct err *);
/* 1 when there is another segment, now open, 0 at the end. ERR_CORRUPT from
 * a segment that was opened leaves it open: its blocks may be good. */
int journal_reader_next_segment(struct journal_reader *, struct err *);

/* The block at pos into head and payload; 0 or ERR_CORRUPT. */
int journal_reader_block(struct journal_reader *, struct err *);
/* Its payload into raw. */
int journal_reader_unpack(struct journal_reader *, struct err *);

/* A schema that is known, or NULL. */
struct rows_schema *journal_reader_schema(const struct journal_reader *,
    uint64_t id);
/* From the block at pos. */
int journal_reader_learn(struct journal_reader *, struct err *);
/* That of the block at pos, elsewhere in the journal. */
int journal_reader_look_for(struct journal_reader *, struct err *);

#endif
