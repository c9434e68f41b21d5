/* Secrets: every kind, what is refused, and that no message holds one. */
#include "config.h"

#include <sys/stat.h>

#include "conf_test.h"

#define SECRET "hunter2"

static void
config(const struct place *p, const char *ref, struct conf **c)
{
	char text[500];

	(void)snprintf(text, sizeof(text), "source:\n  url: http://h\n"
	    "  auth:\n    type: bearer\n    token: %s\n", ref);
	*c = place_load(p, text);
}

static void
write_mode(const struct place *p, const char *name, const char *text,
    size_t n, unsigned mode)
{
	char path[400];

	(void)snprintf(path, sizeof(path), "%s/%s", p->dir, name);
	assert_int_equal(sys_write_file(sys_posix(), path, text, n, true,
	    NULL), 0);
	assert_int_equal(chmod(path, mode), 0);
}

/* The secret, or a message that names the option and never the secret. */
static void
expect(const struct conf *c, const char *want, const char *message)
{
	struct err e = ERR_INIT;
	char *value;
	int rc = conf_secret(c, "source.auth.token", &value, &e);

	if (message == NULL) {
		if (rc != 0)
			fail_msg("%s", e.text);
		assert_string_equal(value, want);
		conf_secret_free(value);
		return;
	}
	assert_int_equal(rc, ERR_CONFIG);
	assert_int_equal(e.code, ERR_CONFIG);
	assert_null(value);
	assert_ptr_equal(strstr(e.text, "source.auth.token: "), e.text);
	if (strstr(e.text, message) == NULL)
		fail_msg("%s: no \"%s\"", e.text, message);
	assert_null(strstr(e.text, SECRET));
}

static void
kinds(void **state)
{
	static const struct {
		const char *ref, *want, *message;
	} cases[] = {
		{ "{env: T}", SECRET, NULL },
		{ "{env: GARNER_TOKEN}", SECRET, NULL },
		{ "{env: MISSING}", NULL, "variable MISSING is not set" },
		{ "{env: EMPTY}", NULL, "variable EMPTY is not set" },
		{ "{file: good}", SECRET, NULL },
		{ "{file: ./good}", SECRET, NULL },
		{ "{file: crlf}", SECRET, NULL },
		{ "{file: bare}", SECRET, NULL },
		{ "{file: group}", NULL, "mode 640" },
		{ "{file: other}", NULL, "mode 604" },
		{ "{file: missing}", NULL, "missing: No such file" },
		{ "{file: empty}", NULL, "is empty" },
		{ "{file: blank}", NULL, "is empty" },
		{ "{file: big}", NULL, "more than 8192 bytes" },
		{ "{file: .}", NULL, "is no file" },
		{ "{file: pipe}", NULL, "is no file" },
		{ "{command: echo hunter2; echo more}", SECRET, NULL },
		{ "{command: \"printf '%s' $T\"}", SECRET, NULL },
		{ "{command: \"echo $T; exit 3\"}", NULL,
		    "failed with status 3" },
		{ "{command: \"echo; echo $T\"}", NULL,
		    "printed nothing" },
		{ "{command: \"true\"}", NULL, "printed nothing" },
		{ "{command: cat}", NULL, "printed nothing" },
		{ "{command: \"kill -9 $$\"}", NULL, "was killed" },
		{ "{command: /no/such/thing}", NULL,
		    "failed with status 127" },
		{ "{credential: cred}", SECRET, NULL },
		{ "{credential: missing}", NULL, "missing: No such file" },
		{ "{credential: ../good}", NULL, "has no slash" },
	};
	static char big[8193];
	struct place *p = *state;
	struct conf *c;
	char path[400];
	size_t i;

	memset(big, 'x', sizeof(big));
	write_mode(p, "good", SECRET "\nmore\n", 13, 0600);
	write_mode(p, "crlf", SECRET "\r\n", 9, 0400);
	write_mode(p, "bare", SECRET, 7, 0600);
	write_mode(p, "group", SECRET, 7, 0640);
	write_mode(p, "other", SECRET, 7, 0604);
	write_mode(p, "empty", "", 0, 0600);
	write_mode(p, "blank", "\n" SECRET, 8, 0600);
	write_mode(p, "big", big, sizeof(big), 0600);
	/* systemd shows the mask of an ACL as the mode of the group. */
	write_mode(p, "cred", SECRET "\n", 8, 0440);
	(void)snprintf(path, sizeof(path), "%s/pipe", p->dir);
	assert_int_equal(mkfifo(path, 0600), 0);
	(void)setenv("T", SECRET, 1);
	(void)setenv("GARNER_TOKEN", SECRET, 1);	/* named: not unknown */
	(void)setenv("EMPTY", "", 1);
	(void)setenv("CREDENTIALS_DIRECTORY", p->dir, 1);
	for (i = 0; i < COUNT(cases); i++) {
		if (strcmp(cases[i].ref, "{env: GARNER_TOKEN}") != 0)
			(void)unsetenv("GARNER_TOKEN");
		else
			(void)setenv("GARNER_TOKEN", SECRET, 1);
		config(p, cases[i].ref, &c);
		expect(c, cases[i].want, cases[i].message);
		conf_free(c);
	}
	(void)unsetenv("CREDENTIALS_DIRECTORY");
	config(p, "{credential: cred}", &c);
	expect(c, NULL, "$CREDENTIALS_DIRECTORY");
	conf_free(c);
	conf_secret_free(NULL);
}

