/*
 * Counters, and requests for each tenth of a second, so that a test can look
 * at the rate in every window of its choice. Bins end after an hour.
 */

#include "config.h"

#include <stdlib.h>

#include "base/buf.h"
#include "base/must.h"
#include "mock/mock_stats.h"

#define BIN_US 100000
#define BINS_MAX 36000
#define STATUS_MAX 600

/* A number that goes up and down, its most, and how often it went up. */
struct level {
	uint64_t now;
	uint64_t most;
	uint64_t total;
};

struct mock_stats {
	int64_t begun_us;
	struct level requests;
	struct level connections;
	uint64_t closed;
	uint64_t status[STATUS_MAX];
	uint32_t *bin;			/* owned */
	size_t bins;			/* used */
	size_t cap;
};

struct mock_stats *
mock_stats_new(int64_t now_us)
{
	struct mock_stats *s = must_calloc(1, sizeof(*s));

	s->begun_us = now_us;
	return (s);
}

void
mock_stats_free(struct mock_stats *s)
{
	if (s == NULL)
		return;
	free(s->bin);
	free(s);
}

static void
up(struct level *l)
{
	l->total++;
	if (++l->now > l->most)
		l->most = l->now;
}

static void
down(struct level *l)
{
	MUST(l->now > 0);
	l->now--;
}

void
mock_stats_connected(struct mock_stats *s)
{
	up(&s->connections);
}

void
mock_stats_disconnected(struct mock_stats *s)
{
	down(&s->connections);
}

void
mock_stats_closed(struct mock_stats *s)
{
	s->closed++;
}

void
mock_stats_asked(struct mock_stats *s, int64_t now_us)
{
	size_t at = (size_t)((now_us - s->begun_us) / BIN_US);

	up(&s->requests);
	if (at >= BINS_MAX)
		return;
	if (at >= s->cap) {
		s->cap = at + 1024;
		s->bin = must_realloc(s->bin, s->cap, sizeof(*s->bin));
	}
	while (s->bins <= at)
		s->bin[s->bins++] = 0;
	s->bin[at]++;
}

void
mock_stats_answered(struct mock_stats *s, int status)
{
	MUST(status >= 0 && status < STATUS_MAX);
	down(&s->requests);
	s->status[status]++;
}

static void
put_level(const struct level *l, const char *name, struct buf *out)
{
	buf_printf(out, ",\"%s\":{\"total\":%llu,\"now\":%llu,\"most\":%llu}",
	    name, (unsigned long long)l->total, (unsigned long long)l->now,
	    (unsigned long long)l->most);
}

void
mock_stats_put(const struct mock_stats *s, int64_t now_us, struct buf *out)
{
	const char *comma = "";

	buf_printf(out, "{\"elapsed_ms\":%lld",
	    (long long)((now_us - s->begun_us) / 1000));
	put_level(&s->requests, "requests", out);
	put_level(&s->connections, "connections", out);
	buf_printf(out, ",\"connections_closed\":%llu,\"status\":{",
	    (unsigned long long)s->closed);
	for (int i = 0; i < STATUS_MAX; i++) {
		if (s->status[i] == 0)
			continue;
		buf_printf(out, "%s\"%d\":%llu", comma, i,
		    (unsigned long long)s->status[i]);
		comma = ",";
	}
	buf_printf(out, "},\"bin_ms\":%d,\"bins\":[", BIN_US / 1000);
	for (size_t i = 0; i < s->bins; i++)
		buf_printf(out, "%s%u", i > 0 ? "," : "", s->bin[i]);
	buf_puts(out, "]}");
}
