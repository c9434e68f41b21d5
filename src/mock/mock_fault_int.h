#ifndef MOCK_FAULT_INT_H
#define MOCK_FAULT_INT_H

/* What the files of the faults share. */

#include "mock/mock_fault.h"

/* Of the answers that are spoilt. */
#define MOCK_FAULT_BODY_MAX (64u << 20)

enum mock_at { MOCK_AT_ANY, MOCK_AT_START, MOCK_AT_HEAD, MOCK_AT_BODY };

struct mock_fault {
	const struct mock_fault_kind *kind;
	int status;			/* of a kind that is a number */
	/* when */
	char route[64];
	char target[128];		/* part of it, or "" */
	uint64_t count;
	uint64_t after;
	uint64_t every;
	double p;
	int64_t period_ms;		/* 0: always */
	int64_t for_ms;
	bool reused;			/* not the first of its connection */
	/* what */
	enum mock_at at;
	int64_t ms;			/* -1: the kind's own */
	int64_t jitter_ms;
	double tail;			/* exponent; 0: none */
	char retry[64];			/* Retry-After, or "" */
	char to[256];			/* of redirects, or "" */
	const struct buf *payload;	/* prepared; lives with the faults */
	/* so far */
	uint64_t seen;
	uint64_t done;
};

/* Makes wire->bytes of a whole answer; h is a copy, for use. */
typedef void mock_wire_fn(const struct mock_fault *, struct mock_resp *,
    struct mock_head *h, struct mock_wire *);

struct mock_fault_kind {
	const char *name;
	const char *what;
	bool delays;			/* and lets the next fault act too */
	bool (*answer)(const struct mock_fault *, const struct mock_req *,
	    struct mock_resp *);
	void (*prepare)(struct buf *);	/* what is sent again and again */
	void (*body)(struct buf *);
	mock_wire_fn *wire;
};

/* NULL: unknown, with the nearest in err. */
const struct mock_fault_kind *mock_fault_kind_find(const char *name,
    struct err *);
/* The kind of a status. */
const struct mock_fault_kind *mock_fault_kind_status(void);
/* n bytes into the middle of a buffer. */
void mock_fault_insert(struct buf *, size_t at, const void *, size_t n);

/* mock_fault_wire.c */
void mock_wire_bomb_prepare(struct buf *);
mock_wire_fn mock_wire_cut, mock_wire_reset, mock_wire_stall,
    mock_wire_drip, mock_wire_longer, mock_wire_shorter, mock_wire_chunk,
    mock_wire_cutgzip, mock_wire_bomb, mock_wire_http10, mock_wire_rubbish,
    mock_wire_headers;

#endif
