/*
 * One value of a usual item, from its text into its cells (source_scan.c).
 *
 * A value that is not plain (an escape, a number of many digits) is given to
 * the parser by itself; whatever else is out of the ordinary is refused, and
 * the whole answer is read with the parser.
 */

#include "config.h"

#include <string.h>

#include "base/text.h"
#include "base/ticks.h"
#include "source/source_scan_int.h"

/* Larger integers are not all doubles. */
#define EXACT_MAX (1ull << 53)

#define STARTS(p, text) (memcmp((p), (text), sizeof(text) - 1) == 0)

/* A state of a digital point; the name is in the text. */
struct state {
	const char *name;
	size_t len;
	int64_t code;
	bool system;
};

static void
tail_cell(struct source_tail *t, uint32_t col, bool text, uint32_t x)
{

	if (!t->plain)
		return;
	if (t->ncells == SOURCE_TAIL_CELLS) {
		t->plain = false;
		return;
	}
	t->cells[t->ncells].col = col;
	t->cells[t->ncells].text = text;
	t->cells[t->ncells++].x = x;
}

/* By the parser. */
static bool
parsed_value(struct source_scan *s, struct source_run *u,
    const struct source_field *f)
{
	const char *end = source_scan_skip(s->p);
	struct err e = ERR_INIT;
	yyjson_doc *doc;
	int rc = 0;

	/* a byte order mark stands before a document only */
	if (end == NULL || (uint8_t)*s->p == 0xef ||
	    json_parse(s->p, (size_t)(end - s->p), &doc, &e) != 0)
		return (false);
	if (f != NULL) {
		s->tail[s->now].plain = false;
		rc = source_item_field(s->w, u, f, yyjson_doc_get_root(doc));
	}
	yyjson_doc_free(doc);
	s->p = end;
	return (rc == 0);
}

/* --- times --------------------------------------------------------------- */

const char *
source_scan_new_time(struct source_scan *s, const char *p, int64_t *t)
{
	const char *end = p + strcspn(p, "\"");
	int64_t seconds;

	if (*end != '"' || ticks_parse(p, (size_t)(end - p), t) != 0)
		return (NULL);
	if (end > p + SOURCE_MINUTE &&
	    source_seconds(p + SOURCE_MINUTE, &seconds) == end) {
		memcpy(s->minute, p, SOURCE_MINUTE);
		s->minute_ticks = *t - seconds;
	}
	return (end);
}

static inline bool
time_value(struct source_scan *s, struct source_run *u,
    const struct source_op *op)
{
	const char *end;

	if (*s->p != '"' || (end = source_scan_time(s, s->p + 1,
	    &u->t)) == NULL)
		return (false);
	rows_set_i64(s->w->rows, (uint32_t)op->col, u->row, u->t);
	u->has_time = true;
	s->tail[s->now].plain = false;
	s->p = end + 1;
	return (true);
}

/* --- numbers ------------------------------------------------------------- */

/* As source_short_number(), of up to 18 digits and without an exponent. */
static const char *
parse_plain(const char *p, double *out)
{
	const char *from, *point = NULL;
	bool minus = *p == '-';
	uint64_t m = 0;
	size_t fraction = 0;
	unsigned d;

	from = p += minus;
	while ((d = (unsigned)(uint8_t)*p - '0') <= 9) {
		m = m * 10 + d;
		p++;
	}
	if (p == from || (*from == '0' && p > from + 1))
		return (NULL);
	if (*p == '.') {
		point = p;
		while ((d = (unsigned)(uint8_t)*++p - '0') <= 9)
			m = m * 10 + d;
		if ((fraction = (size_t)(p - point) - 1) == 0)
			return (NULL);
	}
	/* 18 digits do not overflow; -0 is the parser's. */
	if (p - from > 18 || m > EXACT_MAX || (*p | 0x20) == 'e' ||
	    (minus && point == NULL && m == 0))
		return (NULL);
	*out = (double)m / source_power10[fraction];
	if (minus)
		*out = -*out;
	return (p);
}

/* A real number that is not; integers have rules of their own. */
static const char *
parse_real(const char *p, double *out)
{
	const char *end;
	yyjson_val v;

	if (*p != '-' && (*p < '0' || *p > '9'))
		return (NULL);
	end = yyjson_read_number(p, &v, 0, NULL, NULL);
	if (end == NULL || !yyjson_is_real(&v) ||
	    p + strspn(p, "-0123456789") == end)
		return (NULL);
	*out = yyjson_get_real(&v);
	return (end);
}

const char *
source_scan_long_number(const char *p, double *out)
{
	const char *end;

	if ((end = parse_plain(p, out)) == NULL)
		end = parse_real(p, out);
	return (end);
}

static bool
number_value(struct source_scan *s, struct source_run *u,
    const struct source_field *f)
{
	const char *end;
	double x;

	if (f->ops[0].col < 0 ||
	    (end = source_scan_number(s->p, &x)) == NULL ||
	    (*end != ',' && *end != '}'))
		return (parsed_value(s, u, f));
	rows_set_f64(s->w->rows, (uint32_t)f->ops[0].col, u->row, x);
	s->p = end;
	return (true);
}

