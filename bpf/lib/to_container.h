/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The guard in front of a container: what the host's stack sends straight through the
 * container's host-side device. The datapath itself never comes this way, so in a healthy node
 * only the noise of that device's own stack is seen here, and dropped.
 */
#ifndef WEFT_BPF_TO_CONTAINER_H
#define WEFT_BPF_TO_CONTAINER_H

#include "from_host.h"

/* Action, WF_NEXT() or -reason. */
static __always_inline int wf_to_container(struct wf_ctx *ctx)
{
	int reason = -WF_REASON_INTERNAL_ERROR;
	__u32 slot = wf_slot_of(ctx);
	struct wf_ep_value *endpoint = wf_endpoint_ready(slot, &reason);
	struct wf_net_value *network;
	struct wf_ip ip;
	__u32 flags;
	int r;

	if (!endpoint)
		return reason;
	r = wf_parse_host_packet(ctx, &ip);
	/* ARP here means that a route of the host points at this device */
	if (r < 0)
		return r == -WF_REASON_ARP_NOT_REQUEST ? -WF_REASON_NOT_FOR_ENDPOINT : r;
	if (endpoint->flags & WF_EP_HOST || !wf_endpoint_has(endpoint, slot, ip.version, &ip.dst)) {
		r = wf_classify(&ip);
		return r < 0 ? r : -WF_REASON_NOT_FOR_ENDPOINT;
	}
	network = wf_network_valid(endpoint->network);
	if (!network)
		return -WF_REASON_NO_NETWORK;
	r = wf_check_host_source(endpoint, network, &ip);
	if (r < 0)
		return r;
	flags = endpoint->flags | wf_host_flags();
	if (wf_guard_cares(ctx, flags)) {
		r = wf_guard(ctx, &ip, WF_SLOT_NOBODY, slot,
			     WF_GUARD_HOW(WF_WAY_PASS, WF_HOOK_TO_CONTAINER, flags) |
				     WF_GUARD_IN(endpoint->scope));
		if (r)
			return r;
	}
	wf_traffic_count(WF_SLOT_HOST, slot, wf_ctx_len(ctx));
	return TC_ACT_OK;
}

#endif
