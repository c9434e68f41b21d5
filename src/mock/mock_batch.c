/*
 * POST /batch: requests that use each other's answers.
 *
 * The body is an object of sub-requests by id. Each runs after its parents;
 * its Parameters are JSONPaths into their answers and take the place of
 * {0}, {1}, ... in its Resource; a RequestTemplate runs once for each token
 * selected. Paths may be made of .name, ['name'], [n], [*] and .*.
 *
 * A body of another shape is status 400 for all. A failed parent gives 409,
 * paths that select nothing 400, each in its own place of the answer, which
 * is always 207. The answer is built whole, as on the real server, and
 * bounded.
 */

#include "config.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/arena.h"
#include "base/base_limits.h"
#include "base/err.h"
#include "base/must.h"
#include "base/text.h"
#include "codec/json.h"
#include "mock/mock_answer.h"
#include "mock/mock_options.h"

#define SUBS_MAX 2000
#define TOKENS_MAX 10000
#define PARAMS_MAX 16

enum state { TODO, RUNNING, DONE };

struct sub {
	const char *id;
	yyjson_val *spec;
	enum state state;
	int status;
	struct buf result;	/* {"Status":...} */
	yyjson_doc *doc;	/* of result, when a child asks */
};

struct batch {
	struct mock_req *req;
	struct mock_resp *resp;
	struct sub *sub;
	size_t n;
	size_t bytes;
};

struct tokens {
	const char **text;	/* owned; the texts lie in the arena */
	size_t n;
	size_t cap;
};

/* --- one request ---------------------------------------------------------- */

static void
put_result(struct buf *out, int status, const struct buf *content, bool json)
{
	buf_printf(out, "{\"Status\":%d,\"Headers\":{\"Content-Type\":\"%s\"},"
	    "\"Content\":", status, json ? "application/json; charset=utf-8" :
	    "text/html; charset=us-ascii");
	if (json && content->len > 0)
		buf_put(out, content->data, content->len);
	else
		json_put_str(out, (char *)content->data, content->len);
	buf_u8(out, '}');
}

static void
put_error(struct buf *out, int status, const char *text)
{
	struct buf b;

	buf_init(&b, 1 << 16);
	buf_puts(&b, "{\"Errors\":[");
	json_put_str(&b, text, strlen(text));
	buf_puts(&b, "]}");
	put_result(out, status, &b, true);
	buf_fini(&b);
}

/* Appends the result; returns the status. */
static int
run_one(struct batch *b, const char *method, const char *resource,
    struct buf *out)
{
	struct mock_req req = *b->req;
	struct mock_resp r;
	int status;

	if (strncasecmp(resource, "http://", 7) != 0 &&
	    strncasecmp(resource, "https://", 8) != 0) {
		put_error(out, 400, "The resource is not an absolute URL.");
		return (400);
	}
	req.inner = true;
	req.method = method;
	req.body = NULL;
	req.body_len = 0;
	mock_resp_init(&r);
	if (mock_req_target(&req, resource) != 0)
		mock_resp_error(&r, 400, "Invalid URL.");
	else
		mock_route(&req, &r);
	if (!mock_resp_finish(&r, LIMIT_BODY_MAX - b->bytes))
		mock_resp_error(&r, 500, "The answer is too large.");
	b->bytes += mock_resp_body(&r)->len;
	b->resp->items += r.items;
	if (r.fault != NULL)
		b->resp->fault = r.fault;
	if (r.delay_ms > b->resp->delay_ms)
		b->resp->delay_ms = r.delay_ms;
	put_result(out, r.status, mock_resp_body(&r),
	    strncmp(r.type, "application/json", 16) == 0);
	status = r.status;
	mock_resp_fini(&r);
	return (status);
}

/* --- JSONPath ------------------------------------------------------------- */

