/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * What comes out of WireGuard. That the source is one of the node that has the key was looked at
 * there (allowed IPs); which node's it is, and that the daemon has told WireGuard so, is known here.
 * The device has no Ethernet header: a container's packet gets one, what is for the overlay's device
 * goes on by the host's stack.
 */
#ifndef WEFT_BPF_FROM_TUNNEL_H
#define WEFT_BPF_FROM_TUNNEL_H

#include "from_overlay.h"

/* The source of a packet without Ethernet header: its IP version, or -reason. */
static __always_inline int wf_bare_source(struct wf_ctx *ctx, struct wf_addr *ret_src)
{
	__u8 first = 0;
	__be32 src = 0;

	if (wf_ctx_load(ctx, 0, &first, sizeof(first)) < 0)
		return -WF_REASON_MALFORMED_L2;
	if (first >> 4 == 6)
		return wf_ctx_load(ctx, offsetof(struct ipv6hdr, saddr), ret_src,
				   sizeof(*ret_src)) < 0
			       ? -WF_REASON_MALFORMED_L2
			       : 6;
	if (first >> 4 != 4)
		return -WF_REASON_UNSUPPORTED_L3;
	if (wf_ctx_load(ctx, offsetof(struct iphdr, saddr), &src, sizeof(src)) < 0)
		return -WF_REASON_MALFORMED_L2;
	ret_src->halves[0] = 0;
	ret_src->words[2] = bpf_htonl(0xffff);
	ret_src->words[3] = src;
	return 4;
}

/* Gives the packet an Ethernet header, without addresses yet: 0 or -reason. */
static __always_inline int wf_bare_dress(struct wf_ctx *ctx, int version)
{
	__be16 proto = version == 4 ? bpf_htons(ETH_P_IP) : bpf_htons(ETH_P_IPV6);

	if (wf_ctx_add_eth(ctx) < 0 || wf_ctx_store(ctx, 2 * ETH_ALEN, &proto, sizeof(proto)) < 0)
		return -WF_REASON_INTERNAL_ERROR;
	return 0;
}

/* The program's logic: WF_GO_ON, an action, WF_NEXT(), WF_TOLD() or -reason. */
static __always_inline int wf_from_tunnel(struct wf_ctx *ctx)
{
	struct wf_work *work = wf_work_begin(WF_SLOT_HOST, WF_HOOK_FROM_OVERLAY);
	struct wf_net_value *network;
	struct wf_remote_value *remote;
	struct wf_addr src = {};
	__u32 vni, node;
	int r = wf_bare_source(ctx, &src), version = r;

	if (!work)
		return -WF_REASON_INTERNAL_ERROR;
	if (r < 0)
		return r;
	if (wf_is_tunnel_address(&src)) {
		/* until it comes out of the overlay's device it is known by that */
		wf_ctx_set_mark(ctx, wf_ctx_mark(ctx) | WF_MARK_SEALED);
		return WF_GO_ON;
	}
	r = wf_bare_dress(ctx, version);
	if (r < 0)
		return r;
	remote = wf_remote_find(&src);
	if (!remote || !(remote->flags & WF_REMOTE_BOUND))
		return -WF_REASON_OVERLAY_SPOOFED;
	vni = remote->network;
	node = remote->node;
	network = wf_network_valid(vni);
	if (!network || !(network->flags & WF_NET_ENCRYPTED))
		return -WF_REASON_NO_NETWORK;
	/* it was looked for in the scope of the host */
	if (network->flags & WF_NET_SCOPED)
		return -WF_REASON_OVERLAY_SPOOFED;
	return wf_overlay_enter(ctx, work, vni, node, WF_OVERLAY_SEALED_KNOWN,
				WF_HOOK_FROM_OVERLAY);
}

#endif
