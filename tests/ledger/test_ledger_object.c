/* The catalogue: ids are dense and stable, walks tell what is gone; compared
 * with a model by random steps. */
#include "config.h"

#include "base/hash.h"
#include "ledger_test.h"
#include "ledger/ledger_int.h"

/* --- one object at a time ------------------------------------------------ */

struct put {
	const char *table;
	struct ledger_object o;
	uint32_t id;
};

static int
put_one(struct ledger_txn *t, void *cookie, struct err *e)
{
	struct put *p = cookie;

	return (ledger_object_put(t, p->table, &p->o, &p->id, e));
}

static int
put(struct ledger *l, const char *table, const char *key, const char *name,
    uint32_t *id, struct err *e)
{
	struct put p = { table, { .key = key, .name = name, .parent = "up",
	    .kind = "Float64" }, 0 };
	int rc = ledger_write(l, put_one, &p, e);

	*id = p.id;
	return (rc);
}

static uint32_t
put_id(struct ledger *l, const char *table, const char *key,
    const char *name)
{
	uint32_t id;

	assert_int_equal(put(l, table, key, name, &id, NULL), 0);
	return (id);
}

struct walk {
	const char *table;
	uint64_t generation;
	uint64_t gone;
	bool end;
};

static int
walk_step(struct ledger_txn *t, void *cookie, struct err *e)
{
	struct walk *w = cookie;

	if (w->end)
		return (ledger_walk_end(t, w->table, w->generation, &w->gone,
		    e));
	return (ledger_walk_begin(t, w->table, &w->generation, e));
}

static void
walk_begin(struct ledger *l, struct walk *w, const char *table)
{
	*w = (struct walk) { .table = table };
	assert_int_equal(ledger_write(l, walk_step, w, NULL), 0);
}

static uint64_t
walk_end(struct ledger *l, struct walk *w)
{
	w->end = true;
	assert_int_equal(ledger_write(l, walk_step, w, NULL), 0);
	return (w->gone);
}

/* "1=name 2=name(gone) ...": what ledger_object_each() gives. */
static int
append(const struct ledger_object *o, void *cookie)
{
	char *text = cookie;
	size_t n = strlen(text);

	(void)snprintf(text + n, 1000 - n, "%s%u=%s%s", n > 0 ? " " : "",
	    o->id, o->name, o->gone ? "(gone)" : "");
	return (0);
}

static void
expect(struct ledger *l, const char *table, uint32_t from, uint32_t to,
    const char *want)
{
	struct ledger_txn *t = place_read(l);
	char text[1000] = "";

	assert_int_equal(ledger_object_each(t, table, from, to, append, text,
	    NULL), 0);
	ledger_read_end(t);
	assert_string_equal(text, want);
}

static void
ids(void **state)
{
	struct place *p = *state;
	struct ledger *l = place_open(p);
	struct walk w;

	assert_int_equal(put_id(l, "a", "K1", "one"), 1);
	assert_int_equal(put_id(l, "a", "K2", "two"), 2);
	assert_int_equal(put_id(l, "a.b", "K2", "other"), 1);
	assert_int_equal(put_id(l, "a", "K3", "three"), 3);
	assert_int_equal(put_id(l, "a", "K1", "uno"), 1);
	expect(l, "a", 1, UINT32_MAX, "1=uno 2=two 3=three");
	expect(l, "a", 2, 2, "2=two");
	expect(l, "a", 2, 3, "2=two 3=three");
	expect(l, "a", 4, 9, "");
	expect(l, "a", 3, 2, "");
	expect(l, "a.b", 1, 9, "1=other");
	expect(l, "", 1, 9, "");

	walk_begin(l, &w, "a");
	assert_int_equal(put_id(l, "a", "K3", "three"), 3);
	assert_int_equal(put_id(l, "a", "K4", "four"), 4);
	assert_int_equal(walk_end(l, &w), 2);
	expect(l, "a", 1, 9, "1=uno(gone) 2=two(gone) 3=three 4=four");
	expect(l, "a.b", 1, 9, "1=other");

	ledger_close(l);		/* and it is all still there */
	l = place_open(p);
	walk_begin(l, &w, "a");
	assert_int_equal(put_id(l, "a", "K2", "two again"), 2);
	assert_int_equal(walk_end(l, &w), 2);
	expect(l, "a", 1, 9,
	    "1=uno(gone) 2=two again 3=three(gone) 4=four(gone)");
	ledger_close(l);
}

static int
stop_at_two(const struct ledger_object *o, void *cookie)
{
	uint32_t *last = cookie;

	*last = o->id;
	return (o->id == 2 ? 42 : 0);
}

static int
check_fields(const struct ledger_object *o, void *cookie)
{
	const struct ledger_object *want = cookie;

	assert_string_equal(o->key, want->key);
	assert_string_equal(o->name, want->name);
	assert_string_equal(o->parent, want->parent != NULL ? want->parent :
	    "");
	assert_string_equal(o->kind, want->kind != NULL ? want->kind : "");
	assert_false(o->gone);
	return (0);
}

