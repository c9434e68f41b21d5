/* The environment: open, format, notes, growth, and a second process. */
#include "config.h"

#include <sys/wait.h>

#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ledger_test.h"
#include "ledger/ledger_int.h"

/* --- what the transactions of these tests do ----------------------------- */

struct notes {
	const char *prefix;
	unsigned n;
	size_t bytes;
	int result;		/* of the function, after all puts */
	unsigned runs;		/* counted by it */
};

static int
put_notes(struct ledger_txn *t, void *cookie, struct err *e)
{
	struct notes *w = cookie;
	char name[60], text[4097];
	unsigned i;
	int rc = 0;

	w->runs++;
	memset(text, 'x', sizeof(text));
	text[w->bytes] = '\0';
	for (i = 0; i < w->n && rc == 0; i++) {
		(void)snprintf(name, sizeof(name), "%s.%u", w->prefix, i);
		rc = ledger_note_put(t, name, text, e);
	}
	return (rc != 0 ? rc : w->result);
}

static int
write_notes(struct ledger *l, const char *prefix, unsigned n, size_t bytes)
{
	struct notes w = { .prefix = prefix, .n = n, .bytes = bytes };

	return (ledger_write(l, put_notes, &w, NULL));
}

/* Length of a note, or the error. */
static int
note_length(struct ledger *l, const char *name)
{
	struct ledger_txn *t;
	char text[4097];
	int rc;

	if (ledger_read_begin(l, &t, NULL) != 0)
		return (ERR_INTERNAL);
	rc = ledger_note_get(t, name, text, sizeof(text), NULL);
	ledger_read_end(t);
	return (rc == 0 ? (int)strlen(text) : rc);
}

/* --- one process --------------------------------------------------------- */

static void
reopen(void **state)
{
	struct place *p = *state;
	struct err e = ERR_INIT;
	struct ledger *l;
	char instance[40];

	assert_int_equal(ledger_open(p->ledger, true, &l, &e), ERR_NOTFOUND);
	assert_null(l);
	assert_non_null(strstr(e.text, p->ledger));
	assert_non_null(strstr(e.text, "garner harvest"));
	assert_false(sys_exists(sys_posix(), p->ledger));

	l = place_open(p);
	assert_int_equal(strlen(ledger_instance(l)), 36);
	(void)snprintf(instance, sizeof(instance), "%s", ledger_instance(l));
	assert_int_equal(write_notes(l, "a", 1, 7), 0);
	ledger_close(l);

	assert_int_equal(ledger_open(p->ledger, true, &l, &e), 0);
	assert_string_equal(ledger_instance(l), instance);
	assert_int_equal(note_length(l, "a.0"), 7);
	ledger_close(l);
	l = place_open(p);
	assert_string_equal(ledger_instance(l), instance);
	ledger_close(l);
	ledger_close(NULL);
	ledger_read_end(NULL);
}

/* What may lie where the ledger should. */
static void
strange_files(void **state)
{
	static const struct {
		size_t bytes;
		bool readonly;
		int code;
	} cases[] = {
		{ 0, true, ERR_NOTFOUND },	/* killed while it was made */
		{ 0, false, 0 },
		{ 20000, true, ERR_CORRUPT },
		{ 20000, false, ERR_CORRUPT },
	};
	struct place *p = *state;
	struct ledger *l;
	struct err e;
	char path[320], *data = must_calloc(1, 20000);
	size_t i;
	int rc;

	memset(data, 'g', 20000);
	(void)snprintf(path, sizeof(path), "%s/data.mdb", p->ledger);
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		e = (struct err)ERR_INIT;
		assert_int_equal(sys_mkdirs(sys_posix(), p->ledger, NULL), 0);
		assert_int_equal(sys_write_file(sys_posix(), path, data,
		    cases[i].bytes, true, NULL), 0);
		rc = ledger_open(p->ledger, cases[i].readonly, &l, &e);
		if (rc != cases[i].code)
			fail_msg("case %zu: %d: %s", i, rc, e.text);
		if (rc != 0)
			assert_non_null(strstr(e.text, p->ledger));
		ledger_close(l);
		assert_int_equal(sys_remove_tree(p->ledger, NULL), 0);
	}
	free(data);
}

