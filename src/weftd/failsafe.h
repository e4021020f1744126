/* SPDX-License-Identifier: Apache-2.0 */
/* The option --host-failsafe: ports of the host that stay open whatever policies say. */
#ifndef WEFT_WEFTD_FAILSAFE_H
#define WEFT_WEFTD_FAILSAFE_H

#include <stddef.h>

#include "base/err.h"
#include "policy/engine.h"

#define WEFTD_MAX_FAILSAFES 64

/*
 * "ingress:tcp/22,egress:udp/53", or "none". *ret_count entries are stored. -EINVAL, -E2BIG.
 */
int weftd_failsafe_parse(const char *text,
			 struct wf_policy_failsafe ret_failsafes[WEFTD_MAX_FAILSAFES],
			 size_t *ret_count, struct wf_err *err);

#endif
