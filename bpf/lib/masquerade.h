/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Connections that show the host's address: which port, among all that exist, nobody uses towards
 * that destination - no other translated connection and no socket of the host.
 */
#ifndef WEFT_BPF_MASQUERADE_H
#define WEFT_BPF_MASQUERADE_H

#include "translate.h"

/* How often another CPU may take the port that was found before it is used. */
#define WF_MASQUERADE_TRIES 4

/* For how many ticks a search in vain is not repeated. */
#define WF_EXHAUSTED_TICKS 1

/* A search: the reply's tuple with a port that changes. */
struct wf_port_search {
	struct wf_ctx *ctx;
	struct wf_tuple reply;
	__u32 first;
	__u32 found;
};

/*
 * Whether a published port or service of the host answers at the port: somebody there may begin a
 * connection to it that must not be taken for an answer.
 */
static __always_inline int wf_port_is_offered(const struct wf_tuple *reply)
{
	struct wf_config_value *config = wf_map_config();
	struct wf_frontend_key key = { .addr = reply->dst,
				       .scope = WF_SCOPE_ANY,
				       .port = reply->dport,
				       .proto = reply->proto };
	if (!config || !(config->flags & WF_CONFIG_SERVICES))
		return 0;
	if (wf_map_frontend(&key) || wf_range_find(&key.addr, key.port, key.proto))
		return 1;
	wf_lb_unspecify(&key.addr);
	return wf_map_frontend(&key) || wf_range_find(&key.addr, key.port, key.proto);
}

/* Whether answers with this tuple would reach nobody else. */
WF_GLOBAL int wf_port_is_free(struct wf_ctx *ctx, const struct wf_tuple *reply)
{
	struct wf_tuple other;

	if (!reply)
		return 0;
	other = *reply;

	/* behind the stack and before it, addresses of the host are the same */
	other.site = reply->site == WF_SITE_EDGE ? WF_SITE_XDP : WF_SITE_EDGE;
	return !wf_conn_known(reply) && !wf_conn_known(&other) && !wf_port_is_offered(reply) &&
	       !wf_host_has_socket(ctx, reply);
}

/* Step of wf_loop(): 1 when the port is free. */
static long wf_port_step(__u32 i, void *data)
{
	struct wf_port_search *search = data;

	search->reply.dport = bpf_htons(WF_NAT_FIRST_PORT + (search->first + i) % WF_NAT_PORTS);
	if (!wf_port_is_free(search->ctx, &search->reply))
		return 0;
	search->found = 1;
	return 1;
}

/* Whether all ports were in use a moment ago. */
static __always_inline int wf_port_is_exhausted(const struct wf_tuple *key)
{
	__u32 *tick = wf_map_exhausted(key);

	return tick && wf_now_tick() - *tick <= WF_EXHAUSTED_TICKS;
}

/*
 * Tries every port, from a random one on: 0 with *ret_port, or -NAT_NO_PORT when none is free. That
 * takes milliseconds, so it is not done twice within a second.
 */
static __noinline int wf_port_search(struct wf_ctx *ctx, const struct wf_tuple *reply,
				     __be16 *ret_port)
{
	struct wf_port_search search = { .ctx = ctx, .reply = *reply };
	struct wf_conn_state *state = wf_map_conn_state();

	search.reply.dport = 0;
	if (!wf_port_is_exhausted(&search.reply)) {
		search.first = wf_random32() % WF_NAT_PORTS;
		wf_loop(WF_NAT_PORTS, wf_port_step, &search);
		if (search.found) {
			*ret_port = search.reply.dport;
			return 0;
		}
		search.reply.dport = 0;
		wf_map_exhausted_set(&search.reply, wf_now_tick());
	}
	if (state)
		wf_atomic_add32(&state->failed_ports, 1);
	return -WF_REASON_NAT_NO_PORT;
}

/* 0, or -reason when packets of that kind cannot share an address. */
static __always_inline int wf_masquerade_check(const struct wf_flow *flow)
{
	__u32 proto = flow->tuple.proto;

	if (flow->error_ip)
		return -WF_REASON_NAT_UNRELATED;
	if (proto == IPPROTO_TCP || proto == IPPROTO_UDP || proto == IPPROTO_SCTP)
		return 0;
	/* of an echo the request alone begins something; an answer has its identifier as dport */
	if ((proto == IPPROTO_ICMP || proto == IPPROTO_ICMPV6) && flow->ports && !flow->tuple.dport)
		return 0;
	return -WF_REASON_NAT_PROTOCOL;
}

/*
 * Adds the connection in work->fresh, whose reply tuple has the host's address: with the client's
 * own port if it is free, else another. 0, hit filled in, or -reason.
 */
static __always_inline int wf_masquerade_add(struct wf_ctx *ctx, struct wf_work *work)
{
	struct wf_conn_new *fresh = &work->fresh;
	struct wf_tuple *back = &fresh->tuple[WF_DIR_REPLY];
	__u32 is_echo = back->proto == IPPROTO_ICMP || back->proto == IPPROTO_ICMPV6;
	__u32 index = 0, port = bpf_ntohs(back->dport);
	int r;

	if ((port < WF_NAT_FIRST_PORT && !is_echo) || !wf_port_is_free(ctx, back)) {
		r = wf_port_search(ctx, back, &back->dport);
		if (r < 0)
			return r;
	}
	WF_NO_UNROLL
	for (int i = 0; i < WF_MASQUERADE_TRIES; i++) {
		r = wf_conn_add(fresh, &index);
		if (r < 0)
			return r;
		if (r == 0) {
			wf_work_hit(&work->hit, fresh, index);
			return 0;
		}
		if (wf_conn_find(&fresh->tuple[WF_DIR_ORIGINAL], &work->hit))
			return 0;
		r = wf_port_search(ctx, back, &back->dport);
		if (r < 0)
			return r;
	}
	return -WF_REASON_NAT_NO_PORT;
}

/*
 * Begins a connection from the packet at hand that shows `addr` instead of its source; the rest of
 * work->fresh is the caller's. 0, hit filled in, or -reason.
 */
static __always_inline int wf_masquerade_begin(struct wf_ctx *ctx, struct wf_work *work,
					       const struct wf_addr *addr)
{
	struct wf_conn_new *fresh = &work->fresh;
	struct wf_tuple *back = &fresh->tuple[WF_DIR_REPLY];
	int r = wf_masquerade_check(&work->flow);

	if (r < 0)
		return r;
	if (!addr->halves[0] && !addr->words[3])
		return -WF_REASON_NAT_NO_ADDRESS;
	fresh->tuple[WF_DIR_ORIGINAL] = work->flow.tuple;
	*back = work->flow.tuple;
	back->src = work->flow.tuple.dst;
	back->sport = work->flow.tuple.dport;
	back->dst = *addr;
	back->dport = work->flow.tuple.sport;
	back->scope = WF_NETWORK_HOST;
	fresh->backend = 0;
	fresh->service = 0;
	fresh->peer = WF_SLOT_HOST;
	return wf_masquerade_add(ctx, work);
}

#endif
