/*
 * JSON values into cells. A value that does not fit its column leaves the
 * cell null, nothing is invented: a text is no number, a state is no
 * number, a missing flag is not `false`. The one error is a text larger
 * than any cell may be.
 *
 * Also what an answer says about its own failure: Errors, in three shapes,
 * and WebException.
 */

#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "base/base_limits.h"
#include "base/text.h"
#include "base/ticks.h"
#include "source/source_int.h"

#define ERRORS_TEXT_MAX 4096

yyjson_val *
source_path_get(const struct source_path *p, yyjson_val *v)
{

	for (uint32_t i = 0; i < p->n && v != NULL; i++)
		v = yyjson_obj_getn(v, p->step[i], p->len[i]);
	return (v);
}

int
source_cell_text(struct rows *r, uint32_t col, uint32_t row, const char *s,
    size_t len)
{

	if (len > LIMIT_CELL_MAX)
		return (ERR_LIMIT);
	rows_set_str(r, col, row, s, len);
	return (0);
}

/* As json_put_val(), but NaN and infinities, which bodies may hold though
 * JSON does not, become null. */
static int
put_json(struct buf *out, yyjson_val *v)
{
	size_t n;
	char *s;

	s = yyjson_val_write_opts(v, YYJSON_WRITE_INF_AND_NAN_AS_NULL, NULL,
	    &n, NULL);
	if (s == NULL)
		return (ERR_NOMEM);
	buf_put(out, s, n);
	free(s);
	return (out->error);
}

static int
set_json(struct rows *r, uint32_t col, uint32_t row, yyjson_val *v,
    struct buf *scratch)
{
	int rc;

	buf_clear(scratch);
	if ((rc = put_json(scratch, v)) != 0)
		return (rc);
	return (source_cell_text(r, col, row, (const char *)scratch->data,
	    scratch->len));
}

/* A canonical array of strings, of what is one or should be. */
static int
set_list(struct rows *r, uint32_t col, uint32_t row, yyjson_val *v,
    struct buf *scratch)
{
	struct buf item;
	yyjson_arr_iter it;
	yyjson_val *x;
	int rc = 0;

	if (!yyjson_is_arr(v))
		return (0);
	buf_clear(scratch);
	buf_init(&item, LIMIT_CELL_MAX);
	buf_u8(scratch, '[');
	yyjson_arr_iter_init(v, &it);
	while ((x = yyjson_arr_iter_next(&it)) != NULL && rc == 0) {
		if (scratch->len > 1)
			buf_u8(scratch, ',');
		if (yyjson_is_str(x)) {
			json_put_str(scratch, yyjson_get_str(x),
			    yyjson_get_len(x));
			continue;
		}
		buf_clear(&item);
		rc = put_json(&item, x);
		json_put_str(scratch, (const char *)item.data, item.len);
	}
	buf_u8(scratch, ']');
	buf_fini(&item);
	if (rc == 0)
		rc = scratch->error;
	if (rc == 0)
		rc = source_cell_text(r, col, row,
		    (const char *)scratch->data, scratch->len);
	return (rc);
}

/* --- plain values, by the type of the column ------------------------------ */

static bool
as_bool(yyjson_val *v, bool *out)
{

	if (yyjson_is_bool(v)) {
		*out = yyjson_get_bool(v);
		return (true);
	}
	if (yyjson_equals_strn(v, "true", 4))
		*out = true;
	else if (yyjson_equals_strn(v, "false", 5))
		*out = false;
	else
		return (false);
	return (true);
}

/* Whole numbers, also written as 12.0 or in quotes. */
static bool
as_i64(yyjson_val *v, int64_t *out)
{
	double d;

	if (yyjson_is_uint(v)) {
		*out = (int64_t)yyjson_get_uint(v);
		return (yyjson_get_uint(v) <= INT64_MAX);
	}
	if (yyjson_is_sint(v)) {
		*out = yyjson_get_sint(v);
		return (true);
	}
	if (yyjson_is_str(v))
		return (text_i64(yyjson_get_str(v), INT64_MIN, INT64_MAX,
		    out) == 0);
	if (!yyjson_is_real(v))
		return (false);
	d = yyjson_get_real(v);
	if (!(d >= -9007199254740992.0 && d <= 9007199254740992.0))
		return (false);
	*out = (int64_t)d;
	return ((double)*out == d);
}

