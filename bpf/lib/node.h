/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The host and containers of other nodes. A node has an address of its own in every network that
 * reaches others, and all that it sends to their containers shows that one: by it alone the answer
 * finds back. So does what the host only forwards, clients of a node port among it.
 */
#ifndef WEFT_BPF_NODE_H
#define WEFT_BPF_NODE_H

#include "deliver.h"
#include "judge_nat.h"
#include "masquerade.h"
#include "translate.h"

/* The host's address in a network, all zero: it has none of that family. */
static __always_inline const struct wf_addr *wf_node_addr(const struct wf_net_value *network,
							  const struct wf_ip *ip)
{
	return ip->version == 4 ? &network->host4 : &network->host6;
}

/* Whether the address is what this node has in the network, where nobody answers to it. */
static __always_inline int wf_door_is(const struct wf_net_value *network, const struct wf_ip *ip,
				      const struct wf_addr *addr)
{
	const struct wf_addr *own = wf_node_addr(network, ip);

	return network->flags & WF_NET_SCOPED && wf_has_addr(own) && wf_addr_same(own, addr);
}

/*
 * A connection in work->fresh is about to begin with a backend in a scope that is on another node: it shows
 * this node's address there. 0, also where the backend is another one, or -reason.
 */
static __always_inline int wf_door_fill(struct wf_work *work)
{
	const struct wf_target *target = &work->target;
	const struct wf_net_value *network;
	const struct wf_addr *own;

	if (wf_likely(!target->scope) || target->slot != WF_SLOT_HOST)
		return 0;
	network = wf_network_valid(target->scope);
	if (!network)
		return -WF_REASON_NO_NETWORK;
	own = wf_node_addr(network, &work->ip);
	if (!wf_has_addr(own))
		return -WF_REASON_NAT_NO_ADDRESS;
	work->fresh.tuple[WF_DIR_REPLY].dst = *own;
	return 0;
}

/*
 * Whether whoever sends by the host's routes may send into the network: 0 or -reason. slot: of the
 * source.
 */
static __always_inline int wf_node_check(__u32 slot, const struct wf_ip *ip,
					 const struct wf_net_value *network)
{
	struct wf_remote_value *remote;
	struct wf_ep_value *sender;
	struct wf_net_value *other;

	if (slot == WF_SLOT_HOST)
		return 0;
	if (slot == WF_SLOT_NOBODY) {
		remote = wf_remote_find(&ip->src);
		if (remote)
			return wf_check_remote(network, remote);
		return network->flags & WF_NET_INTERNAL ? -WF_REASON_NETWORK_INTERNAL : 0;
	}
	sender = wf_map_endpoint(slot);
	other = sender ? wf_network_valid(sender->network) : NULL;
	return other ? wf_check_networks(other, network) : -WF_REASON_NO_NETWORK;
}

/*
 * In whose name it goes: the host's, but for a container whose network is encrypted, which is so on
 * every way.
 */
static __always_inline __u32 wf_node_sender(__u32 slot)
{
	struct wf_ep_value *sender = slot == WF_SLOT_NOBODY ? NULL : wf_map_endpoint(slot);

	return sender && wf_network_is_sealed(sender->network) ? slot : WF_SLOT_HOST;
}

/* Sends what shows the host's address already. Action, WF_NEXT() or -reason. */
static __always_inline int wf_node_plain(struct wf_ctx *ctx, const struct wf_ip *ip,
					 const struct wf_remote_value *remote)
{
	__u32 flags = wf_host_flags();

	if (wf_guard_cares(ctx, flags)) {
		int r = wf_guard(ctx, ip, WF_SLOT_NOBODY, WF_SLOT_NOBODY,
				 WF_GUARD_HOW(WF_WAY_REMOTE, WF_HOOK_FROM_HOST, flags));

		if (r)
			return r;
	}
	return wf_to_remote(ctx, WF_SLOT_HOST, remote);
}

/* The host itself, when an address is its own: policies may be about it. */
static __always_inline __u32 wf_node_end(const struct wf_addr *addr)
{
	return wf_address_owner(addr) == WF_SLOT_HOST ? WF_SLOT_HOST : WF_SLOT_NOBODY;
}

