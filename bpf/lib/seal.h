/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * What the hosts of two nodes send each other, from the one node's address to the other's, where
 * both ask for that: inside WireGuard only. It goes as what hosts send to encrypted networks does,
 * with the overlay's outer headers, as of network WF_NETWORK_HOST. Where it comes out it is received
 * once more by the device that it would have come by in clear, so that everything else sees it there.
 * Clear is only what carries the tunnels, or what they cannot do without.
 */
#ifndef WEFT_BPF_SEAL_H
#define WEFT_BPF_SEAL_H

#include "nat.h"
#include "overlay.h"
#include "uplink.h"

#define WF_SEAL_IN  0
#define WF_SEAL_OUT 1

/* Router and neighbour discovery: RFC 4861. */
#define WF_SEAL_FIRST_ND 133
#define WF_SEAL_LAST_ND  137

/* Where TCP's options begin, and what Linux puts there first in what begins a connection. */
#define WF_SEAL_TCP_OPTIONS 20
#define WF_SEAL_MSS_KIND    2
#define WF_SEAL_MSS_BYTES   4

struct wf_seal_mss {
	__u8 kind;
	__u8 bytes;
	__be16 mss;
};

/* Both ends of an IP packet, whatever else is wrong with it: 0, or -1: it is none. */
static __always_inline int wf_seal_ends(struct wf_ctx *ctx, __u32 l3, struct wf_addr *ret_ends)
{
	__be16 proto = bpf_htons(ETH_P_IP);
	__be32 pair[2];
	__u8 first = 0;

	if ((l3 && wf_ctx_load(ctx, l3 - sizeof(proto), &proto, sizeof(proto)) < 0) ||
	    wf_ctx_load(ctx, l3, &first, sizeof(first)) < 0)
		return -1;
	if (first >> 4 == 6 && (!l3 || proto == bpf_htons(ETH_P_IPV6)))
		return wf_ctx_load(ctx, l3 + __builtin_offsetof(struct ipv6hdr, saddr), ret_ends,
				   2 * sizeof(*ret_ends)) < 0
			       ? -1
			       : 0;
	if (first >> 4 != 4 || proto != bpf_htons(ETH_P_IP) ||
	    wf_ctx_load(ctx, l3 + __builtin_offsetof(struct iphdr, saddr), pair, sizeof(pair)) < 0)
		return -1;
	wf_addr_set_ip4(&ret_ends[0], pair[0]);
	wf_addr_set_ip4(&ret_ends[1], pair[1]);
	return 0;
}

/* The other node of a packet between it and this one that has to be inside; NULL: it is no such. */
static __always_inline struct wf_seal_value *wf_seal_find(struct wf_ctx *ctx, __u32 l3, int is_out)
{
	const struct wf_node_value *self = wf_map_node(WF_NODE_SELF);
	struct wf_addr ends[2], peer;

	if (!self || wf_seal_ends(ctx, l3, ends) < 0)
		return NULL;
	if (!wf_addr_same(is_out ? &ends[0] : &ends[1], &self->underlay))
		return NULL;
	peer = is_out ? ends[1] : ends[0];
	return wf_map_seal(&peer);
}

/* ---- what goes in clear all the same ---------------------------------------------------------- */

static __always_inline int wf_seal_port(__be16 port)
{
	__u32 number = bpf_ntohs(port);
	const __u64 *bits = wf_map_clear(number / 64);

	return bits && *bits >> number % 64 & 1;
}

static __always_inline int wf_seal_has(const __be16 *ports, __be16 port)
{
	return port && (ports[0] == port || ports[1] == port);
}

/* WireGuard's own, the overlay's, and ports that were named. */
static __always_inline int wf_seal_udp(const struct wf_seal_value *seal, const __be16 *ports,
				       int is_out)
{
	if (is_out ? wf_seal_has(seal->own, ports[0]) && wf_seal_has(seal->ports, ports[1])
		   : wf_seal_has(seal->ports, ports[0]) && wf_seal_has(seal->own, ports[1]))
		return 1;
	return ports[1] == seal->vxlan || wf_seal_port(ports[1]) || wf_seal_port(ports[0]);
}

