/* The payload of journal blocks and spilled runs: a schema, then rows. What
 * decodes is encoded again and gives the same rows. */

#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "base/base_limits.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/must.h"
#include "fuzz.h"
#include "rows/rows.h"

static const struct rows_col columns[] = {
	{ "tag", ROWS_STRING, true }, { "timestamp", ROWS_TICKS, true },
	{ "value", ROWS_DOUBLE, false }, { "good", ROWS_BOOL, false },
	{ "list", ROWS_LIST, false }, { "code", ROWS_INT64, false },
	{ "ordinal", ROWS_INT32, false },
};
#define NCOLS (sizeof(columns) / sizeof(columns[0]))

static void
fill(struct rows *r, uint32_t i, unsigned kind)
{

	rows_set_str(r, 0, i, i % 3 == 0 ? "a" : "tag-b", i % 3 == 0 ? 1 : 5);
	rows_set_i64(r, 1, i, 17092512000000000LL + i * (kind + 1) * 10000000LL);
	if (i % 4 != 0)
		rows_set_f64(r, 2, i, i * 0.125);
	rows_set_bool(r, 3, i, i % 5 == 0);
	if (kind > 1)
		rows_set_str(r, 4, i, "[\"x\"]", 5);
	if (kind > 0)
		rows_set_i64(r, 5, i, (int64_t)i * -1234567891234LL);
	rows_set_i32(r, 6, i, (int32_t)i);
}

bool
fuzz_seed(unsigned i, struct buf *b)
{
	static const uint32_t ROWS[] = { 0, 1, 3, 70 };
	struct rows_schema *s;
	struct buf scratch;
	struct rows *r;

	if (i >= sizeof(ROWS) / sizeof(ROWS[0]))
		return (false);
	s = rows_schema_new("t", columns, NCOLS);
	r = rows_new(s);
	for (uint32_t k = 0; k < ROWS[i]; k++)
		fill(r, rows_add(r), i);
	rows_schema_encode(s, b);
	buf_init(&scratch, 1u << 20);
	rows_encode(r, &scratch, b);
	buf_fini(&scratch);
	rows_free(r);
	rows_schema_free(s);
	return (true);
}

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{

	(void)argc;
	(void)argv;
	return (0);
}

static void
again(const struct rows *r)
{
	struct rows *other = rows_new(r->schema);
	struct err e = ERR_INIT;
	struct buf once, twice, scratch;
	struct cur c;

	buf_init(&once, 1u << 28);
	buf_init(&twice, 1u << 28);
	buf_init(&scratch, 1u << 28);
	rows_encode(r, &scratch, &once);
	cur_init(&c, once.data, once.len);
	MUST(rows_decode(other, &c, &e) == 0);
	MUST(other->n == r->n);
	rows_encode(other, &scratch, &twice);
	MUST(once.len == twice.len &&
	    memcmp(once.data, twice.data, once.len) == 0);
	buf_fini(&once);
	buf_fini(&twice);
	buf_fini(&scratch);
	rows_free(other);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct rows_schema *s = NULL;
	struct err e = ERR_INIT;
	bool wanted[LIMIT_COLUMNS] = { true };
	struct rows *r, *some;
	struct cur c, same;
	int rc;

	cur_init(&c, data, n);
	if (rows_schema_decode(&c, &s, &e) != 0)
		return (0);
	r = rows_new(s);
	some = rows_new(s);
	same = c;
	rc = rows_decode(r, &c, &e);
	MUST(rows_decode_only(some, &same, wanted, &e) == rc);
	rows_free(some);
	if (rc == 0) {
		rows_check(r);
		again(r);
	}
	rows_free(r);
	rows_schema_free(s);
	return (0);
}
