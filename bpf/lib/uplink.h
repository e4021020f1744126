/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The host's devices that lead outside. Most of what passes there is no business of weft's and
 * goes on untouched, as early as it can be told. What is translated goes on as well: into the
 * host's stack, whose filters see clients and containers, or onto the wire.
 */
#ifndef WEFT_BPF_UPLINK_H
#define WEFT_BPF_UPLINK_H

#include "age.h"
#include "deliver.h"
#include "judge_nat.h"
#include "masquerade.h"
#include "translate.h"

/* The uplink's own address of the packet's family. */
static __always_inline const struct wf_addr *wf_uplink_addr(const struct wf_uplink_value *uplink,
							    const struct wf_ip *ip)
{
	return ip->version == 4 ? &uplink->ip4 : &uplink->ip6;
}

/* Takes the headers of a frame of the uplink: 0 or -reason; what has one is not weft's. */
static __always_inline int wf_uplink_parse(struct wf_ctx *ctx, const struct wf_uplink_value *uplink,
					   struct wf_ip *ip)
{
	return uplink->l2_bytes ? wf_work_parse(ctx, ETH_HLEN, ip) : wf_work_parse(ctx, 0, ip);
}

/* The tuple's connection, if it goes this way here: 1 or 0. */
static __always_inline int wf_uplink_find(struct wf_work *work, __u32 is_egress)
{
	__u32 hides;

	if (!wf_conn_find(&work->flow.tuple, &work->hit) || work->hit.flags & WF_CONN_POLICY)
		return 0;
	/* what shows the host's address leaves first; what was asked from outside comes first */
	hides = !!(work->hit.flags & (WF_CONN_MASQUERADE | WF_CONN_HOST));
	return (work->hit.dir == WF_DIR_ORIGINAL) == (hides == is_egress);
}

/*
 * Straight into the container, past the host's stack: action, WF_NEXT() or -reason. That the
 * source is nobody's of this node was looked at before.
 */
static __always_inline int wf_uplink_bypass(struct wf_ctx *ctx, __u32 slot, const struct wf_ip *ip)
{
	int reason = -WF_REASON_INTERNAL_ERROR;
	struct wf_ep_value *endpoint = wf_endpoint_ready(slot, &reason);
	struct wf_net_value *network;
	int r;

	if (!endpoint)
		return reason;
	network = wf_network_valid(endpoint->network);
	if (!network)
		return -WF_REASON_NO_NETWORK;
	r = wf_check_internal(endpoint, network, ip);
	return r < 0 ? r
		     : wf_to_endpoint_guarded(ctx, ip, network, slot, endpoint,
					      WF_HOOK_FROM_UPLINK);
}

/* Whether the endpoint is in service and the address is its first one. */
static __always_inline int wf_uplink_is_of(const struct wf_ep_value *endpoint,
					   const struct wf_addr *addr)
{
	__u32 family = addr->halves[0] ? WF_EP_IPV6 : WF_EP_IPV4, wanted = WF_EP_READY | family;

	if (!endpoint || (endpoint->flags & (wanted | WF_EP_HOST)) != wanted)
		return 0;
	return wf_addr_same(family == WF_EP_IPV4 ? &endpoint->ip4 : &endpoint->ip6, addr);
}

/*
 * The slot of the container that the translated packet is for; WF_SLOT_HOST: another way. The
 * record says who it was; an endpoint in service that still has the address is he.
 */
static __always_inline __u32 wf_uplink_receiver(const struct wf_work *work)
{
	const struct wf_conn_hit *hit = &work->hit;
	__u32 slot = hit->dir == WF_DIR_ORIGINAL ? hit->peer : hit->owner;
	struct wf_addr_value *value;

	if (hit->flags & WF_CONN_HOST)
		return WF_SLOT_HOST;
	if (wf_likely(wf_uplink_is_of(wf_map_endpoint(slot), &hit->to.dst)))
		return slot;
	value = wf_address_find(WF_NETWORK_HOST, &work->hit.to.dst);
	return value && !(value->flags & WF_ADDR_GATEWAY) ? value->slot : WF_SLOT_HOST;
}

/*
 * A packet of hit's connection goes on as it is, by the way to the backend: that, or the node it
 * is on, has the service's address as well and answers the client itself. Action or -reason.
 */
static __always_inline int wf_uplink_pass_on(struct wf_ctx *ctx, struct wf_work *work)
{
	struct wf_hop hop = {};

	if (wf_route_hop(ctx, &work->hit.to, &hop) < 0)
		return -WF_REASON_SERVICE_NO_BACKEND;
	/* whose time is over gets its answer from the stack; two nodes that disagree end here */
	if (wf_age(ctx, &work->ip) < 0)
		return WF_TOLD(WF_GO_ON);
	return WF_TOLD(wf_redirect_hop(&hop));
}

