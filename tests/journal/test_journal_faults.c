/*
 * A disk that fails at call N, for all N: once, and all goes on in a new
 * segment; without room, and all goes on when there is some; syncs for good,
 * and the writer is dead, while what was synced is there for the next one.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
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

/* Calls of these kinds are counted; those in [from, to) fail. */
enum { WRITES = 1, SYNCS = 2, CREATES = 4 };

struct fault {
	unsigned kinds;
	struct sys sys;
	unsigned calls;
	unsigned from;
	unsigned to;
	int error;
};

static bool
fails(struct fault *f, unsigned kind)
{
	unsigned n;

	if ((f->kinds & kind) == 0)
		return (false);
	n = f->calls++;
	errno = f->error;
	return (n >= f->from && n < f->to);
}

/* A write that fails has done half. */
static ssize_t
fault_pwrite(void *cookie, int fd, const void *p, size_t n, int64_t off)
{
	struct fault *f = cookie;

	if (!fails(f, WRITES))
		return (sys_posix()->pwrite(NULL, fd, p, n, off));
	(void)sys_posix()->pwrite(NULL, fd, p, n / 2, off);
	errno = f->error;
	return (-1);
}

static int
fault_fdatasync(void *cookie, int fd)
{
	return (fails(cookie, SYNCS) ? -1 : sys_posix()->fdatasync(NULL, fd));
}

static int
fault_fsync(void *cookie, int fd)
{
	return (fails(cookie, SYNCS) ? -1 : sys_posix()->fsync(NULL, fd));
}

static int
fault_open(void *cookie, const char *path, int flags, int mode)
{

	if ((flags & O_CREAT) != 0 && fails(cookie, CREATES))
		return (-1);
	return (sys_posix()->open(NULL, path, flags, mode));
}

static void
fault_init(struct fault *f, int error, unsigned kinds)
{
	memset(f, 0, sizeof(*f));
	f->sys = *sys_posix();
	f->sys.cookie = f;
	f->sys.pwrite = fault_pwrite;
	f->sys.fdatasync = fault_fdatasync;
	f->sys.fsync = fault_fsync;
	f->sys.open = fault_open;
	f->kinds = kinds;
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
	static const struct journal_pos second = { 2, SEGMENT_HEADER };
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
	assert_int_equal(journal_test_read(t, &second, NULL, false, first,
	    &got, NULL), 0);
	assert_int_equal(got, n - first);
	/* From the beginning its absence is seen. */
	assert_int_equal(journal_test_read(t, &zero, NULL, false, first,
	    &got, NULL), ERR_CORRUPT);
	assert_int_equal(got, 0);
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
		fault_init(&f, errors[k], WRITES | SYNCS);
		calls = fail_once(t, &f, 1000);
		/* A write and a sync, six times. */
		assert_int_equal(calls, 12);
		for (i = 0; i < calls; i++)
			assert_true(fail_once(t, &f, i) > calls);
	}
}

/* All syncs fail from i on: the new segment does too, and nothing of it
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

	fault_init(&f, ENOSPC, SYNCS);
	for (i = 0; i < 8; i++)	/* two for the segment, one a sync */
		fail_for_good(t, &f, i);
}

/* The same, but the writer is revived: what was appended is not lost. */
static void
fail_and_revive(struct journal_test *t, struct fault *f, unsigned i)
{
	struct journal_pos pos = zero;
	struct journal_writer *w;
	struct err e = ERR_INIT;
	uint32_t good = 0;

	fail_calls(f, 0, 0);
	w = open_at(t, &f->sys, &zero);
	fail_calls(f, i, UINT32_MAX);
	assert_int_equal(write_until(t, w, NBLOCKS, &good, &pos, &e),
	    ERR_NOSPACE);
	assert_int_equal(journal_writer_revive(w, NULL), ERR_NOSPACE);
	assert_int_equal(journal_writer_sync(w, &pos, NULL), ERR_NOSPACE);
	fail_calls(f, 0, 0);
	assert_int_equal(journal_writer_revive(w, NULL), 0);
	expect_blocks(t, good, &pos);
	assert_int_equal(journal_writer_sync(w, &pos, NULL), 0);
	good += good + 2 <= NBLOCKS ? 2 : 1;
	expect_blocks(t, good, &pos);
	assert_int_equal(journal_writer_revive(w, NULL), 0);
	assert_int_equal(write_until(t, w, NBLOCKS, &good, &pos, &e), 0);
	journal_writer_close(w);
	expect_blocks(t, NBLOCKS, &pos);
	journal_test_wipe(t);
}