static int
set_plain(enum rows_type type, struct rows *r, uint32_t col, uint32_t row,
    yyjson_val *v, struct buf *scratch)
{
	int64_t n;
	bool b;

	switch (type) {
	case ROWS_BOOL:
		if (as_bool(v, &b))
			rows_set_bool(r, col, row, b);
		break;
	case ROWS_INT32:
		if (as_i64(v, &n) && n >= INT32_MIN && n <= INT32_MAX)
			rows_set_i32(r, col, row, (int32_t)n);
		break;
	case ROWS_INT64:
		if (as_i64(v, &n))
			rows_set_i64(r, col, row, n);
		break;
	case ROWS_DOUBLE:
		if (yyjson_is_num(v))
			rows_set_f64(r, col, row, yyjson_get_num(v));
		break;
	case ROWS_TICKS:
		if (yyjson_is_str(v) && ticks_parse(yyjson_get_str(v),
		    yyjson_get_len(v), &n) == 0)
			rows_set_i64(r, col, row, n);
		break;
	case ROWS_LIST:
		return (set_list(r, col, row, v, scratch));
	case ROWS_STRING:
		if (yyjson_is_str(v))
			return (source_cell_text(r, col, row,
			    yyjson_get_str(v), yyjson_get_len(v)));
		return (set_json(r, col, row, v, scratch));
	}
	return (0);
}

/* --- transforms ----------------------------------------------------------- */

static int
set_webid(struct rows *r, uint32_t col, uint32_t row, yyjson_val *v)
{
	const char *s = yyjson_get_str(v);
	size_t len = yyjson_get_len(v), ids;
	char out[128];

	if (s == NULL || len == 0)
		return (0);
	if ((ids = source_webid_ids(s, len)) == 0)
		return (source_cell_text(r, col, row, s, len));
	(void)source_webid_short(s, len, out, sizeof(out));
	return (source_cell_text(r, col, row, out, ids));
}

/* \\SERVER\DATABASE\A\B is at depth 1: below the root element A. */
static void
set_depth(struct rows *r, uint32_t col, uint32_t row, yyjson_val *v)
{
	const char *s = yyjson_get_str(v);
	size_t len = yyjson_get_len(v);
	int64_t n = 0;

	if (s == NULL || len < 2 || memcmp(s, "\\\\", 2) != 0)
		return;
	for (size_t i = 2; i < len; i++)
		n += s[i] == '\\';
	if (n >= 2)
		rows_set_i64(r, col, row, n - 2);
}

static void
set_open_end(struct rows *r, uint32_t col, uint32_t row, yyjson_val *v)
{
	const char *s = yyjson_get_str(v);
	size_t len = yyjson_get_len(v);
	int64_t t;

	if (s == NULL || (len >= 4 && memcmp(s, "9999", 4) == 0))
		return;
	if (ticks_parse(s, len, &t) == 0)
		rows_set_i64(r, col, row, t);
}

static int
set_spread(enum source_as as, struct rows *r, uint32_t col, uint32_t row,
    yyjson_val *v, struct buf *scratch)
{
	struct source_op op = { .kind = OP_VALUE, .col = -1, .col_text = -1,
		.col_code = -1, .col_system = -1 };

	switch (as) {
	case AS_NUMBER:
		op.col = (int)col;
		break;
	case AS_TEXT:
		op.col_text = (int)col;
		break;
	case AS_STATE_CODE:
		op.col_code = (int)col;
		break;
	default:
		op.col_system = (int)col;
	}
	return (source_cell_value(&op, r, row, v, scratch));
}

