/* Loading: defaults, precedence, lists, paths, unknown keys, and messages. */
#include "config.h"

#include "conf_test.h"

#define URL "source: {url: \"http://h/x\"}\n"

static void
table(void **state)
{
	const struct conf_option *o;
	size_t i, j, n;

	(void)state;
	o = conf_options(&n);
	assert_true(n > 40 && n < 128);
	for (i = 0; i < n; i++) {
		assert_true(strlen(o[i].path) < 40);
		assert_true(strlen(o[i].help) > 3);
		assert_null(strchr(o[i].help, '\n'));
		assert_true(o[i].min <= o[i].max);
		if (o[i].type != CONF_URL)
			assert_int_equal(o[i].type == CONF_ENUM,
			    o[i].words != NULL);
		if (o[i].type == CONF_SECRET)
			assert_null(o[i].deflt);
		for (j = 0; j < i; j++)
			assert_string_not_equal(o[i].path, o[j].path);
	}
}

static void
defaults(void **state)
{
	static const struct {
		const char *path;
		int64_t num;
	} nums[] = {
		{ "version", 1 }, { "harvest.reread", 4 * 3600 * 1000 },
		{ "harvest.commit_every", 200 }, { "fetch.body_max", 64 << 20 },
		{ "harvest.item_cap", 150000 }, { "fetch.in_flight", 64 },
		{ "fetch.timeout", 120000 }, { "fetch.http2", 1 },
		{ "source.auth.plain_http", 0 }, { "source.auth.type", 0 },
		{ "compact.ties", 0 }, { "compact.memory", 256 << 20 },
		{ "log.level", 2 }, { "log.format", 0 },
		{ "harvest.window_max", 30 * 86400000ll },
	};
	static const struct {
		const char *path, *text;
	} texts[] = {
		{ "source.name", "pi" }, { "source.connector", "pi" },
		{ "source.streams", "*" }, { "harvest.from", "*-1d" },
		{ "harvest.to", "*" }, { "source.url", "http://h/x" },
		{ "fetch.user_agent", "garner/" PACKAGE_VERSION },
		{ "source.connector_file", NULL }, { "source.tables", NULL },
		{ "source.auth.user", NULL }, { "source.auth.token", NULL },
	};
	struct conf *c = place_load(*state, URL);
	size_t i, n;

	for (i = 0; i < COUNT(nums); i++)
		if (conf_num(c, nums[i].path) != nums[i].num)
			fail_msg("%s", nums[i].path);
	for (i = 0; i < COUNT(texts); i++)
		if (texts[i].text == NULL)
			assert_null(conf_text(c, texts[i].path));
		else
			assert_string_equal(conf_text(c, texts[i].path),
			    texts[i].text);
	assert_true(conf_real(c, "fetch.rate") == 0);
	assert_true(conf_bool(c, "fetch.compressed"));
	assert_null(conf_list(c, "source.tables", &n)[0]);
	assert_int_equal(n, 0);
	assert_int_equal(conf_get(c, "log.level")->origin, CONF_DEFAULT);
	assert_int_equal(conf_get(c, "source.url")->origin, CONF_FILE);
	assert_int_equal(conf_get(c, "source.url")->line, 1);
	assert_false(conf_get(c, "source.tables")->set);
	conf_free(c);
	conf_free(NULL);
}