static void
fields(void **state)
{
	static char most[1025], over[1026];
	static const struct {
		struct ledger_object o;
		int code;
	} cases[] = {
		{ { .key = "k", .name = "n", .parent = "p", .kind = "f" }, 0 },
		{ { .key = "k", .name = "", .parent = "", .kind = "" }, 0 },
		{ { .key = "k", .name = "n", .gone = true }, 0 },
		{ { .key = "k", .name = "ünïcode \"quoted\"" }, 0 },
		{ { .key = most, .name = most, .parent = most,
		    .kind = most }, 0 },
		{ { .key = over, .name = "n" }, ERR_LIMIT },
		{ { .key = "k", .name = over }, ERR_LIMIT },
		{ { .key = "k", .name = "n", .parent = over }, ERR_LIMIT },
		{ { .key = "k", .name = "n", .kind = over }, ERR_LIMIT },
	};
	struct ledger *l = place_open(*state);
	struct ledger_object want;
	struct ledger_txn *t;
	struct put p;
	char table[20];
	size_t i;

	memset(most, 'm', 1024);
	memset(over, 'o', 1025);
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		(void)snprintf(table, sizeof(table), "t%zu", i);
		want = cases[i].o;
		p = (struct put) { table, want, 0 };
		assert_int_equal(ledger_write(l, put_one, &p, NULL),
		    cases[i].code);
		t = place_read(l);
		assert_int_equal(ledger_object_each(t, table, 1, 9,
		    check_fields, &want, NULL), 0);
		ledger_read_end(t);
	}
	ledger_close(l);
}

static void
each_stops(void **state)
{
	struct ledger *l = place_open(*state);
	struct ledger_txn *t;
	uint32_t last = 0;

	(void)put_id(l, "a", "K1", "one");
	(void)put_id(l, "a", "K2", "two");
	(void)put_id(l, "a", "K3", "three");
	t = place_read(l);
	assert_int_equal(ledger_object_each(t, "a", 1, 9, stop_at_two, &last,
	    NULL), 42);
	assert_int_equal(last, 2);
	ledger_read_end(t);
	ledger_close(l);
}

/* --- damage -------------------------------------------------------------- */

struct raw {
	char kind;
	const char *bytes;
	size_t n;
	uint64_t number;	/* at the end of the key, not for 'C' */
};

static int
put_raw(struct ledger_txn *t, void *cookie, struct err *e)
{
	const struct raw *r = cookie;
	struct ledger_key k;

	if (r->kind == 'C')
		ledger_key_name(&k, 'C', "a");
	else
		ledger_key_number(&k, r->kind, "a", r->number,
		    r->kind == 'K' ? 8 : 4);
	return (ledger_put(t, &k, r->bytes, r->n, e));
}

static void
damage(void **state)
{
	static const struct raw cases[] = {
		{ 'O', "", 0, 1 },
		{ 'O', "\x01", 1, 1 },
		{ 'O', "\x02\x00\x00\x01k\x01n\x00\x00", 8, 1 },	/* version */
		{ 'O', "\x01\x00\x00\x01k\x01n\x00", 8, 1 },	/* cut */
		{ 'O', "\x01\x00\x00\xff\xff\xff\xff\x0fk", 9, 1 },
		{ 'C', "\x01\x00\x00", 3, 1 },
	};
	struct place *p = *state;
	struct ledger_txn *t;
	struct ledger *l;
	struct raw r;
	struct err e;
	char text[1000];
	uint32_t n, max;
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		l = place_open(p);
		(void)put_id(l, "a", "K1", "one");
		r = cases[i];
		assert_int_equal(ledger_write(l, put_raw, &r, NULL), 0);
		t = place_read(l);
		e = (struct err)ERR_INIT;
		text[0] = '\0';
		if (r.kind == 'O')
			assert_int_equal(ledger_object_each(t, "a", 1, 9,
			    append, text, &e), ERR_CORRUPT);
		else
			assert_int_equal(ledger_object_count(t, "a", &n, &max,
			    &e), ERR_CORRUPT);
		assert_non_null(strstr(e.text, "of a"));
		assert_int_equal(ledger_check(t, NULL), ERR_CORRUPT);
		ledger_read_end(t);
		assert_int_equal(put(l, "a", "K1", "x", &n, NULL),
		    ERR_CORRUPT);
		ledger_close(l);
		assert_int_equal(sys_remove_tree(p->ledger, NULL), 0);
	}
}

