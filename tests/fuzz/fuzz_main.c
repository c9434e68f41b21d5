/*
 * Seeds, changed at random, without any feedback: what make check runs. The
 * input that stopped the program is kept, with the number that makes it
 * again.
 *
 *	fuzz_X			FUZZ_ROUNDS rounds (20,000), from FUZZ_FROM
 *	fuzz_X --seeds DIR	write the seeds, for libFuzzer
 *	fuzz_X FILE ...		run these inputs
 */

#include "config.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/hash.h"
#include "base/must.h"
#include "base/msg.h"
#include "fuzz.h"

#define ROUNDS 20000
#define INPUT_MAX (1u << 20)

static volatile unsigned long long now_round;

/* Only what is allowed in a handler. */
static void
on_death(int sig)
{
	static const char text[] = "FAIL fuzz: stopped in round ";
	char digits[24], *p = digits + sizeof(digits);
	unsigned long long n = now_round;

	*--p = '\n';
	do
		*--p = (char)('0' + n % 10);
	while ((n /= 10) > 0);
	(void)!write(STDOUT_FILENO, text, sizeof(text) - 1);
	(void)!write(STDOUT_FILENO, p, (size_t)(digits + sizeof(digits) - p));
	(void)signal(sig, SIG_DFL);
	(void)raise(sig);
}

/* --- changing ------------------------------------------------------------- */

static void
change_byte(struct rng *g, struct buf *b)
{
	static const uint8_t BYTES[] = "\0\1\x7f\x80\xff{}[]\"\\,:-0189.eE \n\t'u";
	size_t at = rng_below(g, b->len);

	switch (rng_below(g, 3)) {
	case 0:
		b->data[at] ^= (uint8_t)(1u << rng_below(g, 8));
		break;
	case 1:
		b->data[at] = (uint8_t)rng_u64(g);
		break;
	default:
		b->data[at] = BYTES[rng_below(g, sizeof(BYTES))];
	}
}

/* A number of 4 or 8 bytes, as lengths and offsets are. */
static void
change_word(struct rng *g, struct buf *b)
{
	static const uint64_t WORDS[] = {
		0, 1, 0x7fffffff, 0x80000000, 0xffffffff, UINT64_MAX,
		INT64_MAX, 1u << 20,
	};
	uint64_t x = WORDS[rng_below(g, sizeof(WORDS) / sizeof(WORDS[0]))];
	size_t n = rng_below(g, 2) == 0 ? 4 : 8;

	if (b->len >= n)
		memcpy(b->data + rng_below(g, b->len - n + 1), &x, n);
}

static void
move_part(struct rng *g, struct buf *b)
{
	size_t n = 1 + rng_below(g, b->len < 64 ? b->len : 64);
	size_t from = rng_below(g, b->len - n + 1);
	size_t to = rng_below(g, b->len - n + 1);

	if (rng_below(g, 2) == 0) {
		memmove(b->data + to, b->data + from, n);
		return;
	}
	memmove(b->data + from, b->data + from + n, b->len - from - n);
	b->len -= n;
}

static void
insert_part(struct rng *g, struct buf *b)
{
	size_t n = 1 + rng_below(g, b->len < 64 ? b->len : 64);
	size_t from = rng_below(g, b->len - n + 1);
	size_t to = rng_below(g, b->len);
	uint8_t part[64];

	if (b->len + n > INPUT_MAX)
		return;
	memcpy(part, b->data + from, n);
	buf_put(b, part, n);
	memmove(b->data + to + n, b->data + to, b->len - n - to);
	memcpy(b->data + to, part, n);
}

static void
change(struct rng *g, struct buf *b)
{
	uint64_t n = rng_below(g, 6);

	for (; n > 0 && b->len > 0; n--) {
		switch (rng_below(g, 8)) {
		case 0:
			change_word(g, b);
			break;
		case 1:
			move_part(g, b);
			break;
		case 2:
			insert_part(g, b);
			break;
		case 3:
			if (rng_below(g, 4) == 0)
				b->len = rng_below(g, b->len);
			break;
		default:
			change_byte(g, b);
		}
	}
}

/* --- running -------------------------------------------------------------- */

/* In memory of its own size, so that a sanitizer sees what is read behind
 * the end. */
static void
run_one(const struct buf *b)
{
	uint8_t *copy = must_calloc(b->len + 1, 1);

	memcpy(copy, b->data, b->len);
	(void)LLVMFuzzerTestOneInput(copy, b->len);
	free(copy);
}

static int
run_rounds(unsigned nseeds)
{
	const char *text = getenv("FUZZ_ROUNDS");
	uint64_t rounds = text != NULL ? strtoull(text, NULL, 10) : ROUNDS;
	uint64_t from = (text = getenv("FUZZ_FROM")) != NULL ?
	    strtoull(text, NULL, 10) : 0;
	struct rng rng;
	struct buf b;

	buf_init(&b, INPUT_MAX + 4096);
	for (uint64_t i = from; i < from + rounds; i++) {
		now_round = i;
		rng_init(&rng, i);
		buf_clear(&b);
		MUST(fuzz_seed((unsigned)rng_below(&rng, nseeds), &b));
		if (i >= nseeds)
			change(&rng, &b);
		run_one(&b);
	}
	buf_fini(&b);
	(void)printf("ok %llu inputs from %u seeds\n",
	    (unsigned long long)rounds, nseeds);
	return (0);
}

static int
run_files(int n, char **names)
{
	struct buf b;

	buf_init(&b, 64u << 20);
	for (int i = 0; i < n; i++) {
		buf_clear(&b);
		fuzz_read(names[i], &b);
		run_one(&b);
	}
	buf_fini(&b);
	return (0);
}

static int
write_seeds(const char *dir, unsigned nseeds)
{
	struct buf b;
	char *name;
	FILE *f;

	buf_init(&b, INPUT_MAX);
	for (unsigned i = 0; i < nseeds; i++) {
		buf_clear(&b);
		MUST(fuzz_seed(i, &b));
		name = must_sprintf("%s/seed-%u", dir, i);
		if ((f = fopen(name, "wbe")) == NULL ||
		    fwrite(b.data, 1, b.len, f) != b.len || fclose(f) != 0) {
			perror(name);
			return (1);
		}
		free(name);
	}
	buf_fini(&b);
	return (0);
}

int
main(int argc, char **argv)
{
	static const int DEATHS[] = { SIGABRT, SIGSEGV, SIGBUS, SIGFPE };
	struct buf b;
	unsigned nseeds = 0;

	(void)LLVMFuzzerInitialize(&argc, &argv);
	for (size_t i = 0; i < sizeof(DEATHS) / sizeof(DEATHS[0]); i++)
		(void)signal(DEATHS[i], on_death);
	buf_init(&b, INPUT_MAX);
	while (fuzz_seed(nseeds, &b)) {
		buf_clear(&b);
		nseeds++;
	}
	buf_fini(&b);
	MUST(nseeds > 0);
	if (argc == 3 && strcmp(argv[1], "--seeds") == 0)
		return (write_seeds(argv[2], nseeds));
	if (argc > 1)
		return (run_files(argc - 1, argv + 1));
	return (run_rounds(nseeds));
}
