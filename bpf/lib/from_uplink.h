/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * What an uplink receives: what of it weft has to do with, and who may have sent that. What is
 * translated: uplink_in.h.
 */
#ifndef WEFT_BPF_FROM_UPLINK_H
#define WEFT_BPF_FROM_UPLINK_H

#include "from_near.h"
#include "from_overlay.h"
#include "uplink_in.h"

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
	__u32 index = 0;

	if ((work->ip.proto != IPPROTO_UDP && work->ip.proto != IPPROTO_SCTP) ||
	    wf_flow_read(ctx, &work->ip, WF_SITE_EDGE, &work->flow) < 0 || work->flow.error_ip)
		return;
	if (wf_conn_find(&work->flow.tuple, &work->hit)) {
		wf_conn_touch(&work->hit, 0);
		return;
	}
	fresh->tuple[WF_DIR_ORIGINAL] = work->flow.tuple;
	wf_tuple_turn(&work->flow.tuple, &fresh->tuple[WF_DIR_REPLY]);
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
 * The source may be the host's own or a container's, of whatever node: nobody outside has that, but
 * another node of the segment sends for its containers. 0 when it is nobody's, otherwise what
 * becomes of the packet. A frame for somebody else's MAC does not reach the host; it may be the
 * host's own, on its way through the device to a macvlan container.
 */
static __always_inline int wf_uplink_inner(struct wf_ctx *ctx, const struct wf_uplink_value *uplink,
					   struct wf_work *work, __u32 interest)
{
	const struct wf_remote_value *remote;

	if (wf_ctx_is_for_others(ctx))
		return 0;
	remote = wf_remote_find(&work->ip.src);
	if (!remote && wf_address_owner(&work->ip.src) == WF_SLOT_NOBODY)
		return 0;
	if (remote && interest == WF_INTEREST_ROUTED && uplink->l2_bytes)
		return wf_from_near(ctx, work, remote, work->slot);
	if (remote && interest == WF_INTEREST_HOST && uplink->l2_bytes)
		return wf_near_to_host(ctx, work, remote);
	work->slot = WF_SLOT_HOST;
	return -WF_REASON_SPOOFED_IP;
}

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
		work->guard.scope = work->hit.to.scope;
		slot = work->target.slot;
		if (slot == WF_SLOT_HOST)
			slot = wf_scope_owner(work->target.scope, &work->target.addr);
		r = wf_door_fill(work);
		if (r == 0)
			r = wf_judge_translated(ctx, work, WF_SLOT_NOBODY, slot);
	}
	return r < 0 ? r : wf_judge_told(ctx, work, work->target.slot);
}

/* A packet from outside whose headers were read. */
static __always_inline int wf_uplink_enter(struct wf_ctx *ctx, const struct wf_uplink_value *uplink,
					   const struct wf_config_value *config,
					   struct wf_work *work, __u32 interest)
{
	int r;

	if (interest == WF_INTEREST_ROUTED)
		wf_uplink_note(ctx, work);
	if ((interest != WF_INTEREST_HOST && interest != WF_INTEREST_SERVICE) ||
	    (!(config->flags & WF_CONFIG_SERVICES) && !wf_conn_live()))
		return WF_GO_ON;
	r = wf_flow_gather(ctx, &work->ip, WF_SITE_EDGE, &work->flow);
	if (r < 0)
		return r == -WF_REASON_NAT_FRAGMENT ? r : WF_GO_ON;
	return wf_uplink_receive(ctx, uplink, config, work);
}

/* What comes through the tunnel: 0 when it does not, otherwise what becomes of it. */
static __always_inline int
wf_uplink_tunnelled(struct wf_ctx *ctx, const struct wf_uplink_value *uplink, struct wf_work *work)
{
	__u32 node = 0;
	int vni;

	if (work->ip.proto != IPPROTO_UDP || !uplink->l2_bytes)
		return 0;
	vni = wf_tunnel_open(ctx, &work->ip, &node);
	return vni > 0 ? wf_overlay_enter(ctx, work, vni, node, WF_OVERLAY_CLEAR,
					  WF_HOOK_FROM_UPLINK)
		       : vni;
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
	r = wf_uplink_tunnelled(ctx, uplink, work);
	if (wf_unlikely(r))
		return r;
	interest = wf_uplink_interest(uplink, &work->ip, &work->slot);
	r = wf_uplink_inner(ctx, uplink, work, interest);
	if (wf_unlikely(r))
		return r;
	work->guard.is_traced = wf_is_traced(ctx);
	if (wf_unlikely(work->guard.is_traced))
		return interest ? wf_uplink_trace(ctx, work, interest) : WF_GO_ON;
	r = wf_uplink_enter(ctx, uplink, config, work, interest);
	if (r == WF_GO_ON && interest == WF_INTEREST_HOST)
		return wf_uplink_firewall(ctx, WF_SLOT_NOBODY, WF_UPLINK_IN);
	return r;
}

#endif
