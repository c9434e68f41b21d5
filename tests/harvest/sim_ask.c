/* What is asked: the target of a request, taken apart and judged. */

#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim.h"

static size_t
unescape(const char *s, size_t n, char *out, size_t size)
{
	unsigned c;
	size_t i, k = 0;

	for (i = 0; i < n && k + 1 < size; i++) {
		if (s[i] == '%' && i + 2 < n &&
		    sscanf(s + i + 1, "%2x", &c) == 1) {
			out[k++] = (char)c;
			i += 2;
		} else
			out[k++] = s[i];
	}
	out[k] = '\0';
	return (k);
}

void
sim_ask_stream(struct sim *s, struct sim_ask *q, const char *webid, size_t len)
{
	struct sim_stream *st = sim_stream_find(s, webid, len);

	if (st == NULL)
		q->unknown = true;
	else if (q->n < SIM_STREAMS)
		q->streams[q->n++] = st;
}

static void
ask_param(struct sim *s, struct sim_ask *q, const char *name, size_t len,
    const char *value, size_t value_len)
{
	char v[200];
	size_t n = unescape(value, value_len, v, sizeof(v));

#define IS(x) (len == sizeof(x) - 1 && memcmp(name, x, sizeof(x) - 1) == 0)
	if (IS("webId"))
		sim_ask_stream(s, q, v, n);
	else if (IS("startTime"))
		SIM_CHECK(s, ticks_parse(v, n, &q->a) == 0 && n == 28,
		    "startTime %s", v);
	else if (IS("endTime"))
		SIM_CHECK(s, ticks_parse(v, n, &q->b) == 0 && n == 28,
		    "endTime %s", v);
	else if (IS("startIndex"))
		q->start = (uint32_t)strtoul(v, NULL, 10);
	else if (IS("maxCount"))
		q->count = (uint32_t)strtoul(v, NULL, 10);
	else if (IS("boundaryType"))
		SIM_CHECK(s, strcmp(v, "Inside") == 0, "boundaryType %s", v);
	else if (IS("retrievalMode"))
		SIM_CHECK(s, strcmp(v, "AtOrAfter") == 0, "%s", v);
	else if (IS("time"))
		SIM_CHECK(s, ticks_parse(v, n, &q->a) == 0 && q->a == 0,
		    "time %s", v);
#undef IS
}

void
sim_ask_parse(struct sim *s, struct sim_ask *q, const char *target)
{
	const char *p, *end, *eq;

	memset(q, 0, sizeof(*q));
	q->count = 1000;
	q->path = target + strlen(SIM_BASE);
	q->path_len = strcspn(q->path, "?");
	p = q->path + q->path_len;
	while (*p != '\0') {
		end = p + 1 + strcspn(p + 1, "&");
		if ((eq = memchr(p + 1, '=', (size_t)(end - p - 1))) != NULL)
			ask_param(s, q, p + 1, (size_t)(eq - p - 1), eq + 1,
			    (size_t)(end - eq - 1));
		p = end;
	}
}
