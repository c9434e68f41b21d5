/*
 * The series function: any cut of a range gives the same events, in both
 * directions, and every kind of value, tie and burst occurs.
 */

#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/hash.h"
#include "base/ticks.h"
#include "mock/mock_options.h"
#include "mock/mock_world.h"

#define HOUR (3600 * TICKS_PER_S)
#define MAX 20000

struct world {
	struct mock_options opt;
	struct mock_world *w;
	int64_t start;
	int64_t now;
};

static void
world_open(struct world *x, char *extra)
{
	char *argv[] = { "garner-mock", "--start", "2024-03-01T00:00:00Z",
		"--now", "2024-03-01T12:00:00Z", "--tags", "60", extra, NULL };
	struct err e = ERR_INIT;

	assert_int_equal(mock_options_parse(&x->opt, extra == NULL ? 7 : 8,
	    argv, 0, &e), 0);
	x->w = mock_world_new(&x->opt);
	x->start = x->opt.start;
	x->now = x->opt.now;
}

static size_t
read_all(const struct world *x, uint64_t tag, int64_t from, int64_t to,
    int64_t now, struct mock_event *out)
{
	struct mock_series s;
	size_t n = 0;

	mock_series_init(&s, x->w, tag, from, to, now);
	while (mock_series_next(&s, &out[n])) {
		n++;
		assert_true(n < MAX);
	}
	return (n);
}

static void
same(const struct mock_event *a, const struct mock_event *b, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		assert_true(a[i].t == b[i].t);
		assert_true(a[i].number == b[i].number);
		assert_int_equal(a[i].type, b[i].type);
		assert_int_equal(a[i].flags, b[i].flags);
		assert_ptr_equal(a[i].text, b[i].text);
	}
}

static void
any_split_gives_the_same(void **state)
{
	struct mock_event *whole = calloc(MAX, sizeof(*whole));
	struct mock_event *part = calloc(MAX, sizeof(*part));
	char late[] = "--late=0.2";
	struct world x;
	struct rng rng;

	(void)state;
	rng_init(&rng, 7);
	world_open(&x, late);
	for (uint64_t tag = 0; tag < 40; tag++) {
		int64_t a = x.start - HOUR, end = a + 4 * HOUR, b;
		size_t n = read_all(&x, tag, a, end, x.now, whole), m = 0;

		assert_true(n > 20);
		for (; a <= end; a = b + 1) {
			b = a + (int64_t)rng_below(&rng, HOUR);
			/* Often exactly at an event. */
			if (m < n && rng_below(&rng, 2) == 0)
				b = whole[m].t;
			if (b > end)
				b = end;
			m += read_all(&x, tag, a, b, x.now, part + m);
		}
		assert_int_equal(n, m);
		same(whole, part, n);
	}
	mock_world_free(x.w);
	free(whole);
	free(part);
}

static void
backwards_is_the_reverse(void **state)
{
	struct mock_event *up = calloc(MAX, sizeof(*up));
	struct mock_event *down = calloc(MAX, sizeof(*down));
	struct world x;

	(void)state;
	world_open(&x, NULL);
	for (uint64_t tag = 0; tag < 40; tag++) {
		int64_t a = x.start, b = x.start + 3 * HOUR;
		size_t n = read_all(&x, tag, a, b, x.now, up);

		assert_int_equal(read_all(&x, tag, b, a, x.now, down), n);
		for (size_t i = 0; i < n; i++)
			same(&up[i], &down[n - 1 - i], 1);
		/* Inclusive at both ends. */
		assert_true(read_all(&x, tag, up[3].t, up[3].t, x.now, down)
		    >= 1);
		assert_true(down[0].t == up[3].t);
	}
	mock_world_free(x.w);
	free(up);
	free(down);
}

static void
everything_occurs(void **state)
{
	struct mock_event *ev = calloc(MAX, sizeof(*ev));
	bool type[MOCK_MISSING + 1] = { false };
	unsigned flags = 0, longest = 0, run;
	struct world x;

	(void)state;
	world_open(&x, NULL);
	for (uint64_t tag = 0; tag < 60; tag++) {
		size_t n = read_all(&x, tag, x.start, x.start + 4 * HOUR,
		    x.now, ev);

		assert_true(ev[0].t == x.start);
		assert_string_equal(ev[0].text, "Pt Created");
		run = 1;
		for (size_t i = 0; i < n; i++) {
			type[ev[i].type] = true;
			flags |= ev[i].flags;
			if (i == 0)
				continue;
			assert_true(ev[i].t >= ev[i - 1].t);
			run = ev[i].t == ev[i - 1].t ? run + 1 : 1;
			if (run > longest)
				longest = run;
		}
	}
	for (size_t i = 0; i <= MOCK_MISSING; i++)
		assert_true(type[i]);
	assert_int_equal(flags, 31);
	assert_true(longest >= 12);
	mock_world_free(x.w);
	free(ev);
}

