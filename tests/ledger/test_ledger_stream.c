/* Streams and groups: what goes in comes out; order; size; damage. */
#include "config.h"

#include <math.h>

#include "base/ticks.h"
#include "ledger_test.h"
#include "ledger/ledger_int.h"

/* --- streams ------------------------------------------------------------- */

struct put {
	const char *table;
	uint32_t id;
	const struct ledger_stream *s;
	const struct ledger_group *g;
};

static int
put_one(struct ledger_txn *t, void *cookie, struct err *e)
{
	const struct put *p = cookie;

	if (p->s != NULL)
		return (ledger_stream_put(t, p->table, p->id, p->s, e));
	return (ledger_group_put(t, p->table, p->id, p->g, e));
}

struct raw {
	char kind;
	const char *bytes;
	size_t n;
};

static int
put_raw(struct ledger_txn *t, void *cookie, struct err *e)
{
	const struct raw *r = cookie;
	struct ledger_key k;

	ledger_key_number(&k, r->kind, "a", 1, 4);
	return (ledger_put(t, &k, r->bytes, r->n, e));
}

static void
put_stream(struct ledger *l, const char *table, uint32_t id,
    const struct ledger_stream *s)
{
	struct put p = { table, id, s, NULL };

	assert_int_equal(ledger_write(l, put_one, &p, NULL), 0);
}

static void
expect_stream(struct ledger *l, const char *table, uint32_t id,
    const struct ledger_stream *want)
{
	struct ledger_txn *t = place_read(l);
	struct ledger_stream s;
	unsigned i;

	ledger_stream_init(&s);
	/* What was there before must go. */
	ranges_add(&s.covered, 5, 6);
	s.values = 77;
	s.fail_code = ERR_GONE;
	s.why[0] = 'x';
	s.fails = s.ncells = 3;
	s.young_told = true;
	ranges_add(&s.young, 5, 6);
	s.asked = s.last_event = s.first_event = 9;
	ledger_stream_open(&s, &(struct ledger_open){ 5, 6 }, true);
	assert_int_equal(ledger_stream_get(t, table, id, &s, NULL), 0);
	assert_int_equal(s.covered.n, want->covered.n);
	if (s.covered.n > 0)
		assert_memory_equal(s.covered.r, want->covered.r,
		    s.covered.n * sizeof(s.covered.r[0]));
	if (want->per_second < 0)
		assert_true(s.per_second < 0);
	else
		assert_true(fabs(s.per_second - want->per_second) <=
		    1e-7 * want->per_second);
	assert_true(s.values == want->values);
	assert_int_equal(s.fail_code, want->fail_code);
	assert_true(s.fail_at == want->fail_at);
	assert_string_equal(s.why, want->why);
	assert_int_equal(s.fails, want->fails);
	assert_true(s.asked == want->asked);
	assert_true(s.last_event == want->last_event);
	assert_true(s.first_event == want->first_event);
	assert_int_equal(s.ncells, want->ncells);
	for (i = 0; i < s.ncells; i++) {
		assert_true(s.cells[i].a == want->cells[i].a);
		assert_true(s.cells[i].b == want->cells[i].b);
		assert_int_equal(s.cells[i].values, want->cells[i].values);
		assert_true(s.cells[i].digest == want->cells[i].digest);
	}
	assert_true(s.young_told == want->young_told);
	assert_int_equal(s.young.n, want->young.n);
	if (s.young.n > 0)
		assert_memory_equal(s.young.r, want->young.r,
		    s.young.n * sizeof(s.young.r[0]));
	assert_int_equal(s.nopen, want->nopen);
	for (i = 0; i < s.nopen; i++) {
		assert_true(s.open[i].start == want->open[i].start);
		assert_int_equal(s.open[i].key, want->open[i].key);
	}
	ledger_stream_fini(&s);
	ledger_read_end(t);
}

