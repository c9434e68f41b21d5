/*
 * A disk that fails at call N, for all N: once, and all goes on in a new
 * segment; for good, and the writer is dead, while what was synced is there
 * for the next one.
 */
#include "config.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "journal_test.h"

#define SEGMENT_HEADER 40
#define NBLOCKS 13

static const struct journal_pos zero = { 0, 0 };

/* Writes and syncs are counted; those in [from, to) fail. */
struct fault {
	struct sys sys;
	unsigned calls;
	unsigned from;
	unsigned to;
	int error;
};

static bool
fails(struct fault *f)
{
	unsigned n = f->calls++;

	errno = f->error;
	return (n >= f->from && n < f->to);
}

/* A write that fails has done half. */
static ssize_t
fault_pwrite(void *cookie, int fd, const void *p, size_t n, int64_t off)
{
	struct fault *f = cookie;

	if (!fails(f))
		return (sys_posix()->pwrite(NULL, fd, p, n, off));
	(void)sys_posix()->pwrite(NULL, fd, p, n / 2, off);
	errno = f->error;
	return (-1);
}

static int
fault_fdatasync(void *cookie, int fd)
{
	return (fails(cookie) ? -1 : sys_posix()->fdatasync(NULL, fd));
}

static int
fault_fsync(void *cookie, int fd)
{
	return (fails(cookie) ? -1 : sys_posix()->fsync(NULL, fd));
}

static void
fault_init(struct fault *f, int error)
{
	memset(f, 0, sizeof(*f));
	f->sys = *sys_posix();
	f->sys.cookie = f;
	f->sys.pwrite = fault_pwrite;
	f->sys.fdatasync = fault_fdatasync;
	f->sys.fsync = fault_fsync;
	f->error = error;
}

static void
fail_calls(struct fault *f, unsigned from, unsigned to)
{
	f->calls = 0;
	f->from = from;
	f->to = to;
}

static struct journal_writer *
open_at(const struct journal_test *t, const struct sys *sys,
    const struct journal_pos *at)
{
	struct journal_writer *w;
	struct err e = ERR_INIT;

	if (journal_writer_open(sys, t->dir, at, &w, NULL, &e) != 0)
		fail_msg("%s", e.text);
	return (w);
}

/* Go on to block n, two blocks a sync. *good of them are durable, and *pos
 * is behind those; 0 or what sync said. */
static int
write_until(const struct journal_test *t, struct journal_writer *w,
    uint32_t n, uint32_t *good, struct journal_pos *pos, struct err *e)
{
	uint32_t k = *good;
	int rc;

	while (k < n) {
		assert_int_equal(journal_test_append(t, w, k++, NULL), 0);
		if (k < n)
			assert_int_equal(journal_test_append(t, w, k++,
			    NULL), 0);
		if ((rc = journal_writer_sync(w, pos, e)) != 0)
			return (rc);
		*good = k;
	}
	return (0);
}

/* Blocks 0..n-1 and no more are there, up to pos and to the end. */
static void
expect_blocks(const struct journal_test *t, uint32_t n,
    const struct journal_pos *pos)
{
	struct err e = ERR_INIT;
	uint32_t got;

	if (journal_test_read(t, &zero, pos, false, 0, &got, &e) != 0)
		fail_msg("%s", e.text);
	assert_int_equal(got, n);
	if (journal_test_read(t, &zero, NULL, false, 0, &got, &e) != 0)
		fail_msg("%s", e.text);
	assert_int_equal(got, n);
}

/* The second segment can be read without the first. A schema is its first
 * block: the reader would find one that stands behind as well. */
static void
expect_alone(const struct journal_test *t, uint32_t first, uint32_t n)
{
	char *path = journal_test_path(t, 1);
	uint8_t *data;
	uint32_t got;
	size_t len;

	data = journal_test_load(t, 2, &len);
	assert_true(len > SEGMENT_HEADER + 6);
	assert_int_equal(data[SEGMENT_HEADER + 6], 1);
	free(data);
	data = journal_test_load(t, 1, &len);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(journal_test_read(t, &zero, NULL, false, first,
	    &got, NULL), 0);
	assert_int_equal(got, n - first);
	journal_test_store(t, 1, data, len);
	free(data);
	free(path);
}

