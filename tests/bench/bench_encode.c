/*
 * What a row of a journal costs to encode and to compress: the blocks of a
 * journal that is given are read, then both is done again to each, round
 * after round, in the order in which they stand there, so that they come
 * from the last cache, as after decoding. CPU time, not the clock's.
 *
 *	bench_encode DIR [rounds]
 *
 * prints bytes a row, and ns a row to encode, to compress, to decompress and
 * to decode, one tab-separated line each.
 */

#include "config.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/base_limits.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/must.h"
#include "codec/zip.h"
#include "journal/journal_int.h"
#include "rows/rows.h"
#include "sys/sys.h"

#define BLOCKS_MAX 8

struct bench {
	struct journal_reader *reader;
	struct rows *rows[BLOCKS_MAX];
	uint32_t n;
	struct rows *back;		/* decoded again */
	struct buf raw, packed, unpacked;
	struct zip *zip;
	struct err err;
	uint64_t nrows, bytes;		/* of a round */
	struct took {
		double encode_s, compress_s, decompress_s, decode_s;
	} took, least;
};

static void
must_do(struct bench *b, int rc)
{

	if (rc >= 0)
		return;
	(void)fprintf(stderr, "bench_encode: %s\n", b->err.text);
	exit(1);
}

static double
cpu_s(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return ((double)t.tv_sec + (double)t.tv_nsec / 1e9);
}

/* The blocks of rows of one schema, as many as fit. */
static void
read_blocks(struct bench *b, const char *dir)
{
	struct journal_pos from = { 0, 0 };
	const struct rows_schema *schema, *of = NULL;
	struct journal_block block;
	int rc;

	must_do(b, journal_reader_open(sys_posix(), dir, &from, NULL, true,
	    &b->reader, &b->err));
	while (b->n < BLOCKS_MAX) {
		rc = journal_reader_next(b->reader, &block, &schema, &b->err);
		must_do(b, rc);
		if (rc == 0)
			break;
		if (of == NULL)
			of = schema;
		if (schema != of)
			continue;
		b->rows[b->n] = rows_new(schema);
		must_do(b, journal_reader_rows(b->reader, b->rows[b->n],
		    &b->err));
		b->n++;
	}
	if (b->n == 0) {
		(void)fprintf(stderr, "bench_encode: no rows in %s\n", dir);
		exit(1);
	}
	b->back = rows_new(of);
}

static void
run_block(struct bench *b, const struct rows *r)
{
	double began = cpu_s(), encoded, compressed, decompressed;
	struct cur c;

	buf_clear(&b->raw);
	rows_encode(r, &b->packed, &b->raw);
	encoded = cpu_s();
	buf_clear(&b->packed);
	must_do(b, zip_compress(b->zip, b->raw.data, b->raw.len, &b->packed,
	    &b->err));
	compressed = cpu_s();
	buf_clear(&b->unpacked);
	must_do(b, zip_decompress(b->zip, b->packed.data, b->packed.len,
	    b->raw.len, &b->unpacked, &b->err));
	decompressed = cpu_s();
	rows_clear(b->back);
	cur_init(&c, b->unpacked.data, b->unpacked.len);
	must_do(b, rows_decode(b->back, &c, &b->err));

	b->took.decode_s += cpu_s() - decompressed;
	b->took.decompress_s += decompressed - compressed;
	b->took.compress_s += compressed - encoded;
	b->took.encode_s += encoded - began;
	b->nrows += r->n;
	b->bytes += b->packed.len;
}

/* The least of all rounds: others use the machine too. */
static void
run_round(struct bench *b, bool first)
{
	uint32_t i;

	memset(&b->took, 0, sizeof(b->took));
	b->nrows = b->bytes = 0;
	for (i = 0; i < b->n; i++)
		run_block(b, b->rows[i]);
	if (first)
		b->least = b->took;
	b->least.encode_s = fmin(b->least.encode_s, b->took.encode_s);
	b->least.compress_s = fmin(b->least.compress_s, b->took.compress_s);
	b->least.decompress_s = fmin(b->least.decompress_s,
	    b->took.decompress_s);
	b->least.decode_s = fmin(b->least.decode_s, b->took.decode_s);
}

static void
report(const struct bench *b)
{
	double n = (double)b->nrows;

	(void)printf("bytes\t%.3f\nencode_ns\t%.2f\ncompress_ns\t%.2f\n"
	    "decompress_ns\t%.2f\ndecode_ns\t%.2f\n", (double)b->bytes / n,
	    b->least.encode_s / n * 1e9, b->least.compress_s / n * 1e9,
	    b->least.decompress_s / n * 1e9, b->least.decode_s / n * 1e9);
}

int
main(int argc, char **argv)
{
	struct bench b = { .err = ERR_INIT };
	uint32_t i, round, rounds;

	if (argc < 2 || argc > 3) {
		(void)fputs("usage: bench_encode dir [rounds]\n", stderr);
		return (2);
	}
	rounds = argc > 2 ? (uint32_t)strtoul(argv[2], NULL, 10) : 5;
	buf_init(&b.raw, LIMIT_BLOCK_RAW_MAX);
	buf_init(&b.packed, LIMIT_BLOCK_RAW_MAX);
	buf_init(&b.unpacked, LIMIT_BLOCK_RAW_MAX);
	b.zip = zip_new(JOURNAL_ZSTD_LEVEL);
	read_blocks(&b, argv[1]);
	for (round = 0; round < rounds; round++)
		run_round(&b, round == 0);
	report(&b);

	for (i = 0; i < b.n; i++)
		rows_free(b.rows[i]);
	rows_free(b.back);
	journal_reader_close(b.reader);
	zip_free(b.zip);
	buf_fini(&b.raw);
	buf_fini(&b.packed);
	buf_fini(&b.unpacked);
	return (0);
}