static void
streams(void **state)
{
	static const struct {
		uint32_t id;
		size_t n;
		struct range r[3];
		double per_second;
		uint64_t values;
		int32_t fail_code;
		int64_t fail_at;
	} cases[] = {
		{ 1, 0, { { 0, 0 } }, -1, 0, 0, 0 },
		{ 2, 1, { { 0, 1 } }, 0, 1, 0, 0 },
		{ 3, 2, { { -5, 10 }, { 20, TICKS_MAX } }, 1.25e-3, 1234567,
		    ERR_FORBIDDEN, TICKS_MAX },
		{ UINT32_MAX, 3, { { INT64_MIN, -1 }, { 0, 1 },
		    { 2, INT64_MAX } }, 1e6, UINT64_MAX, ERR_TLS, INT64_MIN },
	};
	const size_t n = sizeof(cases) / sizeof(cases[0]);
	struct place *p = *state;
	struct ledger_stream s[4], empty;
	struct ledger *l = place_open(p);
	size_t i, j;

	ledger_stream_init(&empty);
	assert_true(empty.per_second < 0);
	for (i = 0; i < n; i++) {
		ledger_stream_init(&s[i]);
		for (j = 0; j < cases[i].n; j++)
			ranges_add(&s[i].covered, cases[i].r[j].a,
			    cases[i].r[j].b);
		s[i].per_second = cases[i].per_second;
		s[i].values = cases[i].values;
		s[i].fail_code = cases[i].fail_code;
		s[i].fail_at = cases[i].fail_at;
		expect_stream(l, "a", cases[i].id, &empty);
		put_stream(l, "a", cases[i].id, &s[i]);
	}
	ledger_close(l);
	l = place_open(p);
	for (i = 0; i < n; i++) {
		expect_stream(l, "a", cases[i].id, &s[i]);
		expect_stream(l, "b", cases[i].id, &empty);
		put_stream(l, "a", cases[i].id, &empty);
		expect_stream(l, "a", cases[i].id, &empty);
		ledger_stream_fini(&s[i]);
	}
	ledger_stream_fini(&empty);
	ledger_close(l);
}

/* What was learnt: each part alone, then all of them, each at its limits. */
static void
learnt(void **state)
{
	static const int64_t times[] = { 0, 1, -1, TICKS_MAX, INT64_MAX,
		INT64_MIN + 1 };
	struct ledger *l = place_open(*state);
	struct ledger_stream s;
	unsigned part;
	size_t i;

	for (i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
		for (part = 0; part <= 6; part++) {
			ledger_stream_init(&s);
			ranges_add(&s.covered, 100, 17000000000000000);
			if (part == 0 || part == 6)
				s.asked = times[i];
			if (part == 1 || part == 6)
				s.last_event = times[i];
			if (part == 2 || part == 6)
				s.first_event = times[i];
			if (part == 3 || part == 6)
				ledger_stream_open(&s, &(struct ledger_open){
				    times[i], UINT32_MAX }, true);
			if (part == 4 || part == 6)
				s.fails = i == 0 ? 1 : UINT32_MAX;
			if (part >= 5)
				memset(s.why, 'w', sizeof(s.why) - 1);
			put_stream(l, "a", 1, &s);
			expect_stream(l, "a", 1, &s);
			ledger_stream_fini(&s);
		}
	}
	place_check(l);
	ledger_close(l);
}

static void
cells(void **state)
{
	static const struct {
		unsigned n;
		struct ledger_cell k[LEDGER_CELLS];
	} cases[] = {
		{ 1, { { 0, 1, 0, 0 } } },
		{ 1, { { INT64_MIN, -1, UINT32_MAX,
		    (1ull << LEDGER_DIGEST_BITS) - 1 } } },
		{ 1, { { 0, INT64_MAX, 1, 1 } } },
		{ 2, { { -7, 3, 1, 2 }, { 3, 4, 5, 6 } } },
		{ 8, { { 0, TICKS_PER_S, 1, 1 }, { 20000000, 20000001, 0, 0 },
		    { 30000000, 50000000, 7, 8 }, { 50000000, 60000000, 1, 1 },
		    { 60000000, 70000000, 1, 1 }, { 70000000, 80000000, 1, 1 },
		    { 80000000, 90000000, 1, 1 },
		    { 90000000, TICKS_MAX, 1, 1 } } },
	};
	struct ledger *l = place_open(*state);
	struct ledger_stream s;
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		ledger_stream_init(&s);
		s.ncells = cases[i].n;
		memcpy(s.cells, cases[i].k, sizeof(s.cells));
		put_stream(l, "a", 1, &s);
		expect_stream(l, "a", 1, &s);
		ranges_add(&s.covered, 5, 17000000000000000);
		put_stream(l, "a", 1, &s);
		expect_stream(l, "a", 1, &s);
		ledger_stream_fini(&s);
	}
	place_check(l);
	ledger_close(l);
}

