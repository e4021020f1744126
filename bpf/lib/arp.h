/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* ARP of a container, answered in its own device's name for everybody in its network. */
#ifndef WEFT_BPF_ARP_H
#define WEFT_BPF_ARP_H

#include "deliver.h"

#define WF_ARP_ETHERNET 1
#define WF_ARP_REQUEST  1
#define WF_ARP_REPLY    2

/* IPv4 over Ethernet. */
struct wf_arp {
	__be16 hardware;
	__be16 protocol;
	__u8 hardware_bytes;
	__u8 protocol_bytes;
	__be16 operation;
	__u8 sender_mac[ETH_ALEN];
	__u8 sender_ip[4];
	__u8 target_mac[ETH_ALEN];
	__u8 target_ip[4];
};

struct wf_arp_frame {
	struct wf_macs macs;
	__be16 ethertype;
	struct wf_arp arp;
};

_Static_assert(sizeof(struct wf_arp_frame) == 42, "wf_arp_frame");

static __always_inline __be32 wf_arp_ip(const __u8 ip[4])
{
	__be32 value;

	__builtin_memcpy(&value, ip, sizeof(value));
	return value;
}

/*
 * Finds who has an address and copies the MAC: 0 or `missing`. The owner of an address is an
 * endpoint in service, or the host for a gateway's.
 */
static __always_inline int wf_resolve(const struct wf_net_value *network, __u32 number,
				      const struct wf_addr *addr, __u8 ret_mac[ETH_ALEN],
				      __u32 *ret_is_gateway, int missing)
{
	struct wf_addr_value *value = wf_address_find(number, addr);
	struct wf_remote_value *remote;
	struct wf_ep_value *owner;
	int reason;

	if (!value) {
		/* on another node: what MAC the frame has ends with the tunnel */
		remote = network->flags & WF_NET_OVERLAY
				 ? wf_remote_find_in(wf_network_scope(network, number), addr)
				 : NULL;
		if (!remote || remote->network != number)
			return missing;
		*ret_is_gateway = 0;
		__builtin_memcpy(ret_mac, network->gateway_mac, ETH_ALEN);
		return 0;
	}
	*ret_is_gateway = value->flags & WF_ADDR_GATEWAY || value->slot == WF_SLOT_HOST;
	if (*ret_is_gateway) {
		__builtin_memcpy(ret_mac, network->gateway_mac, ETH_ALEN);
		return 0;
	}
	owner = wf_endpoint_ready(value->slot, &reason);
	if (!owner)
		return missing;
	__builtin_memcpy(ret_mac, owner->mac, ETH_ALEN);
	return 0;
}

static __always_inline int wf_arp_is_ip4(const struct wf_arp *arp)
{
	return arp->hardware == bpf_htons(WF_ARP_ETHERNET) &&
	       arp->protocol == bpf_htons(ETH_P_IP) && arp->hardware_bytes == ETH_ALEN &&
	       arp->protocol_bytes == 4;
}

/* Makes a request its answer, by which the target has the MAC in macs.src. */
static __always_inline void wf_arp_turn(struct wf_arp_frame *frame)
{
	struct wf_arp *arp = &frame->arp;
	__be32 sender;

	__builtin_memcpy(frame->macs.dst, arp->sender_mac, ETH_ALEN);
	arp->operation = bpf_htons(WF_ARP_REPLY);
	__builtin_memcpy(arp->target_mac, arp->sender_mac, ETH_ALEN);
	__builtin_memcpy(arp->sender_mac, frame->macs.src, ETH_ALEN);
	__builtin_memcpy(&sender, arp->sender_ip, 4);
	__builtin_memcpy(arp->sender_ip, arp->target_ip, 4);
	__builtin_memcpy(arp->target_ip, &sender, 4);
}

/* Judges a request and fills in the answer in place: 0 or -reason. */
static __always_inline int wf_arp_answer(const struct wf_ep_value *endpoint, __u32 slot,
					 const struct wf_net_value *network,
					 struct wf_arp_frame *frame)
{
	struct wf_arp *arp = &frame->arp;
	__be32 sender = wf_arp_ip(arp->sender_ip);
	struct wf_addr addr;
	__u32 is_gateway;
	int r;

	if (!wf_arp_is_ip4(arp))
		return -WF_REASON_ARP_NOT_REQUEST;
	wf_addr_set_ip4(&addr, sender);
	if (!wf_mac_same(arp->sender_mac, endpoint->mac) ||
	    (sender && !wf_endpoint_has(endpoint, slot, 4, &addr)))
		return -WF_REASON_SPOOFED_ARP;
	wf_addr_set_ip4(&addr, wf_arp_ip(arp->target_ip));
	if (arp->operation != bpf_htons(WF_ARP_REQUEST) ||
	    wf_endpoint_has(endpoint, slot, 4, &addr))
		return -WF_REASON_ARP_NOT_REQUEST;
	r = wf_resolve(network, endpoint->network, &addr, frame->macs.src, &is_gateway,
		       -WF_REASON_ARP_NO_TARGET);
	if (r == 0)
		wf_arp_turn(frame);
	return r;
}

/* The stage: turns the request around and back into the container. Action or -reason. */
static __always_inline int wf_arp(struct wf_ctx *ctx)
{
	int reason = -WF_REASON_INTERNAL_ERROR;
	__u32 slot = wf_slot_of(ctx);
	struct wf_ep_value *endpoint = wf_endpoint_ready(slot, &reason);
	struct wf_net_value *network;
	struct wf_arp_frame frame;
	int r;

	if (!endpoint)
		return reason;
	network = wf_network_valid(endpoint->network);
	if (!network)
		return -WF_REASON_NO_NETWORK;
	if (!(network->flags & WF_NET_IPV4))
		return -WF_REASON_FAMILY_DISABLED;
	if (wf_ctx_load(ctx, 0, &frame, sizeof(frame)) < 0)
		return -WF_REASON_ARP_NOT_REQUEST;
	r = wf_arp_answer(endpoint, slot, network, &frame);
	if (r < 0)
		return r;
	if (wf_ctx_store(ctx, 0, &frame, sizeof(frame)) < 0 || wf_ctx_set_type_host(ctx) < 0)
		return -WF_REASON_INTERNAL_ERROR;
	return wf_redirect_peer(ctx, endpoint->ifindex);
}

#endif
