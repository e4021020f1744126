/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The way that the host's routes and neighbours name for a frame. What they said is good for a
 * moment, some hundredths of a second: asking them takes as long as all the rest, and a new route
 * is in force by then without anybody being told.
 */
#ifndef WEFT_BPF_XDP_ROUTE_H
#define WEFT_BPF_XDP_ROUTE_H

#include "port.h"

/* Jiffies in a moment, as a power of two: 16 to 160 ms, by the kernel's HZ. */
#define WF_ROUTE_MOMENT 4

#define WF_ROUTE_SPREAD 0x9e3779b97f4a7c15ULL

/* Asks the kernel: 0, or -1 when there is no route, no neighbour yet, or the frame is too long. */
static __always_inline int wf_route_ask(struct wf_ctx *ctx, const struct wf_tuple *tuple, __u32 len,
					struct wf_route_value *ret_route)
{
	struct bpf_fib_lookup route = {
		.ifindex = ctx->ingress_ifindex,
		.l4_protocol = tuple->proto,
		.tot_len = len,
	};

	if (tuple->src.halves[0]) {
		route.family = WF_FAMILY_IPV6;
		__builtin_memcpy(route.ipv6_src, &tuple->src, sizeof(route.ipv6_src));
		__builtin_memcpy(route.ipv6_dst, &tuple->dst, sizeof(route.ipv6_dst));
	} else {
		route.family = WF_FAMILY_IPV4;
		route.ipv4_src = tuple->src.words[3];
		route.ipv4_dst = tuple->dst.words[3];
	}
	if (bpf_fib_lookup(ctx, &route, sizeof(route), 0) != BPF_FIB_LKUP_RET_SUCCESS)
		return -1;
	ret_route->ifindex = route.ifindex;
	wf_copy(ret_route->macs, route.dmac, sizeof(route.dmac));
	wf_copy(ret_route->macs + sizeof(route.dmac), route.smac, sizeof(route.smac));
	return 0;
}

static __always_inline __u32 wf_route_index(const struct wf_tuple *tuple)
{
	__u64 both = tuple->src.halves[1] + (tuple->dst.halves[1] ^ tuple->dst.halves[1] >> 32);

	return (both ^ both >> 32) * WF_ROUTE_SPREAD >> (64 - WF_ROUTE_BITS);
}

/* Whether that is what the kernel said of such a frame in this moment. */
static __always_inline int wf_route_holds(const struct wf_route_value *route,
					  const struct wf_ctx *ctx, const struct wf_tuple *tuple,
					  __u32 len, __u32 moment)
{
	return route->moment == moment && route->from == ctx->ingress_ifindex &&
	       route->proto == tuple->proto && len <= route->len &&
	       route->src.halves[0] == tuple->src.halves[0] &&
	       route->src.halves[1] == tuple->src.halves[1] &&
	       route->dst.halves[0] == tuple->dst.halves[0] &&
	       route->dst.halves[1] == tuple->dst.halves[1];
}

/*
 * The route of a frame of `len` bytes from its IP header on that looks like the tuple, good for this
 * frame; NULL when the stack has to look after it.
 */
static __always_inline const struct wf_route_value *
wf_route_find(struct wf_ctx *ctx, const struct wf_tuple *tuple, __u32 len)
{
	struct wf_route_value *route = wf_map_route(wf_route_index(tuple));
	__u32 moment = bpf_jiffies64() >> WF_ROUTE_MOMENT;

	if (!route)
		return NULL;
	if (wf_likely(wf_route_holds(route, ctx, tuple, len, moment)))
		return route;
	if (wf_route_ask(ctx, tuple, len, route) < 0)
		return NULL;
	route->src = tuple->src;
	route->dst = tuple->dst;
	route->from = ctx->ingress_ifindex;
	route->proto = tuple->proto;
	route->len = len;
	route->moment = moment;
	return route;
}

#endif
