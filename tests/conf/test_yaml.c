/* YAML: the tree and its places; what is refused, and where. */
#include "config.h"

#include "base/buf.h"
#include "conf/yaml.h"
#include "conf_test.h"

/* The tree on one line: {k@line:column: v, ...}; quoted scalars in "". */
static void
show(const struct yaml_node *n, struct buf *b)
{
	size_t i;

	if (n == NULL) {
		buf_puts(b, "nothing");
		return;
	}
	if (n->kind == YAML_SCALAR) {
		buf_printf(b, n->plain ? "%s" : "\"%s\"", n->text);
		return;
	}
	buf_puts(b, n->kind == YAML_MAP ? "{" : "[");
	for (i = 0; i < n->n; i++) {
		if (i > 0)
			buf_puts(b, ", ");
		if (n->kind == YAML_MAP)
			buf_printf(b, "%s@%d:%d: ", n->keys[i]->text,
			    n->keys[i]->line, n->keys[i]->column);
		show(n->values[i], b);
	}
	buf_puts(b, n->kind == YAML_MAP ? "}" : "]");
}

static void
trees(void **state)
{
	static const struct {
		const char *text, *want;
	} cases[] = {
		{ "", "nothing" },
		{ "# only words\n", "nothing" },
		{ "---\n", "" },
		{ "a", "a" },
		{ "'a'", "\"a\"" },
		{ "a: 1\nb: \"2\"\n", "{a@1:1: 1, b@2:1: \"2\"}" },
		{ "a:\n  b: [x, 'y']\n  c:\n", "{a@1:1: {b@2:3: [x, \"y\"], "
		    "c@3:3: }}" },
		{ "- {a: 1}\n- []\n", "[{a@1:4: 1}, []]" },
		{ "a: |\n  one\n  two\n", "{a@1:1: \"one\ntwo\n\"}" },
		{ "a: ~\nb: null\n", "{a@1:1: ~, b@2:1: null}" },
		{ "\xc3\xbc: \xe2\x82\xac\n", "{\xc3\xbc@1:1: "
		    "\xe2\x82\xac}" },
	};
	struct yaml_doc *d;
	struct err e;
	struct buf b;
	size_t i;

	(void)state;
	buf_init(&b, 4096);
	for (i = 0; i < COUNT(cases); i++) {
		e = (struct err)ERR_INIT;
		buf_clear(&b);
		if (yaml_parse(cases[i].text, strlen(cases[i].text), "x.yaml",
		    &d, &e) != 0)
			fail_msg("%s", e.text);
		show(d->root, &b);
		assert_string_equal(buf_str(&b), cases[i].want);
		yaml_doc_free(d);
	}
	buf_fini(&b);
	yaml_doc_free(NULL);
}

static void
refused(void **state)
{
	static const struct {
		const char *text;
		const char *want;	/* begin of the message */
	} cases[] = {
		{ "a: &x 1\n", "x.yaml:1:4: anchors are not" },
		{ "a: &x {b: 1}\n", "x.yaml:1:4: anchors are not" },
		{ "a: &x [b]\n", "x.yaml:1:4: anchors are not" },
		{ "a: *x\n", "x.yaml:1:4: aliases are not" },
		{ "a: !!int 1\n", "x.yaml:1:4: tags are not" },
		{ "a: ! x\n", "x.yaml:1:4: tags are not" },
		{ "a: !t [b]\n", "x.yaml:1:4: tags are not" },
		{ "a: !t {b: 1}\n", "x.yaml:1:4: tags are not" },
		{ "a: 1\nb: 2\na: 3\n", "x.yaml:3:1: \"a\" is there" },
		{ "a: {b: 1, b: 1}\n", "x.yaml:1:11: \"b\" is there" },
		{ "[a]: 1\n", "x.yaml:1:1: a key must be a word" },
		{ "{a: 1}: 1\n", "x.yaml:1:1: a key must be a word" },
		{ "a: 1\n---\nb: 1\n", "x.yaml:2:1: a second document" },
		{ "a: \"x\\0y\"\n", "x.yaml:1:4: a NUL byte" },
		{ "a: [1\n", "x.yaml:2:1: " },
		{ "a: 1\n b: 2\n", "x.yaml:2:3: " },
		{ "a: \"x\n", "x.yaml:" },
		{ "a:\tb: c\n\t- d\n", "x.yaml:" },
		{ "[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]\n", "x.yaml:1:17: "
		    "nested too deep" },
		{ "\xff\xfe", "x.yaml:" },
		{ "a: \xff\n", "x.yaml:" },
	};
	struct yaml_doc *d;
	struct err e;
	size_t i;
	int rc;

	(void)state;
	for (i = 0; i < COUNT(cases); i++) {
		e = (struct err)ERR_INIT;
		rc = yaml_parse(cases[i].text, strlen(cases[i].text),
		    "x.yaml", &d, &e);
		if (rc == 0 && i == COUNT(cases) - 2) {
			yaml_doc_free(d);	/* an empty UTF-16 text */
			continue;
		}
		if (rc != ERR_CONFIG)
			fail_msg("case %zu: %d", i, rc);
		assert_null(d);
		if (strncmp(e.text, cases[i].want, strlen(cases[i].want)) != 0)
			fail_msg("%s, not %s", e.text, cases[i].want);
	}
}

