/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Stages of what a container sends: to a service, a published port or the world beyond its
 * network (WF_STAGE_SERVICE), and of everything while translated connections lead to it
 * (WF_STAGE_REPLY). Headers, source and MAC were checked before the tail call.
 */
#ifndef WEFT_BPF_SERVICE_H
#define WEFT_BPF_SERVICE_H

#include "deliver.h"
#include "finish.h"
#include "judge_nat.h"
#include "translate.h"

/* The container that sends. */
struct wf_sender {
	__u32 slot;
	const struct wf_ep_value *endpoint;
	const struct wf_net_value *network;
};

/* As if there were no services: within the network, to the host, or elsewhere. May be WF_NEXT(). */
static __always_inline int wf_service_plain(struct wf_ctx *ctx, const struct wf_sender *sender,
					    struct wf_ip *ip)
{
	struct wf_addr_value *value = wf_address_find(sender->endpoint->network, &ip->dst);
	struct wf_remote_value *remote = value ? NULL : wf_remote_for(sender->endpoint, &ip->dst);
	const struct ethhdr *eth = wf_ctx_eth(ctx);
	int reason = -WF_REASON_INTERNAL_ERROR;
	struct wf_ep_value *peer;

	if (!eth)
		return -WF_REASON_MALFORMED_L2;
	if (remote)
		return wf_to_remote_guarded(ctx, sender->slot, sender->endpoint, ip, remote);
	if (!value)
		return wf_deliver_elsewhere(ctx, eth, sender->slot, sender->endpoint, ip,
					    wf_address_find(sender->endpoint->scope, &ip->dst));
	/* of addresses of its own the host has none: it is a service's */
	if (value->slot == WF_SLOT_HOST && sender->endpoint->scope)
		return -WF_REASON_SERVICE_NO_PORT;
	if (value->slot == WF_SLOT_HOST)
		return wf_to_host_guarded(ctx, eth, sender->slot, sender->endpoint, ip, 1);
	peer = wf_endpoint_ready(value->slot, &reason);
	if (!peer)
		return reason;
	if (!wf_mac_same(eth->h_dest, peer->mac) && wf_ctx_store(ctx, 0, peer->mac, ETH_ALEN) < 0)
		return -WF_REASON_INTERNAL_ERROR;
	return wf_to_peer_guarded(ctx, sender->slot, sender->endpoint->flags, ip, value->slot,
				  peer);
}

/* Refuses towards the container, or drops. */
static __always_inline int wf_service_refuse(struct wf_ctx *ctx, const struct wf_sender *sender,
					     const struct wf_work *work, int reason)
{
	if (!wf_is_refusal(reason) || work->guard.is_traced)
		return reason;
	if (!wf_refuse(ctx, work, reason) || wf_ctx_set_type_host(ctx) < 0)
		return WF_TOLD(TC_ACT_SHOT);
	return WF_TOLD(wf_redirect_peer(ctx, sender->endpoint->ifindex));
}

/* The endpoint of a slot if it has the address; otherwise NULL with the reason. */
static __always_inline struct wf_ep_value *
wf_service_peer(__u32 slot, __u32 version, const struct wf_addr *addr, int *ret_reason)
{
	struct wf_ep_value *peer = wf_endpoint_ready(slot, ret_reason);

	if (peer && !wf_endpoint_has(peer, slot, version, addr)) {
		*ret_reason = -WF_REASON_NO_SUCH_ADDRESS;
		return NULL;
	}
	return peer;
}

/*
 * Whether the connection may go from the sender to the backend in `slot`: 0 or -reason. A service
 * address is no way around isolation; an address of the host is, since anybody may use that.
 */
