/*
 * A file's statistics and page index against its values, page by page as
 * they are decoded. What is seen is found anew (parquet_seen.c), not by the
 * writer's code. A page index that is wrong does not hide other damage: it
 * is told when nothing else is. Lists are read, but have no bounds to check.
 */

#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include <xxhash.h>

#include "base/err.h"
#include "base/must.h"
#include "base/ticks.h"
#include "parquet/parquet_int.h"
#include "sys/sys.h"

#define BATCH_ROWS 8192
#define HASH_BYTES (256u << 10)

/* A column in the row group at hand. */
struct column {
	const struct parquet_rgroup *group;	/* begun, or NULL */
	struct parquet_seen seen;
	const char *wrong;		/* of a text's bounds, or NULL */
	struct parquet_index index;
};

struct check {
	const struct rows_schema *schema;
	struct parquet_reader *reader;
	struct column *cols;
	int time_col;			/* or -1 */
	int64_t min_tick, max_tick;
	size_t group;
	struct err index;		/* the first one that is wrong */
	struct err *err;
};

/* --- a page -------------------------------------------------------------- */

static int
begin(struct check *k, uint32_t c, const struct parquet_rgroup *g,
    struct err *e)
{
	struct column *x = &k->cols[c];

	x->group = g;
	x->seen = (struct parquet_seen){ 0 };
	x->wrong = NULL;
	return (parquet_index_load(&x->index, k->reader, &g->chunks[c], e));
}

/* The reader has looked that they are times. */
static void
see_times(struct check *k, const struct parquet_seen *s)
{

	if (s->min_i * TICKS_PER_US < k->min_tick)
		k->min_tick = s->min_i * TICKS_PER_US;
	if (s->max_i * TICKS_PER_US > k->max_tick)
		k->max_tick = s->max_i * TICKS_PER_US;
}

static int
see_page(void *cookie, uint32_t c, const struct parquet_source *p,
    struct err *e)
{
	struct check *k = cookie;
	struct column *x = &k->cols[c];
	enum rows_type type = k->schema->cols[c].type;
	const struct parquet_rgroup *g;
	struct parquet_rstat bounds;
	struct parquet_seen s;
	bool last;
	int rc;

	g = parquet_reader_group(k->reader, &last);
	if (x->group != g && (rc = begin(k, c, g, e)) != 0)
		return (rc);
	parquet_seen_page(&s, p);
	if (type == ROWS_STRING && s.any && x->wrong == NULL) {
		bounds = g->chunks[c].stat;
		bounds.nulls = -1;
		x->wrong = parquet_seen_wrong(&s, &bounds, type);
	}
	parquet_seen_add(&x->seen, &s);
	parquet_index_page(&x->index, p, &s);
	if (k->time_col == (int)c && s.any)
		see_times(k, &s);
	return (0);
}

/* --- judging ------------------------------------------------------------- */

static int
wrong(const struct check *k, uint32_t c, const char *what)
{

	return (err_set(k->err, ERR_CORRUPT, "row group %zu: column %s: the "
	    "statistics tell another %s than the values", k->group,
	    k->schema->cols[c].name, what));
}

static int
judge(const struct check *k, uint32_t c, const struct parquet_rstat *st)
{
	enum rows_type type = k->schema->cols[c].type;
	const struct column *x = &k->cols[c];
	struct parquet_rstat only = *st;
	const char *what;

	if (type == ROWS_LIST)
		return (0);
	if (type == ROWS_STRING && x->seen.any)
		only.has_min = only.has_max = false;	/* page by page */
	what = parquet_seen_wrong(&x->seen, &only, type);
	if (what == NULL)
		what = x->wrong;
	return (what != NULL ? wrong(k, c, what) : 0);
}

static void
judge_index(struct check *k, uint32_t c)
{
	struct parquet_index *x = &k->cols[c].index;

	parquet_index_end(x);
	if (x->wrong != NULL && k->index.code == 0)
		(void)err_set(&k->index, ERR_CORRUPT, "row group %zu: column "
		    "%s: page %zu: the page index tells another %s than the "
		    "page", k->group, k->schema->cols[c].name, x->page,
		    x->wrong);
}

static int
group_end(struct check *k, const struct parquet_rgroup *g)
{
	uint32_t c;
	int rc;

	for (c = 0; c < k->schema->ncols; c++) {
		if ((rc = judge(k, c, &g->chunks[c].stat)) != 0)
			return (rc);
		judge_index(k, c);
		k->cols[c].group = NULL;
	}
	k->group++;
	return (0);
}

/* Pages are what is looked at: no row is wanted. */
static int
read_all(struct check *k, uint64_t *rows)
{
	const struct parquet_rgroup *g;
	struct rows *r = rows_new(k->schema);
	bool *wanted, last;
	int rc;

	wanted = must_calloc(k->schema->ncols, sizeof(wanted[0]));
	parquet_reader_only(k->reader, wanted);
	parquet_reader_watch(k->reader, see_page, k);
	while ((rc = parquet_reader_next(k->reader, r, BATCH_ROWS,
	    k->err)) > 0) {
		g = parquet_reader_group(k->reader, &last);
		*rows += r->n;
		if (last && (rc = group_end(k, g)) != 0)
			break;
		rows_clear(r);
	}
	free(wanted);
	rows_free(r);
	return (rc);
}

/* The whole file, with what goes on in it in k->err or k->index. */
static int
check(struct check *k, struct parquet_checked *out)
{
	uint32_t c;
	int rc;

	k->cols = must_calloc(k->schema->ncols, sizeof(k->cols[0]));
	for (c = 0; c < k->schema->ncols; c++)
		parquet_index_init(&k->cols[c].index,
		    k->schema->cols[c].type);
	rc = read_all(k, &out->rows);
	out->min_tick = k->min_tick;
	out->max_tick = k->max_tick;
	if (rc != 0)
		out->page_at = parquet_reader_error_at(k->reader);
	else if (k->index.code != 0) {
		out->index = true;
		*k->err = k->index;
		rc = k->index.code;
	}
	for (c = 0; c < k->schema->ncols; c++)
		parquet_index_fini(&k->cols[c].index);
	free(k->cols);
	return (rc);
}

int
parquet_check(const struct sys *sys, const char *path, const char *times,
    struct parquet_checked *out, struct err *e)
{
	struct err why = ERR_INIT;
	struct check k = { .err = &why, .min_tick = INT64_MAX,
	    .max_tick = INT64_MIN };
	int rc;

	*out = (struct parquet_checked){ .min_tick = INT64_MAX,
	    .max_tick = INT64_MIN };
	if ((rc = parquet_reader_open(sys, path, &k.reader, e)) != 0)
		return (rc);
	k.schema = parquet_reader_schema(k.reader);
	k.time_col = times == NULL ? -1 : rows_schema_find(k.schema, times);
	if (k.time_col >= 0 && k.schema->cols[k.time_col].type != ROWS_TICKS)
		k.time_col = -1;
	if ((rc = check(&k, out)) != 0) {
		if (out->page_at == 0)
			(void)err_wrap(&why, "%s", path);
		if (e != NULL)
			*e = why;
	}
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