/* Entries of a list and of a map are bounded. */
static void
many(void **state)
{
	static const int counts[] = { 10000, 10001 };
	struct yaml_doc *d;
	struct err e;
	struct buf b;
	size_t i;
	int map, k;

	(void)state;
	buf_init(&b, 1 << 20);
	for (i = 0; i < COUNT(counts); i++)
		for (map = 0; map < 2; map++) {
			e = (struct err)ERR_INIT;
			buf_clear(&b);
			for (k = 0; k < counts[i]; k++)
				buf_printf(&b, map ? "k%d: 1\n" : "- %d\n",
				    k);
			assert_int_equal(yaml_parse(buf_str(&b), b.len, "x",
			    &d, &e), i == 0 ? 0 : ERR_CONFIG);
			assert_string_equal(e.text, i == 0 ? "" :
			    "x:1:1: more than 10000 entries");
			yaml_doc_free(d);
		}
	buf_fini(&b);
}

/* Every cut of a document is read or refused, and nothing leaks. */
static void
cut(void **state)
{
	static const char text[] = "a: {b: [1, \"two\", 'three'], c: {d: e}}\n"
	    "f:\n  - g: h\n    i: |\n      j\n  - k\nl: &m n\n";
	struct yaml_doc *d;
	size_t n;
	int rc;

	(void)state;
	for (n = 0; n < sizeof(text); n++) {
		rc = yaml_parse(text, n, "x", &d, NULL);
		assert_true(rc == 0 || rc == ERR_CONFIG);
		yaml_doc_free(d);
	}
}

static void
files(void **state)
{
	struct place *p = *state;
	struct yaml_doc *d;
	struct err e = ERR_INIT;
	char *big;

	assert_int_equal(yaml_load(p->file, &d, &e), ERR_NOTFOUND);
	assert_non_null(strstr(e.text, p->file));
	place_write(p, "a: 1\n");
	assert_int_equal(yaml_load(p->file, &d, &e), 0);
	assert_string_equal(d->path, p->file);
	yaml_doc_free(d);
	big = must_calloc(1, (1 << 20) + 2);
	memset(big, '#', (1 << 20) + 1);
	place_write(p, big);
	free(big);
	assert_int_equal(yaml_load(p->file, &d, &e), ERR_LIMIT);
	assert_null(d);
}

static void
helpers(void **state)
{
	static const char *const allowed[] = { "alpha", "beta", NULL };
	static const struct {
		const char *text, *want;
	} cases[] = {
		{ "alpha: 1\nbeta: 2\n", "" },
		{ "{}\n", "" },
		{ "alpha: 1\nbeat: 2\n", "x.yaml:2:1: unknown key \"beat\"; "
		    "did you mean \"beta\"?" },
		{ "\"gam\\nma\": 1\n", "x.yaml:1:1: unknown key "
		    "\"gam\\x0ama\"" },
		{ "[alpha]\n", "x.yaml:1:1: key: value lines are expected "
		    "here" },
	};
	struct yaml_doc *d;
	struct err e;
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(cases); i++) {
		e = (struct err)ERR_INIT;
		assert_int_equal(yaml_parse(cases[i].text,
		    strlen(cases[i].text), "x.yaml", &d, &e), 0);
		assert_int_equal(yaml_only(d, d->root, allowed, &e),
		    cases[i].want[0] == '\0' ? 0 : ERR_CONFIG);
		assert_string_equal(e.text, cases[i].want);
		yaml_doc_free(d);
	}
	assert_int_equal(yaml_parse("a: 1\nb: [c]\n", 12, "x.yaml", &d, &e),
	    0);
	assert_int_equal(yaml_only(d, NULL, allowed, &e), 0);
	assert_string_equal(yaml_get(d->root, "a")->text, "1");
	assert_null(yaml_get(d->root, "c"));
	assert_null(yaml_get(NULL, "a"));
	assert_null(yaml_get(yaml_get(d->root, "b"), "c"));
	assert_int_equal(yaml_error(d, NULL, &e, "all of it: %d", 7),
	    ERR_CONFIG);
	assert_string_equal(e.text, "x.yaml: all of it: 7");
	yaml_doc_free(d);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(trees), TEST(refused), TEST(many), TEST(cut), TEST(files),
		TEST(helpers),
	};

	return (cmocka_run_group_tests(tests, NULL, NULL));
}
