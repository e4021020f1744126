/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Endpoints, their addresses and their counters. */
#ifndef WEFT_BPF_ENDPOINT_H
#define WEFT_BPF_ENDPOINT_H

#include "classify.h"
#include "packet.h"

/* The slot of the device the program runs on; WF_MAX_SLOTS or more when it is none of ours. */
static __always_inline __u32 wf_slot_of(const struct wf_ctx *ctx)
{
	return wf_ctx_ifindex(ctx) - WF_IFINDEX_BASE;
}

/* The endpoint of a slot; NULL, with the reason, unless it is in service. */
static __always_inline struct wf_ep_value *wf_endpoint_ready(__u32 slot, int *ret_reason)
{
	struct wf_ep_value *endpoint = wf_map_endpoint(slot);

	if (wf_likely(endpoint && endpoint->flags & WF_EP_READY))
		return endpoint;
	*ret_reason = endpoint && endpoint->ifindex ? -WF_REASON_NOT_READY : -WF_REASON_NO_ENDPOINT;
	return NULL;
}

/* In a network, or a scope: that of the host's view, or a network that is one. */
static __always_inline struct wf_addr_value *wf_address_find(__u32 network,
							     const struct wf_addr *addr)
{
	struct wf_addr_key key = { .network = network, .addr = *addr };

	return wf_map_address(&key);
}

/* The network of a number, NULL unless it is valid. */
static __always_inline struct wf_net_value *wf_network_valid(__u32 number)
{
	struct wf_net_value *network = wf_map_network(number);

	return network && network->flags & WF_NET_VALID ? network : NULL;
}

/* Whether a network's packets may come through the tunnel; NULL: there is none. */
static __always_inline int wf_network_is_tunnelled(const struct wf_net_value *network)
{
	return network && (network->flags & (WF_NET_OVERLAY | WF_NET_PLAIN)) == WF_NET_OVERLAY;
}

/* In a network: the route to an address; with WF_VTEP_PEER and a VNI: the endpoint. NULL: none. */
static __always_inline struct wf_vtep_value *wf_vtep_find(__u32 scope, const struct wf_addr *addr)
{
	struct wf_vtep_key key = { .prefixlen = 8 * (sizeof(key.scope) + sizeof(key.addr)),
				   .scope = scope,
				   .addr = *addr };

	return wf_map_vtep(&key);
}

static __always_inline int wf_addr_is_mapped(const struct wf_addr *addr)
{
	return !addr->halves[0] && addr->words[2] == bpf_htonl(0xffff);
}

/*
 * The route of a network to an address; NULL: there is none. The default route of IPv6 is found for
 * IPv4 as well, which is held inside of it.
 */
static __always_inline struct wf_vtep_value *wf_net_route_find(__u32 number,
							       const struct wf_addr *addr)
{
	struct wf_vtep_value *route = wf_vtep_find(number, addr);

	if (route && route->flags & WF_VTEP_DEFAULT &&
	    wf_addr_is_mapped(&route->addr) != wf_addr_is_mapped(addr))
		return NULL;
	return route;
}

/* The scope of the addresses of a network. */
static __always_inline __u32 wf_network_scope(const struct wf_net_value *network, __u32 number)
{
	return network->flags & WF_NET_SCOPED ? number : WF_NETWORK_HOST;
}

/* Whether a network whose addresses mean nothing beyond it has a way out all the same (lib/out.h). */
static __always_inline int wf_net_hides(const struct wf_net_value *network)
{
	const __u32 flags = WF_NET_SCOPED | WF_NET_MASQUERADE;

	return (network->flags & flags) == flags;
}

/* The slot that has an address in a scope, WF_SLOT_NOBODY: neither an endpoint nor the host. */
static __always_inline __u32 wf_scope_owner(__u32 scope, const struct wf_addr *addr)
{
	struct wf_addr_value *value = wf_address_find(scope, addr);

	if (!value)
		return WF_SLOT_NOBODY;
	if (value->flags & (WF_ADDR_HOST | WF_ADDR_GATEWAY))
		return WF_SLOT_HOST;
	return value->flags || value->slot == WF_SLOT_HOST ? WF_SLOT_NOBODY : value->slot;
}

/* The same in the host's view. */
static __always_inline __u32 wf_address_owner(const struct wf_addr *addr)
{
	return wf_scope_owner(WF_NETWORK_HOST, addr);
}

