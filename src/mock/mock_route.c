/*
 * From path to handler: one table.
 *
 * `*` stands for a WebID. What is not in the table is answered as the real
 * server answers an unknown address: 404 and a Message.
 */

#include "config.h"

#include <string.h>
#include <strings.h>

#include "base/err.h"
#include "base/ticks.h"
#include "codec/json.h"
#include "mock/mock_answer.h"
#include "mock/mock_cache.h"
#include "mock/mock_fault.h"
#include "mock/mock_gate.h"
#include "mock/mock_options.h"
#include "mock/mock_stats.h"

static mock_handler root, system_root, system_status, system_user;
static mock_handler token, clock_now, faults_set, tokens_revoke,
    stats_tell;

static const struct route {
	const char *method;
	const char *name;		/* in logs and faults */
	const char *path[4];
	mock_handler *handler;
} ROUTES[] = {
	{ "GET", "root", { NULL }, root },
	{ "GET", "system", { "system" }, system_root },
	{ "GET", "system/status", { "system", "status" }, system_status },
	{ "GET", "system/userinfo", { "system", "userinfo" }, system_user },
	{ "GET", "dataservers", { "dataservers" }, mock_list_dataservers },
	{ "GET", "dataserver", { "dataservers", "*" }, mock_one },
	{ "GET", "dataservers/points", { "dataservers", "*", "points" },
	    mock_list_points },
	{ "GET", "point", { "points" }, mock_one_by_path },
	{ "GET", "point", { "points", "*" }, mock_one },
	{ "GET", "streams/recorded", { "streams", "*", "recorded" },
	    mock_stream_recorded },
	{ "GET", "streams/value", { "streams", "*", "value" },
	    mock_stream_value },
	{ "GET", "streams/end", { "streams", "*", "end" }, mock_stream_end },
	{ "GET", "streams/recordedattime",
	    { "streams", "*", "recordedattime" }, mock_stream_recorded_at },
	{ "GET", "streams/summary", { "streams", "*", "summary" },
	    mock_stream_summary },
	{ "GET", "streamsets/recorded", { "streamsets", "recorded" },
	    mock_set_recorded },
	{ "GET", "streamsets/value", { "streamsets", "value" },
	    mock_set_value },
	{ "GET", "streamsets/end", { "streamsets", "end" }, mock_set_end },
	{ "GET", "streamsets/recordedattime",
	    { "streamsets", "recordedattime" }, mock_set_recorded_at },
	{ "GET", "streamsets/summary", { "streamsets", "summary" },
	    mock_set_summary },
	{ "GET", "assetservers", { "assetservers" },
	    mock_list_assetservers },
	{ "GET", "assetserver", { "assetservers", "*" }, mock_one },
	{ "GET", "assetservers/assetdatabases",
	    { "assetservers", "*", "assetdatabases" }, mock_list_databases },
	{ "GET", "assetdatabase", { "assetdatabases" }, mock_one_by_path },
	{ "GET", "assetdatabase", { "assetdatabases", "*" }, mock_one },
	{ "GET", "assetdatabases/elements",
	    { "assetdatabases", "*", "elements" }, mock_list_elements },
	{ "GET", "assetdatabases/elementattributes",
	    { "assetdatabases", "*", "elementattributes" },
	    mock_list_attributes },
	{ "GET", "assetdatabases/eventframes",
	    { "assetdatabases", "*", "eventframes" }, mock_list_frames },
	{ "GET", "element", { "elements" }, mock_one_by_path },
	{ "GET", "element", { "elements", "*" }, mock_one },
	{ "GET", "elements/elements", { "elements", "*", "elements" },
	    mock_list_elements },
	{ "GET", "elements/attributes", { "elements", "*", "attributes" },
	    mock_list_attributes },
	{ "GET", "elements/eventframes", { "elements", "*", "eventframes" },
	    mock_list_frames },
	{ "GET", "attribute", { "attributes" }, mock_one_by_path },
	{ "GET", "attribute", { "attributes", "*" }, mock_one },
	{ "GET", "eventframe", { "eventframes" }, mock_one_by_path },
	{ "GET", "eventframe", { "eventframes", "*" }, mock_one },
	{ "GET", "eventframes/eventframes",
	    { "eventframes", "*", "eventframes" }, mock_list_frames },
	{ "POST", "batch", { "batch" }, mock_batch },
};