/* A file cut at any page is an error with a name, not SIGBUS. */
static void
cut_short(void **state)
{
	struct place *p = *state;
	struct ledger *l = place_open(p);
	struct err e;
	struct stat st;
	char path[320];
	off_t pages;
	int rc;

	assert_int_equal(write_notes(l, "some", 100, 900), 0);
	ledger_close(l);
	(void)snprintf(path, sizeof(path), "%s/data.mdb", p->ledger);
	assert_int_equal(stat(path, &st), 0);
	pages = st.st_size / 4096;
	assert_true(pages > 20);
	while (--pages >= 2) {
		assert_int_equal(truncate(path, pages * 4096), 0);
		e = (struct err)ERR_INIT;
		rc = ledger_open(p->ledger, pages % 2 == 0, &l, &e);
		assert_int_equal(rc, ERR_CORRUPT);
		assert_non_null(strstr(e.text, "data.mdb was cut short"));
	}
	/* A whole one is found whole by who looks at short ones. */
	assert_int_equal(sys_remove_tree(p->ledger, NULL), 0);
	l = place_open(p);
	assert_int_equal(ledger_probe(p->ledger, 1 << 20, &e), 0);
	ledger_close(l);
}

static int
put_format(struct ledger_txn *t, void *cookie, struct err *e)
{
	struct ledger_key k;
	const char *text = cookie;

	ledger_key_name(&k, 'M', "format");
	return (ledger_put(t, &k, text, strlen(text), e));
}

static void
format(void **state)
{
	static const struct {
		const char *text;
		int code;
	} cases[] = {
		{ "1", 0 },
		{ "2", ERR_CONFIG },
		{ "999999999999", ERR_CONFIG },
		{ "0", ERR_CORRUPT },
		{ "one", ERR_CORRUPT },
		{ "", ERR_CORRUPT },
		{ "12345678901234567890", ERR_LIMIT },
	};
	struct place *p = *state;
	struct ledger *l;
	char text[40];
	size_t i;
	int readonly;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		l = place_open(p);
		(void)snprintf(text, sizeof(text), "%s", cases[i].text);
		assert_int_equal(ledger_write(l, put_format, text, NULL), 0);
		ledger_close(l);
		for (readonly = 0; readonly < 2; readonly++) {
			assert_int_equal(ledger_open(p->ledger, readonly != 0,
			    &l, NULL), cases[i].code);
			ledger_close(l);
		}
		assert_int_equal(sys_remove_tree(p->ledger, NULL), 0);
	}
}

static void
notes(void **state)
{
	struct ledger *l = place_open(*state);
	struct ledger_txn *t;
	char text[8];

	assert_int_equal(write_notes(l, "empty", 1, 0), 0);
	assert_int_equal(write_notes(l, "seven", 1, 7), 0);
	assert_int_equal(write_notes(l, "most", 1, 4096), 0);
	assert_int_equal(note_length(l, "empty.0"), 0);
	assert_int_equal(note_length(l, "most.0"), 4096);
	assert_int_equal(note_length(l, "sev"), ERR_NOTFOUND);
	assert_int_equal(note_length(l, ""), ERR_NOTFOUND);
	assert_int_equal(write_notes(l, "seven", 1, 3), 0);
	assert_int_equal(note_length(l, "seven.0"), 3);

	t = place_read(l);
	assert_int_equal(ledger_note_get(t, "seven.0", text, 4, NULL), 0);
	assert_string_equal(text, "xxx");
	assert_int_equal(ledger_note_get(t, "seven.0", text, 3, NULL),
	    ERR_LIMIT);
	ledger_read_end(t);
	ledger_close(l);
}

static int
put_too_long(struct ledger_txn *t, void *cookie, struct err *e)
{
	char text[4098];

	(void)cookie;
	memset(text, 'x', sizeof(text));
	text[4097] = '\0';
	return (ledger_note_put(t, "long", text, e));
}

/* A transaction is whole or not at all, and its code comes back as it is:
 * also ERR_BUSY, which must not be taken for a full map. */
static void
abort_is_whole(void **state)
{
	static const int codes[] = { ERR_BUSY, ERR_CANCELLED, 7 };
	struct ledger *l = place_open(*state);
	struct notes w;
	size_t i;

	for (i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
		w = (struct notes) { "a", 20, 100, codes[i], 0 };
		assert_int_equal(ledger_write(l, put_notes, &w, NULL),
		    codes[i]);
		assert_int_equal(w.runs, 1);
		assert_int_equal(note_length(l, "a.0"), ERR_NOTFOUND);
	}
	assert_int_equal(ledger_write(l, put_too_long, NULL, NULL), ERR_LIMIT);
	ledger_close(l);
}