/* A packet from outside, of the connection in hit, goes in. */
static __always_inline int wf_uplink_in(struct wf_ctx *ctx, const struct wf_uplink_value *uplink,
					const struct wf_config_value *config, struct wf_work *work)
{
	int r;

	work->slot = wf_uplink_receiver(work);
	r = work->hit.flags & WF_CONN_HOST
		    ? wf_judge_translated(ctx, work, WF_SLOT_NOBODY, WF_SLOT_HOST)
		    : 0;
	if (r == 0)
		r = wf_translate(ctx, work);
	if (r < 0)
		return r;
	if (work->hit.flags & WF_CONN_DIRECT)
		return wf_uplink_pass_on(ctx, work);
	if (work->hit.flags & WF_CONN_SNAT && work->hit.dir == WF_DIR_ORIGINAL)
		wf_ctx_set_mark(ctx, wf_ctx_mark(ctx) | WF_MARK_MASQUERADE);
	if (work->slot == WF_SLOT_HOST || !wf_may_bypass(config) || !uplink->l2_bytes ||
	    wf_ctx_is_for_others(ctx))
		return WF_TOLD(WF_GO_ON);
	r = wf_uplink_bypass(ctx, work->slot, &work->ip);
	return r < 0 || r == WF_NEXT(WF_STAGE_POLICY) ? r : WF_TOLD(r);
}

/* Refuses towards whoever is outside, or drops. */
static __always_inline int wf_uplink_refuse(struct wf_ctx *ctx, const struct wf_work *work,
					    int reason)
{
	if (!wf_is_refusal(reason))
		return reason;
	return WF_TOLD(wf_refuse(ctx, work, reason) ? wf_redirect(wf_ctx_ifindex(ctx))
						    : TC_ACT_SHOT);
}

static __always_inline void wf_client_outside(struct wf_work *work)
{
	work->client.addr = work->ip.src;
	work->client.scope = WF_NETWORK_HOST;
	work->client.outside = 1;
	work->client.purpose = work->guard.is_traced ? WF_LB_TRACES : WF_LB_BEGINS;
	work->client.is_recorded = 0;
}

/* A client outside begins: with a service, a published port, or the host itself. */
static __always_inline int wf_uplink_begin(struct wf_ctx *ctx, const struct wf_uplink_value *uplink,
					   const struct wf_config_value *config,
					   struct wf_work *work)
{
	int r;

	wf_client_outside(work);
	r = wf_lb_find(&work->flow.tuple, &work->client, &work->target);
	if (r == 0)
		return WF_GO_ON;
	if (r > 0) {
		wf_translate_fill(work, WF_SLOT_HOST);
		if (work->target.slot == WF_SLOT_HOST && work->target.flags & WF_FRONTEND_SNAT)
			work->fresh.flags |= WF_CONN_SNAT;
		if (work->target.slot == WF_SLOT_HOST && work->target.flags & WF_FRONTEND_DSR)
			work->fresh.flags |= WF_CONN_DIRECT;
		r = wf_translate_begin(&work->fresh, &work->hit);
	}
	return r < 0 ? wf_uplink_refuse(ctx, work, r) : wf_uplink_in(ctx, uplink, config, work);
}

/*
 * A packet of a connection that XDP translates, come up here because XDP let it pass: no
 * neighbour known yet, a fragment, an ICMP error. Sent out again as XDP would have.
 */
static __always_inline int wf_uplink_relay(struct wf_ctx *ctx, struct wf_work *work)
{
	__u32 ifindex;
	int r;

	work->flow.tuple.site = WF_SITE_XDP;
	if (!wf_conn_find(&work->flow.tuple, &work->hit))
		return WF_GO_ON;
	r = wf_judge(&work->hit);
	if (r != WF_JUDGE_KEEP) {
		wf_conn_remove(work->hit.index);
		return r == WF_JUDGE_CUT ? wf_uplink_refuse(ctx, work, -WF_REASON_CONN_CUT)
					 : WF_GO_ON;
	}
	r = wf_translate(ctx, work);
	if (r < 0)
		return r;
	if (work->hit.flags & WF_CONN_DIRECT)
		return wf_uplink_pass_on(ctx, work);
	ifindex = wf_route_device(ctx, &work->hit.to);
	return WF_TOLD(ifindex ? wf_redirect_neigh(ifindex) : TC_ACT_SHOT);
}

/* What a packet from outside is to weft, by its destination. */
enum wf_interest {
	WF_INTEREST_NONE,
	WF_INTEREST_HOST,    /* an address of the host */
	WF_INTEREST_SERVICE, /* one of a service, and of nobody else */
	WF_INTEREST_ROUTED,  /* a container's own address */
};