static __always_inline int wf_service_check(const struct wf_sender *sender, __u32 slot, __u32 flags)
{
	struct wf_ep_value *peer;
	struct wf_net_value *other;
	int reason = -WF_REASON_INTERNAL_ERROR;

	/* whom of another node that may be is looked at when the packet goes there */
	if (slot == WF_SLOT_HOST)
		return sender->network->flags & WF_NET_INTERNAL &&
				       !(sender->network->flags & WF_NET_OVERLAY)
			       ? -WF_REASON_NETWORK_INTERNAL
			       : 0;
	peer = wf_endpoint_ready(slot, &reason);
	if (!peer)
		return reason;
	other = wf_network_valid(peer->network);
	if (!other)
		return -WF_REASON_NO_NETWORK;
	reason = wf_check_networks(sender->network, other);
	if (reason == -WF_REASON_NETWORK_ISOLATED && flags & WF_CONN_VIA_HOST)
		reason = (sender->network->flags | other->flags) & WF_NET_INTERNAL
				 ? -WF_REASON_NETWORK_INTERNAL
				 : 0;
	return reason;
}

/* Whether policies allow the connection in hit; `to`: the slot it goes to. 0 or -reason. */
static __always_inline int wf_service_judge(struct wf_ctx *ctx, const struct wf_sender *sender,
					    struct wf_work *work, __u32 to)
{
	__u32 flags = sender->endpoint->flags | wf_host_flags();

	if (to == WF_SLOT_HOST && (flags & WF_EP_GUARDED || work->guard.is_traced))
		to = wf_scope_owner(sender->endpoint->scope, &work->hit.to.dst);
	return wf_judge_translated(ctx, work, sender->slot, to);
}

/* Too large for the way to its backend: told of the packet as the container sent it. */
static __noinline int wf_service_too_big(struct wf_ctx *ctx, struct wf_work *work, __u32 mtu)
{
	struct wf_tuple *sent = &work->fresh.tuple[WF_DIR_ORIGINAL];
	int r;

	*sent = work->flow.tuple;
	r = wf_work_parse(ctx, ETH_HLEN, &work->ip);
	if (r == 0)
		r = wf_flow_read(ctx, &work->ip, WF_PLACE(WF_SITE_CONTAINER, sent->scope),
				 &work->flow);
	if (r == 0)
		r = wf_nat_apply(ctx, &work->ip, &work->flow, sent);
	if (r == 0)
		r = wf_too_big_tell(ctx, &work->ip, work->slot, mtu);
	return r == WF_GO_ON ? -WF_REASON_TOO_BIG : r;
}

/* A backend that is not on this node: through the overlay, or by the host's routes. */
static __always_inline int wf_service_beyond(struct wf_ctx *ctx, const struct wf_sender *sender,
					     struct wf_work *work)
{
	struct wf_remote_value *remote = wf_remote_for(sender->endpoint, &work->hit.to.dst);
	__u32 mtu;
	int r;

	if (!remote && sender->network->flags & WF_NET_INTERNAL)
		return -WF_REASON_NETWORK_INTERNAL;
	if (!remote)
		return wf_to_host(ctx, NULL, sender->slot);
	r = wf_check_remote(sender->network, remote);
	if (r < 0)
		return r;
	mtu = wf_remote_mtu(ctx, &work->ip, sender->slot, remote);
	return wf_unlikely(mtu) ? wf_service_too_big(ctx, work, mtu)
				: wf_to_remote(ctx, sender->slot, remote);
}

/*
 * The packet was changed to what hit says: to whom that is, and whether he may get it. Action or
 * -reason.
 */
static __always_inline int wf_service_deliver(struct wf_ctx *ctx, const struct wf_sender *sender,
					      struct wf_work *work)
{
	const struct wf_conn_hit *hit = &work->hit;
	int reason = -WF_REASON_NO_SUCH_ADDRESS;
	struct wf_addr_value *value;
	struct wf_net_value *network;
	struct wf_ep_value *peer;
	__u32 to = hit->peer;
	int r;

	if (hit->dir == WF_DIR_REPLY) {
		value = wf_address_find(sender->endpoint->scope, &hit->to.dst);
		to = value ? value->slot : WF_SLOT_HOST;
		/* a service has no address that anybody could have asked from */
		if (to == WF_SLOT_HOST &&
		    !(value && value->flags & (WF_ADDR_HOST | WF_ADDR_GATEWAY)))
			return reason;
	}
	/* one that began just now was judged before */
	if (hit->guard) {
		r = wf_service_judge(ctx, sender, work, to);
		if (r < 0)
			return r;
	}
	if (to == WF_SLOT_HOST)
		return hit->dir == WF_DIR_REPLY ? wf_to_host(ctx, NULL, sender->slot)
						: wf_service_beyond(ctx, sender, work);
	peer = wf_service_peer(to, work->ip.version, &hit->to.dst, &reason);
	if (!peer)
		return reason;
	network = wf_network_valid(peer->network);
	if (!network)
		return -WF_REASON_NO_NETWORK;
	return wf_to_endpoint(ctx, sender->slot, network, to, peer);
}