/* Whether the address is one of the endpoint's further ones. */
static __always_inline int wf_endpoint_has_more(const struct wf_ep_value *endpoint, __u32 slot,
						const struct wf_addr *addr)
{
	struct wf_addr_value *value;

	if (!(endpoint->flags & WF_EP_MORE_ADDRS))
		return 0;
	value = wf_address_find(endpoint->network, addr);
	return value && value->slot == slot && !(value->flags & WF_ADDR_GATEWAY);
}

/* Whether the address, of IP version 4 or 6, is the endpoint's. */
static __always_inline int wf_endpoint_has(const struct wf_ep_value *endpoint, __u32 slot,
					   __u32 version, const struct wf_addr *addr)
{
	const struct wf_addr *own = version == 4 ? &endpoint->ip4 : &endpoint->ip6;
	__u32 flag = version == 4 ? WF_EP_IPV4 : WF_EP_IPV6;

	if (wf_likely(endpoint->flags & flag && wf_addr_same(own, addr)))
		return 1;
	return wf_endpoint_has_more(endpoint, slot, addr);
}

static __always_inline void wf_counter_add(struct wf_counter *counter, __u32 len)
{
	counter->packets++;
	counter->bytes += len;
}

/* Tells the daemon of a sender that is worth the better hook; what the ring has no room for is told later. */
WF_GLOBAL int wf_busy_tell(__u32 slot)
{
	return wf_event_signal(WF_EVENT_BUSY, slot);
}

/* Whether a CPU has seen so many for the first time: WF_BUSY_PACKETS, and each time twice as many. */
static __always_inline int wf_is_busy_mark(__u64 packets)
{
	return wf_unlikely(!(packets & (WF_BUSY_PACKETS - 1))) && !(packets & (packets - 1));
}

/* A packet that went from one slot to another. A packet still to be segmented counts once. */
static __always_inline void wf_traffic_count(__u32 from, __u32 to, __u32 len)
{
	struct wf_traffic_value *sender = wf_map_traffic(from);
	struct wf_traffic_value *receiver = wf_map_traffic(to);

	if (sender) {
		wf_counter_add(&sender->sent, len);
		if (wf_is_busy_mark(sender->sent.packets))
			(void)wf_busy_tell(from);
	}
	if (receiver)
		wf_counter_add(&receiver->received, len);
}

/*
 * An internal network takes only what comes from its own gateways and its own subnets: its
 * containers could answer no one else. 0 or -reason.
 */
static __always_inline int wf_check_internal(const struct wf_ep_value *endpoint,
					     const struct wf_net_value *network,
					     const struct wf_ip *ip)
{
	if (!(network->flags & WF_NET_INTERNAL) || wf_address_find(endpoint->network, &ip->src))
		return 0;
	for (__u32 i = 0; i < WF_MAX_SUBNETS; i++)
		if (i < network->subnet_count && wf_subnet_has(&network->subnets[i], &ip->src))
			return 0;
	return -WF_REASON_NETWORK_INTERNAL;
}

/*
 * Whether a packet from the host may enter the endpoint's network by its source. An isolated
 * network takes nothing from endpoints of other networks, nor does anyone from an isolated one. What
 * is behind a VXLAN endpoint comes through the tunnel alone, what is behind a gateway from there; who
 * is beyond weft may come by the host in spite of a default route.
 */
static __always_inline int wf_check_host_source(const struct wf_ep_value *endpoint,
						const struct wf_net_value *network,
						const struct wf_ip *ip)
{
	struct wf_addr_value *value = wf_address_find(endpoint->scope, &ip->src);
	struct wf_ep_value *source = NULL;
	struct wf_vtep_value *route;
	struct wf_net_value *from;

	if (value && !(value->flags & WF_ADDR_GATEWAY) && value->slot != WF_SLOT_HOST)
		source = wf_map_endpoint(value->slot);
	if (source && source->network != endpoint->network) {
		from = wf_network_valid(source->network);
		if (!from || (from->flags | network->flags) & WF_NET_ISOLATED)
			return -WF_REASON_NETWORK_ISOLATED;
		if (from->flags & WF_NET_INTERNAL)
			return -WF_REASON_NETWORK_INTERNAL;
	}
	if (wf_unlikely(network->flags & WF_NET_VTEPS) && !value) {
		route = wf_vtep_find(endpoint->network, &ip->src);
		if (route && !(route->flags & WF_VTEP_DEFAULT))
			return -WF_REASON_SPOOFED_IP;
	}
	return wf_check_internal(endpoint, network, ip);
}

#endif