int
source_cell_set(const struct source_column *c, struct rows *r, uint32_t col,
    uint32_t row, yyjson_val *v, struct buf *scratch)
{

	if (c->first && yyjson_is_arr(v))
		v = yyjson_arr_get_first(v);
	if (v == NULL || yyjson_is_null(v))
		return (0);
	switch (c->as) {
	case AS_PLAIN:
		return (set_plain(c->type, r, col, row, v, scratch));
	case AS_WEBID:
		return (set_webid(r, col, row, v));
	case AS_NUMBER:
	case AS_TEXT:
	case AS_STATE_CODE:
	case AS_IS_SYSTEM:
		return (set_spread(c->as, r, col, row, v, scratch));
	case AS_DEPTH:
		set_depth(r, col, row, v);
		break;
	case AS_OPEN_END:
		set_open_end(r, col, row, v);
		break;
	case AS_JSON:
		return (set_json(r, col, row, v, scratch));
	case AS_PARENT_BY_PATH:
		break;
	}
	return (0);
}

/* --- the spread of a PI value --------------------------------------------- */

static int
put_text(const struct source_op *op, struct rows *r, uint32_t row,
    const char *s, size_t len)
{

	if (op->col_text < 0)
		return (0);
	return (source_cell_text(r, (uint32_t)op->col_text, row, s, len));
}

static void
put_number(const struct source_op *op, struct rows *r, uint32_t row, double d)
{

	if (op->col >= 0)
		rows_set_f64(r, (uint32_t)op->col, row, d);
}

static bool
is_exact(yyjson_val *v)
{
	const double two63 = 9223372036854775808.0;
	double d;

	if (yyjson_is_uint(v)) {
		d = (double)yyjson_get_uint(v);
		return (d < 2 * two63 && (uint64_t)d == yyjson_get_uint(v));
	}
	d = (double)yyjson_get_sint(v);
	return (d < two63 && (int64_t)d == yyjson_get_sint(v));
}

static int
put_integer(const struct source_op *op, struct rows *r, uint32_t row,
    yyjson_val *v)
{
	char digits[32];
	int n;

	put_number(op, r, row, yyjson_get_num(v));
	if (is_exact(v))
		return (0);
	if (yyjson_is_uint(v))
		n = snprintf(digits, sizeof(digits), "%llu",
		    (unsigned long long)yyjson_get_uint(v));
	else
		n = snprintf(digits, sizeof(digits), "%lld",
		    (long long)yyjson_get_sint(v));
	return (put_text(op, r, row, digits, (size_t)n));
}

/* Name and code, as far as they are there, fit the columns for them. */
static bool
is_state(yyjson_val *name, yyjson_val *code)
{
	int64_t n;

	return ((name == NULL || yyjson_is_null(name) ||
	    yyjson_is_str(name)) && (code == NULL ||
	    yyjson_is_null(code) || as_i64(code, &n)));
}

/* {Name, Value, IsSystem}, {Errors}, or an object nobody has told us of. */
static int
put_object(const struct source_op *op, struct rows *r, uint32_t row,
    yyjson_val *v, struct buf *scratch)
{
	yyjson_val *name, *code, *errors;
	int64_t n;
	bool b = false;
	int rc = 0;

	if ((errors = yyjson_obj_get(v, SOURCE_ERRORS)) != NULL) {
		buf_clear(scratch);
		source_errors_text(errors, scratch);
		return (put_text(op, r, row, buf_str(scratch), scratch->len));
	}
	name = yyjson_obj_get(v, "Name");
	code = yyjson_obj_get(v, "Value");
	if ((name == NULL && code == NULL) || !is_state(name, code)) {
		if (op->col_text < 0)
			return (0);
		return (set_json(r, (uint32_t)op->col_text, row, v, scratch));
	}
	if (yyjson_is_str(name))
		rc = put_text(op, r, row, yyjson_get_str(name),
		    yyjson_get_len(name));
	if (op->col_code >= 0 && as_i64(code, &n))
		rows_set_i64(r, (uint32_t)op->col_code, row, n);
	if (op->col_system >= 0) {
		(void)as_bool(yyjson_obj_get(v, "IsSystem"), &b);
		rows_set_bool(r, (uint32_t)op->col_system, row, b);
	}
	return (rc);
}