/* Outside of /piwebapi, with --oauth. */
static const struct route TOKEN = { "POST", "oauth/token",
    { "oauth", "token" }, token };

/* Not of PI Web API, for tests: from the loopback, below /mock. */
static const struct {
	const char *name;
	mock_handler *handler;
} CONTROL[] = {
	{ "now", clock_now },
	{ "faults", faults_set },
	{ "revoke", tokens_revoke },
	{ "stats", stats_tell },
};

#define NCONTROL (sizeof(CONTROL) / sizeof(CONTROL[0]))
#define NROUTES (sizeof(ROUTES) / sizeof(ROUTES[0]))

static bool
matches(const struct route *t, const struct mock_req *req)
{
	size_t i;

	for (i = 0; i < req->segs; i++)
		if (i == 4 || t->path[i] == NULL ||
		    (strcmp(t->path[i], "*") != 0 &&
		    strcasecmp(t->path[i], req->seg[i]) != 0))
			return (false);
	return (t->path[i] == NULL);
}

static void
choose(const struct route *row, const struct mock_req *req,
    const struct route **t, const struct route **other)
{
	if (strcmp(row->method, req->method) == 0)
		*t = row;
	else
		*other = row;
}

bool
mock_is_control(const char *target)
{
	return (strncmp(target, "/mock/", 6) == 0 ||
	    strncmp(target, "/garner-mock/", 13) == 0);
}

/* NULL: not one of ours. */
static mock_handler *
control(const struct mock_req *req)
{
	if (req->control && req->outside && req->segs == 2)
		for (size_t i = 0; i < NCONTROL; i++)
			if (strcmp(CONTROL[i].name, req->seg[1]) == 0)
				return (CONTROL[i].handler);
	return (NULL);
}

/* As .NET has it: the whole address that was asked for. */
static void
not_there(const struct mock_req *req, const struct route *other,
    struct mock_resp *r)
{
	const char *host = strstr(req->base, "://");
	size_t n = host == NULL || req->target[0] != '/' ? 0 :
	    (size_t)(host - req->base) + 3 + strcspn(host + 3, "/");

	if (other != NULL)
		mock_resp_message(r, 405, "The requested resource does not "
		    "support http method '%s'.", req->method);
	else
		mock_resp_message(r, 404, "No HTTP resource was found that "
		    "matches the request URI '%.*s%s'.", (int)n, req->base,
		    req->target);
}

static void
handle(const struct route *t, struct mock_req *req, struct mock_resp *r)
{
	int64_t faults_ms = r->delay_ms;

	if (req->cache != NULL && mock_cache_find(req->cache, req, r))
		return;
	t->handler(req, r);
	if (req->cache != NULL)
		mock_cache_offer(req->cache, req, r, r->delay_ms - faults_ms);
}

bool
mock_route(struct mock_req *req, struct mock_resp *r)
{
	mock_handler *own = control(req);
	const struct route *t = NULL, *other = NULL;
	const struct mock_fault *fault = NULL;

	if (own != NULL) {
		own(req, r);
		return (false);
	}
	if (req->outside && req->opt->oauth != NULL && matches(&TOKEN, req))
		choose(&TOKEN, req, &t, &other);
	else if (!req->inner && mock_gate_refuses(req->gate, req, r))
		return (false);
	for (size_t i = 0; i < NROUTES && !req->outside && t == NULL; i++)
		if (matches(&ROUTES[i], req))
			choose(&ROUTES[i], req, &t, &other);
	if (t == NULL) {
		not_there(req, other, r);
		return (true);
	}
	r->route = t->name;
	if (req->faults != NULL)
		fault = mock_faults_due(req->faults, req, r);
	if (fault == NULL)
		handle(t, req, r);
	else if (!mock_fault_answer(fault, req, r))
		t->handler(req, r);
	if (fault != NULL)
		mock_fault_body(fault, r);
	return (true);
}

/* --- the small ones ------------------------------------------------------- */

