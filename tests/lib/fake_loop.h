#ifndef TESTS_FAKE_LOOP_H
#define TESTS_FAKE_LOOP_H

/*
 * The part of loop/loop.h that deciding modules use, over a clock that jumps
 * to the next timer: linked in front of libloop.a it takes its place. Timers
 * due at one time run in the order in which they were set. Tasks run inline,
 * on a later turn.
 */

#include <stdbool.h>
#include <stdint.h>

struct loop;

struct loop *fake_loop_new(int64_t now_us, int64_t unix_s);
/* Run the next timer; false when none is set, or it is after until_us (the
 * clock then stands there). */
bool fake_loop_step(struct loop *, int64_t until_us);

#endif
