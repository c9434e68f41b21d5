/*
 * A load in order. An entry is a row's place and its leading key columns
 * packed into two words: day and rank of the stream's text; time. A radix
 * sort by the first word (only digits that vary) makes groups, in the order
 * of reading; a group holds the rows of a few pages, each ascending in time,
 * so a natural merge sort by the second word and the rest of the key takes
 * one or two passes more. Then the newest row of each key stays.
 *
 * Equal keys: newer block (ingestion, group, position), then, as the rows
 * of one timestamp come whole from one answer, the higher ordinal, then the
 * later row.
 */

#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/must.h"
#include "base/ticks.h"
#include "compact/compact_int.h"

#define DIGIT_BITS 11
#define DIGITS (1u << DIGIT_BITS)
#define ROW_MASK ((1u << COMPACT_ROW_BITS) - 1)

struct sorter {
	struct compact_load *load;
	const struct compact_plan *plan;
	uint32_t rest;		/* first key column that is in neither word */
	struct compact_entry *e;
	struct compact_entry *tmp;
	size_t n;
	/* as an input */
	size_t next;
	struct compact_copy *copies;	/* [load->nchunks] */
};

static inline const struct compact_chunk *
chunk_of(const struct sorter *s, const struct compact_entry *e)
{

	return (&s->load->chunks[e->place >> COMPACT_ROW_BITS]);
}

/* --- packing ------------------------------------------------------------- */

static bool
is_text(enum rows_type type)
{

	return (type == ROWS_STRING || type == ROWS_LIST);
}

/* Bits of a key column in a word, 0 when it is not packed. */
static unsigned
key_bits(enum rows_type type)
{

	switch (type) {
	case ROWS_STRING:
	case ROWS_LIST:
	case ROWS_INT32:
		return (32);
	case ROWS_INT64:
	case ROWS_TICKS:
		return (64);
	case ROWS_BOOL:
	case ROWS_DOUBLE:
		break;
	}
	return (0);
}

/* The texts of all chunks in one dictionary, and their order. */
struct ranks {
	uint32_t **code;	/* [nchunks][chunk's code] -> rank */
	uint32_t nchunks;
};

static void
ranks_fini(struct ranks *k)
{
	uint32_t i;

	for (i = 0; k->code != NULL && i < k->nchunks; i++)
		free(k->code[i]);
	free(k->code);
}

static void
ranks_init(struct ranks *k, const struct compact_load *l, uint32_t col)
{
	const struct rows_dict *d;
	struct rows *all = rows_new(l->plan->schema);
	uint32_t i, j, *rank;
	const char *s;
	size_t len;

	k->nchunks = l->nchunks;
	k->code = must_calloc((size_t)l->nchunks + 1, sizeof(*k->code));
	for (i = 0; i < l->nchunks; i++) {
		d = &l->chunks[i].rows->v[col].dict;
		k->code[i] = must_calloc((size_t)d->n + 1, sizeof(uint32_t));
		for (j = 0; j < d->n; j++) {
			s = rows_dict_str(d, j, &len);
			k->code[i][j] = rows_intern(all, col, s, len);
		}
	}
	rank = rows_dict_ranks(&all->v[col].dict);
	for (i = 0; i < l->nchunks; i++)
		for (j = 0; j < l->chunks[i].rows->v[col].dict.n; j++)
			k->code[i][j] = rank[k->code[i][j]];
	free(rank);
	rows_free(all);
}

static uint64_t
key_word(const struct rows_vec *v, uint32_t i, enum rows_type type)
{

	if (type == ROWS_INT32)
		return ((uint32_t)v->i32[i] ^ 1u << 31);
	return ((uint64_t)v->i64[i] ^ 1ull << 63);
}

/* Behind what is in the first word, or as the second. */
static inline void
put_word(struct compact_entry *e, bool second, unsigned bits, uint64_t word)
{

	if (second)
		e->lo = word;
	else
		e->hi = bits == 64 ? word : e->hi << 32 | word;
}