/* Sorted, each once, the newest when there are too many. */
static void
open_frames(void **state)
{
	static const struct ledger_open some[] = { { 7, 2 }, { -3, 9 },
		{ 7, 1 }, { 7, 2 }, { INT64_MAX, 0 }, { INT64_MIN, 5 } };
	struct ledger *l = place_open(*state);
	struct ledger_stream s, copy;
	struct ledger_open o = { 0, 3 };
	size_t i;

	ledger_stream_init(&s);
	ledger_stream_init(&copy);
	for (i = 0; i < sizeof(some) / sizeof(some[0]); i++)
		ledger_stream_open(&s, &some[i], true);
	assert_int_equal(s.nopen, 5);
	put_stream(l, "a", 1, &s);
	expect_stream(l, "a", 1, &s);
	ledger_stream_open(&s, &o, false);
	ledger_stream_open(&s, &some[0], false);
	ledger_stream_open(&s, &some[4], false);
	assert_int_equal(s.nopen, 3);
	assert_true(s.open[1].start == -3 && s.open[2].key == 1);
	ledger_stream_copy(&copy, &s);
	put_stream(l, "a", 1, &copy);
	expect_stream(l, "a", 1, &s);
	for (i = 0; i < LEDGER_OPEN_MAX + 2; i++) {
		o.start = (int64_t)(i * 7919 % (LEDGER_OPEN_MAX + 2));
		ledger_stream_open(&s, &o, true);
	}
	assert_int_equal(s.nopen, LEDGER_OPEN_MAX);
	/* of 4101 in all */
	assert_true(s.open[0].start == 3);
	put_stream(l, "a", 1, &s);
	expect_stream(l, "a", 1, &s);
	ledger_stream_clear(&s);
	assert_int_equal(s.nopen, 0);
	ledger_stream_fini(&copy);
	ledger_stream_fini(&s);
	place_check(l);
	ledger_close(l);
}

/* The usual is not told, and takes no room. */
static void
young(void **state)
{
	static const struct {
		struct range covered[3], usual[3];
		int64_t tail;
	} cases[] = {
		{ { { 0, 0 } }, { { 0, 0 } }, 5 },
		{ { { 0, 100 } }, { { 95, 100 } }, 5 },
		{ { { 0, 100 } }, { { 0, 0 } }, 0 },
		{ { { 90, 100 } }, { { 90, 100 } }, 50 },
		{ { { 0, 10 }, { 20, 30 }, { 40, 50 } },
		    { { 25, 30 }, { 40, 50 } }, 25 },
		{ { { INT64_MIN, -9 } }, { { INT64_MIN, -9 } }, INT64_MAX },
	};
	struct ledger *l = place_open(*state);
	struct ledger_stream s, copy;
	struct ranges want;
	struct buf b;
	size_t i, j, len;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		ledger_stream_init(&s);
		ranges_init(&want);
		for (j = 0; j < 3; j++) {
			ranges_add(&s.covered, cases[i].covered[j].a,
			    cases[i].covered[j].b);
			ranges_add(&want, cases[i].usual[j].a,
			    cases[i].usual[j].b);
		}
		buf_init(&b, 1000);
		ledger_stream_encode(&s, &b);
		len = b.len;
		ledger_stream_young(&s, cases[i].tail);
		assert_true(s.young_told);
		assert_int_equal(s.young.n, want.n);
		if (want.n > 0)
			assert_memory_equal(s.young.r, want.r,
			    want.n * sizeof(want.r[0]));
		put_stream(l, "a", 1, &s);
		expect_stream(l, "a", 1, &s);
		ledger_stream_init(&copy);
		ledger_stream_copy(&copy, &s);
		put_stream(l, "a", 2, &copy);
		expect_stream(l, "a", 2, &s);
		ledger_stream_fini(&copy);
		/* other than the usual it stays */
		ranges_add(&s.young, -8, -7);
		ledger_stream_young_usual(&s, cases[i].tail);
		assert_true(s.young_told);
		ledger_stream_young(&s, cases[i].tail);
		assert_true(ranges_contains(&s.young, -8, -7));
		ranges_remove(&s.young, -8, -7);
		ledger_stream_young_usual(&s, cases[i].tail);
		assert_false(s.young_told);
		assert_int_equal(s.young.n, 0);
		buf_clear(&b);
		ledger_stream_encode(&s, &b);
		assert_int_equal(b.len, len);
		buf_fini(&b);
		ranges_fini(&want);
		ledger_stream_fini(&s);
	}
	place_check(l);
	ledger_close(l);
}

