/*
 * Where something was found or done, by verify and repair: as members of a
 * JSON object, and in words behind its kind.
 */

#include "config.h"

#include <string.h>

#include "base/buf.h"
#include "base/text.h"
#include "base/ticks.h"
#include "cli/cli.h"
#include "codec/json.h"
#include "verify/verify.h"

void
app_place_json(struct buf *b, const struct verify_place *p)
{

	json_put_text(b, "path", p->path);
	if (p->offset >= 0)
		buf_printf(b, ",\"offset\":%lld", (long long)p->offset);
	json_put_text(b, "table", p->table);
	if (p->group >= 0)
		buf_printf(b, ",\"group\":%lld", (long long)p->group);
	json_put_text(b, "stream", p->stream);
	json_put_time(b, "from", p->from);
	json_put_time(b, "to", p->to);
}

void
app_place_text(struct buf *b, const struct verify_place *p)
{
	char from[TICKS_TEXT_MAX], to[TICKS_TEXT_MAX];

	if (p->path != NULL)
		buf_printf(b, " %s", p->path);
	if (p->offset >= 0)
		buf_printf(b, " at %lld", (long long)p->offset);
	if (p->path == NULL && p->table != NULL)
		buf_printf(b, " %s", p->table);
	if (p->stream != NULL) {
		buf_u8(b, ' ');
		text_escape(b, p->stream, strlen(p->stream), 200);
	}
	if (p->from != TICKS_NONE)
		buf_printf(b, " %s .. %s", ticks_text(p->from, from),
		    ticks_text(p->to, to));
}
