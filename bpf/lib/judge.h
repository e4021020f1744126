/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Stage WF_STAGE_POLICY: whether a packet may pass, by its connection and by what policies say of
 * whoever began it; then it is handed over. Policies are asked anew whenever a packet comes here,
 * so what a change forbids ends, whatever the table of connections remembers.
 */
#ifndef WEFT_BPF_JUDGE_H
#define WEFT_BPF_JUDGE_H

#include "deliver.h"
#include "guard.h"
#include "judge_nat.h"
#include "question.h"
#include "translate.h"
#include "untracked.h"
#include "via.h"

/*
 * Reads of an ICMP packet what its tuple does not say: its type, and whether it asks for an echo,
 * which alone begins something. A later fragment is what its first one was, an echo.
 */
static __always_inline int wf_judge_icmp(struct wf_ctx *ctx, struct wf_work *work)
{
	__u8 type;

	work->guard.type = wf_echo_type(work->ip.version);
	if (!work->flow.l4)
		return 0;
	if (wf_ctx_load(ctx, work->flow.l4, &type, sizeof(type)) < 0)
		return wf_malformed_ip(&work->ip);
	work->guard.type = type;
	return 0;
}

/* Whether the packet may begin something that is remembered. */
static __always_inline int wf_judge_records(const struct wf_work *work)
{
	const struct wf_flow *flow = &work->flow;

	if (flow->error_ip || flow->tcp_flags & WF_TCP_RST)
		return 0;
	return !wf_is_icmp(&work->ip) || work->guard.type == wf_echo_type(work->ip.version);
}

/*
 * A connection is about to begin. What it will take lies in pages of large tables which nobody has
 * touched lately: asked for now, it is under way while policies are asked. The spot of its tuple.
 */
static __always_inline struct wf_conn_spot wf_judge_expect(const struct wf_tuple *tuple)
{
	const struct wf_conn_state *state = wf_map_conn_state();
	union wf_conn_bits bits = { .tuple = *tuple };
	struct wf_conn_spot spot = {};

	if (!state)
		return spot;
	spot = wf_conn_spot(state, tuple);
	wf_touch(spot.bucket);
	/* in order as it is, for clients have the higher port as good as always */
	wf_touch(wf_map_verdict(wf_verdict_index(&bits)));
	return spot;
}

/* Remembers whoever sent the packet as who began. 0 or -reason. */
static __always_inline int wf_judge_add(struct wf_work *work)
{
	struct wf_conn_new *fresh = &work->fresh;
	struct wf_tuple *back = &fresh->tuple[WF_DIR_REPLY];
	const struct wf_tuple *tuple = &work->flow.tuple;
	__u32 sender = work->guard.sender, receiver = work->guard.receiver, index = 0;
	int r;

	fresh->tuple[WF_DIR_ORIGINAL] = *tuple;
	wf_tuple_turn(tuple, back);
	fresh->flags = WF_CONN_POLICY;
	fresh->backend = 0;
	fresh->service = 0;
	fresh->owner = sender == WF_SLOT_NOBODY ? WF_SLOT_HOST : sender;
	fresh->peer = receiver == WF_SLOT_NOBODY ? WF_SLOT_HOST : receiver;
	/* a record whose two tuples are the same would not know its direction */
	if (wf_tuple_same(tuple, back))
		return 0;
	r = wf_conn_add(fresh, &index);
	/* the connection that the packet has begun, unless others have the record by now */
	if (r == 0 && !wf_conn_read(index, tuple, &work->hit))
		work->hit.guard = 0;
	/* when it is there already another CPU was faster, or its answers look like another's */
	return r < 0 ? r : 0;
}

/* Whoever sent the packet may begin: the connection begins with it. 0 or -reason. */
static __always_inline int wf_judge_begin(struct wf_work *work)
{
	work->hit.guard = 0;
	work->guard.is_first = 1;
	return wf_judge_records(work) ? wf_judge_add(work) : 0;
}

/*
 * The packet of no known connection. One that is under way already - it began before anybody was
 * guarded, or its record was lost - goes on and is remembered when either end might have begun it;
 * when only this direction is allowed it passes without being taken for leave to answer.
 */
