/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The overlay: what goes to endpoints of other nodes, and what comes from there. One device, no
 * flooding, no learning: the daemon says who is where, and only what it has said is believed.
 */
#ifndef WEFT_BPF_OVERLAY_H
#define WEFT_BPF_OVERLAY_H

#include "endpoint.h"

/* The endpoint of another node that has an address; NULL: none that is known, or no overlay. */
static __always_inline struct wf_remote_value *wf_remote_find(const struct wf_addr *addr)
{
	const struct wf_node_value *self = wf_map_node(WF_NODE_SELF);
	struct wf_addr_key key = { .network = WF_NETWORK_HOST, .addr = *addr };

	return wf_unlikely(self && self->ifindex) ? wf_map_remote(&key) : NULL;
}

/* Sends to the node of an endpoint that was found; judged already. Action or -reason. */
static __always_inline int wf_to_remote(struct wf_ctx *ctx, __u32 from,
					const struct wf_remote_value *remote)
{
	const struct wf_node_value *self = wf_map_node(WF_NODE_SELF);
	const struct wf_node_value *node = wf_map_node(remote->node);

	if (!self || !self->ifindex || !node ||
	    !(node->underlay.halves[0] | node->underlay.halves[1]))
		return -WF_REASON_NODE_UNKNOWN;
	if (wf_tunnel_set(ctx, remote->network, &node->underlay) < 0)
		return -WF_REASON_INTERNAL_ERROR;
	wf_traffic_count(from, WF_SLOT_NOBODY, wf_ctx_len(ctx));
	return wf_redirect(self->ifindex);
}

#endif
