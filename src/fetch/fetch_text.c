/*
 * Words and numbers of HTTP: what a status means to us, what a server wanted
 * to say in an error body, and the sentence a person reads about it. Text
 * from outside is escaped and cut.
 */
#include "config.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/text.h"
#include "codec/json.h"
#include "fetch/fetch.h"
#include "fetch/fetch_int.h"

#define SAID_MAX 400		/* of the server's words */
#define SAID_BODY_MAX 65536	/* looked at for them */
/* A secret shorter than that is no secret. */
#define HIDE_MIN 4
#define HIDE_MAX 65536		/* a secret has 8 KiB at most */

static const struct {
	int status;
	int code;
	const char *text;
} statuses[] = {
	{ 300, ERR_REQUEST, "Multiple Choices" },
	{ 301, ERR_REQUEST, "Moved Permanently" },
	{ 302, ERR_REQUEST, "Found" },
	{ 303, ERR_REQUEST, "See Other" },
	{ 304, ERR_REQUEST, "Not Modified" },
	{ 307, ERR_REQUEST, "Temporary Redirect" },
	{ 308, ERR_REQUEST, "Permanent Redirect" },
	{ 400, ERR_REQUEST, "Bad Request" },
	{ 401, ERR_AUTH, "Unauthorized" },
	{ 403, ERR_FORBIDDEN, "Forbidden" },
	{ 404, ERR_NOTFOUND, "Not Found" },
	{ 405, ERR_REQUEST, "Method Not Allowed" },
	{ 406, ERR_REQUEST, "Not Acceptable" },
	{ 407, ERR_AUTH, "Proxy Authentication Required" },
	{ 408, ERR_TIMEOUT, "Request Timeout" },
	{ 409, ERR_REQUEST, "Conflict" },
	{ 410, ERR_GONE, "Gone" },
	{ 413, ERR_REQUEST, "Content Too Large" },
	{ 414, ERR_REQUEST, "URI Too Long" },
	{ 415, ERR_REQUEST, "Unsupported Media Type" },
	{ 429, ERR_RATE, "Too Many Requests" },
	{ 431, ERR_REQUEST, "Request Header Fields Too Large" },
	{ 500, ERR_SERVER, "Internal Server Error" },
	{ 501, ERR_UNSUPPORTED, "Not Implemented" },
	{ 502, ERR_SERVER, "Bad Gateway" },
	{ 503, ERR_SERVER, "Service Unavailable" },
	{ 504, ERR_TIMEOUT, "Gateway Timeout" },
};

int
fetch_status_code(int status)
{
	size_t i;

	if (status >= 200 && status <= 299)
		return (0);
	for (i = 0; i < sizeof(statuses) / sizeof(statuses[0]); i++)
		if (statuses[i].status == status)
			return (statuses[i].code);
	if (status >= 500 && status <= 599)
		return (ERR_SERVER);
	if (status >= 300 && status <= 499)
		return (ERR_REQUEST);
	return (ERR_ANSWER);
}

const char *
fetch_status_text(int status)
{
	size_t i;

	for (i = 0; i < sizeof(statuses) / sizeof(statuses[0]); i++)
		if (statuses[i].status == status)
			return (statuses[i].text);
	return ("");
}

bool
fetch_code_again(int code)
{
	return (code == ERR_CONNECT || code == ERR_TIMEOUT ||
	    code == ERR_RATE || code == ERR_SERVER || code == ERR_ANSWER);
}

static const struct {
	int code;
	enum fetch_class class;
} classes[] = {
	{ 0, FETCH_OK },
	{ ERR_AUTH, FETCH_AUTH_FAILED },
	{ ERR_NOTFOUND, FETCH_NOT_FOUND },
	{ ERR_GONE, FETCH_NOT_FOUND },
	{ ERR_FORBIDDEN, FETCH_PERMISSION_DENIED },
	{ ERR_RATE, FETCH_RATE_LIMITED },
	{ ERR_REQUEST, FETCH_BAD_REQUEST },
	{ ERR_UNSUPPORTED, FETCH_UNSUPPORTED },
	{ ERR_SERVER, FETCH_INTERNAL_ERROR },
	{ ERR_CONNECT, FETCH_CONNECTION_FAILED },
	{ ERR_TIMEOUT, FETCH_CONNECTION_FAILED },
	{ ERR_TLS, FETCH_CONNECTION_FAILED },
};

enum fetch_class
fetch_code_class(int code)
{
	size_t i;

	for (i = 0; i < sizeof(classes) / sizeof(classes[0]); i++)
		if (classes[i].code == code)
			return (classes[i].class);
	return (FETCH_BAD_ANSWER);
}

