/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * What a container of another node sends over the segment that both nodes are on, without a tunnel.
 * Taken only by the device that its node is reached by, and only between routed networks. Who on
 * that segment sent it in truth cannot be told.
 */
#ifndef WEFT_BPF_FROM_NEAR_H
#define WEFT_BPF_FROM_NEAR_H

#include "from_host.h"

/* Whether the source may come in here: 0 or -reason. */
static __always_inline int wf_near_check_source(const struct wf_ctx *ctx,
						const struct wf_remote_value *remote)
{
	struct wf_node_value *node = wf_map_node(remote->node);
	struct wf_net_value *network = wf_network_valid(remote->network);

	if (!node || !node->ifindex || node->ifindex != wf_ctx_ifindex(ctx) || !network ||
	    !(network->flags & WF_NET_ROUTED))
		return -WF_REASON_SPOOFED_IP;
	return 0;
}

/*
 * The source was found in wf_remotes, the destination is the address of the container in a slot.
 * Action, WF_NEXT(), WF_TOLD() or -reason.
 */
static __always_inline int wf_from_near(struct wf_ctx *ctx, struct wf_work *work,
					const struct wf_remote_value *remote, __u32 to)
{
	int r = wf_near_check_source(ctx, remote);
	struct wf_ep_value *endpoint;
	struct wf_net_value *network;

	if (r < 0)
		return r;
	endpoint = wf_endpoint_ready(to, &r);
	if (!endpoint)
		return r;
	network = wf_network_valid(endpoint->network);
	if (!network || !(network->flags & WF_NET_ROUTED))
		return -WF_REASON_SPOOFED_IP;
	if (remote->network != endpoint->network)
		r = wf_check_remote(network, remote);
	return r < 0 ? r : wf_host_hand_over(ctx, work, network, to, endpoint, WF_HOOK_FROM_UPLINK);
}

/* The same to what this node's host has in the network of the source. */
static __always_inline int wf_near_to_host(struct wf_ctx *ctx, struct wf_work *work,
					   const struct wf_remote_value *remote)
{
	int r = wf_near_check_source(ctx, remote);
	struct wf_addr_value *value;

	if (r < 0)
		return r;
	value = wf_address_find(remote->network, &work->ip.dst);
	return value && value->slot == WF_SLOT_HOST
		       ? wf_node_receive(ctx, work, WF_HOOK_FROM_UPLINK)
		       : -WF_REASON_SPOOFED_IP;
}

#endif