static void
pack_chunk(struct sorter *s, uint32_t chunk, struct compact_entry *e,
    uint32_t col, bool second, const struct ranks *ranks)
{
	enum rows_type type = s->plan->schema->cols[col].type;
	const struct rows *r = s->load->chunks[chunk].rows;
	const struct rows_vec *v = &r->v[col];
	unsigned bits = key_bits(type);
	uint32_t i;

	if (is_text(type)) {
		for (i = 0; i < r->n; i++)
			put_word(&e[i], second, bits,
			    ranks->code[chunk][v->code[i]]);
	} else {
		for (i = 0; i < r->n; i++)
			put_word(&e[i], second, bits, key_word(v, i, type));
	}
}

static void
pack_key(struct sorter *s, uint32_t col, bool second)
{
	struct ranks ranks = { NULL, 0 };
	struct compact_entry *e = s->e;
	uint32_t i;

	if (is_text(s->plan->schema->cols[col].type))
		ranks_init(&ranks, s->load, col);
	for (i = 0; i < s->load->nchunks; i++) {
		pack_chunk(s, i, e, col, second, &ranks);
		e += s->load->chunks[i].rows->n;
	}
	ranks_fini(&ranks);
}

/* Places and days; the day is biased so that it sorts unsigned. */
static void
pack_places(struct sorter *s)
{
	const struct compact_plan *p = s->plan;
	struct compact_entry *e = s->e;
	const struct rows *r;
	uint32_t c, i;

	for (c = 0; c < s->load->nchunks; c++) {
		r = s->load->chunks[c].rows;
		for (i = 0; i < r->n; i++, e++) {
			e->place = c << COMPACT_ROW_BITS | i;
			e->hi = e->lo = 0;
			if (p->partitioned)
				e->hi = (uint32_t)ticks_day(
				    r->v[p->cursor].i64[i]) ^ 1u << 31;
		}
	}
	MUST(e == s->e + s->n);
}

static unsigned
bits_of(const struct compact_plan *p, uint32_t k)
{

	return (k < p->nkey ? key_bits(p->schema->cols[p->key[k]].type) : 0);
}

static void
pack(struct sorter *s)
{
	const struct compact_plan *p = s->plan;
	unsigned left = p->partitioned ? 32 : 64, bits;

	pack_places(s);
	for (; (bits = bits_of(p, s->rest)) != 0 && bits <= left; s->rest++) {
		pack_key(s, p->key[s->rest], false);
		left -= bits;
	}
	if (bits != 0)
		pack_key(s, p->key[s->rest++], true);
}

/* --- sorting ------------------------------------------------------------- */

static void
radix_pass(struct sorter *s, unsigned shift)
{
	size_t count[DIGITS], i, sum = 0, c;
	struct compact_entry *swap;

	memset(count, 0, sizeof(count));
	for (i = 0; i < s->n; i++)
		count[s->e[i].hi >> shift & (DIGITS - 1)]++;
	for (i = 0; i < DIGITS; i++) {
		c = count[i];
		count[i] = sum;
		sum += c;
	}
	for (i = 0; i < s->n; i++)
		s->tmp[count[s->e[i].hi >> shift & (DIGITS - 1)]++] = s->e[i];
	swap = s->e;
	s->e = s->tmp;
	s->tmp = swap;
}

static void
radix_sort(struct sorter *s)
{
	uint64_t vary = 0;
	unsigned shift;
	size_t i;

	for (i = 1; i < s->n; i++)
		vary |= s->e[i].hi ^ s->e[0].hi;
	for (shift = 0; shift < 64; shift += DIGIT_BITS)
		if ((vary >> shift & (DIGITS - 1)) != 0)
			radix_pass(s, shift);
}

/* Of equal first words. */
static inline int
key_cmp(const struct sorter *s, const struct compact_entry *a,
    const struct compact_entry *b)
{

	if (a->lo != b->lo)
		return (a->lo > b->lo ? 1 : -1);
	if (s->rest == s->plan->nkey)
		return (0);
	return (compact_plan_cmp(s->plan, s->rest, chunk_of(s, a)->rows,
	    a->place & ROW_MASK, chunk_of(s, b)->rows, b->place & ROW_MASK));
}