static void
precedence(void **state)
{
	struct place *p = *state;
	struct conf *c;

	(void)setenv("GARNER_FETCH_IN_FLIGHT", "30", 1);
	(void)setenv("GARNER_FETCH_TRIES", "", 1);	/* as if not set */
	(void)setenv("GARNER_SOURCE_URL", "https://e", 1);
	(void)setenv("GARNER_SOURCE_TABLES", "a, b ,,c", 1);
	(void)setenv("GARNER_LOG_LEVEL", "debug", 1);
	c = place_load(p, "fetch:\n  in_flight: 20\n  tries: 9\n  rate: 2.5\n"
	    "  http2:\nlog:\n");
	assert_int_equal(conf_num(c, "fetch.in_flight"), 30);
	assert_int_equal(conf_get(c, "fetch.in_flight")->origin, CONF_ENV);
	assert_int_equal(conf_num(c, "fetch.tries"), 9);
	assert_int_equal(conf_get(c, "fetch.tries")->line, 3);
	assert_true(conf_real(c, "fetch.rate") == 2.5);
	assert_true(conf_bool(c, "fetch.http2"));
	assert_int_equal(conf_get(c, "fetch.http2")->origin, CONF_DEFAULT);
	assert_string_equal(conf_text(c, "source.url"), "https://e");
	assert_string_equal(conf_text(c, "source.tables"), "a\nb\nc");
	assert_int_equal(conf_num(c, "log.level"), 3);

	assert_int_equal(conf_set(c, "fetch.in_flight", "40", NULL), 0);
	assert_int_equal(conf_num(c, "fetch.in_flight"), 40);
	assert_int_equal(conf_get(c, "fetch.in_flight")->origin, CONF_FLAG);
	assert_int_equal(conf_set(c, "fetch.in_flight", "0", NULL),
	    ERR_CONFIG);
	assert_int_equal(conf_num(c, "fetch.in_flight"), 40);
	conf_free(c);
}

static void
lists(void **state)
{
	static const struct {
		const char *text, *want;
	} cases[] = {
		{ "[]", "" },
		{ "[a]", "a" },
		{ "[a, \"b c\", d]", "a|b c|d" },
		{ "\n    - a\n    - b", "a|b" },
		{ "", "" },
	};
	const char *const *items, *const *again;
	struct place *p = *state;
	struct conf *c;
	char text[200];
	size_t i, j, n;

	for (i = 0; i < COUNT(cases); i++) {
		(void)snprintf(text, sizeof(text), "source:\n  url: http://h\n"
		    "  tables: %s\n", cases[i].text);
		c = place_load(p, text);
		items = conf_list(c, "source.tables", &n);
		text[0] = '\0';
		for (j = 0; j < n; j++)
			(void)snprintf(text + strlen(text), 50, "%s%s",
			    j > 0 ? "|" : "", items[j]);
		assert_string_equal(text, cases[i].want);
		assert_null(items[n]);
		again = conf_list(c, "source.tables", &n);
		assert_ptr_equal(again, items);
		assert_int_equal(conf_set(c, "source.tables", "x,y", NULL), 0);
		items = conf_list(c, "source.tables", &n);
		assert_int_equal(n, 2);
		assert_string_equal(items[1], "y");
		conf_free(c);
	}
}