static void
add_token(struct batch *b, struct tokens *t, yyjson_val *v)
{
	struct buf text;

	if (t->n == TOKENS_MAX || v == NULL)
		return;
	if (t->n == t->cap) {
		t->cap = t->cap == 0 ? 8 : t->cap * 2;
		t->text = must_realloc(t->text, t->cap, sizeof(*t->text));
	}
	if (yyjson_is_str(v)) {
		t->text[t->n++] = arena_strndup(b->req->arena,
		    yyjson_get_str(v), yyjson_get_len(v));
		return;
	}
	buf_init(&text, 1 << 16);
	if (json_put_val(&text, v) == 0)
		t->text[t->n++] = arena_strdup(b->req->arena, buf_str(&text));
	buf_fini(&text);
}

/* One step of the path: its name, or NULL for all, and the rest. false: it
 * cannot be read. */
static bool
step(const char **path, const char **name, size_t *len, bool *index)
{
	const char *p = *path, *end;

	*index = false;
	if (*p == '.') {
		*name = ++p;
		*len = strcspn(p, ".[");
		*path = p + *len;
	} else if (*p == '[' && (p[1] == '\'' || p[1] == '"')) {
		end = strchr(p + 2, p[1]);
		if (end == NULL || end[1] != ']')
			return (false);
		*name = p + 2;
		*len = (size_t)(end - *name);
		*path = end + 2;
		return (true);
	} else if (*p == '[') {
		end = strchr(p, ']');
		if (end == NULL)
			return (false);
		*name = p + 1;
		*len = (size_t)(end - *name);
		*path = end + 1;
		*index = true;
	} else {
		return (false);
	}
	if (*len == 1 && **name == '*')
		*name = NULL;
	return (*len > 0);
}

static void
collect(struct batch *b, yyjson_val *v, const char *path, struct tokens *t)
{
	const char *name;
	char number[24] = "";
	size_t len, i, max;
	uint64_t at;
	bool index;
	yyjson_val *key, *item;

	if (*path == '\0') {
		add_token(b, t, v);
		return;
	}
	if (!step(&path, &name, &len, &index))
		return;
	if (name == NULL && yyjson_is_arr(v)) {
		yyjson_arr_foreach(v, i, max, item)
			collect(b, item, path, t);
	} else if (name == NULL && yyjson_is_obj(v)) {
		yyjson_obj_foreach(v, i, max, key, item)
			collect(b, item, path, t);
	} else if (index && len < sizeof(number)) {
		memcpy(number, name, len);
		if (text_u64(number, 0, SIZE_MAX, &at) == 0)
			item = yyjson_arr_get(v, (size_t)at);
		else
			item = NULL;
		if (item != NULL)
			collect(b, item, path, t);
	} else if (name != NULL) {
		item = yyjson_obj_getn(v, name, len);
		if (item != NULL)
			collect(b, item, path, t);
	}
}

static struct sub *
find(struct batch *b, const char *id, size_t len)
{
	for (size_t i = 0; i < b->n; i++)
		if (strlen(b->sub[i].id) == len &&
		    memcmp(b->sub[i].id, id, len) == 0)
			return (&b->sub[i]);
	return (NULL);
}

static bool
is_parent(const struct sub *child, const struct sub *parent)
{
	yyjson_val *ids = yyjson_obj_get(child->spec, "ParentIds"), *id;
	size_t i, max;

	yyjson_arr_foreach(ids, i, max, id)
		if (strcmp(yyjson_get_str(id), parent->id) == 0)
			return (true);
	return (false);
}

/* $.ID.rest, over the answers of the parents. */
static void
select_tokens(struct batch *b, struct sub *s, const char *path,
    struct tokens *t)
{
	const char *name;
	struct sub *parent;
	size_t len;
	bool index;

	t->n = 0;
	if (*path++ != '$' || !step(&path, &name, &len, &index) ||
	    name == NULL || index)
		return;
	parent = find(b, name, len);
	if (parent == NULL || !is_parent(s, parent))
		return;
	if (parent->doc == NULL && json_parse((char *)parent->result.data,
	    parent->result.len, &parent->doc, NULL) != 0)
		return;
	collect(b, yyjson_doc_get_root(parent->doc), path, t);
}

