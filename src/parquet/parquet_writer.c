/*
 * The writer: rows go to the columns page by page; a full row group is
 * written column after column, behind it the page index and the footer.
 * Nothing is written twice and nothing is read back, so that the hash of
 * the file is made on the way.
 *
 * An error sticks: every later append and finish returns it, and the file
 * is removed.
 */

#include "config.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include <xxhash.h>

#include "base/err.h"
#include "base/must.h"
#include "codec/zip.h"
#include "parquet/parquet_int.h"
#include "sys/sys.h"

#define ZSTD_LEVEL 3
#define GROUP_ROWS 1000000
#define PAGE_ROWS 20000
#define GROUP_ROWS_MAX (1u << 30)

struct parquet_writer {
	const struct sys *sys;		/* borrowed */
	char *path;
	int fd;
	int error;
	uint64_t at;			/* bytes written */
	XXH3_state_t *hash;
	struct rows_schema *schema;
	uint32_t group_rows, page_rows;
	uint32_t *sorted;
	size_t nsorted;
	struct rows *dicts;		/* no rows, only dictionaries */
	struct parquet_scratch scratch;
	struct parquet_column *cols;
	uint64_t rows;			/* in finished groups */
	uint32_t rows_in_group;
	uint32_t rows_in_page;
	struct parquet_group *groups;
	size_t ngroups, cap;
};

static int
put(struct parquet_writer *w, const void *p, size_t n, struct err *e)
{
	int rc;

	if (n == 0)
		return (0);
	if ((rc = sys_pwrite_all(w->sys, w->fd, p, n, (int64_t)w->at,
	    e)) != 0)
		return (rc);
	(void)XXH3_64bits_update(w->hash, p, n);
	w->at += n;
	return (0);
}

static int
find_sorted(struct parquet_writer *w, const struct parquet_options *o,
    struct err *e)
{
	size_t i;
	int c;

	if (o == NULL || o->sorted_by == NULL)
		return (0);
	w->sorted = must_calloc(o->sorted_n + 1, sizeof(*w->sorted));
	for (i = 0; i < o->sorted_n; i++) {
		if ((c = rows_schema_find(w->schema, o->sorted_by[i])) < 0)
			return (err_set(e, ERR_INTERNAL, "no column %s to "
			    "sort by", o->sorted_by[i]));
		w->sorted[w->nsorted++] = (uint32_t)c;
	}
	return (0);
}

static void
writer_free(struct parquet_writer *w)
{
	uint32_t c;
	size_t g;

	for (c = 0; c < w->schema->ncols; c++)
		parquet_column_fini(&w->cols[c]);
	for (g = 0; g < w->ngroups; g++) {
		for (c = 0; c < w->schema->ncols; c++)
			free(w->groups[g].chunks[c].pages);
		free(w->groups[g].chunks);
	}
	free(w->groups);
	free(w->cols);
	rows_free(w->dicts);
	buf_fini(&w->scratch.body);
	buf_fini(&w->scratch.codes);
	buf_fini(&w->scratch.zipped);
	zip_free(w->scratch.zip);
	(void)XXH3_freeState(w->hash);
	free(w->sorted);
	rows_schema_free(w->schema);
	free(w->path);
	free(w);
}

static struct parquet_writer *
writer_new(const struct sys *sys, const char *path,
    const struct rows_schema *schema, const struct parquet_options *o)
{
	struct parquet_writer *w = must_calloc(1, sizeof(*w));
	uint32_t c;

	w->sys = sys;
	w->path = must_strdup(path);
	w->fd = -1;
	MUST_MEMORY((w->hash = XXH3_createState()) != NULL);
	(void)XXH3_64bits_reset(w->hash);
	w->schema = rows_schema_dup(schema);
	w->group_rows = o != NULL && o->group_rows > 0 ? o->group_rows :
	    GROUP_ROWS;
	if (w->group_rows > GROUP_ROWS_MAX)
		w->group_rows = GROUP_ROWS_MAX;
	w->page_rows = o != NULL && o->page_rows > 0 ? o->page_rows :
	    PAGE_ROWS;
	if (w->page_rows > PARQUET_PAGE_ROWS_MAX)
		w->page_rows = PARQUET_PAGE_ROWS_MAX;
	w->dicts = rows_new(w->schema);
	w->scratch.zip = zip_new(o != NULL && o->zstd_level != 0 ?
	    o->zstd_level : ZSTD_LEVEL);
	buf_init(&w->scratch.body, PARQUET_PAGE_MAX);
	buf_init(&w->scratch.codes, PARQUET_PAGE_MAX);
	buf_init(&w->scratch.zipped, (size_t)PARQUET_PAGE_MAX * 2);
	w->cols = must_calloc(schema->ncols, sizeof(*w->cols));
	for (c = 0; c < schema->ncols; c++)
		parquet_column_init(&w->cols[c], w->schema, c, w->dicts);
	return (w);
}

