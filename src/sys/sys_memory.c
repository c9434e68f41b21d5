/*
 * Memory in large pages. What is written once and read once, a megabyte and
 * more at a time, costs the kernel a fault each 4 KiB when it is new, and
 * the processor a look-up each 4 KiB ever after; in pages of 2 MiB it is one
 * of either. Where the kernel has none to give it gives small ones.
 */
#include "config.h"

#include <sys/mman.h>

#include <stdint.h>
#include <stdlib.h>

#include "sys/sys.h"

#define LARGE_PAGE ((size_t)2 << 20)

void *
sys_large(size_t n, size_t *size)
{
	size_t up;
	void *p;

	if (n > SIZE_MAX / 2)
		return (NULL);
	/* Not for the sake of a page that is mostly empty. */
	up = (n + LARGE_PAGE - 1) / LARGE_PAGE * LARGE_PAGE;
	if (up - n > up / 4)
		return (NULL);
	if ((p = aligned_alloc(LARGE_PAGE, up)) == NULL)
		return (NULL);
	(void)madvise(p, up, MADV_HUGEPAGE);
	*size = up;
	return (p);
}