static __always_inline int wf_judge_new(struct wf_work *work)
{
	const struct wf_flow *flow = &work->flow;
	struct wf_answer back;
	int r;

	work->hit.guard = 0;
	wf_judge_forward(work);
	r = wf_policy_ask(&work->question, &work->answer);
	if (r < 0)
		return r;
	if (flow->tuple.proto == IPPROTO_TCP && !flow->error_ip) {
		wf_judge_backward(work);
		if (!wf_judge_records(work) || wf_policy_ask(&work->question, &back) < 0)
			return 0;
	}
	return wf_judge_begin(work);
}

/* The packet of the connection in hit. */
static __always_inline int wf_judge_known(struct wf_work *work)
{
	int r;

	if (work->flow.error_ip)
		wf_judge_quoted(work);
	else if (work->hit.dir == WF_DIR_REPLY)
		wf_judge_backward(work);
	else
		wf_judge_forward(work);
	r = wf_policy_ask(&work->question, &work->answer);
	/* an error is no sign of life */
	if (r == 0 && !work->flow.error_ip)
		wf_conn_touch(&work->hit, work->flow.tcp_flags);
	return r;
}

/* Whether a connection was found, and is one that policies allowed. */
static __always_inline int wf_judge_is_ours(const struct wf_conn_hit *hit)
{
	return hit->guard && hit->flags & WF_CONN_POLICY;
}

/* Whether the packet's tuple is that of such a connection. */
static __always_inline int wf_judge_find(struct wf_work *work)
{
	(void)wf_conn_find_here(&work->flow.tuple, &work->hit);
	return wf_judge_is_ours(&work->hit);
}

/*
 * A packet that opens a TCP connection. Whoever sent it is the one who begins, also when he was the
 * one who was asked before, with the same ports.
 */
static __always_inline int wf_judge_open(struct wf_work *work)
{
	__u32 is_untracked = wf_untracked_may_open(work);
	struct wf_conn_spot spot = {};
	int r;

	if (!is_untracked)
		spot = wf_judge_expect(&work->flow.tuple);
	wf_judge_forward(work);
	r = wf_policy_ask(&work->question, &work->answer);
	if (r < 0)
		return r;
	if (is_untracked)
		return work->answer.verdict == WF_POLICY_AUDIT ? wf_judge_begin(work)
							       : wf_untracked_begin(work);
	(void)wf_conn_find_at(&spot, &work->flow.tuple, &work->hit);
	if (!wf_judge_is_ours(&work->hit))
		return wf_judge_begin(work);
	if (work->hit.dir == WF_DIR_ORIGINAL) {
		wf_conn_touch(&work->hit, work->flow.tcp_flags);
		return 0;
	}
	if (work->hit.phase >= WF_CONN_CLOSING)
		wf_conn_remove(work->hit.index);
	return wf_judge_begin(work);
}

/* Who is at both ends of the packet. */
static __always_inline void wf_judge_ends(struct wf_work *work)
{
	struct wf_guarding *guard = &work->guard;

	guard->sender = guard->from == WF_SLOT_NOBODY ? wf_scope_owner(guard->scope, &work->ip.src)
						      : guard->from;
	guard->receiver =
		guard->to == WF_SLOT_HOST ? wf_scope_owner(guard->scope, &work->ip.dst) : guard->to;
}

/* At an uplink nobody has looked yet for what was judged a moment ago. */
static __always_inline int wf_judge_is_remembered(const struct wf_work *work)
{
	struct wf_config_value *config = wf_map_config();

	return config && !work->guard.is_traced && wf_flow_is_steady(&work->flow) &&
	       !work->ip.fragment &&
	       wf_verdict_holds(config, &work->flow.tuple, work->guard.from, work->guard.to);
}

/*
 * Whether fragments that are judged here can wait for their first one: what the host's stack sends
 * out is in order, and what came from another node goes to containers only.
 */
static __always_inline int wf_judge_may_wait(const struct wf_work *work)
{
	switch (work->guard.way) {
	case WF_WAY_PEER:
	case WF_WAY_IN: return 1;
	case WF_WAY_HOST:
	case WF_WAY_REMOTE: return work->hook < WF_HOOK_FROM_UPLINK;
	default: return 0;
	}
}

