#ifndef TESTS_FUZZ_FUZZ_SOURCE_H
#define TESTS_FUZZ_FUZZ_SOURCE_H

/* For targets that read answers: the connector of the distribution. */

#include <stdlib.h>

#include "base/err.h"
#include "base/must.h"
#include "source/source.h"

static inline struct source *
fuzz_source(void)
{
	const char *dir = getenv("srcdir");
	struct err e = ERR_INIT;
	char *path = must_sprintf("%s/conf/connectors/pi.yaml",
	    dir != NULL ? dir : ".");
	struct source *s;

	MUST(source_load(path, &s, &e) == 0);
	free(path);
	return (s);
}

#endif