/* Each value, valid and not, with what it becomes or the message. */
static void
values(void **state)
{
	static const struct {
		const char *section, *key, *value;
		int64_t num;
		const char *error;
	} cases[] = {
		{ "fetch", "in_flight", "1", 1, NULL },
		{ "fetch", "in_flight", "10000", 10000, NULL },
		{ "fetch", "in_flight", "\"7\"", 7, NULL },
		{ "fetch", "in_flight", "0", 0, "fetch.in_flight: \"0\" is no "
		    "number from 1 to 10000" },
		{ "fetch", "in_flight", "10001", 0, "fetch.in_flight: "
		    "\"10001\" is no number from 1 to 10000" },
		{ "fetch", "in_flight", "8x", 0, "fetch.in_flight: \"8x\" is "
		    "no number from 1 to 10000" },
		{ "fetch", "in_flight", "\"\"", 0, "fetch.in_flight: \"\" is "
		    "no number from 1 to 10000" },
		{ "fetch", "in_flight", "[8]", 0, "fetch.in_flight: one value "
		    "is expected" },
		{ "fetch", "http2", "off", 0, NULL },
		{ "fetch", "http2", "Yes", 1, NULL },
		{ "fetch", "http2", "maybe", 0, "fetch.http2: \"maybe\" is "
		    "neither true nor false" },
		{ "fetch", "rate", "nan", 0, "fetch.rate: \"nan\" is no "
		    "number from 0 to 1000000" },
		{ "fetch", "rate", "-1", 0, "fetch.rate: \"-1\" is no number "
		    "from 0 to 1000000" },
		{ "fetch", "timeout", "90", 90000, NULL },
		{ "fetch", "timeout", "1h30m", 5400000, NULL },
		{ "fetch", "timeout", "5ms", 0, "fetch.timeout: \"5ms\" is no "
		    "duration from 10ms to 1d, such as 30s or 4h" },
		{ "fetch", "timeout", "soon", 0, "fetch.timeout: \"soon\" is "
		    "no duration from 10ms to 1d, such as 30s or 4h" },
		{ "fetch", "retry_base", "0", 0, NULL },
		{ "fetch", "retry_base", "2d", 0, "fetch.retry_base: \"2d\" "
		    "is no duration from 0ms to 1d, such as 30s or 4h" },
		{ "fetch", "body_max", "1.5MiB", 1572864, NULL },
		{ "fetch", "body_max", "2GiB", 0, "fetch.body_max: \"2GiB\" "
		    "is no size from 1KiB to 1GiB, such as 64MiB" },
		{ "fetch", "user_agent", "\"a\\r\\nX: y\"", 0,
		    "fetch.user_agent: \"a\\x0d\\x0aX: y\" has a control "
		    "character in it" },
		{ "harvest", "workers", "16", 16, NULL },
		{ "harvest", "workers", "17", 0, "harvest.workers: \"17\" is "
		    "no number from 0 to 16" },
		{ "harvest", "from", "\"*-8h\"", 0, NULL },
		{ "harvest", "from", "2026-03-01", 0, NULL },
		{ "harvest", "from", "2026-03-01T06:00:00Z", 0, NULL },
		{ "harvest", "from", "t+30m", 0, NULL },
		{ "harvest", "from", "*-8h", 0, "aliases are not understood "
		    "here; put a text that begins with * into quotes" },
		{ "harvest", "from", "yesterdy", 0, "harvest.from: "
		    "\"yesterdy\" is no time such as *-8h or "
		    "2026-03-01T06:00:00Z" },
		{ "compact", "ties", "all", 1, NULL },
		{ "compact", "ties", "al", 0, "compact.ties: \"al\" is none "
		    "of last|all" },
		{ "compact", "ties", "last|all", 0, "compact.ties: "
		    "\"last|all\" is none of last|all" },
		{ "source", "name", "a_b-9", 0, NULL },
		{ "source", "name", "../x", 0, "source.name: \"../x\" is not "
		    "of a-z, 0-9, _ and - only (at most 63)" },
		{ "source", "name", "A", 0, "source.name: \"A\" is not of "
		    "a-z, 0-9, _ and - only (at most 63)" },
		{ "source", "tables", "a", 0, "source.tables: a list is "
		    "expected, such as [a, b]" },
		{ "source", "tables", "[a, [b]]", 0, "source.tables: a word "
		    "is expected" },
		{ "source", "tables", "[a, \"b\\nc\"]", 0, "source.tables: a "
		    "word is expected" },
		{ "source", "auth", "basic", 0, "source.auth: \"key: value\" "
		    "lines are expected here" },
	};
	struct place *p = *state;
	struct err e;
	struct conf *c;
	char text[300], path[60];
	const char *got;
	size_t i;
	int rc;

	(void)setenv("GARNER_SOURCE_URL", "http://h", 1);
	for (i = 0; i < COUNT(cases); i++) {
		(void)snprintf(text, sizeof(text), "%s:\n  %s: %s\n",
		    cases[i].section, cases[i].key, cases[i].value);
		(void)snprintf(path, sizeof(path), "%s.%s", cases[i].section,
		    cases[i].key);
		place_write(p, text);
		e = (struct err)ERR_INIT;
		rc = conf_load(p->file, &c, &e);
		if (cases[i].error == NULL) {
			if (rc != 0)
				fail_msg("%s", e.text);
			if (conf_num(c, path) != cases[i].num)
				fail_msg("%s: %lld", path,
				    (long long)conf_num(c, path));
			conf_free(c);
			continue;
		}
		assert_int_equal(rc, ERR_CONFIG);
		got = e.text + strlen(p->file);
		assert_memory_equal(got, ":2:", 3);
		got = strchr(got + 3, ':') + 2;
		assert_string_equal(got, cases[i].error);
	}
}