const char *
fetch_class_name(enum fetch_class class)
{
	static const char *const names[] = {
		[FETCH_OK] = "ok",
		[FETCH_AUTH_FAILED] = "auth_failed",
		[FETCH_NOT_FOUND] = "not_found",
		[FETCH_PERMISSION_DENIED] = "permission_denied",
		[FETCH_RATE_LIMITED] = "rate_limited",
		[FETCH_BAD_REQUEST] = "bad_request",
		[FETCH_UNSUPPORTED] = "unsupported",
		[FETCH_INTERNAL_ERROR] = "internal_error",
		[FETCH_CONNECTION_FAILED] = "connection_failed",
		[FETCH_BAD_ANSWER] = "bad_answer",
	};

	return (names[class]);
}

enum pace_outcome
fetch_outcome(int code, const struct fetch_transfer *t)
{
	switch (code) {
	case ERR_RATE:
		return (PACE_SLOW_DOWN);
	case ERR_SERVER:
		if (t->status == 503)
			return (t->retry_after_ms >= 0 ? PACE_SLOW_DOWN :
			    PACE_OVERLOAD);
		return (PACE_BAD);
	case ERR_TIMEOUT:
		return (t->origin_fault ? PACE_UNREACHABLE : PACE_OVERLOAD);
	case ERR_CONNECT:
	case ERR_TLS:
		return (PACE_UNREACHABLE);
	case ERR_ANSWER:
		return (PACE_BAD);
	default:
		return (PACE_GOOD);
	}
}

/* --- origins and targets ------------------------------------------------- */

const char *
fetch_authority(const char *origin)
{
	const char *p = strstr(origin, "://");

	return (p == NULL ? origin : p + 3);
}

/* Does the host of the authority equal name, whatever the port? */
static bool
host_is(const char *authority, const char *name)
{
	size_t n = strlen(name);

	return (strncasecmp(authority, name, n) == 0 &&
	    (authority[n] == '\0' || authority[n] == ':'));
}

/* 127.0.0.0/8 in dotted form only: 127.example.com is another's. */
static bool
host_is_127(const char *authority)
{
	size_t digits = strspn(authority, "0123456789.");

	return (strncmp(authority, "127.", 4) == 0 &&
	    (authority[digits] == '\0' || authority[digits] == ':'));
}

bool
fetch_origin_https(const char *origin)
{
	return (strncasecmp(origin, "https:", 6) == 0);
}

bool
fetch_origin_loopback(const char *origin)
{
	const char *a = fetch_authority(origin);

	return (host_is(a, "localhost") || host_is(a, "[::1]") ||
	    host_is_127(a));
}

int
fetch_origin_check(const struct fetch_options *o, struct err *e)
{
	const char *a, *p;
	bool plain;

	plain = o->origin != NULL &&
	    strncasecmp(o->origin, "http://", 7) == 0;
	if (o->origin == NULL ||
	    (!plain && strncasecmp(o->origin, "https://", 8) != 0))
		return (err_set(e, ERR_CONFIG,
		    "an origin begins with http:// or https://"));
	a = fetch_authority(o->origin);
	for (p = a; *p != '\0'; p++)
		if (*p <= ' ' || *p == 0x7f || strchr("/?#@\\\"<>", *p))
			return (err_set(e, ERR_CONFIG, "an origin is scheme, "
			    "host and port only"));
	if (*a == '\0' || *a == ':')
		return (err_set(e, ERR_CONFIG, "the origin names no host"));
	if (plain && (o->auth != FETCH_AUTH_NONE || o->sends_secrets) &&
	    !o->plain_http_auth && !fetch_origin_loopback(o->origin))
		return (err_set(e, ERR_CONFIG, "credentials would go over "
		    "plain http to %s; use https", a));
	return (0);
}

bool
fetch_target_valid(const char *target)
{
	static const bool stops[256] = {
		[0 ... ' '] = true, ['#'] = true, [0x7f] = true,
	};
	const unsigned char *p = (const unsigned char *)target;

	if (*p != '/')
		return (false);
	while (!stops[*p])
		p++;
	return (*p == '\0');
}

/* application/json, application/problem+json */
bool
fetch_type_json(const char *p, size_t len)
{
	size_t i;

	for (i = 0; i < len && strchr("; \t", p[i]) == NULL; i++)
		continue;
	return (i >= 4 && strncasecmp(p + i - 4, "json", 4) == 0);
}

/* --- secrets ------------------------------------------------------------- */

bool
fetch_token_valid(const char *token)
{
	const char *p;

	for (p = token; *p > ' ' && *p < 0x7f; p++)
		continue;
	return (p > token && *p == '\0');
}

