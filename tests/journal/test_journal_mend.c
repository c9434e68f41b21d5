/*
 * Mending: whatever is damaged, afterwards the journal reads from end to
 * end, no position has moved, and everything that was not damaged is there.
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

#include "base/must.h"
#include "journal_test.h"

#define NBLOCKS 24

static const struct journal_pos zero = { 0, 0 };

struct seen {
	bool block[NBLOCKS];
	uint32_t n;
	uint32_t holes;
	uint64_t hole_bytes;
};

struct wounds {
	uint32_t n;
	struct journal_pos first;
	uint64_t bytes;
};

static int
on_wound(void *cookie, const struct journal_wound *w, struct err *e)
{
	struct wounds *s = cookie;

	(void)e;
	if (s->n++ == 0)
		s->first = w->at;
	s->bytes += w->bytes;
	return (0);
}

/* Some segments; pos[k] is where block k ends. */
static void
make(const struct journal_test *t, struct journal_pos *pos)
{
	struct journal_writer *w;
	uint32_t k;

	assert_int_equal(journal_writer_open(sys_posix(), t->dir, &zero, &w,
	    NULL, NULL), 0);
	journal_writer_segment_bytes(w, 900);
	for (k = 0; k < NBLOCKS; k++) {
		assert_int_equal(journal_test_append(t, w, k, NULL), 0);
		assert_int_equal(journal_writer_sync(w, &pos[k], NULL), 0);
	}
	journal_writer_close(w);
	assert_true(pos[NBLOCKS - 1].segment > 3);
}

/* All of it, at the places it was written to. */
static void
read_all(const struct journal_test *t, const struct journal_pos *pos,
    struct seen *s)
{
	const struct rows_schema *schema;
	struct journal_reader *r;
	struct journal_block b;
	struct journal_pos at;
	struct err e = ERR_INIT;
	uint32_t k;
	int rc;

	memset(s, 0, sizeof(*s));
	assert_int_equal(journal_reader_open(sys_posix(), t->dir, &zero,
	    &pos[NBLOCKS - 1], false, &r, &e), 0);
	journal_reader_show_covers(r);
	while ((rc = journal_reader_next(r, &b, &schema, &e)) == 1) {
		if (b.hole) {
			s->holes++;
			s->hole_bytes += b.stored_bytes;
			continue;
		}
		k = journal_test_check(t, r, &b, schema);
		at = journal_reader_pos(r);
		assert_int_equal(journal_pos_cmp(&at, &pos[k]), 0);
		assert_false(s->block[k]);
		s->block[k] = true;
		s->n++;
	}
	if (rc != 0)
		fail_msg("%s", e.text);
	journal_reader_close(r);
}

static int
mend(const struct journal_test *t, const struct sys *sys,
    const struct journal_pos *to, bool apply, struct wounds *w,
    struct err *e)
{
	const struct rows_schema *schemas[] = { t->schema[0], t->schema[1] };
	struct journal_mending m = { .to = to, .apply = apply,
	    .schemas = schemas, .nschemas = 2, .wound = on_wound,
	    .cookie = w };
	struct journal_pos end;

	memset(w, 0, sizeof(*w));
	return (journal_mend(sys, t->dir, &m, &end, e));
}

/* Nothing to do twice; a writer goes on behind it. */
static void
expect_good(const struct journal_test *t, const struct journal_pos *pos)
{
	struct journal_writer *w;
	struct err e = ERR_INIT;
	struct wounds none;

	assert_int_equal(mend(t, sys_posix(), &pos[NBLOCKS - 1], true, &none,
	    &e), 0);
	assert_int_equal(none.n, 0);
	if (journal_writer_open(sys_posix(), t->dir, &pos[NBLOCKS - 1], &w,
	    NULL, &e) != 0)
		fail_msg("%s", e.text);
	journal_writer_close(w);
}

static void
heal(const struct journal_test *t, const struct journal_pos *pos,
    struct seen *s, struct wounds *w)
{
	struct err e = ERR_INIT;
	struct wounds dry;

	/* A dry run says the same, and changes nothing. */
	assert_int_equal(mend(t, sys_posix(), &pos[NBLOCKS - 1], false, &dry,
	    &e), 0);
	if (mend(t, sys_posix(), &pos[NBLOCKS - 1], true, w, &e) != 0)
		fail_msg("%s", e.text);
	assert_memory_equal(&dry, w, sizeof(dry));
	expect_good(t, pos);
	read_all(t, pos, s);
}

static void
test_mend_nothing(void **state)
{
	struct journal_test *t = *state;
	struct journal_pos pos[NBLOCKS];
	struct wounds w;
	struct seen s;

	make(t, pos);
	heal(t, pos, &s, &w);
	assert_int_equal(w.n, 0);
	assert_int_equal(s.n, NBLOCKS);
	journal_test_wipe(t);
	assert_int_equal(mend(t, sys_posix(), NULL, true, &w, NULL), 0);
	assert_int_equal(w.n, 0);
}

/* Each byte of a segment in turn: one block is lost at most, none when it is
 * a schema or the header. */
