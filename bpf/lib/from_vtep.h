/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * What comes through the tunnel from a VXLAN endpoint that is no node. It finds containers as it finds
 * whomever: it asks all nodes, by ARP or neighbour discovery, and the node that has the container
 * answers. Packets are for containers of its network alone, and only from behind it.
 */
#ifndef WEFT_BPF_FROM_VTEP_H
#define WEFT_BPF_FROM_VTEP_H

#include "nd.h"
#include "vtep.h"
#include "work.h"

/* Who sent it, and to which network. */
struct wf_vtep_sender {
	struct wf_addr outer;
	__u32 vni;
	__u32 network;
};

/* The container of this node that has an address in the network; NULL: none that is in service. */
static __always_inline struct wf_ep_value *wf_vtep_target(__u32 network, const struct wf_addr *addr)
{
	struct wf_addr_value *value = wf_address_find(network, addr);
	int reason;

	return value && value->slot != WF_SLOT_HOST ? wf_endpoint_ready(value->slot, &reason)
						    : NULL;
}

/* Who has an IPv4 address: action or -reason. */
static __always_inline int wf_vtep_arp(struct wf_ctx *ctx, const struct wf_vtep_sender *sender)
{
	struct wf_ep_value *target;
	struct wf_arp_frame frame;
	struct wf_addr addr;

	if (wf_ctx_load(ctx, 0, &frame, sizeof(frame)) < 0 || !wf_arp_is_ip4(&frame.arp) ||
	    frame.arp.operation != bpf_htons(WF_ARP_REQUEST))
		return -WF_REASON_ARP_NOT_REQUEST;
	wf_addr_set_ip4(&addr, wf_arp_ip(frame.arp.target_ip));
	target = wf_vtep_target(sender->network, &addr);
	if (!target)
		return -WF_REASON_ARP_NO_TARGET;
	__builtin_memcpy(frame.macs.src, target->mac, ETH_ALEN);
	wf_arp_turn(&frame);
	if (wf_ctx_store(ctx, 0, &frame, sizeof(frame)) < 0)
		return -WF_REASON_INTERNAL_ERROR;
	return wf_to_device(ctx, sender->vni, &sender->outer);
}

/* The same of IPv6, once the packet is known to be a solicitation. */
static __always_inline int wf_vtep_solicit(struct wf_ctx *ctx, const struct wf_vtep_sender *sender,
					   const struct wf_ip *ip)
{
	struct wf_nd_answer answer = {};
	struct wf_ep_value *target;
	struct wf_macs macs;
	__u8 hop_limit;
	struct wf_nd nd;

	if (ip->l4 + sizeof(nd) > ip->end || wf_ctx_load(ctx, ip->l4, &nd, sizeof(nd)) < 0 ||
	    wf_ctx_load(ctx, WF_IP6_HOP_LIMIT_OFFSET, &hop_limit, 1) < 0 ||
	    wf_ctx_load(ctx, 0, &macs, sizeof(macs)) < 0 || hop_limit != WF_ND_HOP_LIMIT || nd.code)
		return -WF_REASON_MALFORMED_ND;
	target = wf_vtep_target(sender->network, &nd.target);
	if (!target || !ip->src.halves[0])
		return -WF_REASON_ND_NO_TARGET;
	__builtin_memcpy(answer.macs.src, target->mac, ETH_ALEN);
	wf_nd_fill(&answer, ip, macs.src, &nd.target, 0);
	if (wf_ctx_resize(ctx, sizeof(answer)) < 0 ||
	    wf_ctx_store(ctx, 0, &answer, sizeof(answer)) < 0)
		return -WF_REASON_INTERNAL_ERROR;
	return wf_to_device(ctx, sender->vni, &sender->outer);
}

/* Whether a packet may come from there by its source: 0 or -reason; or the answer to a solicitation. */
static __always_inline int wf_vtep_packet(struct wf_ctx *ctx, const struct wf_vtep_sender *sender)
{
	struct wf_vtep_value *route;
	struct wf_ip ip = {};
	int r = wf_work_parse(ctx, ETH_HLEN, &ip);
	struct wf_l4 l4 = {};

	if (r < 0)
		return r;
	if (ip.version == 6 && ip.proto == IPPROTO_ICMPV6 && !ip.extension &&
	    wf_load_l4(ctx, &ip, &l4) == 0 && l4.type == WF_ICMP6_NEIGHBOUR_SOLICIT)
		return wf_vtep_solicit(ctx, sender, &ip);
	route = wf_vtep_find(sender->network, &ip.src);
	return route && route->vni == sender->vni && wf_addr_same(&route->addr, &sender->outer)
		       ? 0
		       : -WF_REASON_OVERLAY_SPOOFED;
}

/*
 * A frame of nobody who is a node. 0: a packet for the network whose number is filled in, its source
 * is right; WF_TOLD(): it was a question; or -reason.
 */
WF_GLOBAL int wf_vtep_open(struct wf_ctx *ctx, __u32 *ret_network)
{
	struct wf_vtep_sender sender = {};
	struct wf_vtep_value *peer;
	struct wf_cursor cursor;
	struct ethhdr *eth;
	int r;

	if (!ret_network || wf_tunnel_get(ctx, &sender.vni, &sender.outer) < 0)
		return -WF_REASON_OVERLAY_FOREIGN;
	peer = wf_vtep_find(WF_VTEP_PEER | sender.vni, &sender.outer);
	if (!peer)
		return -WF_REASON_OVERLAY_FOREIGN;
	sender.network = peer->network;
	*ret_network = peer->network;
	wf_cursor_start(ctx, &cursor);
	r = wf_parse_eth(&cursor, &eth);
	if (r < 0)
		return r;
	r = r == ETH_P_ARP ? wf_vtep_arp(ctx, &sender) : wf_vtep_packet(ctx, &sender);
	return r > 0 ? WF_TOLD(r) : r;
}

#endif
