/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which call of which driver fails. Every function of the fakes passes this gate first, and so do
 * the store's through the linker's --wrap.
 *
 *   for (size_t n = 0;; n++) {
 *           fake_gate_arm(FAKE_NET, n);
 *           r = operation_under_test();
 *           if (!fake_gate_disarm())
 *                   break;          // nothing was left to fail: r must be a success
 *   }
 */
#ifndef WEFT_TESTS_FAKE_GATE_H
#define WEFT_TESTS_FAKE_GATE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

enum fake_kind {
	FAKE_STORE,
	FAKE_DP,
	FAKE_DP_READ, /* look-ups: a start makes one per slot, so they are counted apart */
	FAKE_NET,
	FAKE_KIND_COUNT,
};

/* The call after n good ones fails, once. */
void fake_gate_arm(enum fake_kind kind, size_t n);
/* All calls from now on fail, until disarmed. */
void fake_gate_shut(enum fake_kind kind);
/* Ends either. Whether a call has failed. */
bool fake_gate_disarm(void);
/* The function that failed last. */
const char *fake_gate_failed(void);

/* Calls since the last reset. */
size_t fake_gate_calls(enum fake_kind kind);
void fake_gate_reset_calls(void);

/* For the fakes: 0, or `code` with a message when this call is to fail. */
int fake_gate_pass(enum fake_kind kind, const char *function, int code, struct wf_err *err);

#endif
