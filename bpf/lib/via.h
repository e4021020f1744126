/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Routes of a network by way of one of its own endpoints, the gateway (stage WF_STAGE_VIA). What the
 * network's containers send there goes to whoever has the gateway's address now. He alone may send
 * from there, and to containers of the network alone. What passes a gateway is between the two ends:
 * policies know the end behind it by its address, and those about the gateway are not asked.
 *
 * Behind the gateway of a default route is whoever is beyond weft: what nobody in it has, and what no
 * subnet of the network holds. What the gateway itself sends there has the node's way out, and so have
 * answers to whoever came in by the node.
 */
#ifndef WEFT_BPF_VIA_H
#define WEFT_BPF_VIA_H

#include "deliver.h"
#include "from_container.h"
#include "out.h"
#include "work.h"

/* Whether an address is of somebody who is known, so that no route is about it. */
static __always_inline int wf_via_is_known(__u32 scope, const struct wf_addr *addr)
{
	return wf_address_find(scope, addr) || wf_remote_find_in(scope, addr);
}

/* The route of a network to an address that leads by way of a gateway; NULL: none does. */
static __always_inline struct wf_vtep_value *wf_via_find(__u32 number, const struct wf_addr *addr)
{
	struct wf_vtep_value *route = wf_net_route_find(number, addr);

	return route && !route->vni ? route : NULL;
}

/* Whether whoever is beyond weft can have an address, of which nobody is known to have it. */
WF_GLOBAL int wf_via_is_beyond(__u32 number, const struct wf_addr *addr)
{
	struct wf_net_value *network = wf_network_valid(number);
	struct wf_ip ip = {};

	if (!network || !addr)
		return 0;
	ip.dst = *addr;
	ip.version = wf_addr_is_mapped(&ip.dst) ? 4 : 6;
	return wf_classify(&ip) == 0 && wf_classify_subnet(network, &ip) == 0;
}

/* The same to an address that is of nobody: only such are behind a gateway. */
static __always_inline struct wf_vtep_value *wf_via_behind(__u32 scope, __u32 number,
							   const struct wf_addr *addr)
{
	struct wf_vtep_value *route = wf_via_find(number, addr);

	if (!route || wf_via_is_known(scope, addr))
		return NULL;
	return route->flags & WF_VTEP_DEFAULT && !wf_via_is_beyond(number, addr) ? NULL : route;
}

/* Into the gateway's endpoint on this node, as if the network's gateway had sent it: action or -reason. */
static __always_inline int wf_via_enter(struct wf_ctx *ctx, __u32 from,
					const struct wf_net_value *network,
					const struct wf_addr_value *value)
{
	int reason = -WF_REASON_NO_ROUTER;
	struct wf_ep_value *peer;

	if (!value || value->slot == WF_SLOT_HOST || value->slot == from)
		return reason;
	peer = wf_endpoint_ready(value->slot, &reason);
	return peer ? wf_to_endpoint(ctx, from, network, value->slot, peer) : reason;
}

/* Whether an address, of IP version 4 or 6, is behind the endpoint: its route leads there. */
static __always_inline int wf_via_is_behind(const struct wf_ep_value *endpoint, __u32 slot,
					    __u32 version, const struct wf_addr *addr)
{
	struct wf_vtep_value *route = wf_via_behind(endpoint->scope, endpoint->network, addr);

	return route && wf_endpoint_has(endpoint, slot, version, &route->addr);
}

/* The same of the endpoint in a slot, which tells of what became of packets for that address. */
WF_GLOBAL int wf_via_speaks_for(__u32 slot, __u32 version, const struct wf_addr *addr)
{
	struct wf_ep_value *endpoint = wf_map_endpoint(slot);
	struct wf_addr end;

	if (!endpoint || !addr)
		return 0;
	/* before Linux 6.2 a key may not lie in the memory of a function's argument */
	end = *addr;
	return wf_via_is_behind(endpoint, slot, version, &end);
}

/* Leaves the node of an address, which is that of an endpoint of the network, in work->hop: 1, or 0. */
static __always_inline int wf_via_hop(struct wf_work *work, const struct wf_net_value *network,
				      __u32 number, const struct wf_addr *addr)
{
	struct wf_remote_value *remote = wf_remote_find_in(wf_network_scope(network, number), addr);

	if (!remote || remote->network != number)
		return 0;
	work->hop.node = remote->node;
	work->hop.network = number;
	/* nobody on the way would know whose the other end's address is: never as it is */
	work->hop.flags = WF_REMOTE_OUTER;
	return 1;
}

