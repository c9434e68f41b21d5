/*
 * Arenas: a chain of blocks, handed out from the front one. Blocks double
 * in size up to a ceiling; what is larger gets a block of its own behind
 * the front one, so that the front one's room is not lost. Clearing keeps
 * the front block: a job that is retried allocates nothing new.
 */
#include "config.h"

#include <stdalign.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/must.h"

#define BLOCK_FIRST 4096u
#define BLOCK_LAST (256u << 10)
#define ALIGN 16u

struct block {
	struct block *next;
	size_t size;		/* of data */
	size_t used;		/* multiple of ALIGN */
	alignas(ALIGN) uint8_t data[];
};

struct arena {
	struct block *head;	/* NULL or the block we hand out from */
	size_t next_size;
};

struct arena *
arena_new(void)
{
	struct arena *a = must_calloc(1, sizeof(*a));

	a->next_size = BLOCK_FIRST;
	return (a);
}

static void
free_chain(struct block *b)
{
	struct block *next;

	for (; b != NULL; b = next) {
		next = b->next;
		free(b);
	}
}

void
arena_free(struct arena *a)
{
	if (a == NULL)
		return;
	free_chain(a->head);
	free(a);
}

void
arena_clear(struct arena *a)
{
	if (a->head == NULL)
		return;
	free_chain(a->head->next);
	a->head->next = NULL;
	a->head->used = 0;
}

static struct block *
block_new(size_t size)
{
	struct block *b;
	size_t bytes;

	MUST(num_add_size(sizeof(*b), size, &bytes));
	b = must_realloc(NULL, bytes, 1);
	b->next = NULL;
	b->size = size;
	b->used = 0;
	return (b);
}

/* The block in which n bytes (aligned) have room. */
static struct block *
block_for(struct arena *a, size_t n)
{
	struct block *b = a->head;

	if (b != NULL && b->size - b->used >= n)
		return (b);
	if (b != NULL && n > a->next_size / 4) {
		b = block_new(n);
		b->next = a->head->next;
		a->head->next = b;
		return (b);
	}
	b = block_new(n > a->next_size ? n : a->next_size);
	b->next = a->head;
	a->head = b;
	if (a->next_size < BLOCK_LAST)
		a->next_size *= 2;
	return (b);
}

static void *
take(struct arena *a, size_t n)
{
	struct block *b;
	void *p;

	MUST(n <= SIZE_MAX - ALIGN);
	n = (n + ALIGN - 1) & ~(size_t)(ALIGN - 1);
	b = block_for(a, n > 0 ? n : ALIGN);
	p = b->data + b->used;
	b->used += n > 0 ? n : ALIGN;
	return (p);
}

void *
arena_alloc(struct arena *a, size_t n)
{
	return (memset(take(a, n), 0, n));
}

char *
arena_strdup(struct arena *a, const char *s)
{
	size_t n = strlen(s) + 1;

	return (memcpy(take(a, n), s, n));
}

char *
arena_strndup(struct arena *a, const char *s, size_t max)
{
	size_t n = strnlen(s, max);
	char *p = take(a, n + 1);

	memcpy(p, s, n);
	p[n] = '\0';
	return (p);
}

char *
arena_sprintf(struct arena *a, const char *fmt, ...)
{
	va_list ap;
	char *p;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	MUST(n >= 0);
	p = take(a, (size_t)n + 1);
	va_start(ap, fmt);
	vsnprintf(p, (size_t)n + 1, fmt, ap);
	va_end(ap);
	return (p);
}