int
source_cell_value(const struct source_op *op, struct rows *r, uint32_t row,
    yyjson_val *v, struct buf *scratch)
{
	const char *raw;

	switch (yyjson_get_type(v)) {
	case YYJSON_TYPE_NUM:
		if (!yyjson_is_real(v))
			return (put_integer(op, r, row, v));
		put_number(op, r, row, yyjson_get_real(v));
		return (0);
	case YYJSON_TYPE_STR:
		return (put_text(op, r, row, yyjson_get_str(v),
		    yyjson_get_len(v)));
	case YYJSON_TYPE_BOOL:
		put_number(op, r, row, yyjson_get_bool(v) ? 1 : 0);
		return (put_text(op, r, row, yyjson_get_bool(v) ? "true" :
		    "false", yyjson_get_bool(v) ? 4 : 5));
	case YYJSON_TYPE_OBJ:
		return (put_object(op, r, row, v, scratch));
	case YYJSON_TYPE_ARR:
		if (op->col_text < 0)
			return (0);
		return (set_json(r, (uint32_t)op->col_text, row, v, scratch));
	case YYJSON_TYPE_RAW:	/* an integer beyond 64 bits, or NaN */
		raw = yyjson_get_raw(v);
		put_number(op, r, row, strtod(raw, NULL));
		if (strpbrk(raw, "0123456789") == NULL)
			return (0);
		return (put_text(op, r, row, raw, yyjson_get_len(v)));
	default:
		return (0);
	}
}

/* --- failure inside an answer --------------------------------------------- */

bool
source_errors_any(yyjson_val *v)
{

	if (v == NULL || yyjson_is_null(v))
		return (false);
	return (!yyjson_is_ctn(v) || yyjson_get_len(v) > 0);
}

static void
put_joined(struct buf *out, yyjson_val *v)
{

	if (!yyjson_is_str(v) || out->len > ERRORS_TEXT_MAX)
		return;
	if (out->len > 0)
		buf_puts(out, "; ");
	buf_put(out, yyjson_get_str(v), yyjson_get_len(v));
}

/* "text", ["text", ...], [{"FieldName": "", "Message": ["text", ...]}] */
void
source_errors_text(yyjson_val *v, struct buf *out)
{
	yyjson_arr_iter it, inner;
	yyjson_val *x, *m;

	put_joined(out, v);
	if (!yyjson_is_arr(v))
		return;
	yyjson_arr_iter_init(v, &it);
	while ((x = yyjson_arr_iter_next(&it)) != NULL) {
		put_joined(out, x);
		m = yyjson_obj_get(x, "Message");
		put_joined(out, m);
		if (!yyjson_is_arr(m))
			continue;
		yyjson_arr_iter_init(m, &inner);
		while ((x = yyjson_arr_iter_next(&inner)) != NULL)
			put_joined(out, x);
	}
}

static int
fail_with(struct err *e, const char *what, yyjson_val *errors)
{
	struct buf raw, text;
	int rc;

	buf_init(&raw, LIMIT_BODY_MAX);
	buf_init(&text, 1 << 16);
	source_errors_text(errors, &raw);
	text_escape(&text, buf_str(&raw), raw.len, 400);
	rc = err_set(e, ERR_ANSWER, "%s%s%s", what, text.len > 0 ? ": " : "",
	    buf_str(&text));
	buf_fini(&text);
	buf_fini(&raw);
	return (rc);
}

int
source_failed(yyjson_val *obj, struct err *e)
{
	yyjson_val *v;

	v = yyjson_obj_get(obj, SOURCE_EXCEPTION);
	if (v != NULL && !yyjson_is_null(v))
		return (fail_with(e, "the server failed while answering",
		    yyjson_obj_get(v, SOURCE_ERRORS)));
	v = yyjson_obj_get(obj, SOURCE_ERRORS);
	if (source_errors_any(v))
		return (fail_with(e, "the answer holds errors", v));
	return (0);
}

int
source_parse(char *body, size_t len, yyjson_doc **doc, struct err *e)
{
	size_t i = 0;

	if (len >= 3 && memcmp(body, "\xef\xbb\xbf", 3) == 0)
		i = 3;
	for (; i < len && strchr(" \t\r\n", body[i]) != NULL; i++)
		continue;
	if (i < len && body[i] == '<')
		return (err_set(e, ERR_ANSWER,
		    "HTML or XML came where JSON was asked for"));
	return (json_parse_insitu(body, len, doc, e));
}
