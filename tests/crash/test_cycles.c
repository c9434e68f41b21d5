/*
 * Years in one ledger: 10,000 commits of moving windows, with outages that
 * leave gaps and are filled later, re-reads of the tail and failures that
 * come and go. What is stored of a stream stays as small as in the first
 * days, and so does the file.
 */
#include "config.h"

#include <sys/stat.h>

#include "base/hash.h"
#include "base/ticks.h"
#include "ledger_test.h"

#define TABLE "series"
#define STREAMS 40
#define CYCLES 10000
#define SETTLED 500	/* cycles after which nothing may grow any more */
#define STEP (600 * TICKS_PER_S)
#define TAIL (4 * 3600 * TICKS_PER_S)
#define START (17000000000000000)

struct years {
	struct rng rng;
	int64_t now;
	int64_t gap[STREAMS];	/* start of what was not read, or 0 */
};

/* A re-read tail of some cells, the oldest falls out. */
static void
move_cells(struct ledger_stream *s, int64_t a, int64_t b)
{

	if (s->ncells == LEDGER_CELLS || (s->ncells > 0 &&
	    s->cells[0].a < b - TAIL)) {
		memmove(s->cells, s->cells + 1, (s->ncells - 1) *
		    sizeof(s->cells[0]));
		s->ncells--;
	}
	s->cells[s->ncells++] = (struct ledger_cell){ .a = a, .b = b,
	    .values = 600, .digest = 0x9e3779b97f4au };
}

static void
read_on(struct years *y, struct ledger_stream *s, unsigned i)
{
	int64_t from = y->gap[i] != 0 ? y->gap[i] : y->now - STEP;

	y->gap[i] = 0;
	if (rng_below(&y->rng, 20) == 0) {	/* set aside for once */
		y->gap[i] = from;
		s->fail_code = ERR_TIMEOUT;
		s->fail_at = y->now;
		s->fails++;
		(void)snprintf(s->why, sizeof(s->why), "no answer in time");
		return;
	}
	if (rng_below(&y->rng, 10) == 0 && from + STEP == y->now) {
		y->gap[i] = from;	/* newer first, older later */
		from += STEP / 3;
	}
	ranges_add(&s->covered, from, y->now);
	ranges_add(&s->covered, y->now - TAIL > START + STEP ?
	    y->now - STEP : START, y->now - STEP / 2);
	s->fail_code = 0;
	s->fail_at = 0;
	s->fails = 0;
	s->why[0] = '\0';
	s->values += 600;
	s->asked = y->now;
	s->last_event = y->now - 12345;
	s->per_second = 0.1;
	move_cells(s, y->now - STEP, y->now);
}

static int
one_commit(struct ledger_txn *t, void *cookie, struct err *e)
{
	struct years *y = cookie;
	struct ledger_stream s;
	unsigned i;
	int rc = 0;

	ledger_stream_init(&s);
	for (i = 0; i < STREAMS && rc == 0; i++) {
		if ((rc = ledger_stream_get(t, TABLE, i + 1, &s, e)) != 0)
			break;
		read_on(y, &s, i);
		assert_true(s.covered.n <= 3);
		rc = ledger_stream_put(t, TABLE, i + 1, &s, e);
	}
	ledger_stream_fini(&s);
	return (rc);
}

static uint64_t
file_bytes(const struct place *p)
{
	char path[320];
	struct stat st;

	(void)snprintf(path, sizeof(path), "%s/data.mdb", p->ledger);
	assert_int_equal(stat(path, &st), 0);
	return ((uint64_t)st.st_size);
}

static void
test_cycles(void **state)
{
	struct place *p = *state;
	struct ledger *l = place_open(p);
	struct years y = { .now = START };
	uint64_t settled = 0;
	struct err e = ERR_INIT;
	unsigned i;

	rng_init(&y.rng, 4);
	for (i = 0; i < CYCLES; i++) {
		y.now += STEP;
		if (ledger_write(l, one_commit, &y, &e) != 0)
			fail_msg("cycle %u: %s", i, e.text);
		if (i == SETTLED)
			settled = file_bytes(p);
	}
	print_message("%llu bytes after %d cycles of %d streams, %llu after "
	    "%d\n", (unsigned long long)settled, SETTLED, STREAMS,
	    (unsigned long long)file_bytes(p), CYCLES);
	assert_true(file_bytes(p) <= settled + settled / 10);
	place_check(l);
	ledger_close(l);
}

int
main(void)
{
	const struct CMUnitTest tests[] = { TEST(test_cycles) };

	/* Ten thousand syncs: not those of a disk. */
	(void)setenv("TMPDIR", "/dev/shm", sys_exists(sys_posix(),
	    "/dev/shm"));
	return (cmocka_run_group_tests(tests, NULL, NULL));
}
