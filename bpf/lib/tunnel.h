/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * VXLAN over IPv4 without the device: outer headers are put on in front of the uplink and taken off
 * behind it, past both stacks. Whatever is not as simple as that is left to the device.
 */
#ifndef WEFT_BPF_TUNNEL_H
#define WEFT_BPF_TUNNEL_H

#include <linux/udp.h>

#include "csum.h"
#include "endpoint.h"

#define WF_VXLAN_FLAGS bpf_htonl(0x08000000) /* there is a VNI */
#define WF_ECN_MASK    3

/* Between the outer IP header and the inner packet. */
struct wf_vxlan {
	__be16 sport;
	__be16 dport;
	__be16 len;
	__be16 check;
	__be32 flags;
	__be32 vni; /* and 8 bits of zero */
	__u8 eth[ETH_HLEN];
} __attribute__((packed));

struct wf_outer {
	struct iphdr ip;
	struct wf_vxlan vxlan;
} __attribute__((packed));

_Static_assert(sizeof(struct wf_outer) == 50, "wf_outer");

/* The frame's Ethernet header, and the first two bytes behind it. */
struct wf_inner_head {
	__u8 eth[ETH_HLEN];
	__u8 ip[2];
};

#define WF_OUTER_MAX_BYTES 65535

/* Least bytes of the headers of a segment beside its payload: with TCP timestamps. */
#define WF_SEGMENT_BYTES_IP4 52
#define WF_SEGMENT_BYTES_IP6 72

/* Whether every packet that it leaves as fits through the device. */
static __always_inline int wf_tunnel_fits(const struct wf_ctx *ctx, __u32 mtu)
{
	__u32 payload = wf_ctx_gso_bytes(ctx);
	__u32 outer = sizeof(struct wf_outer);

	/* one still to be segmented has to say its length, too */
	if (wf_ctx_len(ctx) + outer > WF_OUTER_MAX_BYTES)
		return 0;
	if (payload)
		return payload + outer +
			       (wf_ctx_is_ip6(ctx) ? WF_SEGMENT_BYTES_IP6 : WF_SEGMENT_BYTES_IP4) <=
		       mtu;
	return wf_ctx_len(ctx) - ETH_HLEN + outer <= mtu;
}

static __always_inline void wf_outer_fill(struct wf_ctx *ctx, struct wf_outer *outer,
					  const struct wf_inner_head *inner,
					  const struct wf_node_value *self,
					  const struct wf_node_value *node, __u32 vni)
{
	__u32 len = wf_ctx_len(ctx) + sizeof(*outer) - ETH_HLEN, sum = 0;
	__u16 half[sizeof(outer->ip) / sizeof(__u16)];
	__u8 ecn = (inner->ip[0] >> 4 == 4 ? inner->ip[1] : inner->ip[1] >> 4) & WF_ECN_MASK;

	__builtin_memset(&outer->ip, 0, sizeof(outer->ip));
	outer->ip.version = 4;
	outer->ip.ihl = 5;
	outer->ip.tos = ecn;
	outer->ip.tot_len = bpf_htons(len);
	outer->ip.id = wf_random32();
	outer->ip.ttl = WF_TUNNEL_TTL;
	outer->ip.protocol = IPPROTO_UDP;
	outer->ip.saddr = self->underlay.words[3];
	outer->ip.daddr = node->underlay.words[3];
	__builtin_memcpy(half, &outer->ip, sizeof(half));
	for (__u32 i = 0; i < sizeof(half) / sizeof(half[0]); i++)
		sum += half[i];
	outer->ip.check = ~wf_csum_fold(sum);
	outer->vxlan.sport = bpf_htons(0xc000 | (wf_ctx_hash(ctx) & 0x3fff));
	outer->vxlan.dport = self->port;
	outer->vxlan.len = bpf_htons(len - sizeof(outer->ip));
	outer->vxlan.check = 0;
	outer->vxlan.flags = WF_VXLAN_FLAGS;
	outer->vxlan.vni = bpf_htonl(vni << 8);
	__builtin_memcpy(outer->vxlan.eth, inner->eth, ETH_HLEN);
}

/* Whether programs open the tunnel. */
static __always_inline int wf_tunnel_is_ours(const struct wf_node_value *self)
{
	return self->port && !wf_unlikely(self->path_mtu & WF_NODE_OPENS_BY_DEVICE);
}

/*
 * Whether a program may send it: where no device below can be trusted with checksums, only what is
 * to find out whether that is still so.
 */
static __always_inline int wf_tunnel_may_send(const struct wf_ctx *ctx,
					      const struct wf_node_value *self)
{
	return wf_tunnel_is_ours(self) && (!wf_unlikely(self->path_mtu & WF_NODE_SENDS_BY_DEVICE) ||
					   wf_ctx_mark(ctx) == WF_MARK_SUMS);
}

