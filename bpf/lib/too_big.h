/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * What is too large for the way to another node that carries less than this node's device does. Its
 * sender is told so where the packet would have left: ICMP "fragmentation needed" (RFC 1191), if it
 * must not be fragmented, or ICMPv6 "packet too big" (RFC 8201). No router on the way could say it:
 * it would see the outer packet, and this node as its sender.
 */
#ifndef WEFT_BPF_TOO_BIG_H
#define WEFT_BPF_TOO_BIG_H

#include "beyond.h"
#include "overlay.h"
#include "reject.h"

#define WF_ICMP4_FRAGMENTATION_NEEDED 4
#define WF_ICMP6_TOO_BIG              2

#define WF_FRAG_OFF_OFFSET 6
/* No stack keeps its packets smaller than this, whatever it is told (RFC 8200). */
#define WF_IP6_MIN_MTU 1280

/* Messages that one endpoint gets in a second, on each CPU. */
#define WF_TOO_BIG_PER_SECOND 100

/*
 * What the way to the node of an endpoint takes of an outer packet; 0: as much as senders' devices leave
 * room for. What has outer headers whatever else its network does, by way of a gateway, has to fit
 * into this node's device: who was there before the route has the MTU of before.
 */
static __always_inline __u32 wf_way_limit(const struct wf_remote_value *remote,
					  const struct wf_node_value *node)
{
	if (node->path_mtu)
		return node->path_mtu;
	return remote->flags & WF_REMOTE_OUTER ? node->out_mtu : 0;
}

/* Bytes of the largest packet that gets to a node whole, sent from a slot to a network. */
static __always_inline __u32 wf_way_carries(const struct wf_ctx *ctx, __u32 from,
					    const struct wf_net_value *network,
					    const struct wf_remote_value *remote,
					    const struct wf_node_value *node)
{
	__u32 mtu = wf_way_limit(remote, node), is_ip6 = node->underlay.halves[0] != 0;

	if (wf_remote_is_sealed(from, network, remote)) {
		const struct wf_node_value *self = wf_map_node(WF_NODE_SELF);

		mtu -= is_ip6 ? WF_WIREGUARD_BYTES_IP6 : WF_WIREGUARD_BYTES_IP4;
		mtu &= ~(__u32)(WF_WIREGUARD_PAD - 1);
		return self && wf_is_bound(from, network, self, remote) ? mtu
									: mtu - WF_VXLAN_BYTES_IP6;
	}
	if (wf_may_be_plain(from, remote, network) && wf_near_hop(ctx, node))
		return mtu;
	return mtu - (is_ip6 ? WF_VXLAN_BYTES_IP6 : WF_VXLAN_BYTES_IP4);
}

/* Whether a packet may not be made smaller on its way, and somebody waits to be told. */
static __always_inline int wf_is_to_be_told(struct wf_ctx *ctx, const struct wf_ip *ip)
{
	__be16 flags;
	__u8 type;

	if (ip->fragment == WF_FRAGMENT_LATER || !wf_addr_is_unicast(ip->version, &ip->src) ||
	    !wf_addr_is_unicast(ip->version, &ip->dst))
		return 0;
	if (ip->version == 4 &&
	    (wf_ctx_load(ctx, ip->l3 + WF_FRAG_OFF_OFFSET, &flags, sizeof(flags)) < 0 ||
	     !(flags & bpf_htons(WF_REJECT_DONT_FRAGMENT))))
		return 0;
	if (ip->proto != (ip->version == 4 ? IPPROTO_ICMP : IPPROTO_ICMPV6))
		return 1;
	return wf_ctx_load(ctx, ip->l4, &type, sizeof(type)) == 0 &&
	       !wf_is_icmp_error(ip->version, type);
}

/*
 * What the sender of a packet to an endpoint of another node is to be told: the MTU of the way; 0:
 * nothing, it fits, or may be cut. Nothing was changed.
 */
WF_GLOBAL int wf_too_big_mtu(struct wf_ctx *ctx, struct wf_ip *ip, __u32 from,
			     const struct wf_remote_value *remote)
{
	const struct wf_net_value *network;
	const struct wf_node_value *node;
	__u32 mtu;

	if (!ip || !remote)
		return 0;
	network = wf_network_valid(remote->network);
	node = wf_map_node(remote->node);
	if (!network || !node || !wf_way_limit(remote, node))
		return 0;
	mtu = wf_way_carries(ctx, from, network, remote, node);
	if (ip->version == 6 && mtu < WF_IP6_MIN_MTU)
		mtu = WF_IP6_MIN_MTU;
	return wf_beyond_len(ctx, ip) > mtu && wf_is_to_be_told(ctx, ip) ? (int)mtu : 0;
}