/* Changes the packet to what hit says and sends it on. Action, WF_TOLD() or -reason. */
static __always_inline int wf_service_go(struct wf_ctx *ctx, const struct wf_sender *sender,
					 struct wf_work *work)
{
	int r = 0;

	if (work->hit.dir == WF_DIR_ORIGINAL)
		r = wf_service_check(sender, work->hit.peer, work->hit.flags);
	if (r == 0)
		r = wf_translate(ctx, work);
	if (r == 0)
		r = wf_service_deliver(ctx, sender, work);
	return r < 0 ? r : WF_TOLD(r);
}

/* A target was found: begins the connection. */
static __always_inline int wf_service_begin(struct wf_ctx *ctx, const struct wf_sender *sender,
					    struct wf_work *work)
{
	struct wf_conn_new *fresh = &work->fresh;
	int r = wf_service_check(sender, work->target.slot, work->target.conn_flags);

	if (r < 0)
		return r;
	wf_translate_fill(work, sender->slot);
	/*
	 * To itself: the answer must come back here, so the service takes the client's place. Its
	 * address leads out of the container's network, wherever that is.
	 */
	if (work->target.slot == sender->slot) {
		fresh->flags |= WF_CONN_HAIRPIN;
		fresh->tuple[WF_DIR_REPLY].dst = work->flow.tuple.dst;
	}
	wf_work_hit(&work->hit, fresh, 0);
	r = wf_service_judge(ctx, sender, work, work->target.slot);
	if (r < 0)
		return r;
	if (work->guard.is_traced)
		return wf_judge_told(ctx, work, work->target.slot);
	r = wf_translate_begin(fresh, &work->hit);
	return r < 0 ? r : wf_service_go(ctx, sender, work);
}

/*
 * Whether a packet that begins nothing may go on through a service: a connection whose record was
 * lost, which the same backend may take up again. Spares the bulk of what goes outside.
 */
static __always_inline int wf_service_resumes(const struct wf_work *work, __u32 scope)
{
	struct wf_addr_value *value;

	if (work->flow.error_ip)
		return 0;
	value = wf_address_find(scope, &work->ip.dst);
	return value && value->flags;
}

/* The packet of no known connection. Action, WF_TOLD() or -reason. */
static __always_inline int wf_service_new(struct wf_ctx *ctx, const struct wf_sender *sender,
					  struct wf_work *work)
{
	int r;

	if (!wf_may_begin(&work->flow) && !wf_service_resumes(work, sender->endpoint->scope))
		return wf_service_plain(ctx, sender, &work->ip);
	work->client.addr = work->ip.src;
	work->client.scope = sender->endpoint->network;
	work->client.view = sender->endpoint->scope;
	work->client.outside = 0;
	work->client.purpose = work->guard.is_traced ? WF_LB_TRACES : WF_LB_BEGINS;
	work->client.is_recorded = 0;
	r = wf_lb_find(&work->flow.tuple, &work->client, &work->target);
	if (r < 0)
		return wf_service_refuse(ctx, sender, work, r);
	return r ? wf_service_begin(ctx, sender, work) : wf_service_plain(ctx, sender, &work->ip);
}

/* Whether the packet's connection is known: 1, hit says how it goes on; 0, or -CONN_CUT. */
static __always_inline int wf_service_known(struct wf_work *work)
{
	if (!wf_conn_find_here(&work->flow.tuple, &work->hit) || work->hit.flags & WF_CONN_POLICY)
		return 0;
	switch (wf_judge(&work->hit)) {
	case WF_JUDGE_KEEP: return 1;
	case WF_JUDGE_CUT: wf_conn_remove(work->hit.index); return -WF_REASON_CONN_CUT;
	default: wf_conn_remove(work->hit.index); return 0;
	}
}

