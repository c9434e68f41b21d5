#ifndef BASE_BUF_H
#define BASE_BUF_H

/*
 * A growable byte buffer, born with its ceiling. Growing beyond it, or out
 * of memory, sets `error` (ERR_LIMIT or ERR_NOMEM), which sticks: all later
 * appends do nothing, so that a run of them needs one check at the end.
 *
 * Integers are stored little-endian. Varints are LEB128 as in protocol
 * buffers and Thrift; zigzag maps signed to unsigned (n << 1) ^ (n >> 63).
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct buf {
	uint8_t *data;		/* owned; not NUL terminated, see buf_str() */
	size_t len;
	size_t cap;
	size_t max;
	int error;		/* 0, ERR_LIMIT, ERR_NOMEM; no memory for up
				 * to 4 KiB stops the program */
};

void buf_init(struct buf *, size_t max);
void buf_fini(struct buf *);
void buf_clear(struct buf *);		/* len = 0, error = 0, keeps memory */
/* Make room for n more; NULL with error set when that cannot be. */
uint8_t *buf_reserve(struct buf *, size_t n);
void buf_put(struct buf *, const void *, size_t n);
void buf_puts(struct buf *, const char *);
void buf_printf(struct buf *, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
void buf_decimal(struct buf *, uint64_t);	/* as "%llu", but fast */
void buf_u8(struct buf *, uint8_t);
void buf_u16le(struct buf *, uint16_t);
void buf_u32le(struct buf *, uint32_t);
void buf_u64le(struct buf *, uint64_t);
void buf_varint(struct buf *, uint64_t);
void buf_zigzag(struct buf *, int64_t);
/* Contents as a C string; valid until the next append; never NULL. */
const char *buf_str(struct buf *);
/* Take the memory over (may be NULL when empty); buf is cleared. */
uint8_t *buf_steal(struct buf *, size_t *len);

/*
 * A bounded cursor over borrowed bytes. Reading beyond the end sets `bad`,
 * which sticks, and gives 0 / NULL.
 */
struct cur {
	const uint8_t *p;	/* borrowed from whoever called cur_init() */
	const uint8_t *end;
	bool bad;
};

void cur_init(struct cur *, const void *, size_t n);
size_t cur_left(const struct cur *);
uint8_t cur_u8(struct cur *);
uint16_t cur_u16le(struct cur *);
uint32_t cur_u32le(struct cur *);
uint64_t cur_u64le(struct cur *);
uint64_t cur_varint(struct cur *);
int64_t cur_zigzag(struct cur *);
const uint8_t *cur_bytes(struct cur *, size_t n);

/* Checked arithmetic on lengths: false and *out untouched on overflow. */
bool num_add_size(size_t a, size_t b, size_t *out);
bool num_mul_size(size_t a, size_t b, size_t *out);

#endif
