/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The one exit of every program: counts a drop and tells observers. It reads the packet again
 * from its first byte, so that no program carries anything along for the sake of events; while
 * nobody observes, it costs one array look-up.
 */
#ifndef WEFT_BPF_FINISH_H
#define WEFT_BPF_FINISH_H

#include <weft/abi/conn.h>
#include <weft/abi/event.h>

#include "endpoint.h"
#include "ipv4.h"
#include "ipv6.h"
#include "policy.h"
#include "transport.h"
#include "work.h"

/* Positive results of the logic beyond the actions of tc: continue in a stage. */
#define WF_NEXT(stage) (0x100 + (stage))
/* This action; observers were told, or a drop was counted, already. */
#define WF_TOLD(action) (0x200 + (action))
/* At an uplink: on to whatever else looks at packets there, then the stack or the wire. */
#define WF_GO_ON 0x80
/* On to the node that was left in struct wf_work. */
#define WF_GO_TO_HOP 0x81

#define WF_FLOW_MEMORY_S 30

#define WF_TCP_FLAGS_OFFSET 13

/* What wf_finish() is about. */
struct wf_subject {
	__u32 slot;
	__u32 hook;                /* enum wf_hook */
	const struct wf_tuple *to; /* what the packet is about to become; NULL: stays as it is */
	const struct wf_answer *answer; /* of policies; NULL: nobody asked */
	__u32 way;                      /* enum wf_event_way, of a packet that is asked about */
	__u32 peer;                     /* the same: slot it would go to */
};

/* Whether somebody only asks what would become of the packet. */
static __always_inline int wf_is_traced(const struct wf_ctx *ctx)
{
	__u32 mark = wf_ctx_mark(ctx);
	struct wf_config_value *config = mark ? wf_map_config() : NULL;

	return config && config->trace == mark;
}

static __always_inline void wf_event_fill_l4(struct wf_ctx *ctx, const struct wf_ip *ip,
					     struct wf_event *event)
{
	struct wf_l4 l4;

	if (ip->fragment == WF_FRAGMENT_LATER || wf_ctx_load(ctx, ip->l4, &l4, sizeof(l4)) < 0)
		return;
	switch (ip->proto) {
	case IPPROTO_TCP:
		(void)wf_ctx_load(ctx, ip->l4 + WF_TCP_FLAGS_OFFSET, &event->tcp_flags, 1);
		event->sport = l4.sport;
		event->dport = l4.dport;
		break;
	case IPPROTO_UDP:
	case IPPROTO_SCTP:
		event->sport = l4.sport;
		event->dport = l4.dport;
		break;
	case IPPROTO_ICMP:
	case IPPROTO_ICMPV6: event->sport = l4.sport; break;
	default: break;
	}
}

/* The endpoint at the other end, as far as addresses tell. */
static __always_inline __u32 wf_event_peer(const struct wf_event *event)
{
	struct wf_addr_value *value = wf_address_find(event->network, &event->dst);

	if (!value && event->network != event->scope)
		value = wf_address_find(event->scope, &event->dst);
	return value ? value->slot : WF_SLOT_HOST;
}

/*
 * Reads what can be read; a packet that was dropped as malformed leaves fields empty, and one
 * with IPv6 extension headers shows the first of them as its protocol: walking them once more
 * would double what the verifier has to look at.
 */
WF_GLOBAL int wf_event_fill(struct wf_ctx *ctx, struct wf_event *event)
{
	struct wf_ip ip = {};
	struct wf_cursor cursor;
	struct ethhdr *eth;
	int proto;

	if (!event)
		return 0;
	wf_cursor_start(ctx, &cursor);
	proto = wf_parse_eth(&cursor, &eth);
	if (proto < 0)
		return 0;
	event->ethertype = bpf_htons(proto);
	/* a parser that fails has filled in the addresses, or nothing */
	if (proto == ETH_P_IP)
		(void)wf_parse_ipv4(ctx, &cursor, &ip);
	else if (proto == ETH_P_IPV6)
		(void)wf_parse_ipv6_header(ctx, &cursor, &ip);
	if (!ip.version)
		return 0;
	event->src = ip.src;
	event->dst = ip.dst;
	event->proto = ip.proto;
	event->peer_slot = wf_event_peer(event);
	wf_event_fill_l4(ctx, &ip, event);
	return 0;
}

/* Of two ends that change the destination is told: a service's backend matters more. */
static __always_inline void wf_event_translate(struct wf_event *event, const struct wf_tuple *to)
{
	int has_ports = event->proto != IPPROTO_ICMP && event->proto != IPPROTO_ICMPV6;

	if (!wf_addr_same(&event->dst, &to->dst) || (has_ports && event->dport != to->dport)) {
		event->translated = WF_EVENT_TRANSLATED_DST;
		event->nat = to->dst;
		event->nat_port = to->dport;
	} else {
		event->translated = WF_EVENT_TRANSLATED_SRC;
		event->nat = to->src;
		event->nat_port = to->sport;
	}
}

/* Whether the flow was not seen within WF_FLOW_MEMORY_S; from now on it was. */
static __always_inline int wf_flow_is_new(struct wf_ctx *ctx)
{
	__u32 hash = wf_ctx_hash(ctx);
	__u32 now = wf_now_coarse_s();
	struct wf_flow_seen *seen = wf_map_flow(hash & (WF_FLOW_FILTER_SLOTS - 1));
	int known;

	if (!seen)
		return 1;
	known = seen->hash == hash && seen->stamp_s && now - seen->stamp_s < WF_FLOW_MEMORY_S;
	if (!known) {
		seen->hash = hash;
		seen->stamp_s = now;
	}
	return !known;
}

