/*
 * Answers of HTTP/1.x, a state for each kind of thing that comes next: the
 * first bytes, the status line, headers, then a body that is counted, cut in
 * chunks, or goes to the end of the connection. Lines are taken where they
 * stand; one that is cut waits in a buffer.
 *
 * Refused: a length and chunks together, two lengths, sizes that are no
 * number, encodings of transfer other than chunked, folded lines, blanks
 * before the colon, NUL and CR inside a line.
 */
#include "config.h"

#include <string.h>
#include <strings.h>

#include "base/must.h"
#include "fetch/fetch_http1.h"

enum state {
	AT_START,
	AT_STATUS,
	AT_HEADER,
	AT_BODY,
	AT_BODY_TO_EOF,
	AT_CHUNK_SIZE,
	AT_CHUNK,
	AT_CHUNK_END,
	AT_TRAILER,
	AT_DONE,
};

static const char version[] = "HTTP/1.";

#define VERSION_LEN (sizeof(version) - 1)
/* A length that cannot be meant, and one beyond all doubt of overflow. */
#define LENGTH_DIGITS 18
#define CHUNK_DIGITS 15

void
http1_init(struct http1 *h, size_t head_max)
{
	*h = (struct http1){ .head_max = head_max, .length = -1 };
	buf_init(&h->line, head_max + HTTP1_CHUNK_LINE_MAX);
}

void
http1_fini(struct http1 *h)
{
	buf_fini(&h->line);
}

void
http1_clear(struct http1 *h)
{
	struct buf line = h->line;

	*h = (struct http1){ .head_max = h->head_max, .length = -1 };
	h->line = line;
	buf_clear(&h->line);
}

static enum http1_end
bad(struct http1 *h, const char *why)
{
	h->why = why;
	return (HTTP1_BAD);
}

/* --- words --------------------------------------------------------------- */

/* RFC 9110, section 5.6.2 */
static bool
is_tchar(char c)
{
	static const bool is[256] = {
		['0' ... '9'] = true, ['A' ... 'Z'] = true,
		['a' ... 'z'] = true, ['!'] = true, ['#' ... '\''] = true,
		['*'] = true, ['+'] = true, ['-'] = true, ['.'] = true,
		['^' ... '`'] = true, ['|'] = true, ['~'] = true,
	};

	return (is[(unsigned char)c]);
}

static bool
is_blank(char c)
{
	return (c == ' ' || c == '\t');
}

static bool
name_is(const char *line, size_t name, const char *want)
{
	return (strlen(want) == name && strncasecmp(line, want, name) == 0);
}

/* Is the word in a list with commas? */
static bool
lists(const char *p, size_t n, const char *word)
{
	const char *end = p + n, *q;
	size_t len = strlen(word);

	for (; p < end; p = q + 1) {
		while (p < end && is_blank(*p))
			p++;
		for (q = p; q < end && *q != ','; q++)
			continue;
		if ((size_t)(q - p) >= len && strncasecmp(p, word, len) == 0) {
			for (p += len; p < q && is_blank(*p); p++)
				continue;
			if (p == q)
				return (true);
		}
	}
	return (false);
}

/* --- headers ------------------------------------------------------------- */

static enum http1_end
take_length(struct http1 *h, const char *p, size_t n)
{
	int64_t v = 0;
	size_t i;

	if (h->length >= 0)
		return (bad(h, "the answer tells two lengths"));
	if (n == 0 || n > LENGTH_DIGITS)
		return (bad(h, "the answer's length is no number"));
	for (i = 0; i < n; i++) {
		if (p[i] < '0' || p[i] > '9')
			return (bad(h, "the answer's length is no number"));
		v = v * 10 + (p[i] - '0');
	}
	h->length = v;
	return (HTTP1_MORE);
}

static enum http1_end
take_coding(struct http1 *h, const char *p, size_t n)
{
	if (h->chunked || h->old || !name_is(p, n, "chunked"))
		return (bad(h, "the answer has a transfer encoding that is "
		    "not understood"));
	h->chunked = true;
	return (HTTP1_MORE);
}

/* The headers that frame the answer. */
static enum http1_end
take_framing(struct http1 *h, const char *line, size_t name, size_t len)
{
	const char *p = line + name + 1, *end = line + len;

	if (name != 10 && name != 14 && name != 17)
		return (HTTP1_MORE);
	while (p < end && is_blank(*p))
		p++;
	while (p < end && is_blank(end[-1]))
		end--;
	if (name_is(line, name, "Content-Length"))
		return (take_length(h, p, (size_t)(end - p)));
	if (name_is(line, name, "Transfer-Encoding"))
		return (take_coding(h, p, (size_t)(end - p)));
	if (name_is(line, name, "Connection")) {
		h->close |= lists(p, (size_t)(end - p), "close");
		h->keep |= lists(p, (size_t)(end - p), "keep-alive");
	}
	return (HTTP1_MORE);
}