static void
late_events_appear_and_stay(void **state)
{
	struct mock_event *a = calloc(MAX, sizeof(*a));
	struct mock_event *b = calloc(MAX, sizeof(*b));
	char late[] = "--late=0.3";
	struct world x, plain;
	size_t missed = 0;

	(void)state;
	world_open(&x, late);
	world_open(&plain, NULL);
	for (uint64_t tag = 0; tag < 20; tag++) {
		int64_t to = x.start + 2 * HOUR;
		size_t all = read_all(&plain, tag, x.start, to, x.now, a);
		size_t early = read_all(&x, tag, x.start, to, to, b);
		size_t i = 0;

		missed += all - early;
		for (size_t k = 0; k < early; k++, i++) {
			while (a[i].t != b[k].t || a[i].number != b[k].number ||
			    a[i].text != b[k].text)
				assert_true(++i < all);
		}
		/* At most two hours late. */
		assert_int_equal(read_all(&x, tag, x.start, to,
		    to + 2 * HOUR + 1, b), all);
		same(a, b, all);
	}
	assert_true(missed > 100);
	mock_world_free(x.w);
	mock_world_free(plain.w);
	free(a);
	free(b);
}

/* Of all events of some tags, at a time, those that are as they were. */
static void
fates(const struct world *x, int64_t now, size_t n[3])
{
	struct mock_event *a = calloc(MAX, sizeof(*a));
	struct mock_event *b = calloc(MAX, sizeof(*b));
	struct world plain;

	world_open(&plain, NULL);
	memset(n, 0, 3 * sizeof(n[0]));
	for (uint64_t tag = 0; tag < 20; tag++) {
		int64_t to = x->start + HOUR;
		size_t all = read_all(&plain, tag, x->start, to, x->now, a);
		size_t left = read_all(x, tag, x->start, to, now, b), i = 0;

		n[0] += all;
		n[2] += all - left;
		for (size_t k = 0; k < left; k++, i++) {
			while (a[i].t != b[k].t)
				assert_true(++i < all);
			/* Of a tie that lost some, who is who? */
			if (left < all || (a[i].number == b[k].number &&
			    a[i].text == b[k].text))
				continue;
			n[1]++;
			assert_true((b[k].flags & MOCK_SUBSTITUTED) != 0);
		}
	}
	mock_world_free(plain.w);
	free(a);
	free(b);
}

/* Some events are edited, others deleted, each for good, within the span. */
static void
events_meet_their_fates(void **state)
{
	char edits[] = "--edits=0.1", deletes[] = "--deletes=0.1";
	size_t before[3], soon[3], later[3], last[3];
	struct world x;

	(void)state;
	world_open(&x, edits);
	fates(&x, x.start + HOUR, before);
	fates(&x, x.start + 2 * HOUR, soon);
	fates(&x, x.start + 3 * HOUR + 1, later);
	fates(&x, x.start + 30 * HOUR, last);
	assert_true(before[1] < soon[1] && soon[1] < later[1]);
	assert_true(later[1] > later[0] / 20 && later[1] < later[0] / 5);
	assert_int_equal(later[1], last[1]);
	mock_world_free(x.w);
	world_open(&x, deletes);
	fates(&x, x.start + HOUR, before);
	fates(&x, x.start + 2 * HOUR, soon);
	fates(&x, x.start + 3 * HOUR + 1, later);
	fates(&x, x.start + 30 * HOUR, last);
	assert_true(before[2] < soon[2] && soon[2] < later[2]);
	assert_true(later[2] > later[0] / 20 && later[2] < later[0] / 5);
	assert_int_equal(later[2], last[2]);
	mock_world_free(x.w);
}

static void
point_is(const struct world *x, uint64_t place, char *name, char *webid,
    size_t size)
{
	struct mock_obj o = { MOCK_POINT, mock_point_now(x->w, place), 0 };
	struct mock_obj found;
	struct buf b;

	buf_init(&b, size);
	mock_tag_name(x->w, o.a, &b);
	strcpy(name, buf_str(&b));
	buf_clear(&b);
	mock_path_put(&b, x->w, o);
	assert_int_equal(mock_path_find(x->w, MOCK_POINT, (char *)b.data + 2,
	    b.len - 2, &found), 0);
	assert_true(found.a == o.a);
	buf_clear(&b);
	mock_webid_put(&b, x->w, o, 'I');
	strcpy(webid, buf_str(&b));
	assert_int_equal(mock_webid_parse(x->w, webid, strlen(webid),
	    &found), 0);
	buf_fini(&b);
}