static void
test_journal_revives(void **state)
{
	struct journal_test *t = *state;
	struct fault f;
	unsigned i;

	fault_init(&f, ENOSPC, SYNCS);
	for (i = 0; i < 8; i++)
		fail_and_revive(t, &f, i);
}

/* No room, or no descriptor, from call i on: nothing is lost, and the next
 * sync after that makes it all durable. How many segments there were. */
static uint32_t
fail_for_now(struct journal_test *t, struct fault *f, unsigned i,
    uint64_t segment_bytes)
{
	struct journal_pos pos = zero;
	struct journal_writer *w;
	struct err e = ERR_INIT;
	uint32_t good = 0;
	int rc;

	fail_calls(f, 0, 0);
	w = open_at(t, &f->sys, &zero);
	journal_writer_segment_bytes(w, segment_bytes);
	fail_calls(f, i, UINT32_MAX);
	rc = write_until(t, w, NBLOCKS, &good, &pos, &e);
	if (rc != 0) {
		expect_blocks(t, good, &pos);
		assert_int_equal(journal_writer_sync(w, &pos, &e), rc);
		fail_calls(f, 0, 0);
		assert_int_equal(journal_writer_sync(w, &pos, NULL), 0);
		good += good + 2 <= NBLOCKS ? 2 : 1;
		expect_blocks(t, good, &pos);
		assert_int_equal(write_until(t, w, NBLOCKS, &good, &pos,
		    &e), 0);
	}
	journal_writer_close(w);
	expect_blocks(t, NBLOCKS, &pos);
	journal_test_wipe(t);
	return (pos.segment);
}

static void
test_journal_waits_for_room(void **state)
{
	struct journal_test *t = *state;
	struct fault f;
	unsigned i;

	fault_init(&f, ENOSPC, WRITES | CREATES);
	for (i = 0; i < 10; i++) {
		(void)fail_for_now(t, &f, i, 256 << 20);
		(void)fail_for_now(t, &f, i, 300);
	}
	/* A full segment is written on while there can be no other. */
	fault_init(&f, EMFILE, CREATES);
	assert_int_equal(fail_for_now(t, &f, 1, 300), 1);
	assert_int_equal(fail_for_now(t, &f, 2, 300), 2);
	assert_true(fail_for_now(t, &f, 1000, 300) > 3);
}

/* Segments end at the size given, each readable alone; every position is
 * one to read from and to go back to. */
static void
test_journal_rollover(void **state)
{
	struct journal_test *t = *state;
	struct journal_pos pos[NBLOCKS + 1] = { { 0, 0 } };
	struct journal_writer *w;
	struct err e = ERR_INIT;
	uint32_t i, n, good;

	for (i = 1; i <= NBLOCKS; i++) {
		good = 0;
		w = open_at(t, sys_posix(), &zero);
		journal_writer_segment_bytes(w, 500);
		for (n = 1; n <= NBLOCKS; n++)
			assert_int_equal(write_until(t, w, n, &good, &pos[n],
			    &e), 0);
		journal_writer_close(w);
		assert_true(pos[NBLOCKS].segment > 3);
		for (n = 0; n <= NBLOCKS; n++) {
			assert_int_equal(journal_test_read(t, &pos[n], NULL,
			    false, n, &good, NULL), 0);
			assert_int_equal(good, NBLOCKS - n);
		}
		w = open_at(t, sys_posix(), &pos[i]);
		expect_blocks(t, i, &pos[i]);
		good = i;
		assert_int_equal(write_until(t, w, NBLOCKS, &good,
		    &pos[NBLOCKS], &e), 0);
		journal_writer_close(w);
		expect_blocks(t, NBLOCKS, &pos[NBLOCKS]);
		journal_test_wipe(t);
	}
}