static void
urls(void **state)
{
	static const struct {
		const char *url;
		bool ok;
	} cases[] = {
		{ "http://h", true }, { "https://h/piwebapi/", true },
		{ "https://pi.example:8443/piwebapi", true },
		{ "http://127.0.0.1:1", true }, { "http://[::1]:80/x", true },
		{ "http://[::1]", true },
		{ "", false }, { "h", false }, { "ftp://h", false },
		{ "http://", false }, { "http:///x", false },
		{ "http://:80", false }, { "http://h:", false },
		{ "http://h:0", false }, { "http://h:65536", false },
		{ "http://h:80x", false }, { "http://h:123456/", false },
		{ "http://[::1", false }, { "http://[]", false },
		{ "http://[::1]x", false }, { "http://a[b", false },
		{ "http://h/a b", false }, { "http://h?x", false },
		{ "http://h#x", false }, { "http://h\x7f", false },
		{ "http://h/\xc3\xbc", false }, { "HTTP://h", false },
		{ "http://u:hunter2@h/x", false },
	};
	struct err e;
	size_t i;
	int rc;

	(void)state;
	for (i = 0; i < COUNT(cases); i++) {
		e = (struct err)ERR_INIT;
		rc = conf_check("source.url", cases[i].url, &e);
		if (rc != (cases[i].ok ? 0 : ERR_CONFIG))
			fail_msg("%s: %d", cases[i].url, rc);
		assert_null(strstr(e.text, "hunter2"));
	}
}

static void
refused(void **state)
{
	static const struct {
		const char *text, *want;
	} cases[] = {
		{ "fetch:\n  in_fligth: 3\n", "garner.yaml:2:3: unknown key "
		    "\"fetch.in_fligth\"; did you mean \"in_flight\"?" },
		{ "fecth:\n  in_flight: 3\n", "garner.yaml:1:1: unknown key "
		    "\"fecth\"; did you mean \"fetch\"?" },
		{ "in_flight: 3\n", "garner.yaml:1:1: unknown key "
		    "\"in_flight\"; did you mean \"fetch.in_flight\"?" },
		{ "source:\n  auth: {typ: none}\n", "garner.yaml:2:10: "
		    "unknown key \"source.auth.typ\"; did you mean \"type\"?" },
		{ "log: {colour: red}\n", "garner.yaml:1:7: unknown key "
		    "\"log.colour\"; see garner.yaml(5)" },
		{ "\"a\\tb\": 1\n", "garner.yaml:1:1: unknown key "
		    "\"a\\x09b\"; see garner.yaml(5)" },
		{ "version: 2\n" URL, "garner.yaml:1:10: version: \"2\" is "
		    "not 1, which is all this garner knows" },
		{ "", "garner.yaml: source.url is missing" },
		{ "# nothing\n", "garner.yaml: source.url is missing" },
		{ "source:\n  url:\n", "garner.yaml: source.url is missing" },
		{ "hello\n", "garner.yaml:1:1: \"key: value\" lines are "
		    "expected here" },
		{ "groups: 7\n", "garner.yaml:1:9: groups: \"key: value\" "
		    "lines are expected here" },
		{ "groups: {size: 7}\ngroups: {by: range}\n",
		    "garner.yaml:2:1: \"groups\" is there already" },
		{ "source:\n  url: http://h\n  auth: {type: basic}\n",
		    "garner.yaml: source.auth.user is missing, for "
		    "source.auth.type: basic" },
		{ "source:\n  url: http://h\n  auth: {type: basic, user: u}\n",
		    "garner.yaml: source.auth.password is missing, for "
		    "source.auth.type: basic" },
		{ "source:\n  url: http://h\n  auth: {type: bearer}\n",
		    "garner.yaml: source.auth.token is missing, for "
		    "source.auth.type: bearer" },
		{ "source:\n  url: http://u:p@h\n", "garner.yaml:2:8: "
		    "source.url: an address must not hold a user or password; "
		    "there are other keys for them" },
		{ "source:\n  url: http://h\n  proxy: ftp://h\n", "garner.yaml:3:10: source.proxy: "
		    "\"ftp://h\" is no URL of http|https|socks5h (without "
		    "query and fragment)" },
		{ "source:\n  url: http://h\n  proxy: socks5h://u:p@h\n", "garner.yaml:3:10: "
		    "source.proxy: an address must not hold a user or "
		    "password; there are other keys for them" },
	};
	size_t i;

	for (i = 0; i < COUNT(cases); i++)
		place_refused(*state, cases[i].text, cases[i].want);
}

