/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * In front of the host's stack: clients outside whose backend is on another node. Both addresses
 * change at once, or neither (direct return), and the frame leaves again, so one record does for
 * the connection. Everything that is not as simple as that passes and is the business of
 * lib/from_uplink.h.
 */
#ifndef WEFT_BPF_XDP_LB_H
#define WEFT_BPF_XDP_LB_H

#include "age.h"
#include "ipv4.h"
#include "ipv6.h"
#include "masquerade.h"
#include "pretend.h"
#include "route.h"
#include "translate.h"

/* Whether frames of that kind are translated here: whole packets of TCP and UDP, no options. */
static __always_inline int wf_xdp_takes(const struct wf_ip *ip)
{
	__u32 plain = ip->version == 4 ? WF_L4_PLAIN_IPV4 : WF_L4_PLAIN_IPV6;

	return ip->l4 == plain && ip->fragment == WF_FRAGMENT_NONE &&
	       (ip->proto == IPPROTO_TCP || ip->proto == IPPROTO_UDP);
}

/* Whether what goes to a node's host, or comes from there, may go inside WireGuard only. */
static __always_inline int wf_xdp_is_sealed(const struct wf_config_value *config,
					    const struct wf_addr *addr)
{
	return config->flags & WF_CONFIG_SEALS && wf_map_seal(addr);
}

/* Whether the stack has to look at what the packet becomes: it is encrypted there, or refused. */
static __always_inline int wf_xdp_is_for_stack(struct wf_ctx *ctx, const struct wf_work *work)
{
	const struct wf_config_value *config = wf_map_config();
	const struct wf_tuple *to = &work->hit.to;
	__be16 port;

	if (!config || wf_xdp_is_sealed(config, &to->dst))
		return 1;
	port = to->proto == IPPROTO_UDP ? wf_tunnel_port() : 0;
	return port && to->dport == port && wf_is_tunnel_end(ctx, &work->ip, &to->dst);
}

/* The route of a frame that becomes like the tuple; NULL when the stack has to look after it. */
static __always_inline const struct wf_route_value *
wf_xdp_route(struct wf_ctx *ctx, const struct wf_work *work, const struct wf_tuple *to)
{
	const struct wf_ask ask = { .ifindex = wf_ctx_ifindex(ctx),
				    .proto = to->proto,
				    .len = wf_ctx_len(ctx) - work->ip.l3 };
	struct wf_route_value *route = wf_route_place(&to->src);

	if (!route || wf_likely(wf_route_holds(route, &to->src, &ask)))
		return route;
	if (wf_route_ask(ctx, &to->src, &ask, route) < 0)
		return NULL;
	wf_route_keep(route, &to->src, &ask);
	return route;
}

/* Changes the frame to what hit says and sends it by the route: an action of XDP. */
static __always_inline int wf_xdp_send(struct wf_ctx *ctx, struct wf_work *work,
				       const struct wf_route_value *route)
{
	if (wf_xdp_is_for_stack(ctx, work))
		return XDP_PASS;
	/* nothing was changed yet: the stack would say what is wrong with it */
	if (wf_age(ctx, &work->ip) < 0)
		return XDP_PASS;
	if (wf_translate(ctx, work) < 0 ||
	    wf_ctx_store_fast(ctx, 0, route->macs, sizeof(route->macs)) < 0)
		return XDP_DROP;
	return route->ifindex == wf_ctx_ifindex(ctx) ? XDP_TX : wf_redirect(route->ifindex);
}

/*
 * Begins the connection in work->fresh: it shows the uplink's address, or stays as it is and is
 * answered past this node. 0, hit filled in, or -1.
 */
