/*
 * A request's target taken apart, and its parameters checked.
 *
 * Names of paths and parameters are found in any case; of a parameter given
 * twice the first counts, but for webId. Unknown ones are ignored. A wrong
 * value is answered with status 400 and a text that names the parameter.
 */

#include "config.h"

#include <string.h>
#include <strings.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/text.h"
#include "base/ticks.h"
#include "mock/mock_answer.h"
#include "mock/mock_options.h"

#define PARAMS_MAX 65536

/* Decoded in the arena; NULL: a bad escape. */
static char *
decode(struct arena *arena, const char *s, size_t len, bool form)
{
	char *copy = arena_strndup(arena, s, len);
	long n = text_unpercent(copy, len, form);

	if (n < 0)
		return (NULL);
	copy[n] = '\0';
	return (copy);
}

static int
parse_query(struct mock_req *req, const char *s)
{
	const char *p = s;
	size_t n = 1, len, name;

	for (; *p != '\0'; p++)
		n += *p == '&';
	if (n > PARAMS_MAX)
		return (ERR_DATA);
	req->param = arena_alloc(req->arena, n * sizeof(*req->param));
	for (; *s != '\0'; s += len + (s[len] == '&')) {
		struct mock_param *param = &req->param[req->params];

		len = strcspn(s, "&");
		if (len == 0)
			continue;
		name = strcspn(s, "=&");
		param->name = decode(req->arena, s, name, true);
		param->value = name == len ? "" : decode(req->arena,
		    s + name + 1, len - name - 1, true);
		if (param->name == NULL || param->value == NULL)
			return (ERR_DATA);
		req->params++;
	}
	return (0);
}

int
mock_req_target(struct mock_req *req, const char *target)
{
	static const char base[] = "piwebapi";
	const char *s = target, *query;
	size_t len, n;

	req->target = target;
	req->segs = req->params = 0;
	/* Absolute form: the host does not matter. */
	if (strncasecmp(s, "http://", 7) == 0 ||
	    strncasecmp(s, "https://", 8) == 0) {
		s = strchr(s + 8, '/');
		if (s == NULL)
			return (ERR_DATA);
	}
	if (*s != '/')
		return (ERR_DATA);
	len = strcspn(s, "?#");
	query = s + len;
	for (const char *end = s + len; s < end; s += n) {
		char *seg;

		for (s++; s < end && *s == '/'; s++)
			continue;
		n = strcspn(s, "/?#");
		if (n == 0)
			break;
		if ((seg = decode(req->arena, s, n, false)) == NULL)
			return (ERR_DATA);
		if (req->segs < MOCK_SEGMENTS)
			req->seg[req->segs] = seg;
		req->segs++;
	}
	req->outside = req->segs == 0 || strcasecmp(req->seg[0], base) != 0;
	if (req->segs > MOCK_SEGMENTS)
		req->outside = true;
	if (!req->outside) {
		req->segs--;
		memmove(req->seg, req->seg + 1, req->segs *
		    sizeof(req->seg[0]));
	}
	return (*query == '?' ? parse_query(req, query + 1) : 0);
}

int
mock_req_form(struct mock_req *req)
{
	req->params = 0;
	return (strlen(req->body) == req->body_len ?
	    parse_query(req, req->body) : ERR_DATA);
}

const char *
mock_req_param(const struct mock_req *req, const char *name)
{
	for (size_t i = 0; i < req->params; i++)
		if (strcasecmp(req->param[i].name, name) == 0)
			return (req->param[i].value);
	return (NULL);
}

bool
mock_req_count(const struct mock_req *req, struct mock_resp *r,
    uint32_t *asked, uint32_t *max)
{
	const char *text = mock_req_param(req, "maxCount");
	uint64_t n = 1000;

	if (text != NULL && *text != '\0' &&
	    text_u64(text, 0, UINT64_MAX, &n) != 0) {
		mock_resp_error(r, 400, "Parameter 'maxCount' is not a valid "
		    "number: '%s'.", text);
		return (false);
	}
	if (n == 0) {
		mock_resp_error(r, 400,
		    "Parameter 'maxCount' must be greater than 0.");
		return (false);
	}
	if (n > req->opt->max_count) {
		if (text == NULL || *text == '\0') {
			n = req->opt->max_count;
		} else {
			mock_resp_error(r, 400, "Parameter 'maxCount' is "
			    "greater than the maximum allowed (%u).",
			    req->opt->max_count);
			return (false);
		}
	}
	*asked = (uint32_t)n;
	*max = req->opt->page_limit != 0 && n > req->opt->page_limit ?
	    req->opt->page_limit : (uint32_t)n;
	return (true);
}

bool
mock_req_start(const struct mock_req *req, struct mock_resp *r,
    uint64_t *start)
{
	const char *text = mock_req_param(req, "startIndex");

	*start = 0;
	if (text != NULL && *text != '\0' &&
	    text_u64(text, 0, INT64_MAX, start) != 0) {
		mock_resp_error(r, 400, "Parameter 'startIndex' is not a "
		    "valid number: '%s'.", text);
		return (false);
	}
	return (true);
}

bool
mock_req_time(const struct mock_req *req, struct mock_resp *r,
    const char *name, const char *def, int64_t *t)
{
	const char *text = mock_req_param(req, name);

	if (text == NULL)
		text = def;
	if (*text == '\0')
		text = "*";
	if (ticks_parse_human(text, req->now, t) != 0) {
		mock_resp_error(r, 400, "Parameter '%s' has a time that "
		    "cannot be read: '%s'.", name, text);
		return (false);
	}
	if (*t < TICKS_MIN)
		*t = TICKS_MIN;
	if (*t > TICKS_MAX)
		*t = TICKS_MAX;
	return (true);
}

bool
mock_req_bool(const struct mock_req *req, const char *name, bool def)
{
	const char *text = mock_req_param(req, name);

	if (text == NULL || *text == '\0')
		return (def);
	return (strcasecmp(text, "true") == 0);
}

bool
mock_req_webid_kind(const struct mock_req *req, struct mock_resp *r,
    char *kind)
{
	const char *text = mock_req_param(req, "webIdType");

	*kind = 'F';
	if (text == NULL || *text == '\0' || strcasecmp(text, "Full") == 0)
		return (true);
	if (strcasecmp(text, "IDOnly") == 0)
		*kind = 'I';
	else if (strcasecmp(text, "PathOnly") == 0)
		*kind = 'P';
	else {
		mock_resp_error(r, 400, "Parameter 'webIdType' has the "
		    "unknown value '%s'.", text);
		return (false);
	}
	return (true);
}

bool
mock_req_object(const struct mock_req *req, struct mock_resp *r,
    const char *webid, struct mock_obj *out)
{
	int rc = mock_webid_parse(req->world, webid, strlen(webid), out);

	if (rc == ERR_NOTFOUND && strncmp(webid + 2, "DP", 2) == 0)
		mock_resp_error(r, 404, "PI Point not found '%s'.", webid);
	else if (rc == ERR_NOTFOUND)
		mock_resp_error(r, 404, "The specified object was not found: "
		    "'%s'.", webid);
	else if (rc != 0)
		mock_resp_error(r, 400,
		    "Unknown or invalid WebID format: '%s'", webid);
	return (rc == 0);
}