/* What policies said. */
static __always_inline void wf_event_judge(struct wf_event *event, const struct wf_answer *answer)
{
	event->rule = answer->rule;
	event->verdict = answer->verdict;
	event->ends[WF_POLICY_INGRESS] = answer->ends[WF_POLICY_INGRESS];
	event->ends[WF_POLICY_EGRESS] = answer->ends[WF_POLICY_EGRESS];
}

/* What is told, without what it points to. */
struct wf_note {
	__u32 slot;
	__u32 hook;
	__u32 reason;
	__u32 type; /* enum wf_event_type */
	__u32 way;
	__u32 peer;
};

/* The network that it is about: the endpoint's, or a scope that the packet is on its way into. */
static __always_inline void wf_event_place(struct wf_event *event, __u32 hook,
					   const struct wf_ep_value *endpoint)
{
	const struct wf_work *work;

	if (endpoint) {
		event->network = endpoint->network;
		event->scope = endpoint->scope;
	}
	if (hook != WF_HOOK_FROM_OVERLAY && hook != WF_HOOK_FROM_UPLINK)
		return;
	work = wf_map_work();
	if (work && work->guard.scope)
		event->network = event->scope = work->guard.scope;
}

/* to, answer: as in struct wf_subject. The verifier looks at it once, whoever tells. */
WF_GLOBAL int wf_observe_note(struct wf_ctx *ctx, const struct wf_note *note,
			      const struct wf_tuple *to, const struct wf_answer *answer)
{
	struct wf_ep_value *endpoint = note ? wf_map_endpoint(note->slot) : NULL;
	struct wf_event event = {};
	int is_new;

	if (!note)
		return 0;
	is_new = note->type != WF_EVENT_FIRST || wf_flow_is_new(ctx);
	event.time_ns = wf_now_ns();
	event.len = wf_ctx_len(ctx);
	event.slot = note->slot;
	wf_event_place(&event, note->hook, endpoint);
	event.type = note->type;
	event.reason = note->reason;
	event.verdict = note->reason ? WF_POLICY_DENY : WF_POLICY_ALLOW;
	event.hook = note->hook;
	(void)wf_event_fill(ctx, &event);
	if (to)
		wf_event_translate(&event, to);
	if (answer)
		wf_event_judge(&event, answer);
	if (note->type == WF_EVENT_TRACE && !note->reason) {
		event.way = note->way;
		event.peer_slot = note->peer;
	}
	if (is_new || event.tcp_flags & WF_TCP_SYN)
		wf_event_send(&event);
	return 0;
}

/* type: enum wf_event_type. Told at once, unless it is a first packet of a flow seen lately. */
static __always_inline int wf_observe(struct wf_ctx *ctx, const struct wf_subject *subject,
				      __u32 reason, __u32 type)
{
	const struct wf_note note = { .slot = subject->slot,
				      .hook = subject->hook,
				      .reason = reason,
				      .type = type,
				      .way = subject->way,
				      .peer = subject->peer };

	return wf_observe_note(ctx, &note, subject->to, subject->answer);
}

/* Whether somebody observes any of that. */
static __always_inline int wf_observes(__u32 what)
{
	struct wf_config_value *config = wf_map_config();

	return config && config->observe & what;
}

/* Counts a drop for its reason and for the endpoint. */
static __always_inline void wf_drop_count(const struct wf_subject *subject, __u32 reason, __u32 len)
{
	struct wf_counter *drop = wf_map_drop(reason);
	struct wf_traffic_value *traffic = wf_map_traffic(subject->slot);

	if (drop)
		wf_counter_add(drop, len);
	if (traffic)
		wf_counter_add(&traffic->dropped, len);
}

/*
 * Ends a program with what its logic decided: an action of tc (>= 0) or -reason. Every
 * drop of the datapath passes here or through wf_refuse(). `observable`: enum wf_observe_flag of
 * what is worth an event.
 */
static __always_inline int wf_finish_for(struct wf_ctx *ctx, const struct wf_subject *subject,
					 int decision, __u32 observable)
{
	struct wf_config_value *config = wf_map_config();
	__u32 reason = decision < 0 ? -decision : 0;
	__u32 observe = config ? config->observe & observable : 0;
	__u32 type = reason ? WF_EVENT_DROP : WF_EVENT_FIRST;

	observe &= reason ? WF_OBSERVE_DROPS : WF_OBSERVE_FIRST;
	if (reason) {
		if (wf_is_traced(ctx))
			observe = type = WF_EVENT_TRACE;
		else
			wf_drop_count(subject, reason, wf_ctx_len(ctx));
	}
	if (wf_unlikely(observe))
		(void)wf_observe(ctx, subject, reason, type);
	return reason ? TC_ACT_SHOT : decision;
}

static __always_inline int wf_finish(struct wf_ctx *ctx, __u32 hook, int decision)
{
	const struct wf_subject subject = { .slot = wf_slot_of(ctx), .hook = hook };

	return wf_finish_for(ctx, &subject, decision, WF_OBSERVE_DROPS | WF_OBSERVE_FIRST);
}

/* For programs that translate: their logic may have told all, and says so by WF_TOLD(). */
static __always_inline int wf_finish_told(struct wf_ctx *ctx, const struct wf_subject *subject,
					  int decision, __u32 observable)
{
	if (decision >= WF_TOLD(0))
		return decision - WF_TOLD(0);
	return wf_finish_for(ctx, subject, decision, observable);
}

/* For ARP and ND, which are no flows. */
static __always_inline int wf_finish_link(struct wf_ctx *ctx, int decision)
{
	const struct wf_subject subject = { .slot = wf_slot_of(ctx),
					    .hook = WF_HOOK_FROM_CONTAINER };

	return wf_finish_for(ctx, &subject, decision, WF_OBSERVE_DROPS);
}

#endif
