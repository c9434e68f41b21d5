/*
 * A file's statistics against its values. They are found anew from the rows,
 * not by the writer's code; readers skip data by them, so what counts is
 * that no value lies beyond. Lists are read, but have no bounds to check.
 */

#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include <xxhash.h>

#include "base/err.h"
#include "base/must.h"
#include "parquet/parquet_int.h"
#include "sys/sys.h"

#define BATCH_ROWS 16384
#define HASH_BYTES (256u << 10)

/* What was seen of a column in the row group at hand. */
struct seen {
	uint64_t nulls;
	bool any, nan;
	int64_t min_i, max_i;		/* microseconds of TICKS */
	double min_f, max_f;
	bool min_good, max_good;	/* text: none beyond the bounds */
};

struct check {
	const struct rows_schema *schema;
	struct parquet_reader *reader;
	struct seen *cols;
	uint8_t *used;			/* codes of a text column */
	size_t used_cap;
	size_t group;
	struct err *err;
};

static void
see_int(struct seen *s, int64_t x)
{

	if (!s->any || x < s->min_i)
		s->min_i = x;
	if (!s->any || x > s->max_i)
		s->max_i = x;
	s->any = true;
}

static void
see_double(struct seen *s, double x)
{

	if (x != x) {
		s->nan = true;
		return;
	}
	if (!s->any || x < s->min_f)
		s->min_f = x;
	if (!s->any || x > s->max_f)
		s->max_f = x;
	s->any = true;
}

static void
see_numbers(struct seen *s, enum rows_type type, const struct rows_vec *v,
    uint32_t n)
{
	uint32_t i;

	for (i = 0; i < n; i++) {
		if (!v->valid[i])
			s->nulls++;
		else if (type == ROWS_DOUBLE)
			see_double(s, v->f64[i]);
		else if (type == ROWS_INT32)
			see_int(s, v->i32[i]);
		else if (type == ROWS_BOOL)
			see_int(s, v->b[i]);
		else
			see_int(s, type == ROWS_TICKS ? v->i64[i] / 10 :
			    v->i64[i]);
	}
}

static int
text_cmp(const char *a, size_t na, const void *b, size_t nb)
{
	int d = memcmp(a, b, na < nb ? na : nb);

	return (d != 0 ? d : na < nb ? -1 : na > nb);
}

/* A text is looked at once a batch, however many rows have it. */
static void
see_text(struct check *k, struct seen *s, const struct rows_vec *v,
    uint32_t n, const struct parquet_rstat *st)
{
	const char *text;
	uint32_t i, code;
	size_t len;

	if (v->dict.n > k->used_cap) {
		k->used_cap = v->dict.n;
		k->used = must_realloc(k->used, k->used_cap, 1);
	}
	if (v->dict.n > 0)
		memset(k->used, 0, v->dict.n);
	for (i = 0; i < n; i++) {
		if (!v->valid[i]) {
			s->nulls++;
			continue;
		}
		code = v->code[i];
		if (k->used[code])
			continue;
		k->used[code] = 1;
		s->any = true;
		text = rows_dict_str(&v->dict, code, &len);
		if (text_cmp(text, len, st->min, st->min_len) < 0)
			s->min_good = false;
		if (text_cmp(text, len, st->max, st->max_len) > 0)
			s->max_good = false;
	}
}

static void
see_rows(struct check *k, const struct rows *r,
    const struct parquet_rgroup *g)
{
	enum rows_type type;
	uint32_t c;

	for (c = 0; c < r->schema->ncols; c++) {
		type = r->schema->cols[c].type;
		if (type == ROWS_STRING)
			see_text(k, &k->cols[c], &r->v[c], r->n,
			    &g->chunks[c].stat);
		else if (type != ROWS_LIST)
			see_numbers(&k->cols[c], type, &r->v[c], r->n);
	}
}

/* --- judging ------------------------------------------------------------- */

static int
wrong(const struct check *k, uint32_t c, const char *what)
{

	return (err_set(k->err, ERR_CORRUPT, "row group %zu: column %s: the "
	    "statistics tell another %s than the values", k->group,
	    k->schema->cols[c].name, what));
}

static int64_t
bound_int(const uint8_t *p, size_t n)
{
	struct cur c;

	cur_init(&c, p, n);
	return (n == 1 ? cur_u8(&c) : n == 4 ? (int32_t)cur_u32le(&c) :
	    (int64_t)cur_u64le(&c));
}

static double
bound_double(const uint8_t *p)
{
	double x;

	memcpy(&x, p, sizeof(x));
	return (x);
}

