/* The sample file: every option is in it, and the loader takes it as it is
 * and with every line made live. */
#include "config.h"

#include "base/buf.h"
#include "conf_test.h"

static const char *const urls[] = {
	"https://pi.example/piwebapi", "http://127.0.0.1:8080",
	"http://[::1]:80/x", "http://h/a:b/'c',[d]{e}&!%41",
};

static void
as_it_is(void **state)
{
	struct conf *c;
	struct buf b;
	size_t i;

	for (i = 0; i < COUNT(urls); i++) {
		buf_init(&b, 1 << 20);
		conf_sample("my-api", urls[i], &b);
		c = place_load(*state, buf_str(&b));
		buf_fini(&b);
		assert_string_equal(conf_text(c, "source.url"), urls[i]);
		assert_string_equal(conf_text(c, "source.connector"),
		    "my-api");
		conf_free(c);
	}
}

/* Lines as "  # key: value" lose their mark. */
static void
uncomment(const char *text, struct buf *out)
{
	const char *line = strstr(text, "\n\n") + 2;	/* below the head */
	size_t blanks, n;

	for (; *line != '\0'; line += n) {
		n = strcspn(line, "\n") + 1;
		blanks = strspn(line, " ");
		buf_put(out, line, blanks);
		if (strncmp(line + blanks, "# ", 2) == 0)
			blanks += 2;
		buf_put(out, line + blanks, n - blanks);
	}
}

static void
all_live(void **state)
{
	const struct conf_option *o;
	const struct conf_value *v;
	struct conf *c;
	struct buf b, live;
	size_t i, n;

	buf_init(&b, 1 << 20);
	buf_init(&live, 1 << 20);
	conf_sample("pi", urls[0], &b);
	uncomment(buf_str(&b), &live);
	c = place_load(*state, buf_str(&live));
	buf_fini(&b);
	buf_fini(&live);
	o = conf_options(&n);
	for (i = 0; i < n; i++) {
		v = conf_get(c, o[i].path);
		/* Only what has neither default nor example is empty. */
		if (v->origin == CONF_FILE)
			assert_true(v->set);
		else
			assert_true(o[i].deflt == NULL && !v->set);
		if (o[i].deflt != NULL && o[i].type != CONF_PATH)
			assert_string_equal(v->text, o[i].deflt);
	}
	assert_string_equal(conf_text(c, "source.auth.password"),
	    "env:PI_PASSWORD");
	conf_free(c);
}

static void
every_help(void **state)
{
	const struct conf_option *o;
	struct buf b;
	const char *line, *end;
	size_t i, n;

	(void)state;
	buf_init(&b, 1 << 20);
	conf_sample("pi", urls[0], &b);
	o = conf_options(&n);
	for (i = 0; i < n; i++)
		assert_non_null(strstr(buf_str(&b), o[i].help));
	for (line = buf_str(&b); *line != '\0'; line = end + 1) {
		end = strchr(line, '\n');
		assert_non_null(end);
		assert_true(end - line <= 80);
	}
	buf_fini(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(as_it_is), TEST(all_live), TEST(every_help),
	};

	return (cmocka_run_group_tests(tests, NULL, NULL));
}
