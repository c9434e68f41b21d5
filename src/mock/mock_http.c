/*
 * HTTP heads, in and out.
 *
 * A request line of three words, then fields, each on a line; no folding,
 * no chunked request bodies. What does not fit is refused with a status.
 */

#include "config.h"

#include <string.h>
#include <strings.h>

#include "base/buf.h"
#include "base/text.h"
#include "mock/mock_answer.h"
#include "mock/mock_http.h"

#define FORM "application/x-www-form-urlencoded"

static const char *
reason(int status)
{
	switch (status) {
	case 200: return ("OK");
	case 204: return ("No Content");
	case 207: return ("Multi-Status");
	case 302: return ("Found");
	case 400: return ("Bad Request");
	case 401: return ("Unauthorized");
	case 403: return ("Forbidden");
	case 404: return ("Not Found");
	case 405: return ("Method Not Allowed");
	case 409: return ("Conflict");
	case 410: return ("Gone");
	case 411: return ("Length Required");
	case 413: return ("Request Entity Too Large");
	case 429: return ("Too Many Requests");
	case 500: return ("Internal Server Error");
	case 501: return ("Not Implemented");
	case 502: return ("Bad Gateway");
	case 503: return ("Service Unavailable");
	case 504: return ("Gateway Timeout");
	default: return ("Status");
	}
}

/* One path segment longer than HTTP.sys takes. */
static bool
long_segment(const char *target)
{
	size_t n;

	for (; *target != '\0' && *target != '?'; target += n) {
		target += *target == '/';
		n = strcspn(target, "/?");
		if (n > MOCK_SEGMENT_MAX)
			return (true);
		if (n == 0 && *target != '/')
			break;
	}
	return (false);
}

/* method SP target SP version; 0 or a status. */
static int
request_line(struct mock_head *h, char *line)
{
	char *version;

	h->method = line;
	h->target = strchr(line, ' ');
	if (h->target == NULL || h->target == line)
		return (400);
	*h->target++ = '\0';
	version = strchr(h->target, ' ');
	if (version == NULL || version == h->target)
		return (400);
	*version++ = '\0';
	if (strcmp(version, "HTTP/1.0") == 0)
		h->http10 = true;
	else if (strcmp(version, "HTTP/1.1") != 0)
		return (strncmp(version, "HTTP/", 5) == 0 ? 505 : 400);
	h->keep_alive = !h->http10;
	for (const char *p = h->target; *p != '\0'; p++)
		if ((unsigned char)*p <= ' ' || *p == 0x7f)
			return (400);
	return (long_segment(h->target) ? 400 : 0);
}

/* Is word among the comma separated ones, with a q other than 0? */
static bool
has_word(const char *list, const char *word)
{
	size_t n = strlen(word);

	for (; *list != '\0'; list += strcspn(list, ",")) {
		list += strspn(list, ", \t");
		if (strncasecmp(list, word, n) != 0 ||
		    strchr(",; \t", list[n]) == NULL)
			continue;
		list += n + strspn(list + n, "; \t");
		return (strncmp(list, "q=0", 3) != 0 || list[3] == '.');
	}
	return (false);
}

static int
field(struct mock_head *h, const char *name, const char *value)
{
	if (strcasecmp(name, "Content-Length") == 0) {
		if (text_u64(value, 0, UINT64_MAX, &h->body_bytes) != 0)
			return (400);
		return (h->body_bytes >= MOCK_BODY_MAX ? 413 : 0);
	}
	if (strcasecmp(name, "Transfer-Encoding") == 0)
		return (411);
	if (strcasecmp(name, "Connection") == 0) {
		if (has_word(value, "close"))
			h->keep_alive = false;
		if (has_word(value, "keep-alive"))
			h->keep_alive = true;
	} else if (strcasecmp(name, "Accept-Encoding") == 0) {
		h->gzip = has_word(value, "gzip");
	} else if (strcasecmp(name, "Authorization") == 0) {
		h->authorization = value;
	} else if (strcasecmp(name, "X-Requested-With") == 0) {
		h->requested_with = *value != '\0';
	} else if (strcasecmp(name, "Expect") == 0) {
		h->expect = strcasecmp(value, "100-continue") == 0;
	} else if (strcasecmp(name, "Content-Type") == 0) {
		h->form = strncasecmp(value, FORM, strlen(FORM)) == 0;
	}
	return (0);
}

int
mock_head_parse(struct mock_head *h, char *text)
{
	char *line, *next, *value, *end;
	int rc;

	memset(h, 0, sizeof(*h));
	h->method = h->target = "";
	next = strstr(text, "\r\n");
	if (next == NULL)
		return (400);
	*next = '\0';
	next += 2;
	if ((rc = request_line(h, text)) != 0)
		return (rc);
	while (*(line = next) != '\0' && strncmp(line, "\r\n", 2) != 0) {
		next = strstr(line, "\r\n");
		value = strchr(line, ':');
		if (next == NULL || value == NULL || value > next ||
		    value == line || *line == ' ' || *line == '\t')
			return (400);
		*next = '\0';
		next += 2;
		*value++ = '\0';
		value += strspn(value, " \t");
		for (end = value + strlen(value); end > value &&
		    (end[-1] == ' ' || end[-1] == '\t'); end--)
			end[-1] = '\0';
		if ((rc = field(h, line, value)) != 0)
			return (rc);
	}
	return (0);
}

void
mock_head_put(struct buf *out, const struct mock_resp *r,
    const struct mock_head *h, uint64_t body_bytes, bool gzip)
{
	buf_printf(out, "HTTP/1.1 %d %s\r\nServer: garner-mock\r\n"
	    "Content-Type: %s\r\n", r->status, reason(r->status), r->type);
	if (r->header != NULL)
		buf_puts(out, r->header);
	if (r->limits != NULL)
		buf_puts(out, r->limits);
	if (gzip)
		buf_puts(out, "Content-Encoding: gzip\r\n");
	if (body_bytes != UINT64_MAX && r->status != 204)
		buf_printf(out, "Content-Length: %llu\r\n",
		    (unsigned long long)body_bytes);
	else if (!h->http10 && r->status != 204)
		buf_puts(out, "Transfer-Encoding: chunked\r\n");
	buf_puts(out, h->keep_alive ? "Connection: keep-alive\r\n\r\n" :
	    "Connection: close\r\n\r\n");
}
