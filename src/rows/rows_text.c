/* Cells as text, for people and for NDJSON. */

#include "config.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "base/buf.h"
#include "base/must.h"
#include "base/ticks.h"
#include "codec/json.h"
#include "rows/rows_int.h"

static void
put_double(struct buf *b, double x)
{

	if (isfinite(x))
		json_put_double(b, x);
	else if (isnan(x))
		buf_puts(b, "NaN");
	else
		buf_puts(b, x > 0 ? "Infinity" : "-Infinity");
}

void
rows_cell_text(const struct rows *r, uint32_t c, uint32_t i, struct buf *b)
{
	const struct rows_vec *v = &r->v[c];
	char t[TICKS_TEXT_MAX];
	const char *s;
	size_t len;

	if (!v->valid[i])
		return;
	switch (r->schema->cols[c].type) {
	case ROWS_BOOL:
		buf_puts(b, v->b[i] ? "true" : "false");
		break;
	case ROWS_INT32:
		buf_printf(b, "%" PRId32, v->i32[i]);
		break;
	case ROWS_INT64:
		buf_printf(b, "%" PRId64, v->i64[i]);
		break;
	case ROWS_DOUBLE:
		put_double(b, v->f64[i]);
		break;
	case ROWS_TICKS:
		buf_puts(b, ticks_text7(v->i64[i], t));
		break;
	case ROWS_STRING:
	case ROWS_LIST:
		s = rows_str(r, c, i, &len);
		buf_put(b, s, len);
		break;
	}
}

void
rows_cell_json(const struct rows *r, uint32_t c, uint32_t i, struct buf *b)
{
	const struct rows_vec *v = &r->v[c];
	const char *s;
	size_t len;

	if (!v->valid[i]) {
		buf_puts(b, "null");
		return;
	}
	switch (r->schema->cols[c].type) {
	case ROWS_STRING:
		s = rows_str(r, c, i, &len);
		json_put_str(b, s, len);
		break;
	case ROWS_TICKS:
		buf_u8(b, '"');
		rows_cell_text(r, c, i, b);
		buf_u8(b, '"');
		break;
	case ROWS_DOUBLE:
		if (!isfinite(v->f64[i]))
			buf_u8(b, '"');
		put_double(b, v->f64[i]);
		if (!isfinite(v->f64[i]))
			buf_u8(b, '"');
		break;
	default:
		rows_cell_text(r, c, i, b);
		break;
	}
}