/*
 * Sends what a slot sent, judged already, to a route's gateway: the action, or -reason.
 * WF_GO_TO_HOP: that is on the node in work->hop, nothing was changed.
 */
WF_GLOBAL int wf_to_via(struct wf_ctx *ctx, __u32 from, __u32 number,
			const struct wf_vtep_value *route)
{
	struct wf_net_value *network = wf_network_valid(number);
	struct wf_work *work = wf_map_work();
	struct wf_addr_value *value;
	struct wf_addr addr;

	if (!network || !work || !route)
		return -WF_REASON_INTERNAL_ERROR;
	/* before Linux 6.2 a key may not lie in the memory of a function's argument */
	addr = route->addr;
	value = wf_address_find(number, &addr);
	if (!value && wf_via_hop(work, network, number, &addr))
		return WF_GO_TO_HOP;
	return wf_via_enter(ctx, from, network, value);
}

/* ---- the stage: what a container sends ------------------------------------------------------------ */

/* The container that sends. */
struct wf_via_sender {
	__u32 slot;
	const struct wf_ep_value *endpoint;
	const struct wf_net_value *network;
};

/* Whether the packet answers somebody who came in by an uplink of the node, in whatever way. */
static __always_inline int wf_via_is_answer(struct wf_ctx *ctx, struct wf_work *work)
{
	return wf_flow_read(ctx, &work->ip, WF_SITE_EDGE, &work->flow) == 0 &&
	       wf_conn_find(&work->flow.tuple, &work->hit) && work->hit.dir == WF_DIR_REPLY;
}

/* Whether a default route is not about a packet: the gateway's own, and answers. */
static __always_inline int wf_via_leaves(struct wf_ctx *ctx, const struct wf_via_sender *sender,
					 struct wf_work *work, const struct wf_addr *gateway)
{
	return wf_endpoint_has(sender->endpoint, sender->slot, work->ip.version, gateway) ||
	       wf_via_is_answer(ctx, work);
}

/* To the gateway, if policies let it. Action, WF_NEXT(WF_STAGE_POLICY) or -reason. */
static __always_inline int wf_via_out(struct wf_ctx *ctx, const struct wf_via_sender *sender,
				      struct wf_work *work)
{
	__u32 number = sender->endpoint->network, flags = sender->endpoint->flags;
	struct wf_vtep_value *route = wf_via_find(number, &work->ip.dst);
	int r;

	if (!route)
		return -WF_REASON_NO_SUCH_ADDRESS;
	if (route->flags & WF_VTEP_DEFAULT && wf_via_leaves(ctx, sender, work, &route->addr))
		return wf_to_host_guarded(ctx, wf_ctx_eth(ctx), sender->slot, sender->endpoint,
					  &work->ip, 0);
	if (wf_guard_cares(ctx, flags)) {
		/* who only asks is to hear of it, too */
		if (!wf_via_is_known(sender->endpoint->scope, &route->addr))
			return -WF_REASON_NO_ROUTER;
		r = wf_guard(ctx, &work->ip, sender->slot, WF_SLOT_NOBODY,
			     WF_GUARD_HOW(WF_WAY_REMOTE, WF_HOOK_FROM_CONTAINER, flags) |
				     WF_GUARD_IN(sender->endpoint->scope));
		if (r)
			return r;
	}
	r = wf_to_via(ctx, sender->slot, number, route);
	return r == WF_GO_TO_HOP ? wf_to_remote_fitting(ctx, &work->ip, sender->slot, &work->hop)
				 : r;
}

/* From behind the gateway that sends it to a container of the network, as wf_via_out(). */
static __always_inline int wf_via_in(struct wf_ctx *ctx, const struct wf_via_sender *sender,
				     struct wf_work *work)
{
	struct wf_addr_value *value = wf_address_find(sender->endpoint->network, &work->ip.dst);
	int r = -WF_REASON_SPOOFED_IP;
	struct wf_ep_value *peer;

