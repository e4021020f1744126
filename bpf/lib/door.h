/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Who is outside and a service whose backend is of a scope, and on another node (stage WF_STAGE_DOOR).
 * The host's stack could not tell by the backend's address whose it is, so nothing here passes it. Each
 * node has an address of its own in such a network, and nobody there: connections that come in by its
 * uplinks show it, each by its own port, and their answers come back to it through that network's tunnel.
 * The record's one tuple is of the host's scope, the other of the network's.
 */
#ifndef WEFT_BPF_DOOR_H
#define WEFT_BPF_DOOR_H

#include "node.h"
#include "out.h"
#include "work.h"

/* Tells the client, in the service's name, what the way takes: WF_TOLD() or -reason; 0: no more this second. */
static __always_inline int wf_door_too_big(struct wf_ctx *ctx, struct wf_work *work, __u32 mtu)
{
	const struct wf_reject_message message = {
		.type = work->ip.version == 4 ? WF_ICMP4_UNREACHABLE : WF_ICMP6_TOO_BIG,
		.code = work->ip.version == 4 ? WF_ICMP4_FRAGMENTATION_NEEDED : 0,
		.rest = bpf_htonl(mtu),
	};
	int r;

	if (!wf_too_big_may_tell(WF_SLOT_HOST))
		return 0;
	wf_too_big_count(ctx, WF_SLOT_HOST);
	r = wf_reject_swap_macs(ctx, &work->ip);
	if (r == 0)
		r = wf_reject_icmp(ctx, &work->ip, &message);
	return r < 0 ? r : WF_TOLD(wf_redirect(wf_ctx_ifindex(ctx)));
}

/*
 * An ICMP error of a router on the client's side was translated: in the tunnel it has to show this node's
 * address as well. 0 or -reason.
 */
static __always_inline int wf_door_speak(struct wf_ctx *ctx, struct wf_work *work)
{
	struct wf_flow *flow = &work->flow;
	int r;

	if (!flow->error_ip || wf_addr_same(&flow->tuple.src, &work->ip.src))
		return 0;
	r = wf_work_parse(ctx, ETH_HLEN, &work->ip);
	if (r < 0)
		return r;
	/* of the error itself nothing but the addresses */
	flow->error_ip = 0;
	flow->ports = 0;
	flow->l4 = work->ip.l4;
	return wf_nat_packet(ctx, &work->ip, flow, &work->hit.to);
}

/* A client's packet, of the connection in hit, to a container of another node: WF_TOLD() or -reason. */
static __always_inline int wf_door_in(struct wf_ctx *ctx, struct wf_work *work)
{
	const __u32 scope = work->hit.to.scope;
	struct wf_net_value *network = wf_network_valid(scope);
	struct wf_remote_value *remote;
	struct wf_addr addr;
	__u32 mtu;
	int r;

	if (!network)
		return -WF_REASON_NO_NETWORK;
	addr = work->hit.to.dst;
	remote = wf_remote_find_in(scope, &addr);
	/* began with a container that was here, or the host has another address by now */
	if (!remote || remote->network != scope ||
	    !wf_door_is(network, &work->ip, &work->hit.to.src))
		return -WF_REASON_NO_SUCH_ADDRESS;
	work->hop = *remote;
	/* always with outer headers: it has to fit into this node's device with them */
	work->hop.flags = WF_REMOTE_OUTER;
	mtu = wf_remote_mtu(ctx, &work->ip, WF_SLOT_HOST, &work->hop);
	r = wf_unlikely(mtu) ? wf_door_too_big(ctx, work, mtu) : 0;
	if (r == 0)
		r = wf_translate(ctx, work);
	if (r == 0)
		r = wf_door_speak(ctx, work);
	if (r == 0)
		r = wf_to_remote(ctx, WF_SLOT_HOST, &work->hop);
	return r < 0 || r >= WF_TOLD(0) ? r : WF_TOLD(r);
}

/*
 * The answer in hit, if it is one: of a connection that came in here. An error must come from the end that it
 * speaks for.
 */
static __always_inline int wf_door_find(struct wf_work *work)
{
	const struct wf_flow *flow = &work->flow;

	if (flow->error_ip && !wf_addr_same(&flow->tuple.src, &work->ip.src))
		return 0;
	return wf_conn_find(&flow->tuple, &work->hit) && work->hit.dir == WF_DIR_REPLY &&
	       !(work->hit.flags & WF_CONN_POLICY) && work->hit.to.scope == WF_NETWORK_HOST;
}

/* From a container of another node to this node's address in its scope: WF_TOLD() or -reason. */
static __always_inline int wf_door_out(struct wf_ctx *ctx, struct wf_work *work)
{
	const struct wf_uplink_value *uplink;
	struct wf_hop hop = {};
	int r = wf_flow_read(ctx, &work->ip, WF_PLACE(WF_SITE_EDGE, work->guard.scope),
			     &work->flow);

	/* what came out of a tunnel would not come again as it was: it cannot wait */
	work->flow.turn = WF_TURN_NONE;
	if (r < 0)
		return r;
	if (!wf_door_find(work))
		return -WF_REASON_NO_SUCH_ADDRESS;
	/* from the address that the client asked for to the client */
	uplink = wf_out_way(ctx, &work->hit.to.src, work->hit.to.proto, &hop);
	if (!uplink)
		return -WF_REASON_NETWORK_INTERNAL;
	r = wf_translate(ctx, work);
	if (r < 0)
		return r;
	/* the uplink's own program knows by it that the source is as it shall be */
	wf_ctx_set_mark(ctx, WF_MARK_MASQUERADE);
	wf_traffic_count(WF_SLOT_NOBODY, WF_SLOT_HOST, wf_ctx_len(ctx));
	return WF_TOLD(wf_redirect_hop(&hop));
}

/* The stage's logic: WF_TOLD() or -reason. The packet's headers were read. */
static __always_inline int wf_door(struct wf_ctx *ctx, struct wf_work *work)
{
	work->guard.is_traced = 0;
	return work->guard.way == WF_WAY_IN ? wf_door_in(ctx, work) : wf_door_out(ctx, work);
}

#endif