static void
test_mend_every_byte(void **state)
{
	struct journal_test *t = *state;
	struct journal_pos pos[NBLOCKS];
	struct wounds w;
	struct seen s;
	uint8_t *data;
	size_t len, at;

	make(t, pos);
	data = journal_test_load(t, 2, &len);
	for (at = 0; at < len; at += 7) {
		data[at] ^= 0x20;
		journal_test_store(t, 2, data, len);
		heal(t, pos, &s, &w);
		assert_int_equal(w.n, 1);
		assert_true(w.first.segment == 2 && w.first.offset <= at);
		assert_true(s.n >= NBLOCKS - 1);
		assert_true(s.holes == (at >= 40) && s.holes >= NBLOCKS - s.n);
		assert_true(s.hole_bytes == (s.holes > 0 ? w.bytes : 0));
		data[at] ^= 0x20;
		journal_test_store(t, 2, data, len);
	}
	free(data);
	journal_test_wipe(t);
}

/* A segment that is gone, and one cut at any length. */
static void
test_mend_missing_and_cut(void **state)
{
	struct journal_test *t = *state;
	struct journal_pos pos[NBLOCKS];
	uint32_t segment, k, lost;
	struct wounds w;
	struct seen s;
	uint8_t *data;
	size_t len, cut;
	char *path;

	make(t, pos);
	for (segment = 1; segment <= pos[NBLOCKS - 1].segment; segment++) {
		data = journal_test_load(t, segment, &len);
		path = journal_test_path(t, segment);
		for (cut = 0; cut < len; cut += 131) {
			if (cut == 0)
				assert_int_equal(unlink(path), 0);
			else
				journal_test_store(t, segment, data, cut);
			heal(t, pos, &s, &w);
			assert_true(w.n > 0 && w.first.segment == segment);
			for (k = lost = 0; k < NBLOCKS; k++) {
				if (pos[k].segment == segment &&
				    pos[k].offset > cut) {
					assert_false(s.block[k]);
					lost++;
				}
			}
			assert_int_equal(s.n, NBLOCKS - lost);
		}
		journal_test_store(t, segment, data, len);
		free(data);
		free(path);
	}
	journal_test_wipe(t);
}

/* The only block of a schema: what is known of it is put back, byte for
 * byte, and no row is lost. */
static void
test_mend_schema(void **state)
{
	struct journal_test *t = *state;
	struct journal_pos pos[NBLOCKS];
	uint8_t *data, *now;
	struct wounds w;
	struct seen s;
	size_t len, n, at;

	journal_test_make(t, NBLOCKS, pos);
	data = journal_test_load(t, 1, &len);
	assert_int_equal(data[40 + 6], 1);
	for (at = 40; at < 40 + 80 + 20; at += 7) {
		data[at] ^= 4;
		journal_test_store(t, 1, data, len);
		heal(t, pos, &s, &w);
		assert_int_equal(s.n, NBLOCKS);
		assert_int_equal(s.holes, 0);
		data[at] ^= 4;
		now = journal_test_load(t, 1, &n);
		assert_int_equal(n, len);
		assert_memory_equal(now, data, len);
		free(now);
	}
	free(data);
	journal_test_wipe(t);
}

/* --- a disk that fails at call N ------------------------------------------ */

struct fault {
	struct sys sys;
	unsigned calls, at;
};

static bool
fails(struct fault *f)
{

	errno = EIO;
	return (f->calls++ == f->at);
}

static ssize_t
fault_pwrite(void *cookie, int fd, const void *p, size_t n, int64_t off)
{

	return (fails(cookie) ? -1 : sys_posix()->pwrite(NULL, fd, p, n,
	    off));
}

static int
fault_fsync(void *cookie, int fd)
{

	return (fails(cookie) ? -1 : sys_posix()->fsync(NULL, fd));
}

static int
fault_rename(void *cookie, const char *from, const char *to)
{

	return (fails(cookie) ? -1 : sys_posix()->rename(NULL, from, to));
}

static int
fault_unlink(void *cookie, const char *path)
{
	struct fault *f = cookie;

	/* As if the process ended where it failed. */
	return (f->calls > f->at ? -1 : sys_posix()->unlink(NULL, path));
}

static void
test_mend_interrupted(void **state)
{
	struct journal_test *t = *state;
	struct journal_pos pos[NBLOCKS];
	struct err e = ERR_INIT;
	struct fault f;
	struct wounds w;
	struct seen s;
	uint8_t *data;
	size_t len, at = 200;
	int rc = 1;

	make(t, pos);
	data = journal_test_load(t, 2, &len);
	memset(&f, 0, sizeof(f));
	f.sys = *sys_posix();
	f.sys.cookie = &f;
	f.sys.pwrite = fault_pwrite;
	f.sys.fsync = fault_fsync;
	f.sys.rename = fault_rename;
	f.sys.unlink = fault_unlink;
	for (f.at = 0; rc != 0; f.at++) {
		assert_true(f.at < 100);
		data[at] ^= 1;
		journal_test_store(t, 2, data, len);
		f.calls = 0;
		rc = mend(t, &f.sys, &pos[NBLOCKS - 1], true, &w, &e);
		assert_true(rc == 0 || rc == ERR_IO);
		if (rc == 0)
			break;
		assert_int_equal(mend(t, sys_posix(), &pos[NBLOCKS - 1], true,
		    &w, &e), 0);
		expect_good(t, pos);
		read_all(t, pos, &s);
		assert_true(s.n == NBLOCKS - 1);
		data[at] ^= 1;
		journal_test_store(t, 2, data, len);
	}
	assert_true(f.at > 5);
	free(data);
	journal_test_wipe(t);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_mend_nothing),
		cmocka_unit_test(test_mend_every_byte),
		cmocka_unit_test(test_mend_missing_and_cut),
		cmocka_unit_test(test_mend_schema),
		cmocka_unit_test(test_mend_interrupted),
	};

	return (cmocka_run_group_tests(tests, journal_test_setup,
	    journal_test_teardown));
}