	if (!value)
		return wf_via_hop(work, sender->network, sender->endpoint->network, &work->ip.dst)
			       ? wf_to_remote_fitting(ctx, &work->ip, sender->slot, &work->hop)
			       : r;
	if (value->slot == WF_SLOT_HOST || value->slot == sender->slot)
		return r;
	peer = wf_endpoint_ready(value->slot, &r);
	if (!peer)
		return r;
	r = wf_address_frame(ctx, sender->network, peer);
	if (r == 0 && wf_guard_cares(ctx, peer->flags))
		r = wf_guard(ctx, &work->ip, WF_SLOT_NOBODY, value->slot,
			     WF_GUARD_HOW(WF_WAY_PEER, WF_HOOK_FROM_CONTAINER, peer->flags) |
				     WF_GUARD_IN(peer->scope));
	return r ? r : wf_to_peer(ctx, sender->slot, value->slot, peer);
}

/*
 * The stage's logic: action, WF_TOLD(), WF_NEXT(WF_STAGE_POLICY) or -reason. All but the source was
 * checked before.
 */
static __always_inline int wf_via(struct wf_ctx *ctx, struct wf_work *work)
{
	struct wf_via_sender sender = { .slot = work->slot };
	int r = -WF_REASON_INTERNAL_ERROR;

	sender.endpoint = wf_endpoint_ready(work->slot, &r);
	if (!sender.endpoint)
		return r;
	sender.network = wf_network_valid(sender.endpoint->network);
	if (!sender.network)
		return -WF_REASON_NO_NETWORK;
	r = wf_work_parse(ctx, ETH_HLEN, &work->ip);
	if (r < 0)
		return r;
	if (wf_endpoint_has(sender.endpoint, sender.slot, work->ip.version, &work->ip.src))
		return wf_net_hides(sender.network) ? wf_out(ctx, work, sender.endpoint->scope)
						    : wf_via_out(ctx, &sender, work);
	return wf_via_is_behind(sender.endpoint, sender.slot, work->ip.version, &work->ip.src)
		       ? wf_via_in(ctx, &sender, work)
		       : -WF_REASON_SPOOFED_IP;
}

/* ---- what another node sends ---------------------------------------------------------------------- */

/*
 * Whether a node may send from that address to that network because the gateway that the address
 * is behind is there: 0 or -reason.
 */
WF_GLOBAL int wf_via_check_source(const struct wf_ip *ip, __u32 node, __u32 number, __u32 sealed)
{
	struct wf_net_value *network = wf_network_valid(number);
	struct wf_remote_value *remote;
	struct wf_vtep_value *route;
	struct wf_addr addr;
	__u32 scope;

	if (!ip || !network)
		return -WF_REASON_NO_NETWORK;
	scope = wf_network_scope(network, number);
	addr = ip->src;
	route = wf_via_behind(scope, number, &addr);
	if (!route)
		return -WF_REASON_OVERLAY_SPOOFED;
	addr = route->addr;
	remote = wf_remote_find_in(scope, &addr);
	if (!remote || remote->node != node || remote->network != number)
		return -WF_REASON_OVERLAY_SPOOFED;
	return !sealed && network->flags & WF_NET_ENCRYPTED ? -WF_REASON_OVERLAY_CLEAR : 0;
}

/*
 * From a container of the network on another node, whose source was looked at, to an address that
 * nobody has here: to the gateway, if a route says so and it is here. Action or -reason.
 */
WF_GLOBAL int wf_via_arrive(struct wf_ctx *ctx, const struct wf_ip *ip, __u32 number)
{
	struct wf_net_value *network = wf_network_valid(number);
	struct wf_remote_value *sender;
	struct wf_vtep_value *route;
	struct wf_addr addr;
	__u32 scope;

	if (!ip || !network)
		return -WF_REASON_NO_NETWORK;
	scope = wf_network_scope(network, number);
	addr = ip->src;
	sender = wf_remote_find_in(scope, &addr);
	addr = ip->dst;
	route = wf_via_behind(scope, number, &addr);
	if (!sender || sender->network != number || !route)
		return -WF_REASON_NO_SUCH_ADDRESS;
	addr = route->addr;
	return wf_via_enter(ctx, WF_SLOT_HOST, network, wf_address_find(number, &addr));
}

#endif
