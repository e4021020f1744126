/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The overlay: what goes to endpoints of other nodes, and what comes from there. One device, no
 * flooding, no learning: the daemon says who is where, and only what it has said is believed.
 * Between routed networks there is no tunnel where both nodes are on one segment.
 */
#ifndef WEFT_BPF_OVERLAY_H
#define WEFT_BPF_OVERLAY_H

#include "endpoint.h"
#include "tunnel.h"

/* The endpoint of another node that has an address in a scope; NULL: none is known, or no overlay. */
static __always_inline struct wf_remote_value *wf_remote_find_in(__u32 scope,
								 const struct wf_addr *addr)
{
	const struct wf_node_value *self = wf_map_node(WF_NODE_SELF);
	struct wf_addr_key key = { .network = scope, .addr = *addr };

	return wf_unlikely(self && self->ifindex) ? wf_map_remote(&key) : NULL;
}

/* The same in the host's view. */
static __always_inline struct wf_remote_value *wf_remote_find(const struct wf_addr *addr)
{
	return wf_remote_find_in(WF_NETWORK_HOST, addr);
}

/* Whether a network's packets may go from node to node only inside WireGuard. */
static __always_inline int wf_network_is_sealed(__u32 number)
{
	const struct wf_net_value *network = wf_network_valid(number);

	return network && network->flags & WF_NET_ENCRYPTED;
}

/* The same of a packet, by the networks of both its ends; network: the remote's. */
static __always_inline int wf_remote_is_sealed(__u32 from, const struct wf_net_value *network,
					       const struct wf_remote_value *remote)
{
	const struct wf_ep_value *sender;

	if (network->flags & WF_NET_ENCRYPTED)
		return 1;
	sender = wf_map_endpoint(from);
	return sender && sender->network != remote->network &&
	       wf_network_is_sealed(sender->network);
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

/* Where the outer header of a packet leads that may not be seen: 0 or -reason. */
static __always_inline int wf_sealed_end(const struct wf_node_value *self,
					 const struct wf_node_value *node, struct wf_addr *ret_end)
{
	if (!wf_has_addr(&self->tunnels[0]) || !wf_has_addr(&node->tunnels[0]))
		return -WF_REASON_NO_TUNNEL;
	*ret_end = node->tunnels[0];
	return 0;
}

/*
 * Whether WireGuard can take a container's packet as it is: both ends are in the encrypted network,
 * and the device knows the receiver's address, as the other node's does the sender's.
 */
static __always_inline int wf_is_bound(__u32 from, const struct wf_net_value *network,
				       const struct wf_node_value *self,
				       const struct wf_remote_value *remote)
{
	const struct wf_ep_value *sender = wf_map_endpoint(from);

	return self->out_ifindex && remote->flags & WF_REMOTE_BOUND &&
	       network->flags & WF_NET_ENCRYPTED && from != WF_SLOT_HOST && sender &&
	       sender->network == remote->network;
}

/* Whether what the sender sends to such a network may be seen on the wire: both are routed. */
static __always_inline int wf_may_be_plain(__u32 from, const struct wf_remote_value *remote,
					   const struct wf_net_value *network)
{
	struct wf_ep_value *sender;
	struct wf_net_value *own;

	if (!(network->flags & WF_NET_ROUTED) || remote->flags & WF_REMOTE_OUTER)
		return 0;
	sender = wf_map_endpoint(from);
	if (!sender || sender->network == remote->network || from == WF_SLOT_HOST)
		return 1;
	own = wf_network_valid(sender->network);
	return own && own->flags & WF_NET_ROUTED;
}

/* Where on the segment that both are on a packet goes to a node as it is; NULL: there is no such way. */
static __always_inline const struct wf_addr *wf_near_hop(const struct wf_ctx *ctx,
							 const struct wf_node_value *node)
{
	const struct wf_addr *next = &node->underlay;

	if (!node->ifindex)
		return NULL;
	if (!wf_ctx_is_ip6(ctx) || next->halves[0])
		return next;
	next = &node->next_hop;
	return next->halves[0] ? next : NULL;
}

/*
 * Sends to a node over the segment that both are on, as the packet is: its time to live too, for a
 * network is one link to its containers. The action; 0: there is no such way. A function of its own:
 * the compiler would merge what its callers do with the mark, which the verifier does not follow.
 */
WF_GLOBAL int wf_to_near(struct wf_ctx *ctx, __u32 from, __u32 number)
{
	const struct wf_node_value *node = wf_map_node(number);
	const struct wf_addr *next = node ? wf_near_hop(ctx, node) : NULL;
	struct wf_hop hop = {};

	if (!next)
		return 0;
	wf_hop_set(&hop, node->ifindex, next);
	wf_traffic_count(from, WF_SLOT_NOBODY, wf_ctx_len(ctx));
	wf_ctx_set_mark(ctx, WF_MARK_NEAR);
	return wf_redirect_hop(&hop);
}

/* By the ways that anybody on the wire may see: the action, 0: the device has to, or -reason. */
static __always_inline int wf_to_clear(struct wf_ctx *ctx, __u32 from,
				       const struct wf_net_value *network,
				       const struct wf_remote_value *remote)
{
	int r = wf_may_be_plain(from, remote, network) ? wf_to_near(ctx, from, remote->node) : 0;

	if (r)
		return r;
	if (network->flags & WF_NET_PLAIN)
		return -WF_REASON_NODE_BEHIND_ROUTER;
	return wf_to_tunnel(ctx, from, remote->node, remote->network);
}

/*
 * Sends to the node of an endpoint that was found; judged already. Which way is decided here and
 * nowhere else. Action or -reason.
 */
static __always_inline int wf_to_remote(struct wf_ctx *ctx, __u32 from,
					const struct wf_remote_value *remote)
{
	const struct wf_net_value *network = wf_network_valid(remote->network);
	const struct wf_node_value *self = wf_map_node(WF_NODE_SELF);
	const struct wf_node_value *node = wf_map_node(remote->node);
	struct wf_addr end;
	int r;

	if (!self || !self->ifindex || !node || !wf_has_addr(&node->underlay))
		return -WF_REASON_NODE_UNKNOWN;
	if (!network)
		return -WF_REASON_NO_NETWORK;
	if (wf_remote_is_sealed(from, network, remote)) {
		if (wf_is_bound(from, network, self, remote)) {
			wf_traffic_count(from, WF_SLOT_NOBODY, wf_ctx_len(ctx));
			return wf_redirect(self->out_ifindex);
		}
		r = network->flags & WF_NET_PLAIN ? -WF_REASON_NODE_BEHIND_ROUTER
						  : wf_sealed_end(self, node, &end);
	} else {
		end = node->underlay;
		r = wf_to_clear(ctx, from, network, remote);
	}
	if (r)
		return r;
	wf_traffic_count(from, WF_SLOT_NOBODY, wf_ctx_len(ctx));
	return wf_to_device(ctx, remote->network, &end);
}

#endif