static void
hide_one(char *text, size_t len, const char *what, size_t n)
{
	char *p = text, *end = text + len;

	/* in words of everyday a short one would be told by its stars */
	if (n < HIDE_MIN)
		return;
	while ((p = memmem(p, (size_t)(end - p), what, n)) != NULL) {
		memset(p, '*', n);
		p += n;
	}
}

/* In both alphabets, without the filling at the end. */
static void
hide_base64(char *text, size_t len, const struct buf *what)
{
	struct buf b;
	size_t i;

	buf_init(&b, HIDE_MAX);
	text_base64url(&b, what->data, what->len);
	hide_one(text, len, (char *)b.data, b.error == 0 ? b.len : 0);
	for (i = 0; i < b.len; i++)
		b.data[i] = b.data[i] == '-' ? '+' : b.data[i] == '_' ? '/' :
		    b.data[i];
	hide_one(text, len, (char *)b.data, b.error == 0 ? b.len : 0);
	if (b.data != NULL)
		explicit_bzero(b.data, b.len);
	buf_fini(&b);
}

void
fetch_hide(char *text, size_t len, const char *user, const char *secret)
{
	struct buf b;

	if (secret == NULL)
		return;
	hide_one(text, len, secret, strlen(secret));
	buf_init(&b, HIDE_MAX);
	text_percent(&b, secret, strlen(secret));
	hide_one(text, len, (char *)b.data, b.error == 0 ? b.len : 0);
	if (b.data != NULL)
		explicit_bzero(b.data, b.len);
	buf_clear(&b);
	if (user != NULL)
		buf_printf(&b, "%s:", user);
	buf_puts(&b, secret);
	hide_base64(text, len, &b);
	if (b.data != NULL)
		explicit_bzero(b.data, b.len);
	buf_fini(&b);
}

/* --- quotas -------------------------------------------------------------- */

/* The value of the header of that name, a whole number; -1: not this one. */
static int64_t
header_number(const char *name, const char *line, size_t len)
{
	size_t n = name != NULL ? strlen(name) : 0;
	char text[24];
	uint64_t v;

	if (n == 0 || len <= n || line[n] != ':' ||
	    strncasecmp(line, name, n) != 0)
		return (-1);
	for (n++; n < len && (line[n] == ' ' || line[n] == '\t'); n++)
		continue;
	while (len > n && (line[len - 1] == ' ' || line[len - 1] == '\t'))
		len--;
	if (len - n >= sizeof(text))
		return (-1);
	memcpy(text, line + n, len - n);
	text[len - n] = '\0';
	return (text_u64(text, 0, INT64_MAX, &v) == 0 ? (int64_t)v : -1);
}

void
fetch_quota_header(const struct fetch_quota *q, size_t n, const char *line,
    size_t len, struct fetch_transfer *t)
{
	int64_t v;
	size_t i;

	for (i = 0; i < n; i++) {
		if ((v = header_number(q[i].remaining, line, len)) >= 0)
			t->quotas[i].remaining = v;
		if ((v = header_number(q[i].reset, line, len)) >= 0)
			t->quotas[i].reset = v;
	}
}

/* --- what the server said ------------------------------------------------ */

/* Escaped, but for quotes: servers' words are full of them, and here they
 * end no quotation. */
void
fetch_put_words(struct buf *out, const char *s, size_t len, size_t max)
{
	size_t i, from = 0;

	for (i = 0; i <= len; i++) {
		if (i < len && s[i] != '\'' && s[i] != '"')
			continue;
		text_escape(out, s + from, i - from, max);
		if (i < len)
			buf_u8(out, (uint8_t)s[i]);
		from = i + 1;
	}
}

/* Runs of white space become one blank, so that it is one line. */
static void
put_line(struct buf *out, const char *s, size_t len)
{
	struct buf line;
	size_t i;

	buf_init(&line, SAID_BODY_MAX);
	for (i = 0; i < len && line.len < SAID_MAX; i++) {
		if (strchr(" \t\r\n", s[i]) == NULL)
			buf_u8(&line, (uint8_t)s[i]);
		else if (line.len > 0 && line.data[line.len - 1] != ' ')
			buf_u8(&line, ' ');
	}
	if (line.len > 0 && line.data[line.len - 1] == ' ')
		line.len--;
	if (line.len > 0 && line.error == 0)
		fetch_put_words(out, (const char *)line.data, line.len,
		    SAID_MAX);
	if (i < len)
		buf_puts(out, "...");
	buf_fini(&line);
}

