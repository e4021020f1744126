/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * What comes through the tunnel. Taken only from nodes that are known, only for networks of the
 * overlay, and only from addresses that the sending node or its endpoints have. What is not from a node
 * may be from a VXLAN endpoint of a network's routes (from_vtep.h).
 */
#ifndef WEFT_BPF_FROM_OVERLAY_H
#define WEFT_BPF_FROM_OVERLAY_H

#include "from_host.h"
#include "from_vtep.h"
#include "seal.h"
#include "via.h"

/*
 * The network that the packet is in, the number of the node that sent it, and whether it came
 * through WireGuard, which says so by the mark: 0 or -reason.
 */
static __always_inline int wf_overlay_origin(struct wf_ctx *ctx, __u32 *ret_vni, __u32 *ret_node,
					     int *ret_sealed)
{
	__u32 mark = wf_ctx_mark(ctx);
	struct wf_addr outer;
	__u32 *node;

	*ret_sealed = !!(mark & WF_MARK_SEALED);
	if (*ret_sealed)
		wf_ctx_set_mark(ctx, mark & ~(__u32)WF_MARK_SEALED);
	if (wf_tunnel_get(ctx, ret_vni, &outer) < 0)
		return -WF_REASON_OVERLAY_FOREIGN;
	if (wf_is_tunnel_address(&outer) != *ret_sealed)
		return -WF_REASON_OVERLAY_FOREIGN;
	node = wf_map_member(&outer);
	if (!node)
		return -WF_REASON_OVERLAY_FOREIGN;
	*ret_node = *node;
	return 0;
}

/* Whether the sending node may send from that address to that network: 0 or -reason. */
static __always_inline int wf_overlay_check_source(const struct wf_ip *ip, __u32 node, __u32 vni,
						   const struct wf_net_value *network, int sealed)
{
	__u32 scope = wf_network_scope(network, vni);
	struct wf_remote_value *remote = wf_remote_find_in(scope, &ip->src);

	if (!remote || remote->node != node)
		return -WF_REASON_OVERLAY_SPOOFED;
	if (!sealed && (network->flags & WF_NET_ENCRYPTED ||
			(remote->network != vni && wf_network_is_sealed(remote->network))))
		return -WF_REASON_OVERLAY_CLEAR;
	return remote->network == vni ? 0 : wf_check_remote(network, remote);
}

/*
 * To whoever has the address in the network here; the host itself talks to nodes alone. Action,
 * WF_NEXT(), WF_TOLD() or -reason.
 */
static __always_inline int wf_overlay_deliver(struct wf_ctx *ctx, struct wf_work *work, __u32 vni,
					      __u32 node, const struct wf_net_value *network,
					      __u32 hook)
{
	struct wf_addr_value *value = wf_address_find(vni, &work->ip.dst);
	int reason = -WF_REASON_NO_SUCH_ADDRESS;
	struct wf_ep_value *endpoint;

	if (!value && node != WF_NODE_SELF && wf_door_is(network, &work->ip, &work->ip.dst)) {
		work->guard.way = WF_WAY_OUT;
		return WF_NEXT(WF_STAGE_DOOR);
	}
	if (!value)
		return network->flags & WF_NET_VTEPS && node != WF_NODE_SELF
			       ? wf_via_arrive(ctx, &work->ip, vni)
			       : reason;
	if (value->slot == WF_SLOT_HOST)
		return node == WF_NODE_SELF ? reason : wf_node_receive(ctx, work, hook);
	endpoint = wf_endpoint_ready(value->slot, &reason);
	if (!endpoint)
		return reason;
	return wf_host_hand_over(ctx, work, network, value->slot, endpoint, hook);
}

/* How a packet of another node came, as wf_overlay_enter() is told. */
enum wf_overlay_seal {
	WF_OVERLAY_CLEAR,
	WF_OVERLAY_SEALED, /* through WireGuard */
	WF_OVERLAY_SEALED_KNOWN /* the same, and its source was found to be the node's, in that network */
};

/*
 * A packet that a node sent to a network, without its outer headers; WF_NODE_SELF: somebody else who
 * may, its source was looked at. Action, WF_NEXT(), WF_TOLD() or -reason.
 */
static __always_inline int wf_overlay_enter(struct wf_ctx *ctx, struct wf_work *work, __u32 vni,
					    __u32 node, int sealed, __u32 hook)
{
	struct wf_net_value *network = wf_network_valid(vni);
	int r;

	if (!wf_network_is_tunnelled(network))
		return -WF_REASON_NO_NETWORK;
	work->guard.scope = wf_network_scope(network, vni);
	r = wf_parse_host_packet(ctx, &work->ip);
	if (r == 0 && node != WF_NODE_SELF && sealed != WF_OVERLAY_SEALED_KNOWN)
		r = wf_overlay_check_source(&work->ip, node, vni, network, sealed);
	if (r == -WF_REASON_OVERLAY_SPOOFED && network->flags & WF_NET_VTEPS) {
		r = wf_via_check_source(&work->ip, node, vni, sealed);
		node = WF_NODE_SELF;
	}
	return r < 0 ? r : wf_overlay_deliver(ctx, work, vni, node, network, hook);
}

/* The program's logic: action, WF_NEXT(), WF_TOLD() or -reason. */
static __always_inline int wf_from_overlay(struct wf_ctx *ctx)
{
	struct wf_work *work = wf_work_begin(WF_SLOT_HOST, WF_HOOK_FROM_OVERLAY);
	__u32 vni = 0, node = WF_NODE_SELF;
	int sealed = 0;
	int r = wf_overlay_origin(ctx, &vni, &node, &sealed);

	if (!work)
		return -WF_REASON_INTERNAL_ERROR;
	if (r == -WF_REASON_OVERLAY_FOREIGN && vni >= WF_VTEP_MIN_VNI && !sealed)
		r = wf_vtep_open(ctx, &vni);
	if (r)
		return r;
	return sealed && vni == WF_NETWORK_HOST
		       ? wf_seal_arrive(ctx, node)
		       : wf_overlay_enter(ctx, work, vni, node, sealed, WF_HOOK_FROM_OVERLAY);
}

#endif
