#ifndef TESTS_SOURCE_SOURCE_TEST_H
#define TESTS_SOURCE_SOURCE_TEST_H

/*
 * What the tests of source share: the connector of the distribution, bodies
 * written with ' for ", and rows as lines of JSON cells.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/must.h"
#include "base/ticks.h"
#include "rows/rows.h"
#include "source/source.h"


static inline struct source *
test_source(void)
{
	const char *dir = getenv("srcdir");
	struct err e = ERR_INIT;
	struct source *s;
	char path[1024];

	(void)snprintf(path, sizeof(path), "%s/conf/connectors/pi.yaml",
	    dir != NULL ? dir : ".");
	if (source_load(path, &s, &e) != 0)
		fail_msg("%s", e.text);
	return (s);
}

/* For a group of tests of it. */
static inline int
test_setup(void **state)
{

	*state = test_source();
	return (0);
}

static inline int
test_teardown(void **state)
{

	source_free(*state);
	return (0);
}

/* A copy with " for ', and room behind it for the parser. */
static inline char *
test_body(const char *text, size_t *len)
{
	char *s;

	*len = strlen(text);
	s = must_calloc(*len + LIMIT_PADDING, 1);
	memcpy(s, text, *len);
	for (size_t i = 0; i < *len; i++)
		if (s[i] == '\'')
			s[i] = '"';
	return (s);
}

/* The columns named, a space between cells, a line a row; ' for ". */
static inline char *
test_dump(const struct rows *r, const char *cols)
{
	struct buf b;
	char *names, *name, *save;
	const char *text;
	int c;

	rows_check(r);
	buf_init(&b, 1 << 20);
	for (uint32_t i = 0; i < r->n; i++) {
		names = must_strdup(cols);
		for (name = strtok_r(names, " ", &save); name != NULL;
		    name = strtok_r(NULL, " ", &save)) {
			if ((c = rows_schema_find(r->schema, name)) < 0)
				fail_msg("no column %s", name);
			if (name != names)
				buf_u8(&b, ' ');
			rows_cell_json(r, (uint32_t)c, i, &b);
		}
		free(names);
		buf_u8(&b, '\n');
	}
	text = buf_str(&b);
	names = must_strdup(text);
	buf_fini(&b);
	for (name = names; *name != '\0'; name++)
		if (*name == '"')
			*name = '\'';
	return (names);
}

#endif