static bool
put_string(struct buf *out, yyjson_val *v)
{
	if (!yyjson_is_str(v) || yyjson_get_len(v) == 0)
		return (false);
	put_line(out, yyjson_get_str(v), yyjson_get_len(v));
	return (true);
}

/* {"Errors":[..]}, {"Message":..}, "text" */
static void
put_json(struct buf *out, yyjson_val *root)
{
	static const char *const keys[] = {
		"Message", "message", "error_description", "error",
	};
	yyjson_val *list, *v;
	size_t i, max;
	size_t said = 0;

	if (put_string(out, root))
		return;
	list = yyjson_obj_get(root, "Errors");
	if (yyjson_is_str(list) && put_string(out, list))
		return;
	yyjson_arr_foreach(list, i, max, v) {
		if (!yyjson_is_str(v) || said == 3)
			continue;
		if (said++ > 0)
			buf_puts(out, "; ");
		put_string(out, v);
	}
	for (i = 0; said == 0 && i < sizeof(keys) / sizeof(keys[0]); i++)
		if (put_string(out, yyjson_obj_get(root, keys[i])))
			said++;
}

static const char *
find_tag(const char *p, const char *end, const char *tag)
{
	size_t n = strlen(tag);

	for (; (size_t)(end - p) >= n; p++)
		if (strncasecmp(p, tag, n) == 0)
			return (p);
	return (NULL);
}

static void
put_html(struct buf *out, const char *body, size_t len)
{
	const char *end = body + len, *p, *q;

	if ((p = find_tag(body, end, "<title")) == NULL ||
	    (p = memchr(p, '>', (size_t)(end - p))) == NULL ||
	    (q = find_tag(p, end, "</title")) == NULL)
		return;
	put_line(out, p + 1, (size_t)(q - p - 1));
}

void
fetch_server_text(const char *body, size_t len, struct buf *out)
{
	yyjson_doc *doc = NULL;
	size_t skip = 0;

	if (body == NULL)
		return;
	if (len > SAID_BODY_MAX)
		len = SAID_BODY_MAX;
	if (len >= 3 && memcmp(body, "\xef\xbb\xbf", 3) == 0)
		skip = 3;
	while (skip < len && strchr(" \t\r\n", body[skip]) != NULL)
		skip++;
	if (skip == len)
		return;
	if (body[skip] == '<')
		put_html(out, body + skip, len - skip);
	else if (json_parse(body + skip, len - skip, &doc, NULL) == 0)
		put_json(out, yyjson_doc_get_root(doc));
	else if (body[skip] != '{' && body[skip] != '[' &&
	    memchr(body + skip, '\0', len - skip) == NULL)
		put_line(out, body + skip, len - skip);
	yyjson_doc_free(doc);
}

/* --- the sentence -------------------------------------------------------- */

static void
put_status(struct buf *out, const struct fetch_transfer *t)
{
	const char *text = fetch_status_text(t->status);
	struct buf said;
	bool echo;

	buf_init(&said, 8 * SAID_MAX);
	buf_printf(out, "%d%s%s", t->status, *text == '\0' ? "" : " ", text);
	fetch_server_text((const char *)t->in.data, t->in.len, &said);
	/* A title that says "404 Not Found" adds nothing. */
	echo = *text != '\0' && said.len <= strlen(text) + 8 &&
	    strstr(buf_str(&said), text) != NULL;
	if (said.len > 0 && !echo)
		buf_printf(out, ": %s", buf_str(&said));
	else if (t->status >= 300 && t->status <= 399)
		buf_puts(out, ": redirects are not followed");
	buf_fini(&said);
}

void
fetch_blame(struct err *e, const char *method, const char *target)
{
	struct buf b;

	buf_init(&b, 1024);
	text_escape(&b, target, strlen(target), FETCH_TARGET_SHOWN);
	(void)err_wrap(e, "%s %s", method, buf_str(&b));
	buf_fini(&b);
}

void
fetch_explain(struct err *e, int code, const struct fetch_transfer *t,
    const char *target, unsigned tries)
{
	struct buf out;

	buf_init(&out, 8192);
	if (!t->origin_fault) {
		buf_printf(&out, "%s ", t->method);
		text_escape(&out, target, strlen(target), FETCH_TARGET_SHOWN);
		buf_puts(&out, ": ");
	}
	if (t->status != 0 && fetch_status_code(t->status) != 0)
		put_status(&out, t);
	else
		buf_puts(&out, t->reason[0] != '\0' ? t->reason :
		    err_text(code));
	if (tries > 1)
		buf_printf(&out, " (%u tries)", tries);
	err_set(e, code, "%s", buf_str(&out));
	buf_fini(&out);
}
