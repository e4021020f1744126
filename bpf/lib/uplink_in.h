/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Connections of clients outside that are translated: one begins, and its packets go in - into the
 * host's stack, whose filters see clients and containers, straight on where nothing of the host's has
 * to see them, or out again to another machine. Which packets these are: from_uplink.h.
 */
#ifndef WEFT_BPF_UPLINK_IN_H
#define WEFT_BPF_UPLINK_IN_H

#include "age.h"
#include "uplink.h"

/* The frame may be changed at once and nobody has to be asked: action or -reason. */
static __always_inline int wf_uplink_straight(struct wf_ctx *ctx, struct wf_work *work,
					      const struct wf_net_value *network,
					      const struct wf_ep_value *endpoint)
{
	struct wf_macs macs;
	int r;

	wf_translate_note(ctx, work);
	wf_address_macs(network, endpoint, &macs);
	r = wf_frame_turn(ctx, &work->flow, &work->hit.to, &macs, 0);
	return r < 0 ? r : wf_to_peer(ctx, WF_SLOT_HOST, work->slot, endpoint);
}

/*
 * A packet of the connection in hit goes straight into the container in work->slot, past the host's
 * stack: action, WF_NEXT() or -reason. That the source is nobody's of this node was looked at before.
 */
static __always_inline int wf_uplink_bypass(struct wf_ctx *ctx, struct wf_work *work)
{
	int r = -WF_REASON_INTERNAL_ERROR;
	struct wf_ep_value *endpoint = wf_endpoint_ready(work->slot, &r);
	struct wf_net_value *network;

	if (!endpoint)
		return r;
	network = wf_network_valid(endpoint->network);
	if (!network)
		return -WF_REASON_NO_NETWORK;
	r = wf_check_internal(endpoint, network, &work->ip);
	if (r < 0)
		return r;
	if (wf_likely(wf_frame_is_plain(&work->ip, &work->flow)) &&
	    !wf_guard_cares(ctx, endpoint->flags | wf_host_flags()))
		return wf_uplink_straight(ctx, work, network, endpoint);
	r = wf_translate(ctx, work);
	return r < 0 ? r
		     : wf_to_endpoint_guarded(ctx, &work->ip, network, work->slot, endpoint,
					      WF_HOOK_FROM_UPLINK);
}

/* Whether the endpoint is in service and the address, in that scope, is its first one. */
static __always_inline int wf_uplink_is_of(const struct wf_ep_value *endpoint, __u32 scope,
					   const struct wf_addr *addr)
{
	__u32 family = addr->halves[0] ? WF_EP_IPV6 : WF_EP_IPV4, wanted = WF_EP_READY | family;

	if (!endpoint || (endpoint->flags & (wanted | WF_EP_HOST)) != wanted ||
	    endpoint->scope != scope)
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
	if (wf_likely(wf_uplink_is_of(wf_map_endpoint(slot), hit->to.scope, &hit->to.dst)))
		return slot;
	value = wf_address_find(hit->to.scope, &hit->to.dst);
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

/*
 * To a container in work->slot whose address means nothing to the host's stack: past it. WF_TOLD() or
 * -reason.
 */
static __always_inline int wf_uplink_into(struct wf_ctx *ctx, struct wf_work *work)
{
	struct wf_ep_value *endpoint = NULL;
	struct wf_net_value *network;
	int r = -WF_REASON_NO_SUCH_ADDRESS;

	work->guard.scope = work->hit.to.scope;
	if (work->slot != WF_SLOT_HOST)
		endpoint = wf_endpoint_ready(work->slot, &r);
	if (!endpoint)
		return r;
	network = wf_network_valid(endpoint->network);
	if (!network)
		return -WF_REASON_NO_NETWORK;
	r = wf_judge_translated(ctx, work, WF_SLOT_NOBODY, work->slot);
	if (r == 0)
		r = wf_translate(ctx, work);
	if (r == 0)
		r = wf_to_endpoint(ctx, WF_SLOT_HOST, network, work->slot, endpoint);
	return r < 0 ? r : WF_TOLD(r);
}

/* A packet from outside, of the connection in hit, goes into a scope: WF_TOLD(), WF_NEXT() or -reason. */
static __always_inline int wf_uplink_scope(struct wf_ctx *ctx, const struct wf_uplink_value *uplink,
					   struct wf_work *work)
{
	if (wf_ctx_is_for_others(ctx))
		return WF_GO_ON;
	if (work->slot != WF_SLOT_HOST || !uplink->l2_bytes)
		return wf_uplink_into(ctx, work);
	work->guard.way = WF_WAY_IN;
	return WF_NEXT(WF_STAGE_DOOR);
}

/* Whether a packet of the connection in hit goes into the container in work->slot past the stack. */
static __always_inline int wf_uplink_may_bypass(const struct wf_ctx *ctx,
						const struct wf_uplink_value *uplink,
						const struct wf_config_value *config,
						const struct wf_work *work)
{
	return work->slot != WF_SLOT_HOST && wf_may_bypass(config) && uplink->l2_bytes &&
	       !wf_ctx_is_for_others(ctx) && !(work->hit.flags & WF_CONN_DIRECT);
}

/* A packet from outside, of the connection in hit, goes in. */
static __always_inline int wf_uplink_in(struct wf_ctx *ctx, const struct wf_uplink_value *uplink,
					const struct wf_config_value *config, struct wf_work *work)
{
	int r;

	work->slot = wf_uplink_receiver(work);
	if (wf_unlikely(work->hit.to.scope))
		return wf_uplink_scope(ctx, uplink, work);
	if (wf_uplink_may_bypass(ctx, uplink, config, work)) {
		r = wf_uplink_bypass(ctx, work);
		return r < 0 || r == WF_NEXT(WF_STAGE_POLICY) ? r : WF_TOLD(r);
	}
	r = work->hit.flags & WF_CONN_HOST
		    ? wf_judge_translated(ctx, work, WF_SLOT_NOBODY, WF_SLOT_HOST)
		    : 0;
	if (r == 0)
		r = wf_translate(ctx, work);
	if (r < 0)
		return r;
	if (work->hit.flags & WF_CONN_DIRECT)
		return wf_uplink_pass_on(ctx, work);
	/* an answer to the host comes by the device that leads to services, whatever filters ask for */
	if (work->hit.flags & WF_CONN_HOST && work->hit.flags & WF_CONN_SERVICE &&
	    uplink->l2_bytes) {
		r = wf_to_host(ctx, NULL, WF_SLOT_NOBODY);
		return r < 0 ? r : WF_TOLD(r);
	}
	if (work->hit.flags & WF_CONN_SNAT && work->hit.dir == WF_DIR_ORIGINAL)
		wf_ctx_set_mark(ctx, wf_ctx_mark(ctx) | WF_MARK_MASQUERADE);
	return WF_TOLD(WF_GO_ON);
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
	work->client.scope = work->client.view = WF_NETWORK_HOST;
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
		r = wf_door_fill(work);
	}
	if (r == 0)
		r = wf_translate_begin(&work->fresh, &work->hit);
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

#endif