/* Call i fails, of those after the first sync; how many there were. */
static unsigned
fail_once(struct journal_test *t, struct fault *f, unsigned i)
{
	struct journal_writer *w;
	struct journal_pos pos, first;
	struct err e = ERR_INIT;
	uint32_t good = 0, n;
	unsigned calls;

	fail_calls(f, 0, 0);
	w = open_at(t, &f->sys, &zero);
	assert_int_equal(write_until(t, w, 2, &good, &first, &e), 0);
	fail_calls(f, i, i + 1);
	if (write_until(t, w, NBLOCKS, &good, &pos, &e) != 0)
		fail_msg("call %u: %s", i, e.text);
	calls = f->calls;
	assert_int_equal(pos.segment, i < calls ? 2 : 1);
	journal_writer_close(w);
	expect_blocks(t, NBLOCKS, &pos);
	/* From the middle of one segment into the other. */
	assert_int_equal(journal_test_read(t, &first, &pos, false, 2, &n,
	    NULL), 0);
	assert_int_equal(n, NBLOCKS - 2);

	w = open_at(t, sys_posix(), &pos);
	assert_int_equal(write_until(t, w, NBLOCKS + 1, &good, &pos, &e), 0);
	journal_writer_close(w);
	expect_blocks(t, NBLOCKS + 1, &pos);
	if (i < calls)
		expect_alone(t, 2 + i / 2 * 2, NBLOCKS + 1);

	/* Back to before the failure: the new segment goes. */
	w = open_at(t, sys_posix(), &first);
	journal_writer_close(w);
	expect_blocks(t, 2, &first);
	journal_test_wipe(t);
	return (calls);
}

static void
test_journal_fails_once(void **state)
{
	static const int errors[] = { EIO, ENOSPC };
	struct journal_test *t = *state;
	struct fault f;
	unsigned i, calls, k;

	for (k = 0; k < 2; k++) {
		fault_init(&f, errors[k]);
		calls = fail_once(t, &f, 1000);
		/* A write and a sync, six times. */
		assert_int_equal(calls, 12);
		for (i = 0; i < calls; i++)
			assert_true(fail_once(t, &f, i) > calls);
	}
}

/* All calls fail from i on: the new segment does too, and nothing of it
 * counts. */
static void
fail_for_good(struct journal_test *t, struct fault *f, unsigned i)
{
	struct journal_pos pos = zero, unused;
	struct journal_writer *w;
	struct err e = ERR_INIT, again = ERR_INIT;
	uint32_t good = 0;

	fail_calls(f, 0, 0);
	w = open_at(t, &f->sys, &zero);
	fail_calls(f, i, UINT32_MAX);
	assert_int_equal(write_until(t, w, NBLOCKS, &good, &pos, &e),
	    ERR_NOSPACE);
	assert_non_null(strstr(e.text, t->dir));
	/* Dead, though the disk is well again. */
	fail_calls(f, 0, 0);
	assert_int_equal(journal_writer_sync(w, &unused, &again),
	    ERR_NOSPACE);
	assert_string_equal(again.text, e.text);
	assert_int_equal(journal_test_append(t, w, 0, &again), ERR_NOSPACE);
	assert_string_equal(again.text, e.text);
	assert_int_equal(journal_writer_sync(w, &unused, NULL), ERR_NOSPACE);
	assert_int_equal(f->calls, 0);
	journal_writer_close(w);

	w = open_at(t, sys_posix(), &pos);
	expect_blocks(t, good, &pos);
	assert_int_equal(write_until(t, w, NBLOCKS, &good, &pos, &e), 0);
	journal_writer_close(w);
	expect_blocks(t, NBLOCKS, &pos);
	journal_test_wipe(t);
}

static void
test_journal_fails_for_good(void **state)
{
	struct journal_test *t = *state;
	struct fault f;
	unsigned i;

	fault_init(&f, ENOSPC);
	for (i = 0; i < 15; i++)	/* three for the segment, 2 a sync */
		fail_for_good(t, &f, i);
}

/* Failures with successes between them: each ends a segment. */
static void
test_journal_fails_again(void **state)
{
	struct journal_test *t = *state;
	struct journal_writer *w;
	struct journal_pos pos;
	struct err e = ERR_INIT;
	struct fault f;
	uint32_t good = 0;
	unsigned i;

	fault_init(&f, EIO);
	w = open_at(t, &f.sys, &zero);
	for (i = 1; i <= 4; i++) {	/* each time a new segment */
		if (write_until(t, w, i * 6 - 2, &good, &pos, &e) != 0)
			fail_msg("%u: %s", i, e.text);
		fail_calls(&f, 1, 2);
		assert_int_equal(write_until(t, w, i * 6, &good, &pos, &e),
		    0);
		assert_int_equal(pos.segment, i + 1);
		fail_calls(&f, 0, 0);
	}
	journal_writer_close(w);
	expect_blocks(t, 24, &pos);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_journal_fails_once),
		cmocka_unit_test(test_journal_fails_for_good),
		cmocka_unit_test(test_journal_fails_again),
	};

	return (cmocka_run_group_tests(tests, journal_test_setup,
	    journal_test_teardown));
}
