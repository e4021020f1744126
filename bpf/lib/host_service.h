/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Stage WF_STAGE_SERVICE for what the host itself sends to a service's address. Most of its
 * processes are translated at connect(); what no socket hook sees - SCTP, and everything where there
 * are no hooks - has a route to weft0 and comes here. To whoever serves, the host shows the address
 * that it has in his network, as it would had it asked him directly; outside, that of the uplink.
 * Answers find the record where they pass: of a container in WF_STAGE_REPLY (service.h), of another
 * node in wf_node_receive(), from outside in wf_from_uplink(). All of them reach the host by weft0.
 */
#ifndef WEFT_BPF_HOST_SERVICE_H
#define WEFT_BPF_HOST_SERVICE_H

#include "beyond.h"
#include "from_host.h"
#include "node.h"
#include "service.h"
#include "uplink.h"

/* The tuple of answers shows that address of the host's: 0 or -reason. */
static __always_inline int wf_host_show(struct wf_work *work, const struct wf_addr *own)
{
	if (!own->halves[0] && !own->words[3])
		return -WF_REASON_NAT_NO_ADDRESS;
	work->fresh.tuple[WF_DIR_REPLY].dst = *own;
	return 0;
}

/* The endpoint of the node's in `slot`, which has the address, and its network: 0 or -reason. */
static __always_inline int wf_host_peer(const struct wf_work *work, __u32 slot,
					const struct wf_addr *addr, struct wf_ep_value **ret_peer,
					struct wf_net_value **ret_network)
{
	int reason = -WF_REASON_INTERNAL_ERROR;

	*ret_peer = wf_service_peer(slot, work->ip.version, addr, &reason);
	if (!*ret_peer)
		return reason;
	*ret_network = wf_network_valid((*ret_peer)->network);
	return *ret_network ? 0 : -WF_REASON_NO_NETWORK;
}

/* The backend is an endpoint of the node's: 0 or -reason. */
static __always_inline int wf_host_aim_here(struct wf_work *work)
{
	struct wf_net_value *network;
	struct wf_ep_value *peer;
	const struct wf_addr *own;
	int r = wf_host_peer(work, work->target.slot, &work->target.addr, &peer, &network);

	if (r < 0)
		return r;
	own = wf_node_addr(network, &work->ip);
	if (!wf_has_addr(own))
		own = work->ip.version == 4 ? &network->gateway4 : &network->gateway6;
	return wf_host_show(work, own);
}

/* Of another node's: its answers come to the address that this node's host has in the network. */
static __always_inline int wf_host_aim_node(struct wf_work *work,
					    const struct wf_remote_value *remote)
{
	struct wf_net_value *network = wf_network_valid(remote->network);

	work->fresh.flags |= WF_CONN_MASQUERADE;
	work->fresh.tuple[WF_DIR_REPLY].site = WF_SITE_EDGE;
	return network ? wf_host_show(work, wf_node_addr(network, &work->ip))
		       : -WF_REASON_NO_NETWORK;
}

/* Of nobody's. A function, like wf_host_route_out(): inlined, a way fills the stack of what calls it. */
static __noinline int wf_host_aim_out(struct wf_ctx *ctx, struct wf_work *work)
{
	const struct wf_uplink_value *uplink;
	struct wf_hop hop = {};

	wf_work_hit(&work->hit, &work->fresh, 0);
	uplink = wf_beyond_way(ctx, &work->hit.to.src, work->hit.to.proto, &hop);
	if (!uplink)
		return -WF_REASON_SERVICE_NO_BACKEND;
	work->fresh.flags |= WF_CONN_HOST;
	work->fresh.tuple[WF_DIR_REPLY].site = WF_SITE_EDGE;
	return wf_host_show(work, wf_uplink_addr(uplink, &work->ip));
}

/*
 * Where the new connection in work->fresh goes, and how its answers look: 0 or -reason. A server of
 * the host's own sees the service's address as the client, or its answers would not come by here.
 */
static __always_inline int wf_host_aim(struct wf_ctx *ctx, struct wf_work *work)
{
	const struct wf_addr *addr = &work->target.addr;
	struct wf_remote_value *remote;

	if (work->target.slot != WF_SLOT_HOST)
		return wf_host_aim_here(work);
	remote = wf_remote_find(addr);
	if (remote)
		return wf_host_aim_node(work, remote);
	if (wf_address_owner(addr) != WF_SLOT_HOST)
		return wf_host_aim_out(ctx, work);
	work->fresh.flags |= WF_CONN_HAIRPIN;
	return wf_host_show(work, &work->flow.tuple.dst);
}

/* The receiver of the packet in hit, as policies see him. */
static __always_inline __u32 wf_host_receiver(const struct wf_conn_hit *hit)
{
	if (hit->flags & WF_CONN_HAIRPIN)
		return WF_SLOT_HOST;
	return hit->peer == WF_SLOT_HOST ? WF_SLOT_NOBODY : hit->peer;
}

/* Changes the packet and sends it into a container. Action or -reason. */
static __always_inline int wf_host_go_here(struct wf_ctx *ctx, struct wf_work *work)
{
	struct wf_net_value *network;
	struct wf_ep_value *peer;
	int r = wf_host_peer(work, work->hit.peer, &work->hit.to.dst, &peer, &network);

	if (r == 0)
		r = wf_translate(ctx, work);
	return r < 0 ? r : wf_to_endpoint(ctx, WF_SLOT_HOST, network, work->hit.peer, peer);
}