static __always_inline int wf_xdp_add(struct wf_ctx *ctx, struct wf_work *work,
				      const struct wf_uplink_value *uplink)
{
	struct wf_addr *shown = &work->fresh.tuple[WF_DIR_REPLY].dst;

	if (work->target.flags & WF_FRONTEND_DSR) {
		work->fresh.flags |= WF_CONN_DIRECT;
		return wf_translate_begin(&work->fresh, &work->hit) < 0 ? -1 : 0;
	}
	work->fresh.flags |= WF_CONN_MASQUERADE;
	*shown = work->ip.version == 4 ? uplink->ip4 : uplink->ip6;
	return !shown->halves[1] || wf_masquerade_add(ctx, work) < 0 ? -1 : 0;
}

/* A client begins: an action of XDP. */
static __always_inline int wf_xdp_begin(struct wf_ctx *ctx, struct wf_work *work)
{
	struct wf_tuple *to = &work->hit.to;
	const struct wf_route_value *route;
	struct wf_uplink_value *uplink;

	work->client.addr = work->ip.src;
	work->client.scope = work->client.view = WF_NETWORK_HOST;
	work->client.outside = 1;
	work->client.purpose = WF_LB_MAY_LEAVE;
	work->client.is_recorded = 0;
	if (wf_lb_find(&work->flow.tuple, &work->client, &work->target) <= 0 ||
	    work->target.slot != WF_SLOT_HOST || work->target.scope ||
	    !(work->target.flags & (WF_FRONTEND_SNAT | WF_FRONTEND_DSR)) ||
	    wf_address_find(WF_NETWORK_HOST, &work->target.addr) ||
	    wf_address_owner(&work->ip.src) != WF_SLOT_NOBODY)
		return XDP_PASS;
	*to = work->flow.tuple;
	to->dst = work->target.addr;
	to->dport = work->target.port;
	route = wf_xdp_route(ctx, work, to);
	if (!route)
		return XDP_PASS;
	uplink = wf_map_uplink(route->ifindex);
	if (!uplink || !uplink->l2_bytes)
		return XDP_PASS;
	wf_translate_fill(work, WF_SLOT_HOST);
	if (wf_xdp_add(ctx, work, uplink) < 0)
		return XDP_PASS;
	wf_lb_count(work->target.service, 0);
	return wf_xdp_send(ctx, work, route);
}

/* Whether the connection lives behind the stack: it was there before this program was. */
static __always_inline int wf_xdp_is_behind(struct wf_work *work)
{
	struct wf_tuple tuple = work->flow.tuple;

	tuple.site = WF_SITE_EDGE;
	return wf_conn_known(&tuple);
}

/* The logic of the program: an action of XDP. */
static __always_inline int wf_xdp(struct wf_ctx *ctx, struct wf_work *work)
{
	struct wf_config_value *config = wf_map_config();
	const struct wf_route_value *route;
	struct wf_addr_value *value;

	if (!config || !(config->flags & WF_CONFIG_SERVICES))
		return XDP_PASS;
	if (wf_work_parse_here(ctx, ETH_HLEN, &work->ip) < 0 || !wf_xdp_takes(&work->ip))
		return XDP_PASS;
	value = wf_address_find(WF_NETWORK_HOST, &work->ip.dst);
	if (!value || !value->flags || wf_xdp_is_sealed(config, &work->ip.src) ||
	    wf_flow_read_here(ctx, &work->ip, WF_SITE_XDP, &work->flow) < 0)
		return XDP_PASS;
	if (wf_conn_find_here(&work->flow.tuple, &work->hit)) {
		/* what else is to be done with it, the other program knows */
		if (wf_judge(&work->hit) != WF_JUDGE_KEEP)
			return XDP_PASS;
		route = wf_xdp_route(ctx, work, &work->hit.to);
		if (!route)
			return XDP_PASS;
		return wf_xdp_send(ctx, work, route);
	}
	if (!wf_may_begin(&work->flow) || (work->ip.proto == IPPROTO_UDP && wf_xdp_is_behind(work)))
		return XDP_PASS;
	return wf_xdp_begin(ctx, work);
}

#endif
