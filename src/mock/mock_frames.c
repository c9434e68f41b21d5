/*
 * Event frames: the same idea as for tags. Time is cut into slots of the
 * frame period; slot k of a database has one frame, or none, that begins in
 * it, with up to three children within its span. What overlaps a range
 * begins at most as long before it as the longest frame lasts. Times are
 * whole milliseconds: AF's are coarser than the archive's.
 *
 * Some are closed long after their end, with the end they had: by hand, or
 * by an analysis that was down.
 */

#include "config.h"

#include <string.h>

#include "base/buf.h"
#include "base/hash.h"
#include "base/ticks.h"
#include "mock/mock_options.h"
#include "mock/mock_world.h"

#define GOLDEN 0x9e3779b97f4a7c15ull
#define MINUTE (60 * TICKS_PER_S)

static const char *const SEVERITIES[] = { "None", "Information", "Warning",
	"Minor", "Major", "Critical" };

static int64_t
duration(const struct mock_world *w, uint64_t h)
{
	uint64_t r = h % 64;

	if (r == 0)
		return (TICKS_PER_DAY + (int64_t)((h >> 8) %
		    (uint64_t)(w->frame_longest - TICKS_PER_DAY)));
	if (r < 16)
		return (60 * MINUTE + (int64_t)((h >> 8) %
		    (uint64_t)(11 * 60 * MINUTE)));
	return (MINUTE + (int64_t)((h >> 8) % (uint64_t)(59 * MINUTE)));
}

static int64_t
whole_ms(int64_t t)
{
	return (t - t % TICKS_PER_MS);
}

/* When its end is told: never before what follows the end by ten minutes is
 * settled, or it would change once more. */
static int64_t
closing(const struct mock_world *w, const struct mock_frame *f)
{
	uint64_t h = hash_mix(f->hash + GOLDEN);

	if (w->frame_late == 0 || h % 8 != 0)
		return (f->end);
	return (f->end + 10 * MINUTE + whole_ms((int64_t)((h >> 8) %
	    (uint64_t)w->frame_late)));
}

static uint32_t
element_of(const struct mock_world *w, uint32_t db, uint64_t h)
{
	uint32_t n = w->db_first[db + 1] - w->db_first[db];

	if (n == 0 || h % 16 == 0)
		return (MOCK_NONE);
	return (w->db_first[db] + (uint32_t)((h >> 8) % n));
}

bool
mock_frame_get(const struct mock_world *w, uint32_t db, uint64_t id,
    struct mock_frame *f)
{
	uint64_t slot = id / 4, child = id % 4, h;
	int64_t part;

	if (db >= w->opt->plants || slot > UINT32_MAX ||
	    (int64_t)slot > (TICKS_MAX - w->start) / w->frame_period - 1)
		return (false);
	h = hash_mix(hash_mix(w->key ^ (db + 77)) + slot * GOLDEN);
	if ((h & 7) == 0 && slot != 0)
		return (false);
	memset(f, 0, sizeof(*f));
	f->db = db;
	f->id = id;
	f->children = (h >> 3 & 3) == 0 ? 1 + (unsigned)(h >> 5 & 0xff) % 3 :
	    0;
	if (child > f->children)
		return (false);
	f->start = w->start + (int64_t)slot * w->frame_period;
	if (slot != 0)
		f->start = whole_ms(f->start + (int64_t)((h >> 13) %
		    (uint64_t)w->frame_period));
	f->hash = hash_mix(h + 1);
	f->end = f->start + whole_ms(duration(w, f->hash));
	f->closed = closing(w, f);
	f->element = element_of(w, db, hash_mix(h + 2));
	if (child == 0)
		return (true);
	/* Children follow each other; the last ends with its parent. */
	part = whole_ms((f->end - f->start) / (int64_t)f->children);
	f->start += (int64_t)(child - 1) * part;
	if (child != f->children)
		f->end = f->start + part;
	f->children = 0;
	f->hash = hash_mix(h + 2 + child);
	f->closed = closing(w, f);
	return (true);
}

void
mock_frame_name(const struct mock_frame *f, struct buf *out)
{
	if (f->id % 4 != 0)
		buf_printf(out, "Phase %u", (unsigned)(f->id % 4));
	else
		buf_printf(out, "%s %08u", "Batch", (unsigned)(f->id / 4));
}

const char *
mock_frame_template(const struct mock_frame *f)
{
	if (f->id % 4 != 0)
		return ("PhaseTemplate");
	return (f->hash >> 40 & 1 ? "BatchTemplate" : "DowntimeTemplate");
}

const char *
mock_frame_severity(const struct mock_frame *f)
{
	return (SEVERITIES[(f->hash >> 32) % 6]);
}

void
mock_frames_each(const struct mock_world *w, uint32_t db, int64_t from,
    int64_t to, int64_t now, bool children, mock_frame_fn *fn, void *cookie)
{
	struct mock_frame f;
	int64_t begin = (from < now ? from : now) - w->frame_longest -
	    w->frame_late - 10 * MINUTE - w->start;
	uint64_t slot = begin > 0 ? (uint64_t)(begin / w->frame_period) : 0;
	unsigned n;

	if (to > now)
		to = now;
	for (; w->start + (int64_t)slot * w->frame_period <= to; slot++) {
		if (!mock_frame_get(w, db, slot * 4, &f))
			continue;
		n = children ? f.children : 0;
		for (uint64_t c = 0; c <= n; c++) {
			if (!mock_frame_get(w, db, slot * 4 + c, &f) ||
			    f.start > to || (f.closed <= now && f.end < from))
				continue;
			if (!fn(cookie, &f))
				return;
		}
	}
}