/* A position that is no good takes nothing away; nor does a disk that
 * cannot be read, which is not the same as damage. */
static ssize_t
fault_pread(void *cookie, int fd, void *p, size_t n, int64_t off)
{

	(void)cookie;
	(void)fd;
	(void)p;
	(void)n;
	(void)off;
	errno = EIO;
	return (-1);
}

static void
test_journal_open_takes_nothing(void **state)
{
	struct journal_test *t = *state;
	struct journal_pos pos = zero, bad;
	struct journal_writer *w;
	struct err e = ERR_INIT;
	struct fault f;
	uint32_t good = 0;

	w = open_at(t, sys_posix(), &zero);
	journal_writer_segment_bytes(w, 500);
	assert_int_equal(write_until(t, w, NBLOCKS, &good, &pos, &e), 0);
	journal_writer_close(w);
	bad = (struct journal_pos){ 1, SEGMENT_HEADER + 1 };
	assert_int_equal(journal_writer_open(sys_posix(), t->dir, &bad, &w,
	    NULL, &e), ERR_CORRUPT);
	expect_blocks(t, NBLOCKS, &pos);
	fault_init(&f, EIO, 0);
	f.sys.pread = fault_pread;
	assert_int_equal(journal_writer_open(&f.sys, t->dir, &pos, &w, NULL,
	    &e), ERR_IO);
	expect_blocks(t, NBLOCKS, &pos);
	journal_test_wipe(t);
}

/* What a restart reads: of the segment it goes on with, the headers and one
 * block; of the others nothing, however many there are. */
struct watch {
	struct sys sys;
	char *last;			/* path of the last segment */
	uint32_t others;		/* segments opened but that */
	uint64_t bytes;
};

static int
watch_open(void *cookie, const char *path, int flags, int mode)
{
	struct watch *w = cookie;

	if (strstr(path, ".gj") != NULL && strcmp(path, w->last) != 0)
		w->others++;
	return (sys_posix()->open(NULL, path, flags, mode));
}

static ssize_t
watch_pread(void *cookie, int fd, void *p, size_t n, int64_t off)
{
	struct watch *w = cookie;

	w->bytes += n;
	return (sys_posix()->pread(NULL, fd, p, n, off));
}