/* Checks a header line; *name is the length of its name. */
static enum http1_end
check_header(struct http1 *h, const char *line, size_t len, size_t *name)
{
	size_t i;

	if (is_blank(line[0]))
		return (bad(h, "the answer has a folded header"));
	for (i = 0; i < len && is_tchar(line[i]); i++)
		continue;
	if (i == 0 || i == len || line[i] != ':' ||
	    memchr(line + i, '\0', len - i) != NULL ||
	    memchr(line + i, '\r', len - i) != NULL)
		return (bad(h, "the answer has a bad header line"));
	*name = i;
	return (HTTP1_MORE);
}

static void
next_answer(struct http1 *h)
{
	h->state = AT_START;
	h->matched = 0;
	h->status = 0;
	h->length = -1;
	h->chunked = h->close = h->keep = false;
}

/* All headers are there: what follows? */
static enum http1_end
headers_over(struct http1 *h)
{
	if (h->status == 101)
		return (bad(h, "the server changes the protocol unasked"));
	if (h->chunked && h->length >= 0)
		return (bad(h, "the answer tells a length and has chunks"));
	if (h->status < 200) {
		next_answer(h);
		return (HTTP1_MORE);
	}
	if (h->status == 204 || h->status == 304) {
		/* One that sends what is not allowed is believed no more. */
		h->spoilt = h->chunked || (h->status == 204 && h->length > 0);
		h->state = AT_DONE;
	} else if (h->chunked)
		h->state = AT_CHUNK_SIZE;
	else if (h->length < 0)
		h->state = AT_BODY_TO_EOF;
	else {
		h->piece = h->left = (uint64_t)h->length;
		h->state = h->left > 0 ? AT_BODY : AT_DONE;
	}
	return (h->state == AT_DONE ? HTTP1_DONE : HTTP1_MORE);
}

static enum http1_end
take_header(struct http1 *h, const char *line, size_t len,
    const struct http1_user *u, void *cookie)
{
	enum http1_end end;
	size_t name = 0;

	if (len == 0)
		return (headers_over(h));
	if ((end = check_header(h, line, len, &name)) != HTTP1_MORE ||
	    (end = take_framing(h, line, name, len)) != HTTP1_MORE)
		return (end);
	if (h->status >= 200 && !u->header(cookie, line, name, len))
		return (HTTP1_STOPPED);
	return (HTTP1_MORE);
}

static enum http1_end
take_trailer(struct http1 *h, const char *line, size_t len)
{
	size_t name;

	if (len > 0)
		return (check_header(h, line, len, &name));
	h->state = AT_DONE;
	return (HTTP1_DONE);
}

/* --- the status line, and chunks ----------------------------------------- */

/* What follows "HTTP/1." */
static enum http1_end
take_status(struct http1 *h, const char *p, size_t len)
{
	int i, v = 0;

	for (i = 2; i < 5 && (size_t)i < len && p[i] >= '0' && p[i] <= '9';
	    i++)
		v = v * 10 + (p[i] - '0');
	if (i != 5 || v < 100 || (p[0] != '0' && p[0] != '1') ||
	    p[1] != ' ' || (len > 5 && p[5] != ' ') ||
	    memchr(p, '\0', len) != NULL || memchr(p, '\r', len) != NULL)
		return (bad(h, "the answer is not HTTP"));
	h->old = p[0] == '0';
	h->status = v;
	h->state = AT_HEADER;
	return (HTTP1_MORE);
}

static int
hex(char c)
{
	if (c >= '0' && c <= '9')
		return (c - '0');
	c = (char)(c | 0x20);
	return (c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1);
}

/* RFC 9112, section 7.1: extensions are allowed, and ignored. */
static enum http1_end
take_chunk_size(struct http1 *h, const char *p, size_t len)
{
	uint64_t v = 0;
	size_t i;

	for (i = 0; i < len && hex(p[i]) >= 0; i++) {
		if (i == CHUNK_DIGITS)
			return (bad(h, "the answer has a bad chunk"));
		v = v << 4 | (uint64_t)hex(p[i]);
	}
	if (i == 0)
		return (bad(h, "the answer has a bad chunk"));
	while (i < len && is_blank(p[i]))
		i++;
	if ((i < len && p[i] != ';') ||
	    memchr(p, '\0', len) != NULL || memchr(p, '\r', len) != NULL)
		return (bad(h, "the answer has a bad chunk"));
	h->piece = h->left = v;
	h->state = v > 0 ? AT_CHUNK : AT_TRAILER;
	return (HTTP1_MORE);
}

/* --- bytes --------------------------------------------------------------- */

/* A line, once its end is there; *crlf: it ends so, not in LF alone. NULL:
 * more is to come. */