/* A renamed point is the one it was; one that was made again is not. */
static void
points_are_renamed_or_made_again(void **state)
{
	char *argv[] = { "garner-mock", "--start", "2024-03-01T00:00:00Z",
		"--now", "2024-03-01T06:00:00Z", "--tags", "60",
		"--renames", "0.3", "--renames-at", "2024-03-01T08:00:00Z",
		"--recreates", "0.3", "--recreates-at",
		"2024-03-01T08:00:00Z", NULL };
	char name[2][200], webid[2][200];
	struct mock_event *ev = calloc(MAX, sizeof(*ev));
	size_t renamed = 0, again = 0, n;
	struct mock_obj gone;
	struct world x, y;
	struct err e = ERR_INIT;

	(void)state;
	assert_int_equal(mock_options_parse(&x.opt, 15, argv, 0, &e), 0);
	x.w = mock_world_new(&x.opt);
	y = x;
	y.opt.now += 3 * HOUR;
	y.w = mock_world_new(&y.opt);
	for (uint64_t i = 0; i < 60; i++) {
		point_is(&x, i, name[0], webid[0], sizeof(name[0]));
		point_is(&y, i, name[1], webid[1], sizeof(name[1]));
		assert_true(mock_point_now(x.w, i) == i);
		renamed += strcmp(name[0], name[1]) != 0;
		if (strcmp(webid[0], webid[1]) == 0)
			continue;
		again++;
		assert_int_equal(mock_webid_parse(y.w, webid[0],
		    strlen(webid[0]), &gone), ERR_NOTFOUND);
		n = read_all(&y, mock_point_now(y.w, i), 0, y.opt.now,
		    y.opt.now, ev);
		assert_true(n > 5 && ev[0].t == y.opt.recreates_at);
		assert_string_equal(ev[0].text, "Pt Created");
	}
	assert_true(renamed > 8 && renamed < 30);
	assert_true(again > 8 && again < 30);
	assert_int_equal(mock_options_parse(&x.opt, 9, argv, 0, &e),
	    ERR_USAGE);
	mock_world_free(x.w);
	mock_world_free(y.w);
	free(ev);
}

static void
nothing_after_now(void **state)
{
	struct mock_event *ev = calloc(MAX, sizeof(*ev));
	struct world x;

	(void)state;
	world_open(&x, NULL);
	for (uint64_t tag = 0; tag < 20; tag++) {
		size_t n = read_all(&x, tag, x.now - HOUR / 2, x.now + HOUR,
		    x.now, ev);

		assert_true(n > 0 && ev[n - 1].t <= x.now);
	}
	assert_int_equal(read_all(&x, 0, x.now + 1, x.now + HOUR, x.now, ev),
	    0);
	assert_int_equal(read_all(&x, 0, 0, x.start - 1, x.now, ev), 0);
	assert_int_equal(read_all(&x, 0, x.start - 1, 0, x.now, ev), 0);
	mock_world_free(x.w);
	free(ev);
}

struct seen {
	uint64_t id[4000];
	size_t n;
};

static bool
see(void *cookie, const struct mock_frame *f)
{
	struct seen *s = cookie;

	assert_true(s->n < 4000 && f->start <= f->end);
	s->id[s->n++] = f->id;
	return (true);
}

/* Frames of a long range = those of its parts, less the repeats. */
static void
frames_do_not_depend_on_the_window(void **state)
{
	struct seen *whole = calloc(1, sizeof(*whole));
	struct seen *part = calloc(1, sizeof(*part));
	struct world x;
	size_t found = 0;

	(void)state;
	world_open(&x, NULL);
	mock_frames_each(x.w, 1, x.start, x.now, x.now, true, see, whole);
	assert_true(whole->n > 20);
	for (int64_t t = x.start; t < x.now; t += HOUR) {
		part->n = 0;
		mock_frames_each(x.w, 1, t, t + HOUR, x.now, true, see, part);
		for (size_t i = 0; i < part->n; i++)
			for (size_t k = 0; k < whole->n; k++)
				if (whole->id[k] == part->id[i]) {
					whole->id[k] = UINT64_MAX;
					found++;
				}
	}
	assert_int_equal(found, whole->n);
	mock_world_free(x.w);
	free(whole);
	free(part);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(any_split_gives_the_same),
		cmocka_unit_test(backwards_is_the_reverse),
		cmocka_unit_test(everything_occurs),
		cmocka_unit_test(late_events_appear_and_stay),
		cmocka_unit_test(events_meet_their_fates),
		cmocka_unit_test(points_are_renamed_or_made_again),
		cmocka_unit_test(nothing_after_now),
		cmocka_unit_test(frames_do_not_depend_on_the_window),
	};

	return (cmocka_run_group_tests(tests, NULL, NULL));
}