/* Records written before there were cells and reasons. */
static void
old_record(void **state)
{
	struct ledger *l = place_open(*state);
	struct ledger_stream want;
	struct raw r = { 'S', "\x01\0\0\0\0\0\0\xe0\x3f\x07\x11\x08"
	    "\x01\x0a\x03", 15 };

	ledger_stream_init(&want);
	want.per_second = 0.5;
	want.values = 7;
	want.fail_code = -9;
	want.fail_at = 4;
	ranges_add(&want.covered, 5, 8);
	assert_int_equal(ledger_write(l, put_raw, &r, NULL), 0);
	expect_stream(l, "a", 1, &want);
	ledger_stream_fini(&want);
	ledger_close(l);
}

/* A stream in tatters: 100,000 gaps, then whole again. */
static void
tatters(void **state)
{
	struct ledger *l = place_open(*state);
	struct ledger_stream s;
	int64_t i;

	ledger_stream_init(&s);
	for (i = 0; i < 100000; i++)
		ranges_add(&s.covered, i * TICKS_PER_S, i * TICKS_PER_S + 5);
	put_stream(l, "a", 1, &s);
	expect_stream(l, "a", 1, &s);
	ranges_add(&s.covered, 0, 100000 * TICKS_PER_S);
	assert_int_equal(s.covered.n, 1);
	put_stream(l, "a", 1, &s);
	expect_stream(l, "a", 1, &s);
	ledger_stream_fini(&s);
	ledger_close(l);
}

/* --- a million streams: what one takes ----------------------------------- */

/*
 * A stream of normal life: years covered, the tail in cells, the last of
 * them unfinished. Written in order of id, then again in disorder with the
 * next tail, as cycles do: pages split by growing records must not count.
 */

#define MANY 20000
#define SOME 500
#define CYCLES 6

static void
normal_stream(struct ledger_stream *s, int64_t now)
{
	const int64_t hour = 3600 * TICKS_PER_S;
	int64_t a = now - 4 * hour;

	ranges_add(&s->covered, 17000000000000000, now);
	s->per_second = 0.1;
	s->asked = now + 3 * TICKS_PER_S / 2;
	s->last_event = now - 7 * TICKS_PER_S + 12345;
	s->first_event = 17000000000000000 + hour / 7;
	a -= a % hour;
	for (; a < now; a += hour) {
		s->cells[s->ncells++] = (struct ledger_cell){
			.a = a, .b = a + hour < now ? a + hour : now,
			.values = 360, .digest = 0x9e3779b97f4au,
		};
	}
}

struct some {
	struct ledger_stream *s;
	uint32_t from;
};

/* A commit: the streams of a request or two. */
static int
put_some(struct ledger_txn *t, void *cookie, struct err *e)
{
	struct some *x = cookie;
	uint32_t i;
	int rc = 0;

	for (i = x->from; i < x->from + SOME && rc == 0; i++) {
		x->s->values = 40000000 + i;
		rc = ledger_stream_put(t, "pi_timeseries",
		    1 + i * 7919u % MANY, x->s, e);
	}
	return (rc);
}

static double
live_bytes(struct ledger *l)
{
	struct ledger_txn *t = place_read(l);
	MDB_stat st;

	assert_int_equal(mdb_stat(t->txn, ledger_dbi(t), &st), 0);
	ledger_read_end(t);
	return ((double)(st.ms_branch_pages + st.ms_leaf_pages +
	    st.ms_overflow_pages) * st.ms_psize);
}