/* > 0 when a is newer. */
static int
age_cmp(const struct sorter *s, const struct compact_entry *a,
    const struct compact_entry *b)
{
	const struct compact_chunk *ca = chunk_of(s, a), *cb = chunk_of(s, b);
	uint32_t i = a->place & ROW_MASK, j = b->place & ROW_MASK;
	uint32_t aa = s->load->blocks[ca->block[i]].age;
	uint32_t ab = s->load->blocks[cb->block[j]].age;

	if (aa != ab)
		return (aa > ab ? 1 : -1);
	if (ca->ordinal[i] != cb->ordinal[j])
		return (ca->ordinal[i] > cb->ordinal[j] ? 1 : -1);
	return ((a->place > b->place) - (a->place < b->place));
}

/* Within a group of equal `hi`. */
static inline bool
comes_after(const struct sorter *s, const struct compact_entry *a,
    const struct compact_entry *b)
{
	int d = key_cmp(s, a, b);

	return (d > 0 || (d == 0 && age_cmp(s, a, b) < 0));
}

/* End of the ascending part of [i, n). */
static size_t
part_end(const struct sorter *s, const struct compact_entry *e, size_t i,
    size_t n)
{

	if (i == n)
		return (n);
	for (i++; i < n; i++)
		if (comes_after(s, &e[i - 1], &e[i]))
			break;
	return (i);
}

/* Merge [a, m) and [m, b) of `from` into `to`. */
static void
merge_parts(const struct sorter *s, const struct compact_entry *from,
    struct compact_entry *to, size_t a, size_t m, size_t b)
{
	size_t i = a, j = m, k = a;

	while (i < m && j < b)
		to[k++] = comes_after(s, &from[i], &from[j]) ? from[j++] :
		    from[i++];
	memcpy(&to[k], &from[i], (m - i) * sizeof(*to));
	k += m - i;
	memcpy(&to[k], &from[j], (b - j) * sizeof(*to));
}

/* Natural merge sort of a group; tmp holds as many. */
static void
group_sort(const struct sorter *s, struct compact_entry *e,
    struct compact_entry *tmp, size_t n)
{
	struct compact_entry *from = e, *to = tmp, *swap;
	size_t a, m, b, parts;

	if (part_end(s, e, 0, n) == n)
		return;
	do {
		parts = 0;
		for (a = 0; a < n; a = b, parts++) {
			m = part_end(s, from, a, n);
			b = part_end(s, from, m, n);
			merge_parts(s, from, to, a, m, b);
		}
		swap = from;
		from = to;
		to = swap;
	} while (parts > 1);
	if (from != e)
		memcpy(e, from, n * sizeof(*e));
}

static void
sort_groups(struct sorter *s)
{
	size_t a, b;

	for (a = 0; a < s->n; a = b) {
		for (b = a + 1; b < s->n && s->e[b].hi == s->e[a].hi; b++)
			;
		if (b - a > 1)
			group_sort(s, s->e + a, s->tmp + a, b - a);
	}
}

/* The first of equal keys stays. */
static uint64_t
drop_older(struct sorter *s)
{
	size_t i, k = 0;

	for (i = 1; i < s->n; i++)
		if (s->e[i].hi != s->e[k].hi ||
		    key_cmp(s, &s->e[i], &s->e[k]) != 0)
			s->e[++k] = s->e[i];
	i = s->n;
	if (s->n > 0)
		s->n = k + 1;
	return (i - s->n);
}

static int
block_cmp(const void *x, const void *y, void *cookie)
{
	const struct compact_block *blocks = cookie;
	uint32_t i = *(const uint32_t *)x, j = *(const uint32_t *)y;
	const struct compact_block *a = &blocks[i], *b = &blocks[j];

	if (a->ingested != b->ingested)
		return (a->ingested > b->ingested ? 1 : -1);
	if (a->group != b->group)
		return (a->group > b->group ? 1 : -1);
	return ((i > j) - (i < j));
}