static void
root(struct mock_req *req, struct mock_resp *r)
{
	static const char *const name[] = { "AssetServers", "DataServers",
		"Search", "System" };
	static const char *const path[] = { "assetservers", "dataservers",
		"search", "system" };

	buf_printf(&r->body, "{\"Links\":{\"Self\":\"%s/\"", req->base);
	for (int i = 0; i < 4; i++)
		buf_printf(&r->body, ",\"%s\":\"%s/%s\"", name[i], req->base,
		    path[i]);
	buf_puts(&r->body, "}}");
}

static void
system_root(struct mock_req *req, struct mock_resp *r)
{
	buf_printf(&r->body, "{\"ProductTitle\":\"PI Web API (garner-mock)\","
	    "\"ProductVersion\":\"1.18.0.0\",\"Links\":{"
	    "\"Self\":\"%s/system\",\"Status\":\"%s/system/status\","
	    "\"UserInfo\":\"%s/system/userinfo\"}}", req->base, req->base,
	    req->base);
}

static void
system_status(struct mock_req *req, struct mock_resp *r)
{
	char t[TICKS_TEXT_MAX];
	int64_t up = (req->now - req->up_since) / TICKS_PER_S;

	buf_printf(&r->body, "{\"UpTimeInMinutes\":%.3f,\"State\":\"Running\","
	    "\"CacheInstances\":0,\"ServerTime\":\"%s\"}",
	    up > 0 ? (double)up / 60 : 0.0, ticks_text7(req->now, t));
}

static void
system_user(struct mock_req *req, struct mock_resp *r)
{
	const char *colon = req->opt->basic != NULL ?
	    strchr(req->opt->basic, ':') : NULL;
	const char *name = colon != NULL ? req->opt->basic :
	    req->opt->token != NULL ? "client" : "anonymous";

	buf_printf(&r->body, "{\"IdentityType\":\"%s\",\"Name\":",
	    colon != NULL ? "Basic" : req->opt->token != NULL ? "Bearer" :
	    "Anonymous");
	json_put_str(&r->body, name, colon != NULL ?
	    (size_t)(colon - name) : strlen(name));
	buf_puts(&r->body, ",\"IsAuthenticated\":true,\"SID\":\"S-1-5-21-1\","
	    "\"ImpersonationLevel\":\"None\"}");
}

static void
token(struct mock_req *req, struct mock_resp *r)
{
	mock_gate_token(req->gate, req, r);
}

/* --- the control ---------------------------------------------------------- */

/* Tests move the clock. */
static void
clock_now(struct mock_req *req, struct mock_resp *r)
{
	const char *text = mock_req_param(req, "time");
	char t[TICKS_TEXT_MAX];
	int64_t now = req->now;

	r->route = "clock";
	if (strcmp(req->method, "POST") == 0) {
		if (text == NULL ||
		    ticks_parse_human(text, req->now, &now) != 0 ||
		    now < TICKS_MIN || now > TICKS_MAX) {
			mock_resp_error(r, 400,
			    "Parameter 'time' cannot be read.");
			return;
		}
		r->set_now = now;
	}
	buf_printf(&r->body, "{\"Now\":\"%s\"}", ticks_text7(now, t));
}

/* Another script of faults, from now on. */
static void
faults_set(struct mock_req *req, struct mock_resp *r)
{
	struct err e = ERR_INIT;

	r->route = "faults";
	if (strcmp(req->method, "POST") != 0)
		mock_resp_message(r, 405, "POST only.");
	else if (mock_faults_set(req->faults, req->body, req->body_len,
	    &e) != 0)
		mock_resp_error(r, 400, "%s", e.text);
	else
		buf_puts(&r->body, "{}");
}

/* The next request with a token of before gets 401. */
static void
tokens_revoke(struct mock_req *req, struct mock_resp *r)
{
	r->route = "revoke";
	mock_gate_revoke(req->gate);
	buf_puts(&r->body, "{}");
}

static void
stats_tell(struct mock_req *req, struct mock_resp *r)
{
	r->route = "stats";
	mock_stats_put(req->stats, req->begun_us, &r->body);
	if (req->cache == NULL)
		return;
	r->body.len--;			/* into its braces */
	buf_puts(&r->body, ",\"cache\":");
	mock_cache_put(req->cache, &r->body);
	buf_u8(&r->body, '}');
}