/* What decodes and yet does not fit the rest. */
static void
contradictions(void **state)
{
#define OBJECT(key) "\x01\x00\x00\x02" key "\x01n\x00\x00", 10
	static const struct {
		struct raw raw;
		const char *want;
	} cases[] = {
		{ { 'O', OBJECT("K1"), 1 }, NULL },	/* as it was */
		{ { 'O', OBJECT("K9"), 1 }, "an id leads to another object" },
		{ { 'O', OBJECT("K1"), 3 }, "objects beyond the last" },
		{ { 'O', OBJECT("K1"), 9 }, "no object before it: 9 of a" },
		{ { 'C', "\x01\0\0\0\0\0\0\0\0\0\0\0", 12, 0 },
		    "objects beyond the last: 1 of a" },
		{ { 'C', "\x07\0\0\0\0\0\0\0\0\0\0\0", 12, 0 },
		    "the last object is missing: 7 of a" },
		{ { 'K', "\x07\0\0\0", 4, 77 }, "an id leads to no object" },
		{ { 'K', "\x01\0\0\0", 4, 77 }, "an id leads to another" },
		{ { 'K', "\x01\0\0", 3, 77 }, "a list of ids" },
		{ { 'K', "", 0, 77 }, "a list of ids" },
		{ { 'Z', "", 0, 77 }, "a key of no kind" },
	};
	struct place *p = *state;
	struct ledger_txn *t;
	struct ledger *l;
	struct raw r;
	struct err e;
	size_t i;
	int rc;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		l = place_open(p);
		(void)put_id(l, "a", "K1", "one");
		(void)put_id(l, "a", "K2", "two");
		place_check(l);
		r = cases[i].raw;
		assert_int_equal(ledger_write(l, put_raw, &r, NULL), 0);
		t = place_read(l);
		e = (struct err)ERR_INIT;
		rc = ledger_check(t, &e);
		assert_int_equal(rc, cases[i].want != NULL ? ERR_CORRUPT : 0);
		if (cases[i].want != NULL &&
		    strstr(e.text, cases[i].want) == NULL)
			fail_msg("case %zu: %s", i, e.text);
		ledger_read_end(t);
		ledger_close(l);
		assert_int_equal(sys_remove_tree(p->ledger, NULL), 0);
	}
}

/* --- the model ----------------------------------------------------------- */

#define KEYS 60

struct model {
	uint32_t id[KEYS];	/* 0: never seen */
	uint32_t version[KEYS];
	bool gone[KEYS];
	bool seen[KEYS];
	uint32_t max;
};

struct model_check {
	const struct model *m;
	uint32_t next;		/* id to come */
};

static int
check_object(const struct ledger_object *o, void *cookie)
{
	struct model_check *c = cookie;
	unsigned key, version;

	assert_int_equal(o->id, c->next);
	c->next++;
	assert_int_equal(sscanf(o->key, "key-%u", &key), 1);
	assert_int_equal(sscanf(o->name, "name-%u", &version), 1);
	assert_true(key < KEYS);
	assert_int_equal(c->m->id[key], o->id);
	assert_int_equal(c->m->version[key], version);
	assert_int_equal(c->m->gone[key], o->gone);
	return (0);
}

static void
check_model(struct ledger *l, const struct model *m)
{
	struct model_check c = { m, 1 };
	struct ledger_txn *t = place_read(l);
	uint32_t count, max, want = 0;
	size_t i;

	assert_int_equal(ledger_object_each(t, "a", 1, UINT32_MAX,
	    check_object, &c, NULL), 0);
	assert_int_equal(c.next, m->max + 1);
	assert_int_equal(ledger_object_count(t, "a", &count, &max, NULL), 0);
	for (i = 0; i < KEYS; i++)
		want += m->id[i] != 0 && !m->gone[i];
	assert_int_equal(count, want);
	assert_int_equal(max, m->max);
	ledger_read_end(t);
	place_check(l);
}

static void
model_put(struct ledger *l, struct model *m, unsigned key, uint32_t version)
{
	char k[40], name[40];

	(void)snprintf(k, sizeof(k), "key-%u", key);
	(void)snprintf(name, sizeof(name), "name-%u", version);
	if (m->id[key] == 0)
		m->id[key] = ++m->max;
	assert_int_equal(put_id(l, "a", k, name), m->id[key]);
	m->version[key] = version;
	m->gone[key] = false;
	m->seen[key] = true;
}

static void
model_walk(struct ledger *l, struct model *m, struct rng *r)
{
	struct walk w;
	uint64_t gone = 0;
	unsigned i;

	walk_begin(l, &w, "a");
	memset(m->seen, 0, sizeof(m->seen));
	for (i = 0; i < 20; i++)
		model_put(l, m, (unsigned)rng_below(r, KEYS), i);
	for (i = 0; i < KEYS; i++)
		if (m->id[i] != 0 && !m->gone[i] && !m->seen[i]) {
			m->gone[i] = true;
			gone++;
		}
	assert_int_equal(walk_end(l, &w), gone);
}

static void
model(void **state)
{
	struct ledger *l = place_open(*state);
	struct model m;
	struct rng r;
	unsigned i;

	memset(&m, 0, sizeof(m));
	rng_init(&r, 20260301);
	for (i = 0; i < 12; i++) {
		model_walk(l, &m, &r);
		check_model(l, &m);
		model_put(l, &m, (unsigned)rng_below(&r, KEYS), i);
		check_model(l, &m);
	}
	ledger_close(l);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(ids), TEST(fields), TEST(each_stops), TEST(damage),
		TEST(contradictions), TEST(model),
	};

	return (cmocka_run_group_tests(tests, NULL, NULL));
}