static void
test_journal_restart_reads_little(void **state)
{
	struct journal_test *t = *state;
	struct journal_pos pos = zero;
	struct journal_writer *w;
	struct err e = ERR_INIT;
	struct watch x;
	uint32_t good = 0, n;
	uint64_t cut;

	w = open_at(t, sys_posix(), &zero);
	journal_writer_segment_bytes(w, 2000);
	for (n = 1; n <= 200; n++)
		assert_int_equal(write_until(t, w, n, &good, &pos, &e), 0);
	journal_writer_close(w);
	assert_true(pos.segment > 10);

	memset(&x, 0, sizeof(x));
	x.sys = *sys_posix();
	x.sys.cookie = &x;
	x.sys.open = watch_open;
	x.sys.pread = watch_pread;
	x.last = journal_test_path(t, pos.segment);
	assert_int_equal(journal_writer_lock(&x.sys, t->dir, &w, &e), 0);
	assert_int_equal(journal_writer_start(w, &pos, 1, &cut, &e), 0);
	journal_writer_close(w);
	assert_int_equal(x.others, 0);
	assert_int_equal(cut, 0);
	assert_true(x.bytes > 0 && x.bytes < 3000);
	free(x.last);
	journal_test_wipe(t);
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

	fault_init(&f, EIO, WRITES | SYNCS);
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

/* A failed sync ends its segment, though no other can be made yet: another
 * sync of the same would say yes to what is lost. */
static void
test_journal_seals(void **state)
{
	struct journal_test *t = *state;
	struct journal_writer *w;
	struct journal_pos pos;
	struct err e = ERR_INIT;
	struct fault f;
	uint32_t good = 0;

	fault_init(&f, EIO, SYNCS | CREATES);
	w = open_at(t, &f.sys, &zero);
	assert_int_equal(write_until(t, w, 2, &good, &pos, &e), 0);
	fail_calls(&f, 0, 2);
	assert_int_equal(write_until(t, w, 4, &good, &pos, &e), ERR_IO);
	fail_calls(&f, 0, 0);
	assert_int_equal(journal_writer_sync(w, &pos, &e), 0);
	assert_int_equal(pos.segment, 2);
	journal_writer_close(w);
	expect_blocks(t, 4, &pos);
	journal_test_wipe(t);
}

/* Three segments, each with block 0 alone; the end of each. */
static void
three_segments(struct journal_test *t, struct journal_pos *end)
{
	struct journal_writer *w = open_at(t, sys_posix(), &zero);
	struct err e = ERR_INIT;
	unsigned i;

	journal_writer_segment_bytes(w, 1);
	for (i = 0; i < 3; i++) {
		assert_int_equal(journal_test_append(t, w, 0, &e), 0);
		assert_int_equal(journal_writer_sync(w, &end[i], &e), 0);
		assert_int_equal(end[i].segment, i + 1);
		assert_int_equal(end[i].offset, end[0].offset);
	}
	journal_writer_close(w);
}

/* How reading all ends; *n blocks came before. */
static int
read_all(const struct journal_test *t, const struct journal_pos *to,
    unsigned *n)
{
	const struct rows_schema *schema;
	struct journal_reader *r;
	struct journal_block k;
	int rc;

	*n = 0;
	rc = journal_reader_open(sys_posix(), t->dir, &zero, to, false, &r,
	    NULL);
	if (rc != 0)
		return (rc);
	while ((rc = journal_reader_next(r, &k, &schema, NULL)) == 1)
		++*n;
	journal_reader_close(r);
	return (rc);
}

/* What was lost between two segments does not go unseen because both of them
 * are good: a whole one, or the last blocks of one. */
static void
test_journal_lost_between(void **state)
{
	struct journal_test *t = *state;
	struct journal_pos end[3];
	uint8_t *data;
	char *path;
	size_t len;
	unsigned n;

	three_segments(t, end);
	assert_int_equal(read_all(t, &end[2], &n), 0);
	assert_int_equal(n, 3);
	path = journal_test_path(t, 2);
	data = journal_test_load(t, 2, &len);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(read_all(t, &end[2], &n), ERR_CORRUPT);
	assert_int_equal(read_all(t, NULL, &n), ERR_CORRUPT);
	/* Only its header is left of it: no block is torn. */
	journal_test_store(t, 2, data, SEGMENT_HEADER);
	assert_int_equal(read_all(t, &end[2], &n), ERR_CORRUPT);
	assert_int_equal(read_all(t, NULL, &n), ERR_CORRUPT);
	free(data);
	free(path);
	journal_test_wipe(t);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_journal_fails_once),
		cmocka_unit_test(test_journal_fails_for_good),
		cmocka_unit_test(test_journal_revives),
		cmocka_unit_test(test_journal_fails_again),
		cmocka_unit_test(test_journal_waits_for_room),
		cmocka_unit_test(test_journal_seals),
		cmocka_unit_test(test_journal_lost_between),
		cmocka_unit_test(test_journal_rollover),
		cmocka_unit_test(test_journal_open_takes_nothing),
		cmocka_unit_test(test_journal_restart_reads_little),
	};

	return (cmocka_run_group_tests(tests, journal_test_setup,
	    journal_test_teardown));
}