/* The same, for what nearly every node is: the way carries what the device does. */
static __always_inline __u32 wf_remote_mtu(struct wf_ctx *ctx, struct wf_ip *ip, __u32 from,
					   const struct wf_remote_value *remote)
{
	const struct wf_node_value *node = wf_map_node(remote->node);

	if (wf_likely(!node || !(node->path_mtu | (remote->flags & WF_REMOTE_OUTER))))
		return 0;
	return wf_too_big_mtu(ctx, ip, from, remote);
}

/* Whether one more message may go to an endpoint in this second. */
static __always_inline int wf_too_big_may_tell(__u32 slot)
{
	struct wf_traffic_value *traffic = wf_map_traffic(slot);
	__u32 now = wf_now_coarse_s();

	if (!traffic)
		return 0;
	if (traffic->told_s != now) {
		traffic->told_s = now;
		traffic->told = 0;
	}
	return traffic->told++ < WF_TOO_BIG_PER_SECOND;
}

static __always_inline void wf_too_big_count(struct wf_ctx *ctx, __u32 slot)
{
	const struct wf_subject subject = { .slot = slot,
					    .hook = slot == WF_SLOT_HOST ? WF_HOOK_FROM_HOST
									 : WF_HOOK_FROM_CONTAINER };

	wf_drop_count(&subject, WF_REASON_TOO_BIG, wf_ctx_len(ctx));
	if (wf_unlikely(wf_observes(WF_OBSERVE_DROPS)))
		(void)wf_observe(ctx, &subject, WF_REASON_TOO_BIG, WF_EVENT_DROP);
}

/* Who says so: the gateway; to the host, which has that address itself, the other end. */
static __always_inline void wf_too_big_speak(__u32 slot, const struct wf_ep_value *endpoint,
					     struct wf_ip *ip)
{
	const struct wf_net_value *network;

	if (slot == WF_SLOT_HOST)
		return;
	network = wf_network_valid(endpoint->network);
	if (!network)
		return;
	if (ip->version == 4 && network->gateway4.words[3])
		ip->dst = network->gateway4;
	else if (ip->version == 6 && network->gateway6.halves[0])
		ip->dst = network->gateway6;
}

/* To the stack that sent it: action or -reason. */
static __always_inline int wf_too_big_send(struct wf_ctx *ctx, __u32 slot,
					   const struct wf_ep_value *endpoint)
{
	const struct wf_config_value *config = wf_map_config();

	if (slot != WF_SLOT_HOST)
		return wf_ctx_set_type_host(ctx) < 0 ? -WF_REASON_INTERNAL_ERROR
						     : wf_redirect_peer(ctx, endpoint->ifindex);
	if (!config || wf_ctx_store(ctx, 0, endpoint->mac, ETH_ALEN) < 0)
		return -WF_REASON_INTERNAL_ERROR;
	return wf_redirect_ingress(config->host_ifindex);
}

/* Makes the packet the message to its sender and sends it there: action or -reason. */
WF_GLOBAL int wf_too_big_make(struct wf_ctx *ctx, struct wf_ip *ip, __u32 slot, __u32 mtu)
{
	const struct wf_ep_value *endpoint = wf_map_endpoint(slot);
	struct wf_reject_message message = { .rest = bpf_htonl(mtu) };
	int r;

	if (!ip || !endpoint)
		return -WF_REASON_INTERNAL_ERROR;
	message.type = ip->version == 4 ? WF_ICMP4_UNREACHABLE : WF_ICMP6_TOO_BIG;
	message.code = ip->version == 4 ? WF_ICMP4_FRAGMENTATION_NEEDED : 0;
	wf_too_big_speak(slot, endpoint, ip);
	r = wf_reject_swap_macs(ctx, ip);
	if (r == 0)
		r = wf_reject_icmp(ctx, ip, &message);
	return r < 0 ? r : wf_too_big_send(ctx, slot, endpoint);
}

/*
 * Tells the sender, in `slot`, the MTU; ip, which is the packet's, is void afterwards. The action;
 * WF_GO_ON: no more in this second, nothing was changed; or -reason.
 */
static __always_inline int wf_too_big_tell(struct wf_ctx *ctx, struct wf_ip *ip, __u32 slot,
					   __u32 mtu)
{
	if (!wf_too_big_may_tell(slot))
		return WF_GO_ON;
	wf_too_big_count(ctx, slot);
	return wf_too_big_make(ctx, ip, slot, mtu);
}

/*
 * Sends to the node of an endpoint, as wf_to_remote() does, unless it is too large for the way: then
 * the sender hears of it. Not for what was translated already. Action or -reason.
 */
static __always_inline int wf_to_remote_fitting(struct wf_ctx *ctx, struct wf_ip *ip, __u32 from,
						const struct wf_remote_value *remote)
{
	__u32 mtu = wf_remote_mtu(ctx, ip, from, remote);
	int r = wf_unlikely(mtu) ? wf_too_big_tell(ctx, ip, from, mtu) : WF_GO_ON;

	return r == WF_GO_ON ? wf_to_remote(ctx, from, remote) : r;
}

#endif
