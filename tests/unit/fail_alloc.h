/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Failing allocations for tests: this object replaces malloc and its kin for the whole process,
 * libraries included, and forwards to the real ones (the sanitizer's, in a sanitized build).
 *
 *   for (size_t n = 0;; n++) {
 *           fail_alloc_arm(n);
 *           r = thing_under_test();
 *           if (!fail_alloc_disarm())
 *                   break;          // nothing was left to fail: r must be a success
 *           assert_int_equal(r, -ENOMEM);
 *   }
 *
 * Link fail_alloc.c into the test itself, not into a library.
 */
#ifndef WEFT_TESTS_FAIL_ALLOC_H
#define WEFT_TESTS_FAIL_ALLOC_H

#include <stdbool.h>
#include <stddef.h>

/* From now on the allocation after n good ones fails; those behind it succeed again. */
void fail_alloc_arm(size_t n);

/* Ends it. Whether the failure has happened. */
bool fail_alloc_disarm(void);

#endif