int
parquet_writer_open(const struct sys *sys, const char *path,
    const struct rows_schema *schema, const struct parquet_options *o,
    struct parquet_writer **out, struct err *e)
{
	struct parquet_writer *w = writer_new(sys, path, schema, o);
	int rc;

	*out = NULL;
	if ((rc = find_sorted(w, o, e)) != 0)
		goto out;
	w->fd = sys->open(sys->cookie, path, O_WRONLY | O_CREAT | O_EXCL,
	    0666);
	if (w->fd < 0) {
		rc = err_sys(e, errno, "cannot create %s", path);
		goto out;
	}
	if ((rc = put(w, PARQUET_MAGIC, 4, e)) != 0) {
		err_wrap(e, "%s", path);
		parquet_writer_abort(w);
		return (rc);
	}
	*out = w;
	return (0);
out:
	writer_free(w);
	return (rc);
}

void
parquet_writer_abort(struct parquet_writer *w)
{

	if (w == NULL)
		return;
	if (w->fd >= 0)
		w->sys->close(w->sys->cookie, w->fd);
	w->sys->unlink(w->sys->cookie, w->path);
	writer_free(w);
}

/* --- row groups ---------------------------------------------------------- */

static struct parquet_group *
add_group(struct parquet_writer *w)
{
	struct parquet_group *g;

	if (w->ngroups == w->cap) {
		w->cap = w->cap == 0 ? 4 : w->cap * 2;
		w->groups = must_realloc(w->groups, w->cap,
		    sizeof(*w->groups));
	}
	g = &w->groups[w->ngroups++];
	memset(g, 0, sizeof(*g));
	g->rows = w->rows_in_group;
	g->offset = w->at;
	g->chunks = must_calloc(w->schema->ncols, sizeof(*g->chunks));
	return (g);
}

static int
write_chunk(struct parquet_writer *w, struct parquet_column *c,
    struct parquet_chunk *out, struct err *e)
{
	const struct buf *dict = &w->scratch.codes;
	struct parquet_chunk *k = &c->chunk;
	uint64_t from = w->at;
	size_t i;
	int rc;

	if ((rc = parquet_column_dict(c, &w->scratch, e)) != 0)
		return (rc);
	k->dict_offset = dict->len > 0 ? from : 0;
	k->data_offset = from + dict->len;
	k->bytes = dict->len + c->pages.len;
	for (i = 0; i < k->n; i++)
		k->pages[i].offset += k->data_offset;
	if ((rc = put(w, dict->data, dict->len, e)) != 0 ||
	    (rc = put(w, c->pages.data, c->pages.len, e)) != 0)
		return (rc);
	parquet_column_next(c, out);
	return (0);
}

static int
flush_pages(struct parquet_writer *w, struct err *e)
{
	uint32_t c;
	int rc;

	for (c = 0; c < w->schema->ncols; c++)
		if ((rc = parquet_column_flush(&w->cols[c], &w->scratch,
		    e)) != 0)
			return (rc);
	w->rows_in_page = 0;
	return (0);
}

static int
end_group(struct parquet_writer *w, struct err *e)
{
	struct parquet_group *g;
	uint32_t c;
	size_t i;
	int rc;

	if (w->rows_in_group == 0)
		return (0);
	if ((rc = flush_pages(w, e)) != 0)
		return (rc);
	g = add_group(w);
	for (c = 0; c < w->schema->ncols; c++)
		if ((rc = write_chunk(w, &w->cols[c], &g->chunks[c],
		    e)) != 0)
			return (rc);
	/* Where nulls stand is the caller's affair: do not vouch for it. */
	g->sorted = true;
	for (i = 0; i < w->nsorted; i++)
		if (g->chunks[w->sorted[i]].range.nulls > 0)
			g->sorted = false;
	w->rows += w->rows_in_group;
	w->rows_in_group = 0;
	rows_clear(w->dicts);
	w->scratch.call++;
	return (0);
}

static uint64_t
group_bytes(const struct parquet_writer *w)
{
	uint64_t sum = 0;
	uint32_t c;

	for (c = 0; c < w->schema->ncols; c++)
		sum += w->cols[c].pages.len;
	return (sum);
}

static uint32_t
least(uint32_t a, uint32_t b)
{

	return (a < b ? a : b);
}