/* The same of what a container sent. An error must come from the end it speaks for. */
static __always_inline int wf_service_find(struct wf_work *work)
{
	struct wf_conn_owner *owner = wf_map_conn_owner(work->slot);
	const struct wf_flow *flow = &work->flow;

	if (!owner || !(owner->calling | owner->backing) || work->guard.is_traced)
		return 0;
	if (flow->error_ip && !wf_addr_same(&flow->tuple.src, &work->ip.src))
		return 0;
	return wf_service_known(work);
}

/* Where what the container sends is seen. */
static __always_inline __u32 wf_service_place(const struct wf_sender *sender)
{
	return WF_PLACE(WF_SITE_CONTAINER, sender->endpoint->scope);
}

/* Fills in sender and work of the packet: 0 or -reason. */
static __always_inline int wf_service_read(struct wf_ctx *ctx, struct wf_sender *sender,
					   struct wf_work *work)
{
	int reason = -WF_REASON_INTERNAL_ERROR;

	work->guard.is_traced = wf_is_traced(ctx);
	sender->slot = work->slot;
	sender->endpoint = wf_endpoint_ready(work->slot, &reason);
	if (!sender->endpoint)
		return reason;
	sender->network = wf_network_valid(sender->endpoint->network);
	if (!sender->network)
		return -WF_REASON_NO_NETWORK;
	return wf_work_parse(ctx, ETH_HLEN, &work->ip);
}

/*
 * What belongs to no flow goes on as without services, unless it is for a service. A fragment waits
 * for the one that says where to.
 */
static __always_inline int wf_service_odd(struct wf_ctx *ctx, const struct wf_sender *sender,
					  struct wf_work *work, int reason)
{
	struct wf_addr_value *value = wf_address_find(sender->endpoint->scope, &work->ip.dst);

	if (reason == -WF_REASON_NAT_FRAGMENT || (value && value->flags & WF_ADDR_SERVICE))
		return reason;
	return wf_service_plain(ctx, sender, &work->ip);
}

/* Stage WF_STAGE_SERVICE. Action, WF_TOLD(), WF_NEXT(WF_STAGE_POLICY) or -reason. */
static __always_inline int wf_service(struct wf_ctx *ctx, struct wf_work *work)
{
	struct wf_sender sender;
	int r = wf_service_read(ctx, &sender, work);

	if (r < 0)
		return r;
	r = wf_flow_gather(ctx, &work->ip, wf_service_place(&sender), &work->flow);
	if (r < 0)
		return wf_service_odd(ctx, &sender, work, r);
	r = wf_service_find(work);
	if (r < 0)
		return wf_service_refuse(ctx, &sender, work, r);
	return r ? wf_service_go(ctx, &sender, work) : wf_service_new(ctx, &sender, work);
}

/*
 * Stage WF_STAGE_REPLY. Action, WF_TOLD(), WF_NEXT(WF_STAGE_POLICY), WF_NEXT(WF_STAGE_SERVICE) for
 * what is neither an answer nor for the own network, or -reason.
 */
static __always_inline int wf_reply(struct wf_ctx *ctx, struct wf_work *work)
{
	struct wf_addr_value *value;
	struct wf_sender sender;
	int r = wf_service_read(ctx, &sender, work);

	if (r < 0)
		return r;
	r = wf_flow_gather(ctx, &work->ip, wf_service_place(&sender), &work->flow);
	if (r == -WF_REASON_NAT_FRAGMENT)
		return r;
	if (r == 0)
		r = wf_service_find(work);
	if (r == 1)
		return wf_service_go(ctx, &sender, work);
	if (r == -WF_REASON_CONN_CUT)
		return wf_service_refuse(ctx, &sender, work, r);
	value = wf_address_find(sender.endpoint->network, &work->ip.dst);
	if (!value || value->slot == WF_SLOT_HOST)
		return WF_NEXT(WF_STAGE_SERVICE);
	return wf_service_plain(ctx, &sender, &work->ip);
}

#endif