/* The quote that ends a text without escapes; NULL: the parser will see. */
static const char *
text_end(const char *from)
{
	const char *p = source_plain(from);

	if (*p == '"')
		return (p);
	while ((uint8_t)*p >= 0x80)
		p = source_plain(p + 1);
	return (*p == '"' && text_utf8_valid(from, (size_t)(p - from)) ? p :
	    NULL);
}

static bool
text_value(struct source_scan *s, struct source_run *u,
    const struct source_field *f)
{
	const struct source_op *op = &f->ops[0];
	const char *from = s->p + 1, *p = text_end(from);

	if (p == NULL)
		return (parsed_value(s, u, f));
	s->p = p + 1;
	return (op->col_text < 0 || source_cell_text(s->w->rows,
	    (uint32_t)op->col_text, u->row, from, (size_t)(p - from)) == 0);
}

/* Behind a text of at most 16 characters, or NULL. */
static inline const char *
behind(const char *p, const char *text)
{
	size_t len = strlen(text);

	return (memcmp(p, text, len) == 0 ? p + len : NULL);
}

/* Up to 18 digits, as JSON has them. */
static const char *
parse_code(const char *p, int64_t *out)
{
	const char *from;
	bool minus = *p == '-';
	unsigned d;

	from = p += minus;
	*out = 0;
	while ((d = (unsigned)(uint8_t)*p - '0') <= 9) {
		if (p - from == 18)
			return (NULL);
		*out = *out * 10 + d;
		p++;
	}
	if (p == from || (*from == '0' && p > from + 1))
		return (NULL);
	if (minus)
		*out = -*out;
	return (p);
}

/* {"Name":"text","Value":1,"IsSystem":false}, the last one where the server
 * has it: a state of a digital point, as its parsed form becomes cells. */
static const char *
parse_state(const char *p, struct state *t)
{

	t->system = false;
	if ((p = behind(p, "{\"Name\":\"")) == NULL)
		return (NULL);
	t->name = p;
	if ((p = text_end(p)) == NULL)
		return (NULL);
	t->len = (size_t)(p - t->name);
	if ((p = behind(p, "\",\"Value\":")) == NULL ||
	    (p = parse_code(p, &t->code)) == NULL)
		return (NULL);
	if (*p == ',') {
		if ((p = behind(p, ",\"IsSystem\":")) == NULL)
			return (NULL);
		t->system = STARTS(p, "true");
		if (!t->system && !STARTS(p, "false"))
			return (NULL);
		p += t->system ? 4 : 5;
	}
	return (*p == '}' ? p + 1 : NULL);
}

static bool
state_value(struct source_scan *s, struct source_run *u,
    const struct source_field *f)
{
	const struct source_op *op = &f->ops[0];
	struct rows *r = s->w->rows;
	struct state t;
	const char *end = parse_state(s->p, &t);

	if (end == NULL)
		return (parsed_value(s, u, f));
	s->p = end;
	if (op->col_code >= 0)
		rows_set_i64(r, (uint32_t)op->col_code, u->row, t.code);
	if (op->col_system >= 0)
		rows_set_bool(r, (uint32_t)op->col_system, u->row, t.system);
	return (op->col_text < 0 || source_cell_text(r,
	    (uint32_t)op->col_text, u->row, t.name, t.len) == 0);
}

/* What a PI value may be, by its first character. */
static inline bool
pi_value(struct source_scan *s, struct source_run *u,
    const struct source_field *f)
{

	s->tail[s->now].plain = false;
	if (*s->p == '"')
		return (text_value(s, u, f));
	if (*s->p == '{')
		return (state_value(s, u, f));
	return (number_value(s, u, f));
}

static inline bool
bool_value(struct source_scan *s, struct source_run *u,
    const struct source_field *f)
{
	uint32_t col = (uint32_t)f->ops[0].col;
	bool yes = STARTS(s->p, "true");

	if (!yes && !STARTS(s->p, "false"))
		return (parsed_value(s, u, f));
	rows_set_bool(s->w->rows, col, u->row, yes);
	tail_cell(&s->tail[s->now], col, false, yes);
	s->p += yes ? 4 : 5;
	return (true);
}

static inline bool
string_value(struct source_scan *s, struct source_run *u,
    const struct source_field *f)
{
	uint32_t col = (uint32_t)f->ops[0].col;
	const char *from = s->p + 1, *p;

	if (*s->p != '"' || (p = text_end(from)) == NULL)
		return (parsed_value(s, u, f));
	s->p = p + 1;
	if (source_cell_text(s->w->rows, col, u->row, from,
	    (size_t)(p - from)) != 0)
		return (false);
	tail_cell(&s->tail[s->now], col, true, s->w->rows->v[col].code[u->row]);
	return (true);
}

bool
source_scan_value(struct source_scan *s, struct source_run *u,
    const struct source_field *f)
{

	if (f == NULL || f->errors || f->nops != 1 || f->ops[0].rest.n > 0)
		return (parsed_value(s, u, f));
	switch (f->ops[0].kind) {
	case OP_TIME:
		return (time_value(s, u, &f->ops[0]));
	case OP_VALUE:
		return (pi_value(s, u, f));
	case OP_BOOL:
		return (bool_value(s, u, f));
	case OP_STRING:
		return (string_value(s, u, f));
	case OP_CELL:
		break;
	}
	return (parsed_value(s, u, f));
}