static void
environment_refused(void **state)
{
	static const struct {
		const char *name, *value, *want;
	} cases[] = {
		{ "GARNER_FETCH_IN_FLIGTH", "3", "environment: unknown "
		    "setting GARNER_FETCH_IN_FLIGTH; did you mean "
		    "GARNER_FETCH_IN_FLIGHT?" },
		{ "GARNER_COLOUR", "", "environment: unknown setting "
		    "GARNER_COLOUR; see garner.yaml(5)" },
		{ "GARNER_", "", "environment: unknown setting GARNER_; see "
		    "garner.yaml(5)" },
		{ "GARNER_FETCH_RATE", "fast", "environment: "
		    "GARNER_FETCH_RATE: fetch.rate: \"fast\" is no number "
		    "from 0 to 1000000" },
		{ "GARNER_SOURCE_AUTH_TOKEN", "hunter2", "environment: "
		    "GARNER_SOURCE_AUTH_TOKEN: a secret is not taken from "
		    "there by itself; write source.auth.token: {env: "
		    "GARNER_SOURCE_AUTH_TOKEN} into the file" },
	};
	static const char *const ignored[] = { "GARNER_CONFIG",
	    "GARNER_TEST_X", "GARNER_DEMO_TAGS", "GARNER_BENCH_ROUNDS",
	    "GARNER_BUILDDIR", "GARNER_SRCDIR", "GARNERED", "GARNER" };
	size_t i;

	for (i = 0; i < COUNT(cases); i++) {
		(void)setenv(cases[i].name, cases[i].value, 1);
		place_refused(*state, URL, cases[i].want);
		(void)unsetenv(cases[i].name);
	}
	for (i = 0; i < COUNT(ignored); i++)
		(void)setenv(ignored[i], "x", 1);
	conf_free(place_load(*state, URL));
}

static void
paths(void **state)
{
	struct place *p = *state;
	struct conf *c;
	char want[300], cwd[400];

	c = place_load(p, URL);
	(void)snprintf(want, sizeof(want), "%s/data", p->dir);
	assert_string_equal(conf_text(c, "data"), want);
	assert_string_equal(conf_file(c), p->file);
	conf_free(c);

	c = place_load(p, "data: /var/x\nsource:\n  url: http://h\n"
	    "  connector_file: ../c.yaml\n");
	assert_string_equal(conf_text(c, "data"), "/var/x");
	(void)snprintf(want, sizeof(want), "%s/../c.yaml", p->dir);
	assert_string_equal(conf_text(c, "source.connector_file"), want);
	conf_free(c);

	(void)setenv("GARNER_DATA", "here", 1);
	c = place_load(p, URL);
	assert_string_equal(conf_text(c, "data"), "here");
	conf_free(c);
	(void)unsetenv("GARNER_DATA");

	assert_non_null(getcwd(cwd, sizeof(cwd)));
	assert_int_equal(chdir(p->dir), 0);
	assert_int_equal(conf_load("garner.yaml", &c, NULL), 0);
	assert_string_equal(conf_text(c, "data"), "./data");
	conf_free(c);
	assert_int_equal(chdir(cwd), 0);
}