/* {N} becomes token number `at` of parameter N, or its only one. */
static const char *
substitute(struct batch *b, const char *text, const struct tokens *t,
    size_t n, size_t at)
{
	struct buf out;
	const char *s;

	buf_init(&out, 1 << 20);
	for (; *text != '\0'; text++) {
		size_t k = (size_t)(text[1] - '0');

		if (*text != '{' || text[1] < '0' || text[1] > '9' ||
		    text[2] != '}' || k >= n) {
			buf_u8(&out, (uint8_t)*text);
			continue;
		}
		buf_puts(&out, t[k].text[t[k].n == 1 ? 0 : at]);
		text += 2;
	}
	s = arena_strdup(b->req->arena, buf_str(&out));
	buf_fini(&out);
	return (s);
}

/* --- one sub-request ------------------------------------------------------ */

static void run(struct batch *, struct sub *);

/* false: a parent failed, or the parents go in a ring. */
static bool
run_parents(struct batch *b, struct sub *s)
{
	yyjson_val *ids = yyjson_obj_get(s->spec, "ParentIds"), *id;
	size_t i, max;
	bool good = true;

	yyjson_arr_foreach(ids, i, max, id) {
		struct sub *p = find(b, yyjson_get_str(id),
		    yyjson_get_len(id));

		if (p->state == TODO)
			run(b, p);
		if (p->state != DONE || p->status >= 400)
			good = false;
	}
	return (good);
}

/* The number of parameters; -1: one of them selects nothing. */
static int
resolve(struct batch *b, struct sub *s, struct tokens *t, size_t *count)
{
	yyjson_val *paths = yyjson_obj_get(s->spec, "Parameters"), *path;
	size_t i, max;
	int n = 0;

	*count = 1;
	yyjson_arr_foreach(paths, i, max, path) {
		select_tokens(b, s, yyjson_get_str(path), &t[n]);
		if (t[n].n == 0)
			return (-1);
		if (t[n].n > *count)
			*count = t[n].n;
		n++;
	}
	for (int k = 0; k < n; k++)	/* lists that go side by side */
		if (t[k].n != 1 && t[k].n != *count)
			return (-1);
	return (n);
}

static void
run_template(struct batch *b, struct sub *s, const char *template,
    const struct tokens *t, size_t n, size_t count)
{
	const char *method = json_str(s->spec, "Method");
	struct buf items;

	buf_init(&items, LIMIT_BODY_MAX + (1 << 20));
	buf_puts(&items, "{\"Items\":[");
	for (size_t i = 0; i < count; i++) {
		if (i > 0)
			buf_u8(&items, ',');
		run_one(b, method, substitute(b, template, t, n, i), &items);
	}
	buf_puts(&items, "]}");
	put_result(&s->result, 207, &items, true);
	s->status = 207;
	buf_fini(&items);
}

static void
run(struct batch *b, struct sub *s)
{
	yyjson_val *template = yyjson_obj_get(s->spec, "RequestTemplate");
	const char *resource = json_str(s->spec, "Resource");
	struct tokens t[PARAMS_MAX] = { { NULL, 0, 0 } };
	size_t count;
	int n;

	s->state = RUNNING;
	s->status = 0;
	if (!run_parents(b, s)) {
		s->status = 409;
		put_error(&s->result, 409, "The request was not executed "
		    "because a parent request failed.");
	} else if ((n = resolve(b, s, t, &count)) < 0) {
		s->status = 400;
		put_error(&s->result, 400,
		    "Some JSON paths did not select any tokens");
	} else if (template != NULL) {
		run_template(b, s, json_str(template, "Resource"), t,
		    (size_t)n, count);
	} else {
		if (strncmp(resource, "$.", 2) == 0) {
			select_tokens(b, s, resource, &t[0]);
			resource = t[0].n > 0 ? t[0].text[0] : "";
		} else {
			resource = substitute(b, resource, t, (size_t)n, 0);
		}
		s->status = run_one(b, json_str(s->spec, "Method"), resource,
		    &s->result);
	}
	for (size_t i = 0; i < PARAMS_MAX; i++)
		free(t[i].text);
	s->state = DONE;
}

/* --- the body ------------------------------------------------------------- */