static __always_inline __u32 wf_uplink_interest(const struct wf_uplink_value *uplink,
						const struct wf_ip *ip, __u32 *ret_slot)
{
	struct wf_addr_value *value;

	if (wf_addr_same(wf_uplink_addr(uplink, ip), &ip->dst))
		return WF_INTEREST_HOST;
	value = wf_address_find(WF_NETWORK_HOST, &ip->dst);
	if (!value)
		return WF_INTEREST_NONE;
	*ret_slot = value->slot;
	if (value->flags & (WF_ADDR_HOST | WF_ADDR_GATEWAY))
		return WF_INTEREST_HOST;
	return value->flags ? WF_INTEREST_SERVICE : WF_INTEREST_ROUTED;
}

/*
 * Somebody outside talks to a container by its own address: the answers must not be masqueraded.
 * Of TCP and echo they can be told by themselves; of the others who began is remembered.
 */
static __always_inline void wf_uplink_note(struct wf_ctx *ctx, struct wf_work *work)
{
	struct wf_conn_new *fresh = &work->fresh;
	struct wf_tuple *back = &fresh->tuple[WF_DIR_REPLY];
	__u32 index = 0;

	if ((work->ip.proto != IPPROTO_UDP && work->ip.proto != IPPROTO_SCTP) ||
	    wf_flow_read(ctx, &work->ip, WF_SITE_EDGE, &work->flow) < 0 || work->flow.error_ip)
		return;
	if (wf_conn_find(&work->flow.tuple, &work->hit)) {
		wf_conn_touch(&work->hit, 0);
		return;
	}
	fresh->tuple[WF_DIR_ORIGINAL] = work->flow.tuple;
	*back = work->flow.tuple;
	back->src = work->flow.tuple.dst;
	back->dst = work->flow.tuple.src;
	back->sport = work->flow.tuple.dport;
	back->dport = work->flow.tuple.sport;
	fresh->flags = WF_CONN_ROUTED;
	fresh->backend = 0;
	fresh->service = 0;
	fresh->owner = WF_SLOT_HOST;
	fresh->peer = work->slot;
	/* without a record its answers are masqueraded, that is all */
	(void)wf_conn_add(fresh, &index);
}

/*
 * Whether it may be for a service: later fragments and others without ports cannot be told apart
 * from what is for the host.
 */
static __always_inline int wf_uplink_may_begin(const struct wf_flow *flow)
{
	__u32 proto = flow->tuple.proto;

	return wf_may_begin(flow) && flow->ports && proto != IPPROTO_ICMP &&
	       proto != IPPROTO_ICMPV6;
}

/* The packet's headers were read and it is for an address of interest. */
static __always_inline int wf_uplink_receive(struct wf_ctx *ctx,
					     const struct wf_uplink_value *uplink,
					     const struct wf_config_value *config,
					     struct wf_work *work)
{
	if (wf_uplink_find(work, 0)) {
		switch (wf_judge(&work->hit)) {
		case WF_JUDGE_KEEP: return wf_uplink_in(ctx, uplink, config, work);
		case WF_JUDGE_CUT:
			wf_conn_remove(work->hit.index);
			return wf_uplink_refuse(ctx, work, -WF_REASON_CONN_CUT);
		default: wf_conn_remove(work->hit.index); break;
		}
	}
	if (!(config->flags & WF_CONFIG_SERVICES))
		return WF_GO_ON;
	if (work->flow.tuple.proto != IPPROTO_TCP || !wf_may_begin(&work->flow)) {
		int r = wf_uplink_relay(ctx, work);

		if (r != WF_GO_ON || !wf_uplink_may_begin(&work->flow))
			return r;
		work->flow.tuple.site = WF_SITE_EDGE;
	}
	return wf_uplink_begin(ctx, uplink, config, work);
}

/*
 * Whether the source is the host's own or a container's, of whatever node: nobody outside has that. A frame for
 * somebody else's MAC does not reach the host; it may be the host's own, on its way through the
 * device to a macvlan container.
 */
static __always_inline int wf_uplink_is_spoofed(const struct wf_ctx *ctx, const struct wf_ip *ip)
{
	return (wf_address_owner(&ip->src) != WF_SLOT_NOBODY || wf_remote_find(&ip->src)) &&
	       !wf_ctx_is_for_others(ctx);
}

/* Leaves what the host itself receives or sends to the judge, if policies are about the host. */
static __always_inline int wf_uplink_firewall(struct wf_ctx *ctx, __u32 from, __u32 how)
{
	if (!(wf_host_flags() & WF_EP_GUARDED) && !wf_is_traced(ctx))
		return WF_GO_ON;
	return wf_guard_call(ctx, from, WF_SLOT_HOST, how);
}

