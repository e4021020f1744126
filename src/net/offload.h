/* SPDX-License-Identifier: Apache-2.0 */
/* What is left to a device instead of the kernel (ethtool's features, by the calls that ask one). */
#ifndef WEFT_NET_OFFLOAD_H
#define WEFT_NET_OFFLOAD_H

#include <stdbool.h>
#include <stdint.h>

struct wf_net;

/*
 * Whether that is on for the device: command is ETHTOOL_GTXCSUM (checksums of what it sends, and the
 * cutting of large packets with them) or another that asks for a feature. 1, 0, or a negative
 * errno: -ENODEV; -EOPNOTSUPP: the device does not say. net may be NULL.
 */
int wf_net_offload_get(struct wf_net *net, const char *device, uint32_t command);
/* Turns it on or off: ETHTOOL_STXCSUM or another that sets a feature. 0, or as above. */
int wf_net_offload_set(const char *device, uint32_t command, bool on);

#endif
