/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * What the programs that translate keep of the packet at hand. More than a stack of 512 bytes
 * holds, so it lies in a map of one entry per CPU: a program is never interrupted by another one
 * on its CPU (tc and XDP run with soft interrupts disabled).
 */
#ifndef WEFT_BPF_WORK_H
#define WEFT_BPF_WORK_H

#include "conn.h"
#include "flow.h"
#include "lb.h"
#include "packet.h"
#include "policy.h"

/* What lib/guard.h is asked about, and what lib/judge.h found out. */
struct wf_guarding {
	__u32 from;   /* slot, WF_SLOT_NOBODY: the source address tells */
	__u32 to;     /* slot, WF_SLOT_HOST: the host or whoever is behind it */
	__u32 way;    /* enum wf_way */
	__u32 sender; /* slots of both ends, WF_SLOT_NOBODY: not of this node */
	__u32 receiver;
	__u32 type;     /* of an ICMP message */
	__u32 is_first; /* it begins something, or has no connection */
	__u32 is_traced;
	__u32 scope; /* of both addresses */
};

/* A search for a place to hold a fragment (bpf/hold.h). */
struct wf_hold_search {
	__u32 found; /* place and 1 */
	__u32 mine;  /* places that the device has already */
	__u32 ifindex;
	__u32 now;
};

/* What a program leaves for the stage it calls stands first, where every build looks for it. */
struct wf_work {
	struct wf_guarding guard;
	__u32 slot; /* of the endpoint that counters and events name */
	__u32 hook; /* enum wf_hook */
	struct wf_ip ip;
	struct wf_flow flow;
	struct wf_conn_hit hit;
	union {
		struct wf_conn_new fresh;   /* a connection about to be added */
		struct wf_hold_search hold; /* of a fragment that begins nothing yet */
	};
	struct wf_client client;
	struct wf_target target;
	struct wf_question question;
	struct wf_answer answer;    /* to the question */
	struct wf_remote_value hop; /* where a route of the network leads (lib/via.h) */
	__u32 is_untracked;         /* of a connection that needs no record */
};

_Static_assert(sizeof(struct wf_work) <= WF_WORK_BYTES, "wf_work");

static __always_inline struct wf_work *wf_work_begin(__u32 slot, __u32 hook)
{
	struct wf_work *work = wf_map_work();

	if (!work)
		return NULL;
	work->slot = slot;
	work->hook = hook;
	work->guard.scope = WF_NETWORK_HOST;
	return work;
}

/*
 * Takes the headers of a frame, `l3` bytes behind its start: 0 or -reason. This and others that end
 * in _here are for the way of most packets, where a call costs as much as some of the work.
 */
static __always_inline int wf_work_parse_here(struct wf_ctx *ctx, __u32 l3, struct wf_ip *ret_ip)
{
	struct wf_cursor cursor;
	struct ethhdr *eth;
	int r;

	wf_cursor_start_at(ctx, l3, &cursor);
	r = l3 ? wf_parse_eth(&cursor, &eth) : wf_parse_bare(&cursor);
	if (r < 0)
		return r;
	if (wf_ctx_has_vlan(ctx))
		return -WF_REASON_VLAN_TAGGED;
	switch (r) {
	case ETH_P_IP: return wf_parse_ipv4(ctx, &cursor, ret_ip);
	case ETH_P_IPV6: return wf_parse_ipv6(ctx, &cursor, ret_ip);
	default: return -WF_REASON_UNSUPPORTED_L3;
	}
}

WF_GLOBAL int wf_work_parse(struct wf_ctx *ctx, __u32 l3, struct wf_ip *ret_ip)
{
	return ret_ip ? wf_work_parse_here(ctx, l3, ret_ip) : -WF_REASON_INTERNAL_ERROR;
}

/* The packet as if it had been found: what wf_conn_find() would say of a connection just added. */
static __always_inline void wf_work_hit(struct wf_conn_hit *hit, const struct wf_conn_new *fresh,
					__u32 index)
{
	hit->index = index;
	hit->guard = 0;
	hit->dir = WF_DIR_ORIGINAL;
	hit->flags = fresh->flags;
	hit->backend = fresh->backend;
	hit->service = fresh->service;
	hit->owner = fresh->owner;
	hit->peer = fresh->peer;
	hit->phase = WF_CONN_NEW;
	wf_tuple_turn(&fresh->tuple[WF_DIR_REPLY], &hit->to);
}

#endif
