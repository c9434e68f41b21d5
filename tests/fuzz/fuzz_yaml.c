/* Connector files, and YAML at large. */

#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/must.h"
#include "conf/yaml.h"
#include "fuzz.h"
#include "source/source.h"

static struct buf connector;

bool
fuzz_seed(unsigned i, struct buf *b)
{
	const char *text = (const char *)connector.data, *at;
	size_t n;

	switch (i) {
	case 0:
		buf_puts(b, "a: [1, {b: c}]\nd: |\n  x\ne: &x 'y'\nf: *x\n");
		return (true);
	case 1:
		buf_put(b, connector.data, connector.len);
		return (true);
	case 2:		/* its head and first tables: changes hit more */
		at = strstr(text, "  pi_timeseries:");
		n = at != NULL ? (size_t)(at - text) : connector.len / 2;
		buf_put(b, connector.data, n);
		return (true);
	}
	return (false);
}

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
	const char *dir = getenv("srcdir");
	char *path = must_sprintf("%s/conf/connectors/pi.yaml",
	    dir != NULL ? dir : ".");

	(void)argc;
	(void)argv;
	buf_init(&connector, 1 << 20);
	fuzz_read(path, &connector);
	(void)buf_str(&connector);
	free(path);
	return (0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct err e = ERR_INIT;
	struct yaml_doc *doc;
	struct source *s;

	if (yaml_parse((const char *)data, n, "x.yaml", &doc, &e) != 0) {
		MUST(e.code != 0 && e.text[0] != '\0');
		return (0);
	}
	yaml_doc_free(doc);
	if (source_load(fuzz_file("x.yaml", data, n), &s, &e) == 0)
		source_free(s);
	else
		MUST(e.code != 0 && e.text[0] != '\0');
	return (0);
}
