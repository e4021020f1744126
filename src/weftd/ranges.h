/* SPDX-License-Identifier: Apache-2.0 */
/* Options whose text holds ranges: of service addresses and of node ports. */
#ifndef WEFT_WEFTD_RANGES_H
#define WEFT_WEFTD_RANGES_H

#include <stdint.h>

#include <weft/abi/limits.h>

#include "base/addr.h"
#include "base/err.h"

/* "10.96.0.0/16,fd00:96::/112": [0] IPv4, [1] IPv6; len 0 where none is given. -EINVAL. */
int weftd_ranges_cidrs(const char *text, struct wf_prefix ret_cidrs[2], struct wf_err *err);
/* "30000-32767". -EINVAL. */
int weftd_ranges_ports(const char *text, uint16_t *ret_first, uint16_t *ret_last,
		       struct wf_err *err);
/* "22,8000-8010" or "none": a bit for each port. -EINVAL. */
int weftd_ranges_bits(const char *text, uint64_t ret_ports[WF_CLEAR_WORDS], struct wf_err *err);

#endif
