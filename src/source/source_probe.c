/*
 * Probes: small reads that tell a person about the server, for `garner
 * check`. Each has a name, a path and the field to show; several fields are
 * shown one after the other.
 */

#include "config.h"

#include <string.h>

#include "base/err.h"
#include "base/must.h"
#include "base/text.h"
#include "source/source_int.h"

#define SHOWN_MAX 200

size_t
source_probes(const struct source *s)
{

	return (s->nprobes);
}

const char *
source_probe_target(const struct source *s, size_t i, const char *base,
    struct buf *out)
{

	MUST(i < s->nprobes);
	buf_puts(out, base);
	buf_puts(out, s->probes[i].path);
	return (s->probes[i].name);
}

static void
put_value(yyjson_val *v, struct buf *out)
{
	struct buf tmp;

	if (yyjson_is_str(v)) {
		text_escape(out, yyjson_get_str(v), yyjson_get_len(v),
		    SHOWN_MAX);
		return;
	}
	buf_init(&tmp, 1 << 20);
	if (json_put_val(&tmp, v) == 0)
		text_escape(out, buf_str(&tmp), tmp.len, SHOWN_MAX);
	buf_fini(&tmp);
}

int
source_probe_decode(const struct source *s, size_t i, char *body, size_t len,
    struct buf *out, struct err *e)
{
	const struct source_probe *p = &s->probes[i];
	yyjson_doc *doc;
	yyjson_val *v;
	uint32_t k;
	int rc;

	MUST(i < s->nprobes);
	if ((rc = source_parse(body, len, &doc, e)) != 0)
		return (rc);
	rc = source_failed(yyjson_doc_get_root(doc), e);
	for (k = 0; rc == 0 && k < p->nshow; k++) {
		v = json_path(yyjson_doc_get_root(doc), p->show[k]);
		if (v == NULL)
			continue;
		if (out->len > 0)
			buf_puts(out, ", ");
		put_value(v, out);
	}
	yyjson_doc_free(doc);
	if (rc == 0 && out->len == 0)
		rc = err_set(e, ERR_NOTFOUND, "%s: the answer does not tell",
		    p->name);
	return (rc);
}
