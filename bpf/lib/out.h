/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The way out of a network whose addresses mean nothing beyond it (stage WF_STAGE_VIA). The host could
 * not tell by such an address whose packet it is, so it gets the host's own before anybody else sees
 * it, and leaves by the neighbour that the host's routes name, past the host's stack. The record's one
 * tuple is of the network's scope, the other of the host's: by that the answer finds back
 * (uplink_in.h).
 */
#ifndef WEFT_BPF_OUT_H
#define WEFT_BPF_OUT_H

#include "beyond.h"
#include "judge_nat.h"
#include "masquerade.h"
#include "uplink.h"

/*
 * The uplink by which a packet between two addresses, `pair`, leaves the host, and the next hop there;
 * NULL: none does. A function: what the question takes of the stack would be missing where observers are
 * told (before Linux 6.7 frames are rounded up to 32 bytes).
 */
static __noinline struct wf_uplink_value *wf_out_way(struct wf_ctx *ctx, const struct wf_addr *pair,
						     __u32 proto, struct wf_hop *ret_hop)
{
	struct wf_uplink_value *uplink = wf_beyond_way(ctx, pair, proto, ret_hop);

	/* answers have to have a header that can be an endpoint's */
	return uplink && uplink->l2_bytes ? uplink : NULL;
}

/* Whether hit is a connection that goes out from here and shows that address, or one that came in. */
static __always_inline int wf_out_find(struct wf_work *work, const struct wf_addr *own)
{
	const struct wf_flow *flow = &work->flow;

	if (work->guard.is_traced ||
	    (flow->error_ip && !wf_addr_same(&flow->tuple.src, &work->ip.src)) ||
	    !wf_conn_find(&flow->tuple, &work->hit))
		return 0;
	if (work->hit.dir == WF_DIR_REPLY || wf_addr_same(&work->hit.to.src, own))
		return 1;
	/* the host has another address by now */
	wf_conn_remove(work->hit.index);
	return 0;
}

/* Begins a connection that shows `own`: 0, hit filled in, WF_TOLD() or -reason. */
static __always_inline int wf_out_begin(struct wf_ctx *ctx, struct wf_work *work,
					const struct wf_addr *own)
{
	struct wf_conn_new *fresh = &work->fresh;
	int r;

	if (!wf_may_begin(&work->flow))
		return -WF_REASON_NAT_UNRELATED;
	fresh->tuple[WF_DIR_ORIGINAL] = work->flow.tuple;
	wf_tuple_turn(&work->flow.tuple, &fresh->tuple[WF_DIR_REPLY]);
	fresh->tuple[WF_DIR_REPLY].scope = WF_NETWORK_HOST;
	fresh->flags = WF_CONN_MASQUERADE;
	fresh->owner = work->slot;
	fresh->peer = WF_SLOT_HOST;
	fresh->backend = 0;
	fresh->service = 0;
	wf_work_hit(&work->hit, fresh, 0);
	r = wf_judge_translated(ctx, work, work->slot, WF_SLOT_NOBODY);
	if (r < 0)
		return r;
	return work->guard.is_traced ? wf_judge_told(ctx, work, WF_SLOT_NOBODY)
				     : wf_masquerade_begin(ctx, work, own);
}

/*
 * A packet of the container in work->slot, to nobody of its scope: WF_TOLD() or -reason. Whatever
 * the host knows is of others, and not reached.
 */
WF_GLOBAL int wf_out(struct wf_ctx *ctx, struct wf_work *work, __u32 scope)
{
	struct wf_uplink_value *uplink;
	struct wf_hop hop = {};
	struct wf_addr own;
	int r;

	if (!work)
		return -WF_REASON_INTERNAL_ERROR;
	if (wf_address_find(WF_NETWORK_HOST, &work->ip.dst))
		return -WF_REASON_NETWORK_ISOLATED;
	work->guard.is_traced = wf_is_traced(ctx);
	r = wf_flow_gather(ctx, &work->ip, WF_PLACE(WF_SITE_EDGE, scope), &work->flow);
	if (r < 0)
		return r;
	uplink = wf_out_way(ctx, &work->ip.src, work->ip.proto, &hop);
	if (!uplink)
		return -WF_REASON_NETWORK_INTERNAL;
	own = *wf_uplink_addr(uplink, &work->ip);
	r = wf_out_find(work, &own) ? wf_judge_translated(ctx, work, work->slot, WF_SLOT_NOBODY)
				    : wf_out_begin(ctx, work, &own);
	if (r == 0)
		r = wf_translate(ctx, work);
	if (r)
		return r;
	/* the uplink's own program knows by it that the source is as it shall be */
	wf_ctx_set_mark(ctx, WF_MARK_MASQUERADE);
	wf_traffic_count(work->slot, WF_SLOT_HOST, wf_ctx_len(ctx));
	return WF_TOLD(wf_redirect_hop(&hop));
}

#endif