/* What a secret refers to is shown; a missing one is told. */
static void
shown(void **state)
{
	struct place *p = *state;
	struct err e = ERR_INIT;
	struct conf *c;
	char *value, want[300];

	config(p, "{file: t}", &c);
	(void)snprintf(want, sizeof(want), "file:%s/t", p->dir);
	assert_string_equal(conf_text(c, "source.auth.token"), want);
	assert_int_equal(conf_secret(c, "source.auth.password", &value, &e),
	    ERR_CONFIG);
	assert_non_null(strstr(e.text, "source.auth.password is missing"));
	conf_free(c);
}

static void
refused(void **state)
{
	static const struct {
		const char *ref, *want;
	} cases[] = {
		{ "hunter2", "garner.yaml:1:26: source.auth.token: a secret "
		    "does not belong into this file; write {env: NAME}, "
		    "{file: PATH}, {command: LINE} or {credential: NAME}" },
		{ "\"\"", "garner.yaml:1:26: source.auth.token: a secret "
		    "does not belong into this file; write {env: NAME}, "
		    "{file: PATH}, {command: LINE} or {credential: NAME}" },
		{ "{flie: x}", "garner.yaml:1:27: unknown key \"flie\"; did "
		    "you mean \"file\"?" },
		{ "{}", "garner.yaml:1:26: source.auth.token: one of {env: "
		    "NAME}, {file: PATH}, {command: LINE}, {credential: "
		    "NAME} is expected" },
		{ "{env: a, file: b}", "garner.yaml:1:26: source.auth.token: "
		    "one of {env: NAME}, {file: PATH}, {command: LINE}, "
		    "{credential: NAME} is expected" },
		{ "{env: }", "garner.yaml:1:26: source.auth.token: one of "
		    "{env: NAME}, {file: PATH}, {command: LINE}, "
		    "{credential: NAME} is expected" },
		{ "{env: [a]}", "garner.yaml:1:26: source.auth.token: one of "
		    "{env: NAME}, {file: PATH}, {command: LINE}, "
		    "{credential: NAME} is expected" },
		{ "[hunter2]", "garner.yaml:1:26: key: value lines are "
		    "expected here" },
	};
	char text[200];
	size_t i;

	for (i = 0; i < COUNT(cases); i++) {
		(void)snprintf(text, sizeof(text),
		    "source: {  auth: {token: %s}}\n", cases[i].ref);
		place_refused(*state, text, cases[i].want);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(kinds), TEST(shown), TEST(refused),
	};

	return (cmocka_run_group_tests(tests, NULL, NULL));
}