#define WF_UPLINK_IN  WF_GUARD_HOW(WF_WAY_IN, WF_HOOK_FROM_UPLINK, 0)
#define WF_UPLINK_OUT WF_GUARD_HOW(WF_WAY_OUT, WF_HOOK_TO_UPLINK, 0)

/* Somebody asks what would become of the packet of a client outside. */
static __always_inline int wf_uplink_trace(struct wf_ctx *ctx, struct wf_work *work, __u32 interest)
{
	__u32 slot;
	int r;

	if (interest == WF_INTEREST_ROUTED)
		return wf_guard_call(ctx, WF_SLOT_NOBODY, work->slot, WF_UPLINK_IN);
	r = wf_flow_read(ctx, &work->ip, WF_SITE_EDGE, &work->flow);
	if (r < 0)
		return r;
	wf_client_outside(work);
	r = wf_uplink_may_begin(&work->flow)
		    ? wf_lb_find(&work->flow.tuple, &work->client, &work->target)
		    : 0;
	if (r == 0)
		return interest == WF_INTEREST_HOST
			       ? wf_uplink_firewall(ctx, WF_SLOT_NOBODY, WF_UPLINK_IN)
			       : WF_GO_ON;
	if (r > 0) {
		wf_translate_fill(work, WF_SLOT_HOST);
		wf_work_hit(&work->hit, &work->fresh, 0);
		slot = work->target.slot;
		if (slot == WF_SLOT_HOST)
			slot = wf_address_owner(&work->target.addr);
		r = wf_judge_translated(ctx, work, WF_SLOT_NOBODY, slot);
	}
	return r < 0 ? r : wf_judge_told(ctx, work, work->target.slot);
}

/* A packet from outside whose headers were read. */
static __always_inline int wf_uplink_enter(struct wf_ctx *ctx, const struct wf_uplink_value *uplink,
					   const struct wf_config_value *config,
					   struct wf_work *work, __u32 interest)
{
	if (interest == WF_INTEREST_ROUTED)
		wf_uplink_note(ctx, work);
	if ((interest != WF_INTEREST_HOST && interest != WF_INTEREST_SERVICE) ||
	    (!(config->flags & WF_CONFIG_SERVICES) && !wf_conn_live()) ||
	    wf_flow_read(ctx, &work->ip, WF_SITE_EDGE, &work->flow) < 0)
		return WF_GO_ON;
	return wf_uplink_receive(ctx, uplink, config, work);
}

/* What an uplink received: WF_GO_ON, an action, WF_TOLD(), WF_NEXT(WF_STAGE_POLICY) or -reason. */
static __always_inline int wf_from_uplink(struct wf_ctx *ctx, struct wf_work *work)
{
	struct wf_config_value *config = wf_map_config();
	struct wf_uplink_value *uplink = wf_map_uplink(wf_ctx_ifindex(ctx));
	__u32 interest;
	int r;

	if (!config || !uplink || wf_uplink_parse(ctx, uplink, &work->ip) < 0)
		return WF_GO_ON;
	if (wf_unlikely(wf_uplink_is_spoofed(ctx, &work->ip)))
		return -WF_REASON_SPOOFED_IP;
	interest = wf_uplink_interest(uplink, &work->ip, &work->slot);
	work->guard.is_traced = wf_is_traced(ctx);
	if (wf_unlikely(work->guard.is_traced))
		return interest ? wf_uplink_trace(ctx, work, interest) : WF_GO_ON;
	r = wf_uplink_enter(ctx, uplink, config, work, interest);
	if (r == WF_GO_ON && interest == WF_INTEREST_HOST)
		return wf_uplink_firewall(ctx, WF_SLOT_NOBODY, WF_UPLINK_IN);
	return r;
}

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

/* What an uplink is about to send: WF_GO_ON, WF_TOLD(), WF_NEXT(WF_STAGE_POLICY) or -reason. */
static __always_inline int wf_to_uplink(struct wf_ctx *ctx, struct wf_work *work)
{
	struct wf_uplink_value *uplink = wf_map_uplink(wf_ctx_ifindex(ctx));
	__u32 leaver, is_own, live = wf_conn_live();
	int r = WF_GO_ON, unread = 0;

	if (!uplink || wf_uplink_parse(ctx, uplink, &work->ip) < 0)
		return WF_GO_ON;
	work->guard.is_traced = wf_is_traced(ctx);
	if (live)
		unread = wf_flow_read(ctx, &work->ip, WF_SITE_EDGE, &work->flow);
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
