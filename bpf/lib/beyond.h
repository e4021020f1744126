/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * What containers send to whoever is beyond the host. It takes the host's stack, its routes and
 * its netfilter; or, where that was asked for, the way that the stack would have chosen, straight
 * to the neighbour and past all rules. The uplink's own program sees it either way.
 */
#ifndef WEFT_BPF_BEYOND_H
#define WEFT_BPF_BEYOND_H

#include "age.h"
#include "finish.h"
#include "flow.h"

#define WF_TCP_DOFF_OFFSET 12

/* Bytes of the longest segment from its IP header on; 0 when they cannot be told. */
static __always_inline __u32 wf_beyond_len(struct wf_ctx *ctx, const struct wf_ip *ip)
{
	__u32 payload = wf_ctx_gso_bytes(ctx), header = WF_UDP_BYTES;
	__u8 doff;

	if (wf_likely(!payload))
		return ip->end - ip->l3;
	if (ip->proto == IPPROTO_TCP) {
		if (wf_ctx_load(ctx, ip->l4 + WF_TCP_DOFF_OFFSET, &doff, sizeof(doff)) < 0)
			return 0;
		header = (doff >> 4) * 4;
	} else if (ip->proto != IPPROTO_UDP) {
		return 0;
	}
	return ip->l4 - ip->l3 + header + payload;
}

/*
 * The uplink by which the host's routes send a packet between two addresses, `pair`, and the next hop
 * there; NULL: they name none of weft's. len: as in struct wf_ask.
 */
static __always_inline struct wf_uplink_value *wf_beyond_way(struct wf_ctx *ctx,
							     const struct wf_addr *pair,
							     __u32 proto, __u32 len,
							     struct wf_hop *ret_hop)
{
	struct wf_config_value *config = wf_map_config();
	struct wf_ask ask = { .proto = proto, .len = len };

	if (!config)
		return NULL;
	ask.ifindex = config->host_ifindex;
	return wf_route_pair(ctx, pair, &ask, ret_hop) < 0 ? NULL : wf_map_uplink(ret_hop->ifindex);
}

/*
 * Sends the packet to the neighbour that the host's routes name: action, or WF_GO_ON when it is
 * for the stack to see to it: no such route, not by one of weft's uplinks, too long for the way,
 * its time is over. Nothing was changed then.
 */
WF_GLOBAL int wf_beyond_send(struct wf_ctx *ctx, struct wf_ip *ip)
{
	struct wf_hop hop = {};
	__u32 len;

	if (!ip)
		return WF_GO_ON;
	len = wf_beyond_len(ctx, ip);
	if (!len || !wf_beyond_way(ctx, &ip->src, ip->proto, len, &hop) || wf_age(ctx, ip) < 0)
		return WF_GO_ON;
	return wf_redirect_hop(&hop);
}

/* Whether the host's stack and its filters may be passed by. */
static __always_inline int wf_may_bypass(const struct wf_config_value *config)
{
	return config && config->flags & WF_CONFIG_BYPASS;
}

#endif
