#ifndef BASE_ARENA_H
#define BASE_ARENA_H

/*
 * Memory that is freed as a whole: one lifetime (process, job, turn), one
 * arena. Out of memory stops the program, as for must_calloc().
 */

#include <stddef.h>

struct arena;

struct arena *arena_new(void);
void arena_free(struct arena *);
void arena_clear(struct arena *);	/* forget everything, keep a block */
void *arena_alloc(struct arena *, size_t n);	/* zeroed, 16-aligned */
char *arena_strdup(struct arena *, const char *);
char *arena_strndup(struct arena *, const char *, size_t n);
char *arena_sprintf(struct arena *, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

#endif
