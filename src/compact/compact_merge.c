/*
 * Sorted inputs into one, for one day. A heap holds the inputs at that day,
 * the least next row on top, of equal keys the newest. The top gives a span:
 * all its rows before the next input's row, found by doubling steps, so that
 * a few new rows among many old ones cost little. Equal keys of the other
 * inputs are dropped. Each input has a key at most once.
 */

#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "base/must.h"
#include "compact/compact_int.h"

struct merge {
	const struct compact_plan *plan;
	const struct compact_sink *sink;
	int32_t day;
	struct compact_input **heap;
	size_t n;
	struct rows *out;
	uint64_t *dropped;
};

struct compact_input *
compact_input_new(const struct compact_plan *p, unsigned order)
{
	struct compact_input *in = must_calloc(1, sizeof(*in));

	in->rows = rows_new(p->schema);
	in->order = order;
	compact_copy_init(&in->copy, p->schema->ncols);
	return (in);
}

void
compact_input_close(struct compact_input *in)
{

	if (in == NULL)
		return;
	in->close(in);
	rows_free(in->rows);
	compact_copy_fini(&in->copy);
	free(in);
}

int
compact_input_ready(struct compact_input *in, struct err *e)
{
	int rc;

	if (in->end || in->i < in->rows->n)
		return (0);
	in->i = 0;
	compact_copy_reset(&in->copy);
	rc = in->fill(in, e);
	in->end = rc <= 0;
	MUST(in->end || in->rows->n > 0);
	return (rc < 0 ? rc : 0);
}

/* --- the heap ------------------------------------------------------------ */

static int
key_cmp(const struct merge *m, const struct compact_input *a, uint32_t i,
    const struct compact_input *b)
{

	return (compact_plan_cmp(m->plan, 0, a->rows, i, b->rows, b->i));
}

static bool
before(const struct merge *m, const struct compact_input *a,
    const struct compact_input *b)
{
	int d = key_cmp(m, a, a->i, b);

	if (d == 0)
		d = -compact_plan_age(m->plan, a->rows, a->i, b->rows, b->i);
	return (d != 0 ? d < 0 : a->order > b->order);
}

static void
sift_down(struct merge *m, size_t i)
{
	struct compact_input *in = m->heap[i];
	size_t c;

	while ((c = 2 * i + 1) < m->n) {
		if (c + 1 < m->n && before(m, m->heap[c + 1], m->heap[c]))
			c++;
		if (!before(m, m->heap[c], in))
			break;
		m->heap[i] = m->heap[c];
		i = c;
	}
	m->heap[i] = in;
}

/* The input at place i has moved on: its new place, or out. */
static int
settle(struct merge *m, size_t i, struct err *e)
{
	struct compact_input *in = m->heap[i];
	int rc;

	if ((rc = compact_input_ready(in, e)) != 0)
		return (rc);
	if (in->end || in->day != m->day)
		m->heap[i] = m->heap[--m->n];
	if (i < m->n)
		sift_down(m, i);
	return (0);
}

/* Place of the input after the top; 0 when it is alone. */
static size_t
second(const struct merge *m)
{

	if (m->n < 2)
		return (0);
	if (m->n > 2 && before(m, m->heap[2], m->heap[1]))
		return (2);
	return (1);
}

/* --- spans --------------------------------------------------------------- */

/* End of the top's rows that come before the next row of `other`; the first
 * does. */
static uint32_t
span_end(const struct merge *m, const struct compact_input *top,
    const struct compact_input *other)
{
	uint32_t lo = top->i, hi = top->rows->n, step = 1, mid;

	while (step < hi - lo) {
		if (key_cmp(m, top, lo + step, other) >= 0) {
			hi = lo + step;
			break;
		}
		lo += step;
		step *= 2;
	}
	while (hi - lo > 1) {
		mid = lo + (hi - lo) / 2;
		if (key_cmp(m, top, mid, other) < 0)
			lo = mid;
		else
			hi = mid;
	}
	return (hi);
}

static int
flush(struct merge *m, struct err *e)
{
	size_t i;
	int rc;

	if (m->out->n == 0)
		return (0);
	rc = m->sink->put(m->sink->cookie, m->out, 0, m->out->n, e);
	rows_clear(m->out);
	for (i = 0; i < m->n; i++)
		compact_copy_reset(&m->heap[i]->copy);
	return (rc);
}

static int
emit(struct merge *m, struct compact_input *in, uint32_t end, struct err *e)
{
	uint32_t n;
	int rc;

	if (m->sink->count != NULL) {
		*m->sink->count += end - in->i;
		in->i = end;
	}
	while (in->i < end) {
		n = COMPACT_BATCH_ROWS - m->out->n;
		if (n > end - in->i)
			n = end - in->i;
		rc = compact_copy_rows(&in->copy, m->out, in->rows, NULL,
		    in->i, n, e);
		if (rc != 0)
			return (rc);
		in->i += n;
		if (m->out->n == COMPACT_BATCH_ROWS &&
		    (rc = flush(m, e)) != 0)
			return (rc);
	}
	return (0);
}

static int
step(struct merge *m, struct err *e)
{
	struct compact_input *top = m->heap[0];
	size_t s;
	int rc;

	while ((s = second(m)) != 0 &&
	    key_cmp(m, top, top->i, m->heap[s]) == 0) {
		if (!m->heap[s]->existing)
			(*m->dropped)++;
		m->heap[s]->i++;
		if ((rc = settle(m, s, e)) != 0)
			return (rc);
	}
	rc = emit(m, top, s == 0 ? top->rows->n :
	    span_end(m, top, m->heap[s]), e);
	return (rc != 0 ? rc : settle(m, 0, e));
}

/* One input: its batches pass as they are. */
static int
pass(struct merge *m, struct err *e)
{
	struct compact_input *in = m->heap[0];
	uint32_t i;
	int rc = 0;

	while (rc == 0 && !in->end && in->day == m->day) {
		i = in->i;
		in->i = in->rows->n;
		if (m->sink->count != NULL)
			*m->sink->count += in->i - i;
		else
			rc = m->sink->put(m->sink->cookie, in->rows, i,
			    in->i - i, e);
		if (rc == 0)
			rc = compact_input_ready(in, e);
	}
	m->n = 0;
	return (rc);
}

int
compact_merge_day(const struct compact_plan *p,
    struct compact_input *const *in, size_t n, int32_t day,
    const struct compact_sink *sink, uint64_t *dropped, struct err *e)
{
	struct merge m = { .plan = p, .sink = sink, .day = day,
	    .dropped = dropped };
	size_t i;
	int rc = 0;

	m.heap = must_calloc(n + 1, sizeof(*m.heap));
	m.out = rows_new(p->schema);
	for (i = 0; i < n && rc == 0; i++) {
		if ((rc = compact_input_ready(in[i], e)) != 0)
			goto out;
		compact_copy_reset(&in[i]->copy);
		if (!in[i]->end && in[i]->day == day)
			m.heap[m.n++] = in[i];
	}
	for (i = m.n / 2; i-- > 0;)
		sift_down(&m, i);
	if (m.n == 1)
		rc = pass(&m, e);
	while (rc == 0 && m.n > 0)
		rc = step(&m, e);
	if (rc == 0)
		rc = flush(&m, e);
out:
	rows_free(m.out);
	free(m.heap);
	return (rc);
}