/* Rows up to the end of the page or the group, whichever comes first. */
static int
append_some(struct parquet_writer *w, const struct rows *r, uint32_t from,
    uint32_t n, struct err *e)
{
	uint32_t c;
	int rc;

	for (c = 0; c < w->schema->ncols; c++)
		if ((rc = parquet_column_append(&w->cols[c], &w->scratch, r,
		    from, n, e)) != 0)
			return (rc);
	w->rows_in_page += n;
	w->rows_in_group += n;
	if (w->rows_in_page >= w->page_rows &&
	    (rc = flush_pages(w, e)) != 0)
		return (rc);
	if (w->rows_in_group >= w->group_rows ||
	    group_bytes(w) >= PARQUET_GROUP_BYTES)
		return (end_group(w, e));
	return (0);
}

int
parquet_writer_append(struct parquet_writer *w, const struct rows *r,
    uint32_t from, uint32_t n, struct err *e)
{
	uint32_t k;

	MUST(from <= r->n && n <= r->n - from);
	MUST(r->schema->ncols == w->schema->ncols);
	if (w->error != 0)
		return (err_set(e, w->error, "%s: has failed before",
		    w->path));
	for (w->scratch.call++; n > 0; from += k, n -= k) {
		k = least(n, least(w->page_rows - w->rows_in_page,
		    w->group_rows - w->rows_in_group));
		if ((w->error = append_some(w, r, from, k, e)) != 0) {
			err_wrap(e, "%s", w->path);
			return (w->error);
		}
	}
	return (0);
}

uint64_t
parquet_writer_rows(const struct parquet_writer *w)
{

	return (w->rows + w->rows_in_group);
}

uint64_t
parquet_writer_bytes(const struct parquet_writer *w)
{

	return (w->at + group_bytes(w));
}

uint64_t
parquet_writer_pending(const struct parquet_writer *w)
{
	uint64_t sum = 0;
	uint32_t c;

	for (c = 0; c < w->schema->ncols; c++)
		sum += w->cols[c].pages.len + w->cols[c].vals.len +
		    w->cols[c].def.len + w->cols[c].rep.len +
		    w->cols[c].dict_bytes;
	return (sum);
}

/* --- the end ------------------------------------------------------------- */

static int
write_footer(struct parquet_writer *w, struct err *e)
{
	struct parquet_file_info f = {
		.schema = w->schema, .groups = w->groups,
		.ngroups = w->ngroups, .rows = w->rows,
		.sorted = w->sorted, .nsorted = w->nsorted,
	};
	struct buf b;
	size_t at;
	int rc;

	buf_init(&b, PARQUET_FOOTER_MAX);
	parquet_footer_indexes(w->groups, w->ngroups, w->schema, w->at, &b);
	at = b.len;
	parquet_footer_put(&f, &b);
	buf_u32le(&b, (uint32_t)(b.len - at));
	buf_puts(&b, PARQUET_MAGIC);
	if ((rc = b.error) != 0)
		err_set(e, rc, "no room for the footer");
	else
		rc = put(w, b.data, b.len, e);
	buf_fini(&b);
	return (rc);
}

static void
tell(const struct parquet_writer *w, struct parquet_info *info)
{
	struct parquet_range all;
	enum rows_type type;
	uint32_t c;
	size_t g;

	info->rows = w->rows;
	info->bytes = w->at;
	info->xxh64 = XXH3_64bits_digest(w->hash);
	info->ncols = w->schema->ncols;
	info->stats = must_calloc(info->ncols, sizeof(*info->stats));
	for (c = 0; c < info->ncols; c++) {
		type = w->schema->cols[c].type;
		memset(&all, 0, sizeof(all));
		for (g = 0; g < w->ngroups; g++)
			parquet_range_merge(&all,
			    &w->groups[g].chunks[c].range, type);
		parquet_range_stat(&all, type, &info->stats[c]);
	}
}

int
parquet_writer_finish(struct parquet_writer *w, struct parquet_info *info,
    struct err *e)
{
	int rc = w->error;

	memset(info, 0, sizeof(*info));
	if (rc != 0)
		err_set(e, rc, "has failed before");
	else if ((rc = end_group(w, e)) == 0 &&
	    (rc = write_footer(w, e)) == 0 &&
	    w->sys->fsync(w->sys->cookie, w->fd) != 0)
		rc = err_sys(e, errno, "cannot sync");
	if (w->sys->close(w->sys->cookie, w->fd) != 0 && rc == 0)
		rc = err_sys(e, errno, "cannot close");
	w->fd = -1;
	if (rc != 0) {
		err_wrap(e, "%s", w->path);
		parquet_writer_abort(w);
		return (rc);
	}
	tell(w, info);
	writer_free(w);
	return (0);
}

void
parquet_info_fini(struct parquet_info *info)
{

	free(info->stats);
	memset(info, 0, sizeof(*info));
}
