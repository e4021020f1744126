/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The way of a packet that a container sent and that has passed all checks: to another
 * container, to the host, or nowhere. The bulk goes through wf_deliver() and wf_to_peer() with
 * one hash look-up and without a byte changed.
 */
#ifndef WEFT_BPF_DELIVER_H
#define WEFT_BPF_DELIVER_H

#include <weft/abi/conn.h>

#include "beyond.h"
#include "endpoint.h"
#include "finish.h"
#include "frame.h"
#include "guard.h"
#include "overlay.h"
#include "too_big.h"
#include "vtep.h"

/* Hands over to an endpoint whose frame is as it should be; returns the action or -reason. */
static __always_inline int wf_to_peer(struct wf_ctx *ctx, __u32 from, __u32 to,
				      const struct wf_ep_value *peer)
{
	if (wf_ctx_set_type_host(ctx) < 0)
		return -WF_REASON_INTERNAL_ERROR;
	wf_traffic_count(from, to, wf_ctx_len(ctx));
	return wf_redirect_peer(ctx, peer->ifindex);
}

/* The frame's Ethernet header again, after packet pointers became void; NULL: there is none. */
static __always_inline const struct ethhdr *wf_ctx_eth(struct wf_ctx *ctx)
{
	const struct ethhdr *eth = wf_ctx_data(ctx);

	return (const void *)(eth + 1) <= wf_ctx_end(ctx) ? eth : NULL;
}

/*
 * Hands over to the host's stack, as received on weft0. Not by bpf_redirect_peer(): that refuses
 * a peer in the namespace the packet is in. The stack looks at the destination MAC again, so it
 * has to be weft0's; the daemon lets gateways have that one and nothing is written here.
 */
static __always_inline int wf_to_host(struct wf_ctx *ctx, const struct ethhdr *eth, __u32 from)
{
	struct wf_config_value *config = wf_map_config();
	int reason = -WF_REASON_NOT_READY;
	struct wf_ep_value *host = wf_endpoint_ready(WF_SLOT_HOST, &reason);

	if (!host || !config || !config->host_ifindex)
		return reason;
	if ((!eth || !wf_mac_same(eth->h_dest, host->mac)) &&
	    wf_ctx_store(ctx, 0, host->mac, ETH_ALEN) < 0)
		return -WF_REASON_INTERNAL_ERROR;
	wf_traffic_count(from, WF_SLOT_HOST, wf_ctx_len(ctx));
	return wf_redirect_ingress(config->host_ifindex);
}

/* From a container to whoever is beyond the host and has the packet's destination. */
static __always_inline int wf_to_world(struct wf_ctx *ctx, const struct ethhdr *eth,
				       struct wf_ip *ip, __u32 from)
{
	int r;

	if (!wf_may_bypass(wf_map_config()))
		return wf_to_host(ctx, eth, from);
	r = wf_beyond_send(ctx, ip);
	if (r == WF_GO_ON)
		return wf_to_host(ctx, wf_ctx_eth(ctx), from);
	wf_traffic_count(from, WF_SLOT_HOST, wf_ctx_len(ctx));
	return r;
}

/* Whether endpoints of two networks may talk to each other: 0 or -reason. */
static __always_inline int wf_check_networks(const struct wf_net_value *network,
					     const struct wf_net_value *other)
{
	__u32 flags = network->flags | other->flags;

	if (other != network && flags & WF_NET_ISOLATED)
		return -WF_REASON_NETWORK_ISOLATED;
	if (other != network && flags & WF_NET_INTERNAL)
		return -WF_REASON_NETWORK_INTERNAL;
	return 0;
}

/* The MACs of a frame that the network's gateway sends to the endpoint. */
static __always_inline void wf_address_macs(const struct wf_net_value *network,
					    const struct wf_ep_value *peer,
					    struct wf_macs *ret_macs)
{
	__builtin_memcpy(ret_macs->dst, peer->mac, ETH_ALEN);
	__builtin_memcpy(ret_macs->src, network->gateway_mac, ETH_ALEN);
}

/* Makes the frame such a one. 0 or -reason. */
static __always_inline int wf_address_frame(struct wf_ctx *ctx, const struct wf_net_value *network,
					    const struct wf_ep_value *peer)
{
	struct wf_macs macs;

	wf_address_macs(network, peer, &macs);
	return wf_ctx_store(ctx, 0, &macs, sizeof(macs)) < 0 ? -WF_REASON_INTERNAL_ERROR : 0;
}