/* A reader sees the state of its beginning, writers do not disturb it. */
static void
snapshot(void **state)
{
	struct ledger *l = place_open(*state);
	struct ledger_txn *t;
	char text[16];

	assert_int_equal(write_notes(l, "a", 1, 1), 0);
	t = place_read(l);
	assert_int_equal(write_notes(l, "a", 1, 2), 0);
	assert_int_equal(ledger_note_get(t, "a.0", text, sizeof(text), NULL),
	    0);
	assert_string_equal(text, "x");
	ledger_read_end(t);
	assert_int_equal(note_length(l, "a.0"), 2);
	ledger_close(l);
}

/* 3,000 notes of 4 KiB take 24 MB: more than the first map, in one
 * transaction and in many. */
static void
growth(void **state)
{
	struct place *p = *state;
	struct notes w = { .prefix = "one", .n = 3000, .bytes = 4096 };
	struct err e = ERR_INIT;
	struct ledger *l = place_open(p);
	unsigned i;
	char name[40];

	assert_int_equal(ledger_write(l, put_notes, &w, &e), 0);
	assert_true(w.runs >= 2);
	assert_int_equal(e.code, 0);
	assert_string_equal(e.text, "");
	for (i = 0; i < 10; i++) {
		(void)snprintf(name, sizeof(name), "many%u", i);
		w = (struct notes) { name, 300, 4096, 0, 0 };
		assert_int_equal(ledger_write(l, put_notes, &w, NULL), 0);
		/* The map grew before it was full. */
		assert_int_equal(w.runs, 1);
	}
	ledger_close(l);
	l = place_open(p);
	assert_int_equal(note_length(l, "one.2999"), 4096);
	assert_int_equal(note_length(l, "many9.299"), 4096);
	ledger_close(l);
}

/* --- two processes ------------------------------------------------------- */

struct pair {
	int to_child[2];
	int to_parent[2];
	pid_t pid;
};

static void
tell(int fd)
{
	if (write(fd, "g", 1) != 1)
		abort();
}

/* False when the other side is gone. */
static bool
hear(int fd)
{
	char byte;

	return (read(fd, &byte, 1) == 1);
}

typedef void child_fn(const struct place *, struct pair *);

/* The ledger must not be open when a child is made. */
static void
pair_start(struct pair *x, const struct place *p, child_fn *fn)
{
	assert_int_equal(pipe(x->to_child), 0);
	assert_int_equal(pipe(x->to_parent), 0);
	x->pid = fork();
	assert_true(x->pid >= 0);
	if (x->pid == 0) {
		(void)close(x->to_child[1]);
		(void)close(x->to_parent[0]);
		fn(p, x);
		_exit(0);
	}
	(void)close(x->to_child[0]);
	(void)close(x->to_parent[1]);
}

static int
pair_end(struct pair *x)
{
	int status = -1;

	(void)close(x->to_child[1]);
	(void)close(x->to_parent[0]);
	assert_int_equal(waitpid(x->pid, &status, 0), x->pid);
	return (status);
}

/* In a child: cmocka's assertions belong to the parent. */
#define CHILD(x) \
	do { \
		if (!(x)) \
			_exit(__LINE__ & 0x7f); \
	} while (0)

static void
child_shares(const struct place *p, struct pair *x)
{
	struct ledger *l;

	CHILD(ledger_open(p->ledger, false, &l, NULL) == 0);
	CHILD(write_notes(l, "child", 1, 11) == 0);
	tell(x->to_parent[1]);
	CHILD(hear(x->to_child[0]));
	CHILD(note_length(l, "parent.0") == 22);
	/* Beyond the map of the parent. */
	CHILD(write_notes(l, "big", 3000, 4096) == 0);
	tell(x->to_parent[1]);
	CHILD(hear(x->to_child[0]));
	CHILD(note_length(l, "more.2999") == 4096);
	CHILD(write_notes(l, "last", 1, 33) == 0);
	ledger_close(l);
}

