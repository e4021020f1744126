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
#include "frame.h"
#include "pretend.h"
#include "route.h"
#include "translate.h"

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
 * there; NULL: they name none of weft's.
 */
static __always_inline struct wf_uplink_value *
wf_beyond_way(struct wf_ctx *ctx, const struct wf_addr *pair, __u32 proto, struct wf_hop *ret_hop)
{
	struct wf_config_value *config = wf_map_config();
	struct wf_ask ask = { .proto = proto };

	if (!config)
		return NULL;
	ask.ifindex = config->host_ifindex;
	return wf_route_ask(ctx, pair, &ask, ret_hop, NULL) < 0 ? NULL
								: wf_map_uplink(ret_hop->ifindex);
}

/* What the routes are asked about the packet, and where the answer is remembered; NULL: nowhere. */
static __always_inline struct wf_route_value *wf_beyond_ask(struct wf_ctx *ctx,
							    const struct wf_ip *ip,
							    const struct wf_config_value *config,
							    struct wf_ask *ret_ask)
{
	*ret_ask = (struct wf_ask){ .ifindex = config->host_ifindex,
				    .proto = ip->proto,
				    .len = wf_beyond_len(ctx, ip) };
	return ret_ask->len ? wf_route_place(&ip->src) : NULL;
}

/* Sends the packet by the way that was remembered. As wf_beyond_send(). */
static __always_inline int wf_beyond_again(struct wf_ctx *ctx, const struct wf_ip *ip,
					   const struct wf_route_value *route)
{
	return wf_age_frame(ctx, ip, route->macs) < 0 ? WF_GO_ON : wf_redirect(route->ifindex);
}

/*
 * Asks for the way, and sends the packet to the neighbour: by that the kernel learns that somebody
 * needs it and keeps looking whether it is still there. The rest of the moment goes without. As
 * wf_beyond_send().
 */
static __always_inline int wf_beyond_first(struct wf_ctx *ctx, struct wf_ip *ip,
					   const struct wf_ask *ask, struct wf_route_value *route)
{
	struct wf_uplink_value *uplink;
	struct wf_hop hop = {};
	int r;

	/* what the kernel says is written over it, whether it is good for more than this packet or not */
	route->len = 0;
	r = wf_route_ask(ctx, &ip->src, ask, &hop, route);
	uplink = r < 0 ? NULL : wf_map_uplink(hop.ifindex);
	if (!uplink || wf_age(ctx, ip) < 0)
		return WF_GO_ON;
	if (r == 1 && uplink->l2_bytes)
		wf_route_keep(route, &ip->src, ask);
	return wf_redirect_hop(&hop);
}

/*
 * Sends the packet to the neighbour that the host's routes name: action, or WF_GO_ON when it is
 * for the stack to see to it: no such route, not by one of weft's uplinks, too long for the way,
 * its time is over. Nothing was changed then.
 */
WF_GLOBAL int wf_beyond_send(struct wf_ctx *ctx, struct wf_ip *ip)
{
	struct wf_config_value *config = wf_map_config();
	struct wf_route_value *route;
	struct wf_ask ask;

	if (!ip || !config)
		return WF_GO_ON;
	route = wf_beyond_ask(ctx, ip, config, &ask);
	if (!route)
		return WF_GO_ON;
	return wf_likely(wf_route_holds(route, &ip->src, &ask))
		       ? wf_beyond_again(ctx, ip, route)
		       : wf_beyond_first(ctx, ip, &ask, route);
}

/* The tuple's connection, if it goes this way here: 1 or 0. */
static __always_inline int wf_uplink_find(struct wf_work *work, __u32 is_egress)
{
	__u32 hides;

	/* by a call: in place it would take more of the stack than there is */
	if (!wf_conn_search(&work->flow.tuple, &work->hit) || work->hit.flags & WF_CONN_POLICY)
		return 0;
	/* what shows the host's address leaves first; what was asked from outside comes first */
	hides = !!(work->hit.flags & (WF_CONN_MASQUERADE | WF_CONN_HOST));
	return (work->hit.dir == WF_DIR_ORIGINAL) == (hides == is_egress);
}

/*
 * What a container sends to somebody outside is of a connection that is known, and the way was asked
 * for a moment ago: sends it as the uplink's own program would have changed it, which has nothing left to
 * do then. As wf_beyond_send(), or -reason.
 */
WF_GLOBAL int wf_beyond_known(struct wf_ctx *ctx, struct wf_ip *ip)
{
	struct wf_config_value *config = wf_map_config();
	struct wf_work *work = wf_map_work();
	struct wf_route_value *route;
	struct wf_ask ask;
	int r;

	/* who watches is told by the uplink's program */
	if (!ip || !config || !work || config->flags & WF_CONFIG_SEALS ||
	    config->observe & WF_OBSERVE_FIRST || ip->fragment || !wf_conn_live())
		return WF_GO_ON;
	route = wf_beyond_ask(ctx, ip, config, &ask);
	if (!route || !wf_route_holds(route, &ip->src, &ask) ||
	    wf_flow_read_here(ctx, ip, WF_SITE_EDGE, &work->flow) < 0 ||
	    !wf_frame_is_plain(ip, &work->flow) || wf_is_for_tunnel(ctx, ip) ||
	    !wf_uplink_find(work, 1) || work->hit.flags & (WF_CONN_HOST | WF_CONN_DIRECT))
		return WF_GO_ON;
	r = wf_frame_turn(ctx, &work->flow, &work->hit.to, (const struct wf_macs *)route->macs, 1);
	if (r)
		return r < 0 ? r : WF_GO_ON;
	wf_conn_touch(&work->hit, work->flow.tcp_flags);
	wf_ctx_set_mark(ctx, WF_MARK_NEAR);
	return wf_redirect(route->ifindex);
}

/* Whether the host's stack and its filters may be passed by. */
static __always_inline int wf_may_bypass(const struct wf_config_value *config)
{
	return config && config->flags & WF_CONFIG_BYPASS;
}

#endif