static void
expect_found(const char *explicit_path, const char *want)
{
	struct err e = ERR_INIT;
	char *path;

	if (want == NULL) {
		assert_int_equal(conf_find(explicit_path, &path, &e),
		    ERR_CONFIG);
		assert_null(path);
		assert_non_null(strstr(e.text, "/etc/garner/garner.yaml"));
		assert_non_null(strstr(e.text, "garner init"));
		return;
	}
	assert_int_equal(conf_find(explicit_path, &path, &e), 0);
	assert_string_equal(path, want);
	free(path);
}

/* From the last place to the first. */
static void
find(void **state)
{
	struct place *p = *state;
	struct err e = ERR_INIT;
	struct conf *c;
	char cwd[400], home[300], xdg[300];

	assert_non_null(getcwd(cwd, sizeof(cwd)));
	assert_int_equal(chdir(p->dir), 0);
	if (!sys_exists(sys_posix(), "/etc/garner/garner.yaml") &&
	    !sys_exists(sys_posix(), SYSCONFDIR "/garner/garner.yaml")) {
		(void)setenv("HOME", p->dir, 1);
		expect_found(NULL, NULL);
		(void)unsetenv("HOME");
		expect_found(NULL, NULL);
	}
	(void)snprintf(home, sizeof(home), "%s/.config/garner", p->dir);
	assert_int_equal(sys_mkdirs(sys_posix(), home, NULL), 0);
	(void)snprintf(home, sizeof(home), "%s/.config/garner/garner.yaml",
	    p->dir);
	assert_int_equal(sys_write_file(sys_posix(), home, "", 0, true, NULL),
	    0);
	(void)setenv("HOME", p->dir, 1);
	expect_found(NULL, home);
	(void)snprintf(xdg, sizeof(xdg), "%s/xdg/garner", p->dir);
	assert_int_equal(sys_mkdirs(sys_posix(), xdg, NULL), 0);
	(void)snprintf(xdg, sizeof(xdg), "%s/xdg/garner/garner.yaml", p->dir);
	assert_int_equal(sys_write_file(sys_posix(), xdg, "", 0, true, NULL),
	    0);
	(void)setenv("XDG_CONFIG_HOME", "relative", 1);
	expect_found(NULL, home);
	xdg[strlen(xdg) - strlen("/garner/garner.yaml")] = '\0';
	(void)setenv("XDG_CONFIG_HOME", xdg, 1);
	xdg[strlen(xdg)] = '/';
	expect_found(NULL, xdg);
	place_write(p, "");
	expect_found(NULL, "garner.yaml");
	(void)setenv("GARNER_CONFIG", "", 1);
	expect_found(NULL, "garner.yaml");
	(void)setenv("GARNER_CONFIG", "/no/such", 1);
	expect_found(NULL, "/no/such");
	expect_found("mine", "mine");
	assert_int_equal(conf_load("/no/such", &c, &e), ERR_CONFIG);
	assert_string_equal(e.text, "there is no /no/such; make one with: "
	    "garner init URL");
	assert_int_equal(conf_load(p->dir, &c, &e), ERR_CONFIG);
	assert_non_null(strstr(e.text, p->dir));
	assert_int_equal(chdir(cwd), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(table), TEST(defaults), TEST(precedence), TEST(lists),
		TEST(values), TEST(urls), TEST(refused),
		TEST(environment_refused), TEST(paths), TEST(find),
	};

	return (cmocka_run_group_tests(tests, NULL, NULL));
}