/* The flow was read: finds its connection, or begins one that shows `own`. 0 or -reason. */
static __always_inline int wf_node_hide(struct wf_ctx *ctx, struct wf_work *work,
					const struct wf_addr *own)
{
	int r = 0;

	int known = wf_conn_find(&work->flow.tuple, &work->hit) &&
		    work->hit.dir == WF_DIR_ORIGINAL && work->hit.flags & WF_CONN_MASQUERADE;

	/* the host has another address by now */
	if (known && !wf_addr_same(&work->hit.to.src, own)) {
		wf_conn_remove(work->hit.index);
		known = 0;
	}
	if (!known) {
		work->fresh.flags = WF_CONN_MASQUERADE;
		work->fresh.owner = WF_SLOT_HOST;
		r = wf_masquerade_begin(ctx, work, own);
	}
	if (r == 0)
		r = wf_judge_translated(ctx, work, wf_node_end(&work->flow.tuple.src),
					WF_SLOT_NOBODY);
	return r < 0 ? r : wf_translate(ctx, work);
}

/* Somebody asks what would become of a packet that has to show `own`: whether it can. 0 or -reason. */
static __always_inline int wf_node_may_hide(struct wf_ctx *ctx, struct wf_work *work,
					    const struct wf_addr *own)
{
	int r = wf_flow_read(ctx, &work->ip, WF_SITE_EDGE, &work->flow);

	if (r == 0)
		r = wf_masquerade_check(&work->flow);
	return r < 0 || wf_has_addr(own) ? r : -WF_REASON_NAT_NO_ADDRESS;
}

/* From the host's stack to an endpoint of another node. Action, WF_NEXT(), WF_TOLD() or -reason. */
static __always_inline int wf_node_send(struct wf_ctx *ctx, struct wf_work *work,
					const struct wf_remote_value *remote)
{
	struct wf_net_value *network = wf_network_valid(remote->network);
	const struct wf_ip *ip = &work->ip;
	const struct wf_addr *own;
	__u32 slot, mtu;
	int r, traced = wf_is_traced(ctx);

	if (!network)
		return -WF_REASON_NO_NETWORK;
	own = wf_node_addr(network, ip);
	mtu = traced ? 0 : wf_remote_mtu(ctx, &work->ip, WF_SLOT_HOST, remote);
	r = wf_unlikely(mtu) ? wf_too_big_tell(ctx, &work->ip, WF_SLOT_HOST, mtu) : WF_GO_ON;
	if (r != WF_GO_ON)
		return r < 0 ? r : WF_TOLD(r);
	if (wf_addr_same(own, &ip->src))
		return wf_node_plain(ctx, ip, remote);
	slot = wf_address_owner(&ip->src);
	r = wf_node_check(slot, ip, network);
	if (r == 0 && traced)
		r = wf_node_may_hide(ctx, work, own);
	if (r < 0)
		return r;
	if (traced)
		return wf_node_plain(ctx, ip, remote);
	work->guard.is_traced = 0;
	slot = wf_node_sender(slot);
	r = wf_flow_gather(ctx, ip, WF_SITE_EDGE, &work->flow);
	if (r == 0)
		r = wf_node_hide(ctx, work, own);
	if (r == 0)
		r = wf_to_remote(ctx, slot, remote);
	return r < 0 ? r : WF_TOLD(r);
}

/* Whether a packet answers a connection that shows the host's address; then hit is filled in. */
static __always_inline int wf_node_is_answer(struct wf_ctx *ctx, struct wf_work *work)
{
	return wf_conn_live() && wf_flow_read(ctx, &work->ip, WF_SITE_EDGE, &work->flow) == 0 &&
	       wf_conn_find(&work->flow.tuple, &work->hit) && work->hit.dir == WF_DIR_REPLY &&
	       work->hit.flags & WF_CONN_MASQUERADE;
}

/* From another node to the host. Its source was looked at. Action, WF_NEXT(), WF_TOLD(), -reason. */
static __always_inline int wf_node_receive(struct wf_ctx *ctx, struct wf_work *work, __u32 hook)
{
	__u32 flags = wf_host_flags();
	int r;

	work->guard.is_traced = 0;
	if (wf_node_is_answer(ctx, work)) {
		r = wf_judge_translated(ctx, work, WF_SLOT_NOBODY, wf_node_end(&work->hit.to.dst));
		if (r == 0)
			r = wf_translate(ctx, work);
		if (r == 0)
			r = wf_to_host(ctx, NULL, WF_SLOT_NOBODY);
		return r < 0 ? r : WF_TOLD(r);
	}
	if (wf_guard_cares(ctx, flags)) {
		r = wf_guard(ctx, &work->ip, WF_SLOT_NOBODY, WF_SLOT_HOST,
			     WF_GUARD_HOW(WF_WAY_HOST, hook, flags));
		if (r)
			return r;
	}
	return wf_to_host(ctx, NULL, WF_SLOT_NOBODY);
}

#endif