/* To an endpoint of some network, as if its gateway had forwarded it; judged already. */
static __always_inline int wf_to_endpoint(struct wf_ctx *ctx, __u32 from,
					  const struct wf_net_value *network, __u32 to,
					  const struct wf_ep_value *peer)
{
	int r = wf_address_frame(ctx, network, peer);

	return r < 0 ? r : wf_to_peer(ctx, from, to, peer);
}

/* The same for what the host or somebody outside sends: if policies let it. */
static __always_inline int wf_to_endpoint_guarded(struct wf_ctx *ctx, const struct wf_ip *ip,
						  const struct wf_net_value *network, __u32 to,
						  const struct wf_ep_value *peer, __u32 hook)
{
	int r = wf_address_frame(ctx, network, peer);
	__u32 flags;

	if (r < 0)
		return r;
	flags = peer->flags | wf_host_flags();
	if (wf_guard_cares(ctx, flags)) {
		r = wf_guard(ctx, ip, WF_SLOT_NOBODY, to,
			     WF_GUARD_HOW(WF_WAY_PEER, hook, flags) | WF_GUARD_IN(peer->scope));
		if (r)
			return r;
	}
	return wf_to_peer(ctx, WF_SLOT_HOST, to, peer);
}

/*
 * From a container whose frame is as it should be to the host, or to whom it routes to: then
 * nothing is known of the destination.
 */
static __always_inline int wf_to_host_guarded(struct wf_ctx *ctx, const struct ethhdr *eth,
					      __u32 slot, const struct wf_ep_value *endpoint,
					      struct wf_ip *ip, int is_known)
{
	__u32 flags = endpoint->flags | wf_host_flags();

	if (wf_guard_cares(ctx, flags)) {
		int r = wf_guard(ctx, ip, slot, WF_SLOT_HOST,
				 WF_GUARD_HOW(WF_WAY_HOST, WF_HOOK_FROM_CONTAINER, flags));

		if (r)
			return r;
		eth = wf_ctx_eth(ctx);
	}
	return is_known ? wf_to_host(ctx, eth, slot) : wf_to_world(ctx, eth, ip, slot);
}

/* The same to another container, whose endpoint is in service. */
static __always_inline int wf_to_peer_guarded(struct wf_ctx *ctx, __u32 slot, __u32 flags,
					      const struct wf_ip *ip, __u32 to,
					      const struct wf_ep_value *peer)
{
	flags |= peer->flags;
	if (wf_guard_cares(ctx, flags)) {
		int r = wf_guard(ctx, ip, slot, to,
				 WF_GUARD_HOW(WF_WAY_PEER, WF_HOOK_FROM_CONTAINER, flags) |
					 WF_GUARD_IN(peer->scope));

		if (r)
			return r;
	}
	return wf_to_peer(ctx, slot, to, peer);
}

/* Whether those of a network and an endpoint of another node may talk to each other: 0 or -reason. */
static __always_inline int wf_check_remote(const struct wf_net_value *network,
					   const struct wf_remote_value *remote)
{
	struct wf_net_value *other = wf_network_valid(remote->network);

	return other ? wf_check_networks(network, other) : -WF_REASON_NO_NETWORK;
}

/* To an endpoint of another node, if its network and the sender's allow it. */
static __always_inline int wf_to_remote_guarded(struct wf_ctx *ctx, __u32 from,
						const struct wf_ep_value *endpoint,
						struct wf_ip *ip,
						const struct wf_remote_value *remote)
{
	int r = 0;

	if (remote->network != endpoint->network) {
		struct wf_net_value *network = wf_network_valid(endpoint->network);

		r = network ? wf_check_remote(network, remote) : -WF_REASON_NO_NETWORK;
	}
	if (r == 0 && wf_guard_cares(ctx, endpoint->flags))
		r = wf_guard(ctx, ip, from, WF_SLOT_NOBODY,
			     WF_GUARD_HOW(WF_WAY_REMOTE, WF_HOOK_FROM_CONTAINER, endpoint->flags) |
				     WF_GUARD_IN(endpoint->scope));
	return r ? r : wf_to_remote_fitting(ctx, ip, from, remote);
}

