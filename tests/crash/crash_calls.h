#ifndef CRASH_CALLS_H
#define CRASH_CALLS_H

/*
 * What crash_calls.so (preloaded into garner) and the tests have in common.
 *
 * The environment tells what to do:
 *	CRASH_DIR	only files below it count; must be absolute
 *	CRASH_STATE	file of struct crash_state, mapped: the counts, which
 *			survive the process however that ends
 *	CRASH_SET	classes of calls, letters of enum crash_class; not
 *			set: all but r
 *	CRASH_AT	the first call, from 1, that something is done to
 *	CRASH_FOR	how many calls in a row; 0 for good; not set: 1
 *	CRASH_DO	kill, after (the name is changed, then kill), torn (half
 *			of a write, then kill), short (half of a write), or the
 *			number of an errno
 *	CRASH_RECORD	file that every change below CRASH_DIR is appended to
 */

#include <stdint.h>

enum crash_class {
	CRASH_WRITE = 'w',	/* write, pwrite, writev */
	CRASH_SYNC = 's',	/* fsync, fdatasync, msync */
	CRASH_CREATE = 'c',	/* open with O_CREAT */
	CRASH_NAME = 'n',	/* rename, link, unlink, mkdir, rmdir */
	CRASH_TRUNCATE = 't',
	CRASH_NET = 'k',	/* send, sendto, sendmsg, writev to a socket */
	CRASH_READ = 'r',	/* open without O_CREAT, pread */
	CRASH_SOCKET = 'x',	/* socket, connect */
};

struct crash_state {
	uint64_t calls;		/* of the classes asked for */
	uint64_t done;		/* that something was done to */
	char what[240];		/* the last of them: call and path */
};

/* A record of what happened, after it did: this, then the path, the second
 * path (rename, link) and the data. */
enum crash_op {
	CRASH_OP_START = 1,	/* of a process */
	CRASH_OP_END,		/* it ended with status 0 */
	CRASH_OP_OPEN,		/* with O_CREAT: the file is there now */
	CRASH_OP_PUT,		/* data at off */
	CRASH_OP_PUT_SYNC,	/* the same, durable at once (O_DSYNC) */
	CRASH_OP_TRUNCATE,	/* off: the new length */
	CRASH_OP_SYNC,		/* of a file or directory */
	CRASH_OP_SYNC_FAILED,	/* and may say yes the next time */
	CRASH_OP_RENAME,
	CRASH_OP_LINK,
	CRASH_OP_UNLINK,
	CRASH_OP_MKDIR,
	CRASH_OP_RMDIR,
};

struct crash_record {
	uint32_t op;
	uint32_t path;		/* bytes, without a NUL */
	uint32_t path2;
	uint32_t unused;
	uint64_t off;
	uint64_t len;		/* of the data */
};

#endif
