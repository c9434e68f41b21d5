/*
 * The reader: a source a column, each with one page decoded; a call copies
 * as many rows as are asked for, page by page, into the batch. Codes of the
 * file are mapped to codes of the batch once a call. The batch grows by
 * whole rows only: an error leaves it as it was.
 */

#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/must.h"
#include "codec/json.h"
#include "codec/zip.h"
#include "parquet/parquet_int.h"
#include "sys/sys.h"

/* Text of one column of a batch; a page adds less than that. */
#define TEXT_MAX (1u << 30)

struct parquet_reader {
	const struct sys *sys;		/* borrowed */
	char *path;
	int fd;
	struct parquet_meta meta;
	struct parquet_source *cols;
	struct parquet_rscratch scratch;
	struct buf text;		/* a list being put together */
	uint32_t call;
	int error;			/* sticks */
	uint64_t error_at;		/* in the file */
	size_t group;			/* the next one */
	uint64_t rows_left;		/* of the one at hand */
	bool *wanted;			/* [ncols], or NULL: all */
	parquet_page_fn *watch;		/* or NULL */
	void *watch_cookie;
};

static int
read_footer(struct parquet_reader *r, struct err *e)
{
	struct buf *b = &r->scratch.file;
	uint8_t tail[8], head[4], *to;
	struct cur c;
	int64_t size;
	size_t n;
	int rc;

	if ((size = r->sys->fsize(r->sys->cookie, r->fd)) < 0)
		return (err_sys(e, errno, "cannot get the size"));
	if (size < 12)
		return (err_set(e, ERR_CORRUPT, "too short for a Parquet "
		    "file"));
	if ((rc = sys_pread_all(r->sys, r->fd, tail, 8, size - 8, e)) != 0 ||
	    (rc = sys_pread_all(r->sys, r->fd, head, 4, 0, e)) != 0)
		return (rc);
	if (memcmp(tail + 4, PARQUET_MAGIC, 4) != 0 ||
	    memcmp(head, PARQUET_MAGIC, 4) != 0)
		return (err_set(e, ERR_CORRUPT, "no Parquet file"));
	cur_init(&c, tail, 4);
	n = cur_u32le(&c);
	if (n > PARQUET_FOOTER_MAX || n > (uint64_t)size - 12)
		return (err_set(e, ERR_CORRUPT, "a footer of %zu bytes", n));
	buf_clear(b);
	if ((to = buf_reserve(b, n)) == NULL)
		return (err_set(e, b->error, "a footer of %zu bytes", n));
	if ((rc = sys_pread_all(r->sys, r->fd, to, n,
	    size - 8 - (int64_t)n, e)) != 0)
		return (rc);
	return (parquet_meta_parse(&r->meta, to, n, (uint64_t)size - 8 - n,
	    e));
}

int
parquet_reader_open(const struct sys *sys, const char *path,
    struct parquet_reader **out, struct err *e)
{
	struct parquet_reader *r = must_calloc(1, sizeof(*r));
	uint32_t c;
	int rc;

	*out = NULL;
	r->sys = sys;
	r->fd = -1;
	r->path = must_strdup(path);
	r->scratch.zip = zip_new(1);
	buf_init(&r->scratch.file, PARQUET_PAGE_MAX);
	buf_init(&r->scratch.codes, PARQUET_PAGE_MAX);
	buf_init(&r->text, LIMIT_CELL_MAX);
	r->fd = sys->open(sys->cookie, path, O_RDONLY, 0);
	if (r->fd < 0)
		rc = err_sys(e, errno, "cannot open");
	else
		rc = read_footer(r, e);
	if (rc != 0) {
		err_wrap(e, "%s", path);
		parquet_reader_close(r);
		return (rc);
	}
	r->cols = must_calloc(r->meta.schema->ncols, sizeof(*r->cols));
	for (c = 0; c < r->meta.schema->ncols; c++)
		parquet_source_init(&r->cols[c], sys, r->fd,
		    &r->meta.schema->cols[c]);
	*out = r;
	return (0);
}

void
parquet_reader_close(struct parquet_reader *r)
{
	uint32_t c;

	if (r == NULL)
		return;
	for (c = 0; r->cols != NULL && c < r->meta.schema->ncols; c++)
		parquet_source_fini(&r->cols[c]);
	free(r->cols);
	free(r->wanted);
	if (r->fd >= 0)
		r->sys->close(r->sys->cookie, r->fd);
	parquet_meta_fini(&r->meta);
	buf_fini(&r->scratch.file);
	buf_fini(&r->scratch.codes);
	buf_fini(&r->text);
	zip_free(r->scratch.zip);
	free(r->path);
	free(r);
}

const struct rows_schema *
parquet_reader_schema(const struct parquet_reader *r)
{

	return (r->meta.schema);
}

uint64_t
parquet_reader_rows(const struct parquet_reader *r)
{

	return (r->meta.rows);
}

