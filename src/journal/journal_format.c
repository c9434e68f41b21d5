/*
 * Bytes of segments and blocks: encoding by hand, little-endian, decoding
 * through a bounded cursor; positions and names of segments.
 */

#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/base_limits.h"
#include "base/err.h"
#include "base/hash.h"
#include "base/must.h"
#include "journal/journal_int.h"
#include "sys/sys.h"

static const char segment_magic[8] = { 'G', 'A', 'R', 'N', 'E', 'R', 'J',
    '1' };

/* --- positions ----------------------------------------------------------- */

#define OFFSET_BITS 40

static_assert(LIMIT_SEGMENT_BYTES + LIMIT_BLOCK_MAX < 1ull << OFFSET_BITS,
    "an offset packs");

int
journal_pos_cmp(const struct journal_pos *a, const struct journal_pos *b)
{

	if (a->segment != b->segment)
		return (a->segment < b->segment ? -1 : 1);
	return (a->offset < b->offset ? -1 : a->offset > b->offset);
}

int64_t
journal_pos_pack(const struct journal_pos *p)
{

	MUST(p->offset < 1ull << OFFSET_BITS);
	MUST(p->segment < 1u << (62 - OFFSET_BITS));
	return ((int64_t)((uint64_t)p->segment << OFFSET_BITS | p->offset));
}

struct journal_pos
journal_pos_unpack(int64_t x)
{
	struct journal_pos p;

	MUST(x >= 0);
	p.segment = (uint32_t)((uint64_t)x >> OFFSET_BITS);
	p.offset = (uint64_t)x & ((1ull << OFFSET_BITS) - 1);
	return (p);
}

/* --- segments ------------------------------------------------------------ */

void
journal_segment_encode(const struct segment_header *h, struct buf *b)
{
	size_t from = b->len;

	buf_put(b, segment_magic, sizeof(segment_magic));
	buf_u32le(b, JOURNAL_VERSION);
	buf_u32le(b, h->number);
	buf_u32le(b, h->before);
	buf_u32le(b, 0);
	buf_u64le(b, h->before_end);
	if (b->error == 0)
		buf_u64le(b, hash64(b->data + from, SEGMENT_HEADER - 8, 0));
}

int
journal_segment_decode(const uint8_t *p, struct segment_header *h)
{
	struct cur c;

	cur_init(&c, p, SEGMENT_HEADER);
	if (memcmp(cur_bytes(&c, 8), segment_magic, 8) != 0 ||
	    cur_u32le(&c) != JOURNAL_VERSION)
		return (ERR_CORRUPT);
	h->number = cur_u32le(&c);
	h->before = cur_u32le(&c);
	(void)cur_u32le(&c);
	h->before_end = cur_u64le(&c);
	if (cur_u64le(&c) != hash64(p, SEGMENT_HEADER - 8, 0))
		return (ERR_CORRUPT);
	return (0);
}

char *
journal_segment_path(const char *dir, uint32_t number)
{

	return (must_sprintf("%s/%08u.gj", dir, number));
}

static int
by_number(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x < y ? -1 : x > y);
}

int
journal_segments(const char *dir, uint32_t **out, size_t *n, struct err *e)
{
	char **names, name[16];
	size_t i, all;
	unsigned number;
	int rc;

	*out = NULL;
	*n = 0;
	if ((rc = sys_list_dir(dir, &names, &all, e)) != 0)
		return (rc);
	*out = must_calloc(all + 1, sizeof((*out)[0]));
	for (i = 0; i < all; i++) {
		number = (unsigned)strtoul(names[i], NULL, 10);
		(void)snprintf(name, sizeof(name), "%08u.gj", number);
		if (number > 0 && strcmp(name, names[i]) == 0)
			(*out)[(*n)++] = number;
	}
	sys_list_free(names, all);
	qsort(*out, *n, sizeof((*out)[0]), by_number);
	return (0);
}

/* --- blocks -------------------------------------------------------------- */

static uint64_t
checksum(const uint8_t *header, const void *payload, size_t n)
{

	return (hash64(payload, n, hash64(header, BLOCK_HEADER - 8, 0)));
}

void
journal_block_encode(const struct block_header *h, const void *payload,
    struct buf *b)
{
	const struct journal_block *k = &h->block;
	size_t from = b->len;

	buf_u32le(b, BLOCK_MAGIC);
	buf_u16le(b, JOURNAL_VERSION);
	buf_u8(b, (uint8_t)h->kind);
	buf_u8(b, 0);
	buf_u32le(b, h->stored);
	buf_u32le(b, h->raw);
	buf_u64le(b, k->schema_id);
	buf_u32le(b, (uint32_t)k->group);
	buf_u32le(b, k->nrows);
	buf_put(b, k->batch_id, sizeof(k->batch_id));
	buf_u64le(b, (uint64_t)k->ingested);
	buf_u64le(b, (uint64_t)k->first_tick);
	buf_u64le(b, (uint64_t)k->last_tick);
	if (b->error == 0)
		buf_u64le(b, checksum(b->data + from, payload, h->stored));
	buf_put(b, payload, h->stored);
}

int
journal_block_decode(const uint8_t *p, struct block_header *h)
{
	struct journal_block *k = &h->block;
	struct cur c;
	uint8_t kind;

	memset(h, 0, sizeof(*h));
	cur_init(&c, p, BLOCK_HEADER);
	if (cur_u32le(&c) != BLOCK_MAGIC || cur_u16le(&c) != JOURNAL_VERSION)
		return (ERR_CORRUPT);
	kind = cur_u8(&c);
	(void)cur_u8(&c);
	h->kind = (enum block_kind)kind;
	h->stored = cur_u32le(&c);
	h->raw = cur_u32le(&c);
	k->schema_id = cur_u64le(&c);
	k->group = (int32_t)cur_u32le(&c);
	k->nrows = cur_u32le(&c);
	memcpy(k->batch_id, cur_bytes(&c, JOURNAL_BATCH_ID),
	    JOURNAL_BATCH_ID);
	k->ingested = (int64_t)cur_u64le(&c);
	k->first_tick = (int64_t)cur_u64le(&c);
	k->last_tick = (int64_t)cur_u64le(&c);
	h->checksum = cur_u64le(&c);
	k->stored_bytes = BLOCK_HEADER + h->stored;
	k->cover = kind == BLOCK_COVER;
	k->hole = kind == BLOCK_HOLE;
	if (kind < BLOCK_SCHEMA || kind > BLOCK_HOLE ||
	    h->stored > LIMIT_BLOCK_MAX || h->raw > LIMIT_BLOCK_RAW_MAX ||
	    k->nrows > LIMIT_BLOCK_ROWS)
		return (ERR_CORRUPT);
	return (0);
}

bool
journal_block_valid(const uint8_t *header, const struct block_header *h,
    const void *payload)
{

	return (checksum(header, payload, h->stored) == h->checksum);
}