/* 0 when the packet whose headers are in work may pass, otherwise -reason. */
static __always_inline int wf_judge_packet(struct wf_ctx *ctx, struct wf_work *work)
{
	__u32 site = work->guard.way < WF_WAY_IN ? WF_SITE_CONTAINER : WF_SITE_EDGE, dir;
	int r = wf_flow_gather(ctx, &work->ip, WF_PLACE(site, work->guard.scope), &work->flow);

	if (work->flow.turn == WF_TURN_FREES && !wf_judge_may_wait(work))
		r = 0;
	if (r == 0 && wf_is_icmp(&work->ip))
		r = wf_judge_icmp(ctx, work);
	if (r < 0)
		return r;
	wf_judge_ends(work);
	if (site == WF_SITE_EDGE && wf_judge_is_remembered(work))
		return 0;
	if (work->guard.is_traced) {
		wf_judge_forward(work);
		return wf_policy_ask(&work->question, &work->answer);
	}
	/* neighbours on the link must be found, whatever rules say */
	if (site == WF_SITE_EDGE && work->ip.version == 6 && wf_is_icmp(&work->ip) &&
	    wf_is_link_icmp6(work->guard.type))
		return 0;
	if (work->flow.tuple.proto == IPPROTO_TCP && wf_may_begin(&work->flow))
		return wf_judge_open(work);
	if (wf_judge_is_pretence(work))
		return wf_judge_new(work);
	if (wf_judge_find(work))
		return wf_judge_known(work);
	dir = wf_untracked_dir(work);
	if (dir == WF_DIR_COUNT)
		return wf_judge_new(work);
	r = wf_untracked_pass(work, dir);
	/* on trial; whoever answers leaves it to the other end to be noted */
	return r == 0 && !work->is_untracked && dir == WF_DIR_ORIGINAL && !work->flow.error_ip
		       ? wf_judge_begin(work)
		       : r;
}

/* By a route of the sender's network: as wf_to_via(). */
static __always_inline int wf_judge_to_route(struct wf_ctx *ctx, __u32 from, struct wf_work *work)
{
	const struct wf_ep_value *sender = wf_map_endpoint(from);
	struct wf_vtep_value *route =
		sender ? wf_net_route_find(sender->network, &work->ip.dst) : NULL;

	if (!route)
		return -WF_REASON_NO_SUCH_ADDRESS;
	return route->vni ? wf_to_vtep(ctx, from, route)
			  : wf_to_via(ctx, from, sender->network, route);
}

static __always_inline int wf_judge_to_remote(struct wf_ctx *ctx, __u32 from, struct wf_work *work)
{
	struct wf_remote_value *remote = wf_remote_find_in(work->guard.scope, &work->ip.dst);
	int r;

	if (!remote) {
		r = wf_judge_to_route(ctx, from, work);
		if (r != WF_GO_TO_HOP)
			return r;
		remote = &work->hop;
	}
	return wf_to_remote_fitting(ctx, &work->ip, from, remote);
}

/* Hands over what may pass: action or -reason. */
static __always_inline int wf_judge_deliver(struct wf_ctx *ctx, struct wf_work *work)
{
	const struct wf_guarding *guard = &work->guard;
	__u32 from = guard->from == WF_SLOT_NOBODY ? work->slot : guard->from;
	int reason = -WF_REASON_INTERNAL_ERROR;
	struct wf_ep_value *peer;

	switch (guard->way) {
	case WF_WAY_PEER:
		peer = wf_endpoint_ready(guard->to, &reason);
		return peer ? wf_to_peer(ctx, from, guard->to, peer) : reason;
	case WF_WAY_HOST:
		return guard->receiver == WF_SLOT_NOBODY
			       ? wf_to_world(ctx, wf_ctx_eth(ctx), &work->ip, from)
			       : wf_to_host(ctx, wf_ctx_eth(ctx), from);
	case WF_WAY_REMOTE: return wf_judge_to_remote(ctx, from, work);
	case WF_WAY_PASS:
		wf_traffic_count(WF_SLOT_HOST, guard->to, wf_ctx_len(ctx));
		return TC_ACT_OK;
	default: return WF_GO_ON;
	}
}

/* Where a packet that was asked about would go, for its event. */
static __always_inline __u32 wf_judge_way(const struct wf_work *work)
{
	switch (work->guard.way) {
	case WF_WAY_HOST:
	case WF_WAY_IN: return WF_EVENT_WAY_HOST;
	case WF_WAY_REMOTE:
	case WF_WAY_OUT: return WF_EVENT_WAY_OUT;
	default: return WF_EVENT_WAY_ENDPOINT;
	}
}

/*
 * Whether what was found out about the packet is good for those behind it: of a TCP connection that
 * opens, also for what follows its acceptance, which changes nothing of the record any more.
 */