/* NULL is fine, else an array of strings. */
static bool
strings(yyjson_val *list, size_t most)
{
	yyjson_val *v;
	size_t i, max;

	if (list == NULL || yyjson_is_null(list))
		return (true);
	if (!yyjson_is_arr(list) || yyjson_arr_size(list) > most)
		return (false);
	yyjson_arr_foreach(list, i, max, v)
		if (!yyjson_is_str(v))
			return (false);
	return (true);
}

static const char *
wrong(struct batch *b, struct sub *s)
{
	yyjson_val *ids = yyjson_obj_get(s->spec, "ParentIds"), *id;
	yyjson_val *template = yyjson_obj_get(s->spec, "RequestTemplate");
	size_t i, max;

	if (!yyjson_is_obj(s->spec))
		return ("it is not an object");
	if (json_str(s->spec, "Method") == NULL)
		return ("it has no Method");
	if (template == NULL ? json_str(s->spec, "Resource") == NULL :
	    json_str(template, "Resource") == NULL)
		return ("it has no Resource");
	if (!strings(yyjson_obj_get(s->spec, "Parameters"), PARAMS_MAX))
		return ("Parameters is not an array of JSON paths");
	if (!strings(ids, SUBS_MAX))
		return ("ParentIds is not an array of names");
	yyjson_arr_foreach(ids, i, max, id)
		if (find(b, yyjson_get_str(id), yyjson_get_len(id)) == NULL)
			return ("a parent does not exist");
	return (NULL);
}

static bool
read_subs(struct batch *b, yyjson_val *root)
{
	yyjson_val *key, *spec;
	size_t i, max;
	const char *why;

	if (!yyjson_is_obj(root) || yyjson_obj_size(root) > SUBS_MAX) {
		mock_resp_error(b->resp, 400, "The body of a batch must be an "
		    "object of requests by name.");
		return (false);
	}
	b->sub = arena_alloc(b->req->arena, (yyjson_obj_size(root) + 1) *
	    sizeof(*b->sub));
	yyjson_obj_foreach(root, i, max, key, spec) {
		b->sub[b->n].id = yyjson_get_str(key);
		b->sub[b->n].spec = spec;
		buf_init(&b->sub[b->n].result, LIMIT_BODY_MAX + (2 << 20));
		b->n++;
	}
	for (i = 0; i < b->n; i++) {
		if ((why = wrong(b, &b->sub[i])) != NULL) {
			mock_resp_error(b->resp, 400, "The request '%s' of the "
			    "batch cannot be run: %s.", b->sub[i].id, why);
			return (false);
		}
	}
	return (true);
}

static void
put_results(struct batch *b)
{
	struct buf *out = &b->resp->body;

	b->resp->status = 207;
	buf_u8(out, '{');
	for (size_t i = 0; i < b->n; i++) {
		if (i > 0)
			buf_u8(out, ',');
		json_put_str(out, b->sub[i].id, strlen(b->sub[i].id));
		buf_u8(out, ':');
		buf_put(out, b->sub[i].result.data, b->sub[i].result.len);
		buf_fini(&b->sub[i].result);
	}
	buf_u8(out, '}');
}

void
mock_batch(struct mock_req *req, struct mock_resp *r)
{
	struct batch b = { .req = req, .resp = r };
	yyjson_doc *doc = NULL;
	struct err e = ERR_INIT;

	if (req->inner) {
		mock_resp_error(r, 400, "A batch within a batch.");
		return;
	}
	if (json_parse(req->body, req->body_len, &doc, &e) != 0) {
		mock_resp_error(r, 400, "The body is not JSON.");
		return;
	}
	if (read_subs(&b, yyjson_doc_get_root(doc))) {
		r->delay_ms += (int64_t)b.n * req->opt->batch_cost_ms;
		for (size_t i = 0; i < b.n; i++)
			if (b.sub[i].state == TODO)
				run(&b, &b.sub[i]);
		put_results(&b);
	}
	for (size_t i = 0; i < b.n; i++) {
		buf_fini(&b.sub[i].result);
		yyjson_doc_free(b.sub[i].doc);
	}
	yyjson_doc_free(doc);
}
