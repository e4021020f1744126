/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* What an uplink is about to send: answers of services, and what shows the host's address. */
#ifndef WEFT_BPF_TO_UPLINK_H
#define WEFT_BPF_TO_UPLINK_H

#include "masquerade.h"
#include "pretend.h"
#include "uplink.h"

/* Whose packet leaves. */
enum wf_leaver {
	WF_LEAVER_OTHER, /* goes as it is */
	WF_LEAVER_HOST,  /* the host's own: shows the address that masqueraded packets show */
	WF_LEAVER_NODE,  /* the host's own, from another of its addresses: goes as it is */
	WF_LEAVER_INNER, /* must not be seen outside with its own address */
};

/* Fills in the slot of a container. */
static __always_inline __u32 wf_uplink_leaver(struct wf_ctx *ctx,
					      const struct wf_uplink_value *uplink,
					      const struct wf_ip *ip, __u32 *ret_slot)
{
	struct wf_addr_value *value;
	struct wf_ep_value *endpoint;
	struct wf_net_value *network;

	if (wf_addr_same(wf_uplink_addr(uplink, ip), &ip->src))
		return WF_LEAVER_HOST;
	value = wf_address_find(WF_NETWORK_HOST, &ip->src);
	if ((!value || value->slot == WF_SLOT_HOST) && wf_ctx_mark(ctx) & WF_MARK_MASQUERADE)
		return WF_LEAVER_INNER;
	if (!value || value->slot == WF_SLOT_HOST)
		return value && value->flags & (WF_ADDR_HOST | WF_ADDR_GATEWAY) ? WF_LEAVER_NODE
										: WF_LEAVER_OTHER;
	*ret_slot = value->slot;
	endpoint = wf_map_endpoint(value->slot);
	network = endpoint ? wf_network_valid(endpoint->network) : NULL;
	if (!network || !(network->flags & WF_NET_MASQUERADE) || wf_classify(ip) < 0)
		return WF_LEAVER_OTHER;
	/* to another weft network, by whatever detour: addresses are told apart there */
	return wf_address_find(WF_NETWORK_HOST, &ip->dst) ? WF_LEAVER_OTHER : WF_LEAVER_INNER;
}

/*
 * Whether answers to a packet of the host's own would be taken for those of a masqueraded
 * connection. Asked when the host begins something; which of its ports are taken is known by then.
 */
static __always_inline int wf_uplink_collides(struct wf_work *work)
{
	const struct wf_tuple *tuple = &work->flow.tuple;
	struct wf_tuple reply = {
		.src = tuple->dst,
		.dst = tuple->src,
		.sport = tuple->dport,
		.dport = tuple->sport,
		.proto = tuple->proto,
		.site = WF_SITE_EDGE,
	};

	return wf_may_begin(&work->flow) && work->flow.ports && wf_conn_find(&reply, &work->hit) &&
	       work->hit.dir == WF_DIR_REPLY && work->hit.flags & WF_CONN_MASQUERADE;
}

/* A packet that leaves, of the connection in hit. */
static __always_inline int wf_uplink_out(struct wf_ctx *ctx, struct wf_work *work)
{
	int r = work->hit.flags & WF_CONN_HOST
			? wf_judge_translated(ctx, work, WF_SLOT_HOST, WF_SLOT_NOBODY)
			: 0;

	if (r == 0)
		r = wf_translate(ctx, work);
	return r < 0 ? r : WF_TOLD(WF_GO_ON);
}

/*
 * Whether the packet answers, or goes on with, something that is not recorded: whoever is outside
 * began it with the container's own address.
 */
static __always_inline int wf_uplink_answers(const struct wf_flow *flow)
{
	__u32 proto = flow->tuple.proto;

	if (proto == IPPROTO_TCP)
		return !flow->error_ip && !wf_may_begin(flow);
	return (proto == IPPROTO_ICMP || proto == IPPROTO_ICMPV6) && flow->ports &&
	       flow->tuple.dport;
}

/* A packet that leaves and belongs to no known connection. */
static __always_inline int wf_uplink_leave(struct wf_ctx *ctx, const struct wf_uplink_value *uplink,
					   __u32 leaver, struct wf_work *work)
{
	int r;

	if (leaver == WF_LEAVER_HOST ? !wf_uplink_collides(work) : wf_uplink_answers(&work->flow))
		return WF_GO_ON;
	work->fresh.flags = leaver == WF_LEAVER_HOST ? WF_CONN_HOST : WF_CONN_MASQUERADE;
	work->fresh.owner = work->slot;
	r = wf_masquerade_begin(ctx, work, wf_uplink_addr(uplink, &work->ip));
	return r < 0 ? r : wf_uplink_out(ctx, work);
}