static void
shared(void **state)
{
	struct place *p = *state;
	struct ledger *l;
	struct pair x;

	pair_start(&x, p, child_shares);
	assert_true(hear(x.to_parent[0]));
	l = place_open(p);
	assert_int_equal(note_length(l, "child.0"), 11);
	assert_int_equal(write_notes(l, "parent", 1, 22), 0);
	tell(x.to_child[1]);
	assert_true(hear(x.to_parent[0]));
	assert_int_equal(note_length(l, "big.2999"), 4096);
	assert_int_equal(write_notes(l, "more", 3000, 4096), 0);
	tell(x.to_child[1]);
	assert_int_equal(pair_end(&x), 0);
	assert_int_equal(note_length(l, "last.0"), 33);
	place_check(l);
	ledger_close(l);
}

static int
put_and_hang(struct ledger_txn *t, void *cookie, struct err *e)
{
	struct pair *x = cookie;

	CHILD(ledger_note_put(t, "lost", "x", e) == 0);
	tell(x->to_parent[1]);
	for (;;)
		(void)pause();
}

static void
child_hangs_writing(const struct place *p, struct pair *x)
{
	struct ledger *l;

	CHILD(ledger_open(p->ledger, false, &l, NULL) == 0);
	(void)ledger_write(l, put_and_hang, x, NULL);
}

static void
killed_writer(void **state)
{
	struct place *p = *state;
	struct ledger *l;
	struct pair x;

	pair_start(&x, p, child_hangs_writing);
	assert_true(hear(x.to_parent[0]));
	l = place_open(p);			/* does not wait for it */
	assert_int_equal(note_length(l, "lost"), ERR_NOTFOUND);
	assert_int_equal(kill(x.pid, SIGKILL), 0);
	assert_true(WIFSIGNALED(pair_end(&x)));
	assert_int_equal(write_notes(l, "kept", 1, 5), 0);
	place_check(l);
	assert_int_equal(note_length(l, "kept.0"), 5);
	assert_int_equal(note_length(l, "lost"), ERR_NOTFOUND);
	ledger_close(l);
}

/* Takes every slot of the table of readers, and stays. */
static void
child_reads_all(const struct place *p, struct pair *x)
{
	struct ledger_txn *t;
	struct ledger *l;
	int n = 0;

	CHILD(ledger_open(p->ledger, true, &l, NULL) == 0);
	while (ledger_read_begin(l, &t, NULL) == 0)
		n++;
	CHILD(n > 100);
	tell(x->to_parent[1]);
	for (;;)
		(void)pause();
}

static void
killed_readers(void **state)
{
	struct place *p = *state;
	struct err e = ERR_INIT;
	struct ledger_txn *t;
	struct ledger *l;
	struct pair x;

	l = place_open(p);
	assert_int_equal(write_notes(l, "a", 1, 1), 0);
	ledger_close(l);

	pair_start(&x, p, child_reads_all);
	assert_true(hear(x.to_parent[0]));
	assert_int_equal(ledger_open(p->ledger, true, &l, &e), ERR_BUSY);
	assert_int_equal(kill(x.pid, SIGKILL), 0);
	assert_true(WIFSIGNALED(pair_end(&x)));
	l = place_open(p);
	t = place_read(l);
	ledger_read_end(t);
	ledger_close(l);
}

/* As above, but the parent has it open all the time. */
static void
child_fills_and_dies(const struct place *p, struct pair *x)
{

	CHILD(hear(x->to_child[0]));
	child_reads_all(p, x);
}

static void
killed_readers_seen(void **state)
{
	struct place *p = *state;
	struct ledger *l;
	struct pair x;

	pair_start(&x, p, child_fills_and_dies);
	l = place_open(p);
	assert_int_equal(write_notes(l, "a", 1, 1), 0);
	tell(x.to_child[1]);
	assert_true(hear(x.to_parent[0]));
	assert_int_equal(note_length(l, "a.0"), ERR_INTERNAL);	/* full */
	assert_int_equal(kill(x.pid, SIGKILL), 0);
	assert_true(WIFSIGNALED(pair_end(&x)));
	assert_int_equal(note_length(l, "a.0"), 1);
	ledger_close(l);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(reopen), TEST(strange_files), TEST(cut_short), TEST(format),
		TEST(notes),
		TEST(abort_is_whole), TEST(snapshot), TEST(growth),
		TEST(shared), TEST(killed_writer), TEST(killed_readers),
		TEST(killed_readers_seen),
	};

	return (cmocka_run_group_tests(tests, NULL, NULL));
}
