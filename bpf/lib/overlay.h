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

/* Whether a network's packets may go from node to node only inside WireGuard. */
static __always_inline int wf_network_is_sealed(__u32 number)
{
	const struct wf_net_value *network = wf_network_valid(number);

	return network && network->flags & WF_NET_ENCRYPTED;
}

/* The same of a packet, by the networks of both its ends. */
static __always_inline int wf_remote_is_sealed(__u32 from, const struct wf_remote_value *remote)
{
	const struct wf_ep_value *sender = wf_map_endpoint(from);

	return wf_network_is_sealed(remote->network) ||
	       (sender && sender->network != remote->network &&
		wf_network_is_sealed(sender->network));
}

/* Whether an outer address is one that only WireGuard delivers from. */
static __always_inline int wf_is_tunnel_address(const struct wf_addr *addr)
{
	return addr->words[0] == bpf_htonl(WF_TUNNEL_PREFIX_WORD0) &&
	       !((addr->words[1] ^ bpf_htonl(WF_TUNNEL_PREFIX_WORD1)) & bpf_htonl(0xffff0000));
}

static __always_inline int wf_has_addr(const struct wf_addr *addr)
{
	return (addr->halves[0] | addr->halves[1]) != 0;
}

/* Where the outer header of a packet to a node leads: 0 or -reason. */
static __always_inline int wf_remote_end(__u32 from, const struct wf_remote_value *remote,
					 const struct wf_node_value *self,
					 const struct wf_node_value *node, struct wf_addr *ret_end)
{
	if (wf_remote_is_sealed(from, remote)) {
		if (!wf_has_addr(&self->tunnels[0]) || !wf_has_addr(&node->tunnels[0]))
			return -WF_REASON_NO_TUNNEL;
		*ret_end = node->tunnels[0];
		return 0;
	}
	*ret_end = node->underlay;
	return wf_has_addr(ret_end) ? 0 : -WF_REASON_NODE_UNKNOWN;
}

/* Sends to the node of an endpoint that was found; judged already. Action or -reason. */
static __always_inline int wf_to_remote(struct wf_ctx *ctx, __u32 from,
					const struct wf_remote_value *remote)
{
	const struct wf_node_value *self = wf_map_node(WF_NODE_SELF);
	const struct wf_node_value *node = wf_map_node(remote->node);

	struct wf_addr end;
	int r;

	if (!self || !self->ifindex || !node)
		return -WF_REASON_NODE_UNKNOWN;
	r = wf_remote_end(from, remote, self, node, &end);
	if (r < 0)
		return r;
	if (wf_tunnel_set(ctx, remote->network, &end) < 0)
		return -WF_REASON_INTERNAL_ERROR;
	wf_traffic_count(from, WF_SLOT_NOBODY, wf_ctx_len(ctx));
	return wf_redirect(self->ifindex);
}

#endif
