#ifndef BASE_MUST_H
#define BASE_MUST_H

/*
 * Assertions: for our own mistakes, never for input; compiled in always;
 * cheap, one fact each, without side effects. On failure one line goes to
 * stderr and the program aborts.
 */

#include <stddef.h>
#include <stdint.h>

_Noreturn void must_fail(const char *expr, const char *file, int line);

#define MUST(x) \
	((x) ? (void)0 : must_fail(#x, __FILE__, __LINE__))

/* Structs that travel as void * carry `uint32_t magic` as first member. */
#define MAGIC_CHECK(p, m) MUST((p) != NULL && (p)->magic == (m))

/*
 * Small fixed objects: out of memory stops the program (exit 71), the
 * journal survives it. Sizes that come from outside use malloc and give
 * ERR_NOMEM.
 */
_Noreturn void must_no_memory(void);
/* What only memory can keep from coming true. */
#define MUST_MEMORY(x) ((x) ? (void)0 : must_no_memory())
void *must_calloc(size_t n, size_t size) __attribute__((malloc));
void *must_realloc(void *, size_t n, size_t size); /* n * size, checked */
char *must_strdup(const char *) __attribute__((malloc));
char *must_strdup_if(const char *) __attribute__((malloc));	/* or NULL */
char *must_strndup(const char *, size_t) __attribute__((malloc));
char *must_sprintf(const char *fmt, ...)
    __attribute__((malloc, format(printf, 1, 2)));

#endif