uint64_t
parquet_reader_error_at(const struct parquet_reader *r)
{

	return (r->error_at);
}

const struct parquet_rgroup *
parquet_reader_group(const struct parquet_reader *r, bool *last)
{

	MUST(r->group > 0);
	*last = r->rows_left == 0;
	return (&r->meta.groups[r->group - 1]);
}

void
parquet_reader_only(struct parquet_reader *r, const bool *wanted)
{
	uint32_t n = r->meta.schema->ncols;

	MUST(r->call == 0 && r->wanted == NULL);
	r->wanted = must_calloc(n, sizeof(r->wanted[0]));
	memcpy(r->wanted, wanted, n * sizeof(r->wanted[0]));
}

void
parquet_reader_watch(struct parquet_reader *r, parquet_page_fn *fn,
    void *cookie)
{

	r->watch = fn;
	r->watch_cookie = cookie;
}

int
parquet_reader_bytes(const struct parquet_reader *r,
    const struct parquet_extent *x, struct buf *b, struct err *e)
{
	uint8_t *to;
	int rc;

	buf_clear(b);
	if ((to = buf_reserve(b, x->bytes)) == NULL)
		return (err_set(e, b->error, "%u bytes", x->bytes));
	rc = sys_pread_all(r->sys, r->fd, to, x->bytes, (int64_t)x->offset,
	    e);
	b->len = rc == 0 ? x->bytes : 0;
	return (rc);
}

/* --- cells --------------------------------------------------------------- */

/* A text value as a code of the batch. */
static uint32_t
code_of(struct parquet_reader *r, struct parquet_source *s, uint32_t i,
    struct rows *out, uint32_t c)
{
	const uint32_t *vals = (const void *)s->vals.data;
	struct parquet_remap *m = s->coded ? &s->remap[vals[i]] : NULL;
	const char *text;
	uint32_t code;
	size_t len;

	if (m != NULL && m->call == r->call)
		return (m->code);
	text = parquet_source_text(s, i, &len);
	code = rows_intern(out, c, text, len);
	if (m != NULL)
		*m = (struct parquet_remap){ r->call, code };
	return (code);
}

static void
put_value(struct parquet_source *s, enum rows_type type, struct rows_vec *v,
    uint32_t to, uint32_t from, uint32_t n)
{
	size_t w = rows_width(type);
	const int64_t *us = (const void *)s->vals.data;
	uint32_t i;

	if (type != ROWS_TICKS) {
		memcpy(v->b + to * w, s->vals.data + from * w, n * w);
		return;
	}
	for (i = 0; i < n; i++)
		v->i64[to + i] = us[from + i] * 10;
}

/* Microseconds that have no ticks are damage: checked a page at a time. */
static int
check_times(const struct parquet_source *s, struct err *e)
{
	const int64_t *us = (const void *)s->vals.data;
	uint32_t i;

	for (i = 0; i < s->nvals; i++)
		if (us[i] > INT64_MAX / 10 || us[i] < INT64_MIN / 10)
			return (err_set(e, ERR_CORRUPT, "a time out of "
			    "range"));
	return (0);
}

/* The next n entries of the page go to rows at `to`. */
static void
copy_flat(struct parquet_reader *r, struct parquet_source *s,
    struct rows *out, uint32_t c, uint32_t to, uint32_t n)
{
	struct rows_vec *v = &out->v[c];
	enum rows_type type = s->col->type;
	uint32_t i;

	if (s->full && type != ROWS_STRING) {
		memset(v->valid + to, 1, n);
		put_value(s, type, v, to, s->next_val, n);
		s->next_val += n;
		s->next += n;
		return;
	}
	for (i = 0; i < n; i++, s->next++) {
		v->valid[to + i] = s->full || s->def.data[s->next] != 0;
		if (!v->valid[to + i])
			continue;
		if (type == ROWS_STRING)
			v->code[to + i] = code_of(r, s, s->next_val, out, c);
		else
			put_value(s, type, v, to + i, s->next_val, 1);
		s->next_val++;
	}
}

/* One row of a list: its entries up to the next with repetition 0. */
static int
copy_list(struct parquet_reader *r, struct parquet_source *s,
    struct rows *out, uint32_t c, uint32_t to, struct err *e)
{
	uint8_t empty = (uint8_t)(s->max_def - 2), def = s->def.data[s->next];
	struct buf *b = &r->text;
	const char *text;
	size_t len;
	bool first = true;

	out->v[c].valid[to] = def >= empty;
	buf_clear(b);
	buf_u8(b, '[');
	do {
		def = s->def.data[s->next];
		if (def > empty && !first)
			buf_u8(b, ',');
		first = false;
		if (def == s->max_def) {
			text = parquet_source_text(s, s->next_val++, &len);
			json_put_str(b, text, len);
		} else if (def > empty)
			buf_puts(b, "null");
		s->next++;
	} while (s->next < s->n && s->rep.data[s->next] != 0);
	buf_u8(b, ']');
	if (b->error != 0)
		return (err_set(e, b->error, "a list is too long"));
	if (out->v[c].valid[to])
		out->v[c].code[to] = rows_intern(out, c,
		    (const char *)b->data, b->len);
	return (0);
}