static void
size(void **state)
{
	struct place *p = *state;
	struct ledger *l = place_open(p);
	struct ledger_stream s;
	struct some x = { &s, 0 };
	double live[CYCLES], most = 0;
	char path[320];
	int cycle;

	for (cycle = 0; cycle < CYCLES; cycle++) {
		ledger_stream_init(&s);
		normal_stream(&s, 17900000000000000 +
		    cycle * 600 * TICKS_PER_S);
		for (x.from = 0; x.from < MANY; x.from += SOME)
			assert_int_equal(ledger_write(l, put_some, &x, NULL),
			    0);
		ledger_stream_fini(&s);
		live[cycle] = live_bytes(l) / MANY;
		most = live[cycle] > most ? live[cycle] : most;
	}
	ledger_close(l);
	(void)snprintf(path, sizeof(path), "%s/lock.mdb", p->ledger);
	assert_true(sys_exists(sys_posix(), path));
	assert_int_equal(sys_posix()->unlink(NULL, path), 0);
	print_message("%.1f bytes a stream, at most %.1f in %d cycles, %.1f "
	    "in the file\n", live[0], most, CYCLES,
	    (double)sys_tree_bytes(p->ledger) / MANY);
	assert_true(most > 0);
	assert_true(most < 200);
}

/* --- groups -------------------------------------------------------------- */

static const struct ledger_group full = {
	.pos = { UINT32_MAX, UINT64_MAX },
	.run = { 3, 1ull << 40 },
	.batches = UINT64_MAX, .rows = 1, .bytes = 2, .requests = 3,
	.committed = TICKS_MAX,
};

static void
put_group(struct ledger *l, const char *table, uint32_t id,
    const struct ledger_group *g)
{
	struct put p = { table, id, NULL, g };

	assert_int_equal(ledger_write(l, put_one, &p, NULL), 0);
}

static void
expect_group(struct ledger *l, const char *table, uint32_t id,
    const struct ledger_group *want)
{
	struct ledger_txn *t = place_read(l);
	struct ledger_group g;

	memset(&g, 0xee, sizeof(g));
	assert_int_equal(ledger_group_get(t, table, id, &g, NULL), 0);
	assert_int_equal(g.pos.segment, want->pos.segment);
	assert_true(g.pos.offset == want->pos.offset);
	assert_int_equal(g.run.segment, want->run.segment);
	assert_true(g.run.offset == want->run.offset);
	assert_true(g.batches == want->batches);
	assert_true(g.rows == want->rows);
	assert_true(g.bytes == want->bytes);
	assert_true(g.requests == want->requests);
	assert_true(g.committed == want->committed);
	ledger_read_end(t);
}

static void
groups(void **state)
{
	struct ledger_group zero = { .rows = 0 };
	struct place *p = *state;
	struct ledger *l = place_open(p);

	expect_group(l, "a", 0, &zero);
	put_group(l, "a", 0, &full);
	put_group(l, "a", 1, &zero);
	ledger_close(l);
	l = place_open(p);
	expect_group(l, "a", 0, &full);
	expect_group(l, "a", 1, &zero);
	expect_group(l, "b", 0, &zero);
	ledger_close(l);
}

struct list {
	char text[200];
	unsigned stop_after;
};

static int
append(const char *table, uint32_t group, const struct ledger_group *g,
    void *cookie)
{
	struct list *x = cookie;
	size_t n = strlen(x->text);

	assert_true(g->batches == group + 1);
	(void)snprintf(x->text + n, sizeof(x->text) - n, "%s%s/%u",
	    n > 0 ? " " : "", table, group);
	return (x->stop_after > 0 && --x->stop_after == 0 ? 9 : 0);
}

