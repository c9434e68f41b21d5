#ifndef TESTS_FUZZ_FUZZ_H
#define TESTS_FUZZ_FUZZ_H

/*
 * What reads bytes that others wrote, fed with anything. A target has three
 * functions, and is linked twice: with fuzz_main.c, which changes the seeds
 * at random, for make check; and with libFuzzer, for make fuzz.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct buf;

/* Put seed number i, something that is well formed, into the empty buffer;
 * false when there are no more. */
bool fuzz_seed(unsigned i, struct buf *);
/* libFuzzer's; before the first input. */
int LLVMFuzzerInitialize(int *argc, char ***argv);
/* libFuzzer's; returns 0. What is wrong stops the program. */
int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

/* --- for targets that read files (fuzz_file.c) --------------------------- */

/* A folder in memory where there is one, removed at exit. */
const char *fuzz_dir(void);
/* <folder>/<name> becomes these bytes; its path, until the next call. */
const char *fuzz_file(const char *name, const void *, size_t);
/* Append a file to the buffer. */
void fuzz_read(const char *path, struct buf *);

#endif