/* The same to another node. What is too large for the way there is told of as the host sent it. */
static __always_inline int wf_host_go_node(struct wf_ctx *ctx, struct wf_work *work)
{
	struct wf_remote_value *remote = wf_remote_find(&work->hit.to.dst);
	__u32 mtu;
	int r;

	if (!remote)
		return -WF_REASON_NO_SUCH_ADDRESS;
	mtu = wf_remote_mtu(ctx, &work->ip, WF_SLOT_HOST, remote);
	r = wf_unlikely(mtu) ? wf_too_big_tell(ctx, &work->ip, WF_SLOT_HOST, mtu) : WF_GO_ON;
	if (r != WF_GO_ON)
		return r;
	r = wf_translate(ctx, work);
	return r < 0 ? r : wf_to_remote(ctx, WF_SLOT_HOST, remote);
}

static __noinline int wf_host_route_out(struct wf_ctx *ctx, struct wf_work *work)
{
	const struct wf_tuple *to = &work->hit.to;
	struct wf_hop hop = {};

	return wf_beyond_way(ctx, &to->src, to->proto, &hop) ? wf_redirect_hop(&hop)
							     : -WF_REASON_SERVICE_NO_BACKEND;
}

/* The same out of an uplink, whose own program sees it like all that the host sends. */
static __always_inline int wf_host_go_out(struct wf_ctx *ctx, struct wf_work *work)
{
	int r = wf_translate(ctx, work);

	return r < 0 ? r : wf_host_route_out(ctx, work);
}

/* The same back to the host. */
static __always_inline int wf_host_go_back(struct wf_ctx *ctx, struct wf_work *work)
{
	int r = wf_translate(ctx, work);

	return r < 0 ? r : wf_to_host(ctx, NULL, WF_SLOT_HOST);
}

/* Judges a packet of the connection in hit and sends it on. WF_TOLD() or -reason. */
static __always_inline int wf_host_go(struct wf_ctx *ctx, struct wf_work *work)
{
	const struct wf_conn_hit *hit = &work->hit;
	/* one that began just now was judged before */
	int r = hit->guard ? wf_judge_translated(ctx, work, WF_SLOT_HOST, wf_host_receiver(hit))
			   : 0;

	if (r < 0)
		return r;
	if (hit->flags & WF_CONN_HAIRPIN)
		r = wf_host_go_back(ctx, work);
	else if (hit->flags & WF_CONN_MASQUERADE)
		r = wf_host_go_node(ctx, work);
	else if (hit->flags & WF_CONN_HOST)
		r = wf_host_go_out(ctx, work);
	else
		r = wf_host_go_here(ctx, work);
	return r < 0 ? r : WF_TOLD(r);
}

/* Refuses towards the host, or drops. */
static __always_inline int wf_host_refuse(struct wf_ctx *ctx, struct wf_work *work, int reason)
{
	int r;

	if (!wf_is_refusal(reason) || work->guard.is_traced)
		return reason;
	r = wf_refuse(ctx, work, reason) ? wf_to_host(ctx, NULL, WF_SLOT_HOST) : TC_ACT_SHOT;
	return WF_TOLD(r < 0 ? TC_ACT_SHOT : r);
}

/* A target was found: begins the connection. WF_TOLD() or -reason. */
static __always_inline int wf_host_begin(struct wf_ctx *ctx, struct wf_work *work)
{
	__u32 to;
	int r;

	wf_translate_fill(work, WF_SLOT_HOST);
	r = wf_host_aim(ctx, work);
	if (r < 0)
		return r;
	wf_work_hit(&work->hit, &work->fresh, 0);
	to = wf_host_receiver(&work->hit);
	r = wf_judge_translated(ctx, work, WF_SLOT_HOST, to);
	if (r < 0)
		return r;
	if (work->guard.is_traced)
		return wf_judge_told(ctx, work, to);
	r = wf_masquerade_add(ctx, work);
	return r < 0 ? r : wf_host_go(ctx, work);
}

/* The packet of no known connection. WF_TOLD() or -reason. */
static __always_inline int wf_host_new(struct wf_ctx *ctx, struct wf_work *work)
{
	int r;

	if (work->flow.error_ip)
		return -WF_REASON_NO_SUCH_ADDRESS;
	wf_client_is_host(&work->client);
	work->client.purpose = work->guard.is_traced ? WF_LB_TRACES : WF_LB_BEGINS;
	r = wf_lb_find(&work->flow.tuple, &work->client, &work->target);
	if (r > 0)
		r = wf_host_begin(ctx, work);
	else if (r == 0)
		r = -WF_REASON_NO_SUCH_ADDRESS;
	return r < 0 ? wf_host_refuse(ctx, work, r) : r;
}

/* Whether the packet's connection is known: 1, hit filled in; 0, or -CONN_CUT. */
static __always_inline int wf_host_find(struct wf_work *work)
{
	return work->guard.is_traced ? 0 : wf_service_known(work);
}

/* What the host sent to a service's address. WF_TOLD() or -reason. */
static __always_inline int wf_host_service(struct wf_ctx *ctx, struct wf_work *work)
{
	int r;

	work->guard.is_traced = wf_is_traced(ctx);
	r = wf_parse_host_packet(ctx, &work->ip);
	if (r == 0)
		r = wf_flow_gather(ctx, &work->ip, WF_SITE_CONTAINER, &work->flow);
	if (r < 0)
		return r;
	/* what others have it forward is no business of services inside */
	if (wf_address_owner(&work->ip.src) != WF_SLOT_HOST)
		return -WF_REASON_NO_SUCH_ADDRESS;
	r = wf_host_find(work);
	if (r < 0)
		return wf_host_refuse(ctx, work, r);
	return r ? wf_host_go(ctx, work) : wf_host_new(ctx, work);
}

#endif