/* To a port that was named, and what is answered from there: nobody begins anything from it. */
static __always_inline int wf_seal_tcp(struct wf_ctx *ctx, const struct wf_ip *ip,
				       const __be16 *ports)
{
	__u8 flags = 0;

	if (wf_seal_port(ports[1]))
		return 1;
	return wf_seal_port(ports[0]) &&
	       wf_ctx_load(ctx, ip->l4 + WF_TCP_FLAGS_OFFSET, &flags, sizeof(flags)) == 0 &&
	       (flags & (WF_TCP_SYN | WF_TCP_ACK)) != WF_TCP_SYN;
}

/*
 * By neighbour discovery the tunnels' own way is found. An echo request may have been sent by another
 * weftd, which measures that way and has marked it so; what is answered goes inside.
 */
static __always_inline int wf_seal_icmp(struct wf_ctx *ctx, const struct wf_ip *ip, int is_out)
{
	__u8 type = 0;

	if (wf_ctx_load(ctx, ip->l4, &type, sizeof(type)) < 0)
		return 0;
	if (ip->proto == IPPROTO_ICMPV6 && type >= WF_SEAL_FIRST_ND && type <= WF_SEAL_LAST_ND)
		return 1;
	return !is_out && type == (ip->version == 6 ? WF_ICMP6_ECHO : WF_ICMP4_ECHO);
}

/* Whether a packet between the two goes in clear. What cannot be told does not. */
static __always_inline int wf_seal_is_clear(struct wf_ctx *ctx, const struct wf_ip *ip,
					    const struct wf_seal_value *seal, int is_out)
{
	__be16 ports[2] = {};

	if (ip->fragment == WF_FRAGMENT_LATER)
		return 0;
	if (ip->proto == IPPROTO_ICMP || ip->proto == IPPROTO_ICMPV6)
		return wf_seal_icmp(ctx, ip, is_out);
	if ((ip->proto != IPPROTO_UDP && ip->proto != IPPROTO_TCP) ||
	    wf_ctx_load(ctx, ip->l4, ports, sizeof(ports)) < 0)
		return 0;
	return ip->proto == IPPROTO_UDP ? wf_seal_udp(seal, ports, is_out)
					: wf_seal_tcp(ctx, ip, ports);
}

/* ---- on its way out ----------------------------------------------------------------------------- */

/*
 * Who begins a connection, and who answers, says how long segments may be: as long as one packet of
 * WireGuard carries. The MTU of the route cannot say it, for WireGuard itself uses that.
 */
static __always_inline int wf_seal_clamp(struct wf_ctx *ctx, const struct wf_ip *ip, __u32 mtu)
{
	__u32 headers = ip->version == 4 ? 40 : 60, at = ip->l4 + WF_SEAL_TCP_OPTIONS;
	struct wf_seal_mss option = {};
	__be16 before;
	__u8 flags = 0;

	if (!mtu || ip->proto != IPPROTO_TCP || ip->fragment ||
	    wf_ctx_load(ctx, ip->l4 + WF_TCP_FLAGS_OFFSET, &flags, sizeof(flags)) < 0 ||
	    !(flags & WF_TCP_SYN) || at + sizeof(option) > ip->end ||
	    wf_ctx_load(ctx, at, &option, sizeof(option)) < 0)
		return 0;
	before = option.mss;
	if (option.kind != WF_SEAL_MSS_KIND || option.bytes != WF_SEAL_MSS_BYTES ||
	    bpf_ntohs(before) <= mtu - headers)
		return 0;
	option.mss = bpf_htons(mtu - headers);
	if (wf_csum_l4(ctx, ip->l4 + WF_TCP_CHECK_OFFSET, before, option.mss, sizeof(before)) < 0 ||
	    wf_ctx_store(ctx, at, &option, sizeof(option)) < 0)
		return -WF_REASON_INTERNAL_ERROR;
	return 0;
}

/* Into the tunnel: action or -reason. */
static __always_inline int wf_seal_send(struct wf_ctx *ctx, __u32 l3, __u32 number)
{
	const struct wf_node_value *self = wf_map_node(WF_NODE_SELF);
	const struct wf_node_value *node = wf_map_node(number);
	__be16 proto = wf_ctx_is_ip6(ctx) ? bpf_htons(ETH_P_IPV6) : bpf_htons(ETH_P_IP);
	struct wf_addr end;
	int r;

	if (!self || !self->ifindex || !node)
		return -WF_REASON_NO_TUNNEL;
	r = wf_sealed_end(self, node, &end);
	if (r < 0)
		return r;
	if (!l3 &&
	    (wf_ctx_add_eth(ctx) < 0 || wf_ctx_store(ctx, 2 * ETH_ALEN, &proto, sizeof(proto)) < 0))
		return -WF_REASON_INTERNAL_ERROR;
	if (wf_tunnel_set(ctx, WF_NETWORK_HOST, &end) < 0)
		return -WF_REASON_INTERNAL_ERROR;
	return wf_redirect(self->ifindex);
}