/*
 * Has the device encapsulate and send it, to a network there. The action or -reason. A function of its
 * own: see wf_to_near().
 */
WF_GLOBAL int wf_to_device(struct wf_ctx *ctx, __u32 vni, const struct wf_addr *end)
{
	const struct wf_node_value *self = wf_map_node(WF_NODE_SELF);

	if (!self || !end)
		return -WF_REASON_INTERNAL_ERROR;
	if (!self->ifindex)
		return -WF_REASON_NODE_UNKNOWN;
	if (wf_tunnel_set(ctx, vni, end) < 0)
		return -WF_REASON_INTERNAL_ERROR;
	wf_ctx_set_mark(ctx, WF_MARK_TUNNEL);
	return wf_redirect(self->ifindex);
}

/* Encapsulates and sends: the action, 0: the device has to, nothing was changed; or -reason. */
WF_GLOBAL int wf_to_tunnel(struct wf_ctx *ctx, __u32 from, __u32 number, __u32 vni)
{
	const struct wf_node_value *self = wf_map_node(WF_NODE_SELF);
	const struct wf_node_value *node = wf_map_node(number);
	struct wf_inner_head inner;
	struct wf_outer outer;
	struct wf_hop hop = {};

	if (!self || !node || !wf_tunnel_may_send(ctx, self) || !node->out_ifindex ||
	    !wf_tunnel_fits(ctx, node->out_mtu) || wf_ctx_load(ctx, 0, &inner, sizeof(inner)) < 0)
		return 0;
	wf_outer_fill(ctx, &outer, &inner, self, node, vni);
	/* refused for what is a tunnel's already, and for what the device alone can segment */
	if (wf_ctx_encapsulate(ctx, sizeof(outer)) < 0)
		return 0;
	if (wf_ctx_store(ctx, ETH_HLEN, &outer, sizeof(outer)) < 0)
		return -WF_REASON_INTERNAL_ERROR;
	wf_traffic_count(from, WF_SLOT_NOBODY, wf_ctx_len(ctx) - sizeof(outer));
	wf_hop_set(&hop, node->out_ifindex, &node->router);
	wf_ctx_set_mark(ctx, WF_MARK_NEAR);
	return wf_redirect_hop(&hop);
}

/*
 * Takes the outer headers off a packet of a node, for a network of the overlay: the network's number
 * and the node's; 0: it is none, or one for the device, and nothing was changed; or -reason. One
 * still to be segmented goes on as a tunnel's, although it is none any more: whoever receives it does
 * not mind, and who sends it on has it segmented by the kernel, not by a device.
 */
WF_GLOBAL int wf_tunnel_open(struct wf_ctx *ctx, const struct wf_ip *ip, __u32 *ret_node)
{
	const struct wf_node_value *self = wf_map_node(WF_NODE_SELF);
	struct wf_net_value *network;
	struct wf_vxlan vxlan;
	struct wf_addr outer;
	__u32 *node, vni;
	__be16 proto;
	__u8 tos;

	if (!ip || !ret_node || !self || !wf_tunnel_is_ours(self) || ip->fragment ||
	    ip->version != 4 || ip->l4 != ETH_HLEN + sizeof(struct iphdr) ||
	    wf_ctx_is_for_others(ctx) || !wf_addr_same(&ip->dst, &self->underlay) ||
	    wf_ctx_load(ctx, ETH_HLEN + sizeof(struct iphdr), &vxlan, sizeof(vxlan)) < 0)
		return 0;
	if (vxlan.dport != self->port || vxlan.check || vxlan.flags != WF_VXLAN_FLAGS)
		return 0;
	/* marked on the way: what the inner header has to say then is left to the device */
	if (wf_ctx_load(ctx, ETH_HLEN + 1, &tos, sizeof(tos)) < 0 ||
	    (tos & WF_ECN_MASK) == WF_ECN_MASK)
		return 0;
	vni = bpf_ntohl(vxlan.vni) >> 8;
	network = wf_network_valid(vni);
	/* before Linux 6.2 a key may not lie in the memory of a function's argument */
	outer = ip->src;
	node = wf_map_member(&outer);
	__builtin_memcpy(&proto, vxlan.eth + 2 * ETH_ALEN, sizeof(proto));
	if (!node || !wf_network_is_tunnelled(network) ||
	    (proto != bpf_htons(ETH_P_IP) && proto != bpf_htons(ETH_P_IPV6)))
		return 0;
	*ret_node = *node;
	if (wf_ctx_decapsulate(ctx, sizeof(struct wf_outer), proto != bpf_htons(ETH_P_IP)) < 0)
		return 0;
	if (proto != bpf_htons(ETH_P_IP) &&
	    wf_ctx_store(ctx, 2 * ETH_ALEN, &proto, sizeof(proto)) < 0)
		return -WF_REASON_INTERNAL_ERROR;
	return vni;
}

#endif