static void
age_blocks(struct compact_load *l)
{
	uint32_t *order, i;

	order = must_calloc((size_t)l->nblocks + 1, sizeof(*order));
	for (i = 0; i < l->nblocks; i++)
		order[i] = i;
	qsort_r(order, l->nblocks, sizeof(*order), block_cmp, l->blocks);
	for (i = 0; i < l->nblocks; i++)
		l->blocks[order[i]].age = i;
	free(order);
}

/* --- as an input --------------------------------------------------------- */

/* Rows that lie one after the other, in one chunk and of one day. */
static uint32_t
span(const struct sorter *s, uint64_t day, uint32_t max)
{
	const struct compact_entry *e = &s->e[s->next];
	uint32_t n = 1;

	while (n < max && s->next + n < s->n && e[n].place == e->place + n &&
	    e[n].place >> COMPACT_ROW_BITS == e->place >> COMPACT_ROW_BITS &&
	    (!s->plan->partitioned || e[n].hi >> 32 == day))
		n++;
	return (n);
}

static int
fill(struct compact_input *in, struct err *e)
{
	struct sorter *s = in->state;
	const struct compact_entry *at;
	uint32_t i, n;
	uint64_t day;
	int rc;

	rows_clear(in->rows);
	for (i = 0; i < s->load->nchunks; i++)
		compact_copy_reset(&s->copies[i]);
	if (s->next == s->n)
		return (0);
	day = s->e[s->next].hi >> 32;
	if (s->plan->partitioned)
		in->day = (int32_t)((uint32_t)day ^ 1u << 31);
	while (s->next < s->n && in->rows->n < COMPACT_BATCH_ROWS) {
		at = &s->e[s->next];
		if (s->plan->partitioned && at->hi >> 32 != day)
			break;
		n = span(s, day, COMPACT_BATCH_ROWS - in->rows->n);
		i = at->place >> COMPACT_ROW_BITS;
		rc = compact_copy_rows(&s->copies[i], in->rows,
		    s->load->chunks[i].rows, NULL, at->place & ROW_MASK, n,
		    e);
		if (rc != 0)
			return (rc);
		s->next += n;
	}
	return (1);
}

static void
sorter_close(struct compact_input *in)
{
	struct sorter *s = in->state;
	uint32_t i;

	for (i = 0; s->copies != NULL && i < s->load->nchunks; i++)
		compact_copy_fini(&s->copies[i]);
	free(s->copies);
	free(s);
}

/* Room for n entries, and as many again. */
static bool
entries(struct compact_load *l, size_t n)
{

	if (n <= l->sort_cap)
		return (true);
	for (unsigned i = 0; i < 2; i++) {
		free(l->sort[i]);
		l->sort[i] = malloc(n * sizeof(*l->sort[i]));
	}
	l->sort_cap = l->sort[0] == NULL || l->sort[1] == NULL ? 0 : n;
	return (l->sort_cap > 0);
}

int
compact_sort_open(struct compact_load *l, unsigned order, uint64_t *dropped,
    struct compact_input **out, struct err *e)
{
	struct compact_input *in = compact_input_new(l->plan, order);
	struct sorter *s = must_calloc(1, sizeof(*s));
	uint32_t i;

	in->state = s;
	in->fill = fill;
	in->close = sorter_close;
	s->load = l;
	s->plan = l->plan;
	s->n = l->nrows;
	if (!entries(l, s->n + 1)) {
		compact_input_close(in);
		return (err_set(e, ERR_NOMEM, "cannot sort %zu rows in "
		    "memory", s->n));
	}
	s->e = l->sort[0];
	s->tmp = l->sort[1];
	age_blocks(l);
	pack(s);
	radix_sort(s);
	sort_groups(s);
	*dropped += drop_older(s);
	s->copies = must_calloc((size_t)l->nchunks + 1, sizeof(*s->copies));
	for (i = 0; i < l->nchunks; i++)
		compact_copy_init(&s->copies[i], l->plan->schema->ncols);
	*out = in;
	return (0);
}
