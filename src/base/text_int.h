#ifndef BASE_TEXT_INT_H
#define BASE_TEXT_INT_H

/* What the text files and msg.c share. */

#include <stddef.h>
#include <stdint.h>

/*
 * Length of the UTF-8 character at p (1 to 4, RFC 3629: shortest form, no
 * surrogates, up to U+10FFFF) and its code point, or 0 when there is none
 * within len bytes.
 */
size_t text_utf8_step(const char *p, size_t len, uint32_t *code);

#endif