/* What is about to leave, all else done: WF_GO_ON, action or -reason. */
WF_GLOBAL int wf_seal_out(struct wf_ctx *ctx, __u32 l3)
{
	const struct wf_seal_value *seal = wf_seal_find(ctx, l3, WF_SEAL_OUT);
	struct wf_ip ip = {};
	__u32 number;
	int r;

	if (!seal || wf_ctx_mark(ctx) & WF_MARK_SEALED)
		return WF_GO_ON;
	number = seal->node;
	if (wf_work_parse(ctx, l3, &ip) == 0) {
		if (wf_seal_is_clear(ctx, &ip, seal, WF_SEAL_OUT))
			return WF_GO_ON;
		r = wf_seal_clamp(ctx, &ip, seal->mtu);
		if (r < 0)
			return r;
	}
	return wf_seal_send(ctx, l3, number);
}

/* ---- on its way in ------------------------------------------------------------------------------ */

/* What has come in clear: WF_GO_ON or -reason. */
WF_GLOBAL int wf_seal_in(struct wf_ctx *ctx, __u32 l3)
{
	const struct wf_seal_value *seal = wf_seal_find(ctx, l3, WF_SEAL_IN);
	struct wf_ip ip = {};

	if (!seal ||
	    (wf_work_parse(ctx, l3, &ip) == 0 && wf_seal_is_clear(ctx, &ip, seal, WF_SEAL_IN)))
		return WF_GO_ON;
	return -WF_REASON_HOST_CLEAR;
}

/*
 * What has come inside, from a node's host: it goes on as received in clear, and is known by the mark
 * there. Action or -reason.
 */
WF_GLOBAL int wf_seal_arrive(struct wf_ctx *ctx, __u32 node)
{
	const struct wf_seal_value *seal = wf_seal_find(ctx, ETH_HLEN, WF_SEAL_IN);
	const struct wf_uplink_value *uplink;
	__u32 ifindex;

	if (!seal || seal->node != node)
		return -WF_REASON_OVERLAY_SPOOFED;
	ifindex = seal->ifindex;
	uplink = wf_map_uplink(ifindex);
	if (!uplink)
		return -WF_REASON_NODE_UNKNOWN;
	if (uplink->l2_bytes && wf_ctx_store(ctx, 0, uplink->mac, ETH_ALEN) < 0)
		return -WF_REASON_INTERNAL_ERROR;
	wf_ctx_set_mark(ctx, wf_ctx_mark(ctx) | WF_MARK_SEALED);
	return wf_redirect_ingress(ifindex);
}

/* ---- at an uplink --------------------------------------------------------------------------------- */

/* Where the IP header is of what an uplink sends or receives; -1: nothing is looked at there. */
static __always_inline int wf_seal_place(struct wf_ctx *ctx)
{
	const struct wf_config_value *config = wf_map_config();
	const struct wf_uplink_value *uplink;

	if (wf_likely(!config || !(config->flags & WF_CONFIG_SEALS)))
		return -1;
	uplink = wf_map_uplink(wf_ctx_ifindex(ctx));
	if (!uplink)
		return -1;
	return uplink->l2_bytes ? ETH_HLEN : 0;
}

/* After everything else that an uplink does with what it sends. As wf_seal_out(). */
static __always_inline int wf_seal_leave(struct wf_ctx *ctx)
{
	int l3 = wf_seal_place(ctx);

	return wf_likely(l3 < 0) ? WF_GO_ON : wf_seal_out(ctx, l3);
}

/* Before everything else that an uplink does with what it receives. WF_GO_ON or -reason. */
static __always_inline int wf_seal_enter(struct wf_ctx *ctx)
{
	int l3 = wf_seal_place(ctx);
	__u32 mark;

	if (wf_likely(l3 < 0))
		return WF_GO_ON;
	mark = wf_ctx_mark(ctx);
	if (mark & WF_MARK_SEALED) {
		wf_ctx_set_mark(ctx, mark & ~(__u32)WF_MARK_SEALED);
		return WF_GO_ON;
	}
	return wf_ctx_is_for_others(ctx) ? WF_GO_ON : wf_seal_in(ctx, l3);
}

#endif