/* To an endpoint of another network, if both allow it. */
static __always_inline int wf_to_other_network(struct wf_ctx *ctx, __u32 from, __u32 flags,
					       const struct wf_ip *ip,
					       const struct wf_net_value *network, __u32 to)
{
	int reason = -WF_REASON_INTERNAL_ERROR;
	struct wf_ep_value *peer = wf_endpoint_ready(to, &reason);
	struct wf_net_value *other;
	int r;

	if (!peer)
		return reason;
	other = wf_network_valid(peer->network);
	if (!other)
		return -WF_REASON_NO_NETWORK;
	r = wf_check_networks(network, other);
	if (r == 0)
		r = wf_address_frame(ctx, other, peer);
	return r < 0 ? r : wf_to_peer_guarded(ctx, from, flags, ip, to, peer);
}

/* By a route of the network, if policies let it: action, WF_NEXT(), -reason; WF_GO_ON: there is none. */
static __always_inline int wf_to_route_guarded(struct wf_ctx *ctx, __u32 from,
					       const struct wf_ep_value *endpoint,
					       const struct wf_ip *ip)
{
	struct wf_vtep_value *route = wf_net_route_find(endpoint->network, &ip->dst);

	if (!route)
		return WF_GO_ON;
	if (!route->vni)
		return WF_NEXT(WF_STAGE_VIA);
	if (wf_guard_cares(ctx, endpoint->flags)) {
		int r = wf_guard(
			ctx, ip, from, WF_SLOT_NOBODY,
			WF_GUARD_HOW(WF_WAY_REMOTE, WF_HOOK_FROM_CONTAINER, endpoint->flags));

		if (r)
			return r;
	}
	return wf_to_vtep(ctx, from, route);
}

/* The destination is no address of the sender's own network; value: what its scope knows of it. */
static __always_inline int wf_deliver_elsewhere(struct wf_ctx *ctx, const struct ethhdr *eth,
						__u32 slot, const struct wf_ep_value *endpoint,
						struct wf_ip *ip, const struct wf_addr_value *value)
{
	struct wf_net_value *network;
	int r = wf_classify(ip);

	if (r < 0)
		return r;
	network = wf_network_valid(endpoint->network);
	if (!network)
		return -WF_REASON_NO_NETWORK;
	r = wf_classify_subnet(network, ip);
	if (r < 0)
		return r;
	if (value && !(value->flags & WF_ADDR_GATEWAY) && value->slot != WF_SLOT_HOST)
		return wf_to_other_network(ctx, slot, endpoint->flags, ip, network, value->slot);
	if (wf_unlikely(network->flags & WF_NET_VTEPS) && !value) {
		r = wf_to_route_guarded(ctx, slot, endpoint, ip);
		if (r != WF_GO_ON)
			return r;
		eth = wf_ctx_eth(ctx);
	}
	if (network->flags & WF_NET_INTERNAL)
		return wf_net_hides(network) && !value ? WF_NEXT(WF_STAGE_VIA)
						       : -WF_REASON_NETWORK_INTERNAL;
	return wf_to_host_guarded(ctx, eth, slot, endpoint, ip, !!value);
}

/* The endpoint of another node that has the address, if the sender can reach any; or NULL. */
static __always_inline struct wf_remote_value *wf_remote_for(const struct wf_ep_value *endpoint,
							     const struct wf_addr *addr)
{
	return wf_unlikely(endpoint->flags & WF_EP_OVERLAY)
		       ? wf_remote_find_in(endpoint->scope, addr)
		       : NULL;
}

/*
 * The endpoint that was sent to last, if this packet is for it as well; NULL otherwise. Spares the
 * address look-up for most packets. The endpoint table alone decides: an endpoint in service that
 * has the destination is what the address table would have named.
 */
static __always_inline struct wf_ep_value *
wf_peer_guess(__u32 to, const struct wf_ep_value *endpoint, const struct wf_ip *ip)
{
	struct wf_ep_value *peer = wf_map_endpoint(to);
	const struct wf_addr *own;
	__u32 flags;

	if (!peer)
		return NULL;
	own = ip->version == 4 ? &peer->ip4 : &peer->ip6;
	flags = WF_EP_READY | (ip->version == 4 ? WF_EP_IPV4 : WF_EP_IPV6);
	if ((peer->flags & (flags | WF_EP_HOST)) != flags || peer->network != endpoint->network ||
	    !wf_addr_same(own, &ip->dst))
		return NULL;
	return peer;
}

/* Whether what is no container's address may be a service's, or belong to a translated flow. */
static __always_inline int wf_may_be_service(const struct wf_conn_owner *owner)
{
	struct wf_config_value *config = wf_map_config();

	return owner->calling || (config && config->flags & WF_CONFIG_SERVICES);
}

