/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* What the host sends through weft0: to the container that has the address. */
#ifndef WEFT_BPF_FROM_HOST_H
#define WEFT_BPF_FROM_HOST_H

#include "deliver.h"
#include "ipv4.h"
#include "ipv6.h"
#include "judge_nat.h"
#include "node.h"
#include "translate.h"
#include "transport.h"

/* Takes the headers of a packet of the host's stack: 0 or -reason. */
static __always_inline int wf_parse_host_packet(struct wf_ctx *ctx, struct wf_ip *ret_ip)
{
	struct wf_cursor cursor;
	struct ethhdr *eth;
	int r;

	wf_cursor_start(ctx, &cursor);
	r = wf_parse_eth(&cursor, &eth);
	if (r < 0)
		return r;
	if (wf_ctx_has_vlan(ctx))
		return -WF_REASON_VLAN_TAGGED;
	switch (r) {
	case ETH_P_IP: r = wf_parse_ipv4(ctx, &cursor, ret_ip); break;
	case ETH_P_IPV6: r = wf_parse_ipv6(ctx, &cursor, ret_ip); break;
	case ETH_P_ARP: return -WF_REASON_ARP_NOT_REQUEST;
	case ETH_P_8021Q:
	case ETH_P_8021AD: return -WF_REASON_VLAN_TAGGED;
	default: return -WF_REASON_UNSUPPORTED_L3;
	}
	if (r == 0)
		r = wf_check_options(ctx, ret_ip);
	return r < 0 ? r : wf_check_host_transport(ctx, ret_ip);
}

/*
 * The answer of a backend beyond this node to a container that talks to a service shows the
 * service's address again. 1, 0 when it is no such answer, or -reason.
 */
static __always_inline int wf_host_answer(struct wf_ctx *ctx, struct wf_work *work, __u32 to,
					  __u32 scope, __u32 hook)
{
	int r = wf_flow_gather(ctx, &work->ip, WF_PLACE(WF_SITE_CONTAINER, scope), &work->flow);

	if (r == -WF_REASON_NAT_FRAGMENT && hook == WF_HOOK_FROM_HOST)
		return r;
	/* what came out of a tunnel would not come again as it was */
	if (work->flow.turn == WF_TURN_FREES)
		r = 0;
	work->slot = to;
	work->guard.is_traced = 0;
	if (r < 0 || !wf_conn_find(&work->flow.tuple, &work->hit) ||
	    work->hit.dir != WF_DIR_REPLY || work->hit.peer != WF_SLOT_HOST ||
	    work->hit.flags & WF_CONN_POLICY || wf_is_traced(ctx))
		return 0;
	r = wf_judge_translated(ctx, work, WF_SLOT_NOBODY, to);
	if (r == 0)
		r = wf_translate(ctx, work);
	return r < 0 ? r : 1;
}

/* To an endpoint that may have it by its source. Action, WF_NEXT(), WF_TOLD() or -reason. */
static __always_inline int wf_host_hand_over(struct wf_ctx *ctx, struct wf_work *work,
					     const struct wf_net_value *network, __u32 to,
					     const struct wf_ep_value *endpoint, __u32 hook)
{
	struct wf_conn_owner *owner = wf_map_conn_owner(to);
	int r, told = 0;

	if (wf_unlikely(owner && owner->calling)) {
		told = wf_host_answer(ctx, work, to, endpoint->scope, hook);
		if (told < 0)
			return told;
	}
	if (!told)
		return wf_to_endpoint_guarded(ctx, &work->ip, network, to, endpoint, hook);
	r = wf_to_endpoint(ctx, WF_SLOT_HOST, network, to, endpoint);
	return r < 0 ? r : WF_TOLD(r);
}

/* To an endpoint that is in service. Action, WF_NEXT(), WF_TOLD() or -reason. */
static __always_inline int wf_host_to_endpoint(struct wf_ctx *ctx, struct wf_work *work, __u32 to,
					       const struct wf_ep_value *endpoint)
{
	struct wf_net_value *network = wf_network_valid(endpoint->network);
	int r;

	if (!network)
		return -WF_REASON_NO_NETWORK;
	r = wf_check_host_source(endpoint, network, &work->ip);
	return r < 0 ? r : wf_host_hand_over(ctx, work, network, to, endpoint, WF_HOOK_FROM_HOST);
}

/* The stage's logic: action, WF_NEXT(), WF_TOLD() or -reason. */
static __always_inline int wf_from_host(struct wf_ctx *ctx)
{
	struct wf_work *work = wf_work_begin(WF_SLOT_HOST, WF_HOOK_FROM_HOST);
	struct wf_ep_value *endpoint = NULL;
	struct wf_remote_value *remote;
	struct wf_addr_value *value;
	int r = work ? wf_parse_host_packet(ctx, &work->ip) : -WF_REASON_INTERNAL_ERROR;

	if (r < 0)
		return r;
	value = wf_address_find(WF_NETWORK_HOST, &work->ip.dst);
	remote = value ? NULL : wf_remote_find(&work->ip.dst);
	if (remote)
		return wf_node_send(ctx, work, remote);
	if (value && value->flags & WF_ADDR_SERVICE)
		return WF_NEXT(WF_STAGE_SERVICE);
	if (!value || value->flags & WF_ADDR_GATEWAY || value->slot == WF_SLOT_HOST) {
		r = wf_classify(&work->ip);
		return r < 0 ? r : -WF_REASON_NO_SUCH_ADDRESS;
	}
	endpoint = wf_endpoint_ready(value->slot, &r);
	if (!endpoint)
		return r;
	return wf_host_to_endpoint(ctx, work, value->slot, endpoint);
}

#endif