/*
 * A container's later fragment that is here before its first one. Whose it is nobody knows yet,
 * but it has no ports: the address is all there is to change. Where the guess is wrong, since it
 * answers somebody who was routed here, its packet is lost, as it would be without the guess.
 */
static __always_inline int wf_uplink_hide(struct wf_ctx *ctx, const struct wf_uplink_value *uplink,
					  struct wf_work *work)
{
	const struct wf_addr *addr = wf_uplink_addr(uplink, &work->ip);
	struct wf_tuple *to = &work->hit.to;
	struct wf_sums sums;
	int r = wf_nat_sums(work->ip.version, work->ip.proto, &sums);

	if (r < 0)
		return r;
	if (!addr->halves[0] && !addr->words[3])
		return -WF_REASON_NAT_NO_ADDRESS;
	*to = work->flow.tuple;
	to->src = *addr;
	r = wf_nat_apply(ctx, &work->ip, &work->flow, to);
	return r < 0 ? r : WF_TOLD(WF_GO_ON);
}

/* A packet that leaves and is of no known connection; unread: why it belongs to no flow, or 0. */
static __always_inline int wf_uplink_exit(struct wf_ctx *ctx, const struct wf_uplink_value *uplink,
					  __u32 leaver, struct wf_work *work, int unread)
{
	if (unread == -WF_REASON_NAT_FRAGMENT && leaver == WF_LEAVER_INNER)
		return wf_uplink_hide(ctx, uplink, work);
	if (unread < 0)
		return leaver == WF_LEAVER_INNER ? unread : WF_GO_ON;
	return leaver == WF_LEAVER_OTHER || leaver == WF_LEAVER_NODE
		       ? WF_GO_ON
		       : wf_uplink_leave(ctx, uplink, leaver, work);
}

/* A packet that leaves, of a known connection. Whoever owns that is named, if somebody observes. */
static __always_inline int wf_uplink_known(struct wf_ctx *ctx, struct wf_work *work)
{
	if (work->hit.dir == WF_DIR_ORIGINAL)
		work->slot = work->hit.owner;
	else
		work->slot = work->hit.peer;
	return wf_uplink_out(ctx, work);
}

/* Whether the source is an address of the host or of a service: nobody behind it is to be hidden. */
static __always_inline int wf_uplink_shows(const struct wf_uplink_value *uplink,
					   const struct wf_ip *ip)
{
	struct wf_addr_value *value;

	if (wf_addr_same(wf_uplink_addr(uplink, ip), &ip->src))
		return 1;
	value = wf_address_find(WF_NETWORK_HOST, &ip->src);
	return value && value->flags;
}

/* What an uplink is about to send: WF_GO_ON, WF_TOLD(), WF_NEXT(WF_STAGE_POLICY) or -reason. */
static __always_inline int wf_to_uplink(struct wf_ctx *ctx, struct wf_work *work)
{
	struct wf_uplink_value *uplink = wf_map_uplink(wf_ctx_ifindex(ctx));
	__u32 leaver, is_own, live = wf_conn_live();
	int r = WF_GO_ON, unread = 0;

	if (!uplink || wf_uplink_parse(ctx, uplink, &work->ip) < 0)
		return WF_GO_ON;
	if (wf_unlikely(wf_is_for_tunnel(ctx, &work->ip))) {
		(void)wf_uplink_leaver(ctx, uplink, &work->ip, &work->slot);
		return -WF_REASON_TUNNEL_PRETENDED;
	}
	/* from a container of a scope, and told already: bpf/lib/out.h */
	if (wf_unlikely(wf_ctx_mark(ctx) & WF_MARK_MASQUERADE) &&
	    wf_uplink_shows(uplink, &work->ip))
		return WF_GO_ON;
	work->guard.is_traced = wf_is_traced(ctx);
	if (live)
		unread = wf_flow_read_here(ctx, &work->ip, WF_SITE_EDGE, &work->flow);
	if (live && unread == 0 && !work->guard.is_traced && wf_uplink_find(work, 1))
		return wf_uplink_known(ctx, work);
	leaver = wf_uplink_leaver(ctx, uplink, &work->ip, &work->slot);
	is_own = leaver == WF_LEAVER_HOST || leaver == WF_LEAVER_NODE;
	if (!live && leaver == WF_LEAVER_INNER)
		unread = wf_flow_read(ctx, &work->ip, WF_SITE_EDGE, &work->flow);
	if (wf_likely(!work->guard.is_traced) && (live || leaver == WF_LEAVER_INNER))
		r = wf_uplink_exit(ctx, uplink, leaver, work, unread);
	return r == WF_GO_ON && is_own ? wf_uplink_firewall(ctx, WF_SLOT_HOST, WF_UPLINK_OUT) : r;
}

#endif