/* Names that begin with another's, numbers beyond a byte. */
static void
group_order(void **state)
{
	static const struct {
		const char *table;
		uint32_t group;
	} put[] = {
		{ "pi_points", 0 }, { "pi", 256 }, { "pi", 2 }, { "pi", 255 },
		{ "af", 1 }, { "pi_a", 0 }, { "qq", 4000000000u },
	};
	static const struct {
		const char *table;
		unsigned stop_after;
		const char *want;
		int code;
	} cases[] = {
		{ "pi", 0, "pi/2 pi/255 pi/256", 0 },
		{ "pi", 2, "pi/2 pi/255", 9 },
		{ "pi_a", 0, "pi_a/0", 0 },
		{ "p", 0, "", 0 },
		{ "zz", 0, "", 0 },
		{ "qq", 0, "qq/4000000000", 0 },
		{ NULL, 0, "af/1 pi/2 pi/255 pi/256 pi_a/0 pi_points/0 "
		    "qq/4000000000", 0 },
		{ NULL, 1, "af/1", 9 },
	};
	struct ledger *l = place_open(*state);
	struct ledger_group g = { .rows = 0 };
	struct ledger_stream s;
	struct ledger_txn *t;
	struct list x;
	size_t i;

	/* Neighbours of another kind. */
	ledger_stream_init(&s);
	put_stream(l, "pi", 1, &s);
	ledger_stream_fini(&s);
	for (i = 0; i < sizeof(put) / sizeof(put[0]); i++) {
		g.batches = put[i].group + 1ull;
		put_group(l, put[i].table, put[i].group, &g);
	}
	t = place_read(l);
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		x = (struct list) { "", cases[i].stop_after };
		assert_int_equal(ledger_group_each(t, cases[i].table, append,
		    &x, NULL), cases[i].code);
		assert_string_equal(x.text, cases[i].want);
	}
	ledger_read_end(t);
	place_check(l);
	ledger_close(l);
}

/* --- damage -------------------------------------------------------------- */

static void
damage(void **state)
{
	static const struct raw cases[] = {
		{ 'S', "", 0 },
		{ 'S', "\x02", 1 },
		{ 'S', "\x03\x00\x00\x00", 4 },
		/* not all of it; more than it */
		{ 'S', "\x02\x08\x00\x00", 4 },
		{ 'S', "\x02\x00\x00\x00\x00", 5 },
		/* nine cells; an empty one; two that overlap */
		{ 'S', "\x02\x80\x00\x00\x09\x02\x02\x00", 8 },
		{ 'S', "\x02\x80\x00\x00\x01\x02\x00\x00", 8 },
		{ 'S', "\x02\x80\x00\x00\x02\x02\x02\x00\x02\x02\x00",
		    11 },
		{ 'S', "\x01xxxxxxxx", 9 },
		/* a range that ends before it begins; more ranges than bytes */
		{ 'S', "\x01xxxxxxxx\x00\x00\x00\x01\x02\x00", 15 },
		{ 'S', "\x01xxxxxxxx\x00\x00\x00\xff\xff\xff\xff\x0f", 17 },
		{ 'G', "", 0 },
		{ 'G', "\x02\x00\x00\x00\x00\x00\x00\x00\x00\x00", 10 },
		{ 'G', "\x01\x00\x00\x00\x00\x00\x00\x00\x00", 9 },
		{ 'G', "\x01\xff\xff\xff\xff\x1f\0\0\0\0\0\0\0\0", 14 },
	};
	struct ledger *l = place_open(*state);
	struct ledger_stream s;
	struct ledger_group g;
	struct ledger_txn *t;
	struct list x = { "", 0 };
	struct raw r;
	struct err e;
	size_t i;
	int rc;

	ledger_stream_init(&s);
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		r = cases[i];
		e = (struct err)ERR_INIT;
		assert_int_equal(ledger_write(l, put_raw, &r, NULL), 0);
		t = place_read(l);
		if (r.kind == 'S') {
			rc = ledger_stream_get(t, "a", 1, &s, &e);
		} else {
			assert_int_equal(ledger_group_each(t, NULL, append,
			    &x, NULL), ERR_CORRUPT);
			rc = ledger_group_get(t, "a", 1, &g, &e);
		}
		assert_int_equal(ledger_check(t, NULL), ERR_CORRUPT);
		ledger_read_end(t);
		if (rc != ERR_CORRUPT)
			fail_msg("case %zu: %d", i, rc);
		assert_non_null(strstr(e.text, "1 of a"));
	}
	ledger_stream_fini(&s);
	ledger_close(l);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(streams), TEST(learnt), TEST(cells), TEST(old_record),
		TEST(open_frames), TEST(young), TEST(tatters), TEST(size), TEST(groups),
		TEST(group_order), TEST(damage),
	};

	return (cmocka_run_group_tests(tests, NULL, NULL));
}
