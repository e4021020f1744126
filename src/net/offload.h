/* SPDX-License-Identifier: Apache-2.0 */
/* Who makes the checksums of what a device sends (ethtool: tx-checksumming). */
#ifndef WEFT_NET_OFFLOAD_H
#define WEFT_NET_OFFLOAD_H

#include <stdbool.h>

#include "base/err.h"

struct wf_net;

/*
 * Whether checksums, and the cutting of large packets with them, are left to the device. -ENODEV,
 * -EOPNOTSUPP.
 */
int wf_net_checksums_get(struct wf_net *net, const char *device, bool *ret_offloaded,
			 struct wf_err *err);

#endif