static const char *
get_line(struct http1 *h, const char **p, const char *end, size_t *bytes,
    size_t *len, bool *crlf)
{
	const char *nl = memchr(*p, '\n', (size_t)(end - *p)), *line = *p;
	const char *stop = nl != NULL ? nl : end;

	*len = (size_t)(stop - *p);
	*bytes += *len + (nl != NULL);
	*p = nl != NULL ? nl + 1 : end;
	if (nl == NULL || h->line.len > 0) {
		buf_put(&h->line, line, *len);
		line = (const char *)h->line.data;
		*len = h->line.len;
		if (nl == NULL)
			return (NULL);
		h->line.len = 0;	/* read before the next is put */
	}
	*crlf = *len > 0 && line[*len - 1] == '\r';
	*len -= *crlf;
	return (line);
}

static enum http1_end
put_line(struct http1 *h, const char **p, const char *end,
    const struct http1_user *u, void *cookie)
{
	const char *line;
	bool crlf = false;
	size_t len = 0;

	line = get_line(h, p, end, &h->head_bytes, &len, &crlf);
	if (h->head_bytes > h->head_max)
		return (HTTP1_TOO_LARGE);
	if (h->line.error != 0)
		return (bad(h, "no memory for the answer's headers"));
	if (line == NULL)
		return (HTTP1_MORE);
	if (h->state == AT_STATUS)
		return (take_status(h, line, len));
	return (h->state == AT_HEADER ?
	    take_header(h, line, len, u, cookie) :
	    take_trailer(h, line, len));
}

/* Here the CR is wanted: between chunks a byte more or less would matter. */
static enum http1_end
put_chunk_line(struct http1 *h, const char **p, const char *end)
{
	const char *line;
	bool crlf = false;
	size_t len = 0;

	line = get_line(h, p, end, &h->line_bytes, &len, &crlf);
	if (h->line_bytes > HTTP1_CHUNK_LINE_MAX || h->line.error != 0 ||
	    (line != NULL && !crlf) ||
	    (h->state == AT_CHUNK_END && len > (line == NULL)))
		return (bad(h, "the answer has a bad chunk"));
	if (line == NULL)
		return (HTTP1_MORE);
	h->line_bytes = 0;
	if (h->state == AT_CHUNK_SIZE)
		return (take_chunk_size(h, line, len));
	h->state = AT_CHUNK_SIZE;
	return (HTTP1_MORE);
}

/* The first bytes tell at once that it is no HTTP. */
static enum http1_end
put_start(struct http1 *h, const char **p, const char *end)
{
	for (; *p < end && h->matched < VERSION_LEN; (*p)++) {
		if (**p != version[h->matched])
			return (bad(h, "the answer is not HTTP"));
		h->matched++;
		h->head_bytes++;
	}
	if (h->matched == VERSION_LEN)
		h->state = AT_STATUS;
	return (HTTP1_MORE);
}

enum http1_end
http1_took(struct http1 *h, size_t n)
{
	h->body_bytes += n;
	if (h->state == AT_BODY_TO_EOF)
		return (HTTP1_MORE);
	MUST(n <= h->left);
	h->left -= n;
	if (h->left > 0)
		return (HTTP1_MORE);
	h->state = h->state == AT_CHUNK ? AT_CHUNK_END : AT_DONE;
	return (h->state == AT_DONE ? HTTP1_DONE : HTTP1_MORE);
}

static enum http1_end
put_body(struct http1 *h, const char **p, const char *end,
    const struct http1_user *u, void *cookie)
{
	size_t n = (size_t)(end - *p);
	const char *from = *p;

	if (h->state != AT_BODY_TO_EOF && n > h->left)
		n = (size_t)h->left;
	*p += n;
	if (!u->body(cookie, from, n))
		return (HTTP1_STOPPED);
	return (http1_took(h, n));
}

enum http1_end
http1_put(struct http1 *h, const char *s, size_t n, size_t *used,
    const struct http1_user *u, void *cookie)
{
	const char *p = s, *end = s + n;
	enum http1_end e = HTTP1_MORE;

	while (p < end && e == HTTP1_MORE) {
		switch (h->state) {
		case AT_START:
			e = put_start(h, &p, end);
			break;
		case AT_STATUS:
		case AT_HEADER:
		case AT_TRAILER:
			e = put_line(h, &p, end, u, cookie);
			break;
		case AT_CHUNK_SIZE:
		case AT_CHUNK_END:
			e = put_chunk_line(h, &p, end);
			break;
		case AT_DONE:
			e = HTTP1_DONE;
			break;
		default:
			e = put_body(h, &p, end, u, cookie);
			break;
		}
	}
	*used = (size_t)(p - s);
	return (e);
}

enum http1_end
http1_eof(struct http1 *h)
{
	if (h->state == AT_BODY_TO_EOF)
		h->state = AT_DONE;
	return (h->state == AT_DONE ? HTTP1_DONE : HTTP1_CUT);
}

uint64_t
http1_plain(const struct http1 *h)
{
	return (h->state == AT_BODY || h->state == AT_CHUNK ? h->left : 0);
}

bool
http1_keeps(const struct http1 *h)
{
	return (h->state == AT_DONE && !h->close && !h->spoilt &&
	    (!h->old || h->keep) && (h->chunked || h->length >= 0 ||
	    h->status == 204 || h->status == 304));
}