/*
 * The same, if it may have to be translated. Whatever has a service or a published port is known
 * to the host, and what belonged to one that is gone is a connection of the container's.
 */
static __always_inline int wf_deliver_unknown(struct wf_ctx *ctx, const struct ethhdr *eth,
					      __u32 slot, const struct wf_ep_value *endpoint,
					      const struct wf_conn_owner *owner, struct wf_ip *ip)
{
	struct wf_addr_value *value = wf_address_find(endpoint->scope, &ip->dst);

	if (owner->calling || (value && wf_may_be_service(owner)))
		return WF_NEXT(WF_STAGE_SERVICE);
	return wf_deliver_elsewhere(ctx, eth, slot, endpoint, ip, value);
}

/*
 * The same, if it is of a connection with somebody outside that is known, and the stack is passed by:
 * action or -reason, WF_GO_ON: it is not, or has to be looked at.
 */
static __always_inline int wf_deliver_again(struct wf_ctx *ctx, __u32 slot,
					    const struct wf_ep_value *endpoint, struct wf_ip *ip)
{
	struct wf_config_value *config = wf_map_config();
	int r;

	if (!wf_may_bypass(config) || endpoint->scope ||
	    wf_guard_cares(ctx, endpoint->flags | wf_host_flags()))
		return WF_GO_ON;
	r = wf_beyond_known(ctx, ip);
	if (r != WF_GO_ON && r >= 0)
		wf_traffic_count(slot, WF_SLOT_HOST, wf_ctx_len(ctx));
	return r;
}

/* Returns the action, WF_NEXT() or -reason. */
static __always_inline int wf_deliver(struct wf_ctx *ctx, const struct ethhdr *eth, __u32 slot,
				      const struct wf_ep_value *endpoint, struct wf_ip *ip)
{
	struct wf_traffic_value *traffic = wf_map_traffic(slot);
	struct wf_conn_owner *owner = wf_map_conn_owner(slot);
	int reason = -WF_REASON_INTERNAL_ERROR;
	struct wf_remote_value *remote;
	struct wf_addr_value *value;
	struct wf_ep_value *peer;
	__u32 to, flags;
	int r;

	if (!traffic || !owner)
		return reason;
	if (wf_unlikely(owner->backing))
		return WF_NEXT(WF_STAGE_REPLY);
	to = traffic->peer;
	peer = wf_peer_guess(to, endpoint, ip);
	if (wf_unlikely(!peer)) {
		r = owner->calling ? WF_GO_ON : wf_deliver_again(ctx, slot, endpoint, ip);
		if (r != WF_GO_ON)
			return r;
		eth = wf_ctx_eth(ctx);
		if (!eth)
			return reason;
		/* who sent to another node last most likely does so again: no address is of both */
		remote = to == WF_SLOT_NOBODY ? wf_remote_for(endpoint, &ip->dst) : NULL;
		value = remote ? NULL : wf_address_find(endpoint->network, &ip->dst);
		if (!value) {
			if (to != WF_SLOT_NOBODY)
				remote = wf_remote_for(endpoint, &ip->dst);
			traffic->peer = remote ? WF_SLOT_NOBODY : WF_SLOT_HOST;
			return remote ? wf_to_remote_guarded(ctx, slot, endpoint, ip, remote)
				      : wf_deliver_unknown(ctx, eth, slot, endpoint, owner, ip);
		}
		to = value->slot;
		if (to == WF_SLOT_HOST && (wf_may_be_service(owner) || endpoint->scope))
			return WF_NEXT(WF_STAGE_SERVICE);
		if (to == WF_SLOT_HOST)
			return wf_to_host_guarded(ctx, eth, slot, endpoint, ip, 1);
		peer = wf_endpoint_ready(to, &reason);
		if (!peer)
			return reason;
		traffic->peer = to;
	}
	if (wf_unlikely(!wf_mac_same(eth->h_dest, peer->mac)) &&
	    wf_ctx_store(ctx, 0, peer->mac, ETH_ALEN) < 0)
		return -WF_REASON_INTERNAL_ERROR;
	flags = endpoint->flags | peer->flags;
	if (wf_guard_cares(ctx, flags)) {
		r = wf_guard_here(ctx, ip, slot, to,
				  WF_GUARD_HOW(WF_WAY_PEER, WF_HOOK_FROM_CONTAINER, flags) |
					  WF_GUARD_IN(endpoint->scope));
		if (r)
			return r;
	}
	return wf_to_peer(ctx, slot, to, peer);
}

#endif