static int
next_page(struct parquet_reader *r, struct parquet_source *s, struct err *e)
{
	int rc;

	if (s->values_left == 0)
		return (err_set(e, ERR_CORRUPT, "fewer values than rows"));
	if ((rc = parquet_source_page(s, &r->scratch, e)) == 0 &&
	    s->col->type == ROWS_TICKS)
		rc = check_times(s, e);
	if (rc == 0 && r->watch != NULL)
		rc = r->watch(r->watch_cookie, (uint32_t)(s - r->cols), s, e);
	return (rc);
}

static size_t
dict_bytes(const struct rows *out, uint32_t c)
{
	const struct rows_dict *d = &out->v[c].dict;

	return (d->n > 0 ? d->off[d->n] : 0);
}

/* Up to n rows of the page are not wanted: how many there are. */
static uint32_t
pass_rows(struct parquet_source *s, uint32_t n)
{
	uint32_t k = 0;

	if (s->col->type != ROWS_LIST) {
		k = s->n - s->next < n ? s->n - s->next : n;
		s->next += k;
		return (k);
	}
	while (s->next < s->n && (k < n || s->rep.data[s->next] != 0))
		k += s->rep.data[s->next++] == 0;
	return (k);
}

/* Up to n rows at `at`, from the page at hand: how many there are. */
static int
copy_page(struct parquet_reader *r, uint32_t c, struct rows *out,
    uint32_t at, uint32_t n, uint32_t *k, struct err *e)
{
	struct parquet_source *s = &r->cols[c];

	*k = 1;
	if (dict_bytes(out, c) > TEXT_MAX)
		return (err_set(e, ERR_LIMIT, "too much text"));
	if (s->col->type == ROWS_LIST)
		return (copy_list(r, s, out, c, at, e));
	*k = s->n - s->next < n ? s->n - s->next : n;
	copy_flat(r, s, out, c, at, *k);
	return (0);
}

static int
copy_column(struct parquet_reader *r, uint32_t c, struct rows *out,
    uint32_t n, struct err *e)
{
	struct parquet_source *s = &r->cols[c];
	bool wanted = r->wanted == NULL || r->wanted[c];
	uint32_t at = out->n, end = out->n + n, k = 0;
	int rc = 0;

	if (!wanted)
		memset(out->v[c].valid + at, 0, n);
	if (!wanted && r->watch == NULL)
		return (0);
	while (rc == 0 && at < end) {
		if (s->next == s->n && (rc = next_page(r, s, e)) != 0)
			break;
		if (wanted)
			rc = copy_page(r, c, out, at, end - at, &k, e);
		else
			k = pass_rows(s, end - at);
		at += k;
	}
	if (rc == 0 && r->rows_left == n &&
	    (s->next < s->n || s->values_left > 0))
		rc = err_set(e, ERR_CORRUPT, "more values than rows");
	if (rc != 0)
		err_wrap(e, "column %s, page at offset %llu", s->col->name,
		    (unsigned long long)s->page_at);
	return (rc);
}

static bool
next_group(struct parquet_reader *r)
{
	const struct parquet_rgroup *g;
	uint32_t c;

	while (r->rows_left == 0) {
		if (r->group == r->meta.ngroups)
			return (false);
		g = &r->meta.groups[r->group++];
		r->rows_left = g->rows;
		for (c = 0; c < r->meta.schema->ncols; c++)
			parquet_source_start(&r->cols[c], &g->chunks[c]);
	}
	return (true);
}

int
parquet_reader_next(struct parquet_reader *r, struct rows *out, uint32_t max,
    struct err *e)
{
	uint32_t c, n;
	int rc;

	MUST(out->schema->ncols == r->meta.schema->ncols);
	if (r->error != 0)
		return (err_set(e, r->error, "%s: has failed before",
		    r->path));
	if (max == 0 || !next_group(r))
		return (0);
	if (max > INT32_MAX)
		max = INT32_MAX;
	n = r->rows_left < max ? (uint32_t)r->rows_left : max;
	r->call++;
	if ((rc = rows_reserve(out, n)) != 0)
		return (err_set(e, rc, "%s: %u rows", r->path, n));
	for (c = 0; c < r->meta.schema->ncols; c++)
		if ((rc = copy_column(r, c, out, n, e)) != 0) {
			err_wrap(e, "%s: row group %zu", r->path, r->group);
			/* Columns are out of step now. */
			r->error = rc;
			r->error_at = r->cols[c].page_at;
			return (rc);
		}
	out->n += n;
	r->rows_left -= n;
	return ((int)n);
}
