#ifndef SYS_SYS_H
#define SYS_SYS_H

/*
 * Files, sync, clock and randomness behind one table of functions, so that
 * tests can fail, record or simulate each call. Storage modules are given a
 * const struct sys * and call nothing else. The functions behave as their
 * namesakes in POSIX: they set errno and return -1.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct err;

struct sys {
	void *cookie;	/* passed as first argument */
	int (*open)(void *, const char *path, int flags, int mode);
	int (*close)(void *, int fd);
	ssize_t (*pread)(void *, int fd, void *, size_t, int64_t off);
	ssize_t (*pwrite)(void *, int fd, const void *, size_t, int64_t off);
	int (*fsync)(void *, int fd);
	int (*fdatasync)(void *, int fd);
	int (*ftruncate)(void *, int fd, int64_t len);
	int64_t (*fsize)(void *, int fd);
	int (*rename)(void *, const char *from, const char *to);
	int (*link)(void *, const char *from, const char *to);
	int (*unlink)(void *, const char *path);
	int (*mkdir)(void *, const char *path, int mode);
	int64_t (*now_ticks)(void *);		/* wall clock, base/ticks.h */
	int64_t (*mono_us)(void *);		/* monotonic, microseconds */
	uint64_t (*random)(void *);
};

/* The real thing. */
const struct sys *sys_posix(void);

/* --- helpers above the table: whole operations with messages ------------ */

/* All n bytes or an error; EINTR and short transfers are handled. */
int sys_pwrite_all(const struct sys *, int fd, const void *, size_t n,
    int64_t off, struct err *);
/* Exactly n bytes; ERR_CORRUPT at an early end of the file. */
int sys_pread_all(const struct sys *, int fd, void *, size_t n, int64_t off,
    struct err *);
/* mkdir -p; ERR_CREATE/... with the path named. Syncs parents it adds to. */
int sys_mkdirs(const struct sys *, const char *path, struct err *);
/* fsync of a directory, so that names in it are durable. */
int sys_sync_dir(const struct sys *, const char *path, struct err *);
/* The same, and so many directories above it: that a directory is there
 * does not make its name durable, for who made it may have been killed
 * before it synced. Those above that must not be read are left out. */
int sys_sync_dirs(const struct sys *, const char *path, unsigned above,
    struct err *);
/*
 * A new file, whole or not at all: path.tmp-XXXX, write, fsync, then rename
 * over (replace = true) or link (false: ERR_EXISTS when path is there), and
 * sync of the directory.
 */
int sys_write_file(const struct sys *, const char *path, const void *,
    size_t n, bool replace, struct err *);
/* Whole file, at most max bytes (ERR_LIMIT); caller frees *data, which has
 * a NUL after its end. ERR_NOTFOUND when it is not there. */
int sys_read_file(const struct sys *, const char *path, size_t max,
    char **data, size_t *n, struct err *);
bool sys_exists(const struct sys *, const char *path);

/* Names in a directory, sorted bytewise, without "." and ".."; a missing
 * directory gives none. Free with sys_list_free(). */
int sys_list_dir(const char *path, char ***names, size_t *n, struct err *);
void sys_list_free(char **names, size_t n);
/* Sum of the sizes of the regular files below path; 0 when missing. */
uint64_t sys_tree_bytes(const char *path);
/* Bytes that we may still write in the file system of path, and its size. */
int sys_space(const char *path, uint64_t *left, uint64_t *size,
    struct err *);
/* Of a file system of that size what is to be left free: `wanted` bytes, or
 * 0: 256 MiB or 2 %, whichever is more, but at most a tenth. */
uint64_t sys_reserve(uint64_t wanted, uint64_t size);
/* rm -r of a directory of ours. */
int sys_remove_tree(const char *path, struct err *);

/*
 * An advisory lock on path (created, never removed), held until released or
 * the process ends; the file names its owner: "pid N\n". A second taker
 * gets ERR_BUSY at once, with the owner's pid and command in the message.
 */
int sys_lock(const char *path, int *fd, struct err *);
void sys_unlock(int fd);

/*
 * Locks against other processes on parts of a file, which need not have so
 * many bytes: [from, from + len), len 0: to the end of all files. ERR_BUSY
 * names who holds some of it. `what` is locked, for the message. All parts
 * end with the process or when any descriptor of the file is closed: one
 * per process. sys_unlock(fd) ends them.
 */
int sys_lock_file(const char *path, int *fd, struct err *);
int sys_lock_part(int fd, const char *what, int64_t from, int64_t len,
    struct err *);

/*
 * Memory for n bytes that are written and read as a whole again and again,
 * in large pages if possible; free() takes it back. *size: how much it is,
 * at most a third more. NULL when there is none, or when n is so small, or
 * so little more than some of those pages, that it is not worth it.
 */
void *sys_large(size_t n, size_t *size);

/* 128 random bits as a UUID text, version 4; buf of 37 bytes. */
const char *sys_uuid(const struct sys *, char *buf);

#endif