static __always_inline int wf_judge_lasts(const struct wf_work *work)
{
	const struct wf_flow *flow = &work->flow;

	if (work->ip.fragment)
		return 0;
	return wf_flow_is_steady(flow) ||
	       (flow->tuple.proto == IPPROTO_TCP && flow->l4 && !flow->error_ip &&
		(flow->tcp_flags & (WF_GUARD_TURNS | WF_TCP_ACK)) == (WF_TCP_SYN | WF_TCP_ACK) &&
		work->hit.guard && work->hit.dir == WF_DIR_REPLY);
}

/*
 * Whether both ends are containers, each known in either direction as it is in this one: by its slot,
 * or, on another node, by its address alone.
 */
static __always_inline int wf_judge_is_pair(const struct wf_work *work)
{
	const struct wf_guarding *guard = &work->guard;

	if (guard->from == WF_SLOT_HOST || guard->to == WF_SLOT_HOST)
		return 0;
	if (guard->way == WF_WAY_REMOTE)
		return guard->from != WF_SLOT_NOBODY;
	return guard->way == WF_WAY_PEER &&
	       (guard->from != WF_SLOT_NOBODY || work->hook == WF_HOOK_FROM_OVERLAY ||
		work->hook == WF_HOOK_FROM_UPLINK);
}

/*
 * Remembers the verdict with the connection's record. Of a TCP connection that has begun also the one
 * on what answers, if it is known who will have to pass: the guard opens and closes it then.
 */
static __always_inline void wf_judge_keep(struct wf_work *work, __u32 revision)
{
	const struct wf_guarding *guard = &work->guard;
	const struct wf_conn_hit *hit = &work->hit;
	__u32 is_ours = wf_judge_is_ours(hit);
	struct wf_verdict_news news = { .from = guard->from,
					.to = guard->to,
					.revision = revision };

	if (work->is_untracked) {
		news.is_untracked = news.is_pair = 1;
		if (!work->ip.fragment && work->flow.l4)
			(void)wf_verdict_keep(&work->flow.tuple, &news);
		return;
	}
	if (is_ours) {
		news.conn = hit->index | (hit->dir & 1) << WF_CONN_REF_DIR;
		news.life = hit->guard;
	}
	if (!wf_judge_lasts(work)) {
		if (!is_ours || hit->dir != WF_DIR_ORIGINAL || guard->way >= WF_WAY_IN ||
		    work->ip.fragment || work->flow.tuple.proto != IPPROTO_TCP ||
		    !wf_may_begin(&work->flow))
			return;
		news.opens = 1;
		news.is_pair = wf_judge_is_pair(work);
	}
	(void)wf_verdict_keep(&work->flow.tuple, &news);
}

/*
 * The stage's logic: action, WF_TOLD() or -reason. A packet of an uplink was parsed already, the
 * others have an Ethernet header. *ret_type: enum wf_event_type of what is to be told beside a
 * first packet or a drop; 0: nothing.
 */
static __always_inline int wf_judge_stage(struct wf_ctx *ctx, struct wf_work *work, __u32 *ret_type)
{
	struct wf_config_value *config = wf_map_config();
	__u32 revision = config ? wf_read32(&config->revision) : 0;
	int r = 0;

	*ret_type = 0;
	work->guard.is_first = 0;
	work->is_untracked = 0;
	work->guard.is_traced = wf_is_traced(ctx);
	__builtin_memset(&work->answer, 0, sizeof(work->answer));
	wf_barrier();
	if (work->guard.way < WF_WAY_IN)
		r = wf_work_parse_here(ctx, ETH_HLEN, &work->ip);
	if (r == 0)
		r = wf_judge_packet(ctx, work);
	if (work->guard.is_traced) {
		*ret_type = WF_EVENT_TRACE;
		return r;
	}
	if (r < 0) {
		if (work->answer.rule && work->answer.verdict == WF_POLICY_DENY)
			wf_policy_count(&work->answer, wf_ctx_len(ctx));
		return r;
	}
	if (work->guard.is_first) {
		wf_policy_count(&work->answer, wf_ctx_len(ctx));
		if (work->answer.verdict == WF_POLICY_AUDIT)
			*ret_type = WF_EVENT_AUDIT;
	}
	wf_judge_keep(work, revision);
	return wf_judge_deliver(ctx, work);
}

#endif
