/* SPDX-License-Identifier: Apache-2.0 */
/* A clock that stands still until told: takes the place of base/clock.c in the test's link. */
#ifndef WEFT_TESTS_FAKE_CLOCK_H
#define WEFT_TESTS_FAKE_CLOCK_H

#include <stdint.h>

void fake_clock_advance_ms(uint64_t ms);
/* From now on it goes on by that with each look at it. */
void fake_clock_tick_ms(uint64_t ms);

#endif