static int
judge(const struct check *k, uint32_t c, const struct parquet_rstat *st)
{
	enum rows_type type = k->schema->cols[c].type;
	const struct seen *s = &k->cols[c];
	size_t width = parquet_type_width(type);

	if (type == ROWS_LIST)
		return (0);
	if (st->nulls >= 0 && (uint64_t)st->nulls != s->nulls)
		return (wrong(k, c, "number of nulls"));
	if (!st->has_min || !st->has_max)
		return (0);		/* then nothing is skipped */
	if (!s->any || s->nan)
		return (wrong(k, c, "range"));
	if (type == ROWS_STRING)
		return (!s->min_good ? wrong(k, c, "minimum") :
		    !s->max_good ? wrong(k, c, "maximum") : 0);
	if (st->min_len != width || st->max_len != width)
		return (wrong(k, c, "type"));
	if (type == ROWS_DOUBLE)
		return (bound_double(st->min) != s->min_f ?
		    wrong(k, c, "minimum") :
		    bound_double(st->max) != s->max_f ?
		    wrong(k, c, "maximum") : 0);
	return (bound_int(st->min, width) != s->min_i ?
	    wrong(k, c, "minimum") : bound_int(st->max, width) != s->max_i ?
	    wrong(k, c, "maximum") : 0);
}

static void
group_begin(struct check *k)
{
	uint32_t c;

	memset(k->cols, 0, k->schema->ncols * sizeof(k->cols[0]));
	for (c = 0; c < k->schema->ncols; c++)
		k->cols[c].min_good = k->cols[c].max_good = true;
}

static int
group_end(struct check *k, const struct parquet_rgroup *g)
{
	uint32_t c;
	int rc;

	for (c = 0; c < k->schema->ncols; c++)
		if ((rc = judge(k, c, &g->chunks[c].stat)) != 0)
			return (rc);
	k->group++;
	group_begin(k);
	return (0);
}

static int
read_all(struct check *k, struct rows *r, parquet_check_fn *fn, void *cookie,
    uint64_t *rows)
{
	const struct parquet_rgroup *g;
	bool last;
	int rc;

	group_begin(k);
	while ((rc = parquet_reader_next(k->reader, r, BATCH_ROWS,
	    k->err)) > 0) {
		g = parquet_reader_group(k->reader, &last);
		see_rows(k, r, g);
		*rows += r->n;
		if (fn != NULL && (rc = fn(cookie, r, k->err)) != 0)
			return (rc);
		if (last && (rc = group_end(k, g)) != 0)
			return (rc);
		rows_clear(r);
	}
	return (rc);
}

int
parquet_check(const struct sys *sys, const char *path, parquet_check_fn *fn,
    void *cookie, uint64_t *rows, uint64_t *at, struct err *e)
{
	struct err why = ERR_INIT;
	struct check k = { .err = &why };
	struct rows *r;
	int rc;

	*rows = *at = 0;
	if ((rc = parquet_reader_open(sys, path, &k.reader, e)) != 0)
		return (rc);
	k.schema = parquet_reader_schema(k.reader);
	k.cols = must_calloc(k.schema->ncols, sizeof(k.cols[0]));
	r = rows_new(k.schema);
	rc = read_all(&k, r, fn, cookie, rows);
	if (rc != 0) {
		*at = parquet_reader_error_at(k.reader);
		if (*at == 0)
			(void)err_wrap(&why, "%s", path);
		if (e != NULL)
			*e = why;
	}
	rows_free(r);
	free(k.cols);
	free(k.used);
	parquet_reader_close(k.reader);
	return (rc);
}

/* --- the file as bytes --------------------------------------------------- */

static int
hash_file(const struct sys *sys, int fd, uint64_t bytes, uint64_t *hash,
    struct err *e)
{
	XXH3_state_t *state = XXH3_createState();
	uint8_t *window;
	uint64_t at;
	size_t n;
	int rc = 0;

	MUST_MEMORY(state != NULL);
	window = must_calloc(1, HASH_BYTES);
	(void)XXH3_64bits_reset(state);
	for (at = 0; at < bytes && rc == 0; at += n) {
		n = bytes - at < HASH_BYTES ? (size_t)(bytes - at) :
		    HASH_BYTES;
		rc = sys_pread_all(sys, fd, window, n, (int64_t)at, e);
		if (rc == 0)
			(void)XXH3_64bits_update(state, window, n);
	}
	*hash = XXH3_64bits_digest(state);
	(void)XXH3_freeState(state);
	free(window);
	return (rc);
}

int
parquet_hash(const struct sys *sys, const char *path, uint64_t *xxh64,
    uint64_t *bytes, struct err *e)
{
	int64_t size;
	int fd, rc;

	*xxh64 = *bytes = 0;
	if ((fd = sys->open(sys->cookie, path, O_RDONLY | O_CLOEXEC, 0)) < 0)
		return (err_sys(e, errno, "cannot open %s", path));
	if ((size = sys->fsize(sys->cookie, fd)) < 0) {
		rc = err_sys(e, errno, "cannot tell the size of %s", path);
	} else {
		*bytes = (uint64_t)size;
		rc = hash_file(sys, fd, *bytes, xxh64, e);
	}
	(void)sys->close(sys->cookie, fd);
	return (rc);
}
