/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* What a container sends: nothing leaves its device that is not its own. */
#ifndef WEFT_BPF_FROM_CONTAINER_H
#define WEFT_BPF_FROM_CONTAINER_H

#include "deliver.h"
#include "finish.h"
#include "handed.h"
#include "ipv4.h"
#include "ipv6.h"
#include "transport.h"

/* The source is not the endpoint's first address: as wf_check_source(). */
static __always_inline int wf_check_other_source(const struct wf_ep_value *endpoint, __u32 slot,
						 const struct wf_ip *ip)
{
	struct wf_net_value *network = wf_network_valid(endpoint->network);
	__u32 family = ip->version == 4 ? WF_NET_IPV4 : WF_NET_IPV6;
	int r;

	if (!network)
		return -WF_REASON_NO_NETWORK;
	if (!(network->flags & family))
		return -WF_REASON_FAMILY_DISABLED;
	if (wf_endpoint_has_more(endpoint, slot, &ip->src))
		return 0;
	if (ip->version == 6 && wf_addr_is_link_local6(&ip->src))
		return -WF_REASON_LINK_LOCAL;
	/* a stack without an address looking for one (DHCP, IGMP) is noise, not an attack */
	if (!ip->src.halves[0] && !ip->src.words[3]) {
		r = wf_classify(ip);
		if (r < 0)
			return r;
	}
	/* a gateway of the network speaks for those behind it */
	return network->flags & WF_NET_VTEPS ? WF_NEXT(WF_STAGE_VIA) : -WF_REASON_SPOOFED_IP;
}

/* 0, WF_NEXT(WF_STAGE_VIA) or -reason. */
static __always_inline int wf_check_source(const struct wf_ep_value *endpoint, __u32 slot,
					   const struct wf_ip *ip)
{
	const struct wf_addr *own = ip->version == 4 ? &endpoint->ip4 : &endpoint->ip6;
	__u32 flag = ip->version == 4 ? WF_EP_IPV4 : WF_EP_IPV6;

	if (wf_likely(endpoint->flags & flag && wf_addr_same(own, &ip->src)))
		return 0;
	return wf_check_other_source(endpoint, slot, ip);
}

/* An IP packet whose headers were taken. Action, WF_NEXT() or -reason. */
static __always_inline int wf_from_container_ip(struct wf_ctx *ctx, const struct ethhdr *eth,
						__u32 slot, const struct wf_ep_value *endpoint,
						struct wf_ip *ip)
{
	int r = wf_check_options(ctx, ip);

	if (r == 0)
		r = wf_check_transport(ctx, ip);
	if (r)
		return r < 0 ? r : WF_NEXT(WF_STAGE_ND);
	r = wf_check_source(endpoint, slot, ip);
	if (r)
		return r;
	return wf_deliver(ctx, eth, slot, endpoint, ip);
}

/* The program's logic: action, WF_NEXT() or -reason. */
static __always_inline int wf_from_container(struct wf_ctx *ctx)
{
	int reason = -WF_REASON_INTERNAL_ERROR;
	__u32 slot = wf_slot_of(ctx);
	struct wf_ep_value *endpoint = wf_endpoint_ready(slot, &reason);
	struct wf_cursor cursor;
	struct ethhdr *eth;
	struct wf_ip ip;
	__u32 handed;
	int proto, r;

	if (wf_unlikely(!endpoint))
		return reason;
	if (endpoint->flags & WF_EP_HOST)
		return WF_NEXT(WF_STAGE_FROM_HOST);
	handed = wf_handed_to(ctx);
	if (handed)
		return wf_handed_deliver(ctx, handed);
	wf_cursor_start(ctx, &cursor);
	proto = wf_parse_eth(&cursor, &eth);
	if (wf_unlikely(proto < 0))
		return proto;
	if (wf_unlikely(wf_ctx_has_vlan(ctx)))
		return -WF_REASON_VLAN_TAGGED;
	if (wf_unlikely(!wf_mac_same(eth->h_source, endpoint->mac)))
		return -WF_REASON_SPOOFED_MAC;
	switch (proto) {
	case ETH_P_IP: r = wf_parse_ipv4(ctx, &cursor, &ip); break;
	case ETH_P_IPV6: r = wf_parse_ipv6(ctx, &cursor, &ip); break;
	case ETH_P_ARP: return WF_NEXT(WF_STAGE_ARP);
	case ETH_P_8021Q:
	case ETH_P_8021AD: return -WF_REASON_VLAN_TAGGED;
	default: return -WF_REASON_UNSUPPORTED_L3;
	}
	if (wf_unlikely(r < 0))
		return r;
	/* on netkit the sender says what it is and where it begins, and the kernel believes that */
	if (wf_unlikely(wf_ctx_protocol(ctx) != eth->h_proto) ||
	    (wf_ctx_is_sent(ctx) && !wf_ctx_is_framed(ctx)))
		return -WF_REASON_MALFORMED_L2;
	return wf_from_container_ip(ctx, eth, slot, endpoint, &ip);
}

#endif
